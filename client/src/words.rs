//! The client's own messages, in Korean and in English. The messages of failures are in
//! [`failure`](crate::failure), those about rooms in the protocol.

use madang_protocol::{
    duration::show_duration,
    josa::with_nim,
    notice::{Notice, Utf8Hint},
    room::{LOBBY, room_name},
    sanitize::sanitize_label,
    text::Lang,
};

use madang_terminal::layout::cut_to;

use crate::input::LineError;

/// The most columns that a room takes in the prompt.
const PLACE_COLUMNS: usize = 24;

/// A message of the client, without a line end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Words<'a> {
    /// Asks for a name; the answer is typed on the same line.
    AskName,
    /// Asks in the same way whether to go to the lobby instead of a room that was refused.
    AskLobby,
    /// Logged in.
    Welcome {
        user: &'a str,
        /// `None` if the member was removed from it while away.
        room: Option<&'a str>,
        members: usize,
        topic: Option<&'a str>,
    },
    /// The typed line has more letters than can be sent.
    TooLong { letters: usize },
    /// Above the prompt: the open poll, and to a teacher how many have answered.
    Poll { question: &'a str, answered: Option<(usize, usize)> },
    /// Above the prompt: how long the lesson's clock still runs.
    Timer { seconds: u64, text: &'a str },
    /// The prompt: the room and its number of members.
    Prompt {
        room: Option<&'a str>,
        members: usize,
        /// Whether something is not on the server's disk yet: a mark replaces the blank, so
        /// that the line being typed does not move.
        is_unsafe: bool,
    },
    /// The prompt without a connection.
    PromptOffline { room: Option<&'a str> },
    /// Asks whether to send so many lines; the answer is typed on the same line.
    AskPaste { lines: usize },
    /// Ctrl-C was pressed on an empty line.
    AgainToLeave,
    /// The connection is lost; the client tries to come back.
    Reconnecting { why: &'a str },
    /// The same, to a program.
    PipeReconnecting { why: &'a str },
    /// The connection is back.
    Back,
    /// The number of messages that were missed; they follow.
    WhileAway { lines: usize },
    /// The session ended in the meantime; this is a new one.
    BackAnew,
    /// A line waits for the connection.
    Queued { text: &'a str },
    /// No more lines can wait for the connection.
    QueueFull,
    /// The server has not confirmed this line for a while, and has sent nothing else.
    Late { text: &'a str },
    /// This line may or may not have arrived.
    Uncertain { text: &'a str },
    /// This was written for a room, or a session, that is gone.
    NotSent { text: &'a str },
    /// The same, for a line of the input.
    RoomGone,
    /// The line was begun in another room than the one it would be sent to.
    WrittenElsewhere { from: &'a str, to: &'a str },
    /// The line may have been meant for a room that could not be entered.
    TypedBehind { command: &'a str, to: &'a str },
    /// A line can't be sent.
    Refused(&'a LineError),
    /// A line of the input can't be sent, for this reason.
    AtLine { number: u64, what: &'a str },
    /// The lines that were sent and not answered when the connection ended.
    Unconfirmed { first: u64, last: u64 },
    /// A room was chosen where a name was asked for.
    NameForRoom,
    /// The terminal is too small for the QR code.
    CodeTooLarge { columns: usize, rows: usize },
    /// Earlier events were fetched back to this moment, and older ones were requested.
    ReadBackTo { moment: &'a str },
    /// The server has nothing older than this moment.
    NothingBefore { moment: &'a str },
    /// The server has no earlier events at all.
    NothingYet,
    /// There are more messages since the requested moment than are fetched.
    TooMuchEarlier,
    /// The heading of the results for these words.
    SearchedFor { words: &'a str },
    /// The server can't save messages at the moment.
    NotSaved,
    /// It can save them again.
    SavedAgain,
    /// These lines of the input were delivered, but the server could not save them.
    Unsaved { first: u64, last: u64 },
    /// A search that continued further back has found nothing more.
    NothingOlder,
    /// The guest name for a server that gives none.
    GuestName { number: u32 },
    /// A server without JSON did not ask for the name that was given.
    NameNotAsked,
    /// A server without JSON has no rooms.
    NoRooms,
}

impl Words<'_> {
    pub(crate) fn text(self, lang: Lang) -> String {
        match lang {
            Lang::Ko => self.korean(),
            Lang::En => self.english(),
        }
    }

    fn korean(self) -> String {
        match self {
            Words::AskName => "이름 (손님으로 들어가려면 Enter): ".into(),
            Words::AskLobby => "대신 로비로 들어갈까요? [Y/n] ".into(),
            Words::Welcome { user, room: Some(room), members, topic } => {
                let topic = topic.map(|topic| format!("\n-- 주제: {topic} --")).unwrap_or_default();
                let place = match room {
                    LOBBY => "로비".to_owned(),
                    _ => format!("{room} 방"),
                };
                format!(
                    "-- {}, {place}에 들어왔습니다({members}명). 도움말: /도움말, 나가기: Ctrl-D --{topic}",
                    with_nim(user)
                )
            }
            Words::Welcome { user, room: None, .. } => {
                format!("-- 다시 연결되었습니다. 이름은 {user}, 들어가 있는 방은 없습니다. 로비로 가려면 /로비 --")
            }
            Words::Prompt { room, members, is_unsafe } => prompt(room, members, is_unsafe, Lang::Ko),
            Words::PromptOffline { room } => {
                format!("[{} 끊김] ", place(room.unwrap_or("-"), Lang::Ko))
            }
            Words::Poll { question, answered: None } => format!("투표: {question}"),
            Words::Poll { question, answered: Some((answered, members)) } => {
                format!("투표 {answered}/{members}명: {question}")
            }
            Words::Timer { seconds, text } => {
                format!("타이머 {}{}", show_duration(seconds, Lang::Ko), after_colon(text))
            }
            Words::TooLong { letters } => format!("{letters}자 넘침"),
            Words::AskPaste { lines } => format!("{lines}줄을 보낼까요? [y/N] "),
            Words::AgainToLeave => "-- 나가려면 Ctrl-C를 한 번 더 누르거나 Ctrl-D를 누르세요 --".into(),
            Words::Reconnecting { why } => {
                format!("-- {why}. 다시 연결하고 있습니다. 쓰던 글은 그대로 있습니다 (나가려면 Ctrl-D) --")
            }
            Words::PipeReconnecting { why } => format!("{why}. 다시 연결하고 있습니다"),
            Words::Back => "-- 다시 연결되었습니다. 놓친 것이 없습니다 --".into(),
            Words::WhileAway { lines } => format!("-- 연결이 끊긴 동안의 대화 {lines}줄 --"),
            Words::BackAnew => {
                "-- 다시 연결되었지만 그 사이 세션이 끝나 새로 들어왔습니다. 놓친 대화가 있을 수 있습니다 --".into()
            }
            Words::Queued { text } => format!("-- 다시 연결되면 보냅니다: {text} --"),
            Words::Late { text } => {
                format!("-- 서버가 아직 답하지 않아 기다리고 있습니다: {text} --")
            }
            Words::QueueFull => "-- 보낼 줄이 너무 많이 밀려 이 줄은 보내지 않았습니다 --".into(),
            Words::Uncertain { text } => {
                format!("-- 전달되었는지 알 수 없어 다시 보내지 않았습니다: {text} --")
            }
            Words::NotSent { text } => {
                format!("-- 그 방이 닫혀 보내지 않았습니다: {text} --")
            }
            Words::WrittenElsewhere { from, to } => format!(
                "-- ‘{}’에서 쓰던 글입니다. ‘{}’에 보내려면 Enter를 한 번 더 누르세요 --",
                sanitize_label(room_name(from, Lang::Ko)),
                sanitize_label(room_name(to, Lang::Ko))
            ),
            Words::TypedBehind { command, to } => format!(
                "-- {command} 요청이 거절되었습니다. ‘{}’에 보내려면 Enter를 한 번 더 누르세요 --",
                sanitize_label(room_name(to, Lang::Ko))
            ),
            Words::NameForRoom => "-- 그 방에서 쓸 이름을 입력하세요 --".into(),
            Words::RoomGone => "그 방이 닫혀 보내지 않았습니다".into(),
            Words::Refused(error) => line_refused(error, Lang::Ko),
            Words::AtLine { number, what } => format!("{number}번째 줄: {what}"),
            Words::Unconfirmed { first, last } if first == last => {
                format!("{first}번째 줄이 전달되었는지 확인하지 못했습니다")
            }
            Words::Unconfirmed { first, last } => {
                format!("{first}~{last}번째 줄이 전달되었는지 확인하지 못했습니다")
            }
            Words::CodeTooLarge { columns, rows } => {
                format!("-- QR 코드를 표시하려면 터미널이 {columns}칸 {rows}줄 이상이어야 합니다 --")
            }
            Words::NotSaved => {
                "-- 서버가 지금 대화를 저장하지 못합니다. 대화는 계속할 수 있습니다 --".into()
            }
            Words::SavedAgain => "-- 서버가 대화를 다시 저장합니다 --".into(),
            Words::ReadBackTo { moment } => format!("{moment}까지 불러왔습니다"),
            Words::NothingBefore { moment } => {
                format!("{moment} 이전의 대화는 서버에 남아 있지 않습니다")
            }
            Words::NothingYet => "서버에 남아 있는 이전 대화가 없습니다".into(),
            Words::TooMuchEarlier => {
                "그 뒤에 나눈 대화가 너무 많아 최근 것만 불러왔습니다".into()
            }
            Words::SearchedFor { words } => format!("-- 찾기: {} --", sanitize_label(words)),
            Words::Unsaved { first, last } if first == last => {
                format!("{first}번째 줄을 전달했지만 서버가 저장하지 못했습니다")
            }
            Words::Unsaved { first, last } => {
                format!("{first}~{last}번째 줄을 전달했지만 서버가 저장하지 못했습니다")
            }
            Words::NothingOlder => "-- 더 오래된 결과는 없습니다 --".into(),
            Words::GuestName { number } => format!("손님-{number}"),
            Words::NameNotAsked => "서버가 이름을 묻지 않아 --name을 무시합니다".into(),
            Words::NoRooms => "이 서버에는 방이 없어 --room을 무시합니다".into(),
        }
    }

    fn english(self) -> String {
        match self {
            Words::AskName => "Name (Enter for a guest name): ".into(),
            Words::AskLobby => "Go to the lobby instead? [Y/n] ".into(),
            Words::Welcome { user, room: Some(room), members, topic } => {
                let topic =
                    topic.map(|topic| format!("\n-- topic: {topic} --")).unwrap_or_default();
                let place = if room == LOBBY { "the lobby" } else { room };
                format!(
                    "-- {user} in {place}, {members} here: type to talk, help: /help, leave: Ctrl-D --{topic}"
                )
            }
            Words::Welcome { user, room: None, .. } => {
                format!("-- you are {user} again, but not in a room; to the lobby: /leave --")
            }
            Words::Prompt { room, members, is_unsafe } => {
                prompt(room, members, is_unsafe, Lang::En)
            }
            Words::PromptOffline { room } => {
                format!("[{} offline] ", place(room.unwrap_or("-"), Lang::En))
            }
            Words::Poll { question, answered: None } => format!("poll: {question}"),
            Words::Poll { question, answered: Some((answered, members)) } => {
                format!("poll, {answered} of {members}: {question}")
            }
            Words::Timer { seconds, text } => {
                format!("timer {}{}", show_duration(seconds, Lang::En), after_colon(text))
            }
            Words::TooLong { letters: 1 } => "1 letter too long".into(),
            Words::TooLong { letters } => format!("{letters} letters too long"),
            Words::AskPaste { lines } => format!("send {lines} lines? [y/N] "),
            Words::AgainToLeave => "-- press Ctrl-C again, or Ctrl-D, to leave --".into(),
            Words::Reconnecting { why } => {
                format!("-- {why}; reconnecting, what you type is kept (Ctrl-D leaves) --")
            }
            Words::PipeReconnecting { why } => format!("{why}; reconnecting"),
            Words::Back => "-- connected again; nothing was missed --".into(),
            Words::WhileAway { lines: 1 } => "-- 1 line while you were away --".into(),
            Words::WhileAway { lines } => format!("-- {lines} lines while you were away --"),
            Words::BackAnew => {
                "-- connected again in a new session; you may have missed messages --".into()
            }
            Words::Queued { text } => format!("-- will be sent once connected: {text} --"),
            Words::Late { text } => format!("-- the server has not answered yet: {text} --"),
            Words::QueueFull => "-- too many lines are waiting; this one was not sent --".into(),
            Words::Uncertain { text } => {
                format!("-- may not have been delivered; not sent again: {text} --")
            }
            Words::NotSent { text } => format!("-- that room is gone; not sent: {text} --"),
            Words::WrittenElsewhere { from, to } => format!(
                "-- you wrote this in {}; press Enter again to send it to {} --",
                sanitize_label(from),
                sanitize_label(to)
            ),
            Words::TypedBehind { command, to } => format!(
                "-- {command} was refused; press Enter again to send this to {} --",
                sanitize_label(to)
            ),
            Words::NameForRoom => "-- now type a name for that room --".into(),
            Words::RoomGone => "that room is gone; not sent".into(),
            Words::Refused(error) => line_refused(error, Lang::En),
            Words::AtLine { number, what } => format!("line {number}: {what}"),
            Words::Unconfirmed { first, last } if first == last => {
                format!("line {first} was sent but not confirmed")
            }
            Words::Unconfirmed { first, last } => {
                format!("lines {first} to {last} were sent but not all confirmed")
            }
            Words::CodeTooLarge { columns, rows } => {
                format!("-- the QR code needs a terminal of {columns} columns and {rows} rows --")
            }
            Words::NotSaved => {
                "-- the server can't save messages now; you can go on chatting --".into()
            }
            Words::SavedAgain => "-- messages are saved again --".into(),
            Words::ReadBackTo { moment } => format!("loaded back to {moment}"),
            Words::NothingBefore { moment } => {
                format!("the server has nothing older than {moment}")
            }
            Words::NothingYet => "the server has no earlier messages".into(),
            Words::TooMuchEarlier => {
                "there are too many messages since then; only the newest follow".into()
            }
            Words::SearchedFor { words } => format!("-- search: {} --", sanitize_label(words)),
            Words::Unsaved { first, last } if first == last => {
                format!("line {first} was delivered, but the server could not save it")
            }
            Words::Unsaved { first, last } => {
                format!(
                    "lines {first} to {last} were delivered, but the server could not save them"
                )
            }
            Words::NothingOlder => "-- no older results --".into(),
            Words::GuestName { number } => format!("guest-{number}"),
            Words::NameNotAsked => "the server did not ask for a name; --name is ignored".into(),
            Words::NoRooms => "this server has no rooms; --room is ignored".into(),
        }
    }
}

/// The server's answer would be the same.
fn line_refused(error: &LineError, lang: Lang) -> String {
    match *error {
        LineError::TooLong { bytes } => Notice::LineTooLong { bytes }.text(lang),
        LineError::MessageTooLong { bytes } => Notice::MessageTooLong { bytes }.text(lang),
        LineError::NotUtf8(wide) => {
            Notice::NotUtf8(wide.map_or(Utf8Hint::CodePage, Utf8Hint::Wide)).text(lang)
        }
    }
}

/// Whether an answer means yes, in either language.
pub(crate) fn is_yes(answer: &str) -> bool {
    // ㅛ is what the key of `y` writes while Hangul is on.
    ["y", "yes", "ㅛ", "네", "예"].contains(&&*answer.trim().to_lowercase())
}

/// The language of a locale such as `ko-KR`: Korean or, for all others, English.
pub(crate) fn lang_of_locale(locale: Option<&str>) -> Lang {
    let language = locale.and_then(|locale| locale.split(['-', '_', '.']).next());
    if language.is_some_and(|language| language.eq_ignore_ascii_case("ko")) {
        Lang::Ko
    } else {
        Lang::En
    }
}

fn prompt(room: Option<&str>, members: usize, is_unsafe: bool, lang: Lang) -> String {
    let end = if is_unsafe { '~' } else { ' ' };
    match room {
        Some(room) => format!("[{} {members}]{end}", place(room, lang)),
        None => format!("[-]{end}"),
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A room's name in the prompt. A server that follows the protocol sends no longer ones.
fn place(room: &str, lang: Lang) -> String {
    let room = sanitize_label(room_name(room, lang)).into_owned();
    cut_to(&room, PLACE_COLUMNS).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobby_is_called_so_in_korean() {
        let prompt = Words::Prompt { room: Some(LOBBY), members: 3, is_unsafe: false };
        assert_eq!(prompt.text(Lang::Ko), "[로비 3] ");
        let offline = Words::PromptOffline { room: Some(LOBBY) };
        assert_eq!(offline.text(Lang::Ko), "[로비 끊김] ");
        let elsewhere = Words::WrittenElsewhere { from: "수학", to: LOBBY };
        assert!(elsewhere.text(Lang::Ko).contains("‘로비’에 보내려면"));
    }

    #[test]
    fn the_locale_decides_the_language() {
        #[track_caller]
        fn check(locale: Option<&str>, expected: Lang) {
            assert_eq!(lang_of_locale(locale), expected);
        }
        check(Some("ko-KR"), Lang::Ko);
        check(Some("ko_KR.UTF-8"), Lang::Ko);
        check(Some("ko"), Lang::Ko);
        check(Some("kok-IN"), Lang::En);
        check(Some("en-US"), Lang::En);
        check(Some("C"), Lang::En);
        check(Some("POSIX"), Lang::En);
        check(None, Lang::En);
    }
}
