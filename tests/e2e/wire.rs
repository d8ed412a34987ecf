//! `/wire on`: a member sees its own connection explained, at every door, and no secret.

use std::time::{Duration, Instant};

use madang_protocol::{
    command::{CommandError, CommandSpec, Switch},
    event::{WireFraming, WireNote, WireTransport},
    notice::{LessonNotice, Notice},
    text::Lang,
};
use madang_server::{admission::rate_limit::RateLimit, config::TeacherCode};
use madang_tests::{NEVER, TestClient, TestServer, WebSocketClient, told};
use serde_json::{Value, json};

const IAC: u8 = 0xff;
const DO: u8 = 0xfd;
const WONT: u8 = 0xfc;
const ECHO: u8 = 1;

fn explained(note: &WireNote) -> String {
    told(Notice::Explained(note))
}

/// What `/wire on` is answered with over TCP.
fn begun(framing: WireFraming, encrypted: bool) -> String {
    told(Notice::Wire(Switch::On)) + &explained(&connection(framing, encrypted))
}

/// The first note over TCP.
fn connection(framing: WireFraming, encrypted: bool) -> WireNote {
    WireNote::Connection { transport: WireTransport::Tcp, encrypted, framing }
}

/// A read of whole lines.
fn lines(bytes: usize, start: &str, lines: usize) -> WireNote {
    WireNote::Read {
        reads: 1,
        bytes,
        start: Some(start.into()),
        hidden: false,
        lines: Some(lines),
        packet: false,
        waiting: 0,
        cut: 0,
        records: Vec::new(),
    }
}

/// A read of bytes without a line end.
fn unfinished(bytes: usize, start: &str, is_packet: bool, cut: usize) -> WireNote {
    WireNote::Read {
        reads: 1,
        bytes,
        start: Some(start.into()),
        hidden: false,
        lines: Some(0),
        packet: is_packet,
        waiting: if is_packet { 0 } else { bytes },
        cut,
        records: Vec::new(),
    }
}

/// A round of one line.
fn round(bytes: usize, members: usize) -> String {
    explained(&WireNote::Told { rounds: 1, lines: 1, bytes, members, calls: 1 })
}

/// An answer.
fn private(lines: usize, bytes: usize) -> String {
    explained(&WireNote::Private { lines, bytes, calls: 1 })
}

#[test]
fn lines_and_a_syllable_that_was_cut_are_explained() {
    let server = TestServer::start(|_| {});
    let (mut alice, mut bob) = server.login_two("alice", "bob");
    let hangul = "안녕하세요\n".as_bytes();
    alice.send("/wire on\n").expect("\n");
    alice.expect_next(explained(&connection(WireFraming::Lines, false)));
    alice.send(&hangul[..7]).expect_next(explained(&unfinished(7, "안녕\\xed", false, 1)));
    alice.send(&hangul[7..]).expect_next(explained(&lines(9, "\\x95\\x98세요\\n", 1)));
    alice.expect_next("[alice] 안녕하세요\n").expect_next(round(24, 2));
    // Only what others say was sent since, and nothing that was explained.
    bob.send("hi\n").expect("[bob] hi\n");
    alice.expect_next("[bob] hi\n").expect_next(round(9, 2));
    bob.expect_nothing();
}

#[test]
fn answers_and_whispers_are_explained() {
    let server = TestServer::start(|_| {});
    let (mut alice, mut bob) = server.login_two("alice", "bob");
    alice.send("/wire on\n").expect_next(begun(WireFraming::Lines, false));
    alice.send("/ping\n").expect_next(explained(&lines(6, "/ping\\n", 1)));
    alice.expect_next("퐁\n").expect_next(private(1, 4));
    bob.send("/msg alice psst\n");
    let whisper = "[귓속말 bob] psst\n";
    alice.expect_next(whisper).expect_next(private(1, whisper.len()));
}

