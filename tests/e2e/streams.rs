//! Rooms streamed over HTTP: a stream is a member that only reads.

use std::{
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use madang_protocol::{
    notice::{Goodbye, HttpNotice, Notice},
    room::Destination,
    text::Lang,
};
use madang_server::{
    config::{Config, Listen},
    journal::JournalConfig,
    transport::http::origin::Origin,
};
use madang_tests::{TestClient, TestFolder, TestServer, documented_commands, told};
use serde_json::Value;

use crate::web::answer;

pub(crate) const SSE: &str = "Accept: text/event-stream\r\n";

/// Asks for a room with these headers, each with its line end.
#[track_caller]
pub(crate) fn ask(server: &TestServer, target: &str, headers: &str) -> TestClient {
    let mut client = TestClient::connect(server.web_address());
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    client
}

/// A stream whose response has begun.
#[track_caller]
pub(crate) fn stream(server: &TestServer, target: &str, headers: &str) -> TestClient {
    let mut client = ask(server, target, headers);
    let head = client.expect("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    client
}

/// The next message of a stream of events, with its id if it has one.
#[track_caller]
fn expect_event(client: &mut TestClient) -> (Option<u64>, Value) {
    let text = client.expect("\n\n");
    let (mut id, mut data) = (None, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        match line.split_once(": ") {
            Some(("id", digits)) => id = Some(digits.parse().expect("an id is a number")),
            Some(("data", json)) => data = Some(serde_json::from_str(json).expect("JSON")),
            _ => panic!("no field of an event: {text}"),
        }
    }
    (id, data.unwrap_or(Value::Null))
}

/// The same, of this type.
#[track_caller]
fn expect_of_type(client: &mut TestClient, kind: &str) -> (Option<u64>, Value) {
    let (id, event) = expect_event(client);
    assert_eq!(event["type"], kind, "{event}");
    (id, event)
}

/// What is said in a stream of events, up to and including `last`: each with its id.
#[track_caller]
pub(crate) fn said_up_to(client: &mut TestClient, last: &str) -> Vec<(u64, String)> {
    let mut said = Vec::new();
    loop {
        let (id, event) = expect_event(client);
        assert_ne!(event["type"], "gap", "{event}");
        if event["type"] == "said" {
            let text = event["text"].as_str().expect("a text").to_owned();
            said.push((id.expect("it has an id"), text.clone()));
            if text == last {
                return said;
            }
        }
    }
}

#[track_caller]
pub(crate) fn check_refused(answer: &str, status: &str, notice: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has a body");
    let sentence = notice.lines().collect::<Vec<_>>().join(" ");
    assert!(body.ends_with(&format!(": {sentence}\n")), "{answer}");
    assert_eq!(body.lines().count(), 1, "{answer}");
    assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{answer}");
}

#[test]
fn a_stream_of_lines_is_a_member_who_only_reads() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("before\n").expect_next("[alice] before\n");
    let mut curl = ask(&server, "/rooms/lobby", "Name: logger\r\n");
    let head = curl.expect("\r\n\r\n");
    for header in [
        "HTTP/1.1 200 OK\r\n",
        "\r\nContent-Type: text/plain; charset=utf-8\r\n",
        "\r\nX-Accel-Buffering: no\r\n",
        "\r\nCache-Control: no-store\r\n",
        "\r\nConnection: close\r\n",
    ] {
        assert!(head.contains(header), "{head}");
    }
    curl.expect_next(told(Notice::Earlier { lines: 1 }))
        .expect_next("[alice] before\n[logger]님이 입장했습니다.\n");
    alice.expect_joined("logger");
    alice.send("hi\n").expect_next("[alice] hi\n");
    curl.expect_next("[alice] hi\n");
    let who =
        Notice::Who { count: 2, names: &["alice", "logger"], quiet: &[], streams: &["logger"] };
    alice.send("/who\n").expect_next(told(who));
    alice.send("/whois logger\n").expect("보기만\n");
    alice.send("/msg logger psst\n").expect("psst\n");
    curl.expect("psst\n");
    // What a stream sends is neither a line nor another request.
    curl.send("GET /rooms/lobby HTTP/1.1\r\nHost: localhost\r\n\r\n/quit\nhello\n");
    curl.wait_until_read();
    alice.send("still\n").expect_next("[alice] still\n");
    curl.expect_next("[alice] still\n");
    drop(curl);
    alice.expect_next("[logger]님이 퇴장했습니다.\n");
    server.console_expect("[logger] 퇴장 (127.0.0.1: 상대가 닫음)\n");
}

#[test]
fn names_and_rooms_may_be_percent_encoded_below_any_prefix() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("/join 수학\n").expect("[alice]님이 입장했습니다.\n");
    for (target, name) in [
        ("/rooms/%EC%88%98%ED%95%99", ["%EC%B2%A0%EC%88%98", "철수"]),
        ("/any/prefix/rooms/수학?history=0", ["영희", "영희"]),
        ("http://127.0.0.1:1/rooms/%ec%88%98%ed%95%99", ["%ec%98%81수", "영수"]),
    ] {
        let [sent, name] = name;
        let mut reader = stream(&server, target, &format!("Name: {sent}\r\n"));
        alice.expect_joined(name);
        reader.expect(format!("[{name}]님이 입장했습니다.\n"));
        drop(reader);
        alice.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
    // Without a name, a guest's; in the language that was asked for.
    let mut guest = stream(&server, "/rooms/수학", "Accept-Language: en-US,en;q=0.9\r\n");
    guest.expect("[guest-1] joined.\n");
    alice.expect_joined("guest-1");
}

#[test]
fn a_room_comes_before_every_other_rule() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    for name in ["ws", "echo", "healthz", "rooms"] {
        let rooms = format!("/rooms/{name}");
        let missing = answer(
            server.web_address(),
            &format!("GET {rooms} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        );
        check_refused(&missing, "404", &HttpNotice::NoPublicRoom.text(Lang::Ko));
        alice.send(format!("/join {name}\n")).expect("[alice]님이 입장했습니다.\n");
        stream(&server, &rooms, "").expect("님이 입장했습니다.\n");
    }
}

#[test]
fn a_stream_of_events_has_ids_and_catches_up_exactly() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut first = ask(&server, "/rooms/lobby?history=0", SSE);
    let head = first.expect("\r\n\r\n");
    assert!(head.contains("\r\nContent-Type: text/event-stream; charset=utf-8\r\n"), "{head}");
    let (id, welcome) = expect_of_type(&mut first, "welcome");
    assert_eq!((id, &welcome["session"]), (None, &Value::Null), "{welcome}");
    let (joined, _) = expect_of_type(&mut first, "joined");
    assert_eq!(joined, welcome["id"].as_u64());
    // Everyone is told at once that it only reads.
    assert_eq!(alice.expect_message("joined")["stream"], true);
    let say = |alice: &mut TestClient, text: &str| {
        alice.send_json(serde_json::json!({ "type": "say", "text": text }));
        alice.expect_said("alice", text)
    };
    let one = say(&mut alice, "one\nand a line");
    let (id, said) = expect_of_type(&mut first, "said");
    assert_eq!((id, &said["text"]), (Some(one), &"one\nand a line".into()));
    drop(first);
    alice.expect_message("left");
    let (two, three) = (say(&mut alice, "two"), say(&mut alice, "three"));
    let last = format!("{SSE}Last-Event-ID: {one}\r\n");
    let mut again = stream(&server, "/rooms/lobby?history=0", &last);
    expect_of_type(&mut again, "welcome");
    // Everything in between has its place, the own leaving and coming too, and comes once.
    let mut ids = Vec::new();
    let mut texts = Vec::new();
    loop {
        let (id, event) = expect_event(&mut again);
        ids.push(id.expect("it has an id"));
        match event["type"].as_str() {
            Some("said") => texts.push(event["text"].as_str().expect("a text").to_owned()),
            Some("joined") => break,
            _ => assert_eq!(event["type"], "left", "{event}"),
        }
    }
    assert_eq!(texts, ["two", "three"]);
    assert!(ids.contains(&two) && ids.contains(&three));
    assert_eq!(ids, (one + 1..=one + 4).collect::<Vec<_>>());
}

#[test]
fn a_stream_is_told_of_forgotten_events_as_a_gap() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut first = stream(&server, "/rooms/lobby", SSE);
    expect_of_type(&mut first, "welcome");
    let joined = expect_of_type(&mut first, "joined").0.expect("it has an id");
    let lines: String = (0..300).map(|at| format!("line {at}\n")).collect();
    alice.send(lines);
    alice.expect("[alice] line 299\n");
    let last = format!("{SSE}Last-Event-ID: {joined}\r\n");
    let mut again = stream(&server, "/rooms/lobby", &last);
    expect_of_type(&mut again, "welcome");
    let (id, gap) = expect_of_type(&mut again, "gap");
    assert_eq!((id, gap["from"].as_u64()), (None, Some(joined + 1)), "{gap}");
    let (next, _) = expect_of_type(&mut again, "said");
    assert_eq!(next, gap["to"].as_u64().map(|to| to + 1));
    said_up_to(&mut again, "line 299");
    // An id that is yet to come, or one of a room before this one, skips nothing.
    for id in [u64::MAX, 1] {
        let last = format!("{SSE}Last-Event-ID: {id}\r\n");
        let mut other = stream(&server, "/rooms/lobby", &last);
        expect_of_type(&mut other, "welcome");
        let (_, event) = expect_event(&mut other);
        match id {
            1 => {
                let from = event["from"].as_u64().expect("a gap");
                assert!(from > 1 && from <= joined, "{event}");
            }
            _ => assert_eq!(event["type"], "joined", "{event}"),
        }
    }
}

