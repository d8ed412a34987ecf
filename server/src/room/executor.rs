//! Carries out the posts of a round in order, then sends the result to everyone once. An op is
//! decided and its facts are applied; each fact is followed by what it means for members'
//! outboxes and ignore lists, which are kept beside the state.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

use madang_protocol::{
    event::{Event, GapReason, Time},
    notice::Goodbye,
    room::LOBBY,
};

use super::{
    Context, RoomStatus,
    envelope::{Answered, Bearer, Envelope},
    event_ids::EventIds,
    fact::{Change, Fact},
    history::{self, History},
    lesson::Lesson,
    log::{OpenLog, Snapshot},
    logged::Logged,
    members::{Leaver, Members},
    op::{By, Op},
    recording::Recording,
    refusal::Refusal,
    state::{Beginning, State},
};
use crate::{
    clock,
    delivery::batch::Batch,
    metrics::Metrics,
    session::{Hidden, RoomHandle, Session, token::TokenHash},
    sync::{Mutex, Sender},
};

/// The part of a room that its pump works on.
pub(super) struct Executor {
    pub(super) number: u64,
    pub(super) name: Arc<str>,
    /// The first id of this room, in this run of the server or an earlier one.
    pub(super) opened: u64,
    /// The room itself, passed to sessions that become its owner.
    pub(super) handle: Weak<dyn RoomHandle>,
    /// Changed only by [`take_in`](Self::take_in).
    pub(super) state: State,
    /// The time of the round.
    pub(super) time: Time,
    now: Instant,
    pub(super) members: Members,
    pub(super) batch: Batch,
    pub(super) history: History,
    pub(super) leavers: Vec<Leaver>,
    envelopes: Vec<Envelope>,
    /// The results of posts in this round, for those waiting for them.
    answers: Vec<(Answered, Result<(), Refusal>)>,
    /// The id of the next event, while a fact is applied: a panic then leaves the state broken.
    torn: Option<u64>,
    /// The tokens of sessions that the state keeps out, by session number.
    pub(super) kicked_tokens: Arc<[(u64, TokenHash)]>,
    ids: Arc<EventIds>,
    /// The lesson, which takes place in the room if it is public.
    pub(super) lesson: Arc<Lesson>,
    /// When anything last happened, in milliseconds since 1970.
    happened_at: Arc<AtomicI64>,
    /// The id of the last message; 0 before the first.
    last_said: Arc<AtomicU64>,
    /// Whether anything visible from outside has changed.
    pub(super) changed: bool,
    published: Arc<Mutex<RoomStatus>>,
    /// When everyone had been sent the last round.
    told: Instant,
    pub(super) metrics: Arc<Metrics>,
    /// The notes for the recorder, if messages are saved.
    pub(super) recording: Option<Recording>,
    /// Ids that may have been given before a restart, for events that are lost: the first, the
    /// last, and why.
    pub(super) lost: Vec<(u64, u64, Option<GapReason>)>,
    /// Signalled when the room has ended.
    pub(super) stopped: Option<Sender<()>>,
    /// The additional state of a room whose ops are ordered by a log.
    pub(super) logged: Option<Box<Logged>>,
}

impl Executor {
    pub(super) fn new(
        number: u64,
        name: Arc<str>,
        handle: Weak<dyn RoomHandle>,
        mut beginning: Beginning,
        context: Context,
    ) -> Executor {
        let (time, now) = (clock::now(), clock::steady_now());
        let opened = beginning.opened;
        let recording = |recorder| Recording::new(recorder, opened, name.clone());
        let mut recording = context.recorder.map(recording);
        let mut history = History::new(name.clone(), context.metrics.clone());
        let events = match &mut beginning.shared {
            Some(shared) => std::mem::take(&mut shared.snapshot.events),
            None => std::mem::take(&mut beginning.events),
        };
        history.extend(with_sizes(events));
        let first_id = beginning.first_id;
        beginning.nonce_key = context.nonce_key;
        let lost = std::mem::take(&mut beginning.lost).into_iter();
        let lost = lost.map(|it| (it.first, it.last.unwrap_or(first_id - 1), it.reason)).collect();
        let (state, logged) = match beginning.shared.take() {
            Some(OpenLog { log, snapshot: Snapshot { entry, time, state, heard, .. } }) => {
                (state, Some(Box::new(Logged::new(log, entry, heard, time))))
            }
            None => (State::new(beginning, time), None),
        };
        if let Some(recording) = recording.as_mut().filter(|_| logged.is_some()) {
            recording.catch_up(history.events(), state.next_id());
            recording.hand_over(&state);
        }
        let published = Arc::new(Mutex::new(RoomStatus::of(&state, Arc::default(), Some(now))));
        let mut executor = Executor {
            number,
            name: name.clone(),
            opened,
            handle,
            state,
            time,
            now,
            members: Members::default(),
            batch: Batch::new(name),
            history,
            leavers: Vec::new(),
            envelopes: Vec::new(),
            answers: Vec::new(),
            torn: None,
            kicked_tokens: Arc::default(),
            ids: context.ids,
            lesson: context.lesson,
            happened_at: Arc::default(),
            last_said: Arc::default(),
            changed: false,
            published,
            told: now,
            metrics: context.metrics,
            recording,
            lost,
            stopped: None,
            logged,
        };
        executor.note_dropped();
        executor
    }

