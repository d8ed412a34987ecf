//! `--data`: what was acknowledged is still there after the server was killed or stopped, or its
//! disk was full; and nothing private is ever written.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use madang_tests::{TestClient, TestFolder, documented_commands};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    program::Program,
    server_process::{ServerProcess, command, command_after},
};

pub(crate) fn start(data: &Path) -> ServerProcess {
    ServerProcess::start(&["--rate-limit", "off", "--lang", "ko", "--data", text(data)])
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a test's folder is UTF-8")
}

/// The events of a room on the disk.
#[track_caller]
pub(crate) fn saved(data: &Path, room: &str) -> Vec<Value> {
    let mut transcript = Program::start(command().args([
        "transcript",
        "--data",
        text(data),
        "--room",
        room,
        "--format",
        "jsonl",
    ]));
    let lines = transcript.out().expect_end();
    assert_eq!(transcript.expect_exit(), 0);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Somebody who says numbers in turn, and repeats those that were not acknowledged.
struct Speaker {
    client: TestClient,
    token: String,
    last: u64,
    last_private: u64,
    next: usize,
    unacked: VecDeque<usize>,
    /// The id of each number.
    acked: BTreeMap<usize, u64>,
}

impl Speaker {
    fn log_in(address: SocketAddr) -> Speaker {
        let mut client = TestClient::connect(address);
        let welcome = client.login_json("alice");
        assert_eq!(welcome["durable"], true, "{welcome}");
        let token = welcome["session"].as_str().expect("a token").to_owned();
        let last = welcome["id"].as_u64().expect("an id");
        let (unacked, acked) = (VecDeque::new(), BTreeMap::new());
        Speaker { client, token, last, last_private: 0, next: 0, unacked, acked }
    }

    fn come_back(&mut self, address: SocketAddr) {
        self.client = TestClient::connect(address);
        self.client.become_json();
        let (session, last) = (&self.token, self.last);
        self.client.send_json(json!({
            "type": "login", "session": session, "room": "lobby", "last": last,
            "last_private": self.last_private,
        }));
        let welcome = self.client.expect_message("welcome");
        assert_eq!((&welcome["resumed"], &welcome["room"]), (&json!(true), &json!("lobby")));
        for number in &self.unacked {
            self.client.send(say(*number));
        }
    }

    fn say(&mut self, count: usize) {
        let numbers = self.next..self.next + count;
        self.client.send(numbers.clone().map(say).collect::<String>());
        self.unacked.extend(numbers);
        self.next += count;
    }

    /// Reads until this many acks have come; every ack must promise that the line is safe.
    #[track_caller]
    fn read_acks(&mut self, mut count: usize) {
        while count > 0 {
            let message = self.client.expect_json();
            if let Some(id) = message["id"].as_u64().filter(|_| message["type"] != "ack") {
                self.last = self.last.max(id);
            }
            if message["type"] == "ack" {
                assert_eq!(message["durable"], Value::Null, "{message}");
                let number = message["nonce"].as_str().and_then(|it| it[1..].parse().ok());
                let number: usize = number.expect("the nonce is the test's");
                let id = message["id"].as_u64().expect("it was said");
                assert_eq!(*self.acked.entry(number).or_insert(id), id, "two ids for {number}");
                self.unacked.retain(|unacked| *unacked != number);
                count -= 1;
            }
        }
    }

    /// The disk has what was said: each line once, in order, under the id of its ack.
    #[track_caller]
    fn check(&self, events: &[Value]) {
        let ids: Vec<_> = events.iter().map(|event| event["id"].as_u64()).collect();
        assert!(ids.is_sorted_by(|one, other| one < other), "an id twice, or out of order");
        let said = events.iter().filter(|event| event["type"] == "said");
        let said: Vec<_> = said
            .map(|event| (event["text"].as_str().expect("text"), event["id"].as_u64()))
            .collect();
        let expected: Vec<_> =
            self.acked.iter().map(|(number, id)| (number.to_string(), Some(*id))).collect();
        let expected: Vec<_> = expected.iter().map(|(text, id)| (&**text, *id)).collect();
        assert_eq!(said, expected);
    }
}

/// The next message of a type, skipping others.
#[track_caller]
pub(crate) fn wait_for(client: &mut TestClient, kind: &str) -> Value {
    loop {
        let message = client.expect_json();
        if message["type"] == kind {
            return message;
        }
    }
}

fn say(number: usize) -> String {
    format!(
        "{}\n",
        json!({"type": "say", "text": number.to_string(), "nonce": format!("n{number}")})
    )
}

#[test]
fn acknowledged_messages_survive_kills_once_and_in_order() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    let mut alice = Speaker::log_in(server.address);
    // As many as the nonces that a session remembers.
    for acks in [1, 150, 255] {
        alice.say(256 - alice.unacked.len());
        alice.read_acks(acks);
        server.signal(Signal::KILL);
        drop(server);
        server = start(&data);
        alice.come_back(server.address);
    }
    let left = alice.unacked.len();
    alice.read_acks(left);
    assert_eq!(alice.acked.len(), alice.next);
    alice.check(&saved(&data, "lobby"));
}

