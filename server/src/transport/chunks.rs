//! Test support: cuts input into chunks of arbitrary sizes.

use std::ops::Range;

use proptest::prelude::*;

/// Where to cut: after which bytes, each with this probability. The pattern repeats when it is
/// used up.
pub(super) fn cuts(probability: f64, count: Range<usize>) -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(prop::bool::weighted(probability), count)
}

/// Splits `bytes` according to `cuts`.
pub(super) fn cut(bytes: &[u8], cuts: Vec<bool>) -> Vec<&[u8]> {
    let mut cuts = cuts.into_iter().cycle();
    bytes.split_inclusive(|_| cuts.next() == Some(true)).collect()
}

/// Moves as much of `bytes` into `space` as fits, and returns how much that was.
pub(super) fn fill(space: &mut [u8], bytes: &mut &[u8]) -> usize {
    let count = space.len().min(bytes.len());
    let (now, later) = bytes.split_at(count);
    space[..count].copy_from_slice(now);
    *bytes = later;
    count
}
