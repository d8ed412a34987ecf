//! What may reach a terminal: printable characters and, in text, the tab.
//!
//! Everything that a person or a foreign server wrote goes through here before
//! it reaches a member, a log or a console. An escape sequence goes whole
//! (ECMA-48 §5.4 to §5.6, in its ESC and its C1 form, and what terminals send
//! for keys and the mouse), one that is cut off goes as far as it came, a control
//! goes alone. Which names are good is decided in [`name`](crate::name).

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_width::UnicodeWidthChar;

use crate::{limits::TEXT_MARKS, text::message_lines};

/// ESC, which introduces every sequence that is not in its C1 form.
const ESC: u8 = 0x1B;

/// The first byte of U+0080 to U+009F, the C1 controls, in UTF-8; the second
/// is the control's own number.
const C1_LEAD: u8 = 0xC2;

/// Makes one line fit to be shown: no controls but tab, no escape sequences, no
/// line ends or separators, no bidi overrides, embeddings or isolates; NFC; at
/// most [`TEXT_MARKS`] marks on a character.
///
/// Takes time linear in the line's length. Sanitizing twice changes nothing
/// more. A line that is fit already comes back borrowed; else the result may
/// take up to three times the bytes, for NFC spells some characters longer.
pub fn sanitize_line(line: &str) -> Cow<'_, str> {
    if is_fit(line) {
        return Cow::Borrowed(line);
    }
    let mut marks = MarkCounter::default();
    Cow::Owned(remove_controls(line).nfc().filter(|&c| marks.admits(c)).collect())
}

/// Makes a message of one or more lines fit to be shown: each line as
/// [`sanitize_line`] does it, joined by LF.
///
/// LF and CR LF end a line. Nothing else does: VT, FF, CR alone, NEL, U+2028 and
/// U+2029 are removed.
pub fn sanitize_message(message: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\n', message.as_bytes()).is_none() {
        return sanitize_line(message);
    }
    if message_lines(message).all(is_fit) {
        return Cow::Borrowed(message);
    }
    let mut fit = String::with_capacity(message.len());
    for (index, line) in message_lines(message).enumerate() {
        if index > 0 {
            fit.push('\n');
        }
        // The CR of a CR LF goes as the control that it is.
        fit.push_str(&sanitize_line(line));
    }
    Cow::Owned(fit)
}

/// Makes a short foreign string fit for a place where not even a tab may stand,
/// such as a log's field: as [`sanitize_line`], each tab a space.
pub fn sanitize_label(label: &str) -> Cow<'_, str> {
    let line = sanitize_line(label);
    if line.contains('\t') {
        return Cow::Owned(line.replace('\t', " "));
    }
    line
}

/// Whether a character stands on the one before it instead of in a place of its
/// own: a combining mark, or whatever takes no column (a joiner, a vowel or final
/// of decomposed Hangul).
pub(crate) fn is_mark(c: char) -> bool {
    !c.is_ascii() && (is_combining_mark(c) || c.width() == Some(0))
}

/// Counts the marks on each character as a text goes by.
#[derive(Default)]
struct MarkCounter {
    marks: usize,
}

impl MarkCounter {
    /// Whether the text's next character may stand, that is, unless it is one
    /// mark too many.
    fn admits(&mut self, c: char) -> bool {
        self.marks = if is_mark(c) { self.marks + 1 } else { 0 };
        self.marks <= TEXT_MARKS
    }
}

/// Whether [`sanitize_line`] would change nothing. Three tries, each slower and
/// wider than the one before; together they are exact.
fn is_fit(line: &str) -> bool {
    if is_printable_ascii(line.as_bytes()) || line.chars().all(is_everyday) {
        return true;
    }
    let mut marks = MarkCounter::default();
    !line.contains(is_unwanted) && is_nfc(line) && line.chars().all(|c| marks.admits(c))
}

/// Looks at every byte, without an early way out, so that it compiles to vector
/// instructions: most lines pass, and those that don't are short. What is left of the last
/// vector is looked at in a vector that overlaps the one before.
pub(crate) fn is_printable_ascii(bytes: &[u8]) -> bool {
    const VECTOR: usize = 16;
    let all = |bytes: &[u8]| {
        bytes.iter().fold(true, |all, &byte| all & (matches!(byte, b' '..=b'~') | (byte == b'\t')))
    };
    let Some(last) = bytes.last_chunk::<VECTOR>() else { return all(bytes) };
    let (vectors, _) = bytes.as_chunks::<VECTOR>();
    all(vectors.as_flattened()) & all(last)
}

