//! A peer over a real TCP socket. When something expected does not come, it prints what came
//! instead.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use memchr::memmem;
use rustls::{ClientConnection, Stream, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    DEADLINE, QUIET,
    transcript::{Direction, Escaped, Transcript},
};

mod chat;
mod pieces;

/// A connection to a server, from the peer's side.
///
/// Every `expect…` fails the test if the expected text has not come after [`DEADLINE`]. It
/// consumes what it has matched: the next one looks at what follows. If the test has failed,
/// dropping the client prints the transcript.
pub struct TestClient {
    stream: TcpStream,
    /// The TLS session, if the connection is encrypted.
    tls: Option<ClientConnection>,
    unread: Vec<u8>,
    at_end: Option<End>,
    label: String,
    transcript: Transcript,
    sent_bytes: usize,
    received_bytes: usize,
}

/// How the server's side has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With FIN.
    Closed,
    /// With RST: unread bytes are lost.
    Reset,
    /// Over TLS, without a close_notify.
    Cut,
}

impl TestClient {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> TestClient {
        TestClient::new(TcpStream::connect(address).expect("the server listens"))
    }

    /// Connects with a receive buffer of about `bytes` bytes, which limits what the kernel
    /// accepts for a client that does not read.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[track_caller]
    pub fn connect_with_buffer(address: SocketAddr, bytes: usize) -> TestClient {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)
            .expect("there is a descriptor left");
        socket.set_recv_buffer_size(bytes).expect("the size is allowed");
        socket.connect(&address.into()).expect("the server listens");
        TestClient::new(socket.into())
    }

    #[track_caller]
    fn new(stream: TcpStream) -> TestClient {
        // Each write is sent as a packet of its own.
        stream.set_nodelay(true).expect("it is connected");
        let port = stream.local_addr().expect("it is connected").port();
        let label = format!("port {port}");
        TestClient {
            stream,
            tls: None,
            unread: Vec::new(),
            at_end: None,
            label,
            transcript: Transcript::new(),
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    /// Switches to TLS from here on. The handshake happens with the first bytes.
    pub fn over_tls(mut self, session: ClientConnection) -> TestClient {
        self.tls = Some(session);
        self
    }

    /// Does the handshake.
    ///
    /// # Errors
    ///
    /// If the handshake fails.
    pub fn shake_hands(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
        let session = self.tls.as_mut().expect("there is to be a session");
        while session.is_handshaking() {
            session.complete_io(&mut self.stream)?;
        }
        Ok(())
    }

    /// The TLS session.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn session(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().expect("there is a session")
    }

    /// The socket and its TLS session. Everything must have been read.
    #[track_caller]
    pub fn into_tls_stream(mut self) -> StreamOwned<ClientConnection, TcpStream> {
        let session = self.tls.take().expect("there is a session");
        StreamOwned::new(session, self.into_stream())
    }

    /// Sends text or bytes, as they are.
    ///
    /// # Panics
    ///
    /// If the connection has ended.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut TestClient {
        if !self.try_send(bytes) {
            self.fail("the connection has ended, and nothing can be sent");
        }
        self
    }

    /// Sends text or bytes; false if the connection has ended.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = match &mut self.tls {
            None => self.stream.write_all(bytes.as_ref()),
            Some(session) => Stream::new(session, &mut self.stream).write_all(bytes.as_ref()),
        };
        self.transcript.add(Direction::Sent, bytes.as_ref());
        self.sent_bytes += bytes.as_ref().len();
        if let Err(error) = &sent {
            self.transcript.add(Direction::Happened, error.to_string().as_bytes());
        }
        sent.is_ok()
    }

    /// How many bytes of text it has sent and received so far, without the overhead of TCP and
    /// TLS.
    pub fn traffic(&self) -> (usize, usize) {
        (self.sent_bytes, self.received_bytes)
    }

    /// Closes only the sending side.
    #[track_caller]
    pub fn finish_sending(&mut self) {
        self.transcript.add(Direction::Happened, b"FIN");
        if let Some(session) = &mut self.tls {
            session.send_close_notify();
            while session.wants_write() {
                if let Err(error) = session.write_tls(&mut self.stream) {
                    panic!("failed to say that it closes: {error}");
                }
            }
        }
        if let Err(error) = self.stream.shutdown(Shutdown::Write) {
            self.fail(&format!("failed to close the sending side: {error}"));
        }
    }

    /// Resets the connection: the server gets RST instead of FIN.
    pub fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a socket takes the option");
    }

    /// Enlarges the kernel's receive buffer.
    pub fn widen_buffer(&self) {
        SockRef::from(&self.stream)
            .set_recv_buffer_size(1 << 20)
            .expect("a socket takes the option");
    }

    /// The socket itself, for tests that read faster than this client. Everything must have
    /// been read.
    #[track_caller]
    pub fn into_stream(mut self) -> TcpStream {
        assert!(self.unread.is_empty(), "unread: {}", Escaped(&self.unread));
        let placeholder = self.stream.try_clone().expect("there is a descriptor left");
        std::mem::replace(&mut self.stream, placeholder)
    }

    /// Waits for `text`, consumes everything up to its end, and returns what came before it.
    #[track_caller]
    pub fn expect(&mut self, text: impl AsRef<[u8]>) -> String {
        let text = text.as_ref();
        let deadline = Instant::now() + DEADLINE;
        let mut searched = 0;
        loop {
            if let Some(offset) = memmem::find(&self.unread[searched..], text) {
                let before = self.take_text(searched + offset);
                self.take(text.len());
                return before;
            }
            searched = (self.unread.len() + 1).saturating_sub(text.len());
            if !self.fill(deadline) {
                self.fail(&format!("expected {}", Escaped(text)));
            }
        }
    }

    /// Expects exactly `text` next.
    #[track_caller]
    pub fn expect_next(&mut self, text: impl AsRef<[u8]>) -> &mut TestClient {
        let text = text.as_ref();
        let deadline = Instant::now() + DEADLINE;
        loop {
            let length = text.len().min(self.unread.len());
            if self.unread[..length] != text[..length] {
                self.fail(&format!("expected {} next", Escaped(text)));
            }
            if length == text.len() {
                self.take(length);
                return self;
            }
            if !self.fill(deadline) {
                self.fail(&format!("expected {} next", Escaped(text)));
            }
        }
    }

    /// The next line, without its LF.
    #[track_caller]
    pub fn expect_line(&mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut searched = 0;
        loop {
            if let Some(offset) = memchr::memchr(b'\n', &self.unread[searched..]) {
                let line = self.take_text(searched + offset);
                self.take(1);
                return line;
            }
            searched = self.unread.len();
            if !self.fill(deadline) {
                self.fail("expected a line");
            }
        }
    }

    /// The socket, for writing to it in other ways.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The next `count` bytes, which are not consumed; fewer at the end.
    pub(crate) fn peek_bytes(&mut self, count: usize, pause: Duration) -> &[u8] {
        let deadline = Instant::now() + pause;
        while self.unread.len() < count && self.fill(deadline) {}
        &self.unread[..count.min(self.unread.len())]
    }

    /// The next `count` bytes.
    #[track_caller]
    pub fn expect_bytes(&mut self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + DEADLINE;
        while self.unread.len() < count {
            if !self.fill(deadline) {
                self.fail(&format!("expected {count} bytes"));
            }
        }
        self.take(count)
    }

    /// Everything that one read returns. Nothing may have been read ahead.
    #[track_caller]
    pub fn expect_read(&mut self) -> String {
        assert!(self.unread.is_empty(), "unread: {}", Escaped(&self.unread));
        if !self.fill(Instant::now() + DEADLINE) {
            self.fail("expected anything");
        }
        self.take_text(self.unread.len())
    }

    /// Whether anything comes within `pause`; the end of the connection counts too.
    pub fn has_more_within(&mut self, pause: Duration) -> bool {
        !self.unread.is_empty() || self.fill(Instant::now() + pause) || self.at_end.is_some()
    }

    /// Expects nothing for a [short time](QUIET). If there is an answer to wait for, waiting
    /// for that proves more and takes less time.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.expect_nothing_for(QUIET);
    }

    /// Expects nothing for `pause`.
    #[track_caller]
    pub fn expect_nothing_for(&mut self, pause: Duration) {
        if self.has_more_within(pause) {
            self.fail("expected nothing");
        }
    }

    /// Expects an orderly close, and nothing before it.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let rest = self.expect_rest();
        if !rest.is_empty() {
            self.fail(&format!("expected an end, not {}", Escaped(rest.as_bytes())));
        }
    }

    /// Waits for an orderly close, and returns what came before it.
    #[track_caller]
    pub fn expect_rest(&mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        while self.fill(deadline) {}
        if self.at_end != Some(End::Closed) {
            self.fail("expected an end");
        }
        self.take_text(self.unread.len())
    }

    /// Reads once. Returns false at the end of the connection, or if nothing has come by
    /// `deadline`. Bytes that are there are read even if this thread is late.
    fn fill(&mut self, deadline: Instant) -> bool {
        if self.at_end.is_some() {
            return false;
        }
        let mut buffer = vec![0; 64 * 1_024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).expect("the time is not zero");
            let read = match &mut self.tls {
                None => self.stream.read(&mut buffer),
                Some(session) => Stream::new(session, &mut self.stream).read(&mut buffer),
            };
            match read {
                Ok(0) => return self.end(End::Closed, "closed by the server"),
                Ok(count) => {
                    self.received_bytes += count;
                    self.transcript.add(Direction::Received, &buffer[..count]);
                    self.unread.extend_from_slice(&buffer[..count]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return self.end(End::Cut, "closed by the server without a close_notify");
                }
                Err(error) => return self.end(End::Reset, &error.to_string()),
            }
        }
    }

    fn end(&mut self, end: End, words: &str) -> bool {
        self.at_end = Some(end);
        self.transcript.add(Direction::Happened, words.as_bytes());
        false
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }

    #[track_caller]
    fn take_text(&mut self, count: usize) -> String {
        match String::from_utf8(self.take(count)) {
            Ok(text) => text,
            Err(error) => self.fail(&format!("not UTF-8: {}", Escaped(error.as_bytes()))),
        }
    }

    /// Sets the client's name in its transcript.
    pub(crate) fn call(&mut self, label: &str) {
        self.label = label.to_owned();
    }

    /// Fails the test. The transcript follows when the client is dropped.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        let unread = &self.unread[..self.unread.len().min(1_024)];
        panic!("{}: {what}\nunread: {} (end: {:?})", self.label, Escaped(unread), self.at_end);
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- {} --\n{}", self.label, self.transcript);
        }
    }
}

/// Reads until `lines` lines have come, and returns everything read. It is the fastest reader,
/// for floods.
///
/// # Panics
///
/// If they have not come after `patience`.
#[track_caller]
pub fn read_lines(mut stream: &TcpStream, lines: usize, patience: Duration) -> Vec<u8> {
    let deadline = Instant::now() + patience;
    let mut all = Vec::new();
    let mut buffer = vec![0; 256 * 1_024];
    let mut counted = 0;
    while counted < lines {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            panic!("{counted} of {lines} lines after {patience:?}: {}", tail(&all));
        }
        stream.set_read_timeout(Some(left)).expect("the time is not zero");
        match stream.read(&mut buffer) {
            Ok(0) => panic!("closed after {counted} of {lines} lines: {}", tail(&all)),
            Ok(count) => {
                counted += memchr::memchr_iter(b'\n', &buffer[..count]).count();
                all.extend_from_slice(&buffer[..count]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error} after {counted} of {lines} lines: {}", tail(&all)),
        }
    }
    all
}

fn tail(bytes: &[u8]) -> Escaped<'_> {
    Escaped(&bytes[bytes.len().saturating_sub(200)..])
}
