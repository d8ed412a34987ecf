//! A connection that ends while the slow disk still owes its member acks: the goodbye comes after
//! them, whoever ends it.

use madang_server::{config::Config, journal::JournalConfig};
use madang_tests::{DEADLINE, TestClient, TestFolder, TestServer};
use serde_json::{Value, json};

/// A disk where the server's writes have to wait.
struct SlowDisk(rusqlite::Connection);

impl SlowDisk {
    /// Waits for the current write.
    #[track_caller]
    fn hold(folder: &TestFolder) -> SlowDisk {
        let database = folder.path().join("data").join("madang.db");
        let connection = rusqlite::Connection::open(database).expect("a database");
        connection.busy_timeout(DEADLINE).expect("a time");
        connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes for so long");
        SlowDisk(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").expect("it is held");
    }
}

/// A server whose goodbyes wait for acks as long as tests wait for anything.
fn start(folder: &TestFolder) -> TestServer {
    TestServer::start(|config: &mut Config| {
        config.journal = Some(JournalConfig::of(&folder.path().join("data")));
        config.ack_patience = DEADLINE;
        config.drain_timeout = DEADLINE;
    })
}

/// The types of all messages up to the goodbye.
#[track_caller]
fn types_until_bye(alice: &mut TestClient) -> Vec<String> {
    let mut types = Vec::new();
    while types.last().is_none_or(|last| last != "bye") {
        types.push(alice.expect_json()["type"].as_str().expect("a type").to_owned());
    }
    alice.expect_closed();
    types
}

/// Alice says something; `end` ends her connection and waits until the server knows; only then
/// does the disk continue.
#[track_caller]
fn check(how: &str, end: impl FnOnce(&TestServer, &mut TestClient, Value, &mut TestClient)) {
    let folder = TestFolder::new();
    let server = start(&folder);
    let mut bob = server.login("bob");
    let mut alice = server.connect();
    let welcome = alice.login_json("alice");
    // Everything up to her joining is on the disk.
    alice.send_json(json!({"type": "say", "text": "hello", "nonce": "first"}));
    alice.expect_message("said");
    alice.expect_message("ack");
    let disk = SlowDisk::hold(&folder);
    alice.send_json(json!({"type": "say", "text": "last words", "nonce": "last"}));
    alice.expect_message("said");
    end(&server, &mut alice, welcome, &mut bob);
    disk.release();
    let types = types_until_bye(&mut alice);
    let acks = types.iter().filter(|kind| *kind == "ack").count();
    assert_eq!(acks, 1, "{how}: {types:?}");
}

#[test]
fn a_goodbye_comes_behind_the_acks_that_are_owed_whoever_ends_the_connection() {
    check("/quit", |_, alice, _, bob| {
        alice.send_json(json!({"type": "command", "line": "/quit"}));
        bob.expect("[alice]님이 퇴장했습니다.\n");
    });
    check("half a connection", |server, alice, _, _| {
        alice.finish_sending();
        server.console_expect("=== [alice] 연결 끊김");
    });
    check("a kick from the lobby", |server, _, _, bob| {
        server.operate("/kick alice");
        bob.expect("[alice]");
        server.console_expect("[alice] 퇴장");
    });
    check("a ban", |server, _, _, bob| {
        server.operate("/ban alice");
        bob.expect("[alice]님이 퇴장했습니다.\n");
    });
    check("another connection of hers", |server, _, welcome, _| {
        let mut again = server.connect();
        again.become_json();
        again.send_json(json!({
            "type": "login", "session": welcome["session"], "room": "lobby", "last": welcome["id"],
            "last_private": 0,
        }));
        again.expect_message("welcome");
    });
}

#[test]
fn a_close_frame_is_answered_behind_the_acks_that_are_owed() {
    let folder = TestFolder::new();
    let server = start(&folder);
    let mut bob = server.login("bob");
    let mut alice = server.login_websocket_json("alice");
    let disk = SlowDisk::hold(&folder);
    alice.send_json(&json!({"type": "say", "text": "last words", "nonce": "last"}));
    alice.expect_json("said");
    alice.send_close(1000);
    bob.expect("[alice]님이 퇴장했습니다.\n");
    disk.release();
    assert_eq!(alice.expect_json("ack")["nonce"], "last");
    assert_eq!(alice.expect_closed(), Some(1000));
}

#[test]
fn a_stop_pays_what_is_owed_before_it_says_goodbye_even_if_the_disk_hangs() {
    let folder = TestFolder::new();
    let mut server = start(&folder);
    let mut alice = server.login_json("alice");
    let disk = SlowDisk::hold(&folder);
    alice.send_json(json!({"type": "say", "text": "last words", "nonce": "last"}));
    alice.expect_message("said");
    server.stop();
    let ack = alice.expect_message("ack");
    assert_eq!((&ack["nonce"], &ack["durable"]), (&json!("last"), &json!(false)));
    assert_eq!(types_until_bye(&mut alice), ["bye"]);
    disk.release();
}
