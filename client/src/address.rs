//! Where a server is: `HOST`, `HOST:PORT`, `[IPv6]:PORT`, or a bare IPv6 address.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use madang_protocol::limits::LINES_PORT;

/// A host, by name or by number, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host; an IPv6 address stands without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

/// Why a text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no host in it.
    #[error("the host is missing")]
    NoHost,
    /// The port is not a number, or not one of a port.
    #[error("port `{0}` is not a number between 1 and 65535")]
    BadPort(String),
    /// Brackets around something else, or not closed.
    #[error("`{0}` is not an IPv6 address; write it as [::1]:{LINES_PORT}")]
    BadIpv6(String),
    /// A character that no host has.
    #[error("`{0}` is not a host; write HOST or HOST:PORT, as in localhost:{LINES_PORT}")]
    BadHost(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        if is_ipv6(text) {
            return Ok(Address { host: text.to_owned(), port: LINES_PORT });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let bad = || AddressError::BadIpv6(text.to_owned());
                let (host, after) = rest.split_once(']').ok_or_else(bad)?;
                if !is_ipv6(host) {
                    return Err(bad());
                }
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err(bad()),
                }
            }
            None => {
                let (host, port) = match text.rsplit_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (text, None),
                };
                let strange = |c: char| c.is_whitespace() || c.is_control() || "/:[]@#".contains(c);
                if host.contains(strange) {
                    return Err(AddressError::BadHost(text.to_owned()));
                }
                (host, port)
            }
        };
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        let port = match port {
            None => LINES_PORT,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(AddressError::BadPort(port.to_owned())),
                Ok(number) => number,
            },
        };
        Ok(Address { host: host.to_owned(), port })
    }
}

/// Whether `text` is an IPv6 address, perhaps with a zone (`fe80::1%eth0`, RFC 4007 §11).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<Ipv6Addr>().is_ok()
        && zone.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        #[track_caller]
        fn check(text: &str, host: &str, port: u16) {
            assert_eq!(text.parse(), Ok(Address { host: host.into(), port }));
        }
        check("localhost", "localhost", 9009);
        check("chat.example.org:80", "chat.example.org", 80);
        check("192.168.0.12:9010", "192.168.0.12", 9010);
        check("::1", "::1", 9009);
        check("[::1]", "::1", 9009);
        check("[::1]:9010", "::1", 9010);
        check("fe80::1%eth0", "fe80::1%eth0", 9009);
        check("[fe80::1%eth0]:1", "fe80::1%eth0", 1);
        check("마당.example", "마당.example", 9009);
    }

    #[test]
    fn what_is_wrong_is_said() {
        #[track_caller]
        fn check(text: &str, expected: AddressError) {
            assert_eq!(text.parse::<Address>(), Err(expected));
        }
        check("", AddressError::NoHost);
        check(":9009", AddressError::NoHost);
        check("host:", AddressError::BadPort(String::new()));
        check("host:0", AddressError::BadPort("0".into()));
        check("host:70000", AddressError::BadPort("70000".into()));
        check("[::1", AddressError::BadIpv6("[::1".into()));
        check("[::1]9009", AddressError::BadIpv6("[::1]9009".into()));
        check("[host]:1", AddressError::BadIpv6("[host]:1".into()));
        check("http://host:9998/", AddressError::BadHost("http://host:9998/".into()));
        check("1:2:3", AddressError::BadHost("1:2:3".into()));
        check("two words", AddressError::BadHost("two words".into()));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["localhost:9009", "[::1]:9009", "[fe80::1%eth0]:1"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.into()));
        }
    }
}
