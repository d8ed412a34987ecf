//! Follows the records of a TLS stream by their headers (RFC 8446 section 5.1), to tell their
//! sizes to a member who wants to see its connection.

/// The length of a header: type, version, length.
const HEADER_BYTES: usize = 5;

/// The number of sizes that are kept until they are taken.
const KEPT_RECORDS: usize = 8;

/// Where in its records a stream is.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// How much of the current record is to come.
    left: usize,
    /// What has arrived of the next one's header.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// The sizes of records, if somebody wants to see them.
    sizes: Option<Vec<usize>>,
}

impl Records {
    /// Notes sizes from now on, or no longer.
    pub(super) fn watch(&mut self, watched: bool) {
        self.sizes = watched.then(Vec::new);
    }

    /// The sizes of the first records whose headers have arrived since the last call.
    pub(super) fn take(&mut self) -> Vec<usize> {
        self.sizes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes the next bytes of the stream. It is followed when nobody watches, too: nothing else
    /// tells later where a record begins.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let count = (HEADER_BYTES - self.header_bytes).min(bytes.len());
            let (header, rest) = bytes.split_at(count);
            self.header[self.header_bytes..self.header_bytes + count].copy_from_slice(header);
            self.header_bytes += count;
            bytes = rest;
            if self.header_bytes == HEADER_BYTES {
                self.header_bytes = 0;
                self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                let size = HEADER_BYTES + self.left;
                if let Some(sizes) = self.sizes.as_mut().filter(|sizes| sizes.len() < KEPT_RECORDS)
                {
                    sizes.push(size);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        [&[0x17, 3, 3, high, low][..], &vec![0xff; usize::from(length)]].concat()
    }

    #[test]
    fn sizes_are_known_however_records_are_cut() {
        let stream = [record(22), record(0), record(300), record(5)].concat();
        for piece in [1, 2, 4, 5, 6, 27, 28, 100, stream.len()] {
            let mut records = Records::default();
            records.watch(true);
            stream.chunks(piece).for_each(|bytes| records.follow(bytes));
            assert_eq!(records.take(), [27, 5, 305, 10], "pieces of {piece}");
            assert!(records.take().is_empty());
        }
    }

    #[test]
    fn it_is_known_where_a_record_begins_when_watching_starts() {
        let mut records = Records::default();
        records.follow(&record(50)[..30]);
        records.watch(true);
        records.follow(&[&record(50)[30..], &record(7)].concat());
        assert_eq!(records.take(), [12]);
        records.watch(false);
        records.follow(&record(9));
        assert!(records.take().is_empty());
    }

    #[test]
    fn few_sizes_are_kept() {
        let mut records = Records::default();
        records.watch(true);
        (0..100).for_each(|_| records.follow(&record(1)));
        assert_eq!(records.take().len(), KEPT_RECORDS);
    }
}
