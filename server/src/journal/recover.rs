//! `madang-server recover`: copies what is readable in a damaged database into a new one, and
//! keeps the damaged one under another name.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Row, ToSql, types::Value};

use super::{
    folder::{self, DATABASE, Folder, FolderError},
    schema::{self, SchemaError},
};

/// How often a damaged range is halved: enough to work around thousands of damaged pages.
const MOST_TRIES: usize = 20_000;

/// The result of a recovery.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The number of copied events.
    pub events: usize,
    /// The number of other copied rows (rooms, sessions, gaps).
    pub others: usize,
    /// The number of unreadable places.
    pub damaged: usize,
    /// The new path of the damaged database.
    pub kept: PathBuf,
}

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The folder can't be used, for example because a server is using it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is nothing to recover.
    #[error("there is no database in {path}", path = .0.display())]
    Missing(PathBuf),
    /// A file can't be written or moved.
    #[error("failed to write {path}: {cause}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Nothing in it is readable.
    #[error(
        "nothing in {path} can be read ({cause}); move it away, and the server starts with an \
         empty history",
        path = path.display()
    )]
    Nothing {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        cause: String,
    },
}

/// Recovers the database in a `--data` folder that no server is using.
///
/// # Errors
///
/// [`RecoverError`]; the database is unchanged then.
pub fn recover(data: &Path) -> Result<Recovered, RecoverError> {
    let damaged_path = data.join(DATABASE);
    if !damaged_path.exists() {
        return Err(RecoverError::Missing(data.to_owned()));
    }
    let _folder = Folder::take(data)?;
    let nothing = |error: rusqlite::Error| RecoverError::Nothing {
        path: damaged_path.clone(),
        cause: error.to_string(),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let damaged = Connection::open_with_flags(&damaged_path, flags).map_err(nothing)?;
    damaged.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(nothing)?;

    let new_path = data.join("madang.db.recovered");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause: String| RecoverError::Write { path, cause }
    };
    let _ = fs::remove_file(&new_path);
    folder::create(&new_path).map_err(|error| failed(&new_path)(error.to_string()))?;
    let (events, others, damages) =
        copy(&damaged, &new_path).map_err(|error| failed(&new_path)(error.to_string()))?;
    drop(damaged);

    let kept = unused(data);
    let rename = |from: &Path, to: &Path| {
        fs::rename(from, to).map_err(|error| failed(to)(error.to_string()))
    };
    rename(&damaged_path, &kept)?;
    for end in ["-wal", "-shm"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        if beside(&damaged_path).exists() {
            rename(&beside(&damaged_path), &beside(&kept))?;
        }
    }
    rename(&new_path, &damaged_path)?;
    Ok(Recovered { events, others, damaged: damages, kept })
}

/// An unused name for the damaged database.
fn unused(data: &Path) -> PathBuf {
    let names = (1..).map(|number| data.join(format!("{DATABASE}.damaged-{number}")));
    names.into_iter().find(|path| !path.exists()).expect("there are more numbers than files")
}

