//! Frames as they looked on the wire (RFC 6455 section 5.2), for learners: whole headers and the
//! beginnings of payloads. What may be read is decided by the decoder.

use std::fmt::Write as _;

use madang_protocol::event::WireFrame;

/// The number of payload bytes that are kept.
const START_BYTES: usize = 24;

/// The number of frames that are kept until they are taken; of more, only the number is.
const KEPT_FRAMES: usize = 16;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenFrame {
    /// The header, 2 to 14 bytes.
    pub(crate) header: Vec<u8>,
    pub(crate) is_final: bool,
    /// Whether a reserved bit is set, which only an extension may do.
    pub(crate) has_reserved_bit: bool,
    /// The opcode, 0 to 15.
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// The length of the payload, in bytes, as the header announces it.
    pub(crate) length: u64,
    /// The first bytes of the payload, without the mask.
    pub(crate) start: Vec<u8>,
}

impl SeenFrame {
    /// Reads the header at the start of `bytes`; `None` if it is not complete.
    pub(crate) fn parse(bytes: &[u8]) -> Option<SeenFrame> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (length, rest) = match second & 0x7f {
            126 => {
                rest.split_first_chunk().map(|(it, rest)| (u16::from_be_bytes(*it).into(), rest))
            }
            127 => rest.split_first_chunk().map(|(it, rest)| (u64::from_be_bytes(*it), rest)),
            short => Some((short.into(), rest)),
        }?;
        let (mask, rest) = match second & 0x80 {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?,
        };
        Some(SeenFrame {
            header: bytes[..bytes.len() - rest.len()].to_vec(),
            is_final: first & 0x80 != 0,
            has_reserved_bit: first & 0x70 != 0,
            opcode: first & 0x0f,
            mask,
            length,
            start: Vec::new(),
        })
    }

    /// Adds the beginning of `payload`, which follows what was read of it before.
    pub(super) fn add(&mut self, payload: &[u8]) {
        let room = START_BYTES - self.start.len();
        self.start.extend_from_slice(&payload[..payload.len().min(room)]);
    }
}

impl From<SeenFrame> for WireFrame {
    fn from(frame: SeenFrame) -> WireFrame {
        let name = match frame.opcode {
            0 => "continuation",
            1 => "text",
            2 => "binary",
            8 => "close",
            9 => "ping",
            10 => "pong",
            _ => "unknown",
        };
        WireFrame {
            fin: frame.is_final,
            reserved: frame.has_reserved_bit,
            opcode: frame.opcode,
            name: name.into(),
            header: hex(&frame.header),
            mask: frame.mask.map(|mask| hex(&mask)),
            length: frame.length,
            payload: hex(&frame.start),
        }
    }
}

/// Bytes as `81 02 68`.
fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        let gap = if digits.is_empty() { "" } else { " " };
        write!(digits, "{gap}{byte:02x}").expect("a string takes everything");
    }
    digits
}

/// The frames that have arrived since they were taken last.
#[derive(Debug, Default)]
pub(crate) struct SeenFrames {
    /// The first of them, in order.
    pub(crate) frames: Vec<SeenFrame>,
    /// The number of those that followed.
    pub(crate) more: usize,
}

impl SeenFrames {
    /// A whole frame, with its payload behind its header.
    pub(crate) fn note_whole(&mut self, frame: &[u8]) {
        self.begin(frame);
        let header = self.frames.last().map_or(0, |frame| frame.header.len());
        self.add(&frame[header..]);
    }

    /// A frame has begun whose header is at the start of `bytes`.
    pub(super) fn begin(&mut self, bytes: &[u8]) {
        match SeenFrame::parse(bytes) {
            Some(frame) if self.frames.len() < KEPT_FRAMES => self.frames.push(frame),
            Some(_) => self.more += 1,
            None => {}
        }
    }

    /// A piece of the payload of the frame that has begun last.
    pub(super) fn add(&mut self, payload: &[u8]) {
        if let Some(frame) = self.frames.last_mut().filter(|_| self.more == 0) {
            frame.add(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_whole_or_not_at_all() {
        #[track_caller]
        fn check(bytes: &[u8], mask: Option<[u8; 4]>, length: u64) {
            let frame = SeenFrame::parse(&[bytes, b"payload"].concat()).expect("it is complete");
            assert_eq!((frame.mask, frame.length), (mask, length));
            assert_eq!(frame.header, bytes);
            for short in 0..bytes.len() {
                assert_eq!(SeenFrame::parse(&bytes[..short]), None, "{short}");
            }
        }
        check(&[0x81, 0x02], None, 2);
        check(&[0x81, 0x82, 1, 2, 3, 4], Some([1, 2, 3, 4]), 2);
        check(&[0x81, 0x7e, 1, 0], None, 256);
        check(&[0x01, 0xfe, 1, 0, 1, 2, 3, 4], Some([1, 2, 3, 4]), 256);
        check(&[0x82, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 1], None, 0xff00_0000_0000_0001);
    }

    #[test]
    fn bits_are_told_apart() {
        let frame = SeenFrame::parse(&[0x4b, 0]).expect("it is complete");
        assert!(!frame.is_final && frame.has_reserved_bit);
        assert_eq!(frame.opcode, 11);
        assert!(SeenFrame::parse(&[0x89, 0]).is_some_and(|it| it.is_final && it.opcode == 9));
    }

    #[test]
    fn many_frames_are_counted() {
        let mut seen = SeenFrames::default();
        for _ in 0..KEPT_FRAMES + 3 {
            seen.begin(&[0x01, 0x80, 0, 0, 0, 0]);
            seen.add(b"never more than its beginning");
        }
        assert_eq!((seen.frames.len(), seen.more), (KEPT_FRAMES, 3));
        assert!(seen.frames.iter().all(|frame| frame.start.len() == START_BYTES));
    }
}
