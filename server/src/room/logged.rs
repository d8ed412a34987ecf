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

use std::{collections::VecDeque, sync::Arc, time::Duration};

use madang_protocol::{event::Time, notice::Goodbye};

use super::{
    envelope::Envelope,
    executor::Executor,
    log::{EntryBody, EntryError, LogEntry, RoomLog, Snapshot},
    op::{By, Op},
    refusal::Refusal,
};

/// The most that an entry holds, but for one op.
const ENTRY_BYTES: usize = 64 * 1_024;

/// After so many entries, the room's state is kept.
const ENTRIES: u64 = 1_000;

/// And for so long after it was kept, it is not kept again for anything less.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// What a room with a log has beside what every room has.
pub(super) struct Logged {
    log: Arc<dyn RoomLog>,
    /// The number of the last entry that was carried out.
    last: u64,
    /// When the state was kept last by this machine.
    kept: Time,
    waiting: VecDeque<Envelope>,
    in_flight: Option<InFlight>,
}

/// What was appended, and is not heard yet.
struct InFlight {
    seq: u64,
    posts: Vec<Post>,
}

/// Something posted; an op with its requester, as they are in the entry.
struct Post {
    envelope: Envelope,
    asked: Option<(By, Op)>,
}

impl Logged {
    /// Of a room that has carried out the entries up to `last`.
    pub(super) fn new(log: Arc<dyn RoomLog>, last: u64, now: Time) -> Logged {
        Logged { log, last, kept: now, waiting: VecDeque::new(), in_flight: None }
    }
}

impl Executor {
    /// Takes what is posted to a room that has a log.
    pub(super) fn take_logged(&mut self, envelope: Envelope) {
        match envelope {
            Envelope::Entry(entry) => self.hear(&entry),
            Envelope::LogLost => self.lose_log(),
            Envelope::ForgetSaid { .. } | Envelope::ForgetHalf | Envelope::ForgetRenderings => {
                self.guarded(|room| room.open(envelope, None));
            }
            _ => self.logged().waiting.push_back(envelope),
        }
    }

    /// Has the log take what waits, unless something is in flight.
    pub(super) fn append_waiting(&mut self) {
        while self.logged().in_flight.is_none()
            && let Some(envelope) = self.logged().waiting.pop_front()
        {
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
                let Some(next) = self.logged().waiting.pop_front() else { break };
                post = self.post_of(next);
            }
            let logged = self.logged();
            let seq = logged.log.append(body.into_bytes());
            logged.in_flight = Some(InFlight { seq, posts });
        }
    }

    /// With what is asked in it, if it asks for a change of the state.
    fn post_of(&self, envelope: Envelope) -> Post {
        let asked = match &envelope {
            Envelope::Op { by, op, .. } => Some((*by, op.clone())),
            Envelope::Join { coming, .. } => Some(coming.joins()),
            Envelope::Resume { coming, .. } => Some(coming.is_back()),
            Envelope::Leave { session, going } => Some(self.leaves(*session, going)),
            Envelope::Say { session, speeches } => {
                Some((By::of(session), Op::Say(speeches.clone())))
            }
            _ => None,
        };
        Post { envelope, asked }
    }

    /// Carries out what follows from an op on this machine alone: at once, or, where the op
    /// came from a log, in the next entry. Nothing that the requester asks for afterwards can
    /// stand before it.
    pub(super) fn follow_up(&mut self, by: By, op: Op) -> Result<(), Refusal> {
        let Some(logged) = &mut self.logged else { return self.carry_out(by, op) };
        logged.waiting.push_back(Envelope::Op { by, op, answered: None });
        Ok(())
    }

    /// Carries out an entry.
    fn hear(&mut self, entry: &LogEntry) {
        let logged = self.logged();
        // What was heard twice is carried out once.
        if entry.number != logged.last + 1 {
            return;
        }
        logged.last = entry.number;
        let is_own = entry.origin == logged.log.origin();
        let own = logged.in_flight.take_if(|in_flight| is_own && in_flight.seq == entry.seq);
        self.time = entry.time;
        match own {
            Some(InFlight { posts, .. }) => {
                for Post { envelope, asked } in posts {
                    self.guarded(|room| room.open(envelope, asked));
                }
            }
            None => match entry.ops() {
                Ok(ops) => {
                    for (by, op) in ops {
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
            let next_id = self.state.next_id();
            return self.logged().log.end(next_id);
        }
        self.keep_state(entry, is_own);
    }

    /// Keeps the state for whoever opens the room later, if that falls to this machine: to
    /// the one whose entry was the last.
    fn keep_state(&mut self, entry: &LogEntry, is_own: bool) {
        let logged = self.logged();
        let is_due =
            entry.number.is_multiple_of(ENTRIES) || entry.time.since(logged.kept) >= KEPT_FOR;
        if !is_own || !is_due {
            return;
        }
        let snapshot = self.snapshot();
        let logged = self.logged();
        logged.kept = entry.time;
        logged.log.keep(snapshot);
    }

    /// What the room is now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let entry = self.logged.as_ref().map_or(0, |logged| logged.last);
        let events = self.history.events().chain(self.batch.events()).cloned().collect();
        Snapshot { entry, time: self.time, state: self.state.clone(), events }
    }

    /// Ends this machine's part in a room whose log takes nothing from it any more.
    fn lose_log(&mut self) {
        tracing::error!(room = %self.name, "the room's log is lost; this machine leaves the room");
        let logged = self.logged();
        // Whoever waits is told that the room has ended.
        (logged.in_flight, logged.waiting) = (None, VecDeque::new());
        self.guarded(|room| {
            let _ = room.carry_out(By::Time, Op::Stop);
        });
    }

    /// Ends this machine's part in a room whose entries it can't read.
    fn lose_track(&mut self, error: &EntryError) {
        tracing::error!(room = %self.name, "{error}; this machine leaves the room");
        self.dismiss_all(Goodbye::Internal);
    }

    fn logged(&mut self) -> &mut Logged {
        self.logged.as_mut().expect("asked only where there is a log")
    }
}
