//! Servers of a cluster that save the messages of all (`--data` with `--cluster`).

use std::{
    collections::BTreeMap,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use madang_protocol::{notice::Notice, text::Lang};
use madang_server::{cluster::ClusterConfig, journal::JournalConfig};
use madang_tests::{DEADLINE, TestClient, TestFolder, TestServer, redis::TestRedis};
use rusqlite::{Connection, OpenFlags, Row, types::Value as Column};
use serde_json::{Value, json};

use super::{expect_said, join, next, node, say};
use crate::streams::{SSE, said_up_to, stream};

/// A server that archives, with a cluster that trims its logs as it is told to.
#[track_caller]
fn archive(data: &Path, cluster: ClusterConfig) -> TestServer {
    TestServer::start(|config| {
        config.cluster = Some(cluster);
        config.journal = Some(JournalConfig::of(data));
    })
}

/// A server of a cluster that ends empty rooms soon, and archives if it has a folder for that.
#[track_caller]
fn forgetful(redis: &TestRedis, data: Option<&Path>) -> TestServer {
    TestServer::start(|config| {
        config.empty_room_window = Duration::from_millis(300);
        config.cluster = Some(ClusterConfig::at(&redis.url()));
        config.journal = data.map(JournalConfig::of);
    })
}

/// The rows of a query on what is on disk; none if there is no database yet.
fn query<T>(data: &Path, sql: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(database) = Connection::open_with_flags(data.join("madang.db"), flags) else {
        return Vec::new();
    };
    let mut statement = database.prepare(sql).expect("the table is there");
    let rows = statement.query_map([], read).expect("a query");
    rows.collect::<Result<_, _>>().expect("a database")
}

/// All columns of all events, with the names of their rooms.
fn events(data: &Path) -> Vec<Vec<Column>> {
    let sql = "SELECT room.name, event.* FROM event JOIN room USING (room) ORDER BY room, id";
    query(data, sql, |row| (0..11).map(|at| row.get(at)).collect())
}

/// What was said in a room: ids and texts.
fn said(data: &Path, room: &str) -> BTreeMap<u64, String> {
    let sql = format!(
        "SELECT id, text FROM event JOIN room USING (room) \
         WHERE kind = 'said' AND name = '{room}' ORDER BY id"
    );
    let said = query(data, &sql, |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)));
    said.into_iter().collect()
}

fn holes(data: &Path) -> Vec<(u64, u64)> {
    query(data, "SELECT first, last FROM hole ORDER BY first", |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
    })
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Says these texts, each after the one before was heard; returns their ids.
#[track_caller]
fn say_all<'a>(
    client: &mut TestClient,
    texts: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<u64, String> {
    let mut ids = BTreeMap::new();
    for text in texts {
        say(client, text);
        ids.insert(expect_said(client, text), text.to_owned());
    }
    ids
}

fn ask(client: &mut TestClient, line: &str) {
    client.send_json(json!({"type": "command", "line": line}));
}

#[test]
#[ignore = "needs redis-server"]
fn an_archive_has_what_is_said_in_every_public_room_under_the_same_ids() {
    let redis = TestRedis::start();
    let folders = [TestFolder::new(), TestFolder::new()];
    let [first, second] = [0, 1].map(|at| folders[at].path().join("data"));
    let other = node(&redis);
    let mut alice = other.login_json("alice");
    // A room that is there before, and one that is made later, on a server without an archive.
    join(&mut alice, "before");
    let mut before = say_all(&mut alice, ["one", "two"]);
    let archives = [&first, &second].map(|data| archive(data, ClusterConfig::at(&redis.url())));
    let mut bob = archives[0].connect();
    let welcome = bob.login_json("bob");
    assert_eq!((&welcome["durable"], &welcome["archived"]), (&Value::Null, &json!(true)));
    before.extend(say_all(&mut alice, ["three"]));
    join(&mut alice, "later");
    let later = say_all(&mut alice, ["four", "five"]);
    say(&mut bob, "from here");
    let ack = next(&mut bob, "ack");
    let here = expect_said(&mut bob, "from here");
    assert_eq!((&ack["id"], &ack["durable"]), (&json!(here), &Value::Null));
    for data in [&first, &second] {
        wait_until("all is archived", || {
            said(data, "before") == before
                && said(data, "later") == later
                && said(data, "lobby").get(&here).is_some_and(|text| text == "from here")
        });
        assert_eq!(holes(data), []);
    }
    // Everything else that people were told as well.
    wait_until("both have the same rows", || events(&first) == events(&second));
    let all = events(&first);
    assert!(all.len() > 8, "{all:?}");
    drop((alice, bob, archives, other));
}

