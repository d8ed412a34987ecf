//! A Redis that comes back without what it had: the servers give it back what they remember.

use std::time::{Duration, Instant};

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::cluster::ClusterConfig;
use madang_tests::{
    DEADLINE, TestClient, TestServer,
    redis::TestRedis,
    redis_proxy::{Path, RedisProxy},
};
use serde_json::{Value, json};

use super::{Cluster, expect_said, join, names::login_once_free, next, node, say};

/// Expects that a client is told of what was lost, and hears this, in any order, under ids that
/// follow each other, above `last`; returns them.
#[track_caller]
pub(super) fn expect_told_and_said(client: &mut TestClient, text: &str, last: u64) -> [u64; 2] {
    let is_it = |event: &Value| match event["type"].as_str() {
        Some("announced") => event["text"] == Notice::ServersRestored.text(Lang::Ko),
        Some("said") => event["text"] == text,
        _ => false,
    };
    let ids = std::array::from_fn(|_| {
        loop {
            let event = client.expect_json();
            if is_it(&event) {
                break event["id"].as_u64().expect("an id");
            }
        }
    });
    assert!(last < ids[0] && ids[0] + 1 == ids[1], "{ids:?} come after {last}");
    ids
}

/// What is in the room's history: ids and texts.
#[track_caller]
pub(super) fn history(client: &mut TestClient) -> Vec<(u64, String)> {
    client.send_json(json!({"type": "history", "nonce": "h"}));
    let events: Value = next(client, "history")["events"].clone();
    let events = events.as_array().expect("events").iter();
    events
        .filter(|event| event["type"] == "said")
        .map(|event| (event["id"].as_u64().expect("an id"), event["text"].to_string()))
        .collect()
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_comes_back_behind_gets_what_the_servers_remember() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    say(&mut alice, "kept");
    expect_said(&mut bob, "kept");
    let copy = cluster.redis.copy();
    let mut last = 0;
    for text in ["lost one", "lost two"] {
        say(&mut alice, text);
        last = expect_said(&mut bob, text);
    }
    next(&mut alice, "ack");
    cluster.redis.kill();
    cluster.redis.put_back(&copy);
    cluster.redis.start_again();
    say(&mut bob, "after");
    let ids = expect_told_and_said(&mut alice, "after", last);
    assert_eq!(expect_told_and_said(&mut bob, "after", last), ids);
    // Said again because the ack might be lost, it is known.
    say(&mut alice, "lost two");
    let ack = loop {
        let ack = next(&mut alice, "ack");
        if ack["nonce"] == "lost two" {
            break ack;
        }
    };
    assert_eq!(ack["id"], last);
    // A server that comes later has it all.
    let late = node(&cluster.redis);
    let mut carol = late.login_json("carol");
    let known = history(&mut carol);
    let texts: Vec<&str> = known.iter().map(|(_, text)| text.trim_matches('"')).collect();
    assert_eq!(texts, ["kept", "lost one", "lost two", "after"]);
    assert_eq!(known, history(&mut alice));
    drop((carol, late));
}

/// Alice's server says something that Redis has, and then loses, before that server hears it;
/// she is answered all the same, and may go on. `others` servers hear it.
#[track_caller]
fn check_answer_to_what_was_lost_unheard(others: usize) {
    let mut redis = TestRedis::start();
    let path = RedisProxy::start(&redis);
    let deaf = TestServer::start(|config| config.cluster = Some(ClusterConfig::at(&path.url())));
    let others: Vec<TestServer> = (0..others).map(|_| node(&redis)).collect();
    let mut listeners: Vec<TestClient> =
        others.iter().enumerate().map(|(at, it)| it.login_json(&format!("m{at}"))).collect();
    let mut alice = deaf.login_json("alice");
    say(&mut alice, "kept");
    expect_said(&mut alice, "kept");
    let copy = redis.copy();
    path.set(Path::Deaf);
    say(&mut alice, "lost");
    let deadline = Instant::now() + DEADLINE;
    while !redis.ask("XREVRANGE madang:room:lobby:log + - COUNT 1").contains("lost") {
        assert!(Instant::now() < deadline, "it is not appended");
    }
    for listener in &mut listeners {
        while next(listener, "said")["text"] != "lost" {}
    }
    redis.kill();
    redis.put_back(&copy);
    path.set(Path::Open);
    redis.start_again();
    say(&mut alice, "after");
    let (mut heard, mut acked) = (Vec::new(), Vec::new());
    while heard.len() < 2 || acked.len() < 2 {
        let message = alice.expect_json();
        match message["type"].as_str() {
            Some("said") => heard.push((message["id"].clone(), message["text"].clone())),
            Some("ack") => acked.push((message["id"].clone(), message["nonce"].clone())),
            _ => {}
        }
    }
    assert_eq!(acked, heard, "each is acknowledged under its id, once");
    let texts: Vec<&Value> = heard.iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["lost", "after"]);
    drop((alice, listeners, deaf, others));
}

