//! The real `madang` against a small server that each test plays itself, and
//! against the real one.

mod client;
mod fake_server;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod terminal;

mod ends;
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
mod naming;
#[cfg(unix)]
mod editing;
#[cfg(unix)]
mod coming_back;
#[cfg(unix)]
mod elsewhere;
#[cfg(unix)]
mod real_server;
#[cfg(unix)]
mod readme;
#[cfg(unix)]
mod tls;
#[cfg(unix)]
mod websocket;

use std::time::Duration;

/// The longest that any test waits for any one thing.
const DEADLINE: Duration = Duration::from_secs(20);
