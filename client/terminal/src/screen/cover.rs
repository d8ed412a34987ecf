//! The terminal's other screen, which covers the usual one for a while: nothing that it showed
//! stays, not even in the scrollback.

use std::{io, mem};

use super::{Screen, State, write_out};

/// Switches to the other screen, and clears it.
const TO_OTHER_SCREEN: &str = "\x1b[?1049h\x1b[2J\x1b[H";

/// Clears it, because some terminals keep it, and switches back.
const FROM_OTHER_SCREEN: &str = "\x1b[2J\x1b[?1049l";

impl Screen {
    /// Covers the screen with `text`. Lines wait until [`uncover`](Self::uncover). Must not be
    /// called while a line is typed.
    pub fn cover(&self, text: &str) {
        let mut state = self.state.lock();
        if state.closed || mem::replace(&mut state.covered, true) {
            return;
        }
        // The editor will notice an error and report it.
        let _ = write_out(&format!("{TO_OTHER_SCREEN}{text}"));
    }

    /// Shows the usual screen again, when the line that was typed on the other one has ended.
    pub fn uncover(&self) {
        let _ = self.state.lock().show_usual_screen();
        self.changed.notify_all();
    }

    /// Takes back a [`cancel`](Self::cancel) that has come too late for its line.
    pub fn forget_cancel(&self) {
        self.state.lock().interruption = None;
    }
}

impl State {
    /// Leaves the other screen, if it is shown.
    pub(super) fn show_usual_screen(&mut self) -> io::Result<()> {
        match mem::replace(&mut self.covered, false) {
            true => write_out(FROM_OTHER_SCREEN),
            false => Ok(()),
        }
    }
}
