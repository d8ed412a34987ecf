//! Messages from a WebSocket peer (RFC 6455): answers control frames and pings the peer
//! regularly. The handshake is done before.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{WireFraming, WireNote, WireSide, WireTransport},
    limits::{LINE_BYTES, MESSAGE_BYTES},
    notice::{Goodbye, Utf8Hint},
    read_buffer::ReadBuffer,
};

pub(crate) mod decoder;
pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod seen;

use self::{
    decoder::{Decoder, Incoming},
    seen::SeenFrames,
};
use super::{
    Line, PeerEnd, ReadOutcome, Received, Transport, WriteSide, explainer::Explainer, input::Input,
};
use crate::config::WebSocketLimits;

/// How often to check whether a queued ping has been sent.
const LEAVING_PAUSE: Duration = Duration::from_secs(1);

/// Reads one connection and answers its control frames.
pub(crate) struct MessageTransport {
    input: Input,
    writes: Arc<dyn WriteSide>,
    decoder: Decoder,
    /// Whether the peer is a program rather than a person.
    is_program: bool,
    limits: WebSocketLimits,
    /// The message or frame that has begun and not ended.
    part: Option<Unfinished>,
    /// It did not end in time.
    unfinished: bool,
    /// The paused reading time of the write side when it was last checked.
    held_up: Duration,
    ping_at: Instant,
    pong: Pong,
    end: Option<PeerEnd>,
    /// If the peer wants to see what it sends.
    explainer: Option<Explainer>,
    /// Where in its message the next frame begins, if frames are explained.
    frame_offset: usize,
}

/// A message or frame that has begun, with a deadline for its end.
#[derive(Debug, Clone, Copy)]
struct Unfinished {
    since: Instant,
    /// The number of unread bytes when the deadline passed: they may contain the end. Whatever
    /// arrives later is late.
    unread_bytes: Option<usize>,
}

/// The state of the last ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pong {
    /// Input has arrived since, or no ping was sent yet.
    Heard,
    /// The ping is in the outbox (whether the peer reads is the drainer's concern); check again
    /// at this time.
    Leaving(Instant),
    /// The ping was sent; input must arrive by this time.
    Due(Instant),
}

/// A message of either kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// UTF-8 text.
    Text(String),
    /// Binary; only if the limits allow it.
    Binary(Vec<u8>),
}

impl MessageTransport {
    /// Reads `input`, after `first` was read from it already.
    pub(crate) fn new(
        input: Input,
        writes: Arc<dyn WriteSide>,
        limits: WebSocketLimits,
        first: ReadBuffer,
    ) -> MessageTransport {
        MessageTransport {
            input,
            writes,
            decoder: Decoder::new(limits, first),
            is_program: false,
            limits,
            part: None,
            unfinished: false,
            held_up: Duration::ZERO,
            ping_at: Instant::now() + limits.ping_interval,
            pong: Pong::Heard,
            end: None,
            explainer: None,
            frame_offset: 0,
        }
    }

    /// From now on, the frames that arrive can be taken as they looked.
    pub(crate) fn watch_frames(&mut self) {
        self.decoder.watch_frames(true);
    }

