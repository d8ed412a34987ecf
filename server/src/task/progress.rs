//! How far a long job has come, as a bar on one row of a terminal.

use std::time::{Duration, Instant};

use madang_protocol::notice::grouped;

/// A job that is done by then shows no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// The time between two pictures of the bar.
const PAUSE: Duration = Duration::from_millis(100);

/// How many marks are a full bar.
const MARKS: usize = 40;

/// Removes the row that the cursor is on.
const CLEAR: &str = "\r\x1b[K";

/// The bar of a job.
#[derive(Debug)]
pub(super) struct ProgressBar {
    /// When it is drawn next.
    due: Instant,
    is_drawn: bool,
}

impl ProgressBar {
    /// The bar of a job that begins now.
    pub(super) fn begin(now: Instant) -> ProgressBar {
        ProgressBar { due: now + PATIENCE, is_drawn: false }
    }

    /// What to write when so much of the job has been done.
    pub(super) fn advance(&mut self, done: usize, all: usize, now: Instant) -> Option<String> {
        if now < self.due {
            return None;
        }
        (self.due, self.is_drawn) = (now + PAUSE, true);
        // More may come while it goes on.
        let (done, all) = (done.min(all), all.max(1));
        let marks = "#".repeat(done * MARKS / all);
        let percent = done * 100 / all;
        let (done, all) = (grouped(done), grouped(all));
        Some(format!("{CLEAR}[{marks:MARKS$}] {percent:3} %  {done} / {all}"))
    }

    /// What to write at the end: nothing of the bar stays.
    pub(super) fn end(self) -> &'static str {
        if self.is_drawn { CLEAR } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_job_has_a_bar_and_a_short_one_none() {
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
        let nothing = ProgressBar::begin(start).advance(0, 0, at(500));
        assert!(nothing.is_some_and(|bar| bar.ends_with("]   0 %  0 / 1")));
    }
}
