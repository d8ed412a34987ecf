//! The queue of one connection. The pump, the drainer and the connection's own thread add and
//! remove entries; none of them ever waits for the peer.
//!
//! # Guarantees
//!
//! 1. No call but [`wait_for_space`](Outbox::wait_for_space) and
//!    [`wait_drained`](Outbox::wait_drained) blocks.
//! 2. Nothing is reordered.
//! 3. An entry whose first byte was sent is sent whole, or the connection ends.
//! 4. While anything waits and the connection lives, its socket is armed or
//!    somebody is sending under the lock: no wake-up is lost.
//! 5. Beyond its limit, shared entries that were not begun are replaced by marks that count
//!    the skipped events, one mark per run of entries of one room: live events first, then
//!    replayed history. Private entries are never skipped.
//! 6. After [`close`](Outbox::close) it accepts nothing but acks that are owed, which come before
//!    the goodbye; after [`end`](Outbox::end) it holds nothing.
//! 7. The first [`CloseReason`] is kept.

use std::{
    io,
    net::TcpStream,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::event::Event;

pub(crate) use self::{bounds::Bounds, space::Until, wire::Alarm};
use self::{
    ending::Farewell,
    queue::{Body, Queue, Skipped},
    wire::Wire,
};
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
mod space;
mod wire;

/// History is queued in parts of this many bytes, or single events.
const REPLAY_BYTES: usize = 32 * 1_024;

/// Waits for full sockets on behalf of the outboxes.
pub(crate) trait Waker: Send + Sync {
    /// Arranges for [`Outbox::drain`] to be called when the socket accepts bytes again. Called
    /// under the outbox's lock; `first` is true if this socket was never waited for.
    fn arm(&self, outbox: &Arc<Outbox>, socket: Option<&TcpStream>, first: bool) -> io::Result<()>;

    /// The outbox is empty. With `socket`, the socket is about to be closed and must be removed
    /// from the poller.
    fn disarm(&self, number: u64, socket: Option<&TcpStream>);
}

/// The queue in front of one connection's sink.
pub(crate) struct Outbox {
    number: u64,
    bounds: Arc<Bounds>,
    waker: Arc<dyn Waker>,
    /// Updated only under the lock of the state.
    traffic: Arc<Traffic>,
    state: Mutex<OutboxState>,
    /// Signalled when private entries were sent and when the connection ends.
    changed: Condvar,
}

struct OutboxState {
    /// `None` once the socket was released.
    sink: Option<Box<dyn Sink>>,
    form: Form,
    carrier: Carrier,
    /// The peer's Close frame, if it has arrived, with its code if it has one.
    close_frame: Option<Option<u16>>,
    pieces: Pieces,
    phase: Phase,
    reason: Option<CloseReason>,
    /// How many acks its member is owed.
    owed_acks: u32,
    /// The goodbye that waits for these.
    farewell: Option<Box<Farewell>>,
    /// Whether another thread said goodbye and the connection's own thread has not reacted yet.
    is_dismissed: bool,
    queue: Queue,
    /// The bytes of answers sent to the peer since they were last charged.
    answered_bytes: usize,
    /// How long the connection's thread has waited for space, in total.
    held_up: Duration,
    /// Whether the socket was ever registered with the waker.
    known_to_waker: bool,
    /// If the member wants to see its own connection.
    wire: Option<Box<Wire>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The goodbye waits for acks that are owed: nothing else is accepted.
    Owing,
    /// The goodbye was queued: the queue is still sent, nothing more is accepted.
    Closing,
    /// The connection has ended.
    Ended,
}

impl Outbox {
    pub(crate) fn new(
        number: u64,
        form: Form,
        sink: impl Into<Option<Box<dyn Sink>>>,
        bounds: Arc<Bounds>,
        waker: Arc<dyn Waker>,
        traffic: Arc<Traffic>,
    ) -> Arc<Outbox> {
        let state = OutboxState {
            sink: sink.into(),
            form,
            carrier: Carrier::Lines,
            close_frame: None,
            pieces: Pieces::Batches,
            phase: Phase::Open,
            reason: None,
            owed_acks: 0,
            farewell: None,
            is_dismissed: false,
            queue: Queue::default(),
            answered_bytes: 0,
            held_up: Duration::ZERO,
            known_to_waker: false,
            wire: None,
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

    /// The form of the shared entries queued from now on.
    pub(crate) fn form(&self) -> Form {
        self.state.lock().form
    }

    /// The form, and the carrier.
    pub(crate) fn form_and_carrier(&self) -> (Form, Carrier) {
        let state = self.state.lock();
        (state.form, state.carrier)
    }

    /// Whether entries are accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().phase == Phase::Open
    }

    /// Changes the form of entries queued from now on.
    pub(crate) fn change_form(&self, form: Form) {
        self.state.lock().form = form;
    }

    /// Changes the carrier of everything queued from now on. The first one is lines.
    pub(crate) fn change_carrier(&self, carrier: Carrier) {
        self.state.lock().carrier = carrier;
    }

    /// How much is sent at once.
    pub(crate) fn pieces(&self) -> Pieces {
        self.state.lock().pieces
    }

    /// Queues a range of a batch's events, which must not be empty; sends it at once if nothing
    /// is queued.
    pub(crate) fn offer(self: &Arc<Self>, batch: &mut Batch, events: Range<u32>, now: Instant) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            let members = batch.members();
            let rendered = batch.rendered(state.form, state.carrier);
            self.offer_live(&mut state, rendered, events, now, members);
        }
    }

    /// Like [`offer`](Self::offer), without the events that are hidden according to
    /// `is_hidden`.
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
        let members = batch.members();
        match batch.without(&events, is_hidden, state.form, state.carrier) {
            None => {
                let rendered = batch.rendered(state.form, state.carrier);
                self.offer_live(&mut state, rendered, events, now, members);
            }
            Some(rendered) if rendered.len() > 0 => {
                let events = 0..rendered.len();
                self.offer_live(&mut state, &Arc::new(rendered), events, now, members);
            }
            Some(_) => {}
        }
    }

    /// Queues part of a room's history, rendered for this connection's form and carrier. An
    /// empty part is ignored.
    pub(crate) fn offer_rendered(
        self: &Arc<Self>,
        rendered: &Arc<Rendered>,
        part: Range<u32>,
        now: Instant,
    ) {
        let mut state = self.state.lock();
        let calls = state.explained_calls();
        let mut rest = part.clone();
        while state.phase == Phase::Open && !rest.is_empty() {
            let events = rendered.front(&rest, REPLAY_BYTES);
            rest.start = events.end;
            state.answered_bytes += rendered.bytes(&events).len();
            self.offer_locked(&mut state, rendered, events, now, Body::replay);
        }
        self.explain_private(&mut state, calls, rendered.bytes(&part));
    }

    #[inline]
    fn offer_live(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        rendered: &Arc<Rendered>,
        events: Range<u32>,
        now: Instant,
        members: usize,
    ) {
        match state.wire {
            None => self.offer_locked(state, rendered, events, now, Body::live),
            Some(_) => self.offer_explained(state, rendered, events, now, members),
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

    /// Queues lines for this connection only; they are never skipped.
    pub(crate) fn push(self: &Arc<Self>, lines: &[u8]) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            self.push_answer(&mut state, lines);
        }
    }

    fn push_answer(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>, lines: &[u8]) {
        let bytes = state.carrier.carry(lines);
        state.answered_bytes += bytes.len();
        self.push_private(state, &bytes);
    }

    fn push_private(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>, bytes: &[u8]) {
        let calls = state.explained_calls();
        self.push_locked(state, bytes);
        self.explain_private(state, calls, bytes);
    }

    /// Queues lines for this connection only, if there is space for them; false if there is
    /// none or the connection is ending.
    pub(crate) fn try_push(self: &Arc<Self>, lines: &[u8]) -> bool {
        let mut state = self.state.lock();
        let cost = queue::cost(lines.len());
        let fits = state.queue.private_bytes() + cost <= self.bounds.outbox_bytes
            && !self.bounds.is_private_backlog_full();
        if state.phase == Phase::Open && fits {
            let bytes = state.carrier.carry(lines);
            self.push_private(&mut state, &bytes);
        }
        state.phase == Phase::Open && fits
    }

    /// Whether the queue is empty.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().queue.is_empty()
    }

    /// Queues an answer, rendered for this connection's form and carrier, that other
    /// connections get too.
    pub(crate) fn push_rendered(self: &Arc<Self>, answer: &Arc<Rendered>) {
        let mut state = self.state.lock();
        let (bytes, mut sent) = (answer.all_bytes(), 0);
        if state.phase != Phase::Open || bytes.is_empty() {
            return;
        }
        state.answered_bytes += bytes.len();
        let calls = state.explained_calls();
        if state.queue.is_empty() {
            match self.send(&mut state, bytes) {
                Sent::Taken(count) => sent = count,
                Sent::Gone(error) => return self.end_locked(&mut state, CloseReason::from(error)),
            }
        }
        if sent < bytes.len() {
            self.enqueue(&mut state, Body::Answer(answer.clone()), Instant::now(), sent);
        }
        self.explain_private(&mut state, calls, bytes);
    }

    /// Queues bytes of the carrier itself, unframed.
    pub(crate) fn push_bytes(self: &Arc<Self>, bytes: &[u8]) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            self.push_locked(&mut state, bytes);
        }
    }

    /// Its member is owed an ack, which is [paid](Self::pay_ack) later.
    pub(crate) fn owe_ack(&self) {
        self.state.lock().owed_acks += 1;
    }

    /// Queues an ack that is owed; false if the connection has ended, or said goodbye without it.
    pub(crate) fn pay_ack(self: &Arc<Self>, ack: &[u8]) -> bool {
        let mut state = self.state.lock();
        state.owed_acks -= 1;
        let is_accepted = matches!(state.phase, Phase::Open | Phase::Owing);
        if is_accepted {
            self.push_answer(&mut state, ack);
        }
        if state.owed_acks == 0 {
            self.say_farewell(&mut state);
        }
        is_accepted
    }

    /// Sends as much as the socket takes now. The drainer calls this when the socket accepts
    /// bytes again.
    pub(crate) fn drain(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.wire.is_some() {
            self.explain_filling(&mut state);
        }
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

    /// Offers `bytes`, which must not be empty, to the sink.
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
        let OutboxState { wire, queue, .. } = &mut **state;
        if let Some(wire) = wire {
            wire.note_filling(queue.waiting_bytes(), since);
        }
        if was_empty {
            self.arm(state);
        }
    }

    fn arm(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>) {
        let first = !state.known_to_waker;
        let socket = state.sink.as_ref().and_then(|sink| sink.socket());
        match self.waker.arm(self, socket, first) {
            Ok(()) => state.known_to_waker = true,
            // Nobody would ever send the queue.
            Err(error) => self.end_locked(state, CloseReason::from(error)),
        }
    }

    /// Removes `count` sent bytes from the front of the queue.
    fn take_out(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>, count: usize) {
        state.queue.take_out(count, &self.bounds);
        if state.queue.is_empty() {
            self.waker.disarm(self.number, None);
            self.explain_drained(state);
        }
        self.changed.notify_all();
    }

    fn skip(&self, state: &mut MutexGuard<'_, OutboxState>, what: Skipped) {
        let OutboxState { sink, queue, form, carrier, .. } = &mut **state;
        let holds_byte = sink.as_ref().is_some_and(|sink| sink.holds_byte());
        let skipped = queue.skip(what, holds_byte, *form, *carrier, &self.bounds);
        self.traffic.skipped.add(skipped);
        if let Some(wire) = &mut state.wire {
            wire.note_skipped(skipped);
        }
    }
}

#[cfg(test)]
mod tests;
