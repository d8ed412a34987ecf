//! A member of a cluster's room: it talks on the server where it belongs, and goes to the other
//! while there is none. Whatever it is sent goes into the ledger.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{
    ledger::{Happening, Ledger, Outcome},
    places::{Places, SERVERS},
};
use crate::{
    connection::{Connection, Input, Message},
    member::{self, says},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most lines without an answer.
const WINDOW: usize = 16;

/// The wait before another try to log in.
const PAUSE: Duration = Duration::from_millis(20);

/// A member, for as long as the run lasts.
pub(super) struct ClusterMember<'a> {
    pub(super) number: usize,
    pub(super) room: usize,
    pub(super) room_name: &'static str,
    /// The server where it belongs.
    pub(super) home: usize,
    /// The time from one of its lines to the next.
    pub(super) pace: Duration,
    pub(super) places: &'a Places,
    pub(super) ledger: &'a Ledger,
    /// The longest time that it was without a server, or without its name.
    pub(super) longest_absence: Duration,
}

/// A member that is connected.
struct Presence {
    connection: Connection,
    server: usize,
    session: String,
    /// The last id that it was sent.
    last: u64,
    unacked: BTreeMap<u32, Instant>,
    /// Whether it has asked to be let go, to go home.
    is_leaving: bool,
}

