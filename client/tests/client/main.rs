//! The real `madang` with a fake server that each test plays itself, and with the real server.

mod client;
mod fake_server;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod terminal;

mod ends;
#[cfg(unix)]
mod interrupts;
mod json;
mod pipe;
mod hostile;
mod watch;
mod plain;
#[cfg(unix)]
mod line_server;
#[cfg(unix)]
mod seed_server;
#[cfg(unix)]
mod first_minutes;
#[cfg(unix)]
mod naming;
#[cfg(unix)]
mod editing;
#[cfg(unix)]
mod resizing;
#[cfg(unix)]
mod coming_back;
#[cfg(unix)]
mod elsewhere;
#[cfg(unix)]
mod saved;
#[cfg(unix)]
mod lesson;
#[cfg(unix)]
mod real_server;
#[cfg(unix)]
mod cluster;
#[cfg(unix)]
mod data;
#[cfg(unix)]
mod readme;
#[cfg(unix)]
mod tls;
#[cfg(unix)]
mod websocket;

/// Starts a program, unless another test is starting one at a terminal.
#[cfg(unix)]
pub(crate) use madang_tests::spawn_program;

/// Starts a program. No test starts one at a terminal here.
#[cfg(windows)]
pub(crate) fn spawn_program(
    command: &mut std::process::Command,
) -> std::io::Result<std::process::Child> {
    command.spawn()
}

use std::time::Duration;

/// How long a test waits for something that must come.
const DEADLINE: Duration = Duration::from_secs(20);
