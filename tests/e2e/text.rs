//! What may be said, and what is shown of it: valid UTF-8, however the bytes are split, and
//! nothing that a terminal would obey.

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_tests::{TestClient, TestServer};
use serde_json::json;

const NOT_UTF8: &str = "UTF-8이 아닙니다 / not UTF-8 (Windows: chcp 65001)\n";

#[test]
fn characters_cut_between_reads_stay_whole() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let text = "안녕 👍🏽 é".as_bytes();
    for cut in 1..text.len() {
        alice.send(&text[..cut]).wait_until_read();
        alice.send(&text[cut..]).send("\n").expect_next("[alice] 안녕 👍🏽 é\n");
    }
}

#[test]
fn only_the_sender_is_told_that_a_line_is_not_utf8() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut bob = server.login("bob");
    alice.expect("[bob]님이 입장했습니다.\n");
    let broken: [&[u8]; 7] = [
        b"\xbe\xc8\xb3\xe7\xc7\xcf\xbc\xbc\xbf\xe4", // 안녕하세요 in CP949
        b"\x80",
        b"abc\xc3\x28",
        b"\xc0\xaf",         // an overlong slash
        b"\xed\xa0\x80",     // a surrogate
        b"\xf4\x90\x80\x80", // beyond U+10FFFF
        "안".as_bytes().split_last().expect("three bytes").1,
    ];
    for line in broken {
        alice.send([line, b"\n"].concat()).expect_next(NOT_UTF8);
    }
    // With CR LF, and between valid lines.
    alice.send(b"one\n\xb0\xa1\r\ntwo\n");
    alice.expect(NOT_UTF8);
    alice.expect("[alice] two\n");
    bob.expect_next("[alice] one\n[alice] two\n");
}

#[test]
fn a_name_that_is_not_utf8_is_refused_and_asked_again() {
    let server = TestServer::start(|_| {});
    let mut client = server.connect();
    client.expect("로그인ID:");
    client.send(b"\xc8\xab\xb1\xe6\xb5\xbf\r\n").expect_next(format!("{NOT_UTF8}로그인ID:"));
    client.send("홍길동\r\n").expect_next("[홍길동]님이 입장했습니다.\n");
}

#[test]
fn messages_are_shown_in_composed_form() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("\u{1112}\u{1161}\u{11ab} e\u{301}\n").expect_next("[alice] 한 é\n");
}

#[test]
fn nothing_that_a_terminal_would_obey_reaches_anyone() {
    let server = TestServer::start(|_| {});
    let mut speaker = server.login("speaker");
    let mut json_speaker = server.login_json("json-speaker");
    let mut listener = server.login("listener");
    let mut json_listener = server.login_json("json-listener");
    for client in [&mut speaker, &mut listener] {
        client.expect("[json-listener]님이 입장했습니다.\n");
    }
    json_speaker.expect_message("joined");
    json_speaker.expect_message("joined");

    let mut check = |said: &str, shown: &str| {
        speaker.send(format!("{said}\n"));
        speaker.expect_next(format!("[speaker] {shown}\n"));
        listener.expect_next(format!("[speaker] {shown}\n"));
        json_listener.expect_said("speaker", shown);
        json_speaker.expect_said("speaker", shown);

        json_speaker.send_json(json!({"type": "say", "text": said}));
        speaker.expect_next(format!("[json-speaker] {shown}\n"));
        listener.expect_next(format!("[json-speaker] {shown}\n"));
        json_listener.expect_said("json-speaker", shown);
        json_speaker.expect_said("json-speaker", shown);
    };
    check("\u{1b}[31mred\u{1b}[0m", "red");
    check("\u{1b}]0;title\u{7}x", "x");
    check("\u{1b}]8;;http://a\u{1b}\\link", "link");
    check("\u{1b}Pq#0\u{1b}\\x", "x");
    check("\u{9b}2Jclear", "clear");
    check("\u{9d}0;title\u{9c}x", "x");
    check("be\u{7}ll\u{0}s\u{7f}", "bells");
    check("a\u{b}b\u{c}c\u{85}d", "abcd");
    check("a\u{2028}[bob] b\u{2029}c", "a[bob] bc");
    check("user\u{202e}gnp.exe\u{202c}", "usergnp.exe");
    check("\u{2066}a\u{2067}b\u{2068}c\u{2069}d", "abcd");
    check("tab\tkept", "tab\tkept");
    check("x\u{1b}", "x");
    check(&format!("z{}", "\u{300}".repeat(50)), &format!("z{}", "\u{300}".repeat(8)));
    check("👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}", "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}");
    check_console(&server);
}

