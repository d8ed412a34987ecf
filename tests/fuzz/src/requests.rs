//! JSON from a program.

use madang_protocol::{
    event::{ServerMessage, write_json_line},
    limits::NONCE_BYTES,
    request::Request,
};

use crate::cost::bounded;

/// Checks one line.
pub fn run(input: &[u8]) {
    let line = String::from_utf8_lossy(input);
    let request = bounded(line.len(), 20_000, 400, || Request::parse(&line));
    match request {
        Ok(request) => {
            assert!(request.nonce().is_none_or(|nonce| nonce.len() <= NONCE_BYTES));
            let written = check_written(&request);
            assert_eq!(Request::parse(&written), Ok(request), "{written}");
        }
        Err(error) => {
            let (text, nonce) = (error.kind.to_string().into(), error.nonce.map(Into::into));
            let code = error.kind.code().into();
            let (proposal, wait_seconds) = (None, None);
            check_written(&ServerMessage::Error { code, text, proposal, wait_seconds, nonce });
        }
    }
    if let Some(message) = bounded(line.len(), 20_000, 1_000, || ServerMessage::parse(&line)) {
        check_written(&message);
    }
}

/// What is written as JSON is one line, with nothing that a terminal might obey.
fn check_written(message: &impl serde::Serialize) -> String {
    let mut written = Vec::new();
    write_json_line(message, &mut written);
    let written = String::from_utf8(written).expect("text");
    let line = written.strip_suffix('\n').expect("a line");
    assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
    assert!(!line.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']), "{line:?}");
    line.to_owned()
}
