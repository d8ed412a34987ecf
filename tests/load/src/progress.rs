//! The progress of a run: one line on the terminal, and nothing if there is none.

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{Clock, Nanos};

const INTERVAL: Nanos = 100_000_000;

/// One line on stderr, if that is a terminal, with the current state.
pub(crate) struct Progress {
    bar: ProgressBar,
    clock: Clock,
    next: Nanos,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(
            ProgressStyle::with_template("{spinner} {elapsed} {prefix}{msg}")
                .expect("the template is right"),
        );
        Self { bar, clock: Clock::start(), next: 0 }
    }

    /// Sets the prefix of everything shown from now on.
    pub(crate) fn begin(&mut self, what: String) {
        self.bar.reset_elapsed();
        self.bar.set_prefix(what);
    }

    /// Shows the progress, at most ten times a second, so it may be called in any loop.
    pub(crate) fn show(&mut self, now: impl FnOnce() -> String) {
        let moment = self.clock.now();
        if self.bar.is_hidden() || moment < self.next {
            return;
        }
        self.next = moment + INTERVAL;
        self.bar.set_message(now());
        self.bar.tick();
    }

    /// Writes a permanent line to stderr.
    pub(crate) fn note(&mut self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(crate) fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}
