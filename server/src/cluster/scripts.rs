//! The atomic Redis scripts: open a room, append to its log, keep its state, end it.

use std::{sync::LazyLock, time::Duration};

use madang_protocol::event::Time;
use redis::{Connection, ErrorKind, RedisResult, Script, Value};

use super::{
    ended_rooms,
    keys::{ENDED_ROOMS, FLOOR, KICKS, MADE, NONCE_KEY, PUBLIC, RUN, RoomKeys, dead, rooms},
    place::LogPlace,
};
use crate::{room::log::LogEntry, session::nonces::NonceKey};

/// How much an entry counts beside its body.
const ENTRY_BYTES: usize = 100;

/// How many entries one read returns.
const PART: usize = 500;

/// Makes the room unless it exists or no name is given; returns its first state, and the state
/// that is wanted, if it is kept. Whom an earlier room of the name had kicked is kept out of the new
/// one. Fails in a run of Redis that not all servers have come to: one of them may have the room.
static OPEN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if ARGV[5] ~= '' and redis.call('GET', KEYS[7]) ~= ARGV[5] then
            return redis.error_reply('CLOSED servers gather after a restart')
        end
        local meta = redis.call('HMGET', KEYS[1], 'name', 'first', 'time', 'kicks')
        if not meta[1] then
            if ARGV[1] == '' then
                return {}
            end
            local now = redis.call('TIME')
            local first = tonumber(now[1]) * 1000000 + tonumber(now[2])
            local floor = tonumber(redis.call('GET', KEYS[3]) or '0') + 1
            if first < floor then
                first = floor
                redis.call('SET', KEYS[3], string.format('%.0f', first))
            end
            first = string.format('%.0f', first)
            local time = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(now[2] / 1000))
            meta = {ARGV[1], first, time, redis.call('HGET', KEYS[6], KEYS[1])}
            redis.call('HSET', KEYS[1], 'name', meta[1], 'first', meta[2], 'time', meta[3])
            if meta[4] then
                redis.call('HSET', KEYS[1], 'kicks', meta[4])
                redis.call('HDEL', KEYS[6], KEYS[1])
            end
        end
        if ARGV[2] == '1' then
            redis.call('SADD', KEYS[4], KEYS[1])
            if redis.call('SADD', KEYS[5], KEYS[1]) == 1 then
                redis.call('PUBLISH', ARGV[4], '')
            end
        end
        local snapshot = redis.call('HGET', KEYS[2], 'snapshot')
        if ARGV[3] == '1' then
            snapshot = redis.call('HGET', KEYS[2], 'base')
        end
        return {meta[1], meta[2], meta[3], snapshot or '', meta[4] or ''}",
    )
});

/// Drops the entries before the marked state, once that is old enough; returns whether no state is
/// marked now. Of a public room, the marked state stays as the base of the entries that are left,
/// so that an archive can carry out all of them.
const TRIM: &str = r"
    local function mark(state, entry, time, snapshot, is_public)
        redis.call('HSET', state, 'mark', entry, 'marked', time)
        if is_public then
            redis.call('HSET', state, 'next', snapshot)
        end
    end
    local function drop_up_to(log, head, number)
        local entry = redis.call('XRANGE', log, number .. '-0', number .. '-0')[1]
        for at = 1, entry and #entry[2] or 0, 2 do
            if entry[2][at] == 'c' then
                redis.call('HSET', head, 'trimmed', entry[2][at + 1])
            end
        end
        redis.call('XTRIM', log, 'MINID', string.format('%.0f-0', tonumber(number) + 1))
    end
    local function trim(state, log, head, now, kept_for)
        local marked = redis.call('HMGET', state, 'mark', 'marked', 'next')
        if not marked[1] or now - tonumber(marked[2]) < kept_for then
            return not marked[1]
        end
        drop_up_to(log, head, marked[1])
        redis.call('HDEL', state, 'mark')
        if marked[3] then
            redis.call('HSET', state, 'base', marked[3])
        end
        return true
    end";

