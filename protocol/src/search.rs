//! What a search asks for, whether a text holds it, and where. For the server, which looks
//! through what it keeps, and for clients, which mark what was found.
//!
//! A text is found if it holds all words of the query, each anywhere in it, whatever the
//! case and whether Hangul was typed composed or not. `"two words"` in quotes are one
//! phrase. A consonant on its own also stands for every syllable that begins with it: `ㅎㅇ`
//! finds 회의.

use std::{borrow::Cow, ops::Range};

use memchr::memmem::Finder;
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class, is_nfc};

/// The most bytes of a query that are looked at.
pub const MOST_QUERY_BYTES: usize = 256;

/// What is looked for.
#[derive(Debug)]
pub struct Query {
    words: Vec<Word>,
}

/// A word of a query, or a phrase.
#[derive(Debug)]
enum Word {
    /// Letters that stand for themselves only.
    Plain(Box<Finder<'static>>),
    /// Some stand for every syllable that begins with them.
    Initials(Vec<char>),
}

impl Query {
    /// Reads a query; `None` if nothing in it can be looked for.
    pub fn parse(query: &str) -> Option<Query> {
        let mut end = query.len().min(MOST_QUERY_BYTES);
        while !query.is_char_boundary(end) {
            end -= 1;
        }
        let folded = fold_text(&query[..end]);
        let mut words = Vec::new();
        let mut rest = &*folded;
        loop {
            rest = rest.trim_start();
            let (word, after) = match rest.strip_prefix('"') {
                Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
                None if rest.is_empty() => break,
                None => {
                    let end = rest.find(|it: char| it.is_whitespace() || it == '"');
                    rest.split_at(end.unwrap_or(rest.len()))
                }
            };
            let word = word.trim();
            if !word.is_empty() {
                words.push(Word::new(word));
            }
            rest = after;
        }
        (!words.is_empty()).then_some(Query { words })
    }

    /// Whether a text that was [folded](fold_text) holds all of it.
    pub fn is_in(&self, folded: &str) -> bool {
        self.words.iter().all(|word| word.is_in(folded))
    }

    /// Where its words are in a text, in bytes: in order, and none in another.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        // Which character of the text each byte of the folded one comes from. The text of a
        // message is composed, so each character can be folded for itself.
        let mut folded = String::with_capacity(text.len());
        let mut origins = Vec::with_capacity(text.len());
        for (start, letter) in text.char_indices() {
            let origin = start..start + letter.len_utf8();
            folded.push_str(&fold_text(&text[origin.clone()]));
            origins.resize(folded.len(), origin);
        }
        let mut found: Vec<Range<usize>> = self
            .words
            .iter()
            .flat_map(|word| word.places(&folded))
            .filter_map(|Range { start, end }| {
                Some(origins.get(start)?.start..origins.get(end.checked_sub(1)?)?.end)
            })
            .collect();
        found.sort_unstable_by_key(|place| (place.start, place.end));
        found.dedup_by(|next, place| {
            let touches = next.start <= place.end;
            if touches {
                place.end = place.end.max(next.end);
            }
            touches
        });
        found
    }
}

impl Word {
    fn new(folded: &str) -> Word {
        if folded.chars().any(|letter| INITIALS.contains(&letter)) {
            Word::Initials(folded.chars().collect())
        } else {
            Word::Plain(Box::new(Finder::new(folded.as_bytes()).into_owned()))
        }
    }

    fn is_in(&self, folded: &str) -> bool {
        match self {
            Word::Plain(finder) => finder.find(folded.as_bytes()).is_some(),
            Word::Initials(word) => {
                folded.char_indices().any(|(start, _)| begin(&folded[start..], word).is_some())
            }
        }
    }

    fn places(&self, folded: &str) -> Vec<Range<usize>> {
        match self {
            Word::Plain(finder) => {
                let length = finder.needle().len();
                finder.find_iter(folded.as_bytes()).map(|start| start..start + length).collect()
            }
            Word::Initials(word) => {
                let places = folded
                    .char_indices()
                    .filter_map(|(start, _)| Some(start..start + begin(&folded[start..], word)?));
                places.collect()
            }
        }
    }
}

/// How many bytes of `text` are `word`, if it begins with that.
fn begin(text: &str, word: &[char]) -> Option<usize> {
    let mut letters = text.chars();
    let mut wanted = word.iter();
    wanted
        .all(|wanted| letters.next().is_some_and(|letter| stands_for(*wanted, letter)))
        .then(|| text.len() - letters.as_str().len())
}

fn stands_for(wanted: char, letter: char) -> bool {
    wanted == letter || initial(letter) == Some(wanted)
}

