//! `madang-server transcript`: a room's talk from the folder of `--data`, also while a server
//! runs on it. It reads in batches, so that the server's log of writes never waits for it.

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

/// What a transcript is to hold.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The folder of `--data`.
    pub data: PathBuf,
    /// The room; of a name that was used several times, all of them.
    pub room: RoomName,
    /// Only what happened from then on.
    pub since: Option<Time>,
    /// Only what happened before.
    pub until: Option<Time>,
    /// How it is written.
    pub format: TranscriptFormat,
    /// The language of what the server adds.
    pub lang: Lang,
}

/// Why there is no transcript.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nothing was ever written there.
    #[error("there is no database in {path}", path = .0.display())]
    Missing(PathBuf),
    /// No public room of this name was ever recorded.
    #[error("no room {wanted:?} is recorded; recorded are: {known}")]
    UnknownRoom {
        /// The name that was asked for.
        wanted: String,
        /// Those that there are.
        known: String,
    },
    /// The database can't be read.
    #[error("failed to read {path}: {cause}", path = path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        cause: String,
    },
    /// The output can't be written.
    #[error("failed to write the transcript: {0}")]
    Output(#[from] io::Error),
}

/// Writes a transcript to `out`, and calls `progress` now and then with how many events it has
/// looked at and how many there are. Returns how many it has written.
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
    // A hole belongs to what follows it, or else to what comes before.
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
