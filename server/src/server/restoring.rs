//! What a starting server restores from disk: event ids, sessions that may be resumed, and the
//! rooms in use.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use madang_protocol::{
    event::{Event, GapReason, LessonEvent, LessonState as Told, Time},
    name::UserName,
    room::RoomName,
};

use crate::{
    clock,
    commands::chat::Services as _,
    expiry::Due,
    journal::kept::{KeptAttended, KeptRoom, KeptSession, Leftover},
    room::{
        Awaited, Beginning, By, LostIds, Muter, Op, Room,
        lesson::{Asker, Lesson, LessonOp, class::Attended, state::LessonState, timer_dues},
        recorder::Recorder,
    },
    session::{
        Quiet, Session,
        nonces::{Nonces, Noted},
        token::{Token, TokenHash},
    },
    shared::Shared,
};

/// The lesson, restored if one was running.
pub(super) fn lesson(kept: &Leftover, recorder: Arc<dyn Recorder>) -> Lesson {
    let state = LessonState::replay(&kept.lesson);
    let is_opened = |room: u64| kept.rooms.iter().any(|opened| opened.room == room);
    let rooms: BTreeSet<u64> = kept.attended.iter().map(|attended| attended.room).collect();
    let others = rooms.into_iter().filter(|room| !is_opened(*room));
    let attended = others.map(|room| attendance(kept, state.since(), room)).collect();
    Lesson::resumed(state, attended, recorder)
}

/// The attendance, in one room, of the lesson that began at `since`.
fn attendance(kept: &Leftover, since: Option<Time>, room: u64) -> BTreeMap<String, Attended> {
    let of_room = |it: &&KeptAttended| Some(it.lesson) == since && it.room == room;
    let attended = kept.attended.iter().filter(of_room);
    attended.map(|it| (it.name.clone(), it.attended.clone())).collect()
}

/// The initial state of the lobby, restored if there was one.
pub(super) fn lobby(kept: &Leftover, lesson: &Lesson) -> Beginning {
    let lobby = kept.rooms.iter().find(|room| is_lobby(room));
    lobby.map(|room| beginning(room, kept, lesson)).unwrap_or_else(|| {
        // Nothing was ever said there, but members of private rooms come back to it.
        let here = kept.sessions.iter().filter(|session| session.room == 0);
        let away = here.filter_map(awaited).collect();
        Beginning { class: lesson.class(), away, ..Beginning::default() }
    })
}

fn is_lobby(room: &KeptRoom) -> bool {
    RoomName::parse(&room.name).is_ok_and(|name| name.is_lobby())
}

/// The initial state of a restored room.
fn beginning(room: &KeptRoom, kept: &Leftover, lesson: &Lesson) -> Beginning {
    let is_here =
        |session: &&KeptSession| session.room == room.room || (session.room == 0 && is_lobby(room));
    let here = kept.sessions.iter().filter(is_here);
    let class = lesson.class();
    let attendance = attendance(kept, class.since(), room.room);
    let class = class.resumed(began(room, lesson), attendance);
    Beginning {
        opened: room.room,
        lasting: room.state.clone(),
        away: here.filter_map(awaited).collect(),
        events: room.events.clone(),
        class,
        lost: lost(room, kept),
        ..Beginning::default()
    }
}

/// A member who may come back.
fn awaited(kept: &KeptSession) -> Option<Awaited> {
    let noted = kept.nonces.iter().map(|(hash, id)| Noted { hash: *hash, id: *id });
    Some(Awaited {
        session: kept.session,
        user: UserName::parse(&kept.name).ok()?,
        was_elsewhere: kept.room == 0,
        quiet: quiet(kept),
        muted: kept.muted,
        nonces: Nonces::from(noted.collect::<Vec<_>>()),
    })
}

