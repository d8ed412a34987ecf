//! HTTP on the web port, before any WebSocket handshake: requests that are answered or refused,
//! and addresses behind a proxy.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use madang_server::{config::Listen, transport::http::origin::Origin};
use madang_tests::{DEADLINE, NEVER, TestClient, TestServer, WebSocketClient};

/// Sends a request and returns the whole answer. The server closes after it.
#[track_caller]
pub(crate) fn answer(address: SocketAddr, request: &str) -> String {
    let mut client = TestClient::connect(address);
    client.send(request);
    client.expect_rest()
}

#[track_caller]
fn get(server: &TestServer, target: &str) -> String {
    answer(server.web_address(), &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

#[test]
fn resources_are_found_below_any_prefix() {
    let server = TestServer::start(|_| {});
    #[track_caller]
    fn check(server: &TestServer, target: &str, status: &str, body: &str) {
        let answer = get(server, target);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
        assert!(answer.contains(body), "{target}: {answer}");
        assert!(answer.contains("\r\nConnection: close"), "{answer}");
    }
    check(&server, "/", "200", "<title>");
    check(&server, "/chat/?utm=x", "200", "<title>");
    check(&server, "http://localhost/", "200", "<title>");
    check(&server, "/healthz", "200", "ok\n");
    check(&server, "/any/prefix/healthz", "200", "ok\n");
    check(&server, "/none", "404", "404 Not Found");
    check(&server, "/healthz/", "200", "<title>");
    check(&server, "/../../etc/passwd", "404", "404 Not Found");
    check(&server, "/ws", "426", "\r\nSec-WebSocket-Version: 13\r\n");
    check(&server, "/any/prefix/echo", "200", "practice.js");
}

#[test]
fn requests_that_are_wrong_get_their_status_and_an_end() {
    let server = TestServer::start(|_| {});
    #[track_caller]
    fn check(server: &TestServer, request: &str, status: &str) {
        let answer = answer(server.web_address(), request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let host = "Host: localhost\r\n";
    check(&server, "hello\r\n\r\n", "400");
    check(&server, "\u{16}\u{3}\u{1}\u{2}", "400");
    check(&server, "GET / HTTP/1.1\r\n\r\n", "400");
    check(&server, &format!("POST / HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\nhi"), "405");
    check(&server, &format!("DELETE /none HTTP/1.1\r\n{host}\r\n"), "404");
    check(&server, &format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000)), "414");
    check(&server, &format!("GET / HTTP/1.1\r\n{host}A: {}\r\n\r\n", "x".repeat(9_000)), "431");
    check(&server, &format!("GET / HTTP/1.1\r\n{host}{}\r\n", "A: b\r\n".repeat(70)), "431");
    check(&server, "GET / HTTP/1.0\r\n\r\n", "200");

    let upgrade = WebSocketClient::request(server.web_address(), "/", &[]);
    check(&server, &upgrade.replace("Version: 13", "Version: 8"), "426");
    check(&server, &upgrade.replace("Connection: Upgrade", "Connection: close"), "426");
    check(&server, &upgrade.replace("dGhlIHNhbXBsZSBub25jZQ==", "x"), "400");
    check(&server, &upgrade.replace("GET / ", "POST / "), "405");
    check(&server, &upgrade.replace("GET / ", "GET /none "), "404");
}

#[test]
fn head_is_answered_without_a_body() {
    let server = TestServer::start(|_| {});
    let answer = answer(server.web_address(), "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(!answer.contains("Content-Length: 0\r\n"), "{answer}");
}

#[test]
fn a_head_has_its_time_and_dripping_moves_no_deadline() {
    let server = TestServer::start(|config| config.head_timeout = Duration::from_secs(1));
    let mut silent = TestClient::connect(server.web_address());
    let mut dripping = TestClient::connect(server.web_address());
    let started = Instant::now();
    for byte in "GET / HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x')) {
        if dripping.has_more_within(Duration::from_millis(20)) {
            break;
        }
        dripping.try_send([byte]);
        assert!(started.elapsed() < DEADLINE, "it is never closed");
    }
    assert!(dripping.expect_rest().starts_with("HTTP/1.1 408 "));
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    // A silent peer gets no answer.
    silent.expect_closed();
}

#[test]
fn pages_may_chat_by_their_origin() {
    let server = TestServer::start(|config| {
        config.public_url = "https://chat.example.org/prefix/".parse().ok();
        config.allow_origin = vec!["http://other.example".parse().expect("an origin")];
    });
    let web = server.web_address();
    let own = format!("http://{web}");
    // Programs other than browsers may send ws://, or an empty origin.
    let made_up = format!("ws://{web}");
    let accepted =
        [own.as_str(), made_up.as_str(), "", "https://chat.example.org", "http://other.example:80"];
    for origin in accepted {
        WebSocketClient::open(web, "/", &[("Origin", origin)]);
    }
    let refused = ["http://evil.example", "null", "http://chat.example.org"];
    for origin in refused.into_iter().chain(["capacitor://localhost", "chrome-extension://ab"]) {
        let request = WebSocketClient::request(web, "/ws", &[("Origin", origin)]);
        let answer = answer(web, &request);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer.ends_with(&format!("--allow-origin {origin}\n")), "{answer}");
        // `/echo` is open to every page.
        let mut echo = WebSocketClient::open(web, "/echo", &[("Origin", origin)]);
        echo.send("안녕").expect_next("echo : 안녕");
    }
    // DNS rebinding: the page's origin equals the Host.
    let host = format!("Host: {web}");
    let request = WebSocketClient::request(web, "/", &[("Origin", "http://evil.example")]);
    let answer = answer(web, &request.replace(&host, "Host: evil.example"));
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[test]
fn pages_from_files_may_chat_where_that_is_allowed() {
    let server = TestServer::start(|config| config.allow_origin = vec![Origin::Null]);
    for origin in ["null", "file://"] {
        WebSocketClient::open(server.web_address(), "/", &[("Origin", origin)]);
    }
}

#[test]
fn only_json_is_agreed_to_as_a_subprotocol() {
    let server = TestServer::start(|_| {});
    let web = server.web_address();
    for (offered, agreed) in
        [("madang.json.v1", true), ("chat, madang.json.v1", true), ("chat", false)]
    {
        let mut client = TestClient::connect(web);
        client.send(WebSocketClient::request(web, "/", &[("Sec-WebSocket-Protocol", offered)]));
        let head = client.expect("\r\n\r\n");
        assert_eq!(head.contains("\r\nSec-WebSocket-Protocol: madang.json.v1"), agreed, "{head}");
        assert!(!head.contains("Sec-WebSocket-Extensions"), "{head}");
    }
}

#[test]
fn bytes_right_behind_the_handshake_are_not_lost() {
    let server = TestServer::start(|_| {});
    let web = server.web_address();
    let mut bytes = WebSocketClient::request(web, "/echo", &[]).into_bytes();
    bytes.extend(madang_tests::frame(0x81, "early"));
    let mut client = TestClient::connect(web);
    client.send(bytes);
    client.expect("\r\n\r\n");
    client.expect_next(b"\x81\x0cecho : early");
}

#[test]
fn the_address_that_a_trusted_proxy_forwards_is_used() {
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.0/8".parse().expect("a range")];
        config.max_per_address = Some(2);
    });
    let web = server.web_address();
    let open = |from: &'static str| WebSocketClient::open(web, "/", &[("X-Forwarded-For", from)]);
    let mut alice = open("198.51.100.1, 203.0.113.9");
    alice.login("alice");
    server.console_expect("[alice] 입장 (203.0.113.9)\n");
    let _another = open("203.0.113.9");
    let header = [("X-Forwarded-For", "203.0.113.9")];
    let refused = answer(web, &WebSocketClient::request(web, "/", &header));
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    // Others behind the same proxy have limits of their own.
    let _other = open("203.0.113.10");
}

