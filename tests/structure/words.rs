//! Words and phrases that plain English does not have.

use crate::Source;

/// Forbidden phrases in lower case, and what to write instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("likewise", "say the thing again, or \"also\""),
    ("by which", "\"that\", or two sentences"),
    ("of which", "\"whose\", or two sentences"),
    ("to who", "name them: members, readers, the sender"),
    ("who comes in", "new members"),
    ("whom they hide", "the people they ignore"),
    ("who asks", "the requester"),
    ("who runs it", "the operator"),
    ("what only time ends", "expired sessions, empty rooms, ended mutes"),
    ("to be read alone", "only GET and HEAD are supported"),
    ("is so already", "nothing to change"),
    ("trusts whom", "the system's trust store"),
    ("to come in:", "join with:"),
    ("the chat server runs", "chat server started"),
    ("path is not encrypted", "others on the network can read this"),
    ("as far as the memory", "the start of the available history"),
    ("vouches for", "trusts"),
    ("numbers for who", "metrics"),
    ("you hide nobody", "nobody is ignored"),
    ("nothing to say in that", "message is empty"),
    ("point a phone", "scan to join"),
    ("what carries what", "how outgoing lines are framed"),
    ("hides somebody", "ignores somebody"),
    ("nobody whom", "no one that"),
    ("지난 말", "이전 대화"),
    ("묻거든", "물으면"),
    ("말 막힘", "채팅 금지"),
    ("닿지 않습니다", "연결할 수 없습니다"),
    ("어느 방에도", "방에 들어가 있지 않습니다"),
    ("여기서부터 기억합니다", "남아 있는 대화의 처음입니다"),
    ("방이 끝났습니다", "방이 닫혔습니다"),
    ("님님", "님"),
];

/// Each place where a file has such a phrase.
pub(crate) fn faults(source: &Source) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    let found = lines.flat_map(|(at, line)| {
        let lower = line.to_lowercase();
        let hits = FORBIDDEN.iter().filter(move |(phrase, _)| stands_in(&lower, phrase));
        hits.map(move |(phrase, instead)| {
            format!("{}:{}: \"{}\" (write {instead})", source.path, at + 1, phrase.trim())
        })
    });
    found.collect()
}

/// Whether the line contains the phrase, as whole words.
fn stands_in(line: &str, phrase: &str) -> bool {
    let is_whole = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        let behind = line[at + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric)
    };
    line.match_indices(phrase).any(is_whole)
}

#[test]
fn a_forbidden_phrase_is_found_whatever_its_case() {
    let text = "fine\nThis is told to who asks.\nLikewise.\nby whichever\n".to_owned();
    let source = Source { path: "a.md".into(), text };
    let found = faults(&source);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("a.md:2: \"to who\"") && found[2].starts_with("a.md:3:"));
}
