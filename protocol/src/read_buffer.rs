//! The buffer between reads and parsers. It starts small, doubles when a read fills it, and
//! halves when reads are small again.

use crate::limits::CARRIER_BYTES;

/// The initial and smallest size.
const SMALL_BYTES: usize = 512;

/// Bytes that were read and not taken yet, and space for more.
///
/// Fill it with [`spare`](Self::spare) and [`filled`](Self::filled), empty it with
/// [`take`](Self::take).
#[derive(Debug)]
pub struct ReadBuffer {
    /// All of it is initialised; `start..end` waits to be taken.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    last_read_bytes: usize,
    /// Whether the last read filled the space.
    last_read_filled: bool,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        ReadBuffer {
            bytes: vec![0; SMALL_BYTES],
            start: 0,
            end: 0,
            last_read_bytes: SMALL_BYTES,
            last_read_filled: false,
        }
    }
}

impl ReadBuffer {
    /// The space for the next read; empty only when [`CARRIER_BYTES`] wait.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let size = self.bytes.len();
        if (self.last_read_filled || self.end == size) && size < CARRIER_BYTES {
            self.bytes.resize(size * 2, 0);
            self.last_read_filled = false;
        } else if size > SMALL_BYTES && self.end.max(self.last_read_bytes) < size / 4 {
            self.bytes.truncate(size / 2);
            self.bytes.shrink_to_fit();
        }
        &mut self.bytes[self.end..]
    }

    /// The same space as [`spare`](Self::spare) has given last, with what was read.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// Takes the first `count` bytes of [`spare`](Self::spare) as read.
    ///
    /// # Panics
    ///
    /// If `count` is larger than the space was.
    pub fn filled(&mut self, count: usize) {
        let space = self.bytes.len() - self.end;
        assert!(count <= space);
        self.last_read_filled = count == space;
        self.end += count;
        self.last_read_bytes = count;
    }

    /// The bytes that wait.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The same with the first `count` bytes of [`spare`](Self::spare) behind it.
    pub fn waiting_with(&self, count: usize) -> &[u8] {
        &self.bytes[self.start..self.end + count]
    }

    /// Whether something must be taken before the next read.
    pub fn is_full(&self) -> bool {
        self.end - self.start >= CARRIER_BYTES
    }

    /// Takes the first `count` bytes that wait.
    ///
    /// # Panics
    ///
    /// If fewer wait.
    pub fn take(&mut self, count: usize) -> &mut [u8] {
        let taken = self.start..self.start + count;
        assert!(taken.end <= self.end);
        self.start = taken.end;
        &mut self.bytes[taken]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_grows_for_a_burst_and_shrinks_afterwards() {
        let mut buffer = ReadBuffer::default();
        let mut read = |most: usize| {
            let count = buffer.spare().len().min(most);
            buffer.filled(count);
            buffer.take(count);
            buffer.bytes.len()
        };
        let grown = (0..10).map(|_| read(usize::MAX)).max();
        assert_eq!(grown, Some(CARRIER_BYTES));
        let sizes: Vec<usize> = (0..8).map(|_| read(10)).collect();
        assert_eq!(sizes.last(), Some(&SMALL_BYTES), "{sizes:?}");
    }

    #[test]
    fn waiting_bytes_are_kept_when_the_buffer_grows_and_shrinks() {
        let mut buffer = ReadBuffer::default();
        for (round, size) in [1, 1_500, 900, 20_000, 3, 3, 3, 3, 3].into_iter().enumerate() {
            let byte = round as u8;
            let mut left = size;
            while left > 0 {
                let count = buffer.spare().len().min(left);
                buffer.space()[..count].fill(byte);
                buffer.filled(count);
                left -= count;
            }
            assert_eq!(buffer.take(size - 1), vec![byte; size - 1]);
            assert_eq!(buffer.waiting(), [byte]);
            buffer.take(1);
        }
        assert!(buffer.waiting().is_empty() && !buffer.is_full());
    }
}
