//! What has changed in a room's state, as plain data. Events for members are derived from it.

use std::sync::Arc;

use madang_protocol::{
    event::{Event, Stamp, Time},
    name::UserName,
};
use serde::{Deserialize, Serialize};

use super::{
    lesson::{LessonFact, class::Class},
    op::Muter,
};
use crate::session::{Mute, Quiet, nonces::Nonces};

/// A fact: what has changed, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fact {
    /// The id of the event that announces it; `None` if it is not announced.
    pub(crate) id: Option<u64>,
    pub(crate) time: Time,
    pub(crate) change: Change,
}

/// What has changed. Members are identified by session number. Without `by`, the operator or a
/// deadline caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Joined {
        session: u64,
        user: UserName,
        quiet: Option<Quiet>,
        /// The server that it is connected to, if several share the room; otherwise 0.
        origin: u64,
        /// Whether its session can be resumed.
        comes_back: bool,
        /// Whether it is a stream over HTTP.
        #[serde(default)]
        stream: bool,
    },
    Left {
        session: u64,
        user: UserName,
        text: Option<String>,
    },
    /// A member has lost its connection.
    Away {
        session: u64,
    },
    /// A member has a connection again, or another one.
    Back {
        session: u64,
        quiet: Option<Quiet>,
        /// The server that it is connected to now.
        origin: u64,
    },
    Said {
        session: u64,
        user: UserName,
        text: String,
        me: bool,
        /// Whether a teacher said it.
        #[serde(default)]
        teacher: bool,
        nonce: Option<String>,
        rendered_bytes: usize,
    },
    Announced {
        text: String,
    },
    /// Something was asked for that happens once, by each machine under this number.
    Asked {
        number: u64,
    },
    Renamed {
        session: u64,
        user: UserName,
        to: UserName,
    },
    /// The topic; empty means none.
    Topic {
        by: Option<UserName>,
        topic: Arc<str>,
    },
    /// Somebody was kicked, and is kept out until then.
    Kicked {
        session: u64,
        user: UserName,
        seconds: u64,
        until: Time,
        by: Option<UserName>,
    },
    /// Those who were kicked under this name may join again.
    Unkicked {
        user: UserName,
        by: Option<UserName>,
    },
    Muted {
        session: u64,
        user: UserName,
        muter: Muter,
        mute: Mute,
        seconds: Option<u64>,
        by: Option<UserName>,
    },
    /// An owner's or operator's mute was lifted. Without a name, the person is not here.
    Unmuted {
        session: u64,
        user: Option<UserName>,
        muter: Muter,
        by: Option<UserName>,
    },
    /// The operator muted everyone; this is one person's part of it.
    AllMuted {
        seconds: Option<u64>,
    },
    AllUnmuted,
    Locked {
        locked: bool,
        by: Option<UserName>,
    },
    Limited {
        limit: usize,
        by: Option<UserName>,
    },
    Owner {
        session: u64,
        user: UserName,
    },
    OwnedByNobody,
    /// Somebody got a transcript of the room.
    Transcribed {
        by: Option<UserName>,
    },
    /// What was said until now is forgotten, or what this person said.
    Forgotten {
        name: Option<UserName>,
    },
    /// The server was restarted.
    Restarted,
    /// The lesson has changed.
    Lesson(Arc<LessonFact>),
    /// The lesson is this one, and all that led there is missing.
    LessonIs(Box<Class>),
    /// A member brings nonces from another room.
    BroughtNonces {
        session: u64,
        nonces: Box<Nonces>,
    },
    /// A member last spoke elsewhere at this time.
    Spoke {
        session: u64,
        at: Time,
    },
    /// The room has ended for everyone.
    Ended {
        by: Option<UserName>,
    },
    #[cfg(test)]
    Panic,
}

impl Change {
    /// The session that caused it; 0 for the room or the operator.
    pub(crate) fn session(&self) -> u64 {
        match self {
            Change::Joined { session, .. }
            | Change::Left { session, .. }
            | Change::Away { session, .. }
            | Change::Said { session, .. }
            | Change::Renamed { session, .. } => *session,
            _ => 0,
        }
    }

    /// Whether it changes data that outlasts the members: what [`State::lasting`] returns.
    ///
    /// [`State::lasting`]: super::state::State::lasting
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Change::Topic { .. }
            | Change::Kicked { .. }
            | Change::Unkicked { .. }
            | Change::Locked { .. }
            | Change::Limited { .. } => true,
            Change::Muted { muter, .. } | Change::Unmuted { muter, .. } => *muter == Muter::Owner,
            _ => false,
        }
    }
}

impl Fact {
    /// The event for the members of `room`, if it is announced.
    pub(crate) fn into_event(self, room: &Arc<str>) -> Option<Event> {
        let stamp = Stamp { id: self.id?, time: self.time, room: room.clone() };
        let named = |by: Option<UserName>| by.map(Arc::from);
        let named_or_empty = |by: Option<UserName>| by.map_or_else(Arc::default, Arc::from);
        Some(match self.change {
            Change::Joined { user, stream, .. } => {
                Event::Joined { stamp, user: user.into(), stream }
            }
            Change::Left { user, text, .. } => Event::Left { stamp, user: user.into(), text },
            Change::Said { user, text, me, teacher, .. } => {
                Event::Said { stamp, user: user.into(), text, me, teacher }
            }
            Change::Announced { text } => Event::Announced { stamp, text },
            Change::Renamed { user, to, .. } => {
                Event::Renamed { stamp, user: user.into(), to: to.into() }
            }
            Change::Topic { by, topic } => Event::Topic { stamp, user: named_or_empty(by), topic },
            Change::AllMuted { seconds } => {
                Event::Muted { stamp, user: Arc::default(), seconds, by: None }
            }
            Change::AllUnmuted => Event::Unmuted { stamp, user: Arc::default(), by: None },
            Change::Kicked { user, seconds, by, .. } => {
                Event::Kicked { stamp, user: user.into(), seconds, by: named(by) }
            }
            Change::Unkicked { user, by } => {
                Event::Unkicked { stamp, user: user.into(), by: named(by) }
            }
            Change::Muted { user, seconds, by, .. } => {
                Event::Muted { stamp, user: user.into(), seconds, by: named(by) }
            }
            Change::Unmuted { user, by, .. } => {
                Event::Unmuted { stamp, user: user?.into(), by: named(by) }
            }
            Change::Locked { locked: true, by } => {
                Event::Locked { stamp, user: named_or_empty(by) }
            }
            Change::Locked { locked: false, by } => {
                Event::Unlocked { stamp, user: named_or_empty(by) }
            }
            Change::Limited { limit, by } => {
                Event::Limited { stamp, user: named_or_empty(by), limit }
            }
            Change::Owner { user, .. } => Event::Owner { stamp, user: user.into() },
            Change::Transcribed { by } => Event::Transcribed { stamp, user: named_or_empty(by) },
            Change::Lesson(fact) => Event::Lesson(Box::new(fact.change.event(stamp)?)),
            Change::Ended { by } => Event::Ended { stamp, user: named_or_empty(by) },
            Change::Restarted => Event::Restarted { stamp },
            Change::Away { .. }
            | Change::Back { .. }
            | Change::OwnedByNobody
            | Change::Asked { .. }
            | Change::Forgotten { .. }
            | Change::BroughtNonces { .. }
            | Change::LessonIs(_)
            | Change::Spoke { .. } => return None,
            #[cfg(test)]
            Change::Panic => return None,
        })
    }
}
