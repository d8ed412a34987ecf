//! What is counted in a run of chaos.

use serde::Serialize;

use super::diary::{Diary, Meaning, Sight};
use crate::summary::group;

/// Counters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    /// Lines in public rooms, on disk, and lines seen in private rooms.
    pub(crate) saved: u64,
    pub(crate) unsaved: u64,
    /// Acks that promised that a line is safe, and others.
    pub(crate) acked: u64,
    pub(crate) not_durable: u64,
    pub(crate) refused: u64,
    pub(crate) repeats: u64,
    /// How often members received a line.
    pub(crate) heard: u64,
    /// Whispers that members with ids have got.
    pub(crate) whispers: u64,
    /// Lines that somebody has seen, that were promised to nobody, and that a crash or a full
    /// disk has lost.
    pub(crate) gone: u64,
    /// Lines in private rooms that only members without ids have seen.
    pub(crate) unconfirmed: u64,
    /// Gaps reported to members.
    pub(crate) gaps: u64,
    pub(crate) logins: u64,
    pub(crate) resumes: u64,
    pub(crate) ends: u64,
    pub(crate) mishaps: u64,
    pub(crate) kicked: u64,
    pub(crate) renamed: u64,
    pub(crate) rooms: u64,
    pub(crate) rooms_ended: u64,
    pub(crate) votes: u64,
    /// Members that had seen everything at the end.
    pub(crate) up_to_date: u64,
}

impl Figures {
    /// Adds what is counted in a diary.
    pub(crate) fn add(&mut self, diary: &Diary) {
        for sight in &diary.sights {
            match sight {
                Sight::Event { meaning: Meaning::Said(_), .. } | Sight::Heard(_) => self.heard += 1,
                Sight::Whispered { .. } => self.whispers += 1,
                Sight::Gap { .. } | Sight::Forgotten { .. } | Sight::Skipped => self.gaps += 1,
                _ => {}
            }
        }
        self.refused += diary.refused;
        self.repeats += diary.repeats;
        self.logins += diary.logins;
        self.resumes += diary.resumes;
        self.ends += diary.ends;
        self.mishaps += diary.mishaps;
        self.kicked += diary.kicked;
        self.renamed += diary.renamed;
        self.rooms_ended += diary.rooms_ended;
        self.votes += diary.votes;
    }

    /// The counters with labels.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let rows = [
            ("lines in public rooms, on the disk", self.saved),
            ("lines in private rooms", self.unsaved),
            ("acknowledged as saved", self.acked),
            ("acknowledged otherwise", self.not_durable),
            ("refused (muted, removed, in another room)", self.refused),
            ("said again after a lost connection", self.repeats),
            ("times that a member heard a line", self.heard),
            ("whispers to members with ids", self.whispers),
            ("heard, promised to nobody, and gone with a crash or a full disk", self.gone),
            ("heard in a private room only by members without ids", self.unconfirmed),
            ("gaps that members were told of", self.gaps),
            ("logins", self.logins),
            ("sessions resumed", self.resumes),
            ("connections that ended", self.ends),
            ("mishaps of members", self.mishaps),
            ("members removed from a room, or with it", self.kicked),
            ("rooms ended by their owner", self.rooms_ended),
            ("rooms there have been", self.rooms),
            ("names changed", self.renamed),
            ("votes", self.votes),
            ("members with ids that had everything at the end", self.up_to_date),
        ];
        rows.map(|(what, count)| (what.to_owned(), group(count))).into()
    }
}
