//! Messages over HTTP: POST says something in a room, under a name that is claimed for a while.

use std::{path::Path, process::Command, thread, time::Duration};

use madang_protocol::{
    notice::{HttpNotice, LessonNotice, Notice, Utf8Hint},
    text::Lang,
    wide::Wide,
};
use madang_server::{admission::rate_limit::RateLimit, journal::JournalConfig};
use madang_tests::{
    DEADLINE, NEVER, Program, TestClient, TestFolder, TestServer, documented_commands,
};

use crate::{
    streams::{check_refused, stream},
    web::answer,
};

/// The request that says `text`, with these headers besides, each with its line end.
fn post(target: &str, headers: &str, text: &str) -> String {
    let length = text.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{text}"
    )
}

/// Says something, and returns the token.
#[track_caller]
fn say(server: &TestServer, target: &str, headers: &str, text: &str) -> String {
    let answer = answer(server.web_address(), &post(target, headers, text));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(head.contains("\r\nCache-Control: no-store"), "{answer}");
    let token = body.strip_suffix('\n').expect("one line");
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{answer}");
    token.to_owned()
}

/// The same where it is refused.
#[track_caller]
fn refused(server: &TestServer, target: &str, headers: &str, text: &str, status: &str, why: &str) {
    check_refused(&answer(server.web_address(), &post(target, headers, text)), status, why);
}

fn ko(notice: Notice<'_>) -> String {
    notice.text(Lang::Ko)
}

#[test]
fn a_post_is_said_under_a_name_reserved_by_its_token() {
    let server = TestServer::start(|config| config.resume_window = NEVER);
    let mut alice = server.login("alice");
    let token = say(&server, "/any/prefix/rooms/lobby", "Name: bot\r\n", "hello\n");
    alice.expect_next("[bot]님이 입장했습니다.\n").expect_next("[bot] hello\n");
    // The name is in use for everyone else, at every door.
    let in_use = ko(Notice::NameInUse { proposal: Some("bot-2") });
    refused(&server, "/rooms/lobby", "Name: bot\r\n", "x", "409", &in_use);
    refused(&server, "/rooms/lobby", "Name: BOT\r\n", "x", "409", &in_use.replace("bot", "BOT"));
    let other = format!("Name: bot\r\nToken: {}\r\n", "0".repeat(32));
    refused(&server, "/rooms/lobby", &other, "x", "409", &in_use);
    let mut nc = server.connect();
    nc.send("bot\n").expect("이미 등록된 사용자입니다.\n");
    // With its token, nobody is told of a coming; a slash means nothing.
    let headers = format!("Name: bot\r\nToken: {}\r\n", token.to_uppercase());
    assert_eq!(say(&server, "/rooms/lobby", &headers, "/quit\r\n두 줄\r\n"), token);
    alice.expect_next("[bot] /quit\n[bot] 두 줄\n");
    let renamed = headers.replace("bot", "other");
    let notice = HttpNotice::TokenOfAnother.text(Lang::Ko);
    refused(&server, "/rooms/lobby", &renamed, "x", "409", &notice);
}

#[test]
fn a_name_is_free_after_its_time_and_its_token_claims_it_anew() {
    let server = TestServer::start(|config| config.resume_window = Duration::from_millis(1));
    let mut alice = server.login("alice");
    let token = say(&server, "/rooms/lobby", "Name: bot\r\n", "hello");
    alice.expect("[bot] hello\n[bot]님이 퇴장했습니다.\n");
    let headers = format!("Name: bot\r\nToken: {token}\r\n");
    assert_eq!(say(&server, "/rooms/lobby", &headers, "again"), token);
    alice.expect_next("[bot]님이 입장했습니다.\n").expect_next("[bot] again\n");
    // A token of one's own choice as well.
    let own = "0123456789abcdef".repeat(2);
    let headers = format!("Name: ci\r\nToken: {own}\r\n");
    assert_eq!(say(&server, "/rooms/lobby", &headers, "mine"), own);
    alice.expect("[ci] mine\n");
}

