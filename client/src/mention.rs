//! Whether a text mentions somebody by name. The page has the same rule in JavaScript;
//! `tests/cases/mentions.json` tests both.

use unicode_normalization::char::is_combining_mark;

/// What may follow a name in Hangul without a space: titles, particles, endings.
const PARTICLES: [&str; 73] = [
    "님",
    "씨",
    "군",
    "양",
    "쌤",
    "선생",
    "아",
    "야",
    "여",
    "이",
    "가",
    "은",
    "는",
    "을",
    "를",
    "의",
    "에",
    "에게",
    "에게서",
    "한테",
    "한테서",
    "께",
    "께서",
    "도",
    "만",
    "와",
    "과",
    "랑",
    "이랑",
    "하고",
    "로",
    "으로",
    "보다",
    "처럼",
    "같은",
    "까지",
    "부터",
    "마저",
    "조차",
    "나",
    "이나",
    "라도",
    "이라도",
    "요",
    "이요",
    "네",
    "들",
    "입니다",
    "이에요",
    "예요",
    "라고",
    "이라고",
    "라는",
    "이라는",
    "인데",
    "인가",
    "대로",
    "만큼",
    "밖에",
    "뿐",
    "이여",
    "이야",
    "형",
    "누나",
    "언니",
    "오빠",
    "서",
    "였",
    "다",
    "이다",
    "입니까",
    "같이",
    "말고",
];

/// Whether `text` mentions `name`, in upper or lower case, with or without an `@`. The mention
/// must be a whole name: `carol-2` does not mention `carol`, and `Иванов` does not mention
/// `Иван`.
///
/// Letters, digits, marks and `_` continue a name, and so does a single `-` or `.` followed by
/// one of them. A name in other letters ends before Hangul, kana and Han (`carol아`); a name in
/// Hangul ends before particles and titles (`길동이가`, `민수님께`), and before laughter and tears
/// (`민수ㅋㅋ`).
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    let (text, name) = (folded(text), folded(name));
    text.match_indices(&name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        begins_behind(before) && ends_before(&name, after)
    })
}

/// Lower-cases the text, with a final sigma like any other.
fn folded(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

/// Whether a name can begin behind `before`.
fn begins_behind(before: &str) -> bool {
    let mut before = before.chars().rev();
    match before.next() {
        Some('-' | '.') => !before.next().is_some_and(is_word),
        last => !last.is_some_and(is_word),
    }
}

/// Whether `name` can end before `after`.
fn ends_before(name: &str, after: &str) -> bool {
    let mut rest = after.chars();
    match rest.next() {
        Some('-' | '.') => !rest.next().is_some_and(is_word),
        Some(next) if is_jamo(next) => !name.ends_with(is_jamo),
        Some(next) if is_hangul(next) && name.ends_with(is_hangul) => {
            let end = after.find(|c| !is_hangul(c)).unwrap_or(after.len());
            let (run, rest) = after.split_at(end);
            is_made_of_particles(run) && !rest.starts_with(|c| is_word(c) && !is_jamo(c))
        }
        Some(next) if is_unspaced(next) => !name.ends_with(is_unspaced),
        next => !next.is_some_and(is_word),
    }
}

fn is_made_of_particles(run: &str) -> bool {
    // The longest run of particles that is looked at.
    const LONGEST: usize = 12;
    run.chars().nth(LONGEST).is_none()
        && (run.is_empty()
            || PARTICLES
                .iter()
                .any(|particle| run.strip_prefix(particle).is_some_and(is_made_of_particles)))
}

/// Whether a character continues a name.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

fn is_hangul(c: char) -> bool {
    matches!(c, '가'..='힣')
}

/// Single Hangul letters, as in ㅋㅋ and ㅠㅠ.
fn is_jamo(c: char) -> bool {
    matches!(c, 'ㄱ'..='ㅣ')
}

/// Hangul, kana and Han, which may follow a word without a space.
fn is_unspaced(c: char) -> bool {
    is_hangul(c)
        || matches!(c,
            '々'
            | 'ぁ'..='ゖ'
            | 'ァ'..='ヺ'
            | 'ー'..='ヿ'
            | 'ｦ'..='ﾟ'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_recognised_as_the_shared_table_says() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/cases/mentions.json")).expect("cases");
        assert!(cases.len() > 50);
        for case in cases {
            let (text, name) = (case["text"].as_str(), case["name"].as_str());
            let (Some(text), Some(name)) = (text, name) else { panic!("{case}") };
            assert_eq!(Some(mentions(text, name)), case["mentioned"].as_bool(), "{case}");
        }
    }

    #[test]
    fn a_long_run_of_particles_is_read_at_once() {
        assert!(!mentions(&format!("민수{}", "이".repeat(4_000)), "민수"));
        assert!(!mentions(&"민수이이나이나".repeat(600), "민수"));
    }
}
