//! The destination of one connection's bytes: a socket that is never waited for, or a fake one
//! in tests.

use std::{
    io::{self, IoSlice},
    net::{Shutdown, TcpStream},
    sync::Arc,
};

use self::tls::TlsSink;
use crate::transport::socket;

pub(crate) mod tls;
mod records;
#[cfg(test)]
pub(crate) mod fake;

/// What a sink did with the bytes offered.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It took this many: all, or fewer, and is full for now.
    Taken(usize),
    /// It will never take any more.
    Gone(io::Error),
}

/// Takes bytes without ever blocking.
pub(crate) trait Sink: Send {
    /// Offers `bytes`, which must not be empty.
    fn send(&mut self, bytes: &[u8]) -> Sent;

    /// Offers several pieces at once; the first must not be empty.
    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent;

    /// Closes the direction towards the peer, after everything sent so far.
    fn shut_down_write(&mut self) {
        shut_down(self.socket(), Shutdown::Write);
    }

    /// Wakes the reader; further input from the peer is discarded.
    fn shut_down_read(&mut self) {
        shut_down(self.socket(), Shutdown::Read);
    }

    /// Closes the connection in both directions; the reader wakes.
    fn shut_down(&mut self) {
        shut_down(self.socket(), Shutdown::Both);
    }

    /// The socket to wait for when it is full; `None` if there is no socket.
    fn socket(&self) -> Option<&TcpStream>;

    /// How many system calls it has made to send.
    fn calls(&self) -> usize;

    /// Whether it has begun to send the byte that will be offered next.
    fn holds_byte(&self) -> bool {
        false
    }

    /// The TLS session, if it has one.
    fn tls(&mut self) -> Option<&mut TlsSink> {
        None
    }
}

/// A plain TCP socket, sharing one descriptor with the reading thread.
pub(crate) struct TcpSink {
    stream: Arc<TcpStream>,
    calls: usize,
}

impl TcpSink {
    pub(crate) fn new(stream: Arc<TcpStream>) -> TcpSink {
        TcpSink { stream, calls: 0 }
    }
}

impl Sink for TcpSink {
    fn send(&mut self, bytes: &[u8]) -> Sent {
        self.calls += 1;
        outcome_of(|| socket::send(&self.stream, bytes))
    }

    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
        self.calls += 1;
        outcome_of(|| socket::send_all(&self.stream, pieces))
    }

    fn socket(&self) -> Option<&TcpStream> {
        Some(&self.stream)
    }

    fn calls(&self) -> usize {
        self.calls
    }
}

fn shut_down(socket: Option<&TcpStream>, direction: Shutdown) {
    if let Some(socket) = socket {
        // This fails only if the socket is no longer connected, which is fine.
        let _ = socket.shutdown(direction);
    }
}

fn outcome_of(send: impl Fn() -> io::Result<usize>) -> Sent {
    loop {
        match send() {
            Ok(count) => return Sent::Taken(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Taken(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Sent::Gone(error),
        }
    }
}
