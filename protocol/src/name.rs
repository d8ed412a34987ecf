//! Names: parsed once, impossible to hold invalid.
//!
//! Which characters a name may have, which names look the same, and what to tell a person
//! whose name is refused. Who has which name is the server's business.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

use crate::invisible::is_invisible;
use crate::josa::{Josa, with_josa};
use crate::limits::{NAME_BYTES, NAME_COLUMNS, NAME_MARKS};
use crate::notice::grouped;
use crate::sanitize::is_mark;

use looks::looks_of;
pub(crate) use looks::readings;

mod looks;

/// Reserved names: nobody may have them, nor a name that looks like one.
const RESERVED: [&str; 14] = [
    "server",
    "system",
    "admin",
    "administrator",
    "operator",
    "op",
    "root",
    "madang",
    "서버",
    "시스템",
    "관리자",
    "운영자",
    "방장",
    "교사",
];

/// The reserved names, as they can be read.
static RESERVED_READINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    RESERVED.into_iter().flat_map(readings).collect::<BTreeSet<_>>().into_iter().collect()
});

/// Names that only a teacher may have, while there is one.
const TEACHERS: [&str; 3] = ["teacher", "선생님", "쌤"];

/// The ways in which these are read.
static TEACHERS_READINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    TEACHERS.into_iter().flat_map(readings).collect::<BTreeSet<_>>().into_iter().collect()
});

/// A user's name, as it is shown: NFC, 1 to [`NAME_COLUMNS`] columns and at most
/// [`NAME_BYTES`] of letters, marks, digits, `_`, `-` and `.`, the first a letter or a
/// digit.
///
/// Cheap to clone. Equality is that of the shown characters; whether two names
/// may be in use at once is another question, which [`keys`](Self::keys) answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(Arc<str>);

impl UserName {
    /// Reads a name from a line; white space around it is no part of it, nor is padding
    /// (NULs, a byte order mark).
    ///
    /// # Errors
    ///
    /// The first of [`NameError`]'s variants, in their order, that applies.
    pub fn parse(line: &str) -> Result<Self, NameError> {
        let shown = parse_shown(line)?;
        if is_reserved(&shown) {
            return Err(NameError::Reserved);
        }
        Ok(Self(shown.into()))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys that claim a name: two or three, all different. Two names clash, and
    /// can't be in use at once, if they have any key in common.
    ///
    /// They are computed at each call (some microseconds), always the same for
    /// the same name. A name that clashes may be its bearer's own, differently
    /// written.
    pub fn keys(&self) -> Vec<NameKey> {
        keys_of(&self.0)
    }

    /// Whether it could be taken for a teacher's: `선생님`, `쌤`, `teacher`, and what looks
    /// like them.
    pub fn calls_itself_teacher(&self) -> bool {
        readings(&self.0).any(|reading| {
            let bare = reading.strip_suffix('님').unwrap_or(&reading);
            !bare.is_empty()
                && TEACHERS_READINGS.iter().any(|word| *word == reading || word == bare)
        })
    }

    /// The one of the [`keys`](Self::keys) that only the same name has, in any case. People are
    /// looked up by it.
    pub fn spelling(&self) -> NameKey {
        spelling_of(&self.0)
    }
}

impl From<UserName> for Arc<str> {
    fn from(name: UserName) -> Arc<str> {
        name.0
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> String {
        name.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for UserName {
    type Error = NameError;

    fn try_from(text: String) -> Result<UserName, NameError> {
        UserName::parse(&text)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One of the [`keys`](UserName::keys) of a name, for a map of the names in use.
/// Good for comparing only: it may look nothing like the name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameKey(Kind);

/// A text that no other key has: the spelling, or the look with a mark that no name has.
impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Spelling(spelling) => f.write_str(spelling),
            Kind::Look(look) => write!(f, "~{look}"),
        }
    }
}

/// Why a name was refused. It repeats nothing of the name but the one bad character, by its
/// number if it is invisible.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing but white space: Enter was pressed too early.
    #[error("the name is empty")]
    Empty,
    /// White space inside: a full name, or a sentence said at the wrong prompt.
    #[error("a name can't have spaces")]
    Spaces {
        /// The name with `_` for each run of spaces, if that is a good name.
        proposal: Option<UserName>,
    },
    /// A character that is not a letter, mark, digit, `_`, `-` or `.`: punctuation, an emoji, a
    /// control, an invisible character.
    #[error("a name can't have {}", visible(*found))]
    Character {
        /// The first such character.
        found: char,
    },
    /// Begins with punctuation, or with a mark that has no letter to stand on.
    #[error("a name can't begin with {}", visible(*found))]
    Start {
        /// The first character.
        found: char,
    },
    /// Too many marks on one letter ("Zalgo").
    #[error("{found} marks on one letter of the name, at most {NAME_MARKS} are allowed")]
    Marks {
        /// The most marks on one letter.
        found: usize,
    },
    /// Too wide.
    #[error("the name is {found} columns wide, at most {NAME_COLUMNS} are allowed")]
    Columns {
        /// The name's width.
        found: usize,
    },
    /// Too many bytes: marks take no columns, and every line of what is said repeats
    /// the name.
    #[error("the name is {found} bytes long, at most {NAME_BYTES} are allowed")]
    Bytes {
        /// The name's length.
        found: usize,
    },
    /// A reserved name, or one that looks like it.
    #[error("the name is reserved, or looks like one that is")]
    Reserved,
}

impl NameError {
    /// The code of the JSON `error`: `name_reserved` for a reserved name, `name_invalid` for one
    /// that breaks another rule.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reserved => "name_reserved",
            _ => "name_invalid",
        }
    }

