//! Fetches earlier events for `--since`: decides which page of the history to request next, and
//! when to stop. Each page is older than the one before it. The number of pages and of kept
//! events is limited, whatever a server sends.

use std::collections::BTreeMap;

use madang_protocol::event::Event;
use serde::Deserialize;

use crate::since::Since;

/// The number of events per request, after the newest page.
const PAGE_EVENTS: usize = 200;

/// Limits on fetched events: a busy day of a large room.
const MOST_EVENTS: usize = 100_000;
const MOST_BYTES: usize = 64 * 1_024 * 1_024;
const MOST_PAGES: usize = 2_000;

/// Limits on one page; pages of Madang servers are less than a tenth of this.
const MOST_PAGE_EVENTS: usize = 10_000;
const MOST_PAGE_BYTES: usize = 4 * 1_024 * 1_024;

/// What has been fetched so far.
pub(super) struct Earlier {
    since: Since,
    /// The events since the starting point, by id; `None` if this version does not know one.
    events: BTreeMap<u64, Option<Event>>,
    bytes: usize,
    /// The lowest id received so far; the next page has lower ones.
    lowest: Option<u64>,
    pages: usize,
    /// The events of the current page. They may arrive in several messages, oldest first, and
    /// the connection may be lost in between.
    page: BTreeMap<u64, Option<Event>>,
    page_bytes: usize,
    end: Option<End>,
}

/// Why fetching has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The starting point was reached.
    Reached,
    /// The server has nothing older.
    NothingOlder,
    /// There is more, but the limit was reached.
    TooMuch,
}

impl Earlier {
    pub(super) fn new(since: Since) -> Earlier {
        Earlier {
            since,
            events: BTreeMap::new(),
            bytes: 0,
            lowest: None,
            pages: 0,
            page: BTreeMap::new(),
            page_bytes: 0,
            end: None,
        }
    }

    /// Begins a page, or begins it again. Returns `before` and `limit` for the request.
    pub(super) fn begin_page(&mut self) -> (Option<u64>, Option<usize>) {
        self.pages += 1;
        (self.page, self.page_bytes) = (BTreeMap::new(), 0);
        (self.lowest, self.lowest.map(|_| PAGE_EVENTS))
    }

    /// Adds a part of the page: the ids of all its events, and the events that this version knows.
    /// Ignores those that don't belong to the page.
    pub(super) fn add<'e>(&mut self, ids: &[u64], known: impl Iterator<Item = &'e Event>) {
        let before = self.lowest.unwrap_or(u64::MAX);
        let ids = ids.iter().map(|id| (*id, None));
        let all = ids.chain(known.map(|event| (event.id(), Some(event))));
        for (id, event) in all.filter(|(id, _)| self.lowest.is_none() || *id < before) {
            if self.page.len() >= MOST_PAGE_EVENTS || self.page_bytes >= MOST_PAGE_BYTES {
                self.end = Some(End::TooMuch);
                return;
            }
            let entry = self.page.entry(id).or_default();
            if let Some(event) = event {
                self.page_bytes += event.encoded_bytes();
                *entry = Some(event.clone());
            }
        }
    }

    /// Ends the page. Returns why it was the last one; `None` if another is needed.
    pub(super) fn end_page(&mut self) -> Option<End> {
        let before = self.lowest;
        let page = std::mem::take(&mut self.page);
        self.lowest = page.first_key_value().map(|(id, _)| *id).or(before);
        for (id, event) in page {
            if self.since.is_behind(id, event.as_ref().map(|event| event.stamp().time)) {
                self.end = self.end.or(Some(End::Reached));
            } else {
                self.bytes += event.as_ref().map_or(0, Event::encoded_bytes);
                self.events.insert(id, event);
            }
        }
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            // The newest are kept.
            let oldest = self.events.pop_first().and_then(|(_, event)| event);
            self.bytes -= oldest.map_or(0, |event| event.encoded_bytes());
            self.end = Some(End::TooMuch);
        }
        let is_next =
            |lowest: u64| matches!(self.since, Since::Id(id) if id.checked_add(1) == Some(lowest));
        self.end = self.end.or(match self.lowest {
            Some(lowest) if is_next(lowest) => Some(End::Reached),
            lowest if lowest == before => Some(End::NothingOlder),
            _ if self.is_over() => Some(End::TooMuch),
            _ => None,
        });
        self.end
    }

    /// Whether the maximum number of pages was requested.
    pub(super) fn is_over(&self) -> bool {
        self.pages >= MOST_PAGES
    }

    /// The first fetched event that this version knows.
    pub(super) fn first(&self) -> Option<&Event> {
        self.events.values().flatten().next()
    }

    /// The events since the starting point, in order, by id; `None` if this version does not
    /// know one.
    pub(super) fn into_events(self) -> impl Iterator<Item = (u64, Option<Event>)> {
        self.events.into_iter()
    }
}

