//! What rooms leave behind when they have gone: measured of the whole process, so in
//! one of its own.

#![cfg(target_os = "linux")]

use std::{fs, time::Duration};

use madang_tests::{TestClient, TestServer};

/// How many rooms are made and left in a round.
const ROOMS: usize = 10_000;

/// How many live at once: the next are made when these have gone, so that one round
/// needs as much space as the other.
const AT_ONCE: usize = 250;

/// How long a room without members lasts: longer than going into it takes.
const WINDOW: Duration = Duration::from_millis(200);

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("this runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("it has a resident size")
}

/// Makes private and public rooms in turn, says something in each, and goes on to the
/// next.
#[track_caller]
fn make_and_leave(server: &TestServer, client: &mut TestClient, round: usize) {
    for first in (0..ROOMS).step_by(AT_ONCE) {
        let words: String = (first..first + AT_ONCE)
            .map(|at| match at % 2 {
                0 => format!("/new room {at}\nhi\n"),
                _ => format!("/join r{round}-{at}\nhi\n"),
            })
            .collect();
        client.send(words + "/leave\n/ping done\n");
        client.expect("퐁 done\n");
        server.console_expect_count("=== ", round * ROOMS + first + AT_ONCE);
    }
}

#[test]
#[ignore = "takes 20 s"]
fn ten_thousand_rooms_leave_nothing_behind() {
    let server = TestServer::start(|config| {
        config.empty_room_window = WINDOW;
    });
    let mut alice = server.login("alice");
    let resident = [0, 1].map(|round| {
        make_and_leave(&server, &mut alice, round);
        resident_kib()
    });
    println!("{resident:?} KiB resident after a round each");
    assert!(resident[1] * 10 <= resident[0] * 11, "{resident:?} KiB");
}
