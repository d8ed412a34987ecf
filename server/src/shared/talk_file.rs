//! A room's conversation as a file that is written during the download: the pages on disk, then
//! the room's memory if nothing is on disk or the disk lags. The download stores only where to
//! find it.

use std::{
    collections::VecDeque,
    io, mem,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use madang_protocol::{command::TranscriptFormat, event::Event};

use super::Shared;
use crate::{
    journal::{
        pages::{PageItem, Pages},
        transcript::{Heading, Transcript},
    },
    room::Room,
};

/// How long recent messages may take to reach the disk.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);

/// Where a room's conversation is found, and how it is written.
pub(crate) struct Talk {
    /// The rooms that are kept on disk, by number and name.
    pub(crate) saved: Vec<(u64, Arc<str>)>,
    /// The room, unless it had ended before.
    pub(crate) room: Option<Weak<Room>>,
    pub(crate) heading: Heading,
    pub(crate) format: TranscriptFormat,
    pub(crate) file_name: String,
}

impl Talk {
    /// Whether any of it is left: what is not on disk ends with its room.
    pub(super) fn exists(&self) -> bool {
        !self.saved.is_empty() || self.room.as_ref().is_some_and(|room| room.strong_count() > 0)
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.format {
            TranscriptFormat::Txt => "text/plain",
            TranscriptFormat::Html => "text/html",
            TranscriptFormat::Jsonl => "application/x-ndjson",
        }
    }
}

/// Why a file ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    /// The disk fails, or the server stops.
    #[error("the saved messages can't be read")]
    Unread,
    #[error(transparent)]
    Format(#[from] io::Error),
}

/// A file that is being written.
pub(crate) struct TalkFile<'a> {
    shared: &'a Shared,
    /// None at its end.
    transcript: Option<Transcript<Vec<u8>>>,
    /// The pages left on disk.
    pages: Option<Pages>,
    /// What the room remembers beyond the disk.
    remembered: VecDeque<Event>,
    /// The first id of the current room, if it is kept on disk.
    opened: Option<u64>,
    /// The id of the last event from disk; 0 if there was none.
    last: u64,
}

impl<'a> TalkFile<'a> {
    /// Begins the file; `None` if nothing is left to write. Blocks for a round of the room, and
    /// until recent messages are on disk.
    ///
    /// # Errors
    ///
    /// [`TalkError`].
    pub(crate) fn begin(
        shared: &'a Shared,
        talk: &Talk,
    ) -> Result<Option<TalkFile<'a>>, TalkError> {
        let room = talk.room.as_ref().and_then(Weak::upgrade);
        let opened = room.as_ref().and_then(|room| room.kept_as());
        let remembered = room.and_then(|room| room.remembered().ok());
        if talk.saved.is_empty() && remembered.is_none() {
            return Ok(None);
        }
        let is_saved = match &shared.journal {
            Some(journal) if !talk.saved.is_empty() => {
                journal.settle(Instant::now() + SETTLE_PATIENCE)
            }
            _ => false,
        };
        let remembered = remembered.filter(|_| !is_saved).unwrap_or_default();
        Ok(Some(TalkFile {
            shared,
            transcript: Some(Transcript::begin(Vec::new(), talk.format, talk.heading.clone())?),
            pages: (!talk.saved.is_empty()).then(|| Pages::of(talk.saved.clone())),
            remembered: remembered.into(),
            opened,
            last: 0,
        }))
    }

    /// Writes the next piece, which may be empty; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`TalkError`].
    pub(crate) fn piece(&mut self) -> Result<Option<Vec<u8>>, TalkError> {
        let Some(transcript) = &mut self.transcript else { return Ok(None) };
        let Some(mut pages) = self.pages.take() else {
            self.write_remembered()?;
            let rest = self.transcript.take().map(Transcript::end).transpose()?;
            return Ok(rest);
        };
        let journal = self.shared.journal.as_ref().ok_or(TalkError::Unread)?;
        let turned = journal.reader.look(move |past| Ok((pages.turn(past)?, pages)));
        let (entries, pages) = turned.map_err(|_| TalkError::Unread)?;
        if let Some(entries) = entries {
            self.pages = Some(pages);
            for entry in entries {
                match entry {
                    PageItem::Event(event) => {
                        transcript.event(&event)?;
                        self.last = event.id();
                    }
                    PageItem::Hole { first, last } => transcript.hole(first, last)?,
                }
            }
        }
        Ok(Some(mem::take(transcript.output())))
    }

    /// Writes what is not on disk, after what is.
    fn write_remembered(&mut self) -> Result<(), TalkError> {
        let Some(transcript) = &mut self.transcript else { return Ok(()) };
        let TalkFile { opened, last, .. } = *self;
        // Of what follows the last on disk, nothing is missing if memory has that one too, or an older
        // one, though ids may be left out.
        let is_whole = self.remembered.front().is_none_or(|oldest| oldest.id() <= last);
        self.remembered.retain(|event| event.id() > last);
        if let Some(first) = self.remembered.front().map(Event::id)
            && opened.is_some_and(|opened| opened <= last)
            && !is_whole
            && last + 1 < first
        {
            transcript.hole(last + 1, first - 1)?;
        }
        self.remembered.iter().try_for_each(|event| transcript.event(event))?;
        Ok(())
    }
}
