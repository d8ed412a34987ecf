//! What a room notes in the course of a round for its [`Recorder`], and hands over at the end.

use std::sync::Arc;

use madang_protocol::event::Event;

use super::{
    fact::{Change, Fact},
    recorder::{OwedAck, Recorded, Recorder, Round},
    state::State,
};

/// A room's notes for its recorder.
pub(super) struct Recording {
    recorder: Arc<dyn Recorder>,
    round: Round,
    /// Whether anything has changed that outlasts members.
    lasting_changed: bool,
}

impl Recording {
    /// The notes of a room, which was opened with the id `room`.
    pub(super) fn new(recorder: Arc<dyn Recorder>, room: u64, name: Arc<str>) -> Recording {
        Recording { recorder, round: Round::new(room, name), lasting_changed: false }
    }

    /// Notes a change of the state. A room that only stops with its server has not ended.
    pub(super) fn note_change(&mut self, fact: &Fact, is_stopping: bool) {
        self.lasting_changed |= fact.change.lasts();
        if matches!(fact.change, Change::Ended { .. }) && !is_stopping {
            self.round.ended = Some(fact.time);
        }
    }

    /// Notes what members are told of, by whose doing it came, and the request's nonce.
    pub(super) fn note(&mut self, event: &Event, session: u64, nonce: Option<String>) {
        self.round.events.push(Recorded { event: event.clone(), session, nonce });
    }

    /// Notes an ack that a speaker gets once all that was noted is safe.
    pub(super) fn owe(&mut self, ack: OwedAck) {
        self.round.owed.push(ack);
    }

    /// Hands over what was noted, if anything was.
    pub(super) fn hand_over(&mut self, state: &State) {
        let lasting_changed = std::mem::take(&mut self.lasting_changed);
        self.round.lasting = lasting_changed.then(|| state.lasting());
        if !self.round.is_empty() {
            self.recorder.record(&mut self.round);
        }
    }
}
