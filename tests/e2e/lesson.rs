//! A lesson from outside: a teacher, hands, polls, calm, questions, the clock, attendance; by
//! every door, and what nobody may ever see.

use std::time::Duration;

use madang_protocol::{
    notice::{LessonNotice, Notice},
    text::Lang,
};
use madang_server::{
    config::{Config, TeacherCode},
    journal::JournalConfig,
};
use madang_tests::{TestClient, TestFolder, TestServer, WebSocketClient};
use serde_json::{Value, json};

pub(crate) const CODE: &str = "QX7F-3K9W-2M";

/// A server that speaks English and has a code that tests know.
pub(crate) fn start(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::start(|config| {
        config.lang = Lang::En;
        config.teacher_code = Some(TeacherCode::parse(CODE).expect("a code"));
        change(config);
    })
}

/// The text of a notice about a lesson.
pub(crate) fn words(notice: LessonNotice<'_>) -> String {
    Notice::Lesson(notice).text(Lang::En)
}

pub(crate) trait Program {
    fn ask(&mut self, message: Value) -> &mut Self;
    fn command(&mut self, line: &str) -> &mut Self;
    fn next(&mut self, kind: &str) -> Value;
    fn settled(&mut self);
}

impl Program for TestClient {
    fn ask(&mut self, message: Value) -> &mut TestClient {
        self.send_json(message);
        self
    }

    fn command(&mut self, line: &str) -> &mut TestClient {
        self.ask(json!({"type": "command", "line": line, "nonce": line}))
    }

    /// The next message of this type, skipping others.
    #[track_caller]
    fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.expect_json();
            if message["type"] == kind {
                return message;
            }
            assert_ne!(message["type"], "error", "{message}");
        }
    }

    /// Waits until everything sent before is answered.
    #[track_caller]
    fn settled(&mut self) {
        self.command("/ping settled");
        self.next("pong");
    }
}

/// A teacher who speaks JSON, with a lesson that has begun.
pub(crate) fn begin(server: &TestServer) -> TestClient {
    let mut teacher = server.login_json("Kim");
    teacher.command(&format!("/teach {CODE}"));
    teacher.next("teacher");
    teacher.command("/lesson Pointers");
    let begun = teacher.next("lesson");
    assert_eq!((&begun["state"], &begun["title"]), (&json!("begun"), &json!("Pointers")));
    teacher
}

#[track_caller]
fn refused(client: &mut TestClient, line: &str, code: &str) -> Value {
    client.command(line);
    loop {
        let message = client.expect_json();
        if message["type"] == "error" {
            assert_eq!((&message["code"], &message["nonce"]), (&json!(code), &json!(line)));
            return message;
        }
        assert_ne!(message["nonce"], line, "{line} was not refused: {message}");
    }
}

#[test]
fn a_teachers_page_that_was_the_wall_has_what_was_asked_meanwhile() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut bob = server.login_json("bob");
    kim.command("/poll Q / a / b");
    kim.ask(json!({"type": "watch", "nonce": "on"}));
    let mut tally = kim.next("tally");
    while tally["nonce"] != "on" {
        tally = kim.next("tally");
    }
    assert!(tally["waiting"].is_null(), "{tally}");
    bob.command("/ask Why?");
    bob.next("ack");
    kim.ask(json!({"type": "watch", "off": true, "nonce": "off"}));
    let teacher = loop {
        let message = kim.expect_json();
        assert_ne!(message["type"], "asked", "on the wall");
        if message["type"] == "teacher" {
            break message;
        }
    };
    assert_eq!(teacher["nonce"], "off");
    assert_eq!(teacher["lesson"]["questions"], json!([{"number": 1, "text": "Why?"}]));
    assert_eq!(kim.next("tally")["waiting"], json!(["bob"]));
}

