//! The database as used by its single writer: opens it, writes batches in one transaction each,
//! and reads what a starting server needs.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
    room::RoomName,
};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, ToSql, Transaction, TransactionBehavior, params,
};

use super::{
    archived::{begin_past, end_rooms},
    folder::{self, Folder, FolderError, Placed},
    retention::forget_in,
    row::Columns,
    schema::{self, SchemaError},
};
use crate::{room::lesson::class::Attended, session::Mute};

/// How long the check for damage at the start may take.
const CHECK_TIME: Duration = Duration::from_millis(400);

/// How long the write-ahead log gets before it is moved into the database.
const LOG_BYTES: i64 = 4 * 1_024 * 1_024;

/// How many events one statement inserts; this halves the cost per event.
const EVENTS_AT_ONCE: usize = 16;

/// Why the journal can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database can't be used.
    #[error(
        "{database} can't be used: {cause}. Nothing was changed; \
         `madang-server recover --data {folder}` saves what can still be read",
        database = database.display(),
        folder = database.parent().unwrap_or(database).display()
    )]
    Database {
        /// The file.
        database: PathBuf,
        /// What is wrong.
        cause: String,
    },
}

/// Something to write. A room is identified by its number: the first id that it could give.
#[derive(Debug)]
pub(crate) enum Write {
    /// A public room was opened.
    Opened { room: u64, name: Arc<str> },
    /// An event in a room. `session` is the random number of the session that caused it, 0 for
    /// the room; `nonce` is the keyed hash of the request's nonce.
    Event { room: u64, event: Event, session: u64, nonce: Option<u64> },
    /// A room's lasting state has changed.
    State { room: u64, state: String },
    /// A room ended.
    Ended { room: u64, time: Time },
    /// A program's session exists, or is in another room (0: a private one).
    Session {
        session: u64,
        token: [u8; 32],
        name: Arc<str>,
        room: u64,
        quiet: bool,
        teacher: bool,
        watching: bool,
        /// The operator's.
        muted: Option<Mute>,
    },
    /// A session ended.
    SessionEnded { session: u64 },
    /// A change of the lesson, as JSON.
    Lesson { fact: String },
    /// The lesson has ended, or another one begins.
    LessonOver,
    /// Somebody's attendance, in a room, of the lesson that began at this time.
    Attended { lesson: Time, room: u64, name: String, attended: Attended },
    /// These ids of a room, both ends included, could not be saved.
    Hole { room: u64, first: u64, last: u64 },
    /// Of a room that this is an archive of, everything up to that id is written, or a hole.
    Archived { room: u64, recorded_to: u64 },
    /// This is an archive of that cluster from now on: rooms that are not the cluster's end.
    Archives { cluster: String },
    /// The rooms of the cluster are these. Others have ended while it was not heard of.
    Living { rooms: Vec<u64> },
    /// Forgets what was written until now of the rooms with this name: of one person, if named,
    /// and until a time, if given.
    Forget { room: RoomName, name: Option<UserName>, until: Option<Time> },
    /// The highest id given in any room, including private ones.
    Highest(u64),
    /// The server has started: until it stops cleanly, something may be missing.
    ///
    /// After each of these ids, a crash may have lost events.
    Started { crashes: Vec<u64> },
    /// The server has stopped cleanly.
    Stopped(Time),
}

/// The database, for its single writer.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    folder: Folder,
    /// The files of the database.
    placed: Placed,
    /// How many pages the write-ahead log may have.
    log_pages: i64,
}

