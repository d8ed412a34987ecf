//! Local times of lines, and the line that announces a new day.

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use madang_protocol::{event::Time, text::Lang};

/// Whether lines are shown with their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeFormat {
    /// Neither times nor days.
    Never,
    /// `18:59`.
    Minutes,
    /// `18:59:03`.
    Seconds,
}

/// Formats times in the machine's time zone.
pub(crate) struct Clock {
    zone: TimeZone,
    format: TimeFormat,
    /// The day of the last line shown.
    day: Date,
    /// The current time.
    now: fn() -> Timestamp,
}

impl Clock {
    /// A clock that has already announced today.
    pub(crate) fn new(format: TimeFormat) -> Clock {
        Clock::in_zone(format, TimeZone::system(), Timestamp::now)
    }

    fn in_zone(format: TimeFormat, zone: TimeZone, now: fn() -> Timestamp) -> Clock {
        let day = now().to_zoned(zone.clone()).date();
        Clock { zone, format, day, now }
    }

    /// A clock nine hours ahead of UTC.
    #[cfg(test)]
    pub(crate) fn in_seoul(format: TimeFormat, now: fn() -> Timestamp) -> Clock {
        Clock::in_zone(format, TimeZone::fixed(jiff::tz::offset(9)), now)
    }

    /// The current time, in the format of the protocol.
    pub(crate) fn now() -> Time {
        Time::from_millis(Timestamp::now().as_millisecond())
    }

    /// The time as `18:59`, or nothing if times aren't shown.
    pub(crate) fn show(&self, time: Time) -> String {
        let zoned = self.zoned(time);
        match self.format {
            TimeFormat::Never => String::new(),
            TimeFormat::Minutes => zoned.strftime("%H:%M").to_string(),
            TimeFormat::Seconds => zoned.strftime("%H:%M:%S").to_string(),
        }
    }

    /// The line that announces the day of `time`, if the previous line was from another day.
    pub(crate) fn change_of_day(&mut self, time: Time, lang: Lang) -> Option<String> {
        let day = self.zoned(time).date();
        if day == self.day || self.format == TimeFormat::Never {
            return None;
        }
        self.day = day;
        Some(date(day, lang))
    }

    /// Begins a block of older lines: the day of the first is announced unless it is today.
    pub(crate) fn begin_today(&mut self) {
        self.day = (self.now)().to_zoned(self.zone.clone()).date();
    }

    /// The time as `2026-11-22 18:59`.
    pub(crate) fn moment(&self, time: Time) -> String {
        self.zoned(time).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The same, if times aren't shown.
    pub(crate) fn moment_if_hidden(&self, time: Time) -> Option<String> {
        (self.format == TimeFormat::Never).then(|| self.moment(time))
    }

    fn zoned(&self, time: Time) -> jiff::Zoned {
        // Only a time thousands of years away fails here, and no honest server sends one.
        Timestamp::from_millisecond(time.as_millis())
            .unwrap_or_default()
            .to_zoned(self.zone.clone())
    }
}

fn date(day: Date, lang: Lang) -> String {
    let (year, month, date) = (day.year(), day.month(), day.day());
    let index = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
    match lang {
        Lang::Ko => {
            let weekday = ["월", "화", "수", "목", "금", "토", "일"][index];
            format!("{year}년 {month}월 {date}일 {weekday}요일")
        }
        Lang::En => {
            let weekday = match day.weekday() {
                Weekday::Monday => "Monday",
                Weekday::Tuesday => "Tuesday",
                Weekday::Wednesday => "Wednesday",
                Weekday::Thursday => "Thursday",
                Weekday::Friday => "Friday",
                Weekday::Saturday => "Saturday",
                Weekday::Sunday => "Sunday",
            };
            format!("{weekday}, {}", day.strftime("%-d %B %Y"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        let timestamp: Timestamp = text.parse().expect("a moment");
        Time::from_millis(timestamp.as_millisecond())
    }

    fn clock(format: TimeFormat) -> Clock {
        Clock::in_seoul(format, || "2026-11-22T03:00:00Z".parse().expect("a moment"))
    }

    #[test]
    fn times_are_local() {
        let evening = time("2026-11-22T18:59:03.123Z");
        assert_eq!(clock(TimeFormat::Minutes).show(evening), "03:59");
        assert_eq!(clock(TimeFormat::Seconds).show(evening), "03:59:03");
        assert_eq!(clock(TimeFormat::Never).show(evening), "");
    }

    #[test]
    fn a_day_is_told_when_it_changes() {
        let mut clock = clock(TimeFormat::Minutes);
        let mut at = |text, lang| clock.change_of_day(time(text), lang);
        assert_eq!(at("2026-11-22T14:59:59Z", Lang::En), None);
        assert_eq!(
            at("2026-11-22T15:00:00Z", Lang::En).as_deref(),
            Some("Monday, 23 November 2026")
        );
        assert_eq!(at("2026-11-22T15:00:01Z", Lang::En), None);
        assert_eq!(
            at("2026-11-21T15:00:01Z", Lang::Ko).as_deref(),
            Some("2026년 11월 22일 일요일")
        );
        assert_eq!(
            super::tests::clock(TimeFormat::Never)
                .change_of_day(time("2020-01-01T00:00:00Z"), Lang::En),
            None
        );
    }
}
