//! A lesson whose teacher and pupils are on different servers.

use std::time::Duration;

use madang_protocol::{notice::LessonNotice, text::Lang};
use madang_server::{
    cluster::ClusterConfig,
    config::{Config, TeacherCode},
};
use madang_tests::{TestClient, TestFolder, TestServer, redis::TestRedis};
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

/// Makes a lesson run on the first server; the teacher is there, too.
#[track_caller]
fn teach_on(server: &TestServer, name: &str) -> TestClient {
    let mut teacher = server.login_json(name);
    teacher.command(&format!("/teach {CODE}"));
    teacher.next("teacher");
    teacher
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

#[test]
#[ignore = "needs redis-server"]
fn rules_and_questions_hold_on_both_servers_and_redis_never_sees_what_is_secret() {
    let cluster = two_servers();
    let mut kim = begin(&cluster);
    let mut bob = cluster.nodes[0].login_json("bob");
    done(&mut bob, "/ask Why is the moon made of cheese?");
    let asked = kim.next("asked");
    assert_eq!(asked["text"], "Why is the moon made of cheese?");
    assert!(!asked.to_string().contains("bob"), "{asked}");
    assert_eq!(refused(&mut bob, "/ask And again?"), "slow");
    done(&mut kim, "/listen on");
    assert_eq!(bob.next("listen")["on"], true);
    assert_eq!(said_or_refused(&mut bob, "hello"), "listening");
    // She is on the other server, and sees what he asked; he sees what everyone does.
    bob.command("/hand It is me, the hidden one");
    assert_eq!(kim.next("hand_text")["text"], "It is me, the hidden one");
    assert!(bob.next("hand")["text"].is_null());
    done(&mut kim, "/call");
    bob.next("called");
    assert_eq!(said_or_refused(&mut bob, "now I may"), "said");
    done(&mut kim, "/listen off");
    bob.next("listen");
    done(&mut kim, "/slow 60s");
    bob.next("slow");
    assert_eq!(said_or_refused(&mut bob, "first"), "said");
    assert_eq!(said_or_refused(&mut bob, "second"), "slow");
    done(&mut kim, "/poll Secret? / yes-indeed / not-at-all");
    bob.next("poll");
    bob.ask(json!({"type": "vote", "choice": 2, "nonce": "vote"})).next("ack");
    // A line with the code is refused on every server.
    assert_eq!(said_or_refused(&mut kim, &format!("it is {CODE}")), "code_in_text");

    let written = cluster.redis.on_disk();
    let holds = |word: &str| written.windows(word.len()).any(|part| part == word.as_bytes());
    // What everyone is told stands in the rooms.
    assert!(holds("Secret?") && holds("now I may"));
    for secret in
        [CODE, "moon made of cheese", "the hidden one", "choice\":2", "Questioned", "Voted"]
    {
        assert!(!holds(secret), "Redis has seen {secret:?}");
    }
}

/// Says something, and returns `said` or the code of the refusal.
#[track_caller]
fn said_or_refused(client: &mut TestClient, text: &str) -> String {
    client.ask(json!({"type": "say", "text": text, "nonce": text}));
    loop {
        let message = client.expect_json();
        if message["nonce"] == text {
            return match message["type"] == "ack" {
                true => "said".to_owned(),
                false => message["code"].as_str().expect("a code").to_owned(),
            };
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_starts_in_a_lesson_takes_part_and_attendance_has_everyone() {
    let cluster = two_servers();
    let mut kim = begin(&cluster);
    let mut bob = cluster.nodes[0].login_json("bob");
    // A room that only his server has open.
    bob.command("/join Group-1");
    bob.next("entered");
    assert_eq!(said_or_refused(&mut bob, "we are done"), "said");
    done(&mut kim, "/poll Ready? / yes / no");
    let late = english(&cluster.redis, |_| {});
    let mut carol = late.login_json("carol");
    let dave = late.login("dave");
    carol.ask(json!({"type": "vote", "choice": 1, "nonce": "vote"})).next("ack");
    done(&mut carol, "/hand");
    let hand = kim.next("hand");
    assert_eq!((&hand["user"], &hand["place"]), (&json!("carol"), &json!(1)));
    // A group that is new there is in the lesson, too.
    done(&mut carol, "/join Group-2");
    done(&mut kim, "/slow 60s");
    carol.next("slow");
    assert_eq!(said_or_refused(&mut carol, "first"), "said");
    assert_eq!(said_or_refused(&mut carol, "second"), "slow");
    kim.command("/poll end");
    let ended = kim.next("poll_ended");
    assert_eq!((&ended["counts"], &ended["members"]), (&json!([1, 0]), &json!(3)));
    kim.command("/attendance");
    let attendance = kim.next("attendance");
    let people = attendance["people"].as_array().expect("people");
    let of = |name: &str| {
        let person = people.iter().find(|person| person["user"] == name);
        let person = person.unwrap_or_else(|| panic!("{name} is not in {attendance}"));
        [&person["here"], &person["lines"], &person["hands"], &person["polls"]].map(Value::clone)
    };
    assert_eq!(people.len(), 3, "{attendance}");
    assert_eq!(of("bob"), [json!(true), json!(1), json!(0), json!(0)]);
    assert_eq!(of("carol"), [json!(true), json!(1), json!(1), json!(1)]);
    assert_eq!(of("dave"), [json!(true), json!(0), json!(0), json!(0)]);
    drop((carol, dave, late));
}

#[test]
#[ignore = "needs redis-server"]
fn when_a_server_is_gone_its_hands_go_down_once_and_its_teacher_teaches_on_another() {
    let redis = TestRedis::start();
    let settings = |config: &mut Config| {
        config.teacher_code = Some(TeacherCode::parse(CODE).expect("a code"));
        config.resume_window = Duration::from_secs(2);
    };
    let stays = english(&redis, settings);
    let goes = english(&redis, settings);
    let mut kim = goes.connect();
    let welcome = kim.login_json("Kim");
    kim.command(&format!("/teach {CODE}")).next("teacher");
    done(&mut kim, "/lesson");
    let mut pat = teach_on(&stays, "Pat");
    let mut bob = stays.login_json("bob");
    let mut eve = goes.login_json("eve");
    done(&mut eve, "/hand");
    done(&mut bob, "/hand");
    while pat.next("hand")["user"] != "bob" {}
    drop(goes);
    kim = stays.connect();
    kim.become_json();
    let token = &welcome["session"];
    kim.ask(json!({"type": "login", "session": token, "room": "lobby", "last": welcome["id"]}));
    let welcome = kim.next("welcome");
    assert_eq!(welcome["lesson"]["teacher"], true, "{welcome}");
    done(&mut kim, "/slow 10s");
    let lowered = pat.next("hand");
    assert_eq!((&lowered["user"], &lowered["up"]), (&json!("eve"), &json!(false)));
    // Once, and nobody else's.
    pat.command("/hands");
    loop {
        let message = pat.expect_json();
        assert_ne!(message["type"], "hand", "{message}");
        if message["type"] == "hands" {
            assert_eq!(message["hands"][0]["user"], "bob", "{message}");
            break;
        }
    }
    done(&mut pat, "/lesson end");
    kim.next("lesson");
    drop(eve);
}

/// A lesson on two servers, with a hand on each, a poll and votes, goes on in a Redis that `loses`
/// something: it is given a copy from before the votes.
#[track_caller]
fn check_goes_on(loses: impl FnOnce(&mut TestRedis, &TestFolder)) {
    let mut cluster = two_servers();
    let mut kim = begin(&cluster);
    let mut bob = cluster.nodes[0].login_json("bob");
    let mut eve = cluster.nodes[1].login_json("eve");
    done(&mut eve, "/hand What is a pointer?");
    done(&mut kim, "/poll Lunch? / rice / soup");
    bob.next("poll");
    bob.ask(json!({"type": "vote", "choice": 1, "nonce": "bob 1"})).next("ack");
    let copy = cluster.redis.copy();
    done(&mut bob, "/hand");
    let mut hand = kim.next("hand");
    while hand["user"] != "bob" {
        hand = kim.next("hand");
    }
    let last = id_of(&hand);
    eve.ask(json!({"type": "vote", "choice": 2, "nonce": "eve 2"})).next("ack");
    bob.ask(json!({"type": "vote", "choice": 2, "nonce": "bob 2"})).next("ack");
    loses(&mut cluster.redis, &copy);
    cluster.redis.start_again();
    // Asked again because the ack might be lost, nothing happens twice.
    eve.ask(json!({"type": "vote", "choice": 2, "nonce": "eve 2"})).next("ack");
    done(&mut bob, "/hand");
    // What is new has to wait for the others.
    bob.ask(json!({"type": "vote", "choice": 1, "nonce": "bob 3"})).next("ack");
    bob.ask(json!({"type": "vote", "choice": 2, "nonce": "bob 4"})).next("ack");
    let late = english(&cluster.redis, |_| {});
    let mut carol = late.login_json("carol");
    carol.ask(json!({"type": "vote", "choice": 1, "nonce": "carol"})).next("ack");
    kim.ask(json!({"type": "command", "line": "/hands", "nonce": "hands"}));
    let hands = kim.next("hands");
    let users: Vec<&Value> =
        hands["hands"].as_array().expect("hands").iter().map(|it| &it["user"]).collect();
    assert_eq!(users, ["eve", "bob"], "{hands}");
    kim.command("/poll end");
    let ended = kim.next("poll_ended");
    assert_eq!((&ended["counts"], &ended["answered"]), (&json!([1, 2]), &json!(3)), "{ended}");
    assert!(id_of(&ended) > last, "{ended} comes after {last}");
    // The others hear the same under the same id, and so do rooms and attendance.
    assert_eq!(id_of(&bob.next("poll_ended")), id_of(&ended));
    assert_eq!(id_of(&carol.next("poll_ended")), id_of(&ended));
    done(&mut kim, "/call");
    assert_eq!(bob.next("called")["user"], "eve");
    kim.command("/attendance");
    let attendance = kim.next("attendance");
    let people = attendance["people"].as_array().expect("people");
    for (name, hands) in [("bob", 1), ("carol", 0), ("eve", 1)] {
        let person = people.iter().find(|person| person["user"] == name);
        let person = person.unwrap_or_else(|| panic!("{name} is not in {attendance}"));
        assert_eq!((&person["hands"], &person["polls"]), (&json!(hands), &json!(1)), "{person}");
    }
    drop((carol, late));
}

#[test]
#[ignore = "needs redis-server"]
fn an_emptied_redis_gets_the_lesson_back() {
    check_goes_on(|redis, _| redis.lose_everything());
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_comes_back_behind_gets_the_lessons_latest_votes_back() {
    check_goes_on(|redis, copy| {
        redis.kill();
        redis.put_back(copy);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_hands_of_those_who_cannot_come_back_go_down_with_their_server() {
    let mut cluster = two_servers();
    let mut kim = begin(&cluster);
    let mut eve = cluster.nodes[0].login("eve");
    let mut bob = cluster.nodes[0].login_json("bob");
    eve.send("/hand\n");
    assert_eq!(kim.next("hand")["user"], "eve");
    done(&mut bob, "/hand");
    assert_eq!(kim.next("hand")["user"], "bob");
    // Whoever could is waited for, for far longer than this test may take.
    cluster.nodes[0].stop();
    let lowered = kim.next("hand");
    assert_eq!((&lowered["user"], &lowered["up"]), (&json!("eve"), &json!(false)));
    kim.command("/hands");
    let hands = kim.next("hands");
    assert_eq!((&hands["count"], &hands["hands"][0]["user"]), (&json!(1), &json!("bob")));
}

#[test]
#[ignore = "needs redis-server"]
fn a_timer_is_told_once_on_both_servers_and_to_one_that_starts_meanwhile() {
    let cluster = two_servers();
    let mut kim = begin(&cluster);
    let mut bob = cluster.nodes[0].login_json("bob");
    let mut eve = cluster.nodes[0].login("eve");
    kim.command("/timer 6s tea");
    let started = kim.next("timer");
    assert_eq!((&started["state"], &started["text"]), (&json!("started"), &json!("tea")));
    let late = english(&cluster.redis, |_| {});
    let mut carol = late.connect();
    let until = carol.login_json("carol")["lesson"]["timer"].clone();
    assert_eq!(started["until"], until);
    let heard = bob.next("timer");
    assert_eq!((&heard["id"], &heard["until"]), (&started["id"], &until));
    for client in [&mut kim, &mut bob, &mut carol] {
        assert_eq!(client.next("timer")["state"], "ended");
    }
    eve.expect("-- timer: 6 seconds: tea --\n");
    eve.expect("-- the timer has ended: tea --\n");
    // All three servers have said so; it was heard once.
    kim.command("/timer 5m");
    for client in [&mut kim, &mut bob, &mut carol] {
        assert_eq!(client.next("timer")["state"], "started");
    }
    // Stopped by a teacher of another server.
    let mut pat = teach_on(&cluster.nodes[0], "Pat");
    done(&mut pat, "/timer off");
    for client in [&mut kim, &mut bob, &mut carol] {
        assert_eq!(client.next("timer")["state"], "off");
    }
    eve.expect("-- the timer was stopped --\n");
    drop((carol, late));
}

#[test]
#[ignore = "needs redis-server"]
fn a_wall_sees_the_votes_of_another_server_but_not_what_only_teachers_are_told() {
    let cluster = two_servers();
    let mut kim = begin(&cluster);
    let mut wall = teach_on(&cluster.nodes[0], "Wall");
    wall.ask(json!({"type": "watch", "nonce": "w"}));
    while wall.next("ack")["nonce"] != "w" {}
    let mut bob = cluster.nodes[1].login_json("bob");
    let mut eve = cluster.nodes[0].login("eve");
    done(&mut kim, "/poll Lunch? / rice / soup");
    wall.next("poll");
    bob.next("poll");
    bob.ask(json!({"type": "vote", "choice": 1, "nonce": "1"})).next("ack");
    eve.send("/2\n");
    let mut tally = wall.next("tally");
    while tally["answered"] != 2 {
        tally = wall.next("tally");
    }
    // Everyone could look at it: no names of those who have not voted, and no counts.
    assert_eq!((&tally["members"], &tally["waiting"]), (&json!(2), &Value::Null), "{tally}");
    assert_eq!(tally["counts"], Value::Null, "{tally}");
    done(&mut bob, "/ask Why?");
    assert_eq!(kim.next("asked")["text"], "Why?");
    done(&mut kim, "/poll show");
    let mut tally = wall.next("tally");
    while tally["counts"].is_null() {
        tally = wall.next("tally");
    }
    assert_eq!(tally["counts"], json!([1, 1]), "{tally}");
    wall.command("/ping");
    loop {
        let message = wall.expect_json();
        assert_ne!(message["type"], "asked", "{message}");
        if message["type"] == "pong" {
            break;
        }
    }
}