impl Store {
    /// Opens the database in the folder, or creates one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing was changed then.
    pub(crate) fn open(path: &Path) -> Result<Store, OpenError> {
        let folder = Folder::take(path)?;
        let database = folder.database();
        let failed = |cause: String| OpenError::Database { database: database.clone(), cause };
        let is_new = !database.exists();
        if is_new && ["-wal", "-journal"].iter().any(|end| beside(&database, end).exists()) {
            return Err(failed(
                "it is gone, and what was not yet moved into it is still there".into(),
            ));
        }
        if !is_new && database.metadata().is_ok_and(|file| file.len() == 0) {
            return Err(failed("it is empty".into()));
        }
        if is_new {
            make_database(&database)?;
        }
        let (connection, log_pages) = open(&database)
            .and_then(|connection| {
                let page_bytes: i64 =
                    connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
                Ok((connection, LOG_BYTES / page_bytes))
            })
            .map_err(|error| failed(error.to_string()))?;
        let placed = Placed::of(["", "-wal"].map(|end| beside(&database, end)));
        Ok(Store { connection, folder, placed, log_pages })
    }

    /// The path of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.database()
    }

    /// Checks that the files of the database are still where they were.
    ///
    /// # Errors
    ///
    /// Which is not.
    pub(crate) fn check_files(&self) -> Result<(), String> {
        self.placed.check()
    }

    /// Writes everything in one transaction; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; nothing was written then.
    pub(crate) fn write(&mut self, writes: &[Write]) -> rusqlite::Result<()> {
        let transaction = self.transaction(TransactionBehavior::Immediate)?;
        let (mut events, mut highest) = (Vec::with_capacity(EVENTS_AT_ONCE), None);
        let (mut archived, mut forgets) = (BTreeMap::new(), false);
        for write in writes {
            match write {
                Write::Event { .. } => events.push(write),
                // Each round has one.
                Write::Highest(id) => highest = highest.max(Some(*id)),
                Write::Archived { room, recorded_to } => {
                    archived.insert(*room, *recorded_to);
                }
                Write::Forget { .. } => {
                    for event in events.drain(..) {
                        insert_events(&transaction, &[event])?;
                    }
                    carry_out(&transaction, write)?;
                    forgets = true;
                }
                _ => carry_out(&transaction, write)?,
            }
            if events.len() == EVENTS_AT_ONCE {
                insert_events(&transaction, &events)?;
                events.clear();
            }
        }
        for event in events {
            insert_events(&transaction, &[event])?;
        }
        let last = writes.iter().rev().find_map(|write| match write {
            Write::Event { event, .. } => Some(event.stamp().time),
            _ => None,
        });
        if let Some(time) = last {
            let until = "INSERT OR REPLACE INTO fact VALUES ('until', ?1)";
            transaction.prepare_cached(until)?.execute([time.as_millis()])?;
        }
        if let Some(highest) = highest {
            carry_out(&transaction, &Write::Highest(highest))?;
        }
        for (room, recorded_to) in archived {
            carry_out(&transaction, &Write::Archived { room, recorded_to })?;
        }
        transaction.commit()?;
        if forgets && let Err(error) = self.clear_traces() {
            // They go when the log is shortened next.
            tracing::error!(%error, "failed to clear the traces of what was forgotten");
        }
        Ok(())
    }

    /// Moves the write-ahead log into the database, if it has become long. SQLite would do so as a
    /// part of the commit, while acks wait.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; the log is moved later then.
    pub(crate) fn shorten_log(&self) -> rusqlite::Result<()> {
        let pages = |sql| -> rusqlite::Result<i64> {
            self.connection.prepare_cached(sql)?.query_row([], |row| row.get(1))
        };
        if pages("PRAGMA wal_checkpoint(NOOP)")? >= self.log_pages {
            pages("PRAGMA wal_checkpoint(PASSIVE)")?;
        }
        Ok(())
    }

    /// The secret for hashing nonces, generated on first use.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn nonce_key(&self) -> rusqlite::Result<(u64, u64)> {
        if let Some(key) = self.fact::<[u8; 16]>("key")? {
            let [low, high] = [0, 8].map(|at| key[at..at + 8].try_into().expect("eight bytes"));
            return Ok((u64::from_le_bytes(low), u64::from_le_bytes(high)));
        }
        let mut key = [0; 16];
        getrandom::fill(&mut key).expect("a system that has started has random bits");
        self.connection.execute("INSERT INTO fact VALUES ('key', ?1)", [key])?;
        self.nonce_key()
    }

    pub(super) fn transaction(
        &mut self,
        behavior: TransactionBehavior,
    ) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(behavior)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The value that was last stored under this name.
    pub(super) fn fact<T: rusqlite::types::FromSql>(
        &self,
        name: &str,
    ) -> rusqlite::Result<Option<T>> {
        let query = "SELECT value FROM fact WHERE name = ?1";
        self.connection.query_row(query, [name], |row| row.get(0)).optional()
    }
}