#[test]
fn nothing_is_left_of_a_line_of_controls_and_nothing_is_said() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("\u{1b}[2J\u{202e}\u{7}\nend\n").expect_next("[alice] end\n");
}

#[test]
fn names_and_commands_bring_nothing_to_a_terminal_either() {
    let server = TestServer::start(|config| config.login_tries = 100);
    let mut client = server.connect();
    client.expect("로그인ID:");
    let wrong = [
        "\u{1b}[31mred",
        "a\u{9b}b",
        "a\u{202e}b",
        "a\u{2028}b",
        "a\u{7}b",
        "a\rb",
        "/\u{1b}[31m",
        "/\u{202e}qiut",
    ];
    for name in wrong {
        client.send(format!("{name}\n"));
        assert_clean(&mut client, "로그인ID:");
    }
    client.send("alice\n").expect_next("[alice]");
    client.send("/\u{1b}]0;x\u{7}who\n/who\n");
    assert_clean(&mut client, "alice\n");
    check_console(&server);
}

#[track_caller]
fn assert_clean(client: &mut TestClient, end: &str) {
    let answer = client.expect(end);
    let unwanted = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!answer.contains(unwanted), "{answer:?}");
}

/// Expects only printable lines, in the forms that the server writes.
#[track_caller]
fn check_console(server: &TestServer) {
    for line in server.console().lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.starts_with("[127.0.0.1] ") || line.starts_with("+++ "), "{line:?}");
    }
}

/// The longest text that may be said, and one that is too long, with its answer.
fn limits() -> Vec<(String, Option<Notice<'static>>)> {
    let line = |bytes| "x".repeat(bytes);
    let lines = |count| vec![line(20); count].join("\n");
    let short = |count| vec!["x"; count].join("\n");
    let message = |last| [line(4_096), line(4_096), line(4_096), line(last)].join("\n");
    vec![
        (line(4_096), None),
        (line(4_097), Some(Notice::LineTooLong { bytes: 4_097 })),
        (message(4_093), None),
        (message(4_094), Some(Notice::MessageTooLong { bytes: 16_385 })),
        (lines(500), None),
        (lines(501), Some(Notice::TooManyLines { lines: 501 })),
        (short(84), None),
        (short(85), Some(Notice::RenderedTooLong { bytes: 5_440, limit: 5_428 })),
    ]
}

#[test]
fn every_limit_has_its_answer_at_every_door_and_nothing_good_is_lost() {
    let server = TestServer::start(|_| {});
    let mut watcher = server.login_json("w");
    let mut lines = server.login("a");
    let mut json = server.login_json("b");
    let mut web = server.login_websocket("c");
    let mut web_json = server.login_websocket_json("d");
    for name in ["a", "b", "c", "d"] {
        assert_eq!(watcher.expect_message("joined")["user"], name);
    }
    for (text, refusal) in limits() {
        let answer = refusal.map(|notice| notice.text(Lang::Ko));
        let mut check = |user: &str| {
            watcher.expect_said(user, "before");
            if answer.is_none() {
                watcher.expect_said(user, &text);
            }
            watcher.expect_said(user, "after");
        };
        let say = |text: &str| json!({"type": "say", "text": text});
        if !text.contains('\n') {
            lines.send(format!("before\n{text}\nafter\n"));
            check("a");
            answer.iter().for_each(|answer| _ = lines.expect(answer));
        }
        for text in ["before", &text, "after"] {
            json.send_json(say(text));
        }
        check("b");
        for text in ["before", &text, "after"] {
            web.send(text);
        }
        check("c");
        for text in ["before", &text, "after"] {
            web_json.send_json(&say(text));
        }
        check("d");
        if let Some(answer) = &answer {
            while json.expect_json()["text"] != **answer {}
            web.expect(answer);
            while !web_json.expect_message().contains(answer) {}
        }
    }
    // A carrier that is too long closes the connection, after the lines before it were handled.
    lines.send(format!("before\n{}", "x".repeat(65_537)));
    watcher.expect_said("a", "before");
    lines.expect(Notice::Goodbye(Goodbye::EndlessLine).text(Lang::Ko));
    web.send("before").send(&"x".repeat(65_537));
    watcher.expect_message("left");
    watcher.expect_said("c", "before");
    while web.peek_is_message() {
        web.expect_message();
    }
    assert_eq!(web.expect_close(), Some(1009));
}
