//! Tells a member about its own connection (`/wire on`): notes wait here, are merged to five lines
//! a second, and go out as private lines that are never explained themselves. The pump only
//! leaves notes; whatever it owes is told from the [`Alarm`]'s thread, so that no other member
//! waits for it.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{ServerMessage, WireFrame, WireNote, WireSide},
    secret::shown_bytes,
};

use super::{Body, Outbox, OutboxState, Phase};
use crate::{
    delivery::{batch::Rendered, carrier::Carrier},
    dialect::answer::Answer,
    sync::MutexGuard,
    transport::websocket::seen::SeenFrames,
};

/// How long one line takes from the five a second.
const PAUSE: Duration = Duration::from_millis(200);

/// How far lines may be ahead of that: five at once.
const BURST: Duration = PAUSE.saturating_mul(4);

/// Has [`Outbox::tell_notes`] called later.
pub(crate) trait Alarm: Send + Sync {
    /// Has it called at `at`. Called under the outbox's lock.
    fn ring(&self, outbox: &Arc<Outbox>, at: Instant);
}

/// What a member is to be told about its connection.
pub(super) struct Wire {
    alarm: Arc<dyn Alarm>,
    /// One note of a kind.
    waiting: Vec<WireNote>,
    /// When the lines told so far would be through at five a second.
    paid_until: Instant,
    /// Whether the alarm will ring.
    is_set: bool,
    /// Whether what is sent at the moment is a note.
    is_telling: bool,
    /// What the queue has held since it was last empty.
    filling: Option<Filling>,
    /// How many notes were dropped since then.
    dropped: usize,
}

/// A queue that is not empty.
struct Filling {
    since: Instant,
    most_bytes: usize,
    skipped: usize,
    /// Whether it holds more than notes.
    is_explained: bool,
}

impl Wire {
    fn new(alarm: Arc<dyn Alarm>) -> Wire {
        Wire {
            alarm,
            waiting: Vec::new(),
            paid_until: Instant::now(),
            is_set: false,
            is_telling: false,
            filling: None,
            dropped: 0,
        }
    }

    fn add(&mut self, note: WireNote) {
        let mut note = Some(note);
        for waiting in &mut self.waiting {
            note = note.and_then(|note| waiting.merge(note));
        }
        self.waiting.extend(note);
    }

    /// When the next line may be sent.
    fn next_at(&self) -> Instant {
        self.paid_until.checked_sub(BURST).unwrap_or(self.paid_until)
    }

    /// Takes the notes that may be told now.
    fn take(&mut self, now: Instant) -> Vec<WireNote> {
        let mut count = 0;
        while count < self.waiting.len() && self.next_at() <= now {
            self.paid_until = self.paid_until.max(now) + PAUSE;
            count += 1;
        }
        self.waiting.drain(..count).collect()
    }

    /// Something was queued, and `bytes` wait now.
    pub(super) fn note_filling(&mut self, bytes: usize, now: Instant) {
        let new = Filling { since: now, most_bytes: 0, skipped: 0, is_explained: false };
        let filling = self.filling.get_or_insert(new);
        filling.most_bytes = filling.most_bytes.max(bytes);
        filling.is_explained |= !self.is_telling;
    }

    /// So many events were skipped.
    pub(super) fn note_skipped(&mut self, events: u64) {
        if let Some(filling) = &mut self.filling {
            filling.skipped += usize::try_from(events).unwrap_or(usize::MAX);
        }
    }
}

impl OutboxState {
    /// How many system calls have been made to send.
    fn calls(&self) -> usize {
        self.sink.as_ref().map_or(0, |sink| sink.calls())
    }
}

impl Outbox {
    /// Explains the connection from now on, or no longer without an `alarm`; false if that was so
    /// already.
    pub(crate) fn change_wire(&self, alarm: Option<Arc<dyn Alarm>>) -> bool {
        let wire = &mut self.state.lock().wire;
        let is_new = wire.is_some() != alarm.is_some();
        if is_new {
            *wire = alarm.map(|alarm| Box::new(Wire::new(alarm)));
        }
        is_new
    }

    /// Whether a note's details are shown, which is not `like` one that waits.
    pub(super) fn shows_note(&self, like: fn(&WireNote) -> bool) -> bool {
        let state = self.state.lock();
        let Some(wire) = &state.wire else { return false };
        state.queue.is_empty() && !wire.waiting.iter().any(like)
    }

    /// Tells a note of the member's own thread, at once if that is possible.
    pub(super) fn tell_note(self: &Arc<Self>, note: WireNote) {
        let mut state = self.state.lock();
        if self.add_note(&mut state, note) {
            self.tell_notes_locked(&mut state, Instant::now());
        }
    }

