//! An incremental decoder from bytes to messages (RFC 6455), without sockets or clocks.

use std::io::Cursor;

use madang_protocol::{notice::Goodbye, read_buffer::ReadBuffer};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

use super::seen::SeenFrames;
use crate::config::{Binary, WebSocketLimits};

/// The maximum payload of a control frame (section 5.5).
const CONTROL_BYTES: u64 = 125;

/// Something that has arrived completely.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// A Close frame, with its code if it has one.
    Close(Option<u16>),
}

/// Assembles messages from frames, however they are chunked, fragmented or interleaved with
/// control frames.
///
/// Fill it with [`spare`](Self::spare) and [`filled`](Self::filled), empty it with
/// [`next_bytes`](Self::next_bytes) and [`take`](Self::take). Memory grows with what has
/// arrived, not with the announced length.
#[derive(Debug)]
pub(crate) struct Decoder {
    limits: WebSocketLimits,
    buffer: ReadBuffer,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The payload of that frame, if it is a control frame.
    control: Vec<u8>,
    message: Option<Assembly>,
    /// The next complete message or control frame, not taken yet.
    found: Option<Incoming>,
    /// The frames as they looked, if somebody wants to see them.
    seen: Option<Box<SeenFrames>>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    /// How much of the payload was read.
    read: usize,
    length: usize,
}

/// A message that has begun.
#[derive(Debug, Default)]
struct Assembly {
    is_text: bool,
    payload: Vec<u8>,
    /// How many bytes of a text are known to be valid UTF-8.
    checked: usize,
    fragments: usize,
}

impl Decoder {
    /// A decoder whose first input is the content of `buffer`.
    pub(crate) fn new(limits: WebSocketLimits, buffer: ReadBuffer) -> Decoder {
        Decoder {
            limits,
            buffer,
            frame: None,
            control: Vec::new(),
            message: None,
            found: None,
            seen: None,
        }
    }

    /// Whether frames can be taken as they looked from now on, by [`take_seen`](Self::take_seen).
    pub(crate) fn watch_frames(&mut self, watched: bool) {
        self.seen = watched.then(Box::default);
    }

    /// The frames that have arrived since the last call.
    pub(crate) fn take_seen(&mut self) -> SeenFrames {
        self.seen.as_mut().map(|seen| std::mem::take(&mut **seen)).unwrap_or_default()
    }

    /// The frames that have arrived whole since the last call. The last one stays if its payload
    /// is still being read.
    pub(crate) fn take_whole_frames(&mut self) -> SeenFrames {
        let mut taken = self.take_seen();
        let begun = taken.frames.pop_if(|_| self.frame.is_some() && taken.more == 0);
        if let Some(seen) = &mut self.seen {
            seen.frames.extend(begun);
        }
        taken
    }

    /// The payload of the message that was found, or of what has arrived of the next one; and
    /// whether that is all of it.
    pub(crate) fn message_so_far(&self) -> (&[u8], bool) {
        match (&self.found, &self.message) {
            (Some(Incoming::Text(text)), _) => (text.as_bytes(), true),
            (Some(Incoming::Binary(bytes)), _) => (bytes, true),
            (_, Some(message)) => (&message.payload, false),
            (_, None) => (&[], false),
        }
    }

