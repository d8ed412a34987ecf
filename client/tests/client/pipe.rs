//! stdin is no terminal: lines are delivered before the end, all and in order.

use crate::{client::Client, fake_server::FakeServer};

#[test]
fn the_end_waits_for_every_line_to_be_confirmed() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("하나\r\n\n  \n//home\n/who\nlast");
    client.end_input();
    let mut peer = server.accept_member("bot");
    peer.expect("{\"type\":\"say\",\"text\":\"하나\",\"nonce\":\"1\"}\n");
    peer.expect("{\"type\":\"say\",\"text\":\"/home\",\"nonce\":\"4\"}\n");
    peer.expect("{\"type\":\"command\",\"line\":\"/who\",\"nonce\":\"5\"}\n");
    peer.expect("{\"type\":\"say\",\"text\":\"last\",\"nonce\":\"6\"}\n");
    for answer in [
        "{\"type\":\"ack\",\"nonce\":\"1\",\"id\":2}\n{\"type\":\"ack\",\"nonce\":\"4\"}\n",
        "{\"type\":\"notice\",\"text\":\"nobody\",\"nonce\":\"5\"}\n",
        "{\"type\":\"ack\",\"nonce\":\"6\",\"id\":4}\n",
    ] {
        peer.send(answer);
    }
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "nobody\n", ""));
}

#[test]
fn a_slow_server_holds_the_input_back() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let lines: String = (1..=100).map(|number| format!("{number}\n")).collect();
    client.write(lines);
    client.end_input();
    let mut peer = server.accept_member("bot");
    let say = |number| format!("{{\"type\":\"say\",\"text\":\"{number}\",\"nonce\":\"{number}\"}}");
    for number in 1..=32 {
        assert_eq!(peer.line(), say(number));
    }
    for number in 33..=100 {
        assert!(!peer.has_more(), "nothing comes before an answer does");
        peer.send(&format!("{{\"type\":\"ack\",\"nonce\":\"{}\"}}\n", number - 32));
        assert_eq!(peer.line(), say(number));
    }
    for number in 69..=100 {
        peer.send(&format!("{{\"type\":\"ack\",\"nonce\":\"{number}\"}}\n"));
    }
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn lines_that_cannot_be_sent_are_named_and_fail_it() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut input = "x".repeat(4_097).into_bytes();
    input.extend_from_slice(b"\n\xb0\xa1\ngood\nbad\n");
    client.write(input);
    client.end_input();
    let mut peer = server.accept_member("bot");
    peer.expect("{\"type\":\"say\",\"text\":\"good\",\"nonce\":\"3\"}\n");
    peer.expect("{\"type\":\"say\",\"text\":\"bad\",\"nonce\":\"4\"}\n");
    peer.send("{\"type\":\"error\",\"code\":\"x\",\"text\":\"No.\",\"nonce\":\"4\"}\n");
    peer.send("{\"type\":\"ack\",\"nonce\":\"3\",\"id\":2}\n");
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let stderr: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(stderr.len(), 4, "{ended:?}");
    assert!(stderr[0].starts_with("madang: line 1: ") && stderr[0].contains("4097"), "{ended:?}");
    assert!(stderr[1].starts_with("madang: line 2: ") && stderr[1].contains("UTF-8"), "{ended:?}");
    assert_eq!(stderr[2..], ["madang: line 4: No.", "madang: 3 lines were not delivered"]);
}

#[test]
fn a_refused_name_ends_it_with_its_own_code() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("hi\n");
    let mut peer = server.accept_json();
    peer.expect("{\"type\":\"login\",\"name\":\"bot\",\"nonce\":\"0\"}\n");
    peer.send(
        "{\"type\":\"error\",\"code\":\"name_taken\",\"text\":\"In use.\",\"nonce\":\"0\"}\n",
    );
    peer.expect_quit();
    let ended = client.ended();
    let stderr = "madang: the name was refused: In use. Give another with --name\n";
    assert_eq!((ended.code, &*ended.stderr), (Some(4), stderr));
}

#[test]
fn without_a_name_a_guest_name_is_asked_for() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &[]);
    client.end_input();
    let mut peer = server.accept_json();
    peer.expect("{\"type\":\"login\",\"nonce\":\"0\"}\n");
    peer.welcome("guest-1");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn quit_in_the_input_ends_it() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("/나가기\nnot said\n");
    server.accept_member("bot").expect_quit();
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
    peer.expect("{\"type\":\"say\",\"text\":\"hi\",\"nonce\":\"1\"}\n");
    peer.said("bot", "hi");
    peer.send("{\"type\":\"ack\",\"nonce\":\"1\",\"id\":2}\n");
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn a_server_that_goes_away_leaves_lines_unconfirmed() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("1\n2\n3\n");
    client.end_input();
    let mut peer = server.accept_member("bot");
    for _ in 0..3 {
        peer.line();
    }
    peer.send("{\"type\":\"ack\",\"nonce\":\"1\",\"id\":2}\n");
    peer.send("{\"type\":\"bye\",\"reason\":\"shutdown\"}\n");
    peer.close();
    let ended = client.ended();
    assert_eq!(ended.code, Some(5));
    let stderr = "madang: lines 2 to 3 were sent but not all confirmed\n\
                  madang: the server ended the connection: The server is shutting down.\n";
    assert_eq!(ended.stderr, stderr);
}
