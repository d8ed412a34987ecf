//! Names of people and rooms, keys, words, and destinations.

use madang_protocol::{
    limits::NAME_BYTES,
    name::{NameError, UserName},
    room::{Destination, RoomKey, RoomName},
    text::Lang,
    words::RoomWords,
};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::cost::bounded;

/// Checks a text.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let name = bounded(text.len(), 20_000, 200, || UserName::parse(&text));
    match &name {
        Ok(name) => check_name(name, &text),
        Err(error) => check_error(error),
    }
    match RoomName::parse(&text) {
        Ok(name) => {
            assert_eq!(RoomName::parse(name.as_str()), Ok(name.clone()));
            assert!(
                name.is_lobby()
                    || UserName::parse(name.as_str()).is_ok_and(|it| it.as_str() == name.as_str())
                    || name_is_reserved(name.as_str())
            );
        }
        Err(error) => check_error(&error),
    }
    let destination = bounded(text.len(), 20_000, 200, || Destination::parse(&text));
    match destination {
        // As shown, it leads to the same place.
        Ok(destination) => {
            let shown = destination.to_string();
            assert_eq!(Destination::parse(&shown), Ok(destination), "{shown}");
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
    check_bits(input);
}

fn name_is_reserved(name: &str) -> bool {
    matches!(UserName::parse(name), Err(NameError::Reserved))
}

fn check_name(name: &UserName, text: &str) {
    let shown = name.as_str();
    assert!(shown.len() <= NAME_BYTES && is_nfc(shown), "{shown:?}");
    assert!(!shown.starts_with(['_', '-', '.']), "{shown:?}");
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || "[]()<>*/#@:\u{202e}".contains(c);
    assert!(!shown.contains(is_bad), "{shown:?}");
    assert_eq!(UserName::parse(shown), Ok(name.clone()), "it is a name as shown");
    // However it is composed, it is the same name.
    let decomposed: String = text.nfd().collect();
    assert_eq!(UserName::parse(&decomposed).map(|it| it.keys()), Ok(name.keys()), "{shown:?}");
}

fn check_error(error: &NameError) {
    for message in [error.message_en(), error.message_ko(), error.to_string()] {
        assert!(!message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{message:?}");
    }
    if let NameError::Spaces { proposal: Some(proposal) } = error {
        assert_eq!(UserName::parse(proposal.as_str()), Ok(proposal.clone()));
    }
}

/// Keys and words of these bits are recognised, with text around them.
fn check_bits(input: &[u8]) {
    let bits = input.iter().fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
    let key = RoomKey::from_bits(bits);
    let shown = key.show();
    assert!(RoomKey::parse(&shown) == Ok(key) && RoomKey::parse(&shown.to_uppercase()) == Ok(key));
    assert!(RoomKey::find(&format!("http://host/#{shown}입니다.")) == Some(key));
    for lang in [Lang::Ko, Lang::En] {
        let words = RoomWords::from_bits(bits as u64, lang);
        let shown = words.to_string();
        assert!(RoomWords::parse(&shown) == Some(words), "{shown}");
        assert!(RoomName::parse(&shown).is_err(), "{shown} is no room's name");
    }
}