#[test]
fn a_lesson_from_its_beginning_to_its_end() {
    let server = start(|_| {});
    let (mut bob, mut kim) = server.login_two("bob", "kim");
    kim.send(format!("/teach {CODE}\n"));
    kim.expect(words(LessonNotice::NowTeacher { running: false }));
    kim.send("/lesson Pointers\n");
    bob.expect("-- [kim] began the lesson: Pointers --\n");
    kim.send("hello\n");
    bob.expect("[kim·teacher] hello\n");
    bob.send("/hand What is a pointer?\n");
    kim.expect("-- [bob] raised a hand: What is a pointer? (number 1) --\n");
    kim.send("/call\n");
    bob.expect("-- [kim] called on [bob] --\n");
    kim.send("/poll Lunch? / rice / soup\n");
    bob.expect("-- poll: Lunch?  /1 rice  /2 soup --\n");
    bob.send("/2\n");
    bob.expect(words(LessonNotice::Voted { choice: "soup" }));
    kim.send("/poll\n");
    kim.expect("1 of 1 have voted.\n");
    kim.send("/poll end\n");
    bob.expect("-- poll result, 1 of 1: rice 0 · soup 1 --\n");
    bob.send("/2\n");
    bob.expect(words(LessonNotice::PollOver));
    kim.send("/poll Clear?\n");
    bob.expect("-- poll: Clear?  /o yes  /x no --\n");
    bob.send("/ㅐ\n");
    bob.expect(words(LessonNotice::Voted { choice: "네(O)" }));
    kim.send("/poll cancel\n");
    bob.expect("-- the poll was cancelled: Clear? --\n");
    kim.send("/slow 10s\n");
    bob.expect("-- each person can now send one message every 10 seconds --\n");
    bob.send("one\ntwo\n");
    bob.expect("[bob] one\n");
    bob.expect("Slow mode: you can send a message in ");
    kim.send("/slow off\n/listen on\n");
    bob.expect("-- time to listen: only teachers, and whoever they call on, can speak --\n");
    bob.send("but\n");
    bob.expect(words(LessonNotice::Listening));
    kim.send("/call bob\n");
    bob.expect("-- [kim] called on [bob] --\n");
    bob.send("thank you\n");
    kim.expect("[bob] thank you\n");
    kim.send("/listen off\n");
    bob.expect("-- everyone can speak now --\n");
    bob.send("/ask Is this in the exam?\n");
    bob.expect(words(LessonNotice::Asked));
    kim.expect("-- anonymous question 1: Is this in the exam? (to show it: /show 1) --\n");
    kim.send("/show 1\n");
    bob.expect("[question 1] Is this in the exam?\n");
    kim.send("/timer 5m exercise 3\n");
    bob.expect("-- timer: 5 minutes: exercise 3 --\n");
    kim.send("/timer off\n");
    bob.expect("-- the timer was stopped --\n");
    kim.send("/attendance\n");
    kim.expect("Attendance: 1\n  Here 1: bob\n");
    kim.send("/lesson end\n");
    bob.expect("-- the lesson has ended: 1 second · people: 1 · hands: 1 · polls: 1 --\n");
    bob.send("/hand\n");
    bob.expect(words(LessonNotice::NoLesson));
}

#[test]
fn in_slow_mode_a_line_sent_twice_at_once_is_said_once_or_refused_each_time() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    kim.command("/slow 1h");
    kim.next("slow");
    let mut bob = server.login_json("bob");
    let say = |nonce| format!("{}\n", json!({"type": "say", "text": nonce, "nonce": nonce}));
    bob.send(["a", "a", "b", "b"].map(say).concat());
    let mut answers = Vec::new();
    while answers.len() < 4 {
        let answer = bob.expect_json();
        if let Some(nonce) = answer["nonce"].as_str() {
            answers.push(format!("{} {nonce}", answer["type"].as_str().expect("a type")));
        }
    }
    answers.sort_unstable();
    assert_eq!(answers, ["ack a", "ack a", "error b", "error b"]);
}

