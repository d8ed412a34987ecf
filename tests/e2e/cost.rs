//! Messages are charged by their rendered size, so that no cheap request causes an expensive
//! answer.

use std::time::{Duration, Instant};

use madang_protocol::{limits::RENDERED_BYTES, notice::Notice};
use madang_server::admission::rate_limit::RateLimit;
use madang_tests::{DEADLINE, NEVER, TestClient, TestServer, told};
use serde_json::json;

use crate::metrics::{samples, tell};

/// A name of 96 bytes and 4 columns, the longest in bytes.
fn longest_name() -> String {
    format!("\u{10330}{}", "\u{1E8D0}".repeat(4)).repeat(4) + "\u{10330}\u{1E8D0}\u{1E8D0}\u{1E8D0}"
}

#[test]
fn a_message_that_costs_its_readers_too_much_is_refused_on_every_door() {
    let server = TestServer::start(|_| {});
    let mut ear = server.login("ear");
    let name = longest_name();
    assert_eq!(name.len(), 96);
    let mut text = server.login_websocket(&name);
    let mut client = server.login_json("json");
    ear.expect("[json]님이 입장했습니다.\n");
    text.expect("[json]님이 입장했습니다.");
    let many = format!("a{}b", "\n".repeat(16_300));
    let costly = "a\n".repeat(499) + "b";
    for command in ["", "/me ", "/msg ear "] {
        for message in [&many, &costly] {
            text.send(&format!("{command}{message}"));
            let words = text.expect_message();
            assert!(words.contains("500줄까지") || words.contains("짧은 줄이"), "{words}");
        }
    }
    for message in [&many, &costly] {
        client.send_json(json!({"type": "say", "text": message, "nonce": "1"}));
        client.expect_error("message_too_long", Some("1"));
        client
            .send_json(json!({"type": "command", "line": format!("/me {message}"), "nonce": "2"}));
        client.expect_error("message_too_long", Some("2"));
    }
    // Nobody else was told.
    client.send_json(json!({"type": "say", "text": "after"}));
    ear.expect_next("[json] after\n");
}

#[test]
fn a_message_costs_a_member_at_most_2_kib_and_20_times_its_bytes() {
    let server = TestServer::start(|_| {});
    let name = longest_name();
    let mut ear = server.login("ear");
    let mut speaker = server.login_websocket(&name);
    ear.expect_joined(&name);
    for line in ["", "a", "0123456789", &"x".repeat(30)] {
        for lines in [1, 20, 100, 499] {
            let message = format!("{line}\n").repeat(lines) + "end";
            speaker.send(&message).send("(next)");
            let (mut bytes, mut last) = (0, String::new());
            while !last.ends_with("] (next)") {
                bytes += last.len();
                last = ear.expect_line();
            }
            let most = (2_048 + 20 * message.len()).min(RENDERED_BYTES);
            assert!(bytes <= most, "{bytes} bytes for {lines} times {line:?}");
        }
    }
}

#[test]
fn a_newcomer_is_shown_at_most_64_kib() {
    let server = TestServer::start(|_| {});
    let mut speaker = server.login_websocket(&longest_name());
    for _ in 0..20 {
        speaker.send(&("x".repeat(100) + "\n").repeat(150));
    }
    speaker.send("last").expect(&format!("[{}] last", longest_name()));
    let mut late = server.connect();
    late.send("late\n");
    let text = late.expect("[late]님이 입장했습니다.\n");
    assert!(text.contains("] last\n"), "{}", &text[text.len() - 200..]);
    assert!((10_000..=64 * 1_024).contains(&text.len()), "{} bytes", text.len());

    let mut client = server.login_json("client");
    client.send_json(json!({"type": "history", "nonce": "h"}));
    let mut bytes = 0;
    loop {
        let message = client.expect_json();
        if message["type"] == "history" {
            bytes += message.to_string().len();
        }
        if message["type"] == "history" && message["nonce"] == "h" && message["more"] == false {
            break;
        }
    }
    assert!(bytes <= 2 * 64 * 1_024, "{bytes} bytes shown at the login and after");
}

/// The time until the last thing that `send` says arrives.
#[track_caller]
fn time_until_heard(server: &TestServer, send: impl FnOnce(&mut TestClient)) -> Duration {
    let mut ear = server.login("ear");
    let mut client = server.login_json("speaker");
    let started = Instant::now();
    send(&mut client);
    ear.expect("] last\n");
    started.elapsed()
}

