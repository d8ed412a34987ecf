//! Two servers of a cluster behind a real HAProxy, with the configuration of `CLUSTER.md`.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use madang_tests::{Program, TestFolder, WebSocketClient, redis::TestRedis};

use crate::{
    cluster::{count, join_once_free, joined, left, node},
    incoming::PATIENCE,
    peer::Peer,
    server_process::ServerProcess,
};

const PAGE: &str = include_str!("../../CLUSTER.md");

/// A running HAProxy.
struct HaProxy {
    address: SocketAddr,
    _program: Program,
    _folder: TestFolder,
}

impl HaProxy {
    /// With the configuration of the page, before these servers, and without TLS.
    #[track_caller]
    fn start(servers: &[ServerProcess; 2]) -> HaProxy {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let (_, rest) = PAGE.split_once("# haproxy.cfg\n").expect("the page has it");
        let (page, _) = rest.split_once("```").expect("it ends");
        let replaced = [
            ("bind :443 ssl crt /etc/haproxy/chat.example.org.pem", format!("bind {address}")),
            ("10.0.0.11:9998", servers[0].web_address.to_string()),
            ("10.0.0.12:9998", servers[1].web_address.to_string()),
            // The same, sooner.
            ("inter 2s", "inter 100ms".to_owned()),
        ];
        let conf = replaced.into_iter().fold(page.to_owned(), |conf, (from, to)| {
            assert!(conf.contains(from), "{from} is not in it");
            conf.replace(from, &to)
        });
        let folder = TestFolder::new();
        let conf = folder.write("haproxy.cfg", &conf);
        let program = Program::start(Command::new("haproxy").arg("-db").arg("-f").arg(conf));
        let proxy = HaProxy { address, _program: program, _folder: folder };
        proxy.wait_for("200 OK");
        proxy
    }

    /// Waits until `/healthz` is answered with this status.
    #[track_caller]
    fn wait_for(&self, status: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.health() != status {
            assert!(Instant::now() < deadline, "{status} is not what /healthz says");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The status of `/healthz`; empty if nobody answers.
    fn health(&self) -> String {
        // It may not listen yet.
        let Ok(stream) = std::net::TcpStream::connect(self.address) else { return String::new() };
        drop(stream);
        let mut peer = Peer::connect(self.address);
        peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        peer.expect("HTTP/1.1 ");
        peer.expect("\r\n")
    }
}

/// Whether killing this server has cut the connection of a member who came by the proxy. Either
/// way, the member talks with those of the other server afterwards.
#[track_caller]
fn is_cut_by_the_end_of(victim: usize) -> bool {
    let redis = TestRedis::start();
    let servers = [node(&redis), node(&redis)];
    let proxy = HaProxy::start(&servers);
    let [mut bob, mut carol] =
        [("bob", 0), ("carol", 1)].map(|(name, at)| Peer::join(servers[at].address, name));
    bob.expect(&joined("carol"));
    let mut alice = WebSocketClient::open(proxy.address, "/", &[]);
    alice.login("alice");
    alice.send("hello");
    bob.expect("[alice] hello\n");
    carol.expect("[alice] hello\n");

    let [one, two] = servers;
    let (killed, lives, mut witness) =
        if victim == 0 { (one, two, carol) } else { (two, one, bob) };
    drop(killed);
    let gone = if victim == 0 { "bob" } else { "carol" };
    witness.expect(&left(gone));
    // Those who leave with their server do so together, and then their names are free.
    let _again = join_once_free(lives.address, gone);
    witness.say("who is there?");
    let is_cut = count(&mut witness, &left("alice"), "who is there?\n") == 1;
    if is_cut {
        alice = WebSocketClient::open(proxy.address, "/", &[]);
        alice.login("alice");
    }
    alice.send("I am here");
    witness.expect("[alice] I am here\n");
    is_cut
}

#[test]
#[ignore = "needs redis-server and haproxy"]
fn behind_haproxy_clients_of_a_killed_server_go_on_with_the_other() {
    // The proxy chooses by their address, which is always the same here.
    assert_ne!(is_cut_by_the_end_of(0), is_cut_by_the_end_of(1));
}

#[test]
#[ignore = "needs redis-server and haproxy"]
fn haproxy_leaves_out_servers_that_do_not_reach_redis() {
    let mut redis = TestRedis::start();
    let servers = [node(&redis), node(&redis)];
    let proxy = HaProxy::start(&servers);
    redis.kill();
    proxy.wait_for("503 Service Unavailable");
    redis.start_again();
    proxy.wait_for("200 OK");
}
