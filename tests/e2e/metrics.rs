//! The metrics at `--metrics`, compared with conversations that are counted by hand.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use madang_server::config::{Config, Listen};
use madang_tests::{DEADLINE, Program, TestClient, TestServer, WebSocketClient};
use serde_json::json;

use crate::{peers::python, web::answer};

/// Enables the metrics.
pub(crate) fn tell(config: &mut Config) {
    config.metrics = Some(Listen::At((Ipv4Addr::LOCALHOST, 0).into()));
}

/// The pause between two looks at metrics that have not reached their final values.
const PAUSE: Duration = Duration::from_millis(5);

/// The samples, as `name{label="value"}`, with their values. Asks again while too many of its
/// earlier connections have not ended.
#[track_caller]
pub(crate) fn samples(server: &TestServer) -> BTreeMap<String, f64> {
    const REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let deadline = Instant::now() + DEADLINE;
    let mut answer = crate::web::answer(server.metrics_address(), REQUEST);
    while answer.starts_with("HTTP/1.1 503 ") && Instant::now() < deadline {
        thread::sleep(PAUSE);
        answer = crate::web::answer(server.metrics_address(), REQUEST);
    }
    let (head, body) = answer.split_once("\r\n\r\n").expect("an empty line");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; "), "{head}");
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
        (sample.to_owned(), value.parse().expect("a number"))
    };
    samples.map(read).collect()
}

/// Waits until these samples have the expected values. Other samples are ignored.
#[track_caller]
pub(crate) fn expect_samples(server: &TestServer, expected: &[(&str, f64)]) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let samples = samples(server);
        let differs = |(sample, value): &&(&str, f64)| samples.get(*sample) != Some(value);
        let Some((sample, value)) = expected.iter().find(differs) else { return };
        assert!(Instant::now() < deadline, "{sample} is not {value} but {samples:#?}");
        thread::sleep(PAUSE);
    }
}

