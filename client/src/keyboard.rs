//! A person at a terminal, with a server that speaks only lines: lines are typed in the editor,
//! and what arrives is shown above it.
//!
//! Such a server may send text without a line end. While it asks for a name, that text is the
//! prompt, as in `nc`. Otherwise it is shown as a line of its own, once nothing more has come
//! for a while, or before a waiting line is sent.

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

/// Text without a line end is shown as it is after this time.
const UNFINISHED_BYTES: usize = 4 * 1_024;

/// The line that ends the conversation.
pub(crate) const QUIT: &str = "/quit";

/// The prompt while the server has not begun a line.
const PROMPT: &str = "> ";

/// The line being typed, and the text that has arrived.
pub(crate) struct Keyboard {
    screen: Arc<Screen>,
    editor: Editor,
    palette: Palette,
    lang: Lang,
    /// The editor is reading a line.
    asked: bool,
    /// The text that the next line begins with.
    initial: String,
    /// Several pasted lines; the user is asked whether to send them.
    paste: Option<String>,
    /// Typed lines that have not been taken yet, and whether more will come.
    lines: VecDeque<String>,
    ended: bool,
    /// The number of lines taken.
    count: u64,
    /// When Ctrl-C was pressed on an empty line, if nothing has been typed since.
    interrupted_at: Option<Instant>,
    unfinished: Unfinished,
    /// Dropped last, when the editor has given the terminal back.
    _quiet: Quiet,
}

impl Keyboard {
    /// Takes over the terminal.
    ///
    /// # Errors
    ///
    /// The terminal can't edit lines.
    pub(crate) fn open(lang: Lang, palette: Palette) -> io::Result<Keyboard> {
        let quiet = Quiet::start();
        let screen = Screen::new(palette);
        // Nothing goes to the history: the client can't know what is private here.
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

    /// What is typed next, for [`take`](Self::take). Asks the editor for a line first.
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

    /// Takes what was typed: lines, or the end of the input.
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

    /// Whether typing is over.
    pub(crate) fn is_ending(&self) -> bool {
        self.ended
    }

    /// Whether all lines have been taken and none will follow.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended && self.lines.is_empty()
    }

    /// Shows the server's text: whole lines at once, an unfinished line when it is clear what
    /// it is.
    pub(crate) fn show(&mut self, text: &str) {
        let lines = self.unfinished.add(&sanitize_message(text), Instant::now());
        self.screen.show(&lines);
        if self.unfinished.text().len() > UNFINISHED_BYTES {
            self.settle();
        }
    }

    /// Rings the terminal's bell.
    pub(crate) fn ring(&self) {
        self.screen.ring();
    }

    /// Shows a message of the client itself.
    pub(crate) fn remark(&self, text: &str) {
        self.screen.show(&paint(self.palette.dim(), &sanitize_line(text)));
    }

    /// Whether so much text waits to be shown that nothing more should be read for now.
    pub(crate) fn is_full(&self) -> bool {
        self.screen.is_full()
    }

    /// When the server's unfinished line has waited long enough.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        self.unfinished.settles_at()
    }

    /// Shows the unfinished line as a line. The client's own prompt is used.
    pub(crate) fn settle(&mut self) {
        self.screen.show(&self.unfinished.take());
        self.screen.set_prompt(PROMPT.into());
    }

    /// Uses the unfinished line as the prompt.
    pub(crate) fn prompt(&self) {
        self.screen.set_prompt(self.unfinished.text().replace('\t', " "));
    }

    /// The prompt has been answered: it stays above, with the answer.
    pub(crate) fn answered(&mut self) {
        self.unfinished.take();
    }

    /// Shows everything that has arrived, and gives the terminal back.
    pub(crate) fn close(&mut self) {
        if mem::take(&mut self.asked) {
            self.screen.cancel();
            // An editor that does not answer is stuck; the process ends anyway.
            let _ = self.editor.typed().recv_timeout(CANCEL_PATIENCE);
        }
        self.screen.show(&self.unfinished.take());
        // What arrives now is shown if possible; it does no harm if it can't be.
        let _ = self.screen.close();
    }
}