    /// Tells what is due. The alarm has rung.
    pub(crate) fn tell_notes(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if let Some(wire) = &mut state.wire {
            wire.is_set = false;
            self.tell_notes_locked(&mut state, Instant::now());
        }
    }

    /// Has a note wait; false if it is dropped: nobody wants it, or other lines wait.
    fn add_note(&self, state: &mut OutboxState, note: WireNote) -> bool {
        let is_full = !state.queue.is_empty();
        let Some(wire) = state.wire.as_mut().filter(|_| state.phase == Phase::Open) else {
            return false;
        };
        if is_full {
            wire.dropped += 1;
        } else {
            wire.add(note);
        }
        !is_full
    }

    /// Like [`offer_locked`](Self::offer_locked) for live events, and explains it.
    // Not inlined: members whose connections are not explained pay for a test only.
    #[inline(never)]
    pub(super) fn offer_explained(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        rendered: &Arc<Rendered>,
        events: Range<u32>,
        now: Instant,
        members: usize,
    ) {
        let calls = state.calls();
        self.offer_locked(state, rendered, events.clone(), now, Body::live);
        let (bytes, carrier) = (rendered.bytes(&events), state.carrier);
        let lines = carrier.count_lines(bytes);
        let told = WireNote::Told {
            rounds: 1,
            lines,
            bytes: bytes.len(),
            members,
            calls: state.calls() - calls,
        };
        if self.add_note(state, told) {
            if carrier == Carrier::WebSocket {
                self.add_frame(state, bytes, lines - 1);
            }
            self.set_alarm(state, now);
        }
    }

    /// Explains a control frame that was sent; a telnet answer is explained with its command.
    pub(super) fn explain_control(self: &Arc<Self>, frame: &[u8]) {
        let mut state = self.state.lock();
        if state.wire.is_some() && state.carrier == Carrier::WebSocket {
            self.add_frame(&mut state, frame, 0);
            self.tell_notes_locked(&mut state, Instant::now());
        }
    }

    /// Has the note about the first of some frames to the member wait.
    fn add_frame(&self, state: &mut OutboxState, frames: &[u8], more: usize) {
        let mut seen = SeenFrames::default();
        seen.note_whole(frames);
        if let Some(mut frame) = seen.frames.pop() {
            let is_whole = usize::try_from(frame.length) == Ok(frame.start.len());
            frame.start.truncate(shown_bytes(&frame.start, is_whole));
            let frame = WireFrame::from(frame);
            self.add_note(state, WireNote::Frame { from: WireSide::Server, frame, more });
        }
    }

    /// Everything that waited was sent.
    pub(super) fn explain_drained(self: &Arc<Self>, state: &mut OutboxState) {
        let limit = self.bounds.outbox_bytes;
        let Some(wire) = &mut state.wire else { return };
        let Some(filling) = wire.filling.take() else { return };
        let dropped = std::mem::take(&mut wire.dropped);
        if filling.is_explained || dropped > 0 {
            let now = Instant::now();
            let Filling { since, most_bytes: bytes, skipped, .. } = filling;
            let milliseconds = u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX);
            wire.add(WireNote::Queue { bytes, limit, milliseconds, skipped, dropped });
            self.set_alarm(state, now);
        }
    }

    fn set_alarm(self: &Arc<Self>, state: &mut OutboxState, now: Instant) {
        if let Some(wire) = state.wire.as_mut().filter(|wire| !wire.is_set) {
            wire.is_set = true;
            wire.alarm.ring(self, wire.next_at().max(now));
        }
    }

    fn tell_notes_locked(self: &Arc<Self>, state: &mut MutexGuard<'_, OutboxState>, now: Instant) {
        let is_full = !state.queue.is_empty() || state.phase != Phase::Open;
        let (form, carrier) = (state.form, state.carrier);
        let Some(wire) = &mut state.wire else { return };
        if is_full {
            wire.dropped += wire.waiting.drain(..).count();
            return;
        }
        let due = wire.take(now);
        wire.is_telling = true;
        let mut answer = Answer::new(form);
        due.into_iter().for_each(|note| answer.message(&ServerMessage::Wire(Box::new(note))));
        self.push_locked(state, &carrier.carry(&answer.into_bytes()));
        let Some(wire) = &mut state.wire else { return };
        wire.is_telling = false;
        if !wire.waiting.is_empty() {
            self.set_alarm(state, now);
        }
    }
}
