//! One listening socket and the thread that accepts connections from it. The [`Arrivals`]
//! decide what happens to each.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use polling::{Event, Events, PollMode, Poller};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::socket::{self, Reserve};
use crate::{config::Listen, doors::Door};

/// How many completed connections the kernel queues.
const BACKLOG: i32 = 1_024;

/// The pause after the first error; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Handles accepted connections. Neither call blocks.
pub(crate) trait Arrivals: Send + Sync {
    /// Takes an accepted socket: starts a thread for it, or tells the peer why not.
    fn take(&self, door: Door, stream: TcpStream, address: IpAddr);

    /// Tells a peer that the process has run out of descriptors.
    fn refuse_for_want_of_descriptors(&self, door: Door, stream: &TcpStream, address: IpAddr);
}

/// A running listener.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) door: Door,
    poller: Arc<Poller>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Binds a socket and starts listening.
///
/// # Errors
///
/// The system's error: the port is in use, or the address does not belong to this machine.
pub(crate) fn bind(listen: Listen) -> io::Result<TcpListener> {
    match listen {
        Listen::At(address) => bind_to(address),
        Listen::Everywhere(port) => {
            // An IPv6 socket accepts IPv4 too. Without IPv6, the first attempt fails for that
            // reason only, and the error of the second is the one to report.
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
    socket::prepare_to_bind(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Listener {
    /// Starts the accepting thread. It runs until [`stop`](Self::stop), whatever errors occur.
    ///
    /// # Errors
    ///
    /// If the system cannot create a poller or a thread.
    // The accepting thread owns the socket and removes it from the poller before dropping it.
    #[allow(unsafe_code)]
    pub(crate) fn start(
        socket: TcpListener,
        door: Door,
        arrivals: Arc<dyn Arrivals>,
    ) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        let poller = Arc::new(Poller::new()?);
        // SAFETY: see above.
        unsafe { poller.add_with_mode(&socket, Event::readable(0), PollMode::Level)? };
        let stopping = Arc::new(AtomicBool::new(false));
        let reserve = Reserve::take();
        let thread = std::thread::Builder::new().name("accept".into()).spawn({
            let (poller, stopping) = (poller.clone(), stopping.clone());
            move || {
                Acceptor { socket: &socket, door, arrivals, reserve }.run(&poller, &stopping);
                if let Err(error) = poller.delete(&socket) {
                    tracing::error!(%error, "failed to forget a listener");
                }
            }
        })?;
        Ok(Listener { address, door, poller, stopping, thread })
    }

    /// Makes the thread notice that it should stop.
    pub(crate) fn wake(&self) {
        self.stopping.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if let Err(error) = self.poller.notify() {
            tracing::error!(%error, "failed to wake a listener");
        }
    }

    /// Stops accepting and closes the socket. Blocks until that is done.
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
    arrivals: Arc<dyn Arrivals>,
    /// A descriptor to free when there is none left, so that a peer can be told.
    reserve: Option<Reserve>,
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
                // The peer disconnected before it was accepted.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) if socket::is_out_of_descriptors(&error) && self.reserve.is_some() => {
                    if self.refuse_with_reserve() {
                        tracing::warn!(%error, "refused a connection");
                    } else {
                        // Linux checks for a free descriptor before it checks for a peer.
                        wait_for_peers(poller, &mut events);
                    }
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "failed to accept");
                    std::thread::park_timeout(pause);
                    self.reserve = self.reserve.take().or_else(Reserve::take);
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    /// Passes on an accepted socket, and renews the reserve if needed.
    fn take(&mut self, stream: TcpStream, address: IpAddr) {
        self.reserve = self.reserve.take().or_else(Reserve::take);
        self.arrivals.take(self.door, stream, address);
    }

    /// Frees the reserve to refuse one peer; false if nobody is waiting.
    fn refuse_with_reserve(&mut self) -> bool {
        self.reserve = None;
        let refused = match self.socket.accept() {
            Ok((stream, address)) => {
                self.arrivals.refuse_for_want_of_descriptors(self.door, &stream, address.ip());
                true
            }
            Err(_) => false,
        };
        self.reserve = Reserve::take();
        refused
    }
}

/// Blocks until a peer connects or the listener is to stop.
fn wait_for_peers(poller: &Poller, events: &mut Events) {
    events.clear();
    if let Err(error) = poller.wait(events, None) {
        tracing::error!(%error, "failed to wait for connections");
        std::thread::park_timeout(FIRST_PAUSE);
    }
}

/// Enables keep-alive, turns Nagle's algorithm off, and limits how many unsent bytes the kernel
/// buffers.
///
/// # Errors
///
/// The system's error; the peer may be gone already.
pub(crate) fn set_options(stream: &TcpStream, unsent_bytes: u32) -> io::Result<()> {
    socket::set_mode(stream)?;
    stream.set_nodelay(true)?;
    let options = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    options.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        options.set_tcp_user_timeout(Some(Duration::from_secs(60)))?;
        options.set_tcp_notsent_lowat(unsent_bytes)?;
    }
    #[cfg(not(target_os = "linux"))]
    options.set_send_buffer_size(unsent_bytes as usize)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_vanished_peer_is_detected() {
        let listener = bind(Listen::At(([127, 0, 0, 1], 0).into())).expect("a free port");
        listener.set_nonblocking(false).expect("it can block");
        let _peer = TcpStream::connect(listener.local_addr().expect("it is bound"));
        let (stream, _) = listener.accept().expect("somebody has connected");
        set_options(&stream, 128 * 1_024).expect("they are known");
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
