//! Counters and histograms for the operator. A count is kept where the event happens, and
//! summed up on request. No metric reveals a name, a room or a key.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use madang_protocol::notice::Notice;

use self::cluster::ClusterMetrics;
use crate::sync::Mutex;

pub(crate) mod cluster;
pub(crate) mod exposition;

/// Buckets for events per round: what one speaker sends, up to a whole read of short lines.
const ROUND_EVENTS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];

/// Buckets for the duration of a round in nanoseconds: from a few members to ten thousand.
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

/// The server's counters, apart from the traffic of its connections.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) started: SystemTime,
    /// Refused connections, logins, lines and requests.
    pub(crate) refused: Reasons,
    /// Connections that have ended.
    pub(crate) ended: Reasons,
    /// The histories of all rooms, with their cached renderings, in bytes.
    pub(crate) history_bytes: AtomicUsize,
    pub(crate) round_events: Histogram,
    pub(crate) round_nanoseconds: Histogram,
    /// How long each commit to disk took.
    pub(crate) commit_nanoseconds: Histogram,
    /// Committed rows: events and other saved data.
    pub(crate) committed_rows: AtomicU64,
    /// The exchange with the other servers of a cluster.
    pub(crate) cluster: ClusterMetrics,
}

/// The traffic of one connection: counted by its own thread and under its outbox's lock,
/// without sharing anything with other connections.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Received bytes, without TLS overhead.
    pub(crate) received_bytes: Count,
    /// Received lines that were paid for.
    pub(crate) lines: Count,
    /// Bytes that the sink took, without TLS overhead.
    pub(crate) sent_bytes: Count,
    /// Room events that were put into the outbox.
    pub(crate) deliveries: Count,
    /// Those of them that were skipped.
    pub(crate) skipped: Count,
}

/// The traffic of several connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrafficSum {
    pub(crate) received_bytes: u64,
    pub(crate) lines: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) deliveries: u64,
    pub(crate) skipped: u64,
}

/// A counter with one writer at a time.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

/// How often something happened, by reason.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Mutex<BTreeMap<&'static str, u64>>);

/// How often a value fell into each bucket.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One for each upper bound, and one for values above them all.
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
            cluster: ClusterMetrics::default(),
        }
    }
}

impl Metrics {
    /// A room has delivered a round with this many events, in this time.
    pub(crate) fn count_round(&self, events: u64, duration: Duration) {
        self.round_events.observe(events);
        self.round_nanoseconds.observe_duration(duration);
    }
}

impl Metrics {
    /// This many rows were committed to disk together, in this time.
    pub(crate) fn count_commit(&self, rows: usize, duration: Duration) {
        self.committed_rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.commit_nanoseconds.observe_duration(duration);
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
        // There is no other writer, so a load and a store suffice; neither locks the bus.
        self.0.store(self.get() + more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Reasons {
    /// Counts one event with this reason.
    pub(crate) fn count(&self, code: &'static str) {
        *self.0.lock().entry(code).or_default() += 1;
    }

    /// The same, if the notice is a refusal.
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

    /// The same for a histogram of nanoseconds.
    fn observe_duration(&self, duration: Duration) {
        self.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many values were at most each bound, and finally the total.
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
    fn a_bound_belongs_to_the_bucket_below_it() {
        let histogram = Histogram::new(&[1, 10]);
        [0, 1, 2, 10, 11].iter().for_each(|value| histogram.observe(*value));
        let counts: Vec<_> = histogram.at_most().collect();
        assert_eq!(counts, [(Some(1), 2), (Some(10), 4), (None, 5)]);
        assert_eq!(histogram.sum(), 24);
    }
}
