//! How this server comes to a new run of Redis: it offers what it has, and waits for the others.

use std::{
    sync::{Arc, Weak, atomic::AtomicU64},
    time::Duration,
};

use crossbeam_channel::Receiver;
use madang_protocol::room::RoomName;
use redis::{Connection, RedisResult};

use super::{
    hearer::announce_orders,
    keys::{self, BURIALS, RoomKeys, SERVERS, wake_channel},
    link::Link,
    orders::{self, OrderBook},
    restoring::{self, OfferedState},
    scripts,
    server::ClusterServer,
};
use crate::{clock, room::Room, session::nonces::NonceKey};

/// How long is waited for this server's sessions before the lease is renewed again.
const LOOK: Duration = Duration::from_millis(100);

/// What the keeper knows of the run of Redis that it is connected to.
pub(super) struct Gathering {
    pub(super) origin: u64,
    pub(super) last_seq: Arc<AtomicU64>,
    pub(super) nonce_key: NonceKey,
    pub(super) orders: Arc<OrderBook>,
    /// The states of rooms and the lesson, which were asked to offer them.
    pub(super) offers: Receiver<OfferedState>,
    pub(super) link: Arc<Link>,
    /// How long servers that are missing are waited for.
    pub(super) patience: Duration,
    pub(super) run: String,
    /// Whether this server has offered what it has.
    pub(super) has_offered: bool,
    /// Tells when Redis has its sessions again; none once it has.
    pub(super) sessions_kept: Option<Receiver<()>>,
    /// Whether rooms go on in this run.
    pub(super) has_begun: bool,
    /// The other servers in the last run, and the dead that were not buried, with the time when they
    /// were declared dead.
    pub(super) known: Vec<u64>,
    pub(super) burials: Vec<(u64, u64)>,
    /// The rooms that this server has restored.
    pub(super) restored: Vec<Weak<Room>>,
    /// Whether it has restored the lesson.
    pub(super) has_restored_lesson: bool,
}

impl Gathering {
    /// A connection leads to this run.
    pub(super) fn come_to(&mut self, run: String) {
        self.link.keep_to(&run);
        if self.run != run {
            (self.has_offered, self.has_begun) = (false, false);
            self.sessions_kept = None;
            self.run = run;
        }
    }

    /// Takes the next step of coming to the run, if there is one; false if rooms have gone on in it
    /// from less than this server has. `servers` are those that Redis knows, `burials` the dead
    /// among them that are not buried.
    pub(super) fn go_on(
        &mut self,
        connection: &mut Connection,
        server: &dyn ClusterServer,
        (servers, burials): (&[u64], &[(u64, u64, bool)]),
    ) -> RedisResult<bool> {
        if self.has_begun {
            self.known = servers.to_vec();
            self.burials = burials.iter().map(|(dead, at, _)| (*dead, *at)).collect();
            return Ok(true);
        }
        if !self.has_offered && !self.link.hears_run(&self.run) {
            // A room may still hear what the last run has published, and offers that next time. If the
            // hearer's Redis has become a replica of this one, this wakes it.
            redis::cmd("PUBLISH").arg(wake_channel(self.origin)).arg("").exec(connection)?;
            return Ok(true);
        }
        if !self.has_offered {
            if !self.offer(connection, server)? {
                return Ok(false);
            }
            let Some(kept) = server.claim_again() else { return Ok(true) };
            (self.has_offered, self.sessions_kept) = (true, Some(kept));
            self.link.note_offered(&self.run);
        }
        // Once rooms go on, somebody may need a session whose server is killed.
        if self.sessions_kept.as_ref().is_some_and(|kept| kept.recv_timeout(LOOK).is_err()) {
            return Ok(true);
        }
        self.sessions_kept = None;
        let (own, patience) = ((self.origin, server.rooms().highest_id()), self.patience);
        self.has_begun = restoring::arrive(connection, &self.run, own, patience)?;
        if self.has_begun {
            // After all have restored what they know: these may have been lifted since.
            if self.orders.hand_over(connection)? {
                announce_orders(connection, self.origin)?;
            }
            let take = |orders: Vec<_>| server.take_orders(&orders);
            self.orders.read(connection, clock::now(), take)?;
            self.tell_restored(server);
        }
        Ok(true)
    }

    /// What is appended now has all servers hear what was restored.
    fn tell_restored(&mut self, server: &dyn ClusterServer) {
        // The run's identifier is a long hexadecimal number.
        let number = u64::from_str_radix(self.run.get(..15).unwrap_or_default(), 16);
        for room in self.restored.drain(..).filter_map(|room| room.upgrade()) {
            server.tell_restored(&room, number.as_ref().copied().unwrap_or(1));
        }
        if std::mem::take(&mut self.has_restored_lesson) {
            server.lesson_restored();
        }
    }

    fn offer(
        &mut self,
        connection: &mut Connection,
        server: &dyn ClusterServer,
    ) -> RedisResult<bool> {
        let has_begun = restoring::has_begun(connection, &self.run)?;
        if !has_begun {
            scripts::keep_nonce_key(connection, self.nonce_key)?;
            for origin in &self.known {
                redis::cmd("HSETNX").arg(SERVERS).arg(*origin).arg("").exec(connection)?;
            }
            for (name, order) in server.orders() {
                orders::restore_order(connection, &name, &order)?;
            }
            self.restore_burials(connection, server)?;
        }
        for room in server.rooms().all() {
            // One that has ended offers nothing.
            let _ = room.offer();
            match self.restore_offered(connection, has_begun)? {
                None => return Ok(false),
                Some(false) => {}
                Some(true) => {
                    tracing::warn!(room = %room.name, "Redis has lost messages; they were restored");
                    self.restored.push(Arc::downgrade(&room));
                }
            }
        }
        server.rooms().lesson.offer();
        match self.restore_offered(connection, has_begun)? {
            None => return Ok(false),
            Some(is_restored) => self.has_restored_lesson |= is_restored,
        }
        Ok(true)
    }

    /// Has the burials go on that Redis may have lost, in all public rooms that are open here.
    fn restore_burials(
        &self,
        connection: &mut Connection,
        server: &dyn ClusterServer,
    ) -> RedisResult<()> {
        let names = server.rooms().public().into_iter();
        let names = names.filter_map(|room| RoomName::parse(&room.name).ok());
        let rooms: Vec<String> = names.map(|name| RoomKeys::of(&name).meta).collect();
        for (dead, declared) in &self.burials {
            let mut restore = redis::pipe();
            restore.cmd("SET").arg(keys::dead(*dead)).arg("declared").arg("NX").ignore();
            restore.cmd("HSETNX").arg(BURIALS).arg(*dead).arg(*declared).ignore();
            restore.cmd("SADD").arg(keys::rooms(*dead)).arg(&rooms).ignore();
            restore.exec(connection)?;
        }
        Ok(())
    }

    /// Restores what is offered, and returns whether that was necessary; none if the other servers
    /// have gone on without it.
    fn restore_offered(
        &self,
        connection: &mut Connection,
        has_begun: bool,
    ) -> RedisResult<Option<bool>> {
        let mut is_restored = false;
        for offered in self.offers.try_iter() {
            if offered.is_known(connection, &self.run)? {
                continue;
            }
            if has_begun {
                tracing::error!(what = %offered.name, "other servers have gone on without what \
                    this one has of a room or the lesson");
                return Ok(None);
            }
            is_restored |= offered.restore(connection, &self.run, (self.origin, &self.last_seq))?;
        }
        Ok(Some(is_restored))
    }
}
