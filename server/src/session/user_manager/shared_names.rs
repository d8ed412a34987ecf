//! Names that are unique among several servers. The cluster provides it.

use std::{collections::BTreeSet, sync::Arc};

use madang_protocol::name::NameKey;

use super::UserManager;
use crate::session::Session;

/// Where servers claim the names of their sessions. For one server it is enough that its own
/// sessions don't claim the same key at the same time: the [`UserManager`]
/// sees to that.
pub(crate) trait SharedNames: Send + Sync {
    /// Claims all keys of a name, or none. Blocks for a few seconds at most.
    ///
    /// # Errors
    ///
    /// Why they are not claimed.
    fn claim(&self, keys: &[NameKey]) -> Result<(), NameRefusal>;

    /// Whether no other server has claimed any of these keys; false if that is not known.
    /// Blocks like [`claim`](Self::claim).
    fn are_free(&self, keys: &[NameKey]) -> bool;

    /// Claims keys again that this server has, because that may be lost; returns those that another
    /// server has by now, or none if that is not known. Blocks like [`claim`](Self::claim).
    fn claim_again(&self, keys: Vec<NameKey>) -> Option<Vec<NameKey>>;

    /// Gives keys up. Takes effect before whatever is asked afterwards; never blocks.
    fn release(&self, keys: Vec<NameKey>);

    /// Blocks until all servers know what was given up, or a moment has passed.
    fn settle(&self);
}

/// Why a name was not claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRefusal {
    /// It, or a lookalike, is in use.
    InUse,
    /// The other servers can't be asked.
    Unavailable,
}

impl UserManager {
    /// Blocks until the names that were given up here are free on all servers, or a moment has
    /// passed.
    pub(crate) fn settle_names(&self) {
        if let Some(shared) = &self.shared_names {
            shared.settle();
        }
    }

    /// Claims all names again among all servers, because that may be lost. Returns the sessions
    /// whose names others have by now; none if it has to be tried again.
    pub(crate) fn claim_again(&self) -> Option<Vec<Arc<Session>>> {
        let Some(shared) = &self.shared_names else { return Some(Vec::new()) };
        let keys = self.table.lock().names.keys().cloned().collect();
        let others = shared.claim_again(keys)?;
        let table = self.table.lock();
        let numbers = others.iter().filter_map(|key| table.names.get(key)).map(|it| it.number);
        let numbers: BTreeSet<u64> = numbers.collect();
        let sessions = numbers.iter().filter_map(|it| table.sessions.get(it));
        Some(sessions.map(|entry| entry.session.clone()).collect())
    }
}
