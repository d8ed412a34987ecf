//! The nonces of a session's requests, to recognise repeated ones: keyed hashes in a ring.
//! Plain data: a room's state has those of its members, and a session takes them along to the
//! next room.

use std::{fmt, hash::Hasher as _};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// How many nonces are kept.
pub(crate) const NONCES: usize = 256;

/// The secret of a server or cluster for hashing nonces. Without it, nobody can construct
/// collisions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NonceKey([u64; 2]);

impl NonceKey {
    pub(crate) const fn new(low: u64, high: u64) -> NonceKey {
        NonceKey([low, high])
    }

    /// A random key.
    pub(crate) fn random() -> NonceKey {
        let mut bits = [[0; 8]; 2];
        getrandom::fill(bits.as_flattened_mut())
            .expect("a system that has started has random bits");
        NonceKey(bits.map(u64::from_ne_bytes))
    }

    /// Its two halves, as [`new`](Self::new) takes them.
    pub(crate) fn parts(self) -> (u64, u64) {
        let [low, high] = self.0;
        (low, high)
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

/// A nonce of a request that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// The nonce's keyed hash.
    pub(crate) hash: u64,
    /// The id of its event; 0 if it got none.
    pub(crate) id: u64,
}

/// The last [`NONCES`] nonces, serialized in order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Noted>", into = "Vec<Noted>")]
pub(crate) struct Nonces {
    /// The lower halves of the hashes, the oldest at `next` once there are [`NONCES`]. Kept
    /// apart from the upper halves, so that four are compared at once.
    lower: Vec<u32>,
    upper: Vec<u32>,
    /// The id that each got; 0 if it got none.
    ids: Vec<u64>,
    next: usize,
}

/// How many hashes are compared before the result is checked.
const STRIDE: usize = 32;

impl Nonces {
    pub(crate) fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// Whether a nonce with this hash is known, and the id it got.
    pub(crate) fn find(&self, hash: u64) -> Option<Option<u64>> {
        let (lower, upper) = halves(hash);
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

    /// Adds one that is not known.
    pub(crate) fn note(&mut self, Noted { hash, id }: Noted) {
        let (lower, upper) = halves(hash);
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

    /// Adds those of another list that are not known.
    pub(crate) fn add(&mut self, others: &Nonces) {
        for noted in others.oldest_first() {
            if self.find(noted.hash).is_none() {
                self.note(noted);
            }
        }
    }

    fn oldest_first(&self) -> impl Iterator<Item = Noted> {
        let count = self.lower.len();
        (0..count).map(move |at| (self.next + at) % count).map(|at| {
            let hash = u64::from(self.lower[at]) | u64::from(self.upper[at]) << 32;
            Noted { hash, id: self.ids[at] }
        })
    }
}

impl PartialEq for Nonces {
    fn eq(&self, other: &Nonces) -> bool {
        self.oldest_first().eq(other.oldest_first())
    }
}

impl Eq for Nonces {}

impl From<Vec<Noted>> for Nonces {
    fn from(noted: Vec<Noted>) -> Nonces {
        let mut nonces = Nonces::default();
        noted.into_iter().for_each(|noted| nonces.note(noted));
        nonces
    }
}

impl From<Nonces> for Vec<Noted> {
    fn from(nonces: Nonces) -> Vec<Noted> {
        nonces.oldest_first().collect()
    }
}

/// The lower and the upper half of a hash.
fn halves(hash: u64) -> (u32, u32) {
    (hash as u32, (hash >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nonces with these numbers and distinct ids.
    fn noted(numbers: std::ops::RangeInclusive<u64>) -> Nonces {
        let key = NonceKey::new(1, 2);
        let noted = |id| Noted { hash: key.hash(&format!("{id:064}")), id };
        numbers.map(noted).collect::<Vec<_>>().into()
    }

    #[test]
    fn the_last_256_nonces_are_known_and_take_4_kib() {
        let (key, mut nonces) = (NonceKey::new(1, 2), Nonces::default());
        let hash = |at: u64| key.hash(&format!("{at:064}"));
        for at in 1..=1_000 {
            assert_eq!(nonces.find(hash(at)), None);
            nonces.note(Noted { hash: hash(at), id: at });
            assert_eq!(nonces.find(hash(at)), Some(Some(at)));
        }
        assert_eq!(nonces.find(hash(744)), None, "it was long ago");
        assert!((745..=1_000).all(|at| nonces.find(hash(at)) == Some(Some(at))));
        let hashes = nonces.lower.capacity() + nonces.upper.capacity();
        assert_eq!(4 * hashes + 8 * nonces.ids.capacity(), 4_096);
        nonces.note(Noted { hash: key.hash("a command"), id: 0 });
        assert_eq!(nonces.find(key.hash("a command")), Some(None));
    }

    #[test]
    fn nonces_survive_serialization() {
        for last in [0, 1, 255, 256, 257, 300] {
            let nonces = noted(1..=last);
            let written = serde_json::to_string(&nonces).expect("plain data");
            let read: Nonces = serde_json::from_str(&written).expect("it was written");
            assert_eq!(read, nonces);
            assert_eq!(serde_json::to_string(&read).expect("plain data"), written);
        }
    }

    #[test]
    fn another_list_is_added_once_and_the_oldest_are_dropped() {
        let mut nonces = noted(1..=200);
        nonces.add(&noted(100..=260));
        assert_eq!(nonces, noted(5..=260));
    }

    #[test]
    fn a_nonce_is_another_if_half_of_its_hash_is() {
        let known = Noted { hash: 7 << 32 | 9, id: 1 };
        let nonces = Nonces::from(vec![known]);
        assert_eq!(nonces.find(known.hash), Some(Some(1)));
        for hash in [7 << 32 | 8, 6 << 32 | 9, 9 << 32 | 7] {
            assert_eq!(nonces.find(hash), None, "{hash:x}");
        }
        assert!(!nonces.is_empty() && Nonces::default().is_empty());
        assert_ne!(nonces, Nonces::default());
        assert_ne!(noted(1..=2), noted(1..=3));
    }

    #[test]
    fn each_server_has_a_key_of_its_own() {
        assert!(NonceKey::random() != NonceKey::random());
        assert_ne!(NonceKey::new(1, 2).hash("n"), NonceKey::new(1, 3).hash("n"));
    }
}
