//! Spans of time as people write and read them, in Korean and in English: `10m`, `1h 30m`,
//! `5분`, `1시간 30분`.

use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use crate::text::Lang;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest span that is read.
const LONGEST: u64 = 365 * DAY;

/// Each unit in seconds, the largest first, with the words for it that are read.
const UNITS: [(u64, &[&str]); 4] = [
    (DAY, &["d", "day", "days", "일"]),
    (HOUR, &["h", "hr", "hrs", "hour", "hours", "시간"]),
    (MINUTE, &["m", "min", "mins", "minute", "minutes", "분"]),
    (1, &["s", "sec", "secs", "second", "seconds", "초"]),
];

/// Reads one or several numbers with their units, the larger before the smaller, with
/// blanks or without: `90s`, `10 min`, `1h30m`, `1시간 30분`. `None` for anything else, for
/// nothing at all and for more than a year.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut rest = text.trim();
    let (mut seconds, mut last_unit) = (0u64, u64::MAX);
    while !rest.is_empty() {
        let (count, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        let (unit, _) = UNITS.iter().find(|(_, words)| words.contains(&word))?;
        if *unit >= last_unit {
            return None;
        }
        last_unit = *unit;
        seconds = seconds.checked_add(count.parse::<u64>().ok()?.checked_mul(*unit)?)?;
        rest = after.trim_start();
    }
    (1..=LONGEST).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// A span in its two largest units: `1시간 30분`, `1 hour 30 minutes`.
pub fn show_duration(seconds: u64, lang: Lang) -> String {
    let (unit, next) = match seconds {
        0..MINUTE => (1, 0),
        MINUTE..HOUR => (MINUTE, 1),
        HOUR..DAY => (HOUR, MINUTE),
        DAY.. => (DAY, HOUR),
    };
    let first = in_units(seconds / unit, unit, lang);
    match seconds % unit {
        rest if next > 0 && rest >= next => {
            format!("{first} {}", in_units(rest / next, next, lang))
        }
        _ => first,
    }
}

/// About how long, in one unit where that is near enough, rounded up so that it is never
/// nothing.
pub fn show_about(seconds: u64, lang: Lang) -> String {
    let unit = match seconds {
        0..120 => 1,
        120..7_200 => MINUTE,
        7_200..172_800 => HOUR,
        _ => DAY,
    };
    let count = seconds.max(1).div_ceil(unit);
    show_duration(count.saturating_mul(unit), lang)
}

fn in_units(count: u64, unit: u64, lang: Lang) -> String {
    let (korean, english) = match unit {
        DAY => ("일", "day"),
        HOUR => ("시간", "hour"),
        MINUTE => ("분", "minute"),
        _ => ("초", "second"),
    };
    match (lang, count) {
        (Lang::Ko, _) => format!("{count}{korean}"),
        (Lang::En, 1) => format!("1 {english}"),
        (Lang::En, _) => format!("{count} {english}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_both_languages() {
        #[track_caller]
        fn check(text: &str, seconds: u64) {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        check("30s", 30);
        check("90s", 90);
        check("10m", 600);
        check("10 min", 600);
        check("2h", 7_200);
        check("1d", 86_400);
        check("1h 30m", 5_400);
        check("1h30m", 5_400);
        check("1H30M", 5_400);
        check("2 hours 5 minutes 1 second", 7_501);
        check("10초", 10);
        check("5분", 300);
        check("2시간", 7_200);
        check("1시간 30분", 5_400);
        check("1시간30분", 5_400);
        check(" 1 시간 30 분 ", 5_400);
        check("３분", 180);
        check("5\u{1107}\u{116E}\u{11AB}", 300);
        check("3일", 259_200);
        check("365d", LONGEST);
    }

    #[test]
    fn invalid_durations_are_refused() {
        for text in [
            "",
            " ",
            "10",
            "m",
            "분",
            "0s",
            "0분",
            "-1m",
            "1y",
            "1년",
            "400d",
            "10m x",
            "x10m",
            "30m 1h",
            "5분 5분",
            "1h30",
            "99999999999999999999d",
            "184467440737095517d",
            "1.5h",
            "반시간",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_shown_in_their_two_largest_units() {
        #[track_caller]
        fn check(seconds: u64, korean: &str, english: &str) {
            assert_eq!(show_duration(seconds, Lang::Ko), korean);
            assert_eq!(show_duration(seconds, Lang::En), english);
        }
        check(0, "0초", "0 seconds");
        check(1, "1초", "1 second");
        check(90, "1분 30초", "1 minute 30 seconds");
        check(600, "10분", "10 minutes");
        check(3_600, "1시간", "1 hour");
        check(5_400, "1시간 30분", "1 hour 30 minutes");
        check(3_630, "1시간", "1 hour");
        check(86_400, "1일", "1 day");
        check(90_000, "1일 1시간", "1 day 1 hour");
    }

    #[test]
    fn remaining_time_is_rounded_up() {
        #[track_caller]
        fn check(seconds: u64, korean: &str, english: &str) {
            assert_eq!(show_about(seconds, Lang::Ko), korean);
            assert_eq!(show_about(seconds, Lang::En), english);
        }
        check(0, "1초", "1 second");
        check(90, "1분 30초", "1 minute 30 seconds");
        check(541, "10분", "10 minutes");
        check(7_100, "1시간 59분", "1 hour 59 minutes");
        check(7_201, "3시간", "3 hours");
        check(365 * 86_400 - 1, "365일", "365 days");
        assert!(!show_about(u64::MAX, Lang::En).is_empty());
    }

    #[test]
    fn durations_can_be_parsed_as_they_are_shown() {
        for seconds in [1, 59, 60, 90, 600, 5_400, 7_200, 90_000, 172_800] {
            for lang in [Lang::Ko, Lang::En] {
                let shown = show_duration(seconds, lang);
                assert_eq!(parse_duration(&shown), Some(Duration::from_secs(seconds)), "{shown}");
            }
        }
    }
}
