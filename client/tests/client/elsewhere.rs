//! Text written for a room or a person is sent there or nowhere: after a lost connection, a
//! restart, a removal, or a refused `/join`.

use crate::{
    client::Client,
    fake_server::{FakeServer, Peer},
    terminal::{BACKSPACE, ENTER, Terminal},
};

const PRIVATE: &str = "private-k3f9";

/// A member of a room.
#[track_caller]
fn start(room: &str) -> (FakeServer, Terminal, Peer) {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "me"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"me\"");
    peer.welcome_in("me", room, 1, false);
    terminal.expect_last(&[&format!("[{room} 1]")]);
    (server, terminal, peer)
}

/// A member whose connection is lost.
#[track_caller]
fn start_and_lose(room: &str) -> (FakeServer, Terminal) {
    let (server, mut terminal, peer) = start(room);
    drop(peer);
    terminal.expect_last(&[&format!("[{room} offline]")]);
    (server, terminal)
}

/// The server has restarted: the session is gone, the client logs in anew.
#[track_caller]
fn accept_after_restart(server: &FakeServer) -> Peer {
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.refuse("0", "session_unknown");
    peer.expect_login("\"name\":\"me\"");
    peer
}

/// Expects that only `line` is sent, when it is entered now.
#[track_caller]
fn expect_only(terminal: &mut Terminal, peer: &mut Peer, line: &str) {
    terminal.enter(line);
    assert_eq!(peer.expect_say(), line);
}

#[test]
fn words_for_a_private_room_are_not_said_in_the_lobby_after_a_restart() {
    let (server, mut terminal) = start_and_lose(PRIVATE);
    terminal.enter_offline("the secret");
    let mut peer = accept_after_restart(&server);
    peer.welcome("me");
    terminal.expect_row("-- that room is gone; not sent: the secret --");
    // It is in the input, to be kept or deleted.
    terminal.expect_last(&["[lobby 1] the secret"]);
    assert!(!peer.has_more());
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "the secret");
}

#[test]
fn a_draft_survives_a_restart_and_the_up_arrow_recalls_unsent_lines() {
    let (server, mut terminal) = start_and_lose(PRIVATE);
    terminal.enter_offline("the secret");
    terminal.type_text("half a");
    terminal.expect_last(&["[private-k3f9 offline] half a"]);
    let mut peer = accept_after_restart(&server);
    peer.welcome("me");
    terminal.expect_row("-- that room is gone; not sent: the secret --");
    terminal.expect_last(&["[lobby 1] half a"]);
    terminal.type_text(" line");
    terminal.type_text(ENTER);
    terminal
        .expect_row("-- you wrote this in private-k3f9; press Enter again to send it to lobby --");
    terminal.expect_last(&["[lobby 1] half a line"]);
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "half a line");
    terminal.type_text(crate::terminal::UP);
    terminal.type_text(crate::terminal::UP);
    terminal.expect_last(&["[lobby 1] the secret"]);
}

#[test]
fn a_paste_in_a_private_room_is_said_in_the_lobby_only_after_a_second_enter() {
    let (server, mut terminal, peer) = start(PRIVATE);
    let text: String = (1..=14).map(|number| format!("secret {number}\n")).collect();
    terminal.paste(text.trim_end());
    terminal.expect_row("secret 14");
    terminal.type_text(ENTER);
    terminal.expect_last(&["send 14 lines? [y/N]"]);
    drop(peer);
    let mut peer = accept_after_restart(&server);
    peer.welcome("me");
    terminal.expect_row("-- me in the lobby, 1 here: type to talk, help: /help, leave: Ctrl-D --");
    terminal.enter("y");
    terminal
        .expect_row("-- you wrote this in private-k3f9; press Enter again to send it to lobby --");
    assert!(!peer.has_more());
    terminal.type_text(ENTER);
    terminal.expect_last(&["send 14 lines? [y/N]"]);
    terminal.enter("y");
    assert_eq!(peer.expect_say(), text.trim_end());
}

#[test]
fn a_draft_of_a_private_room_is_said_in_the_lobby_only_after_a_second_enter() {
    let (server, mut terminal, peer) = start(PRIVATE);
    terminal.type_text("the sec");
    terminal.expect_last(&["[private-k3f9 1] the sec"]);
    drop(peer);
    terminal.expect_last(&["[private-k3f9 offline] the sec"]);
    let mut peer = accept_after_restart(&server);
    peer.welcome("me");
    terminal.expect_last(&["[lobby 1] the sec"]);
    terminal.type_text("ret");
    terminal.type_text(ENTER);
    terminal
        .expect_row("-- you wrote this in private-k3f9; press Enter again to send it to lobby --");
    terminal.expect_last(&["[lobby 1] the secret"]);
    assert!(!peer.has_more());
    // Lines typed from now on are for the lobby.
    terminal.type_text("\x15");
    expect_only(&mut terminal, &mut peer, "hello");
}

