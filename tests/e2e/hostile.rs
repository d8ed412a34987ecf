//! Hostile and dead WebSocket peers: each is closed with the right code, and nobody else is
//! affected.

use std::time::{Duration, Instant};

use madang_protocol::{
    foreign::Foreign,
    notice::{Goodbye, Notice},
};
use madang_server::admission::rate_limit::RateLimit;
use madang_tests::{DEADLINE, Frame, NEVER, TestClient, TestServer, WebSocketClient, frame, told};

/// Each bad input is sent to the chat before and after the login, and to `/echo`.
#[test]
fn bad_frames_are_answered_with_their_code() {
    let server = TestServer::start(|_| {});
    let mut member = server.login("member");
    let endless_fragments: Vec<u8> = std::iter::once(frame(0x01, "x"))
        .chain((0..256).map(|_| frame(0x00, "")))
        .flatten()
        .collect();
    let too_long = [0x01, 0x00].map(|first| frame(first, vec![b'x'; 40_000])).concat();
    let length = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), b"mask"].concat();
    let cases: [(&str, Vec<u8>, u16); 12] = [
        ("a fragment too many", endless_fragments, 1009),
        ("fragments that grow too long", too_long, 1009),
        ("a control frame of 126 bytes", frame(0x89, [0; 126]), 1002),
        ("a fragmented control frame", frame(0x09, ""), 1002),
        ("a length of 2^63", length(1 << 63), 1002),
        ("a length of 2^62", length(1 << 62), 1009),
        ("a message too long", frame(0x81, vec![b'x'; (64 << 10) + 1]), 1009),
        ("no mask", b"\x81\x02hi".to_vec(), 1002),
        ("not UTF-8", frame(0x81, b"\xff"), 1007),
        ("binary", frame(0x82, "hi"), 1003),
        ("a reserved bit", frame(0xc1, "hi"), 1002),
        ("a reserved opcode", frame(0x83, "hi"), 1002),
    ];
    for (at, (what, bytes, code)) in cases.into_iter().enumerate() {
        let name = format!("bad{at}");
        let clients = [
            server.login_websocket(&name),
            server.connect_websocket(),
            WebSocketClient::open_json(server.web_address()),
            WebSocketClient::open(server.web_address(), "/echo", &[]),
        ];
        for mut client in clients {
            client.raw().try_send(&bytes);
            while client.peek_is_message() {
                client.expect_message();
            }
            assert_eq!(client.expect_close(), Some(code), "{what}");
        }
        member.expect(format!("[{name}]님이 퇴장했습니다.\n"));
    }
    member.send("unharmed\n").expect_next("[member] unharmed\n");
}

