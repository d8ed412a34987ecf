//! A session on a Madang server, which outlives its connections: its token, its room and last
//! event, and the requests without an answer. It shows nothing.
//!
//! Each request is sent once per connection, in order, and under the same nonce each time, so
//! that the server carries it out only once. A request is sent only to the room or person it
//! was [written for](WrittenFor); if that is gone, it is returned unsent.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, never};
use madang_protocol::{
    event::{Event, ServerMessage},
    request::Request,
};

pub(crate) use self::requests::{Asked, IN_ROOM_ALREADY, nonce_of};
use self::{position::Position, written_for::WrittenFor};
use crate::{
    connection::Incoming,
    failure::Failure,
    link::{Link, Received},
};

mod requests;
pub(crate) mod position;
mod written_for;

/// How long the server may take to close after `/quit`.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The request number of the login. All others are higher.
pub(crate) const LOGIN: u64 = 0;

/// The name and room to log in with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Empty for a guest name.
    pub(crate) name: String,
    /// In the form that `/join` takes; the lobby if `None`.
    pub(crate) room: Option<String>,
    /// How many earlier events to send; if `None`, as many as new members are shown.
    pub(crate) history: Option<usize>,
    /// Whether to join public rooms without an announcement.
    pub(crate) quiet: bool,
}

