//! What the server may say: events, which happened in a room and have an id,
//! and answers, which are for one member alone. Their JSON form stands here,
//! their form for people in [`text`](crate::text).

use std::{borrow::Cow, io, sync::Arc};

use serde::{Deserialize, Serialize};

pub use crate::time::Time;

use crate::{
    sanitize::{is_printable_ascii, is_unwanted},
    text::{SAID_OVERHEAD, rendered_bytes},
};

/// What every event has: its place in the order of its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The event's number in its room; they rise by one.
    pub id: u64,
    /// When it happened.
    pub time: Time,
    /// The room's name, or its mark if it is private.
    pub room: Arc<str>,
}

/// Something that happened in a room and that its members are told. Where `by` is
/// missing, the operator did it, or time.
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
        /// Whether it tells what the speaker does (`/me`).
        #[serde(default, skip_serializing_if = "is_false")]
        me: bool,
    },
    /// Somebody came in.
    Joined {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was.
        user: Arc<str>,
    },
    /// Somebody went.
    Left {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was.
        user: Arc<str>,
        /// The last word of who quit, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Somebody was removed, and is a member no more.
    Kicked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it was.
        user: Arc<str>,
        /// For how long they are kept out of the room, by session and name.
        #[serde(default)]
        seconds: u64,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Somebody who was removed may come in again.
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
        /// Who set it.
        user: Arc<str>,
        /// The topic.
        topic: Arc<str>,
    },
    /// Somebody may not speak.
    Muted {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it is.
        user: Arc<str>,
        /// For how long; until it is lifted if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Somebody may speak again.
    Unmuted {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it is.
        user: Arc<str>,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Nobody new may come in.
    Locked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who did it.
        user: Arc<str>,
    },
    /// People may come in again.
    Unlocked {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who did it.
        user: Arc<str>,
    },
    /// The room has a limit of members.
    Limited {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who set it.
        user: Arc<str>,
        /// The most members.
        limit: usize,
    },
    /// The room has another owner.
    Owner {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who it is from now on.
        user: Arc<str>,
    },
    /// The operator told everyone something.
    Announced {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// The words.
        text: String,
    },
    /// The room was closed; it has no members any more.
    Ended {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who closed it.
        user: Arc<str>,
    },
}

/// What an event takes beside its room, its names and its words: the fields of JSON, or
/// the sentence around them.
pub const EVENT_OVERHEAD: usize = 160;

pub(crate) fn is_false(value: &bool) -> bool {
    !value
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
            | Event::Announced { stamp, .. }
            | Event::Ended { stamp, .. } => stamp,
        }
    }

    /// The event's number in its room.
    pub fn id(&self) -> u64 {
        self.stamp().id
    }

    /// Whether somebody said it: what who comes later is shown.
    pub fn is_said(&self) -> bool {
        matches!(self, Event::Said { .. } | Event::Announced { .. })
    }

    /// The most bytes that it takes in any form: as JSON, as lines, as frames.
    pub fn encoded_bytes(&self) -> usize {
        let twice = |text: &str| 2 * text.len();
        let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let words = match self {
            Event::Said { user, text, .. } => rendered_bytes(user, text, SAID_OVERHEAD),
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
            | Event::Ended { user, .. } => user.len(),
        };
        self.stamp().room.len() + EVENT_OVERHEAD + words
    }
}

