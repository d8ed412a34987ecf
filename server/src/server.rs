//! The server as a whole: binds its ports, starts one accepting thread per listener, stops and
//! joins.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use madang_protocol::notice::Goodbye;

use self::{arrivals::Reception, disk_watch::DiskWatch};
use crate::{
    admission::{
        allowance::AddressAllowance,
        bans::Bans,
        bucket_pool::BucketPool,
        capacity::Capacity,
        connection_table::{ConnectionLimits, ConnectionTable},
        spoken::SpokenWords,
    },
    clock,
    close_reason::CloseReason,
    cluster::{Cluster, ClusterError, server::ClusterServer},
    config::{Config, Listen},
    connection::post::Posters,
    delivery::{drainer::Drainer, outbox::Bounds},
    dialect::answer::Answer,
    doors::{Door, Doors},
    expiry::Due,
    journal::{Journal, JournalError, JournalOf},
    metrics::Metrics,
    operator::{Operator, console::Console},
    room::{
        Context,
        directory::Rooms,
        lesson::Lesson,
        log::{Follower as _, RoomLogs, Unreachable},
        recorder::Recorder,
    },
    session::{
        nonces::NonceKey,
        teachers::Teachers,
        user_manager::{AwayLimits, UserManager},
    },
    shared::{Shared, Tls, downloads::Downloads},
    sync::Mutex,
    system,
    timekeeper::{self, Timekeeper},
    transport::{
        http::origin::PublicUrl,
        listener::{self, Listener},
        tls::certificates::PairError,
    },
};

mod arrivals;
mod disk_watch;
mod restoring;

/// How long peers may take to close their side after the server's goodbye.
const CLOSE_PATIENCE: Duration = Duration::from_millis(300);

/// How long saving the last messages may take.
const JOURNAL_PATIENCE: Duration = Duration::from_millis(1_500);

