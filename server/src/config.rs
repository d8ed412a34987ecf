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
    journal::JournalConfig,
    transport::http::{
        origin::{Origin, PublicUrl},
        proxy,
    },
    transport::tls::certificates::PairFiles,
};

pub use crate::session::teachers::code::TeacherCode;

/// The port for the server's numbers.
pub const METRICS_PORT: u16 = 9011;

/// How a server runs. `Config::default()` is what `madang-server` does without flags.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where lines over TCP are taken. Default: port 9009 of every address.
    pub listen: Vec<Listen>,
    /// Where HTTP and WebSocket are taken. Default: port 9998 of every address.
    pub web: Vec<Listen>,
    /// Where the server's numbers are told over HTTP, to anybody. Default: nowhere.
    pub metrics: Option<Listen>,
    /// What is encrypted, and with which certificate; `None` means nothing.
    /// Default: `None`.
    pub tls: Option<TlsConfig>,
    /// The address of the page as people see it, if a proxy gives it another one.
    /// Pages from there may open a chat. Default: none.
    pub public_url: Option<PublicUrl>,
    /// What other pages may open a chat, beside those that this server has served
    /// under an IP address or a local name. Default: none.
    pub allow_origin: Vec<Origin>,
    /// Proxies that are believed who it is whose connection they pass on.
    /// Default: none.
    pub trust_proxy: Vec<AddressRange>,
    /// The language of the server's words, unless a member chooses another; the
    /// operator's too. Default: Korean.
    pub lang: Lang,
    /// The most connections at once; `None` means as many as the process can hold.
    /// Default: `None`.
    pub max_connections: Option<usize>,
    /// The most connections of one address; `None` means no limit. Loopback and
    /// private addresses have none in any case. Default: 64.
    pub max_per_address: Option<usize>,
    /// The most connections of one address that have not logged in; has no
    /// meaning without `max_per_address`. Default: 16.
    pub max_logins_per_address: usize,
    /// The most connections of one address to the web port that are not the chat's:
    /// they have asked for nothing yet, or are being sent a part of the page. A class
    /// that opens it at once has six of them each; has no meaning without
    /// `max_per_address`. Default: 256.
    pub max_requests_per_address: usize,
    /// How much one connection may send; `None` means no limit.
    /// Default: bursts of 20 lines and 64 KiB, then 10 lines and 16 KiB a second.
    pub rate_limit: Option<RateLimit>,
    /// Where what is said in public rooms is kept on disk; `None` means nowhere.
    /// Default: `None`.
    pub journal: Option<JournalConfig>,
    /// The most rooms, the lobby aside. Default: 10,000.
    pub max_rooms: usize,
    /// How many rooms one address may make in a minute; loopback and private addresses
    /// have no limit, and none has one without `max_per_address`. Default: 10.
    pub rooms_per_minute: usize,
    /// What makes a teacher; `None` draws one at each start. Default: `None`.
    pub teacher_code: Option<TeacherCode>,
    /// How many wrong teacher's codes one address may send in an hour. Default: 20.
    pub codes_per_hour: usize,
    /// Who should attend lessons, a name each. Default: nobody in particular.
    pub roster: Vec<String>,
    /// How long a room without members lasts. Default: 60 s.
    pub empty_room_window: Duration,
    /// For how long who was kicked is kept out of the room.
    pub kick_window: Duration,
    /// How long a JSON session without a connection lasts. Default: 60 s.
    pub resume_window: Duration,
    /// What is shown between the greeting and the prompt: whole lines of text,
    /// without the last line end. Default: nothing.
    pub motd: Option<String>,
    /// From connecting to having a name. Default: 60 s.
    pub login_timeout: Duration,
    /// From connecting to the end of the TLS handshake, where there is to be one.
    /// Default: 10 s.
    pub handshake_timeout: Duration,
    /// From connecting, or from the end of the handshake, to the end of an HTTP
    /// request's head. Default: 10 s.
    pub head_timeout: Duration,
    /// How many names that are no names may be given. Default: 5.
    pub login_tries: u32,
    /// How long nothing may follow an unended first packet before its peer is
    /// taken to end its lines with packets. Default: 250 ms.
    pub packet_pause: Duration,
    /// How long an unended first line may stand before its peer is told to press
    /// Enter. Default: 10 s.
    pub enter_hint_pause: Duration,
    /// The most that waits for one connection, in bytes, an entry counting 64
    /// more than its length. Default: 256 KiB.
    pub outbox_bytes: usize,
    /// The most that waits in all outboxes together before each that has anything
    /// waiting skips, in bytes. Default: 256 MiB.
    pub backlog_bytes: usize,
    /// The most that all rooms remember together; past it, those forget first in which
    /// nothing has happened for the longest time.
    pub history_bytes: usize,
    /// How long what was rendered for whoever comes into a room is kept for the next.
    /// Default: 10 s.
    pub renderings_window: Duration,
    /// How long an entry may wait for its connection before that is ended.
    /// Default: 30 s.
    pub stall_timeout: Duration,
    /// How long what waits may take to be sent when a connection ends. Default: 5 s.
    pub drain_timeout: Duration,
    /// The same for a WebSocket connection, whose goodbye is a Close frame.
    /// Default: 2 s.
    pub close_timeout: Duration,
    /// How long a peer may take to close its side after the server closed its
    /// own. Default: 1 s.
    pub linger: Duration,
    /// How long what waits may take to be sent when the server stops. Default: 3 s.
    pub stop_timeout: Duration,
    /// How long the threads of connections may take to end when the server stops, after
    /// their sockets were shut down. Default: 1 s.
    pub join_timeout: Duration,
    /// What a WebSocket connection of the chat may send, and when it is asked
    /// whether it lives.
    pub websocket: WebSocketLimits,
    /// What `/echo` does.
    pub echo: EchoConfig,
    /// How many bytes the kernel takes for a connection before the outbox waits.
    /// Default: 128 KiB.
    pub unsent_bytes: u32,
}

