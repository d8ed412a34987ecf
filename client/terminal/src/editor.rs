//! The line being typed: one thread that reads the keyboard with rustyline, one line
//! for each time it is asked for one.
//!
//! What is shown meanwhile is [`screen`](crate::screen)'s, what Tab knows is
//! [`completion`]'s.

use std::{
    borrow::Cow,
    env,
    io::{self, IsTerminal as _},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Context, Editor as Rustyline, Event,
    EventContext, EventHandler, ExternalPrinter as _, KeyEvent, Movement,
    completion::{Completer, Pair},
    config::{BellStyle, ColorMode, Configurer as _},
    error::ReadlineError,
    highlight::{CmdKind, Highlighter},
    hint::Hinter,
    history::{History as _, MemHistory},
    validate::Validator,
};

use crate::{
    completion::{self, Hint, Source},
    interrupts,
    screen::{Interruption, Screen, WAKE, terminal_size},
    style::{Palette, paint},
    tty_mode,
};

/// Lines of earlier runs and of this one that can be called back.
pub const REMEMBERED_LINES: usize = 1_000;

/// How long the editor may take to end its line.
pub const CANCEL_PATIENCE: Duration = Duration::from_secs(1);

/// A paste of more lines is asked about.
pub const UNASKED_LINES: usize = 5;

/// Whose terminal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A program that is nothing without it: Ctrl-C clears the line before it leaves, and
    /// what is in the background is stopped there.
    Client,
    /// One that runs with it or without: Ctrl-C ends the program at once, and in the
    /// background it runs on and leaves the terminal alone.
    Server,
}

/// What an editor is started with.
pub struct Setup {
    /// Whose terminal it is.
    pub owner: Owner,
    /// What Tab completes; nothing without one.
    pub source: Option<Arc<dyn Source>>,
    /// How the prompt and hints are painted.
    pub palette: Palette,
    /// Lines of earlier runs that can be called back, oldest first.
    pub remembered: Vec<String>,
}

/// Asks for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Something to say, behind the screen's prompt; what stands there already, before
    /// the cursor.
    Line(String),
    /// The same, but for a server that may not show it again: it stays on the screen.
    Kept(String),
    /// The answer to a question, which stays on the screen.
    Question(String),
}

/// What came of it.
#[derive(Debug)]
pub enum Typed {
    /// A line, and Enter; several lines if they were pasted.
    Line(String),
    /// Ctrl-C; a client's only with nothing to clear.
    Interrupted {
        /// Whether a Ctrl-C just before had cleared the line.
        again: bool,
    },
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
    /// [`Screen::cancel`] was called.
    Cancelled {
        /// What had been typed.
        text: String,
    },
    /// The keyboard can't be read.
    Failed(io::Error),
}

/// The editor's thread, as others see it. It can't be joined: a read of the keyboard
/// ends with its line, or with the process.
pub struct Editor {
    asks: Sender<Ask>,
    typed: Receiver<Typed>,
}

