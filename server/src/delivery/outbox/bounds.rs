//! How much may wait, in one outbox and in all.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The bounds that all outboxes of a server share.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// The most that waits in one outbox.
    pub(crate) outbox_bytes: usize,
    /// The most that waits in all before each skips that has anything waiting.
    pub(crate) backlog_bytes: usize,
    /// What waits in all of them now: 64 bytes for each entry, and each rendering once,
    /// in however many it waits.
    pub(crate) backlog: AtomicUsize,
    /// The part of it that private entries are.
    pub(crate) private_backlog: AtomicUsize,
    /// The most that has ever waited in one.
    pub(crate) high_water: AtomicUsize,
}

impl Bounds {
    /// Bounds of so many bytes, before anything waits.
    pub(crate) fn new(outbox_bytes: usize, backlog_bytes: usize) -> Bounds {
        Bounds {
            outbox_bytes,
            backlog_bytes,
            backlog: AtomicUsize::new(0),
            private_backlog: AtomicUsize::new(0),
            high_water: AtomicUsize::new(0),
        }
    }

    /// Whether more waits in all outboxes than may.
    pub(super) fn is_backlog_full(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > self.backlog_bytes
    }

    /// Whether answers and whispers take more than their half of that: no question is
    /// answered then, and whoever has not read its answers is not read.
    pub(crate) fn is_private_backlog_full(&self) -> bool {
        self.private_backlog.load(Ordering::Relaxed) > self.backlog_bytes / 2
    }
}
