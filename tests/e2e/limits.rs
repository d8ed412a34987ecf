//! Limits for one peer: time to log in, lines per second, connections.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_server::admission::rate_limit::RateLimit;
use madang_tests::{DEADLINE, NEVER, QUIET, TestClient, TestServer, WebSocketClient, told};

fn too_late(seconds: u64) -> Notice<'static> {
    Notice::Goodbye(Goodbye::LoginTimeout { seconds })
}

#[test]
fn the_login_deadline_holds_against_a_peer_that_drips() {
    let server = TestServer::start(|config| config.login_timeout = Duration::from_secs(1));
    let mut client = server.connect();
    let started = Instant::now();
    client.expect("로그인ID:");
    while !client.has_more_within(Duration::from_millis(20)) {
        client.send("x");
        assert!(started.elapsed() < DEADLINE, "it is never closed");
    }
    client.expect_next(told(too_late(1))).expect_closed();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    server.console_expect("(#1: 1초 안에 로그인하지 않음)\n");
}

#[test]
fn the_login_deadline_holds_against_a_peer_that_talks() {
    let server = TestServer::start(|config| config.login_timeout = Duration::from_secs(1));
    let mut client = server.connect();
    let started = Instant::now();
    client.expect("로그인ID:");
    let login_first = Notice::LoginFirst.text(Lang::Ko);
    let mut answer = login_first.clone();
    while answer.ends_with(&login_first) {
        client.try_send("/who\n");
        answer = client.expect_line();
        assert!(started.elapsed() < DEADLINE, "it is never closed");
    }
    assert!(answer.ends_with(told(too_late(1)).trim_end()), "{answer}");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn a_client_silent_at_the_prompt_is_closed_and_a_silent_member_is_not() {
    let server = TestServer::start(|config| config.login_timeout = Duration::from_secs(3));
    let mut member = server.login("member");
    let mut silent = server.connect();
    silent.expect("로그인ID:");
    silent.expect_next(told(too_late(3))).expect_closed();
    member.send("still here\n").expect_next("[member] still here\n");
}

#[test]
fn the_rate_limit_delays_lines_and_drops_none() {
    let limit =
        RateLimit { lines_per_second: 50.0, burst_lines: 10.0, ..RateLimit::per_second(10) };
    let server = TestServer::start(|config| config.rate_limit = Some(limit));
    let mut bob = server.login("bob");
    let mut alice = server.login("alice");
    bob.expect("[alice]님이 입장했습니다.\n");
    let started = Instant::now();
    alice.send((0..60).map(|n| format!("line {n}\n")).collect::<String>());
    // The burst, which includes the name.
    for n in 0..9 {
        bob.expect_next(format!("[alice] line {n}\n"));
    }
    for n in 9..60 {
        bob.expect_next(format!("[alice] line {n}\n"));
    }
    let passed = started.elapsed();
    // 51 more lines at 50 a second, minus the allowance that accrued during the burst.
    assert!(passed >= Duration::from_millis(900), "{passed:?}");
    // Others can talk in the meantime, and nobody is disconnected.
    alice.send("/quit\n").expect("line 59\n");
    alice.expect_closed();
}

/// A name and two lines; the next line would wait longer than any test does.
fn three_lines() -> RateLimit {
    let lines_per_second = 1.0 / NEVER.as_secs_f64();
    RateLimit { lines_per_second, burst_lines: 3.0, ..RateLimit::per_second(10) }
}

#[test]
fn a_delayed_member_delays_nobody_else() {
    let server = TestServer::start(|config| config.rate_limit = Some(three_lines()));
    let mut bob = server.login("bob");
    let mut alice = server.login("alice");
    alice.send("1\n2\n3\n4\n").expect_next("[alice] 1\n[alice] 2\n");
    bob.expect("[alice] 2\n");
    bob.send("not hindered\n").expect_next("[bob] not hindered\n");
    alice.expect_next("[bob] not hindered\n");
}

/// Connects, says 18 lines and quits, again and again until `deadline`; returns how many of the
/// lines were said.
fn say_and_reconnect(address: SocketAddr, name: &str, deadline: Instant) -> usize {
    let mut said = 0;
    for round in (0..).take_while(|_| Instant::now() < deadline) {
        // A new name each time, so that earlier messages are not counted again.
        let name = format!("{name}-{round}");
        let mut stream = TcpStream::connect(address).expect("it listens");
        let lines = format!("{name}\n{}/quit\n", "x\n".repeat(18));
        stream.write_all(lines.as_bytes()).expect("it reads");
        let mut heard = String::new();
        stream.read_to_string(&mut heard).expect("it closes");
        said += heard.matches(&format!("[{name}] x\n")).count();
    }
    said
}

#[test]
fn reconnecting_gains_no_extra_lines() {
    const PEERS: usize = 40;
    let server = TestServer::start(|config| config.rate_limit = Some(RateLimit::per_second(10)));
    let address = server.address();
    let started = Instant::now();
    let peers: Vec<_> = (0..PEERS)
        .map(|at| {
            let deadline = started + Duration::from_secs(3);
            std::thread::spawn(move || say_and_reconnect(address, &format!("f{at}"), deadline))
        })
        .collect();
    let said: usize = peers.into_iter().map(|peer| peer.join().expect("no panic")).sum();
    let seconds = started.elapsed().as_secs_f64();
    // Twenty bursts, five more per second, and ten lines per second for each peer.
    let most = 20.0 * (20.0 + 5.0 * seconds) + 10.0 * PEERS as f64 * seconds;
    println!("{said} lines in {seconds:.1} s: {:.0} a second", said as f64 / seconds);
    assert!(said > 18 && said as f64 <= most, "{said} lines in {seconds} s, at most {most}");
}

/// A line client over any transport.
enum Peer {
    Lines(TestClient),
    Messages(WebSocketClient),
}

#[test]
fn a_spent_burst_is_spent_at_every_door() {
    for (first, second) in [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)] {
        let server = TestServer::start_with_tls(|config| config.rate_limit = Some(three_lines()));
        // Over TLS, over WebSocket over TLS, and in lines.
        let connect = |door: usize| {
            let mut client = match door {
                0 => Peer::Lines(server.connect_tls()),
                1 => Peer::Messages(server.connect_wss("/", &[])),
                _ => Peer::Lines(server.connect()),
            };
            match &mut client {
                Peer::Lines(client) => _ = client.expect("ID:"),
                Peer::Messages(client) => while !client.expect_message().ends_with("ID:") {},
            }
            client
        };
        let mut alice = connect(first);
        for line in ["alice", "1", "2"] {
            match &mut alice {
                Peer::Lines(client) => _ = client.send(format!("{line}\n")),
                Peer::Messages(client) => _ = client.send(line),
            }
        }
        match &mut alice {
            Peer::Lines(client) => _ = client.expect("[alice] 2\n"),
            Peer::Messages(client) => _ = client.expect("[alice] 2"),
        }
        drop(alice);
        server.console_expect("[alice] 퇴장");
        let mut bob = connect(second);
        match &mut bob {
            Peer::Lines(client) => client.send("bob\n").expect_nothing(),
            Peer::Messages(client) => client.send("bob").expect_nothing_for(QUIET),
        }
        assert!(!server.console().contains("[bob]"), "door {first}, then {second}");
    }
}

