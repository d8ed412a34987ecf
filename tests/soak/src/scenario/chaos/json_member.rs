//! A member with JSON: it resumes its session when its connection is lost, and sends again what
//! was not acknowledged.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use self::login::wait_for;
use super::{
    crowd::{Calm, Habits, STUCK, TEACHER, Visit},
    diary::{self, Ack, Diary, Sight},
    door::Door,
    link::Link,
    mishap::{Mishap, draw_mishap, wait_of},
    site::{Open, PUBLIC, Place, ROOMS, Site},
    teaching,
};
use crate::{
    connection::{Input, Message},
    random::Random,
};

mod login;
mod whispers;

/// The most lines in flight: a server remembers the last 256 nonces of a session.
const MOST_UNACKED: usize = 100;

/// How long it waits in no room before it tries again to join one.
const HOMELESS: Duration = Duration::from_secs(2);

/// A member with JSON.
pub(crate) struct JsonMember {
    number: usize,
    door: Door,
    habits: Habits,
    random: Random,
    names: u32,
    next: u32,
    /// The number of its next whisper.
    next_whisper: u32,
    session: Option<Held>,
    /// The place for the private room that it is making.
    makes: Option<usize>,
    /// What it has sent and not been told the fate of.
    unacked: VecDeque<Pending>,
    calm: Calm,
    pub(crate) diary: Diary,
}

/// A session that can be resumed.
struct Held {
    token: String,
    name: String,
    /// The index of its room, its name there, and whether the room is saved.
    room: Option<(usize, String, bool)>,
    /// The last event that it has seen there.
    last: u64,
    /// The last whisper that it has got.
    last_private: u64,
    /// The server that it began on, and whether it is on the disk.
    epoch: u32,
    is_saved: bool,
    lost_at: Instant,
    /// The place of its own private room.
    owns: Option<usize>,
    /// Whether it has ended the session: the answer may be lost with the connection.
    has_quit: bool,
}

struct Pending {
    number: u32,
    room: (usize, String, bool),
}

/// What it does on one connection.
struct Doings {
    says_at: Instant,
    mishap_at: Instant,
    /// When it does what a teacher does next, and whether it has become one.
    teaches_at: Instant,
    is_teacher: bool,
    /// Lines up to this number are said as fast as possible.
    flood_until: u32,
    drips: bool,
    /// When anything was last acknowledged, or sent after that.
    progress_at: Instant,
    joins_at: Instant,
    /// Whether the server's `bye` has ended the session.
    is_dismissed: bool,
    has_pinged: bool,
    is_up_to_date: bool,
}

impl JsonMember {
    pub(crate) fn new(number: usize, door: Door, habits: Habits, random: Random) -> JsonMember {
        JsonMember {
            number,
            door,
            habits,
            random,
            names: 0,
            next: 0,
            next_whisper: 0,
            session: None,
            makes: None,
            unacked: VecDeque::new(),
            calm: Calm::default(),
            diary: Diary::default(),
        }
    }

    /// One connection, from the greeting to its end.
    ///
    /// # Errors
    ///
    /// Why it could not log in or go on. A server that ends is no fault.
    pub(crate) fn visit(&mut self, site: &Site, open: &Open) -> Result<Visit> {
        if site.is_over() && self.unacked.is_empty() {
            self.calm.tell(site);
            return Ok(Visit::Done);
        }
        let small_buffer = self.random.between(0, 2) == 0;
        let mut link = Link::open(self.door, open, small_buffer)?;
        if !self.door.is_web() {
            link.send("/json");
        }
        self.diary.sights.push(Sight::Connected { epoch: open.epoch });
        wait_for(&mut link, |message| (message.kind == "hello").then_some(()))?;
        if !self.log_in(site, open, &mut link)? {
            return Ok(Visit::Ended);
        }
        let outcome = self.converse(site, open.epoch, &mut link);
        self.session.take_if(|held| held.has_quit);
        if let Some(held) = &mut self.session {
            held.lost_at = Instant::now();
        } else {
            self.unacked.clear();
        }
        match outcome? {
            After::Reset => {
                link.reset();
                Ok(Visit::Ended)
            }
            After::Ended => Ok(Visit::Ended),
            After::Done => Ok(Visit::Done),
        }
    }

