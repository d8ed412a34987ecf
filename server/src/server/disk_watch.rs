//! Reports the state of the disk to the operator, to teachers, who own the rooms that are saved, and
//! to the metrics.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use madang_protocol::notice::Notice;

use crate::{journal::writer::Watch, metrics::Metrics, operator::console::Console, shared::Shared};

/// Reports it.
pub(super) struct DiskWatch {
    pub(super) console: Console,
    pub(super) metrics: Arc<Metrics>,
    /// Set once the server is made; until then, nobody is there.
    pub(super) shared: OnceLock<Weak<Shared>>,
}

impl DiskWatch {
    fn tell_teachers(&self, notice: &Notice<'_>) {
        let shared = self.shared.get().and_then(Weak::upgrade);
        let teachers = shared.map(|shared| shared.users.teachers.all());
        for teacher in teachers.into_iter().flatten().filter(|teacher| !teacher.is_watching()) {
            teacher.remark(|answer| answer.notice(notice));
        }
    }
}

impl Watch for DiskWatch {
    fn committed(&self, rows: usize, took: Duration) {
        self.metrics.count_commit(rows, took);
    }

    fn degraded(&self, why: Option<&str>) {
        self.console.journal_degraded(why);
        self.tell_teachers(&Notice::SavingFails);
    }

    fn recovered(&self) {
        self.console.journal_recovered();
        self.tell_teachers(&Notice::SavedAgain);
    }
}
