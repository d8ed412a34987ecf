//! The way in: the greeting, the prompt, and all that may be said before one has
//! a name.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{CommandSpec, Input},
    event::ServerMessage,
    limits::SHOWN_EVENTS,
    name::{NameError, UserName},
    notice::{Goodbye, Notice},
    request::Request,
    room::{Destination, DestinationError},
};

use crate::{
    clock,
    close_reason::CloseReason,
    commands::rooms::{check_destination, make_private},
    connection::Connection,
    dialect::{DialectId, Stage},
    room::refusal::{Refusal, whole_seconds},
    room::{Coming, Greeting, Last},
    session::Session,
    session::user_manager::NotTaken,
    transport::{Line, Pieces, ReadOutcome},
};

/// How long a session may take to be let go by the connection that has it.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// Where somebody goes as soon as they have a name, as they said before.
#[derive(Debug, Default)]
pub(crate) enum Choice {
    /// They have not said.
    #[default]
    Open,
    /// There.
    Made(Destination),
    /// Nowhere: what they asked for was refused, and what they meant for it must not be
    /// said in the lobby.
    Refused,
}

/// What a login asks for.
struct NewLogin {
    /// A guest's if it is empty.
    name: String,
    place: Place,
    /// How much of what was said before is shown, in events.
    shown: usize,
    /// The token of the session for which the name may still be kept.
    previous: Option<String>,
    /// What its `ack` returns.
    nonce: Option<String>,
}

/// Where somebody new goes.
enum Place {
    Lobby,
    Room(Destination),
    /// A private room that is made for it, with that topic or an empty one.
    NewRoom {
        topic: String,
    },
}

/// Who has just got a name, and has yet to go in: later, when the stack that the name
/// took is free again for whoever pumps.
pub(crate) struct Entrance {
    session: Arc<Session>,
    /// The first room; none is the lobby.
    destination: Option<Destination>,
    shown: usize,
    nonce: Option<String>,
}

impl Place {
    fn of(destination: Destination) -> Place {
        match destination {
            Destination::Public(name) if name.is_lobby() => Place::Lobby,
            destination => Place::Room(destination),
        }
    }
}

impl Connection {
    /// Says who speaks, and asks for a name, in one write.
    #[inline(never)]
    pub(crate) fn greet(&mut self) {
        let mut answer = self.answer();
        answer.greeting(self.shared.config.motd.as_deref());
        self.send(answer);
    }

    /// Asks for a name until one was claimed, or a session was come back to; only the
    /// latter needs no entrance.
    #[inline(never)]
    pub(crate) fn log_in(&mut self) -> Result<Option<Box<Entrance>>, CloseReason> {
        let timeout = self.shared.config.login_timeout;
        let timed_out = CloseReason::Told(Goodbye::LoginTimeout { seconds: timeout.as_secs() });
        let deadline = Instant::now() + timeout;
        let mut hint_at = None;
        let mut tries_left = self.shared.config.login_tries;
        loop {
            while let Some(line) = self.next_line(Some((deadline, timed_out)))? {
                hint_at = None;
                let entrance = match self.take_login_line(line, &mut tries_left)? {
                    Some(login) => self.claim(*login, &mut tries_left)?,
                    None => None,
                };
                if self.session.is_some() {
                    return Ok(entrance);
                }
            }
            if let Some(end) = self.transport.peer_end() {
                return Err(end.reason());
            }
            let until = hint_at.map_or(deadline, |hint_at| deadline.min(hint_at));
            match self.read(Some(until))? {
                ReadOutcome::Unfinished if hint_at.is_none() => {
                    hint_at = Some(Instant::now() + self.shared.config.enter_hint_pause);
                }
                ReadOutcome::Unfinished | ReadOutcome::Something => {}
                ReadOutcome::TimedOut if Instant::now() >= deadline => return Err(timed_out),
                ReadOutcome::TimedOut => {
                    self.notice(&Notice::PressEnter, None);
                    hint_at = Some(deadline);
                }
            }
        }
    }

    /// Takes one line at the prompt. Returns the login that it asks for, to be claimed when
    /// the frames of its reading have left the stack: each page of that stays resident for life.
    #[inline(never)]
    fn take_login_line(
        &mut self,
        line: Line,
        tries_left: &mut u32,
    ) -> Result<Option<Box<NewLogin>>, CloseReason> {
        let line = match line.text() {
            Ok(line) => line,
            Err(notice) => {
                self.refuse_login(&notice, None, tries_left)?;
                return Ok(None);
            }
        };
        match self.dialect.parse(line, Stage::Login) {
            Ok(Some(request)) => return self.take_login_request(request),
            Ok(None) => {}
            Err(error) => self.refuse_request(error),
        }
        Ok(None)
    }

