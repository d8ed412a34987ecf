//! Messages of the server to one connection: answers and events.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    Attendee, Event, GapReason, IdRange, LessonNow, OpenPoll, RaisedHand, Time, WireNote, is_false,
    listed::known_events,
};

/// Anything that the server sends to a JSON client, one object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// The answer to `/json`: the server, its version and its limits.
    Hello {
        /// Always `madang`.
        server: Cow<'a, str>,
        /// The server's version.
        version: Cow<'a, str>,
        /// [`PROTOCOL_VERSION`](crate::limits::PROTOCOL_VERSION).
        protocol: u32,
        /// How much a client may send at once.
        limits: Limits,
    },
    /// The login was accepted.
    Welcome {
        /// The name, as everyone sees it.
        user: Cow<'a, str>,
        /// The room that the session is in; none if it was removed from it while away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<Cow<'a, str>>,
        /// The session's token; empty for a stream over HTTP, which has none.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        session: Cow<'a, str>,
        /// The id of the session's own `joined`, which follows. Of the last event before it in a
        /// quiet session, and of the last that the client has when it comes back.
        id: u64,
        /// How many members the room has, this one included.
        members: usize,
        /// The room's topic, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<Cow<'a, str>>,
        /// The owner of a private room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Cow<'a, str>>,
        /// Whether what is said in the room is kept on disk, and an ack means that it is there.
        #[serde(default, skip_serializing_if = "is_false")]
        durable: bool,
        /// Whether what is said in the room is kept on this server's disk, though an ack does not
        /// wait for it: the server is an archive of a cluster.
        #[serde(default, skip_serializing_if = "is_false")]
        archived: bool,
        /// Whether it is kept on the disk of another server of the cluster, and not on this one's:
        /// earlier messages are those that this server remembers.
        #[serde(default, skip_serializing_if = "is_false")]
        archived_elsewhere: bool,
        /// Whether the room is locked.
        #[serde(default, skip_serializing_if = "is_false")]
        locked: bool,
        /// The most members, if that is limited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
        /// What is going on in a lesson, if one runs or one is a teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lesson: Option<Box<LessonNow<'a>>>,
        /// Whether an earlier session goes on.
        resumed: bool,
        /// The `kicked` or `ended` that took the session out of its last room, if it has been in
        /// none since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        removed: Option<Box<Event>>,
    },
    /// The session is in another room now.
    Entered {
        /// The room's name, or its mark if it is private.
        room: Cow<'a, str>,
        /// The id of the session's own `joined`; of the last event before it in a quiet session.
        id: u64,
        /// How many members it has, oneself among them.
        members: usize,
        /// The room's topic, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<Cow<'a, str>>,
        /// The owner of a private room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Cow<'a, str>>,
        /// Whether what is said in the room is kept on disk, and an ack means that it is there.
        #[serde(default, skip_serializing_if = "is_false")]
        durable: bool,
        /// Whether what is said in the room is kept on this server's disk, though an ack does not
        /// wait for it: the server is an archive of a cluster.
        #[serde(default, skip_serializing_if = "is_false")]
        archived: bool,
        /// Whether it is kept on the disk of another server of the cluster, and not on this one's:
        /// earlier messages are those that this server remembers.
        #[serde(default, skip_serializing_if = "is_false")]
        archived_elsewhere: bool,
        /// Whether the room is locked.
        #[serde(default, skip_serializing_if = "is_false")]
        locked: bool,
        /// The most members, if that is limited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
        /// What is going on in a lesson, if one runs or one is a teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lesson: Option<Box<LessonNow<'a>>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// A whisper to this member.
    Whisper {
        /// Its number among the session's private events; they rise by one from 1.
        private: u64,
        /// When it was sent.
        time: Time,
        /// Who sent it.
        user: Cow<'a, str>,
        /// Whether a teacher sent it.
        #[serde(default, skip_serializing_if = "is_false")]
        teacher: bool,
        /// The text: one line, or several with LF between them.
        text: Cow<'a, str>,
    },
    /// The request with this nonce was carried out.
    Ack {
        /// The request's nonce.
        nonce: Cow<'a, str>,
        /// The id of the event that it became, if it became one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// False if the room is durable and the event is not on the disk all the same: the
        /// disk fails. Missing otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        durable: Option<bool>,
    },
    /// Something was refused.
    Error {
        /// What went wrong, as a word for programs.
        code: Cow<'a, str>,
        /// What went wrong, for people, in the session's language.
        text: Cow<'a, str>,
        /// A similar name that is free.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<Cow<'a, str>>,
        /// With `slow`: after how many seconds one may try again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait_seconds: Option<u64>,
        /// The refused request's nonce, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Text for this member only, such as the answer to `/help`.
    Notice {
        /// One line, or several with LF between them.
        text: Cow<'a, str>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// The members of a room, in the order in which they joined.
    Who {
        /// The room's name.
        room: Cow<'a, str>,
        /// How many there are in all.
        count: usize,
        /// Names; a long list comes in several messages.
        members: Vec<Cow<'a, str>>,
        /// Those of them who are quiet.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        quiet: Vec<Cow<'a, str>>,
        /// Those of them who are streams over HTTP.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        streams: Vec<Cow<'a, str>>,
        /// Whether more names follow in another message.
        more: bool,
        /// In the last message, if members remain: the name after which `/who after NAME` goes on.
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
    /// What everyone may know about somebody.
    Whois {
        /// Who it is.
        user: Cow<'a, str>,
        /// The public room where they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<Cow<'a, str>>,
        /// When they logged in, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Time>,
        /// Whether their connection is cut and may come back.
        away: bool,
        /// Whether they are quiet.
        #[serde(default, skip_serializing_if = "is_false")]
        quiet: bool,
        /// Whether they are a stream over HTTP, which only reads.
        #[serde(default, skip_serializing_if = "is_false")]
        stream: bool,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// How to invite others to this room.
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
        /// The command for people who only have nc (openssl where that is encrypted), and what to
        /// type then. Empty if a key could only be sent unencrypted that way.
        nc: Vec<Cow<'a, str>>,
        /// Whether every way listed here is encrypted.
        encrypted: bool,
        /// The link, or else the key, as a QR code in half blocks; lines with LF.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qr: Option<Cow<'a, str>>,
        /// Three words that open the room, if they were asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<Cow<'a, str>>,
        /// For how many more seconds they do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words_seconds: Option<u64>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Earlier events, oldest first.
    History {
        /// The room's name, or its mark if it is private.
        room: Cow<'a, str>,
        /// Some of them; many come in several messages.
        #[serde(deserialize_with = "known_events")]
        events: Vec<Cow<'a, Event>>,
        /// Whether more follow in another message.
        more: bool,
        /// In an answer, what is missing among them; older servers say only what, not that nothing is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gaps: Option<Vec<IdRange>>,
        /// Whether nothing older than this answer may be read.
        #[serde(default, skip_serializing_if = "is_false")]
        earliest: bool,
        /// If so, what happened before it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gone: Option<IdRange>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// What `/search` has found, oldest first.
    Found {
        /// The room's name.
        room: Cow<'a, str>,
        /// The messages.
        #[serde(deserialize_with = "known_events")]
        events: Vec<Cow<'a, Event>>,
        /// The id before which `/search` goes on; none if everything was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Where what was said in the room can be had as a file: once.
    Transcript {
        /// The room's name, or its mark if it is private.
        room: Cow<'a, str>,
        /// The file's format: `txt`, `html` or `jsonl`.
        format: Cow<'a, str>,
        /// Where it is, on the port for browsers.
        path: Cow<'a, str>,
        /// The same as a whole link, unless this member can't reach that port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<Cow<'a, str>>,
        /// For how many seconds it is there.
        seconds: u64,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// This member's ignore list.
    Ignored {
        /// The names on it; the client hides what they say in rooms.
        users: Vec<Cow<'a, str>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// The answer to `/ping`, after all that was sent before.
    Pong {
        /// The text that came with `/ping`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Cow<'a, str>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// One is a teacher now.
    Teacher {
        /// One's name.
        user: Cow<'a, str>,
        /// What is going on in the lesson.
        lesson: Box<LessonNow<'a>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// The raised hands, the first first.
    Hands {
        /// At most 200 of them.
        hands: Vec<RaisedHand<'a>>,
        /// How many there are in all.
        count: usize,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// The question of a raised hand that only teachers are told.
    HandText {
        /// Whose hand it is.
        user: Cow<'a, str>,
        /// The question.
        text: Cow<'a, str>,
    },
    /// The open poll, and one's own vote.
    Ballot {
        /// The poll.
        poll: OpenPoll<'a>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// How far the open poll has come, for teachers.
    Tally {
        /// How many have voted.
        answered: usize,
        /// How many could.
        members: usize,
        /// Who has not voted, at most 200 names; left out once counts are shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waiting: Option<Vec<Cow<'a, str>>>,
        /// How many chose each, once that is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts: Option<Vec<usize>>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// Somebody asked teachers a question, without a name.
    Asked {
        /// Its number in this lesson.
        number: u64,
        /// The question.
        text: Cow<'a, str>,
    },
    /// Who attended the lesson.
    Attendance {
        /// At most 200 people, by their names.
        people: Vec<Attendee<'a>>,
        /// How many there are in all.
        count: usize,
        /// Who is on the server's list of names and did not come: at most 200.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<Cow<'a, str>>,
        /// Where all of it is, as CSV, on the port for browsers: once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<Cow<'a, str>>,
        /// The same as a whole link, unless this member can't reach that port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<Cow<'a, str>>,
        /// With `path`: for how many seconds it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// The nonce of the request that it answers, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Cow<'a, str>>,
    },
    /// These whispers are no longer kept.
    PrivateGap {
        /// The first number that is missing.
        from: u64,
        /// The last number that is missing.
        to: u64,
    },
    /// These events were not delivered, because the client read too slowly or was away for too
    /// long. `history` returns those that are still kept.
    Gap {
        /// The room's name.
        room: Cow<'a, str>,
        /// The first id that is missing.
        from: u64,
        /// The last id that is missing.
        to: u64,
        /// Why, if not for slow reading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<GapReason>,
    },
    /// The last message of a connection.
    Bye {
        /// Why it ends, as a word for programs.
        reason: Cow<'a, str>,
        /// For how many seconds the client is kept out, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// Something about one's own connection, after `/wire on`.
    Wire {
        /// What it is.
        #[serde(flatten)]
        note: Box<WireNote>,
        /// The same in words, in the language of the connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Cow<'a, str>>,
    },
    /// An event of the room.
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
    /// Reads one line from a server; `None` if it is not JSON, or of an unknown type.
    pub fn parse(line: &str) -> Option<ServerMessage<'static>> {
        serde_json::from_str(line).ok()
    }

    /// Whether a `welcome` or `entered` says that what is said in the room is kept on a disk: this
    /// server's, or another's.
    pub fn is_saved(&self) -> bool {
        match self {
            ServerMessage::Welcome { durable, archived, archived_elsewhere, .. }
            | ServerMessage::Entered { durable, archived, archived_elsewhere, .. } => {
                *durable || *archived || *archived_elsewhere
            }
            _ => false,
        }
    }
}
