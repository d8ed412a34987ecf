//! The real `madang` against a small server that each test plays itself, and
//! against the real one.

mod client;
mod fake_server;

mod ends;
mod json;
mod pipe;
mod plain;
#[cfg(unix)]
mod real_server;
#[cfg(unix)]
mod terminal;

use std::time::Duration;

/// The longest that any test waits for any one thing.
const DEADLINE: Duration = Duration::from_secs(20);