/// Copies every readable row; returns the number of events, of other rows, and of unreadable
/// places.
fn copy(damaged: &Connection, new: &Path) -> Result<(usize, usize, usize), SchemaError> {
    let mut new = Connection::open(new)?;
    schema::migrate(&mut new, true)?;
    let transaction = new.transaction()?;
    let (mut events, mut others, mut damages) = (0, 0, 0);
    for (table, key) in [
        ("fact", None),
        ("room", Some("room")),
        ("session", Some("session")),
        ("hole", None),
        ("lesson", Some("number")),
        ("attended", None),
        ("event", Some("id")),
    ] {
        let mut columns = columns_of(&transaction, table)?;
        // An older version's table has fewer columns, or does not exist.
        let old = columns_of(damaged, table).unwrap_or_else(|_| columns.clone());
        columns.retain(|column| old.contains(column));
        if columns.is_empty() {
            continue;
        }
        let (names, count) = (columns.join(", "), columns.len());
        let places: Vec<_> = (1..=count).map(|place| format!("?{place}")).collect();
        let mut insert = transaction.prepare(&format!(
            "INSERT OR IGNORE INTO {table} ({names}) VALUES ({})",
            places.join(", ")
        ))?;
        let mut take = |row: &Row<'_>| {
            let values =
                (0..count).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()?;
            let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
            insert.execute(&*values)
        };
        let mut salvage = Salvage { damaged, taken: 0, damages: 0, take: &mut take };
        match (table, key) {
            ("event", _) => {
                for room in salvage.rooms() {
                    let of_room = format!("event WHERE room = {room} AND");
                    salvage.range(&names, &of_room, "id", 0, i64::MAX);
                }
            }
            (_, Some(key)) => {
                salvage.range(&names, &format!("{table} WHERE"), key, i64::MIN, i64::MAX);
            }
            (_, None) => salvage.all(&format!("SELECT {names} FROM {table}")),
        }
        match table {
            "event" => events = salvage.taken,
            _ => others += salvage.taken,
        }
        damages += salvage.damages;
    }
    transaction.commit()?;
    Ok((events, others, damages))
}

fn columns_of(database: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    database.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Reads a table around its damaged places.
struct Salvage<'a> {
    damaged: &'a Connection,
    taken: usize,
    damages: usize,
    take: &'a mut dyn FnMut(&Row<'_>) -> rusqlite::Result<usize>,
}

impl Salvage<'_> {
    /// The rooms that events may belong to.
    fn rooms(&mut self) -> Vec<i64> {
        let mut rooms = BTreeSet::new();
        for sql in ["SELECT room FROM room", "SELECT DISTINCT room FROM event"] {
            let Ok(mut statement) = self.damaged.prepare(sql) else { continue };
            let Ok(found) = statement.query_map([], |row| row.get::<_, i64>(0)) else { continue };
            rooms.extend(found.map_while(Result::ok));
        }
        rooms.into_iter().collect()
    }

    /// Copies the rows of `sql` up to the first unreadable one.
    fn all(&mut self, sql: &str) {
        if self.read(sql).is_err() {
            self.damages += 1;
        }
    }

    /// Copies the rows of a table with keys in a range, both ends included: upwards to the
    /// first damage, downwards to the last, then each half of what lies between.
    fn range(&mut self, columns: &str, table: &str, key: &str, first: i64, last: i64) {
        let mut ranges = VecDeque::from([(first, last)]);
        let mut tries = 0;
        while let Some((first, last)) = ranges.pop_front() {
            tries += 1;
            let sql = |first, last, order| {
                format!(
                    "SELECT {columns}, {key} FROM {table} {key} BETWEEN {first} AND {last} \
                     ORDER BY {key} {order}"
                )
            };
            let Err(reached) = self.read_keyed(&sql(first, last, "ASC")) else { continue };
            let first = reached.map_or(first, |reached| reached.saturating_add(1));
            let Err(reached) = self.read_keyed(&sql(first, last, "DESC")) else { continue };
            let last = reached.map_or(last, |reached| reached.saturating_sub(1));
            if first >= last || tries > MOST_TRIES {
                self.damages += 1;
                continue;
            }
            let middle = first.midpoint(last);
            ranges.extend([(first, middle), (middle + 1, last)]);
        }
    }

    fn read(&mut self, sql: &str) -> rusqlite::Result<()> {
        let mut statement = self.damaged.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.taken += (self.take)(row)?;
        }
        Ok(())
    }

    /// Reads until the end or until an unreadable row; then returns the last key that was read.
    fn read_keyed(&mut self, sql: &str) -> Result<(), Option<i64>> {
        let mut reached = None;
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.damaged.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                self.taken += (self.take)(row)?;
                reached = Some(row.get(row.as_ref().column_count() - 1)?);
            }
            Ok(())
        };
        let outcome = read();
        outcome.map_err(|_| reached)
    }
}
