//! The one thread that ends what only time ends: sessions without a connection,
//! rooms without members, mutes. It is woken by the next deadline, not by ticks, and
//! never waits for a room.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    thread::JoinHandle,
    time::Instant,
};

use crate::{
    room::{Action, By, Going, Room},
    rooms::Fate,
    server::Shared,
    session::Session,
    sync::{Condvar, Mutex},
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
}

/// What is to come.
#[derive(Default)]
pub(crate) struct Timekeeper {
    state: Mutex<State>,
    /// Signalled when the next deadline comes earlier, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    to_come: BinaryHeap<Deadline>,
    stopping: bool,
}

struct Deadline {
    at: Instant,
    due: Due,
}

/// The earliest is the greatest.
impl Ord for Deadline {
    fn cmp(&self, other: &Deadline) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Deadline) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Deadline) -> bool {
        self.at == other.at
    }
}

impl Eq for Deadline {}

impl Timekeeper {
    /// Has `due` done at `at`.
    pub(crate) fn schedule(&self, at: Instant, due: Due) {
        let mut state = self.state.lock();
        let earliest = state.to_come.peek().is_none_or(|next| at < next.at);
        state.to_come.push(Deadline { at, due });
        if earliest {
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
            match state.to_come.peek().map(|next| next.at) {
                None => self.changed.wait(&mut state),
                Some(at) if at <= Instant::now() => {
                    return state.to_come.pop().map(|next| next.due);
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
                    match self.rooms.end_if_empty(&room, self.config.empty_room_window) {
                        Fate::Ended => self.console.room_ended(&room.name),
                        Fate::Lives => {}
                        Fate::Waits(until) => {
                            self.timekeeper.schedule(until, Due::Room(Arc::downgrade(&room)));
                        }
                    }
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
                    let _ = room.act_now(By::Operator, Action::Unmute(session));
                }
            }
        }
    }
}
