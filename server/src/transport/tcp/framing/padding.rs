//! Padding that C programs send: the NUL after a string, and the rest of a fixed-size buffer,
//! which may contain older text.

use memchr::memchr;

/// Some .NET and Windows programs write this before text, sometimes before each message.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What NULs in a peer's input mean, as far as that is known.
///
/// A program that calls `fgets(buffer, …)` and `send(socket, buffer, sizeof buffer, 0)` sends
/// leftovers of earlier, longer strings after the NUL of its string. These must not become
/// messages. Other programs send each string with its NUL, and several of them may arrive in
/// one read: these are all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// No NUL after text so far.
    Unknown,
    /// A NUL follows each line end, and the next line follows the NUL.
    EndsLines,
    /// A NUL ends the string in a buffer.
    EndsString(Buffers),
}

/// The position in the input of a peer that sends whole buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Buffers {
    /// The size of a buffer; 0 until the first one is complete.
    size: usize,
    /// How much of the buffer has arrived, if a read ended within it.
    at: usize,
    /// Whether its string has ended.
    in_rest: bool,
}

impl Padding {
    /// Moves the text in `read` to the front and returns its length. `continues` means that the
    /// read was cut because its space was full. `by_lines` means that the peer is known to end
    /// its lines, so that a NUL within a line is an ordinary control character.
    ///
    /// Takes time linear in the length.
    pub(super) fn remove_rest(
        &mut self,
        read: &mut [u8],
        continues: bool,
        by_lines: bool,
    ) -> usize {
        if !matches!(self, Padding::EndsString(_)) && memchr(0, read).is_some() {
            self.learn(read, continues, by_lines);
        }
        match self {
            Padding::EndsString(buffers) => buffers.remove_rest(read, continues),
            Padding::Unknown | Padding::EndsLines => read.len(),
        }
    }

    /// Learns about the peer from a read that contains a NUL.
    fn learn(&mut self, read: &[u8], continues: bool, by_lines: bool) {
        let (mut at, mut follows_line) = (0, false);
        while at < read.len() {
            let (end, nuls) = next_string(read, at);
            let is_last = end == read.len();
            let ends_line = read[..end].ends_with(b"\n");
            let is_fine = match nuls {
                0 => !follows_line || continues || *self == Padding::EndsLines,
                1 => ends_line || by_lines && !follows_line,
                _ => by_lines && !ends_line && !follows_line,
            };
            if !is_fine {
                *self = Padding::EndsString(Buffers::default());
                return;
            }
            follows_line |= ends_line && !is_last;
            at = end + nuls;
        }
        if follows_line {
            *self = Padding::EndsLines;
        }
    }
}

impl Buffers {
    fn remove_rest(&mut self, read: &mut [u8], continues: bool) -> usize {
        if self.size == 0 && self.at == 0 && !continues {
            self.size = size_of_first(read);
        }
        let is_known = self.size > 0;
        // Otherwise it was split on its way, and only its beginning is certain.
        let is_whole = continues || self.at > 0 || is_known && read.len().is_multiple_of(self.size);
        let (mut kept, mut from) = (0, 0);
        while from < read.len() {
            let until = match is_known && is_whole {
                true => read.len().min(from + self.size - self.at),
                false => read.len(),
            };
            if !self.in_rest {
                let (end, nuls) = next_string(&read[..until], from);
                let is_cut = continues && end == read.len();
                // If several buffers arrive together, their strings are lines.
                if kept == 0 || is_cut || read[..end].ends_with(b"\n") {
                    read.copy_within(from..end, kept);
                    kept += end - from;
                }
                self.in_rest = nuls > 0;
            }
            self.at += until - from;
            from = until;
            if is_known && self.at == self.size {
                (self.at, self.in_rest) = (0, false);
            }
        }
        if !continues {
            if !is_known {
                self.size = self.at;
            }
            (self.at, self.in_rest) = (0, false);
        }
        kept
    }
}

/// The size of the first buffer in a peer's first read of them: the second begins with another
/// string that is a line. None of them holds leftovers yet.
fn size_of_first(read: &[u8]) -> usize {
    let (end, nuls) = next_string(read, 0);
    let second = end + nuls;
    let (second_end, _) = next_string(read, second);
    let is_line = read[..second_end].ends_with(b"\n");
    let are_two = nuls > 1 && is_line && read.len().is_multiple_of(second);
    if are_two { second } else { read.len() }
}

/// Where the string starting at `at` ends, and how many NULs follow it. A NUL before any text,
/// or next to a CR or LF, does not end a string.
fn next_string(read: &[u8], at: usize) -> (usize, usize) {
    let mut from = at;
    while let Some(nul) = memchr(0, &read[from..]).map(|offset| from + offset) {
        let nuls = read[nul..].iter().take_while(|byte| **byte == 0).count();
        let (text, rest) = (&read[..nul], &read[nul + nuls..]);
        let ends_line = nuls == 1 && text.ends_with(b"\r")
            || matches!(rest, [b'\r' | b'\n', ..]) && !text.ends_with(b"\n");
        if nul > at && !ends_line {
            return (nul, nuls);
        }
        from = nul + nuls;
    }
    (read.len(), 0)
}

/// The line without byte order marks in front, and without the NULs with which C programs fill
/// their buffers.
pub(super) fn without_padding(mut line: &[u8]) -> &[u8] {
    line = &line[..line.len() - padding_bytes(line)];
    loop {
        line = match line {
            [0, rest @ ..] => rest,
            _ => match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) => rest,
                None => return line,
            },
        };
    }
}

/// How many NULs there are at the end.
pub(super) fn padding_bytes(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

/// Whether there is only padding.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    without_padding(bytes).is_empty()
}