#[test]
#[ignore = "needs redis-server"]
fn an_archive_that_was_away_catches_up_without_a_hole_and_without_anything_twice() {
    let redis = TestRedis::start();
    let folders = [TestFolder::new(), TestFolder::new()];
    let [first, second] = [0, 1].map(|at| folders[at].path().join("data"));
    // Its state is kept all the time, but nothing is trimmed.
    let cluster = || ClusterConfig { entries_kept_after: 7, ..ClusterConfig::at(&redis.url()) };
    let other = TestServer::start(|config| config.cluster = Some(cluster()));
    let (gone, stays) = (archive(&first, cluster()), archive(&second, cluster()));
    let mut alice = other.login_json("alice");
    join(&mut alice, "math");
    let mut all = say_all(&mut alice, ["one", "two", "three"]);
    wait_until("it has begun", || said(&first, "math").len() == 3);
    drop(gone);
    // More than a state remembers.
    let texts: Vec<String> = (0..500).map(|at| format!("away {at}")).collect();
    all.extend(say_all(&mut alice, texts.iter().map(String::as_str)));
    join(&mut alice, "new");
    let new = say_all(&mut alice, ["only there"]);
    let gone = archive(&first, cluster());
    wait_until("it has caught up", || said(&first, "math") == all && said(&first, "new") == new);
    join(&mut alice, "math");
    all.extend(say_all(&mut alice, ["and on"]));
    wait_until("it goes on", || said(&first, "math") == all);
    wait_until("both have the same rows", || events(&first) == events(&second));
    assert_eq!(holes(&first), []);
    drop((alice, gone, stays, other));
}

#[test]
#[ignore = "needs redis-server"]
fn what_was_trimmed_while_an_archive_was_away_is_a_hole_and_is_shown_as_one() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let cluster = || ClusterConfig {
        entries_kept_after: 5,
        entries_kept_for: Duration::ZERO,
        ..ClusterConfig::at(&redis.url())
    };
    let other = TestServer::start(|config| config.cluster = Some(cluster()));
    let archiving = archive(&data, cluster());
    let mut alice = other.login_json("alice");
    let before = say_all(&mut alice, ["one", "two"]);
    wait_until("it has begun", || said(&data, "lobby") == before);
    drop(archiving);
    let texts: Vec<String> = (0..400).map(|at| format!("away {at}")).collect();
    let away = say_all(&mut alice, texts.iter().map(String::as_str));

    let archiving = archive(&data, cluster());
    wait_until("the last is there", || said(&data, "lobby").keys().last() == away.keys().last());
    let hole = holes(&data);
    let [(first, last)] = hole[..] else { panic!("{hole:?}") };
    let known = said(&data, "lobby");
    assert!(!known.contains_key(&first) && !known.contains_key(&last));
    assert_eq!(known.keys().find(|id| **id > first), Some(&(last + 1)), "the hole ends there");
    // From there on, nothing is missing, and what was known before is as it was.
    assert!(away.range(last + 1..).all(|(id, text)| known.get(id) == Some(text)));
    assert!(before.iter().all(|(id, text)| known.get(id) == Some(text)));

    let mut bob = archiving.login_json("bob");
    bob.send_json(json!({"type": "history", "before": last + 3, "limit": 10, "nonce": "h"}));
    let history = next(&mut bob, "history");
    assert_eq!(history["gaps"], json!([{"from": first, "to": last}]), "{history}");
    drop((alice, bob, archiving, other));
}