/// What each may do in which mode, by each door.
#[test]
fn listening_and_slow_mode_forbid_the_same_at_every_door() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut text = server.login("text");
    let mut packets = server.login_json("json");
    let mut lines = server.login_websocket("wstext");
    let mut socket = server.login_websocket_json("wsjson");
    kim.command("/listen on");
    kim.next("listen");
    let listening = words(LessonNotice::Listening);
    for line in ["aloud", "/me waves", "/nick other"] {
        text.send(format!("{line}\n"));
        text.expect(&listening);
        lines.send(line);
        lines.expect(&listening);
        let code = "listening";
        let message = match line.strip_prefix('/') {
            Some(_) => json!({"type": "command", "line": line, "nonce": line}),
            None => json!({"type": "say", "text": line, "nonce": line}),
        };
        packets.send_json(message.clone());
        assert_eq!(next_error(&mut packets)["code"], code, "{line}");
        socket.send_json(&message);
        assert_eq!(next_error_of(&mut socket)["code"], code, "{line}");
    }
    text.send("/topic mine\n");
    text.expect(words(LessonNotice::TeacherOnly));
    // A pupil may whisper to a teacher, but not to another pupil.
    text.send("/msg json psst\n");
    text.expect(&listening);
    text.send("/msg Kim psst\n");
    text.expect("[whisper → Kim] psst\n");
    // A hand's question goes to teachers only.
    text.send("/hand May I go out?\n");
    text.expect(words(LessonNotice::HandForTeachers));
    let hand = packets.next("hand");
    assert_eq!((&hand["user"], &hand["text"]), (&json!("text"), &Value::Null), "{hand}");
    assert_eq!(kim.next("hand_text")["text"], "May I go out?");
    // Last words are not said.
    text.send("/quit farewell\n");
    let left = packets.next("left");
    assert_eq!((&left["user"], &left["text"]), (&json!("text"), &Value::Null));
    // A teacher speaks, and sets the topic.
    kim.command("/topic read page 5");
    assert_eq!(packets.next("topic")["topic"], "read page 5");
    kim.ask(json!({"type": "say", "text": "listen"}));
    assert_eq!(packets.next("said")["teacher"], true);
    kim.command("/listen off").command("/slow 1h");
    packets.next("slow");
    for (text, passes) in [("first", true), ("second", false)] {
        packets.send_json(json!({"type": "say", "text": text, "nonce": text}));
        if passes {
            packets.next("ack");
        } else {
            let error = next_error(&mut packets);
            assert_eq!(error["code"], "slow");
            let wait = error["wait_seconds"].as_u64().expect("how long to wait");
            assert!((3_590..=3_600).contains(&wait), "{error}");
        }
    }
    // Another room belongs to the same lesson.
    packets.command("/join math");
    let entered = packets.next("entered");
    assert_eq!(entered["lesson"]["slow"], 3_600, "{entered}");
    packets.send_json(json!({"type": "say", "text": "third", "nonce": "3"}));
    assert_eq!(next_error(&mut packets)["code"], "slow");
    // A private room does not.
    packets.command("/new");
    assert_eq!(packets.next("entered")["lesson"], Value::Null);
    packets.send_json(json!({"type": "say", "text": "free", "nonce": "4"}));
    packets.next("ack");
    refused(&mut packets, "/hand", "not_in_lesson");
}

#[track_caller]
fn next_error(client: &mut TestClient) -> Value {
    loop {
        let message = client.expect_json();
        if message["type"] == "error" {
            return message;
        }
    }
}

#[track_caller]
fn next_error_of(client: &mut WebSocketClient) -> Value {
    loop {
        let message: Value = serde_json::from_str(&client.expect_message()).expect("JSON");
        if message["type"] == "error" {
            return message;
        }
    }
}

#[test]
fn only_teachers_lead_by_every_door() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut bob = server.login_json("bob");
    for line in [
        "/lesson other",
        "/lesson end",
        "/hands",
        "/hands clear",
        "/call",
        "/poll Q / a / b",
        "/poll show",
        "/poll end",
        "/poll cancel",
        "/slow 10s",
        "/listen on",
        "/show 1",
        "/hush 1",
        "/timer 5m",
        "/timer off",
        "/attendance",
    ] {
        refused(&mut bob, line, "teacher_only");
    }
    bob.ask(json!({"type": "watch", "nonce": "w"}));
    assert_eq!(next_error(&mut bob)["code"], "teacher_only");
    for line in ["/code", "/teacher bob"] {
        refused(&mut bob, line, "unknown_command");
    }
    for line in ["/end", "/owner bob"] {
        refused(&mut kim, line, "owner_only");
    }
    // Otherwise a teacher owns every public room.
    for (line, event) in [
        ("/mute bob 10m", "muted"),
        ("/unmute bob", "unmuted"),
        ("/lock", "locked"),
        ("/unlock", "unlocked"),
        ("/limit 30", "limited"),
        ("/kick bob", "kicked"),
    ] {
        kim.command(line);
        assert_eq!(bob.next(event)["type"], event);
    }
    // A kick from the lobby ends the connection.
    assert_eq!(bob.next("bye")["reason"], "kicked");
    bob.expect_closed();
}

