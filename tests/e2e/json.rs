//! JSON lines: what a program sends and receives.

use std::time::Duration;

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{TestClient, TestServer};
use serde_json::{Value, json};

/// The id of a message that has one.
#[track_caller]
fn id_of(message: &Value) -> u64 {
    message["id"].as_u64().unwrap_or_else(|| panic!("no id in {message}"))
}

/// The fields of an object, in alphabetical order.
#[track_caller]
fn fields(message: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> =
        message.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}

/// A client that speaks JSON and has not logged in yet.
#[track_caller]
fn json_client(server: &TestServer) -> TestClient {
    let mut client = server.connect();
    client.become_json();
    client
}

#[test]
fn hello_ends_the_prompt_and_tells_the_limits() {
    let server = TestServer::start(|_| {});
    let mut client = server.connect();
    let hello = client.become_json();
    assert_eq!(fields(&hello), ["limits", "protocol", "server", "type", "version"]);
    assert_eq!(hello["server"], "madang");
    assert_eq!(hello["protocol"], 1);
    assert!(hello["version"].is_string(), "{hello}");
    assert_eq!(
        hello["limits"],
        json!({
            "line_bytes": 4_096,
            "message_bytes": 16_384,
            "carrier_bytes": 65_536,
            "name_columns": 24,
        })
    );
    client.expect_nothing();
}

#[test]
fn a_fresh_login_is_welcomed_and_then_told_of_itself() {
    let server = TestServer::start(|_| {});
    let _bob = server.login("bob");
    let mut alice = json_client(&server);
    alice.send_json(json!({"type": "login", "name": "alice", "room": "lobby", "history": 20}));
    let welcome = alice.expect_message("welcome");
    assert_eq!(fields(&welcome), ["id", "members", "resumed", "room", "session", "type", "user"]);
    assert_eq!(welcome["user"], "alice");
    assert_eq!(welcome["room"], "lobby");
    assert_eq!(welcome["members"], 2);
    assert_eq!(welcome["resumed"], false);
    let token = welcome["session"].as_str().expect("a token");
    assert!(token.len() >= 32 && token.bytes().all(|b| b.is_ascii_graphic()), "{token}");
    assert!(id_of(&welcome) < 1 << 53);

    let joined = alice.expect_message("joined");
    assert_eq!(fields(&joined), ["id", "room", "time", "type", "user"]);
    assert_eq!(joined["user"], "alice");
    assert_eq!(joined["room"], "lobby");
    assert_eq!(joined["id"], welcome["id"]);
    let time = joined["time"].as_str().expect("a time");
    assert!(time.len() == "2026-11-22T18:59:00.123Z".len() && time.ends_with('Z'), "{time}");
}

#[test]
fn two_sessions_have_two_tokens() {
    let server = TestServer::start(|_| {});
    let [a, b] = ["alice", "bob"].map(|name| {
        let mut client = server.connect();
        client.login_json(name)["session"].clone()
    });
    assert_ne!(a, b);
}

#[test]
fn a_login_without_a_name_gives_a_guest_name() {
    let server = TestServer::start(|_| {});
    for (at, login) in
        [json!({"type": "login"}), json!({"type": "login", "name": ""})].into_iter().enumerate()
    {
        let mut client = json_client(&server);
        client.send_json(login);
        assert_eq!(client.expect_message("welcome")["user"], format!("손님-{}", at + 1));
        client.expect_message("joined");
    }
    let mut client = server.connect();
    client.expect("ID:");
    client.send("/lang en\n").expect("ID:");
    client.send("/json\n").expect_next("\n");
    client.expect_message("hello");
    client.send_json(json!({"type": "login"}));
    assert_eq!(client.expect_message("welcome")["user"], "guest-3");
}

#[test]
fn a_refused_name_is_an_error_and_the_next_may_be_good() {
    let server = TestServer::start(|_| {});
    let _alice = server.login("alice");
    let mut client = json_client(&server);
    client.send_json(json!({"type": "login", "name": "ALICE", "nonce": "1"}));
    let text = client.expect_error("name_taken", Some("1"));
    assert_eq!(text, Notice::NameInUse { proposal: Some("ALICE-2") }.text(Lang::Ko));
    client.send_json(json!({"type": "login", "name": "a b"}));
    assert!(client.expect_error("name_invalid", None).contains("a_b"));
    client.send_json(json!({"type": "login", "name": "admin", "nonce": "3"}));
    client.expect_error("name_reserved", Some("3"));
    client.send_json(json!({"type": "login", "name": "bob"}));
    client.expect_message("welcome");
    client.expect_message("joined");
    client.send_json(json!({"type": "login", "name": "carol", "nonce": "5"}));
    client.expect_error("logged_in_already", Some("5"));
}