    /// The explanation in English, in whole sentences.
    pub fn message_en(&self) -> String {
        match self {
            Self::Empty => "The name is empty. Type one.".to_owned(),
            Self::Spaces { proposal: Some(name) } => {
                format!("A name can't have spaces. How about {name}?")
            }
            Self::Spaces { proposal: None } => {
                "A name can't have spaces. Use _ instead.".to_owned()
            }
            Self::Character { found } => {
                format!("A name can only have letters, digits and _ - . (not {}).", visible(*found))
            }
            Self::Start { found } => {
                format!("A name must begin with a letter or a digit (not {}).", visible(*found))
            }
            Self::Marks { found } => {
                format!(
                    "One letter of that name has {} marks; the limit is {NAME_MARKS}.",
                    grouped(*found)
                )
            }
            Self::Columns { found } => format!(
                "That name is {} columns wide; the limit is {NAME_COLUMNS} \
                 ({} Korean or {NAME_COLUMNS} English letters).",
                grouped(*found),
                NAME_COLUMNS / 2
            ),
            Self::Bytes { found } => format!(
                "That name has {} bytes; the limit is {NAME_BYTES}. Use fewer letters, \
                 or fewer marks on them.",
                grouped(*found)
            ),
            Self::Reserved => "That name is reserved for the server, or looks like one that is. \
                 Choose another."
                .to_owned(),
        }
    }

    /// The explanation in Korean, in whole sentences.
    pub fn message_ko(&self) -> String {
        match self {
            Self::Empty => "이름이 비어 있습니다. 이름을 입력하세요.".to_owned(),
            Self::Spaces { proposal: Some(name) } => {
                format!(
                    "이름에는 빈칸을 쓸 수 없습니다. {} 어떨까요?",
                    with_josa(name.as_str(), Josa::EunNeun)
                )
            }
            Self::Spaces { proposal: None } => {
                "이름에는 빈칸을 쓸 수 없습니다. 빈칸 대신 _를 쓰세요.".to_owned()
            }
            Self::Character { found } => format!(
                "이름에는 글자와 숫자, _ - . 만 쓸 수 있습니다. (쓸 수 없는 것: {})",
                visible(*found)
            ),
            Self::Start { found } => format!(
                "이름은 글자나 숫자로 시작해야 합니다. (시작할 수 없는 것: {})",
                visible(*found)
            ),
            Self::Marks { found } => format!(
                "글자 하나에 부호가 {}개 붙어 있습니다. {NAME_MARKS}개까지 붙일 수 있습니다.",
                grouped(*found)
            ),
            Self::Columns { found } => format!(
                "이름이 너무 깁니다. 한글 {}자, 영문 {NAME_COLUMNS}자까지 쓸 수 있습니다. \
                 (이 이름은 {}칸, 한글은 한 글자가 2칸)",
                NAME_COLUMNS / 2,
                grouped(*found)
            ),
            Self::Bytes { found } => format!(
                "이름이 {}바이트로 너무 깁니다. 글자나 부호를 줄이세요. \
                 ({NAME_BYTES}바이트까지)",
                grouped(*found)
            ),
            Self::Reserved => "서버가 쓰는 이름이거나 그렇게 보이는 이름입니다. \
                 다른 이름을 고르세요."
                .to_owned(),
        }
    }
}

