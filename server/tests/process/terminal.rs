//! A terminal with the server, or a shell that starts it, in its foreground: what is shown
//! is waited for line by line.

use std::{process::Command, thread, time::Duration, time::Instant};

use madang_tests::terminal::Terminal as Screen;
pub(crate) use madang_tests::terminal::{CTRL_C, CTRL_D, CTRL_Z, ENTER, TAB, UP};
use rustix::process::Pid;

use crate::incoming::PATIENCE;

/// Between two looks at a terminal that shows nothing new.
const PAUSE: Duration = Duration::from_millis(2);

/// Takes the line away.
pub(crate) const CTRL_U: &str = "\x15";

/// What stops a terminal, where no line is edited.
pub(crate) const CTRL_S: &str = "\x13";

/// What somebody sits at.
pub(crate) struct Terminal {
    pub(crate) screen: Screen,
    /// How much of what is and was on the screen a test has waited for.
    seen: usize,
}

impl Terminal {
    /// Starts a program at a terminal of its own, so wide that no line is broken.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Terminal {
        Terminal::start_sized(command, 160, 50)
    }

    /// The same in another size.
    #[track_caller]
    pub(crate) fn start_sized(mut command: Command, columns: u16, rows: u16) -> Terminal {
        // Whatever the test has not set is as on no terminal in particular.
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

    /// All lines that are on the screen or have scrolled off it.
    pub(crate) fn shown(&mut self) -> String {
        self.screen.look();
        self.screen.scrolled().join("\n") + "\n"
    }

    /// Waits until `text` is shown, and returns what stands between it and what was waited
    /// for last.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let was_open = self.screen.is_open();
            let shown = self.shown();
            // The line that is typed moves down as others come.
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

    /// Types a line, and waits for what is shown behind it.
    #[track_caller]
    pub(crate) fn enter(&mut self, line: &str, answer: &str) {
        self.screen.enter(line);
        self.expect(&format!("{line}\n"));
        self.expect(answer);
    }

    /// Waits for the end of the program: its exit code.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self) -> i32 {
        self.screen.ended()
    }
}
