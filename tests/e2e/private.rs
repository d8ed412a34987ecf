//! Private rooms: reached only by their link, and gone after their members.

use std::time::Duration;

use madang_protocol::{notice::Notice, room::RoomKey, text::Lang};
use madang_tests::{TestClient, TestServer, WebSocketClient};
use serde_json::{Value, json};

use crate::commands::{in_both_languages, words};

/// How long a room outlives its last member in tests about its end.
const WINDOW: Duration = Duration::from_millis(300);

/// Makes a private room in JSON, and returns its mark and its key.
#[track_caller]
fn make_room_json(client: &mut TestClient) -> (String, String) {
    client.send_json(json!({"type": "command", "line": "/new"}));
    let mark = client.expect_message("entered")["room"].as_str().expect("a name").to_owned();
    client.expect_message("joined");
    client.send_json(json!({"type": "command", "line": "/invite"}));
    let key = client.expect_message("invite")["key"].as_str().expect("a key").to_owned();
    (mark, key)
}

#[test]
fn an_evening_of_two_in_a_private_room() {
    in_both_languages(|server, say| {
        let mut lobby = server.login("lobbyist");
        let mut alice = server.login("alice");
        lobby.expect_joined("alice");

        alice.send("/new 비밀 작전\n");
        let line = alice.expect_line();
        let mark = line.split_once("private-").expect("a mark").1[..4].to_owned();
        assert!(line.contains(say("1명, 주제: 비밀 작전", "1 here, topic: 비밀 작전")), "{line}");
        alice.expect_joined("alice");
        alice.expect_next(say(
            "-- 비공개 방을 만들었습니다. 초대하기: /초대, 로비로 돌아가기: /로비 --\n",
            "-- private room created; invite others: /invite, back to the lobby: /leave --\n",
        ));
        lobby.expect_next(say("[alice]님이 퇴장했습니다.\n", "[alice] left.\n"));
        let key = alice.invite_key();
        assert!(RoomKey::parse(&key).is_ok_and(|parsed| parsed.show() == key), "{key}");

        // With a whole link, in capitals, without hyphens.
        let mut bob = server.connect();
        let link = format!("http://192.0.2.1:9998/#{}", key.replace('-', "").to_uppercase());
        bob.login_to(&link, "bob");
        alice.expect_joined("bob");
        for (speaker, text) in [(0, "왔구나"), (1, "응"), (0, "/me 문을 닫는다"), (1, "작전은?")]
        {
            let (name, client) =
                [("alice", &mut alice), ("bob", &mut bob)].into_iter().nth(speaker).expect("two");
            client.send(format!("{text}\n"));
            let told = match text.strip_prefix("/me ") {
                Some(deed) => format!("* {name} {deed}\n"),
                None => format!("[{name}] {text}\n"),
            };
            alice.expect_next(&told);
            bob.expect_next(&told);
        }
        lobby.send("/rooms\n/whois bob\n/who\n/ping\n");
        let seen = lobby.expect(say("퐁\n", "pong\n"));
        assert!(!seen.contains("private") && !seen.contains("작전"), "{seen}");

        // A member goes to the lobby, and finds the history after coming back.
        bob.send("/leave\n").expect_joined("bob");
        lobby.expect_joined("bob");
        alice.expect_line();
        bob.send(format!("/join #{key}\n"));
        bob.expect(words(say, Notice::Earlier { lines: 4 }));
        bob.expect_next("\n");
        bob.expect_next("[alice] 왔구나\n[bob] 응\n* alice 문을 닫는다\n[bob] 작전은?\n");
        bob.expect_joined("bob");
        alice.expect_joined("bob");
        lobby.expect_line();
        bob.send("/quit 잘 자\n").expect_closed();
        alice.expect_next(say("[bob]님이 퇴장했습니다. (잘 자)\n", "[bob] left. (잘 자)\n"));
        alice.send("/end\n").expect(say("방을 닫았습니다", "closed the room"));
        server.console_expect(&format!("private-{mark}"));
        // Its owner is in the lobby again.
        lobby.expect_joined("alice");
        lobby.send("/ping\n").expect_next(say("퐁\n", "pong\n"));
    });
}

