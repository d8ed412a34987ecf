//! The nonces of what a session has carried out, to know a repeated one by: their keyed
//! hashes, in a ring.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
};

use siphasher::sip::SipHasher13;

/// How many nonces are kept.
pub(crate) const NONCES: usize = 256;

/// The secret for hashes of nonces that are known after a restart too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NonceKey([u64; 2]);

impl NonceKey {
    pub(crate) fn new(low: u64, high: u64) -> NonceKey {
        NonceKey([low, high])
    }

    /// The hash of a nonce.
    pub(crate) fn hash(self, nonce: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0[0], self.0[1]);
        hasher.write(nonce.as_bytes());
        hasher.finish()
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NonceKey")
    }
}

/// By what a session's nonces are hashed.
enum Key {
    /// A secret of its own.
    Own(RandomState),
    /// That of the server, which is kept with the history.
    Kept(NonceKey),
}

/// The last [`NONCES`] that were noted. Nobody who does not know the key can find two nonces
/// that are taken for one.
#[derive(Default)]
pub(crate) struct Nonces {
    key: Key,
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

impl Default for Key {
    fn default() -> Key {
        Key::Own(RandomState::new())
    }
}

impl Key {
    fn hash(&self, nonce: &str) -> u64 {
        match self {
            Key::Own(key) => key.hash_one(nonce),
            Key::Kept(key) => key.hash(nonce),
        }
    }
}

impl Nonces {
    /// With the server's secret, and those that are known from before a restart: the hashes
    /// and the ids that they got, the oldest first.
    pub(crate) fn kept(key: NonceKey, noted: &[(u64, u64)]) -> Nonces {
        let last = &noted[noted.len().saturating_sub(NONCES)..];
        let mut nonces = Nonces { key: Key::Kept(key), ..Nonces::default() };
        for (hash, id) in last {
            let (lower, upper) = halves(*hash);
            nonces.lower.push(lower);
            nonces.upper.push(upper);
            nonces.ids.push(*id);
        }
        nonces
    }

    /// Whether this was noted; the id that it got if it got one.
    pub(crate) fn find(&self, nonce: &str) -> Option<Option<u64>> {
        let (lower, upper) = halves(self.key.hash(nonce));
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
        let ((lower, upper), id) = (halves(self.key.hash(nonce)), id.unwrap_or(0));
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
}

/// The lower and the upper half of a hash.
fn halves(hash: u64) -> (u32, u32) {
    (hash as u32, (hash >> 32) as u32)
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
