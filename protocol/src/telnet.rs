//! Telnet on a chat port (RFC 854, 855, 860): removes and answers a peer's commands, and
//! does the line editing for peers that send each character.

use std::borrow::Cow;

use memchr::memchr;
use unicode_segmentation::UnicodeSegmentation;

use crate::sanitize::remove_controls_but;

pub use seen::{SeenCommands, names_of_answers};

mod seen;

/// The lowest command (end of file, RFC 1184).
const EOF: u8 = 236;
const SE: u8 = 240;
const IP: u8 = 244;
/// Erase character, which some peers send for the backspace key (RFC 854).
const EC: u8 = 247;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// Binary transmission (RFC 856): without it, many telnets clear the highest bit of each
/// byte that they show and send, which breaks Hangul.
const BINARY: u8 = 0;

/// The option whose answer a telnet waits for after ^C, with its output muted.
const TIMING_MARK: u8 = 6;

/// The backspace key.
const DEL: u8 = 0x7f;

/// A subnegotiation longer than this many bytes ends with its line.
const SUBNEGOTIATION_BYTES: usize = 1_024;

/// The telnet side of one connection: bytes in, text bytes and answers out.
///
/// Every option but binary transmission is refused (DO with WONT, WILL with
/// DONT), each once, so that two sides that disagree cannot talk for ever. Binary
/// transmission may be turned on and off; each change is answered (RFC 855).
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
    /// Allocated when the peer first sends an IAC, which most never do.
    answered: Option<Box<Answered>>,
    /// The commands that have arrived, if somebody wants to see them.
    seen: Option<Box<SeenCommands>>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    Command,
    /// After WILL, WONT, DO or DONT: the option comes next.
    Option(u8),
    Subnegotiation {
        bytes: usize,
    },
    SubnegotiationCommand {
        bytes: usize,
    },
}

/// Which options were answered already; of binary transmission, which sides do it.
#[derive(Debug)]
struct Answered {
    offered: [bool; 256],
    requested: [bool; 256],
}

