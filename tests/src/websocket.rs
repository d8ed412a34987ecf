//! A WebSocket peer that builds its own frames (RFC 6455), valid and invalid ones.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use crate::{DEADLINE, client::TestClient};

/// The handshake of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The mask of all frames. Any value will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A connection to a server's web port, after the WebSocket handshake.
///
/// Every `expect…` answers and skips Pings, except [`expect_frame`](Self::expect_frame).
pub struct WebSocketClient {
    client: TestClient,
}

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

/// The bytes of a masked frame: `first` is FIN, the reserved bits and the opcode.
pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

impl WebSocketClient {
    /// Connects and does the handshake for `path` with additional headers.
    ///
    /// # Panics
    ///
    /// If nobody listens there, or the server refuses.
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> WebSocketClient {
        WebSocketClient::upgrade(TestClient::connect(address), address, path, headers)
    }

    /// Connects with a receive buffer of about `bytes` bytes.
    #[track_caller]
    pub fn open_with_buffer(address: SocketAddr, bytes: usize) -> WebSocketClient {
        let client = TestClient::connect_with_buffer(address, bytes);
        WebSocketClient::upgrade(client, address, "/", &[])
    }

    /// Does the handshake on an existing connection.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[track_caller]
    pub fn upgrade(
        mut client: TestClient,
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> WebSocketClient {
        client.send(WebSocketClient::request(address, path, headers));
        let head = client.expect("\r\n\r\n");
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(ACCEPT) {
            client.fail(&format!("expected consent, not {head}"));
        }
        WebSocketClient { client }
    }

    /// Connects to speak JSON.
    #[track_caller]
    pub fn open_json(address: SocketAddr) -> WebSocketClient {
        WebSocketClient::open(address, "/", &[("Sec-WebSocket-Protocol", "madang.json.v1")])
    }

    /// The request that [`open`](Self::open) sends.
    pub fn request(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> String {
        let more: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\n{more}\r\n"
        )
    }

    /// Resets the underlying connection.
    pub fn reset(self) {
        self.client.reset();
    }

    /// The underlying connection.
    pub fn raw(&mut self) -> &mut TestClient {
        &mut self.client
    }

    /// Sends a text message in one frame.
    #[track_caller]
    pub fn send(&mut self, text: &str) -> &mut WebSocketClient {
        self.send_frame(0x81, text)
    }

    /// Sends an object as a message.
    #[track_caller]
    pub fn send_json(&mut self, message: &Value) -> &mut WebSocketClient {
        self.send(&message.to_string())
    }

    /// Sends a frame of any kind.
    #[track_caller]
    pub fn send_frame(&mut self, first: u8, payload: impl AsRef<[u8]>) -> &mut WebSocketClient {
        self.client.send(frame(first, payload));
        self
    }

    /// Sends a Close frame.
    #[track_caller]
    pub fn send_close(&mut self, code: u16) -> &mut WebSocketClient {
        self.send_frame(0x88, code.to_be_bytes())
    }

    /// The first byte of the next frame, which is waited for and not consumed; 0 at the end.
    pub fn peek_first(&mut self) -> u8 {
        self.client.peek_bytes(1, DEADLINE).first().copied().unwrap_or(0)
    }

    /// Whether the next frame, which is waited for and not consumed, is a text message.
    pub fn peek_is_message(&mut self) -> bool {
        self.peek_first() == 0x81
    }

    /// The next frame of any kind.
    #[track_caller]
    pub fn expect_frame(&mut self) -> Frame {
        let head = self.client.expect_bytes(2);
        let length = match head[1] {
            126 => u16::from_be_bytes(self.client.expect_bytes(2).try_into().expect("two")).into(),
            127 => u64::from_be_bytes(self.client.expect_bytes(8).try_into().expect("eight")),
            length @ ..126 => length.into(),
            masked => self.client.fail(&format!("a masked frame, or worse: {masked:#x}")),
        };
        let length = usize::try_from(length).expect("it is no more than memory has");
        Frame { first: head[0], payload: self.client.expect_bytes(length) }
    }

    /// The next frame that is not a Ping.
    #[track_caller]
    fn expect_answer(&mut self) -> Frame {
        loop {
            let frame = self.expect_frame();
            match frame.first {
                0x89 => _ = self.send_frame(0x8a, frame.payload),
                _ => return frame,
            }
        }
    }

    /// The next message, which must be text.
    #[track_caller]
    pub fn expect_message(&mut self) -> String {
        let Frame { first, payload } = self.expect_answer();
        match String::from_utf8(payload) {
            Ok(text) if first == 0x81 => text,
            other => self.client.fail(&format!("expected text, not {first:#x} {other:?}")),
        }
    }

    /// Expects exactly this message next.
    #[track_caller]
    pub fn expect_next(&mut self, text: &str) -> &mut WebSocketClient {
        let message = self.expect_message();
        if message != text {
            self.client.fail(&format!("expected {text:?} next, not {message:?}"));
        }
        self
    }

    /// Waits for this message and skips those before it.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut WebSocketClient {
        while self.expect_message() != text {}
        self
    }