#[test]
fn a_message_of_many_lines_is_owed_for_as_it_is_rendered() {
    let limit = RateLimit { burst_lines: 1_000.0, ..RateLimit::per_second(10) };
    let server = TestServer::start(|config| config.rate_limit = Some(limit));
    let passed = time_until_heard(&server, |client| {
        // About 1,500 bytes each, 32,000 when rendered. The limit is a burst of 64 KiB, then 16
        // KiB a second.
        for _ in 0..3 {
            client.send_json(json!({"type": "say", "text": "ab\n".repeat(499) + "b"}));
        }
        client.send_json(json!({"type": "say", "text": "last"}));
    });
    assert!(passed >= Duration::from_secs(1), "the debt was forgotten: {passed:?}");
}

/// A member who has said a lot, and one who requests all of it again and again without reading:
/// far more than the kernels buffer.
#[track_caller]
fn speaker_and_greedy_asker(server: &TestServer) -> (TestClient, TestClient) {
    let mut speaker = server.login_json("speaker");
    for _ in 0..8 {
        speaker.send_json(json!({"type": "say", "text": ("x".repeat(4_000) + "\n").repeat(4)}));
        speaker.expect_message("said");
    }
    let mut asker = TestClient::connect_with_buffer(server.address(), 4 * 1_024);
    asker.login_json("asker");
    speaker.expect_message("joined");
    asker.send("{\"type\":\"history\"}\n".repeat(1_000));
    (speaker, asker)
}

#[test]
fn a_question_is_taken_when_the_answer_to_the_last_one_has_gone_out() {
    let server = TestServer::start(|config| {
        tell(config);
        config.rate_limit = None;
        config.stall_timeout = NEVER;
    });
    let (mut speaker, _asker) = speaker_and_greedy_asker(&server);
    let deadline = Instant::now() + DEADLINE;
    let (mut lines, mut since) = (0.0, Instant::now());
    while since.elapsed() < Duration::from_millis(300) {
        let samples = samples(&server);
        let high_water = samples["madang_outbox_high_water_bytes"];
        assert!(high_water <= 64.0 * 1_024.0, "{high_water} bytes of answers wait");
        let received = samples["madang_lines_received_total"];
        if samples["madang_drainer_queue"] == 0.0 || received != lines {
            (lines, since) = (received, Instant::now());
        }
        assert!(Instant::now() < deadline, "nothing waits: {samples:#?}");
    }
    assert!(lines < 1_000.0, "it reads on: {lines} lines");
    speaker.send_json(json!({"type": "say", "text": "nobody waits"}));
    speaker.expect_said("speaker", "nobody waits");
}

#[test]
fn while_too_many_answers_wait_in_the_server_questions_are_refused_and_talk_goes_on() {
    let server = TestServer::start(|config| {
        tell(config);
        config.rate_limit = None;
        config.stall_timeout = NEVER;
        config.backlog_bytes = 40_000;
    });
    let (mut speaker, asker) = speaker_and_greedy_asker(&server);
    let deadline = Instant::now() + DEADLINE;
    while samples(&server)["madang_outbox_backlog_bytes"] < 20_000.0 {
        assert!(Instant::now() < deadline, "nothing waits");
    }
    for line in ["/who", "/rooms", "/help", "/history", "/topic", "/whois asker", "/ignore"] {
        speaker.send_json(json!({"type": "command", "line": line, "nonce": line}));
        speaker.expect_error("busy", Some(line));
    }
    speaker.send_json(json!({"type": "command", "line": "/msg asker psst", "nonce": "w"}));
    speaker.expect_error("whisper_refused", Some("w"));
    speaker.send_json(json!({"type": "say", "text": "talk goes on", "nonce": "s"}));
    speaker.expect_message("ack");
    speaker.expect_said("speaker", "talk goes on");
    speaker.send_json(json!({"type": "command", "line": "/ping t"}));
    speaker.expect_message("pong");
    drop(asker);
    loop {
        speaker.send_json(json!({"type": "command", "line": "/who", "nonce": "again"}));
        loop {
            let message = speaker.expect_json();
            match message["type"].as_str() {
                Some("who") => return,
                Some("error") => break,
                _ => {}
            }
        }
        assert!(Instant::now() < deadline, "busy for ever");
    }
}

