//! What a session said last, in whichever rooms. Ids are in order within a room only, and times follow
//! a clock that may be set back. But a session is in one room at a time, and leaves one when it joins
//! the next, so its stays can be put in order, the last first.

use std::{cmp::Reverse, collections::BTreeMap};

/// What is known of a session from one of its events.
pub(super) enum Trace {
    Joined,
    Left,
    /// It said something with a nonce.
    Said {
        hash: u64,
        id: u64,
    },
}

/// The stays of a session in its rooms.
#[derive(Debug, Default)]
pub(super) struct Stays {
    /// By room, from the last one to the first.
    by_room: BTreeMap<u64, Vec<Stay>>,
}

/// A stay in a room, as far as it was read. Times are milliseconds since 1970.
#[derive(Debug)]
struct Stay {
    began: i64,
    ended: i64,
    has_joined: bool,
    has_left: bool,
    /// The hashes of nonces with the ids they got, from the last one to the first.
    nonces: Vec<(u64, u64)>,
}

impl Stays {
    /// Takes in an event of the session in a room. Those of a room come from the last to the first.
    pub(super) fn trace_back(&mut self, room: u64, time: i64, trace: Trace) {
        let stays = self.by_room.entry(room).or_default();
        let has_left = matches!(trace, Trace::Left);
        if has_left || stays.last().is_none_or(|stay| stay.has_joined) {
            let (began, ended, has_joined) = (time, time, false);
            stays.push(Stay { began, ended, has_joined, has_left, nonces: Vec::new() });
        }
        let stay = stays.last_mut().expect("there is one now");
        stay.began = time;
        match trace {
            Trace::Joined => stay.has_joined = true,
            Trace::Said { hash, id } => stay.nonces.push((hash, id)),
            Trace::Left => {}
        }
    }

    /// The hashes of the last nonces with the ids they got, oldest first, of a session that is in
    /// `room` (0: a private one, which is not saved) and was in `before` before.
    pub(super) fn last_nonces(
        mut self,
        (room, before): (u64, u64),
        limit: usize,
    ) -> Vec<(u64, u64)> {
        self.by_room.values_mut().for_each(|stays| stays.reverse());
        let (mut nonces, mut stay) = (Vec::new(), self.take_last(room, before));
        while let Some(Stay { began, nonces: of_stay, .. }) = stay {
            nonces.extend(of_stay);
            stay = match nonces.len() < limit {
                true => self.take_before(began),
                false => None,
            };
        }
        nonces.truncate(limit);
        nonces.reverse();
        nonces
    }

    /// The last stay: in `room`, unless the session has left that for a private one or has said
    /// nothing there since it came from one.
    fn take_last(&mut self, room: u64, before: u64) -> Option<Stay> {
        let is_there = |stays: &Vec<Stay>| stays.last().is_some_and(|stay| !stay.has_left);
        let last = match self.by_room.get(&room).is_some_and(is_there) {
            true => self.by_room.get_mut(&room),
            false => {
                let ended = |room: &u64| Some(self.by_room.get(room)?.last()?.ended);
                let last = [room, before].into_iter().max_by_key(ended);
                last.and_then(|last| self.by_room.get_mut(&last))
            }
        };
        match last.and_then(Vec::pop) {
            // It was noted before it was in a room that is saved.
            None => self.take_by(|stay| Reverse(stay.ended)),
            last => last,
        }
    }

    /// The stay before one that began at `time`: leaving and joining are milliseconds apart,
    /// whatever the clock has done in between other events.
    fn take_before(&mut self, time: i64) -> Option<Stay> {
        self.take_by(|stay| stay.ended.abs_diff(time))
    }