#[test]
#[ignore = "needs redis-server"]
fn ids_that_are_left_out_when_redis_is_restarted_are_not_missing() {
    let mut redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let (other, archiving) = (node(&redis), archive(&data, ClusterConfig::at(&redis.url())));
    let mut alice = other.login_json("alice");
    let before = say_all(&mut alice, ["one", "two"]);
    let [first, last] = [0, 1].map(|at| *before.keys().nth(at).expect("two were said"));
    redis.restart();
    let after = say_all(&mut alice, ["three"]);
    let next_id = *after.keys().next().expect("one was said");
    assert!(last + 1 < next_id, "they are left out");
    for (server, name) in [(&archiving, "bob"), (&other, "carol")] {
        let mut member = server.login_json(name);
        member
            .send_json(json!({"type": "history", "before": next_id + 1, "limit": 2, "nonce": "h"}));
        let history = next(&mut member, "history");
        assert_eq!(history["events"][1]["id"], next_id, "{history}");
        assert_eq!((&history["gaps"], &history["gone"]), (&json!([]), &Value::Null), "{history}");
    }
    // More than memory has is read from disk.
    let texts: Vec<String> = (0..300).map(|at| format!("number {at}")).collect();
    say_all(&mut alice, texts.iter().map(String::as_str));
    let headers = format!("{SSE}Last-Event-ID: {first}\r\n");
    let mut listener = stream(&archiving, "/rooms/lobby", &headers);
    let said = said_up_to(&mut listener, "number 299");
    assert_eq!([&*said[0].1, &*said[1].1, &*said[2].1], ["two", "three", "number 0"]);
    drop((alice, listener, archiving, other));
}

#[test]
#[ignore = "needs redis-server"]
fn members_read_back_and_search_on_a_server_that_archives_and_only_there() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let (other, archiving) = (node(&redis), archive(&data, ClusterConfig::at(&redis.url())));
    let mut alice = other.login_json("alice");
    let texts: Vec<String> = (0..300).map(|at| format!("number {at}")).collect();
    let ids = say_all(&mut alice, texts.iter().map(String::as_str));
    let mut bob = archiving.login_json("bob");
    ask(&mut bob, "/search \"number 7\"");
    let found = next(&mut bob, "found");
    assert_eq!(found["events"][9]["text"], "number 79", "{found}");
    let first = *ids.keys().next().expect("one was said");
    bob.send_json(json!({"type": "history", "before": first + 2, "limit": 2, "nonce": "h"}));
    let events = next(&mut bob, "history")["events"].clone();
    assert_eq!([&events[0]["text"], &events[1]["text"]], ["number 0", "number 1"]);
    // On the other server, only memory answers.
    ask(&mut alice, "/search \"number 7\"");
    assert_eq!(next(&mut alice, "error")["code"], "not_kept");
    alice.send_json(json!({"type": "history", "before": first + 2, "limit": 2, "nonce": "h"}));
    let history = next(&mut alice, "history");
    assert_eq!((&history["events"], &history["earliest"]), (&json!([]), &json!(true)));
    drop((alice, bob, archiving, other));
}

