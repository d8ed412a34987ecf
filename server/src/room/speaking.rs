//! What somebody says to a room: it is said once, and answered by one ack, however often it
//! comes; or refused.

use std::sync::Arc;

use madang_protocol::event::ServerMessage;

use super::{
    executor::Executor,
    fact::Change,
    op::{By, Op, Speech},
    recorder::{OwedAck, Recorder},
    refusal::Refusal,
    state::Heard,
};
use crate::{dialect::answer::Answer, metrics::Metrics, session::Session};

impl Executor {
    /// Says what may be said; the speaker is answered.
    ///
    /// # Errors
    ///
    /// Why the rest was refused.
    pub(super) fn say(
        &mut self,
        session: &Arc<Session>,
        by: By,
        speeches: Vec<Speech>,
    ) -> Result<(), Refusal> {
        let number = session.number;
        if let Err(refusal) = self.check_bearer(by, &Op::MaySpeak) {
            self.refuse_in_place(session, &speeches, refusal);
            return Err(refusal);
        }
        let Heard { said, repeated, refused } = self.state.hear(by, speeches, self.time);
        // What is said now may push their nonces out.
        let known = repeated.iter().map(|nonce| self.state.knows_nonce(number, nonce));
        let known: Vec<Option<Option<u64>>> = known.collect();
        let mut acks = None;
        for fact in said {
            if let Change::Said { nonce: Some(nonce), .. } = &fact.change {
                self.acknowledge(session, nonce, fact.id, &mut acks);
            }
            self.take_in(fact);
        }
        for (nonce, known) in repeated.iter().zip(known) {
            let id = known.or_else(|| self.state.knows_nonce(number, nonce)).flatten();
            self.acknowledge(session, nonce, id, &mut acks);
        }
        let mut result = Ok(());
        if let Some((mut speeches, refusal)) = refused {
            self.take_said_before(session, &mut speeches, &mut acks);
            self.refuse_in_place(session, &speeches, refusal);
            result = Err(refusal);
        }
        if let Some(acks) = acks {
            // All acks of a round go before its batch: two sends, not one for each.
            let from = self.members.of(number).map_or(0, |member| member.from);
            self.members.answer(number, from, &acks.into_bytes());
        }
        result
    }

    /// Acknowledges what the state shows to be said; of the rest, nobody knows.
    ///
    /// # Errors
    ///
    /// If there is a rest.
    pub(super) fn acknowledge_known(
        &mut self,
        session: &Arc<Session>,
        mut speeches: Vec<Speech>,
    ) -> Result<(), Refusal> {
        let mut acks = None;
        speeches.retain(|speech| {
            let Some(nonce) = &speech.nonce else { return true };
            let Some(id) = self.state.knows_nonce(session.number, nonce) else { return true };
            self.acknowledge(session, nonce, id, &mut acks);
            false
        });
        self.take_said_before(session, &mut speeches, &mut acks);
        if let Some(acks) = acks {
            self.members.answer(session.number, 0, &acks.into_bytes());
        }
        if speeches.is_empty() {
            return Ok(());
        }
        self.refuse_in_place(session, &speeches, Refusal::Unknown);
        Err(Refusal::Unknown)
    }

    /// Takes out what somebody said here who was taken out of the room since: that is only
    /// acknowledged.
    fn take_said_before(
        &mut self,
        session: &Arc<Session>,
        speeches: &mut Vec<Speech>,
        acks: &mut Option<Answer>,
    ) {
        speeches.retain(|speech| {
            let Some(nonce) = &speech.nonce else { return true };
            let Some(id) = session.knows_nonce(nonce) else { return true };
            self.acknowledge(session, nonce, id, acks);
            false
        });
    }

    /// Acknowledges what somebody said: once it is on disk, where that is kept; else with
    /// `acks`, or at once to whoever is no member any more.
    fn acknowledge(
        &mut self,
        session: &Arc<Session>,
        nonce: &str,
        id: Option<u64>,
        acks: &mut Option<Answer>,
    ) {
        let member = self.members.of(session.number);
        let outbox = || member.map_or_else(|| session.outbox(), |it| Some(it.outbox.clone()));
        let recording = self.recording.as_mut().filter(|recording| recording.is_waited_for());
        match (recording, member) {
            // One that is repeated waits as well: what it repeats may not be there yet.
            (Some(recording), _) => recording.owe(OwedAck::new(session, outbox(), nonce, id)),
            (None, Some(member)) => acks
                .get_or_insert_with(|| Answer::new(member.outbox.form()))
                .message(&ServerMessage::Ack { nonce: nonce.into(), id, durable: None }),
            (None, None) => OwedAck::new(session, outbox(), nonce, id).pay(true),
        }
    }

    /// Tells somebody why they can't say this: a member after all that it has said before.
    pub(super) fn refuse_in_place(
        &mut self,
        session: &Session,
        speeches: &[Speech],
        refusal: Refusal,
    ) {
        let Some(member) = self.members.of(session.number).filter(|_| !speeches.is_empty()) else {
            return refuse(&self.metrics, session, speeches, refusal);
        };
        let mut answer = Answer::new(member.outbox.form()).in_lang(session.lang());
        write_refusal(&self.metrics, speeches, refusal, &mut answer);
        self.members.answer(session.number, self.batch_len(), &answer.into_bytes());
    }
}

/// Answers what somebody says who is in no room that would take it. What they said before is
/// only acknowledged again.
pub(crate) fn refuse_outside(
    metrics: &Metrics,
    recorder: Option<&dyn Recorder>,
    session: &Arc<Session>,
    mut speeches: Vec<Speech>,
) {
    speeches.retain(|speech| match &speech.nonce {
        Some(nonce) => !acknowledge_again(recorder, session, nonce),
        None => true,
    });
    refuse(metrics, session, &speeches, Refusal::NoMember);
}

/// Acknowledges what came with this nonce if it was said before; whether it was. Where that
/// is kept on disk, the ack waits for it.
pub(crate) fn acknowledge_again(
    recorder: Option<&dyn Recorder>,
    session: &Arc<Session>,
    nonce: &str,
) -> bool {
    let Some(id) = session.knows_nonce(nonce) else { return false };
    let ack = OwedAck::new(session, session.outbox(), nonce, id);
    match recorder.filter(|recorder| recorder.is_waited_for()) {
        Some(recorder) => recorder.owe(ack),
        None => ack.pay(true),
    }
    true
}

/// Tells who can't speak why, once, or for each request that has a nonce.
fn refuse(metrics: &Metrics, session: &Session, speeches: &[Speech], refusal: Refusal) {
    if !speeches.is_empty() {
        session.tell(|answer| write_refusal(metrics, speeches, refusal, answer));
    }
}

fn write_refusal(metrics: &Metrics, speeches: &[Speech], refusal: Refusal, answer: &mut Answer) {
    let notice = refusal.notice();
    let mut is_told = false;
    for nonce in speeches.iter().map(|speech| speech.nonce.as_deref()) {
        metrics.refused.count_notice(&notice);
        if nonce.is_some() || !std::mem::replace(&mut is_told, true) {
            answer.notice_to(&notice, nonce);
        }
    }
}
