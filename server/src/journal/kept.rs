//! What a starting server restores: sessions that may be resumed, rooms that were in use, and
//! the ids that must not be given again.

use std::{collections::HashMap, sync::Arc};

use madang_protocol::{
    event::{Event, Time},
    room::LOBBY,
};
use rusqlite::params;

use super::{
    row::{self, EVENT},
    stays::{Stays, Trace},
    store::{Store, each_room},
};
use crate::{
    room::lesson::{LessonFact, class::Attended},
    session::Mute,
};

/// Rooms with events this recent at the end are opened again.
const RECENT_MILLIS: i64 = 60_000;

/// How many last events of a room are kept in memory, and how many last nonces of a session.
const EVENTS: usize = 200;
const NONCES: usize = 256;

/// How many crashes are remembered.
const CRASHES: usize = 16;

/// In how many of a room's last events nonces are looked for, so as to cover the time in which
/// a program may repeat unacknowledged requests: a minute or two until a dead connection is
/// noticed, plus the time its session is kept.
const NONCE_EVENTS: usize = 100_000;
const NONCE_MILLIS: i64 = 5 * 60_000;

/// The same in a room that none of the sessions is in any more.
const OTHERS_NONCE_EVENTS: usize = 10_000;

/// The highest id of all rooms, and the latest time of an event.
const LAST: &str = "
    SELECT max((SELECT max(id) FROM event WHERE event.room = rooms.room)),
           max((SELECT time FROM event WHERE event.room = rooms.room ORDER BY id DESC LIMIT 1))
    FROM rooms";

/// What the previous server has left.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Leftover {
    /// The highest id given, as far as is known.
    pub(crate) highest: u64,
    /// Whether it stopped cleanly, so that nothing is missing.
    pub(crate) is_complete: bool,
    /// The highest known id at each of the last crashes, the lowest first: higher ids may have
    /// been given to events that are lost.
    pub(crate) crashes: Vec<u64>,
    /// When something was last saved, if ever.
    pub(crate) until: Option<Time>,
    pub(crate) sessions: Vec<KeptSession>,
    pub(crate) rooms: Vec<KeptRoom>,
    /// The changes of the running lesson.
    pub(crate) lesson: Vec<LessonFact>,
    /// The lesson's attendance; nobody is present now.
    pub(crate) attended: Vec<KeptAttended>,
}

/// A session that may be resumed.
#[derive(Debug, PartialEq)]
pub(crate) struct KeptSession {
    /// Its random number.
    pub(crate) session: u64,
    /// SHA-256 of its token.
    pub(crate) token: [u8; 32],
    pub(crate) name: Arc<str>,
    /// The number of its room; 0 for a private one.
    pub(crate) room: u64,
    /// The number of its last room before that, private ones left out; 0 if there is none.
    pub(crate) before: u64,
    /// Whether joining and leaving are not announced.
    pub(crate) quiet: bool,
    /// Whether it is a teacher's, and whether that is a projector.
    pub(crate) teacher: bool,
    pub(crate) watching: bool,
    /// Whether the operator mutes it.
    pub(crate) muted: Option<Mute>,
    /// The hashes of its last nonces with the ids they got, oldest first.
    pub(crate) nonces: Vec<(u64, u64)>,
}

/// A room that was in use.
#[derive(Debug, PartialEq)]
pub(crate) struct KeptRoom {
    /// Its number: the first id that it could give.
    pub(crate) room: u64,
    pub(crate) name: Arc<str>,
    /// Its lasting state, as JSON.
    pub(crate) state: Option<String>,
    /// Its last events.
    pub(crate) events: Vec<Event>,
    /// What could not be saved since the first of them: the first and the last id of each hole.
    pub(crate) holes: Vec<(u64, u64)>,
}

/// Somebody's attendance of a lesson in a room.
#[derive(Debug, PartialEq)]
pub(crate) struct KeptAttended {
    /// When the lesson began.
    pub(crate) lesson: Time,
    /// The room's number.
    pub(crate) room: u64,
    pub(crate) name: String,
    pub(crate) attended: Attended,
}

