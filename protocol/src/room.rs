//! The names and keys of rooms: a public room has a name, a private one a key that nobody
//! can guess. Parsed once, impossible to hold invalid. Which rooms exist is the server's
//! business.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    invisible::{is_invisible, trim_start},
    name::{NameError, NameKey, parse_shown, readings, spelling_of},
    text::Lang,
    words::RoomWords,
};

/// The name of the room where everyone starts.
pub const LOBBY: &str = "lobby";

/// Its name in Korean.
pub(crate) const LOBBY_IN_KOREAN: &str = "로비";

/// A room's name as people in that language see it.
pub fn room_name(room: &str, lang: Lang) -> &str {
    match (room, lang) {
        (LOBBY, Lang::Ko) => LOBBY_IN_KOREAN,
        (room, _) => room,
    }
}

/// The beginning of a private room's public mark. No name may begin like it.
const MARK_PREFIX: &str = "private-";

/// The digits of Crockford's base 32: no I, L, O or U.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many digits a key has.
const KEY_DIGITS: usize = 26;

/// How many digits a mark has after its prefix.
const MARK_DIGITS: usize = 4;

/// The name of a public room, by the same rules as a [`UserName`](crate::name::UserName).
/// Only the lobby has its name; `로비` is the lobby too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// The lobby's.
    pub fn lobby() -> RoomName {
        RoomName(LOBBY.into())
    }

    /// Reads a name; white space around it is no part of it.
    ///
    /// # Errors
    ///
    /// [`NameError`] as for the name of a person; [`NameError::Reserved`] for what
    /// could be taken for the lobby (`1obby`, `로비.`), for the mark of a private room
    /// (`рrivate-k3f9` with a Cyrillic `р`, `private_k3f9`) or for the words that open one
    /// ([`RoomWords`]).
    pub fn parse(text: &str) -> Result<RoomName, NameError> {
        let name = RoomName(parse_shown(text)?.into());
        if name.is_lobby() {
            return Ok(RoomName::lobby());
        }
        let lobbies = [LOBBY, LOBBY_IN_KOREAN];
        let is_lobby =
            |reading: &str| lobbies.into_iter().flat_map(readings).any(|it| it == reading);
        // The word before the hyphen of a mark, or before whatever replaces it.
        let is_mark_word = |reading: &str| readings(MARK_PREFIX).any(|it| it == reading);
        let is_hyphen = |c: char| {
            matches!(c, '-' | '_' | '.' | 'ー' | 'ｰ' | '一' | 'ㅡ' | '\u{1173}' | '\u{640}')
        };
        let word = name.as_str().split_once(is_hyphen).map(|(word, _)| word);
        if readings(name.as_str()).any(|reading| is_lobby(&reading))
            || word.is_some_and(|word| readings(word).any(|reading| is_mark_word(&reading)))
            || RoomWords::parse(name.as_str()).is_some()
        {
            return Err(NameError::Reserved);
        }
        Ok(name)
    }

    /// The name, as shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the lobby's.
    pub fn is_lobby(&self) -> bool {
        [LOBBY, LOBBY_IN_KOREAN].iter().any(|lobby| spelling_of(lobby) == self.key())
    }

    /// The key for finding the room: the same for `Math`, `MATH` and `ｍａｔｈ`.
    pub fn key(&self) -> NameKey {
        spelling_of(&self.0)
    }
}

impl TryFrom<String> for RoomName {
    type Error = NameError;