#[test]
fn a_command_in_a_draft_is_not_held() {
    let (server, mut terminal, peer) = start(PRIVATE);
    terminal.type_text("/wh");
    drop(peer);
    terminal.expect_last(&["[private-k3f9 offline] /wh"]);
    let mut peer = accept_after_restart(&server);
    peer.welcome("me");
    terminal.expect_last(&["[lobby 1] /wh"]);
    terminal.type_text("o");
    terminal.type_text(ENTER);
    assert!(peer.line().contains("/who"));
}

#[test]
fn words_for_a_public_room_are_said_there_by_a_new_session_too() {
    let (server, mut terminal) = start_and_lose("math");
    terminal.enter_offline("two");
    // By now, bob may be somebody else, and a command may affect another room.
    terminal.enter_offline("/msg bob psst");
    terminal.enter_offline("/kick carol");
    let mut peer = accept_after_restart(&server);
    peer.welcome_in("me", "math", 1, false);
    assert_eq!(peer.expect_say(), "two");
    terminal.expect_row("-- that room is gone; not sent: /msg bob psst --");
    terminal.expect_row("-- that room is gone; not sent: /kick carol --");
    // No command is put after other text in the input, where it would be said aloud.
    terminal.expect_last(&["[math 1]"]);
    expect_only(&mut terminal, &mut peer, "three");
}

#[test]
fn a_session_that_was_moved_meanwhile_says_nothing_in_the_other_room() {
    let (server, mut terminal) = start_and_lose(PRIVATE);
    terminal.enter_offline("the secret");
    terminal.enter_offline("/msg bob psst");
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    terminal.expect_row("-- that room is gone; not sent: the secret --");
    // In the same session, whispers reach the same people.
    assert!(peer.line().contains("\"/msg bob psst\""));
}

#[test]
fn if_a_room_refuses_the_return_the_client_goes_to_the_lobby_and_says_nothing() {
    for code in ["no_such_room", "room_locked", "room_full", "kicked"] {
        let (server, mut terminal) = start_and_lose(PRIVATE);
        terminal.enter_offline("the secret");
        let mut peer = accept_after_restart(&server);
        peer.refuse("0", code);
        let login = peer.expect_login("\"name\":\"me\"");
        assert!(!login.contains("\"room\""), "{login}");
        peer.welcome("me");
        terminal.expect_row("-- that room is gone; not sent: the secret --");
        terminal.expect_last(&["[lobby 1] the secret"]);
    }
}

#[test]
fn a_line_that_crosses_a_removal_returns_to_the_input() {
    for code in ["other_room", "no_room"] {
        let (_server, mut terminal, mut peer) = start(PRIVATE);
        terminal.enter("the secret");
        let line = peer.line();
        assert!(line.contains("\"room\":\"private-k3f9\""), "{line}");
        peer.refuse("1", code);
        terminal.expect_row("-- that room is gone; not sent: the secret --");
        terminal.expect_last(&["[private-k3f9 1] the secret"]);
    }
}

#[test]
fn lines_typed_after_a_join_wait_for_its_answer() {
    let (_server, mut terminal, mut peer) = start("lobby");
    terminal.enter("/join #nothing");
    assert!(peer.line().contains("/join"));
    terminal.enter("the secret");
    // The next line is typed only after that one has been taken.
    terminal.type_text("x");
    terminal.expect_last(&["[lobby 1] x"]);
    terminal.type_text(BACKSPACE);
    terminal.expect_last(&["[lobby 1]"]);
    peer.refuse("1", "no_such_room");
    terminal.expect_row("-- that room is gone; not sent: the secret --");
    terminal.expect_last(&["[lobby 1] the secret"]);
    terminal.type_text("\x15/join math");
    terminal.type_text(ENTER);
    assert!(peer.line().contains("/join math"));
    terminal.enter("a sum");
    peer.send("{\"type\":\"entered\",\"room\":\"math\",\"id\":5,\"members\":1,\"nonce\":\"3\"}\n");
    peer.ack("3");
    let line = peer.line();
    assert!(line.contains("\"a sum\"") && line.contains("\"room\":\"math\""), "{line}");
}

