//! On a terminal: names are asked for, refusals are answered, words are typed.

use crate::{client::Client, fake_server::FakeServer};

/// What ends the input when it is typed at the start of a line.
const CTRL_D: &str = "\x04";

#[test]
fn a_name_is_asked_for_until_one_is_taken() {
    let server = FakeServer::start();
    let mut client = Client::start_on_terminal(&server, &[]);
    let mut peer = server.accept_json();
    client.expect("Name (just Enter for a guest's): ");
    client.write("bob\n");
    peer.expect("{\"type\":\"login\",\"name\":\"bob\",\"nonce\":\"0\"}\n");
    peer.send(
        "{\"type\":\"error\",\"code\":\"name_taken\",\"text\":\"In use.\",\"nonce\":\"0\"}\n",
    );
    client.expect("In use.\r\nName (just Enter for a guest's): ");
    client.write("\n");
    peer.expect("{\"type\":\"login\",\"nonce\":\"0\"}\n");
    peer.welcome("guest-7");
    client.expect("-- you are guest-7, in lobby; 1 here; /help lists the commands --\r\n");
    client.write("hello\n");
    peer.expect("{\"type\":\"say\",\"text\":\"hello\",\"nonce\":\"3\"}\n");
    peer.send("{\"type\":\"error\",\"code\":\"x\",\"text\":\"Not that.\",\"nonce\":\"3\"}\n");
    client.expect("Not that.\r\n");
    client.write("/quit\n");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_name_of_the_command_line_that_is_refused_is_asked_for() {
    let server = FakeServer::start();
    let mut client = Client::start_on_terminal(&server, &["--name", "bob", "--lang", "ko"]);
    let mut peer = server.accept();
    peer.send("Madang/1 0.1.0\n어서 오세요\n로그인ID:");
    peer.expect("/lang ko\n/json\n");
    peer.send("이제 한국어로 안내합니다.\n로그인ID:\n{\"type\":\"hello\",\"server\":\"madang\",");
    peer.send("\"version\":\"9\",\"protocol\":1,\"limits\":{\"line_bytes\":1,");
    peer.send("\"message_bytes\":1,\"carrier_bytes\":1,\"name_columns\":1}}\n");
    peer.expect("{\"type\":\"login\",\"name\":\"bob\",\"nonce\":\"0\"}\n");
    peer.send("{\"type\":\"error\",\"code\":\"name_taken\",\"text\":\"이미.\",\"nonce\":\"0\"}\n");
    client.expect("어서 오세요\r\n이미.\r\n이름 (그냥 Enter를 누르면 손님): ");
    client.write(CTRL_D);
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.ends_with("\r\n"), "the shell's prompt has a line of its own: {ended:?}");
}

#[test]
fn ctrl_d_leaves_after_all_is_answered() {
    let server = FakeServer::start();
    let mut client = Client::start_on_terminal(&server, &["--name", "bob"]);
    let mut peer = server.accept_member("bob");
    client.write("hi\n");
    client.write(CTRL_D);
    peer.expect("{\"type\":\"say\",\"text\":\"hi\",\"nonce\":\"1\"}\n");
    peer.send("{\"type\":\"ack\",\"nonce\":\"1\",\"id\":2}\n");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_goodbye_while_a_name_is_typed_is_explained() {
    let server = FakeServer::start();
    let mut client = Client::start_on_terminal(&server, &[]);
    let mut peer = server.accept_json();
    client.expect("Name");
    peer.send("{\"type\":\"bye\",\"reason\":\"login_timeout\"}\n");
    peer.close();
    let ended = client.ended();
    assert_eq!(ended.code, Some(5));
    assert!(ended.stdout.contains("\r\nmadang: the server ended"), "{ended:?}");
    assert!(ended.stdout.contains("No name was given in time."), "{ended:?}");
}

#[test]
fn a_line_server_is_shown_as_it_comes_and_typed_to() {
    let server = FakeServer::start();
    let mut client = Client::start_on_terminal(&server, &[]);
    let mut peer = server.accept();
    peer.send("로그인ID:");
    client.expect("로그인ID:");
    client.write("alice\n");
    peer.expect("alice\n");
    peer.send("[alice]님이 입장했습니다.");
    client.expect("[alice]님이 입장했습니다.");
    client.write("안녕\n");
    peer.expect("안녕\n");
    client.write(CTRL_D);
    peer.expect_end();
    peer.close();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn an_interrupt_leaves_the_shell_a_line_of_its_own() {
    let server = FakeServer::start();
    let mut client = Client::start_on_terminal(&server, &["--name", "bob"]);
    let peer = server.accept_member("bob");
    client.expect("/help lists the commands --\r\n");
    client.interrupt();
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(130));
    assert!(ended.stdout.ends_with("--\r\n\r\n"), "{ended:?}");
}
