//! Reading back from servers of a cluster whose Redis is restarted: its rooms' ids jump then, and
//! nothing is missing.

use std::{path::Path, process::Stdio};

use madang_server::{cluster::ClusterConfig, journal::JournalConfig};
use madang_tests::{TestClient, TestFolder, TestServer, redis::TestRedis};
use serde_json::{Value, json};

use crate::{client, spawn_program};

#[track_caller]
fn node(redis: &TestRedis, data: Option<&Path>) -> TestServer {
    TestServer::start(|config| {
        config.cluster = Some(ClusterConfig::at(&redis.url()));
        config.journal = data.map(JournalConfig::of);
    })
}

/// Says this; returns its id.
#[track_caller]
fn say(client: &mut TestClient, text: &str) -> u64 {
    client.send_json(json!({"type": "say", "text": text}));
    loop {
        let message = client.expect_json();
        if message["type"] == "said" && message["text"] == text {
            return message["id"].as_u64().expect("an id");
        }
    }
}

/// What `--read --since` prints until `count` messages have come: the texts of messages, and what
/// is missing as two ids.
#[track_caller]
fn read(server: &TestServer, since: u64, count: usize) -> Vec<String> {
    let (since, count) = (since.to_string(), count.to_string());
    let args = ["--read", "--quiet", "--json", "--since", &since, "--count", &count];
    let mut command = client::command(&server.address().to_string(), &args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let reader = spawn_program(&mut command).expect("the client starts");
    let output = reader.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    messages
        .filter_map(|message| match message["type"].as_str() {
            Some("said") => Some(message["text"].as_str().expect("a text").to_owned()),
            Some("gap") => Some(format!("{}-{}", message["from"], message["to"])),
            _ => None,
        })
        .collect()
}

#[test]
#[ignore = "needs redis-server"]
fn a_restart_of_redis_is_no_gap_when_reading_back_and_what_is_gone_is_one() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let mut redis = TestRedis::start();
    let (archiving, other) = (node(&redis, Some(&data)), node(&redis, None));
    let mut alice = other.login_json("alice");
    let first = say(&mut alice, "first");
    let before = say(&mut alice, "before");
    redis.restart();
    let after = say(&mut alice, "after");
    assert!(before + 1 < after, "the ids have jumped from {before} to {after}");
    // From disk and from memory.
    for server in [&archiving, &other] {
        assert_eq!(read(server, first, 2), ["before", "after"]);
        assert_eq!(read(server, before, 1), ["after"]);
        // What happened before this room was made is not missing in it.
        assert_eq!(read(server, 1, 3), ["first", "before", "after"]);
    }
    // Memory forgets the oldest.
    let texts: Vec<String> = (0..300).map(|at| format!("number {at}")).collect();
    texts.iter().for_each(|text| _ = say(&mut alice, text));
    let printed = read(&other, first, 1);
    let gap: Vec<u64> = printed[0].split('-').map(|id| id.parse().expect("an id")).collect();
    assert_eq!((printed.len(), gap[0]), (2, first + 1), "{printed:?}");
    assert!(after < gap[1], "{printed:?}");
    assert_eq!(read(&archiving, first, 302)[..3], ["before", "after", "number 0"]);
}
