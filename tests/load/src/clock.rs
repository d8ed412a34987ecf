//! The clock of a run: nanoseconds since it began.

use std::time::{Duration, Instant};

/// A moment, in nanoseconds of the run's clock.
pub(crate) type Nanos = u64;

#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }
}

/// The length of time in nanoseconds.
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos() as Nanos
}

/// The length of time between two moments, in seconds.
pub(crate) fn seconds_between(from: Nanos, until: Nanos) -> f64 {
    until.saturating_sub(from) as f64 / 1e9
}
