//! A lesson across restarts with `--data`: it continues where it was, however the server ended,
//! and its secrets are in no file.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use madang_protocol::{
    notice::{LessonNotice, Notice},
    text::Lang,
};
use madang_tests::{TestClient, TestFolder, WebSocketClient};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    journal::{saved, text, wait_for},
    program::Program,
    server_process::{ServerProcess, command, command_under},
};

const CODE: &str = "QX7F-3K9W-2M";

/// A server that keeps its data in a folder, and a way to end it.
struct School {
    folder: TestFolder,
    /// None between two starts.
    server: Option<ServerProcess>,
}

impl School {
    fn start() -> School {
        let folder = TestFolder::new();
        fs::write(folder.path().join("code"), CODE).expect("the folder is there");
        let server = Some(School::server(folder.path()));
        School { folder, server }
    }

    fn server(folder: &Path) -> ServerProcess {
        let (data, code) = (folder.join("data"), folder.join("code"));
        ServerProcess::start(&[
            "--rate-limit",
            "off",
            "--lang",
            "ko",
            "--data",
            text(&data),
            "--teacher-code",
            text(&code),
        ])
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("it runs").address
    }

    /// Ends the server with a signal and starts it again.
    fn restart(&mut self, signal: Signal) {
        let mut server = self.server.take().expect("it runs");
        server.signal(signal);
        if signal == Signal::TERM {
            assert_eq!(server.expect_exit(), 0);
        }
        // When it has ended, the folder is free.
        drop(server);
        self.server = Some(School::server(self.folder.path()));
    }

    /// Somebody in the lobby, by nc.
    fn by_nc(&self, name: &str) -> TestClient {
        let mut client = TestClient::connect(self.address());
        client.login(name);
        client
    }

    /// All bytes of all files.
    fn files(&self) -> Vec<u8> {
        let entries = fs::read_dir(self.folder.path().join("data")).expect("the folder");
        let files = entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("a file"));
        files.collect::<Vec<_>>().concat()
    }
}

/// Somebody whose client resumes its session by token.
struct Person {
    client: TestClient,
    token: String,
    asked: usize,
}

impl Person {
    fn log_in(school: &School, name: &str) -> Person {
        let mut client = TestClient::connect(school.address());
        let welcome = client.login_json(name);
        let token = welcome["session"].as_str().expect("a token").to_owned();
        Person { client, token, asked: 0 }
    }

    /// Reconnects; returns what the welcome says about the lesson.
    fn come_back(&mut self, school: &School) -> Value {
        self.client = TestClient::connect(school.address());
        self.client.become_json();
        self.client.send_json(json!({"type": "login", "session": self.token}));
        let welcome = self.client.expect_message("welcome");
        assert_eq!(welcome["resumed"], true, "{welcome}");
        welcome["lesson"].clone()
    }

    fn send(&mut self, line: &str) -> String {
        self.asked += 1;
        let nonce = format!("n{}", self.asked);
        self.client.send_json(match line.strip_prefix("say ") {
            Some(text) => json!({"type": "say", "text": text, "nonce": nonce}),
            None => json!({"type": "command", "line": line, "nonce": nonce}),
        });
        nonce
    }

    /// Sends a command and takes its answer, of this type.
    #[track_caller]
    fn ask(&mut self, line: &str, answer: &str) -> Value {
        let nonce = self.send(line);
        loop {
            let message = self.client.expect_json();
            // Messages may come before the ack.
            if message["nonce"] == *nonce && message["type"] != "notice" {
                assert_eq!(message["type"], answer, "{line}: {message}");
                return message;
            }
        }
    }

    /// Waits until everything so far is on the disk.
    fn settle(&mut self) {
        let ack = self.ask("say -", "ack");
        assert_eq!(ack["durable"], Value::Null, "{ack}");
    }
}

/// A teacher with a lesson that has begun, and three pupils.
struct Class {
    school: School,
    kim: Person,
    bob: Person,
    dan: Person,
    nc: TestClient,
}

impl Class {
    fn begin() -> Class {
        let school = School::start();
        let mut kim = Person::log_in(&school, "kim");
        let [bob, dan] = ["bob", "dan"].map(|name| Person::log_in(&school, name));
        let nc = school.by_nc("carol");
        kim.ask(&format!("/teach {CODE}"), "teacher");
        kim.ask("/lesson 포인터", "ack");
        Class { school, kim, bob, dan, nc }
    }
}

