//! TLS: peers without it, peers that break it, and peers that speak it well. `doors` has
//! conversations over TLS.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use madang_protocol::{
    foreign::Foreign,
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_tests::{
    Authority, DEADLINE, Flaw, NEVER, TestClient, TestFolder, TestServer, WebSocketClient,
    skipped_lines, told, who,
};
use rustls::{
    Error,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};

/// About as much as the kernel buffers for a client that does not read.
const SMALL_BUFFER: usize = 4 * 1_024;

/// A ClientHello from before TLS 1.2, with the version `0x03`, `minor`.
fn old_hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    // No session, old AES and ECDHE suites, no compression, no extensions.
    body.extend([0, 0, 4, 0xc0, 0x0a, 0xc0, 0x14, 1, 0]);
    let mut hello = vec![0x16, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);
    hello
}

/// A client over TLS with a small receive buffer.
#[track_caller]
fn login_stalled(server: &TestServer, name: &str) -> TestClient {
    let address = server.tls_address();
    let session = server.authority().client(address);
    let mut client = TestClient::connect_with_buffer(address, SMALL_BUFFER).over_tls(session);
    client.login(name);
    client
}

#[test]
fn either_version_of_tls_will_do() {
    let server = TestServer::start_with_tls(|_| {});
    let mut lines = server.login("lines");
    for (version, name) in [(&TLS12, "of-2008"), (&TLS13, "of-2018")] {
        let [tls, web] = [server.tls_address(), server.web_address()].map(|address| {
            let session = server.authority().client_of(address, &[version]);
            TestClient::connect(address).over_tls(session)
        });
        let mut client = tls;
        client.login(name);
        assert_eq!(client.session().protocol_version(), Some(version.version));
        lines.expect_joined(name);
        client.send("hello\n").expect(format!("[{name}] hello\n"));
        lines.expect_next(format!("[{name}] hello\n")).send("and you\n");
        client.expect("[lines] and you\n");
        lines.expect_next("[lines] and you\n");
        let mut page = WebSocketClient::upgrade(web, server.web_address(), "/", &[]);
        assert_eq!(page.raw().session().protocol_version(), Some(version.version));
        page.login(&format!("{name}-web"));
        lines.expect_joined(&format!("{name}-web"));
        drop((client, page));
        for _ in 0..2 {
            lines.expect_line();
        }
    }
}

#[test]
fn a_client_without_tls_is_told_so_and_closed() {
    let server = TestServer::start_with_tls(|config| {
        config.handshake_timeout = Duration::from_millis(200);
    });
    for first in ["alice\n", "", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut client = TestClient::connect(server.tls_address());
        client.send(first);
        client
            .expect_next("이 포트는 TLS로만 접속할 수 있습니다. madang --tls나 openssl s_client ");
        client.expect("\n");
        client.expect_closed();
    }
    for number in 1..=3 {
        server.console_expect(&format!("(#{number}: TLS가 아님)\n"));
    }
}

#[test]
fn tls_on_a_port_without_tls_is_told_so_and_closed() {
    let server = TestServer::start(|_| {});
    let mut client = TestClient::connect(server.address());
    client.send(old_hello(3));
    let web_port = Some(server.web_address().port());
    let foreign = Goodbye::Foreign { foreign: Foreign::Tls, web_port };
    client.expect(told(Notice::Goodbye(foreign)));
    client.expect_closed();
    server.console_expect("(#1: 채팅이 아니라 TLS)\n");
    let mut client = TestClient::connect(server.web_address());
    client.send(old_hello(3));
    client.expect_next("HTTP/1.1 400 Bad Request\r\n");
    assert!(client.expect_rest().ends_with("this port uses http and ws, not https and wss\n"));
}