#[test]
fn five_refused_names_end_with_a_bye() {
    let server = TestServer::start(|_| {});
    let mut client = json_client(&server);
    for _ in 0..5 {
        client.send_json(json!({"type": "login", "name": "a b"}));
        client.expect_error("name_invalid", None);
    }
    assert_eq!(client.expect_json(), json!({"type": "bye", "reason": "login_tries"}));
    client.expect_closed();
}

#[test]
fn a_login_that_takes_too_long_ends_with_a_bye() {
    let server = TestServer::start(|config| config.login_timeout = Duration::from_secs(2));
    let mut client = json_client(&server);
    assert_eq!(client.expect_json(), json!({"type": "bye", "reason": "login_timeout"}));
    client.expect_closed();
}

#[test]
fn a_login_with_a_nonce_is_acknowledged() {
    let server = TestServer::start(|_| {});
    let mut client = json_client(&server);
    client.send_json(json!({"type": "login", "name": "alice", "nonce": "n"}));
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let message = client.expect_json();
        if message["type"] == "ack" {
            assert_eq!(message, json!({"type": "ack", "nonce": "n"}));
        }
        kinds.push(message["type"].as_str().expect("a type").to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["ack", "joined", "welcome"]);
}

#[test]
fn sessions_and_private_rooms_that_are_not_there_are_refused() {
    let server = TestServer::start(|_| {});
    let mut client = json_client(&server);
    let key = format!("#{}", "0".repeat(26));
    client.send_json(json!({"type": "login", "name": "alice", "room": key, "nonce": "1"}));
    client.expect_error("no_such_room", Some("1"));
    client.send_json(json!({"type": "login", "session": "x", "last": 41, "nonce": "2"}));
    client.expect_error("session_unknown", Some("2"));
}

#[test]
fn before_the_login_only_commands_that_need_no_name_are_carried_out() {
    let server = TestServer::start(|_| {});
    let mut client = json_client(&server);
    client.send_json(json!({"type": "say", "text": "hi", "nonce": "1"}));
    client.expect_error("login_first", Some("1"));
    client.send_json(json!({"type": "command", "line": "/who", "nonce": "2"}));
    client.expect_error("login_first", Some("2"));
    client.send_json(json!({"type": "command", "line": "/lang en", "nonce": "3"}));
    assert_eq!(client.expect_message("notice")["nonce"], "3");
    assert_eq!(client.expect_message("ack"), json!({"type": "ack", "nonce": "3"}));
    client.send_json(json!({"type": "login", "name": "a b"}));
    assert!(client.expect_error("name_invalid", None).contains("spaces"));
    client.send_json(json!({"type": "command", "line": "/quit"}));
    assert_eq!(client.expect_json(), json!({"type": "bye", "reason": "quit"}));
    client.expect_closed();
}

#[test]
fn say_is_acknowledged_with_the_id_under_which_it_is_said() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login_json("bob");
    let mut id = id_of(&alice.expect_message("joined"));
    for at in 0..20 {
        let nonce = format!("c{at}");
        alice.send_json(json!({"type": "say", "text": "안녕", "nonce": nonce}));
        id += 1;
        let ack = alice.expect_message("ack");
        assert_eq!(ack, json!({"type": "ack", "nonce": nonce, "id": id}));
        let said = alice.expect_message("said");
        assert_eq!(fields(&said), ["id", "room", "text", "time", "type", "user"]);
        assert_eq!(id_of(&said), id);
        assert_eq!(said["room"], "lobby");
        assert_eq!(bob.expect_message("said"), said, "everyone gets the same bytes");
    }
    alice.send_json(json!({"type": "say", "text": "no nonce"}));
    assert_eq!(alice.expect_said("alice", "no nonce"), id + 1);
}

#[test]
fn a_burst_of_says_is_acknowledged_one_by_one() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let burst: String = (0..100)
        .map(|at| {
            format!(
                "{}\n",
                json!({"type": "say", "text": format!("{at}"), "nonce": format!("{at}")})
            )
        })
        .collect();
    alice.send(burst);
    let (mut acks, mut said) = (Vec::new(), Vec::new());
    while said.len() < 100 {
        let message = alice.expect_json();
        match message["type"].as_str() {
            Some("ack") => acks.push((message["nonce"].clone(), id_of(&message))),
            Some("said") => {
                said.push((message["text"].clone(), id_of(&message)));
                assert!(acks.len() >= said.len(), "an ack comes before its event: {message}");
            }
            _ => panic!("neither ack nor said: {message}"),
        }
    }
    assert_eq!(acks, said);
    assert!(said.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "{said:?}");
}

