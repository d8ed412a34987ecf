//! A machine whose clock is set back while the server runs: faketime gives the server its time.

use std::fs;

use madang_tests::{TestClient, TestFolder};
use serde_json::json;

use crate::server_process::{ServerProcess, command_under};

/// Joins a room and returns the id of that event.
#[track_caller]
fn join(member: &mut TestClient, room: &str) -> u64 {
    member.send_json(json!({"type": "command", "line": format!("/join {room}")}));
    loop {
        let message = member.expect_json();
        if message["type"] == "joined" && message["room"] == room {
            return message["id"].as_u64().unwrap_or_else(|| panic!("no id: {message}"));
        }
    }
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_is_set_back_gives_no_id_twice() {
    let folder = TestFolder::new();
    let time = folder.write("time", "+0");
    let time = time.to_str().expect("the folder's name is UTF-8");
    // Timers use the monotonic clock, which stays as it is. faketime reads the time from the file
    // again on every call.
    let file = format!("FAKETIME_TIMESTAMP_FILE={time}");
    let mut command = command_under(
        "faketime",
        &["--exclude-monotonic", "-f", "+0", "env", "-u", "FAKETIME", &file, "FAKETIME_NO_CACHE=1"],
    );
    let server = ServerProcess::start_as(&mut command);
    let mut member = TestClient::connect(server.address);
    let welcome = member.login_json("alice");
    let mut highest = welcome["id"].as_u64().expect("it is a number");
    // A day later than any id.
    let mut day = String::from("z");
    for (at, room) in ["math", "art", "music"].into_iter().enumerate() {
        let id = join(&mut member, room);
        assert!(id > highest, "{room}: {id} is not above {highest}");
        member.send_json(json!({"type": "say", "text": "hello"}));
        let said = loop {
            let message = member.expect_json();
            if message["type"] == "said" {
                break message;
            }
        };
        highest = said["id"].as_u64().expect("it is a number");
        let said_at = said["time"].as_str().expect("it is a text")[..10].to_owned();
        assert!(said_at < day, "the clock was not set back: {said_at}, before {day}");
        day = said_at;
        fs::write(time, format!("-{}d", at + 1)).expect("the folder is there");
    }
}
