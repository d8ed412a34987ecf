//! Reading the tables of a damaged database around their damaged places, with limited work:
//! a few bytes can lead SQLite in circles.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rusqlite::{Connection, Row, Statement};

/// The work for a table, in instructions of SQLite: at least this much.
const WORK: u64 = 100_000;

/// And this much for each byte of the database. To read an undamaged one takes less than one.
const WORK_PER_BYTE: u64 = 4;

/// What a query costs beside its instructions.
const WORK_PER_QUERY: u64 = 50;

/// SQLite is asked so often how much it has done: after so many instructions.
const STRIDE: u16 = 100;

/// How often a range without a readable row is halved.
const MOST_HALVINGS: u32 = 14;

/// The work that may still be done.
pub(super) struct WorkLimit {
    most: u64,
    left: Arc<AtomicU64>,
    /// For tables before this one.
    done: AtomicU64,
}

impl WorkLimit {
    /// Limits the work of a connection to a database with so many bytes. Beyond it, every query
    /// fails.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub(super) fn set(connection: &mut Connection, bytes: u64) -> rusqlite::Result<WorkLimit> {
        let most = WORK + WORK_PER_BYTE * bytes;
        let left = Arc::new(AtomicU64::new(most));
        let counted = left.clone();
        let count = move || spend(&counted, STRIDE.into());
        connection.progress_handler(STRIDE.into(), Some(count))?;
        Ok(WorkLimit { most, left, done: AtomicU64::new(0) })
    }

    /// The next table has its own share, so that one can't use up what another needs.
    pub(super) fn begin_table(&self) {
        let before = self.left.swap(self.most, Relaxed);
        self.done.fetch_add(self.most - before, Relaxed);
    }

    /// Counts other work.
    pub(super) fn spend(&self, instructions: u64) {
        spend(&self.left, instructions);
    }

    /// Whether nothing more may be done for this table.
    pub(super) fn is_used_up(&self) -> bool {
        self.left.load(Relaxed) == 0
    }

    /// What was done in all.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Relaxed) + self.most - self.left.load(Relaxed)
    }
}

/// Takes some of what is left; returns whether nothing is.
fn spend(left: &AtomicU64, instructions: u64) -> bool {
    let less = |left: u64| Some(left.saturating_sub(instructions));
    let before = left.fetch_update(Relaxed, Relaxed, less);
    before.is_ok_and(|before| before <= instructions)
}

/// A table to copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) name: &'a str,
    /// The names of the columns to copy.
    pub(super) columns: &'a str,
    /// A column with numbers, for reading it in parts.
    pub(super) key: Option<&'a str>,
    /// Whether its rows stand room by room.
    pub(super) has_rooms: bool,
}

/// Keys that may still lead to readable rows, both ends included.
#[derive(Debug, Clone, Copy)]
struct Keys {
    room: i64,
    first: i64,
    last: i64,
    /// How often it was halved since a row was found.
    halvings: u32,
}

/// How many places these are: what was halved is one.
fn places(mut unreadable: Vec<Keys>) -> usize {
    unreadable.sort_unstable_by_key(|keys| (keys.room, keys.first));
    let is_same =
        |one: &Keys, next: &Keys| one.room == next.room && one.last.saturating_add(1) >= next.first;
    unreadable.chunk_by(is_same).count()
}

/// Copies what is readable.
pub(super) struct Salvage<'a> {
    damaged: &'a Connection,
    work: &'a WorkLimit,
    take: &'a mut dyn FnMut(&Row<'_>) -> rusqlite::Result<usize>,
    /// How many rows were copied.
    pub(super) taken: usize,
    /// How many places could not be read.
    pub(super) damages: usize,
}

