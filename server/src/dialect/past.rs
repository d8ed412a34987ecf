//! How much history is sent at once.

use std::borrow::Cow;

use madang_protocol::event::{Event, IdRange, ServerMessage};

use super::{HistoryHead, Part};

/// The most bytes of events in one answer, and in the history for new members.
pub(super) const ANSWER_BYTES: usize = 60 * 1_024;

/// The most bytes of events in one message, unless a single event is longer.
const MESSAGE_BYTES: usize = 32 * 1_024;

/// The newest events of `newest_first` that fit into one answer, oldest first. One always
/// fits.
pub(crate) fn newest<'a>(newest_first: impl Iterator<Item = &'a Event>) -> Vec<&'a Event> {
    let mut events = first(newest_first);
    events.reverse();
    events
}

/// The first events that fit into one answer. One always fits.
pub(crate) fn first<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<&'a Event> {
    let mut bytes = 0;
    let fits = |event: &&Event| {
        let is_first = bytes == 0;
        bytes += event.encoded_bytes();
        is_first || bytes <= ANSWER_BYTES
    };
    events.take_while(fits).collect()
}

/// The messages to a program, each with at most [`MESSAGE_BYTES`] of events, unless a single
/// event is longer.
pub(super) fn parts(
    mut head: HistoryHead<'_>,
    events: &[&Event],
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
        let last_id = taken.last().unwrap_or(first).id();
        // Each gap goes with the events around it.
        let split = |gaps: &'_ [(u64, u64)]| match after.is_empty() {
            true => gaps.len(),
            false => gaps.partition_point(|(from, _)| *from < last_id),
        };
        let (gaps, later) = head.gaps.map(|gaps| gaps.split_at(split(gaps))).unzip();
        write(&message(HistoryHead { gaps, ..head }, taken, !after.is_empty()), &mut lines);
        head.gaps = later;
        parts.push(Part { lines, first_id: first.id(), last_id });
        rest = after;
    }
    parts
}

/// The message to a program with `events`.
pub(super) fn message<'a>(
    head: HistoryHead<'a>,
    events: &[&'a Event],
    more: bool,
) -> ServerMessage<'a> {
    let HistoryHead { room, earliest, nonce, gaps, gone, .. } = head;
    let range = |&(from, to): &(u64, u64)| IdRange { from, to };
    ServerMessage::History {
        room: room.into(),
        events: events.iter().map(|event| Cow::Borrowed(*event)).collect(),
        more,
        gaps: gaps.map(|gaps| gaps.iter().map(range).collect()),
        earliest,
        gone: gone.as_ref().map(range),
        nonce: nonce.map(Into::into),
    }
}