#[test]
fn a_packet_without_a_line_end_is_explained() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(1));
    let mut carol = server.connect();
    carol.expect("ID:");
    carol.send("carol").expect("[carol]님이 입장했습니다.\n");
    carol.send("/통신보기 켜기").expect_next(begun(WireFraming::Packets, false));
    carol.send("hello").expect_next(explained(&unfinished(5, "hello", true, 0)));
    carol.expect_next("[carol] hello\n").expect_next(round(14, 1));
    // A read that ends in a line end makes it a peer like others.
    carol.send("/ping\n").expect_next(explained(&WireNote::Read {
        reads: 1,
        bytes: 6,
        start: Some("/ping\\n".into()),
        hidden: false,
        lines: Some(1),
        packet: false,
        waiting: 0,
        cut: 0,
        records: Vec::new(),
    }));
    carol.expect_next(explained(&WireNote::Framing { framing: WireFraming::Lines }));
    carol.expect_next("퐁\n").expect_next(private(1, 4));
}

#[test]
fn telnet_commands_are_explained_by_name() {
    let server = TestServer::start(|_| {});
    let mut dave = server.login("dave");
    dave.send("/wire on\n").expect_next(begun(WireFraming::Lines, false));
    dave.send([IAC, DO, ECHO, b'h', b'i', b'\r', b'\n']);
    dave.expect_next(explained(&lines(7, "hi\\r\\n", 1)));
    dave.expect_next(explained(&WireNote::Telnet {
        commands: vec!["DO ECHO".into()],
        answers: vec!["WONT ECHO".into()],
        more: 0,
    }));
    dave.expect_next([IAC, WONT, ECHO]).expect_next("[dave] hi\r\n");
    dave.expect_next(round(11, 1).replace('\n', "\r\n"));
}

#[test]
fn tls_records_are_explained() {
    let server = TestServer::start_with_tls(|_| {});
    let mut erin = server.login_tls("erin");
    erin.send("/wire on\n").expect_next(begun(WireFraming::Lines, true));
    let WireNote::Read { reads, bytes, start, hidden, lines, packet, waiting, cut, .. } =
        lines(3, "hi\\n", 1)
    else {
        panic!("it is a read")
    };
    // Header, text, its type, and the tag that proves it (RFC 8446 section 5.2).
    let records = vec![5 + 3 + 1 + 16];
    erin.send("hi\n").expect_next(explained(&WireNote::Read {
        reads,
        bytes,
        start,
        hidden,
        lines,
        packet,
        waiting,
        cut,
        records,
    }));
    erin.expect_next("[erin] hi\n").expect_next(round(10, 1));
}

#[test]
fn websocket_frames_are_explained_to_people() {
    let server = TestServer::start(|_| {});
    let mut frank = server.login_websocket("frank");
    frank.send("/wire on").expect(told(Notice::Wire(Switch::On)).trim_end());
    let connection = frank.expect_message();
    assert!(connection.contains("웹소켓"), "{connection}");
    frank.send("안녕");
    let (read, frame) = (frank.expect_message(), frank.expect_message());
    assert!(read.contains("12바이트"), "{read}");
    assert!(frame.contains("FIN, opcode 1(text), 마스크 "), "{frame}");
    assert!(frame.contains("6바이트 \"안녕\""), "{frame}");
    frank.expect_next("[frank] 안녕");
    let (round, sent) = (frank.expect_message(), frank.expect_message());
    assert!(round.contains("1줄(16바이트)"), "{round}");
    assert!(sent.contains("FIN, opcode 1(text), 마스크 없음, 14바이트"), "{sent}");
}

