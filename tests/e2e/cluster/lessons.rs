//! A lesson whose teacher and pupils are on different servers.

use madang_protocol::{notice::LessonNotice, text::Lang};
use madang_server::{
    cluster::ClusterConfig,
    config::{Config, TeacherCode},
};
use madang_tests::{TestClient, TestServer, redis::TestRedis};
use serde_json::{Value, json};

use super::Cluster;
use crate::lesson::{CODE, Program as _, words};

/// Two servers that speak English; tests know the code of the first.
#[track_caller]
fn two_servers() -> Cluster {
    let redis = TestRedis::start();
    let code = |config: &mut Config| {
        config.teacher_code = Some(TeacherCode::parse(CODE).expect("a code"));
    };
    let nodes = vec![english(&redis, code), english(&redis, |_| {})];
    Cluster { nodes, redis }
}

#[track_caller]
fn english(redis: &TestRedis, change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::start(|config| {
        config.lang = Lang::En;
        config.cluster = Some(ClusterConfig::at(&redis.url()));
        change(config);
    })
}

/// A teacher on the second server, by the code of the first, with a lesson that has begun.
#[track_caller]
fn begin(cluster: &Cluster) -> TestClient {
    let mut kim = cluster.nodes[1].login_json("Kim");
    kim.command(&format!("/teach {CODE}"));
    assert_eq!(kim.next("teacher")["user"], "Kim");
    kim.command("/lesson Pointers");
    let begun = kim.next("lesson");
    assert_eq!((&begun["state"], &begun["title"]), (&json!("begun"), &json!("Pointers")));
    kim
}

fn id_of(event: &Value) -> u64 {
    event["id"].as_u64().expect("an id")
}

#[track_caller]
fn refused(client: &mut TestClient, line: &str) -> String {
    let nonce = format!("refuses {line}");
    client.ask(json!({"type": "command", "line": line, "nonce": nonce}));
    loop {
        let message = client.expect_json();
        if message["nonce"] == *nonce {
            assert_eq!(message["type"], "error", "{message}");
            return message["code"].as_str().expect("a code").to_owned();
        }
    }
}

#[track_caller]
fn done(client: &mut TestClient, line: &str) {
    client.command(line);
    while client.next("ack")["nonce"] != line {}
}

#[test]
#[ignore = "needs redis-server"]
fn hands_and_polls_of_pupils_on_both_servers_are_one() {
    let cluster = two_servers();
    let mut bob = cluster.nodes[0].login_json("bob");
    let mut kim = begin(&cluster);
    let mut eve = cluster.nodes[1].login("eve");
    eve.send("/hand What is a pointer?\n");
    let first = kim.next("hand");
    assert_eq!((&first["user"], &first["place"]), (&json!("eve"), &json!(1)));
    done(&mut bob, "/hand");
    // Said again, it was done.
    done(&mut bob, "/hand");
    let second = kim.next("hand");
    assert_eq!((&second["user"], &second["place"]), (&json!("bob"), &json!(2)));
    assert_eq!(refused(&mut bob, "/hand"), "hand_up");
    kim.command("/call");
    let called = kim.next("called");
    assert_eq!(called["user"], "eve");
    eve.expect("[Kim] called on [eve]");

    kim.command("/poll Lunch? / rice / soup");
    let poll = kim.next("poll");
    // Whoever votes has seen the poll, on their server.
    bob.next("poll");
    bob.ask(json!({"type": "vote", "choice": 1, "nonce": "1"})).next("ack");
    bob.ask(json!({"type": "vote", "choice": 2, "nonce": "2"})).next("ack");
    eve.send("/2\n");
    eve.expect(words(LessonNotice::Voted { choice: "soup" }));
    kim.command("/poll");
    let mut tally = kim.next("tally");
    while tally["nonce"] != "/poll" {
        tally = kim.next("tally");
    }
    let progress = (&tally["answered"], &tally["members"], &tally["waiting"]);
    assert_eq!(progress, (&json!(2), &json!(2), &json!([])));
    kim.command("/poll end");
    let ended = kim.next("poll_ended");
    assert_eq!((&ended["counts"], &ended["answered"]), (&json!([0, 2]), &json!(2)));
    assert_eq!(refused(&mut bob, "/1"), "poll_over");

    // The same events have the same ids on both servers, each once.
    let mut carol = cluster.nodes[0].login_json("carol");
    carol.command("/history");
    let history = carol.next("history");
    let ids: Vec<u64> = history["events"].as_array().expect("events").iter().map(id_of).collect();
    for event in [&first, &second, &called, &poll, &ended] {
        assert_eq!(ids.iter().filter(|id| **id == id_of(event)).count(), 1, "{event}");
    }
}
