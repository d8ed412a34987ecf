//! The simulator's people on two servers over one Redis: each has its own copy of the room, an
//! uplink that sends entries again while their outcome is not known, and a hearer that loses its
//! connection, and with it what is on the way. Redis, and what connects to it, are models that do
//! as `cluster/uplink.rs`, `cluster/hearer.rs` and the scripts promise; the rooms are real.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use madang_protocol::event::Time;
use shuttle::{
    rand::{Rng as _, thread_rng},
    thread,
};

use super::simulator::{FIRST_ID, Life, OUTBOX_BYTES, PEOPLE, check, session, try_schedules};
use crate::{
    delivery::outbox::Bounds,
    room::{
        Beginning, Context, Room,
        kicks::Kicks,
        log::{Follower as _, LogEntry, OpenLog, RoomLog, Snapshot},
    },
    sync::{Condvar, Mutex},
};

const SERVERS: u64 = 2;

/// Redis, as far as one room needs it.
#[derive(Default)]
struct ModelRedis {
    state: Mutex<ModelStream>,
    changed: Condvar,
}

#[derive(Default)]
struct ModelStream {
    entries: Vec<LogEntry>,
    /// By server, the number of its last entry.
    last_seqs: HashMap<u64, u64>,
    /// By server, what was published and not received; none without a connection.
    channels: HashMap<u64, VecDeque<LogEntry>>,
    is_over: bool,
}

impl ModelRedis {
    /// The script that appends: an entry that was appended before is not appended again.
    fn append(&self, origin: u64, seq: u64, body: &[u8]) {
        let mut state = self.state.lock();
        if state.last_seqs.insert(origin, seq) == Some(seq) {
            return;
        }
        let number = state.entries.len() as u64 + 1;
        let time = Time::from_millis(number as i64 * 1_000);
        let entry = LogEntry { number, origin, seq, time, ids_above: 0, body: body.into() };
        state.entries.push(entry.clone());
        state.channels.values_mut().for_each(|channel| channel.push_back(entry.clone()));
        self.changed.notify_all();
    }

    fn subscribe(&self, origin: u64) {
        self.state.lock().channels.insert(origin, VecDeque::new());
    }

    /// Loses a connection.
    fn cut(&self, origin: u64) {
        self.state.lock().channels.remove(&origin);
    }

    /// The entries from this number on.
    fn read(&self, from: u64) -> Vec<LogEntry> {
        self.state.lock().entries[from as usize - 1..].to_vec()
    }

    /// Waits for what is published; none at the end.
    fn next_message(&self, origin: u64) -> Option<LogEntry> {
        let mut state = self.state.lock();
        loop {
            let message = state.channels.get_mut(&origin).and_then(VecDeque::pop_front);
            if message.is_some() || state.is_over {
                return message;
            }
            self.changed.wait(&mut state);
        }
    }

    fn end(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }
}

/// A server's way to append.
struct ModelLog {
    origin: u64,
    last_seq: AtomicU64,
    /// What the uplink has to send; none at the end.
    jobs: Mutex<VecDeque<Option<(u64, Vec<u8>)>>>,
    queued: Condvar,
}

impl ModelLog {
    fn queue(&self, job: Option<(u64, Vec<u8>)>) {
        self.jobs.lock().push_back(job);
        self.queued.notify_all();
    }

    fn next_job(&self) -> Option<(u64, Vec<u8>)> {
        let mut jobs = self.jobs.lock();
        loop {
            match jobs.pop_front() {
                Some(job) => return job,
                None => self.queued.wait(&mut jobs),
            }
        }
    }
}

impl RoomLog for ModelLog {
    fn origin(&self) -> u64 {
        self.origin
    }

    fn append(&self, body: Vec<u8>) -> u64 {
        let seq = self.last_seq.fetch_add(1, Ordering::Relaxed) + 1;
        self.append_again(seq, body);
        seq
    }

    fn append_again(&self, seq: u64, body: Vec<u8>) {
        self.queue(Some((seq, body)));
    }

    fn keep(&self, _: Snapshot) {}

    fn forget_before(&self, _: Snapshot) {}

    // This Redis loses nothing.
    fn offer(&self, _: &Arc<str>, _: Snapshot) {}

    fn entries_kept_after(&self) -> u64 {
        1_000
    }

