//! What a JSON client may send up, one object a line.
//!
//! Unknown fields are ignored; an unknown type or broken JSON is an error that
//! is answered, never an end.

use serde::{Deserialize, Serialize};

use crate::{event::is_false, invisible, limits::NONCE_BYTES};

/// One object from a JSON client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Asks for a name; the first thing that is sent.
    Login {
        /// The name that is asked for; none or an empty one asks for a guest name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The room to begin in, as `/join` takes it; the lobby if there is none.
        /// Coming back, the room that `last` belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Whether to begin in a new private room of one's own, as `/new` makes it.
        #[serde(default, skip_serializing_if = "is_false")]
        new_room: bool,
        /// The new room's topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// Whether nobody is told that this session joins and leaves; for public rooms. A
        /// session that is come back to stays as it began.
        #[serde(default, skip_serializing_if = "is_false")]
        quiet: bool,
        /// How much of what was said before to show: at most so many events; as many
        /// as people are shown if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<usize>,
        /// The token of a session to come back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// The token of a session that had the name and has lost its connection: if the
        /// name is still kept for it, it ends, and this one has the name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<String>,
        /// Coming back, the id of the last event that the client has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
        /// Coming back, the number of the last private event that the client has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_private: Option<u64>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Says `text` in the room; a slash at its front means nothing.
    Say {
        /// What is said: one line, or several.
        text: String,
        /// The room it was written for; anywhere else it is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Asks for what happened in the room before.
    History {
        /// Only events with lower ids; the newest if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// At most so many events; all that are kept if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Gives a command, in the words of a line: `/who`.
    Command {
        /// The command with its slash.
        line: String,
        /// The room it was written for; anywhere else it is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
}

/// Why a line from a JSON client is no [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestErrorKind {
    /// Not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// An object without a type, or with one that is not known.
    #[error("unknown type: use login, say, command or history")]
    UnknownType,
    /// A field is missing or has the wrong type.
    #[error("failed to read the {kind} request: {cause}")]
    BadField {
        /// The request's type.
        kind: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// The nonce is too long to be kept.
    #[error("nonce of {0} bytes, at most {NONCE_BYTES} are allowed")]
    NonceTooLong(usize),
}

/// A refused request, with the nonce that came with it if one could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// What is wrong.
    pub kind: RequestErrorKind,
    /// The nonce to return.
    pub nonce: Option<String>,
}

impl RequestErrorKind {
    /// The `code` of the error that answers it.
    pub fn code(&self) -> &'static str {
        match self {
            RequestErrorKind::NotJson(_) => "bad_json",
            RequestErrorKind::UnknownType => "unknown_type",
            RequestErrorKind::BadField { .. } | RequestErrorKind::NonceTooLong(_) => "bad_request",
        }
    }
}

impl Request {
    /// Reads one line; what nobody sees around the object (a byte order mark, NULs) is
    /// no part of it.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says what is wrong, in words for the client's author.
    pub fn parse(line: &str) -> Result<Request, RequestError> {
        let line = invisible::trim(line);
        let request: Request = serde_json::from_str(line).map_err(|error| explain(line, &error))?;
        if let Some(nonce) = request.nonce()
            && nonce.len() > NONCE_BYTES
        {
            let kind = RequestErrorKind::NonceTooLong(nonce.len());
            return Err(RequestError { kind, nonce: None });
        }
        match request.contradiction() {
            Some(cause) => {
                let kind = RequestErrorKind::BadField { kind: "login", cause: cause.to_owned() };
                Err(RequestError { kind, nonce: request.nonce().map(str::to_owned) })
            }
            None => Ok(request),
        }
    }

    /// What is asked for in it that can't be had together.
    fn contradiction(&self) -> Option<&'static str> {
        match self {
            Request::Login { new_room: true, room, session, .. }
                if room.is_some() || session.is_some() =>
            {
                Some("new_room goes with neither room nor session")
            }
            Request::Login { new_room: false, topic: Some(_), .. } => {
                Some("topic goes with new_room alone")
            }
            _ => None,
        }
    }

    /// The nonce that the answer returns.
    pub fn nonce(&self) -> Option<&str> {
        match self {
            Request::Login { nonce, .. }
            | Request::Say { nonce, .. }
            | Request::History { nonce, .. }
            | Request::Command { nonce, .. } => nonce.as_deref(),
        }
    }
}

/// Looks again at a line that failed: how far was it a request?
fn explain(line: &str, error: &serde_json::Error) -> RequestError {
    let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(line) {
        Ok(object) => object,
        Err(error) => {
            let kind = RequestErrorKind::NotJson(cause(&error));
            return RequestError { kind, nonce: None };
        }
    };
    let kind = match object.get("type").and_then(|value| value.as_str()) {
        Some("login") => Some("login"),
        Some("say") => Some("say"),
        Some("history") => Some("history"),
        Some("command") => Some("command"),
        _ => None,
    };
    let nonce = object.get("nonce").and_then(|value| value.as_str());
    RequestError {
        kind: match kind {
            Some(kind) => RequestErrorKind::BadField { kind, cause: cause(error) },
            None => RequestErrorKind::UnknownType,
        },
        nonce: nonce.filter(|nonce| nonce.len() <= NONCE_BYTES).map(str::to_owned),
    }
}

