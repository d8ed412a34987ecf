//! How large the terminal is, and what becomes of its rows when it is resized.

use std::{env, io};

use terminal_size::{Height, Width};

/// The size of the terminal, with the editor's default if it is unknown.
pub fn terminal_size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or((80, u16::MAX), |(Width(columns), Height(rows))| (columns, rows))
}

/// Whether the terminal is known to rewrap its rows when it is resized. Others, such as
/// xterm, cut them off.
pub(crate) fn wraps_anew() -> bool {
    let programs = ["iTerm.app", "Apple_Terminal", "WezTerm", "ghostty", "vscode", "tmux"];
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    ["TMUX", "VTE_VERSION", "KITTY_WINDOW_ID", "WT_SESSION"].into_iter().any(is_set)
        || env::var("TERM_PROGRAM").is_ok_and(|program| programs.contains(&&*program))
}
