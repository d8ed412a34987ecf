//! Which servers are alive. Each holds a lease and renews it; one whose lease has run out is
//! declared dead by another and buried: its members leave their rooms, or are away for as long
//! as their clients may come back to another server.
//!
//! # Guarantees
//!
//! 1. A Redis that was paused or restarted kills nobody: death is declared only by a server
//!    that has renewed its own lease for a while without a gap, by Redis's clock.
//! 2. A server that was declared dead stays dead: nothing more is taken from it.
//! 3. A burial is carried on by the first of the servers alive until it is done, and a part
//!    of it that is done twice changes nothing.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, select};
use madang_protocol::room::Destination;
use redis::{Connection, ErrorKind, RedisResult, Script};

use super::{
    connection::{PATIENCE, Redis},
    explanation::explain,
    gathering::Gathering,
    guard::guarded,
    keys::{self, BURIALS, RoomKeys, SERVERS},
    link::Link,
    names,
    server::{ClusterServer, OwnServer},
    session_records,
};
use crate::room::{By, Op, Room, refusal::Refusal};

/// A lease is renewed this many times before it would run out.
const RENEWALS: u32 = 15;

/// The longest wait between two tries while Redis is away, or servers gather after its restart.
const GATHERING_PAUSE: Duration = Duration::from_millis(100);

/// What the lease of a server says that archives; [`RENEW`] looks for it.
const ARCHIVES: &str = "archives";

/// What the lease of another server says.
const ONLY_LIVES: &str = "1";

/// For how many leases a cluster still counts as archived when no server archives it any more: one
/// that is only restarted misses nothing.
const ARCHIVE_LEASES: u32 = 4;

/// Renews the lease. Returns the time, the other servers alive or not, those of them without a
/// lease, the burials that are not done, and whether one of the servers archives; nothing if this
/// server counts as dead.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('EXISTS', KEYS[2]) == 1 then
            return false
        end
        redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
        redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
        local now = redis.call('TIME')
        local time = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(now[2] / 1000))
        local servers = redis.call('HKEYS', KEYS[3])
        local silent = {}
        local archives = 0
        for _, server in ipairs(servers) do
            local lease = redis.call('GET', 'madang:server:' .. server .. ':lease')
            if not lease then
                table.insert(silent, server)
            elseif lease == 'archives' then
                archives = 1
            end
        end
        local burials = {}
        for _, server in ipairs(redis.call('HKEYS', KEYS[4])) do
            local held = redis.call('GET', 'madang:server:' .. server .. ':dead') == 'held'
            table.insert(burials, {server, redis.call('HGET', KEYS[4], server), held and 1 or 0})
        end
        return {time, servers, silent, burials, archives}",
    )
});

/// Declares a server dead that has no lease, unless time has passed since that was seen: then
/// Redis was away, and with it the chance to renew one.
static DECLARE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local now = redis.call('TIME')
        local time = tonumber(now[1]) * 1000 + math.floor(now[2] / 1000)
        if time - tonumber(ARGV[2]) > tonumber(ARGV[3]) or redis.call('EXISTS', KEYS[1]) == 1 then
            return 0
        end
        redis.call('HDEL', KEYS[3], ARGV[1])
        if redis.call('EXISTS', KEYS[2]) == 1 then
            return 0
        end
        redis.call('SET', KEYS[2], 'declared')
        redis.call('HSET', KEYS[4], ARGV[1], string.format('%.0f', time))
        return 1",
    )
});

/// Gives the lease up for good: this server has stopped.
static RESIGN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        redis.call('DEL', KEYS[1])
        redis.call('HDEL', KEYS[3], ARGV[1])
        if redis.call('EXISTS', KEYS[2]) == 0 then
            local now = redis.call('TIME')
            local time = tonumber(now[1]) * 1000 + math.floor(now[2] / 1000)
            redis.call('SET', KEYS[2], 'declared')
            redis.call('HSET', KEYS[4], ARGV[1], string.format('%.0f', time))
        end
        return 1",
    )
});

/// How long things take among servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    /// How long a lease lasts.
    pub(super) lease: Duration,
    /// For how long one's own must have been renewed before another may be declared dead.
    pub(super) settling: Duration,
}

