//! Who one is on a Madang server, across connections: the token, the place in the
//! room, and what was asked and is not answered. Shows nothing.
//!
//! What is asked goes out once on each connection, in order, under the same nonce
//! each time: a server to which the session comes back carries it out once. A request
//! goes only where it was [written for](WrittenFor); if that is gone, it comes back
//! unsent.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, at, never};
use madang_protocol::{
    command::Input,
    event::{Event, ServerMessage},
    request::Request,
};

use self::written_for::WrittenFor;
use crate::{
    connection::Incoming,
    failure::Failure,
    link::{Link, Received},
};

mod written_for;

/// One that has waited so long is worth a word to a person.
const LATE: Duration = Duration::from_secs(5);

/// How long the server may take to close after `/quit`.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The codes of the answer to words that were written for another room.
const ELSEWHERE: [&str; 2] = ["other_room", "no_room"];

/// The number of the login among the requests; all others are higher.
pub(crate) const LOGIN: u64 = 0;

/// What one wants to be and where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Empty for a guest's.
    pub(crate) name: String,
    /// As `/join` takes it; the lobby if there is none.
    pub(crate) room: Option<String>,
    /// How many events of before; as many as people are shown if there is none.
    pub(crate) history: Option<usize>,
}

/// A session, with or without a connection at the moment.
pub(crate) struct Session {
    link: Option<Link>,
    wanted: Wanted,
    /// Nothing but the login goes out before it is accepted.
    logged_in: bool,
    /// Links since the last one on which it was accepted.
    fruitless: u32,
    token: Option<String>,
    room: Option<String>,
    /// The last event of the room, and the last private one, that have come.
    last: u64,
    last_private: u64,
    /// Without an answer, oldest first; the first `sent` went out on this connection.
    requests: VecDeque<Asked>,
    sent: usize,
    /// What was not sent, since what it was written for is gone.
    returned: Vec<Asked>,
    /// Requests that may be out at once; the others wait here.
    window: usize,
    /// A request that has waited so long while nothing at all came is not answered.
    answer_timeout: Duration,
    next_number: u64,
    /// Since when an answer is late: the last sign of life, or the request.
    waiting_since: Instant,
}

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its nonce.
    pub(crate) number: u64,
    pub(crate) request: Request,
    written_for: WrittenFor,
    /// It may have arrived, on this connection or on an earlier one.
    pub(crate) was_sent: bool,
}

impl Session {
    /// A session that is about to log in.
    pub(crate) fn new(
        link: Link,
        wanted: Wanted,
        window: usize,
        answer_timeout: Duration,
    ) -> Session {
        Session {
            link: Some(link),
            wanted,
            logged_in: false,
            fruitless: 0,
            token: None,
            room: None,
            last: 0,
            last_private: 0,
            requests: VecDeque::new(),
            sent: 0,
            returned: Vec::new(),
            window,
            answer_timeout,
            next_number: LOGIN + 1,
            waiting_since: Instant::now(),
        }
    }

    /// What comes; each item is for [`take`](Self::take). Nothing without a connection.
    pub(crate) fn incoming(&self) -> Receiver<Incoming> {
        self.link.as_ref().map_or_else(never, |link| link.incoming().clone())
    }

    /// Whether there is a connection.
    pub(crate) fn is_linked(&self) -> bool {
        self.link.is_some()
    }

    /// Whether a login has ever been accepted.
    pub(crate) fn was_welcomed(&self) -> bool {
        self.token.is_some()
    }

    /// How many links were made since one was good for anything.
    pub(crate) fn fruitless_links(&self) -> u32 {
        self.fruitless
    }

    /// Reads the messages that `incoming` completes, without the events
    /// that had come before.
    ///
    /// # Errors
    ///
    /// The connection has ended, or what comes has no end.
    pub(crate) fn take(&mut self, incoming: Incoming) -> Result<Vec<Received>, Failure> {
        let Some(link) = &mut self.link else {
            return Ok(Vec::new());
        };
        let mut received = link.take(incoming)?;
        self.waiting_since = Instant::now();
        received.retain(|received| received.message.as_ref().is_none_or(|m| self.is_new(m)));
        Ok(received)
    }

