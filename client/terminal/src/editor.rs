//! The line editor: a thread that reads the keyboard with rustyline, one line for each request.
//!
//! [`screen`](crate::screen) shows everything above the line, [`completion`] is for Tab.

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
    screen::{Screen, WAKE},
    size::terminal_size,
    style::{Palette, paint},
    tty_mode,
    typing::Interruption,
};

/// How many lines can be recalled, of earlier runs and this one.
pub const REMEMBERED_LINES: usize = 1_000;

/// The timeout for stopping the editor.
pub const CANCEL_PATIENCE: Duration = Duration::from_secs(1);

/// A paste of more lines than this needs a confirmation.
pub const UNASKED_LINES: usize = 5;

/// The owner of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// An interactive client: Ctrl-C first clears the line, then leaves. In the background, the
    /// process is stopped.
    Client,
    /// A server: Ctrl-C ends it at once. In the background, it keeps running and leaves the
    /// terminal alone.
    Server,
}

/// The settings of an editor.
pub struct Setup {
    /// Whose terminal it is.
    pub owner: Owner,
    /// The source for Tab; without one, nothing is completed.
    pub source: Option<Arc<dyn Source>>,
    /// The colours of prompt and hints.
    pub palette: Palette,
    /// Lines of earlier runs that can be recalled, oldest first.
    pub remembered: Vec<String>,
}

/// A request for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Text to say, after the screen's prompt. The line begins with this text.
    Line(String),
    /// The same, for a server that may not send it back: the line stays on the screen.
    Kept(String),
    /// The answer to a question, which stays on the screen.
    Question(String),
}

/// The result of a request.
#[derive(Debug)]
pub enum Typed {
    /// A line ended with Enter, or several pasted lines.
    Line(String),
    /// Ctrl-C; for a client, only on an empty line.
    Interrupted {
        /// Whether another Ctrl-C has just cleared the line.
        again: bool,
    },
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
    /// [`Screen::cancel`] was called.
    Cancelled {
        /// The text typed so far.
        text: String,
    },
    /// The keyboard can't be read.
    Failed(io::Error),
}

/// A handle to the editor's thread. The thread can't be joined: a read of the keyboard ends
/// with its line, or with the process.
pub struct Editor {
    asks: Sender<Ask>,
    typed: Receiver<Typed>,
    screen: Arc<Screen>,
}

impl Editor {
    /// Starts the editor's thread and the printer's.
    ///
    /// # Errors
    ///
    /// stdin or stdout is not a terminal, or one that can't edit lines.
    pub fn start(screen: &Arc<Screen>, setup: Setup) -> io::Result<Editor> {
        let Setup { owner, source, palette, remembered } = setup;
        let config = Config::builder()
            .max_history_size(REMEMBERED_LINES)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(into_io)?
            .completion_type(CompletionType::List)
            // Nothing is printed while the editor waits for the next key of a sequence, so it
            // must not wait.
            .completion_show_all_if_ambiguous(true)
            .completion_prompt_limit(usize::MAX)
            .bell_style(BellStyle::None)
            // This crate decides about colours, and does all highlighting.
            .color_mode(ColorMode::Forced)
            .build();
        let mut history = MemHistory::with_config(&config);
        for line in remembered {
            history.add_owned(line).map_err(into_io)?;
        }
        let mut rustyline = Rustyline::with_history(config, history).map_err(into_io)?;
        // Some terminals remove the overlay of an input method at the end of synchronized
        // output, and every repaint is one write anyway.
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
        #[cfg(windows)]
        rustyline.bind_sequence(
            interrupts::INTERRUPT_KEY,
            EventHandler::Conditional(Box::new(InterruptKey { screen: Arc::clone(screen) })),
        );
        rustyline.set_helper(Some(Helper { screen: Arc::clone(screen), source, palette }));

        let (asks, asked) = bounded(1);
        let (sender, typed) = bounded(1);
        let (screen, kept) = (Arc::clone(screen), Arc::clone(screen));
        thread::Builder::new().name("editor".into()).spawn(move || {
            for ask in asked {
                if sender.send(read(&mut rustyline, &screen, owner, ask)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Editor { asks, typed, screen: kept })
    }

    /// Requests one line. The result comes through [`typed`](Self::typed).
    pub fn ask(&self, ask: Ask) {
        if let Ask::Line(text) | Ask::Kept(text) = &ask {
            // Until the thread begins the line, too, that is what was typed so far.
            self.screen.note_typed(text, text.len());
        }
        // A thread that has ended has already sent its last result.
        let _ = self.asks.send(ask);
    }

    /// The results, one for each [`ask`](Self::ask).
    pub fn typed(&self) -> &Receiver<Typed> {
        &self.typed
    }
}

/// Whether stdin and stdout are a terminal that can edit lines.
pub fn is_possible() -> bool {
    let term = env::var("TERM").unwrap_or_default();
    let is_dumb = ["dumb", "cons25", "emacs"].contains(&&*term.to_lowercase());
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

/// Reads one line, restarting it whenever its prompt has to change.
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
        if owner == Owner::Server {
            tty_mode::take_foreground();
        }
        let typed = format!("{left}{right}");
        let Some(prompt) = screen.begin_line(question.as_deref(), &typed) else {
            return Typed::Cancelled { text: typed };
        };
        let result = editor.readline_with_initial(&prompt, (&left, &right));
        let accepted = result.as_ref().ok().map(String::as_str);
        // An empty line is not kept on the screen, and neither is one that is restarted.
        let says_something = accepted.is_some_and(|line| !line.trim().is_empty());
        let erase = question.is_none() && !(is_kept && says_something);
        let (typed, interruption) = screen.end_line(accepted, erase);
        if matches!(result, Err(ReadlineError::Interrupted)) {
            // A signal that arrived as the line was accepted is for the process to ignore.
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
                    // It is kept in memory, which can't fail.
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
            // A signal from outside has the effect of the key.
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

/// Ctrl-C clears a client's line, or ends an empty one. rustyline's own handling would lose
/// keys that were already typed after it.
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

/// Ctrl-Z ends the line, and stops the process after the terminal has been restored. rustyline
/// would stop the process in the middle of a line, but its thread may keep running for a moment
/// and take the terminal before the shell does.
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

/// The key that ends the line for another thread. It does nothing when a person presses it, or
/// when the line has already ended in another way.
#[cfg(windows)]
struct InterruptKey {
    screen: Arc<Screen>,
}

#[cfg(windows)]
impl ConditionalEventHandler for InterruptKey {
    fn handle(&self, _: &Event, _: u16, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        Some(if self.screen.is_interrupted() { Cmd::Interrupt } else { Cmd::Noop })
    }
}

/// The callbacks of rustyline while a line is typed, all on its thread.
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
        let above = self.screen.rows_above_end();
        completion::cut_to_screen(&mut candidates, columns, rows.saturating_sub(above));
        completion::end_with_rows(&mut candidates, columns, above);
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
        self.screen.follow_resize();
        self.screen.note_typed(line, cursor);
        let hint =
            self.source.as_ref().and_then(|source| completion::hint(&**source, line, cursor));
        self.screen.note_hint(hint.as_ref().map_or("", |hint| &hint.shown));
        hint
    }
}

impl Highlighter for Helper {
    /// Pasted control characters must not reach the terminal, and a line taller than the screen
    /// is not painted completely.
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

    /// Notes the position of the cursor; nothing has to be repainted.
    fn highlight_char(&self, line: &str, cursor: usize, _: CmdKind) -> bool {
        self.screen.note_typed(line, cursor);
        false
    }
}
