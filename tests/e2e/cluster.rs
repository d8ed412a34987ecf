//! Several servers as one chat, over a Redis that the test starts.

use std::{collections::BTreeMap, thread, time::Duration};

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::cluster::ClusterConfig;
use madang_tests::{TestClient, TestServer, redis::TestRedis};
use serde_json::{Value, json};

mod absent;
mod archive;
mod failover;
mod lessons;
mod metrics;
mod names;
mod orders;
mod people;
mod private;
mod restoring;
mod rooms;
mod sessions;

/// Servers that share rooms. They stop before their Redis does.
struct Cluster {
    nodes: Vec<TestServer>,
    redis: TestRedis,
}

impl Cluster {
    #[track_caller]
    fn start(nodes: usize) -> Cluster {
        let redis = TestRedis::start();
        let nodes = (0..nodes).map(|_| node(&redis)).collect();
        Cluster { nodes, redis }
    }
}

#[track_caller]
fn node(redis: &TestRedis) -> TestServer {
    TestServer::start(|config| config.cluster = Some(ClusterConfig::at(&redis.url())))
}

#[track_caller]
fn say(client: &mut TestClient, text: &str) {
    client.send_json(json!({"type": "say", "text": text, "nonce": text}));
}

/// The next message of this type.
#[track_caller]
fn next(client: &mut TestClient, kind: &str) -> Value {
    loop {
        let message = client.expect_json();
        if message["type"] == kind {
            return message;
        }
    }
}

/// Says this, and returns its id.
#[track_caller]
fn expect_said(client: &mut TestClient, text: &str) -> u64 {
    let said = next(client, "said");
    assert_eq!(said["text"], text);
    said["id"].as_u64().expect("an id")
}

#[track_caller]
fn join(client: &mut TestClient, room: &str) -> Value {
    client.send_json(json!({"type": "command", "line": format!("/join {room}")}));
    next(client, "entered")
}

