//! What the server says to people, in Korean and in English: events as lines,
//! and notices for one person alone. Every `match` is exhaustive, so that no
//! language lacks a sentence.

use std::{fmt, io::Write as _, str::FromStr};

use crate::{
    command::{COMMANDS, CommandError},
    event::Event,
    limits::{CARRIER_BYTES, LINE_BYTES, MESSAGE_BYTES, PROTOCOL_VERSION},
    name::NameError,
};

/// A language in which the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Korean (한국어).
    #[default]
    Ko,
    /// English.
    En,
}

/// The word is neither `ko` nor `en`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such language: use ko or en")]
pub struct UnknownLang;

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(word: &str) -> Result<Lang, UnknownLang> {
        match word.to_ascii_lowercase().as_str() {
            "ko" => Ok(Lang::Ko),
            "en" => Ok(Lang::En),
            _ => Err(UnknownLang),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Lang::Ko => "ko",
            Lang::En => "en",
        })
    }
}

/// Said in both languages: whose bytes are not UTF-8 may read neither well.
const NOT_UTF8: &str = "UTF-8이 아닙니다 / not UTF-8 (Windows: chcp 65001)";

/// How lines end that go out to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// LF alone.
    #[default]
    Lf,
    /// CR LF, for a telnet and for terminals in character mode.
    CrLf,
}

impl LineEnd {
    /// The bytes of it.
    pub fn as_str(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
        }
    }
}

/// Appends the lines by which people are told of `event`.
pub fn write_event(event: &Event, lang: Lang, line_end: LineEnd, out: &mut Vec<u8>) {
    match event {
        Event::Said { user, text, .. } => {
            for line in text.split('\n') {
                out.push(b'[');
                out.extend_from_slice(user.as_bytes());
                out.extend_from_slice(b"] ");
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(line_end.as_str().as_bytes());
            }
        }
        Event::Joined { user, .. } => {
            let verb = match lang {
                Lang::Ko => "님이 입장했습니다.",
                Lang::En => " joined.",
            };
            write_coming_or_going(user, verb, line_end, out);
        }
        Event::Left { user, .. } => {
            let verb = match lang {
                Lang::Ko => "님이 퇴장했습니다.",
                Lang::En => " left.",
            };
            write_coming_or_going(user, verb, line_end, out);
        }
    }
}

fn write_coming_or_going(user: &str, verb: &str, line_end: LineEnd, out: &mut Vec<u8>) {
    write!(out, "[{user}]{verb}{}", line_end.as_str()).expect("a Vec takes all");
}

/// A sentence of the server for one person. Those that end in a line end are
/// whole lines; only the prompt is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The first line of every connection.
    Greeting {
        /// The server's version.
        version: &'a str,
    },
    /// Asks for a name; the only text without a line end.
    LoginPrompt,
    /// The name is taken.
    NameInUse,
    /// The name is not a name.
    NameRefused(&'a NameError),
    /// The first line was not ended; how to end one.
    PressEnter,
    /// The list of commands.
    Help,
    /// A command that is not known or not complete.
    CommandRefused(&'a CommandError),
    /// A command that has to wait until one has a name.
    LoginFirst,
    /// The language was changed to the one in which this is said.
    LangSet,
    /// Who is here: the number, then the names.
    Who {
        /// How many there are in all.
        count: usize,
        /// The names.
        names: &'a [&'a str],
    },
    /// The line is longer than a line may be.
    LineTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The message is longer than a message may be.
    MessageTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nothing is left of what was said.
    NothingSaid,
    /// The line is not UTF-8.
    NotUtf8,
    /// Lines that a slow reader was not sent.
    Skipped {
        /// How many.
        lines: usize,
    },
    /// The session to come back to is not there (any more).
    SessionUnknown,
    /// There is no such room.
    NoSuchRoom,
    /// Already logged in.
    LoggedInAlready,
    /// Why the server closes the connection.
    Goodbye(Goodbye),
}

