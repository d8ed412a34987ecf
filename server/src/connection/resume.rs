//! Resuming a session that another connection held.

use std::time::{Duration, Instant};

use madang_protocol::{
    event::ServerMessage,
    notice::{Goodbye, Notice},
};

use super::Connection;
use crate::{
    clock,
    close_reason::CloseReason,
    commands::lesson,
    room::refusal::{Refusal, whole_seconds},
    room::{Coming, Greeting, Last},
    session::{Session, user_manager::NotTaken},
};

/// How long the connection holding a session may take to release it.
const TAKE_OVER: Duration = Duration::from_secs(5);

impl Connection {
    /// Resumes a session: takes it over from the connection that held it, and sends what was
    /// missed.
    pub(super) fn come_back(
        &mut self,
        token: &str,
        room: Option<&str>,
        last: Option<u64>,
        last_private: u64,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        let (shared, number) = (self.shared.clone(), self.admission.number);
        let deadline = Instant::now() + TAKE_OVER;
        // Until the end of this, no other server gets it.
        let (taken, _wanted) = loop {
            let wanted = match shared.bring_session(token, last_private) {
                Ok(wanted) => wanted,
                Err(notice) => {
                    self.notice(&notice, nonce);
                    return Ok(());
                }
            };
            let dismiss = |connection| shared.replace(connection);
            let taken = shared.users.take_over(token, number, TAKE_OVER, dismiss);
            // It may have been on its way to another server already, and is followed there.
            let is_on_its_way = wanted.in_cluster && matches!(taken, Err(NotTaken::NoSession));
            if !is_on_its_way || !shared.users.wait_until_gone(token, deadline) {
                break (taken, wanted);
            }
        };
        let session = match taken {
            Ok(session) => session,
            Err(NotTaken::NoSession) => {
                let left = self.shared.rooms.lobby.status().kicked_for(token);
                let kicked = left.map(|left| Refusal::kicked_for(left).notice());
                self.notice(&kicked.unwrap_or(Notice::SessionUnknown), nonce);
                return Ok(());
            }
            Err(NotTaken::Replaced) => return Err(CloseReason::Told(Goodbye::Replaced)),
        };
        self.lang = session.lang();
        // The new connection may come from another machine.
        session.set_quiet(session.quiet().map(|_| self.quiet()));
        self.session = Some(session.clone());
        self.room = self.shared.rooms.room_of(&session);
        if self.shared.bans.bans_name(&session.name()) {
            // It was banned while no connection held it.
            return Err(CloseReason::Told(Goodbye::Banned));
        }
        let kicks = self.shared.rooms.lobby.status().access.kicks;
        if let Some(left) = kicks.left_for_session(session.number, clock::now())
            && self.room.is_none()
        {
            // It was kicked while no connection held it.
            let goodbye = Goodbye::Kicked { seconds: whole_seconds(left) };
            return Err(CloseReason::Told(goodbye));
        }
        lesson::come_back(&self.shared.chat(), &session);
        let resumed = self.room.as_ref().map(|current| {
            let coming = Coming {
                session: session.clone(),
                outbox: self.outbox.clone(),
                greeting: Greeting::Welcome,
                shown: 0,
            };
            // Event ids are valid only in the room that the client was in.
            let event = last.filter(|_| room == Some(&*current.name));
            current.resume(coming, Last { event, private: last_private })
        });
        if resumed == Some(Err(Refusal::Unavailable)) {
            // It can be tried again.
            (self.session, self.room) = (None, None);
            self.shared.let_go(&session, number, self.admission.counted());
            self.notice(&Notice::Unavailable, nonce);
            return Ok(());
        }
        let resumed = resumed == Some(Ok(()));
        if let Some(room) = self.room.as_ref().filter(|_| resumed) {
            self.shared.keep_renderings(room);
        }
        if !resumed {
            self.room = None;
            self.welcome_nowhere(&session, true, last_private);
            self.remark(&Notice::NoRoom, None);
        }
        self.shared.keep_session(&session, self.room.as_deref());
        self.shared.console.resumed(&session.name(), self.address);
        self.ack(nonce);
        Ok(())
    }

    /// Welcomes a session that is in no room.
    pub(super) fn welcome_nowhere(&self, session: &Session, resumed: bool, last_private: u64) {
        let mut answer = self.begin_answer();
        answer.message(&ServerMessage::Welcome {
            user: session.name().as_str().into(),
            room: None,
            session: session.token_text().into(),
            id: 0,
            members: 0,
            topic: None,
            owner: None,
            durable: false,
            archived: false,
            archived_elsewhere: false,
            locked: false,
            limit: None,
            lesson: None,
            resumed,
            removed: session.removal().map(Box::new),
        });
        session.attach(self.outbox.clone(), answer.into_bytes(), last_private);
    }
}
