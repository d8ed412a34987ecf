//! A position among numbered messages: the events of a room, or a session's whispers.

/// A server repeats only what it keeps, which is less than this. A number that is lower by more
/// is not a repetition: the number before it was absurdly high.
const REPEATED: u64 = 1_024;

/// A place in the order: the number that arrived last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    /// Advances to `number`; false if that has been passed.
    pub(crate) fn advance(&mut self, number: u64) -> bool {
        let is_new = !self.has_passed(number);
        if is_new {
            self.0 = number;
        }
        is_new
    }

    /// Whether `number` has arrived already.
    pub(crate) fn has_passed(self, number: u64) -> bool {
        self.0.checked_sub(number).is_some_and(|distance| distance < REPEATED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_numbers_are_not_new() {
        let mut position = Position(1);
        assert!(position.advance(2) && position.advance(3));
        assert!(!position.advance(2) && !position.advance(3));
        assert!(position.advance(4) && position.advance(900));
        assert!(!position.advance(5));
        assert_eq!(position, Position(900));
    }

    #[test]
    fn an_absurdly_high_number_does_not_block_later_ones() {
        for number in [u64::MAX, 1 << 53] {
            let mut position = Position::default();
            assert!(position.advance(number) && position.advance(8) && position.advance(9));
            assert_eq!(position, Position(9));
        }
    }
}