/// A server's own lease, and what it needs to renew it.
pub(super) struct Lease {
    pub(super) redis: Redis,
    pub(super) origin: u64,
    /// What operators call this server.
    pub(super) name: String,
    pub(super) timing: Timing,
    /// Whether this server archives.
    pub(super) archives: bool,
    pub(super) link: Arc<Link>,
}

/// What renewing a lease has shown.
struct Renewed {
    /// Redis's clock, in milliseconds.
    time: u64,
    /// All servers that were not declared dead.
    servers: Vec<u64>,
    /// Those without a lease.
    silent: Vec<u64>,
    /// The dead that are not buried, when they were declared dead, and whether their members have
    /// been told.
    burials: Vec<(u64, u64, bool)>,
}

/// A step of a burial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BurialStep {
    /// Members leave, or are away if their sessions can be resumed.
    Beginning,
    /// Whoever has not come back leaves.
    End,
}

impl Lease {
    /// Renews the lease; none if this server counts as dead.
    fn renew(&self, connection: &mut Connection) -> RedisResult<Option<Renewed>> {
        type Fields = (u64, Vec<u64>, Vec<u64>, Vec<(u64, u64, bool)>, bool);
        let lease_millis = self.timing.lease.as_millis() as u64;
        let says = if self.archives { ARCHIVES } else { ONLY_LIVES };
        let answer: Option<Fields> = RENEW
            .key(keys::lease(self.origin))
            .key(keys::dead(self.origin))
            .key((SERVERS, BURIALS))
            .arg((self.origin, &self.name, lease_millis, says))
            .invoke(connection)?;
        Ok(answer.map(|(time, servers, silent, burials, is_archived)| {
            self.link.note_renewed(servers.len());
            if is_archived {
                self.link.note_archived_until(Instant::now() + ARCHIVE_LEASES * self.timing.lease);
            }
            Renewed { time, servers, silent, burials }
        }))
    }

    /// Takes a lease for the first time.
    pub(super) fn take(&self, connection: &mut Connection) -> RedisResult<()> {
        self.renew(connection).map(|_| ())
    }

    fn resign(&self) -> RedisResult<()> {
        RESIGN
            .key(keys::lease(self.origin))
            .key(keys::dead(self.origin))
            .key((SERVERS, BURIALS))
            .arg(self.origin)
            .invoke(&mut self.redis.connect()?)
    }
}

/// Starts the thread that renews the lease; it gives the lease up when `stop` is dropped.
pub(super) fn start_keeper(
    lease: Lease,
    server: OwnServer,
    gathering: Gathering,
    stop: Receiver<()>,
) -> std::io::Result<JoinHandle<()>> {
    let keeper = Keeper {
        lease,
        server,
        gathering,
        stop,
        connection: None,
        steady: None,
        told: HashSet::new(),
        burial: None,
    };
    std::thread::Builder::new().name("keeper".to_owned()).spawn(move || keeper.run())
}

struct Keeper {
    lease: Lease,
    server: OwnServer,
    gathering: Gathering,
    stop: Receiver<()>,
    connection: Option<Connection>,
    /// Since when the lease has been renewed without a gap, and when it was last.
    steady: Option<(u64, u64)>,
    /// The dead that this server's private rooms were told of.
    told: HashSet<u64>,
    /// The burial under way; the thread tells whether it is done.
    burial: Option<JoinHandle<RedisResult<()>>>,
}

impl Keeper {
    fn run(mut self) {
        let pause = self.lease.timing.lease / RENEWALS;
        // How many servers the operator knows of; none while Redis can't be used.
        let mut told = Some(self.lease.link.servers());
        // What the operator knows of why.
        let mut known = None;
        // What members know.
        let mut is_archived = self.lease.link.is_archived();
        loop {
            let panicked = || Err((ErrorKind::Client, "a panic").into());
            match guarded("renewing the lease", || self.renew()).unwrap_or_else(panicked) {
                Ok(true) => {
                    known = None;
                    let servers = self.lease.link.servers();
                    if self.gathering.has_begun && told.replace(servers) != Some(servers) {
                        self.tell(|server| server.linked(servers));
                    }
                    let was_archived = is_archived;
                    is_archived = self.lease.link.is_archived();
                    if is_archived != was_archived {
                        self.tell(|server| server.archived(is_archived));
                    }
                }
                Ok(false) => {
                    self.lease.link.note_fenced();
                    self.tell(|server| server.fenced());
                    self.lease.link.tell_fenced();
                    return;
                }
                Err(error) => {
                    (self.connection, self.steady) = (None, None);
                    self.lease.link.note_away();
                    // Redis may be gone first, and then another one in its place refuse to write.
                    let reason = explain(&error);
                    let is_news = reason.is_some() && reason != known;
                    if told.take().is_some() || is_news {
                        let text = reason.clone().unwrap_or_else(|| error.to_string());
                        self.tell(|server| server.redis_away(&text));
                        known = reason;
                    }
                }
            }
            let pause = if told.is_some() { pause } else { pause.min(GATHERING_PAUSE) };
            select! {
                recv(self.stop) -> _ => break,
                recv(self.lease.link.comes_to_run()) -> _ => {}
                default(pause) => {}
            }
        }
        if let Err(error) = self.lease.resign() {
            tracing::warn!(%error, "failed to give up this server's lease");
        }
    }

