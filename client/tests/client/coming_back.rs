//! On a terminal: the connection is lost and restored.

use std::time::{Duration, Instant};

use madang_protocol::{notice::Notice, text::Lang};

use crate::{
    fake_server::{FakeServer, Peer},
    terminal::{CTRL_D, ENTER, Terminal},
};

const LOST: &str =
    "-- the server closed the connection; reconnecting, what you type is kept (Ctrl-D leaves) --";

#[track_caller]
fn start(args: &[&str]) -> (FakeServer, Terminal, Peer) {
    let server = FakeServer::start();
    let args = [&["--name", "me"], args].concat();
    let mut terminal = Terminal::start(&server, &args);
    let peer = server.accept_member("me");
    terminal.expect_last(&["[lobby 1]"]);
    (server, terminal, peer)
}

/// The rows as one text, without the indent of continuation rows.
fn unwrapped(rows: &[String]) -> String {
    rows.iter().map(|row| row.trim_start()).collect::<Vec<_>>().join(" ")
}

/// Answers the client's question whether everything has arrived.
#[track_caller]
fn pong(peer: &mut Peer) {
    let line = peer.line();
    let nonce = line.strip_prefix("{\"type\":\"command\",\"line\":\"/ping\",\"nonce\":\"");
    let nonce = nonce.unwrap_or_else(|| panic!("not a ping: {line}")).trim_end_matches("\"}");
    peer.send(&format!("{{\"type\":\"pong\",\"nonce\":\"{nonce}\"}}\n"));
    peer.ack(nonce);
}

#[test]
fn missed_lines_are_counted_and_shown_once_and_the_draft_is_kept() {
    let (server, mut terminal, mut peer) = start(&[]);
    peer.said("bob", "before");
    terminal.expect_row(" [bob] before");
    terminal.type_text("쓰던");
    terminal.expect_last(&["[lobby 1] 쓰던"]);
    drop(peer);
    terminal.expect_last(&["[lobby offline] 쓰던"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"room\":\"lobby\",\"session\":\"t\",\"last\":2,\"last_private\":0");
    peer.resume("me", 1);
    peer.said("bob", "before");
    peer.said("bob", "one\\ntwo");
    peer.event("joined", "\"user\":\"carol\"");
    peer.send("{\"type\":\"whisper\",\"private\":1,\"time\":\"2026-11-22T18:59:00.123Z\",");
    peer.send("\"user\":\"bob\",\"text\":\"psst\"}\n");
    pong(&mut peer);
    terminal.expect_last(&[
        "-- 3 lines while you were away --",
        " [bob] one",
        " [bob] two",
        " [carol] joined.",
        "*[whisper bob] psst",
        "[lobby 1] 쓰던",
    ]);
    let shown = terminal.scrolled();
    assert_eq!(shown.iter().filter(|row| *row == " [bob] before").count(), 1, "{shown:?}");
    assert!(!shown.join("\n").contains("pong"), "{shown:?}");
    terminal.type_text(ENTER);
    assert_eq!(peer.expect_say(), "쓰던");
}

#[test]
fn who_has_received_nothing_yet_does_not_ask_for_what_was_before() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &["--name", "me"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"me\"");
    peer.send(
        "{\"type\":\"welcome\",\"user\":\"me\",\"room\":\"lobby\",\"session\":\"t\",\"id\":7,\
         \"members\":2,\"resumed\":false}\n",
    );
    terminal.expect_last(&["[lobby 2]"]);
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"room\":\"lobby\",\"session\":\"t\",\"last_private\":0");
    peer.resume("me", 7);
    terminal.expect_last(&["-- connected again; nothing was missed --", "[lobby 1]"]);
    terminal.type_text(CTRL_D);
}

#[test]
fn missed_messages_and_whispers_are_shown_in_order_of_time() {
    let (server, mut terminal, peer) = start(&[]);
    drop(peer);
    terminal.expect_last(&["[lobby offline]"]);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    // In the order in which servers send them: private events first, then those of the room.
    for (number, time) in [(1, "18:59:01.000"), (2, "18:59:03.000")] {
        peer.send(&format!(
            "{{\"type\":\"whisper\",\"private\":{number},\"time\":\"2026-11-22T{time}Z\",\
             \"user\":\"bob\",\"text\":\"w{number}\"}}\n"
        ));
    }
    peer.send("{\"type\":\"gap\",\"room\":\"lobby\",\"from\":2,\"to\":4}\n");
    // A clock that was set back does not change the order of the room.
    for (id, time) in [(5, "18:59:00.000"), (6, "18:59:02.000"), (7, "18:58:00.000")] {
        peer.send(&format!(
            "{{\"type\":\"said\",\"id\":{id},\"time\":\"2026-11-22T{time}Z\",\
             \"room\":\"lobby\",\"user\":\"bob\",\"text\":\"said {id}\"}}\n"
        ));
    }
    pong(&mut peer);
    terminal.expect_last(&[
        "-- 5 lines while you were away --",
        &Notice::Skipped { lines: 3 }.text(Lang::En),
        " [bob] said 5",
        "*[whisper bob] w1",
        " [bob] said 6",
        " [bob] said 7",
        "*[whisper bob] w2",
        "[lobby 1]",
    ]);
}

