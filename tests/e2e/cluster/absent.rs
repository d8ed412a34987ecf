//! Members whose server is gone, and who may come back to another: what the operator and others
//! can do about them meanwhile, wherever their rooms are open.

use std::time::Duration;

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::cluster::ClusterConfig;
use madang_tests::{
    TestClient, TestServer,
    redis::TestRedis,
    redis_proxy::{Path, RedisProxy},
};
use serde_json::{Value, json};

use crate::coming_back::Member;

use super::{Cluster, expect_said, join, next, say};

/// Servers; one can be cut off from the others. Nobody buries it, so a room is open on another one
/// only if somebody there has opened it.
struct Broken {
    /// First, because servers stop before their Redis does.
    lost: TestServer,
    nodes: Vec<TestServer>,
    path: RedisProxy,
    _redis: TestRedis,
}

impl Broken {
    /// With so many others.
    #[track_caller]
    fn start(others: usize) -> Broken {
        let redis = TestRedis::start();
        let path = RedisProxy::start(&redis);
        let start = |url: &str| {
            let settling = Duration::from_secs(3_600);
            let cluster = ClusterConfig { settling, ..ClusterConfig::at(url) };
            TestServer::start(|config| config.cluster = Some(cluster))
        };
        let lost = start(&path.url());
        let nodes = (0..others).map(|_| start(&redis.url())).collect();
        Broken { lost, nodes, path, _redis: redis }
    }

    fn lose(&self) {
        self.path.set(Path::Cut);
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        // It stops sooner with Redis.
        self.path.set(Path::Open);
    }
}

/// What somebody is told before they hear this said.
#[track_caller]
fn told_before(client: &mut TestClient, text: &str) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    loop {
        let message = client.expect_json();
        if message["text"] == text {
            return told;
        }
        let kind = message["type"].as_str().expect("a type").to_owned();
        if ["muted", "unmuted", "kicked"].contains(&&*kind) {
            told.push((kind, message["user"].clone()));
        }
    }
}

#[track_caller]
fn make_room(client: &mut TestClient) -> String {
    client.send_json(json!({"type": "command", "line": "/new"}));
    next(client, "entered");
    client.send_json(json!({"type": "command", "line": "/invite"}));
    next(client, "invite")["key"].as_str().expect("a key").to_owned()
}

#[test]
#[ignore = "needs redis-server"]
fn the_operator_reaches_members_whose_server_is_gone_through_servers_that_have_their_room_open() {
    let broken = Broken::start(3);
    let [operators, second, third] = &broken.nodes[..] else { unreachable!("three were started") };
    let mut bob = Member::login(&broken.lost, "bob");
    let mut carol = Member::login(&broken.lost, "carol");
    join(&mut bob.client, "math");
    let [mut dave, mut erin] = [(second, "dave"), (third, "erin")].map(|(node, name)| {
        let mut client = node.login_json(name);
        join(&mut client, "math");
        client
    });
    let mut frank = second.login_json("frank");
    let key = make_room(&mut frank);
    join(&mut carol.client, &format!("#{key}"));
    while next(&mut frank, "joined")["user"] != "carol" {}
    broken.lose();
    let answered = |line: &str, notice: &Notice<'_>, count: usize| {
        operators.operate(line);
        operators.console_expect_count(&notice.text(Lang::Ko), count);
    };
    operators.operate("/mute bob");
    operators.operate("/unmute bob");
    answered("/unmute bob", &Notice::Already, 1);
    operators.operate("/mute bob 1h");
    operators.operate("/kick bob");
    answered("/kick bob", &Notice::Nobody, 1);
    operators.operate("/kick carol");
    assert_eq!(next(&mut frank, "kicked")["user"], "carol");
    answered("/kick carol", &Notice::Nobody, 2);
    say(&mut erin, "that was all");
    let told = ["muted", "unmuted", "muted", "kicked"].map(|it| (it.to_owned(), json!("bob")));
    for client in [&mut dave, &mut erin] {
        assert_eq!(told_before(client, "that was all"), told, "each once");
    }
    // Whoever comes back is told.
    (bob.last, carol.last) = (0, 0);
    let welcome = bob.resume(third, "math", 0);
    assert_eq!(welcome["removed"]["room"], "math", "{welcome}");
    let welcome = carol.resume(operators, "math", 0);
    assert_eq!(welcome["removed"]["user"], "carol", "{welcome}");
}

