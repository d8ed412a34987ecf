//! What machines that share a lesson know of each other's people: teachers, pupils, codes, and
//! which requests were carried out. Empty alone.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use madang_protocol::name::UserName;
use serde::{Deserialize, Serialize};

use super::{
    Asker, change::LessonChange, class::Attended, decide::LessonFacts, state::LessonState,
};

/// How many nonces are kept: enough for a class that repeats everything after a failure.
const NONCES: usize = 4_096;

/// What is known of all machines' people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Everywhere {
    /// By session number.
    pub(super) teachers: BTreeMap<u64, Teaching>,
    /// The pupils in public rooms, by session number, while a lesson is running.
    pub(super) pupils: BTreeMap<u64, Attending>,
    /// The codes, by machine.
    codes: BTreeMap<u64, Arc<str>>,
    /// The attendance from rooms that have ended, by room.
    kept: BTreeMap<String, BTreeMap<String, Attended>>,
    /// The session and the hash of the nonce of requests that were carried out, the last first.
    nonces: VecDeque<(u64, u64)>,
}

/// A teacher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Teaching {
    pub(crate) user: UserName,
    /// The machine.
    pub(crate) origin: u64,
    /// Whether the session is the wall's screen.
    pub(crate) watches: bool,
}

/// A pupil in a public room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attending {
    pub(super) user: UserName,
    /// The machine.
    pub(super) origin: u64,
}

impl Everywhere {
    /// Whether a request was carried out.
    pub(super) fn has_noted(&self, session: u64, nonce: u64) -> bool {
        self.nonces.contains(&(session, nonce))
    }

    /// The sessions on a machine.
    pub(super) fn sessions_of(&self, machine: u64) -> impl Iterator<Item = u64> {
        let pupils = self.pupils.iter().map(|(session, it)| (*session, it.origin));
        let teachers = self.teachers.iter().map(|(session, it)| (*session, it.origin));
        pupils.chain(teachers).filter(move |(_, it)| *it == machine).map(|(session, _)| session)
    }

    pub(super) fn has_code_of(&self, machine: u64) -> bool {
        self.codes.contains_key(&machine)
    }

    pub(super) fn apply(&mut self, change: &LessonChange) {
        match change {
            LessonChange::Begun { .. } | LessonChange::Ended { .. } => {
                self.pupils.clear();
                self.kept.clear();
            }
            LessonChange::Here { origin, pupils } => {
                let here = pupils.iter().map(|(session, user)| {
                    (*session, Attending { user: user.clone(), origin: *origin })
                });
                self.pupils.extend(here);
            }
            LessonChange::Gone { session } => drop(self.pupils.remove(session)),
            LessonChange::Renamed { session, to } => {
                if let Some(pupil) = self.pupils.get_mut(session) {
                    pupil.user = to.clone();
                }
                if let Some(teacher) = self.teachers.get_mut(session) {
                    teacher.user = to.clone();
                }
            }
            LessonChange::Taught { session, user, origin, watches } => {
                let (user, origin, watches) = (user.clone(), *origin, *watches);
                self.teachers.insert(*session, Teaching { user, origin, watches });
            }
            LessonChange::TeacherGone { session } => drop(self.teachers.remove(session)),
            LessonChange::CodeKnown { origin, code: Some(code) } => {
                self.codes.insert(*origin, code.clone());
            }
            LessonChange::CodeKnown { origin, code: None } => drop(self.codes.remove(origin)),
            LessonChange::AttendanceKept { room, attendance } => {
                self.kept.entry(room.clone()).or_insert_with(|| attendance.clone());
            }
            LessonChange::NonceNoted { session, nonce } => {
                self.nonces.truncate(NONCES - 1);
                self.nonces.push_front((*session, *nonce));
            }
            _ => {}
        }
    }
}

impl LessonState {
    /// The lesson of a cluster before the first entry of its log. No other has the same numbers.
    pub(crate) fn first(number: u64) -> LessonState {
        LessonState { number, ..LessonState::default() }
    }

    /// The pupils on other machines that share the lesson.
    pub(crate) fn pupils_elsewhere(&self, own: u64) -> impl Iterator<Item = (u64, &UserName)> {
        let Everywhere { pupils, teachers, .. } = &self.everywhere;
        let elsewhere = pupils.iter().filter(move |(_, pupil)| pupil.origin != own);
        elsewhere
            .filter(|(session, _)| !teachers.contains_key(session))
            .map(|(session, pupil)| (*session, &pupil.user))
    }

    /// The pupils on a machine.
    pub(crate) fn pupils_of(&self, machine: u64) -> impl Iterator<Item = u64> {
        let pupils = self.everywhere.pupils.iter();
        pupils.filter(move |(_, pupil)| pupil.origin == machine).map(|(session, _)| *session)
    }

    /// The machine of a pupil.
    pub(super) fn pupil_on(&self, session: u64) -> Option<u64> {
        self.everywhere.pupils.get(&session).map(|pupil| pupil.origin)
    }

    /// What a session is, if it is a teacher's; asked where several machines share the lesson.
    pub(crate) fn teaching(&self, session: u64) -> Option<&Teaching> {
        self.everywhere.teachers.get(&session)
    }

    /// The teachers on other machines.
    pub(crate) fn teachers_elsewhere(&self, own: u64) -> impl Iterator<Item = &UserName> {
        let teachers = self.everywhere.teachers.values();
        teachers.filter(move |teacher| teacher.origin != own).map(|teacher| &teacher.user)
    }

    /// The codes of other machines.
    pub(crate) fn codes_elsewhere(&self, own: u64) -> impl Iterator<Item = &Arc<str>> {
        let codes = self.everywhere.codes.iter();
        codes.filter(move |(machine, _)| **machine != own).map(|(_, code)| code)
    }

    /// Attendance from rooms that have ended on all machines that share the lesson.
    pub(super) fn kept_attendance(&self) -> impl Iterator<Item = &BTreeMap<String, Attended>> {
        self.everywhere.kept.values()
    }

    /// Removes everyone on a machine that is no more, and its code.
    pub(super) fn see_off_all(&self, machine: u64, facts: &mut LessonFacts) {
        for session in self.everywhere.sessions_of(machine) {
            if let Some(running) = &self.running {
                running.see_off(session, running.hand_of(session), facts);
            }
            if self.teaching(session).is_some() {
                facts.add(LessonChange::TeacherGone { session });
            }
        }
        if self.everywhere.has_code_of(machine) {
            facts.add(LessonChange::CodeKnown { origin: machine, code: None });
        }
    }

    /// Whether the requester is on another machine by now.
    pub(super) fn is_elsewhere(&self, asker: &Asker) -> bool {
        let machine = asker.by.session().and_then(|session| self.pupil_on(session));
        machine.is_some_and(|machine| machine != asker.origin)
    }
}
