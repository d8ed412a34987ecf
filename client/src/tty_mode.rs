//! The terminal's mode between two lines, while the editor does not hold it: what is
//! typed ahead is neither shown nor obeyed, and waits for the next line. Without this,
//! a Ctrl-D that comes too soon is lost, and letters turn up where they don't belong.

#[cfg(unix)]
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use parking_lot::Mutex;

/// As the terminal was, while it is not.
#[cfg(unix)]
static ORIGINAL: Mutex<Option<Termios>> = Mutex::new(None);

/// Keeps the terminal quiet until it is dropped. Ctrl-C stays a signal.
pub(crate) struct Quiet(());

impl Quiet {
    /// Changes the mode of stdin; one that can't be changed is left as it is.
    pub(crate) fn start() -> Quiet {
        #[cfg(unix)]
        quieten();
        Quiet(())
    }
}

#[cfg(unix)]
fn quieten() {
    if let Ok(original) = tcgetattr(std::io::stdin()) {
        let mut quiet = original.clone();
        quiet.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        quiet.input_flags.remove(InputFlags::ICRNL);
        if tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &quiet).is_ok() {
            *ORIGINAL.lock() = Some(original);
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
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &original);
    }
}
