//! What waits in one outbox, in its order, and what it counts; and the marks in the
//! place of what a slow reader is not sent. Knows neither the sink nor who waits.

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

/// What an entry counts in every queue that holds it, beside its length.
const ENTRY_BYTES: usize = 64;

/// Entries in the order in which they are sent.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// How much of the first entry was sent.
    sent_bytes: usize,
    /// What all entries count.
    waiting_bytes: usize,
    /// The part of it that private entries are.
    private_bytes: usize,
    /// How many private entries were ever put in, and how many have gone.
    privates_in: u64,
    privates_out: u64,
    /// How many entries at the front hold nothing live that could give way: the next
    /// skip begins behind them.
    settled: usize,
    /// Where the last mark among them is.
    open_mark: Option<usize>,
    /// How many entries are replays.
    replays: usize,
    #[cfg(test)]
    pub(super) steps: usize,
}

struct Entry {
    body: Body,
    since: Instant,
}

/// What an entry has to send.
pub(super) enum Body {
    /// What has just happened; the first to give way.
    Live {
        rendered: Arc<Rendered>,
        events: Range<u32>,
    },
    /// What happened before; the last to give way.
    Replay {
        rendered: Arc<Rendered>,
        events: Range<u32>,
    },
    /// An answer that others get too; private like the next.
    Answer(Arc<Rendered>),
    Private(Box<[u8]>),
    Mark {
        mark: Mark,
        bytes: Vec<u8>,
    },
}

/// Which entries give way.
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
            Body::Private(bytes) => bytes,
            Body::Mark { bytes, .. } => bytes,
        }
    }

    fn cost(&self) -> usize {
        cost(self.bytes().len())
    }

    /// The rendering that it shares with other queues.
    fn rendered(&self) -> Option<&Rendered> {
        match &self.body {
            Body::Live { rendered, .. }
            | Body::Replay { rendered, .. }
            | Body::Answer(rendered) => Some(rendered),
            Body::Private(_) | Body::Mark { .. } => None,
        }
    }

    fn is_private(&self) -> bool {
        matches!(self.body, Body::Answer(_) | Body::Private(_))
    }
}

/// What an entry of so many bytes counts.
pub(super) fn cost(bytes: usize) -> usize {
    bytes + ENTRY_BYTES
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What all of it counts.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// What its private entries count.
    pub(super) fn private_bytes(&self) -> usize {
        self.private_bytes
    }

    /// How many private entries were ever put in, and how many have gone.
    pub(super) fn privates(&self) -> (u64, u64) {
        (self.privates_in, self.privates_out)
    }

    /// Since when the oldest entry waits.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.since)
    }

    /// What is to be sent next, of at most so many entries; the first piece is not
    /// empty.
    pub(super) fn pieces(&self, most: usize) -> Vec<&[u8]> {
        let mut pieces: Vec<&[u8]> = self.entries.iter().take(most).map(Entry::bytes).collect();
        if let Some(first) = pieces.first_mut() {
            *first = &first[self.sent_bytes..];
        }
        pieces
    }

    /// Puts in an entry whose first `sent` bytes were sent: none, if anything waits.
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

    /// Takes out what was sent: `count` bytes more.
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
            // The space of a burst is not kept for its next.
            self.entries = VecDeque::new();
        }
    }

    /// Whether something that happened before could still give way.
    pub(super) fn has_replays(&self) -> bool {
        self.replays > 0
    }

    /// Replaces every shared entry that was not begun, but the newest, by marks: one
    /// for those that follow each other in one room, where the first of them stood.
    /// Replays stay, unless they are to give way too. `holds_byte` tells that the first
    /// entry was begun although no byte of it was sent. Returns how many events gave
    /// way.
    ///
    /// What was looked at before is not looked at again, unless replays give way, which
    /// they do once.
    pub(super) fn skip(
        &mut self,
        what: Skipped,
        holds_byte: bool,
        form: Form,
        carrier: Carrier,
        bounds: &Bounds,
    ) -> u64 {
        let begun = usize::from(self.sent_bytes > 0 || holds_byte);
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
                Body::Answer(_) | Body::Private(_) => false,
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
                Body::Answer(_) | Body::Private(_) => unreachable!("they never give way"),
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

    /// Adds a mark, or has the last one grow by it. Those that are new or grow have no
    /// bytes, count nothing, and stand in `changed`.
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

    /// Drops everything.
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
