//! How commands read what the journal keeps.

use std::time::{Duration, Instant};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
    room::RoomName,
};

use super::Shared;
use crate::{
    clock,
    commands::archive::{Archive, Excerpt, Unread, Wanted},
    journal::{
        past::Span,
        reader::{self, ReadKind, Request},
        search::Query,
    },
    room::Room,
    session::Hidden,
};

/// The most bytes of events in one answer.
const ANSWER_BYTES: usize = 60 * 1_024;

/// The most events in one answer.
const ANSWER_EVENTS: usize = 200;

/// How long what was just said may take to be on disk before memory answers instead.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);

impl Archive for Shared {
    fn read(&self, room: &Room, wanted: Wanted<'_>) -> Result<Excerpt, Unread> {
        let kept = self.journal.as_ref().zip(room.kept_as());
        let (journal, number) = kept.ok_or(Unread::NotKept)?;
        let kind = match wanted.words {
            None => ReadKind::History,
            Some(words) => ReadKind::Search(Query::parse(words).ok_or(Unread::NoWords)?),
        };
        if wanted.before.is_none() {
            // What was said before the question belongs to the answer.
            room.settle();
            if !journal.settle(Instant::now() + SETTLE_PATIENCE) {
                return Err(Unread::NotKept);
            }
        }
        let reach = self.config.journal.as_ref().map_or(Duration::ZERO, |config| config.reach);
        let since = clock::now().as_millis().saturating_sub(reach.as_millis() as i64);
        let hidden = wanted.hidden;
        let keep = move |event: &Event| match &hidden {
            Some(hidden) => event.is_said() && !Hidden::hides_past(hidden, event),
            None => true,
        };
        let request = Request {
            kind,
            span: Span {
                room: number,
                name: room.name.clone(),
                before: wanted.before.unwrap_or(u64::MAX),
                since: Time::from_millis(since),
            },
            events: wanted.limit.min(ANSWER_EVENTS),
            bytes: ANSWER_BYTES,
            keep: Box::new(keep),
        };
        let found = journal.reader.read(request).map_err(|unread| match unread {
            reader::ReadError::Busy => Unread::Busy,
            reader::ReadError::Failed => Unread::NotKept,
        })?;
        Ok(Excerpt { events: found.events, looked_from: found.looked_from, is_all: found.is_all })
    }

    fn forget(&self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String> {
        let Some(journal) = &self.journal else { return Ok(0) };
        let destination = madang_protocol::room::Destination::Public(room.clone());
        if let Some(room) = self.rooms.find(&destination) {
            room.settle();
            room.forget_said(name.map(UserName::as_str));
        }
        journal.forget(room, name)
    }
}
