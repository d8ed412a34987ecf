//! Too few descriptors: refusals are explained, the server recovers, and no loop is busy.

use std::{
    collections::HashSet,
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::{
    incoming::PATIENCE,
    peer::Peer,
    server_process::{ServerProcess, command_after},
};

/// The most processor time that an idle process may use in a second.
const IDLE_CPU: Duration = Duration::from_millis(100);

/// The processor time that a running process has used.
#[track_caller]
fn cpu_time(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).expect("it runs");
    // The name before the last parenthesis may hold anything (proc_pid_stat(5));
    // user and system time are fields 14 and 15, and the state after it is 3.
    let (_, fields) = stat.rsplit_once(')').expect("the name stands in parentheses");
    assert!(!fields.trim_start().starts_with('T'), "it was stopped");
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.map(|time| time.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
}

/// Waits for a second in which a process uses hardly any processor time. On a busy machine it may
/// still be working on earlier input.
#[track_caller]
pub(crate) fn expect_idle(pid: Pid) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = cpu_time(pid);
        std::thread::sleep(Duration::from_secs(1));
        let used = cpu_time(pid) - before;
        if used <= IDLE_CPU {
            return;
        }
        assert!(Instant::now() < deadline, "it has used {used:?} in a second of nothing");
    }
}

/// Connects until the server has room again.
#[track_caller]
fn expect_place(address: SocketAddr) -> Peer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut peer = Peer::connect(address);
        match peer.expect_any(["로그인ID:", "server is full"]) {
            (0, _) => return peer,
            _ => assert!(Instant::now() < deadline, "it does not recover"),
        }
    }
}

/// The log's line about the number of connections and what limits it.
fn capacity(server: &mut ServerProcess) -> String {
    server.err().expect("capacity connections=");
    server.err().expect("\n")
}

#[test]
fn two_hundred_peers_at_64_descriptors_are_taken_or_told() {
    let mut command = command_after("ulimit -n 64");
    let mut server = ServerProcess::start_as(command.env("RUST_LOG", "info"));
    let said = capacity(&mut server);
    assert!(said.ends_with(" limit=64 open files: ulimit -n"), "{said}");

    let peers: Vec<Peer> = (0..200).map(|_| Peer::connect(server.address)).collect();
    let mut taken = Vec::new();
    let mut told = 0;
    for mut peer in peers {
        match peer.expect_any(["로그인ID:", "server is full"]) {
            (0, _) => taken.push(peer),
            _ => {
                peer.expect_end();
                told += 1;
            }
        }
    }
    assert_eq!(taken.len() + told, 200);
    assert!(said.starts_with(&format!("{} ", taken.len())), "{said}");
    expect_idle(server.pid());

    // Members can talk, and refused connections do not disturb them.
    expect_talk(&mut taken);

    // Someone leaves and makes room.
    let places = taken.len() / 2;
    taken.truncate(places);
    let mut late: Vec<Peer> = (0..places).map(|_| expect_place(server.address)).collect();
    late[0].say("late");
    late[0].expect("[late]님이 입장했습니다.\n");
    late[0].say("hi");
    taken[0].expect("[late] hi\n");
}

/// Takes all descriptors but `spare` from a running server behind its back, so that the number it
/// worked out at the start is wrong. Once its banner is shown, it has all descriptors that it
/// needs for itself.
fn leave_descriptors(pid: Pid, spare: usize) {
    let folder = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())).expect("it runs");
    let used: HashSet<u64> =
        folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // A new descriptor takes the lowest free number, which must be below the limit.
    let first_refused = (0..).filter(|number| !used.contains(number)).nth(spare);
    let limit = Rlimit { current: first_refused, maximum: first_refused };
    prlimit(Some(pid), Resource::Nofile, limit).expect("a limit may be lowered");
}

/// Connects `count` peers; each is admitted or told why not. Returns those admitted.
#[track_caller]
fn connect(address: SocketAddr, count: usize) -> Vec<Peer> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let mut peer = Peer::connect(address);
        match peer.expect_any(["로그인ID:", "server is full"]) {
            (0, _) => taken.push(peer),
            _ => drop(peer.expect_end()),
        }
    }
    taken
}

