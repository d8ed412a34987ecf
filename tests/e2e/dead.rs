//! The seed's lesson: a dead socket costs only itself, and never a broadcast.

use std::time::Duration;

use madang_tests::{NEVER, TestClient, TestServer, who};

const VICTIMS: usize = 20;

/// Logs in a speaker and victims. While the speaker talks, `kill` ends one victim after the
/// other. Checks that listener and speaker miss nothing: every line, and one notice for each
/// victim that leaves.
#[track_caller]
fn check_deaths(kill: fn(TestClient)) {
    let server = TestServer::start(|config| config.outbox_bytes = 64 << 20);
    let mut speaker = server.login("speaker");
    let mut listener = server.login("listener");
    let victims: Vec<TestClient> =
        (0..VICTIMS).map(|at| server.login(&format!("victim-{at}"))).collect();
    let last = format!("[victim-{}]님이 입장했습니다.\n", VICTIMS - 1);
    speaker.expect(&last);
    listener.expect(&last);

    for (at, victim) in victims.into_iter().enumerate() {
        let burst: String = (0..50).map(|n| format!("{at}.{n} {}\n", "x".repeat(500))).collect();
        // Half of the burst is sent before, half after.
        let (before, after) = burst.split_at(burst.len() / 2);
        speaker.send(before);
        kill(victim);
        speaker.send(after);
    }
    for member in [&mut speaker, &mut listener] {
        let mut left = 0;
        for at in 0..VICTIMS {
            for n in 0..50 {
                let mut line = member.expect_line();
                while line.starts_with("[victim-") {
                    assert!(line.ends_with("님이 퇴장했습니다."), "{line}");
                    left += 1;
                    line = member.expect_line();
                }
                assert_eq!(line, format!("[speaker] {at}.{n} {}", "x".repeat(500)));
            }
        }
        while left < VICTIMS {
            assert!(member.expect_line().ends_with("님이 퇴장했습니다."));
            left += 1;
        }
    }
    speaker.send("/who\n").expect_next(who(&["speaker", "listener"]));
    for at in 0..VICTIMS {
        server.login_when_free(&format!("victim-{at}"));
    }
}

#[test]
fn a_reset_in_the_middle_of_a_flood_costs_only_itself() {
    check_deaths(TestClient::reset);
}

#[test]
fn a_close_while_being_sent_to_costs_only_itself() {
    // With unread lines, so that the kernel answers later ones with a reset.
    check_deaths(drop);
}

#[test]
fn a_half_closed_client_leaves_and_is_sent_what_waits() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = server.login("alice");
    bob.expect("[alice]님이 입장했습니다.\n");
    bob.send("one\n").expect("[bob] one\n");
    alice.finish_sending();
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
    alice.expect_next("[bob] one\n").expect_closed();
    server.login_when_free("alice");
}

#[test]
fn a_half_closed_client_that_does_not_read_holds_nothing_up() {
    let server = TestServer::start(|config| {
        config.unsent_bytes = 4 * 1_024;
        // Lines for it are still queued when its name becomes free.
        (config.drain_timeout, config.stall_timeout) = (NEVER, NEVER);
        config.stop_timeout = Duration::ZERO;
    });
    let mut alice = TestClient::connect_with_buffer(server.address(), 4 * 1_024);
    alice.login("alice");
    let mut bob = server.login("bob");
    for n in 0..100 {
        let words = format!("{n} {}", "x".repeat(1_000));
        bob.send(format!("{words}\n")).expect_next(format!("[bob] {words}\n"));
    }
    alice.finish_sending();
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
    server.login_when_free("alice").send("/quit\n");
}

#[test]
fn a_reset_at_the_prompt_costs_only_itself() {
    let server = TestServer::start(|_| {});
    for number in 1..=10 {
        let mut client = server.connect();
        client.expect("로그인ID:");
        client.send("half a na");
        client.reset();
        server.console_expect(&format!("(#{number}: "));
    }
    server.login("alice").send("hello\n").expect_next("[alice] hello\n");
}

#[test]
fn a_reset_while_the_name_is_claimed_leaves_no_name_behind() {
    let server = TestServer::start(|_| {});
    for _ in 0..50 {
        let mut client = server.connect();
        client.send("alice\n");
        client.reset();
    }
    let mut alice = server.login_when_free("alice");
    let mut bob = server.login("bob");
    bob.send("/who\n").expect_next(who(&["alice", "bob"]));
    alice.expect("[bob]님이 입장했습니다.\n");
}

#[test]
fn names_of_the_dead_are_free_long_before_the_system_gives_them_up() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    for _ in 0..20 {
        let alice = server.login_when_free("alice");
        bob.expect_next("[alice]님이 입장했습니다.\n");
        alice.reset();
        bob.expect_next("[alice]님이 퇴장했습니다.\n");
    }
}
