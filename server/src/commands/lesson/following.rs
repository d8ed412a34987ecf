//! What follows from a change of the lesson for the people of this server, beside what rooms
//! announce; and how the lesson learns of people who come and go.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use madang_protocol::{
    event::{ServerMessage, Time, TimerState},
    name::UserName,
};

use super::{
    is_in_public,
    tally::{is_pupil, pupils_here},
};
use crate::{
    commands::chat::Chat,
    dialect::answer::Answer,
    room::Bearer,
    room::lesson::{Asker, LessonChange, LessonFact, LessonOp, timer_dues},
    session::{Session, teachers::code::TeacherCode},
};

/// Tells teachers of this server what only they are told, and does what else follows here.
pub(crate) fn follow_up(chat: &Chat<'_>, facts: &[LessonFact]) {
    for fact in facts {
        match &fact.change {
            LessonChange::HandRaised { user, text: Some(text), for_teachers: true, .. } => {
                tell_teachers(chat, |answer| {
                    let (user, text) = (user.as_str().into(), (&**text).into());
                    answer.message(&ServerMessage::HandText { user, text });
                });
            }
            LessonChange::Questioned { session, text } => {
                let number = chat.rooms.lesson.read(|state| state.last_question(*session));
                // Teachers have had enough of their questions otherwise.
                let Some(number) = number else { continue };
                tell_teachers(chat, |answer| {
                    answer.message(&ServerMessage::Asked { number, text: (&**text).into() });
                });
            }
            LessonChange::Voted { .. }
            | LessonChange::PollOpened { .. }
            | LessonChange::PollShown { .. } => chat.services.tally(),
            LessonChange::Timed { state: TimerState::Started, seconds, until, .. } => {
                until.iter().for_each(|until| time_it(chat, *seconds, *until));
            }
            LessonChange::Begun { .. } if chat.rooms.lesson.is_shared() => {
                let pupils = pupils_here(chat).into_iter().collect();
                post(chat, &Asker::time(), LessonOp::Here(pupils));
            }
            LessonChange::Taught { .. }
            | LessonChange::TeacherGone { .. }
            | LessonChange::CodeKnown { .. } => know_elsewhere(chat),
            _ => {}
        }
    }
}

fn time_it(chat: &Chat<'_>, seconds: u64, until: Time) {
    let now = Instant::now();
    for (at, state) in timer_dues(seconds) {
        chat.services.tell_timer_at(now + at, until, state);
    }
}

/// Takes in how many teach on other servers, and the codes there.
pub(crate) fn know_elsewhere(chat: &Chat<'_>) {
    let lesson = &chat.rooms.lesson;
    let (count, codes) = lesson.read(|state| {
        let codes = state.codes_elsewhere(lesson.origin());
        let codes = codes.filter_map(|code| TeacherCode::parse(code).ok()).collect();
        (state.teachers_elsewhere(lesson.origin()).count(), codes)
    });
    chat.users.teachers.know_elsewhere(count, codes);
}

/// Makes somebody a teacher; false if they are one already.
pub(crate) fn become_teacher(chat: &Chat<'_>, session: &Arc<Session>) -> bool {
    let is_new = chat.users.teachers.make(session);
    if is_new {
        note_watching(chat, session);
    }
    is_new
}

/// Has other servers know a teacher, and whether it is the wall's screen.
pub(crate) fn note_watching(chat: &Chat<'_>, session: &Session) {
    if chat.rooms.lesson.is_shared() {
        let op = LessonOp::Teach { watches: session.is_watching() };
        post(chat, &Asker::of(session), op);
    }
}

/// The session of a teacher ends on this server.
pub(crate) fn end_teaching(chat: &Chat<'_>, session: &Session) {
    if chat.rooms.lesson.is_shared() && session.is_teacher() {
        post(chat, &Asker::of(session), LessonOp::StopTeaching);
    }
}

/// Somebody is back whose session may have been on another server: a teacher is one here, too,
/// and a pupil's hand stays up.
pub(crate) fn come_back(chat: &Chat<'_>, session: &Arc<Session>) {
    if !chat.rooms.lesson.is_shared() {
        return;
    }
    let teaching = chat.rooms.lesson.read(|state| state.teaching(session.number).cloned());
    if let Some(teaching) = teaching.filter(|_| !session.is_teacher()) {
        session.watch(teaching.watches);
        become_teacher(chat, session);
    }
    if is_in_public(chat, session) {
        return_to_lesson(chat, session);
    }
}

/// Somebody enters a public room: after a restart, their earlier state waits for them.
pub(crate) fn return_to_lesson(chat: &Chat<'_>, session: &Session) {
    let lesson = &chat.rooms.lesson;
    match lesson.is_shared() {
        _ if !lesson.is_running() => {}
        false => post(chat, &Asker::of(session), LessonOp::Return),
        true if is_pupil(session) => {
            let pupils = BTreeMap::from([(session.number, session.name())]);
            post(chat, &Asker::time(), LessonOp::Here(pupils));
        }
        true => {}
    }
}

/// Somebody has left the public rooms: their hand goes down.
pub(crate) fn leave_lesson(chat: &Chat<'_>, session: &Session) {
    if chat.rooms.lesson.is_running() {
        post(chat, &Asker::of(session), LessonOp::Leave);
    }
}

/// Somebody has left the public rooms whose server is gone: their hand goes down.
pub(crate) fn leave_from(chat: &Chat<'_>, absent: &Bearer) {
    if chat.rooms.lesson.is_running() {
        let pupils = [absent.session].into();
        post(chat, &Asker::time(), LessonOp::Stranded { origin: absent.origin, pupils });
    }
}

/// Somebody has changed their name.
pub(crate) fn rename_in_lesson(chat: &Chat<'_>, session: &Session, to: &UserName) {
    let lesson = &chat.rooms.lesson;
    if lesson.is_running() || (lesson.is_shared() && session.is_teacher()) {
        post(chat, &Asker::of(session), LessonOp::Rename(to.clone()));
    }
}

fn post(chat: &Chat<'_>, asker: &Asker, op: LessonOp) {
    chat.rooms.lesson.post(asker, op, || chat.rooms.public());
}

/// Tells every teacher of this server something, except on wall screens.
fn tell_teachers(chat: &Chat<'_>, write: impl Fn(&mut Answer)) {
    let teachers = chat.users.teachers.all();
    teachers.iter().filter(|it| !it.is_watching()).for_each(|teacher| teacher.remark(&write));
}
