//! A replacement for the operator's terminal, which keeps what it was shown.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::DEADLINE;

/// A replacement for the operator's terminal.
#[derive(Clone, Default)]
pub(crate) struct Screen {
    text: Arc<Mutex<String>>,
    changed: Arc<Condvar>,
}

impl Screen {
    /// Everything that was shown.
    pub(crate) fn lock(&self) -> MutexGuard<'_, String> {
        // A test that fails while it holds the lock can still print the screen.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `text` was shown `count` times.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, count: usize) {
        self.wait_until(text, |shown| (shown.matches(text).count() >= count).then_some(()));
    }

    /// Waits until `found` finds `what` in everything that was shown.
    #[track_caller]
    pub(crate) fn wait_until<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = self.lock();
        loop {
            if let Some(found) = found(&shown) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the console did not show {what:?}, but:\n{shown}");
            let waited = self.changed.wait_timeout(shown, left);
            shown = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().push_str(&String::from_utf8_lossy(bytes));
        self.changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
