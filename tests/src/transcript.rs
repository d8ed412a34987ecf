//! The transcript of one connection, in both directions, printed when a test fails.

use std::{collections::VecDeque, fmt, time::Duration, time::Instant};

/// How many bytes of one piece are kept.
const PIECE_BYTES: usize = 1_024;

/// How many pieces are kept: the last ones.
const PIECES: usize = 500;

/// The pieces that were sent and received, with their times.
pub(crate) struct Transcript {
    since: Instant,
    pieces: VecDeque<Piece>,
    forgotten_pieces: usize,
}

/// The direction of a piece, as the transcript shows it.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    /// From the test to the server.
    Sent,
    /// From the server to the test.
    Received,
    /// Neither: an event of the connection.
    Happened,
}

struct Piece {
    at: Duration,
    direction: Direction,
    bytes: Vec<u8>,
    forgotten_bytes: usize,
}

impl Transcript {
    pub(crate) fn new() -> Transcript {
        Transcript { since: Instant::now(), pieces: VecDeque::new(), forgotten_pieces: 0 }
    }

    pub(crate) fn add(&mut self, direction: Direction, bytes: &[u8]) {
        if self.pieces.len() == PIECES {
            self.pieces.pop_front();
            self.forgotten_pieces += 1;
        }
        let kept = &bytes[..bytes.len().min(PIECE_BYTES)];
        self.pieces.push_back(Piece {
            at: self.since.elapsed(),
            direction,
            bytes: kept.to_vec(),
            forgotten_bytes: bytes.len() - kept.len(),
        });
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forgotten_pieces > 0 {
            writeln!(formatter, "  … {} pieces before", self.forgotten_pieces)?;
        }
        for Piece { at, direction, bytes, forgotten_bytes } in &self.pieces {
            let arrow = match direction {
                Direction::Sent => "→",
                Direction::Received => "←",
                Direction::Happened => "·",
            };
            write!(formatter, "  {:8.3} s {arrow} {}", at.as_secs_f64(), Escaped(bytes))?;
            match forgotten_bytes {
                0 => writeln!(formatter)?,
                more => writeln!(formatter, " … {more} bytes more")?,
            }
        }
        Ok(())
    }
}

/// Bytes in the form of a Rust string literal: text as it is, everything else escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            write!(formatter, "{}", chunk.valid().escape_debug())?;
            for byte in chunk.invalid() {
                write!(formatter, "\\x{byte:02x}")?;
            }
        }
        formatter.write_str("\"")
    }
}