#[test]
fn answers_are_charged_to_whoever_asks() {
    let server = TestServer::start(|config| config.rate_limit = Some(RateLimit::per_second(100)));
    // 160 KiB a second with bursts of 640 KiB: a hundred answers of 16 KB exceed that.
    let mut speaker = server.login_json("speaker");
    speaker.send_json(json!({"type": "say", "text": ("x".repeat(4_000) + "\n").repeat(4)}));
    speaker.expect_message("said");
    let started = Instant::now();
    for _ in 0..60 {
        speaker.send_json(json!({"type": "history", "limit": 1}));
        speaker.expect_message("history");
    }
    let passed = started.elapsed();
    assert!(passed >= Duration::from_secs(1), "answers were free: {passed:?}");
}

#[test]
fn history_is_charged_to_the_address_even_over_reconnections() {
    let server = TestServer::start(|config| config.rate_limit = Some(RateLimit::per_second(10)));
    let mut speaker = server.login_json("speaker");
    for _ in 0..3 {
        speaker.send_json(json!({"type": "say", "text": ("x".repeat(4_000) + "\n").repeat(4)}));
        speaker.expect_message("said");
    }
    let started = Instant::now();
    for at in 0..4 {
        let mut client = server.connect();
        client.become_json();
        let name = format!("visitor-{at}");
        client.send_json(json!({"type": "login", "name": name, "history": 200}));
        let mut shown = 0;
        loop {
            let message = client.expect_json();
            shown += message.to_string().len();
            if message["type"] == "joined" && message["user"] == *name {
                break;
            }
        }
        assert!(shown > 40_000, "{shown} bytes");
        drop(client);
        server.console_expect_count("연결 끊김", at + 1);
    }
    // 48 KB each, at 16 KiB a second after 64 KiB.
    let passed = started.elapsed();
    assert!(passed >= Duration::from_secs(4), "history was free: {passed:?}");
}

#[test]
fn history_rendered_for_new_members_is_dropped_when_nobody_joins_for_a_while() {
    /// What the lobby remembers before and after a login, and whether the login worked.
    #[track_caller]
    fn check(window: Duration, is_kept: bool) {
        let server = TestServer::start(|config| {
            tell(config);
            config.rate_limit = None;
            config.renderings_window = window;
        });
        let mut speaker = server.login("speaker");
        for at in 0..20 {
            let words = format!("{at} {}", "x".repeat(1_000));
            speaker.send(format!("{words}\n")).expect(format!("[speaker] {words}\n"));
        }
        let remembered = || samples(&server)["madang_history_bytes"];
        let events = remembered();
        let mut late = server.connect();
        late.send("late\n").expect("[late]님이 입장했습니다.\n");
        let deadline = Instant::now() + if is_kept { Duration::from_millis(300) } else { DEADLINE };
        // One joining costs far less than the history that new members are shown.
        while remembered() > events + 10_000.0 {
            if Instant::now() > deadline {
                return assert!(is_kept, "it is kept for ever");
            }
        }
        assert!(!is_kept, "nothing is kept for the next");
    }
    check(Duration::from_millis(100), false);
    check(NEVER, true);
}

#[test]
fn actions_travel_in_one_round_like_messages() {
    let server = TestServer::start(|config| {
        tell(config);
        config.rate_limit = None;
    });
    let mut alice = server.login("alice");
    let rounds = || samples(&server)["madang_round_events_count"];
    let before = rounds();
    let lines: String = (0..15).map(|at| format!("/me does {at}\nand says {at}\n")).collect();
    alice.send(&lines).expect("\n[alice] and says 14\n");
    // It may arrive in pieces.
    assert!(rounds() - before < 5.0, "{} rounds", rounds() - before);
    let mut bob = server.connect();
    let shown = bob.send("bob\n").expect("[bob]님이 입장했습니다.\n");
    let order: Vec<_> = (5..15)
        .flat_map(|at| [format!("* alice does {at}\n"), format!("[alice] and says {at}\n")])
        .map(|line| shown.find(&line).unwrap_or_else(|| panic!("no {line:?} in {shown:?}")))
        .collect();
    assert!(order.is_sorted(), "{shown:?}");
}

