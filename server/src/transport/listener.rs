//! One listening socket and the thread that accepts from it.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use madang_protocol::notice::{Goodbye, Notice};
use polling::{Event, Events, PollMode, Poller};
use rustix::{io::Errno, net::SendFlags};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::{
    admission::capacity::{STACK_BYTES, is_memory_short},
    admission::connection_table::{Admission, Stage},
    close_reason::CloseReason,
    config::{Config, Listen},
    connection::Connection,
    server::Shared,
    transport::{
        Reader,
        http::{self, Method},
        tcp::LineReader,
        tls,
    },
    web::{self, WebConnection},
};

/// How many connections the kernel completes before they are accepted.
const BACKLOG: i32 = 1_024;

/// How many times the input of a refused peer is read, 512 bytes each.
const DISCARDED_READS: usize = 128;

/// The pause after an error, doubled with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What comes in at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    /// Lines over TCP.
    Lines,
    /// Lines over TLS.
    TlsLines,
    /// HTTP and WebSocket.
    Web,
    /// HTTP, for the server's numbers alone.
    Metrics,
}

impl Door {
    pub(crate) const ALL: [Door; 4] = [Door::Lines, Door::TlsLines, Door::Web, Door::Metrics];

    /// How far a connection has come that was just accepted.
    pub(crate) fn first_stage(self) -> Stage {
        match self {
            Door::Lines | Door::TlsLines => Stage::Login,
            Door::Web | Door::Metrics => Stage::Request,
        }
    }

    /// Its name in the server's numbers.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Door::Lines => "lines",
            Door::TlsLines => "tls",
            Door::Web => "web",
            Door::Metrics => "metrics",
        }
    }
}

/// A listener at work.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) door: Door,
    poller: Arc<Poller>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Binds a socket and has it listen.
///
/// # Errors
///
/// The system's: the port in use, the address not this machine's.
pub(crate) fn bind(listen: Listen) -> io::Result<TcpListener> {
    match listen {
        Listen::At(address) => bind_to(address),
        Listen::Everywhere(port) => {
            // A socket for IPv6 takes IPv4 too. Where there is no IPv6, the first
            // attempt fails for that reason alone, and the second tells the truth.
            let everywhere = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
            let [v6, v4] = everywhere.map(|address| SocketAddr::new(address, port));
            match bind_to(v6) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => bind_to(v4),
                bound => bound,
            }
        }
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A server that is started again must not wait for the last one's remains.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Listener {
    /// Starts the thread that accepts. It ends at [`stop`](Self::stop), and no
    /// error ends it.
    ///
    /// # Errors
    ///
    /// If the system has no poller or no thread left.
    // The socket lives in the accepting thread, which deletes it from the poller
    // before it drops it.
    #[allow(unsafe_code)]
    pub(crate) fn start(
        socket: TcpListener,
        door: Door,
        shared: Arc<Shared>,
    ) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        let poller = Arc::new(Poller::new()?);
        // SAFETY: as said above.
        unsafe { poller.add_with_mode(&socket, Event::readable(0), PollMode::Level)? };
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("accept".into()).spawn({
            let (poller, stopping) = (poller.clone(), stopping.clone());
            move || {
                Acceptor { socket: &socket, door, shared, reserve: reserve() }
                    .run(&poller, &stopping);
                if let Err(error) = poller.delete(&socket) {
                    tracing::error!(%error, "failed to forget a listener");
                }
            }
        })?;
        Ok(Listener { address, door, poller, stopping, thread })
    }

    /// Has the thread end.
    pub(crate) fn wake(&self) {
        self.stopping.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if let Err(error) = self.poller.notify() {
            tracing::error!(%error, "failed to wake a listener");
        }
    }

    /// Stops accepting and closes the socket; blocks until that is done.
    pub(crate) fn stop(self) {
        self.wake();
        if self.thread.join().is_err() {
            tracing::error!("a listener had panicked");
        }
    }
}

struct Acceptor<'a> {
    socket: &'a TcpListener,
    door: Door,
    shared: Arc<Shared>,
    /// A descriptor to spend on telling a peer that there is none for it.
    reserve: Option<File>,
}

