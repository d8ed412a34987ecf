//! A state that is kept in Redis, and offered to it again if it may have lost that: a room's or the
//! lesson's, after an entry of its log.

use std::collections::BTreeMap;

use madang_protocol::event::Time;

use crate::room::{lesson::log::LessonSnapshot, log::Snapshot};

/// A state to keep.
pub(super) enum Keeping {
    Room(Box<Snapshot>),
    Lesson(Box<LessonSnapshot>),
}

impl Keeping {
    /// The entry that it follows, and its time.
    pub(super) fn after(&self) -> (u64, Time) {
        match self {
            Keeping::Room(snapshot) => (snapshot.entry, snapshot.time),
            Keeping::Lesson(snapshot) => (snapshot.entry, snapshot.time),
        }
    }

    /// The number of the last entry of each server that it contains.
    pub(super) fn heard(&self) -> &BTreeMap<u64, u64> {
        match self {
            Keeping::Room(snapshot) => &snapshot.heard,
            Keeping::Lesson(snapshot) => &snapshot.heard,
        }
    }

    /// The last id that was given, of an event or of a change of the lesson.
    pub(super) fn last_id(&self) -> u64 {
        match self {
            Keeping::Room(snapshot) => snapshot.state.next_id() - 1,
            Keeping::Lesson(snapshot) => snapshot.state.number(),
        }
    }

    /// It, before it is sealed.
    pub(super) fn write(&self) -> Vec<u8> {
        let written = match self {
            Keeping::Room(snapshot) => serde_json::to_vec(snapshot),
            Keeping::Lesson(snapshot) => serde_json::to_vec(snapshot),
        };
        written.expect("plain data")
    }
}
