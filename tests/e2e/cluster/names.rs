//! Names are unique among several servers.

use std::time::{Duration, Instant};

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_server::cluster::ClusterConfig;
use madang_tests::{
    DEADLINE, TestClient, TestServer,
    redis::TestRedis,
    redis_proxy::{Path, RedisProxy},
};
use serde_json::{Value, json};

use super::{Cluster, next};

/// The answer to a request with this nonce: `ack`, or the code of an error.
#[track_caller]
fn answer_to(client: &mut TestClient, nonce: &str) -> String {
    loop {
        let message = client.expect_json();
        match message["type"].as_str() {
            Some("ack") if message["nonce"] == nonce => return "ack".to_owned(),
            Some("error") if message["nonce"] == nonce => {
                return message["code"].as_str().expect("a code").to_owned();
            }
            _ => {}
        }
    }
}

#[track_caller]
fn rename(client: &mut TestClient, name: &str) {
    client.send_json(json!({"type": "command", "line": format!("/nick {name}"), "nonce": name}));
}

/// Logs in under this name once it is free.
#[track_caller]
pub(super) fn login_once_free(server: &TestServer, name: &str) -> TestClient {
    let mut client = server.connect();
    client.become_json();
    let deadline = Instant::now() + DEADLINE;
    loop {
        client.send_json(json!({"type": "login", "name": name}));
        let answer: Value = loop {
            let message = client.expect_json();
            if message["type"] == "welcome" || message["type"] == "error" {
                break message;
            }
        };
        if answer["type"] == "welcome" {
            return client;
        }
        // While servers wait for each other, nobody can log in.
        assert!(["name_taken", "unavailable"].map(Value::from).contains(&answer["code"]));
        assert!(Instant::now() < deadline, "{name} stays in use");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "needs redis-server"]
fn of_two_servers_that_claim_a_name_a_thousand_times_one_gets_it_each_time() {
    let cluster = Cluster::start(2);
    let mut clients = [cluster.nodes[0].login_json("alice"), cluster.nodes[1].login_json("bob")];
    let mut won = [0, 0];
    for round in 0..1_000 {
        let name = format!("prize-{round}");
        clients.iter_mut().for_each(|client| rename(client, &name));
        let answers = clients.each_mut().map(|client| answer_to(client, &name));
        let winner = answers.iter().position(|answer| answer == "ack");
        let winner = winner.unwrap_or_else(|| panic!("nobody got {name}"));
        assert_eq!(answers[1 - winner], "name_taken", "{name}");
        won[winner] += 1;
    }
    assert_eq!(won[0] + won[1], 1_000);
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_or_its_lookalike_is_free_on_no_server_until_it_is_given_up() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut other = cluster.nodes[1].connect();
    other.become_json();
    for name in ["alice", "ALICE", "aIice"] {
        other.send_json(json!({"type": "login", "name": name}));
        let refused = next(&mut other, "error");
        assert_eq!(refused["code"], "name_taken");
        assert!(refused["text"].as_str().is_some_and(|text| text.contains("-2")), "{refused}");
    }
    // Guests of both have names of their own.
    let mut guests = [cluster.nodes[0].connect(), cluster.nodes[1].connect()];
    let names = guests.each_mut().map(|guest| {
        guest.become_json();
        guest.send_json(json!({"type": "login", "name": ""}));
        next(guest, "welcome")["user"].clone()
    });
    assert_ne!(names[0], names[1]);
    // A rename gives the old name up, and leaving the last one.
    rename(&mut alice, "carol");
    assert_eq!(answer_to(&mut alice, "carol"), "ack");
    let mut lookalike = login_once_free(&cluster.nodes[1], "aIice");
    lookalike.send_json(json!({"type": "command", "line": "/quit"}));
    alice.send_json(json!({"type": "command", "line": "/quit"}));
    drop(login_once_free(&cluster.nodes[1], "carol"));
    // So does a server that stops.
    let mut dave = cluster.nodes[0].login("dave");
    cluster.nodes[0].stop();
    dave.expect_rest();
    login_once_free(&cluster.nodes[1], "dave");
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_is_free_on_every_server_once_its_connection_is_closed() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login("alice");
    for round in 1..=40 {
        let mut next = cluster.nodes[round % 2].connect();
        next.expect("ID:");
        alice.send("/quit\n").expect_closed();
        next.send("alice\n").expect_next("[alice]님이 입장했습니다.\n");
        alice = next;
    }
}

#[test]
#[ignore = "needs redis-server"]
fn nobody_gets_a_name_while_redis_is_away() {
    let mut redis = TestRedis::start();
    let cluster = ClusterConfig { patience: Duration::ZERO, ..ClusterConfig::at(&redis.url()) };
    let server = TestServer::start(|config| config.cluster = Some(cluster));
    let mut alice = server.login_json("alice");
    redis.kill();
    let mut bob = server.connect();
    bob.become_json();
    bob.send_json(json!({"type": "login", "name": "bob"}));
    assert_eq!(next(&mut bob, "error")["code"], "unavailable");
    rename(&mut alice, "carol");
    assert_eq!(answer_to(&mut alice, "carol"), "unavailable");
    redis.start_again();
    login_once_free(&server, "bob");
    let deadline = Instant::now() + DEADLINE;
    loop {
        rename(&mut alice, "carol");
        match &*answer_to(&mut alice, "carol") {
            "ack" => break,
            _ => assert!(Instant::now() < deadline, "Redis is back"),
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn of_two_with_one_name_after_a_loss_the_later_claimant_is_asked_for_another() {
    let mut redis = TestRedis::start();
    let path = RedisProxy::start(&redis);
    // Rooms go on after a lease without a server that is missing, and nobody takes it for dead.
    let (lease, settling) = (Duration::from_secs(1), Duration::from_secs(3_600));
    let node = |url: String| {
        let cluster = ClusterConfig { lease, settling, ..ClusterConfig::at(&url) };
        TestServer::start(|config| config.cluster = Some(cluster))
    };
    let (late, stays) = (node(path.url()), node(redis.url()));
    let mut dave = stays.login_json("dave");
    let mut program = late.login_json("alice");
    let mut person = late.login("bob");
    let mut carol = late.login_json("carol");
    // What only the one knows that is missing would end it.
    while next(&mut dave, "joined")["user"] != "carol" {}
    path.set(Path::Cut);
    redis.lose_everything();
    redis.start_again();
    let first = ["alice", "bob"].map(|name| login_once_free(&stays, name));
    path.set(Path::Open);
    assert_eq!(next(&mut program, "bye")["reason"], "name_taken");
    person.expect(Notice::Goodbye(Goodbye::NameTaken).text(Lang::Ko));
    person.expect_rest();
    // Whoever comes back by name is told of a free one.
    program = late.connect();
    program.become_json();
    program.send_json(json!({"type": "login", "name": "alice"}));
    let refused = next(&mut program, "error");
    assert_eq!((&refused["code"], &refused["proposal"]), (&json!("name_taken"), &json!("alice-2")));
    program.send_json(json!({"type": "login", "name": "alice-2"}));
    next(&mut program, "welcome");
    // Everyone else stays.
    for mut client in first.into_iter().chain([program]) {
        client.send_json(json!({"type": "say", "text": "here", "nonce": "here"}));
        while next(&mut carol, "said")["text"] != "here" {}
        while next(&mut client, "ack")["nonce"] != "here" {}
    }
}