/// A query of `rooms`, the numbers of all rooms with events (and one that is NULL): with one lookup
/// for each room, instead of a scan of all rows.
pub(super) fn each_room(query: &str) -> String {
    format!(
        "WITH RECURSIVE rooms (room) AS (
            SELECT min(room) FROM event
            UNION ALL
            SELECT (SELECT min(room) FROM event WHERE event.room > rooms.room) FROM rooms
            WHERE rooms.room IS NOT NULL
        ) {query}"
    )
}

/// One of SQLite's files beside the database.
fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Creates a database with all its tables. It gets its final name when it is complete, so a
/// crash leaves either none or a complete one.
fn make_database(database: &Path) -> Result<(), FolderError> {
    let unfinished = beside(database, ".new");
    let failed = |cause| FolderError::Io { path: unfinished.clone(), cause };
    for end in ["", "-journal"] {
        match fs::remove_file(beside(&unfinished, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    // SQLite creates its other files with the permissions of this one.
    folder::create(&unfinished).map_err(failed)?;
    let fill = || -> Result<(), SchemaError> {
        let mut connection = connection_to(&unfinished)?;
        schema::migrate(&mut connection, true)?;
        Ok(connection.close().map_err(|(_, error)| error)?)
    };
    fill().map_err(|error| failed(io::Error::other(error)))?;
    fs::rename(&unfinished, database).map_err(failed)?;
    #[cfg(unix)]
    if let Some(folder) = database.parent() {
        // Makes sure that the new name is on disk too.
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(())
}

fn connection_to(database: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(database, flags)
}

fn open(database: &Path) -> Result<Connection, SchemaError> {
    let mut connection = connection_to(database)?;
    schema::check_version(&connection, false)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let refused = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        let why = format!("the write-ahead log is not possible here (journal_mode {mode})");
        return Err(rusqlite::Error::SqliteFailure(refused, Some(why)).into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1_024 * 1_024)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    look_for_damage(&mut connection)?;
    schema::migrate(&mut connection, false)?;
    Ok(connection)
}

/// Checks the database for damage, for as long as a start may take.
fn look_for_damage(connection: &mut Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + CHECK_TIME;
    connection.progress_handler(10_000, Some(move || Instant::now() > deadline))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(found) if found != "ok" => {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            Err(rusqlite::Error::SqliteFailure(corrupt, Some(found)))
        }
        Err(error)
            if error.sqlite_error_code() != Some(rusqlite::ErrorCode::OperationInterrupted) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Inserts one event, or [`EVENTS_AT_ONCE`].
fn insert_events(connection: &Connection, events: &[&Write]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(match events {
        [_] => &INSERT_ONE,
        _ => &INSERT_MANY,
    })?;
    let mut places = 1..;
    let mut bind = |value: &dyn ToSql| {
        let place = places.next().expect("there is no last number");
        insert.raw_bind_parameter(place, value)
    };
    for write in events {
        let Write::Event { room, event, session, nonce } = write else { continue };
        let columns = Columns::from(event);
        bind(&(*room as i64))?;
        bind(&(event.id() as i64))?;
        bind(&event.stamp().time.as_millis())?;
        bind(&(*session as i64))?;
        bind(&nonce.map(|nonce| nonce as i64))?;
        bind(&columns.kind)?;
        bind(&columns.user)?;
        bind(&columns.text)?;
        bind(&columns.folded)?;
        bind(&columns.rest)?;
    }
    insert.raw_execute().map(drop)
}

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_sql(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_sql(EVENTS_AT_ONCE));

fn insert_sql(events: usize) -> String {
    let rows = ["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"].repeat(events).join(", ");
    format!(
        "INSERT OR IGNORE INTO event \
         (room, id, time, session, nonce, kind, user, text, folded, rest) VALUES {rows}"
    )
}

fn carry_out(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    let number = |number: u64| number as i64;
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<()> {
        connection.prepare_cached(sql)?.execute(values).map(drop)
    };
    match write {
        Write::Opened { room, name } => run(
            // A cluster's room goes on after the archive had ended it.
            "INSERT INTO room (room, name) VALUES (?1, ?2) \
             ON CONFLICT (room) DO UPDATE SET ended = NULL WHERE ended IS NOT NULL",
            params![number(*room), &**name],
        ),
        Write::Event { .. } => insert_events(connection, &[write]),
        Write::Forget { room, name, until } => {
            forget_in(connection, room, name.as_ref(), *until).map(drop)
        }
        Write::State { room, state } => {
            run("UPDATE room SET state = ?2 WHERE room = ?1", params![number(*room), state])
        }
        Write::Ended { room, time } => run(
            "UPDATE room SET ended = ?2 WHERE room = ?1",
            params![number(*room), time.as_millis()],
        ),
        Write::Session { session, token, name, room, quiet, teacher, watching, muted } => {
            let muted = muted.map(|mute| mute.until.map_or(0, Time::as_millis));
            let (session, room) = (number(*session), number(*room));
            run(
                "INSERT OR REPLACE INTO session \
                 (session, token, name, room, quiet, teacher, watching, muted, before) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce((SELECT \
                    CASE WHEN room IN (0, ?4) THEN before ELSE room END \
                    FROM session WHERE session = ?1), 0))",
                params![session, token, &**name, room, quiet, teacher, watching, muted],
            )
        }
        Write::SessionEnded { session } => {
            run("DELETE FROM session WHERE session = ?1", params![number(*session)])
        }
        Write::Lesson { fact } => run("INSERT INTO lesson (fact) VALUES (?1)", params![fact]),
        Write::LessonOver => {
            run("DELETE FROM lesson", params![])?;
            run("DELETE FROM attended", params![])
        }
        Write::Attended { lesson, room, name, attended } => run(
            "INSERT OR REPLACE INTO attended \
             (lesson, room, name, first, last, here, millis, lines) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                lesson.as_millis(),
                number(*room),
                name,
                attended.first.as_millis(),
                attended.last.as_millis(),
                attended.is_here,
                number(attended.millis),
                number(attended.lines)
            ],
        ),
        Write::Hole { room, first, last } => run(
            "INSERT OR REPLACE INTO hole (room, first, last) VALUES (?1, ?2, ?3)",
            params![number(*room), number(*first), number(*last)],
        ),
        Write::Archived { room, recorded_to } => run(
            "INSERT OR REPLACE INTO archived VALUES (?1, ?2)",
            params![number(*room), number(*recorded_to)],
        ),
        Write::Archives { cluster } => begin_past(connection, Some(cluster)),
        Write::Living { rooms } => {
            let rooms: Vec<i64> = rooms.iter().map(|room| number(*room)).collect();
            let rooms = serde_json::to_string(&rooms).expect("plain data");
            end_rooms(connection, "room.room NOT IN (SELECT value FROM json_each(?1))", &[&rooms])
        }
        Write::Highest(id) => run(
            "INSERT INTO fact VALUES ('highest', ?1) \
             ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            params![number(*id)],
        ),
        Write::Started { crashes } => {
            run("DELETE FROM fact WHERE name = 'stopped'", params![])?;
            let crashes = serde_json::to_string(crashes).expect("plain data");
            run("INSERT OR REPLACE INTO fact VALUES ('crashes', ?1)", params![crashes])
        }
        Write::Stopped(time) => {
            run("INSERT OR REPLACE INTO fact VALUES ('stopped', ?1)", params![time.as_millis()])
        }
    }
}