#[test]
#[ignore = "needs redis-server"]
fn a_message_reaches_members_of_every_server_under_the_same_id() {
    let cluster = Cluster::start(2);
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut alice = one.login_json("alice");
    let mut bob = other.login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    say(&mut alice, "hello");
    let id = expect_said(&mut alice, "hello");
    assert_eq!(expect_said(&mut bob, "hello"), id);
    say(&mut bob, "hi");
    assert_eq!(expect_said(&mut bob, "hi"), id + 1);
    assert_eq!(expect_said(&mut alice, "hi"), id + 1);
    // Every server lists the same members, also in lines for people.
    for server in [one, other] {
        // Her name is free everywhere a moment after she has left.
        let mut carol = server.login_when_free("carol");
        carol.send("/who\n");
        carol.expect("alice");
        carol.expect("bob");
        carol.send("/quit\n");
        carol.expect_rest();
        assert_eq!(next(&mut alice, "joined")["user"], "carol");
        assert_eq!(next(&mut alice, "left")["user"], "carol");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_room_has_one_name_one_topic_and_one_history_on_all_servers() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    assert_eq!(join(&mut alice, "Math")["room"], "Math");
    alice.send_json(json!({"type": "command", "line": "/topic sums"}));
    next(&mut alice, "topic");
    say(&mut alice, "one and one");
    expect_said(&mut alice, "one and one");

    let mut bob = cluster.nodes[1].login_json("bob");
    let entered = join(&mut bob, "MATH");
    assert_eq!((&entered["room"], &entered["topic"]), (&json!("Math"), &json!("sums")));
    assert_eq!(entered["members"], 2);
    assert_eq!(next(&mut bob, "history")["events"][0]["text"], "one and one");
    // A server that starts later begins with the current state.
    let late = node(&cluster.redis);
    let mut carol = late.login_json("carol");
    assert_eq!(join(&mut carol, "math")["members"], 3);
    assert_eq!(next(&mut carol, "history")["events"][0]["text"], "one and one");
    drop((carol, late));
}

/// Says this many messages; returns everything heard in the room by id, once `all` have arrived.
#[track_caller]
fn talk(client: TestClient, name: &str, own: usize, all: usize) -> BTreeMap<u64, String> {
    // Not all at once: incoming messages have to be read meanwhile.
    talk_within(50, client, own, all, |client, number| say(client, &format!("{name} {number}")))
}

/// The same, with at most `window` messages on their way at once, each said by `say`.
#[track_caller]
fn talk_within(
    window: usize,
    mut client: TestClient,
    own: usize,
    all: usize,
    say: impl Fn(&mut TestClient, usize),
) -> BTreeMap<u64, String> {
    let (mut heard, mut acked, mut sent) = (BTreeMap::new(), 0, 0);
    while heard.len() < all || acked < own {
        while sent < own && sent < acked + window {
            say(&mut client, sent);
            sent += 1;
        }
        let message = client.expect_json();
        match message["type"].as_str() {
            Some("said") => {
                let id = message["id"].as_u64().expect("an id");
                let text = message["text"].as_str().expect("a text").to_owned();
                assert_eq!(heard.insert(id, text), None, "{id} twice");
            }
            Some("ack") => acked += 1,
            Some("joined") => {}
            _ => panic!("{message}"),
        }
    }
    heard
}

#[test]
#[ignore = "needs redis-server"]
fn fifty_thousand_messages_from_both_servers_have_one_order_without_a_hole() {
    const EACH: usize = 12_500;
    let cluster = Cluster::start(2);
    let names = ["a", "b", "c", "d"];
    let servers = cluster.nodes.iter().cycle();
    let clients: Vec<_> = names.iter().zip(servers).map(|(it, node)| node.login_json(it)).collect();
    let talks: Vec<_> = clients
        .into_iter()
        .zip(names)
        .map(|(client, name)| thread::spawn(move || talk(client, name, EACH, 4 * EACH)))
        .collect();
    let heard: Vec<_> = talks.into_iter().map(|it| it.join().expect("it has heard all")).collect();
    assert!(heard.windows(2).all(|two| two[0] == two[1]), "they have heard the same");
    let ids: Vec<u64> = heard[0].keys().copied().collect();
    assert!(ids.windows(2).all(|two| two[0] + 1 == two[1]), "no hole");
    for name in names {
        let own: Vec<&String> = heard[0].values().filter(|text| text.starts_with(name)).collect();
        let expected: Vec<String> = (0..EACH).map(|at| format!("{name} {at}")).collect();
        assert!(own.into_iter().eq(&expected), "each speaker's own order is kept");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_hundred_rooms_have_each_one_order_on_both_servers() {
    const EACH: usize = 20;
    let cluster = Cluster::start(2);
    let talks: Vec<_> = (0..100)
        .map(|room| {
            let clients = [0, 1].map(|at| {
                let mut client = cluster.nodes[at].login_json(&format!("m{room}-{at}"));
                join(&mut client, &format!("room-{room}"));
                client
            });
            let names = [0, 1].map(|at| format!("m{room}-{at}"));
            let pairs = clients.into_iter().zip(names);
            pairs
                .map(|(client, name)| thread::spawn(move || talk(client, &name, EACH, 2 * EACH)))
                .collect::<Vec<_>>()
        })
        .collect();
    for pair in talks {
        let heard: Vec<_> =
            pair.into_iter().map(|it| it.join().expect("it has heard all")).collect();
        assert_eq!(heard[0], heard[1], "both have heard the same");
        let ids: Vec<u64> = heard[0].keys().copied().collect();
        assert!(ids.windows(2).all(|two| two[0] + 1 == two[1]), "no hole");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn acknowledged_messages_survive_a_restart_of_redis_and_none_is_doubled() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    for round in 0..3 {
        let before = format!("before {round}");
        say(&mut alice, &before);
        let id = expect_said(&mut bob, &before);
        cluster.redis.restart();
        // Said while nobody listens, or before anybody knows that.
        let after = format!("after {round}");
        say(&mut alice, &after);
        // Nobody knows whether Redis has lost ids, so that no lower one is given.
        let after_id = expect_said(&mut bob, &after);
        assert!(after_id > id, "{after_id} comes after {id}");
        expect_said(&mut alice, &before);
        assert_eq!(expect_said(&mut alice, &after), after_id);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn while_redis_is_away_nothing_is_lost_and_what_is_said_then_is_refused() {
    let mut redis = TestRedis::start();
    let cluster = ClusterConfig { patience: Duration::ZERO, ..ClusterConfig::at(&redis.url()) };
    let server = TestServer::start(|config| config.cluster = Some(cluster));
    let (mut alice, mut bob) = (server.login_json("alice"), server.login("bob"));
    redis.kill();
    say(&mut alice, "into the void");
    let told = |notice: Notice<'_>, lang| notice.text(lang);
    bob.expect(told(Notice::ServersAway, Lang::Ko));
    say(&mut alice, "refused");
    let refused = next(&mut alice, "error");
    assert_eq!((&refused["code"], &refused["nonce"]), (&json!("unavailable"), &json!("refused")));
    // Asking and leaving still work.
    alice.send_json(json!({"type": "command", "line": "/who"}));
    assert_eq!(next(&mut alice, "who")["count"], 2);
    let mut carol = server.connect();
    carol.send("/quit\n");
    carol.expect_rest();
    redis.start_again();
    bob.expect(told(Notice::ServersBack, Lang::Ko));
    bob.expect("[alice] into the void\n");
    assert_eq!(next(&mut alice, "ack")["nonce"], "into the void");
    say(&mut alice, "again");
    bob.expect("[alice] again\n");
}

#[test]
#[ignore = "needs redis-server"]
fn the_members_of_a_server_that_stops_leave_and_their_room_lives_on() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    bob.send("my last words\n");
    bob.expect("[bob] my last words\n");
    cluster.nodes[1].stop();
    bob.expect_rest();
    expect_said(&mut alice, "my last words");
    assert_eq!(next(&mut alice, "left")["user"], "bob");
    // It is named as before by a server that comes in its place.
    let third = node(&cluster.redis);
    let mut bob = names::login_once_free(&third, "bob");
    assert_eq!(next(&mut alice, "joined")["user"], "bob");
    say(&mut bob, "back");
    expect_said(&mut alice, "back");
    drop((bob, third));
}
