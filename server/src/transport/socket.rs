//! One socket: waits with a deadline, and calls that never block. Platform differences are in a
//! file each.

use std::{
    io::{self, IoSlice},
    net::TcpStream,
    time::{Duration, Instant},
};

use socket2::Socket;

#[cfg(unix)]
#[path = "socket/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "socket/windows.rs"]
mod system;

pub(super) use self::system::Reserve;

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// Reading.
    Read,
    /// Reading or writing.
    ReadAndWrite,
}

/// What can be done with a socket without blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    /// There is something to read: bytes, the end, or an error.
    pub(super) readable: bool,
    /// It can be written.
    pub(super) writable: bool,
}

/// Prepares an accepted socket for the calls below.
///
/// # Errors
///
/// The system's error.
pub(super) fn set_mode(stream: &TcpStream) -> io::Result<()> {
    system::set_mode(stream)
}

/// Prepares a socket for listening.
///
/// # Errors
///
/// The system's error.
pub(super) fn prepare_to_bind(socket: &Socket) -> io::Result<()> {
    system::prepare_to_bind(socket)
}

/// Sends as much of `bytes` as fits into the socket's buffer now.
///
/// # Errors
///
/// `WouldBlock` if nothing fits, or the system's error.
pub(crate) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    system::send(stream, bytes)
}

/// Sends as much of `pieces` as fits into the socket's buffer now.
///
/// # Errors
///
/// As [`send`].
pub(crate) fn send_all(stream: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    system::send_all(stream, pieces)
}

/// Reads what has arrived, up to the length of `space`.
///
/// # Errors
///
/// `WouldBlock` if nothing has arrived, or the system's error.
pub(crate) fn receive(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    system::receive(stream, space)
}

/// Reads once, up to the length of `space`. Blocks until something arrives.
pub(super) fn read_once(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    system::read(stream, space)
}

/// How many bytes have arrived and were not read.
pub(super) fn unread_bytes(stream: &TcpStream) -> io::Result<usize> {
    system::unread_bytes(stream)
}

/// Blocks until the socket is ready, or `deadline`; `None` at the deadline.
pub(super) fn wait(
    stream: &TcpStream,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<Option<Ready>> {
    system::wait(stream, interest, deadline)
}

/// Blocks until `stream` has something to read (including the end), or `deadline`; returns
/// false at the deadline.
pub(super) fn wait_readable(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    Ok(system::wait(stream, Interest::Read, Some(deadline))?.is_some())
}

/// Whether `stream` has something to read now.
pub(super) fn is_readable(stream: &TcpStream) -> io::Result<bool> {
    system::is_readable(stream)
}

/// Whether the error means that the process or the system has no descriptors left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    system::is_out_of_descriptors(error)
}

/// Waits for `pause` without reading. Returns early if the socket is reset or shut down.
///
/// # Errors
///
/// If the connection is gone.
pub(crate) fn pause(stream: &TcpStream, pause: Duration) -> io::Result<()> {
    match system::wait_gone(stream, Instant::now() + pause)? {
        true => Err(io::ErrorKind::ConnectionReset.into()),
        false => Ok(()),
    }
}

/// How much further input is discarded, and in how many reads at most: reading a single byte
/// costs as much as reading many.
const DISCARDED_BYTES: usize = 256 * 1_024;
const DISCARDED_READS: usize = 256;

/// Waits until `deadline` for the peer to close its side, after the server closed its own.
/// Closing a socket with unread input sends a reset, which may overtake the goodbye. Input
/// beyond the limit stays in the socket's buffer, so that the peer cannot send more.
pub(crate) fn linger(stream: &TcpStream, deadline: Instant) {
    let mut discarded = vec![0; 8 * 1_024];
    let mut bytes = 0;
    for _ in 0..DISCARDED_READS {
        if !matches!(wait_readable(stream, deadline), Ok(true)) {
            return;
        }
        match system::receive(stream, &mut discarded) {
            Ok(count) if count > 0 => bytes += count,
            _ => return,
        }
        if bytes >= DISCARDED_BYTES {
            break;
        }
    }
    // Whether the peer closes or the time is up: done.
    let _ = pause(stream, deadline.saturating_duration_since(Instant::now()));
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use socket2::SockRef;

    use super::*;

    #[test]
    fn little_is_read_from_a_peer_that_keeps_sending_after_the_end() {
        /// What the kernels on both sides buffer in addition.
        const BUFFER_BYTES: usize = 64 * 1_024;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        SockRef::from(&listener).set_recv_buffer_size(BUFFER_BYTES).expect("it is known");
        let address = listener.local_addr().expect("it is bound");
        for piece in [&[b'x'; 16 * 1_024][..], b"x"] {
            let peer = std::thread::spawn({
                let piece = piece.to_vec();
                move || {
                    let mut stream = TcpStream::connect(address).expect("it listens");
                    SockRef::from(&stream).set_send_buffer_size(BUFFER_BYTES).expect("known");
                    stream.set_nodelay(true).expect("it is connected");
                    let mut sent = 0;
                    while stream.write_all(&piece).is_ok() {
                        sent += piece.len();
                    }
                    sent
                }
            });
            let (stream, _) = listener.accept().expect("somebody connects");
            linger(&stream, Instant::now() + Duration::from_secs(1));
            drop(stream);
            let sent = peer.join().expect("no panic");
            assert!(sent <= 2 << 20, "{sent} bytes were taken");
        }
    }
}
