//! The ids of public rooms that have ended, kept in Redis for archives that were away: they tell
//! whether messages are missing at the end. [`forget_room`](super::scripts::forget_room) writes them.

use std::time::Duration;

use madang_protocol::event::Time;
use redis::{Connection, RedisResult};

use super::keys::ENDED_ROOMS;

/// For how long Redis has them.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Of how many rooms, at most: those that have ended last.
pub(super) const MOST: u32 = 10_000;

/// A public room that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndedRoom {
    /// Its first id: no other room has the same.
    pub(crate) first_id: u64,
    /// The id that its next event would have had.
    pub(crate) next_id: u64,
}

/// Those that have ended since then, by Redis's clock.
pub(super) fn ended_since(connection: &mut Connection, since: Time) -> RedisResult<Vec<EndedRoom>> {
    let rooms: Vec<String> = redis::cmd("ZRANGEBYSCORE")
        .arg(ENDED_ROOMS)
        .arg((since.as_millis(), "+inf"))
        .query(connection)?;
    let read = |room: &String| {
        let (first_id, next_id) = room.split_once(' ')?;
        Some(EndedRoom { first_id: first_id.parse().ok()?, next_id: next_id.parse().ok()? })
    };
    Ok(rooms.iter().filter_map(read).collect())
}

#[cfg(all(test, unix))]
mod tests {
    use madang_protocol::room::{RoomKey, RoomName};
    use madang_tests::redis::TestRedis;

    use super::*;
    use crate::cluster::{connection::Redis, place::LogPlace, scripts};

    /// Ends the room at this place, whose first id is 7.
    fn end(connection: &mut Connection, mut place: LogPlace) {
        place.first = 7;
        redis::cmd("HSET").arg(&place.keys.meta).arg(("first", 7)).exec(connection).expect("it is");
        scripts::forget_room(connection, &place, (9, &[]), 1).expect("Redis answers");
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn the_last_public_rooms_are_known() {
        let redis = TestRedis::start();
        let redis = Redis::at(&redis.url(), None).expect("an address");
        let mut connection = redis.connect().expect("it runs");
        let now = scripts::time(&mut connection).expect("Redis answers").as_millis();
        let month = KEPT.as_millis() as i64;
        let mut add = redis::cmd("ZADD");
        add.arg(ENDED_ROOMS).arg((now - month - 1, "1 2"));
        for at in 0..i64::from(MOST) {
            add.arg((now - i64::from(MOST) + at, format!("{at} 3")));
        }
        add.exec(&mut connection).expect("Redis answers");

        end(&mut connection, LogPlace::private(RoomKey::from_bits(1)));
        let since = |connection: &mut Connection, millis| {
            ended_since(connection, Time::from_millis(millis)).expect("Redis answers")
        };
        assert_eq!(since(&mut connection, now), [], "nobody is told of private ones");
        end(&mut connection, LogPlace::public(&RoomName::parse("math").expect("a name")));
        let known = since(&mut connection, 0);
        assert_eq!(known.len(), MOST as usize);
        assert_eq!(known[0], EndedRoom { first_id: 1, next_id: 3 }, "too old, and too many");
        assert_eq!(since(&mut connection, now).len(), 1);
        assert_eq!(known.last(), Some(&EndedRoom { first_id: 7, next_id: 9 }));
    }
}
