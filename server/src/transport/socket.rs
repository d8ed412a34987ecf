//! One socket: its waits, each with a deadline, and the calls that never wait. What differs by
//! system stands in a file for each.

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

/// What a socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// To be read.
    Read,
    /// To be read or written.
    ReadAndWrite,
}

/// What may be done with a socket without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    /// Something has come: bytes, the end, or an error.
    pub(super) readable: bool,
    /// It takes bytes.
    pub(super) writable: bool,
}

/// Prepares a socket that was just accepted for the calls below.
///
/// # Errors
///
/// The system's.
pub(super) fn set_mode(stream: &TcpStream) -> io::Result<()> {
    system::set_mode(stream)
}

/// Prepares a socket that is to listen.
///
/// # Errors
///
/// The system's.
pub(super) fn prepare_to_bind(socket: &Socket) -> io::Result<()> {
    system::prepare_to_bind(socket)
}

/// Sends as much of `bytes` as the socket takes now.
///
/// # Errors
///
/// `WouldBlock` if that is nothing, and the system's.
pub(crate) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    system::send(stream, bytes)
}

/// Sends as much of `pieces` as the socket takes now.
///
/// # Errors
///
/// As [`send`].
pub(crate) fn send_all(stream: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    system::send_all(stream, pieces)
}

/// Reads what has come, as far as `space` goes.
///
/// # Errors
///
/// `WouldBlock` if nothing has, and the system's.
pub(crate) fn receive(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    system::receive(stream, space)
}

/// Reads once, as far as `space` goes; blocks until something comes.
pub(super) fn read_once(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    system::read(stream, space)
}

/// How many bytes have come that were not read.
pub(super) fn unread_bytes(stream: &TcpStream) -> io::Result<usize> {
    system::unread_bytes(stream)
}

/// Blocks until what is wanted may be done, or `deadline`; `None` in that case.
pub(super) fn wait(
    stream: &TcpStream,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<Option<Ready>> {
    system::wait(stream, interest, deadline)
}

/// Blocks until `stream` has something to read (its end too), or `deadline`;
/// false in that case.
pub(super) fn wait_readable(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    Ok(system::wait(stream, Interest::Read, Some(deadline))?.is_some())
}

/// Whether `stream` has something to read now.
pub(super) fn is_readable(stream: &TcpStream) -> io::Result<bool> {
    system::is_readable(stream)
}

/// Whether the process, or the system, has no descriptor left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    system::is_out_of_descriptors(error)
}

/// Waits for `pause` without reading; a reset or a shutdown of the socket ends the
/// wait.
///
/// # Errors
///
/// When the connection is gone.
pub(crate) fn pause(stream: &TcpStream, pause: Duration) -> io::Result<()> {
    match system::wait_gone(stream, Instant::now() + pause)? {
        true => Err(io::ErrorKind::ConnectionReset.into()),
        false => Ok(()),
    }
}

/// How much is read away of what a peer still sends, and in how many reads at most: one
/// byte a read costs as much as many.
const DISCARDED_BYTES: usize = 256 * 1_024;
const DISCARDED_READS: usize = 256;

/// Gives the peer until `deadline` to close its side, when the server's was closed: a
/// socket that is closed with input unread resets, and the reset may overtake the
/// goodbye. What is too much to be read away waits in the socket until then, and keeps the
/// peer from sending more.
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
    // Whether it closes or the time is over, nothing more is to be done.
    let _ = pause(stream, deadline.saturating_duration_since(Instant::now()));
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_peer_that_sends_on_after_the_end_is_not_read_for_long() {
        /// What both kernels take beside what is read.
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
