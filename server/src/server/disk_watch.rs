//! Reports the state of the disk to the operator and the metrics.

use std::{sync::Arc, time::Duration};

use crate::{journal::writer::Watch, metrics::Metrics, operator::console::Console};

/// Reports it.
pub(super) struct DiskWatch {
    pub(super) console: Console,
    pub(super) metrics: Arc<Metrics>,
}

impl Watch for DiskWatch {
    fn committed(&self, rows: usize, took: Duration) {
        self.metrics.count_commit(rows, took);
    }

    fn degraded(&self, why: Option<&str>) {
        self.console.journal_degraded(why);
    }

    fn recovered(&self) {
        self.console.journal_recovered();
    }
}
