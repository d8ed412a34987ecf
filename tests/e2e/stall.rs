//! A member that does not read is skipped, told how much it missed, and disconnected after a
//! while. Members that do read notice nothing.

use std::time::{Duration, Instant};

use madang_tests::{DEADLINE, NEVER, TestClient, TestServer, skipped_lines};
use serde_json::{Value, json};

use crate::metrics::{samples, tell};

/// About as much as the kernel buffers for a client that does not read.
const SMALL_BUFFER: usize = 4 * 1_024;

/// How many lines `talk` says, about 1 KiB each: far more than kernel and outbox hold for a
/// client that does not read.
const LINES: usize = 3_000;

/// How many lines are said before the readers have read them.
const BURST_LINES: usize = 50;

fn words(line: usize) -> String {
    format!("{line:06} {}", "안녕하세요 ".repeat(60))
}

/// Says all [`LINES`], while speaker and listeners read them.
#[track_caller]
fn talk(speaker: &mut TestClient, listeners: &mut [TestClient]) {
    for first in (0..LINES).step_by(BURST_LINES) {
        let lines = first..first + BURST_LINES;
        speaker.send(lines.clone().map(|line| words(line) + "\n").collect::<String>());
        for line in lines {
            let heard = format!("[speaker] {}\n", words(line));
            speaker.expect_next(&heard);
            for listener in &mut *listeners {
                listener.expect_next(&heard);
            }
        }
    }
}

/// A member with a small receive buffer, which does not read from now on.
#[track_caller]
fn login_stalled(server: &TestServer, name: &str) -> TestClient {
    let mut client = TestClient::connect_with_buffer(server.address(), SMALL_BUFFER);
    client.login(name);
    client
}

/// A server that skips slow readers, and never disconnects them.
#[track_caller]
fn patient_server() -> TestServer {
    TestServer::start(|config| config.stall_timeout = NEVER)
}

#[test]
fn slow_reader_is_skipped_and_marked_and_nobody_waits_for_it() {
    let server = patient_server();
    let mut slow = login_stalled(&server, "slow");
    let mut speaker = server.login("speaker");
    let mut listeners = [server.login("one"), server.login("two")];
    speaker.expect("[two]님이 입장했습니다.\n");
    listeners[0].expect("[two]님이 입장했습니다.\n");

    talk(&mut speaker, &mut listeners);
    slow.widen_buffer();
    for name in ["speaker", "one", "two"] {
        slow.expect_next(format!("[{name}]님이 입장했습니다.\n"));
    }
    speaker.send("end\n");
    let (mut next, mut skipped, mut marks) = (0, 0, 0);
    loop {
        let line = slow.expect_line();
        if line == "[speaker] end" {
            break;
        }
        if let Some(count) = skipped_lines(&line) {
            (next, skipped, marks) = (next + count, skipped + count, marks + 1);
        } else {
            assert_eq!(line, format!("[speaker] {}", words(next)));
            next += 1;
        }
    }
    assert_eq!(next, LINES, "every line was sent or is counted in a mark");
    assert!(skipped > LINES / 2, "{skipped} of {LINES} lines were skipped");
    assert_eq!(marks, 1, "marks that meet become one");

    // After that it is an ordinary member again.
    slow.send("back\n").expect_next("[slow] back\n");
    listeners[1].expect_next("[speaker] end\n[slow] back\n");
}

#[test]
fn a_gap_names_exactly_the_ids_that_are_missing() {
    let server = patient_server();
    let mut slow = TestClient::connect_with_buffer(server.address(), SMALL_BUFFER);
    let mut next_id = slow.login_json("slow")["id"].as_u64().expect("an id") + 1;
    let mut speaker = server.login("speaker");
    talk(&mut speaker, &mut []);

    slow.widen_buffer();
    assert_eq!(slow.expect_message("joined")["id"], next_id);
    let first_line_id = next_id + 1;
    next_id = first_line_id;
    speaker.send("end\n");
    let mut gaps = 0;
    loop {
        let message = slow.expect_json();
        let id = |field: &str| message[field].as_u64().expect("an id");
        match message["type"].as_str() {
            Some("gap") => {
                assert_eq!((id("from"), &message["room"]), (next_id, &Value::from("lobby")));
                next_id = id("to") + 1;
                gaps += 1;
            }
            Some("said") => {
                assert_eq!(id("id"), next_id);
                next_id += 1;
                if message["text"] == "end" {
                    break;
                }
                let line = usize::try_from(id("id") - first_line_id).expect("few lines");
                assert_eq!(message["text"], words(line), "ids and lines agree");
            }
            _ => panic!("neither gap nor said: {message}"),
        }
    }
    assert_eq!(next_id, first_line_id + LINES as u64 + 1);
    assert_eq!(gaps, 1);
}