    fn bytes_kept_after(&self) -> u64 {
        u64::MAX
    }

    fn first_id(&self) -> u64 {
        FIRST_ID
    }

    fn end(&self, _: u64, _: &Kicks) {}

    fn note_removed(&self, _: u64) {}

    fn follow(&self, _: &Arc<Room>, _: u64) {}

    fn unfollow(&self) {}

    fn is_archived(&self) -> bool {
        false
    }
}

/// Sends each entry until there is a reply.
fn run_uplink(log: &ModelLog, redis: &ModelRedis) {
    while let Some((seq, body)) = log.next_job() {
        loop {
            let is_request_lost = thread_rng().gen_bool(0.2);
            if !is_request_lost {
                redis.append(log.origin, seq, &body);
            }
            let is_reply_lost = thread_rng().gen_bool(0.2);
            if !is_request_lost && !is_reply_lost {
                break;
            }
        }
    }
}

/// Hands the room what is published, and reads what it has missed.
fn run_hearer(origin: u64, room: &Room, redis: &ModelRedis) {
    let mut next = 1;
    let catch_up = |next: &mut u64| {
        for entry in redis.read(*next) {
            *next = entry.number + 1;
            room.hear(entry).expect("nobody ends the room");
        }
    };
    loop {
        redis.subscribe(origin);
        // What was appended while nobody listened.
        catch_up(&mut next);
        while !thread_rng().gen_bool(0.1) {
            let Some(entry) = redis.next_message(origin) else { return catch_up(&mut next) };
            if entry.number == next {
                next += 1;
                room.hear(entry).expect("nobody ends the room");
            } else if entry.number > next {
                catch_up(&mut next);
            }
        }
        redis.cut(origin);
    }
}

/// The room on one server.
fn open_at(origin: u64) -> (Arc<Room>, Arc<ModelLog>) {
    let log = Arc::new(ModelLog {
        origin,
        last_seq: AtomicU64::new(0),
        jobs: Mutex::default(),
        queued: Condvar::new(),
    });
    let beginning = Beginning { first_id: FIRST_ID, ..Beginning::default() };
    let snapshot = Snapshot::first(beginning, Time::from_millis(0));
    let beginning = Beginning::shared(OpenLog { log: log.clone(), snapshot });
    (Room::new(7, "math", None, beginning, Context::default()), log)
}

/// One schedule.
fn simulate_two_servers() {
    let redis = Arc::new(ModelRedis::default());
    let servers: Vec<_> = (1..=SERVERS).map(open_at).collect();
    let links: Vec<_> = servers
        .iter()
        .flat_map(|(room, log)| {
            let uplink = {
                let (log, redis) = (log.clone(), redis.clone());
                thread::spawn(move || run_uplink(&log, &redis))
            };
            let (origin, room, redis) = (log.origin, room.clone(), redis.clone());
            [uplink, thread::spawn(move || run_hearer(origin, &room, &redis))]
        })
        .collect();
    let bounds = Arc::new(Bounds::new(OUTBOX_BYTES, usize::MAX, Duration::ZERO));
    let sessions: Vec<_> = (1..=PEOPLE).map(session).collect();
    let threads: Vec<_> = (0..PEOPLE as usize)
        .map(|own| {
            let room = servers[own % servers.len()].0.clone();
            let (bounds, sessions) = (bounds.clone(), sessions.clone());
            thread::spawn(move || Life::new(sessions[own].clone()).live(&room, &bounds, &sessions))
        })
        .collect();
    let lives = threads.into_iter().map(|thread| thread.join().expect("nobody panics"));
    let lives: Vec<Life> = lives.collect();
    // What was posted on each is in Redis, and then all of it is heard on both.
    servers.iter().for_each(|(room, _)| room.settle());
    servers.iter().for_each(|(_, log)| log.queue(None));
    redis.end();
    for link in links {
        link.join().expect("no link panics");
    }
    check(&lives);
    let [one, other] = [0, 1].map(|at| servers[at].0.snapshot());
    // The time is that of the last round, which is not everywhere the same.
    let other = Snapshot { time: one.time, ..other };
    assert_eq!(one, other, "the copies of the room differ");
}

#[test]
fn members_of_two_servers_see_one_order_whatever_is_lost_on_the_way() {
    try_schedules(simulate_two_servers);
}
