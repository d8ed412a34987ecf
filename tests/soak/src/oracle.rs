//! Knows every acknowledged line and everything that members have seen, and compares it with
//! what is on disk. Uses no server and no clock.
//!
//! 1. A line whose ack promised that it is safe MUST be on the disk, under the id of the ack.
//! 2. No line may be there twice, and each speaker's lines MUST be there in the order in which
//!    they were said.
//! 3. An id MUST mean the same to everybody, for ever.
//! 4. A member MUST see ids rise, and each speaker's lines without a hole, unless the server
//!    says that there is one.
//! 5. Without a crash, whatever a member has seen MUST be on the disk.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    connection::Message,
    member::{Fate, Record, Seen, speaker},
    summary::group,
};

/// How many examples of each fault are listed.
const EXAMPLES: usize = 3;

/// What was wrong, and how often.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(crate) struct Faults {
    /// Lines that were acknowledged as saved, but are not on disk.
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
    /// Ids with two meanings.
    pub(crate) ids_twice: u64,
    /// Gaps in what a member saw that the server did not report.
    pub(crate) missed: u64,
    /// Lines that others had received before the goodbye, without an ack for the speaker.
    pub(crate) unacked_at_goodbye: u64,
    /// Sessions that could not be resumed in time.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) lost_sessions: u64,
    /// What somebody did before having joined or after having left.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) old_lives: u64,
    /// Lines that got no answer.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) stuck: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) examples: Vec<String>,
}

/// Counters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Lines on disk.
    pub(crate) lines: u64,
    /// Lines acknowledged as saved, and as not saved.
    pub(crate) acked: u64,
    pub(crate) not_durable: u64,
    /// Lines that were sent again to the next server.
    pub(crate) repeats: u64,
    /// How often members received a line.
    pub(crate) heard: u64,
    /// Lines that were received, not acknowledged as saved, and lost in a crash.
    pub(crate) gone: u64,
    /// Gaps reported to a member because it read too slowly.
    pub(crate) skips: u64,
    /// Connections that ended, and those that ended with a goodbye.
    pub(crate) ends: u64,
    pub(crate) goodbyes: u64,
}

impl Faults {
    /// The total number of faults.
    pub(crate) fn count(&self) -> u64 {
        let Faults { lost, doubled, reordered, ids_twice, missed, .. } = self;
        let Faults { unacked_at_goodbye, lost_sessions, old_lives, stuck, .. } = self;
        lost + doubled
            + reordered
            + ids_twice
            + missed
            + unacked_at_goodbye
            + lost_sessions
            + old_lives
            + stuck
    }

    /// Adds the faults of another part.
    pub(crate) fn add(&mut self, other: Faults) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.ids_twice += other.ids_twice;
        self.missed += other.missed;
        self.unacked_at_goodbye += other.unacked_at_goodbye;
        self.lost_sessions += other.lost_sessions;
        self.old_lives += other.old_lives;
        self.stuck += other.stuck;
        self.examples.extend(other.examples);
    }

    /// All kinds of the `journal` scenario in one sentence.
    pub(crate) fn sentence(&self, acked: u64) -> String {
        let Faults { lost, doubled, reordered, ids_twice, missed, unacked_at_goodbye, .. } = self;
        format!(
            "{} acknowledged lines: {lost} lost, {doubled} doubled, {reordered} reordered; \
             {ids_twice} ids given twice; {missed} missed by a member who came back; \
             {unacked_at_goodbye} without an ack at the goodbye.",
            group(acked)
        )
    }

    /// Counts a fault, and keeps the first examples of its kind.
    pub(crate) fn note(
        &mut self,
        field: impl Fn(&mut Faults) -> &mut u64,
        example: impl Fn() -> String,
    ) {
        let count = field(self);
        *count += 1;
        if *count <= EXAMPLES as u64 {
            self.examples.push(example());
        }
    }
}

/// For serde: a kind of fault that is not always checked for is left out if there is none.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    /// The counters with labels.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let Counts { lines, acked, not_durable, repeats, heard, gone, skips, ends, goodbyes } =
            *self;
        let rows = [
            ("lines on the disk", group(lines)),
            ("acknowledged as saved", group(acked)),
            ("acknowledged as not saved", group(not_durable)),
            ("said again after a restart", group(repeats)),
            ("times that a member heard a line", group(heard)),
            ("heard, promised to nobody, and gone with a crash", group(gone)),
            ("holes that a slow member was told of", group(skips)),
            (
                "connections that ended; in a goodbye",
                format!("{}; {}", group(ends), group(goodbyes)),
            ),
        ];
        rows.map(|(what, count)| (what.to_owned(), count)).into()
    }

    /// Adds the counters of another part.
    pub(crate) fn add(&mut self, other: Counts) {
        self.lines += other.lines;
        self.acked += other.acked;
        self.not_durable += other.not_durable;
        self.repeats += other.repeats;
        self.heard += other.heard;
        self.gone += other.gone;
        self.skips += other.skips;
        self.ends += other.ends;
        self.goodbyes += other.goodbyes;
    }
}

