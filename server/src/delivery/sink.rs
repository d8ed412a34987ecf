//! Where the bytes of one connection go: a socket that is never waited for, or
//! something that stands for one in a test.

use std::{
    io::{self, IoSlice},
    net::{Shutdown, TcpStream},
    sync::Arc,
};

use self::tls::TlsSink;
use crate::transport::socket;

pub(crate) mod tls;
#[cfg(test)]
pub(crate) mod fake;

/// What a sink did with the bytes that it was given.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It took so many of them: all, or fewer, and is full for now.
    Taken(usize),
    /// It will never take any again.
    Gone(io::Error),
}

/// Takes bytes without ever blocking.
pub(crate) trait Sink: Send {
    /// Offers `bytes`, which are not empty.
    fn send(&mut self, bytes: &[u8]) -> Sent;

    /// Offers several pieces at once; the first is not empty.
    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent;

    /// Ends the direction towards the peer, after what was sent.
    fn shut_down_write(&mut self) {
        shut_down(self.socket(), Shutdown::Write);
    }

    /// Has its reader wake; what the peer still sends goes nowhere.
    fn shut_down_read(&mut self) {
        shut_down(self.socket(), Shutdown::Read);
    }

    /// Ends the connection in both directions; its reader wakes.
    fn shut_down(&mut self) {
        shut_down(self.socket(), Shutdown::Both);
    }

    /// The socket to wait for when it is full; none where there is no socket.
    fn socket(&self) -> Option<&TcpStream>;

    /// Whether it has begun to send the byte that it will be offered next.
    fn holds_byte(&self) -> bool {
        false
    }

    /// The TLS session that it is, if it is one.
    fn tls(&mut self) -> Option<&mut TlsSink> {
        None
    }
}

/// A plain TCP socket, shared with the thread that reads it: one descriptor.
pub(crate) struct TcpSink {
    stream: Arc<TcpStream>,
}

impl TcpSink {
    pub(crate) fn new(stream: Arc<TcpStream>) -> TcpSink {
        TcpSink { stream }
    }
}

impl Sink for TcpSink {
    fn send(&mut self, bytes: &[u8]) -> Sent {
        outcome_of(|| socket::send(&self.stream, bytes))
    }

    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
        outcome_of(|| socket::send_all(&self.stream, pieces))
    }

    fn socket(&self) -> Option<&TcpStream> {
        Some(&self.stream)
    }
}

fn shut_down(socket: Option<&TcpStream>, direction: Shutdown) {
    if let Some(socket) = socket {
        // It fails on a socket that is not connected any more, which is as good.
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
