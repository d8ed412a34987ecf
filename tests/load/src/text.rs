//! The text of one line: its speaker, its number, and when it was due.
//!
//! All of this is inside the line, so that its receiver can tell whether a line is missing,
//! doubled, out of order or damaged, and how long it took. A text is printable ASCII that no
//! server has a reason to change:
//!
//! ```text
//! ~ABCaaabaaaaaaacaaaaaabpjkhazzzzzzz…
//! │└┬┘└┬─┘└──┬───┘└────┬─────┘└ filler, up to the wanted length
//! │ │  │     │         └ due, nanoseconds of the run's clock, 12 digits
//! │ │  │     └ number among the speaker's lines, 8 digits
//! │ │  └ speaker, 4 digits
//! │ └ mark of this run: lines of earlier runs are not ours
//! └ kind
//! ```
//!
//! A digit is a letter `a`…`p`, four bits.

/// The minimum length of a line, including its end, that holds a complete text.
pub(crate) const SHORTEST_LINE_BYTES: usize = FILLER_AT + 1;

/// The most speakers that four digits can tell apart.
pub(crate) const MOST_SPEAKERS: usize = 1 << 16;

const MARK_AT: usize = 1;
const SPEAKER_AT: usize = 4;
const NUMBER_AT: usize = 8;
const DUE_AT: usize = 16;
const FILLER_AT: usize = 28;
const FILLER: u8 = b'z';

/// Why a line is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To check, before the workload, that everyone receives lines.
    Warmup,
    /// The workload that is measured.
    Talk,
}

/// The content of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) kind: Kind,
    pub(crate) speaker: u32,
    /// Position among the lines of this kind that the speaker says, from 0.
    pub(crate) number: u32,
    /// When the line was to be sent, in nanoseconds of the run's clock.
    pub(crate) due: u64,
}

/// Consecutive lines of one speaker, all due at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineRun {
    pub(crate) first: Said,
    /// At least 1.
    pub(crate) count: u32,
}

/// The format of the texts of one run.
#[derive(Clone)]
pub(crate) struct Wording {
    mark: [u8; 3],
    filler: Vec<u8>,
}

impl Wording {
    /// The format for lines of `line_bytes`, including their end, with a mark derived from
    /// `seed`.
    ///
    /// # Panics
    ///
    /// If `line_bytes` is less than [`SHORTEST_LINE_BYTES`]; the plan has been checked for that.
    pub(crate) fn new(line_bytes: usize, seed: u32) -> Self {
        assert!(line_bytes >= SHORTEST_LINE_BYTES);
        let letter = |shift: u32| b'A' + (seed >> shift & 0xF) as u8;
        Self {
            mark: [letter(8), letter(4), letter(0)],
            filler: vec![FILLER; line_bytes - 1 - FILLER_AT],
        }
    }

    /// The length of every text, without a line end.
    pub(crate) fn text_bytes(&self) -> usize {
        FILLER_AT + self.filler.len()
    }

    /// Appends the text that says `said`.
    pub(crate) fn write(&self, said: Said, out: &mut Vec<u8>) {
        out.push(match said.kind {
            Kind::Warmup => b'^',
            Kind::Talk => b'~',
        });
        out.extend_from_slice(&self.mark);
        out.extend_from_slice(&digits(said.speaker)[4..]);
        out.extend_from_slice(&digits(said.number));
        out.extend_from_slice(&digits((said.due >> 16) as u32));
        out.extend_from_slice(&digits(said.due as u32 & 0xFFFF)[4..]);
        out.extend_from_slice(&self.filler);
    }

    /// Reads a text back; `None` if it is not exactly what [`Wording::write`] wrote.
    #[inline]
    pub(crate) fn read(&self, text: &[u8]) -> Option<Said> {
        let (head, filler) = text.split_first_chunk::<FILLER_AT>()?;
        let kind = match head[0] {
            b'~' => Kind::Talk,
            b'^' => Kind::Warmup,
            _ => return None,
        };
        if head[MARK_AT..SPEAKER_AT] != self.mark || filler != self.filler {
            return None;
        }
        let speaker = value_of_4(head[SPEAKER_AT..NUMBER_AT].try_into().ok()?)?;
        let number = value_of_8(head[NUMBER_AT..DUE_AT].try_into().ok()?)?;
        let due_high = value_of_8(head[DUE_AT..DUE_AT + 8].try_into().ok()?)?;
        let due_low = value_of_4(head[DUE_AT + 8..FILLER_AT].try_into().ok()?)?;
        Some(Said { kind, speaker, number, due: u64::from(due_high) << 16 | u64::from(due_low) })
    }

    /// How many frames at the start of `bytes` continue the first one's text, each with the
    /// next number. The first frame is known to have `first` at `text_at`.
    ///
    /// Speakers in a flood say many lines at once, so most of a flood is read here: each frame
    /// is compared with the one before it, which costs a quarter of parsing it.
    #[inline]
    pub(crate) fn count_frames(
        &self,
        first: Said,
        bytes: &[u8],
        text_at: usize,
        frame_bytes: usize,
    ) -> u32 {
        let number_at = text_at + NUMBER_AT;
        let mut count = 1;
        let mut frames = bytes.chunks_exact(frame_bytes);
        let Some(mut last) = frames.next() else { return count };
        for frame in frames {
            let Some(number) = first.number.checked_add(count) else { return count };
            if frame[number_at..number_at + 8] != digits(number)
                || !is_same(&frame[..number_at], &last[..number_at])
                || !is_same(&frame[number_at + 8..], &last[number_at + 8..])
            {
                return count;
            }
            (last, count) = (frame, count + 1);
        }
        count
    }

