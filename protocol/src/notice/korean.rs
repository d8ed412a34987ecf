//! Every notice in Korean.

use crate::{
    address_range::WIDEST,
    command::{CommandError, Switch},
    duration::{show_about, show_duration},
    foreign::Foreign,
    josa::{Josa, nim, with_josa, with_nim},
    limits::{CARRIER_BYTES, LINE_BYTES, MESSAGE_BYTES, MESSAGE_LINES, PROTOCOL_VERSION},
    room::{LOBBY_IN_KOREAN, is_private, room_name},
    text::{Lang, teacher_mark},
};

use super::{
    Goodbye, HttpNotice, LessonNotice, Notice, help, list,
    number::{HANGUL_BYTES, UNCOUNTED_LINES, grouped},
    people, prefixed, share,
    utf8::not_utf8,
    version, wire,
};

pub(super) fn text(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Greeting { version } => format!(
            "Madang/{PROTOCOL_VERSION} {version} (마당) · 도움말: /도움말 · English: /lang en, /help"
        ),
        Notice::LoginPrompt => "로그인ID:".into(),
        Notice::NameInUse { proposal: None } => "이미 등록된 사용자입니다.".into(),
        // On a line of its own: programs compare the first one.
        Notice::NameInUse { proposal: Some(name) } => {
            format!("이미 등록된 사용자입니다.\n쓸 수 있는 이름: {name}")
        }
        Notice::NameRefused(error) => error.message_ko(),
        Notice::PressEnter => "이름을 입력하고 Enter 키를 누르세요.".into(),
        Notice::Help(role) => help::basics(*role, Lang::Ko),
        Notice::HelpAll(role) => help::others(*role, Lang::Ko),
        Notice::HelpOwners => help::owners(Lang::Ko),
        Notice::HelpOn(spec) => help::on(spec, Lang::Ko),
        Notice::HelpInLesson => help::in_lesson(Lang::Ko),
        Notice::HelpLesson(role) => help::lesson(*role, Lang::Ko),
        Notice::Lesson(notice) => notice.text(Lang::Ko),
        Notice::CommandRefused(CommandError::Unknown { nearest: None }) => {
            "없는 명령입니다. 명령 목록: /도움말".into()
        }
        Notice::CommandRefused(CommandError::Unknown { nearest: Some(nearest) }) => {
            format!("없는 명령입니다. 혹시 {}인가요? (명령 목록: /도움말)", nearest.alias)
        }
        Notice::CommandRefused(CommandError::ForMembers(spec)) => {
            format!("{} 명령은 대화에 들어온 사람만 쓸 수 있습니다.", spec.alias)
        }
        Notice::CommandRefused(CommandError::Usage(spec)) => {
            format!("사용법: {}", spec.usage(Lang::Ko))
        }
        Notice::CommandRefused(CommandError::Name(error)) => error.message_ko(),
        Notice::CommandRefused(CommandError::Nobody) | Notice::Nobody => {
            "그런 이름을 쓰는 사람이 없습니다. (방에 있는 사람: /누구)".into()
        }
        Notice::CommandRefused(CommandError::BrokenLink) | Notice::BrokenLink => {
            "링크가 잘렸거나 잘못되었습니다. 처음부터 끝까지 다시 복사하세요.".into()
        }
        Notice::CommandRefused(CommandError::TeachersLink) => {
            text(&Notice::Lesson(LessonNotice::TeachersLink))
        }
        Notice::NoSuchRoom => "그런 방이 없습니다. 링크가 틀렸거나 방이 닫혔습니다.".into(),
        Notice::NoPublicRoom => HttpNotice::NoPublicRoom.text(Lang::Ko),
        Notice::RangeTooWide(range) => {
            let share = match range.prefix_bits() {
                0 => "모두".into(),
                _ => format!("전체의 {}", share(range)),
            };
            let [v4, v6] = WIDEST;
            format!(
                "추방하지 않았습니다. {range} 범위는 {} 주소 {share}입니다. \
                 IPv4는 /{v4}, IPv6는 /{v6}보다 넓은 범위를 추방할 수 없습니다.",
                version(range)
            )
        }
        Notice::OwnMachineBanned => {
            "이 컴퓨터도 추방했습니다. 이 컴퓨터의 프록시로 들어오는 사람도 모두 막힙니다.".into()
        }
        Notice::SavingFails => "-- 지금은 대화가 저장되지 않습니다. 채팅은 계속됩니다 --".into(),
        Notice::NotSaved { lines } if *lines >= UNCOUNTED_LINES as u64 => {
            "-- 여기서 저장되지 않은 대화가 있습니다 --".into()
        }
        Notice::NotSaved { lines } => {
            format!("-- 여기서 {lines}줄이 저장되지 않았습니다 --")
        }
        Notice::SavedAgain => "-- 대화가 다시 저장됩니다 --".into(),
        Notice::Recorded => "이 방의 대화는 서버에 저장됩니다.".into(),
        Notice::NowRecorded => "-- 이제부터 이 방의 대화가 서버에 저장됩니다 --".into(),
        Notice::NoLongerRecorded => {
            "-- 이제 이 방의 대화가 서버에 저장되지 않습니다 --".into()
        }
        Notice::NotKept => "이 방의 대화는 서버에 저장되지 않습니다.".into(),
        Notice::OutOfReach(since) => format!("{since} 이후의 대화만 볼 수 있습니다."),
        Notice::NothingSince => "그 뒤로 나눈 대화가 없습니다.".into(),
        Notice::HistoryBegins => "-- 남아 있는 대화의 처음입니다 --".into(),
        Notice::NoSearch => "찾을 말을 입력하세요: /찾기 낱말".into(),
        Notice::Found { count: 0, is_all: true } => "찾는 대화가 없습니다.".into(),
        Notice::Found { count, is_all: true } => {
            format!("-- {count}개를 찾았습니다. 더 오래된 것은 없습니다 --")
        }
        Notice::Found { count, is_all: false } => {
            format!("-- {count}개를 찾았습니다. 더 오래된 것은 /찾기 --")
        }
        Notice::Transcript { link, apart } => {
            let space = if *apart { "\n" } else { " " };
            format!("대화 파일(10분 안에 한 번 받을 수 있습니다):{space}{link}")
        }
        Notice::NoDownload(Some(room)) => format!(
            "내려받을 웹 포트가 없습니다. 운영자가 서버 컴퓨터에서 받을 수 있습니다: \
             madang-server transcript --data 폴더 --room {room}"
        ),
        Notice::NoDownload(None) => {
            "내려받을 웹 포트가 없고, 이 방의 대화는 서버에 저장되지 않습니다.".into()
        }
        Notice::Forgotten(count) => {
            format!("저장된 대화 {}건을 지웠습니다.", grouped(*count))
        }
        Notice::ForgottenEverywhere => {
            "모든 서버의 메모리에서 지웠습니다. 보관 서버는 디스크에서도 지우며, 꺼져 있는 서버는 다시 \
             켜질 때 지웁니다."
                .into()
        }
        Notice::NotForgotten(cause) => format!("지우지 못했습니다: {cause}"),
        Notice::LoginFirst => "먼저 이름을 입력하세요.".into(),
        Notice::RoomFirst => {
            "이름을 입력하기 전에 들어갈 방을 고르세요. 로비로 가려면: /방 로비".into()
        }
        Notice::LangSet => "이제 한국어로 안내합니다.".into(),
        Notice::Who { count: 0, .. } => "방에 아무도 없습니다.".into(),
        Notice::Who { count, names, quiet, streams } => {
            let marks = [(*quiet, "(알림 없이 참여)"), (*streams, "(보기만)")];
            format!("대화 참여자 {count}명: {}", list::names_in_row(names, &marks))
        }
        Notice::WhoMore { room, after } => {
            format!("더 보려면: {}", list::who_after(*room, after, Lang::Ko))
        }
        Notice::LineTooLong { bytes } => format!(
            "한 줄은 {}까지 쓸 수 있습니다. 이 줄은 {}바이트라서 보내지 않았습니다.",
            at_most(LINE_BYTES),
            grouped(*bytes)
        ),
        Notice::MessageTooLong { bytes } => format!(
            "한 번에 {}까지 보낼 수 있습니다. 이 글은 {}바이트라서 보내지 않았습니다.",
            at_most(MESSAGE_BYTES),
            grouped(*bytes)
        ),
        Notice::TooManyLines { lines } => format!(
            "한 번에 {MESSAGE_LINES}줄까지 보낼 수 있습니다. 이 글은 {}줄이라서 보내지 않았습니다.",
            grouped(*lines)
        ),
        Notice::RenderedTooLong { bytes, limit } => format!(
            "짧은 줄이 너무 많아 보내지 않았습니다. 줄마다 이름을 붙이면 {}바이트가 되는데, \
             {}바이트까지 보낼 수 있습니다. 줄 수를 줄이세요.",
            grouped(*bytes),
            grouped(*limit)
        ),
        Notice::NothingSaid => "보낼 내용이 없습니다.".into(),
        Notice::NotUtf8(hint) => not_utf8(*hint),
        Notice::NameSettled { user, proposal: Some(proposal) } => {
            let user = with_josa(user, Josa::EuroRo);
            format!("이름이 {user} 정해졌습니다. 바꾸려면 /이름 {proposal}")
        }
        Notice::NameSettled { user, proposal: None } => {
            let user = with_josa(user, Josa::EuroRo);
            format!(
                "이름이 {user} 정해졌습니다. (바꾸려면 /이름 새이름) 이 줄은 보내지 않았습니다."
            )
        }
        Notice::Skipped { lines } if *lines >= UNCOUNTED_LINES => {
            "-- 건너뛴 대화가 있습니다 --".into()
        }
        Notice::Skipped { lines } => format!("-- {lines}줄 건너뜀 --"),
        Notice::SessionUnknown => "이어 갈 세션이 없습니다. 이름으로 로그인하세요.".into(),
        Notice::RoomChosen { room } => {
            format!("이름을 입력하면 {} 들어갑니다.", with_josa(&place(room), Josa::EuroRo))
        }
        Notice::Entered { room, members, topic } => {
            let topic = topic.map(|topic| format!(", 주제: {topic}")).unwrap_or_default();
            format!("-- {}에 들어왔습니다. 대화 참여자 {members}명{topic} --", place(room))
        }
        Notice::RoomMade => {
            "-- 비공개 방을 만들었습니다. 초대하기: /초대, 로비로 돌아가기: /로비 --".into()
        }
        Notice::InRoomAlready => "이미 그 방에 있습니다.".into(),
        Notice::OtherRoom => "다른 방에 쓴 글이라서 보내지 않았습니다.".into(),
        Notice::NoRoom => "지금은 방에 들어가 있지 않습니다. 로비로 가려면: /방 로비".into(),
        Notice::RoomLocked => "방이 잠겨 있어 들어갈 수 없습니다.".into(),
        Notice::RoomFull { limit } => format!("방이 가득 찼습니다. (정원 {limit}명)"),
        Notice::Unavailable => {
            "지금 다른 서버와 연결되어 있지 않습니다. 잠시 후 다시 시도하세요.".into()
        }
        Notice::Unanswered => "다른 서버가 제때 응답하지 않아 처리되었는지 알 수 없습니다. 다시 시도해도 \
            됩니다."
            .into(),
        Notice::OrderWaits => "지금 다른 서버와 연결되어 있지 않습니다. 다시 연결되면 다른 서버에도 \
            적용됩니다."
            .into(),
        Notice::ServersAway => "-- 다른 서버와의 연결이 끊겼습니다. 방금 한 말은 전달되지 않았을 수 \
            있습니다 --"
            .into(),
        Notice::ServersRestored => {
            "지워진 최근 대화를 기억하고 있던 만큼 되살렸습니다. 빠진 말이 있을 수 있습니다.".into()
        }
        Notice::ServersBack => "-- 다른 서버와 다시 연결되었습니다 --".into(),
        Notice::TooManyRooms { limit } => format!(
            "서버에 방이 이미 {}개 있어 더 만들 수 없습니다. 나중에 다시 시도하세요.",
            grouped(*limit)
        ),
        Notice::RoomsTooFast { seconds } => format!(
            "방을 너무 많이 만들었습니다. {} 뒤에 다시 시도하세요.",
            show_about(*seconds, Lang::Ko)
        ),
        Notice::Earlier { lines } => format!("-- 이전 대화 {lines}줄 --"),
        Notice::NothingEarlier => "이전 대화가 없습니다.".into(),
        Notice::Rooms(rooms) => list::rooms_list(rooms, "공개 방:", |room| {
            (room_name(&room.room, Lang::Ko).to_owned(), format!("{}명", room.members))
        }),
        Notice::Whois { user, room, seconds, away, quiet, stream } => {
            let place = match room {
                Some(room) => place(room),
                None => "공개 방에 없음".into(),
            };
            let away = if *away { ", 연결 끊김" } else { "" };
            let quiet = if *quiet { ", 알림 없이 참여" } else { "" };
            let stream = if *stream { ", 보기만" } else { "" };
            let time = seconds.map(|it| format!(", 접속한 지 {}", show_about(it, Lang::Ko)));
            let time = time.unwrap_or_default();
            format!("{user}: {place}{time}{away}{quiet}{stream}")
        }
        Notice::NotHere => "이 방에 그런 사람이 없습니다. (방에 있는 사람: /누구)".into(),
        Notice::InNoRoom { user } => format!(
            "{}은 방에 들어가 있지 않습니다. 서버에서 추방하려면: /추방 {user}",
            with_nim(user)
        ),
        Notice::Announced(text) => prefixed("[서버] ", text),
        Notice::Whispered { user, teacher, text } => {
            let mark = if *teacher { teacher_mark(Lang::Ko) } else { "" };
            prefixed(&format!("[귓속말 {user}{mark}] "), text)
        }
        Notice::WhisperSent { user, text, away } => {
            let sent = prefixed(&format!("[귓속말 → {user}] "), text);
            match away {
                true => format!(
                    "{sent}\n{}은 연결이 끊겨 있습니다. 다시 연결되면 전해집니다.",
                    with_nim(user)
                ),
                false => sent,
            }
        }
        Notice::WhisperRefused { user } => {
            format!("{user}{}에게 읽지 않은 귓속말이 너무 많아 전하지 못했습니다.", nim(user))
        }
        Notice::Ignored { user } => {
            format!("{}이 나를 차단해서 전하지 못했습니다.", with_nim(user))
        }
        Notice::NoWhisper => "답할 귓속말이 없거나, 보낸 사람이 나갔습니다.".into(),
        Notice::Oneself => "자기 자신에게는 할 수 없습니다.".into(),
        Notice::NameKept => "지금 쓰는 이름과 같습니다.".into(),
        Notice::Renamed { user } => format!("이제 이름은 {user}입니다."),
        Notice::TopicIs(topic) => format!("주제: {topic}"),
        Notice::NoTopic => "주제가 없습니다. 정하려면: /주제 내용".into(),
        Notice::TextTooLong { bytes, limit } => format!(
            "{}까지 쓸 수 있습니다. 이 글은 {}바이트입니다.",
            at_most(*limit),
            grouped(*bytes)
        ),
        Notice::Hiding { user } => {
            format!("{}을 차단했습니다. 풀려면: /차단해제 {user}", with_nim(user))
        }
        Notice::Showing { user } => format!("{}의 차단을 풀었습니다.", with_nim(user)),
        Notice::Hidden([]) => "차단한 사람이 없습니다.".into(),
        Notice::Hidden(users) => format!("차단한 사람: {}", users.join(", ")),
        Notice::TooManyHidden { limit } => format!("{limit}명까지 차단할 수 있습니다."),
        Notice::OwnLines(Switch::On) => "내가 보낸 말을 나에게도 보여 줍니다.".into(),
        Notice::OwnLines(Switch::Off) => {
            "내가 보낸 말을 나에게는 보여 주지 않습니다. 되돌리려면: /내말 켜기".into()
        }
        Notice::Wire(Switch::On) => {
            "내 연결에서 일어나는 일을 나에게만 설명합니다. 그만 보려면: /통신보기 끄기".into()
        }
        Notice::Wire(Switch::Off) => "내 연결을 더는 설명하지 않습니다.".into(),
        Notice::Explained(note) => wire::explained(note, Lang::Ko),
        Notice::TextOnly => "텍스트 연결에서만 쓸 수 있습니다.".into(),
        Notice::Pong(None) => "퐁".into(),
        Notice::Pong(Some(token)) => format!("퐁 {token}"),
        Notice::Muted { seconds: None } => "채팅이 금지되어 있습니다.".into(),
        Notice::Muted { seconds: Some(seconds) } => {
            format!("채팅이 금지되어 있습니다. {} 남았습니다.", show_about(*seconds, Lang::Ko))
        }
        Notice::Kicked { seconds } => format!(
            "그 방에서 내보내졌습니다. {} 뒤에 다시 들어갈 수 있습니다.",
            show_about(*seconds, Lang::Ko)
        ),
        Notice::NameKicked { seconds } => format!(
            "내보내진 사람의 이름입니다. {} 뒤에 다시 쓸 수 있습니다.",
            show_about(*seconds, Lang::Ko)
        ),
        Notice::Silenced => "방장의 채팅 금지는 풀렸지만, 운영자의 금지가 남아 있습니다.".into(),
        Notice::OwnerOnly => "비공개 방의 방장만 할 수 있습니다.".into(),
        Notice::WordsArePrivate => {
            "초대 단어는 비공개 방에서만 쓸 수 있습니다. 이 방은 이름만 알면 누구나 들어올 수 있습니다.".into()
        }
        Notice::NoSuchWords => {
            "이 단어로 열리는 방이 없습니다. 초대 단어는 10분 동안만 쓸 수 있으니 새로 받으세요.".into()
        }
        Notice::TooManyWords { seconds } => format!(
            "틀린 단어를 너무 많이 보냈습니다. {} 뒤에 다시 시도하세요.",
            show_duration(*seconds, Lang::Ko)
        ),
        Notice::PublicOnly => "알림 없이 참여하면 공개 방에만 들어갈 수 있습니다.".into(),
        Notice::ReadOnly => "다른 컴퓨터에서 알림 없이 참여하면 읽을 수만 있습니다.".into(),
        Notice::Already => "바꿀 것이 없습니다.".into(),
        Notice::NameBanned => "이 서버에서 추방된 이름입니다.".into(),
        Notice::Invite(invitation) => invitation.text(Lang::Ko),
        Notice::QrOnRequest => "QR 코드를 보려면 /초대를 입력하세요.".into(),
        Notice::QrTooLarge { columns, rows } => {
            format!("QR 코드를 표시하려면 {columns}칸 {rows}줄이 필요합니다. 작은 코드: /초대 qr")
        }
        Notice::People { count, people } => people::table(*count, people, Lang::Ko),
        Notice::Done(done) => done.text(Lang::Ko),
        Notice::NoCommand { text } => {
            format!("명령이 아닙니다. (명령 목록: /도움말) 모두에게 말하려면: /공지 {text}")
        }
        Notice::Busy => "서버가 바쁩니다. 잠시 뒤에 다시 시도하세요.".into(),
        Notice::LoggedInAlready => "이미 로그인했습니다.".into(),
        Notice::Goodbye(goodbye) => goodbye_text(*goodbye),
    }
}

