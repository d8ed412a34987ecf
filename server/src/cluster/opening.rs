//! How rooms are found in Redis, or made there.

use std::sync::atomic::Ordering;

use madang_protocol::{
    name::UserName,
    room::{RoomKey, RoomName},
};
use redis::Connection;

use super::{
    Cluster, kicks, place::LogPlace, room_log::next_seq, scripts::StoredRoom, sealed::Sealed,
};
use crate::{
    clock,
    room::{
        Beginning,
        log::{OpenLog, RoomLog as _, RoomLogs, SharedRoom, Snapshot, Unreachable},
    },
};

impl RoomLogs for Cluster {
    fn open(&self, name: &RoomName) -> Result<SharedRoom, Unreachable> {
        let mut place = LogPlace::public(name);
        let stored = self.stored(&mut place, Some(name.as_str().as_bytes()))?;
        self.open_stored(place, stored.expect("it was made if it did not exist"))
    }

    fn find(&self, name: &RoomName) -> Result<Option<SharedRoom>, Unreachable> {
        let mut place = LogPlace::public(name);
        let stored = self.stored(&mut place, None)?;
        stored.map(|stored| self.open_stored(place, stored)).transpose()
    }

    fn make_private(
        &self,
        key: RoomKey,
        mark: &str,
        beginning: Beginning,
    ) -> Result<SharedRoom, Unreachable> {
        let mut place = LogPlace::private(key);
        let by = (self.origin, next_seq(&self.last_seq));
        let sealed = place.write(Sealed::Mark, by, mark.into());
        let made = self.stored(&mut place, Some(&sealed))?;
        let StoredRoom { first, time, .. } = made.expect("it was made");
        let beginning = Beginning { first_id: first, nonce_key: self.nonce_key, ..beginning };
        let (log, snapshot) = (self.log_at(place), Snapshot::first(beginning, time));
        // Written before anything is appended; until then, nobody is told the key.
        log.keep(snapshot.clone());
        Ok(SharedRoom { name: mark.to_owned(), open: OpenLog { log, snapshot } })
    }

    fn open_private(&self, key: RoomKey) -> Result<Option<SharedRoom>, Unreachable> {
        let mut place = LogPlace::private(key);
        let stored = self.stored(&mut place, None)?;
        stored.map(|stored| self.open_stored(place, stored)).transpose()
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed) > 0
    }

    fn unkick(&self, name: &UserName, session: Option<u64>) -> Result<bool, Unreachable> {
        let lift = |it: &mut Connection| kicks::lift_kicks(it, name, session, clock::now());
        self.control.use_connection(lift).map_err(|error| {
            tracing::warn!(%error, "failed to lift kicks of rooms that have ended");
            Unreachable
        })
    }
}
