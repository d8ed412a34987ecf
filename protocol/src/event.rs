//! What the server may say: events, which happened in a room and have an id, and answers,
//! which are for one member only. Their JSON form is here, their form for people in
//! [`text`](crate::text).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::{
    gap::{GapReason, IdRange},
    json::write_json_line,
    lesson::{
        AskedQuestion, Attendee, LessonEvent, LessonNow, LessonState, OpenPoll, RaisedHand,
        TimerState,
    },
    server_message::{Limits, RoomSummary, ServerMessage},
    wire::{WireFrame, WireFraming, WireNote, WireSide, WireTransport, escaped},
};
pub use crate::time::Time;

use crate::text::{SAID_OVERHEAD, TEACHER_MARK_BYTES, rendered_bytes};

mod json;
mod lesson;
mod gap;
mod listed;
mod server_message;
pub(crate) mod wire;

/// What every event has: its room, and its place in the order there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The event's number in its room; the next event has the next.
    pub id: u64,
    /// When it happened.
    pub time: Time,
    /// The room's name, or its mark if it is private.
    pub room: Arc<str>,
}

/// Something that happened in a room and is announced to its members. Where `by` is missing,
/// the operator did it, or it was due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A member said something.
    Said {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who said it.
        user: Arc<str>,
        /// What was said: one line, or several with LF between them.
        text: String,
        /// Whether it says what the speaker does (`/me`).
        #[serde(default, skip_serializing_if = "is_false")]
        me: bool,
        /// Whether a teacher said it.
        #[serde(default, skip_serializing_if = "is_false")]
        teacher: bool,
    },
    /// Somebody joined.
    Joined {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was.
        user: Arc<str>,
        /// Whether it is a stream over HTTP, which only reads.
        #[serde(default, skip_serializing_if = "is_false")]
        stream: bool,
    },
    /// Somebody left.
    Left {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was.
        user: Arc<str>,
        /// The parting words given with `/quit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Somebody was removed from the room.
    Kicked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was.
        user: Arc<str>,
        /// For how many seconds that session and that name are kept out of the room.
        #[serde(default)]
        seconds: u64,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Somebody who was removed may join again.
    Unkicked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// The name under which they were removed.
        user: Arc<str>,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Somebody has another name now.
    Renamed {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// The name until now.
        user: Arc<str>,
        /// The name from now on.
        to: Arc<str>,
    },
    /// The room has another topic.
    Topic {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who set it; empty if it was the operator.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
        /// The topic.
        topic: Arc<str>,
    },
    /// Somebody was muted.
    Muted {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it is; empty if it is everyone.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
        /// For how many seconds; until it is lifted if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Somebody is no longer muted.
    Unmuted {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it is; empty if it is everyone.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// The room was locked: nobody new can join.
    Locked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who did it; empty if it was the operator.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
    },
    /// The room was unlocked.
    Unlocked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who did it; empty if it was the operator.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
    },
    /// The number of members was limited.
    Limited {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who set it; empty if it was the operator.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
        /// The most members.
        limit: usize,
    },
    /// The room has another owner.
    Owner {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// The new owner.
        user: Arc<str>,
    },
    /// Somebody was given a link to all that was said here, as a file.
    Transcribed {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was; empty if it was the operator.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
    },
    /// The operator announced something.
    Announced {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// The text: one line or several.
        text: String,
    },
    /// The server was restarted. Who was here before and is not away any more has gone.
    Restarted {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// The room was closed.
    Ended {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who closed it.
        user: Arc<str>,
    },
    /// Something happened in a lesson. In a box, so that a message, which is moved several times on its
    /// way, is not as large as the largest of these.
    #[serde(untagged)]
    Lesson(Box<LessonEvent>),
}

/// The bytes of an event besides its room, names and text: JSON's fields, or the sentence
/// around them.
pub const EVENT_OVERHEAD: usize = 160;

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Whether the name is left out.
fn is_empty(name: &Arc<str>) -> bool {
    name.is_empty()
}

impl Event {
    /// Its place in the order of its room.
    pub fn stamp(&self) -> &Stamp {
        match self {
            Event::Said { stamp, .. }
            | Event::Joined { stamp, .. }
            | Event::Left { stamp, .. }
            | Event::Kicked { stamp, .. }
            | Event::Unkicked { stamp, .. }
            | Event::Renamed { stamp, .. }
            | Event::Topic { stamp, .. }
            | Event::Muted { stamp, .. }
            | Event::Unmuted { stamp, .. }
            | Event::Locked { stamp, .. }
            | Event::Unlocked { stamp, .. }
            | Event::Limited { stamp, .. }
            | Event::Owner { stamp, .. }
            | Event::Transcribed { stamp, .. }
            | Event::Announced { stamp, .. }
            | Event::Ended { stamp, .. }
            | Event::Restarted { stamp } => stamp,
            Event::Lesson(event) => event.stamp(),
        }
    }

    /// Whom it is about, or who did it; nobody where the server did.
    pub fn user(&self) -> Option<&str> {
        match self {
            Event::Said { user, .. }
            | Event::Joined { user, .. }
            | Event::Left { user, .. }
            | Event::Kicked { user, .. }
            | Event::Unkicked { user, .. }
            | Event::Renamed { user, .. }
            | Event::Topic { user, .. }
            | Event::Muted { user, .. }
            | Event::Unmuted { user, .. }
            | Event::Locked { user, .. }
            | Event::Unlocked { user, .. }
            | Event::Limited { user, .. }
            | Event::Owner { user, .. }
            | Event::Transcribed { user, .. }
            | Event::Ended { user, .. } => Some(user),
            Event::Lesson(event) => Some(event.user()).filter(|user| !user.is_empty()),
            Event::Announced { .. } | Event::Restarted { .. } => None,
        }
    }

    /// The event's number in its room.
    pub fn id(&self) -> u64 {
        self.stamp().id
    }

    /// Whether it is shown to people who join later: only what was said is.
    pub fn is_said(&self) -> bool {
        match self {
            Event::Said { .. } | Event::Announced { .. } => true,
            Event::Lesson(event) => matches!(**event, LessonEvent::Question { .. }),
            _ => false,
        }
    }

    /// The most bytes that it takes in any form: JSON, lines or frames.
    pub fn encoded_bytes(&self) -> usize {
        let twice = |text: &str| 2 * text.len();
        let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let words = match self {
            Event::Said { user, text, teacher, .. } => {
                let mark = if *teacher { TEACHER_MARK_BYTES } else { 0 };
                rendered_bytes(user, text, SAID_OVERHEAD + mark)
            }
            Event::Announced { text, .. } => rendered_bytes("[server]", text, SAID_OVERHEAD),
            Event::Left { user, text, .. } => user.len() + text.as_deref().map_or(0, twice),
            Event::Topic { user, topic, .. } => user.len() + twice(topic),
            Event::Renamed { user, to, .. } => user.len() + to.len(),
            Event::Kicked { user, by, .. }
            | Event::Unkicked { user, by, .. }
            | Event::Muted { user, by, .. }
            | Event::Unmuted { user, by, .. } => user.len() + optional(by),
            Event::Joined { user, .. }
            | Event::Locked { user, .. }
            | Event::Unlocked { user, .. }
            | Event::Limited { user, .. }
            | Event::Owner { user, .. }
            | Event::Transcribed { user, .. }
            | Event::Ended { user, .. } => user.len(),
            Event::Restarted { .. } => 0,
            Event::Lesson(event) => event.word_bytes(),
        };
        self.stamp().room.len() + EVENT_OVERHEAD + words
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        sanitize::is_unwanted,
        text::{Lang, LineEnd, write_event},
    };

    use super::*;

    fn json(message: &impl Serialize) -> String {
        let mut out = Vec::new();
        write_json_line(message, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    const TIME: Time = Time::from_millis(1_795_373_940_123);

    #[test]
    fn events_have_the_form_of_the_specification() {
        let stamp = Stamp { id: 42, time: TIME, room: "lobby".into() };
        let said = Event::Said {
            stamp,
            user: "alice".into(),
            text: "hi".into(),
            me: false,
            teacher: false,
        };
        let line = r#"{"type":"said","id":42,"time":"2026-11-22T18:59:00.123Z","room":"lobby","user":"alice","text":"hi"}"#;
        assert_eq!(json(&said), format!("{line}\n"));
        assert_eq!(json(&ServerMessage::Event(said.clone())), format!("{line}\n"));
        assert_eq!(ServerMessage::parse(line), Some(ServerMessage::Event(said)));
    }

    #[test]
    fn whole_seconds_keep_their_decimals() {
        assert_eq!(Time::from_millis(1_795_373_940_000).to_string(), "2026-11-22T18:59:00.000Z");
    }

    #[test]
    fn answers_leave_out_what_they_do_not_have() {
        let ack = ServerMessage::Ack { nonce: "c1".into(), id: None, durable: None };
        assert_eq!(json(&ack), "{\"type\":\"ack\",\"nonce\":\"c1\"}\n");
        let gap = ServerMessage::Gap { room: "lobby".into(), from: 50, to: 86, reason: None };
        assert_eq!(json(&gap), "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":50,\"to\":86}\n");
        assert_eq!(
            ServerMessage::parse(r#"{"type":"bye","reason":"quit","x":1}"#),
            Some(ServerMessage::Bye { reason: "quit".into(), seconds: None })
        );
    }

    #[test]
    fn nothing_that_a_terminal_obeys_stands_raw_in_json() {
        let nonce = "\u{1b}[31m \u{7f}\u{9b}\u{202e}\u{2028} 안녕 \"q\"";
        let line = json(&ServerMessage::Ack { nonce: nonce.into(), id: None, durable: None });
        assert!(!line.trim_end().contains(is_unwanted), "{line:?}");
        assert!(line.contains("안녕 \\\"q\\\""), "{line:?}");
        let Some(ServerMessage::Ack { nonce: returned, .. }) = ServerMessage::parse(&line) else {
            panic!("{line:?} is no ack");
        };
        assert_eq!(returned, nonce);
    }

    #[test]
    fn nothing_that_is_said_takes_more_than_it_counts() {
        #[track_caller]
        fn check(user: &str, text: &str) {
            let stamp = Stamp { id: 1 << 53, time: TIME, room: "방".repeat(12).into() };
            for (me, teacher) in [(false, false), (true, false), (false, true), (true, true)] {
                let (user, text) = (user.into(), text.to_owned());
                let said = Event::Said { stamp: stamp.clone(), user, text, me, teacher };
                let counted = said.encoded_bytes();
                assert!(json(&said).len() <= counted, "{} of {counted}", json(&said).len());
                for (lang, line_end) in [(Lang::Ko, LineEnd::Lf), (Lang::En, LineEnd::CrLf)] {
                    let mut lines = Vec::new();
                    write_event(&said, lang, line_end, &mut lines);
                    // Instead of an LF, a frame has a header of up to four bytes.
                    let headers = match line_end {
                        LineEnd::Lf => 3 * lines.iter().filter(|byte| **byte == b'\n').count(),
                        LineEnd::CrLf => 0,
                    };
                    assert!(lines.len() + headers <= counted, "{} of {counted}", lines.len());
                }
            }
        }
        for user in ["a", &"\u{10330}".repeat(24)] {
            check(user, "");
            check(user, "hi");
            check(user, &"\"".repeat(4_096));
            check(user, &"\\\t\n".repeat(4_000));
            check(user, &"\n".repeat(499));
            check(user, &"left.\n".repeat(400));
            check(user, &"가나다\n".repeat(499));
        }
    }

    #[test]
    fn unknown_messages_are_ignored() {
        assert_eq!(ServerMessage::parse(r#"{"type":"firework","id":1}"#), None);
        assert_eq!(ServerMessage::parse("hello"), None);
    }

    #[test]
    fn an_unknown_event_in_a_list_costs_only_itself() {
        let said = |id: u64| Event::Said {
            stamp: Stamp { id, time: TIME, room: "lobby".into() },
            user: "alice".into(),
            text: "hi".into(),
            me: false,
            teacher: false,
        };
        let [first, last] = [said(1), said(3)].map(|event| json(&event));
        for unknown in [
            r#"{"type":"firework","id":2,"time":"2026-11-22T18:59:00Z","room":"lobby"}"#,
            r#"{"type":"said","id":2}"#,
            "7",
            "null",
            r#"[{"type":"said"}]"#,
        ] {
            let events = format!("[{},{unknown},{}]", first.trim(), last.trim());
            for line in [
                format!(r#"{{"type":"history","room":"lobby","events":{events},"more":false}}"#),
                format!(r#"{{"type":"found","room":"lobby","events":{events}}}"#),
            ] {
                let message = ServerMessage::parse(&line);
                let (Some(ServerMessage::History { events, .. })
                | Some(ServerMessage::Found { events, .. })) = message
                else {
                    panic!("{line} is lost")
                };
                let ids: Vec<u64> = events.iter().map(|event| event.id()).collect();
                assert_eq!(ids, [1, 3], "{line}");
            }
        }
    }
}