/// Where a peer is refused before it can choose a language, English follows.
fn goodbye_text(goodbye: Goodbye) -> String {
    match goodbye {
        Goodbye::Quit => "안녕히 가세요.".into(),
        Goodbye::Closed => "연결이 끊겼습니다.".into(),
        Goodbye::Shutdown => "서버를 종료합니다.".into(),
        Goodbye::LoginTimeout { seconds } => {
            format!("{} 안에 로그인하지 않아 연결을 끊습니다.", show_duration(seconds, Lang::Ko))
        }
        Goodbye::LoginTries => "쓸 수 없는 이름이 계속되어 연결을 끊습니다.".into(),
        Goodbye::CodeTries => "틀린 코드가 계속되어 연결을 끊습니다.".into(),
        Goodbye::EndlessLine => {
            format!("{}바이트 안에 줄이 끝나지 않아 연결을 끊습니다.", grouped(CARRIER_BYTES))
        }
        Goodbye::BrokenFrame => "잘못된 WebSocket 프레임을 받아 연결을 끊습니다.".into(),
        Goodbye::NotText => "글이 아닌 메시지를 받아 연결을 끊습니다.".into(),
        Goodbye::NotUtf8 => "UTF-8이 아닌 메시지를 받아 연결을 끊습니다.".into(),
        Goodbye::MessageTooBig => "너무 긴 메시지를 받아 연결을 끊습니다.".into(),
        Goodbye::UnfinishedMessage => "메시지가 제시간에 끝나지 않아 연결을 끊습니다.".into(),
        Goodbye::Foreign { foreign, web_port } => foreign_peer(foreign, web_port),
        Goodbye::NoTls => {
            "이 포트는 TLS로만 접속할 수 있습니다. madang --tls나 openssl s_client -quiet \
             -connect 호스트:포트로 접속하세요."
                .into()
        }
        Goodbye::ServerFull => {
            "서버가 가득 찼습니다. 나중에 다시 접속하세요. / server is full".into()
        }
        Goodbye::AddressFull => {
            "이 주소에서 접속한 연결이 너무 많습니다. / too many connections from your address"
                .into()
        }
        Goodbye::Banned => "이 서버에서 추방되었습니다. / banned from this server".into(),
        Goodbye::Kicked { seconds } => format!(
            "내보내졌습니다. {} 뒤에 다시 들어올 수 있습니다.",
            show_about(seconds, Lang::Ko)
        ),
        Goodbye::RoomEnded => "방이 닫혔습니다.".into(),
        Goodbye::Replaced => "다른 연결에서 이 세션을 이어 갑니다.".into(),
        Goodbye::NameTaken => {
            "다른 서버에 같은 이름을 쓰는 사람이 있습니다. 다른 이름으로 다시 들어오세요.".into()
        }
        Goodbye::Internal => "서버 오류로 연결을 끊습니다.".into(),
    }
}