/// Why the server closes a connection, as its peer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The member quit.
    Quit,
    /// The peer has closed its side.
    Closed,
    /// The server stops.
    Shutdown,
    /// No name within the time for it.
    LoginTimeout {
        /// The time for it, in seconds.
        seconds: u64,
    },
    /// Too many names that are no names.
    LoginTries,
    /// A line without an end.
    EndlessLine,
    /// What came breaks the rules of WebSocket (RFC 6455).
    BrokenFrame,
    /// A WebSocket message that is not text.
    NotText,
    /// A WebSocket text message that is not UTF-8.
    NotUtf8,
    /// A WebSocket message that is too long, or in too many fragments.
    MessageTooBig,
    /// A WebSocket message whose end did not come in time.
    UnfinishedMessage,
    /// Not a chat peer but a web browser or the like.
    Http,
    /// Not a chat peer but TLS.
    Tls,
    /// The server holds as many connections as it can.
    ServerFull,
    /// The address holds as many connections as one may.
    AddressFull,
    /// An error of the server's own.
    Internal,
}

impl Goodbye {
    /// The `reason` of the JSON `bye`.
    pub fn code(self) -> &'static str {
        match self {
            Goodbye::Quit => "quit",
            Goodbye::Closed => "closed",
            Goodbye::Shutdown => "shutdown",
            Goodbye::LoginTimeout { .. } => "login_timeout",
            Goodbye::LoginTries => "login_tries",
            Goodbye::EndlessLine => "endless_line",
            Goodbye::BrokenFrame => "protocol_error",
            Goodbye::NotText => "not_text",
            Goodbye::NotUtf8 => "not_utf8",
            Goodbye::MessageTooBig => "message_too_big",
            Goodbye::UnfinishedMessage => "unfinished_message",
            Goodbye::Http => "http",
            Goodbye::Tls => "tls",
            Goodbye::ServerFull => "server_full",
            Goodbye::AddressFull => "address_full",
            Goodbye::Internal => "internal_error",
        }
    }

    /// The code of the Close frame that says the same (RFC 6455 section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Goodbye::Quit | Goodbye::Closed => 1000,
            Goodbye::Shutdown => 1001,
            Goodbye::BrokenFrame | Goodbye::EndlessLine | Goodbye::Http | Goodbye::Tls => 1002,
            Goodbye::NotText => 1003,
            Goodbye::NotUtf8 => 1007,
            Goodbye::LoginTimeout { .. } | Goodbye::LoginTries | Goodbye::UnfinishedMessage => 1008,
            Goodbye::MessageTooBig => 1009,
            Goodbye::Internal => 1011,
            Goodbye::ServerFull | Goodbye::AddressFull => 1013,
        }
    }
}

