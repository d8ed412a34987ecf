//! Responses about rooms: streams and refusals. No cache keeps them, and no proxy holds
//! them up. And what a request for a room says about its sender: the language.

use std::fmt::Write as _;

use madang_protocol::text::Lang;

use super::{Head, Method, Rejection, StatusCode, begin_head, origin::Origin};

/// What a browser that shows a response may do: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// The head of a stream, which ends with the connection. A page of `origin` may read it.
pub(crate) fn stream_head(media_type: &str, origin: Option<&Origin>) -> Vec<u8> {
    let mut headers = String::new();
    if let Some(origin) = origin {
        write!(headers, "Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n")
            .expect("a String takes all");
    }
    // nginx would collect a stream before it passes it on.
    headers.push_str("X-Accel-Buffering: no\r\n");
    room_head(StatusCode::Ok, &headers, &format!("{media_type}; charset=utf-8")).into_bytes()
}

/// A whole response with a text.
pub(crate) fn room_response(status: StatusCode, headers: &str, body: &str) -> Vec<u8> {
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    (room_head(status, &headers, super::PLAIN_TEXT) + body).into_bytes()
}

/// The response to a rejected request. To HEAD, it has no body (RFC 9110 section 9.3.2).
pub(crate) fn room_refusal(refusal: &Rejection, method: Method) -> Vec<u8> {
    let body = refusal.body();
    let mut response = room_response(refusal.status, &refusal.headers, &body);
    if method == Method::Head {
        response.truncate(response.len() - body.len());
    }
    response
}

fn room_head(status: StatusCode, headers: &str, content_type: &str) -> String {
    let mut head = begin_head(status);
    write!(
        head,
        "Content-Type: {content_type}\r\n{headers}Cache-Control: no-store\r\n\
         Content-Security-Policy: {POLICY}\r\n\r\n"
    )
    .expect("a String takes all");
    head
}

/// The language that a client prefers (RFC 9110 section 12.5.4), of those that the server
/// speaks.
pub(crate) fn preferred_lang(head: &Head) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for element in head.list("Accept-Language") {
        let (tag, quality) = weighted(element);
        let lang = match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "ko" => Lang::Ko,
            "en" => Lang::En,
            _ => continue,
        };
        if quality > best.map_or(0.0, |(best, _)| best) {
            best = Some((quality, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

/// Whether a client accepts this media type by name.
pub(crate) fn accepts(head: &Head, media_type: &str) -> bool {
    head.list("Accept")
        .map(weighted)
        .any(|(accepted, quality)| accepted.eq_ignore_ascii_case(media_type) && quality > 0.0)
}

/// An element of a list, and how much it is wanted (RFC 9110 section 12.4.2).
fn weighted(element: &str) -> (&str, f32) {
    let (value, parameters) = element.split_once(';').unwrap_or((element, ""));
    let quality = parameters.split(';').find_map(|parameter| {
        parameter.trim().strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse().ok()
    });
    (value.trim(), quality.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &str) -> Head {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        Head::parse(request.as_bytes()).expect("it is right").expect("it is whole").0
    }

    #[test]
    fn the_language_that_is_wanted_most_is_taken() {
        #[track_caller]
        fn check(wanted: &str, expected: Option<Lang>) {
            let head = head(&format!("Accept-Language: {wanted}\r\n"));
            assert_eq!(preferred_lang(&head), expected, "{wanted}");
        }
        check("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", Some(Lang::Ko));
        check("de, en;q=0.7, ko;q=0.3", Some(Lang::En));
        check("en;q=0.1, KO", Some(Lang::Ko));
        check("en, ko", Some(Lang::En));
        check("en;q=0, ko;q=0.001", Some(Lang::Ko));
        for other in ["", "de", "*", "en;q=0", "en;q=NaN", "en;q=-1"] {
            check(other, None);
        }
    }

    #[test]
    fn a_media_type_is_accepted_by_name() {
        #[track_caller]
        fn check(accept: &str, expected: bool) {
            let head = head(&format!("Accept: {accept}\r\n"));
            assert_eq!(accepts(&head, "text/event-stream"), expected, "{accept}");
        }
        check("text/event-stream", true);
        check("Text/Event-Stream; charset=utf-8", true);
        check("text/html, text/event-stream;q=0.5", true);
        check("text/event-stream;q=0", false);
        check("*/*", false);
        check("text/*", false);
        assert!(!accepts(&head(""), "text/event-stream"));
    }

    #[test]
    fn a_stream_is_neither_cached_nor_held_up() {
        let page = "https://example.org".parse().expect("an origin");
        let head = String::from_utf8(stream_head("text/event-stream", Some(&page)));
        let head = head.expect("it is ASCII");
        for header in [
            "HTTP/1.1 200 OK",
            "Connection: close",
            "Content-Type: text/event-stream; charset=utf-8",
            "Access-Control-Allow-Origin: https://example.org",
            "Vary: Origin",
            "X-Accel-Buffering: no",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
        ] {
            assert_eq!(head.lines().filter(|line| *line == header).count(), 1, "{head}");
        }
        assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length"), "{head}");
        let head = String::from_utf8(stream_head("text/plain", None)).expect("it is ASCII");
        assert!(!head.contains("Access-Control"), "{head}");
        let refusal = Rejection::new(StatusCode::MethodNotAllowed, "no");
        let refusal = refusal.with_headers("Allow: GET, POST\r\n");
        let [refusal, without_body] = [Method::Other, Method::Head]
            .map(|method| String::from_utf8(room_refusal(&refusal, method)).expect("it is ASCII"));
        assert_eq!(refusal.strip_prefix(&*without_body), Some("405 Method Not Allowed: no\n"));
        assert!(refusal.contains("\r\nAllow: GET, POST\r\n"), "{refusal}");
        assert!(refusal.contains("\r\nCache-Control: no-store\r\n"), "{refusal}");
        assert!(refusal.ends_with("\r\n\r\n405 Method Not Allowed: no\n"), "{refusal}");
    }
}