/// The consonants that Hangul syllables begin with, in the order of Unicode's syllables
/// (The Unicode Standard, 3.12), as keyboards type them on their own.
const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ',
    'ㅌ', 'ㅍ', 'ㅎ',
];

/// What a Hangul syllable begins with.
fn initial(syllable: char) -> Option<char> {
    const SYLLABLES_AN_INITIAL: u32 = 21 * 28;
    let index = (syllable as u32).checked_sub('가' as u32).filter(|_| syllable <= '힣')?;
    INITIALS.get((index / SYLLABLES_AN_INITIAL) as usize).copied()
}

/// A text as it is compared: composed (NFC), without case.
pub fn fold_text(text: &str) -> Cow<'_, str> {
    // What people write most folds by its ASCII letters only.
    let is_plain = |letter: char| match letter {
        '\0'..='\x7f' | '가'..='힣' | 'ㄱ'..='ㅣ' => true,
        // A mark may compose with a small letter and not with the capital one.
        _ => !letter.is_alphabetic() && canonical_combining_class(letter) == 0,
    };
    if text.is_ascii() || (text.chars().all(is_plain) && is_nfc(text)) {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let composed: String = text.nfc().collect();
    caseless::default_case_fold_str(&composed).nfc().collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(query: &str, text: &str, found: bool) {
        let parsed = Query::parse(query);
        let is_in = parsed.is_some_and(|parsed| parsed.is_in(&fold_text(text)));
        assert_eq!(is_in, found, "{query:?} in {text:?}");
    }

    #[test]
    fn all_words_are_looked_for_anywhere_in_the_text() {
        for (query, text, found) in [
            // Hangul of one to five syllables, with what follows a word.
            ("회", "내일 회의는 3시", true),
            ("회의", "내일 회의는 3시", true),
            ("회의는", "내일 회의는 3시", true),
            ("의는", "내일 회의는 3시", true),
            ("내일회의", "내일 회의는 3시", false),
            ("소프트웨어", "소프트웨어공학 과제", true),
            ("하늘색", "하늘 색", false),
            // Several words, in any order.
            ("3시 회의", "내일 회의는 3시", true),
            ("3시 모임", "내일 회의는 3시", false),
            // Phrases.
            ("\"회의는 3시\"", "내일 회의는 3시", true),
            ("\"3시 회의\"", "내일 회의는 3시", false),
            ("\"회의는", "내일 회의는 3시", true),
            ("내일\"3시\"", "내일 회의는 3시", true),
            // Initials, alone and mixed; consonants that were said.
            ("ㅎㅇ", "내일 회의는 3시", true),
            ("ㅎㅇㄴ", "내일 회의는 3시", true),
            ("ㅎㅇㅁ", "내일 회의는 3시", false),
            ("회ㅇ", "내일 회의는 3시", true),
            ("ㅋㅋ", "ㅋㅋㅋ 그래", true),
            ("ㅋㅋ", "쿠키", true),
            ("ㄲ", "꼭 오세요", true),
            ("ㄱ", "꼭 오세요", false),
            ("ㅎㅇ", "히 어", false),
            // Composed or not, in query and text.
            ("회의", "\u{1112}\u{116c}\u{110b}\u{1174}", true),
            ("\u{1112}\u{116c}\u{110b}\u{1174}", "회의", true),
            ("caf\u{e9}", "un cafe\u{301}", true),
            // Case.
            ("RUST", "we use Rust", true),
            ("rust", "RUST", true),
            ("strasse", "Straße", true),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ", true),
            // Nothing has a meaning of its own but quotes.
            ("x AND", "x and y", true),
            ("x AND", "y or x", false),
            ("100%", "100% sure", true),
            ("%", "100 sure", false),
            ("a_b", "axb", false),
            ("it's", "it's fine", true),
            ("*", "2 * 3", true),
            ("😀", "fine 😀", true),
            ("👨‍👩‍👧", "the 👨‍👩‍👧 family", true),
            ("--", "-- note --", true),
        ] {
            check(query, text, found);
        }
    }

    #[test]
    fn the_places_of_words_are_those_of_the_text_as_it_was_written() {
        #[track_caller]
        fn check(query: &str, text: &str, expected: &str) {
            let places = Query::parse(query).expect("words").places(text);
            let mut marked = text.to_owned();
            for place in places.iter().rev() {
                marked.insert(place.end, ']');
                marked.insert(place.start, '[');
            }
            assert_eq!(marked, expected);
        }
        check("회의", "내일 회의는 3시, 회의실", "내일 [회의]는 3시, [회의]실");
        check("ㅎㅇ", "내일 회의는", "내일 [회의]는");
        check("ㅎㅇ ㅇㄴ", "내일 회의는", "내일 [회의는]");
        check("RUST use", "We Use Rust", "We [Use] [Rust]");
        check("\"use rust\"", "We Use Rust", "We [Use Rust]");
        check("strasse", "die Straße", "die [Straße]");
        check("ss", "Straße", "Stra[ß]e");
        check("ab bc", "xabcx", "x[abc]x");
        check("aa", "aaaa", "[aaaa]");
        check("İ", "İstanbul", "[İ]stanbul");
        check("😀", "fine 😀", "fine [😀]");
        check("nothing", "what else", "what else");
    }

    #[test]
    fn an_empty_query_is_refused() {
        for query in ["", "  ", "\"\"", "\" \" \"\"", "\""] {
            assert!(Query::parse(query).is_none(), "{query:?}");
        }
    }

    #[test]
    fn a_long_query_is_cut_between_letters() {
        let query = "회".repeat(200);
        check(&query, &"회".repeat(MOST_QUERY_BYTES / "회".len()), true);
    }

    fn by_the_standard(text: &str) -> String {
        let composed: String = text.nfc().collect();
        caseless::default_case_fold_str(&composed).nfc().collect()
    }

    #[test]
    fn every_letter_folds_as_the_standard_says() {
        for letter in ('\0'..='\u{ffff}').chain('\u{1f000}'..='\u{1ffff}') {
            let text = format!("aH{letter}");
            assert_eq!(fold_text(&text), by_the_standard(&text), "{text:?}");
        }
    }

    /// The plainest way to say what is found.
    fn naive(words: &[String], text: &str) -> bool {
        let fold = |text: &str| by_the_standard(text).chars().collect::<Vec<char>>();
        let text = fold(text);
        words.iter().all(|word| {
            let word = fold(word);
            text.windows(word.len()).any(|part| {
                part.iter().zip(&word).all(|(letter, wanted)| {
                    // Composed of the initial and a vowel, whatever the final is.
                    let syllable = [*letter].iter().collect::<String>().nfd().next();
                    let conjoining = "ᄀᄁᄂᄃᄄᄅᄆᄇᄈᄉᄊᄋᄌᄍᄎᄏᄐᄑᄒ";
                    let place = INITIALS.iter().position(|initial| initial == wanted);
                    letter == wanted
                        || (('가'..='힣').contains(letter)
                            && place.is_some_and(|place| conjoining.chars().nth(place) == syllable))
                })
            })
        })
    }

    proptest! {
        #[test]
        fn a_search_finds_what_the_plainest_one_finds(
            words in prop::collection::vec("[가-힣ㄱ-ㅎa-cA-CÀ-ÿ]{1,3}", 1..3),
            text in "[가-힣ㄱ-ㅎa-cA-CÀ-ÿ ]{0,40}",
            place in 0usize..40,
        ) {
            // Half of the texts hold the first word.
            let letters: Vec<char> = text.chars().collect();
            let (before, after) = letters.split_at(place.min(letters.len()));
            let mut text: String = before.iter().collect();
            if place % 2 == 0 {
                text.push_str(&words[0]);
            }
            text.extend(after);
            let query = Query::parse(&words.join(" ")).expect("words");
            prop_assert_eq!(query.is_in(&fold_text(&text)), naive(&words, &text), "{:?} {:?}", words, text);
        }

        #[test]
        fn folding_is_what_the_standard_says(
            text in prop_oneof![any::<String>(), "[a-zA-Z가-힣ㄱ-ㅎ \u{300}-\u{36f}!-@😀]{0,6}"],
        ) {
            prop_assert_eq!(fold_text(&text), by_the_standard(&text));
        }

        #[test]
        fn folding_twice_changes_nothing_more(text in any::<String>()) {
            let once = fold_text(&text).into_owned();
            prop_assert_eq!(fold_text(&once), once.as_str());
        }

        #[test]
        fn any_query_is_read(query in any::<String>(), text in any::<String>()) {
            if let Some(query) = Query::parse(&query) {
                query.is_in(&fold_text(&text));
                let mut end = 0;
                for place in query.places(&text) {
                    prop_assert!(place.start >= end && !text[place.clone()].is_empty());
                    end = place.end;
                }
            }
        }

        #[test]
        fn every_match_has_its_places_in_the_text(
            word in "[가-힣ㄱ-ㅎa-cA-CÀ-ÿ]{1,3}",
            text in "[가-힣ㄱ-ㅎa-cA-CÀ-ÿ ]{0,40}",
        ) {
            let text: String = (text + &word).nfc().collect();
            let query = Query::parse(&word).expect("a word");
            for place in query.places(&text) {
                prop_assert!(query.is_in(&fold_text(&text[place])));
            }
            prop_assert_eq!(query.is_in(&fold_text(&text)), !query.places(&text).is_empty());
        }
    }
}