    /// The next message, as JSON of type `kind`.
    #[track_caller]
    pub fn expect_json(&mut self, kind: &str) -> Value {
        let text = self.expect_message();
        match serde_json::from_str::<Value>(&text) {
            Ok(message) if message["type"] == kind => message,
            _ => self.client.fail(&format!("expected a {kind}, not {text}")),
        }
    }

    /// Expects a Close frame next, with only Pings before it, and after the answer an orderly
    /// end of the connection. Returns the code of the frame.
    #[track_caller]
    pub fn expect_close(&mut self) -> Option<u16> {
        let code = self.expect_close_code();
        // The answer may have been sent before this side has read the server's Close frame.
        self.client.try_send(frame(0x88, code.unwrap_or(1000).to_be_bytes()));
        self.client.expect_closed();
        code
    }

    /// The same, if this side has sent its Close frame already.
    #[track_caller]
    pub fn expect_closed(&mut self) -> Option<u16> {
        let code = self.expect_close_code();
        self.client.expect_closed();
        code
    }

    /// The code of the server's Close frame, whatever becomes of the connection then.
    ///
    /// # Panics
    ///
    /// If another frame comes, or none.
    #[track_caller]
    pub fn expect_close_code(&mut self) -> Option<u16> {
        let Frame { first, payload } = self.expect_answer();
        if first != 0x88 {
            self.client.fail(&format!("expected a Close frame, not {first:#x} {payload:?}"));
        }
        let (code, reason) = payload.split_first_chunk()?;
        assert!(str::from_utf8(reason).is_ok_and(|reason| reason.len() <= 123), "{reason:?}");
        Some(u16::from_be_bytes(*code))
    }

    /// Expects nothing for `pause`.
    #[track_caller]
    pub fn expect_nothing_for(&mut self, pause: Duration) {
        self.client.expect_nothing_for(pause);
    }

    /// Logs in with lines, and waits until its own joining is announced.
    #[track_caller]
    pub fn login(&mut self, name: &str) -> &mut WebSocketClient {
        self.client.call(name);
        while !self.expect_message().ends_with("ID:") {}
        self.send(name);
        while !self.expect_message().starts_with(&format!("[{name}]")) {}
        self
    }

    /// Logs in with JSON, waits until its own joining is announced, and returns the welcome.
    #[track_caller]
    pub fn login_json(&mut self, name: &str) -> Value {
        self.client.call(name);
        self.expect_json("hello");
        self.send_json(&json!({"type": "login", "name": name}));
        let welcome = self.expect_json("welcome");
        let joined = self.expect_json("joined");
        assert_eq!(joined["id"], welcome["id"], "the first event is one's own");
        welcome
    }
}
