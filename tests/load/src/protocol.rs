//! The protocols of the servers under load: logging in, saying a line, and the server's
//! notices.
//!
//! One file per protocol; none of them uses sockets. To add one, implement [`Protocol`] and
//! give it a [`Choice`].

mod json;
mod lines;
mod nats;
mod ncat;
mod plain;
mod redis;
mod seed;
mod websocket;

use std::fmt;

use clap::ValueEnum;

use crate::{
    name,
    text::{Said, Wording},
};

/// The protocols by their names on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Madang's lines: what `nc` and telnet speak
    Madang,
    /// Madang's JSON lines: what its terminal client speaks
    MadangJson,
    /// Madang's lines over WebSocket
    MadangWs,
    /// Madang's JSON over WebSocket
    MadangWsJson,
    /// WebSocket messages without a login that come back to everyone: Bun, as `bun.js` has it
    WsPlain,
    /// nats-server
    Nats,
    /// Redis pub/sub, RESP3
    Redis,
    /// Lines without a login that come back to everyone, their speaker too: `load baseline`
    Plain,
    /// `ncat --chat`: lines without a login that come back to everyone but their speaker
    Ncat,
    /// The chat server Madang grew out of: a prompt, then packets
    Seed,
}

impl Choice {
    pub(crate) fn protocol(self) -> &'static dyn Protocol {
        match self {
            Choice::Madang => &lines::Lines,
            Choice::MadangJson => &json::Json,
            Choice::MadangWs => &websocket::WebSocketLines,
            Choice::MadangWsJson => &websocket::WebSocketJson,
            Choice::WsPlain => &websocket::WebSocketPlain,
            Choice::Nats => &nats::Nats,
            Choice::Redis => &redis::Redis,
            Choice::Plain => &plain::Plain,
            Choice::Ncat => &ncat::Ncat,
            Choice::Seed => &seed::Seed,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no choice is hidden");
        f.write_str(value.get_name())
    }
}

/// The meaning of a line without a text of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// The server wants an answer, see [`Protocol::answer`].
    Asked(Question),
    /// The receiving member has logged in.
    Entered,
    /// This member joined. If it is the receiver itself, it has logged in.
    Joined(usize),
    /// This member left.
    Left(usize),
    /// The server skipped this many lines because the receiver was slow.
    Skipped(u64),
    /// The server refused something.
    Refused(&'a [u8]),
    /// Nothing that matters here.
    Other,
}

/// What a server wants answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// The first prompt or greeting.
    Prompt,
    /// The question after the answer to the prompt.
    Login,
    /// A sign of life.
    Alive,
}

/// Whether a protocol has rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rooms {
    /// There is one room.
    One,
    /// Any number: rooms, subjects or channels.
    Many,
}

/// A protocol, from a member's point of view.
pub(crate) trait Protocol {
    /// What a member sends on connecting.
    fn opening(&self, _room: usize) -> Vec<u8> {
        Vec::new()
    }

    /// Whether a member is logged in on connecting, without any answer.
    fn enters_by_connecting(&self) -> bool {
        false
    }

    /// The length of the first line in `bytes`, including its end.
    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        memchr::memchr(b'\n', bytes).map(|at| at + 1)
    }

    /// Whether `rest`, which has no line end, is a prompt.
    fn is_prompt(&self, _rest: &[u8]) -> bool {
        false
    }

    /// The meaning of a line without a text.
    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a>;

    /// The answer of this member.
    fn answer(&self, question: Question, member: usize, room: usize) -> Vec<u8>;

    /// What comes before the line of every text in this room.
    fn header(&self, _room: usize, _text_bytes: usize) -> Vec<u8> {
        Vec::new()
    }

    /// Appends what a member sends to say a line.
    fn say(&self, room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>);

    /// What a member sends to leave, before it closes its half of the connection.
    fn quit(&self) -> &'static [u8] {
        b""
    }

    /// Whether a text's line begins with `[name] `, so that its speaker can be checked.
    fn signs_lines(&self) -> bool {
        false
    }

    /// Whether joining and leaving are announced to everyone.
    fn announces(&self) -> bool {
        false
    }

    /// Whether a line is also sent to its speaker.
    fn echoes(&self) -> bool {
        true
    }

    /// How many bytes the server reads at once, if it passes on each read as one message.
    fn packet_bytes(&self) -> Option<usize> {
        None
    }

    /// Whether the server puts something before each message of [`Protocol::packet_bytes`].
    fn marks_packets(&self) -> bool {
        false
    }

    /// How many members may log in at the same time: at most the server's backlog.
    fn connecting(&self) -> usize {
        64
    }

    fn rooms(&self) -> Rooms {
        Rooms::One
    }
}

/// The name between the first `before` in `line` and the `after` that follows it.
fn member_between(line: &[u8], before: &[u8], after: &[u8]) -> Option<usize> {
    let start = memchr::memmem::find(line, before)? + before.len();
    let rest = &line[start..];
    let name = rest.get(..name::NAME_BYTES)?;
    rest[name::NAME_BYTES..].starts_with(after).then(|| name::parse(name))?
}