#[test]
fn http_on_the_https_port_is_redirected() {
    #[track_caller]
    fn check(server: &TestServer, request: &str, status: &str, location: Option<&str>) {
        let mut client = TestClient::connect(server.web_address());
        client.send(request);
        client.expect_next(format!("HTTP/1.1 {status}\r\n"));
        let answer = client.expect_rest();
        let (head, body) = answer.split_once("\r\n\r\n").expect("there is a head");
        let found = head.lines().find_map(|line| line.strip_prefix("Location: "));
        assert_eq!(found, location, "{answer}");
        assert_eq!(body.lines().count(), 1, "{answer}");
    }
    let server = TestServer::start_with_tls(|_| {});
    let get = |host: &str| format!("GET /any/path?q HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let moved = "307 Temporary Redirect";
    check(&server, &get("[::1]:9998"), moved, Some("https://[::1]:9998/any/path"));
    check(&server, &get("chat.example"), moved, Some("https://chat.example/any/path"));
    let upgrade = get("h").replace("\r\n\r\n", "\r\nUpgrade: websocket\r\n\r\n");
    check(&server, &upgrade, moved, Some("https://h/any/path"));
    check(&server, &get("h/evil"), "400 Bad Request", None);
    check(&server, "GET / HTTP/1.0\r\n\r\n", "400 Bad Request", None);

    let mut silent = TestClient::connect(server.web_address());
    silent.finish_sending();
    silent.expect_closed();
}

#[test]
fn the_page_and_its_answers_come_over_https() {
    let server = TestServer::start_with_tls(|_| {});
    let address = server.web_address();
    for (path, status) in [("/healthz", "200 OK"), ("/", "200 OK"), ("/nothing", "404 Not Found")] {
        let session = server.authority().client(address);
        let mut client = TestClient::connect(address).over_tls(session);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        client.expect_next(format!("HTTP/1.1 {status}\r\n"));
        client.expect_rest();
    }
    let origin = format!("https://{address}");
    let mut own = server.connect_wss("/", &[("Origin", &origin)]);
    own.login("alice");
    let mut echo = server.connect_wss("/echo", &[]);
    echo.send("hello").expect_next("echo : hello");
}

#[test]
fn a_handshake_has_its_time_and_dripping_moves_no_deadline() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let server = TestServer::start_with_tls(|config| config.handshake_timeout = TIMEOUT);
    let started = Instant::now();
    let mut dripping = TestClient::connect(server.tls_address());
    let mut silent = TestClient::connect(server.tls_address());
    let mut at_the_web = TestClient::connect(server.web_address());
    for client in [&mut dripping, &mut silent, &mut at_the_web] {
        client.send(&old_hello(3)[..9]);
    }
    // So slowly that the hello is incomplete by then.
    while dripping.try_send([0]) {
        std::thread::sleep(TIMEOUT / 20);
        assert!(started.elapsed() < DEADLINE, "it is never closed");
    }
    assert!(started.elapsed() >= TIMEOUT, "{:?}", started.elapsed());
    silent.expect_rest();
    at_the_web.expect_rest();
    server.console_expect_count("TLS 협상이 제시간에 끝나지 않음)\n", 2);
}

#[test]
fn a_broken_handshake_ends_with_an_alert() {
    #[track_caller]
    fn check(server: &TestServer, number: u32, bytes: &[u8], alert: u8, reason: &str) {
        let mut stream = TcpStream::connect(server.tls_address()).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let mut answer = Vec::new();
        // The alert may be followed by a reset, if more was sent than the server reads.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer.get(..1), Some(&[0x15][..]), "{answer:?}");
        assert_eq!(answer.get(5..7), Some(&[2, alert][..]), "{answer:?}");
        server.console_expect(&format!("(#{number}: {reason})\n"));
    }
    let server = TestServer::start_with_tls(|_| {});
    // An old hello lacks required extensions, and is refused for that first.
    const HANDSHAKE_FAILURE: u8 = 40;
    const DECODE_ERROR: u8 = 50;
    check(&server, 1, &old_hello(1), HANDSHAKE_FAILURE, "서로 지원하는 TLS 버전이나 암호가 없음");
    check(&server, 2, &old_hello(2), HANDSHAKE_FAILURE, "서로 지원하는 TLS 버전이나 암호가 없음");
    let garbage = [&[0x16, 3, 1, 0, 8][..], b"\x01\0\0\x04what"].concat();
    check(&server, 3, &garbage, DECODE_ERROR, "잘못된 TLS 레코드");

    // A hello that announces 60 KiB, and its first 16 KiB.
    let mut endless = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xf0, 0];
    endless.resize(16 * 1_024, 0);
    let mut client = TestClient::connect(server.tls_address());
    client.try_send(&endless);
    server.console_expect("(#4: 잘못된 TLS 레코드)\n");
}

