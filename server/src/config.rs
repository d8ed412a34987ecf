//! Every limit and timeout of the server: meaning, unit and default in one place.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use madang_protocol::{
    address_range::AddressRange,
    limits::{CARRIER_BYTES, LINES_PORT, WEB_PORT},
    text::Lang,
};

use crate::{
    admission::rate_limit::RateLimit,
    cluster::ClusterConfig,
    journal::JournalConfig,
    transport::http::{
        origin::{Host, Origin, PublicUrl},
        proxy,
    },
    transport::tls::certificates::PairFiles,
};

pub use crate::session::teachers::code::TeacherCode;

/// The port for metrics.
pub const METRICS_PORT: u16 = 9011;

/// The configuration of a server. `Config::default()` is what `madang-server` uses without
/// flags.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen for lines over TCP. Default: port 9009 of every address.
    pub listen: Vec<Listen>,
    /// Where to listen for HTTP and WebSocket. Default: port 9998 of every address.
    pub web: Vec<Listen>,
    /// Where to serve metrics over HTTP, without a login. Default: nowhere.
    pub metrics: Option<Listen>,
    /// TLS listeners and the certificate; `None` means no TLS. Default: `None`.
    pub tls: Option<TlsConfig>,
    /// The page's public address, if a proxy gives it another one. Pages from there may chat.
    /// Default: none.
    pub public_url: Option<PublicUrl>,
    /// Other origins whose pages may chat, in addition to pages that this server has served
    /// under an IP address or a local name. Default: none.
    pub allow_origin: Vec<Origin>,
    /// Further names of this server under which its rooms can be reached over HTTP, in addition
    /// to IP addresses, local names and the host of `public_url`. Default: none.
    pub allow_host: Vec<Host>,
    /// Proxies whose X-Forwarded-For is trusted. Default: none.
    pub trust_proxy: Vec<AddressRange>,
    /// The language of the console, and of members until they choose another. Default: Korean.
    pub lang: Lang,
    /// Maximum number of connections; `None` means as many as the process can hold. Default:
    /// `None`.
    pub max_connections: Option<usize>,
    /// Maximum number of connections per address; `None` means no limit. Loopback and private
    /// addresses are never limited. Default: 64.
    pub max_per_address: Option<usize>,
    /// Maximum number of connections per address that have not logged in; ignored without
    /// `max_per_address`. Default: 16.
    pub max_logins_per_address: usize,
    /// Maximum number of connections per address to the web port that do not belong to the
    /// chat: without a request yet, or receiving part of the page. A class that opens the page
    /// at once has six of them per person. Ignored without `max_per_address`. Default: 256.
    pub max_requests_per_address: usize,
    /// How much one connection may send; `None` means no limit. Default: bursts of 20 lines and
    /// 64 KiB, then 10 lines and 16 KiB per second.
    pub rate_limit: Option<RateLimit>,
    /// Where messages of public rooms are saved; `None` means nowhere. Default: `None`.
    pub journal: Option<JournalConfig>,
    /// The cluster in which the server takes part; `None` means that it is alone. With `journal`, it
    /// archives the messages of all servers. Default: `None`.
    pub cluster: Option<ClusterConfig>,
    /// Maximum number of rooms, not counting the lobby. Default: 10,000.
    pub max_rooms: usize,
    /// How many rooms one address may create per minute. Loopback and private addresses are
    /// never limited, and nobody is without `max_per_address`. Default: 10.
    pub rooms_per_minute: usize,
    /// The teacher's code; `None` generates one at each start. Default: `None`.
    pub teacher_code: Option<TeacherCode>,
    /// How many wrong teacher's codes one address may send per hour. Default: 20.
    pub codes_per_hour: usize,
    /// The names of those who should attend lessons. Default: empty.
    pub roster: Vec<String>,
    /// How long a room without members exists. Default: 60 s.
    pub empty_room_window: Duration,
    /// How long a kicked member is kept out of the room. Default: 10 min.
    pub kick_window: Duration,
    /// How long a JSON session without a connection can be resumed. Default: 60 s.
    pub resume_window: Duration,
    /// The message of the day between greeting and prompt: lines of text, the last without a
    /// line end. Default: none.
    pub motd: Option<String>,
    /// From connecting to the end of the login. Default: 60 s.
    pub login_timeout: Duration,
    /// From connecting to the end of the TLS handshake. Default: 10 s.
    pub handshake_timeout: Duration,
    /// From connecting, or from the end of the TLS handshake, to the end of an HTTP request's
    /// head. Default: 10 s.
    pub head_timeout: Duration,
    /// How many invalid names are allowed at a login. Default: 5.
    pub login_tries: u32,
    /// How long a peer must be silent after a first packet without a line end to be treated as
    /// a packet peer. Default: 250 ms.
    pub packet_pause: Duration,
    /// How long a first line may remain without a line end before the peer is told to press
    /// Enter. Default: 10 s.
    pub enter_hint_pause: Duration,
    /// Maximum size of one outbox in bytes, where each entry counts its length plus 64.
    /// Default: 256 KiB.
    pub outbox_bytes: usize,
    /// Maximum size of all outboxes together in bytes; beyond it, every outbox that is not
    /// empty skips. Default: 256 MiB.
    pub backlog_bytes: usize,
    /// How long a goodbye waits for acks that its member is owed, while the disk is slow.
    /// Default: 1.5 s.
    pub ack_patience: Duration,
    /// Maximum size of the histories of all rooms in bytes; beyond it, the least recently
    /// active rooms drop history first. Default: 256 MiB.
    pub history_bytes: usize,
    /// How long renderings of the history for new members are cached. Default: 10 s.
    pub renderings_window: Duration,
    /// How long an entry may wait in an outbox before the connection is ended. Default: 30 s.
    pub stall_timeout: Duration,
    /// How long sending the rest of an outbox may take when a connection ends. Default: 5 s.
    pub drain_timeout: Duration,
    /// The same for a WebSocket connection, whose goodbye is a Close frame. Default: 2 s.
    pub close_timeout: Duration,
    /// How long a peer may take to close its side after the server has closed its own. Default:
    /// 1 s.
    pub linger: Duration,
    /// How long sending the rest of all outboxes may take when the server stops. Default: 3 s.
    pub stop_timeout: Duration,
    /// How long the connections' threads may take to end when the server stops, after their
    /// sockets were shut down. Default: 1 s.
    pub join_timeout: Duration,
    /// Limits on WebSocket messages of the chat, and the timing of pings.
    pub websocket: WebSocketLimits,
    /// How often a silent stream of events is sent a comment, so that proxies keep it open and
    /// a dead one is noticed. Default: 25 s.
    pub heartbeat_interval: Duration,
    /// The echo service.
    pub echo: EchoConfig,
    /// How many unsent bytes the kernel buffers per connection before the outbox queues.
    /// Default: 128 KiB.
    pub unsent_bytes: u32,
}

