//! Events as lines for people, in Korean and in English. Messages to a single member are in
//! [`notice`](crate::notice).
//!
//! No line that a person wrote equals one of the server's own. People's lines begin with
//! `[name] `, `* name ` or the like; the server's with `-- ` or, as in the program that this
//! one comes from, with `[name]님이`. The English `[name] joined.` is the one exception: a
//! message that says just that, or looks like it, gets another space.

use std::{fmt, str::FromStr};

use crate::{
    duration::show_duration,
    event::{Event, LessonEvent},
    invisible::is_invisible,
    josa::{Josa, nim},
    limits::RENDERED_BYTES,
    name::readings,
    sanitize::is_mark,
};

pub use lesson::{CHOSEN, YES_NO, choice_in, with_commands};

mod lesson;

/// A language in which the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Korean (한국어).
    #[default]
    Ko,
    /// English.
    En,
}

/// The server does not speak that language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such language: use ko or en")]
pub struct UnknownLang;

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(word: &str) -> Result<Lang, UnknownLang> {
        match word.to_ascii_lowercase().as_str() {
            "ko" | "korean" | "한국어" => Ok(Lang::Ko),
            "en" | "english" | "영어" => Ok(Lang::En),
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

/// The line ends that are sent to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// LF alone.
    #[default]
    Lf,
    /// CR LF, for a telnet and for terminals in character mode.
    CrLf,
}

impl LineEnd {
    /// Its characters.
    pub fn as_str(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
        }
    }
}

/// The most bytes around the name and the text of a line that is said: brackets, blanks, a
/// line end or a frame's header.
pub const SAID_OVERHEAD: usize = 8;

/// What follows the name of a teacher at the beginning of what they say: no name has it.
pub fn teacher_mark(lang: Lang) -> &'static str {
    match lang {
        Lang::Ko => "·교사",
        Lang::En => "·teacher",
    }
}

/// The most bytes that the mark of a teacher takes.
pub const TEACHER_MARK_BYTES: usize = "·teacher".len();

/// The same for a line that is whispered, in either language, with a teacher's mark.
pub const WHISPERED_OVERHEAD: usize = 28;

/// The least that a line counts: sending a short line costs more than its bytes.
pub const MIN_LINE_BYTES: usize = 64;

/// The lines of a message, with LF between them: what `split('\n')` returns, several times as fast
/// for messages of ordinary length.
pub(crate) fn message_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(end) = memchr::memchr(b'\n', text.as_bytes()) else { return Some(text) };
        rest = Some(&text[end + 1..]);
        Some(&text[..end])
    })
}

/// The bytes that a message takes for each member, in any form: the name and `overhead` are
/// around each of its lines, and JSON writes some characters with two bytes.
pub fn rendered_bytes(user: &str, text: &str, overhead: usize) -> usize {
    let cost = |line: &str| {
        let line = line.as_bytes();
        (user.len() + overhead + line.len() + count_escaped(line)).max(MIN_LINE_BYTES)
    };
    message_lines(text).map(cost).sum()
}

/// How many characters of a line JSON writes with two bytes: few lines have any. Counted in bytes
/// while these can't overflow, so that it compiles to vector instructions.
fn count_escaped(line: &[u8]) -> usize {
    let Some(first) = memchr::memchr3(b'"', b'\\', b'\t', line) else { return 0 };
    let is_escaped = |byte: u8| (byte == b'"') | (byte == b'\\') | (byte == b'\t');
    let count =
        |part: &[u8]| part.iter().fold(0_u8, |count, byte| count + u8::from(is_escaped(*byte)));
    line[first..].chunks(255).map(|part| usize::from(count(part))).sum()
}

/// The most bytes that a message of `text_bytes` may take for a member: much less than empty
/// lines, each with a name in front, would.
pub fn most_rendered_bytes(text_bytes: usize) -> usize {
    (2 * 1_024 + 20 * text_bytes).min(RENDERED_BYTES)
}

