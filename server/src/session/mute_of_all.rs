//! The operator's mute of everyone: of all current sessions, and of new ones created by
//! [`UserManager::claim`].

use std::sync::atomic::Ordering;

use super::{Mute, user_manager::UserManager};

impl UserManager {
    /// Mutes everyone, including newcomers; without a mute, lifts the operator's mutes. That is the
    /// order with this number.
    pub(crate) fn mute_all(&self, mute: Option<Mute>, number: u64) {
        *self.muted.lock() = mute;
        self.mute_order.store(number, Ordering::Relaxed);
        for session in self.sessions() {
            match mute {
                Some(mute) => session.mute(mute),
                None => _ = session.unmute(None),
            }
        }
    }

    /// The last mute of everyone, or none if it was lifted, with the number of that order; none at all
    /// before the first.
    pub(crate) fn mute_of_all(&self) -> Option<(Option<Mute>, u64)> {
        let number = self.mute_order.load(Ordering::Relaxed);
        (number != 0).then(|| (*self.muted.lock(), number))
    }

    /// Whether the last mute of everyone, or its end, was the order with this number.
    pub(crate) fn knows_mute_of_all(&self, number: u64) -> bool {
        self.mute_order.load(Ordering::Relaxed) == number
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
