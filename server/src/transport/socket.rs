//! One socket's waits, each with a deadline: to read, to pause, and to let a peer close.

use std::{
    io::{self, Read},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec};

/// Waits for `pause` without reading; a reset or a shutdown of the socket ends the
/// wait.
///
/// # Errors
///
/// When the connection is gone.
pub(crate) fn pause(stream: &TcpStream, pause: Duration) -> io::Result<()> {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    if poll(&mut fds, Some(Instant::now() + pause))? {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(())
}

/// How much is read away of what a peer still sends, and in how many reads at most: one
/// byte a read costs as much as many.
const DISCARDED_BYTES: usize = 256 * 1_024;
const DISCARDED_READS: usize = 256;

/// Gives the peer until `deadline` to close its side, when the server's was closed: a
/// socket that is closed with input unread resets, and the reset may overtake the
/// goodbye. What is too much to be read away waits in the socket until then, and keeps the
/// peer from sending more.
pub(crate) fn linger(mut stream: &TcpStream, deadline: Instant) {
    let mut discarded = vec![0; 8 * 1_024];
    let mut bytes = 0;
    for _ in 0..DISCARDED_READS {
        if !matches!(wait_readable(stream, deadline), Ok(true)) {
            return;
        }
        match stream.read(&mut discarded) {
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

/// Reads once, as far as `space` goes; blocks until something comes.
pub(super) fn read_once(mut stream: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Blocks until `stream` has something to read (its end too), or `deadline`;
/// false in that case.
pub(super) fn wait_readable(stream: &TcpStream, deadline: Instant) -> io::Result<bool> {
    poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(deadline))
}

/// Whether `stream` has something to read now.
pub(super) fn is_readable(stream: &TcpStream) -> io::Result<bool> {
    let mut fds = [PollFd::new(stream, PollFlags::IN)];
    Ok(rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}

/// Blocks until something happens, or `deadline`; false in that case.
pub(super) fn poll(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
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
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
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
