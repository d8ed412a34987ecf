//! The lesson: one for the whole server, in all its public rooms. Like a room, it decides
//! requests from plain data ([`state`]), in an order of its own. Each result is posted to every
//! public room, in that order and once, as an op of the room. Votes, and questions with their
//! authors, never leave this module.
//!
//! # Guarantees
//!
//! 1. Whatever is asked of the lesson happens in one order. A public room takes in what
//!    follows in the same order, without a hole and nothing twice, also one that is made
//!    meanwhile: each change has a number, and a room knows the last that it has.
//! 2. Nobody waits for a room here: whoever finds another thread telling the rooms leaves
//!    that to it.
//! 3. What somebody voted or asked leaves only as a sum, and without a name.
//! 4. Several machines that share the lesson ([`log`]) decide the same requests in the same
//!    order with the same times, so they have the same state.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use madang_protocol::{
    event::{LessonNow, Time},
    name::UserName,
    notice::Notice,
};
use serde::{Deserialize, Serialize};

use self::{
    class::{Attended, Class},
    log::{LessonLogged, LessonSnapshot, LessonSoFar, OpenLesson},
    state::LessonState,
};
use super::{
    By, Op, Room,
    log::{Follower, LogEntry},
    mailbox::Ended,
    recorder::Recorder,
};
use crate::{clock, session::Session, sync::Mutex};

pub(crate) use change::{LessonChange, LessonFact};
pub(crate) use decide::timer_dues;
pub(crate) use now::Tally;
pub(crate) use op::{LessonOp, Present};

mod change;
pub(crate) mod class;
mod decide;
mod op;
pub(crate) mod everywhere;
pub(crate) mod log;
mod now;
pub(crate) mod state;

/// The lesson of a server, and the changes that its public rooms have not received yet.
#[derive(Default)]
pub(crate) struct Lesson {
    is_running: AtomicBool,
    desk: Mutex<Desk>,
    /// Saves the lesson on disk, if messages are saved.
    recorder: Option<Arc<dyn Recorder>>,
    /// This machine, as the log knows it, if several machines share the lesson.
    shared_as: Option<u64>,
}

#[derive(Default)]
struct Desk {
    state: LessonState,
    /// Changes to be posted to the rooms.
    untold: VecDeque<Arc<LessonFact>>,
    /// Whether a thread is posting them.
    is_telling: bool,
    /// Attendance from rooms that have ended.
    kept: Vec<BTreeMap<String, Attended>>,
    /// The log, if several machines share the lesson.
    logged: Option<LessonLogged>,
    /// Whether the state is being changed: after a panic it may be changed in part.
    is_torn: bool,
}

/// The requester of something in a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asker {
    pub(crate) by: By,
    /// The name; `None` for the operator or a deadline.
    pub(crate) user: Option<UserName>,
    /// The hash of the request's nonce, if it may be repeated on another machine.
    pub(crate) nonce: Option<u64>,
    /// The machine, as the log knows it; 0 alone.
    #[serde(skip)]
    pub(crate) origin: u64,
}

impl Asker {
    pub(crate) fn new(by: By, user: Option<UserName>) -> Asker {
        Asker { by, user, nonce: None, origin: 0 }
    }

    pub(crate) fn of(session: &Session) -> Asker {
        Asker::new(By::of(session), Some(session.name()))
    }

    pub(crate) fn time() -> Asker {
        Asker::new(By::Time, None)
    }
}

impl Lesson {
    /// Restores the lesson after a restart, with the attendance of rooms that are not opened
    /// again. From now on, it is saved by `recorder`.
    pub(crate) fn resumed(
        state: LessonState,
        kept: Vec<BTreeMap<String, Attended>>,
        recorder: Arc<dyn Recorder>,
    ) -> Lesson {
        let is_running = AtomicBool::new(state.is_running());
        let desk = Mutex::new(Desk { state, kept, ..Desk::default() });
        Lesson { is_running, desk, recorder: Some(recorder), shared_as: None }
    }

    /// A lesson that several machines share.
    pub(crate) fn shared(open: OpenLesson) -> Lesson {
        let OpenLesson { log, snapshot } = open;
        let is_running = AtomicBool::new(snapshot.state.is_running());
        let shared_as = Some(log.origin());
        let logged = Some(LessonLogged::new(log, (snapshot.entry, snapshot.time), snapshot.heard));
        let desk = Mutex::new(Desk { state: snapshot.state, logged, ..Desk::default() });
        Lesson { is_running, desk, recorder: None, shared_as }
    }

