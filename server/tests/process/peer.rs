//! A minimal peer over plain TCP.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr, TcpStream},
    ops::{Deref, DerefMut},
};

use socket2::{Domain, Socket, Type};

use crate::incoming::Incoming;

/// The receive buffer of a peer that is not going to read.
const SMALL_BUFFER_BYTES: usize = 4 * 1_024;

/// One connection to a server.
pub(crate) struct Peer {
    stream: TcpStream,
    incoming: Incoming,
}

impl Peer {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Peer {
        Peer::over(TcpStream::connect(address).expect("the server takes connections"))
    }

    /// Connects, and logs in to a Korean server.
    #[track_caller]
    pub(crate) fn join(address: SocketAddr, name: &str) -> Peer {
        let mut peer = Peer::connect(address);
        peer.log_in(name);
        peer
    }

    /// Connects from one of this machine's addresses.
    #[track_caller]
    pub(crate) fn connect_from(own: IpAddr, address: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::new(own, 0).into()).expect("the address is this machine's");
        socket.connect(&address.into()).expect("the server takes connections");
        Peer::over(socket.into())
    }

    /// Like [`join`](Self::join), with a small receive buffer.
    #[track_caller]
    pub(crate) fn join_with_small_buffer(address: SocketAddr, name: &str) -> Peer {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES).expect("before it is connected");
        socket.connect(&address.into()).expect("the server takes connections");
        let mut peer = Peer::over(socket.into());
        peer.log_in(name);
        peer
    }

    fn over(stream: TcpStream) -> Peer {
        let local = stream.local_addr().expect("it is connected");
        let source = stream.try_clone().expect("a descriptor");
        Peer { stream, incoming: Incoming::new(format!("the connection of {local}"), source) }
    }

    #[track_caller]
    pub(crate) fn log_in(&mut self, name: &str) {
        self.expect("로그인ID:");
        self.say(name);
        self.expect(&format!("[{name}]님이 입장했습니다.\n"));
    }

    /// Sends a line.
    #[track_caller]
    pub(crate) fn say(&mut self, line: &str) {
        self.send(format!("{line}\n").as_bytes());
    }

    /// Sends bytes in one write.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }
}

impl Deref for Peer {
    type Target = Incoming;

    fn deref(&self) -> &Incoming {
        &self.incoming
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Incoming {
        &mut self.incoming
    }
}
