//! How a room whose ops get their order in a [log](RoomLog) is pumped. What is posted waits:
//! first for what is in flight, then, as the next entry, to be heard. Then it is carried out as
//! it is alone, by the entry's time; what is heard of other machines is carried out between.
//!
//! # Guarantees
//!
//! 1. What is decided follows from the entries alone: the requester, the op and its time are
//!    fixed when the entry is appended.
//! 2. One entry is in flight; what is posted meanwhile is the next.
//! 3. A question keeps its place: it is answered after what was posted before has been heard.
//! 4. While the log can't be reached, nothing is lost that was acknowledged, and nothing is
//!    taken: what is in flight stays so until its outcome is known, and the rest is refused.
//! 5. A speaker waits while much waits for the log; nobody else does.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::Time,
    notice::{Goodbye, Notice},
};

use super::{
    POST_BYTES,
    envelope::{Envelope, Going},
    executor::Executor,
    gate::Gate,
    log::{EntryBody, EntryError, LogEntry, RoomLog, Snapshot},
    mailbox::MAILBOX_BYTES,
    op::{By, Op},
    refusal::Refusal,
};
use crate::{clock, session::Session};

/// The most that an entry holds, but for one op.
const ENTRY_BYTES: usize = 64 * 1_024;

/// For so long after the state was kept, fewer entries than that takes don't have it kept again.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// What a room with a log has beside what every room has.
pub(super) struct Logged {
    pub(super) log: Arc<dyn RoomLog>,
    /// The number of the last entry that was carried out.
    last: u64,
    /// The number of the last entry of each machine that was carried out.
    heard: BTreeMap<u64, u64>,
    /// The server whose entry is carried out.
    heard_from: u64,
    /// When the state was kept last by this machine, and how many bytes of entries followed.
    kept: Time,
    unkept_bytes: u64,
    waiting: VecDeque<Envelope>,
    /// What that counts, as the mailbox counts it.
    waiting_bytes: usize,
    in_flight: Option<InFlight>,
    /// Whether the log can't be reached.
    is_away: bool,
    /// Whether this machine has ended its part.
    is_let_go: bool,
    /// Whether the others take this machine for dead.
    is_dead: bool,
    /// Whether the entry has something forgotten.
    pub(super) forgets: bool,
    pub(super) gate: Arc<Gate>,
}

/// What was appended, and is not heard yet.
pub(super) struct InFlight {
    seq: u64,
    since: Instant,
    posts: Vec<Post>,
}

/// Something posted; an op with its requester, as they are in the entry.
struct Post {
    envelope: Envelope,
    asked: Option<(By, Op)>,
}

impl Logged {
    /// Of a room that has carried out the entries up to `last`.
    pub(super) fn new(
        log: Arc<dyn RoomLog>,
        last: u64,
        heard: BTreeMap<u64, u64>,
        now: Time,
    ) -> Logged {
        Logged {
            heard_from: log.origin(),
            log,
            last,
            heard,
            kept: now,
            unkept_bytes: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            in_flight: None,
            is_away: false,
            is_let_go: false,
            is_dead: false,
            forgets: false,
            gate: Arc::default(),
        }
    }

    /// The number of the last entry that was carried out.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Goes on after the entry `last`; returns what was in flight and is heard there.
    pub(super) fn go_on_from(
        &mut self,
        last: u64,
        now: Time,
        heard: BTreeMap<u64, u64>,
    ) -> Option<InFlight> {
        let own = heard.get(&self.log.origin()).copied().unwrap_or_default();
        (self.last, self.heard, self.kept) = (last, heard, now);
        self.in_flight.take_if(|in_flight| in_flight.seq <= own)
    }

    /// A member of this machine was removed.
    pub(super) fn note_removed(&self, session: &Session) {
        if session.token.is_some() {
            self.log.note_removed(session.number);
        }
    }

    /// A machine has appended its last entry: it is gone.
    fn forget_buried(&mut self, op: &Op) {
        if let Op::Buried(origin) = op {
            self.heard.remove(origin);
        }
    }

    fn push(&mut self, envelope: Envelope) {
        self.waiting_bytes += waiting_bytes(&envelope);
        self.waiting.push_back(envelope);
    }

    fn pop(&mut self) -> Option<Envelope> {
        let envelope = self.waiting.pop_front()?;
        self.waiting_bytes -= waiting_bytes(&envelope);
        Some(envelope)
    }
}