#[test]
fn a_stream_catches_up_with_saved_events() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let with_data = |config: &mut Config| config.journal = Some(JournalConfig::of(&data));
    let mut server = TestServer::start(with_data);
    let mut alice = server.login("alice");
    let mut first = stream(&server, "/rooms/lobby", SSE);
    expect_of_type(&mut first, "welcome");
    let joined = expect_of_type(&mut first, "joined").0.expect("it has an id");
    let last = format!("{SSE}Last-Event-ID: {joined}\r\n");
    let lines: String = (0..700).map(|at| format!("line {at}\n")).collect();
    alice.send(lines);
    alice.expect("[alice] line 699\n");
    let check = |server: &TestServer, expected: usize| {
        let mut again = stream(server, "/rooms/lobby", &last);
        let mut next = joined + 1;
        let mut said = Vec::new();
        while said.len() < expected {
            let (Some(id), event) = expect_event(&mut again) else { continue };
            // A restart leaves out ids that nobody was given.
            let is_restart = event["type"] == "restarted";
            assert!(id == next || (id > next && is_restart), "{id}, not {next}: {event}");
            next = id + 1;
            if event["type"] == "said" {
                said.push(event["text"].as_str().expect("a text").to_owned());
            }
        }
        assert!((0..700).map(|at| format!("line {at}")).eq(said.into_iter().take(700)));
    };
    check(&server, 700);
    // And after a restart.
    server.stop();
    let server = TestServer::start(with_data);
    server.login("bob").send("after\n").expect_next("[bob] after\n");
    check(&server, 701);
}

