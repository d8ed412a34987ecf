//! The upgrade of an HTTP connection to WebSocket (RFC 6455 section 4.2).

use tungstenite::handshake::derive_accept_key;

use crate::transport::http::{Head, Method, Rejection, StatusCode};

/// Whether a request asks for an upgrade to WebSocket, valid or not.
pub(crate) fn is_wanted(head: &Head) -> bool {
    let upgrade = head.list("Upgrade").any(|word| word.eq_ignore_ascii_case("websocket"));
    upgrade || head.value("Sec-WebSocket-Key").is_some()
}

/// The response that completes the upgrade.
///
/// # Errors
///
/// What is wrong with the request.
pub(crate) fn accept(head: &Head, subprotocol: Option<&str>) -> Result<Vec<u8>, Rejection> {
    let has = |name, word: &str| head.list(name).any(|other| other.eq_ignore_ascii_case(word));
    if head.method != Method::Get {
        return Err(Rejection::new(
            StatusCode::MethodNotAllowed,
            "a WebSocket handshake must be a GET request",
        ));
    }
    if !head.is_current || !has("Upgrade", "websocket") || !has("Connection", "upgrade") {
        return Err(Rejection::new(
            StatusCode::UpgradeRequired,
            "only WebSocket is supported here",
        ));
    }
    if head.value("Sec-WebSocket-Version") != Some("13") {
        return Err(Rejection::new(
            StatusCode::UpgradeRequired,
            "only WebSocket version 13 is supported",
        ));
    }
    let Some(key) = head.value("Sec-WebSocket-Key").filter(|key| is_key(key)) else {
        let reason = "Sec-WebSocket-Key must be 16 bytes in base64";
        return Err(Rejection::new(StatusCode::BadRequest, reason));
    };
    let subprotocol = subprotocol
        .map(|subprotocol| format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"))
        .unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{subprotocol}\r\n",
        derive_accept_key(key.as_bytes())
    );
    Ok(answer.into_bytes())
}

/// Whether a client offers a subprotocol.
pub(crate) fn offers(head: &Head, subprotocol: &str) -> bool {
    head.list("Sec-WebSocket-Protocol").any(|offered| offered == subprotocol)
}

/// Whether it is 16 bytes in base64: 22 characters and padding.
fn is_key(key: &str) -> bool {
    key.strip_suffix("==").is_some_and(|digits| {
        let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
        digits.len() == 22 && digits.bytes().all(is_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 6455 section 1.3, with one part replaced.
    fn request(from: &str, to: &str) -> Head {
        let request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
            Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        assert!(request.contains(from), "{from} is not in it");
        let request = request.replacen(from, to, 1);
        Head::parse(request.as_bytes()).expect("it is right").expect("it is whole").0
    }

    #[test]
    fn the_handshake_matches_the_example_in_the_rfc() {
        let answer = accept(&request("", ""), Some("madang.json.v1")).expect("it is right");
        let answer = String::from_utf8(answer).expect("it is text");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(answer.ends_with("\r\nSec-WebSocket-Protocol: madang.json.v1\r\n\r\n"), "{answer}");
        let answer = accept(&request("", ""), None).expect("it is right");
        assert!(!answer.windows(8).any(|part| part == b"Protocol:"));
    }

    #[test]
    fn bad_requests_get_the_right_status() {
        #[track_caller]
        fn check(from: &str, to: &str, expected: StatusCode) {
            let refusal = accept(&request(from, to), None).expect_err("it is wrong");
            assert_eq!(refusal.status, expected, "{to}");
        }
        check("GET", "POST", StatusCode::MethodNotAllowed);
        check("HTTP/1.1", "HTTP/1.0", StatusCode::UpgradeRequired);
        check("websocket", "h2c", StatusCode::UpgradeRequired);
        check("keep-alive, Upgrade", "close", StatusCode::UpgradeRequired);
        check("Version: 13", "Version: 8", StatusCode::UpgradeRequired);
        check("Sec-WebSocket-Version: 13\r\n", "", StatusCode::UpgradeRequired);
        check("dGhlIHNhbXBsZSBub25jZQ==", "short", StatusCode::BadRequest);
        check("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", StatusCode::BadRequest);
        check("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", StatusCode::BadRequest);
    }

    #[test]
    fn a_subprotocol_is_offered_in_a_list() {
        #[track_caller]
        fn check(offered: &str, expected: bool) {
            let header = format!("Sec-WebSocket-Protocol: {offered}\r\nHost");
            assert_eq!(offers(&request("Host", &header), "madang.json.v1"), expected);
        }
        check("madang.json.v1", true);
        check("chat, madang.json.v1", true);
        check("madang.json.v2", false);
        check("MADANG.JSON.V1", false);
    }
}