impl Editor {
    /// Starts the thread, and the one that prints above its line.
    ///
    /// # Errors
    ///
    /// stdin or stdout is no terminal, or not one in which a line can be edited.
    pub fn start(screen: &Arc<Screen>, setup: Setup) -> io::Result<Editor> {
        let Setup { owner, source, palette, remembered } = setup;
        let config = Config::builder()
            .max_history_size(REMEMBERED_LINES)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(into_io)?
            .completion_type(CompletionType::List)
            // Nothing is printed while more keys are waited for, so none are.
            .completion_show_all_if_ambiguous(true)
            .completion_prompt_limit(usize::MAX)
            .bell_style(BellStyle::None)
            // Whether there are colours is our own business, and all painting is ours.
            .color_mode(ColorMode::Forced)
            .build();
        let mut history = MemHistory::with_config(&config);
        for line in remembered {
            history.add_owned(line).map_err(into_io)?;
        }
        let mut rustyline = Rustyline::with_history(config, history).map_err(into_io)?;
        // Some terminals take the overlay of an input method away when a frame of
        // synchronized output ends, and a painting is one write anyway.
        rustyline.enable_synchronized_output(false);
        let mut printer = rustyline.create_external_printer().map_err(into_io)?;
        screen.start_printer(move || printer.print(WAKE.into()).is_ok())?;
        let ctrl_c = CtrlC { screen: Arc::clone(screen), owner };
        rustyline.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ctrl_c)));
        #[cfg(unix)]
        {
            let ctrl_z = CtrlZ { screen: Arc::clone(screen) };
            let ctrl_z = EventHandler::Conditional(Box::new(ctrl_z));
            rustyline.bind_sequence(KeyEvent::ctrl('Z'), ctrl_z);
        }
        rustyline.set_helper(Some(Helper { screen: Arc::clone(screen), source, palette }));

        let (asks, asked) = bounded(1);
        let (sender, typed) = bounded(1);
        let screen = Arc::clone(screen);
        thread::Builder::new().name("editor".into()).spawn(move || {
            for ask in asked {
                if sender.send(read(&mut rustyline, &screen, owner, ask)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Editor { asks, typed })
    }

    /// Asks for one line. It comes, or why there is none, as [`typed`](Self::typed).
    pub fn ask(&self, ask: Ask) {
        // A thread that has ended has told its last.
        let _ = self.asks.send(ask);
    }

    /// What was typed, one for each [`ask`](Self::ask).
    pub fn typed(&self) -> &Receiver<Typed> {
        &self.typed
    }
}

/// Whether stdin and stdout are a terminal on which a line can be edited.
pub fn is_possible() -> bool {
    let term = env::var("TERM").unwrap_or_default();
    let is_dumb = ["dumb", "cons25", "emacs"].contains(&&*term.to_lowercase());
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

/// Reads one line, beginning it anew whenever its prompt has to change.
fn read(
    editor: &mut Rustyline<Helper, MemHistory>,
    screen: &Screen,
    owner: Owner,
    ask: Ask,
) -> Typed {
    let (question, mut left, is_kept) = match ask {
        Ask::Line(text) => (None, text, false),
        Ask::Kept(text) => (None, text, true),
        Ask::Question(question) => (Some(question), String::new(), true),
    };
    let mut right = String::new();
    loop {
        #[cfg(unix)]
        if owner == Owner::Server {
            tty_mode::take_foreground();
        }
        let Some(prompt) = screen.begin_line(question.as_deref()) else {
            return Typed::Cancelled { text: left + &right };
        };
        let result = editor.readline_with_initial(&prompt, (&left, &right));
        let accepted = result.as_ref().ok().map(String::as_str);
        // One that says nothing stays nowhere; nor does one that begins anew.
        let says_something = accepted.is_some_and(|line| !line.trim().is_empty());
        let erase = question.is_none() && !(is_kept && says_something);
        let (typed, interruption) = screen.end_line(accepted, erase);
        if matches!(result, Err(ReadlineError::Interrupted)) {
            // One that came as the line was accepted is the process's to pass over.
            interrupts::forget_own_interrupt();
        }
        match (result, interruption) {
            (Ok(_), Some(Interruption::CtrlC { again })) => return Typed::Interrupted { again },
            #[cfg(unix)]
            (Ok(line), Some(Interruption::Suspended { cursor })) => {
                tty_mode::suspend();
                if owner == Owner::Client {
                    tty_mode::quieten();
                }
                let (before, behind) = line.split_at(line.floor_char_boundary(cursor));
                (left, right) = (before.to_owned(), behind.to_owned());
            }
            (Ok(line), _) => {
                if question.is_none() && says_something {
                    // It is kept in memory, where nothing can fail.
                    let _ = editor.add_history_entry(line.as_str());
                }
                return Typed::Line(line);
            }
            (Err(ReadlineError::Interrupted), Some(Interruption::NewPrompt)) => {
                let cursor = typed.text.floor_char_boundary(typed.cursor);
                let (before, behind) = typed.text.split_at(cursor);
                (left, right) = (before.to_owned(), behind.to_owned());
            }
            (Err(ReadlineError::Interrupted), Some(Interruption::Cancelled)) => {
                return Typed::Cancelled { text: typed.text };
            }
            // A signal from outside does what the key does.
            (Err(ReadlineError::Interrupted), _) => {
                return Typed::Interrupted { again: false };
            }
            (Err(ReadlineError::Eof), _) => return Typed::End,
            (Err(error), _) => return Typed::Failed(into_io(error)),
        }
    }
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        #[cfg(unix)]
        ReadlineError::Errno(errno) => io::Error::from_raw_os_error(errno as i32),
        other => io::Error::other(other.to_string()),
    }
}

/// Ctrl-C clears a client's line, or ends an empty one. It is not left to rustyline, whose
/// interrupts forget what has been typed behind them already.
struct CtrlC {
    screen: Arc<Screen>,
    owner: Owner,
}

impl ConditionalEventHandler for CtrlC {
    fn handle(&self, _: &Event, _: u16, _: bool, line: &EventContext<'_>) -> Option<Cmd> {
        let to_clear = if self.owner == Owner::Client { line.line() } else { "" };
        if self.screen.ctrl_c(to_clear) {
            Some(Cmd::AcceptLine)
        } else {
            Some(Cmd::Kill(Movement::WholeBuffer))
        }
    }
}

/// Ctrl-Z ends the line, and stops the process when the terminal has been given back.
/// rustyline would have it stopped in the middle of a line; but of several threads its
/// own may run on for a moment, and takes the terminal before the shell does.
#[cfg(unix)]
struct CtrlZ {
    screen: Arc<Screen>,
}

#[cfg(unix)]
impl ConditionalEventHandler for CtrlZ {
    fn handle(&self, _: &Event, _: u16, _: bool, line: &EventContext<'_>) -> Option<Cmd> {
        self.screen.ctrl_z(line.pos());
        Some(Cmd::AcceptLine)
    }
}

/// What rustyline asks while a line is typed; all on its own thread.
struct Helper {
    screen: Arc<Screen>,
    source: Option<Arc<dyn Source>>,
    palette: Palette,
}

impl rustyline::Helper for Helper {}

impl Validator for Helper {}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some(source) = &self.source else {
            return Ok((cursor, Vec::new()));
        };
        let (start, mut candidates) = completion::complete(&**source, line, cursor);
        let (columns, rows) = terminal_size();
        completion::cut_to_screen(&mut candidates, columns, rows);
        let pairs = candidates
            .into_iter()
            .map(|candidate| Pair { display: candidate.shown, replacement: candidate.replacement });
        Ok((start, pairs.collect()))
    }
}