#[test]
fn a_stream_that_breaks_off_in_a_flood_misses_nothing_when_it_is_back() {
    const LINES: usize = 2_000;
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut reader = stream(&server, "/rooms/lobby?history=0", SSE);
    expect_of_type(&mut reader, "welcome");
    // The speaker is never further ahead than memory reaches back.
    let (ahead, heard) = mpsc::sync_channel(100);
    let speaker = thread::spawn(move || {
        for at in 0..LINES {
            ahead.send(()).expect("the reader lives");
            alice.send(format!("line {at}\n")).expect(format!("[alice] line {at}\n"));
        }
        alice
    });
    let (mut said, mut last_id, mut breaks) = (Vec::new(), 0, 0);
    while said.last().is_none_or(|last| *last != format!("line {}", LINES - 1)) {
        let (Some(id), event) = expect_event(&mut reader) else { continue };
        assert!(id > last_id, "{id} after {last_id}");
        last_id = id;
        if event["type"] == "said" {
            said.push(event["text"].as_str().expect("a text").to_owned());
            heard.recv().expect("the speaker lives");
            if said.len().is_multiple_of(250) {
                breaks += 1;
                reader.reset();
                let last = format!("{SSE}Last-Event-ID: {last_id}\r\n");
                reader = stream(&server, "/rooms/lobby?history=0", &last);
            }
        }
    }
    assert_eq!(breaks, LINES / 250);
    assert!((0..LINES).map(|at| format!("line {at}")).eq(said));
    speaker.join().expect("no panic");
}

