//! How often each address may do something within a time window, such as creating rooms or
//! trying a code.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::sync::Mutex;

/// The recent times for each address.
pub(crate) struct AddressAllowance {
    most: usize,
    within: Duration,
    done: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
}

impl AddressAllowance {
    /// Allows `most` times `within` this window.
    pub(crate) fn new(most: usize, within: Duration) -> AddressAllowance {
        AddressAllowance { most, within, done: Mutex::new(HashMap::new()) }
    }

    /// Records that `address` does it at `now`.
    ///
    /// # Errors
    ///
    /// How long to wait, if the limit is reached.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut done = self.done.lock();
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= self.within;
        done.retain(|_, times| {
            while times.front().is_some_and(is_over) {
                times.pop_front();
            }
            !times.is_empty()
        });
        let times = done.entry(address).or_default();
        self.wait(times, now)?;
        times.push_back(now);
        Ok(())
    }

    /// Whether `address` could do it at `now`.
    ///
    /// # Errors
    ///
    /// How long to wait.
    pub(crate) fn check(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut done = self.done.lock();
        let Some(times) = done.get_mut(&address) else { return Ok(()) };
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