    fn tell(&self, what: impl FnOnce(&dyn ClusterServer)) {
        if let Some(server) = self.server.get() {
            guarded("telling the server of its link", || what(&*server));
        }
    }

    /// Renews the lease, and does what that has shown to be necessary; false if this server
    /// counts as dead.
    fn renew(&mut self) -> RedisResult<bool> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let (connection, run) = self.lease.redis.connect_to_run()?;
                self.gathering.come_to(run);
                // A reply that is lost leaves time to renew it again.
                let patience = PATIENCE.min(self.lease.timing.lease / 4);
                connection.set_read_timeout(Some(patience))?;
                none.insert(connection)
            }
        };
        let Some(renewed) = self.lease.renew(connection)? else { return Ok(false) };
        if let Some(server) = self.server.get()
            && !self.gathering.go_on(connection, &*server, (&renewed.servers, &renewed.burials))?
        {
            return Ok(false);
        }
        let gap = (self.lease.timing.lease * 2 / 3).as_millis() as u64;
        let since = match self.steady {
            Some((since, last)) if renewed.time.abs_diff(last) <= gap => since,
            _ => renewed.time,
        };
        self.steady = Some((since, renewed.time));
        let settling = self.lease.timing.settling.as_millis() as u64;
        if renewed.time.saturating_sub(since) >= settling {
            self.declare_dead(&renewed)?;
        }
        self.tell_private_rooms(&renewed);
        // The first of those alive buries.
        let alive = renewed.servers.iter().filter(|server| !renewed.silent.contains(server));
        if alive.min() == Some(&self.lease.origin) {
            self.carry_on_burials(&renewed);
        }
        Ok(true)
    }

    fn declare_dead(&mut self, renewed: &Renewed) -> RedisResult<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let tolerance = (self.lease.timing.lease / 3).as_millis() as u64;
        for silent in &renewed.silent {
            let declared: bool = DECLARE
                .key(keys::lease(*silent))
                .key(keys::dead(*silent))
                .key((SERVERS, BURIALS))
                .arg((*silent, renewed.time, tolerance))
                .invoke(connection)?;
            if declared {
                tracing::warn!(server = silent, "a server of the cluster is gone");
            }
        }
        Ok(())
    }

    /// Tells the private rooms of burials that have begun or ended: whoever has not opened such
    /// a room can't.
    fn tell_private_rooms(&mut self, renewed: &Renewed) {
        let burials: HashSet<u64> = renewed.burials.iter().map(|(dead, ..)| *dead).collect();
        let begun = burials.difference(&self.told).map(|dead| Op::Buried(*dead));
        let over = self.told.difference(&burials).map(|dead| Op::Unclaimed(*dead));
        let ops: Vec<Op> = begun.chain(over).collect();
        if let Some(server) = self.server.get().filter(|_| !ops.is_empty()) {
            for room in server.rooms().private() {
                for op in &ops {
                    // One that has ended has no members.
                    let _ = room.act_now(By::Time, op.clone());
                }
                server.end_room_when_empty(&room);
            }
            self.told = burials;
        }
    }

    /// Begins the next step of a burial, unless one is under way.
    fn carry_on_burials(&mut self, renewed: &Renewed) {
        if let Some(burial) = self.burial.take_if(|burial| burial.is_finished()) {
            match burial.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "failed to bury a server; trying again"),
                Err(_) => tracing::error!("a burial has panicked"),
            }
        }
        let Some(server) = self.server.get().filter(|_| self.burial.is_none()) else { return };
        let window = server.resume_window().as_millis() as u64;
        let step = |(dead, declared, is_held): &(u64, u64, bool)| match is_held {
            false => Some((*dead, BurialStep::Beginning)),
            true if renewed.time >= declared + window => Some((*dead, BurialStep::End)),
            true => None,
        };
        let Some((dead, step)) = renewed.burials.iter().find_map(step) else { return };
        let redis = self.lease.redis.clone();
        let burial = std::thread::Builder::new().name("burial".to_owned());
        match burial.spawn(move || bury(&redis, &*server, dead, step)) {
            Ok(burial) => self.burial = Some(burial),
            Err(error) => tracing::warn!(%error, "failed to bury a server; trying again"),
        }
    }
}