/// Whether a word is a number: ASCII digits and nothing else.
pub(crate) fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// Appends `event` as lines for people.
pub fn write_event(event: &Event, lang: Lang, line_end: LineEnd, out: &mut Vec<u8>) {
    let mut line = |parts: &[&str]| {
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(line_end.as_str().as_bytes());
    };
    match event {
        Event::Said { user, text, me, teacher, .. } => {
            let mark = if *teacher { teacher_mark(lang) } else { "" };
            for text in message_lines(text) {
                let (before, after) = match me {
                    true => ("* ", " "),
                    false if looks_like_notice(text) => ("[", "]  "),
                    false => ("[", "] "),
                };
                line(&[before, user, mark, after, text]);
            }
        }
        Event::Joined { user, .. } => match lang {
            Lang::Ko => line(&["[", user, "]님이 입장했습니다."]),
            Lang::En => line(&["[", user, "] joined."]),
        },
        Event::Left { user, text: None, .. } => match lang {
            Lang::Ko => line(&["[", user, "]님이 퇴장했습니다."]),
            Lang::En => line(&["[", user, "] left."]),
        },
        Event::Left { user, text: Some(text), .. } => match lang {
            Lang::Ko => line(&["[", user, "]님이 퇴장했습니다. (", text, ")"]),
            Lang::En => line(&["[", user, "] left. (", text, ")"]),
        },
        Event::Announced { text, .. } => {
            let server = match lang {
                Lang::Ko => "[서버] ",
                Lang::En => "[server] ",
            };
            message_lines(text).for_each(|text| line(&[server, text]));
        }
        Event::Lesson(event) => match &**event {
            LessonEvent::Question { number, text, .. } => {
                let mark = lesson::question_mark(*number, lang);
                message_lines(text).for_each(|text| line(&[&mark, text]));
            }
            event => line(&["-- ", &lesson::lesson_line(event, lang), " --"]),
        },
        other => {
            let text = match lang {
                Lang::Ko => korean(other),
                Lang::En => english(other),
            };
            line(&["-- ", &text, " --"]);
        }
    }
}

/// Whether a line after `[name] ` would read `joined.` or `left.`, or could be taken for it:
/// `left.` with an invisible character behind it, or with a Cyrillic `е`.
fn looks_like_notice(line: &str) -> bool {
    const LONGEST: usize = "joined.".len() + 1;
    let begins_otherwise = |c: char| match c {
        'j' | 'J' | 'l' | 'L' | 'i' | 'I' | '1' => false,
        // Most of what is said, and no stand-in for a Latin letter.
        '가'..='힣' | 'ㄱ'..='ㅣ' | '\u{4E00}'..='\u{9FFF}' => true,
        c => c.is_ascii(),
    };
    let mut seen = line.chars().filter(|c| !is_invisible(*c)).peekable();
    if seen.peek().copied().is_none_or(begins_otherwise) {
        return false;
    }
    let seen: String = seen.take(LONGEST).collect();
    let end_of_word = seen.find(|c: char| !c.is_alphanumeric() && !is_mark(c));
    let (word, rest) = seen.split_at(end_of_word.unwrap_or(seen.len()));
    let mut rest = rest.chars();
    let is_full_stop = rest.next().is_some_and(|c| ".。．｡․·‧∙…".contains(c));
    let next = rest.find(|c| !is_mark(*c));
    let reads = |notice: &str| {
        readings(notice).any(|notice| readings(word).any(|reading| reading == notice))
    };
    is_full_stop
        && ((next.is_none() && (reads("joined") || reads("left")))
            || (matches!(next, Some('(' | '（')) && reads("left")))
}

