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

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use madang_protocol::{event::LessonNow, name::UserName, notice::Notice};

use self::{
    class::{Attended, Class},
    state::LessonState,
};
use super::{By, Op, Room, recorder::Recorder};
use crate::{clock, session::Session, sync::Mutex};

pub(crate) use change::{LessonChange, LessonFact};
pub(crate) use decide::{LessonOp, Present, timer_dues};
pub(crate) use now::Tally;

mod change;
pub(crate) mod class;
mod decide;
mod now;
pub(crate) mod state;

/// The lesson of a server, and the changes that its public rooms have not received yet.
#[derive(Default)]
pub(crate) struct Lesson {
    is_running: AtomicBool,
    desk: Mutex<Desk>,
    /// Saves the lesson on disk, if messages are saved.
    recorder: Option<Arc<dyn Recorder>>,
}

#[derive(Default)]
struct Desk {
    state: LessonState,
    /// Changes to be posted to the rooms.
    untold: VecDeque<LessonFact>,
    /// Whether a thread is posting them.
    is_telling: bool,
    /// Attendance from rooms that have ended.
    kept: Vec<BTreeMap<String, Attended>>,
}

/// The requester of something in a lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) by: By,
    /// The name; `None` for the operator or a deadline.
    pub(crate) user: Option<UserName>,
}

impl Asker {
    pub(crate) fn of(session: &Session) -> Asker {
        Asker { by: By::of(session), user: Some(session.name()) }
    }

    pub(crate) fn time() -> Asker {
        Asker { by: By::Time, user: None }
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
        Lesson { is_running, desk, recorder: Some(recorder) }
    }

    /// Whether a lesson is running.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Carries out a request, and posts the result to the rooms that `rooms` returns then. May
    /// pump them.
    ///
    /// # Errors
    ///
    /// Why it was refused.
    pub(crate) fn act(
        &self,
        asker: &Asker,
        op: LessonOp,
        rooms: impl Fn() -> Vec<Arc<Room>>,
    ) -> Result<(), Notice<'static>> {
        {
            let mut desk = self.desk.lock();
            let facts = desk.state.decide(asker, op, clock::now())?;
            for fact in facts {
                desk.state.apply(&fact);
                if let LessonChange::Begun { .. } = &fact.change {
                    desk.kept.clear();
                }
                if let Some(recorder) = &self.recorder {
                    recorder.record_lesson(&fact);
                }
                if fact.change.is_told() {
                    desk.untold.push_back(fact);
                }
            }
            self.is_running.store(desk.state.is_running(), Ordering::Relaxed);
        }
        self.tell(&rooms);
        Ok(())
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
            let fact = Arc::new(fact);
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

    /// Attendance from rooms that have ended.
    pub(crate) fn kept_attendance(&self) -> Vec<BTreeMap<String, Attended>> {
        self.desk.lock().kept.clone()
    }

    /// Takes over the attendance of a room that is ending.
    pub(crate) fn keep_attendance(&self, class: &Class) {
        if class.is_running() {
            self.desk.lock().kept.push(class.attendance());
        }
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&LessonState) -> T) -> T {
        look(&self.desk.lock().state)
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
