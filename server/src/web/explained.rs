//! `/echo?explain`: what arrives and what is answered, as JSON for learners and their programs.
//! With `&raw`, a binary message is a piece of a connection that is never opened: its bytes are
//! judged as if they had been received.

use madang_protocol::{
    event::{WireFrame, WireSide},
    notice::Goodbye,
    read_buffer::ReadBuffer,
    sanitize::sanitize_line,
};
use serde::Serialize;

use crate::{
    config::WebSocketLimits,
    transport::{
        http::Head,
        websocket::{
            decoder::{Decoder, Incoming},
            seen::{SeenFrame, SeenFrames},
        },
    },
};

/// The headers that belong to the handshake.
const SHOWN_HEADERS: [&str; 8] = [
    "Host",
    "Upgrade",
    "Connection",
    "Origin",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
];

/// The number of messages that a verdict lists.
const LISTED_MESSAGES: usize = 16;

/// Something that is explained.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Explained<'a> {
    /// The first: how the connection became a WebSocket.
    Handshake {
        /// The lines of the request that matter.
        request: Vec<String>,
        /// The lines of the response.
        answer: Vec<&'a str>,
    },
    /// A frame that has arrived, or that follows.
    Frame {
        from: WireSide,
        #[serde(flatten)]
        frame: WireFrame,
    },
    /// So many more frames have arrived, which are not shown.
    More { frames: usize },
    /// The connection is closed now.
    Close(Ending),
    /// What raw bytes would have led to.
    Verdict {
        frames: Vec<WireFrame>,
        /// So many more are not listed.
        more: usize,
        /// What would have been received, in order: `text`, `binary`, `ping`, `pong`, `close`.
        received: Vec<&'static str>,
        /// Why the connection would have been closed; nothing if it would go on.
        #[serde(skip_serializing_if = "Option::is_none")]
        close: Option<Ending>,
        /// Whether a frame or a message has begun and not ended.
        unfinished: bool,
    },
}

/// Why a connection is closed.
#[derive(Serialize)]
struct Ending {
    /// The code of the Close frame (RFC 6455 section 7.4.1).
    code: u16,
    /// The reason, as programs know it.
    reason: &'static str,
}

impl From<Goodbye> for Ending {
    fn from(goodbye: Goodbye) -> Ending {
        Ending { code: goodbye.close_code(), reason: goodbye.code() }
    }
}

/// The handshake: `head` was answered by `answer`.
pub(super) fn handshake(head: &Head, answer: &[u8]) -> String {
    let target = head.target();
    let named = SHOWN_HEADERS.iter().flat_map(|name| {
        head.values(name).map(move |value| sanitize_line(&format!("{name}: {value}")).into_owned())
    });
    let first = sanitize_line(&format!("GET {target} HTTP/1.1")).into_owned();
    let answer = str::from_utf8(answer).unwrap_or_default();
    let answer = answer.split("\r\n").filter(|line| !line.is_empty()).collect();
    json(&Explained::Handshake { request: [first].into_iter().chain(named).collect(), answer })
}

/// What has arrived, a text for each frame.
pub(super) fn arrived(seen: SeenFrames) -> impl Iterator<Item = String> {
    let frames = seen.frames.into_iter().map(|frame| shown(WireSide::Client, frame));
    let more = Some(seen.more).filter(|more| *more > 0);
    frames.chain(more.map(|frames| json(&Explained::More { frames })))
}

/// The frame that the bytes `frame` of the answer are.
pub(super) fn answered(frame: &[u8]) -> Option<String> {
    let mut seen = SeenFrames::default();
    seen.note_whole(frame);
    seen.frames.pop().map(|frame| shown(WireSide::Server, frame))
}

/// Why the connection is closed.
pub(super) fn closed(goodbye: Goodbye) -> String {
    json(&Explained::Close(goodbye.into()))
}

