//! A byte stream: a socket, or TLS over a socket. One thread may read while another writes.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::Instant,
};

use crate::tls::TlsStream;

/// A connected stream.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Reads once. Blocks until something arrives; returns 0 at the end.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => (&*stream).read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }

    /// Sends all of `bytes`. Each write blocks for at most the socket's timeout.
    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => (&*stream).write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes),
        }
    }

    /// Tells the server that nothing more will be sent.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => stream.half_close(),
        }
    }

    /// Closes the stream in both directions, which ends a blocked read.
    pub(crate) fn shut_down(&self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Makes reads fail after `deadline`, or never if there is none.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
        set_deadline(self.socket(), deadline)
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.socket(),
        }
    }
}

/// Limits the next reads of `stream` to the time left until `deadline`.
///
/// # Errors
///
/// `TimedOut` if there is no time left.
pub(crate) fn set_deadline(stream: &TcpStream, deadline: Option<Instant>) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(left)
}
