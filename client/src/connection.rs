//! One connection: the receive thread, which puts incoming bytes into a channel, and the
//! sending half, which is the same for every kind of connection. What the bytes mean is decided
//! elsewhere.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    thread,
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

/// The time to connect to each address of the host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that has not sent Madang's greeting by then is treated as another kind of server, as is
/// one that sends anything else. Where many people come back at once, a greeting may be late.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that accepts no bytes for this long is lost.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// TCP keepalive: the silence before the first probe, and the time between probes.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The beginning of a Madang server's first line.
const GREETING: &[u8] = b"Madang/";

const READ_BYTES: usize = 16 * 1_024;

/// How many reads may wait for the main thread. After that, the socket's own buffer fills.
const READS_WAITING: usize = 16;

/// What the receive thread reports.
pub(crate) enum Incoming {
    /// One read, at most [`READ_BYTES`].
    Bytes(Vec<u8>),
    /// More bytes than a message may have. Nothing follows.
    TooLong,
    /// Nothing more will come: the end of the stream, or an error.
    End(Option<io::Error>),
}

/// The sending half of a connection of any kind; usable from any thread. The receiving half
/// belongs to the receive thread.
pub(crate) trait Carrier: Send + Sync {
    /// Sends all of `bytes`: whole lines, each with its LF, or a part of one towards a
    /// server that does not speak JSON. Blocks for at most [`WRITE_TIMEOUT`] a write.
    fn send(&self, bytes: &[u8]) -> io::Result<()>;

    /// Tells the server that nothing more is sent.
    fn half_close(&self) -> io::Result<()>;

    /// Closes the connection in both directions, which ends the receive thread's read.
    fn shut_down(&self);
}

/// A connection and its receive thread. Dropping it ends both.
pub(crate) struct Connection {
    carrier: Arc<dyn Carrier>,
    speaks: Speaks,
    incoming: Receiver<Incoming>,
}

/// What a server speaks from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Lines for people; a Madang server can switch to JSON.
    Lines,
    /// JSON: the server has already agreed to it, so it is a Madang server.
    Json,
}

/// What kind of server it is, by its first bytes, which are kept for the next reader.
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

    /// Sets up the protocol of `address` on a socket: TLS, WebSocket or neither.
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

    /// A connection of any kind. `receive` runs on the receive thread. It ends with the
    /// connection, after reporting that, or when the channel's receiver is gone.
    fn start(
        carrier: Arc<dyn Carrier>,
        speaks: Speaks,
        receive: impl FnOnce(Sender<Incoming>) + Send + 'static,
    ) -> io::Result<Connection> {
        let (sender, incoming) = bounded(READS_WAITING);
        thread::Builder::new().name("receive".into()).spawn(move || receive(sender))?;
        Ok(Connection { carrier, speaks, incoming })
    }

    /// What the server speaks from the beginning.
    pub(crate) fn speaks(&self) -> Speaks {
        self.speaks
    }

    /// Incoming bytes. Disconnected after [`Incoming::End`].
    pub(crate) fn incoming(&self) -> &Receiver<Incoming> {
        &self.incoming
    }

    /// Reads until it is clear whether this is a Madang server, for at most
    /// [`GREETING_TIMEOUT`]. Call it once, before anything else.
    pub(crate) fn greeting(&self) -> Greeting {
        if self.speaks == Speaks::Json {
            return Greeting::Madang(Vec::new());
        }
        let deadline = Instant::now() + GREETING_TIMEOUT;
        let mut first = Vec::new();
        while GREETING.starts_with(&first) && first.len() < GREETING.len() {
            match self.incoming.recv_deadline(deadline) {
                Ok(Incoming::Bytes(bytes)) => first.extend(bytes),
                // The channel is now disconnected, which reports the end again.
                Ok(Incoming::TooLong | Incoming::End(_)) => break,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        if first.starts_with(GREETING) { Greeting::Madang(first) } else { Greeting::Other(first) }
    }

    /// Sends all of `bytes`, in one write if the socket takes it; blocks for at most
    /// [`WRITE_TIMEOUT`] a write. A connection that fails here ends, and reports that as
    /// [`Incoming::End`] after the bytes that had already arrived.
    pub(crate) fn send(&self, bytes: &[u8]) {
        if self.carrier.send(bytes).is_err() {
            // The connection is gone already; this makes sure that the read notices.
            self.carrier.shut_down();
        }
    }

    /// Tells the server that nothing more will be sent. The server may keep sending.
    pub(crate) fn half_close(&self) {
        // If this fails, the connection has ended, and the receive thread reports it.
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
        // The receive thread blocks in one of two places: the channel, or the read. Its end is
        // not waited for: the process must not stay because a read does.
        self.incoming = never();
        self.carrier.shut_down();
    }
}

/// The receive thread for plain TCP. It ends with the socket, or when the channel's receiver is
/// gone.
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
