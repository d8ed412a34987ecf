//! How long a run waits: until nothing has arrived for a while, or the run has taken too long.

use std::time::Duration;

use crate::clock::{Clock, Nanos, nanos};

/// Limits a run by the time without any arrival, and by its total time.
pub(crate) struct Deadline {
    clock: Clock,
    silence: Duration,
    limit: Duration,
    heard: u64,
    heard_at: Nanos,
}

impl Deadline {
    pub(crate) fn new(clock: Clock, silence: Duration, limit: Duration) -> Self {
        Self { clock, silence, limit, heard: 0, heard_at: clock.now() }
    }

    /// Reports how much has arrived so far. A change is a sign of life.
    pub(crate) fn hear(&mut self, heard: u64) {
        if heard != self.heard {
            self.heard = heard;
            self.heard_at = self.clock.now();
        }
    }

    /// Restarts the wait.
    pub(crate) fn renew(&mut self) {
        self.heard_at = self.clock.now();
    }

    /// When the wait ends if nothing arrives.
    pub(crate) fn end(&self) -> Nanos {
        (self.heard_at + nanos(self.silence)).min(nanos(self.limit))
    }

    /// Why the wait is over, if it is.
    pub(crate) fn is_over(&self) -> Option<String> {
        let now = self.clock.now();
        if now >= nanos(self.limit) {
            return Some(format!(
                "the run took longer than --time-limit {} s",
                self.limit.as_secs_f64()
            ));
        }
        (now >= self.end())
            .then(|| format!("nothing came for --silence-limit {} s", self.silence.as_secs_f64()))
    }
}
