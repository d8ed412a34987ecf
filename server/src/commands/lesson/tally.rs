//! The progress of an open poll, which teachers follow, and who could vote.

use std::collections::{HashMap, HashSet};

use madang_protocol::name::UserName;

use crate::{
    commands::chat::Chat,
    dialect::answer::Answer,
    room::lesson::{Present, Tally},
    session::Session,
};

/// Writes the open poll's progress, as far as this teacher may know it.
pub(super) fn write_tally(
    chat: &Chat<'_>,
    teacher: &Session,
    nonce: Option<&str>,
    answer: &mut Answer,
) {
    if let Some(tally) = NamedTally::of(chat) {
        tally.write(teacher, nonce, answer);
    }
}

/// Sends every teacher the open poll's progress, unless something else is on its way to them;
/// returns whether it reached all.
pub(crate) fn send_tallies(chat: &Chat<'_>) -> bool {
    let Some(tally) = NamedTally::of(chat) else { return true };
    let mut reached_all = true;
    // People read it on request: a line twice a second would be noise.
    for teacher in chat.users.teachers.all().iter().filter(|it| it.token.is_some()) {
        let Some(outbox) = teacher.outbox() else { continue };
        match outbox.is_idle() {
            true => teacher.remark(|answer| tally.write(teacher, None, answer)),
            false => reached_all = false,
        }
    }
    reached_all
}

/// The open poll's progress, and who has not voted, if these names may be told.
struct NamedTally {
    tally: Tally,
    waiting: Vec<String>,
}

impl NamedTally {
    fn of(chat: &Chat<'_>) -> Option<NamedTally> {
        let names = people(chat);
        let present: Present = names.keys().copied().collect();
        let tally = chat.rooms.lesson.read(|state| state.tally(&present))?;
        let waiting = tally.waiting.iter().flatten();
        let mut waiting: Vec<String> =
            waiting.filter_map(|session| names.get(session)).map(ToString::to_string).collect();
        // Sorted by name, so that the order tells nothing about when they joined or voted.
        waiting.sort_unstable();
        Some(NamedTally { tally, waiting })
    }

    fn write(&self, teacher: &Session, nonce: Option<&str>, answer: &mut Answer) {
        let names = (!teacher.is_watching()).then_some(&*self.waiting);
        answer.message(&self.tally.message(names, nonce));
    }
}

/// Who could vote: the visible people in public rooms of all machines, without teachers.
fn people(chat: &Chat<'_>) -> HashMap<u64, UserName> {
    let (lesson, mut people) = (&chat.rooms.lesson, pupils_here(chat));
    if lesson.is_shared() {
        lesson.read(|state| {
            let elsewhere = state.pupils_elsewhere(lesson.origin());
            people.extend(elsewhere.map(|(session, user)| (session, user.clone())));
        });
    }
    people
}

/// The pupils of this machine.
pub(super) fn pupils_here(chat: &Chat<'_>) -> HashMap<u64, UserName> {
    let public: HashSet<u64> = chat.rooms.public().iter().map(|room| room.number).collect();
    let sessions = chat.users.sessions();
    let is_there = |session: &Session| session.room().is_some_and(|it| public.contains(&it));
    let pupils = sessions.iter().filter(|session| is_pupil(session) && is_there(session));
    pupils.map(|session| (session.number, session.name())).collect()
}

/// Whether somebody may vote, once in a public room.
pub(super) fn is_pupil(session: &Session) -> bool {
    !session.is_teacher() && session.quiet().is_none() && !session.is_stream()
}

pub(super) fn present(chat: &Chat<'_>) -> Present {
    people(chat).into_keys().collect()
}