    /// Takes one request before the login.
    #[inline(never)]
    fn take_login_request(
        &mut self,
        request: Request,
    ) -> Result<Option<Box<NewLogin>>, CloseReason> {
        match request {
            Request::Login { session: Some(token), room, last, last_private, nonce, .. } => {
                let last_private = last_private.unwrap_or_default();
                self.come_back(&token, room.as_deref(), last, last_private, nonce.as_deref())?;
            }
            Request::Login {
                name,
                room,
                new_room,
                topic,
                history,
                session: None,
                previous,
                nonce,
                ..
            } => {
                let topic = topic.unwrap_or_default();
                let place = match room.as_deref().map(Destination::parse).transpose() {
                    Ok(None) if new_room => Place::NewRoom { topic },
                    Ok(Some(destination)) => Place::of(destination),
                    Ok(None) => match self.chosen_place() {
                        Some(place) => place,
                        None => {
                            self.notice_and_prompt(&Notice::RoomFirst, nonce.as_deref());
                            return Ok(None);
                        }
                    },
                    Err(DestinationError::Name(error)) => {
                        self.notice(&Notice::NameRefused(&error), nonce.as_deref());
                        return Ok(None);
                    }
                    Err(DestinationError::Key(_)) => {
                        self.notice(&Notice::BrokenLink, nonce.as_deref());
                        return Ok(None);
                    }
                };
                let shown = history.unwrap_or(SHOWN_EVENTS);
                let name = name.unwrap_or_default();
                return Ok(Some(Box::new(NewLogin { name, place, shown, previous, nonce })));
            }
            Request::Command { line, nonce, .. } => match self.dialect.chosen_by(&line) {
                Some(dialect) => self.change_dialect(dialect),
                None => {
                    self.take_early_command(&line, nonce.as_deref())?;
                    self.prompt();
                }
            },
            Request::Say { nonce, .. } | Request::History { nonce, .. } => {
                self.notice(&Notice::LoginFirst, nonce.as_deref());
            }
        }
        Ok(None)
    }

    /// Carries out a command of somebody who has no name yet. Whoever asks for a room
    /// goes there or nowhere.
    #[inline(never)]
    fn take_early_command(&mut self, line: &str, nonce: Option<&str>) -> Result<(), CloseReason> {
        let asks_for_room = match Input::parse(line) {
            Input::Command(command) => CommandSpec::of(&command),
            Input::Nothing | Input::Text(_) => CommandSpec::of(line),
        }
        .is_some_and(|spec| spec.name == "/join");
        if asks_for_room {
            self.choice = Choice::Refused;
        }
        self.take_command_line(line, nonce)?;
        if asks_for_room && matches!(self.choice, Choice::Refused) {
            self.hint(&Notice::RoomFirst);
        }
        Ok(())
    }

    /// Where a name leads that comes without a place; none is nowhere.
    fn chosen_place(&self) -> Option<Place> {
        match &self.choice {
            Choice::Open => Some(Place::Lobby),
            // Kept for the next name, if this one is refused.
            Choice::Made(destination) => Some(Place::of(destination.clone())),
            Choice::Refused => None,
        }
    }