#[test]
fn a_wrong_an_expired_and_an_ended_key_get_one_answer() {
    let server = TestServer::start(|config| config.empty_room_window = WINDOW);
    let mut alice = server.login("alice");
    let ended = alice.make_room();
    alice.send("/end\n").expect_joined("alice");
    let mut bob = server.login("bob");
    let expired = bob.make_room();
    bob.send("/leave\n").expect_joined("bob");
    server.console_expect_count("방이 닫혔습니다.\n", 2);
    let wrong = RoomKey::from_bits(7).show();
    let keys = [&wrong[..], &ended, &expired];
    let mut json = server.login_json("carol");
    bob.expect_joined("carol");
    let mut new_json = server.connect();
    new_json.become_json();
    let mut new = server.connect();
    new.expect("ID:");
    let mut answers = Vec::new();
    for key in keys {
        bob.send(format!("/join #{key}\n"));
        answers.push(bob.expect_line());
        bob.send(format!("/join http://192.0.2.1:9998/#{key}\n"));
        answers.push(bob.expect_line());
        new.send(format!("/join #{key}\n"));
        answers.push(new.expect_line());
        new.expect("로그인ID:");
        json.send_json(json!({"type": "command", "line": format!("/join #{key}"), "nonce": "n"}));
        answers.push(json.expect_error("no_such_room", Some("n")));
        let login =
            json!({"type": "login", "name": "dave", "room": format!("#{key}"), "nonce": "n"});
        new_json.send_json(login);
        answers.push(new_json.expect_error("no_such_room", Some("n")));
    }
    answers.dedup();
    assert_eq!(answers, [Notice::NoSuchRoom.text(Lang::Ko)]);
    // Everyone is still in the same room.
    bob.send("here\n").expect_next("[bob] here\n");
}

/// Leaves a room in which something was said. Returns its mark, and the request that leads back
/// to it.
#[track_caller]
fn leave_room_json(alice: &mut TestClient) -> (String, Value) {
    let (mark, key) = make_room_json(alice);
    alice.send_json(json!({"type": "say", "text": "remembered"}));
    alice.expect_said("alice", "remembered");
    alice.send_json(json!({"type": "command", "line": "/leave"}));
    alice.expect_message("entered");
    alice.expect_message("joined");
    (mark, json!({"type": "command", "line": format!("/join #{key}"), "nonce": "back"}))
}

#[test]
fn a_room_is_as_it_was_for_a_while_after_its_last_member() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let (mark, join) = leave_room_json(&mut alice);
    alice.send_json(join);
    let entered = alice.expect_message("entered");
    assert_eq!((&entered["room"], &entered["owner"]), (&json!(mark), &json!("alice")));
    assert_eq!(alice.expect_message("history")["events"][0]["text"], "remembered");
    alice.expect_message("joined");
    alice.expect_message("ack");
}

#[test]
fn a_room_is_gone_with_its_history_when_that_while_is_over() {
    let server = TestServer::start(|config| config.empty_room_window = WINDOW);
    let mut alice = server.login_json("alice");
    let (mark, join) = leave_room_json(&mut alice);
    server.console_expect(&format!("=== {mark} 방이 닫혔습니다.\n"));
    alice.send_json(join);
    alice.expect_error("no_such_room", Some("back"));
}

#[test]
fn a_member_who_joins_by_link_is_never_seen_in_the_lobby() {
    let server = TestServer::start(|_| {});
    let mut lobby = server.login_json("lobbyist");
    let mut alice = server.login_json("alice");
    lobby.expect_message("joined");
    let (mark, key) = make_room_json(&mut alice);
    lobby.expect_message("left");
    let mut text = server.connect();
    text.login_to(&format!("#{key}"), "bob");
    let mut json = server.connect();
    json.become_json();
    json.send_json(json!({"type": "login", "name": "carol", "room": format!("x/#{key}")}));
    let welcome = json.expect_message("welcome");
    assert_eq!((&welcome["room"], &welcome["owner"]), (&json!(mark), &json!("alice")));
    json.expect_message("joined");
    text.send("/quit\n").expect("[carol]");
    json.expect_message("left");
    drop(json);
    server.console_expect("[carol] 연결 끊김 (");
    lobby.send_json(json!({"type": "command", "line": "/ping"}));
    lobby.expect_message("pong");
}