/// Requests an asset of the page, as a client behind a proxy.
fn ask_from(server: &TestServer, person: &str, name: &str) -> TestClient {
    let mut client = TestClient::connect(server.web_address());
    let request = format!("GET /{name} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {person}\r\n\r\n");
    client.send(request);
    client
}

#[test]
fn a_class_behind_one_address_loads_the_page_at_once() {
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
    });
    // As many connections as a browser opens to one host, four times.
    let names = ["", "look.css", "room.css", "main.js", "state.js", "words.js"];
    for _ in 0..4 {
        let asked: Vec<TestClient> = (0..30)
            .flat_map(|_| names)
            .map(|name| ask_from(&server, "203.0.113.9", name))
            .collect();
        for mut client in asked {
            let answer = client.expect_rest();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
    let from = [("X-Forwarded-For", "203.0.113.9")];
    let mut chats: Vec<WebSocketClient> = Vec::new();
    for number in 0..30 {
        let mut client = WebSocketClient::open(server.web_address(), "/", &from);
        client.login(&format!("학생-{number}"));
        chats.push(client);
    }
}

#[test]
fn a_member_who_has_read_their_welcome_no_longer_counts_as_logging_in() {
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
        config.max_logins_per_address = 1;
    });
    let from = [("X-Forwarded-For", "203.0.113.9")];
    let mut chats = Vec::new();
    for number in 0..60 {
        let mut client = WebSocketClient::open(server.web_address(), "/", &from);
        client.login(&format!("pupil-{number}"));
        chats.push(client);
    }
}