impl Telnet {
    /// Moves the text in `bytes` to the front and returns its length. Appends the answers for
    /// the peer to `answers`.
    pub fn filter(&mut self, bytes: &mut [u8], answers: &mut Vec<u8>) -> usize {
        if matches!(self.state, State::Text) && memchr(IAC, bytes).is_none() {
            return bytes.len();
        }
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            if let Some(seen) = &mut self.seen {
                seen.note(&self.state, byte);
            }
            if let Some(text) = self.step(byte, answers) {
                bytes[kept] = text;
                kept += 1;
            }
        }
        kept
    }

    /// Whether commands can be taken by name from now on, by [`take_seen`](Self::take_seen).
    pub fn watch_commands(&mut self, watched: bool) {
        self.seen = watched.then(Box::default);
    }

    /// The commands that have arrived since the last call.
    pub fn take_seen(&mut self) -> SeenCommands {
        self.seen.as_mut().map(|seen| std::mem::take(&mut **seen)).unwrap_or_default()
    }

    /// Whether the peer has ever sent an IAC.
    pub fn is_spoken(&self) -> bool {
        self.answered.is_some()
    }

    /// Whether the peer transmits binary, where nothing follows a CR (RFC 856).
    pub fn is_binary(&self) -> bool {
        self.answered.as_ref().is_some_and(|answered| answered.offered[usize::from(BINARY)])
    }

    /// Takes one byte, and returns it if it is text.
    fn step(&mut self, byte: u8, answers: &mut Vec<u8>) -> Option<u8> {
        self.state = match (&self.state, byte) {
            (State::Text, IAC) => State::Command,
            (State::Text, _) => return Some(byte),
            (State::Command, ..EOF) => {
                // A 255 that introduces nothing takes nothing with it, or no slash
                // would be left of a command.
                self.state = State::Text;
                return Some(byte);
            }
            (State::Command, _) if self.answered.is_none() => {
                let answered = Answered { offered: [false; 256], requested: [false; 256] };
                self.answered = Some(Box::new(answered));
                return self.step(byte, answers);
            }
            (State::Command, IAC) => {
                self.state = State::Text;
                return Some(byte);
            }
            (State::Command, EC) => {
                self.state = State::Text;
                return Some(DEL);
            }
            (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
            (State::Command, SB) => State::Subnegotiation { bytes: 0 },
            (State::Command, IP) => {
                answers.extend_from_slice(&[IAC, WONT, TIMING_MARK]);
                State::Text
            }
            (State::Command, _) => State::Text,
            (&State::Option(verb), option) => {
                self.answer(verb, option, answers);
                State::Text
            }
            (&State::Subnegotiation { bytes }, IAC) => State::SubnegotiationCommand { bytes },
            (State::SubnegotiationCommand { .. }, SE) => State::Text,
            (
                &(State::Subnegotiation { bytes } | State::SubnegotiationCommand { bytes }),
                b'\r' | b'\n',
            ) if bytes >= SUBNEGOTIATION_BYTES => State::Text,
            (&(State::Subnegotiation { bytes } | State::SubnegotiationCommand { bytes }), _) => {
                State::Subnegotiation { bytes: bytes.saturating_add(1) }
            }
        };
        None
    }

    fn answer(&mut self, verb: u8, option: u8, answers: &mut Vec<u8>) {
        let Some(answered) = &mut self.answered else { return };
        if option == BINARY {
            let (is_on, wanted, answer) = match verb {
                DO => (&mut answered.requested[usize::from(BINARY)], true, WILL),
                DONT => (&mut answered.requested[usize::from(BINARY)], false, WONT),
                WILL => (&mut answered.offered[usize::from(BINARY)], true, DO),
                _ => (&mut answered.offered[usize::from(BINARY)], false, DONT),
            };
            if *is_on != wanted {
                *is_on = wanted;
                answers.extend_from_slice(&[IAC, answer, BINARY]);
            }
            return;
        }
        let (seen, answer) = match (verb, option) {
            (DO, _) => (&mut answered.requested[usize::from(option)], WONT),
            (WILL, _) => (&mut answered.offered[usize::from(option)], DONT),
            _ => return,
        };
        // An interrupted telnet shows nothing until its mark is answered.
        if !*seen || (verb == DO && option == TIMING_MARK) {
            *seen = true;
            answers.extend_from_slice(&[IAC, answer, option]);
        }
    }
}

/// How far back a backspace looks for the beginning of the grapheme it takes.
const GRAPHEME_BYTES: usize = 256;