/// The ids, among those of the restored events and after them, of events that are lost.
fn lost(room: &KeptRoom, kept: &Leftover) -> Vec<LostIds> {
    let ids = || room.events.iter().map(Event::id);
    let by_crash = kept.crashes.iter().filter_map(|highest| {
        let before = ids().rev().find(|id| id <= highest);
        let next = ids().find(|id| id > highest);
        let after = match (before, next) {
            (Some(before), _) => before,
            // All restored events are later than this crash.
            (None, Some(_)) => return None,
            (None, None) => room.room,
        };
        // After a crash before the last one, there are events, unless it was not in use then.
        let is_last = !kept.is_complete && kept.crashes.last() == Some(highest);
        (next.is_some() || is_last).then_some(LostIds {
            first: after + 1,
            last: next.map(|next| next - 1),
            reason: Some(GapReason::Restart),
        })
    });
    let by_disk = room.holes.iter().map(|(first, last)| LostIds {
        first: *first,
        last: Some(*last),
        reason: None,
    });
    let mut lost: Vec<LostIds> = by_crash.chain(by_disk).collect();
    lost.sort_by_key(|lost| lost.first);
    lost
}

/// The id of the event that announced the lesson; 0 if all remembered events are later.
fn began(room: &KeptRoom, lesson: &Lesson) -> u64 {
    let since = lesson.class().since();
    let told = room.events.iter().rev().find_map(|event| {
        let Event::Lesson(event) = event else { return None };
        match &**event {
            LessonEvent::Lesson { stamp, state: Told::Begun, .. } => Some(stamp),
            _ => None,
        }
    });
    told.filter(|stamp| Some(stamp.time) >= since).map_or(0, |stamp| stamp.id)
}

/// Whether a session is quiet. Whether it may speak as well is decided when it resumes.
fn quiet(session: &KeptSession) -> Option<Quiet> {
    session.quiet.then_some(Quiet::ReadOnly)
}

impl Shared {
    /// Restores rooms and sessions; the lobby already has its restored state.
    pub(super) fn restore(&self, kept: Leftover) {
        let mut rooms: HashMap<u64, Arc<Room>> = HashMap::new();
        let mut mutes = Vec::new();
        for room in &kept.rooms {
            let beginning = beginning(room, &kept, &self.rooms.lesson);
            mutes.push((room.room, beginning.timed_mutes()));
            if is_lobby(room) {
                rooms.insert(room.room, self.rooms.lobby.clone());
            } else if let Ok(name) = RoomName::parse(&room.name)
                && let Ok(made) = self.rooms.restore(&name, beginning)
            {
                rooms.insert(room.room, made);
            }
        }
        for room in rooms.values() {
            // No members are present to be notified.
            let _ = room.act_now(By::Time, Op::Restarted);
        }
        let held: BTreeSet<u64> = kept.sessions.iter().map(|session| session.session).collect();
        let mut sessions = HashMap::new();
        for session in kept.sessions {
            // If its room was private, it is in the lobby now.
            let known = rooms.get(&session.room);
            let room = known.unwrap_or(&self.rooms.lobby);
            let Some(restored) = self.restore_session(session, room) else { continue };
            if known.is_none() {
                // The next start has to know where it said what comes now.
                self.note_session(&restored, Some(room));
            }
            sessions.insert(restored.number, restored);
        }
        for room in rooms.values() {
            self.end_when_empty(room);
        }
        for (room, mutes) in mutes {
            if let Some(room) = rooms.get(&room) {
                self.end_mutes(room, mutes, &sessions);
            }
        }
        self.restore_lesson(held);
    }

    /// Has the mutes end that a room's owner gave before the restart, each when it is due.
    fn end_mutes(
        &self,
        room: &Arc<Room>,
        mutes: Vec<(u64, Time)>,
        sessions: &HashMap<u64, Arc<Session>>,
    ) {
        for (session, until) in mutes {
            if let Some(session) = sessions.get(&session) {
                self.end_mute_at(instant(until), until, room, (session.number, Muter::Owner));
            }
        }
    }

