//! Sessions that pass to and from other servers: what of them is kept where all servers find it,
//! how one is handed over, and how one is taken in.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use madang_protocol::{
    event::Event,
    name::UserName,
    notice::{Goodbye, Notice},
    room::Destination,
};

use super::Shared;
use crate::{
    clock,
    cluster::{
        Cluster,
        sessions::{Brought, Turn},
    },
    commands::{chat::Services as _, rooms},
    expiry::Due,
    room::{By, Op, Room, directory::NotMade, refusal::Refusal},
    session::{
        RoomHandle, Session,
        stored::StoredSession,
        user_manager::{LetGo, Taker},
    },
};

/// How long a connection may take to let go of a session that another server has.
const LETTING_GO: Duration = Duration::from_secs(5);

/// A session that a connection wants. It passes to no other server, and to no other connection
/// that brings it from there, until this is dropped; dropping blocks for a moment at most.
pub(crate) struct WantedSession<'a> {
    /// Whether a server of the cluster has one, this one by now.
    pub(crate) in_cluster: bool,
    _turn: Option<Turn<'a>>,
}

impl Shared {
    /// Keeps a new session, which is about to enter `destination`, for other servers; blocks until
    /// that is done, or a moment has passed.
    pub(crate) fn keep_new_session(&self, session: &Session, destination: &Destination) {
        let (Some(cluster), Some(token)) = (&self.cluster, &session.token) else { return };
        let stored = session.stored(vec![written(destination)], self.owned_by(session));
        cluster.sessions.keep_new(token, &stored);
    }

    /// Keeps a session for other servers that is about to leave a room for another.
    pub(crate) fn keep_moving_session(&self, session: &Session, to: &Destination) {
        let from = self.rooms.room_of(session);
        let rooms = std::iter::once(written(to)).chain(from.as_deref().map(destination_of));
        self.keep_session_in(session, rooms.collect());
    }

    /// Keeps a session for other servers as it is now.
    pub(crate) fn keep_session(&self, session: &Session, room: Option<&Room>) {
        self.keep_session_in(session, room.map(destination_of).into_iter().collect());
    }

    /// Keeps a session for other servers again, because its record may be lost. Never blocks.
    pub(super) fn keep_session_again(&self, session: &Session) {
        let (Some(cluster), Some(token)) = (&self.cluster, &session.token) else { return };
        let room = self.rooms.room_of(session);
        let rooms = room.as_deref().map(destination_of).into_iter().collect();
        cluster.sessions.keep_again(token, &session.stored(rooms, self.owned_by(session)));
    }

    fn keep_session_in(&self, session: &Session, rooms: Vec<String>) {
        let (Some(cluster), Some(token)) = (&self.cluster, &session.token) else { return };
        cluster.sessions.keep(token, &session.stored(rooms, self.owned_by(session)));
    }

    /// The private rooms that a session owns.
    fn owned_by(&self, session: &Session) -> Vec<String> {
        let rooms = session.owned().into_iter().filter_map(|number| self.rooms.numbered(number));
        rooms.map(|room| destination_of(&room)).collect()
    }

    /// `connection`, counted under `address`, releases a session, which may be resumed for a while;
    /// it is handed over if another server has asked for it. Returns since when it waits, as
    /// [`UserManager::let_go`] says.
    ///
    /// [`UserManager::let_go`]: crate::session::user_manager::UserManager::let_go
    pub(crate) fn let_go(
        &self,
        session: &Arc<Session>,
        connection: u64,
        address: Option<IpAddr>,
    ) -> Option<Instant> {
        let LetGo { since, taker } = self.users.let_go(session, connection, address)?;
        match taker {
            Some(taker) => self.hand_over(session, taker),
            None => {
                let due = Due::Session(Arc::downgrade(session), since);
                self.timekeeper.schedule(since + self.config.resume_window, due);
            }
        }
        Some(since)
    }

    /// Hands a session that nobody holds any more over to another server. If that dies before
    /// its members are told, the session leaves its room.
    pub(super) fn hand_over(&self, session: &Arc<Session>, taker: Taker) {
        let (Some(cluster), Some(token)) = (&self.cluster, &session.token) else { return };
        let room = self.rooms.room_of(session);
        let rooms = room.as_deref().map(destination_of).into_iter().collect();
        let whispers = session.hand_over_whispers();
        let stored = session.stored(rooms, self.owned_by(session));
        cluster.sessions.give(taker, token, &stored.with_whispers(whispers));
        if let Some(room) = room {
            let due = Due::HandedOver(Arc::downgrade(&room), session.number);
            self.timekeeper.schedule(Instant::now() + self.config.resume_window, due);
        }
    }

    /// Has a connection end because another, perhaps on another server, has its session; one that
    /// only says something lets it go without that.
    pub(crate) fn replace(&self, connection: u64) {
        if self.posters.is_posting(connection) {
            return;
        }
        if let Some(outbox) = self.connections.outbox_of(connection) {
            self.dismiss(&outbox, Goodbye::Replaced);
        }
    }

    /// Takes in the session of this token if another server has it, as one without a connection,
    /// whose client has received the private events up to `received`. Blocks for some seconds at
    /// most.
    ///
    /// # Errors
    ///
    /// If the other servers, or the session's rooms, can't be reached.
    pub(crate) fn bring_session(
        &self,
        token: &str,
        received: u64,
    ) -> Result<WantedSession<'_>, Notice<'static>> {
        let Some(cluster) = &self.cluster else {
            return Ok(WantedSession { in_cluster: false, _turn: None });
        };
        // Of several connections, one brings it, and the others find it here.
        let turn = cluster.sessions.take_turn(token);
        let in_cluster = self.bring_in_turn(cluster, token, received)?;
        Ok(WantedSession { in_cluster, _turn: Some(turn) })
    }