    fn converse(&mut self, site: &Site, epoch: u32, link: &mut Link) -> Result<After> {
        let now = Instant::now();
        let mut doings = Doings {
            says_at: now + wait_of(&mut self.random, self.habits.pace),
            mishap_at: now + wait_of(&mut self.random, self.habits.mishaps),
            teaches_at: now,
            is_teacher: false,
            flood_until: 0,
            drips: false,
            progress_at: now,
            joins_at: now,
            is_dismissed: false,
            has_pinged: false,
            is_up_to_date: false,
        };
        if self.session.as_ref().is_some_and(|held| held.owns.is_some()) {
            link.send(&request("/invite", "i"));
        }
        self.diary.repeats += self.unacked.len() as u64;
        for pending in &self.unacked {
            // If the connection has ended, the read will tell; the same for all that is sent.
            let _ = link.send(&self.say(pending));
        }
        loop {
            while let Some(line) = link.line() {
                // The rest of the prompt is not JSON.
                if line.starts_with('{') {
                    self.take(site, link, &mut doings, &line)?;
                }
            }
            if doings.is_dismissed {
                link.finish();
                return Ok(After::Ended);
            }
            if site.is_over() && self.unacked.is_empty() {
                self.calm.tell(site);
                // The others have been told of their lines, too.
                if site.is_closed() && !std::mem::replace(&mut doings.has_pinged, true) {
                    link.send(&request("/ping", "end"));
                }
                if doings.is_up_to_date {
                    link.send(&request("/quit", "quit"));
                    return Ok(After::Done);
                }
            }
            self.find_a_room(site, link, &mut doings);
            self.speak(site, link, &mut doings);
            if self.number == TEACHER && !site.is_over() && Instant::now() >= doings.teaches_at {
                doings.teaches_at = Instant::now() + wait_of(&mut self.random, teaching::EVERY);
                let in_public = self.room().is_some_and(|(_, _, is_saved)| *is_saved);
                let pupil = self.room().map(|(room, ..)| *room);
                let choice = self.random.next();
                let pupil = pupil.and_then(|room| site.neighbour(self.number, room, choice));
                let code =
                    (!std::mem::replace(&mut doings.is_teacher, true)).then_some(&*site.code);
                for line in teaching::next(&mut self.random, code, pupil, in_public) {
                    link.send(&request(&line, "t"));
                }
            }
            if let Some(after) = self.suffer(site, link, &mut doings) {
                return Ok(after);
            }
            if !self.unacked.is_empty()
                && doings.progress_at.elapsed() > STUCK
                && !site.is_long_gone(epoch)
            {
                let oldest = self.unacked.pop_front().map(|pending| pending.number);
                let door = self.door;
                self.diary.stuck.push(format!("{} ({door}): no ack of {oldest:?}", self.name()));
                self.unacked.clear();
                return Ok(After::Ended);
            }
            if link.read()? == Input::End || site.is_long_gone(epoch) {
                return Ok(After::Ended);
            }
        }
    }

    fn room(&self) -> Option<&(usize, String, bool)> {
        self.session.as_ref()?.room.as_ref()
    }

    fn name(&self) -> &str {
        self.session.as_ref().map_or("", |held| &held.name)
    }

    fn say(&self, pending: &Pending) -> String {
        let Pending { number, room: (_, room, _) } = pending;
        let text = diary::written((self.number as u32, *number));
        json!({"type": "say", "text": text, "room": room, "nonce": format!("n{number}")})
            .to_string()
    }

    /// Sends as much as is due and allowed.
    fn speak(&mut self, site: &Site, link: &mut Link, doings: &mut Doings) {
        let Some(room) = self.room().cloned() else { return };
        let is_due = Instant::now() >= doings.says_at;
        if site.is_over() || (!is_due && self.next >= doings.flood_until) {
            return;
        }
        let until = doings.flood_until.max(self.next + 1);
        while self.next < until && self.unacked.len() < MOST_UNACKED {
            if self.unacked.is_empty() {
                doings.progress_at = Instant::now();
            }
            let pending = Pending { number: self.next, room: room.clone() };
            self.next += 1;
            let say = self.say(&pending);
            self.unacked.push_back(pending);
            let _ = match std::mem::take(&mut doings.drips) {
                true => link.drip(&say),
                false => link.send(&say),
            };
        }
        doings.says_at = Instant::now() + wait_of(&mut self.random, self.habits.pace);
        self.whisper(site, link, room.0);
    }

