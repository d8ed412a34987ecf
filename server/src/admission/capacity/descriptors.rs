//! How many files a process may have open on Unix.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Limit;

/// What macOS allows a process that has no hard limit of open files.
const OPEN_MAX: u64 = 10_240;

/// What the limit of open files leaves beside `others`, after it was raised.
pub(super) fn left_beside(others: u64) -> (u64, Limit) {
    let descriptors = raise();
    (descriptors.saturating_sub(others), Limit::Descriptors(descriptors))
}

/// The limit of open files after it was raised as far as it goes.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Where the hard limit is no limit, macOS takes no more than OPEN_MAX for the soft.
    let wanted = [limit.maximum, Some(limit.maximum.unwrap_or(u64::MAX).min(OPEN_MAX))];
    for current in wanted.into_iter().filter(|wanted| *wanted != limit.current) {
        match setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }) {
            Ok(()) => break,
            Err(error) => tracing::debug!(%error, "failed to raise the limit of open files"),
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
