//! The entries of one outbox in order, their sizes, and the marks that replace what is not sent
//! to a slow reader. Does not know the sink or who waits.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::Bounds;
use crate::{
    delivery::batch::{Mark, Rendered},
    delivery::carrier::Carrier,
    dialect::Form,
};

/// What an entry counts in each queue that holds it, in addition to its length.
const ENTRY_BYTES: usize = 64;

/// Entries in the order in which they are sent.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// How many bytes of the first entry were sent.
    sent_bytes: usize,
    /// The size of all entries.
    waiting_bytes: usize,
    /// The part of it that is private entries.
    private_bytes: usize,
    /// How many private entries were ever queued, and how many are gone.
    privates_in: u64,
    privates_out: u64,
    /// How many entries at the front contain nothing live that could be skipped; the next skip
    /// starts after them.
    settled: usize,
    /// The index of the last mark among them.
    open_mark: Option<usize>,
    /// The number of replay entries.
    replays: usize,
    #[cfg(test)]
    pub(super) steps: usize,
}

struct Entry {
    body: Body,
    since: Instant,
}

/// The content of an entry.
pub(super) enum Body {
    /// A live event; the first to be skipped.
    Live {
        rendered: Arc<Rendered>,
        events: Range<u32>,
    },
    /// History; the last to be skipped.
    Replay {
        rendered: Arc<Rendered>,
        events: Range<u32>,
    },
    /// An answer that other connections get too; private like the next.
    Answer(Arc<Rendered>),
    Private(Box<[u8]>),
    /// A note about the queue itself. It is never skipped.
    Note(Box<[u8]>),
    Mark {
        mark: Mark,
        bytes: Vec<u8>,
    },
}

/// Which entries to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    Live,
    LiveAndReplays,
}

impl Body {
    pub(super) fn live(rendered: Arc<Rendered>, events: Range<u32>) -> Body {
        Body::Live { rendered, events }
    }

    pub(super) fn replay(rendered: Arc<Rendered>, events: Range<u32>) -> Body {
        Body::Replay { rendered, events }
    }
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Live { rendered, events } | Body::Replay { rendered, events } => {
                rendered.bytes(events)
            }
            Body::Answer(rendered) => rendered.all_bytes(),
            Body::Private(bytes) | Body::Note(bytes) => bytes,
            Body::Mark { bytes, .. } => bytes,
        }
    }

    fn cost(&self) -> usize {
        cost(self.bytes().len())
    }

    /// The rendering that it shares with other queues, if any.
    fn rendered(&self) -> Option<&Rendered> {
        match &self.body {
            Body::Live { rendered, .. }
            | Body::Replay { rendered, .. }
            | Body::Answer(rendered) => Some(rendered),
            Body::Private(_) | Body::Note(_) | Body::Mark { .. } => None,
        }
    }

    fn is_private(&self) -> bool {
        matches!(self.body, Body::Answer(_) | Body::Private(_))
    }
}

