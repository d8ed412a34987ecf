//! Every command in JSON: its answer with the nonce and then an `ack`, or only an `error`; and
//! the events that others see.

use std::sync::atomic::{AtomicU64, Ordering};

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{TestClient, TestServer};
use serde_json::{Value, json};

/// Sends a command with a new nonce, and returns the nonce.
#[track_caller]
fn give(client: &mut TestClient, line: &str) -> String {
    // A repeated nonce would only be acknowledged.
    static LAST: AtomicU64 = AtomicU64::new(0);
    let nonce = format!("c{}", LAST.fetch_add(1, Ordering::Relaxed));
    client.send_json(json!({"type": "command", "line": line, "nonce": nonce}));
    nonce
}

/// Expects that `line` is answered by a `kind` and then acknowledged. Returns the answer
/// without its type and nonce.
#[track_caller]
fn check_answer(client: &mut TestClient, line: &str, kind: &str) -> Value {
    let nonce = give(client, line);
    let mut answer = client.expect_message(kind);
    assert_eq!(answer["nonce"], nonce, "{answer}");
    assert_eq!(client.expect_json(), json!({"type": "ack", "nonce": nonce}));
    let fields = answer.as_object_mut().expect("an object");
    fields.remove("nonce");
    fields.remove("type");
    answer
}

/// Expects that `line` becomes an event, which `others` see too, and is acknowledged. Returns
/// the event without id, time and room.
#[track_caller]
fn check_event(client: &mut TestClient, line: &str, others: &mut [&mut TestClient]) -> Value {
    let nonce = give(client, line);
    let mut event = client.expect_json();
    assert_eq!(client.expect_json(), json!({"type": "ack", "nonce": nonce}));
    for other in others {
        assert_eq!(other.expect_json(), event);
    }
    let fields = event.as_object_mut().expect("an object");
    for field in ["id", "time", "room"] {
        assert!(fields.remove(field).is_some(), "{field} is missing");
    }
    event
}

/// Expects that `line` is refused with `code`, and that nothing follows.
#[track_caller]
fn check_refused(client: &mut TestClient, line: &str, code: &str) {
    let nonce = give(client, line);
    client.expect_error(code, Some(&nonce));
    let nonce = give(client, "/ping");
    assert_eq!(client.expect_json(), json!({"type": "pong", "nonce": nonce}));
    assert_eq!(client.expect_json(), json!({"type": "ack", "nonce": nonce}));
}

#[test]
fn questions_are_answered_in_fields() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    assert_eq!(
        check_answer(&mut alice, "/who", "who"),
        json!({"room": "lobby", "count": 1, "members": ["alice"], "more": false})
    );
    assert_eq!(check_answer(&mut alice, "/who lobby", "who")["count"], 1);
    let whois = check_answer(&mut alice, "/whois ALICE", "whois");
    assert_eq!((&whois["user"], &whois["room"]), (&json!("alice"), &json!("lobby")));
    assert!(whois["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{whois}");
    assert_eq!(whois["away"], false);
    assert_eq!(
        check_answer(&mut alice, "/rooms", "rooms"),
        json!({"rooms": [{"room": "lobby", "members": 1}], "more": false})
    );
    alice.send_json(json!({"type": "say", "text": "first"}));
    let id = alice.expect_said("alice", "first");
    assert_eq!(check_answer(&mut alice, "/rooms", "rooms")["rooms"][0]["last"], id);
    // Text that isn't said gives others nothing to read.
    check_event(&mut alice, "/topic sums", &mut []);
    assert_eq!(check_answer(&mut alice, "/rooms", "rooms")["rooms"][0]["last"], id);
    assert_eq!(check_answer(&mut alice, "/ping", "pong"), json!({}));
    assert_eq!(check_answer(&mut alice, "/ping a b", "pong"), json!({"token": "a b"}));
    assert_eq!(check_answer(&mut alice, "/ignore", "ignored"), json!({"users": []}));
    assert!(check_answer(&mut alice, "/help me", "notice")["text"].is_string());
    let invite = check_answer(&mut alice, "/invite qr", "invite");
    assert_eq!((&invite["room"], &invite["encrypted"]), (&json!("lobby"), &json!(false)));
    assert!(invite.get("key").is_none() && invite["link"].is_string(), "{invite}");
    assert!(invite["qr"].as_str().is_some_and(|qr| qr.contains('█')), "{invite}");
}