#[test]
fn a_login_may_make_its_own_room_which_nobody_else_sees() {
    let server = TestServer::start(|_| {});
    let mut lobby = server.login_json("lobbyist");
    let mut alice = server.connect();
    alice.become_json();
    alice.send_json(
        json!({"type": "login", "name": "alice", "new_room": true, "topic": "작전", "nonce": "1"}),
    );
    let welcome = alice.expect_message("welcome");
    let mark = welcome["room"].as_str().expect("a room").to_owned();
    assert!(mark.starts_with("private-"), "{welcome}");
    let told = (&welcome["owner"], &welcome["topic"], &welcome["members"]);
    assert_eq!(told, (&json!("alice"), &json!("작전"), &json!(1)), "{welcome}");
    assert_eq!(alice.expect_message("joined")["id"], welcome["id"]);
    assert_eq!(alice.expect_message("ack")["nonce"], "1");
    alice.send_json(json!({"type": "command", "line": "/invite"}));
    let invite = alice.expect_message("invite");
    assert_eq!(invite["room"], mark);
    let mut bob = server.connect();
    bob.login_to(&format!("#{}", invite["key"].as_str().expect("a key")), "bob");
    alice.expect_message("joined");
    lobby.send_json(json!({"type": "command", "line": "/rooms"}));
    let rooms = lobby.expect_message("rooms");
    assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(1), "{rooms}");
    lobby.send_json(json!({"type": "command", "line": "/ping"}));
    lobby.expect_message("pong");
}

#[test]
fn the_topic_of_a_login_is_as_clean_as_any() {
    let server = TestServer::start(|_| {});
    let mut alice = server.connect();
    alice.become_json();
    let topic = "x\u{1b}]0;owned\u{7}\r[server] y\u{202e}\nz\u{9b}2J";
    alice.send_json(json!({"type": "login", "name": "alice", "new_room": true, "topic": topic}));
    let topic = "x[server] y z";
    assert_eq!(alice.expect_message("welcome")["topic"], topic);
    alice.expect_message("joined");
    alice.send_json(json!({"type": "command", "line": "/invite"}));
    let invite = alice.expect_message("invite");
    let mut bob = server.connect();
    bob.login_to(&format!("#{}", invite["key"].as_str().expect("a key")), "bob");
    bob.send("/topic\n");
    let told = bob.expect(topic);
    assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
}

#[test]
fn a_new_room_that_is_refused_leaves_the_login_to_come() {
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
        config.rooms_per_minute = 1;
        config.max_rooms = 2;
    });
    let login = |extra: Value| {
        let mut login = json!({"type": "login", "name": "alice", "new_room": true, "nonce": "1"});
        login
            .as_object_mut()
            .expect("an object")
            .extend(extra.as_object().cloned().unwrap_or_default());
        login
    };
    let open = |from| {
        let protocol = ("Sec-WebSocket-Protocol", "madang.json.v1");
        let mut client = WebSocketClient::open(
            server.web_address(),
            "/",
            &[protocol, ("X-Forwarded-For", from)],
        );
        client.expect_json("hello");
        client
    };
    #[track_caller]
    fn check(client: &mut WebSocketClient, login: &Value, code: &str) {
        let error = client.send_json(login).expect_json("error");
        assert_eq!((&error["code"], &error["nonce"]), (&json!(code), &json!("1")), "{error}");
    }
    let mut alice = open("203.0.113.9");
    check(&mut alice, &login(json!({"topic": "가".repeat(1_000)})), "text_too_long");
    check(&mut alice, &login(json!({"room": "lobby"})), "bad_request");
    check(&mut alice, &login(json!({"session": "x"})), "bad_request");
    check(&mut alice, &login(json!({"name": "관리자"})), "name_reserved");
    // Refused attempts were not counted.
    alice.send_json(&login(json!({}))).expect_json("welcome");
    let mut bob = open("203.0.113.9");
    check(&mut bob, &login(json!({"name": "alice"})), "name_taken");
    check(&mut bob, &login(json!({"name": "bob"})), "rooms_too_fast");
    // The name is free again.
    let carol = login(json!({"name": "bob"}));
    let mut carols = open("203.0.113.10");
    carols.send_json(&carol).expect_json("welcome");
    check(&mut open("203.0.113.11"), &login(json!({"name": "dora"})), "too_many_rooms");
    let welcome = bob.send_json(&json!({"type": "login", "name": "robert"})).expect_json("welcome");
    assert_eq!(welcome["room"], "lobby");
}

