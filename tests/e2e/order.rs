//! One order for all members: nothing missing, nothing twice, nothing out of order.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use madang_server::config::Config;
use madang_tests::{TestClient, TestServer, read_lines};
use serde_json::json;

/// How long a flood may take on one busy core.
const FLOOD_PATIENCE: Duration = Duration::from_secs(60);

/// Space for everything that a test says, so that a reader is never skipped, however late it
/// gets the processor. Skipping has tests of its own.
fn roomy(config: &mut Config) {
    config.outbox_bytes = 64 << 20;
}

/// Runs `members` listeners. The first `speakers` of them each say `line(speaker, n)` for every
/// n below `lines` as fast as they can. All must read the same: every line once, and each
/// speaker's lines in order.
#[track_caller]
fn check_flood(
    server: &TestServer,
    members: usize,
    speakers: usize,
    lines: usize,
    line: fn(usize, usize) -> String,
) {
    let members: Vec<TcpStream> =
        server.gather(members).into_iter().map(TestClient::into_stream).collect();
    let all_read: Vec<Vec<u8>> = thread::scope(|scope| {
        let readers: Vec<_> = members
            .iter()
            .map(|stream| scope.spawn(move || read_lines(stream, speakers * lines, FLOOD_PATIENCE)))
            .collect();
        for (speaker, mut stream) in members[..speakers].iter().enumerate() {
            scope.spawn(move || {
                let words: String = (0..lines).map(|n| line(speaker, n) + "\n").collect();
                stream.write_all(words.as_bytes()).expect("the server reads");
            });
        }
        readers.into_iter().map(|reader| reader.join().expect("all of it comes")).collect()
    });

    let first = String::from_utf8(all_read[0].clone()).expect("the server sends UTF-8");
    for (member, read) in all_read.iter().enumerate() {
        assert!(*read == all_read[0], "member {member} reads another order than member 0");
    }
    let mut next = vec![0; speakers];
    for heard in first.lines() {
        let speaker: usize = heard[2..5].parse().expect("a speaker's number");
        assert_eq!(heard, format!("[m{speaker:03}] {}", line(speaker, next[speaker])));
        next[speaker] += 1;
    }
    assert_eq!(next, vec![lines; speakers]);

    // Nothing comes twice.
    (&members[0]).write_all(b"end\n").expect("the server reads");
    for stream in &members {
        assert_eq!(read_lines(stream, 1, FLOOD_PATIENCE), b"[m000] end\n");
    }
}

#[test]
fn sixteen_speakers_are_heard_in_one_order_by_a_hundred_members() {
    let server = TestServer::start(roomy);
    check_flood(&server, 100, 16, 1_000, |speaker, n| {
        format!("line {n:04} of speaker {speaker:02}, which nobody may miss or see twice")
    });
}

#[test]
fn a_burst_far_above_the_mailbox_bound_loses_nothing() {
    let server = TestServer::start(roomy);
    // 4 MiB, while a mailbox holds 256 KiB.
    check_flood(&server, 20, 8, 512, |speaker, n| {
        format!("{n:03} of {speaker} {}", "안녕하세요 ".repeat(64))
    });
}

#[test]
fn a_member_who_joins_during_a_flood_gets_everything_from_then_on() {
    let server = TestServer::start(roomy);
    let enough = Arc::new(AtomicBool::new(false));
    let speakers: Vec<JoinHandle<()>> = ["s1", "s2", "s3", "s4"]
        .map(|name| {
            let (mut speaker, enough) = (server.login(name), enough.clone());
            thread::spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    speaker.send("words\n".repeat(20));
                    for _ in 0..20 {
                        speaker.expect(format!("[{name}] words\n"));
                    }
                }
            })
        })
        .into();
    let mut visitors: Vec<TestClient> = (0..40)
        .map(|at| {
            let mut visitor = server.connect();
            visitor.become_json();
            let name = format!("visitor-{at}");
            visitor.send_json(json!({"type": "login", "name": name, "history": 0}));
            visitor
        })
        .collect();
    let ids = visitors.iter_mut().map(|visitor| {
        let welcome = visitor.expect_message("welcome");
        assert_eq!(visitor.expect_message("joined")["id"], welcome["id"]);
        welcome["id"].as_u64().expect("an id")
    });
    let ids: Vec<u64> = ids.collect();
    enough.store(true, Ordering::Relaxed);
    for speaker in speakers {
        speaker.join().expect("a speaker hears itself");
    }
    server.login("closer").send("end\n").expect("[closer] end\n");
    for (visitor, mut id) in visitors.iter_mut().zip(ids) {
        loop {
            let message = visitor.expect_json();
            id += 1;
            assert_eq!(message["id"], id, "{message}");
            if message["user"] == "closer" && message["text"] == "end" {
                break;
            }
        }
    }
}
