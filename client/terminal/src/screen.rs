//! What the terminal shows: lines that scroll by above, and the prompt of the line
//! that is being typed below them.
//!
//! Two threads write to a terminal: the editor's while a line is typed, the
//! printer's while none is. What arrives waits here until one of them takes it, and
//! that is what keeps it whole and in order:
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
//! A line that is taller than the screen is painted as much of its end as fits: the
//! terminal could not take back what has scrolled off, and every painting would leave a
//! copy of it.
//!
//! While the editor reads keys for something else (a search, a page of completions)
//! it prints nothing; what waits is then bounded by whoever asks [`is_full`].
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
use terminal_size::{Height, Width};

use crate::{
    interrupts::EditorThread,
    layout::{columns_of, end_that_fits, hang, rows_below},
    style::{Palette, paint},
};

/// A screen that is full tells nobody when it no longer is: it is looked at so soon again.
pub const FULL_PAUSE: Duration = Duration::from_millis(20);

/// Time between two wakings of the editor.
const PAUSE: Duration = Duration::from_millis(25);

/// A second Ctrl-C within this time means more than the first.
pub const AGAIN: Duration = Duration::from_secs(5);

/// More waits only if it has come already.
const WAITING_BYTES: usize = 4 * 1_024 * 1_024;

/// What wakes the editor: nothing to be seen. It goes where the prompt began; from
/// there one row up, and one down again.
pub(crate) const WAKE: &str = "\x1b[A\n";

/// The screen that the threads share.
pub struct Screen {
    state: Mutex<State>,
    changed: Condvar,
    palette: Palette,
}

#[derive(Default)]
struct State {
    /// Whole lines that nobody has written yet.
    waiting: String,
    /// The prompt as it should be, and as it was when the line began.
    prompt: String,
    shown_prompt: String,
    /// What was painted where the prompt stands, the editor's own prompts too.
    painted_prompt: String,
    /// The size of the terminal, if the line was painted over all of it.
    filled: Option<(u16, u16)>,
    /// Who has typed the last line.
    editor: Option<EditorThread>,
    /// A line is being typed, from before its first painting to after its last.
    typing: bool,
    /// It answers a question, which stands where the prompt does.
    asking: bool,
    /// The first painting was: the editor has the terminal and its signals.
    painted: bool,
    /// What has been typed of it.
    typed: TypedSoFar,
    /// When Ctrl-C cleared the line, if nothing has been typed since.
    cleared_at: Option<Instant>,
    /// Why the line ends, if not with what was typed.
    interruption: Option<Interruption>,
    /// There is nobody to print for any more.
    closed: bool,
}

/// A line as far as it has been typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypedSoFar {
    pub text: String,
    /// Where the cursor stands, in bytes.
    pub cursor: usize,
    /// What the editor shows behind it.
    pub hint: String,
}

/// Why a line ends that was not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The prompt has another width now: begin again with what was typed.
    NewPrompt,
    /// Nothing is to be typed any more.
    Cancelled,
    /// Ctrl-C was pressed on an empty line.
    CtrlC {
        /// Right after one that had cleared it.
        again: bool,
    },
    /// Ctrl-Z was pressed: begin again with what was typed, when the shell lets us.
    #[cfg(unix)]
    Suspended {
        /// Where the cursor stood, in bytes.
        cursor: usize,
    },
}

impl Screen {
    /// An empty screen, with no line being typed.
    pub fn new(palette: Palette) -> Arc<Screen> {
        Arc::new(Screen { state: Mutex::default(), changed: Condvar::new(), palette })
    }

    /// Shows `text`, which is made of whole lines and fit for a terminal. Returns at once.
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

    /// Whether so much waits that no more should be fetched for now.
    pub fn is_full(&self) -> bool {
        self.state.lock().waiting.len() >= WAITING_BYTES
    }

    /// Changes the prompt, at once if nothing moves by it; else as soon as the line
    /// that is typed can be begun anew.
    pub fn set_prompt(&self, prompt: String) {
        let mut state = self.state.lock();
        if state.prompt != prompt {
            state.prompt = prompt;
            self.changed.notify_all();
        }
    }

