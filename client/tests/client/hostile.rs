//! Hostile servers: nothing raw reaches the terminal, nobody's text can pass for another's
//! line, nothing panics, and the client keeps receiving.

use madang_protocol::sanitize::sanitize_line;
use serde_json::{Value, json};

#[cfg(unix)]
use crate::terminal::Terminal;
use crate::{
    client::Client,
    fake_server::{FakeServer, Peer},
};

/// Text that would look like a message from eve at the beginning of a line.
const FORGED: &str = "[eve] forged";

const TIME: &str = "2026-11-22T18:59:00.123Z";

/// Text that a member could have put into a field, if a server allowed it.
fn hostile_texts() -> Vec<String> {
    let mut texts = vec![String::new()];
    let introducers = [
        "\x1b[31m",
        "\x1b]0;owned\x07",
        "\x1bPq#0\x1b\\",
        "\x1bO",
        "\u{9b}31m",
        "\u{202e}",
        "\u{2066}",
        "\0",
        "\x07",
        "\x08\x08\x08\x08\x08\x08\x08\x08",
        "\x7f",
        "\x0e",
        "\t",
        "\u{feff}",
        "\u{e0041}",
        "\x1b[2J\x1b[H",
        "\x1b[1A\r",
        "\x1b",
        "\u{200b}",
    ];
    texts.extend(introducers.map(|introducer| format!("a{introducer}{FORGED}")));
    texts
}

/// The same, with characters that could end a line.
fn line_ends() -> Vec<String> {
    let ends = ["\n", "\r", "\r\n", "\n\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"];
    ends.map(|end| format!("a{end}{FORGED}")).into()
}

/// JSON values that are valid for no number in the protocol.
const NUMBERS: [&str; 10] = [
    "-1",
    "-9223372036854775809",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0.5",
    "\"1\"",
    "null",
    "[]",
];

/// One message of each type, with all its fields.
fn messages() -> Vec<Value> {
    let stamped = |kind: &str, fields: Value| {
        let mut message = json!({"type": kind, "id": 7, "time": TIME, "room": "lobby"});
        let object = message.as_object_mut().expect("it is one");
        object.extend(fields.as_object().expect("it is one").clone());
        message
    };
    vec![
        stamped("said", json!({"user": "bob", "text": "hi"})),
        stamped("said", json!({"user": "bob", "text": "waves", "me": true})),
        stamped("joined", json!({"user": "bob"})),
        stamped("left", json!({"user": "bob", "text": "bye"})),
        stamped("kicked", json!({"user": "bob", "seconds": 600, "by": "alice"})),
        stamped("unkicked", json!({"user": "bob", "by": "alice"})),
        stamped("renamed", json!({"user": "bob", "to": "bobby"})),
        stamped("topic", json!({"user": "bob", "topic": "fish"})),
        stamped("muted", json!({"user": "bob", "seconds": 60, "by": "alice"})),
        stamped("unmuted", json!({"user": "bob", "by": "alice"})),
        stamped("locked", json!({"user": "bob"})),
        stamped("unlocked", json!({"user": "bob"})),
        stamped("limited", json!({"user": "bob", "limit": 9})),
        stamped("owner", json!({"user": "bob", "by": "alice"})),
        stamped("announced", json!({"text": "lunch"})),
        stamped("restarted", json!({})),
        json!({"type": "whisper", "private": 1, "time": TIME, "user": "bob", "text": "psst"}),
        json!({"type": "ack", "nonce": "77", "id": 7, "durable": false}),
        json!({"type": "error", "code": "usage", "text": "no", "proposal": "bob-2", "nonce": "78"}),
        json!({"type": "notice", "text": "well", "nonce": "78"}),
        json!({"type": "who", "room": "lobby", "count": 2, "members": ["bob", "me"], "more": false,
            "after": "me", "nonce": "78"}),
        json!({"type": "rooms", "rooms": [{"room": "math", "members": 3, "topic": "fish"}],
            "more": false, "nonce": "78"}),
        json!({"type": "whois", "user": "bob", "room": "lobby", "since": TIME, "away": false,
            "nonce": "78"}),
        json!({"type": "invite", "room": "lobby", "key": "k", "link": "http://h/", "madang": "madang h",
            "nc": ["nc h 9009", "/join #k"], "encrypted": false, "qr": "##", "nonce": "78"}),
        json!({"type": "history", "room": "lobby", "more": false, "nonce": "78",
            "events": [stamped("said", json!({"user": "bob", "text": "hi"}))]}),
        json!({"type": "found", "room": "lobby", "before": 7, "nonce": "78",
            "events": [stamped("said", json!({"user": "bob", "text": "hi"}))]}),
        json!({"type": "ignored", "users": ["bob"], "nonce": "78"}),
        json!({"type": "pong", "token": "x", "nonce": "78"}),
        json!({"type": "gap", "room": "lobby", "from": 3, "to": 5}),
        json!({"type": "gap", "room": "lobby", "from": 3, "to": 5, "reason": "restart"}),
        json!({"type": "private_gap", "from": 3, "to": 5}),
        json!({"type": "firework", "user": "bob", "text": "hi"}),
    ]
}

