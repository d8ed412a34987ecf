//! What members and scenario tell each other: where the server is, how much has been
//! acknowledged, who is back, and when a round is over.

use std::{
    net::SocketAddr,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long anybody waits for another before it is called a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The state of a round.
pub(crate) struct Stage {
    state: Mutex<State>,
    changed: Condvar,
    acked: AtomicU64,
    /// By room, the highest id that was acknowledged.
    highest: Vec<AtomicU64>,
    has_failed: AtomicBool,
    /// At this many acks the scenario wants to know.
    wanted_acks: AtomicU64,
    members: usize,
}

struct State {
    /// Where the server is, and which one it is: counted from 1.
    server: (u64, SocketAddr),
    /// How many members are back at this server.
    present: usize,
    /// How many have nothing more to say in this round.
    silent: usize,
    /// Whether all has been said: what was acknowledged last is all that is still to be heard.
    is_over: bool,
}

impl Stage {
    /// For so many members of so many rooms, all of them connected to this server.
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

    /// Tells members where the server is now.
    pub(crate) fn move_to(&self, address: SocketAddr) {
        let mut state = self.lock();
        state.server = (state.server.0 + 1, address);
        state.present = 0;
        self.changed.notify_all();
    }

    /// Waits until so many says were acknowledged in this round.
    pub(crate) fn wait_for_acks(&self, count: u64) -> Result<()> {
        self.wanted_acks.store(count, Ordering::SeqCst);
        self.wait("acknowledge what is said", |_| {
            (self.acked.load(Ordering::SeqCst) >= count).then_some(())
        })
    }

    /// Waits until nobody has anything more to say.
    pub(crate) fn wait_for_silence(&self) -> Result<()> {
        self.wait("acknowledge all that was said", |state| {
            (state.silent == self.members).then_some(())
        })
    }

    /// Ends the round for whoever has heard what was acknowledged last.
    pub(crate) fn end_round(&self) {
        self.lock().is_over = true;
    }

    /// Says in a room were acknowledged, the last of them with this id.
    pub(crate) fn count_acks(&self, room: usize, count: u64, last: u64) {
        self.highest[room].fetch_max(last, Ordering::SeqCst);
        let before = self.acked.fetch_add(count, Ordering::SeqCst);
        let wanted = self.wanted_acks.load(Ordering::SeqCst);
        if before < wanted && before + count >= wanted {
            // Whoever waits looks at the count under the lock.
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    /// A member has nothing more to say.
    pub(crate) fn fall_silent(&self) {
        self.lock().silent += 1;
        self.changed.notify_all();
    }

    /// The id that has to be heard in a room before the round is over, once it is known.
    pub(crate) fn goal(&self, room: usize) -> Option<u64> {
        self.lock().is_over.then(|| self.highest[room].load(Ordering::SeqCst))
    }

    /// Waits for a server after the one of this number.
    pub(crate) fn next_server(&self, after: u64) -> Result<(u64, SocketAddr)> {
        self.wait("come back", |state| (state.server.0 > after).then_some(state.server))
    }

    /// A member is back; waits for all others, so that nobody misses what was said before.
    pub(crate) fn arrive(&self) -> Result<()> {
        self.lock().present += 1;
        self.changed.notify_all();
        self.wait("let everybody come back", |state| (state.present == self.members).then_some(()))
    }

    /// Something is wrong: nobody waits any longer.
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