/// The sentence for an event that the seed had no words for.
fn korean(event: &Event) -> String {
    let subject = |name: &str| format!("[{name}]{}이", nim(name));
    let of = |name: &str| format!("[{name}]{}의", nim(name));
    let object = |name: &str| format!("[{name}]{}을", nim(name));
    // An empty name means the operator if they acted, and everyone if they were acted on.
    let doer = |name: &str| match name {
        "" => "운영자가".to_owned(),
        name => subject(name),
    };
    let target = |name: &str| match name {
        "" => "모두의".to_owned(),
        name => of(name),
    };
    let who = |by: &Option<std::sync::Arc<str>>| match by {
        Some(by) => subject(by),
        None => "운영자가".to_owned(),
    };
    match event {
        Event::Kicked { user, by, .. } => format!("{} {} 내보냈습니다", who(by), object(user)),
        Event::Unkicked { user, by, .. } => {
            format!("{} {} 다시 들어올 수 있게 했습니다", who(by), object(user))
        }
        Event::Renamed { user, to, .. } => {
            format!("{} 이름이 [{to}]{} 바뀌었습니다", of(user), Josa::EuroRo.after(to))
        }
        Event::Topic { user, topic, .. } if topic.is_empty() => {
            format!("{} 주제를 지웠습니다", doer(user))
        }
        Event::Topic { user, topic, .. } => format!("{} 정한 주제: {topic}", doer(user)),
        Event::Muted { user, seconds: None, by, .. } => {
            format!("{} {} 채팅을 금지했습니다", who(by), target(user))
        }
        Event::Muted { user, seconds: Some(seconds), by, .. } => {
            let time = show_duration(*seconds, Lang::Ko);
            format!("{} {} 채팅을 {time} 동안 금지했습니다", who(by), target(user))
        }
        Event::Unmuted { user, .. } => format!("{} 채팅 금지가 풀렸습니다", target(user)),
        Event::Locked { user, .. } => format!("{} 방을 잠갔습니다", doer(user)),
        Event::Unlocked { user, .. } => format!("{} 방의 잠금을 풀었습니다", doer(user)),
        Event::Limited { user, limit, .. } => {
            format!("{} 정원을 {limit}명으로 정했습니다", doer(user))
        }
        Event::Owner { user, .. } => format!("{} 방장이 되었습니다", subject(user)),
        Event::Transcribed { user, .. } => {
            format!("{} 이 방의 대화를 파일로 받았습니다", doer(user))
        }
        Event::Ended { user, .. } => format!("{} 방을 닫았습니다", subject(user)),
        Event::Restarted { .. } => "서버가 다시 시작되었습니다".to_owned(),
        Event::Said { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Announced { .. }
        | Event::Lesson(_) => unreachable!("written by write_event"),
    }
}

fn english(event: &Event) -> String {
    // An empty name means the operator if they acted, and everyone if they were acted on.
    let doer = |name: &str| match name {
        "" => "the operator".to_owned(),
        name => format!("[{name}]"),
    };
    let target = |name: &str| match name {
        "" => "everyone".to_owned(),
        name => format!("[{name}]"),
    };
    let who = |by: &Option<std::sync::Arc<str>>| match by {
        Some(by) => format!("[{by}]"),
        None => "the operator".to_owned(),
    };
    match event {
        Event::Kicked { user, by, .. } => format!("{} removed [{user}]", who(by)),
        Event::Unkicked { user, by, .. } => format!("{} allowed [{user}] back in", who(by)),
        Event::Renamed { user, to, .. } => format!("[{user}] is now [{to}]"),
        Event::Topic { user, topic, .. } if topic.is_empty() => {
            format!("{} cleared the topic", doer(user))
        }
        Event::Topic { user, topic, .. } => format!("{} set the topic: {topic}", doer(user)),
        Event::Muted { user, seconds: None, by, .. } => {
            format!("{} muted {}", who(by), target(user))
        }
        Event::Muted { user, seconds: Some(seconds), by, .. } => {
            let time = show_duration(*seconds, Lang::En);
            format!("{} muted {} for {time}", who(by), target(user))
        }
        Event::Unmuted { user, .. } if user.is_empty() => "everyone can speak again".to_owned(),
        Event::Unmuted { user, .. } => format!("[{user}] is no longer muted"),
        Event::Locked { user, .. } => format!("{} locked the room", doer(user)),
        Event::Unlocked { user, .. } => format!("{} unlocked the room", doer(user)),
        Event::Limited { user, limit, .. } => {
            format!("{} limited the room to {limit} people", doer(user))
        }
        Event::Owner { user, .. } => format!("[{user}] is now the owner of the room"),
        Event::Transcribed { user, .. } => {
            format!("{} got the messages of this room as a file", doer(user))
        }
        Event::Ended { user, .. } => format!("[{user}] closed the room"),
        Event::Restarted { .. } => "the server restarted".to_owned(),
        Event::Said { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Announced { .. }
        | Event::Lesson(_) => unreachable!("written by write_event"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Stamp, Time};

    fn stamp() -> Stamp {
        Stamp { id: 1, time: Time::from_millis(0), room: "lobby".into() }
    }

    fn told(event: &Event, lang: Lang) -> String {
        let mut out = Vec::new();
        write_event(event, lang, LineEnd::Lf, &mut out);
        String::from_utf8(out).expect("UTF-8 goes in")
    }

    fn said(text: &str, me: bool) -> Event {
        Event::Said { stamp: stamp(), user: "bob".into(), text: text.into(), me, teacher: false }
    }

    #[test]
    fn the_lines_of_a_message_are_what_lfs_separate() {
        for text in ["", "one", "\n", "one\n", "\none", "one\n\ntwo", "하나\n둘\n"] {
            assert!(message_lines(text).eq(text.split('\n')), "{text:?}");
        }
    }

    #[test]
    fn events_are_told_as_the_seed_told_them() {
        #[track_caller]
        fn check(event: &Event, lang: Lang, expected: &str) {
            assert_eq!(told(event, lang), expected);
            let mut out = Vec::new();
            write_event(event, lang, LineEnd::CrLf, &mut out);
            assert_eq!(String::from_utf8(out), Ok(expected.replace('\n', "\r\n")));
        }
        let user: std::sync::Arc<str> = "이름".into();
        let joined = Event::Joined { stamp: stamp(), user: user.clone(), stream: false };
        check(&joined, Lang::Ko, "[이름]님이 입장했습니다.\n");
        check(&joined, Lang::En, "[이름] joined.\n");
        let left = Event::Left { stamp: stamp(), user: user.clone(), text: None };
        check(&left, Lang::Ko, "[이름]님이 퇴장했습니다.\n");
        check(&left, Lang::En, "[이름] left.\n");
        let left = Event::Left { stamp: stamp(), user, text: Some("안녕".into()) };
        check(&left, Lang::Ko, "[이름]님이 퇴장했습니다. (안녕)\n");
        check(&left, Lang::En, "[이름] left. (안녕)\n");
        check(&said("한 줄\n\n또", false), Lang::Ko, "[bob] 한 줄\n[bob] \n[bob] 또\n");
        check(&said("waves\ntwice", true), Lang::En, "* bob waves\n* bob twice\n");
    }

    #[test]
    fn other_events_are_shown_between_dashes() {
        #[track_caller]
        fn check(event: &Event, ko: &str, en: &str) {
            assert_eq!(told(event, Lang::Ko), format!("-- {ko} --\n"));
            assert_eq!(told(event, Lang::En), format!("-- {en} --\n"));
        }
        let user: std::sync::Arc<str> = "bob".into();
        let by = Some("alice".into());
        check(
            &Event::Kicked { stamp: stamp(), user: user.clone(), seconds: 600, by: by.clone() },
            "[alice]님이 [bob]님을 내보냈습니다",
            "[alice] removed [bob]",
        );
        check(
            &Event::Kicked { stamp: stamp(), user: user.clone(), seconds: 600, by: None },
            "운영자가 [bob]님을 내보냈습니다",
            "the operator removed [bob]",
        );
        check(
            &Event::Unkicked { stamp: stamp(), user: user.clone(), by: None },
            "운영자가 [bob]님을 다시 들어올 수 있게 했습니다",
            "the operator allowed [bob] back in",
        );
        check(
            &Event::Muted { stamp: stamp(), user: user.clone(), seconds: Some(600), by },
            "[alice]님이 [bob]님의 채팅을 10분 동안 금지했습니다",
            "[alice] muted [bob] for 10 minutes",
        );
        check(
            &Event::Topic { stamp: stamp(), user, topic: "".into() },
            "[bob]님이 주제를 지웠습니다",
            "[bob] cleared the topic",
        );
        let renamed =
            |to: &str| Event::Renamed { stamp: stamp(), user: "bob".into(), to: to.into() };
        check(&renamed("민"), "[bob]님의 이름이 [민]으로 바뀌었습니다", "[bob] is now [민]");
        check(
            &renamed("앨리스"),
            "[bob]님의 이름이 [앨리스]로 바뀌었습니다",
            "[bob] is now [앨리스]",
        );
        check(
            &Event::Locked { stamp: stamp(), user: "선생님".into() },
            "[선생님]이 방을 잠갔습니다",
            "[선생님] locked the room",
        );
        check(
            &Event::Transcribed { stamp: stamp(), user: "bob".into() },
            "[bob]님이 이 방의 대화를 파일로 받았습니다",
            "[bob] got the messages of this room as a file",
        );
        check(
            &Event::Transcribed { stamp: stamp(), user: "".into() },
            "운영자가 이 방의 대화를 파일로 받았습니다",
            "the operator got the messages of this room as a file",
        );
    }

    #[test]
    fn messages_never_look_like_lines_of_the_server() {
        let user: std::sync::Arc<str> = "bob".into();
        let genuine: Vec<String> = [Lang::Ko, Lang::En]
            .into_iter()
            .flat_map(|lang| {
                [
                    Event::Joined { stamp: stamp(), user: user.clone(), stream: false },
                    Event::Left { stamp: stamp(), user: user.clone(), text: None },
                    Event::Left { stamp: stamp(), user: user.clone(), text: Some("x".into()) },
                    Event::Kicked { stamp: stamp(), user: user.clone(), seconds: 600, by: None },
                    Event::Announced { stamp: stamp(), text: "x".into() },
                ]
                .map(|event| told(&event, lang))
            })
            .collect();
        for line in &genuine {
            let line = line.trim_end();
            let unnamed = line.strip_prefix("[bob]").unwrap_or(line);
            for text in [line, unnamed, unnamed.trim_start(), unnamed.trim_start_matches("-- ")] {
                for (me, lang) in
                    [(false, Lang::Ko), (false, Lang::En), (true, Lang::Ko), (true, Lang::En)]
                {
                    let forged = told(&said(text, me), lang);
                    assert!(!genuine.contains(&forged), "{forged}");
                }
            }
        }
    }

    #[test]
    fn messages_that_imitate_joins_and_leaves_are_set_apart() {
        for text in [
            "joined.",
            "left.",
            "left. (bye)",
            "left.(bye)",
            "Joined.",
            "left.\u{2060}",
            "\u{200B}le\u{AD}ft.",
            "left. \u{3164}",
            "\u{3000}joined.",
            "l\u{435}ft.",
            "\u{458}oined.",
            "1eft.",
            "Ieft.",
            "left\u{2024}",
            "left\u{3002}",
            "left\u{200B}. \u{200B}(bye)",
            "\u{217C}eft.",
            "left.\u{307}",
            "ʟᴇꜰᴛ.",
        ] {
            let line = told(&said(text, false), Lang::En);
            assert_eq!(line, format!("[bob]  {text}\n"), "{text:?}");
        }
        for text in [
            "left",
            "joined",
            "left, right",
            "left. right",
            "lefty.",
            "joined us.",
            "lol.",
            "1.",
            "안녕.",
        ] {
            assert_eq!(told(&said(text, false), Lang::En), format!("[bob] {text}\n"));
        }
    }
}
