//! Events that are missing: which, and why.

use serde::{Deserialize, Serialize};

/// Some ids of a room that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// Why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The server was ended without a chance to write them; how many there were is not known.
    Restart,
    /// Another that this version does not know.
    #[serde(other)]
    Other,
}
