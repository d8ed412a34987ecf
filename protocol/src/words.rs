//! Three words that open a private room for ten minutes, to be said aloud: `파란-고래-우산`,
//! `brave-otter-lantern`. Reading and writing them; which room they open is the server's
//! business.
//!
//! The lists were made for this purpose: the authors wrote down everyday words by subject, in
//! each language for itself, struck out what could hurt or embarrass somebody in a class, and
//! kept 2,048 that follow the rule. 2,048 words are 11 bits each, so three of them
//! are one of 8,589,934,592 combinations. The rule for words that sound unlike each other:
//!
//! - *Korean*: any two words differ in at least two sounds. Lax, tense and aspirated consonants
//!   (ㄱㄲㅋ) count as one sound, finals as the seven that are pronounced, ㅐ and ㅔ as one, and
//!   ㅙ, ㅚ and ㅞ as one.
//! - *English*: no two words have the same consonants in the same order (`c`, `k` and `q` are
//!   one, `s`, `z` and soft `c`, `j` and soft `g`; silent letters and double ones don't count)
//!   with vowels at the same places, and any two differ in at least two letters.

use std::{fmt, iter, sync::LazyLock};

use unicode_normalization::UnicodeNormalization;

use crate::{invisible::is_invisible, text::Lang};

/// How many words a list has.
pub const LIST_LENGTH: u16 = 2_048;

/// The longest of the words, in bytes, and no text of three of them is longer than this.
const MOST_BYTES: usize = 64;

/// The words that open a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomWords {
    /// Places in the Korean list, or, from [`LIST_LENGTH`] on, in the English one.
    places: [u16; 3],
}

impl RoomWords {
    /// The three words of these bits, which must be random: 33 of them are used.
    pub fn from_bits(bits: u64, lang: Lang) -> RoomWords {
        let first = match lang {
            Lang::Ko => 0,
            Lang::En => LIST_LENGTH,
        };
        let place = |shift: u32| {
            let part = (bits >> shift) & u64::from(LIST_LENGTH - 1);
            first + u16::try_from(part).expect("it is below LIST_LENGTH")
        };
        RoomWords { places: [place(0), place(11), place(22)] }
    }

    /// Reads three words that are all in a list, with hyphens or blanks between them. Case
    /// counts for nothing, nor does the form in which Hangul is composed.
    ///
    /// None if the text is anything else.
    pub fn parse(text: &str) -> Option<RoomWords> {
        // Most texts are longer, or have fewer parts; no list is searched for those.
        if text.len() > 4 * MOST_BYTES {
            return None;
        }
        let mut words = text.split(is_between_words).filter(|word| !word.is_empty());
        let (Some(first), Some(second), Some(third), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        Some(RoomWords {
            places: [place_of_word(first)?, place_of_word(second)?, place_of_word(third)?],
        })
    }
}

impl fmt::Display for RoomWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.places.map(word_at);
        write!(f, "{first}-{second}-{third}")
    }
}

/// They are never shown by chance: whoever has them can join.
impl fmt::Debug for RoomWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomWords(..)")
    }
}

/// Both lists, each in the order of its letters.
static LISTS: LazyLock<[Vec<&str>; 2]> = LazyLock::new(|| {
    let lines = |list: &'static str| list.lines().collect();
    [lines(include_str!("words/korean.txt")), lines(include_str!("words/english.txt"))]
});

/// Whether a word is in one of the lists.
pub(crate) fn is_listed(word: &str) -> bool {
    word.len() <= MOST_BYTES && place_of_word(word).is_some()
}

/// Whether a word in one of the lists begins so; the last syllable may be unfinished.
pub(crate) fn begins_listed(beginning: &str) -> bool {
    let beginning = composed(beginning);
    let Some(last) = beginning.chars().next_back() else { return true };
    let before = &beginning[..beginning.len() - last.len_utf8()];
    let list = &LISTS[usize::from(beginning.is_ascii())];
    let first = list.partition_point(|word| *word < before);
    let rests = list[first..].iter().map_while(|word| word.strip_prefix(before));
    let is_begun = |c: char| {
        let parts = iter::once(c).nfd().zip(iter::once(last).nfd());
        parts.into_iter().all(|(part, begun)| part == begun)
    };
    rests.filter_map(|rest| rest.chars().next()).any(is_begun)
}

/// Whether a character may stand between two words.
pub(crate) fn is_between_words(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '‐' | '‑' | '–' | '_' | '.' | ',')
}

fn word_at(place: u16) -> &'static str {
    let (list, place) = (usize::from(place / LIST_LENGTH), usize::from(place % LIST_LENGTH));
    LISTS[list][place]
}

