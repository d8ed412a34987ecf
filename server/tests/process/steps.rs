//! A line's path through the server takes time linear in its length: valgrind counts the
//! instructions that the whole server takes to read, decide and render what somebody sends.
//! Neither the machine's speed nor its load changes that number.

use madang_tests::{TestClient, WebSocketClient};
use rustix::process::Signal;
use serde_json::json;

use crate::server_process::{ServerProcess, command_under};

/// Texts to repeat until they are long enough: everything that some rule looks for.
const PIECES: [&str; 16] = [
    "a",
    "가",
    "\"",
    "\t",
    " ",
    "/",
    "\0",
    "\u{feff}",
    "\u{1b}[31m",
    "\u{1b}]",
    "a\u{301}",
    "\u{202e}",
    "\u{1100}\u{1161}",
    "/msg b ",
    "#7zzzz-0abcd",
    "http://a)",
];

/// The same for characters that end lines, or might.
const LINES: [&[u8]; 10] = [
    b"\n",
    b"\r\n",
    b"a\n",
    b"a\n\0",
    b"a\n\0\0",
    b"a\0",
    b"\r",
    b"\r\0",
    b"/who\n",
    b"\n\xff\xfea\0",
];

/// How the input arrives.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// One line each.
    Line,
    /// Many lines in one read.
    Read,
    /// One JSON request each.
    Json,
    /// One WebSocket message each.
    Message,
}

impl Way {
    /// The largest input of each kind.
    fn most_bytes(self) -> usize {
        match self {
            Way::Line => 3_900,
            Way::Read => 12_000,
            // A control character takes six bytes in JSON.
            Way::Json | Way::Message => 10_000,
        }
    }
}

/// The instructions of a server to which a member sends all of these.
#[track_caller]
fn instructions(way: Way, all: &[Vec<u8>]) -> u64 {
    let valgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let mut command = command_under("valgrind", &valgrind);
    let mut server = ServerProcess::start_as(command.args(["--rate-limit", "off"]));
    match way {
        Way::Line | Way::Read => {
            // One connection each: some inputs change how the rest of a connection is read.
            for sent in all {
                let mut member = TestClient::connect(server.address);
                member.login("alice").send(sent).send("\n").finish_sending();
                member.expect_rest();
                server.out().expect("[alice] 퇴장");
            }
        }
        Way::Json => {
            let mut member = TestClient::connect(server.address);
            member.login_json("alice");
            for sent in all {
                member.send_json(json!({"type": "say", "text": String::from_utf8_lossy(sent)}));
                member.send_json(json!({"type": "command", "line": "/ping"}));
                while member.expect_json()["type"] != "pong" {}
            }
        }
        Way::Message => {
            let mut member = WebSocketClient::open(server.web_address, "/", &[]);
            member.login("alice");
            for sent in all {
                member.send_frame(0x81, sent).send("/ping over");
                while !member.expect_message().ends_with("over") {}
            }
        }
    }
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let report = server.err().expect_end();
    let count = report.split("Collected : ").nth(1).and_then(|rest| rest.split_whitespace().next());
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{report}"))
}

#[track_caller]
fn check(way: Way, pieces: &[&[u8]]) {
    let long = |bytes: usize| -> Vec<Vec<u8>> {
        pieces.iter().map(|piece| piece.repeat(bytes / piece.len())).collect()
    };
    let most = way.most_bytes();
    let [none, once, twice] = [0, most / 2, most].map(|bytes| instructions(way, &long(bytes)));
    let (once, twice) = (once.saturating_sub(none), twice.saturating_sub(none));
    let told = format!("{way:?}: {once} instructions, {twice} for twice as much");
    println!("{told}");
    // A tenth on top: reads and wake-ups come at other moments.
    assert!(twice <= 2 * once + once / 10, "{told}");
}

#[test]
#[ignore = "needs valgrind"]
fn twice_the_input_takes_at_most_twice_the_instructions() {
    for way in [Way::Line, Way::Json, Way::Message] {
        check(way, &PIECES.map(str::as_bytes));
    }
    check(Way::Read, &LINES);
}
