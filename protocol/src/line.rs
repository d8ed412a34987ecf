//! An incremental decoder from bytes to lines.
//!
//! A line ends with LF, CR LF or CR NUL (RFC 854 "The NVT printer and keyboard"); where
//! [`LineEnds`] allows it, also with a CR on its own, as PuTTY and Tera Term send for Enter.
//! The decoder knows nothing about text: encoding and sanitizing are done elsewhere.

use memchr::memchr2;

use crate::{limits::CARRIER_BYTES, read_buffer::ReadBuffer};

/// A line did not end within [`CARRIER_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no line end within {CARRIER_BYTES} bytes")]
pub struct LineTooLong;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnds {
    /// LF, CR LF or CR NUL. Any other CR is a control, and removed before the line end.
    #[default]
    Lf,
    /// The first line end decides: [`Lf`](LineEnds::Lf), or
    /// [`Cr`](LineEnds::Cr) if what was read ends in a CR and holds no other
    /// line end.
    FirstDecides,
    /// A CR, at once, or an LF. An LF or NUL after a CR belongs to it. If one follows the
    /// first CR, that line end was cut between two reads, and later lines end as in
    /// [`Lf`](LineEnds::Lf).
    Cr,
}

/// Splits a peer's bytes into lines, whatever the chunks.
///
/// Fill it with [`spare`](Self::spare) and [`filled`](Self::filled), empty it
/// with [`next_line`](Self::next_line).
#[derive(Debug, Default)]
pub struct LineDecoder {
    buffer: ReadBuffer,
    /// Where the search for a line end goes on: there is none before.
    scanned: usize,
    /// The next line, once it was found: each line is asked for more than once.
    found: Option<Found>,
    ends: LineEnds,
    /// Whether the last line ended with a CR, and nothing was read since.
    after_cr: bool,
    /// Whether [`LineEnds::Cr`] holds for no longer than the first line end.
    is_first_end: bool,
}

/// A complete line that waits: its length.
#[derive(Debug, Clone, Copy)]
struct Found {
    line_bytes: usize,
    /// Its length with the line end.
    whole_bytes: usize,
    ends_with_cr: bool,
}

impl LineDecoder {
    /// The space for the next read; empty only when [`CARRIER_BYTES`] wait.
    pub fn spare(&mut self) -> &mut [u8] {
        self.buffer.spare()
    }

