//! What happens to a new connection: it gets a thread, or a message why not.

use std::{
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    sync::Arc,
};

use madang_protocol::notice::{Goodbye, Notice};

use crate::{
    admission::capacity::{STACK_BYTES, is_memory_short},
    close_reason::CloseReason,
    connection::Connection,
    doors::Door,
    shared::{Admission, Shared},
    transport::{
        http::{self, Method},
        listener::{self, Arrivals},
        socket,
        tcp::LineTransport,
        tls,
    },
    web::{self, WebConnection},
};

/// How many times the input of a refused peer is read, 512 bytes each.
const DISCARDED_READS: usize = 128;

/// Accepts new connections while there is capacity.
pub(super) struct Reception {
    pub(super) shared: Arc<Shared>,
}

impl Arrivals for Reception {
    fn take(&self, door: Door, stream: TcpStream, address: IpAddr) {
        let shared = &self.shared;
        let stream = Arc::new(stream);
        let is_proxy = door == Door::Web && shared.config.trusts(address);
        if !is_proxy && shared.bans.bans_address(address) {
            return self.refuse(door, &stream, address, Goodbye::Banned);
        }
        let admitted = match is_proxy {
            true => shared.connections.admit_proxied(door, address),
            false => shared.connections.admit(door, address),
        };
        let admitted =
            admitted.and_then(|admission| match is_memory_short(shared.connections.vacated()) {
                true => Err(Goodbye::ServerFull),
                false => Ok(admission),
            });
        let admission = match admitted {
            Ok(admission) => admission,
            Err(goodbye) => return self.refuse(door, &stream, address, goodbye),
        };
        if let Err(error) = listener::set_options(&stream, shared.config.unsent_bytes) {
            // The peer may be gone already; the connection's thread will notice.
            tracing::debug!(%error, "failed to set a socket's options");
        }
        let name = format!("conn-{}", admission.number);
        let run = life(door, shared.clone(), admission, stream.clone(), address);
        let builder = std::thread::Builder::new().name(name).stack_size(STACK_BYTES);
        if let Err(error) = builder.spawn(run) {
            tracing::warn!(%error, "failed to start a connection's thread");
            self.refuse(door, &stream, address, Goodbye::ServerFull);
        }
    }

    fn refuse_for_want_of_descriptors(&self, door: Door, stream: &TcpStream, address: IpAddr) {
        self.refuse(door, stream, address, Goodbye::ServerFull);
    }
}

impl Reception {
    /// Tells a peer why it is refused. Its input is discarded, so that closing the socket does
    /// not reset the connection before the peer has read the message.
    fn refuse(&self, door: Door, stream: &TcpStream, address: IpAddr, goodbye: Goodbye) {
        let words = match door {
            door if self.shared.encrypts(door) => tls::REFUSAL.into(),
            Door::Lines | Door::TlsLines => {
                (Notice::Goodbye(goodbye).text(self.shared.config.lang) + "\n").into()
            }
            Door::Web | Door::Metrics => http::refusal(&web::refusal_of(goodbye), Method::Get),
        };
        let _ = socket::send(stream, &words);
        let _ = stream.shutdown(Shutdown::Write);
        let mut discarded = [0u8; 512];
        for _ in 0..DISCARDED_READS {
            let read = socket::receive(stream, &mut discarded);
            if !read.is_ok_and(|count| count > 0) {
                break;
            }
        }
        self.shared.metrics.refused.count(goodbye.code());
        self.shared.console.refused(address, CloseReason::Told(goodbye));
    }
}

/// What the thread of a connection at `door` does.
fn life(
    door: Door,
    shared: Arc<Shared>,
    admission: Admission,
    stream: Arc<TcpStream>,
    address: IpAddr,
) -> Box<dyn FnOnce() + Send> {
    let (input, outbox) = shared.open(door, &admission, stream);
    match door {
        Door::Lines | Door::TlsLines => {
            let web_port = shared.doors.web.first().map(SocketAddr::port);
            let (packet_pause, drain_timeout) =
                (shared.config.packet_pause, shared.config.drain_timeout);
            let transport = LineTransport::new(input, outbox.clone(), packet_pause, web_port);
            let transport = Box::new(transport);
            let connection =
                Connection::new(shared, admission, address, transport, outbox, drain_timeout);
            let connection = Box::new(connection);
            Box::new(|| connection.run())
        }
        Door::Web | Door::Metrics => {
            let connection = WebConnection::new(shared, door, admission, input, address, outbox);
            Box::new(|| connection.run())
        }
    }
}