#[test]
fn a_list_of_rooms_has_at_most_64_kib() {
    let server = TestServer::start(|config| {
        config.rooms_per_minute = 1_000;
        config.rate_limit = None;
    });
    let mut makers = Vec::new();
    for room in 0..100 {
        let mut maker = server.login_json(&format!("maker{room}"));
        let topic = "\"".repeat(400);
        maker.send_json(json!({"type": "command", "line": format!("/join r{room}")}));
        maker
            .send_json(json!({"type": "command", "line": format!("/topic {topic}"), "nonce": "t"}));
        loop {
            if maker.expect_json()["nonce"] == "t" {
                break;
            }
        }
        makers.push(maker);
    }
    let mut text = server.login("text");
    let before = text.send("/rooms\n/ping end\n").expect("end").len();
    assert!((20_000..=64 * 1_024).contains(&before), "{before} bytes");
    let asker = &mut makers[0];
    asker.send_json(json!({"type": "command", "line": "/rooms", "nonce": "r"}));
    let mut bytes = 0;
    loop {
        let message = asker.expect_json();
        match message["type"].as_str() {
            Some("rooms") => bytes += message.to_string().len(),
            Some("ack") if message["nonce"] == "r" => break,
            _ => {}
        }
    }
    assert!((20_000..=64 * 1_024).contains(&bytes), "{bytes} bytes");
}

#[test]
fn past_what_all_rooms_may_remember_the_longest_silent_forget_first() {
    let server = TestServer::start(|config| {
        tell(config);
        config.rate_limit = None;
        config.history_bytes = 60_000;
    });
    let [mut old, mut new] = ["old", "new"].map(|room| {
        let mut member = server.login_json(&format!("{room}-member"));
        member.send_json(json!({"type": "command", "line": format!("/join {room}")}));
        member.expect_message("entered");
        member.expect_message("joined");
        member
    });
    let say = |member: &mut TestClient, count: usize| {
        for line in 0..count {
            member.send_json(json!({"type": "say", "text": format!("{line} {}", "x".repeat(900))}));
            while member.expect_json()["type"] != "said" {}
        }
    };
    say(&mut old, 40);
    // The newer room fills its history, and the older one forgets.
    say(&mut new, 40);
    let deadline = Instant::now() + DEADLINE;
    while samples(&server)["madang_history_bytes"] > 60_000.0 {
        assert!(Instant::now() < deadline, "too much is remembered");
    }
    let remembered = |member: &mut TestClient| {
        member.send_json(json!({"type": "history", "limit": 200}));
        let mut count = 0;
        loop {
            let message = member.expect_json();
            if message["type"] == "history" {
                count += message["events"].as_array().expect("events").len();
                if message["more"] == false {
                    return count;
                }
            }
        }
    };
    let (of_old, of_new) = (remembered(&mut old), remembered(&mut new));
    assert!(of_old <= 21, "{of_old} events of the silent room");
    assert!(of_new >= 40, "{of_new} events of the other");
}

#[test]
fn a_list_goes_on_after_a_name_in_both_dialects() {
    let server = TestServer::start(|_| {});
    let mut program = server.login_json("program");
    let mut bob = server.login("bob");
    let _carol = server.login("carol");
    bob.expect_joined("carol");
    for line in ["/who after bob", "/who lobby after bob", "/누구 다음 bob"] {
        program.send_json(json!({"type": "command", "line": line, "nonce": line}));
        let mut message = program.expect_json();
        while message["type"] == "joined" {
            message = program.expect_json();
        }
        assert_eq!(message["members"], json!(["carol"]), "{line}: {message}");
        assert_eq!((&message["count"], &message["nonce"]), (&json!(3), &json!(line)));
        assert!(message["after"].is_null() && message["more"] == false, "{message}");
        program.expect_message("ack");
    }
    program.send_json(json!({"type": "command", "line": "/who after nobody", "nonce": "n"}));
    program.expect_error("nobody", Some("n"));
    bob.send("/join math\n").expect("math");
    program.expect_message("left");
    program.send_json(json!({"type": "command", "line": "/who after bob", "nonce": "g"}));
    program.expect_error("not_here", Some("g"));
    // A request that was not carried out gets no ack.
    program.send_json(json!({"type": "command", "line": "/ping t"}));
    program.expect_message("pong");
    bob.send("/who lobby after program\n");
    bob.expect(told(Notice::Who { count: 2, names: &["carol"], quiet: &[], streams: &[] }));
}