#[test]
fn messages_before_a_bad_frame_are_said() {
    let server = TestServer::start(|_| {});
    let mut member = server.login("member");
    let cases = [(frame(0x82, "hi"), 1003), (frame(0x81, b"\xff"), 1007), (frame(0xc1, ""), 1002)];
    for (at, (bad, code)) in cases.into_iter().enumerate() {
        let name = format!("bad{at}");
        let mut client = server.login_websocket(&name);
        member.expect(format!("[{name}]님이 입장했습니다.\n"));
        let (first, second) = (frame(0x81, "first"), frame(0x81, "second"));
        client.raw().send([first, second, bad].concat());
        for said in ["first", "second"] {
            client.expect_next(&format!("[{name}] {said}"));
            member.expect_next(format!("[{name}] {said}\n"));
        }
        // The reason as text, then as a code.
        client.expect_message();
        assert_eq!(client.expect_close(), Some(code));
        member.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
fn a_message_has_its_time_and_dripping_moves_no_deadline() {
    let server = TestServer::start(|config| {
        config.websocket.assembly_timeout = Duration::from_secs(1);
    });
    let mut member = server.login("member");
    let mut fragments = server.login_websocket("fragments");
    let mut drips = server.login_websocket("drips");
    let started = Instant::now();
    fragments.send_frame(0x01, "never");
    let slow = frame(0x81, "a message that takes its time, and more than that");
    for byte in slow.iter().chain(std::iter::repeat(&b'x')) {
        let is_over = loop {
            if !drips.raw().has_more_within(Duration::from_millis(50)) {
                break false;
            }
            if !drips.peek_is_message() {
                break true;
            }
            drips.expect_message();
        };
        if is_over {
            break;
        }
        drips.raw().try_send([*byte]);
        // A Ping in between is answered, and does not end the message.
        fragments.raw().try_send(frame(0x89, ""));
        assert!(started.elapsed() < DEADLINE, "it is never closed");
    }
    assert_eq!(drips.expect_close(), Some(1008));
    while fragments.peek_first() == 0x8a || fragments.peek_is_message() {
        fragments.expect_frame();
    }
    assert_eq!(fragments.expect_close(), Some(1008));
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    member.expect("[fragments]님이 퇴장했습니다.\n");
}

#[test]
fn messages_that_end_in_time_are_each_given_theirs() {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let server = TestServer::start(|config| config.websocket.assembly_timeout = TIMEOUT);
    let mut client = server.login_websocket("alice");
    // The end of one message and the beginning of the next arrive together, for longer than one
    // message may take.
    let started = Instant::now();
    client.send_frame(0x01, "0");
    let mut said = 0;
    while started.elapsed() < TIMEOUT + TIMEOUT / 3 {
        client.expect_nothing_for(TIMEOUT / 10);
        let both = [frame(0x80, ""), frame(0x01, (said + 1).to_string())].concat();
        client.raw().send(both);
        client.expect_next(&format!("[alice] {said}"));
        said += 1;
    }
}

#[test]
fn a_message_is_not_late_because_nobody_read_it() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let server = TestServer::start(|config| {
        config.websocket.assembly_timeout = TIMEOUT;
        (config.outbox_bytes, config.unsent_bytes) = (1_000, 4_096);
    });
    let mut client = WebSocketClient::open_with_buffer(server.web_address(), 4 * 1_024);
    client.login("alice");
    // The answers to the Pings fill the outbox, and meanwhile nothing more is read.
    let ping = frame(0x89, [b'x'; 125]);
    client.raw().send([frame(0x01, "hel"), ping.repeat(600), frame(0x80, "lo")].concat());
    // The time limit of the message passes before reading makes space.
    std::thread::sleep(TIMEOUT + TIMEOUT / 2);
    for _ in 0..600 {
        assert_eq!(client.expect_frame().first, 0x8a);
    }
    client.expect_next("[alice] hello");
}

#[test]
fn a_client_that_does_not_answer_pings_is_dropped() {
    const PONG_TIMEOUT: Duration = Duration::from_secs(3);
    let server = TestServer::start(|config| {
        config.websocket.ping_interval = Duration::from_millis(100);
        config.websocket.pong_timeout = PONG_TIMEOUT;
    });
    let mut member = server.login("member");
    let mut dead = server.login_websocket("dead");
    let mut alive = server.login_websocket("alive");
    member.expect("[alive]님이 입장했습니다.\n");
    let started = Instant::now();
    let ping = Frame { first: 0x89, payload: Vec::new() };
    // On a busy machine, the Ping may come before it is told of the other.
    let (mut is_pinged, mut is_told) = (false, false);
    while !is_pinged || !is_told {
        let frame = dead.expect_frame();
        is_pinged |= frame == ping;
        is_told |= frame.payload.starts_with(b"[alive]");
    }
    // Anything received counts as a sign of life, not only a pong.
    while !member.has_more_within(Duration::from_millis(20)) {
        alive.send("");
        while alive.raw().has_more_within(Duration::ZERO) {
            alive.expect_frame();
        }
        assert!(started.elapsed() < DEADLINE, "it is never missed");
    }
    member.expect_next("[dead]님이 퇴장했습니다.\n");
    assert!(started.elapsed() >= PONG_TIMEOUT, "{:?}", started.elapsed());
    dead.raw().expect_closed();
    server.console_expect("[dead] 퇴장 (127.0.0.1: 연결 끊김");
    alive.send("here").expect("[alive] here");
}

#[test]
fn control_frames_are_charged_like_lines() {
    let limit =
        RateLimit { lines_per_second: 50.0, burst_lines: 10.0, ..RateLimit::per_second(10) };
    for path in ["/", "/echo"] {
        let server = TestServer::start(|config| config.rate_limit = Some(limit));
        let mut client = WebSocketClient::open(server.web_address(), path, &[]);
        while path == "/" && !client.expect_message().ends_with("ID:") {}
        let started = Instant::now();
        for at in 0..60u8 {
            client.raw().send(frame(if at % 2 == 0 { 0x89 } else { 0x8a }, [at]));
        }
        for at in (0..60u8).step_by(2) {
            assert_eq!(client.expect_frame(), Frame { first: 0x8a, payload: vec![at] });
        }
        let passed = started.elapsed();
        assert!(passed >= Duration::from_millis(900), "{path}: {passed:?}");
    }
}

#[test]
fn pings_whose_answers_are_not_read_end_the_reading() {
    let server = TestServer::start(|_| {});
    let mut client = WebSocketClient::open_with_buffer(server.web_address(), 4 * 1_024);
    let pings = frame(0x89, [b'x'; 125]).repeat(500);
    let stream = client.raw().stream();
    // A server that accepts nothing for this long is not reading, however busy it is.
    stream.set_write_timeout(Some(Duration::from_secs(3))).expect("it is connected");
    let mut sent = 0;
    // Far more than the buffers of both kernels hold.
    const FLOOD_BYTES: usize = 128 << 20;
    while sent < FLOOD_BYTES && std::io::Write::write_all(&mut &*stream, &pings).is_ok() {
        sent += pings.len();
    }
    assert!(sent < FLOOD_BYTES, "answers are held without end");
}

#[test]
fn little_is_read_after_a_refusal() {
    /// More than the kernels hold for a connection.
    const FLOOD_BYTES: usize = 20 << 20;
    /// Read before the refusal, and after it, so that no reset overtakes the refusal.
    const MOST_BYTES: u64 = (64 << 10) + (256 << 10) + (8 << 10);
    /// A server that takes nothing for so long has stopped reading, or is slower than that.
    const PAUSE: Duration = Duration::from_millis(300);

    let server = TestServer::start(|config| config.linger = NEVER);
    let (lines, web) = (server.address(), server.web_address());
    let endless = vec![b'x'; FLOOD_BYTES];
    let bad_frame = WebSocketClient::request(web, "/", &[]) + "\u{1}\u{2}hi";
    let http = Foreign::Http;
    let no_chat = Notice::Goodbye(Goodbye::Foreign { foreign: http, web_port: Some(web.port()) });
    for (what, address, start, answer) in [
        ("a head", web, "GET / HTTP/1.1\r\nX: ", "HTTP/1.1 431 "),
        ("a body", web, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 "),
        ("a line", lines, "alice\n", "65,536"),
        ("what is no chat", lines, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &told(no_chat)),
        ("a frame without a mask", web, &bad_frame, "HTTP/1.1 101 "),
    ] {
        let mut client = TestClient::connect(address);
        let (sent, read) = client.send(start).flood(&endless, PAUSE);
        let is_bounded = read.map_or(sent < FLOOD_BYTES, |read| read <= MOST_BYTES);
        assert!(is_bounded, "{what}: {read:?} bytes are read of {sent} that were sent");
        client.expect(answer);
    }
}
