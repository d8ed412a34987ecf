//! Rule 7: what was whispered.

use std::collections::{HashMap, HashSet};

use crate::{
    oracle::Faults,
    scenario::chaos::diary::{Diary, Sight, Utterance},
};

/// What was whispered to all members so far.
#[derive(Default)]
pub(super) struct Whispers {
    heard: HashSet<Utterance>,
}

impl Whispers {
    /// Follows the whispers to one member.
    pub(super) fn follow(&mut self, member: usize, diary: &Diary, faults: &mut Faults) {
        let mut last = 0;
        let mut last_of: HashMap<u32, u32> = HashMap::new();
        for sight in &diary.sights {
            match *sight {
                Sight::NewSession => last = 0,
                Sight::Whispered { number, whisper: (speaker, nth) } => {
                    let is_new = self.heard.insert((speaker, nth));
                    let example = || {
                        format!("m{member} got whisper {number}, m{speaker}'s {nth}, after {last}")
                    };
                    if !is_new || number <= last {
                        faults.note(|faults| &mut faults.doubled, example);
                    } else if number > last + 1 {
                        faults.note(|faults| &mut faults.missed, example);
                    } else if last_of.get(&speaker).is_some_and(|before| *before > nth) {
                        faults.note(|faults| &mut faults.reordered, example);
                    }
                    last = last.max(number);
                    last_of.insert(speaker, nth);
                }
                Sight::Forgotten { from, to } => {
                    if from > last + 1 {
                        let example =
                            || format!("m{member} lost whispers {from}-{to}, after {last}");
                        faults.note(|faults| &mut faults.missed, example);
                    }
                    last = last.max(to);
                }
                _ => {}
            }
        }
    }
}
