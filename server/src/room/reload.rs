//! How a room goes on whose log was trimmed before it had heard everything: from a later state.
//! Members are sent what is known of the events between, and told which ones are gone; what was
//! in flight is answered by what the later state shows.

use std::sync::Arc;

use madang_protocol::event::Event;

use super::{
    envelope::{Envelope, Going},
    executor::Executor,
    log::Snapshot,
    logged::InFlight,
    members::{Earlier, Member},
    refusal::Refusal,
};
use crate::{
    delivery::batch::Rendered,
    session::{Hidden, Session},
};

impl Executor {
    /// Takes over the state after an entry that this machine has not heard.
    pub(super) fn reload(&mut self, snapshot: Snapshot) {
        if snapshot.entry <= self.logged().last() {
            return;
        }
        tracing::warn!(room = %self.name, "this machine has missed entries of the room's log");
        // What was heard before is sent first.
        self.tell();
        let last_event = self.state.next_id() - 1;
        let Snapshot { entry, time, state, events, heard } = snapshot;
        (self.time, self.state, self.changed) = (time, state, true);
        self.remember(events);
        if let Some(recording) = &mut self.recording {
            recording.catch_up(self.history.events(), self.state.next_id());
        }
        let in_flight = self.logged().go_on_from(entry, time, heard);
        self.note_log_is_back();
        self.see_who_is_left(last_event);
        for post in in_flight.into_iter().flat_map(InFlight::into_envelopes) {
            self.guarded(|room| room.answer_by_state(post));
        }
    }

    /// Notes that what was before the events which another told of is gone. Ids may have been left
    /// out there that nobody was given.
    pub(super) fn note_dropped(&mut self) {
        let oldest = self.history.oldest(&[]).unwrap_or(self.state.next_id());
        if oldest > self.opened {
            self.history.note_dropped_to(oldest - 1);
        }
    }

    /// Sends each member what it has missed since that event. Whoever is no member any more, or
    /// is one on another machine, is let go.
    fn see_who_is_left(&mut self, last_event: u64) {
        let origin = self.origin();
        let here = |member: &Member| {
            let presence = self.state.member(member.session.number);
            (member.session.clone(), presence.map(|presence| presence.origin == origin))
        };
        let members: Vec<(Arc<Session>, Option<bool>)> = self.members.iter().map(here).collect();
        for (session, is_here) in members {
            let number = session.number;
            let earlier = self.missed_since(number, last_event);
            if let Some(member) = self.members.touch(number) {
                member.earlier = earlier;
            }
            let kicks = &self.state.access().kicks;
            match is_here {
                Some(true) => {}
                None if kicks.left_for_session(number, self.time).is_some() => {
                    self.see_kicked_off(number);
                }
                Some(false) => self.see_move_away(number),
                None => self.take_out(number, 0),
            }
        }
        let owner = self.state.access().owner.and_then(|owner| self.members.of(owner));
        owner.into_iter().for_each(|owner| owner.session.own(self.handle.clone()));
    }

    /// What a member is sent of the events after this one.
    fn missed_since(&mut self, session: u64, last_event: u64) -> Vec<Earlier> {
        let Some(member) = self.members.of(session) else { return Vec::new() };
        let (hidden, (form, carrier)) = (member.hidden.clone(), member.outbox.form_and_carrier());
        let mut earlier = Vec::new();
        let first_known = self.history.oldest(&[]).unwrap_or(self.state.next_id());
        if last_event + 1 < first_known {
            earlier.push(self.gap(form, last_event + 1, first_known - 1, None));
        }
        let known = self.history.after(last_event);
        if hidden.is_empty() || form.is_for_programs() {
            if !known.is_empty() {
                earlier.push(Earlier::Events(self.history.whole(form, carrier), known));
            }
            return earlier;
        }
        let is_shown =
            |event: &&Event| event.id() > last_event && !Hidden::hides_past(&hidden, event);
        let shown: Vec<_> = self.history.events().filter(is_shown).collect();
        if !shown.is_empty() {
            let rendered = Rendered::new(self.name.clone(), shown, form, carrier);
            let all = 0..rendered.len();
            earlier.push(Earlier::Events(Arc::new(rendered), all));
        }
        earlier
    }

    /// Answers a post that was carried out in an entry that this machine has not heard: by what
    /// the state shows, or that the outcome is unknown.
    fn answer_by_state(&mut self, envelope: Envelope) {
        match envelope {
            Envelope::Say { session, speeches, answered } => {
                let result = self.acknowledge_known(&session, speeches);
                self.answer_waiting(answered, result);
            }
            Envelope::Op { by, op, answered } => {
                let result = match self.state.decide(by, op, self.time) {
                    Err(Refusal::Already) => Ok(()),
                    _ => Err(Refusal::Unknown),
                };
                self.answer_waiting(answered, result);
            }
            Envelope::Join { coming, answered } => {
                let (by, op) = coming.joins(self.origin());
                let result = match self.is_member_here(&coming.session) {
                    true => self.come_in(coming, by, Vec::new()),
                    false => {
                        Err(self.state.decide(by, op, self.time).err().unwrap_or(Refusal::Unknown))
                    }
                };
                self.answer_waiting(answered, result);
            }
            Envelope::Resume { coming, last, answered } => {
                let result = match self.is_member_here(&coming.session) {
                    true => self.reattach(coming, last),
                    false => Err(Refusal::NoMember),
                };
                self.answer_later(answered, result);
            }
            Envelope::Leave { session, going } => {
                self.take_out(session, self.batch_len());
                match going {
                    Going::Ends(ending) => self.end_connection(session, ending),
                    Going::Moves(answered) => self.answer_later(answered, Ok(())),
                    Going::Expires => {}
                }
            }
            // The rest changes no state, and is not in flight.
            _ => self.open(envelope, None),
        }
    }

    fn is_member_here(&self, session: &Session) -> bool {
        let presence = self.state.member(session.number);
        presence.is_some_and(|presence| presence.origin == self.origin())
    }
}
