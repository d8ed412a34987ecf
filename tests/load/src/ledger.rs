//! What each member has received from each speaker, and which deliveries are wrong.
//!
//! Deliveries in order cost one comparison and one addition. Everything else is rare with a
//! server that works, so it may cost more and be exact: a number that was skipped is missing,
//! and if it comes later after all, it is out of order, not missing.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use serde::Serialize;

/// The kind of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The expected next line.
    InOrder,
    /// This many lines before it were skipped; they count as settled unless they come later.
    AfterGap(u32),
    /// A line that had been skipped.
    OutOfOrder,
    /// A line that had come before.
    Doubled,
    /// A line that was never sent, or not to this member.
    Strange,
}

/// The faults in the deliveries of a run; all must be 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    pub(crate) missing: u64,
    pub(crate) doubled: u64,
    pub(crate) out_of_order: u64,
    /// Lines that were cut, changed, under another name, never said, or not for this member.
    pub(crate) garbled: u64,
}

impl Faults {
    pub(crate) fn is_clean(&self) -> bool {
        *self == Faults::default()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, doubled, out_of_order, garbled } = self;
        write!(
            f,
            "{missing} missing, {doubled} doubled, {out_of_order} out of order, {garbled} garbled"
        )
    }
}

/// The numbers that each member has received from each speaker.
pub(crate) struct Ledger {
    speakers: usize,
    /// The next expected number, by member and speaker.
    next: Vec<u32>,
    /// How many lines each speaker has said.
    said: Vec<u32>,
    passed_over: HashMap<(usize, u32), BTreeSet<u32>>,
    faults: Faults,
}

/// The next number for a speaker that a member must not hear.
const UNHEARD: u32 = u32::MAX;

impl Ledger {
    /// A ledger in which a member hears a speaker if `hears(member, speaker)`.
    pub(crate) fn new(
        members: usize,
        speakers: usize,
        hears: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let next = (0..members)
            .flat_map(|member| (0..speakers).map(move |speaker| (member, speaker)))
            .map(|(member, speaker)| if hears(member, speaker) { 0 } else { UNHEARD })
            .collect();
        Self {
            speakers,
            next,
            said: vec![0; speakers],
            passed_over: HashMap::new(),
            faults: Faults::default(),
        }
    }

    /// Notes that a speaker says another line, and returns its number.
    pub(crate) fn say(&mut self, speaker: usize) -> u32 {
        let number = self.said[speaker];
        self.said[speaker] += 1;
        number
    }

    /// Notes that a member received `count` lines from `number` on, if they are the expected
    /// next ones; otherwise they must be noted one by one.
    #[inline]
    pub(crate) fn hear_in_order(
        &mut self,
        member: usize,
        speaker: u32,
        number: u32,
        count: u32,
    ) -> bool {
        let Some(&said) = self.said.get(speaker as usize) else { return false };
        let next = &mut self.next[member * self.speakers + speaker as usize];
        let is_in_order = *next == number && number < said && count <= said - number;
        *next += if is_in_order { count } else { 0 };
        is_in_order
    }

    /// Notes that a member received a line, and returns its kind.
    pub(crate) fn hear(&mut self, member: usize, speaker: u32, number: u32) -> Delivery {
        if self.hear_in_order(member, speaker, number, 1) {
            return Delivery::InOrder;
        }
        self.hear_unexpected(member, speaker, number)
    }

    fn hear_unexpected(&mut self, member: usize, speaker: u32, number: u32) -> Delivery {
        let was_said = self.said.get(speaker as usize).is_some_and(|&said| number < said);
        if !was_said {
            self.faults.garbled += 1;
            return Delivery::Strange;
        }
        let next = &mut self.next[member * self.speakers + speaker as usize];
        if *next == UNHEARD {
            self.faults.garbled += 1;
            return Delivery::Strange;
        }
        if number > *next {
            let gap = *next..number;
            *next = number + 1;
            self.faults.missing += u64::from(number - gap.start);
            self.passed_over.entry((member, speaker)).or_default().extend(gap.clone());
            return Delivery::AfterGap(number - gap.start);
        }
        let passed_over = self.passed_over.get_mut(&(member, speaker));
        if passed_over.is_some_and(|numbers| numbers.remove(&number)) {
            self.faults.missing -= 1;
            self.faults.out_of_order += 1;
            return Delivery::OutOfOrder;
        }
        self.faults.doubled += 1;
        Delivery::Doubled
    }

