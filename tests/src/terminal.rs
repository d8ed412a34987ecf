//! A program on a pseudo-terminal. Tests read the screen as a person sees it.

use std::{
    io::{ErrorKind, Write as _},
    num::NonZeroU16,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use expectrl::{Session, process::unix::WaitStatus, session::OsSession};
use rustix::process::{Pid, Signal, kill_process};

use crate::{DEADLINE, program::spawn_alone};

/// Enter.
pub const ENTER: &str = "\r";
/// Interrupts.
pub const CTRL_C: &str = "\x03";
/// Ends the input.
pub const CTRL_D: &str = "\x04";
/// Searches earlier lines.
pub const CTRL_R: &str = "\x12";
/// Clears the screen.
pub const CTRL_L: &str = "\x0c";
/// Suspends.
pub const CTRL_Z: &str = "\x1a";
/// Completes a word.
pub const TAB: &str = "\t";
/// Deletes the character before the cursor.
pub const BACKSPACE: &str = "\x7f";
/// Goes to the end of the line.
pub const END: &str = "\x05";
/// Goes a character to the left.
pub const LEFT: &str = "\x1b[D";
/// Recalls the previous line.
pub const UP: &str = "\x1b[A";

/// The pause between two looks at a terminal that shows nothing new.
const PAUSE: Duration = Duration::from_millis(2);

/// How many lines above the screen are kept.
const SCROLLBACK: usize = 10_000;

/// A terminal with a running program.
pub struct Terminal {
    session: OsSession,
    parser: vt100::Parser,
    raw: Vec<u8>,
    /// How much of the output has been waited for.
    seen: usize,
    is_open: bool,
}

impl Terminal {
    /// Starts a program in a terminal of its own.
    #[track_caller]
    pub fn start(command: Command, columns: u16, rows: u16) -> Terminal {
        let session = spawn_alone(|| Session::spawn(command));
        let mut session = session.expect("there are terminals");
        session.get_process_mut().set_window_size(columns, rows).expect("it is a terminal");
        let parser = vt100::Parser::new(size(rows), size(columns), SCROLLBACK);
        Terminal { session, parser, raw: Vec::new(), seen: 0, is_open: true }
    }

    /// The process that was started.
    pub fn process(&self) -> i32 {
        self.session.get_process().pid().as_raw()
    }

    /// Types exactly `text`.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        self.session.write_all(text.as_bytes()).expect("the program is there");
        self.session.flush().expect("the program is there");
    }

    /// Types a line and Enter.
    #[track_caller]
    pub fn enter(&mut self, line: &str) {
        self.type_text(line);
        self.type_text(ENTER);
    }

    /// Pastes in the way of a terminal with bracketed paste.
    #[track_caller]
    pub fn paste(&mut self, text: &str) {
        let keys = text.replace('\n', "\r");
        self.type_text(&format!("\x1b[200~{keys}\x1b[201~"));
    }

    /// Changes the size of the window.
    #[track_caller]
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.look();
        self.parser.screen_mut().set_size(size(rows), size(columns));
        let process = self.session.get_process_mut();
        process.set_window_size(columns, rows).expect("it is a terminal");
    }

    /// Waits until `wanted` is true for the screen.
    #[track_caller]
    pub fn expect_screen(&mut self, what: &str, wanted: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.look();
            let rows = self.rows();
            if wanted(&rows) {
                return;
            }
            assert!(Instant::now() < deadline, "no {what} on\n{}", rows.join("\n"));
            assert!(self.is_open(), "the program ended without {what} on\n{}", rows.join("\n"));
            thread::sleep(PAUSE);
        }
    }

    /// Waits until `wanted` is true for all rows, including those that have scrolled off.
    #[track_caller]
    pub fn expect_scrolled(&mut self, what: &str, wanted: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.look();
            let rows = self.scrolled();
            if wanted(&rows) {
                return;
            }
            assert!(Instant::now() < deadline, "no {what} in\n{}", rows.join("\n"));
            thread::sleep(PAUSE);
        }
    }

    /// Waits until some row of the screen is `row`.
    #[track_caller]
    pub fn expect_row(&mut self, row: &str) {
        self.expect_screen(&format!("{row:?}"), |rows| rows.iter().any(|shown| shown == row));
    }

    /// Waits until the last rows of the screen are `last`.
    #[track_caller]
    pub fn expect_last(&mut self, last: &[&str]) {
        self.expect_screen(&format!("{last:?}"), |rows| {
            rows.len() >= last.len() && rows[rows.len() - last.len()..] == *last
        });
    }

    /// Waits until the cursor is in this column, counted from 0: it may get there after the
    /// last row is painted.
    #[track_caller]
    pub fn expect_cursor(&mut self, column: u16) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.look();
            let (_, at) = self.parser.screen().cursor_position();
            if at == column {
                return;
            }
            let shown = || self.rows().join("\n");
            assert!(Instant::now() < deadline, "the cursor is in column {at}:\n{}", shown());
            thread::sleep(PAUSE);
        }
    }

    /// The rows of the screen, without empty ones at the end.
    pub fn rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        let (_, columns) = screen.size();
        let mut rows: Vec<String> =
            screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        let last = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
        rows.truncate(last);
        rows
    }

    /// All rows from the top, including those that have scrolled off.
    pub fn scrolled(&mut self) -> Vec<String> {
        let (height, _) = self.parser.screen().size();
        self.parser.screen_mut().set_scrollback(usize::MAX);
        let mut offset = self.parser.screen().scrollback();
        let mut rows = Vec::new();
        while offset > 0 {
            self.parser.screen_mut().set_scrollback(offset);
            let taken = offset.min(usize::from(height.get()));
            rows.extend(self.all_rows().into_iter().take(taken));
            offset -= taken;
        }
        self.parser.screen_mut().set_scrollback(0);
        rows.extend(self.rows());
        rows
    }

    fn all_rows(&self) -> Vec<String> {
        let (_, columns) = self.parser.screen().size();
        let rows = self.parser.screen().rows(0, columns.get());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// The cell at this row and column.
    pub fn cell(&self, row: u16, column: u16) -> vt100::Cell {
        self.parser.screen().cell(row, column).expect("it is on the screen").clone()
    }

    /// Everything that was written to the terminal.
    pub fn raw(&mut self) -> String {
        self.look();
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// Waits until `text` has been written, after the text that was waited for before.
    #[track_caller]
    pub fn expect_raw(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.look();
            let unseen = &self.raw[self.seen..];
            let found = unseen.windows(text.len()).position(|bytes| bytes == text.as_bytes());
            if let Some(at) = found {
                self.seen += at + text.len();
                return;
            }
            assert!(Instant::now() < deadline, "no {text:?} in {}", self.raw());
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the bell has rung this often since the start, and not more often.
    ///
    /// # Panics
    ///
    /// If it has not, or rings more often.
    #[track_caller]
    pub fn expect_bells(&mut self, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.look();
            let bells = self.raw.iter().filter(|byte| **byte == 0x07).count();
            if bells >= count {
                assert_eq!(bells, count, "it rang too often: {}", self.raw());
                return;
            }
            assert!(Instant::now() < deadline, "{bells} bells, not {count}: {}", self.raw());
            thread::sleep(PAUSE);
        }
    }

    /// Reads what has been written so far.
    pub fn look(&mut self) {
        let mut buffer = [0; 4_096];
        loop {
            match self.session.try_read(&mut buffer) {
                Ok(0) => return self.is_open = false,
                Ok(count) => {
                    self.raw.extend_from_slice(&buffer[..count]);
                    self.parser.process(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The other side of the terminal is gone.
                Err(_) => return self.is_open = false,
            }
        }
    }

    /// Whether the program, or a child of it, still has the terminal open.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Waits for the end of the process and returns its exit code.
    #[track_caller]
    pub fn ended(&mut self) -> i32 {
        match self.wait_for_end() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("the program ended with {other:?}"),
        }
    }

    /// Kills the process, and waits until it is gone.
    #[track_caller]
    pub fn kill(&mut self) {
        let process = Pid::from_raw(self.process()).expect("it is not zero");
        kill_process(process, Signal::KILL).expect("it runs");
        self.wait_for_end();
    }

    #[track_caller]
    fn wait_for_end(&mut self) -> WaitStatus {
        let deadline = Instant::now() + DEADLINE;
        while self.is_open {
            self.look();
            let shown = || self.rows().join("\n");
            assert!(Instant::now() < deadline, "the program has not ended:\n{}", shown());
            thread::sleep(PAUSE);
        }
        self.session.get_process().wait().expect("it is a child of ours")
    }
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("every terminal has a size")
}