/// Anything that the server sends to a JSON client, one object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// The answer to `/json`: who speaks, and what may be sent.
    Hello {
        /// Always `madang`.
        server: Cow<'a, str>,
        /// The server's version.
        version: Cow<'a, str>,
        /// [`PROTOCOL_VERSION`](crate::limits::PROTOCOL_VERSION).
        protocol: u32,
        /// How much may be sent at once.
        limits: Limits,
    },
    /// The login was accepted.
    Welcome {
        /// The name as everyone sees it.
        user: Cow<'a, str>,
        /// The room where one is now; none if one was removed from it while away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<Cow<'a, str>>,
        /// The session's token.
        session: Cow<'a, str>,
        /// The events that follow have higher ids: that of one's own `joined`, or,
        /// coming back, the last one that the client has.
        id: u64,
        /// How many members the room has, oneself among them.
        members: usize,
        /// The room's topic, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<Cow<'a, str>>,
        /// Who owns the room, if it is private.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Cow<'a, str>>,
        /// Whether nobody new may come in.
        #[serde(default, skip_serializing_if = "is_false")]
        locked: bool,
        /// The most members, if the owner has set that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
        /// Whether the session went on where it was cut.
        resumed: bool,
        /// The `kicked` or `ended` that took one out of the last room, if one has been in
        /// none since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        removed: Option<Box<Event>>,
    },
    /// One is in another room now.
    Entered {
        /// The room's name, or its mark if it is private.
        room: Cow<'a, str>,
        /// The id of one's own `joined`.
        id: u64,
        /// How many members it has, oneself among them.
        members: usize,
        /// The room's topic, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<Cow<'a, str>>,
        /// Who owns the room, if it is private.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Cow<'a, str>>,
        /// Whether nobody new may come in.
        #[serde(default, skip_serializing_if = "is_false")]
        locked: bool,
        /// The most members, if the owner has set that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Somebody said something to this member alone.
    Whisper {
        /// Its number among the session's private events; they rise by one from 1.
        private: u64,
        /// When it was said.
        time: Time,
        /// Who said it.
        user: Cow<'a, str>,
        /// What was said: one line, or several with LF between them.
        text: Cow<'a, str>,
    },
    /// The request with this nonce was carried out.
    Ack {
        /// The request's nonce.
        nonce: Cow<'a, str>,
        /// The id of the event that it became, if it became one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    /// Something was refused.
    Error {
        /// What went wrong, in a word that programs compare.
        code: Cow<'a, str>,
        /// The same for people, in the session's language.
        text: Cow<'a, str>,
        /// A name that is free, like the one that is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<Cow<'a, str>>,
        /// The refused request's nonce, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Words for the member alone, such as the answer to `/help`.
    Notice {
        /// One line, or several with LF between them.
        text: Cow<'a, str>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Who is in a room, in the order in which they came.
    Who {
        /// The room's name.
        room: Cow<'a, str>,
        /// How many there are in all.
        count: usize,
        /// Names; a long list comes in several messages.
        members: Vec<Cow<'a, str>>,
        /// Whether more names follow in another message.
        more: bool,
        /// With the last message, if there are more than one answer lists: the name after
        /// which `/who after NAME` goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cow<'a, str>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// The public rooms.
    Rooms {
        /// Some of them; a long list comes in several messages.
        rooms: Vec<RoomSummary<'a>>,
        /// Whether more rooms follow in another message.
        more: bool,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// What may be known about somebody.
    Whois {
        /// Who it is.
        user: Cow<'a, str>,
        /// The public room where they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<Cow<'a, str>>,
        /// Since when they are on the server.
        since: Time,
        /// Whether their connection is cut and may come back.
        away: bool,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// How others come into this room.
    Invite {
        /// The room's name, or its mark if it is private.
        room: Cow<'a, str>,
        /// The room's key, if it is private.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Cow<'a, str>>,
        /// The link for browsers, if the server has a door for them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<Cow<'a, str>>,
        /// The command for terminals.
        madang: Cow<'a, str>,
        /// The command for who has nothing but nc, or openssl where that is encrypted, and
        /// what to type then; nothing where only a way in the clear would be left for a key.
        nc: Vec<Cow<'a, str>>,
        /// Whether nobody on the path can read along, whichever way others come.
        encrypted: bool,
        /// The link, or else the key, as a QR code in half blocks; lines with LF.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr: Option<Cow<'a, str>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// What happened before, oldest first.
    History {
        /// The room's name, or its mark if it is private.
        room: Cow<'a, str>,
        /// Some of it; much comes in several messages.
        events: Vec<Cow<'a, Event>>,
        /// Whether more follows in another message.
        more: bool,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Whom this member hides.
    Ignored {
        /// Their names; the client hides what they say in rooms.
        users: Vec<Cow<'a, str>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// The answer to `/ping`, after all that was sent before.
    Pong {
        /// What `/ping` came with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Cow<'a, str>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// These private events are not kept any more.
    PrivateGap {
        /// The first number that is missing.
        from: u64,
        /// The last number that is missing.
        to: u64,
    },
    /// These events were not delivered, since the client read too slowly or was
    /// away for too long; what is kept of them can be asked for.
    Gap {
        /// The room's name.
        room: Cow<'a, str>,
        /// The first id that is missing.
        from: u64,
        /// The last id that is missing.
        to: u64,
    },
    /// The last message of a connection.
    Bye {
        /// Why it ends, in a word that programs compare.
        reason: Cow<'a, str>,
        /// For how long one is not let in again, if that is so for a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// What happened in the room.
    #[serde(untagged)]
    Event(Event),
}

/// A public room in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomSummary<'a> {
    /// Its name.
    pub room: Cow<'a, str>,
    /// How many members it has.
    pub members: usize,
    /// Its topic, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Cow<'a, str>>,
    /// The id of the last message, if there has been one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

/// The limits that `hello` tells, in bytes and columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// [`LINE_BYTES`](crate::limits::LINE_BYTES).
    pub line_bytes: usize,
    /// [`MESSAGE_BYTES`](crate::limits::MESSAGE_BYTES).
    pub message_bytes: usize,
    /// [`CARRIER_BYTES`](crate::limits::CARRIER_BYTES).
    pub carrier_bytes: usize,
    /// [`NAME_COLUMNS`](crate::limits::NAME_COLUMNS).
    pub name_columns: usize,
}

impl Limits {
    /// The limits of this protocol version.
    pub const CURRENT: Limits = Limits {
        line_bytes: crate::limits::LINE_BYTES,
        message_bytes: crate::limits::MESSAGE_BYTES,
        carrier_bytes: crate::limits::CARRIER_BYTES,
        name_columns: crate::limits::NAME_COLUMNS,
    };
}

impl ServerMessage<'_> {
    /// Reads one line from a server; `None` if it is of a type that this
    /// version doesn't know, or not JSON.
    pub fn parse(line: &str) -> Option<ServerMessage<'static>> {
        serde_json::from_str(line).ok()
    }
}

/// Appends `message` as one JSON line, with its LF. Characters that a terminal
/// might obey come out as `\u` escapes, whoever put them in: a nonce goes back as
/// it came.
pub fn write_json_line(message: &impl Serialize, out: &mut Vec<u8>) {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Printable);
    message
        .serialize(&mut serializer)
        .expect("strings and numbers always have a JSON form, and a Vec takes all");
    out.push(b'\n');
}

/// Writes JSON without line breaks, and strings with nothing raw in them that
/// [`is_unwanted`] names.
struct Printable;

impl serde_json::ser::Formatter for Printable {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_printable_ascii(fragment.as_bytes()) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unwanted) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut following = rest[at..].chars();
            let unwanted = following.next().expect("one was found there");
            for unit in unwanted.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = following.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use crate::text::{Lang, LineEnd, write_event};

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
        let said = Event::Said { stamp, user: "alice".into(), text: "hi".into(), me: false };
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
        let ack = ServerMessage::Ack { nonce: "c1".into(), id: None };
        assert_eq!(json(&ack), "{\"type\":\"ack\",\"nonce\":\"c1\"}\n");
        let gap = ServerMessage::Gap { room: "lobby".into(), from: 50, to: 86 };
        assert_eq!(json(&gap), "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":50,\"to\":86}\n");
        assert_eq!(
            ServerMessage::parse(r#"{"type":"bye","reason":"quit","x":1}"#),
            Some(ServerMessage::Bye { reason: "quit".into(), seconds: None })
        );
    }

    #[test]
    fn nothing_that_a_terminal_obeys_stands_raw_in_json() {
        let nonce = "\u{1b}[31m \u{7f}\u{9b}\u{202e}\u{2028} 안녕 \"q\"";
        let line = json(&ServerMessage::Ack { nonce: nonce.into(), id: None });
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
            for me in [false, true] {
                let (user, text) = (user.into(), text.to_owned());
                let said = Event::Said { stamp: stamp.clone(), user, text, me };
                let counted = said.encoded_bytes();
                assert!(json(&said).len() <= counted, "{} of {counted}", json(&said).len());
                for (lang, line_end) in [(Lang::Ko, LineEnd::Lf), (Lang::En, LineEnd::CrLf)] {
                    let mut lines = Vec::new();
                    write_event(&said, lang, line_end, &mut lines);
                    // In place of LF, a frame has a header of up to four bytes.
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
    fn what_is_not_known_is_passed_over() {
        assert_eq!(ServerMessage::parse(r#"{"type":"firework","id":1}"#), None);
        assert_eq!(ServerMessage::parse("hello"), None);
    }
}
