//! `/history` repeated, line by line, over several days of messages: from a day or a time on,
//! then further back.

use std::{fs, path::PathBuf, time::Duration};

use jiff::{ToSpan as _, Zoned};
use madang_protocol::{
    event::{Event, Stamp, Time},
    notice::Notice,
    text::Lang,
};
use serde_json::Value;

use crate::{
    clock,
    journal::{
        JournalConfig,
        store::{Store, Write},
    },
    operator::console::ConsoleThread,
    server::Server,
    test_server::{Peer, start_with},
};

/// The number of the lobby, and of its first event.
const FIRST: u64 = 1_000;

/// How many messages are shown at once.
const SHOWN: usize = 50;

/// A stored message.
struct Line {
    id: u64,
    at: Zoned,
    text: String,
}

/// A server with 60 messages from noon three days ago, 70 from noon two days ago, and 3 from two
/// hours ago, each a minute apart.
struct Stage {
    data: PathBuf,
    lines: Vec<Line>,
    /// Kept until the end.
    server: Option<(Server, ConsoleThread)>,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let data = std::env::temp_dir().join(format!("madang-{name}-{}", std::process::id()));
        let now = Zoned::now().with_time_zone(clock::zone().clone());
        let noon = |days: i64| {
            let day = now.checked_sub(days.days()).expect("a day");
            day.date().at(12, 0, 0, 0).to_zoned(clock::zone().clone()).expect("a noon")
        };
        let recent = now.checked_sub(2.hours()).expect("a time");
        let mut lines = Vec::new();
        for (name, count, begin) in [("a", 60, noon(3)), ("b", 70, noon(2)), ("c", 3, recent)] {
            for index in 0..count {
                let at = begin.checked_add(i64::from(index).minutes()).expect("a time");
                let id = FIRST + lines.len() as u64;
                lines.push(Line { id, at, text: format!("{name}{index}") });
            }
        }
        let mut store = Store::open(&data).expect("a database");
        let mut writes = vec![Write::Opened { room: FIRST, name: "lobby".into() }];
        writes.extend(lines.iter().map(|line| {
            let time = Time::from_millis(line.at.timestamp().as_millisecond());
            let stamp = Stamp { id: line.id, time, room: "lobby".into() };
            let (user, text) = ("bob".into(), line.text.clone());
            let event = Event::Said { stamp, user, text, me: false, teacher: false };
            Write::Event { room: FIRST, event, session: 7, nonce: None }
        }));
        store.write(&writes).expect("a disk");
        drop(store);
        let config = JournalConfig {
            reach: Duration::from_secs(30 * 24 * 3_600),
            ..JournalConfig::of(&data)
        };
        let server = start_with(|all| (all.journal, all.rate_limit) = (Some(config), None));
        Stage { data, lines, server: Some(server) }
    }

    fn connect(&self) -> Peer {
        let (server, _) = self.server.as_ref().expect("it runs until the end");
        Peer::connect(server)
    }

    /// The messages from one text to another, both included.
    fn between(&self, first: &str, last: &str) -> &[Line] {
        let place = |text| self.lines.iter().position(|line| line.text == text).expect("a text");
        &self.lines[place(first)..=place(last)]
    }

    /// The day of a message, in the form that `/history` takes.
    fn day(&self, text: &str) -> String {
        self.between(text, text)[0].at.strftime("%m-%d").to_string()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some((server, _)) = self.server.take() {
            server.stop();
        }
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// What a person is shown of messages: with the date unless it is today, then a line from the
/// server.
fn shown(lines: &[Line], last: Option<&str>) -> Vec<String> {
    let today = Zoned::now().with_time_zone(clock::zone().clone()).date();
    let show = |line: &Line| {
        let format = if line.at.date() == today { "%H:%M" } else { "%m-%d %H:%M" };
        format!("{} [bob] {}", line.at.strftime(format), line.text)
    };
    lines.iter().map(show).chain(last.map(str::to_owned)).collect()
}

#[test]
fn people_read_further_back_from_a_day_or_a_time_line_by_line() {
    let stage = Stage::new("lines");
    let mut peer = stage.connect();
    peer.say("alice");
    peer.expect("[alice] joined.");
    let mut check = |command: &str, lines: &[Line], last: Option<&str>| {
        peer.say(&format!("{command}\n/ping end"));
        // Midnight may pass meanwhile.
        let before = shown(lines, last);
        let heard = peer.expect("pong end");
        let heard: Vec<&str> = heard.lines().filter(|line| *line != "pong end").collect();
        let after = shown(lines, last);
        assert!(heard == before || heard == after, "{command}: {heard:#?} is not {after:#?}");
    };
    let begins = Notice::HistoryBegins.text(Lang::En);
    let begins = Some(&*begins);
    // The test server has started after the last message.
    let restarted = Some("-- the server restarted --");
    assert_eq!(stage.between("b0", "b49").len(), SHOWN);
    check(&format!("/history {}", stage.day("b0")), stage.between("b0", "b49"), None);
    check("/history", stage.between("a10", "a59"), None);
    check("/history", stage.between("a0", "a9"), begins);
    check("/history", &[], begins);

    check(&format!("/지난말 {}", stage.day("a0")), stage.between("a0", "a49"), None);
    check("/지난말", &[], begins);

    let time = stage.between("c0", "c0")[0].at.strftime("%H:%M").to_string();
    check(&format!("/history {time}"), stage.between("c0", "c2"), restarted);
    check("/history", stage.between("b20", "b69"), None);
    check("/history", stage.between("a30", "b19"), None);
    // A number starts at the end again and continues from there.
    check("/history 2", stage.between("c1", "c2"), restarted);
    check("/history", stage.between("b21", "c0"), None);
}

#[test]
fn programs_read_further_back_from_a_day_event_by_event() {
    let stage = Stage::new("events");
    let mut peer = stage.connect();
    peer.say("/json\n{\"type\":\"login\",\"name\":\"alice\",\"history\":0}");
    peer.expect("\"type\":\"joined\"");
    let mut check = |command: &str, lines: &[Line], earliest: bool| {
        peer.say(&format!(
            "{{\"type\":\"command\",\"line\":\"{command}\",\"nonce\":\"{command}\"}}"
        ));
        let heard = peer.expect("\"type\":\"ack\"");
        let parse = |line| serde_json::from_str::<Value>(line).expect("JSON");
        let answers: Vec<Value> =
            heard.lines().map(parse).filter(|message| message["type"] == "history").collect();
        let events = answers.iter().flat_map(|answer| answer["events"].as_array().expect("some"));
        let heard: Vec<_> = events
            .map(|event| (event["id"].as_u64().expect("an id"), event["text"].as_str()))
            .collect();
        let expected: Vec<_> = lines.iter().map(|line| (line.id, Some(&*line.text))).collect();
        assert_eq!(heard, expected, "{command}");
        let is_earliest = |answer: &Value| answer["earliest"] == Value::Bool(true);
        assert_eq!(answers.iter().all(is_earliest), earliest, "{answers:?}");
        assert!(answers.iter().all(|answer| answer["nonce"] == *command), "{answers:?}");
    };
    check(&format!("/history {}", stage.day("b0")), stage.between("b0", "b49"), false);
    check("/history", stage.between("a10", "a59"), false);
    check("/history", stage.between("a0", "a9"), true);
    check("/history", &[], true);
    check(&format!("/history {}", stage.day("a0")), stage.between("a0", "a49"), true);
    check("/history", &[], true);
}
