//! What a session has asked its server and what is not answered yet: in order, so many
//! at once, and only where it was written for.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, never};
use madang_protocol::{command::Input, event::ServerMessage, request::Request};

use super::{LOGIN, Session, written_for::WrittenFor};

/// One that has waited so long is worth a word to a person.
const LATE: Duration = Duration::from_secs(5);

/// The codes of the answer to words that were written for another room.
const ELSEWHERE: [&str; 2] = ["other_room", "no_room"];

/// The code of the answer to somebody who is where they want to go.
pub(crate) const IN_ROOM_ALREADY: &str = "in_room_already";

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its nonce.
    pub(crate) number: u64,
    pub(crate) request: Request,
    pub(super) written_for: WrittenFor,
    /// It may have arrived, on this connection or on an earlier one.
    pub(crate) was_sent: bool,
}

impl Session {
    /// Asks for what `request` makes of a nonce, as soon as it can be; its number. For
    /// what the client itself wants to know, wherever it is by then.
    pub(crate) fn ask(&mut self, request: impl FnOnce(Option<String>) -> Request) -> u64 {
        self.ask_for(WrittenFor::Anywhere, request)
    }

    /// Says something in the room where one is now.
    pub(crate) fn say(&mut self, text: String) -> u64 {
        let written_for = self.here();
        let room = written_for.room();
        self.ask_for(written_for, |nonce| Request::Say { text, room, nonce })
    }

    /// Says or commands what a person has typed.
    pub(crate) fn ask_line(&mut self, line: &str) -> u64 {
        match Input::parse(line) {
            Input::Nothing => self.say(line.to_owned()),
            Input::Text(text) => self.say(text.into_owned()),
            Input::Command(line) => {
                let written_for = WrittenFor::of_command(&line, self.here());
                let (line, room) = (line.into_owned(), written_for.room());
                self.ask_for(written_for, |nonce| Request::Command { line, room, nonce })
            }
        }
    }

    fn ask_for(
        &mut self,
        written_for: WrittenFor,
        request: impl FnOnce(Option<String>) -> Request,
    ) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let request = request(Some(number.to_string()));
        self.requests.push_back(Asked { number, request, written_for, was_sent: false });
        self.flush();
        number
    }

    /// What a line belongs to that is typed now: the room, or the one that an unanswered
    /// command leads to.
    fn here(&self) -> WrittenFor {
        let moves = self.requests.iter().rev().find(|asked| asked.moves());
        match moves {
            Some(asked) => WrittenFor::RoomAfter(asked.number),
            None => WrittenFor::Room(self.room.clone()),
        }
    }

    /// The requests that were not sent, because what they were written for is gone.
    pub(crate) fn take_returned(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.returned)
    }

    /// One has been welcomed in a room: what was written for another goes back.
    pub(super) fn return_what_is_for_elsewhere(&mut self, resumed: bool) {
        let room = self.room.as_deref();
        let (kept, returned) = self
            .requests
            .drain(..)
            .partition(|asked| asked.number == LOGIN || asked.may_go_to(room, resumed));
        self.requests = kept;
        self.returned.extend(Vec::from(returned));
        // Nothing but the login has gone out on this connection.
        self.sent = self.sent.min(self.requests.len());
    }

    /// The command with this number has led to a room, or to none: what was written for
    /// that room is for this one, or goes back.
    fn settle_move(&mut self, number: u64, succeeded: bool) {
        let room = self.room.clone();
        for asked in &mut self.requests {
            if asked.written_for == WrittenFor::RoomAfter(number) && succeeded {
                asked.go_to(room.clone());
            }
        }
        let (kept, returned) = self
            .requests
            .drain(..)
            .partition(|asked: &Asked| asked.written_for != WrittenFor::RoomAfter(number));
        self.requests = kept;
        self.returned.extend(Vec::from(returned));
    }

    /// Sends what may go out by now.
    pub(crate) fn flush(&mut self) {
        if !self.logged_in {
            return;
        }
        let Some(link) = &self.link else {
            return;
        };
        // What is typed behind a command that leads to another room waits for its answer.
        let moves = self.requests.iter().position(Asked::moves).map(|at| at + 1);
        let until = self.window.min(self.requests.len()).min(moves.unwrap_or(usize::MAX));
        if until <= self.sent {
            return;
        }
        if self.sent == 0 {
            self.waiting_since = Instant::now();
        }
        let going = self.requests.range_mut(self.sent..until);
        link.send(going.map(|asked| {
            asked.was_sent = true;
            &asked.request
        }));
        self.sent = until;
    }

    /// Which request `message` answers, if it does; it is then waited for no more,
    /// and another may go out.
    pub(crate) fn settle(&mut self, message: &ServerMessage<'_>) -> Option<Asked> {
        let number = match message {
            ServerMessage::Welcome { .. } => LOGIN,
            ServerMessage::Ack { nonce, .. } | ServerMessage::Error { nonce: Some(nonce), .. } => {
                nonce.parse().ok()?
            }
            _ => return None,
        };
        let at = self.requests.iter().position(|asked| asked.number == number)?;
        let asked = self.requests.remove(at)?;
        if at < self.sent {
            self.sent -= 1;
        }
        if asked.moves() {
            let is_there = match message {
                ServerMessage::Error { code, .. } => *code == IN_ROOM_ALREADY,
                _ => true,
            };
            self.settle_move(number, is_there);
        }
        if let ServerMessage::Error { code, .. } = message
            && matches!(asked.request, Request::Say { .. })
            && ELSEWHERE.contains(&&**code)
        {
            // It was written for a room that one is no longer in.
            self.returned.push(Asked { was_sent: false, ..asked.clone() });
        }
        self.flush();
        Some(asked)
    }

    /// Waits for the answer to request `number` no more.
    pub(crate) fn forget(&mut self, number: u64) {
        let Some(at) = self.requests.iter().position(|asked| asked.number == number) else {
            return;
        };
        self.requests.remove(at);
        if at < self.sent {
            self.sent -= 1;
        }
    }

    /// What has no answer yet, oldest first.
    pub(crate) fn unanswered(&self) -> impl ExactSizeIterator<Item = &Asked> {
        self.requests.iter()
    }

    /// Whether another request would wait here before it goes out.
    pub(crate) fn is_full(&self) -> bool {
        self.requests.len() >= self.window
    }

    /// Receives once when an answer has been late for too long.
    pub(crate) fn silence(&self) -> Receiver<Instant> {
        if self.link.is_none() || self.sent == 0 {
            never()
        } else {
            at(self.waiting_since + self.answer_timeout)
        }
    }

    /// The requests that are out, the first one first.
    pub(crate) fn out(&self) -> impl Iterator<Item = &Asked> {
        let sent = if self.link.is_some() { self.sent } else { 0 };
        self.requests.iter().take(sent)
    }

    /// From when on their answers are late: unless something comes before.
    pub(crate) fn late_at(&self) -> Instant {
        self.waiting_since + LATE
    }
}