/// Appends an entry and publishes it. An entry that was appended before is not appended again. The
/// first of a room in a run of Redis says above which ids it goes on. While the log has as much as
/// it may, nothing is appended.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        &[
            TRIM,
            r"
        if redis.call('EXISTS', KEYS[4]) == 1 then
            return 'fenced'
        end
        if redis.call('GET', KEYS[5]) ~= ARGV[7] then
            return 'closed'
        end
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[3] then
            return 'gone'
        end
        local last = 'q:' .. ARGV[1]
        local head = redis.call('HMGET', KEYS[2], last, 'raised', 'bytes', 'trimmed')
        if head[1] == ARGV[2] then
            return 'before'
        end
        local now = redis.call('TIME')
        local time = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(now[2] / 1000))
        local bytes = tonumber(head[3] or '0')
        local trimmed = head[4] or '0'
        while bytes - tonumber(trimmed) >= tonumber(ARGV[8]) do
            local marked = redis.call('HGET', KEYS[7], 'mark')
            if not trim(KEYS[7], KEYS[3], KEYS[2], tonumber(time), tonumber(ARGV[9])) then
                return 'full'
            end
            trimmed = redis.call('HGET', KEYS[2], 'trimmed') or '0'
            local kept = redis.call('HMGET', KEYS[7], 'entry', 'at', 'snapshot')
            if kept[2] and kept[1] ~= marked then
                mark(KEYS[7], kept[1], kept[2], kept[3], ARGV[6] == '0')
            elseif bytes - tonumber(trimmed) >= tonumber(ARGV[8]) then
                return 'full'
            end
        end
        local number = string.format('%.0f', redis.call('HINCRBY', KEYS[2], 'n', 1))
        bytes = string.format('%.0f', bytes + #ARGV[5] + tonumber(ARGV[10]))
        redis.call('HSET', KEYS[2], last, ARGV[2], 'raised', ARGV[7], 'bytes', bytes)
        local above = '0'
        if head[2] ~= ARGV[7] then
            above = redis.call('GET', KEYS[6]) or '0'
        end
        redis.call('XADD', KEYS[3], number .. '-0', 'o', ARGV[1], 's', ARGV[2], 't', time,
            'a', above, 'c', bytes, 'b', ARGV[5])
        if ARGV[6] ~= '0' then
            for at = 1, 3 do
                redis.call('EXPIRE', KEYS[at], ARGV[6])
            end
        end
        redis.call('PUBLISH', ARGV[4],
            table.concat({number, ARGV[1], ARGV[2], time, above}, ' ') .. '\n' .. ARGV[5])
        return 'appended'",
        ]
        .concat(),
    )
});

/// Keeps the state unless a later one is kept, drops the entries before the marked one if that is
/// old enough, and marks this one then.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        &[
            TRIM,
            r"
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[1] then
            return 0
        end
        local kept = redis.call('HGET', KEYS[2], 'entry')
        if kept and tonumber(kept) >= tonumber(ARGV[2]) then
            return 0
        end
        redis.call('HSET', KEYS[2], 'entry', ARGV[2], 'at', ARGV[3], 'snapshot', ARGV[4])
        if trim(KEYS[2], KEYS[3], KEYS[4], tonumber(ARGV[3]), tonumber(ARGV[6])) then
            mark(KEYS[2], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '0')
        end
        if ARGV[5] ~= '0' then
            redis.call('EXPIRE', KEYS[1], ARGV[5])
            redis.call('EXPIRE', KEYS[2], ARGV[5])
        end
        return 1",
        ]
        .concat(),
    )
});

/// Keeps the state unless a later one is kept, and drops all that led there: earlier states and
/// entries.
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        &[
            TRIM,
            r"
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[1] then
            return 0
        end
        local kept = redis.call('HMGET', KEYS[2], 'entry', 'mark', 'marked')
        local entry = tonumber(ARGV[2])
        drop_up_to(KEYS[3], KEYS[4], ARGV[2])
        redis.call('HSET', KEYS[2], 'base', ARGV[4])
        if not kept[1] or tonumber(kept[1]) < entry then
            redis.call('HSET', KEYS[2], 'entry', ARGV[2], 'at', ARGV[3], 'snapshot', ARGV[4])
        end
        if not kept[2] or tonumber(kept[2]) < entry then
            mark(KEYS[2], ARGV[2], ARGV[3], ARGV[4], true)
        end
        return 1",
        ]
        .concat(),
    )
});

