//! The tables of the journal, and the migration of older databases.
//!
//! Every change of the tables is a step of its own in [`STEPS`]; a step that has been released
//! is never edited. SQLite's `user_version` counts the steps that a database has taken.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a database as Madang's (SQLite's `application_id`): "Mdng".
pub(super) const APPLICATION: i32 = 0x4d64_6e67;

/// The size of a page of a new database. With SQLite's 4 KiB, writing takes a sixth more time.
const PAGE_BYTES: u32 = 8 * 1_024;

/// From an empty database to the current tables.
const STEPS: &[&str] = &[
    "
    -- A row for each time that a public room was opened. `room` is the first id that the
    -- room could give: no two rooms of a server share one.
    CREATE TABLE room (
        room INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        -- What holds in the room (topic, lock, limit, mutes, kicks), as JSON.
        state TEXT,
        -- When it ended, in milliseconds since 1970; NULL while it lives.
        ended INTEGER
    );

    CREATE TABLE event (
        room INTEGER NOT NULL,
        id INTEGER NOT NULL,
        -- Milliseconds since 1970.
        time INTEGER NOT NULL,
        -- Whose doing it was: a session's random number, 0 for the room's own.
        session INTEGER NOT NULL,
        -- The keyed hash of the request's nonce.
        nonce INTEGER,
        -- The event's type on the wire; `me` for what was said with /me.
        kind TEXT NOT NULL,
        user TEXT,
        text TEXT,
        -- The text as it is searched, where that differs.
        folded TEXT,
        -- The other fields of the event, as JSON.
        rest TEXT,
        PRIMARY KEY (room, id)
    ) WITHOUT ROWID;
    CREATE INDEX event_by_time ON event (time);

    -- Sessions of programs that may come back after a restart.
    CREATE TABLE session (
        session INTEGER PRIMARY KEY,
        -- SHA-256 of the token.
        token BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        -- Where it was: a room's number, 0 for a private one.
        room INTEGER NOT NULL,
        -- Whether nobody is told that it joins and leaves.
        quiet INTEGER NOT NULL
    );

    -- What could not be written: a room's ids, both ends included.
    CREATE TABLE hole (
        room INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (room, first)
    ) WITHOUT ROWID;

    -- highest: the highest id ever given. stopped: when the server stopped in good order;
    -- missing while it runs. key: the secret of the nonces' hashes. crashes: the highest known
    -- id at each of the last crashes, as JSON.
    CREATE TABLE fact (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
",
    "
    -- Whether it is a teacher's, and whether that is a screen on the wall.
    ALTER TABLE session ADD COLUMN teacher INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE session ADD COLUMN watching INTEGER NOT NULL DEFAULT 0;

    -- What has changed in the lesson that runs, in its order. No vote, and nobody's question.
    CREATE TABLE lesson (
        number INTEGER PRIMARY KEY,
        -- As JSON.
        fact TEXT NOT NULL
    );

    -- How people have attended it, in each room.
    CREATE TABLE attended (
        -- When it began. All times are milliseconds since 1970.
        lesson INTEGER NOT NULL,
        room INTEGER NOT NULL,
        name TEXT NOT NULL,
        first INTEGER NOT NULL,
        -- When they were there last; of somebody who is, when they came.
        last INTEGER NOT NULL,
        -- Whether they are there.
        here INTEGER NOT NULL,
        -- For how long, before they came last.
        millis INTEGER NOT NULL,
        -- How many messages they have sent.
        lines INTEGER NOT NULL,
        PRIMARY KEY (lesson, room, name)
    ) WITHOUT ROWID;
",
    "
    -- Until when the operator mutes it, in milliseconds since 1970: 0 until that is lifted, NULL if
    -- it may speak.
    ALTER TABLE session ADD COLUMN muted INTEGER;
",
    "
    -- A room's events are in the order of their times, too: they need no second tree, which took a
    -- third of the time of writing.
    DROP INDEX event_by_time;
",
    "
    -- The rooms of a cluster that this is an archive of: up to which id everything is in `event` or
    -- `hole`. The fact `cluster` says which cluster that is.
    CREATE TABLE archived (room INTEGER PRIMARY KEY, recorded_to INTEGER NOT NULL);
",
    "
    -- The number of the last room before the one in `room`, private ones left out; 0 if there is none.
    ALTER TABLE session ADD COLUMN before INTEGER NOT NULL DEFAULT 0;
",
];

/// The version of the current tables.
pub(super) const VERSION: usize = STEPS.len();

/// Why a database is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    /// It belongs to another program.
    #[error("it is the database of another program")]
    Foreign,
    /// A newer server wrote it.
    #[error(
        "a newer madang-server wrote it (version {found} of the tables, this one knows {VERSION})"
    )]
    Newer { found: usize },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Migrates a database to the current tables in one transaction: after a crash, either all
/// steps are done or none.
pub(super) fn migrate(connection: &mut Connection, is_new: bool) -> Result<(), SchemaError> {
    if is_new {
        // Before the first table; the size even before anything reads the file. With `auto_vacuum`,
        // deletions release their space later.
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    let found = check_version(connection, is_new)?;
    if found < VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        for step in &STEPS[found..] {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION as i64)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The version of a database's tables.
pub(super) fn check_version(connection: &Connection, is_new: bool) -> Result<usize, SchemaError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if !is_new && number("application_id")? != i64::from(APPLICATION) {
        return Err(SchemaError::Foreign);
    }
    let found = usize::try_from(number("user_version")?).unwrap_or(usize::MAX);
    if found > VERSION {
        return Err(SchemaError::Newer { found });
    }
    Ok(found)
}
