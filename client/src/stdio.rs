//! The client's input and output: lines from stdin, text to stdout and stderr; or, with a line
//! editor, from and to the [`keyboard`](crate::keyboard). Nothing else writes to either during
//! a conversation.

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

/// Where the input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person, who sees the output and can answer.
    Terminal,
    /// A program or a file, or nothing.
    Pipe,
}

pub(crate) struct Stdio {
    pub(crate) kind: Kind,
    pub(crate) lang: Lang,
    /// Lines that are piped, or typed without an editor. Disconnected at the end.
    pub(crate) lines: Receiver<io::Result<Line>>,
    /// The editor, if there is one.
    pub(crate) keyboard: Option<Keyboard>,
    /// A message for Ctrl-C.
    pub(crate) interrupts: Receiver<()>,
    reader_gone: bool,
    at_line_start: bool,
    refused_lines: u64,
}

impl Stdio {
    /// Starts reading stdin.
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

    /// Takes over a terminal that can edit lines.
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

    /// Writes `text` at once to stdout, or above the line being edited, after making it safe
    /// for a terminal.
    ///
    /// # Errors
    ///
    /// stdout fails. A closed stdout is an error only for a person: in a pipe, the input is
    /// still delivered, and nothing is shown.
    pub(crate) fn show(&mut self, text: &str) -> Result<(), Failure> {
        if let Some(keyboard) = &mut self.keyboard {
            keyboard.show(text);
            return Ok(());
        }
        self.show_fit(&sanitize_message(text))
    }

    /// Writes `fit`, which is safe for a terminal and may have colours, to stdout at once.
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

    /// Reports that line `number` was not sent, or was refused.
    pub(crate) fn refuse(&mut self, number: u64, reason: &str) {
        self.refused_lines += 1;
        match self.kind {
            Kind::Terminal => self.remark(reason),
            Kind::Pipe => self.remark(&Words::AtLine { number, what: reason }.text(self.lang)),
        }
    }

    /// Whether so much text waits to be shown that nothing more should be read for now.
    pub(crate) fn is_full(&self) -> bool {
        self.keyboard.as_ref().is_some_and(Keyboard::is_full)
    }

    /// Rings the terminal's bell, where a person hears it.
    ///
    /// # Errors
    ///
    /// As [`show`](Self::show).
    pub(crate) fn ring(&mut self) -> Result<(), Failure> {
        match (&self.keyboard, self.kind) {
            (Some(keyboard), _) => keyboard.ring(),
            (None, Kind::Terminal) => {
                let mut stdout = io::stdout().lock();
                let rung = stdout.write_all(b"\x07").and_then(|()| stdout.flush());
                rung.map_err(Failure::Stdout)?;
            }
            (None, Kind::Pipe) => {}
        }
        Ok(())
    }

    /// Shows a message of the client, on stderr or above the line being edited.
    pub(crate) fn remark(&self, text: &str) {
        if let Some(keyboard) = &self.keyboard {
            return keyboard.remark(text);
        }
        // If stderr is closed, there is nobody to tell.
        let _ = writeln!(io::stderr(), "madang: {}", sanitize_line(text));
    }

    /// The result of a conversation that was finished. A person has seen which lines were
    /// refused; for a pipe, they are a failure.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match (self.kind, self.refused_lines) {
            (Kind::Terminal, _) | (Kind::Pipe, 0) => Ok(()),
            (Kind::Pipe, lines) => Err(Failure::Undelivered { lines }),
        }
    }

    /// The failure for Ctrl-C, which a terminal shows as `^C`.
    pub(crate) fn interrupted(&mut self) -> Failure {
        self.at_line_start = false;
        Failure::Interrupted
    }

    /// Ends an unfinished line on a terminal, so that the next output begins on a new one.
    pub(crate) fn finish(&mut self) {
        if let Some(keyboard) = &mut self.keyboard {
            return keyboard.close();
        }
        if !self.at_line_start && io::stdout().is_terminal() {
            // The conversation is over, and its result is reported in any case.
            let _ = self.show("\n");
        }
    }
}