#[test]
fn lines_entered_offline_are_sent_once() {
    let (server, mut terminal, mut peer) = start(&[]);
    terminal.enter("sent, not answered");
    let (_, nonce) = peer.say();
    drop(peer);
    terminal.expect_last(&["[lobby offline]"]);
    terminal.enter_offline("said offline");
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    let (text, again) = peer.say();
    assert_eq!((&*text, again), ("sent, not answered", nonce.clone()));
    peer.ack(&nonce);
    assert_eq!(peer.expect_say(), "said offline");
    // The client's own messages were not missed.
    peer.said("me", "sent, not answered");
    peer.said("me", "said offline");
    pong(&mut peer);
    terminal.expect_last(&[
        "-- connected again; nothing was missed --",
        ">[me] sent, not answered",
        ">[me] said offline",
        "[lobby 1]",
    ]);
    // A second loss sends nothing again.
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    pong(&mut peer);
    terminal.enter("next");
    assert_eq!(peer.expect_say(), "next");
}

#[test]
fn a_line_without_an_answer_is_reported_once() {
    let (_server, mut terminal, mut peer) = start(&[]);
    terminal.enter("hello?");
    let (text, nonce) = peer.say();
    assert_eq!(text, "hello?");
    terminal.expect_last(&["-- the server has not answered yet: hello? --", "[lobby 1]"]);
    peer.said("me", "hello?");
    peer.ack(&nonce);
    terminal.expect_last(&[
        "-- the server has not answered yet: hello? --",
        ">[me] hello?",
        "[lobby 1]",
    ]);
}

#[test]
fn an_expired_session_is_replaced_and_doubtful_lines_are_reported() {
    let (server, mut terminal, mut peer) = start(&[]);
    terminal.enter("in doubt");
    peer.say();
    drop(peer);
    terminal.expect_last(&["[lobby offline]"]);
    terminal.enter_offline("said offline");
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.send(
        "{\"type\":\"error\",\"code\":\"session_unknown\",\"text\":\"No.\",\"nonce\":\"0\"}\n",
    );
    peer.expect_login("\"name\":\"me\"");
    peer.welcome("me");
    assert_eq!(peer.expect_say(), "said offline");
    terminal.expect_row("-- may not have been delivered; not sent again: in doubt --");
    terminal.expect_last(&["[lobby 1]"]);
}

#[test]
fn a_session_that_was_taken_over_stays_there() {
    let (_server, mut terminal, mut peer) = start(&[]);
    peer.send("{\"type\":\"bye\",\"reason\":\"replaced\"}\n");
    peer.close();
    assert_eq!(terminal.ended(), 5);
    terminal.expect_last(&[
        "madang: the server closed the connection: This session continues on another conn",
        "ection.",
    ]);
}

#[test]
fn with_no_reconnect_a_lost_connection_ends_the_client() {
    let (_server, mut terminal, peer) = start(&["--no-reconnect"]);
    terminal.type_text("쓰던");
    terminal.expect_last(&["[lobby 1] 쓰던"]);
    drop(peer);
    assert_eq!(terminal.ended(), 5);
    terminal.expect_last(&["madang: the server closed the connection"]);
}

#[test]
fn quitting_works_while_offline() {
    let (server, mut terminal, peer) = start(&[]);
    drop(peer);
    terminal.expect_screen("the loss", |rows| unwrapped(rows).contains(LOST));
    terminal.expect_last(&["[lobby offline]"]);
    terminal.type_text(CTRL_D);
    assert_eq!(terminal.ended(), 0);
    drop(server);
}

#[test]
fn a_whisper_that_comes_twice_is_shown_once() {
    let (_server, mut terminal, mut peer) = start(&[]);
    for (number, text) in [(1, "one"), (1, "one"), (2, "two"), (1, "one")] {
        peer.send(&format!(
            "{{\"type\":\"whisper\",\"private\":{number},\"time\":\"2026-11-22T18:59:00.123Z\",\
             \"user\":\"bob\",\"text\":\"{text}\"}}\n"
        ));
    }
    peer.said("bob", "that was all");
    terminal.expect_last(&[
        "*[whisper bob] one",
        "*[whisper bob] two",
        " [bob] that was all",
        "[lobby 1]",
    ]);
}

#[test]
fn a_reply_typed_offline_goes_to_the_last_whisperer_of_that_moment() {
    let (server, mut terminal, mut peer) = start(&[]);
    let whisper = |peer: &mut Peer, number: u64, user: &str| {
        peer.send(&format!(
            "{{\"type\":\"whisper\",\"private\":{number},\"time\":\"2026-11-22T18:59:00.123Z\",\
             \"user\":\"{user}\",\"text\":\"psst\"}}\n"
        ));
    };
    whisper(&mut peer, 1, "bob");
    terminal.expect_row("*[whisper bob] psst");
    drop(peer);
    terminal.expect_last(&["[lobby offline]"]);
    terminal.enter_offline("/reply for bob");
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    whisper(&mut peer, 2, "carol");
    assert!(peer.line().contains("\"line\":\"/msg bob for bob\""));
}

#[test]
fn failed_logins_lengthen_the_pause_before_the_next_connection() {
    let (server, _terminal, mut peer) = start(&[]);
    for _ in 0..3 {
        drop(peer);
        peer = server.accept_json();
        peer.expect_login("\"session\":\"t\"");
    }
    let lost = Instant::now();
    drop(peer);
    let mut peer = server.accept_json();
    // At least half of half a second, doubled three times.
    assert!(lost.elapsed() >= Duration::from_secs(2), "{:?}", lost.elapsed());
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    pong(&mut peer);
    // An accepted login resets the pauses.
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
}

#[test]
fn a_silent_server_is_not_waited_for_for_ever() {
    let (server, mut terminal, mut peer) = start(&["--answer-timeout", "5"]);
    terminal.enter("hello?");
    let (_, nonce) = peer.say();
    // The connection is open but silent: it counts as lost.
    let mut again = server.accept_json();
    again.expect_login("\"session\":\"t\"");
    again.resume("me", 1);
    assert_eq!(again.say(), ("hello?".to_owned(), nonce));
}
