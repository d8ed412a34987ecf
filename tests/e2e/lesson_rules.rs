//! The lesson's rules about speaking as one table: by role, mode and door.

use madang_protocol::{
    notice::{LessonNotice, Notice},
    text::Lang,
};
use madang_tests::{TestClient, TestServer, WebSocketClient};
use serde_json::{Value, json};

use crate::lesson::{CODE, begin, start, words};

/// What each line gets, by mode and role: `-` means that it passes, otherwise the error's code.
/// A called pupil is one whom the teacher lets speak; a muted one was muted by the teacher.
const RULES: &str = "
    line                 teacher             called         pupil          muted
    lesson
    aloud                -                   -              -              muted
    /me waves            -                   -              -              muted
    /topic read          -                   teacher_only   teacher_only   teacher_only
    /msg Kim psst        -                   -              -              -
    /msg pal psst        -                   -              -              -
    /ask why             -                   -              -              muted
    /1                   teachers_dont_vote  -              -              -
    /hand Why            -                   -              -              -
    /nick sue            -                   -              -              muted
    listening
    aloud                -                   -              listening      muted
    /me waves            -                   -              listening      muted
    /topic read          -                   teacher_only   teacher_only   teacher_only
    /msg Kim psst        -                   -              -              -
    /msg pal psst        -                   -              listening      listening
    /ask why             -                   -              -              muted
    /1                   teachers_dont_vote  -              -              -
    /hand Why            -                   -              -              -
    /nick sue            -                   -              listening      muted
    slow
    aloud                -                   -              -              muted
    /me waves            -                   slow           slow           muted
    /topic read          -                   teacher_only   teacher_only   teacher_only
    /msg Kim psst        -                   -              -              -
    /msg pal psst        -                   -              -              -
    /ask why             -                   -              -              muted
    /1                   teachers_dont_vote  -              -              -
    /hand Why            -                   -              -              -
    /nick sue            -                   slow           slow           muted
";

/// How somebody speaks to the server.
enum Door {
    Lines(TestClient),
    Json(TestClient),
    WebSocketLines(WebSocketClient),
    WebSocketJson(WebSocketClient),
}

type Open = fn(&TestServer, &str) -> Door;

const DOORS: [(&str, Open); 4] = [
    ("lines", |server, name| Door::Lines(server.login(name))),
    ("json", |server, name| Door::Json(server.login_json(name))),
    ("wslines", |server, name| Door::WebSocketLines(server.login_websocket(name))),
    ("wsjson", |server, name| Door::WebSocketJson(server.login_websocket_json(name))),
];

impl Door {
    /// Sends a line and tells what it gets: `-` or the code of a refusal.
    fn says(&mut self, line: &str) -> String {
        match self {
            Door::Lines(client) => {
                client.send(format!("{line}\n/ping over\n"));
                outcome_of_lines(|| client.expect_line())
            }
            Door::WebSocketLines(client) => {
                client.send(line).send("/ping over");
                let mut lines = Vec::new().into_iter();
                outcome_of_lines(|| {
                    loop {
                        if let Some(line) = lines.next() {
                            return line;
                        }
                        let message = client.expect_message();
                        lines = message.lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
                    }
                })
            }
            Door::Json(client) => {
                for request in requests(line) {
                    client.send_json(request);
                }
                outcome_of_json(|| client.expect_json())
            }
            Door::WebSocketJson(client) => {
                for request in requests(line) {
                    client.send_json(&request);
                }
                outcome_of_json(|| {
                    serde_json::from_str(&client.expect_message()).expect("a message is JSON")
                })
            }
        }
    }
}

/// The line as a request, and a question whose answer comes after that request's.
fn requests(line: &str) -> [Value; 2] {
    let request = match line.starts_with('/') {
        true => json!({"type": "command", "line": line, "nonce": line}),
        false => json!({"type": "say", "text": line, "nonce": line}),
    };
    [request, json!({"type": "command", "line": "/ping over"})]
}

fn outcome_of_json(mut next: impl FnMut() -> Value) -> String {
    let mut outcome = "-".to_owned();
    loop {
        let message = next();
        match message["type"].as_str() {
            Some("error") => outcome = message["code"].as_str().expect("a code").to_owned(),
            Some("pong") => return outcome,
            _ => {}
        }
    }
}

fn outcome_of_lines(mut next: impl FnMut() -> String) -> String {
    let over = Notice::Pong(Some("over")).text(Lang::En);
    let mut outcome = "-".to_owned();
    loop {
        let told = next();
        if told == over {
            return outcome;
        }
        if let Some((code, _)) = refusals().find(|(_, text)| *text == told) {
            outcome = code.to_owned();
        }
    }
}

/// How refusals read at the doors of people.
fn refusals() -> impl Iterator<Item = (&'static str, String)> {
    let slow = (3_500..=3_600).map(|seconds| ("slow", words(LessonNotice::Slow { seconds })));
    let others = [
        ("listening", words(LessonNotice::Listening)),
        ("teacher_only", words(LessonNotice::TeacherOnly)),
        ("teachers_dont_vote", words(LessonNotice::TeachersDontVote)),
        ("muted", Notice::Muted { seconds: None }.text(Lang::En)),
    ];
    others.into_iter().chain(slow)
}

/// A lesson in which somebody speaks.
struct Stage {
    sam: Door,
    _others: [TestClient; 2],
    _server: TestServer,
}

/// A lesson in this mode, and somebody with this role who speaks by this door; with them a
/// teacher and another pupil.
fn stage(mode: &str, role: &str, open: Open) -> Stage {
    let server = start(|_| {});
    let mut kim = begin(&server);
    let pal = server.login_json("pal");
    let mut sam = open(&server, "sam");
    if role == "teacher" {
        assert_eq!(sam.says(&format!("/teach {CODE}")), "-");
    }
    let setting = match mode {
        "listening" => "/listen on",
        "slow" => "/slow 1h",
        _ => "/listen off",
    };
    let setting_of_role = match role {
        "called" => "/call sam",
        "muted" => "/mute sam",
        _ => "/unmute sam",
    };
    for line in ["/poll Q / a / b", setting, setting_of_role] {
        kim.send_json(json!({"type": "command", "line": line}));
    }
    kim.send_json(json!({"type": "command", "line": "/ping over"}));
    outcome_of_json(|| kim.expect_json());
    Stage { sam, _others: [kim, pal], _server: server }
}

#[test]
fn each_role_may_say_the_same_by_every_door_whatever_the_teacher_has_set() {
    let rows = RULES.lines().map(|row| row.trim().split("  ").map(str::trim));
    let rows: Vec<Vec<&str>> =
        rows.map(|row| row.filter(|cell| !cell.is_empty()).collect()).collect();
    let mut rows = rows.into_iter().filter(|row| !row.is_empty());
    let roles = rows.next().expect("a heading");
    let rows: Vec<_> = rows.collect();
    let mut wrong = Vec::new();
    for part in rows.chunk_by(|_, next| next.len() > 1) {
        let [mode, lines @ ..] = part else { unreachable!("a part has a heading") };
        for ((column, role), (door, open)) in
            (1..).zip(&roles[1..]).flat_map(|role| DOORS.map(|door| (role, door)))
        {
            let mut stage = stage(mode[0], role, open);
            for line in lines {
                let outcome = stage.sam.says(line[0]);
                if outcome != line[column] {
                    wrong.push(format!("{}, {role}, {door}, {}: {outcome}", mode[0], line[0]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
