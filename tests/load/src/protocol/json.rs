//! Madang's JSON lines.
//!
//! Objects are recognised by their first bytes and searched for the one field that matters:
//! when a thousand members join, there are half a million notices, too many to parse each
//! completely.

use super::{
    Heard, Protocol, Question, Rooms,
    lines::{PROMPTS, room_name},
    member_between, number_after,
};
use crate::{
    name,
    text::{Kind, Said, Wording},
};

pub(super) struct Json;

impl Protocol for Json {
    fn is_prompt(&self, rest: &[u8]) -> bool {
        PROMPTS.iter().any(|prompt| prompt.as_bytes() == rest)
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        let Some(object) = line.strip_prefix(br#"{"type":""#) else {
            return Heard::Other;
        };
        let kind = &object[..memchr::memchr(b'"', object).unwrap_or(0)];
        let user = || member_between(object, br#""user":""#, b"\"");
        match kind {
            b"hello" => Heard::Asked(Question::Login),
            b"welcome" => Heard::Entered,
            b"joined" => user().map_or(Heard::Other, Heard::Joined),
            b"left" => user().map_or(Heard::Other, Heard::Left),
            b"gap" => {
                let from = number_after(object, br#""from":"#);
                let to = number_after(object, br#""to":"#);
                from.zip(to).map_or(Heard::Other, |(from, to)| {
                    Heard::Skipped((to + 1).saturating_sub(from))
                })
            }
            b"error" | b"bye" => Heard::Refused(line),
            _ => Heard::Other,
        }
    }

    fn answer(&self, question: Question, member: usize, room: usize) -> Vec<u8> {
        match question {
            Question::Login => {
                let name = name::format(member);
                let name = String::from_utf8_lossy(&name);
                let room = room_name(room);
                format!(r#"{{"type":"login","name":"{name}","room":"{room}","history":0}}{}"#, "\n")
                    .into_bytes()
            }
            Question::Prompt | Question::Alive => b"/json\n".to_vec(),
        }
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"say","text":""#);
        wording.write(said, out);
        // A nonce must be unique among all lines of its speaker.
        let kind = match said.kind {
            Kind::Warmup => 'c',
            Kind::Talk => 't',
        };
        out.extend_from_slice(format!("\",\"nonce\":\"{kind}{:x}\"}}\n", said.number).as_bytes());
    }

    fn quit(&self) -> &'static [u8] {
        b"{\"type\":\"command\",\"line\":\"/quit\"}\n"
    }

    fn announces(&self) -> bool {
        true
    }

    fn rooms(&self) -> Rooms {
        Rooms::Many
    }
}
