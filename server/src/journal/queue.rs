//! What waits for the disk: writes in the order in which they happened, and the acks that
//! are owed once these are on it. Rooms hand over and never wait; one thread takes. Knows
//! no database and no clock but deadlines.
//!
//! 1. Each debt MUST be paid once: by the commit it waits for, or by whoever finds it
//!    overdue, never by both.
//! 2. Handing over MUST NOT block: what has no space in bad times becomes a hole, which is
//!    recorded when times are good again. In good times speakers wait before they post.
//! 3. A debt MUST NOT be paid as durable unless the commit that holds its event succeeded.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use madang_protocol::{event::Event, name::UserName, room::RoomName};

use super::store::Write;
use crate::sync::{Condvar, Mutex};

/// While more waits, who says something in a recorded room waits too.
pub(crate) const MOST_BYTES: usize = 4 * 1_024 * 1_024;

/// How long an ack may be owed before its member is told that the line is not safe.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What a write takes beside its event.
const WRITE_BYTES: usize = 64;

/// What a member is owed once its line is on the disk.
pub(crate) trait Owed: Send + 'static {
    /// Tells the member whether it is.
    fn pay(self, is_durable: bool);
}

/// What waits for the disk.
pub(crate) struct WriteQueue<O> {
    state: Mutex<QueueState<O>>,
    /// Something is there to be taken, or the end has come.
    filled: Condvar,
    /// There is space again.
    emptied: Condvar,
}

struct QueueState<O> {
    waiting: VecDeque<Write>,
    waiting_bytes: usize,
    taken_bytes: usize,
    owed: VecDeque<Debt<O>>,
    /// Since when the disk has got nothing done although something waits for it.
    stuck_since: Option<Instant>,
    /// Whether somebody will [look](WriteQueue::look) for what is overdue.
    is_watched: bool,
    /// The number that the next batch gets.
    next_batch: u64,
    /// What found no space, by room and first id: the last id.
    holes: BTreeMap<(u64, u64), u64>,
    lost_events: u64,
    errands: Vec<Errand>,
    is_degraded: bool,
    is_closing: bool,
}

struct Debt<O> {
    /// The batch that pays it.
    batch: u64,
    since: Instant,
    owed: O,
}

/// What the one who writes has to do next.
#[derive(Debug)]
pub(crate) enum Taken {
    /// To write this.
    Batch(WriteBatch),
    /// To carry this out.
    Errand(Errand),
    /// Nothing: there is time to tidy up.
    Idle,
    /// The end has come, and nothing is left.
    End,
}

/// Something to be forgotten.
#[derive(Debug)]
pub(crate) struct Errand {
    /// The name of the room.
    pub(crate) room: RoomName,
    /// Only what this person said, if anybody is named.
    pub(crate) name: Option<UserName>,
    /// Told how many events there were, or why nothing was forgotten.
    pub(crate) done: Sender<Result<usize, String>>,
}

/// What became of what was handed over.
pub(crate) struct HandedOver<O> {
    /// What can't be promised: to be paid at once.
    pub(crate) unpromised: Vec<O>,
    /// When somebody has to look for what is overdue, if nobody will.
    pub(crate) look_at: Option<Instant>,
}

/// What whoever looks for what is overdue has found.
pub(crate) struct Overdue<O> {
    /// What can't be promised any more.
    pub(crate) owed: Vec<O>,
    /// Whether times were good until now.
    pub(crate) has_begun: bool,
    /// When to look again, if there is anything to look for.
    pub(crate) look_at: Option<Instant>,
}

/// What is written in one transaction.
#[derive(Debug)]
pub(crate) struct WriteBatch {
    number: u64,
    bytes: usize,
    pub(crate) writes: Vec<Write>,
}

