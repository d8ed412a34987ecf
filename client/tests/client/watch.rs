//! `--read`: prints messages, and says nothing.

#[cfg(target_os = "linux")]
use std::process::Stdio;

#[cfg(target_os = "linux")]
use crate::spawn_program;
use madang_protocol::{notice::Notice, text::Lang};

#[cfg(target_os = "linux")]
use crate::client::command;
#[cfg(unix)]
use crate::terminal::Terminal;
use crate::{
    client::Client,
    fake_server::{FakeServer, Peer},
};

/// How so many skipped lines are shown.
fn skipped(lines: usize) -> String {
    Notice::Skipped { lines }.text(Lang::En)
}

const READ: [&str; 3] = ["--read", "--name", "watch"];

#[track_caller]
fn start(args: &[&str]) -> (FakeServer, Client, Peer) {
    let server = FakeServer::start();
    let client = Client::start(&server, &[&READ, args].concat());
    let peer = server.accept_member("watch");
    (server, client, peer)
}

#[test]
fn lines_are_printed_until_there_are_enough() {
    let (_server, client, mut peer) = start(&["--count", "2"]);
    peer.event("joined", "\"user\":\"bob\"");
    peer.said("bob", "one\\ntwo");
    peer.send("{\"type\":\"notice\",\"text\":\"between us\"}\n");
    peer.send("{\"type\":\"whisper\",\"private\":1,\"time\":\"2026-11-22T18:59:00.123Z\",");
    peer.send("\"user\":\"bob\",\"text\":\"psst\"}\n");
    peer.said("bob", "not any more");
    peer.expect_quit();
    let ended = client.ended();
    let stdout = "[bob] joined.\n[bob] one\n[bob] two\n[whisper bob] psst\n";
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), stdout, ""));
}

#[test]
fn json_is_printed_as_it_came() {
    let (_server, mut client, mut peer) = start(&["--json"]);
    let said = "{\"type\":\"said\",\"id\":7,\"time\":\"2026-11-22T18:59:00.123Z\",\
                \"room\":\"lobby\",\"user\":\"bob\",\"text\":\"hi\",\"mood\":\"new\"}\n";
    peer.send(said);
    peer.send("{\"type\":\"firework\",\"id\":8}\n");
    peer.send("{\"type\":\"gap\",\"room\":\"lobby\",\"from\":9,\"to\":12}\n");
    client.expect("\"to\":12}\n");
    #[cfg(unix)]
    {
        client.interrupt();
        peer.expect_quit();
        let ended = client.ended();
        let gap = "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":9,\"to\":12}\n";
        assert_eq!(ended.stdout, format!("{said}{{\"type\":\"firework\",\"id\":8}}\n{gap}"));
        assert_eq!(ended.code, Some(130));
    }
}

#[test]
fn a_time_is_shown_if_it_is_wished() {
    let (_server, client, mut peer) = start(&["--count", "1", "--time", "seconds"]);
    peer.said("bob", "hi");
    peer.expect_quit();
    let ended = client.ended();
    assert!(ended.stdout.ends_with(":00 [bob] hi\n"), "{ended:?}");
}

#[test]
fn messages_since_an_id_come_first_and_only_once() {
    let (_server, client, mut peer) = start(&["--since", "40", "--count", "3", "--json"]);
    peer.expect("{\"type\":\"history\",\"nonce\":\"1\"}\n");
    let said = |id| {
        format!(
            "{{\"type\":\"said\",\"id\":{id},\"time\":\"2026-11-22T18:59:00.123Z\",\
             \"room\":\"lobby\",\"user\":\"bob\",\"text\":\"{id}\"}}"
        )
    };
    // Events before the answer are in the answer too.
    peer.send(&format!("{}\n", said(44)));
    let events = [40, 43, 44].map(said).join(",");
    peer.send(&format!(
        "{{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{events}],\"more\":false,\
         \"nonce\":\"1\"}}\n{{\"type\":\"ack\",\"nonce\":\"1\"}}\n"
    ));
    peer.send(&format!("{}\n", said(45)));
    peer.expect_quit();
    let ended = client.ended();
    let gap = "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":41,\"to\":42}\n";
    let expected = format!("{gap}{}\n{}\n{}\n", said(43), said(44), said(45));
    assert_eq!((ended.code, &*ended.stdout), (Some(0), &*expected));
}