impl Acceptor<'_> {
    fn run(&mut self, poller: &Poller, stopping: &AtomicBool) {
        let mut events = Events::new();
        let mut pause = FIRST_PAUSE;
        while !stopping.load(Ordering::Acquire) {
            match self.socket.accept() {
                Ok((stream, address)) => {
                    pause = FIRST_PAUSE;
                    self.take(stream, address.ip());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for_peers(poller, &mut events);
                }
                // The peer has gone again before it was accepted.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) if is_out_of_descriptors(&error) && self.reserve.is_some() => {
                    if self.refuse_with_reserve() {
                        tracing::warn!(%error, "refused a connection");
                    } else {
                        // Linux looks for a descriptor before it looks for a peer.
                        wait_for_peers(poller, &mut events);
                    }
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "failed to accept");
                    std::thread::park_timeout(pause);
                    self.reserve = self.reserve.take().or_else(reserve);
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    /// Gives an accepted socket a thread, or says why not.
    fn take(&mut self, stream: TcpStream, address: IpAddr) {
        self.reserve = self.reserve.take().or_else(reserve);
        let stream = Arc::new(stream);
        let is_proxy = self.door == Door::Web && self.shared.config.trusts(address);
        if !is_proxy && self.shared.bans.bans_address(address) {
            return self.refuse(&stream, address, Goodbye::Banned);
        }
        let admitted = match is_proxy {
            true => self.shared.connections.admit_proxied(self.door, address),
            false => self.shared.connections.admit(self.door, address),
        };
        let admitted = admitted.and_then(|admission| {
            match is_memory_short(self.shared.connections.vacated()) {
                true => Err(Goodbye::ServerFull),
                false => Ok(admission),
            }
        });
        let admission = match admitted {
            Ok(admission) => admission,
            Err(goodbye) => return self.refuse(&stream, address, goodbye),
        };
        if let Err(error) = set_options(&stream, &self.shared.config) {
            // The peer may be gone already; its thread will find out.
            tracing::debug!(%error, "failed to set a socket's options");
        }
        let name = format!("conn-{}", admission.number);
        let run = connection(self.door, self.shared.clone(), admission, stream.clone(), address);
        let builder = std::thread::Builder::new().name(name).stack_size(STACK_BYTES);
        if let Err(error) = builder.spawn(run) {
            tracing::warn!(%error, "failed to start a connection's thread");
            self.refuse(&stream, address, Goodbye::ServerFull);
        }
    }

    /// Tells a peer why it can't come in. What it has sent is read away, so that
    /// closing does not reset the connection before the peer has read that.
    fn refuse(&self, stream: &TcpStream, address: IpAddr, goodbye: Goodbye) {
        let words = match self.door {
            door if self.shared.encrypts(door) => tls::REFUSAL.into(),
            Door::Lines | Door::TlsLines => {
                (Notice::Goodbye(goodbye).text(self.shared.config.lang) + "\n").into()
            }
            Door::Web | Door::Metrics => http::refusal(&web::refusal_of(goodbye), Method::Get),
        };
        let _ = rustix::net::send(stream, &words, SendFlags::DONTWAIT);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut discarded = [0u8; 512];
        let flags = rustix::net::RecvFlags::DONTWAIT;
        for _ in 0..DISCARDED_READS {
            let read = rustix::net::recv(stream, &mut discarded, flags);
            if !read.is_ok_and(|(count, _)| count > 0) {
                break;
            }
        }
        self.shared.metrics.refused.count(goodbye.code());
        self.shared.console.refused(address, CloseReason::Told(goodbye));
    }

    /// Spends the reserve on refusing one peer; false if there is none to refuse.
    fn refuse_with_reserve(&mut self) -> bool {
        self.reserve = None;
        let refused = match self.socket.accept() {
            Ok((stream, address)) => {
                self.refuse(&stream, address.ip(), Goodbye::ServerFull);
                true
            }
            Err(_) => false,
        };
        self.reserve = reserve();
        refused
    }
}

/// What the thread of a connection that came in at `door` is to do.
fn connection(
    door: Door,
    shared: Arc<Shared>,
    admission: Admission,
    stream: Arc<TcpStream>,
    address: IpAddr,
) -> Box<dyn FnOnce() + Send> {
    match door {
        Door::Lines | Door::TlsLines => {
            let (input, outbox) = shared.open(door, &admission, stream);
            let reader = Reader::Lines(Box::new(LineReader::new(input)));
            let connection = Connection::new(shared, admission, address, reader, outbox);
            let connection = Box::new(connection);
            Box::new(|| connection.run())
        }
        Door::Web | Door::Metrics => {
            let (input, outbox) = shared.open(door, &admission, stream);
            let connection = WebConnection::new(shared, door, admission, input, address, outbox);
            Box::new(|| connection.run())
        }
    }
}

/// Blocks until somebody connects, or the listener is to stop.
fn wait_for_peers(poller: &Poller, events: &mut Events) {
    events.clear();
    if let Err(error) = poller.wait(events, None) {
        tracing::error!(%error, "failed to wait for connections");
        std::thread::park_timeout(FIRST_PAUSE);
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

fn set_options(stream: &TcpStream, config: &Config) -> io::Result<()> {
    // Elsewhere than on Linux an accepted socket takes this over from its listener.
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))?;
        socket.set_tcp_notsent_lowat(config.unsent_bytes)?;
    }
    #[cfg(not(target_os = "linux"))]
    socket.set_send_buffer_size(config.unsent_bytes as usize)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_silently_gone_is_found_out() {
        let listener = bind(Listen::At(([127, 0, 0, 1], 0).into())).expect("a free port");
        listener.set_nonblocking(false).expect("it can block");
        let _peer = TcpStream::connect(listener.local_addr().expect("it is bound"));
        let (stream, _) = listener.accept().expect("somebody has connected");
        set_options(&stream, &Config::default()).expect("they are known");
        let socket = SockRef::from(&stream);
        let minute = Duration::from_secs(60);
        assert!(socket.keepalive().is_ok_and(|on| on));
        assert_eq!(socket.tcp_keepalive_time().ok(), Some(minute));
        assert_eq!(socket.tcp_keepalive_interval().ok(), Some(minute / 4));
        assert_eq!(socket.tcp_keepalive_retries().ok(), Some(4));
        assert_eq!(socket.tcp_user_timeout().ok(), Some(Some(minute)));
        assert_eq!(socket.tcp_notsent_lowat().ok(), Some(128 * 1_024));
        assert!(socket.tcp_nodelay().is_ok_and(|on| on));
    }
}
