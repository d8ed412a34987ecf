//! The teacher's code: how it is generated, parsed, and found in messages.

use std::fmt;

/// The length of a generated code: 40 bits.
const DRAWN_DIGITS: usize = 8;

/// The minimum number of letters and digits of a chosen code.
const LEAST: usize = 8;

/// The maximum.
const MOST: usize = 64;

/// The digits of Crockford's base 32: no I, L, O or U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code. Whoever has it may become a teacher, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct TeacherCode {
    shown: String,
    /// The form used for comparison.
    folded: String,
}

/// The text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has {LEAST} to {MOST} letters and digits")]
pub struct NoCode;

impl TeacherCode {
    /// Generates one: `7F3K-9Q2M`.
    pub(crate) fn draw() -> TeacherCode {
        let digits = draw_digits(DRAWN_DIGITS).to_ascii_uppercase();
        let (first, rest) = digits.split_at(DRAWN_DIGITS / 2);
        let shown = format!("{first}-{rest}");
        TeacherCode { folded: folded(&shown), shown }
    }

    /// Parses a chosen one.
    ///
    /// # Errors
    ///
    /// [`NoCode`].
    pub fn parse(text: &str) -> Result<TeacherCode, NoCode> {
        let shown = text.trim();
        let code = TeacherCode { folded: folded(shown), shown: shown.to_owned() };
        let is_made_of_letters =
            shown.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | ' ' | '_' | '.'));
        let fits = (LEAST..=MOST).contains(&code.folded.chars().count());
        if fits && is_made_of_letters { Ok(code) } else { Err(NoCode) }
    }

    /// As somebody has chosen it.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Whether it has the form of a [generated](Self::draw) one.
    pub(super) fn looks_drawn(&self) -> bool {
        let is_part = |part: &str| {
            part.len() == DRAWN_DIGITS / 2 && part.bytes().all(|byte| DIGITS.contains(&byte))
        };
        self.shown.split_once('-').is_some_and(|(first, rest)| is_part(first) && is_part(rest))
    }

    /// Whether the text is this code, in any spelling.
    pub(super) fn is(&self, given: &str) -> bool {
        super::same(&self.folded, &folded(given))
    }

    /// Where in a text this code begins, in any spelling.
    pub(super) fn find_in(&self, text: &str) -> Option<usize> {
        // Folding shrinks a character to no less than a third of its bytes.
        if 3 * text.len() < self.folded.len() {
            return None;
        }
        let before = folded(text).find(&self.folded)?;
        let mut folded_bytes = 0;
        let mut ends = text.char_indices().map(|(at, c)| {
            folded_bytes += folded_char(c).map(char::len_utf8).sum::<usize>();
            (at, folded_bytes)
        });
        // What is left of its first character is the first thing behind what stands before it.
        ends.find(|(_, end)| *end > before).map(|(at, _)| at)
    }
}

impl fmt::Debug for TeacherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TeacherCode(..)")
    }
}

/// The form used for comparison: only letters and digits, in capitals, with lookalikes unified.
fn folded(text: &str) -> String {
    text.chars().flat_map(folded_char).collect()
}

fn folded_char(c: char) -> impl Iterator<Item = char> {
    let letter = Some(narrow(c)).filter(|c| c.is_alphanumeric());
    letter.into_iter().flat_map(char::to_uppercase).map(|c| match c {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    })
}

/// The character in its normal width: Ａ becomes A.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        c => c,
    }
}

/// Random digits in lower case, five bits each.
pub(super) fn draw_digits(count: usize) -> String {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("a system that has started has random bits");
    let digit = |byte: u8| char::from(DIGITS[usize::from(byte % 32)].to_ascii_lowercase());
    bytes.into_iter().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_code_has_forty_bits_and_a_hyphen() {
        let codes: Vec<TeacherCode> = (0..50).map(|_| TeacherCode::draw()).collect();
        for code in &codes {
            let (first, rest) = code.as_str().split_once('-').expect("a hyphen");
            assert_eq!((first.len(), rest.len()), (4, 4));
            assert!(code.as_str().bytes().all(|byte| byte == b'-' || DIGITS.contains(&byte)));
            assert_eq!(TeacherCode::parse(code.as_str()).as_ref(), Ok(code));
            assert!(code.looks_drawn());
        }
        for chosen in ["spring-2026", "7F3K9Q2M", "7F3-K9Q2M", "7F3K-9Q2O", "7f3k-9q2m"] {
            assert!(!TeacherCode::parse(chosen).expect("a code").looks_drawn(), "{chosen}");
        }
        assert!(codes[1..].iter().all(|code| *code != codes[0]));
    }

    #[test]
    fn a_code_is_recognised_in_any_spelling() {
        let code = TeacherCode::parse("7F3K-90QM").expect("a code");
        for given in ["7f3k90qm", " 7F3K 90QM ", "7F3K-9OQM", "７Ｆ３Ｋ９０ＱＭ", "7.f.3.k.9.0.q.m"]
        {
            assert!(code.is(given), "{given}");
        }
        for given in ["", "7F3K-90Q", "7F3K-90QMM", "8F3K-90QM"] {
            assert!(!code.is(given), "{given}");
        }
        for (text, before) in [
            ("the code: 7f3k 90qm!", "the code: "),
            ("a7F3K90QMb", "a"),
            ("７Ｆ３Ｋ９０ＱＭ", ""),
            ("7\n f3k9\t0qm", ""),
            ("ß, 그리고 -7F3K90QM", "ß, 그리고 -"),
        ] {
            assert_eq!(code.find_in(text), Some(before.len()), "{text}");
        }
        for text in ["", "7F3K", "7F3K 90Q", "안녕하세요"] {
            assert_eq!(code.find_in(text), None, "{text}");
        }
    }

    #[test]
    fn short_or_invalid_texts_are_not_codes() {
        for text in ["", "1234567", "a-b-c-d", "12345678\n9", &"a".repeat(65)] {
            assert_eq!(TeacherCode::parse(text), Err(NoCode), "{text:?}");
        }
        assert!(TeacherCode::parse("우리반 선생님 비밀번호\n").is_ok());
    }

    #[test]
    fn a_code_is_not_shown_by_accident() {
        let code = TeacherCode::draw();
        assert!(!format!("{code:?}").contains(code.as_str()));
    }
}
