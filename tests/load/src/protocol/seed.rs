//! The chat server Madang grew out of: a prompt, then a message for each read, and notices
//! without a line end.

use super::{
    Heard, Protocol, Question,
    lines::{PROMPTS, hear_notice},
};
use crate::{
    name,
    text::{Said, Wording},
};

pub(super) struct Seed;

/// The end of both notices.
const NOTICE_END: &str = "했습니다.";

impl Protocol for Seed {
    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        let line_end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let before = &bytes[..line_end.unwrap_or(bytes.len())];
        let notice_end = memchr::memmem::find(before, NOTICE_END.as_bytes());
        notice_end.map(|at| at + NOTICE_END.len()).or(line_end)
    }

    fn is_prompt(&self, rest: &[u8]) -> bool {
        rest == PROMPTS[0].as_bytes()
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        if line == "이미 등록된 사용자입니다.".as_bytes() {
            return Heard::Refused(line);
        }
        hear_notice(line)
    }

    fn answer(&self, _question: Question, member: usize, _room: usize) -> Vec<u8> {
        name::format(member).to_vec()
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        wording.write(said, out);
        out.push(b'\n');
    }

    fn announces(&self) -> bool {
        true
    }

    fn packet_bytes(&self) -> Option<usize> {
        Some(1024)
    }

    fn marks_packets(&self) -> bool {
        true
    }

    /// It crashes when its dictionary changes during an iteration.
    fn connecting(&self) -> usize {
        1
    }
}