    /// The same space as [`spare`](Self::spare) has given last, with what was read.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.space()
    }

    /// What waits without a line end, with the first `count` bytes of
    /// [`spare`](Self::spare) behind it.
    pub fn unfinished_with(&self, count: usize) -> &[u8] {
        self.buffer.waiting_with(count)
    }

    /// Takes the first `count` bytes of [`spare`](Self::spare) as read.
    ///
    /// # Panics
    ///
    /// If `count` is larger than the space was.
    pub fn filled(&mut self, count: usize) {
        self.buffer.filled(count);
    }

    /// Sets what ends the next line and all later ones.
    pub fn expect_ends(&mut self, ends: LineEnds) {
        self.ends = ends;
        self.is_first_end = true;
        self.search_anew();
    }

    /// What ends lines; the first line end may have decided it.
    pub fn ends(&self) -> LineEnds {
        self.ends
    }

    /// Whether an LF or NUL that comes next belongs to the last line's CR.
    pub fn is_after_cr(&self) -> bool {
        self.after_cr
    }

    /// The next whole line, without its end; `None` until more is read.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] when [`CARRIER_BYTES`] hold no line end. The decoder is
    /// of no use afterwards.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        let Some(found) = self.find_line()? else { return Ok(None) };
        self.search_anew();
        self.after_cr = found.ends_with_cr;
        Ok(Some(&self.buffer.take(found.whole_bytes)[..found.line_bytes]))
    }

    /// The length of the next line if it is whole, without taking it.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line).
    pub fn peek_line_bytes(&mut self) -> Result<Option<usize>, LineTooLong> {
        Ok(self.find_line()?.map(|found| found.line_bytes))
    }

    /// The next line is not what was found before.
    fn search_anew(&mut self) {
        (self.scanned, self.found) = (0, None);
    }

    /// Looks for the next line end, unless it was found before.
    fn find_line(&mut self) -> Result<Option<Found>, LineTooLong> {
        if self.found.is_some() {
            return Ok(self.found);
        }
        self.skip_rest_of_line_end();
        self.found = match self.ends {
            LineEnds::Lf => self.find_lf(),
            LineEnds::Cr => self.find_cr(),
            LineEnds::FirstDecides => {
                let found = self.find_lf();
                if found.is_some() {
                    self.ends = LineEnds::Lf;
                    found
                } else if self.unfinished().ends_with(b"\r") {
                    self.expect_ends(LineEnds::Cr);
                    self.find_cr()
                } else {
                    None
                }
            }
        };
        if self.found.is_none() && self.buffer.is_full() {
            return Err(LineTooLong);
        }
        Ok(self.found)
    }

    /// Takes the LF or NUL that belongs to the CR before it.
    fn skip_rest_of_line_end(&mut self) {
        if !self.after_cr || self.unfinished().is_empty() {
            return;
        }
        self.after_cr = false;
        if matches!(self.unfinished()[0], b'\n' | 0) {
            self.buffer.take(1);
            self.scanned = 0;
            if self.is_first_end {
                self.ends = LineEnds::Lf;
            }
        }
        self.is_first_end = false;
    }

    /// Looks for LF, CR LF or CR NUL.
    fn find_lf(&mut self) -> Option<Found> {
        let waiting = self.buffer.waiting();
        while let Some(offset) = memchr2(b'\n', 0, &waiting[self.scanned..]) {
            let at = self.scanned + offset;
            let text = &waiting[..at];
            if waiting[at] == b'\n' || text.ends_with(b"\r") {
                let line_bytes = trim_crs(text).len();
                return Some(Found { line_bytes, whole_bytes: at + 1, ends_with_cr: false });
            }
            self.scanned = at + 1;
        }
        self.scanned = waiting.len();
        None
    }

    /// Looks for a CR or an LF.
    fn find_cr(&mut self) -> Option<Found> {
        let waiting = self.buffer.waiting();
        let Some(offset) = memchr2(b'\r', b'\n', &waiting[self.scanned..]) else {
            self.scanned = waiting.len();
            return None;
        };
        let at = self.scanned + offset;
        let ends_with_cr = waiting[at] == b'\r';
        Some(Found { line_bytes: at, whole_bytes: at + 1, ends_with_cr })
    }

    /// What waits without a line end, and leaves it where it is.
    ///
    /// Only meaningful after [`next_line`](Self::next_line) has said `None`.
    pub fn unfinished(&self) -> &[u8] {
        self.buffer.waiting()
    }

    /// Takes what waits without a line end as a line: the peer has closed its
    /// side, or frames by packet. `None` if nothing waits.
    pub fn finish_line(&mut self) -> Option<&[u8]> {
        self.search_anew();
        let line = self.buffer.take(self.buffer.waiting().len());
        (!line.is_empty()).then(|| trim_crs(line))
    }
}

