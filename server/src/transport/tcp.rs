//! Lines from a TCP socket: telnet commands taken out, and the peer's way of
//! ending a line found out.

use std::{
    io,
    net::TcpStream,
    time::{Duration, Instant},
};

use madang_protocol::{
    limits::LINE_BYTES,
    line::{LineDecoder, LineTooLong},
    telnet::{Telnet, edit_line},
};

use super::{Line, PeerEnd, ReadOutcome, Received, input::Input, tls};
use crate::close_reason::CloseReason;

/// Reads one connection. Each call blocks at most until its deadline, or until
/// the socket is shut down from anywhere.
pub(crate) struct LineReader {
    input: Input,
    decoder: LineDecoder,
    telnet: Telnet,
    framing: Framing,
    typing: Typing,
    /// What telnet must be answered; the connection sends it.
    answers: Vec<u8>,
    /// How many bytes were no text but telnet's.
    command_bytes: usize,
    has_read: bool,
    opens_tls: bool,
    end: Option<PeerEnd>,
}

/// How the peer ends its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Nothing was said yet.
    Unknown,
    /// With line ends.
    Lines,
    /// With packets: each read is a line, or several.
    Packets,
}

/// Whether the peer sends each character as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typing {
    /// So far, this many reads of one character since the last line end.
    Unknown { characters: usize },
    /// It does.
    ByCharacter,
}

impl LineReader {
    pub(crate) fn new(input: Input) -> LineReader {
        LineReader {
            input,
            decoder: LineDecoder::default(),
            telnet: Telnet::default(),
            framing: Framing::Unknown,
            typing: Typing::Unknown { characters: 0 },
            answers: Vec::new(),
            command_bytes: 0,
            has_read: false,
            opens_tls: false,
            end: None,
        }
    }

    /// Does the handshake, if there is to be one.
    ///
    /// # Errors
    ///
    /// Why there is nothing to be read.
    pub(crate) fn begin(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        self.input.shake_hands(deadline)
    }