#[test]
fn a_member_who_posts_goes_to_the_room_of_the_message() {
    let server = TestServer::start(|_| {});
    let (mut alice, mut bob) = server.login_two("alice", "bob");
    let key = alice.make_room();
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
    let token = say(&server, "/rooms/lobby", "Name: %EB%B4%87\r\n", "1");
    bob.expect_next("[봇]님이 입장했습니다.\n").expect_next("[봇] 1\n");
    let headers = format!("Name: 봇\r\nToken: {token}\r\nX-Room-Key: {key}\r\n");
    say(&server, "/rooms/private", &headers, "2");
    bob.expect_next("[봇]님이 퇴장했습니다.\n");
    alice.expect_next("[봇]님이 입장했습니다.\n").expect_next("[봇] 2\n");
    let wrong = headers.replace(&key, &"0".repeat(26));
    refused(&server, "/rooms/private", &wrong, "3", "404", &ko(Notice::NoSuchRoom));
    alice.send("still here\n").expect_next("[alice] still here\n");
}

#[test]
fn bad_posts_are_refused_with_their_status_and_not_said() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let http = |notice: HttpNotice<'_>| notice.text(Lang::Ko);
    let name = "Name: bot\r\n";
    let lobby = "/rooms/lobby";
    refused(&server, lobby, "", "x", "400", &http(HttpNotice::NoName));
    refused(&server, lobby, "Name: \r\n", "x", "400", &http(HttpNotice::NoName));
    refused(&server, lobby, "Name: a\r\nName: b\r\n", "x", "400", &http(HttpNotice::NoName));
    refused(&server, "/rooms/none", name, "x", "404", &http(HttpNotice::NoPublicRoom));
    refused(&server, lobby, name, "", "400", &ko(Notice::NothingSaid));
    refused(&server, lobby, name, "\u{200b}\r\n \n", "400", &ko(Notice::NothingSaid));
    refused(
        &server,
        lobby,
        &format!("{name}Token: x\r\n"),
        "x",
        "400",
        &http(HttpNotice::NotAToken),
    );
    for content_type in [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/html",
        "text/plain; charset=euc-kr",
        "text/plain\r\nContent-Encoding: gzip",
    ] {
        let headers = format!("{name}Content-Type: {content_type}\r\n");
        refused(&server, lobby, &headers, "x", "415", &http(HttpNotice::NotText));
    }
    let line = "x".repeat(4_097);
    refused(&server, lobby, name, &line, "413", &ko(Notice::LineTooLong { bytes: 4_097 }));
    let many = "x\n".repeat(501);
    refused(&server, lobby, name, &many, "413", &ko(Notice::TooManyLines { lines: 501 }));
    let long = "x\n".repeat(8_200);
    refused(&server, lobby, name, &long, "413", &http(HttpNotice::BodyTooLong));
    for (body, hint) in
        [(&b"\xb0\xa1"[..], Utf8Hint::None), (b"\xff\xfeh\0i\0", Utf8Hint::Wide(Wide::Utf16))]
    {
        let mut bytes = TestClient::connect(server.web_address());
        let length = body.len();
        bytes.send(format!(
            "POST {lobby} HTTP/1.1\r\nHost: localhost\r\n{name}Content-Length: {length}\r\n\r\n"
        ));
        bytes.send(body);
        check_refused(&bytes.expect_rest(), "400", &ko(Notice::NotUtf8(hint)));
    }

    let head = format!("POST {lobby} HTTP/1.1\r\nHost: localhost\r\n{name}");
    let ask = |headers: &str, status: &str, notice: HttpNotice<'_>| {
        let answer = answer(server.web_address(), &format!("{head}{headers}\r\nhello"));
        check_refused(&answer, status, &http(notice));
    };
    ask("", "411", HttpNotice::NoLength);
    ask("Transfer-Encoding: chunked\r\n", "411", HttpNotice::NoLength);
    for wrong in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: \r\n",
    ] {
        ask(wrong, "400", HttpNotice::BadLength);
    }
    ask("Content-Length: 99999999999999999999999\r\n", "413", HttpNotice::BodyTooLong);
    ask("Content-Length: 5\r\nExpect: tea\r\n", "417", HttpNotice::UnknownExpectation);
    // A body that ends before its length is not said.
    let mut short = TestClient::connect(server.web_address());
    short.send(format!("{head}Content-Length: 50\r\n\r\nhello")).finish_sending();
    check_refused(&short.expect_rest(), "400", &http(HttpNotice::BadLength));
    // What follows the body is not another request.
    let more = post(lobby, name, "\u{feff}once") + &post(lobby, "Name: smuggler\r\n", "twice");
    let answer = answer(server.web_address(), &more);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    alice.expect_next("[bot]님이 입장했습니다.\n").expect_next("[bot] once\n");
    alice.send("/who\n").expect("alice, bot\n");
    alice.expect_nothing();
}

