//! The harness of the end-to-end tests: a server inside the test's own process,
//! and clients that speak to it over real sockets. A test that fails prints what
//! every client of it sent and was sent.
//!
//! Nothing here sleeps for a fixed time: each wait is for a thing, with a
//! [`DEADLINE`]. What it knows of the kernel beside the sockets' own calls stands
//! in `kernel.rs`.

use std::time::Duration;

pub use authority::{Authority, Flaw, Pair};
pub use client::{TestClient, read_lines};
pub use documented::{PAGES, as_installed, documented_commands};
pub use program::{Program, TestFolder};
pub use server::TestServer;
pub use websocket::{Frame, WebSocketClient, frame};

pub mod terminal;
mod server;
mod client;
mod websocket;
mod program;
mod documented;
mod authority;
mod transcript;
mod kernel;

/// How long a test waits for what must come: far longer than it takes, so that a busy
/// machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Longer than any test: for the limit of a server that must not be reached in it.
pub const NEVER: Duration = Duration::from_secs(600);

/// How long a test waits for what must not come.
pub const QUIET: Duration = Duration::from_millis(100);
