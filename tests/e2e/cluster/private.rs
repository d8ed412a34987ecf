//! Private rooms of several servers: open by their link on each, and sealed in Redis.

use std::{
    iter, thread,
    time::{Duration, Instant},
};

use madang_protocol::room::RoomKey;
use madang_server::cluster::ClusterConfig;
use madang_tests::{DEADLINE, TestClient, TestServer, redis::TestRedis};
use serde_json::{Value, json};

use super::{Cluster, expect_said, join, next, node, say};

/// Makes a private room with a topic, and returns its key.
#[track_caller]
pub(super) fn make_room(owner: &mut TestClient, topic: &str) -> String {
    owner.send_json(json!({"type": "command", "line": format!("/new {topic}")}));
    next(owner, "entered");
    owner.send_json(json!({"type": "command", "line": "/invite"}));
    next(owner, "invite")["key"].as_str().expect("a key").to_owned()
}

fn refusal_of_join(client: &mut TestClient, key: &str) -> Value {
    client.send_json(json!({"type": "command", "line": format!("/join #{key}")}));
    next(client, "error")["code"].clone()
}

#[test]
#[ignore = "needs redis-server"]
fn a_private_room_is_open_by_its_link_on_every_server() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let key = make_room(&mut alice, "plans");
    say(&mut alice, "before he came");
    let id = expect_said(&mut alice, "before he came");

    let mut bob = cluster.nodes[1].login_json("bob");
    let entered = join(&mut bob, &format!("#{key}"));
    assert_eq!(
        (&entered["topic"], &entered["owner"], &entered["members"]),
        (&json!("plans"), &json!("alice"), &json!(2))
    );
    assert_eq!(next(&mut bob, "history")["events"][0]["id"], id);
    while next(&mut alice, "joined")["user"] != "bob" {}
    say(&mut bob, "hi");
    assert_eq!(expect_said(&mut alice, "hi"), expect_said(&mut bob, "hi"));
    // The owner may do with it what owners may, wherever the others are.
    alice.send_json(json!({"type": "command", "line": "/lock"}));
    assert_eq!(next(&mut bob, "locked")["user"], "alice");
    let late = node(&cluster.redis);
    let mut carol = late.login_json("carol");
    assert_eq!(refusal_of_join(&mut carol, &key), "room_locked");
    // Any other key opens nothing.
    let other = RoomKey::from_bits(1).show();
    assert_eq!(refusal_of_join(&mut carol, &other), "no_such_room");
    // Refused before she has left where she is.
    say(&mut carol, "still here");
    expect_said(&mut carol, "still here");
    drop((carol, late));
}

#[test]
#[ignore = "needs redis-server"]
fn redis_never_sees_what_is_private() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let key = make_room(&mut alice, "the-secret-topic");
    let mut bob = cluster.nodes[1].login_json("bob");
    let mark = join(&mut bob, &format!("#{key}"))["room"].as_str().expect("a mark").to_owned();
    for text in ["sesame", "open"] {
        say(&mut bob, text);
        expect_said(&mut alice, text);
    }
    bob.send_json(json!({"type": "command", "line": "/nick hidden-bob"}));
    assert_eq!(next(&mut alice, "renamed")["to"], "hidden-bob");

    let written = cluster.redis.on_disk();
    let holds = |word: &str| written.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(holds("\"alice\""), "what is public is readable");
    let bare = key.replace('-', "");
    for secret in ["the-secret-topic", "sesame", "hidden-bob", &key, &bare, &mark] {
        assert!(!holds(secret), "{secret}");
    }
}

#[track_caller]
fn wait_until_redis_has_none(redis: &TestRedis) {
    let deadline = Instant::now() + DEADLINE;
    while !redis.keys("madang:private:").is_empty() {
        assert!(Instant::now() < deadline, "Redis still has a private room");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_private_room_that_its_owner_ends_is_gone_everywhere() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    let key = make_room(&mut alice, "plans");
    join(&mut bob, &format!("#{key}"));
    assert!(!cluster.redis.keys("madang:private:").is_empty());
    alice.send_json(json!({"type": "command", "line": "/end"}));
    assert_eq!(next(&mut bob, "ended")["user"], "alice");
    wait_until_redis_has_none(&cluster.redis);
    assert_eq!(refusal_of_join(&mut bob, &key), "no_such_room");
}

#[test]
#[ignore = "needs redis-server"]
fn a_private_room_that_everyone_has_left_is_gone_everywhere() {
    let redis = TestRedis::start();
    let start = || {
        TestServer::start(|config| {
            config.cluster = Some(ClusterConfig::at(&redis.url()));
            config.empty_room_window = Duration::from_millis(300);
        })
    };
    let nodes = [start(), start()];
    let mut alice = nodes[0].login_json("alice");
    let mut bob = nodes[1].login_json("bob");
    // On a slow machine, it may be over before she is there.
    loop {
        alice.send_json(json!({"type": "command", "line": "/new", "nonce": "new"}));
        let mut messages = iter::repeat_with(|| alice.expect_json());
        let answer = messages.find(|it| it["type"] == "entered" || it["code"] == "no_room");
        if answer.is_some_and(|it| it["type"] == "entered") {
            break;
        }
    }
    alice.send_json(json!({"type": "command", "line": "/invite"}));
    let key = next(&mut alice, "invite")["key"].as_str().expect("a key").to_owned();
    join(&mut bob, &format!("#{key}"));
    for client in [&mut alice, &mut bob] {
        join(client, "lobby");
    }
    wait_until_redis_has_none(&redis);
    for client in [&mut alice, &mut bob] {
        assert_eq!(refusal_of_join(client, &key), "no_such_room");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_timed_mute_ends_though_the_server_that_was_to_end_it_is_gone() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let key = make_room(&mut alice, "plans");
    let mut bob = cluster.nodes[1].login_json("bob");
    join(&mut bob, &format!("#{key}"));
    while next(&mut alice, "joined")["user"] != "bob" {}
    alice.send_json(json!({"type": "command", "line": "/mute bob 2s"}));
    assert_eq!(next(&mut bob, "muted")["user"], "bob");
    let ends = Instant::now() + Duration::from_secs(2);
    cluster.nodes.remove(0);
    assert!(Instant::now() < ends, "the server was gone in time");
    assert_eq!(next(&mut bob, "unmuted")["user"], "bob");
    say(&mut bob, "at last");
    expect_said(&mut bob, "at last");
}
