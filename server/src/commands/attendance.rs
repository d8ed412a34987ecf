//! Who was at the lesson: the rooms' records merged by name, as a list and as a table for
//! spreadsheets.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use madang_protocol::{
    event::{Attendee, ServerMessage},
    name::UserName,
    notice::{LessonNotice, Notice},
    room::{Destination, RoomName},
};

use super::{
    caller::{Caller, Reply},
    chat::{Chat, DOWNLOAD_TIME},
    elsewhere::{Finding, Inquiry},
};
use crate::{
    clock,
    room::{
        Room,
        lesson::{class::Attended, state::Marks},
    },
};

mod table;

/// How many people one answer lists, and how many of those absent.
const NAMES: usize = 200;

/// Lists who attends the lesson; or, at the operator's request, offers the table.
pub(super) fn list(caller: &Caller<'_>, csv: bool) -> Result<Reply, Reply> {
    let (chat, lesson) = (caller.chat, &caller.chat.rooms.lesson);
    if !lesson.is_running() {
        return Err(caller.refuse(&Notice::Lesson(LessonNotice::NoLesson)));
    }
    let people = attendees(&chat);
    let missing = missing(chat.roster, &people);
    let table = || table::write_table(&people, &missing, caller.lang);
    let mut answer = caller.begin();
    if csv && caller.is_operator() {
        answer.line(table().trim_start_matches(table::BYTE_ORDER_MARK).trim_end());
        return Ok(caller.answered(answer));
    }
    let offer = || chat.services.offer_table(caller.session_number(), table().into_bytes());
    let path = caller.can_download().then(offer);
    let count = people.len();
    answer.message(&ServerMessage::Attendance {
        people: people.into_iter().take(NAMES).collect(),
        count,
        missing: missing.iter().take(NAMES).map(|name| (**name).into()).collect(),
        seconds: path.as_ref().map(|_| DOWNLOAD_TIME.as_secs()),
        link: path.as_ref().and_then(|path| caller.link_to(path)).map(Into::into),
        path: path.map(Into::into),
        nonce: caller.nonce.map(Into::into),
    });
    Ok(caller.answered(answer))
}

/// Each person's attendance, by name, without teachers. Blocks until every public room has
/// answered.
pub(super) fn attended(chat: &Chat<'_>) -> BTreeMap<String, Attended> {
    let lesson = &chat.rooms.lesson;
    let here: Vec<_> = public(chat).into_iter().map(|room| room.attendance()).collect();
    // Read last: a room that ended meanwhile has handed over its record.
    let kept = lesson.kept_attendance();
    let mut all = BTreeMap::<String, Attended>::new();
    for room in here.into_iter().flatten().chain(kept) {
        for (user, attended) in room {
            match all.get_mut(&user) {
                Some(known) => known.add(&attended),
                None => {
                    all.insert(user, attended);
                }
            }
        }
    }
    let teachers = chat.users.teachers.all();
    let mut teachers: HashSet<String> = teachers.iter().map(|it| it.name().to_string()).collect();
    lesson.read(|state| {
        teachers.extend(state.teachers_elsewhere(lesson.origin()).map(ToString::to_string));
    });
    all.retain(|user, _| !teachers.contains(user));
    all
}

/// The public rooms; those that are open on other servers only are opened.
fn public(chat: &Chat<'_>) -> Vec<Arc<Room>> {
    let mut rooms = chat.rooms.public();
    let Some(others) = chat.elsewhere else { return rooms };
    let is_here = |rooms: &[Arc<Room>], name: &str| rooms.iter().any(|room| *room.name == *name);
    for finding in others.ask(&Inquiry::Rooms, None).findings {
        let Finding::Rooms(listed) = finding else { continue };
        for room in listed.iter().filter_map(|it| RoomName::parse(&it.room).ok()) {
            // One that has ended has passed its attendance to the lesson.
            if !is_here(&rooms, room.as_str())
                && let Ok(Some(room)) = chat.rooms.reach(&Destination::Public(room))
                && !is_here(&rooms, &room.name)
            {
                rooms.push(room);
            }
        }
    }
    rooms
}

/// The same, with what each person did.
fn attendees(chat: &Chat<'_>) -> Vec<Attendee<'static>> {
    let (attended, now) = (attended(chat), clock::now());
    let marks = chat.rooms.lesson.read(|state| state.marks());
    let attendees = attended.into_iter().map(|(user, attended)| {
        let Marks { hands, polls } = marks.get(&user).copied().unwrap_or_default();
        Attendee {
            user: user.into(),
            here: attended.is_here,
            first: attended.first,
            last: if attended.is_here { now } else { attended.last },
            minutes: attended.millis_in_all(now) / 60_000,
            lines: attended.lines,
            hands,
            polls,
        }
    });
    attendees.collect()
}

/// Who is on the class list and has not come, under that name or one that differs only in case.
fn missing<'a>(roster: &'a [String], people: &[Attendee<'_>]) -> Vec<&'a str> {
    let came: HashSet<String> = people.iter().map(|attendee| compared(&attendee.user)).collect();
    let names = roster.iter().map(String::as_str);
    names.filter(|name| !came.contains(&compared(name))).collect()
}

/// A name in the form in which names are compared: a class list may have blanks in it.
fn compared(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).collect();
    match UserName::parse(&name) {
        Ok(name) => format!("{:?}", name.spelling()),
        Err(_) => name,
    }
}
