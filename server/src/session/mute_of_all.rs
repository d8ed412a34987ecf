//! The operator's mute of everyone: of all current sessions, and of new ones created by
//! [`UserManager::claim`].

use super::{Mute, user_manager::UserManager};

impl UserManager {
    /// Mutes everyone, including newcomers; without a mute, lifts the operator's mutes.
    pub(crate) fn mute_all(&self, mute: Option<Mute>) {
        *self.muted.lock() = mute;
        for session in self.sessions() {
            match mute {
                Some(mute) => session.mute(mute),
                None => _ = session.unmute(None),
            }
        }
    }

    /// The mute of everyone that holds.
    pub(crate) fn mute_of_all(&self) -> Option<Mute> {
        *self.muted.lock()
    }

    /// Ends this mute of everyone; false if it was replaced or lifted.
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