    /// Notes where in the room's order one is; false for what has come before.
    fn is_new(&mut self, message: &ServerMessage<'_>) -> bool {
        match message {
            ServerMessage::Welcome { user, room, session, id, resumed, .. } => {
                self.logged_in = true;
                self.fruitless = 0;
                self.token = Some(session.clone().into_owned());
                self.wanted.name = user.clone().into_owned();
                let room = room.as_deref().map(str::to_owned);
                // Ids are compared within one room only: those of an older room are lower.
                let is_same = *resumed && self.room == room;
                self.last = match resumed {
                    // Coming back before one's own `joined` has come.
                    true if is_same => self.last.max(*id),
                    true => *id,
                    false => 0,
                };
                if !resumed {
                    self.last_private = 0;
                }
                self.room = room;
                self.return_what_is_for_elsewhere(*resumed);
                true
            }
            ServerMessage::Entered { room, .. } => {
                self.room = Some(room.clone().into_owned());
                self.last = 0;
                true
            }
            ServerMessage::Whisper { private, .. } => {
                let is_new = *private > self.last_private;
                self.last_private = self.last_private.max(*private);
                is_new
            }
            ServerMessage::Event(event) => {
                if self.room.as_deref() != Some(&*event.stamp().room) {
                    return true;
                }
                if event.id() <= self.last {
                    return false;
                }
                self.last = event.id();
                if let Event::Renamed { user, to, .. } = event
                    && **user == *self.wanted.name
                {
                    self.wanted.name = to.as_ref().to_owned();
                }
                let is_out = match event {
                    Event::Kicked { user, .. } => **user == *self.wanted.name,
                    Event::Ended { .. } => true,
                    _ => false,
                };
                if is_out {
                    self.room = None;
                }
                true
            }
            _ => true,
        }
    }

    /// The room one is in, as events name it.
    pub(crate) fn room(&self) -> Option<String> {
        self.room.clone()
    }

    /// Whether a command that leads to another room has no answer yet.
    pub(crate) fn is_moving(&self) -> bool {
        self.requests.iter().any(Asked::moves)
    }

    /// Asks for a name; an empty one asks for a guest name.
    pub(crate) fn login(&mut self, name: &str) {
        name.clone_into(&mut self.wanted.name);
        let name = (!name.is_empty()).then(|| name.to_owned());
        self.send_login(Request::Login {
            name,
            room: self.wanted.room.clone(),
            new_room: false,
            topic: None,
            history: self.wanted.history,
            session: None,
            previous: None,
            last: None,
            last_private: None,
            nonce: Some(LOGIN.to_string()),
        });
    }

    /// Where a new session would begin from now on, as `/join` takes it.
    pub(crate) fn set_room(&mut self, room: Option<String>) {
        self.wanted.room = room;
    }

    /// Whether a new session would begin elsewhere than in the lobby.
    pub(crate) fn wants_room(&self) -> bool {
        self.wanted.room.is_some()
    }

    /// The connection has ended; what was sent on it may have arrived or not.
    pub(crate) fn unlink(&mut self) {
        self.link = None;
        self.logged_in = false;
        self.sent = 0;
        self.requests.retain(|asked| asked.number != LOGIN);
    }

    /// Comes back on another connection: as the session that it was, if it was one.
    pub(crate) fn relink(&mut self, link: Link) {
        self.link = Some(link);
        self.fruitless = self.fruitless.saturating_add(1);
        let Some(token) = self.token.clone() else {
            return self.login(&self.wanted.name.clone());
        };
        self.send_login(Request::Login {
            name: None,
            room: self.room.clone(),
            new_room: false,
            topic: None,
            history: None,
            session: Some(token),
            previous: None,
            last: Some(self.last),
            last_private: Some(self.last_private),
            nonce: Some(LOGIN.to_string()),
        });
    }

    /// The server has no such session any more: begins a new one under the same name.
    /// Returns what was sent in the old one and may have been carried out or not; it
    /// is not asked again.
    pub(crate) fn begin_anew(&mut self) -> VecDeque<Asked> {
        self.token = None;
        let (sent, unsent) = self.requests.drain(..).partition(|asked: &Asked| asked.was_sent);
        self.requests = unsent;
        self.sent = 0;
        self.log_in_again();
        sent
    }

    /// Logs in anew, under the same name.
    pub(crate) fn log_in_again(&mut self) {
        self.login(&self.wanted.name.clone());
    }

    fn send_login(&mut self, request: Request) {
        self.requests.retain(|asked| asked.number != LOGIN);
        let written_for = WrittenFor::Anywhere;
        self.requests.push_front(Asked { number: LOGIN, request, written_for, was_sent: true });
        self.sent = 1;
        self.waiting_since = Instant::now();
        if let (Some(link), Some(login)) = (&self.link, self.requests.front()) {
            link.send([&login.request]);
        }
    }

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
    fn return_what_is_for_elsewhere(&mut self, resumed: bool) {
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
                ServerMessage::Error { code, .. } => *code == "in_room_already",
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

    /// Quits with `line`, and reads to the end, so that the name is free when the
    /// process ends; what still comes is for `show`. Blocks for at most
    /// [`LEAVE_TIMEOUT`].
    pub(crate) fn leave(&mut self, line: &str, mut show: impl FnMut(&Received)) {
        let Some(link) = &mut self.link else {
            return;
        };
        link.send([&Request::Command { line: line.into(), room: None, nonce: None }]);
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while let Ok(incoming) = self.incoming().recv_deadline(deadline) {
            let Ok(received) = self.take(incoming) else {
                return;
            };
            for received in received {
                if let Some(ServerMessage::Bye { .. }) = received.message {
                    return;
                }
                show(&received);
            }
            // A server that never stops is not waited for either.
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}
