//! The metrics of a server that takes part in a cluster.

use std::time::Instant;

use madang_server::cluster::ClusterConfig;
use madang_tests::{DEADLINE, TestServer, redis::TestRedis};
use serde_json::json;

use super::{expect_said, next, say};
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
