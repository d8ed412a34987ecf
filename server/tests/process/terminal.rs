//! A pseudo-terminal with the server, or a shell that starts it, in its foreground.

use std::{
    io::{ErrorKind, Write as _},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use expectrl::{Session, process::unix::WaitStatus, session::OsSession};
use rustix::process::Pid;

use crate::incoming::PATIENCE;

/// Between two looks at a terminal that shows nothing new.
const PAUSE: Duration = Duration::from_millis(2);

/// Stops what is in the foreground.
pub(crate) const CTRL_Z: &str = "\x1a";

/// Ends the input.
pub(crate) const CTRL_D: &str = "\x04";

/// What somebody sits at.
pub(crate) struct Terminal {
    session: OsSession,
    shown: String,
    /// How much of it a test has waited for.
    seen: usize,
    is_open: bool,
}

impl Terminal {
    /// Starts a program at a terminal of its own.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Terminal {
        let session = Session::spawn(command).expect("there are terminals");
        Terminal { session, shown: String::new(), seen: 0, is_open: true }
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.session.get_process().pid().as_raw()).expect("it is not zero")
    }

    /// Types exactly this.
    #[track_caller]
    pub(crate) fn type_in(&mut self, text: &str) {
        self.session.write_all(text.as_bytes()).expect("somebody has the terminal open");
        self.session.flush().expect("somebody has the terminal open");
    }

    /// Waits until `text` is shown, and returns what came before it. What was
    /// typed is not shown, and that the terminal ends lines with CR LF, neither.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.look();
            if let Some(at) = self.shown[self.seen..].find(text) {
                let before = self.shown[self.seen..self.seen + at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            let is_over = !self.is_open || Instant::now() >= deadline;
            assert!(!is_over, "no {text:?} behind byte {} of\n{}", self.seen, self.shown);
            thread::sleep(PAUSE);
        }
    }

    /// Types a line, and waits for what is shown behind it.
    #[track_caller]
    pub(crate) fn enter(&mut self, line: &str, answer: &str) {
        self.type_in(&format!("{line}\n"));
        self.expect(answer);
    }

    /// Waits for the end of the program: its exit code.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        while self.is_open {
            self.look();
            assert!(Instant::now() < deadline, "it has not ended:\n{}", self.shown);
            thread::sleep(PAUSE);
        }
        match self.session.get_process().wait() {
            Ok(WaitStatus::Exited(_, code)) => code,
            other => panic!("it ended with {other:?}:\n{}", self.shown),
        }
    }

    fn look(&mut self) {
        let mut buffer = [0; 4_096];
        loop {
            match self.session.try_read(&mut buffer) {
                Ok(0) => return self.is_open = false,
                Ok(count) => {
                    let text = String::from_utf8_lossy(&buffer[..count]);
                    self.shown.push_str(&text.replace("\r\n", "\n"));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A terminal whose other side has gone.
                Err(_) => return self.is_open = false,
            }
        }
    }
}
