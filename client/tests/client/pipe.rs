//! In a pipe: all lines are delivered in order before the client ends.

use crate::{
    client::Client,
    fake_server::{FakeServer, Peer},
};

/// The next `count` lines that the client says. Each `say` is acked.
#[track_caller]
fn lines_said(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while lines.len() < count {
        lines.extend(peer.expect_say().lines().map(str::to_owned));
    }
    lines
}

#[test]
fn every_line_is_said_as_it_stands_and_confirmed_before_the_end() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("하나\r\n\n  \n//home\n/quit\n\x1b[31mred\x1b[0m\n\x1b[K\nlast");
    client.end_input();
    let mut peer = server.accept_member("bot");
    let lines = lines_said(&mut peer, 5);
    assert_eq!(lines, ["하나", "//home", "/quit", "red", "last"]);
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn the_end_waits_for_the_last_answer() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("hi\n");
    client.end_input();
    let mut peer = server.accept_member("bot");
    let (text, nonce) = peer.say();
    assert_eq!(text, "hi");
    peer.said("bot", "hi");
    client.expect("[bot] hi\n");
    assert!(!peer.has_more(), "it quits only when all is answered");
    peer.ack(&nonce);
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn commands_are_given_if_that_is_wished() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot", "--commands"]);
    client.write("a\n/who\n//c\n/나가기\nnot said\n");
    let mut peer = server.accept_member("bot");
    assert_eq!(peer.expect_say(), "a");
    peer.expect("{\"type\":\"command\",\"line\":\"/who\",\"nonce\":\"2\"}\n");
    peer.send("{\"type\":\"notice\",\"text\":\"nobody\",\"nonce\":\"2\"}\n");
    peer.ack("2");
    assert_eq!(peer.expect_say(), "/c");
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.ends_with("nobody\n"), "{ended:?}");
}

#[test]
fn a_slow_server_holds_the_input_back_and_lines_travel_together() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    let mut unacked = Vec::new();
    // Up to four messages may be unanswered. Waiting for each one here keeps two lines from
    // sharing a message.
    for number in 1..=4 {
        client.write(format!("{number}\n"));
        let (text, nonce) = peer.say();
        assert_eq!(text, number.to_string());
        unacked.push(nonce);
    }
    client.write("5\n6\n7\n");
    client.end_input();
    peer.said("bot", "1");
    client.expect("[bot] 1\n");
    assert!(!peer.has_more(), "nothing comes before an answer does");
    peer.ack(&unacked[0]);
    assert_eq!(peer.expect_say(), "5\n6\n7");
    for nonce in &unacked[1..] {
        peer.ack(nonce);
    }
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_message_is_never_longer_than_it_may_be() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let line = "x".repeat(1_000);
    let mut peer = server.accept_member("bot");
    client.write(format!("{line}\n").repeat(100));
    client.end_input();
    let mut lines = 0;
    while lines < 100 {
        let text = peer.expect_say();
        assert!(text.len() <= 16 * 1_024, "{} bytes", text.len());
        assert!(text.lines().all(|said| said == line));
        lines += text.lines().count();
    }
    assert_eq!(lines, 100);
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_block_is_one_message() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot", "--block"]);
    client.write("fn main() {\n\n    /quit\n}\n\n");
    client.end_input();
    let mut peer = server.accept_member("bot");
    assert_eq!(peer.expect_say(), "fn main() {\n\n    /quit\n}");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_block_that_is_too_long_is_refused() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot", "--block"]);
    client.write("0123456\n".repeat(2_049));
    client.end_input();
    server.accept_member("bot").expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("16,384") && ended.stderr.contains("16,391"), "{ended:?}");
}

#[test]
fn a_pipe_begins_in_the_room_of_its_address_or_flag() {
    #[track_caller]
    fn check(suffix: &str, args: &[&str], room: &str) {
        let mut server = FakeServer::start();
        server.address = format!("madang://{}{suffix}", server.address);
        let mut client = Client::start(&server, args);
        client.end_input();
        let mut peer = server.accept_json();
        peer.expect_login(&format!("\"room\":\"{room}\",\"history\":0"));
        peer.welcome("guest-1");
        peer.expect_quit();
        assert_eq!(client.ended().code, Some(0));
    }
    check("/수학", &[], "수학");
    let key = "#7zzzz-0abcd-efghj-kmnpq-rstvwx";
    check(&format!("/{key}"), &[], key);
    check(&format!("/{key}입니다"), &[], key);
    check("", &["--room", &format!("http://other:9998/{key} 로 오세요")], key);
    check("/수학", &["--room", "math"], "math");
}

