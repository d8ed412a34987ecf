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
    /// The lower halves of their hashes, the oldest at `next` once there are [`NONCES`].
    /// Apart from the upper ones, they are looked through four at a time.
    lower: Vec<u32>,
    upper: Vec<u32>,
    /// The id that each got; 0 if it got none.
    ids: Vec<u64>,
    next: usize,
}

/// How many hashes are compared without looking whether one of them was it.
const STRIDE: usize = 32;

impl Nonces {
    /// Whether this was noted; the id that it got if it got one.
    pub(crate) fn find(&self, nonce: &str) -> Option<Option<u64>> {
        let (lower, upper) = self.hash(nonce);
        let strides = self.lower.chunks(STRIDE).zip((0..).step_by(STRIDE));
        let holds =
            |stride: &[u32]| stride.iter().fold(false, |any, known| any | (*known == lower));
        let mut likely = strides.filter(|(stride, _)| holds(stride));
        let at = likely.find_map(|(stride, start)| {
            let is_it = |at: &usize| self.lower[*at] == lower && self.upper[*at] == upper;
            (start..start + stride.len()).find(is_it)
        })?;
        Some(Some(self.ids[at]).filter(|id| *id > 0))
    }

    /// Notes one that is not known.
    pub(crate) fn note(&mut self, nonce: &str, id: Option<u64>) {
        let ((lower, upper), id) = (self.hash(nonce), id.unwrap_or(0));
        if self.lower.len() < NONCES {
            self.lower.push(lower);
            self.upper.push(upper);
            self.ids.push(id);
            return;
        }
        let next = self.next;
        (self.lower[next], self.upper[next], self.ids[next]) = (lower, upper, id);
        self.next = (next + 1) % NONCES;
    }

    fn hash(&self, nonce: &str) -> (u32, u32) {
        let hash = self.key.hash_one(nonce);
        // Its halves.
        (hash as u32, (hash >> 32) as u32)
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
            assert_eq!(nonces.find(&nonce(at)), None);
            nonces.note(&nonce(at), Some(at));
            assert_eq!(nonces.find(&nonce(at)), Some(Some(at)));
        }
        assert_eq!(nonces.find(&nonce(744)), None, "it was long ago");
        assert!((745..=1_000).all(|at| nonces.find(&nonce(at)) == Some(Some(at))));
        let hashes = nonces.lower.capacity() + nonces.upper.capacity();
        assert_eq!(4 * hashes + 8 * nonces.ids.capacity(), 4_096);
        nonces.note("a command", None);
        assert_eq!(nonces.find("a command"), Some(None));
    }

    #[test]
    fn each_session_has_a_key_of_its_own() {
        let [mut one, mut other] = [Nonces::default(), Nonces::default()];
        one.note("n", None);
        other.note("n", None);
        assert_ne!((one.lower, one.upper), (other.lower, other.upper));
    }
}
