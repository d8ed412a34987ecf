//! The argument of `/history`: how much, or since when.

use crate::text::is_number;

/// Which part of what was said is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryPart {
    /// The newest messages, so many.
    Last(usize),
    /// Those from a time of the day on: the last time that clocks showed it.
    Time {
        /// 0 to 23.
        hour: i8,
        /// 0 to 59.
        minute: i8,
    },
    /// Those from the beginning of a day on: the last day of that date.
    Day {
        /// 1 to 12.
        month: i8,
        /// 1 to 31, as far as the month has them in any year.
        day: i8,
    },
}

impl HistoryPart {
    /// Reads `50`, `9:05` or `11-28`.
    pub(super) fn parse(text: &str) -> Option<HistoryPart> {
        if let Some((hour, minute)) = text.split_once(':') {
            let (hour, minute) = (bounded(hour, 0, 23)?, bounded(minute, 0, 59)?);
            return Some(HistoryPart::Time { hour, minute });
        }
        if let Some((month, day)) = text.split_once('-') {
            let month = bounded(month, 1, 12)?;
            let days = match month {
                2 => 29,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            return Some(HistoryPart::Day { month, day: bounded(day, 1, days)? });
        }
        text.parse().ok().filter(|count| *count > 0).map(HistoryPart::Last)
    }
}

/// A number of one or two digits within bounds.
fn bounded(text: &str, least: i8, most: i8) -> Option<i8> {
    let number =
        Some(text).filter(|text| text.len() <= 2 && is_number(text.as_bytes()))?.parse().ok()?;
    (least..=most).contains(&number).then_some(number)
}