#[test]
fn a_stream_hears_everything_while_a_hundred_chat() {
    const MEMBERS: usize = 100;
    const EACH: usize = 20;
    let server = TestServer::start(|_| {});
    let mut clients = server.gather(MEMBERS);
    let mut lines = stream(&server, "/rooms/lobby?history=0", "");
    let mut events = stream(&server, "/rooms/lobby?history=0", SSE);
    lines.expect("님이 입장했습니다.\n");
    expect_of_type(&mut events, "welcome");
    for (at, client) in clients.iter_mut().enumerate() {
        let said: String = (0..EACH).map(|line| format!("{at} says {line}\n")).collect();
        client.send(said);
    }
    // Both are read at once, so that neither is skipped.
    let lines = thread::spawn(move || {
        let mut heard = Vec::new();
        while heard.len() < MEMBERS * EACH {
            let line = lines.expect_line();
            let said = line.split_once("] ").filter(|_| line.contains(" says "));
            heard.extend(said.map(|(_, text)| text.to_owned()));
        }
        heard
    });
    let events = thread::spawn(move || {
        let mut heard = Vec::new();
        while heard.len() < MEMBERS * EACH {
            let (_, event) = expect_event(&mut events);
            heard.extend(event["text"].as_str().map(str::to_owned));
        }
        heard
    });
    let heard = [lines, events].map(|reader| reader.join().expect("no panic"));
    assert_eq!(heard[0], heard[1], "one order");
    for at in 0..MEMBERS {
        let begin = format!("{at} says ");
        let own = heard[0].iter().filter_map(|text| text.strip_prefix(&begin));
        assert!(own.eq((0..EACH).map(|line| line.to_string()).collect::<Vec<_>>().iter()), "{at}");
    }
}

#[test]
fn a_silent_stream_of_events_gets_comments() {
    let server = TestServer::start(|config| {
        config.heartbeat_interval = Duration::from_millis(20);
    });
    let mut events = stream(&server, "/rooms/lobby", SSE);
    expect_of_type(&mut events, "welcome");
    expect_of_type(&mut events, "joined");
    events.expect_next(":\n\n").expect_next(":\n\n");
    let mut lines = stream(&server, "/rooms/lobby", "");
    lines.expect("님이 입장했습니다.\n");
    lines.expect_nothing();
}

#[test]
fn a_private_room_is_streamed_for_its_key() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let header = format!("X-Room-Key: {key}\r\nName: logger\r\n");
    let mut reader = stream(&server, "/rooms/private", &header);
    reader.expect("[logger]님이 입장했습니다.\n");
    alice.expect_joined("logger");
    alice.send("secret\n").expect_next("[alice] secret\n");
    reader.expect_next("[alice] secret\n");
    // One answer for each key that opens nothing, and for none.
    let answers = ["", "X-Room-Key: \r\n", "X-Room-Key: x\r\n"].map(str::to_owned).into_iter();
    let wrong = Destination::parse(&format!("#{}", "0".repeat(26)));
    assert!(wrong.is_ok());
    let others = [
        format!("X-Room-Key: {}\r\n", "0".repeat(26)),
        format!("X-Room-Key: {key}\r\nX-Room-Key: {key}\r\n"),
    ];
    let date = |answer: &str| {
        let date = answer.lines().find(|line| line.starts_with("Date: ")).map(str::to_owned);
        answer.replace(&(date.expect("it has a date") + "\r\n"), "")
    };
    let answers: Vec<String> = answers
        .chain(others)
        .map(|it| date(&ask(&server, "/rooms/private", &it).expect_rest()))
        .collect();
    check_refused(&answers[0], "404", &Notice::NoSuchRoom.text(Lang::Ko));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // A key at a public room is not ignored.
    let elsewhere = ask(&server, "/rooms/lobby", &header.replace("logger", "other")).expect_rest();
    check_refused(&elsewhere, "400", &HttpNotice::KeyAtPublicRoom.text(Lang::Ko));
    assert!(!server.console().contains(&key), "{}", server.console());
}

