//! What has changed a room's state, as plain data; what members are told follows from it.

use std::sync::Arc;

use madang_protocol::event::{Event, Stamp};

/// What has changed. Members are known by their session's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// Somebody came in, with the event of this id.
    Joined {
        session: u64,
        user: Arc<str>,
        id: u64,
    },
    Left {
        session: u64,
    },
    Renamed {
        session: u64,
        user: Arc<str>,
        to: Arc<str>,
    },
    /// An empty topic is none.
    Topic {
        session: u64,
        user: Arc<str>,
        topic: Arc<str>,
    },
    /// `user` is the member who did it; empty for the operator.
    Locked {
        user: Arc<str>,
        locked: bool,
    },
    /// `user` is the member who did it; empty for the operator.
    Limited {
        user: Arc<str>,
        limit: usize,
    },
    Owner {
        session: u64,
        user: Arc<str>,
    },
    OwnedByNobody,
    /// The room has ended for everyone.
    AllLeft,
}

impl Fact {
    /// Whether members are told of it by an event of its own kind.
    pub(super) fn is_told(&self) -> bool {
        !matches!(
            self,
            Fact::Joined { .. } | Fact::Left { .. } | Fact::OwnedByNobody | Fact::AllLeft
        )
    }

    /// What members are told, and whose doing it is, by session; 0 is the room's.
    /// Comings and goings are told by who sees to them.
    pub(super) fn event(self, stamp: Stamp) -> Option<(Event, u64)> {
        Some(match self {
            Fact::Renamed { session, user, to } => (Event::Renamed { stamp, user, to }, session),
            Fact::Topic { session, user, topic } => (Event::Topic { stamp, user, topic }, session),
            Fact::Locked { user, locked: true } => (Event::Locked { stamp, user }, 0),
            Fact::Locked { user, locked: false } => (Event::Unlocked { stamp, user }, 0),
            Fact::Limited { user, limit } => (Event::Limited { stamp, user, limit }, 0),
            Fact::Owner { user, .. } => (Event::Owner { stamp, user }, 0),
            Fact::Joined { .. } | Fact::Left { .. } | Fact::OwnedByNobody | Fact::AllLeft => {
                return None;
            }
        })
    }
}
