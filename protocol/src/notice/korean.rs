//! Every notice in Korean.

use crate::{
    address_range::WIDEST,
    command::CommandError,
    foreign::Foreign,
    limits::{CARRIER_BYTES, LINE_BYTES, MESSAGE_BYTES, MESSAGE_LINES, PROTOCOL_VERSION},
    text::Lang,
};

use super::{
    Goodbye, Notice, about,
    help::{help, help_on},
    not_utf8, prefixed, rooms_list, share, version, who_after,
};

pub(super) fn text(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Greeting { version } => format!(
            "Madang/{PROTOCOL_VERSION} {version} (마당) · 도움말: /help · English: /lang en"
        ),
        Notice::LoginPrompt => "로그인ID:".into(),
        Notice::NameInUse { proposal: None } => "이미 등록된 사용자입니다.".into(),
        // In a line of its own: programs know the first one by heart.
        Notice::NameInUse { proposal: Some(name) } => {
            format!("이미 등록된 사용자입니다.\n쓸 수 있는 이름: {name}")
        }
        Notice::NameRefused(error) => error.message_ko(),
        Notice::PressEnter => "이름을 입력하고 Enter 키를 누르세요.".into(),
        Notice::Help(role) => help(*role, Lang::Ko),
        Notice::HelpOn(spec) => help_on(spec, Lang::Ko),
        Notice::CommandRefused(CommandError::Unknown { nearest }) => {
            format!("없는 명령입니다. 혹시 {nearest} 인가요? (명령 목록: /help)")
        }
        Notice::CommandRefused(CommandError::Usage(spec)) => {
            format!("사용법: {}", spec.usage())
        }
        Notice::CommandRefused(CommandError::Name(error)) => error.message_ko(),
        Notice::CommandRefused(CommandError::Nobody) | Notice::Nobody => {
            "그런 이름을 쓰는 사람이 없습니다. (지금 있는 사람: /who)".into()
        }
        Notice::CommandRefused(CommandError::BrokenLink) | Notice::BrokenLink => {
            "링크가 깨졌습니다. 처음부터 끝까지 다시 복사하세요.".into()
        }
        Notice::NoSuchRoom => "그런 방이 없습니다. 링크가 틀렸거나 방이 끝났습니다.".into(),
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
        Notice::LoginFirst => "먼저 이름을 입력하세요.".into(),
        Notice::RoomFirst => "이름보다 먼저 들어갈 방을 고르세요. 로비로 가려면: /join 로비".into(),
        Notice::LangSet => "이제 한국어로 안내합니다.".into(),
        Notice::Who { count, names } => format!("대화 참여자 {count}명: {}", names.join(", ")),
        Notice::WhoMore { room, after } => format!("더 보려면: {}", who_after(*room, after)),
        Notice::LineTooLong { bytes } => {
            format!("한 줄은 {LINE_BYTES}바이트까지입니다. (보낸 줄: {bytes}바이트)")
        }
        Notice::MessageTooLong { bytes } => {
            format!("한 번에 {MESSAGE_BYTES}바이트까지 말할 수 있습니다. (보낸 말: {bytes}바이트)")
        }
        Notice::TooManyLines { lines } => {
            format!("한 번에 {MESSAGE_LINES}줄까지 말할 수 있습니다. (보낸 말: {lines}줄)")
        }
        Notice::RenderedTooLong { bytes, limit } => format!(
            "줄마다 이름이 붙어 한 사람에게 {bytes}바이트가 가게 되므로 보내지 않았습니다. \
             ({limit}바이트까지) 줄 수를 줄여 주세요."
        ),
        Notice::NothingSaid => "보낼 말이 없습니다.".into(),
        Notice::NotUtf8(hint) => not_utf8(*hint),
        Notice::NameSettled { user, proposal: Some(proposal) } => {
            format!("이름이 {user}{} 정해졌습니다. 바꾸려면 /이름 {proposal}", by_particle(user))
        }
        Notice::NameSettled { user, proposal: None } => format!(
            "이름이 {user}{} 정해졌습니다(바꾸려면 /이름 새이름). 이 줄은 보내지 않았습니다.",
            by_particle(user)
        ),
        Notice::Skipped { lines } => format!("-- {lines}줄 건너뜀 --"),
        Notice::SessionUnknown => "이어 갈 세션이 없습니다. 이름으로 로그인하세요.".into(),
        Notice::RoomChosen { room } => {
            format!("이름을 입력하면 {room} 방으로 들어갑니다.")
        }
        Notice::Entered { room, members, topic } => {
            let topic = topic.map(|topic| format!(", 주제: {topic}")).unwrap_or_default();
            format!("-- {room} 방에 들어왔습니다. 대화 참여자 {members}명{topic} --")
        }
        Notice::RoomMade => {
            "-- 비공개 방을 만들었습니다. 초대하는 링크: /invite, 로비로 돌아가기: /leave --".into()
        }
        Notice::InRoomAlready => "이미 그 방에 있습니다.".into(),
        Notice::OtherRoom => "다른 방에서 쓴 말이라 보내지 않았습니다.".into(),
        Notice::NoRoom => "지금은 어느 방에도 없습니다. 로비로 돌아가기: /방 로비".into(),
        Notice::RoomLocked => "방이 잠겨 있어 들어갈 수 없습니다.".into(),
        Notice::RoomFull { limit } => format!("방의 정원 {limit}명이 찼습니다."),
        Notice::TooManyRooms { limit } => {
            format!("서버에 방이 너무 많습니다. ({limit}개까지) 잠시 뒤 다시 해 보세요.")
        }
        Notice::RoomsTooFast { seconds } => {
            format!("방을 너무 자주 만들었습니다. {seconds}초 뒤 다시 해 보세요.")
        }
        Notice::Earlier { lines } => format!("-- 지난 말 {lines}줄 --"),
        Notice::NothingEarlier => "지난 말이 없습니다.".into(),
        Notice::Rooms(rooms) => {
            rooms_list(rooms, "공개된 방:", |members| format!("{members}명"))
        }
        Notice::Whois { user, room, seconds, away } => {
            let place = match room {
                Some(room) => format!("{room} 방"),
                None => "공개된 방에는 없음".into(),
            };
            let away = if *away { ", 연결이 끊겨 있음" } else { "" };
            format!("{user}: {place}, 접속한 지 {}{away}", about(*seconds, Lang::Ko))
        }
        Notice::NotHere => "이 방에 그런 사람이 없습니다. (지금 있는 사람: /who)".into(),
        Notice::InNoRoom { user } => {
            format!("{user}님은 어느 방에도 없습니다. 서버에서 내보내려면: /ban {user}")
        }
        Notice::Announced(text) => prefixed("[서버] ", text),
        Notice::Whispered { user, text } => prefixed(&format!("[귓속말 {user}] "), text),
        Notice::WhisperSent { user, text, away } => {
            let sent = prefixed(&format!("[귓속말 → {user}] "), text);
            match away {
                true => {
                    format!("{sent}\n{user}님은 연결이 끊겨 있습니다. 다시 이어지면 전해집니다.")
                }
                false => sent,
            }
        }
        Notice::WhisperRefused { user } => {
            format!("{user}님이 읽지 않아 귓속말을 전하지 못했습니다.")
        }
        Notice::Ignored { user } => format!("{user}님은 내 말을 가려 두었습니다."),
        Notice::NoWhisper => "답할 귓속말이 없거나, 귓속말한 사람이 나갔습니다.".into(),
        Notice::Oneself => "자기 자신에게는 할 수 없습니다.".into(),
        Notice::NameKept => "이미 그 이름입니다.".into(),
        Notice::Renamed { user } => format!("이제 이름은 {user}입니다."),
        Notice::TopicIs(topic) => format!("주제: {topic}"),
        Notice::NoTopic => "주제가 없습니다. /topic 주제 로 정할 수 있습니다.".into(),
        Notice::TextTooLong { bytes, limit } => {
            format!("{limit}바이트까지 쓸 수 있습니다. (보낸 글: {bytes}바이트)")
        }
        Notice::Hiding { user } => {
            format!("{user}님의 말을 가립니다. 다시 보기: /unignore {user}")
        }
        Notice::Showing { user } => format!("{user}님의 말을 다시 봅니다."),
        Notice::Hidden([]) => "가린 사람이 없습니다.".into(),
        Notice::Hidden(users) => format!("가린 사람: {}", users.join(", ")),
        Notice::TooManyHidden { limit } => format!("{limit}명까지 가릴 수 있습니다."),
        Notice::Pong(None) => "퐁".into(),
        Notice::Pong(Some(token)) => format!("퐁 {token}"),
        Notice::Muted { seconds: None } => "지금은 말할 수 없습니다. 말이 막혀 있습니다.".into(),
        Notice::Muted { seconds: Some(seconds) } => {
            format!("지금은 말할 수 없습니다. {} 남았습니다.", about(*seconds, Lang::Ko))
        }
        Notice::Kicked { seconds } => {
            format!(
                "그 방에서 내보내졌습니다. {} 뒤에 다시 들어갈 수 있습니다.",
                about(*seconds, Lang::Ko)
            )
        }
        Notice::NameKicked { seconds } => {
            format!("내보낸 이름입니다. {} 뒤에 다시 쓸 수 있습니다.", about(*seconds, Lang::Ko))
        }
        Notice::Silenced => {
            "방장이 막은 것은 풀었지만, 운영자가 막고 있어 아직 말할 수 없습니다.".into()
        }
        Notice::OwnerOnly => "비공개 방의 방장만 할 수 있습니다.".into(),
        Notice::Already => "바꿀 것이 없습니다.".into(),
        Notice::NameBanned => "그 이름은 이 서버에서 쓸 수 없습니다.".into(),
        Notice::Invite(invitation) => invitation.text(Lang::Ko),
        Notice::Busy => "서버가 바쁩니다. 잠시 뒤에 다시 시도하세요.".into(),
        Notice::LoggedInAlready => "이미 로그인했습니다.".into(),
        Notice::Goodbye(goodbye) => match goodbye {
            Goodbye::Quit => "안녕히 가세요.".into(),
            Goodbye::Closed => "연결이 끝났습니다.".into(),
            Goodbye::Shutdown => "서버를 종료합니다.".into(),
            Goodbye::LoginTimeout { seconds } => {
                format!("{seconds}초 안에 로그인하지 않아 연결을 끊습니다.")
            }
            Goodbye::LoginTries => "쓸 수 없는 이름이 계속되어 연결을 끊습니다.".into(),
            Goodbye::EndlessLine => {
                format!("{CARRIER_BYTES}바이트 안에 줄이 끝나지 않아 연결을 끊습니다.")
            }
            Goodbye::BrokenFrame => "WebSocket 규칙에 맞지 않아 연결을 끊습니다.".into(),
            Goodbye::NotText => "글이 아닌 메시지를 받아 연결을 끊습니다.".into(),
            Goodbye::NotUtf8 => "UTF-8이 아닌 메시지를 받아 연결을 끊습니다.".into(),
            Goodbye::MessageTooBig => "너무 긴 메시지를 받아 연결을 끊습니다.".into(),
            Goodbye::UnfinishedMessage => "메시지가 제시간에 끝나지 않아 연결을 끊습니다.".into(),
            Goodbye::Foreign { foreign, web_port } => foreign_peer(*foreign, *web_port),
            Goodbye::NoTls => {
                "이 포트는 TLS만 씁니다. madang --tls나 openssl s_client -quiet -connect \
                 호스트:포트로 접속하세요."
                    .into()
            }
            Goodbye::ServerFull => {
                "서버가 가득 찼습니다. 잠시 뒤 다시 접속하세요. / server is full".into()
            }
            Goodbye::AddressFull => {
                "이 주소에서 온 연결이 너무 많습니다. / too many connections from your address"
                    .into()
            }
            Goodbye::Banned => "운영자가 이 서버에 들어오지 못하게 했습니다. / banned".into(),
            Goodbye::Kicked { seconds } => format!(
                "운영자가 내보냈습니다. {} 뒤에 다시 들어올 수 있습니다.",
                about(*seconds, Lang::Ko)
            ),
            Goodbye::Replaced => "다른 연결이 이 세션을 이어받았습니다.".into(),
            Goodbye::Internal => "서버 오류로 연결을 끊습니다.".into(),
        },
    }
}