#[test]
fn messages_before_a_stop_are_acknowledged_before_the_goodbye() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    let mut alice = Speaker::log_in(server.address);
    for _ in 0..3 {
        alice.say(200);
        alice.read_acks(50);
        server.signal(Signal::TERM);
        loop {
            let message = alice.client.expect_json();
            match message["type"].as_str() {
                Some("bye") => break,
                Some("ack") => {
                    let number = message["nonce"].as_str().expect("a nonce")[1..].parse();
                    let number: usize = number.expect("the test's nonce");
                    alice.acked.insert(number, message["id"].as_u64().expect("it was said"));
                    alice.unacked.retain(|unacked| *unacked != number);
                }
                Some("said") => {
                    let id = message["id"].as_u64().expect("an id");
                    let number = message["text"].as_str().and_then(|it| it.parse::<usize>().ok());
                    alice.last = id;
                    assert!(number.is_some(), "{message}");
                }
                _ => {}
            }
        }
        assert_eq!(server.expect_exit(), 0);
        // Whatever others have read was acknowledged.
        let heard = saved(&data, "lobby");
        let heard = heard.iter().filter(|event| event["type"] == "said").count();
        assert_eq!(heard, alice.acked.len());
        server = start(&data);
        alice.come_back(server.address);
        let left = alice.unacked.len();
        alice.read_acks(left);
    }
    alice.check(&saved(&data, "lobby"));
}

#[test]
fn missed_messages_are_sent_after_a_stop_and_with_the_gap_after_a_kill() {
    let folder = TestFolder::new();
    for signal in [Signal::TERM, Signal::KILL] {
        let data = folder.path().join(format!("{signal:?}"));
        let mut server = start(&data);
        let mut alice = Speaker::log_in(server.address);
        alice.say(1);
        alice.read_acks(1);
        let seen = alice.last;
        let mut bob = TestClient::connect(server.address);
        bob.login_json("bob");
        bob.send_json(json!({"type": "say", "text": "missed", "nonce": "m"}));
        wait_for(&mut bob, "ack");
        server.signal(signal);
        if signal == Signal::TERM {
            assert_eq!(server.expect_exit(), 0);
        }
        drop(server);
        server = start(&data);
        alice.last = seen;
        alice.come_back(server.address);
        let (mut ids, mut gaps, mut said) = (vec![seen], Vec::new(), Vec::new());
        let mut end = seen;
        loop {
            let message = alice.client.expect_json();
            match message["type"].as_str() {
                Some("gap") => gaps.push(message["reason"].clone()),
                Some("said") => said.push((message["user"].clone(), message["text"].clone())),
                _ => {}
            }
            ids.extend(message["id"].as_u64());
            // A gap stands where its events would.
            let number = |field: &str| message[field].as_u64();
            if let Some(first) = number("id").or(number("from")) {
                assert!(end < first, "{message} after {end}");
                end = number("to").unwrap_or(first);
            }
            if message["type"] == "restarted" {
                break;
            }
        }
        assert_eq!(said, [(json!("bob"), json!("missed"))]);
        let last = ids.pop().expect("an id of the restart");
        assert!(ids.is_sorted_by(|one, other| one + 1 == *other), "{ids:?}");
        let before = ids.last().expect("at least what she has seen");
        // Ids that may have been given before a kill are left out.
        let (expected, left_out) = match signal {
            Signal::KILL => (vec!["restart"], 1 << 20),
            _ => (vec![], 0),
        };
        assert_eq!(gaps, expected);
        assert!(last > before + left_out, "{before}, then {last}");
    }
}

