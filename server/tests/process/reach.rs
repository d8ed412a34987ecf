//! How far back members, teachers and the operator may read (`--reach`), by every door.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{TestClient, TestFolder, WebSocketClient};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    journal::{start, text, wait_for},
    server_process::command,
    terminal::Terminal,
};

pub(crate) const CODE: &str = "QX7F-3K9W-2M";

/// A message this old is out of members' reach.
const LONG_AGO: Duration = Duration::from_secs(2 * 24 * 3_600);

/// A folder where `old news` was said in the lobby two days ago.
#[track_caller]
fn two_days_later(folder: &TestFolder) -> std::path::PathBuf {
    let data = folder.path().join("data");
    let mut server = start(&data);
    let mut alice = TestClient::connect(server.address);
    alice.login("alice");
    alice.send("old news\n").expect("[alice] old news\n");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let database = rusqlite::Connection::open(data.join("madang.db")).expect("a database");
    let millis = i64::try_from(LONG_AGO.as_millis()).expect("two days");
    let moved = database.execute("UPDATE event SET time = time - ?1", [millis]);
    assert!(moved.is_ok_and(|events| events >= 2), "joined and said");
    data
}

/// The server at a terminal, and its addresses for lines and for browsers.
#[track_caller]
pub(crate) fn start_at_terminal(
    folder: &TestFolder,
    data: &Path,
) -> (Terminal, SocketAddr, SocketAddr) {
    let code = folder.write("code", CODE);
    let mut command = command();
    command.stdin(Stdio::inherit()).args(["--listen", "127.0.0.1:0", "--lang", "en"]);
    command.args(["--rate-limit", "off", "--data", text(data), "--teacher-code", text(&code)]);
    let mut terminal = Terminal::start(command);
    let mut told = |before: &str, behind: &str| {
        terminal.expect(before);
        let address = format!("127.0.0.1:{}", terminal.expect(behind));
        address.parse().expect("a port is told")
    };
    let web = told("http://127.0.0.1:", "/");
    let lines = told("nc 127.0.0.1 ", "\n");
    (terminal, lines, web)
}

fn words(notice: Notice<'_>) -> String {
    notice.text(Lang::En) + "\n"
}

/// What a program finds by `history` from the end, by `history` from the beginning, and by a
/// search; and whether it is told that nothing older may be read.
fn found(mut ask: impl FnMut(Value) -> Value) -> Vec<(Vec<String>, bool)> {
    let texts = |answer: Value| {
        let events = answer["events"].as_array().expect("a list").iter();
        let texts = events.filter_map(|event| event["text"].as_str().map(str::to_owned));
        // A search that has reached its end has no `before`.
        let earliest = answer["earliest"] == true || answer["type"] == "found";
        (texts.collect(), earliest)
    };
    let search = json!({"type": "command", "line": "/search news"});
    let asked = [json!({"type": "history"}), json!({"type": "history", "after": 0}), search];
    asked.map(|request| texts(ask(request))).into()
}

#[test]
fn members_read_back_a_day_and_teachers_and_the_operator_everything_by_every_door() {
    let folder = TestFolder::new();
    let data = two_days_later(&folder);
    let (mut terminal, lines, web) = start_at_terminal(&folder, &data);

    let new = || vec!["new news".to_owned()];
    let all = || vec!["old news".to_owned(), "new news".to_owned()];
    let members = vec![(new(), true), (new(), true), (new(), true)];
    let teachers = vec![(all(), true), (all(), true), (all(), true)];

    let mut bob = TestClient::connect(lines);
    bob.expect("Login ID:");
    bob.send("bob\n");
    // The room remembers the old line too, but does not show it.
    bob.expect_next(words(Notice::Recorded)).expect_next("[bob] joined.\n");
    bob.send("new news\n").expect_next("[bob] new news\n");
    let day = jiff::Zoned::now().checked_sub(jiff::ToSpan::days(2)).expect("a date");
    let day = day.strftime("/history %m-%d\n").to_string();

    // In lines: a member, then the same person as a teacher.
    bob.send("/history\n/ping\n");
    let shown = bob.expect("pong\n");
    assert!(shown.contains("new news") && !shown.contains("old news"), "{shown}");
    assert!(shown.contains(&words(Notice::HistoryBegins)), "{shown}");
    bob.send(&day).expect("Members can only read back to ");
    bob.send("/search old\n").expect(words(Notice::Found { count: 0, is_all: true }));
    bob.send(format!("/teach {CODE}\n/ping\n")).expect("pong\n");
    for asked in ["/history\n", &day, "/search news\n"] {
        bob.send(asked).expect("[alice] old news\n");
        bob.expect("[bob] new news\n");
    }

    // In JSON, over TCP and over WebSocket.
    let mut carol = TestClient::connect(lines);
    carol.login_json("carol");
    let mut over_tcp = |request: Value| {
        carol.send_json(request.clone());
        wait_for(&mut carol, answer_to(&request))
    };
    assert_eq!(found(&mut over_tcp), members);
    over_tcp(json!({"type": "command", "line": format!("/teach {CODE}")}));
    assert_eq!(found(&mut over_tcp), teachers);
    let mut dave = WebSocketClient::open_json(web);
    dave.send_json(&json!({"type": "login", "name": "dave"}));
    for kind in ["hello", "welcome"] {
        dave.expect_json(kind);
    }
    let shown = dave.expect_json("history");
    let shown: Vec<_> = shown["events"].as_array().into_iter().flatten().collect();
    assert!(matches!(shown[..], [said] if said["text"] == "new news"), "{shown:?}");
    let mut over_websocket = |request: Value| {
        dave.send_json(&request);
        loop {
            let message: Value = serde_json::from_str(&dave.expect_message()).expect("JSON");
            if message["type"] == answer_to(&request) {
                return message;
            }
        }
    };
    assert_eq!(found(&mut over_websocket), members);
    over_websocket(json!({"type": "command", "line": format!("/teach {CODE}")}));
    assert_eq!(found(&mut over_websocket), teachers);

    // Somebody who joins as a teacher is shown everything.
    bob.send("/join math\n").expect("[bob] joined.\n");
    bob.send("/leave\n").expect("-- 2 earlier lines --\n[alice] old news\n");

    // At the console.
    for asked in ["/history", "/search old"] {
        terminal.enter(asked, "[alice] old news\n");
    }
}

/// The type of the answer to a request.
fn answer_to(request: &Value) -> &'static str {
    match request["line"].as_str() {
        Some(line) if line.starts_with("/search") => "found",
        Some(_) => "teacher",
        None => "history",
    }
}
