//! The nonces of what a session has carried out, to know a repeated one by: their keyed
//! hashes, in a ring.

use std::hash::{BuildHasher, RandomState};

/// How many nonces are kept.
pub(crate) const NONCES: usize = 256;

/// The last [`NONCES`] that were noted. Nobody who does not know the key, which is drawn
/// for each session, can find two nonces that are taken for one.
#[derive(Default)]
pub(crate) struct Nonces {
    key: RandomState,
    /// Hashes, the oldest at `next` once there are [`NONCES`].
    hashes: Vec<u64>,
    /// The id that each got; 0 if it got none.
    ids: Vec<u64>,
    next: usize,
}

impl Nonces {
    /// Whether this was noted; the id that it got if it got one.
    pub(crate) fn find(&self, nonce: &str) -> Option<Option<u64>> {
        let hash = self.key.hash_one(nonce);
        let at = self.hashes.iter().position(|known| *known == hash)?;
        Some(Some(self.ids[at]).filter(|id| *id > 0))
    }

    /// Notes it, unless it was noted already: returns what [`find`](Self::find) did before.
    pub(crate) fn note(&mut self, nonce: &str, id: Option<u64>) -> Option<Option<u64>> {
        let known = self.find(nonce);
        if known.is_none() {
            let (hash, id) = (self.key.hash_one(nonce), id.unwrap_or(0));
            if self.hashes.len() < NONCES {
                self.hashes.push(hash);
                self.ids.push(id);
            } else {
                (self.hashes[self.next], self.ids[self.next]) = (hash, id);
                self.next = (self.next + 1) % NONCES;
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_256_are_known_and_take_4_kib_however_long_they_are() {
        let mut nonces = Nonces::default();
        let nonce = |at: u64| format!("{at:064}");
        for at in 1..=1_000 {
            assert_eq!(nonces.note(&nonce(at), Some(at)), None);
            // A noted one pushes no other out.
            assert_eq!(nonces.note(&nonce(at), Some(9_999)), Some(Some(at)));
        }
        assert_eq!(nonces.find(&nonce(744)), None, "it was long ago");
        assert!((745..=1_000).all(|at| nonces.find(&nonce(at)) == Some(Some(at))));
        let bytes = 8 * (nonces.hashes.capacity() + nonces.ids.capacity());
        assert_eq!(bytes, 4_096);
        nonces.note("a command", None);
        assert_eq!(nonces.find("a command"), Some(None));
    }

    #[test]
    fn each_session_has_a_key_of_its_own() {
        let [mut one, mut other] = [Nonces::default(), Nonces::default()];
        one.note("n", None);
        other.note("n", None);
        assert_ne!(one.hashes, other.hashes);
    }
}
