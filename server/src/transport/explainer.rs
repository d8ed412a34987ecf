//! What a member who wants to see its own connection (`/wire on`) is told about a read: how many
//! bytes and lines, what waits, and how the bytes begin, as far as others may see that.

use madang_protocol::{
    event::{WireNote, escaped},
    line::LineEnds,
    secret::shown_bytes,
};
use memchr::{memchr, memchr_iter, memrchr};

/// The number of bytes of a read that are shown.
const START_BYTES: usize = 24;

/// Finds where in a text a secret begins that has no form of its own.
type FindSecret = dyn Fn(&str) -> Option<usize> + Send;

/// Decides what may be shown.
pub(crate) struct Explainer {
    find_secret: Box<FindSecret>,
    incomplete: Box<dyn Fn() -> Incomplete + Send>,
}

/// What is shown of a line or message that has not arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// What can be no secret, judged by its form.
    Judged,
    /// Nothing: a secret may have any form.
    Hidden,
}

/// A read of a connection that sends lines.
pub(super) struct ReadSeen<'a> {
    /// The number of bytes read.
    pub(super) bytes: usize,
    /// What waits now, with the text of this read at its end.
    pub(super) waiting: &'a [u8],
    /// How much of that was there before.
    pub(super) before: usize,
    /// What ends a line.
    pub(super) ends: LineEnds,
    /// Whether the rest is a line without an end.
    pub(super) is_packet: bool,
    /// Over TLS: the sizes of the records that brought it.
    pub(super) records: Vec<usize>,
}

impl Explainer {
    /// Hides what has the form of a secret, and what follows where `find_secret` finds one.
    /// `incomplete` is asked each time: another secret may have been chosen since.
    pub(crate) fn new(
        find_secret: impl Fn(&str) -> Option<usize> + Send + 'static,
        incomplete: impl Fn() -> Incomplete + Send + 'static,
    ) -> Explainer {
        Explainer { find_secret: Box::new(find_secret), incomplete: Box::new(incomplete) }
    }

    /// How many bytes from the start of a line or message may be shown; it may be the beginning
    /// of one, unless it `is_whole`. No part of one shows more of it than the whole.
    pub(super) fn shown_bytes(&self, message: &[u8], is_whole: bool) -> usize {
        if !is_whole && (self.incomplete)() == Incomplete::Hidden {
            return 0;
        }
        let shown = shown_bytes(message, is_whole);
        // Of what is no text, no more is known than its beginning.
        let text = message.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        (self.find_secret)(text).map_or(shown, |place| shown.min(place))
    }

    /// The note about a read; with its beginning, if that `is_shown`.
    pub(super) fn read(&self, read: ReadSeen<'_>, is_shown: bool) -> WireNote {
        let ReadSeen { bytes, waiting, before, ends, is_packet, .. } = read;
        let text = &waiting[before..];
        let (lines, rest) = match last_line_end(text, ends) {
            Some(end) => (count_line_ends(text, ends), &text[end..]),
            None => (0, waiting),
        };
        let packet = is_packet && !rest.is_empty();
        let (waits, cut) = if packet { (0, 0) } else { (rest.len(), cut_bytes(rest)) };
        let (start, hidden) = match is_shown && !text.is_empty() {
            true => self.start(&read),
            false => (None, false),
        };
        WireNote::Read {
            reads: 1,
            bytes,
            start,
            hidden,
            lines: Some(lines),
            packet,
            waiting: waits,
            cut,
            records: read.records,
        }
    }

    /// The beginning of a read, and whether it ends where a secret may begin.
    fn start(&self, read: &ReadSeen<'_>) -> (Option<String>, bool) {
        let ReadSeen { waiting, before, ends, is_packet, .. } = *read;
        let mut end = waiting.len().min(before + START_BYTES);
        while end > before && waiting.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
            end -= 1;
        }
        let mut line_start = 0;
        while line_start < end {
            let line = &waiting[line_start..];
            let line_end = first_line_end(line, ends);
            let line = line_end.map_or(line, |end| &line[..end]);
            let shown = self.shown_bytes(line, line_end.is_some() || is_packet);
            if shown < line.len() && line_start + line.len() > before {
                let shown_end = (line_start + shown).max(before);
                if shown_end < end {
                    return (Some(escaped(&waiting[before..shown_end])), true);
                }
            }
            line_start += line.len();
        }
        (Some(escaped(&waiting[before..end])), false)
    }
}

/// Where the first line ends, behind its line end.
fn first_line_end(text: &[u8], ends: LineEnds) -> Option<usize> {
    let lf = memchr(b'\n', text).map(|at| at + 1);
    match (ends, memchr(b'\r', text)) {
        (LineEnds::Cr, Some(cr)) if lf.is_none_or(|lf| cr + 2 < lf) => Some(cr + 1),
        _ => lf,
    }
}

/// Where the last line ends.
fn last_line_end(text: &[u8], ends: LineEnds) -> Option<usize> {
    let lf = memrchr(b'\n', text);
    let end = match ends {
        LineEnds::Cr => lf.max(memrchr(b'\r', text)),
        LineEnds::Lf | LineEnds::FirstDecides => lf,
    };
    end.map(|end| end + 1)
}

/// How many lines end in `text`.
fn count_line_ends(text: &[u8], ends: LineEnds) -> usize {
    let lfs = memchr_iter(b'\n', text);
    match ends {
        LineEnds::Cr => {
            let lone = lfs.filter(|at| *at == 0 || text[at - 1] != b'\r').count();
            lone + memchr_iter(b'\r', text).count()
        }
        LineEnds::Lf | LineEnds::FirstDecides => lfs.count(),
    }
}

