//! Deletion: messages older than `--keep`, the oldest ones beyond `--data-limit`, and what the
//! operator deletes with `/forget`. Deleted data is overwritten (`secure_delete`), and its
//! space is released.

use madang_protocol::{event::Time, name::UserName, room::RoomName};
use rusqlite::{Connection, TransactionBehavior, params};

use super::store::{Store, each_room};

/// How many events are deleted in one transaction: others wait a few milliseconds at most.
const SLICE: usize = 1_000;

/// How much of what is beyond the limit is deleted at once: an hour's events of all rooms.
const AT_ONCE_MILLIS: i64 = 3_600_000;

/// How many free pages are released at once.
const PAGES: usize = 1_000;

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how many days; forever if `None`.
    pub keep_days: Option<u32>,
    /// The maximum size of the database in bytes.
    pub limit_bytes: u64,
}

impl Retention {
    /// Thirty days, and 1 GiB.
    pub const DEFAULT: Retention = Retention { keep_days: Some(30), limit_bytes: 1 << 30 };
}

impl Store {
    /// Deletes a slice of what is no longer kept; returns whether there is more.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn tidy(&mut self, retention: Retention, now: Time) -> rusqlite::Result<bool> {
        let too_old = retention.keep_days.map_or(i64::MIN, |days| {
            now.as_millis().saturating_sub(i64::from(days) * 24 * 3_600 * 1_000)
        });
        let first_events = self.first_events()?;
        let Some(oldest) = first_events.iter().map(|(_, time)| *time).min() else {
            return Ok(false);
        };
        let is_too_large = self.used_bytes()? > retention.limit_bytes;
        let before = if is_too_large { oldest.saturating_add(AT_ONCE_MILLIS) } else { too_old };
        // If the clock was wrong, an event of the future may stand before older ones.
        let is_candidate = |time: i64| time < before || time > now.as_millis();
        let mut rooms = first_events.into_iter().filter(|(_, time)| is_candidate(*time)).peekable();
        if rooms.peek().is_none() {
            return Ok(false);
        }
        let transaction = self.transaction(TransactionBehavior::Immediate)?;
        let mut count = 0;
        for (room, first) in rooms {
            let looked_at = if first < before { SLICE as i64 } else { i64::MAX };
            count += transaction.execute(
                "DELETE FROM event WHERE room = ?1 AND id IN (SELECT id FROM \
                 (SELECT id, time FROM event WHERE room = ?1 ORDER BY id LIMIT ?2) \
                 WHERE time < ?3 LIMIT ?4)",
                params![room, looked_at, before, (SLICE - count) as i64],
            )?;
        }
        if count == 0 {
            return Ok(false);
        }
        // A room that has ended and has no events left is deleted too.
        transaction.execute(
            "DELETE FROM room WHERE ended IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM event WHERE event.room = room.room)",
            [],
        )?;
        transaction
            .execute("DELETE FROM archived WHERE room NOT IN (SELECT room FROM room)", [])?;
        transaction.commit()?;
        self.give_back()?;
        Ok(true)
    }

    /// The number of each room with events, and the time of the first.
    fn first_events(&self) -> rusqlite::Result<Vec<(i64, i64)>> {
        let query = each_room(
            "SELECT rooms.room, \
             (SELECT time FROM event WHERE event.room = rooms.room ORDER BY id LIMIT 1) \
             FROM rooms WHERE rooms.room IS NOT NULL",
        );
        let mut statement = self.connection().prepare_cached(&query)?;
        let rooms = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rooms.collect()
    }

    /// Deletes all events of rooms with this name, or those of and about one person, and their
    /// traces in the write-ahead log. Returns the number of events.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(super) fn forget(
        &mut self,
        room: &RoomName,
        name: Option<&UserName>,
    ) -> rusqlite::Result<usize> {
        let transaction = self.transaction(TransactionBehavior::Immediate)?;
        let count = forget_in(&transaction, room, name, None)?;
        transaction.commit()?;
        self.clear_traces()?;
        Ok(count)
    }

    /// Overwrites what was deleted, where the write-ahead log still has it.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(super) fn clear_traces(&self) -> rusqlite::Result<()> {
        self.give_back()?;
        // This waits until the last reader of the old pages is gone.
        self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// The size of the database without its free pages.
    pub(crate) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let number =
            |name| self.connection().pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let pages = number("page_count")? - number("freelist_count")?;
        Ok((pages * number("page_size")?).unsigned_abs())
    }

    fn give_back(&self) -> rusqlite::Result<()> {
        let sql = format!("PRAGMA incremental_vacuum({PAGES})");
        let mut statement = self.connection().prepare(&sql)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}

/// Deletes all events of rooms with this name, or those of and about one person, up to a time if
/// one is given, and the texts of raised hands. Returns the number of events.
pub(super) fn forget_in(
    connection: &Connection,
    room: &RoomName,
    name: Option<&UserName>,
    until: Option<Time>,
) -> rusqlite::Result<usize> {
    let key = room.key();
    let rooms: Vec<(i64, String)> = {
        let mut rooms = connection.prepare("SELECT room, name FROM room")?;
        let read = rooms.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        read.collect::<Result<_, _>>()?
    };
    let is_it = |name: &str| RoomName::parse(name).is_ok_and(|name| name.key() == key);
    let (name, until) = (name.map(UserName::as_str), until.map(Time::as_millis));
    let mut count = 0;
    for (room, _) in rooms.iter().filter(|(_, name)| is_it(name)) {
        count += connection.execute(
            "DELETE FROM event WHERE room = ?1 AND (?2 IS NULL OR user = ?2) \
             AND (?3 IS NULL OR time <= ?3)",
            params![room, name, until],
        )?;
    }
    connection.execute(
        "UPDATE lesson SET fact = json_set(fact, '$.change.HandRaised.text', NULL) \
         WHERE json_extract(fact, '$.change.HandRaised.text') IS NOT NULL \
         AND (?1 IS NULL OR json_extract(fact, '$.change.HandRaised.user') = ?1)",
        [name],
    )?;
    Ok(count)
}