#[test]
fn wrong_codes_end_a_connection_and_are_counted_by_address() {
    let server = start(|config| config.codes_per_hour = 7);
    let mut bob = server.login_json("bob");
    for _ in 0..4 {
        refused(&mut bob, "/teach ABCD-EFGH", "wrong_code");
    }
    refused(&mut bob, "/teach ABCD-EFGH", "wrong_code");
    assert_eq!(bob.next("bye")["reason"], "code_tries");
    bob.expect_closed();
    let mut carol = server.login_json("carol");
    refused(&mut carol, "/teach 12345678", "wrong_code");
    refused(&mut carol, "/teach 12345678", "wrong_code");
    // After that even the right code is not read; only the operator can help.
    let refusal = refused(&mut carol, &format!("/teach {CODE}"), "too_many_codes");
    assert!(refusal["wait_seconds"].as_u64().is_some_and(|wait| wait > 3_000), "{refusal}");
    server.operate("/teacher carol");
    carol.next("teacher");
    carol.command("/lesson");
    carol.next("lesson");
}

#[test]
fn the_code_is_refused_wherever_it_is_said_and_stands_nowhere() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut bob = server.login_json("bob");
    let spelled = CODE.to_lowercase().replace('-', " ");
    for line in [
        format!("/me knows {CODE}"),
        format!("/msg Kim {spelled}"),
        format!("/hand {spelled}"),
        format!("/ask {CODE}"),
        format!("/nick {CODE}"),
        format!("/topic {CODE}"),
        format!("/quit {CODE}"),
        format!("/new {CODE}"),
        format!("/frobnicate {CODE}"),
        format!("/join {CODE}"),
        format!("/ask {}", CODE.replace('-', "\n")),
        format!("/lesson {CODE}"),
        format!("/poll {CODE} / a / b"),
        format!("/timer 5m {spelled}"),
        format!("/who after {CODE}"),
    ] {
        refused(&mut bob, &line, "code_in_text");
    }
    for message in [
        json!({"type": "say", "text": format!("it is {spelled}"), "nonce": "1"}),
        json!({"type": "say", "text": CODE.replace('-', "\n-"), "nonce": "1"}),
        json!({"type": "hand", "up": true, "text": CODE, "nonce": "1"}),
    ] {
        bob.send_json(message);
        assert_eq!(next_error(&mut bob)["code"], "code_in_text");
    }
    for login in [
        json!({"type": "login", "name": CODE}),
        json!({"type": "login", "name": "erin", "room": CODE}),
        json!({"type": "login", "name": "erin", "new_room": true, "topic": spelled}),
    ] {
        let mut erin = server.connect();
        erin.become_json();
        erin.send_json(login);
        assert_eq!(next_error(&mut erin)["code"], "code_in_text");
    }
    // A teacher's lines and the operator's are refused, too.
    refused(&mut kim, &format!("/lesson {CODE}"), "code_in_text");
    kim.ask(json!({"type": "say", "text": CODE, "nonce": "1"}));
    assert_eq!(next_error(&mut kim)["code"], "code_in_text");
    server.operate(&format!("/say {CODE}"));
    server.console_expect(&words(LessonNotice::CodeInText));
    let (mut lines, mut socket) =
        (server.login_websocket("ws"), server.login_websocket_json("wsj"));
    lines.send(&format!("two lines\n{CODE}"));
    lines.expect(&words(LessonNotice::CodeInText));
    socket.send_json(&json!({"type": "say", "text": spelled, "nonce": "1"}));
    assert_eq!(next_error_of(&mut socket)["code"], "code_in_text");
    let mut text = server.connect();
    text.expect("Login ID:");
    text.send(format!("/join {CODE}\n"));
    text.expect(words(LessonNotice::CodeInText));
    text.send("/join lobby\n");
    text.send(format!("{CODE}\n"));
    text.expect(words(LessonNotice::CodeInText));
    text.expect("Login ID:");
    text.send("dave\n");
    text.expect_joined("dave");
    text.send(format!("{CODE}\n"));
    text.expect(words(LessonNotice::CodeInText));
    kim.command("/history");
    let history = kim.next("history");
    assert!(!history.to_string().contains(CODE), "{history}");
    server.operate("/who");
    server.operate("/code");
    server.console_expect(&words(LessonNotice::NoPlaceForCode));
    let console = server.console();
    let folded = |text: &str| text.replace(['-', ' '], "").to_uppercase();
    assert!(!folded(&console).contains(&folded(CODE)), "{console}");
}

