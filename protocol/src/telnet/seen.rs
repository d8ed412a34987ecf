//! The names of telnet commands (RFC 854, and the options' own RFCs), for people who want to see
//! what travels.

use super::{DO, DONT, EOF, IAC, SB, State, WILL, WONT};

/// The number of commands that are kept until they are taken; of more, only the number is.
const KEPT_COMMANDS: usize = 8;

/// The commands that have arrived since they were taken last.
#[derive(Debug, Default)]
pub struct SeenCommands {
    /// The first of them by name, such as `DO ECHO`.
    pub names: Vec<String>,
    /// The number of those that followed.
    pub more: usize,
}

impl SeenCommands {
    /// Notes the command that `byte` completes, if it does. A subnegotiation is noted when its
    /// option is known.
    pub(super) fn note(&mut self, state: &State, byte: u8) {
        let name = match (state, byte) {
            (State::Command, IAC | WILL..=DONT | SB) => return,
            (State::Command, EOF..) => command_name(byte).to_owned(),
            (State::Option(verb), option) => with_option(*verb, option),
            (State::Subnegotiation { bytes: 0 }, option) => with_option(SB, option),
            _ => return,
        };
        match self.names.len() < KEPT_COMMANDS {
            true => self.names.push(name),
            false => self.more += 1,
        }
    }
}

/// The names of the first answers to commands, as [`filter`](super::Telnet::filter) has appended
/// them.
pub fn names_of_answers(answers: &[u8]) -> Vec<String> {
    let answers = answers.chunks_exact(3).take(KEPT_COMMANDS);
    answers.map(|answer| with_option(answer[1], answer[2])).collect()
}

fn with_option(command: u8, option: u8) -> String {
    format!("{} {}", command_name(command), option_name(option))
}

fn command_name(command: u8) -> &'static str {
    match command {
        EOF => "EOF",
        237 => "SUSP",
        238 => "ABORT",
        239 => "EOR",
        240 => "SE",
        241 => "NOP",
        242 => "DM",
        243 => "BRK",
        244 => "IP",
        245 => "AO",
        246 => "AYT",
        247 => "EC",
        248 => "EL",
        249 => "GA",
        SB => "SB",
        WILL => "WILL",
        WONT => "WONT",
        DO => "DO",
        DONT => "DONT",
        _ => "IAC",
    }
}

fn option_name(option: u8) -> String {
    let name = match option {
        0 => "BINARY",
        1 => "ECHO",
        3 => "SUPPRESS-GO-AHEAD",
        5 => "STATUS",
        6 => "TIMING-MARK",
        24 => "TERMINAL-TYPE",
        31 => "NAWS",
        32 => "TERMINAL-SPEED",
        33 => "TOGGLE-FLOW-CONTROL",
        34 => "LINEMODE",
        35 => "X-DISPLAY-LOCATION",
        36 => "ENVIRON",
        37 => "AUTHENTICATION",
        38 => "ENCRYPT",
        39 => "NEW-ENVIRON",
        _ => return option.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Telnet;
    use super::*;

    /// The names of the commands in `reads`, of the answers to them, and how many were not kept.
    fn seen(reads: &[&[u8]]) -> (Vec<String>, Vec<String>, usize) {
        let (mut telnet, mut answers) = (Telnet::default(), Vec::new());
        telnet.watch_commands(true);
        for read in reads {
            telnet.filter(&mut read.to_vec(), &mut answers);
        }
        let SeenCommands { names, more } = telnet.take_seen();
        (names, names_of_answers(&answers), more)
    }

    #[test]
    fn commands_and_answers_have_names() {
        #[track_caller]
        fn check(reads: &[&[u8]], names: &[&str], answers: &[&str]) {
            let (seen, answered, more) = seen(reads);
            assert_eq!((seen, answered, more), (owned(names), owned(answers), 0));
        }
        fn owned(names: &[&str]) -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        }
        check(&[b"hi\xff\xfd\x01there"], &["DO ECHO"], &["WONT ECHO"]);
        check(&[b"\xff", b"\xfb", b"\x00"], &["WILL BINARY"], &["DO BINARY"]);
        check(&[b"\xff\xf4\xff\xf1"], &["IP", "NOP"], &["WONT TIMING-MARK"]);
        check(&[b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0x"], &["SB NAWS"], &[]);
        check(&[b"\xff\xfe\xc8"], &["DONT 200"], &[]);
        check(&[b"\xff\xff", b"\xffa"], &[], &[]);
    }

    #[test]
    fn many_commands_are_counted() {
        let (names, _, more) = seen(&[&b"\xff\xf1".repeat(100)]);
        assert_eq!((names.len(), more), (KEPT_COMMANDS, 100 - KEPT_COMMANDS));
    }

    #[test]
    fn nothing_is_kept_when_nobody_watches() {
        let mut telnet = Telnet::default();
        telnet.filter(&mut b"\xff\xf1".to_vec(), &mut Vec::new());
        assert!(telnet.take_seen().names.is_empty());
    }
}
