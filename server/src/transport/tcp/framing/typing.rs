//! Whether a peer is a terminal that sends each character as it is typed.

use memchr::memchr2;

use super::is_utf8;

/// Whether the peer sends each character as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    /// Not known yet; the number of single-character reads since the last line end.
    Unknown { characters: usize },
    /// Yes.
    ByCharacter,
}

impl Typing {
    /// Inspects one read for signs of a terminal in character mode: single characters followed
    /// by the CR of Enter, which may arrive with the last character; or a backspace alone or
    /// after them, which no other peer sends.
    pub(super) fn observe(&mut self, text: &[u8]) {
        let Typing::Unknown { characters } = *self else { return };
        let key = [b"\r\n".as_slice(), b"\r\0", b"\r", b"\n"]
            .into_iter()
            .find_map(|end| text.strip_suffix(end));
        let is_enter = key.is_some();
        let key = key.unwrap_or(text);
        let is_backspace = matches!(key, [0x08 | 0x7f]);
        let has_backspace = memchr2(0x08, 0x7f, key).is_some();
        let sends_cr = is_enter && !text.ends_with(b"\n") || text.ends_with(b"\r\n");
        *self = match key {
            [] if text.is_empty() => return,
            // An arrow key or another key that sends a sequence.
            [0x1b, ..] if !is_enter => return,
            _ if is_backspace && !is_enter || has_backspace && characters > 0 => {
                Typing::ByCharacter
            }
            _ if sends_cr && characters > 0 && is_one_character(key) => Typing::ByCharacter,
            _ if is_enter || !is_one_character(key) => Typing::Unknown { characters: 0 },
            _ => Typing::Unknown { characters: characters + 1 },
        };
    }
}

fn is_one_character(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| text.chars().nth(1).is_none())
}

/// Whether one read may be a single key of a terminal: a character in any encoding, or the
/// sequence of an arrow or function key.
pub(super) fn is_one_key(text: &[u8]) -> bool {
    let is_control = text.first().is_some_and(u8::is_ascii_control);
    let is_foreign = text.len() < 4 && !is_utf8(text);
    is_control || is_foreign || is_one_character(text)
}