#[test]
#[ignore = "needs redis-server"]
fn what_redis_lost_before_any_server_heard_it_is_said_again() {
    check_answer_to_what_was_lost_unheard(0);
}

#[test]
#[ignore = "needs redis-server"]
fn what_redis_lost_and_another_server_has_heard_is_said_once() {
    check_answer_to_what_was_lost_unheard(1);
}

#[test]
#[ignore = "needs redis-server"]
fn an_emptied_redis_gets_rooms_names_and_sessions_back() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    for client in [&mut alice, &mut bob] {
        assert_eq!(join(client, "math")["room"], "math");
    }
    say(&mut alice, "one and one");
    let id = expect_said(&mut bob, "one and one");
    cluster.redis.lose_everything();
    cluster.redis.start_again();
    say(&mut alice, "two");
    let ids = expect_told_and_said(&mut alice, "two", id);
    assert_eq!(expect_told_and_said(&mut bob, "two", id), ids);
    // Both names are taken, and whoever leaves frees one.
    for (name, server) in [("alice", 1), ("bob", 0)] {
        let mut other = cluster.nodes[server].connect();
        other.become_json();
        other.send_json(json!({"type": "login", "name": name}));
        assert_eq!(next(&mut other, "error")["code"], "name_taken");
    }
    alice.send_json(json!({"type": "command", "line": "/quit"}));
    assert_eq!(next(&mut bob, "left")["user"], "alice");
    let mut alice = login_once_free(&cluster.nodes[1], "alice");
    assert_eq!(join(&mut alice, "math")["members"], 2);
    let late = node(&cluster.redis);
    let mut carol = late.login_json("carol");
    join(&mut carol, "math");
    let known = history(&mut carol);
    assert_eq!(known[0], (id, "\"one and one\"".to_owned()));
    drop((carol, late));
}

#[test]
#[ignore = "needs redis-server"]
fn rooms_go_on_after_redis_has_all_sessions_again() {
    let mut cluster = Cluster::start(2);
    let _clients = ["alice", "bob"].map(|name| cluster.nodes[0].login_json(name));
    cluster.redis.lose_everything();
    cluster.redis.start_again();
    let deadline = Instant::now() + DEADLINE;
    while cluster.redis.keys("madang:run").iter().all(|key| key != "madang:run") {
        assert!(Instant::now() < deadline, "rooms do not go on");
    }
    // A server that is killed from now on takes no session with it.
    assert_eq!(cluster.redis.keys("madang:session:").len(), 2);
}

#[test]
#[ignore = "needs redis-server"]
fn who_takes_a_name_that_redis_has_lost_comes_after_its_bearer_has_left() {
    let cluster = Cluster::start(2);
    let alice = cluster.nodes[0].login_json("alice");
    let names = cluster.redis.keys("madang:name:");
    let mut bob = cluster.nodes[1].login_json("bob");
    assert_eq!(names.len(), 2, "how it is spelled, and how it looks");
    cluster.redis.ask(&format!("DEL {}", names.join(" ")));
    let mut again = cluster.nodes[1].login_json("alice");
    let left = next(&mut bob, "left");
    let joined = next(&mut bob, "joined");
    assert_eq!((&left["user"], &joined["user"]), (&json!("alice"), &json!("alice")));
    assert_eq!(left["id"].as_u64().map(|id| id + 1), joined["id"].as_u64());
    say(&mut again, "it is me");
    expect_said(&mut bob, "it is me");
    drop(alice);
}

#[test]
#[ignore = "needs redis-server"]
fn whoever_was_on_a_server_that_died_before_the_loss_leaves_all_the_same() {
    let mut redis = TestRedis::start();
    let node = || {
        TestServer::start(|config| {
            let (lease, settling) = (Duration::from_secs(1), Duration::from_secs(1));
            let cluster = ClusterConfig { lease, settling, ..ClusterConfig::at(&redis.url()) };
            config.cluster = Some(cluster);
            config.resume_window = Duration::from_secs(4);
        })
    };
    let (goes, stays) = (node(), node());
    let mut alice = goes.login_json("alice");
    let mut bob = stays.login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    say(&mut bob, "before");
    expect_said(&mut bob, "before");
    drop(goes);
    let dead = |key: &String| key.ends_with(":dead");
    // Her burial begins, and is forgotten.
    let deadline = Instant::now() + DEADLINE;
    while !redis.keys("madang:server:").iter().any(dead) {
        assert!(Instant::now() < deadline, "a server that stops is not buried");
    }
    redis.lose_everything();
    redis.start_again();
    assert_eq!(next(&mut bob, "left")["user"], "alice");
}