/// Ends the room, unless another of the same name was made since, or this server counts as dead.
/// Its kicks are kept, and those of other rooms that are over are dropped. Of a public one, its ids
/// are kept for archives that are away.
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('EXISTS', KEYS[7]) == 1 then
            return 0
        end
        redis.call('SREM', KEYS[6], KEYS[1])
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[1] then
            return 0
        end
        local floor = tonumber(redis.call('GET', KEYS[5]) or '0')
        if tonumber(ARGV[2]) > floor then
            redis.call('SET', KEYS[5], ARGV[2])
        end
        redis.call('SREM', KEYS[8], KEYS[1])
        redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
        local now = redis.call('TIME')
        local time = tonumber(now[1]) * 1000 + math.floor(now[2] / 1000)
        if ARGV[4] == '1' then
            redis.call('ZADD', KEYS[10], time, ARGV[1] .. ' ' .. ARGV[2])
            redis.call('ZREMRANGEBYSCORE', KEYS[10], '-inf', time - tonumber(ARGV[5]))
            redis.call('ZREMRANGEBYRANK', KEYS[10], 0, -1 - tonumber(ARGV[6]))
        end
        if ARGV[3] ~= '' then
            local kept = redis.call('HGETALL', KEYS[9])
            for at = 1, #kept, 2 do
                if tonumber(string.match(kept[at + 1], '^%d+')) < time then
                    redis.call('HDEL', KEYS[9], kept[at])
                end
            end
            redis.call('HSET', KEYS[9], KEYS[1], ARGV[3])
        end
        return 1",
    )
});

/// A room as Redis has it; sealed if it is private.
pub(super) struct StoredRoom {
    /// As its maker wrote it.
    pub(super) name: Vec<u8>,
    /// Its first id: no other room has the same.
    pub(super) first: u64,
    /// When it was made.
    pub(super) time: Time,
    /// The state as [`keep`] was given it, if there is one.
    pub(super) snapshot: Option<Vec<u8>>,
    /// Whom an earlier room of the name had kicked, as [`write_kicks`](super::kicks::write_kicks)
    /// wrote it.
    pub(super) kicks: Option<Vec<u8>>,
}

/// Which state of a room is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptState {
    /// The last one that is kept.
    Last,
    /// For an archive: the one before the first entry that is left.
    First,
}

/// The outcome of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// It has its place, now or already before.
    Done,
    /// This server counts as dead.
    Fenced,
    /// The room has ended.
    Gone,
    /// Redis has been restarted, and not all servers have seen yet what it has lost.
    Closed,
    /// The room's log has as much as it may, and what it has is not old enough to be dropped.
    Full,
}

/// How much the log of a room may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogLimits {
    pub(super) bytes: u64,
    /// How long entries are kept that a kept state contains.
    pub(super) kept_for: Duration,
}

/// The secret for hashes of nonces, shared by all servers; the first server draws it.
pub(super) fn nonce_key(connection: &mut Connection) -> RedisResult<NonceKey> {
    let (low, high) = NonceKey::random().parts();
    let drawn = format!("{low} {high}");
    redis::cmd("SET").arg(NONCE_KEY).arg(drawn).arg("NX").query::<Value>(connection)?;
    let kept: String = redis::cmd("GET").arg(NONCE_KEY).query(connection)?;
    let halves = kept
        .split_once(' ')
        .and_then(|(low, high)| Some(NonceKey::new(low.parse().ok()?, high.parse().ok()?)));
    halves.ok_or_else(|| (ErrorKind::Parse, "the secret of nonces can't be read").into())
}

/// The time by Redis's clock.
pub(super) fn time(connection: &mut Connection) -> RedisResult<Time> {
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query(connection)?;
    Ok(Time::from_millis(seconds * 1_000 + micros / 1_000))
}

/// Keeps the secret for hashes of nonces again, in case it is lost.
pub(super) fn keep_nonce_key(connection: &mut Connection, key: NonceKey) -> RedisResult<()> {
    let (low, high) = key.parts();
    redis::cmd("SET").arg(NONCE_KEY).arg(format!("{low} {high}")).query(connection)
}

