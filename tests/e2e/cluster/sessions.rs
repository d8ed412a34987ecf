//! Sessions that are resumed on another server than the one that they were on.

use std::{thread, time::Duration};

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::cluster::ClusterConfig;
use madang_tests::{DEADLINE, TestClient, TestServer};
use serde_json::{Value, json};

use crate::coming_back::{Member, present};

use super::{Cluster, expect_said, join, names::login_once_free, next, say};

impl Member {
    /// Resets the connection. The server has noticed when this returns.
    #[track_caller]
    fn lose_connection(&mut self, server: &TestServer) {
        let before = server.console().matches("연결 끊김").count();
        std::mem::replace(&mut self.client, server.connect()).reset();
        server.console_expect_count("연결 끊김", before + 1);
    }

    /// Resumes the session on a server, having received the private events up to `private`.
    #[track_caller]
    pub(super) fn resume(&mut self, server: &TestServer, room: &str, private: u64) -> Value {
        self.present_to(server, room, private);
        let welcome = next(&mut self.client, "welcome");
        assert_eq!(welcome["resumed"], true, "{welcome}");
        welcome
    }

    pub(super) fn present_to(&mut self, server: &TestServer, room: &str, private: u64) {
        self.client = present(server, &self.token, room, self.last, private);
    }
}

#[track_caller]
fn id(message: &Value) -> u64 {
    message["id"].as_u64().unwrap_or_else(|| panic!("no id in {message}"))
}

#[track_caller]
fn command(client: &mut TestClient, line: &str, kind: &str) -> Value {
    client.send_json(json!({"type": "command", "line": line, "nonce": line}));
    next(client, kind)
}

#[test]
#[ignore = "needs redis-server"]
fn a_member_who_resumes_on_another_server_gets_what_it_missed_and_nobody_is_told() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    let mut bob = other.login("bob");
    alice.last = id(&next(&mut alice.client, "joined"));
    alice.lose_connection(one);
    bob.send("one\ntwo\n").expect("[bob] two\n");
    let welcome = alice.resume(other, "lobby", 0);
    assert_eq!(
        (&welcome["user"], &welcome["session"], &welcome["members"]),
        (&json!("alice"), &json!(alice.token), &json!(2))
    );
    assert_eq!(id(&welcome), alice.last);
    for (text, after) in [("one", 1), ("two", 2)] {
        assert_eq!(expect_said(&mut alice.client, text), alice.last + after);
    }
    say(&mut alice.client, "back");
    assert_eq!(expect_said(&mut alice.client, "back"), alice.last + 3);
    bob.expect_next("[alice] back\n");
    // And there again.
    alice.last += 3;
    alice.lose_connection(other);
    bob.send("three\n").expect_next("[bob] three\n");
    alice.resume(one, "lobby", 0);
    assert_eq!(expect_said(&mut alice.client, "three"), alice.last + 1);
    say(&mut alice.client, "here");
    bob.expect_next("[alice] here\n");
    // Whoever ends the session ends it everywhere.
    alice.client.send_json(json!({"type": "command", "line": "/quit"}));
    bob.expect("[alice]");
    alice.present_to(other, "lobby", 0);
    alice.client.expect_error("session_unknown", None);
    login_once_free(other, "alice");
}

#[test]
#[ignore = "needs redis-server"]
fn a_session_moves_with_its_whispers_and_its_connection_is_closed() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut first = Member::login(one, "alice");
    let mut bob = other.login_json("bob");
    for text in ["psst", "hush"] {
        command(&mut bob, &format!("/msg alice {text}"), "ack");
        assert_eq!(next(&mut first.client, "whisper")["text"], text);
    }
    command(&mut first.client, "/ignore bob", "ack");
    let mut second = Member { client: other.connect(), ..Member::login(other, "nobody") };
    (second.token, second.last) = (first.token.clone(), first.last);
    second.resume(other, "lobby", 1);
    let whisper = next(&mut second.client, "whisper");
    assert_eq!((&whisper["text"], &whisper["private"]), (&json!("hush"), &json!(2)));
    assert_eq!(next(&mut first.client, "bye")["reason"], "replaced");
    first.client.expect_closed();
    // Her ignore list came along, too.
    assert_eq!(command(&mut bob, "/msg alice again", "error")["code"], "ignored");
    command(&mut second.client, "/unignore bob", "ack");
    command(&mut bob, "/msg alice again", "ack");
    assert_eq!(next(&mut second.client, "whisper")["private"], 3);
}