#[test]
fn history_is_asked_for_before_an_id_and_in_numbers() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut ids = Vec::new();
    for at in 0..5 {
        alice.send_json(json!({"type": "say", "text": format!("{at}")}));
        ids.push(alice.expect_said("alice", &format!("{at}")));
    }
    let mut ask = |request: Value| {
        let mut request = request;
        (request["type"], request["nonce"]) = ("history".into(), format!("{request}").into());
        alice.send_json(request.clone());
        let history = alice.expect_message("history");
        assert_eq!((&history["room"], &history["more"]), (&json!("lobby"), &json!(false)));
        let ack = alice.expect_message("ack");
        assert_eq!((&history["nonce"], &ack["nonce"]), (&request["nonce"], &request["nonce"]));
        let events = history["events"].as_array().expect("a list");
        events.iter().map(|event| event["id"].as_u64().expect("an id")).collect::<Vec<_>>()
    };
    let joined = ids[0] - 1;
    assert_eq!(ask(json!({})), [&[joined][..], &ids].concat());
    assert_eq!(ask(json!({"limit": 2})), ids[3..]);
    assert_eq!(ask(json!({"before": ids[3]})), [joined, ids[0], ids[1], ids[2]]);
    assert_eq!(ask(json!({"before": ids[3], "limit": 1})), [ids[2]]);
    for nothing in [json!({"before": joined}), json!({"limit": 0}), json!({"before": 0})] {
        assert!(ask(nothing).is_empty());
    }
    assert_eq!(ask(json!({"before": u64::MAX, "limit": 1_000_000})).len(), 6);
    assert_eq!(check_answer(&mut alice, "/history 1", "history")["events"][0]["text"], "4");
}

#[test]
fn history_without_a_limit_is_all_that_is_kept() {
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut alice = server.login_json("alice");
    for at in 0..120 {
        alice.send_json(json!({"type": "say", "text": format!("{at}")}));
        alice.expect_said("alice", &format!("{at}"));
    }
    alice.send_json(json!({"type": "history", "nonce": "h"}));
    let mut count = 0;
    loop {
        let history = alice.expect_message("history");
        count += history["events"].as_array().expect("a list").len();
        if history["more"] == false {
            break;
        }
    }
    // Its own joining too.
    assert_eq!(count, 121);
}

#[test]
fn going_to_a_room_is_told_as_entered_and_joined() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login_json("bob");
    alice.expect_message("joined");
    for (line, room) in [("/join 수학", "수학"), ("/leave", "lobby"), ("/new 제목", "private-")]
    {
        let nonce = give(&mut alice, line);
        let entered = alice.expect_message("entered");
        assert!(entered["room"].as_str().is_some_and(|name| name.starts_with(room)), "{entered}");
        assert_eq!(entered["nonce"], nonce);
        let joined = alice.expect_message("joined");
        assert_eq!((&joined["id"], &joined["room"]), (&entered["id"], &entered["room"]));
        assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": nonce}));
        match line {
            "/leave" => assert_eq!(entered["members"], 2),
            "/new 제목" => {
                assert_eq!(
                    (&entered["topic"], &entered["owner"]),
                    (&json!("제목"), &json!("alice"))
                );
            }
            _ => assert!(entered.get("owner").is_none() && entered.get("topic").is_none()),
        }
        bob.expect_message(if line == "/leave" { "joined" } else { "left" });
    }
    check_refused(&mut bob, "/leave", "in_room_already");
    check_refused(&mut bob, "/join #7", "broken_link");
    check_refused(&mut bob, "/join a/b", "name_invalid");
    check_refused(&mut bob, "/join", "usage");
    check_refused(&mut bob, &format!("/new {}", "x".repeat(401)), "text_too_long");
}

#[test]
fn changes_for_everyone_are_events() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login_json("bob");
    alice.expect_message("joined");
    let mut event = |line: &str| check_event(&mut alice, line, &mut [&mut bob]);
    assert_eq!(event("/topic 주제"), json!({"type": "topic", "user": "alice", "topic": "주제"}));
    assert_eq!(event("/topic -"), json!({"type": "topic", "user": "alice", "topic": ""}));
    assert_eq!(event("/nick al"), json!({"type": "renamed", "user": "alice", "to": "al"}));

    let nonce = give(&mut alice, "/me waves\ntwice");
    let ack = alice.expect_message("ack");
    let said = alice.expect_message("said");
    assert_eq!((&ack["nonce"], &ack["id"]), (&json!(nonce), &said["id"]));
    assert_eq!((&said["text"], &said["me"]), (&json!("waves\ntwice"), &json!(true)));
    assert_eq!(bob.expect_message("said"), said);

    check_refused(&mut alice, "/topic -", "already");
    check_refused(&mut alice, "/nick al", "already");
    check_refused(&mut alice, "/nick BOB", "name_taken");
    check_refused(&mut alice, "/nick 서버", "name_reserved");
    check_refused(&mut alice, "/nick a\nb", "name_invalid");
    check_refused(&mut alice, "/me", "usage");
    check_refused(&mut alice, "/who chess", "no_such_room");
    check_refused(&mut alice, "/whois carol", "nobody");
    check_refused(&mut alice, "/stop", "unknown_command");
    check_refused(&mut alice, &format!("/quit {}", "x".repeat(401)), "text_too_long");
    alice.send_json(json!({"type": "command", "line": "/quit bye", "nonce": "q"}));
    assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": "q"}));
    assert_eq!(alice.expect_json(), json!({"type": "bye", "reason": "quit"}));
    alice.expect_closed();
    assert_eq!(bob.expect_message("left")["text"], "bye");
}

