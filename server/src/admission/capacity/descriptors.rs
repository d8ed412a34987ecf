//! The limit of open files on Unix.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Limit;

/// What macOS allows a process without a hard limit of open files.
const OPEN_MAX: u64 = 10_240;

/// What the limit of open files leaves after subtracting `others`, once it was raised.
pub(super) fn left_beside(others: u64) -> (u64, Limit) {
    let descriptors = raise();
    (descriptors.saturating_sub(others), Limit::Descriptors(descriptors))
}

/// The limit of open files, raised as far as possible.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // If there is no hard limit, macOS accepts at most OPEN_MAX for the soft limit.
    let wanted = [limit.maximum, Some(limit.maximum.unwrap_or(u64::MAX).min(OPEN_MAX))];
    for current in wanted.into_iter().filter(|wanted| *wanted != limit.current) {
        match setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }) {
            Ok(()) => break,
            Err(error) => tracing::debug!(%error, "failed to raise the limit of open files"),
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
