//! The current time, as used in events, and the server's time zone.

use std::{sync::LazyLock, time::SystemTime};

use jiff::tz::TimeZone;
use madang_protocol::event::Time;

/// The system's time zone when it was first needed.
static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// The current time.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(since_1970.as_millis() as i64)
}

/// The server's time zone. Reading it for the first time needs more stack than a connection's
/// thread has, so the server does that at its start.
pub(crate) fn zone() -> &'static TimeZone {
    &ZONE
}