    /// Of the last stays in each room, takes the one with the lowest rank.
    fn take_by<R: Ord>(&mut self, rank: impl Fn(&Stay) -> R) -> Option<Stay> {
        let lasts = self.by_room.values_mut().filter(|stays| !stays.is_empty());
        lasts.min_by_key(|stays| stays.last().map(&rank))?.pop()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    /// A room that is not saved.
    const PRIVATE: u64 = 0;

    /// What a session does.
    #[derive(Debug, Clone)]
    enum Step {
        Says(u64),
        Moves {
            to: u64,
            pause: i64,
        },
        /// Its server is killed: nobody notes that it leaves, nor that it comes back.
        Crashes,
        ClockIsSet {
            by: i64,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1..200u64).prop_map(Step::Says),
            3 => (PRIVATE..5, 0..20i64).prop_map(|(to, pause)| Step::Moves { to, pause }),
            1 => Just(Step::Crashes),
            1 => (-2 * HOUR..2 * HOUR).prop_map(|by| Step::ClockIsSet { by }),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// By room, the times and traces of a session's events.
    type Rooms = BTreeMap<u64, Vec<(i64, Trace)>>;

    /// The rooms with their events, where the session is in the end and was before, and what it has
    /// said in rooms that are saved. It only passes through a private room, or stays there.
    fn live(steps: &[Step]) -> (Rooms, (u64, u64), Vec<(u64, u64)>) {
        let mut rooms = Rooms::new();
        let (mut now, mut room, mut before, mut said) = (100 * HOUR, 1, 0, Vec::new());
        let mut stays = false;
        for step in steps {
            // Between any two steps, some time passes.
            now += 50;
            stays |= room == PRIVATE && !matches!(step, Step::Moves { .. });
            match step {
                Step::Says(_) if room == PRIVATE => {}
                Step::Says(count) => {
                    let events = rooms.entry(room).or_default();
                    for _ in 0..*count {
                        now += 1;
                        // The older a room, the lower its ids.
                        let id = (5 - room) * 1_000_000 + events.len() as u64;
                        let hash = said.len() as u64;
                        events.push((now, Trace::Said { hash, id }));
                        said.push((hash, id));
                    }
                }
                Step::Moves { to, .. } if *to == room || stays => {}
                Step::Moves { to, pause } => {
                    if room != PRIVATE {
                        rooms.entry(room).or_default().push((now, Trace::Left));
                        before = room;
                    }
                    now += pause;
                    room = *to;
                    if room != PRIVATE {
                        rooms.entry(room).or_default().push((now, Trace::Joined));
                    }
                }
                Step::Crashes => now += 500,
                Step::ClockIsSet { by } => now += by,
            }
        }
        (rooms, (room, before), said)
    }

    proptest! {
        #[test]
        fn the_last_nonces_are_those_said_last_however_the_clock_was_set(steps in steps()) {
            let (rooms, places, said) = live(&steps);
            let mut stays = Stays::default();
            for (room, events) in rooms {
                for (time, trace) in events.into_iter().rev() {
                    stays.trace_back(room, time, trace);
                }
            }
            prop_assert_eq!(stays.last_nonces(places, 256), &said[said.len().saturating_sub(256)..]);
        }
    }

    #[test]
    fn whoever_is_in_no_saved_room_said_last_where_it_was_last() {
        let stays = || {
            let mut stays = Stays::default();
            stays.trace_back(7, 90, Trace::Left);
            stays.trace_back(7, 80, Trace::Said { hash: 1, id: 71 });
            stays.trace_back(3, 200, Trace::Left);
            stays.trace_back(3, 190, Trace::Said { hash: 2, id: 31 });
            stays
        };
        // Whatever the clock says, if that is known.
        assert_eq!(stays().last_nonces((0, 7), 1), [(1, 71)]);
        assert_eq!(stays().last_nonces((0, 3), 256), [(1, 71), (2, 31)]);
        assert_eq!(stays().last_nonces((0, 0), 256), [(1, 71), (2, 31)]);
        // It has left 3, or has come back to 7 and said nothing yet: the clock decides.
        assert_eq!(stays().last_nonces((3, 7), 1), [(2, 31)]);
        assert_eq!(stays().last_nonces((7, 3), 1), [(2, 31)]);
        assert_eq!(Stays::default().last_nonces((3, 7), 256), []);
    }
}