/// Printable ASCII, tab, Hangul and Han: what is fit, and composes with nothing
/// of its kind, without a look into Unicode's tables.
fn is_everyday(c: char) -> bool {
    matches!(c, ' '..='~' | '\t' | '가'..='힣' | 'ㄱ'..='ㅣ' | '\u{4E00}'..='\u{9FFF}')
}

/// What is never shown and may introduce a sequence: the controls but tab, the
/// line and paragraph separators, the bidi embeddings, overrides and isolates.
pub(crate) fn is_unwanted(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The line without its escape sequences and unwanted characters.
fn remove_controls(line: &str) -> String {
    remove_controls_but(line, |_| false)
}

/// The line without its escape sequences and the unwanted characters that
/// `stays` does not name.
///
/// A control string that does not end loses its introducer alone, and what
/// follows is looked at again as text. That stays linear because no sequence
/// reaches beyond the next introducer, so nothing is looked at a third time.
pub(crate) fn remove_controls_but(line: &str, stays: impl Fn(char) -> bool) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c| is_unwanted(c) && !stays(c)) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[control_bytes(rest)..];
    }
    kept.push_str(rest);
    kept
}

/// The length of the unwanted character that a text begins with, or of the
/// sequence that it introduces.
fn control_bytes(text: &str) -> usize {
    match text.as_bytes() {
        // X10 mouse: three characters for button and place, whatever they are.
        [ESC, b'[', b'M', ..] | [C1_LEAD, 0x9B, b'M', ..] => 3 + mouse_report_bytes(&text[3..]),
        // The function keys of the Linux console.
        [ESC, b'[', b'[', 0x40..=0x7E, ..] | [C1_LEAD, 0x9B, b'[', 0x40..=0x7E, ..] => 4,
        [ESC, b'[', tail @ ..] | [C1_LEAD, 0x9B, tail @ ..] => 2 + control_sequence_bytes(tail),
        // SS2 and SS3: arrows, function keys and keypad, with xterm's parameters.
        [ESC, b'N' | b'O', tail @ ..] | [C1_LEAD, 0x8E | 0x8F, tail @ ..] => {
            2 + single_shift_bytes(tail)
        }
        [ESC, b']', tail @ ..] | [C1_LEAD, 0x9D, tail @ ..] => 2 + system_command_bytes(tail),
        // DCS, SOS, PM, APC, and the title of screen and tmux.
        [ESC, b'P' | b'X' | b'^' | b'_' | b'k', tail @ ..]
        | [C1_LEAD, 0x90 | 0x98 | 0x9E | 0x9F, tail @ ..] => match control_string(tail) {
            ControlString::Whole(bytes) => 2 + bytes,
            ControlString::CutOff(_) => 2,
        },
        [ESC, tail @ ..] => 1 + escape_sequence_bytes(tail),
        _ => text.chars().next().map_or(0, char::len_utf8),
    }
}

/// What follows CSI up to its final byte, or up to where it is cut off
/// (ECMA-48 §5.4).
fn control_sequence_bytes(tail: &[u8]) -> usize {
    let parameters = count_while(tail, |byte| matches!(byte, 0x30..=0x3F));
    let intermediates = count_while(&tail[parameters..], |byte| matches!(byte, 0x20..=0x2F));
    let final_byte = matches!(tail.get(parameters + intermediates), Some(0x40..=0x7E));
    parameters + intermediates + usize::from(final_byte)
}

/// The three characters after the `M` of a mouse report, or as many of them as
/// there are before a control.
fn mouse_report_bytes(tail: &str) -> usize {
    tail.chars().take(3).take_while(|&c| !is_unwanted(c)).map(char::len_utf8).sum()
}

