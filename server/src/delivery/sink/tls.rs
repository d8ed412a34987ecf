//! TLS inside the outbox (RFC 8446, RFC 5246): encrypts output for the socket, and decrypts
//! input for the connection's own thread. The outbox's lock also protects the session, so
//! records are sent in the order in which they were written.

use std::{
    io::{self, IoSlice},
    net::{Shutdown, TcpStream},
    ops::Range,
    sync::Arc,
};

use rustls::{ServerConfig, ServerConnection};

use super::{Sent, Sink, records::Records, shut_down};
use crate::transport::{PeerEnd, Received, socket, tls::Decrypted};

/// How much is encrypted before the socket is tried again, in bytes: one full record.
const RECORD_BYTES: usize = 16 * 1_024;

/// How much a peer may send before its handshake is finished, in bytes, plus the rest of the
/// last read.
const HANDSHAKE_BYTES: usize = 8 * 1_024;

/// A TCP socket that is never waited for, and its TLS session.
pub(crate) struct TlsSink {
    stream: Arc<TcpStream>,
    session: ServerConnection,
    /// The socket is full and has not taken all encrypted bytes. The last plain byte counts as
    /// not taken, so that it is offered again when there is space; until then, the outbox waits
    /// for the socket.
    holds_byte: bool,
    /// Bytes received before the handshake was finished.
    handshake_bytes: usize,
    /// The records that arrive.
    records: Records,
    /// How many system calls were made to send.
    calls: usize,
}

impl TlsSink {
    /// Starts a session in which the peer speaks first.
    pub(crate) fn new(stream: Arc<TcpStream>, config: Arc<ServerConfig>) -> TlsSink {
        // It fails only for a bad fragment size, and ours is not set.
        let session = ServerConnection::new(config).expect("the configuration is right");
        TlsSink {
            stream,
            session,
            holds_byte: false,
            handshake_bytes: 0,
            records: Records::default(),
            calls: 0,
        }
    }

    /// The socket of a session that is given up before it has begun.
    pub(crate) fn stream(&self) -> Arc<TcpStream> {
        self.stream.clone()
    }

    /// Receives what has arrived, without blocking, decrypts as much as fits into `space`, and
    /// answers TLS's own records. With an empty `space`, application data stays in the session.
    ///
    /// # Errors
    ///
    /// The socket's error, or a [`rustls::Error`] inside of one: then the peer was sent an
    /// alert about it.
    pub(crate) fn receive(&mut self, space: &mut [u8]) -> io::Result<Decrypted> {
        let mut received = self.decrypted(space);
        if matches!(received, Received::Nothing) {
            self.read_socket()?;
            received = self.decrypted(space);
        }
        let is_full = !self.flush()?;
        let state = self.session.process_new_packets().map_err(broken)?;
        Ok(Decrypted {
            received,
            holds_more: state.plaintext_bytes_to_read() > 0,
            is_handshaking: self.session.is_handshaking(),
            is_full,
        })
    }

    /// Notes the sizes of records that arrive from now on, or no longer.
    pub(crate) fn watch_records(&mut self, watched: bool) {
        self.records.watch(watched);
    }

    /// The sizes of the first records that have begun to arrive since the last call.
    pub(crate) fn take_records(&mut self) -> Vec<usize> {
        self.records.take()
    }

