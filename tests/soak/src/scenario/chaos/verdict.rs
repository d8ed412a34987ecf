//! Compares what all members have seen and were promised with each other and with what is on
//! disk. Uses no server and no clock.
//!
//! 1. A line whose ack promised that it is safe MUST be on the disk, under the id of the ack.
//! 2. No line may be there twice, and each speaker's lines MUST stand in the order in which they
//!    were said.
//! 3. An id of a room MUST mean the same to everybody, for ever.
//! 4. With ids, a member MUST see them rise by one from its joining to its leaving, also across
//!    connections, unless the server has told it of a gap that covers what is missing. At a
//!    restart they may jump, over ids that nobody has seen.
//! 5. Without ids, a member MUST hear what is said in that order, without a hole unless it was
//!    told of one.
//! 6. What was seen on a server that was stopped in good order MUST be on the disk, unless the
//!    disk was full meanwhile.
//! 7. A whisper MUST come once, in its speaker's order, and numbered one above the last, also across
//!    connections and restarts, unless the server has told of some that are no longer kept.
//! 8. At the end, whoever is up to date MUST have seen, or been told of, all that was acknowledged.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use self::whispers::Whispers;
use super::{
    diary::{self, Diary, Meaning, Sight, Utterance},
    figures::Figures,
};
use crate::{connection::Message, oracle::Faults};
use anyhow::{Context, Result};

mod whispers;

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// It was stopped in good order, and could always write to its disk.
    pub(crate) is_clean: bool,
}

/// All that is known.
pub(crate) struct Evidence<'a> {
    /// By member number.
    pub(crate) diaries: &'a [Diary],
    /// The transcripts of the public rooms, by index.
    pub(crate) transcripts: &'a [String],
    pub(crate) epochs: &'a [Epoch],
    /// How many rooms there have been.
    pub(crate) rooms: usize,
}

/// Judges a run.
pub(crate) fn judge_chaos(evidence: &Evidence<'_>) -> Result<(Faults, Figures)> {
    let mut court = Court::new(evidence)?;
    for (member, diary) in evidence.diaries.iter().enumerate() {
        court.compare_ids(member, diary);
    }
    court.check_acks();
    court.check_private_rooms();
    let said = court.said_by_room();
    let mut whispers = Whispers::default();
    for (member, diary) in evidence.diaries.iter().enumerate() {
        court.follow_ids(member, diary);
        whispers.follow(member, diary, &mut court.faults);
        court.follow_lines(member, diary, &said);
        court.add_up(diary);
    }
    let Court { faults, mut figures, gone, .. } = court;
    figures.gone = gone.len() as u64;
    figures.rooms = evidence.rooms as u64;
    Ok((faults, figures))
}

struct Court<'a> {
    evidence: &'a Evidence<'a>,
    /// By room, what its ids mean to whoever has seen them.
    told: HashMap<usize, BTreeMap<u64, Meaning>>,
    /// By public room.
    on_disk: Vec<BTreeMap<u64, Utterance>>,
    /// By room and epoch, the highest id that was seen.
    highest: HashMap<(usize, u32), u64>,
    /// By room, the highest id that was acknowledged.
    acked: HashMap<usize, u64>,
    gone: HashSet<(usize, u64)>,
    /// Who was removed from a room, as far as anybody has seen it or it is on disk.
    removed: HashSet<String>,
    faults: Faults,
    figures: Figures,
}

/// By room: its lines by id, and the ids of each line.
#[derive(Default)]
struct SaidThere {
    by_id: BTreeMap<u64, Utterance>,
    ids: HashMap<Utterance, Vec<u64>>,
}

/// A member's time in a room.
struct Stay {
    room: usize,
    /// The last id that it has seen.
    last: u64,
    /// The gaps that it was told of: the first and the last id of each.
    gaps: Vec<(u64, u64)>,
}

