//! The seam: how a connection's bytes become lines, whatever carries them. Nothing
//! above this module knows which way a peer has come; writing is the outbox's.

use std::{
    io::{self, Read},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use madang_protocol::{
    foreign::Foreign,
    notice::{Goodbye, Notice, Utf8Hint},
    text::LineEnd,
};
use rustix::event::{PollFd, PollFlags, Timespec};

use self::{tcp::LineReader, websocket::MessageReader};
use crate::{
    close_reason::{CloseReason, TlsFault},
    config::Config,
};

pub(crate) mod listener;
pub(crate) mod input;
pub mod tls;
pub(crate) mod tcp;
mod framing;
pub mod http;
pub(crate) mod websocket;

/// Reads one connection. Each call blocks at most until its deadline, or until
/// the socket is shut down from anywhere.
pub(crate) enum Reader {
    /// Lines over TCP.
    Lines(Box<LineReader>),
    /// WebSocket: a text message is a line, or several that belong together.
    Messages(Box<MessageReader>),
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// Bytes, or the end.
    Something,
    /// Nothing until the deadline.
    TimedOut,
}

/// How the peer has ended its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerEnd {
    /// FIN, over TLS close_notify: it sends no more, or somebody here has shut the
    /// socket down.
    Closed,
    /// FIN over TLS without a close_notify: what it last said may not be all.
    Cut,
    /// A Close frame, with its code if it had one (RFC 6455 section 7.1.5).
    CloseFrame(Option<u16>),
    /// The connection is gone: reset, timed out, unreachable.
    Lost,
}

/// What one read of bytes brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// So many of them, at least one.
    Bytes(usize),
    /// Nothing for the reader yet: what has come was TLS's own.
    Nothing,
    /// Nothing follows.
    End(PeerEnd),
}

/// A line that was read and paid for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is text: one line, or from WebSocket several with LF between them.
    Text(String),
    /// It is text, but perhaps the rest of a name that was taken before it was whole.
    RestOfName(String),
    /// It is not UTF-8; what its sender may do about that.
    NotUtf8(Utf8Hint),
    /// It is longer than a line of text may be; its length in bytes.
    TooLong(usize),
    /// All its lines together are longer than a message may be.
    MessageTooLong(usize),
}

impl Line {
    /// The text, or what its sender must be told.
    pub(crate) fn text(self) -> Result<String, Notice<'static>> {
        match self {
            Line::Text(text) | Line::RestOfName(text) => Ok(text),
            Line::NotUtf8(hint) => Err(Notice::NotUtf8(hint)),
            Line::TooLong(bytes) => Err(Notice::LineTooLong { bytes }),
            Line::MessageTooLong(bytes) => Err(Notice::MessageTooLong { bytes }),
        }
    }
}

impl PeerEnd {
    /// Why the connection ends.
    pub(crate) fn reason(self) -> CloseReason {
        match self {
            PeerEnd::Cut => CloseReason::Tls(TlsFault::Cut),
            _ => CloseReason::Told(Goodbye::Closed),
        }
    }
}

impl Reader {
    /// Makes sure that what is read next is the peer's, until `deadline`: over TLS that
    /// is the handshake.
    ///
    /// # Errors
    ///
    /// Why it is not to be read.
    pub(crate) fn begin(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        match self {
            Reader::Lines(reader) => reader.begin(deadline),
            // It was done before there was a request.
            Reader::Messages(_) => Ok(()),
        }
    }

