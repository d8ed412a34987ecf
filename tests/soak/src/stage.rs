//! The state shared by members and scenario: the server's address, the number of acks, who has
//! resumed, and when a round is over.

use std::{
    net::SocketAddr,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long one side waits for another before that counts as a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The state of a round.
pub(crate) struct Stage {
    state: Mutex<State>,
    changed: Condvar,
    acked: AtomicU64,
    /// By room, the highest acknowledged id.
    highest: Vec<AtomicU64>,
    has_failed: AtomicBool,
    /// The number of acks that the scenario waits for.
    wanted_acks: AtomicU64,
    members: usize,
}

struct State {
    /// The server's number, counted from 1, and its address.
    server: (u64, SocketAddr),
    /// How many members have resumed on this server.
    present: usize,
    /// How many members have nothing more to send in this round.
    silent: usize,
    /// Whether all lines were sent: only the rest of the acknowledged lines is still to arrive.
    is_over: bool,
}

impl Stage {
    /// For this many members and rooms, all connected to the server at `address`.
    pub(crate) fn new(members: usize, rooms: usize, address: SocketAddr) -> Stage {
        let state = State { server: (1, address), present: members, silent: 0, is_over: false };
        Stage {
            state: Mutex::new(state),
            changed: Condvar::new(),
            acked: AtomicU64::new(0),
            highest: (0..rooms).map(|_| AtomicU64::new(0)).collect(),
            has_failed: AtomicBool::new(false),
            wanted_acks: AtomicU64::new(u64::MAX),
            members,
        }
    }

    /// Begins a round.
    pub(crate) fn begin_round(&self) {
        let mut state = self.lock();
        (state.silent, state.is_over) = (0, false);
        self.acked.store(0, Ordering::SeqCst);
    }

    /// Publishes the address of the next server.
    pub(crate) fn move_to(&self, address: SocketAddr) {
        let mut state = self.lock();
        state.server = (state.server.0 + 1, address);
        state.present = 0;
        self.changed.notify_all();
    }

    /// Waits until this many lines were acknowledged in this round.
    pub(crate) fn wait_for_acks(&self, count: u64) -> Result<()> {
        self.wanted_acks.store(count, Ordering::SeqCst);
        self.wait("acknowledge what is said", |_| {
            (self.acked.load(Ordering::SeqCst) >= count).then_some(())
        })
    }

    /// Waits until no member has anything more to send.
    pub(crate) fn wait_for_silence(&self) -> Result<()> {
        self.wait("acknowledge all that was said", |state| {
            (state.silent == self.members).then_some(())
        })
    }

    /// Ends the round: members finish when they have received the last acknowledged line.
    pub(crate) fn end_round(&self) {
        self.lock().is_over = true;
    }

    /// Counts acks of lines in a room; the last one has this id.
    pub(crate) fn count_acks(&self, room: usize, count: u64, last: u64) {
        self.highest[room].fetch_max(last, Ordering::SeqCst);
        let before = self.acked.fetch_add(count, Ordering::SeqCst);
        let wanted = self.wanted_acks.load(Ordering::SeqCst);
        if before < wanted && before + count >= wanted {
            // Waiting threads check the count under the lock.
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    /// A member has nothing more to send.
    pub(crate) fn fall_silent(&self) {
        self.lock().silent += 1;
        self.changed.notify_all();
    }

    /// The id that a member of this room must have seen before the round is over, once it is
    /// known.
    pub(crate) fn goal(&self, room: usize) -> Option<u64> {
        self.lock().is_over.then(|| self.highest[room].load(Ordering::SeqCst))
    }

    /// Waits for a server with a higher number than `after`.
    pub(crate) fn next_server(&self, after: u64) -> Result<(u64, SocketAddr)> {
        self.wait("come back", |state| (state.server.0 > after).then_some(state.server))
    }

    /// A member has resumed. Waits for all others, so that none of them misses a line.
    pub(crate) fn arrive(&self) -> Result<()> {
        self.lock().present += 1;
        self.changed.notify_all();
        self.wait("let everybody come back", |state| (state.present == self.members).then_some(()))
    }

    /// Something is wrong: all waits end.
    pub(crate) fn fail(&self) {
        self.has_failed.store(true, Ordering::SeqCst);
        drop(self.lock());
        self.changed.notify_all();
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    fn wait<T>(&self, what: &str, ready: impl Fn(&State) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(found) = ready(&state) {
                return Ok(found);
            }
            if self.has_failed() {
                bail!("given up, because another has failed");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("the server does not {what} within {PATIENCE:?}");
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
