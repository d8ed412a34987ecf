//! Signals: a clean stop and its exit code. The server's configuration bounds the time of a stop.

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use rustix::process::Signal;

use crate::{
    peer::Peer,
    server_process::{ServerProcess, command_after},
};

/// The members' last message.
fn goodbye() -> String {
    Notice::Goodbye(Goodbye::Shutdown).text(Lang::Ko) + "\n"
}

#[track_caller]
fn signal_stops_cleanly(signal: Signal) {
    let mut server = ServerProcess::start(&[]);
    let mut members = ["alice", "홍길동"].map(|name| Peer::join(server.address, name));
    let mut at_the_prompt = Peer::connect(server.address);
    at_the_prompt.expect("로그인ID:");
    members[0].expect("[홍길동]님이 입장했습니다.\n");

    server.signal(signal);
    for member in &mut members {
        assert_eq!(member.expect_end(), goodbye());
    }
    assert!(at_the_prompt.expect_end().ends_with(&goodbye()));
    assert_eq!(server.expect_exit(), 0);
    server.out().expect("--- 채팅 서버를 종료합니다.\n");
    assert_eq!(server.err().expect_end(), "");
}

#[test]
fn sigint_says_goodbye_and_ends_with_0() {
    signal_stops_cleanly(Signal::INT);
}

#[test]
fn sigterm_says_goodbye_and_ends_with_0() {
    signal_stops_cleanly(Signal::TERM);
}

#[test]
fn messages_sent_before_a_stop_signal_are_delivered() {
    let mut server = ServerProcess::start(&["--rate-limit", "off"]);
    let mut listener = Peer::join(server.address, "bob");
    let mut speaker = Peer::join(server.address, "alice");
    for number in 0..200 {
        speaker.say(&number.to_string());
    }
    speaker.expect("[alice] 199\n");
    server.signal(Signal::TERM);
    let heard = listener.expect(&goodbye());
    let heard: Vec<&str> = heard.lines().filter(|line| line.starts_with("[alice] ")).collect();
    let said: Vec<String> = (0..200).map(|number| format!("[alice] {number}")).collect();
    assert_eq!(heard, said);
    listener.expect_end();
    assert_eq!(server.expect_exit(), 0);
}

/// A server that takes a while to stop: a member does not read what waits for it.
#[track_caller]
fn server_with_stalled_member() -> (ServerProcess, Peer) {
    let server = ServerProcess::start(&["--rate-limit", "off"]);
    let stalled = Peer::join_with_small_buffer(server.address, "stalled");
    let mut speaker = Peer::join(server.address, "alice");
    let text = "x".repeat(1_000);
    // More than the kernel takes and the outbox holds.
    for _ in 0..600 {
        speaker.say(&text);
        speaker.expect("\n");
    }
    (server, stalled)
}

#[test]
fn a_member_that_does_not_read_does_not_keep_the_server_from_stopping() {
    let (mut server, _stalled) = server_with_stalled_member();
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
}

#[test]
fn a_second_signal_ends_at_once_with_130() {
    for [first, second] in [[Signal::INT, Signal::INT], [Signal::TERM, Signal::INT]] {
        let (mut server, _stalled) = server_with_stalled_member();
        server.signal(first);
        server.out().expect("--- 채팅 서버를 종료합니다.\n");
        server.signal(second);
        // If it had waited for the member, the first signal would have ended it.
        assert_eq!(server.expect_exit(), 130);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_hangup_that_nohup_ignores_stays_ignored() {
    let server = ServerProcess::start_as(&mut command_after("trap '' HUP"));
    let path = format!("/proc/{}/status", server.pid().as_raw_pid());
    let status = std::fs::read_to_string(path).expect("it runs");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("in hexadecimal");
    assert_ne!(ignored & 1 << (Signal::HUP.as_raw() - 1), 0, "{status}");
}
