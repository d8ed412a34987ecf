//! Commands of a private room's owner.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{name::UserName, notice::Notice};

use crate::{connection::Connection, expiry::Due, room::Action, session::Session};

impl Connection {
    pub(super) fn kick(&mut self, session: &Arc<Session>, name: &UserName, nonce: Option<&str>) {
        let window = self.shared.config.kick_window;
        self.act_on(session, name, |other| Action::Kick(other, window), nonce);
    }

    pub(super) fn unkick(&mut self, session: &Arc<Session>, name: &UserName, nonce: Option<&str>) {
        let other = self.shared.users.find(name).map(|other| other.number);
        let result = self.act(session, Action::Unkick(name.clone(), other));
        self.settle(result, nonce);
    }

    pub(super) fn mute(
        &mut self,
        session: &Arc<Session>,
        name: &UserName,
        time: Option<Duration>,
        nonce: Option<&str>,
    ) {
        let muted = self.act_on(session, name, |other| Action::Mute(other, time), nonce);
        if let (Some(other), Some(time), Some(room)) = (muted, time, &self.room) {
            let due = Due::Mute(Arc::downgrade(room), Arc::downgrade(&other));
            self.shared.timekeeper.schedule(Instant::now() + time, due);
        }
    }

    pub(super) fn unmute(&mut self, session: &Arc<Session>, name: &UserName, nonce: Option<&str>) {
        self.act_on(session, name, Action::Unmute, nonce);
    }

    pub(super) fn lock(&mut self, session: &Arc<Session>, nonce: Option<&str>) {
        let result = self.act(session, Action::Lock);
        self.settle(result, nonce);
    }

    pub(super) fn unlock(&mut self, session: &Arc<Session>, nonce: Option<&str>) {
        let result = self.act(session, Action::Unlock);
        self.settle(result, nonce);
    }

    pub(super) fn limit(&mut self, session: &Arc<Session>, limit: usize, nonce: Option<&str>) {
        let result = self.act(session, Action::Limit(limit));
        self.settle(result, nonce);
    }

    pub(super) fn end_room(&mut self, session: &Arc<Session>, nonce: Option<&str>) {
        if let Err(refusal) = self.act(session, Action::End) {
            return self.settle(Err(refusal), nonce);
        }
        if let Some(room) = self.room.take()
            && self.shared.rooms.remove(&room)
        {
            self.shared.console.room_ended(&room.name);
        }
        // Whoever ends a room is not left in none.
        self.leave_room(session, nonce);
    }

    pub(super) fn hand_over(
        &mut self,
        session: &Arc<Session>,
        name: &UserName,
        nonce: Option<&str>,
    ) {
        self.act_on(session, name, Action::Owner, nonce);
    }

    /// Does something to somebody in the room, whom it returns if it was done.
    fn act_on(
        &mut self,
        session: &Arc<Session>,
        name: &UserName,
        action: impl FnOnce(Arc<Session>) -> Action,
        nonce: Option<&str>,
    ) -> Option<Arc<Session>> {
        let Some(other) = self.shared.users.find(name) else {
            self.notice(&Notice::Nobody, nonce);
            return None;
        };
        let result = self.act(session, action(other.clone()));
        let done = result.is_ok();
        self.settle(result, nonce);
        done.then_some(other)
    }
}
