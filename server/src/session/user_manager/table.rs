//! The table of sessions: their names and tokens, and the connection that holds each.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::Instant,
};

use madang_protocol::name::{NameKey, UserName};

use super::{NotTaken, Taker};
use crate::session::{Session, memory::WhisperBudget, token::TokenHash};

#[derive(Default)]
pub(super) struct SessionTable {
    /// Every key of each name in use.
    pub(super) names: HashMap<NameKey, Arc<Session>>,
    /// Those being claimed among all servers at the moment.
    pub(super) claiming: HashSet<NameKey>,
    pub(super) sessions: HashMap<u64, SessionEntry>,
    pub(super) tokens: HashMap<TokenHash, Arc<Session>>,
    /// The shared budget for kept whispers.
    pub(super) whispers: Arc<WhisperBudget>,
    pub(super) last_number: u64,
    pub(super) last_guest: u64,
    /// The number of sessions without a connection, in total and by their last address.
    pub(super) away: usize,
    pub(super) away_by_address: HashMap<IpAddr, usize>,
}

pub(super) struct SessionEntry {
    pub(super) session: Arc<Session>,
    pub(super) holder: Holder,
    /// How many connections have requested it.
    pub(super) requests: u64,
    /// How many of them are waiting for it.
    pub(super) waiting: usize,
    /// The server that is to have it as soon as its connection lets it go.
    pub(super) taker: Option<Taker>,
    /// The address under which it is counted while it has no connection.
    pub(super) away_from: Option<IpAddr>,
    /// The second name that it has claimed; freed together with the first.
    pub(super) another: Option<UserName>,
}

impl SessionEntry {
    /// The session and its connection, if it has one.
    pub(super) fn held(&self) -> Option<(Arc<Session>, u64)> {
        match self.holder {
            Holder::Connection(connection) => Some((self.session.clone(), connection)),
            Holder::Nobody(_) | Holder::Ending => None,
        }
    }
}

/// Who holds a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// The connection with this number.
    Connection(u64),
    /// Nobody, since this time.
    Nobody(Instant),
    /// It is about to end.
    Ending,
}

impl SessionTable {
    /// Gives a session without a connection to `connection`, for its request with this number;
    /// `None` if it must wait.
    pub(super) fn take(
        &mut self,
        session: &Session,
        request: u64,
        connection: u64,
    ) -> Option<Result<(), NotTaken>> {
        let Some(entry) = self.sessions.get_mut(&session.number) else {
            return Some(Err(NotTaken::NoSession));
        };
        match entry.holder {
            Holder::Ending => Some(Err(NotTaken::NoSession)),
            _ if entry.requests != request => Some(Err(NotTaken::Replaced)),
            Holder::Nobody(_) => {
                entry.holder = Holder::Connection(connection);
                let address = entry.away_from.take();
                self.count_back(address);
                Some(Ok(()))
            }
            Holder::Connection(_) => None,
        }
    }

    /// Whether a session is about to pass to another server.
    pub(super) fn passes_on(&self, session: &Session) -> bool {
        self.sessions.get(&session.number).is_some_and(|entry| entry.taker.is_some())
    }

    /// One session less is waiting to be resumed.
    pub(super) fn count_back(&mut self, address: Option<IpAddr>) {
        self.away -= 1;
        if let Some(address) = address
            && let Some(away) = self.away_by_address.get_mut(&address)
        {
            *away -= 1;
            if *away == 0 {
                self.away_by_address.remove(&address);
            }
        }
    }

    /// Adds a session whose name is free.
    pub(super) fn insert(&mut self, keys: Vec<NameKey>, session: Arc<Session>, holder: Holder) {
        self.names.extend(keys.into_iter().map(|key| (key, session.clone())));
        let token = session.token.as_ref().map(|token| token.hash);
        self.tokens.extend(token.map(|token| (token, session.clone())));
        let number = session.number;
        let entry = SessionEntry {
            session,
            holder,
            requests: 0,
            waiting: 0,
            taker: None,
            away_from: None,
            another: None,
        };
        self.sessions.insert(number, entry);
    }
}
