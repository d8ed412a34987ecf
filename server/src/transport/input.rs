//! The source of a connection's bytes: its socket, or the TLS session in its outbox.

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
    /// Bytes straight from the socket.
    Plain(Arc<TcpStream>),
    /// Bytes decrypted by TLS.
    Tls(TlsInput),
}

impl Input {
    /// Reads `stream` without TLS.
    pub(crate) fn plain(stream: Arc<TcpStream>, traffic: Arc<Traffic>) -> Input {
        Input { source: Source::Plain(stream), traffic }
    }

    /// Reads decrypted bytes from TLS.
    pub(crate) fn tls(input: TlsInput, traffic: Arc<Traffic>) -> Input {
        Input { source: Source::Tls(input), traffic }
    }

    /// Performs the TLS handshake, if one is due. A peer that does not start one is read as
    /// plain text from then on.
    ///
    /// # Errors
    ///
    /// Why the handshake failed; [`Goodbye::NoTls`](madang_protocol::notice::Goodbye::NoTls) if
    /// the peer does not speak TLS.
    pub(crate) fn shake_hands(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        let Source::Tls(input) = &mut self.source else { return Ok(()) };
        let outcome = input.shake_hands(deadline);
        if outcome == Err(TlsInput::NO_TLS) {
            self.source = Source::Plain(input.give_up());
        }
        outcome
    }

    /// Blocks until there is something to read (including the end), or `deadline`; returns
    /// false at the deadline.
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

    /// The approximate number of bytes that have arrived and were not read; over TLS, a lower
    /// bound.
    pub(crate) fn unread_bytes(&self) -> io::Result<usize> {
        let held_bytes = match &self.source {
            Source::Plain(_) => 0,
            Source::Tls(input) => input.held_bytes(),
        };
        Ok(held_bytes + socket::unread_bytes(self.stream())?)
    }

    /// Reads once into `space`, which must not be empty. Blocks until something arrives; over
    /// TLS, that may be no application data.
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

    /// Whether it is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.source, Source::Tls(_))
    }

    /// Over TLS: notes the sizes of records from now on, or no longer.
    pub(crate) fn watch_records(&self, watched: bool) {
        if let Source::Tls(input) = &self.source {
            input.watch_records(watched);
        }
    }

    /// Over TLS: the sizes of the records that have begun to arrive since the last call, in
    /// bytes, if they are [watched](Self::watch_records).
    pub(crate) fn take_records(&self) -> Vec<usize> {
        match &self.source {
            Source::Plain(_) => Vec::new(),
            Source::Tls(input) => input.take_records(),
        }
    }

    /// Waits for `pause` without reading. Returns early if the socket is reset or shut down.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub(crate) fn pause(&self, pause: Duration) -> io::Result<()> {
        socket::pause(self.stream(), pause)
    }

    /// Waits until `deadline` for the peer to close its side, after the server closed its own.
    pub(crate) fn linger(&self, deadline: Instant) {
        socket::linger(self.stream(), deadline);
    }

    /// The address of this server that the peer connected to.
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