    /// Reads once; blocks until bytes come, the peer closes its side, the socket
    /// is shut down, or `deadline`.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        let ready = match deadline {
            Some(deadline) => self.input.wait_readable(deadline),
            None => Ok(true),
        };
        if matches!(ready, Ok(false)) {
            return Ok(ReadOutcome::TimedOut);
        }
        let spare = self.decoder.spare();
        let received = ready.and_then(|_| self.input.read(spare));
        let count = match received {
            Ok(Received::Bytes(count)) => count,
            Ok(Received::Nothing) => return Ok(ReadOutcome::Something),
            Ok(Received::End(end)) => {
                self.end = Some(end);
                return Ok(ReadOutcome::Something);
            }
            Err(error) => {
                self.end = Some(PeerEnd::Lost);
                return Err(error);
            }
        };
        self.opens_tls |= !self.has_read && spare[0] == tls::HANDSHAKE;
        self.has_read = true;
        if self.opens_tls {
            // Random bytes: what looks like telnet in them is none.
            return Ok(ReadOutcome::Something);
        }
        let kept = self.telnet.filter(&mut spare[..count], &mut self.answers);
        self.command_bytes += count - kept;
        let text = &spare[..kept];
        self.typing.observe(text);
        if self.framing == Framing::Unknown && kept > 0 {
            let a_key = is_one_key(text);
            let ended = text.contains(&b'\n') || text.ends_with(b"\r\0");
            if a_key || ended || self.telnet.is_spoken() {
                self.framing = Framing::Lines;
            }
        }
        self.decoder.filled(kept);
        Ok(ReadOutcome::Something)
    }

    /// Whether the first thing said was more than a character without a line
    /// end: if nothing follows for a while, that is the peer's way.
    pub(crate) fn may_be_packets(&self) -> bool {
        self.framing == Framing::Unknown && !self.decoder.unfinished().is_empty()
    }

    /// Settles what [`may_be_packets`](Self::may_be_packets) left open: waits for
    /// `pause`, and returns whether the peer frames by packet.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn settle_framing(&mut self, pause: Duration) -> io::Result<bool> {
        let silent = !self.input.wait_readable(Instant::now() + pause)?;
        self.framing = if silent { Framing::Packets } else { Framing::Lines };
        Ok(silent)
    }

    /// The length of the next line in bytes, if there is one.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] if it does not end.
    pub(crate) fn next_line_bytes(&mut self) -> Result<Option<usize>, LineTooLong> {
        if let Some(bytes) = self.decoder.peek_line_bytes()? {
            return Ok(Some(bytes));
        }
        let rest = self.decoder.unfinished();
        let ended = self.peer_end().is_some()
            || (self.framing == Framing::Packets && !cuts_character(rest));
        Ok((ended && !rest.is_empty()).then_some(rest.len()))
    }

    /// The next line, if there is one, and leaves it where it is.
    pub(crate) fn peek_line(&mut self) -> Option<&[u8]> {
        let bytes = self.next_line_bytes().ok().flatten()?;
        Some(&self.decoder.unfinished()[..bytes])
    }

    /// Takes the line that [`next_line_bytes`](Self::next_line_bytes) has found.
    fn take_line(&mut self) -> &[u8] {
        match self.decoder.peek_line_bytes() {
            Ok(Some(_)) => self.decoder.next_line().ok().flatten(),
            _ => self.decoder.finish_line(),
        }
        .unwrap_or_default()
    }

    /// Whether something was said that is not a line yet.
    pub(crate) fn holds_unfinished_line(&self) -> bool {
        !self.decoder.unfinished().is_empty()
    }

    /// Takes that line as JSON, or as what a person typed.
    pub(crate) fn take_checked_line(&mut self, json: bool) -> Line {
        let is_terminal = self.is_terminal();
        let bytes = self.take_line();
        if !json && bytes.len() > LINE_BYTES {
            return Line::TooLong(bytes.len());
        }
        match str::from_utf8(bytes) {
            Err(_) => Line::NotUtf8,
            Ok(line) if is_terminal && !json => Line::Text(edit_line(line).into_owned()),
            Ok(line) => Line::Text(line.to_owned()),
        }
    }

    /// How the peer has ended its side, once it has.
    pub(crate) fn peer_end(&self) -> Option<PeerEnd> {
        self.end
    }

    /// Whether the peer began with a TLS handshake.
    pub(crate) fn opens_tls(&self) -> bool {
        self.opens_tls
    }

    /// Whether the peer's lines may hold backspaces to be carried out, and want
    /// CR LF.
    pub(crate) fn is_terminal(&self) -> bool {
        self.telnet.is_spoken() || self.typing == Typing::ByCharacter
    }

    /// Takes how many bytes were telnet's, and what it must be answered.
    pub(crate) fn take_commands(&mut self) -> (usize, Vec<u8>) {
        (std::mem::take(&mut self.command_bytes), std::mem::take(&mut self.answers))
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.input.stream()
    }
}

impl Typing {
    /// Looks at what one read brought: characters one by one, and then the CR
    /// that a terminal in character mode sends for Enter.
    fn observe(&mut self, text: &[u8]) {
        let Typing::Unknown { characters } = self else { return };
        *self = match text {
            b"\r" | b"\r\n" | b"\r\0" if *characters > 0 => Typing::ByCharacter,
            b"" => return,
            b"\n" => Typing::Unknown { characters: 0 },
            _ if is_one_character(text) => Typing::Unknown { characters: *characters + 1 },
            _ => Typing::Unknown { characters: 0 },
        };
    }
}

fn is_one_character(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.chars().nth(1).is_none())
}

/// Whether one read may be one key of a terminal: a character, in whatever
/// encoding, or the sequence of an arrow or function key.
fn is_one_key(text: &[u8]) -> bool {
    let is_control = text.first().is_some_and(u8::is_ascii_control);
    let is_foreign = text.len() < 4 && std::str::from_utf8(text).is_err();
    is_control || is_foreign || is_one_character(text)
}

/// Whether `bytes` end in the middle of a character.
fn cuts_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
