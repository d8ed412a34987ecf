//! Requests of JSON clients, one object per line.
//!
//! Unknown fields are ignored. An unknown type or broken JSON is answered by an error and
//! never ends the connection.

use serde::{Deserialize, Serialize};

use crate::{event::is_false, invisible, limits::NONCE_BYTES};

/// One object from a JSON client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Logs in; always the first request.
    Login {
        /// The name; if missing or empty, the server gives a guest name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The room to begin in, as `/join` takes it; the lobby by default. When coming back, the
        /// room that `last` belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Whether to begin in a new private room, as `/new` makes it.
        #[serde(default, skip_serializing_if = "is_false")]
        new_room: bool,
        /// The new room's topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// Whether to join and leave public rooms without an announcement. A session that goes on
        /// stays as it began.
        #[serde(default, skip_serializing_if = "is_false")]
        quiet: bool,
        /// How many earlier events to send at most; by default, as many as people are shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<usize>,
        /// The token of a session to come back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// The token of a session that lost its connection. If the name is still kept for it,
        /// that session ends, and this one gets the name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<String>,
        /// When coming back, the id of the last event that the client has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
        /// When coming back, the number of the last whisper that the client has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_private: Option<u64>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Says `text` in the room; a slash at the front means nothing.
    Say {
        /// One line, or several.
        text: String,
        /// The room it was written for; it is refused in any other.
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
        /// Only events with higher ids: of these the first ones, not the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// How many events at most; by default, all that are kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Votes in the open poll.
    Vote {
        /// The number of the choice, from 1; of yes and no, 1 is yes.
        choice: usize,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Raises a hand in a lesson, adds a question to it, or lowers it.
    Hand {
        /// Whether it is up from now on.
        up: bool,
        /// The question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Has tallies sent that may be seen by everyone: a teacher's screen on the wall.
    Watch {
        /// Whether that ends: it is a teacher's own page again.
        #[serde(default, skip_serializing_if = "is_false")]
        off: bool,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Gives a command as a person would type it: `/who`.
    Command {
        /// The command with its slash.
        line: String,
        /// The room it was written for; it is refused in any other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// Returned in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
}

/// All fields of all requests: an object that is read straight into these takes half the work
/// of one whose type decides what its fields are.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: RequestType,
    text: Option<String>,
    line: Option<String>,
    name: Option<String>,
    room: Option<String>,
    #[serde(default)]
    new_room: bool,
    topic: Option<String>,
    #[serde(default)]
    quiet: bool,
    history: Option<usize>,
    session: Option<String>,
    previous: Option<String>,
    last: Option<u64>,
    last_private: Option<u64>,
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<usize>,
    nonce: Option<String>,
}

/// The types of requests.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RequestType {
    Login,
    Say,
    History,
    Command,
}

/// Why a line is not a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestErrorKind {
    /// Not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// An object without a type, or with an unknown one.
    #[error(
        "unknown type: use login, say, command, history, vote, hand or watch; a command such as /who is sent as {{\"type\":\"command\",\"line\":\"/who\"}}"
    )]
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

/// A refused request, with its nonce if that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// What is wrong.
    pub kind: RequestErrorKind,
    /// The nonce to return.
    pub nonce: Option<String>,
}

impl RequestErrorKind {
    /// The `code` of the error message.
    pub fn code(&self) -> &'static str {
        match self {
            RequestErrorKind::NotJson(_) => "bad_json",
            RequestErrorKind::UnknownType => "unknown_type",
            RequestErrorKind::BadField { .. } | RequestErrorKind::NonceTooLong(_) => "bad_request",
        }
    }
}

