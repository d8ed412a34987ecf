//! What every member was sent of each room, by id, and what became of each line. Uses no server
//! and no clock.
//!
//! 1. A line that was acknowledged MUST be in its room, under the id of the ack.
//! 2. No line may be there twice; each speaker's lines MUST be in the order in which they were
//!    said, and a refused line MUST NOT be there.
//! 3. An id MUST mean the same to everybody, on every server, for ever.
//! 4. Nobody speaks before having joined, or after having left: not even a server that was
//!    taken for dead lets its members do so.
//! 5. The ids of a room have no hole, but one for each time that Redis was started again: they go
//!    on at its clock, far above the last.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::{oracle::Faults, summary::group};

/// By how much ids rise at least when Redis was started again: they began with its clock in
/// microseconds, and no room gives ids as fast as that.
const JUMP: u64 = 10_000;

/// What an id means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// A member's line with this number.
    Said {
        speaker: usize,
        number: u32,
    },
    Joined(usize),
    Left(usize),
    /// The servers have restored what Redis had lost.
    Restored,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged under this id.
    Acked(u64),
    /// Not taken.
    Refused,
}

/// Counters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct LedgerCounts {
    /// Lines in the rooms.
    pub(super) lines: u64,
    pub(super) acked: u64,
    /// Lines that were refused while Redis was away.
    pub(super) refused: u64,
    /// Lines whose session ended before their answer came.
    pub(super) unanswered: u64,
    /// How often members received an event.
    pub(super) heard: u64,
    /// Lines that were sent again to a session that had come back.
    pub(super) repeats: u64,
    /// Connections that were lost.
    pub(super) ends: u64,
    /// Sessions that came back, and logins anew.
    pub(super) resumed: u64,
    pub(super) logins: u64,
    /// Gaps that the server has reported.
    pub(super) gaps: u64,
}

/// All that is known.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Known>);

#[derive(Default)]
pub(super) struct Known {
    /// By room and id.
    rooms: Vec<BTreeMap<u64, Happening>>,
    /// The rooms and members that were sent an id long after the last one, and both.
    jumps: Vec<(usize, usize, u64, u64)>,
    /// By member and line.
    outcomes: HashMap<(usize, u32), Outcome>,
    /// What was done to servers and Redis, with the last id of each room before.
    troubles: Vec<(String, Vec<u64>)>,
    pub(super) counts: LedgerCounts,
    pub(super) faults: Faults,
}

