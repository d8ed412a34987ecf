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
    event::{WireFrame, WireNote, WireSide},
    secret::shown_bytes,
    text::Lang,
};

use super::{Body, Outbox, OutboxState, Phase, queue};
use crate::{
    delivery::{batch::Rendered, carrier::Carrier},
    dialect::{Form, answer::Answer},
    sync::MutexGuard,
    transport::websocket::seen::SeenFrames,
};

/// How long one line takes from the five a second.
const PAUSE: Duration = Duration::from_millis(200);

/// How far lines may be ahead of that: five at once. One about what waits may be the sixth, so that
/// it comes before what it explains.
const BURST: Duration = PAUSE.saturating_mul(4);

/// Which part of its bound a queue holds when that is told before it is empty.
const MUCH: usize = 4;

/// Has [`Outbox::tell_notes`] called later.
pub(crate) trait Alarm: Send + Sync {
    /// Has it called at `at`. Called under the outbox's lock.
    fn ring(&self, outbox: &Arc<Outbox>, at: Instant);
}

/// What a member is to be told about its connection.
pub(super) struct Wire {
    alarm: Arc<dyn Alarm>,
    /// The language of the texts in messages to programs.
    lang: Lang,
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
    /// Whether that was told since it has grown.
    is_told: bool,
}

impl Wire {
    fn new(alarm: Arc<dyn Alarm>, lang: Lang) -> Wire {
        Wire {
            alarm,
            lang,
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

    /// When the next line may be sent, if lines may be so far ahead.
    fn next_at(&self, ahead: Duration) -> Instant {
        self.paid_until.checked_sub(ahead).unwrap_or(self.paid_until)
    }

    /// Takes the notes that may be told now.
    fn take(&mut self, now: Instant) -> Vec<WireNote> {
        let mut count = 0;
        while count < self.waiting.len() && self.may_tell(now, BURST) {
            count += 1;
        }
        self.waiting.drain(..count).collect()
    }

    /// Whether one line more may be told now, if lines may be so far ahead; it counts then.
    fn may_tell(&mut self, now: Instant, ahead: Duration) -> bool {
        let may = self.next_at(ahead) <= now;
        if may {
            self.paid_until = self.paid_until.max(now) + PAUSE;
        }
        may
    }

    /// Something was queued, and `bytes` wait now.
    pub(super) fn note_filling(&mut self, bytes: usize, now: Instant) {
        let new =
            Filling { since: now, most_bytes: 0, skipped: 0, is_explained: false, is_told: false };
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
    /// How many system calls have been made to send, if that will be explained.
    #[inline]
    pub(super) fn explained_calls(&self) -> Option<usize> {
        self.wire.as_ref().map(|_| self.calls())
    }

    /// How many system calls have been made to send.
    fn calls(&self) -> usize {
        self.sink.as_ref().map_or(0, |sink| sink.calls())
    }
}

impl Outbox {
    /// Explains the connection from now on, or stops doing so without an alarm and the language of
    /// texts for programs. False if nothing changes.
    pub(crate) fn change_wire(&self, explained: Option<(Arc<dyn Alarm>, Lang)>) -> bool {
        let wire = &mut self.state.lock().wire;
        let is_new = wire.is_some() != explained.is_some();
        if is_new {
            *wire = explained.map(|(alarm, lang)| Box::new(Wire::new(alarm, lang)));
        }
        is_new
    }

    /// Explains the connection in another language from now on, if it is explained.
    pub(crate) fn change_wire_lang(&self, lang: Lang) {
        if let Some(wire) = &mut self.state.lock().wire {
            wire.lang = lang;
        }
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

    /// Explains lines for this member only, if the system calls before them were counted.
    #[inline]
    pub(super) fn explain_private(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        calls_before: Option<usize>,
        bytes: &[u8],
    ) {
        if let Some(calls) = calls_before {
            self.explain_lines(state, calls, bytes);
        }
    }

    #[inline(never)]
    fn explain_lines(
        self: &Arc<Self>,
        state: &mut MutexGuard<'_, OutboxState>,
        calls_before: usize,
        bytes: &[u8],
    ) {
        let carrier = state.carrier;
        let lines = carrier.count_lines(bytes);
        let calls = state.calls() - calls_before;
        if lines > 0 && self.add_note(state, WireNote::Private { lines, bytes: bytes.len(), calls })
        {
            if carrier == Carrier::WebSocket {
                self.add_frame(state, bytes, lines - 1);
            }
            self.set_alarm(state, Instant::now());
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
        // A note that waits counts them.
        for note in state.wire.iter_mut().flat_map(|wire| &mut wire.waiting) {
            if let WireNote::Frame { from: WireSide::Server, more: others, .. } = note {
                *others += more + 1;
                return;
            }
        }
        let mut seen = SeenFrames::default();
        seen.note_whole(frames);
        if let Some(mut frame) = seen.frames.pop() {
            let is_whole = usize::try_from(frame.length) == Ok(frame.start.len());
            frame.start.truncate(shown_bytes(&frame.start, is_whole));
            let frame = WireFrame::from(frame);
            self.add_note(state, WireNote::Frame { from: WireSide::Server, frame, more });
        }
    }

    /// What waits can be sent again: if that is much, or something was skipped, it is told before
    /// the rest, once.
    #[inline(never)]
    pub(super) fn explain_filling(self: &Arc<Self>, state: &mut OutboxState) {
        let (limit, now, form) = (self.bounds.outbox_bytes, Instant::now(), state.form);
        let OutboxState { wire, queue, sink, carrier, phase, .. } = state;
        let bytes = queue.waiting_bytes();
        let Some(wire) = wire.as_mut().filter(|_| *phase == Phase::Open) else { return };
        let Some(filling) = &wire.filling else { return };
        let is_much = filling.skipped > 0 || bytes >= limit / MUCH;
        if !filling.is_explained || filling.is_told || !is_much {
            return;
        }
        let milliseconds = milliseconds(now - filling.since);
        let note = WireNote::Filling { bytes, limit, milliseconds, skipped: filling.skipped };
        let lines = rendered(form, wire.lang, [note]);
        let frames = carrier.carry(&lines);
        // It takes no space from what waits.
        if bytes + queue::cost(frames.len()) > limit || !wire.may_tell(now, BURST + PAUSE) {
            return;
        }
        let holds_byte = sink.as_ref().is_some_and(|sink| sink.holds_byte());
        queue.put_note(frames.into(), holds_byte, &self.bounds);
        if let Some(filling) = &mut wire.filling {
            filling.is_told = true;
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
            let milliseconds = milliseconds(now - since);
            wire.add(WireNote::Queue { bytes, limit, milliseconds, skipped, dropped });
            self.set_alarm(state, now);
        }
    }

    fn set_alarm(self: &Arc<Self>, state: &mut OutboxState, now: Instant) {
        if let Some(wire) = state.wire.as_mut().filter(|wire| !wire.is_set) {
            wire.is_set = true;
            wire.alarm.ring(self, wire.next_at(BURST).max(now));
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
        let lines = rendered(form, wire.lang, due);
        self.push_locked(state, &carrier.carry(&lines));
        let Some(wire) = &mut state.wire else { return };
        wire.is_telling = false;
        if !wire.waiting.is_empty() {
            self.set_alarm(state, now);
        }
    }
}

fn rendered(form: Form, lang: Lang, notes: impl IntoIterator<Item = WireNote>) -> Vec<u8> {
    let mut answer = Answer::new(form).in_lang(lang);
    notes.into_iter().for_each(|note| answer.wire(note));
    answer.into_bytes()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