    /// The frames that have arrived since the last call, if they are
    /// [watched](Self::watch_frames).
    pub(crate) fn take_seen(&mut self) -> SeenFrames {
        self.decoder.take_seen()
    }

    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        self.make_up_for_hold_up();
        let part_deadline = if self.decoder.holds_part() {
            let begun = || Unfinished { since: Instant::now(), unread_bytes: None };
            Some(self.part.get_or_insert_with(begun).since + self.limits.assembly_timeout)
        } else {
            self.part = None;
            None
        };
        loop {
            let now = Instant::now();
            if part_deadline.is_some_and(|deadline| deadline <= now) {
                self.unfinished = !self.came_in_time()?;
                return Ok(ReadOutcome::Something);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(ReadOutcome::TimedOut);
            }
            self.see_to_life(now)?;
            let life = match self.pong {
                Pong::Heard => self.ping_at,
                Pong::Leaving(at) | Pong::Due(at) => at,
            };
            let until = [deadline, part_deadline].into_iter().flatten().fold(life, Instant::min);
            if self.input.wait_readable(until)? {
                return Ok(ReadOutcome::Something);
            }
        }
    }

    /// Extends the deadline of an unfinished message by the time in which reading was paused.
    fn make_up_for_hold_up(&mut self) {
        let held_up = self.writes.held_up();
        let pause = held_up.saturating_sub(self.held_up);
        self.part = self.part.map(|part| Unfinished { since: part.since + pause, ..part });
        self.held_up = held_up;
    }

    /// Whether the next bytes to read had arrived before the deadline: a busy server may be
    /// late to read them.
    fn came_in_time(&mut self) -> io::Result<bool> {
        let Some(part) = &mut self.part else { return Ok(true) };
        let unread_bytes = match part.unread_bytes {
            Some(bytes) => bytes,
            None => *part.unread_bytes.insert(self.input.unread_bytes()?),
        };
        Ok(unread_bytes > 0 && self.input.is_readable()?)
    }

    /// Sends pings when they are due, and detects peers that do not answer.
    fn see_to_life(&mut self, now: Instant) -> io::Result<()> {
        let after_leaving = |writes: &dyn WriteSide| match writes.waiting_since() {
            None => Pong::Due(now + self.limits.pong_timeout),
            Some(_) => Pong::Leaving(now + LEAVING_PAUSE),
        };
        match self.pong {
            Pong::Heard if self.ping_at <= now => {
                self.ping_at = now + self.limits.ping_interval;
                self.writes.clone().send_control(&frame::PING);
                self.pong = after_leaving(&*self.writes);
            }
            Pong::Leaving(at) if at <= now => self.pong = after_leaving(&*self.writes),
            // The answer may have arrived while the rate limit paused reading.
            Pong::Due(at) if at <= now && !self.input.is_readable()? => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            _ => {}
        }
        Ok(())
    }

    fn read_now(&mut self) -> io::Result<ReadOutcome> {
        match self.input.read(self.decoder.spare())? {
            Received::Bytes(count) => {
                self.decoder.filled(count);
                self.pong = Pong::Heard;
                if let Some(Unfinished { unread_bytes: Some(bytes), .. }) = &mut self.part {
                    *bytes = bytes.saturating_sub(count);
                }
                if self.explainer.is_some() {
                    self.explain_read(count);
                }
            }
            Received::Nothing => {}
            Received::End(end) => self.end = Some(end),
        }
        Ok(ReadOutcome::Something)
    }

    /// The length of the next message or control frame, to be paid for.
    ///
    /// # Errors
    ///
    /// Why the rest of the input cannot be read.
    pub(crate) fn next_message_bytes(&mut self) -> Result<Option<usize>, Goodbye> {
        if self.unfinished {
            return Err(Goodbye::UnfinishedMessage);
        }
        match self.end {
            // Nothing may follow a Close frame (section 5.5.1).
            Some(PeerEnd::CloseFrame(_)) => Ok(None),
            _ => {
                let found = self.decoder.next_bytes();
                if self.explainer.is_some() {
                    self.explain_frames();
                }
                found
            }
        }
    }

    /// Tells about a read of `bytes` bytes. What they mean is told with their frames.
    fn explain_read(&mut self, bytes: usize) {
        self.writes.clone().explain(WireNote::Read {
            reads: 1,
            bytes,
            start: None,
            hidden: false,
            lines: None,
            packet: false,
            waiting: 0,
            cut: 0,
            records: self.input.take_records(),
        });
    }

    /// Tells about the frames that have arrived whole.
    fn explain_frames(&mut self) {
        let seen = self.decoder.take_whole_frames();
        let Some(explainer) = &self.explainer else { return };
        if seen.frames.is_empty() {
            return;
        }
        let like = |note: &_| matches!(note, WireNote::Frame { from: WireSide::Client, .. });
        let (message, is_whole) = self.decoder.message_so_far();
        let shown_bytes = match self.writes.shows_details(like) {
            true => explainer.shown_bytes(message, is_whole),
            false => 0,
        };
        for mut frame in seen.frames {
            let shown_bytes = match frame.opcode {
                0..=2 => {
                    let begins = frame.opcode != 0;
                    let offset = if begins { 0 } else { self.frame_offset };
                    let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
                    self.frame_offset = offset.saturating_add(length);
                    shown_bytes.saturating_sub(offset)
                }
                // Its code.
                8 => 2,
                _ => {
                    let is_whole = usize::try_from(frame.length) == Ok(frame.start.len());
                    explainer.shown_bytes(&frame.start, is_whole)
                }
            };
            frame.start.truncate(shown_bytes);
            let (from, frame) = (WireSide::Client, frame.into());
            self.writes.clone().explain(WireNote::Frame { from, frame, more: 0 });
        }
        if seen.more > 0 {
            // Where the next one begins is not known.
            self.frame_offset = usize::MAX;
        }
    }

    /// Takes what [`next_message_bytes`](Self::next_message_bytes) found. `None` if that was a
    /// control frame, which is answered here.
    pub(crate) fn take_message(&mut self) -> Option<Message> {
        let incoming = self.decoder.take();
        // What follows has its own deadline.
        self.part = self.part.filter(|_| self.decoder.is_assembling());
        match incoming? {
            Incoming::Text(text) => return Some(Message::Text(text)),
            Incoming::Binary(bytes) => return Some(Message::Binary(bytes)),
            Incoming::Ping(payload) => self.writes.clone().send_control(&frame::pong(&payload)),
            Incoming::Pong => {}
            Incoming::Close(code) => {
                self.writes.note_close_frame(code);
                self.end = Some(PeerEnd::CloseFrame(code));
            }
        }
        None
    }
}

