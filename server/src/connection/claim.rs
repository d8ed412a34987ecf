//! A new session: claims its name and enters its first room.

use std::{net::IpAddr, sync::Arc};

use madang_protocol::{
    name::{NameError, UserName},
    notice::{Goodbye, LessonNotice, Notice},
    room::{Destination, RoomName},
    text::Lang,
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
    session::{Quiet, Session, user_manager::NameRefusal},
    shared::{Admission, Shared},
    transport::Pieces,
};

/// What a login asks for.
pub(crate) struct NewLogin {
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
pub(crate) enum FirstRoom {
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

/// Somebody at the login, without a name.
pub(crate) struct Newcomer<'a> {
    shared: &'a Shared,
    admission: &'a Admission,
    address: IpAddr,
    lang: Lang,
}

/// Why somebody gets no name or no room.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NotClaimed {
    /// It is no name, or one that is reserved.
    NoName(NameError),
    /// The name is banned, or kept out; the same is said of a guest's name.
    NameRefused(Notice<'static>),
    /// The name is in use; perhaps a similar one is free.
    NameInUse { proposal: Option<UserName> },
    /// The room, before a name was claimed.
    Room(Notice<'static>),
    /// Anything else.
    Other(Notice<'static>),
}

impl NotClaimed {
    /// The notice for it.
    pub(crate) fn notice(&self) -> Notice<'_> {
        match self {
            NotClaimed::NoName(error) => Notice::NameRefused(error),
            NotClaimed::NameInUse { proposal } => {
                Notice::NameInUse { proposal: proposal.as_ref().map(UserName::as_str) }
            }
            NotClaimed::NameRefused(notice)
            | NotClaimed::Room(notice)
            | NotClaimed::Other(notice) => *notice,
        }
    }
}

impl<'a> Newcomer<'a> {
    /// A peer at this connection, who comes from `address`.
    pub(super) fn new(
        shared: &'a Shared,
        admission: &'a Admission,
        address: IpAddr,
        lang: Lang,
    ) -> Newcomer<'a> {
        Newcomer { shared, admission, address, lang }
    }

    /// Claims a name, or a guest name if it is empty, with a `token` for programs. The operator
    /// is told. Returns the session, and its first room; `None` is the lobby.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn claim(
        &self,
        login: NewLogin,
        token: Option<String>,
    ) -> Result<(Arc<Session>, Option<Destination>), NotClaimed> {
        let NewLogin { name, place, quiet, previous, .. } = login;
        let shared = self.shared;
        let room = match &place {
            FirstRoom::NewRoom { topic } => topic,
            FirstRoom::Room(Destination::Public(name)) => name.as_str(),
            FirstRoom::Lobby | FirstRoom::Room(_) => "",
        };
        if [&*name, room].iter().any(|text| shared.users.teachers.gives_away(text)) {
            return Err(NotClaimed::Other(Notice::Lesson(LessonNotice::CodeInText)));
        }
        let place = self.check_place(place, quiet).map_err(NotClaimed::Room)?;
        let (number, now) = (self.admission.number, clock::now());
        let user = match UserName::parse(&name) {
            Ok(user) => Some(user),
            Err(NameError::Empty) => None,
            Err(error) => return Err(NotClaimed::NoName(error)),
        };
        let session = if let Some(user) = user {
            if shared.bans.bans_name(&user) {
                return Err(NotClaimed::NameRefused(Notice::NameBanned));
            }
            if shared.users.teachers.reserve(&user) {
                return Err(NotClaimed::NoName(NameError::Reserved));
            }
            let claim = || shared.users.claim(&user, token.clone(), number, now);
            let claimed = claim().or_else(|taken| {
                let Some(previous) = &previous else { return Err(taken) };
                // It may be another server's.
                let _wanted = shared.bring_session(previous, 0);
                shared.end_away(previous, &user).then(claim).unwrap_or(Err(taken))
            });
            let session = claimed.map_err(|refusal| match refusal {
                NameRefusal::InUse => match self.check_name(&user, &place) {
                    Ok(()) => {
                        NotClaimed::NameInUse { proposal: shared.users.free_name_like(&user) }
                    }
                    // Even once whoever was kicked has left, perhaps another server.
                    Err(notice) => NotClaimed::NameRefused(notice),
                },
                NameRefusal::Unavailable => NotClaimed::Other(Notice::Unavailable),
            })?;
            // Checked again: a ban in between could not find the session. Only now, because a
            // user kicked under this name has left by now.
            if let Err(notice) = self.check_name(&user, &place) {
                shared.users.end(&session);
                return Err(NotClaimed::NameRefused(notice));
            }
            session
        } else {
            let guest = shared.users.claim_guest(self.lang, token, number, now);
            let session = guest.map_err(|_| NotClaimed::Other(Notice::Unavailable))?;
            if let Err(notice) = self.check_name(&session.name(), &place) {
                shared.users.end(&session);
                return Err(NotClaimed::Other(notice));
            }
            session
        };
        let destination = match self.make_way(&session, place) {
            Ok(destination) => destination,
            Err(notice) => {
                // The name becomes free again: nobody has seen it.
                shared.users.end(&session);
                return Err(NotClaimed::Other(notice));
            }
        };
        shared.console.joined(&session.name(), self.address, shared.users.present());
        session.change_lang(self.lang);
        session.set_quiet(quiet);
        Ok((session, destination))
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
}

impl Connection {
    /// This connection's peer, before it has a name.
    pub(super) fn newcomer(&self) -> Newcomer<'_> {
        Newcomer::new(&self.shared, &self.admission, self.address, self.lang)
    }

    /// Claims a name, or a guest name if it is empty. The user is told about a refusal and may
    /// try again.
    pub(super) fn claim(
        &mut self,
        login: NewLogin,
        tries_left: &mut u32,
    ) -> Result<Option<Box<Entrance>>, CloseReason> {
        let token = if self.dialect.is_for_programs() { Some(new_token()?) } else { None };
        let (shown, request) = (login.shown, login.nonce.clone());
        let nonce = request.as_deref();
        match self.newcomer().claim(login, token) {
            Ok((session, destination)) => {
                self.session = Some(session.clone());
                return Ok(Some(Box::new(Entrance {
                    session,
                    destination,
                    shown,
                    nonce: request,
                })));
            }
            Err(refused @ (NotClaimed::NoName(_) | NotClaimed::NameRefused(_))) => {
                self.refuse_login(&refused.notice(), nonce, tries_left)?;
            }
            Err(NotClaimed::Room(notice)) => {
                self.notice(&notice, nonce);
                self.hint(&Notice::RoomFirst);
                self.prompt();
            }
            Err(refused) => self.notice_and_prompt(&refused.notice(), nonce),
        }
        Ok(None)
    }

    /// Enters the first room of a new session.
    pub(crate) fn go_in(&mut self, entrance: &Entrance) -> Result<(), CloseReason> {
        let Entrance { session, destination, shown, nonce } = entrance;
        let nonce = nonce.as_deref();
        self.choice = Choice::Open;
        let lobby = || Destination::Public(RoomName::lobby());
        // Before its client is told the token.
        self.shared.keep_new_session(session, destination.as_ref().unwrap_or(&lobby()));
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
                if nonce.is_some() {
                    // The welcome comes before the ack.
                    lobby.settle_log();
                }
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
pub(super) fn new_token() -> Result<String, CloseReason> {
    let mut bits = [0; 16];
    if let Err(error) = getrandom::fill(&mut bits) {
        tracing::error!(%error, "failed to draw a token");
        return Err(CloseReason::Told(Goodbye::Internal));
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}
