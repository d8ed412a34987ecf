//! The atomic Redis scripts: open a room, append to its log, keep its state, end it.

use std::sync::LazyLock;

use madang_protocol::{event::Time, room::RoomName};
use redis::{Connection, ErrorKind, RedisError, RedisResult, Script, Value};

use super::keys::{FLOOR, NONCE_KEY, RoomKeys, dead};
use crate::{
    room::{
        Beginning,
        log::{LogEntry, Snapshot},
    },
    session::nonces::NonceKey,
};

/// How many entries one read returns.
const PART: usize = 500;

/// Makes the room unless it exists; returns its first state, and its kept state if there is one.
static OPEN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local meta = redis.call('HMGET', KEYS[1], 'name', 'first', 'time')
        if not meta[1] then
            local now = redis.call('TIME')
            local first = tonumber(now[1]) * 1000000 + tonumber(now[2])
            local floor = tonumber(redis.call('GET', KEYS[3]) or '0') + 1
            first = string.format('%.0f', math.max(first, floor))
            local time = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(now[2] / 1000))
            meta = {ARGV[1], first, time}
            redis.call('HSET', KEYS[1], 'name', meta[1], 'first', meta[2], 'time', meta[3])
        end
        local snapshot = redis.call('HGET', KEYS[2], 'snapshot')
        return {meta[1], meta[2], meta[3], snapshot or ''}",
    )
});

/// Appends an entry and publishes it. An entry that was appended before is not appended again.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('EXISTS', KEYS[4]) == 1 then
            return 'fenced'
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
        redis.call('XADD', KEYS[3], number .. '-0', 'o', ARGV[1], 's', ARGV[2], 't', time,
            'b', ARGV[5])
        redis.call('PUBLISH', ARGV[4],
            number .. ' ' .. ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. time .. '\n' .. ARGV[5])
        return 'appended'",
    )
});

/// Keeps the state unless a later one is kept, and drops the entries before an earlier state once
/// that is a minute old.
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
        if not kept[2] then
            redis.call('HSET', KEYS[2], 'mark', ARGV[2], 'marked', ARGV[3])
        elseif tonumber(ARGV[3]) - tonumber(kept[3]) >= 60000 then
            redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f-0', tonumber(kept[2]) + 1))
            redis.call('HSET', KEYS[2], 'mark', ARGV[2], 'marked', ARGV[3])
        end
        return 1",
    )
});

/// Ends the room, unless another of the same name was made since.
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('HGET', KEYS[1], 'first') ~= ARGV[1] then
            return 0
        end
        local floor = tonumber(redis.call('GET', KEYS[5]) or '0')
        if tonumber(ARGV[2]) > floor then
            redis.call('SET', KEYS[5], ARGV[2])
        end
        return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])",
    )
});

/// A room as Redis has it.
pub(super) struct OpenedRoom {
    /// As its maker wrote it.
    pub(super) name: String,
    /// Its first id: no other room has the same.
    pub(super) first: u64,
    pub(super) snapshot: Snapshot,
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

/// Opens a room, and makes it if it does not exist.
pub(super) fn open_room(
    connection: &mut Connection,
    keys: &RoomKeys,
    name: &RoomName,
    nonce_key: NonceKey,
) -> RedisResult<OpenedRoom> {
    let (name, first, time, snapshot): (String, u64, i64, Vec<u8>) =
        OPEN.key(&[&keys.meta, &keys.state]).key(FLOOR).arg(name.as_str()).invoke(connection)?;
    let snapshot = if snapshot.is_empty() {
        let beginning = Beginning { first_id: first, nonce_key, ..Beginning::default() };
        Snapshot::first(beginning, Time::from_millis(time))
    } else {
        serde_json::from_slice(&snapshot).map_err(unreadable)?
    };
    Ok(OpenedRoom { name, first, snapshot })
}

fn unreadable(error: serde_json::Error) -> RedisError {
    (ErrorKind::Parse, "a room's state can't be read", error.to_string()).into()
}

/// Appends an entry to the log of the room that began with the id `first`.
pub(super) fn append(
    connection: &mut Connection,
    keys: &RoomKeys,
    first: u64,
    (origin, seq): (u64, u64),
    body: &[u8],
) -> RedisResult<Appended> {
    let outcome: String = APPEND
        .key(&[&keys.meta, &keys.head, &keys.log])
        .key(dead(origin))
        .arg((origin, seq, first))
        .arg(&keys.channel)
        .arg(body)
        .invoke(connection)?;
    Ok(match &*outcome {
        "fenced" => Appended::Fenced,
        "gone" => Appended::Gone,
        _ => Appended::Done,
    })
}

/// Keeps a room's state.
pub(super) fn keep(
    connection: &mut Connection,
    keys: &RoomKeys,
    first: u64,
    snapshot: &Snapshot,
) -> RedisResult<()> {
    let written = serde_json::to_vec(snapshot).expect("plain data");
    KEEP.key(&[&keys.meta, &keys.state, &keys.log])
        .arg((first, snapshot.entry, snapshot.time.as_millis()))
        .arg(written)
        .invoke(connection)
}

/// Ends a room whose next event would have had the id `next_id`.
pub(super) fn forget_room(
    connection: &mut Connection,
    keys: &RoomKeys,
    first: u64,
    next_id: u64,
) -> RedisResult<()> {
    END.key(&[&keys.meta, &keys.state, &keys.log, &keys.head])
        .key(FLOOR)
        .arg((first, next_id))
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
        body: field(b"b")?.as_slice().into(),
    })
}