    /// Continues the lesson, if one was running: cancels its open poll, keeps the hands of
    /// people without a session for a while, and schedules its timer.
    fn restore_lesson(&self, held: BTreeSet<u64>) {
        let lesson = &self.rooms.lesson;
        if !lesson.is_running() {
            return;
        }
        // Refused only without a lesson.
        let _ = lesson.act(&Asker::time(), LessonOp::Restart { held }, || self.rooms.public());
        let come_back_by = Instant::now() + self.config.resume_window;
        self.timekeeper.schedule(come_back_by, Due::MissingAreGone);
        self.resume_timer();
    }

    /// Schedules what a running timer of the lesson has still to tell.
    pub(crate) fn resume_timer(&self) {
        let lesson = &self.rooms.lesson;
        if let Some((until, set_for)) = lesson.read(|state| state.timer()) {
            let (now, at) = (clock::now(), Instant::now());
            let left = until.since(now);
            for (after, state) in timer_dues(set_for.as_secs()) {
                // The last minute may have been announced before the restart.
                let before_end = set_for - after;
                if before_end.is_zero() || before_end < left {
                    self.tell_timer_at(at + left.saturating_sub(before_end), until, state);
                }
            }
        }
    }

    fn restore_session(&self, kept: KeptSession, room: &Room) -> Option<Arc<Session>> {
        let quiet = quiet(&kept);
        let KeptSession { session, token, name, teacher, watching, muted, .. } = kept;
        let name = UserName::parse(&name).ok()?;
        let token = Some(Token::known_by(TokenHash(token)));
        let restored = Session::new(session, name, token, clock::now());
        restored.set_quiet(quiet);
        restored.enter(room.number);
        let (restored, since) = self.users.restore(restored)?;
        if teacher {
            self.users.teachers.make(&restored);
        }
        if watching {
            restored.watch(true);
        }
        if let Some(mute) = muted {
            restored.mute(mute);
            if let Some(until) = mute.until {
                self.end_operators_mute_at(instant(until), until, &restored);
            }
        }
        let due = Due::Session(Arc::downgrade(&restored), since);
        self.timekeeper.schedule(Instant::now() + self.config.resume_window, due);
        Some(restored)
    }
}

/// When it will be `time`; now, if that is past.
fn instant(time: Time) -> Instant {
    let now = Instant::now();
    now.checked_add(time.since(clock::now())).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use madang_protocol::event::Stamp;

    use super::*;

    /// What is lost of a room with these events and holes, as first and last id; `*` is a crash.
    #[track_caller]
    fn check(events: &[u64], holes: &[(u64, u64)], crashes: &[u64], complete: bool, wanted: &str) {
        let event = |id: &u64| {
            let stamp = Stamp { id: *id, time: Time::from_millis(0), room: "lobby".into() };
            Event::Joined { stamp, user: "bob".into(), stream: false }
        };
        let events = events.iter().map(event).collect();
        let holes = holes.to_vec();
        let room = KeptRoom { room: 5, name: "lobby".into(), state: None, events, holes };
        let kept =
            Leftover { crashes: crashes.to_vec(), is_complete: complete, ..Leftover::default() };
        let lost = lost(&room, &kept).into_iter().map(|LostIds { first, last, reason }| {
            let last = last.map_or("on".to_owned(), |last| last.to_string());
            format!("{first}-{last}{}", if reason.is_some() { "*" } else { "" })
        });
        assert_eq!(lost.collect::<Vec<_>>().join(" "), wanted);
    }

    #[test]
    fn lost_events_are_known_from_every_crash_and_every_hole() {
        check(&[10, 11], &[], &[], true, "");
        check(&[10, 11], &[], &[11], false, "12-on*");
        // The server has been stopped in good order since.
        check(&[10, 11, 90, 91], &[], &[11], true, "12-89*");
        check(&[10, 11, 90, 91], &[], &[20, 95], false, "12-89* 92-on*");
        // All that is in memory is later.
        check(&[90, 91], &[], &[11], true, "");
        // Nothing was said here since, and nothing before.
        check(&[10, 11], &[], &[15], true, "");
        check(&[], &[], &[4], false, "6-on*");
        check(&[10, 20, 90], &[(11, 19)], &[30], true, "11-19 21-89*");
    }
}
