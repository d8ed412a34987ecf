//! The threads that write to Redis: each serves a quarter of the rooms over a connection of its
//! own. A room's entry is sent again under its number until Redis has answered for it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select, unbounded};
use redis::{Connection, ErrorKind, RedisResult};

use super::{
    ClusterConfig,
    connection::Redis,
    control::ControlAnswer,
    guard::guarded,
    keeping::Keeping,
    keys::wake_channel,
    place::LogPlace,
    scripts::{self, Appended},
    sealed::Sealed,
};
use crate::{metrics::Metrics, room::log::Follower};

/// How many threads share the rooms.
pub(super) const UPLINKS: usize = 4;

/// The wait after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often Redis is told which private rooms are still followed.
const LIFE_TOLD: Duration = Duration::from_secs(60 * 60);

/// What to write.
pub(super) enum Sending {
    /// An entry; the room is told if it has ended.
    Append {
        place: Arc<LogPlace>,
        seq: u64,
        body: Vec<u8>,
        room: Weak<dyn Follower>,
        /// Since when it waits.
        since: Instant,
    },
    /// A state; it takes a `seq` as entries do.
    ///
    /// If it `forgets`, what led there is dropped.
    Keep { place: Arc<LogPlace>, seq: u64, kept: Keeping, forgets: bool },
    /// That the room is still followed.
    LetLive(Weak<LogPlace>),
    /// The end of the room.
    End {
        place: Arc<LogPlace>,
        next_id: u64,
        /// Its kicks, as [`write_kicks`](super::kicks::write_kicks) wrote them.
        kicks: Vec<u8>,
        /// Counts those that are not written yet.
        ending: Arc<AtomicUsize>,
    },
    /// The answer to another server's question.
    Answer(ControlAnswer),
    /// A wake-up for the hearer.
    Wake,
}

impl Sending {
    /// Tells the room that its entries can't be written for now.
    fn tell_it_waits(&self) {
        if let Sending::Append { room, .. } = self {
            // A room that is gone need not be told.
            guarded("missing a log", || room.upgrade().map(|room| room.miss_log()));
        }
    }
}

/// A writing thread and its queue.
pub(super) struct Uplink {
    pub(super) jobs: Sender<Sending>,
    pub(super) thread: JoinHandle<()>,
}

/// Starts a thread. It ends when `stop` is dropped, and discards what it could not write.
pub(super) fn start_uplink(
    redis: Redis,
    origin: u64,
    number: usize,
    config: &ClusterConfig,
    stop: Receiver<()>,
    metrics: Arc<Metrics>,
) -> std::io::Result<Uplink> {
    let (jobs, queue) = unbounded();
    let pending = VecDeque::new();
    let (followed, let_live_at) = (Vec::new(), Instant::now() + LIFE_TOLD);
    let writer = Writer {
        redis,
        origin,
        patience: config.patience,
        entries_kept_for: config.entries_kept_for,
        stop,
        metrics,
        pending,
        followed,
        let_live_at,
        connection: None,
    };
    let thread = std::thread::Builder::new()
        .name(format!("uplink-{number}"))
        .spawn(move || writer.run(&queue))?;
    Ok(Uplink { jobs, thread })
}

struct Writer {
    redis: Redis,
    origin: u64,
    /// How long rooms wait for their entries before they are told of a delay.
    patience: Duration,
    entries_kept_for: Duration,
    stop: Receiver<()>,
    metrics: Arc<Metrics>,
    /// What to write before the queue.
    pending: VecDeque<Sending>,
    /// The private rooms.
    followed: Vec<Weak<LogPlace>>,
    /// When to tell Redis next that they are followed.
    let_live_at: Instant,
    /// With the run of Redis that it leads to.
    connection: Option<(Connection, String)>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Sending>) {
        loop {
            let Some(job) = self.next(queue) else { return };
            if let Sending::LetLive(place) = &job
                && place.strong_count() > 0
            {
                self.followed.push(place.clone());
            }
            let (mut pause, began) = (FIRST_PAUSE, Instant::now());
            while let Err(error) = self.write(&job) {
                self.connection = None;
                tracing::warn!(%error, "failed to write to Redis; trying again");
                if began.elapsed() >= self.patience {
                    self.pending.extend(queue.try_iter());
                    [&job].into_iter().chain(&self.pending).for_each(Sending::tell_it_waits);
                }
                match self.stop.recv_timeout(pause) {
                    Err(RecvTimeoutError::Timeout) => pause = (2 * pause).min(LONGEST_PAUSE),
                    _ => return,
                }
            }
        }
    }

    /// The next job; none at the end, once the queue is written.
    fn next(&mut self, queue: &Receiver<Sending>) -> Option<Sending> {
        loop {
            let now = Instant::now();
            if now >= self.let_live_at {
                self.let_live_at = now + LIFE_TOLD;
                self.pending.extend(self.followed.drain(..).map(Sending::LetLive));
            }
            if let Some(job) = self.pending.pop_front() {
                return Some(job);
            }
            select! {
                recv(queue) -> job => return job.ok(),
                recv(self.stop) -> _ => return queue.try_recv().ok(),
                default(self.let_live_at - now) => {}
            }
        }
    }

    fn write(&mut self, job: &Sending) -> RedisResult<()> {
        let (connection, run) = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.redis.connect_to_run()?),
        };
        match job {
            Sending::Append { place, seq, body, room, since } => {
                let by = (self.origin, *seq);
                match scripts::append(connection, place, by, body, run)? {
                    Appended::Done => self.metrics.cluster.count_append(since.elapsed()),
                    Appended::Closed => {
                        return Err((ErrorKind::Io, "servers gather after a restart").into());
                    }
                    Appended::Fenced | Appended::Gone => {
                        // A room that is gone need not be told.
                        guarded("losing a log", || room.upgrade().map(|room| room.lose_log()));
                    }
                }
                Ok(())
            }
            Sending::Keep { place, seq, kept, forgets } => {
                let written = place.write(Sealed::State, (self.origin, *seq), kept.write());
                match forgets {
                    true => scripts::forget_before(connection, place, kept.after(), &written),
                    false => scripts::keep(
                        connection,
                        place,
                        kept.after(),
                        &written,
                        self.entries_kept_for,
                    ),
                }
            }
            Sending::LetLive(place) => {
                place.upgrade().map_or(Ok(()), |place| scripts::let_live(connection, &place))
            }
            Sending::End { place, next_id, kicks, ending } => {
                scripts::forget_room(connection, place, (*next_id, kicks), self.origin)?;
                ending.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            }
            Sending::Answer(ControlAnswer { channel, message }) => {
                redis::cmd("PUBLISH").arg(channel).arg(message).query(connection)
            }
            Sending::Wake => {
                redis::cmd("PUBLISH").arg(wake_channel(self.origin)).arg("").query(connection)
            }
        }
    }
}
