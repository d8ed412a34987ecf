//! What a starting server restores from disk: event ids, sessions that may be resumed, and the
//! rooms in use.

use std::{collections::HashMap, sync::Arc, time::Instant};

use madang_protocol::{name::UserName, room::RoomName};

use crate::{
    clock,
    commands::chat::Services as _,
    expiry::Due,
    journal::kept::{KeptRoom, KeptSession, Leftover},
    room::{Awaited, Beginning, By, Op, Room},
    session::{
        Quiet, Session,
        nonces::{Nonces, Noted},
        token::{Token, TokenHash},
    },
    shared::Shared,
};

/// The initial state of the lobby, restored if there was one.
pub(super) fn lobby(kept: &Leftover) -> Beginning {
    let rooms = kept.rooms.iter();
    rooms.filter(|room| is_lobby(room)).map(|room| beginning(room, kept)).next().unwrap_or_default()
}

fn is_lobby(room: &KeptRoom) -> bool {
    RoomName::parse(&room.name).is_ok_and(|name| name.is_lobby())
}

fn beginning(room: &KeptRoom, kept: &Leftover) -> Beginning {
    let is_here =
        |session: &&KeptSession| session.room == room.room || (session.room == 0 && is_lobby(room));
    let awaited = |kept: &KeptSession| {
        let noted = kept.nonces.iter().map(|(hash, id)| Noted { hash: *hash, id: *id });
        Some(Awaited {
            session: kept.session,
            user: UserName::parse(&kept.name).ok()?,
            quiet: quiet(kept),
            nonces: Nonces::from(noted.collect::<Vec<_>>()),
        })
    };
    let here = kept.sessions.iter().filter(is_here);
    let last = room.events.last().map_or(room.room, |event| event.id());
    Beginning {
        opened: room.room,
        lasting: room.state.clone(),
        away: here.filter_map(awaited).collect(),
        events: room.events.clone(),
        lost_after: (!kept.is_complete).then_some(last),
        ..Beginning::default()
    }
}

/// Whether a session is quiet. Whether it may speak as well is decided when it resumes.
fn quiet(session: &KeptSession) -> Option<Quiet> {
    session.quiet.then_some(Quiet::ReadOnly)
}

impl Shared {
    /// Restores rooms and sessions; the lobby already has its restored state.
    pub(super) fn restore(&self, kept: Leftover) {
        let mut rooms: HashMap<u64, Arc<Room>> = HashMap::new();
        for room in &kept.rooms {
            if is_lobby(room) {
                rooms.insert(room.room, self.rooms.lobby.clone());
            } else if let Ok(name) = RoomName::parse(&room.name)
                && let Ok(made) = self.rooms.restore(&name, beginning(room, &kept))
            {
                rooms.insert(room.room, made);
            }
        }
        for room in rooms.values() {
            // No members are present to be notified.
            let _ = room.act_now(By::Time, Op::Restarted);
        }
        for session in kept.sessions {
            // If its room was private, it is in the lobby now.
            let room = rooms.get(&session.room).unwrap_or(&self.rooms.lobby);
            self.restore_session(session, room);
        }
        for room in rooms.values() {
            self.end_when_empty(room);
        }
    }

    fn restore_session(&self, kept: KeptSession, room: &Room) {
        let quiet = quiet(&kept);
        let KeptSession { session, token, name, .. } = kept;
        let Ok(name) = UserName::parse(&name) else { return };
        let token = Some(Token::known_by(TokenHash(token)));
        let restored = Session::new(session, name, token, clock::now());
        restored.set_quiet(quiet);
        restored.enter(room.number);
        if let Some((restored, since)) = self.users.restore(restored) {
            let due = Due::Session(Arc::downgrade(&restored), since);
            self.timekeeper.schedule(Instant::now() + self.config.resume_window, due);
        }
    }
}