impl<'a> Court<'a> {
    fn new(evidence: &'a Evidence<'a>) -> Result<Court<'a>> {
        let mut faults = Faults::default();
        let seen = evidence.diaries.iter().flat_map(|diary| &diary.removed);
        let mut removed: HashSet<String> = seen.cloned().collect();
        let read =
            |(room, text): (usize, &String)| read_transcript(room, text, &mut removed, &mut faults);
        let on_disk: Vec<_> =
            evidence.transcripts.iter().enumerate().map(read).collect::<Result<_>>()?;
        let saved = on_disk.iter().map(|lines| lines.len() as u64).sum();
        Ok(Court {
            evidence,
            told: HashMap::new(),
            on_disk,
            highest: HashMap::new(),
            acked: HashMap::new(),
            gone: HashSet::new(),
            removed,
            faults,
            figures: Figures { saved, ..Figures::default() },
        })
    }

    fn is_public(&self, room: usize) -> bool {
        room < self.on_disk.len()
    }

    /// Rules 3 and 6: what each id means.
    fn compare_ids(&mut self, member: usize, diary: &Diary) {
        let (mut here, mut epoch) = (None, 0);
        for sight in &diary.sights {
            match *sight {
                Sight::Connected { epoch: now } => epoch = now,
                Sight::Entered { room, .. } => here = Some(room),
                Sight::Stray { id } => self.faults.note(
                    |faults| &mut faults.reordered,
                    || format!("m{member} saw {id} of another room than its own"),
                ),
                Sight::Event { id, meaning } => {
                    let Some(room) = here else { continue };
                    let highest = self.highest.entry((room, epoch)).or_default();
                    *highest = id.max(*highest);
                    let before = *self.told.entry(room).or_default().entry(id).or_insert(meaning);
                    if before != meaning {
                        self.faults.note(
                            |faults| &mut faults.ids_twice,
                            || {
                                format!(
                                    "room {room}: {id} is {before:?}, and {meaning:?} to m{member}"
                                )
                            },
                        );
                    }
                    self.compare_with_disk(member, room, epoch, id, meaning);
                }
                _ => {}
            }
        }
    }

    fn compare_with_disk(
        &mut self,
        member: usize,
        room: usize,
        epoch: u32,
        id: u64,
        seen: Meaning,
    ) {
        let (Some(disk), Meaning::Said(line)) = (self.on_disk.get(room), seen) else { return };
        match disk.get(&id) {
            Some(saved) if *saved != line => self.faults.note(
                |faults| &mut faults.ids_twice,
                || format!("room {room}: {id} is {saved:?} on the disk, and {line:?} to m{member}"),
            ),
            Some(_) => {}
            None => {
                let is_new = self.gone.insert((room, id));
                let is_clean =
                    self.evidence.epochs.get(epoch as usize).is_some_and(|it| it.is_clean);
                if is_new && is_clean {
                    self.faults.note(
                        |faults| &mut faults.lost,
                        || format!("room {room}: m{member} saw {id} {line:?} in epoch {epoch}, not on disk"),
                    );
                }
            }
        }
    }

    /// Rules 1 and 2, for what was acknowledged.
    fn check_acks(&mut self) {
        let mut known: HashMap<Utterance, (usize, Option<u64>)> = HashMap::new();
        for (member, diary) in self.evidence.diaries.iter().enumerate() {
            for ack in &diary.acks {
                let line = (member as u32, ack.number);
                let place = (ack.room, ack.id);
                if known.insert(line, place).is_some_and(|before| before != place) {
                    let example = || format!("m{member} {} was acknowledged twice", ack.number);
                    self.faults.note(|faults| &mut faults.doubled, example);
                }
                if let Some(id) = ack.id {
                    let highest = self.acked.entry(ack.room).or_default();
                    *highest = id.max(*highest);
                }
                let saved =
                    self.on_disk.get(ack.room).zip(ack.id).and_then(|(disk, id)| disk.get(&id));
                let told =
                    self.told.get(&ack.room).zip(ack.id).and_then(|(told, id)| told.get(&id));
                if ack.is_safe && saved != Some(&line) {
                    self.faults.note(
                        |faults| &mut faults.lost,
                        || {
                            format!(
                                "room {}: m{member} {} acked as {:?}: there is {saved:?}",
                                ack.room, ack.number, ack.id
                            )
                        },
                    );
                } else if told.is_some_and(|told| *told != Meaning::Said(line)) {
                    self.faults.note(
                        |faults| &mut faults.ids_twice,
                        || {
                            format!(
                                "room {}: m{member} {} acked as {:?}: that is {told:?}",
                                ack.room, ack.number, ack.id
                            )
                        },
                    );
                }
                match ack.is_safe {
                    true => self.figures.acked += 1,
                    false => self.figures.not_durable += 1,
                }
            }
        }
    }

    /// Rule 2, in rooms that are not saved.
    fn check_private_rooms(&mut self) {
        for (room, told) in &self.told {
            if self.is_public(*room) {
                continue;
            }
            let lines = told.iter().filter_map(|(id, meaning)| match meaning {
                Meaning::Said(line) => Some((*id, *line)),
                Meaning::Restarted | Meaning::Other(_) => None,
            });
            let lines: Vec<_> = lines.collect();
            self.figures.unsaved += lines.len() as u64;
            check_order(*room, lines.into_iter(), &mut self.faults);
        }
    }

    /// All that was said, seen or saved.
    fn said_by_room(&self) -> HashMap<usize, SaidThere> {
        let mut said: HashMap<usize, SaidThere> = HashMap::new();
        for (room, told) in &self.told {
            for (id, meaning) in told {
                if let Meaning::Said(line) = meaning {
                    said.entry(*room).or_default().by_id.insert(*id, *line);
                }
            }
        }
        for (room, saved) in self.on_disk.iter().enumerate() {
            said.entry(room).or_default().by_id.extend(saved);
        }
        for there in said.values_mut() {
            for (id, line) in &there.by_id {
                there.ids.entry(*line).or_default().push(*id);
            }
        }
        said
    }

    /// Rules 4 and 8.
    fn follow_ids(&mut self, member: usize, diary: &Diary) {
        let mut stay: Option<Stay> = None;
        for sight in &diary.sights {
            if let Sight::Entered { room, after } = *sight {
                stay = after.map(|last| Stay { room, last, gaps: Vec::new() });
            }
            let Some(Stay { room, last, gaps }) = &mut stay else { continue };
            match *sight {
                // What it was told of as a gap, it need not have seen.
                Sight::Resumed { after }
                    if after < *last || first_hole(*last + 1, after + 1, gaps).is_some() =>
                {
                    self.faults.note(
                        |faults| &mut faults.missed,
                        || format!("room {room}: m{member} resumed after {last}, as {after}"),
                    );
                }
                Sight::Event { id, .. } if id <= *last => self.faults.note(
                    |faults| &mut faults.doubled,
                    || format!("room {room}: m{member} saw {id} after {last}"),
                ),
                Sight::Event { id, meaning } => {
                    let missing = match meaning {
                        Meaning::Restarted => {
                            let mut known =
                                known_ids(&self.told, &self.on_disk, *room, *last + 1..id);
                            known.find(|id| first_hole(*id, *id + 1, gaps).is_some())
                        }
                        _ => first_hole(*last + 1, id, gaps),
                    };
                    if let Some(missing) = missing {
                        self.faults.note(
                            |faults| &mut faults.missed,
                            || format!("room {room}: m{member} saw {id} after {last}, without {missing}"),
                        );
                    }
                    *last = id;
                    gaps.retain(|(_, to)| *to > id);
                }
                Sight::Gap { from, to } => gaps.push((from, to)),
                Sight::UpToDate => {
                    self.figures.up_to_date += 1;
                    let acked = self.acked.get(room).copied().unwrap_or_default();
                    if let Some(missing) = first_hole(*last + 1, acked + 1, gaps) {
                        self.faults.note(
                            |faults| &mut faults.missed,
                            || {
                                format!(
                                    "room {room}: m{member} never saw {missing}; {acked} was acked"
                                )
                            },
                        );
                    }
                }
                _ => {}
            }
        }
    }

    /// Rule 5.
    fn follow_lines(&mut self, member: usize, diary: &Diary, said: &HashMap<usize, SaidThere>) {
        let nothing = SaidThere::default();
        let (mut epoch, mut room, mut is_skipped) = (0, 0, true);
        // The last line's id; what was seen on earlier servers is below.
        let mut last = 0;
        for sight in &diary.sights {
            match *sight {
                Sight::Connected { epoch: now } => epoch = now,
                Sight::Entered { room: now, .. } => {
                    room = now;
                    // The first line of a stay may follow any other.
                    is_skipped = true;
                    let before = (0..epoch).filter_map(|epoch| self.highest.get(&(room, epoch)));
                    last = before.copied().max().unwrap_or_default();
                }
                Sight::Skipped => is_skipped = true,
                Sight::Heard(line) => {
                    let there = said.get(&room).unwrap_or(&nothing);
                    let ids = there.ids.get(&line).map_or(&[][..], Vec::as_slice);
                    let Some(id) = ids.iter().find(|id| **id > last).copied() else {
                        self.judge_unknown(member, room, epoch, line, ids.first().copied(), last);
                        continue;
                    };
                    if !is_skipped
                        && let Some((missing, _)) = there.by_id.range(last + 1..id).next()
                    {
                        self.faults.note(
                            |faults| &mut faults.missed,
                            || format!("room {room}: m{member} heard {id} {line:?} after {last}, without {missing}"),
                        );
                    }
                    (last, is_skipped) = (id, false);
                }
                _ => {}
            }
        }
    }

    /// A line without an id that is not among those that may follow.
    fn judge_unknown(
        &mut self,
        member: usize,
        room: usize,
        epoch: u32,
        line: Utterance,
        earlier: Option<u64>,
        last: u64,
    ) {
        let is_clean = self.evidence.epochs.get(epoch as usize).is_some_and(|it| it.is_clean);
        match earlier {
            Some(id) => self.faults.note(
                |faults| &mut faults.reordered,
                || format!("room {room}: m{member} heard {id} {line:?} after {last}"),
            ),
            None if self.is_public(room) && is_clean => self.faults.note(
                |faults| &mut faults.lost,
                || format!("room {room}: m{member} heard {line:?} in epoch {epoch}, not on disk"),
            ),
            None => self.figures.unconfirmed += 1,
        }
    }

    fn add_up(&mut self, diary: &Diary) {
        self.figures.add(diary);
        for (name, example) in &diary.lost_sessions {
            // To be removed ends a session; the goodbye may be lost with the connection.
            if !self.removed.contains(name) {
                self.faults.note(|faults| &mut faults.lost_sessions, || example.clone());
            }
        }
        for example in &diary.stuck {
            self.faults.note(|faults| &mut faults.stuck, || example.clone());
        }
    }
}

