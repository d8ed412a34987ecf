//! What all members share: the running server, the rooms and their keys, who is where, and how
//! far the run has come.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use madang_tests::Authority;

use crate::server::Addresses;

/// The public rooms, one of each kind of name.
pub(crate) const PUBLIC: [&str; 5] = ["lobby", "수학", "music", "미술", "games"];

/// How many rooms there are, private ones included.
pub(crate) const ROOMS: usize = 10;

/// How long whoever makes a private room may take before another tries.
const MAKING: Duration = Duration::from_secs(5);

/// How long a member listens for what a server has left behind. A system sends on what was in the
/// sockets of a killed process; a member with a small buffer that was full would read that for a
/// minute, 2 KiB each 200 ms.
const ECHO: Duration = Duration::from_secs(10);

/// A server that accepts connections.
#[derive(Clone)]
pub(crate) struct Open {
    /// Counts servers, from 0.
    pub(crate) epoch: u32,
    pub(crate) addresses: Addresses,
    /// Whether it has a certificate.
    pub(crate) is_encrypted: bool,
    pub(crate) authority: Arc<Authority>,
}

/// One of the ten rooms: a place that private rooms come to one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The room with this name.
    Public(&'static str),
    /// The room with this key; its mark is known by its index.
    Private { key: String, room: usize },
    /// A private room that is still to be made.
    Vacant,
}

/// The shared state.
pub(crate) struct Site {
    state: Mutex<SiteState>,
    changed: Condvar,
    is_over: AtomicBool,
    is_closed: AtomicBool,
    /// The teacher's code.
    pub(crate) code: String,
}

struct SiteState {
    open: Option<Open>,
    /// When each server so far was gone.
    gone: Vec<Instant>,
    private: Vec<PrivatePlace>,
    /// All rooms there have been, by index: names and marks.
    rooms: Vec<String>,
    /// By member: the name, and the index of the room.
    whereabouts: Vec<Option<(String, usize)>>,
    /// How many members wait for nothing any more.
    calm: usize,
}

#[derive(Clone)]
enum PrivatePlace {
    Vacant,
    /// Somebody is making it since then.
    Making(Instant),
    Known {
        key: String,
        room: usize,
    },
}

impl Site {
    pub(crate) fn new(members: usize, code: String) -> Site {
        let state = SiteState {
            open: None,
            gone: Vec::new(),
            private: vec![PrivatePlace::Vacant; ROOMS - PUBLIC.len()],
            rooms: PUBLIC.map(str::to_owned).to_vec(),
            whereabouts: vec![None; members],
            calm: 0,
        };
        Site {
            state: Mutex::new(state),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            code,
        }
    }

    /// A server is there.
    pub(crate) fn open(&self, open: Open) {
        let mut state = self.lock();
        state.open = Some(open);
        // Private rooms ended with the last server.
        state.private.fill(PrivatePlace::Vacant);
        self.changed.notify_all();
    }

    /// The server is gone.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        state.open = None;
        state.gone.push(Instant::now());
    }

    /// Whether this server has been gone for so long that nothing of it is worth waiting for.
    pub(crate) fn is_long_gone(&self, epoch: u32) -> bool {
        self.lock().gone.get(epoch as usize).is_some_and(|gone| gone.elapsed() > ECHO)
    }

    /// The server, waited for until `deadline` or the end of the run.
    pub(crate) fn server(&self, deadline: Instant) -> Option<Open> {
        let mut state = self.lock();
        while state.open.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_closed() {
                return None;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.open.clone()
    }

    /// One of the ten places. A vacant one is for the requester to make if `maker` says so and
    /// nobody else is making it.
    pub(crate) fn place(&self, number: usize, maker: bool) -> Place {
        if let Some(name) = PUBLIC.get(number) {
            return Place::Public(name);
        }
        let mut state = self.lock();
        let place = &mut state.private[number - PUBLIC.len()];
        match place {
            PrivatePlace::Known { key, room } => {
                return Place::Private { key: key.clone(), room: *room };
            }
            PrivatePlace::Making(since) if since.elapsed() < MAKING => {}
            PrivatePlace::Making(_) | PrivatePlace::Vacant if maker => {
                *place = PrivatePlace::Making(Instant::now());
                return Place::Vacant;
            }
            PrivatePlace::Making(_) | PrivatePlace::Vacant => {}
        }
        Place::Public(PUBLIC[0])
    }

    /// A private room is there.
    pub(crate) fn settle(&self, number: usize, key: &str, room: usize) {
        let place = PrivatePlace::Known { key: key.to_owned(), room };
        self.lock().private[number - PUBLIC.len()] = place;
    }

    /// The room with this key is no more.
    pub(crate) fn vacate(&self, gone: usize) {
        let mut state = self.lock();
        for place in &mut state.private {
            if matches!(place, PrivatePlace::Known { room, .. } if *room == gone) {
                *place = PrivatePlace::Vacant;
            }
        }
    }

    /// The index of a room.
    pub(crate) fn room(&self, name: &str) -> usize {
        let mut state = self.lock();
        state.rooms.iter().position(|it| it == name).unwrap_or_else(|| {
            state.rooms.push(name.to_owned());
            state.rooms.len() - 1
        })
    }

    /// How many rooms there have been.
    pub(crate) fn rooms(&self) -> usize {
        self.lock().rooms.len()
    }

    /// A member has this name and is in this room, or in none.
    pub(crate) fn note(&self, member: usize, now: Option<(String, usize)>) {
        self.lock().whereabouts[member] = now;
    }

    /// The name of another member of a room, the `choice`-th if there are so many.
    pub(crate) fn neighbour(&self, member: usize, room: usize, choice: u64) -> Option<String> {
        let state = self.lock();
        let others = state.whereabouts.iter().enumerate();
        let names: Vec<&String> = others
            .filter(|(number, _)| *number != member)
            .filter_map(|(_, now)| now.as_ref().filter(|(_, at)| *at == room))
            .map(|(name, _)| name)
            .collect();
        let choice = choice % (names.len() as u64).max(1);
        names.get(choice as usize).map(|name| (*name).clone())
    }

    /// Nothing new is begun from now on.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Waits until nothing new is begun, but not longer than this.
    pub(crate) fn wait_for_end(&self, time: Duration) {
        let goes_on = |_: &mut SiteState| !self.is_over();
        let _ended = self.changed.wait_timeout_while(self.lock(), time, goes_on);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// All go from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        drop(self.lock());
        self.changed.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// A member waits for nothing any more.
    pub(crate) fn calm_down(&self) {
        self.lock().calm += 1;
        self.changed.notify_all();
    }

    /// Waits until so many members wait for nothing any more, but not longer than this. Returns
    /// how many they are.
    pub(crate) fn wait_for_calm(&self, members: usize, time: Duration) -> usize {
        let is_busy = |state: &mut SiteState| state.calm < members;
        let waited = self.changed.wait_timeout_while(self.lock(), time, is_busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.calm
    }

    fn lock(&self) -> MutexGuard<'_, SiteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
