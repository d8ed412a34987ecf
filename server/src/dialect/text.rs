//! Lines for people, in Korean or in English.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};
use madang_protocol::{
    command::Input,
    event::{Event, RoomSummary, ServerMessage, Time},
    message::check_message,
    notice::{Goodbye, Invitation, Notice, lesson_answer},
    request::{Request, RequestError},
    room::{LOBBY, asks_for_room},
    text::{LineEnd, write_event},
};

use super::{Dialect, HistoryHead, Part, SkippedEvents, Stage, Words, past::ANSWER_BYTES};
use crate::clock;

/// The dialect for people, with which every connection begins.
pub(super) struct TextLines;

impl Dialect for TextLines {
    fn media_type(&self) -> Option<&'static str> {
        Some("text/plain")
    }

    fn is_for_programs(&self) -> bool {
        false
    }

    fn parse(&self, message: String, stage: Stage) -> Result<Option<Request>, RequestError> {
        let changed = match Input::parse(&message) {
            Input::Command(line) => {
                let line = line.into_owned();
                return Ok(Some(Request::Command { line, room: None, nonce: None }));
            }
            // A pasted link is not a name, even if it is broken.
            _ if stage == Stage::Login && asks_for_room(&message) => {
                let line = format!("/join {message}");
                return Ok(Some(Request::Command { line, room: None, nonce: None }));
            }
            // An attempt at a name, even if all of it is invisible.
            _ if stage == Stage::Login => None,
            Input::Nothing => return Ok(None),
            Input::Text(Cow::Borrowed(text)) if text.len() == message.len() => None,
            Input::Text(text) => Some(text.into_owned()),
        };
        Ok(Some(match stage {
            Stage::Login => login(message),
            Stage::Conversation => {
                Request::Say { text: changed.unwrap_or(message), room: None, nonce: None }
            }
        }))
    }

    fn check_said(&self, text: String) -> Result<Option<String>, Notice<'static>> {
        if memchr::memchr(b'\n', text.as_bytes()).is_none() {
            // It was sanitized as it was read.
            return Ok(Some(text));
        }
        // From WebSocket: several lines of one message.
        match check_message(&text) {
            Err(Notice::NothingSaid) => Ok(None),
            checked => checked.map(Some),
        }
    }

    fn write_event(&self, event: &Event, words: Words, out: &mut Vec<u8>) {
        write_event(event, words.lang, words.line_end, out);
    }

    fn write_message(&self, message: &ServerMessage<'_>, words: Words, out: &mut Vec<u8>) {
        let mut say = |notice: Notice<'_>| self.write_notice(&notice, None, words, out);
        match message {
            ServerMessage::Welcome { room, members, topic, .. } => {
                // No greeting in the lobby, as in the seed.
                if let Some(room) = room.as_deref().filter(|room| *room != LOBBY) {
                    say(Notice::Entered { room, members: *members, topic: topic.as_deref() });
                }
                if message.is_saved() {
                    say(Notice::Recorded);
                }
            }
            // Acks are not needed: the effect is visible.
            ServerMessage::Hello { .. }
            | ServerMessage::Ack { .. }
            | ServerMessage::Bye { .. }
            | ServerMessage::Gap { reason: Some(_), .. }
            | ServerMessage::PrivateGap { .. } => {}
            ServerMessage::Gap { from, to, reason: None, .. } => {
                let lines = usize::try_from(to.saturating_sub(*from) + 1).unwrap_or(usize::MAX);
                say(Notice::Skipped { lines });
            }
            ServerMessage::Entered { room, members, topic, .. } => {
                say(Notice::Entered { room, members: *members, topic: topic.as_deref() });
                if message.is_saved() {
                    say(Notice::Recorded);
                }
            }
            ServerMessage::Whisper { user, teacher, text, .. } => {
                say(Notice::Whispered { user, teacher: *teacher, text });
            }
            ServerMessage::Error { text, .. } | ServerMessage::Notice { text, .. } => {
                write_lines(text, words.line_end, out);
            }
            ServerMessage::Who { count, members, quiet, streams, .. } => {
                let [names, quiet, streams] = [members, quiet, streams]
                    .map(|names| names.iter().map(|name| &**name).collect::<Vec<_>>());
                let (count, names, quiet, streams) = (*count, &*names, &*quiet, &*streams);
                say(Notice::Who { count, names, quiet, streams });
            }
            ServerMessage::Rooms { rooms, .. } => say(Notice::Rooms(rooms)),
            ServerMessage::Whois { user, room, since, away, quiet, stream, .. } => {
                let seconds = since.map(|since| {
                    let millis = clock::now().as_millis() - since.as_millis();
                    u64::try_from(millis / 1_000).unwrap_or_default()
                });
                let (room, away) = (room.as_deref(), *away);
                let (quiet, stream) = (*quiet, *stream);
                say(Notice::Whois { user, room, seconds, away, quiet, stream });
            }
            ServerMessage::Invite {
                link, madang, nc, encrypted, qr, words, words_seconds, ..
            } => {
                say(Notice::Invite(Invitation {
                    link: link.as_deref(),
                    madang,
                    nc: nc.first().map(|nc| &**nc),
                    join: nc.get(1).map(|join| &**join),
                    encrypted: *encrypted,
                    qr: qr.as_deref(),
                    words: words.as_deref(),
                    words_seconds: words_seconds.unwrap_or_default(),
                }));
            }
            ServerMessage::History { events, .. } | ServerMessage::Found { events, .. } => {
                events.iter().for_each(|event| self.write_event(event, words, out));
            }
            ServerMessage::Transcript { path, link, .. } => {
                say(Notice::Transcript { link: link.as_deref().unwrap_or(path), apart: false });
            }
            ServerMessage::Ignored { users, .. } => {
                let names: Vec<&str> = users.iter().map(|name| &**name).collect();
                say(Notice::Hidden(&names));
            }
            // Written below.
            ServerMessage::Teacher { .. }
            | ServerMessage::Hands { .. }
            | ServerMessage::HandText { .. }
            | ServerMessage::Ballot { .. }
            | ServerMessage::Tally { .. }
            | ServerMessage::Asked { .. }
            | ServerMessage::Attendance { .. } => {}
            ServerMessage::Pong { token, .. } => say(Notice::Pong(token.as_deref())),
            ServerMessage::Wire { note, .. } => say(Notice::Explained(note)),
            ServerMessage::Event(event) => self.write_event(event, words, out),
        }
        if let Some(text) = lesson_answer(message, words.lang, clock::now()) {
            write_lines(&text, words.line_end, out);
        }
    }

    fn write_notice(
        &self,
        notice: &Notice<'_>,
        _nonce: Option<&str>,
        words: Words,
        out: &mut Vec<u8>,
    ) {
        write_lines(&notice.text(words.lang), words.line_end, out);
    }

    fn write_hint(&self, hint: &Notice<'_>, words: Words, out: &mut Vec<u8>) {
        self.write_notice(hint, None, words, out);
    }

    fn write_prompt(&self, words: Words, out: &mut Vec<u8>) {
        out.extend_from_slice(Notice::LoginPrompt.text(words.lang).as_bytes());
    }

    fn write_greeting(&self, motd: Option<&str>, words: Words, out: &mut Vec<u8>) {
        let version = env!("CARGO_PKG_VERSION");
        self.write_notice(&Notice::Greeting { version }, None, words, out);
        if let Some(motd) = motd {
            write_lines(motd, words.line_end, out);
        }
        self.write_prompt(words, out);
    }

    fn write_goodbye(&self, goodbye: Goodbye, words: Words, out: &mut Vec<u8>) {
        // People who quit need no goodbye.
        if !matches!(goodbye, Goodbye::Quit | Goodbye::Closed) {
            self.write_notice(&Notice::Goodbye(goodbye), None, words, out);
        }
    }

    fn write_skipped(&self, skipped: &SkippedEvents<'_>, words: Words, out: &mut Vec<u8>) {
        self.write_notice(&Notice::Skipped { lines: skipped.lines }, None, words, out);
    }

    fn write_rooms(
        &self,
        rooms: &[RoomSummary<'_>],
        _nonce: Option<&str>,
        words: Words,
        out: &mut Vec<u8>,
    ) {
        self.write_notice(&Notice::Rooms(rooms), None, words, out);
    }

    fn shown_parts(&self, _room: &str, events: &[&Event], words: Words) -> Vec<Part> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Vec::new() };
        let mut said = Vec::new();
        events.iter().for_each(|event| self.write_event(event, words, &mut said));
        let count = said.iter().filter(|byte| **byte == b'\n').count();
        let mut lines = Vec::new();
        self.write_notice(&Notice::Earlier { lines: count }, None, words, &mut lines);
        lines.extend_from_slice(&said);
        vec![Part { lines, first_id: first.id(), last_id: last.id() }]
    }

    fn write_history(
        &self,
        head: HistoryHead<'_>,
        newest_first: &mut dyn Iterator<Item = &Event>,
        words: Words,
        out: &mut Vec<u8>,
    ) {
        let zone = clock::zone();
        let today = Timestamp::now().to_zoned(zone.clone()).date();
        let (mut said, mut bytes) = (Vec::new(), 0);
        let mut breaks = self.breaks(head, words).into_iter().rev().peekable();
        for event in newest_first {
            while let Some((_, line)) = breaks.next_if(|(id, _)| *id > event.id()) {
                said.push(line);
            }
            let time = time_of_day(event.stamp().time, zone, today);
            let lines = lines_with_time(event, words, &time);
            bytes += lines.len();
            if bytes > ANSWER_BYTES && !said.is_empty() {
                breaks.by_ref().for_each(drop);
                break;
            }
            said.push(lines);
        }
        said.extend(breaks.map(|(_, line)| line));
        if said.is_empty() {
            self.write_notice(&Notice::NothingEarlier, None, words, out);
        }
        said.iter().rev().for_each(|lines| out.extend_from_slice(lines));
    }
}