/// A line: its speaker and its number.
type Line = (usize, u32);

/// Checks a room, given the records of its members by speaker number and its transcript.
pub(crate) fn judge(
    members: &[(usize, &Record)],
    transcript: &str,
    has_crashed: bool,
) -> Result<(Faults, Counts)> {
    let (mut faults, mut counts) = (Faults::default(), Counts::default());
    let on_disk = read_disk(transcript, &mut faults)?;
    counts.lines = on_disk.len() as u64;
    let mut told: HashMap<u64, Line> = HashMap::new();
    let mut gone: HashSet<u64> = HashSet::new();
    for (speaker, record) in members {
        for (number, fate) in (0..).zip(&record.fates) {
            match fate {
                Some(Fate::Promised { id }) => {
                    counts.acked += 1;
                    if on_disk.get(id) != Some(&(*speaker, number)) {
                        let found = on_disk.get(id);
                        faults.note(
                            |faults| &mut faults.lost,
                            || format!("s{speaker} {number}, acked as {id}: there is {found:?}"),
                        );
                    }
                }
                Some(Fate::NotDurable) => counts.not_durable += 1,
                None => {}
            }
        }
        look_through(*speaker, record, &mut faults, &mut counts);
        for seen in &record.seen {
            let Seen::Said { id, speaker, number } = *seen else { continue };
            let line = (speaker, number);
            let before = *told.entry(id).or_insert(line);
            match on_disk.get(&id) {
                Some(other) if *other != line => faults.note(
                    |faults| &mut faults.ids_twice,
                    || format!("{id} was told as {line:?}, and is {other:?} on the disk"),
                ),
                _ if before != line => faults.note(
                    |faults| &mut faults.ids_twice,
                    || format!("{id} was told as {before:?} and as {line:?}"),
                ),
                None if gone.insert(id) && !has_crashed => faults.note(
                    |faults| &mut faults.lost,
                    || format!("{id} was told as {line:?}, and is not on the disk"),
                ),
                _ => {}
            }
        }
        counts.repeats += record.repeats;
        counts.ends += record.ends;
        counts.goodbyes += record.goodbyes;
        faults.unacked_at_goodbye += record.unacked_at_goodbye;
        faults.doubled += record.acked_twice;
    }
    counts.gone = gone.len() as u64;
    Ok((faults, counts))
}

/// The lines on disk, by id.
fn read_disk(transcript: &str, faults: &mut Faults) -> Result<HashMap<u64, Line>> {
    let mut lines = HashMap::new();
    let mut last_id = 0;
    let mut last_numbers: HashMap<usize, u32> = HashMap::new();
    let mut known: HashSet<Line> = HashSet::new();
    for line in transcript.lines() {
        let message: Message<'_> =
            serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        let Some(id) = message.id else { continue };
        if id <= last_id {
            faults.note(|faults| &mut faults.ids_twice, || format!("{id} comes after {last_id}"));
        }
        last_id = id;
        if message.kind != "said" {
            continue;
        }
        let said = speaker(message.user.as_deref(), message.text.as_deref());
        let (speaker, number) = said.with_context(|| format!("nobody said {line}"))?;
        if !known.insert((speaker, number)) {
            faults.note(
                |faults| &mut faults.doubled,
                || format!("s{speaker} {number} is there again as {id}"),
            );
        } else if let Some(last) = last_numbers.insert(speaker, number)
            && last > number
        {
            faults.note(
                |faults| &mut faults.reordered,
                || format!("s{speaker} {number} comes after {last}"),
            );
        }
        lines.insert(id, (speaker, number));
    }
    Ok(lines)
}

