//! What nobody may learn in a lesson: two runs that differ only in who voted for what and who
//! asked what look the same to everyone else, and tallies go only to teachers.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use madang_tests::{TestClient, TestServer};
use serde_json::{Value, json};

use crate::{
    lesson::{CODE, Program as _, begin, start},
    metrics::{samples, tell},
    web::answer,
};

/// Who voted for what, at first and finally, and who asked what, in this order.
struct World {
    votes: [[usize; 2]; 3],
    questions: [(usize, &'static str); 2],
}

/// The same sums, and the same texts in the same order.
const WORLDS: [World; 2] = [
    World { votes: [[2, 1], [1, 2], [2, 2]], questions: [(0, "why?"), (1, "how?")] },
    World { votes: [[1, 2], [2, 1], [2, 2]], questions: [(1, "why?"), (0, "how?")] },
];

const PUPILS: [&str; 3] = ["ann", "ben", "cat"];

/// What anybody but the voters themselves receives, by its source.
type Seen = BTreeMap<&'static str, Vec<String>>;

/// Everything that can be asked about people and the lesson.
const QUESTIONS: [&str; 7] =
    ["/poll", "/who", "/whois ann", "/whois ben", "/whois cat", "/rooms", "/history 200"];

impl World {
    fn play(&self) -> Seen {
        let server = start(|config| {
            config.rate_limit = None;
            tell(config);
        });
        let mut kim = begin(&server);
        let mut wall = server.login_json("wall");
        wall.command(&format!("/teach {CODE}"));
        wall.next("teacher");
        wall.ask(json!({"type": "watch", "nonce": "w"}));
        wall.settled();
        let mut dave = server.login_json("dave");
        let mut nc = server.login("nc");
        let mut socket = server.login_websocket("socket");
        let mut pupils: Vec<TestClient> = PUPILS.map(|name| server.login_json(name)).into();
        kim.command("/poll Q / a / b");
        // One after the other: in both runs they vote and ask at the same times.
        for round in 0..2 {
            for (pupil, votes) in pupils.iter_mut().zip(self.votes) {
                if round == 0 {
                    pupil.next("poll");
                }
                pupil.ask(json!({"type": "vote", "choice": votes[round], "nonce": "v"}));
                pupil.next("ack");
            }
            for line in QUESTIONS {
                kim.command(line);
            }
            kim.take_seen();
        }
        for (at, text) in self.questions {
            pupils[at].command(&format!("/ask {text}"));
            pupils[at].next("ack");
        }
        let teachers = ["/poll show", "/poll", "/show 1", "/show 2", "/hands", "/poll end"];
        for line in teachers.iter().chain(&QUESTIONS).chain(&["/attendance"]) {
            kim.command(line);
        }
        // The others look when all of that has happened.
        let teacher = kim.take_seen();
        let [wall, pupil] = [&mut wall, &mut dave].map(|client| {
            for line in QUESTIONS {
                client.command(line);
            }
            client.take_seen()
        });
        let ask = QUESTIONS.join("\n");
        nc.send(format!("{ask}\n/ping nc-end\n"));
        let nc = timeless_lines(&nc.expect("nc-end"));
        for line in QUESTIONS.iter().chain(&["/ping socket-end"]) {
            socket.send(line);
        }
        let mut heard = Vec::new();
        while heard.last().is_none_or(|message: &String| !message.contains("socket-end")) {
            heard.push(socket.expect_message());
        }
        let websocket = timeless_lines(&heard.join("\n"));
        let table = table(&server, &mut kim);
        for line in QUESTIONS.iter().chain(&["/attendance", "/attendance csv", "/hands"]) {
            server.operate(line);
        }
        server.operate("/ban 203.0.113.9");
        server.console_expect("203.0.113.9");
        let console = timeless_lines(&server.console());
        let metrics = timeless_metrics(&server);
        BTreeMap::from([
            ("teacher", teacher),
            ("wall", wall),
            ("pupil", pupil),
            ("nc", nc),
            ("websocket", websocket),
            ("table", table),
            ("console", console),
            ("metrics", metrics),
        ])
    }
}

trait Observer {
    fn take_seen(&mut self) -> Vec<String>;
}

impl Observer for TestClient {
    /// Takes everything that has arrived, except tallies that come unasked: their number depends
    /// on the timing. A room's event and an answer may change places.
    fn take_seen(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        self.command("/ping taken");
        loop {
            let message = self.expect_json();
            if message["type"] == "pong" && message["token"] == "taken" {
                break;
            }
            if message["type"] != "tally" || !message["nonce"].is_null() {
                seen.push(timeless(message).to_string());
            }
        }
        seen.sort_unstable();
        seen
    }
}

/// A message without the parts that differ from run to run.
fn timeless(mut message: Value) -> Value {
    const FIELDS: [&str; 12] = [
        "id",
        "time",
        "since",
        "first",
        "last",
        "path",
        "link",
        "until",
        "minutes",
        "idle_seconds",
        "before",
        "seconds",
    ];
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                FIELDS.iter().for_each(|field| drop(fields.remove(*field)));
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut message);
    message
}

/// Lines without times, ports and random links, sorted.
fn timeless_lines(text: &str) -> Vec<String> {
    let is_of_a_time = |word: &str| {
        word.contains("://")
            || word.contains("127.0.0.1")
            || ["second", "seconds", "minute", "minutes"]
                .contains(&word.trim_end_matches([',', '.', ';', ')']))
            || (word.contains(':')
                && word.chars().all(|c| c.is_ascii_digit() || ":-TZ.[](),".contains(c)))
    };
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut words: Vec<&str> = Vec::new();
            for word in line.split([' ', '·']) {
                if is_of_a_time(word) {
                    // Only their number.
                    words.pop_if(|before| before.chars().all(|c| c.is_ascii_digit()));
                } else {
                    words.push(word);
                }
            }
            words.join(" ")
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// The table of attendance, without the columns of times.
fn table(server: &TestServer, kim: &mut TestClient) -> Vec<String> {
    kim.command("/attendance");
    let path = kim.next("attendance")["path"].as_str().expect("there is a page").to_owned();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = answer(server.web_address(), &request);
    let (_, table) = answer.split_once("\r\n\r\n").expect("it has a body");
    let without_times = |row: &str| {
        let cells: Vec<&str> = row.split(',').collect();
        [&cells[..2], &cells[5..]].concat().join(",")
    };
    table.lines().map(without_times).collect()
}

/// The metrics, except those that count bytes, rounds and seconds: the number of tallies depends
/// on the timing.
fn timeless_metrics(server: &TestServer) -> Vec<String> {
    let of_time = ["bytes", "round", "seconds", "deliveries", "connections", "drainer"];
    let samples = samples(server).into_iter();
    let samples = samples.filter(|(name, _)| !of_time.iter().any(|part| name.contains(part)));
    samples.map(|(name, value)| format!("{name} {value}")).collect()
}

#[test]
fn nothing_tells_who_voted_or_asked_what() {
    let [one, other] = WORLDS.map(|world| world.play());
    for (name, one) in &one {
        let other = &other[name];
        let differs = |lines: &[String], others: &[String]| -> Vec<String> {
            lines.iter().filter(|line| !others.contains(line)).cloned().collect()
        };
        assert_eq!(differs(one, other), differs(other, one), "{name}");
        assert_eq!(one, other, "{name}");
    }
    // The comparison had something to look at.
    let has = |name: &str, part: &str| {
        assert!(one[name].iter().any(|line| line.contains(part)), "{name}: {:?}", one[name]);
    };
    for name in ["teacher", "wall", "pupil"] {
        has(name, "\"counts\":[1,2]");
    }
    has("nc", "[question 2] how?");
    has("websocket", "[question 2] how?");
    has("table", "ann,here,0,0,1");
    has("console", "[ann]");
    has("metrics", "madang_sessions 8");
}

#[test]
fn tallies_go_to_teachers_and_their_wall_at_most_twice_a_second() {
    let server = start(|config| config.rate_limit = None);
    let mut kim = begin(&server);
    let mut wall = server.login_json("wall");
    wall.command(&format!("/teach {CODE}"));
    wall.next("teacher");
    wall.ask(json!({"type": "watch", "nonce": "w"}));
    let mut dave = server.login_json("dave");
    let mut pupil = server.login_json("pupil");
    let mut nc = server.login("nc");
    // The first tally comes with the poll, which may be long on its way to the pupil.
    let opened = Instant::now();
    kim.command("/poll Q / a / b");
    pupil.next("poll");
    let started = Instant::now();
    // For more than a second, as fast as votes are accepted.
    let mut votes = 0;
    while started.elapsed() < Duration::from_millis(1_200) {
        votes += 1;
        pupil.ask(json!({"type": "vote", "choice": 1 + votes % 2, "nonce": "v"}));
        pupil.next("ack");
    }
    dave.ask(json!({"type": "vote", "choice": 1, "nonce": "v"}));
    dave.next("ack");
    for (teacher, has_names) in [(&mut kim, true), (&mut wall, false)] {
        let mut tallies = 0;
        loop {
            let tally = teacher.next("tally");
            assert_eq!(tally["waiting"].is_array(), has_names, "{tally}");
            assert_eq!(tally["counts"], Value::Null, "{tally}");
            tallies += 1;
            if tally["answered"] == 2 {
                break;
            }
        }
        // Half a second before each tally except the first.
        let most = opened.elapsed().as_millis() / 500 + 1;
        assert!(tallies <= most, "{tallies} tallies for {votes} votes, at most {most}");
    }
    for client in [&mut dave, &mut pupil] {
        client.command("/ping over");
        loop {
            let message = client.expect_json();
            assert_ne!(message["type"], "tally", "{message}");
            if message["type"] == "pong" {
                break;
            }
        }
    }
    nc.send("/ping over\n");
    assert!(!nc.expect("over").contains("voted"));
}