/// The TLS configuration. With it, `web` accepts only TLS as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where to listen for lines over TLS. There is no default.
    pub listen: Vec<Listen>,
    /// The certificate and its key.
    pub pair: PairFiles,
    /// How often to check the files for changes. `madang-server` uses 10 s.
    pub look_interval: Duration,
}

impl TlsConfig {
    /// How often `madang-server` checks the certificate files for changes.
    pub const LOOK_INTERVAL: Duration = Duration::from_secs(10);
}

/// The limits of one WebSocket connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketLimits {
    /// Maximum length of a message in bytes, in any number of fragments. Default: 64 KiB.
    pub message_bytes: usize,
    /// Maximum number of fragments of a message. Default: 256.
    pub fragments: usize,
    /// From a message's first byte to its last. Default: 10 s.
    pub assembly_timeout: Duration,
    /// How often to ping the peer. Default: 25 s.
    pub ping_interval: Duration,
    /// How long the peer may be silent after a ping. Default: 10 s.
    pub pong_timeout: Duration,
    /// How binary messages are handled. Default: refused.
    pub binary: Binary,
}

/// The configuration of `/echo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoConfig {
    /// The text in front of each returned message. Default: `echo : `.
    pub prefix: String,
    /// Limits on messages. Default: as in the chat.
    pub websocket: WebSocketLimits,
}

impl Default for EchoConfig {
    fn default() -> EchoConfig {
        EchoConfig { prefix: "echo : ".into(), websocket: WebSocketLimits::default() }
    }
}

/// How binary WebSocket messages are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// The connection is closed with code 1003.
    Refused,
    /// They are accepted like text messages.
    Taken,
}

impl Default for WebSocketLimits {
    fn default() -> WebSocketLimits {
        WebSocketLimits {
            message_bytes: CARRIER_BYTES,
            fragments: 256,
            assembly_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(10),
            binary: Binary::Refused,
        }
    }
}

/// An address to listen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// This port on every address of the machine: IPv6 and IPv4, or only IPv4 if there is no
    /// IPv6.
    Everywhere(u16),
    /// Only this address.
    At(SocketAddr),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: vec![Listen::Everywhere(LINES_PORT)],
            web: vec![Listen::Everywhere(WEB_PORT)],
            metrics: None,
            tls: None,
            public_url: None,
            allow_origin: Vec::new(),
            allow_host: Vec::new(),
            trust_proxy: Vec::new(),
            lang: Lang::Ko,
            max_connections: None,
            max_per_address: Some(64),
            max_logins_per_address: 16,
            max_requests_per_address: 256,
            rate_limit: Some(RateLimit::per_second(10)),
            journal: None,
            cluster: None,
            max_rooms: 10_000,
            teacher_code: None,
            codes_per_hour: 20,
            roster: Vec::new(),
            rooms_per_minute: 10,
            empty_room_window: Duration::from_secs(60),
            kick_window: Duration::from_secs(600),
            resume_window: Duration::from_secs(60),
            motd: None,
            login_timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            login_tries: 5,
            packet_pause: Duration::from_millis(250),
            enter_hint_pause: Duration::from_secs(10),
            outbox_bytes: 256 * 1_024,
            backlog_bytes: 256 * 1_024 * 1_024,
            ack_patience: Duration::from_millis(1_500),
            history_bytes: 256 * 1_024 * 1_024,
            renderings_window: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(5),
            close_timeout: Duration::from_secs(2),
            linger: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(3),
            join_timeout: Duration::from_secs(1),
            websocket: WebSocketLimits::default(),
            heartbeat_interval: Duration::from_secs(25),
            echo: EchoConfig::default(),
            unsent_bytes: 128 * 1_024,
        }
    }
}

impl Config {
    /// Every origin whose pages may chat, whatever host the request names.
    pub(crate) fn allowed_origins(&self) -> Vec<Origin> {
        let public = self.public_url.iter().map(|url| &url.origin);
        public.chain(&self.allow_origin).cloned().collect()
    }

    /// Every name that the operator has given the server.
    pub(crate) fn allowed_hosts(&self) -> Vec<Host> {
        let public = self.public_url.iter().filter_map(|url| url.origin.host());
        public.chain(self.allow_host.iter().cloned()).collect()
    }

    /// Whether `address` belongs to a trusted proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        proxy::is_trusted(address, &self.trust_proxy)
    }
}

impl Listen {
    /// The address to bind first.
    pub fn address(self) -> SocketAddr {
        match self {
            Listen::Everywhere(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
            Listen::At(address) => address,
        }
    }
}
