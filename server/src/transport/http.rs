//! The part of HTTP/1.1 that the web port needs (RFC 9110, RFC 9112): it reads one request head
//! and writes one response; then the connection closes or becomes WebSocket. Works on bytes and
//! values only; sockets are handled elsewhere.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hasher},
};

pub mod download;
pub mod origin;
pub(crate) mod percent;
pub mod proxy;
pub(crate) mod room;

/// The maximum length of a head, in bytes.
pub(crate) const HEAD_BYTES: usize = 8 * 1_024;

/// The maximum number of headers.
const HEADERS: usize = 64;

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusCode {
    Ok,
    NotModified,
    TemporaryRedirect,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    LengthRequired,
    ContentTooLarge,
    UriTooLong,
    UnsupportedMediaType,
    ExpectationFailed,
    UpgradeRequired,
    TooManyRequests,
    HeadersTooLarge,
    ServiceUnavailable,
}

/// A rejected request, with the reason as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
    /// Headers of the response, each ending in CR LF.
    headers: String,
}

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// The path of the target, without the query.
    pub(crate) path: String,
    /// The query of the target, without the question mark.
    query: String,
    /// The authority of the target, which few requests have: it stands for the Host header.
    authority: Option<String>,
    /// Whether the request uses HTTP/1.1 rather than an older version.
    pub(crate) is_current: bool,
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Other,
}

impl Rejection {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Rejection {
        Rejection { status, reason: reason.into(), headers: status.headers().into() }
    }

    /// The same with other headers than those of its status; each ends in CR LF.
    pub(crate) fn with_headers(self, headers: impl Into<String>) -> Rejection {
        Rejection { headers: headers.into(), ..self }
    }

    /// The body of the response, one line.
    fn body(&self) -> String {
        format!("{}: {}\n", self.status.line(), self.reason)
    }
}

impl Method {
    /// Whether it only asks for something.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

impl Head {
    /// Parses the head at the start of `bytes` and returns it with its length; `None` if more
    /// must be read first.
    ///
    /// # Errors
    ///
    /// What is wrong with the head, or that it is too long.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Rejection> {
        let mut headers = vec![httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES => length,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES => return Ok(None),
            Ok(_) if request.path.is_none() => {
                return Err(Rejection::new(
                    StatusCode::UriTooLong,
                    "the request target is too long",
                ));
            }
            Ok(_) => {
                let reason = format!("the request head has more than {HEAD_BYTES} bytes");
                return Err(Rejection::new(StatusCode::HeadersTooLarge, reason));
            }
            Err(httparse::Error::TooManyHeaders) => {
                let reason = format!("the request has more than {HEADERS} headers");
                return Err(Rejection::new(StatusCode::HeadersTooLarge, reason));
            }
            Err(error) => return Err(Rejection::new(StatusCode::BadRequest, error.to_string())),
        };
        let bad = |reason| Rejection::new(StatusCode::BadRequest, reason);
        let method = match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            _ => Method::Other,
        };
        let target = request.path.unwrap_or_default();
        let (path, query) =
            path_of(target).ok_or_else(|| bad("the request target is not a path"))?;
        let is_current = request.version == Some(1);
        let headers = request
            .headers
            .iter()
            .map(|header| {
                // Some programs send names in a legacy encoding, in headers that are not used
                // here.
                let value = String::from_utf8_lossy(header.value);
                (header.name.to_owned(), value.trim().to_owned())
            })
            .collect();
        let (path, query) = (path.to_owned(), query.to_owned());
        let authority = target
            .split_once("://")
            .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned());
        let head = Head { method, path, query, authority, is_current, headers };
        if is_current && head.values("Host").count() != 1 {
            return Err(bad("exactly one Host header is required"));
        }
        Ok(Some((head, length)))
    }

    /// The values of all headers with this name, in order.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// The value of the only header with this name; `None` if there is none or more than one.
    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The elements of a list that may be spread over several headers (RFC 9110 section 5.6.1).
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).flat_map(|value| value.split(',')).map(str::trim)
    }

    /// What the request calls the server: the authority of its target, and its Host header.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = &str> {
        self.authority.as_deref().into_iter().chain(self.values("Host"))
    }

    /// The last segment of the path, which names the resource. Any prefix may precede it.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The target of the request: its path and its query.
    pub(crate) fn target(&self) -> String {
        match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// Whether the query has this word (`?explain&raw` has two).
    pub(crate) fn asks_for(&self, word: &str) -> bool {
        self.query.split('&').any(|other| other == word)
    }

    /// The value of a word in the query (`?history=20`).
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let values = self.query.split('&').filter_map(|pair| pair.split_once('='));
        values.filter(|(other, _)| *other == name).map(|(_, value)| value).next()
    }

    /// The last but one segment of the path; empty if there is none.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }
}

