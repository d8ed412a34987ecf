//! A whole lesson with thirty pupils, by every door, from beginning to end.

use madang_protocol::{
    notice::{LessonNotice, Notice},
    text::Lang,
};
use madang_tests::{TestClient, TestServer, WebSocketClient};
use serde_json::{Value, json};

use crate::lesson::{CODE, Program as _, begin, start};

const PUPILS: usize = 30;

/// A pupil, by one of the doors.
enum Pupil {
    Nc(TestClient),
    Json(TestClient),
    Socket(WebSocketClient),
    JsonSocket(WebSocketClient),
}

impl Pupil {
    fn join(server: &TestServer, at: usize) -> Pupil {
        let name = &format!("p{at}");
        match at % 4 {
            0 => Pupil::Nc(server.login(name)),
            1 => Pupil::Json(server.login_json(name)),
            2 => Pupil::Socket(server.login_websocket(name)),
            _ => Pupil::JsonSocket(server.login_websocket_json(name)),
        }
    }

    /// Sends a line, or the request that a program sends in its place.
    fn send(&mut self, line: &str) {
        let request = match (line.strip_prefix('/'), line.strip_prefix("/hand")) {
            (None, _) => json!({"type": "say", "text": line, "nonce": line}),
            (_, Some(text)) => {
                json!({"type": "hand", "up": true, "text": text.trim(), "nonce": line})
            }
            (Some(command), None) => match command.parse::<usize>() {
                Ok(choice) => json!({"type": "vote", "choice": choice, "nonce": line}),
                Err(_) => json!({"type": "command", "line": line, "nonce": line}),
            },
        };
        match self {
            Pupil::Nc(client) => {
                client.send(format!("{line}\n"));
            }
            Pupil::Json(client) => client.send_json(request),
            Pupil::Socket(client) => {
                client.send(line);
            }
            Pupil::JsonSocket(client) => {
                client.send_json(&request);
            }
        }
    }

    /// Waits for this line, or for a message with these fields.
    #[track_caller]
    fn hear(&mut self, line: &str, message: &Value) {
        let is_it = |heard: &Value| {
            message.as_object().expect("fields").iter().all(|(field, value)| heard[field] == *value)
        };
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        match self {
            Pupil::Nc(client) => {
                client.expect(line);
            }
            Pupil::Json(client) => while !is_it(&client.expect_json()) {},
            Pupil::Socket(client) => while !client.expect_message().contains(line) {},
            Pupil::JsonSocket(client) => while !is_it(&parse(&client.expect_message())) {},
        }
    }

    #[track_caller]
    fn is_refused(&mut self, notice: &Notice<'_>) {
        let code = notice.code().expect("it is a refusal");
        self.hear(&notice.text(Lang::En), &json!({"type": "error", "code": code}));
    }
}