#[test]
fn a_refused_stream_has_its_status_and_one_line() {
    let server = TestServer::start(|config| config.max_rooms = 9);
    let mut alice = server.login("alice");
    alice.send("/join math\n").expect("[alice]님이 입장했습니다.\n");
    #[track_caller]
    fn check(server: &TestServer, target: &str, headers: &str, status: &str, notice: Notice<'_>) {
        let answer = ask(server, target, headers).expect_rest();
        check_refused(&answer, status, &notice.text(Lang::Ko));
        let english = format!("Accept-Language: en\r\n{headers}");
        check_refused(&ask(server, target, &english).expect_rest(), status, &notice.text(Lang::En));
    }
    #[track_caller]
    fn check_http(server: &TestServer, request: &str, status: &str, notice: HttpNotice<'_>) {
        let answer = answer(server.web_address(), request);
        check_refused(&answer, status, &notice.text(Lang::Ko));
    }
    let in_use = Notice::NameInUse { proposal: Some("alice-2") };
    check(&server, "/rooms/math", "Name: alice\r\n", "409", in_use);
    let bad = |name: &str| madang_protocol::name::UserName::parse(name).expect_err("no name");
    for (header, name) in [
        ("%0D%0ASet-Cookie: x", "\r\nSet-Cookie: x"),
        ("a\u{202e}b", "a\u{202e}b"),
        ("%1b[31mred", "\u{1b}[31mred"),
        ("two words", "two words"),
        ("관리자", "관리자"),
    ] {
        let headers = format!("Name: {header}\r\n");
        check(&server, "/rooms/math", &headers, "400", Notice::NameRefused(&bad(name)));
    }
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    };
    let missing = HttpNotice::NoPublicRoom;
    for target in
        ["/rooms/none", "/rooms/", "/rooms/a%2Fb", "/rooms/%ff", "/rooms/..", "/rooms/%20"]
    {
        check_http(&server, &get(target, ""), "404", missing);
    }
    check_http(&server, &get("/rooms/lobby", "Name: a\r\nName: b\r\n"), "400", HttpNotice::NoName);
    check_http(&server, &get("/rooms/lobby", "Name: %e\r\n"), "400", HttpNotice::UnreadableName);
    for history in ["x", "-1", "%31", "99999999999999999999999"] {
        let target = format!("/rooms/lobby?history={history}");
        check_http(&server, &get(&target, ""), "400", HttpNotice::NotACount);
    }
    let wrong_id = get("/rooms/lobby", "Last-Event-ID: lobby-7\r\n");
    check_http(&server, &wrong_id, "400", HttpNotice::NotAnId);
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
        let request = get("/rooms/lobby", "").replacen("GET", method, 1);
        check_http(&server, &request, "405", HttpNotice::WrongMethod);
        let answer = answer(server.web_address(), &request);
        assert!(answer.contains("\r\nAllow: GET, POST\r\n"), "{answer}");
        assert!(!answer.contains("Access-Control"), "{answer}");
    }
    // Nobody has come in, and no room was made.
    alice.send("/rooms\n/ping done\n");
    let shown = alice.expect("퐁 done\n");
    assert!(!shown.contains("none") && !shown.contains("입장"), "{shown}");

    alice.send("/leave\n").expect("[alice]님이 입장했습니다.\n");
    let mut bob = server.login("bob");
    alice.expect_joined("bob");
    server.operate("/kick bob");
    bob.expect_rest();
    let seconds = 600;
    let refused = ask(&server, "/rooms/lobby", "Name: bob\r\n").expect_rest();
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    assert!(Notice::NameKicked { seconds }.code() == Some("kicked"));
    server.operate("/ban mallory");
    check(&server, "/rooms/lobby", "Name: mallory\r\n", "403", Notice::NameBanned);
    server.operate("/lock");
    check(&server, "/rooms/lobby", "", "403", Notice::RoomLocked);
    server.operate("/unlock");
    server.operate("/limit 1");
    check(&server, "/rooms/lobby", "", "503", Notice::RoomFull { limit: 1 });
    server.operate("/limit 3");
    stream(&server, "/rooms/lobby", "").expect("님이 입장했습니다.\n");
}