/// The ids of all events of a `history` message, even of those that this version does not know.
pub(super) fn ids(message: &str) -> Vec<u64> {
    #[derive(Default, Deserialize)]
    struct Page {
        events: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        id: Option<u64>,
    }
    let page: Page = serde_json::from_str(message).unwrap_or_default();
    page.events.into_iter().filter_map(|event| event.id).collect()
}

#[cfg(test)]
mod tests {
    use madang_protocol::event::{Stamp, Time};

    use super::*;

    fn said(id: u64) -> Event {
        // One event per second.
        let time = Time::from_millis(i64::try_from(id % (1 << 40)).expect("it is small") * 1_000);
        let stamp = Stamp { id, time, room: "lobby".into() };
        Event::Said { stamp, user: "bob".into(), text: "hi".into(), me: false, teacher: false }
    }

    /// Adds events that this version knows.
    fn add(earlier: &mut Earlier, events: &[Event]) {
        earlier.add(&events.iter().map(Event::id).collect::<Vec<_>>(), events.iter());
    }

    fn into_ids(earlier: Earlier) -> Vec<u64> {
        earlier.into_events().map(|(id, _)| id).collect()
    }

    /// Fetches from a server that has the events `kept`, with at most `page` per request.
    fn read(since: Since, kept: &[u64], page: usize) -> (Vec<u64>, End, usize) {
        let mut earlier = Earlier::new(since);
        loop {
            let (before, limit) = earlier.begin_page();
            let end = before.map_or(kept.len(), |before| kept.partition_point(|id| *id < before));
            let start = end.saturating_sub(page.min(limit.unwrap_or(page)));
            let page: Vec<Event> = kept[start..end].iter().map(|id| said(*id)).collect();
            add(&mut earlier, &page);
            if let Some(end) = earlier.end_page() {
                let pages = earlier.pages;
                return (into_ids(earlier), end, pages);
            }
        }
    }

    #[test]
    fn pages_are_asked_for_until_the_beginning_is_reached() {
        let kept: Vec<u64> = (1_000..2_000).collect();
        let from = |first: u64| (first..2_000).collect::<Vec<u64>>();
        #[track_caller]
        fn check(since: Since, kept: &[u64], expected: (Vec<u64>, End, usize)) {
            assert_eq!(read(since, kept, 200), expected);
        }
        check(Since::Id(1_950), &kept, (from(1_951), End::Reached, 1));
        check(Since::Id(1_500), &kept, (from(1_501), End::Reached, 3));
        // The event itself may no longer exist.
        check(Since::Id(999), &kept, (from(1_000), End::Reached, 5));
        check(Since::Id(7), &kept, (from(1_000), End::NothingOlder, 6));
        check(Since::Id(5_000), &kept, (vec![], End::Reached, 1));
        check(Since::Id(0), &[], (vec![], End::NothingOlder, 1));
        check(Since::Time(Time::from_millis(1_500_000)), &kept, (from(1_500), End::Reached, 3));
        check(Since::Time(Time::from_millis(0)), &kept, (from(1_000), End::NothingOlder, 6));
        let later = Since::Time(Time::from_millis(9_000_000));
        check(later, &kept, (vec![], End::Reached, 1));
    }