/// Opens a room for the server `origin`; with a name, makes it if it does not exist. The connection
/// leads to `run`; empty: rooms go on in it, or need not.
pub(super) fn open_room(
    connection: &mut Connection,
    place: &LogPlace,
    name: Option<&[u8]>,
    origin: u64,
    (wanted, run): (KeptState, &str),
) -> RedisResult<Option<StoredRoom>> {
    let is_public = place.life().is_zero();
    let opened: Vec<Vec<u8>> = OPEN
        .key(&[&place.keys.meta, &place.keys.state])
        .key((FLOOR, rooms(origin), PUBLIC, KICKS, RUN))
        .arg((name.unwrap_or_default(), is_public, is_public && wanted == KeptState::First, MADE))
        .arg(run)
        .invoke(connection)?;
    let Ok([name, first, time, snapshot, kicks]) = <[Vec<u8>; 5]>::try_from(opened) else {
        return Ok(None);
    };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    let numbers = number(&first).and_then(|first| u64::try_from(first).ok()).zip(number(&time));
    let (first, time) =
        numbers.ok_or((ErrorKind::Parse, "what a room began with can't be read"))?;
    let [snapshot, kicks] = [snapshot, kicks].map(|kept| Some(kept).filter(|it| !it.is_empty()));
    Ok(Some(StoredRoom { name, first, time: Time::from_millis(time), snapshot, kicks }))
}

/// Appends an entry to a room's log.
pub(super) fn append(
    connection: &mut Connection,
    place: &LogPlace,
    (origin, seq): (u64, u64),
    body: &[u8],
    (run, limits): (&str, LogLimits),
) -> RedisResult<Appended> {
    let keys = &place.keys;
    let outcome: String = APPEND
        .key(&[&keys.meta, &keys.head, &keys.log])
        .key((dead(origin), RUN, FLOOR))
        .key(&keys.state)
        .arg((origin, seq, place.first))
        .arg(&keys.channel)
        .arg(body)
        .arg(place.life().as_secs())
        .arg((run, limits.bytes, limits.kept_for.as_millis() as u64, ENTRY_BYTES))
        .invoke(connection)?;
    Ok(match &*outcome {
        "fenced" => Appended::Fenced,
        "gone" => Appended::Gone,
        "closed" => Appended::Closed,
        "full" => Appended::Full,
        _ => Appended::Done,
    })
}

/// Keeps the state after an entry of this number and time, as [`LogPlace::write`] returns it.
pub(super) fn keep(
    connection: &mut Connection,
    place: &LogPlace,
    (entry, time): (u64, Time),
    written: &[u8],
    limits: LogLimits,
) -> RedisResult<()> {
    let keys = &place.keys;
    KEEP.key(&[&keys.meta, &keys.state, &keys.log, &keys.head])
        .arg((place.first, entry, time.as_millis()))
        .arg(written)
        .arg(place.life().as_secs())
        .arg(limits.kept_for.as_millis() as u64)
        .invoke(connection)
}

/// Keeps the state after an entry of this number and time of a public room as the earliest one.
pub(super) fn forget_before(
    connection: &mut Connection,
    place: &LogPlace,
    (entry, time): (u64, Time),
    written: &[u8],
) -> RedisResult<()> {
    let keys = &place.keys;
    FORGET
        .key(&[&keys.meta, &keys.state, &keys.log, &keys.head])
        .arg((place.first, entry, time.as_millis()))
        .arg(written)
        .invoke(connection)
}

/// Extends the life of a room in Redis.
pub(super) fn let_live(connection: &mut Connection, place: &LogPlace) -> RedisResult<()> {
    let (keys, seconds) = (&place.keys, place.life().as_secs());
    let mut pipe = redis::pipe();
    for key in [&keys.meta, &keys.state, &keys.log, &keys.head] {
        pipe.cmd("EXPIRE").arg(key).arg(seconds).ignore();
    }
    pipe.query(connection)
}

/// Ends a room whose next event would have had the id `next_id`, and keeps its kicks, as
/// [`write_kicks`](super::kicks::write_kicks) wrote them.
pub(super) fn forget_room(
    connection: &mut Connection,
    place: &LogPlace,
    (next_id, kicks): (u64, &[u8]),
    origin: u64,
) -> RedisResult<()> {
    let keys = &place.keys;
    END.key(&[&keys.meta, &keys.state, &keys.log, &keys.head])
        .key((FLOOR, rooms(origin), dead(origin), PUBLIC, KICKS, ENDED_ROOMS))
        .arg((place.first, next_id, kicks, u8::from(place.is_public())))
        .arg((ended_rooms::KEPT.as_millis() as u64, ended_rooms::MOST))
        .invoke(connection)
}