#[test]
fn invite_tells_every_way_in_and_that_it_is_not_encrypted() {
    in_both_languages(|server, say| {
        let mut alice = server.login("alice");
        let (port, web) = (server.address().port(), server.web_address().port());
        let warning = say(
            "암호화되지 않은 연결입니다. 다른 사람이 링크와 대화를 볼 수 있습니다.\n",
            "Not encrypted: others on the network can read the link and the messages.\n",
        );
        let browser = say("브라우저", "browser");
        alice.send("/invite\n").expect_next(format!(
            "  {browser}: http://127.0.0.1:{web}/\n  madang: madang 127.0.0.1:{port}\n  \
             nc: nc 127.0.0.1 {port}\n{warning}"
        ));
        let key = alice.make_room();
        let link = format!("http://127.0.0.1:{web}/#{key}");
        let first = say("로그인ID를 물으면 먼저 입력", "before your name, type");
        let ways = format!(
            "  {browser}: {link}\n  madang: madang {link}\n  nc: nc 127.0.0.1 {port}\n    \
             {first}: /join #{key}\n{warning}"
        );
        alice.send("/초대\n").expect_next(&ways);
        alice.send("/invite qr\n/ping\n").expect_next(&ways);
        let qr = alice.expect(say("퐁\n", "pong\n"));
        let lines: Vec<&str> = qr.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.len() < 24 && width < 48, "{qr}");
        assert!(lines.iter().all(|line| line.chars().count() == width), "{qr}");
        assert!(qr.chars().all(|c| "█▀▄ \n".contains(c)), "{qr}");
        alice.send("/invite me\n");
        alice.expect_next(say("사용법: /초대 [qr|단어]\n", "Usage: /invite [qr|words]\n"));
    });
}

#[test]
fn invite_for_programs_has_the_same_in_fields() {
    let server = TestServer::start(|config| {
        config.public_url = Some("https://chat.example/madang/".parse().expect("a URL"));
    });
    let mut alice = server.login_json("alice");
    let (mark, key) = make_room_json(&mut alice);
    alice.send_json(json!({"type": "command", "line": "/invite", "nonce": "i"}));
    assert_eq!(
        alice.expect_json(),
        json!({
            "type": "invite", "room": mark, "key": key, "nonce": "i", "encrypted": true,
            "link": format!("https://chat.example/madang/#{key}"),
            "madang": format!("madang https://chat.example/madang/#{key}"),
            "nc": [],
        })
    );
    assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": "i"}));
}

#[test]
fn invite_tells_no_key_with_a_way_in_the_clear_where_there_is_an_encrypted_one() {
    for (korean, nc_warning) in [
        (true, "nc 연결은 암호화되지 않습니다. 다른 사람이 대화를 볼 수 있습니다.\n"),
        (false, "nc is not encrypted: others on the network can read the messages.\n"),
    ] {
        let (browser, first) = match korean {
            true => ("브라우저", "로그인ID를 물으면 먼저 입력"),
            false => ("browser", "before your name, type"),
        };
        let lang = if korean { Lang::Ko } else { Lang::En };
        let server = TestServer::start_with_tls(|config| config.lang = lang);
        let (web, tls) = (server.web_address(), server.tls_address());
        let mut alice = server.login("alice");
        let key = alice.make_room();
        alice.send("/invite\n/ping\n").expect_next(format!(
            "  {browser}: https://{web}/#{key}\n  madang: madang https://{web}/#{key}\n  \
             openssl: openssl s_client -quiet -connect {tls}\n    {first}: /join #{key}\n"
        ));
        alice.expect_next(if korean { "퐁\n" } else { "pong\n" });

        let server = TestServer::start_with_tls(|config| {
            config.lang = lang;
            config.tls.as_mut().expect("it has a certificate").listen.clear();
        });
        let (web, port) = (server.web_address(), server.address().port());
        let mut alice = server.login("alice");
        alice.send("/invite\n").expect_next(format!(
            "  {browser}: https://{web}/\n  madang: madang https://{web}/\n  \
             nc: nc 127.0.0.1 {port}\n{nc_warning}"
        ));
        let key = alice.make_room();
        alice.send("/invite\n/ping\n").expect_next(format!(
            "  {browser}: https://{web}/#{key}\n  madang: madang https://{web}/#{key}\n"
        ));
        alice.expect_next(if korean { "퐁\n" } else { "pong\n" });
    }
}