#[test]
fn broken_records_end_one_session_and_no_other() {
    let server = TestServer::start_with_tls(|_| {});
    let mut watcher = server.login("watcher");
    let mut alice = server.login_tls("alice");
    watcher.expect_next("[alice]님이 입장했습니다.\n");
    alice.stream().write_all(&[0x17, 3, 3, 0, 64]).expect("it reads");
    alice.stream().write_all(&[0xaa; 64]).expect("it reads");
    watcher.expect_next("[alice]님이 퇴장했습니다.\n");
    server.console_expect("[alice] 퇴장 (127.0.0.1: 잘못된 TLS 레코드)\n");
    assert!(!alice.has_more_within(DEADLINE) || alice.session().wants_read());
    watcher.send("unharmed\n").expect_next("[watcher] unharmed\n");
}

#[test]
fn every_way_to_close_is_a_leave_with_its_reason() {
    let server = TestServer::start_with_tls(|_| {});
    let mut watcher = server.login("watcher");
    type Close = fn(TestClient);
    let ways: [(&str, &str, Close); 4] = [
        ("quits", "나감", |mut client| client.send("/quit\n").expect_closed()),
        ("closes", "상대가 닫음", |mut client| {
            client.finish_sending();
            client.expect_closed();
        }),
        ("cuts", "close_notify 없이 닫음", |mut client| {
            client.stream().shutdown(Shutdown::Write).expect("it is connected");
            client.expect_closed();
        }),
        ("resets", "연결 끊김: connection reset", |client| client.reset()),
    ];
    for (name, reason, close) in ways {
        let client = server.login_tls(name);
        watcher.expect_next(format!("[{name}]님이 입장했습니다.\n"));
        close(client);
        watcher.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
        server.console_expect(&format!("[{name}] 퇴장 (127.0.0.1: {reason})\n"));
    }
}

#[test]
fn a_last_line_and_what_was_asked_for_come_after_a_half_close() {
    let server = TestServer::start_with_tls(|_| {});
    let mut alice = server.login_tls("alice");
    alice.send("/who\nlast");
    alice.finish_sending();
    alice.expect_next(who(&["alice"]) + "[alice] last\n");
    alice.expect_closed();
}

#[test]
fn a_peer_that_never_ends_a_line_is_understood() {
    let server = TestServer::start_with_tls(|_| {});
    let mut alice = server.connect_tls();
    alice.expect("로그인ID:");
    alice.send("alice").expect("[alice]님이 입장했습니다.\n");
    alice.send("hello").expect_next("[alice] hello\n");
    alice.send("/quit").expect_closed();
}

#[test]
fn a_late_reader_over_tls_gets_everything_in_order() {
    const LINES: usize = 200;
    let server = TestServer::start_with_tls(|_| {});
    let mut slow = login_stalled(&server, "slow");
    let mut speaker = server.login("speaker");
    slow.expect_next("[speaker]님이 입장했습니다.\n");
    // About 150 KiB: more than the kernel buffers, less than the outbox holds.
    let words = |line: usize| format!("{line:06} {}", "마당 ".repeat(100));
    for line in 0..LINES {
        speaker.send(words(line) + "\n").expect_next(format!("[speaker] {}\n", words(line)));
    }
    slow.send("/who\n");
    for line in 0..LINES {
        slow.expect_next(format!("[speaker] {}\n", words(line)));
    }
    slow.expect_next(who(&["slow", "speaker"]));
}

/// A line of about 1 KiB.
fn long_words(line: usize) -> String {
    format!("{line:06} {}", "마당 ".repeat(150))
}

#[test]
fn a_reader_over_tls_that_falls_behind_is_skipped_and_told() {
    const LINES: usize = 3_000;
    let server = TestServer::start_with_tls(|config| config.stall_timeout = NEVER);
    let mut late = login_stalled(&server, "late");
    let mut speaker = server.login("speaker");
    late.expect_next("[speaker]님이 입장했습니다.\n");
    for line in 0..LINES {
        let words = long_words(line);
        speaker.send(format!("{words}\n")).expect_next(format!("[speaker] {words}\n"));
    }
    late.widen_buffer();
    let (mut next, mut marks) = (0, 0);
    while next < LINES {
        let line = late.expect_line();
        match skipped_lines(&line) {
            Some(count) => {
                next += count;
                marks += 1;
            }
            None => {
                assert_eq!(line, format!("[speaker] {}", long_words(next)));
                next += 1;
            }
        }
    }
    assert_eq!(marks, 1, "marks that meet become one");
}