#[test]
fn a_line_typed_while_a_join_is_refused_is_sent_only_after_a_second_enter() {
    for (command, code) in [("/join #nothing", "no_such_room"), ("/new", "too_many_rooms")] {
        let (_server, mut terminal, mut peer) = start("lobby");
        terminal.enter(command);
        assert!(peer.line().contains(command));
        peer.refuse("1", code);
        terminal.expect_last(&["No.", "[lobby 1]"]);
        // It may have been on its way from the keyboard.
        terminal.enter("the secret");
        let name = command.split(' ').next().unwrap_or_default();
        terminal.expect_last(&[
            &format!("-- {name} was refused; press Enter again to send this to lobby --"),
            "[lobby 1] the secret",
        ]);
        assert!(!peer.has_more());
        terminal.type_text(ENTER);
        assert_eq!(peer.expect_say(), "the secret");
        // The answer "already there" leaves no doubt.
        terminal.enter("/join lobby");
        assert!(peer.line().contains("/join"));
        peer.refuse("3", "in_room_already");
        expect_only(&mut terminal, &mut peer, "hello");
    }
}

#[test]
fn after_returning_to_a_room_with_lower_ids_messages_are_still_shown() {
    let (server, mut terminal, mut peer) = start("math");
    peer.send(
        "{\"type\":\"said\",\"id\":500,\"time\":\"2026-11-22T18:59:00.123Z\",\
         \"room\":\"math\",\"user\":\"bob\",\"text\":\"two\"}\n",
    );
    terminal.expect_row(" [bob] two");
    drop(peer);
    terminal.expect_last(&["[math offline]"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"last\":500");
    // The lobby is much older than the room, so its ids are lower.
    peer.resume("me", 0);
    peer.said("bob", "hello");
    terminal.expect_row(" [bob] hello");
}

#[test]
fn a_pasted_command_has_all_lines_that_follow() {
    let (_server, mut terminal, mut peer) = start("lobby");
    terminal.paste("/msg bob a\nb");
    terminal.type_text(ENTER);
    let line = peer.line();
    assert!(line.contains("\"line\":\"/msg bob a\\nb\""), "{line}");
}

#[test]
fn a_pipe_that_comes_back_elsewhere_ends_and_says_what_was_not_sent() {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"bot\"");
    peer.welcome_in("bot", PRIVATE, 1, false);
    client.write("one\n");
    assert_eq!(peer.expect_say(), "one");
    client.write("the secret\n");
    peer.say();
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("bot", 1);
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("line 2"), "{ended:?}");
}

#[test]
fn a_pipe_that_is_removed_says_nothing_elsewhere() {
    let events = [
        "{\"type\":\"kicked\",\"id\":2,\"time\":\"2026-11-22T18:59:00.123Z\",\
         \"room\":\"private-k3f9\",\"user\":\"bot\",\"by\":\"bob\"}\n",
        "{\"type\":\"ended\",\"id\":2,\"time\":\"2026-11-22T18:59:00.123Z\",\
         \"room\":\"private-k3f9\",\"user\":\"bob\"}\n",
        "{\"type\":\"entered\",\"room\":\"lobby\",\"id\":5,\"members\":1}\n",
    ];
    for event in events {
        let server = FakeServer::start();
        let mut client = Client::start(&server, &["--name", "bot"]);
        let mut peer = server.accept_json();
        peer.expect_login("\"name\":\"bot\"");
        peer.welcome_in("bot", PRIVATE, 1, false);
        client.write("one\n");
        assert_eq!(peer.expect_say(), "one");
        peer.send(event);
        client.write("the secret\n");
        peer.expect_quit();
        let ended = client.ended();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("no longer in the room"), "{ended:?}");
    }
}

/// A script whose first line is a `/join` that is refused.
#[track_caller]
fn run_script(script: &str, refusal: &str) -> (FakeServer, Client, Peer) {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot", "--commands"]);
    client.write(script);
    let mut peer = server.accept_member("bot");
    assert!(peer.line().contains("/join"));
    peer.refuse("1", refusal);
    (server, client, peer)
}

#[test]
fn a_script_whose_join_is_refused_says_nothing_where_it_is() {
    let (_server, client, peer) = run_script("/join #nothing\nthe secret\nmore\n", "no_such_room");
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("that room is gone; not sent"), "{ended:?}");
}

#[test]
fn a_script_that_is_where_it_wants_to_go_goes_on() {
    let (_server, mut client, mut peer) = run_script("/join lobby\nhello\n", "in_room_already");
    assert_eq!(peer.expect_say(), "hello");
    client.end_input();
    peer.expect_quit();
    // The command was refused after all, which is shown.
    assert_eq!(client.ended().code, Some(1));
}
