//! What time it is, as events have it.

use std::time::SystemTime;

use madang_protocol::event::Time;

/// The current time.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(since_1970.as_millis() as i64)
}