#[test]
#[ignore = "needs redis-server"]
fn the_operator_reaches_members_whose_server_is_gone_in_rooms_that_nobody_else_has_open() {
    let broken = Broken::start(2);
    let [operators, other] = &broken.nodes[..] else { unreachable!("two were started") };
    let mut bob = Member::login(&broken.lost, "bob");
    let mut carol = Member::login(&broken.lost, "carol");
    join(&mut bob.client, "math");
    join(&mut carol.client, "physics");
    // It stands still, so that nobody knows whether it would answer; then it is gone.
    broken.path.set(Path::Deaf);
    operators.operate("/kick carol");
    broken.lose();
    operators.operate("/mute bob");
    (bob.last, carol.last) = (0, 0);
    bob.resume(other, "math", 0);
    for room in ["math", "lobby"] {
        if room == "lobby" {
            join(&mut bob.client, room);
        }
        say(&mut bob.client, room);
        assert_eq!(next(&mut bob.client, "error")["code"], "muted", "in {room}");
    }
    let welcome = carol.resume(other, "physics", 0);
    assert_eq!(welcome["removed"]["room"], "physics", "{welcome}");
}

/// The answer to `/whois`.
#[track_caller]
fn whois(client: &mut TestClient, name: &str) -> Value {
    client.send_json(json!({"type": "command", "line": format!("/whois {name}"), "nonce": name}));
    loop {
        let message = client.expect_json();
        if message["nonce"] == name && message["type"] != "ack" {
            return message;
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_member_whose_server_is_gone_is_away_to_whoever_looks_them_up() {
    let broken = Broken::start(2);
    let [one, other] = &broken.nodes[..] else { unreachable!("two were started") };
    let mut bob = Member::login(&broken.lost, "bob");
    let mut carol = Member::login(&broken.lost, "carol");
    let mut fred = Member::login(&broken.lost, "fred");
    join(&mut bob.client, "math");
    join(&mut fred.client, "physics");
    let mut dave = one.login_json("dave");
    join(&mut dave, "math");
    let mut erin = other.login_json("erin");
    let key = make_room(&mut erin);
    join(&mut carol.client, &format!("#{key}"));
    while next(&mut erin, "joined")["user"] != "carol" {}
    broken.lose();
    let known = |room: &Value| json!({"type": "whois", "room": room, "away": true});
    for client in [&mut dave, &mut erin] {
        let mut found = whois(client, "bob");
        assert_eq!(found["since"], Value::Null, "nobody knows when he logged in: {found}");
        let fields = found.as_object_mut().expect("an object");
        assert_eq!(fields.remove("user"), Some(json!("bob")));
        fields.remove("nonce");
        assert_eq!(found, known(&json!("math")));
        // A private room is nobody's business.
        let found = whois(client, "carol");
        assert_eq!((&found["away"], &found["room"]), (&json!(true), &Value::Null), "{found}");
        // Where nobody has the room open, it is not opened for that.
        assert_eq!(whois(client, "fred")["code"], "nobody");
        assert_eq!(whois(client, "nobody")["code"], "nobody");
    }
    one.operate("/whois fred");
    let row = Notice::Whois {
        user: "fred",
        room: Some("physics"),
        seconds: None,
        away: true,
        quiet: false,
        stream: false,
    };
    one.console_expect(&row.text(Lang::Ko));
    // Once he is back, all is known again.
    bob.last = 0;
    bob.resume(other, "math", 0);
    let found = whois(&mut dave, "bob");
    assert_eq!((&found["room"], &found["away"]), (&json!("math"), &json!(false)));
    assert!(found["since"].is_string(), "{found}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_member_who_is_banned_while_its_server_is_gone_cannot_come_back() {
    let mut cluster = Cluster::start(3);
    let mut bob = Member::login(&cluster.nodes[0], "bob");
    let mut alice = cluster.nodes[1].login_json("alice");
    cluster.nodes[0].stop();
    let [_, operators, other] = &cluster.nodes[..] else { unreachable!("three were started") };
    operators.operate("/ban bob");
    // As everyone who is away, he stays a member until he comes, or does not.
    bob.last = 0;
    bob.present_to(other, "lobby", 0);
    assert_eq!(next(&mut bob.client, "bye")["reason"], "banned");
    bob.client.expect_closed();
    while next(&mut alice, "left")["user"] != "bob" {}
}

/// Gives a command that leads to this event about this member.
#[track_caller]
fn order(client: &mut TestClient, line: &str, (event, user): (&str, &str)) {
    client.send_json(json!({"type": "command", "line": line}));
    assert_eq!(next(client, event)["user"], user, "{line}");
}

#[test]
#[ignore = "needs redis-server"]
fn owners_and_teachers_moderate_members_whose_server_is_gone() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[1].login_json("alice");
    let key = make_room(&mut alice);
    let mut bob = Member::login(&cluster.nodes[0], "bob");
    join(&mut bob.client, &format!("#{key}"));
    while next(&mut alice, "joined")["user"] != "bob" {}
    let mut pat = cluster.nodes[1].login_json("pat");
    cluster.nodes[1].operate("/teacher pat");
    next(&mut pat, "teacher");
    let mut eve = Member::login(&cluster.nodes[0], "eve");
    while next(&mut pat, "joined")["user"] != "eve" {}
    // Her room is ended, and she is in none.
    let mut carol = cluster.nodes[1].login_json("carol");
    let mut frank = cluster.nodes[1].login_json("frank");
    join(&mut carol, &format!("#{}", make_room(&mut frank)));
    frank.send_json(json!({"type": "command", "line": "/end"}));
    next(&mut carol, "ended");
    assert_eq!(next(&mut frank, "entered")["room"], "lobby");
    cluster.nodes[0].stop();
    carol.send_json(json!({"type": "command", "line": "/kick eve"}));
    assert_eq!(next(&mut carol, "error")["code"], "nobody");
    order(&mut alice, "/mute bob", ("muted", "bob"));
    order(&mut alice, "/unmute bob", ("unmuted", "bob"));
    order(&mut alice, "/owner bob", ("owner", "bob"));
    order(&mut pat, "/mute eve", ("muted", "eve"));
    eve.last = 0;
    eve.resume(&cluster.nodes[1], "lobby", 0);
    say(&mut eve.client, "refused");
    assert_eq!(next(&mut eve.client, "error")["code"], "muted");
    order(&mut pat, "/unmute eve", ("unmuted", "eve"));
    say(&mut eve.client, "free");
    expect_said(&mut pat, "free");
}

#[test]
#[ignore = "needs redis-server"]
fn members_whose_server_is_gone_are_listed_called_and_ignored() {
    let mut cluster = Cluster::start(2);
    let mut pat = cluster.nodes[1].login_json("pat");
    cluster.nodes[1].operate("/teacher pat");
    next(&mut pat, "teacher");
    let _eve = Member::login(&cluster.nodes[0], "eve");
    while next(&mut pat, "joined")["user"] != "eve" {}
    let _frank = cluster.nodes[1].login_json("frank");
    cluster.nodes[0].stop();
    pat.send_json(json!({"type": "command", "line": "/lesson"}));
    next(&mut pat, "lesson");
    order(&mut pat, "/call eve", ("called", "eve"));
    for line in ["/who after eve", "/who lobby after eve"] {
        pat.send_json(json!({"type": "command", "line": line}));
        let who = next(&mut pat, "who");
        assert_eq!(who["members"], json!(["frank"]), "{line}: {who}");
    }
    pat.send_json(json!({"type": "command", "line": "/ignore eve", "nonce": "ignore"}));
    while next(&mut pat, "ack")["nonce"] != "ignore" {}
    pat.send_json(json!({"type": "command", "line": "/ignore"}));
    assert_eq!(next(&mut pat, "ignored")["users"], json!(["eve"]));
    for line in ["/lang en", "/who"] {
        cluster.nodes[1].operate(line);
    }
    cluster.nodes[1].console_expect("3 people");
    // Neither the address nor when she spoke is known.
    cluster.nodes[1].console_expect("eve    lobby  -          -  ");
}