    /// Notes a damaged line.
    pub(crate) fn hear_garbled(&mut self) {
        self.faults.garbled += 1;
    }

    /// The faults, if nothing more comes. `skipped` has the number of lines, by member, that
    /// the server reported as skipped: those are not missing.
    pub(crate) fn close(&self, skipped: &[u64]) -> Faults {
        let mut missing = vec![0u64; skipped.len()];
        for (&(member, _), numbers) in &self.passed_over {
            missing[member] += numbers.len() as u64;
        }
        for (member, heard) in self.next.chunks_exact(self.speakers.max(1)).enumerate() {
            for (&next, &said) in heard.iter().zip(&self.said) {
                if next != UNHEARD {
                    missing[member] += u64::from(said - next);
                }
            }
        }
        let missing =
            missing.iter().zip(skipped).map(|(missing, told)| missing.saturating_sub(*told)).sum();
        Faults { missing, ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Member 0 hears the one speaker's lines in this order, out of `said`.
    #[track_caller]
    fn check(said: u32, heard: &[u32], skipped: u64, deliveries: &str, faults: Faults) {
        let mut ledger = Ledger::new(1, 1, |_, _| true);
        for number in 0..said {
            assert_eq!(ledger.say(0), number);
        }
        let letters: String = heard
            .iter()
            .map(|&number| match ledger.hear(0, 0, number) {
                Delivery::InOrder => 'i',
                Delivery::AfterGap(lines) => char::from_digit(lines, 10).unwrap(),
                Delivery::OutOfOrder => 'o',
                Delivery::Doubled => 'd',
                Delivery::Strange => 's',
            })
            .collect();
        assert_eq!(letters, deliveries);
        assert_eq!(ledger.close(&[skipped]), faults);
    }

    #[test]
    fn each_delivery_has_one_kind() {
        let clean = Faults::default();
        check(0, &[], 0, "", clean);
        check(4, &[0, 1, 2, 3], 0, "iiii", clean);
        check(4, &[0, 1], 0, "ii", Faults { missing: 2, ..clean });
        check(4, &[0, 3], 0, "i2", Faults { missing: 2, ..clean });
        check(4, &[0, 3], 2, "i2", clean);
        check(4, &[0, 3], 9, "i2", clean);
        check(4, &[0, 2, 1, 3], 0, "i1oi", Faults { out_of_order: 1, ..clean });
        check(4, &[0, 2, 1, 1, 3], 0, "i1odi", Faults { out_of_order: 1, doubled: 1, ..clean });
        check(4, &[0, 0, 1, 2, 3], 0, "idiii", Faults { doubled: 1, ..clean });
        check(2, &[0, 1, 2], 0, "iis", Faults { garbled: 1, ..clean });
        check(2, &[0, 1, u32::MAX], 0, "iis", Faults { garbled: 1, ..clean });
    }

    #[test]
    fn a_member_of_another_room_misses_nothing_and_must_receive_nothing() {
        let mut ledger = Ledger::new(2, 2, |member, speaker| member == speaker);
        ledger.say(0);
        ledger.say(1);
        assert_eq!(ledger.hear(0, 0, 0), Delivery::InOrder);
        assert_eq!(ledger.hear(1, 1, 0), Delivery::InOrder);
        assert!(ledger.close(&[0, 0]).is_clean());
        assert_eq!(ledger.hear(0, 1, 0), Delivery::Strange);
        assert_eq!(ledger.hear(0, 2, 0), Delivery::Strange);
        assert_eq!(ledger.close(&[0, 0]).garbled, 2);
    }

    #[test]
    fn lines_skipped_for_one_member_do_not_excuse_another() {
        let mut ledger = Ledger::new(2, 1, |_, _| true);
        for _ in 0..3 {
            ledger.say(0);
        }
        ledger.hear(0, 0, 2);
        assert_eq!(ledger.close(&[2, 0]).missing, 3);
        assert_eq!(ledger.close(&[0, 5]).missing, 2);
    }
}
