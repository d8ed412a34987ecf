//! On a terminal: the question for a name, and the messages at the end.

use madang_protocol::{notice::Notice, text::Lang};

use crate::{
    fake_server::{FakeServer, Peer},
    terminal::{CTRL_C, CTRL_D, ENTER, Terminal},
};

const QUESTION: &str = "Name (Enter for a guest name):";

#[test]
fn a_name_is_asked_for_until_one_is_taken() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &[]);
    let mut peer = server.accept_json();
    terminal.expect_row(QUESTION);
    terminal.enter("bob");
    peer.expect("{\"type\":\"login\",\"name\":\"bob\",\"nonce\":\"0\"}\n");
    peer.send(
        "{\"type\":\"error\",\"code\":\"name_taken\",\"text\":\"In use.\",\"nonce\":\"0\"}\n",
    );
    terminal.expect_last(&[&format!("{QUESTION} bob"), "In use.", QUESTION]);
    terminal.type_text(ENTER);
    peer.expect("{\"type\":\"login\",\"nonce\":\"0\"}\n");
    peer.welcome("guest-7");
    let welcome = "-- guest-7 in the lobby, 1 here: type to talk, help: /help, leave: Ctrl-D --";
    terminal.expect_last(&[welcome, "[lobby 1]"]);
    terminal.enter("hello");
    let (text, nonce) = peer.say();
    assert_eq!(text, "hello");
    peer.send(&format!(
        "{{\"type\":\"error\",\"code\":\"x\",\"text\":\"Not that.\",\"nonce\":\"{nonce}\"}}\n"
    ));
    terminal.expect_last(&["Not that.", "[lobby 1]"]);
    terminal.enter("/quit bye");
    peer.expect("{\"type\":\"command\",\"line\":\"/quit bye\"}\n");
    peer.close();
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn a_name_of_the_command_line_that_is_refused_is_asked_for() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "bob", "--lang", "ko"]);
    let mut peer = server.accept();
    peer.send("Madang/1 0.1.0\n어서 오세요\n로그인ID:");
    peer.expect("/lang ko\n/json\n");
    peer.send(&format!("{}\n로그인ID:\n", Notice::LangSet.text(Lang::Ko)));
    peer.send("{\"type\":\"hello\",\"server\":\"madang\",");
    peer.send("\"version\":\"9\",\"protocol\":1,\"limits\":{\"line_bytes\":1,");
    peer.send("\"message_bytes\":1,\"carrier_bytes\":1,\"name_columns\":1}}\n");
    peer.expect("{\"type\":\"login\",\"name\":\"bob\",\"nonce\":\"0\"}\n");
    peer.send("{\"type\":\"error\",\"code\":\"name_taken\",\"text\":\"이미.\",\"nonce\":\"0\"}\n");
    let question = "이름 (손님으로 들어가려면 Enter):";
    terminal.expect_last(&["어서 오세요", "이미.", question]);
    terminal.type_text(CTRL_D);
    peer.expect_quit();
    assert_eq!(terminal.ended(), 0);
    assert!(terminal.raw().ends_with('\n'), "the shell's prompt has a line of its own");
}

#[test]
fn ctrl_d_leaves_after_all_is_answered() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "bob"]);
    let mut peer = server.accept_member("bob");
    terminal.expect_row("[lobby 1]");
    terminal.enter("hi");
    // At any moment: while the line is being erased, or while the next one begins.
    terminal.type_text(CTRL_D);
    assert_eq!(peer.expect_say(), "hi");
    peer.expect_quit();
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn ctrl_c_clears_a_line_and_twice_leaves() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "bob"]);
    let mut peer = server.accept_member("bob");
    terminal.expect_row("[lobby 1]");
    terminal.type_text("never said");
    terminal.expect_row("[lobby 1] never said");
    // Text typed after it is not lost, although everything arrives at once.
    terminal.type_text(&format!("{CTRL_C}안녕"));
    terminal.expect_last(&["[lobby 1] 안녕"]);
    assert!(!terminal.rows().join("\n").contains("never"), "{:?}", terminal.rows());
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "안녕");
    terminal.expect_last(&["[lobby 1]"]);
    terminal.type_text(CTRL_C);
    terminal.expect_last(&["-- press Ctrl-C again, or Ctrl-D, to leave --", "[lobby 1]"]);
    terminal.type_text(CTRL_C);
    peer.expect_quit();
    assert_eq!(terminal.ended(), 130);
}

