//! How much of what a member types may be shown where others look on, on a projector say: no
//! command's argument, no vote, key, code, token or words that open a room, nothing of JSON but
//! its type. What is recognised is the form, never the secret itself, so that nobody can try
//! out a code by looking at what is hidden.

use crate::{
    command::{COMMANDS, Command, CommandSpec, LessonCommand},
    invisible::is_invisible,
    words::{is_between_words, is_listed},
};

/// The letters and digits of a teacher's code.
const CODE_DIGITS: usize = 8;

/// How many letters in a row are a key or token, even without a digit among them.
const KEY_LETTERS: usize = 20;

/// How many digits in a row may be part of one.
const MANY_DIGITS: usize = 6;

/// How many bytes from the start of a line or message may be shown. If `is_whole`, nothing
/// follows; otherwise what has arrived so far may be the beginning of a secret.
///
/// Takes time linear in the length.
pub fn shown_bytes(typed: &[u8], is_whole: bool) -> usize {
    let text = match str::from_utf8(typed) {
        Ok(text) => text,
        // What follows is in another encoding, or a character that was cut in two.
        Err(error) => {
            let (text, rest) = typed.split_at(error.valid_up_to());
            let text = str::from_utf8(text).expect("it is valid up to there");
            let shown = shown_text(&format!("{text}\u{FFFD}"), false);
            return if shown > text.len() { text.len() + opaque_bytes(rest) } else { shown };
        }
    };
    shown_text(text, is_whole)
}

/// How many bytes that are no ASCII begin `rest`.
fn opaque_bytes(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| !byte.is_ascii()).count()
}

fn shown_text(text: &str, is_whole: bool) -> usize {
    let line_end = text.trim_end_matches(['\r', '\n', '\0']).len();
    let (line, end) = text.split_at(line_end);
    let start = line.len() - line.trim_start_matches(is_invisible).len();
    let said = &line[start..];
    let shown = match said.chars().next() {
        Some('/') => command_bytes(said),
        Some('{') => type_bytes(said),
        _ => [control(said), header(said), code(said, is_whole), room_words(said, is_whole)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(said.len()),
    };
    match shown == said.len() {
        true => start + shown + end.len(),
        false => start + shown,
    }
}

/// Of a command, its word is shown, unless that says how somebody votes.
fn command_bytes(said: &str) -> usize {
    let word = said.split(is_invisible).next().unwrap_or_default();
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
        _ if word.starts_with("//") => 1,
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
/// digits among them.
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
        if may_be_code(run, is_open) {
            return Some(at);
        }
        at += run.len();
    }
    None
}

/// Whether letters, digits and hyphens may be a code; or the beginning of one, if `is_open`.
fn may_be_code(run: &str, is_open: bool) -> bool {
    let signs = run.chars().filter(|c| is_digit_of_code(*c));
    let (count, digits) = signs.fold((0, 0), |(count, digits), c| {
        (count + 1, digits + usize::from(narrow(c).is_ascii_digit()))
    });
    let is_mixed = digits > 0 && digits < count && count > 2;
    is_mixed
        || digits >= MANY_DIGITS
        || digits > 0 && is_open
        || count == CODE_DIGITS && may_lack_digits(run)
        || count >= KEY_LETTERS
}

/// Whether as many letters as a code has are one without a digit: few words that people write
/// lack I, L, O and U.
fn may_lack_digits(run: &str) -> bool {
    !run.chars().any(|c| matches!(narrow(c).to_ascii_uppercase(), 'I' | 'L' | 'O' | 'U'))
}

/// Three words in a row that are in a list; of a line that goes on, one is enough.
fn room_words(said: &str, is_whole: bool) -> Option<usize> {
    let mut at = 0;
    // Where the last word begins, and the one before, if they are listed.
    let mut listed: [Option<usize>; 2] = [None, None];
    for word in said.split_inclusive(is_between_words) {
        let bare = word.trim_end_matches(is_between_words);
        if !bare.is_empty() {
            let is_last = at + word.len() == said.len() && bare.len() == word.len();
            let place = is_listed(bare).then_some(at);
            if !is_whole && listed[1].is_some() && (is_last || place.is_some()) {
                return Some(at);
            }
            match (listed, place) {
                ([Some(first), Some(_)], Some(_)) => return Some(first),
                ([_, last], place) => listed = [last.filter(|_| place.is_some()), place],
            }
        }
        at += word.len();
    }
    None
}

fn is_digit_of_code(c: char) -> bool {
    narrow(c).is_ascii_alphanumeric()
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '_')
}

/// Whether a character is invisible and joins what stands around it.
fn is_joined(c: char) -> bool {
    is_invisible(c) && !c.is_whitespace() || c == '\u{FFFD}'
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
    fn what_people_say_is_shown() {
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

    /// However a line is cut into reads, no part of its secret is shown but what could be
    /// anything: the first of three words, letters of a code before its first digit.
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
        check("/teach 7F3K-9Q2M\n", "/teach");
        check("/join #78e4c-v9s0a\n", "/join");
        check("7F3K-9Q2M\n", "");
        check("a code: 7F3K-9Q2M\n", "a code: ");
        check("#78e4c-v9s0a-c0m7h-8129r-zech6s\n", "#");
        check("파란-고래-우산\n", "파란-");
        check("파란-고래-우산-", "파란-");
        check("brave otter lantern\n", "brave ");
        check("안녕하세요\n", "안녕하세요\n");
        check("hello everyone\n", "hello everyone\n");
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_until_text_follows() {
        #[track_caller]
        fn check(typed: &[u8], shown: usize) {
            assert_eq!(shown_bytes(typed, false), shown, "{typed:?}");
        }
        check(&"안녕".as_bytes()[..4], 4);
        check(b"\xbe\xc8\xb3\xe7", 4);
        check(b"\xbe\xc8 7F3K", 2);
        check(b"/teach \xff", 6);
        check(b"code 7\xff", 5);
    }
}
