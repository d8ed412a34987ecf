//! The starting point of `--since`: an event or a time.

use std::str::FromStr;

use jiff::{
    Timestamp, ToSpan as _, Zoned,
    civil::{self, DateTime},
};
use madang_protocol::event::Time;

/// A place in a room's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After the event with this id.
    Id(u64),
    /// At this time.
    Time(Time),
}

/// The text is neither an id nor a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("neither an id nor a time, such as 14:00, 2026-11-28 or 2026-11-28T14:00")]
pub struct NoSince;

impl Since {
    /// Whether an event is older than this. Its time is `None` if this version does not know the
    /// event.
    pub(crate) fn is_behind(self, id: u64, time: Option<Time>) -> bool {
        match self {
            Since::Id(since) => id <= since,
            Since::Time(since) => time.is_some_and(|time| time < since),
        }
    }

    fn parse(text: &str, now: &Zoned) -> Result<Since, NoSince> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Since::Id).map_err(|_| NoSince);
        }
        let text = text.trim();
        let moment = text.parse::<Timestamp>().ok();
        let local = || text.parse::<DateTime>().ok()?.to_zoned(now.time_zone().clone()).ok();
        let moment = moment.or_else(|| local().map(|local| local.timestamp()));
        let moment = moment.or_else(|| Some(last(text.parse().ok()?, now)?.timestamp()));
        let moment = moment.ok_or(NoSince)?;
        Ok(Since::Time(Time::from_millis(moment.as_millisecond())))
    }
}

/// The most recent time at which local clocks showed `time`.
fn last(time: civil::Time, now: &Zoned) -> Option<Zoned> {
    let today = now.with().time(time).build().ok()?;
    if today <= *now { Some(today) } else { today.checked_sub(1.day()).ok() }
}

impl FromStr for Since {
    type Err = NoSince;

    /// An id, a time within the last 24 hours, a date, or a date and time; local unless it has
    /// a zone.
    fn from_str(text: &str) -> Result<Since, NoSince> {
        Since::parse(text, &Zoned::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_or_a_time_is_read() {
        #[track_caller]
        fn check(text: &str, expected: Option<Since>) {
            let now = "2026-11-28T10:00:00+09:00[+09:00]".parse().expect("a moment");
            assert_eq!(Since::parse(text, &now).ok(), expected, "{text}");
        }
        let at = |moment: &str| {
            let moment: Timestamp = moment.parse().expect("a moment");
            Some(Since::Time(Time::from_millis(moment.as_millisecond())))
        };
        check("0", Some(Since::Id(0)));
        check("1795580427316005", Some(Since::Id(1_795_580_427_316_005)));
        check("18446744073709551616", None);
        check("2026-11-28", at("2026-11-27T15:00:00Z"));
        check("2026-11-28T09:30", at("2026-11-28T00:30:00Z"));
        check("2026-11-28 09:30:10", at("2026-11-28T00:30:10Z"));
        check("2026-11-28T00:30:00Z", at("2026-11-28T00:30:00Z"));
        check("2026-11-28T09:30:00+09:00", at("2026-11-28T00:30:00Z"));
        check("09:30", at("2026-11-28T00:30:00Z"));
        check("10:00", at("2026-11-28T01:00:00Z"));
        // It is not 14:00 yet, so this means yesterday's.
        check("14:00", at("2026-11-27T05:00:00Z"));
        for wrong in ["", "yesterday", "-1", "2026-13-01", "25:00", "1.5", "id", "2026-11-28T"] {
            check(wrong, None);
        }
    }
}
