//! The operator's line editor: the typed line stays whole below the console's lines, with
//! history and Tab. Used only if stdin and stdout are both a terminal that can do that.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{RecvError, RecvTimeoutError};
use madang_protocol::command::CommandSpec;
use madang_terminal::{
    completion::Source,
    editor::{self, Ask, Editor, Owner, Setup, Typed},
    screen::{FULL_PAUSE, Screen},
    style::Palette,
    tty_mode::restore_terminal,
};

use super::{
    Operator, Outcome, ShownCode,
    console::{STOP_PATIENCE, Streams},
};

/// How long the editor may take to end when the server stops.
const END_PATIENCE: Duration = Duration::from_millis(300);
const _: () = assert!(END_PATIENCE.as_millis() < STOP_PATIENCE.as_millis());

/// A terminal with a line editor.
pub struct Terminal {
    screen: Arc<Screen>,
    palette: Palette,
}

impl Terminal {
    /// The process's own, if a line can be edited there.
    pub fn find() -> Option<Terminal> {
        let palette = Palette::choose(None, &io::stdout());
        editor::is_possible().then(|| Terminal { screen: Screen::new(palette), palette })
    }

    /// The console's streams: they write above the typed line, diagnostics too if stderr is a
    /// terminal.
    pub fn streams(&self) -> Streams {
        let above = |ends_line| Above { screen: Arc::clone(&self.screen), ends_line };
        let err: Box<dyn Write + Send> = match io::stderr().is_terminal() {
            true => Box::new(above(false)),
            false => Box::new(io::stderr()),
        };
        Streams { out: Box::new(above(true)), err }
    }

    /// Reads lines and passes them to `operator`, until the input ends or the server is to stop.
    /// Blocks for all that time.
    ///
    /// # Errors
    ///
    /// The terminal can't be read.
    pub fn read(&self, operator: &Operator) -> io::Result<Outcome> {
        let operator = &operator.clone().with_code_place();
        let source: Arc<dyn Source> = Arc::new(Known(operator.clone()));
        let setup = Setup {
            owner: Owner::Server,
            source: Some(source),
            palette: self.palette,
            remembered: Vec::new(),
        };
        let editor = Editor::start(&self.screen, setup)?;
        let outcome = self.converse(&editor, operator);
        // The terminal handles echo and signals itself again.
        restore_terminal();
        outcome
    }

    fn converse(&self, editor: &Editor, operator: &Operator) -> io::Result<Outcome> {
        loop {
            let shown = operator.shown_code();
            if let Some(ShownCode { text, until, qr: Some(qr) }) = &shown {
                let typed = self.cover(editor, &format!("{qr}{text}\n"), *until);
                operator.hide_code();
                match take_typed(typed, operator) {
                    Some(outcome) => return outcome,
                    None => continue,
                }
            }
            self.screen.set_prompt(operator.prompt());
            let shown_until = shown.map(|code| code.until);
            // Text typed while the code is shown must not stay on the screen together with it.
            editor.ask(match shown_until {
                Some(_) => Ask::Line(String::new()),
                None => Ask::Kept(String::new()),
            });
            let typed = match shown_until {
                Some(until) => editor.typed().recv_deadline(until).or_else(|_| {
                    self.screen.set_prompt(operator.prompt());
                    editor.typed().recv()
                }),
                None => editor.typed().recv(),
            };
            let typed = typed.unwrap_or(Typed::End);
            if let Some(outcome) = take_typed(typed, operator) {
                return outcome;
            }
        }
    }

    /// Covers the screen with `text` until a line is typed or the time is up.
    fn cover(&self, editor: &Editor, text: &str, until: Instant) -> Typed {
        self.screen.cover(text);
        editor.ask(Ask::Question(String::new()));
        let typed = editor.typed().recv_deadline(until);
        let typed = typed.or_else(|error| match error {
            RecvTimeoutError::Timeout => {
                self.screen.cancel();
                match editor.typed().recv()? {
                    Typed::Cancelled { .. } => Ok(Typed::Line(String::new())),
                    typed => {
                        self.screen.forget_cancel();
                        Ok(typed)
                    }
                }
            }
            RecvTimeoutError::Disconnected => Err(RecvError),
        });
        self.screen.uncover();
        typed.unwrap_or(Typed::End)
    }
}

/// Runs what was typed; how the reading ends, if it does.
fn take_typed(typed: Typed, operator: &Operator) -> Option<io::Result<Outcome>> {
    match typed {
        Typed::Line(lines) => {
            // A paste may have several.
            let is_stopped = |line| operator.take_line(line) == Outcome::Stops;
            lines.split('\n').any(is_stopped).then_some(Ok(Outcome::Stops))
        }
        Typed::Interrupted { .. } => Some(Ok(Outcome::Stops)),
        Typed::Failed(error) => Some(Err(error)),
        Typed::End | Typed::Cancelled { .. } => Some(Ok(Outcome::GoesOn)),
    }
}

/// Writes above the typed line.
struct Above {
    screen: Arc<Screen>,
    /// Whether dropping it ends the editor.
    ends_line: bool,
}

impl Write for Above {
    /// Waits while the terminal is blocked; the console's channel bounds what piles up.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.screen.is_full() {
            thread::sleep(FULL_PAUSE);
        }
        self.screen.show(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        if self.ends_line {
            // A terminal that is gone shows nothing anyway.
            let _ = self.screen.end(END_PATIENCE);
        }
    }
}

/// The words for Tab: the operator's commands, all names, the public rooms.
struct Known(Operator);

impl Source for Known {
    fn may_use(&self, spec: &CommandSpec) -> bool {
        spec.is_operators()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.shared.users.sessions().iter().map(|it| it.name().to_string()).collect();
        names.sort_unstable();
        names
    }

    fn rooms(&self) -> Vec<String> {
        self.0.shared.rooms.public().iter().map(|room| room.name.to_string()).collect()
    }
}