    fn try_from(text: String) -> Result<RoomName, NameError> {
        RoomName::parse(&text)
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> String {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The key of a private room: 128 bits, as 26 digits of Crockford's base 32 in
/// groups (`0abcd-efgh0-…`). Read without regard to case and hyphens, O as 0, I and
/// L as 1.
///
/// Whoever has it can join, so it is shown only on purpose, by [`show`](Self::show), and
/// never by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomKey(u128);

/// The text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this link is broken (a key has {KEY_DIGITS} letters and digits); copy all of it again")]
pub struct NoKey;

impl RoomKey {
    /// The key of these bits, which must be random.
    pub const fn from_bits(bits: u128) -> RoomKey {
        RoomKey(bits)
    }

    /// Reads a key, without the `#` before it and with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`NoKey`].
    pub fn parse(text: &str) -> Result<RoomKey, NoKey> {
        match RoomKey::split(text.trim())? {
            (key, "") => Ok(key),
            _ => Err(NoKey),
        }
    }

    /// The first key in a text that stands behind a `#`, whatever is written around it:
    /// `#KEY입니다`, `#KEY.`, `<http://host/#KEY>`. Held to `tests/cases/keys.json`.
    pub fn find(text: &str) -> Option<RoomKey> {
        text.split('#').skip(1).find_map(|rest| RoomKey::split(rest).ok()).map(|(key, _)| key)
    }

    /// The key that a text begins with, and what follows it, which is no letter and no
    /// digit that could belong to a longer one. Hyphens, whatever was put in their place,
    /// and what nobody sees count for nothing.
    fn split(text: &str) -> Result<(RoomKey, &str), NoKey> {
        let mut bits: u128 = 0;
        let mut digits = 0;
        let mut rest = text.chars();
        loop {
            let after = rest.as_str();
            let Some(character) = rest.next().map(|c| c.to_ascii_lowercase()) else {
                return if digits == KEY_DIGITS { Ok((RoomKey(bits), after)) } else { Err(NoKey) };
            };
            let is_hyphen = matches!(character, '-' | '\u{2010}'..='\u{2015}');
            if is_hyphen || (is_invisible(character) && !character.is_whitespace()) {
                continue;
            }
            if digits == KEY_DIGITS && !character.is_ascii_alphanumeric() {
                return Ok((RoomKey(bits), after));
            }
            let digit = match character {
                'o' => 0,
                'i' | 'l' => 1,
                c => DIGITS.iter().position(|digit| char::from(*digit) == c).ok_or(NoKey)?,
            };
            digits += 1;
            // The first digit has three bits, the others five.
            if digits > KEY_DIGITS || bits >> 123 != 0 {
                return Err(NoKey);
            }
            bits = bits << 5 | digit as u128;
        }
    }

    /// The key in groups of five, the last of six.
    pub fn show(&self) -> String {
        let mut shown = String::with_capacity(KEY_DIGITS + 4);
        for at in 0..KEY_DIGITS {
            if at > 0 && at % 5 == 0 && at < KEY_DIGITS - 1 {
                shown.push('-');
            }
            shown.push(digit(self.0 >> (5 * (KEY_DIGITS - 1 - at))));
        }
        shown
    }
}

impl fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomKey(..)")
    }
}

/// The public mark that stands for a private room in events and logs
/// (`private-k3f9`), of 20 bits that tell nothing of its key.
pub fn private_mark(bits: u32) -> String {
    let digits = (0..MARK_DIGITS).map(|at| digit(u128::from(bits >> (5 * at))));
    MARK_PREFIX.chars().chain(digits).collect()
}

/// Whether `room`, as an event names it, is a private room's mark.
pub fn is_private(room: &str) -> bool {
    room.starts_with(MARK_PREFIX)
}

fn digit(bits: u128) -> char {
    char::from(DIGITS[(bits & 31) as usize])
}

/// Whether a text where a name belongs asks for a private room instead: it holds a key, or
/// an attempt at one. No name has a `#`.
pub fn asks_for_room(typed: &str) -> bool {
    RoomKey::find(typed).is_some() || trim_start(typed).starts_with('#') || typed.contains("/#")
}

/// Whether a text has the link that makes a teacher, or its fragment: `#teach-` and a ticket
/// of as many digits as a key has.
pub fn is_teachers_link(text: &str) -> bool {
    let is_ticket = |ticket: &str| {
        let digits = ticket.bytes().take_while(u8::is_ascii_alphanumeric).count();
        digits == KEY_DIGITS
    };
    let mut fragments = text.split('#').skip(1);
    fragments.any(|fragment| match fragment.split_at_checked("teach-".len()) {
        Some((start, ticket)) => start.eq_ignore_ascii_case("teach-") && is_ticket(ticket),
        None => false,
    })
}

/// Where somebody wants to go: `수학`, `#KEY`, a link, perhaps with text around it, or the words
/// that open a private room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A public room.
    Public(RoomName),
    /// A private room.
    Private(RoomKey),
    /// The private room that these words open, if they open one.
    Words(RoomWords),
}