/// A message that bob said at this second.
fn said(id: u64, second: u64) -> String {
    format!(
        "{{\"type\":\"said\",\"id\":{id},\"time\":\"2026-11-22T18:59:{second:02}.123Z\",\
         \"room\":\"lobby\",\"user\":\"bob\",\"text\":\"{id}\"}}"
    )
}

/// Expects a request for earlier events with these fields, and answers it with these events.
#[track_caller]
fn answer_history(peer: &mut Peer, number: u32, fields: &str, events: &[String]) {
    peer.expect(&format!("{{\"type\":\"history\",{fields}\"nonce\":\"{number}\"}}\n"));
    let events = events.join(",");
    peer.send(&format!(
        "{{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{events}],\"more\":false,\
         \"nonce\":\"{number}\"}}\n{{\"type\":\"ack\",\"nonce\":\"{number}\"}}\n"
    ));
}

#[test]
fn saved_history_is_read_page_by_page() {
    let (_server, client, mut peer) = start(&["--since", "40", "--count", "6", "--json"]);
    answer_history(&mut peer, 1, "", &[said(45, 50), said(46, 51)]);
    // What comes meanwhile waits, and is printed once.
    peer.send(&format!("{}\n", said(47, 52)));
    answer_history(&mut peer, 2, "\"before\":45,\"limit\":200,", &[said(42, 40), said(43, 41)]);
    answer_history(&mut peer, 3, "\"before\":42,\"limit\":200,", &[said(39, 30), said(41, 31)]);
    peer.send(&format!("{}\n", said(47, 52)));
    peer.expect_quit();
    let ended = client.ended();
    let gap = "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":44,\"to\":44}\n";
    let lines = [said(41, 31), said(42, 40), said(43, 41)].map(|line| line + "\n").concat()
        + gap
        + &[said(45, 50), said(46, 51), said(47, 52)].map(|line| line + "\n").concat();
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &*lines, ""));
}

#[test]
fn a_time_is_a_place_in_the_history_too() {
    let args = ["--since", "2026-11-22T18:59:31Z", "--count", "3"];
    let (_server, client, mut peer) = start(&args);
    answer_history(&mut peer, 1, "", &[said(42, 40)]);
    answer_history(&mut peer, 2, "\"before\":42,\"limit\":200,", &[said(8, 30), said(9, 31)]);
    peer.last_id = 42;
    peer.said("bob", "now");
    peer.expect_quit();
    let ended = client.ended();
    // The disk has lost some events between 9 and 42.
    let lines = format!("[bob] 9\n{}\n[bob] 42\n[bob] now\n", skipped(32));
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &*lines, ""));
}

