//! Fetches earlier events for `--since`: decides which page of the history to request next, and
//! when to stop. Each page is older than the one before it. The number of pages and of kept
//! events is limited, whatever a server sends.

use std::collections::BTreeMap;

use madang_protocol::event::{Event, IdRange};
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

/// The most gaps that are remembered.
const MOST_GAPS: usize = 10_000;

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
    missing: Missing,
    /// The highest id that was received and is older than wanted.
    behind: Option<u64>,
}

/// What the server says is missing.
#[derive(Default)]
struct Missing {
    /// The last id of each gap, by the first. Older servers tell only of gaps where there are any:
    /// while there are none, ids that are not there count as missing.
    gaps: Option<BTreeMap<u64, u64>>,
    /// Whether the oldest event is the first that may be read.
    is_earliest: bool,
    /// If so, what happened in the room before it.
    gone: Option<IdRange>,
}

/// What is printed.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Event(Event),
    /// Events with these ids are missing.
    Gap(IdRange),
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
            missing: Missing::default(),
            behind: None,
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

    /// Notes what the server says is missing in a part of the page, or before it.
    pub(super) fn note_missing(
        &mut self,
        gaps: Option<&[IdRange]>,
        is_earliest: bool,
        gone: Option<IdRange>,
    ) {
        self.missing.is_earliest |= is_earliest;
        self.missing.gone = gone.or(self.missing.gone);
        let Some(gaps) = gaps else { return };
        let known = self.missing.gaps.get_or_insert_default();
        for gap in gaps {
            if known.len() >= MOST_GAPS {
                self.end = Some(End::TooMuch);
                return;
            }
            known.insert(gap.from, gap.to);
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
                self.behind = self.behind.max(Some(id));
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

    /// The events since the starting point, in order, and what is missing among them and before the
    /// first event of those that `came` meanwhile.
    pub(super) fn into_pieces(self, came: &[u64]) -> Vec<Piece> {
        let Earlier { since, events, missing, end, behind, .. } = self;
        // Up to which id everything is printed or older than wanted.
        let mut last = match since {
            Since::Id(id) => Some(id),
            Since::Time(_) => behind.filter(|_| missing.gaps.is_some()),
        };
        let mut pieces = Vec::new();
        for (at, (id, event)) in events.into_iter().enumerate() {
            let is_oldest = at == 0 && end != Some(End::Reached);
            let is_all_read = end == Some(End::NothingOlder) && missing.is_earliest;
            // The server has restarted its ids, and reports that itself.
            let is_restart = matches!(event, Some(Event::Restarted { .. }));
            let between = last
                .filter(|_| !is_restart || missing.gaps.is_some())
                .and_then(|last| ids_between(last, id));
            pieces.extend(between.into_iter().flat_map(|between| {
                let is_unread = is_oldest && !is_all_read;
                let gaps =
                    if is_unread { vec![between] } else { missing.within(between, is_oldest) };
                gaps.into_iter().map(Piece::Gap)
            }));
            last = Some(id);
            pieces.extend(event.map(Piece::Event));
        }
        if let Some(last) = last.filter(|_| missing.gaps.is_some()) {
            let next = came.iter().find(|id| **id > last).copied();
            let rest = ids_between(last, next.unwrap_or(u64::MAX));
            pieces.extend(
                rest.into_iter().flat_map(|rest| missing.within(rest, false)).map(Piece::Gap),
            );
        }
        pieces
    }
}

impl Missing {
    /// The missing ids of this range, which are all if the server does not tell. `is_beginning`
    /// says that the room's oldest event follows it.
    fn within(&self, range: IdRange, is_beginning: bool) -> Vec<IdRange> {
        let Some(gaps) = &self.gaps else { return vec![range] };
        let gone = self.gone.filter(|_| is_beginning);
        let mut known: Vec<(u64, u64)> =
            gone.map(|gone| (gone.from, gone.to)).into_iter().collect();
        known.extend(gaps.range(..=range.to).map(|(from, to)| (*from, *to)));
        known.sort_unstable();
        let mut missing: Vec<IdRange> = Vec::new();
        for (from, to) in known {
            let from = missing.last().map_or(range.from, |last| last.to + 1).max(from);
            let to = to.min(range.to);
            if from <= to {
                missing.push(IdRange { from, to });
            }
        }
        missing
    }
}

/// The ids between two events.
fn ids_between(last: u64, next: u64) -> Option<IdRange> {
    let (from, to) = (last.checked_add(1)?, next.checked_sub(1)?);
    (from <= to).then_some(IdRange { from, to })
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
        earlier.events.into_keys().collect()
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
        assert_eq!(earlier.events.len(), 200);
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

    /// What a server says is missing.
    #[derive(Debug, Clone, Copy)]
    struct Told<'a> {
        gaps: Option<&'a [(u64, u64)]>,
        earliest: bool,
        gone: Option<(u64, u64)>,
    }

    const NOTHING: Told<'_> = Told { gaps: Some(&[]), earliest: true, gone: None };

    /// An older server says nothing.
    const OLDER: Told<'_> = Told { gaps: None, ..NOTHING };

    /// What is printed since an id, from a server that has the events `kept` and tells this with the
    /// oldest page. A gap is two ids.
    #[track_caller]
    fn check_pieces(since: u64, kept: &[u64], told: Told<'_>, came: &[u64], expected: &str) {
        let range = |(from, to)| IdRange { from, to };
        let mut earlier = Earlier::new(Since::Id(since));
        for page in [kept, &[]] {
            earlier.begin_page();
            add(&mut earlier, &page.iter().map(|id| said(*id)).collect::<Vec<_>>());
            let gaps: Option<Vec<IdRange>> =
                told.gaps.map(|gaps| gaps.iter().map(|gap| range(*gap)).collect());
            earlier.note_missing(gaps.as_deref(), told.earliest, told.gone.map(range));
            if earlier.end_page().is_some() {
                break;
            }
        }
        let pieces = earlier.into_pieces(came).into_iter().map(|piece| match piece {
            Piece::Event(event) => event.id().to_string(),
            Piece::Gap(IdRange { from, to }) => format!("{from}-{to}"),
        });
        assert_eq!(pieces.collect::<Vec<_>>().join(" "), expected, "{told:?}");
    }

    #[test]
    fn what_is_missing_is_what_the_server_says() {
        fn gaps(gaps: &[(u64, u64)]) -> Told<'_> {
            Told { gaps: Some(gaps), ..NOTHING }
        }
        check_pieces(40, &[40, 41, 900, 902], OLDER, &[], "41 42-899 900 901-901 902");
        // Ids are left out that nobody was given.
        check_pieces(40, &[40, 41, 900, 902], NOTHING, &[], "41 900 902");
        check_pieces(40, &[40, 900], NOTHING, &[], "900");
        // What could not be saved is missing, also where ids are left out, and at both ends.
        check_pieces(40, &[40, 41, 900], gaps(&[(42, 45)]), &[], "41 42-45 900");
        check_pieces(40, &[40, 900], gaps(&[(41, 45), (898, 899)]), &[], "41-45 898-899 900");
        check_pieces(43, &[40, 900], gaps(&[(41, 45)]), &[], "44-45 900");
        check_pieces(40, &[40, 41], gaps(&[(42, 45)]), &[46], "41 42-45");
        check_pieces(40, &[40, 41], gaps(&[(42, 45)]), &[41, 44], "41 42-43");
        check_pieces(40, &[40, 41], gaps(&[(30, 39), (99, 98)]), &[], "41");
        // Nonsense does no harm.
        let most = u64::MAX - 1;
        let nonsense = gaps(&[(41, 60), (50, 99), (0, u64::MAX)]);
        check_pieces(40, &[40, 90], nonsense, &[], &format!("41-89 90 91-{most}"));
    }

    #[test]
    fn what_is_gone_before_the_oldest_event_is_missing_if_it_was_in_this_room() {
        fn gone(from: u64, to: u64) -> Told<'static> {
            Told { gone: Some((from, to)), ..NOTHING }
        }
        check_pieces(40, &[52, 53], OLDER, &[], "41-51 52 53");
        check_pieces(40, &[52, 53], gone(30, 51), &[], "41-51 52 53");
        // A room of that name was made anew, and has forgotten nothing, or something.
        check_pieces(40, &[1_000, 1_001], NOTHING, &[], "1000 1001");
        check_pieces(40, &[1_002], gone(1_000, 1_001), &[], "1000-1001 1002");
        // The last that it has forgotten was read before, and ids were left out after it.
        check_pieces(40, &[1_000], gone(30, 40), &[], "1000");
        check_pieces(40, &[1_000], gone(30, 41), &[], "41-41 1000");
        // What is on a disk that can't be read is not gone.
        check_pieces(40, &[52], Told { earliest: false, ..NOTHING }, &[], "41-51 52");
    }
}
