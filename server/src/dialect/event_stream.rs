//! Server-sent events, for pages and programs that read a room over HTTP: JSON objects, and the
//! id of each event of the room as theirs.

use madang_protocol::{
    event::{Event, ServerMessage, write_json_line},
    notice::Notice,
    request::{Request, RequestError},
};

use super::{Dialect, Part, Stage, Words};

/// The dialect of `EventSource` (HTML, section "Server-sent events").
pub(super) struct EventStream;

impl Dialect for EventStream {
    fn media_type(&self) -> Option<&'static str> {
        Some("text/event-stream")
    }

    /// A comment.
    fn heartbeat(&self) -> Option<&'static [u8]> {
        Some(b":\n\n")
    }

    /// Nothing is read from a stream.
    fn parse(&self, _message: String, _stage: Stage) -> Result<Option<Request>, RequestError> {
        Ok(None)
    }

    fn check_said(&self, _text: String) -> Result<Option<String>, Notice<'static>> {
        Ok(None)
    }

    fn write_event(&self, event: &Event, _words: Words, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("id: {}\ndata: ", event.id()).as_bytes());
        write_json_line(event, out);
        out.push(b'\n');
    }

    /// Without an id: whoever comes back asks for what followed the last event of the room.
    fn write_message(&self, message: &ServerMessage<'_>, words: Words, out: &mut Vec<u8>) {
        if let ServerMessage::Event(event) = message {
            return self.write_event(event, words, out);
        }
        out.extend_from_slice(b"data: ");
        write_json_line(message, out);
        out.push(b'\n');
    }

    /// Each event on its own.
    fn shown_parts(&self, _room: &str, events: &[&Event], words: Words) -> Vec<Part> {
        let parts = events.iter().map(|event| {
            let mut lines = Vec::new();
            self.write_event(event, words, &mut lines);
            Part { lines, first_id: event.id(), last_id: event.id() }
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::{
        event::{Stamp, Time},
        text::{Lang, LineEnd},
    };

    use super::*;

    #[test]
    fn events_have_their_ids_and_messages_have_none() {
        const WORDS: Words = Words { lang: Lang::En, line_end: LineEnd::Lf };
        let stamp = Stamp { id: 7, time: Time::from_millis(0), room: "lobby".into() };
        let said = Event::Said {
            stamp,
            user: "bob".into(),
            text: "two\nlines".into(),
            me: false,
            teacher: false,
        };
        let expected = "id: 7\ndata: {\"type\":\"said\",\"id\":7,\
            \"time\":\"1970-01-01T00:00:00.000Z\",\"room\":\"lobby\",\"user\":\"bob\",\
            \"text\":\"two\\nlines\"}\n\n";
        let mut out = Vec::new();
        EventStream.write_event(&said, WORDS, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let parts = EventStream.shown_parts("lobby", &[&said, &said], WORDS);
        let ids: Vec<_> = parts.iter().map(|part| (part.first_id, part.last_id)).collect();
        assert_eq!(ids, [(7, 7), (7, 7)]);
        out.clear();
        let bye = ServerMessage::Bye { reason: "shutdown".into(), seconds: None };
        EventStream.write_message(&bye, WORDS, &mut out);
        let expected = "data: {\"type\":\"bye\",\"reason\":\"shutdown\"}\n\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
