//! Whose connection it is that a proxy has passed on.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses, as in `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// In canonical form: no IPv4 in IPv6.
    address: IpAddr,
    prefix_bits: u8,
}

/// What stands before IPv4 in IPv6, in bits (RFC 4291 section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// The text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a range of addresses, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork;

impl Network {
    /// Whether `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let most = if written.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => most,
            Some(prefix) => prefix.parse().ok().filter(|bits| *bits <= most).ok_or(NoNetwork)?,
        };
        let address = written.to_canonical();
        let prefix_bits = match written.is_ipv6() && address.is_ipv4() {
            true => u8::checked_sub(prefix_bits, MAPPED_BITS).ok_or(NoNetwork)?,
            false => prefix_bits,
        };
        Ok(Network { address, prefix_bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix_bits)
    }
}

/// The person behind `peer`: the rightmost of the addresses in `X-Forwarded-For`
/// that is no trusted proxy's. What stands left of it anybody could have written.
pub(crate) fn person<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[Network],
) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut person = peer;
    for hop in forwarded_for.rev() {
        if !is_trusted(person) {
            break;
        }
        let Some(address) = parse_hop(hop) else { break };
        person = address;
    }
    person
}

/// One address of the list; some proxies add the port.
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
    fn ranges_are_read_and_contain_their_addresses() {
        #[track_caller]
        fn check(network: &str, inside: &[&str], outside: &[&str]) {
            let network: Network = network.parse().expect("a range");
            let contains = |text: &&str| network.contains(text.parse().expect("an address"));
            assert!(inside.iter().all(contains), "{network}");
            assert!(!outside.iter().any(contains), "{network}");
        }
        check("127.0.0.1", &["127.0.0.1", "::ffff:127.0.0.1"], &["127.0.0.2", "::1"]);
        check("::ffff:127.0.0.1", &["127.0.0.1", "::ffff:127.0.0.1"], &["127.0.0.2", "::1"]);
        check("::ffff:10.0.0.0/104", &["10.255.1.2"], &["11.0.0.0", "::ffff:9.0.0.1"]);
        check("10.0.0.0/8", &["10.0.0.0", "10.255.1.2"], &["11.0.0.0", "9.255.255.255"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("fd00::/8", &["fd12::1"], &["fe80::1", "10.0.0.1"]);
        check("::/0", &["::1", "2001:db8::1"], &["1.2.3.4"]);
        let wrong = ["", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8", "10.0.0.0/8/8"];
        for wrong in wrong.into_iter().chain(["::ffff:10.0.0.0/95"]) {
            assert_eq!(wrong.parse::<Network>(), Err(NoNetwork), "{wrong}");
        }
    }

    #[test]
    fn the_person_is_the_rightmost_hop_that_is_not_trusted() {
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
        // All are trusted: the farthest that is told.
        check("127.0.0.1", "10.0.0.8, 10.0.0.7", "10.0.0.8");
        // Who is not trusted is believed nothing, and nonsense is where it ends.
        check("203.0.113.1", "1.1.1.1", "203.0.113.1");
        check("127.0.0.1", "1.1.1.1, unknown", "127.0.0.1");
        check("127.0.0.1", "1.1.1.1, unknown, 10.0.0.7", "10.0.0.7");
    }
}