impl Transport for MessageTransport {
    /// Pings while waiting; `TimedOut` if a ping was not answered.
    fn read(&mut self, deadline: Option<Instant>) -> io::Result<ReadOutcome> {
        let read = self.wait(deadline).and_then(|outcome| match outcome {
            ReadOutcome::Something if !self.unfinished => self.read_now(),
            outcome => Ok(outcome),
        });
        if read.is_err() {
            self.end = Some(PeerEnd::Lost);
        }
        read
    }

    fn next_line_bytes(&mut self) -> Result<Option<usize>, Goodbye> {
        self.next_message_bytes()
    }

    /// Takes the next message as a line of a program or a person.
    fn take_line(&mut self) -> Option<Line> {
        Some(match self.take_message()? {
            Message::Text(text) if self.is_program => Line::Text(text),
            Message::Text(text) => line_of(text),
            // The limits of a chat do not allow it.
            Message::Binary(_) => Line::NotUtf8(Utf8Hint::None),
        })
    }

    fn peer_end(&self) -> Option<PeerEnd> {
        self.end
    }

    fn become_program(&mut self) {
        self.is_program = true;
    }

    fn explain(&mut self, explainer: Option<Explainer>) {
        self.decoder.watch_frames(explainer.is_some());
        self.input.watch_records(explainer.is_some());
        self.explainer = explainer;
        if self.explainer.is_some() {
            self.writes.clone().explain(WireNote::Connection {
                transport: WireTransport::WebSocket,
                encrypted: self.input.is_encrypted(),
                framing: WireFraming::Messages,
            });
        }
    }

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }
}

