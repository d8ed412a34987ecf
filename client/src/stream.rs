//! What bytes go over: a socket, or TLS over it. Any thread may read, and any other
//! write meanwhile.

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
    /// Reads once; blocks until something comes; 0 at the end.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => (&*stream).read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }

    /// Sends all of `bytes`; blocks for at most the socket's timeout a write.
    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => (&*stream).write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes),
        }
    }

    /// Tells the server that nothing more is sent.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => stream.half_close(),
        }
    }

    /// Ends it both ways, and so a read.
    pub(crate) fn shut_down(&self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Has reads fail after `deadline`; with none, never.
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

/// Has the next reads of `stream` wait for at most as long as it is to `deadline`.
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
