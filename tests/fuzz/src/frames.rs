//! WebSocket frames and the messages assembled from them, however they are cut into reads,
//! watched or not.

use madang_server::{
    config::WebSocketLimits,
    fuzzing::{Understood, low_limits, read_frames},
};

use crate::{chunks::Chunked, cost::bounded};

/// Checks a peer's bytes after the handshake.
pub fn run(input: &[u8]) {
    let Some(input) = Chunked::parse(input) else { return };
    let limits = match input.choice % 2 {
        0 => low_limits(),
        _ => WebSocketLimits::default(),
    };
    let is_watched = input.choice / 2 % 2 == 1;
    let cut = bounded(input.bytes.len(), 300_000, 400, || {
        read_frames(input.chunks(), limits, is_watched)
    });
    let whole = read_frames([input.bytes], limits, false);
    assert_eq!(cut, whole, "cut into reads, and whole");

    let (understood, paid_bytes) = cut;
    assert!(paid_bytes <= input.bytes.len(), "{paid_bytes} bytes paid");
    for understood in understood {
        let bytes = match understood {
            Understood::Text(text) => text.len(),
            Understood::Binary(bytes) => bytes.len(),
            _ => continue,
        };
        assert!(bytes <= limits.message_bytes, "a message of {bytes} bytes");
    }
}