impl TextLines {
    /// The lines about what is missing and about restarts, each with the id where it stands.
    fn breaks(&self, head: HistoryHead<'_>, words: Words) -> Vec<(u64, Vec<u8>)> {
        let gaps = head.gaps.unwrap_or_default().iter().map(|(from, to)| {
            let mut line = Vec::new();
            let lines = to.saturating_sub(*from).saturating_add(1);
            self.write_notice(&Notice::NotSaved { lines }, None, words, &mut line);
            (*from, line)
        });
        let restarts = head.restarts.iter().map(|event| {
            let mut line = Vec::new();
            self.write_event(event, words, &mut line);
            (event.id(), line)
        });
        let mut breaks: Vec<_> = gaps.chain(restarts).collect();
        breaks.sort_by_key(|(id, _)| *id);
        breaks
    }
}

/// The request of somebody who types a name at the prompt.
fn login(name: String) -> Request {
    Request::Login {
        name: Some(name),
        room: None,
        new_room: false,
        topic: None,
        quiet: false,
        history: None,
        session: None,
        previous: None,
        last: None,
        last_private: None,
        nonce: None,
    }
}

/// Writes `text` with the right line ends, the last line included.
fn write_lines(text: &str, line_end: LineEnd, out: &mut Vec<u8>) {
    for line in text.split('\n') {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(line_end.as_str().as_bytes());
    }
}

/// The event's lines, each with its time in front; without times if they would make a message
/// of many lines longer than an answer may be.
fn lines_with_time(event: &Event, words: Words, time: &str) -> Vec<u8> {
    let mut lines = Vec::new();
    write_event(event, words.lang, words.line_end, &mut lines);
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    if lines.len() + count * time.len() > ANSWER_BYTES {
        return lines;
    }
    let each = lines.split_inclusive(|byte| *byte == b'\n');
    each.flat_map(|line| [time.as_bytes(), line]).flatten().copied().collect()
}

/// The time of day in the server's time zone, with the date if that is not today.
fn time_of_day(time: Time, zone: &TimeZone, today: jiff::civil::Date) -> String {
    let timestamp = Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    let zoned = timestamp.to_zoned(zone.clone());
    let format = if zoned.date() == today { "%H:%M " } else { "%m-%d %H:%M " };
    zoned.strftime(format).to_string()
}
