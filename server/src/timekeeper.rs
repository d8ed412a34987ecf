//! The one thread that keeps deadlines: it ends expired sessions, empty rooms, mutes and
//! dismissed connections, and looks for a changed certificate. It is woken by the next
//! deadline, not by ticks. What it posts waits for no space in a mailbox; like whoever
//! posts, it may wait for a tired pump's round, and then pumps.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    delivery::outbox::Outbox,
    room::directory::Fate,
    room::{Action, By, Going, Room},
    server::Shared,
    session::Session,
    sync::{Condvar, Mutex},
    transport::tls::certificates::Look,
};

/// What is due at some time.
pub(crate) enum Due {
    /// A session ends if nobody has come back to it since then.
    Session(Weak<Session>, Instant),
    /// A room ends if it has been empty for long enough.
    Room(Weak<Room>),
    /// An owner's mute is over.
    Mute(Weak<Room>, Weak<Session>),
    /// An operator's mute is over.
    Silence(Weak<Session>, Instant),
    /// A connection that was dismissed has had its time to close by itself.
    Dismissal(Weak<Outbox>),
    /// Nobody has come into a room for a while: what was rendered for that goes.
    Renderings(Weak<Room>),
    /// The rooms remember more than they may.
    Histories,
    /// It is to be looked whether the certificate has changed.
    Certificate,
}

/// How long what was rendered for a newcomer is kept for the next.
const RENDERINGS_KEPT: Duration = Duration::from_secs(10);

/// Of more than this, what has lost its object is forgotten before it is due.
const FEW: usize = 1_024;

/// What is to come: of one kind and for one object, what was scheduled last.
#[derive(Default)]
pub(crate) struct Timekeeper {
    state: Mutex<State>,
    /// Signalled when the next deadline comes earlier, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order in which it is due; what is due at one time, as it was scheduled.
    to_come: BTreeMap<Place, Due>,
    places: HashMap<Object, Place>,
    last_number: u64,
    /// Of how many more what has lost its object is looked for.
    many: usize,
    stopping: bool,
}

type Place = (Instant, u64);

/// What a due is about: its kind, and where its room, session or outbox lies in memory,
/// where nothing else can lie while the due is to come.
type Object = (u8, usize, usize);

impl Due {
    fn object(&self) -> Object {
        match self {
            Due::Session(session, _) => (0, session.as_ptr().addr(), 0),
            Due::Room(room) => (1, room.as_ptr().addr(), 0),
            Due::Mute(room, session) => (2, room.as_ptr().addr(), session.as_ptr().addr()),
            Due::Silence(session, _) => (3, session.as_ptr().addr(), 0),
            Due::Dismissal(outbox) => (4, outbox.as_ptr().addr(), 0),
            Due::Certificate => (5, 0, 0),
            Due::Renderings(room) => (6, room.as_ptr().addr(), 0),
            Due::Histories => (7, 0, 0),
        }
    }

    /// Whether it was overtaken by `other`, which is about the same object: somebody has
    /// come back to the session meanwhile, and let it go again.
    fn is_older_than(&self, other: &Due) -> bool {
        matches!((self, other), (Due::Session(_, since), Due::Session(_, other)) if since < other)
    }

    /// Whether what it is about is gone.
    fn is_vain(&self) -> bool {
        match self {
            Due::Session(session, _) | Due::Silence(session, _) => session.strong_count() == 0,
            Due::Room(room) | Due::Renderings(room) => room.strong_count() == 0,
            Due::Mute(room, session) => room.strong_count() == 0 || session.strong_count() == 0,
            Due::Dismissal(outbox) => outbox.strong_count() == 0,
            Due::Certificate | Due::Histories => false,
        }
    }
}

impl State {
    fn forget_vain(&mut self) {
        let State { to_come, places, .. } = self;
        to_come.retain(|_, due| {
            let is_vain = due.is_vain();
            if is_vain {
                places.remove(&due.object());
            }
            !is_vain
        });
        self.many = to_come.len() * 2;
    }
}

impl Timekeeper {
    /// Has `due` done at `at`, instead of what was to be done before of the same kind
    /// for the same object; nothing if that was about what has happened later.
    pub(crate) fn schedule(&self, at: Instant, due: Due) {
        let mut state = self.state.lock();
        if state.to_come.len() >= state.many.max(FEW) {
            state.forget_vain();
        }
        state.last_number += 1;
        let (object, place) = (due.object(), (at, state.last_number));
        let former = state.places.get(&object).and_then(|former| state.to_come.get(former));
        if former.is_some_and(|former| due.is_older_than(former)) {
            return;
        }
        if let Some(former) = state.places.insert(object, place) {
            state.to_come.remove(&former);
        }
        state.to_come.insert(place, due);
        if state.to_come.first_key_value().is_some_and(|(first, _)| *first == place) {
            self.changed.notify_all();
        }
    }

