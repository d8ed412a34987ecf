//! Plays the transcripts of the specification against a server: text after `→` is sent, and text
//! after `←` must come back word for word. Those in JSON contain the ids and times of their day,
//! so `protocol/tests/readme.rs` parses them instead. Also plays a newcomer's first minutes with
//! `nc` and a new program's, where `…` stands for text that differs each time.

use madang_protocol::text::Lang;
use madang_tests::{TestClient, TestServer, WebSocketClient, is_like};

const WIRE: &str = include_str!("../../protocol/README.md");

/// A newcomer's first minutes, with another member in the lobby.
const FIRST_MINUTES: [(Lang, &str, &str); 2] = [
    (Lang::En, "bob", include_str!("first_minutes/english.txt")),
    (Lang::Ko, "철수", include_str!("first_minutes/korean.txt")),
];

/// The transcripts of lines.
fn transcripts() -> Vec<&'static str> {
    let blocks = WIRE.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains("← ") && !block.contains(" {\"")).collect()
}

/// A line without its arrow and the remark at its end.
fn text_of(line: &str) -> &str {
    line[line.find(' ').expect("an arrow and a blank") + 1..].split("   ").next().unwrap_or(line)
}

/// A line without its arrow, in a transcript without remarks.
fn whole_text_of(line: &str) -> &str {
    line.split_once(' ').expect("an arrow and a blank").1
}

/// The bytes that a line of a transcript stands for: `⏎` is a line end, and telnet's commands are
/// written by name (RFC 854).
fn bytes_of(text: &str, line_end: &str) -> Vec<u8> {
    let code = |name: &str| match name {
        "IAC" => 255,
        "WILL" => 251,
        "DONT" => 254,
        "ECHO" => 1,
        _ => panic!("{name} is no telnet command"),
    };
    let (telnet, text) = match text.strip_prefix("IAC ") {
        Some(_) => text.split_once(", ").unwrap_or((text, "")),
        None => ("", text),
    };
    let mut bytes: Vec<u8> = telnet.split_whitespace().map(code).collect();
    bytes.extend(text.replace('⏎', line_end).into_bytes());
    bytes
}

#[track_caller]
fn play_over_tcp(server: &TestServer, transcript: &str, text_of: fn(&str) -> &str) {
    play_with(server, transcript, text_of, "\n");
}

/// Plays a transcript whose sender ends lines with `enter`.
#[track_caller]
fn play_with(server: &TestServer, transcript: &str, text_of: fn(&str) -> &str, enter: &str) {
    let mut client: TestClient = server.connect();
    if !transcript.starts_with("← Madang/1") {
        client.expect("Login ID:");
    }
    let ends_lines_with = if transcript.contains("IAC") { "\r\n" } else { "\n" };
    for line in transcript.lines() {
        match line.chars().next() {
            Some('→') => {
                client.send(bytes_of(text_of(line), enter));
            }
            Some('←') if line.contains('…') => expect_like(&mut client, text_of(line)),
            Some('←') => {
                client.expect_next(bytes_of(text_of(line), ends_lines_with));
            }
            _ => {
                assert_eq!(line.trim(), "the server closes the connection");
                client.expect_closed();
            }
        }
    }
}

/// Expects a line like this one.
#[track_caller]
fn expect_like(client: &mut TestClient, expected: &str) {
    let line = client.expect_line();
    assert!(is_like(&line, expected.trim_end_matches('⏎')), "{line:?} is not like {expected:?}");
}

#[track_caller]
fn play_over_websocket(server: &TestServer, transcript: &str) {
    let (head, talk) = transcript.split_once("\n← Madang/1").expect("the greeting comes");
    assert!(head.contains("→ Upgrade: websocket"), "{head}");
    let mut client = WebSocketClient::open(server.web_address(), "/", &[]);
    for line in format!("← Madang/1{talk}").lines() {
        let text = text_of(line).replace('⏎', "\n");
        if line.starts_with('→') {
            client.send(&text);
        } else if let Some(close) = text.strip_prefix("Close ") {
            let code = close.split(' ').next().and_then(|code| code.parse().ok());
            assert_eq!(client.expect_close(), code);
        } else {
            client.expect_next(&text);
        }
    }
}

#[test]
fn every_transcript_of_lines_is_what_is_said() {
    let transcripts = transcripts();
    assert!(transcripts.len() >= 4, "{transcripts:#?}");
    for transcript in transcripts {
        let server = TestServer::start(|config| config.lang = Lang::En);
        if transcript.contains("HTTP/1.1") {
            play_over_websocket(&server, transcript);
        } else {
            play_over_tcp(&server, transcript, text_of);
        }
    }
}

#[test]
fn the_first_minutes_of_a_newcomer_are_as_written_down() {
    for (lang, other, transcript) in FIRST_MINUTES {
        // First nc, then telnet, which ends lines with CR LF.
        for enter in ["\n", "\r\n"] {
            let server = TestServer::start(|config| config.lang = lang);
            let _other = server.login(other);
            play_with(&server, transcript, whole_text_of, enter);
        }
    }
}

#[test]
fn the_first_minutes_of_a_program_are_as_written_down() {
    let server = TestServer::start(|config| config.lang = Lang::En);
    let _bob = server.login("bob");
    play_over_tcp(&server, include_str!("first_minutes/json.txt"), whole_text_of);
}
