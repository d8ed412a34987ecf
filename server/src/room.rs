//! A room: its mailbox, the pump that empties it, and the requests it accepts. The room's data
//! and rules are its [`state`]; the [`executor`] carries out what the pump takes from the
//! mailbox. Knows no sockets. Names are claimed elsewhere: whoever comes with one takes it from a
//! member that still bears it.
//!
//! # Guarantees
//!
//! 1. Whatever is posted to a room happens in one order, which every member sees:
//!    from its own joining to its own leaving, without a hole, nothing twice.
//! 2. The ids of a room's events rise by one, from the microsecond of its making, or
//!    from above every id that any room has given, if the clock has gone back.
//! 3. One round is one batch: a member is offered once what happened in it.
//! 4. A listener is never waited for; a speaker may wait for its own room.
//! 5. A round posts to no other room. Of others, it takes only locks of sessions and
//!    outboxes, and while a lesson runs, the lesson's: each for moments.
//! 6. A panic while a post is decided costs that post; one while a fact is applied, or
//!    followed, ends the room; one in an offer costs that member.
//! 7. A leave that ends a connection carries its goodbye: it is the last that the
//!    member gets, after all that was posted before.
//! 8. A room that has ended takes nobody in and has no members.
//! 9. Facts alone change the state, and make it again: see [`state`].

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
    room::RoomKey,
};

use crate::{
    clock,
    delivery::outbox::Outbox,
    dialect::answer::Answer,
    metrics::Metrics,
    session::{Hidden, RoomHandle, Session, nonces::NonceKey},
    sync::{Mutex, bounded},
};

use envelope::{Answered, Envelope};
use event_ids::EventIds;
use executor::Executor;
use gate::Gate;
use lesson::{Lesson, class::Attended};
use log::RoomLogs;
use mailbox::{Ended, Mailbox, Pump, Urgency};
use recorder::Recorder;
use refusal::Refusal;

pub(crate) use envelope::{Bearer, Closing, Coming, Going, Greeting, Last, Missed, Question};
pub(crate) use history::HistorySpan;
pub(crate) use op::{By, Muter, Op, Speech};
pub(crate) use speaking::{acknowledge_again, refuse_outside};
pub(crate) use state::{Awaited, Beginning, LostIds};
pub(crate) use status::RoomStatus;

pub(crate) mod directory;
pub(crate) mod mailbox;
mod envelope;
mod op;
pub(crate) mod fact;
pub(crate) mod state;
mod status;
mod roster;
mod access;
pub(crate) mod kicks;
mod ended_kicks;
pub(crate) mod lesson;
pub(crate) mod refusal;
mod executor;
pub(crate) mod log;
mod gate;
mod logged;
mod reload;
mod forgetting;
mod following;
mod ending;
mod speaking;
mod presence;
mod answers;
mod members;
pub(crate) mod history;
pub(crate) mod event_ids;
pub(crate) mod recorder;
mod recording;

/// How long a thread pumps before it tries to hand over.
const PUMP_PATIENCE: Duration = Duration::from_millis(20);

/// What a post counts in the mailbox in addition to its content.
const POST_BYTES: usize = 64;

/// What a question counts in the mailbox: a long answer takes the pump as much time as a round
/// of many lines.
const QUESTION_BYTES: usize = 4 * 1_024;

/// A room.
pub(crate) struct Room {
    /// Unique among the rooms of a server.
    pub(crate) number: u64,
    /// The name used in events: the room's name, or the mark of a private room.
    pub(crate) name: Arc<str>,
    /// The key of a private room.
    pub(crate) key: Option<RoomKey>,
    /// The number under which the room is saved on disk.
    opened: u64,
    metrics: Arc<Metrics>,
    /// Saves what happens here on disk, if messages are saved.
    recorder: Option<Arc<dyn Recorder>>,
    mailbox: Mailbox<Envelope>,
    /// Locked only by the pump, while it pumps.
    executor: Mutex<Executor>,
    /// The status when members were last sent anything.
    status: Arc<Mutex<RoomStatus>>,
    /// Whether the server is stopping and says goodbye to everyone itself.
    is_stopping: AtomicBool,
    /// Holds speakers back, if its ops get their order in a log.
    gate: Option<Arc<Gate>>,
    happened_at: Arc<AtomicI64>,
    last_said: Arc<AtomicU64>,
}

/// Data shared by all rooms of a server.
#[derive(Clone, Default)]
pub(crate) struct Context {
    pub(crate) ids: Arc<EventIds>,
    /// The lesson, which takes place in all public rooms.
    pub(crate) lesson: Arc<Lesson>,
    /// The secret for hashing nonces.
    pub(crate) nonce_key: NonceKey,
    pub(crate) metrics: Arc<Metrics>,
    /// Saves what happens in public rooms.
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    /// The logs of public rooms, if several machines share them.
    pub(crate) logs: Option<Arc<dyn RoomLogs>>,
}

