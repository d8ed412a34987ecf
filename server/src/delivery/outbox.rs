//! What waits for one connection. The pump, the drainer and the connection's own
//! thread put in and take out; none of them ever waits for the peer.
//!
//! # Guarantees
//!
//! 1. No call but [`wait_for_space`](Outbox::wait_for_space) and
//!    [`wait_drained`](Outbox::wait_drained) blocks.
//! 2. Nothing is reordered.
//! 3. An entry whose first byte was sent is sent whole, or the connection ends.
//! 4. While anything waits and the connection lives, its socket is armed or
//!    somebody is sending under the lock: no wake-up is lost.
//! 5. Past its bound, the shared entries that were not begun give way to marks, one for
//!    those that follow each other in one room, that tell how many they were: first what
//!    has just happened, then what is replayed; private entries never do.
//! 6. After [`close`](Outbox::close) it accepts nothing; after
//!    [`end`](Outbox::end) it holds nothing.
//! 7. The first [`CloseReason`] stays.

use std::{
    io,
    net::TcpStream,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::event::Event;

pub(crate) use self::bounds::Bounds;
use self::queue::{Body, Queue, Skipped};
use crate::{
    close_reason::CloseReason,
    delivery::batch::{Batch, Rendered},
    delivery::carrier::Carrier,
    delivery::sink::{Sent, Sink},
    dialect::Form,
    metrics::Traffic,
    sync::{Condvar, Mutex, MutexGuard},
    transport::Pieces,
};

mod bounds;
mod ending;
mod queue;
mod reader;
mod sending;

/// What happened before is put in in parts of so many bytes, or one event.
const REPLAY_BYTES: usize = 32 * 1_024;

/// Waits for sockets that are full, on behalf of the outboxes.
pub(crate) trait Waker: Send + Sync {
    /// Has [`Outbox::drain`] called when the socket takes bytes again. Called
    /// under the outbox's lock; `first` tells whether this socket was never
    /// waited for.
    fn arm(&self, outbox: &Arc<Outbox>, socket: Option<&TcpStream>, first: bool) -> io::Result<()>;

    /// Nothing waits in the outbox any more; with `socket`, it is about to be
    /// closed and was waited for before.
    fn disarm(&self, number: u64, socket: Option<&TcpStream>);
}

/// The queue in front of one connection's sink.
pub(crate) struct Outbox {
    number: u64,
    bounds: Arc<Bounds>,
    waker: Arc<dyn Waker>,
    /// Counted under the lock of the state alone.
    traffic: Arc<Traffic>,
    state: Mutex<OutboxState>,
    /// Signalled when private entries were sent and when the connection ends.
    changed: Condvar,
}

struct OutboxState {
    /// Empty once the socket is let go.
    sink: Option<Box<dyn Sink>>,
    form: Form,
    carrier: Carrier,
    /// The peer's Close frame, once it has come, and its code if it had one.
    close_frame: Option<Option<u16>>,
    pieces: Pieces,
    phase: Phase,
    reason: Option<CloseReason>,
    /// Whether somebody else has said goodbye, and its thread sees to nothing yet.
    is_dismissed: bool,
    queue: Queue,
    /// What the peer was answered since that was last charged.
    answered_bytes: usize,
    /// For how long its thread has waited for space.
    held_up: Duration,
    /// Whether the socket was ever waited for.
    known_to_waker: bool,
}

/// What a connection's thread waits for before it takes more from its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// There is space for what it may lead to.
    Space,
    /// The answer to a question has gone out too.
    Answered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The goodbye was said: what waits is sent, nothing is accepted.
    Closing,
    /// The connection has ended.
    Ended,
}

