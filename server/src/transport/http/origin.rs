//! Which web pages may connect to the chat. A browser sends the origin of the page (RFC 6454);
//! other programs send none, or any.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::{Head, Rejection, StatusCode};

/// The maximum length of the origins that a refusal repeats, in bytes; a browser's are shorter. Each
/// byte may take six in the refusal: percent-encoded, in the sentence and in the flag.
const SHOWN_BYTES: usize = 1_024;

/// The most bytes of the name of a host (RFC 1035 section 2.3.4).
const HOST_BYTES: usize = 253;

/// The origin of a web page, as sent by a browser or another program. Its text form needs no
/// quoting in any shell, and `--allow-origin` reads it back as the same origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `null`: a local file, or a page whose browser hides its origin.
    Null,
    /// A host, with the scheme used to load the page.
    Host {
        /// In lower case: `https`, `ws`, `capacitor`, `chrome-extension`.
        scheme: String,
        /// In lower case; an IPv6 address with its brackets.
        host: String,
        /// Always present if the scheme has a default port.
        port: Option<u16>,
    },
    /// Anything else a program may send. It is compared as written, with characters
    /// percent-encoded that a shell, a list or a terminal would interpret.
    Other(String),
}

/// The text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "empty: give an origin, such as https://chat.example.org or http://192.168.0.5:9998, or null"
)]
pub struct NoOrigin;

/// The public address of the page: an origin, and the path prefix that a proxy adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// The origin of the page.
    pub origin: Origin,
    /// The path; it starts and ends with a slash.
    pub path: String,
}

/// The text is not the address of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the address of a page, such as https://chat.example.org/ or https://example.org/chat/"
)]
pub struct NoPublicUrl;

impl Origin {
    /// The host of the page, if it has one.
    pub(crate) fn host(&self) -> Option<Host> {
        match self {
            Origin::Host { host, .. } => Some(Host(host.clone())),
            Origin::Null | Origin::Other(_) => None,
        }
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    /// Accepts any text that is not blank, so that whatever a client sends can be allowed.
    fn from_str(text: &str) -> Result<Origin, NoOrigin> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NoOrigin);
        }
        Ok(parse_file(text)
            .or_else(|| parse_host(text))
            .unwrap_or_else(|| Origin::Other(encode(text))))
    }
}

/// `null`, or a file: `file://`, with or without a path.
fn parse_file(text: &str) -> Option<Origin> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_file = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("file"));
    (is_file || text == "null").then_some(Origin::Null)
}

/// The origin of a host. The rest of a URL is ignored.
fn parse_host(text: &str) -> Option<Origin> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = split_port(authority).filter(|_| is_scheme)?;
    let port = port.or(default_port(&scheme));
    Some(Origin::Host { scheme, host, port })
}

/// Percent-encodes everything but letters, digits and characters that are safe in every shell.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        // A leading hyphen would look like a flag.
        let is_plain =
            byte.is_ascii_alphanumeric() || b"._:/@%+".contains(&byte) || (byte == b'-' && at > 0);
        match is_plain {
            true => encoded.push(byte.into()),
            false => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Null => formatter.write_str("null"),
            Origin::Host { scheme, host, port } => {
                write!(formatter, "{scheme}://{host}")?;
                match port {
                    Some(port) if Some(*port) != default_port(scheme) => {
                        write!(formatter, ":{port}")
                    }
                    _ => Ok(()),
                }
            }
            Origin::Other(text) => formatter.write_str(text),
        }
    }
}

impl FromStr for PublicUrl {
    type Err = NoPublicUrl;

    fn from_str(text: &str) -> Result<PublicUrl, NoPublicUrl> {
        let after_scheme = text.find("://").ok_or(NoPublicUrl)? + 3;
        let end = text[after_scheme..].find('/').map_or(text.len(), |at| after_scheme + at);
        let origin = text[..end].parse().map_err(|NoOrigin| NoPublicUrl)?;
        let mut path = text[end..].to_owned();
        if !path.ends_with('/') {
            path.push('/');
        }
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        match &origin {
            Origin::Host { scheme, .. } if is_plain && ["http", "https"].contains(&&**scheme) => {
                Ok(PublicUrl { origin, path })
            }
            _ => Err(NoPublicUrl),
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.path)
    }
}