    /// The posts of the next round go here.
    pub(super) fn envelopes(&mut self) -> &mut Vec<Envelope> {
        &mut self.envelopes
    }

    /// The status visible from outside, shared with readers.
    pub(super) fn published_status(&self) -> Arc<Mutex<RoomStatus>> {
        self.published.clone()
    }

    /// When anything last happened, shared with readers.
    pub(super) fn happened_at(&self) -> Arc<AtomicI64> {
        self.happened_at.clone()
    }

    /// The id of the last message, shared with readers; 0 before the first.
    pub(super) fn last_said(&self) -> Arc<AtomicU64> {
        self.last_said.clone()
    }

    /// Carries out the posts in order, then sends the result to everyone once. Returns the
    /// results that somebody is waiting for.
    pub(super) fn round(&mut self, now: Instant) -> Vec<(Answered, Result<(), Refusal>)> {
        self.time = clock::now();
        self.now = now;
        self.open_all();
        // Before sending: members who read that the room is open may join at once.
        if std::mem::take(&mut self.changed) {
            let mut published = self.published.lock();
            let deserted = self.members.is_empty();
            let since = deserted.then(|| published.deserted_since.unwrap_or(now));
            *published = RoomStatus::of(&self.state, self.kicked_tokens.clone(), since);
        }
        let events = self.batch_len();
        if events > 0 {
            self.ids.note(self.state.next_id() - 1);
        }
        self.tell();
        if let Some(recording) = &mut self.recording {
            recording.hand_over(&self.state);
        }
        self.told = clock::steady_now();
        self.metrics.count_round(u64::from(events), self.told - now);
        std::mem::take(&mut self.answers)
    }

    /// When everyone had been sent the last round.
    pub(super) fn told(&self) -> Instant {
        self.told
    }

    fn open_all(&mut self) {
        let mut envelopes = std::mem::take(&mut self.envelopes);
        match self.logged {
            None => envelopes.drain(..).for_each(|it| self.guarded(|room| room.open(it, None))),
            Some(_) => {
                envelopes.drain(..).for_each(|envelope| self.take_logged(envelope));
                self.append_waiting();
            }
        }
        self.envelopes = envelopes;
    }

    /// Runs something that may panic. The room ends if that happens while a fact is applied.
    pub(super) fn guarded(&mut self, action: impl FnOnce(&mut Executor)) {
        if catch_unwind(AssertUnwindSafe(|| action(self))).is_ok() {
            return;
        }
        match self.torn.take() {
            None => tracing::error!(room = %self.name, "a post panicked and was dropped"),
            Some(next_id) => self.end_torn(next_id),
        }
    }

