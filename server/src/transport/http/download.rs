//! Responses with a file that a browser keeps and no cache does. The length of one that is
//! written as it is sent is not known before it ends.

use std::fmt::Write as _;

use super::{StatusCode, begin_head};

/// What a file may do in a browser that shows it all the same: nothing but look like something.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; sandbox";

/// How a client finds the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// It has so many bytes.
    Known(usize),
    /// It comes in [chunks](chunk), and ends with [`LAST_CHUNK`].
    Chunked,
    /// The connection closes: an old client knows no chunks.
    UntilClose,
}

/// The end of a file in chunks.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The head of a response with a file of this name and type; its text is UTF-8.
pub(crate) fn download_head(name: &str, content_type: &str, length: Length) -> Vec<u8> {
    let mut head = begin_head(StatusCode::Ok);
    let length = match length {
        Length::Known(bytes) => format!("Content-Length: {bytes}\r\n"),
        Length::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        Length::UntilClose => String::new(),
    };
    write!(
        head,
        "Content-Disposition: {}\r\nContent-Type: {content_type}; charset=utf-8\r\n{length}\
         Cache-Control: no-store\r\nContent-Security-Policy: {POLICY}\r\n\r\n",
        disposition(name)
    )
    .expect("a String takes all");
    head.into_bytes()
}

/// A part of a file in chunks (RFC 9112 section 7.1), which is not empty.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// That a file is to be kept under this name (RFC 6266): in ASCII, and if that is not all of
/// it, in UTF-8 too.
fn disposition(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ascii: String =
        name.chars().map(|c| if u8::try_from(c).is_ok_and(is_plain) { c } else { '_' }).collect();
    let mut disposition = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        disposition.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            match is_plain(byte) {
                true => disposition.push(char::from(byte)),
                false => write!(disposition, "%{byte:02X}").expect("a String takes all"),
            }
        }
    }
    disposition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_is_safe_and_whole() {
        #[track_caller]
        fn check(name: &str, expected: &str) {
            assert_eq!(disposition(name), format!("attachment; {expected}"));
        }
        check("attendance.csv", "filename=\"attendance.csv\"");
        check(
            "수학-2026.html",
            "filename=\"__-2026.html\"; filename*=UTF-8''%EC%88%98%ED%95%99-2026.html",
        );
        check(
            "a\"b\r\nSet-Cookie: x/../y",
            "filename=\"a_b__Set-Cookie__x_.._y\"; \
             filename*=UTF-8''a%22b%0D%0ASet-Cookie%3A%20x%2F..%2Fy",
        );
    }

    #[test]
    fn a_file_is_kept_by_the_reader_and_by_no_cache() {
        let with = |length| {
            String::from_utf8(download_head("a.txt", "text/plain", length)).expect("ASCII")
        };
        let known = with(Length::Known(7));
        for header in [
            "HTTP/1.1 200 OK",
            "Content-Disposition: attachment; filename=\"a.txt\"",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Length: 7",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
        ] {
            assert_eq!(known.lines().filter(|line| *line == header).count(), 1, "{known}");
        }
        assert_eq!(known.matches("Cache-Control").count(), 1, "{known}");
        assert!(known.contains("\r\nContent-Security-Policy: default-src 'none'; style-src"));
        assert!(known.ends_with("\r\n\r\n"), "{known}");
        let chunked = with(Length::Chunked);
        assert!(chunked.contains("\r\nTransfer-Encoding: chunked\r\n"), "{chunked}");
        assert!(!chunked.contains("Content-Length"), "{chunked}");
        assert!(!with(Length::UntilClose).contains("Transfer-Encoding"));
        assert_eq!(chunk(&[b'x'; 17]), [&b"11\r\n"[..], &[b'x'; 17], b"\r\n"].concat());
    }
}