impl rustyline::hint::Hint for Hint {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.completion.as_deref()
    }
}

impl Hinter for Helper {
    type Hint = Hint;

    fn hint(&self, line: &str, cursor: usize, _: &Context<'_>) -> Option<Hint> {
        self.screen.note_typed(line, cursor);
        let hint =
            self.source.as_ref().and_then(|source| completion::hint(&**source, line, cursor));
        self.screen.note_hint(hint.as_ref().map_or("", |hint| &hint.shown));
        hint
    }
}

impl Highlighter for Helper {
    /// Controls that were pasted are not for the terminal to obey, and a line taller than
    /// it is not painted whole.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let is_unwanted = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        let fit = match line.contains(is_unwanted) {
            true => Cow::Owned(line.replace(is_unwanted, "")),
            false => Cow::Borrowed(line),
        };
        self.screen.fold(&fit).map_or(fit, Cow::Owned)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        is_default: bool,
    ) -> Cow<'b, str> {
        Cow::Owned(self.screen.paint_prompt((!is_default).then_some(prompt)))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(paint(self.palette.dim(), hint))
    }

    /// Tells where the cursor is; nothing is to be painted anew for it.
    fn highlight_char(&self, line: &str, cursor: usize, _: CmdKind) -> bool {
        self.screen.note_typed(line, cursor);
        false
    }
}