/// A running server. It runs until it is [stopped](Server::stop).
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    drainer_thread: JoinHandle<()>,
    timekeeper_thread: JoinHandle<()>,
    capacity: Capacity,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use, or the address does not belong to this machine.
    #[error("{flag}: failed to listen at {address}: {cause}")]
    Listen {
        /// The flag of the address.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// The certificate and its key can't be used.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// Messages can't be saved.
    #[error("--data")]
    Journal(#[from] JournalError),
    /// The server can't take part in the cluster.
    #[error("--cluster")]
    Cluster(#[from] ClusterError),
    /// The lobby could not be opened in the cluster.
    #[error("--cluster: failed to open the lobby")]
    Lobby,
    /// The system has no threads, descriptors or memory left.
    #[error("failed to start the server's threads: {0}")]
    Threads(#[source] io::Error),
}

impl Server {
    /// Binds every listener and starts the threads; returns when peers can connect.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub fn start(config: Config, console: Console) -> Result<Server, StartError> {
        let tls = config.tls.as_ref().map(Tls::load).transpose()?;
        let doors = config.listen.iter().map(|listen| (Door::Lines, listen));
        let doors = doors.chain(config.web.iter().map(|listen| (Door::Web, listen)));
        let tls_listen = config.tls.iter().flat_map(|tls| &tls.listen);
        let doors = doors.chain(tls_listen.map(|listen| (Door::TlsLines, listen)));
        let doors = doors.chain(config.metrics.iter().map(|listen| (Door::Metrics, listen)));
        let bind = |(door, listen): (Door, &Listen)| match listener::bind(*listen) {
            Ok(socket) => Ok((door, socket)),
            Err(cause) => {
                let flag = match door {
                    Door::Lines => "--listen",
                    Door::TlsLines => "--listen-tls",
                    Door::Web => "--web (--no-web does without)",
                    Door::Metrics => "--metrics",
                };
                Err(StartError::Listen { flag, address: listen.address(), cause })
            }
        };
        let sockets: Vec<_> = doors.map(bind).collect::<Result<_, _>>()?;
        // This thread has enough stack for it.
        clock::zone();
        let capacity = Capacity::of_process(sockets.len(), config.max_connections);
        let (drainer, drainer_thread) =
            Drainer::start(config.stall_timeout).map_err(StartError::Threads)?;
        let bounds = Bounds::new(config.outbox_bytes, config.backlog_bytes, config.ack_patience);
        let away = AwayLimits { total: capacity.connections, per_address: config.max_per_address };
        let limits = ConnectionLimits {
            total: capacity.connections,
            per_address: config.max_per_address,
            logins_per_address: config.max_logins_per_address,
            requests_per_address: config.max_requests_per_address,
        };
        let bound = |of: Door| {
            let of_door = sockets.iter().filter(|(door, _)| *door == of);
            of_door.filter_map(|(_, socket)| socket.local_addr().ok()).collect()
        };
        let doors = Doors {
            lines: bound(Door::Lines),
            tls: bound(Door::TlsLines),
            web: bound(Door::Web),
            web_is_encrypted: tls.is_some(),
            public_url: config.public_url.as_ref().map(PublicUrl::to_string),
        };
        let (metrics, timekeeper) =
            (Arc::new(Metrics::default()), Arc::<Timekeeper<Due>>::default());
        let ids = Arc::default();
        let due = timekeeper.clone();
        let watch = Arc::new(DiskWatch {
            console: console.clone(),
            metrics: metrics.clone(),
            shared: OnceLock::new(),
        });
        let journal_of = match config.cluster {
            Some(_) => JournalOf::Cluster,
            None => JournalOf::Server,
        };
        let journal = match &config.journal {
            Some(journal) => {
                let look_at = move |at| due.schedule(at, Due::OwedAcks);
                Some(Journal::start(journal, journal_of, Arc::clone(&ids), watch.clone(), look_at)?)
            }
            None => None,
        };
        let (journal, kept) = journal.map(|(it, kept)| (Arc::new(it), kept)).unzip();
        let start = |cluster| Cluster::start(cluster, journal.is_some(), &metrics).map(Arc::new);
        let cluster = config.cluster.as_ref().map(start).transpose()?;
        if let Some((journal, cluster)) = journal.as_ref().zip(cluster.as_ref()) {
            journal.archive(cluster.id());
        }
        // With a cluster, Redis has the sessions and the states of rooms.
        let kept = kept.filter(|_| cluster.is_none());
        let nonce_key = match (&cluster, &journal) {
            (Some(cluster), _) => cluster.nonce_key,
            (None, Some(journal)) => journal.nonce_key,
            (None, None) => NonceKey::random(),
        };
        let recorder = journal.clone().map(|journal| journal as Arc<dyn Recorder>);
        let left = kept.as_ref().zip(recorder.clone());
        let lesson = left.map(|(kept, recorder)| restoring::lesson(kept, recorder));
        let lesson = Arc::new(match &cluster {
            Some(cluster) => Lesson::shared(cluster.open_lesson()?),
            None => lesson.unwrap_or_default(),
        });
        let lobby = kept.as_ref().map(|kept| restoring::lobby(kept, &lesson)).unwrap_or_default();
        let metrics_too = metrics.clone();
        let logs = cluster.clone().map(|cluster| cluster as Arc<dyn RoomLogs>);
        let context = Context { ids, lesson, nonce_key, metrics: metrics_too, recorder, logs };
        let rooms = Rooms::new(config.max_rooms, lobby, context)
            .sharing_lobby()
            .map_err(|Unreachable| StartError::Lobby)?;
        let minute = Duration::from_secs(60);
        let mut users = UserManager::new(away, nonce_key);
        users.teachers = Teachers::new(config.teacher_code.clone());
        users.shared_names = cluster.as_ref().map(|cluster| cluster.names.clone());
        let shared = Arc::new(Shared {
            operators_reading: Default::default(),
            own_name: system::own_name(),
            console,
            bounds: Arc::new(bounds),
            drainer,
            connections: ConnectionTable::new(limits),
            buckets: config.rate_limit.map(|limit| BucketPool::new(limit, Instant::now())),
            users,
            rooms,
            journal,
            cluster,
            metrics,
            room_allowance: AddressAllowance::new(config.rooms_per_minute, minute),
            code_allowance: AddressAllowance::new(config.codes_per_hour, 60 * minute),
            spoken: SpokenWords::new(),
            posters: Posters::default(),
            bans: Bans::default(),
            timekeeper,
            downloads: Downloads::default(),
            tallied: Mutex::default(),
            doors,
            tls,
            config,
        });
        // Nobody else sets it.
        let _ = watch.shared.set(Arc::downgrade(&shared));
        if let Some(cluster) = &shared.cluster {
            let own: Arc<dyn ClusterServer> = shared.clone();
            cluster.serve(Arc::downgrade(&own))?;
            shared.join_lesson();
        }
        if let Some(kept) = kept {
            shared.restore(kept);
        }
        if let Some(tls) = &shared.tls {
            shared.timekeeper.schedule(Instant::now() + tls.look_interval, Due::Certificate);
            shared.warn_of_expiry();
        }
        shared.look_after_shared_rooms();
        let called_back = shared.clone();
        let carry_out = move |due| called_back.carry_out(due);
        let timekeeper_thread = match timekeeper::start(shared.timekeeper.clone(), carry_out) {
            Ok(thread) => thread,
            Err(error) => {
                shared.drainer.stop();
                return Err(StartError::Threads(error));
            }
        };
        let mut server =
            Server { shared, listeners: Vec::new(), drainer_thread, timekeeper_thread, capacity };
        if let Some(cluster) = server.shared.cluster.clone()
            && let Err(error) = cluster.keep_lease()
        {
            server.stop();
            return Err(error.into());
        }
        let arrivals = Arc::new(Reception { shared: server.shared.clone() });
        for (door, socket) in sockets {
            match Listener::start(socket, door, arrivals.clone()) {
                Ok(listener) => server.listeners.push(listener),
                Err(error) => {
                    server.stop();
                    return Err(StartError::Threads(error));
                }
            }
        }
        Ok(server)
    }

    /// Its doors, with addresses in the order of the configuration.
    pub fn doors(&self) -> &Doors {
        &self.shared.doors
    }

    /// The addresses for lines.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.doors().lines
    }

    /// Where the cluster's Redis is, and how many servers take part, with this one; none if this
    /// one is alone.
    pub fn cluster(&self) -> Option<(&str, usize)> {
        self.shared.cluster.as_ref().map(|cluster| cluster.size())
    }

    /// What blocks until the other servers of the cluster have taken this one for dead, if it
    /// takes part in one; otherwise none. It returns true if this one has to be stopped then,
    /// and false if it has been stopped before.
    pub fn fence(&self) -> Option<impl FnOnce() -> bool + Send + 'static> {
        let fenced = self.shared.cluster.as_ref()?.fenced();
        Some(move || fenced.recv().is_ok())
    }

    /// The address for metrics, if there is one.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        let mut listeners = self.listeners.iter();
        let listener = listeners.find(|listener| listener.door == Door::Metrics)?;
        Some(listener.address)
    }

    /// Runs the operator's commands.
    pub fn operator(&self) -> Operator {
        Operator::new(self.shared.clone())
    }

    /// How many connections it can hold.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Stops: accepts no more connections, says goodbye to everyone, drains the outboxes for as
    /// long as the configuration allows, and ends every thread. Messages accepted before are
    /// delivered. Returns whether all connection threads have ended.
    pub fn stop(self) -> bool {
        let stop_timeout = self.shared.config.stop_timeout;
        self.stop_within(stop_timeout)
    }

    /// Like [`stop`](Self::stop), but drains the outboxes for at most `drain`.
    pub fn stop_within(self, drain: Duration) -> bool {
        let Server { shared, listeners, drainer_thread, timekeeper_thread, .. } = self;
        let started = Instant::now();
        listeners.iter().for_each(Listener::wake);
        listeners.into_iter().for_each(Listener::stop);
        shared.timekeeper.stop();
        if timekeeper_thread.join().is_err() {
            tracing::error!("the timekeeper had panicked");
        }

        let reason = CloseReason::Told(Goodbye::Shutdown);
        let deadline = started + drain;
        shared.rooms.close().iter().for_each(|room| room.stop(deadline));
        if let Some(cluster) = &shared.cluster {
            cluster.stop();
            // Nobody waits any longer for what was not heard by then; rooms that have ended accept
            // nothing.
            shared.rooms.all().iter().for_each(|room| _ = room.lose_log(true));
        }
        if let Some(journal) = &shared.journal {
            // Acks are sent before the goodbyes.
            journal.stop(Instant::now() + JOURNAL_PATIENCE);
        }
        let outboxes = shared.connections.outboxes();
        for outbox in &outboxes {
            // Members got it through their room; this is for connections in no room.
            outbox.close(reason, &Answer::goodbye(outbox.form(), Goodbye::Shutdown));
        }
        // First those with an empty outbox, then those that must be waited for.
        let now = Instant::now();
        let (drained, waiting): (Vec<_>, Vec<_>) =
            outboxes.iter().partition(|outbox| outbox.wait_drained(now));
        drained.iter().for_each(|outbox| outbox.shut_down_write());
        for outbox in waiting {
            if outbox.wait_drained(deadline) {
                outbox.shut_down_write();
            } else {
                outbox.end(reason);
            }
        }
        // Shutting a socket down for reading resets a peer that still sends, and the reset may
        // overtake the goodbye. So peers get a moment to close first.
        shared.connections.wait_empty(Instant::now() + CLOSE_PATIENCE);
        outboxes.iter().for_each(|outbox| outbox.end(reason));
        let all_ended = shared.connections.wait_empty(Instant::now() + shared.config.join_timeout);
        if !all_ended {
            tracing::error!("some connections did not end in time");
        }
        shared.drainer.stop();
        if drainer_thread.join().is_err() {
            tracing::error!("the drainer had panicked");
        }
        all_ended
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_tests::TestFolder;

    use super::*;
    use crate::{
        journal::JournalConfig,
        operator::console::STOP_PATIENCE,
        patience::DEADLINE,
        test_server::{Peer, start_with},
    };

    /// Members of private rooms are told before the journal is closed. They come back to the
    /// lobby, even if nothing was ever saved of it, and see what happens there from then on.
    #[test]
    fn a_session_that_ends_with_the_server_can_be_resumed_on_the_next() {
        let folder = TestFolder::new();
        let log_in = |server: &Server, login: &str| {
            let mut peer = Peer::connect(server);
            let heard = peer.say("/json").say(login).expect("\"welcome\"");
            (peer, heard)
        };
        for has_history in [false, true] {
            let data = folder.path().join(has_history.to_string());
            let save = |config: &mut Config| config.journal = Some(JournalConfig::of(&data));
            let (server, _console) = start_with(save);
            let others = has_history.then(|| {
                let (mut other, _) = log_in(&server, "{\"type\":\"login\"}");
                other.say("{\"type\":\"say\",\"text\":\"earlier\",\"nonce\":\"n\"}");
                other.expect("\"ack\",\"nonce\":\"n\"");
                other
            });
            let (mut peer, heard) = log_in(&server, "{\"type\":\"login\",\"new_room\":true}");
            let token = heard.split("\"session\":\"").nth(1);
            let token = token.and_then(|rest| rest.split('"').next()).expect("a token").to_owned();
            for outbox in server.shared.connections.outboxes() {
                server.shared.dismiss(&outbox, Goodbye::Shutdown);
            }
            peer.expect("\"bye\"");
            drop((peer, others));
            assert!(server.shared.connections.wait_empty(Instant::now() + DEADLINE));
            server.stop();

            let (server, _console) = start_with(save);
            let login = format!("{{\"type\":\"login\",\"session\":\"{token}\"}}");
            let (mut peer, heard) = log_in(&server, &login);
            assert!(heard.contains("\"resumed\":true") && heard.contains("\"lobby\""), "{heard}");
            if has_history {
                let heard = peer.expect("\"restarted\"");
                assert_eq!(heard.lines().count(), 1, "not what was before: {heard}");
            }
            server.stop();
        }
    }

    #[test]
    fn a_stop_takes_five_seconds_at_most() {
        let Config { stop_timeout, join_timeout, .. } = Config::default();
        let most = stop_timeout + CLOSE_PATIENCE + join_timeout + STOP_PATIENCE;
        assert!(most <= Duration::from_secs(5), "{most:?}");
    }
}
