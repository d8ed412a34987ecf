//! What is counted, for who runs the server. A count is kept where the thing happens,
//! and summed when somebody asks for it; none tells of a name, a room or a key.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use madang_protocol::notice::Notice;

use crate::sync::Mutex;

pub(crate) mod exposition;

/// Events in a round: what one speaker brings, up to a whole read of short lines.
const ROUND_EVENTS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];

/// Nanoseconds of a round: from a few members to ten thousand.
const ROUND_NANOSECONDS: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
];

/// What the whole server counts, beside what passes through its connections.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) started: SystemTime,
    /// What was not granted: connections, logins, lines, requests.
    pub(crate) refused: Reasons,
    /// Connections that have ended.
    pub(crate) ended: Reasons,
    /// What all rooms remember, in bytes, with the renderings that are kept of it.
    pub(crate) history_bytes: AtomicUsize,
    pub(crate) round_events: Histogram,
    pub(crate) round_nanoseconds: Histogram,
    /// How long the disk took for what was committed at once.
    pub(crate) commit_nanoseconds: Histogram,
    /// What was committed: events, and what else is kept.
    pub(crate) committed_rows: AtomicU64,
}

/// What has passed through one connection: counted by its own thread and under its
/// outbox's lock, without anything that other connections share.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Bytes that came, TLS's own aside.
    pub(crate) received_bytes: Count,
    /// Lines that came, and were paid for.
    pub(crate) lines: Count,
    /// Bytes that the sink took, TLS's own aside.
    pub(crate) sent_bytes: Count,
    /// Events of rooms that were put into the outbox.
    pub(crate) deliveries: Count,
    /// Those of them that gave way to a mark.
    pub(crate) skipped: Count,
}

/// What has passed through several connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrafficSum {
    pub(crate) received_bytes: u64,
    pub(crate) lines: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) deliveries: u64,
    pub(crate) skipped: u64,
}

/// A number that rises, with one writer at a time.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

/// How often something happened, by its reason.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Mutex<BTreeMap<&'static str, u64>>);

/// How often a value was at most each of some bounds.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is above them all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            started: SystemTime::now(),
            refused: Reasons::default(),
            ended: Reasons::default(),
            history_bytes: AtomicUsize::new(0),
            round_events: Histogram::new(ROUND_EVENTS),
            round_nanoseconds: Histogram::new(ROUND_NANOSECONDS),
            commit_nanoseconds: Histogram::new(ROUND_NANOSECONDS),
            committed_rows: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// A room has told its members of so many events, and has taken so long for it.
    pub(crate) fn count_round(&self, events: u64, duration: Duration) {
        self.round_events.observe(events);
        self.round_nanoseconds.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl Metrics {
    /// The disk has taken so many rows at once, and so long for it.
    pub(crate) fn count_commit(&self, rows: usize, duration: Duration) {
        self.committed_rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.commit_nanoseconds.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl AddAssign<&Traffic> for TrafficSum {
    fn add_assign(&mut self, traffic: &Traffic) {
        self.received_bytes += traffic.received_bytes.get();
        self.lines += traffic.lines.get();
        self.sent_bytes += traffic.sent_bytes.get();
        self.deliveries += traffic.deliveries.get();
        self.skipped += traffic.skipped.get();
    }
}

impl Count {
    pub(crate) fn add(&self, more: u64) {
        // Nobody else writes: a load and a store, which lock no bus.
        self.0.store(self.get() + more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Reasons {
    /// It has happened once, for the reason of that code.
    pub(crate) fn count(&self, code: &'static str) {
        *self.0.lock().entry(code).or_default() += 1;
    }

    /// The same, if the notice says that something was refused.
    pub(crate) fn count_notice(&self, notice: &Notice<'_>) {
        if let Some(code) = notice.code() {
            self.count(code);
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().clone()
    }
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, sum: AtomicU64::new(0) }
    }

    fn observe(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many values were at most each bound, and at last how many there were.
    fn at_most(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let counts = self.counts.iter().scan(0, |count, more| {
            *count += more.load(Ordering::Relaxed);
            Some(*count)
        });
        bounds.zip(counts)
    }

    fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_what_is_below_it() {
        let histogram = Histogram::new(&[1, 10]);
        [0, 1, 2, 10, 11].iter().for_each(|value| histogram.observe(*value));
        let counts: Vec<_> = histogram.at_most().collect();
        assert_eq!(counts, [(Some(1), 2), (Some(10), 4), (None, 5)]);
        assert_eq!(histogram.sum(), 24);
    }
}