#[test]
fn a_reader_over_tls_that_never_reads_is_dropped() {
    let server = TestServer::start_with_tls(|config| {
        config.stall_timeout = Duration::from_secs(1);
    });
    let _slow = login_stalled(&server, "slow");
    let mut speaker = server.login("speaker");
    let started = Instant::now();
    let mut line = 0;
    loop {
        let words = long_words(line);
        speaker.send(format!("{words}\n"));
        let heard = speaker.expect_line();
        if heard == "[slow]님이 퇴장했습니다." {
            break;
        }
        assert_eq!(heard, format!("[speaker] {words}"));
        assert!(started.elapsed() < DEADLINE, "it is never dropped");
        line += 1;
    }
    server.console_expect("[slow] 퇴장 (127.0.0.1: 읽지 않음)\n");
}

#[test]
fn the_server_says_goodbye_and_closes_in_order_when_it_stops() {
    let mut server = TestServer::start_with_tls(|_| {});
    let mut alice = server.login_tls("alice");
    let mut waiting = server.connect_tls();
    waiting.expect("로그인ID:");
    let mut shaking = TestClient::connect(server.tls_address());
    shaking.send(&old_hello(3)[..5]);
    server.stop();
    for client in [&mut alice, &mut waiting] {
        client.expect(Notice::Goodbye(Goodbye::Shutdown).text(Lang::Ko) + "\n");
        client.expect_closed();
    }
}

#[test]
fn a_full_server_says_so_with_an_alert() {
    let server = TestServer::start_with_tls(|config| config.max_connections = Some(1));
    let mut first = server.login("first");
    let mut second = server.connect_tls();
    let error = second.shake_hands().expect_err("there is no place").to_string();
    assert!(error.contains("InternalError"), "{error}");
    server.console_expect("서버가 가득 참");
    first.send("/quit\n").expect_closed();
}

/// The certificate that a new client gets.
#[track_caller]
fn shown(server: &TestServer) -> CertificateDer<'static> {
    let mut client = server.connect_tls();
    client.shake_hands().expect("the client trusts it");
    let chain = client.session().peer_certificates().expect("there is one");
    chain[0].clone().into_owned()
}

#[test]
fn a_new_certificate_is_taken_under_load_and_no_connection_is_dropped() {
    const LINES: usize = 2_000;
    let server = TestServer::start_with_tls(|_| {});
    let old = shown(&server);
    let mut speaker = server.login_tls("speaker");
    let mut listener = server.login_tls("listener");
    speaker.expect_next("[listener]님이 입장했습니다.\n");
    let mut changed_at = None;
    for line in 0..LINES {
        if line == LINES / 4 {
            let pair = server.authority().issue();
            // First a certificate that does not fit the key: it is reported and ignored.
            server.tls_folder().write("cert.pem", &pair.certificate);
            server.console_expect("이전 것을 그대로 씁니다: --tls-cert, --tls-key: ");
            assert_eq!(shown(&server), old);
            pair.write(server.tls_folder());
            server.console_expect("새 인증서를 씁니다.");
            changed_at = Some(line);
        }
        let said = format!("[speaker] line {line}\n");
        speaker.send(format!("line {line}\n")).expect_next(&said);
        listener.expect_next(&said);
    }
    assert!(changed_at.is_some());
    assert_ne!(shown(&server), old);
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_logged_with_its_reason() {
    let server = TestServer::start_with_tls(|_| {});
    let stranger = madang_tests::Authority::new();
    let address = server.tls_address();
    let mut client = TestClient::connect(address).over_tls(stranger.client(address));
    let error = client.shake_hands().expect_err("it does not know the authority");
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    assert!(matches!(cause, Some(Error::InvalidCertificate(_))), "{error}");
    drop(client);
    server.console_expect("(#1: 상대가 TLS를 거절: ");
}

#[test]
fn a_certificate_that_has_expired_or_soon_will_is_warned_of() {
    let server = TestServer::start_with_tls(|_| {});
    server.login_tls("alice");
    assert!(!server.console().contains("인증서"), "{}", server.console());

    let (authority, folder) = (Authority::new(), TestFolder::new());
    let pair = authority.issue_with(Flaw::Expired).write(&folder);
    let server = TestServer::start_with_tls(|config| {
        config.tls.as_mut().expect("it is with TLS").pair = pair.clone();
    });
    server.console_expect("--- 인증서가 만료되었습니다.");

    let pair = authority.issue_with(Flaw::ExpiresSoon).write(&folder);
    let server = TestServer::start_with_tls(|config| {
        config.tls.as_mut().expect("it is with TLS").pair = pair.clone();
    });
    server.console_expect("--- 인증서가 3일 안에 만료됩니다.");
}