impl Request {
    /// Reads one line. Invisible characters around the object (a byte order mark, NULs) are
    /// skipped.
    ///
    /// # Errors
    ///
    /// [`RequestError`] tells the client's author what is wrong.
    pub fn parse(line: &str) -> Result<Request, RequestError> {
        let line = invisible::trim(line);
        let request = match serde_json::from_str(line) {
            Ok(fields) => Request::of_fields(fields),
            Err(_) => None,
        };
        // What is not as it should be is read again, slower, to say what is wrong with it, or
        // because a field that this type does not have is none.
        let request = match request {
            Some(request) => request,
            None => serde_json::from_str(line).map_err(|error| explain(line, &error))?,
        };
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

    /// The request that these fields are; `None` if one is missing.
    fn of_fields(fields: Fields) -> Option<Request> {
        let Fields {
            kind,
            text,
            line,
            name,
            room,
            new_room,
            topic,
            quiet,
            history,
            session,
            previous,
            last,
            last_private,
            before,
            after,
            limit,
            nonce,
        } = fields;
        Some(match kind {
            RequestType::Say => Request::Say { text: text?, room, nonce },
            RequestType::Command => Request::Command { line: line?, room, nonce },
            RequestType::History => Request::History { before, after, limit, nonce },
            RequestType::Login => Request::Login {
                name,
                room,
                new_room,
                topic,
                quiet,
                history,
                session,
                previous,
                last,
                last_private,
                nonce,
            },
        })
    }

    /// Fields that contradict each other, if there are any.
    fn contradiction(&self) -> Option<&'static str> {
        match self {
            Request::Login { new_room: true, room, session, .. }
                if room.is_some() || session.is_some() =>
            {
                Some("new_room goes with neither room nor session")
            }
            Request::Login { new_room: false, topic: Some(_), .. } => {
                Some("topic goes only with new_room")
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
            | Request::Vote { nonce, .. }
            | Request::Hand { nonce, .. }
            | Request::Watch { nonce, .. }
            | Request::Command { nonce, .. } => nonce.as_deref(),
        }
    }
}

/// Looks again at a line that failed, for the part that was right.
fn explain(line: &str, error: &serde_json::Error) -> RequestError {
    let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(line) {
        Ok(object) => object,
        Err(error) => {
            let kind = RequestErrorKind::NotJson(cause(&error));
            return RequestError { kind, nonce: short(nonce_of_broken(line)) };
        }
    };
    let kind = match object.get("type").and_then(|value| value.as_str()) {
        Some("login") => Some("login"),
        Some("say") => Some("say"),
        Some("history") => Some("history"),
        Some("command") => Some("command"),
        Some("vote") => Some("vote"),
        Some("hand") => Some("hand"),
        Some("watch") => Some("watch"),
        _ => None,
    };
    let nonce = object.get("nonce").and_then(|value| value.as_str()).map(str::to_owned);
    RequestError {
        kind: match kind {
            Some(kind) => RequestErrorKind::BadField { kind, cause: cause(error) },
            None => RequestErrorKind::UnknownType,
        },
        nonce: short(nonce),
    }
}

/// A nonce that is short enough to be returned.
fn short(nonce: Option<String>) -> Option<String> {
    nonce.filter(|nonce| nonce.len() <= NONCE_BYTES)
}

/// The nonce of a line that is not JSON, if it can be found: a sender who waits for an answer
/// to it is told of the error, too.
fn nonce_of_broken(line: &str) -> Option<String> {
    let (mut depth, mut nonce) = (0, None);
    let mut rest = line;
    while let Some(place) = rest.find(['"', '{', '}', '[', ']']) {
        rest = &rest[place..];
        if let Some(token) = string_token(rest) {
            rest = &rest[token.len()..];
            let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
            if depth == 1 && token == "\"nonce\"" {
                let token = value.and_then(string_token);
                nonce = token.and_then(|token| serde_json::from_str(token).ok()).or(nonce);
            }
            continue;
        }
        match rest.as_bytes()[0] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            // A string without an end.
            _ => return nonce,
        }
        rest = &rest[1..];
    }
    nonce
}

/// The string, with its quotes, that the text begins with.
fn string_token(text: &str) -> Option<&str> {
    let mut is_escaped = false;
    let inner = text.strip_prefix('"')?;
    let end = inner.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some(&text[..end + 2])
}