/// The one character that follows SS2 or SS3, and parameters before it.
fn single_shift_bytes(tail: &[u8]) -> usize {
    let parameters = count_while(tail, |byte| matches!(byte, b'0'..=b'9' | b';'));
    match tail.get(parameters) {
        Some(0x40..=0x7E) => parameters + 1,
        _ if parameters > 0 => parameters,
        Some(0x20..=0x3F) => 1,
        _ => 0,
    }
}

/// What follows ESC up to its final byte; intermediates before another control or
/// the end; else nothing (ECMA-35 §13.2).
fn escape_sequence_bytes(tail: &[u8]) -> usize {
    let intermediates = count_while(tail, |byte| matches!(byte, 0x20..=0x2F));
    match tail.get(intermediates) {
        Some(0x30..=0x7E) => intermediates + 1,
        None | Some(0..0x20 | 0x7F) => intermediates,
        _ => 0,
    }
}

/// What follows OSC. If its number shows that it is one, it goes also when it is
/// cut off; the Linux console's palette has no end (console_codes(4)).
fn system_command_bytes(tail: &[u8]) -> usize {
    let colour = |tail: &[u8]| tail.len() >= 7 && tail[..7].iter().all(u8::is_ascii_hexdigit);
    match (control_string(tail), tail) {
        (_, [b'P', palette @ ..]) if colour(palette) => 8,
        (ControlString::Whole(bytes), _) => bytes,
        (ControlString::CutOff(bytes), [b'0'..=b'9', ..]) => bytes,
        (ControlString::CutOff(_), _) => 0,
    }
}

/// The content of OSC and its like.
enum ControlString {
    /// Its length with the BEL or ST that ends it.
    Whole(usize),
    /// Its length up to what cuts it off: the end, CAN, SUB, another ESC or C1
    /// control, as on a terminal.
    CutOff(usize),
}

fn control_string(tail: &[u8]) -> ControlString {
    for at in 0..tail.len() {
        match tail[at..] {
            [0x07, ..] => return ControlString::Whole(at + 1),
            [ESC, b'\\', ..] | [C1_LEAD, 0x9C, ..] => return ControlString::Whole(at + 2),
            [0x18 | 0x1A | ESC, ..] | [C1_LEAD, 0x80..=0x9F, ..] => {
                return ControlString::CutOff(at);
            }
            _ => {}
        }
    }
    ControlString::CutOff(tail.len())
}