/// Messages that change the room, which may end a pipe.
fn moves() -> Vec<Value> {
    vec![
        json!({"type": "welcome", "user": "me", "room": "lobby", "session": "t", "id": 1, "members": 1,
            "topic": "fish", "owner": "bob", "durable": true, "locked": false, "limit": 9,
            "resumed": false}),
        json!({"type": "entered", "room": "lobby", "id": 1, "members": 1, "topic": "fish",
            "owner": "bob", "durable": true, "locked": false, "limit": 9, "nonce": "78"}),
        json!({"type": "ended", "id": 7, "time": TIME, "room": "lobby", "user": "bob"}),
    ]
}

/// JSON pointers to all values in `message`, except its type.
fn fields(message: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), message)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(object) => {
                let fields = object.iter().filter(|(name, _)| *name != "type");
                open.extend(fields.map(|(name, value)| (format!("{path}/{name}"), value)));
            }
            Value::Array(values) => {
                open.extend(values.iter().enumerate().map(|(at, v)| (format!("{path}/{at}"), v)));
            }
            _ => found.push(path),
        }
    }
    found
}

/// Every message with every bad value in every field, as lines.
fn hostile_lines(messages: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    for message in messages {
        for field in fields(message) {
            // The server's own text may have several lines, but nobody else can put any text into
            // it.
            let is_servers = ["notice", "error"].iter().any(|kind| message["type"] == *kind);
            let is_picture = field == "/qr";
            let mut texts = hostile_texts();
            // Showing all of them takes long, and one of each kind is enough.
            if ["said", "joined", "who", "welcome"].iter().any(|kind| message["type"] == *kind) {
                texts.push("x".repeat(60_000));
            }
            if !(is_servers && field == "/text" || is_picture) {
                texts.extend(line_ends());
            }
            for text in texts {
                let mut hostile = message.clone();
                *hostile.pointer_mut(&field).expect("it was found there") = text.into();
                let line = hostile.to_string();
                // More than a carrier holds would end the connection.
                lines.extend((line.len() < 64 * 1_024).then_some(line));
            }
            for number in NUMBERS {
                let mut hostile = message.clone();
                *hostile.pointer_mut(&field).expect("it was found there") = "NUMBER".into();
                lines.push(hostile.to_string().replace("\"NUMBER\"", number));
            }
        }
    }
    lines.extend(
        ["{", "[]", "null", "{}", "\"type\"", "{\"type\":7}", "\u{1b}[31m"].map(str::to_owned),
    );
    lines
}

/// Sends all of them, and then a message from carol.
fn send_all(peer: &mut Peer, messages: &[Value]) {
    for line in hostile_lines(messages) {
        peer.send(&format!("{line}\n"));
    }
    let said = json!({"type": "said", "id": 1_000, "time": TIME, "room": "lobby", "user": "carol",
        "text": "Ω"});
    peer.send(&format!("{said}\n"));
}

/// Checks that `shown` has nothing raw and no forged line.
#[track_caller]
fn check(shown: &str) {
    for line in shown.lines() {
        assert_eq!(sanitize_line(line), line, "as it came");
        assert!(!line.trim_start().starts_with(FORGED), "{line:?} is eve's");
    }
}

#[test]
fn every_field_is_sanitized_in_a_pipe() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "me"]);
    let mut peer = server.accept_member("me");
    send_all(&mut peer, &messages());
    client.expect("[carol] Ω\n");
    client.end_input();
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    check(&ended.stdout);
    check(&ended.stderr);
}

#[test]
fn output_for_programs_is_sanitized() {
    for format in [&[][..], &["--json"]] {
        let server = FakeServer::start();
        let mut client = Client::start(&server, &[&["--read", "--name", "me"], format].concat());
        let mut peer = server.accept_member("me");
        send_all(&mut peer, &[moves(), messages()].concat());
        client.expect("Ω");
        check(&client.shown());
    }
}

/// Another line server: its text is its own, and may have several lines.
fn hostile_words() -> String {
    let texts =
        hostile_texts().into_iter().chain([format!("a\r{FORGED}"), format!("a\u{2028}{FORGED}")]);
    texts.map(|text| text + "\n").collect()
}

#[test]
fn lines_of_other_servers_are_sanitized_in_a_pipe() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "me"]);
    let mut peer = server.accept();
    peer.send(&format!("{}ID:", hostile_words()));
    peer.expect("me\n");
    peer.send(&format!("{}\u{1b}[31mΩ\n", hostile_words()));
    client.expect("Ω\n");
    client.end_input();
    peer.expect_end();
    peer.close();
    let ended = client.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    check(&ended.stdout);
}

#[cfg(unix)]
#[test]
fn lines_of_other_servers_are_sanitized_on_a_terminal() {
    let server = FakeServer::start();
    let args = ["--time", "never", "--color", "never", "--name", "me"];
    let mut terminal = Terminal::start_sized(&server.address, &args, 20, 24, &[]);
    let mut peer = server.accept();
    peer.send(&format!("{}ID:", hostile_words()));
    peer.expect("me\n");
    peer.send(&format!("{}{}\nΩ\n", hostile_words(), "x ".repeat(10_000)));
    terminal.expect_row("Ω");
    check_terminal(&mut terminal);
}

