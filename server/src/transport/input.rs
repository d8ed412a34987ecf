//! Where a connection's bytes come from: its socket, or the TLS session that its
//! outbox has over it.

use std::{io, net::TcpStream, sync::Arc, time::Instant};

use super::{PeerEnd, Received, is_readable, read_once, tls::TlsInput, wait_readable};
use crate::close_reason::CloseReason;

/// The reading side of a connection.
pub(crate) enum Input {
    /// What the socket has, as it is.
    Plain(Arc<TcpStream>),
    /// What comes over TLS.
    Tls(TlsInput),
}

impl Input {
    /// Does the handshake, if there is to be one. A peer that does not begin one is read
    /// as it is from then on.
    ///
    /// # Errors
    ///
    /// Why there is no session; [`Goodbye::NoTls`](madang_protocol::notice::Goodbye::NoTls)
    /// if the peer speaks no TLS.
    pub(crate) fn shake_hands(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        let Input::Tls(input) = self else { return Ok(()) };
        let outcome = input.shake_hands(deadline);
        if outcome == Err(TlsInput::NO_TLS) {
            *self = Input::Plain(input.give_up());
        }
        outcome
    }

    /// Blocks until there is something to read (the end too), or `deadline`; false in
    /// that case.
    pub(crate) fn wait_readable(&mut self, deadline: Instant) -> io::Result<bool> {
        match self {
            Input::Plain(stream) => wait_readable(stream, deadline),
            Input::Tls(input) => input.wait_readable(Some(deadline)),
        }
    }

    /// Whether there is something to read now.
    pub(crate) fn is_readable(&self) -> io::Result<bool> {
        match self {
            Input::Plain(stream) => is_readable(stream),
            Input::Tls(input) => input.is_readable(),
        }
    }

    /// Reads once, as far as `space` goes, which is not empty; blocks until something
    /// comes. Over TLS, that may be nothing for the reader.
    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<Received> {
        match self {
            Input::Plain(stream) => Ok(match read_once(stream, space)? {
                0 => Received::End(PeerEnd::Closed),
                count => Received::Bytes(count),
            }),
            Input::Tls(input) => input.read(space),
        }
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        match self {
            Input::Plain(stream) => stream,
            Input::Tls(input) => input.stream(),
        }
    }
}
