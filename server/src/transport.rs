//! How bytes travel. A [`Transport`] turns incoming bytes into lines, so that nothing above
//! this module depends on how a peer connected. Outgoing bytes are the outbox's job; a
//! transport sees the outbox as its [`WriteSide`].

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::WireNote,
    notice::{Goodbye, Notice, Utf8Hint},
    text::LineEnd,
};

use self::{explainer::Explainer, input::Input};
use crate::close_reason::{CloseReason, TlsFault};

pub(crate) mod listener;
pub(crate) mod input;
pub(crate) mod explainer;
pub(crate) mod socket;
pub mod tls;
pub(crate) mod tcp;
pub mod http;
pub(crate) mod websocket;
pub(crate) mod reader;

#[cfg(test)]
mod chunks;

/// The reading side of one connection, used by the thread that owns it. Each call returns by
/// its deadline, or as soon as any thread shuts the socket down.
pub(crate) trait Transport: Send {
    /// Reads once. Blocks until data arrives, the peer closes its side, the socket is shut
    /// down, or `deadline`.
    ///
    /// # Errors
    ///
    /// The socket's error.
    fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome>;

    /// The length in bytes of the next line or control message, to be paid for before it is
    /// taken. `None` if more must be read first.
    ///
    /// # Errors
    ///
    /// Why the rest of the input cannot be read.
    fn next_line_bytes(&mut self) -> Result<Option<usize>, Goodbye>;

    /// Takes what [`next_line_bytes`](Self::next_line_bytes) found. `None` if that was a
    /// control message of the transport itself, which is answered here.
    fn take_line(&mut self) -> Option<Line>;

    /// How the peer ended its side, if it has.
    fn peer_end(&self) -> Option<PeerEnd>;

    /// From now on the peer is treated as a program: input is taken as it is, without
    /// corrections meant for typed text.
    fn become_program(&mut self);

    /// Tells the write side about what arrives from now on, beginning with how the connection
    /// travels; without an `explainer`, no longer.
    fn explain(&mut self, explainer: Option<Explainer>);

    /// The source of the bytes.
    fn input(&mut self) -> &mut Input;
}

/// The writing side of a connection, as far as the transport needs it. No call blocks.
pub(crate) trait WriteSide: Send + Sync {
    /// Sends a control message of the transport, after everything already queued.
    fn send_control(self: Arc<Self>, bytes: &[u8]);

    /// The peer sent a Close frame; the goodbye will answer it.
    fn note_close_frame(&self, code: Option<u16>);

    /// When the oldest queued entry was queued; `None` if nothing is queued.
    fn waiting_since(&self) -> Option<Instant>;

    /// The total time for which reading was paused because the peer did not read its answers.
    fn held_up(&self) -> Duration;

    /// Uses `line_end` at the end of lines for people from now on.
    fn end_lines_with(&self, line_end: LineEnd);

    /// Changes how much is sent at once.
    fn change_pieces(&self, pieces: Pieces);

    /// Tells the peer about its own connection, if it wants to know.
    fn explain(self: Arc<Self>, note: WireNote);

    /// Whether the details of the next note are shown: no other that is `like` it waits, with
    /// which it would be merged.
    fn shows_details(&self, like: fn(&WireNote) -> bool) -> bool;
}

/// How much is sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// As much as is queued.
    Batches,
    /// One line: the peer treats whatever one read returns as one message.
    Lines,
}

/// The outcome of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// Bytes, or the end of the input.
    Something,
    /// Bytes that end in the middle of a line: perhaps typed without Enter so far.
    Unfinished,
    /// Nothing arrived before the deadline.
    TimedOut,
}

/// How the peer ended its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerEnd {
    /// FIN (over TLS: close_notify). The peer sends nothing more, or this server shut the
    /// socket down.
    Closed,
    /// FIN over TLS without a close_notify: the last message may be incomplete.
    Cut,
    /// A Close frame, with its code if it had one (RFC 6455 section 7.1.5).
    CloseFrame(Option<u16>),
    /// The connection is gone: reset, timed out, unreachable.
    Lost,
}

/// The outcome of one read of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// This many bytes, at least one.
    Bytes(usize),
    /// No application data: only TLS's own records arrived.
    Nothing,
    /// The input has ended.
    End(PeerEnd),
}

/// A line that was read and paid for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Text: one line, or, from WebSocket, several lines separated by LF.
    Text(String),
    /// Text that is the first line with a line end from a peer whose packets were taken for
    /// lines so far. It may be the rest of the last packet.
    AfterPackets(String),
    /// Not UTF-8, with a hint for the sender.
    NotUtf8(Utf8Hint),
    /// Longer than a line may be; its length in bytes.
    TooLong(usize),
    /// A message of several lines that is longer than a message may be; its length in bytes.
    MessageTooLong(usize),
}

impl Line {
    /// The text, or the notice to send to the peer.
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
