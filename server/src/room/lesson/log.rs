//! The log of a lesson that several machines share: it orders what is asked of the lesson, and
//! every machine decides it alike. The cluster provides it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use madang_protocol::{event::Time, notice::Notice};
use serde::{Deserialize, Serialize};

use super::{Asker, LessonChange, LessonFact, LessonOp, class::Class, state::LessonState};
use crate::room::log::{EntryError, Follower, LogEntry};

/// The format of an entry's body: its first byte.
const FORMAT: u8 = b'1';

/// After so many entries, the state is kept; and whenever a lesson has begun or ended.
const ENTRIES: u64 = 1_000;

/// After so many bytes of entries, too.
const BYTES: usize = 4 * 1_024 * 1_024;

/// How many of the last changes a room can be told again.
const RECENT: usize = 16;

/// How long a request waits for its entry to be heard.
pub(super) const PATIENCE: Duration = Duration::from_secs(12);

/// Orders what is asked of a lesson.
pub(crate) trait LessonLog: Send + Sync {
    /// Identifies this run of this machine's server.
    fn origin(&self) -> u64;

    /// Takes an entry's body, and returns the number under which it is heard again. Never
    /// blocks.
    fn append(&self, body: Vec<u8>) -> u64;

    /// Saves the state after an entry, for machines that start later. Never blocks.
    fn keep(&self, snapshot: LessonSnapshot);

    /// Offers the state after an entry, in case the log has lost what it had. Never blocks.
    fn offer(&self, snapshot: LessonSnapshot);

    /// Hands the entries from this number on to `follower`. Blocks until it has received those
    /// that there are, or a moment has passed.
    fn follow(&self, follower: Weak<dyn Follower>, from: u64);
}

/// The state of a lesson after an entry of its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LessonSnapshot {
    /// The number of that entry; 0 before the first.
    pub(crate) entry: u64,
    pub(crate) time: Time,
    pub(crate) state: LessonState,
    /// The number of the last entry of each machine, but for those that are gone.
    #[serde(default)]
    pub(crate) heard: BTreeMap<u64, u64>,
}

impl LessonSnapshot {
    /// The state of a lesson before its first entry. No other has the same `first` number.
    pub(crate) fn first(first: u64, time: Time) -> LessonSnapshot {
        LessonSnapshot { entry: 0, time, state: LessonState::first(first), heard: BTreeMap::new() }
    }
}

/// A lesson's log, and the state after the last entry that is not to be carried out any more.
pub(crate) struct OpenLesson {
    pub(crate) log: Arc<dyn LessonLog>,
    pub(crate) snapshot: LessonSnapshot,
}

/// The lesson as a room is told when a machine opens it: the room takes in what it does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LessonSoFar {
    pub(crate) class: Class,
    /// The last changes that led there.
    pub(crate) recent: Vec<Arc<LessonFact>>,
}

impl LessonSoFar {
    /// The changes that a room with this class lacks; none if they are not known any more.
    pub(crate) fn missing(&self, class: &Class) -> Option<Vec<Arc<LessonFact>>> {
        let missing = self.recent.iter().position(|fact| !class.has_seen(fact));
        let missing = &self.recent[missing.unwrap_or(self.recent.len())..];
        let has_hole = match missing.first() {
            Some(first) => !class.is_next(first),
            None => self.class.is_ahead_of(class),
        };
        (!has_hole).then(|| missing.to_vec())
    }
}

/// What a lesson with a log has beside its state.
pub(super) struct LessonLogged {
    log: Arc<dyn LessonLog>,
    /// The number of the last entry that was carried out, and its time.
    last: u64,
    time: Time,
    /// The number of the last entry of each machine that was carried out.
    heard: BTreeMap<u64, u64>,
    /// Those who wait for their entries, by the numbers of these.
    asking: BTreeMap<u64, Sender<Result<(), Notice<'static>>>>,
    recent: VecDeque<Arc<LessonFact>>,
    /// How many bytes of entries were heard since the state was kept.
    unkept_bytes: usize,
    /// Whether the log can't be reached, or accepts nothing more.
    is_away: bool,
    is_lost: bool,
}

impl LessonLogged {
    /// Of a lesson that has carried out the entries up to one of `last` and `time`.
    pub(super) fn new(
        log: Arc<dyn LessonLog>,
        (last, time): (u64, Time),
        heard: BTreeMap<u64, u64>,
    ) -> LessonLogged {
        LessonLogged {
            log,
            last,
            time,
            heard,
            asking: BTreeMap::new(),
            recent: VecDeque::new(),
            unkept_bytes: 0,
            is_away: false,
            is_lost: false,
        }
    }

