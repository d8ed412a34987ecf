//! Sessions and names: the only place where names are claimed, and where a session passes from
//! one connection to the next. Rooms are in [`Rooms`].
//! # Guarantees
//!
//! 1. A name has one bearer. It is claimed before its bearer joins a room, and given
//!    up only after its leaving was posted: a room sees one go before the next comes.
//! 2. A session is held by one connection at a time, or by none while that is cut.
//! 3. Once a session ends, nobody comes back to it.
//!
//! [`Rooms`]: crate::room::directory::Rooms

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use madang_protocol::{
    event::Time,
    name::{NameKey, UserName},
};

use table::{Holder, SessionEntry, SessionTable};

pub(crate) use moving::{GivenAway, LetGo, Taker};
pub(crate) use shared_names::{NameRefusal, SharedNames};

use crate::{
    session::{
        Mute, Session,
        nonces::NonceKey,
        teachers::Teachers,
        token::{Token, TokenHash},
    },
    sync::{Condvar, Mutex, MutexGuard},
};

mod proposal;
mod shared_names;
mod moving;
mod table;

/// The sessions, and the names in use.
pub(crate) struct UserManager {
    limits: AwayLimits,
    /// The secret for hashing nonces.
    nonce_key: NonceKey,
    table: Mutex<SessionTable>,
    /// The operator's mute of everyone, which also applies to newcomers.
    pub(super) muted: Mutex<Option<Mute>>,
    /// The number of the order that has muted everyone last, or lifted that.
    pub(super) mute_order: AtomicU64,
    /// The teachers among them.
    pub(crate) teachers: Teachers,
    /// Signalled when a connection has released a session.
    let_go: Condvar,
    /// Where names are claimed among several servers, if there are several.
    pub(crate) shared_names: Option<Arc<dyn SharedNames>>,
}

/// How many sessions may wait to be resumed, so that clients that keep reconnecting cannot fill
/// the memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AwayLimits {
    /// In total.
    pub(crate) total: usize,
    /// Per address; `None` means no limit.
    pub(crate) per_address: Option<usize>,
}

/// Why a connection does not get a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It does not exist, or was not released.
    NoSession,
    /// Another connection has requested it since.
    Replaced,
}