#[test]
fn a_lesson_goes_on_after_a_kill_and_after_a_stop() {
    for signal in [Signal::KILL, Signal::TERM] {
        let Class { mut school, mut kim, mut bob, mut dan, mut nc } = Class::begin();
        bob.ask("/hand why?", "ack");
        nc.send("/손\n/ping raised\n").expect(" raised\n");
        dan.ask("say hello", "ack");
        kim.ask("/poll First? / a / b", "ack");
        dan.ask("/1", "ack");
        kim.ask("/poll end", "ack");
        dan.ask("/ask nobody-shall-know", "ack");
        let mut visitor = Person::log_in(&school, "visitor");
        visitor.ask("/join math", "entered");
        // Those who attended may return to a locked room.
        for line in ["/slow 1h", "/listen on", "/call dan", "/timer 1h test", "/lock"] {
            kim.ask(line, "ack");
        }
        kim.ask("/poll Second? / c / d", "ack");
        bob.ask("/2", "ack");
        kim.settle();
        school.restart(signal);

        let lesson = kim.come_back(&school);
        assert_eq!(lesson["teacher"], true, "{lesson}");
        wait_for(&mut kim.client, "restarted");
        let ended = wait_for(&mut kim.client, "poll_ended");
        assert_eq!((&ended["cancelled"], &ended["question"]), (&json!(true), &json!("Second?")));
        assert_eq!(ended["counts"], Value::Null, "{ended}");
        let lesson = bob.come_back(&school);
        assert_eq!(
            (&lesson["title"], &lesson["hands"], &lesson["place"], &lesson["called"]),
            (&json!("포인터"), &json!(["bob", "carol"]), &json!(1), &json!("dan")),
        );
        assert_eq!(
            (&lesson["listen"], &lesson["slow"], &lesson["timer_text"], &lesson["poll"]),
            (&json!(true), &json!(3_600), &json!("test"), &Value::Null),
        );
        // What was in force is still in force: Bob listens, Dan was called on.
        assert_eq!(bob.ask("say but", "error")["code"], "listening");
        dan.come_back(&school);
        dan.ask("say yes", "ack");
        assert_eq!(dan.ask("/1", "error")["code"], "poll_over");
        // Those who came by nc return by name.
        let mut nc = school.by_nc("carol");
        let is_up = Notice::Lesson(LessonNotice::HandUp { place: 2 });
        nc.send("/손\n").expect(is_up.text(Lang::Ko));
        // Another room belongs to the same lesson.
        visitor.come_back(&school);
        assert_eq!(visitor.ask("say there", "error")["code"], "listening");

        dan.ask("/ask nobody-shall-know-either", "ack");
        assert_eq!(wait_for(&mut kim.client, "asked")["number"], 2);
        assert_eq!(kim.ask("/show 1", "error")["code"], "no_question");
        let attendance = kim.ask("/attendance", "attendance");
        let person = |name: &str| {
            let people = attendance["people"].as_array().expect("a list");
            let person = people.iter().find(|person| person["user"] == name);
            let person = person.unwrap_or_else(|| panic!("{name} is missing: {attendance}"));
            ["here", "lines", "hands", "polls"].map(|field| person[field].clone())
        };
        assert_eq!(person("bob"), [json!(true), json!(0), json!(1), json!(0)]);
        assert_eq!(person("carol"), [json!(true), json!(0), json!(1), json!(0)]);
        assert_eq!(person("dan"), [json!(true), json!(2), json!(0), json!(1)]);
        assert_eq!(person("visitor"), [json!(true), json!(0), json!(0), json!(0)]);

        // Once the lesson is over, nothing of it continues.
        kim.ask("/lesson end", "ack");
        let ended = loop {
            let lesson = wait_for(&mut dan.client, "lesson");
            if lesson["state"] != "begun" {
                break lesson;
            }
        };
        assert_eq!(
            (&ended["state"], &ended["hands"], &ended["polls"]),
            (&json!("ended"), &json!(2), &json!(1))
        );
        kim.settle();
        school.restart(signal);
        let lesson = kim.come_back(&school);
        assert_eq!((&lesson["running"], &lesson["teacher"]), (&json!(false), &json!(true)));
        assert_eq!(kim.ask("/attendance", "error")["code"], "no_lesson");
    }
}