    /// Ends the line that is being typed, or else the next one as it begins.
    pub fn cancel(&self) {
        let mut state = self.state.lock();
        match state.interruption {
            // The line ends already. A second signal would meet the next line, or the
            // process, which takes it for Ctrl-C.
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

    /// The line that is being typed, as far as it has come.
    pub fn typed_so_far(&self) -> String {
        self.state.lock().typed.text.clone()
    }

    /// Ends the line that is being typed, waits for that for so long, and writes what
    /// still waits. Nothing is printed after that.
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

    /// Writes what still waits. Nothing is printed after that.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn close(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.closed = true;
        self.changed.notify_all();
        write_out(&state.take_waiting())
    }

    /// The printer's work, until the screen is closed: `wake` wakes the editor, and
    /// blocks while it is busy.
    fn print(&self, mut wake: impl FnMut() -> bool) {
        let mut printed_at = Instant::now().checked_sub(PAUSE);
        loop {
            let mut state = self.state.lock();
            while !state.closed && state.waiting.is_empty() && !state.wants_painting() {
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
                // The editor will find out, and say so.
                state.closed = true;
                return;
            }
            printed_at = Some(Instant::now());
        }
    }

    /// Starts the printer. `wake` fails when there is no editor any more.
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

    /// Editor: a line begins; the prompt for it. `None` if nothing is to be typed any
    /// more.
    pub(crate) fn begin_line(&self, question: Option<&str>) -> Option<String> {
        let mut state = self.state.lock();
        state.filled = None;
        if state.interruption.take() == Some(Interruption::Cancelled) {
            return None;
        }
        state.editor = Some(EditorThread::current());
        state.typing = true;
        state.painted = false;
        state.asking = question.is_some();
        state.typed = TypedSoFar::default();
        state.shown_prompt = question.map_or_else(|| state.prompt.clone(), str::to_owned);
        Some(state.shown_prompt.clone())
    }

    /// Editor: what is to be painted where the prompt stands, for the line or, if
    /// the editor has a prompt of its `own`, for that.
    pub(crate) fn paint_prompt(&self, own: Option<&str>) -> String {
        let mut state = self.state.lock();
        let is_first = !mem::replace(&mut state.painted, true);
        if is_first && state.interruption == Some(Interruption::Cancelled) {
            // It was cancelled before there was anybody who could be interrupted.
            state.editor.inspect(|editor| editor.interrupt());
        }
        let mut painting = String::new();
        if state.filled.take().is_some_and(|size| size == terminal_size()) {
            // All of the screen was the line's, and has been cleared; but waking the editor
            // has moved the cursor, which could not go up, down.
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
                    if columns_of(&state.prompt) == columns_of(&state.shown_prompt) {
                        state.shown_prompt = state.prompt.clone();
                    } else if state.interruption.is_none() {
                        state.interruption = Some(Interruption::NewPrompt);
                        state.editor.inspect(|editor| editor.interrupt());
                    }
                }
                state.painted_prompt = state.shown_prompt.clone();
                painting += &paint(self.palette.prompt(), &state.shown_prompt);
            }
        }
        painting
    }

    /// Editor: what is to be painted of `line`, which has nothing that a terminal obeys,
    /// if that can't be all of it: behind the prompt how much is left out, then its end.
    pub(crate) fn fold(&self, line: &str) -> Option<String> {
        let mut state = self.state.lock();
        // All of the screen, as the editor clears all of it when it goes back to where it
        // believes that the line began.
        let (columns, rows) = terminal_size();
        let (start, left_out) = end_that_fits(&state.painted_prompt, line, columns, rows)?;
        state.filled = Some((columns, rows));
        let mark = paint(self.palette.dim(), &format!("… +{left_out}"));
        Some(format!("{mark}\n{}", &line[start..]))
    }

    /// Editor: Ctrl-C was pressed on `line`. Whether that ends it; else it is to be
    /// cleared.
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

    /// Editor: Ctrl-Z was pressed with the cursor there; that ends the line.
    #[cfg(unix)]
    pub(crate) fn ctrl_z(&self, cursor: usize) {
        self.state.lock().interrupt_by_key(Interruption::Suspended { cursor });
    }

    /// Editor: what has been typed by now.
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

    /// Editor: what it shows behind what has been typed.
    pub(crate) fn note_hint(&self, hint: &str) {
        hint.clone_into(&mut self.state.lock().typed.hint);
    }

    /// Editor: the line has ended, and the cursor stands below it. If `erase`, it is taken
    /// off the screen. Tells how far it had come, and whether it was we who ended it.
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
            let rows = rows_below(&state.shown_prompt, &text, columns).min(rows);
            // Row by row: some terminals keep a copy of a screen that is cleared as a whole.
            output = "\x1b[A\x1b[2K".repeat(rows.into()) + "\r";
        }
        output += &mem::take(&mut state.waiting);
        state.typing = false;
        self.changed.notify_all();
        // An error is met again by the next line.
        let _ = write_out(&output);
        (typed, state.interruption.take())
    }
}

impl State {
    /// What waits to be shown, as this terminal shows it.
    fn take_waiting(&mut self) -> String {
        hang(&mem::take(&mut self.waiting), terminal_size().0).into_owned()
    }

    /// A key has ended the line: also one that was to begin anew, which comes with it.
    fn interrupt_by_key(&mut self, interruption: Interruption) {
        if self.interruption != Some(Interruption::Cancelled) {
            self.interruption = Some(interruption);
        }
    }

    /// Whether the line was accepted for the sake of Ctrl-Z alone, and begins anew.
    fn is_suspended(&self) -> bool {
        match self.interruption {
            #[cfg(unix)]
            Some(Interruption::Suspended { .. }) => true,
            _ => false,
        }
    }

    fn prompt_is_old(&self) -> bool {
        !self.asking && self.prompt != self.shown_prompt
    }

    /// Whether the editor has to paint though nothing waits to be shown.
    fn wants_painting(&self) -> bool {
        self.typing && self.painted && self.prompt_is_old() && self.interruption.is_none()
    }
}

/// The columns and rows of the terminal, as the editor reckons where it has none.
pub fn terminal_size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or((80, u16::MAX), |(Width(columns), Height(rows))| (columns, rows))
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
        // Stands for the process's own handler, which ends the client.
        let (told, handled) = bounded(8);
        ctrlc::set_handler(move || told.send(is_own_interrupt()).expect("the test waits"))
            .expect("nobody else has set one");
        let screen = Screen::new(Palette::Plain);
        screen.begin_line(None).expect("the line begins");
        screen.paint_prompt(None);
        // It takes more columns: the line begins anew.
        screen.set_prompt("[lobby 1] ".into());
        screen.paint_prompt(None);
        assert_eq!(handled.recv_timeout(Duration::from_secs(30)), Ok(true));
        // The line that is cancelled has ended by then, and nobody would take a signal.
        screen.cancel();
        assert!(!is_own_interrupt() && handled.is_empty());
        assert_eq!(screen.end_line(None, false).1, Some(Interruption::Cancelled));
    }
}
