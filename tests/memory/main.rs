//! The memory that rooms leave behind. It is measured for the whole process, so this test has a
//! process of its own.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use madang_server::config::Listen;
use madang_tests::{DEADLINE, TestClient, TestServer};

/// How many rooms are made and left in a round.
const ROOMS: usize = 10_000;

/// How many exist at once. The next ones are made when these are gone, so that every round
/// needs the same space.
const AT_ONCE: usize = 250;

/// How long a room without members lasts: longer than it takes to enter it.
const WINDOW: Duration = Duration::from_millis(200);

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("this runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("it has a resident size")
}

/// Waits until only the lobby is left. With so many rooms, the console summarises.
#[track_caller]
fn wait_until_all_have_gone(server: &TestServer) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut peer = TcpStream::connect(server.metrics_address()).expect("it listens");
        peer.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
        let mut text = String::new();
        peer.read_to_string(&mut text).expect("it answers");
        let lines = ["madang_rooms{kind=\"public\"} 1\n", "madang_rooms{kind=\"private\"} 0\n"];
        if lines.iter().all(|line| text.contains(line)) {
            return;
        }
        assert!(Instant::now() < deadline, "rooms are left: {text}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes private and public rooms in turn, and says something in each before moving on to the
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
        wait_until_all_have_gone(server);
    }
}

#[test]
#[ignore = "takes 20 s"]
fn ten_thousand_rooms_leave_nothing_behind() {
    let server = TestServer::start(|config| {
        config.empty_room_window = WINDOW;
        config.metrics = Some(Listen::At((Ipv4Addr::LOCALHOST, 0).into()));
    });
    let mut alice = server.login("alice");
    let resident = [0, 1].map(|round| {
        make_and_leave(&server, &mut alice, round);
        resident_kib()
    });
    println!("{resident:?} KiB resident after a round each");
    assert!(resident[1] * 10 <= resident[0] * 11, "{resident:?} KiB");
}
