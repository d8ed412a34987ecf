//! What bytes mean. A [`Dialect`] parses a peer's messages into requests, and writes events,
//! answers and goodbyes. All of them are in [`DIALECTS`]; nothing outside this folder asks
//! which one a peer speaks. Knows neither sockets nor rooms.

use std::ops::Deref;

use madang_protocol::{
    event::{Event, Limits, RoomSummary, ServerMessage},
    limits::PROTOCOL_VERSION,
    notice::{Goodbye, Notice},
    request::{Request, RequestError},
    text::{Lang, LineEnd},
};

use self::{event_stream::EventStream, json::JsonLines, text::TextLines};

pub(crate) mod answer;
mod text;
mod json;
mod event_stream;
pub(crate) mod past;
#[cfg(test)]
mod tsv;

/// Every dialect. A connection begins with the first, which is for people.
const DIALECTS: &[&dyn Dialect] = &[
    &TextLines,
    &JsonLines,
    &EventStream,
    #[cfg(test)]
    &tsv::TsvLines,
];

/// How many rooms a message to a program lists.
const ROOMS_PER_MESSAGE: usize = 50;

/// A dialect. The default methods suit all programs, which get every message in one form; a
/// dialect for people has words of its own.
pub(crate) trait Dialect: Sync {
    /// Its name, if `/NAME` at the prompt changes to it.
    fn name(&self) -> Option<&'static str> {
        None
    }

    /// The WebSocket subprotocol that asks for it.
    fn subprotocol(&self) -> Option<&'static str> {
        None
    }

    /// The media type in which a room is streamed to whoever asks for it over HTTP.
    fn media_type(&self) -> Option<&'static str> {
        None
    }

    /// What shows a silent reader, and proxies on the way, that the connection lives.
    fn heartbeat(&self) -> Option<&'static [u8]> {
        None
    }

    /// Whether programs speak it. They get their lines as received and events of every kind,
    /// apply the ignore list themselves, and can come back to their sessions.
    fn is_for_programs(&self) -> bool {
        true
    }

    /// Parses a message; `None` if there is nothing to do.
    ///
    /// # Errors
    ///
    /// Why it is not a valid request.
    fn parse(&self, message: String, stage: Stage) -> Result<Option<Request>, RequestError>;

    /// Checks and sanitizes a message; `None` if there is nothing to send and no reason to
    /// complain.
    ///
    /// # Errors
    ///
    /// Why it can't be sent.
    fn check_said(&self, text: String) -> Result<Option<String>, Notice<'static>>;

    /// Writes what happened in a room.
    fn write_event(&self, event: &Event, words: Words, out: &mut Vec<u8>);

    /// Writes a message to one member.
    fn write_message(&self, message: &ServerMessage<'_>, words: Words, out: &mut Vec<u8>);

    /// Writes a notice, with the nonce of the request that it answers.
    fn write_notice(
        &self,
        notice: &Notice<'_>,
        nonce: Option<&str>,
        words: Words,
        out: &mut Vec<u8>,
    ) {
        let (text, nonce) = (notice.text(words.lang).into(), nonce.map(Into::into));
        let proposal = notice.proposal().map(Into::into);
        let wait_seconds = notice.wait_seconds();
        let message = match notice.code() {
            Some(code) => {
                ServerMessage::Error { code: code.into(), text, proposal, wait_seconds, nonce }
            }
            None => ServerMessage::Notice { text, nonce },
        };
        self.write_message(&message, words, out);
    }

    /// Writes a hint, which only people need.
    fn write_hint(&self, _hint: &Notice<'_>, _words: Words, _out: &mut Vec<u8>) {}

    /// Writes the prompt for a name, where there is one.
    fn write_prompt(&self, _words: Words, _out: &mut Vec<u8>) {}

    /// Writes the greeting, and the operator's message of the day.
    fn write_greeting(&self, motd: Option<&str>, words: Words, out: &mut Vec<u8>) {
        let hello = ServerMessage::Hello {
            server: "madang".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL_VERSION,
            limits: Limits::CURRENT,
        };
        self.write_message(&hello, words, out);
        if let Some(motd) = motd {
            let message = ServerMessage::Notice { text: motd.into(), nonce: None };
            self.write_message(&message, words, out);
        }
    }

    /// Writes the last message of a connection.
    fn write_goodbye(&self, goodbye: Goodbye, words: Words, out: &mut Vec<u8>) {
        let (reason, seconds) = (goodbye.code().into(), goodbye.seconds());
        self.write_message(&ServerMessage::Bye { reason, seconds }, words, out);
    }

    /// Writes that a slow reader missed something.
    fn write_skipped(&self, skipped: &SkippedEvents<'_>, words: Words, out: &mut Vec<u8>) {
        let SkippedEvents { room, from, to, .. } = *skipped;
        self.write_message(
            &ServerMessage::Gap { room: room.into(), from, to, reason: None },
            words,
            out,
        );
    }

    /// Writes the list of public rooms.
    fn write_rooms(
        &self,
        rooms: &[RoomSummary<'_>],
        nonce: Option<&str>,
        words: Words,
        out: &mut Vec<u8>,
    ) {
        let mut chunks = rooms.chunks(ROOMS_PER_MESSAGE).peekable();
        while let Some(chunk) = chunks.next() {
            let (rooms, more) = (chunk.to_vec(), chunks.peek().is_some());
            let nonce = nonce.map(Into::into);
            self.write_message(&ServerMessage::Rooms { rooms, more, nonce }, words, out);
        }
    }

    /// Writes the history `events` of `room` for a new member.
    fn shown_parts(&self, room: &str, events: &[&Event], words: Words) -> Vec<Part> {
        past::parts(HistoryHead::of(room), events, |message, out| {
            self.write_message(message, words, out)
        })
    }

    /// Writes the answer to a request for history, as much as fits.
    fn write_history(
        &self,
        head: HistoryHead<'_>,
        newest_first: &mut dyn Iterator<Item = &Event>,
        words: Words,
        out: &mut Vec<u8>,
    ) {
        let events = past::newest(newest_first);
        let write = |message: &ServerMessage<'_>, out: &mut Vec<u8>| {
            self.write_message(message, words, out)
        };
        for part in past::parts(head, &events, write) {
            out.extend_from_slice(&part.lines);
        }
        if events.is_empty() {
            write(&past::message(head, &[], false), out);
        }
    }
}

/// The fields of a history answer besides its events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistoryHead<'a> {
    /// The room's name.
    pub(crate) room: &'a str,
    /// Whether nothing older can be read.
    pub(crate) earliest: bool,
    /// The request's nonce.
    pub(crate) nonce: Option<&'a str>,
    /// What is missing among them: the first and the last id of each gap; `None` if the events are
    /// a selection.
    pub(crate) gaps: Option<&'a [(u64, u64)]>,
    /// What happened before them and can't be read any more: the first and the last id.
    pub(crate) gone: Option<(u64, u64)>,
    /// When the server was restarted meanwhile; programs have that among the events.
    pub(crate) restarts: &'a [Event],
}

