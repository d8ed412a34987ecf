//! How a connection ends: it leaves its room or detaches its session for a later resume, and
//! its peer gets the goodbye.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use madang_protocol::notice::Goodbye;

use super::Connection;
use crate::{
    close_reason::CloseReason,
    dialect::answer::Answer,
    room::{By, Closing, Going, Op},
    session::Session,
    shared::DISMISSAL,
    transport::PeerEnd,
};

impl Connection {
    /// Ends the connection. Even if its thread panics meanwhile, nobody stays behind in a
    /// room, no name stays taken, and no socket stays open.
    // Not inlined: server/README.md, "A connection waits on two pages of stack".
    #[inline(never)]
    pub(super) fn finish(mut self: Box<Self>, reason: CloseReason) {
        if catch_unwind(AssertUnwindSafe(|| self.end(reason))).is_err() {
            self.end_after_panic();
        }
        self.outbox.release();
    }

    /// Leaves, and makes sure that the goodbye is sent.
    fn end(&mut self, reason: CloseReason) {
        if self.outbox.reason().is_none() {
            // Complete messages before the broken input count.
            self.post_speeches();
            self.room.iter().for_each(|room| room.settle_log());
        }
        // The next connection from this address continues with this bucket, and pays for
        // answers that this one did not wait for.
        if let Some(mut bucket) = self.bucket.take() {
            bucket.owe(self.outbox.take_answered_bytes());
        }
        // If another thread ended the connection first, its reason counts.
        let reason = self.outbox.reason().unwrap_or(reason);
        self.shared.metrics.ended.count(reason.code());
        self.leave(reason);

        self.outbox.wait_drained(Instant::now() + self.drain_timeout);
        if matches!(reason, CloseReason::Told(_) | CloseReason::Refused | CloseReason::Tls(_)) {
            if self.outbox.take_dismissal() {
                // An error means that the connection is gone.
                let _ = self.transport.input().pause(DISMISSAL);
            }
            self.outbox.shut_down_write();
            self.transport.input().linger(Instant::now() + self.shared.config.linger);
        }
    }

    /// Frees what others depend on, if that was not done.
    fn end_after_panic(&mut self) {
        let (number, goodbye) = (self.admission.number, Goodbye::Internal);
        let reason = CloseReason::Told(goodbye);
        if let Some(session) = self.session.take()
            && self.shared.users.close(&session, number)
        {
            session.detach(number);
            let how = Some((self.address, reason));
            self.shared.end_session(&session, self.room.take(), Going::Expires, how);
        }
        self.outbox.close(reason, &Answer::goodbye(self.form(), goodbye));
    }

    /// Ends the session, or detaches it for another connection to resume; tells the operator
    /// about either.
    fn leave(&mut self, reason: CloseReason) {
        let number = self.admission.number;
        let goodbye = match reason {
            CloseReason::Told(goodbye) => Answer::goodbye(self.form(), goodbye),
            CloseReason::Refused | CloseReason::Tls(_) => Vec::new(),
            CloseReason::Lost(_) | CloseReason::Stalled => {
                self.outbox.end(reason);
                Vec::new()
            }
        };
        let Some(session) = self.session.clone() else {
            self.outbox.close(reason, &goodbye);
            if reason != CloseReason::Refused {
                self.shared.console.closed_unnamed(self.address, number, reason);
            }
            return;
        };
        session.detach(number);
        #[cfg(all(test, not(feature = "shuttle")))]
        assert_ne!(self.last_word.as_deref(), Some(super::tests::PANIC), "as the test asked");
        let away = self.may_come_back(&session, reason).then(|| self.let_go(&session)).flatten();
        if away.is_some() {
            self.outbox.close(reason, &goodbye);
            // Its room may have attached it since, while it was open.
            session.detach(number);
            self.shared.console.cut(&session.name(), self.address, reason);
        } else if self.shared.users.close(&session, number) {
            let (outbox, text) = (self.outbox.clone(), self.last_word.take());
            let ending = Closing { outbox, reason, goodbye: goodbye.clone(), text };
            let room = self.room.clone();
            // The goodbye follows all messages, unless the room has ended.
            let (going, how) = (Going::Ends(ending), Some((self.address, reason)));
            let said = self.shared.end_session(&session, room, going, how);
            if !said && session.room().is_none() {
                self.outbox.close(reason, &goodbye);
            }
            if reason != CloseReason::Told(Goodbye::Shutdown) {
                // Whoever sees the connection end finds the name free on every server.
                self.shared.users.settle_names();
            }
        }
        (self.session, self.room) = (None, None);
    }

    /// Detaches the session for another connection to resume. Returns the time of detaching, or
    /// `None` if it cannot be resumed.
    fn let_go(&self, session: &Arc<Session>) -> Option<Instant> {
        if let Some(room) = &self.room {
            // Before the next connection can resume it. A room that has ended has no members.
            let _ = room.act_now(By::of(session), Op::Away);
        }
        let (number, address) = (self.admission.number, self.admission.counted());
        self.shared.let_go(session, number, address)
    }

    /// Whether the session outlives this connection for a while.
    fn may_come_back(&self, session: &Session, reason: CloseReason) -> bool {
        let ends = matches!(
            reason,
            CloseReason::Told(
                Goodbye::Quit
                    | Goodbye::Shutdown
                    | Goodbye::Banned
                    | Goodbye::Kicked { .. }
                    | Goodbye::NameTaken
            )
        );
        // A peer that closes WebSocket normally is done with the session (RFC 6455 section
        // 7.4.1).
        let done = self.transport.peer_end() == Some(PeerEnd::CloseFrame(Some(1000)));
        session.token.is_some() && !session.has_moved() && !ends && !done
    }
}