#[test]
fn a_flood_of_requests_from_one_address_is_refused_to_it_alone() {
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
        config.max_requests_per_address = 8;
        // A client that has its answer and does not close keeps its place for this long.
        config.linger = NEVER;
    });
    let mut flood: Vec<TestClient> =
        (0..8).map(|_| ask_from(&server, "203.0.113.9", "healthz")).collect();
    for client in &mut flood {
        assert!(client.expect_rest().starts_with("HTTP/1.1 200 "));
    }
    let refused = ask_from(&server, "203.0.113.9", "").expect_rest();
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("\r\nRetry-After: "), "{refused}");
    assert!(ask_from(&server, "203.0.113.10", "").expect_rest().starts_with("HTTP/1.1 200 "));
    flood.pop();
    let deadline = Instant::now() + DEADLINE;
    while !ask_from(&server, "203.0.113.9", "healthz").expect_rest().starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "who has closed makes place");
    }
}

#[test]
fn without_trust_nobody_is_believed() {
    let server = TestServer::start(|_| {});
    let header = [("X-Forwarded-For", "203.0.113.9")];
    let mut client = WebSocketClient::open(server.web_address(), "/", &header);
    client.login("alice");
    server.console_expect("[alice] 입장 (127.0.0.1)\n");
}

#[test]
fn a_full_server_says_so_in_http_too() {
    let server = TestServer::start(|config| config.max_connections = Some(1));
    let _member = server.login("member");
    let refused = get(&server, "/");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.ends_with("the server is full\n"), "{refused}");
}

#[test]
fn the_web_port_listens_at_several_addresses_or_at_none() {
    let free = Listen::At((Ipv4Addr::LOCALHOST, 0).into());
    let server = TestServer::start(|config| {
        config.web = vec![free, Listen::Everywhere(0)];
        config.listen = vec![free];
    });
    assert!(get(&server, "/healthz").ends_with("ok\n"));
    let server = TestServer::start(|config| config.web = Vec::new());
    server.login("alice");
}

#[test]
fn stopping_does_not_wait_for_unfinished_requests() {
    let mut server = TestServer::start(|config| {
        (config.head_timeout, config.stop_timeout) = (NEVER, NEVER);
    });
    let mut waiting: Vec<TestClient> =
        (0..3).map(|_| TestClient::connect(server.web_address())).collect();
    waiting[0].send("GET / HT").wait_until_read();
    let mut echo = WebSocketClient::open(server.web_address(), "/echo", &[]);
    echo.send("x").expect_next("echo : x");
    server.stop();
    waiting.iter_mut().for_each(TestClient::expect_closed);
    assert_eq!(echo.expect_close(), Some(1001));
}