impl<'a> HistoryHead<'a> {
    /// Of a room, and nothing else to tell.
    pub(crate) fn of(room: &'a str) -> HistoryHead<'a> {
        HistoryHead { room, earliest: false, nonce: None, gaps: None, gone: None, restarts: &[] }
    }
}

/// The stage of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the login.
    Login,
    /// After it.
    Conversation,
}

/// The language, and the line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// The language of texts for people.
    pub(crate) lang: Lang,
    /// Their line ends.
    pub(crate) line_end: LineEnd,
}

/// Events that were not sent to a slow reader.
pub(crate) struct SkippedEvents<'a> {
    /// The room where they happened.
    pub(crate) room: &'a str,
    /// How many lines people would have been shown.
    pub(crate) lines: usize,
    /// The id of the first.
    pub(crate) from: u64,
    /// The id of the last.
    pub(crate) to: u64,
}

/// Lines that are sent or skipped together.
pub(crate) struct Part {
    /// The bytes, before a carrier frames them.
    pub(crate) lines: Vec<u8>,
    /// The id of the first event in it.
    pub(crate) first_id: u64,
    /// The id of the last one.
    pub(crate) last_id: u64,
}

/// One of [`DIALECTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DialectId(u8);

impl DialectId {
    /// The dialect that connections begin with, unless the client asks for another.
    pub(crate) const FIRST: DialectId = DialectId(0);

