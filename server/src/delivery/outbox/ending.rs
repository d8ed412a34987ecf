//! The end of a connection: the goodbye is the last entry, behind acks that are owed, and the
//! socket is released.

use std::{sync::Arc, time::Instant};

use madang_protocol::notice::Goodbye;

use super::{Outbox, OutboxState, Phase};
use crate::{close_reason::CloseReason, sync::MutexGuard};

/// A goodbye that waits for acks.
pub(super) struct Farewell {
    goodbye: Vec<u8>,
    /// It waits no longer than this.
    until: Instant,
}

impl Outbox {
    /// Queues the goodbye (which may be empty), once acks that are owed are queued or their time
    /// is over, and accepts nothing else from now on.
    pub(crate) fn close(self: &Arc<Self>, reason: CloseReason, goodbye: &[u8]) {
        self.close_locked(&mut self.state.lock(), reason, goodbye);
    }

    fn close_locked(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        reason: CloseReason,
        goodbye: &[u8],
    ) {
        if state.phase == Phase::Open {
            state.reason.get_or_insert(reason);
            state.phase = Phase::Owing;
            let until = Instant::now() + self.bounds.ack_patience;
            state.farewell = Some(Box::new(Farewell { goodbye: goodbye.into(), until }));
            if state.owed_acks == 0 {
                self.say_farewell(state);
            }
            self.changed.notify_all();
        }
    }

    /// Queues the goodbye that waits, if one does.
    pub(super) fn say_farewell(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>) {
        let Some((farewell, reason)) = state.farewell.take().zip(state.reason) else { return };
        let bytes = state.carrier.carry_goodbye(&farewell.goodbye, reason, state.close_frame);
        self.push_locked(state, &bytes);
        if state.phase == Phase::Owing {
            state.phase = Phase::Closing;
        }
        self.changed.notify_all();
    }

    /// Says goodbye from another thread. The connection's own thread wakes if it is reading.
    pub(crate) fn dismiss(self: &Arc<Self>, reason: CloseReason, goodbye: &[u8]) {
        let mut state = self.state.lock();
        let reads = state.phase == Phase::Open;
        self.close_locked(&mut state, reason, goodbye);
        state.is_dismissed = true;
        if reads && let Some(sink) = &mut state.sink {
            sink.shut_down_read();
        }
    }

    /// Whether the connection was dismissed. Called by its own thread, which takes over from
    /// here.
    pub(crate) fn take_dismissal(&self) -> bool {
        std::mem::take(&mut self.state.lock().is_dismissed)
    }

    /// Ends the connection at once, if it was dismissed and its thread has not reacted. While
    /// its goodbye waits for acks, returns until when instead.
    pub(crate) fn end_dismissed(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        let reason = state.reason.filter(|_| state.is_dismissed)?;
        let waits_until = state.farewell.as_ref().map(|farewell| farewell.until);
        if let Some(until) = waits_until.filter(|until| Instant::now() < *until) {
            return Some(until);
        }
        self.end_locked(&mut state, reason);
        None
    }

    /// Ends the connection at once: the queue is dropped, and the thread reading the socket
    /// wakes.
    pub(crate) fn end(&self, reason: CloseReason) {
        self.end_locked(&mut self.state.lock(), reason);
    }

    /// Tells the peer that no more output follows. It may still send, and close its side in
    /// order.
    pub(crate) fn shut_down_write(&self) {
        if let Some(sink) = &mut self.state.lock().sink {
            sink.shut_down_write();
        }
    }

    /// Releases the socket; it is closed once the reader releases it too.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock();
        self.end_locked(&mut state, CloseReason::Told(Goodbye::Closed));
        if let Some(sink) = state.sink.take()
            && state.known_to_waker
        {
            self.waker.disarm(self.number, sink.socket());
        }
    }

    /// Why the connection ends, once that is known.
    pub(crate) fn reason(&self) -> Option<CloseReason> {
        self.state.lock().reason
    }

    /// Blocks until the goodbye was queued and everything was sent, or the connection ended, or
    /// `deadline`; returns false at the deadline. A goodbye that has waited long enough for acks
    /// is queued by this.
    pub(crate) fn wait_drained(self: &Arc<Self>, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        loop {
            if !matches!(state.phase, Phase::Open | Phase::Owing) && state.queue.is_empty() {
                return true;
            }
            let farewell_at = state.farewell.as_ref().map(|farewell| farewell.until);
            let until = farewell_at.map_or(deadline, |at| at.min(deadline));
            self.changed.wait_until(&mut state, until);
            let now = Instant::now();
            if state.farewell.as_ref().is_some_and(|farewell| farewell.until <= now) {
                self.say_farewell(&mut state);
            } else if now >= deadline {
                return !matches!(state.phase, Phase::Open | Phase::Owing)
                    && state.queue.is_empty();
            }
        }
    }

    pub(super) fn end_locked(&self, state: &mut MutexGuard<'_, OutboxState>, reason: CloseReason) {
        state.reason.get_or_insert(reason);
        if state.phase == Phase::Ended {
            return;
        }
        state.phase = Phase::Ended;
        state.farewell = None;
        if !state.queue.is_empty() {
            self.waker.disarm(self.number, None);
        }
        state.queue.clear(&self.bounds);
        if let Some(sink) = &mut state.sink {
            sink.shut_down();
        }
        self.changed.notify_all();
    }
}
