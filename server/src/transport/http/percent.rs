//! Percent-encoding (RFC 3986 section 2.1), which lets text in any script travel in a path or
//! in a header.

/// The text that was percent-encoded; `None` if it is not UTF-8, or a `%` begins no byte.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => bytes.push(digit(rest.next()?)? << 4 | digit(rest.next()?)?),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_if_it_is_text() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(decoded(text).as_deref(), expected, "{text}");
        }
        check("alice", Some("alice"));
        check("수학", Some("수학"));
        check("%EC%88%98%ed%95%99", Some("수학"));
        check("a+b%20c%2F", Some("a+b c/"));
        check("%0D%0A", Some("\r\n"));
        for wrong in ["%", "%4", "%4g", "%zz", "%EC%88", "%ff"] {
            check(wrong, None);
        }
    }
}
