//! The reading side of TLS: waits for the socket without a lock, and has the session, which
//! lies on the writing side, decrypt what has come.

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

/// The most that one record holds (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1_024;

/// What a peer is sent that there is no place for: the alert `internal_error`, fatal,
/// which is all that can be said before a handshake (RFC 8446 section 6).
pub(crate) const REFUSAL: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];

/// The TLS session of a connection. Its records are made on the writing side, and read
/// here.
pub(crate) trait TlsSession: Send + Sync {
    /// Takes what has come, without waiting, and decrypts as much as goes into `space`.
    ///
    /// # Errors
    ///
    /// The socket's or the session's; `NotConnected` if there is none any more.
    fn receive(&self, space: &mut [u8]) -> io::Result<Decrypted>;

    /// Sends what the session has to tell its peer, as far as the socket takes it; false
    /// if that is full.
    ///
    /// # Errors
    ///
    /// The socket's.
    fn flush(&self) -> io::Result<bool>;

    /// Gives up a session that has not begun: what the peer is told goes out as it is.
    fn give_up(&self);
}

/// What has come, decrypted, and how the session stands.
#[derive(Debug)]
pub(crate) struct Decrypted {
    /// What there is for the reader.
    pub(crate) received: Received,
    /// More was decrypted than the reader had space for.
    pub(crate) holds_more: bool,
    /// The handshake is not done.
    pub(crate) is_handshaking: bool,
    /// The session has something to tell its peer that the socket did not take.
    pub(crate) is_full: bool,
}

/// What comes over TLS.
pub(crate) struct TlsInput {
    stream: Arc<TcpStream>,
    session: Arc<dyn TlsSession>,
    /// Something was decrypted and not read.
    holds_more: bool,
    /// The session has something to tell its peer that the socket did not take. What
    /// is said in the chat waits behind it, and is the drainer's to send.
    is_full: bool,
    /// The socket was found to have something.
    is_ready: bool,
    /// The handshake is done.
    is_established: bool,
}

impl TlsInput {
    /// Why a connection ends whose peer does not begin with a handshake.
    pub(super) const NO_TLS: CloseReason = CloseReason::Told(Goodbye::NoTls);

    /// Reads what `session` decrypts of what comes at `stream`.
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

    /// Does the handshake, if it was not done.
    ///
    /// # Errors
    ///
    /// Why there is no session.
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

    /// What the peer has sent first, which stays where it is.
    fn first_byte(&self) -> io::Result<u8> {
        let mut first = [0];
        match self.stream.peek(&mut first)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(first[0]),
        }
    }

    /// Gives up the session of a peer that speaks no TLS.
    pub(super) fn give_up(&self) -> Arc<TcpStream> {
        self.session.give_up();
        self.stream.clone()
    }

    /// Blocks until something has come (the end too), or `deadline`; false in that case.
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

    /// The most that was decrypted and not read.
    pub(super) fn held_bytes(&self) -> usize {
        if self.holds_more { RECORD_BYTES } else { 0 }
    }

    pub(super) fn read(&mut self, space: &mut [u8]) -> io::Result<Received> {
        self.wait_readable(None)?;
        Ok(self.receive(space)?.received)
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
