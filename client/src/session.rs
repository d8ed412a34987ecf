//! A session with a Madang server over JSON lines: what is asked, what is
//! answered, and what is still waited for. Shows nothing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, at, never};
use madang_protocol::{
    command::Input,
    event::{ServerMessage, write_json_line},
    line::{LineDecoder, LineTooLong},
    request::Request,
    text::{Lang, Notice},
};

use crate::{
    connection::{Connection, Incoming},
    failure::Failure,
};

const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that has waited so long while nothing at all came is not answered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the server may take to close after `/quit`.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Requests that may be without an answer; then no line is read from stdin, so
/// that a long input waits where it is instead of filling somebody's memory.
const UNANSWERED: usize = 32;

/// The most of the server's message of the day that is kept.
const MOTD_BYTES: usize = 16 * 1_024;

/// The number of the login among the requests; lines of stdin count from 1.
pub(crate) const LOGIN: u64 = 0;

/// A connection that speaks JSON, logged in or about to.
pub(crate) struct Session {
    connection: Connection,
    decoder: LineDecoder,
    motd: String,
    /// The numbers of the requests without an answer, oldest first; each is its nonce.
    unanswered: VecDeque<u64>,
    /// Since when an answer is late: the last sign of life, or the request.
    waiting_since: Instant,
}

impl Session {
    /// Turns a connection that has greeted with `first` to JSON. Blocks for at
    /// most [`HELLO_TIMEOUT`].
    pub(crate) fn open(
        connection: Connection,
        first: &[u8],
        lang: Lang,
    ) -> Result<Session, Failure> {
        let deadline = Instant::now() + HELLO_TIMEOUT;
        connection.send(format!("/lang {lang}\n/json\n").as_bytes());
        let mut session = Session {
            connection,
            decoder: LineDecoder::default(),
            motd: String::new(),
            unanswered: VecDeque::new(),
            waiting_since: Instant::now(),
        };
        let mut preamble = Preamble::Greeting;
        let mut bytes = first.to_vec();
        loop {
            for line in session.decode(&bytes)? {
                if let Some(ServerMessage::Hello { .. }) = ServerMessage::parse(&line) {
                    return Ok(session);
                }
                preamble = preamble.next(&line, &mut session.motd);
            }
            bytes = match session.connection.incoming().recv_deadline(deadline) {
                Ok(Incoming::Bytes(bytes)) if Instant::now() < deadline => bytes,
                Ok(Incoming::End(cause)) => return Err(Failure::Lost(cause)),
                _ => return Err(Failure::NoHello),
            };
        }
    }

    /// What the operator has to say to everyone who comes: whole lines, or nothing.
    pub(crate) fn motd(&self) -> &str {
        &self.motd
    }

    /// What comes; each item is for [`take`](Self::take).
    pub(crate) fn incoming(&self) -> &Receiver<Incoming> {
        self.connection.incoming()
    }

