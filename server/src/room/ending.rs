//! How people and rooms end: the kicked are seen off and kept out, and a room that is ended,
//! or torn by a panic, lets everyone go.

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
        // From the lobby one is sent away altogether.
        let next = match self.is_lobby() {
            true => AfterRemoval::Elsewhere,
            false => AfterRemoval::Nowhere,
        };
        self.see_off(member, next);
    }

    /// Ends the room for all; its owner, who ended it, goes to another.
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

    /// Ends the room, whose state is not to be trusted any more, and the connections of its
    /// members. The lobby, where everyone starts, begins anew.
    pub(super) fn end_torn(&mut self, next_id: u64) {
        tracing::error!(room = %self.name, "a room's state is torn by a panic; the room is ended");
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

    /// Keeps the token of whoever was kicked, as long as the state keeps out its session.
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
