//! What holds speakers back while much of a room waits for its log.

use crate::{
    metrics::Metrics,
    sync::{Condvar, Mutex},
};

/// Holds speakers back while much waits.
#[derive(Default)]
pub(super) struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Blocks while much waits for the log: at most until that counts as away.
    pub(super) fn pass(&self, metrics: &Metrics) {
        let mut is_shut = self.is_shut.lock();
        if *is_shut {
            metrics.cluster.hold_speaker(|| {
                while *is_shut {
                    self.opened.wait(&mut is_shut);
                }
            });
        }
    }

    pub(super) fn set(&self, is_shut: bool) {
        let before = std::mem::replace(&mut *self.is_shut.lock(), is_shut);
        if before && !is_shut {
            self.opened.notify_all();
        }
    }
}
