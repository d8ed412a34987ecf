//! What may be known of a room from outside, without a post to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{event::Time, name::UserName};

use super::{access::Access, refusal::Refusal, state::State};
use crate::{clock, session::token::TokenHash};

/// What may be known of a room from outside.
#[derive(Debug, Clone)]
pub(crate) struct RoomStatus {
    pub(crate) members: usize,
    pub(crate) topic: Option<Arc<str>>,
    pub(crate) access: Access,
    /// The tokens of those whom it keeps out, by their sessions' numbers.
    kicked_tokens: Arc<[(u64, TokenHash)]>,
    /// Since when it has had no members.
    pub(crate) empty_since: Option<Time>,
    /// Since when it has had none on this machine.
    pub(crate) deserted_since: Option<Instant>,
    /// The owner's mutes that end by themselves: the sessions, and when that is.
    pub(crate) timed_mutes: Vec<(u64, Time)>,
}

impl RoomStatus {
    pub(super) fn of(
        state: &State,
        kicked_tokens: Arc<[(u64, TokenHash)]>,
        deserted_since: Option<Instant>,
    ) -> RoomStatus {
        RoomStatus {
            members: state.members().len(),
            topic: state.topic().cloned(),
            access: state.access().clone(),
            kicked_tokens,
            empty_since: state.empty_since(),
            deserted_since,
            timed_mutes: state.timed_mutes().collect(),
        }
    }

    /// Whether `session` could come in under this name; before it has one, without.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn admits(&self, session: u64, name: Option<&UserName>) -> Result<(), Refusal> {
        self.access.admits(self.members, session, name, clock::now())
    }

    /// For how much longer somebody is kept out who had a session of this token.
    pub(crate) fn kicked_for(&self, token: &str) -> Option<Duration> {
        let (session, _) =
            self.kicked_tokens.iter().find(|(_, kicked)| *kicked == TokenHash::of(token))?;
        self.access.kicks.left_for_session(*session, clock::now())
    }
}
