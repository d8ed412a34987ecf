//! Madang's lines, as `nc` speaks them.

use super::{Heard, Protocol, Question, Rooms, member_between, number_after};
use crate::{
    name,
    text::{Said, Wording},
};

pub(super) struct Lines;

/// The login prompt, in both languages.
pub(super) const PROMPTS: [&str; 2] = ["로그인ID:", "Login ID:"];

/// The end of a line that stands for skipped ones.
const SKIPPED: [&str; 2] = [" skipped --", "줄 건너뜀 --"];

/// Answers of the server that end a login.
const REFUSALS: [&str; 3] =
    ["이미 등록된 사용자입니다.", "That name is already in use.", "server is full"];

/// Madang's names for rooms: the lobby, and others with names of the same length.
pub(super) fn room_name(room: usize) -> String {
    match room {
        0 => "lobby".to_owned(),
        _ => format!("r{room:04}"),
    }
}

impl Protocol for Lines {
    fn opening(&self, room: usize) -> Vec<u8> {
        match room {
            0 => Vec::new(),
            _ => format!("/join {}\n", room_name(room)).into_bytes(),
        }
    }

    fn is_prompt(&self, rest: &[u8]) -> bool {
        PROMPTS.iter().any(|prompt| prompt.as_bytes() == rest)
    }

    fn hear<'a>(&self, line: &'a [u8]) -> Heard<'a> {
        if line.starts_with(b"[") {
            return hear_notice(line);
        }
        if SKIPPED.iter().any(|skipped| line.ends_with(skipped.as_bytes())) {
            return number_after(line, b"-- ").map_or(Heard::Other, Heard::Skipped);
        }
        if REFUSALS.iter().any(|refusal| line.starts_with(refusal.as_bytes())) {
            return Heard::Refused(line);
        }
        Heard::Other
    }

    fn answer(&self, _question: Question, member: usize, _room: usize) -> Vec<u8> {
        [&name::format(member)[..], b"\n"].concat()
    }

    fn say(&self, _room: usize, said: Said, wording: &Wording, out: &mut Vec<u8>) {
        wording.write(said, out);
        out.push(b'\n');
    }

    fn signs_lines(&self) -> bool {
        true
    }

    fn announces(&self) -> bool {
        true
    }

    fn rooms(&self) -> Rooms {
        Rooms::Many
    }
}

/// Who joins or leaves, in either language; the seed's server uses the same words.
pub(super) fn hear_notice(line: &[u8]) -> Heard<'_> {
    let Some(member) = member_between(line, b"[", b"]") else {
        return Heard::Other;
    };
    match &line[name::NAME_BYTES + 2..] {
        rest if rest == "님이 입장했습니다.".as_bytes() => Heard::Joined(member),
        rest if rest == "님이 퇴장했습니다.".as_bytes() => Heard::Left(member),
        b" joined." => Heard::Joined(member),
        b" left." => Heard::Left(member),
        _ => Heard::Other,
    }
}
