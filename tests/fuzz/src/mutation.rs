//! Random changes of inputs, for the plain tests: unlike a fuzzer, this sees nothing of what the
//! code does with them, but needs no special compiler.

/// Words with a meaning for one parser or another.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"\r\0",
    b"\xff\xfb\x00",
    b"\xff\xfa",
    b"\xff\xf0",
    b"\xff",
    b"\xfe\xff",
    b"\x1b[31m",
    b"\x1b]0;",
    b"\x7f",
    b"\x08",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{1d160}".as_bytes(),
    "가".as_bytes(),
    "\u{1100}\u{1161}".as_bytes(),
    b"/",
    b"//",
    b"#",
    b"@",
    b"[a] ",
    b"-- ",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{\"type\":\"",
    b"\"nonce\":\"n\"",
    b"18446744073709551615",
    b"-1",
    b"1e400",
    b"null",
    b"[[[[",
    b": ",
    b"HTTP/1.1",
    b"Host: a\r\n",
    b"::ffff:",
    b"\x81\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x16\x03\x01",
];

/// A generator of pseudo-random numbers (xorshift64*), the same for the same seed.
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % end
    }

    /// A changed copy of one of the seeds, of at most `most_bytes`.
    pub fn mutate(&mut self, seeds: &[Vec<u8>], most_bytes: usize) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..1 + self.below(6) {
            self.change(&mut input, seeds);
        }
        input.truncate(most_bytes);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let (from, until) = self.range(input.len());
        match self.below(8) {
            0 | 1 if from < input.len() => input[from] ^= 1 << self.below(8),
            2 if from < input.len() => input[from] = self.below(256) as u8,
            3 => drop(input.drain(from..until)),
            4 => {
                let part = input[from..until].to_vec();
                input.splice(from..from, part);
            }
            5 => {
                let other = &seeds[self.below(seeds.len())];
                let (begin, end) = self.range(other.len());
                input.splice(from..until, other[begin..end].iter().copied());
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(from..from, word.repeat(1 + self.below(3)));
            }
        }
    }

    /// Two nearby places among this many bytes.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 16 };
        (from, length.min(from + self.below(most + 1)))
    }
}

#[test]
fn a_seed_gives_the_same_inputs_again_and_they_differ() {
    let seeds = [b"one".to_vec(), b"another".to_vec(), Vec::new()];
    let inputs = |seed| {
        let mut random = Random::new(seed);
        (0..200).map(|_| random.mutate(&seeds, 40)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
    let different: std::collections::BTreeSet<_> = inputs(7).into_iter().collect();
    assert!(different.len() > 150, "{}", different.len());
    assert!(different.iter().all(|input| input.len() <= 40));
}
