//! Notes what happens in a round for the room's [`Recorder`], and hands it over at the end.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
};

use super::{
    fact::{Change, Fact},
    lesson::{
        LessonChange,
        class::{Attended, Class},
    },
    recorder::{OwedAck, Recorded, Recorder, Round},
    state::State,
};

/// A room's notes for its recorder.
pub(super) struct Recording {
    recorder: Arc<dyn Recorder>,
    round: Round,
    /// The causes of the events that are still in the batch, in their order.
    causes: VecDeque<Cause>,
    /// Whether data that outlasts members has changed.
    lasting_changed: bool,
    /// The names whose attendance has changed.
    attended: BTreeSet<String>,
}

/// The session that caused an event, and the request's nonce.
struct Cause {
    session: u64,
    nonce: Option<String>,
}

impl Recording {
    /// Notes for a room that was opened with the id `room`.
    pub(super) fn new(recorder: Arc<dyn Recorder>, room: u64, name: Arc<str>) -> Recording {
        let (round, attended) = (Round::new(room, name), BTreeSet::new());
        Recording { recorder, round, causes: VecDeque::new(), lasting_changed: false, attended }
    }

    /// Notes a change of the state. A room that only stops with its server has not ended.
    pub(super) fn note_change(&mut self, fact: &Fact, is_stopping: bool) {
        self.lasting_changed |= fact.change.lasts();
        if matches!(fact.change, Change::Ended { .. }) && !is_stopping {
            self.round.ended = Some(fact.time);
        }
    }

    /// Notes whose attendance has changed by a fact that was applied.
    pub(super) fn note_attended(&mut self, change: &Change, class: &Class) {
        if !class.is_running() {
            return;
        }
        match change {
            Change::Joined { user, .. }
            | Change::Left { user, .. }
            | Change::Kicked { user, .. }
            | Change::Said { user, .. } => self.note_one_attended(user),
            Change::Renamed { user, to, .. } => {
                [user, to].into_iter().for_each(|user| self.note_one_attended(user));
            }
            Change::Lesson(fact) if matches!(fact.change, LessonChange::Begun { .. }) => {
                self.attended = class.attendance().into_keys().collect();
            }
            Change::Restarted => self.attended = class.attendance().into_keys().collect(),
            _ => {}
        }
    }

    fn note_one_attended(&mut self, user: &UserName) {
        if !self.attended.contains(user.as_str()) {
            self.attended.insert(user.to_string());
        }
    }

    /// Notes the session that caused the event which goes into the batch now, and the request's
    /// nonce.
    pub(super) fn note_cause(&mut self, session: u64, nonce: Option<String>) {
        self.causes.push_back(Cause { session, nonce });
    }

    /// Notes an event from the batch; its cause was noted before.
    pub(super) fn note(&mut self, event: Event) {
        if let Some(Cause { session, nonce }) = self.causes.pop_front() {
            self.round.events.push(Recorded { event, session, nonce });
        }
    }

    /// The earliest time that members may read.
    pub(super) fn members_reach(&self, now: Time) -> Time {
        self.recorder.members_reach(now)
    }

    /// Notes an ack that is owed once everything noted is safe.
    pub(super) fn owe(&mut self, ack: OwedAck) {
        self.round.owed.push(ack);
    }

    /// Hands over the notes, if there are any.
    pub(super) fn hand_over(&mut self, state: &State) {
        let lasting_changed = std::mem::take(&mut self.lasting_changed);
        self.round.lasting = lasting_changed.then(|| state.lasting());
        self.round.attended = self.take_attended(state.class());
        if !self.round.is_empty() {
            self.recorder.record(&mut self.round);
        }
    }

    /// The attendance records that have changed, and when the lesson began.
    fn take_attended(&mut self, class: &Class) -> Option<(Time, Vec<(String, Attended)>)> {
        if self.attended.is_empty() {
            return None;
        }
        let names = std::mem::take(&mut self.attended).into_iter();
        let attended = names.filter_map(|name| {
            let attended = class.attended(&name)?.clone();
            Some((name, attended))
        });
        Some((class.since()?, attended.collect()))
    }
}
