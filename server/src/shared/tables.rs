//! Tables that can be downloaded once, for a while, by whoever has the link.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::sync::Mutex;

/// For how long a table can be had.
const OFFERED: Duration = Duration::from_secs(600);

/// How many wait at once: of more, the first go.
const MOST_TABLES: usize = 20;

/// The tables that wait to be downloaded.
#[derive(Default)]
pub(crate) struct Tables(Mutex<Vec<Table>>);

struct Table {
    token: String,
    offered: Instant,
    bytes: Arc<[u8]>,
}

impl Tables {
    /// Offers a table; returns its token, 128 random bits.
    pub(crate) fn offer(&self, bytes: Vec<u8>, now: Instant) -> String {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("a system that has started has random bits");
        let token = format!("{:032x}", u128::from_ne_bytes(bits));
        let mut tables = self.0.lock();
        tables.retain(|table| table.is_there(now));
        if tables.len() == MOST_TABLES {
            tables.remove(0);
        }
        tables.push(Table { token: token.clone(), offered: now, bytes: bytes.into() });
        token
    }

    /// Whether there is a table of that token.
    pub(crate) fn has(&self, token: &str, now: Instant) -> bool {
        self.0.lock().iter().any(|table| table.token == token && table.is_there(now))
    }

    /// Hands out a table, once.
    pub(crate) fn take(&self, token: &str, now: Instant) -> Option<Arc<[u8]>> {
        let mut tables = self.0.lock();
        let is_it = |table: &Table| table.token == token && table.is_there(now);
        let place = tables.iter().position(is_it)?;
        Some(tables.remove(place).bytes)
    }
}

impl Table {
    fn is_there(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.offered) < OFFERED
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_there_once_and_for_ten_minutes() {
        let (tables, now) = (Tables::default(), Instant::now());
        let token = tables.offer(b"a,b".to_vec(), now);
        assert_eq!(token.len(), 32);
        assert!(tables.has(&token, now) && !tables.has("", now));
        assert_eq!(tables.take(&token, now + OFFERED), None);
        assert_eq!(tables.take(&token, now).as_deref(), Some(&b"a,b"[..]));
        assert!(!tables.has(&token, now) && tables.take(&token, now).is_none());
    }

    #[test]
    fn tables_do_not_pile_up() {
        let (tables, now) = (Tables::default(), Instant::now());
        let first = tables.offer(Vec::new(), now);
        (0..MOST_TABLES).for_each(|_| drop(tables.offer(Vec::new(), now)));
        assert!(!tables.has(&first, now));
        assert_eq!(tables.0.lock().len(), MOST_TABLES);
    }
}