impl Notice<'_> {
    /// The `code` of the JSON error that says the same; `None` where it is no error.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Notice::NameInUse => "name_taken",
            Notice::NameRefused(error) => error.code(),
            Notice::CommandRefused(CommandError::Unknown { .. }) => "unknown_command",
            Notice::CommandRefused(CommandError::Usage(_)) => "usage",
            Notice::LoginFirst => "login_first",
            Notice::LineTooLong { .. } => "line_too_long",
            Notice::MessageTooLong { .. } => "message_too_long",
            Notice::NothingSaid => "nothing_said",
            Notice::NotUtf8 => "not_utf8",
            Notice::SessionUnknown => "session_unknown",
            Notice::NoSuchRoom => "no_such_room",
            Notice::LoggedInAlready => "logged_in_already",
            Notice::Greeting { .. }
            | Notice::LoginPrompt
            | Notice::PressEnter
            | Notice::Help
            | Notice::LangSet
            | Notice::Who { .. }
            | Notice::Skipped { .. }
            | Notice::Goodbye(_) => return None,
        })
    }

    /// The words, without the last line end; several lines have LF between them.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ko => self.korean(),
            Lang::En => self.english(),
        }
    }

    fn korean(&self) -> String {
        match self {
            Notice::Greeting { version } => format!(
                "Madang/{PROTOCOL_VERSION} {version} (마당) · 도움말: /help · English: /lang en"
            ),
            Notice::LoginPrompt => "로그인ID:".into(),
            Notice::NameInUse => "이미 등록된 사용자입니다.".into(),
            Notice::NameRefused(error) => error.message_ko(),
            Notice::PressEnter => "이름을 입력하고 Enter 키를 누르세요.".into(),
            Notice::Help => help("명령:", "//말", "'/말'이라고 말합니다", Lang::Ko),
            Notice::CommandRefused(CommandError::Unknown { nearest }) => {
                format!("없는 명령입니다. 혹시 {nearest} 인가요? (명령 목록: /help)")
            }
            Notice::CommandRefused(CommandError::Usage(spec)) => {
                format!("사용법: {}", spec.usage())
            }
            Notice::LoginFirst => "먼저 이름을 입력하세요.".into(),
            Notice::LangSet => "이제 한국어로 안내합니다.".into(),
            Notice::Who { count, names } => format!("대화 참여자 {count}명: {}", names.join(", ")),
            Notice::LineTooLong { bytes } => {
                format!("한 줄은 {LINE_BYTES}바이트까지입니다. (보낸 줄: {bytes}바이트)")
            }
            Notice::MessageTooLong { bytes } => format!(
                "한 번에 {MESSAGE_BYTES}바이트까지 말할 수 있습니다. (보낸 말: {bytes}바이트)"
            ),
            Notice::NothingSaid => "보낼 말이 없습니다.".into(),
            Notice::NotUtf8 => NOT_UTF8.into(),
            Notice::Skipped { lines } => format!("-- {lines}줄 건너뜀 --"),
            Notice::SessionUnknown => "이어 갈 세션이 없습니다. 이름으로 로그인하세요.".into(),
            Notice::NoSuchRoom => "그런 방이 없습니다.".into(),
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
                Goodbye::UnfinishedMessage => {
                    "메시지가 제시간에 끝나지 않아 연결을 끊습니다.".into()
                }
                Goodbye::Http => {
                    "이곳은 웹이 아니라 채팅 포트입니다. nc나 madang으로 접속하세요.".into()
                }
                Goodbye::Tls => "이 포트는 TLS를 쓰지 않습니다. TLS 없이 접속하세요.".into(),
                Goodbye::ServerFull => {
                    "서버가 가득 찼습니다. 잠시 뒤 다시 접속하세요. / server is full".into()
                }
                Goodbye::AddressFull => {
                    "이 주소에서 온 연결이 너무 많습니다. / too many connections from your address"
                        .into()
                }
                Goodbye::Internal => "서버 오류로 연결을 끊습니다.".into(),
            },
        }
    }

    fn english(&self) -> String {
        match self {
            Notice::Greeting { version } => {
                format!("Madang/{PROTOCOL_VERSION} {version} · help: /help · 한국어: /lang ko")
            }
            Notice::LoginPrompt => "Login ID:".into(),
            Notice::NameInUse => "That name is already in use.".into(),
            Notice::NameRefused(error) => error.message_en(),
            Notice::PressEnter => "Type a name and press Enter.".into(),
            Notice::Help => help("Commands:", "//text", "says '/text'", Lang::En),
            Notice::CommandRefused(CommandError::Unknown { nearest }) => {
                format!("There is no such command. Did you mean {nearest}? (/help lists them)")
            }
            Notice::CommandRefused(CommandError::Usage(spec)) => {
                format!("Usage: {}", spec.usage())
            }
            Notice::LoginFirst => "Type a name first.".into(),
            Notice::LangSet => "The server now speaks English to you.".into(),
            Notice::Who { count, names } => format!("{count} here: {}", names.join(", ")),
            Notice::LineTooLong { bytes } => {
                format!("A line may have {LINE_BYTES} bytes; yours had {bytes} and was not sent.")
            }
            Notice::MessageTooLong { bytes } => format!(
                "A message may have {MESSAGE_BYTES} bytes; yours had {bytes} and was not sent."
            ),
            Notice::NothingSaid => "There is nothing to say in that.".into(),
            Notice::NotUtf8 => NOT_UTF8.into(),
            Notice::Skipped { lines: 1 } => "-- 1 line skipped --".into(),
            Notice::Skipped { lines } => format!("-- {lines} lines skipped --"),
            Notice::SessionUnknown => "There is no such session; log in with a name.".into(),
            Notice::NoSuchRoom => "There is no such room.".into(),
            Notice::LoggedInAlready => "You are logged in already.".into(),
            Notice::Goodbye(goodbye) => match goodbye {
                Goodbye::Quit => "Goodbye.".into(),
                Goodbye::Closed => "The connection has ended.".into(),
                Goodbye::Shutdown => "The server is shutting down.".into(),
                Goodbye::LoginTimeout { seconds } => {
                    format!("No login within {seconds} seconds; closing.")
                }
                Goodbye::LoginTries => "Too many names that cannot be used; closing.".into(),
                Goodbye::EndlessLine => {
                    format!("No line end within {CARRIER_BYTES} bytes; closing.")
                }
                Goodbye::BrokenFrame => "That breaks the rules of WebSocket; closing.".into(),
                Goodbye::NotText => "Only text messages are taken here; closing.".into(),
                Goodbye::NotUtf8 => "A message was not UTF-8; closing.".into(),
                Goodbye::MessageTooBig => "A message was too long; closing.".into(),
                Goodbye::UnfinishedMessage => "A message did not end in time; closing.".into(),
                Goodbye::Http => {
                    "This is a chat port, not a web page; connect with nc or madang.".into()
                }
                Goodbye::Tls => "This port does not speak TLS; connect without it.".into(),
                Goodbye::ServerFull => {
                    "The server is full; try again later. (server is full)".into()
                }
                Goodbye::AddressFull => "There are too many connections from your address.".into(),
                Goodbye::Internal => "Closing after an error of the server.".into(),
            },
        }
    }
}

