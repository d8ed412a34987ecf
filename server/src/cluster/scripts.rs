//! The atomic Redis scripts: open a room, append to its log, keep its state, end it.

use std::{sync::LazyLock, time::Duration};

use madang_protocol::event::Time;
use redis::{Connection, ErrorKind, RedisResult, Script, Value};

use super::{
    keys::{FLOOR, KICKS, MADE, NONCE_KEY, PUBLIC, RUN, RoomKeys, dead, rooms},
    place::LogPlace,
};
use crate::{room::log::LogEntry, session::nonces::NonceKey};

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

/// Appends an entry and publishes it. An entry that was appended before is not appended again. The
/// first of a room in a run of Redis says above which ids it goes on.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
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
        local before = redis.call('HGET', KEYS[2], last)
        if before == ARGV[2] then
            return 'before'
        end
        local now = redis.call('TIME')
        local time = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(now[2] / 1000))
        local number = string.format('%.0f', redis.call('HINCRBY', KEYS[2], 'n', 1))
        redis.call('HSET', KEYS[2], last, ARGV[2])
        local above = '0'
        if redis.call('HGET', KEYS[2], 'raised') ~= ARGV[7] then
            redis.call('HSET', KEYS[2], 'raised', ARGV[7])
            above = redis.call('GET', KEYS[6]) or '0'
        end
        redis.call('XADD', KEYS[3], number .. '-0', 'o', ARGV[1], 's', ARGV[2], 't', time,
            'a', above, 'b', ARGV[5])
        if ARGV[6] ~= '0' then
            for at = 1, 3 do
                redis.call('EXPIRE', KEYS[at], ARGV[6])
            end
        end
        redis.call('PUBLISH', ARGV[4],
            table.concat({number, ARGV[1], ARGV[2], time, above}, ' ') .. '\n' .. ARGV[5])
        return 'appended'",
    )
});

/// Keeps the state unless a later one is kept, and drops the entries before an earlier state once
/// that is old enough. Of a public room, that state stays as the base of the entries that are left,
/// so that an archive can carry out all of them.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[1] then
            return 0
        end
        local kept = redis.call('HMGET', KEYS[2], 'entry', 'mark', 'marked')
        if kept[1] and tonumber(kept[1]) >= tonumber(ARGV[2]) then
            return 0
        end
        redis.call('HSET', KEYS[2], 'entry', ARGV[2], 'snapshot', ARGV[4])
        local old = kept[2] and tonumber(ARGV[3]) - tonumber(kept[3]) >= tonumber(ARGV[6])
        if old then
            redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f-0', tonumber(kept[2]) + 1))
            local base = redis.call('HGET', KEYS[2], 'next')
            if base then
                redis.call('HSET', KEYS[2], 'base', base)
            end
        end
        if old or not kept[2] then
            redis.call('HSET', KEYS[2], 'mark', ARGV[2], 'marked', ARGV[3])
            if ARGV[5] == '0' then
                redis.call('HSET', KEYS[2], 'next', ARGV[4])
            end
        end
        if ARGV[5] ~= '0' then
            redis.call('EXPIRE', KEYS[1], ARGV[5])
            redis.call('EXPIRE', KEYS[2], ARGV[5])
        end
        return 1",
    )
});

/// Keeps the state unless a later one is kept, and drops all that led there: earlier states and
/// entries.
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[1] then
            return 0
        end
        local kept = redis.call('HMGET', KEYS[2], 'entry', 'mark', 'marked')
        local entry = tonumber(ARGV[2])
        redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f-0', entry + 1))
        redis.call('HSET', KEYS[2], 'base', ARGV[4])
        if not kept[1] or tonumber(kept[1]) < entry then
            redis.call('HSET', KEYS[2], 'entry', ARGV[2], 'snapshot', ARGV[4])
        end
        if not kept[2] or tonumber(kept[2]) < entry then
            redis.call('HSET', KEYS[2], 'mark', ARGV[2], 'marked', ARGV[3], 'next', ARGV[4])
        end
        return 1",
    )
});

/// Ends the room, unless another of the same name was made since, or this server counts as dead.
/// Its kicks are kept, and those of other rooms that are over are dropped.
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
        if ARGV[3] ~= '' then
            local now = redis.call('TIME')
            local time = tonumber(now[1]) * 1000 + math.floor(now[2] / 1000)
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
    run: &str,
) -> RedisResult<Appended> {
    let keys = &place.keys;
    let outcome: String = APPEND
        .key(&[&keys.meta, &keys.head, &keys.log])
        .key((dead(origin), RUN, FLOOR))
        .arg((origin, seq, place.first))
        .arg(&keys.channel)
        .arg(body)
        .arg(place.life().as_secs())
        .arg(run)
        .invoke(connection)?;
    Ok(match &*outcome {
        "fenced" => Appended::Fenced,
        "gone" => Appended::Gone,
        "closed" => Appended::Closed,
        _ => Appended::Done,
    })
}

/// Keeps the state after an entry of this number and time, as [`LogPlace::write`] returns it.
/// Entries that it contains are kept for `kept_for`.
pub(super) fn keep(
    connection: &mut Connection,
    place: &LogPlace,
    (entry, time): (u64, Time),
    written: &[u8],
    kept_for: Duration,
) -> RedisResult<()> {
    let keys = &place.keys;
    KEEP.key(&[&keys.meta, &keys.state, &keys.log])
        .arg((place.first, entry, time.as_millis()))
        .arg(written)
        .arg(place.life().as_secs())
        .arg(kept_for.as_millis() as u64)
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
        .key(&[&keys.meta, &keys.state, &keys.log])
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
        .key((FLOOR, rooms(origin), dead(origin), PUBLIC, KICKS))
        .arg((place.first, next_id, kicks))
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
