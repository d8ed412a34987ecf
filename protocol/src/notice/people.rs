//! The operator's list of people, in columns.

use std::net::IpAddr;

use unicode_width::UnicodeWidthStr;

use crate::{duration::show_about, room::room_name, text::Lang};

/// Somebody on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present<'a> {
    /// Their name.
    pub user: &'a str,
    /// The room that they are in, if any.
    pub room: Option<&'a str>,
    /// The address that they are connected from; none while the connection is lost.
    pub address: Option<IpAddr>,
    /// For how many seconds they have been idle, if that is known.
    pub idle: Option<u64>,
    /// Whether the operator has muted them: for how many more seconds, or until it is lifted.
    pub muted: Option<Option<u64>>,
    /// Whether they are quiet.
    pub quiet: bool,
    /// Whether they are a stream over HTTP, and only read.
    pub stream: bool,
}

impl Present<'_> {
    /// The text of each column.
    fn cells(&self, lang: Lang) -> [String; 5] {
        let idle = self.idle.map(|idle| show_about(idle, lang));
        let (idle, away) = match lang {
            Lang::Ko => (idle.map(|idle| format!("{idle} 전")), "연결 끊김"),
            Lang::En => (idle, "connection lost"),
        };
        let muted = match (self.muted, lang) {
            (None, _) => None,
            (Some(None), Lang::Ko) => Some("채팅 금지".to_owned()),
            (Some(None), Lang::En) => Some("muted".to_owned()),
            (Some(Some(seconds)), Lang::Ko) => {
                Some(format!("채팅 금지 {}", show_about(seconds, lang)))
            }
            (Some(Some(seconds)), Lang::En) => {
                Some(format!("muted for {}", show_about(seconds, lang)))
            }
        };
        let away = self.address.is_none().then(|| away.to_owned());
        let quiet = self.quiet.then(|| match lang {
            Lang::Ko => "알림 없이 참여".to_owned(),
            Lang::En => "quiet".to_owned(),
        });
        let stream = self.stream.then(|| match lang {
            Lang::Ko => "보기만".to_owned(),
            Lang::En => "read only".to_owned(),
        });
        let remarks: Vec<String> =
            away.into_iter().chain(muted).chain(quiet).chain(stream).collect();
        [
            self.user.to_owned(),
            self.room.map_or("-", |room| room_name(room, lang)).to_owned(),
            self.address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
            idle.unwrap_or_else(|| "-".to_owned()),
            remarks.join(", "),
        ]
    }
}

/// The table, below the number of people if that is wanted.
pub(super) fn table(count: Option<usize>, people: &[Present<'_>], lang: Lang) -> String {
    let (count, titles) = match lang {
        Lang::Ko => (
            count.map(|count| format!("대화 참여자 {count}명")),
            ["이름", "방", "주소", "마지막 말"],
        ),
        Lang::En => {
            let count = count.map(|count| match count {
                1 => "1 person".to_owned(),
                count => format!("{count} people"),
            });
            (count, ["name", "room", "address", "idle"])
        }
    };
    let [user, room, address, idle] = titles.map(str::to_owned);
    let titles = [user, room, address, idle, String::new()];
    let people = people.iter().map(|person| person.cells(lang));
    let rows: Vec<[String; 5]> = [titles].into_iter().chain(people).collect();
    let width_of = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width_of);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell}{:1$}", "", width - cell.width()));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    // An empty table needs no titles.
    let rows = rows.iter().filter(|_| rows.len() > 1).map(line);
    count.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let people = [
            Present {
                user: "철수",
                room: Some("lobby"),
                address: Some([192, 0, 2, 7].into()),
                idle: Some(12),
                muted: None,
                quiet: true,
                stream: false,
            },
            Present {
                user: "alice",
                room: Some("private-k3f9"),
                address: Some([10, 0, 0, 5].into()),
                idle: Some(240),
                muted: Some(Some(300)),
                quiet: false,
                stream: false,
            },
            Present {
                user: "bob",
                room: None,
                address: None,
                idle: None,
                muted: Some(None),
                quiet: false,
                stream: true,
            },
        ];
        assert_eq!(
            table(Some(3), &people, Lang::En),
            "3 people\n  \
               name   room          address    idle\n  \
               철수   lobby         192.0.2.7  12 seconds  quiet\n  \
               alice  private-k3f9  10.0.0.5   4 minutes   muted for 5 minutes\n  \
               bob    -             -          -           connection lost, muted, read only"
        );
        assert_eq!(
            table(None, &people[1..2], Lang::Ko),
            "  이름   방            주소      마지막 말\n  \
               alice  private-k3f9  10.0.0.5  4분 전     채팅 금지 5분"
        );
        assert_eq!(table(Some(0), &[], Lang::Ko), "대화 참여자 0명");
        assert_eq!(table(Some(1), &[], Lang::En), "1 person");
    }
}
