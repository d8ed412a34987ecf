//! Checks the join notices: each member must receive that of every later one, exactly once.

/// The notices of members who log in.
pub(crate) struct JoinCheck {
    members: usize,
    /// One bit for each pair: a member, and another whose join notice it received.
    told: Vec<u64>,
    told_pairs: u64,
    doubled: u64,
}

impl JoinCheck {
    pub(crate) fn new(members: usize) -> Self {
        Self { members, told: vec![0; (members * members).div_ceil(64)], told_pairs: 0, doubled: 0 }
    }

    /// Notes that `member` was notified that `joined` joined. Notices about the member itself
    /// are not counted.
    pub(crate) fn tell(&mut self, member: usize, joined: usize) {
        if member == joined || joined >= self.members {
            return;
        }
        let (word, bit) = self.place(member, joined);
        if self.told[word] & bit != 0 {
            self.doubled += 1;
        } else {
            self.told[word] |= bit;
            self.told_pairs += 1;
        }
    }

    /// How many notices have arrived, each counted once.
    pub(crate) fn told_pairs(&self) -> u64 {
        self.told_pairs
    }

    /// How many there must be: one for each pair of members, because the earlier one is
    /// notified of the later one.
    pub(crate) fn all_pairs(&self) -> u64 {
        let members = self.members as u64;
        members * members.saturating_sub(1) / 2
    }

    pub(crate) fn doubled(&self) -> u64 {
        self.doubled
    }

    /// How many pairs are wrong: not exactly one of the two was notified of the other.
    pub(crate) fn wrong_pairs(&self) -> u64 {
        let mut wrong = 0;
        for one in 0..self.members {
            for other in 0..one {
                wrong += u64::from(self.was_told(one, other) == self.was_told(other, one));
            }
        }
        wrong
    }

    fn was_told(&self, member: usize, joined: usize) -> bool {
        let (word, bit) = self.place(member, joined);
        self.told[word] & bit != 0
    }

    fn place(&self, member: usize, joined: usize) -> (usize, u64) {
        let place = member * self.members + joined;
        (place / 64, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(told: &[(usize, usize)], pairs: u64, doubled: u64, wrong: u64) {
        let mut join_check = JoinCheck::new(3);
        assert_eq!(join_check.all_pairs(), 3);
        for &(member, joined) in told {
            join_check.tell(member, joined);
        }
        let found = (join_check.told_pairs(), join_check.doubled(), join_check.wrong_pairs());
        assert_eq!(found, (pairs, doubled, wrong));
    }

    #[test]
    fn exactly_one_of_two_members_is_notified_of_the_other() {
        check(&[], 0, 0, 3);
        check(&[(0, 1), (0, 2), (1, 2)], 3, 0, 0);
        check(&[(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)], 3, 0, 0);
        check(&[(0, 1), (0, 2), (1, 2), (1, 2)], 3, 1, 0);
        check(&[(0, 1), (1, 0), (1, 2)], 3, 0, 2);
        check(&[(0, 1), (0, 9)], 1, 0, 2);
    }
}
