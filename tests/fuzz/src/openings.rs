//! How a peer of another protocol is recognised: TLS by its hello, others by their first bytes.

use std::time::Duration;

use madang_protocol::foreign::Foreign;
use madang_server::fuzzing::{LinePeer, RequestHead, Understood, read_head};

use crate::cost::bounded;

/// The first byte of a TLS handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// Checks the first bytes of a connection.
pub fn run(input: &[u8]) {
    let first = bounded(input.len(), 1_000, 64, || Foreign::of_first_read(input));
    if let Some(opening) = Foreign::of_opening(input) {
        assert_eq!(first, Some(opening), "more is known of a first read");
    }
    for line in input.split(|byte| *byte == b'\n') {
        Foreign::of_line(line);
    }
    if input.first() == Some(&HANDSHAKE) {
        assert_eq!(first, Some(Foreign::Tls));
        assert!(matches!(read_head(input), RequestHead::Refused(_)), "TLS is no request");
    }

    // Nothing that a recognised peer sends is said aloud.
    let mut peer = LinePeer::default();
    peer.read(input, Duration::ZERO, true);
    if let Some(foreign) = first {
        assert_eq!(peer.understood, [Understood::End(foreign.code().to_owned())]);
        assert!(!foreign.name().is_empty());
    }

    // One byte at a time: once recognised, it is closed.
    let mut peer = LinePeer::default();
    for (byte, number) in input.iter().zip(0..) {
        peer.read(&[*byte], Duration::from_millis(number), false);
    }
    let is_end = |understood: &Understood| matches!(understood, Understood::End(_));
    let ends = peer.understood.iter().filter(|understood| is_end(understood)).count();
    assert!(ends <= 1 && (ends == 0 || peer.understood.last().is_some_and(is_end)));
}