    /// The space for the next read. Call it when [`next_bytes`](Self::next_bytes) has found
    /// nothing more, so that at most part of a header is left.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.buffer.spare()
    }

    /// Takes the first `count` bytes of [`spare`](Self::spare) as read.
    pub(crate) fn filled(&mut self, count: usize) {
        self.buffer.filled(count);
    }

    /// Whether a message or frame has begun and not ended.
    pub(crate) fn holds_part(&self) -> bool {
        self.is_assembling() || !self.buffer.waiting().is_empty()
    }

    /// Whether a message or frame has begun whose start was processed already.
    pub(crate) fn is_assembling(&self) -> bool {
        self.message.is_some() || self.frame.is_some()
    }

    /// The length of the next complete message or control frame; `None` if more must be read
    /// first.
    ///
    /// # Errors
    ///
    /// Why the connection must be closed. The decoder cannot be used afterwards.
    pub(crate) fn next_bytes(&mut self) -> Result<Option<usize>, Goodbye> {
        if self.found.is_none() {
            self.found = self.decode()?;
        }
        Ok(self.found.as_ref().map(|found| match found {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) | Incoming::Ping(bytes) => bytes.len(),
            Incoming::Pong | Incoming::Close(_) => 0,
        }))
    }

    /// Takes what [`next_bytes`](Self::next_bytes) found.
    pub(crate) fn take(&mut self) -> Option<Incoming> {
        self.found.take()
    }

    fn decode(&mut self) -> Result<Option<Incoming>, Goodbye> {
        loop {
            let Some(mut frame) = self.frame.take() else {
                match self.read_header()? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(None),
                }
                continue;
            };
            self.read_payload(&mut frame)?;
            if frame.read < frame.length {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(found) = self.finish_frame(&frame)? {
                return Ok(Some(found));
            }
        }
    }

    fn read_header(&mut self) -> Result<Option<Frame>, Goodbye> {
        let mut cursor = Cursor::new(self.buffer.waiting());
        if let Some(seen) = &mut self.seen {
            seen.begin(self.buffer.waiting());
        }
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_opcode| Goodbye::BrokenFrame)?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let header_bytes = cursor.position() as usize;

        let FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
        let minimal = header.len(length) == header_bytes && length <= i64::MAX as u64;
        let Some(mask) = mask.filter(|_| minimal && !rsv1 && !rsv2 && !rsv3) else {
            return Err(Goodbye::BrokenFrame);
        };
        self.check_place(opcode, is_final, length)?;
        let length = usize::try_from(length).map_err(|_| Goodbye::MessageTooBig)?;
        self.buffer.take(header_bytes);
        Ok(Some(Frame { opcode, is_final, mask, read: 0, length }))
    }

    /// Checks that a frame is allowed at this point, and starts a message if it begins one.
    fn check_place(&mut self, opcode: OpCode, is_final: bool, length: u64) -> Result<(), Goodbye> {
        let message = match (opcode, &mut self.message) {
            (OpCode::Control(_), _) if is_final && length <= CONTROL_BYTES => return Ok(()),
            (OpCode::Data(Data::Continue), Some(message)) => message,
            (OpCode::Data(Data::Text | Data::Binary), none @ None) => {
                let is_text = opcode == OpCode::Data(Data::Text);
                if !is_text && self.limits.binary == Binary::Refused {
                    return Err(Goodbye::NotText);
                }
                none.insert(Assembly { is_text, ..Assembly::default() })
            }
            _ => return Err(Goodbye::BrokenFrame),
        };
        message.fragments += 1;
        let left = self.limits.message_bytes - message.payload.len();
        if message.fragments > self.limits.fragments || length > left as u64 {
            return Err(Goodbye::MessageTooBig);
        }
        Ok(())
    }

    /// Moves the payload read so far to where it is assembled.
    fn read_payload(&mut self, frame: &mut Frame) -> Result<(), Goodbye> {
        let count = self.buffer.waiting().len().min(frame.length - frame.read);
        let payload = self.buffer.take(count);
        unmask(payload, frame.mask, frame.read);
        if let Some(seen) = &mut self.seen {
            seen.add(payload);
        }
        frame.read += count;
        match (frame.opcode, &mut self.message) {
            (OpCode::Data(_), Some(message)) => {
                message.payload.extend_from_slice(payload);
                message.check_so_far()
            }
            _ => {
                self.control.extend_from_slice(payload);
                Ok(())
            }
        }
    }

    fn finish_frame(&mut self, frame: &Frame) -> Result<Option<Incoming>, Goodbye> {
        Ok(Some(match frame.opcode {
            OpCode::Data(_) => {
                let Some(message) = self.message.take_if(|_| frame.is_final) else {
                    return Ok(None);
                };
                if message.is_text {
                    let text = String::from_utf8(message.payload);
                    Incoming::Text(text.map_err(|_| Goodbye::NotUtf8)?)
                } else {
                    Incoming::Binary(message.payload)
                }
            }
            OpCode::Control(Control::Close) => {
                Incoming::Close(read_close(&std::mem::take(&mut self.control))?)
            }
            OpCode::Control(Control::Ping) => Incoming::Ping(std::mem::take(&mut self.control)),
            OpCode::Control(_) => {
                self.control = Vec::new();
                Incoming::Pong
            }
        }))
    }
}