impl Room {
    /// An empty room; private if it has a key.
    pub(crate) fn new(
        number: u64,
        name: &str,
        key: Option<RoomKey>,
        beginning: Beginning,
        context: Context,
    ) -> Arc<Room> {
        let name: Arc<str> = name.into();
        Arc::new_cyclic(|room: &Weak<Room>| {
            let handle = room.clone();
            let (metrics, mut recorder) = (context.metrics.clone(), context.recorder.clone());
            // Private rooms are never saved.
            recorder.take_if(|_| key.is_some());
            let opened = beginning.opened;
            let context = Context { recorder: recorder.clone(), ..context };
            let executor = Executor::new(number, name.clone(), handle, beginning, context);
            Room {
                number,
                name,
                key,
                opened,
                metrics,
                recorder,
                mailbox: Mailbox::new(),
                status: executor.published_status(),
                is_stopping: AtomicBool::new(false),
                gate: executor.logged.as_ref().map(|logged| logged.gate.clone()),
                happened_at: executor.happened_at(),
                last_said: executor.last_said(),
                executor: Mutex::new(executor),
            }
        })
    }

    /// The number under which the room is saved on disk; `None` if it is not saved.
    pub(crate) fn kept_as(&self) -> Option<u64> {
        self.recorder.as_ref().map(|_| self.opened)
    }

    /// Whether an ack says that its message is on disk.
    pub(crate) fn is_durable(&self) -> bool {
        self.waited_for().is_some()
    }

    /// What saves the room's messages, if speakers and acks wait for it.
    fn waited_for(&self) -> Option<&dyn Recorder> {
        self.recorder.as_deref().filter(|recorder| recorder.is_waited_for())
    }

    /// When anything last happened in it, in milliseconds since 1970.
    pub(crate) fn happened_at(&self) -> i64 {
        self.happened_at.load(Ordering::Relaxed)
    }

    /// The id of the last message, if there has been one.
    pub(crate) fn last_said(&self) -> Option<u64> {
        Some(self.last_said.load(Ordering::Relaxed)).filter(|id| *id > 0)
    }

    /// What is visible from outside, as of the last round.
    pub(crate) fn status(&self) -> RoomStatus {
        self.status.lock().clone()
    }