impl Store {
    /// Reads what the previous server has left.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn kept(&self) -> rusqlite::Result<Leftover> {
        let connection = self.connection();
        let (last_id, until) = self.last_event()?;
        let highest = self.fact::<i64>("highest")?.max(last_id).unwrap_or(0) as u64;
        let is_complete = self.fact::<i64>("stopped")?.is_some();
        let mut kept = Leftover {
            highest,
            is_complete,
            crashes: self.crashes(highest, is_complete)?,
            until: until.map(Time::from_millis),
            sessions: self.sessions()?,
            rooms: Vec::new(),
            lesson: self.lesson()?,
            attended: self.attended()?,
        };
        let mut statement = connection.prepare(
            "SELECT room, name, state FROM room WHERE ended IS NULL AND \
             (name = ?1 OR room IN (SELECT room FROM session) OR \
              (SELECT time FROM event WHERE event.room = room.room ORDER BY id DESC LIMIT 1) >= ?2) \
             ORDER BY room",
        )?;
        let recent = until.map_or(i64::MAX, |until| until - RECENT_MILLIS);
        let rooms = statement.query_map(params![LOBBY, recent], |row| {
            let name: Arc<str> = row.get_ref(1)?.as_str()?.into();
            let room = row.get::<_, i64>(0)? as u64;
            Ok(KeptRoom { room, name, state: row.get(2)?, events: Vec::new(), holes: Vec::new() })
        })?;
        for room in rooms {
            let mut room = room?;
            room.events = self.last_events(&room)?;
            room.holes = self.holes(&room)?;
            kept.rooms.push(room);
        }
        self.read_nonces(&mut kept)?;
        Ok(kept)
    }

    /// The highest id of all rooms, and the time of the event that was saved last.
    fn last_event(&self) -> rusqlite::Result<(Option<i64>, Option<i64>)> {
        let (id, latest) = self
            .connection()
            .query_row(&each_room(LAST), [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // Before a clock was set back, others may have had later times.
        Ok((id, self.fact("until")?.or(latest)))
    }

    fn crashes(&self, highest: u64, is_complete: bool) -> rusqlite::Result<Vec<u64>> {
        let saved = self.fact::<String>("crashes")?;
        // What another version may have written otherwise is skipped.
        let saved = saved.and_then(|saved| serde_json::from_str(&saved).ok());
        let mut crashes: Vec<u64> = saved.unwrap_or_default();
        let is_new = !is_complete && highest > 0 && crashes.last() != Some(&highest);
        crashes.extend(is_new.then_some(highest));
        crashes.drain(..crashes.len().saturating_sub(CRASHES));
        Ok(crashes)
    }

    fn holes(&self, room: &KeptRoom) -> rusqlite::Result<Vec<(u64, u64)>> {
        let Some(first) = room.events.first() else { return Ok(Vec::new()) };
        let mut holes = self.connection().prepare_cached(
            "SELECT first, last FROM hole WHERE room = ?1 AND last > ?2 ORDER BY first",
        )?;
        let holes = holes.query_map([room.room as i64, first.id() as i64], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
        })?;
        holes.collect()
    }

    fn sessions(&self) -> rusqlite::Result<Vec<KeptSession>> {
        let mut sessions = self.connection().prepare(
            "SELECT session, token, name, room, quiet, teacher, watching, muted, before \
             FROM session",
        )?;
        let sessions = sessions.query_map([], |row| {
            Ok(KeptSession {
                session: row.get::<_, i64>(0)? as u64,
                token: row.get(1)?,
                name: row.get_ref(2)?.as_str()?.into(),
                room: row.get::<_, i64>(3)? as u64,
                quiet: row.get(4)?,
                teacher: row.get(5)?,
                watching: row.get(6)?,
                muted: row.get::<_, Option<i64>>(7)?.map(|until| Mute {
                    until: Some(until).filter(|until| *until > 0).map(Time::from_millis),
                }),
                before: row.get::<_, i64>(8)? as u64,
                nonces: Vec::new(),
            })
        })?;
        sessions.collect()
    }

    /// Reads the last nonces of all sessions: what somebody said before moving to another room may
    /// not have been acknowledged either.
    fn read_nonces(&self, kept: &mut Leftover) -> rusqlite::Result<()> {
        let since = kept.until.map_or(i64::MAX, |until| until.as_millis() - NONCE_MILLIS);
        let numbers = kept.sessions.iter().enumerate();
        let at: HashMap<u64, usize> = numbers.map(|(at, it)| (it.session, at)).collect();
        let mut stays: Vec<Stays> = Vec::new();
        stays.resize_with(at.len(), Stays::default);
        for room in &kept.rooms {
            let is_here = |it: &KeptSession| it.room == room.room;
            let events =
                if kept.sessions.iter().any(is_here) { NONCE_EVENTS } else { OTHERS_NONCE_EVENTS };
            let mut counts = vec![0; at.len()];
            let mut statement = self.connection().prepare_cached(
                "SELECT time, session, nonce, id, kind FROM event WHERE room = ?1 ORDER BY id DESC",
            )?;
            let mut rows = statement.query([room.room as i64])?;
            let (mut lacking, mut looked_at) = (at.len(), 0);
            while lacking > 0
                && let Some(row) = rows.next()?
                && (looked_at < events || row.get::<_, i64>(0)? >= since)
            {
                looked_at += 1;
                let Some(session) = at.get(&(row.get::<_, i64>(1)? as u64)) else { continue };
                if counts[*session] == NONCES {
                    continue;
                }
                let trace = match row.get::<_, Option<i64>>(2)? {
                    Some(hash) => {
                        counts[*session] += 1;
                        lacking -= usize::from(counts[*session] == NONCES);
                        Trace::Said { hash: hash as u64, id: row.get::<_, i64>(3)? as u64 }
                    }
                    None => match row.get_ref(4)?.as_str()? {
                        "joined" => Trace::Joined,
                        "left" => Trace::Left,
                        _ => continue,
                    },
                };
                stays[*session].trace_back(room.room, row.get(0)?, trace);
            }
        }
        for (session, stays) in kept.sessions.iter_mut().zip(stays) {
            session.nonces = stays.last_nonces((session.room, session.before), NONCES);
        }
        Ok(())
    }

    /// Ends the attendance of everyone who was present when the server ended: nobody is there
    /// while it is down.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(crate) fn end_attendance(&self) -> rusqlite::Result<()> {
        let stopped = self.fact::<i64>("stopped")?;
        let Some(end) = stopped.or(self.last_event()?.1) else { return Ok(()) };
        let sql = "UPDATE attended SET millis = millis + max(0, ?1 - last), \
                   last = max(last, ?1), here = 0 WHERE here";
        self.connection().execute(sql, [end]).map(drop)
    }

    fn lesson(&self) -> rusqlite::Result<Vec<LessonFact>> {
        let mut facts = self.connection().prepare("SELECT fact FROM lesson ORDER BY number")?;
        let facts = facts.query_map([], |row| {
            // An unknown change from another version is skipped.
            Ok(serde_json::from_str(row.get_ref(0)?.as_str()?).ok())
        })?;
        facts.filter_map(Result::transpose).collect()
    }

    fn attended(&self) -> rusqlite::Result<Vec<KeptAttended>> {
        let mut attended = self
            .connection()
            .prepare("SELECT lesson, room, name, first, last, here, millis, lines FROM attended")?;
        let attended = attended.query_map([], |row| {
            let time = |column| Ok::<_, rusqlite::Error>(Time::from_millis(row.get(column)?));
            let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
            Ok(KeptAttended {
                lesson: time(0)?,
                room: number(1)?,
                name: row.get(2)?,
                attended: Attended {
                    first: time(3)?,
                    last: time(4)?,
                    is_here: row.get(5)?,
                    millis: number(6)?,
                    lines: number(7)?,
                },
            })
        })?;
        attended.collect()
    }

    fn last_events(&self, room: &KeptRoom) -> rusqlite::Result<Vec<Event>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT {EVENT} FROM event WHERE room = ?1 ORDER BY id DESC LIMIT ?2"
        ))?;
        let values = params![room.room as i64, EVENTS as i64];
        let events = statement.query_map(values, |row| row::event(row, &room.name))?;
        let mut events: Vec<_> = events.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        events.reverse();
        Ok(events)
    }
}