/// The path and the query of a request's target (RFC 9112 section 3.2).
fn path_of(target: &str) -> Option<(&str, &str)> {
    let path = match target.split_once("://") {
        Some(("http" | "https", rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => target,
    };
    let path = path.split('#').next().unwrap_or_default();
    path.starts_with('/').then(|| path.split_once('?').unwrap_or((path, "")))
}

impl StatusCode {
    /// The status number, in digits.
    pub(crate) fn code(self) -> &'static str {
        &self.line()[..3]
    }

    fn line(self) -> &'static str {
        match self {
            StatusCode::Ok => "200 OK",
            StatusCode::NotModified => "304 Not Modified",
            StatusCode::TemporaryRedirect => "307 Temporary Redirect",
            StatusCode::BadRequest => "400 Bad Request",
            StatusCode::Forbidden => "403 Forbidden",
            StatusCode::NotFound => "404 Not Found",
            StatusCode::MethodNotAllowed => "405 Method Not Allowed",
            StatusCode::RequestTimeout => "408 Request Timeout",
            StatusCode::Conflict => "409 Conflict",
            StatusCode::LengthRequired => "411 Length Required",
            StatusCode::ContentTooLarge => "413 Content Too Large",
            StatusCode::UnsupportedMediaType => "415 Unsupported Media Type",
            StatusCode::ExpectationFailed => "417 Expectation Failed",
            StatusCode::UriTooLong => "414 URI Too Long",
            StatusCode::UpgradeRequired => "426 Upgrade Required",
            StatusCode::TooManyRequests => "429 Too Many Requests",
            StatusCode::HeadersTooLarge => "431 Request Header Fields Too Large",
            StatusCode::ServiceUnavailable => "503 Service Unavailable",
        }
    }

    /// Extra headers for this status.
    fn headers(self) -> &'static str {
        match self {
            StatusCode::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            StatusCode::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            StatusCode::TooManyRequests | StatusCode::ServiceUnavailable => "Retry-After: 10\r\n",
            _ => "",
        }
    }
}

/// The type of texts.
pub(crate) const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The policy for pages from this server: they may run this server's scripts and styles and
/// connect to this server. `'self'` includes WebSocket (CSP 3 section 6.7.2.8).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// A complete response, after which the connection closes. HEAD gets no body.
pub(crate) fn response(
    status: StatusCode,
    content_type: &str,
    body: &[u8],
    method: Method,
) -> Vec<u8> {
    response_with(status, "", content_type, body, method)
}

/// A complete response with extra headers, each ending in CR LF.
fn response_with(
    status: StatusCode,
    headers: &str,
    content_type: &str,
    body: &[u8],
    method: Method,
) -> Vec<u8> {
    let mut head = begin_head(status);
    write!(
        head,
        "{headers}Content-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-cache\r\nContent-Security-Policy: {POLICY}\r\n\r\n",
        body.len(),
    )
    .expect("a String takes all");
    let mut response = head.into_bytes();
    if method != Method::Head {
        response.extend_from_slice(body);
    }
    response
}

/// What the head of every response begins with.
fn begin_head(status: StatusCode) -> String {
    let connection = if status == StatusCode::UpgradeRequired { "close, Upgrade" } else { "close" };
    format!(
        "HTTP/1.1 {}\r\nDate: {}\r\nServer: Madang\r\nConnection: {connection}\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
        status.line(),
        jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT"),
    )
}

/// A file, or 304 if the client's copy is current (RFC 9110 section 13.1.2).
pub(crate) fn file(head: &Head, content_type: &str, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    let tag = format!("\"{:016x}\"", hasher.finish());
    // A proxy that compresses the body turns the tag into a weak one.
    let is_known = |known: &str| known == "*" || known.trim_start_matches("W/") == tag;
    let has_it = head.list("If-None-Match").any(is_known);
    let (status, method) = match has_it {
        true => (StatusCode::NotModified, Method::Head),
        false => (StatusCode::Ok, head.method),
    };
    response_with(status, &format!("ETag: {tag}\r\n"), content_type, bytes, method)
}

/// A temporary redirect to `location`. Browsers keep the fragment of a link (RFC 9110 section
/// 10.2.2).
pub(crate) fn redirect(location: &str, method: Method) -> Vec<u8> {
    let header = format!("Location: {location}\r\n");
    let body = format!("This port uses https and wss: {location}\n");
    let content_type = "text/plain; charset=utf-8";
    response_with(StatusCode::TemporaryRedirect, &header, content_type, body.as_bytes(), method)
}

/// Whether `host` consists of a host and an optional port.
pub(crate) fn is_authority(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(fits)
}

