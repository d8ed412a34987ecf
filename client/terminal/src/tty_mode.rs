//! The terminal's mode between two lines, while the editor does not hold it: what is
//! typed ahead is neither shown nor obeyed, and waits for the next line. Without this,
//! a Ctrl-D that comes too soon is lost, and letters turn up where they don't belong.
//!
//! Nothing here waits for a terminal that takes nothing, as after Ctrl-S.

#[cfg(unix)]
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use parking_lot::Mutex;

/// Time between two looks for the foreground of the terminal.
#[cfg(unix)]
const BACKGROUND_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// As the terminal was, while it is not.
#[cfg(unix)]
static ORIGINAL: Mutex<Option<Termios>> = Mutex::new(None);

/// Keeps the terminal quiet until it is dropped. Ctrl-C stays a signal.
pub struct Quiet(());

impl Quiet {
    /// Changes the mode of stdin; one that can't be changed is left as it is. Stops the
    /// process if it is in the background.
    pub fn start() -> Quiet {
        #[cfg(unix)]
        quieten();
        Quiet(())
    }
}

/// Keeps the terminal quiet, if it is not already.
#[cfg(unix)]
pub(crate) fn quieten() {
    if let Ok(original) = tcgetattr(std::io::stdin()) {
        let mut quiet = original.clone();
        quiet.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        quiet.input_flags.remove(InputFlags::ICRNL);
        let mut kept = ORIGINAL.lock();
        if kept.is_none() && tcsetattr(std::io::stdin(), SetArg::TCSANOW, &quiet).is_ok() {
            *kept = Some(original);
        }
    }
}

/// Gives the terminal back to the shell, as it was found, and stops until the shell has
/// the process go on. Does nothing for long where there is no shell that could.
#[cfg(unix)]
pub(crate) fn suspend() {
    restore_terminal();
    // To this thread, not to the process: so it is stopped before it goes on. It does not
    // fail for a signal that exists.
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP);
}

/// Waits until the process has the foreground of its terminal, and keeps that quiet. In
/// the background, any change of the terminal's mode would stop the process.
#[cfg(unix)]
pub(crate) fn take_foreground() {
    let is_elsewhere = || {
        let foreground = nix::unistd::tcgetpgrp(std::io::stdin());
        foreground.is_ok_and(|foreground| foreground != nix::unistd::getpgrp())
    };
    while is_elsewhere() {
        std::thread::sleep(BACKGROUND_PAUSE);
    }
    quieten();
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Gives the terminal back as it was found. To be called by whoever ends the process
/// without returning from it.
pub fn restore_terminal() {
    #[cfg(unix)]
    if let Some(original) = ORIGINAL.lock().take() {
        // It is gone, then.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &original);
    }
}