/// What the JSON reader says, which may quote the line: cut, so that the answer is
/// no longer than what it answers.
fn cause(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_unknown_fields_ignored() {
        #[track_caller]
        fn check(line: &str, expected: Request) {
            assert_eq!(Request::parse(line), Ok(expected));
        }
        let text = "/not a command".to_owned();
        check(
            r#"{"type":"say","text":"/not a command","nonce":"c1","mood":{"a":[1]}}"#,
            Request::Say { text, room: None, nonce: Some("c1".into()) },
        );
        check(
            r#"{"type":"say","text":"hi","room":"private-kzby"}"#,
            Request::Say { text: "hi".into(), room: Some("private-kzby".into()), nonce: None },
        );
        check(
            r#"{"name":"alice","type":"login","room":"lobby","history":20}"#,
            Request::Login {
                name: Some("alice".into()),
                room: Some("lobby".into()),
                new_room: false,
                topic: None,
                quiet: false,
                history: Some(20),
                session: None,
                previous: None,
                last: None,
                last_private: None,
                nonce: None,
            },
        );
        check(
            r#"{"type":"login","session":"t","room":"lobby","last":41,"last_private":3}"#,
            Request::Login {
                name: None,
                room: Some("lobby".into()),
                new_room: false,
                topic: None,
                quiet: false,
                history: None,
                session: Some("t".into()),
                previous: None,
                last: Some(41),
                last_private: Some(3),
                nonce: None,
            },
        );
        check(
            r#"{"type":"login","new_room":true,"topic":"작전"}"#,
            Request::Login {
                name: None,
                room: None,
                new_room: true,
                topic: Some("작전".into()),
                quiet: false,
                history: None,
                session: None,
                previous: None,
                last: None,
                last_private: None,
                nonce: None,
            },
        );
        check(
            r#"{"type":"login","name":"logbot","quiet":true}"#,
            Request::Login {
                name: Some("logbot".into()),
                room: None,
                new_room: false,
                topic: None,
                quiet: true,
                history: None,
                session: None,
                previous: None,
                last: None,
                last_private: None,
                nonce: None,
            },
        );
        check(
            r#"{"type":"history","before":50}"#,
            Request::History { before: Some(50), limit: None, nonce: None },
        );
        let who = Request::Command { line: "/who".into(), room: None, nonce: None };
        let json = r#"{"type":"command","line":"/who"}"#;
        check(json, who.clone());
        check(&format!("\u{FEFF}{json}\0\0"), who.clone());
        check(&format!("\0\u{200B} {json} \r\0"), who);
    }

    #[test]
    fn what_is_wrong_is_said_and_the_nonce_returned() {
        #[track_caller]
        fn check(line: &str, code: &str, nonce: Option<&str>) {
            let error = Request::parse(line).expect_err("refused");
            assert_eq!((error.kind.code(), error.nonce.as_deref()), (code, nonce), "{error:?}");
        }
        check("hello", "bad_json", None);
        check(r#"{"type":"say","text":"#, "bad_json", None);
        check(r#"["say"]"#, "bad_json", None);
        check(r#"{"text":"hi","nonce":"a"}"#, "unknown_type", Some("a"));
        check(r#"{"type":"dance","nonce":"a"}"#, "unknown_type", Some("a"));
        check(r#"{"type":"say","nonce":"a"}"#, "bad_request", Some("a"));
        check(r#"{"type":"say","text":1,"nonce":"a"}"#, "bad_request", Some("a"));
        check(r#"{"type":"say","text":"x","nonce":7}"#, "bad_request", None);
        check(r#"{"type":"login","new_room":1,"nonce":"a"}"#, "bad_request", Some("a"));
        check(r#"{"type":"login","quiet":"yes","nonce":"a"}"#, "bad_request", Some("a"));
        let both = r#"{"type":"login","new_room":true,"room":"lobby","nonce":"a"}"#;
        check(both, "bad_request", Some("a"));
        check(r#"{"type":"login","new_room":true,"session":"t"}"#, "bad_request", None);
        check(r#"{"type":"login","topic":"x","nonce":"a"}"#, "bad_request", Some("a"));
        let nonce = "n".repeat(NONCE_BYTES + 1);
        check(&format!(r#"{{"type":"say","text":"x","nonce":"{nonce}"}}"#), "bad_request", None);
        // Depth is bounded by the JSON reader: a deep nest is an error, not a crash.
        check(&"[".repeat(60_000), "bad_json", None);
    }
}
