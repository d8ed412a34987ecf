//! How commands read the journal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
    room::RoomName,
};

use super::Shared;
use crate::{
    clock,
    commands::{
        archive::{Archive, Excerpt, Reach, Unread, Wanted},
        elsewhere::Forgetting,
    },
    journal::{
        Journal,
        past::{Found, Span},
        reader::{self, ReadKind, Request},
        search::Query,
    },
    room::{
        By, HistorySpan, Room,
        lesson::{Asker, LessonOp},
        recorder::Recorder as _,
    },
    session::{Hidden, Reading},
    sync::Mutex,
};

/// The most bytes of events in one answer.
const ANSWER_BYTES: usize = 60 * 1_024;

/// The most events in one answer.
const ANSWER_EVENTS: usize = 200;

/// How long recent messages may take to reach the disk before memory answers instead.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);

impl Archive for Shared {
    fn read(&self, room: &Room, wanted: Wanted<'_>) -> Result<Excerpt, Unread> {
        let kept = self.journal.as_ref().zip(room.kept_as());
        let (journal, number) = kept.ok_or(Unread::NotKept)?;
        let kind = match wanted.words {
            None if wanted.span.has_beginning() => ReadKind::Beginning,
            None => ReadKind::History,
            Some(words) => ReadKind::Search(Query::parse(words).ok_or(Unread::NoWords)?),
        };
        let HistorySpan { before, after, since, limit } = wanted.span;
        if before.is_none() {
            // The answer includes everything said before the question.
            room.settle();
            if !journal.settle(Instant::now() + SETTLE_PATIENCE) {
                return Err(Unread::NotKept);
            }
        }
        let reach = match wanted.reach {
            Reach::Members => self.members_reach(),
            Reach::Everything => Time::from_millis(0),
        };
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
                after: after.unwrap_or(0),
                before: before.unwrap_or(u64::MAX),
                since: since.map_or(reach, |since| since.max(reach)),
            },
            reach,
            events: limit.min(ANSWER_EVENTS),
            bytes: ANSWER_BYTES,
            keep: Box::new(keep),
        };
        let found = journal.reader.read(request).map_err(|unread| match unread {
            reader::ReadError::Busy => Unread::Busy,
            reader::ReadError::Failed => Unread::NotKept,
        })?;
        let Found { events, looked_to, earliest, gaps, restarts, .. } = found;
        Ok(Excerpt { events, looked_to, earliest, gaps, restarts })
    }

    fn rooms_named(&self, name: &RoomName) -> Vec<(u64, Arc<str>)> {
        let name = name.clone();
        let look = |journal: &Arc<Journal>| {
            journal.reader.look(move |past| past.rooms_named(&name)).unwrap_or_default()
        };
        self.journal.as_ref().map(look).unwrap_or_default()
    }

    fn members_reach(&self) -> Time {
        let now = clock::now();
        self.journal.as_ref().map_or(now, |journal| journal.members_reach(now))
    }

    fn operators_reading(&self) -> &Mutex<Option<Reading>> {
        &self.operators_reading
    }

    fn forget_later(&self, forgetting: &Forgetting) {
        let Forgetting { room, name, until } = forgetting;
        self.journal.iter().for_each(|journal| journal.forget_until(room, name.as_ref(), *until));
    }

    fn forget(&self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String> {
        let Some(journal) = &self.journal else { return Ok(0) };
        let destination = madang_protocol::room::Destination::Public(room.clone());
        if let Some(room) = self.rooms.find(&destination) {
            room.settle();
            room.forget_said(name.map(UserName::as_str));
        }
        let (operator, of) = (Asker::new(By::Operator, None), name.cloned());
        // Without a lesson, there are no hands.
        let _ = self.rooms.lesson.act(&operator, LessonOp::ForgetHandTexts { of }, Vec::new);
        journal.forget(room, name)
    }
}