#[test]
fn whispers_are_numbered_and_reach_one_alone() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login_json("bob");
    alice.expect_message("joined");
    check_refused(&mut bob, "/reply hm", "no_whisper");
    for number in 1..=3 {
        let nonce = give(&mut alice, &format!("/msg bob one\n{number}"));
        assert_eq!(alice.expect_json(), json!({"type": "ack", "nonce": nonce}));
        let whisper = bob.expect_message("whisper");
        assert_eq!((&whisper["private"], &whisper["user"]), (&json!(number), &json!("alice")));
        assert_eq!(whisper["text"], format!("one\n{number}"));
        assert!(whisper["time"].is_string() && whisper.get("id").is_none(), "{whisper}");
    }
    let nonce = give(&mut bob, "/reply two");
    assert_eq!(bob.expect_json(), json!({"type": "ack", "nonce": nonce}));
    assert_eq!(alice.expect_message("whisper")["private"], 1);

    check_refused(&mut alice, "/msg alice x", "oneself");
    check_refused(&mut alice, "/msg carol x", "nobody");
    check_refused(&mut alice, "/msg bob", "usage");
    assert!(check_answer(&mut bob, "/ignore alice", "notice")["text"].is_string());
    assert_eq!(check_answer(&mut bob, "/ignore", "ignored"), json!({"users": ["alice"]}));
    check_refused(&mut alice, "/msg bob x", "ignored");
    check_answer(&mut bob, "/unignore alice", "notice");
    check_refused(&mut bob, "/unignore alice", "already");
    check_refused(&mut bob, "/ignore bob", "oneself");
}

