//! Korean particles (조사) that fit the sound of the word before them: `앨리스가`, `bob이`,
//! `3으로`, `API를`. Used for names, rooms and numbers in Korean sentences.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A particle that has two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Josa {
    /// 은/는: the topic of a sentence.
    EunNeun,
    /// 이/가: its subject.
    IGa,
    /// 을/를: its object.
    EulReul,
    /// 과/와: "and", "with".
    GwaWa,
    /// 으로/로: "to", "as". A word that ends in ㄹ takes 로.
    EuroRo,
}

/// How a word ends when it is read aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Vowel,
    /// ㄹ, which counts as a vowel before 로.
    Rieul,
    Consonant,
    /// Unknown: an emoji, a script that this module can't read.
    Unknown,
}

/// `word` with the particle that fits it.
pub fn with_josa(word: &str, josa: Josa) -> String {
    format!("{word}{}", josa.after(word))
}

/// `name` as Korean addresses people: with 님, unless it ends in 님 already (선생님).
pub fn with_nim(name: &str) -> String {
    format!("{name}{}", nim(name))
}

/// 님, or nothing if the name ends in it already.
pub fn nim(name: &str) -> &'static str {
    if name.ends_with('님') { "" } else { "님" }
}

impl Josa {
    /// The form of the particle that follows `word`. The last sound of the word decides; if that is
    /// unknown, both forms are returned, one of them in parentheses.
    pub fn after(self, word: &str) -> &'static str {
        let [consonant, vowel, unknown] = match self {
            Josa::EunNeun => ["은", "는", "은(는)"],
            Josa::IGa => ["이", "가", "이(가)"],
            Josa::EulReul => ["을", "를", "을(를)"],
            Josa::GwaWa => ["과", "와", "과(와)"],
            Josa::EuroRo => ["으로", "로", "(으)로"],
        };
        match (ending(word), self) {
            (Ending::Vowel, _) | (Ending::Rieul, Josa::EuroRo) => vowel,
            (Ending::Consonant | Ending::Rieul, _) => consonant,
            (Ending::Unknown, _) => unknown,
        }
    }
}

/// How `word` ends. Brackets with their content, punctuation and emoji at the end are
/// skipped.
fn ending(word: &str) -> Ending {
    let word = match word.rsplit_once('(') {
        Some((before, _)) if word.ends_with(')') && !before.is_empty() => before,
        _ => word,
    };
    // Only its end is read, and a word has one form of each letter: `ｍ`, `é` and `①` too.
    let from = word.char_indices().rev().nth(31).map_or(0, |(at, _)| at);
    let read: String = word[from..].nfkc().collect();
    let read = read.trim_end_matches(|c: char| !c.is_alphanumeric());
    let Some(last) = read.chars().next_back() else { return Ending::Unknown };
    match last {
        '가'..='힣' => syllable(last),
        // Letters on their own, decomposed: ㄱ is 기역, ㄹ is 리을, ㅏ is 아.
        '\u{1105}' | '\u{11AF}' => Ending::Rieul,
        '\u{1161}'..='\u{1175}' => Ending::Vowel,
        '\u{1100}'..='\u{11FF}' => Ending::Consonant,
        '0'..='9' => number(read),
        'ん' | 'ン' => Ending::Consonant,
        'ぁ'..='ゖ' | 'ァ'..='ヶ' | 'ー' => Ending::Vowel,
        _ => latin(read),
    }
}

fn syllable(c: char) -> Ending {
    const FINALS: u32 = 28;
    const RIEUL: u32 = 8;
    match (u32::from(c) - u32::from('가')) % FINALS {
        0 => Ending::Vowel,
        RIEUL => Ending::Rieul,
        _ => Ending::Consonant,
    }
}

/// 영, 일, 이, 삼, …; a number that ends in zeros ends in 십, 백, 천, 만 or 억, and from
/// 10^12 on in 조.
fn number(read: &str) -> Ending {
    let zeros = read.bytes().rev().take_while(|byte| *byte == b'0').count();
    let is_number = read.len() > zeros && read.as_bytes()[read.len() - zeros - 1].is_ascii_digit();
    match read.as_bytes()[read.len() - 1] {
        b'0' if is_number && (12..16).contains(&zeros) => Ending::Vowel,
        b'0' | b'3' | b'6' => Ending::Consonant,
        b'1' | b'7' | b'8' => Ending::Rieul,
        _ => Ending::Vowel,
    }
}

/// What ends in Latin letters: an abbreviation is spelled, a word is pronounced.
fn latin(read: &str) -> Ending {
    let unaccented: String = read.nfd().filter(|c| !is_combining_mark(*c)).collect();
    let from = unaccented.rfind(|c: char| !c.is_ascii_alphabetic());
    let word = from.map_or(&*unaccented, |at| {
        let behind = unaccented[at..].chars().next().map_or(0, char::len_utf8);
        &unaccented[at + behind..]
    });
    let Some(last) = word.chars().next_back() else { return Ending::Unknown };
    let has_vowel = word.contains(|c: char| "aeiouy".contains(c.to_ascii_lowercase()));
    let is_spelled = !has_vowel
        || word.len() == 1
        || (word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_uppercase()));
    match last.to_ascii_lowercase() {
        // 엘, 알, 엠, 엔; every other letter's name ends in a vowel.
        'l' | 'r' if is_spelled => Ending::Rieul,
        'm' | 'n' if is_spelled => Ending::Consonant,
        _ if is_spelled => Ending::Vowel,
        _ => spoken(&word.to_ascii_lowercase()),
    }
}

