//! What a process asks of its operating system, sockets and memory aside: when it is to end,
//! who it is, and its terminal. What differs by system stands in a file for each.

use std::{
    io::{self, Stdin},
    path::Path,
};

#[cfg(unix)]
#[path = "system/unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "system/windows.rs"]
mod platform;

pub use self::platform::{ConsoleMode, StopRequests};

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRequest {
    /// In order.
    Asked,
    /// At once: the window was closed, and the system waits for a few seconds.
    Hurried,
}

/// Has the process end, as if it were asked from outside.
pub fn end() {
    platform::end();
}

/// Keeps the window of a process open that has ended in an error, until somebody does what
/// `request` says and presses Enter, if nobody could read the error otherwise.
pub fn hold_window(request: &str) {
    platform::hold_window(request);
}

/// What this machine is called.
pub(crate) fn own_name() -> String {
    platform::own_name()
}

/// Has the system take back the pages of the calling thread's stack that only calls which have
/// returned have used; the next deep call gets empty ones. Only Linux does so.
pub(crate) fn give_back_stack() {
    platform::give_back_stack();
}

/// Whether there is a pipe at `path`, which is read once.
pub(crate) fn is_pipe(path: &Path) -> bool {
    platform::is_pipe(path)
}

/// Reads once from a terminal; blocks until a line was typed. 0 at its end.
///
/// # Errors
///
/// The terminal's.
pub(crate) fn read_terminal(stdin: &Stdin, space: &mut [u8]) -> io::Result<usize> {
    platform::read_terminal(stdin, space)
}

/// How the system's firewall is told to let others in; none where it needs not be told, or
/// the operator knows.
pub(crate) fn firewall_rule(ports: &[u16]) -> Option<String> {
    platform::firewall_rule(ports)
}