/// Whether a page may connect: its origin is `allowed`, or it was loaded from this server under
/// a name that nobody else can control. DNS names do not qualify: their owner could point them
/// at this server, and then the page's origin and our host would match (DNS rebinding). An
/// empty origin counts as none, since no browser sends one.
/// # Errors
///
/// The rejection, which names the flags that would allow the page.
pub(crate) fn check(head: &Head, allowed: &[Origin], own_name: &str) -> Result<(), Rejection> {
    let host = head.value("Host");
    let origins = head.values("Origin").filter_map(|text| text.parse().ok());
    let refused: Vec<Origin> = origins
        .filter(|origin| !allowed.contains(origin) && !is_own(origin, host, own_name))
        .collect();
    let Some(origin) = refused.first() else { return Ok(()) };
    let bytes: usize = head.values("Origin").map(str::len).sum();
    if bytes > SHOWN_BYTES {
        let reason = format!("pages with an Origin of {bytes} bytes may not chat here");
        return Err(Rejection::new(StatusCode::Forbidden, reason));
    }
    let mut reason =
        format!("pages from {origin} may not chat here; the operator can allow them with:");
    for origin in &refused {
        write!(reason, " --allow-origin {origin}").expect("a string takes everything");
    }
    Err(Rejection::new(StatusCode::Forbidden, reason))
}

fn is_own(origin: &Origin, host: Option<&str>, own_name: &str) -> bool {
    let Origin::Host { scheme, host: page_host, port: page_port } = origin else {
        return false;
    };
    let Some((host, port)) = host.and_then(split_port) else { return false };
    let same = host == *page_host && port.or(default_port(scheme)) == *page_port;
    same && is_local(&host, own_name)
}

/// Whether nobody else can control what a host name, in lower case, stands for.
fn is_local(host: &str, own_name: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.eq_ignore_ascii_case(own_name)
        || host.ends_with(".local")
}

/// The host of an authority, in lower case and without its port, if a DNS name or address can
/// look like that.
pub(crate) fn host_of(authority: &str) -> Option<String> {
    split_port(authority).map(|(host, _)| host)
}

/// Whether a request may name the server by this host, as returned by [`host_of`]: nobody else
/// can control it, or it is one of `allowed`. A page whose owner points its own name at this
/// server (DNS rebinding) sends that name.
pub(crate) fn is_known_host(host: &str, allowed: &[Host], own_name: &str) -> bool {
    is_local(host, own_name) || allowed.iter().any(|allowed| allowed.0 == host)
}

/// The name of a host, as in `--allow-host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

