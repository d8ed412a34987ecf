//! A room that the server saves on disk, for a person at a terminal.

use madang_protocol::{notice::Notice, text::Lang};

use crate::{
    fake_server::{FakeServer, Peer},
    terminal::{CTRL_D, Terminal},
};

/// A client in a room that is saved.
#[track_caller]
fn start(args: &[&str]) -> (FakeServer, Terminal, Peer) {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &[&["--name", "me"], args].concat());
    let mut peer = server.accept_json();
    peer.expect_login("\"name\":\"me\"");
    peer.send(
        "{\"type\":\"welcome\",\"user\":\"me\",\"room\":\"lobby\",\"session\":\"t\",\"id\":1,\
         \"members\":1,\"durable\":true,\"resumed\":false}\n",
    );
    terminal.expect_row("Messages in this room are saved on the server.");
    terminal.expect_last(&["[lobby 1]"]);
    (server, terminal, peer)
}

fn ack(peer: &mut Peer, nonce: &str, fields: &str) {
    peer.send(&format!("{{\"type\":\"ack\",\"nonce\":\"{nonce}\"{fields}}}\n"));
}

#[test]
fn a_line_is_shown_when_it_is_said_and_marked_until_it_is_saved() {
    let (_server, mut terminal, mut peer) = start(&[]);
    terminal.enter("hi");
    let (text, nonce) = peer.say();
    peer.said("me", &text);
    terminal.expect_row(">[me] hi");
    terminal.type_text("next");
    // The line being typed stays where it is.
    terminal.expect_last(&[">[me] hi", "[lobby 1]~next"]);
    ack(&mut peer, &nonce, ",\"id\":2");
    terminal.expect_last(&[">[me] hi", "[lobby 1] next"]);
    assert!(terminal.raw().contains("[lobby 1]~"));
}

#[test]
fn whoever_comes_into_a_room_that_any_server_saves_is_told() {
    for field in ["durable", "archived", "archived_elsewhere"] {
        let server = FakeServer::start();
        let mut terminal = Terminal::start(&server, &["--name", "me"]);
        let mut peer = server.accept_json();
        peer.expect_login("\"name\":\"me\"");
        peer.send(&format!(
            "{{\"type\":\"welcome\",\"user\":\"me\",\"room\":\"lobby\",\"session\":\"t\",\
             \"id\":1,\"members\":1,\"{field}\":true,\"resumed\":false}}\n"
        ));
        terminal.expect_row("Messages in this room are saved on the server.");
        peer.send("{\"type\":\"notice\",\"text\":\"-- no more --\"}\n");
        terminal.expect_row("-- no more --");
    }
}

#[test]
fn a_failing_disk_is_told_once_and_so_is_its_return() {
    let (_server, mut terminal, mut peer) = start(&[]);
    for (line, fields) in
        [("one", ",\"durable\":false"), ("two", ",\"durable\":false"), ("three", ""), ("four", "")]
    {
        terminal.enter(line);
        let (text, nonce) = peer.say();
        peer.said("me", &text);
        ack(&mut peer, &nonce, fields);
        terminal.expect_row(&format!(">[me] {line}"));
    }
    terminal.expect_last(&[
        ">[me] one",
        "-- the server can't save messages now; you can go on chatting --",
        ">[me] two",
        ">[me] three",
        "-- messages are saved again --",
        ">[me] four",
        "[lobby 1]",
    ]);
}

