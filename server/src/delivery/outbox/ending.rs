//! The end of a connection: the goodbye is the last entry, and the socket is released.

use std::{sync::Arc, time::Instant};

use madang_protocol::notice::Goodbye;

use super::{Outbox, OutboxState, Phase};
use crate::{close_reason::CloseReason, sync::MutexGuard};

impl Outbox {
    /// Queues the goodbye (which may be empty) and accepts nothing afterwards.
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
            let bytes = state.carrier.carry_goodbye(goodbye, reason, state.close_frame);
            self.push_locked(state, &bytes);
            if state.phase == Phase::Open {
                state.phase = Phase::Closing;
            }
            self.changed.notify_all();
        }
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

    /// Ends the connection at once, if it was dismissed and its thread has not reacted.
    pub(crate) fn end_dismissed(&self) {
        let mut state = self.state.lock();
        if state.is_dismissed
            && let Some(reason) = state.reason
        {
            self.end_locked(&mut state, reason);
        }
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
    /// `deadline`; returns false at the deadline.
    pub(crate) fn wait_drained(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.phase == Phase::Open || !state.queue.is_empty() {
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return state.phase != Phase::Open && state.queue.is_empty();
            }
        }
        true
    }

    pub(super) fn end_locked(&self, state: &mut MutexGuard<'_, OutboxState>, reason: CloseReason) {
        state.reason.get_or_insert(reason);
        if state.phase == Phase::Ended {
            return;
        }
        state.phase = Phase::Ended;
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
