//! `ncat --chat`: each read goes to everyone else, after `<user5> `.

use super::{Heard, Protocol, Question};
use crate::text::{Said, Wording};

pub(super) struct Ncat;

impl Protocol for Ncat {
    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        // The first line that a member receives announces the member itself.
        if line.starts_with(b"<announce>") { Heard::Entered } else { Heard::Other }
    }

    fn answer(&self, _question: Question, _member: usize, _room: usize) -> Vec<u8> {
        Vec::new()
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        wording.write(said, out);
        out.push(b'\n');
    }

    fn echoes(&self) -> bool {
        false
    }

    fn packet_bytes(&self) -> Option<usize> {
        Some(8 * 1024)
    }

    fn marks_packets(&self) -> bool {
        true
    }

    fn connecting(&self) -> usize {
        8
    }
}