    /// Carries out a post. `asked` is its op, if that was fixed before.
    pub(super) fn open(&mut self, envelope: Envelope, asked: Option<(By, Op)>) {
        match envelope {
            Envelope::Op { by, op, answered } => {
                let result = self.carry_out(by, op);
                self.answer_waiting(answered, result);
            }
            Envelope::Join { coming, answered } => {
                let (by, op) = asked.unwrap_or_else(|| coming.joins(0));
                let result = self.join(coming, by, op);
                self.answer_waiting(answered, result);
            }
            Envelope::Resume { coming, last, answered } => {
                let (by, op) = asked.unwrap_or_else(|| coming.is_back(0));
                let result = self.resume(coming, last, by, op);
                self.answer_later(answered, result);
            }
            Envelope::Leave { session, going } => {
                let (by, op) = asked.unwrap_or_else(|| self.leaves(session, &going));
                self.leave(session, going, by, op);
            }
            Envelope::Say { session, speeches, answered } => {
                let by = asked.map_or_else(|| By::of(&session), |(by, _)| by);
                let result = self.say(&session, by, speeches);
                self.answer_waiting(answered, result);
            }
            // Only for a room with a log, which takes it before.
            Envelope::Entry(_)
            | Envelope::Reload(_)
            | Envelope::LetGo { .. }
            | Envelope::Offer { .. }
            | Envelope::LogLost { .. }
            | Envelope::LogAway => {}
            Envelope::Ask { session, outbox, question, nonce, answered } => {
                self.answer(&session, &outbox, question, nonce.as_deref());
                self.answer_later(answered, Ok(()));
            }
            Envelope::Recall { span, answer, recalled } => self.recall(span, answer, &recalled),
            Envelope::Remember { told } => {
                // The requester is waiting for it.
                let _ = told.send(self.history.remembered(self.batch.events()));
            }
            Envelope::Bearers { told } => {
                // The requester is waiting for it.
                let _ = told.send(self.state.members().in_order().map(Bearer::of).collect());
            }
            Envelope::Bearer { name, told } => {
                // The requester is waiting for it.
                let _ = told.send(self.state.members().bearer(&name).map(Bearer::of));
            }
            Envelope::Attendance { told } => {
                // The requester is waiting for it.
                let _ = told.send(self.state.class().attendance());
            }
            Envelope::Hide { session, hidden, answered } => {
                let result = self.hide(session, hidden);
                self.answer_later(answered, result);
            }
            Envelope::Settle { answered } => self.answer_later(answered, Ok(())),
            Envelope::ForgetSaid { name } => self.history.forget_said(name.as_deref()),
            Envelope::ForgetHalf => self.history.forget_half(),
            Envelope::ForgetRenderings => self.history.forget_renderings(),
            Envelope::Stop { done } => {
                self.stopped = Some(done);
                // A room that has ended has no members.
                let _ = self.carry_out(By::Time, Op::Stop);
                self.bury_members();
            }
        }
    }

    /// Sends the result of a post to the waiting thread, after everyone else got theirs.
    pub(super) fn answer_later(&mut self, answered: Answered, result: Result<(), Refusal>) {
        self.answers.push((answered, result));
    }

    /// The same, if a thread is waiting.
    pub(super) fn answer_waiting(
        &mut self,
        answered: Option<Answered>,
        result: Result<(), Refusal>,
    ) {
        self.answers.extend(answered.map(|answered| (answered, result)));
    }

    /// Decides an op, and carries out the result.
    pub(super) fn carry_out(&mut self, by: By, op: Op) -> Result<(), Refusal> {
        self.check_bearer(by, &op)?;
        let facts = self.state.decide(by, op, self.time)?;
        facts.into_iter().for_each(|fact| self.take_in(fact));
        Ok(())
    }

    /// Applies a fact to the state, then does what it means for the members, and announces it.
    pub(super) fn take_in(&mut self, fact: Fact) {
        self.torn = Some(self.state.next_id());
        self.keep_nonces(&fact.change);
        self.state.apply(&fact);
        match fact.change {
            Change::Said { session, rendered_bytes, .. } => {
                self.push_said(fact, session, rendered_bytes);
            }
            _ => {
                self.changed = true;
                self.follow(fact);
            }
        }
        self.torn = None;
    }

    /// Stores the nonces of leaving members in their sessions.
    fn keep_nonces(&self, change: &Change) {
        match change {
            Change::Left { session, .. } | Change::Kicked { session, .. } => {
                if let Some(member) = self.members.of(*session) {
                    self.keep_nonces_of(&member.session);
                }
            }
            Change::Ended { .. } => {
                self.members.iter().for_each(|member| self.keep_nonces_of(&member.session));
            }
            _ => {}
        }
    }

    pub(super) fn keep_nonces_of(&self, session: &Session) {
        if let Some(nonces) = self.state.nonces(session.number) {
            session.keep_nonces(nonces);
        }
    }

    fn push_said(&mut self, fact: Fact, session: u64, rendered_bytes: usize) {
        if let Some(recording) = &mut self.recording {
            recording.note_attended(&fact.change, self.state.class());
        }
        self.last_said.store(fact.id.unwrap_or_default(), Ordering::Relaxed);
        let nonce = match &fact.change {
            Change::Said { nonce, .. } if self.is_durable() => nonce.clone(),
            _ => None,
        };
        if let Some(event) = fact.into_event(&self.name) {
            if let Some(recording) = &mut self.recording {
                recording.note_cause(session, nonce);
            }
            self.batch.push_said(event, session, rendered_bytes);
        }
    }

