//! What a connection's own thread waits for before it reads on: that its peer has read enough.

use std::time::{Duration, Instant};

use super::{Outbox, OutboxState, Phase};
use crate::close_reason::CloseReason;

/// What a connection's thread waits for before it reads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Space for the answers it may cause.
    Space,
    /// That the answer to a question was sent, too.
    Answered,
}

impl Outbox {
    /// Blocks while the private entries exceed the limit by themselves, and while there are any
    /// and those of all outboxes together exceed theirs; after a question, until everything
    /// queued before has been sent. Returns by `deadline`, or when the connection ends (at the
    /// latest when the drainer finds it stalled). Returns the bytes of answers sent to the peer
    /// since the last call.
    ///
    /// # Errors
    ///
    /// Why the connection ends, once that is known: nothing more that the peer says counts.
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

    /// The bytes of answers sent to the peer since they were last charged.
    pub(crate) fn take_answered_bytes(&self) -> usize {
        std::mem::take(&mut self.state.lock().answered_bytes)
    }
}
