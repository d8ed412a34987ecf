//! What the log of a room that several machines share has the room do.

use super::{
    POST_BYTES, Room,
    envelope::Envelope,
    log::{Follower, LogEntry, Snapshot},
    mailbox::{Ended, Urgency},
    refusal::Refusal,
};

impl Follower for Room {
    fn hear(&self, entry: LogEntry) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::Entry(entry))
    }

    fn reload(&self, kept: &[u8], next: u64) -> Option<u64> {
        let snapshot: Snapshot = serde_json::from_slice(kept).ok()?;
        let entry = Some(snapshot.entry).filter(|entry| *entry >= next)?;
        // One that has ended hears nothing more.
        let _ = self.post(POST_BYTES, Urgency::Now, || Envelope::Reload(snapshot.into()));
        Some(entry)
    }

    fn miss_log(&self) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::LogAway)
    }

    fn lose_log(&self, is_dead: bool) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::LogLost { is_dead })
    }
}

impl Room {
    /// Ends this machine's part in a room that several share, if it has no members here; the
    /// room goes on elsewhere. Never waits for space; may pump.
    ///
    /// # Errors
    ///
    /// If it has members, or waits for something.
    pub(crate) fn let_go(&self) -> Result<(), Refusal> {
        self.ask(Urgency::Now, |answered| Envelope::LetGo { answered })
    }
}
