//! Lines from stdin, read on a thread of their own, each of limited length.

use std::{
    io::{self, Read as _},
    thread,
};

use crossbeam_channel::{Receiver, bounded};
use madang_protocol::{
    limits::{LINE_BYTES, MESSAGE_BYTES},
    wide::Wide,
};
use memchr::memchr;

/// One line and its number, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) text: Result<String, LineError>,
}

/// Why a line can't be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineError {
    /// More than [`LINE_BYTES`].
    TooLong { bytes: usize },
    /// More than [`MESSAGE_BYTES`] in all.
    MessageTooLong { bytes: usize },
    /// Another encoding, if that was recognised.
    NotUtf8(Option<Wide>),
}

/// What becomes one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Each line by itself.
    Line,
    /// The whole input.
    Block,
}

/// How many lines may wait for the main thread. After that the pipe fills, and its writer
/// waits.
const LINES_WAITING: usize = 256;

/// Starts the thread that reads stdin. The channel is disconnected at the end of stdin.
///
/// The thread reads at most [`LINES_WAITING`] lines ahead. A blocking read can't be woken, so
/// the thread ends with stdin or with the process.
///
/// # Errors
///
/// The thread can't be started.
pub(crate) fn start(unit: Unit) -> io::Result<Receiver<io::Result<Line>>> {
    let (sender, receiver) = bounded(LINES_WAITING);
    thread::Builder::new().name("input".into()).spawn(move || {
        if unit == Unit::Block {
            // The receiver may be gone.
            let _ = sender.send(read_block(io::stdin().lock()));
            return;
        }
        let mut lines = Lines { reader: io::stdin().lock(), number: 0, is_wide: false };
        while let Some(line) = lines.next().transpose() {
            let failed = line.is_err();
            if sender.send(line).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// The whole input as if it were one line, without the line ends at its end.
fn read_block(mut reader: impl io::Read) -> io::Result<Line> {
    let mut kept = Vec::new();
    reader.by_ref().take(2 * MESSAGE_BYTES as u64).read_to_end(&mut kept)?;
    let rest = io::copy(&mut reader, &mut io::sink())?;
    let wide = Wide::of_bytes(&kept);
    let text = match String::from_utf8(kept) {
        Ok(_) if wide.is_some() => Err(LineError::NotUtf8(wide)),
        Ok(text) => {
            let lines: Vec<&str> = text.split('\n').map(last_state).collect();
            let text = lines.join("\n");
            let text = text.trim_end_matches('\n');
            let bytes = text.len() + usize::try_from(rest).unwrap_or(usize::MAX / 2);
            match text.split('\n').map(str::len).find(|bytes| *bytes > LINE_BYTES) {
                _ if bytes > MESSAGE_BYTES => Err(LineError::MessageTooLong { bytes }),
                Some(bytes) => Err(LineError::TooLong { bytes }),
                None => Ok(text.to_owned()),
            }
        }
        Err(_) if rest > 0 => Err(LineError::MessageTooLong {
            bytes: 2 * MESSAGE_BYTES + usize::try_from(rest).unwrap_or(usize::MAX / 2),
        }),
        Err(_) => Err(LineError::NotUtf8(wide)),
    };
    Ok(Line { number: 1, text })
}

/// The part of a line that a terminal shows in the end: programs that show progress overwrite
/// the line after a CR.
fn last_state(line: &str) -> &str {
    line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default()
}

struct Lines<R> {
    reader: R,
    number: u64,
    /// Whether all of the input is in UTF-16 or the like, and was refused.
    is_wide: bool,
}

impl<R: io::BufRead> Lines<R> {
    /// The next line; the last one needs no line end. `None` at the end. For a line with CRs in
    /// it, its [last state](last_state), however long the line is.
    fn next(&mut self) -> io::Result<Option<Line>> {
        if self.is_wide {
            io::copy(&mut self.reader, &mut io::sink())?;
            return Ok(None);
        }
        if self.number == 0
            && let Some(wide) = self.reader.fill_buf().ok().and_then(Wide::of_bytes)
        {
            // Cut into lines, half of it would be readable.
            (self.number, self.is_wide) = (1, true);
            return Ok(Some(Line { number: 1, text: Err(LineError::NotUtf8(Some(wide))) }));
        }
        let mut kept = Vec::new();
        let mut bytes = 0;
        let mut is_overwritten = false;
        let ended = loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break false;
            }
            let end = memchr(b'\n', available);
            let part = &available[..end.unwrap_or(available.len())];
            for (at, state) in part.split(|byte| *byte == b'\r').enumerate() {
                is_overwritten |= at > 0;
                if is_overwritten && !state.is_empty() {
                    kept.clear();
                    (bytes, is_overwritten) = (0, false);
                }
                let room = LINE_BYTES.saturating_sub(kept.len());
                kept.extend_from_slice(&state[..state.len().min(room)]);
                bytes += state.len();
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break true;
            }
        };
        if bytes == 0 && !ended {
            return Ok(None);
        }
        self.number += 1;
        let text = if bytes > LINE_BYTES {
            Err(LineError::TooLong { bytes })
        } else {
            String::from_utf8(kept).map_err(|_| LineError::NotUtf8(None))
        };
        Ok(Some(Line { number: self.number, text }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_one_message_within_bounds() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Result<&str, LineError>) {
            let line = read_block(bytes).expect("bytes can be read");
            assert_eq!(line, Line { number: 1, text: expected.map(str::to_owned) });
        }
        check(b"one\r\n\n two\n\n", Ok("one\n\n two"));
        check(b"", Ok(""));
        check(b"  0%\r100%\r\nok\r\n", Ok("100%\nok"));
        check(b"\xb0\xa1", Err(LineError::NotUtf8(None)));
        check(
            "x".repeat(LINE_BYTES + 1).as_bytes(),
            Err(LineError::TooLong { bytes: LINE_BYTES + 1 }),
        );
        let lines = "xxxxxxx\n".repeat(MESSAGE_BYTES / 8);
        check(lines.as_bytes(), Ok(lines.trim_end()));
        let bytes = 5 * MESSAGE_BYTES;
        let long = "xxxxxxxx\n".repeat(bytes / 9 + 1);
        let bytes = long.len();
        check(format!("{long}x").as_bytes(), Err(LineError::MessageTooLong { bytes: bytes + 1 }));
    }

    #[test]
    fn lines_are_cut_counted_and_bounded() {
        #[track_caller]
        fn check(bytes: &[u8], expected: &[Result<&str, LineError>]) {
            for capacity in [1, 7, 8_192] {
                let reader = io::BufReader::with_capacity(capacity, bytes);
                let mut lines = Lines { reader, number: 0, is_wide: false };
                for (number, text) in (1..).zip(expected) {
                    let line = lines.next().expect("bytes can be read").expect("there is a line");
                    let text = text.clone().map(str::to_owned);
                    assert_eq!(line, Line { number, text });
                }
                assert_eq!(lines.next().expect("bytes can be read"), None);
            }
        }
        check(b"", &[]);
        check(b"a\nb\r\nlast", &[Ok("a"), Ok("b"), Ok("last")]);
        check(b"\n\r\nx\n", &[Ok(""), Ok(""), Ok("x")]);
        check(b"  0%\r 50%\r100%\nok", &[Ok("100%"), Ok("ok")]);
        check(b"  0%\r 50%\r100%\r\r\n", &[Ok("100%")]);
        check("  0%\r".repeat(10_000).as_bytes(), &[Ok("  0%")]);
        check(b"\xb0\xa1\nok\n", &[Err(LineError::NotUtf8(None)), Ok("ok")]);
        let longest = "x".repeat(LINE_BYTES);
        check(format!("{longest}\r\n{longest}").as_bytes(), &[Ok(&longest), Ok(&longest)]);
        let too_long = Err(LineError::TooLong { bytes: LINE_BYTES + 1 });
        check(format!("{longest}x\nok").as_bytes(), &[too_long, Ok("ok")]);
        let far_too_long = Err(LineError::TooLong { bytes: 100_000 });
        check(format!("{}\nok", "x".repeat(100_000)).as_bytes(), &[far_too_long, Ok("ok")]);
    }

    #[test]
    fn powershells_utf16_is_recognised_and_none_of_it_is_sent() {
        for text in ["\u{feff}hi\r\n안녕\r\n", "hello\r\nthere\r\n"] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let refused = || Err(LineError::NotUtf8(Some(Wide::Utf16)));
            let mut lines = Lines { reader: &bytes[..], number: 0, is_wide: false };
            let line = lines.next().expect("bytes can be read");
            assert_eq!(line, Some(Line { number: 1, text: refused() }));
            assert_eq!(lines.next().expect("bytes can be read"), None);
            let block = read_block(&bytes[..]).expect("bytes can be read");
            assert_eq!(block, Line { number: 1, text: refused() });
        }
    }
}
