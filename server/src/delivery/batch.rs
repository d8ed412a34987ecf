//! The events of one round, rendered once per wire form and shared by all recipients.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use madang_protocol::{
    event::{EVENT_OVERHEAD, Event},
    text::LineEnd,
};

use crate::{
    delivery::carrier::Carrier,
    dialect::{Form, Part, SkippedEvents},
    transport::websocket::frame,
};

/// The events of a round in order, with their renderings.
#[derive(Debug)]
pub struct Batch {
    room: Arc<str>,
    events: Vec<Event>,
    origins: Vec<EventOrigin>,
    /// How many members it is for.
    members: usize,
    rendered: [Option<Arc<Rendered>>; Form::COUNT],
}

/// What the server knows about an event beyond what members see.
#[derive(Debug, Clone, Copy)]
struct EventOrigin {
    /// The session that caused it; 0 if there is none.
    speaker: u64,
    /// See [`Event::encoded_bytes`].
    encoded_bytes: usize,
}

impl Batch {
    /// An empty batch for `room`.
    pub fn new(room: Arc<str>) -> Batch {
        let rendered = [const { None }; Form::COUNT];
        Batch { room, events: Vec::new(), origins: Vec::new(), members: 0, rendered }
    }

    /// Adds an event caused by the session `speaker`, or by none if that is 0. Its id must be
    /// one above the previous one.
    pub fn push(&mut self, event: Event, speaker: u64) {
        let encoded_bytes = event.encoded_bytes();
        self.events.push(event);
        self.origins.push(EventOrigin { speaker, encoded_bytes });
    }

    /// Adds a message whose rendered size is known already.
    pub(crate) fn push_said(&mut self, event: Event, speaker: u64, rendered_bytes: usize) {
        let encoded_bytes = self.room.len() + EVENT_OVERHEAD + rendered_bytes;
        self.events.push(event);
        self.origins.push(EventOrigin { speaker, encoded_bytes });
    }

    /// The events.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// How many members it is for.
    pub(crate) fn members(&self) -> usize {
        self.members
    }

    /// Sets how many members it is for.
    pub(crate) fn set_members(&mut self, members: usize) {
        self.members = members;
    }

    /// Its bytes in `form`, framed for `carrier`; rendered at the first call.
    ///
    /// # Panics
    ///
    /// If the batch is empty.
    pub fn rendered(&mut self, form: Form, carrier: Carrier) -> &Arc<Rendered> {
        let Batch { room, events, rendered, .. } = self;
        rendered[form.index(carrier)]
            .get_or_insert_with(|| Arc::new(Rendered::new(room.clone(), &*events, form, carrier)))
    }

    /// The events of a range whose speaker is not hidden according to `is_hidden`; `None` if
    /// all are visible.
    pub(crate) fn without(
        &self,
        range: &Range<u32>,
        is_hidden: impl Fn(u64, &Event) -> bool,
        form: Form,
        carrier: Carrier,
    ) -> Option<Rendered> {
        let range = range.start as usize..range.end as usize;
        let events = || self.events[range.clone()].iter().zip(&self.origins[range.clone()]);
        let is_hidden = |(event, origin): &(&Event, &EventOrigin)| is_hidden(origin.speaker, event);
        if !events().any(|event| is_hidden(&event)) {
            return None;
        }
        let parts = events().filter(|event| !is_hidden(event)).map(|(event, _)| {
            let mut lines = Vec::new();
            form.write_event(event, &mut lines);
            Part { lines, first_id: event.id(), last_id: event.id() }
        });
        Some(Rendered::of_parts(self.room.clone(), parts.collect(), form, carrier))
    }

    /// Empties the batch for the next round, keeping its allocations. Returns each event with
    /// the most bytes it can take when rendered.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (Event, usize)> + '_ {
        self.rendered = [const { None }; Form::COUNT];
        let sizes = self.origins.drain(..).map(|origin| origin.encoded_bytes);
        self.events.drain(..).zip(sizes)
    }
}

/// A batch in one form: its bytes, and where each event ends.
#[derive(Debug)]
pub struct Rendered {
    room: Arc<str>,
    form: Form,
    carrier: Carrier,
    ids: Ids,
    bytes: Vec<u8>,
    /// The end of each event.
    ends: Vec<u32>,
    /// How many queue entries refer to it.
    holders: AtomicUsize,
}

#[derive(Debug)]
enum Ids {
    /// Consecutive, starting with this one.
    From(u64),
    /// The first and the last id of each part.
    OfParts(Vec<(u64, u64)>),
}