fn help(title: &str, say: &str, say_help: &str, lang: Lang) -> String {
    let rows = COMMANDS.iter().map(|spec| {
        let names = format!("{}, {}", spec.usage(), spec.alias);
        (names, spec.help(lang))
    });
    let mut text = title.to_owned();
    for (names, help) in rows.chain([(say.to_owned(), say_help)]) {
        let width = unicode_width::UnicodeWidthStr::width(names.as_str());
        let padding = 22usize.saturating_sub(width);
        text.push_str(&format!("\n  {names}{:padding$}  {help}", ""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Time;

    #[test]
    fn events_are_told_as_the_seed_told_them() {
        #[track_caller]
        fn check(event: &Event, lang: Lang, expected: &str) {
            let mut out = Vec::new();
            write_event(event, lang, LineEnd::Lf, &mut out);
            assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));

            let mut out = Vec::new();
            write_event(event, lang, LineEnd::CrLf, &mut out);
            assert_eq!(String::from_utf8(out), Ok(expected.replace('\n', "\r\n")));
        }
        let time = Time::from_millis(0);
        let (room, user): (std::sync::Arc<str>, std::sync::Arc<str>) =
            ("lobby".into(), "이름".into());
        let joined = Event::Joined { id: 1, time, room: room.clone(), user: user.clone() };
        check(&joined, Lang::Ko, "[이름]님이 입장했습니다.\n");
        check(&joined, Lang::En, "[이름] joined.\n");
        let left = Event::Left { id: 2, time, room: room.clone(), user: user.clone() };
        check(&left, Lang::Ko, "[이름]님이 퇴장했습니다.\n");
        check(&left, Lang::En, "[이름] left.\n");
        let text = "한 줄\n\n또".into();
        let said = Event::Said { id: 3, time, room, user, text };
        check(&said, Lang::Ko, "[이름] 한 줄\n[이름] \n[이름] 또\n");
    }

    #[test]
    fn the_greeting_begins_as_specified_in_every_language() {
        for lang in [Lang::Ko, Lang::En] {
            let greeting = Notice::Greeting { version: "0.1.0" }.text(lang);
            assert!(greeting.starts_with("Madang/1 "), "{greeting}");
            assert!(greeting.contains("/help") && !greeting.contains('\n'), "{greeting}");
        }
    }

    #[test]
    fn help_lists_every_command() {
        for lang in [Lang::Ko, Lang::En] {
            let help = Notice::Help.text(lang);
            for spec in COMMANDS {
                assert!(help.contains(&spec.usage()) && help.contains(spec.help(lang)), "{help}");
            }
        }
    }
}
