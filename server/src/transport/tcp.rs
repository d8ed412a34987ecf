//! Lines from a TCP socket: telnet commands taken out, and the peer's way of
//! ending a line found out.

use std::{
    io::{self, Read},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    line::{LineDecoder, LineTooLong},
    telnet::Telnet,
};
use rustix::event::{PollFd, PollFlags, Timespec};

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Reads one connection. Each call blocks at most until its deadline, or until
/// the socket is shut down from anywhere.
pub(crate) struct LineReader {
    stream: Arc<TcpStream>,
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
    at_end: bool,
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

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// Bytes, or the end.
    Something,
    /// Nothing until the deadline.
    TimedOut,
}

impl LineReader {
    pub(crate) fn new(stream: Arc<TcpStream>) -> LineReader {
        LineReader {
            stream,
            decoder: LineDecoder::default(),
            telnet: Telnet::default(),
            framing: Framing::Unknown,
            typing: Typing::Unknown { characters: 0 },
            answers: Vec::new(),
            command_bytes: 0,
            has_read: false,
            opens_tls: false,
            at_end: false,
        }
    }

    /// Reads once; blocks until bytes come, the peer closes its side, the socket
    /// is shut down, or `deadline`.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        if let Some(deadline) = deadline
            && !wait_readable(&self.stream, deadline)?
        {
            return Ok(ReadOutcome::TimedOut);
        }
        let spare = self.decoder.spare();
        let count = loop {
            match (&*self.stream).read(spare) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        if count == 0 {
            self.at_end = true;
            return Ok(ReadOutcome::Something);
        }
        self.opens_tls |= !self.has_read && spare[0] == TLS_HANDSHAKE;
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
        let silent = !wait_readable(&self.stream, Instant::now() + pause)?;
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
        let ended = self.at_end || (self.framing == Framing::Packets && !cuts_character(rest));
        Ok((ended && !rest.is_empty()).then_some(rest.len()))
    }

    /// The next line, if there is one, and leaves it where it is.
    pub(crate) fn peek_line(&mut self) -> Option<&[u8]> {
        let bytes = self.next_line_bytes().ok().flatten()?;
        Some(&self.decoder.unfinished()[..bytes])
    }

    /// Takes the line that [`next_line_bytes`](Self::next_line_bytes) has found.
    pub(crate) fn take_line(&mut self) -> &[u8] {
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

    /// Whether the peer has closed its side, or the socket was shut down.
    pub(crate) fn at_end(&self) -> bool {
        self.at_end
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

    /// Waits for `pause` without reading; a reset or a shutdown of the socket
    /// ends the wait.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub(crate) fn pause(&self, pause: Duration) -> io::Result<()> {
        let mut fds = [PollFd::new(&*self.stream, PollFlags::empty())];
        if poll(&mut fds, Instant::now() + pause)? {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    /// Closes the server's side and gives the peer until `deadline` to close its
    /// own: a socket that is closed with input unread resets, and the reset may
    /// overtake the goodbye.
    pub(crate) fn linger(&mut self, deadline: Instant) {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut discarded = [0; 512];
        while matches!(wait_readable(&self.stream, deadline), Ok(true)) {
            match (&*self.stream).read(&mut discarded) {
                Ok(count) if count > 0 => {}
                _ => return,
            }
        }
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

/// Blocks until `stream` has something to read (its end too), or `deadline`;
/// false in that case.
fn wait_readable(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    poll(&mut [PollFd::new(stream, PollFlags::IN)], deadline)
}

fn poll(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // A peer that always has something to say moves no deadline.
            return Ok(false);
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match rustix::event::poll(fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
