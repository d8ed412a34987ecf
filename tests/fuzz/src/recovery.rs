//! A damaged database: its readable part is recovered, or nothing is changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use madang_protocol::{command::TranscriptFormat, room::RoomName, text::Lang};
use madang_server::journal::{
    export::{Selection, export},
    recover::recover,
};
use rusqlite::Connection;

/// Databases of each version, each with two rooms.
const DATABASES: [&[u8]; 3] = [
    include_bytes!("../../../server/src/journal/fixtures/version-1.db"),
    include_bytes!("../../../server/src/journal/fixtures/version-2.db"),
    include_bytes!("../../../server/src/journal/fixtures/version-3.db"),
];

/// The most work for a recovery, in instructions of SQLite: for each of seven tables, a fixed amount and an
/// amount for each byte.
const MOST_WORK: u64 = 101_000;
const MOST_WORK_PER_BYTE: u64 = 4;

/// The most events that an undamaged one has.
const EVENTS: usize = 20;

/// An empty folder, which is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("madang-fuzz-{}-{number}", process::id()));
        fs::create_dir(&folder).expect("a new folder");
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Checks a damage: the first byte chooses a database, and whether its end is missing; each three
/// bytes after that are a place in it and the new value there.
pub fn run(input: &[u8]) {
    let Some((choice, damages)) = input.split_first() else { return };
    let mut bytes = DATABASES[usize::from(*choice) % DATABASES.len()].to_vec();
    for damage in damages.chunks_exact(3).take(1_000) {
        let at = usize::from(u16::from_be_bytes([damage[0], damage[1]]));
        match choice / 128 {
            // The last one cuts the end off.
            1 if damages.len() < 6 => bytes.truncate(at),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = damage[2];
                }
            }
        }
    }
    let scratch = Scratch::new();
    let path = scratch.0.join("madang.db");
    fs::write(&path, &bytes).expect("space");
    match recover(&scratch.0, |_| {}) {
        Ok(recovered) => {
            assert_eq!(fs::read(&recovered.kept).expect("it is kept"), bytes, "it was changed");
            let database = Connection::open(&path).expect("a database");
            let ask = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0));
            let events = ask("SELECT count(*) FROM event").expect("a number");
            assert_eq!(usize::try_from(events), Ok(recovered.events));
            assert!(recovered.events <= 10 * EVENTS, "{recovered:?}");
            let most = 7 * (MOST_WORK + MOST_WORK_PER_BYTE * bytes.len() as u64);
            assert!(recovered.work <= most, "{recovered:?} of {} bytes", bytes.len());
            let word: String = database
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .expect("an answer");
            assert_eq!(word, "ok");
        }
        Err(_) => assert_eq!(fs::read(&path).expect("it is there"), bytes, "it was changed"),
    }
    write_transcript(&scratch.0);
}

/// Writes a transcript of what is left, which may fail but not panic.
fn write_transcript(data: &Path) {
    let selection = Selection {
        data: data.to_owned(),
        room: RoomName::lobby(),
        since: None,
        until: None,
        format: TranscriptFormat::Txt,
        lang: Lang::En,
    };
    let mut transcript = Vec::new();
    let zone = jiff::tz::TimeZone::UTC;
    let _ = export(&selection, zone, &mut transcript, |_, _| {});
    let text = String::from_utf8(transcript).expect("text");
    assert!(!text.contains(|c: char| c.is_control() && !"\n\t".contains(c)), "{text:?}");
}