/// A word as the lists have it.
fn composed(word: &str) -> String {
    let visible = word.chars().filter(|c| !is_invisible(*c));
    visible.nfc().flat_map(char::to_lowercase).collect()
}

fn place_of_word(word: &str) -> Option<u16> {
    let word = composed(word);
    let is_english = word.is_ascii();
    let place = LISTS[usize::from(is_english)].binary_search(&&*word).ok()?;
    let first = if is_english { LIST_LENGTH } else { 0 };
    Some(first + u16::try_from(place).ok()?)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::name::UserName;

    #[test]
    fn a_list_has_2048_words_in_order() {
        for list in LISTS.iter() {
            assert_eq!(list.len(), usize::from(LIST_LENGTH));
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(list.iter().all(|word| word.nfc().eq(word.chars())));
            assert!(list.iter().all(|word| 3 * word.len() + 2 <= MOST_BYTES));
        }
        let [korean, english] = &*LISTS;
        let is_hangul = |c: char| ('가'..='힣').contains(&c);
        assert!(korean.iter().all(|word| word.chars().all(is_hangul)));
        assert!(korean.iter().all(|word| (2..=3).contains(&word.chars().count())));
        assert!(english.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        assert!(english.iter().all(|word| (3..=9).contains(&word.len())));
    }

    #[test]
    fn every_beginning_of_a_word_is_one_however_it_is_composed() {
        for word in LISTS.iter().flatten() {
            let decomposed: String = word.nfd().collect();
            for text in [word, &*decomposed, &word.to_uppercase()] {
                let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
                assert!(ends.into_iter().all(|end| begins_listed(&text[..end])), "{text}");
            }
        }
        for other in ["안녕", "꿻", "hello", "brr", "고래가", "otters"] {
            assert!(!begins_listed(other), "{other}");
        }
    }

    #[test]
    fn each_word_could_be_part_of_a_name() {
        for word in LISTS.iter().flatten() {
            assert!(UserName::parse(&format!("a-{word}")).is_ok(), "{word}");
        }
    }

    #[test]
    fn no_two_korean_words_sound_alike() {
        let words: Vec<_> = LISTS[0].iter().map(|word| (sounds(word), word)).collect();
        let whole: HashSet<_> = words.iter().map(|(sounds, _)| sounds.clone()).collect();
        assert_eq!(whole.len(), words.len());
        check_distance(&words);
        assert!(
            is_near(&sounds("개미"), &sounds("거미")) && !is_near(&sounds("고래"), &sounds("우산"))
        );
        assert_eq!(sounds("초가"), sounds("조카"));
    }

    #[test]
    fn no_two_english_words_sound_alike() {
        let mut seen = HashMap::new();
        for word in &LISTS[1] {
            let other = seen.insert(consonants(word), word);
            assert_eq!(other, None, "{word}");
        }
        let words: Vec<_> = LISTS[1].iter().map(|word| (word.chars().collect(), word)).collect();
        check_distance(&words);
        assert_eq!(consonants("knight"), consonants("night"));
        assert_eq!(consonants("quay"), consonants("kway"));
    }

    /// Any two differ in at least two places: what is left of one when one sound is taken from
    /// it is never another, nor what is left of another.
    fn check_distance(words: &[(Vec<char>, &&str)]) {
        let mut by_length: HashMap<usize, Vec<&(Vec<char>, &&str)>> = HashMap::new();
        for word in words {
            by_length.entry(word.0.len()).or_default().push(word);
        }
        for (sounds, word) in words {
            let near = [sounds.len(), sounds.len() + 1].into_iter();
            for (others, other) in
                near.filter_map(|length| by_length.get(&length)).flatten().copied()
            {
                assert!(word == other || !is_near(sounds, others), "{word} {other}");
            }
        }
    }

    /// Whether one change (a sound more, less, or another) makes one of the other.
    fn is_near(a: &[char], b: &[char]) -> bool {
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
        match long.len() - short.len() {
            0 => short[same..].iter().skip(1).eq(long[same..].iter().skip(1)),
            1 => short[same..] == long[same + 1..],
            _ => false,
        }
    }

    /// A Korean word as its sounds.
    fn sounds(word: &str) -> Vec<char> {
        const FIRST: &str = "ㄱㄱㄴㄷㄷㄹㅁㅂㅂㅅㅅ-ㅈㅈㅈㄱㄷㅂㅎ";
        const MIDDLE: [&str; 21] = [
            "ㅏ", "ㅐ", "ㅏy", "ㅐy", "ㅓ", "ㅐ", "ㅓy", "ㅐ", "ㅗ", "ㅘ", "ㅙ", "ㅙ", "ㅛ", "ㅜ",
            "ㅝ", "ㅙ", "ㅟ", "ㅠ", "ㅡ", "ㅣ", "ㅣ",
        ];
        const LAST: &str = "-ㄱㄱㄱㄴㄴㄴㄷㄹㄱㅁㄹㄹㄹㅂㄹㅁㅂㅂㄷㄷㅇㄷㄷㄱㄷㅂㄷ";
        let nth = |list: &str, n: u32| list.chars().nth(n as usize).filter(|c| *c != '-');
        let mut sounds = Vec::new();
        for syllable in word.chars().map(|c| c as u32 - '가' as u32) {
            sounds.extend(nth(FIRST, syllable / 588));
            sounds.extend(MIDDLE[(syllable / 28 % 21) as usize].chars());
            sounds.extend(nth(LAST, syllable % 28));
        }
        sounds
    }

    /// An English word as its consonants, with `a` for any vowels between them.
    fn consonants(word: &str) -> String {
        const SPELLINGS: [(&str, &str); 10] = [
            ("tch", "ch"),
            ("sch", "sk"),
            ("ph", "f"),
            ("gh", ""),
            ("kn", "n"),
            ("wr", "r"),
            ("wh", "w"),
            ("ck", "k"),
            ("qu", "kw"),
            ("x", "ks"),
        ];
        let is_vowel = |c: char| "aeiouy".contains(c);
        let mut word = SPELLINGS
            .iter()
            .fold(word.to_owned(), |word, (spelling, sound)| word.replace(spelling, sound))
            .replace("dge", "j");
        if word.ends_with("mb") {
            word.pop();
        }
        let letters: Vec<char> = word.chars().collect();
        let sound = |(place, &letter): (usize, &char)| {
            let is_soft = letters.get(place + 1).is_some_and(|next| "eiy".contains(*next));
            match (letter, letters.get(place + 1)) {
                ('c', Some('h')) => 'c',
                ('c', _) if is_soft => 's',
                ('c', _) => 'k',
                ('g', _) if is_soft => 'j',
                ('z', _) => 's',
                _ => letter,
            }
        };
        let mut sounds: Vec<char> = letters.iter().enumerate().map(sound).collect();
        sounds.dedup();
        let is_silent_e = |pair: &[char]| pair[1] == 'e' && !is_vowel(pair[0]);
        if sounds.len() >= 2 && is_silent_e(&sounds[sounds.len() - 2..]) {
            sounds.pop();
        }
        sounds.iter_mut().filter(|c| is_vowel(**c)).for_each(|c| *c = 'a');
        sounds.dedup();
        sounds.into_iter().collect()
    }

    #[test]
    fn words_are_read_as_people_write_them() {
        let whale = RoomWords::parse("노란색-고래-우산");
        assert!(whale.is_none(), "노란색 is in no list");
        let umbrella = RoomWords::parse("파란-고래-우산").expect("they are in the list");
        for text in [
            "파란 고래 우산",
            " 파란\u{3000}고래, \u{200b}우산 ",
            "파란_고래.우산",
            "파란--고래-우산",
        ] {
            assert_eq!(RoomWords::parse(text), Some(umbrella), "{text}");
        }
        let decomposed: String = "파란-고래-우산".nfd().collect();
        assert_eq!(RoomWords::parse(&decomposed), Some(umbrella));
        let otter = RoomWords::parse("Brave OTTER lantern");
        assert_eq!(otter.map(|words| words.to_string()).as_deref(), Some("brave-otter-lantern"));
        for text in
            ["", "고래", "고래-우산", "고래 우산 고래 우산", "brave-otter-x", "#파란-고래-우산"]
        {
            assert_eq!(RoomWords::parse(text), None, "{text}");
        }
        assert_eq!(format!("{umbrella:?}"), "RoomWords(..)");
    }

    proptest! {
        #[test]
        fn room_words_can_be_parsed_as_they_are_shown(bits: u64, is_english: bool) {
            let lang = if is_english { Lang::En } else { Lang::Ko };
            let words = RoomWords::from_bits(bits, lang);
            prop_assert_eq!(RoomWords::parse(&words.to_string()), Some(words));
            prop_assert_eq!(RoomWords::from_bits(bits & 0x1_ffff_ffff, lang), words);
        }

        #[test]
        fn nothing_else_is_read(text in "\\PC{0,80}") {
            let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
            prop_assume!(parts.count() != 3);
            prop_assert_eq!(RoomWords::parse(&text), None);
        }
    }
}
