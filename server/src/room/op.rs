//! What is asked of a room's state, as plain data: it can be logged, sent to another
//! machine and decided there again.

use std::sync::Arc;

use madang_protocol::{event::Time, name::UserName};
use serde::{Deserialize, Serialize};

use super::lesson::LessonFact;
use crate::session::{Mute, Quiet, Session, nonces::Nonces};

/// The requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum By {
    /// The session of this number.
    Member(u64),
    /// The same, who is a teacher.
    Teacher(u64),
    Operator,
    /// Nobody: it was due.
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

/// Who keeps somebody from speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Muter {
    /// The room's owner, in this room.
    Owner,
    /// The operator, in every room.
    Operator,
}

/// Something that a member says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Speech {
    /// One line, or several; sanitized.
    pub(crate) text: String,
    /// Whether it tells what the speaker does.
    pub(crate) me: bool,
    /// What its `ack` returns.
    pub(crate) nonce: Option<String>,
    /// What it takes for one member: rate limit, mailbox, round and history count that.
    pub(crate) rendered_bytes: usize,
}

/// What is asked. Members are known by their session's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    /// The requester comes in.
    Join {
        user: UserName,
        /// Whether nobody is told of it.
        quiet: Option<Quiet>,
        /// Whether the operator keeps the requester from speaking.
        muted: Option<Mute>,
    },
    /// The operator muted the requester while it was on its way in.
    BringMute(Mute),
    /// The requester brings along the nonces of what it has said elsewhere.
    BringNonces(Box<Nonces>),
    /// The requester's session ends, with a last word.
    Leave {
        text: Option<String>,
    },
    /// The requester goes to another room.
    Move,
    /// The requester's connection is cut.
    Away,
    /// The requester has another connection, perhaps on another machine.
    Back {
        quiet: Option<Quiet>,
    },
    /// The requester says all this, but for what it has said already under the same nonces.
    Say(Vec<Speech>),
    /// Says something as the server.
    Announce(String),
    /// Sets the topic; an empty one is none.
    Topic(Arc<str>),
    /// Gives the requester another name.
    Rename(UserName),
    /// Removes somebody, and keeps them out for so many seconds.
    Kick {
        session: u64,
        seconds: u64,
    },
    /// Lets those in again who were kicked under this name, and the session that has it.
    Unkick {
        name: UserName,
        session: Option<u64>,
    },
    /// Keeps somebody from speaking: for so many seconds, if that ends by itself.
    Mute {
        session: u64,
        mute: Mute,
        seconds: Option<u64>,
    },
    /// Keeps everyone who is here from speaking, as the operator: for so many seconds, if
    /// that ends by itself.
    MuteAll {
        mute: Mute,
        seconds: Option<u64>,
    },
    /// Lifts the operator's mute of everyone, or of those who have exactly this one.
    UnmuteAll {
        only: Option<Mute>,
    },
    /// Lets somebody speak again.
    Unmute {
        session: u64,
    },
    /// A mute that was to last until then is over.
    MuteOver {
        session: u64,
        muter: Muter,
        until: Time,
    },
    /// Locks the room, or unlocks it.
    Lock(bool),
    Limit(usize),
    /// The requester is given all that was said here, as a file.
    Transcribe,
    /// Makes somebody the owner.
    Owner(u64),
    /// The session has ended; if it was the owner's, another's is.
    OwnerGone(u64),
    /// The server was restarted.
    Restarted,
    /// Ends the room for all.
    End,
    /// Ends the room if it has been empty since then.
    EndIfEmpty {
        since: Time,
    },
    /// Ends the room with the server.
    Stop,
    /// The lesson has changed.
    Lesson(Arc<LessonFact>),
    /// The requester spoke elsewhere then.
    BringSpoke(Time),
    /// Asks only whether the requester may speak.
    MaySpeak,
    /// Panics while it is decided, or when its fact is applied.
    #[cfg(test)]
    Panic {
        in_apply: bool,
    },
}
