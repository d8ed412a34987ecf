//! The terminal's mode between two lines, while the editor does not own it: keys typed ahead
//! are neither shown nor interpreted, and wait for the next line. Without this, an early Ctrl-D
//! would be lost, and letters would appear in the wrong place.
//!
//! Nothing here blocks on a terminal that accepts no output, as after Ctrl-S.

#[cfg(unix)]
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use parking_lot::Mutex;

/// The pause between two checks for the terminal's foreground.
#[cfg(unix)]
const BACKGROUND_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// The original mode, while it is changed.
#[cfg(unix)]
static ORIGINAL: Mutex<Option<Termios>> = Mutex::new(None);

/// Keeps the terminal's echo off until it is dropped. Ctrl-C still sends a signal.
pub struct Quiet(());

impl Quiet {
    /// Changes the mode of stdin, if that is possible. Stops the process if it is in the
    /// background.
    pub fn start() -> Quiet {
        #[cfg(unix)]
        quieten();
        Quiet(())
    }
}

/// Turns the echo off, if it is on.
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

/// Restores the terminal's mode for the shell, and stops the process until the shell continues
/// it. Does nothing if there is no shell that could.
#[cfg(unix)]
pub(crate) fn suspend() {
    restore_terminal();
    // Sent to this thread, not to the process, so that the thread stops before it continues. It
    // can't fail for a valid signal.
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP);
}

/// Waits until the process is in the foreground, and turns the echo off. In the background, any
/// change of the terminal's mode would stop the process.
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

/// No process is in the background of a console of Windows.
#[cfg(not(unix))]
pub(crate) fn take_foreground() {}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Restores the terminal's mode. Call this before ending the process without returning from
/// `main`.
pub fn restore_terminal() {
    #[cfg(unix)]
    if let Some(original) = ORIGINAL.lock().take() {
        // If it fails, the terminal is gone.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &original);
    }
}

/// Whether the terminal behind stdout shows colours. A console of Windows is asked to.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn takes_colors() -> bool {
    use windows_sys::Win32::System::Console::{
        ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_OUTPUT_HANDLE,
        SetConsoleMode,
    };

    let mut mode = 0;
    // SAFETY: the calls take a number of ours, and fail where there is no console.
    unsafe {
        let console = GetStdHandle(STD_OUTPUT_HANDLE);
        GetConsoleMode(console, &mut mode) != 0
            && SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
    }
}

/// Every terminal does.
#[cfg(not(windows))]
pub(crate) fn takes_colors() -> bool {
    true
}
