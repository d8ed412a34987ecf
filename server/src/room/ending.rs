//! How members and rooms end: kicked members are sent away and kept out, and a room that is
//! closed, or broken by a panic, releases everyone.

use madang_protocol::notice::Goodbye;

use super::{
    executor::Executor,
    fact::{Change, Fact},
    lesson::class::Class,
    presence::AfterRemoval,
    state::{Beginning, State},
};
use crate::session::{Session, token::TokenHash};

impl Executor {
    pub(super) fn see_kicked_off(&mut self, session: u64) {
        let Some(member) = self.members.remove(session) else { return };
        self.keep_token_out(&member.session);
        // In the lobby, a kick disconnects.
        let next = match self.is_lobby() {
            true => AfterRemoval::Elsewhere,
            false => AfterRemoval::Nowhere,
        };
        self.see_off(member, next);
    }

    /// Closes the room for everyone; the owner, who closed it, moves to another.
    pub(super) fn end(&mut self) {
        let owner = self.state.access().owner;
        for member in self.members.remove_all() {
            let is_owner = owner == Some(member.session.number);
            self.see_off(
                member,
                if is_owner { AfterRemoval::Elsewhere } else { AfterRemoval::Nowhere },
            );
        }
    }

    /// Ends a room whose state cannot be trusted any more, and the connections of its members.
    /// The lobby starts anew.
    pub(super) fn end_torn(&mut self, next_id: u64) {
        tracing::error!(room = %self.name, "a panic has broken the room's state; the room is closed");
        let last_id = self.batch.events().last().map(|event| event.id());
        let first_id = last_id.map_or(next_id, |last_id| last_id + 1);
        self.members.iter().for_each(|member| self.keep_nonces_of(&member.session));
        let class = if self.is_lobby() { self.lesson.class() } else { Class::default() };
        let nonce_key = self.state.nonce_key();
        let beginning = Beginning { first_id, class, nonce_key, ..Beginning::default() };
        self.state = State::new(beginning, self.time);
        if !self.is_lobby() {
            let change = Change::Ended { by: None };
            self.state.apply(&Fact { id: None, time: self.time, change });
        }
        self.changed = true;
        self.dismiss_all(Goodbye::Internal);
    }

    /// Keeps the token of a kicked session, as long as the state keeps the session out.
    fn keep_token_out(&mut self, session: &Session) {
        let Some(token) = session.token.as_ref().map(|token| token.hash) else { return };
        let kicks = &self.state.access().kicks;
        let is_kept = |(session, _): &&(u64, TokenHash)| {
            kicks.left_for_session(*session, self.time).is_some()
        };
        let former = self.kicked_tokens.iter().filter(is_kept).cloned();
        self.kicked_tokens = former.chain([(session.number, token)]).collect();
    }
}
