//! One connection: the receive thread, which turns what comes into a channel of
//! bytes, and the sending half, behind which any kind of connection may stand. What
//! the bytes mean is decided elsewhere.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never};
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};

use crate::{
    address::{Address, Door},
    failure::Failure,
    stream::Stream,
    tls::{self, TlsStream},
    websocket,
};

/// For each address of the host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that has not greeted as Madang by then is taken for another one.
const GREETING_TIMEOUT: Duration = Duration::from_secs(1);

/// A server that takes nothing for so long is lost.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a silent server is believed to be there, and how often it is then asked.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How a Madang server's first line begins.
const GREETING: &[u8] = b"Madang/";

const READ_BYTES: usize = 16 * 1_024;

/// Reads that may wait for the main thread; then the socket's own buffer fills.
const READS_WAITING: usize = 16;

/// What the receive thread tells.
pub(crate) enum Incoming {
    /// One read, at most [`READ_BYTES`].
    Bytes(Vec<u8>),
    /// There will be no more: an end, or an error.
    End(Option<io::Error>),
}

/// How bytes go out on a connection of some kind, from any thread. What comes in is
/// the receive thread's, which is started with it.
pub(crate) trait Carrier: Send + Sync {
    /// Sends all of `bytes`: whole lines, each with its LF, or a part of one towards a
    /// server that does not speak JSON. Blocks for at most [`WRITE_TIMEOUT`] a write.
    fn send(&self, bytes: &[u8]) -> io::Result<()>;

    /// Tells the server that nothing more is sent.
    fn half_close(&self) -> io::Result<()>;

    /// Ends the connection both ways, and so the receive thread's read.
    fn shut_down(&self);
}

/// A connection and its receive thread, both ended when it is dropped.
pub(crate) struct Connection {
    carrier: Arc<dyn Carrier>,
    speaks: Speaks,
    incoming: Receiver<Incoming>,
    thread: Option<JoinHandle<()>>,
}

/// How a server speaks from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// In lines for people; a Madang server can be turned to JSON.
    Lines,
    /// In JSON: it has agreed to that already, and is a Madang server.
    Json,
}

/// What a server's first bytes say of it; they are held for whoever goes on.
pub(crate) enum Greeting {
    Madang(Vec<u8>),
    Other(Vec<u8>),
}

impl Connection {
    /// Connects to the first address of the host that answers.
    pub(crate) fn open(address: &Address) -> Result<Connection, Failure> {
        let tls = match address.door.is_encrypted() {
            true => Some(
                tls::config(address.ca.as_deref())
                    .map_err(|cause| Failure::NoTrust { ca: address.ca.clone(), cause })?,
            ),
            false => None,
        };
        let addresses = (&*address.host, address.port)
            .to_socket_addrs()
            .map_err(|cause| Failure::UnknownHost { address: address.clone(), cause })?;
        let mut cause = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for socket_address in addresses {
            let connected = TcpStream::connect_timeout(&socket_address, CONNECT_TIMEOUT)
                .and_then(|stream| Connection::over(stream, address, tls.clone()));
            match connected {
                Ok(connection) => return Ok(connection),
                Err(error) => cause = error,
            }
        }
        let address = address.clone();
        Err(match cause.get_ref().and_then(|cause| cause.downcast_ref()).cloned() {
            Some(cause) => Failure::NotEncrypted { address, cause: Box::new(cause) },
            None => Failure::NotConnected { address, cause },
        })
    }

    /// Has a socket carry what the door of `address` takes.
    fn over(
        stream: TcpStream,
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
    ) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let keepalive =
            TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let stream = match tls {
            Some(config) => {
                Stream::Tls(Box::new(TlsStream::connect(stream, &address.host, config)?))
            }
            None => Stream::Plain(stream),
        };
        if let Door::Web { path, .. } = &address.door {
            let (sending, receiving) = websocket::open(stream, &address.to_string(), path)?;
            let receive = move |sender: Sender<Incoming>| receiving.receive(&sender);
            return Connection::start(sending, Speaks::Json, receive);
        }
        let stream = Arc::new(stream);
        let reading = Arc::clone(&stream);
        Connection::start(stream, Speaks::Lines, move |sender| receive(&reading, &sender))
    }

    /// Any kind: `receive` is the receive thread's work, and ends with the
    /// connection, which it tells, or when nobody listens any more.
    fn start(
        carrier: Arc<dyn Carrier>,
        speaks: Speaks,
        receive: impl FnOnce(Sender<Incoming>) + Send + 'static,
    ) -> io::Result<Connection> {
        let (sender, incoming) = bounded(READS_WAITING);
        let thread =
            thread::Builder::new().name("receive".into()).spawn(move || receive(sender))?;
        Ok(Connection { carrier, speaks, incoming, thread: Some(thread) })
    }

    /// How the server speaks from the beginning.
    pub(crate) fn speaks(&self) -> Speaks {
        self.speaks
    }

    /// What comes. Disconnected after [`Incoming::End`].
    pub(crate) fn incoming(&self) -> &Receiver<Incoming> {
        &self.incoming
    }

    /// Reads until it is clear whether a Madang server is there, for at most
    /// [`GREETING_TIMEOUT`]. To be called once, first.
    pub(crate) fn greeting(&self) -> Greeting {
        if self.speaks == Speaks::Json {
            return Greeting::Madang(Vec::new());
        }
        let deadline = Instant::now() + GREETING_TIMEOUT;
        let mut first = Vec::new();
        while GREETING.starts_with(&first) && first.len() < GREETING.len() {
            match self.incoming.recv_deadline(deadline) {
                Ok(Incoming::Bytes(bytes)) => first.extend(bytes),
                // The channel is disconnected now, which tells the end again.
                Ok(Incoming::End(_)) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        if first.starts_with(GREETING) { Greeting::Madang(first) } else { Greeting::Other(first) }
    }

    /// Sends all of `bytes`, in one write if the socket takes it; blocks for at
    /// most [`WRITE_TIMEOUT`] a write. A connection that fails here ends, and
    /// tells it as [`Incoming::End`] behind what had come before.
    pub(crate) fn send(&self, bytes: &[u8]) {
        if self.carrier.send(bytes).is_err() {
            // It is gone already; this only makes sure that the read sees it too.
            self.carrier.shut_down();
        }
    }

    /// Tells the server that nothing more is sent; it may go on talking.
    pub(crate) fn half_close(&self) {
        // Where it fails, the connection has ended, and the receive thread tells.
        let _ = self.carrier.half_close();
    }
}

impl Carrier for Stream {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn half_close(&self) -> io::Result<()> {
        Stream::half_close(self)
    }

    fn shut_down(&self) {
        Stream::shut_down(self);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The receive thread waits in one of two places: the channel, or the read.
        self.incoming = never();
        self.carrier.shut_down();
        if let Some(thread) = self.thread.take() {
            // It holds nothing that could panic, and this is no place to pass it on.
            let _ = thread.join();
        }
    }
}

/// The receive thread of lines: ends with the socket, or when nobody listens any more.
fn receive(stream: &Stream, sender: &Sender<Incoming>) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let incoming = match stream.read(&mut buffer) {
            Ok(0) => Incoming::End(None),
            Ok(count) => Incoming::Bytes(buffer[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Incoming::End(Some(error)),
        };
        let is_end = matches!(incoming, Incoming::End(_));
        if sender.send(incoming).is_err() || is_end {
            return;
        }
    }
}