/// What somebody is told who took this port for one of another kind.
fn foreign_peer(foreign: Foreign, web_port: Option<u16>) -> String {
    let in_browser = match web_port {
        Some(port) => format!(" 브라우저에서는 {port}번 포트를 여세요."),
        None => String::new(),
    };
    match foreign {
        Foreign::Http => {
            format!("이곳은 웹이 아니라 채팅 포트입니다. nc나 madang으로 접속하세요.{in_browser}")
        }
        Foreign::Tls => {
            format!("이 포트는 TLS를 쓰지 않습니다. TLS 없이 접속하세요.{in_browser}")
        }
        Foreign::Proxy => "이 포트는 PROXY 프로토콜을 받지 않습니다. 프록시에서 끄세요 \
                           (send-proxy, proxy_protocol)."
            .into(),
        Foreign::LengthPrefix => "글 앞에 길이가 붙어 있습니다(Java의 writeUTF 등). UTF-8 글만 \
                                  보내고 줄마다 줄바꿈을 붙이세요."
            .into(),
        Foreign::JavaObjects | Foreign::Pickle => format!(
            "글이 아니라 {}입니다. UTF-8 글을 보내고 줄마다 줄바꿈을 붙이세요.",
            foreign.name()
        ),
        Foreign::Binary => {
            "글이 아니라 이진 데이터입니다. UTF-8 글을 보내고 줄마다 줄바꿈을 붙이세요.".into()
        }
        _ => format!(
            "이곳은 {} 포트가 아니라 채팅 포트입니다. nc나 madang으로 접속하세요.{in_browser}",
            foreign.name()
        ),
    }
}

/// 로 or 으로, as it fits what stands before it.
fn by_particle(word: &str) -> &'static str {
    const RIEUL: u32 = 8;
    let finals = word.chars().next_back().map(u32::from).and_then(|c| match c {
        0xAC00..=0xD7A3 => Some((c - 0xAC00) % 28),
        _ => None,
    });
    match finals {
        None | Some(0 | RIEUL) => "로",
        Some(_) => "으로",
    }
}
