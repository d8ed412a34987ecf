//! Encryption of private rooms in Redis, with keys derived from the room's key, which Redis never
//! sees; and of sessions, with keys derived from their tokens. Whoever reads Redis or its files sees sizes and times only.
//!
//! # Guarantees
//!
//! 1. No key is used twice with the same nonce: each run of a server has its own keys, and numbers
//!    what it seals.
//! 2. A sealed text opens only as the part of the room, and from the server, that it was sealed
//!    for.

use std::fmt::Write as _;

use madang_protocol::room::RoomKey;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};

/// The purpose of the keys derived from a room's key, with the version of the form.
const PURPOSE: &[u8] = b"madang private room 1";

/// The same for keys derived from a session's token.
const TOKEN_PURPOSE: &[u8] = b"madang session 1";

/// Precedes every sealed text: the server that sealed it, and its number there.
const HEADER: usize = 16;

/// How many bytes of the hash are used in names.
const NAME_BYTES: usize = 16;

/// Seals and opens the data of one private room or session.
#[derive(Clone)]
pub(super) struct Seal(Prk);

/// The kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealed {
    /// The room's public mark.
    Mark,
    /// The body of an entry of its log.
    Entry,
    /// Its state.
    State,
    /// A session.
    Session,
}

/// The text can't be opened: it has another key or kind, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failed to decrypt data in Redis")]
pub(super) struct Unsealable;

impl Sealed {
    fn name(self) -> &'static [u8] {
        match self {
            Sealed::Mark => b"mark",
            Sealed::Entry => b"entry",
            Sealed::State => b"state",
            Sealed::Session => b"session",
        }
    }
}

impl Seal {
    /// Of the room with this key.
    pub(super) fn of(key: RoomKey) -> Seal {
        Seal(Salt::new(HKDF_SHA256, PURPOSE).extract(key.show().as_bytes()))
    }

    /// Of the session with this token.
    pub(super) fn of_token(token: &str) -> Seal {
        Seal(Salt::new(HKDF_SHA256, TOKEN_PURPOSE).extract(token.as_bytes()))
    }

    /// The room's name in Redis, from which its key can't be derived.
    pub(super) fn name(&self) -> String {
        let mut hash = [0; 32];
        let okm = self.0.expand(&[b"name"], HKDF_SHA256).expect("a hash is not too long");
        okm.fill(&mut hash).expect("it is as long as a hash");
        hash[..NAME_BYTES].iter().fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    /// Seals a text. `origin` and `seq` must never be used for another one (guarantee 1).
    pub(super) fn seal(&self, part: Sealed, (origin, seq): (u64, u64), plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(HEADER + plain.len() + CHACHA20_POLY1305.tag_len());
        sealed.extend_from_slice(&origin.to_be_bytes());
        sealed.extend_from_slice(&seq.to_be_bytes());
        sealed.extend_from_slice(plain);
        let tag = self
            .key(part, origin)
            .seal_in_place_separate_tag(nonce(seq), Aad::empty(), &mut sealed[HEADER..])
            .expect("it is far below 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens a text; returns who sealed it (`origin`, `seq`), and the text.
    ///
    /// # Errors
    ///
    /// [`Unsealable`].
    pub(super) fn open(
        &self,
        part: Sealed,
        sealed: &[u8],
    ) -> Result<((u64, u64), Vec<u8>), Unsealable> {
        let (origin, rest) = sealed.split_first_chunk().ok_or(Unsealable)?;
        let (seq, rest) = rest.split_first_chunk().ok_or(Unsealable)?;
        let (origin, seq) = (u64::from_be_bytes(*origin), u64::from_be_bytes(*seq));
        let mut opened = rest.to_vec();
        let key = self.key(part, origin);
        let plain = key.open_in_place(nonce(seq), Aad::empty(), &mut opened);
        let bytes = plain.map_err(|_| Unsealable)?.len();
        opened.truncate(bytes);
        Ok(((origin, seq), opened))
    }

    fn key(&self, part: Sealed, origin: u64) -> LessSafeKey {
        let (part, origin) = (part.name(), origin.to_be_bytes());
        let info = [part, &origin];
        let okm = self.0.expand(&info, &CHACHA20_POLY1305).expect("a key is not too long");
        LessSafeKey::new(UnboundKey::from(okm))
    }
}

fn nonce(seq: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&seq.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: (u64, u64) = (u64::MAX, 7);

    fn seal_of(bits: u128) -> Seal {
        Seal::of(RoomKey::from_bits(bits))
    }

    #[test]
    fn sealed_data_is_opened_only_with_the_same_key_and_unchanged() {
        let sealed = seal_of(1).seal(Sealed::Entry, BY, b"psst");
        assert_eq!(seal_of(1).open(Sealed::Entry, &sealed), Ok((BY, b"psst".to_vec())));
        assert_eq!(seal_of(2).open(Sealed::Entry, &sealed), Err(Unsealable));
        assert_eq!(seal_of(1).open(Sealed::State, &sealed), Err(Unsealable));
        assert_eq!(seal_of(1).open(Sealed::Entry, b""), Err(Unsealable));
        // Whatever is changed in it: who sealed it, its number, its content, its length.
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(seal_of(1).open(Sealed::Entry, &changed), Err(Unsealable), "byte {at}");
            assert_eq!(
                seal_of(1).open(Sealed::Entry, &sealed[..at]),
                Err(Unsealable),
                "{at} bytes"
            );
        }
    }

    #[test]
    fn the_same_words_never_look_the_same() {
        let sealed = |bits, part, by| seal_of(bits).seal(part, by, b"psst")[HEADER..].to_vec();
        let all = [
            sealed(1, Sealed::Entry, (1, 1)),
            sealed(2, Sealed::Entry, (1, 1)),
            sealed(1, Sealed::State, (1, 1)),
            // Sealed later, by another server, and after a restart.
            sealed(1, Sealed::Entry, (1, 2)),
            sealed(1, Sealed::Entry, (2, 1)),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
    }

    #[test]
    fn a_rooms_name_in_redis_is_a_hash_of_its_key() {
        let name = seal_of(1).name();
        assert_eq!(name, seal_of(1).name());
        assert_ne!(name, seal_of(2).name());
        assert!(name.len() == 32 && !RoomKey::from_bits(1).show().contains(&name[..5]));
    }
}
