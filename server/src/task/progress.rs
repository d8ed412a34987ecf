//! A progress bar on one row of a terminal.

use std::time::{Duration, Instant};

use madang_protocol::notice::grouped;

/// Jobs that finish within this time show no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// The time between two updates of the bar.
const PAUSE: Duration = Duration::from_millis(100);

/// The number of characters of a full bar.
const MARKS: usize = 40;

/// Clears the cursor's row.
const CLEAR: &str = "\r\x1b[K";

/// The bar of a job.
#[derive(Debug)]
pub(super) struct ProgressBar {
    /// When it is drawn next.
    due: Instant,
    is_drawn: bool,
}

impl ProgressBar {
    /// A bar for a job that starts now.
    pub(super) fn begin(now: Instant) -> ProgressBar {
        ProgressBar { due: now + PATIENCE, is_drawn: false }
    }

    /// The text to write when this much of the job is done, if the bar is due.
    pub(super) fn advance(&mut self, done: usize, all: usize, now: Instant) -> Option<String> {
        if !self.is_due(now) {
            return None;
        }
        // The total may grow while the job runs.
        let (done, all) = (done.min(all), all.max(1));
        let marks = "#".repeat(done * MARKS / all);
        let percent = done * 100 / all;
        let (done, all) = (grouped(done), grouped(all));
        Some(format!("{CLEAR}[{marks:MARKS$}] {percent:3} %  {done} / {all}"))
    }

    /// The same for a job whose size is unknown: how much of what is done.
    pub(super) fn count(&mut self, done: usize, what: &str, now: Instant) -> Option<String> {
        self.is_due(now).then(|| format!("{CLEAR}{} {what}", grouped(done)))
    }

    /// Whether it is to be drawn now.
    fn is_due(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        (self.due, self.is_drawn) = (now + PAUSE, true);
        true
    }

    /// The text to write at the end, which removes the bar.
    pub(super) fn end(self) -> &'static str {
        if self.is_drawn { CLEAR } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_jobs_have_a_bar() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut bar = ProgressBar::begin(start);
        assert_eq!(bar.advance(1_000, 2_000, at(499)), None);
        let half = format!("{CLEAR}[{:40}]  50 %  1,000 / 2,000", "#".repeat(20));
        assert_eq!(bar.advance(1_000, 2_000, at(500)), Some(half));
        assert_eq!(bar.advance(1_100, 2_000, at(599)), None);
        let full = format!("{CLEAR}[{}] 100 %  2,000 / 2,000", "#".repeat(40));
        assert_eq!(bar.advance(2_100, 2_000, at(600)), Some(full));
        assert_eq!(bar.end(), CLEAR);
        assert_eq!(ProgressBar::begin(start).end(), "");
        let mut count = ProgressBar::begin(start);
        assert_eq!(count.count(900, "rows", at(499)), None);
        assert_eq!(count.count(1_000, "rows", at(500)), Some(format!("{CLEAR}1,000 rows")));
        assert_eq!(count.count(1_001, "rows", at(599)), None);
        assert_eq!(count.end(), CLEAR);
        let nothing = ProgressBar::begin(start).advance(0, 0, at(500));
        assert!(nothing.is_some_and(|bar| bar.ends_with("]   0 %  0 / 1")));
    }
}