impl<O> Default for WriteQueue<O> {
    fn default() -> Self {
        let state = QueueState {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            taken_bytes: 0,
            owed: VecDeque::new(),
            stuck_since: None,
            is_watched: false,
            next_batch: 0,
            holes: BTreeMap::new(),
            lost_events: 0,
            errands: Vec::new(),
            is_degraded: false,
            is_closing: false,
        };
        WriteQueue { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }
}

impl<O: Owed> WriteQueue<O> {
    /// Takes over what happened in a round, and what is owed for it.
    pub(crate) fn hand_over(
        &self,
        writes: impl IntoIterator<Item = Write>,
        owed: impl IntoIterator<Item = O>,
    ) -> HandedOver<O> {
        let mut state = self.state.lock();
        for write in writes {
            state.waiting_bytes += bytes(&write);
            state.waiting.push_back(write);
        }
        state.make_space();
        self.filled.notify_all();
        if state.is_degraded {
            return HandedOver { unpromised: owed.into_iter().collect(), look_at: None };
        }
        let (batch, since) = (state.next_batch, Instant::now());
        state.owed.extend(owed.into_iter().map(|owed| Debt { batch, since, owed }));
        state.stuck_since.get_or_insert(since);
        let look_at = (!mem::replace(&mut state.is_watched, true)).then(|| since + PATIENCE);
        HandedOver { unpromised: Vec::new(), look_at }
    }

    /// Has something forgotten once what waits is written.
    pub(crate) fn send_on_errand(&self, errand: Errand) {
        self.state.lock().errands.push(errand);
        self.filled.notify_all();
    }

    /// Waits for as long as the disk can't follow; not in bad times, in which nothing would
    /// come of it.
    pub(crate) fn wait_for_space(&self) {
        let mut state = self.state.lock();
        while state.is_full() && !state.is_degraded && !state.is_closing {
            self.emptied.wait(&mut state);
        }
    }

    /// Takes all that waits, at `not_before` or, at the end, at once; waits until there is
    /// something, or until `idle_at`.
    pub(crate) fn take(&self, not_before: Instant, idle_at: Instant) -> Taken {
        let mut state = self.state.lock();
        loop {
            let is_owed = state.owed.back().is_some_and(|debt| debt.batch == state.next_batch);
            let is_empty = state.waiting.is_empty() && state.holes.is_empty() && !is_owed;
            let now = Instant::now();
            if state.is_closing {
                if is_empty {
                    return Taken::End;
                }
                break;
            } else if let Some(errand) = state.errands.pop() {
                return Taken::Errand(errand);
            } else if is_empty && now >= idle_at {
                return Taken::Idle;
            } else if is_empty {
                self.filled.wait_until(&mut state, idle_at);
            } else if now < not_before {
                self.filled.wait_until(&mut state, not_before);
            } else {
                break;
            }
        }
        let holes = mem::take(&mut state.holes).into_iter();
        let holes = holes.map(|((room, first), last)| Write::Hole { room, first, last });
        let mut writes: Vec<_> = state.waiting.drain(..).collect();
        // After the rooms that these are in were opened.
        writes.extend(holes);
        let bytes = mem::take(&mut state.waiting_bytes);
        state.taken_bytes = bytes;
        let number = state.next_batch;
        state.next_batch += 1;
        Taken::Batch(WriteBatch { number, bytes, writes })
    }

    /// The batch is on the disk: returns what is to be paid for it, and whether times were
    /// bad until now.
    pub(crate) fn committed(&self, batch: WriteBatch) -> (Vec<O>, bool) {
        let mut state = self.state.lock();
        state.taken_bytes = 0;
        let was_degraded = mem::take(&mut state.is_degraded);
        state.stuck_since = (!state.waiting.is_empty()).then(Instant::now);
        let count = state.owed.partition_point(|debt| debt.batch <= batch.number);
        let paid = state.owed.drain(..count).map(|debt| debt.owed).collect();
        self.emptied.notify_all();
        (paid, was_degraded)
    }