    /// Reads once; blocks until something comes, the peer closes its side, the
    /// socket is shut down, or `deadline`.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        match self {
            Reader::Lines(reader) => reader.read(deadline),
            Reader::Messages(reader) => reader.read(deadline),
        }
    }

    /// For so long, nothing was read for reasons that are not the peer's sending: what it
    /// has begun may take so much longer.
    pub(crate) fn make_up_for(&mut self, pause: Duration) {
        match self {
            // Lines have no time to end in.
            Reader::Lines(_) => {}
            Reader::Messages(reader) => reader.make_up_for(pause),
        }
    }

    /// What must be paid for before the next line, or whatever else the peer has
    /// sent whole, may be taken: its length in bytes. `None` until more is read.
    ///
    /// # Errors
    ///
    /// Why nothing that follows can be read.
    pub(crate) fn next_line_bytes(&mut self) -> Result<Option<usize>, Goodbye> {
        match self {
            Reader::Lines(reader) => {
                reader.framer.next_line_bytes().map_err(|_endless| Goodbye::EndlessLine)
            }
            Reader::Messages(reader) => reader.next_message_bytes(),
        }
    }

    /// Takes what [`next_line_bytes`](Self::next_line_bytes) has found; `None` if that
    /// was no line but a control frame, which is answered here.
    pub(crate) fn take_line(&mut self) -> Option<Line> {
        match self {
            Reader::Lines(reader) => Some(reader.framer.take_line()),
            Reader::Messages(reader) => reader.take_line(),
        }
    }

    /// The next line of a peer that may be no chat peer, and leaves it where it is.
    pub(crate) fn peek_line(&mut self) -> Option<&[u8]> {
        match self {
            Reader::Lines(reader) => reader.framer.peek_line(),
            Reader::Messages(_) => None,
        }
    }

    /// How the peer has ended its side, once it has.
    pub(crate) fn peer_end(&self) -> Option<PeerEnd> {
        match self {
            Reader::Lines(reader) => reader.peer_end(),
            Reader::Messages(reader) => reader.peer_end(),
        }
    }

    /// What the peer took this port for, if the first it sent shows that.
    pub(crate) fn foreign(&self) -> Option<Foreign> {
        match self {
            Reader::Lines(reader) => reader.framer.foreign(),
            Reader::Messages(_) => None,
        }
    }

    /// Whether the last read showed that the peer ends lines, and not with packets.
    pub(crate) fn unlearns_packets(&self) -> bool {
        match self {
            Reader::Lines(reader) => reader.framer.unlearns_packets(),
            Reader::Messages(_) => false,
        }
    }

    /// What follows is a program's: it is taken as it comes, without the care for what
    /// people type.
    pub(crate) fn become_program(&mut self) {
        match self {
            Reader::Lines(reader) => reader.framer.become_program(),
            Reader::Messages(reader) => reader.become_program(),
        }
    }

    /// The peer has got a name now.
    pub(crate) fn logged_in(&mut self) {
        if let Reader::Lines(reader) = self {
            reader.framer.logged_in(Instant::now());
        }
    }

    /// Whether it must be found out if the peer ends its lines with packets.
    pub(crate) fn may_be_packets(&self) -> bool {
        match self {
            Reader::Lines(reader) => reader.framer.may_be_packets(),
            Reader::Messages(_) => false,
        }
    }

    /// Finds it out: waits for `pause`, and returns whether it does.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn settle_framing(&mut self, pause: Duration) -> io::Result<bool> {
        match self {
            Reader::Lines(reader) => reader.settle_framing(pause),
            Reader::Messages(_) => Ok(false),
        }
    }

    /// Whether somebody has typed something and not ended it with Enter.
    pub(crate) fn holds_unfinished_line(&self) -> bool {
        match self {
            Reader::Lines(reader) => reader.framer.holds_unfinished_line(),
            Reader::Messages(_) => false,
        }
    }

    /// How the peer wants lines to end.
    pub(crate) fn line_end(&self) -> LineEnd {
        match self {
            Reader::Lines(reader) if reader.framer.is_terminal() => LineEnd::CrLf,
            Reader::Lines(_) | Reader::Messages(_) => LineEnd::Lf,
        }
    }

    /// Takes how many bytes were telnet's, and what it must be answered.
    pub(crate) fn take_commands(&mut self) -> (usize, Vec<u8>) {
        match self {
            Reader::Lines(reader) => reader.framer.take_commands(),
            Reader::Messages(_) => (0, Vec::new()),
        }
    }

    /// Waits for `pause` without reading; a reset or a shutdown of the socket
    /// ends the wait.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub(crate) fn pause(&self, pause: Duration) -> io::Result<()> {
        self::pause(self.stream(), pause)
    }

    /// The address of this server that the peer has connected to.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.stream().local_addr().ok()
    }

    /// How long what waits may take to be sent when the connection ends.
    pub(crate) fn drain_timeout(&self, config: &Config) -> Duration {
        match self {
            Reader::Lines(_) => config.drain_timeout,
            Reader::Messages(_) => config.close_timeout,
        }
    }

    /// Gives the peer until `deadline` to close its side, when the server's was closed.
    pub(crate) fn linger(&self, deadline: Instant) {
        linger(self.stream(), deadline);
    }

    fn stream(&self) -> &TcpStream {
        match self {
            Reader::Lines(reader) => reader.stream(),
            Reader::Messages(reader) => reader.stream(),
        }
    }
}

