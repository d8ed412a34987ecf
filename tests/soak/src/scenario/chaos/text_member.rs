//! A member without JSON: by lines, telnet, packets, or WebSocket without a subprotocol. It has
//! no session that outlives its connection, so it never says a line twice.

use std::time::{Duration, Instant};

use anyhow::Result;
use madang_protocol::{notice::Notice, text::Lang};

use super::{
    crowd::{Calm, Habits, STUCK, Visit},
    diary::{self, Diary, Sight},
    door::Door,
    link::Link,
    mishap::{Mishap, draw_mishap, wait_of},
    site::{Open, PUBLIC, Place, ROOMS, Site},
};
use crate::{connection::Input, random::Random};

/// What telnet begins with: IAC WILL ECHO.
const NEGOTIATION: [u8; 3] = [255, 251, 1];

/// How the prompt for a name ends.
const PROMPT: &str = "ID:";

/// How long the login may take.
const LOGIN: Duration = Duration::from_secs(60);

/// A member without JSON.
pub(crate) struct TextMember {
    number: usize,
    door: Door,
    habits: Habits,
    random: Random,
    /// How many names it has had: each login takes a new one.
    names: u32,
    /// The number of its next line.
    next: u32,
    calm: Calm,
    pub(crate) diary: Diary,
}

/// What it does on one connection.
struct Talk {
    /// The last of its lines that it has not heard yet, and since when it waits.
    awaited: Option<(u32, Instant)>,
    says_at: Instant,
    mishap_at: Instant,
    /// How many lines of a flood are left.
    flood: u32,
    drips: bool,
    /// Whether it is about to leave, and whether it has said so.
    quits: bool,
    has_quit: bool,
}

impl Talk {
    fn begin(says_at: Instant, mishap_at: Instant) -> Talk {
        Talk {
            awaited: None,
            says_at,
            mishap_at,
            flood: 0,
            drips: false,
            quits: false,
            has_quit: false,
        }
    }
}

impl TextMember {
    pub(crate) fn new(number: usize, door: Door, habits: Habits, random: Random) -> TextMember {
        let (calm, diary) = (Calm::default(), Diary::default());
        TextMember { number, door, habits, random, names: 0, next: 0, calm, diary }
    }

    /// One connection, from the greeting to its end.
    ///
    /// # Errors
    ///
    /// Why it could not log in or go on. A server that ends is no fault.
    pub(crate) fn visit(&mut self, site: &Site, open: &Open) -> Result<Visit> {
        if site.is_over() {
            self.calm.tell(site);
            return Ok(Visit::Done);
        }
        let drawn = self.random.between(0, ROOMS as u64 - 1) as usize;
        let (target, room) = match site.place(drawn, false) {
            Place::Private { key, room } => (format!("#{key}"), room),
            Place::Public(name) => (name.to_owned(), site.room(name)),
            Place::Vacant => (PUBLIC[0].to_owned(), 0),
        };
        let small_buffer = self.random.between(0, 2) == 0;
        let mut link = Link::open(self.door, open, small_buffer)?;
        self.diary.sights.push(Sight::Connected { epoch: open.epoch });
        link.wait_for_prompt(PROMPT)?;
        if self.door == Door::Telnet {
            link.write(&NEGOTIATION);
        }
        if target != PUBLIC[0] {
            link.send(&format!("/join {target}"));
            link.wait_for_prompt(PROMPT)?;
        }
        self.names += 1;
        let name = format!("m{}.{}", self.number, self.names);
        link.send(&name);
        if !self.is_let_in(&mut link, &name)? {
            // If the room was private, it has probably ended.
            site.vacate(room);
            return Ok(Visit::Ended);
        }
        self.diary.logins += 1;
        self.diary.sights.push(Sight::Entered { room, after: None });
        site.note(self.number, Some((name.clone(), room)));
        self.converse(site, open.epoch, link, name, room)
    }

    /// Waits until its joining is announced. What comes before is history.
    fn is_let_in(&self, link: &mut Link, name: &str) -> Result<bool> {
        let joined = format!("[{name}] joined.");
        let deadline = Instant::now() + LOGIN;
        loop {
            while let Some(line) = link.line() {
                if line == joined {
                    return Ok(true);
                }
                if line.ends_with(PROMPT) {
                    return Ok(false);
                }
            }
            // The prompt again is a refusal: the room has ended meanwhile.
            let is_over = link.is_at(PROMPT) || Instant::now() >= deadline;
            if is_over || link.read()? == Input::End {
                return Ok(false);
            }
        }
    }