#[test]
fn a_class_behind_one_address_logs_in_at_once() {
    let server = TestServer::start(|config| config.rate_limit = Some(RateLimit::per_second(10)));
    let mut pupils: Vec<TestClient> = (0..200).map(|_| server.connect()).collect();
    for (at, pupil) in pupils.iter_mut().enumerate() {
        pupil.expect("ID:");
        pupil.send(format!("pupil{at}\n"));
    }
    for (at, pupil) in pupils.iter_mut().enumerate() {
        pupil.expect(format!("[pupil{at}]님이 입장했습니다.\n"));
    }
}

#[test]
fn a_reset_ends_the_wait_of_a_delayed_member() {
    let server = TestServer::start(|config| config.rate_limit = Some(three_lines()));
    let mut bob = server.login("bob");
    let mut alice = server.login("alice");
    alice.send("1\n2\n3\n4\n").expect_next("[alice] 1\n[alice] 2\n");
    alice.reset();
    bob.expect("[alice]님이 퇴장했습니다.\n");
}

#[test]
fn stopping_ends_the_wait_of_a_delayed_member() {
    let mut server = TestServer::start(|config| config.rate_limit = Some(three_lines()));
    let mut alice = server.login("alice");
    alice.send("1\n2\n3\n4\n").expect_next("[alice] 1\n[alice] 2\n");
    server.stop();
    alice.expect_next(Notice::Goodbye(Goodbye::Shutdown).text(Lang::Ko) + "\n").expect_closed();
}