#[test]
fn reading_says_so_if_the_server_has_nothing_that_old() {
    for (since, gap) in [("40", skipped(1) + "\n"), ("2026-11-01", String::new())] {
        let (_server, client, mut peer) = start(&["--since", since, "--count", "2"]);
        answer_history(&mut peer, 1, "", &[said(43, 41)]);
        answer_history(&mut peer, 2, "\"before\":43,\"limit\":200,", &[said(42, 40)]);
        answer_history(&mut peer, 3, "\"before\":42,\"limit\":200,", &[]);
        peer.expect_quit();
        let ended = client.ended();
        assert_eq!(ended.stdout, format!("{gap}[bob] 42\n[bob] 43\n"));
        assert_eq!(ended.code, Some(0));
        assert!(ended.stderr.contains("nothing older than 2026-11-2"), "{ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn reading_back_shows_its_progress_on_a_terminal() {
    let server = FakeServer::start();
    let args = [&READ[..], &["--since", "40", "--count", "2"]].concat();
    let mut terminal = Terminal::start_sized(&server.address, &args, 60, 24, &[("TZ", "UTC")]);
    let mut peer = server.accept_member("watch");
    answer_history(&mut peer, 1, "", &[said(43, 41)]);
    terminal.expect_row("loaded back to 2026-11-22 18:59…");
    answer_history(&mut peer, 2, "\"before\":43,\"limit\":200,", &[said(40, 30), said(42, 31)]);
    peer.expect_quit();
    assert_eq!(terminal.ended(), 0);
    assert_eq!(terminal.rows(), [&*skipped(1), "[bob] 42", "[bob] 43"]);
}

#[test]
fn events_that_only_a_newer_server_knows_end_nothing_and_are_no_gap() {
    let (_server, client, mut peer) = start(&["--since", "40", "--count", "2"]);
    let firework =
        |id| said(id, 40).replacen("\"said\"", "\"firework\"", 1).replace("text", "colour");
    answer_history(&mut peer, 1, "", &[firework(45), firework(46)]);
    answer_history(&mut peer, 2, "\"before\":45,\"limit\":200,", &[firework(43), said(44, 31)]);
    let last = [said(40, 29), said(41, 30), firework(42)];
    answer_history(&mut peer, 3, "\"before\":43,\"limit\":200,", &last);
    peer.expect_quit();
    let ended = client.ended();
    let lines = "[bob] 41\n[bob] 44\n";
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), lines, ""));
}

#[test]
fn a_restart_is_no_gap_though_ids_jump() {
    let (_server, client, mut peer) = start(&["--since", "41", "--count", "2"]);
    let restarted = "{\"type\":\"restarted\",\"id\":9000000,\"time\":\"2026-11-22T18:59:45.000Z\",\
                     \"room\":\"lobby\"}";
    let events = [said(42, 40), restarted.to_owned(), said(9_000_001, 50)];
    answer_history(&mut peer, 1, "", &events);
    peer.expect_quit();
    let lines = "[bob] 42\n-- the server restarted --\n[bob] 9000001\n";
    let ended = client.ended();
    assert_eq!((&*ended.stdout, &*ended.stderr), (lines, ""));
}

#[test]
fn a_page_that_is_lost_with_the_connection_is_asked_for_again() {
    let (server, client, mut peer) = start(&["--since", "40", "--count", "4"]);
    answer_history(&mut peer, 1, "", &[said(44, 50)]);
    peer.expect("{\"type\":\"history\",\"before\":44,\"limit\":200,\"nonce\":\"2\"}\n");
    // Only the beginning of the answer arrives, which holds its oldest events.
    let part = said(41, 31);
    peer.send(&format!(
        "{{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{part}],\"more\":true,\
         \"nonce\":\"2\"}}\n"
    ));
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\"");
    peer.resume("watch", 44);
    let page = [said(41, 31), said(42, 40), said(43, 41)];
    answer_history(&mut peer, 3, "\"before\":44,\"limit\":200,", &page);
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "[bob] 41\n[bob] 42\n[bob] 43\n[bob] 44\n"));
}

#[test]
fn a_refusal_ends_the_reading_but_not_the_watch_and_a_busy_server_is_asked_again() {
    let (_server, client, mut peer) = start(&["--since", "40", "--count", "2"]);
    answer_history(&mut peer, 1, "", &[said(44, 50)]);
    let page = |number| {
        format!("{{\"type\":\"history\",\"before\":44,\"limit\":200,\"nonce\":\"{number}\"}}\n")
    };
    peer.expect(&page(2));
    peer.refuse("2", "busy");
    peer.expect(&page(3));
    peer.refuse("3", "not_kept");
    peer.send(&format!("{}\n", said(45, 50)));
    peer.expect_quit();
    let ended = client.ended();
    let lines = skipped(3) + "\n[bob] 44\n[bob] 45\n";
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &*lines, "madang: No.\n"));
}

