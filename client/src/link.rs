//! A connection to a Madang server that speaks JSON: requests out, messages in, and its end. It
//! knows nothing of names or rooms.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use madang_protocol::{
    event::{ServerMessage, write_json_line},
    line::{LineDecoder, LineTooLong},
    notice::Notice,
    request::Request,
    sanitize::{sanitize_label, sanitize_line, sanitize_message},
    text::Lang,
};
use serde_json::Value;

use crate::{
    connection::{Connection, Incoming, Speaks},
    failure::Failure,
};

const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The nonce of the client's first request to a server that speaks JSON from the beginning.
const LANG_NONCE: &str = "lang";

/// The types of messages whose text, or picture, may have several lines.
const WITH_LINES: [&str; 6] = ["said", "announced", "whisper", "notice", "error", "invite"];

/// The maximum number of bytes kept of the server's message of the day.
const MOTD_BYTES: usize = 16 * 1_024;

/// A connection that has been switched to JSON.
pub(crate) struct Link {
    connection: Connection,
    messages: Messages,
    motd: String,
}

/// Turns incoming bytes into lines and messages.
#[derive(Default)]
pub(crate) struct Messages(LineDecoder);

/// One line from the server.
pub(crate) struct Received {
    /// The line, as received.
    pub(crate) line: String,
    /// The message, if this version knows it.
    pub(crate) message: Option<ServerMessage<'static>>,
}

impl Link {
    /// Switches a connection whose greeting was `first` to JSON, unless it speaks JSON already.
    /// Blocks for at most [`HELLO_TIMEOUT`].
    pub(crate) fn open(connection: Connection, first: &[u8], lang: Lang) -> Result<Link, Failure> {
        let deadline = Instant::now() + HELLO_TIMEOUT;
        let speaks = connection.speaks();
        let (messages, motd) = (Messages::default(), String::new());
        let mut link = Link { connection, messages, motd };
        let mut preamble = match speaks {
            Speaks::Lines => Preamble::Greeting,
            Speaks::Json => Preamble::Hello,
        };
        match speaks {
            Speaks::Lines => link.connection.send(format!("/lang {lang}\n/json\n").as_bytes()),
            Speaks::Json => {
                let (line, nonce) = (format!("/lang {lang}"), Some(LANG_NONCE.to_owned()));
                link.send([&Request::Command { line, room: None, nonce }]);
            }
        }
        let mut bytes = first.to_vec();
        loop {
            for line in link.messages.lines(&bytes)? {
                preamble = preamble.next(&line, &mut link.motd);
                if preamble == Preamble::Over {
                    return Ok(link);
                }
            }
            bytes = match link.incoming().recv_deadline(deadline) {
                Ok(Incoming::Bytes(bytes)) if Instant::now() < deadline => bytes,
                Ok(Incoming::TooLong) => return Err(Failure::LineTooLong),
                Ok(Incoming::End(cause)) => return Err(Failure::Lost(cause)),
                _ => return Err(Failure::NoHello),
            };
        }
    }

    /// The operator's message of the day: whole lines, or empty.
    pub(crate) fn motd(&self) -> &str {
        &self.motd
    }

    /// Incoming bytes; pass each item to [`take`](Self::take).
    pub(crate) fn incoming(&self) -> &Receiver<Incoming> {
        self.connection.incoming()
    }

    /// Parses the messages that `incoming` completes.
    ///
    /// # Errors
    ///
    /// The connection has ended, or the server sent too many bytes without a line end.
    pub(crate) fn take(&mut self, incoming: Incoming) -> Result<Vec<Received>, Failure> {
        let bytes = match incoming {
            Incoming::Bytes(bytes) => bytes,
            Incoming::TooLong => return Err(Failure::LineTooLong),
            Incoming::End(cause) => return Err(Failure::Lost(cause)),
        };
        self.messages.read(&bytes)
    }

    /// Sends requests, in one write if the socket takes it. A failure is reported as the end of
    /// the incoming bytes.
    pub(crate) fn send<'a>(&self, requests: impl IntoIterator<Item = &'a Request>) {
        let mut bytes = Vec::new();
        for request in requests {
            write_json_line(request, &mut bytes);
        }
        if !bytes.is_empty() {
            self.connection.send(&bytes);
        }
    }
}

