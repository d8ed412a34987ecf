//! The terminal's content: lines that scroll by, and below them the prompt and the line being
//! typed.
//!
//! Two threads write to a terminal: the editor's while a line is typed, the printer's
//! otherwise. New lines wait here until one of them takes them. These rules keep them whole and
//! in order:
//!
//! 1. While a line is typed, what waits is put before the prompt whenever the editor
//!    paints the prompt, by nobody else and in no other way. The printer only wakes
//!    the editor, by an external print that itself shows nothing.
//! 2. While no line is typed, the printer writes under the lock under which a line
//!    begins and ends.
//! 3. The editor is woken at most once in [`PAUSE`]: a flood costs no more paintings
//!    than a screen can show, and an input method that composes a syllable at the
//!    cursor is left alone in between.
//!
//! Of a line taller than the screen, only as much of the end is painted as fits: what has
//! scrolled off can't be erased, so every repaint would leave a copy.
//!
//! While the editor reads keys for something else (a search, a page of completions), it prints
//! nothing. Callers that respect [`is_full`] then limit what waits.
//!
//! [`is_full`]: Screen::is_full

use std::{
    io::{self, Write as _},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    interrupts::EditorThread,
    layout::{end_that_fits, fills_row, rows_below, rows_wrapped_anew},
    prompt::{Pinned, Prompt},
    size::{terminal_size, wraps_anew},
    style::{Palette, paint},
    typing::{Interruption, TypedSoFar},
};

use state::State;

mod cover;
mod state;

/// A full screen sends no signal when it has space again; this is the pause before the next
/// look.
pub const FULL_PAUSE: Duration = Duration::from_millis(20);

/// The minimum time between two wake-ups of the editor.
const PAUSE: Duration = Duration::from_millis(25);

/// A second Ctrl-C within this time means more than the first.
pub const AGAIN: Duration = Duration::from_secs(5);

/// The limit for waiting lines. Only text that has already arrived goes beyond it.
const WAITING_BYTES: usize = 4 * 1_024 * 1_024;

/// An invisible print that wakes the editor: from the start of the prompt, one row up and one
/// down again.
pub(crate) const WAKE: &str = "\x1b[A\n";

/// The screen, shared by the threads.
pub struct Screen {
    state: Mutex<State>,
    changed: Condvar,
    palette: Palette,
}

impl Screen {
    /// An empty screen, with no line being typed.
    pub fn new(palette: Palette) -> Arc<Screen> {
        Arc::new(Screen { state: Mutex::default(), changed: Condvar::new(), palette })
    }

    /// Shows `text`, which must be whole lines and safe for a terminal. Returns at once.
    pub fn show(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.waiting.push_str(text);
        if !text.ends_with('\n') {
            state.waiting.push('\n');
        }
        self.changed.notify_all();
    }

    /// Rings the bell, with what waits to be shown.
    pub fn ring(&self) {
        let mut state = self.state.lock();
        if !state.closed {
            state.waiting.push('\x07');
            self.changed.notify_all();
        }
    }

    /// Whether so much text waits that nothing more should be read for now.
    pub fn is_full(&self) -> bool {
        self.state.lock().waiting.len() >= WAITING_BYTES
    }

    /// Changes the prompt: at once if its width stays the same, otherwise as soon as the line
    /// can be restarted.
    pub fn set_prompt(&self, prompt: String) {
        let mut state = self.state.lock();
        if state.prompt != prompt {
            state.prompt = prompt;
            self.changed.notify_all();
        }
    }

    /// Changes the row above the prompt, which must be safe for a terminal. A small terminal has
    /// none.
    pub fn pin(&self, pinned: Option<Pinned>) {
        let mut state = self.state.lock();
        if state.pinned != pinned {
            state.pinned = pinned;
            self.changed.notify_all();
        }
    }

    /// Ends the line being typed, or else the next one when it begins.
    pub fn cancel(&self) {
        let mut state = self.state.lock();
        match state.interruption {
            // The line is already ending. A second signal would hit the next line, or the
            // process, which would take it for Ctrl-C.
            Some(Interruption::NewPrompt) => state.interruption = Some(Interruption::Cancelled),
            Some(_) => {}
            None => {
                state.interruption = Some(Interruption::Cancelled);
                if let (true, true, Some(editor)) = (state.typing, state.painted, state.editor) {
                    editor.interrupt();
                }
            }
        }
    }

