//! `/echo?explain`, for learners: received frames are explained, and broken ones are judged.

use madang_tests::{TestServer, WebSocketClient, frame};
use serde_json::{Value, json};

fn explained(server: &TestServer, query: &str) -> WebSocketClient {
    let path = format!("/any/prefix/echo?{query}");
    let mut client = WebSocketClient::open(server.web_address(), &path, &[]);
    let handshake = client.expect_json("handshake");
    assert_eq!(handshake["request"][0], format!("GET {path} HTTP/1.1"), "{handshake}");
    assert_eq!(handshake["answer"][0], "HTTP/1.1 101 Switching Protocols");
    client
}

#[test]
fn each_frame_is_explained_and_echoed() {
    let server = TestServer::start(|_| {});
    let mut client = explained(&server, "explain");
    client.send("hi");
    let sent = client.expect_json("frame");
    assert_eq!((&sent["from"], &sent["payload"]), (&json!("client"), &json!("68 69")), "{sent}");
    assert!(sent["header"].as_str().is_some_and(|it| it.starts_with("81 82 ")), "{sent}");
    let echoed = client.expect_json("frame");
    let parts = ["from", "header", "length", "mask"].map(|part| &echoed[part]);
    assert_eq!(parts, [&json!("server"), &json!("81 09"), &json!(9), &Value::Null], "{echoed}");
    client.expect_next("echo : hi");

    // Two fragments with a ping between them.
    client.send_frame(0x01, "ho").send_frame(0x89, "?").send_frame(0x80, "ho");
    for (name, fin) in [("text", false), ("ping", true), ("continuation", true)] {
        let shown = client.expect_json("frame");
        assert_eq!((&shown["name"], &shown["fin"]), (&json!(name), &json!(fin)), "{shown}");
        if name == "ping" {
            assert_eq!(client.expect_frame().first, 0x8a);
        }
    }
    client.expect_json("frame");
    client.expect_next("echo : hoho");
}

#[test]
fn the_end_is_explained_too() {
    let server = TestServer::start(|_| {});
    let mut client = explained(&server, "explain");
    client.send_frame(0x82, "hi");
    assert_eq!(client.expect_json("frame")["name"], "binary");
    let close = client.expect_json("close");
    assert_eq!((&close["code"], &close["reason"]), (&json!(1003), &json!("not_text")), "{close}");
    assert_eq!(client.expect_closed(), Some(1003));
}

#[test]
fn many_fragments_are_not_many_explanations() {
    let server = TestServer::start(|_| {});
    let mut client = explained(&server, "explain");
    let fragments = [frame(0x01, "a"), frame(0x00, "").repeat(250), frame(0x80, "b")].concat();
    client.raw().send(fragments);
    let mut told = 0;
    let more = loop {
        let text = client.expect_message();
        told += text.len();
        let message: Value = serde_json::from_str(&text).expect("an explanation");
        match message["type"].as_str() {
            Some("more") => break message["frames"].as_u64(),
            kind => assert_eq!(kind, Some("frame"), "{message}"),
        }
    };
    // However many reads there were, most of them are only counted.
    assert!(more.is_some() && told < 16 * 1_024, "{told} {more:?}");
}

#[test]
fn bytes_are_judged_without_harm_to_the_connection() {
    let server = TestServer::start(|_| {});
    let mut client = explained(&server, "explain&raw");
    let mut judge = |bytes: &[u8]| {
        client.send_frame(0x82, bytes);
        client.expect_json("frame");
        client.expect_json("verdict")
    };
    let unmasked = judge(b"\x81\x02hi");
    assert_eq!(unmasked["close"], json!({"code": 1002, "reason": "protocol_error"}), "{unmasked}");
    let good = judge(&frame(0x81, "hi"));
    assert_eq!((&good["received"], &good["close"]), (&json!(["text"]), &Value::Null), "{good}");
    assert_eq!(judge(b"")["unfinished"], false);
    client.send("still here");
    client.expect("echo : still here");
}

#[test]
fn nothing_is_explained_unasked() {
    let server = TestServer::start(|_| {});
    for query in ["", "?raw", "?explained", "?x=explain"] {
        let path = format!("/echo{query}");
        let mut client = WebSocketClient::open(server.web_address(), &path, &[]);
        client.send("hi").expect_next("echo : hi");
    }
}
