//! What happens at a deadline: sessions expire, empty rooms close, mutes end, dismissed
//! connections are cut, cached renderings and large histories shrink, and the certificate is
//! checked. The queue and its thread are in [`timekeeper`](crate::timekeeper).
//!
//! Posts from here never wait for space in a mailbox. Like any post, they may wait for a tired
//! pump's round, and then pump.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use madang_protocol::event::{Time, TimerState};

use crate::{
    clock,
    commands::{chat::Services, lesson},
    delivery::outbox::{Alarm, Outbox},
    room::directory::Fate,
    room::lesson::{Asker, LessonOp},
    room::{By, Going, Muter, Op, Room},
    session::{Mute, Session},
    shared::{DISMISSAL, Shared},
    timekeeper::{Deadline, Timekeeper},
    transport::tls::certificates::Look,
};

/// How often rooms are looked after that several servers share.
const SHARED_LOOKED_AT: Duration = Duration::from_secs(5);

/// An action with a deadline.
pub(crate) enum Due {
    /// The session expires, unless it was resumed after this time.
    Session(Weak<Session>, Instant),
    /// The session with this number was handed over to another server: unless that has come back
    /// to the room with it, it leaves.
    HandedOver(Weak<Room>, u64),
    /// The room closes, if it has been empty for long enough.
    Room(Weak<Room>),
    /// The rooms that several servers share are looked after.
    Shared,
    /// The mute of a session in a room until this time ends.
    Mute(Weak<Room>, (u64, Muter), Time),
    /// The operator's mute until this time ends.
    OperatorsMute(Weak<Session>, Time),
    /// The operator's mute of everyone until this time ends.
    MuteOfAll(Time),
    /// A dismissed connection has had its time to close by itself.
    Dismissal(Weak<Outbox>),
    /// A member is told what waits about its own connection.
    Wire(Weak<Outbox>),
    /// Teachers get the current tally of the open poll.
    Tally,
    /// The lesson's timer that ends at this time has reached this state.
    Timer(Time, TimerState),
    /// Whoever has not returned to the lesson after a restart counts as gone.
    MissingAreGone,
    /// Nobody has joined the room for a while: its renderings for new members are dropped.
    Renderings(Weak<Room>),
    /// Acks are due that the disk should have allowed by now.
    OwedAcks,
    /// The histories of all rooms exceed their limit.
    Histories,
    /// The certificate files are checked for changes.
    Certificate,
}

/// The subject of an action: its kind, and the address of its room, session or outbox, which
/// stays unique while the action is pending.
type Object = (u8, usize, usize);

impl Deadline for Due {
    type Object = Object;

    fn object(&self) -> Object {
        match self {
            Due::Session(session, _) => (0, session.as_ptr().addr(), 0),
            Due::HandedOver(room, session) => (14, room.as_ptr().addr(), *session as usize),
            Due::Room(room) => (1, room.as_ptr().addr(), 0),
            Due::Mute(room, (session, muter), _) => {
                let kind = if *muter == Muter::Owner { 2 } else { 15 };
                (kind, room.as_ptr().addr(), *session as usize)
            }
            Due::OperatorsMute(session, _) => (3, session.as_ptr().addr(), 0),
            Due::MuteOfAll(_) => (8, 0, 0),
            Due::Dismissal(outbox) => (4, outbox.as_ptr().addr(), 0),
            Due::Wire(outbox) => (13, outbox.as_ptr().addr(), 0),
            Due::Certificate => (5, 0, 0),
            Due::Renderings(room) => (6, room.as_ptr().addr(), 0),
            Due::Histories => (7, 0, 0),
            Due::OwedAcks => (11, 0, 0),
            Due::Tally => (9, 0, 0),
            Due::Timer(until, state) => (10, until.as_millis() as usize, *state as usize),
            Due::MissingAreGone => (12, 0, 0),
            Due::Shared => (14, 0, 0),
        }
    }

    /// Whether `other`, about the same subject, replaces it: the session was resumed and lost
    /// again meanwhile.
    fn is_older_than(&self, other: &Due) -> bool {
        matches!((self, other), (Due::Session(_, since), Due::Session(_, other)) if since < other)
    }