#[test]
fn a_body_has_its_time_and_is_asked_for() {
    let server = TestServer::start(|config| config.head_timeout = Duration::from_secs(1));
    let mut alice = server.login("alice");
    let head = |headers: &str| {
        format!("POST /rooms/lobby HTTP/1.1\r\nHost: localhost\r\nName: bot\r\n{headers}\r\n")
    };
    let mut slow = TestClient::connect(server.web_address());
    slow.send(head("Content-Length: 9\r\n") + "hel");
    let notice = HttpNotice::BodyTooSlow { seconds: 1 };
    check_refused(&slow.expect_rest(), "408", &notice.text(Lang::Ko));
    let mut asking = TestClient::connect(server.web_address());
    asking.send(head("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    asking.expect_next("HTTP/1.1 100 Continue\r\n\r\n").send("hello").expect_next("HTTP/1.1 200 ");
    alice.expect("[bot] hello\n");
    // Whoever is refused is not asked for it.
    let mut refused = TestClient::connect(server.web_address());
    refused.send(head("Content-Length: 99999\r\nExpect: 100-continue\r\n"));
    refused.expect_next("HTTP/1.1 413 ");
}

#[test]
fn a_lesson_and_mutes_hold_for_posts_under_every_name_of_an_address() {
    let server = TestServer::start(|_| {});
    let mut kim = server.login("kim");
    server.operate("/teacher kim");
    kim.expect("교사");
    kim.send("/lesson\n").expect("수업");
    let token = say(&server, "/rooms/lobby", "Name: bot\r\n", "one");
    kim.expect("[bot] one\n");
    let headers = format!("Name: bot\r\nToken: {token}\r\n");
    kim.send("/listen on\n/ping heard\n").expect("퐁 heard\n");
    let listening = ko(Notice::Lesson(LessonNotice::Listening));
    refused(&server, "/rooms/lobby", &headers, "x", "403", &listening);
    refused(&server, "/rooms/lobby", "Name: new\r\n", "x", "403", &listening);
    kim.send("/listen off\n/slow 1h\n/ping slow\n").expect("퐁 slow\n");
    say(&server, "/rooms/lobby", &headers, "two");
    kim.expect("[bot] two\n");
    for headers in [&*headers, "Name: new\r\n"] {
        let answer = answer(server.web_address(), &post("/rooms/lobby", headers, "x"));
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        assert!(answer.contains("\r\nRetry-After: 3"), "{answer}");
    }
    kim.send("/slow off\n/mute bot\n/ping muted\n").expect("퐁 muted\n");
    let muted = ko(Notice::Muted { seconds: None });
    refused(&server, "/rooms/lobby", &headers, "x", "403", &muted);
    refused(&server, "/rooms/lobby", "Name: new\r\n", "x", "403", &muted);
    kim.send("/unmute bot\n/ping loud\n").expect("퐁 loud\n");
    let new = say(&server, "/rooms/lobby", "Name: new\r\n", "three");
    kim.expect("[new]님이 입장했습니다.\n[new] three\n");
    // Nobody else has come or gone: what was refused left no trace.
    kim.send("/kick new\n").expect("[new]");

    let kicked = answer(
        server.web_address(),
        &post("/rooms/lobby", &format!("Name: new\r\nToken: {new}\r\n"), "x"),
    );
    assert!(kicked.starts_with("HTTP/1.1 403 "), "{kicked}");

    server.operate("/ban bot");
    refused(&server, "/rooms/lobby", &headers, "x", "403", &ko(Notice::NameBanned));
    kim.send("/lock\n/ping locked\n").expect("퐁 locked\n");
    refused(&server, "/rooms/lobby", "Name: third\r\n", "x", "403", &ko(Notice::RoomLocked));
}

#[test]
fn posts_of_an_address_share_a_rate_limit() {
    let server = TestServer::start(|config| {
        config.rate_limit = Some(RateLimit::per_second(1));
        config.head_timeout = Duration::from_millis(200);
    });
    let mut alice = server.login("alice");
    let mut statuses = Vec::new();
    for at in 0..12 {
        let answer =
            answer(server.web_address(), &post("/rooms/lobby", &format!("Name: bot{at}\r\n"), "x"));
        statuses.push(answer[9..12].to_owned());
    }
    assert!(statuses.contains(&"200".into()) && statuses.contains(&"429".into()), "{statuses:?}");
    alice.expect("[bot0] x\n");
}

#[test]
fn tokens_of_many_names_are_bounded() {
    let server = TestServer::start(|config| {
        (config.max_connections, config.resume_window) = (Some(20), NEVER);
    });
    let mut alice = server.login("alice");
    for at in 0..60 {
        say(&server, "/rooms/lobby", &format!("Name: bot{at}\r\n"), "x");
    }
    // Beyond what may wait, a name is given up at once.
    alice.expect("[bot59] x\n[bot59]님이 퇴장했습니다.\n");
    alice.send("/who\n").expect("대화 참여자 21명");
}

#[test]
fn messages_with_one_token_take_turns() {
    const POSTS: usize = 20;
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let token = say(&server, "/rooms/lobby", "Name: bot\r\n", "first");
    alice.expect("[bot] first\n");
    let headers = format!("Name: bot\r\nToken: {token}\r\n");
    thread::scope(|scope| {
        for at in 0..POSTS {
            let (server, headers) = (&server, &headers);
            scope.spawn(move || say(server, "/rooms/lobby", headers, &at.to_string()));
        }
    });
    let mut said: Vec<usize> = (0..POSTS)
        .map(|_| {
            let line = alice.expect_line();
            line.strip_prefix("[bot] ").and_then(|at| at.parse().ok()).expect("what was said")
        })
        .collect();
    said.sort_unstable();
    assert!(said.into_iter().eq(0..POSTS));
}

#[test]
fn a_post_to_a_saved_room_is_on_disk_before_its_answer() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let server = TestServer::start(|config| config.journal = Some(JournalConfig::of(&data)));
    let mut alice = server.login("alice");
    let mut events = stream(&server, "/rooms/lobby", "");
    say(&server, "/rooms/lobby", "Name: bot\r\n", "kept");
    alice.expect("[bot] kept\n");
    events.expect("[bot] kept\n");
    let database = rusqlite::Connection::open(data.join("madang.db")).expect("it is there");
    let count = "SELECT count(*) FROM event WHERE text = 'kept'";
    let kept: i64 = database.query_row(count, [], |row| row.get(0)).expect("it can be read");
    assert_eq!(kept, 1);
}

#[test]
fn a_stream_keeps_its_name_from_posts() {
    let server = TestServer::start(|_| {});
    let mut reader = stream(&server, "/rooms/lobby", "Name: bot\r\n");
    reader.expect("입장했습니다.\n");
    let in_use = ko(Notice::NameInUse { proposal: Some("bot-2") });
    refused(&server, "/rooms/lobby", "Name: bot\r\n", "x", "409", &in_use);
}

const WIRE: &str = include_str!("../../protocol/README.md");

/// The block of this kind in the wire's section about HTTP, for this server.
fn example(server: &TestServer, kind: &str) -> String {
    let (_, section) = WIRE.split_once("\n## HTTP\n").expect("there is one");
    let (section, _) = section.split_once("\n## ").expect("another follows");
    let (_, rest) = section.split_once(&format!("```{kind}\n")).expect("a block of that kind");
    let (block, _) = rest.split_once("\n```").expect("it ends");
    block.replace("localhost:9998", &server.web_address().to_string())
}

#[test]
fn the_bytes_of_micropython_are_answered() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let (_, rest) = WIRE.split_once("```text\nPOST /rooms/lobby HTTP/1.0\n").expect("its block");
    let (rest, _) = rest.split_once("\n```").expect("it ends");
    let bytes = format!("POST /rooms/lobby HTTP/1.0\n{rest}").replace('\n', "\r\n");
    // Its newest version says that it speaks HTTP/1.1.
    let newest = bytes.replace("HTTP/1.0", "HTTP/1.1").replace("board", "newer");
    for (bytes, name) in [(bytes, "board"), (newest, "newer")] {
        let answer = answer(server.web_address(), &bytes);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        alice.expect(format!("[{name}] 23.5\n"));
    }
    // And what it sends to read.
    let mut board = TestClient::connect(server.web_address());
    board.send(
        "GET /rooms/lobby?history=0 HTTP/1.0\r\nHost: 192.0.2.2\r\nConnection: close\r\n\r\n",
    );
    board.expect("\r\n\r\n");
    alice.send("hi\n").expect("[alice] hi\n");
    board.expect("[alice] hi\n");
}

