//! The client's own side: lines from stdin, words to stdout and stderr; or, where a
//! line is edited, from and to the [`keyboard`](crate::keyboard). Nothing else writes to
//! either while a conversation goes on.

use std::io::{self, IsTerminal as _, Write as _};

use crossbeam_channel::{Receiver, never};
use madang_protocol::{
    sanitize::{sanitize_line, sanitize_message},
    text::Lang,
};
use madang_terminal::style::Palette;

use crate::{
    failure::Failure,
    input::{self, Line, Unit},
    keyboard::Keyboard,
    words::Words,
};

/// Who types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person, who sees what comes and can answer.
    Terminal,
    /// A program, a file, or nobody.
    Pipe,
}

pub(crate) struct Stdio {
    pub(crate) kind: Kind,
    pub(crate) lang: Lang,
    /// What is piped, or typed without an editor; disconnected at the end of it.
    pub(crate) lines: Receiver<io::Result<Line>>,
    /// What is typed in an editor, if there is one.
    pub(crate) keyboard: Option<Keyboard>,
    /// Ctrl-C.
    pub(crate) interrupts: Receiver<()>,
    reader_gone: bool,
    at_line_start: bool,
    refused_lines: u64,
}

impl Stdio {
    /// Starts to read stdin.
    pub(crate) fn open(
        kind: Kind,
        unit: Unit,
        lang: Lang,
        interrupts: Receiver<()>,
    ) -> Result<Stdio, Failure> {
        Ok(Stdio {
            kind,
            lang,
            lines: input::start(unit).map_err(Failure::Stdin)?,
            keyboard: None,
            interrupts,
            reader_gone: false,
            at_line_start: true,
            refused_lines: 0,
        })
    }

    /// Takes a terminal on which a line can be edited.
    pub(crate) fn edit(
        lang: Lang,
        palette: Palette,
        interrupts: Receiver<()>,
    ) -> Result<Stdio, Failure> {
        Ok(Stdio {
            kind: Kind::Terminal,
            lang,
            lines: never(),
            keyboard: Some(Keyboard::open(lang, palette).map_err(Failure::Stdin)?),
            interrupts,
            reader_gone: false,
            at_line_start: true,
            refused_lines: 0,
        })
    }

    /// Writes `text`, made fit for a terminal, to stdout at once, or above the line
    /// that is edited.
    ///
    /// # Errors
    ///
    /// stdout fails. A reader that has gone is an error only for a person: lines
    /// in a pipe are still to be delivered, and what is said is then not shown.
    pub(crate) fn show(&mut self, text: &str) -> Result<(), Failure> {
        if let Some(keyboard) = &mut self.keyboard {
            keyboard.show(text);
            return Ok(());
        }
        self.show_fit(&sanitize_message(text))
    }

    /// Writes `fit`, which is fit for a terminal and may have colours, to stdout at once.
    ///
    /// # Errors
    ///
    /// As [`show`](Self::show).
    pub(crate) fn show_fit(&mut self, fit: &str) -> Result<(), Failure> {
        if fit.is_empty() || self.reader_gone {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(fit.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.kind == Kind::Pipe => {
                self.reader_gone = true;
            }
            result => result.map_err(Failure::Stdout)?,
        }
        self.at_line_start = fit.ends_with('\n');
        Ok(())
    }

    /// Reports that line `number` was not sent, or not taken.
    pub(crate) fn refuse(&mut self, number: u64, reason: &str) {
        self.refused_lines += 1;
        match self.kind {
            Kind::Terminal => self.remark(reason),
            Kind::Pipe => self.remark(&Words::AtLine { number, what: reason }.text(self.lang)),
        }
    }

    /// Whether so much waits to be shown that no more should be fetched for now.
    pub(crate) fn is_full(&self) -> bool {
        self.keyboard.as_ref().is_some_and(Keyboard::is_full)
    }

    /// A remark of the client, on stderr or above the line that is edited.
    pub(crate) fn remark(&self, text: &str) {
        if let Some(keyboard) = &self.keyboard {
            return keyboard.remark(text);
        }
        // Who has closed stderr does not want to know.
        let _ = writeln!(io::stderr(), "madang: {}", sanitize_line(text));
    }

    /// How a conversation that was carried to its end has gone: a person has
    /// seen which lines were refused, a pipe fails for them.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match (self.kind, self.refused_lines) {
            (Kind::Terminal, _) | (Kind::Pipe, 0) => Ok(()),
            (Kind::Pipe, lines) => Err(Failure::Undelivered { lines }),
        }
    }

    /// The failure that Ctrl-C is; a terminal has shown it as `^C`.
    pub(crate) fn interrupted(&mut self) -> Failure {
        self.at_line_start = false;
        Failure::Interrupted
    }

    /// Ends a line that was begun on a terminal, for what is written there next.
    pub(crate) fn finish(&mut self) {
        if let Some(keyboard) = &mut self.keyboard {
            return keyboard.close();
        }
        if !self.at_line_start && io::stdout().is_terminal() {
            // The conversation is over; what it has come to is told either way.
            let _ = self.show("\n");
        }
    }
}