/// Checks that what one member saw is in order, with gaps only where the server reported them.
fn look_through(member: usize, record: &Record, faults: &mut Faults, counts: &mut Counts) {
    let mut last_id = 0;
    // By speaker: the next expected number.
    let mut next: HashMap<usize, u32> = HashMap::new();
    let mut was_skipped = false;
    for seen in &record.seen {
        match *seen {
            Seen::Said { id, .. } | Seen::Happened { id } => {
                if id <= last_id {
                    faults.note(
                        |faults| &mut faults.doubled,
                        || format!("s{member} saw {id} after {last_id}"),
                    );
                }
                last_id = id;
            }
            Seen::Gap { to } => {
                counts.skips += 1;
                was_skipped = true;
                last_id = last_id.max(to.unwrap_or(0));
            }
            // Lines lost with the server are sent again.
            Seen::Lost => next.clear(),
            Seen::CameBack => {}
        }
        let Seen::Said { id, speaker, number } = *seen else { continue };
        counts.heard += 1;
        let expected = next.insert(speaker, number + 1).unwrap_or(number);
        if number < expected {
            faults.note(
                |faults| &mut faults.reordered,
                || format!("s{member} heard s{speaker} {number} again, as {id}"),
            );
        } else if number > expected && !was_skipped {
            faults.note(
                |faults| &mut faults.missed,
                || format!("s{member} heard s{speaker} {number} after {}", expected - 1),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: u64, number: u32) -> Seen {
        Seen::Said { id, speaker: 1, number }
    }

    /// A transcript of lines of s1, given as ids and numbers.
    fn transcript(lines: &[(u64, u32)]) -> String {
        let line = |(id, number): &(u64, u32)| {
            let padding = "that is about as long as what people say to each other";
            format!(
                "{{\"type\":\"said\",\"id\":{id},\"user\":\"s1\",\"text\":\"{number} {padding}\"}}\n"
            )
        };
        lines.iter().map(line).collect()
    }

    #[track_caller]
    fn check(acked: &[u64], seen: &[Seen], disk: &[(u64, u32)], has_crashed: bool, wanted: Faults) {
        let fates = acked.iter().map(|id| Some(Fate::Promised { id: *id })).collect();
        let record = Record { seen: seen.to_vec(), fates, ..Record::default() };
        let judged = judge(&[(1, &record)], &transcript(disk), has_crashed);
        let (faults, _) = judged.expect("a transcript");
        assert_eq!(Faults { examples: Vec::new(), ..faults }, wanted);
    }

    #[test]
    fn correct_records_have_no_faults() {
        let seen = [said(10, 0), Seen::Happened { id: 11 }, said(12, 1)];
        check(&[10, 12], &seen, &[(10, 0), (12, 1)], false, Faults::default());
        // A crash lost an unacknowledged line, which was sent again.
        let seen = [said(10, 0), said(11, 1), Seen::Lost, Seen::CameBack, said(90, 1)];
        check(&[10, 90], &seen, &[(10, 0), (90, 1)], true, Faults::default());
        // The member was too slow, and got a gap report.
        let seen = [said(10, 0), Seen::Gap { to: Some(11) }, said(12, 2)];
        check(&[10, 11, 12], &seen, &[(10, 0), (11, 1), (12, 2)], false, Faults::default());
    }

    #[test]
    fn each_broken_promise_is_found() {
        let none = Faults::default;
        let both = [(10, 0), (11, 1)];
        check(&[10, 11], &[], &[(10, 0)], true, Faults { lost: 1, ..none() });
        check(&[10, 12], &[], &both, true, Faults { lost: 1, ..none() });
        check(&[], &[said(10, 0)], &[], false, Faults { lost: 1, ..none() });
        check(&[], &[said(10, 0)], &[], true, none());
        check(&[], &[], &[(10, 0), (11, 0)], true, Faults { doubled: 1, ..none() });
        check(&[], &[], &[(10, 1), (11, 0)], true, Faults { reordered: 1, ..none() });
        check(&[], &[], &[(11, 0), (11, 1)], true, Faults { ids_twice: 1, ..none() });
        check(&[], &[said(10, 1)], &both, true, Faults { ids_twice: 1, ..none() });
        let again = [said(10, 0), Seen::Lost, said(10, 1)];
        check(&[], &again, &[], true, Faults { ids_twice: 1, doubled: 1, ..none() });
        let hole = [said(10, 0), Seen::CameBack, said(12, 2)];
        let three = [(10, 0), (11, 1), (12, 2)];
        check(&[], &hole, &three, false, Faults { missed: 1, ..none() });
        let twice = [said(10, 0), said(11, 1), Seen::CameBack, said(11, 1)];
        let wanted = Faults { doubled: 1, reordered: 1, ..none() };
        check(&[], &twice, &both, false, wanted);
    }

    #[test]
    fn unknown_lines_in_a_transcript_are_an_error() {
        let strange = "{\"type\":\"said\",\"id\":1,\"user\":\"s1\",\"text\":\"torn\"}\n";
        assert!(judge(&[], strange, true).is_err());
    }
}
