//! Lines without a login: everyone receives each line unchanged.

use super::{Heard, Protocol, Question};
use crate::text::{Said, Wording};

pub(super) struct Plain;

impl Protocol for Plain {
    fn enters_by_connecting(&self) -> bool {
        true
    }

    fn hear<'a>(&self, _line: &'a [u8]) -> Heard<'a> {
        Heard::Other
    }

    fn answer(&self, _question: Question, _member: usize, _room: usize) -> Vec<u8> {
        Vec::new()
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        wording.write(said, out);
        out.push(b'\n');
    }

    fn packet_bytes(&self) -> Option<usize> {
        Some(64 * 1024)
    }
}