/// The size of an entry of this many bytes.
pub(super) fn cost(bytes: usize) -> usize {
    bytes + ENTRY_BYTES
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The size of all entries.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The size of the private entries.
    pub(super) fn private_bytes(&self) -> usize {
        self.private_bytes
    }

    /// How many private entries were ever queued, and how many are gone.
    pub(super) fn privates(&self) -> (u64, u64) {
        (self.privates_in, self.privates_out)
    }

    /// When the oldest entry was queued.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.since)
    }

    /// What to send next, from at most this many entries. The first piece is not empty.
    pub(super) fn pieces(&self, most: usize) -> Vec<&[u8]> {
        let mut pieces: Vec<&[u8]> = self.entries.iter().take(most).map(Entry::bytes).collect();
        if let Some(first) = pieces.first_mut() {
            *first = &first[self.sent_bytes..];
        }
        pieces
    }

    /// Queues an entry after `sent` of its bytes were sent; 0 unless the queue is empty.
    pub(super) fn push(&mut self, body: Body, since: Instant, sent: usize, bounds: &Bounds) {
        let entry = Entry { body, since };
        if self.entries.is_empty() {
            self.sent_bytes = sent;
        }
        self.count(&entry, bounds);
        self.privates_in += u64::from(entry.is_private());
        self.replays += usize::from(matches!(entry.body, Body::Replay { .. }));
        self.entries.push_back(entry);
        if self.waiting_bytes > bounds.high_water.load(Ordering::Relaxed) {
            bounds.high_water.fetch_max(self.waiting_bytes, Ordering::Relaxed);
        }
    }

    /// Puts a note before what was not begun. `holds_byte` is as for [`skip`](Self::skip).
    pub(super) fn put_note(&mut self, bytes: Box<[u8]>, holds_byte: bool, bounds: &Bounds) {
        let at = self.begun(holds_byte).min(self.entries.len());
        // It must not look as if what waits behind it had come later than it has.
        let since = self.entries.front().map_or_else(Instant::now, |first| first.since);
        let entry = Entry { body: Body::Note(bytes), since };
        self.count(&entry, bounds);
        self.entries.insert(at, entry);
        self.settled += usize::from(at <= self.settled);
        self.open_mark = self.open_mark.map(|mark| mark + usize::from(at <= mark));
    }

    /// How many entries were begun: one or none. `holds_byte` means that the first one was, even
    /// if none of its bytes was sent.
    fn begun(&self, holds_byte: bool) -> usize {
        usize::from(self.sent_bytes > 0 || holds_byte)
    }

    /// Removes `count` more sent bytes.
    pub(super) fn take_out(&mut self, count: usize, bounds: &Bounds) {
        let mut count = self.sent_bytes + count;
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.bytes().len() <= count) {
            count -= entry.bytes().len();
            self.uncount(&entry, bounds);
            self.privates_out += u64::from(entry.is_private());
            if matches!(entry.body, Body::Replay { .. }) {
                self.replays = self.replays.saturating_sub(1);
            }
            self.settled = self.settled.saturating_sub(1);
            self.open_mark = self.open_mark.and_then(|at| at.checked_sub(1));
        }
        self.sent_bytes = count;
        if self.entries.is_empty() {
            // Memory used by a burst is not kept for the next one.
            self.entries = VecDeque::new();
        }
    }

    /// Whether there are replays that could be skipped.
    pub(super) fn has_replays(&self) -> bool {
        self.replays > 0
    }

    /// Replaces every shared entry that was not begun, except the newest, by marks: one per run
    /// of entries of the same room, in the place of the first. Replays stay, unless they are to
    /// be skipped too. `holds_byte` means that the first entry was begun although none of its
    /// bytes was sent. Returns how many events were skipped.
    ///
    /// Each entry is examined only once, and once more when replays are skipped.
    pub(super) fn skip(
        &mut self,
        what: Skipped,
        holds_byte: bool,
        form: Form,
        carrier: Carrier,
        bounds: &Bounds,
    ) -> u64 {
        let begun = self.begun(holds_byte);
        let Some(newest) = self.entries.len().checked_sub(1).filter(|newest| *newest >= begun)
        else {
            return 0;
        };
        let first = match what {
            Skipped::Live => self.settled.clamp(begun, newest),
            Skipped::LiveAndReplays => {
                (self.open_mark, self.replays) = (None, 0);
                begun
            }
        };
        self.open_mark = self.open_mark.filter(|at| *at >= begun);
        let unsettled = self.entries.split_off(first);
        let (mut skipped, mut changed) = (0, Vec::new());
        for (at, entry) in (first..).zip(unsettled) {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            let gives_way = match entry.body {
                Body::Live { .. } => true,
                Body::Replay { .. } | Body::Mark { .. } => what == Skipped::LiveAndReplays,
                Body::Answer(_) | Body::Private(_) | Body::Note(_) => false,
            };
            if at == newest || !gives_way {
                self.entries.push_back(entry);
                continue;
            }
            self.uncount(&entry, bounds);
            let mark = match entry.body {
                Body::Live { rendered, events } | Body::Replay { rendered, events } => {
                    skipped += u64::from(events.end - events.start);
                    rendered.mark(&events)
                }
                Body::Mark { mark, .. } => mark,
                Body::Answer(_) | Body::Private(_) | Body::Note(_) => {
                    unreachable!("they never give way")
                }
            };
            self.put_mark(mark, entry.since, &mut changed, bounds);
        }
        for at in changed {
            let Body::Mark { mark, bytes } = &mut self.entries[at].body else { continue };
            *bytes = carrier.carry(&mark.render(form)).into_owned();
            let cost = cost(bytes.len());
            self.waiting_bytes += cost;
            bounds.backlog.fetch_add(cost, Ordering::Relaxed);
        }
        self.settled = self.entries.len() - 1;
        skipped
    }

    /// Adds a mark, or extends the last one. New and extended marks have no bytes and count
    /// nothing; their indexes are added to `changed`.
    fn put_mark(&mut self, mark: Mark, since: Instant, changed: &mut Vec<usize>, bounds: &Bounds) {
        if let Some(at) = self.open_mark
            && let Body::Mark { mark: open, bytes } = &mut self.entries[at].body
            && open.precedes(&mark)
        {
            open.extend(&mark);
            if !bytes.is_empty() {
                let cost = cost(std::mem::take(bytes).len());
                self.waiting_bytes -= cost;
                bounds.backlog.fetch_sub(cost, Ordering::Relaxed);
                changed.push(at);
            }
            return;
        }
        self.open_mark = Some(self.entries.len());
        changed.push(self.entries.len());
        let body = Body::Mark { mark, bytes: Vec::new() };
        self.entries.push_back(Entry { body, since });
    }

    /// Drops all entries.
    pub(super) fn clear(&mut self, bounds: &Bounds) {
        for entry in std::mem::take(&mut self.entries) {
            self.uncount(&entry, bounds);
        }
        *self = Queue::default();
    }

    fn count(&mut self, entry: &Entry, bounds: &Bounds) {
        let cost = entry.cost();
        self.waiting_bytes += cost;
        let new = match entry.rendered() {
            None => cost,
            Some(rendered) if rendered.hold() => ENTRY_BYTES + rendered.all_bytes().len(),
            Some(_) => ENTRY_BYTES,
        };
        bounds.backlog.fetch_add(new, Ordering::Relaxed);
        if entry.is_private() {
            self.private_bytes += cost;
            bounds.private_backlog.fetch_add(new, Ordering::Relaxed);
        }
    }

    fn uncount(&mut self, entry: &Entry, bounds: &Bounds) {
        let cost = entry.cost();
        self.waiting_bytes -= cost;
        let gone = match entry.rendered() {
            None => cost,
            Some(rendered) if rendered.let_go() => ENTRY_BYTES + rendered.all_bytes().len(),
            Some(_) => ENTRY_BYTES,
        };
        bounds.backlog.fetch_sub(gone, Ordering::Relaxed);
        if entry.is_private() {
            self.private_bytes -= cost;
            bounds.private_backlog.fetch_sub(gone, Ordering::Relaxed);
        }
    }
}
