//! The line being typed: its text so far, and why it may end without Enter.

/// A partly typed line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypedSoFar {
    pub text: String,
    /// The cursor's position in bytes.
    pub cursor: usize,
    /// The hint that the editor shows after it.
    pub hint: String,
}

/// Why a line ended without Enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The prompt has another width: restart the line with its text.
    NewPrompt,
    /// Typing is over.
    Cancelled,
    /// Ctrl-C was pressed on an empty line.
    CtrlC {
        /// Whether it followed one that had cleared the line.
        again: bool,
    },
    /// Ctrl-Z was pressed: restart the line with its text when the shell continues the process.
    #[cfg(unix)]
    Suspended {
        /// The cursor's position in bytes.
        cursor: usize,
    },
}
