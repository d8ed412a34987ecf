//! A member that behaves like a good client: it sends line after line, keeps those that are not
//! acknowledged, and when the server is gone it resumes its session and sends them again.
//! Everything it sees is recorded for the oracle.

use std::{collections::VecDeque, fmt::Write as _, net::SocketAddr, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::{
    connection::{Connection, Input, Message},
    stage::{PATIENCE, Stage},
};

/// The most lines in flight: a server remembers the last 256 nonces of a session.
const WINDOW: usize = 100;

/// Makes a line as long as a typical message.
const PADDING: &str = "that is about as long as what people say to each other";

/// Something a member has seen, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A member's line with this number.
    Said { id: u64, speaker: usize, number: u32 },
    /// Another event of the room.
    Happened { id: u64 },
    /// The server reported a gap, up to this id if it is known.
    Gap { to: Option<u64> },
    /// The server reported a restart, which may have lost unacknowledged lines.
    Lost,
    /// The server was gone, and this is the next one.
    CameBack,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was acknowledged as saved on disk.
    Promised { id: u64 },
    /// It was acknowledged, but not as saved.
    NotDurable,
}

/// Everything recorded about a member.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) seen: Vec<Seen>,
    /// By line number.
    pub(crate) fates: Vec<Option<Fate>>,
    /// How many lines were sent again.
    pub(crate) repeats: u64,
    /// Connections that ended with a goodbye, and all that ended.
    pub(crate) goodbyes: u64,
    pub(crate) ends: u64,
    /// Lines that others had received before the goodbye, and that were not acknowledged.
    pub(crate) unacked_at_goodbye: u64,
    /// Lines that got two ids.
    pub(crate) acked_twice: u64,
}

/// A member of a room.
pub(crate) struct Member {
    /// Its name is `s` and this number.
    number: usize,
    /// The index of its room in the scenario's list.
    pub(crate) room: usize,
    room_name: String,
    session: String,
    /// The last event id it has seen.
    last: u64,
    /// The number of the server it is connected to.
    server: u64,
    connection: Connection,
    unacked: VecDeque<u32>,
    next: u32,
    until: u32,
    /// The last of its own lines that came back on this connection.
    own_heard: Option<u32>,
    has_goodbye: bool,
    pub(crate) record: Record,
}

impl Member {
    /// Logs in.
    pub(crate) fn log_in(
        number: usize,
        (room, room_name): (usize, &str),
        address: SocketAddr,
    ) -> Result<Member> {
        let mut connection = Connection::open(address)?;
        let login = json!({"type": "login", "name": name(number), "room": room_name, "history": 0});
        connection.send(&format!("{login}\n"));
        let (session, last) = connection.wait_for("welcome", |message| {
            ensure_durable(message)?;
            // Its own join is the first event that follows.
            Some((message.session.as_ref()?.to_string(), message.id? - 1))
        })?;
        Ok(Member {
            number,
            room,
            room_name: room_name.into(),
            session,
            last,
            server: 1,
            connection,
            unacked: VecDeque::new(),
            next: 0,
            until: 0,
            own_heard: None,
            has_goodbye: false,
            record: Record::default(),
        })
    }

    /// Sends this many more lines, and listens until the round is over.
    pub(crate) fn talk(&mut self, stage: &Stage, lines: u32) -> Result<()> {
        self.until += lines;
        let outcome = self.take_part(stage);
        if outcome.is_err() {
            stage.fail();
        }
        outcome.with_context(|| format!("member {}", name(self.number)))
    }

    fn take_part(&mut self, stage: &Stage) -> Result<()> {
        let (mut is_silent, mut heard_at) = (false, Instant::now());
        loop {
            if !is_silent && self.unacked.is_empty() && self.next == self.until {
                is_silent = true;
                stage.fall_silent();
            }
            if is_silent && stage.goal(self.room).is_some_and(|goal| self.last >= goal) {
                return Ok(());
            }
            ensure!(!stage.has_failed(), "given up, because another has failed");
            self.speak();
            match self.connection.read()? {
                Input::Some => {
                    heard_at = Instant::now();
                    self.take_lines(stage)?;
                }
                Input::Nothing if heard_at.elapsed() < PATIENCE => {}
                Input::Nothing => {
                    bail!("heard nothing for {PATIENCE:?}; {} unacknowledged", self.unacked.len())
                }
                Input::End => {
                    self.come_back(stage)?;
                    heard_at = Instant::now();
                }
            }
        }
    }

    /// Sends as much as the window allows.
    fn speak(&mut self) {
        let first = self.next;
        while self.unacked.len() < WINDOW && self.next < self.until && !self.has_goodbye {
            self.unacked.push_back(self.next);
            self.next += 1;
        }
        if first < self.next {
            // If the connection has ended, they are sent again on the next one.
            let _ = self.connection.send(&says(first..self.next));
        }
    }

