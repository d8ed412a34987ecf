//! A token bucket that limits how fast one connection may send. It delays reading; it never
//! drops input or ends a connection.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use madang_protocol::limits::CARRIER_BYTES;

/// How much may be sent at once and over time. Both lines and bytes count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Lines per second in the long run.
    pub lines_per_second: f64,
    /// The maximum burst, in lines.
    pub burst_lines: f64,
    /// Bytes per second in the long run.
    pub bytes_per_second: f64,
    /// The maximum burst, in bytes; at least the longest carrier, which could never be paid for
    /// otherwise.
    pub burst_bytes: f64,
}

impl RateLimit {
    /// A rate of `lines` per second with bursts of twice as many, and 1,638 bytes for each line
    /// (10 lines: 16 KiB per second, bursts of 20 lines and 64 KiB).
    pub fn per_second(lines: u32) -> RateLimit {
        let lines = f64::from(NonZeroU32::new(lines).map_or(1, NonZeroU32::get));
        let carrier = CARRIER_BYTES as f64;
        RateLimit {
            lines_per_second: lines,
            burst_lines: 2.0 * lines,
            bytes_per_second: 0.025 * carrier * lines,
            burst_bytes: carrier.max(0.1 * carrier * lines),
        }
    }
}

/// What one connection may still send.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    limit: RateLimit,
    lines: f64,
    bytes: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(limit: RateLimit, now: Instant) -> Bucket {
        Bucket { limit, lines: limit.burst_lines, bytes: limit.burst_bytes, filled_at: now }
    }

    /// An empty bucket, which fills like any other.
    pub(crate) fn empty(limit: RateLimit, now: Instant) -> Bucket {
        Bucket { limit, lines: 0.0, bytes: 0.0, filled_at: now }
    }

    /// How full it is at `now`: 1 is full; below 0, bytes or lines are owed.
    pub(crate) fn fullness(&self, now: Instant) -> f64 {
        let (lines, bytes) = self.content(now);
        (lines / self.limit.burst_lines).min(bytes / self.limit.burst_bytes)
    }

    /// The lines and bytes in it at `now`.
    fn content(&self, now: Instant) -> (f64, f64) {
        let RateLimit { lines_per_second, burst_lines, bytes_per_second, burst_bytes } = self.limit;
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        let lines = burst_lines.min(self.lines + passed * lines_per_second);
        let bytes = burst_bytes.min(self.bytes + passed * bytes_per_second);
        (lines, bytes)
    }

    /// Charges a line of `bytes`.
    ///
    /// # Errors
    ///
    /// How long to wait until the line can be paid for; nothing is charged then.
    pub(crate) fn charge(&mut self, bytes: usize, now: Instant) -> Result<(), Duration> {
        (self.lines, self.bytes) = self.content(now);
        self.filled_at = now;
        let bytes = bytes as f64;
        let lines_missing = (1.0 - self.lines) / self.limit.lines_per_second;
        let bytes_missing = (bytes - self.bytes) / self.limit.bytes_per_second;
        let wait = lines_missing.max(bytes_missing);
        // Less than a microsecond is a rounding error, and waiting for zero time would spin.
        if wait > 1e-6 {
            return Err(Duration::from_secs_f64(wait));
        }
        self.lines -= 1.0;
        self.bytes -= bytes;
        Ok(())
    }

    /// Charges `bytes` more for input that has already passed; the next line waits for them.
    pub(crate) fn owe(&mut self, bytes: usize) {
        self.bytes -= bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_as_documented() {
        let limit = RateLimit::per_second(10);
        assert_eq!(limit.burst_lines, 20.0);
        assert_eq!(limit.bytes_per_second.round(), 16_384.0);
        assert_eq!(limit.burst_bytes, 65_536.0);
    }

    #[test]
    fn burst_bytes_grow_with_the_rate_and_always_fit_a_carrier() {
        let burst_bytes = |lines| RateLimit::per_second(lines).burst_bytes.round();
        assert_eq!([1, 9, 10].map(burst_bytes), [65_536.0; 3]);
        assert_eq!([20, 100].map(burst_bytes), [131_072.0, 655_360.0]);
        let now = Instant::now();
        let mut bucket = Bucket::new(RateLimit::per_second(20), now);
        assert_eq!([(); 2].map(|()| bucket.charge(CARRIER_BYTES, now)), [Ok(()); 2]);
        assert!(bucket.charge(1, now).is_err());
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(RateLimit::per_second(10), now);
        for _ in 0..20 {
            assert_eq!(bucket.charge(10, now), Ok(()));
        }
        let started = now;
        for _ in 0..50 {
            while let Err(wait) = bucket.charge(10, now) {
                assert!(wait <= Duration::from_millis(101), "{wait:?}");
                now += wait;
            }
        }
        let passed = (now - started).as_secs_f64();
        assert!((4.9..5.1).contains(&passed), "{passed}");
    }

    #[test]
    fn owed_bytes_delay_the_next_line() {
        let now = Instant::now();
        let mut bucket = Bucket::new(RateLimit::per_second(10), now);
        bucket.owe(2 * CARRIER_BYTES);
        let wait = bucket.charge(0, now).expect_err("a carrier is owed");
        assert!((3.9..4.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert_eq!(bucket.charge(0, now + wait), Ok(()));
    }

    #[test]
    fn bytes_are_charged_too_and_the_longest_carrier_can_be_paid_for() {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(RateLimit::per_second(1), now);
        for _ in 0..3 {
            while let Err(wait) = bucket.charge(CARRIER_BYTES, now) {
                now += wait;
            }
        }
    }
}