/// The text is not the name of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a host, such as chat.example.org, without a scheme, port or path")]
pub struct NoHost;

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Host, NoHost> {
        match split_port(text) {
            Some((host, None)) => Ok(Host(host)),
            _ => Err(NoHost),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Host and port of an authority; `None` if it is not one.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let is_v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    // A name may be written as complete: `localhost.`
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_host = match is_v6 {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => {
            (1..=HOST_BYTES).contains(&host.len())
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }
    };
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_parsed_and_formatted() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let origin = text.parse::<Origin>().ok();
            assert_eq!(origin.map(|origin| origin.to_string()).as_deref(), expected, "{text}");
        }
        check("null", Some("null"));
        check("http://Host", Some("http://host"));
        check("http://host:80", Some("http://host"));
        check("https://host:443/", Some("https://host"));
        check("https://host:80", Some("https://host:80"));
        check("https://host.:80", Some("https://host:80"));
        check("https://host/chat/?a#b", Some("https://host"));
        check("http://[::1]:9998", Some("http://[::1]:9998"));
        check("http://192.168.0.5:9998", Some("http://192.168.0.5:9998"));
        check("ws://192.168.0.5:80", Some("ws://192.168.0.5"));
        check("capacitor://localhost", Some("capacitor://localhost"));
        check("chrome-extension://AbCd", Some("chrome-extension://abcd"));
        for file in ["file://", "FILE:///home/alice/index.html", "file:", "file://host/"] {
            check(file, Some("null"));
        }
        for blank in ["", " ", "\u{3000}"] {
            check(blank, None);
        }
        // Not origins, but some programs send them.
        check("example.org", Some("example.org"));
        check("http://", Some("http://"));
        check("http://a b, c", Some("http://a%20b%2C%20c"));
        check("http://a:70000", Some("http://a:70000"));
        check("http://[::1", Some("http://%5B::1"));
        check("http://a@b", Some("http://a@b"));
        check("--motd=x", Some("%2D-motd%3Dx"));
        check("http://\u{1b}[31m'$(x)", Some("http://%1B%5B31m%27%24%28x%29"));
    }

    #[test]
    fn public_urls_are_parsed_and_formatted() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let url = text.parse::<PublicUrl>().ok();
            assert_eq!(url.map(|url| url.to_string()).as_deref(), expected, "{text}");
        }
        check("https://chat.example.org", Some("https://chat.example.org/"));
        check("https://example.org:443/chat", Some("https://example.org/chat/"));
        check("http://[::1]:9998/a/b/", Some("http://[::1]:9998/a/b/"));
        let wrong = ["", "/chat/", "chat.example.org", "ftp://a/", "http://a/?b", "http://a/#b"];
        for wrong in wrong.into_iter().chain(["http://a?b/", "null", "file:///a/", "ws://a/"]) {
            check(wrong, None);
        }
    }

    #[test]
    fn a_page_may_connect_to_its_own_server_or_where_it_is_allowed() {
        #[track_caller]
        fn check(origin: &str, host: &str, expected: Option<StatusCode>) {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
            let (head, _) =
                Head::parse(head.as_bytes()).expect("it is right").expect("it is whole");
            let allowed =
                ["https://chat.example.org", "http://a.example:81"].map(|origin| origin.parse());
            let allowed: Vec<Origin> = allowed.into_iter().flatten().collect();
            let refused = super::check(&head, &allowed, "Classroom");
            assert_eq!(refused.err().map(|refusal| refusal.status), expected, "{origin} {host}");
        }
        const NO: Option<StatusCode> = Some(StatusCode::Forbidden);
        check("http://192.168.0.5:9998", "192.168.0.5:9998", None);
        check("http://[::1]:9998", "[::1]:9998", None);
        check("http://localhost:9998", "LOCALHOST:9998", None);
        check("https://localhost", "localhost", None);
        check("http://classroom:9998", "classroom:9998", None);
        check("http://teacher.local:9998", "teacher.local:9998", None);
        // A proxy may rewrite the host.
        check("https://chat.example.org", "backend:9998", None);
        check("http://a.example:81", "anything", None);

        check("http://192.168.0.6:9998", "192.168.0.5:9998", NO);
        check("http://localhost:9999", "localhost:9998", NO);
        check("http://localhost", "localhost:9998", NO);
        check("http://rebound.example:9998", "rebound.example:9998", NO);
        check("http://chat.example.org", "chat.example.org", NO);
        check("http://a.example", "a.example", NO);
        check("null", "localhost:9998", NO);
        check("file://", "localhost:9998", NO);

        // Any scheme: programs make up all kinds.
        check("ws://192.168.0.5:9998", "192.168.0.5:9998", None);
        check("wss://localhost", "localhost:443", None);
        check("capacitor://localhost", "localhost", None);
        check("capacitor://localhost", "localhost:9998", NO);
        check("chrome-extension://abcdef", "localhost:9998", NO);
        check("example.org", "localhost:9998", NO);
        check("192.168.0.5:9998", "192.168.0.5:9998", NO);
        // Empty: not sent by any browser.
        check("", "any.example", None);
    }

    #[test]
    fn a_request_without_an_origin_is_not_from_a_browser() {
        let head = b"GET / HTTP/1.1\r\nHost: any.example\r\n\r\n";
        let (head, _) = Head::parse(head).expect("it is right").expect("it is whole");
        assert_eq!(super::check(&head, &[], ""), Ok(()));
    }

    #[test]
    fn a_refusal_is_not_much_longer_than_the_request() {
        #[track_caller]
        fn check(origins: &[&[u8]], most_bytes: usize) {
            let lines = origins.iter().map(|origin| [b"Origin: ", *origin, b"\r\n"].concat());
            let lines: Vec<u8> = lines.flatten().collect();
            let head = [b"GET / HTTP/1.1\r\nHost: a\r\n", &*lines, b"\r\n"].concat();
            let (head, _) = Head::parse(&head).expect("it is right").expect("it is whole");
            let refusal = super::check(&head, &[], "").expect_err("it is refused");
            assert_eq!(refusal.status, StatusCode::Forbidden);
            assert!(refusal.reason.len() <= most_bytes, "{} bytes", refusal.reason.len());
        }
        check(&[&[0xFF; 340]], 100 + 6 * SHOWN_BYTES);
        check(&[&[0xFF; 8_000]], 100);
        check(&[&[b'"'; 600][..], &[b'"'; 600]], 100);
    }

    #[test]
    fn a_refusal_names_the_flag() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://A.example:80\r\n\r\n";
        let (head, _) = Head::parse(head).expect("it is right").expect("it is whole");
        let refusal = super::check(&head, &[], "").expect_err("it is refused");
        assert!(refusal.reason.ends_with("--allow-origin http://a.example"), "{}", refusal.reason);
    }
}
