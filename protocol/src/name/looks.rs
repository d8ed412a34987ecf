//! How names look: which ones could be mistaken for each other, and how a hasty reader
//! reads one. Most names are ASCII; Unicode's tables are looked up once for them.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::confusable_detection::skeleton;

use super::fold;

/// The looks of a name, as written and in small letters: ADMІN with a Cyrillic І looks like
/// ADMlN as written, and like admin in small letters.
pub(super) fn looks_of(shown: &str) -> [String; 2] {
    let look = |run: &str| fold(&skeleton_of(run));
    [outside_hangul(shown, look), outside_hangul(shown, |run| look(&fold(run)))]
}

/// The confusable skeleton of a text.
fn skeleton_of(text: &str) -> String {
    /// Those of the ASCII characters, which nothing around them changes. Most names have
    /// no others, and looking each up in Unicode's tables costs most of a login.
    static OF_ASCII: LazyLock<Vec<String>> = LazyLock::new(|| {
        (0..128)
            .map(|byte: u8| skeleton(char::from(byte).encode_utf8(&mut [0; 4])).collect())
            .collect()
    });
    match text.is_ascii() {
        true => text.bytes().map(|byte| OF_ASCII[usize::from(byte)].as_str()).collect(),
        false => skeleton(text).collect(),
    }
}

/// The text with each of its longest runs without Hangul changed.
fn outside_hangul(text: &str, change: impl Fn(&str) -> String) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (run, after) = rest.split_at(rest.find(is_hangul).unwrap_or(rest.len()));
        changed.push_str(&change(run));
        let (hangul, after) = after.split_at(after.find(|c| !is_hangul(c)).unwrap_or(after.len()));
        changed.push_str(hangul);
        rest = after;
    }
    changed
}

/// The letters of Script=Hangul: syllables, and jamo of every block.
fn is_hangul(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11FF}'
        | '\u{3131}'..='\u{318E}'
        | '\u{A960}'..='\u{A97C}'
        | '\u{AC00}'..='\u{D7A3}'
        | '\u{D7B0}'..='\u{D7FB}'
        | '\u{FFA0}'..='\u{FFDC}')
}

/// How a hasty reader may read a name: by its letters, or by their looks in capitals or
/// in small letters; without marks and punctuation, and with digits as the letters that
/// they replace (`s3rver`). `l` is `i`, for `1` is both.
///
/// Good for the few names that must not be imitated, and too coarse to tell people's
/// names apart: for that there are the [`keys`](super::UserName::keys).
pub(crate) fn readings(shown: &str) -> impl Iterator<Item = String> {
    let shown: String = shown.chars().map(as_latin).collect();
    [fold(&shown)].into_iter().chain(looks_of(&shown)).map(|look| match look.is_ascii() {
        true => look.chars().filter(char::is_ascii_alphanumeric).map(as_read).collect(),
        false => read_beyond_ascii(&look),
    })
}

fn read_beyond_ascii(look: &str) -> String {
    let letters = look.nfd().filter(|c| {
        // The dot of old Hangul and what modifies a letter look like punctuation.
        !matches!(c, '\u{318D}' | '\u{119E}')
            && c.general_category() != GeneralCategory::ModifierLetter
            && matches!(
                c.general_category_group(),
                GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number
            )
    });
    letters.map(as_read).nfc().collect()
}

/// The letter as which one is read that stands for it.
fn as_read(c: char) -> char {
    match c {
        'l' | '1' => 'i',
        '0' => 'o',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        c => c,
    }
}

/// The Latin letter that a character is drawn like, where Unicode's tables of confusable
/// characters (UTS #39) have none for it: small capitals and Cyrillic small letters that
/// are capitals drawn small, and a few of other scripts.
fn as_latin(c: char) -> char {
    match c {
        'ᴀ' | 'ⲁ' | 'Ꭺ' | 'ᗩ' => 'a',
        'ʙ' => 'b',
        'ᴅ' | 'Ꭰ' | 'ᗪ' => 'd',
        'ᴇ' | 'ɛ' | 'ə' => 'e',
        'ꜰ' => 'f',
        'ɢ' => 'g',
        'ʜ' => 'h',
        'ɪ' | 'Ꮖ' => 'i',
        'ᴊ' => 'j',
        'ᴋ' => 'k',
        'ʟ' => 'l',
        'ᴍ' | 'м' | 'Ꮇ' | 'ᗰ' => 'm',
        'ɴ' | 'п' | 'ᑎ' => 'n',
        'ᴏ' => 'o',
        'ᴘ' => 'p',
        'ʀ' | 'ɾ' => 'r',
        'ꜱ' => 's',
        'ᴛ' | 'т' => 't',
        'ᴜ' => 'u',
        'ʏ' => 'y',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ascii_is_read_as_unicodes_tables_have_it(text in "[ -~]{0,24}") {
            prop_assert_eq!(skeleton_of(&text), skeleton(&text).collect::<String>());
            let slowly = looks_of(&text).map(|look| read_beyond_ascii(&look));
            let read: Vec<String> = readings(&text).skip(1).collect();
            prop_assert_eq!(read, slowly);
        }
    }
}