impl InFlight {
    /// The entry's body, as it was appended.
    fn body(&self) -> Vec<u8> {
        let mut body = EntryBody::new();
        self.posts.iter().flat_map(|post| &post.asked).for_each(|(by, op)| body.push(*by, op));
        body.into_bytes()
    }

    pub(super) fn into_envelopes(self) -> impl Iterator<Item = Envelope> {
        self.posts.into_iter().map(|post| post.envelope)
    }
}

impl Executor {
    /// Takes what is posted to a room that has a log.
    pub(super) fn take_logged(&mut self, envelope: Envelope) {
        match envelope {
            _ if self.logged().is_let_go => self.guarded(|room| room.turn_away(envelope)),
            Envelope::LetGo { answered } => {
                let result = self.let_go();
                self.answer_later(answered, result);
            }
            Envelope::Entry(entry) => self.hear(&entry),
            Envelope::Offer { done } => {
                let (name, snapshot) = (self.name.clone(), self.snapshot());
                let Logged { log, in_flight, .. } = self.logged();
                log.offer(&name, snapshot);
                if let Some(in_flight) = in_flight {
                    // The log may have had it, and lost it before anybody heard it.
                    log.append_again(in_flight.seq, in_flight.body());
                }
                // The requester is waiting for it.
                let _ = done.send(());
            }
            Envelope::Reload(snapshot) => self.guarded(|room| room.reload(*snapshot)),
            Envelope::LogLost { is_dead } => self.lose_log(is_dead),
            Envelope::LogAway => self.miss_log(),
            Envelope::ForgetSaid { .. } | Envelope::ForgetHalf | Envelope::ForgetRenderings => {
                self.guarded(|room| room.open(envelope, None));
            }
            // It is sent again to another machine.
            Envelope::Say { .. } if self.logged().is_dead => {}
            _ if self.logged().is_away => self.guarded(|room| room.take_while_away(envelope)),
            _ => self.logged().push(envelope),
        }
    }

    /// Ends this machine's part in a room that has no members here and asks for nothing.
    fn let_go(&mut self) -> Result<(), Refusal> {
        // It may fall to this machine to end a mute.
        let is_needed = !self.members.is_empty() || self.state.timed_mutes().next().is_some();
        let logged = self.logged();
        if is_needed || logged.in_flight.is_some() || !logged.waiting.is_empty() {
            return Err(Refusal::Unavailable);
        }
        logged.is_let_go = true;
        logged.log.unfollow();
        Ok(())
    }

    /// Lets somebody leave a room that was let go. Others who wait for an answer get none, and
    /// find that the room is gone.
    fn turn_away(&mut self, envelope: Envelope) {
        if let Envelope::Leave { session, going: Going::Ends(ending) } = envelope {
            self.end_connection(session, ending);
        }
    }

    /// Whether nothing is carried out here any more.
    pub(super) fn is_over(&self) -> bool {
        self.state.has_ended() || self.logged.as_ref().is_some_and(|logged| logged.is_let_go)
    }

    /// Refuses what would change a room whose log can't be reached; only whoever leaves does
    /// so, and the others are told when it is back. Questions are answered.
    fn take_while_away(&mut self, envelope: Envelope) {
        match envelope {
            Envelope::Say { session, speeches, answered } => {
                self.refuse_in_place(&session, &speeches, Refusal::Unavailable);
                if let Some(answered) = answered {
                    self.answer_later(answered, Err(Refusal::Unavailable));
                }
            }
            Envelope::Op { answered: Some(answered), .. }
            | Envelope::Join { answered: Some(answered), .. }
            | Envelope::Resume { answered, .. } => {
                self.answer_later(answered, Err(Refusal::Unavailable));
            }
            Envelope::Leave { session, going } => {
                let (by, op) = self.leaves(session, &going);
                self.take_out(session, self.batch_len());
                match going {
                    Going::Ends(ending) => self.end_connection(session, ending),
                    Going::Moves(answered) => self.answer_later(answered, Ok(())),
                    Going::Expires => {}
                }
                self.logged().push(Envelope::Op { by, op, answered: None });
            }
            Envelope::Op { .. } | Envelope::Join { .. } => self.logged().push(envelope),
            _ => self.open(envelope, None),
        }
    }

    /// The log can't be reached, and something is in flight: that is heard some time, and what
    /// was not appended is refused.
    fn miss_log(&mut self) {
        let logged = self.logged();
        if logged.in_flight.is_none() || std::mem::replace(&mut logged.is_away, true) {
            return;
        }
        for envelope in std::mem::take(&mut logged.waiting) {
            self.guarded(|room| room.take_while_away(envelope));
        }
        let logged = self.logged();
        logged.waiting_bytes = logged.waiting.iter().map(waiting_bytes).sum();
        self.remark(&Notice::ServersAway);
    }