/// The first number in `text` after `before`.
fn number_after(text: &[u8], before: &[u8]) -> Option<u64> {
    let start = memchr::memmem::find(text, before)? + before.len();
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |value: Option<u64>, digit| {
        Some(value.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(choice: Choice, line: &str, heard: Heard<'_>) {
        assert_eq!(choice.protocol().hear(line.as_bytes()), heard, "{choice}: {line}");
    }

    #[test]
    fn lines_mean_what_each_protocol_says() {
        use Heard::{Asked, Entered, Joined, Left, Other, Refused, Skipped};
        check(Choice::Madang, "Madang/1 0.1.0 /help", Other);
        check(Choice::Madang, "[m00042]님이 입장했습니다.", Joined(42));
        check(Choice::Madang, "[m00042] joined.", Joined(42));
        check(Choice::Madang, "[m00042]님이 퇴장했습니다.", Left(42));
        check(Choice::Madang, "[m00042] left.", Left(42));
        check(Choice::Madang, "[홍길동]님이 입장했습니다.", Other);
        check(Choice::Madang, "[m00042] I joined.", Other);
        check(Choice::Madang, "-- 37 lines skipped --", Skipped(37));
        check(Choice::Madang, "-- 37줄 건너뜀 --", Skipped(37));
        check(Choice::Madang, "-- 20 earlier lines --", Other);
        check(
            Choice::Madang,
            "이미 등록된 사용자입니다.",
            Refused("이미 등록된 사용자입니다.".as_bytes()),
        );
        check(
            Choice::Madang,
            "That name is already in use.",
            Refused(b"That name is already in use."),
        );
        check(Choice::Madang, "server is full", Refused(b"server is full"));
        check(Choice::Madang, "", Other);

        check(Choice::MadangJson, "", Other);
        check(Choice::MadangJson, r#"{"type":"hello","server":"madang"}"#, Asked(Question::Login));
        check(Choice::MadangJson, r#"{"type":"welcome","user":"m00001"}"#, Entered);
        check(Choice::MadangJson, r#"{"type":"joined","id":43,"user":"m00007"}"#, Joined(7));
        check(Choice::MadangJson, r#"{"type":"left","id":44,"user":"m00007"}"#, Left(7));
        check(
            Choice::MadangJson,
            r#"{"type":"gap","room":"lobby","from":50,"to":86}"#,
            Skipped(37),
        );
        check(Choice::MadangJson, r#"{"type":"gap","room":"lobby"}"#, Other);
        check(Choice::MadangJson, r#"{"type":"ack","nonce":"c1","id":42}"#, Other);
        let error = r#"{"type":"error","code":"name_taken","text":"…"}"#;
        check(Choice::MadangJson, error, Refused(error.as_bytes()));

        check(Choice::Nats, r#"INFO {"server_id":"x"}"#, Asked(Question::Prompt));
        check(Choice::Nats, "PING", Asked(Question::Alive));
        check(Choice::Nats, "PONG", Entered);
        check(Choice::Nats, "-ERR 'Slow Consumer'", Refused(b"-ERR 'Slow Consumer'"));
        check(Choice::Nats, "MSG r00000 1 63", Other);

        check(Choice::Redis, "subscribe", Entered);
        check(Choice::Redis, "%7", Other);
        check(Choice::Redis, ":100", Other);
        check(Choice::Redis, "-ERR unknown command", Refused(b"-ERR unknown command"));

        check(Choice::Ncat, "<announce> 127.0.0.1 is connected as <user5>.", Entered);
        check(Choice::Ncat, "<user5> hello", Other);

        check(Choice::Seed, "[m00042]님이 입장했습니다.", Joined(42));
        check(Choice::Seed, "[m00042]님이 퇴장했습니다.", Left(42));
        check(
            Choice::Seed,
            "이미 등록된 사용자입니다.",
            Refused("이미 등록된 사용자입니다.".as_bytes()),
        );
    }

    #[test]
    fn prompts_are_known_without_a_line_end() {
        for (choice, rest, is_prompt) in [
            (Choice::Madang, "로그인ID:", true),
            (Choice::Madang, "Login ID:", true),
            (Choice::Madang, "로그인ID", false),
            (Choice::Madang, "", false),
            (Choice::Seed, "로그인ID:", true),
            (Choice::Nats, "로그인ID:", false),
        ] {
            assert_eq!(choice.protocol().is_prompt(rest.as_bytes()), is_prompt, "{choice}: {rest}");
        }
    }

    #[test]
    fn a_seed_notice_ends_without_a_line_end() {
        let seed = Choice::Seed.protocol();
        let notice = "[m00001]님이 입장했습니다.";
        for (bytes, end) in [
            (notice.to_owned(), Some(notice.len())),
            (format!("{notice}{notice}"), Some(notice.len())),
            (format!("hi\n{notice}"), Some(3)),
            (notice[..notice.len() - 1].to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(seed.line_end(bytes.as_bytes()), end, "{bytes}");
        }
    }
}
