//! Names that are unique among all servers: each key of a name is a key in Redis, with the
//! server that has claimed it. One thread claims and gives up, in the order in which it is
//! asked.

use std::{
    collections::VecDeque,
    sync::LazyLock,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{
    Receiver, RecvTimeoutError, Sender, after, bounded, never, select, unbounded,
};
use madang_protocol::name::{NameKey, UserName};
use redis::{Connection, RedisResult, Script};

use super::{
    connection::{PATIENCE, Redis},
    keys::{self, RUN},
};
use crate::session::user_manager::{NameRefusal, SharedNames};

/// How long is waited until other servers know which names are free.
const SETTLING: Duration = Duration::from_millis(500);

/// How long is waited after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// How many keys one script claims again.
const NAMES_AT_ONCE: usize = 1_000;

/// Claims names unless one of them is another server's. A server that is buried has none; one
/// that is only declared dead has: its members have not left yet. In a run of Redis that not all
/// servers have come to, nothing is claimed: they have not claimed again yet what may be lost.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('GET', KEYS[2]) ~= ARGV[3] then
            return false
        end
        for at = 3, #KEYS do
            local by = redis.call('GET', KEYS[at])
            if by and by ~= ARGV[1]
                and redis.call('GET', 'madang:server:' .. by .. ':dead') ~= 'buried' then
                return 0
            end
        end
        if ARGV[2] == '1' then
            for at = 3, #KEYS do
                redis.call('SET', KEYS[at], ARGV[1])
                redis.call('SADD', KEYS[1], KEYS[at])
            end
        end
        return 1",
    )
});

/// Claims names again, unless another server that is not buried has them; returns their places.
static CLAIM_AGAIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local others = {}
        for at = 2, #KEYS do
            local by = redis.call('GET', KEYS[at])
            if not by or by == ARGV[1]
                or redis.call('GET', 'madang:server:' .. by .. ':dead') == 'buried' then
                redis.call('SET', KEYS[at], ARGV[1])
                redis.call('SADD', KEYS[1], KEYS[at])
            else
                table.insert(others, at - 2)
            end
        end
        return others",
    )
});

/// Gives up names that are still this server's. One that was declared dead keeps them until it is
/// buried: its members have not left yet.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('EXISTS', KEYS[2]) == 1 then
            return 0
        end
        for at = 3, #KEYS do
            if redis.call('GET', KEYS[at]) == ARGV[1] then
                redis.call('DEL', KEYS[at])
            end
            redis.call('SREM', KEYS[1], KEYS[at])
        end
        return 1",
    )
});

/// Gives up all names of a server that is no more.
static RELEASE_ALL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            if redis.call('GET', name) == ARGV[1] then
                redis.call('DEL', name)
            end
        end
        return redis.call('DEL', KEYS[1])",
    )
});

/// What is asked of the thread.
enum NameJob {
    /// To claim keys, or only to look whether that is possible; the answer is not waited for
    /// after this time.
    Claim {
        keys: Vec<NameKey>,
        claims: bool,
        until: Instant,
        answer: Sender<bool>,
    },
    /// To claim keys again; answered with those of other servers.
    ClaimAgain(Vec<NameKey>, Sender<Vec<NameKey>>),
    Release(Vec<NameKey>),
    /// All that was asked before is done.
    Mark(Sender<()>),
}

/// The names of this server's sessions among those of all servers.
pub(super) struct Names {
    jobs: Sender<NameJob>,
}

/// Starts the thread; it ends when `stop` is dropped.
pub(super) fn start_names(
    redis: Redis,
    origin: u64,
    stop: Receiver<()>,
) -> std::io::Result<(Names, JoinHandle<()>)> {
    let (jobs, queue) = unbounded();
    let waiting = VecDeque::new();
    let claims = Claims { redis, origin, connection: None, is_away: false, waiting };
    let thread = std::thread::Builder::new()
        .name("names".to_owned())
        .spawn(move || claims.run(&queue, &stop))?;
    Ok((Names { jobs }, thread))
}

/// Gives up all names of a server that is no more.
pub(super) fn release_all(connection: &mut Connection, dead: u64) -> RedisResult<()> {
    RELEASE_ALL.key(keys::names(dead)).arg(dead).invoke(connection)
}

/// The server that has claimed this name, if one has.
pub(super) fn claimed_by(connection: &mut Connection, name: &UserName) -> RedisResult<Option<u64>> {
    redis::cmd("GET").arg(keys::name(&name.spelling())).query(connection)
}

