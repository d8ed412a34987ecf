//! Five hundred hostile connections to the web port: what they may cost, and that others can
//! still talk.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::Pid;

use crate::{incoming::PATIENCE, peer::Peer, server_process::ServerProcess};

const CROWD: usize = 500;

/// What each may cost: the longest message, the read buffer that a flood grows to the same
/// length, and a thread with the stack that a debug build uses.
const MEMBER_KIB: usize = 2 * 64 + 64;

/// The time allowed for a message or a request head.
const DEADLINE: Duration = Duration::from_secs(10);

/// An upgrade, then as many bytes as a message may have, without its end.
fn endless_message() -> Vec<u8> {
    let mut bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    // Without FIN, masked with zeros, and incomplete.
    bytes.extend([0x01, 0xff]);
    bytes.extend(65_536u64.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([b'x'; 65_500]);
    bytes
}

pub(crate) fn resident_kib(pid: Pid) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("it has a resident size")
}

/// Whether a connection has been sent anything or has ended.
#[track_caller]
fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket takes it");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket takes it");
    !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// All bytes that a connection is sent until it ends, in whatever way.
#[track_caller]
fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let patience = DEADLINE + PATIENCE;
    stream.set_read_timeout(Some(patience)).expect("the time is not zero");
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => all,
        Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&all)),
    }
}

#[test]
fn five_hundred_unfinished_cost_little_and_hinder_nobody() {
    let mut server = ServerProcess::start(&[]);
    let mut alice = Peer::join(server.address, "alice");
    let mut bob = Peer::join(server.address, "bob");
    let before = resident_kib(server.pid());
    let message = endless_message();
    let connect = || TcpStream::connect(server.web_address).expect("it takes connections");
    let started = Instant::now();
    let mut heads = Vec::new();
    let mut messages = Vec::new();
    for _ in 0..CROWD / 2 {
        let mut stream = connect();
        stream.write_all(b"G").expect("it reads");
        heads.push(stream);
        let mut stream = connect();
        stream.write_all(&message).expect("it reads");
        messages.push(stream);
    }
    let mut heard_beside_all = 0;
    let mut most = before;
    // A byte a second from each, which extends no deadline.
    while !is_answered(&heads[0]) {
        assert!(started.elapsed() < DEADLINE + PATIENCE, "the first has no deadline");
        alice.say("들려요?");
        bob.expect("[alice] 들려요?\n");
        heard_beside_all += usize::from(!is_answered(&heads[0]));
        most = most.max(resident_kib(server.pid()));
        for stream in heads.iter_mut().chain(&mut messages) {
            let _ = stream.write_all(b"E");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(started.elapsed() >= DEADLINE, "{:?}", started.elapsed());
    assert!(heard_beside_all > 0, "nobody was heard before the crowd went");
    let cost = most.saturating_sub(before) / CROWD;
    assert!(cost <= MEMBER_KIB, "{cost} KiB each");

    for stream in heads {
        let answer = String::from_utf8_lossy(&read_to_end(stream)).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    for stream in messages {
        let answer = read_to_end(stream);
        let close = [&b"\x88"[..], &[20], &1008u16.to_be_bytes(), b"unfinished_message"].concat();
        assert!(answer.ends_with(&close), "{}", String::from_utf8_lossy(&answer));
    }
    bob.say("네");
    alice.expect("[bob] 네\n");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
}
