//! Several machines as one chat (`--cluster`): Redis puts each room's ops in order, and every
//! machine that has members in the room carries them out.
//!
//! [`uplink`] writes what rooms append, [`hearer`] hands the entries of all machines to the
//! rooms, [`scripts`] holds the atomic Redis scripts, and [`keys`] the names of keys and
//! channels. A room has its [`place`] in Redis, and what is private is [`sealed`] there. Of a server
//! that archives, an [`archivist`] has all public rooms opened.
//!
//! # Guarantees
//!
//! 1. Each entry that a room appends is put in order once, however often it is sent.
//! 2. A room hears each entry once, in the order of their numbers.
//! 3. No pump waits for Redis.

use std::{
    io,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, AtomicUsize},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use madang_protocol::{
    event::Time,
    name::UserName,
    room::{RoomKey, RoomName},
};
use redis::{Connection, ErrorKind, RedisResult};

pub use self::config::{ClusterConfig, ClusterError};
use self::{
    answering::Answerer,
    connection::Redis,
    control::{Answers, Control, Once},
    gathering::Gathering,
    hearer::{ControlLine, Hearing},
    keys::RoomKeys,
    leases::{Lease, Timing},
    link::Link,
    orders::{OrderBook, StandingOrder},
    place::LogPlace,
    restoring::OfferedState,
    room_log::Log,
    scripts::{KeptState, StoredRoom},
    server::{ClusterServer, OwnServer},
    sessions::Sessions,
    uplink::{Sending, UPLINKS, Uplink},
};
use crate::{
    clock,
    metrics::Metrics,
    room::log::{OpenLog, SharedRoom, Unreachable},
    session::{nonces::NonceKey, user_manager::SharedNames},
    sync::Mutex,
};

mod config;
mod connection;
pub(crate) mod keys;
mod sealed;
pub(crate) mod control;
mod place;
mod room_log;
mod opening;
mod scripts;
pub(crate) mod server;
mod keeping;
mod uplink;
mod hearer;
mod answering;
mod archivist;
mod guard;
mod explanation;
mod kicks;
pub(crate) mod ended_rooms;
mod leases;
mod link;
mod restoring;
mod gathering;
mod names;
pub(crate) mod orders;
pub(crate) mod lessons;
pub(crate) mod sessions;
mod session_records;

/// How long the hearer may take to end.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Of what the log of a room may have, its state is kept after this part, so that there is one to
/// trim to when the log is full.
const KEPT_PARTS: u64 = 8;

/// How long a server that starts waits before it looks again whether rooms go on.
const PAUSE: Duration = Duration::from_millis(50);

/// This server's part in a cluster.
pub(crate) struct Cluster {
    redis: Redis,
    /// Identifies this run of this server.
    origin: u64,
    /// The secret for hashes of nonces, shared by all servers.
    pub(crate) nonce_key: NonceKey,
    last_seq: Arc<AtomicU64>,
    jobs: Vec<Sender<Sending>>,
    follows: Sender<Hearing>,
    /// After how many entries, and how many bytes of them, a room's state is kept.
    kept_after: (u64, u64),
    /// Which state a public room is opened with.
    wanted: KeptState,
    server: OwnServer,
    node: String,
    timing: Timing,
    link: Arc<Link>,
    control: Arc<Control>,
    /// How many rooms have ended here whose end Redis has still to take.
    ending: Arc<AtomicUsize>,
    orders: Arc<OrderBook>,
    /// The names of all servers' sessions.
    pub(crate) names: Arc<dyn SharedNames>,
    /// Its sessions, for the other servers.
    pub(crate) sessions: Sessions,
    /// The run of Redis in which this server started.
    run: String,
    /// The states of rooms and the lesson, which were asked for them.
    offers: (Sender<OfferedState>, Receiver<OfferedState>),
    threads: Mutex<Option<ClusterThreads>>,
    keeper: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
    /// The secret that seals the lesson in Redis.
    lesson: OnceLock<RoomKey>,
}

struct ClusterThreads {
    /// Dropped to end the hearer, and then the uplinks.
    stops: [Sender<()>; 2],
    /// The uplinks, and the threads for names and sessions.
    writers: Vec<JoinHandle<()>>,
    /// The hearer, and the answerer.
    hearers: [JoinHandle<()>; 2],
}

