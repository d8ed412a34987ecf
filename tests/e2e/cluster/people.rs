//! People of several servers: found, whispered to, kicked and muted wherever they are.

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::TestClient;
use serde_json::{Value, json};

use super::{Cluster, expect_said, join, next, say};

/// The answer of this type to a command, or the event that it causes.
#[track_caller]
fn ask(client: &mut TestClient, line: &str, kind: &str) -> Value {
    client.send_json(json!({"type": "command", "line": line, "nonce": line}));
    loop {
        let message = next(client, kind);
        if message.get("nonce").is_none_or(|nonce| nonce == line) {
            return message;
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn people_whisper_from_server_to_server() {
    let cluster = Cluster::start(3);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    let mut carol = cluster.nodes[2].login("carol");
    ask(&mut alice, "/msg bob psst", "ack");
    let whisper = next(&mut bob, "whisper");
    assert_eq!((&whisper["user"], &whisper["text"]), (&json!("alice"), &json!("psst")));
    ask(&mut bob, "/reply what?", "ack");
    let whisper = next(&mut alice, "whisper");
    assert_eq!((&whisper["user"], &whisper["text"]), (&json!("bob"), &json!("what?")));
    // Between text lines and JSON, and under another name since.
    ask(&mut alice, "/nick alicia", "ack");
    ask(&mut bob, "/reply again", "ack");
    assert_eq!(next(&mut alice, "whisper")["text"], "again");
    carol.send("/msg bob hello\n");
    let sent = Notice::WhisperSent { user: "bob", text: "hello", away: false };
    carol.expect(sent.text(Lang::Ko));
    assert_eq!(next(&mut bob, "whisper")["user"], "carol");
    carol.send("/msg nobody hello\n");
    carol.expect(Notice::Nobody.text(Lang::Ko));
    // Whoever is ignored is so from everywhere.
    ask(&mut bob, "/ignore carol", "ack");
    carol.send("/msg bob hello\n");
    carol.expect(Notice::Ignored { user: "bob" }.text(Lang::Ko));
    // Redis keeps nothing of it.
    let stored = cluster.redis.on_disk();
    for text in ["psst", "what?", "again"] {
        assert!(!stored.windows(text.len()).any(|part| part == text.as_bytes()), "{text}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_whisper_that_is_repeated_arrives_once() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    ask(&mut alice, "/msg bob psst", "ack");
    ask(&mut alice, "/msg bob psst", "ack");
    ask(&mut alice, "/msg bob once", "ack");
    let texts = [next(&mut bob, "whisper"), next(&mut bob, "whisper")].map(|it| it["text"].clone());
    assert_eq!(texts, ["psst", "once"]);
}

#[test]
#[ignore = "needs redis-server"]
fn people_and_rooms_are_found_on_every_server() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    join(&mut alice, "math");
    ask(&mut alice, "/topic sums", "topic");
    let whois = ask(&mut bob, "/whois alice", "whois");
    assert_eq!((&whois["user"], &whois["room"]), (&json!("alice"), &json!("math")));
    assert_eq!(ask(&mut bob, "/whois nobody", "error")["code"], "nobody");
    let rooms = ask(&mut bob, "/rooms", "rooms");
    let found: Vec<_> = rooms["rooms"].as_array().expect("a list").iter().collect();
    assert_eq!(found.len(), 2, "{rooms}");
    assert_eq!(
        (&found[1]["room"], &found[1]["members"], &found[1]["topic"]),
        (&json!("math"), &json!(1), &json!("sums"))
    );
    let who = ask(&mut bob, "/who math", "who");
    assert_eq!((&who["count"], &who["members"]), (&json!(1), &json!(["alice"])));
    assert_eq!(ask(&mut bob, "/who physics", "error")["code"], "no_such_room");
    // A private room is nobody's business.
    ask(&mut alice, "/new secret", "entered");
    assert_eq!(ask(&mut bob, "/whois alice", "whois")["room"], Value::Null);
}

#[test]
#[ignore = "needs redis-server"]
fn an_owner_moderates_members_of_every_server() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    ask(&mut alice, "/new", "entered");
    let key = ask(&mut alice, "/invite", "invite")["key"].as_str().expect("a key").to_owned();
    let mut carol = cluster.nodes[1].login_json("carol");
    for client in [&mut bob, &mut carol] {
        join(client, &format!("#{key}"));
    }
    ask(&mut alice, "/mute bob", "ack");
    next(&mut bob, "muted");
    say(&mut bob, "let me");
    assert_eq!(next(&mut bob, "error")["code"], "muted");
    ask(&mut alice, "/unmute bob", "ack");
    say(&mut bob, "thanks");
    expect_said(&mut alice, "thanks");
    ask(&mut alice, "/kick bob", "ack");
    assert_eq!(next(&mut bob, "kicked")["user"], "bob");
    assert_eq!(ask(&mut bob, &format!("/join #{key}"), "error")["code"], "kicked");
    ask(&mut alice, "/unkick bob", "ack");
    // Then his server knows, too.
    next(&mut carol, "unkicked");
    join(&mut bob, &format!("#{key}"));
    ask(&mut alice, "/owner bob", "ack");
    ask(&mut bob, "/kick alice", "ack");
    assert_eq!(next(&mut alice, "kicked")["user"], "alice");
}

#[test]
#[ignore = "needs redis-server"]
fn the_operator_moderates_members_of_every_server() {
    let cluster = Cluster::start(2);
    let [here, there] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut bob = there.login_json("bob");
    let mut carol = there.login("carol");
    here.operate("/who");
    here.console_expect("bob");
    here.operate("/mute bob");
    next(&mut bob, "muted");
    // The mute goes where he goes.
    join(&mut bob, "math");
    say(&mut bob, "let me");
    assert_eq!(next(&mut bob, "error")["code"], "muted");
    here.operate("/unmute bob");
    next(&mut bob, "unmuted");
    here.operate("/msg bob careful");
    assert_eq!(next(&mut bob, "whisper")["text"], "careful");
    here.operate("/kick bob");
    assert_eq!(next(&mut bob, "kicked")["user"], "bob");
    // From the lobby, one is kicked off the server.
    here.operate("/kick carol");
    carol.expect_rest();
}

#[test]
#[ignore = "needs redis-server"]
fn announcements_and_bans_of_the_operator_reach_every_server() {
    let cluster = Cluster::start(2);
    let [here, there] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = here.login_json("alice");
    let mut bob = there.login_json("bob");
    let mut carol = there.login_json("carol");
    ask(&mut carol, "/new", "entered");
    // Everyone is told once, in rooms that one server has and in those that both have.
    for text in ["lunch", "dinner"] {
        here.operate(&format!("/say {text}"));
        for client in [&mut alice, &mut bob, &mut carol] {
            assert_eq!(next(client, "announced")["text"], text);
        }
    }
    here.operate("/ban bob");
    assert_eq!(next(&mut bob, "bye")["reason"], "banned");
    // Then his name is free.
    bob.expect_closed();
    let mut again = there.connect();
    again.send("bob\n");
    again.expect(Notice::NameBanned.text(Lang::Ko));
    here.operate("/unban bob");
    let mut bob = there.login_json("bob");
    say(&mut bob, "back");
    expect_said(&mut alice, "back");
}
