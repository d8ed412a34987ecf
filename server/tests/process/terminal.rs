//! A terminal with the server, or a shell that starts it, in the foreground; tests wait for its
//! output line by line.

use std::{process::Command, thread, time::Duration, time::Instant};

use madang_tests::terminal::Terminal as Screen;
pub(crate) use madang_tests::terminal::{CTRL_C, CTRL_D, CTRL_L, CTRL_Z, ENTER, TAB, UP};
use rustix::process::Pid;

use crate::incoming::PATIENCE;

/// The pause between two looks at an unchanged terminal.
const PAUSE: Duration = Duration::from_millis(2);

/// Erases the line.
pub(crate) const CTRL_U: &str = "\x15";

/// Stops a terminal's output where no line is edited (Ctrl-S).
pub(crate) const CTRL_S: &str = "\x13";

/// A terminal and the program in it.
pub(crate) struct Terminal {
    pub(crate) screen: Screen,
    /// How much of the screen and its scrollback a test has consumed.
    seen: usize,
}

impl Terminal {
    /// Starts a program in a terminal of its own, so wide that no line wraps.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Terminal {
        Terminal::start_sized(command, 160, 50)
    }

    /// The same in another size.
    #[track_caller]
    pub(crate) fn start_sized(mut command: Command, columns: u16, rows: u16) -> Terminal {
        // Whatever the test has not set is as on an ordinary terminal.
        let is_set = |command: &Command, variable: &str| {
            command.get_envs().any(|(name, _)| name == variable)
        };
        for variable in ["NO_COLOR", "COLORTERM", "TERM_PROGRAM", "TMUX", "VTE_VERSION"] {
            if !is_set(&command, variable) {
                command.env_remove(variable);
            }
        }
        if !is_set(&command, "TERM") {
            command.env("TERM", "xterm-256color");
        }
        Terminal { screen: Screen::start(command, columns, rows), seen: 0 }
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.screen.process()).expect("it is not zero")
    }

    /// Types exactly this.
    #[track_caller]
    pub(crate) fn type_in(&mut self, text: &str) {
        self.screen.type_text(text);
    }

    /// All lines on the screen or scrolled off it.
    pub(crate) fn shown(&mut self) -> String {
        self.screen.look();
        self.screen.scrolled().join("\n") + "\n"
    }

    /// Waits until `text` is shown, and returns what stands between it and the last awaited text.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let was_open = self.screen.is_open();
            let shown = self.shown();
            // The line being typed moves down as others arrive.
            let unseen = shown.get(self.seen..).unwrap_or_default();
            if let Some(at) = unseen.find(text) {
                let before = unseen[..at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            let is_over = !was_open || Instant::now() >= deadline;
            assert!(!is_over, "no {text:?} behind byte {} of\n{shown}", self.seen);
            thread::sleep(PAUSE);
        }
    }

    /// Types a line, and waits for what is shown after it.
    #[track_caller]
    pub(crate) fn enter(&mut self, line: &str, answer: &str) {
        self.screen.enter(line);
        self.expect(&format!("{line}\n"));
        self.expect(answer);
    }

    /// Waits for the end of the program; returns its exit code.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self) -> i32 {
        self.screen.ended()
    }
}
