//! What the operator and others order on one server holds on all.

use std::time::Instant;

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{DEADLINE, TestServer};
use serde_json::json;

use super::{Cluster, expect_said, join, next, node, private::make_room, say};

/// Waits until the server's console lists this ban, and no other.
#[track_caller]
fn wait_for_only_ban(server: &TestServer, banned: &str) {
    let (deadline, end) = (Instant::now() + DEADLINE, Notice::Nobody.text(Lang::Ko));
    loop {
        let before = server.console().len();
        server.operate("/bans");
        // Answered after it.
        server.operate("/whois nobody-at-all");
        let mut shown = String::new();
        while !shown.contains(&end) {
            assert!(Instant::now() < deadline, "{shown}");
            std::thread::yield_now();
            shown = server.console()[before..].to_owned();
        }
        let bans = shown.lines().filter_map(|line| line.strip_prefix("  "));
        if bans.eq([banned]) {
            return;
        }
    }
}

/// Expects that a name is banned on a server.
#[track_caller]
fn check_banned(server: &TestServer, name: &str) {
    let mut peer = server.connect();
    peer.expect("ID:");
    peer.send(format!("{name}\n")).expect_next(Notice::NameBanned.text(Lang::Ko));
}

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
fn orders_given_while_redis_is_away_hold_everywhere_once_it_is_back() {
    let mut cluster = Cluster::start(2);
    let mut alice = cluster.nodes[0].login_json("alice");
    let mut bob = cluster.nodes[1].login_json("bob");
    while next(&mut alice, "joined")["user"] != "bob" {}
    cluster.nodes[1].operate("/ban trudy");
    cluster.redis.kill();
    cluster.nodes[0].operate("/ban mallory");
    cluster.nodes[0].operate("/unban trudy");
    cluster.nodes[0].operate("/mute all");
    // The operator is told, and here it holds at once.
    cluster.nodes[0].console_expect_count(&Notice::OrderWaits.text(Lang::Ko), 3);
    check_banned(&cluster.nodes[0], "mallory");
    cluster.redis.start_again();
    for client in [&mut alice, &mut bob] {
        next(client, "muted");
        say(client, "refused");
        while next(client, "error")["code"] != "muted" {}
    }
    wait_for_only_ban(&cluster.nodes[1], "mallory");
    let late = node(&cluster.redis);
    for server in cluster.nodes.iter().chain([&late]) {
        check_banned(server, "mallory");
        let mut trudy = server.login_when_free("trudy");
        trudy.send("psst\n").expect_next(Notice::Muted { seconds: None }.text(Lang::Ko));
        trudy.send("/quit\n");
        trudy.expect_rest();
    }
    cluster.nodes[1].operate("/unmute all");
    for client in [&mut alice, &mut bob] {
        next(client, "unmuted");
    }
    drop(late);
}

#[test]
#[ignore = "needs redis-server"]
fn a_kick_from_a_room_that_has_ended_is_known_and_lifted_everywhere() {
    let mut cluster = Cluster::start(0);
    for _ in 0..2 {
        let settings = madang_server::cluster::ClusterConfig::at(&cluster.redis.url());
        cluster.nodes.push(TestServer::start(|config| {
            config.cluster = Some(settings);
            config.empty_room_window = std::time::Duration::from_millis(50);
        }));
    }
    let [one, other] = &cluster.nodes[..] else { unreachable!("two were started") };
    let mut bob = one.login("bob");
    bob.send("/join math\n").expect("[bob]님이 입장했습니다.\n");
    one.operate("/kick bob");
    one.console_expect("math 방이 닫혔습니다");
    let kicked = Notice::NameKicked { seconds: 600 }.text(Lang::Ko);
    let mut peer = other.connect();
    peer.expect("ID:");
    peer.send("alice\n").expect("[alice]님이 입장했습니다.\n");
    // Where the room never was, also under the name that the session has now.
    bob.send("/nick robert\n").expect("robert");
    let mut named_so = super::names::login_once_free(other, "bob");
    named_so.send_json(json!({"type": "command", "line": "/join math", "nonce": "j"}));
    assert_eq!(next(&mut named_so, "error")["text"], kicked);
    other.operate("/unkick robert");
    assert_eq!(join(&mut named_so, "MATH")["members"], 1);
    bob.send("/join math\n").expect("[robert]님이 입장했습니다.\n");
    one.operate("/unkick robert");
    one.console_expect(&Notice::Already.text(Lang::Ko));
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
