//! The exit codes of the process.

use std::process;

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything was done, or the reader of stdout went away.
    Done = 0,
    /// Some lines were not delivered, or stdin or stdout failed.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The server could not be reached, or its certificate is not trusted.
    NotConnected = 3,
    /// The server refused the name.
    NameRefused = 4,
    /// The server went away, or ended the connection.
    Lost = 5,
    /// The room to begin in can't be entered.
    RoomRefused = 6,
    /// Everything was delivered, but the server could not save some lines on its disk.
    NotSaved = 7,
    /// Ctrl-C, by the convention of shells: 128 + SIGINT.
    Interrupted = 130,
}

/// The table for `--help`, as a literal.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
    0  done (also when the reader of the output has gone)
    1  failed: a line was not delivered, or stdin or stdout could not be used
    2  wrong usage
    3  could not connect
    4  name refused
    5  connection lost
    6  room not entered: it is gone, locked or full
    7  a line was delivered, but the server could not save it
  130  ended by Ctrl-C"
    };
}

pub(crate) use exit_codes;

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> process::ExitCode {
        process::ExitCode::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code() {
        let listed: Vec<u8> = exit_codes!()
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        use ExitCode::*;
        let codes = [
            Done,
            Failed,
            Usage,
            NotConnected,
            NameRefused,
            Lost,
            RoomRefused,
            NotSaved,
            Interrupted,
        ];
        assert_eq!(listed, codes.map(|code| code as u8));
    }
}
