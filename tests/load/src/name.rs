//! The names of members: each contains the member's index, and all have the same length.

/// The maximum number of members, with five digits.
pub(crate) const MOST_MEMBERS: usize = 100_000;

/// The length of every name.
pub(crate) const NAME_BYTES: usize = 6;

/// The name of the member with this index: `m00042`.
pub(crate) fn format(member: usize) -> [u8; NAME_BYTES] {
    let mut name = *b"m00000";
    let mut rest = member;
    for digit in name[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

/// The index in a name; `None` if the name is not one of ours.
pub(crate) fn parse(name: &[u8]) -> Option<usize> {
    let (b'm', digits) = name.split_first()? else { return None };
    if digits.len() + 1 != NAME_BYTES || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_member() {
        for member in [0, 7, 42, 9_999, MOST_MEMBERS - 1] {
            assert_eq!(parse(&format(member)), Some(member));
        }
        assert_eq!(&format(42), b"m00042");
    }

    #[test]
    fn other_names_tell_nobody() {
        for name in ["", "m", "m0042", "m000042", "a00042", "m0004x", "홍길동"] {
            assert_eq!(parse(name.as_bytes()), None, "{name}");
        }
    }
}
