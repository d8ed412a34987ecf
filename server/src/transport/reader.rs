//! A peer that only reads. What it sends all the same is discarded, and paid for like lines.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::notice::Goodbye;

use super::{
    Line, PeerEnd, ReadOutcome, Received, Transport, WriteSide, explainer::Explainer, input::Input,
};

/// How much is discarded at once, in bytes.
const DISCARDED_BYTES: usize = 512;

/// Waits for the end of a peer that only reads, and sends it signs of life.
pub(crate) struct ReaderTransport {
    input: Input,
    writes: Arc<dyn WriteSide>,
    heartbeat: Option<Heartbeat>,
    /// What was discarded and is not paid for.
    discarded_bytes: usize,
    end: Option<PeerEnd>,
}

/// What a silent connection is sent from time to time.
pub(crate) struct Heartbeat {
    /// The bytes, unframed.
    bytes: &'static [u8],
    interval: Duration,
    due_at: Instant,
}

impl Heartbeat {
    /// Sends `bytes` every `interval`.
    pub(crate) fn new(bytes: &'static [u8], interval: Duration) -> Heartbeat {
        Heartbeat { bytes, interval, due_at: Instant::now() + interval }
    }
}

impl ReaderTransport {
    /// Reads nothing that counts from `input`.
    pub(crate) fn new(
        input: Input,
        writes: Arc<dyn WriteSide>,
        heartbeat: Option<Heartbeat>,
    ) -> ReaderTransport {
        ReaderTransport { input, writes, heartbeat, discarded_bytes: 0, end: None }
    }

    /// Reads once; false at the deadline.
    fn discard(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        if let Some(deadline) = deadline
            && !self.input.wait_readable(deadline)?
        {
            return Ok(false);
        }
        let mut discarded = [0; DISCARDED_BYTES];
        match self.input.read(&mut discarded)? {
            Received::Bytes(count) => self.discarded_bytes += count,
            Received::Nothing => {}
            Received::End(end) => self.end = Some(end),
        }
        Ok(true)
    }

    /// Sends the sign of life if it is due. A peer that is sent something else needs none.
    fn see_to_life(&mut self) {
        let now = Instant::now();
        if let Some(heartbeat) = self.heartbeat.as_mut().filter(|it| it.due_at <= now) {
            heartbeat.due_at = now + heartbeat.interval;
            if self.writes.waiting_since().is_none() {
                self.writes.clone().send_control(heartbeat.bytes);
            }
        }
    }
}

impl Transport for ReaderTransport {
    fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        self.see_to_life();
        let due_at = self.heartbeat.as_ref().map(|heartbeat| heartbeat.due_at);
        let until = deadline.into_iter().chain(due_at).min();
        match self.discard(until).inspect_err(|_| self.end = Some(PeerEnd::Lost))? {
            true => Ok(ReadOutcome::Something),
            false => Ok(ReadOutcome::TimedOut),
        }
    }

    fn next_line_bytes(&mut self) -> Result<Option<usize>, Goodbye> {
        Ok(Some(self.discarded_bytes).filter(|bytes| *bytes > 0))
    }

    fn take_line(&mut self) -> Option<Line> {
        self.discarded_bytes = 0;
        None
    }

    fn peer_end(&self) -> Option<PeerEnd> {
        self.end
    }

    fn become_program(&mut self) {}

    /// It gives no command, so nobody asks for this.
    fn explain(&mut self, _: Option<Explainer>) {}

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }
}
