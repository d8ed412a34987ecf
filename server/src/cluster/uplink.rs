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
use redis::{Connection, RedisResult};

use super::{
    ClusterConfig,
    connection::Redis,
    control::ControlAnswer,
    guard::guarded,
    keeping::Keeping,
    keys::wake_channel,
    place::LogPlace,
    scripts::{self, Appended, LogLimits},
    sealed::Sealed,
};
use crate::{metrics::Metrics, room::log::Follower};

/// How many threads share the rooms.
pub(super) const UPLINKS: usize = 4;

/// The wait after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long an entry waits that finds its room's log full.
const FULL_PAUSE: Duration = Duration::from_millis(200);

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

/// What has become of a job.
enum Written {
    Done,
    /// The log of the entry's room is full.
    Full,
    /// Redis was restarted, and not all servers have come to it.
    Closed,
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
    let limits = LogLimits { bytes: config.log_bytes, kept_for: config.entries_kept_for };
    let (held, retry_at) = (Vec::new(), Instant::now());
    let writer = Writer {
        redis,
        origin,
        patience: config.patience,
        limits,
        stop,
        metrics,
        pending,
        held,
        retry_at,
        followed,
        let_live_at,
        connection: None,
        is_away: false,
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
    limits: LogLimits,
    stop: Receiver<()>,
    metrics: Arc<Metrics>,
    /// What to write before the queue.
    pending: VecDeque<Sending>,
    /// Entries whose rooms' logs are full, in order, and when to try them again.
    held: Vec<Sending>,
    retry_at: Instant,
    /// The private rooms.
    followed: Vec<Weak<LogPlace>>,
    /// When to tell Redis next that they are followed.
    let_live_at: Instant,
    /// With the run of Redis that it leads to.
    connection: Option<(Connection, String)>,
    /// Whether Redis could not be reached the last time.
    is_away: bool,
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
            if self.is_behind_held(&job) {
                self.held.push(job);
                continue;
            }
            let (mut pause, began) = (FIRST_PAUSE, Instant::now());
            loop {
                match self.write(&job) {
                    Ok(Written::Done) => {
                        self.is_away = false;
                        break;
                    }
                    Ok(Written::Full) => {
                        self.hold(job);
                        break;
                    }
                    Ok(Written::Closed) => pause = FIRST_PAUSE,
                    Err(error) => {
                        self.connection = None;
                        if !std::mem::replace(&mut self.is_away, true) {
                            tracing::warn!(%error, "failed to write to Redis; trying again");
                        }
                    }
                }
                if began.elapsed() >= self.patience {
                    self.pending.extend(queue.try_iter());
                    let waiting = [&job].into_iter().chain(&self.pending).chain(&self.held);
                    waiting.for_each(Sending::tell_it_waits);
                }
                match self.stop.recv_timeout(pause) {
                    Err(RecvTimeoutError::Timeout) => pause = (2 * pause).min(LONGEST_PAUSE),
                    _ => return,
                }
            }
        }
    }

    /// Whether an entry waits of the same room, which has to be appended first.
    fn is_behind_held(&self, job: &Sending) -> bool {
        let place_of = |job: &Sending| match job {
            Sending::Append { place, .. } => Some(Arc::as_ptr(place)),
            _ => None,
        };
        let place = place_of(job);
        place.is_some() && self.held.iter().any(|held| place_of(held) == place)
    }

    /// Has an entry wait until its room's log may have been trimmed; other rooms go on.
    fn hold(&mut self, job: Sending) {
        if self.held.is_empty() {
            self.retry_at = Instant::now() + FULL_PAUSE;
        }
        self.metrics.cluster.count_full();
        self.held.push(job);
    }

    /// The next job; none at the end, once the queue is written.
    fn next(&mut self, queue: &Receiver<Sending>) -> Option<Sending> {
        loop {
            let now = Instant::now();
            if now >= self.let_live_at {
                self.let_live_at = now + LIFE_TOLD;
                self.pending.extend(self.followed.drain(..).map(Sending::LetLive));
            }
            if !self.held.is_empty() && now >= self.retry_at {
                self.pending.extend(self.held.drain(..));
            }
            if let Some(job) = self.pending.pop_front() {
                return Some(job);
            }
            let wakes_at = match self.held.is_empty() {
                true => self.let_live_at,
                false => self.let_live_at.min(self.retry_at),
            };
            select! {
                recv(queue) -> job => return job.ok(),
                recv(self.stop) -> _ => return queue.try_recv().ok(),
                default(wakes_at - now) => {}
            }
        }
    }

    fn write(&mut self, job: &Sending) -> RedisResult<Written> {
        let (connection, run) = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.redis.connect_to_run()?),
        };
        match job {
            Sending::Append { place, seq, body, room, since } => {
                let by = (self.origin, *seq);
                match scripts::append(connection, place, by, body, (run, self.limits))? {
                    Appended::Done => self.metrics.cluster.count_append(since.elapsed()),
                    Appended::Closed => return Ok(Written::Closed),
                    Appended::Full => return Ok(Written::Full),
                    lost @ (Appended::Fenced | Appended::Gone) => {
                        let is_dead = lost == Appended::Fenced;
                        // A room that is gone need not be told.
                        let lose = || room.upgrade().map(|room| room.lose_log(is_dead));
                        guarded("losing a log", lose);
                    }
                }
            }
            Sending::Keep { place, seq, kept, forgets } => {
                let written = place.write(Sealed::State, (self.origin, *seq), kept.write());
                match forgets {
                    true => scripts::forget_before(connection, place, kept.after(), &written)?,
                    false => scripts::keep(connection, place, kept.after(), &written, self.limits)?,
                }
            }
            Sending::LetLive(place) => {
                if let Some(place) = place.upgrade() {
                    scripts::let_live(connection, &place)?;
                }
            }
            Sending::End { place, next_id, kicks, ending } => {
                scripts::forget_room(connection, place, (*next_id, kicks), self.origin)?;
                ending.fetch_sub(1, Ordering::Relaxed);
            }
            Sending::Answer(ControlAnswer { channel, message }) => {
                redis::cmd("PUBLISH").arg(channel).arg(message).exec(connection)?;
            }
            Sending::Wake => {
                redis::cmd("PUBLISH").arg(wake_channel(self.origin)).arg("").exec(connection)?;
            }
        }
        Ok(Written::Done)
    }
}