#[test]
fn answers_to_a_slow_reader_are_never_skipped() {
    let server = patient_server();
    let mut slow = TestClient::connect_with_buffer(server.address(), SMALL_BUFFER);
    slow.login_json("slow");
    let mut speaker = server.login("speaker");
    // More than the kernel buffers, and then more than the outbox holds.
    talk(&mut speaker, &mut []);
    for nonce in 0..20 {
        // A second question would wait until the answer to the first has been sent.
        slow.send_json(json!({"type": "say", "text": "here", "nonce": nonce.to_string()}));
    }
    slow.wait_until_read();
    for _ in 0..20 {
        speaker.expect("[slow] here\n");
    }
    talk(&mut speaker, &mut []);
    speaker.send("end\n");
    slow.widen_buffer();
    let mut acks = 0;
    loop {
        let message = slow.expect_json();
        if message["type"] == "ack" {
            assert_eq!(message["nonce"], acks.to_string());
            acks += 1;
        }
        if message["text"] == "end" {
            break;
        }
    }
    assert_eq!(acks, 20);
}

#[test]
fn a_member_who_never_reads_is_dropped_and_the_operator_is_told() {
    const STALL_TIMEOUT: Duration = Duration::from_secs(1);
    let server = TestServer::start(|config| config.stall_timeout = STALL_TIMEOUT);
    let _slow = login_stalled(&server, "slow");
    let (mut speaker, mut listener) = server.login_two("speaker", "listener");
    let started = Instant::now();
    let (mut said, mut told) = (0, 0);
    // The others see it leave, in the middle of the conversation.
    while told < 2 {
        speaker.send(words(said) + "\n");
        for member in [&mut speaker, &mut listener] {
            let mut heard = member.expect_line();
            if heard == "[slow]님이 퇴장했습니다." {
                told += 1;
                heard = member.expect_line();
            }
            assert_eq!(heard, format!("[speaker] {}", words(said)));
        }
        said += 1;
        assert!(started.elapsed() < DEADLINE, "it is never dropped");
    }
    assert!(started.elapsed() >= STALL_TIMEOUT, "{:?}", started.elapsed());
    server.console_expect("[slow] 퇴장 (127.0.0.1: 읽지 않음)\n");
    server.login_when_free("slow");
}

#[test]
fn a_slow_but_steady_reader_is_not_dropped() {
    const STALL_TIMEOUT: Duration = Duration::from_secs(3);
    /// How many lines it stays behind, and how long it takes to read one.
    const BEHIND: usize = 20;
    const PACE: Duration = Duration::from_millis(30);
    let server = TestServer::start(|config| {
        tell(config);
        config.unsent_bytes = 4 * 1_024;
        config.stall_timeout = STALL_TIMEOUT;
    });
    let mut slow = login_stalled(&server, "slow");
    let mut speaker = server.login("speaker");
    slow.expect_next("[speaker]님이 입장했습니다.\n");
    let (mut said, mut heard) = (0, 0);
    let mut say = || {
        speaker.send(words(said) + "\n").expect_next(format!("[speaker] {}\n", words(said)));
        said += 1;
    };
    let waits = || samples(&server)["madang_drainer_queue"] == 1.0;
    while !waits() {
        say();
    }
    (0..BEHIND).for_each(|_| say());
    // Some line is always waiting for it, for longer than a client that reads nothing may stay.
    let started = Instant::now();
    while started.elapsed() < STALL_TIMEOUT + STALL_TIMEOUT / 3 {
        std::thread::sleep(PACE);
        say();
        slow.expect_next(format!("[speaker] {}\n", words(heard)));
        heard += 1;
        assert!(waits(), "it has caught up");
    }
    for line in heard..said {
        slow.expect_next(format!("[speaker] {}\n", words(line)));
    }
}
