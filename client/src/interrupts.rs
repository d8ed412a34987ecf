//! Ctrl-C and its kin, and the one signal that we send ourselves.
//!
//! While a line is typed, Ctrl-C is a key like others and SIGINT is the editor's: it
//! ends the line. That is also the only way in which another thread can end it.

use std::sync::atomic::{AtomicBool, Ordering};

/// SIGINT is on its way to the editor, by our own doing.
static OWN_INTERRUPT: AtomicBool = AtomicBool::new(false);

/// Ends the line that is being typed.
#[cfg(unix)]
pub(crate) fn interrupt_editor() {
    use rustix::process::{Signal, getpid, kill_process};

    OWN_INTERRUPT.store(true, Ordering::SeqCst);
    // A process may always send itself a signal.
    let _ = kill_process(getpid(), Signal::INT);
}

/// There is no such way on Windows: the line ends when Enter is pressed.
#[cfg(not(unix))]
pub(crate) fn interrupt_editor() {}

/// The editor has ended its line, whatever for.
pub(crate) fn forget_own_interrupt() {
    OWN_INTERRUPT.store(false, Ordering::SeqCst);
}

/// Whether the SIGINT that has just come to the process's own handler was meant for
/// the editor, which had ended its line by itself meanwhile.
pub fn is_own_interrupt() -> bool {
    OWN_INTERRUPT.swap(false, Ordering::SeqCst)
}