impl Ledger {
    pub(super) fn new(rooms: usize) -> Ledger {
        let rooms = vec![BTreeMap::new(); rooms];
        Ledger(Mutex::new(Known { rooms, ..Known::default() }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// A member was sent this.
    pub(super) fn hear(&mut self, room: usize, id: u64, happening: Happening) {
        self.counts.heard += 1;
        let known = *self.rooms[room].entry(id).or_insert(happening);
        if known != happening {
            let example = || format!("room {room}: {id} is {known:?}, and {happening:?}");
            self.faults.note(|faults| &mut faults.ids_twice, example);
        }
    }

    /// A member was told what became of its line.
    pub(super) fn settle(&mut self, member: usize, number: u32, outcome: Outcome) {
        let Some(known) = self.outcomes.insert((member, number), outcome) else {
            match outcome {
                Outcome::Acked(_) => self.counts.acked += 1,
                Outcome::Refused => self.counts.refused += 1,
            }
            return;
        };
        if known != outcome {
            let example = || format!("s{member}'s {number} is {known:?}, and {outcome:?}");
            self.faults.note(|faults| &mut faults.doubled, example);
        }
    }

    /// A member was sent this id after that one, which is not the one before.
    pub(super) fn note_hole(&mut self, room: usize, member: usize, last: u64, id: u64) {
        // Whether that is right is known at the end.
        if id.saturating_sub(last) >= JUMP {
            self.jumps.push((room, member, last, id));
        } else {
            self.miss(member, last, id);
        }
    }

    fn miss(&mut self, member: usize, last: u64, id: u64) {
        let example = || format!("s{member} was sent {id} after {last}");
        self.faults.note(|faults| &mut faults.missed, example);
    }

    /// The last id of a room.
    pub(super) fn last(&self, room: usize) -> u64 {
        self.rooms[room].last_key_value().map_or(0, |(id, _)| *id)
    }

    /// This is done to servers or Redis from now on.
    pub(super) fn note_trouble(&mut self, trouble: String) {
        let last = (0..self.rooms.len()).map(|room| self.last(room)).collect();
        self.troubles.push((trouble, last));
    }

    /// Checks all that is known together, after so many restarts of Redis.
    pub(super) fn judge(&mut self, redis_starts: usize) {
        let mut ids = HashMap::new();
        for (room, events) in self.rooms.iter().enumerate() {
            let (mut last_id, mut here, mut jumps) = (None, HashSet::new(), 0);
            let mut last_said: HashMap<usize, u32> = HashMap::new();
            for (&id, &happening) in events {
                if let Some(last) = last_id.replace(id).filter(|last| last + 1 != id) {
                    jumps += 1;
                    let example = || format!("room {room}: nothing between {last} and {id}");
                    if jumps > redis_starts || id - last < JUMP {
                        self.faults.note(|faults| &mut faults.missed, example);
                    }
                }
                let is_right = match happening {
                    Happening::Joined(member) => here.insert(member),
                    Happening::Left(member) => here.remove(&member),
                    Happening::Said { speaker, .. } => here.contains(&speaker),
                    Happening::Restored => true,
                };
                if !is_right {
                    let begun = self.troubles.iter().take_while(|(_, last)| last[room] < id).last();
                    let begun = begun.map_or("nothing", |(trouble, _)| trouble);
                    let example =
                        || format!("room {room}: {id} is {happening:?}, wrong after {begun}");
                    self.faults.note(|faults| &mut faults.old_lives, example);
                }
                let Happening::Said { speaker, number } = happening else { continue };
                self.counts.lines += 1;
                if let Some(before) = ids.insert((speaker, number), id) {
                    let example = || format!("s{speaker}'s {number} is {before} and {id}");
                    self.faults.note(|faults| &mut faults.doubled, example);
                }
                if last_said.insert(speaker, number).is_some_and(|last| last > number) {
                    let example = || format!("room {room}: s{speaker}'s {number} is at {id}");
                    self.faults.note(|faults| &mut faults.reordered, example);
                }
            }
        }
        for (room, member, last, id) in std::mem::take(&mut self.jumps) {
            if self.rooms[room].range(last + 1..id).next().is_some() {
                self.miss(member, last, id);
            }
        }
        for (&(member, number), &outcome) in &self.outcomes {
            let found = ids.get(&(member, number)).copied();
            let example = || format!("s{member}'s {number} is {outcome:?}, found at {found:?}");
            match outcome {
                Outcome::Acked(id) if found != Some(id) => {
                    self.faults.note(|faults| &mut faults.lost, example);
                }
                Outcome::Refused if found.is_some() => {
                    self.faults.note(|faults| &mut faults.doubled, example);
                }
                _ => {}
            }
        }
    }

    /// The result in one sentence.
    pub(super) fn sentence(&self) -> String {
        let Faults { lost, doubled, reordered, ids_twice, missed, old_lives, .. } = &self.faults;
        format!(
            "{} acknowledged lines: {lost} lost, {doubled} doubled, {reordered} reordered; \
             {ids_twice} ids given twice; {missed} holes; {old_lives} words of a life that was over.",
            group(self.counts.acked)
        )
    }

    /// The counters, with labels.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let counts = self.counts;
        let rows = [
            ("lines in the rooms", counts.lines),
            ("acknowledged", counts.acked),
            ("refused while Redis was away", counts.refused),
            ("without an answer when their session ended", counts.unanswered),
            ("times that a member heard an event", counts.heard),
            ("connections lost", counts.ends),
            ("sessions that came back", counts.resumed),
            ("lines said again by those", counts.repeats),
            ("logins", counts.logins),
            ("gaps that were reported", counts.gaps),
        ];
        rows.map(|(what, count)| (what.to_owned(), group(count))).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINED: Happening = Happening::Joined(0);
    const LEFT: Happening = Happening::Left(0);

    fn said(number: u32) -> Happening {
        Happening::Said { speaker: 0, number }
    }

    #[track_caller]
    fn check(events: &[(u64, Happening)], outcomes: &[(u32, Outcome)], expected: Faults) {
        let ledger = Ledger::new(1);
        let mut known = ledger.lock();
        events.iter().for_each(|(id, happening)| known.hear(0, *id, *happening));
        outcomes.iter().for_each(|(number, outcome)| known.settle(0, *number, *outcome));
        known.judge(1);
        let found = Faults { examples: Vec::new(), ..known.faults.clone() };
        assert_eq!(found, expected, "{:?}", known.faults.examples);
    }

    #[test]
    fn a_member_that_misses_what_others_were_sent_is_found_behind_a_jump() {
        for (last, missed) in [(3, 0), (2, 1)] {
            let ledger = Ledger::new(1);
            let mut known = ledger.lock();
            for (id, number) in [(2, 0), (3, 1), (3 + JUMP, 2)] {
                known.hear(0, id, said(number));
            }
            known.hear(0, 1, JOINED);
            known.note_hole(0, 7, last, 3 + JUMP);
            known.judge(1);
            assert_eq!(known.faults.missed, missed, "{:?}", known.faults.examples);
        }
    }

    #[test]
    fn each_kind_of_fault_is_found() {
        let (none, right) = (Faults::default, [(1, JOINED), (2, said(0)), (3, said(1)), (4, LEFT)]);
        let acked = |number, id| (number, Outcome::Acked(id));
        check(&right, &[acked(0, 2), acked(1, 3)], none());
        check(&right, &[acked(0, 2), acked(0, 2), acked(1, 3)], none());
        check(&right, &[acked(2, 5)], Faults { lost: 1, ..none() });
        check(&right, &[acked(0, 3)], Faults { lost: 1, ..none() });
        check(&right, &[(0, Outcome::Refused)], Faults { doubled: 1, ..none() });
        let again = [(1, JOINED), (2, said(0)), (3, said(0))];
        check(&again, &[], Faults { doubled: 1, ..none() });
        let swapped = [(1, JOINED), (2, said(1)), (3, said(0))];
        check(&swapped, &[], Faults { reordered: 1, ..none() });
        let different = [(1, JOINED), (2, said(0)), (2, said(1))];
        check(&different, &[], Faults { ids_twice: 1, ..none() });
        check(&[(1, JOINED), (3, said(0))], &[], Faults { missed: 1, ..none() });
        let jumps = [(1, JOINED), (2 + JUMP, said(0)), (3 + JUMP, LEFT)];
        check(&jumps, &[acked(0, 2 + JUMP)], none());
        let twice = [(1, JOINED), (2 + JUMP, said(0)), (3 + 2 * JUMP, LEFT)];
        check(&twice, &[], Faults { missed: 1, ..none() });
        let old = [(1, JOINED), (2, LEFT), (3, said(0))];
        check(&old, &[], Faults { old_lives: 1, ..none() });
        check(&[(1, JOINED), (2, JOINED)], &[], Faults { old_lives: 1, ..none() });
        check(&[(1, LEFT)], &[], Faults { old_lives: 1, ..none() });
    }
}
