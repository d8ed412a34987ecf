//! The log of the lesson in Redis. All of it is sealed with a key that only servers have: one
//! that starts asks the others for it. Nobody can read then what was voted or asked, and a
//! lesson ends with the last server that knows it.

use std::{
    sync::{Arc, LazyLock, Weak, atomic::AtomicU64},
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded};
use madang_protocol::room::RoomKey;
use redis::{Connection, ErrorKind, RedisResult, Script};

use super::{
    Cluster, ClusterError,
    connection::PATIENCE,
    hearer::{Follow, Hearing},
    keeping::Keeping,
    keys::{LESSON, RoomKeys, SERVERS, lease, wake_channel},
    place::LogPlace,
    restoring::OfferedState,
    room_log::next_seq,
    scripts::{self, KeptState, StoredRoom},
    sealed::{Seal, Sealed},
    uplink::{Sending, UPLINKS},
};
use crate::{
    room::{
        Room,
        lesson::log::{LessonLog, LessonSnapshot, OpenLesson},
        log::Follower,
    },
    sync::Mutex,
};

/// What servers are asked for the lesson's key.
pub(crate) const KEY_ASKED: &[u8] = b"the lesson's key";

/// What stands for its name in Redis.
const MARK: &str = " ";

/// How long to wait before the servers are asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Registers another lesson, unless a third server has done so, and forgets the one before.
static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('GET', KEYS[1]) == ARGV[1] then
            redis.call('SET', KEYS[1], ARGV[2])
            for at = 2, #KEYS do
                redis.call('DEL', KEYS[at])
            end
        end
        return 1",
    )
});

impl Cluster {
    /// Opens the lesson of all servers. Blocks while its key is asked for.
    ///
    /// # Errors
    ///
    /// If Redis can't be reached, or what it has can't be read.
    pub(crate) fn open_lesson(&self) -> Result<OpenLesson, ClusterError> {
        let opened = self.redis.connect().and_then(|mut connection| {
            let key = self.find_key(&mut connection)?;
            let mut place = LogPlace::lesson(key);
            let mark =
                place.write(Sealed::Mark, (self.origin, next_seq(&self.last_seq)), MARK.into());
            let stored = scripts::open_room(
                &mut connection,
                &place,
                Some(&mark),
                self.origin,
                (KeptState::Last, ""),
            )?;
            let StoredRoom { first, time, snapshot, .. } = stored.expect("it was made");
            place.first = first;
            let snapshot = match snapshot {
                None => LessonSnapshot::first(first, time),
                Some(sealed) => {
                    let plain = place.read(Sealed::State, sealed).ok();
                    let read = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
                    read.ok_or((ErrorKind::Parse, "the lesson can't be read"))?
                }
            };
            // It is opened once.
            let _ = self.lesson.set(key);
            Ok((place, snapshot))
        });
        let (place, snapshot) = opened.map_err(|error| self.redis.unreachable(&error))?;
        let log = Arc::new(LogOfLesson {
            origin: self.origin,
            jobs: self.jobs[(place.first % UPLINKS as u64) as usize].clone(),
            place: Arc::new(place),
            last_seq: self.last_seq.clone(),
            follows: self.follows.clone(),
            offers: self.offers.0.clone(),
            follower: Mutex::new(Weak::<Room>::new()),
        });
        Ok(OpenLesson { log, snapshot })
    }

    /// The answer to [`KEY_ASKED`].
    pub(crate) fn lesson_key(&self) -> Vec<u8> {
        self.lesson.get().map(RoomKey::show).unwrap_or_default().into_bytes()
    }

