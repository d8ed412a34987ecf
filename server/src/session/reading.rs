//! How far somebody has read back in what is kept on disk: the same command again goes on
//! from there.

use std::sync::Arc;

use super::Session;

/// How far somebody has read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The room's number.
    pub(crate) room: u64,
    /// What they looked for; nothing if they read everything.
    pub(crate) words: Option<Arc<str>>,
    /// The id before which they go on.
    pub(crate) before: u64,
}

impl Session {
    /// How far they have read back.
    pub(crate) fn reading(&self) -> Option<Reading> {
        self.state.lock().reading.as_deref().cloned()
    }

    /// They have read back so far.
    pub(crate) fn note_reading(&self, reading: Reading) {
        self.state.lock().reading = Some(Box::new(reading));
    }
}
