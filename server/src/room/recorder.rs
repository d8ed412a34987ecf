//! The interface between a room and the code that saves it: the events of a round, the lasting
//! part of the state, and the acks owed once these are safe. The [`journal`](crate::journal)
//! implements it.

use std::sync::Arc;

use madang_protocol::{
    event::{Event, ServerMessage, Time},
    name::UserName,
    room::RoomName,
};

use super::lesson::{LessonFact, class::Attended};
use crate::{delivery::outbox::Outbox, dialect::answer::Answer, session::Session};

/// Saves what happens in public rooms.
pub(crate) trait Recorder: Send + Sync {
    /// Whether speakers wait for it, and acks until their messages are saved. An archive of rooms
    /// that several machines share delays nobody.
    fn is_waited_for(&self) -> bool;

    /// Blocks a speaker while the disk cannot keep up. Never called by a pump.
    fn wait_for_space(&self);

    /// Up to which id everything is recorded of a room that several machines share, holes
    /// included; `None` if its record begins with what it remembers.
    fn recorded_to(&self, room: u64) -> Option<u64>;

    /// Takes over the events of a round, leaving its buffers empty. Never blocks.
    fn record(&self, round: &mut Round);

    /// Has an archive forget everything that was recorded of rooms with this name, or what one
    /// person said there. Never blocks.
    fn forget_recorded(&self, room: RoomName, name: Option<UserName>);

    /// The earliest time that members may read.
    fn members_reach(&self, now: Time) -> Time;

    /// Takes over the ack of something recorded before. Never blocks.
    fn owe(&self, ack: OwedAck);

    /// Saves the [lasting](LessonFact::lasting) part of a lesson's change. Never blocks.
    fn record_lesson(&self, fact: &LessonFact);
}

/// The events of a room's round, for its [`Recorder`].
pub(crate) struct Round {
    /// The first id that the room could give, which is unique among all rooms.
    pub(crate) room: u64,
    pub(crate) name: Arc<str>,
    /// Whether this is the room's first round.
    pub(crate) is_first: bool,
    /// Announced events.
    pub(crate) events: Vec<Recorded>,
    /// The first and last ids of events that nobody can tell any more, both included.
    pub(crate) holes: Vec<(u64, u64)>,
    /// Of a room that several machines share: with this round, everything up to this id is
    /// recorded.
    pub(crate) recorded_to: Option<u64>,
    /// The lasting part of the state as JSON, if it has changed.
    pub(crate) lasting: Option<String>,
    /// Changed attendance of the lesson that began at this time.
    pub(crate) attended: Option<(Time, Vec<(String, Attended)>)>,
    /// When the room ended, if it has.
    pub(crate) ended: Option<Time>,
    pub(crate) owed: Vec<OwedAck>,
}

/// An announced event.
pub(crate) struct Recorded {
    pub(crate) event: Event,
    /// The session that caused it; 0 for the room.
    pub(crate) session: u64,
    /// The request's nonce.
    pub(crate) nonce: Option<String>,
}

/// An ack sent to a speaker once its line is safe.
pub(crate) struct OwedAck {
    session: Arc<Session>,
    /// The outbox of the request, whose goodbye waits for this ack.
    outbox: Option<Arc<Outbox>>,
    nonce: String,
    /// The id of the message.
    id: Option<u64>,
}

impl Round {
    pub(crate) fn new(room: u64, name: Arc<str>) -> Round {
        Round {
            room,
            name,
            is_first: true,
            events: Vec::new(),
            holes: Vec::new(),
            recorded_to: None,
            lasting: None,
            attended: None,
            ended: None,
            owed: Vec::new(),
        }
    }

    /// Whether there is nothing to save.
    pub(crate) fn is_empty(&self) -> bool {
        let Round { events, holes, recorded_to, lasting, attended, ended, owed, .. } = self;
        let is_nothing_new = events.is_empty() && lasting.is_none() && attended.is_none();
        let is_nothing_missing = holes.is_empty() && recorded_to.is_none();
        is_nothing_new && is_nothing_missing && ended.is_none() && owed.is_empty()
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

    /// Acknowledges the line, and states whether it is on disk: to the connection that sent it,
    /// or to the session's current one.
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
