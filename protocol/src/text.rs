//! Events as lines for people, in Korean and in English. What one person alone is
//! told stands in [`notice`](crate::notice).
//!
//! No line that a person wrote equals one of the server's own: it begins with
//! `[name] `, `* name ` or the like, and the server's with `-- `, or, as in the
//! program that this one comes from, with `[name]님이`. The English `[name] joined.`
//! is the one exception; who says just that, or what looks like it, gets one more space.

use std::{fmt, str::FromStr};

use crate::{
    event::Event, invisible::is_invisible, limits::RENDERED_BYTES, name::readings,
    sanitize::is_mark,
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

/// What stands around the name and the text of a line that is said, at the most:
/// brackets, blanks, a line end or a frame's header.
pub const SAID_OVERHEAD: usize = 8;

/// The same for a line that is whispered, in either language.
pub const WHISPERED_OVERHEAD: usize = 24;

/// What a line counts at least: short ones cost their readers more than their bytes.
pub const MIN_LINE_BYTES: usize = 64;

/// What a message costs a member who is told of it, in whatever form: the name and
/// `overhead` are around each of its lines, and JSON spells some characters with two
/// bytes.
pub fn rendered_bytes(user: &str, text: &str, overhead: usize) -> usize {
    let cost = |line: &str| {
        let escaped = line.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\t')).count();
        (user.len() + overhead + line.len() + escaped).max(MIN_LINE_BYTES)
    };
    text.split('\n').map(cost).sum()
}

/// What a message of so many bytes may cost a member: much less than what a name in
/// front of every empty line would make of it.
pub fn most_rendered_bytes(text_bytes: usize) -> usize {
    (2 * 1_024 + 20 * text_bytes).min(RENDERED_BYTES)
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
        Event::Said { user, text, me, .. } => {
            for text in text.split('\n') {
                let (before, after) = match me {
                    true => ("* ", " "),
                    false if looks_like_notice(text) => ("[", "]  "),
                    false => ("[", "] "),
                };
                line(&[before, user, after, text]);
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
            text.split('\n').for_each(|text| line(&[server, text]));
        }
        other => {
            let text = match lang {
                Lang::Ko => korean(other),
                Lang::En => english(other),
            };
            line(&["-- ", &text, " --"]);
        }
    }
}

/// Whether a line after `[name] ` would be the English for coming or going, or could be
/// taken for it: `left.` with something behind it that nobody sees, or with a Cyrillic `е`.
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

/// What happened, for all events that are not told as the seed told them.
fn korean(event: &Event) -> String {
    let who = |by: &Option<std::sync::Arc<str>>| match by {
        Some(by) => format!("[{by}]님이"),
        None => "운영자가".to_owned(),
    };
    match event {
        Event::Kicked { user, by, .. } => format!("{} [{user}]님을 내보냈습니다", who(by)),
        Event::Unkicked { user, by, .. } => {
            format!("{} [{user}]님을 다시 들어올 수 있게 했습니다", who(by))
        }
        Event::Renamed { user, to, .. } => {
            format!("[{user}]님의 이름이 [{to}](으)로 바뀌었습니다")
        }
        Event::Topic { user, topic, .. } if topic.is_empty() => {
            format!("[{user}]님이 주제를 지웠습니다")
        }
        Event::Topic { user, topic, .. } => format!("[{user}]님이 정한 주제: {topic}"),
        Event::Muted { user, seconds: None, by, .. } => {
            format!("{} [{user}]님의 말을 막았습니다", who(by))
        }
        Event::Muted { user, seconds: Some(seconds), by, .. } => {
            format!("{} [{user}]님의 말을 {} 동안 막았습니다", who(by), span(*seconds, Lang::Ko))
        }
        Event::Unmuted { user, .. } => format!("[{user}]님이 다시 말할 수 있습니다"),
        Event::Locked { user, .. } => format!("[{user}]님이 방을 잠갔습니다"),
        Event::Unlocked { user, .. } => format!("[{user}]님이 방의 잠금을 풀었습니다"),
        Event::Limited { user, limit, .. } => {
            format!("[{user}]님이 정원을 {limit}명으로 정했습니다")
        }
        Event::Owner { user, .. } => format!("[{user}]님이 방장이 되었습니다"),
        Event::Ended { user, .. } => format!("[{user}]님이 방을 닫았습니다"),
        Event::Said { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Announced { .. } => unreachable!("told in write_event"),
    }
}

fn english(event: &Event) -> String {
    let who = |by: &Option<std::sync::Arc<str>>| match by {
        Some(by) => format!("[{by}]"),
        None => "the operator".to_owned(),
    };
    match event {
        Event::Kicked { user, by, .. } => format!("{} removed [{user}]", who(by)),
        Event::Unkicked { user, by, .. } => format!("{} lets [{user}] in again", who(by)),
        Event::Renamed { user, to, .. } => format!("[{user}] is now [{to}]"),
        Event::Topic { user, topic, .. } if topic.is_empty() => {
            format!("[{user}] cleared the topic")
        }
        Event::Topic { user, topic, .. } => format!("[{user}] set the topic: {topic}"),
        Event::Muted { user, seconds: None, by, .. } => format!("{} muted [{user}]", who(by)),
        Event::Muted { user, seconds: Some(seconds), by, .. } => {
            format!("{} muted [{user}] for {}", who(by), span(*seconds, Lang::En))
        }
        Event::Unmuted { user, .. } => format!("[{user}] may speak again"),
        Event::Locked { user, .. } => format!("[{user}] locked the room"),
        Event::Unlocked { user, .. } => format!("[{user}] unlocked the room"),
        Event::Limited { user, limit, .. } => format!("[{user}] limited the room to {limit}"),
        Event::Owner { user, .. } => format!("[{user}] owns the room now"),
        Event::Ended { user, .. } => format!("[{user}] closed the room"),
        Event::Said { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Announced { .. } => unreachable!("told in write_event"),
    }
}

/// A span of time in its largest whole unit.
pub fn span(seconds: u64, lang: Lang) -> String {
    let units = [(86_400, "일", "d"), (3_600, "시간", "h"), (60, "분", "min"), (1, "초", "s")];
    let (unit, korean, english) = units
        .into_iter()
        .find(|(unit, ..)| seconds >= *unit && seconds.is_multiple_of(*unit))
        .unwrap_or((1, "초", "s"));
    match lang {
        Lang::Ko => format!("{}{korean}", seconds / unit),
        Lang::En => format!("{} {english}", seconds / unit),
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
        Event::Said { stamp: stamp(), user: "bob".into(), text: text.into(), me }
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
        let joined = Event::Joined { stamp: stamp(), user: user.clone() };
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
    fn what_else_happens_stands_between_dashes() {
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
            "the operator lets [bob] in again",
        );
        check(
            &Event::Muted { stamp: stamp(), user: user.clone(), seconds: Some(600), by },
            "[alice]님이 [bob]님의 말을 10분 동안 막았습니다",
            "[alice] muted [bob] for 10 min",
        );
        check(
            &Event::Topic { stamp: stamp(), user, topic: "".into() },
            "[bob]님이 주제를 지웠습니다",
            "[bob] cleared the topic",
        );
    }

    #[test]
    fn what_people_say_never_equals_what_the_server_says() {
        let user: std::sync::Arc<str> = "bob".into();
        let genuine: Vec<String> = [Lang::Ko, Lang::En]
            .into_iter()
            .flat_map(|lang| {
                [
                    Event::Joined { stamp: stamp(), user: user.clone() },
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
    fn what_looks_like_coming_or_going_is_set_apart() {
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

    #[test]
    fn spans_are_told_in_their_largest_whole_unit() {
        #[track_caller]
        fn check(seconds: u64, ko: &str, en: &str) {
            assert_eq!((span(seconds, Lang::Ko), span(seconds, Lang::En)), (ko.into(), en.into()));
        }
        check(0, "0초", "0 s");
        check(90, "90초", "90 s");
        check(600, "10분", "10 min");
        check(7_200, "2시간", "2 h");
        check(86_400, "1일", "1 d");
    }
}