impl UserManager {
    pub(crate) fn new(limits: AwayLimits, nonce_key: NonceKey) -> UserManager {
        let mut table = SessionTable::default();
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).expect("a system that has started has random bits");
        // Session numbers of this run must not match those of an earlier one.
        table.last_number = u64::from_ne_bytes(bits);
        let (table, muted) = (Mutex::new(table), Mutex::new(None));
        let teachers = Teachers::new(None);
        let (let_go, shared_names, mute_order) = (Condvar::new(), None, AtomicU64::new(0));
        UserManager { limits, nonce_key, table, muted, mute_order, teachers, let_go, shared_names }
    }

    /// Restores a session from before a restart, without a connection. Returns it and since
    /// when it waits; `None` if its name is in use.
    pub(crate) fn restore(&self, session: Session) -> Option<(Arc<Session>, Instant)> {
        let budget = self.table.lock().whispers.clone();
        let session = session.restored().hashing_nonces_by(self.nonce_key).keeping_within(budget);
        let session = Arc::new(session);
        let since = self.insert_away(&session)?;
        Some((session, since))
    }

    /// Adds a session without a connection; returns since when it waits, `None` if its name is in
    /// use.
    pub(crate) fn insert_away(&self, session: &Arc<Session>) -> Option<Instant> {
        let now = Instant::now();
        let keys = session.name().keys();
        let mut table = self.table.lock();
        if keys.iter().any(|key| table.names.contains_key(key)) {
            return None;
        }
        table.insert(keys, session.clone(), Holder::Nobody(now));
        table.away += 1;
        Some(now)
    }

    /// Claims a name for a new session held by `connection`.
    ///
    /// # Errors
    ///
    /// Why it is not claimed. A token that a client has chosen may be another session's.
    pub(crate) fn claim(
        &self,
        name: &UserName,
        token: Option<String>,
        connection: u64,
        now: Time,
    ) -> Result<Arc<Session>, NameRefusal> {
        let keys = name.keys();
        let token = token.map(Token::new);
        let is_taken = |table: &SessionTable, key: &NameKey| {
            let has_token = |token: &Token| table.tokens.contains_key(&token.hash);
            table.names.contains_key(key) || token.as_ref().is_some_and(has_token)
        };
        let mut table = self.claim_keys(&keys, is_taken)?;
        // 0 is reserved.
        table.last_number = table.last_number.checked_add(1).unwrap_or(1);
        let session = Session::new(table.last_number, name.clone(), token, now)
            .keeping_within(table.whispers.clone())
            .hashing_nonces_by(self.nonce_key);
        let session = Arc::new(session);
        table.insert(keys, session.clone(), Holder::Connection(connection));
        drop(table);
        if let Some(mute) = *self.muted.lock() {
            session.mute(mute);
        }
        Ok(session)
    }

    /// Claims keys among all servers, unless one `is_taken` here; returns the table, locked.
    /// Without other servers, only looks.
    fn claim_keys(
        &self,
        keys: &[NameKey],
        is_taken: impl Fn(&SessionTable, &NameKey) -> bool,
    ) -> Result<MutexGuard<'_, SessionTable>, NameRefusal> {
        let mut table = self.table.lock();
        let is_others = |key| is_taken(&table, key) || table.claiming.contains(key);
        if keys.iter().any(is_others) {
            return Err(NameRefusal::InUse);
        }
        let Some(shared) = &self.shared_names else { return Ok(table) };
        let new = keys.iter().filter(|key| !table.names.contains_key(key));
        let new: Vec<NameKey> = new.cloned().collect();
        table.claiming.extend(new.iter().cloned());
        // That may take a while.
        drop(table);
        let claimed = shared.claim(&new);
        table = self.table.lock();
        for key in &new {
            table.claiming.remove(key);
        }
        claimed.map(|()| table)
    }

    /// Has other servers know that nobody here has these keys any more. The table is locked, so
    /// that no later claim overtakes this.
    fn release(&self, _table: &SessionTable, keys: Vec<NameKey>) {
        if let Some(shared) = &self.shared_names {
            shared.release(keys);
        }
    }

    /// How many sessions there are.
    pub(crate) fn present(&self) -> usize {
        self.table.lock().sessions.len()
    }

    /// The session with this name, in any case.
    pub(crate) fn find(&self, name: &UserName) -> Option<Arc<Session>> {
        self.table.lock().names.get(&name.spelling()).cloned()
    }

    /// The session with this number.
    pub(crate) fn numbered(&self, number: u64) -> Option<Arc<Session>> {
        self.table.lock().sessions.get(&number).map(|entry| entry.session.clone())
    }

    /// Whether a session goes on here: it does not end, and no other server has asked for it.
    pub(crate) fn stays(&self, session: &Session) -> bool {
        let table = self.table.lock();
        table.sessions.get(&session.number).is_some_and(|entry| entry.holder != Holder::Ending)
    }

    /// All sessions.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.table.lock().sessions.values().map(|entry| entry.session.clone()).collect()
    }

    /// The connected sessions, with their connections' numbers.
    pub(crate) fn held(&self) -> Vec<(Arc<Session>, u64)> {
        self.table.lock().sessions.values().filter_map(SessionEntry::held).collect()
    }

    /// The connection of a session, if it has one.
    pub(crate) fn holder(&self, session: &Session) -> Option<u64> {
        let (_, connection) = self.table.lock().sessions.get(&session.number)?.held()?;
        Some(connection)
    }

    /// Connected sessions whose name, or next name, is this one or a lookalike.
    pub(crate) fn held_as(&self, name: &UserName) -> Vec<(Arc<Session>, u64)> {
        let keys = name.keys();
        let table = self.table.lock();
        let bearers = keys.iter().filter_map(|key| table.names.get(key));
        let numbers: BTreeSet<u64> = bearers.map(|bearer| bearer.number).collect();
        numbers.iter().filter_map(|number| table.sessions.get(number)?.held()).collect()
    }

    /// Claims a second name for a session, until one of the two is [given up](Self::give_up).
    ///
    /// # Errors
    ///
    /// Why it is not claimed: perhaps it looks like somebody else's.
    pub(crate) fn claim_another(
        &self,
        session: &Arc<Session>,
        name: &UserName,
    ) -> Result<(), NameRefusal> {
        let keys = name.keys();
        let mut table = self.claim_keys(&keys, |table, key| {
            table.names.get(key).is_some_and(|bearer| bearer.number != session.number)
        })?;
        table.names.extend(keys.into_iter().map(|key| (key, session.clone())));
        if let Some(entry) = table.sessions.get_mut(&session.number) {
            entry.another = Some(name.clone());
        }
        Ok(())
    }

    /// Gives up `name`, one of the two that a session has claimed.
    pub(crate) fn give_up(&self, session: &Session, name: &UserName) {
        let (kept, mut keys) = (session.name().keys(), name.keys());
        keys.retain(|key| !kept.contains(key));
        let mut table = self.table.lock();
        for key in &keys {
            table.names.remove(key);
        }
        if let Some(entry) = table.sessions.get_mut(&session.number) {
            entry.another = None;
        }
        self.release(&table, keys);
    }

    /// Passes the session with this token to `connection`. If another one holds it, `dismiss`
    /// is called with that connection's number and must make it end; blocks until it has
    /// released the session, for at most `patience`. Of several connections that request it,
    /// the last one gets it.
    ///
    /// # Errors
    ///
    /// [`NotTaken`].
    pub(crate) fn take_over(
        &self,
        token: &str,
        connection: u64,
        patience: Duration,
        dismiss: impl FnOnce(u64),
    ) -> Result<Arc<Session>, NotTaken> {
        let deadline = Instant::now() + patience;
        let mut table = self.table.lock();
        let session =
            table.tokens.get(&TokenHash::of(token)).cloned().ok_or(NotTaken::NoSession)?;
        session.token.iter().for_each(|it| it.learn(token));
        let entry = table.sessions.get_mut(&session.number).ok_or(NotTaken::NoSession)?;
        entry.requests += 1;
        entry.waiting += 1;
        let request = entry.requests;
        if let Holder::Connection(holder) = entry.holder {
            // The earlier requester gives up.
            self.let_go.notify_all();
            // Without the lock, because dismissing takes others.
            drop(table);
            dismiss(holder);
            table = self.table.lock();
        }
        let taken = loop {
            if let Some(taken) = table.take(&session, request, connection) {
                break taken;
            }
            if self.let_go.wait_until(&mut table, deadline).timed_out() {
                break Err(NotTaken::NoSession);
            }
        };
        if let Some(entry) = table.sessions.get_mut(&session.number) {
            entry.waiting -= 1;
        }
        taken.map(|()| session)
    }

    /// Passes the session with this token to `connection` once none holds it; blocks for that for
    /// at most `patience`. `None` if there is no such session, perhaps because it has passed to
    /// another server.
    ///
    /// # Errors
    ///
    /// [`NameRefusal::InUse`] if another connection keeps it, or has requested it since.
    pub(crate) fn borrow(
        &self,
        token: &str,
        connection: u64,
        patience: Duration,
    ) -> Result<Option<Arc<Session>>, NameRefusal> {
        let deadline = Instant::now() + patience;
        let mut table = self.table.lock();
        let Some(session) = table.tokens.get(&TokenHash::of(token)).cloned() else {
            return Ok(None);
        };
        session.token.iter().for_each(|it| it.learn(token));
        let Some(entry) = table.sessions.get_mut(&session.number) else { return Ok(None) };
        entry.waiting += 1;
        let request = entry.requests;
        let taken = loop {
            match table.take(&session, request, connection) {
                Some(Ok(())) => break Ok(Some(session.clone())),
                Some(Err(NotTaken::Replaced)) if !table.passes_on(&session) => {
                    break Err(NameRefusal::InUse);
                }
                Some(Err(NotTaken::NoSession)) if !table.sessions.contains_key(&session.number) => {
                    break Ok(None);
                }
                // A connection has it, or it is about to end here and its name to be free.
                _ if self.let_go.wait_until(&mut table, deadline).timed_out() => {
                    break Err(NameRefusal::InUse);
                }
                _ => {}
            }
        };
        if let Some(entry) = table.sessions.get_mut(&session.number) {
            entry.waiting -= 1;
        }
        taken
    }

    /// `connection`, counted under `address`, releases a session, which may be resumed from now
    /// on, or has to be handed over. `None` if another connection holds it, or if nobody waits for
    /// it and too many sessions are waiting to be resumed.
    pub(crate) fn let_go(
        &self,
        session: &Session,
        connection: u64,
        address: Option<IpAddr>,
    ) -> Option<LetGo> {
        let now = Instant::now();
        let mut table = self.table.lock();
        let away_there = address.and_then(|address| table.away_by_address.get(&address));
        let is_full = table.away >= self.limits.total
            || self.limits.per_address.zip(away_there).is_some_and(|(most, away)| *away >= most);
        let entry = table.sessions.get_mut(&session.number)?;
        // A waiting connection takes it at once.
        let is_wanted = entry.waiting > 0 || entry.taker.is_some();
        if entry.holder != Holder::Connection(connection) || (is_full && !is_wanted) {
            return None;
        }
        if let Some(taker) = entry.taker.take() {
            entry.holder = Holder::Ending;
            self.let_go.notify_all();
            return Some(LetGo { since: now, taker: Some(taker) });
        }
        (entry.holder, entry.away_from) = (Holder::Nobody(now), address);
        table.away += 1;
        if let Some(address) = address {
            *table.away_by_address.entry(address).or_default() += 1;
        }
        self.let_go.notify_all();
        Some(LetGo { since: now, taker: None })
    }

    /// Makes a session expire, unless it was resumed after `since`; returns whether it did.
    pub(crate) fn expire(&self, session: &Session, since: Instant) -> bool {
        let mut table = self.table.lock();
        let Some(entry) = table.sessions.get_mut(&session.number) else { return false };
        let expires = entry.holder == Holder::Nobody(since);
        if expires {
            entry.holder = Holder::Ending;
            let address = entry.away_from.take();
            table.count_back(address);
        }
        expires
    }

    /// Makes a session expire at once that no connection holds; false if one does.
    pub(crate) fn expire_now(&self, session: &Session) -> bool {
        let Some(Holder::Nobody(since)) =
            self.table.lock().sessions.get(&session.number).map(|entry| entry.holder)
        else {
            return false;
        };
        self.expire(session, since)
    }

    /// Makes the session with this token expire if its name is `name` or a lookalike, and no
    /// connection holds it or waits for it. Returns it, so that its leaving can be posted.
    pub(crate) fn expire_away(&self, token: &str, name: &UserName) -> Option<Arc<Session>> {
        let keys = name.keys();
        let mut table = self.table.lock();
        let session = table.tokens.get(&TokenHash::of(token)).cloned()?;
        let is_its = |key| table.names.get(key).is_some_and(|it| it.number == session.number);
        if !keys.iter().any(is_its) {
            return None;
        }
        let entry = table.sessions.get_mut(&session.number)?;
        if !matches!(entry.holder, Holder::Nobody(_)) || entry.waiting > 0 {
            return None;
        }
        entry.holder = Holder::Ending;
        let address = entry.away_from.take();
        table.count_back(address);
        Some(session)
    }

    /// Makes a session expire because its connection ends it; false if another connection holds
    /// it.
    pub(crate) fn close(&self, session: &Session, connection: u64) -> bool {
        let mut table = self.table.lock();
        let Some(entry) = table.sessions.get_mut(&session.number) else { return false };
        let closes = entry.holder == Holder::Connection(connection);
        if closes {
            entry.holder = Holder::Ending;
            self.let_go.notify_all();
        }
        closes
    }

    /// The keyed hash of a nonce.
    pub(crate) fn hash_of(&self, nonce: &str) -> u64 {
        self.nonce_key.hash(nonce)
    }

    /// Ends a session whose leaving was posted: its name is free. Returns how many are left.
    pub(crate) fn end(&self, session: &Session) -> usize {
        self.take_out(session, |table, keys| self.release(table, keys))
    }

    /// Ends a session that goes on, on another server: only here, its name is free. Returns how
    /// many are left.
    pub(crate) fn end_here(&self, session: &Session) -> usize {
        self.take_out(session, |_, _| {})
    }

    fn take_out(
        &self,
        session: &Session,
        release: impl FnOnce(&SessionTable, Vec<NameKey>),
    ) -> usize {
        self.teachers.end(session);
        let mut keys = session.name().keys();
        let mut table = self.table.lock();
        // A panic may have interrupted a rename.
        let another = table.sessions.remove(&session.number).and_then(|entry| entry.another);
        keys.extend(another.iter().flat_map(UserName::keys));
        for key in &keys {
            table.names.remove(key);
        }
        release(&table, keys);
        if let Some(token) = &session.token {
            table.tokens.remove(&token.hash);
        }
        self.let_go.notify_all();
        table.sessions.len()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::text::Lang;

    use super::*;
    use crate::patience::{self, TestThread};

    const NOW: fn() -> Time = || Time::from_millis(0);
    /// A wake-up that is lost makes the test fail after this time.
    const PATIENCE: Duration = Duration::from_secs(5);

    fn users() -> UserManager {
        UserManager::new(AwayLimits { total: 3, per_address: Some(2) }, NonceKey::default())
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    fn claim(users: &UserManager, text: &str) -> Arc<Session> {
        users.claim(&name(text), Some(text.into()), 1, NOW()).unwrap_or_else(|_| panic!("{text}"))
    }

    fn is_taken(users: &UserManager, text: &str) -> bool {
        users.claim(&name(text), None, 2, NOW()).map(|session| users.end(&session)).is_err()
    }

    #[test]
    fn a_name_has_one_bearer_until_it_is_given_up() {
        let users = users();
        let alice = claim(&users, "alice");
        for taken in ["alice", "ALICE", "aIice"] {
            assert!(is_taken(&users, taken), "{taken}");
        }
        claim(&users, "국가");
        claim(&users, "구까");
        assert_eq!(users.present(), 3);
        assert_eq!(users.end(&alice), 2);
        assert!(!is_taken(&users, "aIice"));
    }

    /// Other servers, which have the name `taken`, and can't be asked for `unknown`.
    #[derive(Default)]
    struct OtherServers {
        claimed: Mutex<BTreeSet<String>>,
    }

    impl SharedNames for OtherServers {
        fn claim(&self, keys: &[NameKey]) -> Result<(), NameRefusal> {
            let texts = keys.iter().map(NameKey::to_string);
            match keys.iter().map(NameKey::to_string).find(|key| key.starts_with(['t', 'u'])) {
                Some(key) if key == "unknown" => Err(NameRefusal::Unavailable),
                Some(key) if key == "taken" => Err(NameRefusal::InUse),
                _ => {
                    self.claimed.lock().extend(texts);
                    Ok(())
                }
            }
        }

        fn are_free(&self, keys: &[NameKey]) -> bool {
            keys.iter().all(|key| key.to_string() != "taken-2")
        }

        fn claim_again(&self, keys: Vec<NameKey>) -> Option<Vec<NameKey>> {
            self.claimed.lock().extend(keys.iter().map(NameKey::to_string));
            Some(keys.into_iter().filter(|key| key.to_string() == "lost").collect())
        }

        fn release(&self, keys: Vec<NameKey>) {
            let mut claimed = self.claimed.lock();
            keys.iter().for_each(|key| assert!(claimed.remove(&key.to_string()), "{key}"));
        }

        fn settle(&self) {}
    }

    #[test]
    fn a_name_is_claimed_among_all_servers_and_given_up_there_once() {
        let others = Arc::new(OtherServers::default());
        let mut users = users();
        users.shared_names = Some(others.clone());
        let refusal = |text: &str| users.claim(&name(text), None, 1, NOW()).err();
        assert_eq!(refusal("taken"), Some(NameRefusal::InUse));
        assert_eq!(refusal("unknown"), Some(NameRefusal::Unavailable));
        assert_eq!(users.free_name_like(&name("taken")), Some(name("taken-3")));
        let alice = claim(&users, "alice");
        // Refused here, nobody else is asked.
        assert_eq!(refusal("aIice"), Some(NameRefusal::InUse));
        assert_eq!(users.claim_another(&alice, &name("taken")), Err(NameRefusal::InUse));
        users.claim_another(&alice, &name("Alice")).expect("it is hers");
        users.give_up(&alice, &name("Alice"));
        users.claim_another(&alice, &name("carol")).expect("it is free");
        alice.rename(name("carol"));
        users.give_up(&alice, &name("alice"));
        let claimed = || others.claimed.lock().iter().cloned().collect::<Vec<_>>();
        let carols: Vec<String> = name("carol").keys().iter().map(NameKey::to_string).collect();
        assert_eq!(
            claimed(),
            carols.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
        users.end(&alice);
        assert!(claimed().is_empty());
    }

    #[test]
    fn names_are_found_in_any_case_but_not_by_lookalikes() {
        let users = users();
        let alice = claim(&users, "Alice");
        let found = |text| users.find(&name(text)).map(|session| session.number);
        assert_eq!(found("ALICE"), Some(alice.number));
        assert_eq!(found("aIice"), None);
    }

    #[test]
    fn a_guest_name_passes_over_those_in_use() {
        let users = users();
        claim(&users, "손님-2");
        let guests: Vec<String> = (0..3)
            .map(|_| {
                users.claim_guest(Lang::Ko, None, 1, NOW()).expect("it is alone").name().to_string()
            })
            .collect();
        assert_eq!(guests, ["손님-1", "손님-3", "손님-4"]);
    }

    #[test]
    fn a_rename_claims_the_new_name_before_freeing_the_old() {
        let users = users();
        let alice = claim(&users, "alice");
        claim(&users, "bob");
        assert!(users.claim_another(&alice, &name("b0b")).is_err());
        users.claim_another(&alice, &name("carol")).expect("it is free");
        assert!(is_taken(&users, "alice") && is_taken(&users, "carol"));
        alice.rename(name("carol"));
        users.give_up(&alice, &name("alice"));
        assert!(!is_taken(&users, "alice") && is_taken(&users, "carol"));
        // A lookalike of one's own name is allowed.
        users.claim_another(&alice, &name("CAROL")).expect("it is hers");
        users.give_up(&alice, &name("CAROL"));
        assert!(is_taken(&users, "carol"));
    }

    #[test]
    fn a_session_that_ends_during_a_rename_frees_both_names() {
        let users = users();
        let alice = claim(&users, "alice");
        users.claim_another(&alice, &name("carol")).expect("it is free");
        users.end(&alice);
        assert!(!is_taken(&users, "alice") && !is_taken(&users, "carol"));
    }

    #[test]
    fn a_released_session_passes_to_the_next_connection() {
        let users = Arc::new(users());
        let alice = claim(&users, "alice");
        let next = patience::spawn({
            let users = users.clone();
            move || users.take_over("alice", 7, PATIENCE, |_| {}).map(|session| session.number)
        });
        next.wait_until_asleep();
        assert_eq!(users.let_go(&alice, 5, None), None, "it is not this one's");
        assert!(users.let_go(&alice, 1, None).is_some());
        assert_eq!(next.join(), Ok(alice.number));
        assert_eq!(users.let_go(&alice, 1, None), None, "it is another's now");
        assert!(!users.close(&alice, 1));
    }

    #[test]
    fn of_several_requesters_the_last_gets_the_session() {
        let users = Arc::new(users());
        let alice = claim(&users, "alice");
        let (dismiss, dismissed) = std::sync::mpsc::channel();
        let comers: Vec<_> = (7..10)
            .map(|connection| {
                let (users, dismiss) = (users.clone(), dismiss.clone());
                let comer = patience::spawn(move || {
                    let dismiss = |holder| dismiss.send(holder).expect("the test listens");
                    users.take_over("alice", connection, PATIENCE, dismiss).map(|it| it.number)
                });
                assert_eq!(dismissed.recv_timeout(PATIENCE), Ok(1), "it has asked");
                comer
            })
            .collect();
        users.let_go(&alice, 1, None).expect("it was held");
        let results: Vec<_> = comers.into_iter().map(TestThread::join).collect();
        assert_eq!(results, [Err(NotTaken::Replaced), Err(NotTaken::Replaced), Ok(alice.number)]);
        assert!(users.let_go(&alice, 9, None).is_some());
    }

    #[test]
    fn a_requested_session_is_released_despite_the_limit() {
        let users = Arc::new(users());
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let sessions = ["a1", "a2", "a3", "a4"].map(|name| claim(&users, name));
        for away in &sessions[..2] {
            users.let_go(away, 1, address).expect("there is place");
        }
        for elsewhere in [false, true] {
            if elsewhere {
                users.let_go(&sessions[2], 1, None).expect("there is place in all");
            }
            let (dismiss, dismissed) = std::sync::mpsc::channel();
            let comer = patience::spawn({
                let users = users.clone();
                let dismiss = move |holder| dismiss.send(holder).expect("the test listens");
                move || users.take_over("a4", 1, PATIENCE, dismiss).map(|session| session.number)
            });
            assert_eq!(dismissed.recv_timeout(PATIENCE), Ok(1), "it has asked");
            assert!(users.let_go(&sessions[3], 1, address).is_some(), "it waits for nobody long");
            assert_eq!(comer.join(), Ok(sessions[3].number));
            assert!(users.let_go(&sessions[3], 1, address).is_none(), "nobody waits any more");
        }
    }

    #[test]
    fn a_session_is_borrowed_in_turns_and_its_name_waited_for() {
        let users = Arc::new(users());
        let alice = claim(&users, "alice");
        let borrower = |connection| {
            let users = users.clone();
            let borrower = patience::spawn(move || {
                let borrowed = users.borrow("alice", connection, PATIENCE);
                borrowed.map(|session| session.map(|session| session.number))
            });
            borrower.wait_until_asleep();
            borrower
        };
        assert_eq!(users.borrow("nobody", 9, PATIENCE).map(|it| it.is_none()), Ok(true));
        for (holder, next) in [(1, 7), (7, 8)] {
            let borrower = borrower(next);
            assert!(users.let_go(&alice, holder, None).is_some());
            assert_eq!(borrower.join(), Ok(Some(alice.number)));
        }
        let is_kept = users.borrow("alice", 9, Duration::ZERO).map(|_| ());
        assert_eq!(is_kept, Err(NameRefusal::InUse), "another has it");
        let late = borrower(9);
        assert!(users.close(&alice, 8));
        users.end(&alice);
        assert_eq!(late.join(), Ok(None), "it has ended");
        // A token has one session.
        claim(&users, "bob");
        assert!(users.claim(&name("carol"), Some("bob".into()), 1, NOW()).is_err());
    }

    #[test]
    fn whoever_holds_a_session_that_is_given_away_hands_it_over_and_nobody_else_takes_it() {
        let users = Arc::new(users());
        let alice = claim(&users, "alice");
        let hash = TokenHash::of("alice");
        let taker = |question| Taker { origin: 5, question };
        // The first connection has let go already: the second one hands it over.
        let let_go = users.let_go(&alice, 1, None).expect("it was held");
        assert!(users.take_over("alice", 2, PATIENCE, |_| {}).is_ok());
        assert!(matches!(users.give_away(&hash, taker(1)), GivenAway::Soon(2)));
        assert_eq!((let_go.taker, users.let_go(&alice, 1, None)), (None, None));
        let borrower = patience::spawn({
            let users = users.clone();
            move || users.borrow("alice", 3, PATIENCE).map(|session| session.is_none())
        });
        borrower.wait_until_asleep();
        let let_go = users.let_go(&alice, 2, None).expect("it was held");
        assert_eq!(let_go.taker, Some(taker(1)));
        let late = users.take_over("alice", 4, PATIENCE, |_| {}).map(|session| session.number);
        assert_eq!(late, Err(NotTaken::NoSession));
        assert!(matches!(users.give_away(&hash, taker(2)), GivenAway::Unknown));
        let soon = Instant::now() + PATIENCE;
        assert!(!users.wait_until_gone("alice", Instant::now()));
        users.end_here(&alice);
        assert!(users.wait_until_gone("alice", soon));
        assert_eq!(borrower.join(), Ok(true), "it has to look for it there");
    }

    #[test]
    fn an_ended_session_cannot_be_resumed() {
        let users = users();
        let take = |token: &str| users.take_over(token, 9, PATIENCE, |_| {}).is_ok();
        assert!(!take("alice"));
        let alice = claim(&users, "alice");
        let since = users.let_go(&alice, 1, None).expect("it was held").since;
        assert!(take("alice"));
        assert!(!users.expire(&alice, since), "somebody came back");
        let since = users.let_go(&alice, 9, None).expect("it was held").since;
        assert!(users.expire(&alice, since));
        assert!(!take("alice"));
        assert!(is_taken(&users, "alice"), "until it has left its room");
        users.end(&alice);
        assert!(!is_taken(&users, "alice"));
    }

    #[test]
    fn a_name_like_one_in_use_is_free() {
        let users = users();
        #[track_caller]
        fn check(users: &UserManager, taken: &str, expected: &str) {
            claim(users, taken);
            let free = users.free_name_like(&name(taken)).expect("there are more");
            assert_eq!(free.as_str(), expected);
        }
        check(&users, "철수", "철수-2");
        check(&users, "철수-2", "철수-3");
        check(&users, "alice", "alice-2");
        check(&users, "x-y", "x-y-2");
        // The maximum is 24 columns.
        check(&users, "일이삼사오육칠팔구십일이", "일이삼사오육칠팔구십일-2");
        for number in 2..=proposal::MOST_PROPOSED {
            claim(&users, &format!("bob-{number}"));
        }
        assert_eq!(users.free_name_like(&name("bob")), None);
    }

    #[test]
    fn only_a_session_without_a_connection_gives_way_to_its_name() {
        let users = users();
        let alice = claim(&users, "alice");
        claim(&users, "bob");
        let gives_way = |token: &str, text| users.expire_away(token, &name(text)).is_some();
        assert!(!gives_way("alice", "alice"), "a connection has it");
        users.let_go(&alice, 1, None).expect("it was held");
        assert!(!gives_way("bob", "alice") && !gives_way("nobody", "alice"));
        assert!(!gives_way("alice", "carol"), "another name");
        assert!(gives_way("alice", "aIice"));
        assert!(users.take_over("alice", 9, PATIENCE, |_| {}).is_err(), "it ends");
        assert!(is_taken(&users, "alice"), "until it has left its room");
        users.end(&alice);
        assert!(!is_taken(&users, "alice"));
    }

    #[test]
    fn the_number_of_waiting_sessions_is_limited() {
        let users = users();
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|ip| Some(IpAddr::from(ip)));
        let sessions = ["a1", "a2", "a3", "a4", "a5"].map(|name| claim(&users, name));
        let waits = |at: usize, address| users.let_go(&sessions[at], 1, address);
        assert!(waits(0, one).is_some());
        let let_go = waits(1, one).expect("there is place");
        assert!(waits(2, one).is_none(), "too many of one address");
        assert!(waits(2, other).is_some());
        assert!(waits(3, None).is_none(), "too many in all");
        assert!(users.take_over("a1", 7, PATIENCE, |_| {}).is_ok());
        assert!(users.expire(&sessions[1], let_go.since));
        assert!(waits(3, one).is_some());
        assert!(waits(4, one).is_some());
    }
}
