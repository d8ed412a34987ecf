//! Whether what was typed is text for the room or a command.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::{
    invisible::{is_blank, is_invisible, trim_start},
    sanitize::sanitize_message,
};

/// The meaning of what a member typed: one line, or several that belong together.
///
/// Every door asks this one function: lines, packets, WebSocket, the prompt, the client.
/// The page has the same rule in JavaScript; both are held to `tests/cases/commands.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// No character of it is visible.
    Nothing,
    /// Text for the room, sanitized, with its leading blanks.
    Text(Cow<'a, str>),
    /// A line for [`Command::parse`](super::Command::parse), sanitized, from its slash on.
    Command(Cow<'a, str>),
}

impl<'a> Input<'a> {
    /// Reads what was typed, as received.
    ///
    /// It is sanitized, and [invisible](is_invisible) characters at its beginning are skipped:
    /// a NUL, U+FEFF or blank that slips in there never turns a command into text. Then:
    ///
    /// - A slash and a letter or a digit begin a command. Everything after it belongs to it,
    ///   further lines too, so that a typing error says nothing aloud.
    /// - Two slashes say one, unless nothing or a blank follows them (`// a comment`).
    /// - Everything else is text: `/`, `/ a`, `/*`, `/:)`.
    pub fn parse(typed: &'a str) -> Input<'a> {
        // A byte order mark is what some Windows programs begin each line with.
        let text = sanitized(typed.trim_start_matches('\u{FEFF}'));
        let before = text.len() - text.trim_start_matches(has_no_place).len();
        let Some(rest) = text[before..].strip_prefix('/') else {
            return if is_blank(&text) { Input::Nothing } else { Input::Text(text) };
        };
        if let Some(escaped) = rest.strip_prefix('/') {
            return match escaped.chars().next() {
                Some(c) if !is_invisible(c) => Input::Text(without_byte(text, before)),
                _ => Input::Text(text),
            };
        }
        // What takes no place hides no command either: `/` U+200B `msg`.
        let word = rest.trim_start_matches(|c: char| has_no_place(c) && !c.is_whitespace());
        if word.starts_with(char::is_alphanumeric) {
            return Input::Command(match text {
                Cow::Borrowed(text) => Cow::Borrowed(text[before..].trim_end()),
                Cow::Owned(text) => Cow::Owned(text[before..].trim_end().to_owned()),
            });
        }
        Input::Text(text)
    }
}

/// Whether a character hides no command that it stands before: nobody sees it, or it is a
/// mark, which has no letter there to stand on.
fn has_no_place(c: char) -> bool {
    is_invisible(c) || is_combining_mark(c)
}

/// What was typed, sanitized, but no escape sequence that has only begun before a slash
/// takes that with it: of ESC and `/msg bob a`, `sg bob a` would be said aloud.
fn sanitized(typed: &str) -> Cow<'_, str> {
    // What a cut sequence may take instead: as many as a report of the mouse does.
    const BARRIER: &str = "ㄱㄱㄱ";
    let text = sanitize_message(typed);
    if let Cow::Owned(shown) = &text
        && !shown.trim_start_matches(has_no_place).starts_with('/')
        && let Some((before, _)) = typed.split_once('/')
        && is_blank(&sanitize_message(before))
    {
        // Only a control string reaches beyond that, and its slash is its own.
        let barred = format!("{before}{BARRIER}{}", &typed[before.len()..]);
        let barred = sanitize_message(&barred);
        let rest = trim_start(&barred).trim_start_matches(['ㄱ']);
        if rest.starts_with('/') {
            return Cow::Owned(rest.to_owned());
        }
    }
    text
}

/// The text without its byte at `at`, an ASCII character.
fn without_byte(text: Cow<'_, str>, at: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) if at == 0 => Cow::Borrowed(&text[1..]),
        text => {
            let mut text = text.into_owned();
            text.remove(at);
            Cow::Owned(text)
        }
    }
}
