//! The requests of a session that have no answer yet. They are sent in order, a limited number
//! at once, and only to the room or person they were written for.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, never};
use madang_protocol::{command::Input, event::ServerMessage, request::Request};

use super::{LOGIN, Session, written_for::WrittenFor};

/// The wait after which a person is told that an answer is late.
const LATE: Duration = Duration::from_secs(5);

/// The error codes for text that was written for another room.
const ELSEWHERE: [&str; 2] = ["other_room", "no_room"];

/// The error code for somebody who is already in the room they want to enter.
pub(crate) const IN_ROOM_ALREADY: &str = "in_room_already";

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its nonce.
    pub(crate) number: u64,
    pub(crate) request: Request,
    pub(super) written_for: WrittenFor,
    /// Whether it may have arrived, on this connection or on an earlier one.
    pub(crate) was_sent: bool,
    /// Whether its message has already appeared in the room, though it is not acknowledged.
    pub(crate) was_said: bool,
}

impl Session {
    /// Queues the request that `request` builds from a nonce, and returns its number. For
    /// questions of the client itself, whatever room it is in by then.
    pub(crate) fn ask(&mut self, request: impl FnOnce(Option<String>) -> Request) -> u64 {
        self.ask_for(WrittenFor::Anywhere, request)
    }

    /// Says something in the current room.
    pub(crate) fn say(&mut self, text: String) -> u64 {
        let written_for = self.here();
        let room = written_for.room();
        self.ask_for(written_for, |nonce| Request::Say { text, room, nonce })
    }

    /// Sends what a person has typed, as text or as a command.
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
        self.requests.push_back(Asked {
            number,
            request,
            written_for,
            was_sent: false,
            was_said: false,
        });
        self.flush();
        number
    }

    /// What a line typed now is for: the current room, or the one that an unanswered command
    /// leads to.
    fn here(&self) -> WrittenFor {
        let moves = self.requests.iter().rev().find(|asked| asked.moves());
        match moves {
            Some(asked) => WrittenFor::RoomAfter(asked.number),
            None => WrittenFor::Room(self.room.clone()),
        }
    }

    /// The requests that were not sent, because their room or person is gone.
    pub(crate) fn take_returned(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.returned)
    }

    /// Handles the arrival in a room: requests that were written for another are returned.
    pub(super) fn return_what_is_for_elsewhere(&mut self, resumed: bool) {
        let room = self.room.as_deref();
        let (kept, returned) = self
            .requests
            .drain(..)
            .partition(|asked| asked.number == LOGIN || asked.may_go_to(room, resumed));
        self.requests = kept;
        self.returned.extend(Vec::from(returned));
        // Only the login has been sent on this connection.
        self.sent = self.sent.min(self.requests.len());
    }

    /// Handles the result of a command that leads to a room: requests that were written for
    /// that room are now for it, or are returned if the command failed.
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

    /// Sends the requests that may be sent now.
    pub(crate) fn flush(&mut self) {
        if !self.logged_in {
            return;
        }
        let Some(link) = &self.link else {
            return;
        };
        // Lines typed after a command that leads to another room wait for its answer.
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

    /// The request that `message` answers, if any. It is removed, and another may be sent.
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
            // It was written for a room that the member has left.
            self.returned.push(Asked { was_sent: false, ..asked.clone() });
        }
        self.flush();
        Some(asked)
    }

    /// Stops waiting for the answer to request `number`.
    pub(crate) fn forget(&mut self, number: u64) {
        let Some(at) = self.requests.iter().position(|asked| asked.number == number) else {
            return;
        };
        self.requests.remove(at);
        if at < self.sent {
            self.sent -= 1;
        }
    }

    /// The requests without an answer, oldest first.
    pub(crate) fn unanswered(&self) -> impl ExactSizeIterator<Item = &Asked> {
        self.requests.iter()
    }

    /// The command that `message` answers before its `ack`, as it was typed.
    pub(crate) fn command_of(&self, message: &ServerMessage<'_>) -> Option<&str> {
        let number: u64 = nonce_of(message)?.parse().ok()?;
        let asked = self.requests.iter().find(|asked| asked.number == number)?;
        match &asked.request {
            Request::Command { line, .. } => Some(line),
            _ => None,
        }
    }

    /// The server has sent the user's own message: marks the oldest one that had not appeared.
    pub(super) fn note_own_said(&mut self) {
        let mut unheard = self.requests.iter_mut().filter(|asked| asked.speaks());
        if let Some(asked) = unheard.find(|asked| asked.was_sent && !asked.was_said) {
            asked.was_said = true;
        }
    }

    /// Whether a message has appeared in the room and is not acknowledged.
    pub(crate) fn has_unsaved(&self) -> bool {
        self.requests.iter().any(|asked| asked.was_said)
    }

    /// Whether another request would have to wait before it is sent.
    pub(crate) fn is_full(&self) -> bool {
        self.requests.len() >= self.window
    }

    /// A channel that receives once when an answer has been late for too long.
    pub(crate) fn silence(&self) -> Receiver<Instant> {
        if self.link.is_none() || self.sent == 0 {
            never()
        } else {
            at(self.waiting_since + self.answer_timeout)
        }
    }

    /// The requests that have been sent, oldest first.
    pub(crate) fn out(&self) -> impl Iterator<Item = &Asked> {
        let sent = if self.link.is_some() { self.sent } else { 0 };
        self.requests.iter().take(sent)
    }

    /// When their answers become late, unless something arrives before that.
    pub(crate) fn late_at(&self) -> Instant {
        self.waiting_since + LATE
    }
}

/// The nonce of `message`, if it answers a request but does not complete it.
pub(crate) fn nonce_of<'a>(message: &'a ServerMessage<'_>) -> Option<&'a str> {
    match message {
        ServerMessage::Notice { nonce, .. }
        | ServerMessage::Who { nonce, .. }
        | ServerMessage::Rooms { nonce, .. }
        | ServerMessage::Whois { nonce, .. }
        | ServerMessage::Invite { nonce, .. }
        | ServerMessage::History { nonce, .. }
        | ServerMessage::Found { nonce, .. }
        | ServerMessage::Ignored { nonce, .. }
        | ServerMessage::Entered { nonce, .. }
        | ServerMessage::Pong { nonce, .. } => nonce.as_deref(),
        _ => None,
    }
}
