//! What may reach a terminal: none of 63 control characters and their kind arrives raw, by any
//! path and in any form.

use madang_protocol::text::Lang;
use madang_tests::{NEVER, TestClient, TestServer};
use serde_json::json;

/// C0 except NUL, tab, LF and CR; DEL, C1, the bidi controls, and the line and paragraph
/// separators. NUL and CR belong to line ends on the wire, and have tests of their own.
fn controls() -> Vec<char> {
    let c0 = ('\u{1}'..='\u{1f}').filter(|c| !['\t', '\n', '\r'].contains(c));
    let c1 = '\u{7f}'..='\u{9f}';
    let others = ('\u{2028}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
    c0.chain(c1).chain(others).collect()
}

fn is_unwanted(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn assert_clean(who: &str, what: &str) {
    if let Some(at) = what.find(is_unwanted) {
        let from = what[..at].char_indices().rev().nth(60).map_or(0, |(at, _)| at);
        panic!("{who} was sent {:?}", &what[from..(at + 8).min(what.len())]);
    }
}

/// Members of every kind.
struct Witnesses {
    text: TestClient,
    json: TestClient,
}

impl Witnesses {
    /// Reads everything so far, and checks it.
    #[track_caller]
    fn check(&mut self) -> String {
        self.text.send("/ping the-end\n");
        let mut seen = self.text.expect("pong the-end\n");
        assert_clean("a member in lines", &seen);
        self.json.send_json(json!({"type": "command", "line": "/ping the-end"}));
        let json = self.json.expect("\"pong\",\"token\":\"the-end\"}\n");
        assert_clean("a program", &json);
        seen += &json;
        seen
    }
}

#[test]
fn the_list_has_at_least_63_unwanted_controls() {
    assert!(controls().len() >= 63, "{}", controls().len());
    assert!(controls().into_iter().all(is_unwanted));
}

#[test]
fn no_control_arrives_raw_by_any_path() {
    let server = TestServer::start(|config| {
        config.lang = Lang::En;
        (config.login_tries, config.login_timeout) = (10_000, NEVER);
    });
    let (text, mut peer) = server.login_two("witness", "peer");
    let json = server.login_json("witness-json");
    let mut witnesses = Witnesses { text, json };
    let mut json_peer = server.login_json("json-peer");
    let mut trying = server.connect();
    let mut seen = String::new();
    for control in controls() {
        let code = u32::from(control);
        // In the middle of text, and where it could begin an escape sequence.
        let bad = format!("x{control}y{control}[31m{code:x}");
        let lines = [
            bad.clone(),
            format!("/me {bad}"),
            format!("/msg witness {bad}"),
            format!("/msg witness-json {bad}"),
            format!("/topic {bad}"),
            format!("/nick {bad}"),
            format!("/ping {bad}"),
            format!("/join {bad}"),
            format!("/who {bad}"),
            format!("/whois {bad}"),
            format!("/ignore {bad}"),
            format!("/help {bad}"),
            format!("/{bad}"),
            format!("//{bad}"),
            "/topic".to_owned(),
            "/history 5".to_owned(),
        ];
        for line in &lines {
            peer.send(format!("{line}\n"));
            json_peer.send_json(json!({"type": "command", "line": line, "nonce": bad}));
        }
        json_peer.send_json(json!({"type": "say", "text": bad, "nonce": bad}));
        json_peer.send_json(json!({"type": "say", "text": format!("one\n{bad}\n{bad}")}));
        json_peer.send_json(json!({"type": bad, "nonce": bad}));
        json_peer.send(format!("{bad}\n"));
        server.operate(&format!("/say {bad}"));
        server.operate(&format!("/kick z{bad}"));
        server.operate(&format!("/ban z{bad}"));
        server.operate(&bad);
        trying.send(format!("{bad}\n/join {bad}\n/{bad}\n"));
        // Neither its sender nor other members nor later readers of the history get it.
        peer.send("/ping the-end\n");
        let echoed = peer.expect("pong the-end\n");
        assert_clean("who wrote it", &echoed);
        json_peer.send_json(json!({"type": "command", "line": "/ping the-end"}));
        assert_clean("the program that wrote it", &json_peer.expect("\"token\":\"the-end\"}\n"));
        witnesses.text.send("/history 9\n");
        witnesses.json.send_json(json!({"type": "history"}));
        let told = witnesses.check();
        assert!(
            told.contains(&format!("[31m{code:x}")) || told.contains(&format!("{code:x}")),
            "U+{code:04X} was not sent: {told:?}"
        );
        seen += &told;
    }
    assert_clean("who has no name", &trying.expect("Login ID:"));
    trying.send("/quit\n");
    assert_clean("who has no name", &trying.expect_rest());
    assert!(seen.contains("* peer x") && seen.contains("[whisper peer] x"), "all was tried");
    assert!(seen.contains("set the topic: x") && seen.contains("[server] x"), "all was tried");

    // Titles, last words, and the list of rooms.
    for control in controls() {
        let bad = format!("t{control}u{control}]0;v");
        let mut guest = server.connect();
        guest.expect("ID:");
        guest.send(format!("\n/new {bad}\n/topic\n/invite\n/leave\n/quit {bad}\n"));
        assert_clean("who made a room", &guest.expect_rest());
        assert_clean("the members", &witnesses.check());
    }
    peer.send("/join math\n/topic a\u{9b}31mb\n/ping t\n").expect("pong t\n");
    witnesses.text.send("/rooms\n");
    witnesses.json.send_json(json!({"type": "command", "line": "/rooms"}));
    assert!(witnesses.check().contains("math"));
    server.operate("/rooms");
    server.operate("/who");
    server.operate("/bans");
    server.console_expect("math");
    assert_clean("the operator", &server.console());
}

#[test]
fn nul_and_cr_are_line_ends_or_nothing() {
    let server = TestServer::start(|config| config.lang = Lang::En);
    let (mut alice, mut bob) = server.login_two("alice", "bob");
    for (sent, told) in [
        ("a\0b\n", "[bob] ab\n"),
        ("a\rb\n", "[bob] ab\n"),
        ("/me a\r\x1b[31mb\r\n", "* bob ab\n"),
        ("/topic a\0b\r\0", "-- [bob] set the topic: ab --\n"),
        ("/msg alice a\rb\n", "[whisper bob] ab\n"),
    ] {
        bob.send(sent);
        alice.expect_next(told);
    }
    let mut json = server.login_json("json");
    alice.expect_joined("json");
    for text in ["a\rb", "a\0b", "a\u{0}\u{d}b"] {
        json.send_json(json!({"type": "say", "text": text}));
        alice.expect_next("[json] ab\n");
    }
}