#[test]
fn thirty_pupils_by_every_door_have_a_whole_lesson() {
    let server = start(|config| config.rate_limit = None);
    let mut kim = begin(&server);
    let mut class: Vec<Pupil> = (0..PUPILS).map(|at| Pupil::join(&server, at)).collect();
    let all = |class: &mut [Pupil], line: &str, message: Value| {
        class.iter_mut().for_each(|pupil| pupil.hear(line, &message));
    };
    // Each pupil has seen everyone who joined later.
    let last = format!("p{}", PUPILS - 1);
    let (line, message) = (format!("[{last}] joined."), json!({"type": "joined", "user": last}));
    all(&mut class[..PUPILS - 4], &line, message);

    // Hands, by each door; the first one is called on.
    for (at, pupil) in class[..4].iter_mut().enumerate() {
        pupil.send("/hand why?");
        let line = format!("[p{at}] raised a hand: why? (number {})", at + 1);
        pupil.hear(&line, &json!({"type": "hand", "user": format!("p{at}"), "place": at + 1}));
    }
    kim.command("/call");
    let called = json!({"type": "called", "user": "p0"});
    all(&mut class, "-- [Kim] called on [p0] --", called);

    // A poll: a third for each choice, then half change to the first; everyone sees the same.
    kim.command("/poll Lunch? / rice / soup / cake");
    let question = json!({"type": "poll", "question": "Lunch?", "counts": null});
    all(&mut class, "-- poll: Lunch?  /1 rice  /2 soup  /3 cake --", question);
    let votes = |class: &mut [Pupil], choice: &dyn Fn(usize) -> usize| {
        for (at, pupil) in class.iter_mut().enumerate() {
            let (vote, name) = (choice(at), ["rice", "soup", "cake"][choice(at) - 1]);
            pupil.send(&format!("/{vote}"));
            let voted = Notice::Lesson(LessonNotice::Voted { choice: name }).text(Lang::En);
            pupil.hear(&voted, &json!({"type": "ack", "nonce": format!("/{vote}")}));
        }
    };
    votes(&mut class, &|at| at % 3 + 1);
    kim.command("/poll show");
    let shown = json!({"type": "poll", "counts": [10, 10, 10], "answered": 30, "members": 30});
    all(&mut class, "rice 10 · soup 10 · cake 10", shown);
    votes(&mut class, &|at| if at < PUPILS / 2 { 1 } else { at % 3 + 1 });
    kim.command("/poll end");
    let ended = json!({"type": "poll_ended", "counts": [20, 5, 5], "answered": 30, "members": 30});
    all(&mut class, "-- poll result, 30 of 30: rice 20 · soup 5 · cake 5 --", ended);

    // Slow mode, then listening; a pupil who is called on speaks.
    kim.command("/slow 1h");
    all(&mut class, "one message every 1 hour", json!({"type": "slow", "seconds": 3_600}));
    for pupil in &mut class[4..8] {
        pupil.send("first");
        pupil.send("second");
        pupil.hear("Slow mode: ", &json!({"type": "error", "code": "slow"}));
    }
    kim.command("/slow off").command("/listen on");
    all(&mut class, "time to listen", json!({"type": "listen", "on": true}));
    for pupil in &mut class[8..12] {
        pupil.send("but");
        pupil.is_refused(&Notice::Lesson(LessonNotice::Listening));
    }
    kim.command("/call p12");
    class[12].hear("called on [p12]", &json!({"type": "called", "user": "p12"}));
    class[12].send("thank you");
    all(&mut class, "[p12] thank you", json!({"type": "said", "user": "p12", "text": "thank you"}));
    kim.command("/listen off");
    all(&mut class, "everyone can speak now", json!({"type": "listen", "on": false}));

    // Anonymous questions, by each door.
    for (at, pupil) in class[16..20].iter_mut().enumerate() {
        pupil.send(&format!("/ask question of nobody {at}"));
        let asked = Notice::Lesson(LessonNotice::Asked).text(Lang::En);
        pupil.hear(&asked, &json!({"type": "ack"}));
    }
    for number in 1..=4 {
        kim.command(&format!("/show {number}"));
        let line = format!("[question {number}] question of nobody {}", number - 1);
        all(&mut class, &line, json!({"type": "question", "number": number, "by": "Kim"}));
    }

    kim.command("/timer 5m exercise 3");
    let started = json!({"type": "timer", "state": "started", "text": "exercise 3"});
    all(&mut class, "-- timer: 5 minutes: exercise 3 --", started);
    kim.command("/timer off");
    all(&mut class, "-- the timer was stopped --", json!({"type": "timer", "state": "off"}));

    kim.command("/attendance");
    let attendance = kim.next("attendance");
    let people = attendance["people"].as_array().expect("a list");
    assert_eq!((people.len(), &attendance["count"]), (PUPILS, &json!(PUPILS)));
    for person in people {
        assert_eq!((&person["here"], &person["polls"]), (&json!(true), &json!(1)), "{person}");
        let at: usize = person["user"].as_str().expect("a name")[1..].parse().expect("a number");
        assert_eq!(person["hands"], u64::from(at < 4), "{person}");
        assert_eq!(person["lines"], u64::from((4..8).contains(&at) || at == 12), "{person}");
    }
    kim.command("/lesson end");
    let ended = json!({"type": "lesson", "state": "ended", "people": 30, "hands": 4, "polls": 1});
    all(&mut class, "people: 30 · hands: 4 · polls: 1 --", ended);
    for pupil in &mut class[..4] {
        pupil.send("/hand");
        pupil.is_refused(&Notice::Lesson(LessonNotice::NoLesson));
    }
    assert!(!server.console().contains(CODE));
}