/// What `bytes` would have led to on a new connection with these limits.
pub(super) fn judge(mut bytes: &[u8], limits: WebSocketLimits) -> String {
    let mut decoder = Decoder::new(limits, ReadBuffer::default());
    decoder.watch_frames(true);
    let (mut received, mut close) = (Vec::new(), None);
    let (mut frames, mut more) = (Vec::new(), 0);
    while close.is_none() && !bytes.is_empty() {
        let spare = decoder.spare();
        let count = spare.len().min(bytes.len());
        let (piece, rest) = bytes.split_at(count);
        spare[..count].copy_from_slice(piece);
        decoder.filled(count);
        bytes = rest;
        loop {
            match decoder.next_bytes() {
                Ok(Some(_)) => received.extend(decoder.take().map(|it| match it {
                    Incoming::Text(_) => "text",
                    Incoming::Binary(_) => "binary",
                    Incoming::Ping(_) => "ping",
                    Incoming::Pong => "pong",
                    Incoming::Close(_) => "close",
                })),
                Ok(None) => break,
                Err(goodbye) => {
                    close = Some(goodbye.into());
                    break;
                }
            }
        }
        let seen = decoder.take_seen();
        frames.extend(seen.frames.into_iter().map(WireFrame::from));
        more += seen.more;
    }
    more += frames.len().saturating_sub(LISTED_MESSAGES);
    frames.truncate(LISTED_MESSAGES);
    received.truncate(LISTED_MESSAGES);
    let unfinished = close.is_none() && decoder.holds_part();
    json(&Explained::Verdict { frames, more, received, close, unfinished })
}

fn shown(from: WireSide, frame: SeenFrame) -> String {
    json(&Explained::Frame { from, frame: frame.into() })
}

fn json(explained: &Explained<'_>) -> String {
    serde_json::to_string(explained).expect("plain data")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn verdict(bytes: &[u8]) -> Value {
        serde_json::from_str(&judge(bytes, WebSocketLimits::default())).expect("it is JSON")
    }

    #[test]
    fn bad_frames_are_judged_as_the_server_would() {
        #[track_caller]
        fn check(bytes: &[u8], code: u16, reason: &str) {
            let verdict = verdict(bytes);
            assert_eq!(verdict["close"], json!({"code": code, "reason": reason}), "{verdict}");
        }
        check(b"\x81\x02hi", 1002, "protocol_error");
        check(b"\x83\x80\x00\x00\x00\x00", 1002, "protocol_error");
        check(b"\xc1\x80\x00\x00\x00\x00", 1002, "protocol_error");
        check(b"\x80\x80\x00\x00\x00\x00", 1002, "protocol_error");
        check(b"\x89\xfe\x00\x7e\x00\x00\x00\x00", 1002, "protocol_error");
        check(b"\x82\x80\x00\x00\x00\x00", 1003, "not_text");
        check(b"\x81\x82\x00\x00\x00\x00\xec\x95", 1007, "not_utf8");
        check(b"\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", 1009, "message_too_big");
        check(b"\x88\x82\x00\x00\x00\x00\x03\xed", 1002, "protocol_error");
    }

    #[test]
    fn good_frames_are_listed_and_an_unfinished_one_is_told() {
        let good =
            verdict(b"\x01\x81\x01\x01\x01\x01i\x80\x81\x00\x00\x00\x00i\x89\x80\x00\x00\x00\x00");
        assert_eq!(good["received"], json!(["text", "ping"]), "{good}");
        assert_eq!(good["frames"][0]["payload"], "68", "{good}");
        assert_eq!(good["frames"][0]["header"], "01 81 01 01 01 01");
        assert_eq!(good["frames"][1]["name"], "continuation");
        assert_eq!((&good["close"], &good["unfinished"]), (&Value::Null, &json!(false)));
        assert_eq!(verdict(b"\x81")["unfinished"], true);
        assert_eq!(verdict(b"")["unfinished"], false);
    }

    #[test]
    fn a_verdict_on_many_frames_is_short() {
        let pings = b"\x89\x80\x00\x00\x00\x00".repeat(10_000);
        let text = judge(&pings, WebSocketLimits::default());
        assert!(text.len() < 4_096, "{}", text.len());
        let verdict: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(verdict["more"], 10_000 - LISTED_MESSAGES, "{text}");
    }
}
