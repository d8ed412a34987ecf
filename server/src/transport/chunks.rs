//! How tests have bytes come in pieces of any size.

use std::ops::Range;

use proptest::prelude::*;

/// Where to cut: after this or that byte, with this probability, again from the first when
/// they are through.
pub(super) fn cuts(probability: f64, count: Range<usize>) -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(prop::bool::weighted(probability), count)
}

/// `bytes` in the pieces that `cuts` makes of them.
pub(super) fn cut(bytes: &[u8], cuts: Vec<bool>) -> Vec<&[u8]> {
    let mut cuts = cuts.into_iter().cycle();
    bytes.split_inclusive(|_| cuts.next() == Some(true)).collect()
}

/// Moves as much of `bytes` to `space` as goes into it, and returns how much that was.
pub(super) fn fill(space: &mut [u8], bytes: &mut &[u8]) -> usize {
    let count = space.len().min(bytes.len());
    let (now, later) = bytes.split_at(count);
    space[..count].copy_from_slice(now);
    *bytes = later;
    count
}