    /// Joins a room if it is in none.
    fn find_a_room(&mut self, site: &Site, link: &mut Link, doings: &mut Doings) {
        if self.room().is_none() && !site.is_over() && Instant::now() >= doings.joins_at {
            doings.joins_at = Instant::now() + HOMELESS;
            self.go_elsewhere(site, link);
        }
    }

    fn go_elsewhere(&mut self, site: &Site, link: &mut Link) {
        let drawn = self.random.between(0, ROOMS as u64 - 1) as usize;
        let line = match site.place(drawn, true) {
            Place::Public(name) => format!("/join {name}"),
            Place::Private { key, .. } => format!("/join #{key}"),
            Place::Vacant => {
                self.makes = Some(drawn);
                "/new".to_owned()
            }
        };
        link.send(&request(&line, "j"));
    }

    /// What happens to it, if it is time for that; returns how the connection ends, if it does.
    fn suffer(&mut self, site: &Site, link: &mut Link, doings: &mut Doings) -> Option<After> {
        let now = Instant::now();
        if now < doings.mishap_at || site.is_over() {
            return None;
        }
        doings.mishap_at = now + wait_of(&mut self.random, self.habits.mishaps);
        self.diary.mishaps += 1;
        match draw_mishap(&mut self.random, self.door) {
            Mishap::Reset => return Some(After::Reset),
            Mishap::Cut => return Some(After::Ended),
            Mishap::HalfClose => link.finish(),
            Mishap::Stall(time) => {
                // It reads nothing.
                site.wait_for_end(time);
                doings.progress_at = Instant::now();
            }
            Mishap::Drip => doings.drips = true,
            Mishap::Flood(lines) => doings.flood_until = self.next + lines,
            Mishap::Rename => {
                self.names += 1;
                link.send(&request(&format!("/nick m{}.{}", self.number, self.names), "r"));
            }
            // The teacher stays one, and the others' answers are waited for.
            Mishap::Quit if self.number != TEACHER && self.unacked.is_empty() => {
                link.send(&request("/quit", "q"));
                if let Some(held) = &mut self.session {
                    held.has_quit = true;
                }
            }
            Mishap::Quit => {}
            Mishap::Move => self.go_elsewhere(site, link),
            Mishap::Kick => {
                let choice = self.random.next();
                let room = self.room().map(|(room, ..)| *room);
                let neighbour = room.and_then(|room| site.neighbour(self.number, room, choice));
                if let Some(name) = neighbour {
                    // Refused to all but the owner.
                    link.send(&request(&format!("/kick {name}"), "k"));
                }
            }
            Mishap::EndRoom => {
                link.send(&request("/end", "e"));
            }
        }
        None
    }

