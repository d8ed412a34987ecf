//! The reading side of TLS: waits for the socket without holding a lock, then lets the session
//! on the writing side decrypt what has arrived.

use std::{io, net::TcpStream, sync::Arc, time::Instant};

use madang_protocol::notice::Goodbye;

use super::{
    Received,
    socket::{Interest, Ready, is_readable, wait},
};
use crate::close_reason::{CloseReason, TlsFault};

pub mod certificates;

/// The first byte of a TLS handshake.
pub(crate) const HANDSHAKE: u8 = 0x16;

/// The maximum content of one record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1_024;

/// Sent to a TLS peer when the server is full: the fatal alert `internal_error`, the only thing
/// that can be said before a handshake (RFC 8446 section 6).
pub(crate) const REFUSAL: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];

/// The TLS session of a connection. Records are written by the writing side and read here.
pub(crate) trait TlsSession: Send + Sync {
    /// Receives what has arrived, without blocking, and decrypts as much as fits into `space`.
    ///
    /// # Errors
    ///
    /// The error of the socket or the session; `NotConnected` if the session has ended.
    fn receive(&self, space: &mut [u8]) -> io::Result<Decrypted>;

    /// Sends the session's pending records, as far as the socket takes them; false if the
    /// socket is full.
    ///
    /// # Errors
    ///
    /// The socket's error.
    fn flush(&self) -> io::Result<bool>;

    /// Notes the sizes of records that arrive from now on, or no longer.
    fn watch_records(&self, watched: bool);

    /// The sizes of the first records that have begun to arrive since the last call.
    fn take_records(&self) -> Vec<usize>;

    /// Gives up a session that has not begun. Output is sent unencrypted from then on.
    fn give_up(&self);
}

/// Decrypted input, and the state of the session.
#[derive(Debug)]
pub(crate) struct Decrypted {
    /// The input for the reader.
    pub(crate) received: Received,
    /// More was decrypted than fitted into the reader's space.
    pub(crate) holds_more: bool,
    /// The handshake is not finished.
    pub(crate) is_handshaking: bool,
    /// The session has pending records that the socket did not take.
    pub(crate) is_full: bool,
}

/// Input over TLS.
pub(crate) struct TlsInput {
    stream: Arc<TcpStream>,
    session: Arc<dyn TlsSession>,
    /// Decrypted input is waiting to be read.
    holds_more: bool,
    /// The session has pending records that the socket did not take. Chat output queues after
    /// them, and the drainer sends both.
    is_full: bool,
    /// The socket is known to have input.
    is_ready: bool,
    /// The handshake is finished.
    is_established: bool,
}

impl TlsInput {
    /// Why a connection ends whose peer does not start with a handshake.
    pub(super) const NO_TLS: CloseReason = CloseReason::Told(Goodbye::NoTls);

    /// Reads what `session` decrypts from `stream`.
    pub(crate) fn new(stream: Arc<TcpStream>, session: Arc<dyn TlsSession>) -> TlsInput {
        TlsInput {
            stream,
            session,
            holds_more: false,
            is_full: false,
            is_ready: false,
            is_established: false,
        }
    }

    /// Performs the handshake, unless it is finished.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub(super) fn shake_hands(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        if self.is_established {
            return Ok(());
        }
        if !self.wait_readable(Some(deadline))? || self.first_byte()? != HANDSHAKE {
            return Err(Self::NO_TLS);
        }
        loop {
            if !self.wait_readable(Some(deadline))? {
                return Err(CloseReason::Tls(TlsFault::TimedOut));
            }
            let Decrypted { is_handshaking: false, .. } = self.receive(&mut [])? else { continue };
            self.is_established = true;
            return Ok(());
        }
    }

    /// The first byte that the peer sent, without taking it.
    fn first_byte(&self) -> io::Result<u8> {
        let mut first = [0];
        match self.stream.peek(&mut first)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(first[0]),
        }
    }

    /// Gives up the session of a peer that does not speak TLS.
    pub(super) fn give_up(&self) -> Arc<TcpStream> {
        self.session.give_up();
        self.stream.clone()
    }

    /// Blocks until something arrives (including the end), or `deadline`; returns false at the
    /// deadline.
    pub(super) fn wait_readable(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        while !self.holds_more && !self.is_ready {
            let interest = match self.is_full {
                true => Interest::ReadAndWrite,
                false => Interest::Read,
            };
            let Some(Ready { readable, writable }) = wait(&self.stream, interest, deadline)? else {
                return Ok(false);
            };
            if writable {
                self.is_full = !self.session.flush()?;
            }
            self.is_ready = readable;
        }
        Ok(true)
    }

    pub(super) fn is_readable(&self) -> io::Result<bool> {
        Ok(self.holds_more || is_readable(&self.stream)?)
    }

    /// The maximum that may be decrypted and not read.
    pub(super) fn held_bytes(&self) -> usize {
        if self.holds_more { RECORD_BYTES } else { 0 }
    }

    pub(super) fn read(&mut self, space: &mut [u8]) -> io::Result<Received> {
        self.wait_readable(None)?;
        Ok(self.receive(space)?.received)
    }

    pub(super) fn watch_records(&self, watched: bool) {
        self.session.watch_records(watched);
    }

    pub(super) fn take_records(&self) -> Vec<usize> {
        self.session.take_records()
    }

    fn receive(&mut self, space: &mut [u8]) -> io::Result<Decrypted> {
        self.is_ready = false;
        let decrypted = self.session.receive(space)?;
        (self.holds_more, self.is_full) = (decrypted.holds_more, decrypted.is_full);
        Ok(decrypted)
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}
