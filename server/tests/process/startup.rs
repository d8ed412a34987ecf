//! What the operator reads first.

use std::net::IpAddr;

use crate::{
    peer::Peer,
    program::Program,
    server_process::{ServerProcess, command},
};

#[test]
fn one_address_is_told_for_every_program_and_the_browser_first() {
    let own: Vec<IpAddr> = if_addrs::get_if_addrs()
        .expect("interfaces can be listed")
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| interface.ip())
        .collect();
    let flags = ["--listen", "0", "--web", "0", "--lang", "en"];
    let mut server = Program::start(command().args(flags));
    let before = server.out().expect("Join with:\n");
    assert!(before.contains("Ctrl-C"), "{before}");
    let browser = server.out().expect("\n");
    let madang = server.out().expect("\n");
    let nc = server.out().expect("\n");
    // The server is asked to stop, so that all of its lines are here.
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    server.out().expect_end();
    let said = String::from_utf8_lossy(server.out().bytes()).into_owned();

    let words: Vec<&str> = nc.split_whitespace().collect();
    let [_, _, ip, port] = words[..] else { panic!("{nc}") };
    let ip: IpAddr = ip.parse().expect("an address");
    let address = std::net::SocketAddr::new(ip, port.parse().expect("a port"));
    assert!(browser.starts_with(&format!("  browser  http://{}", ip)), "{said}");
    assert_eq!(madang, format!("  madang   madang {address}"));
    if let Some(first) = own.iter().min_by_key(|ip| (ip.is_ipv6(), **ip)) {
        assert_eq!(ip, *first);
        // Its other addresses lead to the same door, and are shown at most once.
        for other in own.iter().filter(|ip| **ip != *first) {
            let most = usize::from(other.is_ipv4() || first.is_ipv6());
            assert_eq!(said.matches(&other.to_string()).count(), most, "{said}");
        }
        for useless in ["localhost", "127.0.0.1", "::1 "] {
            assert!(!said.contains(useless), "others can't use {useless}:\n{said}");
        }
    }
}

#[test]
fn a_server_that_listens_everywhere_is_reached_over_ipv4_and_ipv6() {
    let mut server = Program::start(command().args(["--listen", "[::]:0"]));
    server.out().expect("  nc ");
    let first_nc = server.out().expect("\n");
    let port = first_nc.split(' ').next_back().expect("there is always a last part");
    let port = port.parse().expect("nc is told a port");
    Peer::connect(([127, 0, 0, 1], port).into()).expect("로그인ID:");
    let has_ipv6 = if_addrs::get_if_addrs()
        .expect("interfaces can be listed")
        .iter()
        .any(|interface| interface.is_loopback() && interface.ip().is_ipv6());
    if has_ipv6 {
        Peer::connect((std::net::Ipv6Addr::LOCALHOST, port).into()).expect("로그인ID:");
    }
}

#[test]
fn the_room_for_people_is_told_and_what_limits_it_to_those_who_ask() {
    let flags = ["--max-connections", "7"];
    let mut server = ServerProcess::start(&flags);
    let said = String::from_utf8_lossy(server.out().bytes()).into_owned();
    assert!(said.contains("+++ 7명까지 들어올 수 있습니다.\n"), "{said}");
    assert!(!said.contains("--max-connections"), "{said}");
    let mut server = ServerProcess::start_as(command().env("RUST_LOG", "info").args(flags));
    server.err().expect("connections=7 limit=--max-connections\n");
}

#[test]
fn connections_beyond_the_limit_are_told_that_the_server_is_full() {
    let server = ServerProcess::start(&["--max-connections", "1"]);
    let mut first = Peer::join(server.address, "alice");
    let mut second = Peer::connect(server.address);
    assert!(second.expect_end().contains("server is full"));
    first.say("/quit");
    assert_eq!(first.expect_end(), "");
}

#[test]
fn the_banner_shows_where_the_metrics_are() {
    let mut server = ServerProcess::start(&["--metrics", "127.0.0.1:0", "--lang", "en"]);
    server.out().expect("+++ Metrics: http://");
    let address = server.out().expect("/metrics\n").parse().expect("an address");
    let mut peer = Peer::connect(address);
    peer.send(b"GET /metrics HTTP/1.0\r\n\r\n");
    peer.expect("\nmadang_sessions 0\n");
}