#[test]
#[ignore = "needs redis-server"]
fn a_room_that_is_only_archived_ends_when_it_is_empty() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let other = forgetful(&redis, None);
    let archiving = forgetful(&redis, Some(&data));
    let mut alice = other.login_json("alice");
    join(&mut alice, "tea");
    let said_there = say_all(&mut alice, ["hot"]);
    wait_until("it is archived", || said(&data, "tea") == said_there);
    join(&mut alice, "lobby");
    wait_until("it has ended everywhere", || redis.keys("madang:room:tea").is_empty());
    let ended = "SELECT count(*) FROM room WHERE name = 'tea' AND ended IS NOT NULL";
    wait_until("the archive knows", || query(&data, ended, |row| row.get::<_, i64>(0)) == [1]);
    // Another one of its name is another room.
    join(&mut alice, "tea");
    let again = say_all(&mut alice, ["cold"]);
    let rooms = "SELECT count(*) FROM room WHERE name = 'tea'";
    wait_until("it is archived", || query(&data, rooms, |row| row.get::<_, i64>(0)) == [2]);
    wait_until("both are there", || said(&data, "tea").len() == 2);
    assert!(again.keys().all(|id| said(&data, "tea").contains_key(id)));
    drop((alice, archiving, other));
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_missing_of_a_room_that_ended_while_an_archive_was_away_is_a_hole() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let other = forgetful(&redis, None);
    let archiving = || forgetful(&redis, Some(&data));
    let gone = archiving();
    let (mut alice, mut bob) = (other.login_json("alice"), other.login_json("bob"));
    join(&mut alice, "tea");
    let before = say_all(&mut alice, ["hot"]);
    join(&mut bob, "milk");
    say_all(&mut bob, ["cold"]);
    join(&mut bob, "lobby");
    wait_until("one has ended", || redis.keys("madang:room:milk").is_empty());
    let ended = "SELECT count(*) FROM room WHERE ended IS NOT NULL";
    wait_until("the archive knows", || query(&data, ended, |row| row.get::<_, i64>(0)) == [1]);
    wait_until("it is archived", || said(&data, "tea") == before);
    drop(gone);
    let missed = say_all(&mut alice, ["warm", "cool"]);
    join(&mut alice, "lobby");
    wait_until("it has ended", || redis.keys("madang:room:tea").is_empty());
    // Another room with its name: nothing of that is missing.
    join(&mut alice, "tea");
    let again = say_all(&mut alice, ["again"]);

    let back = archiving();
    wait_until("it has caught up", || said(&data, "tea").len() == 2);
    // And that she has left.
    let last = missed.keys().last().expect("something was said") + 1;
    let first = *missed.keys().next().expect("something was said");
    wait_until("it has found out", || holes(&data) == [(first, last)]);
    let [kept, made] = [before, again].map(|said| said.into_keys().next());
    assert!(said(&data, "tea").into_keys().eq(kept.into_iter().chain(made)));
    // Once, however often it starts.
    drop(back);
    let back = archiving();
    let mut carol = back.login_json("carol");
    say_all(&mut carol, ["late"]);
    wait_until("it goes on", || said(&data, "lobby").values().any(|text| text == "late"));
    assert_eq!(holes(&data), [(first, last)]);
    drop((alice, bob, carol, back, other));
}

