//! Invisible characters, and text made of nothing else.
//!
//! They never decide anything. Whether a line is a command, is empty, or looks like one of
//! the server's depends on its visible characters only.

/// Whether a character is invisible: white space, controls (NUL), whatever fonts ignore
/// (Default_Ignorable_Code_Point: joiners, U+FEFF, U+200B, fillers, tags), noncharacters
/// (U+FFFE, a byte order mark the wrong way round), the marks of interlinear annotation,
/// and the empty Braille cell.
pub fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_whitespace() || c.is_ascii_control();
    }
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FDD0}'..='\u{FDEF}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
        || matches!(u32::from(c) & 0xFFFF, 0xFFFE..)
}

/// Whether a text has no visible character.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// The text without the invisible characters around it.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_invisible)
}

/// The text without the invisible characters before it.
pub fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_visible_is_blank() {
        for text in [
            "",
            " \t\r\n\u{A0}\u{3000}\u{1680}",
            "\0\x07\x1B\x7F\u{85}",
            "\u{FEFF}\u{200B}\u{200D}\u{2060}\u{AD}\u{34F}\u{61C}\u{180E}\u{FE0F}",
            "\u{115F}\u{1160}\u{3164}\u{FFA0}\u{2800}\u{FFF9}\u{1D173}",
            "\u{E0001}\u{E0041}\u{E007F}\u{E0100}",
            "\u{FFFE}\u{FFFF}\u{FDD0}\u{1FFFE}\u{10FFFF}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn visible_characters_are_not_invisible() {
        for c in "a1/.ㅋ가あ한🦀\u{301}\u{2801}\u{FFFC}\u{FFFD}\u{E000}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
        assert_eq!(trim("\u{FEFF} a\u{200B}b\0"), "a\u{200B}b");
        assert_eq!(trim_start("\u{3000}a "), "a ");
    }
}
