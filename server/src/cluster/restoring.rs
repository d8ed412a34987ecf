//! What happens when Redis was restarted, or another has taken its place: it may have lost what it
//! had. All servers come to its new run first, and each offers the rooms that it has in memory, and the
//! lesson, claims its names and keeps its sessions again; then rooms go on.
//!
//! # Guarantees
//!
//! 1. Of a room that several servers offer, Redis has the latest state that any of them has.
//! 2. Ids go on above all that any of the servers has seen, and above Redis's clock and theirs: no
//!    room gives ids faster than the clock counts microseconds, with which it began.
//! 3. What a server offers is what it has heard in the last run: its hearer leaves that first, and
//!    hears of the new one later.
//! 4. Nothing is appended before all servers have come, or those that are missing have been waited
//!    for as long as a lease lasts.
//! 5. What a room has appended, and no server has heard, is appended again.
//! 6. A server comes once Redis has its names and sessions again: if it is killed then, its people
//!    come back to another.

use std::{
    sync::{Arc, LazyLock, atomic::AtomicU64},
    time::Duration,
};

use redis::{Connection, RedisResult, Script};

use super::{
    connection::run_of,
    keeping::Keeping,
    keys::{self, FLOOR, LESSON, RUN, SERVERS},
    place::LogPlace,
    room_log::next_seq,
    sealed::Sealed,
};
use crate::clock;

/// Makes a room or the lesson, if Redis has lost it or knows an earlier state of it, what a server
/// remembers.
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
        if ARGV[9] ~= '' then
            redis.call('SET', KEYS[7], ARGV[9])
        end
        for at = 10, #ARGV, 2 do
            redis.call('HSET', KEYS[2], 'q:' .. ARGV[at], ARGV[at + 1])
        end
        redis.call('HSET', KEYS[4], 'entry', ARGV[4], 'snapshot', ARGV[5])
        if ARGV[6] == '0' then
            redis.call('HSET', KEYS[4], 'base', ARGV[5])
            redis.call('SADD', KEYS[6], KEYS[1])
            redis.call('SADD', KEYS[8], KEYS[1])
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
        local above = tonumber(now[1]) * 1000000 + tonumber(now[2])
        for _, other in ipairs({redis.call('GET', KEYS[5]) or '0', ARGV[4]}) do
            above = math.max(above, tonumber(other))
        end
        redis.call('SET', KEYS[5], string.format('%.0f', above))
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

/// The state of a room or the lesson, as this server has it.
pub(super) struct OfferedState {
    pub(super) place: Arc<LogPlace>,
    /// The name or mark.
    pub(super) name: Arc<str>,
    pub(super) kept: Keeping,
}

/// Whether rooms go on in this run already.
pub(super) fn has_begun(connection: &mut Connection, run: &str) -> RedisResult<bool> {
    let current: Option<String> = redis::cmd("GET").arg(RUN).query(connection)?;
    Ok(current.as_deref() == Some(run))
}

/// Whether rooms go on in the run that this connection leads to.
pub(super) fn goes_on(connection: &mut Connection) -> RedisResult<bool> {
    let run = run_of(connection)?;
    has_begun(connection, &run)
}

/// This server, which has offered what it has, comes to this run; whether rooms go on in it. It has
/// seen ids up to `highest_id`.
pub(super) fn arrive(
    connection: &mut Connection,
    run: &str,
    (origin, highest_id): (u64, u64),
    patience: Duration,
) -> RedisResult<bool> {
    let micros = u64::try_from(clock::now().as_millis()).unwrap_or(0) * 1_000;
    let arguments = (run, origin, patience.as_millis() as u64, highest_id.max(micros));
    ARRIVE
        .key(RUN)
        .key(&keys::arrivals(run)[..])
        .key((SERVERS, FLOOR))
        .arg(arguments)
        .invoke(connection)
}

