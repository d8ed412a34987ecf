//! Bytes to lines: an incremental decoder that owns the read buffer.
//!
//! A line ends with LF, CR LF or CR NUL (RFC 854 "The NVT printer and
//! keyboard"). The decoder knows nothing of text: whether a line is UTF-8 and
//! what of it may be shown is decided elsewhere.

use memchr::memchr2;

use crate::limits::CARRIER_BYTES;

/// The size of the buffer before anything was read, and again once little is.
const SMALL_BYTES: usize = 1_024;

/// A line did not end within [`CARRIER_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no line end within {CARRIER_BYTES} bytes")]
pub struct LineTooLong;

/// Cuts what a peer sends into lines, however it is chunked.
///
/// Fill it with [`spare`](Self::spare) and [`filled`](Self::filled), empty it
/// with [`next_line`](Self::next_line). The buffer starts small, doubles when a
/// read fills it (to [`CARRIER_BYTES`]) and halves when reads are small again.
#[derive(Debug)]
pub struct LineDecoder {
    /// All of it is initialised; `start..end` is what waits.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where the search for a line end goes on: `start..scanned` holds none.
    scanned: usize,
    last_read_bytes: usize,
    /// Whether the last read took all the space that there was.
    last_read_filled: bool,
}

impl Default for LineDecoder {
    fn default() -> Self {
        LineDecoder {
            buffer: vec![0; SMALL_BYTES],
            start: 0,
            end: 0,
            scanned: 0,
            last_read_bytes: SMALL_BYTES,
            last_read_filled: false,
        }
    }
}

impl LineDecoder {
    /// The space for the next read; empty only when [`CARRIER_BYTES`] wait.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        let size = self.buffer.len();
        if (self.last_read_filled || self.end == size) && size < CARRIER_BYTES {
            self.buffer.resize(size * 2, 0);
            self.last_read_filled = false;
        } else if size > SMALL_BYTES && self.end.max(self.last_read_bytes) < size / 4 {
            self.buffer.truncate(size / 2);
            self.buffer.shrink_to_fit();
        }
        &mut self.buffer[self.end..]
    }

    /// Takes the first `count` bytes of [`spare`](Self::spare) as read.
    ///
    /// # Panics
    ///
    /// If `count` is larger than the space was.
    pub fn filled(&mut self, count: usize) {
        let space = self.buffer.len() - self.end;
        assert!(count <= space);
        self.last_read_filled = count == space;
        self.end += count;
        self.last_read_bytes = count;
    }

    /// The next whole line, without its end; `None` until more is read.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] when [`CARRIER_BYTES`] hold no line end. The decoder is
    /// of no use afterwards.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        while let Some(offset) = memchr2(b'\n', 0, &self.buffer[self.scanned..self.end]) {
            let at = self.scanned + offset;
            let after_cr = at > self.start && self.buffer[at - 1] == b'\r';
            self.scanned = at + 1;
            if self.buffer[at] == 0 && !after_cr {
                continue;
            }
            let line = self.start..at - usize::from(after_cr);
            self.start = at + 1;
            return Ok(Some(&self.buffer[line]));
        }
        self.scanned = self.end;
        if self.end - self.start >= CARRIER_BYTES {
            return Err(LineTooLong);
        }
        Ok(None)
    }

    /// The length of the next line if it is whole, without taking it.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line).
    pub fn peek_line_bytes(&mut self) -> Result<Option<usize>, LineTooLong> {
        let start = self.start;
        let found = self.next_line()?.map(<[u8]>::len);
        if found.is_some() {
            // The line end that was found is found again at once.
            self.scanned = self.start - 1;
            self.start = start;
        }
        Ok(found)
    }

    /// What waits without a line end, and leaves it where it is.
    ///
    /// Only meaningful after [`next_line`](Self::next_line) has said `None`.
    pub fn unfinished(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes what waits without a line end as a line: the peer has closed its
    /// side, or frames by packet. `None` if nothing waits.
    pub fn finish_line(&mut self) -> Option<&[u8]> {
        let line = self.start..self.end;
        self.start = self.end;
        self.scanned = self.end;
        let line = &self.buffer[line];
        (!line.is_empty()).then(|| line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of `chunks`, and whether the decoder refused to go on.
    fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = LineDecoder::default();
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
        check(b"a\r\r\nb\n", &[b"a\r", b"b"]);
        check(b"a\0b\n", &[b"a\0b"]);
        check(b"a\rb\n", &[b"a\rb"]);
        check(b"\0\n\0\r\n", &[b"\0", b"\0"]);
        check("가나\r\n다\n".as_bytes(), &["가나".as_bytes(), "다".as_bytes()]);
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

    #[test]
    fn the_buffer_grows_for_a_burst_of_lines_and_shrinks_after_it() {
        let mut decoder = LineDecoder::default();
        for _ in 0..10 {
            let spare = decoder.spare();
            spare.fill(b'\n');
            let count = spare.len();
            decoder.filled(count);
            while decoder.next_line().is_ok_and(|line| line.is_some()) {}
        }
        assert_eq!(decoder.buffer.len(), CARRIER_BYTES);
        let mut read = |count| {
            decoder.spare()[..count].fill(b'x');
            decoder.filled(count);
            decoder.finish_line();
            decoder.buffer.len()
        };
        let sizes: Vec<usize> = (0..8).map(|_| read(10)).collect();
        assert_eq!(sizes.last(), Some(&SMALL_BYTES), "{sizes:?}");
    }

    proptest! {
        #[test]
        fn any_chunking_of_any_bytes_gives_the_same_lines(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(0u8), any::<u8>()], 0..3_000),
            cuts in proptest::collection::vec(1usize..700, 1..20),
        ) {
            let mut rest = &bytes[..];
            let mut chunks = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(decode(chunks), decode([&bytes[..]]));
        }
    }
}
