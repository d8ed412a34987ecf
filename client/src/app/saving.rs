//! Whether the user's messages are on the server's disk yet, in rooms that are saved. Messages
//! are shown at once; the prompt gets a small mark while some are not safe, and only if that
//! takes a while.

use std::time::{Duration, Instant};

use crate::words::Words;

/// How long the disk may take before the mark appears. A healthy disk takes a tenth of this,
/// and a mark for every line would be distracting.
const PATIENCE: Duration = Duration::from_millis(300);

/// The state of the room's disk.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// Whether the room is saved at all.
    is_durable: bool,
    /// Since when something is unsafe; restarted when a line becomes safe with others behind
    /// it.
    unsafe_since: Option<Instant>,
    /// Whether the person has been told that the disk fails.
    told_failing: bool,
}

impl Saving {
    /// Notes the arrival in a room.
    pub(super) fn enter(&mut self, is_durable: bool) {
        // The disk is the server's, whatever the room.
        *self = Saving { is_durable, unsafe_since: None, ..*self };
    }

    /// Notes that a line was acknowledged, with the `durable` of the `ack`. Returns a message
    /// for the person when the disk begins to fail and when it works again.
    pub(super) fn acknowledged(&mut self, durable: Option<bool>) -> Option<Words<'static>> {
        self.unsafe_since = None;
        if !self.is_durable {
            return None;
        }
        let is_failing = durable == Some(false);
        let was_failing = std::mem::replace(&mut self.told_failing, is_failing);
        match (was_failing, is_failing) {
            (false, true) => Some(Words::NotSaved),
            (true, false) => Some(Words::SavedAgain),
            _ => None,
        }
    }

    /// Notes whether some lines are sent and not acknowledged.
    pub(super) fn note(&mut self, has_unsaved: bool, now: Instant) {
        self.unsafe_since = match has_unsaved && self.is_durable {
            true => self.unsafe_since.or(Some(now)),
            false => None,
        };
    }

    /// When the mark appears, unless everything is safe before.
    pub(super) fn marked_at(&self) -> Option<Instant> {
        self.unsafe_since.map(|since| since + PATIENCE)
    }

    /// Whether the mark is shown.
    pub(super) fn is_marked(&self, now: Instant) -> bool {
        self.marked_at().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durable() -> Saving {
        let mut saving = Saving::default();
        saving.enter(true);
        saving
    }

    #[test]
    fn the_mark_appears_only_when_a_line_is_unsafe_for_a_while() {
        let start = Instant::now();
        let later = |millis| start + Duration::from_millis(millis);
        let mut saving = durable();
        assert_eq!(saving.marked_at(), None);
        saving.note(true, start);
        saving.note(true, later(200));
        assert!(!saving.is_marked(later(299)) && saving.is_marked(later(300)));
        // One is safe, and others follow it.
        assert!(saving.acknowledged(None).is_none());
        saving.note(true, later(400));
        assert!(!saving.is_marked(later(699)) && saving.is_marked(later(700)));
        saving.note(false, later(800));
        assert!(!saving.is_marked(later(10_000)));
        saving.enter(false);
        saving.note(true, start);
        assert_eq!(saving.marked_at(), None, "nothing is saved there");
    }

    #[test]
    fn a_failing_disk_is_reported_once_and_so_is_its_recovery() {
        let mut saving = durable();
        let mut told = |durable| saving.acknowledged(durable);
        assert!(told(None).is_none());
        assert!(matches!(told(Some(false)), Some(Words::NotSaved)));
        assert!(told(Some(false)).is_none());
        assert!(matches!(told(None), Some(Words::SavedAgain)));
        assert!(told(Some(true)).is_none());
        assert!(matches!(told(Some(false)), Some(Words::NotSaved)));
        saving.enter(false);
        assert!(saving.acknowledged(None).is_none(), "it says nothing about the disk");
        saving.enter(true);
        assert!(saving.acknowledged(Some(false)).is_none(), "it was told elsewhere");
    }
}