/// A key of one kind never equals one of the other: a look is put together from
/// stand-ins (`rn` for `m`, `l` for `I`), and whoever is really spelled like that
/// looks like the name only if their looks say so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// The NFKC case fold: `Alice`, `ALICE` and `ａｌｉｃｅ` have one.
    Spelling(Box<str>),
    /// The confusable skeleton (UTS #39 §4) of all that is not Hangul: `alice`
    /// and `aIice` have one. Of Hangul, the skeleton says that 국가 is 구까.
    Look(Box<str>),
}

/// Reads what is made as a name is, its meaning aside: a room's name too.
///
/// # Errors
///
/// Every variant of [`NameError`] but the last.
pub(crate) fn parse_shown(line: &str) -> Result<String, NameError> {
    let is_padding = |c: char| c.is_whitespace() || matches!(c, '\0' | '\u{FEFF}');
    let trimmed = line.trim_matches(is_padding);
    let shown = if trimmed.is_ascii() { trimmed.to_owned() } else { trimmed.nfc().collect() };
    let first = shown.chars().next().ok_or(NameError::Empty)?;
    if shown.contains(char::is_whitespace) {
        let words: Vec<&str> = shown.split_whitespace().collect();
        let proposal = UserName::parse(&words.join("_")).ok();
        return Err(NameError::Spaces { proposal });
    }
    if let Some(found) = shown.chars().find(|&c| !is_allowed(c)) {
        return Err(NameError::Character { found });
    }
    if matches!(first, '_' | '-' | '.') || is_mark(first) {
        return Err(NameError::Start { found: first });
    }
    let marks = longest_run_of_marks(&shown);
    if marks > NAME_MARKS {
        return Err(NameError::Marks { found: marks });
    }
    // Character by character, as terminals count: of a whole string, the crate
    // says that any number of Khmer letters under one another takes one column.
    let columns: usize = match shown.is_ascii() {
        true => shown.len(),
        false => shown.chars().filter_map(|c| c.width()).sum(),
    };
    if columns > NAME_COLUMNS {
        return Err(NameError::Columns { found: columns });
    }
    if shown.len() > NAME_BYTES {
        return Err(NameError::Bytes { found: shown.len() });
    }
    Ok(shown)
}

/// How a name is spelled, for comparison.
pub(crate) fn spelling_of(shown: &str) -> NameKey {
    NameKey(Kind::Spelling(fold(shown).into()))
}

fn keys_of(shown: &str) -> Vec<NameKey> {
    let [as_written, in_small_letters] = looks_of(shown);
    let mut kinds = vec![spelling_of(shown).0];
    if in_small_letters != as_written {
        kinds.push(Kind::Look(in_small_letters.into()));
    }
    kinds.push(Kind::Look(as_written.into()));
    kinds.into_iter().map(NameKey).collect()
}

pub(crate) fn fold(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => fold_beyond_ascii(text),
    }
}

/// NFKC before and after, for folding may undo it.
fn fold_beyond_ascii(text: &str) -> String {
    text.nfkc().default_case_fold().nfkc().collect()
}

/// Whether a name looks like a reserved one.
///
/// It is read as a hasty reader reads it (see [`readings`]). What is then a reserved word,
/// or several with nothing else between them, is reserved: `server.`, `adm.in`, `5erver`,
/// `시스템관리자`, `madang-admin`; and with what only dresses it up, `관리자님`,
/// `마당서버`. A word that merely has one in it is not: `operator-fan`, `rooty`, `서버실`.
fn is_reserved(shown: &str) -> bool {
    readings(shown).any(|reading| {
        let bare = if reading.is_ascii() { reading } else { reading.replace("마당", "") };
        let bare = bare.strip_suffix('님').unwrap_or(&bare);
        !bare.is_empty() && is_made_of(bare, &RESERVED_READINGS)
    })
}

/// Whether a text is nothing but some of `words`, one after the other.
fn is_made_of(text: &str, words: &[String]) -> bool {
    // Most words are passed over by their first letter.
    let first = text.as_bytes().first();
    first.is_none()
        || words
            .iter()
            .filter(|word| word.as_bytes().first() == first)
            .any(|word| text.strip_prefix(&**word).is_some_and(|rest| is_made_of(rest, words)))
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '_' | '-' | '.')
        || (!is_invisible(c)
            && (matches!(
                c.general_category_group(),
                GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
            ) || c.general_category() == GeneralCategory::DecimalNumber))
}