#[test]
fn ids_rise_by_one_whatever_happens() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login("bob");
    let joined = alice.expect_message("joined");
    assert_eq!(joined["user"], "bob");
    let first = id_of(&joined);
    bob.send("one\n/who\n/hlep\ntwo\n/quit\n");
    assert_eq!(alice.expect_said("bob", "one"), first + 1);
    assert_eq!(alice.expect_said("bob", "two"), first + 2);
    let left = alice.expect_message("left");
    assert_eq!(fields(&left), ["id", "room", "time", "type", "user"]);
    assert_eq!((id_of(&left), &left["user"]), (first + 3, &json!("bob")));
}

#[test]
fn say_never_reads_a_slash() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login("bob");
    alice.expect_message("joined");
    for text in ["/quit", "//x", "/who"] {
        alice.send_json(json!({"type": "say", "text": text}));
        alice.expect_said("alice", text);
        bob.expect_next(format!("[alice] {text}\n"));
    }
}

#[test]
fn commands_are_answered_with_their_nonce_and_acknowledged() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    alice.send_json(json!({"type": "command", "line": "/who", "nonce": "w"}));
    assert_eq!(
        alice.expect_json(),
        json!({
            "type": "who", "room": "lobby", "count": 1, "members": ["alice"], "more": false,
            "nonce": "w",
        })
    );
    assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": "w"}));

    alice.send_json(json!({"type": "command", "line": "/help", "nonce": "h"}));
    let help = alice.expect_message("notice");
    assert_eq!(help["nonce"], "h");
    assert!(help["text"].as_str().is_some_and(|text| text.contains("/나가기")), "{help}");
    assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": "h"}));

    alice.send_json(json!({"type": "command", "line": "/hlep", "nonce": "x"}));
    assert!(alice.expect_error("unknown_command", Some("x")).contains("/도움말"));
    alice.send_json(json!({"type": "command", "line": "/lang xx", "nonce": "u"}));
    assert!(alice.expect_error("usage", Some("u")).contains("/언어 한국어|영어"));
    alice.send_json(json!({"type": "command", "line": "/lang en"}));
    assert!(alice.expect_message("notice").get("nonce").is_none());
    alice.send_json(json!({"type": "command", "line": "/who"}));
    assert!(alice.expect_message("who").get("nonce").is_none());
    alice.send_json(json!({"type": "command", "line": "/quit"}));
    assert_eq!(alice.expect_json(), json!({"type": "bye", "reason": "quit"}));
    alice.expect_closed();
}

