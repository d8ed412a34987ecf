//! What the scenario and its members share: where the servers are, who is there, and whether the
//! end has come.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// How many servers there are.
pub(super) const SERVERS: usize = 2;

/// The servers, and the members' progress.
pub(super) struct Places {
    /// Where each server listens, unless it is dead or stands still.
    addresses: Mutex<[Option<SocketAddr>; SERVERS]>,
    /// By member: whether it is on the server where it belongs.
    at_home: Vec<AtomicBool>,
    /// By member: how many of its lines were acknowledged.
    acked: Vec<AtomicU64>,
    is_over: AtomicBool,
    has_failed: AtomicBool,
    /// How many members have nothing more to say.
    silent: AtomicUsize,
}

impl Places {
    pub(super) fn new(members: usize) -> Places {
        Places {
            addresses: Mutex::default(),
            at_home: (0..members).map(|_| AtomicBool::new(false)).collect(),
            acked: (0..members).map(|_| AtomicU64::new(0)).collect(),
            is_over: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            silent: AtomicUsize::new(0),
        }
    }

    /// Says where a server is from now on.
    pub(super) fn place(&self, server: usize, address: Option<SocketAddr>) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)[server] = address;
    }

    pub(super) fn address(&self, server: usize) -> Option<SocketAddr> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)[server]
    }

    pub(super) fn note_home(&self, member: usize, is_home: bool) {
        self.at_home[member].store(is_home, Ordering::SeqCst);
    }

    pub(super) fn is_everybody_home(&self) -> bool {
        self.at_home.iter().all(|it| it.load(Ordering::SeqCst))
    }

    pub(super) fn count_ack(&self, member: usize) {
        self.acked[member].fetch_add(1, Ordering::SeqCst);
    }

    /// How many lines of each member were acknowledged.
    pub(super) fn acked(&self) -> Vec<u64> {
        self.acked.iter().map(|it| it.load(Ordering::SeqCst)).collect()
    }

    /// Tells members to say no more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Something is wrong: everybody gives up.
    pub(super) fn fail(&self) {
        self.has_failed.store(true, Ordering::SeqCst);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// A member has nothing more to say, and no line without an answer.
    pub(super) fn fall_silent(&self) {
        self.silent.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::SeqCst) == self.acked.len()
    }
}
