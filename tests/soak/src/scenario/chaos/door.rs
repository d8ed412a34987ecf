//! The doors that members come in by.

use std::fmt;

/// How a member talks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Lines, as `nc` sends them.
    Lines,
    /// Lines that begin with telnet's negotiation and end with CR LF.
    Telnet,
    /// Packets without line ends.
    Packets,
    /// JSON lines.
    Json,
    /// Lines over TLS; without TLS while the server has no certificate.
    TlsLines,
    /// JSON lines over TLS; without TLS while the server has no certificate.
    TlsJson,
    /// WebSocket without a subprotocol; `wss` while the server has a certificate.
    WebText,
    /// WebSocket with JSON; `wss` while the server has a certificate.
    WebJson,
}

/// All doors. Members are spread over them in turn.
pub(crate) const DOORS: [Door; 8] = [
    Door::Lines,
    Door::Json,
    Door::WebText,
    Door::WebJson,
    Door::TlsLines,
    Door::TlsJson,
    Door::Telnet,
    Door::Packets,
];

impl Door {
    /// The door of a member.
    pub(crate) fn of(member: usize) -> Door {
        DOORS[member % DOORS.len()]
    }

    /// Whether its members speak JSON, and so have ids, acks and sessions.
    pub(crate) fn speaks_json(self) -> bool {
        matches!(self, Door::Json | Door::TlsJson | Door::WebJson)
    }

    /// Whether it is WebSocket.
    pub(crate) fn is_web(self) -> bool {
        matches!(self, Door::WebText | Door::WebJson)
    }

    /// What ends a message.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Door::Packets | Door::WebText | Door::WebJson => "",
            Door::Telnet => "\r\n",
            Door::Lines | Door::Json | Door::TlsLines | Door::TlsJson => "\n",
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Door::Lines => "lines",
            Door::Telnet => "telnet",
            Door::Packets => "packets",
            Door::Json => "JSON",
            Door::TlsLines => "lines over TLS",
            Door::TlsJson => "JSON over TLS",
            Door::WebText => "WebSocket",
            Door::WebJson => "WebSocket with JSON",
        })
    }
}