#[test]
fn the_key_goes_out_in_invite_alone() {
    let server = TestServer::start(|config| config.empty_room_window = WINDOW);
    let mut outside = server.login("outside");
    let mut outside_json = server.login_json("outside-json");
    outside.expect_joined("outside-json");
    let mut alice = server.login_json("alice");
    let (mark, key) = make_room_json(&mut alice);
    let mut bob = server.connect();
    let mut seen = String::new();
    bob.expect("ID:");
    bob.send(format!("/join #{key}\nbob\n"));
    seen += &bob.expect("[bob]");
    bob.expect_line();
    alice.expect_message("joined");
    // Every command of a member, and every kind of mistake, with the key in it.
    let lines = [
        "안녕",
        "/me waves",
        "/topic 주제",
        "/topic",
        "/who",
        "/whois alice",
        "/rooms",
        "/history",
        "/nick robert",
        "/msg alice psst",
        "/ignore alice",
        "/ignore",
        "/ping",
        "/help",
        "/help join",
        "/lock",
    ];
    for line in lines {
        bob.send(format!("{line}\n"));
    }
    for line in
        ["/jion #KEY", "/join x#KEY x", "/who #KEY", "/nick #KEY", "/help #KEY", "/msg #KEY x"]
    {
        bob.send(format!("{}\n", line.replace("KEY", &key)));
    }
    bob.send("/ping end\n");
    seen += &bob.expect("퐁 end\n");
    for line in [
        "/topic t",
        "/mute robert 1m",
        "/unmute robert",
        "/lock",
        "/unlock",
        "/limit 9",
        "/owner robert",
        "/who",
        "/history",
        "/rooms",
        "/whois robert",
        "/quix #KEY",
    ] {
        let line = line.replace("KEY", &key);
        alice.send_json(json!({"type": "command", "line": line}));
    }
    alice.send_json(json!({"type": "history"}));
    alice.send_json(json!({"type": "login", "room": format!("#{key}"), "name": "x"}));
    alice.send_json(json!({"type": "say", "room": format!("#{key}")}));
    alice.send_json(json!({"type": format!("#{key}")}));
    alice.send_json(json!({"type": "command", "line": "/ping", "nonce": "end"}));
    seen += &alice.expect(r#""pong","nonce":"end"#);
    bob.send("/end\n/quit\n");
    seen += &bob.expect_rest();
    server.console_expect(&format!("{mark} 방이 닫혔습니다"));
    for line in ["/who", "/rooms", "/whois alice", "/history"] {
        outside.send(format!("{line}\n"));
        outside_json.send_json(json!({"type": "command", "line": line}));
        server.operate(line);
    }
    outside.send("/ping\n");
    seen += &outside.expect("퐁\n");
    outside_json.send_json(json!({"type": "command", "line": "/ping"}));
    seen += &outside_json.expect("pong");
    server.console_expect(&mark[..4]);
    seen += &server.console();

    let bare = |text: &str| text.replace('-', "").to_lowercase();
    assert!(seen.contains(&mark) && seen.contains("안녕"), "the test looks at what was sent");
    // Even eight characters of it would be too many.
    let (seen, key) = (bare(&seen), bare(&key));
    for at in 0..=key.len() - 8 {
        assert!(!seen.contains(&key[at..at + 8]), "{} in {seen}", &key[at..at + 8]);
    }
}

#[test]
fn a_member_who_knows_only_the_mark_does_not_come_in() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let (mark, _key) = make_room_json(&mut alice);
    let mut bob = server.login_json("bob");
    for line in [format!("/join {mark}"), format!("/join #{mark}"), format!("/who {mark}")] {
        bob.send_json(json!({"type": "command", "line": line, "nonce": "n"}));
        let error = bob.expect_message("error");
        assert_eq!(error["nonce"], "n", "{error}");
    }
    let login = |room: &str| json!({"type": "login", "name": "carol", "room": room, "nonce": "n"});
    let mut carol = server.connect();
    carol.become_json();
    for room in [mark.clone(), format!("#{mark}")] {
        carol.send_json(login(&room));
        let error: Value = carol.expect_message("error");
        assert_eq!(error["nonce"], "n", "{error}");
    }
}

#[test]
fn words_for_another_room_are_not_said_in_this_one() {
    let server = TestServer::start(|_| {});
    let mut lobby = server.login("lobbyist");
    let mut alice = server.connect();
    alice.login_json("alice");
    let (mark, _) = make_room_json(&mut alice);
    lobby.expect_joined("alice");
    lobby.expect_line();
    alice.send_json(json!({"type": "say", "text": "비밀", "room": mark}));
    alice.expect_said("alice", "비밀");

    // In one write, like text sent during a change of room.
    let requests = [
        json!({"type": "command", "line": "/leave"}),
        json!({"type": "say", "text": "비밀", "room": mark, "nonce": "1"}),
        json!({"type": "command", "line": "/me 속삭인다", "room": mark, "nonce": "2"}),
        json!({"type": "say", "text": "모두 안녕", "room": "lobby"}),
    ];
    alice.send(requests.map(|request| format!("{request}\n")).concat());
    alice.expect_message("entered");
    alice.expect_message("joined");
    alice.expect_error("other_room", Some("1"));
    alice.expect_error("other_room", Some("2"));
    alice.expect_said("alice", "모두 안녕");
    lobby.expect_joined("alice");
    lobby.expect_next("[alice] 모두 안녕\n");
}
