//! What the cluster needs from its own server, which provides it.

use std::sync::{Arc, OnceLock, Weak};

use crate::room::Room;

/// The server on this machine, for the cluster's threads.
pub(crate) trait ClusterServer: Send + Sync {
    /// Removes a room that has ended, perhaps because another server has ended it.
    fn room_ended(&self, room: &Room);
}

/// The server, once it has started and until it has stopped.
#[derive(Clone, Default)]
pub(super) struct OwnServer(Arc<OnceLock<Weak<dyn ClusterServer>>>);

impl OwnServer {
    pub(super) fn set(&self, server: Weak<dyn ClusterServer>) {
        // Only the first counts; there is one server.
        let _ = self.0.set(server);
    }

    pub(super) fn get(&self) -> Option<Arc<dyn ClusterServer>> {
        self.0.get()?.upgrade()
    }
}
