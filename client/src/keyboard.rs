//! A person in front of a server that knows no more than lines: what is typed in the
//! editor, a line at a time, and what arrives above it.
//!
//! Such a server may leave its lines without an end. What it has begun is the prompt
//! while it asks for a name, as it would be for somebody at `nc`; else it is shown as a
//! line of its own, once nothing more of it has come for a while, or before another
//! line goes out that was waiting.

use std::{collections::VecDeque, io, mem, sync::Arc, time::Instant};

use crossbeam_channel::Receiver;
use madang_protocol::{
    limits::LINE_BYTES,
    sanitize::{sanitize_line, sanitize_message},
    text::Lang,
};
use madang_terminal::{
    editor::{Ask, CANCEL_PATIENCE, Editor, Owner, Setup, Typed, UNASKED_LINES},
    screen::{AGAIN, Screen},
    style::{Palette, paint},
    tty_mode::Quiet,
};

use crate::{
    failure::Failure,
    history::History,
    input::{Line, LineError},
    unfinished::Unfinished,
    words::{Words, is_yes},
};

/// What has no end by then is shown as it is.
const UNFINISHED_BYTES: usize = 4 * 1_024;

/// The line that ends the conversation.
pub(crate) const QUIT: &str = "/quit";

/// Before what is typed, while the server has begun nothing.
const PROMPT: &str = "> ";

/// The line that is typed, and what has arrived.
pub(crate) struct Keyboard {
    screen: Arc<Screen>,
    editor: Editor,
    palette: Palette,
    lang: Lang,
    /// The editor has been asked for a line.
    asked: bool,
    /// What stands in the line that is asked for next.
    initial: String,
    /// Several lines; the user is asked whether they were meant.
    paste: Option<String>,
    /// Lines that were typed and not taken yet, and whether there will be more.
    lines: VecDeque<String>,
    ended: bool,
    /// Lines that were taken.
    count: u64,
    /// When Ctrl-C was pressed on an empty line, if nothing has been typed since.
    interrupted_at: Option<Instant>,
    unfinished: Unfinished,
    /// Dropped last: by then the editor has given back what it took.
    _quiet: Quiet,
}

impl Keyboard {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// It is none in which a line can be edited.
    pub(crate) fn open(lang: Lang, palette: Palette) -> io::Result<Keyboard> {
        let quiet = Quiet::start();
        let screen = Screen::new(palette);
        // What is said here is not written to the history: nothing tells what is private.
        let remembered = History::of_user().load();
        let setup = Setup { owner: Owner::Client, source: None, palette, remembered };
        let editor = Editor::start(&screen, setup)?;
        Ok(Keyboard {
            screen,
            editor,
            palette,
            lang,
            asked: false,
            initial: String::new(),
            paste: None,
            lines: VecDeque::new(),
            ended: false,
            count: 0,
            interrupted_at: None,
            unfinished: Unfinished::new(Instant::now()),
            _quiet: quiet,
        })
    }

    /// What is typed next, for [`take`](Self::take); the editor is asked for it.
    pub(crate) fn typed(&mut self) -> Receiver<Typed> {
        if !self.asked {
            self.asked = true;
            self.editor.ask(match &self.paste {
                Some(text) => {
                    Ask::Question(Words::AskPaste { lines: text.lines().count() }.text(self.lang))
                }
                None => Ask::Kept(mem::take(&mut self.initial)),
            });
        }
        self.editor.typed().clone()
    }

    /// Takes what was typed: lines, or the end of them.
    ///
    /// # Errors
    ///
    /// The keyboard can't be read, or Ctrl-C was pressed again.
    pub(crate) fn take(&mut self, typed: Typed) -> Result<(), Failure> {
        self.asked = false;
        let interrupted_at = self.interrupted_at.take();
        match (typed, self.paste.take()) {
            (Typed::Failed(error), _) => return Err(Failure::Stdin(error)),
            (Typed::Line(answer), Some(paste)) if is_yes(&answer) => self.add(&paste),
            (_, Some(paste)) => self.initial = paste,
            (Typed::Line(text), None) if text.trim_end().lines().count() > UNASKED_LINES => {
                self.paste = Some(text.trim_end().to_owned());
            }
            (Typed::Line(text), None) => self.add(&text),
            (Typed::Cancelled { text }, None) => self.initial = text,
            (Typed::End, None) => self.ended = true,
            (Typed::Interrupted { again }, None) => {
                if again || interrupted_at.is_some_and(|at| at.elapsed() < AGAIN) {
                    return Err(Failure::Interrupted);
                }
                self.interrupted_at = Some(Instant::now());
                self.remark(&Words::AgainToLeave.text(self.lang));
            }
        }
        Ok(())
    }

    fn add(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.lines.push_back(line.to_owned());
            if line.trim() == QUIT {
                self.ended = true;
                return;
            }
        }
    }

    /// The next line, if one has been typed.
    pub(crate) fn line(&mut self) -> Option<Line> {
        let text = self.lines.pop_front()?;
        self.count += 1;
        let text = match text.len() {
            bytes if bytes > LINE_BYTES => Err(LineError::TooLong { bytes }),
            _ => Ok(text),
        };
        Some(Line { number: self.count, text })
    }

    /// Whether lines wait to be sent.
    pub(crate) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Whether nothing more is to be typed.
    pub(crate) fn is_ending(&self) -> bool {
        self.ended
    }

    /// Whether no line will come any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended && self.lines.is_empty()
    }

    /// Shows what the server says: lines at once, what it has begun when it is clear
    /// what that is.
    pub(crate) fn show(&mut self, text: &str) {
        let lines = self.unfinished.add(&sanitize_message(text), Instant::now());
        self.screen.show(&lines);
        if self.unfinished.text().len() > UNFINISHED_BYTES {
            self.settle();
        }
    }

    /// A remark of the client's own.
    pub(crate) fn remark(&self, text: &str) {
        self.screen.show(&paint(self.palette.dim(), &sanitize_line(text)));
    }

    /// Whether so much waits to be shown that no more should be fetched for now.
    pub(crate) fn is_full(&self) -> bool {
        self.screen.is_full()
    }

    /// When what the server has begun has waited for long enough.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        self.unfinished.settles_at()
    }

    /// What the server has begun is a line; what is typed stands behind a prompt of
    /// our own.
    pub(crate) fn settle(&mut self) {
        self.screen.show(&self.unfinished.take());
        self.screen.set_prompt(PROMPT.into());
    }

    /// What the server has begun asks for what is typed.
    pub(crate) fn prompt(&self) {
        self.screen.set_prompt(self.unfinished.text().replace('\t', " "));
    }

    /// It has been answered, and stands above with the answer.
    pub(crate) fn answered(&mut self) {
        self.unfinished.take();
    }

    /// Gives the terminal back, with all that has arrived on it.
    pub(crate) fn close(&mut self) {
        if mem::take(&mut self.asked) {
            self.screen.cancel();
            // An editor that does not answer is busy for good; the process ends anyway.
            let _ = self.editor.typed().recv_timeout(CANCEL_PATIENCE);
        }
        self.screen.show(&self.unfinished.take());
        // What comes after the end is shown if it can be, and missed by nobody.
        let _ = self.screen.close();
    }
}