/// The answer to a peer that takes this port for that of another protocol.
fn foreign_peer(foreign: Foreign, web_port: Option<u16>) -> String {
    let in_browser = match web_port {
        Some(port) => format!(" 브라우저에서는 {port}번 포트를 여세요."),
        None => String::new(),
    };
    match foreign {
        Foreign::Http => {
            format!("웹 페이지가 아니라 채팅 포트입니다. nc나 madang으로 접속하세요.{in_browser}")
        }
        Foreign::Tls => {
            format!("이 포트는 TLS를 쓰지 않습니다. TLS 없이 접속하세요.{in_browser}")
        }
        Foreign::Proxy => "이 포트는 PROXY 프로토콜을 받지 않습니다. 프록시에서 끄세요 \
                           (send-proxy, proxy_protocol)."
            .into(),
        Foreign::LengthPrefix => "글 앞에 길이가 붙어 있습니다(Java의 writeUTF 등). UTF-8 글만 \
                                  보내고, 줄 끝마다 줄바꿈을 붙이세요."
            .into(),
        Foreign::JavaObjects | Foreign::Pickle => format!(
            "글이 아니라 {}입니다. UTF-8 글을 보내고, 줄 끝마다 줄바꿈을 붙이세요.",
            foreign.name()
        ),
        Foreign::Binary => {
            "글이 아니라 이진 데이터입니다. UTF-8 글을 보내고, 줄 끝마다 줄바꿈을 붙이세요.".into()
        }
        _ => format!(
            "{} 포트가 아니라 채팅 포트입니다. nc나 madang으로 접속하세요.{in_browser}",
            foreign.name()
        ),
    }
}

/// A room in a sentence.
pub(super) fn place(room: &str) -> String {
    match room_name(room, Lang::Ko) {
        LOBBY_IN_KOREAN => LOBBY_IN_KOREAN.to_owned(),
        room if is_private(room) => format!("비공개 방({room})"),
        room => format!("{room} 방"),
    }
}

/// A limit of bytes, and about how many Korean letters that is.
fn at_most(bytes: usize) -> String {
    format!("{}바이트(한글 약 {}자)", grouped(bytes), grouped(bytes / HANGUL_BYTES))
}
