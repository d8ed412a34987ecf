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
    batch::{Form, Mark, Rendered},
    carrier::Carrier,
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
}

struct Entry {
    body: Body,
    since: Instant,
}

/// What an entry has to send.
pub(super) enum Body {
    Shared { rendered: Arc<Rendered>, events: Range<u32> },
    Private(Box<[u8]>),
    Mark { mark: Mark, bytes: Vec<u8> },
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Shared { rendered, events } => rendered.bytes(events),
            Body::Private(bytes) => bytes,
            Body::Mark { bytes, .. } => bytes,
        }
    }

    fn cost(&self) -> usize {
        cost(self.bytes().len())
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

    /// Puts in an entry, of which `sent` bytes were sent: none, if anything waits.
    pub(super) fn push(&mut self, body: Body, since: Instant, sent: usize, bounds: &Bounds) {
        let entry = Entry { body, since };
        if self.entries.is_empty() {
            self.sent_bytes = sent;
        }
        self.count(&entry, bounds);
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
        }
        self.sent_bytes = count;
        if self.entries.is_empty() {
            // The space of a burst is not kept for its next.
            self.entries = VecDeque::new();
        }
    }

    /// Replaces every shared entry that was not begun, but the newest, by marks: one
    /// for those that follow each other in one room, where the first of them stood.
    /// `holds_byte` tells that the first entry was begun although no byte of it was
    /// sent. Returns how many events gave way.
    pub(super) fn skip(
        &mut self,
        holds_byte: bool,
        form: Form,
        carrier: Carrier,
        bounds: &Bounds,
    ) -> u64 {
        let begun = usize::from(self.sent_bytes > 0 || holds_byte);
        let newest = self.entries.len() - 1;
        let mut skipped = 0;
        let mut kept: VecDeque<Entry> = VecDeque::new();
        let mut open_mark: Option<usize> = None;
        for (at, entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            if at < begun || at == newest || matches!(entry.body, Body::Private(_)) {
                kept.push_back(entry);
                continue;
            }
            self.uncount(&entry, bounds);
            let mark = match entry.body {
                Body::Shared { rendered, events } => {
                    skipped += u64::from(events.end - events.start);
                    rendered.mark(&events)
                }
                Body::Mark { mark, .. } => mark,
                Body::Private(_) => unreachable!("kept above"),
            };
            match open_mark.and_then(|at| kept.get_mut(at)) {
                Some(Entry { body: Body::Mark { mark: open, .. }, .. }) if open.precedes(&mark) => {
                    open.extend(&mark);
                }
                _ => {
                    open_mark = Some(kept.len());
                    let body = Body::Mark { mark, bytes: Vec::new() };
                    kept.push_back(Entry { body, since: entry.since });
                }
            }
        }
        for entry in &mut kept {
            // Those that are new; one that was begun stays as it is.
            if let Body::Mark { mark, bytes } = &mut entry.body
                && bytes.is_empty()
            {
                *bytes = carrier.carry(&mark.render(form)).into_owned();
                self.count(entry, bounds);
            }
        }
        self.entries = kept;
        skipped
    }

    /// Drops everything.
    pub(super) fn clear(&mut self, bounds: &Bounds) {
        bounds.backlog.fetch_sub(self.waiting_bytes, Ordering::Relaxed);
        *self = Queue::default();
    }

    fn count(&mut self, entry: &Entry, bounds: &Bounds) {
        let cost = entry.cost();
        self.waiting_bytes += cost;
        bounds.backlog.fetch_add(cost, Ordering::Relaxed);
        if matches!(entry.body, Body::Private(_)) {
            self.private_bytes += cost;
        }
    }

    fn uncount(&mut self, entry: &Entry, bounds: &Bounds) {
        let cost = entry.cost();
        self.waiting_bytes -= cost;
        bounds.backlog.fetch_sub(cost, Ordering::Relaxed);
        if matches!(entry.body, Body::Private(_)) {
            self.private_bytes -= cost;
        }
    }
}