    /// Adds a member to a room that never ends. May wait for a round, and may pump; does not
    /// wait for the result.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the server is stopping.
    pub(crate) fn join(&self, coming: Coming) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Waits, || Envelope::Join { coming, answered: None })
    }

    /// Adds a member, and blocks until that is done or refused. May pump.
    ///
    /// # Errors
    ///
    /// Why the member is not admitted; the same below.
    pub(crate) fn enter(&self, coming: Coming) -> Result<(), Refusal> {
        self.ask(Urgency::Waits, |answered| Envelope::Join { coming, answered: Some(answered) })
    }

    /// Moves a member to another connection of the same session, sends what it missed, and
    /// blocks until that is done. May pump.
    pub(crate) fn resume(&self, coming: Coming, last: Last) -> Result<(), Refusal> {
        self.ask(Urgency::Waits, |answered| Envelope::Resume { coming, last, answered })
    }

    /// Removes a member. Never waits for space; may pump. A session that is no member only gets
    /// the goodbye.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room accepts no more posts; the same below.
    pub(crate) fn leave(&self, session: u64, going: Going) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::Leave { session, going })
    }

    /// Removes a member who moves to another room, and blocks until everything it should get
    /// from this one was sent. May pump.
    pub(crate) fn leave_for_another(&self, session: u64) {
        // A room that has ended has no members.
        let _ = self.ask(Urgency::Now, |answered| {
            let going = Going::Moves(answered);
            Envelope::Leave { session, going }
        });
    }

    /// Sends messages to the room. May wait for a round, and may pump. The sender gets a notice
    /// if it is no member or may not speak.
    pub(crate) fn say(&self, session: &Arc<Session>, speeches: Vec<Speech>) {
        let bytes = POST_BYTES + speeches.iter().map(|speech| speech.rendered_bytes).sum::<usize>();
        self.wait_to_speak();
        let envelope = Envelope::Say { session: session.clone(), speeches, answered: None };
        match self.mailbox.post(envelope, bytes, Urgency::Waits) {
            Ok(Some(pump)) => self.pump(pump),
            Ok(None) => {}
            // Messages that were not accepted are sent again after the restart.
            Err(Ended(_)) if self.is_stopping.load(Ordering::Relaxed) => {}
            Err(Ended(Envelope::Say { session, speeches, .. })) => {
                refuse_outside(&self.metrics, self.recorder.as_deref(), &session, speeches);
            }
            Err(Ended(_)) => {}
        }
    }

    /// Sends one message to the room, and blocks until everyone was sent it. May wait for a
    /// round, and may pump.
    pub(crate) fn say_one(&self, session: &Arc<Session>, speech: Speech) -> Result<(), Refusal> {
        let bytes = POST_BYTES + speech.rendered_bytes;
        self.wait_to_speak();
        self.ask_for(bytes, Urgency::Waits, |answered| Envelope::Say {
            session: session.clone(),
            speeches: vec![speech],
            answered: Some(answered),
        })
    }

    /// Blocks a speaker while the disk or the room's log can't keep up.
    fn wait_to_speak(&self) {
        if let Some(recorder) = self.waited_for() {
            recorder.wait_for_space();
        }
        if let Some(gate) = &self.gate {
            gate.pass(&self.metrics);
        }
    }

    /// Sends the answer to a question to `outbox`, and blocks until that is done. A member gets
    /// it after everything it posted before; others get a notice. May pump.
    pub(crate) fn answer(
        &self,
        session: &Arc<Session>,
        outbox: &Arc<Outbox>,
        question: Question,
        nonce: Option<String>,
    ) -> Result<(), Refusal> {
        let (session, outbox) = (session.clone(), outbox.clone());
        self.ask_for(QUESTION_BYTES, Urgency::Waits, |answered| Envelope::Ask {
            session,
            outbox,
            question,
            nonce,
            answered,
        })
    }

    /// Adds the latest messages to `answer`, for a session that is no member, and blocks until
    /// that is done. May pump.
    pub(crate) fn recall(&self, span: HistorySpan, answer: Answer) -> Result<Answer, Ended> {
        let (recalled, answers) = bounded(1);
        let envelope = || Envelope::Recall { span, answer, recalled };
        self.post(QUESTION_BYTES, Urgency::Waits, envelope)?;
        answers.recv().map_err(|_| Ended(()))
    }

    /// The history in memory, oldest first. Blocks until it is there; may pump.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room has ended, and has no history.
    pub(crate) fn remembered(&self) -> Result<Vec<Event>, Ended> {
        let (told, answers) = bounded(1);
        self.post(QUESTION_BYTES, Urgency::Waits, || Envelope::Remember { told })?;
        answers.recv().map_err(|_| Ended(()))
    }

    /// Its members. Blocks until they are there; may pump.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room has ended, and has no members.
    pub(crate) fn bearers(&self) -> Result<Vec<Bearer>, Ended> {
        let (told, answers) = bounded(1);
        self.post(QUESTION_BYTES, Urgency::Waits, || Envelope::Bearers { told })?;
        answers.recv().map_err(|_| Ended(()))
    }

    /// Its member with this name, if there is one. Blocks until that is known; may pump.
    pub(crate) fn bearer(&self, name: &UserName) -> Option<Bearer> {
        let (told, answers) = bounded(1);
        let envelope = || Envelope::Bearer { name: name.clone(), told };
        // One that has ended has no members.
        self.post(POST_BYTES, Urgency::Waits, envelope).ok()?;
        answers.recv().ok()?
    }

    /// Has the room offer its state to its log, and append again what it has not heard yet; blocks
    /// until that is done. Never waits for space; may pump.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room has ended.
    pub(crate) fn offer(&self) -> Result<(), Ended> {
        let (done, is_done) = bounded(1);
        self.post(POST_BYTES, Urgency::Now, || Envelope::Offer { done })?;
        is_done.recv().map_err(|_| Ended(()))
    }

    /// The lesson's attendance in this room, by name. Blocks until it is there; may pump.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room has ended, and has passed its attendance to the lesson.
    pub(crate) fn attendance(&self) -> Result<BTreeMap<String, Attended>, Ended> {
        let (told, answers) = bounded(1);
        self.post(QUESTION_BYTES, Urgency::Waits, || Envelope::Attendance { told })?;
        answers.recv().map_err(|_| Ended(()))
    }

    /// Carries out an op, and blocks until everyone was sent the result. May pump.
    pub(crate) fn act(&self, by: By, op: Op) -> Result<(), Refusal> {
        self.ask(Urgency::Waits, |answered| Envelope::Op { by, op, answered: Some(answered) })
    }

    /// The same without waiting for the result. Never waits for space; may pump.
    pub(crate) fn act_now(&self, by: By, op: Op) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::Op { by, op, answered: None })
    }

    /// Replaces a member's ignore list, and blocks until that is done. May pump.
    pub(crate) fn hide(&self, session: u64, hidden: Arc<[Hidden]>) -> Result<(), Refusal> {
        self.ask(Urgency::Waits, |answered| Envelope::Hide { session, hidden, answered })
    }

    /// Blocks until everything posted before has happened. May pump.
    pub(crate) fn settle(&self) {
        // In a room that has ended, everything has.
        let _ = self.ask(Urgency::Waits, |answered| Envelope::Settle { answered });
    }

    /// In a room with a log, blocks until everything posted before has been heard, so that what
    /// its member is sent next comes after that; alone, nearly all of it has. May pump.
    pub(crate) fn settle_log(&self) {
        if self.gate.is_some() {
            self.settle();
        }
    }

    /// Drops messages from the history: all, or those of one person. Never waits for space; may
    /// pump.
    pub(crate) fn forget_said(&self, name: Option<&str>) {
        let name = name.map(str::to_owned);
        // A room that has ended has no history.
        let _ = self.post(POST_BYTES, Urgency::Now, || Envelope::ForgetSaid { name });
    }

    /// Drops the older half of the history. Never waits for space; may pump.
    pub(crate) fn forget_half(&self) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::ForgetHalf)
    }

    /// Drops the renderings cached for new members. Never waits for space; may pump.
    pub(crate) fn forget_renderings(&self) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Envelope::ForgetRenderings)
    }

    /// Ends the room if it has been empty since then, and blocks until that is decided. Never
    /// waits for space; may pump.
    pub(crate) fn end_if_empty(&self, since: Time) -> Result<(), Refusal> {
        let (by, op) = (By::Time, Op::EndIfEmpty { since });
        self.ask(Urgency::Now, |answered| Envelope::Op { by, op, answered: Some(answered) })
    }

    /// Ends the room with the server: everyone gets the goodbye, and leaving is not announced.
    /// Posts accepted before are delivered; later ones are refused. Blocks until that is done,
    /// by whatever thread pumps, or until `deadline`.
    pub(crate) fn stop(&self, deadline: Instant) {
        let (done, is_done) = bounded(1);
        self.is_stopping.store(true, Ordering::Relaxed);
        // Dropped, with the sender in it, if the room has ended already. What was posted to one
        // with a log has to be heard first.
        let pump = match self.gate.is_some() {
            false => self.mailbox.close(Envelope::Stop { done }),
            true => self.hand_in(0, Urgency::Now, || Envelope::Stop { done }).unwrap_or(None),
        };
        if let Some(pump) = pump {
            self.pump(pump);
        }
        if let Err(crossbeam_channel::RecvTimeoutError::Timeout) = is_done.recv_deadline(deadline) {
            tracing::error!(room = %self.name, "a room did not end in time");
        }
    }

    /// The id of the next event.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(crate) fn next_id(&self) -> u64 {
        self.executor.lock().state.next_id()
    }

    /// Keeps any pump from starting a round while this is held.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(crate) fn hold_rounds(&self) -> impl Sized + '_ {
        self.executor.lock()
    }

    fn ask(
        &self,
        urgency: Urgency,
        envelope: impl FnOnce(Answered) -> Envelope,
    ) -> Result<(), Refusal> {
        self.ask_for(POST_BYTES, urgency, envelope)
    }

    fn ask_for(
        &self,
        bytes: usize,
        urgency: Urgency,
        envelope: impl FnOnce(Answered) -> Envelope,
    ) -> Result<(), Refusal> {
        let (answered, answer) = bounded(1);
        self.post(bytes, urgency, || envelope(answered)).map_err(|Ended(())| Refusal::Ended)?;
        // Dropped without an answer if the room has ended or the post has panicked.
        answer.recv().unwrap_or(Err(Refusal::Ended))
    }

    fn post(
        &self,
        bytes: usize,
        urgency: Urgency,
        envelope: impl FnOnce() -> Envelope,
    ) -> Result<(), Ended> {
        if let Some(pump) = self.hand_in(bytes, urgency, envelope)? {
            self.pump(pump);
        }
        Ok(())
    }

    fn hand_in(
        &self,
        bytes: usize,
        urgency: Urgency,
        envelope: impl FnOnce() -> Envelope,
    ) -> Result<Option<Pump<'_, Envelope>>, Ended> {
        self.mailbox.post(envelope(), bytes, urgency).map_err(|Ended(_)| Ended(()))
    }

    fn pump(&self, mut pump: Pump<'_, Envelope>) {
        let mut executor = self.executor.lock();
        let started = clock::steady_now();
        let mut now = started;
        while let Some(duty) = pump.next_round(now - started > PUMP_PATIENCE, executor.envelopes())
        {
            pump = duty;
            let answers = executor.round(clock::steady_now());
            now = executor.told();
            if executor.is_over() {
                self.mailbox.shut();
            }
            for (answered, result) in answers {
                // If the receiver is gone, nobody is waiting.
                let _ = answered.send(result);
            }
        }
    }
}

impl RoomHandle for Room {
    fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