/// What is encrypted. With it, all that comes in at `web` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where lines over TLS are taken. There is no default.
    pub listen: Vec<Listen>,
    /// The certificate and its key.
    pub pair: PairFiles,
    /// How often it is looked whether they have changed. The program's: 10 s.
    pub look_interval: Duration,
}

impl TlsConfig {
    /// How often the program looks whether the certificate has changed.
    pub const LOOK_INTERVAL: Duration = Duration::from_secs(10);
}

/// The limits of one WebSocket connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketLimits {
    /// The longest message, in bytes, however it is fragmented. Default: 64 KiB.
    pub message_bytes: usize,
    /// The most fragments of one message. Default: 256.
    pub fragments: usize,
    /// From a message's first byte to its last. Default: 10 s.
    pub assembly_timeout: Duration,
    /// How often the peer is sent a ping. Default: 25 s.
    pub ping_interval: Duration,
    /// How long nothing may come after a ping has been sent. Default: 10 s.
    pub pong_timeout: Duration,
    /// What is done with a binary message. Default: it is refused.
    pub binary: Binary,
}

/// What `/echo` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoConfig {
    /// What stands before each text that comes back. Default: `echo : `.
    pub prefix: String,
    /// What may be sent. Default: as in the chat.
    pub websocket: WebSocketLimits,
}

impl Default for EchoConfig {
    fn default() -> EchoConfig {
        EchoConfig { prefix: "echo : ".into(), websocket: WebSocketLimits::default() }
    }
}

/// What is done with binary WebSocket messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// The connection is closed with 1003.
    Refused,
    /// They are taken as text messages are.
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
    /// This port of every address of the machine, IPv6 and IPv4, or IPv4 alone
    /// where there is no IPv6.
    Everywhere(u16),
    /// This address alone.
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
            trust_proxy: Vec::new(),
            lang: Lang::Ko,
            max_connections: None,
            max_per_address: Some(64),
            max_logins_per_address: 16,
            max_requests_per_address: 256,
            rate_limit: Some(RateLimit::per_second(10)),
            journal: None,
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
            history_bytes: 256 * 1_024 * 1_024,
            renderings_window: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(5),
            close_timeout: Duration::from_secs(2),
            linger: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(3),
            join_timeout: Duration::from_secs(1),
            websocket: WebSocketLimits::default(),
            echo: EchoConfig::default(),
            unsent_bytes: 128 * 1_024,
        }
    }
}

impl Config {
    /// Every origin whose pages may open a chat, whatever Host they name.
    pub(crate) fn allowed_origins(&self) -> Vec<Origin> {
        let public = self.public_url.iter().map(|url| &url.origin);
        public.chain(&self.allow_origin).cloned().collect()
    }

    /// Whether `address` is a trusted proxy's.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        proxy::is_trusted(address, &self.trust_proxy)
    }
}

impl Listen {
    /// The address as it is given to the system first.
    pub fn address(self) -> SocketAddr {
        match self {
            Listen::Everywhere(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
            Listen::At(address) => address,
        }
    }
}