#[test]
fn websocket_frames_are_explained_to_programs() {
    let server = TestServer::start(|_| {});
    let mut grace = server.login_websocket_json("grace");
    begin_json(&mut grace);
    // A text in two fragments.
    grace.send_frame(0x01, r#"{"type":"say","te"#);
    assert_eq!(grace.expect_json("wire")["what"], "read");
    let frame = grace.expect_json("wire");
    let parts = ["what", "from", "fin", "opcode", "name", "length"].map(|part| &frame[part]);
    let expected =
        [&json!("frame"), &json!("client"), &json!(false), &json!(1), &json!("text"), &json!(17)];
    assert_eq!(parts, expected, "{frame}");
    // Of JSON, only the type is shown.
    assert_eq!(frame["payload"], hex("{\"type\":\"say\""), "{frame}");
    assert!(frame["mask"].as_str().is_some_and(|mask| mask.len() == 11), "{frame}");
    grace.send_frame(0x80, r#"xt":"hi"}"#);
    assert_eq!(grace.expect_json("wire")["bytes"], 6 + 9);
    let frame = grace.expect_json("wire");
    let parts = ["fin", "opcode", "name", "payload"].map(|part| &frame[part]);
    assert_eq!(parts, [&json!(true), &json!(0), &json!("continuation"), &json!("")], "{frame}");
    assert_eq!(grace.expect_json("said")["text"], "hi");
}

#[test]
fn a_secret_in_the_payload_of_a_ping_is_hidden_though_it_is_cut() {
    let server = TestServer::start(|_| {});
    let mut peggy = server.login_websocket_json("peggy");
    begin_json(&mut peggy);
    // Its third word is beyond what is kept of a payload.
    peggy.send_frame(0x89, "xxxxxx brave otter lantern");
    assert_eq!(peggy.expect_json("wire")["what"], "read");
    let frame = peggy.expect_json("wire");
    let parts = ["name", "length", "payload"].map(|part| frame[part].clone());
    assert_eq!(parts, [json!("ping"), json!(26), json!(hex("xxxxxx "))], "{frame}");
}

#[test]
fn programs_over_tcp_get_notes_as_json() {
    let server = TestServer::start(|_| {});
    let mut heidi = server.login_json("heidi");
    heidi.send_json(json!({"type": "command", "line": "/wire on", "nonce": "1"}));
    assert_eq!(heidi.expect_message("notice")["text"], told(Notice::Wire(Switch::On)).trim_end());
    heidi.expect_message("ack");
    let connection = json!({
        "type": "wire", "what": "connection", "transport": "tcp", "framing": "lines",
        "text": connection(WireFraming::Lines, false).text(Lang::Ko),
    });
    assert_eq!(heidi.expect_message("wire"), connection);
    heidi.send("{\"type\":\"say\",\"text\":\"hi\"}\n");
    let read = heidi.expect_message("wire");
    let parts = ["what", "bytes", "lines", "start", "hidden"].map(|part| read[part].clone());
    let start = "{\\\"type\\\":\\\"say\\\"";
    assert_eq!(parts, [json!("read"), json!(27), json!(1), json!(start), json!(true)], "{read}");
    heidi.expect_said("heidi", "hi");
    let round = heidi.expect_message("wire");
    assert_eq!(
        (&round["what"], &round["lines"], &round["calls"]),
        (&json!("told"), &json!(1), &json!(1))
    );
}

#[test]
fn the_rate_limit_is_explained() {
    let server = TestServer::start(|config| {
        config.rate_limit = Some(RateLimit::per_second(100));
    });
    let mut ivan = server.login("ivan");
    ivan.send("/wire on\n").expect_next(begun(WireFraming::Lines, false));
    let waits = told(Notice::Explained(&WireNote::Wait { waits: 1, milliseconds: 0 }));
    let (words, _) = waits.split_once('0').expect("it has a number");
    ivan.send("x\n".repeat(400));
    ivan.expect(words.trim_start_matches("-- "));
}

#[test]
fn nothing_secret_is_shown_at_any_door_however_it_is_cut() {
    let secrets = [
        "7F3K-9Q2M",
        "78e4c-v9s0a-c0m7h-8129r-zech6s",
        "5457fe9c94a686fb3820abb2563df2d7",
        "파란-고래-우산",
    ];
    let typed: Vec<String> = secrets
        .iter()
        .flat_map(|secret| {
            ["/teach ", "/join #", "/join ", "/msg nobody ", "/quiz ", "X-Room-Key: "]
                .map(|before| format!("{before}{secret}"))
        })
        .collect();
    let server = TestServer::start(|config| config.rate_limit = None);
    #[track_caller]
    fn check(shown: &str, secrets: &[&str]) {
        for secret in secrets {
            // What was said to everyone is shown as what it is.
            let told = shown.lines().filter(|line| is_explained(line));
            for line in told {
                for part in secret.split('-') {
                    assert!(!line.contains(part) && !line.contains(&hex(part)), "{part}: {line}");
                }
                assert!(!line.contains(secret), "{line}");
            }
        }
    }
    // Whole lines, each in a budget of its own.
    let mut lines = server.login("lines");
    let mut json_lines = server.login_json("json-lines");
    let mut web = server.login_websocket("web");
    let mut web_json = server.login_websocket_json("web-json");
    let toggle = "/wire off\n/wire on\n";
    for line in &typed {
        lines.send(toggle).expect(begun(WireFraming::Lines, false));
        lines.send(format!("{line}\n")).wait_until_read();
        lines.send("/ping\n");
        check(&lines.expect("퐁\n"), &secrets);

        web.send("/wire off").send("/wire on").send(line).send("/ping");
        let mut shown = String::new();
        loop {
            let message = web.expect_message();
            if message == "퐁" {
                break;
            }
            shown += &(message + "\n");
        }
        check(&shown, &secrets);

        for (nonce, request) in [
            ("1", json!({"type": "command", "line": "/wire off"})),
            ("2", json!({"type": "command", "line": "/wire on"})),
            ("3", json!({"type": "command", "line": line, "token": line})),
            ("4", json!({"key": line, "type": "say", "text": line})),
            ("5", json!({"type": "command", "line": "/ping"})),
        ] {
            let mut request: Value = request;
            request["nonce"] = json!(nonce);
            json_lines.send_json(request.clone());
            web_json.send_json(&request);
        }
        let mut shown = String::new();
        loop {
            let message = json_lines.expect_json();
            shown += &format!("{message}\n");
            if message["type"] == "pong" {
                break;
            }
        }
        loop {
            let message: Value =
                serde_json::from_str(&web_json.expect_message()).expect("it is JSON");
            shown += &format!("{message}\n");
            if message["type"] == "pong" {
                break;
            }
        }
        check(&shown, &secrets);
    }
    // Byte by byte.
    for (number, line) in typed.iter().enumerate() {
        let mut typist = server.login(&format!("typist-{number}"));
        typist.send("/wire on\n").expect(begun(WireFraming::Lines, false));
        typist.send_byte_by_byte(line);
        typist.send("\n/ping\n");
        check(&typist.expect("퐁\n"), &secrets);
    }
}

#[test]
fn nothing_unfinished_is_shown_where_the_teachers_code_may_be_any_words() {
    let server = TestServer::start(|config| {
        config.teacher_code = TeacherCode::parse("열려라 참깨 반가워").ok();
    });
    let mut niaj = server.login("niaj");
    niaj.send("/wire on\n").expect_next(begun(WireFraming::Lines, false));
    let hidden = |bytes: usize, waiting: usize, lines: usize| {
        explained(&WireNote::Read {
            reads: 1,
            bytes,
            start: Some(String::new()),
            hidden: true,
            lines: Some(lines),
            packet: false,
            waiting,
            cut: 0,
            records: Vec::new(),
        })
    };
    niaj.send("문아, 열려라").expect_next(hidden(17, 17, 0));
    niaj.send(" 참깨 반가워\n").expect_next(hidden(18, 0, 1));
    let refused = told(Notice::Lesson(LessonNotice::CodeInText));
    niaj.expect_next(&refused).expect_next(private(1, refused.len()));
    // What has ended is known not to be the code.
    niaj.send("문아, 반가워\n").expect_next(explained(&lines(18, "문아, 반가워\\n", 1)));
}

#[test]
fn programs_get_the_words_in_the_language_of_their_connection() {
    let server = TestServer::start(|_| {});
    let mut olivia = server.login_json("olivia");
    let mut command = |line: &str| olivia.send_json(json!({"type": "command", "line": line}));
    command("/lang en");
    command("/wire on");
    command("/lang ko");
    command("/wire off");
    command("/wire on");
    let mut words = || loop {
        let message = olivia.expect_json();
        if message["what"] == "connection" {
            return message["text"].clone();
        }
    };
    assert_eq!(words(), connection(WireFraming::Lines, false).text(Lang::En));
    assert_eq!(words(), connection(WireFraming::Lines, false).text(Lang::Ko));
}

#[test]
fn it_holds_for_the_connection_and_through_rooms() {
    let server = TestServer::start(|_| {});
    let mut judy = server.login_json("judy");
    judy.send("{\"type\":\"command\",\"line\":\"/wire on\"}\n");
    judy.expect("\"what\":\"connection\"");
    judy.send("{\"type\":\"command\",\"line\":\"/join math\"}\n");
    judy.expect("\"what\":\"read\"");
    judy.expect("\"what\":\"told\"");

    let mut first = server.connect();
    first.become_json();
    first.send_json(json!({"type": "login", "name": "kim"}));
    let token = first.expect_message("welcome")["session"].clone();
    first.send("{\"type\":\"command\",\"line\":\"/wire on\"}\n");
    first.expect("\"what\":\"connection\"");
    drop(first);
    let mut second = server.connect();
    second.become_json();
    second.send_json(json!({"type": "login", "session": token, "nonce": "r"}));
    second.expect("\"nonce\":\"r\"}\n");
    second.send("{\"type\":\"command\",\"line\":\"/ping\"}\n");
    second.expect_message("pong");
    second.expect_nothing();
    // It was off: it can be turned on, and not off.
    second.send("{\"type\":\"command\",\"line\":\"/wire off\"}\n");
    second.expect_error("already", None);
}

#[test]
fn a_flood_of_single_bytes_is_told_in_five_lines_a_second() {
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut mallory = server.login("mallory");
    let began = Instant::now();
    mallory.send("/wire on\n").expect_next(begun(WireFraming::Lines, false));
    mallory.send_byte_by_byte("x".repeat(500) + "\n");
    mallory.send("/ping\n");
    let shown = mallory.expect("퐁\n");
    let told = shown.lines().filter(|line| is_explained(line)).count();
    let most = 5 + usize::try_from(began.elapsed().as_millis() / 200).expect("it is short");
    assert!((2..=most).contains(&told), "{told} of {most}: {shown}");
    assert!(!shown.contains("읽음 \"xx"), "one byte a read: {shown}");
}

#[test]
fn members_who_look_on_get_no_line_late_while_others_flood() {
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut watchers: Vec<TestClient> = (0..50).map(|n| server.login(&format!("w{n}"))).collect();
    for watcher in &mut watchers {
        watcher.send("/wire on\n").expect(begun(WireFraming::Lines, false));
    }
    let began = Instant::now();
    let mut speaker = server.login("speaker");
    for number in 0..100 {
        speaker.send(format!("{number}\n")).expect(format!("[speaker] {number}\n"));
    }
    speaker.send("/ping\n").expect("퐁\n");
    for watcher in &mut watchers {
        let mut told = 0;
        for number in 0..100 {
            let before = watcher.expect(format!("[speaker] {number}\n"));
            assert!(!before.contains("건너뜀"), "{before}");
            told += before.lines().filter(|line| is_explained(line)).count();
        }
        let most = 5 + usize::try_from(began.elapsed().as_millis() / 200).expect("it is short");
        assert!(told <= most, "{told} of {most}");
    }
}

#[test]
fn a_slow_reader_is_told_what_waits_before_the_gap_and_what_waited_at_the_end() {
    const LINES: usize = 2_000;
    let server = TestServer::start(|config| {
        (config.rate_limit, config.stall_timeout) = (None, NEVER);
        (config.outbox_bytes, config.unsent_bytes) = (32 * 1_024, 4 * 1_024);
    });
    let mut slow = TestClient::connect_with_buffer(server.address(), 4 * 1_024);
    slow.login_json("slow");
    slow.send_json(json!({"type": "command", "line": "/wire on"}));
    slow.expect("\"what\":\"connection\"");
    let mut speaker = server.login("speaker");
    for number in 0..LINES {
        let line = format!("{number} {}\n", "x".repeat(500));
        speaker.send(line.as_str()).expect(format!("[speaker] {line}"));
    }
    slow.widen_buffer();
    slow.expect_line();
    let (mut said, mut skipped, mut told) = (0, 0, Vec::new());
    while said + skipped < LINES {
        let message = slow.expect_json();
        let number = |field: &str| message[field].as_u64().expect("a number") as usize;
        match message["type"].as_str() {
            Some("said") => said += 1,
            Some("gap") => {
                skipped += number("to") - number("from") + 1;
                assert!(!told.is_empty(), "the gap comes before its explanation");
            }
            Some("wire") if message["what"] == "filling" => {
                assert!(number("bytes") <= number("limit"), "{message}");
                told.push(message["skipped"].as_u64().unwrap_or_default() as usize);
            }
            _ => {}
        }
    }
    assert!(said > 0 && skipped > LINES / 2, "{said} said, {skipped} skipped");
    assert!(told.iter().all(|told| *told <= skipped), "{told:?} of {skipped}");
    let queue = loop {
        let message = slow.expect_json();
        if message["what"] == "queue" && message["skipped"] == skipped {
            break message;
        }
    };
    assert!(queue["milliseconds"].as_u64() > Some(0), "{queue}");
}

#[test]
fn a_quiet_session_and_a_projector_see_their_own_connection_and_nobody_else_does() {
    const CODE: &str = "7F3K-9Q2M";
    let server = TestServer::start(|config| config.teacher_code = TeacherCode::parse(CODE).ok());
    let mut bob = server.login("bob");
    let mut quiet = server.connect();
    quiet.become_json();
    quiet.send_json(json!({"type": "login", "name": "logbot", "quiet": true, "history": 0}));
    quiet.expect_message("welcome");
    let mut wall = server.login_json("wall");
    bob.expect_next("[wall]님이 입장했습니다.\n");
    wall.send_json(json!({"type": "command", "line": format!("/teach {CODE}")}));
    wall.expect("\"teacher\"");
    wall.send_json(json!({"type": "watch", "nonce": "w"}));
    wall.expect("\"nonce\":\"w\"");
    for client in [&mut quiet, &mut wall] {
        client.send_json(json!({"type": "command", "line": "/wire on"}));
        client.expect("\"what\":\"connection\"");
    }
    bob.send("hi\n").expect("[bob] hi\n");
    for client in [&mut quiet, &mut wall] {
        client.expect("\"text\":\"hi\"");
        client.expect("\"what\":\"told\"");
    }
    wall.send_json(json!({"type": "command", "line": "/lesson"}));
    wall.send_json(json!({"type": "command", "line": "/poll Q / a / b"}));
    let shown = wall.expect("\"type\":\"tally\"") + &wall.expect("\"what\":\"private\"");
    assert!(!shown.contains(CODE) && !shown.contains("Q / a"), "{shown}");
    bob.send("/ping\n");
    let heard = bob.expect("퐁\n");
    assert!(!heard.contains("통신") && !heard.contains("logbot"), "{heard}");
}

#[test]
fn the_operator_has_no_connection_to_explain() {
    let server = TestServer::start(|_| {});
    server.operate("/wire on");
    let wire = CommandSpec::find("/wire").expect("a command");
    server.console_expect(told(Notice::CommandRefused(&CommandError::ForMembers(wire))).trim_end());
}

/// Whether a line explains the connection.
fn is_explained(line: &str) -> bool {
    line.starts_with("-- 통신: ") || line.contains("\"type\":\"wire\"")
}

#[track_caller]
fn begin_json(client: &mut WebSocketClient) {
    client.send_json(&json!({"type": "command", "line": "/wire on"}));
    client.expect_json("notice");
    let connection = client.expect_json("wire");
    assert_eq!(connection["transport"], "websocket", "{connection}");
    assert_eq!(connection["framing"], "messages", "{connection}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
