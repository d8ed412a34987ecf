//! `madang-server recover`: copies what is readable in a damaged database into a new one, and
//! keeps the damaged one under another name. How it reads around the damage is in `salvage`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Row, ToSql, types::Value};

use super::{
    folder::{self, DATABASE, Folder, FolderError},
    salvage::{Salvage, Table, WorkLimit},
    schema::{self, SchemaError},
};

/// The tables, with the keys for reading them in parts.
const TABLES: [(&str, Option<&str>); 8] = [
    ("fact", None),
    ("room", Some("room")),
    ("session", Some("session")),
    ("hole", None),
    ("archived", None),
    ("lesson", Some("number")),
    ("attended", None),
    ("event", Some("id")),
];

/// The result of a recovery.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The number of copied events.
    pub events: usize,
    /// The number of other copied rows (rooms, sessions, gaps).
    pub others: usize,
    /// The number of unreadable places.
    pub damaged: usize,
    /// Whether it was looked everywhere: the work is limited, in proportion to the file.
    pub is_complete: bool,
    /// The work that was done, in SQLite's instructions.
    pub work: u64,
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

/// Recovers the database in a `--data` folder that no server is using, and reports the number
/// of rows copied so far. The work is at most a fixed amount and an amount for each byte of
/// the database: see `salvage`.
///
/// # Errors
///
/// [`RecoverError`]; the database is unchanged then.
pub fn recover(data: &Path, progress: impl FnMut(usize)) -> Result<Recovered, RecoverError> {
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
    let mut damaged = Connection::open_with_flags(&damaged_path, flags).map_err(nothing)?;
    let bytes = fs::metadata(&damaged_path).map_or(0, |file| file.len());
    let work = WorkLimit::set(&mut damaged, bytes).map_err(nothing)?;
    damaged.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(nothing)?;

    let new_path = data.join("madang.db.recovered");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause: String| RecoverError::Write { path, cause }
    };
    let _ = fs::remove_file(&new_path);
    folder::create(&new_path).map_err(|error| failed(&new_path)(error.to_string()))?;
    let copied = copy(&damaged, &work, &new_path, progress)
        .map_err(|error| failed(&new_path)(error.to_string()))?;
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
    let Copied { events, others, damages, is_complete } = copied;
    Ok(Recovered { events, others, damaged: damages, is_complete, work: work.done(), kept })
}

/// An unused name for the damaged database.
fn unused(data: &Path) -> PathBuf {
    let names = (1..).map(|number| data.join(format!("{DATABASE}.damaged-{number}")));
    names.into_iter().find(|path| !path.exists()).expect("there are more numbers than files")
}

/// What was copied.
struct Copied {
    events: usize,
    others: usize,
    damages: usize,
    is_complete: bool,
}

/// Copies every readable row.
fn copy(
    damaged: &Connection,
    work: &WorkLimit,
    new: &Path,
    mut progress: impl FnMut(usize),
) -> Result<Copied, SchemaError> {
    let mut new = Connection::open(new)?;
    schema::migrate(&mut new, true)?;
    let transaction = new.transaction()?;
    let mut copied = Copied { events: 0, others: 0, damages: 0, is_complete: true };
    let mut rows = 0;
    for (name, key) in TABLES {
        work.begin_table();
        let mut columns = columns_of(&transaction, name)?;
        // An older version's table has fewer columns, or does not exist.
        let old = columns_of(damaged, name).unwrap_or_else(|_| columns.clone());
        columns.retain(|column| old.contains(column));
        if columns.is_empty() {
            continue;
        }
        let (names, count) = (columns.join(", "), columns.len());
        let places: Vec<_> = (1..=count).map(|place| format!("?{place}")).collect();
        let mut insert = transaction.prepare(&format!(
            "INSERT OR IGNORE INTO {name} ({names}) VALUES ({})",
            places.join(", ")
        ))?;
        let mut take = |row: &Row<'_>| {
            let values =
                (0..count).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()?;
            let bytes = values.iter().map(bytes_of).sum::<usize>();
            work.spend(bytes as u64);
            let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
            let taken = insert.execute(&*values)?;
            rows += taken;
            progress(rows);
            Ok(taken)
        };
        let mut salvage = Salvage::new(damaged, work, &mut take);
        let table = Table { name, columns: &names, key, has_rooms: name == "event" };
        // A table that can't even be asked about is one unreadable place.
        if salvage.copy(table).is_err() {
            salvage.damages += 1;
        }
        match name {
            "event" => copied.events = salvage.taken,
            _ => copied.others += salvage.taken,
        }
        copied.damages += salvage.damages;
        copied.is_complete &= !work.is_used_up();
    }
    transaction.commit()?;
    Ok(copied)
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 8,
    }
}

fn columns_of(database: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    database.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
}
