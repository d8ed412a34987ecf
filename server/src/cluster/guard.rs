//! A panic in what a thread of the cluster does for somebody else must not end the thread, and with
//! it this server's link.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does something that may panic; none if it has.
pub(super) fn guarded<T>(what: &str, act: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(act));
    done.inspect_err(|_| tracing::error!("a panic while {what}; going on")).ok()
}