    /// Passes the attendance of a room that has ended to the lesson.
    pub(super) fn keep_attendance(&self) {
        self.lesson.keep_attendance(&self.name, self.state.next_id(), self.state.class());
    }

    /// Does what a change of the state means for the members, and announces it.
    fn follow(&mut self, fact: Fact) {
        let is_told = fact.id.is_some();
        let kicked = match fact.change {
            Change::Kicked { session, .. } => Some(session),
            _ => None,
        };
        let has_ended = matches!(fact.change, Change::Ended { .. });
        // Of a room that several machines share, only this machine's part may have ended.
        if has_ended && self.logged.is_none() {
            self.keep_attendance();
        }
        self.follow_before_event(&fact.change);
        if let Some(recording) = &mut self.recording {
            recording.note_change(&fact, self.stopped.is_some());
            recording.note_attended(&fact.change, self.state.class());
        }
        let by = fact.change.session();
        if let Some(event) = fact.into_event(&self.name) {
            if let Some(recording) = &mut self.recording {
                recording.note_cause(by, None);
            }
            self.batch.push(event, 0);
        }
        if let Some(session) = kicked {
            self.see_kicked_off(session);
        }
        match has_ended {
            true if is_told => self.end(),
            // If acks are owed, goodbyes must follow them, so the server sends these.
            true if self.is_durable() => self.let_all_go(),
            true => self.dismiss_all(Goodbye::Shutdown),
            false => {}
        }
    }

    fn follow_before_event(&mut self, change: &Change) {
        match change {
            Change::Left { session, .. } => self.take_out(*session, self.batch_len()),
            // Its session is another machine's now.
            Change::Back { session, origin, .. } if *origin != self.origin() => {
                self.see_move_away(*session);
            }
            Change::Renamed { .. } => self.members.forget_listed(),
            Change::Forgotten { name } => self.forget(name.as_ref()),
            Change::Owner { session, .. } => {
                if let Some(member) = self.members.of(*session) {
                    member.session.own(self.handle.clone());
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_lobby(&self) -> bool {
        &*self.name == LOBBY
    }

    fn hide(&mut self, session: u64, hidden: Arc<[Hidden]>) -> Result<(), Refusal> {
        let (to, now) = (self.batch_len(), self.now);
        let member = self.members.touch(session).ok_or(Refusal::NoMember)?;
        // Earlier events of this round are sent in the previous form.
        member.tell(&mut self.batch, to, now);
        (member.from, member.earlier, member.answers) = (to, Vec::new(), Vec::new());
        member.hidden = hidden;
        Ok(())
    }

    /// Has these events in the history, and no others.
    pub(super) fn remember(&mut self, events: Vec<Event>) {
        self.history.forget_said(None);
        let said = events.iter().rev().find(|event| event.is_said());
        said.into_iter().for_each(|event| self.last_said.store(event.id(), Ordering::Relaxed));
        self.history.extend(with_sizes(events));
        self.note_dropped();
    }

    /// Offers the batch to everyone, and adds it to the history.
    pub(super) fn tell(&mut self) {
        let (to, now) = (self.batch_len(), self.now);
        self.members.tell(&mut self.batch, to, now);
        for leaver in &self.leavers {
            leaver.tell(&mut self.batch, now);
        }
        self.leavers.clear();
        if to > 0 {
            self.happened_at.store(self.time.as_millis(), Ordering::Relaxed);
        }
        let mut events = self.batch.drain();
        match &mut self.recording {
            None => self.history.extend(events),
            Some(recording) => {
                // A busy round has more events than the history keeps; only those are copied.
                let passed_over = events.len().saturating_sub(history::EVENTS);
                events.by_ref().take(passed_over).for_each(|(event, _)| recording.note(event));
                self.history.extend(events.inspect(|(event, _)| recording.note(event.clone())));
            }
        }
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.send(());
        }
    }

    pub(super) fn batch_len(&self) -> u32 {
        u32::try_from(self.batch.len()).expect("a round is far below 2^32 events")
    }
}

fn with_sizes(events: Vec<Event>) -> impl ExactSizeIterator<Item = (Event, usize)> {
    events.into_iter().map(|event| {
        let encoded_bytes = event.encoded_bytes();
        (event, encoded_bytes)
    })
}