#[test]
fn a_stream_ends_with_a_kick_a_ban_its_room_and_the_server() {
    let mut server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let header = |name: &str| format!("X-Room-Key: {key}\r\nName: {name}\r\n");
    let mut lines = stream(&server, "/rooms/private", &header("lines"));
    alice.expect_joined("lines");
    let mut events = stream(&server, "/rooms/private", &(header("events") + SSE));
    alice.expect_joined("events");
    lines.expect("[events]님이 입장했습니다.\n");

    alice.send("/kick lines\n");
    let rest = lines.expect_rest();
    assert!(rest.ends_with(&told(Notice::Kicked { seconds: 600 })), "{rest}");
    let again = ask(&server, "/rooms/private", &header("lines")).expect_rest();
    assert!(again.starts_with("HTTP/1.1 403 "), "{again}");
    alice.send("/end\n");
    let rest = events.expect_rest();
    let bye = format!("{{\"type\":\"bye\",\"reason\":\"{}\"}}", Goodbye::RoomEnded.code());
    assert!(rest.ends_with(&format!("data: {bye}\n\n")), "{rest}");

    alice.expect("[alice]님이 입장했습니다.\n");
    let mut banned = stream(&server, "/rooms/lobby", "Name: mallory\r\n");
    alice.expect_joined("mallory");
    server.operate("/ban mallory");
    let rest = banned.expect_rest();
    assert!(rest.ends_with(&told(Notice::Goodbye(Goodbye::Banned))), "{rest}");
    let mut last = stream(&server, "/rooms/lobby", SSE);
    expect_of_type(&mut last, "welcome");
    server.stop();
    let rest = last.expect_rest();
    assert!(rest.ends_with("data: {\"type\":\"bye\",\"reason\":\"shutdown\"}\n\n"), "{rest}");
}

#[test]
fn a_half_closed_stream_leaves() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut reader = stream(&server, "/rooms/lobby", "Name: logger\r\n");
    alice.expect_joined("logger");
    reader.finish_sending();
    alice.expect_next("[logger]님이 퇴장했습니다.\n");
    reader.expect_rest();
}

#[test]
fn a_stream_that_does_not_read_is_told_what_it_skipped() {
    let server = TestServer::start(|config| {
        (config.outbox_bytes, config.unsent_bytes) = (16 * 1_024, 4 * 1_024);
    });
    let mut alice = server.login("alice");
    let mut reader = TestClient::connect_with_buffer(server.web_address(), 4 * 1_024);
    reader.send(format!("GET /rooms/lobby HTTP/1.1\r\nHost: localhost\r\n{SSE}\r\n"));
    alice.expect("입장했습니다.\n");
    let line = format!("{}\n", "x".repeat(1_000));
    for _ in 0..100 {
        alice.send(line.repeat(50));
    }
    alice.send("the end\n").expect("[alice] the end\n");
    reader.widen_buffer();
    let text = reader.expect("the end");
    let gaps = text.matches("\"type\":\"gap\"").count();
    assert!(gaps > 0, "{} bytes without a gap", text.len());
    let said = text.matches("\"type\":\"said\"").count();
    let skipped: u64 = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter(|event| event["type"] == "gap")
        .map(|gap| gap["to"].as_u64().expect("an id") - gap["from"].as_u64().expect("an id") + 1)
        .sum();
    assert_eq!(said as u64 + skipped, 5_001, "each is heard, or told to be skipped");
}

/// The answers to requests for the lobby by this name.
#[track_caller]
fn by_host(address: SocketAddr, host: &str) -> String {
    let mut client = TestClient::connect(address);
    client.send(format!("GET /rooms/lobby?history=0 HTTP/1.0\r\n{host}\r\n"));
    client.expect_line()
}

#[test]
fn a_room_is_reached_by_names_that_nobody_else_controls() {
    let server = TestServer::start(|config| {
        config.public_url = Some("https://chat.example.org/madang/".parse().expect("a URL"));
        config.allow_host = vec!["Other.example.org".parse().expect("a host")];
    });
    let address = server.web_address();
    for known in [
        "127.0.0.1:9998",
        "[::1]",
        "LOCALHOST",
        "localhost.",
        "printer.local:80",
        "chat.example.org",
        "Chat.Example.org:443",
        "other.example.org",
    ] {
        let status = by_host(address, &format!("Host: {known}\r\n"));
        assert_eq!(status.trim_end(), "HTTP/1.1 200 OK", "{known}");
    }
    for unknown in
        ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "2130706433"]
    {
        let request = format!("GET /rooms/none HTTP/1.1\r\nHost: {unknown}\r\n\r\n");
        let notice = HttpNotice::UnknownHost(Some(unknown)).text(Lang::Ko);
        check_refused(&answer(address, &request), "403", &notice);
        // Neither another method nor a target with a host of its own gets past it.
        let post = request.replacen("GET", "POST", 1);
        assert!(answer(address, &post).starts_with("HTTP/1.1 403 "));
        let absolute =
            format!("GET http://{unknown}/rooms/lobby HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(answer(address, &absolute).starts_with("HTTP/1.1 403 "));
    }
    // What is too long to be a name of a host is not repeated.
    let long = format!("Host: {}\r\n", "x".repeat(4_000));
    for none in ["", "Host: \r\n", "Host: .\r\n", "Host: a b\r\n", "Host: x/y\r\n", &long] {
        let request = format!("GET /rooms/lobby HTTP/1.0\r\n{none}\r\n");
        let notice = HttpNotice::UnknownHost(None).text(Lang::Ko);
        check_refused(&answer(address, &request), "403", &notice);
    }
}

