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
        #[cfg(windows)]
        cancel_reads(self.socket());
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

/// Ends a read that another thread is blocked in: on Windows, shutting the socket down only
/// makes the next one fail.
#[cfg(windows)]
#[allow(unsafe_code)]
fn cancel_reads(socket: &TcpStream) {
    use std::{os::windows::io::AsRawSocket as _, ptr};
    use windows_sys::Win32::{Foundation::HANDLE, System::IO::CancelIoEx};

    let handle = socket.as_raw_socket() as HANDLE;
    // SAFETY: the socket is open for as long as it is borrowed. Without an operation to end,
    // this fails and changes nothing.
    unsafe { CancelIoEx(handle, ptr::null()) };
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

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn shutting_down_ends_a_blocked_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        // Usually the read is blocked by then; it must end in any case.
        for _ in 0..20 {
            let stream = TcpStream::connect(address).expect("it listens");
            let (mut peer, _) = listener.accept().expect("one has connected");
            let stream = Arc::new(Stream::Plain(stream));
            let reading = Arc::clone(&stream);
            let (sender, reads) = mpsc::channel();
            thread::spawn(move || {
                while let Ok(count @ 1..) = reading.read(&mut [0]) {
                    sender.send(count).expect("the test waits for it");
                }
            });
            let timeout = Duration::from_secs(20);
            peer.write_all(b"x").expect("it is connected");
            assert_eq!(reads.recv_timeout(timeout), Ok(1));
            stream.shut_down();
            assert_eq!(reads.recv_timeout(timeout), Err(mpsc::RecvTimeoutError::Disconnected));
        }
    }
}
