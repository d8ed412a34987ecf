//! What the operator reads first.

use std::net::IpAddr;

use crate::{
    peer::Peer,
    program::Program,
    server_process::{ServerProcess, command},
};

#[test]
fn every_address_of_this_machine_is_said_for_every_program() {
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
    server.out().expect("  nc ");
    let first_nc = server.out().expect("\n");
    let port = first_nc.split(' ').next_back().expect("there is always a last part");
    // The server is asked to stop, so that all of its lines are here.
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    server.out().expect_end();
    let said = String::from_utf8_lossy(server.out().bytes()).into_owned();

    for ip in &own {
        let address = std::net::SocketAddr::new(*ip, port.parse().expect("nc is told a port"));
        for line in [
            format!("\n  nc {ip} {port}\n"),
            format!("\n  curl -NT. telnet://{address} "),
            format!("\n  madang {address}\n"),
        ] {
            assert!(said.contains(&line), "{line:?} is missing in\n{said}");
        }
    }
    if !own.is_empty() {
        for useless in ["localhost", "127.0.0.1", "::1 "] {
            assert!(!said.contains(useless), "others can't use {useless}:\n{said}");
        }
    }
}

#[test]
fn who_listens_everywhere_is_reached_over_both_protocols() {
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
fn the_number_of_connections_is_said_with_what_limits_it() {
    let mut server = ServerProcess::start(&["--max-connections", "7"]);
    let said = String::from_utf8_lossy(server.out().bytes()).into_owned();
    assert!(said.contains("+++ 동시 연결 7개까지 (--max-connections)\n"), "{said}");

    let mut server = ServerProcess::start(&["--lang", "en"]);
    let said = String::from_utf8_lossy(server.out().bytes()).into_owned();
    let line = said.lines().find(|line| line.starts_with("+++ Up to ")).unwrap_or_default();
    let limits = ["ulimit -n", "vm.max_map_count", "threads"];
    assert!(limits.iter().any(|limit| line.contains(limit)), "{said}");
}

#[test]
fn more_than_max_connections_are_told() {
    let server = ServerProcess::start(&["--max-connections", "1"]);
    let mut first = Peer::join(server.address, "alice");
    let mut second = Peer::connect(server.address);
    assert!(second.expect_end().contains("server is full"));
    first.say("/quit");
    assert_eq!(first.expect_end(), "");
}

#[test]
fn where_the_numbers_are_is_said_and_true() {
    let mut server = ServerProcess::start(&["--metrics", "127.0.0.1:0", "--lang", "en"]);
    server.out().expect("numbers are at http://");
    let address = server.out().expect("/metrics\n").parse().expect("an address");
    let mut peer = Peer::connect(address);
    peer.send(b"GET /metrics HTTP/1.0\r\n\r\n");
    peer.expect("\nmadang_sessions 0\n");
}
