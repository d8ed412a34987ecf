//! What a session keeps for a client that resumes: its last private events, the nonces of its
//! requests, and what removed it from its room.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use madang_protocol::event::{Event, ServerMessage};

use super::{
    Session,
    nonces::{NonceKey, Nonces, Noted},
};
use crate::dialect::{Form, answer::Answer};

/// How many private events are kept.
const PRIVATE_EVENTS: usize = 64;

/// The maximum size of private events in bytes, not counting the newest.
const PRIVATE_BYTES: usize = 256 * 1_024;

/// The maximum size of kept whispers of all sessions together, in bytes.
const ALL_PRIVATE_BYTES: usize = 64 * 1_024 * 1_024;

/// The highest number that every client reads exactly: JavaScript's numbers are floating-point.
pub(super) const MOST_EXACT: u64 = (1 << 53) - 1;

/// How many more bytes of whispers may be kept by all sessions together.
#[derive(Debug)]
pub(crate) struct WhisperBudget(pub(super) AtomicUsize);

impl Default for WhisperBudget {
    fn default() -> WhisperBudget {
        WhisperBudget::of(ALL_PRIVATE_BYTES)
    }
}

impl WhisperBudget {
    /// A budget of this many bytes.
    pub(super) fn of(bytes: usize) -> WhisperBudget {
        WhisperBudget(AtomicUsize::new(bytes))
    }

    /// Takes this many bytes, if there are enough.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub(super) struct Memory {
    pub(super) last_private: u64,
    /// Whether the numbers of private events begin after a restart, until the client has told
    /// how far it came before it.
    pub(super) is_restored: bool,
    /// The last private events as lines of JSON; the newest has the number `last_private`.
    pub(super) privates: VecDeque<Vec<u8>>,
    pub(super) private_bytes: usize,
    /// Whether they have passed to another server, with the session.
    pub(super) is_handed_over: bool,
    pub(super) budget: Arc<WhisperBudget>,
    pub(super) nonces: Nonces,
    pub(super) nonce_key: NonceKey,
    /// The event that removed them from their last room.
    pub(super) removal: Option<Event>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.budget.give_back(self.private_bytes);
    }
}

impl Memory {
    /// Keeps a private event; false if the server's budget is used up and this session has
    /// nothing to drop for it.
    pub(super) fn keep(&mut self, line: Vec<u8>) -> bool {
        while !self.budget.take(line.len()) {
            if !self.drop_oldest() {
                return false;
            }
        }
        self.last_private += 1;
        self.private_bytes += line.len();
        self.privates.push_back(line);
        while self.privates.len() > PRIVATE_EVENTS
            || (self.privates.len() > 1 && self.private_bytes > PRIVATE_BYTES)
        {
            self.drop_oldest();
        }
        true
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.privates.pop_front() else { return false };
        self.private_bytes -= oldest.len();
        self.budget.give_back(oldest.len());
        true
    }

    /// A client comes back that has private events up to number `last`. If it is the first since a
    /// restart, which forgets them, numbers go on from there: clients drop what they have already.
    pub(super) fn go_on_after(&mut self, last: u64) {
        if !std::mem::take(&mut self.is_restored) || last > MOST_EXACT {
            return;
        }
        let lines = std::mem::take(&mut self.privates);
        self.budget.give_back(std::mem::take(&mut self.private_bytes));
        self.last_private = self.last_private - lines.len() as u64 + last;
        for line in lines {
            if !self.keep(numbered(&line, self.last_private + 1)) {
                self.last_private += 1;
            }
        }
    }

    /// The private events after number `last`, preceded by a gap for those that were dropped.
    pub(super) fn after(&self, last: u64, form: Form) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let last = last.min(self.last_private);
        let oldest = self.last_private + 1 - self.privates.len() as u64;
        let gap = (last + 1 < oldest).then(|| {
            let mut gap = Answer::new(form);
            gap.message(&ServerMessage::PrivateGap { from: last + 1, to: oldest - 1 });
            Cow::Owned(gap.into_bytes())
        });
        let passed_over = (last + 1).saturating_sub(oldest);
        let kept = self.privates.iter().skip(passed_over as usize);
        gap.into_iter().chain(kept.map(|line| Cow::Borrowed(&line[..])))
    }
}

/// A whisper as a line of JSON, with another number.
fn numbered(line: &[u8], private: u64) -> Vec<u8> {
    match serde_json::from_slice(line) {
        Ok(ServerMessage::Whisper { time, user, teacher, text, .. }) => {
            let mut answer = Answer::new(Form::JSON);
            answer.message(&ServerMessage::Whisper { private, time, user, teacher, text });
            answer.into_bytes()
        }
        _ => line.to_owned(),
    }
}

impl Session {
    /// Whether a request with this nonce was carried out already, outside of the current room,
    /// and the id it got.
    pub(crate) fn knows_nonce(&self, nonce: &str) -> Option<Option<u64>> {
        let state = self.state.lock();
        let memory = state.memory.as_ref()?;
        memory.nonces.find(memory.nonce_key.hash(nonce))
    }

    /// A command with this nonce, which is new, is carried out now.
    pub(crate) fn note_nonce(&self, nonce: &str) {
        if let Some(memory) = &mut self.state.lock().memory {
            let hash = memory.nonce_key.hash(nonce);
            memory.nonces.note(Noted { hash, id: 0 });
        }
    }

    /// Keeps the nonces of messages in a room that they are leaving.
    pub(crate) fn keep_nonces(&self, said: &Nonces) {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.nonces.add(said);
        }
    }

    /// The nonces to take along to another room, if there are any.
    pub(crate) fn nonces(&self) -> Option<Box<Nonces>> {
        let state = self.state.lock();
        let nonces = state.memory.as_ref().map(|memory| &memory.nonces);
        nonces.filter(|nonces| !nonces.is_empty()).cloned().map(Box::new)
    }
}