impl<'a> Salvage<'a> {
    /// Gives each row to `take`, which returns how many it has copied.
    pub(super) fn new(
        damaged: &'a Connection,
        work: &'a WorkLimit,
        take: &'a mut dyn FnMut(&Row<'_>) -> rusqlite::Result<usize>,
    ) -> Salvage<'a> {
        Salvage { damaged, work, take, taken: 0, damages: 0 }
    }

    /// Copies a table.
    ///
    /// # Errors
    ///
    /// SQLite's, if it can't be queried at all.
    pub(super) fn copy(&mut self, table: Table<'_>) -> rusqlite::Result<()> {
        let Table { name, columns, key, has_rooms } = table;
        let Some(key) = key else {
            let mut statement = self.damaged.prepare(&format!("SELECT {columns} FROM {name}"))?;
            if self.read(&mut statement, None).is_err() {
                self.damages += 1;
            }
            return Ok(());
        };
        let in_room = if has_rooms { "room = ?1 AND " } else { "" };
        let in_order = |order| {
            self.damaged.prepare(&format!(
                "SELECT {columns}, {key} FROM {name} WHERE {in_room}{key} BETWEEN ?2 AND ?3 \
                 ORDER BY {key} {order}"
            ))
        };
        let (mut upwards, mut downwards) = (in_order("ASC")?, in_order("DESC")?);
        let all = Keys { room: 0, first: i64::MIN, last: i64::MAX, halvings: 0 };
        let mut ranges: VecDeque<Keys> = match has_rooms {
            true => self.rooms().into_iter().map(|room| Keys { room, ..all }).collect(),
            false => [all].into(),
        };
        let mut unreadable = Vec::new();
        // In turn, so that each room is read from both of its ends before any is halved.
        while let Some(mut keys) = ranges.pop_front() {
            if self.work.is_used_up() {
                unreadable.push(keys);
                continue;
            }
            let before = self.taken;
            let Err(reached) = self.read(&mut upwards, Some(keys)) else { continue };
            keys.first = reached.map_or(keys.first, |reached| reached.saturating_add(1));
            let Err(reached) = self.read(&mut downwards, Some(keys)) else { continue };
            keys.last = reached.map_or(keys.last, |reached| reached.saturating_sub(1));
            if before < self.taken {
                keys.halvings = 0;
            }
            if keys.first >= keys.last || keys.halvings == MOST_HALVINGS {
                unreadable.push(keys);
                continue;
            }
            let (middle, halvings) = (keys.first.midpoint(keys.last), keys.halvings + 1);
            ranges.push_back(Keys { last: middle, halvings, ..keys });
            ranges.push_back(Keys { first: middle + 1, halvings, ..keys });
        }
        self.damages += places(unreadable);
        Ok(())
    }

    /// The rooms that events may belong to: those that were opened, and, one look each, those of
    /// events, upwards and downwards to the first damage.
    fn rooms(&self) -> BTreeSet<i64> {
        let mut rooms = BTreeSet::new();
        if let Ok(mut statement) = self.damaged.prepare("SELECT room FROM room")
            && let Ok(found) = statement.query_map([], |row| row.get::<_, i64>(0))
        {
            rooms.extend(found.map_while(Result::ok));
        }
        for (sql, mut last, order) in [
            ("SELECT min(room) FROM event WHERE room > ?1", i64::MIN, Ordering::Greater),
            ("SELECT max(room) FROM event WHERE room < ?1", i64::MAX, Ordering::Less),
        ] {
            let Ok(mut statement) = self.damaged.prepare(sql) else { continue };
            let mut next = |last| statement.query_row([last], |row| row.get::<_, Option<i64>>(0));
            while let Ok(Some(room)) = next(last)
                // A damaged tree may be out of order.
                && room.cmp(&last) == order
                && !self.work.is_used_up()
            {
                self.work.spend(WORK_PER_QUERY);
                rooms.insert(room);
                last = room;
            }
        }
        rooms
    }

    /// Reads until the end or until an unreadable row; then returns the last key that was read.
    fn read(
        &mut self,
        statement: &mut Statement<'_>,
        keys: Option<Keys>,
    ) -> Result<(), Option<i64>> {
        let mut reached = None;
        let mut read = || -> rusqlite::Result<()> {
            self.work.spend(WORK_PER_QUERY);
            let mut rows = match keys {
                Some(Keys { room, first, last, .. }) => statement.query([room, first, last])?,
                None => statement.query([])?,
            };
            while let Some(row) = rows.next()? {
                self.taken += (self.take)(row)?;
                if keys.is_some() {
                    reached = Some(row.get(row.as_ref().column_count() - 1)?);
                }
            }
            Ok(())
        };
        let outcome = read();
        outcome.map_err(|_| reached)
    }
}
