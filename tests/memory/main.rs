//! The memory that rooms leave behind, and that streams take. It is measured for the whole process,
//! so these tests have a process of their own, and run one after the other.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use madang_server::config::Listen;
use madang_tests::{DEADLINE, NEVER, TestClient, TestServer};

/// How many rooms are made and left in a round.
const ROOMS: usize = 10_000;

/// How many exist at once. The next ones are made when these are gone, so that every round
/// needs the same space.
const AT_ONCE: usize = 250;

/// How long a room without members lasts: longer than it takes to enter it.
const WINDOW: Duration = Duration::from_millis(200);

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

/// How many streams are idle.
const STREAMS: usize = 1_000;

/// The most that one takes, on both sides of its connection. 20.5 KiB were measured.
const STREAM_KIB: usize = 32;

/// How many streams read nothing.
const STALLED: usize = 100;

/// How much is said to them, in lines of 1 KiB: far more than what may wait for all of them.
const SAID_LINES: usize = 20_000;

/// The most that this may take. 1.4 MiB were measured; if nothing were shared, it would be 25.
const STALLED_KIB: usize = 12 * 1_024;

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

/// A stream of the lobby that has begun. Nothing more is read from it.
#[track_caller]
fn stream(server: &TestServer) -> TcpStream {
    let mut peer = TcpStream::connect(server.web_address()).expect("it listens");
    peer.write_all(
        b"GET /rooms/lobby?history=0 HTTP/1.1\r\nHost: localhost\r\n\
          Accept: text/event-stream\r\n\r\n",
    )
    .expect("it reads");
    let mut begin = [0; 15];
    peer.read_exact(&mut begin).expect("it answers");
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    peer
}

#[test]
#[ignore = "takes 10 s"]
fn a_thousand_idle_streams_take_little() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut alice = server.login("alice");
    // What the first ones need is not theirs alone.
    let first: Vec<TcpStream> = (0..10).map(|_| stream(&server)).collect();
    alice.send("/ping first\n").expect("퐁 first\n");
    let before = resident_kib();
    let streams: Vec<TcpStream> = (0..STREAMS).map(|_| stream(&server)).collect();
    alice.send("hi\n").expect("[alice] hi\n");
    alice.send("/ping all\n").expect("퐁 all\n");
    let each = resident_kib().saturating_sub(before) as f64 / STREAMS as f64;
    println!("{each:.1} KiB for each of {STREAMS} streams");
    assert!(each <= STREAM_KIB as f64, "{each:.1} KiB each");
    assert_eq!(streams.len() + first.len(), STREAMS + 10);
}

#[test]
#[ignore = "takes 10 s"]
fn streams_that_read_nothing_share_what_waits_for_them() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = TestServer::start(|config| {
        (config.rate_limit, config.stall_timeout) = (None, NEVER);
    });
    let mut alice = server.login("alice");
    let mut streams: Vec<TcpStream> = (0..STALLED).map(|_| stream(&server)).collect();
    alice.send("/ping all\n").expect("퐁 all\n");
    let before = resident_kib();
    let line = "x".repeat(1_000) + "\n";
    for round in 0..SAID_LINES / 50 {
        alice.send(line.repeat(50) + &format!("/ping {round}\n"));
        alice.expect(format!("퐁 {round}\n"));
    }
    let more = resident_kib().saturating_sub(before);
    println!("{more} KiB for {STALLED} streams that read nothing of {SAID_LINES} lines");
    assert!(more <= STALLED_KIB, "{more} KiB");
    // They have what the kernel took, and are told what they missed.
    let stalled = &mut streams[STALLED - 1];
    stalled.set_read_timeout(Some(DEADLINE)).expect("it is a time");
    let mut lines = BufReader::new(stalled).lines().map(|line| line.expect("it goes on"));
    assert!(lines.any(|line| line.contains("\"type\":\"gap\"")));
}

#[test]
#[ignore = "takes 20 s"]
fn ten_thousand_rooms_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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