/// The entries from this number on, up to one read's worth; none at the end.
pub(super) fn read_entries(
    connection: &mut Connection,
    keys: &RoomKeys,
    from: u64,
) -> RedisResult<Vec<LogEntry>> {
    let rows: Vec<(String, Vec<Value>)> = redis::cmd("XRANGE")
        .arg(&keys.log)
        .arg(format!("{from}-0"))
        .arg("+")
        .arg("COUNT")
        .arg(PART)
        .query(connection)?;
    rows.into_iter()
        .map(|(id, fields)| {
            let number = id.strip_suffix("-0").and_then(|id| id.parse().ok());
            entry(number, &fields).ok_or_else(|| {
                (ErrorKind::Parse, "an entry can't be read", format!("{} {id}", keys.log)).into()
            })
        })
        .collect()
}

fn entry(number: Option<u64>, fields: &[Value]) -> Option<LogEntry> {
    let field = |name: &[u8]| {
        let mut pairs = fields.chunks_exact(2);
        pairs.find_map(|pair| match pair {
            [Value::BulkString(key), Value::BulkString(value)] if key == name => Some(value),
            _ => None,
        })
    };
    let number_in = |name: &[u8]| std::str::from_utf8(field(name)?).ok()?.parse::<u64>().ok();
    Some(LogEntry {
        number: number?,
        origin: number_in(b"o")?,
        seq: number_in(b"s")?,
        time: Time::from_millis(i64::try_from(number_in(b"t")?).ok()?),
        ids_above: number_in(b"a")?,
        body: field(b"b")?.as_slice().into(),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use madang_protocol::room::RoomName;
    use madang_tests::redis::TestRedis;

    use super::*;
    use crate::cluster::connection::Redis;

    const LIMITS: LogLimits = LogLimits { bytes: 1 << 20, kept_for: Duration::from_secs(60) };
    const RUN_OF_TEST: &str = "run";

    fn connect(redis: &TestRedis) -> Connection {
        Redis::at(&redis.url(), None).expect("an address").connect().expect("it runs")
    }

    /// A room that server 1 has made.
    fn made_room(connection: &mut Connection) -> LogPlace {
        let name = RoomName::parse("math").expect("a name");
        redis::cmd("SET").arg(RUN).arg(RUN_OF_TEST).exec(connection).expect("it is set");
        let mut place = LogPlace::public(&name);
        let wanted = (KeptState::Last, RUN_OF_TEST);
        let made = open_room(connection, &place, Some(b"math"), 1, wanted).expect("Redis answers");
        place.first = made.expect("it is made").first;
        place
    }

    /// What has its place in the room's log: who appended it, and under which number.
    fn appended(connection: &mut Connection, place: &LogPlace) -> Vec<(u64, u64, u64)> {
        let entries = read_entries(connection, &place.keys, 0).expect("Redis answers");
        entries.iter().map(|entry| (entry.number, entry.origin, entry.seq)).collect()
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn an_entry_that_is_sent_again_has_its_place_once() {
        let redis = TestRedis::start();
        let mut connection = connect(&redis);
        let place = made_room(&mut connection);
        for by in [(1, 1), (1, 1), (2, 1), (1, 1), (1, 2), (2, 1)] {
            let outcome = append(&mut connection, &place, by, b"said", (RUN_OF_TEST, LIMITS));
            assert_eq!(outcome.expect("Redis answers"), Appended::Done, "{by:?}");
        }
        let expected = [(1, 1, 1), (2, 2, 1), (3, 1, 2)];
        assert_eq!(appended(&mut connection, &place), expected);
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn nothing_is_appended_by_a_server_that_counts_as_dead_or_in_another_run() {
        let redis = TestRedis::start();
        let mut connection = connect(&redis);
        let place = made_room(&mut connection);
        redis::cmd("SET").arg(dead(2)).arg("declared").exec(&mut connection).expect("it is set");
        let cases = [
            (1, RUN_OF_TEST, Appended::Done),
            (2, RUN_OF_TEST, Appended::Fenced),
            (3, "the next run", Appended::Closed),
        ];
        for (origin, run, expected) in cases {
            let outcome = append(&mut connection, &place, (origin, 1), b"said", (run, LIMITS));
            assert_eq!(outcome.expect("Redis answers"), expected, "{origin}");
        }
        assert_eq!(appended(&mut connection, &place), [(1, 1, 1)]);
    }
}
