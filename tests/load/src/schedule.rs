//! When lines are due at a fixed rate: evenly spaced, the speakers in turn.

use crate::clock::Nanos;

/// The lines of all speakers at one rate.
pub(crate) struct Schedule {
    begin: Nanos,
    interval_nanos: f64,
    speakers: usize,
    taken: u64,
}

impl Schedule {
    /// A schedule whose first line is due at `begin`.
    pub(crate) fn new(begin: Nanos, lines_per_second: f64, speakers: usize) -> Self {
        Self { begin, interval_nanos: 1e9 / lines_per_second, speakers, taken: 0 }
    }

    /// When the next line is due.
    pub(crate) fn next_due(&self) -> Nanos {
        self.begin + (self.taken as f64 * self.interval_nanos) as Nanos
    }

    /// Takes the next line if it is due: its speaker, and when it was due.
    pub(crate) fn take_due(&mut self, now: Nanos) -> Option<(usize, Nanos)> {
        let due = self.next_due();
        if due > now {
            return None;
        }
        let speaker = (self.taken % self.speakers as u64) as usize;
        self.taken += 1;
        Some((speaker, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_due_evenly_and_speakers_take_turns() {
        let mut schedule = Schedule::new(1_000, 1e6, 2);
        assert_eq!(schedule.take_due(999), None);
        assert_eq!(schedule.take_due(1_000), Some((0, 1_000)));
        assert_eq!(schedule.take_due(1_999), None);
        assert_eq!(schedule.next_due(), 2_000);
        // A late line keeps the time at which it was due.
        assert_eq!(schedule.take_due(9_999), Some((1, 2_000)));
        assert_eq!(schedule.take_due(9_999), Some((0, 3_000)));
    }

    #[test]
    fn a_rate_that_divides_nothing_does_not_drift() {
        let mut schedule = Schedule::new(0, 3.0, 1);
        while schedule.take_due(1_000_000_000_000 - 1).is_some() {}
        assert_eq!(schedule.next_due(), 1_000_000_000_000);
    }
}
