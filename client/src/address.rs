//! Where a server is, and how to reach it and which room to enter: `HOST`, `HOST:PORT`,
//! `[IPv6]:PORT`, `madang://HOST/ROOM`, or the link of a room, `http://HOST:PORT/#KEY`.

use std::{fmt, net::Ipv6Addr, path::Path, str::FromStr};

use madang_protocol::{
    limits::{LINES_PORT, TLS_PORT},
    room::{NoKey, RoomKey},
};

/// A host by name or IP address, a port, and the room to enter there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// How to talk to the server.
    pub door: Door,
    /// The host; an IPv6 address has no brackets here.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
    /// The room to begin in, as `/join` takes it: a name, or `#` and a key.
    pub room: Option<String>,
    /// A file with certificates to trust in addition to the system's.
    pub ca: Option<Box<Path>>,
    /// Whether the port is the door's default because none was given.
    is_default_port: bool,
}

/// How to talk to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Lines over TCP.
    Lines,
    /// Lines over TLS.
    TlsLines,
    /// WebSocket, below a path that begins and ends with a slash.
    Web {
        /// The path.
        path: String,
        /// Whether to use TLS (`https`).
        tls: bool,
    },
}

impl Door {
    /// The default port.
    pub fn default_port(&self) -> u16 {
        match self {
            Door::Lines => LINES_PORT,
            Door::TlsLines => TLS_PORT,
            Door::Web { tls: false, .. } => 80,
            Door::Web { tls: true, .. } => 443,
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Door::TlsLines | Door::Web { tls: true, .. })
    }
}

/// Why a text is not an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The host is missing.
    #[error("the host is missing")]
    NoHost,
    /// The port is not a number between 1 and 65535.
    #[error("port `{0}` is not a number between 1 and 65535")]
    BadPort(String),
    /// The brackets are not closed, or hold something other than an IPv6 address.
    #[error("`{0}` is not an IPv6 address; write it as [::1]:{LINES_PORT}")]
    BadIpv6(String),
    /// It has a character that no host name has.
    #[error("`{0}` is not a host; write HOST or HOST:PORT, as in localhost:{LINES_PORT}")]
    BadHost(String),
    /// It is a link with a scheme that is not for chat.
    #[error("`{0}://` is not a link to a chat; use madang://HOST/ROOM, http://HOST/#KEY or HOST")]
    BadScheme(String),
    /// The text after the `#` is not a key.
    #[error(transparent)]
    BrokenLink(#[from] NoKey),
    /// The text after the host is not understood.
    #[error("failed to read `{0}` in the link; write madang://HOST/ROOM or http://HOST/#KEY")]
    BadPath(String),
}

impl Address {
    fn new(door: Door, host: String, port: Option<u16>, room: Option<String>) -> Address {
        let is_default_port = port.is_none();
        let port = port.unwrap_or(door.default_port());
        Address { door, host, port, room, ca: None, is_default_port }
    }

    /// The same address with its lines over TLS, at the port for TLS if none was given. `None`
    /// for the web door, whose links say themselves whether they are encrypted.
    pub fn over_tls(self) -> Option<Address> {
        match self.door {
            Door::Lines | Door::TlsLines => {
                let port = Some(self.port).filter(|_| !self.is_default_port);
                let address = Address::new(Door::TlsLines, self.host, port, self.room);
                Some(Address { ca: self.ca, ..address })
            }
            Door::Web { tls, .. } => tls.then_some(self),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let (host, port) = host_and_port(text)?;
            return Ok(Address::new(Door::Lines, host, port, None));
        };
        let (rest, key) = match rest.split_once('#') {
            Some((rest, key)) => (rest, Some(key).filter(|key| !key.is_empty())),
            None => (rest, None),
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path),
            None => (rest, ""),
        };
        let key = key.map(|key| RoomKey::find(&format!("#{key}")).ok_or(NoKey)).transpose()?;
        let key = key.map(|key| format!("#{}", key.show()));
        let bad_path = || AddressError::BadPath(path.to_owned());
        match scheme.to_ascii_lowercase().as_str() {
            "madang" => {
                let (host, port) = host_and_port(authority)?;
                let name = percent_decoded(path.trim_end_matches('/')).ok_or_else(bad_path)?;
                let room = match (key, name) {
                    (key, name) if name.is_empty() => key,
                    (None, name) if !name.contains('/') => Some(name),
                    _ => return Err(bad_path()),
                };
                Ok(Address::new(Door::Lines, host, port, room))
            }
            scheme @ ("http" | "https") => {
                let tls = scheme == "https";
                let (host, port) = host_and_port(authority)?;
                if path.contains(|c: char| c.is_whitespace() || c.is_control() || c == '?') {
                    return Err(bad_path());
                }
                let slash = if path.is_empty() || path.ends_with('/') { "" } else { "/" };
                let door = Door::Web { path: format!("/{path}{slash}"), tls };
                Ok(Address::new(door, host, port, key))
            }
            other => Err(AddressError::BadScheme(other.to_owned())),
        }
    }
}