    /// Appends a request, and returns its number and where its outcome is told.
    ///
    /// # Errors
    ///
    /// If the log can't be reached.
    pub(super) fn ask(&mut self, asker: &Asker, op: &LessonOp) -> Result<Asking, Notice<'static>> {
        if self.is_away || self.is_lost {
            return Err(Notice::Unavailable);
        }
        let (told, outcome) = bounded(1);
        let seq = self.log.append(body_of(asker, op));
        self.asking.insert(seq, told);
        Ok(Asking { seq, outcome })
    }

    /// Appends a request whose outcome nobody waits for.
    pub(super) fn post(&self, asker: &Asker, op: &LessonOp) {
        self.log.append(body_of(asker, op));
    }

    /// Stops waiting for an outcome.
    pub(super) fn give_up(&mut self, seq: u64) {
        self.asking.remove(&seq);
    }

    /// Reads an entry; none if it was carried out before.
    ///
    /// # Errors
    ///
    /// If it can't be read; then this machine takes part no longer.
    pub(super) fn read(
        &mut self,
        entry: &LogEntry,
    ) -> Result<Option<(Asker, LessonOp)>, EntryError> {
        if entry.number != self.last + 1 {
            return Ok(None);
        }
        (self.last, self.time, self.is_away) = (entry.number, entry.time, false);
        self.heard.insert(entry.origin, entry.seq);
        let Some((&FORMAT, request)) = entry.body.split_first() else {
            return Err(EntryError::Format(entry.body.first().copied()));
        };
        let (asker, op): (Asker, LessonOp) =
            serde_json::from_slice(request).map_err(|error| EntryError::Op(error.to_string()))?;
        if let LessonOp::Unclaimed(origin) = op {
            self.heard.remove(&origin);
        }
        Ok(Some((Asker { origin: entry.origin, ..asker }, op)))
    }

    /// Who waits for the outcome of an entry on this machine.
    pub(super) fn asking(
        &mut self,
        entry: &LogEntry,
    ) -> Option<Sender<Result<(), Notice<'static>>>> {
        let is_own = entry.origin == self.log.origin();
        is_own.then(|| self.asking.remove(&entry.seq)).flatten()
    }

    /// Remembers what rooms are told.
    pub(super) fn note_told(&mut self, fact: &Arc<LessonFact>) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(fact.clone());
    }

    /// Has a hole before what rooms are told next.
    pub(super) fn forget_told(&mut self) {
        self.recent.clear();
    }

    /// The log, and the number of the next entry.
    pub(super) fn place(&self) -> (Arc<dyn LessonLog>, u64) {
        (self.log.clone(), self.last + 1)
    }

    pub(super) fn recent(&self) -> Vec<Arc<LessonFact>> {
        self.recent.iter().cloned().collect()
    }

    /// Keeps the state, if that falls to this machine: to the one whose entry was the last.
    pub(super) fn keep_if_due(
        &mut self,
        entry: &LogEntry,
        facts: &[LessonFact],
        state: &LessonState,
    ) {
        let is_turn = |fact: &LessonFact| {
            matches!(fact.change, LessonChange::Begun { .. } | LessonChange::Ended { .. })
        };
        self.unkept_bytes += entry.body.len();
        let is_due = entry.number.is_multiple_of(ENTRIES)
            || self.unkept_bytes >= BYTES
            || facts.iter().any(is_turn);
        if is_due && entry.origin == self.log.origin() {
            self.unkept_bytes = 0;
            self.log.keep(self.snapshot(state));
        }
    }

    /// Offers the state, in case the log has lost what it had.
    pub(super) fn offer(&self, state: &LessonState) {
        self.log.offer(self.snapshot(state));
    }

    fn snapshot(&self, state: &LessonState) -> LessonSnapshot {
        let (entry, time, heard) = (self.last, self.time, self.heard.clone());
        LessonSnapshot { entry, time, state: state.clone(), heard }
    }

    /// Goes on after an entry; what led there is not known. Nor is it known which requests of
    /// this machine were among it.
    pub(super) fn go_on_after(&mut self, entry: (u64, Time), heard: BTreeMap<u64, u64>) {
        ((self.last, self.time), self.heard) = (entry, heard);
        self.forget_told();
        self.answer_all(&Notice::Unanswered);
    }

    /// The log can't be reached: nobody waits any longer.
    pub(super) fn miss(&mut self) {
        self.is_away = true;
        self.answer_all(&Notice::Unanswered);
    }

    /// Whether this machine takes part no longer.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The log accepts nothing more from this machine, or nothing more is carried out here.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
        self.answer_all(&Notice::Unavailable);
    }

    fn answer_all(&mut self, notice: &Notice<'static>) {
        for (_, told) in std::mem::take(&mut self.asking) {
            // They may have given up.
            let _ = told.send(Err(*notice));
        }
    }
}

/// A request whose outcome is waited for.
pub(super) struct Asking {
    pub(super) seq: u64,
    pub(super) outcome: Receiver<Result<(), Notice<'static>>>,
}

fn body_of(asker: &Asker, op: &LessonOp) -> Vec<u8> {
    let mut body = vec![FORMAT];
    serde_json::to_writer(&mut body, &(asker, op)).expect("plain data");
    body
}