#[test]
fn ctrl_c_on_a_line_and_again_leaves() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "bob"]);
    let peer = server.accept_member("bob");
    terminal.expect_row("[lobby 1]");
    terminal.type_text("never said");
    terminal.expect_row("[lobby 1] never said");
    terminal.type_text(&format!("{CTRL_C}{CTRL_C}"));
    peer.expect_quit();
    assert_eq!(terminal.ended(), 130);
}

#[test]
fn a_goodbye_while_a_name_is_typed_is_explained() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &[]);
    let mut peer = server.accept_json();
    terminal.expect_row(QUESTION);
    terminal.type_text("bo");
    terminal.expect_row(&format!("{QUESTION} bo"));
    peer.send("{\"type\":\"bye\",\"reason\":\"login_timeout\"}\n");
    peer.close();
    assert_eq!(terminal.ended(), 5);
    terminal.expect_last(&[
        &format!("{QUESTION} bo"),
        "madang: the server closed the connection: No login in time.",
    ]);
}

/// A client whose room is refused, at the question that follows.
#[track_caller]
fn refused_a_room(code: &str, by_name: bool) -> (Peer, Terminal) {
    let server = FakeServer::start();
    let mut args = vec!["--room", "#7zzzz-zzzzz-zzzzz-zzzzz-zzzzz-z"];
    args.extend(by_name.then_some(["--name", "bob"]).into_iter().flatten());
    let mut terminal = Terminal::start(&server, &args);
    let mut peer = server.accept_json();
    if !by_name {
        terminal.expect_row(QUESTION);
        terminal.enter("bob");
    }
    let login = peer.expect_login("\"name\":\"bob\"");
    assert!(login.contains("\"room\":\"#7zzzz"), "{login}");
    peer.refuse("0", code);
    terminal.expect_last(&["No.", "Go to the lobby instead? [Y/n]"]);
    (peer, terminal)
}

#[test]
fn after_a_refused_room_the_lobby_is_offered_under_the_same_name() {
    for (code, by_name, answer) in [
        ("no_such_room", false, ""),
        ("room_locked", true, "y"),
        ("room_full", false, "네"),
        ("kicked", false, ""),
        ("broken_link", true, "Yes"),
    ] {
        let (mut peer, mut terminal) = refused_a_room(code, by_name);
        terminal.enter(answer);
        let login = peer.expect_login("\"name\":\"bob\"");
        assert!(!login.contains("\"room\""), "{login}");
        peer.welcome("bob");
        terminal.expect_row("[lobby 1]");
    }
}

#[test]
fn declining_the_lobby_after_a_refused_room_ends_the_client() {
    for answer in ["n\r", "a secret of the room\r", CTRL_D] {
        let (peer, mut terminal) = refused_a_room("no_such_room", false);
        terminal.type_text(answer);
        peer.expect_quit();
        assert_eq!(terminal.ended(), 6);
        terminal.expect_row("madang: failed to enter the room: No.");
    }
}

#[test]
fn a_room_typed_instead_of_a_name_is_joined_with_the_next_name() {
    let key = "7zzzz-zzzzz-zzzzz-zzzzz-zzzzz-z";
    for (typed, room) in [
        (format!("#{key}"), "7zzzz"),
        (format!("/join http://h/#{key} 로"), "7zzzz"),
        (format!("/jion #{key}"), "7zzzz"),
        ("/join math".into(), "math"),
        ("#broken".into(), "#broken"),
    ] {
        let server = FakeServer::start();
        let mut terminal = Terminal::start(&server, &[]);
        let mut peer = server.accept_json();
        terminal.expect_row(QUESTION);
        terminal.enter(&typed);
        terminal.expect_last(&["-- now type a name for that room --", QUESTION]);
        terminal.enter("bob");
        let login = peer.expect_login("\"name\":\"bob\"");
        assert!(login.contains("\"room\":\"") && login.contains(room), "{login}");
        // The name may be refused like any other.
        peer.refuse("0", "broken_link");
        terminal.expect_last(&["No.", "Go to the lobby instead? [Y/n]"]);
    }
}

#[test]
fn a_refusal_by_the_lobby_asks_for_another_name() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "bob"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"bob\"");
    peer.refuse("0", "kicked");
    terminal.expect_last(&["No.", QUESTION]);
}