    /// The dialect that `command` at the prompt changes to.
    pub(crate) fn chosen_by(self, command: &str) -> Option<DialectId> {
        let name = command.strip_prefix('/').filter(|_| !self.is_for_programs())?;
        DialectId::all().find(|dialect| dialect.name() == Some(name))
    }

    /// The first dialect whose subprotocol `is_offered`.
    pub(crate) fn offered(is_offered: impl Fn(&str) -> bool) -> Option<DialectId> {
        DialectId::all().find(|dialect| dialect.subprotocol().is_some_and(&is_offered))
    }

    /// The dialect in which a room is streamed to whoever accepts these media types.
    pub(crate) fn streamed(accepts: impl Fn(&str) -> bool) -> DialectId {
        let is_accepted = |dialect: &DialectId| dialect.media_type().is_some_and(&accepts);
        DialectId::all().find(is_accepted).unwrap_or(DialectId::FIRST)
    }

    fn all() -> impl Iterator<Item = DialectId> {
        (0..DIALECTS.len()).filter_map(|number| u8::try_from(number).ok().map(DialectId))
    }
}

impl Deref for DialectId {
    type Target = dyn Dialect;

    fn deref(&self) -> &(dyn Dialect + 'static) {
        DIALECTS[usize::from(self.0)]
    }
}

/// The form of a connection's messages: a dialect, and for people the language and line ends.
/// Renderings in a form are shared by everyone who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    dialect: DialectId,
    words: Words,
}

impl Form {
    /// How many numbers of forms there are.
    pub(crate) const NUMBERS: usize = 2 * DIALECTS.len();

    /// One JSON object a line.
    pub const JSON: Form =
        Form { dialect: DialectId(1), words: Words { lang: Lang::Ko, line_end: LineEnd::Lf } };

    /// Lines for people.
    pub const fn text(lang: Lang, line_end: LineEnd) -> Form {
        Form { dialect: DialectId::FIRST, words: Words { lang, line_end } }
    }

    /// The form of `dialect`. Forms for programs have no language: events contain no text for
    /// people.
    pub(crate) fn new(dialect: DialectId, lang: Lang, line_end: LineEnd) -> Form {
        match dialect.is_for_programs() {
            true => Form { dialect, ..Form::JSON },
            false => Form { dialect, words: Words { lang, line_end } },
        }
    }

    pub(crate) fn dialect(self) -> DialectId {
        self.dialect
    }

    /// Its line ends.
    pub(crate) fn line_end(self) -> LineEnd {
        self.words.line_end
    }

    /// The same with other line ends, if it is for people.
    pub(crate) fn ending_with(self, line_end: LineEnd) -> Form {
        Form::new(self.dialect, self.words.lang, line_end)
    }

    /// Whether it is for programs.
    pub(crate) fn is_for_programs(self) -> bool {
        self.dialect.is_for_programs()
    }

    /// The number of its dialect and language, below [`NUMBERS`](Self::NUMBERS).
    pub(crate) fn number(self) -> usize {
        let lang = match self.words.lang {
            Lang::Ko => 0,
            Lang::En => 1,
        };
        2 * usize::from(self.dialect.0) + lang
    }

    /// Appends `event` as lines.
    pub(crate) fn write_event(self, event: &Event, out: &mut Vec<u8>) {
        self.dialect.write_event(event, self.words, out);
    }

    /// Appends the lines that say which events were skipped.
    pub(crate) fn write_skipped(self, skipped: &SkippedEvents<'_>, out: &mut Vec<u8>) {
        self.dialect.write_skipped(skipped, self.words, out);
    }

    /// The history for a new member.
    pub(crate) fn shown_parts(self, room: &str, events: &[&Event]) -> Vec<Part> {
        self.dialect.shown_parts(room, events, self.words)
    }
}
