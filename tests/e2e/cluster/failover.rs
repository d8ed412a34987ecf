//! A replica that takes the place of its primary, and a Redis that refuses to write.

use std::{
    thread,
    time::{Duration, Instant},
};

use madang_server::cluster::ClusterConfig;
use madang_tests::{
    DEADLINE, TestClient, TestServer,
    redis::{TestRedis, free_port},
    redis_proxy::RedisProxy,
};

use super::{
    expect_said, next, node,
    restoring::{expect_told_and_said, history},
    say,
};

/// What names no Redis at all.
const NOWHERE: &str = "127.0.0.1 1";

/// A Redis with a replica, a path that leads to one of them, and two servers that use it.
struct Pair {
    /// First, because servers stop before their Redis does.
    nodes: [TestServer; 2],
    path: RedisProxy,
    primary: TestRedis,
    replica: TestRedis,
    /// Of the replica.
    port: u16,
}

impl Pair {
    #[track_caller]
    fn start() -> Pair {
        let (own, port) = (free_port(), free_port());
        let primary = TestRedis::start_at(own);
        let replica = TestRedis::start_replica(port, own);
        let path = RedisProxy::start(&primary);
        let nodes = [(); 2].map(|()| node_on(&path));
        Pair { nodes, path, primary, replica, port }
    }

    /// Alice and Bob, on a server each, in the lobby.
    #[track_caller]
    fn alice_and_bob(&self) -> [TestClient; 2] {
        let mut alice = self.nodes[0].login_json("alice");
        let bob = self.nodes[1].login_json("bob");
        while next(&mut alice, "joined")["user"] != "bob" {}
        [alice, bob]
    }

    /// Waits until the replica has this in the lobby's log, and cuts it off from its primary.
    #[track_caller]
    fn cut_replica_off_after(&self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.replica.ask("XREVRANGE madang:room:lobby:log + - COUNT 1").contains(text) {
            assert!(Instant::now() < deadline, "it is not replicated");
            thread::sleep(Duration::from_millis(5));
        }
        order(&self.replica, &format!("REPLICAOF {NOWHERE}"));
    }
}

#[track_caller]
fn node_on(path: &RedisProxy) -> TestServer {
    TestServer::start(|config| {
        // Nothing is refused while the test takes its time.
        let patience = 10 * DEADLINE;
        config.cluster = Some(ClusterConfig { patience, ..ClusterConfig::at(&path.url()) });
    })
}

/// Has a Redis do this.
#[track_caller]
fn order(redis: &TestRedis, command: &str) {
    let answer = redis.ask(command);
    assert!(answer.starts_with("+OK"), "{command}: {answer}");
}

/// Each of these was said once, under ids that rise, and both have the same.
#[track_caller]
fn check_histories(clients: [&mut TestClient; 2], texts: &[&str]) {
    let [one, other] = clients.map(history);
    assert_eq!(one, other);
    let known: Vec<&str> = one.iter().map(|(_, text)| text.trim_matches('"')).collect();
    assert_eq!(known, texts);
    assert!(one.is_sorted_by(|earlier, later| earlier.0 < later.0), "{one:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_promoted_replica_gets_the_last_messages_from_the_servers() {
    let mut pair = Pair::start();
    let [mut alice, mut bob] = pair.alice_and_bob();
    say(&mut alice, "kept");
    expect_said(&mut bob, "kept");
    pair.cut_replica_off_after("kept");
    let mut last = 0;
    for text in ["lost one", "lost two"] {
        say(&mut alice, text);
        last = expect_said(&mut bob, text);
    }
    while next(&mut alice, "ack")["nonce"] != "lost two" {}
    order(&pair.replica, "REPLICAOF NO ONE");
    pair.path.lead_to(&pair.replica);
    pair.primary.kill();
    pair.path.cut();
    say(&mut bob, "after");
    let ids = expect_told_and_said(&mut alice, "after", last);
    assert_eq!(expect_told_and_said(&mut bob, "after", last), ids);
    // Said again because the ack might be lost, it is known.
    say(&mut alice, "lost two");
    let ack = next(&mut alice, "ack");
    assert_eq!((&ack["nonce"], ack["id"].as_u64()), (&"lost two".into(), Some(last)));
    let texts = ["kept", "lost one", "lost two", "after"];
    check_histories([&mut alice, &mut bob], &texts);
    // A server that comes later has it all.
    let late = node(&pair.replica);
    let mut carol = late.login_json("carol");
    check_histories([&mut carol, &mut alice], &texts);
    drop((carol, late));
}

#[test]
#[ignore = "needs redis-server"]
fn a_replica_that_is_promoted_late_is_waited_for() {
    let mut pair = Pair::start();
    let [mut alice, mut bob] = pair.alice_and_bob();
    say(&mut alice, "before");
    let last = expect_said(&mut bob, "before");
    expect_said(&mut alice, "before");
    pair.cut_replica_off_after("before");
    pair.path.lead_to(&pair.replica);
    pair.primary.kill();
    pair.path.cut();
    say(&mut bob, "meanwhile");
    for node in &pair.nodes {
        node.console_expect("this Redis is a read-only replica");
    }
    order(&pair.replica, "REPLICAOF NO ONE");
    assert!(expect_said(&mut alice, "meanwhile") > last);
    say(&mut alice, "after");
    expect_said(&mut bob, "meanwhile");
    expect_said(&mut bob, "after");
    check_histories([&mut alice, &mut bob], &["before", "meanwhile", "after"]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_primary_that_lives_on_as_a_replica_is_left() {
    let pair = Pair::start();
    let [mut alice, mut bob] = pair.alice_and_bob();
    say(&mut alice, "before");
    let last = expect_said(&mut bob, "before");
    expect_said(&mut alice, "before");
    // Nobody cuts the connections to the old one, which repeats what the new one publishes.
    pair.path.lead_to(&pair.replica);
    order(&pair.replica, "REPLICAOF NO ONE");
    order(&pair.primary, &format!("REPLICAOF 127.0.0.1 {}", pair.port));
    let began = Instant::now();
    say(&mut bob, "after");
    assert!(expect_said(&mut alice, "after") > last);
    expect_said(&mut bob, "after");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    check_histories([&mut alice, &mut bob], &["before", "after"]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_has_too_few_replicas_is_waited_for() {
    let redis = TestRedis::start();
    let path = RedisProxy::start(&redis);
    let server = node_on(&path);
    let mut alice = server.login_json("alice");
    order(&redis, "CONFIG SET min-replicas-to-write 1");
    say(&mut alice, "meanwhile");
    server.console_expect("fewer replicas than its min-replicas-to-write");
    order(&redis, "CONFIG SET min-replicas-to-write 0");
    assert_eq!(next(&mut alice, "ack")["nonce"], "meanwhile");
    expect_said(&mut alice, "meanwhile");
    check_histories([&mut server.login_json("bob"), &mut alice], &["meanwhile"]);
}