#[test]
fn teachers_names_are_theirs_once_there_is_one() {
    let server = start(|_| {});
    let mut early = server.login_json("teacher");
    early.settled();
    let mut kim = begin(&server);
    let mut bob = server.login_json("bob");
    refused(&mut bob, "/nick 선생님", "name_reserved");
    refused(&mut bob, "/nick T3acher", "name_reserved");
    let mut carol = server.connect();
    carol.expect("Login ID:");
    carol.send("쌤\n");
    carol.expect("Login ID:");
    kim.command("/nick 선생님");
    assert_eq!(kim.next("renamed")["to"], "선생님");
    kim.command("/quit");
    kim.expect_closed_after("bye");
    // The last teacher has gone.
    early.next("left");
    bob.command("/nick 선생님");
    assert_eq!(bob.next("renamed")["to"], "선생님");
}

trait Closed {
    fn expect_closed_after(&mut self, kind: &str);
}

impl Closed for TestClient {
    #[track_caller]
    fn expect_closed_after(&mut self, kind: &str) {
        self.next(kind);
        self.expect_closed();
    }
}

#[test]
fn three_hundred_vote_in_one_poll_and_change_their_minds() {
    const PUPILS: usize = 300;
    let server = start(|config| config.rate_limit = None);
    let mut kim = begin(&server);
    let mut pupils: Vec<TestClient> =
        (0..PUPILS).map(|at| server.login_json(&format!("p{at}"))).collect();
    kim.command("/poll Q / a / b / c");
    kim.next("poll");
    for (at, pupil) in pupils.iter_mut().enumerate() {
        pupil.ask(json!({"type": "vote", "choice": at % 3 + 1, "nonce": "v"}));
    }
    for pupil in &mut pupils {
        while pupil.next("ack")["nonce"] != "v" {}
    }
    loop {
        let tally = kim.next("tally");
        assert_eq!((&tally["counts"], &tally["members"]), (&Value::Null, &json!(PUPILS)));
        if tally["answered"] == PUPILS {
            assert_eq!(tally["waiting"], json!([]));
            break;
        }
    }
    for pupil in &mut pupils {
        pupil.ask(json!({"type": "vote", "choice": 1, "nonce": "w"}));
    }
    for pupil in &mut pupils {
        while pupil.next("ack")["nonce"] != "w" {}
    }
    kim.command("/poll end");
    let ended = pupils[0].next("poll_ended");
    assert_eq!(ended["counts"], json!([PUPILS, 0, 0]));
    assert_eq!((&ended["answered"], &ended["members"]), (&json!(PUPILS), &json!(PUPILS)));
}

#[test]
fn a_pupil_who_reconnects_during_a_poll_has_their_vote_and_raised_hand() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut bob = server.connect();
    bob.become_json();
    bob.send_json(json!({"type": "login", "name": "bob"}));
    let welcome = bob.next("welcome");
    assert_eq!(welcome["lesson"]["title"], "Pointers");
    kim.command("/poll Q / a / b");
    bob.next("poll");
    bob.command("/2");
    bob.next("ack");
    bob.command("/hand");
    bob.next("ack");
    bob.reset();
    let mut back = server.connect();
    back.become_json();
    back.send_json(json!({"type": "login", "session": welcome["session"]}));
    let lesson = back.next("welcome")["lesson"].clone();
    assert_eq!((&lesson["poll"]["vote"], &lesson["place"]), (&json!(2), &json!(1)), "{lesson}");
    back.command("/poll");
    assert_eq!(back.next("ballot")["poll"]["vote"], 2);
    // Others see neither.
    let mut carol = server.connect();
    carol.become_json();
    carol.send_json(json!({"type": "login", "name": "carol"}));
    let lesson = carol.next("welcome")["lesson"].clone();
    let theirs = (&lesson["poll"]["vote"], &lesson["place"]);
    assert_eq!(theirs, (&Value::Null, &Value::Null), "{lesson}");
    assert_eq!(lesson["hands"], json!(["bob"]));
}

