//! Whom public rooms that have ended had kicked, kept in Redis in case they are made again: a hash,
//! by room, each value with the time when its last kick is over.

use std::sync::LazyLock;

use madang_protocol::{event::Time, name::UserName};
use redis::{Connection, RedisResult, Script};

use super::keys::KICKS;
use crate::room::kicks::Kicks;

/// Replaces what is kept of a room, or drops it, unless it has changed meanwhile.
static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
            return 0
        end
        if ARGV[3] == '' then
            redis.call('HDEL', KEYS[1], ARGV[1])
        else
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
        end
        return 1",
    )
});

/// The kicks that hold at `now`, as they are kept; nothing if there are none.
pub(super) fn write_kicks(kicks: &Kicks, now: Time) -> Vec<u8> {
    let Some(until) = kicks.over_at(now) else { return Vec::new() };
    let mut written = format!("{} ", until.as_millis()).into_bytes();
    serde_json::to_writer(&mut written, kicks).expect("plain data");
    written
}

/// The kicks as they were [written](write_kicks); none if that can't be read.
pub(super) fn read_kicks(written: &[u8]) -> Kicks {
    let json = written.iter().position(|byte| *byte == b' ').map(|end| &written[end + 1..]);
    let kicks = json.and_then(|json| serde_json::from_slice(json).ok());
    kicks.unwrap_or_else(|| {
        tracing::warn!("the kicks of a room that has ended can't be read");
        Kicks::default()
    })
}

/// Lifts kicks for this name and for the session that has it now; returns whether there were any.
pub(super) fn lift_kicks(
    connection: &mut Connection,
    name: &UserName,
    session: Option<u64>,
    now: Time,
) -> RedisResult<bool> {
    let mut any = false;
    loop {
        let kept: Vec<(String, Vec<u8>)> = redis::cmd("HGETALL").arg(KICKS).query(connection)?;
        let mut has_changed = false;
        for (room, before) in kept {
            let mut kicks = read_kicks(&before);
            let lifted = kicks.lifted_by(name, session, now);
            if lifted.is_empty() {
                continue;
            }
            lifted.iter().for_each(|name| kicks.remove(name, now));
            let arguments = (room, before, write_kicks(&kicks, now));
            match REPLACE.key(KICKS).arg(arguments).invoke(connection)? {
                true => any = true,
                false => has_changed = true,
            }
        }
        if !has_changed {
            return Ok(any);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::room::kicks::Kick;

    #[test]
    fn kicks_are_kept_until_the_last_is_over() {
        let now = Time::from_millis(1_000);
        let mut kicks = Kicks::default();
        assert_eq!(write_kicks(&kicks, now), b"");
        for (session, name, seconds) in [(1, "bob", 5), (2, "carol", 9)] {
            let name = UserName::parse(name).expect("a name");
            kicks.add(Kick::new(name, session, now.after(Duration::from_secs(seconds))), now);
        }
        let written = write_kicks(&kicks, now);
        assert!(written.starts_with(b"10000 "), "{}", String::from_utf8_lossy(&written));
        assert_eq!(read_kicks(&written), kicks);
        assert_eq!(write_kicks(&kicks, now.after(Duration::from_secs(9))), b"");
        for broken in ["", "10000", "10000 {"] {
            assert_eq!(read_kicks(broken.as_bytes()), Kicks::default(), "{broken:?}");
        }
    }
}