    /// Has the thread end; what is to come does not.
    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Blocks until something is due; `None` at the end.
    fn next(&self) -> Option<Due> {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return None;
            }
            match state.to_come.first_key_value().map(|((at, _), _)| *at) {
                None => self.changed.wait(&mut state),
                Some(at) if at <= Instant::now() => {
                    let (_, due) = state.to_come.pop_first()?;
                    state.places.remove(&due.object());
                    return Some(due);
                }
                Some(at) => {
                    self.changed.wait_until(&mut state, at);
                }
            }
        }
    }
}

/// Starts the thread. It ends at [`Timekeeper::stop`].
///
/// # Errors
///
/// If the system has no thread left.
pub(crate) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("timekeeper".into()).spawn(move || {
        while let Some(due) = shared.timekeeper.next() {
            if catch_unwind(AssertUnwindSafe(|| shared.carry_out(due))).is_err() {
                tracing::error!("the timekeeper has panicked and goes on");
            }
        }
    })
}

impl Shared {
    /// Has a room looked at when it may have been empty for long enough.
    pub(crate) fn end_when_empty(&self, room: &Arc<Room>) {
        let at = Instant::now() + self.config.empty_room_window;
        self.timekeeper.schedule(at, Due::Room(Arc::downgrade(room)));
    }

    /// Somebody has come into a room: what was rendered for that is kept for a while.
    pub(crate) fn keep_renderings(&self, room: &Arc<Room>) {
        let due = Due::Renderings(Arc::downgrade(room));
        self.timekeeper.schedule(Instant::now() + RENDERINGS_KEPT, due);
    }

    /// Has rooms forget if all together remember more than they may.
    pub(crate) fn check_histories(&self) {
        if self.remembers_too_much() {
            self.timekeeper.schedule(Instant::now(), Due::Histories);
        }
    }

    fn remembers_too_much(&self) -> bool {
        self.metrics.history_bytes.load(Ordering::Relaxed) > self.config.history_bytes
    }

