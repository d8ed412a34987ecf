//! What the client itself says, in Korean and in English. What a failure says
//! stands in [`failure`](crate::failure), what happens in a room in the protocol.

use madang_protocol::text::{Lang, Notice};

use crate::input::LineError;

/// A sentence of the client, without a line end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Words<'a> {
    /// Asks for a name, on the line on which it is then typed.
    AskName,
    /// Logged in.
    Welcome { user: &'a str, room: &'a str, members: usize },
    /// A line can't be sent.
    Refused(&'a LineError),
    /// What is wrong with a line of the input.
    AtLine { number: u64, what: &'a str },
    /// The lines that were sent and not answered when the connection ended.
    Unconfirmed { first: u64, last: u64 },
    /// A name for a server that has none for guests.
    GuestName { number: u32 },
    /// A server without JSON has not asked for the name that was given.
    NameNotAsked,
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
            Words::AskName => "이름 (그냥 Enter를 누르면 손님): ".into(),
            Words::Welcome { user, room, members } => {
                format!(
                    "-- {user} 이름으로 {room} 방에 들어왔습니다. 대화 참여자 {members}명, 도움말 /help --"
                )
            }
            Words::Refused(error) => refused(error, Lang::Ko),
            Words::AtLine { number, what } => format!("{number}번째 줄: {what}"),
            Words::Unconfirmed { first, last } if first == last => {
                format!("{first}번째 줄이 전달되었는지 확인하지 못했습니다")
            }
            Words::Unconfirmed { first, last } => {
                format!("{first}~{last}번째 줄이 전달되었는지 확인하지 못했습니다")
            }
            Words::GuestName { number } => format!("손님-{number}"),
            Words::NameNotAsked => "서버가 이름을 묻지 않아 --name을 쓰지 않습니다".into(),
        }
    }

    fn english(self) -> String {
        match self {
            Words::AskName => "Name (just Enter for a guest's): ".into(),
            Words::Welcome { user, room, members } => {
                format!("-- you are {user}, in {room}; {members} here; /help lists the commands --")
            }
            Words::Refused(error) => refused(error, Lang::En),
            Words::AtLine { number, what } => format!("line {number}: {what}"),
            Words::Unconfirmed { first, last } if first == last => {
                format!("line {first} was sent but not confirmed")
            }
            Words::Unconfirmed { first, last } => {
                format!("lines {first} to {last} were sent but not all confirmed")
            }
            Words::GuestName { number } => format!("guest-{number}"),
            Words::NameNotAsked => "the server asked for no name; --name is not used".into(),
        }
    }
}

/// The server would say the same, had it been sent.
fn refused(error: &LineError, lang: Lang) -> String {
    match *error {
        LineError::TooLong { bytes } => Notice::LineTooLong { bytes }.text(lang),
        LineError::NotUtf8 => Notice::NotUtf8.text(lang),
    }
}

/// The language of a locale such as `ko-KR`; English where it is not Korean.
pub(crate) fn lang_of_locale(locale: Option<&str>) -> Lang {
    let language = locale.and_then(|locale| locale.split(['-', '_', '.']).next());
    if language.is_some_and(|language| language.eq_ignore_ascii_case("ko")) {
        Lang::Ko
    } else {
        Lang::En
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
