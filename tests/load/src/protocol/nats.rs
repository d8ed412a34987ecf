//! NATS: a subject a room, the protocol of `nats-server`.

use super::{Heard, Protocol, Question, Rooms};
use crate::text::{Said, Wording};

pub(super) struct Nats;

impl Protocol for Nats {
    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        match line {
            b"PING" => Heard::Asked(Question::Alive),
            b"PONG" => Heard::Entered,
            _ if line.starts_with(b"INFO ") => Heard::Asked(Question::Prompt),
            _ if line.starts_with(b"-ERR") => Heard::Refused(line),
            _ => Heard::Other,
        }
    }

    fn answer(&self, question: Question, _member: usize, room: usize) -> Vec<u8> {
        match question {
            Question::Alive => b"PONG\r\n".to_vec(),
            // The server answers in order: its PONG says that the subscription stands.
            Question::Prompt | Question::Login => format!(
                "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":true}}\r\nSUB r{room:05} 1\r\nPING\r\n"
            )
            .into_bytes(),
        }
    }

    fn header(&self, room: usize, text_bytes: usize) -> Vec<u8> {
        format!("MSG r{room:05} 1 {text_bytes}\r\n").into_bytes()
    }

    fn say(&self, room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("PUB r{room:05} {}\r\n", wording.text_bytes()).as_bytes());
        wording.write(said, out);
        out.extend_from_slice(b"\r\n");
    }

    fn rooms(&self) -> Rooms {
        Rooms::Many
    }
}
