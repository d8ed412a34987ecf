//! Limits on queued bytes, per outbox and for all together; and on what a goodbye waits for.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Limits and counters shared by all outboxes of a server.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// The maximum queued in one outbox, in bytes.
    pub(crate) outbox_bytes: usize,
    /// The maximum queued in all outboxes, in bytes. Beyond it, every outbox that is not empty
    /// skips.
    pub(crate) backlog_bytes: usize,
    /// How long a goodbye waits for acks that its member is owed.
    pub(crate) ack_patience: Duration,
    /// The bytes queued now: 64 for each entry, plus each rendering once, however many outboxes
    /// hold it.
    pub(crate) backlog: AtomicUsize,
    /// The part of it that is private entries.
    pub(crate) private_backlog: AtomicUsize,
    /// The most that was ever queued in one outbox.
    pub(crate) high_water: AtomicUsize,
}

impl Bounds {
    /// Limits, with nothing queued.
    pub(crate) fn new(outbox_bytes: usize, backlog_bytes: usize, ack_patience: Duration) -> Bounds {
        Bounds {
            outbox_bytes,
            backlog_bytes,
            ack_patience,
            backlog: AtomicUsize::new(0),
            private_backlog: AtomicUsize::new(0),
            high_water: AtomicUsize::new(0),
        }
    }

    /// Whether the limit for all outboxes is exceeded.
    pub(super) fn is_backlog_full(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > self.backlog_bytes
    }

    /// Whether private entries exceed half of that limit. Then no question is answered, and
    /// connections with unread answers are not read.
    pub(crate) fn is_private_backlog_full(&self) -> bool {
        self.private_backlog.load(Ordering::Relaxed) > self.backlog_bytes / 2
    }
}