    fn decrypted(&mut self, space: &mut [u8]) -> Received {
        use std::io::Read as _;
        if space.is_empty() {
            return Received::Nothing;
        }
        match self.session.reader().read(space) {
            Ok(0) => Received::End(PeerEnd::Closed),
            Ok(count) => Received::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Received::End(PeerEnd::Cut)
            }
            // Nothing has been decrypted yet.
            Err(_) => Received::Nothing,
        }
    }

    fn read_socket(&mut self) -> io::Result<()> {
        let is_handshaking = self.session.is_handshaking();
        if is_handshaking && self.handshake_bytes > HANDSHAKE_BYTES {
            return Err(broken(rustls::Error::General("endless handshake".into())));
        }
        let count = match self.session.read_tls(&mut Followed(&self.stream, &mut self.records)) {
            Ok(0) if is_handshaking => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if is_handshaking {
            self.handshake_bytes += count;
        }
        if let Err(error) = self.session.process_new_packets() {
            // The alert is a courtesy; the error is what matters.
            let _ = self.flush();
            return Err(broken(error));
        }
        Ok(())
    }

    /// Sends encrypted bytes, as far as the socket takes them; false if it is full.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            self.calls += 1;
            match self.session.write_tls(&mut Unblocking(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes `length` bytes, which `encrypt` passes to the session range by range.
    fn send_with(
        &mut self,
        length: usize,
        encrypt: impl Fn(&mut ServerConnection, Range<usize>) -> io::Result<usize>,
    ) -> Sent {
        let mut taken = 0;
        loop {
            match self.flush() {
                Ok(true) => taken += usize::from(std::mem::take(&mut self.holds_byte)),
                Ok(false) if taken > 0 => {
                    self.holds_byte = true;
                    return Sent::Taken(taken - 1);
                }
                Ok(false) => return Sent::Taken(0),
                Err(error) => return Sent::Gone(error),
            }
            if taken == length {
                return Sent::Taken(taken);
            }
            match encrypt(&mut self.session, taken..length.min(taken + RECORD_BYTES)) {
                Ok(count) => taken += count,
                Err(error) => return Sent::Gone(error),
            }
        }
    }
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Sink for TlsSink {
    fn send(&mut self, bytes: &[u8]) -> Sent {
        use std::io::Write as _;
        self.send_with(bytes.len(), |session, range| session.writer().write(&bytes[range]))
    }

    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
        use std::io::Write as _;
        let length = pieces.iter().map(|piece| piece.len()).sum();
        self.send_with(length, |session, range| {
            session.writer().write_vectored(&part(pieces, range))
        })
    }

    fn shut_down_write(&mut self) {
        // Before there is a session, ending it means nothing.
        if !self.session.is_handshaking() {
            self.session.send_close_notify();
        }
        // If the socket is full, nobody waits to send this any more.
        let _ = self.flush();
        shut_down(Some(&self.stream), Shutdown::Write);
    }

    fn socket(&self) -> Option<&TcpStream> {
        Some(&self.stream)
    }

    fn holds_byte(&self) -> bool {
        self.holds_byte
    }

    fn calls(&self) -> usize {
        self.calls
    }

    fn tls(&mut self) -> Option<&mut TlsSink> {
        Some(self)
    }
}

/// The part of `pieces`, joined end to end, in `range`.
fn part<'a>(pieces: &'a [IoSlice<'_>], range: Range<usize>) -> Vec<IoSlice<'a>> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for piece in pieces {
        let end = begin + piece.len();
        let (from, to) = (range.start.max(begin), range.end.min(end));
        if from < to {
            parts.push(IoSlice::new(&piece[from - begin..to - begin]));
        }
        begin = end;
    }
    parts
}

/// A socket with non-blocking calls, whose records are followed.
struct Followed<'a>(&'a TcpStream, &'a mut Records);

impl io::Read for Followed<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = socket::receive(self.0, space)?;
        self.1.follow(&space[..count]);
        Ok(count)
    }
}

/// A socket with non-blocking calls.
struct Unblocking<'a>(&'a TcpStream);

impl io::Write for Unblocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        socket::send(self.0, bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        socket::send_all(self.0, pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_pieces_is_the_same_bytes() {
        #[track_caller]
        fn check(range: Range<usize>, expected: &[&str]) {
            let pieces = ["ab", "", "cde", "f"].map(|piece| IoSlice::new(piece.as_bytes()));
            let parts = part(&pieces, range);
            let parts: Vec<&str> =
                parts.iter().map(|part| str::from_utf8(part).expect("it was cut well")).collect();
            assert_eq!(parts, expected);
        }
        check(0..6, &["ab", "cde", "f"]);
        check(1..3, &["b", "c"]);
        check(2..5, &["cde"]);
        check(3..4, &["d"]);
        check(5..6, &["f"]);
    }
}