#[test]
fn moderation_events_name_the_moderator() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut bob = server.login_json("bob");
    alice.expect_message("joined");
    check_refused(&mut bob, "/lock", "owner_only");
    give(&mut alice, "/new");
    let room = alice.expect_message("entered")["room"].clone();
    alice.expect_message("joined");
    alice.expect_message("ack");
    bob.expect_message("left");
    let key = check_answer(&mut alice, "/invite", "invite")["key"].clone();
    let join = format!("/join #{}", key.as_str().expect("a key"));
    give(&mut bob, &join);
    let entered = bob.expect_message("entered");
    assert_eq!((&entered["room"], &entered["owner"]), (&room, &json!("alice")));
    bob.expect_message("joined");
    bob.expect_message("ack");
    alice.expect_message("joined");

    let mut event = |line: &str| check_event(&mut alice, line, &mut [&mut bob]);
    let muted = json!({"type": "muted", "user": "bob", "by": "alice", "seconds": 600});
    assert_eq!(event("/mute bob 10m"), muted);
    assert_eq!(event("/unmute bob"), json!({"type": "unmuted", "user": "bob", "by": "alice"}));
    assert_eq!(event("/mute bob"), json!({"type": "muted", "user": "bob", "by": "alice"}));
    assert_eq!(event("/lock"), json!({"type": "locked", "user": "alice"}));
    assert_eq!(event("/unlock"), json!({"type": "unlocked", "user": "alice"}));
    assert_eq!(event("/limit 9"), json!({"type": "limited", "user": "alice", "limit": 9}));
    bob.send_json(json!({"type": "say", "text": "hm", "nonce": "m"}));
    bob.expect_error("muted", Some("m"));
    check_refused(&mut alice, "/unlock", "already");
    check_refused(&mut alice, "/kick carol", "nobody");
    check_refused(&mut alice, "/kick alice", "oneself");
    check_refused(&mut alice, "/mute bob 9x", "usage");
    check_refused(&mut bob, "/kick alice", "owner_only");
    let mut event = |line: &str| check_event(&mut alice, line, &mut [&mut bob]);
    assert_eq!(event("/owner bob"), json!({"type": "owner", "user": "bob"}));
    let mut event = |line: &str| check_event(&mut bob, line, &mut [&mut alice]);
    assert_eq!(
        event("/kick alice"),
        json!({"type": "kicked", "user": "alice", "seconds": 600, "by": "bob"})
    );
    for line in ["/who", "/topic x", "/invite", "/history", "/kick bob"] {
        let nonce = give(&mut alice, line);
        alice.expect_error("no_room", Some(&nonce));
    }
    alice.send_json(json!({"type": "history", "nonce": "h"}));
    alice.expect_error("no_room", Some("h"));
    alice.send_json(json!({"type": "say", "text": "hm", "nonce": "s"}));
    alice.expect_error("no_room", Some("s"));
    let nonce = give(&mut alice, &join);
    alice.expect_error("kicked", Some(&nonce));
    let nonce = give(&mut bob, "/unkick alice");
    let unkicked = bob.expect_message("unkicked");
    assert_eq!((&unkicked["user"], &unkicked["by"]), (&json!("alice"), &json!("bob")));
    assert_eq!(bob.expect_json(), json!({"type": "ack", "nonce": nonce}));
    check_refused(&mut bob, "/unkick alice", "already");
    give(&mut alice, &join);
    let entered = alice.expect_message("entered");
    assert_eq!((&entered["limit"], entered.get("locked")), (&json!(9), None), "{entered}");
    alice.expect_message("joined");
    alice.expect_message("ack");
    bob.expect_message("joined");
    // The owner may enter a locked room.
    check_event(&mut bob, "/lock", &mut [&mut alice]);
    give(&mut bob, "/leave");
    bob.expect_message("entered");
    bob.expect_message("joined");
    bob.expect_message("ack");
    alice.expect_message("left");
    give(&mut bob, &join);
    let entered = bob.expect_message("entered");
    assert_eq!((&entered["limit"], &entered["locked"]), (&json!(9), &json!(true)), "{entered}");
    bob.expect_message("joined");
    bob.expect_message("ack");
    alice.expect_message("joined");
    // The owner, who is named in the event, moves to the lobby. The others are in no room.
    let nonce = give(&mut bob, "/end");
    let ended = bob.expect_message("ended");
    assert_eq!((&ended["user"], &ended), (&json!("bob"), &alice.expect_json()));
    let entered = bob.expect_message("entered");
    assert_eq!((&entered["room"], &entered["nonce"]), (&json!("lobby"), &json!(nonce)));
    bob.expect_message("joined");
    assert_eq!(bob.expect_json(), json!({"type": "ack", "nonce": nonce}));
    alice.send_json(json!({"type": "say", "text": "hm", "nonce": "s2"}));
    alice.expect_error("no_room", Some("s2"));
    alice.send_json(json!({"type": "command", "line": join, "nonce": "again"}));
    alice.expect_error("no_such_room", Some("again"));
}

#[test]
fn events_by_the_operator_name_no_user() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let mut event = |line: &str| {
        server.operate(line);
        let mut event = alice.expect_json();
        for field in ["id", "time", "room"] {
            event.as_object_mut().expect("an object").remove(field);
        }
        event
    };
    assert_eq!(event("/say 안녕"), json!({"type": "announced", "text": "안녕"}));
    assert_eq!(event("mute alice 2m"), json!({"type": "muted", "user": "alice", "seconds": 120}));
    assert_eq!(event("unmute alice"), json!({"type": "unmuted", "user": "alice"}));
    assert_eq!(
        event("/내보내기 alice"),
        json!({"type": "kicked", "user": "alice", "seconds": 600})
    );
}

#[test]
fn words_in_json_are_in_the_language_of_the_session() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let no_topic = Notice::NoTopic;
    assert_eq!(check_answer(&mut alice, "/topic", "notice")["text"], no_topic.text(Lang::Ko));
    check_answer(&mut alice, "/lang en", "notice");
    alice.send_json(json!({"type": "command", "line": "/topic", "nonce": "again"}));
    assert_eq!(alice.expect_message("notice")["text"], no_topic.text(Lang::En));
    alice.expect_message("ack");
    server.operate("/mute alice");
    alice.expect_message("muted");
    alice.send_json(json!({"type": "say", "text": "hm"}));
    let muted = Notice::Muted { seconds: None };
    assert_eq!(alice.expect_error("muted", None), muted.text(Lang::En));
    alice.send_json(json!({"type": "command", "line": "/join math"}));
    alice.expect_message("entered");
    alice.expect_message("joined");
    server.operate("/kick alice");
    alice.expect_message("kicked");
    alice.send_json(json!({"type": "say", "text": "hm"}));
    assert_eq!(alice.expect_error("no_room", None), Notice::NoRoom.text(Lang::En));
    alice.send_json(json!({"type": "command", "line": "/join math"}));
    assert!(alice.expect_error("kicked", None).ends_with("in 10 minutes."));
}