/// One message of a person: a line, or several.
fn line_of(mut text: String) -> Line {
    // Some programs include the line end that their user typed.
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if let Some(line) = text.split('\n').find(|line| line.len() > LINE_BYTES) {
        return Line::TooLong(line.len());
    }
    if text.len() > MESSAGE_BYTES {
        return Line::MessageTooLong(text.len());
    }
    Line::Text(text)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    use madang_protocol::text::LineEnd;
    use madang_tests::frame;

    use super::{decoder::tests::holding, *};
    use crate::{patience::DEADLINE, transport::Pieces};

    /// Discards all output.
    struct Mute;

    impl WriteSide for Mute {
        fn send_control(self: Arc<Self>, _frame: &[u8]) {}

        fn note_close_frame(&self, _code: Option<u16>) {}

        fn waiting_since(&self) -> Option<Instant> {
            None
        }

        fn held_up(&self) -> Duration {
            Duration::ZERO
        }

        fn end_lines_with(&self, _line_end: LineEnd) {}

        fn change_pieces(&self, _pieces: Pieces) {}

        fn explain(self: Arc<Self>, _note: WireNote) {}

        fn shows_details(&self, _like: fn(&WireNote) -> bool) -> bool {
            false
        }
    }

    /// A reader that has read `first` and whose deadline for the rest is immediate, and its
    /// peer.
    fn reader(first: &[u8]) -> (MessageTransport, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let peer = TcpStream::connect(address).expect("it listens");
        let (stream, _) = listener.accept().expect("somebody has connected");
        let limits =
            WebSocketLimits { assembly_timeout: Duration::ZERO, ..WebSocketLimits::default() };
        let input = Input::plain(Arc::new(stream), Arc::default());
        (MessageTransport::new(input, Arc::new(Mute), limits, holding(first)), peer)
    }

    /// Sends `bytes` and makes the reader read all of them.
    #[track_caller]
    fn read(reader: &mut MessageTransport, peer: &mut TcpStream, bytes: &[u8]) {
        peer.write_all(bytes).expect("it is connected");
        let deadline = Instant::now() + DEADLINE;
        while reader.input.unread_bytes().expect("it is connected") < bytes.len() {
            assert!(Instant::now() < deadline, "it does not come");
            std::thread::yield_now();
        }
        while reader.input.unread_bytes().expect("it is connected") > 0 && !reader.unfinished {
            assert_eq!(reader.read(None).expect("it is connected"), ReadOutcome::Something);
        }
    }

    #[test]
    fn a_message_that_arrives_in_time_may_be_read_late() {
        let (mut reader, mut peer) = reader(&frame(0x01, "hel"));
        assert!(reader.next_message_bytes().is_ok_and(|bytes| bytes.is_none()));
        read(&mut reader, &mut peer, &frame(0x80, "lo"));
        assert!(reader.next_message_bytes().is_ok_and(|bytes| bytes.is_some()));
        assert_eq!(reader.take_message(), Some(Message::Text("hello".into())));
        // The next one has its own deadline.
        read(&mut reader, &mut peer, &frame(0x81, "again"));
        assert!(reader.next_message_bytes().is_ok_and(|bytes| bytes.is_some()));
    }

    #[test]
    fn an_unfinished_message_is_late_whatever_arrives_after_its_deadline() {
        let (mut idle, _peer) = reader(&frame(0x01, "hel"));
        assert!(idle.next_message_bytes().is_ok());
        idle.read(None).expect("it is connected");
        assert_eq!(idle.next_message_bytes(), Err(Goodbye::UnfinishedMessage));

        let (mut pinging, mut peer) = reader(&frame(0x01, "hel"));
        for expected in [Ok(Some(0)), Err(Goodbye::UnfinishedMessage)] {
            assert_eq!(pinging.next_message_bytes(), Ok(None));
            read(&mut pinging, &mut peer, &frame(0x89, ""));
            assert_eq!(pinging.next_message_bytes(), expected);
            if expected.is_ok() {
                assert_eq!(pinging.take_message(), None);
            }
        }
    }

    #[test]
    fn a_message_holds_one_or_more_lines_within_the_limits() {
        #[track_caller]
        fn check(text: &str, expected: Line) {
            assert_eq!(line_of(text.to_owned()), expected);
        }
        check("hi", Line::Text("hi".into()));
        check("hi\r\n", Line::Text("hi".into()));
        check("a\n/quit", Line::Text("a\n/quit".into()));
        check("", Line::Text(String::new()));
        let longest = "x".repeat(LINE_BYTES);
        check(&longest, Line::Text(longest.clone()));
        check(&format!("{longest}x\n"), Line::TooLong(LINE_BYTES + 1));
        let lines = [longest.as_str(); 4].join("\n");
        check(&lines, Line::MessageTooLong(MESSAGE_BYTES + 3));
    }
}
