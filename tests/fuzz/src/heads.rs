//! The head of an HTTP request, and the responses that repeat parts of it.

use madang_server::fuzzing::{RequestHead, read_head};

use crate::{chunks::Chunked, cost::bounded};

/// Checks the bytes of a request.
pub fn run(input: &[u8]) {
    let Some(input) = Chunked::parse(input) else { return };
    let whole = bounded(input.bytes.len(), 40_000, 64, || read_head(input.bytes));
    let mut read = 0;
    for chunk in input.chunks() {
        read += chunk.len();
        match (read_head(&input.bytes[..read]), &whole) {
            (RequestHead::Partial, RequestHead::Whole { length, .. }) => assert!(read < *length),
            (RequestHead::Partial, _) => {}
            (RequestHead::Refused(_), RequestHead::Refused(_)) => break,
            (
                RequestHead::Whole { length, hops, .. },
                RequestHead::Whole { length: of_whole, hops: hops_of_whole, .. },
            ) => {
                assert_eq!((length, &hops), (*of_whole, hops_of_whole));
                break;
            }
            (early, late) => panic!("after {read} bytes {early:?}, and then {late:?}"),
        }
    }
    match whole {
        RequestHead::Partial => {}
        RequestHead::Refused(response) => check_response(&response),
        RequestHead::Whole { responses, .. } => {
            responses.iter().for_each(|it| check_response(it));
        }
    }
}

/// A response has one head, whose lines contain nothing smuggled in by the request, and a body of
/// the stated length.
fn check_response(response: &[u8]) {
    let text = str::from_utf8(response).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.expect("a status line").get(..3).expect("a number");
    for line in lines.clone() {
        assert!(!line.contains(char::is_control), "{line:?}");
        let (name, _) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
    }
    assert!(!body.contains(|c: char| c.is_control() && c != '\n'), "{body:?}");
    let length = lines.clone().find_map(|line| line.strip_prefix("Content-Length: "));
    match length {
        Some(length) => assert!(body.is_empty() || body.len().to_string() == length, "{head}"),
        None => assert_eq!((status, body), ("101", ""), "{head}"),
    }
    let number = |name: &str| lines.clone().filter(|line| line.starts_with(name)).count();
    assert!(number("Content-Length: ") <= 1 && number("Location: ") <= 1, "{head}");
}
