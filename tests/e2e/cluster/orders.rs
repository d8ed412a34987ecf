//! What the operator and others order on one server holds on all.

use madang_protocol::{notice::Notice, text::Lang};
use serde_json::json;

use super::{Cluster, expect_said, join, next, node, private::make_room, say};

#[test]
#[ignore = "needs redis-server"]
fn a_ban_holds_on_servers_that_start_later_until_it_is_lifted() {
    let mut cluster = Cluster::start(1);
    cluster.nodes[0].operate("/ban mallory");
    cluster.nodes[0].operate("/ban trudy 1h");
    let late = node(&cluster.redis);
    let refused = Notice::NameBanned.text(Lang::Ko);
    for name in ["mallory", "TRUDY"] {
        let mut peer = late.connect();
        peer.send(format!("{name}\n"));
        peer.expect(&refused);
    }
    // Lifted on the one that was told of it only at its start.
    late.operate("/unban mallory");
    cluster.nodes.push(late);
    cluster.nodes.push(node(&cluster.redis));
    for server in &cluster.nodes {
        let mut mallory = server.login_when_free("mallory");
        mallory.send("/quit\n");
        mallory.expect_rest();
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_mute_of_all_is_announced_once_and_holds_on_every_server() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    cluster.nodes[0].operate("/mute all");
    for client in [&mut alice, &mut bob] {
        next(client, "muted");
        say(client, "refused");
        assert_eq!(next(client, "error")["code"], "muted");
    }
    cluster.nodes.push(node(&cluster.redis));
    let mut carol = cluster.nodes[2].login_json("carol");
    say(&mut carol, "refused, too");
    assert_eq!(next(&mut carol, "error")["code"], "muted");
    cluster.nodes[1].operate("/unmute all");
    next(&mut carol, "unmuted");
    say(&mut carol, "free");
    for client in [&mut alice, &mut bob] {
        // Nothing else was announced meanwhile.
        loop {
            let message = client.expect_json();
            match message["type"].as_str() {
                Some("unmuted") => break,
                Some("joined") => {}
                _ => panic!("{message}"),
            }
        }
        expect_said(client, "free");
        client.expect_nothing();
    }
}

#[test]
#[ignore = "needs redis-server"]
fn words_open_a_private_room_on_every_server() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    make_room(&mut alice, "plans");
    alice.send_json(json!({"type": "command", "line": "/invite words"}));
    let words = next(&mut alice, "invite")["words"].as_str().expect("words").to_owned();
    let mut bob = cluster.nodes[1].login_json("bob");
    assert_eq!(join(&mut bob, &words)["topic"], "plans");
}

#[test]
#[ignore = "needs redis-server"]
fn the_operator_makes_somebody_on_another_server_a_teacher() {
    let cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    cluster.nodes[1].operate("/teacher alice");
    next(&mut alice, "teacher");
}

#[test]
#[ignore = "needs redis-server"]
fn the_operators_orders_hold_when_redis_has_lost_them() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    cluster.nodes[0].operate("/ban mallory 1h");
    cluster.nodes[1].operate("/ban trudy");
    cluster.redis.lose_everything();
    cluster.redis.start_again();
    // Answered once all servers have come to the new Redis.
    say(&mut alice, "after");
    while next(&mut bob, "said")["text"] != "after" {}
    next(&mut alice, "ack");
    cluster.nodes.push(node(&cluster.redis));
    for server in &cluster.nodes {
        for name in ["mallory", "trudy"] {
            let mut peer = server.connect();
            peer.send(format!("{name}\n"));
            peer.expect(Notice::NameBanned.text(Lang::Ko));
        }
    }
    cluster.nodes[2].operate("/unban mallory");
    let mut mallory = cluster.nodes[0].login_when_free("mallory");
    mallory.send("/quit\n");
    mallory.expect_rest();
}