#[test]
fn a_client_that_comes_back_after_a_kill_gets_whispers_that_it_does_not_take_for_old_ones() {
    let folder = TestFolder::new();
    let mut server = start(folder.path());
    let mut alice = Speaker::log_in(server.address);
    let whisper =
        |nonce: &str| json!({"type": "command", "line": "/msg alice psst", "nonce": nonce});
    let mut bob = TestClient::connect(server.address);
    bob.login_json("bob");
    bob.send_json(whisper("w1"));
    assert_eq!(wait_for(&mut alice.client, "whisper")["private"], 1);
    // A session is on the disk once something of it was acknowledged.
    alice.say(1);
    alice.read_acks(1);
    server.signal(Signal::KILL);
    drop(server);
    server = start(folder.path());
    // One comes before she is back, one after it.
    let mut carol = TestClient::connect(server.address);
    carol.login_json("carol");
    carol.send_json(whisper("w1"));
    wait_for(&mut carol, "ack");
    alice.last_private = 1;
    alice.come_back(server.address);
    assert_eq!(wait_for(&mut alice.client, "whisper")["private"], 2);
    carol.send_json(whisper("w2"));
    assert_eq!(wait_for(&mut alice.client, "whisper")["private"], 3);
}

#[test]
fn a_message_from_the_previous_room_is_not_said_again_after_a_kill() {
    let folder = TestFolder::new();
    for elsewhere in ["/new", "/join math"] {
        let data = folder.path().join(&elsewhere[1..4]);
        let server = start(&data);
        let mut alice = Speaker::log_in(server.address);
        alice.say(3);
        alice.read_acks(3);
        let said = alice.acked.clone();
        alice.client.send_json(json!({"type": "command", "line": elsewhere}));
        wait_for(&mut alice.client, "joined");
        alice.client.send_json(json!({"type": "say", "text": "there", "nonce": "there"}));
        wait_for(&mut alice.client, "ack");
        server.signal(Signal::KILL);
        drop(server);
        let server = start(&data);
        let mut client = TestClient::connect(server.address);
        client.become_json();
        client.send_json(json!({"type": "login", "session": alice.token}));
        let room = client.expect_message("welcome")["room"].clone();
        assert_eq!(room, if elsewhere == "/new" { "lobby" } else { "math" });
        client.send_json(json!({"type": "command", "line": "/join lobby"}));
        alice.client = client;
        // As if the acknowledgements had been lost with the server.
        for number in said.keys() {
            let say =
                json!({"type": "say", "text": number.to_string(), "nonce": format!("n{number}")});
            alice.client.send_json(say);
            let ack = wait_for(&mut alice.client, "ack");
            assert_eq!(ack["id"].as_u64(), Some(said[number]), "{elsewhere}");
        }
        server.signal(Signal::TERM);
        drop(server);
        let saved = saved(&data, "lobby");
        assert_eq!(saved.iter().filter(|event| event["type"] == "said").count(), 3, "{elsewhere}");
    }
}