    #[test]
    fn a_server_with_nonsense_answers_is_not_asked_forever() {
        // The same page every time.
        let mut earlier = Earlier::new(Since::Id(5));
        earlier.begin_page();
        add(&mut earlier, &[said(30), said(10), said(20), said(10)]);
        assert_eq!(earlier.end_page(), None);
        assert_eq!(earlier.begin_page(), (Some(10), Some(PAGE_EVENTS)));
        add(&mut earlier, &[said(10), said(20), said(30)]);
        assert_eq!(earlier.end_page(), Some(End::NothingOlder));
        assert_eq!(into_ids(earlier), [10, 20, 30]);

        // Ids that keep rising, one event per page.
        let mut earlier = Earlier::new(Since::Id(5));
        let mut id = u64::MAX;
        loop {
            earlier.begin_page();
            add(&mut earlier, &[said(id), said(u64::MAX)]);
            id -= 1;
            if earlier.end_page().is_some() {
                break;
            }
        }
        assert_eq!((earlier.end, earlier.pages), (Some(End::TooMuch), MOST_PAGES));
    }

    #[test]
    fn events_that_only_newer_versions_know_are_read_past() {
        let page = "{\"type\":\"history\",\"room\":\"lobby\",\"more\":false,\"events\":[\
                    {\"type\":\"firework\",\"id\":8,\"time\":5},{\"type\":\"firework\",\"id\":9}]}";
        assert_eq!(ids(page), [8, 9]);
        let mut earlier = Earlier::new(Since::Id(4));
        earlier.begin_page();
        earlier.add(&ids(page), [].iter());
        assert_eq!(earlier.end_page(), None);
        assert_eq!(earlier.first(), None);
        assert_eq!(earlier.begin_page(), (Some(8), Some(PAGE_EVENTS)));
        earlier.add(&[4, 5, 6], [said(6)].iter());
        assert_eq!(earlier.end_page(), Some(End::Reached));
        assert_eq!(earlier.first(), Some(&said(6)));
        assert_eq!(into_ids(earlier), [5, 6, 8, 9]);
    }

    #[test]
    fn an_endless_page_does_not_fill_the_memory() {
        let mut earlier = Earlier::new(Since::Id(0));
        earlier.begin_page();
        let part: Vec<Event> = (1..=200).map(said).collect();
        for _ in 0..1_000 {
            add(&mut earlier, &part);
        }
        assert!(earlier.page.len() <= MOST_PAGE_EVENTS);
        assert_eq!(earlier.end_page(), Some(End::TooMuch));
        assert_eq!(earlier.into_events().count(), 200);
    }

    #[test]
    fn the_newest_events_of_a_too_long_history_are_kept() {
        let kept: Vec<u64> = (1..=150_000).collect();
        let (ids, end, _) = read(Since::Id(0), &kept, PAGE_EVENTS);
        assert_eq!(end, End::TooMuch);
        assert_eq!((ids.len(), ids[0], ids.last()), (MOST_EVENTS, 50_001, Some(&150_000)));
    }

    #[test]
    fn a_page_that_was_cut_off_is_begun_again() {
        let mut earlier = Earlier::new(Since::Id(4));
        earlier.begin_page();
        // The oldest part arrives first, and then the connection is lost.
        add(&mut earlier, &[said(6), said(7)]);
        assert_eq!(earlier.begin_page(), (None, None));
        add(&mut earlier, &[said(5), said(6), said(7), said(8), said(9)]);
        assert_eq!(earlier.end_page(), Some(End::Reached));
        assert_eq!(into_ids(earlier), [5, 6, 7, 8, 9]);
    }
}