    fn converse(
        &mut self,
        site: &Site,
        epoch: u32,
        mut link: Link,
        mut name: String,
        room: usize,
    ) -> Result<Visit> {
        let now = Instant::now();
        let says_at = now + wait_of(&mut self.random, self.habits.pace);
        let mishap_at = now + wait_of(&mut self.random, self.habits.mishaps);
        let mut talk = Talk::begin(says_at, mishap_at);
        let in_no_room = Notice::NoRoom.text(Lang::En);
        loop {
            while let Some(line) = link.line() {
                if line == in_no_room {
                    // It was removed, or its room has ended.
                    self.diary.kicked += 1;
                    site.vacate(room);
                    return Ok(Visit::Ended);
                }
                self.take(&line, &mut talk);
            }
            if site.is_over() && talk.awaited.is_none() {
                self.calm.tell(site);
                if site.is_closed() {
                    link.send("/quit");
                    return Ok(Visit::Done);
                }
            }
            self.speak(site, &mut link, &mut talk);
            let now = Instant::now();
            if now >= talk.mishap_at && !site.is_over() {
                talk.mishap_at = now + wait_of(&mut self.random, self.habits.mishaps);
                self.diary.mishaps += 1;
                match draw_mishap(&mut self.random, self.door) {
                    Mishap::Reset => {
                        link.reset();
                        return Ok(Visit::Ended);
                    }
                    Mishap::Cut => return Ok(Visit::Ended),
                    Mishap::Quit => talk.quits = true,
                    Mishap::HalfClose => link.finish(),
                    Mishap::Stall(time) => {
                        // It reads nothing.
                        site.wait_for_end(time);
                        talk.awaited = talk.awaited.map(|(line, _)| (line, Instant::now()));
                    }
                    Mishap::Drip => talk.drips = true,
                    Mishap::Flood(lines) => talk.flood = lines,
                    Mishap::Rename if self.door != Door::Packets => {
                        self.names += 1;
                        name = format!("m{}.{}", self.number, self.names);
                        link.send(&format!("/nick {name}"));
                        site.note(self.number, Some((name.clone(), room)));
                        self.diary.renamed += 1;
                    }
                    Mishap::Rename | Mishap::Move | Mishap::Kick | Mishap::EndRoom => {}
                }
            }
            if let Some((line, since)) = talk.awaited
                && since.elapsed() > STUCK
                && !site.is_long_gone(epoch)
            {
                self.diary
                    .stuck
                    .push(format!("{name} ({}) never heard its line {line}", self.door));
                return Ok(Visit::Ended);
            }
            if link.read()? == Input::End || site.is_long_gone(epoch) {
                return Ok(Visit::Ended);
            }
        }
    }

    fn take(&mut self, line: &str, talk: &mut Talk) {
        if let Some((speaker, number)) = diary::spoken(line) {
            self.diary.sights.push(Sight::Heard((speaker, number)));
            let is_awaited = talk.awaited.is_some_and(|(awaited, _)| number >= awaited);
            if speaker as usize == self.number && is_awaited {
                talk.awaited = None;
            }
        } else if line.starts_with("-- ") && line.ends_with(" skipped --") {
            self.diary.sights.push(Sight::Skipped);
            // What it waits for may be among them.
            talk.awaited = None;
        }
    }

    /// Sends what is due. A read of a packet peer is a message, and a server that was halted reads
    /// all that has come at once. So a packet is sent only when the last one was answered.
    fn speak(&mut self, site: &Site, link: &mut Link, talk: &mut Talk) {
        let by_packet = self.door == Door::Packets;
        if talk.quits && !(by_packet && talk.awaited.is_some()) {
            (talk.quits, talk.has_quit) = (false, true);
            link.send("/quit");
        }
        let is_due = Instant::now() >= talk.says_at || talk.flood > 0;
        let is_free = talk.awaited.is_none() && !(by_packet && talk.has_quit);
        if !is_due || !is_free || site.is_over() {
            return;
        }
        let most = if by_packet { 1 } else { 50 };
        let count = talk.flood.clamp(1, most);
        talk.flood -= talk.flood.min(count);
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        for number in numbers {
            let line = diary::written((self.number as u32, number));
            // If the connection has ended, the read will tell.
            let _ = match std::mem::take(&mut talk.drips) {
                true => link.drip(&line),
                false => link.send(&line),
            };
        }
        talk.awaited = Some((self.next - 1, Instant::now()));
        talk.says_at = Instant::now() + wait_of(&mut self.random, self.habits.pace);
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener, sync::Arc};

    use madang_tests::Authority;

    use super::*;
    use crate::server::Addresses;

    /// What a server reads at once that was halted while a member sent this.
    fn read_at_once(door: Door, send: impl FnOnce(&mut Link)) -> String {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let lines = server.local_addr().expect("an address");
        let addresses = Addresses { lines, web: None, tls: None };
        let authority = Arc::new(Authority::new());
        let open = Open { epoch: 0, addresses, is_encrypted: false, authority };
        let mut link = Link::open(door, &open, false).expect("a connection");
        let (mut peer, _) = server.accept().expect("a connection");
        send(&mut link);
        link.finish();
        let mut read = String::new();
        peer.read_to_string(&mut read).expect("text");
        read
    }

    #[test]
    fn packets_that_might_be_read_as_one_are_not_sent() {
        let site = Site::new(1, String::new());
        let habits = Habits { pace: Duration::ZERO, mishaps: Duration::ZERO };
        let now = Instant::now();
        let [first, second] = [0, 1].map(|number| diary::written((0, number)));
        for (door, at_first, when_heard) in [
            (Door::Packets, first.clone(), "/quit".to_owned()),
            (Door::Lines, format!("{first}\n/quit\n"), format!("{second}\n")),
        ] {
            let mut member = TextMember::new(0, door, habits, Random::new(7));
            let mut talk = Talk::begin(now, now);
            let read = read_at_once(door, |link| {
                member.speak(&site, link, &mut talk);
                talk.quits = true;
                member.speak(&site, link, &mut talk);
            });
            assert_eq!(read, at_first, "{door}");
            let read = read_at_once(door, |link| {
                member.take(&format!("[m0.1] {first}"), &mut talk);
                member.speak(&site, link, &mut talk);
                member.speak(&site, link, &mut talk);
            });
            assert_eq!(read, when_heard, "{door}");
        }
    }
}
