//! The longest carrier allowed, one byte less and one byte more; and peers that keep sending
//! after one that is too long.

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{TestServer, WebSocketClient, frame};
use serde_json::json;

const CARRIER_BYTES: usize = 64 * 1_024;

/// A request of `bytes` bytes that says `text`, padded with an unknown field.
fn request_of(bytes: usize, text: &str) -> String {
    let request = |padding: &str| json!({"type": "say", "text": text, "padding": padding});
    let rest = bytes - request("").to_string().len();
    request(&"x".repeat(rest)).to_string()
}

/// An unencrypted client, and one over TLS.
fn servers() -> [(TestServer, bool); 2] {
    [(TestServer::start(|_| {}), false), (TestServer::start_with_tls(|_| {}), true)]
}

#[track_caller]
fn connect(server: &TestServer, is_encrypted: bool, headers: &[(&str, &str)]) -> WebSocketClient {
    match is_encrypted {
        false => WebSocketClient::open(server.web_address(), "/", headers),
        true => server.connect_wss("/", headers),
    }
}

#[test]
fn a_json_line_has_64_kib_with_its_end() {
    let server = TestServer::start_with_tls(|_| {});
    for (name, mut alice) in [("alice", server.connect()), ("bob", server.connect_tls())] {
        alice.login_json(name);
        for bytes in [CARRIER_BYTES - 1, CARRIER_BYTES] {
            let text = bytes.to_string();
            alice.send(request_of(bytes - 1, &text) + "\n");
            alice.expect_said(name, &text);
        }
        alice.send(request_of(CARRIER_BYTES, "too long") + "\n");
        assert_eq!(alice.expect_json(), json!({"type": "bye", "reason": "endless_line"}));
        alice.expect_closed();
    }
}

#[test]
fn a_message_over_websocket_has_64_kib() {
    for (server, is_encrypted) in servers() {
        let mut watcher = server.login_json("watcher");
        let json = [("Sec-WebSocket-Protocol", "madang.json.v1")];
        let mut client = connect(&server, is_encrypted, &json);
        client.login_json("alice");
        watcher.expect_message("joined");
        for bytes in [CARRIER_BYTES - 1, CARRIER_BYTES] {
            let text = bytes.to_string();
            client.send(&request_of(bytes, &text));
            watcher.expect_said("alice", &text);
        }
        client.send(&request_of(CARRIER_BYTES + 1, "too long"));
        while client.peek_is_message() {
            assert!(!client.expect_message().contains("too long"));
        }
        assert_eq!(client.expect_close(), Some(1009));
        // As lines, both are too long to be said, but only one byte more closes the connection.
        let mut lines = connect(&server, is_encrypted, &[]);
        lines.login("lines");
        for bytes in [CARRIER_BYTES - 1, CARRIER_BYTES] {
            let refused = Notice::LineTooLong { bytes }.text(Lang::Ko);
            lines.send(&"x".repeat(bytes)).expect(&refused);
        }
        lines.send(&"x".repeat(CARRIER_BYTES + 1));
        while lines.peek_is_message() {
            lines.expect_message();
        }
        assert_eq!(lines.expect_close(), Some(1009));
    }
}

#[test]
fn a_sender_of_an_endless_message_gets_the_goodbye_and_is_cut_off() {
    /// More than the kernels on both sides buffer if nobody reads.
    const MOST_BYTES: usize = 32 << 20;
    for (server, is_encrypted) in servers() {
        let mut watcher = server.login("watcher");
        for is_endless in [false, true] {
            let mut client = connect(&server, is_encrypted, &[]);
            client.login("flood");
            watcher.expect_joined("flood");
            // A frame header that announces a gigabyte, and part of the payload in the same
            // write.
            let mut head = frame(0x81, vec![b'x'; 70_000]);
            head[2..10].copy_from_slice(&(1_u64 << 30).to_be_bytes());
            client.raw().try_send(&head);
            let piece = vec![b'x'; 16 * 1_024];
            let mut sent = 0;
            while (is_endless || sent < 160 * 1_024) && client.raw().try_send(&piece) {
                sent += piece.len();
                assert!(sent < MOST_BYTES, "{sent} bytes were taken");
            }
            if !is_endless {
                while client.peek_is_message() {
                    client.expect_message();
                }
                assert_eq!(client.expect_close(), Some(1009), "encrypted: {is_encrypted}");
            }
            watcher.expect("[flood]님이 퇴장했습니다.\n");
        }
    }
}
