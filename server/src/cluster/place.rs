//! A room's place in Redis: its keys, and the form of what is written there. Private rooms are
//! sealed.

use std::{sync::Arc, time::Duration};

use madang_protocol::room::{RoomKey, RoomName};

use super::{
    keys::RoomKeys,
    kicks::read_kicks,
    scripts::StoredRoom,
    sealed::{Seal, Sealed, Unsealable},
};
use crate::{
    room::{
        Beginning,
        log::{LogEntry, Snapshot},
    },
    session::nonces::NonceKey,
};

/// How long Redis keeps a private room that no server follows: without its key, nobody can see
/// that it is empty.
const PRIVATE_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A room to write for.
#[derive(Clone)]
pub(super) struct LogPlace {
    pub(super) keys: RoomKeys,
    /// Its first id.
    pub(super) first: u64,
    /// Seals what is written of it, if it is private.
    seal: Option<Seal>,
}

/// What Redis has of a room can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Sealed(#[from] Unsealable),
    #[error("a room's state can't be read: {0}")]
    State(#[from] serde_json::Error),
    #[error("a room's name can't be read")]
    Name,
    #[error("a private room has no state")]
    Unfinished,
}

impl LogPlace {
    /// Of a public room that is not open yet.
    pub(super) fn public(name: &RoomName) -> LogPlace {
        LogPlace { keys: RoomKeys::of(name), first: 0, seal: None }
    }

    /// Of the private room with this key.
    pub(super) fn private(key: RoomKey) -> LogPlace {
        let seal = Seal::of(key);
        LogPlace { keys: RoomKeys::private(&seal.name()), first: 0, seal: Some(seal) }
    }

    /// Of the lesson with this key.
    pub(super) fn lesson(key: RoomKey) -> LogPlace {
        let seal = Seal::of(key);
        LogPlace { keys: RoomKeys::lesson(&seal.name()), first: 0, seal: Some(seal) }
    }

    /// Its [name](Seal::name) in Redis, if it is sealed.
    pub(super) fn seal_name(&self) -> Option<String> {
        self.seal.as_ref().map(Seal::name)
    }

    /// Whether it is a public room's.
    pub(super) fn is_public(&self) -> bool {
        self.seal.is_none()
    }

    /// How long Redis keeps it if nobody follows it; zero means forever.
    pub(super) fn life(&self) -> Duration {
        self.seal.as_ref().map_or(Duration::ZERO, |_| PRIVATE_LIFE)
    }

    /// The form in Redis of something written by a server (`origin`, `seq`).
    pub(super) fn write(&self, part: Sealed, by: (u64, u64), plain: Vec<u8>) -> Vec<u8> {
        match &self.seal {
            Some(seal) => seal.seal(part, by, &plain),
            None => plain,
        }
    }

    /// What was written of it there.
    ///
    /// # Errors
    ///
    /// If it was not [written](Self::write) with this place's key.
    pub(super) fn read(&self, part: Sealed, written: Vec<u8>) -> Result<Vec<u8>, Unsealable> {
        match &self.seal {
            Some(seal) => seal.open(part, &written).map(|(_, plain)| plain),
            None => Ok(written),
        }
    }

    /// The entry as its server appended it. One that can't be opened gets an empty body, which
    /// the room rejects.
    pub(super) fn read_entry(&self, entry: LogEntry) -> LogEntry {
        let Some(seal) = &self.seal else { return entry };
        let by = (entry.origin, entry.seq);
        let opened = seal.open(Sealed::Entry, &entry.body);
        let opened = opened.ok().filter(|(sealed_by, _)| *sealed_by == by);
        LogEntry { body: opened.map_or_else(Arc::default, |(_, body)| body.into()), ..entry }
    }

    /// The name, or the mark, and the state of a room, from what Redis has of it.
    pub(super) fn read_room(
        &self,
        kept: StoredRoom,
        nonce_key: NonceKey,
    ) -> Result<(String, Snapshot), Unreadable> {
        let StoredRoom { name, first, time, snapshot, kicks } = kept;
        let name = self.read(Sealed::Mark, name)?;
        let name = String::from_utf8(name).map_err(|_| Unreadable::Name)?;
        let snapshot = match snapshot {
            Some(snapshot) => serde_json::from_slice(&self.read(Sealed::State, snapshot)?)?,
            // Its maker died before writing it, and nobody else knows the owner.
            None if self.seal.is_some() => return Err(Unreadable::Unfinished),
            None => {
                let kicks = kicks.map(|kicks| read_kicks(&kicks)).unwrap_or_default();
                let beginning =
                    Beginning { first_id: first, nonce_key, kicks, ..Beginning::default() };
                Snapshot::first(beginning, time)
            }
        };
        Ok((name, snapshot))
    }
}