impl Cluster {
    /// Connects and starts the threads. A server that `archives` follows every public room.
    ///
    /// # Errors
    ///
    /// [`ClusterError`].
    pub(crate) fn start(
        config: &ClusterConfig,
        archives: bool,
        metrics: &Arc<Metrics>,
    ) -> Result<Cluster, ClusterError> {
        let redis = Redis::at(&config.url, config.password.as_deref())?;
        let mut connection = redis.check(config)?;
        let nonce_key = scripts::nonce_key(&mut connection).map_err(|it| redis.unreachable(&it))?;
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).expect("a system that has started has random bits");
        let origin = u64::from_ne_bytes(bits);
        let (node, link) = (config.node.clone(), Arc::new(Link::new()));
        let timing = Timing { lease: config.lease, settling: config.settling };
        let lease = Lease {
            redis: redis.clone(),
            origin,
            name: node.clone(),
            timing,
            archives,
            link: link.clone(),
        };
        let begin = |connection: &mut Connection| {
            // If Redis has been restarted, the others first restore what it may have lost.
            loop {
                lease.take(connection)?;
                let run = connection::run_of(connection)?;
                if restoring::arrive(connection, &run, (origin, 0), config.lease)? {
                    return RedisResult::Ok(run);
                }
                std::thread::park_timeout(PAUSE);
            }
        };
        let run = begin(&mut connection).map_err(|it| redis.unreachable(&it))?;
        link.note_offered(&run);
        let (stop_hearer, hearer_stopped) = bounded(0);
        let (stop, stopped) = bounded(0);
        let (follows, requests) = unbounded();
        let uplinks: Vec<Uplink> = (0..UPLINKS)
            .map(|number| {
                uplink::start_uplink(
                    redis.clone(),
                    origin,
                    number,
                    config,
                    stopped.clone(),
                    metrics.clone(),
                )
            })
            .collect::<Result<_, io::Error>>()?;
        let server = OwnServer::default();
        let control = Arc::new(Control::new(redis.clone(), origin));
        let start_archivist =
            || archivist::start_archivist(redis.clone(), server.clone(), stopped.clone());
        let (bell, archiving) = archives.then(start_archivist).transpose()?.unzip();
        let orders: Arc<OrderBook> = Arc::default();
        let answerer = Answerer {
            control: control.clone(),
            server: server.clone(),
            jobs: uplinks[0].jobs.clone(),
        };
        let (slow, answering) = answering::start_answering(answerer.clone(), stopped.clone())?;
        let line = ControlLine { answerer, slow, orders: orders.clone(), bell };
        let hearer = hearer::start_hearer(
            redis.clone(),
            origin,
            server.clone(),
            line,
            (requests, hearer_stopped),
            (link.clone(), metrics.clone()),
        )?;
        let (names, naming) = names::start_names(redis.clone(), origin, stopped.clone())?;
        let last_seq: Arc<AtomicU64> = Arc::default();
        let (sessions, keeping) = sessions::start_sessions(
            redis.clone(),
            origin,
            last_seq.clone(),
            control.clone(),
            server.clone(),
            stopped,
        )?;
        let (jobs, mut writers): (_, Vec<_>) =
            uplinks.into_iter().map(|it| (it.jobs, it.thread)).unzip();
        writers.extend([naming, keeping]);
        writers.extend(archiving);
        let hearers = [hearer, answering];
        let threads =
            Mutex::new(Some(ClusterThreads { stops: [stop_hearer, stop], writers, hearers }));
        Ok(Cluster {
            redis,
            origin,
            nonce_key,
            last_seq,
            jobs,
            follows,
            kept_after: (config.entries_kept_after, config.log_bytes / KEPT_PARTS),
            wanted: if archives { KeptState::First } else { KeptState::Last },
            server,
            node,
            timing,
            link,
            control,
            ending: Arc::default(),
            orders,
            names: Arc::new(names),
            sessions,
            run,
            offers: unbounded(),
            threads,
            keeper: Mutex::default(),
            lesson: OnceLock::new(),
        })
    }

    /// Asks all other servers, and blocks until all have answered, or `is_enough` is true of an
    /// answer, or a moment has passed. Repeated as the same `once`, it has its effect once.
    pub(crate) fn ask(
        &self,
        question: &[u8],
        once: Option<Once>,
        is_enough: &dyn Fn(&[u8]) -> bool,
    ) -> Answers {
        self.control.ask(question, once, is_enough)
    }

    /// Whether a server that is alive has claimed this name, perhaps this one; false if Redis can't
    /// be reached.
    pub(crate) fn is_claimed(&self, name: &UserName) -> bool {
        let is_claimed = self.control.use_connection(|connection| {
            let Some(by) = names::claimed_by(connection, name)? else { return Ok(false) };
            redis::cmd("EXISTS").arg(keys::lease(by)).query(connection)
        });
        is_claimed.unwrap_or(false)
    }

    /// The public rooms that the server has opened, or had opened, that has claimed this name; none
    /// if no other server has, or Redis can't be reached.
    pub(crate) fn rooms_of_bearer(&self, name: &UserName) -> Option<Vec<RoomName>> {
        let rooms = self.control.use_connection(|connection| {
            let by = names::claimed_by(connection, name)?.filter(|by| *by != self.origin);
            let Some(by) = by else { return Ok(None) };
            let rooms: Vec<String> =
                redis::cmd("SMEMBERS").arg(keys::rooms(by)).query(connection)?;
            Ok(Some(rooms.iter().filter_map(|meta| RoomKeys::room_of(meta)).collect()))
        });
        rooms.inspect_err(|error| tracing::warn!(%error, "failed to look for a name")).ok()?
    }

    /// The time by Redis's clock, as events have it.
    ///
    /// # Errors
    ///
    /// If Redis can't be reached.
    pub(crate) fn time(&self) -> Result<Time, Unreachable> {
        self.control.use_connection(scripts::time).map_err(|_| Unreachable)
    }

    /// Takes an order of the operator under this name, or lifts it, to be kept in Redis. Never
    /// blocks.
    pub(crate) fn note_order(&self, name: &str, order: Option<StandingOrder>) {
        self.orders.note(name, order);
    }

    /// Has Redis keep the orders that were noted, for servers that start later; false if they wait
    /// until it is back.
    pub(crate) fn hand_orders_over(&self) -> bool {
        let kept = self.control.use_connection(|connection| {
            // Before all have come to it, others may give it again what is lifted now.
            match restoring::goes_on(connection)? {
                true => self.orders.hand_over(connection),
                false => Err((ErrorKind::Io, "servers gather after a restart").into()),
            }
        });
        kept.inspect_err(|error| tracing::warn!(%error, "failed to keep an order")).is_ok()
    }

    /// Has the other servers read the orders again that Redis keeps.
    pub(crate) fn announce_orders(&self) {
        let announced = self.control.use_connection(|it| hearer::announce_orders(it, self.origin));
        if let Err(error) = announced {
            tracing::warn!(%error, "failed to have the other servers read the orders");
        }
    }

    /// Has the cluster's threads know the server that they work for, and the server the orders
    /// that hold.
    ///
    /// # Errors
    ///
    /// If Redis can't be reached any more.
    pub(crate) fn serve(&self, server: Weak<dyn ClusterServer>) -> Result<(), ClusterError> {
        self.server.set(server);
        let take = |orders: Vec<StandingOrder>| {
            self.server.get().into_iter().for_each(|server| server.begin_with_orders(&orders));
        };
        let read = |it: &mut Connection| self.orders.read(it, clock::now(), take);
        self.control.use_connection(read).map_err(|error| self.redis.unreachable(&error))
    }

    /// Begins to renew this server's lease, and to bury others.
    ///
    /// # Errors
    ///
    /// If there is no thread left for it.
    pub(crate) fn keep_lease(&self) -> Result<(), ClusterError> {
        let (stop, stopped) = bounded(0);
        let lease = Lease {
            redis: self.redis.clone(),
            origin: self.origin,
            name: self.node.clone(),
            timing: self.timing,
            archives: self.wanted == KeptState::First,
            link: self.link.clone(),
        };
        let gathering = Gathering {
            origin: self.origin,
            last_seq: self.last_seq.clone(),
            nonce_key: self.nonce_key,
            orders: self.orders.clone(),
            offers: self.offers.1.clone(),
            link: self.link.clone(),
            patience: self.timing.lease,
            run: self.run.clone(),
            has_offered: true,
            sessions_kept: None,
            has_begun: true,
            known: Vec::new(),
            burials: Vec::new(),
            restored: Vec::new(),
            has_restored_lesson: false,
        };
        let keeper = leases::start_keeper(lease, self.server.clone(), gathering, stopped)?;
        *self.keeper.lock() = Some((stop, keeper));
        Ok(())
    }

    /// Identifies the cluster, by what all its servers know and nobody else can tell; a Redis that
    /// has lost everything gets it back from them.
    pub(crate) fn id(&self) -> String {
        let (low, high) = self.nonce_key.parts();
        let digest =
            ring::digest::digest(&ring::digest::SHA256, format!("{low} {high}").as_bytes());
        digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Identifies this run of this server.
    pub(crate) fn origin(&self) -> u64 {
        self.origin
    }

    /// Whether it reaches Redis, and the other servers don't take it for dead.
    pub(crate) fn is_linked(&self) -> bool {
        self.link.is_linked()
    }

    /// Whether the other servers have taken this one for dead.
    pub(crate) fn is_fenced(&self) -> bool {
        self.link.is_fenced()
    }

    /// Where it is said that the other servers took it for dead.
    pub(crate) fn fenced(&self) -> Receiver<()> {
        self.link.fenced()
    }

    /// Where Redis is, and how many servers there are with this one.
    pub(crate) fn size(&self) -> (&str, usize) {
        (&self.redis.address, self.link.servers())
    }

    /// Writes what is queued, as far as Redis accepts it, ends the threads, and gives the lease
    /// up.
    pub(crate) fn stop(&self) {
        let Some(ClusterThreads { stops, writers, hearers }) = self.threads.lock().take() else {
            return;
        };
        let [stop_hearer, stop] = stops;
        drop(stop_hearer);
        // It waits for messages; this is the last.
        let _ = self.jobs[0].send(Sending::Wake);
        drop(stop);
        for thread in writers {
            if thread.join().is_err() {
                tracing::error!("a thread of the cluster had panicked");
            }
        }
        let keeper = self.keeper.lock().take().map(|(stop, keeper)| {
            drop(stop);
            keeper
        });
        let deadline = Instant::now() + LAST_WORD;
        for thread in keeper.into_iter().chain(hearers) {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            // One that still waits for Redis ends with the process.
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a thread of the cluster had panicked");
            }
        }
    }
}

