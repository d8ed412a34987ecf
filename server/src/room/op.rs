//! What is asked of a room's state, as plain data.

use std::sync::Arc;

/// The requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// The session of this number.
    Member(u64),
    Operator,
    /// Nobody: it was due.
    Time,
}

/// What is asked. Members are known by their session's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// Sets the topic; an empty one is none.
    Topic(Arc<str>),
    /// Gives the requester another name.
    Rename(Arc<str>),
    /// Locks the room, or unlocks it.
    Lock(bool),
    Limit(usize),
    /// Makes somebody the owner.
    Owner(u64),
    /// The session has ended; if it was the owner's, another's is.
    OwnerGone(u64),
}
