//! The events of one round, rendered once per wire form in use and shared by
//! all who are told of them.

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

/// The events of a round in their order, and what has been rendered of them.
#[derive(Debug)]
pub struct Batch {
    room: Arc<str>,
    events: Vec<Event>,
    origins: Vec<EventOrigin>,
    rendered: [Option<Arc<Rendered>>; Form::COUNT],
}

/// What is known of an event beside what members are told.
#[derive(Debug, Clone, Copy)]
struct EventOrigin {
    /// The session that it comes from; 0 if it comes from none.
    speaker: u64,
    /// See [`Event::encoded_bytes`].
    encoded_bytes: usize,
}

impl Batch {
    /// An empty batch for `room`.
    pub fn new(room: Arc<str>) -> Batch {
        let rendered = [const { None }; Form::COUNT];
        Batch { room, events: Vec::new(), origins: Vec::new(), rendered }
    }

    /// Adds an event that comes from the session `speaker`, or from none if that is
    /// 0; its id is one above the last one's.
    pub fn push(&mut self, event: Event, speaker: u64) {
        let encoded_bytes = event.encoded_bytes();
        self.events.push(event);
        self.origins.push(EventOrigin { speaker, encoded_bytes });
    }

    /// Adds something that was said, whose rendered size is known already.
    pub(crate) fn push_said(&mut self, event: Event, speaker: u64, rendered_bytes: usize) {
        let encoded_bytes = self.room.len() + EVENT_OVERHEAD + rendered_bytes;
        self.events.push(event);
        self.origins.push(EventOrigin { speaker, encoded_bytes });
    }

    /// What has happened.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Its bytes in `form` as `carrier` has them; rendered at the first call.
    ///
    /// # Panics
    ///
    /// If it is empty: nothing is rendered for nothing.
    pub fn rendered(&mut self, form: Form, carrier: Carrier) -> &Arc<Rendered> {
        let Batch { room, events, rendered, .. } = self;
        rendered[form.index(carrier)]
            .get_or_insert_with(|| Arc::new(Rendered::new(room.clone(), &*events, form, carrier)))
    }

    /// What is left of a range of events without those that `is_hidden` names by
    /// their speaker; `None` if none of them is hidden.
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

    /// Empties it for the next round, keeps its space, and gives out what happened, each
    /// event with the most bytes that it takes.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (Event, usize)> + '_ {
        self.rendered = [const { None }; Form::COUNT];
        let sizes = self.origins.drain(..).map(|origin| origin.encoded_bytes);
        self.events.drain(..).zip(sizes)
    }
}

/// A batch in one form: bytes, and where each event begins in them.
#[derive(Debug)]
pub struct Rendered {
    room: Arc<str>,
    form: Form,
    carrier: Carrier,
    ids: Ids,
    bytes: Vec<u8>,
    /// Where each event ends.
    ends: Vec<u32>,
    /// In how many places of queues it waits.
    holders: AtomicUsize,
}

#[derive(Debug)]
enum Ids {
    /// One after the other from this one on.
    From(u64),
    /// The first and the last of each part.
    OfParts(Vec<(u64, u64)>),
}

impl Rendered {
    /// Events whose ids rise by one.
    ///
    /// # Panics
    ///
    /// If there are none.
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

    /// Parts of what happened before, each in the place of one event.
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

    /// How many events or parts it has.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).expect("there are fewer than bytes")
    }

    /// A queue holds it in one place more; whether none did before. Nothing that is sent
    /// at once is held.
    pub(crate) fn hold(&self) -> bool {
        self.holders.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// A queue holds it in one place less; whether none does any more.
    pub(crate) fn let_go(&self) -> bool {
        self.holders.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// All its bytes.
    pub(crate) fn all_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As many of the first events of a range as take at most so many bytes; at least
    /// one.
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

    /// Where the event of this number begins, and the one before it ends.
    fn offset(&self, event: u32) -> usize {
        match event {
            0 => 0,
            _ => self.ends[event as usize - 1] as usize,
        }
    }

    /// The mark that stands for a range of events which are not sent.
    pub(crate) fn mark(&self, events: &Range<u32>) -> Mark {
        // Programs count events.
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

/// Stands in an outbox for events that a slow reader was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    room: Arc<str>,
    lines: usize,
    from: u64,
    to: u64,
}

impl Mark {
    /// Whether `next` is of the same room, not of one that only has its name.
    pub(crate) fn precedes(&self, next: &Mark) -> bool {
        Arc::ptr_eq(&self.room, &next.room)
    }

    /// Takes in a mark that follows at once, and that it precedes.
    pub(crate) fn extend(&mut self, next: &Mark) {
        self.lines += next.lines;
        // Who has gone and come again is shown anew what was said before.
        (self.from, self.to) = (self.from.min(next.from), self.to.max(next.to));
    }

    /// The mark as its reader sees it.
    pub(crate) fn render(&self, form: Form) -> Vec<u8> {
        let Mark { room, lines, from, to } = self;
        let skipped = SkippedEvents { room, lines: *lines, from: *from, to: *to };
        let mut bytes = Vec::new();
        form.write_skipped(&skipped, &mut bytes);
        bytes
    }
}