impl Outbox {
    pub(crate) fn new(
        number: u64,
        form: Form,
        sink: Box<dyn Sink>,
        bounds: Arc<Bounds>,
        waker: Arc<dyn Waker>,
        traffic: Arc<Traffic>,
    ) -> Arc<Outbox> {
        let state = OutboxState {
            sink: Some(sink),
            form,
            carrier: Carrier::Lines,
            close_frame: None,
            pieces: Pieces::Batches,
            phase: Phase::Open,
            reason: None,
            is_dismissed: false,
            queue: Queue::default(),
            answered_bytes: 0,
            held_up: Duration::ZERO,
            known_to_waker: false,
        };
        Arc::new(Outbox {
            number,
            bounds,
            waker,
            traffic,
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
    }

    /// The connection's number; no two of a server are the same.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The form in which shared entries are put in.
    pub(crate) fn form(&self) -> Form {
        self.state.lock().form
    }

    /// The form, and what carries it.
    pub(crate) fn form_and_carrier(&self) -> (Form, Carrier) {
        let state = self.state.lock();
        (state.form, state.carrier)
    }

    /// Whether it accepts anything.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().phase == Phase::Open
    }

    /// Changes the form for what is put in from now on.
    pub(crate) fn change_form(&self, form: Form) {
        self.state.lock().form = form;
    }

    /// Changes what carries all that is put in from now on; lines at first.
    pub(crate) fn change_carrier(&self, carrier: Carrier) {
        self.state.lock().carrier = carrier;
    }

    /// How much goes into one send.
    pub(crate) fn pieces(&self) -> Pieces {
        self.state.lock().pieces
    }

    /// Puts in a range of a batch's events, which is not empty: sends it at once
    /// if nothing waits.
    pub(crate) fn offer(self: &Arc<Self>, batch: &mut Batch, events: Range<u32>, now: Instant) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            let rendered = batch.rendered(state.form, state.carrier);
            self.offer_locked(&mut state, rendered, events, now, Body::live);
        }
    }

    /// The same, without the events that `is_hidden` names.
    pub(crate) fn offer_without(
        self: &Arc<Self>,
        batch: &mut Batch,
        events: Range<u32>,
        is_hidden: impl Fn(u64, &Event) -> bool,
        now: Instant,
    ) {
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return;
        }
        match batch.without(&events, is_hidden, state.form, state.carrier) {
            None => {
                let rendered = batch.rendered(state.form, state.carrier);
                self.offer_locked(&mut state, rendered, events, now, Body::live);
            }
            Some(rendered) if rendered.len() > 0 => {
                let events = 0..rendered.len();
                self.offer_locked(&mut state, &Arc::new(rendered), events, now, Body::live);
            }
            Some(_) => {}
        }
    }

    /// Puts in what happened before, a part of what was rendered for this connection's
    /// form and carrier; an empty part is nothing.
    pub(crate) fn offer_rendered(
        self: &Arc<Self>,
        rendered: &Arc<Rendered>,
        part: Range<u32>,
        now: Instant,
    ) {
        let mut state = self.state.lock();
        let mut rest = part;
        while state.phase == Phase::Open && !rest.is_empty() {
            let events = rendered.front(&rest, REPLAY_BYTES);
            rest.start = events.end;
            state.answered_bytes += rendered.bytes(&events).len();
            self.offer_locked(&mut state, rendered, events, now, Body::replay);
        }
    }

    #[inline]
    fn offer_locked(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        rendered: &Arc<Rendered>,
        events: Range<u32>,
        now: Instant,
        body: impl FnOnce(Arc<Rendered>, Range<u32>) -> Body,
    ) {
        let bytes = rendered.bytes(&events);
        self.traffic.deliveries.add(u64::from(events.end - events.start));
        let mut sent = 0;
        if state.queue.is_empty() {
            match self.send(state, bytes) {
                Sent::Taken(count) if count == bytes.len() => return,
                Sent::Taken(count) => sent = count,
                Sent::Gone(error) => return self.end_locked(state, CloseReason::from(error)),
            }
        }
        self.enqueue(state, body(rendered.clone(), events), now, sent);
        if state.phase == Phase::Open && self.is_too_much(state) {
            self.skip(state, Skipped::Live);
            if state.queue.has_replays() && self.is_too_much(state) {
                self.skip(state, Skipped::LiveAndReplays);
            }
        }
    }

    fn is_too_much(&self, state: &OutboxState) -> bool {
        state.queue.waiting_bytes() > self.bounds.outbox_bytes || self.bounds.is_backlog_full()
    }

    /// Puts in lines for this connection alone, which are never skipped.
    pub(crate) fn push(self: &Arc<Self>, lines: &[u8]) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            let bytes = state.carrier.carry(lines);
            state.answered_bytes += bytes.len();
            self.push_locked(&mut state, &bytes);
        }
    }

    /// Puts in lines for this connection alone, if there is space for them; false if
    /// there is none or the connection ends.
    pub(crate) fn try_push(self: &Arc<Self>, lines: &[u8]) -> bool {
        let mut state = self.state.lock();
        let cost = queue::cost(lines.len());
        let fits = state.queue.private_bytes() + cost <= self.bounds.outbox_bytes
            && !self.bounds.is_private_backlog_full();
        if state.phase == Phase::Open && fits {
            let bytes = state.carrier.carry(lines);
            self.push_locked(&mut state, &bytes);
        }
        state.phase == Phase::Open && fits
    }

    /// Whether nothing waits in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().queue.is_empty()
    }

    /// Puts in an answer for this connection's form and carrier that others get too.
    pub(crate) fn push_rendered(self: &Arc<Self>, answer: &Arc<Rendered>) {
        let mut state = self.state.lock();
        let (bytes, mut sent) = (answer.all_bytes(), 0);
        if state.phase != Phase::Open || bytes.is_empty() {
            return;
        }
        state.answered_bytes += bytes.len();
        if state.queue.is_empty() {
            match self.send(&mut state, bytes) {
                Sent::Taken(count) => sent = count,
                Sent::Gone(error) => return self.end_locked(&mut state, CloseReason::from(error)),
            }
        }
        if sent < bytes.len() {
            self.enqueue(&mut state, Body::Answer(answer.clone()), Instant::now(), sent);
        }
    }

    /// Puts in bytes that are the carrier's own, as they are.
    pub(crate) fn push_bytes(self: &Arc<Self>, bytes: &[u8]) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            self.push_locked(&mut state, bytes);
        }
    }

    /// Sends what the socket takes now; called by the drainer when it takes
    /// anything again.
    pub(crate) fn drain(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.queue.is_empty() {
            match state.send_queued() {
                (Sent::Taken(count), offered) => {
                    self.traffic.sent_bytes.add(count as u64);
                    self.take_out(&mut state, count);
                    if count < offered {
                        return self.arm(&mut state);
                    }
                }
                (Sent::Gone(error), _) => {
                    return self.end_locked(&mut state, CloseReason::from(error));
                }
            }
        }
    }

    /// Blocks while private entries alone pass the bound, and while there are any and
    /// those of all outboxes pass theirs; after a question, until all that were put in
    /// before have gone. Ends at `deadline`, or when the connection ends (at the latest
    /// when the drainer judges it stalled). Returns what its peer was answered since the
    /// last time, in bytes.
    ///
    /// # Errors
    ///
    /// Why the connection ends, once that is known: nothing that it says counts any
    /// more.
    pub(crate) fn wait_for_space(
        &self,
        until: Until,
        deadline: Option<Instant>,
    ) -> Result<usize, CloseReason> {
        let mut since = None;
        let mut state = self.state.lock();
        let (asked, _) = state.queue.privates();
        let has_space = |state: &OutboxState| match (until, state.queue.private_bytes()) {
            (_, 0) => true,
            (Until::Answered, _) => state.queue.privates().1 >= asked,
            (Until::Space, bytes) => {
                bytes <= self.bounds.outbox_bytes && !self.bounds.is_private_backlog_full()
            }
        };
        while state.phase == Phase::Open && !has_space(&state) {
            since.get_or_insert_with(Instant::now);
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) if self.changed.wait_until(&mut state, deadline).timed_out() => {
                    break;
                }
                Some(_) => {}
            }
        }
        state.held_up += since.map_or(Duration::ZERO, |since| since.elapsed());
        match state.reason {
            Some(reason) => Err(reason),
            None => Ok(std::mem::take(&mut state.answered_bytes)),
        }
    }

    /// What the peer was answered since that was last charged, in bytes.
    pub(crate) fn take_answered_bytes(&self) -> usize {
        std::mem::take(&mut self.state.lock().answered_bytes)
    }

    /// Offers `bytes`, which are not empty, to the sink.
    fn send(&self, state: &mut OutboxState, bytes: &[u8]) -> Sent {
        let sent = state.send(bytes);
        if let Sent::Taken(count) = sent {
            self.traffic.sent_bytes.add(count as u64);
        }
        sent
    }

    fn push_locked(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>, bytes: &[u8]) {
        let mut sent = 0;
        if state.queue.is_empty() {
            if bytes.is_empty() {
                return;
            }
            match self.send(state, bytes) {
                Sent::Taken(count) => sent = count,
                Sent::Gone(error) => return self.end_locked(state, CloseReason::from(error)),
            }
        }
        if sent < bytes.len() {
            self.enqueue(state, Body::Private(bytes.into()), Instant::now(), sent);
        }
    }

    fn enqueue(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        body: Body,
        since: Instant,
        sent: usize,
    ) {
        let was_empty = state.queue.is_empty();
        state.queue.push(body, since, sent, &self.bounds);
        if was_empty {
            self.arm(state);
        }
    }

    fn arm(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>) {
        let first = !state.known_to_waker;
        let socket = state.sink.as_ref().and_then(|sink| sink.socket());
        match self.waker.arm(self, socket, first) {
            Ok(()) => state.known_to_waker = true,
            // Nobody would ever send what waits.
            Err(error) => self.end_locked(state, CloseReason::from(error)),
        }
    }

    /// Takes `count` sent bytes out of the front of the queue.
    fn take_out(&self, state: &mut MutexGuard<'_, OutboxState>, count: usize) {
        state.queue.take_out(count, &self.bounds);
        if state.queue.is_empty() {
            self.waker.disarm(self.number, None);
        }
        self.changed.notify_all();
    }

    fn skip(&self, state: &mut MutexGuard<'_, OutboxState>, what: Skipped) {
        let OutboxState { sink, queue, form, carrier, .. } = &mut **state;
        let holds_byte = sink.as_ref().is_some_and(|sink| sink.holds_byte());
        let skipped = queue.skip(what, holds_byte, *form, *carrier, &self.bounds);
        self.traffic.skipped.add(skipped);
    }
}

#[cfg(test)]
mod tests;
