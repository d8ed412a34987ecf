//! What the threads of a [`Screen`](super::Screen) share: waiting lines, the prompt, and the line
//! that is being typed.

use std::{mem, time::Instant};

use crate::{
    interrupts::EditorThread,
    layout::hang,
    prompt::{Pinned, Prompt},
    size::terminal_size,
    typing::{Interruption, TypedSoFar},
};

#[derive(Default)]
pub(super) struct State {
    /// Whole lines that have not been written yet.
    pub(super) waiting: String,
    /// The current prompt and what is pinned above it, and what the line began with.
    pub(super) prompt: String,
    pub(super) pinned: Option<Pinned>,
    pub(super) shown_prompt: Prompt,
    /// The prompt as last painted, which may be one of the editor's own.
    pub(super) painted_prompt: String,
    /// How wide the terminal was then.
    pub(super) painted_columns: u16,
    /// Where the text filled its last row at that time, if it did: the editor has ended that
    /// row itself, and text typed since begins a new one.
    pub(super) row_end: Option<usize>,
    /// The size of the terminal, if the line filled all of it.
    pub(super) filled: Option<(u16, u16)>,
    /// The editor's thread, which typed the last line.
    pub(super) editor: Option<EditorThread>,
    /// Whether a line is being typed: from before its first paint until after its last.
    pub(super) typing: bool,
    /// Whether it answers a question, which takes the place of the prompt.
    pub(super) asking: bool,
    /// Whether it has been painted: from then on, the editor has the terminal and its signals.
    pub(super) painted: bool,
    /// The text typed so far.
    pub(super) typed: TypedSoFar,
    /// When Ctrl-C cleared the line, if nothing has been typed since.
    pub(super) cleared_at: Option<Instant>,
    /// Why the line ends, if not with Enter.
    pub(super) interruption: Option<Interruption>,
    /// Whether the terminal's other screen is shown, on which no waiting line is written.
    pub(super) covered: bool,
    /// Whether the screen has been closed.
    pub(super) closed: bool,
}

impl State {
    /// The waiting lines, wrapped for this terminal.
    pub(super) fn take_waiting(&mut self) -> String {
        if self.covered {
            return String::new();
        }
        hang(&mem::take(&mut self.waiting), terminal_size().0).into_owned()
    }

    /// A key has ended the line, even if it was about to be restarted.
    pub(super) fn interrupt_by_key(&mut self, interruption: Interruption) {
        if self.interruption != Some(Interruption::Cancelled) {
            self.interruption = Some(interruption);
        }
    }

    /// Whether the line was accepted only because of Ctrl-Z, and will be restarted.
    pub(super) fn is_suspended(&self) -> bool {
        match self.interruption {
            #[cfg(unix)]
            Some(Interruption::Suspended { .. }) => true,
            _ => false,
        }
    }

    /// The prompt as it should be painted now.
    pub(super) fn wanted_prompt(&self) -> Prompt {
        Prompt::new(&self.prompt, self.pinned.as_ref(), terminal_size())
    }

    pub(super) fn prompt_is_old(&self) -> bool {
        !self.asking && self.wanted_prompt() != self.shown_prompt
    }

    /// Whether the editor has to repaint although no lines wait.
    pub(super) fn wants_painting(&self) -> bool {
        self.typing && self.painted && self.prompt_is_old() && self.interruption.is_none()
    }
}