    /// The key of the lesson that all servers share; a new one if there is none, or if nobody
    /// has its key any more.
    fn find_key(&self, connection: &mut Connection) -> RedisResult<RoomKey> {
        self.wait_until_heard(connection)?;
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("a system that has started has random bits");
        let drawn = RoomKey::from_bits(u128::from_ne_bytes(bits));
        let own = Seal::of(drawn).name();
        let deadline = Instant::now() + PATIENCE;
        loop {
            redis::cmd("SETNX").arg(LESSON).arg(&own).exec(connection)?;
            let name: String = redis::cmd("GET").arg(LESSON).query(connection)?;
            if name == own {
                return Ok(drawn);
            }
            let key_in = |answer: &[u8]| {
                let key = std::str::from_utf8(answer).ok().and_then(|it| RoomKey::parse(it).ok());
                key.filter(|key| Seal::of(*key).name() == name)
            };
            let asked = self.ask(KEY_ASKED, None, &|answer| key_in(answer).is_some());
            if let Some(key) = asked.answers.iter().find_map(|answer| key_in(answer)) {
                return Ok(key);
            }
            if Instant::now() >= deadline || !self.is_anyone_else_alive(connection)? {
                let RoomKeys { meta, head, log, state, .. } = RoomKeys::lesson(&name);
                REPLACE
                    .key((LESSON, meta, head, log, state))
                    .arg((&name, &own))
                    .invoke::<()>(connection)?;
            } else {
                std::thread::park_timeout(PAUSE);
            }
        }
    }

    /// Waits until this server hears answers.
    fn wait_until_heard(&self, connection: &mut Connection) -> RedisResult<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, count): (String, usize) = redis::cmd("PUBSUB")
                .arg("NUMSUB")
                .arg(wake_channel(self.origin))
                .query(connection)?;
            if count > 0 || Instant::now() >= deadline {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn is_anyone_else_alive(&self, connection: &mut Connection) -> RedisResult<bool> {
        let servers: Vec<u64> = redis::cmd("HKEYS").arg(SERVERS).query(connection)?;
        let mut others = servers.into_iter().filter(|server| *server != self.origin);
        others.try_fold(false, |any, other| {
            Ok(any || redis::cmd("EXISTS").arg(lease(other)).query(connection)?)
        })
    }
}

/// The log of the lesson.
struct LogOfLesson {
    origin: u64,
    place: Arc<LogPlace>,
    last_seq: Arc<AtomicU64>,
    jobs: Sender<Sending>,
    follows: Sender<Hearing>,
    offers: Sender<OfferedState>,
    follower: Mutex<Weak<dyn Follower>>,
}

impl LogOfLesson {
    fn send(&self, job: Sending) {
        // Once the threads have ended, nothing is written.
        let _ = self.jobs.send(job);
    }
}

impl LessonLog for LogOfLesson {
    fn origin(&self) -> u64 {
        self.origin
    }

    fn append(&self, body: Vec<u8>) -> u64 {
        let seq = next_seq(&self.last_seq);
        let body = self.place.write(Sealed::Entry, (self.origin, seq), body);
        let (place, room) = (self.place.clone(), self.follower.lock().clone());
        self.send(Sending::Append { place, seq, body, room, since: Instant::now() });
        seq
    }

    fn keep(&self, snapshot: LessonSnapshot) {
        let (place, seq) = (self.place.clone(), next_seq(&self.last_seq));
        let kept = Keeping::Lesson(Box::new(snapshot));
        self.send(Sending::Keep { place, seq, kept, forgets: false });
    }

    fn offer(&self, snapshot: LessonSnapshot) {
        let (place, kept) = (self.place.clone(), Keeping::Lesson(Box::new(snapshot)));
        // The keeper ends with the server.
        let _ = self.offers.send(OfferedState { place, name: MARK.into(), kept });
    }

    fn follow(&self, follower: Weak<dyn Follower>, next: u64) {
        *self.follower.lock() = follower.clone();
        self.send(Sending::LetLive(Arc::downgrade(&self.place)));
        let (hears, heard) = bounded(0);
        let follow = Follow { place: self.place.clone(), room: follower, next };
        let _ = self.follows.send(Hearing::Begin(follow, hears));
        self.send(Sending::Wake);
        // What it has not heard by then follows.
        let _ = heard.recv_timeout(PATIENCE);
    }
}
