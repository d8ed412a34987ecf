//! The queue for the disk: writes in order, and the acks owed once they are saved. Rooms hand
//! over and never wait; one thread takes. Uses no database, and no clock except for deadlines.
//!
//! 1. Each debt MUST be paid once: by the commit it waits for, or by whoever finds it
//!    overdue, never by both.
//! 2. Handing over MUST NOT block: what has no space in bad times becomes a hole, which is
//!    recorded when times are good again. In good times speakers wait before they post; for an
//!    archive nobody waits, so that it may have a hole in good times too.
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

/// Beyond this size, speakers in saved rooms wait.
pub(crate) const MOST_BYTES: usize = 4 * 1_024 * 1_024;

/// Beyond this size, an archive's oldest events become holes.
pub(crate) const MOST_ARCHIVE_BYTES: usize = 64 * 1_024 * 1_024;

/// How long an ack may be owed before it is sent without a promise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What a write counts in addition to its text.
const WRITE_BYTES: usize = size_of::<Write>();

/// What a member is owed once its line is saved.
pub(crate) trait Owed: Send + 'static {
    /// Tells the member whether it is saved.
    fn pay(self, is_durable: bool);
}

/// The queue.
pub(crate) struct WriteQueue<O> {
    state: Mutex<QueueState<O>>,
    /// Signalled when there is something to take, or at the end.
    filled: Condvar,
    /// Signalled when there is space again.
    emptied: Condvar,
}

struct QueueState<O> {
    most_bytes: usize,
    /// Whether speakers wait for space.
    is_waited_for: bool,
    waiting: VecDeque<Write>,
    waiting_bytes: usize,
    taken_bytes: usize,
    owed: VecDeque<Debt<O>>,
    /// Since when the disk has completed nothing although something is waiting.
    stuck_since: Option<Instant>,
    /// Whether a [check](WriteQueue::look) for overdue acks is scheduled.
    is_watched: bool,
    /// The number of the next batch.
    next_batch: u64,
    /// Events dropped for lack of space, by room and first id: the last id.
    holes: BTreeMap<(u64, u64), u64>,
    lost_events: u64,
    /// Each with the number of the last batch that holds what was handed over before.
    errands: Vec<(u64, Errand)>,
    is_degraded: bool,
    is_closing: bool,
}

struct Debt<O> {
    /// The batch that it waits for.
    batch: u64,
    since: Instant,
    owed: O,
}

/// What the writer has to do next.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Write this.
    Batch(WriteBatch),
    /// Carry this out.
    Errand(Errand),
    /// Nothing: there is time to tidy up.
    Idle,
    /// The end has come, and nothing is left.
    End,
}

/// A request to delete messages.
#[derive(Debug)]
pub(crate) struct Errand {
    /// The name of the room.
    pub(crate) room: RoomName,
    /// Only messages of this person, if given.
    pub(crate) name: Option<UserName>,
    /// Receives the number of deleted events, or the error.
    pub(crate) done: Sender<Result<usize, String>>,
}

/// The result of handing over.
pub(crate) struct HandedOver<O> {
    /// Acks that can't promise anything, to be sent at once.
    pub(crate) unpromised: Vec<O>,
    /// When to check for overdue acks, if no check is scheduled.
    pub(crate) look_at: Option<Instant>,
}

/// The result of a check for overdue acks.
pub(crate) struct Overdue<O> {
    /// Acks that can't promise anything any more.
    pub(crate) owed: Vec<O>,
    /// Whether the disk was fine until now.
    pub(crate) has_begun: bool,
    /// When to check again, if anything is left.
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
    /// One that speakers wait for.
    fn default() -> Self {
        WriteQueue::with(MOST_BYTES, true)
    }
}

impl<O> WriteQueue<O> {
    /// The queue of an archive, which nobody waits for but threads of its own.
    pub(crate) fn of_archive() -> WriteQueue<O> {
        WriteQueue::with(MOST_ARCHIVE_BYTES, false)
    }

    fn with(most_bytes: usize, is_waited_for: bool) -> WriteQueue<O> {
        let state = QueueState {
            most_bytes,
            is_waited_for,
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
    /// Takes over the writes of a round, and the acks owed for it.
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

    /// Requests a deletion, to be done after the queued writes.
    pub(crate) fn send_on_errand(&self, errand: Errand) {
        let mut state = self.state.lock();
        let after = state.next_batch;
        state.errands.push((after, errand));
        self.filled.notify_all();
    }

    /// Blocks while the disk can't keep up; not while it fails, because waiting would not help.
    pub(crate) fn wait_for_space(&self) {
        let mut state = self.state.lock();
        while state.bytes() > MOST_BYTES && !state.is_degraded && !state.is_closing {
            self.emptied.wait(&mut state);
        }
    }

    /// Takes everything queued, at `not_before` or, at the end, at once; waits until there is
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
            } else if state
                .errands
                .last()
                .is_some_and(|(after, _)| is_empty || *after < state.next_batch)
            {
                let (_, errand) = state.errands.pop().expect("there is one");
                return Taken::Errand(errand);
            } else if !state.errands.is_empty() {
                break;
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
        // After the opening of the rooms that these are in.
        writes.extend(holes);
        let bytes = mem::take(&mut state.waiting_bytes);
        state.taken_bytes = bytes;
        let number = state.next_batch;
        state.next_batch += 1;
        Taken::Batch(WriteBatch { number, bytes, writes })
    }

    /// The batch is saved: returns the acks to send for it, and whether the disk was failing
    /// until now.
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

    /// The batch is not saved and is queued again, before everything else. Returns acks that
    /// can't promise anything any more, and whether the disk was fine until now.
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

    /// Checks for overdue acks: the disk counts as failing if an ack was owed, or nothing was
    /// completed, for too long.
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

    /// The size of the queue in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().bytes()
    }

    /// How many events were dropped for lack of space.
    pub(crate) fn lost_events(&self) -> u64 {
        self.state.lock().lost_events
    }

    /// Whether acks can't promise anything.
    pub(crate) fn is_degraded(&self) -> bool {
        self.state.lock().is_degraded
    }

    /// The rest is written once more, then the thread ends.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Whether the end was requested.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    /// Waits until `until`, or until the end is requested.
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
    /// When the disk counts as failing unless it completes something.
    fn overdue_at(&self) -> Option<Instant> {
        let owed_since = self.owed.front().map(|debt| debt.since);
        let since = owed_since.into_iter().chain(self.stuck_since).min();
        since.map(|since| since + PATIENCE)
    }

    fn bytes(&self) -> usize {
        self.waiting_bytes + self.taken_bytes
    }

    fn is_full(&self) -> bool {
        self.bytes() > self.most_bytes
    }

    /// While the disk fails, or if nobody waits for it, replaces the oldest events by gaps until
    /// the rest fits.
    fn make_space(&mut self) {
        if !self.is_degraded && self.is_waited_for {
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
                // The person's next action in the lesson records all of it again.
                Write::Attended { .. } => self.waiting_bytes -= bytes(&write),
                // There are few of these, and later writes depend on them.
                _ => kept.push_back(write),
            }
        }
        while let Some(write) = kept.pop_back() {
            self.waiting.push_front(write);
        }
    }

    /// Records a gap, merged with adjacent ones.
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
        Write::Event { event: Event::Said { text, .. }, .. } => text.len(),
        Write::Event { event, .. } => event.encoded_bytes(),
        Write::State { state, .. } => state.len(),
        Write::Lesson { fact } => fact.len(),
        Write::Attended { name, .. } => name.len(),
        _ => 0,
    };
    WRITE_BYTES + carried
}