#[test]
#[ignore = "needs redis-server"]
fn members_of_every_server_are_told_whether_a_server_archives() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let lease = Duration::from_millis(600);
    let cluster = || ClusterConfig { lease, ..ClusterConfig::at(&redis.url()) };
    let other = TestServer::start(|config| config.cluster = Some(cluster()));
    let mut alice = other.login("alice");
    let mut bob = other.connect();
    assert_eq!(bob.login_json("bob")["archived_elsewhere"], Value::Null);
    let archiving = archive(&data, cluster());
    let told = |notice: Notice<'_>| format!("{}\n", notice.text(Lang::Ko));
    alice.expect(told(Notice::NowRecorded));
    let text = Notice::NowRecorded.text(Lang::Ko);
    assert_eq!(next(&mut bob, "notice")["text"], text);
    // Whoever comes is told at once, and in which rooms.
    let mut carol = other.connect();
    let welcome = carol.login_json("carol");
    assert_eq!(
        (&welcome["archived_elsewhere"], &welcome["archived"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(join(&mut carol, "math")["archived_elsewhere"], true);
    ask(&mut carol, "/new");
    assert_eq!(next(&mut carol, "entered")["archived_elsewhere"], Value::Null);
    let mut dave = other.connect();
    dave.expect("ID:");
    dave.send("dave\n").expect(told(Notice::Recorded));
    let mut erin = archiving.connect();
    let welcome = erin.login_json("erin");
    assert_eq!(
        (&welcome["archived_elsewhere"], &welcome["archived"]),
        (&Value::Null, &json!(true))
    );
    drop((erin, archiving));
    alice.expect(told(Notice::NoLongerRecorded));
    assert_eq!(next(&mut bob, "notice")["text"], Notice::NoLongerRecorded.text(Lang::Ko));
    // Not those in private rooms.
    carol.send_json(json!({"type": "say", "text": "only here", "nonce": "n"}));
    let mut seen = carol.expect_json();
    while seen["text"] != "only here" {
        assert_ne!(seen["type"], "notice", "{seen}");
        seen = carol.expect_json();
    }
    let mut frank = other.connect();
    assert_eq!(frank.login_json("frank")["archived_elsewhere"], Value::Null);
    drop((alice, bob, carol, dave, frank, other));
}

#[test]
#[ignore = "needs redis-server"]
fn the_folder_of_a_server_of_its_own_goes_on_as_an_archive_after_what_it_had() {
    let redis = TestRedis::start();
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let alone = || TestServer::start(|config| config.journal = Some(JournalConfig::of(&data)));
    let living = || {
        let sql = "SELECT room FROM room WHERE ended IS NULL ORDER BY room";
        query(&data, sql, |row| row.get::<_, i64>(0))
    };
    let server = alone();
    let mut alice = server.login_json("alice");
    let mut all = say_all(&mut alice, ["alone"]);
    drop((alice, server));

    let mut lobbies = Vec::new();
    for text in ["together", "together again"] {
        let archiving = archive(&data, ClusterConfig::at(&redis.url()));
        let mut bob = archiving.login_json(text.split(' ').next_back().expect("a word"));
        all.extend(say_all(&mut bob, [text]));
        wait_until("it is archived", || said(&data, "lobby") == all);
        // The lobby of its own has ended; that of the cluster lives, each time the same.
        lobbies.push(living());
        assert_eq!(lobbies.last().map(Vec::len), Some(1));
        drop((bob, archiving));
        // A server of its own restores nothing of the cluster.
        let server = alone();
        let mut carol = server.login_json("carol");
        all.extend(say_all(&mut carol, ["alone again"]));
        wait_until("it is saved", || said(&data, "lobby") == all);
        carol.send_json(json!({"type": "history", "nonce": "h"}));
        let history = next(&mut carol, "history");
        let told: Vec<_> = history["events"].as_array().expect("events").iter().collect();
        assert!(told.iter().all(|event| event["user"] == "carol"), "{history}");
        drop((carol, server));
    }
    assert_eq!(lobbies[0], lobbies[1]);
    assert_eq!(holes(&data), []);
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_operator_of_any_server_forgets_is_gone_from_all_and_from_archives_that_were_away() {
    let redis = TestRedis::start();
    let folders = [TestFolder::new(), TestFolder::new()];
    let [first, second] = [0, 1].map(|at| folders[at].path().join("data"));
    let settings = || ClusterConfig::at(&redis.url());
    let other = node(&redis);
    let (archiving, gone) = (archive(&first, settings()), archive(&second, settings()));
    let (mut alice, mut bob) = (other.login_json("alice"), archiving.login_json("bob"));
    let elsewhere = say_all(&mut alice, ["stays in the lobby"]);
    for client in [&mut alice, &mut bob] {
        join(client, "math");
    }
    say(&mut alice, "shameful");
    expect_said(&mut bob, "shameful");
    say(&mut bob, "harmless");
    let kept = expect_said(&mut bob, "harmless");
    for data in [&first, &second] {
        wait_until("it is archived", || said(data, "math").len() == 2);
    }
    drop(gone);
    other.operate("/forget math alice");
    other.console_expect(&Notice::ForgottenEverywhere.text(Lang::Ko));
    say(&mut alice, "later");
    while next(&mut alice, "said")["text"] != "later" {}
    wait_until("it is gone", || {
        said(&first, "math").values().map(String::as_str).eq(["harmless", "later"])
    });
    assert_eq!(said(&first, "lobby"), elsewhere);
    let log = redis.ask("XRANGE madang:room:math:log - +");
    let state = redis.ask("HGETALL madang:room:math:state");
    assert!(state.contains("harmless") && !state.contains("shameful"), "{state}");
    assert!(log.contains("later") && !log.contains("shameful"), "{log}");
    // Nobody shows it any more, and somebody who comes later does not get it.
    let late = node(&redis);
    let mut carol = late.login_json("carol");
    join(&mut carol, "math");
    for client in [&mut alice, &mut bob, &mut carol] {
        client.send_json(json!({"type": "history", "nonce": "h"}));
        let history = loop {
            let history = next(client, "history");
            if history["nonce"] == "h" {
                break history;
            }
        };
        let events = history["events"].as_array().expect("events").iter();
        let texts: Vec<_> = events.filter_map(|event| event["text"].as_str()).collect();
        assert_eq!(texts, ["harmless", "later"], "{history}");
    }
    // The archive that was away deletes it when it is back.
    assert!(said(&second, "math").values().any(|text| text == "shameful"));
    let back = archive(&second, settings());
    wait_until("it is gone", || !said(&second, "math").values().any(|text| text == "shameful"));
    wait_until("both have the same rows", || events(&first) == events(&second));
    assert!(said(&second, "math").contains_key(&kept));
    drop((alice, bob, carol, late, back, archiving, other));
}
