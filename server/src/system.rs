//! Operating system services except sockets and memory: stop requests, the machine's name, the
//! terminal. Platform differences are in a file each.

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
    /// Normally.
    Asked,
    /// In a hurry: the window was closed, and the system waits only a few seconds.
    Hurried,
}

/// Makes the process end as if it were asked from outside.
pub fn end() {
    platform::end();
}

/// After an error, keeps a console window open that would close with the process: shows
/// `request` and waits for Enter. Does nothing if the error stays readable anyway.
pub fn hold_window(request: &str) {
    platform::hold_window(request);
}

/// The name of this machine.
pub(crate) fn own_name() -> String {
    platform::own_name()
}

/// Returns the unused stack pages below the current call to the system; the next deep call gets
/// fresh pages. Only Linux supports this.
pub(crate) fn give_back_stack() {
    platform::give_back_stack();
}

/// Whether `path` is a pipe, which can be read only once.
pub(crate) fn is_pipe(path: &Path) -> bool {
    platform::is_pipe(path)
}

/// Reads once from a terminal. Blocks until a line was typed; returns 0 at the end.
///
/// # Errors
///
/// The terminal's error.
pub(crate) fn read_terminal(stdin: &Stdin, space: &mut [u8]) -> io::Result<usize> {
    platform::read_terminal(stdin, space)
}

/// The command that opens the system's firewall for these ports; `None` where it is not needed
/// or the operator will know it.
pub(crate) fn firewall_rule(ports: &[u16]) -> Option<String> {
    platform::firewall_rule(ports)
}