impl ClusterMember<'_> {
    /// Talks until the run is over.
    pub(super) fn talk(&mut self) -> Result<()> {
        let outcome = self.live();
        if outcome.is_err() {
            self.places.fail();
        }
        outcome.with_context(|| format!("member s{}", self.number))
    }

    fn live(&mut self) -> Result<()> {
        let mut before: Option<Presence> = None;
        let (mut next, mut due, mut is_silent) = (0, Instant::now(), false);
        loop {
            let began = Instant::now();
            let mut here = self.come(before.take())?;
            self.longest_absence = self.longest_absence.max(began.elapsed());
            self.places.note_home(self.number, here.server == self.home);
            loop {
                ensure!(!self.places.has_failed(), "given up, because something else has failed");
                if self.places.is_over() && here.unacked.is_empty() && !here.is_leaving {
                    if !std::mem::replace(&mut is_silent, true) {
                        self.places.fall_silent();
                    }
                    if self.places.is_silent() && here.last >= self.ledger.lock().last(self.room) {
                        return Ok(());
                    }
                }
                if !self.places.is_over() && !here.is_leaving {
                    if here.server != self.home && self.places.address(self.home).is_some() {
                        here.is_leaving = here.unacked.is_empty();
                        if here.is_leaving {
                            here.connection.send("{\"type\":\"command\",\"line\":\"/quit\"}\n");
                        }
                    } else if Instant::now() >= due && here.unacked.len() < WINDOW {
                        due = Instant::now() + self.pace;
                        here.unacked.insert(next, due);
                        // If the connection has ended, it is sent again on the next one.
                        here.connection.send(&says(next..next + 1));
                        next += 1;
                    }
                }
                let stuck = here.unacked.values().next().filter(|since| since.elapsed() > PATIENCE);
                ensure!(stuck.is_none(), "{:?} without an answer", here.unacked.keys());
                match here.connection.read()? {
                    Input::Some => self.take_lines(&mut here)?,
                    Input::Nothing => {}
                    Input::End => break,
                }
            }
            self.places.note_home(self.number, false);
            self.ledger.lock().counts.ends += 1;
            before = Some(here).filter(|here| !here.is_leaving);
        }
    }

    /// Logs in: at home, or else on another server; with the session of before, or else anew.
    fn come(&mut self, mut before: Option<Presence>) -> Result<Presence> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            ensure!(!self.places.has_failed(), "given up, because something else has failed");
            ensure!(Instant::now() < deadline, "nobody lets it in for {PATIENCE:?}");
            let mut servers = (0..SERVERS).map(|at| (self.home + at) % SERVERS);
            let found = servers.find_map(|at| Some((at, self.places.address(at)?)));
            let opened = found.map(|(server, address)| (server, Connection::open(address)));
            let Some((server, Ok(mut connection))) = opened else {
                thread::sleep(PAUSE);
                continue;
            };
            let mut login = json!({"type": "login", "room": self.room_name, "history": 0});
            match &before {
                Some(Presence { session, last, .. }) => {
                    login["session"] = session.clone().into();
                    (login["last"], login["last_private"]) = ((*last).into(), 0.into());
                }
                None => login["name"] = format!("s{}", self.number).into(),
            }
            connection.send(&format!("{login}\n"));
            let answer = answer_to_login(&mut connection)?;
            match answer["code"].as_str().or(answer["type"].as_str()).unwrap_or_default() {
                "welcome" => {
                    return self.begin(connection, server, before, &answer);
                }
                // The session is over: what became of its last lines is not known.
                "session_unknown" => {
                    let lost = before.take().map_or(0, |before| before.unacked.len());
                    self.ledger.lock().counts.unanswered += lost as u64;
                }
                "name_taken" | "unavailable" | "bye" | "session_in_use" => thread::sleep(PAUSE),
                code => bail!("refused with {code:?}: {answer}"),
            }
        }
    }

    fn begin(
        &mut self,
        mut connection: Connection,
        server: usize,
        before: Option<Presence>,
        welcome: &Value,
    ) -> Result<Presence> {
        let session = welcome["session"].as_str().context("a welcome without a session")?;
        let id = welcome["id"].as_u64().context("a welcome without an id")?;
        let mut known = self.ledger.lock();
        let (last, mut unacked) = match before {
            Some(Presence { last, unacked, .. }) if welcome["resumed"] == true => {
                known.counts.resumed += 1;
                known.counts.repeats += unacked.len() as u64;
                connection.send(&says(unacked.keys().copied()));
                (last, unacked)
            }
            _ => {
                known.counts.logins += 1;
                // Its own join is the first event that follows.
                (id - 1, BTreeMap::new())
            }
        };
        unacked.values_mut().for_each(|since| *since = Instant::now());
        let session = session.to_owned();
        Ok(Presence { connection, server, session, last, unacked, is_leaving: false })
    }

    fn take_lines(&self, here: &mut Presence) -> Result<()> {
        let mut known = self.ledger.lock();
        while let Some(line) = here.connection.line() {
            let message = serde_json::from_slice::<Message<'_>>(line)
                .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(line)))?;
            let nonce = || message.nonce.as_deref()?.strip_prefix('n')?.parse::<u32>().ok();
            let somebody = || message.user.as_deref()?.strip_prefix('s')?.parse::<usize>().ok();
            let happening = match &*message.kind {
                "said" => {
                    let said = member::speaker(message.user.as_deref(), message.text.as_deref());
                    said.map(|(speaker, number)| Happening::Said { speaker, number })
                }
                "joined" => somebody().map(Happening::Joined),
                "left" => somebody().map(Happening::Left),
                "announced" => Some(Happening::Restored),
                "ack" => {
                    let Some(number) = nonce() else { continue };
                    let id = message.id.context("an ack without an id")?;
                    known.settle(self.number, number, Outcome::Acked(id));
                    here.unacked.remove(&number);
                    self.places.count_ack(self.number);
                    continue;
                }
                "error" if message.code.as_deref() == Some("unavailable") => {
                    let number = nonce().context("refused without a nonce")?;
                    known.settle(self.number, number, Outcome::Refused);
                    here.unacked.remove(&number);
                    continue;
                }
                "gap" => {
                    known.counts.gaps += 1;
                    here.last = here.last.max(message.last_missing().unwrap_or(0));
                    continue;
                }
                "error" => bail!("refused: {}", String::from_utf8_lossy(line)),
                _ if message.id.is_none() => continue,
                _ => None,
            };
            let happening = happening
                .with_context(|| format!("unexpected: {}", String::from_utf8_lossy(line)))?;
            let id = message.id.context("an event without an id")?;
            if here.last + 1 != id {
                known.note_hole(self.room, self.number, here.last, id);
            }
            here.last = id;
            known.hear(self.room, id, happening);
        }
        Ok(())
    }
}

/// The welcome, an error, or a goodbye; a connection that ends is one, too.
fn answer_to_login(connection: &mut Connection) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        while let Some(line) = connection.line() {
            let Ok(message) = serde_json::from_slice::<Value>(line) else { continue };
            if matches!(message["type"].as_str(), Some("welcome" | "error" | "bye")) {
                return Ok(message);
            }
        }
        if connection.read()? == Input::End {
            return Ok(json!({"type": "bye"}));
        }
    }
    bail!("no answer to a login within {PATIENCE:?}")
}
