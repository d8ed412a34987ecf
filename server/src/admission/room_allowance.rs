//! How many rooms one address may make in a minute.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::sync::Mutex;

const MINUTE: Duration = Duration::from_secs(60);

/// When each address made its last rooms. Addresses as the connections are counted.
pub(crate) struct RoomAllowance {
    per_minute: usize,
    made: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
}

impl RoomAllowance {
    pub(crate) fn new(per_minute: usize) -> RoomAllowance {
        RoomAllowance { per_minute, made: Mutex::new(HashMap::new()) }
    }

    /// Notes that `address` makes a room at `now`.
    ///
    /// # Errors
    ///
    /// How long it has to wait if it has made too many.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut made = self.made.lock();
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= MINUTE;
        made.retain(|_, times| {
            while times.front().is_some_and(is_over) {
                times.pop_front();
            }
            !times.is_empty()
        });
        let times = made.entry(address).or_default();
        match times.front() {
            Some(first) if times.len() >= self.per_minute => {
                Err(MINUTE.saturating_sub(now.saturating_duration_since(*first)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_and_each_address_for_itself() {
        let allowance = RoomAllowance::new(2);
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(allowance.take(one, at(0)), Ok(()));
        assert_eq!(allowance.take(one, at(10)), Ok(()));
        assert_eq!(allowance.take(one, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(allowance.take(other, at(20)), Ok(()));
        assert_eq!(allowance.take(one, at(60)), Ok(()));
        assert_eq!(allowance.take(one, at(61)), Err(Duration::from_secs(9)));
        assert_eq!(allowance.take(other, at(200)), Ok(()));
        assert_eq!(allowance.made.lock().len(), 1, "who made none for a minute is forgotten");
    }
}