/// Buries servers that died while nobody followed this private room.
pub(super) fn bury_in(redis: &Redis, room: &Room, own: u64) -> RedisResult<()> {
    // A room that has ended has no members.
    let bearers = room.bearers().unwrap_or_default();
    let origins: HashSet<u64> = bearers.into_iter().map(|bearer| bearer.origin).collect();
    let others: Vec<u64> = origins.into_iter().filter(|origin| *origin != own).collect();
    if others.is_empty() {
        return Ok(());
    }
    let dead: Vec<String> = others.iter().map(|origin| keys::dead(*origin)).collect();
    let states: Vec<Option<String>> = redis::cmd("MGET").arg(dead).query(&mut redis.connect()?)?;
    for (origin, state) in others.into_iter().zip(states) {
        // The keeper tells of what follows, and of those who die from now on.
        let ops: &[Op] = match state.as_deref() {
            None => &[],
            Some("buried") => &[Op::Buried(origin), Op::Unclaimed(origin)],
            Some(_) => &[Op::Buried(origin)],
        };
        ops.iter().for_each(|op| _ = room.act_now(By::Time, op.clone()));
    }
    Ok(())
}

/// Has the members of a dead server leave every public room that it was in, or be away; in the
/// end, whoever has not come back leaves, and the server is forgotten.
fn bury(redis: &Redis, server: &dyn ClusterServer, dead: u64, step: BurialStep) -> RedisResult<()> {
    let mut connection = redis.connect()?;
    let rooms: Vec<String> =
        redis::cmd("SMEMBERS").arg(keys::rooms(dead)).query(&mut connection)?;
    let mut present = HashSet::new();
    for meta in rooms {
        let Some(name) = RoomKeys::room_of(&meta) else { continue };
        let room = match server.rooms().find(&Destination::Public(name.clone())) {
            Some(room) => room,
            None if redis::cmd("EXISTS").arg(meta).query(&mut connection)? => {
                let unopened = |_| (ErrorKind::Io, "a room of the dead server can't be opened");
                server.rooms().make_public(&name).map_err(unopened)?
            }
            None => continue,
        };
        let op = match step {
            BurialStep::Beginning => Op::Buried(dead),
            BurialStep::End => Op::Unclaimed(dead),
        };
        if room.act(By::Time, op) == Err(Refusal::Unavailable) {
            return Err((ErrorKind::Io, "Redis is away").into());
        }
        // One that has ended has no members.
        server.end_room_when_empty(&room);
        if step == BurialStep::Beginning {
            let bearers = room.bearers().unwrap_or_default();
            present.extend(bearers.into_iter().map(|bearer| bearer.session));
        }
    }
    let is_known = match step {
        BurialStep::Beginning => server.stranded(dead, &present),
        BurialStep::End => server.unclaimed(dead),
    };
    if !is_known {
        return Err((ErrorKind::Io, "Redis is away").into());
    }
    let is_over = match step {
        BurialStep::Beginning => "held",
        BurialStep::End => "buried",
    };
    redis::cmd("SET").arg(keys::dead(dead)).arg(is_over).query::<()>(&mut connection)?;
    if step == BurialStep::Beginning {
        return session_records::release_unheld(&mut connection, dead);
    }
    session_records::forget_all(&mut connection, dead)?;
    names::release_all(&mut connection, dead)?;
    let mut forget = redis::pipe();
    forget.del(keys::rooms(dead)).ignore().hdel(BURIALS, dead).ignore();
    forget.query(&mut connection)
}

