//! The names of a room's keys and channels in Redis, and the format of published entries.

use std::sync::Arc;

use madang_protocol::{event::Time, name::NameKey, room::RoomName};

use crate::room::log::LogEntry;

/// The prefix of all keys of a cluster.
const PREFIX: &str = "madang:";

/// No room that is made, and none that goes on after a restart of Redis, gives an id up to this
/// one: ended rooms have given these, and rooms before the restart.
pub(super) const FLOOR: &str = "madang:floor";

/// The secret for hashes of nonces.
pub(super) const NONCE_KEY: &str = "madang:nonce-key";

/// A hash: the servers that were not declared dead, by origin, and what they are called.
pub(super) const SERVERS: &str = "madang:servers";

/// A hash: the servers that were declared dead and are not buried yet, and when that was.
pub(super) const BURIALS: &str = "madang:burials";

/// The [name](super::sealed::Seal::name) of the lesson, whose key only servers have.
pub(super) const LESSON: &str = "madang:lesson";

/// The run of Redis that all servers have come to, so that rooms may go on.
pub(super) const RUN: &str = "madang:run";

/// A hash: the operator's orders that hold on every server. Also the channel on which a server says
/// that they have changed.
pub(super) const ORDERS: &str = "madang:orders";

/// A hash: whom public rooms that have ended had kicked, by room.
pub(super) const KICKS: &str = "madang:kicks";

/// A sorted set: the public rooms that have ended, each as its first id and the one after its last,
/// by when that was.
pub(super) const ENDED_ROOMS: &str = "madang:ended";

/// The channel on which all servers are asked.
pub(super) const CONTROL: &str = "madang:control";

/// The names of a room's keys in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoomKeys {
    /// A hash: the room's first state. A room exists as long as this key does.
    pub(super) meta: String,
    /// A hash: the number of the last entry, the number of each server's last entry, and the run of
    /// Redis in which ids were last raised above [`FLOOR`].
    pub(super) head: String,
    /// A stream: the entries, by their numbers.
    pub(super) log: String,
    /// A hash: the room's state after an entry.
    pub(super) state: String,
    /// The channel where entries are published.
    pub(super) channel: String,
}

impl RoomKeys {
    /// Of a public room.
    pub(super) fn of(name: &RoomName) -> RoomKeys {
        RoomKeys::named(&format!("room:{}", name.key()))
    }

    /// Of the private room with this [name](super::sealed::Seal::name).
    pub(super) fn private(name: &str) -> RoomKeys {
        RoomKeys::named(&format!("private:{name}"))
    }

    /// Of the lesson with this [name](super::sealed::Seal::name).
    pub(super) fn lesson(name: &str) -> RoomKeys {
        RoomKeys::named(&format!("lesson:{name}"))
    }

    /// The public room whose `meta` this is.
    pub(super) fn room_of(meta: &str) -> Option<RoomName> {
        let name = meta.strip_prefix(PREFIX)?.strip_prefix("room:")?.strip_suffix(":meta")?;
        RoomName::parse(name).ok()
    }

    fn named(name: &str) -> RoomKeys {
        let of = |part: &str| format!("{PREFIX}{name}:{part}");
        RoomKeys {
            meta: of("meta"),
            head: of("head"),
            log: of("log"),
            state: of("state"),
            channel: of("entries"),
        }
    }
}

/// The channel on which a server is woken.
pub(super) fn wake_channel(origin: u64) -> String {
    format!("{PREFIX}server:{origin}:wake")
}

/// Exists for as long as a server's lease lasts.
pub(super) fn lease(origin: u64) -> String {
    format!("{PREFIX}server:{origin}:lease")
}

/// A set: the keys ([`RoomKeys::meta`]) of all public rooms.
pub(super) const PUBLIC: &str = "madang:rooms";

/// The channel on which archives are told that there is another public room.
pub(super) const MADE: &str = "madang:rooms:made";

/// A set: the keys ([`RoomKeys::meta`]) of the public rooms that a server has opened.
pub(super) fn rooms(origin: u64) -> String {
    format!("{PREFIX}server:{origin}:rooms")
}

/// A set: the keys ([`name`]) that a server has claimed.
pub(super) fn names(origin: u64) -> String {
    format!("{PREFIX}server:{origin}:names")
}

/// A set: the servers that have come to a run of Redis before it became [`RUN`]; and when the first
/// did.
pub(super) fn arrivals(run: &str) -> [String; 2] {
    [format!("{PREFIX}run:{run}:arrived"), format!("{PREFIX}run:{run}:since")]
}

/// A set: the [sessions](session) that a server has.
pub(super) fn sessions(origin: u64) -> String {
    format!("{PREFIX}server:{origin}:sessions")
}

/// A hash: the record of the session whose token has this hash.
pub(super) fn session(hash: &str) -> String {
    format!("{PREFIX}session:{hash}")
}

/// The number of the session whose token has this hash: it was kicked from the lobby, and has ended.
pub(super) fn kicked_session(hash: &str) -> String {
    format!("{PREFIX}kicked:{hash}")
}

/// The server that has claimed this key of a name. Hashed: whoever reads what Redis has can
/// guess the name of somebody in private rooms, but does not see it.
pub(super) fn name(key: &NameKey) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.to_string().as_bytes());
    let hash: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}name:{hash}")
}

/// Exists once a server counts as dead: nothing that it appends is taken. `declared` until its
/// members have left or are away, `held` for as long as those may come back, then `buried`.
pub(super) fn dead(origin: u64) -> String {
    format!("{PREFIX}server:{origin}:dead")
}

/// Parses a published entry; none if it is malformed.
pub(crate) fn published(message: &[u8]) -> Option<LogEntry> {
    let end = message.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&message[..end]).ok()?;
    let mut numbers = head.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let (number, origin, seq, millis): (u64, u64, u64, u64) = (next()?, next()?, next()?, next()?);
    let ids_above = next()?;
    let time = Time::from_millis(i64::try_from(millis).ok()?);
    Some(LogEntry { number, origin, seq, time, ids_above, body: Arc::from(&message[end + 1..]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_text_is_an_entry_or_nothing() {
        let entry =
            published(b"7 18446744073709551615 3 1764288000000 99\n1[]\n").expect("an entry");
        assert_eq!((entry.number, entry.origin, entry.seq), (7, u64::MAX, 3));
        assert_eq!(entry.ids_above, 99);
        assert_eq!((entry.time.as_millis(), &*entry.body), (1_764_288_000_000, &b"1[]\n"[..]));
        for broken in ["", "\n", "7 8 9\n", "7 8 9 1\n", "7 8 9 1 x\n", "7 8 -9 1 0\n", "7 8 9 1 0"]
        {
            assert_eq!(published(broken.as_bytes()), None, "{broken:?}");
        }
    }

    #[test]
    fn a_room_has_the_same_keys_however_its_name_is_written() {
        let keys = |name| RoomKeys::of(&RoomName::parse(name).expect("a name"));
        assert_eq!(keys("Math"), keys("ＭＡＴＨ"));
        assert_ne!(keys("Math").log, keys("Maths").log);
        assert_eq!(keys("수학").log, "madang:room:수학:log");
        for name in ["Math", "수학", "straße", "lobby"] {
            let back = RoomKeys::room_of(&keys(name).meta).expect("a public room's");
            assert_eq!(RoomKeys::of(&back), keys(name));
        }
    }
}