/// Why a text is not a [`Destination`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is not a room's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It has a `#` without a key behind it.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// The link makes a teacher, and leads to no room.
    #[error("this link makes a teacher; log in first, then send /teach and the link")]
    Teachers,
}

impl Destination {
    /// Reads a destination. A text with a `#` is a key or a broken link, never a room's name.
    ///
    /// # Errors
    ///
    /// [`DestinationError`].
    pub fn parse(text: &str) -> Result<Destination, DestinationError> {
        match RoomKey::find(text) {
            Some(key) => Ok(Destination::Private(key)),
            None if is_teachers_link(text) => Err(DestinationError::Teachers),
            None if text.contains('#') => Err(NoKey.into()),
            None => match RoomWords::parse(text) {
                Some(words) => Ok(Destination::Words(words)),
                None => Ok(Destination::Public(RoomName::parse(text)?)),
            },
        }
    }
}

/// As [`parse`](Destination::parse) reads it: a private room's key is shown, and so are words.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Public(name) => name.fmt(f),
            Destination::Private(key) => write!(f, "#{}", key.show()),
            Destination::Words(words) => words.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "7zzzz-0abcd-efghj-kmnpq-rstvwx";

    fn key(text: &str) -> RoomKey {
        RoomKey::parse(text).unwrap_or_else(|NoKey| panic!("{text:?} was refused"))
    }

    #[test]
    fn keys_are_read_as_people_write_them() {
        assert_eq!(key(KEY).show(), KEY);
        for text in [
            "7ZZZZ0ABCDEFGHJKMNPQRSTVWX",
            " 7zzzz-oabcd-efghj-kmnpq-rstvwx\n",
            "7-z-zzzOABCDEFGHJKMNPQRSTVWX",
        ] {
            assert_eq!(key(text), key(KEY), "{text}");
        }
        assert_eq!(
            key(&"I".repeat(26).replacen('I', "0", 1)),
            key(&"0L1l1".repeat(6)[..26].replace('0', "1").replacen('1', "0", 1))
        );
    }

    #[test]
    fn invalid_room_keys_are_refused() {
        for text in [
            "",
            "7zzzz-0abcd-efghj-kmnpq-rstvw",
            "7zzzz-0abcd-efghj-kmnpq-rstvwxy",
            // Above 128 bits.
            "8zzzz-0abcd-efghj-kmnpq-rstvwx",
            "7zzzz-0abcd-efghj-kmnpq-rstvwu",
            "7zzzz-0abcd-efghj-kmnpq-rstvw한",
        ] {
            assert_eq!(RoomKey::parse(text), Err(NoKey), "{text}");
        }
        assert_eq!(RoomKey::parse(&"1".repeat(60_000)), Err(NoKey));
    }

    #[test]
    fn keys_are_found_as_the_table_says() {
        #[derive(serde::Deserialize)]
        struct Case {
            input: String,
            key: Option<String>,
            broken: bool,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/cases/keys.json")).expect("cases");
        assert!(cases.len() > 30);
        for Case { input, key, broken } in cases {
            let found = RoomKey::find(&input).map(|key| key.show());
            assert_eq!(found, key, "of {input:?}");
            let is_broken = matches!(Destination::parse(&input), Err(DestinationError::Key(NoKey)));
            assert_eq!(is_broken, broken, "of {input:?}");
        }
    }

    #[test]
    fn debug_does_not_give_a_key_away() {
        assert_eq!(format!("{:?}", Destination::Private(key(KEY))), "Private(RoomKey(..))");
    }

    #[test]
    fn destinations_are_names_keys_and_links() {
        #[track_caller]
        fn check(text: &str, expected: Destination) {
            assert_eq!(Destination::parse(text), Ok(expected));
        }
        let room = |text: &str| Destination::Public(RoomName(text.into()));
        check("수학", room("수학"));
        check(" Math ", room("Math"));
        check("lobby", room("lobby"));
        check("LOBBY", room("lobby"));
        check("로비", room("lobby"));
        check(&format!("#{KEY}"), Destination::Private(key(KEY)));
        for link in ["http://192.168.0.5:9998/#", "https://chat.example/a/b/#", "madang://h/#"] {
            check(&format!("{link}{KEY}"), Destination::Private(key(KEY)));
        }
        let words = RoomWords::parse("파란-고래-우산").expect("they are in the list");
        check("파란 고래 우산", Destination::Words(words));
        assert_eq!(RoomName::parse("파란-고래-우산"), Err(NameError::Reserved));
        assert_eq!(Destination::parse("#"), Err(DestinationError::Key(NoKey)));
        assert_eq!(Destination::parse(""), Err(NameError::Empty.into()));
        assert_eq!(
            Destination::parse("http://h/"),
            Err(NameError::Character { found: ':' }.into())
        );
    }

    #[test]
    fn a_link_is_no_name() {
        for typed in [
            &format!("#{KEY}"),
            &format!("\u{feff} #{KEY}입니다"),
            &format!("/jion #{KEY}"),
            &format!("http://192.0.2.1:9998/#{KEY}"),
            "#",
            "#7zzzz-0abcd",
            "https://chat.example/a/#broken",
        ] {
            assert!(asks_for_room(typed), "{typed}");
        }
        for typed in ["", "alice", "alice#1234", "C#", "http://192.0.2.1:9998/"] {
            assert!(!asks_for_room(typed), "{typed}");
        }
    }

    #[test]
    fn no_public_room_looks_private() {
        for name in [
            "private-k3f9",
            "Private-x",
            "ＰＲＩＶＡＴＥ-x",
            "\u{440}rivate-x",
            "PR\u{406}VATE-x",
            "pr1vate-x",
            "privat\u{435}-k3f9",
            "private_k3f9",
            "private.k3f9",
            "priva\u{301}te-x",
            "private-",
            "privateーk3f9",
            "private一k3f9",
            "privateㅡk3f9",
            "private\u{640}k3f9",
            "priva\u{442}e-k3f9",
            "ᴘʀɪᴠᴀᴛᴇ-k3f9",
        ] {
            assert_eq!(RoomName::parse(name), Err(NameError::Reserved), "{name}");
        }
        for name in ["private", "privateer", "privates-x", "my-private-x", "비공개-x"] {
            assert!(RoomName::parse(name).is_ok(), "{name}");
        }
        let mark = private_mark(0b_00001_00010_00011_00100);
        assert_eq!(mark, "private-4321");
        assert!(is_private(&mark) && !is_private(LOBBY));
    }

    #[test]
    fn no_room_but_the_lobby_looks_like_it() {
        for name in ["1obby", "Iobby", "l0bby", "l\u{43E}bby", "lobby.", "lo-bby", "로비.", "로-비"]
        {
            assert_eq!(RoomName::parse(name), Err(NameError::Reserved), "{name}");
        }
        for name in ["lobby2", "lobbyist", "로비스트", "hobby"] {
            assert!(RoomName::parse(name).is_ok_and(|name| !name.is_lobby()), "{name}");
        }
    }

    #[test]
    fn rooms_are_the_same_in_any_case() {
        let name = |text| RoomName::parse(text).expect("a name");
        assert_eq!(name("Math").key(), name("ｍＡＴＨ").key());
        assert_ne!(name("국가").key(), name("구까").key());
        assert!(!name("lobby2").is_lobby());
    }

    proptest! {
        #[test]
        fn every_key_is_read_as_it_is_shown(bits in any::<u128>()) {
            let key = RoomKey::from_bits(bits);
            prop_assert_eq!(RoomKey::parse(&key.show()), Ok(key));
        }
    }
}
