//! The operator's orders that hold on every server, kept in Redis for servers that start later or
//! were not there: a hash, each value with the time when the order ends.

use madang_protocol::event::Time;
use redis::{Connection, RedisResult};

use super::keys::ORDERS;

/// What is kept of an order, and when it ends; without a time, it lasts.
pub(crate) type StandingOrder = (Vec<u8>, Option<Time>);

/// Keeps an order under this name, in place of an earlier one.
pub(super) fn write_order(
    connection: &mut Connection,
    name: &str,
    order: &StandingOrder,
) -> RedisResult<()> {
    let (what, until) = order;
    let mut value = until.map_or(0, Time::as_millis).to_string().into_bytes();
    value.push(b' ');
    value.extend_from_slice(what);
    redis::cmd("HSET").arg(ORDERS).arg(name).arg(value).query(connection)
}

/// Drops the order of this name; whether there was one.
pub(super) fn remove_order(connection: &mut Connection, name: &str) -> RedisResult<bool> {
    redis::cmd("HDEL").arg(ORDERS).arg(name).query(connection)
}

/// The orders that hold at `now`; those that have ended are dropped.
pub(super) fn read_orders(
    connection: &mut Connection,
    now: Time,
) -> RedisResult<Vec<StandingOrder>> {
    let kept: Vec<(String, Vec<u8>)> = redis::cmd("HGETALL").arg(ORDERS).query(connection)?;
    let mut orders = Vec::new();
    for (name, value) in kept {
        match parse_order(&value) {
            Some((_, Some(until))) if until <= now => _ = remove_order(connection, &name)?,
            Some(order) => orders.push(order),
            None => tracing::warn!(name, "an order of the operator can't be read"),
        }
    }
    Ok(orders)
}

fn parse_order(value: &[u8]) -> Option<StandingOrder> {
    let end = value.iter().position(|byte| *byte == b' ')?;
    let millis: i64 = std::str::from_utf8(&value[..end]).ok()?.parse().ok()?;
    let until = (millis != 0).then(|| Time::from_millis(millis));
    Some((value[end + 1..].to_vec(), until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_with_its_end_or_not_at_all() {
        assert_eq!(parse_order(b"0 {}"), Some((b"{}".to_vec(), None)));
        assert_eq!(parse_order(b"17 a b"), Some((b"a b".to_vec(), Some(Time::from_millis(17)))));
        for broken in ["", "0", "x {}", "1x {}"] {
            assert_eq!(parse_order(broken.as_bytes()), None, "{broken:?}");
        }
    }
}
