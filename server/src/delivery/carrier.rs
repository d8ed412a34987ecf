//! How outgoing lines are framed: raw or as WebSocket messages. All output is written as lines
//! and framed here.

use std::borrow::Cow;

use madang_protocol::text::LineEnd;

use crate::{close_reason::CloseReason, dialect::Form, transport::websocket::frame};

/// How one connection's bytes are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Raw lines.
    Lines,
    /// HTTP before any upgrade: there is no way to send notices.
    Http,
    /// WebSocket: each line is a text message without its line end.
    WebSocket,
    /// WebSocket of the echo service: notices for people are left out.
    Echo,
}

impl Form {
    /// The number of wire forms: lines with either line end, and messages, which have none.
    pub(crate) const COUNT: usize = 3 * Form::NUMBERS;

    /// The index of this form with `carrier`.
    pub(crate) fn index(self, carrier: Carrier) -> usize {
        let line_end = match (carrier.carries_lines(), self.line_end()) {
            (true, LineEnd::Lf) => 0,
            (true, LineEnd::CrLf) => 1,
            (false, _) => 2,
        };
        3 * self.number() + line_end
    }
}

impl Carrier {
    /// Whether this form consists of lines rather than messages.
    pub(crate) fn carries_lines(self) -> bool {
        self != Carrier::WebSocket
    }

    /// Frames `lines` for sending.
    pub(crate) fn carry(self, lines: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Carrier::Lines => Cow::Borrowed(lines),
            Carrier::Http | Carrier::Echo => Cow::Borrowed(b""),
            Carrier::WebSocket => {
                let mut frames = Vec::with_capacity(lines.len() + 16);
                frame::write_messages(lines, &mut frames);
                Cow::Owned(frames)
            }
        }
    }

    /// How many lines `bytes` contains.
    pub(crate) fn count_lines(self, bytes: &[u8]) -> usize {
        match self {
            Carrier::Lines => bytes.iter().filter(|byte| **byte == b'\n').count(),
            Carrier::Http => 0,
            Carrier::WebSocket | Carrier::Echo => frame::count(bytes),
        }
    }

    /// Frames a goodbye, followed by the carrier's own ending: on WebSocket a Close frame,
    /// which also answers the peer's Close frame if that came first.
    pub(crate) fn carry_goodbye(
        self,
        lines: &[u8],
        reason: CloseReason,
        close_frame: Option<Option<u16>>,
    ) -> Cow<'_, [u8]> {
        // A peer that sent a Close frame reads nothing more (RFC 6455 section 5.5.1).
        let mut bytes = self.carry(if close_frame.is_some() { b"" } else { lines });
        if matches!(self, Carrier::WebSocket | Carrier::Echo) {
            let (code, words) = match (close_frame, reason) {
                (Some(code), _) => (code, ""),
                (None, CloseReason::Told(goodbye)) => (Some(goodbye.close_code()), goodbye.code()),
                // Nobody is left to read it.
                (None, _) => return bytes,
            };
            frame::write_close(code, words, bytes.to_mut());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use madang_protocol::notice::Goodbye;

    use super::*;

    #[test]
    fn a_goodbye_ends_with_a_close_frame_that_answers_the_peers() {
        #[track_caller]
        fn check(reason: CloseReason, close_frame: Option<Option<u16>>, expected: &[u8]) {
            let carried = Carrier::WebSocket.carry_goodbye(b"x\n", reason, close_frame);
            let words: &[u8] = if close_frame.is_some() { b"" } else { b"\x81\x01x" };
            assert_eq!(&*carried, [words, expected].concat());
        }
        let shutdown = CloseReason::Told(Goodbye::Shutdown);
        check(shutdown, None, b"\x88\x0a\x03\xe9shutdown");
        check(shutdown, Some(Some(4000)), b"\x88\x02\x0f\xa0");
        check(shutdown, Some(None), b"\x88\x00");
        check(CloseReason::Lost(ErrorKind::TimedOut), None, b"");
        let echo = Carrier::Echo.carry_goodbye(b"x\n", shutdown, None);
        assert_eq!(&*echo, b"\x88\x0a\x03\xe9shutdown");
        for carrier in [Carrier::Lines, Carrier::Http] {
            assert_eq!(carrier.carry_goodbye(b"x\n", shutdown, None), carrier.carry(b"x\n"));
        }
    }
}
