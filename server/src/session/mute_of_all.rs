//! The operator's mute of everyone: of all sessions that there are, and of those to come,
//! which [`UserManager::claim`] makes.

use super::{Mute, user_manager::UserManager};

impl UserManager {
    /// Keeps everyone from speaking, and whoever comes; without a mute, lifts the operator's
    /// mute of each.
    pub(crate) fn mute_all(&self, mute: Option<Mute>) {
        *self.muted.lock() = mute;
        for session in self.sessions() {
            match mute {
                Some(mute) => session.mute(mute),
                None => _ = session.unmute(None),
            }
        }
    }

    /// Lifts that mute of everyone; false if another has come in its place, or none.
    pub(crate) fn end_mute_of_all(&self, mute: Mute) -> bool {
        if self.muted.lock().take_if(|muted| *muted == mute).is_none() {
            return false;
        }
        for session in self.sessions() {
            // Some have another mute by now, or none.
            let _ = session.unmute(mute.until);
        }
        true
    }
}
