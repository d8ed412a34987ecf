//! WebSocket (RFC 6455): Madang's two dialects, and a plain form for servers that send each
//! message to everyone.
//!
//! A frame with its header takes the place of a line. Frames to the server are masked with
//! zeros: the standard demands a mask, and every mask costs the server the same.

use super::{Heard, Protocol, Question, Rooms, json::Json, lines::Lines, lines::PROMPTS};
use crate::text::{Said, Wording};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// Madang's lines, one a message.
pub(super) struct WebSocketLines;

/// Madang's JSON, one object a message.
pub(super) struct WebSocketJson;

/// Messages without a login that are sent to everyone, their speaker too.
pub(super) struct WebSocketPlain;

impl Protocol for WebSocketLines {
    fn opening(&self, _room: usize) -> Vec<u8> {
        upgrade("")
    }

    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        line_end(bytes)
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        hear(line, |payload| {
            if PROMPTS.iter().any(|prompt| prompt.as_bytes() == payload) {
                return Heard::Asked(Question::Prompt);
            }
            Lines.hear(payload)
        })
    }

    fn answer(&self, question: Question, member: usize, room: usize) -> Vec<u8> {
        match question {
            Question::Alive => pong(),
            _ => text_frame(Lines.answer(question, member, room).trim_ascii_end()),
        }
    }

    fn header(&self, _room: usize, text_bytes: usize) -> Vec<u8> {
        header(TEXT, "[m00000] ".len() + text_bytes, 0)
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        say(said, wording, out);
    }

    fn quit(&self) -> &'static [u8] {
        // Close with 1000.
        b"\x88\x82\0\0\0\0\x03\xe8"
    }

    fn signs_lines(&self) -> bool {
        true
    }

    fn announces(&self) -> bool {
        true
    }
}

impl Protocol for WebSocketJson {
    fn opening(&self, _room: usize) -> Vec<u8> {
        upgrade("Sec-WebSocket-Protocol: madang.json.v1\r\n")
    }

    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        line_end(bytes)
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        hear(line, |payload| Json.hear(payload))
    }

    fn answer(&self, question: Question, member: usize, room: usize) -> Vec<u8> {
        match question {
            Question::Alive => pong(),
            _ => text_frame(Json.answer(question, member, room).trim_ascii_end()),
        }
    }

    fn say(&self, room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        let mut line = Vec::new();
        Json.say(room, said, wording, &mut line);
        out.extend_from_slice(&text_frame(line.trim_ascii_end()));
    }

    fn quit(&self) -> &'static [u8] {
        WebSocketLines.quit()
    }

    fn announces(&self) -> bool {
        true
    }

    fn rooms(&self) -> Rooms {
        Rooms::Many
    }
}

impl Protocol for WebSocketPlain {
    fn opening(&self, _room: usize) -> Vec<u8> {
        upgrade("")
    }

    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        line_end(bytes)
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        if line.starts_with(b"HTTP/1.1 101") {
            return Heard::Entered;
        }
        hear(line, |_| Heard::Other)
    }

    fn answer(&self, _question: Question, _member: usize, _room: usize) -> Vec<u8> {
        pong()
    }

    fn header(&self, _room: usize, text_bytes: usize) -> Vec<u8> {
        header(TEXT, text_bytes, 0)
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        say(said, wording, out);
    }
}

fn upgrade(more: &str) -> Vec<u8> {
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

/// Where the first frame ends, or the first line of the answer to the upgrade.
fn line_end(bytes: &[u8]) -> Option<usize> {
    if bytes.first()? & 0x80 == 0 {
        return memchr::memchr(b'\n', bytes).map(|at| at + 1);
    }
    let (header, payload) = lengths(bytes)?;
    (bytes.len() >= header + payload).then_some(header + payload)
}

/// The lengths of a frame's header and payload; servers don't mask.
fn lengths(frame: &[u8]) -> Option<(usize, usize)> {
    match *frame.get(1)? {
        126 => Some((4, usize::from(u16::from_be_bytes(*frame.get(2..)?.first_chunk()?)))),
        127 => {
            let length = u64::from_be_bytes(*frame.get(2..)?.first_chunk()?);
            Some((10, usize::try_from(length).ok()?))
        }
        short => Some((2, usize::from(short))),
    }
}

/// What a frame, or a line of the answer to the upgrade, means.
fn hear<'a>(line: &'a [u8], text: impl FnOnce(&'a [u8]) -> Heard<'a>) -> Heard<'a> {
    match line.first() {
        Some(&TEXT) => match lengths(line) {
            Some((header, _)) => text(&line[header..]),
            None => Heard::Other,
        },
        Some(&PING) => Heard::Asked(Question::Alive),
        Some(&CLOSE) => Heard::Refused(line),
        _ if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 101") => {
            Heard::Refused(line)
        }
        _ => Heard::Other,
    }
}

/// The header of a frame with `length` bytes; `mask` is the mask bit.
fn header(opcode: u8, length: usize, mask: u8) -> Vec<u8> {
    match length {
        0..126 => vec![opcode, mask | length as u8],
        126..0x1_0000 => [&[opcode, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[opcode, mask | 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

fn text_frame(payload: &[u8]) -> Vec<u8> {
    [&header(TEXT, payload.len(), 0x80)[..], &[0; 4], payload].concat()
}

fn pong() -> Vec<u8> {
    [&header(PONG, 0, 0x80)[..], &[0; 4]].concat()
}

fn say(said: Said, wording: &Wording, out: &mut Vec<u8>) {
    out.extend_from_slice(&header(TEXT, wording.text_bytes(), 0x80));
    out.extend_from_slice(&[0; 4]);
    wording.write(said, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_the_lines_before_them_are_told_apart() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Option<usize>) {
            assert_eq!(line_end(bytes), expected, "{bytes:?}");
        }
        check(b"HTTP/1.1 101 Switching Protocols\r\nUp", Some(34));
        check(b"\r\n\x81\x02hi", Some(2));
        check(b"\x81\x02hi\x81", Some(4));
        check(b"\x81\x02h", None);
        check(b"\x81", None);
        check(b"\x88\x00", Some(2));
        let long = [&header(TEXT, 300, 0)[..], &[b'x'; 300]].concat();
        check(&long, Some(304));
        check(&long[..303], None);
    }

    #[test]
    fn frames_mean_what_their_payload_says() {
        #[track_caller]
        fn check(payload: &str, expected: Heard<'_>) {
            let frame = [&header(TEXT, payload.len(), 0)[..], payload.as_bytes()].concat();
            assert_eq!(WebSocketLines.hear(&frame), expected, "{payload}");
        }
        check("로그인ID:", Heard::Asked(Question::Prompt));
        check("[m00042] joined.", Heard::Joined(42));
        check("-- 37 lines skipped --", Heard::Skipped(37));
        assert_eq!(WebSocketLines.hear(b"\x89\x00"), Heard::Asked(Question::Alive));
        assert_eq!(WebSocketPlain.hear(b"HTTP/1.1 101 Switching Protocols"), Heard::Entered);
        let refusal = b"HTTP/1.1 403 Forbidden";
        assert_eq!(WebSocketJson.hear(refusal), Heard::Refused(refusal));
    }
}
