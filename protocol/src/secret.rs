//! How much of what a member types may be shown where others look on, on a projector say: no
//! command's argument, no vote, key, code, token or words that open a room, nothing of JSON but
//! its type. What is recognised is the form, never the secret itself, so that nobody can try
//! out a code by looking at what is hidden.

use crate::{
    command::{COMMANDS, Command, CommandSpec, LessonCommand},
    invisible::is_invisible,
    words::{begins_listed, is_between_words, is_listed},
};

/// The letters and digits of a teacher's code.
const CODE_DIGITS: usize = 8;

/// How many letters in a row are a key or token, even without a digit among them.
const KEY_LETTERS: usize = 20;

/// How many digits in a row may be part of one.
const MANY_DIGITS: usize = 6;

/// How many bytes from the start of a line or message may be shown. If `is_whole`, nothing
/// follows; otherwise what has arrived so far may be the beginning of a secret, and no more of it
/// is shown than would be of any line that begins with it.
///
/// Takes time linear in the length.
pub fn shown_bytes(typed: &[u8], is_whole: bool) -> usize {
    let error = match str::from_utf8(typed) {
        Ok(text) => return shown_text(text, is_whole),
        Err(error) => error,
    };
    let (text, rest) = typed.split_at(error.valid_up_to());
    let text = str::from_utf8(text).expect("it is valid up to there");
    match (shown_text(text, false), error.error_len()) {
        (shown, _) if shown < text.len() => shown,
        // A character that was cut in two.
        (_, None) if may_continue(text, rest) => typed.len(),
        (shown, None) => shown,
        // What follows is in another encoding.
        (shown, Some(_)) => shown + opaque_bytes(rest),
    }
}

/// Whether a character that begins so may be shown after `text`, which may be: a syllable that
/// continues a word, which begins none of the lists'.
fn may_continue(text: &str, beginning: &[u8]) -> bool {
    let is_in_word = text.chars().next_back().is_some_and(is_syllable);
    is_in_word && matches!(beginning, [0xea..=0xed, ..])
}

