//! How this server comes to a new run of Redis: it offers what it has, and waits for the others.

use std::{
    sync::{Arc, Weak, atomic::AtomicU64},
    time::Duration,
};

use crossbeam_channel::Receiver;
use redis::{Connection, RedisResult};

use super::{
    keys::SERVERS,
    restoring::{self, OfferedRoom},
    scripts,
    server::ClusterServer,
};
use crate::{room::Room, session::nonces::NonceKey};

/// What the keeper knows of the run of Redis that it is connected to.
pub(super) struct Gathering {
    pub(super) origin: u64,
    pub(super) last_seq: Arc<AtomicU64>,
    pub(super) nonce_key: NonceKey,
    /// The states of rooms that were asked to offer them.
    pub(super) offers: Receiver<OfferedRoom>,
    /// How long servers that are missing are waited for.
    pub(super) patience: Duration,
    pub(super) run: String,
    /// Whether this server has offered what it has.
    pub(super) has_offered: bool,
    /// Whether rooms go on in this run.
    pub(super) has_begun: bool,
    /// The other servers in the last run.
    pub(super) known: Vec<u64>,
    /// The rooms that this server has restored.
    pub(super) restored: Vec<Weak<Room>>,
}

impl Gathering {
    /// A connection leads to this run.
    pub(super) fn come_to(&mut self, run: String) {
        if self.run != run {
            (self.has_offered, self.has_begun) = (false, false);
            self.run = run;
        }
    }

    /// Takes the next step of coming to the run, if there is one; false if rooms have gone on in it
    /// from less than this server has. `servers` are those that Redis knows.
    pub(super) fn go_on(
        &mut self,
        connection: &mut Connection,
        server: &dyn ClusterServer,
        servers: &[u64],
    ) -> RedisResult<bool> {
        if self.has_begun {
            self.known = servers.to_vec();
            return Ok(true);
        }
        if !self.has_offered && !self.offer(connection, server)? {
            return Ok(false);
        }
        self.has_offered = true;
        self.has_begun = restoring::arrive(connection, &self.run, self.origin, self.patience)?;
        if self.has_begun {
            // The run's identifier is a long hexadecimal number.
            let number = u64::from_str_radix(self.run.get(..15).unwrap_or_default(), 16);
            for room in self.restored.drain(..).filter_map(|room| room.upgrade()) {
                server.tell_restored(&room, number.as_ref().copied().unwrap_or(1));
            }
        }
        Ok(true)
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
        }
        for room in server.rooms().all() {
            // One that has ended offers nothing.
            let _ = room.offer();
            for offered in self.offers.try_iter() {
                if offered.is_known(connection, &self.run)? {
                    continue;
                }
                if has_begun {
                    tracing::error!(room = %room.name, "other servers have gone on without what \
                        this one has of a room");
                    return Ok(false);
                }
                if offered.restore(connection, &self.run, (self.origin, &self.last_seq))? {
                    tracing::warn!(room = %room.name, "Redis has lost messages; they were restored");
                    self.restored.push(Arc::downgrade(&room));
                }
            }
        }
        if !has_begun {
            server.claim_again();
        }
        Ok(true)
    }
}
