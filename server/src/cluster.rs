//! Several machines as one chat (`--cluster`): Redis puts each room's ops in order, and every
//! machine that has members in the room carries them out.
//!
//! [`uplink`] writes what rooms append, [`hearer`] hands the entries of all machines to the
//! rooms, [`scripts`] holds the atomic Redis scripts, and [`keys`] the names of keys and
//! channels.
//!
//! # Guarantees
//!
//! 1. Each entry that a room appends is put in order once, however often it is sent.
//! 2. A room hears each entry once, in the order of their numbers.
//! 3. No pump waits for Redis.

use std::{
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded, unbounded};
use madang_protocol::room::RoomName;

use self::{
    connection::Redis,
    hearer::Follow,
    keys::RoomKeys,
    uplink::{LogPlace, Sending, UPLINKS, Uplink},
};
use crate::{
    room::{
        Room,
        log::{OpenLog, RoomLog, RoomLogs, SharedRoom, Snapshot, Unreachable},
    },
    session::nonces::NonceKey,
    sync::Mutex,
};

mod connection;
mod keys;
mod scripts;
mod uplink;
mod hearer;

/// How long the hearer may take to end.
const LAST_WORD: Duration = Duration::from_millis(500);

/// A server's cluster settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where Redis, or Valkey, is: `redis://HOST`, or `rediss://` over TLS.
    pub url: String,
    /// Accept a Redis that loses its data when it restarts. Default: false.
    pub volatile: bool,
    /// How long messages may wait for an unreachable Redis before members are told and new
    /// messages are refused. Default: 10 s.
    pub patience: Duration,
}

impl ClusterConfig {
    /// The default settings for an address.
    pub fn at(url: &str) -> ClusterConfig {
        let patience = Duration::from_secs(10);
        ClusterConfig { url: url.to_owned(), volatile: false, patience }
    }
}

/// Why a server can't join the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Not a valid address.
    #[error("not the address of a Redis: {0}")]
    Address(String),
    /// Nothing answers there, or it is not Redis.
    #[error("failed to reach Redis at {address}: {cause}")]
    Unreachable {
        /// The address, without the password.
        address: String,
        /// What happened.
        cause: String,
    },
    /// This Redis lacks a feature that is needed.
    #[error("Redis {version} is too old: 6.2 is needed, or Valkey")]
    Version {
        /// Its version.
        version: String,
    },
    /// It evicts keys.
    #[error(
        "this Redis drops what it has when its memory is full (maxmemory-policy {policy}): set \
         it to noeviction"
    )]
    Eviction {
        /// Its eviction policy.
        policy: String,
    },
    /// It saves nothing to disk.
    #[error(
        "this Redis keeps nothing over a restart: turn on appendonly, or accept that with \
         --cluster-volatile"
    )]
    Volatile,
    /// The system can't start another thread.
    #[error("failed to start the cluster's threads: {0}")]
    Threads(#[from] io::Error),
}

/// This server's part in a cluster.
pub(crate) struct Cluster {
    redis: Redis,
    /// Identifies this run of this server.
    origin: u64,
    /// The secret for hashes of nonces, shared by all servers.
    pub(crate) nonce_key: NonceKey,
    last_seq: Arc<AtomicU64>,
    jobs: Vec<Sender<Sending>>,
    follows: Sender<Follow>,
    threads: Mutex<Option<ClusterThreads>>,
}

struct ClusterThreads {
    /// Dropped to end the hearer, and then the uplinks.
    stops: [Sender<()>; 2],
    uplinks: Vec<JoinHandle<()>>,
    hearer: JoinHandle<()>,
}

