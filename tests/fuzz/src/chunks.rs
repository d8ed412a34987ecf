//! An input that also says how it is cut into reads: the first eight bytes choose, the rest
//! arrives.

/// Bytes, and how they are cut.
#[derive(Debug, Clone, Copy)]
pub struct Chunked<'a> {
    /// Further choices of the input.
    pub choice: u8,
    cuts: u64,
    /// Everything that arrives.
    pub bytes: &'a [u8],
}

impl<'a> Chunked<'a> {
    /// Reads an input; `None` if it is too short to choose.
    pub fn parse(input: &'a [u8]) -> Option<Chunked<'a>> {
        let (head, bytes) = input.split_first_chunk::<8>()?;
        let [choice, cuts @ ..] = *head;
        let cuts = cuts.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        Some(Chunked { choice, cuts, bytes })
    }

    /// Other bytes, cut in the same way.
    pub fn with<'b>(self, bytes: &'b [u8]) -> Chunked<'b> {
        Chunked { choice: self.choice, cuts: self.cuts, bytes }
    }

    /// The pieces: each 1 to 8 bytes long, or, less often, up to 512.
    pub fn chunks(self) -> impl Iterator<Item = &'a [u8]> {
        let (mut rest, mut cuts) = (self.bytes, self.cuts);
        std::iter::from_fn(move || {
            // A linear congruential generator (Knuth's MMIX); its high bits are the good ones.
            cuts = cuts.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = (cuts >> 33) as usize;
            let most = if random.is_multiple_of(4) { 512 } else { 8 };
            let size = 1 + random / 4 % most;
            let (chunk, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            (!chunk.is_empty()).then_some(chunk)
        })
    }
}

#[test]
fn chunks_are_all_of_the_bytes_in_their_order() {
    let input: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let chunked = Chunked::parse(&input).expect("it is long enough");
    let chunks: Vec<&[u8]> = chunked.chunks().collect();
    assert_eq!(chunks.concat(), &input[8..]);
    assert!(chunks.len() > 50 && chunks.iter().any(|chunk| chunk.len() == 1), "{}", chunks.len());
}
