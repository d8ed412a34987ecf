//! The harness of the end-to-end tests: a server inside the test's own process, and clients
//! that speak to it over real sockets. A test that fails prints everything its clients sent and
//! received.
//!
//! Nothing here sleeps for a fixed time: each wait is for an event, with a [`DEADLINE`].
//! Queries to the kernel beyond the socket calls are in `kernel.rs`.

use std::time::Duration;

use madang_protocol::{notice::Notice, text::Lang};

pub use authority::{Authority, Flaw, Pair};
pub use client::{TestClient, read_lines};
pub use documented::{PAGES, as_installed, documented_commands, manual_sections};
pub use program::{Program, TestFolder, spawn_program};
pub use server::TestServer;
pub use websocket::{Frame, WebSocketClient, frame};

#[cfg(unix)]
pub mod terminal;
#[cfg(unix)]
pub mod redis;
#[cfg(unix)]
pub mod redis_proxy;
mod server;
mod screen;
mod second;
mod outside;
mod client;
mod websocket;
mod program;
mod documented;
mod authority;
mod transcript;
mod kernel;

/// How long a test waits for something that must come: far longer than that takes, so that no
/// test fails on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Longer than any test: for a server's timeouts that must not expire during the test.
pub const NEVER: Duration = Duration::from_secs(600);

/// How long a test waits for something that must not come.
pub const QUIET: Duration = Duration::from_millis(100);

/// A notice as a line in Korean, the language of the tests' servers. One test for each notice
/// asserts the wording; others ask for it by name.
pub fn told(notice: Notice<'_>) -> String {
    notice.text(Lang::Ko) + "\n"
}

/// The answer to `/who` with these members, in this order.
pub fn who(names: &[&str]) -> String {
    told(Notice::Who { count: names.len(), names, quiet: &[], streams: &[] })
}

/// Whether `text` is like `pattern`, in which each `…` stands for any text.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// How many lines were skipped, if the line (without its end) says that.
pub fn skipped_lines(line: &str) -> Option<usize> {
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    let lines = digits.parse().ok()?;
    (line == Notice::Skipped { lines }.text(Lang::Ko)).then_some(lines)
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    for (text, pattern, expected) in [
        ("12:34 hello", "… hello", true),
        ("12:34 hello!", "… hello", false),
        ("a-1-b-2", "a-…-b-…", true),
        ("a-1-c-2", "a-…-b-…", false),
        ("same", "same", true),
        ("same", "sam", false),
    ] {
        assert_eq!(is_like(text, pattern), expected, "{text:?} and {pattern:?}");
    }
}
