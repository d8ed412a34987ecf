//! The highest event id of the whole server: where the ids of a new room begin.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

/// The highest id that any room has given to an event. A room that is made again never
/// gives an id twice, even when the clock has gone back.
#[derive(Debug, Default)]
pub(crate) struct EventIds {
    highest: AtomicU64,
}

impl EventIds {
    /// The first id of a room made at `now`: the microseconds since 1970, unless some
    /// room has come that far.
    pub(crate) fn first(&self, now: SystemTime) -> u64 {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Below 2^53, which JSON numbers hold exactly, until the year 2255.
        let micros = since_1970.as_micros() as u64;
        micros.max(self.highest.load(Ordering::Relaxed) + 1)
    }

    /// The highest id that was given.
    pub(crate) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }

    /// Notes that a room has given ids up to `last`; once a round, before the round is
    /// told.
    pub(crate) fn note(&self, last: u64) {
        self.highest.fetch_max(last, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_room_begins_at_the_time_or_above_every_id_that_was_given() {
        let ids = EventIds::default();
        let at = |micros| SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        assert_eq!(ids.first(at(1_000)), 1_000);
        ids.note(5_000);
        ids.note(4_000);
        assert_eq!(ids.first(at(1_000)), 5_001);
        assert_eq!(ids.first(at(5_001)), 5_001);
        assert_eq!(ids.first(at(9_000)), 9_000);
        assert_eq!(ids.first(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), 5_001);
    }
}
