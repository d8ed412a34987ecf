//! How bytes travel: a [`Transport`] makes lines of them, whatever carries them. Nothing
//! above this module knows which way a peer has come. Writing is the outbox's, which a
//! transport knows as its [`WriteSide`].

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    notice::{Goodbye, Notice, Utf8Hint},
    text::LineEnd,
};

use self::input::Input;
use crate::close_reason::{CloseReason, TlsFault};

pub(crate) mod listener;
pub(crate) mod input;
pub(crate) mod socket;
pub mod tls;
pub(crate) mod tcp;
pub mod http;
pub(crate) mod websocket;

#[cfg(test)]
mod chunks;

/// One way for a connection's bytes to travel, as seen by the thread that reads them.
/// Each call blocks at most until its deadline, or until the socket is shut down from
/// anywhere.
pub(crate) trait Transport: Send {
    /// Reads once; blocks until something comes, the peer closes its side, the socket is
    /// shut down, or `deadline`.
    ///
    /// # Errors
    ///
    /// The socket's.
    fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome>;

    /// What must be paid for before the next line, or whatever else the peer has sent, may
    /// be taken: its length in bytes. `None` until more is read.
    ///
    /// # Errors
    ///
    /// Why nothing that follows can be read.
    fn next_line_bytes(&mut self) -> Result<Option<usize>, Goodbye>;

    /// Takes what [`next_line_bytes`](Self::next_line_bytes) has found; `None` if that was
    /// no line but the transport's own, which is answered here.
    fn take_line(&mut self) -> Option<Line>;

    /// How the peer has ended its side, once it has.
    fn peer_end(&self) -> Option<PeerEnd>;

    /// What follows is a program's: it is taken as it comes, without the care for what
    /// people type.
    fn become_program(&mut self);

    /// Where the bytes come from.
    fn input(&mut self) -> &mut Input;
}

/// The side of a connection that writes, as far as its transport has to do with it. Nothing
/// blocks.
pub(crate) trait WriteSide: Send + Sync {
    /// Sends what is the transport's own, behind what waits to be sent.
    fn send_control(self: Arc<Self>, bytes: &[u8]);

    /// The peer has sent a Close frame, which the goodbye will answer.
    fn note_close_frame(&self, code: Option<u16>);

    /// Since when something waits to be sent; `None` if nothing does.
    fn waiting_since(&self) -> Option<Instant>;

    /// For how long in all the peer was not read since it had not read what it was
    /// answered.
    fn held_up(&self) -> Duration;

    /// Ends lines for people with `line_end` from now on.
    fn end_lines_with(&self, line_end: LineEnd);

    /// Changes how much goes into one send.
    fn change_pieces(&self, pieces: Pieces);
}

/// How much goes into one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// As much as there is.
    Batches,
    /// One line: the peer takes what one read gives it for a message.
    Lines,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// Bytes, or the end.
    Something,
    /// Bytes that end amid a line: somebody may have typed them and not pressed Enter.
    Unfinished,
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
    /// It is text, and the first line that was ended by a peer whose packets were taken for
    /// lines before: perhaps it is the rest of the last one.
    AfterPackets(String),
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
            Line::Text(text) | Line::AfterPackets(text) => Ok(text),
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