    /// Reads the messages of which `incoming` brought the end. What is not
    /// known is left out.
    ///
    /// # Errors
    ///
    /// The connection has ended, or what comes has no end.
    pub(crate) fn take(
        &mut self,
        incoming: Incoming,
    ) -> Result<Vec<ServerMessage<'static>>, Failure> {
        let bytes = match incoming {
            Incoming::Bytes(bytes) => bytes,
            Incoming::End(cause) => return Err(Failure::Lost(cause)),
        };
        self.waiting_since = Instant::now();
        let lines = self.decode(&bytes)?;
        Ok(lines.iter().filter_map(|line| ServerMessage::parse(line)).collect())
    }

    /// The lines that `bytes` complete; those that aren't UTF-8 are left out.
    fn decode(&mut self, mut bytes: &[u8]) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let spare = self.decoder.spare();
            let count = spare.len().min(bytes.len());
            spare[..count].copy_from_slice(&bytes[..count]);
            self.decoder.filled(count);
            bytes = &bytes[count..];
            while let Some(line) =
                self.decoder.next_line().map_err(|LineTooLong| Failure::EndlessLine)?
            {
                lines.extend(str::from_utf8(line).map(str::to_owned));
            }
        }
        Ok(lines)
    }

    /// Asks for a name; an empty one asks for a guest name.
    pub(crate) fn login(&mut self, name: &str) {
        let name = (!name.is_empty()).then(|| name.to_owned());
        self.request(LOGIN, |nonce| Request::Login { name, room: None, session: None, nonce });
    }

    /// Sends line `number` of stdin: a command, or something to say.
    pub(crate) fn send_line(&mut self, number: u64, line: &str) {
        self.request(number, |nonce| match Input::parse(line) {
            Input::Text(text) => Request::Say { text: text.to_owned(), nonce },
            Input::Command(_) => Request::Command { line: line.to_owned(), nonce },
        });
    }

    fn request(&mut self, number: u64, request: impl FnOnce(Option<String>) -> Request) {
        if self.unanswered.is_empty() {
            self.waiting_since = Instant::now();
        }
        self.unanswered.push_back(number);
        self.send(&request(Some(number.to_string())));
    }

    fn send(&self, request: &Request) {
        let mut bytes = Vec::new();
        write_json_line(request, &mut bytes);
        self.connection.send(&bytes);
    }

    /// Which request `message` answers, if it does; it is then waited for no more.
    pub(crate) fn settle(&mut self, message: &ServerMessage<'_>) -> Option<u64> {
        let number = match message {
            ServerMessage::Welcome { .. } => LOGIN,
            ServerMessage::Ack { nonce, .. }
            | ServerMessage::Error { nonce: Some(nonce), .. }
            | ServerMessage::Notice { nonce: Some(nonce), .. }
            | ServerMessage::Who { nonce: Some(nonce), more: false, .. } => nonce.parse().ok()?,
            _ => return None,
        };
        let at = self.unanswered.iter().position(|&waiting| waiting == number)?;
        self.unanswered.remove(at)
    }

    /// The first and last of the requests without an answer.
    pub(crate) fn unanswered(&self) -> Option<(u64, u64)> {
        Some((*self.unanswered.front()?, *self.unanswered.back()?))
    }

    /// Whether another request has to wait for answers.
    pub(crate) fn is_full(&self) -> bool {
        self.unanswered.len() >= UNANSWERED
    }

    /// Receives once when an answer has been late for too long.
    pub(crate) fn silence(&self) -> Receiver<Instant> {
        if self.unanswered.is_empty() { never() } else { at(self.waiting_since + ANSWER_TIMEOUT) }
    }

    /// Quits, and reads to the end, so that the name is free when the process
    /// ends; what still comes is for `show`. Blocks for at most [`LEAVE_TIMEOUT`].
    pub(crate) fn leave(&mut self, mut show: impl FnMut(&ServerMessage<'_>)) {
        self.send(&Request::Command { line: "/quit".into(), nonce: None });
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while let Ok(incoming) = self.incoming().recv_deadline(deadline) {
            let Ok(messages) = self.take(incoming) else {
                return;
            };
            for message in messages {
                if let ServerMessage::Bye { .. } = message {
                    return;
                }
                show(&message);
            }
            // A server that never stops is not waited for either.
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}

/// Where in a server's lines before `hello` one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preamble {
    /// The first line is the greeting.
    Greeting,
    /// Until the prompt, everything is the message of the day.
    Motd,
    /// The answers to what the client itself asked.
    Answers,
}

impl Preamble {
    /// Where one is after `line`, which goes to `motd` if it belongs there.
    fn next(self, line: &str, motd: &mut String) -> Preamble {
        let is_prompt = |lang| line.starts_with(&*Notice::LoginPrompt.text(lang));
        match self {
            Preamble::Greeting => Preamble::Motd,
            Preamble::Answers => Preamble::Answers,
            Preamble::Motd if is_prompt(Lang::Ko) || is_prompt(Lang::En) => Preamble::Answers,
            Preamble::Motd => {
                if motd.len() + line.len() < MOTD_BYTES {
                    motd.push_str(line);
                    motd.push('\n');
                }
                Preamble::Motd
            }
        }
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
        let long = "x".repeat(MOTD_BYTES);
        check(&["Madang/1 0.1.0", &long, "short"], "short\n");
    }
}
