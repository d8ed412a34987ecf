//! Redis pub/sub: a channel a room, RESP3, in which one connection may publish and subscribe.

use super::{Heard, Protocol, Question, Rooms};
use crate::text::{Said, Wording};

pub(super) struct Redis;

impl Protocol for Redis {
    fn opening(&self, room: usize) -> Vec<u8> {
        format!("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\nr{room:05}\r\n")
            .into_bytes()
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        match line {
            b"subscribe" => Heard::Entered,
            _ if line.starts_with(b"-") => Heard::Refused(line),
            _ => Heard::Other,
        }
    }

    fn answer(&self, _question: Question, _member: usize, _room: usize) -> Vec<u8> {
        Vec::new()
    }

    fn header(&self, room: usize, text_bytes: usize) -> Vec<u8> {
        format!(">3\r\n$7\r\nmessage\r\n$6\r\nr{room:05}\r\n${text_bytes}\r\n").into_bytes()
    }

    fn say(&self, room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        let text_bytes = wording.text_bytes();
        out.extend_from_slice(
            format!("*3\r\n$7\r\nPUBLISH\r\n$6\r\nr{room:05}\r\n${text_bytes}\r\n").as_bytes(),
        );
        wording.write(said, out);
        out.extend_from_slice(b"\r\n");
    }

    fn connecting(&self) -> usize {
        256
    }

    fn rooms(&self) -> Rooms {
        Rooms::Many
    }
}