#[test]
fn leaving_lowers_a_hand_and_keeps_a_vote() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut pupils: Vec<TestClient> =
        ["quits", "moves", "stays"].iter().map(|name| server.login_json(name)).collect();
    kim.command("/poll Q / a / b");
    kim.next("poll");
    for pupil in &mut pupils {
        pupil.command("/1");
        pupil.next("ack");
        pupil.command("/hand");
        pupil.next("ack");
    }
    pupils[0].command("/quit");
    pupils[1].command("/new");
    pupils[1].next("entered");
    let mut lowered = Vec::new();
    while lowered.len() < 2 {
        let hand = kim.next("hand");
        if hand["up"] == false {
            lowered.push(hand["user"].to_string());
        }
    }
    lowered.sort_unstable();
    assert_eq!(lowered, ["\"moves\"", "\"quits\""]);
    pupils[2].command("/nick remains");
    while pupils[2].next("ack")["nonce"] != "/nick remains" {}
    kim.command("/hands");
    let hands = kim.next("hands");
    assert_eq!((&hands["count"], &hands["hands"][0]["user"]), (&json!(1), &json!("remains")));
    kim.command("/poll end");
    let ended = kim.next("poll_ended");
    assert_eq!((&ended["counts"], &ended["members"]), (&json!([3, 0]), &json!(3)), "{ended}");
}

#[test]
fn a_newcomer_is_shown_the_whole_lesson() {
    let server = start(|config| config.rate_limit = None);
    let mut early = server.login("early");
    early.send("before the lesson\n");
    early.expect("[early] before the lesson\n");
    let mut kim = begin(&server);
    for at in 0..30 {
        kim.ask(json!({"type": "say", "text": format!("step {at}")}));
    }
    kim.settled();
    let mut late = server.connect();
    late.expect("Login ID:");
    late.send("late\n");
    let shown = late.expect("[late] joined.\n");
    assert!(shown.contains("-- a lesson is running: Pointers"), "{shown}");
    assert!(shown.contains("[Kim·teacher] step 0\n") && shown.contains("step 29\n"), "{shown}");
    assert!(!shown.contains("before the lesson"), "{shown}");
}

#[test]
fn a_locked_lobby_lets_those_in_who_attended() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let bob = server.login("bob");
    kim.next("joined");
    kim.command("/lock");
    kim.next("locked");
    drop(bob);
    kim.next("left");
    let mut stranger = server.connect();
    stranger.expect("Login ID:");
    for name in ["stranger\n", "\n"] {
        stranger.send(name);
        stranger.expect(Notice::RoomLocked.text(Lang::En));
    }
    // The name is free a moment after its owner has left.
    server.login_when_free("bob");
}

#[test]
fn attendance_is_a_table_that_can_be_had_once() {
    let server = start(|config| config.roster = vec!["bob".into(), "d ave".into(), "=1".into()]);
    let mut kim = begin(&server);
    let mut bob = server.login_json("bob");
    let carol = server.login("carol");
    bob.ask(json!({"type": "say", "text": "hi", "nonce": "1"}));
    bob.next("ack");
    drop(carol);
    while kim.next("left")["user"] != "carol" {}
    kim.command("/attendance");
    let attendance = kim.next("attendance");
    let person = |at: usize| {
        let person = &attendance["people"][at];
        (person["user"].clone(), person["here"].clone(), person["lines"].clone())
    };
    assert_eq!(person(0), (json!("bob"), json!(true), json!(1)), "{attendance}");
    assert_eq!(person(1), (json!("carol"), json!(false), json!(0)));
    assert_eq!(
        (&attendance["count"], &attendance["missing"]),
        (&json!(2), &json!(["d ave", "=1"]))
    );
    let path = attendance["path"].as_str().expect("there is a port for browsers").to_owned();
    let get = |request: &str| {
        let mut client = TestClient::connect(server.web_address());
        client.send(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        client.expect_rest()
    };
    assert!(get(&format!("HEAD {path}")).starts_with("HTTP/1.1 200 "), "a look uses nothing up");
    assert!(get(&format!("POST {path}")).starts_with("HTTP/1.1 405 "));
    let answer = get(&format!("GET {path}"));
    assert!(answer.contains("Content-Disposition: attachment; filename=\"attendance.csv\"\r\n"));
    assert!(answer.contains("Cache-Control: no-store\r\n"), "{answer}");
    let (_, table) = answer.split_once("\r\n\r\n").expect("it has a body");
    assert!(table.starts_with("\u{FEFF}name,attendance,first,last,minutes,lines,hands,polls\r\n"));
    assert!(table.contains("\r\nbob,here,") && table.ends_with("\r\n'=1,missing,,,,,,\r\n"));
    assert!(get(&format!("GET {path}")).starts_with("HTTP/1.1 404 "), "it was had");
    assert!(get("GET /attendance/0").starts_with("HTTP/1.1 404 "));
    server.operate("/attendance csv");
    server.console_expect("bob,here,");
}

#[test]
fn a_clock_is_told_of_at_its_start_and_at_its_end() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    kim.command("/timer 1s tea");
    let started = kim.next("timer");
    assert_eq!((&started["state"], &started["text"]), (&json!("started"), &json!("tea")));
    assert!(started["until"].is_string(), "{started}");
    assert_eq!(kim.next("timer")["state"], "ended");
}

