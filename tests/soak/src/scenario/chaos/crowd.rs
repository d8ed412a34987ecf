//! The members: each lives on its own thread, comes back whenever its connection has ended, and
//! goes when the run is over.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    diary::Diary, door::Door, json_member::JsonMember, site::Site, text_member::TextMember,
};
use crate::random::Random;

/// How long a member that reads waits for the answer to a line before that counts as a fault.
pub(crate) const STUCK: Duration = Duration::from_secs(60);

/// How long a member waits for a server.
const WITHOUT_SERVER: Duration = Duration::from_secs(120);

/// How often members do what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Between two things that a member says, on average.
    pub(crate) pace: Duration,
    /// Between two mishaps of a member, on average.
    pub(crate) mishaps: Duration,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// The member comes back.
    Ended,
    /// The run is over for it.
    Done,
}

enum Kind {
    Text(Box<TextMember>),
    Json(Box<JsonMember>),
}

/// The number of the member that is the teacher.
pub(crate) const TEACHER: usize = 1;

/// Lives as a member until the run is over; returns its diary.
pub(crate) fn live(number: usize, site: &Site, habits: Habits, mut random: Random) -> Diary {
    let door = Door::of(number);
    let own = Random::new(random.next());
    let mut kind = match door.speaks_json() {
        true => Kind::Json(Box::new(JsonMember::new(number, door, habits, own))),
        false => Kind::Text(Box::new(TextMember::new(number, door, habits, own))),
    };
    while let Some(open) = site.server(Instant::now() + WITHOUT_SERVER) {
        let visited = match &mut kind {
            Kind::Text(member) => member.visit(site, &open),
            Kind::Json(member) => member.visit(site, &open),
        };
        kind.diary().ends += 1;
        site.note(number, None);
        match visited {
            Ok(Visit::Done) => break,
            Ok(Visit::Ended) => {}
            // The server has ended meanwhile, or the run is over.
            Err(_) if site.is_closed() => break,
            Err(_) => {}
        }
        thread::sleep(Duration::from_millis(random.between(5, 400)));
    }
    match kind {
        Kind::Text(member) => member.diary,
        Kind::Json(member) => member.diary,
    }
}

impl Kind {
    fn diary(&mut self) -> &mut Diary {
        match self {
            Kind::Text(member) => &mut member.diary,
            Kind::Json(member) => &mut member.diary,
        }
    }
}

/// Tells once that a member waits for nothing any more.
#[derive(Debug, Default)]
pub(crate) struct Calm(bool);

impl Calm {
    pub(crate) fn tell(&mut self, site: &Site) {
        if !std::mem::replace(&mut self.0, true) {
            site.calm_down();
        }
    }
}