    /// Whether the subject is gone.
    fn is_vain(&self) -> bool {
        match self {
            Due::Session(session, _) | Due::OperatorsMute(session, _) => {
                session.strong_count() == 0
            }
            Due::Room(room)
            | Due::Renderings(room)
            | Due::Mute(room, ..)
            | Due::HandedOver(room, _) => room.strong_count() == 0,
            Due::Dismissal(outbox) | Due::Wire(outbox) => outbox.strong_count() == 0,
            Due::Certificate
            | Due::Histories
            | Due::MuteOfAll(_)
            | Due::OwedAcks
            | Due::Tally
            | Due::Timer(..)
            | Due::MissingAreGone
            | Due::Shared => false,
        }
    }
}

impl Alarm for Timekeeper<Due> {
    fn ring(&self, outbox: &Arc<Outbox>, at: Instant) {
        self.schedule(at, Due::Wire(Arc::downgrade(outbox)));
    }
}

impl Shared {
    /// Somebody has joined a room: renderings for new members are kept for a while.
    pub(crate) fn keep_renderings(&self, room: &Arc<Room>) {
        let due = Due::Renderings(Arc::downgrade(room));
        self.timekeeper.schedule(Instant::now() + self.config.renderings_window, due);
    }

    /// Makes rooms drop history if all together exceed the limit.
    pub(crate) fn check_histories(&self) {
        if self.remembers_too_much() {
            self.timekeeper.schedule(Instant::now(), Due::Histories);
        }
    }

    fn remembers_too_much(&self) -> bool {
        self.metrics.history_bytes.load(Ordering::Relaxed) > self.config.history_bytes
    }

    /// Makes each room drop half of its history, the least recently active first, until all
    /// together are within the limit.
    fn forget_oldest(&self) {
        let mut rooms = self.rooms.all();
        rooms.sort_by_key(|room| room.happened_at());
        for room in rooms {
            if !self.remembers_too_much() {
                return;
            }
            // A room that has ended has no history.
            let _ = room.forget_half();
        }
    }

    fn end_if_empty(&self, room: &Arc<Room>) {
        match self.rooms.end_if_empty(room, self.config.empty_room_window) {
            Fate::Ended => self.console.room_ended(&room.name),
            Fate::Lives | Fate::Gone => {}
            Fate::Waits(until) => {
                self.timekeeper.schedule(until, Due::Room(Arc::downgrade(room)));
            }
        }
    }

    /// Has the rooms looked at that this server shares with others, if there are any. An archive
    /// follows all public ones.
    pub(crate) fn look_after_shared_rooms(&self) {
        if self.cluster.is_some() {
            let at = Instant::now() + SHARED_LOOKED_AT.min(self.config.empty_room_window);
            self.timekeeper.schedule(at, Due::Shared);
        }
    }

    /// Does what another server was to do that may be gone: what happens at a deadline is in the
    /// rooms' states, and the second to do it changes nothing. Lets rooms go that nobody is in here.
    fn tend_shared_rooms(&self) {
        let window = self.config.empty_room_window;
        for room in self.rooms.all() {
            let status = room.status();
            for (session, until) in status.timed_mutes {
                let at = Instant::now() + until.since(clock::now());
                self.end_mute_at(at, until, &room, (session, Muter::Owner));
            }
            let owner = status.access.owner;
            match status.empty_since {
                // Whoever was to end it may be gone, or Redis was away.
                Some(_) => self.end_if_empty(&room),
                None if room.kept_as().is_some() => {}
                // Its owner's session will name another when it ends.
                None if owner.is_some_and(|owner| self.users.numbered(owner).is_some()) => {}
                None => {
                    self.rooms.let_go_if_deserted(&room, window);
                }
            }
        }
    }

