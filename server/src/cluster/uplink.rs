//! The threads that write to Redis: each has the rooms of one quarter, and a connection of its
//! own. What a room appends is sent again under its number until what became of it is known.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select, unbounded};
use redis::{Connection, RedisResult};

use super::{
    connection::Redis,
    keys::{RoomKeys, wake_channel},
    scripts::{self, Appended},
};
use crate::room::{Room, log::Snapshot};

/// How many threads share the rooms.
pub(super) const UPLINKS: usize = 4;

/// How long is waited after the first failure; twice as long after each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// But never longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A room, as it is written to.
pub(super) struct LogPlace {
    pub(super) keys: RoomKeys,
    /// The first id that it could give.
    pub(super) first: u64,
}

/// What is to be written.
pub(super) enum Sending {
    /// An entry; the room is told if it has ended.
    Append { place: Arc<LogPlace>, seq: u64, body: Vec<u8>, room: Weak<Room> },
    /// What the room is.
    Keep { place: Arc<LogPlace>, snapshot: Box<Snapshot> },
    /// The room has ended.
    End { place: Arc<LogPlace>, next_id: u64 },
    /// The hearer has something to look at.
    Wake,
}

impl Sending {
    /// Has the room know that what it has appended can't be written for now.
    fn tell_it_waits(&self) {
        if let Sending::Append { room, .. } = self {
            // One that is not there needs not be told.
            let _ = room.upgrade().map(|room| room.miss_log());
        }
    }
}

/// A thread that writes, and its queue.
pub(super) struct Uplink {
    pub(super) jobs: Sender<Sending>,
    pub(super) thread: JoinHandle<()>,
}

/// Starts a thread; it ends when `stop` is dropped, and leaves what it could not write.
pub(super) fn start_uplink(
    redis: Redis,
    origin: u64,
    number: usize,
    patience: Duration,
    stop: Receiver<()>,
) -> std::io::Result<Uplink> {
    let (jobs, queue) = unbounded();
    let pending = VecDeque::new();
    let writer = Writer { redis, origin, patience, stop, pending, connection: None };
    let thread = std::thread::Builder::new()
        .name(format!("uplink-{number}"))
        .spawn(move || writer.run(&queue))?;
    Ok(Uplink { jobs, thread })
}

struct Writer {
    redis: Redis,
    origin: u64,
    /// How long rooms wait for what they append before they are told that it takes longer.
    patience: Duration,
    stop: Receiver<()>,
    /// What is to be written before what the queue has.
    pending: VecDeque<Sending>,
    connection: Option<Connection>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Sending>) {
        loop {
            // What waits is written before the end.
            let job = self.pending.pop_front().or_else(|| {
                select! {
                    recv(queue) -> job => job.ok(),
                    recv(self.stop) -> _ => queue.try_recv().ok(),
                }
            });
            let Some(job) = job else { return };
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

    fn write(&mut self, job: &Sending) -> RedisResult<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.redis.connect()?),
        };
        match job {
            Sending::Append { place, seq, body, room } => {
                let by = (self.origin, *seq);
                match scripts::append(connection, &place.keys, place.first, by, body)? {
                    Appended::Done => {}
                    Appended::Fenced | Appended::Gone => {
                        // One that is not there needs not be told.
                        let _ = room.upgrade().map(|room| room.lose_log());
                    }
                }
                Ok(())
            }
            Sending::Keep { place, snapshot } => {
                scripts::keep(connection, &place.keys, place.first, snapshot)
            }
            Sending::End { place, next_id } => {
                scripts::forget_room(connection, &place.keys, place.first, *next_id)
            }
            Sending::Wake => {
                redis::cmd("PUBLISH").arg(wake_channel(self.origin)).arg("").query(connection)
            }
        }
    }
}
