//! What a member has seen and was promised, in order, and how its lines look.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use crate::connection::Message;

/// Makes a line as long as a typical message.
const PADDING: &str = "that is about as long as what people say to each other";

/// A line: its speaker and its number.
pub(crate) type Utterance = (u32, u32);

/// What an event means, for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    Said(Utterance),
    /// The server was restarted: ids go on somewhere above.
    Restarted,
    Other(u64),
}

/// Something that a member has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It is connected to the server with this number.
    Connected { epoch: u32 },
    /// It is in a room now; with JSON, what follows has higher ids than this.
    Entered { room: usize, after: Option<u64> },
    /// It has come back to its room, and the server says that what follows has higher ids.
    Resumed { after: u64 },
    /// An event of its room.
    Event { id: u64, meaning: Meaning },
    /// An event of another room.
    Stray { id: u64 },
    /// Events of its room that were not delivered.
    Gap { from: u64, to: u64 },
    /// A line of its room, without an id.
    Heard(Utterance),
    /// Without ids: events were not delivered.
    Skipped,
    /// It has a new session, whose whispers are numbered from 1.
    NewSession,
    /// A whisper to it.
    Whispered { number: u64, whisper: Utterance },
    /// Whispers to it that are no longer kept.
    Forgotten { from: u64, to: u64 },
    /// Everything before was delivered.
    UpToDate,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) room: usize,
    pub(crate) number: u32,
    pub(crate) id: Option<u64>,
    /// Whether it is on the disk.
    pub(crate) is_safe: bool,
}

/// Everything known from one member.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) sights: Vec<Sight>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) refused: u64,
    /// Lines that were sent again.
    pub(crate) repeats: u64,
    pub(crate) logins: u64,
    pub(crate) resumes: u64,
    /// Connections that ended, for whatever reason.
    pub(crate) ends: u64,
    pub(crate) mishaps: u64,
    pub(crate) kicked: u64,
    pub(crate) rooms_ended: u64,
    pub(crate) renamed: u64,
    pub(crate) votes: u64,
    /// Who was removed from a room while it was there.
    pub(crate) removed: BTreeSet<String>,
    /// Sessions that were gone: the name, and when.
    pub(crate) lost_sessions: Vec<(String, String)>,
    /// Lines without an answer.
    pub(crate) stuck: Vec<String>,
}

/// A line as it is sent.
pub(crate) fn written((speaker, number): Utterance) -> String {
    format!("{speaker}:{number} {PADDING}")
}

/// A line as it was received, if it is whole.
pub(crate) fn utterance(text: &str) -> Option<Utterance> {
    let (numbers, rest) = text.split_once(' ')?;
    let (speaker, number) = numbers.split_once(':')?;
    (rest == PADDING).then_some((speaker.parse().ok()?, number.parse().ok()?))
}

/// A whisper as it is sent: nothing that is said looks like it.
pub(crate) fn whispered(whisper: Utterance) -> String {
    format!("whisper {}", written(whisper))
}

/// A whisper as it was received, if it is whole.
pub(crate) fn whisper(text: &str) -> Option<Utterance> {
    utterance(text.strip_prefix("whisper ")?)
}

/// The line in what a text connection was sent, if it is somebody's.
pub(crate) fn spoken(line: &str) -> Option<Utterance> {
    let (_, text) = line.strip_prefix('[')?.split_once("] ")?;
    utterance(text)
}

/// What an event in JSON means.
pub(crate) fn meaning(message: &Message<'_>) -> Meaning {
    if message.kind == "said"
        && let Some(said) = message.text.as_deref().and_then(utterance)
    {
        return Meaning::Said(said);
    }
    if message.kind == "restarted" {
        return Meaning::Restarted;
    }
    let mut hasher = DefaultHasher::new();
    (&message.kind, &message.user, &message.text, message.new_name()).hash(&mut hasher);
    Meaning::Other(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_recognised_with_its_speaker_and_number_and_a_torn_one_is_not() {
        let line = written((17, 204));
        assert_eq!(utterance(&line), Some((17, 204)));
        for name in ["m17.3", "김선생·teacher"] {
            assert_eq!(spoken(&format!("[{name}] {line}")), Some((17, 204)));
        }
        let torn = &line[..line.len() - 1];
        for other in [torn, "hello", &format!("{line}{line}"), &format!("x{line}")] {
            assert_eq!(utterance(other), None, "{other}");
            assert_eq!(spoken(&format!("[m17.3] {other}")), None, "{other}");
        }
        assert_eq!(spoken(&line), None, "it has no speaker");
    }

    #[test]
    fn a_whisper_is_told_from_what_is_said() {
        let text = whispered((17, 204));
        assert_eq!((whisper(&text), utterance(&text)), (Some((17, 204)), None));
        assert_eq!(spoken(&format!("[whisper m17.3] {text}")), None);
        assert_eq!(whisper(&written((17, 204))), None);
    }

    #[test]
    fn events_mean_the_same_if_they_say_the_same() {
        let of = |json: &str| meaning(&serde_json::from_str(json).expect("JSON"));
        let joined = r#"{"type":"joined","id":7,"user":"bob"}"#;
        assert_eq!(of(joined), of(r#"{"type":"joined","id":8,"user":"bob"}"#));
        for other in [
            r#"{"type":"left","id":7,"user":"bob"}"#,
            r#"{"type":"joined","id":7,"user":"carol"}"#,
            r#"{"type":"renamed","id":7,"user":"bob","to":"x"}"#,
        ] {
            assert_ne!(of(joined), of(other), "{other}");
        }
    }
}
