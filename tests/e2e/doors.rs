//! The same conversation through every door: over TCP and WebSocket, with TLS and without, in
//! lines and in JSON.

use std::collections::HashMap;

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_tests::{NEVER, TestClient, TestServer, WebSocketClient, skipped_lines};
use serde_json::{Value, json};

/// The doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Lines,
    Json,
    WebSocket,
    WebSocketJson,
    TlsLines,
    TlsJson,
    Wss,
    WssJson,
}

const PLAIN_DOORS: [Door; 4] = [Door::Lines, Door::Json, Door::WebSocket, Door::WebSocketJson];
const TLS_DOORS: [Door; 4] = [Door::TlsLines, Door::TlsJson, Door::Wss, Door::WssJson];

/// A client at one of the doors.
enum Visitor {
    Tcp { client: TestClient, is_json: bool },
    WebSocket { client: WebSocketClient, is_json: bool },
}

/// What a client learns about the others.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Said(String, String),
    Joined(String),
    Left(String),
    NameInUse,
    Other(String),
}

impl Visitor {
    #[track_caller]
    fn come(server: &TestServer, door: Door) -> Visitor {
        const PATH: &str = "/any/prefix/ws";
        const JSON: [(&str, &str); 1] = [("Sec-WebSocket-Protocol", "madang.json.v1")];
        let web = server.web_address();
        match door {
            Door::Lines => Visitor::in_lines(server.connect()),
            Door::TlsLines => Visitor::in_lines(server.connect_tls()),
            Door::Json => Visitor::in_json(server.connect()),
            Door::TlsJson => Visitor::in_json(server.connect_tls()),
            Door::WebSocket => Visitor::in_messages(WebSocketClient::open(web, PATH, &[])),
            Door::Wss => Visitor::in_messages(server.connect_wss(PATH, &[])),
            Door::WebSocketJson => Visitor::in_objects(WebSocketClient::open_json(web)),
            Door::WssJson => Visitor::in_objects(server.connect_wss("/", &JSON)),
        }
    }

    #[track_caller]
    fn in_lines(mut client: TestClient) -> Visitor {
        client.expect("ID:");
        Visitor::Tcp { client, is_json: false }
    }

    #[track_caller]
    fn in_json(mut client: TestClient) -> Visitor {
        client.become_json();
        Visitor::Tcp { client, is_json: true }
    }

    #[track_caller]
    fn in_messages(mut client: WebSocketClient) -> Visitor {
        while !client.expect_message().ends_with("ID:") {}
        Visitor::WebSocket { client, is_json: false }
    }

    #[track_caller]
    fn in_objects(mut client: WebSocketClient) -> Visitor {
        client.expect_json("hello");
        Visitor::WebSocket { client, is_json: true }
    }

    #[track_caller]
    fn send(&mut self, line: &str, request: &Value) {
        match self {
            Visitor::Tcp { client, is_json: false } => _ = client.send(format!("{line}\n")),
            Visitor::Tcp { client, is_json: true } => client.send_json(request.clone()),
            Visitor::WebSocket { client, is_json: false } => _ = client.send(line),
            Visitor::WebSocket { client, is_json: true } => _ = client.send_json(request),
        }
    }

    #[track_caller]
    fn give_name(&mut self, name: &str) {
        self.send(name, &json!({"type": "login", "name": name}));
    }

    #[track_caller]
    fn say(&mut self, text: &str) {
        self.send(text, &json!({"type": "say", "text": text}));
    }

    #[track_caller]
    fn command(&mut self, line: &str) {
        self.send(line, &json!({"type": "command", "line": line}));
    }

