//! The doors of the server: what comes in at a listener.

/// What comes in at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    /// Lines over TCP.
    Lines,
    /// Lines over TLS.
    TlsLines,
    /// HTTP and WebSocket.
    Web,
    /// HTTP, for metrics only.
    Metrics,
}

impl Door {
    pub(crate) const ALL: [Door; 4] = [Door::Lines, Door::TlsLines, Door::Web, Door::Metrics];

    /// Its name in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Door::Lines => "lines",
            Door::TlsLines => "tls",
            Door::Web => "web",
            Door::Metrics => "metrics",
        }
    }
}
