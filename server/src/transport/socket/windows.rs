//! Socket calls on Windows, which has no flag for a single non-blocking call: sockets never
//! block, and readers poll first.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
};
use socket2::Socket;

use super::{Interest, Ready};

/// Not every version of Windows wakes a poll when this process shuts the socket down, so waits
/// check for that this often.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Prepares a socket that was just accepted.
pub(super) fn set_mode(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)
}

/// Prepares a socket for listening.
pub(super) fn prepare_to_bind(_socket: &Socket) -> io::Result<()> {
    // On Windows, SO_REUSEADDR would let another program steal the port, and no connection of a
    // stopped server lingers.
    Ok(())
}

/// Sends without blocking.
pub(super) fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes)
}

/// Sends several pieces without blocking.
pub(super) fn send_all(mut stream: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.write_vectored(pieces)
}

/// Reads without blocking.
pub(super) fn receive(mut stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    stream.read(space)
}

/// Reads once. Blocks until something arrives.
pub(super) fn read(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match receive(stream, space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(stream, Interest::Read, None)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// How many bytes have arrived and were not read.
pub(super) fn unread_bytes(stream: &TcpStream) -> io::Result<usize> {
    Ok(rustix::io::ioctl_fionread(stream)? as usize)
}

/// Blocks until the connection is gone, or `deadline`; returns false at the deadline.
pub(super) fn wait_gone(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // A poll would return at once, over and over, after the peer has closed its side.
        std::thread::sleep(left.min(LOOK_PAUSE / 10));
        if is_gone(stream) {
            return Ok(true);
        }
    }
}

/// Blocks until the socket is ready, or `deadline`; `None` at the deadline.
pub(super) fn wait(
    stream: &TcpStream,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<Option<Ready>> {
    let wanted = match interest {
        Interest::Read => PollFlags::IN,
        Interest::ReadAndWrite => PollFlags::IN | PollFlags::OUT,
    };
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        let mut fds = [PollFd::new(stream, wanted)];
        if poll(&mut fds, left.unwrap_or(LOOK_PAUSE).min(LOOK_PAUSE))? {
            let events = fds[0].revents();
            let (reads, writes) = (!PollFlags::OUT, PollFlags::OUT);
            return Ok(Some(Ready {
                readable: events.intersects(reads),
                writable: events.intersects(writes),
            }));
        }
        // A byte, the end or an error: all count as readable.
        if !would_block(&stream.peek(&mut [0])) {
            return Ok(Some(Ready { readable: true, writable: false }));
        }
    }
}

/// Whether `stream` has something to read now.
pub(super) fn is_readable(stream: &TcpStream) -> io::Result<bool> {
    poll(&mut [PollFd::new(stream, PollFlags::IN)], Duration::ZERO)
}

/// Whether the connection was reset, or shut down by this process.
fn is_gone(stream: &TcpStream) -> bool {
    let peeked = stream.peek(&mut [0]);
    peeked.is_err() && !would_block(&peeked)
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn poll(fds: &mut [PollFd<'_>], timeout: Duration) -> io::Result<bool> {
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i32::try_from(timeout.subsec_nanos()).unwrap_or(0),
    };
    match rustix::event::poll(fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the error means that the process or the system has no descriptors left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NOBUFS))
}

/// Empty: Windows has no limit on the number of sockets that matters here.
pub(crate) struct Reserve(());

impl Reserve {
    /// Always succeeds.
    pub(crate) fn take() -> Option<Reserve> {
        Some(Reserve(()))
    }
}