    /// The log can be reached, perhaps again.
    pub(super) fn note_log_is_back(&mut self) {
        if std::mem::take(&mut self.logged().is_away) {
            self.remark(&Notice::ServersBack);
        }
    }

    /// Tells all members of this machine something that concerns them alone.
    fn remark(&self, notice: &Notice<'_>) {
        for member in self.members.iter() {
            member.session.remark(|answer| answer.notice(notice));
        }
    }

    /// Has the log take what waits, unless something is in flight.
    pub(super) fn append_waiting(&mut self) {
        loop {
            if self.state.has_ended() {
                // The log takes nothing any more: what came in the round in which the room ended.
                self.answer_rest();
            }
            let logged = self.logged();
            let Some(envelope) = logged.in_flight.is_none().then(|| logged.pop()).flatten() else {
                break;
            };
            let mut post = self.post_of(envelope);
            if post.asked.is_none() {
                self.guarded(|room| room.open(post.envelope, None));
                continue;
            }
            let (mut body, mut posts) = (EntryBody::new(), Vec::new());
            loop {
                if let Some((by, op)) = &post.asked {
                    body.push(*by, op);
                }
                posts.push(post);
                if body.len() >= ENTRY_BYTES {
                    break;
                }
                let Some(next) = self.logged().pop() else { break };
                post = self.post_of(next);
            }
            let logged = self.logged();
            let seq = logged.log.append(body.into_bytes());
            logged.in_flight = Some(InFlight { seq, since: clock::steady_now(), posts });
        }
        let has_ended = self.state.has_ended();
        let logged = self.logged();
        logged.gate.set(logged.waiting_bytes > MAILBOX_BYTES && !has_ended);
    }

    /// This machine's server; 0 if it is the only one.
    pub(super) fn origin(&self) -> u64 {
        self.logged.as_ref().map_or(0, |logged| logged.log.origin())
    }

    /// Whether the requester is not connected to the server that asks for it, but to another by
    /// now: nothing is taken from where a session was before, least of all its end.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoMember`].
    pub(super) fn check_bearer(&self, by: By, op: &Op) -> Result<(), Refusal> {
        let Some(logged) = &self.logged else { return Ok(()) };
        let member = by.session().and_then(|session| self.state.member(session));
        let is_elsewhere = member.is_some_and(|member| member.origin != logged.heard_from);
        match op {
            Op::Join { .. } | Op::Arrive { .. } => Ok(()),
            _ if is_elsewhere => Err(Refusal::NoMember),
            _ => Ok(()),
        }
    }

    /// Has the other machines know that this one stops, if there are any: its members leave.
    pub(super) fn bury_members(&mut self) {
        if let Some(logged) = &self.logged {
            let mut body = EntryBody::new();
            body.push(By::Time, &Op::Buried(logged.log.origin()));
            logged.log.append(body.into_bytes());
        }
    }

    /// With what is asked in it, if it asks for a change of the state.
    fn post_of(&self, envelope: Envelope) -> Post {
        let asked = match &envelope {
            Envelope::Op { by, op, .. } => Some((*by, op.clone())),
            Envelope::Join { coming, .. } => Some(coming.joins(self.origin())),
            Envelope::Resume { coming, .. } => Some(coming.is_back(self.origin())),
            Envelope::Leave { session, going } => Some(self.leaves(*session, going)),
            Envelope::Say { session, speeches, .. } => {
                Some((By::of(session), Op::Say(speeches.clone())))
            }
            _ => None,
        };
        Post { envelope, asked }
    }

    /// Carries out what follows from an op on this machine alone: at once, or, where the op
    /// came from a log, first in the next entry.
    pub(super) fn follow_up(&mut self, by: By, op: Op) -> Result<(), Refusal> {
        let Some(logged) = &mut self.logged else { return self.carry_out(by, op) };
        logged.waiting.push_front(Envelope::Op { by, op, answered: None });
        Ok(())
    }