    fn take(
        &mut self,
        site: &Site,
        link: &mut Link,
        doings: &mut Doings,
        line: &str,
    ) -> Result<()> {
        let message: Message<'_> =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        match (&*message.kind, message.id) {
            ("ack" | "error", _) => self.settle(&message, doings),
            ("bye", _) => {
                doings.is_dismissed = true;
                if matches!(message.reason.as_deref(), Some("kicked" | "quit" | "banned")) {
                    self.session = None;
                    self.unacked.clear();
                }
            }
            ("gap", _) => {
                let (from, to) = (message.from, message.last_missing());
                let (from, to) = from.zip(to).context("a gap without its ends")?;
                self.diary.sights.push(Sight::Gap { from, to });
                // Events before a gap may still come.
                if let Some(held) = self.session.as_mut().filter(|held| from <= held.last + 1) {
                    held.last = held.last.max(to);
                }
            }
            ("whisper", _) => self.hear_whisper(&message)?,
            ("private_gap", _) => self.miss_whispers(&message)?,
            ("entered", Some(id)) => self.enter(site, link, &message, id),
            ("invite", _) => {
                let held = self.session.as_mut().context("no session")?;
                if let (Some(key), Some(room), Some(place)) =
                    (&message.key, &message.room, held.owns)
                {
                    site.settle(place, key, site.room(room));
                }
            }
            ("pong", _) => {
                self.diary.sights.push(Sight::UpToDate);
                doings.is_up_to_date = true;
            }
            ("welcome", _) => bail!("a second welcome"),
            (_, Some(id)) => self.see(site, link, &message, id),
            _ => {}
        }
        Ok(())
    }

    /// Takes an answer: the fate of a line, or a refusal.
    fn settle(&mut self, message: &Message<'_>, doings: &mut Doings) {
        let number = message.nonce.as_deref().and_then(|nonce| nonce.strip_prefix('n'));
        let number = number.and_then(|number| number.parse::<u32>().ok());
        let at = number.and_then(|number| self.unacked.iter().position(|it| it.number == number));
        let Some(pending) = at.and_then(|at| self.unacked.remove(at)) else { return };
        doings.progress_at = Instant::now();
        if message.kind == "error" {
            self.diary.refused += 1;
            if message.code.as_deref() == Some("no_room")
                && let Some(held) = &mut self.session
            {
                held.room = None;
            }
            return;
        }
        let (room, _, is_saved) = pending.room;
        let is_safe = is_saved && message.durable != Some(false);
        self.diary.acks.push(Ack { room, number: pending.number, id: message.id, is_safe });
        if let Some(held) = &mut self.session {
            held.is_saved |= is_safe;
        }
    }

    fn enter(&mut self, site: &Site, link: &mut Link, message: &Message<'_>, id: u64) {
        let Some(held) = &mut self.session else { return };
        let name = message.room.as_deref().unwrap_or_default().to_owned();
        let room = site.room(&name);
        held.last = id - 1;
        held.room = Some((room, name, message.durable == Some(true)));
        self.diary.sights.push(Sight::Entered { room, after: Some(held.last) });
        site.note(self.number, Some((held.name.clone(), room)));
        held.owns = self.makes.take().filter(|_| room >= PUBLIC.len());
        if held.owns.is_some() {
            link.send(&request("/invite", "i"));
        }
    }

    /// Takes an event.
    fn see(&mut self, site: &Site, link: &mut Link, message: &Message<'_>, id: u64) {
        let Some(held) = &mut self.session else { return };
        let here = held.room.as_ref().map(|(room, name, _)| (*room, name.as_str()));
        let Some((room, _)) = here.filter(|(_, name)| message.room.as_deref() == Some(*name))
        else {
            return self.diary.sights.push(Sight::Stray { id });
        };
        self.diary.sights.push(Sight::Event { id, meaning: diary::meaning(message) });
        held.last = held.last.max(id);
        let is_me = message.user.as_deref() == Some(&*held.name);
        if message.kind == "kicked" {
            self.diary.removed.extend(message.user.as_deref().map(str::to_owned));
        }
        match &*message.kind {
            "renamed" if is_me => {
                held.name = message.new_name().unwrap_or_default().to_owned();
                self.diary.renamed += 1;
                site.note(self.number, Some((held.name.clone(), room)));
            }
            "kicked" if is_me => {
                held.room = None;
                self.diary.kicked += 1;
            }
            "ended" => {
                held.room = None;
                held.owns = None;
                self.diary.rooms_ended += u64::from(is_me);
                site.vacate(room);
            }
            "poll" if self.number != TEACHER => {
                let choice = self.number % 2 + 1;
                self.diary.votes += 1;
                link.send(&json!({"type": "vote", "choice": choice, "nonce": "v"}).to_string());
            }
            _ => {}
        }
    }
}

/// How its connection ends.
enum After {
    Reset,
    Ended,
    Done,
}

/// A command as a request.
fn request(line: &str, nonce: &str) -> String {
    json!({"type": "command", "line": line, "nonce": nonce}).to_string()
}
