//! The operator's orders that hold on every server, kept in Redis for servers that start later or
//! were not there: a hash, each value with the time when the order ends.
//!
//! # Guarantees
//!
//! 1. An order that is given while Redis is away is kept as soon as it is back, unless this server
//!    has ended by then.
//! 2. What a server takes over from Redis never lifts an order that is given on it meanwhile.

use std::collections::BTreeMap;

use madang_protocol::event::Time;
use redis::{Connection, RedisResult};

use super::keys::ORDERS;
use crate::sync::Mutex;

/// What is kept of an order, and when it ends; without a time, it lasts.
pub(crate) type StandingOrder = (Vec<u8>, Option<Time>);

/// The orders that Redis is still to be told of.
#[derive(Default)]
pub(super) struct OrderBook(Mutex<UntoldOrders>);

#[derive(Default)]
struct UntoldOrders {
    /// By name; none for one that is lifted.
    untold: BTreeMap<String, Option<StandingOrder>>,
    /// Counts the changes of what is untold.
    changes: u64,
}

impl OrderBook {
    /// Takes an order of this name, in place of an earlier one, or lifts it. Never blocks.
    pub(super) fn note(&self, name: &str, order: Option<StandingOrder>) {
        let mut orders = self.0.lock();
        orders.untold.insert(name.to_owned(), order);
        orders.changes += 1;
    }

    /// Tells Redis what it is still to be told; returns whether there was anything.
    pub(super) fn hand_over(&self, connection: &mut Connection) -> RedisResult<bool> {
        let untold = self.0.lock().untold.clone();
        // At once: who reads one of them reads all.
        let mut changes = redis::pipe();
        changes.atomic();
        for (name, order) in &untold {
            match order {
                Some(order) => changes.hset(ORDERS, name, value_of(order)).ignore(),
                None => changes.hdel(ORDERS, name).ignore(),
            };
        }
        if !untold.is_empty() {
            changes.exec(connection)?;
        }
        let mut orders = self.0.lock();
        // Another may have been given meanwhile under the same name.
        orders.untold.retain(|name, order| untold.get(name) != Some(order));
        orders.changes += 1;
        Ok(!untold.is_empty())
    }

    /// Has `take` take over the orders that hold at `now`; again if one is given meanwhile.
    pub(super) fn read(
        &self,
        connection: &mut Connection,
        now: Time,
        take: impl Fn(Vec<StandingOrder>),
    ) -> RedisResult<()> {
        loop {
            let before = self.0.lock().changes;
            let kept = read_orders(connection, now)?;
            take(self.correct(kept));
            if self.0.lock().changes == before {
                return Ok(());
            }
        }
    }

    /// The orders that hold, when Redis keeps these.
    fn correct(&self, mut kept: BTreeMap<String, StandingOrder>) -> Vec<StandingOrder> {
        for (name, order) in &self.0.lock().untold {
            match order {
                Some(order) => drop(kept.insert(name.clone(), order.clone())),
                None => drop(kept.remove(name)),
            }
        }
        kept.into_values().collect()
    }
}

/// Gives Redis an order that it may have lost, unless it has one of this name.
pub(super) fn restore_order(
    connection: &mut Connection,
    name: &str,
    order: &StandingOrder,
) -> RedisResult<()> {
    redis::cmd("HSETNX").arg(ORDERS).arg(name).arg(value_of(order)).query(connection)
}

/// Drops the order of this name, if there is one.
fn remove_order(connection: &mut Connection, name: &str) -> RedisResult<()> {
    redis::cmd("HDEL").arg(ORDERS).arg(name).query(connection)
}

/// The orders that hold at `now`, by name; those that have ended are dropped.
fn read_orders(
    connection: &mut Connection,
    now: Time,
) -> RedisResult<BTreeMap<String, StandingOrder>> {
    let kept: Vec<(String, Vec<u8>)> = redis::cmd("HGETALL").arg(ORDERS).query(connection)?;
    let mut orders = BTreeMap::new();
    for (name, value) in kept {
        match parse_order(&value) {
            Some((_, Some(until))) if until <= now => remove_order(connection, &name)?,
            Some(order) => drop(orders.insert(name, order)),
            None => tracing::warn!(name, "an order of the operator can't be read"),
        }
    }
    Ok(orders)
}

fn value_of((what, until): &StandingOrder) -> Vec<u8> {
    let mut value = until.map_or(0, Time::as_millis).to_string().into_bytes();
    value.push(b' ');
    value.extend_from_slice(what);
    value
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
        for order in [(b"{}".to_vec(), None), (b"a b".to_vec(), Some(Time::from_millis(17)))] {
            assert_eq!(parse_order(&value_of(&order)), Some(order));
        }
        assert_eq!(parse_order(b"17 a b"), Some((b"a b".to_vec(), Some(Time::from_millis(17)))));
        for broken in ["", "0", "x {}", "1x {}"] {
            assert_eq!(parse_order(broken.as_bytes()), None, "{broken:?}");
        }
    }

    #[test]
    fn what_redis_has_yields_to_what_it_is_still_to_be_told() {
        let book = OrderBook::default();
        let order = |text: &str| (text.as_bytes().to_vec(), None);
        let kept = |names: &[&str]| names.iter().map(|it| (it.to_string(), order(it))).collect();
        assert_eq!(book.correct(kept(&["a", "b"])), [order("a"), order("b")]);
        book.note("b", None);
        book.note("c", Some(order("c")));
        assert_eq!(book.correct(kept(&["a", "b"])), [order("a"), order("c")]);
        book.note("c", None);
        assert_eq!(book.correct(kept(&["a", "c"])), [order("a")]);
    }
}