    /// The next event about others; answers to this client are skipped.
    #[track_caller]
    fn hear(&mut self) -> Told {
        loop {
            let (message, is_json) = match self {
                Visitor::Tcp { client, is_json } => (client.expect_line(), *is_json),
                Visitor::WebSocket { client, is_json } => (client.expect_message(), *is_json),
            };
            let told = if is_json { read_json(&message) } else { Some(read_line(&message)) };
            if let Some(told) = told {
                return told;
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: Told) {
        loop {
            match self.hear() {
                told if told == expected => return,
                Told::Other(_) => {}
                told => panic!("expected {expected:?}, not {told:?}"),
            }
        }
    }

    /// Leaves, and waits for the server's goodbye.
    #[track_caller]
    fn quit(mut self) {
        self.command("/quit");
        match self {
            Visitor::Tcp { mut client, .. } => _ = client.expect_rest(),
            Visitor::WebSocket { mut client, is_json } => {
                if is_json {
                    assert_eq!(client.expect_json("bye")["reason"], "quit");
                }
                assert_eq!(client.expect_close(), Some(1000));
            }
        }
    }
}

fn read_line(line: &str) -> Told {
    // After the prompt, which has no line end on TCP.
    let line = line.strip_prefix("로그인ID:").unwrap_or(line);
    let name = |rest: &str| rest.trim_start_matches('[').to_owned();
    match line.split_once(']') {
        Some((user, "님이 입장했습니다.")) => Told::Joined(name(user)),
        Some((user, "님이 퇴장했습니다.")) => Told::Left(name(user)),
        Some((user, text)) if user.starts_with('[') => {
            Told::Said(name(user), text.trim_start().to_owned())
        }
        _ if line == "이미 등록된 사용자입니다." => Told::NameInUse,
        _ => Told::Other(line.to_owned()),
    }
}

fn read_json(message: &str) -> Option<Told> {
    let message: Value = serde_json::from_str(message).expect("it is JSON");
    let text = |field: &str| message[field].as_str().expect("it is a text").to_owned();
    match text("type").as_str() {
        "said" => Some(Told::Said(text("user"), text("text"))),
        "joined" => Some(Told::Joined(text("user"))),
        "left" => Some(Told::Left(text("user"))),
        "error" if text("code") == "name_taken" => Some(Told::NameInUse),
        _ => None,
    }
}

#[test]
fn the_same_conversation_goes_over_every_door() {
    let pairs = |hosts: [Door; 4], guests: [Door; 4]| {
        hosts.into_iter().flat_map(move |host| guests.map(|guest| (host, guest)))
    };
    // A server with a certificate takes WebSocket only over TLS.
    let with_lines =
        TLS_DOORS.into_iter().flat_map(|host| [(host, Door::Lines), (Door::Json, host)]);
    let pairs =
        pairs(PLAIN_DOORS, PLAIN_DOORS).chain(pairs(TLS_DOORS, TLS_DOORS)).chain(with_lines);
    for (host, guest) in pairs {
        eprintln!("{host:?} talks with {guest:?}");
        let server = match [host, guest].iter().any(|door| TLS_DOORS.contains(door)) {
            true => TestServer::start_with_tls(|_| {}),
            false => TestServer::start(|_| {}),
        };
        let said = |user: &str, text: &str| Told::Said(user.into(), text.into());
        let mut alice = Visitor::come(&server, host);
        alice.give_name("alice");
        alice.expect(Told::Joined("alice".into()));

        let mut bob = Visitor::come(&server, guest);
        bob.give_name("ALICE");
        bob.expect(Told::NameInUse);
        bob.give_name("홍길동");
        bob.expect(Told::Joined("홍길동".into()));
        alice.expect(Told::Joined("홍길동".into()));

        for (speaker, text) in [("alice", "안녕하세요 👋"), ("홍길동", "네, 안녕하세요")]
        {
            if speaker == "alice" {
                alice.say(text)
            } else {
                bob.say(text)
            }
            alice.expect(said(speaker, text));
            bob.expect(said(speaker, text));
        }
        // Nobody else sees a command.
        bob.command("/who");
        bob.say("and now");
        alice.expect(said("홍길동", "and now"));
        bob.expect(said("홍길동", "and now"));
        bob.quit();
        alice.expect(Told::Left("홍길동".into()));
        alice.quit();
    }
}

#[test]
fn twenty_members_of_two_doors_see_one_order() {
    const EACH: usize = 10;
    const LINES: usize = 30;
    let server = TestServer::start(|_| {});
    let mut members: Vec<Visitor> = (0..2 * EACH)
        .map(|at| {
            let door = if at % 2 == 0 { Door::Lines } else { Door::WebSocket };
            let mut member = Visitor::come(&server, door);
            member.give_name(&format!("m{at:02}"));
            member.expect(Told::Joined(format!("m{at:02}")));
            member
        })
        .collect();
    // Each has seen everyone who joined after it.
    for (at, member) in members.iter_mut().enumerate() {
        for later in at + 1..2 * EACH {
            member.expect(Told::Joined(format!("m{later:02}")));
        }
    }
    let orders: Vec<Vec<(String, String)>> = std::thread::scope(|scope| {
        let members: Vec<_> = members
            .iter_mut()
            .map(|member| {
                scope.spawn(move || {
                    (0..LINES).for_each(|line| member.say(&format!("line {line}")));
                    (0..2 * EACH * LINES)
                        .map(|_| match member.hear() {
                            Told::Said(user, text) => (user, text),
                            other => panic!("{other:?}"),
                        })
                        .collect()
                })
            })
            .collect();
        members.into_iter().map(|member| member.join().expect("it heard everything")).collect()
    });
    for order in &orders {
        assert_eq!(order, &orders[0]);
    }
    let mut next: HashMap<&str, usize> = HashMap::new();
    for (user, text) in &orders[0] {
        let next = next.entry(user).or_default();
        assert_eq!(text, &format!("line {next}"), "of {user}");
        *next += 1;
    }
}

#[test]
fn a_text_message_is_one_message() {
    let server = TestServer::start(|_| {});
    let mut json = server.login_json("json");
    let mut lines = server.login("lines");
    let mut alice = server.login_websocket("alice");
    json.expect_message("joined");
    json.expect_message("joined");
    lines.expect("[alice]님이 입장했습니다.\n");

    alice.send("first\n/quit\r\nthird\n");
    json.expect_said("alice", "first\n/quit\nthird");
    lines.expect_next("[alice] first\n[alice] /quit\n[alice] third\n");
    alice.expect_next("[alice] first").expect_next("[alice] /quit").expect_next("[alice] third");
    // An empty message says nothing.
    alice.send("").send("\n").send("  \n \n").send("end");
    json.expect_said("alice", "end");
    alice.expect_next("[alice] end");
    // A message that is too long is refused, only to its sender.
    alice.send(&"x".repeat(4_097));
    assert!(alice.expect_message().contains("4,097"));
    alice.send(&vec!["x".repeat(4_096); 5].join("\n"));
    assert!(alice.expect_message().contains("20,484"));
    alice.send("//end").expect_next("[alice] /end");
    json.expect_said("alice", "/end");
}

#[test]
fn words_for_one_member_are_a_message_a_line() {
    let server = TestServer::start(|config| config.motd = Some("Welcome!\nBe kind.".into()));
    let mut client = server.connect_websocket();
    assert!(client.expect_message().starts_with("Madang/1 "));
    client.expect_next("Welcome!").expect_next("Be kind.").expect_next("로그인ID:");
    client.send("/lang en").expect_next(&Notice::LangSet.text(Lang::En));
    client.expect_next("Login ID:");
    client.send("").expect_next("[guest-1] joined.");
    client.send("/help").expect_next("/who [ROOM]         see who is here");
}

#[test]
fn json_is_told_the_message_of_the_day_too() {
    let server = TestServer::start(|config| config.motd = Some("Welcome!\nBe kind.".into()));
    let mut client = WebSocketClient::open_json(server.web_address());
    client.expect_json("hello");
    assert_eq!(client.expect_json("notice")["text"], "Welcome!\nBe kind.");
}

#[test]
fn json_begins_at_once_and_a_goodbye_is_its_last_message() {
    let mut server = TestServer::start(|_| {});
    let mut client = WebSocketClient::open_json(server.web_address());
    client.send("{").expect_json("hello");
    assert_eq!(client.expect_json("error")["code"], "bad_json");
    let mut alice = server.login_websocket_json("alice");
    alice.send_json(&json!({"type": "say", "text": "hi", "nonce": "n"}));
    let id = alice.expect_json("ack")["id"].clone();
    assert_eq!(alice.expect_json("said")["id"], id);
    let mut bob = server.login_websocket("bob");
    alice.expect_json("joined");
    server.stop();
    assert_eq!(alice.expect_json("bye")["reason"], "shutdown");
    assert_eq!(alice.expect_close(), Some(1001));
    bob.expect(&Notice::Goodbye(Goodbye::Shutdown).text(Lang::Ko));
    assert_eq!(bob.expect_close(), Some(1001));
}

#[test]
fn every_way_of_closing_a_websocket_is_a_leave() {
    let server = TestServer::start(|_| {});
    let mut watcher = server.login("watcher");
    for (name, close) in [("one", Some(1000)), ("two", Some(1001)), ("three", None)] {
        let mut client = server.login_websocket(name);
        watcher.expect_next(format!("[{name}]님이 입장했습니다.\n"));
        match close {
            Some(code) => {
                client.send_close(code);
                assert_eq!(client.expect_closed(), Some(code));
            }
            None => client.raw().finish_sending(),
        }
        watcher.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
    let client = server.login_websocket("four");
    watcher.expect_next("[four]님이 입장했습니다.\n");
    client.reset();
    watcher.expect_next("[four]님이 퇴장했습니다.\n");
}

/// Resumes a session; returns the connection and its welcome.
#[track_caller]
fn come_back(server: &TestServer, welcome: &Value) -> (WebSocketClient, Value) {
    let mut client = WebSocketClient::open_json(server.web_address());
    client.expect_json("hello");
    client.send_json(&json!({
        "type": "login", "session": welcome["session"], "room": "lobby", "last": welcome["id"],
        "last_private": 0,
    }));
    let welcome = client.expect_json("welcome");
    (client, welcome)
}

#[test]
fn a_json_session_outlives_every_end_but_1000() {
    let server = TestServer::start(|_| {});
    let mut watcher = server.login("watcher");
    let ends: [fn(WebSocketClient); 3] = [
        |mut client| {
            client.send_close(1001);
            assert_eq!(client.expect_closed(), Some(1001));
        },
        |mut client| {
            client.raw().finish_sending();
            client.expect_json("bye");
            client.expect_close();
        },
        WebSocketClient::reset,
    ];
    let mut client = WebSocketClient::open_json(server.web_address());
    let welcome = client.login_json("alice");
    watcher.expect_next("[alice]님이 입장했습니다.\n");
    for (round, end) in ends.into_iter().enumerate() {
        end(client);
        watcher.send(format!("{round}\n")).expect_next(format!("[watcher] {round}\n"));
        let resumed;
        (client, resumed) = come_back(&server, &welcome);
        assert_eq!((&resumed["user"], &resumed["resumed"]), (&json!("alice"), &json!(true)));
        // Everything said since the login, whatever arrived on earlier connections.
        for earlier in 0..=round {
            assert_eq!(client.expect_json("said")["text"], earlier.to_string());
        }
    }
    client.send_close(1000);
    assert_eq!(client.expect_closed(), Some(1000));
    watcher.expect_next("[alice]님이 퇴장했습니다.\n");
}

#[test]
fn a_replaced_connection_is_closed_with_4001() {
    let server = TestServer::start(|_| {});
    let mut first = WebSocketClient::open_json(server.web_address());
    let welcome = first.login_json("alice");
    let (mut second, resumed) = come_back(&server, &welcome);
    assert_eq!(resumed["resumed"], true);
    assert_eq!(first.expect_json("bye")["reason"], "replaced");
    assert_eq!(first.expect_close(), Some(4001));
    second.send_json(&json!({"type": "say", "text": "still me"}));
    assert_eq!(second.expect_json("said")["user"], "alice");
}

#[test]
fn a_slow_reader_is_told_how_many_messages_it_missed() {
    let server = TestServer::start(|config| {
        config.outbox_bytes = 16 * 1_024;
        (config.stall_timeout, config.websocket.ping_interval) = (NEVER, NEVER);
    });
    let mut slow = WebSocketClient::open_with_buffer(server.web_address(), 4 * 1_024);
    slow.login("slow");
    let mut alice = server.login("alice");
    let line = "x".repeat(1_000);
    let mut said = 0;
    // More than all buffers in between hold.
    while said < 6_000 {
        alice.send(format!("{said} {line}\n")).expect(format!("[alice] {said} "));
        said += 1;
    }
    slow.expect("[alice]님이 입장했습니다.");
    let mut next = 0;
    let mut marks = 0;
    while next < said {
        let message = slow.expect_message();
        if let Some(skipped) = skipped_lines(&message) {
            (next, marks) = (next + skipped, marks + 1);
        } else {
            assert_eq!(message, format!("[alice] {next} {line}"));
            next += 1;
        }
    }
    assert!(marks > 0, "nothing was skipped");
}

#[test]
fn nothing_before_a_slash_says_a_command_aloud_at_any_door() {
    let servers = [
        (TestServer::start(|config| config.rate_limit = None), PLAIN_DOORS),
        (TestServer::start_with_tls(|config| config.rate_limit = None), TLS_DOORS),
    ];
    for (server, doors) in servers {
        let mut bob = server.login("bob");
        for (at, door) in doors.into_iter().enumerate() {
            let mut alice = Visitor::come(&server, door);
            let name = format!("alice{at}");
            alice.give_name(&name);
            bob.expect_joined(&name);
            for before in
                ["\u{FEFF}", "\0", " \t", "\u{3000}", "\u{200B}", "\x07", "\x1B", "\x1B[A"]
            {
                alice.command(&format!("{before}/msg @bob secret\0"));
                bob.expect_next(format!("[귓속말 {name}] secret\n"));
            }
            alice.command("\0/join #7zzzz-0abcd입니다");
            alice.command("/q\u{200B}uit\0\0");
            bob.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
        }
    }
}