fn count_while(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|&&byte| belongs(byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let fit = sanitize_line(line);
        assert_eq!(fit, expected, "of {line:?}");
        assert_eq!(sanitize_line(&fit), expected, "twice, of {line:?}");
    }

    #[track_caller]
    fn check_borrowed(line: &str) {
        assert!(
            matches!(sanitize_line(line), Cow::Borrowed(same) if same == line),
            "{line:?} became {:?}",
            sanitize_line(line)
        );
    }

    #[track_caller]
    fn check_message(message: &str, expected: &str) {
        assert_eq!(sanitize_message(message), expected, "of {message:?}");
    }

    #[test]
    fn fit_lines_stay_as_they_are_and_borrowed() {
        check_borrowed("");
        check_borrowed(" ");
        check_borrowed("hello, world ~");
        check_borrowed("a\tb");
        check_borrowed("안녕하세요, 반갑습니다! ㅋㅋㅋ ㅠㅠ 漢字");
        check_borrowed("“따옴표” … ★ ① ─ é ñ עברית العربية हिन्दी ไทย");
        check_borrowed("👨\u{200D}👩\u{200D}👧\u{200D}👦 ❤\u{FE0F} 👍🏽 🇰🇷");
        // A flag made of tags: six of them on one character.
        check_borrowed("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}");
    }

    #[test]
    fn everyday_characters_are_fit_one_and_all() {
        for c in ('\0'..=char::MAX).filter(|&c| is_everyday(c)) {
            assert!(!is_unwanted(c) && !is_mark(c), "{c:?}");
            // Quick, so that no neighbour can make it otherwise.
            let quick = unicode_normalization::is_nfc_quick(std::iter::once(c));
            assert_eq!(quick, unicode_normalization::IsNormalized::Yes, "{c:?}");
        }
    }

    #[test]
    fn every_control_but_tab_goes_alone() {
        let controls: Vec<char> = ('\0'..='\u{9F}').filter(|c| c.is_control()).collect();
        assert_eq!(controls.len(), 65);
        for control in controls {
            // Hangul ends no sequence, so each loses itself and no more.
            let expected = if control == '\t' { "가\t나" } else { "가나" };
            check(&format!("가{control}나"), expected);
        }
    }

    #[test]
    fn separators_and_bidi_controls_go() {
        for c in ('\u{2028}'..='\u{202E}').chain('\u{2066}'..='\u{2069}') {
            check(&format!("a{c}b"), "ab");
        }
        check("user\u{202E}gnp.exe", "usergnp.exe");
        check("a\r", "a");
        check("a\nb\u{85}c\u{B}d\u{C}e", "abcde");
    }

    #[test]
    fn sequences_go_whole() {
        // CSI: colours, clear screen, cursor, modes, with intermediates.
        check("\x1b[31mred\x1b[0m", "red");
        check("\x1b[2J\x1b[1;1Hover", "over");
        check("\x1b[38:2::1:2:3mx\x1b[?1049hy", "xy");
        check("\x1b[2 qx\x1b[!py", "xy");
        check("\x1b[m한글", "한글");
        check("\u{9B}31m한글\u{9B}m", "한글");
        // OSC: title, clipboard, link, by BEL, ESC \ and C1 ST.
        check("a\x1b]0;pwned\x07b", "ab");
        check("a\x1b]2;제목\x1b\\b", "ab");
        check("a\x1b]52;c;cm0gLXJmIH4=\x07b", "ab");
        check("a\u{9D}52;c;cm0gLXJmIH4=\u{9C}b", "ab");
        check("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click");
        check("a\x1b]0;\x01\tx\u{7F}\x07b", "ab");
        // DCS, SOS, PM, APC and their C1 forms.
        check("a\x1bP$q\"p\x1b\\b", "ab");
        check("a\x1bXsos\x1b\\b\x1b^pm\x1b\\c\x1b_apc\x1b\\d", "abcd");
        check("a\u{90}x\u{9C}b\u{98}x\x1b\\c\u{9E}x\x07d\u{9F}x\u{9C}e", "abcde");
        // Two characters, and with intermediates.
        check("a\x1bcb\x1b7c\x1b=d\x1b\\e", "abcde");
        check("a\x1b(Bb\x1b#8c\x1b%Gd\x1b $Ae", "abcde");
    }

    #[test]
    fn keys_and_the_mouse_leave_no_letter() {
        for sequence in [
            // Arrows, Home, function keys and keypad, in both modes of the keypad.
            "\x1bOA",
            "\x1bOH",
            "\x1bOP",
            "\x1bOj",
            "\x1bOM",
            "\x1bO2P",
            "\x1bO1;5D",
            "\x1b[A",
            "\x1b[H",
            "\x1b[1;5C",
            "\x1b[3~",
            "\x1b[15;2~",
            "\x1b[11~",
            "\x1b[7^",
            "\x1b[Z",
            "\u{8F}A",
            "\u{8E}x",
            "\x1bNx",
            // The Linux console, kitty.
            "\x1b[[A",
            "\x1b[[E",
            "\u{9B}[A",
            "\x1b[57441;2u",
            "\x1b]P01a2B3c",
            "\x1b]R\x07",
            // Mouse: X10, its UTF-8 form, urxvt's and SGR.
            "\x1b[M !!",
            "\x1b[Mabc",
            "\u{9B}M#AB",
            "\x1b[M \u{A0}é",
            "\x1b[32;10;5M",
            "\x1b[<0;10;5M",
            "\x1b[<0;10;5m",
            // Focus, a paste's borders, what a terminal answers.
            "\x1b[I",
            "\x1b[O",
            "\x1b[200~",
            "\x1b[201~",
            "\x1b[?62;22c",
            "\x1b[24;80R",
            "\x1b]11;rgb:ffff/ffff/ffff\x07",
            "\x1bP1$r0m\x1b\\",
            "\x1b_Gi=1;OK\x1b\\",
            "\x1bktitle\x1b\\",
            // Alt with a key, and with an arrow.
            "\x1bb",
            "\x1b\x1b[A",
            "\x1b\x1bOA",
        ] {
            check(sequence, "");
            check(&format!("가{sequence}나"), "가나");
            check(&format!("{sequence}{sequence}x"), "x");
        }
    }

    #[test]
    fn a_sequence_that_is_cut_off_goes_as_far_as_it_came() {
        for sequence in [
            "\x1b",
            "\x1b[",
            "\x1b[3",
            "\x1b[1;5",
            "\x1b[?",
            "\x1b[<0;10;",
            "\x1b[7$",
            "\x1b[[",
            "\x1bO",
            "\x1bO1;5",
            "\x1bN",
            "\x1b(",
            "\x1b[M",
            "\x1b[M a",
            "\x1b]0;title",
            "\x1b]52;c;eA==",
        ] {
            check(sequence, "");
            check(&format!("x{sequence}"), "x");
            check(&format!("{sequence}\x1b[31mred"), "red");
        }
        check("\x1b안녕", "안녕");
        check("\x1b[안녕", "안녕");
        check("\x1b[31안녕", "안녕");
        check("\u{9B}1 안녕", "안녕");
        check("\x1bO안녕", "안녕");
        check("\x1b[7$안녕", "안녕");
        check("\x1b[Ma\tb\x07c", "c");
        // A string is cut off by what would cut it off on a terminal.
        check("\x1b]0;a\x1b[31mred\x07", "red");
        check("\x1b]0;a\x18red\x07", "red");
        check("\x1b]0;a\u{9B}31mred\x07", "red");
        check("\x1b]0;a\x1b]0;b\x07c", "c");
    }

    #[test]
    fn text_that_only_resembles_a_control_sequence_stays_readable() {
        check("\x1b(안녕", "(안녕");
        check("\x1b 안녕", " 안녕");
        // Alt with a bracket, and then words.
        check("\x1b]제목", "제목");
        check("\x1bP안녕", "안녕");
        check("\x1b_x 안녕", "x 안녕");
        check("\x1b\x1b[31mred", "red");
        check("\x1b\u{9B}31mred", "red");
        // What is left when a piece goes is no sequence.
        check("\x1b\u{202E}[31m", "[31m");
        check("\x1b\x1b[m[31m", "[31m");
    }

    #[test]
    fn text_comes_out_composed() {
        check("\u{1112}\u{1161}\u{11AB}글", "한글");
        check("e\u{301}", "é");
        // What stood between two that compose is gone.
        check("\u{1112}\x07\u{1161}", "하");
        check("e\u{202E}\u{301}", "é");
        // Composed, a character may be longer than it was.
        check("\u{958}", "\u{915}\u{93C}");
    }

    #[test]
    fn marks_are_capped() {
        let mark = "\u{30D}";
        check(&format!("a{}b", mark.repeat(8)), &format!("a{}b", mark.repeat(8)));
        check(&format!("a{}b", mark.repeat(9)), &format!("a{}b", mark.repeat(8)));
        check(&mark.repeat(4_000), &mark.repeat(8));
        let twice = format!("a{}b{}", mark.repeat(9), mark.repeat(9));
        check(&twice, &format!("a{0}b{0}", mark.repeat(8)));
        // What takes no column does not begin a new count.
        let joined = format!("a{}", format!("\u{200D}{mark}").repeat(100));
        check(&joined, &format!("a{}", format!("\u{200D}{mark}").repeat(4)));
        let hyphened = format!("a{}", format!("\u{AD}{mark}").repeat(100));
        check(&hyphened, &format!("a{}", format!("\u{AD}{mark}").repeat(4)));
        // Vowels of decomposed Hangul stack in one cell too.
        let vowels = format!("하{}", "\u{1161}".repeat(100));
        check(&vowels, &format!("하{}", "\u{1161}".repeat(8)));
    }

    #[test]
    fn messages_keep_their_lines_and_no_others() {
        check_message("a\nb", "a\nb");
        check_message("a\r\nb\r\n", "a\nb\n");
        check_message("\n\n", "\n\n");
        check_message("a\rb\u{B}c\u{C}d\u{85}e\u{2028}f\u{2029}g", "abcdefg");
        check_message("\x1b]0;a\nb\x07c", "\nbc");
        check_message("\x1b[\n31m", "\n31m");
        check_message("e\n\u{301}", "e\n\u{301}");
        let message = "하나\n둘\tx\n";
        assert!(matches!(sanitize_message(message), Cow::Borrowed(same) if same == message));
    }

    #[test]
    fn labels_have_no_tab() {
        assert_eq!(sanitize_label("a\tb\x1b[31m\n"), "a b");
        assert!(matches!(sanitize_label("Mozilla/5.0"), Cow::Borrowed(_)));
    }

    /// A regression would show as minutes here, not as a failed assertion.
    #[test]
    fn the_longest_hostile_lines_are_done_at_once() {
        for piece in [
            "\x1b]",
            "\x1b]0",
            "\u{9D}",
            "\x1b[",
            "\u{9B}1",
            "\x1b(",
            "\x1bP\x01",
            "\x1bO1",
            "\x1b[M",
            "\u{301}",
        ] {
            let line = piece.repeat(1_024 * 1_024 / piece.len());
            assert!(sanitize_line(&line).len() <= line.len());
        }
    }

    /// Lines made of what sequences and compositions are made of.
    fn hostile_line() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec![
                "\x1b", "[", "]", "P", "X", "^", "_", "\\", "(", " ", "0", ";", "m", "\x07",
                "O", "N", "M", "k", "\u{8E}", "\u{8F}",
                "\x18", "\t", "\n", "\r", "\u{90}", "\u{98}", "\u{9B}", "\u{9C}", "\u{9D}",
                "\u{85}", "\u{7F}", "\u{1112}", "\u{1161}", "\u{11AB}", "하", "가", "ㅋ", "\u{3164}",
                "e", "\u{301}", "\u{30D}", "\u{323}", "\u{20DD}", "\u{958}", "\u{9C7}", "\u{9BE}",
                "\u{16D63}", "\u{16D67}", "\u{200B}", "\u{200D}", "\u{FE0F}", "\u{AD}", "👩",
                "\u{202E}", "\u{2066}", "\u{2028}", "\u{2029}",
            ]).prop_map(String::from),
            1 => any::<char>().prop_map(String::from),
            1 => prop::sample::select(vec!["\u{301}", "\u{200D}\u{30D}", "\u{1161}"])
                .prop_map(|mark| mark.repeat(9)),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    fn assert_fit(line: &str) {
        assert!(!line.contains(is_unwanted), "{line:?}");
        assert!(is_nfc(line), "{line:?}");
        let mut marks = MarkCounter::default();
        assert!(line.chars().all(|c| marks.admits(c)), "{line:?}");
    }

    proptest! {
        #[test]
        fn any_line_comes_out_fit(chars in prop::collection::vec(any::<char>(), 0..64)) {
            assert_fit(&sanitize_line(&String::from_iter(chars)));
        }

        #[test]
        fn hostile_lines_come_out_fit_once_and_for_all(line in hostile_line()) {
            let fit = sanitize_line(&line);
            assert_fit(&fit);
            prop_assert_eq!(&sanitize_line(&fit), &fit);
            prop_assert_eq!(matches!(fit, Cow::Borrowed(_)), fit == line);
            prop_assert!(fit.len() <= 3 * line.len());
        }

        #[test]
        fn hostile_messages_come_out_line_by_line(message in hostile_line()) {
            let fit = sanitize_message(&message);
            fit.split('\n').for_each(assert_fit);
            prop_assert_eq!(fit.matches('\n').count(), message.matches('\n').count());
            prop_assert_eq!(&sanitize_message(&fit), &fit);
            prop_assert_eq!(matches!(fit, Cow::Borrowed(_)), fit == message);
        }

        #[test]
        fn hostile_labels_are_lines_without_tabs(label in hostile_line()) {
            let fit = sanitize_label(&label);
            assert_fit(&fit);
            prop_assert!(!fit.contains('\t'));
            prop_assert_eq!(&sanitize_label(&fit), &fit);
        }

        #[test]
        fn printable_ascii_is_never_touched(line in "[ -~\t]*") {
            prop_assert!(matches!(sanitize_line(&line), Cow::Borrowed(_)));
        }

        #[test]
        fn text_without_controls_loses_nothing(line in "[ -~가-힣\n]*\x1b?[가-힣]*") {
            prop_assert_eq!(sanitize_line(&line), line.replace(['\n', '\x1b'], ""));
        }
    }
}
