//! Reading from a disk that misbehaves: transcripts, history and searches while it fails or hangs.
//! What can't be read is refused or breaks off, never shortened unseen; the chat goes on.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use madang_tests::{DEADLINE, TestClient};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    disk::{FailingDisk, Two, numbers},
    journal::wait_for,
    reach::CODE,
    server_process::ServerProcess,
};

/// The end of a body in chunks (RFC 9112, section 7.1).
const LAST_CHUNK: &str = "\r\n0\r\n\r\n";

/// A teacher, who may have transcripts.
fn teacher(server: &ServerProcess) -> TestClient {
    let mut kim = TestClient::connect(server.address);
    kim.login_json("kim");
    kim.send_json(json!({"type": "command", "line": format!("/teach {CODE}")}));
    wait_for(&mut kim, "teacher");
    kim
}

/// The path of a transcript, and the download of it over this version of HTTP, begun.
#[track_caller]
fn begin(kim: &mut TestClient, web_address: SocketAddr, http: &str) -> TcpStream {
    kim.send_json(json!({"type": "command", "line": "/transcript jsonl"}));
    let offer = wait_for(kim, "transcript");
    let path = offer["path"].as_str().expect("a path");
    let mut download = TcpStream::connect(web_address).expect("it listens");
    download.set_read_timeout(Some(DEADLINE)).expect("a socket");
    write!(download, "GET {path} {http}\r\nHost: localhost\r\n\r\n").expect("it reads");
    download
}

/// What comes of a download. The connection may end without good order.
fn rest_of(mut download: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = download.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The events of a whole transcript.
#[track_caller]
fn whole(kim: &mut TestClient, server: &ServerProcess) -> Vec<Value> {
    events(&rest_of(begin(kim, server.web_address, "HTTP/1.0")))
}

#[track_caller]
fn events(answer: &str) -> Vec<Value> {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Says lines, and waits for their acks, whatever these promise.
#[track_caller]
fn say(two: &mut Two, lines: usize) {
    for _ in 0..lines {
        two.say();
    }
    for _ in 0..lines {
        two.ack();
    }
}

#[test]
#[ignore = "needs cc"]
fn a_transcript_has_what_a_failing_disk_could_not_save() {
    for order in ["write", "sync", "hang"] {
        let disk = FailingDisk::new();
        let server = disk.start_server();
        let (mut two, mut kim) = (Two::log_in(&server), teacher(&server));
        say(&mut two, 3);
        disk.order(order);
        say(&mut two, 5);
        assert_eq!(numbers(&whole(&mut kim, &server)), [0, 1, 2, 3, 4, 5, 6, 7], "{order}");
        disk.order("");
    }
}

#[test]
#[ignore = "needs cc"]
fn unreadable_data_breaks_off_or_is_refused_and_the_chat_goes_on() {
    let disk = FailingDisk::new();
    let server = disk.start_server();
    let (mut two, mut kim) = (Two::log_in(&server), teacher(&server));
    say(&mut two, 3);
    disk.order("read");
    let answer = rest_of(begin(&mut kim, server.web_address, "HTTP/1.1"));
    assert!(!answer.ends_with(LAST_CHUNK), "it looks whole: {answer}");
    assert!(!answer.contains("line 0 of alice"), "nothing could be read: {answer}");
    two.alice.send_json(json!({"type": "command", "line": "/search line", "nonce": "s"}));
    assert_eq!(wait_for(&mut two.alice, "error")["nonce"], "s");
    say(&mut two, 3);
    disk.order("");
    // Reading needs no time to recover, and writing was not disturbed for long.
    assert_eq!(numbers(&whole(&mut kim, &server)), [0, 1, 2, 3, 4, 5]);
}

#[test]
#[ignore = "needs cc"]
fn reads_that_hang_hold_up_their_reader_only_and_no_stop() {
    let disk = FailingDisk::new();
    let mut server = disk.start_server();
    let (mut two, mut kim) = (Two::log_in(&server), teacher(&server));
    say(&mut two, 3);
    disk.order("block");
    let download = begin(&mut kim, server.web_address, "HTTP/1.0");
    say(&mut two, 3);
    disk.order("");
    assert_eq!(numbers(&events(&rest_of(download)))[..3], [0, 1, 2]);

    disk.order("block");
    let download = begin(&mut kim, server.web_address, "HTTP/1.1");
    say(&mut two, 1);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let answer = rest_of(download);
    let has_all = (0..7).all(|number| answer.contains(&format!("line {number} of alice")));
    assert!(has_all || !answer.ends_with(LAST_CHUNK), "it looks whole: {answer}");
}
