//! The events of one round, rendered once per wire form in use and shared by
//! all who are told of them.

use std::{ops::Range, sync::Arc};

use madang_protocol::{
    event::{Event, ServerMessage, write_json_line},
    text::{Lang, LineEnd, Notice, write_event},
};

/// The form in which a connection takes what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text(Lang, LineEnd),
    /// One JSON object a line.
    Json,
}

impl Form {
    /// How many forms there are.
    const COUNT: usize = 5;

    fn index(self) -> usize {
        match self {
            Form::Text(Lang::Ko, LineEnd::Lf) => 0,
            Form::Text(Lang::Ko, LineEnd::CrLf) => 1,
            Form::Text(Lang::En, LineEnd::Lf) => 2,
            Form::Text(Lang::En, LineEnd::CrLf) => 3,
            Form::Json => 4,
        }
    }
}

/// The events of a round in their order, and what has been rendered of them.
#[derive(Debug)]
pub struct Batch {
    room: Arc<str>,
    events: Vec<Event>,
    rendered: [Option<Arc<Rendered>>; Form::COUNT],
}

impl Batch {
    /// An empty batch for `room`.
    pub fn new(room: Arc<str>) -> Batch {
        Batch { room, events: Vec::new(), rendered: [const { None }; Form::COUNT] }
    }

    /// Adds an event; its id is one above the last one's.
    pub fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Its bytes in `form`; rendered at the first call.
    ///
    /// # Panics
    ///
    /// If it is empty: nothing is rendered for nothing.
    pub fn rendered(&mut self, form: Form) -> &Arc<Rendered> {
        let Batch { room, events, rendered } = self;
        rendered[form.index()]
            .get_or_insert_with(|| Arc::new(Rendered::new(room.clone(), events, form)))
    }

    /// Empties it for the next round and keeps its space.
    pub fn clear(&mut self) {
        self.events.clear();
        self.rendered = [const { None }; Form::COUNT];
    }
}

/// A batch in one form: bytes, and where each event begins in them.
#[derive(Debug)]
pub struct Rendered {
    room: Arc<str>,
    form: Form,
    first_id: u64,
    bytes: Vec<u8>,
    /// Where each event ends.
    ends: Vec<u32>,
}

impl Rendered {
    fn new(room: Arc<str>, events: &[Event], form: Form) -> Rendered {
        let first_id = events.first().expect("a batch that is rendered has events").id();
        let mut bytes = Vec::with_capacity(events.len() * 128);
        let mut ends = Vec::with_capacity(events.len());
        for event in events {
            match form {
                Form::Text(lang, line_end) => write_event(event, lang, line_end, &mut bytes),
                Form::Json => write_json_line(event, &mut bytes),
            }
            ends.push(u32::try_from(bytes.len()).expect("a round is far below 4 GiB"));
        }
        Rendered { room, form, first_id, bytes, ends }
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
        let lines = match self.form {
            Form::Text(..) => self.bytes(events).iter().filter(|byte| **byte == b'\n').count(),
            Form::Json => events.len(),
        };
        Mark {
            room: self.room.clone(),
            lines,
            from: self.first_id + u64::from(events.start),
            to: self.first_id + u64::from(events.end) - 1,
        }
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
    /// Takes in a mark that follows at once.
    pub(crate) fn extend(&mut self, next: &Mark) {
        self.lines += next.lines;
        self.to = next.to;
    }

    /// The mark as its reader sees it.
    pub(crate) fn render(&self, form: Form) -> Vec<u8> {
        let mut bytes = Vec::new();
        match form {
            Form::Text(lang, line_end) => {
                let text = Notice::Skipped { lines: self.lines }.text(lang);
                bytes.extend_from_slice(text.as_bytes());
                bytes.extend_from_slice(line_end.as_str().as_bytes());
            }
            Form::Json => {
                let room = (&*self.room).into();
                write_json_line(
                    &ServerMessage::Gap { room, from: self.from, to: self.to },
                    &mut bytes,
                );
            }
        }
        bytes
    }
}
