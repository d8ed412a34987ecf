//! What time it is, as events have it, and where.

use std::{sync::LazyLock, time::SystemTime};

use jiff::tz::TimeZone;
use madang_protocol::event::Time;

/// The system's zone, as it was when it was first asked for.
static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// The current time.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(since_1970.as_millis() as i64)
}

/// The zone of the server. Reading it from the system the first time takes more stack
/// than a connection's thread has: the server asks at its start.
pub(crate) fn zone() -> &'static TimeZone {
    &ZONE
}