/// A session, which may be without a connection at the moment.
pub(crate) struct Session {
    link: Option<Link>,
    wanted: Wanted,
    /// Whether the login was accepted. Before that, nothing else is sent.
    logged_in: bool,
    /// The number of links since the last accepted login.
    fruitless: u32,
    token: Option<String>,
    room: Option<String>,
    /// The last event of the room and the last private event that have arrived.
    last: Position,
    last_private: Position,
    /// Requests without an answer, oldest first. The first `sent` of them were sent on this
    /// connection.
    requests: VecDeque<Asked>,
    sent: usize,
    /// Requests that were not sent because their room or person is gone.
    returned: Vec<Asked>,
    /// How many requests may be sent without an answer; the others wait here.
    window: usize,
    /// How long an answer may take while nothing else arrives either.
    answer_timeout: Duration,
    next_number: u64,
    /// When the wait for an answer began: at the last sign of life, or at the request.
    waiting_since: Instant,
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
            last: Position::default(),
            last_private: Position::default(),
            requests: VecDeque::new(),
            sent: 0,
            returned: Vec::new(),
            window,
            answer_timeout,
            next_number: LOGIN + 1,
            waiting_since: Instant::now(),
        }
    }

    /// Incoming bytes; pass each item to [`take`](Self::take). Nothing comes without a
    /// connection.
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

    /// How many links have been made since the last accepted login.
    pub(crate) fn fruitless_links(&self) -> u32 {
        self.fruitless
    }

    /// Parses the messages that `incoming` completes, without events that had already arrived.
    ///
    /// # Errors
    ///
    /// The connection has ended, or the server sent too many bytes without a line end.
    pub(crate) fn take(&mut self, incoming: Incoming) -> Result<Vec<Received>, Failure> {
        let Some(link) = &mut self.link else {
            return Ok(Vec::new());
        };
        let mut received = link.take(incoming)?;
        self.waiting_since = Instant::now();
        received.retain(|received| received.message.as_ref().is_none_or(|m| self.is_new(m)));
        Ok(received)
    }

    /// Notes the position in the room's order. Returns false for an event that had already
    /// arrived.
    fn is_new(&mut self, message: &ServerMessage<'_>) -> bool {
        match message {
            ServerMessage::Welcome { user, room, session, id, resumed, .. } => {
                self.logged_in = true;
                self.fruitless = 0;
                self.token = Some(session.clone().into_owned());
                self.wanted.name = user.clone().into_owned();
                let room = room.as_deref().map(str::to_owned);
                // Ids can be compared only within one room; those of an older room of the same
                // name are lower.
                let is_same = *resumed && self.room == room;
                self.last = match resumed {
                    // The client came back before its own `joined` had arrived.
                    true if is_same => Position(self.last.0.max(*id)),
                    true => Position(*id),
                    // Its own `joined` is not announced.
                    false if self.wanted.quiet => Position(*id),
                    false => Position::default(),
                };
                if !resumed {
                    self.last_private = Position::default();
                }
                self.room = room;
                self.return_what_is_for_elsewhere(*resumed);
                true
            }
            ServerMessage::Entered { room, .. } => {
                self.room = Some(room.clone().into_owned());
                self.last = Position::default();
                true
            }
            ServerMessage::Whisper { private, .. } => self.last_private.advance(*private),
            ServerMessage::Event(event) => {
                if self.room.as_deref() != Some(&*event.stamp().room) {
                    return true;
                }
                if !self.last.advance(event.id()) {
                    return false;
                }
                if matches!(event, Event::Said { user, .. } if **user == *self.wanted.name) {
                    self.note_own_said();
                }
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

    /// The current room, as events name it.
    pub(crate) fn room(&self) -> Option<String> {
        self.room.clone()
    }

    /// Whether a command that leads to another room has no answer yet.
    pub(crate) fn is_moving(&self) -> bool {
        self.requests.iter().any(Asked::moves)
    }

    /// Requests a name, or a guest name if it is empty.
    pub(crate) fn login(&mut self, name: &str) {
        name.clone_into(&mut self.wanted.name);
        let name = (!name.is_empty()).then(|| name.to_owned());
        self.send_login(Request::Login {
            name,
            room: self.wanted.room.clone(),
            new_room: false,
            topic: None,
            quiet: self.wanted.quiet,
            history: self.wanted.history,
            session: None,
            previous: None,
            last: None,
            last_private: None,
            nonce: Some(LOGIN.to_string()),
        });
    }

    /// Sets the room in which a new session would begin, in the form that `/join` takes.
    pub(crate) fn set_room(&mut self, room: Option<String>) {
        self.wanted.room = room;
    }

    /// Whether a new session would begin in a room other than the lobby.
    pub(crate) fn wants_room(&self) -> bool {
        self.wanted.room.is_some()
    }

    /// Handles the end of the connection. Requests that were sent on it may or may not have
    /// arrived.
    pub(crate) fn unlink(&mut self) {
        self.link = None;
        self.logged_in = false;
        self.sent = 0;
        self.requests.retain(|asked| asked.number != LOGIN);
    }

    /// Continues on another connection, in the same session if there was one.
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
            quiet: false,
            history: None,
            session: Some(token),
            previous: None,
            // Without any, the server begins with its own `joined`: what was before it is not missed.
            last: Some(self.last.0).filter(|last| *last > 0),
            last_private: Some(self.last_private.0),
            nonce: Some(LOGIN.to_string()),
        });
    }

    /// Begins a new session under the same name, because the server has forgotten the old one.
    /// Returns the requests that were sent in the old session and may or may not have been
    /// carried out; they are not sent again.
    pub(crate) fn begin_anew(&mut self) -> VecDeque<Asked> {
        self.token = None;
        let (sent, unsent) = self.requests.drain(..).partition(|asked: &Asked| asked.was_sent);
        self.requests = unsent;
        self.sent = 0;
        self.log_in_again();
        sent
    }

    /// Logs in again under the same name.
    pub(crate) fn log_in_again(&mut self) {
        self.login(&self.wanted.name.clone());
    }

    fn send_login(&mut self, request: Request) {
        self.requests.retain(|asked| asked.number != LOGIN);
        let written_for = WrittenFor::Anywhere;
        self.requests.push_front(Asked {
            number: LOGIN,
            request,
            written_for,
            was_sent: true,
            was_said: false,
        });
        self.sent = 1;
        self.waiting_since = Instant::now();
        if let (Some(link), Some(login)) = (&self.link, self.requests.front()) {
            link.send([&login.request]);
        }
    }

    /// Quits with `line`, and reads to the end, so that the name is free when the process ends.
    /// Passes what still arrives to `show`. Blocks for at most [`LEAVE_TIMEOUT`].
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
            // A server that never stops sending must not hold the client up.
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}
