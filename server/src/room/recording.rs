//! What a room notes in the course of a round for its [`Recorder`], and hands over at the end.

use std::{collections::BTreeSet, sync::Arc};

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
    /// Whether anything has changed that outlasts members.
    lasting_changed: bool,
    /// Whose attendance of the lesson has changed.
    attended: BTreeSet<String>,
}

impl Recording {
    /// The notes of a room, which was opened with the id `room`.
    pub(super) fn new(recorder: Arc<dyn Recorder>, room: u64, name: Arc<str>) -> Recording {
        let (round, attended) = (Round::new(room, name), BTreeSet::new());
        Recording { recorder, round, lasting_changed: false, attended }
    }

    /// Notes a change of the state. A room that only stops with its server has not ended.
    pub(super) fn note_change(&mut self, fact: &Fact, is_stopping: bool) {
        self.lasting_changed |= fact.change.lasts();
        if matches!(fact.change, Change::Ended { .. }) && !is_stopping {
            self.round.ended = Some(fact.time);
        }
    }

    /// Notes whose attendance of the lesson a fact has changed, which the state has taken in.
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

    /// Notes what members are told of, by whose doing it came, and the request's nonce.
    pub(super) fn note(&mut self, event: &Event, session: u64, nonce: Option<String>) {
        self.round.events.push(Recorded { event: event.clone(), session, nonce });
    }

    /// The earliest moment that members may read back to.
    pub(super) fn members_reach(&self, now: Time) -> Time {
        self.recorder.members_reach(now)
    }

    /// Notes an ack that a speaker gets once all that was noted is safe.
    pub(super) fn owe(&mut self, ack: OwedAck) {
        self.round.owed.push(ack);
    }

    /// Hands over what was noted, if anything was.
    pub(super) fn hand_over(&mut self, state: &State) {
        let lasting_changed = std::mem::take(&mut self.lasting_changed);
        self.round.lasting = lasting_changed.then(|| state.lasting());
        self.round.attended = self.take_attended(state.class());
        if !self.round.is_empty() {
            self.recorder.record(&mut self.round);
        }
    }

    /// How those have attended the lesson so far whose attendance has changed.
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
