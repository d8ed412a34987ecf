//! How much of the past is told at once.

use std::borrow::Cow;

use madang_protocol::event::{Event, ServerMessage};

use super::Part;

/// The most bytes of events in one answer, and of what is shown to a newcomer.
pub(super) const ANSWER_BYTES: usize = 60 * 1_024;

/// A message with events holds so many bytes of them, or one event.
const MESSAGE_BYTES: usize = 32 * 1_024;

/// The newest events of `newest_first` that fit into one answer, the oldest of them first;
/// one fits always.
pub(crate) fn newest<'a>(newest_first: impl Iterator<Item = &'a Event>) -> Vec<&'a Event> {
    let mut bytes = 0;
    let fits = |event: &&Event| {
        let is_first = bytes == 0;
        bytes += event.encoded_bytes();
        is_first || bytes <= ANSWER_BYTES
    };
    let mut events: Vec<&Event> = newest_first.take_while(fits).collect();
    events.reverse();
    events
}

/// Messages to a program, none longer than [`MESSAGE_BYTES`] beside its own fields, unless
/// one event is.
pub(super) fn parts(
    room: &str,
    events: &[&Event],
    nonce: Option<&str>,
    write: impl Fn(&ServerMessage<'_>, &mut Vec<u8>),
) -> Vec<Part> {
    let mut rest = events;
    let mut parts = Vec::new();
    while let (Some(first), Some(_)) = (rest.first(), rest.last()) {
        let mut bytes = 0;
        let fits = |event: &&&Event| {
            bytes += event.encoded_bytes();
            bytes <= MESSAGE_BYTES
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (taken, after) = rest.split_at(count);
        let mut lines = Vec::new();
        write(&message(room, taken, !after.is_empty(), nonce), &mut lines);
        let last_id = taken.last().unwrap_or(first).id();
        parts.push(Part { lines, first_id: first.id(), last_id });
        rest = after;
    }
    parts
}

/// The message to a program that holds `events`.
pub(super) fn message<'a>(
    room: &'a str,
    events: &[&'a Event],
    more: bool,
    nonce: Option<&'a str>,
) -> ServerMessage<'a> {
    ServerMessage::History {
        room: room.into(),
        events: events.iter().map(|event| Cow::Borrowed(*event)).collect(),
        more,
        nonce: nonce.map(Into::into),
    }
}
