//! Which web pages may open a chat here. A browser tells the origin of the page
//! (RFC 6454); programs that are no browser tell none, and could tell any.

use std::{fmt, net::IpAddr, str::FromStr};

use super::{Head, Refusal, Status};

/// Where a web page comes from, or `null` if it comes from nowhere (a file).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Of a file, or of a page whose browser does not tell.
    Null,
    /// Of a server.
    Server {
        /// Whether it is https and not http.
        is_secure: bool,
        /// Host, in lower case; an IPv6 address with its brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

/// The text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin, such as https://chat.example.org or http://192.168.0.5:9998, nor null")]
pub struct NoOrigin;

/// The address of the page as people see it: an origin, and the path that a proxy
/// puts before ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// The origin of the page.
    pub origin: Origin,
    /// The path, which begins and ends with a slash.
    pub path: String,
}

/// The text is no address of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the address of a page, such as https://chat.example.org/ or https://example.org/chat/"
)]
pub struct NoPublicUrl;

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Origin, NoOrigin> {
        if text == "null" {
            return Ok(Origin::Null);
        }
        let (scheme, authority) = text.split_once("://").ok_or(NoOrigin)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(NoOrigin),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority).ok_or(NoOrigin)?;
        let port = port.unwrap_or(default_port(is_secure));
        Ok(Origin::Server { is_secure, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Null => formatter.write_str("null"),
            Origin::Server { is_secure, host, port } => {
                let scheme = if *is_secure { "https" } else { "http" };
                write!(formatter, "{scheme}://{host}")?;
                match *port == default_port(*is_secure) {
                    true => Ok(()),
                    false => write!(formatter, ":{port}"),
                }
            }
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
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        if !is_plain { Err(NoPublicUrl) } else { Ok(PublicUrl { origin, path }) }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.path)
    }
}

/// Whether a page may open a chat: one whose origin is `allowed`, or who was loaded
/// from this server under a name that nobody else can give it. A name of the DNS
/// is not such: whoever owns it may let it lead here, and then his page's origin
/// and our host are the same.
///
/// # Errors
///
/// The refusal, with the flag that would allow it.
pub(crate) fn check(head: &Head, allowed: &[Origin], own_name: &str) -> Result<(), Refusal> {
    let mut origins = head.values("Origin");
    let Some(text) = origins.next() else { return Ok(()) };
    let origin: Result<Origin, NoOrigin> = text.parse();
    let (Ok(origin), None) = (origin, origins.next()) else {
        return Err(Refusal::new(Status::BadRequest, "there must be one Origin at most"));
    };
    if allowed.contains(&origin) || is_own(&origin, head.value("Host"), own_name) {
        return Ok(());
    }
    let reason = format!(
        "a page from {origin} may not open a chat here; \
         who runs the server may allow it: --allow-origin {origin}"
    );
    Err(Refusal::new(Status::Forbidden, reason))
}

fn is_own(origin: &Origin, host: Option<&str>, own_name: &str) -> bool {
    let Origin::Server { is_secure, host: page_host, port: page_port } = origin else {
        return false;
    };
    let Some((host, port)) = host.and_then(split_port) else { return false };
    let same = host == *page_host && port.unwrap_or(default_port(*is_secure)) == *page_port;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = bare.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.eq_ignore_ascii_case(own_name)
        || host.ends_with(".local");
    same && local
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// Host and port of an authority; `None` if it is none.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let is_v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match is_v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }
    };
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_and_shown() {
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
        check("http://[::1]:9998", Some("http://[::1]:9998"));
        check("http://192.168.0.5:9998", Some("http://192.168.0.5:9998"));
        for wrong in [
            "",
            "host",
            "ftp://host",
            "http://",
            "http://a/b",
            "http://a b",
            "http://a:x",
            "http://[::1",
            "http://a:70000",
            "http://é",
            "http://a@b",
            "http://\u{1b}[31m",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn public_urls_are_read_and_shown() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let url = text.parse::<PublicUrl>().ok();
            assert_eq!(url.map(|url| url.to_string()).as_deref(), expected, "{text}");
        }
        check("https://chat.example.org", Some("https://chat.example.org/"));
        check("https://example.org:443/chat", Some("https://example.org/chat/"));
        check("http://[::1]:9998/a/b/", Some("http://[::1]:9998/a/b/"));
        for wrong in ["", "/chat/", "chat.example.org", "ftp://a/", "http://a/?b", "http://a/#b"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_page_may_open_a_chat_where_it_comes_from_or_where_it_is_allowed() {
        #[track_caller]
        fn check(origin: &str, host: &str, expected: Option<Status>) {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
            let (head, _) =
                Head::parse(head.as_bytes()).expect("it is right").expect("it is whole");
            let allowed =
                ["https://chat.example.org", "http://a.example:81"].map(|origin| origin.parse());
            let allowed: Vec<Origin> = allowed.into_iter().flatten().collect();
            let refused = super::check(&head, &allowed, "Classroom");
            assert_eq!(refused.err().map(|refusal| refusal.status), expected, "{origin} {host}");
        }
        const NO: Option<Status> = Some(Status::Forbidden);
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
        check("file://", "localhost:9998", Some(Status::BadRequest));
    }

    #[test]
    fn who_tells_no_origin_is_no_browser() {
        let head = b"GET / HTTP/1.1\r\nHost: any.example\r\n\r\n";
        let (head, _) = Head::parse(head).expect("it is right").expect("it is whole");
        assert_eq!(super::check(&head, &[], ""), Ok(()));
    }

    #[test]
    fn a_refusal_names_the_flag() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://A.example:80\r\n\r\n";
        let (head, _) = Head::parse(head).expect("it is right").expect("it is whole");
        let refusal = super::check(&head, &[], "").expect_err("it is refused");
        assert!(refusal.reason.ends_with("--allow-origin http://a.example"), "{}", refusal.reason);
    }
}
