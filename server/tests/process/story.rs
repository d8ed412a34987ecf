//! A lesson on a server with `--data` as a teacher experiences it: talk, a restart in the middle,
//! a search for what was said before, and finally a handout.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use madang_tests::{Program as Helper, TestClient, TestFolder};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    incoming::PATIENCE,
    journal::{saved, text, wait_for},
    server_process::ServerProcess,
};

/// What is said in the lesson, in order.
const SAID: [(&str, &str); 8] = [
    ("김선생", "오늘은 피타고라스 정리를 배웁니다"),
    ("철수", "a² + b² = c² 맞나요?"),
    ("김선생", "맞아요! 증명은\n1. 정사각형을 그린다\n2. 넓이를 두 번 센다"),
    ("영희", "<script>document.title = 'hacked'</script> 이건 태그인가요? 😀"),
    // The server is restarted here.
    ("김선생", "다시 들어왔나요? 이어서 합니다"),
    ("철수", "네 & \"여기\" 있어요"),
    ("영희", "ㅋㅋ 저도요"),
    ("김선생", "숙제: 금요일까지 100쪽"),
];

/// How many of these come before the restart.
const BEFORE: usize = 4;

/// Says a line with the teacher's client, or with `nc`.
fn say(teacher: &mut TestClient, pupils: &mut [(&str, TestClient)], user: &str, said: &str) {
    match pupils.iter_mut().find(|(name, _)| *name == user) {
        Some((_, pupil)) => drop(pupil.send(format!("{said}\n"))),
        None => teacher.send_json(json!({"type": "say", "text": said})),
    }
    // One after the other.
    loop {
        let heard = wait_for(teacher, "said");
        if (&heard["user"], &heard["text"]) == (&json!(user), &json!(said)) {
            return;
        }
    }
}

/// What the teacher types to become one.
const CODE: &str = "7F3K-9Q2M";

/// A lesson that is over: the server runs, and the teacher is still there.
struct Lesson {
    data: PathBuf,
    server: ServerProcess,
    teacher: TestClient,
}

/// Holds the lesson.
fn teach(folder: &TestFolder) -> Lesson {
    let (data, code) = (folder.path().join("data"), folder.path().join("code"));
    fs::write(&code, CODE).expect("a disk");
    let start = || {
        let flags = ["--rate-limit", "off", "--lang", "ko", "--teacher-code", text(&code)];
        ServerProcess::start(&[&flags[..], &["--data", text(&data)]].concat())
    };
    let mut server = start();
    let mut teacher = TestClient::connect(server.address);
    let welcome = teacher.login_json("김선생");
    let token = welcome["session"].as_str().expect("a token").to_owned();
    teacher.send_json(json!({"type": "command", "line": "/join 수학"}));
    assert_eq!(wait_for(&mut teacher, "entered")["durable"], true);
    let log_in = |address, name| {
        let mut pupil = TestClient::connect(address);
        pupil.login_to("수학", name);
        (name, pupil)
    };
    let mut pupils = ["철수", "영희"].map(|name| log_in(server.address, name));
    for (user, said) in &SAID[..BEFORE] {
        say(&mut teacher, &mut pupils, user, said);
    }
    // The second pupil's joining was seen before anything was said: this is the last thing.
    server.signal(Signal::TERM);
    wait_for(&mut teacher, "bye");
    assert_eq!(server.expect_exit(), 0);

    let server = start();
    let last = saved(&data, "수학").iter().filter_map(|event| event["id"].as_u64()).max();
    let mut teacher = TestClient::connect(server.address);
    teacher.become_json();
    teacher.send_json(json!({
        "type": "login", "session": token, "room": "수학", "last": last, "last_private": 0,
    }));
    let welcome = teacher.expect_message("welcome");
    assert_eq!((&welcome["resumed"], &welcome["room"]), (&json!(true), &json!("수학")));
    let mut pupils = ["철수", "영희"].map(|name| log_in(server.address, name));
    for (user, said) in &SAID[BEFORE..] {
        say(&mut teacher, &mut pupils, user, said);
    }
    let (_, pupil) = &mut pupils[0];
    for query in ["피타고라스", "ㅍㅌㄱㄹㅅ", "정리를 오늘은"] {
        pupil
            .send(format!("/찾기 {query}\n"))
            .expect("[김선생] 오늘은 피타고라스 정리를 배웁니다\n");
        pupil.expect("-- 1개를 찾았습니다.");
    }
    teacher.send_json(json!({"type": "command", "line": format!("/교사 {CODE}")}));
    wait_for(&mut teacher, "teacher");
    Lesson { data, server, teacher }
}

