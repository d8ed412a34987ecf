//! Numbers in sentences.

/// How many bytes a Hangul syllable has in UTF-8.
pub(super) const HANGUL_BYTES: usize = 3;

/// So many lines or more are not counted: the ids of a room may leave out numbers, when a cluster's Redis
/// is restarted, and a gap that reaches over them says nothing about the number of missing lines.
pub(super) const UNCOUNTED_LINES: usize = 1 << 20;

/// A number with commas between its thousands.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_between_their_thousands() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (65_536, "65,536"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expected);
        }
    }
}
