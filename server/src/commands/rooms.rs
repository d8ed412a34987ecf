//! Commands about rooms: going to one, making one, asking about one.

use std::{sync::Arc, time::Instant};

use madang_protocol::{
    event::ServerMessage,
    limits::{SHOWN_EVENTS, TOPIC_BYTES},
    name::UserName,
    notice::Notice,
    room::{Destination, RoomName},
    sanitize::sanitize_message,
};

use super::one_line;
use crate::{
    commands::invite,
    connection::{Connection, login::Choice},
    room::directory::NotMade,
    room::refusal::Refusal,
    room::{Action, By, Coming, Greeting, Question, Room},
    session::Session,
};

/// How many events `/history` shows without a number.
pub(super) const HISTORY_EVENTS: usize = 50;

/// How often a room that has just ended is looked for again.
const TRIES: usize = 3;

impl Connection {
    /// Who has no name yet chooses the room for when they have one.
    pub(super) fn choose_room(&mut self, destination: Destination, nonce: Option<&str>) {
        match self.check_destination(&destination, None) {
            Ok(room) => {
                self.answer_with(&Notice::RoomChosen { room: &room }, nonce);
                self.choice = Choice::Made(destination);
            }
            Err(notice) => self.notice(&notice, nonce),
        }
    }

    /// Whether somebody who is new could go there, under this name if it has one
    /// already: the room's name, or why not.
    pub(crate) fn check_destination(
        &self,
        destination: &Destination,
        name: Option<&UserName>,
    ) -> Result<Arc<str>, Notice<'static>> {
        match (self.shared.rooms.find(destination), destination) {
            (Some(room), _) => {
                room.status().admits(0, name).map_err(Refusal::notice)?;
                Ok(room.name.clone())
            }
            (None, Destination::Public(name)) => Ok(name.as_str().into()),
            (None, Destination::Private(_)) => Err(Notice::NoSuchRoom),
        }
    }

    /// Goes into a room, which is made if it is public and there is none, and blocks
    /// until that has happened.
    pub(crate) fn enter(
        &self,
        destination: &Destination,
        coming: impl Fn() -> Coming,
    ) -> Result<Arc<Room>, Notice<'static>> {
        for _ in 0..TRIES {
            let room = match (self.shared.rooms.find(destination), destination) {
                (Some(room), _) => room,
                (None, Destination::Public(name)) => self.make_public(name)?,
                (None, Destination::Private(_)) => return Err(Notice::NoSuchRoom),
            };
            match room.enter(coming()) {
                Ok(()) => return Ok(room),
                Err(Refusal::Ended) => {}
                Err(refusal) => return Err(refusal.notice()),
            }
        }
        Err(Notice::NoSuchRoom)
    }

    pub(super) fn join(
        &mut self,
        session: &Arc<Session>,
        destination: &Destination,
        nonce: Option<&str>,
    ) {
        let there = self.shared.rooms.find(destination);
        let current = session.room();
        let same = |room: &Arc<Room>| current.as_ref().is_some_and(|it| Arc::ptr_eq(it, room));
        if there.as_ref().is_some_and(same) {
            return self.notice(&Notice::InRoomAlready, nonce);
        }
        let there = match (there, destination) {
            (Some(room), _) => Ok(room),
            // Made before the old one is left: it may be refused.
            (None, Destination::Public(name)) => self.make_public(name),
            (None, Destination::Private(_)) => Err(Notice::NoSuchRoom),
        };
        match there.and_then(|room| check_admits(&room, session)) {
            Ok(()) => self.go_to(session, destination, nonce),
            Err(notice) => self.notice(&notice, nonce),
        }
    }

    pub(super) fn leave_room(&mut self, session: &Arc<Session>, nonce: Option<&str>) {
        let lobby = &self.shared.rooms.lobby;
        if session.room().is_some_and(|room| Arc::ptr_eq(&room, lobby)) {
            return self.notice(&Notice::InRoomAlready, nonce);
        }
        match check_admits(lobby, session) {
            Ok(()) => self.go_to(session, &Destination::Public(RoomName::lobby()), nonce),
            Err(notice) => self.notice(&notice, nonce),
        }
    }

    pub(super) fn make_room(
        &mut self,
        session: &Arc<Session>,
        topic: Option<&str>,
        nonce: Option<&str>,
    ) {
        // A title is the topic that everyone who comes is shown.
        if topic.is_some()
            && let Err(muted) = session.check_not_silenced(Instant::now())
        {
            return self.notice(&muted.notice(), nonce);
        }
        let room = match self.make_private(session, topic.unwrap_or_default()) {
            Ok(room) => room,
            Err(notice) => return self.notice(&notice, nonce),
        };
        if let Some(key) = room.key {
            self.go_to(session, &Destination::Private(key), nonce);
        }
        if self.room.as_ref().is_some_and(|current| Arc::ptr_eq(current, &room)) {
            self.hint(&Notice::RoomMade);
        }
    }

    /// Leaves the room where the session is, if it is in one, and goes to another.
    fn go_to(&mut self, session: &Arc<Session>, destination: &Destination, nonce: Option<&str>) {
        if let Some(old) = self.room.take() {
            old.leave_for_another(session.number);
            self.shared.end_when_empty(&old);
        }
        let entered = self.enter(destination, || Coming {
            session: session.clone(),
            outbox: self.outbox.clone(),
            greeting: Greeting::Entered { nonce: nonce.map(str::to_owned) },
            shown: SHOWN_EVENTS,
        });
        match entered {
            Ok(room) => {
                self.shared.keep_renderings(&room);
                self.room = Some(room);
                self.done(nonce);
            }
            Err(notice) => {
                self.notice(&notice, nonce);
                self.remark(&Notice::NoRoom, None);
            }
        }
    }

    /// Makes a private room that `session` owns, for it to go there; a topic may be
    /// empty.
    pub(crate) fn make_private(
        &self,
        session: &Arc<Session>,
        topic: &str,
    ) -> Result<Arc<Room>, Notice<'static>> {
        let topic = Some(read_topic(topic)?).filter(|topic| !topic.is_empty());
        self.allow_room()?;
        let room = self.shared.rooms.make_private(session.number, topic).map_err(not_made)?;
        self.shared.end_when_empty(&room);
        session.own(Arc::downgrade(&room));
        Ok(room)
    }

    fn make_public(&self, name: &RoomName) -> Result<Arc<Room>, Notice<'static>> {
        self.allow_room()?;
        let room = self.shared.rooms.make_public(name).map_err(not_made)?;
        self.shared.end_when_empty(&room);
        Ok(room)
    }

    fn allow_room(&self) -> Result<(), Notice<'static>> {
        let Some(address) = self.admission.counted() else { return Ok(()) };
        let taken = self.shared.room_allowance.take(address, Instant::now());
        taken.map_err(|wait| Notice::RoomsTooFast { seconds: wait.as_secs() + 1 })
    }

    pub(super) fn who(
        &mut self,
        room: Option<&RoomName>,
        after: Option<&UserName>,
        nonce: Option<&str>,
    ) {
        let after = match after.map(|name| self.shared.users.find(name)) {
            Some(None) => return self.notice(&Notice::Nobody, nonce),
            Some(Some(session)) => Some(session.number),
            None => None,
        };
        let Some(room) = room else { return self.ask(Question::Who { after }, nonce) };
        let destination = Destination::Public(room.clone());
        match (self.shared.rooms.find(&destination), &self.session) {
            (Some(room), Some(session)) => {
                let returned = nonce.map(str::to_owned);
                let asked =
                    room.answer(session, &self.outbox, Question::WhoThere { after }, returned);
                if asked.is_err() {
                    self.notice(&Notice::NoSuchRoom, nonce);
                }
            }
            _ => self.notice(&Notice::NoSuchRoom, nonce),
        }
    }

    pub(super) fn list_rooms(&self, nonce: Option<&str>) {
        let rooms = self.shared.rooms.listed();
        let mut answer = self.answer();
        answer.rooms(&rooms, nonce);
        answer.ack(nonce);
        self.send(answer);
    }

    pub(super) fn invite(&mut self, qr: bool, nonce: Option<&str>) {
        let Some(room) = &self.room else { return self.notice(&Notice::NoRoom, nonce) };
        let came_by = self.reader.local_address();
        let invite = invite::invitation(room, came_by, &self.shared.doors, qr);
        self.ask(Question::Invite(Box::new(invite)), nonce);
    }

    pub(super) fn topic(
        &mut self,
        session: &Arc<Session>,
        topic: Option<&str>,
        nonce: Option<&str>,
    ) {
        let Some(topic) = topic else { return self.ask(Question::Topic, nonce) };
        // A hyphen alone clears it.
        let topic = if topic == "-" { "" } else { topic };
        match read_topic(topic) {
            Ok(topic) => {
                let result = self.act(session, Action::Topic(topic));
                self.settle(result, nonce);
            }
            Err(notice) => self.notice(&notice, nonce),
        }
    }

    /// Asks for what happened before the id `before`.
    pub(crate) fn ask_for_history(
        &mut self,
        before: Option<u64>,
        limit: Option<usize>,
        nonce: Option<&str>,
    ) {
        let limit = limit.unwrap_or(usize::MAX);
        self.ask(Question::History { before, limit }, nonce);
    }

    pub(super) fn ping(&mut self, token: Option<&str>, nonce: Option<&str>) {
        let token = token.map(one_line);
        if self.has_asked(Question::Ping { token: token.clone() }, nonce) {
            return;
        }
        // In no room, and in one that has ended, nothing waits to be answered before.
        let mut answer = self.answer();
        answer.message(&ServerMessage::Pong {
            token: token.map(Into::into),
            nonce: nonce.map(Into::into),
        });
        answer.ack(nonce);
        self.send(answer);
    }

    /// Has the room answer, after all that was said before.
    fn ask(&mut self, question: Question, nonce: Option<&str>) {
        if !self.has_asked(question, nonce) {
            self.notice(&Notice::NoRoom, nonce);
        }
    }

    /// Has the room answer; false if there is none that does.
    fn has_asked(&self, question: Question, nonce: Option<&str>) -> bool {
        let (Some(room), Some(session)) = (&self.room, &self.session) else { return false };
        room.answer(session, &self.outbox, question, nonce.map(str::to_owned)).is_ok()
    }

    /// Does something to the room and blocks until everyone was told.
    pub(super) fn act(&self, session: &Arc<Session>, action: Action) -> Result<(), Refusal> {
        let room = self.room.as_ref().ok_or(Refusal::NoMember)?;
        room.act(By::Member(session.clone()), action)
    }
}

/// Whether a session could come into a room, asked before it leaves another one.
fn check_admits(room: &Room, session: &Session) -> Result<(), Notice<'static>> {
    room.status().admits(session.number, Some(&session.name())).map_err(Refusal::notice)
}

/// The topic as it may be set, or what is wrong with it.
fn read_topic(topic: &str) -> Result<Arc<str>, Notice<'static>> {
    // A login brings its own, which was no command and is sanitized nowhere else.
    let topic = one_line(&sanitize_message(topic));
    if topic.len() > TOPIC_BYTES {
        return Err(Notice::TextTooLong { bytes: topic.len(), limit: TOPIC_BYTES });
    }
    Ok(topic.into())
}

fn not_made(error: NotMade) -> Notice<'static> {
    match error {
        NotMade::TooMany { limit } => Notice::TooManyRooms { limit },
        // The goodbye follows.
        NotMade::Closed => Notice::NoSuchRoom,
    }
}
