//! Stopping the server: everyone gets all accepted lines, then a goodbye, in time.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_tests::{NEVER, TestClient, TestServer};
use serde_json::{Value, json};

const GOODBYE: &str = "서버를 종료합니다.\n";

#[test]
fn everyone_gets_a_goodbye_of_its_kind_as_the_last() {
    // If everyone reads, this time is not needed.
    let mut server = TestServer::start(|config| config.stop_timeout = NEVER);
    let mut json = server.login_json("json");
    let mut english = server.connect();
    english.expect("ID:");
    english.send("/lang en\n").login("english");
    let mut text = server.login("text");
    let mut at_prompt = server.connect();
    at_prompt.expect("ID:");
    let mut json_at_prompt = server.connect();
    json_at_prompt.become_json();
    text.send("last\n").expect("[text] last\n");

    server.stop();

    for client in [&mut text, &mut at_prompt] {
        client.expect_next(GOODBYE).expect_closed();
    }
    english.expect("[text] last\n");
    english.expect_next(Notice::Goodbye(Goodbye::Shutdown).text(Lang::En) + "\n");
    english.expect_closed();
    json.expect("\"last\"}\n");
    for client in [&mut json, &mut json_at_prompt] {
        client.expect_next("{\"type\":\"bye\",\"reason\":\"shutdown\"}\n").expect_closed();
    }
    assert!(TcpStream::connect(server.address()).is_err(), "nobody listens any more");
}

#[test]
fn five_hundred_members_wait_for_one_stalled_as_long_as_a_stop_may_take() {
    const MEMBERS: usize = 500;
    const LINES: usize = 60;
    const STOP_TIMEOUT: Duration = Duration::from_secs(2);
    let mut server = TestServer::start(|config| {
        // So small that a few lines stall a client that does not read, and nobody else.
        config.unsent_bytes = 4 * 1_024;
        config.stop_timeout = STOP_TIMEOUT;
    });
    let mut stalled = TestClient::connect_with_buffer(server.address(), 4 * 1_024);
    stalled.login("stalled");
    let mut members = server.gather(MEMBERS);
    let line = |n: usize| format!("{n:03} {}", "안녕하세요 ".repeat(40));
    let (speaker, others) = members.split_first_mut().expect("there are members");
    speaker.send((0..LINES).map(|n| line(n) + "\n").collect::<String>());
    let last = format!("[m000] {}\n", line(LINES - 1));
    speaker.expect(&last);
    // However busy the machine is, the server only waits for the stalled connection.
    for member in others {
        for n in 0..LINES {
            member.expect_next(format!("[m000] {}\n", line(n)));
        }
    }

    let started = Instant::now();
    server.stop();
    let passed = started.elapsed();
    assert!(passed >= STOP_TIMEOUT, "the stalled one was not stalled: {passed:?}");

    for member in &mut members {
        member.expect_next(GOODBYE).expect_closed();
    }
    assert!(server.console().contains("stalled"), "{}", server.console());
}

#[test]
fn messages_accepted_before_a_stop_are_delivered_to_everyone_alike() {
    let mut server = TestServer::start(|config| {
        config.outbox_bytes = 64 << 20;
        config.stop_timeout = NEVER;
    });
    let mut witness = server.login("witness");
    let listeners: Vec<JoinHandle<Vec<u8>>> = (0..20)
        .map(|at| {
            let mut listener = server.login_json(&format!("listener-{at}")).into_stream();
            std::thread::spawn(move || {
                let mut heard = Vec::new();
                listener.read_to_end(&mut heard).expect("the server closes in order");
                heard
            })
        })
        .collect();
    for speaker in server.gather(4) {
        let mut speaker = speaker.into_stream();
        let mut hearing = speaker.try_clone().expect("there is a descriptor left");
        // Both end with the server.
        std::thread::spawn(move || while speaker.write_all(b"words\n").is_ok() {});
        std::thread::spawn(move || std::io::copy(&mut hearing, &mut std::io::sink()));
    }
    witness.expect("words\n");
    // The server waits for clients that read to the end.
    let witness = std::thread::spawn(move || witness.expect_rest());
    server.stop();
    assert!(witness.join().expect("it reads to the end").ends_with(GOODBYE));

    let last_ids: Vec<u64> = listeners
        .into_iter()
        .map(|listener| last_id_before_bye(&listener.join().expect("it reads to the end")))
        .collect();
    assert!(last_ids.iter().all(|id| *id == last_ids[0]), "{last_ids:?}");
}

/// Checks everything a listener received: ids rise by one, and the bye comes last.
#[track_caller]
fn last_id_before_bye(heard: &[u8]) -> u64 {
    let heard = std::str::from_utf8(heard).expect("the server sends UTF-8");
    let mut lines = heard.lines().peekable();
    let mut last_id = None;
    while let Some(line) = lines.next() {
        let message: Value = serde_json::from_str(line).expect("every line is whole");
        if lines.peek().is_none() {
            assert_eq!(message, json!({"type": "bye", "reason": "shutdown"}));
            break;
        }
        let id = message["id"].as_u64().expect("an id");
        assert!(last_id.is_none_or(|last| id == last + 1), "{message} after {last_id:?}");
        last_id = Some(id);
    }
    last_id.expect("there were events")
}

#[test]
fn leaves_are_not_announced_when_all_leave() {
    let mut server = TestServer::start(|_| {});
    let mut members = server.gather(20);
    server.stop();
    for member in &mut members {
        member.expect_next(GOODBYE).expect_closed();
    }
    for at in 0..20 {
        assert!(server.console().contains(&format!("[m{at:03}] 퇴장 (127.0.0.1: 서버 종료)\n")));
    }
}

#[test]
fn a_server_without_connections_stops_at_once() {
    let mut server = TestServer::start(|config| {
        (config.stop_timeout, config.join_timeout) = (NEVER, NEVER);
    });
    server.stop();
}