/// The server is killed after each step of a lesson, and its state is the same afterwards.
#[test]
fn a_lesson_survives_a_kill_after_each_step() {
    let Class { mut school, mut kim, mut bob, .. } = Class::begin();
    let going_on = |lesson: &Value| {
        let mut lesson = lesson.clone();
        for field in ["poll", "teacher"] {
            lesson.as_object_mut().map(|lesson| lesson.remove(field));
        }
        lesson
    };
    for (is_kims, line) in [
        (true, "/lesson 배열"),
        (false, "/hand"),
        (true, "/slow 1h"),
        (true, "/poll Q / a / b"),
        (true, "/listen on"),
        (true, "/timer 1h"),
        (true, "/call"),
        (true, "/listen off"),
        (true, "/slow off"),
        (true, "/timer off"),
        (true, "/lesson end"),
    ] {
        if is_kims { &mut kim } else { &mut bob }.ask(line, "ack");
        kim.settle();
        let before = going_on(&bob.come_back(&school));
        school.restart(Signal::KILL);
        let after = bob.come_back(&school);
        assert_eq!(going_on(&after), before, "after {line}");
        assert_eq!(after["poll"], Value::Null, "after {line}");
        kim.come_back(&school);
    }
}

#[test]
fn secrets_of_a_lesson_are_in_no_file() {
    let Class { mut school, mut kim, mut bob, mut dan, .. } = Class::begin();
    kim.ask("/listen on", "ack");
    bob.ask("/hand hand-for-teachers", "ack");
    dan.ask("/ask question-of-nobody", "ack");
    kim.ask("/hush 1", "ack");
    dan.ask("/ask another-of-nobody", "error");
    kim.ask("/poll public-question / first-choice / second-choice", "ack");
    bob.ask("/1", "ack");
    dan.ask("/2", "ack");
    assert_eq!(bob.ask(&format!("/ask {CODE}"), "error")["code"], "code_in_text");
    let link = "teach-0123456789abcdefghjkmnpqrs";
    bob.ask(&format!("/teach {link}"), "error");
    kim.settle();
    let spelled = CODE.replace('-', "");
    let secrets = [
        "hand-for-teachers",
        "question-of-nobody",
        "another-of-nobody",
        CODE,
        &spelled,
        link,
        "Voted",
        "Questioned",
        "Hushed",
        "\"choice\":",
    ];
    let look = |school: &School, when: &str| {
        let files = school.files();
        let holds = |words: &str| memchr::memmem::find(&files, words.as_bytes()).is_some();
        assert!(holds("public-question"), "{when}");
        for words in secrets {
            assert!(!holds(words), "{words} is on the disk {when}");
        }
    };
    look(&school, "while the server runs");
    school.restart(Signal::KILL);
    look(&school, "after it was killed");
    kim.come_back(&school);
    kim.ask("/lesson end", "ack");
    school.restart(Signal::TERM);
    look(&school, "after it was stopped");
    // What everyone was told is there, in order, once the server has ended.
    let mut server = school.server.take().expect("it runs");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let kinds: Vec<_> = saved(&school.folder.path().join("data"), "lobby")
        .iter()
        .filter_map(|event| event["type"].as_str().map(str::to_owned))
        .filter(|kind| !["joined", "left", "said"].contains(&&**kind))
        .collect();
    let expected =
        ["lesson", "listen", "hand", "poll", "restarted", "poll_ended", "lesson", "restarted"];
    assert_eq!(kinds, expected);
}

