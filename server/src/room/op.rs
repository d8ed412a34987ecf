//! Requests to a room's state, as plain data that can be logged, sent to another machine and
//! decided there again.

use std::sync::Arc;

use madang_protocol::{event::Time, name::UserName};
use serde::{Deserialize, Serialize};

use super::lesson::{LessonFact, log::LessonSoFar};
use crate::session::{Mute, Quiet, Session, nonces::Nonces};

/// The requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum By {
    /// The session with this number.
    Member(u64),
    /// The same, if it is a teacher.
    Teacher(u64),
    Operator,
    /// Nobody: a deadline.
    Time,
}

impl By {
    pub(crate) fn of(session: &Session) -> By {
        match session.is_teacher() {
            true => By::Teacher(session.number),
            false => By::Member(session.number),
        }
    }

    /// The number of the requester's session.
    pub(crate) fn session(self) -> Option<u64> {
        match self {
            By::Member(session) | By::Teacher(session) => Some(session),
            By::Operator | By::Time => None,
        }
    }
}

/// Who muted somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Muter {
    /// The room's owner, in this room.
    Owner,
    /// The operator, in every room.
    Operator,
}

/// A message of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Speech {
    /// One or more lines; sanitized.
    pub(crate) text: String,
    /// Whether it is a `/me` message.
    pub(crate) me: bool,
    /// The nonce for its `ack`.
    pub(crate) nonce: Option<String>,
    /// Its rendered size for one member, as counted by rate limit, mailbox, round and history.
    pub(crate) rendered_bytes: usize,
}

/// What is requested. Members are identified by session number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    /// The requester joins.
    Join {
        user: UserName,
        /// Whether that is not announced.
        quiet: Option<Quiet>,
        /// Whether the operator keeps the requester from speaking.
        muted: Option<Mute>,
        /// The server of the requester's connection, if several share the room; otherwise 0.
        origin: u64,
        /// Whether the requester's session can be resumed.
        comes_back: bool,
        /// Whether the requester is a stream over HTTP.
        #[serde(default)]
        stream: bool,
    },
    /// The operator muted the requester while it was on its way in.
    BringMute(Mute),
    /// The requester brings along the nonces of its messages elsewhere.
    BringNonces(Box<Nonces>),
    /// The requester's session ends, with an optional message.
    Leave {
        text: Option<String>,
    },
    /// The requester moves to another room.
    Move,
    /// The requester has lost its connection.
    Away,
    /// The requester has another connection, on the same machine.
    Back {
        quiet: Option<Quiet>,
        /// The server, if several share the room; otherwise 0.
        origin: u64,
    },
    /// The requester's session has come to another machine.
    Arrive {
        quiet: Option<Quiet>,
        /// The server that has it now.
        origin: u64,
    },
    /// The requester sends these messages, except those already sent under the same nonces.
    Say(Vec<Speech>),
    /// The server says something.
    Announce(String),
    /// This, if no machine has asked for it under this number before.
    Once {
        number: u64,
        op: Box<Op>,
    },
    /// Sets the topic; empty means none.
    Topic(Arc<str>),
    /// Renames the requester.
    Rename(UserName),
    /// Kicks somebody, and keeps them out for this many seconds.
    Kick {
        session: u64,
        seconds: u64,
    },
    /// Lets those in again who were kicked under this name, and the session that has it.
    Unkick {
        name: UserName,
        session: Option<u64>,
    },
    /// Mutes somebody, for this many seconds or until lifted.
    Mute {
        session: u64,
        mute: Mute,
        seconds: Option<u64>,
    },
    /// Mutes everyone here, as the operator, for this many seconds or until lifted.
    MuteAll {
        mute: Mute,
        seconds: Option<u64>,
    },
    /// Lifts the operator's mute of everyone, or only exactly this one.
    UnmuteAll {
        only: Option<Mute>,
    },
    /// Unmutes somebody.
    Unmute {
        session: u64,
    },
    /// A mute until this time has ended.
    MuteOver {
        session: u64,
        muter: Muter,
        until: Time,
    },
    /// Locks or unlocks the room.
    Lock(bool),
    Limit(usize),
    /// The requester gets a transcript of the room.
    Transcribe,
    /// Has what was said forgotten, or only what this person said.
    Forget {
        name: Option<UserName>,
    },
    /// Makes somebody the owner.
    Owner(u64),
    /// The session has ended; if it was the owner, somebody else becomes the owner.
    OwnerGone(u64),
    /// The server was restarted.
    Restarted,
    /// The server of this origin, of several that share the room, is gone: its members are away
    /// if their sessions can be resumed; the others leave.
    Buried(u64),
    /// Whoever has not come back since that server was buried leaves.
    Unclaimed(u64),
    /// Closes the room for everyone.
    End,
    /// Ends the room if it has been empty since then.
    EndIfEmpty {
        since: Time,
    },
    /// Ends the room with the server.
    Stop,
    /// The lesson has changed.
    Lesson(Arc<LessonFact>),
    /// One of several machines that share the room and the lesson has opened the room.
    LessonSoFar(Box<LessonSoFar>),
    /// The requester last spoke elsewhere at this time.
    BringSpoke(Time),
    /// Only checks whether the requester may speak.
    MaySpeak,
    /// Panics while it is decided, or when its fact is applied.
    #[cfg(test)]
    Panic {
        in_apply: bool,
    },
}