#[test]
fn without_descriptors_peers_are_told_and_the_server_recovers() {
    let mut server = ServerProcess::start(&["--log-format", "json"]);
    let mut member = Peer::join(server.address, "alice");
    leave_descriptors(server.pid(), 2);

    let taken = connect(server.address, 6);
    assert_eq!(taken.len(), 2);
    expect_idle(server.pid());
    member.say("still here");
    member.expect("[alice] still here\n");

    drop(taken);
    expect_place(server.address);

    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let diagnostics = server.err().expect_end();
    assert!(!diagnostics.is_empty());
    for line in diagnostics.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert_eq!(line["level"], "WARN", "{line}");
        assert!(line["timestamp"].is_string() && line["fields"].is_object(), "{line}");
    }
}

#[test]
fn without_descriptors_nobody_waits_long_for_a_word() {
    let mut server = ServerProcess::start(&["--log-format", "json"]);
    leave_descriptors(server.pid(), 0);
    assert_eq!(connect(server.address, 100).len(), 0);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    // A failed attempt is followed by a pause.
    let diagnostics = server.err().expect_end();
    assert_eq!(diagnostics.matches("refused a connection").count(), 100, "{diagnostics}");
    assert!(!diagnostics.contains("failed to accept"), "{diagnostics}");
}

/// How much address space or data (proc_pid_statm(5)) a process uses.
#[track_caller]
fn used_bytes(pid: Pid, resource: Resource) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_pid())).expect("it runs");
    let field = if resource == Resource::As { 0 } else { 5 };
    let pages: u64 = statm.split_whitespace().nth(field).expect("it is there").parse().expect("it");
    pages * rustix::param::page_size() as u64
}

#[test]
fn leaving_peers_make_room_where_memory_was_short() {
    for resource in [Resource::As, Resource::Data] {
        // Without this, the heap's arenas take addresses at random moments.
        let server = ServerProcess::start_as(&mut command_after("ulimit -v 1048576"));
        let taken = connect(server.address, 100);
        assert_eq!(taken.len(), 100);
        // Behind its back, as if the heap had taken the rest.
        let limit = Some(used_bytes(server.pid(), resource) + (8 << 20));
        let limit = Rlimit { current: limit, maximum: limit };
        prlimit(Some(server.pid()), resource, limit).expect("a limit may be lowered");
        assert_eq!(connect(server.address, 1).len(), 0, "{resource:?}");
        drop(taken);
        expect_place(server.address);
    }
}

#[test]
fn the_announced_capacity_is_true_where_address_space_is_limited() {
    let mut command = command_after("ulimit -v 262144");
    let mut server = ServerProcess::start_as(command.env("RUST_LOG", "info"));
    let said = capacity(&mut server);
    let taken = connect(server.address, 700);
    assert!(said.starts_with(&format!("{} ", taken.len())), "{said}");
}

#[test]
fn four_hundred_peers_in_little_memory_are_taken_or_told() {
    for (setup, named) in
        [("ulimit -v 131072", "128 MiB of address space"), ("ulimit -d 65536", "64 MiB of data")]
    {
        let mut command = command_after(setup);
        let mut server = ServerProcess::start_as(command.env("RUST_LOG", "info"));
        let said = capacity(&mut server);
        assert!(said.contains(named), "{said}");
        let mut taken = connect(server.address, 400);
        assert!((1..400).contains(&taken.len()), "{} of 400 were taken", taken.len());
        // All of them can talk, whatever memory that takes.
        expect_talk(&mut taken);
        drop(taken);
        expect_place(server.address);
    }
}

/// All of them log in, and then read what the first one says.
#[track_caller]
fn expect_talk(peers: &mut [Peer]) {
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.say(&format!("peer-{number}"));
        peer.expect(&format!("[peer-{number}]님이 입장했습니다.\n"));
    }
    peers[0].say("all here");
    for peer in peers {
        peer.expect("[peer-0] all here\n");
    }
}
