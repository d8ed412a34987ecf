//! How a connection ends: it leaves its room, or lets its session go for another to take
//! over, and its peer gets the goodbye.

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
    expiry::Due,
    room::{By, Closing, Going, Op},
    session::Session,
    shared::DISMISSAL,
    transport::PeerEnd,
};

impl Connection {
    /// Ends the connection, also if its thread panics over it before the session was let
    /// go or closed: then nobody stays behind in a room, and no name is kept. No socket
    /// is left open in any case.
    // Not inlined: server/README.md, "A connection waits on two pages of stack".
    #[inline(never)]
    pub(super) fn finish(mut self: Box<Self>, reason: CloseReason) {
        if catch_unwind(AssertUnwindSafe(|| self.end(reason))).is_err() {
            self.end_after_panic();
        }
        self.outbox.release();
    }

    /// Leaves, and sees to it that the peer gets the goodbye.
    fn end(&mut self, reason: CloseReason) {
        if self.outbox.reason().is_none() {
            // What came whole before what is broken was said.
            self.post_speeches();
        }
        // The next connection from this address goes on with the bucket, and owes for answers
        // that this one did not stay for.
        if let Some(mut bucket) = self.bucket.take() {
            bucket.owe(self.outbox.take_answered_bytes());
        }
        // Who else wanted it gone wanted it first.
        let reason = self.outbox.reason().unwrap_or(reason);
        self.shared.metrics.ended.count(reason.code());
        self.leave(reason);

        self.outbox.wait_drained(Instant::now() + self.drain_timeout);
        if matches!(reason, CloseReason::Told(_) | CloseReason::Tls(_)) {
            if self.outbox.take_dismissal() {
                // It is gone when that fails.
                let _ = self.transport.input().pause(DISMISSAL);
            }
            self.outbox.shut_down_write();
            self.transport.input().linger(Instant::now() + self.shared.config.linger);
        }
    }

    /// Does what matters to others, if it was not done.
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

    /// Ends the session, or lets it go for another connection to take it over; tells the
    /// operator of either.
    fn leave(&mut self, reason: CloseReason) {
        let number = self.admission.number;
        let goodbye = match reason {
            CloseReason::Told(goodbye) => Answer::goodbye(self.form(), goodbye),
            CloseReason::Tls(_) => Vec::new(),
            CloseReason::Lost(_) | CloseReason::Stalled => {
                self.outbox.end(reason);
                Vec::new()
            }
        };
        let Some(session) = self.session.clone() else {
            self.outbox.close(reason, &goodbye);
            self.shared.console.closed_unnamed(self.address, number, reason);
            return;
        };
        session.detach(number);
        #[cfg(all(test, not(feature = "shuttle")))]
        assert_ne!(self.last_word.as_deref(), Some(super::tests::PANIC), "as the test asked");
        let away = self.may_come_back(&session, reason).then(|| self.let_go(&session)).flatten();
        if let Some(since) = away {
            self.outbox.close(reason, &goodbye);
            // Its room may have attached it since, as long as it was open.
            session.detach(number);
            let until = since + self.shared.config.resume_window;
            let due = Due::Session(Arc::downgrade(&session), since);
            self.shared.timekeeper.schedule(until, due);
            self.shared.console.cut(&session.name(), self.address, reason);
        } else if self.shared.users.close(&session, number) {
            let (outbox, text) = (self.outbox.clone(), self.last_word.take());
            let ending = Closing { outbox, reason, goodbye: goodbye.clone(), text };
            let room = self.room.clone();
            // The goodbye comes after all that was said before, unless there is no
            // room to say it.
            let (going, how) = (Going::Ends(ending), Some((self.address, reason)));
            let said = self.shared.end_session(&session, room, going, how);
            if !said && session.room().is_none() {
                self.outbox.close(reason, &goodbye);
            }
        }
        (self.session, self.room) = (None, None);
    }

    /// Lets the session go for another connection to take it over; returns since when that
    /// may be, if it may.
    fn let_go(&self, session: &Session) -> Option<Instant> {
        if let Some(room) = &self.room {
            // Before the next connection can come. A room that has ended has no members.
            let _ = room.act_now(By::of(session), Op::Away);
        }
        let (number, address) = (self.admission.number, self.admission.counted());
        self.shared.users.let_go(session, number, address)
    }

    /// Whether the session outlives this connection for a while.
    fn may_come_back(&self, session: &Session, reason: CloseReason) -> bool {
        let ends = matches!(
            reason,
            CloseReason::Told(
                Goodbye::Quit | Goodbye::Shutdown | Goodbye::Banned | Goodbye::Kicked { .. }
            )
        );
        // Who closes a WebSocket in order is done with it (RFC 6455 section 7.4.1).
        let done = self.transport.peer_end() == Some(PeerEnd::CloseFrame(Some(1000)));
        session.token.is_some() && !ends && !done
    }
}