#[test]
fn answers_that_are_not_read_end_the_reading() {
    const IAC: u8 = 255;
    const IP: u8 = 244;
    /// A server that accepts nothing for this long has stopped reading, however busy it is.
    const STALL: Duration = Duration::from_secs(3);
    /// What goes out before both kernels' buffers are full, and much more.
    const FLOOD_BYTES: usize = 128 << 20;
    let check = |limit: Option<RateLimit>, log_in: bool| {
        let server = TestServer::start(|config| config.rate_limit = limit);
        let mut client = TestClient::connect_with_buffer(server.address(), 4 * 1_024);
        if log_in {
            client.login("alice");
        } else {
            client.expect("ID:");
        }
        // Each interrupt is answered, at once and every time.
        let interrupts = [IAC, IP].repeat(32 * 1_024);
        let mut stream = client.into_stream();
        stream.set_write_timeout(Some(STALL)).expect("it is connected");
        let mut sent = 0;
        while sent < FLOOD_BYTES && stream.write_all(&interrupts).is_ok() {
            sent += interrupts.len();
        }
        assert!(sent < FLOOD_BYTES, "answers are held without end (member: {log_in}, {limit:?})");
    };
    let limits = [None, Some(RateLimit::per_second(10))];
    std::thread::scope(|scope| {
        for (limit, log_in) in limits.into_iter().flat_map(|limit| [(limit, true), (limit, false)])
        {
            scope.spawn(move || check(limit, log_in));
        }
    });
}

#[test]
fn a_full_server_refuses_peers_and_takes_one_when_another_has_left() {
    let server = TestServer::start(|config| config.max_connections = Some(2));
    let mut alice = server.login("alice");
    let bob = server.login("bob");
    for _ in 0..3 {
        let mut refused = server.connect();
        let words = refused.expect_line();
        assert!(words.contains("server is full"), "{words}");
        refused.expect_closed();
    }
    // A peer that talks before it listens reads the refusal, too.
    let mut refused = server.connect();
    refused.try_send("carol\n");
    refused.expect("server is full");
    server.console_expect("연결 거절 (서버가 가득 참)\n");
    drop(bob);
    alice.expect("[bob]님이 퇴장했습니다.\n");
    // There is a moment between leaving and the end of the connection.
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut carol = server.connect();
        if carol.expect_line().starts_with("Madang/1 ") {
            carol.login("carol");
            break;
        }
        assert!(Instant::now() < deadline, "there is no room for ever");
    }
    alice.expect_next("[carol]님이 입장했습니다.\n");
}

#[test]
fn loopback_is_exempt_from_the_limit_per_address() {
    let server = TestServer::start(|config| {
        config.max_per_address = Some(1);
        config.max_logins_per_address = 1;
    });
    let clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for mut client in clients {
        client.expect("로그인ID:");
    }
}
