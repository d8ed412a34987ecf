//! The client address behind a proxy.

use std::net::IpAddr;

use madang_protocol::address_range::{AddressRange, unwrapped};

/// The headers that proxies add to a request.
pub(crate) const HEADERS: [&str; 4] = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"];

/// Whether `address` is a trusted proxy. Addresses that merely represent an IPv4 address
/// (NAT64) are never trusted.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[AddressRange]) -> bool {
    let address = address.to_canonical();
    unwrapped(address) == address && trusted.iter().any(|range| range.contains(address))
}

/// The client behind `peer`: the rightmost address in `X-Forwarded-For` that is not a trusted
/// proxy. Anyone could have written what is left of it.
pub(crate) fn person<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[AddressRange],
) -> IpAddr {
    let mut person = peer;
    for hop in forwarded_for.rev() {
        if !is_trusted(person, trusted) {
            break;
        }
        let Some(address) = parse_hop(hop) else { break };
        person = address;
    }
    person
}

/// One address of the list. Some proxies add a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok();
    address.or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_covers_mapped_addresses_but_not_nat64() {
        let trusted = ["127.0.0.1", "fd00::5"].map(|range| range.parse().expect("a range"));
        let is_trusted = |address: &str| is_trusted(address.parse().expect("an address"), &trusted);
        assert!(is_trusted("127.0.0.1") && is_trusted("::ffff:127.0.0.1"));
        assert!(is_trusted("fd00::5") && !is_trusted("fd00::6") && !is_trusted("127.0.0.2"));
        assert!(!is_trusted("64:ff9b::127.0.0.1") && !is_trusted("::127.0.0.1"));
    }

    #[test]
    fn the_client_is_the_rightmost_untrusted_hop() {
        #[track_caller]
        fn check(peer: &str, forwarded_for: &str, expected: &str) {
            let trusted =
                ["127.0.0.0/8", "10.0.0.0/8"].map(|range| range.parse().expect("a range"));
            let peer = peer.parse().expect("an address");
            let hops = forwarded_for.split(',').filter(|hop| !hop.is_empty());
            assert_eq!(person(peer, hops, &trusted).to_string(), expected);
        }
        check("127.0.0.1", "", "127.0.0.1");
        check("127.0.0.1", "203.0.113.9", "203.0.113.9");
        check("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9");
        check("127.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.7", "203.0.113.9");
        check("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1");
        check("127.0.0.1", "203.0.113.9:80", "203.0.113.9");
        // All are trusted: the leftmost address counts.
        check("127.0.0.1", "10.0.0.8, 10.0.0.7", "10.0.0.8");
        // An untrusted peer is not believed, and the list ends at invalid entries.
        check("203.0.113.1", "1.1.1.1", "203.0.113.1");
        check("127.0.0.1", "1.1.1.1, unknown", "127.0.0.1");
        check("127.0.0.1", "1.1.1.1, unknown, 10.0.0.7", "10.0.0.7");
    }
}
