//! Frames to the peer (RFC 6455 section 5.2): unfragmented and unmasked, so that one rendering
//! serves all members.

use std::io::Cursor;

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// The maximum length of the reason in a Close frame, after its code (section 5.5).
const REASON_BYTES: usize = 123;

/// An empty Ping.
pub(crate) const PING: [u8; 2] = [0x89, 0];

/// Appends a text message in one frame.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write(OpCode::Data(Data::Text), text, out);
}

/// Appends a binary message in one frame.
pub(crate) fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    write(OpCode::Data(Data::Binary), bytes, out);
}

/// Appends each line of `lines` as a text message without its line end. A last line without one
/// becomes a message too.
pub(crate) fn write_messages(lines: &[u8], out: &mut Vec<u8>) {
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        write_text(line.strip_suffix(b"\n").unwrap_or(line), out);
    }
}

/// The answer to a Ping.
pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + payload.len());
    write(OpCode::Control(Control::Pong), payload, &mut out);
    out
}

/// Appends a Close frame. Without a code there is no reason either.
pub(crate) fn write_close(code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
    let payload = match code {
        Some(code) => {
            let reason = &reason[..reason.floor_char_boundary(REASON_BYTES)];
            [&code.to_be_bytes(), reason.as_bytes()].concat()
        }
        None => Vec::new(),
    };
    write(OpCode::Control(Control::Close), &payload, out);
}

/// The number of frames in `frames`.
pub(crate) fn count(mut frames: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Some((header, length))) = FrameHeader::parse(&mut Cursor::new(frames)) {
        let frame = header.len(length) + usize::try_from(length).unwrap_or(usize::MAX);
        frames = &frames[frame.min(frames.len())..];
        count += 1;
    }
    count
}

fn write(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let length = payload.len() as u64;
    out.reserve(header.len(length) + payload.len());
    header.format(length, out).expect("a Vec takes all");
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_messages() {
        #[track_caller]
        fn check(lines: &str, expected: &[u8], frames: usize) {
            let mut out = Vec::new();
            write_messages(lines.as_bytes(), &mut out);
            assert_eq!(out, expected);
            assert_eq!(count(&out), frames);
        }
        check("", b"", 0);
        check("hi\n", b"\x81\x02hi", 1);
        check("a\nb\n\nc:", b"\x81\x01a\x81\x01b\x81\x00\x81\x02c:", 4);
        let longer = [&b"\x81\x7e\x00\x7e"[..], &[b'x'; 126]].concat();
        check(&"x".repeat(126), &longer, 1);
    }

    #[test]
    fn a_close_frame_is_never_too_long() {
        #[track_caller]
        fn check(code: Option<u16>, reason: &str, expected: &[u8]) {
            let mut out = Vec::new();
            write_close(code, reason, &mut out);
            assert_eq!(out, expected);
        }
        check(None, "why", b"\x88\x00");
        check(Some(1000), "", b"\x88\x02\x03\xe8");
        check(Some(1001), "bye", b"\x88\x05\x03\xe9bye");
        let cut = ["가".repeat(41), "가".repeat(42)].map(|reason| {
            let mut out = Vec::new();
            write_close(Some(1000), &reason, &mut out);
            out
        });
        assert_eq!(cut[0], cut[1]);
        assert_eq!(cut[1].len(), 2 + 125);
    }
}