    /// Claims a name, or a guest name if it is empty. What is refused is said, and may
    /// be tried again.
    #[inline(never)]
    fn claim(
        &mut self,
        login: NewLogin,
        tries_left: &mut u32,
    ) -> Result<Option<Box<Entrance>>, CloseReason> {
        let NewLogin { name, place, shown, previous, nonce: request } = login;
        let nonce = request.as_deref();
        let number = self.admission.number;
        if let Place::Room(wanted) = &place
            && let Err(notice) = check_destination(&self.shared.chat(), wanted, None)
        {
            self.notice(&notice, nonce);
            self.hint(&Notice::RoomFirst);
            self.prompt();
            return Ok(None);
        }
        let token = if self.dialect.is_for_programs() { Some(new_token()?) } else { None };
        let now = clock::now();
        let user = match UserName::parse(&name) {
            Ok(user) => Some(user),
            Err(NameError::Empty) => None,
            Err(error) => {
                self.refuse_login(&Notice::NameRefused(&error), nonce, tries_left)?;
                return Ok(None);
            }
        };
        let session = if let Some(user) = user {
            if self.shared.bans.bans_name(&user) {
                self.refuse_login(&Notice::NameBanned, nonce, tries_left)?;
                return Ok(None);
            }
            let claim = || self.shared.users.claim(&user, token.clone(), number, now);
            let claimed = claim().or_else(|taken| {
                let Some(previous) = &previous else { return Err(taken) };
                self.shared.end_away(previous, &user).then(claim).unwrap_or(Err(taken))
            });
            let Ok(session) = claimed else {
                let proposal = self.shared.users.free_name_like(&user);
                let proposal = proposal.as_ref().map(UserName::as_str);
                self.notice_and_prompt(&Notice::NameInUse { proposal }, nonce);
                return Ok(None);
            };
            // Again: who banned it in between could not find it. And now only: whoever
            // was kicked under this name has left.
            if let Err(notice) = self.check_name(&user, &place) {
                self.shared.users.end(&session);
                self.refuse_login(&notice, nonce, tries_left)?;
                return Ok(None);
            }
            session
        } else {
            self.shared.users.claim_guest(self.lang, token, number, now)
        };
        let destination = match self.make_way(&session, place) {
            Ok(destination) => destination,
            Err(notice) => {
                // The name is free again: nobody has seen it yet.
                self.shared.users.end(&session);
                self.notice_and_prompt(&notice, nonce);
                return Ok(None);
            }
        };
        self.shared.console.joined(&session.name(), self.shared.users.present());
        session.change_lang(self.lang);
        self.session = Some(session.clone());
        Ok(Some(Box::new(Entrance { session, destination, shown, nonce: request })))
    }