/// Carries out the backspaces (BS, DEL) of a line that was typed by the
/// character: each takes back one grapheme, a whole Hangul syllable or emoji.
/// Arrows and other keys that send a sequence take no place in the line.
///
/// Takes time linear in the length, a few hundred steps a backspace at worst.
pub fn edit_line(line: &str) -> Cow<'_, str> {
    const BACKSPACES: [char; 2] = ['\u{8}', DEL as char];
    if !line.contains(BACKSPACES) {
        return Cow::Borrowed(line);
    }
    let line = remove_controls_but(line, |c| BACKSPACES.contains(&c));
    let mut edited = String::with_capacity(line.len());
    for piece in line.split_inclusive(BACKSPACES) {
        match piece.strip_suffix(BACKSPACES) {
            None => edited.push_str(piece),
            Some(text) => {
                edited.push_str(text);
                let near = edited.floor_char_boundary(edited.len().saturating_sub(GRAPHEME_BYTES));
                let last = edited[near..].grapheme_indices(true).next_back();
                edited.truncate(near + last.map_or(0, |(at, _)| at));
            }
        }
    }
    Cow::Owned(edited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], text: &[u8], answers: &[u8]) {
        for cut in 0..=bytes.len() {
            let mut telnet = Telnet::default();
            let mut answered = Vec::new();
            let mut kept = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                let mut part = part.to_vec();
                let length = telnet.filter(&mut part, &mut answered);
                kept.extend_from_slice(&part[..length]);
            }
            assert_eq!(kept, text, "cut at {cut}");
            assert_eq!(answered, answers, "cut at {cut}");
            assert_eq!(
                telnet.is_spoken(),
                bytes.windows(2).any(|two| two[0] == IAC && two[1] >= EOF)
            );
        }
    }

    #[test]
    fn text_passes_and_commands_do_not() {
        check(b"hello\r\n", b"hello\r\n", b"");
        check("안녕".as_bytes(), "안녕".as_bytes(), b"");
        check(b"a\xff\xf1b", b"ab", b""); // NOP
        check(b"a\xff\xffb", b"a\xffb", b""); // an escaped 255 is data, and no UTF-8
    }

    #[test]
    fn a_255_that_introduces_nothing_goes_alone() {
        check(b"\xff/msg bob a\n", b"/msg bob a\n", b"");
        check(b"/msg bob a\xff\n", b"/msg bob a\n", b"");
        check(b"\xff\x80\xef", b"\x80\xef", b"");
    }

    #[test]
    fn each_option_is_refused_once() {
        check(&[IAC, DO, 1, b'x', IAC, DO, 1], b"x", &[IAC, WONT, 1]);
        check(&[IAC, WILL, 31, IAC, WILL, 31], b"", &[IAC, DONT, 31]);
        check(&[IAC, DO, 3, IAC, WILL, 3], b"", &[IAC, WONT, 3, IAC, DONT, 3]);
        check(&[IAC, WONT, 1, IAC, DONT, 1], b"", b"");
    }

    #[test]
    fn eight_bits_a_byte_are_agreed_to() {
        check(&[IAC, DO, BINARY, IAC, DO, BINARY], b"", &[IAC, WILL, BINARY]);
        check(&[IAC, WILL, BINARY, IAC, WILL, BINARY], b"", &[IAC, DO, BINARY]);
    }

    #[test]
    fn each_change_of_binary_transmission_is_answered() {
        let on_and_off = [IAC, WILL, BINARY, IAC, WONT, BINARY];
        check(&on_and_off.repeat(2), b"", &[IAC, DO, BINARY, IAC, DONT, BINARY].repeat(2));
        let on_and_off = [IAC, DO, BINARY, IAC, DONT, BINARY];
        check(&on_and_off.repeat(2), b"", &[IAC, WILL, BINARY, IAC, WONT, BINARY].repeat(2));
        // It is off at first, and no change is no answer.
        check(&[IAC, WONT, BINARY, IAC, DONT, BINARY], b"", b"");
    }

    #[test]
    fn erasing_a_character_is_a_backspace() {
        check(&[b'a', b'b', IAC, EC, b'c'], b"ab\x7fc", b"");
    }

    #[test]
    fn an_interrupt_is_answered_every_time() {
        let interrupt = [IAC, IP, IAC, DO, TIMING_MARK];
        let answer = [IAC, WONT, TIMING_MARK, IAC, WONT, TIMING_MARK];
        check(&interrupt, b"", &answer);
        check(&interrupt.repeat(3), b"", &answer.repeat(3));
    }

    #[test]
    fn subnegotiations_are_swallowed_and_bounded() {
        check(&[b'a', IAC, SB, 31, 0, 80, IAC, IAC, 24, IAC, SE, b'b'], b"ab", b"");
        let mut endless = vec![IAC, SB];
        endless.extend([b'x'; SUBNEGOTIATION_BYTES + 1]);
        endless.extend(b"/msg bob a\ntext");
        let mut telnet = Telnet::default();
        let kept = telnet.filter(&mut endless, &mut Vec::new());
        assert_eq!(&endless[..kept], b"text");
    }

    #[test]
    fn backspace_takes_back_a_grapheme() {
        #[track_caller]
        fn check(typed: &str, line: &str) {
            assert_eq!(edit_line(typed), line);
        }
        check("plain", "plain");
        check("helo\u{8}lo", "hello");
        check("\u{8}\u{7f}a", "a");
        check("안녕\u{7f}양", "안양");
        check("a👩‍👩‍👧\u{8}b", "ab");
        check("ab\u{8}\u{8}\u{8}c", "c");
        check("e\u{301}x\u{8}\u{8}", "");
        // Backspace does not erase arrows.
        check("ab\x1b[D\x1bOD\u{8}c", "ac");
        check("ab\x1b[D", "ab\x1b[D");
    }
}
