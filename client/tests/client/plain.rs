//! The conversation with a line server that does not know JSON.

use crate::{client::Client, fake_server::FakeServer};

#[test]
fn a_name_answers_the_prompt_and_lines_wait_for_each_other() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("하나\n\n둘");
    client.end_input();
    let mut peer = server.accept();
    peer.send("로그인ID:");
    peer.expect("bot\n");
    peer.send("[bot]님이 입장했습니다.");
    peer.expect("하나\n");
    peer.send("[bot] 하나\n");
    peer.expect("둘\n");
    peer.send("[bot] 둘\n");
    peer.expect_end();
    peer.send("[bot]님이 퇴장했습니다.\n");
    peer.close();
    let ended = client.ended();
    let stdout = "로그인ID:[bot]님이 입장했습니다.[bot] 하나\n[bot] 둘\n[bot]님이 퇴장했습니다.\n";
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), stdout, ""));
}

#[test]
fn no_json_goes_to_a_server_that_greets_otherwise() {
    for greeting in ["Madan", "Madame, Monsieur:", "HTTP/1.1 400\r\n\r\nname:", "\u{0}\u{1}:"] {
        let server = FakeServer::start();
        let mut client = Client::start(&server, &["--name", "bot"]);
        let mut peer = server.accept();
        peer.send(greeting);
        peer.expect("bot\n");
        peer.send("hello");
        client.write("hi\n");
        peer.expect("hi\n");
        client.end_input();
        peer.expect_end();
        peer.close();
        assert_eq!(client.ended().code, Some(0), "{greeting}");
    }
}

#[test]
fn a_name_in_use_is_not_taken_for_a_line() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("hi\n");
    let mut peer = server.accept();
    peer.send("로그인ID:");
    peer.expect("bot\n");
    peer.send("이미 등록된 사용자입니다.\n");
    peer.send("로그인ID:");
    peer.expect_end();
    let ended = client.ended();
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("이미 등록된 사용자입니다."), "{ended:?}");
}

#[test]
fn a_pipe_without_a_name_makes_one() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--lang", "ko"]);
    client.end_input();
    let mut peer = server.accept();
    peer.send("로그인ID:");
    let name = peer.line();
    assert!(name.strip_prefix("손님-").is_some_and(|rest| rest.parse::<u32>().is_ok()), "{name}");
    peer.expect_end();
    peer.close();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_server_that_asks_for_no_name_gets_lines_alone() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("hi\n");
    let mut peer = server.accept();
    peer.send("welcome\n");
    peer.expect("hi\n");
    client.end_input();
    peer.expect_end();
    peer.close();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "welcome\n"));
    assert!(ended.stderr.contains("--name is ignored"), "{ended:?}");
}

#[test]
fn characters_cut_between_reads_stay_whole_and_controls_go() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept();
    let (first, second) = "로그인".as_bytes().split_at(4);
    peer.send_bytes(first);
    client.expect("로");
    peer.send_bytes(second);
    client.expect("그인");
    peer.send("\x1b[2J\x07\u{9b}31m\u{202e}!\r\n");
    peer.send_bytes(b"\xb0\xa1 \xed\x95");
    client.expect("!\n\u{fffd}\u{fffd} ");
    peer.close();
    let ended = client.ended();
    assert_eq!(ended.stdout, "로그인!\n\u{fffd}\u{fffd} \u{fffd}");
    assert_eq!(ended.code, Some(5), "{ended:?}");
}

#[test]
fn quit_is_sent_as_it_stands() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    client.write("/quit\nnot said\n");
    let mut peer = server.accept();
    peer.send("ID:");
    peer.expect("bot\n");
    peer.send("hello");
    peer.expect("/quit\n");
    peer.expect_end();
    peer.close();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_server_that_never_closes_is_not_waited_for() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &[]);
    client.end_input();
    let mut peer = server.accept();
    peer.send("ID:");
    peer.line();
    peer.expect_end();
    // The server's side stays open until the client is gone.
    assert_eq!(client.ended().code, Some(0));
    drop(peer);
}