/// The response to a rejected request.
pub(crate) fn refusal(refusal: &Rejection, method: Method) -> Vec<u8> {
    let Rejection { status, headers, .. } = refusal;
    response_with(*status, headers, PLAIN_TEXT, refusal.body().as_bytes(), method)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: &str) -> Head {
        let parsed = Head::parse(request.as_bytes());
        parsed.expect("it is right").expect("it is whole").0
    }

    #[test]
    fn a_head_is_parsed_and_the_rest_is_left() {
        let request = "GET /a/b/ws?x=/y HTTP/1.1\r\nHost: h\r\nA: 1, 2\r\na:  3 \r\n\r\nrest";
        let (head, length) =
            Head::parse(request.as_bytes()).expect("it is right").expect("it is whole");
        assert_eq!(&request[length..], "rest");
        assert_eq!((head.method, head.is_current, head.name()), (Method::Get, true, "ws"));
        assert_eq!(head.values("A").collect::<Vec<_>>(), ["1, 2", "3"]);
        assert_eq!(head.list("A").collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!((head.value("Host"), head.value("A"), head.value("B")), (Some("h"), None, None));
        for length in 0..length {
            assert_eq!(Head::parse(&request.as_bytes()[..length]), Ok(None), "{length} bytes");
        }
    }

    #[test]
    fn the_last_segment_of_the_path_names_the_resource() {
        #[track_caller]
        fn check(target: &str, name: &str) {
            assert_eq!(head(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).name(), name);
        }
        check("/", "");
        check("/chat/", "");
        check("/chat", "chat");
        check("/?a=/b", "");
        check("/prefix/of/any/length/healthz", "healthz");
        check("http://host/x/ws", "ws");
        check("http://host", "");
    }

    #[test]
    fn bad_requests_get_the_right_status() {
        #[track_caller]
        fn check(request: &str, expected: StatusCode) {
            let error = Head::parse(request.as_bytes()).expect_err("it is wrong");
            assert_eq!(error.status, expected, "{}", error.reason);
        }
        let get = "GET / HTTP/1.1\r\nHost: h\r\n";
        check("hello\r\n\r\n", StatusCode::BadRequest);
        check("\u{16}\u{3}\u{1}", StatusCode::BadRequest);
        check("GET / HTTP/2.0\r\n\r\n", StatusCode::BadRequest);
        check("GET / HTTP/1.1\r\n\r\n", StatusCode::BadRequest);
        check(&format!("{get}Host: other\r\n\r\n"), StatusCode::BadRequest);
        check(&format!("{get}A b: c\r\n\r\n"), StatusCode::BadRequest);
        check("GET * HTTP/1.1\r\nHost: h\r\n\r\n", StatusCode::BadRequest);
        check("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", StatusCode::BadRequest);
        check(&format!("GET /{}", "x".repeat(HEAD_BYTES)), StatusCode::UriTooLong);
        check(&format!("{get}A: {}", "x".repeat(HEAD_BYTES)), StatusCode::HeadersTooLarge);
        check(&format!("{get}{}\r\n", "A: b\r\n".repeat(HEADERS)), StatusCode::HeadersTooLarge);
        // 64 headers are allowed.
        head(&format!("{get}{}\r\n", "A: b\r\n".repeat(HEADERS - 1)));
        head("GET / HTTP/1.0\r\n\r\n");
    }

    #[test]
    fn a_file_is_sent_again_only_when_it_has_changed() {
        let ask = |known: &str, bytes: &[u8]| {
            let request = format!("GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: {known}\r\n\r\n");
            String::from_utf8(file(&head(&request), "text/plain", bytes)).expect("it is text")
        };
        let first = ask("\"other\"", b"hi");
        assert!(
            first.starts_with("HTTP/1.1 200 OK\r\n") && first.ends_with("\r\n\r\nhi"),
            "{first}"
        );
        let (_, rest) = first.split_once("\r\nETag: ").expect("it has a tag");
        let (tag, _) = rest.split_once("\r\n").expect("the tag ends");
        for known in [tag, "*", &format!("W/{tag}"), &format!("\"other\", {tag}")] {
            let again = ask(known, b"hi");
            assert!(again.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{again}");
            assert!(again.contains(&format!("\r\nETag: {tag}\r\n")), "{again}");
            assert!(again.ends_with("\r\n\r\n"), "{again}");
        }
        assert!(ask(tag, b"ho").ends_with("\r\n\r\nho"));
    }

    #[test]
    fn a_response_states_its_length_and_closes() {
        let answer = response(StatusCode::Ok, "text/plain", b"hi", Method::Get);
        let answer = String::from_utf8(answer).expect("it is text");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Length: 2\r\n"), "{answer}");
        assert!(answer.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{answer}");
        assert!(answer.contains("\r\nReferrer-Policy: no-referrer\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
        let head = response(StatusCode::Ok, "text/plain", b"hi", Method::Head);
        assert!(head.ends_with(b"\r\n\r\n"));
        let refused = refusal(&Rejection::new(StatusCode::UpgradeRequired, "why"), Method::Get);
        let refused = String::from_utf8(refused).expect("it is text");
        assert!(refused.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{refused}");
        assert!(refused.ends_with("426 Upgrade Required: why\n"), "{refused}");
    }
}
