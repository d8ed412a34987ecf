//! A new session: claims its name and enters its first room.

use std::sync::Arc;

use madang_protocol::{
    name::{NameError, UserName},
    notice::{Goodbye, Notice},
    room::Destination,
};

use super::{Connection, login::Choice};
use crate::{
    admission::connection_table::owner_of,
    clock,
    close_reason::CloseReason,
    commands::{
        lesson,
        rooms::{check_destination, check_public, make_private, open_words},
    },
    room::refusal::Refusal,
    room::{Coming, Greeting},
    session::{Quiet, Session},
    transport::Pieces,
};

/// What a login asks for.
pub(super) struct NewLogin {
    /// The name; empty to get a guest name.
    pub(super) name: String,
    pub(super) place: FirstRoom,
    /// Whether joining and leaving are not announced.
    pub(super) quiet: Option<Quiet>,
    /// How much history to show, in events.
    pub(super) shown: usize,
    /// The token of the previous session, for which the name may still be reserved.
    pub(super) previous: Option<String>,
    /// The nonce for its `ack`.
    pub(super) nonce: Option<String>,
}

/// Where a new user goes.
pub(super) enum FirstRoom {
    Lobby,
    Room(Destination),
    /// A private room to be created, with this topic, which may be empty.
    NewRoom {
        topic: String,
    },
}

/// A new session that has not entered its first room.
pub(crate) struct Entrance {
    session: Arc<Session>,
    /// The first room; `None` is the lobby.
    destination: Option<Destination>,
    shown: usize,
    nonce: Option<String>,
}

impl FirstRoom {
    pub(super) fn of(destination: Destination) -> FirstRoom {
        match destination {
            Destination::Public(name) if name.is_lobby() => FirstRoom::Lobby,
            destination => FirstRoom::Room(destination),
        }
    }
}

impl Connection {
    /// Claims a name, or a guest name if it is empty. The user is told about a refusal and may
    /// try again.
    pub(super) fn claim(
        &mut self,
        login: NewLogin,
        tries_left: &mut u32,
    ) -> Result<Option<Box<Entrance>>, CloseReason> {
        let NewLogin { name, place, quiet, shown, previous, nonce: request } = login;
        let nonce = request.as_deref();
        let number = self.admission.number;
        let room = match &place {
            FirstRoom::NewRoom { topic } => topic,
            FirstRoom::Room(Destination::Public(name)) => name.as_str(),
            FirstRoom::Lobby | FirstRoom::Room(_) => "",
        };
        if self.gives_away_code(&name, nonce) || self.gives_away_code(room, nonce) {
            self.prompt();
            return Ok(None);
        }
        let place = match self.check_place(place, quiet) {
            Ok(place) => place,
            Err(notice) => {
                self.notice(&notice, nonce);
                self.hint(&Notice::RoomFirst);
                self.prompt();
                return Ok(None);
            }
        };
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
            if self.shared.users.teachers.reserve(&user) {
                let notice = Notice::NameRefused(&NameError::Reserved);
                self.refuse_login(&notice, nonce, tries_left)?;
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
            // Checked again: a ban in between could not find the session. Only now, because a
            // user kicked under this name has left by now.
            if let Err(notice) = self.check_name(&user, &place) {
                self.shared.users.end(&session);
                self.refuse_login(&notice, nonce, tries_left)?;
                return Ok(None);
            }
            session
        } else {
            let session = self.shared.users.claim_guest(self.lang, token, number, now);
            if let Err(notice) = self.check_name(&session.name(), &place) {
                self.shared.users.end(&session);
                self.notice_and_prompt(&notice, nonce);
                return Ok(None);
            }
            session
        };
        let destination = match self.make_way(&session, place) {
            Ok(destination) => destination,
            Err(notice) => {
                // The name becomes free again: nobody has seen it.
                self.shared.users.end(&session);
                self.notice_and_prompt(&notice, nonce);
                return Ok(None);
            }
        };
        let present = self.shared.users.present();
        self.shared.console.joined(&session.name(), self.address, present);
        session.change_lang(self.lang);
        session.set_quiet(quiet);
        self.session = Some(session.clone());
        Ok(Some(Box::new(Entrance { session, destination, shown, nonce: request })))
    }

    /// Whether a user without a name could go there, and where that is: words lead to the room that
    /// they open.
    fn check_place(
        &self,
        place: FirstRoom,
        quiet: Option<Quiet>,
    ) -> Result<FirstRoom, Notice<'static>> {
        match place {
            FirstRoom::Room(wanted) => {
                check_public(quiet, &wanted)?;
                let chat = self.shared.chat();
                let there = open_words(&chat, Some(owner_of(self.address)), wanted)?;
                check_destination(&chat, &there, None)?;
                Ok(FirstRoom::Room(there))
            }
            FirstRoom::NewRoom { .. } if quiet.is_some() => Err(Notice::PublicOnly),
            FirstRoom::Lobby | FirstRoom::NewRoom { .. } => Ok(place),
        }
    }

    /// Whether a new session may have this name: it is not banned, and was not kicked from the
    /// lobby or the room it wants to enter.
    fn check_name(&self, name: &UserName, place: &FirstRoom) -> Result<(), Notice<'static>> {
        if self.shared.bans.bans_name(name) {
            return Err(Notice::NameBanned);
        }
        self.shared.rooms.lobby.status().admits(0, Some(name)).map_err(Refusal::notice)?;
        match place {
            FirstRoom::Room(wanted) => {
                check_destination(&self.shared.chat(), wanted, Some(name)).map(|_| ())
            }
            FirstRoom::Lobby | FirstRoom::NewRoom { .. } => Ok(()),
        }
    }

    /// The first room of a new session, created if necessary; `None` is the lobby.
    fn make_way(
        &self,
        session: &Arc<Session>,
        place: FirstRoom,
    ) -> Result<Option<Destination>, Notice<'static>> {
        match place {
            FirstRoom::Lobby => Ok(None),
            FirstRoom::Room(destination) => Ok(Some(destination)),
            FirstRoom::NewRoom { topic } => {
                let address = self.admission.counted();
                let room = make_private(&self.shared.chat(), address, session, &topic)?;
                Ok(room.key.map(Destination::Private))
            }
        }
    }

    /// Enters the first room of a new session.
    pub(crate) fn go_in(&mut self, entrance: &Entrance) -> Result<(), CloseReason> {
        let Entrance { session, destination, shown, nonce } = entrance;
        let nonce = nonce.as_deref();
        self.choice = Choice::Open;
        if !matches!(destination, Some(Destination::Private(_))) {
            lesson::return_to_lesson(&self.shared.chat(), session);
        }
        // Peers that treat each read as one message get no history.
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
        self.shared.note_session(session, self.room.as_deref());
        self.ack(nonce);
        Ok(())
    }
}

/// The token of a new session: 128 random bits in hexadecimal.
fn new_token() -> Result<String, CloseReason> {
    let mut bits = [0; 16];
    if let Err(error) = getrandom::fill(&mut bits) {
        tracing::error!(%error, "failed to draw a token");
        return Err(CloseReason::Told(Goodbye::Internal));
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}
