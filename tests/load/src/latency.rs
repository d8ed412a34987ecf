//! Latency of lines: from the time a line was due to the time a member has read it.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency measured; longer ones count as this.
const LONGEST_NANOS: u64 = 600_000_000_000;

/// Latencies of the lines that were due in a period of time.
pub(crate) struct Latency {
    histogram: Histogram<u64>,
    due_from: u64,
    due_until: u64,
}

impl Latency {
    /// For the lines that are due from the first of these times until before the second.
    pub(crate) fn new(due_from: u64, due_until: u64) -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NANOS, 3)
            .expect("the bounds and three digits are what a histogram takes");
        Self { histogram, due_from, due_until }
    }

    /// Notes deliveries of lines that were due, and were read, at the same moment.
    pub(crate) fn note(&mut self, due: u64, read: u64, count: u32) {
        if due >= self.due_from && due < self.due_until {
            let nanos = read.saturating_sub(due).max(1);
            self.histogram.saturating_record_n(nanos, u64::from(count));
        }
    }

    /// The recorded latencies as figures; `None` if there are none.
    pub(crate) fn summary(&self) -> Option<Summary> {
        if self.histogram.is_empty() {
            return None;
        }
        let micros = |quantile| self.histogram.value_at_quantile(quantile) as f64 / 1e3;
        Some(Summary {
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            max_us: self.histogram.max() as f64 / 1e3,
        })
    }
}

/// Latency in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delivery_counts_and_only_of_lines_due_in_time() {
        let mut latency = Latency::new(100, 1_000_000);
        assert_eq!(latency.summary(), None);
        latency.note(99, 5_000_000, 1);
        latency.note(1_000_000, 9_000_000, 1);
        latency.note(100, 1_100, 98);
        latency.note(200, 2_200, 1);
        latency.note(200, 10_200, 1);
        let summary = latency.summary().unwrap();
        let near = |found: f64, wanted: f64| (found - wanted).abs() < wanted / 500.0;
        assert!(near(summary.p50_us, 1.0), "{summary:?}");
        assert!(near(summary.p99_us, 2.0), "{summary:?}");
        assert!(near(summary.p999_us, 10.0), "{summary:?}");
        assert!(near(summary.max_us, 10.0), "{summary:?}");
    }

    #[test]
    fn a_read_before_the_due_time_counts_as_no_time() {
        let mut latency = Latency::new(0, u64::MAX);
        latency.note(500, 400, 1);
        assert_eq!(latency.summary().unwrap().max_us, 0.001);
    }
}
