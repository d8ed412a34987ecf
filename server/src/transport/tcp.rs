//! Lines from a TCP socket: reads, and the time at which they come. What they mean
//! is found out in [`framing`](super::framing).

use std::{
    io,
    net::TcpStream,
    time::{Duration, Instant},
};

use super::{PeerEnd, ReadOutcome, Received, framing::Framer, input::Input};
use crate::close_reason::CloseReason;

/// Reads one connection. Each call blocks at most until its deadline, or until
/// the socket is shut down from anywhere.
pub(crate) struct LineReader {
    input: Input,
    pub(super) framer: Framer,
    end: Option<PeerEnd>,
}

impl LineReader {
    pub(crate) fn new(input: Input) -> LineReader {
        LineReader { input, framer: Framer::new(), end: None }
    }

    /// Does the handshake, if there is to be one.
    ///
    /// # Errors
    ///
    /// Why there is nothing to be read.
    pub(crate) fn begin(&mut self, deadline: Instant) -> Result<(), CloseReason> {
        self.input.shake_hands(deadline)
    }

    /// Reads once; blocks until bytes come, the peer closes its side, the socket
    /// is shut down, or `deadline`.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        let ready = match deadline {
            Some(deadline) => self.input.wait_readable(deadline),
            None => Ok(true),
        };
        if matches!(ready, Ok(false)) {
            return Ok(ReadOutcome::TimedOut);
        }
        let spare = self.framer.spare();
        let space = spare.len();
        match ready.and_then(|_| self.input.read(spare)) {
            Ok(Received::Bytes(count)) => {
                let continues = count == space
                    && self.framer.tells_reads_apart()
                    && self.input.is_readable()?;
                self.framer.filled(count, continues, Instant::now());
            }
            Ok(Received::Nothing) => {}
            Ok(Received::End(end)) => self.finish(end),
            Err(error) => {
                self.finish(PeerEnd::Lost);
                return Err(error);
            }
        }
        Ok(ReadOutcome::Something)
    }

    fn finish(&mut self, end: PeerEnd) {
        self.end = Some(end);
        self.framer.finish();
    }

    /// Settles what [`may_be_packets`](Framer::may_be_packets) left open: waits for
    /// `pause`, and returns whether the peer frames by packet.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn settle_framing(&mut self, pause: Duration) -> io::Result<bool> {
        let silent = !self.input.wait_readable(Instant::now() + pause)?;
        self.framer.settle_framing(silent);
        Ok(silent)
    }

    /// How the peer has ended its side, once it has.
    pub(crate) fn peer_end(&self) -> Option<PeerEnd> {
        self.end
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.input.stream()
    }
}