impl Names {
    fn ask(&self, keys: &[NameKey], claims: bool) -> Option<bool> {
        let (answer, answered) = bounded(1);
        let until = Instant::now() + PATIENCE;
        let job = NameJob::Claim { keys: keys.to_vec(), claims, until, answer };
        self.jobs.send(job).ok()?;
        answered.recv_deadline(until).ok()
    }
}

impl SharedNames for Names {
    fn claim(&self, keys: &[NameKey]) -> Result<(), NameRefusal> {
        match self.ask(keys, true) {
            Some(true) => Ok(()),
            Some(false) => Err(NameRefusal::InUse),
            None => {
                // It may have been claimed all the same.
                self.release(keys.to_vec());
                Err(NameRefusal::Unavailable)
            }
        }
    }

    fn are_free(&self, keys: &[NameKey]) -> bool {
        self.ask(keys, false) == Some(true)
    }

    fn claim_again(&self, keys: Vec<NameKey>) -> Option<Vec<NameKey>> {
        let (done, others) = bounded(1);
        self.jobs.send(NameJob::ClaimAgain(keys, done)).ok()?;
        others.recv_timeout(PATIENCE).ok()
    }

    fn release(&self, keys: Vec<NameKey>) {
        // Once the thread has ended, this server's names are free as a whole.
        let _ = self.jobs.send(NameJob::Release(keys));
    }

    fn settle(&self) {
        let (reached, is_reached) = bounded(1);
        if self.jobs.send(NameJob::Mark(reached)).is_ok() {
            let _ = is_reached.recv_timeout(SETTLING);
        }
    }
}

struct Claims {
    redis: Redis,
    origin: u64,
    /// With the run of Redis that it leads to.
    connection: Option<(Connection, String)>,
    /// Whether Redis could not be reached the last time.
    is_away: bool,
    /// Claims that wait until all servers have come to this run of Redis.
    waiting: VecDeque<NameJob>,
}

impl Claims {
    fn run(mut self, queue: &Receiver<NameJob>, stop: &Receiver<()>) {
        loop {
            let pause = if self.waiting.is_empty() { never() } else { after(PAUSE) };
            let job = select! {
                recv(queue) -> job => job.ok(),
                recv(pause) -> _ => self.waiting.pop_front(),
                recv(stop) -> _ => None,
            };
            let Some(job) = job else { return };
            loop {
                let was_connected = self.connection.is_some();
                let error = match self.carry_out(&job) {
                    Ok(is_done) => {
                        self.waiting.extend(Some(job).filter(|_| !is_done));
                        break;
                    }
                    Err(error) => error,
                };
                self.connection = None;
                if was_connected {
                    // Redis may have been restarted since.
                    continue;
                }
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::warn!(%error, "failed to claim or give up a name in Redis");
                }
                if !matches!(stop.recv_timeout(PAUSE), Err(RecvTimeoutError::Timeout)) {
                    return;
                }
            }
            self.is_away = false;
        }
    }

    /// Whether it is done; a claim may have to wait for other servers.
    fn carry_out(&mut self, job: &NameJob) -> RedisResult<bool> {
        if let NameJob::Claim { until, .. } = job
            && Instant::now() >= *until
        {
            return Ok(true);
        }
        let (connection, run) = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.redis.connect_to_run()?),
        };
        let own = keys::names(self.origin);
        let name_keys = |names: &[NameKey]| names.iter().map(keys::name).collect::<Vec<_>>();
        match job {
            NameJob::Claim { keys, claims, answer, .. } => {
                let asked: Option<bool> = CLAIM
                    .key((own, RUN))
                    .key(name_keys(keys))
                    .arg((self.origin, *claims, &*run))
                    .invoke(connection)?;
                // Whoever asked may have given up; what was claimed is given up next.
                asked.iter().for_each(|asked| _ = answer.send(*asked));
                return Ok(asked.is_some());
            }
            NameJob::ClaimAgain(keys, done) => {
                let mut others = Vec::new();
                for keys in keys.chunks(NAMES_AT_ONCE) {
                    let places: Vec<usize> = CLAIM_AGAIN
                        .key(&own)
                        .key(name_keys(keys))
                        .arg(self.origin)
                        .invoke(connection)?;
                    others.extend(places.into_iter().filter_map(|at| keys.get(at).cloned()));
                }
                let _ = done.send(others);
            }
            // Whoever waits may have given up.
            NameJob::Mark(reached) => drop(reached.send(())),
            NameJob::Release(names) => RELEASE
                .key(own)
                .key(keys::dead(self.origin))
                .key(name_keys(names))
                .arg(self.origin)
                .invoke(connection)?,
        }
        Ok(true)
    }
}