    /// Carries out an action that is due.
    pub(crate) fn carry_out(&self, due: Due) {
        match due {
            Due::Session(session, since) => {
                if let Some(session) = session.upgrade()
                    && self.users.expire(&session, since)
                {
                    let room = self.rooms.room_of(&session);
                    self.end_session(&session, room, Going::Expires, None);
                }
            }
            Due::HandedOver(room, session) => {
                if let Some(room) = room.upgrade() {
                    let _ = room.act_now(By::Member(session), Op::Leave { text: None });
                }
            }
            Due::Room(room) => {
                if let Some(room) = room.upgrade() {
                    self.end_if_empty(&room);
                }
            }
            Due::Shared => {
                self.tend_shared_rooms();
                self.look_after_shared_rooms();
            }
            Due::Mute(room, (session, muter), until) => {
                if let Some(room) = room.upgrade() {
                    let _ = room.act_now(By::Time, Op::MuteOver { session, muter, until });
                }
            }
            Due::OperatorsMute(session, until) => {
                if let Some(session) = session.upgrade()
                    && session.unmute(Some(until))
                    && let Some(room) = self.rooms.room_of(&session)
                {
                    let (session, muter) = (session.number, Muter::Operator);
                    let _ = room.act_now(By::Time, Op::MuteOver { session, muter, until });
                }
            }
            Due::MuteOfAll(until) => {
                let mute = Mute { until: Some(until) };
                if self.users.end_mute_of_all(mute) {
                    for room in self.rooms.all() {
                        // Each server says so, at the same time.
                        let number = until.as_millis() as u64;
                        let op = Box::new(Op::UnmuteAll { only: Some(mute) });
                        let _ = room.act_now(By::Time, Op::Once { number, op });
                    }
                }
            }
            Due::Wire(outbox) => {
                if let Some(outbox) = outbox.upgrade() {
                    outbox.tell_notes();
                }
            }
            Due::Dismissal(outbox) => {
                if let Some(until) = outbox.upgrade().and_then(|outbox| outbox.end_dismissed()) {
                    self.timekeeper.schedule(until + DISMISSAL, Due::Dismissal(outbox));
                }
            }
            Due::Renderings(room) => {
                if let Some(room) = room.upgrade() {
                    let _ = room.forget_renderings();
                }
            }
            Due::OwedAcks => {
                let next = self.journal.as_ref().and_then(|journal| journal.pay_overdue());
                next.into_iter().for_each(|at| self.timekeeper.schedule(at, Due::OwedAcks));
            }
            Due::Histories => self.forget_oldest(),
            Due::Tally => {
                *self.tallied.lock() = Some(Instant::now());
                if !lesson::send_tallies(&self.chat()) {
                    self.tally();
                }
            }
            Due::Timer(until, state) => {
                let (lesson, op) = (&self.rooms.lesson, LessonOp::TimerDue { until, state });
                // Another timer may be running by now, or none.
                lesson.post(&Asker::time(), op, || self.rooms.public());
            }
            Due::MissingAreGone => {
                let lesson = &self.rooms.lesson;
                // It may have ended by now.
                let _ =
                    lesson.act(&Asker::time(), LessonOp::MissingAreGone, || self.rooms.public());
            }
            Due::Certificate => {
                let Some(tls) = &self.tls else { return };
                self.timekeeper.schedule(Instant::now() + tls.look_interval, Due::Certificate);
                match tls.certificates.look() {
                    Look::Same => {}
                    Look::Taken => {
                        self.console.certificate_taken();
                        self.warn_of_expiry();
                    }
                    Look::Kept(error) => self.console.certificate_kept(&error),
                }
            }
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::{event::Time, name::UserName};

    use super::*;
    use crate::timekeeper::Timekeeper;

    #[test]
    fn a_late_detach_does_not_replace_a_newer_deadline() {
        let name = UserName::parse("alice").expect("a name");
        let alice = Arc::new(Session::new(1, name, None, Time::from_millis(0)));
        let timekeeper = Timekeeper::default();
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let (first, next) = (now - 2 * second, now - second);
        for since in [next, first] {
            timekeeper.schedule(since, Due::Session(Arc::downgrade(&alice), since));
        }
        assert!(matches!(timekeeper.next(), Some(Due::Session(_, since)) if since == next));
    }
}