/// What a server's console and log show of a lesson in which two people vote and ask.
fn shown_of(votes: [usize; 2], questions: [(usize, &str); 2]) -> Vec<String> {
    let folder = TestFolder::new();
    let code = folder.path().join("code");
    fs::write(&code, CODE).expect("the folder is there");
    let mut command = command();
    command.env("RUST_LOG", "madang_server=trace");
    let server = ServerProcess::start_as(command.args(["--teacher-code", text(&code)]));
    let mut school = School { folder, server: Some(server) };
    let mut kim = Person::log_in(&school, "kim");
    let mut pupils = ["bob", "dan"].map(|name| Person::log_in(&school, name));
    kim.ask(&format!("/teach {CODE}"), "teacher");
    kim.ask("/lesson", "ack");
    kim.ask("/poll Q / a / b", "ack");
    for (pupil, vote) in pupils.iter_mut().zip(votes) {
        pupil.ask(&format!("/{vote}"), "ack");
    }
    for (at, question) in questions {
        pupils[at].ask(&format!("/ask {question}"), "ack");
    }
    for line in ["/poll show", "/show 1", "/hush 2", "/poll end", "/lesson end"] {
        kim.ask(line, "ack");
    }
    let mut server = school.server.take().expect("it runs");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let shown = server.out().expect_end() + &server.err().expect_end();
    assert!(shown.contains("[bob]"), "{shown}");
    // Times, addresses, and the order in which a stop ends connections differ from run to run.
    let shown = shown.lines().filter(|line| !line.contains("퇴장"));
    let is_of_a_run =
        |word: &str| word.contains("127.0.0.1") || word.starts_with(|c: char| c.is_ascii_digit());
    let timeless = |line: &str| -> Vec<String> {
        line.split_whitespace().filter(|word| !is_of_a_run(word)).map(str::to_owned).collect()
    };
    let mut lines: Vec<String> = shown.map(|line| timeless(line).join(" ")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn neither_console_nor_log_tells_who_voted_or_asked_what() {
    let one = shown_of([1, 2], [(0, "why?"), (1, "how?")]);
    let other = shown_of([2, 1], [(1, "why?"), (0, "how?")]);
    assert_eq!(one, other);
    let all = one.concat();
    for secret in ["why?", "how?", CODE, "Voted", "vote"] {
        assert!(!all.contains(secret), "{secret}: {one:#?}");
    }
}

/// Thirty vote at once, four of them in real browsers, on a server that has one core.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs node, tests/browser/node_modules, chromium and taskset"]
fn thirty_votes_at_once_take_a_server_on_one_core_a_part_of_two_seconds() {
    const PROGRAMS: usize = 26;
    const BROWSERS: usize = 4;
    let folder = TestFolder::new();
    let code = folder.path().join("code");
    fs::write(&code, CODE).expect("the folder is there");
    let mut command = command_under("taskset", &["-c", "0"]);
    let server = ServerProcess::start_as(command.args(["--teacher-code", text(&code)]));
    let school = School { folder, server: Some(server) };
    let mut kim = Person::log_in(&school, "kim");
    kim.ask(&format!("/teach {CODE}"), "teacher");
    kim.ask("/lesson", "ack");
    let server = school.server.as_ref().expect("it runs");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/browser/votes.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(format!("http://{}/", server.web_address)).arg(BROWSERS.to_string());
    let mut browsers = Program::start(node.stdin(Stdio::piped()));
    browsers.out().expect("here\n");
    let mut programs: Vec<WebSocketClient> = (0..PROGRAMS)
        .map(|at| {
            let mut client = WebSocketClient::open_json(server.web_address);
            client.login_json(&format!("program{at}"));
            client
        })
        .collect();
    kim.ask("/poll Lunch? / rice / soup", "ack");
    programs.iter_mut().for_each(|client| hear(client, "poll"));
    browsers.out().expect("ready\n");

    let (began, used) = (Instant::now(), processor_time(server.pid()));
    browsers.type_in("go\n");
    for client in &mut programs {
        client.send_json(&json!({"type": "vote", "choice": 2, "nonce": "v"}));
    }
    programs.iter_mut().for_each(|client| hear(client, "ack"));
    let acked = began.elapsed();
    let voters = PROGRAMS + BROWSERS;
    while wait_for(&mut kim.client, "tally")["answered"] != voters {}
    let tallied = began.elapsed();
    browsers.out().expect("voted in ");
    let shown = browsers.out().expect("\n");
    let used = processor_time(server.pid()) - used;
    println!(
        "{PROGRAMS} programs had their acks after {acked:?}, {BROWSERS} browsers showed their votes \
         after {shown}; the teacher was told of all after {tallied:?}; the server used {used:?}"
    );
    assert!(used < Duration::from_millis(500), "{used:?}: two seconds would be at risk");
    kim.send("/poll end");
    let ended = wait_for(&mut kim.client, "poll_ended");
    assert_eq!(ended["counts"], json!([BROWSERS, PROGRAMS]), "{ended}");
}

/// Waits for a message of this type.
#[cfg(target_os = "linux")]
#[track_caller]
fn hear(client: &mut WebSocketClient, kind: &str) {
    let kind = format!("{{\"type\":\"{kind}\"");
    while !client.expect_message().starts_with(&kind) {}
}

/// The processor time that a process has used.
#[cfg(target_os = "linux")]
fn processor_time(pid: rustix::process::Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("behind its name");
    let fields: Vec<i64> = fields.split(' ').filter_map(|it| it.parse().ok()).collect();
    // The first field is not a number; of the others, user and system time are the 11th and 12th,
    // in hundredths of a second.
    Duration::from_millis(10 * (fields[10] + fields[11]).unsigned_abs())
}
