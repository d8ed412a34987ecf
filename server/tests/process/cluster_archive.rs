//! A server of a cluster that archives: it is killed while others talk, and its disk hangs or fails.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use madang_tests::{TestClient, TestFolder, redis::TestRedis};
use serde_json::{Value, json};

use crate::{
    cluster::node,
    disk::FailingDisk,
    incoming::PATIENCE,
    journal::{saved, text, wait_for},
    server_process::{ServerProcess, command},
};

#[track_caller]
fn archive(redis: &TestRedis, data: &Path) -> ServerProcess {
    let flags = ["--cluster", &redis.url(), "--rate-limit", "off", "--data", text(data)];
    ServerProcess::start_as(command().args(flags))
}

/// Says these numbers, each after the one before was heard; adds what was heard to `heard`.
#[track_caller]
fn say(client: &mut TestClient, numbers: Range<usize>, heard: &mut BTreeMap<u64, String>) {
    for number in numbers {
        let text = format!("number {number}");
        client.send_json(json!({"type": "say", "text": text, "nonce": text}));
        let mut said = wait_for(client, "said");
        while said["text"] != text {
            said = wait_for(client, "said");
        }
        heard.insert(said["id"].as_u64().expect("an id"), text);
    }
}

/// What of the archive was said, and how many gaps it has.
fn archived(data: &Path, room: &str) -> (BTreeMap<u64, String>, usize) {
    let events = saved(data, room);
    let gaps = events.iter().filter(|event| event["type"] == "gap").count();
    let said = events.iter().filter(|event| event["type"] == "said");
    let of = |event: &Value| {
        let text = event["text"].as_str().expect("a text");
        (event["id"].as_u64().expect("an id"), text.to_owned())
    };
    let all: Vec<_> = said.map(of).collect();
    let said: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(said.len(), all.len(), "nothing twice");
    (said, gaps)
}

#[test]
#[ignore = "needs redis-server"]
fn an_archive_that_is_killed_again_and_again_lacks_nothing_in_the_end() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let other = node(&redis);
    let mut alice = TestClient::connect(other.address);
    alice.login_json("alice");
    alice.send_json(json!({"type": "command", "line": "/join math"}));
    wait_for(&mut alice, "entered");
    let mut heard = BTreeMap::new();
    for round in 0..4 {
        let server = archive(&redis, &data);
        // It is killed wherever it is: before it has found the room, while it catches up, or after.
        let first = 300 * round;
        say(&mut alice, first..first + 25 * round, &mut heard);
        drop(server);
        say(&mut alice, first + 25 * round..first + 300, &mut heard);
    }
    let server = archive(&redis, &data);
    say(&mut alice, 1_200..1_210, &mut heard);
    let mut bob = TestClient::connect(server.address);
    bob.login_json("bob");
    bob.send_json(json!({"type": "command", "line": "/join math"}));
    wait_for(&mut bob, "entered");
    bob.send_json(json!({"type": "history", "limit": 1, "nonce": "h"}));
    // Answered from the disk, which has it all by then.
    while wait_for(&mut bob, "history")["nonce"] != "h" {}
    assert_eq!(archived(&data, "math"), (heard, 0));
}

#[test]
#[ignore = "needs cc and redis-server"]
fn a_disk_that_hangs_or_fails_delays_no_member_of_an_archive() {
    for order in ["hang", "write", "sync"] {
        let (redis, disk) = (TestRedis::start(), FailingDisk::new());
        let server = disk.start_server_with(&["--cluster", &redis.url()]);
        let other = node(&redis);
        let mut alice = TestClient::connect(server.address);
        assert_eq!(alice.login_json("alice")["archived"], true);
        let mut carol = TestClient::connect(other.address);
        carol.login_json("carol");
        let mut heard = BTreeMap::new();
        say(&mut alice, 0..10, &mut heard);
        disk.order(order);
        // More than speakers may be ahead of the disk on a server of its own.
        let long = "x".repeat(4_000);
        for number in 10..1_500 {
            let nonce = format!("n{number}");
            alice.send_json(json!({"type": "say", "text": long, "nonce": nonce}));
            let ack = loop {
                let ack = wait_for(&mut alice, "ack");
                if ack["nonce"] == nonce {
                    break ack;
                }
            };
            assert_eq!(ack["durable"], Value::Null, "{order}: {ack}");
            heard.insert(ack["id"].as_u64().expect("an id"), long.clone());
        }
        say(&mut carol, 1_500..1_501, &mut BTreeMap::new());
        disk.order("");
        // Everything was kept in memory meanwhile.
        let deadline = Instant::now() + PATIENCE;
        while archived(&disk.data(), "lobby").0.len() != heard.len() + 1 {
            assert!(Instant::now() < deadline, "{order}: it is not archived");
            thread::sleep(Duration::from_millis(100));
        }
        let (mut said, gaps) = archived(&disk.data(), "lobby");
        assert_eq!(said.pop_last().map(|(_, text)| text).as_deref(), Some("number 1500"));
        assert_eq!((said, gaps), (heard, 0), "{order}");
        drop((alice, carol, server, other));
    }
}