    /// Whether several machines share it.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared_as.is_some()
    }

    /// This machine, as the log of the lesson knows it; 0 alone.
    pub(crate) fn origin(&self) -> u64 {
        self.shared_as.unwrap_or(0)
    }

    /// Begins to hear the log, if several machines share the lesson: each entry goes to
    /// `follower`, which has it [heard](Self::hear). Blocks as
    /// [`LessonLog::follow`](log::LessonLog::follow) does.
    pub(crate) fn follow(&self, follower: Weak<dyn Follower>) {
        let place = self.desk.lock().logged.as_ref().map(LessonLogged::place);
        if let Some((log, next)) = place {
            log.follow(follower, next);
        }
    }

    /// Whether a lesson is running.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Carries out a request, and posts the result to the rooms that `rooms` returns then. May
    /// pump them. Returns what is left to tell people about. If several machines share the
    /// lesson, it blocks until the request is [heard](Self::hear), where that happens.
    ///
    /// # Errors
    ///
    /// Why it was refused.
    pub(crate) fn act(
        &self,
        asker: &Asker,
        op: LessonOp,
        rooms: impl Fn() -> Vec<Arc<Room>>,
    ) -> Result<Vec<LessonFact>, Notice<'static>> {
        let mut desk = self.desk.lock();
        if let Some(logged) = &mut desk.logged {
            let asking = logged.ask(asker, &op)?;
            drop(desk);
            return match asking.outcome.recv_timeout(log::PATIENCE) {
                Ok(outcome) => outcome.map(|()| Vec::new()),
                Err(_) => {
                    self.desk.lock().logged.iter_mut().for_each(|it| it.give_up(asking.seq));
                    Err(Notice::Unanswered)
                }
            };
        }
        let facts = self.carry_out(&mut desk, asker, op, clock::now())?;
        drop(desk);
        self.tell(&rooms);
        Ok(facts)
    }

    /// The same without waiting, for what nobody is told about.
    pub(crate) fn post(&self, asker: &Asker, op: LessonOp, rooms: impl Fn() -> Vec<Arc<Room>>) {
        if self.is_shared() {
            self.desk.lock().logged.iter().for_each(|logged| logged.post(asker, &op));
        } else {
            // Nobody is told why not.
            let _ = self.act(asker, op, rooms);
        }
    }

    /// Carries out the next entry of the lesson's log, as [`act`](Self::act) does alone. Returns
    /// what is left to tell this machine's people about. A request that panics before it changes
    /// anything is dropped, as on every machine.
    ///
    /// # Errors
    ///
    /// [`Ended`] if this machine takes part no longer.
    pub(crate) fn hear(
        &self,
        entry: &LogEntry,
        rooms: impl Fn() -> Vec<Arc<Room>>,
    ) -> Result<Vec<LessonFact>, Ended> {
        let mut desk = self.desk.lock();
        let logged = desk.logged.as_mut().filter(|logged| !logged.is_lost());
        let Some(logged) = logged else { return Err(Ended(())) };
        let (asker, op) = match logged.read(entry) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => {
                tracing::error!("{error}; this server takes no part in lessons any more");
                logged.lose();
                return Err(Ended(()));
            }
        };
        let asking = logged.asking(entry);
        if desk.state.raise_numbers(entry.ids_above) {
            // Rooms may have seen changes that this lesson has lost: they take it in as it is.
            desk.logged.iter_mut().for_each(LessonLogged::forget_told);
            let so_far = desk.so_far();
            drop(desk);
            for room in rooms() {
                // A room that has ended has no members.
                let _ = so_far.clone().map(|so_far| room.act_now(By::Time, so_far));
            }
            desk = self.desk.lock();
        }
        let carry_out = || self.carry_out(&mut desk, &asker, op, entry.time);
        let Ok(decided) = catch_unwind(AssertUnwindSafe(carry_out)) else {
            if !desk.is_torn {
                tracing::error!("a request to the lesson panicked and was dropped");
                return Ok(Vec::new());
            }
            tracing::error!("a panic has broken the lesson; this server takes no part any more");
            desk.logged.iter_mut().for_each(LessonLogged::lose);
            return Err(Ended(()));
        };
        let facts = decided.as_deref().unwrap_or_default();
        let Desk { logged, state, .. } = &mut *desk;
        logged.iter_mut().for_each(|logged| logged.keep_if_due(entry, facts, state));
        drop(desk);
        self.tell(&rooms);
        let (outcome, facts) = match decided {
            Ok(facts) => (Ok(()), facts),
            Err(notice) => (Err(notice), Vec::new()),
        };
        if let Some(asking) = asking {
            // They may have given up.
            let _ = asking.send(outcome);
        }
        Ok(facts)
    }

    /// Goes on from a state that was kept, because the entries from `next` on are gone. Returns
    /// the entry that it follows, unless it can't be read or is no later one.
    pub(crate) fn reload(&self, kept: &[u8], next: u64) -> Option<u64> {
        let snapshot: LessonSnapshot = serde_json::from_slice(kept).ok()?;
        let entry = Some(snapshot.entry).filter(|entry| *entry >= next)?;
        let mut desk = self.desk.lock();
        desk.logged.as_mut()?.go_on_after((entry, snapshot.time), snapshot.heard);
        self.is_running.store(snapshot.state.is_running(), Ordering::Relaxed);
        desk.state = snapshot.state;
        Some(entry)
    }

    /// Its log can't be reached: what is asked is refused until something is heard.
    pub(crate) fn miss_log(&self) {
        self.desk.lock().logged.iter_mut().for_each(LessonLogged::miss);
    }

    /// Its log accepts nothing more from this machine: what is asked is refused.
    pub(crate) fn lose_log(&self) {
        self.desk.lock().logged.iter_mut().for_each(LessonLogged::lose);
    }

    fn carry_out(
        &self,
        desk: &mut Desk,
        asker: &Asker,
        op: LessonOp,
        now: Time,
    ) -> Result<Vec<LessonFact>, Notice<'static>> {
        let facts = desk.state.decide(asker, op, now)?;
        desk.is_torn = true;
        for fact in &facts {
            desk.state.apply(fact);
            if let LessonChange::Begun { .. } = &fact.change {
                desk.kept.clear();
            }
            if let Some(recorder) = &self.recorder {
                recorder.record_lesson(fact);
            }
            if fact.change.is_told() {
                let fact = Arc::new(fact.for_rooms());
                desk.logged.iter_mut().for_each(|logged| logged.note_told(&fact));
                desk.untold.push_back(fact);
            }
        }
        desk.is_torn = false;
        self.is_running.store(desk.state.is_running(), Ordering::Relaxed);
        Ok(facts)
    }

    /// Posts pending changes to the rooms, unless another thread is doing so.
    fn tell(&self, rooms: &impl Fn() -> Vec<Arc<Room>>) {
        let mut desk = self.desk.lock();
        if desk.is_telling {
            return;
        }
        while let Some(fact) = desk.untold.pop_front() {
            desk.is_telling = true;
            drop(desk);
            let telling = Telling(self);
            for room in rooms() {
                // A room that has ended has no members.
                let _ = room.act_now(By::Time, Op::Lesson(fact.clone()));
            }
            drop(telling);
            desk = self.desk.lock();
            // Another thread may have started with the next change.
            if desk.is_telling {
                return;
            }
        }
    }

    /// The initial state of the lesson in a room created now.
    pub(crate) fn class(&self) -> Class {
        self.desk.lock().state.class()
    }

    /// The current lesson from the point of view of a session; usually `None` without a lesson.
    pub(crate) fn now(&self, session: &Session) -> Option<LessonNow<'static>> {
        if !self.is_running() && !session.is_teacher() {
            return None;
        }
        Some(self.desk.lock().state.now(session.number, session.is_teacher()))
    }

    /// The lesson as a room is told that a machine opens; none if no other machine shares it.
    pub(crate) fn so_far(&self) -> Option<Op> {
        self.desk.lock().so_far()
    }

    /// Offers the lesson's state, in case the log has lost what it had.
    pub(crate) fn offer(&self) {
        let desk = self.desk.lock();
        desk.logged.iter().for_each(|logged| logged.offer(&desk.state));
    }

    /// Attendance from rooms that have ended.
    pub(crate) fn kept_attendance(&self) -> Vec<BTreeMap<String, Attended>> {
        let desk = self.desk.lock();
        desk.kept.iter().chain(desk.state.kept_attendance()).cloned().collect()
    }

    /// Takes over the attendance of a room that has ended. On several machines, all that had it
    /// open do so: its name, and the id that its next event would have had, tell which it was.
    pub(crate) fn keep_attendance(&self, room: &str, next_id: u64, class: &Class) {
        let mut desk = self.desk.lock();
        match &desk.logged {
            _ if !class.is_running() => {}
            None => desk.kept.push(class.attendance()),
            Some(logged) => {
                let (room, attendance) = (format!("{room} {next_id}"), class.attendance());
                logged.post(&Asker::time(), &LessonOp::KeepAttendance { room, attendance });
            }
        }
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&LessonState) -> T) -> T {
        look(&self.desk.lock().state)
    }
}

impl Desk {
    fn so_far(&self) -> Option<Op> {
        let recent = self.logged.as_ref()?.recent();
        Some(Op::LessonSoFar(Box::new(LessonSoFar { class: self.state.class(), recent })))
    }
}

/// Lets another thread continue, even if this one panics.
struct Telling<'a>(&'a Lesson);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.desk.lock().is_telling = false;
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
