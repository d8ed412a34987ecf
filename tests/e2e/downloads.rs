//! `/transcript`: a room's conversation as a file that can be downloaded once: who may have it,
//! what it contains, and what becomes of the link.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use madang_protocol::{
    notice::{LessonNotice, Notice},
    text::Lang,
};
use madang_server::journal::JournalConfig;
use madang_tests::{DEADLINE, TestClient, TestFolder, TestServer};
use serde_json::{Value, json};

use crate::metrics;

fn saving(folder: &TestFolder) -> TestServer {
    let data = folder.path().join("data");
    TestServer::start(|config| {
        (config.lang, config.rate_limit) = (Lang::En, None);
        config.journal = Some(JournalConfig::of(&data));
    })
}

fn in_memory() -> TestServer {
    TestServer::start(|config| config.lang = Lang::En)
}

/// A JSON client that has logged in, and gone to a public room or made a private one.
fn json_client(server: &TestServer, name: &str, room: Option<&str>) -> TestClient {
    let mut client = server.login_json(name);
    let line = room.map_or("/new".to_owned(), |room| format!("/join {room}"));
    command(&mut client, &line);
    next(&mut client, "entered");
    client
}

/// A teacher in a public room.
fn teacher(server: &TestServer, room: &str) -> TestClient {
    let mut kim = json_client(server, "kim", Some(room));
    server.operate("/teacher kim");
    next(&mut kim, "teacher");
    kim
}

fn teacher_now() -> String {
    Notice::Lesson(LessonNotice::NowTeacher { running: false }).text(Lang::En)
}

fn command(client: &mut TestClient, line: &str) {
    client.send_json(json!({"type": "command", "line": line, "nonce": line}));
}

/// The next message of a type, without an error before it.
#[track_caller]
fn next(client: &mut TestClient, kind: &str) -> Value {
    loop {
        let message = client.expect_json();
        assert_ne!(message["type"], "error", "{message}");
        if message["type"] == kind {
            return message;
        }
    }
}

/// The code of the next error.
#[track_caller]
fn refused(client: &mut TestClient, line: &str) -> String {
    command(client, line);
    loop {
        let message = client.expect_json();
        assert_ne!(message["type"], "transcript", "{message}");
        if message["type"] == "error" {
            return message["code"].as_str().expect("a code").to_owned();
        }
    }
}

/// Says something, and waits until it is acknowledged.
#[track_caller]
fn say(client: &mut TestClient, text: &str) {
    // A repeated nonce says nothing again.
    client.send_json(json!({"type": "say", "text": text, "nonce": text}));
    while next(client, "ack")["nonce"] != text {}
}

/// The path of a transcript.
#[track_caller]
fn transcript(client: &mut TestClient, line: &str) -> String {
    command(client, line);
    next(client, "transcript")["path"].as_str().expect("a path").to_owned()
}

/// The path of a link to this server.
#[track_caller]
fn path_of(link: &str) -> &str {
    let at = link.find("/transcript/").unwrap_or_else(|| panic!("{link:?} is no link"));
    assert!(link.starts_with("http://"), "{link}");
    link[at..].trim_end()
}

fn ask(server: &TestServer, request: &str) -> String {
    let mut client = TestClient::connect(server.web_address());
    client.send(format!("{request}\r\nHost: localhost\r\n\r\n"));
    client.expect_rest()
}

/// The head of an answer, and its body, with chunks joined.
#[track_caller]
fn get(server: &TestServer, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.web_address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
    let mut rest = answer.split_off(end + 4);
    let head = String::from_utf8(answer).expect("ASCII");
    if head.contains("Transfer-Encoding: chunked") {
        rest = joined(&rest);
    }
    (head, String::from_utf8(rest).expect("UTF-8"))
}

/// Joins a body in chunks (RFC 9112 section 7.1).
#[track_caller]
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|it| it == b"\r\n").expect("a size");
        let size = std::str::from_utf8(&rest[..end]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let (chunk, behind) = rest[end + 2..].split_at(size);
        whole.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n").expect("the end of a chunk");
        if size == 0 {
            assert_eq!(rest, b"", "nothing follows");
            return whole;
        }
    }
}

