//! Shows on one row of the terminal how far `--since` has come, because the server's rate limit
//! makes it slow.

use std::io::{self, IsTerminal as _, Write as _};

/// The row on stderr, if that is a terminal.
#[derive(Debug, Default)]
pub(super) struct Progress {
    is_shown: bool,
}

impl Progress {
    /// Shows `text` in place of the previous one.
    pub(super) fn show(&mut self, text: &str) {
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            self.is_shown = true;
            // If it can't be written, fetching continues all the same.
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
