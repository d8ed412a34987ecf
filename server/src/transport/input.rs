//! Where a connection's bytes come from: its socket, or the TLS session that its
//! outbox has over it.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    PeerEnd, Received,
    socket::{self, is_readable, read_once, wait_readable},
    tls::TlsInput,
};
use crate::{close_reason::CloseReason, metrics::Traffic};

/// The reading side of a connection.
pub(crate) struct Input {
    source: Source,
    traffic: Arc<Traffic>,
}

enum Source {
    /// What the socket has, as it is.
    Plain(Arc<TcpStream>),
    /// What comes over TLS.
    Tls(TlsInput),
}

impl Input {
    /// What comes over `stream`, as it is.
    pub(crate) fn plain(stream: Arc<TcpStream>, traffic: Arc<Traffic>) -> Input {
        Input { source: Source::Plain(stream), traffic }
    }

    /// What comes over TLS.
    pub(crate) fn tls(input: TlsInput, traffic: Arc<Traffic>) -> Input {
        Input { source: Source::Tls(input), traffic }
    }

    /// Does the handshake, if there is to be one and it was not done. A peer that does not begin one is read
    /// as it is from then on.
    ///
    /// # Errors
    ///
    /// Why there is no session; [`Goodbye::NoTls`](madang_protocol::notice::Goodbye::NoTls)
    /// if the peer speaks no TLS.
    pub(crate) fn shake_hands(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        let Source::Tls(input) = &mut self.source else { return Ok(()) };
        let outcome = input.shake_hands(deadline);
        if outcome == Err(TlsInput::NO_TLS) {
            self.source = Source::Plain(input.give_up());
        }
        outcome
    }

    /// Blocks until there is something to read (the end too), or `deadline`; false in
    /// that case.
    pub(crate) fn wait_readable(&mut self, deadline: Instant) -> io::Result<bool> {
        match &mut self.source {
            Source::Plain(stream) => wait_readable(stream, deadline),
            Source::Tls(input) => input.wait_readable(Some(deadline)),
        }
    }

    /// Whether there is something to read now.
    pub(crate) fn is_readable(&self) -> io::Result<bool> {
        match &self.source {
            Source::Plain(stream) => is_readable(stream),
            Source::Tls(input) => input.is_readable(),
        }
    }

    /// About how many bytes have come that were not read; over TLS, at least so many.
    pub(crate) fn unread_bytes(&self) -> io::Result<usize> {
        let held_bytes = match &self.source {
            Source::Plain(_) => 0,
            Source::Tls(input) => input.held_bytes(),
        };
        Ok(held_bytes + socket::unread_bytes(self.stream())?)
    }

    /// Reads once, as far as `space` goes, which is not empty; blocks until something
    /// comes. Over TLS, that may be nothing for the reader.
    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<Received> {
        let received = match &mut self.source {
            Source::Plain(stream) => match read_once(stream, space)? {
                0 => Received::End(PeerEnd::Closed),
                count => Received::Bytes(count),
            },
            Source::Tls(input) => input.read(space)?,
        };
        if let Received::Bytes(count) = received {
            self.traffic.received_bytes.add(count as u64);
        }
        Ok(received)
    }

    /// Waits for `pause` without reading; a reset or a shutdown of the socket ends the
    /// wait.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub(crate) fn pause(&self, pause: Duration) -> io::Result<()> {
        socket::pause(self.stream(), pause)
    }

    /// Gives the peer until `deadline` to close its side, when the server's was closed.
    pub(crate) fn linger(&self, deadline: Instant) {
        socket::linger(self.stream(), deadline);
    }

    /// The address of this server that the peer has connected to.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.stream().local_addr().ok()
    }

    fn stream(&self) -> &TcpStream {
        match &self.source {
            Source::Plain(stream) => stream,
            Source::Tls(input) => input.stream(),
        }
    }
}
