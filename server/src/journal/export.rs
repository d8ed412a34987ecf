//! `madang-server transcript`: a room's messages from the `--data` folder, even while a server
//! uses it. Reads in batches, so that the server's write-ahead log never waits for it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use madang_protocol::{command::TranscriptFormat, event::Time, room::RoomName, text::Lang};

use super::{
    folder::DATABASE,
    pages::{PageItem, Pages},
    past::Past,
    transcript::{Heading, Transcript},
};

/// What a transcript contains.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The folder of `--data`.
    pub data: PathBuf,
    /// The room; if its name was reused, all rooms with it.
    pub room: RoomName,
    /// The start of the period.
    pub since: Option<Time>,
    /// The end of the period, excluded.
    pub until: Option<Time>,
    /// The output format.
    pub format: TranscriptFormat,
    /// The language of notices.
    pub lang: Lang,
}

/// Why a transcript can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nothing was ever written there.
    #[error("there is no database in {path}", path = .0.display())]
    Missing(PathBuf),
    /// No public room with this name was ever saved.
    #[error("no room {wanted:?} is recorded; recorded are: {known}")]
    UnknownRoom {
        /// The requested name.
        wanted: String,
        /// The known names.
        known: String,
    },
    /// The database can't be read.
    #[error("failed to read {path}: {cause}", path = path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        cause: String,
    },
    /// The output can't be written.
    #[error("failed to write the transcript: {0}")]
    Output(#[from] io::Error),
}

/// Writes a transcript to `out`, and regularly calls `progress` with the number of events
/// examined and the total. Returns how many were written.
///
/// # Errors
///
/// [`ExportError`].
pub fn export(
    selection: &Selection,
    zone: TimeZone,
    out: impl Write,
    mut progress: impl FnMut(usize, usize),
) -> Result<usize, ExportError> {
    let path = selection.data.join(DATABASE);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: rusqlite::Error| ExportError::Database { path, cause: error.to_string() }
    };
    if !path.exists() {
        return Err(ExportError::Missing(selection.data.clone()));
    }
    let past = Past::open(&path).map_err(failed(&path))?;
    let rooms = past.rooms_named(&selection.room).map_err(failed(&path))?;
    if rooms.is_empty() {
        let known = past.rooms().map_err(failed(&path))?;
        let mut known: Vec<&str> = known.iter().map(|(_, name)| &**name).collect();
        known.sort_unstable();
        known.dedup();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        return Err(ExportError::UnknownRoom { wanted: selection.room.as_str().into(), known });
    }
    let heading = Heading { room: selection.room.as_str().into(), lang: selection.lang, zone };
    let mut transcript = Transcript::begin(out, selection.format, heading)?;
    let mut all = 0;
    for (room, _) in &rooms {
        all += past.count(*room).map_err(failed(&path))?;
    }
    let (mut count, mut looked_at) = (0, 0);
    let mut pages = Pages::of(rooms);
    // A gap belongs to the next event, or to the previous one if there is no next.
    let (mut holes, mut is_in) = (Vec::new(), false);
    while let Some(entries) = pages.turn(&past).map_err(failed(&path))? {
        for entry in entries {
            let event = match entry {
                PageItem::Event(event) => event,
                PageItem::Hole { first, last } => {
                    holes.push((first, last));
                    continue;
                }
            };
            let time = event.stamp().time;
            is_in = selection.since.is_none_or(|since| time >= since)
                && selection.until.is_none_or(|until| time < until);
            looked_at += 1;
            for (first, last) in holes.drain(..).filter(|_| is_in) {
                transcript.hole(first, last)?;
            }
            if is_in {
                transcript.event(&event)?;
                count += 1;
            }
        }
        progress(looked_at, all);
    }
    for (first, last) in holes.into_iter().filter(|_| is_in) {
        transcript.hole(first, last)?;
    }
    transcript.end()?;
    Ok(count)
}