impl Assembly {
    /// Checks an unfinished text so far, so that invalid UTF-8 is rejected without waiting for
    /// the rest.
    fn check_so_far(&mut self) -> Result<(), Goodbye> {
        if self.is_text {
            match str::from_utf8(&self.payload[self.checked..]) {
                Ok(text) => self.checked += text.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(Goodbye::NotUtf8),
            }
        }
        Ok(())
    }
}

/// The code of a Close frame (section 5.5.1).
fn read_close(payload: &[u8]) -> Result<Option<u16>, Goodbye> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(Goodbye::BrokenFrame);
            }
            str::from_utf8(reason).map_err(|_| Goodbye::NotUtf8)?;
            Ok(Some(code))
        }
        [_] => Err(Goodbye::BrokenFrame),
    }
}

/// Removes the mask (section 5.3) from a piece of payload at offset `at`.
fn unmask(piece: &mut [u8], mut mask: [u8; 4], at: usize) {
    mask.rotate_left(at % 4);
    for four in piece.chunks_mut(4) {
        for (byte, mask) in four.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::chunks;

    const LIMITS: fn() -> WebSocketLimits = || WebSocketLimits {
        message_bytes: 1_000,
        fragments: 4,
        binary: Binary::Taken,
        ..WebSocketLimits::default()
    };

    /// A masked frame with this first byte.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut out = vec![first];
        match payload.len() {
            length @ ..126 => out.push(0x80 | length as u8),
            length => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
        }
        out.extend_from_slice(&MASK);
        out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }

    /// A buffer that contains `bytes`.
    pub(crate) fn holding(bytes: &[u8]) -> ReadBuffer {
        let mut buffer = ReadBuffer::default();
        buffer.spare()[..bytes.len()].copy_from_slice(bytes);
        buffer.filled(bytes.len());
        buffer
    }

    /// Everything decoded from `chunks`, and what ended it.
    fn decode<'a>(
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Incoming>, Option<Goodbye>, bool) {
        let mut decoder = Decoder::new(LIMITS(), ReadBuffer::default());
        let mut all = Vec::new();
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let count = chunks::fill(decoder.spare(), &mut chunk);
                decoder.filled(count);
                loop {
                    match decoder.next_bytes() {
                        Ok(Some(_)) => all.extend(decoder.take()),
                        Ok(None) => break,
                        Err(goodbye) => return (all, Some(goodbye), true),
                    }
                }
            }
        }
        (all, None, decoder.holds_part())
    }

    #[track_caller]
    fn check(frames: &[Vec<u8>], expected: &[Incoming], goodbye: Option<Goodbye>) {
        let bytes = frames.concat();
        let whole = decode([&bytes[..]]);
        assert_eq!((&whole.0[..], whole.1), (expected, goodbye));
        assert_eq!(decode(bytes.chunks(1)), whole, "byte by byte");
        for cut in 0..bytes.len() {
            assert_eq!(decode([&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn messages_are_assembled() {
        use Incoming::{Binary, Close, Ping, Pong, Text};
        let text = |text: &str| Text(text.into());
        check(&[frame(0x81, b""), frame(0x81, "안녕".as_bytes())], &[text(""), text("안녕")], None);
        check(&[frame(0x82, b"\xff\0")], &[Binary(b"\xff\0".into())], None);
        check(&[frame(0x81, &[b'x'; 300])], &[text(&"x".repeat(300))], None);
        check(
            &[frame(0x01, "안".as_bytes()), frame(0x00, b"\xeb"), frame(0x80, b"\x85\x95")],
            &[text("안녕")],
            None,
        );
        check(
            &[frame(0x02, b"a"), frame(0x89, b"ping"), frame(0x8a, b""), frame(0x80, b"b")],
            &[Ping(b"ping".into()), Pong, Binary(b"ab".into())],
            None,
        );
        check(&[frame(0x88, b"")], &[Close(None)], None);
        check(&[frame(0x88, b"\x03\xe8bye")], &[Close(Some(1000))], None);
        check(&[frame(0x88, b"\x0f\xa1")], &[Close(Some(4001))], None);
        check(&[frame(0x81, &[b'x'; 1_000])], &[text(&"x".repeat(1_000))], None);
    }

    #[test]
    fn each_protocol_violation_has_its_own_reason() {
        use Goodbye::{BrokenFrame, MessageTooBig, NotUtf8};
        #[track_caller]
        fn refused(frames: &[Vec<u8>], goodbye: Goodbye) {
            check(frames, &[], Some(goodbye));
        }
        for reserved in [0x83, 0x87, 0x8b, 0x8f, 0xc1, 0xa1, 0x91, 0xc9] {
            refused(&[frame(reserved, b"x")], BrokenFrame);
        }
        refused(&[vec![0x81, 1, b'x']], BrokenFrame);
        refused(&[frame(0x09, b"")], BrokenFrame);
        refused(&[frame(0x89, &[0; 126])], BrokenFrame);
        refused(&[frame(0x80, b"x")], BrokenFrame);
        refused(&[frame(0x01, b"x"), frame(0x81, b"x")], BrokenFrame);
        refused(&[frame(0x88, b"\x03")], BrokenFrame);
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            refused(&[frame(0x88, &code.to_be_bytes())], BrokenFrame);
        }
        // Lengths encoded in more bytes than needed, and the highest bit.
        refused(&[vec![0x81, 0xfe, 0, 1, 0, 0, 0, 0, b'x']], BrokenFrame);
        refused(&[vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], BrokenFrame);

        refused(&[vec![0x81, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], MessageTooBig);
        refused(&[frame(0x81, &[b'x'; 1_001])], MessageTooBig);
        refused(&[frame(0x01, &[b'x'; 600]), frame(0x00, &[b'x'; 401])], MessageTooBig);
        let fragments: Vec<_> =
            [0x01, 0, 0, 0, 0].into_iter().map(|first| frame(first, b"")).collect();
        refused(&fragments, MessageTooBig);

        refused(&[frame(0x81, b"\xff")], NotUtf8);
        refused(&[frame(0x81, b"\xed\xa0\x80")], NotUtf8);
        refused(&[frame(0x81, b"\xe2\x82")], NotUtf8);
        refused(&[frame(0x88, b"\x03\xe8\xff")], NotUtf8);
    }

    #[test]
    fn invalid_utf8_is_rejected_before_the_message_ends() {
        let mut decoder = Decoder::new(LIMITS(), holding(&frame(0x01, b"ab\xff")));
        assert_eq!(decoder.next_bytes(), Err(Goodbye::NotUtf8));
        let part = &frame(0x81, b"ab\xffcd")[..9];
        assert_eq!(Decoder::new(LIMITS(), holding(part)).next_bytes(), Err(Goodbye::NotUtf8));
    }

    #[test]
    fn binary_messages_are_refused_in_the_chat() {
        let limits = WebSocketLimits { binary: Binary::Refused, ..LIMITS() };
        let mut decoder = Decoder::new(limits, holding(&frame(0x82, b"x")[..6]));
        assert_eq!(decoder.next_bytes(), Err(Goodbye::NotText));
    }

    #[test]
    fn a_partial_message_is_kept_until_it_is_complete() {
        let bytes = [frame(0x01, b"a"), frame(0x89, b""), frame(0x80, b"b")].concat();
        for length in 1..bytes.len() {
            let (_, goodbye, holds_part) = decode([&bytes[..length]]);
            assert_eq!((goodbye, holds_part), (None, true), "{length} bytes");
        }
        assert!(!decode([&bytes[..]]).2);
    }

    proptest! {
        #[test]
        fn chunking_never_changes_the_result(
            frames in proptest::collection::vec(
                (prop_oneof![Just(0x81u8), Just(0x01), Just(0x80), Just(0x89), any::<u8>()],
                 proptest::collection::vec(any::<u8>(), 0..200)), 0..8),
            cuts in chunks::cuts(0.05, 1..200),
        ) {
            let bytes: Vec<u8> =
                frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
            prop_assert_eq!(decode(chunks::cut(&bytes, cuts)), decode([&bytes[..]]));
        }
    }
}
