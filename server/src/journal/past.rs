//! Reading back: more history than memory has, searches, and the events of a transcript. Each
//! call takes a limited time, on a read-only connection.

use std::{path::Path, sync::Arc, time::Instant};

use madang_protocol::{
    event::{Event, Time},
    room::RoomName,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{
    row::{self, EVENT},
    search::Query,
};

/// The database, opened for reading.
#[derive(Debug)]
pub(crate) struct Past {
    connection: Connection,
}

/// The events of a room to examine.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// The room's number.
    pub(crate) room: u64,
    /// Its name, for its events.
    pub(crate) name: Arc<str>,
    /// Only events with higher ids.
    pub(crate) after: u64,
    /// Only events with lower ids.
    pub(crate) before: u64,
    /// Only events at or after this time.
    pub(crate) since: Time,
}

/// The result, in chronological order.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) events: Vec<Event>,
    /// The id from which everything was examined or, for the first events, up to which.
    pub(crate) looked_to: u64,
    /// Whether there is nothing more in the span.
    pub(crate) is_all: bool,
    /// Whether there is more that did not fit.
    pub(crate) is_full: bool,
    /// Whether nothing older may be read.
    pub(crate) earliest: bool,
    /// What could not be written of what was looked at: the first and the last id of each hole.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// The restarts of the server among what was looked at.
    pub(crate) restarts: Vec<Event>,
}

/// The order in which events are examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    NewestFirst,
    OldestFirst,
}

impl Found {
    /// Joins two results; `is_older` tells which of them is the older part.
    pub(crate) fn joined_to(self, other: Found, is_older: bool) -> Found {
        let Found { looked_to, is_all, is_full, earliest, .. } = self;
        let (older, newer) = if is_older { (self, other) } else { (other, self) };
        let Found { mut events, mut gaps, mut restarts, .. } = older;
        events.extend(newer.events);
        gaps.extend(newer.gaps);
        restarts.extend(newer.restarts);
        Found { events, looked_to, is_all, is_full, earliest, gaps, restarts }
    }
}

/// The limits of a result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadBounds {
    /// Events.
    pub(crate) events: usize,
    /// The size of the events when sent.
    pub(crate) bytes: usize,
    /// When to stop.
    pub(crate) deadline: Instant,
}

/// How many rows are read between two looks at the clock.
const ROWS_A_LOOK: usize = 256;

