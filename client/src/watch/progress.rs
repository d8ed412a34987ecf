//! How far a program has read back, on a row of its terminal while it does: the server's rate
//! limit makes that slow.

use std::io::{self, IsTerminal as _, Write as _};

/// The row on stderr, if that is a terminal.
#[derive(Debug, Default)]
pub(super) struct Progress {
    is_shown: bool,
}

impl Progress {
    /// Shows `text` in place of the one before.
    pub(super) fn show(&mut self, text: &str) {
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            self.is_shown = true;
            // If it can't be written, the events are read all the same.
            let _ = write!(stderr, "\r\x1b[K{text}…");
        }
    }

    /// Removes it.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