impl Rendered {
    /// Renders events with consecutive ids.
    ///
    /// # Panics
    ///
    /// If there are no events.
    pub(crate) fn new<'a>(
        room: Arc<str>,
        events: impl IntoIterator<Item = &'a Event, IntoIter: ExactSizeIterator>,
        form: Form,
        carrier: Carrier,
    ) -> Rendered {
        let mut events = events.into_iter().peekable();
        let first_id = events.peek().expect("what is rendered has events").id();
        let mut bytes = Vec::with_capacity(events.len() * 128);
        let mut ends = Vec::with_capacity(events.len());
        let holders = AtomicUsize::new(0);
        let mut lines = Vec::new();
        for event in events {
            if carrier.carries_lines() {
                form.write_event(event, &mut bytes);
            } else {
                lines.clear();
                form.ending_with(LineEnd::Lf).write_event(event, &mut lines);
                frame::write_messages(&lines, &mut bytes);
            }
            ends.push(u32::try_from(bytes.len()).expect("a round is far below 4 GiB"));
        }
        Rendered { room, form, carrier, ids: Ids::From(first_id), bytes, ends, holders }
    }

    /// Renders parts of a room's history, each treated like one event.
    pub(crate) fn of_parts(
        room: Arc<str>,
        parts: Vec<Part>,
        form: Form,
        carrier: Carrier,
    ) -> Rendered {
        let (mut bytes, mut ends, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let holders = AtomicUsize::new(0);
        for Part { lines, first_id, last_id } in parts {
            bytes.extend_from_slice(&carrier.carry(&lines));
            ends.push(u32::try_from(bytes.len()).expect("a history is far below 4 GiB"));
            ids.push((first_id, last_id));
        }
        Rendered { room, form, carrier, ids: Ids::OfParts(ids), bytes, ends, holders }
    }

    /// The number of events or parts.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).expect("there are fewer than bytes")
    }

    /// A queue entry refers to it; returns whether it is the first. Bytes that are sent at once
    /// are never held.
    pub(crate) fn hold(&self) -> bool {
        self.holders.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// A queue entry no longer refers to it; returns whether it was the last.
    pub(crate) fn let_go(&self) -> bool {
        self.holders.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// All its bytes.
    pub(crate) fn all_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As many events from the start of the range as fit into `most_bytes`, but at least one.
    pub(crate) fn front(&self, events: &Range<u32>, most_bytes: usize) -> Range<u32> {
        let start = self.offset(events.start);
        let ends = &self.ends[events.start as usize..events.end as usize];
        let count = ends.partition_point(|end| *end as usize - start <= most_bytes);
        events.start..events.start + u32::try_from(count.max(1)).expect("it is one of them")
    }

    /// The bytes of a range of events.
    pub(crate) fn bytes(&self, events: &Range<u32>) -> &[u8] {
        &self.bytes[self.offset(events.start)..self.offset(events.end)]
    }

    /// The offset at which this event begins and the previous one ends.
    fn offset(&self, event: u32) -> usize {
        match event {
            0 => 0,
            _ => self.ends[event as usize - 1] as usize,
        }
    }

    /// The mark that replaces a range of events that are not sent.
    pub(crate) fn mark(&self, events: &Range<u32>) -> Mark {
        // Programs count events, people lines.
        let lines = match self.form.is_for_programs() {
            true => events.len(),
            false => self.carrier.count_lines(self.bytes(events)),
        };
        let (from, to) = match &self.ids {
            Ids::From(first) => {
                (first + u64::from(events.start), first + u64::from(events.end) - 1)
            }
            Ids::OfParts(ids) => (ids[events.start as usize].0, ids[events.end as usize - 1].1),
        };
        Mark { room: self.room.clone(), lines, from, to }
    }
}

/// Replaces events in an outbox that were not sent to a slow reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    room: Arc<str>,
    lines: usize,
    from: u64,
    to: u64,
}

impl Mark {
    /// Whether `next` belongs to the same room, and not just to one with the same name.
    pub(crate) fn precedes(&self, next: &Mark) -> bool {
        Arc::ptr_eq(&self.room, &next.room)
    }

    /// Extends the mark by the one that directly follows, if this one
    /// [`precedes`](Self::precedes) it.
    pub(crate) fn extend(&mut self, next: &Mark) {
        self.lines += next.lines;
        // Members who leave and return are shown the history again, so ids may go back.
        (self.from, self.to) = (self.from.min(next.from), self.to.max(next.to));
    }

    /// The mark as the reader receives it.
    pub(crate) fn render(&self, form: Form) -> Vec<u8> {
        let Mark { room, lines, from, to } = self;
        let skipped = SkippedEvents { room, lines: *lines, from: *from, to: *to };
        let mut bytes = Vec::new();
        form.write_skipped(&skipped, &mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::{
        event::{Stamp, Time},
        text::{Lang, LineEnd},
    };

    use super::*;

    fn said(id: u64) -> Event {
        let stamp = Stamp { id, time: Time::from_millis(0), room: "lobby".into() };
        let text = "x".repeat(id as usize);
        Event::Said { stamp, user: "bob".into(), text, me: false, teacher: false }
    }

    #[test]
    fn a_range_of_events_is_cut_and_marked_by_its_ids() {
        let events = [said(7), said(8), said(9), said(10)];
        let form = Form::text(Lang::En, LineEnd::Lf);
        let rendered = Rendered::new("lobby".into(), &events, form, Carrier::Lines);
        assert_eq!(rendered.bytes(&(1..3)), b"[bob] xxxxxxxx\n[bob] xxxxxxxxx\n");
        let Mark { lines, from, to, .. } = rendered.mark(&(1..3));
        assert_eq!((lines, from, to), (2, 8, 9));
        // What fits, to the byte, but at least one.
        let two = rendered.bytes(&(1..3)).len();
        for (most_bytes, end) in [(0, 2), (two - 1, 2), (two, 3), (two + 1, 3), (1_000, 4)] {
            assert_eq!(rendered.front(&(1..4), most_bytes), 1..end, "{most_bytes} bytes");
        }

        let part = |first_id, last_id| Part { lines: b"a\nb\n".into(), first_id, last_id };
        let parts = vec![part(1, 3), part(5, 8), part(11, 11)];
        let rendered = Rendered::of_parts("lobby".into(), parts, form, Carrier::Lines);
        let Mark { lines, from, to, .. } = rendered.mark(&(1..3));
        assert_eq!((lines, from, to), (4, 5, 11));
    }
}
