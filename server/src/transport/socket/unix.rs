//! Socket calls on Unix. Sockets block; single calls are made non-blocking by a flag, because
//! O_NONBLOCK would apply to reader and writer at once.

use std::{
    fs::File,
    io::{self, IoSlice, Read},
    net::TcpStream,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags},
};
use socket2::Socket;

use super::{Interest, Ready};

/// Prepares a socket that was just accepted.
pub(super) fn set_mode(stream: &TcpStream) -> io::Result<()> {
    // On systems other than Linux it inherits the listener's mode.
    stream.set_nonblocking(false)
}

/// Prepares a socket for listening.
pub(super) fn prepare_to_bind(socket: &Socket) -> io::Result<()> {
    // A restarted server must not wait for connections of the last run in TIME_WAIT.
    socket.set_reuse_address(true)
}

/// Sends without blocking. The standard library ignores SIGPIPE, so a broken pipe is only an
/// error.
pub(super) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, SendFlags::DONTWAIT)?)
}

/// Sends several pieces without blocking.
pub(super) fn send_all(stream: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut control = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(stream, pieces, &mut control, SendFlags::DONTWAIT)?)
}

/// Reads without blocking.
pub(super) fn receive(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(stream, space, RecvFlags::DONTWAIT)?;
    Ok(count)
}

/// Reads once. Blocks until something arrives.
pub(super) fn read(mut stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(space) {
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
    poll(&mut [PollFd::new(stream, PollFlags::empty())], Some(deadline))
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
    let mut fds = [PollFd::new(stream, wanted)];
    let ready = poll(&mut fds, deadline)?.then(|| {
        let events = fds[0].revents();
        let (reads, writes) = (!PollFlags::OUT, PollFlags::OUT);
        Ready { readable: events.intersects(reads), writable: events.intersects(writes) }
    });
    Ok(ready)
}

/// Whether `stream` has something to read now.
pub(super) fn is_readable(stream: &TcpStream) -> io::Result<bool> {
    let mut fds = [PollFd::new(stream, PollFlags::IN)];
    Ok(rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}

/// Blocks until an event occurs, or `deadline`; returns false at the deadline.
fn poll(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            // A peer that keeps sending must not extend the deadline.
            return Ok(false);
        }
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match rustix::event::poll(fds, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the error means that the process or the system has no descriptors left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// A descriptor held in reserve, to be freed when a peer has to be refused.
pub(crate) struct Reserve(#[allow(dead_code, reason = "it is held, and closed")] File);

impl Reserve {
    /// Opens one, if the system has one left.
    pub(crate) fn take() -> Option<Reserve> {
        File::open("/dev/null").ok().map(Reserve)
    }
}