#[track_caller]
fn expect_not_there(server: &TestServer, path: &str) {
    let without_date = |answer: String| {
        let lines = answer.lines().filter(|line| !line.starts_with("Date: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let answer = without_date(ask(server, &format!("GET {path} HTTP/1.1")));
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let other = without_date(ask(server, &format!("GET /transcript/{} HTTP/1.1", "0".repeat(32))));
    assert_eq!(answer, other, "nothing tells that there was one");
}

/// What a person sees of a transcript's line, without its time.
fn untimed(text: &str) -> Vec<&str> {
    let is_time = |line: &&str| line.len() > 9 && line.as_bytes()[2] == b':';
    text.lines().filter(is_time).map(|line| &line[9..]).collect()
}

#[test]
fn a_teacher_gets_everything_in_three_forms_and_the_room_is_told() {
    let folder = TestFolder::new();
    let server = saving(&folder);
    let mut kim = teacher(&server, "수학");
    let mut bob = TestClient::connect(server.address());
    bob.login_to("수학", "bob");
    next(&mut kim, "joined");
    for count in 0..250 {
        say(&mut kim, &format!("line {count} <b>&\"'"));
    }
    bob.expect("[kim·teacher] line 249 <b>&\"'\n");
    command(&mut kim, "/transcript");
    let told = next(&mut kim, "transcribed");
    assert_eq!((&told["user"], &told["room"]), (&json!("kim"), &json!("수학")));
    let answer = next(&mut kim, "transcript");
    assert_eq!((&answer["room"], &answer["format"]), (&json!("수학"), &json!("txt")));
    assert_eq!((&answer["seconds"], &answer["nonce"]), (&json!(600), &json!("/transcript")));
    let link = answer["link"].as_str().expect("a link");
    assert!(link.starts_with(&format!("http://{}/", server.web_address())), "{link}");
    assert_eq!(answer["path"], path_of(link));
    assert_eq!(next(&mut kim, "ack")["nonce"], "/transcript");
    bob.expect_next("-- [kim] got the messages of this room as a file --\n");

    let (head, text) = get(&server, path_of(link));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let disposition = head.lines().find(|line| line.starts_with("Content-Disposition: "));
    let disposition = disposition.expect("a name");
    assert!(disposition.contains("filename*=UTF-8''%EC%88%98%ED%95%99-20"), "{disposition}");
    assert!(disposition.ends_with(".txt"), "{disposition}");
    for header in [
        "Content-Type: text/plain; charset=utf-8",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
    ] {
        assert_eq!(head.lines().filter(|line| *line == header).count(), 1, "{head}");
    }
    assert!(text.starts_with("# 수학\n"), "{text}");
    let mut expected = vec!["[kim] joined.".to_owned(), "[bob] joined.".to_owned()];
    expected.extend((0..250).map(|count| format!("[kim·teacher] line {count} <b>&\"'")));
    expected.push("-- [kim] got the messages of this room as a file --".to_owned());
    assert_eq!(untimed(&text), expected);

    let path = transcript(&mut kim, "/기록 html");
    let (head, page) = get(&server, &path);
    assert!(head.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"), "{head}");
    let policy = "\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; ";
    assert!(head.contains(policy) && head.contains("; sandbox"), "{head}");
    assert!(page.contains("line 249 &lt;b&gt;&amp;&quot;'</span>"), "{page}");
    assert!(!page.contains("<b>&") && !page.contains("<script"), "{page}");

    let path = transcript(&mut kim, "/transcript jsonl");
    let (_, lines) = get(&server, &path);
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds.len(), 255);
    assert_eq!(kinds[252..], [Some("transcribed"); 3]);
    let ids: Vec<_> = events.iter().filter_map(|event| event["id"].as_u64()).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
}

#[test]
fn a_link_is_good_for_one_download() {
    let server = in_memory();
    let mut kim = teacher(&server, "math");
    say(&mut kim, "hello");
    let path = transcript(&mut kim, "/transcript");
    assert_eq!(path.len(), "/transcript/".len() + 32, "{path}");
    let head = ask(&server, &format!("HEAD {path} HTTP/1.1"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
    for request in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(&server, &format!("{request} {path} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
    expect_not_there(&server, &path.replace("/transcript/", "/attendance/"));
    expect_not_there(&server, &path[..path.len() - 1]);
    // Below any prefix that a proxy adds.
    let (_, text) = get(&server, &format!("/some/prefix{path}?x=y"));
    assert!(text.contains("hello"), "{text}");
    expect_not_there(&server, &path);
    // For a client that knows no chunks, the body ends with the connection.
    let path = transcript(&mut kim, "/transcript");
    let answer = ask(&server, &format!("GET {path} HTTP/1.0"));
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("chunked") && !head.contains("Content-Length"), "{head}");
    let file = "-- [kim] got the messages of this room as a file --";
    let expected = ["[kim] joined.", "[kim·teacher] hello", file, file];
    assert_eq!(untimed(text), expected);
    let bare: Vec<&str> =
        text.lines().filter(|line| !untimed(text).contains(&line.get(9..).unwrap_or(""))).collect();
    assert!(matches!(bare[..], ["# math", "", day, ""] if day.starts_with("## 20")), "{bare:?}");
}

#[test]
fn the_owner_of_a_private_room_gets_what_it_remembers_and_nothing_is_on_disk() {
    let folder = TestFolder::new();
    let server = saving(&folder);
    let mut alice = json_client(&server, "alice", None);
    command(&mut alice, "/invite");
    let key = next(&mut alice, "invite")["key"].as_str().expect("a key").to_owned();
    let mut bob = server.connect();
    bob.login_to(&format!("#{key}"), "bob");
    say(&mut alice, "a secret word");
    bob.send("/transcript\n").expect(Notice::OwnerOnly.text(Lang::En));
    // A teacher does not own a private room.
    server.operate("/teacher bob");
    bob.expect(teacher_now());
    bob.send("/transcript\n").expect(Notice::OwnerOnly.text(Lang::En));

    let path = transcript(&mut alice, "/transcript html");
    bob.expect("-- [alice] got the messages of this room as a file --\n");
    let (head, page) = get(&server, &path);
    assert!(head.contains("filename=\"private-"), "{head}");
    assert!(page.contains("a secret word") && page.contains("alice"), "{page}");
    assert!(!page.contains("class=\"note hole\""), "nothing is missing: {page}");
    assert!(!page.contains(&key) && !head.contains(&key), "the key goes out in no file");
    let kept = path.trim_start_matches("/transcript/").to_owned();

    // A room that is gone takes its links with it.
    let path = transcript(&mut alice, "/transcript");
    command(&mut alice, "/end");
    next(&mut alice, "entered");
    expect_not_there(&server, &path);

    drop(alice);
    drop(server);
    let data = folder.path().join("data");
    for file in std::fs::read_dir(data).expect("the folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("its bytes");
        for word in ["a secret word", "private-", &key, &kept] {
            let has_word = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!has_word, "{word} is on disk");
        }
    }
}

#[test]
fn ordinary_members_and_wrong_arguments_get_no_transcript() {
    let server = in_memory();
    let mut kim = teacher(&server, "math");
    let mut bob = json_client(&server, "bob", Some("math"));
    for line in ["/transcript", "/기록 html"] {
        assert_eq!(refused(&mut bob, line), "owner_only");
    }
    for line in ["/transcript pdf", "/transcript lobby", "/transcript lobby html", "/기록 a b c"]
    {
        assert_eq!(refused(&mut kim, line), "usage");
    }
    bob.send_json(json!({"type": "command", "line": "/ping", "nonce": "p"}));
    loop {
        let message = bob.expect_json();
        assert_ne!(message["type"], "transcribed", "nobody got one: {message}");
        if message["type"] == "pong" {
            break;
        }
    }
    let mut eve = server.connect();
    eve.expect("Login ID:");
    eve.send("/transcript\n").expect(Notice::LoginFirst.text(Lang::En));
}

#[test]
fn the_operator_gets_any_public_room_and_those_that_were() {
    let folder = TestFolder::new();
    let server = saving(&folder);
    let mut bob = json_client(&server, "bob", Some("math"));
    say(&mut bob, "in the first room");
    let mut carol = server.login("carol");
    server.operate("/transcript math html");
    let told = next(&mut bob, "transcribed");
    assert_eq!(told["user"], Value::Null, "it was the operator: {told}");
    let link = link_on(&server, 1);
    let (head, page) = get(&server, path_of(&link));
    assert!(head.contains("filename=\"math-20") && head.contains(".html\""), "{head}");
    assert!(page.contains("in the first room"), "{page}");

    // The room that the console has chosen.
    server.operate("/transcript");
    carol.expect("-- the operator got the messages of this room as a file --\n");
    let (_, text) = get(&server, path_of(&link_on(&server, 2)));
    assert!(text.starts_with("# lobby\n") && text.contains("[carol] joined."), "{text}");

    server.operate("/transcript nowhere");
    server.console_expect(&Notice::NoSuchRoom.text(Lang::En));
    server.operate("/transcript math pdf");
    server.console_expect("Usage: /transcript [txt|html|jsonl]");
}

/// The last of this many links on the console.
#[track_caller]
fn link_on(server: &TestServer, count: usize) -> String {
    server.console_expect_count("/transcript/", count);
    let console = server.console();
    let line = console.lines().rfind(|line| line.contains("/transcript/")).expect("it is there");
    line[line.find("http://").expect("a link")..].to_owned()
}

#[test]
fn a_transcript_has_no_deleted_messages() {
    let folder = TestFolder::new();
    let server = saving(&folder);
    let mut kim = teacher(&server, "math");
    say(&mut kim, "a slip of the tongue");
    let path = transcript(&mut kim, "/transcript");
    server.operate("/forget math kim");
    server.console_expect("Deleted ");
    let (_, text) = get(&server, &path);
    assert!(!text.contains("a slip of the tongue"), "{text}");
}

#[test]
fn a_link_stands_nowhere_but_in_the_answer() {
    let folder = TestFolder::new();
    let server = saving(&folder);
    let mut kim = teacher(&server, "math");
    let mut bob = json_client(&server, "bob", Some("math"));
    let path = transcript(&mut kim, "/transcript");
    let token = path.trim_start_matches("/transcript/");
    let (_, text) = get(&server, &path);
    expect_not_there(&server, &path);
    bob.send_json(json!({"type": "history", "nonce": "h"}));
    let history = next(&mut bob, "history").to_string();
    assert!(history.contains("transcribed"), "{history}");
    server.operate("/who");
    server.console_expect("kim");
    for told in [&text, &history, &server.console()] {
        assert!(!told.contains(token), "{told}");
    }
}

#[test]
fn without_a_port_for_browsers_it_is_told_what_to_do_instead() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    for journal in [None, Some(JournalConfig::of(&data))] {
        let is_saved = journal.is_some();
        let server = TestServer::start(|config| {
            (config.lang, config.web, config.journal) = (Lang::En, Vec::new(), journal);
        });
        let mut kim = teacher(&server, "math");
        let mut lee = server.connect();
        lee.login_to("math", "lee");
        server.operate("/teacher lee");
        lee.expect(teacher_now());
        assert_eq!(refused(&mut kim, "/transcript"), "no_download");
        let saved = is_saved.then_some("math");
        lee.send("/transcript\n").expect(Notice::NoDownload(saved).text(Lang::En));
        assert_eq!(is_saved, Notice::NoDownload(saved).text(Lang::En).contains("--room math"));
        server.operate("/transcript math");
        server.console_expect(&Notice::NoDownload(saved).text(Lang::En));
    }
}

#[test]
fn a_long_download_is_streamed_and_only_a_stalled_reader_is_dropped() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let server = TestServer::start(|config| {
        config.journal = Some(JournalConfig::of(&data));
        config.rate_limit = None;
        config.stall_timeout = Duration::from_secs(3);
        metrics::tell(config);
    });
    let mut kim = teacher(&server, "math");
    let said = "가".repeat(1_000);
    for count in 0..40 {
        let line = json!({"type": "say", "text": said}).to_string() + "\n";
        kim.send(line.repeat(99));
        say(&mut kim, &format!("{} to go", 39 - count));
    }
    let [one, other] = [0; 2].map(|_| transcript(&mut kim, "/transcript jsonl"));
    // 12 MB do not fit into sockets, and this client reads nothing.
    let mut stalled = TestClient::connect_with_buffer(server.web_address(), 4_096);
    stalled.send(format!("GET {one} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let (_, lines) = get(&server, &other);
    assert_eq!(lines.lines().filter(|line| line.contains(&said)).count(), 40 * 99);
    say(&mut kim, "still here");
    // Then it is dropped.
    metrics::expect_samples(&server, &[("madang_connections{door=\"web\"}", 0.0)]);
    let mut rest = Vec::new();
    // It was reset, or ended early.
    let _ = stalled.into_stream().read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it took everything");
}