#[test]
#[ignore = "needs curl"]
fn the_commands_for_curl_say_something() {
    const TOKEN: &str = "5457fe9c94a686fb3820abb2563df2d7";
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let mut bob = server.login("bob");
    let commands: Vec<String> = documented_commands()
        .into_iter()
        .filter(|command| command.contains("curl -H 'Name: "))
        .collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let address = server.web_address().to_string();
    let run = |command: &str| {
        let command = command.replace("localhost:9998", &address);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{command} --no-progress-meter")]);
        shell.envs([("MADANG_TOKEN", TOKEN), ("MADANG_KEY", &key), ("GITHUB_ACTOR", "octocat")]);
        Program::start(shell.env("GITHUB_REPOSITORY", "hello/world")).expect_success(DEADLINE)
    };
    for command in &commands {
        let said = run(command);
        assert_eq!(said.len(), 33, "{command}: {said}");
        // What runs now and then has a token of its own, and never finds its name in use.
        if command.contains("Token: ") {
            alice.expect("[ci] octocat pushed to hello/world\n");
            assert_eq!(run(command).trim_end(), TOKEN);
            alice.expect_next("[ci] octocat pushed to hello/world\n");
        } else {
            bob.expect("님이 입장했습니다.\n");
            bob.expect("] ");
        }
    }
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_requests_reads_and_says() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let folder = TestFolder::new();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/.venv/bin/python");
    let script = folder.write("requests_example.py", &example(&server, "python"));
    let shown = Program::start(Command::new(python).arg(script)).expect_success(DEADLINE);
    assert!(shown.contains("[pybot] 안녕하세요"), "{shown}");
    alice.expect("[pybot] 안녕하세요\n");
    alice.expect("[pybot] 다시 왔어요\n");
}

#[test]
#[ignore = "needs node"]
fn node_fetch_reads_and_says() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let folder = TestFolder::new();
    let script = folder.write("fetch_example.mjs", &example(&server, "javascript"));
    let shown = Program::start(Command::new("node").arg(script)).expect_success(DEADLINE);
    assert!(shown.contains("\"user\":\"nodebot\""), "{shown}");
    alice.expect("[nodebot] hello\n");
}