/// Reads `HOST`, `HOST:PORT`, `[IPv6]`, `[IPv6]:PORT` or a bare IPv6 address.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), AddressError> {
    if is_ipv6(text) {
        return Ok((text.to_owned(), None));
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
        None => None,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(AddressError::BadPort(port.to_owned())),
            Ok(number) => Some(number),
        },
    };
    Ok((host.to_owned(), port))
}

/// Whether `text` is an IPv6 address, perhaps with a zone (`fe80::1%eth0`, RFC 4007 §11).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<Ipv6Addr>().is_ok()
        && zone.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Decodes percent-encoded text such as `%EB%A7%88` (RFC 3986 §2.1).
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Leaves the room out: its key must not appear in messages that others may read.
impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({:?}, {self})", self.door)
    }
}

/// The host and the port, for error messages.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port, .. } = self;
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

    const KEY: &str = "7zzzz-0abcd-efghj-kmnpq-rstvwx";

    #[track_caller]
    fn check(text: &str, door: Door, host: &str, port: u16, room: Option<&str>) {
        let address: Address = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = (&address.door, &*address.host, address.port, address.room.as_deref());
        assert_eq!(found, (&door, host, port, room), "{text}");
    }

    #[test]
    fn addresses_are_read() {
        #[track_caller]
        fn check(text: &str, host: &str, port: u16) {
            super::tests::check(text, Door::Lines, host, port, None);
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
    fn tls_has_a_port_of_its_own() {
        #[track_caller]
        fn check(text: &str, expected: Option<(Door, u16)>) {
            let address: Address = text.parse().expect("an address");
            let over_tls = address.over_tls();
            assert_eq!(over_tls.map(|address| (address.door, address.port)), expected, "{text}");
        }
        check("chat", Some((Door::TlsLines, 9010)));
        check("chat:9009", Some((Door::TlsLines, 9009)));
        check("madang://[::1]/room", Some((Door::TlsLines, 9010)));
        check("https://chat/a", Some((Door::Web { path: "/a/".into(), tls: true }, 443)));
        check("http://chat", None);
    }

    #[test]
    fn links_are_read() {
        let lines = Door::Lines;
        check("madang://chat", lines.clone(), "chat", 9009, None);
        check("madang://chat/", lines.clone(), "chat", 9009, None);
        check("MADANG://[::1]:9010/수학", lines.clone(), "::1", 9010, Some("수학"));
        check("madang://chat/%EC%88%98%ED%95%99/", lines.clone(), "chat", 9009, Some("수학"));
        let (key, room) = (KEY, format!("#{KEY}"));
        let room = Some(&*room);
        check(&format!("madang://chat/#{key}"), lines, "chat", 9009, room);

        let web = |path: &str, tls| Door::Web { path: path.into(), tls };
        let host = "192.168.0.12";
        for tail in ["", ".", ">", "입니다", " 로 오세요", "%EC%9E%85"] {
            let link = format!("http://{host}:9998/#{key}{tail}");
            check(&link, web("/", false), host, 9998, room);
        }
        check("http://chat", web("/", false), "chat", 80, None);
        let link = format!("https://chat.example/a/b/#{key}");
        check(&link, web("/a/b/", true), "chat.example", 443, room);
        check("https://chat.example/a#", web("/a/", true), "chat.example", 443, None);
    }

    #[test]
    fn invalid_addresses_are_refused_with_the_reason() {
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
        check("host/room", AddressError::BadHost("host/room".into()));
        check("1:2:3", AddressError::BadHost("1:2:3".into()));
        check("two words", AddressError::BadHost("two words".into()));
        check("ftp://host", AddressError::BadScheme("ftp".into()));
        check("http:///", AddressError::NoHost);
        check("http://host/#wrong", AddressError::BrokenLink(NoKey));
        check("madang://host/#7zzzz-0abcd", AddressError::BrokenLink(NoKey));
        check(&format!("http://host/#{KEY}x"), AddressError::BrokenLink(NoKey));
        check("madang://host/a/b", AddressError::BadPath("a/b".into()));
        check(&format!("madang://host/a#{KEY}"), AddressError::BadPath("a".into()));
        check("madang://host/%ff", AddressError::BadPath("%ff".into()));
        check("madang://host/%4", AddressError::BadPath("%4".into()));
        check("http://host/a b", AddressError::BadPath("a b".into()));
    }

    #[test]
    fn the_text_form_can_be_parsed_again_and_leaves_the_key_out() {
        for text in ["localhost:9009", "[::1]:9009", "[fe80::1%eth0]:1"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.into()));
        }
        let address: Address = format!("madang://chat/#{KEY}").parse().expect("a link");
        assert!(!format!("{address} {address:?}").contains("0abcd"));
    }
}
