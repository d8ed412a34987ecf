//! A process on Unix: it ends by signals, and its terminal may be somebody else's for a while.

use std::{
    io::{self, Stdin},
    os::unix::fs::FileTypeExt,
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags},
    process::getpgrp,
    termios::tcgetpgrp,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::StopRequest;

/// How long to leave a terminal alone that others have the foreground of.
const BACKGROUND_PAUSE: Duration = Duration::from_millis(500);

pub(super) const EDITS_LINES: bool = true;

/// What asks the process to end: SIGINT, SIGTERM, and SIGHUP unless `nohup` has it ignored.
pub struct StopRequests(Signals);

impl StopRequests {
    /// Takes the signals from the system.
    ///
    /// # Errors
    ///
    /// If it does not give them.
    pub fn take() -> io::Result<StopRequests> {
        let mut signals = vec![SIGINT, SIGTERM];
        if !is_ignored(SIGHUP) {
            signals.push(SIGHUP);
        }
        Ok(StopRequests(Signals::new(signals)?))
    }

    /// Blocks until the process is to end.
    pub fn wait(&mut self) -> StopRequest {
        self.0.forever().next();
        StopRequest::Asked
    }
}

/// Whether the process was started with `signal` ignored; known on Linux alone,
/// from the mask in /proc/self/status.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

pub(super) fn end() {
    // It does not fail for a signal that exists.
    let _ = signal_hook::low_level::raise(SIGTERM);
}

/// A terminal takes what it is sent, in whatever encoding.
pub struct ConsoleMode(());

impl ConsoleMode {
    /// Changes nothing.
    pub fn set() -> ConsoleMode {
        ConsoleMode(())
    }
}

pub(super) fn hold_window(_request: &str) {}

pub(super) fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn is_pipe(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A server in the background reads nothing: that would stop it.
pub(super) fn read_terminal(stdin: &Stdin, space: &mut [u8]) -> io::Result<usize> {
    loop {
        rustix::event::poll(&mut [PollFd::new(stdin, PollFlags::IN)], None)?;
        if tcgetpgrp(stdin)? == getpgrp() {
            return Ok(rustix::io::read(stdin, space)?);
        }
        std::thread::sleep(BACKGROUND_PAUSE);
    }
}

pub(super) fn firewall_rule(_ports: &[u16]) -> Option<String> {
    None
}
