//! Ranges of addresses: a single one, or one with a prefix (`203.0.113.0/24`,
//! `2001:db8::/48`).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// The prefix of addresses that NAT64 makes from IPv4 (RFC 6052 section 2.1).
const NAT64: u128 = 0x0064_ff9b << 96;

/// A range of addresses. An IPv6 address that stands for an IPv4 one, mapped or by NAT64,
/// counts as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressRange {
    /// Its first address.
    first: IpAddr,
    prefix_bits: u8,
}

/// The prefix lengths of the widest ranges that may be banned: of IPv4, and of IPv6.
/// Anything wider is a mistake: `64:ff9b::/96` is all of IPv4.
pub const WIDEST: [u8; 2] = [8, 32];

/// The text is not a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a range of addresses, such as 192.0.2.7, 203.0.113.0/24 or 2001:db8::/48")]
pub struct NoRange;

impl AddressRange {
    /// The range that a ban of `text` covers: of an IPv6 address without a prefix, the whole
    /// /64, because its owner can use every address there.
    ///
    /// # Errors
    ///
    /// [`NoRange`].
    pub fn to_ban(text: &str) -> Result<AddressRange, NoRange> {
        let range: AddressRange = text.parse()?;
        Ok(match range.first {
            IpAddr::V6(_) if !text.contains('/') => range.widened_to(64),
            _ => range,
        })
    }

    fn widened_to(self, prefix_bits: u8) -> AddressRange {
        AddressRange { first: first_of(self.first, prefix_bits), prefix_bits }
    }

    /// Whether it contains `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        address.is_ipv4() == self.first.is_ipv4()
            && first_of(address, self.prefix_bits) == self.first
    }

    /// Whether it is too wide to be banned.
    pub fn is_too_wide(&self) -> bool {
        let [v4, v6] = WIDEST;
        self.prefix_bits < if self.first.is_ipv4() { v4 } else { v6 }
    }

    /// Whether it is a range of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.first.is_ipv4()
    }

    /// The length of its prefix: the range is one of 2 to that power.
    pub fn prefix_bits(&self) -> u8 {
        self.prefix_bits
    }

    /// Whether it contains this machine's loopback addresses.
    pub fn has_loopback(&self) -> bool {
        // A range that may be banned is inside 127.0.0.0/8, or outside.
        self.first.to_canonical().is_loopback() || self.contains(Ipv6Addr::LOCALHOST.into())
    }
}

impl FromStr for AddressRange {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<AddressRange, NoRange> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NoRange)?;
        let address = unwrapped(written);
        // A prefix of an IPv4 address in IPv6 counts the bits before it too.
        let before = if written.is_ipv6() && address.is_ipv4() { 96 } else { 0 };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => most,
            Some(prefix) => {
                let bits = prefix.parse::<u8>().ok().and_then(|bits| bits.checked_sub(before));
                bits.filter(|bits| *bits <= most).ok_or(NoRange)?
            }
        };
        Ok(AddressRange { first: first_of(address, prefix_bits), prefix_bits })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.prefix_bits) {
            (IpAddr::V4(address), 32) => address.fmt(formatter),
            (first, bits) => write!(formatter, "{first}/{bits}"),
        }
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped (`::ffff:a.b.c.d`), through NAT64
/// (`64:ff9b::a.b.c.d`), or the old `::a.b.c.d`. Any other address is unchanged.
pub fn unwrapped(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.to_bits() & !u128::from(u32::MAX) == NAT64 => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        // IPv4-compatible (RFC 4291 section 2.5.5.1), and neither `::` nor `::1`.
        IpAddr::V6(v6) => match u32::try_from(v6.to_bits()) {
            Ok(bits @ 2..) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            _ => address,
        },
        address => address,
    }
}

/// The first address of an address's network with so many bits.
fn first_of(address: IpAddr, prefix_bits: u8) -> IpAddr {
    let prefix_bits = u32::from(prefix_bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - prefix_bits).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - prefix_bits).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_lies_in_them() {
        #[track_caller]
        fn check(network: &str, shown: &str, inside: &[&str], outside: &[&str]) {
            let network: AddressRange = network.parse().expect("a network");
            assert_eq!(network.to_string(), shown);
            assert_eq!(shown.parse(), Ok(network), "it is read as it is shown");
            let lies_in = |address: &&str| network.contains(address.parse().expect("an address"));
            assert!(inside.iter().all(lies_in) && !outside.iter().any(lies_in), "{shown}");
        }
        let wrapped = ["192.0.2.7", "::ffff:192.0.2.7", "64:ff9b::192.0.2.7", "::192.0.2.7"];
        for written in wrapped {
            check(written, "192.0.2.7", &wrapped, &["192.0.2.8", "::ffff:192.0.2.8", "::1"]);
        }
        check(
            "203.0.113.9/24",
            "203.0.113.0/24",
            &["203.0.113.0", "203.0.113.255"],
            &["203.0.112.1"],
        );
        check("::ffff:203.0.113.9/120", "203.0.113.0/24", &["203.0.113.4"], &["203.0.112.1"]);
        check("2001:db8::5", "2001:db8::5/128", &["2001:db8::5"], &["2001:db8::6"]);
        check("2001:db8::/32", "2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::1"]);
        check("2001:db8::5/128", "2001:db8::5/128", &["2001:db8::5"], &["2001:db8::6"]);
        check("0.0.0.0/0", "0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("::/0", "::/0", &["::1"], &["1.2.3.4"]);
    }

    #[test]
    fn ranges_that_hold_half_the_world_are_too_wide() {
        #[track_caller]
        fn check(range: &str, is_too_wide: bool, has_loopback: bool) {
            let range: AddressRange = range.parse().expect("a range");
            assert_eq!(range.is_too_wide(), is_too_wide, "{range}");
            assert_eq!(range.has_loopback(), has_loopback, "{range}");
        }
        check("64:ff9b::/96", true, false);
        check("::ffff:0:0/96", true, false);
        check("0.0.0.0/0", true, false);
        check("10.0.0.0/7", true, false);
        check("::ffff:10.0.0.0/103", true, false);
        check("::/0", true, true);
        check("2001::/31", true, false);
        check("10.0.0.0/8", false, false);
        check("2001:db8::/32", false, false);
        check("192.0.2.7", false, false);
        check("127.0.0.0/8", false, true);
        check("127.3.0.0/16", false, true);
        check("::ffff:127.0.0.1", false, true);
        check("64:ff9b::127.0.0.1", false, true);
        check("::1", false, true);
        check("::2/127", false, false);
    }

    #[test]
    fn a_ban_of_an_ipv6_address_is_one_of_its_network() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(
                AddressRange::to_ban(text).map(|range| range.to_string()),
                Ok(expected.into())
            );
        }
        check("2001:db8:1:2::5", "2001:db8:1:2::/64");
        check("2001:db8:1:2::5/128", "2001:db8:1:2::5/128");
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
    }

    #[test]
    fn invalid_address_ranges_are_refused() {
        for text in [
            "",
            "bob",
            "192.0.2",
            "192.0.2.7/33",
            "192.0.2.7/-1",
            "192.0.2.7/8/8",
            "::1/129",
            "192.0.2.7/",
            "192.0.2.7/x",
            "::ffff:1.2.3.4/95",
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(NoRange), "{text}");
        }
    }
}