impl Cluster {
    /// Connects and starts the threads.
    ///
    /// # Errors
    ///
    /// [`ClusterError`].
    pub(crate) fn start(config: &ClusterConfig) -> Result<Cluster, ClusterError> {
        let redis = Redis::at(&config.url)?;
        let mut connection = redis.check(config)?;
        let nonce_key = scripts::nonce_key(&mut connection).map_err(|it| redis.unreachable(&it))?;
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).expect("a system that has started has random bits");
        let origin = u64::from_ne_bytes(bits);
        let (stop_hearer, hearer_stopped) = bounded(0);
        let (stop, stopped) = bounded(0);
        let (follows, requests) = unbounded();
        let uplinks: Vec<Uplink> = (0..UPLINKS)
            .map(|number| {
                uplink::start_uplink(
                    redis.clone(),
                    origin,
                    number,
                    config.patience,
                    stopped.clone(),
                )
            })
            .collect::<Result<_, io::Error>>()?;
        let hearer = hearer::start_hearer(redis.clone(), origin, requests, hearer_stopped)?;
        let (jobs, uplinks) = uplinks.into_iter().map(|it| (it.jobs, it.thread)).unzip();
        let threads =
            Mutex::new(Some(ClusterThreads { stops: [stop_hearer, stop], uplinks, hearer }));
        let last_seq = Arc::default();
        Ok(Cluster { redis, origin, nonce_key, last_seq, jobs, follows, threads })
    }

    /// Writes what is queued, as far as Redis accepts it, and ends the threads.
    pub(crate) fn stop(&self) {
        let Some(ClusterThreads { stops, uplinks, hearer }) = self.threads.lock().take() else {
            return;
        };
        let [stop_hearer, stop] = stops;
        drop(stop_hearer);
        // It waits for messages; this is the last.
        let _ = self.jobs[0].send(Sending::Wake);
        drop(stop);
        for thread in uplinks {
            if thread.join().is_err() {
                tracing::error!("a thread of the cluster had panicked");
            }
        }
        let deadline = Instant::now() + LAST_WORD;
        while !hearer.is_finished() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // A hearer that still waits for Redis ends with the process.
        if hearer.is_finished() && hearer.join().is_err() {
            tracing::error!("the hearer had panicked");
        }
    }
}

impl RoomLogs for Cluster {
    fn open(&self, name: &RoomName) -> Result<SharedRoom, Unreachable> {
        let keys = RoomKeys::of(name);
        let opened = self.redis.connect().and_then(|mut connection| {
            scripts::open_room(&mut connection, &keys, name, self.nonce_key)
        });
        let opened = opened.map_err(|error| {
            tracing::warn!(%error, "failed to open a room in Redis");
            Unreachable
        })?;
        let quarter = (opened.first % UPLINKS as u64) as usize;
        let log = Arc::new(Log {
            origin: self.origin,
            place: Arc::new(LogPlace { keys, first: opened.first }),
            last_seq: self.last_seq.clone(),
            jobs: self.jobs[quarter].clone(),
            follows: self.follows.clone(),
            room: Mutex::default(),
        });
        Ok(SharedRoom { name: opened.name, open: OpenLog { log, snapshot: opened.snapshot } })
    }
}

/// The log of one room.
struct Log {
    origin: u64,
    place: Arc<LogPlace>,
    last_seq: Arc<AtomicU64>,
    jobs: Sender<Sending>,
    follows: Sender<Follow>,
    room: Mutex<Weak<Room>>,
}

impl Log {
    fn send(&self, job: Sending) {
        // Once the threads have ended, nothing is written.
        let _ = self.jobs.send(job);
    }
}

impl RoomLog for Log {
    fn origin(&self) -> u64 {
        self.origin
    }

    fn append(&self, body: Vec<u8>) -> u64 {
        let seq = self.last_seq.fetch_add(1, Ordering::Relaxed) + 1;
        let (place, room) = (self.place.clone(), self.room.lock().clone());
        self.send(Sending::Append { place, seq, body, room });
        seq
    }

    fn keep(&self, snapshot: Snapshot) {
        self.send(Sending::Keep { place: self.place.clone(), snapshot: Box::new(snapshot) });
    }

    fn end(&self, next_id: u64) {
        self.send(Sending::End { place: self.place.clone(), next_id });
    }

    fn follow(&self, room: &Arc<Room>, from: u64) {
        let (keys, room) = (self.place.keys.clone(), Arc::downgrade(room));
        *self.room.lock() = room.clone();
        let _ = self.follows.send(Follow { keys, room, next: from });
        self.send(Sending::Wake);
    }
}
