//! The metrics of a server that takes part in a cluster.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::cluster::ClusterConfig;
use madang_tests::{DEADLINE, TestClient, TestServer, redis::TestRedis};
use serde_json::json;

use super::{expect_said, next, say, talk_within};
use crate::metrics::{expect_samples, samples, tell};

/// A server of the cluster that has metrics.
#[track_caller]
fn node_with_metrics(redis: &TestRedis) -> TestServer {
    TestServer::start(|config| {
        tell(config);
        // Nothing is refused while the test takes its time.
        let patience = 10 * DEADLINE;
        config.cluster = Some(ClusterConfig { patience, ..ClusterConfig::at(&redis.url()) });
    })
}

#[test]
#[ignore = "needs redis-server"]
fn metrics_tell_how_entries_fare_between_the_servers_and_redis() {
    let mut redis = TestRedis::start();
    let (one, other) = (node_with_metrics(&redis), node_with_metrics(&redis));
    let mut alice = one.login_json("alice");
    let mut bob = other.login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    for number in 0..10 {
        say(&mut alice, &format!("{number}"));
        expect_said(&mut alice, &format!("{number}"));
        expect_said(&mut bob, &format!("{number}"));
    }
    // Alice's entries are joining and ten messages. Before them, her server has told the lobby of
    // the lesson, and the lesson, which is no room, of its teacher's code.
    let counted = [
        ("madang_cluster_linked", 1.0),
        ("madang_cluster_fenced", 0.0),
        ("madang_cluster_append_seconds_count", 13.0),
        ("madang_cluster_hear_seconds_count", 12.0),
        ("madang_cluster_refills_total", 0.0),
        ("madang_cluster_held_speakers", 0.0),
    ];
    expect_samples(&one, &counted);
    let samples_of_one = samples(&one);
    let [append, hear, lag] = ["append_seconds_sum", "hear_seconds_sum", "lag_seconds"]
        .map(|name| samples_of_one[&format!("madang_cluster_{name}")]);
    assert!(append > 0.0 && hear > 0.0, "{append} {hear}");
    assert!((0.0..60.0).contains(&lag), "{lag}");
    expect_samples(
        &other,
        &[("madang_cluster_append_seconds_count", 3.0), ("madang_cluster_hear_seconds_count", 2.0)],
    );

    // More than may wait: the speaker is held back until Redis is there again.
    redis.kill();
    let long = "x".repeat(4_000);
    for number in 0..100 {
        alice.send_json(json!({"type": "say", "text": long, "nonce": format!("long {number}")}));
    }
    expect_samples(&one, &[("madang_cluster_held_speakers", 1.0), ("madang_cluster_linked", 0.0)]);
    redis.start_again();
    while next(&mut alice, "ack")["nonce"] != "long 99" {}
    expect_samples(&one, &[("madang_cluster_held_speakers", 0.0), ("madang_cluster_linked", 1.0)]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_counts_the_entries_that_it_had_to_read_from_the_log() {
    let redis = TestRedis::start();
    let (one, other) = (node_with_metrics(&redis), node_with_metrics(&redis));
    let mut alice = one.login_json("alice");
    let mut bob = other.login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    let deadline = Instant::now() + DEADLINE;
    let mut said = 0.0;
    loop {
        // All who listen are cut off; those who write are not. Usually, her words are in the log
        // before anybody listens again.
        redis.cut_off_listeners();
        say(&mut alice, &format!("unheard {said}"));
        expect_said(&mut alice, &format!("unheard {said}"));
        expect_said(&mut bob, &format!("unheard {said}"));
        said += 1.0;
        let refills = samples(&other)["madang_cluster_refills_total"];
        if refills > 0.0 {
            assert!(refills <= said, "{refills} of {said}");
            return;
        }
        assert!(Instant::now() < deadline, "nothing is missed");
    }
}

#[test]
fn a_server_that_is_alone_has_no_such_metrics() {
    let server = TestServer::start(tell);
    let samples = samples(&server);
    assert!(!samples.keys().any(|name| name.contains("cluster")), "{samples:?}");
}

/// Says so many long messages as fast as it may; returns all that the room was told by id, once
/// `all` have arrived.
#[track_caller]
fn flood(client: TestClient, name: &str, own: usize, all: usize) -> BTreeMap<u64, String> {
    let padding = "x".repeat(3_900);
    talk_within(own, client, own, all, |client, number| {
        let nonce = format!("{name} {number}");
        client.send_json(
            json!({"type": "say", "text": format!("{nonce} {padding}"), "nonce": nonce}),
        );
    })
}

#[test]
#[ignore = "needs redis-server"]
fn a_flood_waits_while_redis_holds_as_much_of_a_room_as_it_may() {
    const EACH: usize = 150;
    const LOG_BYTES: usize = 256 * 1_024;
    let redis = TestRedis::start();
    let node = || {
        TestServer::start(|config| {
            tell(config);
            config.rate_limit = None;
            let entries_kept_for = Duration::from_secs(1);
            config.cluster = Some(ClusterConfig {
                log_bytes: LOG_BYTES as u64,
                entries_kept_for,
                ..ClusterConfig::at(&redis.url())
            });
        })
    };
    let (one, other) = (node(), node());
    let floods: Vec<_> = [(&one, "alice"), (&other, "bob")]
        .map(|(server, name)| (server.login_json(name), name))
        .into_iter()
        .map(|(client, name)| thread::spawn(move || flood(client, name, EACH, 2 * EACH)))
        .collect();
    let mut most = 0;
    while floods.iter().any(|flood| !flood.is_finished()) {
        most = most.max(redis.bytes_of("madang:room:lobby:log"));
        thread::sleep(Duration::from_millis(10));
    }
    let heard: Vec<_> = floods.into_iter().map(|it| it.join().expect("it has heard all")).collect();
    assert_eq!(heard[0], heard[1], "both have heard the same");
    let ids: Vec<u64> = heard[0].keys().copied().collect();
    assert!(ids.windows(2).all(|two| two[0] + 1 == two[1]), "no hole");
    // With what was on its way, and what Redis itself needs; 1.2 MB were said.
    assert!((LOG_BYTES..2 * LOG_BYTES).contains(&most), "{most} bytes");
    let waited = samples(&one)["madang_cluster_full_logs_total"];
    assert!(waited > 0.0 || samples(&other)["madang_cluster_full_logs_total"] > 0.0);
}

#[track_caller]
fn check_health(server: &TestServer, status: &str, body: &str) {
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = crate::web::answer(server.web_address(), request);
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.ends_with(body), "{answer}");
}

#[test]
#[ignore = "needs redis-server"]
fn while_redis_has_no_memory_left_everyone_is_told_and_nothing_acknowledged_is_lost() {
    let redis = TestRedis::start();
    let node = || {
        TestServer::start(|config| {
            tell(config);
            // Longer than this, so that leases run out meanwhile.
            let (patience, lease) = (Duration::ZERO, Duration::from_secs(1));
            let cluster = ClusterConfig { patience, lease, ..ClusterConfig::at(&redis.url()) };
            config.cluster = Some(cluster);
        })
    };
    let (one, other) = (node(), node());
    let mut alice = one.login_json("alice");
    let mut bob = other.login("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    say(&mut alice, "before");
    bob.expect("[alice] before\n");
    while next(&mut alice, "ack")["nonce"] != "before" {}
    redis.limit_memory(1);
    // Members are told as when it is away, and so is whoever looks after the servers.
    say(&mut alice, "waits");
    bob.send("waits, too\n");
    bob.expect(Notice::ServersAway.text(Lang::Ko));
    // What is said before may wait, too.
    while next(&mut alice, "notice")["text"] != Notice::ServersAway.text(Lang::Ko) {}
    say(&mut alice, "refused");
    loop {
        let error = next(&mut alice, "error");
        if error["nonce"] == "refused" {
            assert_eq!(error["code"], "unavailable");
            break;
        }
    }
    for server in [&one, &other] {
        expect_samples(server, &[("madang_cluster_linked", 0.0)]);
        check_health(server, "503", "not linked\n");
    }
    let mut carol = one.connect();
    carol.become_json();
    carol.send_json(json!({"type": "login", "name": "carol"}));
    assert_eq!(next(&mut carol, "error")["code"], "unavailable");
    redis.limit_memory(0);
    // It goes on by itself, nobody was taken for dead, and what waited is said once.
    bob.expect(Notice::ServersBack.text(Lang::Ko));
    bob.expect("[alice] waits\n");
    while next(&mut alice, "ack")["nonce"] != "waits" {}
    for server in [&one, &other] {
        expect_samples(server, &[("madang_cluster_linked", 1.0), ("madang_cluster_fenced", 0.0)]);
        check_health(server, "200", "ok\n");
    }
    say(&mut alice, "after");
    bob.expect("[alice] after\n");
    alice.send_json(json!({"type": "command", "line": "/who"}));
    assert_eq!(next(&mut alice, "who")["count"], 2);
}