/// A conversation over every door, and the metrics that it should lead to.
fn conversation(server: &TestServer) -> ([TestClient; 2], Vec<(&'static str, f64)>) {
    // Notices of joining: three for alice, two for bob, one for carol.
    let mut alice = server.login("alice");
    let mut bob = server.login_tls("bob");
    alice.expect_joined("bob");
    let mut carol = server.connect_wss("/", &[("Sec-WebSocket-Protocol", "madang.json.v1")]);
    carol.login_json("carol");
    alice.expect_joined("carol");
    bob.expect_joined("carol");
    // Three lines that are refused, and a disconnect.
    let mut dave = server.connect();
    dave.expect("ID:");
    dave.send("ALICE\n").expect("ID:");
    dave.send("/nonsense\n").expect("ID:");
    dave.send("/quit\n").expect_rest();
    // Ten lines, each to three members.
    alice.send("말\n".repeat(10));
    for number in 0..10 {
        alice.expect_next("[alice] 말\n");
        bob.expect_next("[alice] 말\n");
        assert_eq!(carol.expect_json("said")["text"], "말", "line {number}");
    }
    // A private room for one: a notice of leaving the lobby, and one of joining.
    carol.send_json(&json!({"type": "command", "line": "/new"}));
    carol.expect_json("entered");
    carol.expect_json("joined");
    alice.expect("[carol]님이 퇴장했습니다.\n");
    bob.expect("[carol]님이 퇴장했습니다.\n");
    carol.send_json(&json!({"type": "command", "line": "/quit"}));
    carol.expect_json("bye");
    carol.expect_closed();
    let counted = vec![
        ("madang_connections{door=\"lines\"}", 1.0),
        ("madang_connections{door=\"tls\"}", 1.0),
        ("madang_connections{door=\"web\"}", 0.0),
        ("madang_connections_opened_total{door=\"lines\"}", 2.0),
        ("madang_connections_opened_total{door=\"tls\"}", 1.0),
        ("madang_connections_opened_total{door=\"web\"}", 1.0),
        ("madang_connections_ended_total{reason=\"quit\"}", 2.0),
        ("madang_refused_total{reason=\"name_taken\"}", 1.0),
        ("madang_refused_total{reason=\"unknown_command\"}", 1.0),
        ("madang_sessions", 2.0),
        ("madang_members", 2.0),
        ("madang_rooms{kind=\"public\"}", 1.0),
        ("madang_rooms{kind=\"private\"}", 1.0),
        ("madang_lines_received_total", 1.0 + 1.0 + 1.0 + 3.0 + 10.0 + 2.0),
        ("madang_deliveries_total", 3.0 + 2.0 + 1.0 + 30.0 + 2.0 + 1.0),
        ("madang_skipped_total", 0.0),
        // Each event once, in whatever round: three joins, ten lines, carol leaving, joining
        // her own room and leaving it.
        ("madang_round_events_sum", 3.0 + 10.0 + 1.0 + 1.0 + 1.0),
        ("madang_outbox_backlog_bytes", 0.0),
        ("madang_drainer_queue", 0.0),
        // 2120-01-01.
        ("madang_certificate_not_after_seconds", 4_733_510_400.0),
    ];
    ([alice, bob], counted)
}

#[test]
fn the_metrics_of_a_conversation_are_exact() {
    let server = TestServer::start_with_tls(tell);
    let (_present, expected) = conversation(&server);
    expect_samples(&server, &expected);
}

#[test]
fn refusals_are_counted_by_reason() {
    let server = TestServer::start(tell);
    answer(server.web_address(), "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut alice = server.login_json("alice");
    alice.send_json(json!({"type": "say"}));
    alice.expect_message("error");
    alice.send_json(json!({"type": "command", "line": "/join math"}));
    alice.expect_message("entered");
    alice.expect_message("joined");
    server.operate("/kick alice");
    alice.expect_message("kicked");
    for nonce in ["2", "3"] {
        alice.send_json(json!({"type": "say", "text": "to nobody", "nonce": nonce}));
        alice.expect_error("no_room", Some(nonce));
    }
    expect_samples(
        &server,
        &[
            ("madang_refused_total{reason=\"404\"}", 1.0),
            ("madang_refused_total{reason=\"bad_request\"}", 1.0),
            ("madang_refused_total{reason=\"no_room\"}", 2.0),
        ],
    );
}

#[test]
fn messages_to_the_echo_are_counted_once() {
    let server = TestServer::start(tell);
    let mut client = WebSocketClient::open(server.web_address(), "/echo", &[]);
    client.send("a").expect_next("echo : a");
    client.send("b").expect_next("echo : b");
    client.send_close(1000);
    client.expect_closed();
    expect_samples(
        &server,
        &[
            ("madang_lines_received_total", 2.0),
            ("madang_connections_ended_total{reason=\"closed\"}", 1.0),
            ("madang_connections_opened_total{door=\"web\"}", 1.0),
        ],
    );
}

#[test]
fn bytes_are_counted_each_way() {
    let server = TestServer::start(tell);
    let (mut alice, mut bob) = server.login_two("alice", "bob");
    alice.send("안녕\n").expect_next("[alice] 안녕\n");
    bob.expect_next("[alice] 안녕\n");
    // Totals since the start. Sent bytes are counted after the peer may have read them.
    let [(alice_sent, alice_received), (bob_sent, bob_received)] =
        [&alice, &bob].map(TestClient::traffic);
    expect_samples(
        &server,
        &[
            ("madang_received_bytes_total", (alice_sent + bob_sent) as f64),
            ("madang_sent_bytes_total", (alice_received + bob_received) as f64),
        ],
    );
}

#[test]
fn waiting_and_skipped_output_is_counted() {
    let server = TestServer::start(|config| {
        tell(config);
        config.outbox_bytes = 1_000;
    });
    let mut speaker = server.login("speaker");
    let _stalled = server.login("stalled");
    speaker.expect_joined("stalled");
    let line = format!("{}\n", "x".repeat(4_000));
    let deadline = Instant::now() + DEADLINE;
    loop {
        speaker.send(&line).expect_next(format!("[speaker] {line}"));
        let samples = samples(&server);
        if samples["madang_skipped_total"] > 0.0 {
            assert_eq!(samples["madang_drainer_queue"], 1.0);
            assert!(samples["madang_outbox_backlog_bytes"] > 0.0);
            assert!(samples["madang_outbox_high_water_bytes"] > 1_000.0);
            return;
        }
        assert!(Instant::now() < deadline, "nothing is skipped: {samples:#?}");
    }
}

#[test]
fn the_metrics_port_serves_only_metrics_and_no_other_port_does() {
    let server = TestServer::start(|config| {
        tell(config);
        config.max_connections = Some(1);
    });
    let _alice = server.login("alice");
    #[track_caller]
    fn check(server: &TestServer, request: &str, status: &str) {
        let answer = answer(server.metrics_address(), &format!("{request} HTTP/1.0\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    // The chat is full, but the metrics have places of their own.
    check(&server, "GET /metrics", "200");
    check(&server, "HEAD /metrics", "200");
    check(&server, "POST /metrics", "405");
    check(&server, "GET /", "404");
    check(&server, "GET /healthz", "404");
    expect_samples(&server, &[("madang_connections{door=\"lines\"}", 1.0)]);

    let server = TestServer::start(tell);
    let answer = answer(server.web_address(), "GET /metrics HTTP/1.0\r\n\r\n");
    assert!(!answer.contains("madang_"), "{answer}");
}

#[test]
fn no_name_room_or_key_is_among_the_numbers() {
    let server = TestServer::start(tell);
    let mut alice = server.login_json("alice");
    alice.send_json(json!({"type": "command", "line": "/join 수학"}));
    alice.expect_message("entered");
    alice.expect_message("joined");
    alice.send_json(json!({"type": "command", "line": "/new 작전"}));
    let answer = answer(server.metrics_address(), "GET /metrics HTTP/1.0\r\n\r\n");
    for secret in ["alice", "수학", "작전", "private-", "127.0.0.1"] {
        assert!(!answer.contains(secret), "{secret}: {answer}");
    }
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn prometheus_reads_the_numbers_of_a_counted_conversation() {
    let server = TestServer::start_with_tls(tell);
    let (_present, expected) = conversation(&server);
    expect_samples(&server, &expected);
    let url = format!("http://{}/metrics", server.metrics_address());
    let expected = expected.iter().map(|(sample, value)| format!("{sample} {value}"));
    Program::start(python("read_metrics.py").arg(url).args(expected))
        .expect_success(Duration::from_secs(60));
}
