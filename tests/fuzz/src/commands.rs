//! Typed text: nothing, a message or a command, and which.

use madang_protocol::{
    command::{Command, CommandSpec, Input},
    invisible::is_blank,
    sanitize::sanitize_message,
};

use crate::cost::bounded;

/// Checks typed text.
pub fn run(input: &[u8]) {
    let typed = String::from_utf8_lossy(input);
    let meant = bounded(typed.len(), 4_000, 128, || Input::parse(&typed));
    match meant {
        Input::Nothing => assert!(is_blank(&sanitize_message(&typed)), "{typed:?}"),
        Input::Text(text) => {
            assert_eq!(sanitize_message(&text), text, "it is sanitized");
            assert!(!is_blank(&text), "{text:?}");
        }
        Input::Command(line) => {
            assert_eq!(sanitize_message(&line), line, "it is sanitized");
            assert!(line.starts_with('/'), "{line:?}");
            assert_eq!(Input::parse(&line), Input::Command(line.as_ref().into()));
            // An unknown command is compared with the names of all commands.
            bounded(line.len(), 150_000, 400, || {
                let _ = Command::parse(&line);
                let _ = Command::parse_operators(&line);
            });
            CommandSpec::of(&line);
        }
    }
    // No command is said aloud because something invisible slipped in before it.
    let command = format!("/msg bob {typed}");
    for before in ["", " ", "\0", "\u{feff}", "\u{200b}", "\u{3000}", "\u{1b}[A", "\u{301}"] {
        let typed = format!("{before}{command}");
        assert!(matches!(Input::parse(&typed), Input::Command(_)), "{typed:?}");
    }
    // Nor because of text after an operator's command.
    let _ = Command::parse_operators(&typed);
}
