//! The doors of the server: what each listener accepts, and the addresses to reach it at.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What a listener accepts.
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

/// The addresses of each door, and a proxy in front of them.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// Lines over TCP.
    pub lines: Vec<SocketAddr>,
    /// Lines over TLS.
    pub tls: Vec<SocketAddr>,
    /// HTTP and WebSocket.
    pub web: Vec<SocketAddr>,
    /// Whether HTTP and WebSocket use TLS.
    pub web_is_encrypted: bool,
    /// The public URL of `web` behind a proxy; it ends with a slash.
    pub public_url: Option<String>,
}

/// The addresses at which others can reach a server listening at `listening`: those of this
/// machine if it listens on all interfaces, IPv4 first.
pub fn reachable(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    expand(listening, &own_addresses())
}

/// The addresses at which others can reach this machine, IPv4 first; localhost only if there is
/// no network.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|address| !address.is_loopback() && !is_link_local(address))
        .collect();
    if own.is_empty() {
        own.push(Ipv4Addr::LOCALHOST.into());
    }
    own.sort_by_key(|address| (address.is_ipv6(), *address));
    own.dedup();
    own
}

/// A link-local address is useless without an interface name.
fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn expand(listening: &[SocketAddr], own: &[IpAddr]) -> Vec<SocketAddr> {
    let mut reachable = Vec::new();
    for address in listening {
        if address.ip().is_unspecified() {
            let fits = |ip: &&IpAddr| address.is_ipv6() || ip.is_ipv4();
            let own = own.iter().filter(fits);
            reachable.extend(own.map(|ip| SocketAddr::new(*ip, address.port())));
        } else {
            reachable.push(*address);
        }
    }
    reachable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_everywhere_covers_each_address_of_the_machine() {
        #[track_caller]
        fn check(listening: &str, expected: &[&str]) {
            let own = ["192.168.0.5", "2001:db8::5"].map(|ip| ip.parse().expect("an address"));
            let listening = [listening.parse().expect("an address")];
            let reachable: Vec<String> =
                expand(&listening, &own).iter().map(SocketAddr::to_string).collect();
            assert_eq!(reachable, expected);
        }
        check("[::]:9009", &["192.168.0.5:9009", "[2001:db8::5]:9009"]);
        check("0.0.0.0:7", &["192.168.0.5:7"]);
        check("127.0.0.1:7", &["127.0.0.1:7"]);
    }
}
