//! The saved events of some rooms, page by page, for a transcript. No transaction stays open
//! between pages, so a slow reader never blocks the write-ahead log.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::event::{Event, Time};

use super::past::{Past, ReadBounds, Span};

/// The maximum number of events on a page, and how long reading one may take.
const PAGE_EVENTS: usize = 1_000;
const PAGE_BYTES: usize = 128 * 1_024;
const PAGE_TIME: Duration = Duration::from_millis(10);

/// The remaining pages.
#[derive(Debug)]
pub(crate) struct Pages {
    /// The remaining rooms, by number and name.
    rooms: VecDeque<(u64, Arc<str>)>,
    /// The position in the current room, if it was not read to its end.
    bookmark: Option<Bookmark>,
}

/// A position in a room.
#[derive(Debug)]
struct Bookmark {
    /// The rest of it, up to the last event when its first page was read.
    span: Span,
    /// Gaps that could not be saved: the first and last id of each remaining one.
    holes: VecDeque<(u64, u64)>,
}

/// An item on a page.
#[derive(Debug, PartialEq)]
pub(crate) enum PageItem {
    Event(Event),
    /// The events with these ids, both included, could not be saved.
    Hole {
        first: u64,
        last: u64,
    },
}

impl Pages {
    /// All saved events of these rooms, one room after the other.
    pub(crate) fn of(rooms: Vec<(u64, Arc<str>)>) -> Pages {
        Pages { rooms: rooms.into(), bookmark: None }
    }

    /// Reads the next page, which may be empty; `None` at the end.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn turn(&mut self, past: &Past) -> rusqlite::Result<Option<Vec<PageItem>>> {
        let mut bookmark = match self.bookmark.take() {
            Some(bookmark) => bookmark,
            None => match self.rooms.pop_front() {
                Some((room, name)) => Bookmark::at_first_page(past, room, name)?,
                None => return Ok(None),
            },
        };
        let deadline = Instant::now() + PAGE_TIME;
        let bounds = ReadBounds { events: PAGE_EVENTS, bytes: PAGE_BYTES, deadline };
        let found = past.first(&bookmark.span, bounds, |_| true)?;
        let mut page = Vec::with_capacity(found.events.len());
        for event in found.events {
            page.extend(bookmark.holes_before(event.id()));
            page.push(PageItem::Event(event));
        }
        if found.is_all {
            page.extend(bookmark.holes_before(u64::MAX));
        } else {
            bookmark.span.after = found.looked_to;
            self.bookmark = Some(bookmark);
        }
        Ok(Some(page))
    }
}

impl Bookmark {
    fn at_first_page(past: &Past, room: u64, name: Arc<str>) -> rusqlite::Result<Bookmark> {
        let before = past.last_id(room)?.map_or(0, |last| last + 1);
        let span = Span { room, name, after: 0, before, since: Time::from_millis(0) };
        Ok(Bookmark { span, holes: past.holes(room)?.into() })
    }

    /// Takes the gaps before that id.
    fn holes_before(&mut self, id: u64) -> impl Iterator<Item = PageItem> {
        let end = self.holes.partition_point(|(first, _)| *first < id);
        self.holes.drain(..end).map(|(first, last)| PageItem::Hole { first, last })
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::journal::{
        store::Write,
        tests::{Scratch, opened, said, write},
    };

    fn hole(first: u64, last: u64) -> Write {
        Write::Hole { room: 1_000, first, last }
    }

    /// All items: an event as its id twice, a gap as its two ids.
    fn read(pages: &mut Pages, past: &Past) -> Vec<(u64, u64)> {
        let mut items = Vec::new();
        while let Some(page) = pages.turn(past).expect("a database") {
            items.extend(page.into_iter().map(|item| match item {
                PageItem::Event(event) => (event.id(), event.id()),
                PageItem::Hole { first, last } => (first, last),
            }));
        }
        items
    }

    #[test]
    fn pages_hold_everything_in_its_order_with_the_holes() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let mut writes = vec![opened(), hole(1_000, 1_004), hole(3_500, 3_510), hole(9_000, 9_001)];
        writes.extend((1_005..3_500).chain(3_511..5_000).map(|id| write(said(id, "x"))));
        store.write(&writes).expect("a disk");
        let mut pages = Pages::of(vec![(1_000, "수학".into()), (7, "nothing".into())]);
        let mut expected: Vec<(u64, u64)> = (1_005..3_500).map(|id| (id, id)).collect();
        expected.insert(0, (1_000, 1_004));
        expected.push((3_500, 3_510));
        expected.extend((3_511..5_000).map(|id| (id, id)));
        expected.push((9_000, 9_001));
        assert_eq!(read(&mut pages, &scratch.past()), expected);
    }

    #[test]
    fn a_page_is_small_and_what_comes_later_is_not_read() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let long = "x".repeat(16 * 1_024);
        let mut writes = vec![opened()];
        writes.extend((1_000..1_040).map(|id| write(said(id, &long))));
        store.write(&writes).expect("a disk");
        let (past, mut pages) = (scratch.past(), Pages::of(vec![(1_000, "수학".into())]));
        let first = pages.turn(&past).expect("a database").expect("there is a page");
        assert!(first.len() < 9, "{} events of 16 KiB", first.len());
        store.write(&[write(said(1_040, "later"))]).expect("a disk");
        let rest = read(&mut pages, &past);
        assert_eq!(first.len() + rest.len(), 40);
    }

    #[test]
    fn between_two_pages_nothing_keeps_the_log_of_writes_from_being_emptied() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let mut writes = vec![opened()];
        writes.extend((1_000..4_000).map(|id| write(said(id, "x"))));
        store.write(&writes).expect("a disk");
        let (past, mut pages) = (scratch.past(), Pages::of(vec![(1_000, "수학".into())]));
        assert!(pages.turn(&past).expect("a database").is_some());
        store.write(&[write(said(4_000, "later"))]).expect("a disk");
        let busy = store
            .connection()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        assert_eq!(busy, Ok(0));
        let log = scratch.0.join("madang.db-wal").metadata().expect("the log");
        assert_eq!(log.len(), 0);
    }
}
