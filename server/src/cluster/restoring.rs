//! What happens when Redis was restarted, or another has taken its place: it may have lost what it
//! had. All servers come to its new run first, and each offers the rooms that it has in memory,
//! claims its names and keeps its sessions again; then rooms go on.
//!
//! # Guarantees
//!
//! 1. Of a room that several servers offer, Redis has the latest state that any of them has.
//! 2. Nothing is appended before all servers have come, or those that are missing have been waited
//!    for as long as a lease lasts.

use std::{
    sync::{Arc, LazyLock, atomic::AtomicU64},
    time::Duration,
};

use redis::{Connection, RedisResult, Script};

use super::{
    keys::{self, FLOOR, RUN, SERVERS},
    place::LogPlace,
    room_log::next_seq,
    sealed::Sealed,
};
use crate::room::log::Snapshot;

/// Makes a room that Redis has lost, or knows an earlier state of, what a server remembers.
static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local first = redis.call('HGET', KEYS[1], 'first')
        local number = tonumber(redis.call('HGET', KEYS[2], 'n') or '0')
        if first and first ~= ARGV[1] and tonumber(first) < tonumber(ARGV[1]) then
            return 0
        end
        if tonumber(redis.call('GET', KEYS[5]) or '0') < tonumber(ARGV[7]) then
            redis.call('SET', KEYS[5], ARGV[7])
        end
        if first == ARGV[1] and number >= tonumber(ARGV[4]) then
            return 0
        end
        redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
        redis.call('HSET', KEYS[1], 'name', ARGV[2], 'first', ARGV[1], 'time', ARGV[3])
        redis.call('HSET', KEYS[2], 'n', ARGV[4], 'run', ARGV[8], 'base', ARGV[4])
        for at = 9, #ARGV, 2 do
            redis.call('HSET', KEYS[2], 'q:' .. ARGV[at], ARGV[at + 1])
        end
        redis.call('HSET', KEYS[4], 'entry', ARGV[4], 'snapshot', ARGV[5])
        if ARGV[6] == '0' then
            redis.call('SADD', KEYS[6], KEYS[1])
        else
            for at = 1, 4 do
                redis.call('EXPIRE', KEYS[at], ARGV[6])
            end
        end
        return 1",
    )
});

/// Makes this run the one that rooms go on in, once all servers have come or were waited for;
/// returns whether it is.
static ARRIVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('GET', KEYS[1]) == ARGV[1] then
            return 1
        end
        local now = redis.call('TIME')
        local time = tonumber(now[1]) * 1000 + math.floor(now[2] / 1000)
        redis.call('SADD', KEYS[2], ARGV[2])
        redis.call('SET', KEYS[3], string.format('%.0f', time), 'NX')
        if time - tonumber(redis.call('GET', KEYS[3])) < tonumber(ARGV[3]) then
            for _, server in ipairs(redis.call('HKEYS', KEYS[4])) do
                if redis.call('SISMEMBER', KEYS[2], server) == 0 then
                    return 0
                end
            end
        end
        redis.call('SET', KEYS[1], ARGV[1])
        redis.call('DEL', KEYS[2], KEYS[3])
        return 1",
    )
});

/// The state of a room, as this server has it.
pub(super) struct OfferedRoom {
    pub(super) place: Arc<LogPlace>,
    pub(super) name: Arc<str>,
    pub(super) snapshot: Box<Snapshot>,
}

/// Whether rooms go on in this run already.
pub(super) fn has_begun(connection: &mut Connection, run: &str) -> RedisResult<bool> {
    let current: Option<String> = redis::cmd("GET").arg(RUN).query(connection)?;
    Ok(current.as_deref() == Some(run))
}

/// This server, which has offered what it has, comes to this run; whether rooms go on in it.
pub(super) fn arrive(
    connection: &mut Connection,
    run: &str,
    origin: u64,
    patience: Duration,
) -> RedisResult<bool> {
    let arguments = (run, origin, patience.as_millis() as u64);
    ARRIVE.key(RUN).key(&keys::arrivals(run)[..]).key(SERVERS).arg(arguments).invoke(connection)
}

impl OfferedRoom {
    /// Whether Redis has all that this server has of the room, in this run.
    pub(super) fn is_known(&self, connection: &mut Connection, run: &str) -> RedisResult<bool> {
        type RoomHead = (Option<u64>, Option<String>, Option<u64>);
        let keys = &self.place.keys;
        let (first, (number, restored_in, base)): (Option<u64>, RoomHead) = redis::pipe()
            .cmd("HGET")
            .arg(&keys.meta)
            .arg("first")
            .cmd("HMGET")
            .arg(&keys.head)
            .arg(&["n", "run", "base"])
            .query(connection)?;
        // What was restored from less than this server has went on differently.
        let base = base.filter(|_| restored_in.as_deref() == Some(run));
        Ok(first == Some(self.place.first)
            && number.unwrap_or(0) >= self.snapshot.entry
            && base.is_none_or(|base| base >= self.snapshot.entry))
    }

    /// Makes the room in Redis what this server remembers; false if Redis has that, or more.
    pub(super) fn restore(
        &self,
        connection: &mut Connection,
        run: &str,
        (origin, last_seq): (u64, &AtomicU64),
    ) -> RedisResult<bool> {
        let (place, keys) = (&self.place, &self.place.keys);
        let write = |part, plain| place.write(part, (origin, next_seq(last_seq)), plain);
        let state = serde_json::to_vec(&self.snapshot).expect("plain data");
        let heard: Vec<u64> =
            self.snapshot.heard.iter().flat_map(|(origin, seq)| [*origin, *seq]).collect();
        RESTORE
            .key(&[&keys.meta, &keys.head, &keys.log, &keys.state])
            .key((FLOOR, keys::rooms(origin)))
            .arg(place.first)
            .arg(write(Sealed::Mark, self.name.as_bytes().to_vec()))
            .arg((self.snapshot.time.as_millis(), self.snapshot.entry))
            .arg(write(Sealed::State, state))
            .arg((place.life().as_secs(), self.snapshot.state.next_id() - 1, run))
            .arg(heard)
            .invoke(connection)
    }
}