/// Sends lines and returns everything they lead to.
#[track_caller]
fn all_of(client: &mut TestClient, lines: &str) -> Vec<Value> {
    client.send(lines);
    let nonce = give(client, "/ping");
    let mut messages = Vec::new();
    loop {
        match client.expect_json() {
            pong if pong["nonce"] == nonce && pong["type"] == "pong" => {
                client.expect_message("ack");
                return messages;
            }
            message => messages.push(message),
        }
    }
}

#[test]
fn a_repeated_nonce_is_answered_by_the_same_ack_and_nothing_is_done_twice() {
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut alice = server.login_json("alice");
    all_of(&mut alice, "{\"type\":\"command\",\"line\":\"/new\"}\n");
    let key = check_answer(&mut alice, "/invite", "invite")["key"].clone();
    let mut bob = server.connect();
    bob.login_to(&format!("#{}", key.as_str().expect("a key")), "bob");
    all_of(&mut alice, "");

    // What bob sees of each.
    for (at, (line, told)) in [
        ("/me waves", "* alice waves\n"),
        ("/topic maths", "-- [alice]님이 정한 주제: maths --\n"),
        ("/nick alicia", "-- [alice]님의 이름이 [alicia]로 바뀌었습니다 --\n"),
        ("/msg bob psst", "[귓속말 alicia] psst\n"),
        ("/ignore bob", ""),
        ("/unignore bob", ""),
        ("/mute bob 10m", "-- [alicia]님이 [bob]님의 채팅을 10분 동안 금지했습니다 --\n"),
        ("/unmute bob", "-- [bob]님의 채팅 금지가 풀렸습니다 --\n"),
        ("/lock", "-- [alicia]님이 방을 잠갔습니다 --\n"),
        ("/unlock", "-- [alicia]님이 방의 잠금을 풀었습니다 --\n"),
        ("/limit 9", "-- [alicia]님이 정원을 9명으로 정했습니다 --\n"),
        ("/owner bob", "-- [bob]님이 방장이 되었습니다 --\n"),
        ("/new", "[alicia]님이 퇴장했습니다.\n"),
        ("/end", ""),
        ("/join math", ""),
        ("/leave", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let nonce = format!("n{at}");
        let request = format!("{}\n", json!({"type": "command", "line": line, "nonce": nonce}));
        let answered = all_of(&mut alice, &request);
        let is_ack = |message: &&Value| message["type"] == "ack";
        let ack = answered.iter().find(is_ack).unwrap_or_else(|| panic!("{line}: {answered:?}"));
        assert_eq!(ack["id"].is_u64(), line.starts_with("/me"), "{ack}");
        bob.expect_next(told);
        // One per read, and two in one read.
        for repeated in [request.clone(), request.repeat(2)] {
            let answered = all_of(&mut alice, &repeated);
            assert_eq!(answered.len(), repeated.lines().count(), "{line}: {answered:?}");
            assert!(answered.iter().all(|answer| answer == ack), "{line}: {answered:?}");
        }
    }
    // Also before the first was carried out: both are in the same read.
    let request = json!({"type": "command", "line": "/me twice", "nonce": "twice"});
    let answered = all_of(&mut alice, &format!("{request}\n{request}\n"));
    let count = |kind: &str| answered.iter().filter(|message| message["type"] == kind).count();
    assert_eq!((count("said"), count("ack")), (1, 2), "{answered:?}");
    bob.send("/ping\n").expect_next("퐁\n");
}

#[test]
fn a_message_said_by_a_command_is_acknowledged_with_its_id_over_websocket_too() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_websocket_json("alice");
    let request = json!({"type": "command", "line": "/나 손을 흔든다", "nonce": "m"});
    alice.send_json(&request);
    let ack = alice.expect_json("ack");
    assert_eq!(alice.expect_json("said")["id"], ack["id"]);
    alice.send_json(&request);
    assert_eq!(alice.expect_json("ack"), ack);
    // A `say` with the same nonce is the same request to the server.
    alice.send_json(&json!({"type": "say", "text": "other", "nonce": "m"}));
    assert_eq!(alice.expect_json("ack"), ack);
    // Also from another room, where it could not be said any more.
    alice.send_json(&json!({"type": "command", "line": "/join math"}));
    alice.expect_json("entered");
    alice.expect_json("joined");
    alice.send_json(&json!({"type": "say", "text": "other", "room": "lobby", "nonce": "m"}));
    assert_eq!(alice.expect_json("ack"), ack);
}
