//! Whom public rooms that have ended had kicked, in case they are made again: where one machine has
//! all rooms.

use std::collections::HashMap;

use madang_protocol::{
    event::Time,
    name::{NameKey, UserName},
    room::RoomName,
};

use super::{Room, kicks::Kicks};

/// The kicks that still hold, by room.
#[derive(Default)]
pub(super) struct EndedKicks(HashMap<NameKey, Kicks>);

impl EndedKicks {
    /// Keeps those of a public room that has ended, and drops all that are over.
    pub(super) fn keep(&mut self, room: &Room, now: Time) {
        let name = RoomName::parse(&room.name).expect("a public room has one");
        self.0.insert(name.key(), room.status().access.kicks);
        self.0.retain(|_, kicks| kicks.keep_somebody_out(now));
    }

    /// Those of a room that is made again.
    pub(super) fn take(&mut self, room: &NameKey) -> Kicks {
        self.0.remove(room).unwrap_or_default()
    }

    /// Lifts those for this name and for the session that has it now; returns whether there were
    /// any.
    pub(super) fn lift(&mut self, name: &UserName, session: Option<u64>, now: Time) -> bool {
        let mut any = false;
        for kicks in self.0.values_mut() {
            for name in kicks.lifted_by(name, session, now) {
                kicks.remove(&name, now);
                any = true;
            }
        }
        any
    }

    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
