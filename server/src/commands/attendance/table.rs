//! Attendance as CSV (RFC 4180) for spreadsheets: UTF-8 with the byte order mark that Excel
//! needs, and no cell that a spreadsheet would run as a formula.

use jiff::Timestamp;
use madang_protocol::{
    event::{Attendee, Time},
    text::Lang,
};

use crate::clock;

pub(super) const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Writes the table: those who came, then those who did not.
pub(super) fn write_table(people: &[Attendee<'_>], missing: &[&str], lang: Lang) -> String {
    let (titles, [here, gone, absent]) = match lang {
        Lang::Ko => (
            ["이름", "출석", "처음", "마지막", "분", "말", "손", "투표"],
            ["있음", "나감", "안 옴"],
        ),
        Lang::En => (
            ["name", "attendance", "first", "last", "minutes", "lines", "hands", "polls"],
            ["here", "left", "missing"],
        ),
    };
    let mut table = String::from(BYTE_ORDER_MARK);
    write_row(&titles.map(str::to_owned), &mut table);
    for attendee in people {
        let cells = [
            attendee.user.to_string(),
            if attendee.here { here } else { gone }.to_owned(),
            show_time(attendee.first),
            show_time(attendee.last),
            attendee.minutes.to_string(),
            attendee.lines.to_string(),
            attendee.hands.to_string(),
            attendee.polls.to_string(),
        ];
        write_row(&cells, &mut table);
    }
    for name in missing {
        let mut cells: [String; 8] = Default::default();
        (cells[0], cells[1]) = ((*name).to_owned(), absent.to_owned());
        write_row(&cells, &mut table);
    }
    table
}

fn write_row(cells: &[String], table: &mut String) {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    table.push_str(&cells.join(","));
    table.push_str("\r\n");
}

/// A cell, in quotes if it needs them.
fn quoted(cell: &str) -> String {
    // Spreadsheets take a cell that begins like this for a formula, even after blanks.
    let is_formula = cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains(['"', ',', '\r', '\n', '\t', ';']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

/// The time in the server's zone, in the format of spreadsheets.
fn show_time(time: Time) -> String {
    let timestamp = Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    timestamp.to_zoned(clock::zone().clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_opens_in_a_spreadsheet_as_text() {
        let attendee = |user: &str, here| Attendee {
            user: user.to_owned().into(),
            here,
            first: Time::from_millis(0),
            last: Time::from_millis(60_000),
            minutes: 1,
            lines: 2,
            hands: 3,
            polls: 4,
        };
        let people = [attendee("김철수", true), attendee("bob", false)];
        let table = write_table(&people, &["=1+1", " @SUM(A1)", "가, \"나\""], Lang::Ko);
        assert!(table.starts_with('\u{FEFF}'), "{table}");
        let rows: Vec<&str> = table.split("\r\n").collect();
        assert_eq!(rows.len(), 7, "{rows:?}");
        let [titles, first, second, third, fourth, fifth, end] = rows[..] else { panic!() };
        assert_eq!(titles.trim_start_matches('\u{FEFF}'), "이름,출석,처음,마지막,분,말,손,투표");
        assert!(first.starts_with("김철수,있음,") && first.ends_with(",1,2,3,4"), "{first}");
        assert!(second.starts_with("bob,나감,"), "{second}");
        assert_eq!(third, "'=1+1,안 옴,,,,,,");
        assert_eq!(fourth, "' @SUM(A1),안 옴,,,,,,");
        assert_eq!(fifth, "\"가, \"\"나\"\"\",안 옴,,,,,,");
        assert_eq!(end, "");
    }
}