#[test]
fn a_server_that_answers_nonsense_is_not_asked_for_ever() {
    let (_server, mut client, mut peer) = start(&["--since", "5"]);
    // Unordered, duplicated and absurd; then always the same.
    let page = [said(u64::MAX, 9), said(30, 8), said(10, 7), said(30, 6), said(20, 5)];
    answer_history(&mut peer, 1, "", &page);
    answer_history(&mut peer, 2, "\"before\":10,\"limit\":200,", &page);
    peer.last_id = 30;
    peer.said("bob", "still there");
    client.expect("[bob] still there\n");
    assert!(!peer.has_more(), "it has seen that page");
    let shown: Vec<String> = client.shown().lines().map(str::to_owned).collect();
    let max = format!("[bob] {}", u64::MAX);
    let (four, nine) = (skipped(4), skipped(9));
    // Nobody will ever count this many.
    let some = nine.replace("9 ", "");
    let expected = [&*four, "[bob] 10", &nine, "[bob] 20", &nine, "[bob] 30", &some, &max];
    assert_eq!(shown[..8], expected);
}

#[test]
fn an_answer_without_end_is_given_up() {
    let (_server, mut client, mut peer) = start(&["--since", "5"]);
    peer.expect("{\"type\":\"history\",\"nonce\":\"1\"}\n");
    let events: Vec<String> = (100..300).map(|id| said(id, 30)).collect();
    let part = format!(
        "{{\"type\":\"history\",\"room\":\"lobby\",\"events\":[{}],\"more\":true,\
         \"nonce\":\"1\"}}\n",
        events.join(",")
    );
    for _ in 0..200 {
        peer.send(&part);
    }
    // Live lines wait for a missing answer only up to a limit.
    let line = format!(
        "{{\"type\":\"whisper\",\"private\":PRIVATE,\"time\":\"2026-11-22T18:59:00.123Z\",\
         \"user\":\"bob\",\"text\":\"{}\"}}\n",
        "x".repeat(60_000)
    );
    for private in 1..=600 {
        peer.send(&line.replace("PRIVATE", &private.to_string()));
    }
    client.expect("[whisper bob] x");
}

#[test]
fn nothing_is_read_from_stdin() {
    let (_server, mut client, mut peer) = start(&["--count", "1"]);
    client.write("hi\n");
    client.end_input();
    peer.said("bob", "hello");
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_reader_that_has_gone_is_success() {
    let server = FakeServer::start();
    let client = Client::start_unread(&server, &READ);
    let mut peer = server.accept_member("watch");
    peer.said("bob", "hello");
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

#[test]
fn colours_are_there_if_they_are_wished() {
    for (args, has_colours) in [(&["--color", "always"][..], true), (&[], false)] {
        let (_server, client, mut peer) = start(&[&["--count", "1"], args].concat());
        peer.said("bob", "hi");
        peer.expect_quit();
        let ended = client.ended();
        assert_eq!(ended.stdout.contains('\x1b'), has_colours, "{ended:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_nothing_is_a_failure() {
    let server = FakeServer::start();
    let full = std::fs::File::create("/dev/full").expect("Linux has it");
    let mut command = command(&server.address, &READ);
    command.stdout(full).stderr(Stdio::piped());
    let child = spawn_program(&mut command).expect("the binary is built");
    let mut peer = server.accept_member("watch");
    peer.said("bob", "hello");
    peer.expect_quit();
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("madang: "), "{stderr}");
}

#[test]
fn a_watch_comes_back() {
    let (server, client, mut peer) = start(&["--count", "2"]);
    peer.said("bob", "one");
    drop(peer);
    let mut peer = server.accept_json();
    peer.expect_login("\"session\":\"t\",\"last\":2");
    peer.resume("watch", 1);
    peer.said("bob", "one");
    peer.said("bob", "two");
    peer.expect_quit();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "[bob] one\n[bob] two\n"));
}