/// The ids in a range that anybody has seen, or that are on disk.
fn known_ids<'a>(
    told: &'a HashMap<usize, BTreeMap<u64, Meaning>>,
    on_disk: &'a [BTreeMap<u64, Utterance>],
    room: usize,
    range: Range<u64>,
) -> impl Iterator<Item = u64> + 'a {
    let told = told.get(&room).into_iter().flat_map({
        let range = range.clone();
        move |told| told.range(range.clone()).map(|(id, _)| *id)
    });
    let saved = on_disk.get(room).into_iter();
    told.chain(saved.flat_map(move |saved| saved.range(range.clone()).map(|(id, _)| *id)))
}

/// The first id in a range that no gap covers.
fn first_hole(from: u64, to: u64, gaps: &[(u64, u64)]) -> Option<u64> {
    let mut next = from;
    while next < to {
        match gaps.iter().find(|(first, last)| (*first..=*last).contains(&next)) {
            Some((_, last)) => next = last + 1,
            None => return Some(next),
        }
    }
    None
}

/// The lines of a public room on disk, by id; also, who was removed from it.
fn read_transcript(
    room: usize,
    text: &str,
    removed: &mut HashSet<String>,
    faults: &mut Faults,
) -> Result<BTreeMap<u64, Utterance>> {
    let mut lines = BTreeMap::new();
    let mut last_id = 0;
    for line in text.lines() {
        let message: Message<'_> =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        let Some(id) = message.id else { continue };
        if id <= last_id {
            faults.note(
                |it| &mut it.ids_twice,
                || format!("room {room}: {id} is saved after {last_id}"),
            );
        }
        last_id = id;
        if message.kind == "kicked" {
            removed.extend(message.user.as_deref().map(str::to_owned));
        }
        if let Meaning::Said(said) = diary::meaning(&message) {
            lines.insert(id, said);
        }
    }
    check_order(room, lines.iter().map(|(id, line)| (*id, *line)), faults);
    Ok(lines)
}

/// Checks that no line is there twice, and each speaker's lines are in order.
fn check_order(room: usize, lines: impl Iterator<Item = (u64, Utterance)>, faults: &mut Faults) {
    let mut known: HashSet<Utterance> = HashSet::new();
    let mut last_numbers: HashMap<u32, u32> = HashMap::new();
    for (id, (speaker, number)) in lines {
        if !known.insert((speaker, number)) {
            faults.note(
                |faults| &mut faults.doubled,
                || format!("room {room}: m{speaker} {number} is there again as {id}"),
            );
        } else if let Some(last) = last_numbers.insert(speaker, number)
            && last > number
        {
            faults.note(
                |faults| &mut faults.reordered,
                || format!("room {room}: m{speaker} {number} comes after {last}, as {id}"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