    /// Whether a new session may have this name: it is not banned, nor was it kicked from
    /// the lobby or from the room where it wants to go.
    #[inline(never)]
    fn check_name(&self, name: &UserName, place: &Place) -> Result<(), Notice<'static>> {
        if self.shared.bans.bans_name(name) {
            return Err(Notice::NameBanned);
        }
        self.shared.rooms.lobby.status().admits(0, Some(name)).map_err(Refusal::notice)?;
        match place {
            Place::Room(wanted) => {
                check_destination(&self.shared.chat(), wanted, Some(name)).map(|_| ())
            }
            Place::Lobby | Place::NewRoom { .. } => Ok(()),
        }
    }

    /// Where a new session goes, which is made if it is to be a new room; none is the
    /// lobby.
    fn make_way(
        &self,
        session: &Arc<Session>,
        place: Place,
    ) -> Result<Option<Destination>, Notice<'static>> {
        match place {
            Place::Lobby => Ok(None),
            Place::Room(destination) => Ok(Some(destination)),
            Place::NewRoom { topic } => {
                let address = self.admission.counted();
                let room = make_private(&self.shared.chat(), address, session, &topic)?;
                Ok(room.key.map(Destination::Private))
            }
        }
    }

    /// Goes to the first room of a new session.
    #[inline(never)]
    pub(crate) fn go_in(&mut self, entrance: &Entrance) -> Result<(), CloseReason> {
        let Entrance { session, destination, shown, nonce } = entrance;
        let nonce = nonce.as_deref();
        self.choice = Choice::Open;
        // Who takes what one read gives it for a message gets no history.
        let shown = if self.outbox.pieces() == Pieces::Lines { 0 } else { *shown };
        let coming = |connection: &Connection| Coming {
            session: session.clone(),
            outbox: connection.outbox.clone(),
            greeting: Greeting::Welcome,
            shown,
        };
        match destination {
            None => {
                let lobby = self.shared.rooms.lobby.clone();
                lobby.join(coming(self)).map_err(|_| CloseReason::Told(Goodbye::Shutdown))?;
                self.shared.keep_renderings(&lobby);
                self.room = Some(lobby);
            }
            Some(wanted) => match self.enter(wanted, || coming(self)) {
                Ok(room) => {
                    self.shared.keep_renderings(&room);
                    self.room = Some(room);
                }
                Err(refusal) => {
                    self.welcome_nowhere(session, false, 0);
                    self.notice(&refusal, nonce);
                    self.remark(&Notice::NoRoom, None);
                    return Ok(());
                }
            },
        }
        if nonce.is_some() {
            let mut answer = self.answer();
            answer.ack(nonce);
            self.send(answer);
        }
        Ok(())
    }

    /// Comes back to a session: takes it over from whatever connection had it, and is
    /// told what that missed.
    #[inline(never)]
    fn come_back(
        &mut self,
        token: &str,
        room: Option<&str>,
        last: Option<u64>,
        last_private: u64,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        let dismiss = |connection: u64| {
            if let Some(outbox) = self.shared.connections.outbox_of(connection) {
                self.shared.dismiss(&outbox, Goodbye::Replaced);
            }
        };
        let number = self.admission.number;
        let session = match self.shared.users.take_over(token, number, TAKE_OVER, dismiss) {
            Ok(session) => session,
            Err(NotTaken::NoSession) => {
                let left = self.shared.rooms.lobby.status().kicked_for(token);
                let kicked = left.map(|left| Refusal::kicked_for(left).notice());
                self.notice(&kicked.unwrap_or(Notice::SessionUnknown), nonce);
                return Ok(());
            }
            Err(NotTaken::Replaced) => return Err(CloseReason::Told(Goodbye::Replaced)),
        };
        self.lang = session.lang();
        self.session = Some(session.clone());
        self.room = self.shared.rooms.room_of(&session);
        if self.shared.bans.bans_name(&session.name()) {
            // It was banned while nobody held it.
            return Err(CloseReason::Told(Goodbye::Banned));
        }
        let kicks = self.shared.rooms.lobby.status().access.kicks;
        if let Some(left) = kicks.left_for_session(session.number, clock::now())
            && self.room.is_none()
        {
            // It was kicked while nobody held it.
            let goodbye = Goodbye::Kicked { seconds: whole_seconds(left) };
            return Err(CloseReason::Told(goodbye));
        }
        let resumed = self.room.as_ref().is_some_and(|current| {
            let coming = Coming {
                session: session.clone(),
                outbox: self.outbox.clone(),
                greeting: Greeting::Welcome,
                shown: 0,
            };
            // An id belongs to the room that the client was in.
            let event = last.filter(|_| room == Some(&*current.name));
            current.resume(coming, Last { event, private: last_private }).is_ok()
        });
        if let Some(room) = self.room.as_ref().filter(|_| resumed) {
            self.shared.keep_renderings(room);
        }
        if !resumed {
            self.room = None;
            self.welcome_nowhere(&session, true, last_private);
            self.remark(&Notice::NoRoom, None);
        }
        self.shared.console.resumed(&session.name(), number);
        if nonce.is_some() {
            let mut answer = self.answer();
            answer.ack(nonce);
            self.send(answer);
        }
        Ok(())
    }

    /// Welcomes who is in no room.
    fn welcome_nowhere(&self, session: &Session, resumed: bool, last_private: u64) {
        let mut answer = self.answer();
        answer.message(&ServerMessage::Welcome {
            user: session.name().as_str().into(),
            room: None,
            session: session.token.as_deref().unwrap_or_default().into(),
            id: 0,
            members: 0,
            topic: None,
            owner: None,
            locked: false,
            limit: None,
            resumed,
            removed: session.removal().map(Box::new),
        });
        session.attach(self.outbox.clone(), answer.into_bytes(), last_private);
    }

    /// Refuses what is no name, and asks again, but not for ever.
    fn refuse_login(
        &mut self,
        notice: &Notice<'_>,
        nonce: Option<&str>,
        tries_left: &mut u32,
    ) -> Result<(), CloseReason> {
        *tries_left = tries_left.saturating_sub(1);
        if *tries_left == 0 {
            self.notice(notice, nonce);
            return Err(CloseReason::Told(Goodbye::LoginTries));
        }
        self.notice_and_prompt(notice, nonce);
        Ok(())
    }

    /// Goes on in another dialect.
    fn change_dialect(&mut self, dialect: DialectId) {
        self.dialect = dialect;
        self.transport.become_program();
        self.change_form();
        let mut answer = self.answer();
        answer.end_prompt();
        answer.greeting(None);
        self.send(answer);
    }

    /// Sends a notice, and the prompt again where there is one, in one write.
    fn notice_and_prompt(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        self.shared.metrics.refused.count_notice(notice);
        let mut answer = self.answer();
        answer.notice_to(notice, nonce);
        answer.prompt();
        self.send(answer);
    }

    fn prompt(&self) {
        let mut answer = self.answer();
        answer.prompt();
        self.send(answer);
    }
}

/// A new session's token: 128 random bits in hexadecimal.
fn new_token() -> Result<String, CloseReason> {
    let mut bits = [0; 16];
    if let Err(error) = getrandom::fill(&mut bits) {
        tracing::error!(%error, "failed to draw a token");
        return Err(CloseReason::Told(Goodbye::Internal));
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}