impl OfferedState {
    /// Whether Redis has all that this server has of it, in this run.
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
        let (entry, _) = self.kept.after();
        Ok(first == Some(self.place.first)
            && number.unwrap_or(0) >= entry
            && base.is_none_or(|base| base >= entry))
    }

    /// Makes it in Redis what this server remembers; false if Redis has that, or more.
    pub(super) fn restore(
        &self,
        connection: &mut Connection,
        run: &str,
        (origin, last_seq): (u64, &AtomicU64),
    ) -> RedisResult<bool> {
        let (place, keys) = (&self.place, &self.place.keys);
        let write = |part, plain| place.write(part, (origin, next_seq(last_seq)), plain);
        let (entry, time) = self.kept.after();
        let heard = self.kept.heard().iter().flat_map(|(origin, seq)| [*origin, *seq]);
        let lesson = match &self.kept {
            Keeping::Room(_) => None,
            Keeping::Lesson(_) => place.seal_name(),
        };
        RESTORE
            .key(&[&keys.meta, &keys.head, &keys.log, &keys.state])
            .key((FLOOR, keys::rooms(origin), LESSON, keys::PUBLIC))
            .arg(place.first)
            .arg(write(Sealed::Mark, self.name.as_bytes().to_vec()))
            .arg((time.as_millis(), entry))
            .arg(write(Sealed::State, self.kept.write()))
            .arg((place.life().as_secs(), self.kept.last_id(), run))
            .arg(lesson.unwrap_or_default())
            .arg(heard.collect::<Vec<u64>>())
            .invoke(connection)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use madang_protocol::{event::Time, room::RoomName};
    use madang_tests::redis::TestRedis;

    use super::*;
    use crate::{
        cluster::connection::Redis,
        room::{Beginning, log::Snapshot},
    };

    /// The state of a room after this entry, as one of its servers has it. The room began with
    /// the id `first`.
    fn offered(first: u64, entry: u64) -> OfferedState {
        let name = RoomName::parse("math").expect("a name");
        let mut place = LogPlace::public(&name);
        place.first = first;
        let beginning = Beginning { first_id: first, ..Beginning::default() };
        let mut snapshot = Snapshot::first(beginning, Time::from_millis(0));
        snapshot.entry = entry;
        let kept = Keeping::Room(Box::new(snapshot));
        OfferedState { place: Arc::new(place), name: "math".into(), kept }
    }

    /// Has an emptied Redis restore the states that these servers offer, in their order, although
    /// none of them has looked first; each says whether that was necessary. Expects this room and
    /// entry in the end.
    #[track_caller]
    fn check(offers: &[(u64, u64, bool)], (first, entry): (u64, u64)) {
        let redis = TestRedis::start();
        let at = Redis::at(&redis.url(), None).expect("an address");
        let mut connection = at.connect().expect("it runs");
        let last_seq = AtomicU64::new(0);
        for ((of_room, after, is_necessary), origin) in offers.iter().zip(1..) {
            let restored =
                offered(*of_room, *after).restore(&mut connection, "run", (origin, &last_seq));
            assert_eq!(restored.expect("Redis answers"), *is_necessary, "server {origin}");
        }
        let last = offered(first, entry);
        assert!(last.is_known(&mut connection, "run").expect("Redis answers"));
        let keys = &last.place.keys;
        let kept: (u64, u64, u64, Vec<u8>) = redis::pipe()
            .hget(&keys.meta, "first")
            .hget(&keys.head, "n")
            .hget(&keys.state, "entry")
            .hget(&keys.state, "snapshot")
            .query(&mut connection)
            .expect("Redis has the room");
        assert_eq!(kept, (first, entry, entry, last.kept.write()));
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn the_latest_state_that_is_offered_stays_whoever_comes_first() {
        check(&[(7, 3, true), (7, 5, true)], (7, 5));
        check(&[(7, 5, true), (7, 3, false)], (7, 5));
        check(&[(7, 3, true), (7, 5, true), (7, 4, false), (7, 5, false)], (7, 5));
        // Of two rooms of one name, the later was made because the earlier was lost.
        check(&[(7, 3, true), (8, 9, false)], (7, 3));
        check(&[(8, 9, true), (7, 3, true)], (7, 3));
    }
}