/// How many bytes at the end are the beginning of a character (RFC 3629).
fn cut_bytes(text: &[u8]) -> usize {
    let lead = text.iter().rev().take(3).position(|byte| byte & 0xc0 != 0x80);
    let Some((after, lead)) = lead.map(|after| (after, text[text.len() - 1 - after])) else {
        return 0;
    };
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if after + 1 < length { after + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The note about `text`, read after `before`, in a connection that ends its lines with LF.
    fn note(before: &str, text: &[u8], is_packet: bool) -> WireNote {
        note_with(before, text, is_packet, LineEnds::Lf)
    }

    fn note_with(before: &str, text: &[u8], is_packet: bool, ends: LineEnds) -> WireNote {
        let explainer = Explainer::new(|text| text.find("our own code"), || Incomplete::Judged);
        let waiting = [before.as_bytes(), text].concat();
        let (bytes, before, records) = (text.len(), before.len(), Vec::new());
        let waiting = &waiting;
        explainer.read(ReadSeen { bytes, waiting, before, ends, is_packet, records }, true)
    }

    #[track_caller]
    fn check_start(before: &str, text: &[u8], start: &str, hidden: bool) {
        let WireNote::Read { start: shown, hidden: is_hidden, .. } = note(before, text, false)
        else {
            panic!("it is about a read")
        };
        assert_eq!((shown.as_deref(), is_hidden), (Some(start), hidden));
    }

    #[test]
    fn lines_and_what_waits_are_counted() {
        #[track_caller]
        fn check(before: &str, text: &[u8], expected: (usize, usize, usize)) {
            let WireNote::Read { lines, waiting, cut, packet: false, .. } =
                note(before, text, false)
            else {
                panic!("it is about a read")
            };
            assert_eq!((lines.unwrap_or_default(), waiting, cut), expected);
        }
        check("", b"hi\n", (1, 0, 0));
        check("", b"a\r\nb\nc", (2, 1, 0));
        check("안", b"!", (0, 4, 0));
        check("", &"안녕".as_bytes()[..4], (0, 4, 1));
        check("", &"안녕".as_bytes()[..5], (0, 5, 2));
        check("", "🙂".as_bytes().split_at(3).0, (0, 3, 3));
        check("ab", b"\n", (1, 0, 0));
        check("", b"\x80\x80\x80\x80", (0, 4, 0));
        check("", b"", (0, 0, 0));
    }

    #[test]
    fn lines_that_end_with_cr_are_counted() {
        #[track_caller]
        fn check(text: &[u8], lines: usize, waiting: usize) {
            let note = note_with("", text, false, LineEnds::Cr);
            let WireNote::Read { lines: found, waiting: waits, .. } = note else {
                panic!("it is about a read")
            };
            assert_eq!((found, waits), (Some(lines), waiting), "{text:?}");
        }
        check(b"hi\r", 1, 0);
        check(b"a\r\nb\nc", 2, 1);
        check(b"a\rb", 1, 1);
    }

    #[test]
    fn a_packet_is_a_line() {
        let note = note("", b"hello", true);
        assert!(matches!(
            note,
            WireNote::Read { lines: Some(0), packet: true, waiting: 0, cut: 0, .. }
        ));
    }

    #[test]
    fn the_beginning_is_shown() {
        check_start("", b"hi\n", "hi\\n", false);
        check_start("안녕", &"하".as_bytes()[..1], "\\xed", false);
        check_start("", "가나다라마바사아자차".as_bytes(), "가나다라마바사아", false);
        check_start("x", "가나다라마바사아자차".as_bytes(), "가나다라마바사아", false);
        check_start("", b"one\ntwo\n", "one\\ntwo\\n", false);
    }

    #[test]
    fn secrets_are_hidden_wherever_a_line_was_cut() {
        check_start("", b"/join #78e4c\n", "/join", true);
        check_start("/join #78", b"e4c\n", "", true);
        check_start("/jo", b"in #78e4c\n", "in", true);
        check_start("", b"/jo", "/", true);
        check_start("/", b"jo", "", true);
        check_start("", b"hi\n/teach 7F3K-9Q2M\nbye\n", "hi\\n/teach", true);
        check_start("", b"hi\n/teach 7F3K-9Q2M\n", "hi\\n/teach", true);
        check_start("7F3K", b"-9Q2M\n", "", true);
        check_start("", b"this is our own code\n", "this is ", true);
        check_start("this is our own", b" code\n", "", true);
        // The window ends before the secret does.
        check_start(
            "",
            b"a long line with a key: #78e4c-v9s0a\n",
            "a long line with a key: ",
            false,
        );
    }

    #[test]
    fn nothing_is_shown_of_what_may_become_a_secret_of_any_form() {
        let explainer = Explainer::new(|text| text.find("열려라 참깨"), || Incomplete::Hidden);
        let line = "문아, 열려라 참깨\n".as_bytes();
        for end in 0..line.len() {
            assert_eq!(explainer.shown_bytes(&line[..end], false), 0);
        }
        assert_eq!(explainer.shown_bytes(line, true), "문아, ".len());
        assert_eq!(explainer.shown_bytes(b"hello\n", true), 6);
    }

    #[test]
    fn nothing_is_shown_of_a_read_that_is_only_counted() {
        let explainer = Explainer::new(|_| panic!("nobody asks"), || Incomplete::Judged);
        let waiting = b"hi\n";
        let read = ReadSeen {
            bytes: 3,
            waiting,
            before: 0,
            ends: LineEnds::Lf,
            is_packet: false,
            records: vec![25],
        };
        let note = explainer.read(read, false);
        assert!(matches!(note, WireNote::Read { start: None, bytes: 3, lines: Some(1), .. }));
    }
}
