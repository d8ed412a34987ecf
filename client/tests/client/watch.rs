//! `--read`: messages are printed, and nothing is said.

#[cfg(target_os = "linux")]
use std::process::Stdio;

#[cfg(target_os = "linux")]
use crate::client::command;
use crate::{
    client::Client,
    fake_server::{FakeServer, Peer},
};

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
fn what_was_said_since_an_id_comes_first_and_only_once() {
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
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().expect("the binary is built");
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