/// How an English word ends as Korean writes it: carol is 캐롤, jane 제인, bob 밥, mark 마크.
/// `word` is in small letters and has a vowel.
fn spoken(word: &str) -> Ending {
    let is_vowel = |byte: Option<&u8>| byte.is_some_and(|byte| b"aeiouy".contains(byte));
    let mut letters = word.as_bytes().iter().rev();
    let (last, before, third) = (letters.next(), letters.next(), letters.next());
    let is_after_vowel = is_vowel(before);
    // Short vowels keep p, t and k in their syllable: 챗, 북; long ones don't: 위크.
    let is_after_short = is_after_vowel && (!is_vowel(third) || before == Some(&b'o'));
    match (before, last) {
        // The e is silent: 제인, 애플.
        (Some(b'l'), Some(b'e')) if third.is_some() => Ending::Rieul,
        (Some(b'm' | b'n'), Some(b'e')) if word.len() > 3 => Ending::Consonant,
        (_, Some(b'l')) => Ending::Rieul,
        (_, Some(b'm' | b'n')) | (Some(b'n'), Some(b'g')) => Ending::Consonant,
        (Some(b'c'), Some(b'k')) | (Some(b't'), Some(b't')) => Ending::Consonant,
        (_, Some(b'b' | b'c')) if is_after_vowel => Ending::Consonant,
        (_, Some(b'p' | b't' | b'k')) if is_after_short => Ending::Consonant,
        _ => Ending::Vowel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &[&str], josa: Josa) {
        for expected in expected {
            let particle = ["은", "는", "이", "가", "을", "를", "과", "와", "으로", "로"]
                .into_iter()
                .filter(|particle| expected.ends_with(particle))
                .max_by_key(|particle| particle.len())
                .expect("a particle");
            let word = &expected[..expected.len() - particle.len()];
            assert_eq!(with_josa(word, josa), *expected);
        }
    }

    #[test]
    fn hangul_goes_by_its_last_consonant() {
        check(&["철수는", "민은", "서울은", "강의는"], Josa::EunNeun);
        check(&["철수가", "민이", "서울이"], Josa::IGa);
        check(&["철수를", "민을", "서울을"], Josa::EulReul);
        check(&["철수와", "민과", "서울과"], Josa::GwaWa);
        check(&["철수로", "민으로", "서울로", "부산으로"], Josa::EuroRo);
        check(&["ㅋㅋ이", "ㄹ이", "ㅠㅠ가"], Josa::IGa);
    }

    #[test]
    fn digits_go_by_how_they_are_read() {
        check(
            &["0은", "1은", "2는", "3은", "4는", "5는", "6은", "7은", "8은", "9는"],
            Josa::EunNeun,
        );
        check(&["1로", "3으로", "6으로", "7로", "8로", "10으로", "1000000000000로"], Josa::EuroRo);
        check(&["손님-17이", "손님-2가", "수학1이", "３이", "①이"], Josa::IGa);
    }

    #[test]
    fn latin_words_go_by_how_they_are_said() {
        check(&["bob이", "alice가", "carol이", "dave가", "erin이", "jane이", "mike가"], Josa::IGa);
        check(&["apple을", "chat을", "book을", "mark를", "server를", "guest를"], Josa::EulReul);
        check(&["facebook으로", "google로", "math로", "ping으로", "josé로"], Josa::EuroRo);
        check(&["Bob은", "ALICE는", "lobby는", "zoe는", "robert는"], Josa::EunNeun);
    }

    #[test]
    fn abbreviations_are_spelled() {
        check(
            &["API를", "HTML을", "TCP를", "nc를", "VR을", "FM을", "LAN을", "x를", "a_b를"],
            Josa::EulReul,
        );
        check(&["URL로", "SQL로", "IBM으로", "tls로", "반B로"], Josa::EuroRo);
    }

    #[test]
    fn particles_go_by_the_last_character_that_is_pronounced() {
        check(&["철수(반장)가", "(가을)이", "bob.이", "수학_가을반__이", "민수🙂가"], Josa::IGa);
        check(&["カナ가", "パン이", "さくら가"], Josa::IGa);
    }

    #[test]
    fn words_of_unknown_sound_get_both_particles() {
        for word in ["", "🙂", "...", "李", "Иван"] {
            assert_eq!(Josa::EunNeun.after(word), "은(는)", "{word}");
            assert_eq!(Josa::EuroRo.after(word), "(으)로", "{word}");
        }
    }

    #[test]
    fn nim_is_not_doubled() {
        assert_eq!(with_nim("앨리스"), "앨리스님");
        assert_eq!(with_nim("선생님"), "선생님");
    }

    #[test]
    fn a_long_word_costs_no_more_than_its_end() {
        assert_eq!(Josa::IGa.after(&format!("{}민", "\u{300}a".repeat(100_000))), "이");
    }
}