    /// Whether the line being typed should end without Enter.
    #[cfg(windows)]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.state.lock().interruption.is_some()
    }

    /// The line being typed.
    pub fn typed_so_far(&self) -> String {
        self.state.lock().typed.text.clone()
    }

    /// Ends the line being typed, waits for its end for at most `patience`, and writes
    /// everything that still waits. Nothing is printed after that.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn end(&self, patience: Duration) -> io::Result<()> {
        self.cancel();
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        while state.typing && !self.changed.wait_until(&mut state, deadline).timed_out() {}
        drop(state);
        self.close()
    }

    /// Writes everything that still waits. Nothing is printed after that.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn close(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.closed = true;
        self.changed.notify_all();
        state.show_usual_screen()?;
        write_out(&state.take_waiting())
    }

    /// The printer's loop, until the screen is closed. `wake` wakes the editor, and blocks
    /// while the editor is busy.
    fn print(&self, mut wake: impl FnMut() -> bool) {
        let mut printed_at = Instant::now().checked_sub(PAUSE);
        loop {
            let mut state = self.state.lock();
            while !state.closed
                && (state.covered || (state.waiting.is_empty() && !state.wants_painting()))
            {
                self.changed.wait(&mut state);
            }
            if state.closed {
                return;
            }
            let rest = printed_at.map_or(Duration::ZERO, |at| PAUSE.saturating_sub(at.elapsed()));
            if !rest.is_zero() {
                drop(state);
                thread::sleep(rest);
                printed_at = None;
                continue;
            }
            if state.typing {
                drop(state);
                if !wake() {
                    return;
                }
            } else if write_out(&state.take_waiting()).is_err() {
                // The editor will notice and report it.
                state.closed = true;
                return;
            }
            printed_at = Some(Instant::now());
        }
    }

    /// Starts the printer. `wake` fails when the editor is gone.
    ///
    /// # Errors
    ///
    /// The thread can't be started.
    pub(crate) fn start_printer(
        self: &Arc<Screen>,
        wake: impl FnMut() -> bool + Send + 'static,
    ) -> io::Result<()> {
        let screen = Arc::clone(self);
        thread::Builder::new().name("printer".into()).spawn(move || screen.print(wake))?;
        Ok(())
    }

    /// For the editor: begins a line with this text already typed, and returns its prompt. `None` if
    /// typing is over.
    pub(crate) fn begin_line(&self, question: Option<&str>, typed: &str) -> Option<String> {
        let mut state = self.state.lock();
        state.filled = None;
        if state.interruption.take() == Some(Interruption::Cancelled) {
            return None;
        }
        state.editor = Some(EditorThread::current());
        state.typing = true;
        state.painted = false;
        state.asking = question.is_some();
        state.typed = TypedSoFar { text: typed.to_owned(), ..TypedSoFar::default() };
        state.shown_prompt = match question {
            Some(question) => Prompt::new(question, None, terminal_size()),
            None => state.wanted_prompt(),
        };
        Some(state.shown_prompt.for_editor())
    }

    /// For the editor: what to paint in place of the prompt, for the line or for a prompt of
    /// the editor's `own`.
    pub(crate) fn paint_prompt(&self, own: Option<&str>) -> String {
        let mut state = self.state.lock();
        let is_first = !mem::replace(&mut state.painted, true);
        state.painted_columns = terminal_size().0;
        if is_first && state.interruption == Some(Interruption::Cancelled) {
            // It was cancelled before the editor could be interrupted.
            state.editor.inspect(|editor| editor.interrupt());
        }
        let mut painting = String::new();
        if state.filled.take().is_some_and(|size| size == terminal_size()) {
            // The line filled the whole screen, which has been cleared. But waking the editor
            // moved the cursor down, because it could not move up first.
            painting += "\x1b[H";
        }
        painting += &state.take_waiting();
        match own {
            Some(own) => {
                own.clone_into(&mut state.painted_prompt);
                painting += own;
            }
            None => {
                if state.prompt_is_old() {
                    let wanted = state.wanted_prompt();
                    if wanted.has_shape_of(&state.shown_prompt) {
                        state.shown_prompt = wanted;
                    } else if state.interruption.is_none() {
                        state.interruption = Some(Interruption::NewPrompt);
                        state.editor.inspect(|editor| editor.interrupt());
                    }
                }
                state.painted_prompt = state.shown_prompt.on_screen();
                if let Some(pinned) = &state.shown_prompt.pinned {
                    painting += &paint(self.palette.dim(), pinned);
                    painting.push('\n');
                }
                painting += &paint(self.palette.prompt(), &state.shown_prompt.text);
            }
        }
        painting
    }

    /// For the editor: what to paint of `line`, which must be safe for a terminal, if not all
    /// of it fits: the number of rows left out, after the prompt, then its end.
    pub(crate) fn fold(&self, line: &str) -> Option<String> {
        let mut state = self.state.lock();
        // The whole screen, because the editor clears all of it when it returns to the supposed
        // beginning of the line.
        let (columns, rows) = terminal_size();
        state.row_end = (state.typed.hint.is_empty()
            && fills_row(&state.painted_prompt, line, columns))
        .then_some(line.len());
        let (start, left_out) = end_that_fits(&state.painted_prompt, line, columns, rows)?;
        state.filled = Some((columns, rows));
        let mark = paint(self.palette.dim(), &format!("… +{left_out}"));
        Some(format!("{mark}\n{}", &line[start..]))
    }

    /// For the editor: handles Ctrl-C on `line`. Returns whether that ends it; if not, it must
    /// be cleared.
    pub(crate) fn ctrl_c(&self, line: &str) -> bool {
        let mut state = self.state.lock();
        if !line.is_empty() {
            state.cleared_at = Some(Instant::now());
            return false;
        }
        let again = state.cleared_at.take().is_some_and(|at| at.elapsed() < AGAIN);
        state.interrupt_by_key(Interruption::CtrlC { again });
        true
    }

    /// For the editor: handles Ctrl-Z with the cursor at this position, which ends the line.
    #[cfg(unix)]
    pub(crate) fn ctrl_z(&self, cursor: usize) {
        self.state.lock().interrupt_by_key(Interruption::Suspended { cursor });
    }

    /// For the editor: notes the text typed so far.
    pub(crate) fn note_typed(&self, text: &str, cursor: usize) {
        let mut state = self.state.lock();
        if !text.is_empty() {
            state.cleared_at = None;
        }
        if state.typed.text != text {
            text.clone_into(&mut state.typed.text);
        }
        state.typed.cursor = cursor;
    }

    /// For the editor, before it paints the line again: adjusts the cursor on a terminal that
    /// rewraps its rows when it is resized. There, the cursor has moved with the text, and the
    /// editor would clear too few rows, or rows above its own.
    pub(crate) fn follow_resize(&self) {
        let state = self.state.lock();
        let (columns, before) = (terminal_size().0, state.painted_columns);
        if !state.painted || columns == before || !wraps_anew() {
            return;
        }
        let TypedSoFar { text, cursor, hint } = &state.typed;
        let before_cursor = &text[..text.floor_char_boundary(*cursor)];
        let prompt = &state.painted_prompt;
        let old = rows_below(prompt, before_cursor, before);
        let row_end = state.row_end.filter(|at| before_cursor.is_char_boundary(*at));
        let is_at_end = before_cursor.len() == text.len() && hint.is_empty();
        let new = rows_wrapped_anew(prompt, before_cursor, row_end, is_at_end, columns);
        let moves = match new.checked_sub(old) {
            Some(more) => format!("\x1b[J{}", "\r\x1b[K\x1b[A".repeat(more.into())),
            None => "\n".repeat((old - new).into()),
        };
        // An error is met again by the painting.
        let _ = write_out(&moves);
    }

    /// For the editor: how many rows the line takes above the one where its text ends.
    pub(crate) fn rows_above_end(&self) -> u16 {
        let state = self.state.lock();
        let (columns, _) = terminal_size();
        rows_below(&state.shown_prompt.for_editor(), &state.typed.text, columns) - 1
    }

    /// For the editor: notes the hint after the text.
    pub(crate) fn note_hint(&self, hint: &str) {
        hint.clone_into(&mut self.state.lock().typed.hint);
    }

    /// For the editor: the line has ended, with the cursor below it. With `erase`, it is
    /// removed from the screen. Returns its text, and why it ended if not with Enter.
    pub(crate) fn end_line(
        &self,
        accepted: Option<&str>,
        erase: bool,
    ) -> (TypedSoFar, Option<Interruption>) {
        let mut state = self.state.lock();
        let typed = mem::take(&mut state.typed);
        let mut output = String::new();
        if erase || state.is_suspended() {
            let text = match accepted {
                Some(text) => text.to_owned(),
                None => format!("{}{}", typed.text, typed.hint),
            };
            let (columns, rows) = terminal_size();
            let rows = rows_below(&state.shown_prompt.for_editor(), &text, columns).min(rows);
            // Row by row: some terminals keep a copy of a screen that is cleared as a whole.
            output = "\x1b[A\x1b[2K".repeat(rows.into()) + "\r";
        }
        if state.is_suspended() {
            let _ = state.show_usual_screen();
        }
        if !state.covered {
            output += &mem::take(&mut state.waiting);
        }
        state.typing = false;
        self.changed.notify_all();
        // The next line will get the same error.
        let _ = write_out(&output);
        let interruption = state.interruption.take();
        if matches!(interruption, Some(Interruption::NewPrompt)) {
            // It will be restarted with this text, and has not been cancelled meanwhile.
            state.typed = typed.clone();
        }
        (typed, interruption)
    }
}

fn write_out(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(all(test, unix))]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::interrupts::is_own_interrupt;

    #[test]
    fn a_line_that_is_ending_already_is_not_interrupted_again() {
        // In place of the process's own handler, which ends the client.
        let (told, handled) = bounded(8);
        ctrlc::set_handler(move || told.send(is_own_interrupt()).expect("the test waits"))
            .expect("nobody else has set one");
        let screen = Screen::new(Palette::Plain);
        screen.begin_line(None, "").expect("the line begins");
        screen.paint_prompt(None);
        // It takes more columns, so the line is restarted.
        screen.set_prompt("[lobby 1] ".into());
        screen.paint_prompt(None);
        assert_eq!(handled.recv_timeout(Duration::from_secs(30)), Ok(true));
        // The cancelled line has ended by then, and nothing would handle a signal.
        screen.cancel();
        assert!(!is_own_interrupt() && handled.is_empty());
        assert_eq!(screen.end_line(None, false).1, Some(Interruption::Cancelled));
    }
}
