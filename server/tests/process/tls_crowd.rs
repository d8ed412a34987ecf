//! A thousand members over TLS in a flood: nobody misses a line, all see one order, and each
//! costs little.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use madang_tests::{Authority, TestClient, TestFolder};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::{ClientConnection, StreamOwned};

use crate::{crowd::resident_kib, peer::Peer, server_process::ServerProcess};

const CROWD: usize = 1_000;
const SPEAKERS: usize = 10;
const LINES: usize = 100;

/// What a member over TLS may cost; a debug build uses more stack per thread.
const MEMBER_KIB: usize = if cfg!(debug_assertions) { 96 } else { 64 };

/// A debug build needs its time to encrypt a million records.
const CROWD_PATIENCE: Duration = Duration::from_secs(60);

type Member = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// What the speakers said, in the order in which `member` reads it; it must be complete.
#[track_caller]
fn hear(member: &mut Member) -> Vec<String> {
    let mut heard = Vec::with_capacity(SPEAKERS * LINES);
    let mut line = String::new();
    while heard.len() < SPEAKERS * LINES {
        line.clear();
        let count = member.read_line(&mut line).expect("it comes in time");
        assert!(count > 0, "closed after {} lines", heard.len());
        assert!(!line.starts_with("-- "), "a line is missing: {line}");
        if line.contains("] ") {
            heard.push(line.trim_end().to_owned());
        }
    }
    heard
}

#[test]
fn a_thousand_members_over_tls_hear_all_and_cost_little() {
    let limit = getrlimit(Resource::Nofile);
    let limit = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised");

    let (authority, folder) = (Authority::new(), TestFolder::new());
    let pair = authority.issue().write(&folder);
    let (certificate, key) = (pair.certificate.display(), pair.key.display());
    let (certificate, key) = (certificate.to_string(), key.to_string());
    let flags = ["--tls-cert", &certificate, "--tls-key", &key, "--listen-tls", "127.0.0.1:0"];
    let server = ServerProcess::start(&[&flags[..], &["--rate-limit", "off"]].concat());
    let address = server.tls_address.expect("it takes lines over TLS");
    let mut watcher = Peer::join(server.address, "watcher");
    let before = resident_kib(server.pid());
    let cost = || resident_kib(server.pid()).saturating_sub(before) / CROWD;

    let mut members: Vec<Member> = (0..CROWD)
        .map(|at| {
            let mut client = TestClient::connect(address).over_tls(authority.client(address));
            client.send(format!("m{at:04}\n"));
            let stream = client.into_tls_stream();
            stream.sock.set_read_timeout(Some(CROWD_PATIENCE)).expect("not zero");
            BufReader::with_capacity(1_024, stream)
        })
        .collect();
    let last = format!("[m{:04}]님이 입장했습니다.", CROWD - 1);
    watcher.expect(&last);
    let joined_cost = cost();
    let words: String = (0..LINES).map(|line| format!("{line}\n")).collect();
    for speaker in &mut members[..SPEAKERS] {
        speaker.get_mut().write_all(words.as_bytes()).expect("it reads");
    }
    let mut orders = members.iter_mut().map(hear);
    let first = orders.next().expect("there are members");
    for speaker in 0..SPEAKERS {
        let prefix = format!("[m{speaker:04}] ");
        let said: Vec<&str> = first.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
        assert_eq!(said, (0..LINES).map(|line| line.to_string()).collect::<Vec<_>>());
    }
    for order in orders {
        assert!(order == first, "everyone sees one order");
    }
    let flooded_cost = cost();
    println!("{joined_cost} KiB each once joined, {flooded_cost} KiB each after the flood");
    assert!(joined_cost.max(flooded_cost) <= MEMBER_KIB, "{joined_cost}, {flooded_cost} KiB");
}