#[cfg(all(test, unix))]
mod tests {
    use madang_tests::redis::TestRedis;

    use super::*;
    use crate::session::nonces::NonceKey;

    const OWN: u64 = 1;
    const SILENT: u64 = 2;
    const LEASE: Duration = Duration::from_secs(3_600);

    /// A server's keeper that has renewed its lease, and knows a server without one.
    fn keeper(redis: &TestRedis, settling: Duration) -> Keeper {
        let redis = Redis::at(&redis.url(), None).expect("an address");
        let link = Arc::new(Link::new());
        let gathering = Gathering {
            origin: OWN,
            last_seq: Arc::default(),
            nonce_key: NonceKey::random(),
            orders: Arc::default(),
            offers: crossbeam_channel::never(),
            link: link.clone(),
            patience: LEASE,
            run: String::new(),
            has_offered: true,
            has_begun: true,
            sessions_kept: None,
            known: Vec::new(),
            burials: Vec::new(),
            restored: Vec::new(),
            has_restored_lesson: false,
        };
        let timing = Timing { lease: LEASE, settling };
        let (redis_of, name, archives) = (redis.clone(), "one".into(), false);
        let lease = Lease { redis: redis_of, origin: OWN, name, timing, archives, link };
        let mut keeper = Keeper {
            lease,
            server: OwnServer::default(),
            gathering,
            stop: crossbeam_channel::never(),
            connection: None,
            steady: None,
            told: HashSet::new(),
            burial: None,
        };
        let mut connection = redis.connect().expect("it runs");
        redis::cmd("HSET").arg(SERVERS).arg(SILENT).arg("two").exec(&mut connection).expect("it");
        assert!(keeper.renew().expect("Redis answers"));
        keeper
    }

    fn is_dead(keeper: &mut Keeper) -> bool {
        let connection = keeper.connection.as_mut().expect("one");
        redis::cmd("EXISTS").arg(keys::dead(SILENT)).query(connection).expect("Redis answers")
    }

    /// Whether a keeper whose lease has been renewed since then, the last time then (as
    /// milliseconds before now), declares the silent server dead when it renews it now.
    #[track_caller]
    fn declares(since: u64, last: u64) -> bool {
        let redis = TestRedis::start();
        let mut keeper = keeper(&redis, LEASE);
        assert!(!is_dead(&mut keeper), "the lease was renewed only once");
        let (_, now) = keeper.steady.expect("it was renewed");
        keeper.steady = Some((now - since, now - last));
        assert!(keeper.renew().expect("Redis answers"));
        is_dead(&mut keeper)
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn a_server_is_declared_dead_only_after_a_while_of_renewals_without_a_gap() {
        let lease = LEASE.as_millis() as u64;
        assert!(declares(2 * lease, lease / 15));
        assert!(!declares(lease / 2, lease / 15), "it has been steady for too short a while");
        assert!(!declares(2 * lease, lease), "there was a gap");
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn a_server_is_not_declared_dead_for_a_silence_that_was_seen_long_ago() {
        let redis = TestRedis::start();
        let mut keeper = keeper(&redis, LEASE);
        let (_, now) = keeper.steady.expect("it was renewed");
        let seen = |ago: u64| Renewed {
            time: now - ago,
            servers: vec![OWN, SILENT],
            silent: vec![SILENT],
            burials: Vec::new(),
        };
        keeper.declare_dead(&seen(LEASE.as_millis() as u64 / 2)).expect("Redis answers");
        assert!(!is_dead(&mut keeper), "Redis may have stood still since");
        // Nor is one that has renewed its lease since.
        let connection = keeper.connection.as_mut().expect("one");
        redis::cmd("SET").arg(keys::lease(SILENT)).arg(1).exec(connection).expect("it is set");
        keeper.declare_dead(&seen(0)).expect("Redis answers");
        assert!(!is_dead(&mut keeper), "it has a lease");
        let connection = keeper.connection.as_mut().expect("one");
        redis::cmd("DEL").arg(keys::lease(SILENT)).exec(connection).expect("it is gone");
        keeper.declare_dead(&seen(0)).expect("Redis answers");
        assert!(is_dead(&mut keeper));
    }
}