    /// Where in `line` a text of this run begins, intact or damaged.
    pub(crate) fn find(&self, line: &[u8]) -> Option<usize> {
        memchr::memchr_iter(self.mark[0], line)
            .find(|&at| {
                at > 0 && line[at..].starts_with(&self.mark) && matches!(line[at - 1], b'~' | b'^')
            })
            .map(|at| at - 1)
    }
}

/// Whether two slices of the same length are equal, without the function call that `==`
/// compiles to.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (one_chunks, one_rest) = one.as_chunks::<8>();
    let (other_chunks, other_rest) = other.as_chunks::<8>();
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let chunks = one_chunks.iter().zip(other_chunks);
    let difference = chunks.fold(0, |found, (one, other)| found | (word(one) ^ word(other)));
    let rest = one_rest.iter().zip(other_rest).fold(0, |found, (one, other)| found | (one ^ other));
    difference == 0 && rest == 0
}

/// Eight digits at once, in one register: spread halves apart, then add `a`.
#[inline]
fn digits(value: u32) -> [u8; 8] {
    let fours = u64::from(value);
    let pairs = (fours | fours << 16) & 0x0000_FFFF_0000_FFFF;
    let bytes = (pairs | pairs << 8) & 0x00FF_00FF_00FF_00FF;
    let nibbles = (bytes | bytes << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    (nibbles + 0x6161_6161_6161_6161).to_be_bytes()
}

/// The reverse: subtract `a`, then join the halves.
#[inline]
fn value_of_8(digits: [u8; 8]) -> Option<u32> {
    let nibbles = u64::from_be_bytes(digits).wrapping_sub(0x6161_6161_6161_6161);
    if nibbles & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    let pairs = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    Some((fours | fours >> 16) as u32)
}

#[inline]
fn value_of_4(digits: [u8; 4]) -> Option<u32> {
    let [a, b, c, d] = digits;
    value_of_8([b'a', b'a', b'a', b'a', a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: Said, line_bytes: usize) {
        let wording = Wording::new(line_bytes, 0xABC);
        let mut text = Vec::new();
        wording.write(said, &mut text);
        assert_eq!(text.len(), line_bytes - 1);
        assert_eq!(wording.text_bytes(), line_bytes - 1);
        assert_eq!(wording.read(&text), Some(said));
        assert!(text.iter().all(u8::is_ascii_graphic), "{text:?}");
    }

    #[test]
    fn texts_can_be_read_back_at_every_length() {
        for line_bytes in [SHORTEST_LINE_BYTES, 64, 4096] {
            check(Said { kind: Kind::Talk, speaker: 0, number: 0, due: 0 }, line_bytes);
            check(
                Said { kind: Kind::Warmup, speaker: 9_999, number: u32::MAX, due: (1 << 48) - 1 },
                line_bytes,
            );
            check(
                Said {
                    kind: Kind::Talk,
                    speaker: 65_535,
                    number: 0x1234_5678,
                    due: 0x1234_5678_9ABC,
                },
                line_bytes,
            );
        }
    }

    #[test]
    fn a_spoilt_text_is_not_read() {
        let wording = Wording::new(64, 1);
        let mut text = Vec::new();
        wording.write(Said { kind: Kind::Talk, speaker: 7, number: 70, due: 700 }, &mut text);
        for place in 0..text.len() {
            for spoilt in [b'\n', b'Q', b'`', 0xFF, 0] {
                let mut text = text.clone();
                text[place] = spoilt;
                assert_eq!(wording.read(&text), None, "byte {place} made {spoilt}");
            }
        }
        assert_eq!(wording.read(&text[1..]), None);
        assert_eq!(wording.read(&text[..62]), None);
        assert_eq!(wording.read(b""), None);
    }

    /// Frames with these numbers and times: how many go together?
    #[track_caller]
    fn check_count(frames: &[(u32, u64)], count: u32) {
        let wording = Wording::new(64, 0x123);
        let mut bytes = Vec::new();
        for &(number, due) in frames {
            bytes.extend_from_slice(b"[m00001] ");
            wording.write(Said { kind: Kind::Talk, speaker: 1, number, due }, &mut bytes);
            bytes.push(b'\n');
        }
        let first = Said { kind: Kind::Talk, speaker: 1, number: frames[0].0, due: frames[0].1 };
        assert_eq!(wording.count_frames(first, &bytes, 9, 73), count);
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(
            wording.count_frames(first, cut, 9, 73),
            count.min(frames.len() as u32 - 1).max(1)
        );
        let second = if count > 1 { 73..146 } else { 0..0 };
        for place in second {
            let mut spoilt = bytes.clone();
            spoilt[place] ^= 1;
            assert_eq!(wording.count_frames(first, &spoilt, 9, 73), 1, "byte {place}");
        }
    }

    #[test]
    fn frames_go_together_as_long_as_only_the_number_rises() {
        check_count(&[(5, 7)], 1);
        check_count(&[(0xF, 7), (0x10, 7), (0x11, 7)], 3);
        check_count(&[(0xFFFF, 7), (0x1_0000, 7), (0x1_0001, 8)], 2);
        check_count(&[(5, 7), (7, 7)], 1);
        check_count(&[(5, 7), (5, 7)], 1);
        check_count(&[(u32::MAX, 7), (0, 7)], 1);
    }

    #[test]
    fn a_text_is_found_in_a_line_and_another_run_s_is_not() {
        let wording = Wording::new(64, 0x123);
        let mut line = b"[mBCD] ".to_vec();
        wording.write(Said { kind: Kind::Talk, speaker: 1, number: 2, due: 3 }, &mut line);
        assert_eq!(wording.find(&line), Some(7));
        assert_eq!(Wording::new(64, 0x124).find(&line), None);
        assert_eq!(wording.find(b"BCD"), None);
        assert_eq!(wording.find(b""), None);
    }
}