/// Waits for `pause` without reading; a reset or a shutdown of the socket ends the
/// wait.
///
/// # Errors
///
/// When the connection is gone.
pub(crate) fn pause(stream: &TcpStream, pause: Duration) -> io::Result<()> {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    if poll(&mut fds, Some(Instant::now() + pause))? {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(())
}

/// How much is read away of what a peer still sends, and in how many reads at most: one
/// byte a read costs as much as many.
const DISCARDED_BYTES: usize = 256 * 1_024;
const DISCARDED_READS: usize = 256;

/// Gives the peer until `deadline` to close its side, when the server's was closed: a
/// socket that is closed with input unread resets, and the reset may overtake the
/// goodbye. What is too much to be read away waits in the socket until then, and keeps the
/// peer from sending more.
pub(crate) fn linger(mut stream: &TcpStream, deadline: Instant) {
    let mut discarded = vec![0; 8 * 1_024];
    let mut bytes = 0;
    for _ in 0..DISCARDED_READS {
        if !matches!(wait_readable(stream, deadline), Ok(true)) {
            return;
        }
        match stream.read(&mut discarded) {
            Ok(count) if count > 0 => bytes += count,
            _ => return,
        }
        if bytes >= DISCARDED_BYTES {
            break;
        }
    }
    // Whether it closes or the time is over, nothing more is to be done.
    let _ = pause(stream, deadline.saturating_duration_since(Instant::now()));
}

/// Reads once, as far as `space` goes; blocks until something comes.
fn read_once(mut stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Blocks until `stream` has something to read (its end too), or `deadline`;
/// false in that case.
fn wait_readable(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(deadline))
}

/// Whether `stream` has something to read now.
fn is_readable(stream: &TcpStream) -> io::Result<bool> {
    let mut fds = [PollFd::new(stream, PollFlags::IN)];
    Ok(rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}

/// Blocks until something happens, or `deadline`; false in that case.
fn poll(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            // A peer that always has something to say moves no deadline.
            return Ok(false);
        }
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match rustix::event::poll(fds, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_peer_that_sends_on_after_the_end_is_not_read_for_long() {
        /// What both kernels take beside what is read.
        const BUFFER_BYTES: usize = 64 * 1_024;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        SockRef::from(&listener).set_recv_buffer_size(BUFFER_BYTES).expect("it is known");
        let address = listener.local_addr().expect("it is bound");
        for piece in [&[b'x'; 16 * 1_024][..], b"x"] {
            let peer = std::thread::spawn({
                let piece = piece.to_vec();
                move || {
                    let mut stream = TcpStream::connect(address).expect("it listens");
                    SockRef::from(&stream).set_send_buffer_size(BUFFER_BYTES).expect("known");
                    stream.set_nodelay(true).expect("it is connected");
                    let mut sent = 0;
                    while stream.write_all(&piece).is_ok() {
                        sent += piece.len();
                    }
                    sent
                }
            });
            let (stream, _) = listener.accept().expect("somebody connects");
            linger(&stream, Instant::now() + Duration::from_secs(1));
            drop(stream);
            let sent = peer.join().expect("no panic");
            assert!(sent <= 2 << 20, "{sent} bytes were taken");
        }
    }
}