impl Past {
    /// Opens the database, whether or not a server is using it.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn open(database: &Path) -> rusqlite::Result<Past> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.pragma_update(None, "query_only", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        Ok(Past { connection })
    }

    /// The newest events of the span that `keep` accepts.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn newest(
        &self,
        span: &Span,
        bounds: ReadBounds,
        mut keep: impl FnMut(&Event) -> bool,
    ) -> rusqlite::Result<Found> {
        self.look(Order::NewestFirst, span, bounds, |_| true, &mut keep)
    }

    /// The first events of the span that `keep` accepts.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn first(
        &self,
        span: &Span,
        bounds: ReadBounds,
        mut keep: impl FnMut(&Event) -> bool,
    ) -> rusqlite::Result<Found> {
        self.look(Order::OldestFirst, span, bounds, |_| true, &mut keep)
    }

    /// The id of a room's first event at or after a time, if there is one. Times rise with the ids,
    /// so this is a binary search; where the clock was set back, it finds one of the borders.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn first_since(&self, room: u64, since: Time) -> rusqlite::Result<Option<u64>> {
        let mut next = self.connection.prepare_cached(
            "SELECT id, time FROM event WHERE room = ?1 AND id >= ?2 ORDER BY id LIMIT 1",
        )?;
        let (mut low, mut high, mut found) = (0, i64::MAX, None);
        while low < high {
            let middle = low + (high - low) / 2;
            let event = next.query_row(params![room as i64, middle], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            });
            match event.optional()? {
                Some((id, time)) if time < since.as_millis() => low = id + 1,
                later => (high, found) = (middle, later.map(|(id, _)| id as u64).or(found)),
            }
        }
        Ok(found)
    }

    /// The newest messages of the span that match the query and that `keep` accepts.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn search(
        &self,
        span: &Span,
        query: &Query,
        bounds: ReadBounds,
        mut keep: impl FnMut(&Event) -> bool,
    ) -> rusqlite::Result<Found> {
        let holds = |folded: Option<&str>| folded.is_some_and(|folded| query.is_in(folded));
        self.look(Order::NewestFirst, span, bounds, holds, &mut keep)
    }

    /// When a room's last event up to that id happened, if there is one.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub(crate) fn last_up_to(&self, room: u64, id: u64) -> rusqlite::Result<Option<Time>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT time FROM event WHERE room = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1",
        )?;
        let values = params![room as i64, i64::try_from(id).unwrap_or(i64::MAX)];
        statement.query_row(values, |row| row.get(0).map(Time::from_millis)).optional()
    }

    /// The id of a room's last event, if there is one.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn last_id(&self, room: u64) -> rusqlite::Result<Option<u64>> {
        let mut statement =
            self.connection.prepare_cached("SELECT max(id) FROM event WHERE room = ?1")?;
        let last = statement.query_row([room as i64], |row| row.get::<_, Option<i64>>(0))?;
        Ok(last.map(|id| id as u64))
    }

    /// Each opening of a public room: its number and name, oldest first.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn rooms(&self) -> rusqlite::Result<Vec<(u64, Arc<str>)>> {
        let mut statement =
            self.connection.prepare_cached("SELECT room, name FROM room ORDER BY room")?;
        let rooms = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get_ref(1)?.as_str()?.into()))
        })?;
        rooms.collect()
    }

    /// The same for rooms with this name.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn rooms_named(&self, name: &RoomName) -> rusqlite::Result<Vec<(u64, Arc<str>)>> {
        let key = name.key();
        let mut rooms = self.rooms()?;
        rooms.retain(|(_, name)| RoomName::parse(name).is_ok_and(|name| name.key() == key));
        Ok(rooms)
    }

    /// The number of saved events of a room.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn count(&self, room: u64) -> rusqlite::Result<usize> {
        let mut statement =
            self.connection.prepare_cached("SELECT count(*) FROM event WHERE room = ?1")?;
        let count = statement.query_row([room as i64], |row| row.get::<_, i64>(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The gaps of a room that could not be saved: the first and last id of each.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn holes(&self, room: u64) -> rusqlite::Result<Vec<(u64, u64)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT first, last FROM hole WHERE room = ?1 ORDER BY first")?;
        let holes = statement.query_map([room as i64], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
        })?;
        holes.collect()
    }

    /// The holes of a room that are at least partly within these ids, the second not included.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub(crate) fn holes_within(
        &self,
        room: u64,
        from: u64,
        to: u64,
    ) -> rusqlite::Result<Vec<(u64, u64)>> {
        let mut holes = self.holes(room)?;
        holes.retain(|(first, last)| *first < to && *last >= from);
        Ok(holes)
    }

    fn look(
        &self,
        order: Order,
        span: &Span,
        bounds: ReadBounds,
        holds: impl Fn(Option<&str>) -> bool,
        keep: &mut dyn FnMut(&Event) -> bool,
    ) -> rusqlite::Result<Found> {
        let (direction, looked_to) = match order {
            Order::NewestFirst => ("DESC", span.before),
            Order::OldestFirst => ("ASC", span.after),
        };
        let sql = format!(
            "SELECT {EVENT}, coalesce(event.folded, event.text) FROM event \
             WHERE room = ?1 AND id > ?2 AND id < ?3 ORDER BY id {direction}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let [after, before] =
            [span.after, span.before].map(|id| i64::try_from(id).unwrap_or(i64::MAX));
        let mut rows = statement.query(params![span.room as i64, after, before])?;
        let events = Vec::new();
        let (gaps, restarts) = (Vec::new(), Vec::new());
        let (is_all, is_full, earliest) = (true, false, false);
        let mut found = Found { events, looked_to, is_all, is_full, earliest, gaps, restarts };
        let (mut bytes, mut looked_at) = (0, 0_usize);
        while let Some(row) = rows.next()? {
            let is_too_old = row.get::<_, i64>(1)? < span.since.as_millis();
            if is_too_old && order == Order::NewestFirst {
                break;
            }
            if looked_at.is_multiple_of(ROWS_A_LOOK) && Instant::now() > bounds.deadline {
                found.is_all = false;
                break;
            }
            looked_at += 1;
            if !is_too_old
                && holds(row.get_ref(6)?.as_str_or_null()?)
                && let Some(event) = row::event(row, &span.name)?
            {
                if matches!(event, Event::Restarted { .. }) {
                    found.restarts.push(event.clone());
                }
                if !keep(&event) {
                    found.looked_to = row.get::<_, i64>(0)? as u64;
                    continue;
                }
                bytes += event.encoded_bytes();
                let is_too_much = bytes > bounds.bytes && !found.events.is_empty();
                if is_too_much || found.events.len() == bounds.events {
                    (found.is_all, found.is_full) = (false, true);
                    break;
                }
                found.events.push(event);
            }
            found.looked_to = row.get::<_, i64>(0)? as u64;
        }
        if order == Order::NewestFirst {
            found.events.reverse();
            found.restarts.reverse();
            found.earliest = found.is_all;
        }
        Ok(found)
    }
}
