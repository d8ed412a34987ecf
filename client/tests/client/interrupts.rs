//! Ctrl-C in a pipe, once and twice.

use std::time::{Duration, Instant};

use crate::{
    client::Client,
    fake_server::{FakeServer, Peer},
};

/// A client in a pipe that was interrupted after joining the room.
#[track_caller]
fn interrupted() -> (FakeServer, Client, Peer) {
    let server = FakeServer::start();
    let mut client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept_member("bot");
    peer.said("alice", "hello");
    client.expect("[alice] hello\n");
    client.interrupt();
    (server, client, peer)
}

#[test]
fn an_interrupt_quits_first() {
    let (_server, client, peer) = interrupted();
    peer.expect_quit();
    assert_eq!(client.ended().code, Some(130));
}

#[test]
fn a_second_interrupt_waits_for_nothing() {
    // On a busy machine, one attempt may take as long as the client waits for an answer, but not
    // all of them.
    let is_quick = (0..30).any(|_| {
        let (_server, client, mut peer) = interrupted();
        peer.expect("{\"type\":\"command\",\"line\":\"/quit\"}\n");
        let interrupted_at = Instant::now();
        client.interrupt();
        assert_eq!(client.ended().code, Some(130));
        interrupted_at.elapsed() < Duration::from_secs(2)
    });
    assert!(is_quick, "an answer is waited for");
}