#[test]
fn a_page_of_another_site_reads_only_if_it_is_allowed() {
    let server = TestServer::start(|config| {
        config.allow_origin = vec!["https://example.org".parse::<Origin>().expect("an origin")];
    });
    let refused = |headers: &str| {
        let answer = ask(&server, "/rooms/lobby", headers).expect_rest();
        check_refused(&answer, "403", &HttpNotice::OtherSite.text(Lang::Ko));
        assert!(!answer.contains("Access-Control"), "{answer}");
    };
    refused("Origin: https://evil.example\r\n");
    refused("Origin: null\r\n");
    refused("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n");
    refused("Sec-Fetch-Site: same-site\r\n");
    let mut allowed = ask(&server, "/rooms/lobby", "Origin: https://example.org\r\n");
    let head = allowed.expect("\r\n\r\n");
    assert!(head.contains("\r\nAccess-Control-Allow-Origin: https://example.org\r\n"), "{head}");
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", server.web_address());
    let request =
        format!("GET /rooms/lobby HTTP/1.1\r\nHost: {}\r\n{own}\r\n", server.web_address());
    let mut own = TestClient::connect(server.web_address());
    own.send(request).expect("HTTP/1.1 200 OK\r\n");
}

#[test]
fn a_stream_counts_in_the_metrics() {
    let server = TestServer::start(|config| {
        config.metrics = Some(Listen::At(([127, 0, 0, 1], 0).into()));
    });
    let mut alice = server.login("alice");
    let mut reader = stream(&server, "/rooms/lobby", "Name: logger\r\n");
    alice.expect_joined("logger");
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let metrics = answer(server.metrics_address(), request);
    for line in
        ["madang_connections{door=\"web\"} 1\n", "madang_sessions 2\n", "madang_members 2\n"]
    {
        assert!(metrics.contains(line), "{metrics}");
    }
    ask(&server, "/rooms/lobby", "Name: alice\r\n").expect_rest();
    reader.finish_sending();
    alice.expect_next("[logger]님이 퇴장했습니다.\n");
    let metrics = answer(server.metrics_address(), request);
    for line in [
        "madang_connections_ended_total{reason=\"refused\"} 1\n",
        "madang_connections_ended_total{reason=\"closed\"} 1\n",
        "madang_refused_total{reason=\"name_taken\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

/// Starts a command of the pages that streams a room, with curl.
fn curl(server: &TestServer, command: &str) -> Child {
    let address = server.web_address().to_string();
    let command = format!("exec {}", command.replace("localhost:9998", &address));
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::piped());
    shell.stderr(Stdio::null()).spawn().expect("there is a shell")
}

#[test]
#[ignore = "needs curl"]
fn the_commands_for_curl_stream_a_room() {
    const KEY: &str = "78e4c-v9s0a-c0m7h-8129r-zech6s";
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let mut bob = server.login("bob");
    let commands: Vec<String> = documented_commands()
        .into_iter()
        .filter(|command| command.starts_with("curl -N ") && command.contains("/rooms/"))
        .collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        let speaker = if command.contains(KEY) { &mut alice } else { &mut bob };
        let mut curl = curl(&server, &command.replace(KEY, &key));
        speaker.expect("입장했습니다.\n");
        speaker.send("hello\n").expect("hello\n");
        let mut lines = BufReader::new(curl.stdout.take().expect("it is piped")).lines();
        let heard = |line: io::Result<String>| line.expect("curl writes").contains("hello");
        assert!(lines.any(heard), "{command}");
        curl.kill().expect("it runs");
        curl.wait().expect("it has ended");
        speaker.expect("퇴장했습니다.\n");
    }
}