#[test]
fn a_link_with_a_ticket_makes_a_teacher_and_no_room() {
    let server = start(|_| {});
    let link = format!("http://192.0.2.7:9998/#teach-{}", "a".repeat(26));
    let mut text = server.connect();
    text.expect("Login ID:");
    text.send(format!("{link}\n"));
    text.expect(words(LessonNotice::TeachersLink));
    let mut bob = server.login_json("bob");
    refused(&mut bob, &format!("/join {link}"), "teachers_link");
    refused(&mut bob, &format!("/teach {link}"), "wrong_code");
    let mut other = server.connect();
    other.become_json();
    other.send_json(json!({"type": "login", "name": "carol", "room": link}));
    assert_eq!(next_error(&mut other)["code"], "teachers_link");
    bob.expect_nothing_for(Duration::from_millis(1));
}

/// What people without a resumable session had before a restart waits for their name, but not for
/// ever.
#[test]
fn a_hand_goes_down_whose_owner_does_not_come_back_after_a_restart() {
    let folder = TestFolder::new();
    let school = |window: Duration| {
        start(|config| {
            config.journal = Some(JournalConfig::of(&folder.path().join("data")));
            config.resume_window = window;
        })
    };
    let mut server = school(Duration::from_secs(60));
    let mut kim = begin(&server);
    let mut bob = server.login("bob");
    bob.send("/hand why?\n/ping raised\n").expect(" raised\n");
    kim.ask(json!({"type": "say", "text": "settled", "nonce": "s"}));
    while kim.next("ack")["nonce"] != "s" {}
    server.stop();
    // The teacher's session is not waited for, either.
    let server = school(Duration::from_millis(1));
    let mut kim = server.login_json("Lee");
    kim.command(&format!("/teach {CODE}"));
    kim.next("teacher");
    server.console_expect("left");
    loop {
        kim.command("/history 50");
        let history = kim.next("history");
        let hands = history["events"].as_array().expect("a list").iter();
        let mut hands = hands.filter(|event| event["type"] == "hand");
        let last = hands.next_back().expect("one was raised");
        if last["up"] == false {
            assert_eq!((&last["user"], &last["text"]), (&json!("bob"), &Value::Null));
            break;
        }
    }
    refused(&mut kim, "/hands", "no_hands");
}

#[test]
fn whispers_of_a_teacher_are_marked_at_every_door_and_when_delivered_later() {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let mut ko = server.login("ko");
    ko.send("/lang ko\n/ping set\n").expect(" set\n");
    let mut en = server.login("en");
    let mut lines = server.login_websocket("lines");
    let mut socket = server.login_websocket_json("socket");
    let mut away = server.connect();
    away.become_json();
    away.send_json(json!({"type": "login", "name": "away"}));
    let token = away.next("welcome")["session"].clone();
    away.reset();
    // The server has noticed the lost connection.
    server.console_expect("[away] disconnected");
    for name in ["ko", "en", "lines", "socket", "away"] {
        kim.command(&format!("/msg {name} psst"));
        kim.next("ack");
    }
    ko.expect("[귓속말 Kim·교사] psst\n");
    en.expect("[whisper Kim·teacher] psst\n");
    lines.expect("[whisper Kim·teacher] psst");
    let teachers = |whisper: &Value| assert_eq!(whisper["teacher"], true, "{whisper}");
    teachers(&loop {
        let message: Value = serde_json::from_str(&socket.expect_message()).expect("JSON");
        if message["type"] == "whisper" {
            break message;
        }
    });
    let mut back = server.connect();
    back.become_json();
    back.send_json(json!({"type": "login", "session": token}));
    teachers(&back.next("whisper"));
    // Other people's whispers are not marked.
    en.send("/msg away hi\n");
    assert_eq!(back.next("whisper")["teacher"], Value::Null);
    en.send("/msg ko hi\n");
    ko.expect("[귓속말 en] hi\n");
}
