//! Where the bytes of one connection go: a socket that is never waited for, or
//! something that stands for one in a test.

use std::{
    io::{self, IoSlice},
    net::{Shutdown, TcpStream},
    sync::Arc,
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags},
};

pub(crate) mod tls;

use self::tls::TlsSink;

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
    fn shut_down_write(&mut self);

    /// Has its reader wake; what the peer still sends goes nowhere.
    fn shut_down_read(&mut self);

    /// Ends the connection in both directions; its reader wakes.
    fn shut_down(&mut self);

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

/// O_NONBLOCK would hold for the reader too; a flag holds for one call. The
/// standard library has SIGPIPE ignored, so that an error is all that comes.
const FLAGS: SendFlags = SendFlags::DONTWAIT;

impl Sink for TcpSink {
    fn send(&mut self, bytes: &[u8]) -> Sent {
        answer(|| rustix::net::send(&*self.stream, bytes, FLAGS))
    }

    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
        answer(|| {
            let mut control = SendAncillaryBuffer::default();
            rustix::net::sendmsg(&*self.stream, pieces, &mut control, FLAGS)
        })
    }

    fn shut_down_write(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn shut_down_read(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    fn shut_down(&mut self) {
        // It fails on a socket that is not connected any more, which is as good.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn socket(&self) -> Option<&TcpStream> {
        Some(&self.stream)
    }
}

fn answer(send: impl Fn() -> rustix::io::Result<usize>) -> Sent {
    loop {
        match send() {
            Ok(count) => return Sent::Taken(count),
            Err(Errno::AGAIN) => return Sent::Taken(0),
            Err(Errno::INTR) => {}
            Err(error) => return Sent::Gone(error.into()),
        }
    }
}

/// A socket of a test: takes as much as it is told to, and remembers.
#[cfg(test)]
pub(crate) mod fake {
    use std::sync::Arc;

    use super::{IoSlice, Sent, Sink, TcpStream, io};
    use crate::sync::{Condvar, Mutex};

    #[derive(Default)]
    pub(crate) struct FakeSocket {
        pub(crate) state: Mutex<FakeState>,
        /// Signalled at every change of the state.
        pub(crate) changed: Condvar,
    }

    #[derive(Default)]
    pub(crate) struct FakeState {
        /// How many bytes it takes before it is full.
        pub(crate) space: usize,
        /// What it took, one piece a send; nothing if it forgets.
        pub(crate) taken: Vec<Vec<u8>>,
        pub(crate) forgets: bool,
        /// Whether somebody waits for it to take more.
        pub(crate) armed: bool,
        pub(crate) gone: bool,
        pub(crate) panics: bool,
    }

    impl FakeSocket {
        pub(crate) fn with_space(space: usize) -> Arc<FakeSocket> {
            let socket = FakeSocket::default();
            socket.state.lock().space = space;
            Arc::new(socket)
        }

        pub(crate) fn sink(self: &Arc<Self>) -> Box<dyn Sink> {
            Box::new(FakeSink { socket: self.clone() })
        }

        pub(crate) fn change(&self, change: impl FnOnce(&mut FakeState)) {
            change(&mut self.state.lock());
            self.changed.notify_all();
        }

        /// All that it took, as text.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.state.lock().taken.concat()).expect("UTF-8 was sent")
        }
    }

    struct FakeSink {
        socket: Arc<FakeSocket>,
    }

    impl Sink for FakeSink {
        fn send(&mut self, bytes: &[u8]) -> Sent {
            let mut state = self.socket.state.lock();
            assert!(!state.panics, "as the test asked");
            if state.gone {
                return Sent::Gone(io::ErrorKind::ConnectionReset.into());
            }
            let count = bytes.len().min(state.space);
            state.space -= count;
            if count > 0 && !state.forgets {
                state.taken.push(bytes[..count].to_vec());
            }
            Sent::Taken(count)
        }

        fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
            self.send(&pieces.iter().flat_map(|piece| piece.iter().copied()).collect::<Vec<u8>>())
        }

        fn shut_down_write(&mut self) {}

        fn shut_down_read(&mut self) {}

        fn shut_down(&mut self) {
            self.socket.change(|state| state.gone = true);
        }

        fn socket(&self) -> Option<&TcpStream> {
            None
        }
    }
}