/// The JSON reader's message, without the names of Rust's numbers. It may quote the line, so it
/// is cut: no answer is longer than its request.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let before = ["usize", "u64"].iter().find_map(|number| text.strip_suffix(number));
    let text = before.map_or(text.clone(), |before| before.to_owned() + "a whole number");
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A field of some request, or of none, with a value that may be of another type.
    fn field() -> impl Strategy<Value = String> {
        let names = ["type", "text", "line", "name", "room", "new_room", "topic", "quiet"];
        let more = ["history", "session", "previous", "last", "last_private", "before", "limit"];
        let names = [&names[..], &more, &["nonce", "mood"]].concat();
        let values = ["\"say\"", "\"login\"", "\"command\"", "\"history\"", "\"\"", "\"a\\n\""];
        let others = ["null", "true", "false", "0", "-1", "20", "1.5", "[]", "{\"a\":1}"];
        let values = [&values[..], &others].concat();
        (prop::sample::select(names), prop::sample::select(values))
            .prop_map(|(name, value)| format!("\"{name}\":{value}"))
    }

    proptest! {
        #[test]
        fn both_ways_of_parsing_a_request_agree(
            kind in prop::sample::select(vec!["say", "login", "command", "history"]),
            fields in prop::collection::vec(field(), 0..6),
            at in 0_usize..6,
        ) {
            let mut fields = fields;
            fields.insert(at.min(fields.len()), format!("\"type\":\"{kind}\""));
            let line = format!("{{{}}}", fields.join(","));
            let at_once = serde_json::from_str(&line).ok().and_then(Request::of_fields);
            let by_type: Option<Request> = serde_json::from_str(&line).ok();
            prop_assert!(at_once.is_none() || at_once == by_type, "{line}: {at_once:?}, {by_type:?}");
        }
    }

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
            Request::History { before: Some(50), after: None, limit: None, nonce: None },
        );
        let who = Request::Command { line: "/who".into(), room: None, nonce: None };
        let json = r#"{"type":"command","line":"/who"}"#;
        check(json, who.clone());
        check(&format!("\u{FEFF}{json}\0\0"), who.clone());
        check(&format!("\0\u{200B} {json} \r\0"), who);
    }

    #[test]
    fn invalid_requests_are_refused_with_their_nonce() {
        #[track_caller]
        fn check(line: &str, code: &str, nonce: Option<&str>) {
            let error = Request::parse(line).expect_err("refused");
            assert_eq!((error.kind.code(), error.nonce.as_deref()), (code, nonce), "{error:?}");
        }
        check("hello", "bad_json", None);
        check(r#"{"type":"say","text":"#, "bad_json", None);
        check(r#"["say"]"#, "bad_json", None);
        // The nonce is found where the rest is broken: cut off, half a character, a number that is none.
        check(r#"{"type":"say","nonce":"a","text":"#, "bad_json", Some("a"));
        check(r#"{"type":"say","nonce" : "a\"\\b","text":"hi"#, "bad_json", Some("a\"\\b"));
        check(r#"{"type":"say","text":"\ud83d","nonce":"a"}"#, "bad_json", Some("a"));
        check(r#"{"type":"login","history":1e999,"x":[{}],"nonce":"a"}"#, "bad_json", Some("a"));
        check(r#"{"type":"say","nonce":"a","nonce":"b","text":x}"#, "bad_json", Some("b"));
        check(r#"{"nonce":"a"} {"nonce":"b""#, "bad_json", Some("b"));
        // It is none in a text, in a list or in another object, and one that is cut off is not known.
        check(r#"{"type":"say","text":"{\"nonce\":\"a\"","x":}"#, "bad_json", None);
        check(r#"{"x":{"nonce":"a"},"y":}"#, "bad_json", None);
        check(r#"{"x":["nonce","a"],"y":}"#, "bad_json", None);
        check(r#"{"type":"say","text":"hi","nonce":"a"#, "bad_json", None);
        check(r#"{"type":"say","text":"hi","nonce":a}"#, "bad_json", None);
        check(r#"]{"nonce":"a","x":}"#, "bad_json", None);
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