#[test]
fn a_room_that_cannot_be_entered_is_not_blamed_on_the_name() {
    for args in [&["--name", "bot"][..], &["--name", "bot", "--read"]] {
        let server = FakeServer::start();
        let client = Client::start(&server, args);
        let mut peer = server.accept_json();
        peer.expect_login("\"name\":\"bot\",\"history\":0");
        peer.send("{\"type\":\"error\",\"code\":\"no_such_room\",\"text\":\"It is gone.\",");
        peer.send("\"nonce\":\"0\"}\n");
        let ended = client.ended();
        assert_eq!(ended.code, Some(6), "{ended:?}");
        assert!(ended.stderr.contains("room: It is gone."), "{ended:?}");
        assert!(!ended.stderr.contains("--name"), "{ended:?}");
    }
}

#[test]
fn invisible_characters_before_a_slash_do_not_make_a_command_text() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot", "--commands"]);
    for before in ["\u{FEFF}", "\0", " \t", "\u{3000}", "\u{200B}", "\x07", "\x1B"] {
        client.write(format!("{before}/msg bob secret\n"));
    }
    client.write("\u{3164}\u{2800}\n// a comment\n/quit\0\nnot said\n");
    let mut peer = server.accept_member("bot");
    for nonce in 1..=7 {
        let line = "{\"type\":\"command\",\"line\":\"/msg bob secret\"";
        peer.expect(&format!("{line},\"nonce\":\"{nonce}\"}}\n"));
        peer.ack(&nonce.to_string());
    }
    assert_eq!(peer.expect_say(), "// a comment");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn lines_that_cannot_be_sent_are_named_and_fail_it() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut input = "x".repeat(4_097).into_bytes();
    input.extend_from_slice(b"\n\xb0\xa1\n");
    client.write(input);
    let mut peer = server.accept_member("bot");
    client.write("good\n");
    assert_eq!(peer.expect_say(), "good");
    client.write("bad\n");
    let (text, nonce) = peer.say();
    assert_eq!(text, "bad");
    peer.send(&format!(
        "{{\"type\":\"error\",\"code\":\"x\",\"text\":\"No.\",\"nonce\":\"{nonce}\"}}\n"
    ));
    client.end_input();
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let stderr: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(stderr.len(), 4, "{ended:?}");
    assert!(stderr[0].starts_with("madang: line 1: ") && stderr[0].contains("4,097"), "{ended:?}");
    assert!(stderr[1].starts_with("madang: line 2: ") && stderr[1].contains("UTF-8"), "{ended:?}");
    assert_eq!(stderr[2..], ["madang: line 4: No.", "madang: 3 lines were not delivered"]);
}

#[test]
fn powershell_pipes_are_read_as_utf8_and_refused_as_utf16() {
    let text = "안녕 hello\r\n두 번째 줄\r\n";
    for mark in ["", "\u{FEFF}"] {
        let text = format!("{mark}{text}");
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let server = FakeServer::start();
            let mut client = Client::start(&server, &["--name", "bot"]);
            client.write(text.encode_utf16().flat_map(order).collect::<Vec<u8>>());
            client.end_input();
            server.accept_member("bot").expect_quit();
            let ended = client.ended();
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.stderr.starts_with("madang: line 1: "), "{ended:?}");
            assert!(ended.stderr.contains("UTF-16"), "{ended:?}");
        }
        let server = FakeServer::start();
        let mut client = Client::start(&server, &["--name", "bot"]);
        client.write(&text);
        client.end_input();
        let mut peer = server.accept_member("bot");
        assert_eq!(lines_said(&mut peer, 2), ["안녕 hello", "두 번째 줄"]);
        peer.expect_quit();
        assert_eq!(client.ended().code, Some(0));
    }
}

#[test]
fn a_refused_name_ends_it_with_its_own_code() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("hi\n");
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"bot\"");
    peer.send(
        "{\"type\":\"error\",\"code\":\"name_taken\",\"text\":\"In use.\",\"nonce\":\"0\"}\n",
    );
    peer.expect_quit();
    let ended = client.ended();
    let stderr = "madang: the name was refused: In use. Use another with --name\n";
    assert_eq!((ended.code, &*ended.stderr), (Some(4), stderr));
}

