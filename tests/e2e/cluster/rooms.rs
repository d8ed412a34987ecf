//! Rooms that a server follows only for as long as it has members there, or somebody asked.

use std::time::Duration;

use madang_server::cluster::ClusterConfig;
use madang_tests::{TestServer, redis::TestRedis};
use serde_json::json;

use super::{expect_said, join, next, node, private::make_room, say};
use crate::metrics::{expect_samples, tell};

/// A server that lets rooms go soon, and has metrics.
#[track_caller]
fn forgetful_node(redis: &TestRedis) -> TestServer {
    TestServer::start(|config| {
        tell(config);
        config.empty_room_window = Duration::from_secs(2);
        config.cluster = Some(ClusterConfig::at(&redis.url()));
    })
}

#[test]
#[ignore = "needs redis-server"]
fn rooms_elsewhere_are_let_go_after_somebody_asked_and_opened_again() {
    const ROOMS: usize = 20;
    let redis = TestRedis::start();
    let (home, other) = (node(&redis), forgetful_node(&redis));
    let mut people: Vec<_> = (0..ROOMS)
        .map(|number| {
            let mut person = home.login_json(&format!("user{number}"));
            join(&mut person, &format!("room{number}"));
            person
        })
        .collect();
    let mut carol = other.login_json("carol");
    for number in 0..ROOMS {
        let line = format!("/who room{number}");
        carol.send_json(json!({"type": "command", "line": line}));
        assert_eq!(next(&mut carol, "who")["members"], json!([format!("user{number}")]));
    }
    // Only the lobby is left.
    expect_samples(&other, &[("madang_rooms{kind=\"public\"}", 1.0)]);

    // Whoever joins is not let go, and misses nothing.
    assert_eq!(join(&mut carol, "room7")["members"], 2);
    say(&mut people[7], "hello");
    let id = expect_said(&mut people[7], "hello");
    assert_eq!(expect_said(&mut carol, "hello"), id);
    expect_samples(&other, &[("madang_rooms{kind=\"public\"}", 2.0)]);
    join(&mut carol, "room8");
    expect_samples(&other, &[("madang_rooms{kind=\"public\"}", 2.0)]);
    say(&mut people[7], "and now without her");
    say(&mut people[8], "but here");
    assert_ne!(expect_said(&mut carol, "but here"), id);
    expect_said(&mut people[7], "and now without her");
    // What was said while the room was not followed is there again.
    assert_eq!(join(&mut carol, "room7")["members"], 2);
    let history = next(&mut carol, "history");
    assert_eq!(history["events"][1]["text"], "and now without her", "{history}");
    say(&mut carol, "back");
    expect_said(&mut people[7], "back");
}

#[test]
#[ignore = "needs redis-server"]
fn a_private_room_is_let_go_by_those_who_left_but_not_by_its_owners_server() {
    let redis = TestRedis::start();
    let (home, other) = (node(&redis), forgetful_node(&redis));
    let mut owner = other.login_json("owner");
    let key = make_room(&mut owner, "plans");
    let mut guest = home.login_json("guest");
    join(&mut guest, &format!("#{key}"));
    expect_samples(&other, &[("madang_rooms{kind=\"private\"}", 1.0)]);
    // The owner is elsewhere, but its server will have to say when it is gone.
    join(&mut owner, "lobby");
    let mut carol = other.login_json("carol");
    join(&mut carol, "tea");
    join(&mut carol, "lobby");
    expect_samples(&other, &[("madang_rooms{kind=\"public\"}", 1.0)]);
    expect_samples(&other, &[("madang_rooms{kind=\"private\"}", 1.0)]);
    owner.send_json(json!({"type": "command", "line": "/quit"}));
    while next(&mut guest, "owner")["user"] != "guest" {}
    expect_samples(&other, &[("madang_rooms{kind=\"private\"}", 0.0)]);
}