/// Which of its messages were its last depends on the room that it was in.
#[test]
fn whoever_was_in_a_private_room_is_known_to_be_in_the_lobby_after_a_kill() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    let mut alice = Speaker::log_in(server.address);
    alice.client.send_json(json!({"type": "command", "line": "/new"}));
    wait_for(&mut alice.client, "entered");
    // On the disk once somebody's later message is.
    let mut bob = TestClient::connect(server.address);
    bob.become_json();
    bob.send_json(json!({"type": "login", "user": "bob"}));
    bob.send_json(json!({"type": "say", "text": "hi", "nonce": "hi"}));
    wait_for(&mut bob, "ack");
    for _ in 0..2 {
        server.signal(Signal::KILL);
        drop(server);
        server = start(&data);
        let mut client = TestClient::connect(server.address);
        client.become_json();
        client.send_json(json!({"type": "login", "session": alice.token}));
        assert_eq!(client.expect_message("welcome")["room"], "lobby");
        client
            .send_json(json!({"type": "say", "text": "here", "nonce": server.address.to_string()}));
        wait_for(&mut client, "ack");
    }
    server.signal(Signal::KILL);
    drop(server);
    let database = rusqlite::Connection::open(data.join("madang.db")).expect("a database");
    let of_alice = "SELECT count(*) FROM session WHERE name = 'alice' AND room IN \
                    (SELECT room FROM room WHERE name = 'lobby')";
    let sessions: i64 = database.query_row(of_alice, [], |row| row.get(0)).expect("a database");
    assert_eq!(sessions, 1);
}

/// A client that was away while the server was killed, and stopped or killed once more.
#[test]
fn a_gap_of_a_crash_is_told_after_later_restarts_too() {
    let folder = TestFolder::new();
    for signals in [[Signal::KILL, Signal::TERM], [Signal::KILL, Signal::KILL]] {
        let data = folder.path().join(format!("{signals:?}"));
        let mut server = start(&data);
        let mut alice = Speaker::log_in(server.address);
        alice.say(1);
        alice.read_acks(1);
        for (signal, name) in signals.into_iter().zip(["bob", "carol"]) {
            server.signal(signal);
            drop(server);
            server = start(&data);
            // Somebody is there meanwhile, so that more than the restart is saved.
            let mut bob = TestClient::connect(server.address);
            bob.login_json(name);
            bob.send_json(json!({"type": "say", "text": "hi", "nonce": "m"}));
            wait_for(&mut bob, "ack");
        }
        let seen = alice.last;
        alice.come_back(server.address);
        let mut next = seen + 1;
        for signal in signals {
            if signal == Signal::KILL {
                let gap = wait_for(&mut alice.client, "gap");
                assert_eq!(gap["reason"], "restart");
                assert!(gap["from"].as_u64().is_some_and(|from| from >= next), "{gap}");
                next = gap["to"].as_u64().expect("an id") + 1;
            }
        }
        let restarted = wait_for(&mut alice.client, "restarted");
        assert!(restarted["id"].as_u64() > Some(seen), "{restarted}");
    }
}

#[test]
fn talk_is_read_back_and_searched_over_restarts_from_nc() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    let mut alice = TestClient::connect(server.address);
    alice.expect("로그인ID:");
    alice.send("alice\n").expect("이 방의 대화는 서버에 저장됩니다.\n");
    alice.expect("[alice]님이 입장했습니다.\n");
    for number in 1..=30 {
        alice.send(format!("{number}번째 줄\n")).expect(format!("[alice] {number}번째 줄\n"));
    }
    alice.send("내일 회의는 3시\n").expect("3시\n");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);

    let server = start(&data);
    let mut bob = TestClient::connect(server.address);
    bob.login("bob");
    // 20 earlier lines are shown; they are in memory again.
    bob.send("/지난말 2\n/ping\n");
    let shown = bob.expect("퐁");
    assert!(shown.contains("30번째 줄\n") && shown.contains("내일 회의는 3시\n"), "{shown}");
    assert!(!shown.contains("29번째 줄\n"), "{shown}");
    // Nothing was said since; the restart is shown in its place, and does not count as a line.
    assert!(shown.contains("3시\n-- 서버가 다시 시작되었습니다 --\n"), "{shown}");
    bob.send("/지난말\n/ping\n");
    let shown = bob.expect("퐁");
    assert!(shown.contains(" 29번째 줄\n") && !shown.contains(" 30번째 줄\n"), "{shown}");
    for query in ["회의", "ㅎㅇ", "\"회의는 3시\"", "3시 내일"] {
        bob.send(format!("/찾기 {query}\n")).expect("[alice] 내일 회의는 3시\n");
        bob.expect("-- 1개를 찾았습니다.");
    }
    bob.send("/찾기 번째\n").expect("30번째 줄\n");
    bob.expect("-- 10개를 찾았습니다.");
    bob.send("/찾기\n").expect(" 11번째 줄\n");
    // The same words go further back too, and start over at the end.
    bob.send("/찾기 번째\n").expect(" 1번째 줄\n");
    bob.send("/찾기 번째\n").expect("30번째 줄\n");
    bob.send("/찾기 없는말\n").expect("찾는 대화가 없습니다.\n");
}