    /// Has each room forget half, the one first in which nothing has happened for the
    /// longest time, until all together remember no more than they may.
    fn forget_oldest(&self) {
        let mut rooms = self.rooms.all();
        rooms.sort_by_key(|room| room.happened_at());
        for room in rooms {
            if !self.remembers_too_much() {
                return;
            }
            // A room that has ended remembers nothing.
            let _ = room.act_now(By::Time, Action::ForgetHalf);
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

    fn carry_out(&self, due: Due) {
        match due {
            Due::Session(session, since) => {
                if let Some(session) = session.upgrade()
                    && self.users.expire(&session, since)
                {
                    self.end_session(&session, session.room(), Going::Expires);
                }
            }
            Due::Room(room) => {
                if let Some(room) = room.upgrade() {
                    self.end_if_empty(&room);
                }
            }
            Due::Mute(room, session) => {
                if let (Some(room), Some(session)) = (room.upgrade(), session.upgrade()) {
                    let _ = room.act_now(By::Time, Action::Unmute(session));
                }
            }
            Due::Silence(session, at) => {
                if let Some(session) = session.upgrade()
                    && session.end_silence(Some(at))
                    && let Some(room) = session.room()
                {
                    let _ = room.act_now(By::Time, Action::EndSilence(session));
                }
            }
            Due::Dismissal(outbox) => {
                if let Some(outbox) = outbox.upgrade() {
                    outbox.end_dismissed();
                }
            }
            Due::Renderings(room) => {
                if let Some(room) = room.upgrade() {
                    let _ = room.act_now(By::Time, Action::ForgetRenderings);
                }
            }
            Due::Histories => self.forget_oldest(),
            Due::Certificate => {
                let Some(tls) = &self.tls else { return };
                self.timekeeper.schedule(Instant::now() + tls.look_interval, Due::Certificate);
                match tls.certificates.look() {
                    Look::Same => {}
                    Look::Taken => self.console.certificate_taken(),
                    Look::Kept(error) => self.console.certificate_kept(&error),
                }
            }
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::time::{Duration, SystemTime};

    use madang_protocol::{event::Time, name::UserName};

    use super::*;
    use crate::patience;

    fn session(number: u64) -> Arc<Session> {
        let name = UserName::parse("alice").expect("a name");
        Arc::new(Session::new(number, name, None, Time::from_millis(0)))
    }

    fn room(number: u64) -> Arc<Room> {
        let now = SystemTime::now();
        Arc::new(Room::new(number, "room", None, None, now, Arc::default(), Arc::default()))
    }

    /// The number of the session or room whose time has come.
    fn next(timekeeper: &Timekeeper) -> Option<u64> {
        Some(match timekeeper.next()? {
            Due::Session(session, _) | Due::Silence(session, _) => session.upgrade()?.number,
            Due::Room(room) | Due::Mute(room, _) => room.upgrade()?.number,
            Due::Dismissal(_) | Due::Certificate | Due::Renderings(_) | Due::Histories => {
                unreachable!("none is scheduled here")
            }
        })
    }

    #[test]
    fn what_is_due_comes_in_the_order_of_its_time() {
        let (timekeeper, now) = (Timekeeper::default(), Instant::now());
        let sessions = [1, 2, 3, 4].map(session);
        for (session, after) in sessions.iter().zip([30, 10, 20, 10]) {
            let at = now - Duration::from_millis(100 - after);
            timekeeper.schedule(at, Due::Session(Arc::downgrade(session), now));
        }
        assert_eq!([(); 4].map(|()| next(&timekeeper)), [2, 4, 3, 1].map(Some));
        timekeeper.stop();
        assert_eq!(next(&timekeeper), None);
    }

    #[test]
    fn an_earlier_deadline_wakes_who_waits_for_a_later_one() {
        let timekeeper = Arc::new(Timekeeper::default());
        let (late, early) = (room(1), room(2));
        let hour = Instant::now() + Duration::from_secs(3_600);
        timekeeper.schedule(hour, Due::Room(Arc::downgrade(&late)));
        let waiting = patience::spawn({
            let timekeeper = timekeeper.clone();
            move || [next(&timekeeper), next(&timekeeper)]
        });
        waiting.wait_until_asleep();
        timekeeper.schedule(Instant::now(), Due::Room(Arc::downgrade(&early)));
        // What is scheduled last is what counts, earlier or later.
        timekeeper.schedule(Instant::now(), Due::Room(Arc::downgrade(&late)));
        assert_eq!(waiting.join(), [Some(2), Some(1)]);
    }

    #[test]
    fn who_lets_a_session_go_late_does_not_undo_what_its_next_holder_has_scheduled() {
        let (timekeeper, alice) = (Timekeeper::default(), session(1));
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let (first, next) = (now - 2 * second, now - second);
        for since in [next, first] {
            timekeeper.schedule(since, Due::Session(Arc::downgrade(&alice), since));
        }
        assert!(matches!(timekeeper.next(), Some(Due::Session(_, since)) if since == next));
        assert!(timekeeper.state.lock().to_come.is_empty());
    }

    #[test]
    fn however_often_something_is_scheduled_it_is_kept_once_and_due_at_the_last_time() {
        let (timekeeper, room, alice) = (Timekeeper::default(), room(7), session(1));
        let (now, weak) = (Instant::now(), Arc::downgrade(&room));
        let hour = now + Duration::from_secs(3_600);
        for _ in 0..10_000 {
            timekeeper.schedule(now, Due::Room(weak.clone()));
            timekeeper.schedule(now, Due::Mute(weak.clone(), Arc::downgrade(&alice)));
            timekeeper.schedule(now, Due::Silence(Arc::downgrade(&alice), now));
        }
        timekeeper.schedule(hour, Due::Room(weak));
        assert_eq!(timekeeper.state.lock().to_come.len(), 3);
        assert_eq!(timekeeper.state.lock().places.len(), 3);
        assert!(matches!(timekeeper.next(), Some(Due::Mute(..))));
        assert!(matches!(timekeeper.next(), Some(Due::Silence(..))));
        assert_eq!(timekeeper.state.lock().to_come.len(), 1, "the room's is to come");
    }

    #[test]
    fn what_has_lost_its_object_is_not_kept_until_it_is_due() {
        let (timekeeper, room) = (Timekeeper::default(), room(7));
        let year = Instant::now() + Duration::from_secs(365 * 86_400);
        for number in 0..10_000 {
            let puppet = session(number);
            let due = Due::Mute(Arc::downgrade(&room), Arc::downgrade(&puppet));
            timekeeper.schedule(year, due);
        }
        let state = timekeeper.state.lock();
        assert!(state.to_come.len() <= FEW && state.places.len() == state.to_come.len());
    }
}
