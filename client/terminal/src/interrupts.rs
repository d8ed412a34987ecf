//! Ctrl-C and its kin, and the one signal that we send ourselves.
//!
//! While a line is typed, Ctrl-C is a key like others and SIGINT is the editor's: it
//! ends the line. That is also the only way in which another thread can end it.

use std::sync::atomic::{AtomicBool, Ordering};

/// SIGINT is on its way to the editor, by our own doing.
static OWN_INTERRUPT: AtomicBool = AtomicBool::new(false);

/// The editor's thread, for signals.
#[cfg(unix)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct EditorThread(nix::sys::pthread::Pthread);

/// There is no such way on Windows: the line ends when Enter is pressed.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct EditorThread;

impl EditorThread {
    /// The thread that calls it, and that must not end while it is kept.
    #[cfg(unix)]
    pub(crate) fn current() -> EditorThread {
        EditorThread(nix::sys::pthread::pthread_self())
    }

    /// As on Unix.
    #[cfg(not(unix))]
    pub(crate) fn current() -> EditorThread {
        EditorThread
    }

    /// Ends the line that is being typed. SIGINT goes to that thread, not to the
    /// process: only so does it end a read of the keyboard, and is there before the
    /// thread goes on when it is the thread itself that asks for it.
    pub(crate) fn interrupt(self) {
        #[cfg(unix)]
        {
            OWN_INTERRUPT.store(true, Ordering::SeqCst);
            // It does not fail for a thread that is there and a signal that exists.
            let _ = nix::sys::pthread::pthread_kill(self.0, nix::sys::signal::Signal::SIGINT);
        }
    }
}

/// The signal has ended the line that it was meant for.
pub(crate) fn forget_own_interrupt() {
    OWN_INTERRUPT.store(false, Ordering::SeqCst);
}

/// Whether the SIGINT that has just come to the process's own handler was meant for
/// the editor, which had ended its line by itself meanwhile.
pub fn is_own_interrupt() -> bool {
    OWN_INTERRUPT.swap(false, Ordering::SeqCst)
}