#[test]
fn history_begins_at_a_time_or_an_id_and_goes_back_no_further_than_members_may() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let flags = ["--rate-limit", "off", "--lang", "ko", "--reach", "7d", "--data", text(&data)];
    let server = ServerProcess::start(&flags);
    let mut alice = Speaker::log_in(server.address);
    alice.say(5);
    alice.read_acks(5);
    let first = alice.acked[&0];
    let client = &mut alice.client;
    let mut ask = |request: Value| {
        client.send_json(request);
        let answer = wait_for(client, "history");
        let events = answer["events"].as_array().expect("a list");
        let texts: Vec<_> = events.iter().map(|event| event["text"].clone()).collect();
        (texts, answer["earliest"] == true)
    };
    // Her own joining comes before the first message.
    let (all, earliest) = ask(json!({"type": "history"}));
    assert_eq!((all.len(), earliest), (6, true));
    let after = json!({"type": "history", "after": first, "limit": 2});
    assert_eq!(ask(after), (vec![json!("1"), json!("2")], false));
    let beginning = json!({"type": "history", "after": 0, "limit": 2});
    assert_eq!(ask(beginning), (vec![Value::Null, json!("0")], true));
    let before = json!({"type": "history", "before": first + 2, "limit": 1});
    assert_eq!(ask(before), (vec![json!("1")], false));

    let mut bob = TestClient::connect(server.address);
    bob.login("bob");
    let now = jiff::Zoned::now();
    let today = now.strftime("%m-%d").to_string();
    bob.send(format!("/지난말 {today}\n/ping\n")).expect("[alice] 0\n");
    assert!(bob.expect("퐁").contains("[alice] 4\n"));
    let long_ago = now.checked_sub(jiff::ToSpan::days(10)).expect("a date").strftime("%m-%d");
    bob.send(format!("/지난말 {long_ago}\n")).expect("이후의 대화만 볼 수 있습니다.\n");
    for nonsense in ["02-30", "24:00", "13-01", "어제"] {
        bob.send(format!("/지난말 {nonsense}\n")).expect("사용법: /지난말 [개수|언제]\n");
    }
}

#[test]
fn private_data_is_in_no_file_and_files_belong_to_the_owner() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    let mut alice = TestClient::connect(server.address);
    let token = alice.login_json("alice")["session"].as_str().expect("a token").to_owned();
    let mut bob = TestClient::connect(server.address);
    bob.login("bob");
    let mut ask = |line: &str, answer: &str| {
        alice.send_json(json!({"type": "command", "line": line, "nonce": line}));
        wait_for(&mut alice, answer)
    };
    ask("/msg bob whispered-words", "ack");
    ask("/new secret-topic", "entered");
    let invite = ask("/invite", "invite");
    let (key, mark) = (invite["key"].as_str().expect("a key"), invite["room"].as_str());
    alice.send_json(json!({"type": "say", "text": "private-words", "nonce": "p"}));
    wait_for(&mut alice, "ack");
    bob.send("public-words\n").expect("public-words\n");
    let plain_key = key.replace('-', "");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);

    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut all = Vec::new();
    for entry in fs::read_dir(&data).expect("the folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        all.extend(fs::read(path).expect("a file"));
    }
    let holds = |words: &str| memchr::memmem::find(&all, words.as_bytes()).is_some();
    assert!(holds("public-words"));
    let mark = mark.expect("a mark");
    for words in ["whispered-words", "secret-topic", "private-words", key, &plain_key, &token, mark]
    {
        assert!(!holds(words), "{words} is on the disk");
    }
}