fn longest_run_of_marks(shown: &str) -> usize {
    if shown.is_ascii() {
        return 0;
    }
    shown.split(|c| !is_mark(c)).map(|marks| marks.chars().count()).max().unwrap_or(0)
}

/// The character itself, or its number (U+200B) if it can't be seen or can't
/// stand by itself.
fn visible(c: char) -> String {
    let seen = !matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator
    );
    if seen && !is_mark(c) && !is_invisible(c) {
        return c.to_string();
    }
    format!("U+{:04X}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sanitize::sanitize_label;

    #[track_caller]
    fn name(line: &str) -> UserName {
        UserName::parse(line).unwrap_or_else(|e| panic!("{line:?} was refused: {e}"))
    }

    #[track_caller]
    fn check(line: &str, shown: &str) {
        assert_eq!(name(line).as_str(), shown, "of {line:?}");
    }

    #[track_caller]
    fn check_refused(line: &str, error: NameError) {
        assert_eq!(UserName::parse(line), Err(error), "of {line:?}");
    }

    #[track_caller]
    fn check_spaces(line: &str, proposed: Option<&str>) {
        let proposal = proposed.map(name);
        check_refused(line, NameError::Spaces { proposal });
    }

    /// Checked both ways, as a map of the names in use would.
    #[track_caller]
    fn clash(one: &str, other: &str) -> bool {
        let (one, other) = (name(one).keys(), name(other).keys());
        let clash = one.iter().any(|key| other.contains(key));
        assert_eq!(clash, other.iter().any(|key| one.contains(key)));
        clash
    }

    #[test]
    fn good_names_are_shown_as_written_and_composed() {
        let names = "alice Alice 홍길동 홍_길동 ㅋㅋㅋ ㅎㅏㄴ 손님-17 guest-17 007 a 김Alice \
             a.b-c_d José Ωμέγα Привет 山田 さくら שלום हिन्दी ไทย adminton 국가 구까 각가 topology";
        for shown in names.split_whitespace() {
            check(shown, shown);
        }
        check("  alice \r\n", "alice");
        check("\u{FEFF}alice\0\0\0", "alice");
        check("\0alice \0", "alice");
        check("\u{3000}홍길동\u{A0}", "홍길동");
        check("\u{1112}\u{1161}\u{11AB}", "한");
        check("e\u{301}", "é");
    }

    #[test]
    fn an_empty_name_is_refused() {
        check_refused("", NameError::Empty);
        check_refused(" \t\u{3000}\r\n", NameError::Empty);
        check_refused("\0\0\u{FEFF}", NameError::Empty);
    }

    #[test]
    fn spaces_are_answered_with_a_proposal() {
        check_spaces("홍 길동", Some("홍_길동"));
        check_spaces("  a \t b\u{3000}\u{2028}c ", Some("a_b_c"));
        check_spaces("-a b", None);
        check_spaces("a b!", None);
        check_spaces("동해 물과 백두산이 마르고 닳도록", None);
        check_spaces("\x1b[31m a", None);
    }

    #[test]
    fn other_characters_are_refused() {
        let seen = "![]/#@<\"\\🦀★²½Ⅷ①＿【";
        let controls = "\0\x1B\x7F\u{9B}\u{AD}\u{200B}\u{200D}\u{202E}\u{2066}\u{FEFF}\u{E0041}";
        let blank = "\u{34F}\u{115F}\u{1160}\u{17B4}\u{180B}\u{180F}\
            \u{2800}\u{3164}\u{FE0F}\u{FFA0}\u{E0100}";
        let no_characters = "\u{378}\u{E000}";
        for found in [seen, controls, blank, no_characters].concat().chars() {
            check_refused(&format!("a{found}b"), NameError::Character { found });
            if !matches!(found, '\0' | '\u{FEFF}') {
                check_refused(&found.to_string(), NameError::Character { found });
            }
        }
    }

    #[test]
    fn names_begin_with_a_letter_or_a_digit() {
        for found in ['_', '-', '.', '\u{301}', '\u{20DD}', '\u{1161}'] {
            check_refused(&format!("{found}a"), NameError::Start { found });
        }
    }

    #[test]
    fn marks_and_columns_are_limited() {
        let mark = "\u{30D}";
        check(&format!("a{}", mark.repeat(4)), &format!("a{}", mark.repeat(4)));
        check_refused(&format!("xa{}b", mark.repeat(5)), NameError::Marks { found: 5 });
        check_refused(&format!("하{}", "\u{1161}".repeat(50)), NameError::Marks { found: 50 });

        check(&"a".repeat(24), &"a".repeat(24));
        check_refused(&"a".repeat(25), NameError::Columns { found: 25 });
        check(&"가".repeat(12), &"가".repeat(12));
        check_refused(&"가".repeat(13), NameError::Columns { found: 26 });
        // One under the other: 31 columns on a terminal, one to unicode-width's strings.
        let khmer = "\u{1780}\u{17D2}".repeat(30) + "\u{1780}";
        check_refused(&khmer, NameError::Columns { found: 31 });
    }

    #[test]
    fn a_name_has_at_most_96_bytes_however_narrow_it_is() {
        let letter = "\u{10330}";
        check(&letter.repeat(24), &letter.repeat(24));
        // Four marks of four bytes take no column.
        let marked = format!("{letter}{}", "\u{1E8D0}".repeat(4));
        check(&marked.repeat(4), &marked.repeat(4));
        check_refused(&marked.repeat(5), NameError::Bytes { found: 100 });
        check_refused(&marked.repeat(24), NameError::Bytes { found: 480 });
    }

    #[test]
    fn reserved_names_are_refused_and_what_looks_like_them() {
        for line in RESERVED {
            check_refused(line, NameError::Reserved);
            check_refused(&line.to_uppercase(), NameError::Reserved);
        }
        let alike = "Root r00t R00T ｒｏｏｔ аdmin ADMІN ΑDMIN adrnin adm1n \
             sᴇrver ʀᴏᴏᴛ ᴀᴅᴍɪɴ ꜱʏꜱᴛᴇᴍ ᴏᴘ мadang маdang sysтem аԁміn ᎪᎠᎷᏆΝ ᗩᗪᗰIᑎ ⲁdmin servɛr \
             admln AdmIn ѕуѕtеm 0p ор 𝐬erver ｓеrver madanɡ \u{1109}\u{1165}버 \
             server. s.e.r.v.e.r Server- adm.in ad_min r-o-o-t o.p 서버. 서-버 관_리_자 시스템. \
             시스템관리자 시스템-관리자 system-admin SystemAdmin madang.server root-admin \
             서버관리자 adminadmin s3rver 5erver 4dmin roo7 sy5tem аdm.in а.d.m.і.n \
             admi\u{301}n server\u{301} 서버\u{301} 서ㆍ버 serverˑ 관리자님 방장님 마당서버 마당-관리자님 \
             교사 교사. 방장. rnadang ｒｏｏｔ.";
        for line in alike.split_whitespace() {
            check_refused(line, NameError::Reserved);
        }
    }

    #[test]
    fn names_that_only_have_a_reserved_word_in_them_are_free() {
        let names = "operator-fan rooty 서버실 roots adminton op-ed co-op coop opera system-x \
             servers server2 root1 admins 시스템즈 영어교사 교사랑 방장사천왕 마당 마당님 님 \
             madangi 마당쇠 topop sysop administrate rooter 관리 운영 서버짱 s-m p-o o p";
        for line in names.split_whitespace() {
            check(line, line);
        }
    }

    #[test]
    fn names_that_look_alike_clash() {
        for (one, other) in [
            ("alice", "alice"),
            ("alice", "ALICE"),
            ("alice", "aIice"),
            ("alice", "аlice"),
            ("alice", "ALІCE"),
            ("alice", "ａｌｉｃｅ"),
            ("mike", "rnike"),
            ("bob", "b0b"),
            ("Straße", "STRASSE"),
            ("한", "\u{1112}\u{1161}\u{11AB}"),
            ("ㅋㅋ", "ﾻﾻ"),
            ("김Alice", "김аlice"),
            ("alice김", "aIice김"),
        ] {
            assert!(clash(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn names_that_only_seem_alike_do_not_clash() {
        for (one, other) in [
            ("국가", "구까"),
            ("학교", "하꾜"),
            ("각가", "가까"),
            ("밥", "바ㅂ"),
            ("ㅇㅇ", "oo"),
            ("ㅋㅋ", "ㅋㅋㅋ"),
            ("alice", "alice2"),
            ("alice", "álice"),
            ("a.b", "a_b"),
            // The look of the one is the spelling of the other.
            ("MIKE", "mlke"),
        ] {
            assert!(!clash(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn keys_are_distinct() {
        for line in ["alice", "ALICE", "홍길동", "ㅋㅋㅋ", "mike", "김Alice"] {
            let keys = name(line).keys();
            assert!((2..=3).contains(&keys.len()), "{keys:?}");
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{keys:?}");
            }
        }
    }

    #[test]
    fn errors_say_what_to_do_in_both_languages() {
        #[track_caller]
        fn check(line: &str, ko: &str, en: &str) {
            let error = UserName::parse(line).expect_err("every line here is bad");
            assert_eq!(error.message_ko(), ko);
            assert_eq!(error.message_en(), en);
        }
        check(
            "홍 길동",
            "이름에는 빈칸을 쓸 수 없습니다. 홍_길동은 어떨까요?",
            "A name can't have spaces. How about 홍_길동?",
        );
        check(
            "a!",
            "이름에는 글자와 숫자, _ - . 만 쓸 수 있습니다. (쓸 수 없는 것: !)",
            "A name can only have letters, digits and _ - . (not !).",
        );
        check(
            "a\x1b[2J",
            "이름에는 글자와 숫자, _ - . 만 쓸 수 있습니다. (쓸 수 없는 것: U+001B)",
            "A name can only have letters, digits and _ - . (not U+001B).",
        );
        check(
            "\u{301}a",
            "이름은 글자나 숫자로 시작해야 합니다. (시작할 수 없는 것: U+0301)",
            "A name must begin with a letter or a digit (not U+0301).",
        );
        check(
            "가나다라마바사아자차카타파",
            "이름이 너무 깁니다. 한글 12자, 영문 24자까지 쓸 수 있습니다. (이 이름은 26칸, 한글은 한 글자가 2칸)",
            "That name is 26 columns wide; the limit is 24 (12 Korean or 24 English letters).",
        );
        check(
            &"\u{10330}\u{1E8D0}\u{1E8D0}\u{1E8D0}\u{1E8D0}".repeat(5),
            "이름이 100바이트로 너무 깁니다. 글자나 부호를 줄이세요. (96바이트까지)",
            "That name has 100 bytes; the limit is 96. Use fewer letters, or fewer marks on \
             them.",
        );
        check(
            &"x".repeat(4_000),
            "이름이 너무 깁니다. 한글 12자, 영문 24자까지 쓸 수 있습니다. (이 이름은 4,000칸, 한글은 한 글자가 2칸)",
            "That name is 4,000 columns wide; the limit is 24 (12 Korean or 24 English letters).",
        );
        check(
            "관리자",
            "서버가 쓰는 이름이거나 그렇게 보이는 이름입니다. 다른 이름을 고르세요.",
            "That name is reserved for the server, or looks like one that is. Choose another.",
        );
    }

    #[test]
    fn codes_tell_reserved_from_invalid() {
        assert_eq!(NameError::Reserved.code(), "name_reserved");
        assert_eq!(NameError::Empty.code(), "name_invalid");
        assert_eq!(NameError::Columns { found: 25 }.code(), "name_invalid");
    }

    /// Names and near-names, dense enough that many are good.
    fn any_line() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            6 => "[a-zA-Z0-9가-힣]".prop_map(String::from),
            1 => "[\\PC]".prop_map(String::from),
            1 => any::<char>().prop_map(String::from),
            2 => prop::sample::select(vec![
                "_", "-", ".", " ", "\u{301}", "\u{30D}", "\u{1112}", "\u{1161}", "\u{11AB}", "ㅋ", "\u{3164}",
                "\u{17D2}", "ك", "ﹰ", "ͺ", "ſ", "İ", "K", "ﬁ",
            ]).prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_name_is_fit_to_be_shown_and_parses_to_itself(line in any_line()) {
            if let Ok(name) = UserName::parse(&line) {
                prop_assert_eq!(sanitize_label(name.as_str()), name.as_str());
                prop_assert!(!name.as_str().contains(['[', ']', ' ']));
                prop_assert_eq!(UserName::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(name.as_str().len() <= NAME_BYTES);
            }
        }

        #[test]
        fn every_error_is_fit_to_be_shown(line in any_line()) {
            if let Err(error) = UserName::parse(&line) {
                for text in [error.to_string(), error.message_ko(), error.message_en()] {
                    prop_assert_eq!(sanitize_label(&text), text.as_str());
                }
            }
        }

        #[test]
        fn case_never_makes_another_name(line in "[a-zA-Zа-яА-Яα-ωΑ-Ω가-힣0-9]{1,10}") {
            let upper = UserName::parse(&line.to_uppercase());
            if let (Ok(name), Ok(upper)) = (UserName::parse(&line), upper) {
                let keys = upper.keys();
                prop_assert!(name.keys().iter().any(|key| keys.contains(key)));
            }
        }
    }
}