impl Messages {
    /// The messages that `bytes` complete.
    ///
    /// # Errors
    ///
    /// Too many bytes without a line end.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Received>, Failure> {
        let lines = self.lines(bytes)?.into_iter();
        Ok(lines.map(|line| Received { message: parse(&line), line }).collect())
    }

    /// The lines that `bytes` complete, without those that are not UTF-8.
    fn lines(&mut self, mut bytes: &[u8]) -> Result<Vec<String>, Failure> {
        let Messages(decoder) = self;
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let spare = decoder.spare();
            let count = spare.len().min(bytes.len());
            spare[..count].copy_from_slice(&bytes[..count]);
            decoder.filled(count);
            bytes = &bytes[count..];
            while let Some(line) =
                decoder.next_line().map_err(|LineTooLong| Failure::LineTooLong)?
            {
                lines.extend(str::from_utf8(line).map(str::to_owned));
            }
        }
        Ok(lines)
    }
}

/// The stages of what a server sends before the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preamble {
    /// The next line is the greeting.
    Greeting,
    /// Until the prompt, everything is the message of the day.
    Motd,
    /// The answers to the client's own commands, then the hello.
    Answers,
    /// The next line is the hello: the server speaks JSON from the beginning.
    Hello,
    /// The message of the day, then the answer to the client's request.
    Notices,
    /// The login may begin.
    Over,
}

impl Preamble {
    /// The stage after `line`, which is added to `motd` if it belongs there.
    fn next(self, line: &str, motd: &mut String) -> Preamble {
        let message = parse(line);
        match (self, message) {
            (Preamble::Hello, Some(ServerMessage::Hello { .. })) => return Preamble::Notices,
            (Preamble::Hello, _) => return Preamble::Hello,
            (Preamble::Notices, Some(ServerMessage::Notice { text, nonce: None })) => {
                keep(motd, &text);
                return Preamble::Notices;
            }
            (
                Preamble::Notices,
                Some(
                    ServerMessage::Ack { nonce, .. }
                    | ServerMessage::Error { nonce: Some(nonce), .. },
                ),
            ) if nonce == LANG_NONCE => return Preamble::Over,
            (Preamble::Notices, _) => return Preamble::Notices,
            (_, Some(ServerMessage::Hello { .. })) => return Preamble::Over,
            _ => {}
        }
        let is_prompt = |lang| line.starts_with(&*Notice::LoginPrompt.text(lang));
        match self {
            Preamble::Greeting => Preamble::Motd,
            Preamble::Motd if is_prompt(Lang::Ko) || is_prompt(Lang::En) => Preamble::Answers,
            Preamble::Motd => {
                keep(motd, line);
                Preamble::Motd
            }
            other => other,
        }
    }
}

/// What `line` says, with nothing in it that a terminal would obey, and line ends only in
/// what has several lines: from here on, it may be shown. `None` if it is of no known type.
fn parse(line: &str) -> Option<ServerMessage<'static>> {
    let is_fit = !line.contains('\\') && matches!(sanitize_line(line), Cow::Borrowed(_));
    if is_fit {
        return ServerMessage::parse(line);
    }
    let mut message = serde_json::from_str(line).ok()?;
    make_fit(&mut message);
    serde_json::from_value(message).ok()
}

fn make_fit(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str);
            let has_lines = kind.is_some_and(|kind| WITH_LINES.contains(&kind));
            for (name, value) in fields {
                match value {
                    Value::String(text) if has_lines && (name == "text" || name == "qr") => {
                        *text = sanitize_message(text).into_owned();
                    }
                    value => make_fit(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(make_fit),
        Value::String(label) => *label = sanitize_label(label).into_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Adds lines to the message of the day, unless it grows too long.
fn keep(motd: &mut String, lines: &str) {
    if motd.len() + lines.len() < MOTD_BYTES {
        motd.push_str(lines);
        motd.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_message_of_the_day_is_kept_of_what_comes_before_hello() {
        #[track_caller]
        fn check(lines: &[&str], expected: &str) {
            let mut motd = String::new();
            let mut preamble = Preamble::Greeting;
            for line in lines {
                preamble = preamble.next(line, &mut motd);
            }
            assert_eq!(motd, expected);
        }
        let answers = ["로그인ID:The server now speaks English to you.", "Login ID:"];
        check(&[&["Madang/1 0.1.0"], &answers[..]].concat(), "");
        check(
            &[&["Madang/1 0.1.0", "Welcome,", "", "all"], &answers[..]].concat(),
            "Welcome,\n\nall\n",
        );
        let hello = r#"{"type":"hello","server":"madang","version":"0","protocol":1,"limits":{"line_bytes":1,"message_bytes":1,"carrier_bytes":1,"name_columns":1}}"#;
        check(&["Madang/1 0.1.0", "Welcome", "로그인ID:", hello, "x"], "Welcome\n");
        let long = "x".repeat(MOTD_BYTES);
        check(&["Madang/1 0.1.0", &long, "short"], "short\n");
    }
}