#[test]
fn without_a_name_a_guest_name_is_asked_for() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &[]);
    client.end_input();
    let mut peer = server.accept_json();
    assert!(!peer.expect_login("").contains("name"));
    peer.welcome("guest-1");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn lines_are_delivered_even_if_nobody_reads_the_output() {
    let server = FakeServer::start();
    let mut client = Client::start_unread(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    peer.said("alice", "hello");
    client.write("hi\n");
    client.end_input();
    let (_, nonce) = peer.say();
    peer.said("bot", "hi");
    peer.ack(&nonce);
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn a_server_that_goes_away_leaves_lines_unconfirmed() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    client.write("1\n");
    peer.expect_say();
    client.write("2\n3\n");
    let (text, _) = peer.say();
    let last = 1 + text.lines().count();
    if last == 2 {
        peer.say();
    }
    peer.send("{\"type\":\"bye\",\"reason\":\"shutdown\"}\n");
    peer.close();
    let ended = client.ended();
    assert_eq!(ended.code, Some(5));
    let stderr = "madang: lines 2 to 3 were sent but not all confirmed\n\
                  madang: the server closed the connection: The server is shutting down.\n";
    assert_eq!(ended.stderr, stderr);
}

#[test]
fn unconfirmed_lines_are_sent_again_under_the_same_nonce() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    client.write("1\n");
    let first = peer.say();
    peer.said("bot", "1");
    drop(peer);
    client.write("2\n");
    client.end_input();
    let mut peer = server.accept_json();
    let login = "\"room\":\"lobby\",\"session\":\"t\",\"last\":2,\"last_private\":0";
    assert!(!peer.expect_login(login).contains("name"));
    peer.resume("bot", 2);
    assert_eq!(peer.say(), first);
    let second = peer.say();
    assert_eq!(second.0, "2");
    assert_ne!(second.1, first.1);
    peer.ack(&first.1);
    peer.ack(&second.1);
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("reconnecting"), "{ended:?}");
}

#[test]
fn a_session_that_is_over_confirms_nothing_any_more() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    client.write("1\n");
    peer.say();
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.send(
        "{\"type\":\"error\",\"code\":\"session_unknown\",\"text\":\"No.\",\"nonce\":\"0\"}\n",
    );
    let ended = client.ended();
    assert_eq!(ended.code, Some(5));
    assert!(
        ended.stderr.contains("line 1 was sent but not confirmed")
            && ended.stderr.contains("too long"),
        "{ended:?}"
    );
}

#[test]
fn a_silent_server_is_not_waited_for_for_ever() {
    let server = FakeServer::start();
    let mut client =
        Client::start(&server, &["--name", "bot", "--no-reconnect", "--answer-timeout", "5"]);
    let mut peer = server.accept_member("bot");
    client.write("hello?\n");
    peer.say();
    let ended = client.ended();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("has not answered for too long"), "{ended:?}");
}

#[test]
fn lines_that_double_in_json_travel_together_up_to_the_longest_message() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    // Lines that wait for the answer to the first share one message.
    client.write("first\n");
    let (_, first) = peer.say();
    let line = "\"".repeat(4_095);
    client.write([&*line; 6].join("\n") + "\n");
    client.end_input();
    peer.ack(&first);
    let mut heard = Vec::new();
    while heard.len() < 6 {
        let text = peer.expect_say();
        assert!(text.len() <= 16_384, "{} bytes", text.len());
        heard.extend(text.lines().map(str::to_owned));
    }
    assert_eq!(heard, [&*line; 6]);
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn lines_that_a_failing_disk_did_not_save_are_listed_with_exit_code_7() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    for (line, durable) in [("1", true), ("2", false), ("3", false), ("4", true), ("5", false)] {
        client.write(format!("{line}\n"));
        let (text, nonce) = peer.say();
        assert_eq!(text, line);
        let durable = if durable { "" } else { ",\"durable\":false" };
        peer.send(&format!("{{\"type\":\"ack\",\"nonce\":\"{nonce}\"{durable}}}\n"));
    }
    client.end_input();
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(7));
    assert_eq!(
        ended.stderr,
        "madang: lines 2 to 3 were delivered, but the server could not save them\n\
         madang: line 5 was delivered, but the server could not save it\n\
         madang: 3 lines were delivered, but the server could not save them\n"
    );
}
