//! What is counted in a cluster: how long entries take to Redis and back.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use super::Histogram;

/// Buckets in nanoseconds: from a Redis on the same machine to one that was away.
const ENTRY_NANOSECONDS: &[u64] = &[
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
    2_500_000_000,
    10_000_000_000,
];

/// The counters of a server that takes part in a cluster.
#[derive(Debug)]
pub(crate) struct ClusterMetrics {
    /// From a room's entry to Redis's answer.
    pub(crate) append_nanoseconds: Histogram,
    /// From a room's entry to the moment that the room hears it again.
    pub(crate) hear_nanoseconds: Histogram,
    /// The age of the last entry when it was heard.
    lag_millis: AtomicU64,
    /// Entries read from a log because their announcement was missed.
    refilled: AtomicU64,
    /// How often an entry found that Redis holds as much of its room's log as it may.
    full: AtomicU64,
    /// Speakers who wait because much waits for Redis.
    held_speakers: AtomicUsize,
}

impl Default for ClusterMetrics {
    fn default() -> ClusterMetrics {
        ClusterMetrics {
            append_nanoseconds: Histogram::new(ENTRY_NANOSECONDS),
            hear_nanoseconds: Histogram::new(ENTRY_NANOSECONDS),
            lag_millis: AtomicU64::new(0),
            refilled: AtomicU64::new(0),
            full: AtomicU64::new(0),
            held_speakers: AtomicUsize::new(0),
        }
    }
}

impl ClusterMetrics {
    /// Redis has answered for an entry after this time.
    pub(crate) fn count_append(&self, duration: Duration) {
        self.append_nanoseconds.observe_duration(duration);
    }

    /// A room has heard its own entry after this time.
    pub(crate) fn count_hearing(&self, duration: Duration) {
        self.hear_nanoseconds.observe_duration(duration);
    }

    /// An entry of this age was heard.
    pub(crate) fn set_lag(&self, age: Duration) {
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.lag_millis.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn lag(&self) -> Duration {
        Duration::from_millis(self.lag_millis.load(Ordering::Relaxed))
    }

    /// So many entries were read from a log because their announcement was missed.
    pub(crate) fn count_refills(&self, entries: u64) {
        self.refilled.fetch_add(entries, Ordering::Relaxed);
    }

    pub(crate) fn refilled(&self) -> u64 {
        self.refilled.load(Ordering::Relaxed)
    }

    /// An entry has found that Redis holds as much of its room's log as it may.
    pub(crate) fn count_full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// Counts a speaker as held for as long as `wait` takes.
    pub(crate) fn hold_speaker(&self, wait: impl FnOnce()) {
        self.held_speakers.fetch_add(1, Ordering::Relaxed);
        wait();
        self.held_speakers.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn held_speakers(&self) -> usize {
        self.held_speakers.load(Ordering::Relaxed)
    }
}