/// `line` without the CRs at its end.
fn trim_crs(line: &[u8]) -> &[u8] {
    let crs = line.iter().rev().take_while(|&&byte| byte == b'\r').count();
    &line[..line.len() - crs]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of `chunks`, and whether the decoder gave up.
    fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
        decode_as(LineEnds::Lf, chunks)
    }

    fn decode_as<'a>(
        ends: LineEnds,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = LineDecoder::default();
        decoder.expect_ends(ends);
        let mut lines = Vec::new();
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let spare = decoder.spare();
                let count = spare.len().min(chunk.len());
                spare[..count].copy_from_slice(&chunk[..count]);
                decoder.filled(count);
                chunk = &chunk[count..];
                loop {
                    let peeked = decoder.peek_line_bytes();
                    match decoder.next_line() {
                        Ok(Some(line)) => {
                            assert_eq!(peeked, Ok(Some(line.len())));
                            lines.push(line.to_vec());
                        }
                        Ok(None) => break,
                        Err(LineTooLong) => return (lines, true),
                    }
                }
            }
        }
        lines.extend(decoder.finish_line().map(<[u8]>::to_vec));
        (lines, false)
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&[u8]]) {
        for cut in 0..=bytes.len() {
            let (lines, too_long) = decode([&bytes[..cut], &bytes[cut..]]);
            assert_eq!(lines, expected, "cut at {cut}");
            assert!(!too_long);
        }
        let (lines, _) = decode(bytes.chunks(1));
        assert_eq!(lines, expected, "byte by byte");
    }

    #[test]
    fn lines_end_with_lf_crlf_or_cr_nul() {
        check(b"", &[]);
        check(b"a\nb\r\nc\r\0", &[b"a", b"b", b"c"]);
        check(b"\n\r\n\r\0", &[b"", b"", b""]);
        check(b"a\r\r\nb\r\r\0", &[b"a", b"b"]);
        check(b"a\0b\n", &[b"a\0b"]);
        check(b"a\rb\n", &[b"a\rb"]);
        check(b"\0\n\0\r\n", &[b"\0", b"\0"]);
        check("가나\r\n다\n".as_bytes(), &["가나".as_bytes(), "다".as_bytes()]);
    }

    #[track_caller]
    fn check_first_decides(chunks: &[&[u8]], expected: &[&str]) {
        let (lines, _) = decode_as(LineEnds::FirstDecides, chunks.iter().copied());
        let lines: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        assert_eq!(lines, expected, "of {chunks:?}");
    }

    #[test]
    fn a_first_line_end_that_is_a_cr_ends_all_lines() {
        check_first_decides(&[b"alice\r", b"hello\r", b"\r"], &["alice", "hello", ""]);
        check_first_decides(&[b"alice\rhello\rx\r"], &["alice", "hello", "x"]);
        // Byte by byte.
        check_first_decides(&[b"a", b"l", b"\r", b"h", b"i", b"\r"], &["al", "hi"]);
        // Once decided, wherever the CR stands.
        check_first_decides(&[b"alice\r", b"hel\rlo", b"\r"], &["alice", "hel", "lo"]);
        check_first_decides(&[b"alice\r", b"x\r\ny\r\0z\r"], &["alice", "x", "y", "z"]);
        check_first_decides(&[b"alice\r", b"x\r", b"\ny\r", b"\0z\n"], &["alice", "x", "y", "z"]);
    }

    #[test]
    fn a_first_line_end_that_is_no_cr_alone_leaves_crs_to_be_controls() {
        check_first_decides(&[b"alice\n", b"x\r", b"/quit\n"], &["alice", "x\r/quit"]);
        check_first_decides(&[b"alice\r\n", b"x\r", b"/quit\r\n"], &["alice", "x\r/quit"]);
        check_first_decides(&[b"alice\r\0", b"x\r", b"/quit\r\0"], &["alice", "x\r/quit"]);
        check_first_decides(&[b"al\rice\n", b"x\r"], &["al\rice", "x"]);
        // Cut between CR and LF or NUL: then the line end was a whole one.
        check_first_decides(&[b"alice\r", b"\nx\r", b"/quit\r\n"], &["alice", "x\r/quit"]);
        check_first_decides(&[b"alice\r", b"\0x\r", b"/quit\r\0"], &["alice", "x\r/quit"]);
        check_first_decides(&[b"alice\r", b"\n", b"x\r\n"], &["alice", "x"]);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        check(b"a\nlast", &[b"a", b"last"]);
        check(b"last\r", &[b"last"]);
    }

    #[test]
    fn a_line_may_fill_the_carrier_but_not_pass_it() {
        let mut longest = vec![b'x'; CARRIER_BYTES - 1];
        longest.push(b'\n');
        longest.extend_from_slice(b"next\n");
        let (lines, too_long) = decode([&longest[..]]);
        assert_eq!((lines.len(), too_long), (2, false));

        let endless = vec![b'x'; CARRIER_BYTES];
        let (lines, too_long) = decode([&endless[..]]);
        assert_eq!((lines.len(), too_long), (0, true));
    }

    /// Bytes of all kinds; one in four each is an LF, a CR or a NUL.
    fn any_lines() -> impl Strategy<Value = Vec<u8>> {
        // A choice for each byte would take most of the test's time.
        proptest::collection::vec(any::<u16>(), 0..3_000).prop_map(|numbers| {
            let byte = |number: u16| match number % 4 {
                0 => b'\n',
                1 => b'\r',
                2 => 0,
                _ => (number >> 8) as u8,
            };
            numbers.into_iter().map(byte).collect()
        })
    }

    proptest! {
        #[test]
        fn any_chunking_of_any_bytes_gives_the_same_lines(
            bytes in any_lines(),
            cuts in proptest::collection::vec(proptest::bool::weighted(0.01), 1..300),
        ) {
            let mut cuts = cuts.into_iter().cycle();
            let chunks: Vec<_> = bytes.split_inclusive(|_| cuts.next() == Some(true)).collect();
            for ends in [LineEnds::Lf, LineEnds::Cr] {
                let whole = decode_as(ends, [&bytes[..]]);
                prop_assert_eq!(decode_as(ends, chunks.iter().copied()), whole, "{:?}", ends);
            }
        }
    }
}