#[test]
#[ignore = "needs redis-server"]
fn of_many_that_come_back_on_two_servers_at_once_one_stays_in_its_room() {
    let cluster = Cluster::start(2);
    let mut alice = Member::login(&cluster.nodes[0], "alice");
    let mut bob = cluster.nodes[1].login("bob");
    alice.last = id(&next(&mut alice.client, "joined"));
    alice.lose_connection(&cluster.nodes[0]);
    let mut comers = Vec::new();
    for round in 0..20 {
        let node = |at: usize| &cluster.nodes[at % 2];
        comers.extend((0..6).map(|at| present(node(at), &alice.token, "lobby", alice.last, 0)));
        // One that hears the first line may be replaced before the second: by the end, one is left.
        for text in [format!("round {round}"), format!("still {round}")] {
            bob.send(format!("{text}\n")).expect_next(format!("[bob] {text}\n"));
            comers.retain_mut(|comer| hears(comer, &text));
        }
        assert_eq!(comers.len(), 1, "of one session, in round {round}");
    }
}

/// Whether a member hears a line in the lobby, or is replaced.
#[track_caller]
fn hears(member: &mut TestClient, text: &str) -> bool {
    loop {
        let message = member.expect_json();
        match message["type"].as_str() {
            Some("bye") if message["reason"] == "replaced" => return false,
            Some("bye" | "error") => panic!("{message}"),
            Some("welcome") => assert_eq!(message["room"], "lobby", "{message}"),
            _ if message["text"] == text => return true,
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_message_repeated_on_another_server_is_said_once() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    let mut bob = other.login("bob");
    say(&mut alice.client, "once");
    let said = expect_said(&mut alice.client, "once");
    bob.expect("[alice] once\n");
    join(&mut alice.client, "math");
    alice.client.send_json(json!({"type": "say", "text": "sum", "nonce": "n2"}));
    let sum = expect_said(&mut alice.client, "sum");
    alice.lose_connection(one);
    alice.last = sum;
    assert_eq!(alice.resume(other, "math", 0)["room"], "math");
    for (nonce, expected) in [("once", said), ("n2", sum)] {
        alice.client.send_json(json!({"type": "say", "text": "twice?", "nonce": nonce}));
        let ack = next(&mut alice.client, "ack");
        assert_eq!((&ack["nonce"], id(&ack)), (&json!(nonce), expected));
    }
    say(&mut alice.client, "more");
    assert_eq!(expect_said(&mut alice.client, "more"), sum + 1);
}

#[test]
#[ignore = "needs redis-server"]
fn owner_and_mutes_stay_what_they_are_in_a_private_room() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    let room = command(&mut alice.client, "/new", "entered")["room"].as_str().map(str::to_owned);
    let room = room.expect("a room");
    let key = command(&mut alice.client, "/invite", "invite")["key"].as_str().map(str::to_owned);
    let key = key.expect("a key");
    let mut bob = Member::login(one, "bob");
    join(&mut bob.client, &format!("#{key}"));
    command(&mut alice.client, "/mute bob", "muted");
    // Both come back where nobody has had the room open.
    for member in [&mut alice, &mut bob] {
        member.lose_connection(one);
        member.last = 0;
        let welcome = member.resume(other, "lobby", 0);
        assert_eq!((&welcome["room"], &welcome["owner"]), (&json!(room), &json!("alice")));
    }
    say(&mut bob.client, "may I?");
    assert_eq!(next(&mut bob.client, "error")["code"], "muted");
    assert_eq!(command(&mut alice.client, "/lock", "locked")["user"], "alice");
    let written = cluster.redis.on_disk();
    for secret in [&alice.token, &bob.token, &key] {
        assert!(!written.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[test]
#[ignore = "needs redis-server"]
fn sessions_outlive_a_server_that_stops_for_a_while() {
    let mut cluster = Cluster::start(1);
    let window = Duration::from_secs(2);
    let settings = ClusterConfig::at(&cluster.redis.url());
    let other = TestServer::start(|config| {
        config.cluster = Some(settings);
        config.resume_window = window;
    });
    let one = &cluster.nodes[0];
    let (mut alice, _carol) = (Member::login(one, "alice"), Member::login(one, "carol"));
    let _dave = one.login("dave");
    let mut bob = other.login("bob");
    alice.last = id(&next(&mut alice.client, "joined"));
    cluster.nodes[0].stop();
    // People at a terminal have left.
    let left = |name: &str| format!("[{name}]님이 퇴장했습니다.\n");
    bob.expect(left("dave"));
    alice.resume(&other, "lobby", 0);
    say(&mut alice.client, "still here");
    bob.expect_next("[alice] still here\n");
    // Her name is held for the other.
    let mut newcomer = other.connect();
    newcomer.become_json();
    newcomer.send_json(json!({"type": "login", "name": "carol"}));
    assert_eq!(next(&mut newcomer, "error")["code"], "name_taken");
    bob.expect_next(left("carol"));
    login_once_free(&other, "carol");
    bob.expect_next("[carol]님이 입장했습니다.\n[carol]님이 퇴장했습니다.\n");
    say(&mut alice.client, "and now?");
    bob.expect_next("[alice] and now?\n");
    drop(other);
}

#[test]
#[ignore = "needs redis-server"]
fn a_member_banned_while_away_cannot_resume_on_another_server() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    alice.lose_connection(one);
    one.operate("/ban alice");
    one.console_expect("alice");
    alice.present_to(other, "lobby", 0);
    assert_eq!(next(&mut alice.client, "bye")["reason"], "banned");
    alice.client.expect_closed();
}

/// Says something over HTTP; returns the status, and the token to go on with.
#[track_caller]
fn post(server: &TestServer, name: &str, token: Option<&str>, text: &str) -> (String, String) {
    let mut client = TestClient::connect(server.web_address());
    let token = token.map(|token| format!("Token: {token}\r\n")).unwrap_or_default();
    client.send(format!(
        "POST /rooms/lobby HTTP/1.1\r\nHost: localhost\r\nName: {name}\r\n{token}\
         Connection: close\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    ));
    let response = client.expect_rest();
    let status = response.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = response.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned());
    (status, body.unwrap_or_default())
}

#[test]
#[ignore = "needs redis-server"]
fn messages_over_http_go_on_on_any_server() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut bob = other.login("bob");
    let (status, token) = post(one, "carol", None, "first");
    assert_eq!(status, "200");
    bob.expect("[carol] first\n");
    for (server, text) in [(other, "second"), (one, "third"), (one, "fourth"), (other, "fifth")] {
        assert_eq!(post(server, "carol", Some(&token), text).0, "200");
        bob.expect_next(format!("[carol] {text}\n"));
    }
    assert_eq!(post(other, "carol", None, "another").0, "409");
}

#[test]
#[ignore = "needs redis-server"]
fn messages_with_one_token_take_turns_on_two_servers() {
    const ROUNDS: usize = 5;
    let cluster = Cluster::start(2);
    let mut bob = cluster.nodes[0].login("bob");
    let (_, token) = post(&cluster.nodes[0], "carol", None, "first");
    bob.expect("[carol] first\n");
    for round in 0..ROUNDS {
        thread::scope(|scope| {
            for at in 0..6 {
                let (server, token) = (&cluster.nodes[at % 2], &token);
                scope.spawn(move || {
                    let answer = post(server, "carol", Some(token), &format!("{round} {at}"));
                    assert_eq!(answer, ("200".to_owned(), token.clone()), "{round} {at}");
                });
            }
        });
        let mut said: Vec<String> = (0..6).map(|_| bob.expect_line()).collect();
        said.sort_unstable();
        let expected = (0..6).map(|at| format!("[carol] {round} {at}"));
        assert!(said.iter().cloned().eq(expected), "{said:?}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_client_without_a_session_gets_its_old_name_back_from_another_server() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    let mut bob = other.login("bob");
    alice.lose_connection(one);
    let mut again = other.connect();
    again.become_json();
    again.send_json(json!({"type": "login", "name": "alice", "previous": alice.token}));
    assert_eq!(next(&mut again, "welcome")["user"], "alice");
    bob.expect("[alice]님이 퇴장했습니다.\n[alice]님이 입장했습니다.\n");
}

#[test]
#[ignore = "needs redis-server"]
fn while_redis_is_away_nobody_comes_back_but_may_try_again() {
    let mut cluster = Cluster::start(2);
    let mut alice = Member::login(&cluster.nodes[0], "alice");
    alice.lose_connection(&cluster.nodes[0]);
    cluster.redis.kill();
    let other = &cluster.nodes[1];
    alice.present_to(other, "lobby", 0);
    alice.client.expect_error("unavailable", None);
    cluster.redis.start_again();
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        alice.client.send_json(json!({
            "type": "login", "session": alice.token, "room": "lobby", "last": alice.last,
        }));
        let answer = alice.client.expect_json();
        if answer["type"] == "welcome" {
            assert_eq!((&answer["resumed"], &answer["user"]), (&json!(true), &json!("alice")));
            break;
        }
        assert_eq!(answer["text"], Notice::Unavailable.text(Lang::Ko), "{answer}");
        assert!(std::time::Instant::now() < deadline, "it stays away");
    }
    say(&mut alice.client, "at last");
    expect_said(&mut alice.client, "at last");
}

#[test]
#[ignore = "needs redis-server"]
fn a_session_that_was_kicked_from_the_lobby_is_kept_out_on_every_server_until_that_is_lifted() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    let mut bob = Member::login(one, "bob");
    let mut carol = other.login_json("carol");
    // One is connected, the other is not; both sessions are over then.
    bob.lose_connection(one);
    for name in ["alice", "bob"] {
        other.operate(&format!("/kick {name}"));
        while next(&mut carol, "kicked")["user"] != name {}
    }
    assert_eq!(next(&mut alice.client, "bye")["reason"], "kicked");
    alice.client.expect_closed();
    alice.present_to(other, "lobby", 0);
    alice.client.expect_error("kicked", None);
    bob.present_to(other, "lobby", 0);
    assert_eq!(next(&mut bob.client, "bye")["reason"], "kicked");
    for member in [&mut alice, &mut bob] {
        for server in [one, other] {
            member.present_to(server, "lobby", 0);
            member.client.expect_error("kicked", None);
        }
    }
    for name in ["alice", "bob"] {
        one.operate(&format!("/unkick {name}"));
        while next(&mut carol, "unkicked")["user"] != name {}
    }
    for member in [&mut alice, &mut bob] {
        member.present_to(other, "lobby", 0);
        member.client.expect_error("session_unknown", None);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_member_kicked_while_its_server_is_gone_is_told_so_on_another() {
    let mut cluster = Cluster::start(2);
    let mut alice = Member::login(&cluster.nodes[1], "alice");
    let mut bob = Member::login(&cluster.nodes[0], "bob");
    let room = command(&mut alice.client, "/new", "entered")["room"].clone();
    let key = command(&mut alice.client, "/invite", "invite")["key"].as_str().map(str::to_owned);
    join(&mut bob.client, &format!("#{}", key.expect("a key")));
    cluster.nodes[0].stop();
    command(&mut alice.client, "/kick bob", "kicked");
    bob.last = 0;
    let welcome = bob.resume(&cluster.nodes[1], "lobby", 0);
    assert_eq!(welcome["room"], Value::Null, "{welcome}");
    let removed = &welcome["removed"];
    assert_eq!(
        (&removed["type"], &removed["by"], &removed["room"]),
        (&json!("kicked"), &json!("alice"), &room)
    );
}

#[test]
#[ignore = "needs redis-server"]
fn a_reply_finds_its_way_whoever_has_moved_to_another_server() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = Member::login(one, "alice");
    let mut bob = Member::login(one, "bob");
    command(&mut alice.client, "/msg bob psst", "ack");
    assert_eq!(next(&mut bob.client, "whisper")["text"], "psst");
    for (moves, stays) in [(0, 1), (1, 0)] {
        let members = [&mut alice, &mut bob];
        members[moves].lose_connection(one);
        members[moves].resume(other, "lobby", 1);
        // Bob answers, wherever either is.
        command(&mut members[1].client, &format!("/reply {stays}"), "ack");
        while next(&mut members[0].client, "whisper")["text"] != format!("{stays}") {}
    }
    command(&mut alice.client, "/quit", "bye");
    while next(&mut bob.client, "left")["user"] != "alice" {}
    let refusal = command(&mut bob.client, "/reply gone", "error");
    assert_eq!(refusal["text"], Notice::NoWhisper.text(Lang::Ko));
}

#[test]
#[ignore = "needs redis-server"]
fn the_operator_mutes_members_whose_server_is_gone_and_they_take_it_along() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[1].login_json("alice");
    let mut bob = Member::login(&cluster.nodes[0], "bob");
    let mut carol = Member::login(&cluster.nodes[0], "carol");
    cluster.nodes[0].operate("/mute carol");
    while next(&mut alice, "muted")["user"] != "carol" {}
    join(&mut bob.client, "math");
    cluster.nodes[0].stop();
    // The room of one of them is open here only when somebody is in it.
    let mut dave = cluster.nodes[1].login_json("dave");
    join(&mut dave, "math");
    cluster.nodes[1].operate("/mute bob");
    assert_eq!(next(&mut dave, "muted")["user"], "bob");
    cluster.nodes[1].operate("/unmute carol");
    assert_eq!(next(&mut alice, "unmuted")["user"], "carol");
    (bob.last, carol.last) = (0, 0);
    bob.resume(&cluster.nodes[1], "math", 0);
    say(&mut bob.client, "refused");
    assert_eq!(next(&mut bob.client, "error")["code"], "muted");
    join(&mut bob.client, "lobby");
    say(&mut bob.client, "refused, too");
    assert_eq!(next(&mut bob.client, "error")["code"], "muted");
    carol.resume(&cluster.nodes[1], "lobby", 0);
    say(&mut carol.client, "free");
    expect_said(&mut alice, "free");
}

#[test]
#[ignore = "needs redis-server"]
fn the_operators_mute_of_a_member_whose_server_is_gone_ends_on_time() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[1].login_json("alice");
    let mut bob = Member::login(&cluster.nodes[0], "bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    cluster.nodes[0].stop();
    cluster.nodes[1].operate("/mute bob 1s");
    assert_eq!(next(&mut alice, "muted")["user"], "bob");
    assert_eq!(next(&mut alice, "unmuted")["user"], "bob");
    bob.last = 0;
    bob.resume(&cluster.nodes[1], "lobby", 0);
    say(&mut bob.client, "free");
    expect_said(&mut alice, "free");
}

#[test]
#[ignore = "needs redis-server"]
fn the_operator_kicks_members_whose_server_is_gone_and_from_the_lobby_their_session_is_over() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[1].login_json("alice");
    let mut bob = Member::login(&cluster.nodes[0], "bob");
    let mut carol = Member::login(&cluster.nodes[0], "carol");
    while next(&mut alice, "joined")["user"] != "carol" {}
    join(&mut carol.client, "math");
    join(&mut alice, "math");
    let mut dave = cluster.nodes[1].login_json("dave");
    cluster.nodes[0].stop();
    cluster.nodes[1].operate("/kick carol");
    assert_eq!(next(&mut alice, "kicked")["user"], "carol");
    cluster.nodes[1].operate("/kick bob");
    assert_eq!(next(&mut dave, "kicked")["user"], "bob");
    (bob.last, carol.last) = (0, 0);
    let welcome = carol.resume(&cluster.nodes[1], "math", 0);
    assert_eq!(welcome["removed"]["room"], "math", "{welcome}");
    bob.present_to(&cluster.nodes[1], "lobby", 0);
    assert_eq!(next(&mut bob.client, "bye")["reason"], "kicked");
    bob.client.expect_closed();
}
