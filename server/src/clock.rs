//! The current time, as used in events and for the length of rounds, and the server's time zone.
//! In models, time is part of the schedule: it passes at random, and the same for the same seed.

use std::sync::LazyLock;
#[cfg(not(feature = "shuttle"))]
use std::time::{Instant, SystemTime};

use jiff::tz::TimeZone;
#[cfg(not(feature = "shuttle"))]
use madang_protocol::event::Time;

/// The system's time zone when it was first needed.
static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

#[cfg(feature = "shuttle")]
pub(crate) use model::{now, steady_now};

/// The current time, for durations.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn steady_now() -> Instant {
    Instant::now()
}

/// The current time.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(since_1970.as_millis() as i64)
}

/// The server's time zone. Reading it for the first time needs more stack than a connection's
/// thread has, so the server does that at its start.
pub(crate) fn zone() -> &'static TimeZone {
    &ZONE
}

#[cfg(feature = "shuttle")]
mod model {
    use std::{
        sync::LazyLock,
        sync::atomic::{AtomicU64, Ordering},
        time::{Duration, Instant},
    };

    use madang_protocol::event::Time;
    use shuttle::rand::Rng as _;

    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    static MILLIS: AtomicU64 = AtomicU64::new(0);

    /// The time passes each time that it is looked at: for a third of the rounds, so far that
    /// their pump is tired.
    pub(crate) fn steady_now() -> Instant {
        let passed = shuttle::rand::thread_rng().gen_range(0..30);
        *BEGAN + Duration::from_millis(MILLIS.fetch_add(passed, Ordering::Relaxed) + passed)
    }

    pub(crate) fn now() -> Time {
        Time::from_millis(MILLIS.load(Ordering::Relaxed) as i64)
    }
}