/// A program that sends requests and waits for the answers.
struct Asker {
    client: TestClient,
    requests: usize,
}

impl Asker {
    /// Logs in, and returns the token too.
    fn log_in(address: SocketAddr, name: &str) -> (Asker, String) {
        let mut client = TestClient::connect(address);
        let welcome = client.login_json(name);
        let token = welcome["session"].as_str().expect("a token").to_owned();
        (Asker { client, requests: 0 }, token)
    }

    #[track_caller]
    fn ask(&mut self, line: &str, answer: &str) -> Value {
        self.requests += 1;
        let nonce = format!("n{}", self.requests);
        let asked = match line.strip_prefix("say ") {
            Some(text) => json!({"type": "say", "text": text, "nonce": nonce}),
            None => json!({"type": "command", "line": line, "nonce": nonce}),
        };
        self.client.send_json(asked);
        loop {
            let message = self.client.expect_json();
            assert_ne!(message["type"], "error", "{line}: {message}");
            if message["type"] == answer && message["nonce"] == *nonce {
                return message;
            }
        }
    }
}

#[test]
fn a_busy_hour_leaves_nothing_private_in_any_file() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    // The beginning of each private text, and the mark of a private room.
    let texts = ["whisper-", "topic-", "private-", "action-"];
    let mut secrets = texts.map(|text| text.as_bytes().to_vec()).to_vec();
    let names: Vec<String> = (0..8).map(|number| format!("m{number}")).collect();
    let mut members: Vec<Asker> = Vec::new();
    for name in &names {
        let (member, token) = Asker::log_in(server.address, name);
        let bits = u128::from_str_radix(&token, 16).expect("128 bits");
        secrets.extend([token.into_bytes(), bits.to_be_bytes().to_vec()]);
        members.push(member);
    }
    let mut talk = |round: usize| {
        for (number, member) in members.iter_mut().enumerate() {
            let of = format!("{round}-{number}");
            let (whisper, topic) = (format!("whisper-{of}"), format!("topic-{of}"));
            let (private, action) = (format!("private-{of}"), format!("action-{of}"));
            let other = &names[(number + 1) % names.len()];
            member.ask(&format!("say public-{of}"), "ack");
            member.ask(&format!("/msg {other} {whisper}"), "ack");
            member.ask(&format!("/new {topic}"), "entered");
            member.ask(&format!("say {private}"), "ack");
            member.ask(&format!("/me {action}"), "ack");
            let invite = member.ask("/invite", "invite");
            let key = invite["key"].as_str().expect("a key");
            assert!(invite["room"].as_str().is_some_and(|mark| mark.starts_with("private-")));
            let keys = [key.to_owned(), key.replace('-', ""), key.to_lowercase()];
            secrets.extend(keys.map(String::into_bytes));
            member.ask(if number % 2 == 0 { "/join lobby" } else { "/join math" }, "entered");
            member.ask(&format!("say also-public-{of}"), "ack");
        }
        secrets.clone()
    };
    let look = |secrets: &[Vec<u8>], when: &str| {
        let mut all = Vec::new();
        for entry in fs::read_dir(&data).expect("the folder") {
            let path = entry.expect("an entry").path();
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}, {when}", path.display());
            all.extend(fs::read(path).expect("a file"));
        }
        assert!(memchr::memmem::find(&all, b"public-0-0").is_some(), "{when}");
        for secret in secrets {
            let found = memchr::memmem::find(&all, secret);
            assert!(found.is_none(), "{} {when}", String::from_utf8_lossy(secret));
        }
    };
    talk(0);
    let secrets = talk(1);
    // With the write-ahead log and its index.
    look(&secrets, "while the server runs");
    server.signal(Signal::KILL);
    drop(server);
    look(&secrets, "after it was killed");
    server = start(&data);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    look(&secrets, "after it was stopped");
}