#[test]
fn quitting_waits_until_the_last_line_is_saved() {
    let (_server, mut terminal, mut peer) = start(&[]);
    terminal.enter("bye");
    let (text, nonce) = peer.say();
    terminal.type_text(CTRL_D);
    peer.said("me", &text);
    terminal.expect_row(">[me] bye");
    assert!(!peer.has_more(), "nothing is on the disk yet");
    ack(&mut peer, &nonce, ",\"id\":2");
    peer.expect_quit();
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn a_restart_is_told_without_a_count_and_the_members_are_counted_anew() {
    let (server, mut terminal, peer) = start(&[]);
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("me", 1);
    peer.send(
        "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":2,\"to\":900000,\"reason\":\"restart\"}\n\
         {\"type\":\"restarted\",\"id\":900001,\"time\":\"2026-11-22T18:59:00.123Z\",\
         \"room\":\"lobby\"}\n",
    );
    terminal.expect_row(" -- the server restarted --");
    assert!(!terminal.scrolled().concat().contains("skipped"), "nobody knows how many");
    while !peer.line().contains("\"/who\"") {}
}

#[test]
fn search_results_have_dates_and_bold_search_words() {
    let server = FakeServer::start();
    let args = ["--name", "me", "--color", "always"];
    let mut terminal = Terminal::start_sized(&server.address, &args, 60, 24, &[("TZ", "UTC")]);
    let mut peer = server.accept_member("me");
    terminal.expect_last(&["[lobby 1]"]);
    terminal.enter("/search rust");
    peer.expect("{\"type\":\"command\",\"line\":\"/search rust\",\"nonce\":\"1\"}\n");
    peer.send(
        "{\"type\":\"found\",\"room\":\"lobby\",\"events\":[{\"type\":\"said\",\"id\":1,\
         \"time\":\"2026-11-22T18:59:00.123Z\",\"room\":\"lobby\",\"user\":\"bob\",\
         \"text\":\"we use Rust\"}],\"before\":1,\"nonce\":\"1\"}\n",
    );
    peer.ack("1");
    terminal.expect_last(&[
        "-- search: rust --",
        "-- Sunday, 22 November 2026 --",
        "18:59 [bob] we use Rust",
        &Notice::Found { count: 1, is_all: false }.text(Lang::En),
        "[lobby 1]",
    ]);
    let row = terminal.rows().iter().position(|row| row.ends_with("we use Rust"));
    let row = u16::try_from(row.expect("it was there")).expect("a small screen");
    let is_bold = |column| terminal.cell(row, column).bold();
    assert!(!is_bold(14) && (19..23).all(is_bold) && !is_bold(12));
    // Continuing needs no words.
    terminal.enter("/search");
    peer.expect("{\"type\":\"command\",\"line\":\"/search\",\"nonce\":\"2\"}\n");
    peer.send("{\"type\":\"found\",\"room\":\"lobby\",\"events\":[],\"nonce\":\"2\"}\n");
    peer.ack("2");
    terminal.expect_last(&["-- no older results --", "[lobby 1]"]);
}

#[test]
fn unsaved_lines_are_marked_in_their_place_in_the_history() {
    let (_server, mut terminal, mut peer) = start(&[]);
    terminal.enter("/history");
    peer.expect("{\"type\":\"command\",\"line\":\"/history\",\"nonce\":\"1\"}\n");
    let said = |id: u64| {
        format!(
            "{{\"type\":\"said\",\"id\":{id},\"time\":\"2026-11-22T18:59:00.123Z\",\
             \"room\":\"lobby\",\"user\":\"bob\",\"text\":\"{id}\"}}"
        )
    };
    let part = |events: [String; 2], gaps: &str, more: bool| {
        let events = events.join(",");
        format!(
            "{{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{events}],\"more\":{more},\
             \"gaps\":[{gaps}],\"nonce\":\"1\"}}\n"
        )
    };
    // The answer comes in two messages, and the last thing before the question was lost, too.
    peer.send(&part([said(1), said(5)], "{\"from\":2,\"to\":4}", true));
    peer.send(&part([said(6), said(7)], "{\"from\":8,\"to\":8}", false));
    peer.ack("1");
    let heading = Notice::Earlier { lines: 4 }.text(Lang::En);
    let unsaved = |lines| Notice::NotSaved { lines }.text(Lang::En);
    let rows = [" [bob] 1", &unsaved(3), " [bob] 5", " [bob] 6", " [bob] 7", &unsaved(1)];
    terminal.expect_last(&[&[&*heading], &rows[..], &["[lobby 1]"]].concat());
}

#[test]
fn history_leaves_out_people_on_the_ignore_list() {
    let (_server, mut terminal, mut peer) = start(&[]);
    terminal.enter("/ignore eve");
    peer.expect("{\"type\":\"command\",\"line\":\"/ignore eve\",\"nonce\":\"1\"}\n");
    peer.ack("1");
    terminal.enter("/history");
    peer.expect("{\"type\":\"command\",\"line\":\"/history\",\"nonce\":\"2\"}\n");
    let said = |id: u64, user: &str| {
        format!(
            "{{\"type\":\"said\",\"id\":{id},\"time\":\"2026-11-22T18:59:00.123Z\",\
             \"room\":\"lobby\",\"user\":\"{user}\",\"text\":\"hi\"}}"
        )
    };
    let events = [said(1, "bob"), said(2, "eve"), said(3, "bob")].join(",");
    peer.send(&format!(
        "{{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{events}],\"more\":false,\
         \"nonce\":\"2\"}}\n"
    ));
    peer.ack("2");
    let heading = Notice::Earlier { lines: 2 }.text(Lang::En);
    terminal.expect_last(&[&heading, " [bob] hi", " [bob] hi", "[lobby 1]"]);
}
