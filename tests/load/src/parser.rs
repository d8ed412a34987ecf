//! Splits the bytes that a member received into texts of the run and everything else.
//!
//! This code runs for every delivery, so it must be cheap. All lines of a protocol have the
//! same shape. Once the shape is known, the next text is looked for only in its place, and
//! consecutive texts are taken together. Anything else is split at its line end and examined.
//! This file does not touch sockets.

use crate::{
    name,
    protocol::Protocol,
    text::{LineRun, Said, Wording},
};

/// The next thing received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// Texts of this run.
    Said(LineRun),
    /// A line with a damaged text of this run, or one under another name.
    Garbled(&'a [u8]),
    /// Any other line, without its end.
    Line(&'a [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastByte {
    /// A byte of its own.
    Is(u8),
    /// The text's last byte: a frame has no end of its own.
    OfText,
}

/// The parser for all members, which share one shape.
pub(crate) struct Parser {
    wording: Wording,
    /// How many bytes of its line are before the text.
    lead_bytes: usize,
    /// How many bytes are after the text, including the line end.
    tail_bytes: usize,
    /// The last byte of a line, if it is not the text's own; `None` until the first text.
    last_byte: Option<LastByte>,
    signed: bool,
}

impl Parser {
    pub(crate) fn new(wording: Wording, protocol: &dyn Protocol) -> Self {
        Self {
            wording,
            lead_bytes: 0,
            tail_bytes: 0,
            last_byte: None,
            signed: protocol.signs_lines(),
        }
    }

    /// The first item in `bytes` and its length; `None` if more bytes are needed.
    ///
    /// `header` comes before the line of every text in this protocol and room.
    #[inline]
    pub(crate) fn next<'a>(
        &mut self,
        protocol: &dyn Protocol,
        header: &[u8],
        bytes: &'a [u8],
    ) -> Option<(Parsed<'a>, usize)> {
        if let Some(found) = self.next_of_known_shape(header, bytes) {
            return Some(found);
        }
        self.next_line(protocol, header, bytes)
    }

    #[inline]
    fn next_of_known_shape<'a>(
        &self,
        header: &[u8],
        bytes: &'a [u8],
    ) -> Option<(Parsed<'a>, usize)> {
        let text_at = header.len() + self.lead_bytes;
        let tail_at = text_at + self.wording.text_bytes();
        let end = tail_at + self.tail_bytes;
        let last_byte = self.last_byte?;
        if bytes.len() < end {
            return None;
        }
        if let LastByte::Is(last) = last_byte
            && bytes[end - 1] != last
        {
            return None;
        }
        if !header.is_empty() && !bytes.starts_with(header) {
            return None;
        }
        let said = self.wording.read(&bytes[text_at..tail_at])?;
        if self.signed && !is_signed(&bytes[header.len()..text_at], said) {
            return None;
        }
        let count = self.wording.count_frames(said, bytes, text_at, end);
        Some((Parsed::Said(LineRun { first: said, count }), end * count as usize))
    }

    #[cold]
    fn next_line<'a>(
        &mut self,
        protocol: &dyn Protocol,
        header: &[u8],
        bytes: &'a [u8],
    ) -> Option<(Parsed<'a>, usize)> {
        let end = protocol.line_end(bytes)?;
        let line = bytes[..end].strip_suffix(b"\n").unwrap_or(&bytes[..end]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(text_at) = self.wording.find(line) else {
            return Some((Parsed::Line(line), end));
        };
        let tail_at = text_at + self.wording.text_bytes();
        let lead = line.get(header_bytes(header, line)..text_at).unwrap_or_default();
        let said = line
            .get(text_at..tail_at)
            .and_then(|text| self.wording.read(text))
            .filter(|&said| !self.signed || is_signed(lead, said));
        let Some(said) = said else {
            return Some((Parsed::Garbled(line), end));
        };
        // If the header has lines of its own, it is not in this one.
        self.lead_bytes = text_at - header_bytes(header, line);
        self.tail_bytes = end - tail_at;
        let of_text = LastByte::OfText;
        self.last_byte = Some(if end == tail_at { of_text } else { LastByte::Is(bytes[end - 1]) });
        Some((Parsed::Said(LineRun { first: said, count: 1 }), end))
    }
}

/// How many bytes of the header are in the text's line: all if a frame's header begins it, none
/// if the header has lines of its own.
fn header_bytes(header: &[u8], line: &[u8]) -> usize {
    if !header.is_empty() && line.starts_with(header) { header.len() } else { 0 }
}

