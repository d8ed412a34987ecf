//! What a room hands to whoever keeps what happens in it on disk: the events of a round, what
//! lasts of its state, and the acks that are owed until these are safe. Who keeps them, and
//! how, is the [`journal`](crate::journal)'s.

use std::sync::Arc;

use madang_protocol::event::{Event, ServerMessage, Time};

use super::lesson::{LessonFact, class::Attended};
use crate::{delivery::outbox::Outbox, dialect::answer::Answer, session::Session};

/// Keeps what happens in public rooms.
pub(crate) trait Recorder: Send + Sync {
    /// Blocks a speaker for as long as the disk can't follow. Never called by a pump.
    fn wait_for_space(&self);

    /// Takes over what happened in a round, whose buffers it leaves empty. Never blocks.
    fn record(&self, round: &mut Round);

    /// The earliest moment that members may read back to.
    fn members_reach(&self, now: Time) -> Time;

    /// Takes over an ack of something that was handed over before. Never blocks.
    fn owe(&self, ack: OwedAck);

    /// Keeps what [lasts](LessonFact::lasting) of a change of the lesson. Never blocks.
    fn record_lesson(&self, fact: &LessonFact);
}

/// What happened in a round of a room, for its [`Recorder`].
pub(crate) struct Round {
    /// The first id that the room could give: no other room has the same.
    pub(crate) room: u64,
    pub(crate) name: Arc<str>,
    /// Whether nothing was handed over before.
    pub(crate) is_first: bool,
    /// What members were told of.
    pub(crate) events: Vec<Recorded>,
    /// What lasts of the state, as JSON, if that has changed.
    pub(crate) lasting: Option<String>,
    /// Who has attended the lesson that began then, and how, where that has changed.
    pub(crate) attended: Option<(Time, Vec<(String, Attended)>)>,
    /// When the room ended, if it has.
    pub(crate) ended: Option<Time>,
    pub(crate) owed: Vec<OwedAck>,
}

/// Something that members were told of.
pub(crate) struct Recorded {
    pub(crate) event: Event,
    /// The number of the session whose doing it was; 0 for the room's own.
    pub(crate) session: u64,
    /// That of the request.
    pub(crate) nonce: Option<String>,
}

/// An ack that a speaker gets once its line is safe.
pub(crate) struct OwedAck {
    session: Arc<Session>,
    /// Where the request came from, which waits for this before it says goodbye.
    outbox: Option<Arc<Outbox>>,
    nonce: String,
    /// What was said got this id.
    id: Option<u64>,
}

impl Round {
    pub(crate) fn new(room: u64, name: Arc<str>) -> Round {
        let (events, owed) = (Vec::new(), Vec::new());
        let is_first = true;
        Round { room, name, is_first, events, lasting: None, attended: None, ended: None, owed }
    }

    /// Whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        let Round { events, lasting, attended, ended, owed, .. } = self;
        let is_nothing_new = events.is_empty() && lasting.is_none() && attended.is_none();
        is_nothing_new && ended.is_none() && owed.is_empty()
    }
}

impl OwedAck {
    /// To whoever said something; `outbox` is that of the connection, if it has one.
    pub(crate) fn new(
        session: &Arc<Session>,
        outbox: Option<Arc<Outbox>>,
        nonce: &str,
        id: Option<u64>,
    ) -> OwedAck {
        outbox.iter().for_each(|outbox| outbox.owe_ack());
        OwedAck { session: session.clone(), outbox, nonce: nonce.to_owned(), id }
    }

    /// Tells the speaker that its line was said, and whether it is on disk: where it said that,
    /// or where it is by now.
    pub(crate) fn pay(self, is_durable: bool) {
        let OwedAck { session, outbox, nonce, id } = self;
        let write = |answer: &mut Answer| {
            let durable = (!is_durable).then_some(false);
            answer.message(&ServerMessage::Ack { nonce: (&*nonce).into(), id, durable });
        };
        let is_paid = outbox.is_some_and(|outbox| {
            let mut answer = Answer::new(outbox.form());
            write(&mut answer);
            outbox.pay_ack(&answer.into_bytes())
        });
        if !is_paid {
            session.tell(write);
        }
    }
}