#[test]
fn absurd_event_numbers_do_not_hide_later_messages() {
    for args in [&[][..], &["--read"], &["--read", "--since", "5"]] {
        let server = FakeServer::start();
        let mut client =
            Client::start(&server, &[&["--name", "me", "--lang", "en"], args].concat());
        let mut peer = server.accept_member("me");
        if args.contains(&"--since") {
            peer.expect("{\"type\":\"history\",\"nonce\":\"1\"}\n");
            let nothing = json!({"type": "history", "room": "lobby", "events": [], "more": false,
                "nonce": "1"});
            peer.send(&format!("{nothing}\n"));
            peer.ack("1");
        }
        let said = |id: u64, text: &str| {
            format!(
                "{}\n",
                json!({"type": "said", "id": id, "time": TIME, "room": "lobby",
                "user": "bob", "text": text})
            )
        };
        let whisper = |private: u64, text: &str| {
            format!(
                "{}\n",
                json!({"type": "whisper", "private": private, "time": TIME,
                "user": "bob", "text": text})
            )
        };
        peer.send(&(said(10, "one") + &said(u64::MAX, "two") + &said(11, "three")));
        peer.send(&(whisper(u64::MAX, "four") + &whisper(2, "five") + &said(u64::MAX, "six")));
        for text in ["one", "two", "three", "four", "five", "six"] {
            client.expect(&format!("] {text}\n"));
        }
        drop(peer);
        let mut peer = server.accept_json();
        peer.expect_login("\"session\":\"t\"");
        peer.resume("me", 12);
        peer.send(&(said(13, "seven") + &whisper(3, "eight")));
        for text in ["seven", "eight"] {
            client.expect(&format!("] {text}\n"));
        }
    }
}

/// A `found` or `history` with `count` events that are unordered, duplicated and absurd.
#[cfg(unix)]
fn nonsense(kind: &str, count: u64, more: bool) -> String {
    let said = |number: u64| {
        let id = [u64::MAX - number, number, 1 << 53, 7][number as usize % 4];
        let time = ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", TIME];
        json!({"type": "said", "id": id, "time": time[number as usize % 3], "room": "lobby",
            "user": "bob", "text": FORGED})
    };
    let events: Vec<Value> = (0..count).map(said).collect();
    json!({"type": kind, "room": "lobby", "events": events, "more": more, "before": 0,
        "nonce": "1"})
    .to_string()
        + "\n"
}

#[cfg(unix)]
#[test]
fn answers_about_the_past_that_make_no_sense_are_shown_and_end() {
    for command in ["/search x", "/history"] {
        let server = FakeServer::start();
        let args = ["--color", "never", "--name", "me"];
        let mut terminal = Terminal::start_sized(&server.address, &args, 60, 24, &[("TZ", "UTC")]);
        let mut peer = server.accept_member("me");
        terminal.expect_raw("[lobby 1]");
        terminal.enter(command);
        peer.expect(&format!(r#"{{"type":"command","line":"{command}","nonce":"1"}}"#));
        assert_eq!(peer.line(), "");
        // A line holds a few hundred; the answer never ends.
        for kind in ["found", "history"] {
            for _ in 0..40 {
                peer.send(&nonsense(kind, 400, true));
            }
        }
        peer.said("carol", "Ω");
        terminal.expect_screen("Ω", |rows| rows.iter().any(|row| row.contains("[carol] Ω")));
        assert!(!peer.has_more(), "it asks for nothing more by itself");
        check_terminal(&mut terminal);
    }
}

/// The same for everything that a terminal shows and has shown.
#[cfg(unix)]
#[track_caller]
fn check_terminal(terminal: &mut Terminal) {
    const FORBIDDEN: [&str; 8] =
        ["\x1b]", "\x1bP", "\x1b[31m", "\u{9b}", "\u{202e}", "\u{2066}", "\x0e", "\u{2028}"];
    for row in terminal.scrolled() {
        assert!(
            !row.trim_start_matches(' ').starts_with(FORGED) || row.starts_with("  "),
            "{row:?} is eve's"
        );
    }
    let raw = terminal.raw();
    for sequence in FORBIDDEN {
        assert!(!raw.contains(sequence), "{sequence:?} was shown");
    }
}

#[cfg(unix)]
#[test]
fn every_field_is_sanitized_on_a_terminal() {
    for columns in [80, 20, 9] {
        let server = FakeServer::start();
        let args = ["--time", "never", "--color", "never", "--name", "me"];
        let mut terminal = Terminal::start_sized(&server.address, &args, columns, 24, &[]);
        let mut peer = server.accept_member("me");
        send_all(&mut peer, &[messages(), moves()].concat());
        terminal.expect_screen("Ω", |rows| rows.iter().any(|row| row.contains("Ω")));
        check_terminal(&mut terminal);
    }
}