/// Whether the line begins with `[name] `, with the speaker's name and nothing else.
#[inline]
fn is_signed(lead: &[u8], said: Said) -> bool {
    let [b'[', name @ .., b']', b' '] = lead else {
        return false;
    };
    name::parse(name) == Some(said.speaker as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol, text::Kind};

    const SAID: Said = Said { kind: Kind::Talk, speaker: 3, number: 5, due: 7 };

    fn text(wording: &Wording) -> String {
        let mut text = Vec::new();
        wording.write(SAID, &mut text);
        String::from_utf8(text).unwrap()
    }

    /// Parses `stream` in one piece, then split in two at every place, and expects the same
    /// items.
    #[track_caller]
    fn check(protocol: protocol::Choice, stream: &str, parsed: &[&str]) {
        let wording = Wording::new(64, 0x5A5);
        let stream = stream.replace("TEXT", &text(&wording));
        for cut in 0..stream.len() {
            let protocol = protocol.protocol();
            let header = protocol.header(0, wording.text_bytes());
            let mut parser = Parser::new(wording.clone(), protocol);
            let mut heard = Vec::new();
            let mut waiting = Vec::new();
            for part in [&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]] {
                waiting.extend_from_slice(part);
                let mut at = 0;
                while let Some((parsed, used)) = parser.next(protocol, &header, &waiting[at..]) {
                    match parsed {
                        Parsed::Said(lines) => {
                            assert_eq!(lines, LineRun { first: SAID, count: 1 });
                            heard.push("said".to_owned());
                        }
                        Parsed::Garbled(_) => heard.push("garbled".to_owned()),
                        Parsed::Line(line) => {
                            heard.push(String::from_utf8_lossy(line).into_owned())
                        }
                    }
                    at += used;
                }
                waiting.drain(..at);
            }
            // If the split is inside a header, its lines come one by one; they contain no text.
            heard.retain(|line| {
                !line.starts_with(['>', '$'])
                    && !line.starts_with("MSG")
                    && line != "message"
                    && line != "r00000"
            });
            assert_eq!(heard, parsed, "cut at {cut}");
            assert_eq!(waiting, b"", "cut at {cut}");
        }
    }

    #[test]
    fn madang_lines_are_told_apart_from_notices() {
        check(
            protocol::Choice::Madang,
            "Madang/1\n[m00003] TEXT\n[m00003] TEXT\n[m00004]님이 입장했습니다.\n[m00003] TEXT\n-- 2 lines skipped --\n",
            &[
                "Madang/1",
                "said",
                "said",
                "[m00004]님이 입장했습니다.",
                "said",
                "-- 2 lines skipped --",
            ],
        );
    }

    #[test]
    fn frames_are_heard_as_lines_are() {
        // 9 bytes of name and 63 of text are `H` (72); a text alone is `?`.
        let text = "TEXT";
        for (choice, stream) in [
            (protocol::Choice::MadangWs, format!("\u{81}H[m00003] {text}")),
            (protocol::Choice::WsPlain, format!("\u{81}?{text}")),
            (
                protocol::Choice::MadangWsJson,
                format!("\u{81}V{{\"type\":\"said\",\"u\":{text}}}..."),
            ),
        ] {
            let wording = Wording::new(64, 0x5A5);
            let frame: Vec<u8> =
                stream.replace(text, &self::text(&wording)).chars().map(|c| c as u8).collect();
            let bytes = frame.repeat(3);
            let protocol = choice.protocol();
            let header = protocol.header(0, wording.text_bytes());
            let mut parser = Parser::new(wording, protocol);
            let (mut at, mut said) = (0, 0);
            while let Some((Parsed::Said(lines), used)) =
                parser.next(protocol, &header, &bytes[at..])
            {
                assert_eq!(lines.first, SAID, "{choice}");
                said += lines.count;
                at += used;
            }
            assert_eq!((said, at), (3, bytes.len()), "{choice}");
        }
    }

    #[test]
    fn a_line_under_another_s_name_is_garbled() {
        check(
            protocol::Choice::Madang,
            "[m00003] TEXT\n[m00004] TEXT\nx[m00003] TEXT\n[m00003] TEXT!\n",
            &["said", "garbled", "garbled", "said"],
        );
    }

    #[test]
    fn half_a_text_is_garbled() {
        let wording = Wording::new(64, 0x5A5);
        let half = &text(&wording)[..30];
        check(
            protocol::Choice::Plain,
            &format!("TEXT\n{half}TEXT\nTEXT\n"),
            &["said", "garbled", "said"],
        );
    }

    #[test]
    fn peers_texts_are_heard() {
        let text = "TEXT";
        check(protocol::Choice::Plain, &format!("{text}\n{text}\n"), &["said", "said"]);
        check(
            protocol::Choice::Ncat,
            &format!("<announce> hi\n<user9> {text}\n<user10> {text}\n{text}\n"),
            &["<announce> hi", "said", "said", "said"],
        );
        check(
            protocol::Choice::Nats,
            &format!("PING\r\nMSG r00000 1 63\r\n{text}\r\nMSG r00000 1 63\r\n{text}\r\nPONG\r\n"),
            &["PING", "said", "said", "PONG"],
        );
        let push = format!(">3\r\n$7\r\nmessage\r\n$6\r\nr00000\r\n$63\r\n{text}\r\n");
        check(
            protocol::Choice::Redis,
            &format!("{push}:4\r\n{push}{push}"),
            &["said", ":4", "said", "said"],
        );
        check(
            protocol::Choice::MadangJson,
            &format!(
                "{{\"type\":\"ack\"}}\n{{\"type\":\"said\",\"text\":\"{text}\"}}\n{{\"text\":\"{text}\",\"id\":1}}\n"
            ),
            &["{\"type\":\"ack\"}", "said", "said"],
        );
        check(
            protocol::Choice::Seed,
            &format!(
                "[m00003]님이 입장했습니다.[m00003] {text}\n[m00004]님이 퇴장했습니다.[m00003] {text}\n"
            ),
            &["[m00003]님이 입장했습니다.", "said", "[m00004]님이 퇴장했습니다.", "said"],
        );
    }
}
