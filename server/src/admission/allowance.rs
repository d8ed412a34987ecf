//! How often each address, or all together, may do something within a time window, such as
//! creating rooms or trying a code.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::sync::Mutex;

/// Counted per address.
pub(crate) type AddressAllowance = KeyedAllowance<IpAddr>;

/// The recent times for each `K`.
pub(crate) struct KeyedAllowance<K> {
    most: usize,
    within: Duration,
    done: Mutex<HashMap<K, VecDeque<Instant>>>,
}

impl<K: Eq + Hash> KeyedAllowance<K> {
    /// Allows `most` times `within` this window.
    pub(crate) fn new(most: usize, within: Duration) -> KeyedAllowance<K> {
        KeyedAllowance { most, within, done: Mutex::new(HashMap::new()) }
    }

    /// Records that `who` does it at `now`.
    ///
    /// # Errors
    ///
    /// How long to wait, if the limit is reached.
    pub(crate) fn take(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut done = self.done.lock();
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= self.within;
        done.retain(|_, times| {
            while times.front().is_some_and(is_over) {
                times.pop_front();
            }
            !times.is_empty()
        });
        let times = done.entry(who).or_default();
        self.wait(times, now)?;
        times.push_back(now);
        Ok(())
    }

    /// Whether `who` could do it at `now`.
    ///
    /// # Errors
    ///
    /// How long to wait.
    pub(crate) fn check(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut done = self.done.lock();
        let Some(times) = done.get_mut(&who) else { return Ok(()) };
        times.retain(|at| now.saturating_duration_since(*at) < self.within);
        self.wait(times, now)
    }

    fn wait(&self, times: &VecDeque<Instant>, now: Instant) -> Result<(), Duration> {
        match times.front() {
            Some(first) if times.len() >= self.most => {
                Err(self.within.saturating_sub(now.saturating_duration_since(*first)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_limit_per_minute() {
        let allowance = AddressAllowance::new(2, Duration::from_secs(60));
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(allowance.take(one, at(0)), Ok(()));
        assert_eq!(allowance.take(one, at(10)), Ok(()));
        assert_eq!(allowance.take(one, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(allowance.check(one, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(allowance.check(other, at(20)), Ok(()));
        assert_eq!(allowance.take(other, at(20)), Ok(()));
        assert_eq!(allowance.check(one, at(60)), Ok(()));
        assert_eq!(allowance.take(one, at(60)), Ok(()));
        assert_eq!(allowance.take(one, at(61)), Err(Duration::from_secs(9)));
        assert_eq!(allowance.take(other, at(200)), Ok(()));
        assert_eq!(allowance.done.lock().len(), 1, "who has long done nothing is forgotten");
    }
}