    /// Carries out an entry.
    fn hear(&mut self, entry: &LogEntry) {
        // Perhaps on this machine only, which has lost the log: the room lives on.
        let has_ended = self.state.has_ended();
        let logged = self.logged();
        // What was heard twice is carried out once.
        if entry.number != logged.last + 1 || has_ended {
            return;
        }
        (logged.last, logged.heard_from) = (entry.number, entry.origin);
        logged.heard.insert(entry.origin, entry.seq);
        self.note_log_is_back();
        let logged = self.logged();
        let is_own = entry.origin == logged.log.origin();
        let own = logged.in_flight.take_if(|in_flight| is_own && in_flight.seq == entry.seq);
        self.time = entry.time;
        if entry.ids_above >= self.state.next_id() {
            // A batch has consecutive ids.
            self.tell();
            self.state.raise_ids(entry.ids_above);
        }
        match own {
            Some(InFlight { since, posts, .. }) => {
                self.metrics.cluster.count_hearing(clock::steady_now() - since);
                for Post { envelope, asked } in posts {
                    asked.iter().for_each(|(_, op)| self.logged().forget_buried(op));
                    self.guarded(|room| room.open(envelope, asked));
                }
            }
            None => match entry.ops() {
                Ok(ops) => {
                    for (by, op) in ops {
                        self.logged().forget_buried(&op);
                        // Whoever asked is told why not, on their machine.
                        self.guarded(|room| {
                            let _ = room.carry_out(by, op);
                        });
                    }
                }
                Err(error) => return self.lose_track(&error),
            },
        }
        if self.state.has_ended() && self.stopped.is_none() {
            self.keep_attendance();
            let (next_id, kicks) = (self.state.next_id(), self.state.access().kicks.clone());
            self.logged().log.end(next_id, &kicks);
            return self.answer_rest();
        }
        self.keep_state(entry, is_own);
    }

    /// Answers what is posted to a room that has ended, and is not heard any more.
    fn answer_rest(&mut self) {
        let logged = self.logged();
        let in_flight = logged.in_flight.take().into_iter().flat_map(|it| it.posts);
        let waiting = std::mem::take(&mut logged.waiting).into_iter();
        logged.waiting_bytes = 0;
        let waiting = waiting.map(|envelope| Post { envelope, asked: None });
        for Post { envelope, asked } in in_flight.chain(waiting) {
            self.guarded(|room| room.open(envelope, asked));
        }
    }

    /// Keeps the state for whoever opens the room later, if that falls to this machine: to
    /// the one whose entry was the last.
    fn keep_state(&mut self, entry: &LogEntry, is_own: bool) {
        let logged = self.logged();
        logged.unkept_bytes += entry.body.len() as u64;
        if std::mem::take(&mut logged.forgets) {
            return self.keep_only_state();
        }
        let is_due = entry.number.is_multiple_of(logged.log.entries_kept_after())
            || entry.time.since(logged.kept) >= KEPT_FOR
            || logged.unkept_bytes >= logged.log.bytes_kept_after();
        if !is_own || !is_due {
            return;
        }
        let snapshot = self.snapshot();
        let logged = self.logged();
        (logged.kept, logged.unkept_bytes) = (entry.time, 0);
        logged.log.keep(snapshot);
    }

    /// What the room is now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let logged = self.logged.as_ref();
        let entry = logged.map_or(0, |logged| logged.last);
        let heard = logged.map(|logged| logged.heard.clone()).unwrap_or_default();
        let events = self.history.events().chain(self.batch.events()).cloned().collect();
        Snapshot { entry, time: self.time, state: self.state.clone(), events, heard }
    }

    /// Ends this machine's part in a room whose log takes nothing from it any more.
    fn lose_log(&mut self, is_dead: bool) {
        tracing::error!(room = %self.name, "the room's log is lost; this machine leaves the room");
        let logged = self.logged();
        // Whoever waits is told that the room has ended.
        (logged.in_flight, logged.waiting, logged.waiting_bytes) = (None, VecDeque::new(), 0);
        logged.is_dead = is_dead;
        self.guarded(|room| {
            let _ = room.carry_out(By::Time, Op::Stop);
        });
    }

    /// Ends this machine's part in a room whose entries it can't read.
    fn lose_track(&mut self, error: &EntryError) {
        tracing::error!(room = %self.name, "{error}; this machine leaves the room");
        self.dismiss_all(Goodbye::Internal);
    }

    pub(super) fn logged(&mut self) -> &mut Logged {
        self.logged.as_mut().expect("asked only where there is a log")
    }
}

#[cfg(all(test, feature = "shuttle"))]
impl super::Room {
    /// What the room is now, for models.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.executor.lock().snapshot()
    }
}

/// What something counts while it waits: what speakers say, since only they are held back.
fn waiting_bytes(envelope: &Envelope) -> usize {
    match envelope {
        Envelope::Say { speeches, .. } => {
            speeches.iter().map(|speech| POST_BYTES + speech.rendered_bytes).sum()
        }
        _ => 0,
    }
}