impl Cluster {
    /// What Redis has of a room; it is made under this name if it does not exist, or not at all
    /// without one. Its place is complete then.
    fn stored(
        &self,
        place: &mut LogPlace,
        name: Option<&[u8]>,
    ) -> Result<Option<StoredRoom>, Unreachable> {
        let found = self.redis.connect_to_run().and_then(|(mut connection, run)| {
            scripts::open_room(&mut connection, place, name, self.origin, (self.wanted, &run))
        });
        let found = found.map_err(|error| {
            tracing::warn!(%error, "failed to open a room in Redis");
            Unreachable
        })?;
        found.iter().for_each(|stored| place.first = stored.first);
        Ok(found)
    }

    fn open_stored(&self, place: LogPlace, stored: StoredRoom) -> Result<SharedRoom, Unreachable> {
        let (name, snapshot) = place.read_room(stored, self.nonce_key).map_err(|error| {
            tracing::error!(%error, "failed to open a room");
            Unreachable
        })?;
        Ok(SharedRoom { name, open: OpenLog { log: self.log_at(place), snapshot } })
    }

    fn log_at(&self, place: LogPlace) -> Arc<Log> {
        let quarter = (place.first % UPLINKS as u64) as usize;
        Arc::new(Log {
            redis: self.redis.clone(),
            origin: self.origin,
            place: Arc::new(place),
            last_seq: self.last_seq.clone(),
            jobs: self.jobs[quarter].clone(),
            follows: self.follows.clone(),
            offers: self.offers.0.clone(),
            sessions: self.sessions.jobs.clone(),
            link: self.link.clone(),
            ending: self.ending.clone(),
            entries_kept_after: self.kept_after.0,
            bytes_kept_after: self.kept_after.1,
            room: Mutex::default(),
        })
    }
}