#[test]
fn a_database_of_a_newer_server_is_refused_by_its_name() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let path = data.join("madang.db");
    let mut database = fs::read(&path).expect("it is there");
    // The user version in SQLite's file format.
    database[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&path, &database).expect("the folder is there");
    let mut refused =
        Program::start(command().args(["--listen", "127.0.0.1:0", "--data", text(&data)]));
    assert_eq!(refused.expect_exit(), 1);
    let error = refused.err().expect_end();
    let why = "a newer madang-server wrote it (version 99 of the tables, this one knows 6)";
    assert!(error.contains(why), "{error}");
    assert!(fs::read(&path).expect("it is there") == database, "it was changed");
}

#[test]
fn a_folder_in_use_or_a_damaged_database_is_refused_and_says_what_to_do() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut server = start(&data);
    let refused = || {
        let mut second =
            Program::start(command().args(["--listen", "127.0.0.1:0", "--data", text(&data)]));
        assert_eq!(second.expect_exit(), 1);
        second.err().expect_end()
    };
    let error = refused();
    assert!(error.contains("--data: another madang-server uses"), "{error}");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    fs::write(data.join("madang.db"), "not a database, and long enough to look like one")
        .expect("the folder is there");
    let error = refused();
    assert!(error.contains("madang-server recover --data"), "{error}");
    let kept = fs::read(data.join("madang.db")).expect("it is there");
    assert!(kept.starts_with(b"not a database"));
}

#[test]
fn a_full_disk_harms_no_chat_and_acks_say_so() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    drop(start(&data));
    // No file may grow beyond 256 KiB.
    let mut command = command_after("trap '' XFSZ && ulimit -f 512");
    let server = ServerProcess::start_as(command.args([
        "--rate-limit",
        "off",
        "--lang",
        "en",
        "--data",
        text(&data),
    ]));
    let mut alice = TestClient::connect(server.address);
    alice.login_json("alice");
    let mut bob = TestClient::connect(server.address);
    bob.login("bob");
    let line = "x".repeat(4_000);
    let mut refused = 0;
    for number in 0..200 {
        let nonce = format!("n{number}");
        alice.send_json(json!({"type": "say", "text": line, "nonce": nonce}));
        let ack = wait_for(&mut alice, "ack");
        assert_eq!(ack["nonce"], *nonce);
        refused += usize::from(ack["durable"] == false);
        bob.expect(&line);
    }
    assert!((50..200).contains(&refused), "{refused} of 200 were not saved");
}

#[test]
#[ignore = "needs sqlite3"]
fn the_backup_of_the_pages_is_whole() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let server = start(&data);
    let mut alice = TestClient::connect(server.address);
    alice.login_json("alice");
    alice.send_json(json!({"type": "say", "text": "kept", "nonce": "k"}));
    wait_for(&mut alice, "ack");

    let commands = documented_commands();
    let backup = commands.iter().find(|it| it.starts_with("sqlite3 ")).expect("there is one");
    let backup = backup.replace("/var/lib/madang", text(&data));
    let mut shell = Command::new("sh");
    shell.args(["-c", &backup]).current_dir(folder.path());
    assert_eq!(Program::start(&mut shell).expect_exit(), 0);

    let restored = folder.path().join("restored");
    fs::create_dir(&restored).expect("the folder is new");
    fs::rename(folder.path().join("backup.db"), restored.join("madang.db")).expect("a backup");
    let events = saved(&restored, "lobby");
    assert!(events.iter().any(|event| event["text"] == "kept"), "{events:?}");
    drop(start(&restored));
}