/// Requests a transcript, and saves it as a browser does: by its link, once.
fn download(lesson: &mut Lesson, format: &str, output: &Path) {
    let line = format!("/기록 {format}");
    lesson.teacher.send_json(json!({"type": "command", "line": line}));
    let answer = wait_for(&mut lesson.teacher, "transcript");
    let link = answer["link"].as_str().expect("a link");
    assert!(link.starts_with(&format!("http://{}/", lesson.server.web_address)), "{link}");
    let curl = |args: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*"]).args(args).arg(link);
        Helper::start(&mut curl)
    };
    curl(&["--output", text(output)]).expect_success(PATIENCE);
    // The link is good for one download.
    let again = curl(&["--output", "/dev/null", "--write-out", "%{http_code}"]);
    assert_eq!(again.expect_success(PATIENCE), "404");
}

#[test]
fn a_lesson_goes_on_after_a_restart_and_can_be_read_by_programs() {
    let folder = TestFolder::new();
    let Lesson { data, server, .. } = teach(&folder);
    drop(server);
    let said: Vec<_> = saved(&data, "수학")
        .into_iter()
        .filter(|event| event["type"] == "said")
        .map(|event| (event["user"].clone(), event["text"].clone()))
        .collect();
    assert_eq!(said, SAID.map(|(user, text)| (Value::from(user), Value::from(text))));
    let kinds: Vec<_> =
        saved(&data, "수학").into_iter().map(|event| event["type"].clone()).collect();
    assert!(kinds.contains(&json!("restarted")), "{kinds:?}");
}

#[test]
#[ignore = "needs chromium, curl and python3"]
fn a_lesson_s_transcript_is_read_in_a_browser_and_by_python() {
    let folder = TestFolder::new();
    let mut lesson = teach(&folder);
    let (page, lines) = (folder.path().join("lesson.html"), folder.path().join("lesson.jsonl"));
    download(&mut lesson, "html", &page);
    download(&mut lesson, "jsonl", &lines);

    let picture = match std::env::var_os("PICTURES") {
        Some(pictures) => Path::new(&pictures).join("lesson.png"),
        None => folder.path().join("lesson.png"),
    };
    let in_chromium = |flag: &str| {
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", flag]);
        let profile = format!("--user-data-dir={}", text(&folder.path().join("profile")));
        let shown = Helper::start(chromium.args([profile, format!("file://{}", text(&page))]));
        shown.expect_success(PATIENCE)
    };
    in_chromium(&format!("--screenshot={}", text(&picture)));
    let picture = fs::read(&picture).expect("a picture");
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "something is on it");
    let shown = in_chromium("--dump-dom");
    assert!(
        shown.contains("<title>수학</title>"),
        "a script has run, or there is no title: {shown}"
    );
    let mut rest = &*shown;
    for (user, said) in SAID {
        let said = said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let place = rest.find(&format!("<bdi>{user}</bdi></b> <span dir=\"auto\">{said}"));
        let place = place.unwrap_or_else(|| panic!("{user}: {said} is not there: {shown}"));
        rest = &rest[place + 1..];
    }

    let mut python = Command::new("python3");
    let reader = "import json, sys\n\
                  for line in open(sys.argv[1], encoding='utf-8'):\n\
                  \x20   event = json.loads(line)\n\
                  \x20   if event['type'] == 'said': print(json.dumps([event['user'], event['text']]))";
    let read = Helper::start(python.args(["-c", reader, text(&lines)])).expect_success(PATIENCE);
    let read: Vec<Value> =
        read.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(read, SAID.map(|(user, text)| json!([user, text])));
}
