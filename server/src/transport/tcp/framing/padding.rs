//! What C programs send and don't say: the NUL behind a string, and the rest of a buffer of
//! fixed size, which may hold older words.

use memchr::memchr;

/// What NULs mean in what a peer sends, as far as it is known.
///
/// A program that does `fgets(buffer, …)` and `send(socket, buffer, sizeof buffer, 0)`
/// sends, behind the NUL of its string, what an earlier and longer string has left in the
/// buffer. That must not be said. Another program sends each string with its NUL, and
/// several of them may come in one read: those are all said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// None has come behind a text.
    Unknown,
    /// Each comes behind a line end, and the next line behind it.
    EndsLines,
    /// They end the string in a buffer.
    EndsString(Buffers),
}

/// Where one is in what a peer sends buffer by buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Buffers {
    /// The size of a buffer; 0 until the first one is whole.
    size: usize,
    /// How much of a buffer has come, if a read was cut within it.
    at: usize,
    /// Whether its string has ended.
    in_rest: bool,
}

impl Padding {
    /// Moves what is said in `read` to its front, and returns its length; `continues` tells
    /// that the read was cut by the space that there was for it, and `by_lines` that a NUL
    /// within a line is a control, as the peer is known to end its lines.
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

    /// Sees what a read that holds a NUL shows of its peer.
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
        // Else it was cut on its way, and only where it begins is sure.
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
                // Where several buffers come together, their strings are lines.
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

/// How large the first of the buffers is that a peer's first read of them has brought: another
/// string that is a line begins the second. Nothing older is in any of them.
fn size_of_first(read: &[u8]) -> usize {
    let (end, nuls) = next_string(read, 0);
    let second = end + nuls;
    let (second_end, _) = next_string(read, second);
    let is_line = read[..second_end].ends_with(b"\n");
    let are_two = nuls > 1 && is_line && read.len().is_multiple_of(second);
    if are_two { second } else { read.len() }
}

/// Where the string ends that begins `at` there, and how many NULs follow it. One that
/// comes before all text, or belongs to a line end, before or behind its CR or LF, is no end.
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