    fn come_back(&mut self, stage: &Stage) -> Result<()> {
        self.record.ends += 1;
        self.record.goodbyes += u64::from(self.has_goodbye);
        let (server, address) = stage.next_server(self.server)?;
        self.connection = Connection::open(address)?;
        (self.server, self.has_goodbye, self.own_heard) = (server, false, None);
        let login = json!({
            "type": "login", "session": self.session, "room": self.room_name, "last": self.last,
            "last_private": 0,
        });
        self.connection.send(&format!("{login}\n"));
        let is_resumed = |message: &Message<'_>| message.resumed;
        ensure!(self.connection.wait_for("welcome", is_resumed)?, "its session is gone");
        self.record.seen.push(Seen::CameBack);
        stage.arrive()?;
        self.record.repeats += self.unacked.len() as u64;
        let _ = self.connection.send(&says(self.unacked.iter().copied()));
        Ok(())
    }

    fn take_lines(&mut self, stage: &Stage) -> Result<()> {
        let (mut acks, mut last_acked) = (0, 0);
        while let Some(line) = self.connection.line() {
            let message = serde_json::from_slice::<Message<'_>>(line)
                .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(line)))?;
            match (&*message.kind, message.id) {
                ("said", Some(id)) => {
                    let (user, text) = (message.user.as_deref(), message.text.as_deref());
                    let (speaker, number) = speaker(user, text).context("another's line")?;
                    if speaker == self.number {
                        self.own_heard = Some(number);
                    }
                    self.last = self.last.max(id);
                    self.record.seen.push(Seen::Said { id, speaker, number });
                }
                ("ack", id) => {
                    let number = message.nonce.as_deref().and_then(|it| it[1..].parse().ok());
                    let fate = match message.durable {
                        Some(false) => Fate::NotDurable,
                        _ => Fate::Promised { id: id.context("an ack without an id")? },
                    };
                    acks += 1;
                    last_acked = last_acked.max(id.unwrap_or(0));
                    let number = number.context("an ack of nothing")?;
                    acknowledge(&mut self.record, &mut self.unacked, number, fate);
                }
                ("gap", _) => {
                    self.last = self.last.max(message.last_missing().unwrap_or(0));
                    let is_restart = message.reason.as_deref() == Some("restart");
                    let gap = Seen::Gap { to: message.last_missing() };
                    self.record.seen.push(if is_restart { Seen::Lost } else { gap });
                }
                ("bye", _) => {
                    let heard = |number: &&u32| self.own_heard.is_some_and(|it| **number <= it);
                    self.record.unacked_at_goodbye +=
                        self.unacked.iter().filter(heard).count() as u64;
                    self.has_goodbye = true;
                    self.connection.finish();
                    break;
                }
                ("error", _) => bail!("refused: {}", String::from_utf8_lossy(line)),
                (kind, Some(id)) => {
                    if kind == "restarted" {
                        // Lines before it were repeated; their acks are still to come.
                        self.own_heard = None;
                    }
                    self.last = self.last.max(id);
                    self.record.seen.push(Seen::Happened { id });
                }
                _ => {}
            }
        }
        stage.count_acks(self.room, acks, last_acked);
        Ok(())
    }
}

fn acknowledge(record: &mut Record, unacked: &mut VecDeque<u32>, number: u32, fate: Fate) {
    if record.fates.len() <= number as usize {
        record.fates.resize(number as usize + 1, None);
    }
    let known = record.fates[number as usize].replace(fate);
    record.acked_twice += u64::from(known.is_some_and(|known| known != fate));
    match unacked.front() {
        Some(first) if *first == number => drop(unacked.pop_front()),
        _ => unacked.retain(|it| *it != number),
    }
}

fn ensure_durable(message: &Message<'_>) -> Option<()> {
    message.durable.filter(|durable| *durable).map(drop)
}

fn name(number: usize) -> String {
    format!("s{number}")
}

/// Requests that say these lines.
pub(crate) fn says(numbers: impl Iterator<Item = u32>) -> String {
    numbers.fold(String::new(), |mut says, number| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            says,
            "{{\"type\":\"say\",\"text\":\"{number} {PADDING}\",\"nonce\":\"n{number}\"}}"
        );
        says
    })
}

/// The speaker and the number of a line.
pub(crate) fn speaker(user: Option<&str>, text: Option<&str>) -> Option<(usize, u32)> {
    let speaker = user?.strip_prefix('s')?.parse().ok()?;
    let (number, rest) = text?.split_once(' ')?;
    (rest == PADDING).then_some((speaker, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_contains_its_speaker_and_number() {
        let line: serde_json::Value = serde_json::from_str(&says(7..8)).expect("JSON");
        assert_eq!(speaker(Some("s3"), line["text"].as_str()), Some((3, 7)));
        assert_eq!(line["nonce"], "n7");
        assert_eq!(speaker(Some("s3"), Some("7 that is about")), None, "it was cut");
        assert_eq!(speaker(Some("bob"), line["text"].as_str()), None);
    }

    #[test]
    fn a_repeated_ack_changes_nothing_and_a_second_id_is_noted() {
        let (mut record, mut unacked) = (Record::default(), VecDeque::from([3, 4, 5]));
        for (id, left, twice) in [(40, vec![3, 5], 0), (40, vec![3, 5], 0), (41, vec![3, 5], 1)] {
            acknowledge(&mut record, &mut unacked, 4, Fate::Promised { id });
            assert_eq!(
                (unacked.make_contiguous(), record.acked_twice),
                (&mut left.clone()[..], twice)
            );
        }
    }
}