#[test]
fn an_invalid_request_is_an_error_but_not_the_end() {
    #[track_caller]
    fn check(client: &mut TestClient, line: &str, code: &str, nonce: Option<&str>) {
        client.send(format!("{line}\n"));
        client.expect_error(code, nonce);
    }
    let server = TestServer::start(|_| {});
    let long_nonce = json!({"type": "say", "text": "x", "nonce": "n".repeat(65)}).to_string();
    for log_in in [false, true] {
        let mut client = json_client(&server);
        if log_in {
            client.send_json(json!({"type": "login", "name": "alice"}));
            client.expect_message("welcome");
            client.expect_message("joined");
        }
        check(&mut client, "hello", "bad_json", None);
        check(&mut client, "", "bad_json", None);
        check(&mut client, r#"{"type":"say","text":"#, "bad_json", None);
        check(&mut client, "[1]", "bad_json", None);
        let half = r#"{"type":"say","text":"\ud83d","nonce":"a"}"#;
        check(&mut client, half, "bad_json", Some("a"));
        let said = r#"{"type":"command","line":"//quit","nonce":"a"}"#;
        check(&mut client, said, "unknown_command", Some("a"));
        check(&mut client, &"[".repeat(60_000), "bad_json", None);
        check(&mut client, r#"{"text":"hi","nonce":"a"}"#, "unknown_type", Some("a"));
        check(&mut client, r#"{"type":"dance","nonce":"a"}"#, "unknown_type", Some("a"));
        check(&mut client, r#"{"type":"say","nonce":"a"}"#, "bad_request", Some("a"));
        check(&mut client, r#"{"type":"say","text":7,"nonce":"a"}"#, "bad_request", Some("a"));
        check(&mut client, &long_nonce, "bad_request", None);
        client.send(b"{\"type\":\"say\",\"text\":\"\xc0\xaf\"}\n");
        client.expect_error("not_utf8", None);
        client.send_json(json!({"type": "command", "line": "/help", "nonce": "end"}));
        client.expect_message("notice");
        client.expect_message("ack");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let server = TestServer::start(|_| {});
    let mut client = json_client(&server);
    client.send_json(json!({"type": "login", "name": "alice", "colour": [1, {"a": null}]}));
    client.expect_message("welcome");
    client.expect_message("joined");
    client.send_json(json!({"mood": "good", "type": "say", "text": "hi", "": 1}));
    client.expect_said("alice", "hi");
}

#[test]
fn each_line_of_a_message_is_a_line_under_its_speakers_name() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login("bob");
    alice.expect_message("joined");
    alice.send_json(json!({"type": "say", "text": "one\n[server] two\r\n\nfour\n\n"}));
    alice.expect_said("alice", "one\n[server] two\n\nfour");
    bob.expect_next("[alice] one\n[alice] [server] two\n[alice] \n[alice] four\n");
}

#[test]
fn a_message_may_have_4096_bytes_a_line_and_16_kib_in_all() {
    #[track_caller]
    fn say(alice: &mut TestClient, text: &str, nonce: &str) {
        alice.send_json(json!({"type": "say", "text": text, "nonce": nonce}));
    }
    #[track_caller]
    fn check_said(alice: &mut TestClient, text: &str, nonce: &str) {
        say(alice, text, nonce);
        alice.expect_message("ack");
        alice.expect_said("alice", text);
    }
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let longest_line = "가".repeat(1_365) + "x";
    assert_eq!(longest_line.len(), 4_096);
    check_said(&mut alice, &longest_line, "1");
    say(&mut alice, &format!("short\n{longest_line}y"), "2");
    assert!(alice.expect_error("line_too_long", Some("2")).contains("4,097"));

    let longest_message = ("x".repeat(4_095) + "\n").repeat(3) + &"x".repeat(4_096);
    assert_eq!(longest_message.len(), 16_384);
    check_said(&mut alice, &longest_message, "3");
    say(&mut alice, &format!("y\n{}", &longest_message[1..]), "4");
    assert!(alice.expect_error("message_too_long", Some("4")).contains("16,385"));
}

#[test]
fn a_message_of_which_nothing_is_left_is_refused() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    for text in ["", " \n\t\n", "\u{1b}[31m\u{202e}"] {
        alice.send_json(json!({"type": "say", "text": text, "nonce": "n"}));
        alice.expect_error("nothing_said", Some("n"));
    }
}

#[test]
fn a_carrier_of_64_kib_without_an_end_closes_with_a_bye() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    // The longest carrier allowed: its text is refused, and nothing else happens.
    let padding = " ".repeat(65_535 - r#"{"type":"say","text":"hi"}"#.len());
    alice.send(format!("{{\"type\":\"say\",{padding}\"text\":\"hi\"}}\n"));
    alice.expect_said("alice", "hi");
    alice.send("x".repeat(65_536));
    assert_eq!(alice.expect_json(), json!({"type": "bye", "reason": "endless_line"}));
    alice.expect_closed();
}

#[test]
fn escapes_inside_json_are_sanitized_too() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login("bob");
    alice.expect_message("joined");
    alice
        .send(r#"{"type":"say","text":"a\u001b[31mb\u009b0mc\u202ed\u2028e\u0007\u007f"}"#)
        .send("\n");
    alice.expect_said("alice", "abcde");
    bob.expect_next("[alice] abcde\n");
    alice.send_json(json!({"type": "command", "line": "/\u{1b}[31mqiut\u{202e}"}));
    let words = alice.expect_error("unknown_command", None);
    assert!(!words.contains(['\u{1b}', '\u{202e}']), "{words:?}");
}

#[test]
fn a_nonce_comes_back_without_raw_controls_on_the_wire() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let nonce = "\u{1b}[31m\u{7f}\u{9b}31m\u{202e}\u{2028}";
    alice.send_json(json!({"type": "command", "line": "/who", "nonce": nonce}));
    alice.expect_message("who");
    let ack = alice.expect_line();
    let raw = ack.contains(|c: char| {
        c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert!(!raw, "{ack:?}");
}

#[test]
fn who_of_many_members_comes_in_several_messages() {
    let server = TestServer::start(|_| {});
    let _members: Vec<TestClient> = (0..120).map(|at| server.login(&format!("m{at}"))).collect();
    let mut alice = server.login_json("alice");
    alice.send_json(json!({"type": "command", "line": "/who", "nonce": "w"}));
    let mut names = Vec::new();
    loop {
        let who = alice.expect_message("who");
        assert_eq!((&who["count"], &who["nonce"]), (&json!(121), &json!("w")));
        let members = who["members"].as_array().expect("a list");
        names.extend(members.iter().map(|name| name.as_str().expect("a name").to_owned()));
        if who["more"] == false {
            break;
        }
    }
    let expected = (0..120).map(|at| format!("m{at}")).chain(["alice".to_owned()]);
    assert_eq!(names, expected.collect::<Vec<_>>());
    assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": "w"}));
}

#[test]
fn a_member_who_closes_its_side_is_told_bye() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    alice.send(r#"{"type":"say","text":"last, without a line end"}"#);
    alice.finish_sending();
    alice.expect_said("alice", "last, without a line end");
    assert_eq!(alice.expect_json(), json!({"type": "bye", "reason": "closed"}));
    alice.expect_closed();
}
