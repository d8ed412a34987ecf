//! One JSON object a line: [`Request`]s up, [`ServerMessage`]s down.

use madang_protocol::{
    event::{Event, ServerMessage, write_json_line},
    message::check_message,
    notice::Notice,
    request::{Request, RequestError},
};

use super::{Dialect, Stage, Words};

/// The clients' dialect; `/json` at the prompt changes to it.
pub(super) struct JsonLines;

impl Dialect for JsonLines {
    fn name(&self) -> Option<&'static str> {
        Some("json")
    }

    fn subprotocol(&self) -> Option<&'static str> {
        Some("madang.json.v1")
    }

    fn parse(&self, message: String, _stage: Stage) -> Result<Option<Request>, RequestError> {
        Request::parse(&message).map(Some)
    }

    fn check_said(&self, text: String) -> Result<Option<String>, Notice<'static>> {
        check_message(&text).map(Some)
    }

    fn write_event(&self, event: &Event, _words: Words, out: &mut Vec<u8>) {
        write_json_line(event, out);
    }

    fn write_message(&self, message: &ServerMessage<'_>, _words: Words, out: &mut Vec<u8>) {
        write_json_line(message, out);
    }
}