fn is_syllable(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// How many bytes begin `rest` that are neither ASCII nor, perhaps, Hangul.
fn opaque_bytes(rest: &[u8]) -> usize {
    let may_be_syllable = |at: usize| match str::from_utf8(&rest[at..rest.len().min(at + 3)]) {
        Ok(text) => text.starts_with(is_syllable),
        Err(error) => error.error_len().is_none() && error.valid_up_to() == 0,
    };
    (0..rest.len()).find(|at| rest[*at].is_ascii() || may_be_syllable(*at)).unwrap_or(rest.len())
}

fn shown_text(text: &str, is_whole: bool) -> usize {
    let line = match is_whole {
        true => text.trim_end_matches(['\r', '\n', '\0']),
        false => text,
    };
    let start = line.len() - line.trim_start_matches(is_invisible).len();
    let said = &line[start..];
    let shown = match said.chars().next() {
        Some('/') => command_bytes(said, is_whole),
        Some('{') => type_bytes(said),
        _ => [
            control(said),
            header(said),
            code(said, is_whole),
            code_beginning(said).filter(|_| !is_whole),
            room_words(said, is_whole),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(said.len()),
    };
    match shown == said.len() {
        true => text.len(),
        false => start + shown,
    }
}

/// Of a command, its word is shown once it is complete, unless that says how somebody votes.
fn command_bytes(said: &str, is_whole: bool) -> usize {
    let word = said.split(is_invisible).next().unwrap_or_default();
    let is_complete = is_whole || word.len() < said.len();
    let is_vote = |spec: &CommandSpec| {
        matches!(
            Command::parse(spec.name),
            Ok(Command::Lesson(LessonCommand::Vote(_) | LessonCommand::VoteYesNo(_)))
        )
    };
    let is_beginning = |spec: &&CommandSpec| {
        !is_vote(spec) && [spec.name, spec.alias].iter().any(|name| name.starts_with(word))
    };
    match CommandSpec::of(word) {
        _ if word.starts_with("//") || !is_complete => 1,
        Some(spec) if !is_vote(spec) => word.len(),
        None if COMMANDS.iter().any(|spec| is_beginning(&spec)) => word.len(),
        _ => 1,
    }
}

/// Of JSON, its type is shown if that comes first.
fn type_bytes(said: &str) -> usize {
    const BEFORE: &str = "{\"type\":\"";
    let begun = said.bytes().zip(BEFORE.bytes()).take_while(|(byte, other)| byte == other).count();
    if begun < BEFORE.len() {
        return begun;
    }
    let name = said[begun..].bytes().take_while(|byte| matches!(byte, b'a'..=b'z' | b'_'));
    let name = name.take(CODE_DIGITS - 1).count();
    match said[begun + name..].starts_with('"') {
        true => begun + name + 1,
        false => begun + name,
    }
}

/// The first control: whoever edits a line as they type may make anything of it.
fn control(said: &str) -> Option<usize> {
    said.find(|c: char| c.is_control() && c != '\t')
}

/// The value of a header such as `X-Room-Key: …`.
fn header(said: &str) -> Option<usize> {
    let name =
        said.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').count();
    let is_header = said[..name].to_ascii_lowercase();
    let is_header = is_header.starts_with("x-") || is_header == "authorization";
    (is_header && said[name..].starts_with(':')).then_some(name + 1)
}

/// The first thing that may be a key, a token or a code: what follows a `#`, and letters with
/// digits among them; or their beginning.
fn code(said: &str, is_whole: bool) -> Option<usize> {
    let mut at = 0;
    while at < said.len() {
        let rest = &said[at..];
        let c = rest.chars().next()?;
        if narrow(c) == '#' {
            let follows = rest[c.len_utf8()..].chars().next();
            if follows.is_some_and(|c| is_digit_of_code(c) || is_joined(c)) {
                return Some(at + c.len_utf8());
            }
        }
        if !is_digit_of_code(c) {
            at += c.len_utf8();
            continue;
        }
        let is_part = |c: char| is_digit_of_code(c) || is_hyphen(c) || is_joined(c);
        let run = rest.find(|c: char| !is_part(c)).map_or(rest, |end| &rest[..end]);
        let is_open = !is_whole && run.len() == rest.len();
        if is_open || may_be_code(run) {
            return Some(at);
        }
        at += run.len();
    }
    None
}

/// The last letters and digits, fewer than a code has: whatever stands between a code's digits
/// counts for nothing.
fn code_beginning(said: &str) -> Option<usize> {
    let signs = said.char_indices().rev().filter(|(_, c)| c.is_alphanumeric());
    let digits = signs.take_while(|(_, c)| is_digit_of_code(*c)).take(CODE_DIGITS - 1);
    digits.last().map(|(at, _)| at)
}

/// Whether letters, digits and hyphens may be a code.
fn may_be_code(run: &str) -> bool {
    let signs = run.chars().filter(|c| is_digit_of_code(*c));
    let (count, digits) = signs.fold((0, 0), |(count, digits), c| {
        (count + 1, digits + usize::from(narrow(c).is_ascii_digit()))
    });
    let is_mixed = digits > 0 && digits < count && count > 2;
    is_mixed
        || digits >= MANY_DIGITS
        || count == CODE_DIGITS && may_lack_digits(run)
        || count >= KEY_LETTERS
}

/// Whether as many letters as a code has are one without a digit: few words that people write
/// lack I, L, O and U.
fn may_lack_digits(run: &str) -> bool {
    !run.chars().any(|c| matches!(narrow(c).to_ascii_uppercase(), 'I' | 'L' | 'O' | 'U'))
}

/// Three words in a row that are in a list; of a line that goes on, the last ones that may become
/// three.
fn room_words(said: &str, is_whole: bool) -> Option<usize> {
    let mut at = 0;
    // Where the word before the last begins, and the last, if they may be two of them.
    let mut listed: [Option<usize>; 2] = [None, None];
    for word in said.split_inclusive(is_between_words) {
        let bare = word.trim_end_matches(is_between_words);
        if !bare.is_empty() {
            let is_open = !is_whole && at + bare.len() == said.len();
            let is_one = is_listed(bare) || is_open && begins_listed(bare);
            match (listed, is_one.then_some(at)) {
                ([Some(first), Some(_)], Some(_)) => return Some(first),
                ([_, last], place) => listed = [last.filter(|_| place.is_some()), place],
            }
        }
        at += word.len();
    }
    listed.into_iter().flatten().next().filter(|_| !is_whole)
}

fn is_digit_of_code(c: char) -> bool {
    narrow(c).is_ascii_alphanumeric()
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '_')
}

/// Whether a character is invisible and joins what stands around it.
fn is_joined(c: char) -> bool {
    is_invisible(c) && !c.is_whitespace() || c == char::REPLACEMENT_CHARACTER
}

/// The character in its normal width: Ａ becomes A.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const KEY: &str = "78e4c-v9s0a-c0m7h-8129r-zech6s";
    const TOKEN: &str = "5457fe9c94a686fb3820abb2563df2d7";
    const CODE: &str = "7F3K-9Q2M";
    /// A code may happen to have no digit.
    const LETTERS: &str = "ABCD-EFGH";

    #[track_caller]
    fn check(typed: &str, shown: &str) {
        let bytes = shown_bytes(typed.as_bytes(), true);
        assert_eq!(&typed[..bytes], shown, "of {typed:?}");
    }

    #[test]
    fn ordinary_text_is_not_hidden() {
        for said in [
            "hi\n",
            "안녕하세요\r\n",
            "it is 14:30, see you at 5",
            "3 x 4 = 12",
            "  leading blanks",
            "brave otter and lantern",
            "파란 하늘과 고래",
            "issue #",
            "C# and F#!",
            "https://example.org/page",
            "well-known words, self-made",
            "programming\tlanguage",
            "",
            "\n",
        ] {
            check(said, said);
        }
    }

    #[test]
    fn secrets_are_hidden_from_where_they_begin() {
        for (typed, shown) in [
            (format!("/teach {CODE}"), "/teach"),
            (format!("/TEACH {CODE}\n"), "/TEACH"),
            (format!("/교사 {CODE}"), "/교사"),
            (format!("\u{feff}  /teach {CODE}"), "\u{feff}  /teach"),
            (format!("/teach\u{3000}{CODE}"), "/teach"),
            (format!("/teach{CODE}"), "/"),
            (format!("//teach {CODE}"), "/"),
            (format!("/teacj {CODE}"), "/"),
            (format!("/join #{KEY}"), "/join"),
            (format!("/방 #{KEY}"), "/방"),
            (format!("/join http://192.0.2.2:9998/#{KEY}"), "/join"),
            ("/join 파란-고래-우산".to_owned(), "/join"),
            ("/join brave otter lantern".to_owned(), "/join"),
            ("/msg bob my secret".to_owned(), "/msg"),
            ("/ask why?".to_owned(), "/ask"),
            ("/code".to_owned(), "/code"),
            ("/invite words".to_owned(), "/invite"),
            ("/1".to_owned(), "/"),
            ("/o".to_owned(), "/"),
            ("/ㅐ".to_owned(), "/"),
            ("/아니요".to_owned(), "/"),
            (format!("#{KEY}"), "#"),
            (format!("＃{KEY}"), "＃"),
            (
                format!("come to http://192.0.2.2:9998/#{KEY} now"),
                "come to http://192.0.2.2:9998/#",
            ),
            (format!("http://h:9998/#teach-{KEY}"), "http://h:9998/#"),
            (format!("the key is {KEY}"), "the key is "),
            (format!("my token {TOKEN}"), "my token "),
            (format!("the code: {CODE}!"), "the code: "),
            ("the code: 7f3k9q2m".to_owned(), "the code: "),
            ("the code: 7F3K 9Q2M".to_owned(), "the code: "),
            ("７Ｆ３Ｋ９Ｑ２Ｍ".to_owned(), ""),
            (format!("the code: {LETTERS}"), "the code: "),
            ("7F\u{200b}3K-9Q2M".to_owned(), ""),
            ("call 01012345678".to_owned(), "call "),
            ("파란-고래-우산".to_owned(), ""),
            ("파란 고래 우산\n".to_owned(), ""),
            ("단어는 파란, 고래, 우산".to_owned(), "단어는 "),
            ("Brave-Otter-Lantern".to_owned(), ""),
            ("words: brave otter lantern".to_owned(), "words: "),
            (format!("X-Room-Key: {KEY}"), "X-Room-Key:"),
            ("x-room-key:abc".to_owned(), "x-room-key:"),
            ("Authorization: Basic abc".to_owned(), "Authorization:"),
            (format!("x\u{8}/teach {CODE}"), "x"),
            ("te\u{7f}ach".to_owned(), "te"),
            (format!("{{\"type\":\"login\",\"session\":\"{TOKEN}\"}}"), "{\"type\":\"login\""),
            (
                format!("{{\"type\":\"command\",\"line\":\"/teach {CODE}\"}}"),
                "{\"type\":\"command\"",
            ),
            ("{\"type\":\"vote\",\"choice\":2}".to_owned(), "{\"type\":\"vote\""),
            (format!("{{\"key\":\"{KEY}\"}}"), "{\""),
            (format!("{{\"token\":\"{TOKEN}\",\"type\":\"say\"}}"), "{\"t"),
            ("{\"type\":\"abcdefghijk\"}".to_owned(), "{\"type\":\"abcdefg"),
        ] {
            check(&typed, shown);
        }
    }

    #[test]
    fn a_message_of_several_lines_is_one() {
        check(&format!("/msg bob a\n{CODE}"), "/msg");
        check(&format!("a\nb {CODE}"), "a");
    }

    /// Nothing is shown of an unfinished line that could become a secret; once it is known to be
    /// none, what follows is shown.
    #[test]
    fn a_secret_that_arrives_byte_by_byte_is_hidden() {
        #[track_caller]
        fn check(typed: &str, shown: &str) {
            let bytes = typed.as_bytes();
            let reads = (1..=bytes.len()).map(|end| {
                let is_whole = end == bytes.len();
                shown_bytes(&bytes[..end], is_whole) == end
            });
            let seen: Vec<u8> =
                reads.zip(bytes).filter(|(is_seen, _)| *is_seen).map(|(_, byte)| *byte).collect();
            assert_eq!(String::from_utf8_lossy(&seen), shown, "of {typed:?}");
        }
        check("/teach 7F3K-9Q2M\n", "/");
        check("/join #78e4c-v9s0a\n", "/");
        check("/teacj 7F3K-9Q2M\n", "/");
        check("//teach 7F3K-9Q2M\n", "/");
        check("/yes\n", "/");
        check("7F3K-9Q2M\n", "");
        check("7 F 3 K - 9 Q 2 M", "M");
        check("a code: 7F3K-9Q2M\n", "");
        check("암호: 7F3K-9Q2M\n", ": ");
        check("ABCD-EFGH\n", "");
        check("#78e4c-v9s0a-c0m7h-8129r-zech6s\n", "#");
        check("X-Room-Key: 78e4c\n", "");
        check("파란-고래-우산\n", "");
        check("파란-고래-우산-", "");
        check("brave otter lantern\n", "");
        check("안녕하세요\n", "\u{FFFD}하세요\n");
        check("hello everyone\n", "\n");
    }

    #[test]
    fn of_a_line_that_goes_on_what_can_be_no_secret_is_shown() {
        #[track_caller]
        fn check(typed: &str, shown: &str) {
            let bytes = shown_bytes(typed.as_bytes(), false);
            assert_eq!(&typed[..bytes], shown, "of {typed:?}");
        }
        check("안녕", "안녕");
        check("안녕하세요, 여러분", "안녕하세요, 여러분");
        check("안녕하세요, 파란", "안녕하세요, ");
        check("안녕하세요, 파란 고", "안녕하세요, ");
        check("파란 하늘과 고래", "파란 하늘과 ");
        check("good morning everybody", "good morning ");
        check("/wire on", "/wire");
        check("/wire", "/");
        check("  ", "  ");
        check("안녕\r", "안녕");
    }

    proptest! {
        /// However a line is cut, nobody is shown more of it than if it had come in one read.
        #[test]
        fn no_beginning_of_a_line_shows_more_than_the_whole(
            parts in vec(select(PARTS), 0..9),
            end in select(ENDS),
        ) {
            let line = [&parts.concat(), end].concat();
            let whole = shown_bytes(&line, true);
            for end in 0..line.len() {
                let shown = shown_bytes(&line[..end], false);
                prop_assert!(shown <= whole.min(end), "{shown} of {end}: {:?}", line.escape_ascii());
            }
        }
    }

    const ENDS: &[&[u8]] = &[b"", b"\n", b"\r\n", b"\0"];

    /// What secrets are made of, what stands around them, and what only looks like them.
    const PARTS: &[&[u8]] = &[
        b"7F3K",
        b"9Q2M",
        b"-",
        b" ",
        b"#",
        b"/",
        b"/teach",
        b"/join",
        b"/yes",
        b"/o",
        b"//",
        b"{",
        b"{\"type\":\"",
        b"say\"",
        b"X-Room-Key",
        b":",
        b"hello",
        b"U",
        b"12",
        b"\x08",
        b"\x7f",
        b"\r",
        b"\n",
        b"\0",
        b"\t",
        b"\xff",
        b"\xbe\xc8",
        b".",
        b"!",
        "파란".as_bytes(),
        "고래".as_bytes(),
        "우산".as_bytes(),
        "안녕".as_bytes(),
        "하세요".as_bytes(),
        "brave".as_bytes(),
        "Otter".as_bytes(),
        "lantern".as_bytes(),
        "７Ｆ".as_bytes(),
        "＃".as_bytes(),
        "‐".as_bytes(),
        "\u{200b}".as_bytes(),
        "\u{3000}".as_bytes(),
        "\u{feff}".as_bytes(),
        "\u{1109}\u{1161}\u{11ab}".as_bytes(),
        "🙂".as_bytes(),
        "é".as_bytes(),
    ];

    #[test]
    fn bytes_that_are_not_text_are_shown_until_text_follows() {
        #[track_caller]
        fn check(typed: &[u8], shown: usize) {
            assert_eq!(shown_bytes(typed, false), shown, "{typed:?}");
        }
        check(&"안녕하".as_bytes()[..7], 7);
        check(&"안녕".as_bytes()[..4], 0);
        check(&"안녕 하".as_bytes()[..8], 7);
        check(&"７".as_bytes()[..2], 0);
        check(b"\xbe\xc8\xb3\xe7\n", 4);
        check(b"\xbe\xc8 7F3K", 2);
        check("\u{ff}".as_bytes().split_at(1).0, 0);
        check(&[b"\xff", "파란-고래".as_bytes()].concat(), 1);
        check(b"/teach \xff", 6);
        check(b"code 7\xff", 0);
    }
}
