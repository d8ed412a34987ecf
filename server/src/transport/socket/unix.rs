//! A socket's calls on Unix. Sockets block, and a flag keeps a single call from it: O_NONBLOCK
//! would hold for reader and writer at once.

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
    // Elsewhere than on Linux it takes the listener's over.
    stream.set_nonblocking(false)
}

/// Prepares a socket that is to listen.
pub(super) fn prepare_to_bind(socket: &Socket) -> io::Result<()> {
    // A server that is started again must not wait for the last one's remains.
    socket.set_reuse_address(true)
}

/// Sends without waiting; the standard library has SIGPIPE ignored, so that an error is
/// all that comes.
pub(super) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, SendFlags::DONTWAIT)?)
}

/// Sends several pieces without waiting.
pub(super) fn send_all(stream: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut control = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(stream, pieces, &mut control, SendFlags::DONTWAIT)?)
}

/// Reads without waiting.
pub(super) fn receive(stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(stream, space, RecvFlags::DONTWAIT)?;
    Ok(count)
}

/// Reads once; blocks until something comes.
pub(super) fn read(mut stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// How many bytes have come that were not read.
pub(super) fn unread_bytes(stream: &TcpStream) -> io::Result<usize> {
    Ok(rustix::io::ioctl_fionread(stream)? as usize)
}

/// Blocks until the connection is gone, or `deadline`; false in that case.
pub(super) fn wait_gone(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    poll(&mut [PollFd::new(stream, PollFlags::empty())], Some(deadline))
}

/// Blocks until what is wanted may be done, or `deadline`; `None` in that case.
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

/// Blocks until something happens, or `deadline`; false in that case.
fn poll(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            // A peer that always has something to say moves no deadline.
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

/// Whether the process, or the system, has no descriptor left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// A descriptor that is held so as to be given up for a peer that is to be refused.
pub(crate) struct Reserve(#[allow(dead_code, reason = "it is held, and closed")] File);

impl Reserve {
    /// Takes one, if there is one.
    pub(crate) fn take() -> Option<Reserve> {
        File::open("/dev/null").ok().map(Reserve)
    }
}
