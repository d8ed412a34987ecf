//! Sessions that pass from one server to another, where several are one chat.

use std::{sync::Arc, time::Instant};

use super::{UserManager, table::Holder};
use crate::session::{Session, stored::StoredSession, token::TokenHash};

/// A server that has asked for a session: its origin, and the number of its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taker {
    pub(crate) origin: u64,
    pub(crate) question: u64,
}

/// That a connection has released a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LetGo {
    /// Since when nobody holds it.
    pub(crate) since: Instant,
    /// The server that it is to be handed over to: nobody takes it here any more.
    pub(crate) taker: Option<Taker>,
}

/// What became of a session that another server has asked for.
pub(crate) enum GivenAway {
    /// It is not here, or ends.
    Unknown,
    /// Nobody held it: it is to be handed over now.
    Now(Arc<Session>),
    /// It is handed over once this connection has let it go.
    Soon(u64),
}

impl UserManager {
    /// A session of another server, whose client has sent its token and has received the private
    /// events up to `received`. It is [added](Self::insert_away) once it is whole: from then on,
    /// another server may ask for it.
    pub(crate) fn revive(
        &self,
        stored: &StoredSession,
        token: &str,
        received: u64,
    ) -> Arc<Session> {
        let budget = self.table.lock().whispers.clone();
        let session = stored.revive(token, received).keeping_within(budget);
        stored.refill(&session);
        Arc::new(session.hashing_nonces_by(self.nonce_key))
    }

    /// Whether there is a session with this token.
    pub(crate) fn knows_token(&self, token: &str) -> bool {
        self.table.lock().tokens.contains_key(&TokenHash::of(token))
    }

    /// Blocks until no session has this token; false if `deadline` comes first, or has come.
    pub(crate) fn wait_until_gone(&self, token: &str, deadline: Instant) -> bool {
        let hash = TokenHash::of(token);
        let mut table = self.table.lock();
        while table.tokens.contains_key(&hash) {
            if self.let_go.wait_until(&mut table, deadline).timed_out() {
                return false;
            }
        }
        Instant::now() < deadline
    }

    /// Has the session with this token pass to another server once nobody holds it: a connection
    /// that holds it must be made to end, and learns of `taker` when it [lets go](Self::let_go).
    pub(crate) fn give_away(&self, token: &TokenHash, taker: Taker) -> GivenAway {
        let mut table = self.table.lock();
        let Some(session) = table.tokens.get(token).cloned() else { return GivenAway::Unknown };
        let Some(entry) = table.sessions.get_mut(&session.number) else {
            return GivenAway::Unknown;
        };
        // Whoever has asked for it here comes too late.
        entry.requests += 1;
        self.let_go.notify_all();
        match entry.holder {
            Holder::Connection(holder) => {
                entry.taker = Some(taker);
                GivenAway::Soon(holder)
            }
            Holder::Nobody(_) => {
                entry.holder = Holder::Ending;
                let address = entry.away_from.take();
                table.count_back(address);
                GivenAway::Now(session)
            }
            Holder::Ending => GivenAway::Unknown,
        }
    }

    /// Drops the session with this token, which another server has; returns the connection
    /// that holds it, if one does.
    pub(crate) fn drop_moved(&self, token: &str) -> Option<u64> {
        let mut table = self.table.lock();
        let session = table.tokens.get(&TokenHash::of(token)).cloned()?;
        session.move_away();
        let entry = table.sessions.get_mut(&session.number)?;
        match entry.holder {
            Holder::Connection(holder) => return Some(holder),
            Holder::Nobody(_) => {
                let address = entry.away_from.take();
                entry.holder = Holder::Ending;
                table.count_back(address);
            }
            Holder::Ending => {}
        }
        drop(table);
        self.end_here(&session);
        None
    }
}
