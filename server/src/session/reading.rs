//! How far somebody has read back in the saved history: repeating the command continues from
//! there.

use std::sync::Arc;

use super::Session;

/// How far somebody has read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The room's number.
    pub(crate) room: u64,
    /// The search words; `None` for `/history`.
    pub(crate) words: Option<Arc<str>>,
    /// The id before which to continue.
    pub(crate) before: u64,
}

impl Session {
    /// How far they have read back.
    pub(crate) fn reading(&self) -> Option<Reading> {
        self.state.lock().reading.as_deref().cloned()
    }

    /// Stores how far they have read back.
    pub(crate) fn note_reading(&self, reading: Reading) {
        self.state.lock().reading = Some(Box::new(reading));
    }
}