    fn bring_in_turn(
        &self,
        cluster: &Cluster,
        token: &str,
        received: u64,
    ) -> Result<bool, Notice<'static>> {
        let is_here = self.users.knows_token(token);
        let brought = match cluster.sessions.bring(token, is_here) {
            Ok(brought) => brought,
            // Its room says whether it can go on.
            Err(_) if is_here => return Ok(true),
            Err(_) => return Err(Notice::Unavailable),
        };
        let (mut stored, is_orphan) = match brought {
            Brought::NotElsewhere => return Ok(is_here),
            Brought::Ended(number) => {
                let kicks = self.rooms.lobby.status().access.kicks;
                return match kicks.left_for_session(number, clock::now()) {
                    Some(left) if !is_here => Err(Refusal::kicked_for(left).notice()),
                    _ => Ok(is_here),
                };
            }
            Brought::Session(stored) => (stored, false),
            Brought::Orphan(stored) => (stored, true),
        };
        self.drop_moved(token);
        if is_orphan {
            self.catch_up(&mut stored)?;
        }
        self.take_in(&stored, token, received, cluster.origin()).map_err(rooms::not_made)
    }

    /// Ends what is left here of a session that another server had in the meantime.
    fn drop_moved(&self, token: &str) {
        let deadline = Instant::now() + LETTING_GO;
        while let Some(connection) = self.users.drop_moved(token) {
            self.replace(connection);
            if !self.users.wait_until_gone(token, deadline) {
                return;
            }
        }
    }

    /// Has a session know whether the operator has muted it since its server is gone.
    ///
    /// # Errors
    ///
    /// If its room can't be reached.
    fn catch_up(&self, stored: &mut StoredSession) -> Result<(), Notice<'static>> {
        for name in &stored.rooms {
            let Some(room) = self.reach_named(name).map_err(rooms::not_made)? else { continue };
            let bearers = room.bearers().unwrap_or_default();
            if let Some(bearer) = bearers.iter().find(|bearer| bearer.session == stored.number) {
                // Its room may not have been told yet of a mute of everyone.
                let of_all = self.users.mute_of_all().and_then(|(mute, _)| mute);
                stored.muted = bearer.muted.or(of_all);
                break;
            }
        }
        Ok(())
    }

    fn take_in(
        &self,
        stored: &StoredSession,
        token: &str,
        received: u64,
        origin: u64,
    ) -> Result<bool, NotMade> {
        // First, so that it can be tried again.
        let (mut is_in, mut removal) = (None, None);
        for name in &stored.rooms {
            let Some(room) = self.reach_named(name)? else { continue };
            // From now on, this server speaks for it there, and ends it if nobody comes.
            let arrive = Op::Arrive { quiet: stored.quiet, origin };
            match room.act(By::Member(stored.number), arrive) {
                Ok(()) => {
                    is_in = Some(room);
                    break;
                }
                Err(Refusal::Unavailable) => return Err(NotMade::Unreachable),
                // Its server was killed before it could note that.
                Err(_) => removal = removal.or_else(|| kick_of(&room, &stored.name)),
            }
        }
        let owned = stored.owned.iter().map(|name| self.reach_named(name));
        let owned: Vec<Option<Arc<Room>>> = owned.collect::<Result<_, _>>()?;
        let session = self.users.revive(stored, token, received);
        match is_in {
            Some(room) => _ = session.enter(room.number),
            None if session.removal().is_none() => session.note_removal(removal.as_ref()),
            None => {}
        }
        for room in owned.into_iter().flatten() {
            let room: Weak<dyn RoomHandle> = Arc::downgrade(&room) as Weak<dyn RoomHandle>;
            session.own(room);
        }
        if stored.is_teacher {
            self.users.teachers.make(&session);
        }
        session.watch(stored.is_watching);
        // Whole, for another server may ask for it at once.
        let Some(since) = self.users.insert_away(&session) else {
            tracing::warn!("the name of a session from another server is in use here");
            self.users.teachers.end(&session);
            return Ok(false);
        };
        if let Some(until) = stored.muted.and_then(|mute| mute.until) {
            let now = Instant::now();
            let at = now.checked_add(until.since(clock::now())).unwrap_or(now);
            self.end_operators_mute_at(at, until, &session);
        }
        let due = Due::Session(Arc::downgrade(&session), since);
        self.timekeeper.schedule(since + self.config.resume_window, due);
        Ok(true)
    }

    fn reach_named(&self, name: &str) -> Result<Option<Arc<Room>>, NotMade> {
        let destination = Destination::parse(name).ok();
        destination.map_or(Ok(None), |destination| self.rooms.reach(&destination))
    }
}

/// A room's name, or the key of a private one, as [`Destination::parse`] reads it.
fn destination_of(room: &Room) -> String {
    match room.key {
        Some(key) => written(&Destination::Private(key)),
        None => room.name.to_string(),
    }
}

fn written(destination: &Destination) -> String {
    match destination {
        Destination::Public(name) => name.as_str().to_owned(),
        Destination::Private(key) => format!("#{}", key.show()),
        // Words lead to a key before they lead anywhere.
        Destination::Words(_) => String::new(),
    }
}

/// The event that kicked somebody from a room, unless they have been back since. Blocks
/// until the room has answered.
fn kick_of(room: &Room, name: &UserName) -> Option<Event> {
    // One that has ended remembers nothing.
    let events = room.remembered().unwrap_or_default();
    let last = events.into_iter().rev().find(|event| match event {
        Event::Joined { user, .. } | Event::Left { user, .. } | Event::Kicked { user, .. } => {
            **user == *name.as_str()
        }
        _ => false,
    });
    last.filter(|event| matches!(event, Event::Kicked { .. }))
}
