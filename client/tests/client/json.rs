//! The conversation with a Madang server.

use std::time::Duration;

use madang_protocol::{notice::Notice, text::Lang};

#[cfg(unix)]
use crate::terminal::Terminal;
use crate::{client::Client, fake_server::FakeServer};

#[test]
fn json_events_are_shown_in_the_clients_own_language() {
    #[track_caller]
    fn check(lang: &str, joined: &str, skipped: &str, who: &str) {
        let server = FakeServer::start();
        let mut client = Client::start(&server, &["--lang", lang, "--name", "앨리스"]);
        let mut peer = server.accept();
        peer.send("Madang/1 0.1.0\n로그인ID:");
        peer.expect(&format!("/lang {lang}\n/json\n"));
        peer.send("words in between\n{\"type\":\"hello\",\"server\":\"madang\",");
        peer.send("\"version\":\"9\",\"protocol\":1,\"limits\":{\"line_bytes\":1,");
        peer.send("\"message_bytes\":1,\"carrier_bytes\":1,\"name_columns\":1}}\n");
        peer.expect_login("\"name\":\"앨리스\",\"history\":0");
        peer.welcome("앨리스");
        peer.event("joined", "\"user\":\"bob\"");
        peer.send("{\"type\":\"firework\"}\nnot JSON\n");
        peer.send("{\"type\":\"gap\",\"room\":\"lobby\",\"from\":50,\"to\":86}\n");
        peer.send("{\"type\":\"who\",\"room\":\"lobby\",\"count\":1,\"members\":[\"b\"],");
        peer.send("\"more\":false}\n{\"type\":\"notice\",\"text\":\"one\\ntwo\"}\n");
        peer.said("bob", "안녕\\n또");
        client.expect("[bob] 또\n");
        client.end_input();
        peer.expect_quit();
        let ended = client.ended();
        let expected = format!("{joined}\n{skipped}\n{who}\none\ntwo\n[bob] 안녕\n[bob] 또\n");
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &*expected, ""));
    }
    for (lang, flag, joined) in
        [(Lang::Ko, "ko", "[bob]님이 입장했습니다."), (Lang::En, "en", "[bob] joined.")]
    {
        let skipped = Notice::Skipped { lines: 37 }.text(lang);
        let who = Notice::Who { count: 1, names: &["b"], quiet: &[], streams: &[] }.text(lang);
        check(flag, joined, &skipped, &who);
    }
}

#[test]
fn a_greeting_may_come_byte_by_byte() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &[]);
    let mut peer = server.accept();
    for byte in b"Madang/" {
        peer.send_bytes(&[*byte]);
    }
    peer.expect("/lang en\n/json\n");
    client.end_input();
}

#[test]
fn a_greeting_may_be_late() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept();
    // The client neither takes the server for another kind nor speaks first.
    peer.expect_silence(Duration::from_millis(1_500));
    peer.send("Madang/1 0.1.0\n로그인ID:");
    peer.expect("/lang en\n/json\n");
    client.end_input();
}

#[test]
fn nothing_that_a_server_sends_reaches_the_terminal_raw() {
    let server = FakeServer::start();
    let client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    let evil = r"\u001b[2J\u001b]0;title\u0007\u009b31m\u202ered\r\u0000";
    peer.said(&format!("a{evil}"), evil);
    peer.send(&format!("{{\"type\":\"notice\",\"text\":\"{evil}\"}}\n"));
    peer.send(&format!("{{\"type\":\"error\",\"code\":\"x\",\"text\":\"{evil}\"}}\n"));
    peer.send(&format!("{{\"type\":\"bye\",\"reason\":\"{evil}\"}}\n"));
    let ended = client.ended();
    assert_eq!(ended.stdout, "[ared] red\nred\n");
    assert_eq!(ended.stderr, "madang: red\nmadang: the server closed the connection: red\n");
}

const TOO_LONG: &str = "madang: the server sent a line of more than 64 KiB; disconnected";

/// A line of `bytes` bytes, including its line end, that ends with `last`.
fn line_of(bytes: usize, last: &str) -> String {
    let [head, tail] = ["{\"type\":\"notice\",\"x\":\"", "\",\"text\":\"LAST\"}\n"];
    let tail = tail.replace("LAST", last);
    format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
}

#[test]
fn a_line_of_64_kib_is_read_and_a_longer_one_ends_a_pipe() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    for bytes in [64 * 1_024 - 1, 64 * 1_024] {
        peer.send(&line_of(bytes, "read"));
        client.expect("read\n");
    }
    peer.send(&line_of(64 * 1_024 + 1, "never read"));
    let ended = client.ended();
    assert_eq!(ended.code, Some(5));
    assert!(ended.stderr.contains(TOO_LONG) && !ended.stdout.contains("never"), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn a_line_of_64_kib_is_shown_and_a_longer_one_ends_an_interactive_session() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "me"]);
    let mut peer = server.accept_member("me");
    terminal.expect_row("[lobby 1]");
    for bytes in [64 * 1_024 - 1, 64 * 1_024] {
        peer.send(&line_of(bytes, &format!("read {bytes}")));
        terminal.expect_row(&format!("read {bytes}"));
    }
    terminal.type_text("half a line");
    terminal.expect_last(&["[lobby 1] half a line"]);
    // Requests that would bring the same answer are not repeated.
    peer.send(&line_of(64 * 1_024 + 1, "never read"));
    assert_eq!(terminal.ended(), 5);
    terminal.expect_row(TOO_LONG);
    assert!(!server.is_asked_again(), "it has come back");
}