    /// The batch is not on the disk: it waits again, before all else. Returns what can't be
    /// promised any more, and whether times were good until now.
    pub(crate) fn failed(&self, batch: WriteBatch) -> (Vec<O>, bool) {
        let mut state = self.state.lock();
        state.taken_bytes = 0;
        state.waiting_bytes += batch.bytes;
        for write in batch.writes.into_iter().rev() {
            match write {
                Write::Hole { room, first, last } => state.note_hole(room, first, last),
                write => state.waiting.push_front(write),
            }
        }
        self.degrade(&mut state)
    }

    /// Looks for what is overdue: times are bad if an ack was owed, or the disk got nothing
    /// done, for too long.
    pub(crate) fn look(&self, now: Instant) -> Overdue<O> {
        let mut state = self.state.lock();
        let (owed, has_begun) = match state.overdue_at() {
            Some(at) if now >= at => self.degrade(&mut state),
            _ => (Vec::new(), false),
        };
        let look_at = state.overdue_at();
        state.is_watched = look_at.is_some();
        Overdue { owed, has_begun, look_at }
    }

    /// How much waits, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.state.lock();
        state.waiting_bytes + state.taken_bytes
    }

    /// How many events found no space.
    pub(crate) fn lost_events(&self) -> u64 {
        self.state.lock().lost_events
    }

    /// Whether acks can't promise anything.
    pub(crate) fn is_degraded(&self) -> bool {
        self.state.lock().is_degraded
    }

    /// What waits is written once more, then it ends.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Whether the end has been asked for.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    /// Waits until `until`, or until the end is asked for.
    pub(crate) fn pause(&self, until: Instant) {
        let mut state = self.state.lock();
        while !state.is_closing && Instant::now() < until {
            self.filled.wait_until(&mut state, until);
        }
    }

    fn degrade(&self, state: &mut QueueState<O>) -> (Vec<O>, bool) {
        let were_good = !mem::replace(&mut state.is_degraded, true);
        state.stuck_since = None;
        state.make_space();
        self.emptied.notify_all();
        (state.owed.drain(..).map(|debt| debt.owed).collect(), were_good)
    }
}

impl<O> QueueState<O> {
    /// When times become bad unless the disk gets something done.
    fn overdue_at(&self) -> Option<Instant> {
        let owed_since = self.owed.front().map(|debt| debt.since);
        let since = owed_since.into_iter().chain(self.stuck_since).min();
        since.map(|since| since + PATIENCE)
    }

    fn is_full(&self) -> bool {
        self.waiting_bytes + self.taken_bytes > MOST_BYTES
    }

    /// In bad times, makes holes of the oldest events until the rest fits.
    fn make_space(&mut self) {
        if !self.is_degraded {
            return;
        }
        let mut kept = VecDeque::new();
        while self.is_full()
            && let Some(write) = self.waiting.pop_front()
        {
            match &write {
                Write::Event { room, event, .. } => {
                    self.waiting_bytes -= bytes(&write);
                    self.lost_events += 1;
                    self.note_hole(*room, event.id(), event.id());
                }
                // Whatever somebody does next in the lesson tells all of it again.
                Write::Attended { .. } => self.waiting_bytes -= bytes(&write),
                // Few, and what comes later stands on them.
                _ => kept.push_back(write),
            }
        }
        while let Some(write) = kept.pop_back() {
            self.waiting.push_front(write);
        }
    }

    /// Notes a hole, joined to those that it touches.
    fn note_hole(&mut self, room: u64, mut first: u64, mut last: u64) {
        let before = self.holes.range(..(room, first)).next_back();
        if let Some((&(other, start), &end)) = before
            && (other, end + 1) == (room, first)
        {
            first = start;
        }
        if let Some(end) = self.holes.remove(&(room, last + 1)) {
            last = end;
        }
        self.holes.insert((room, first), last);
    }
}

fn bytes(write: &Write) -> usize {
    let carried = match write {
        Write::Event { event, .. } => Event::encoded_bytes(event),
        Write::State { state, .. } => state.len(),
        Write::Lesson { fact } => fact.len(),
        Write::Attended { name, .. } => name.len(),
        _ => 0,
    };
    WRITE_BYTES + carried
}
