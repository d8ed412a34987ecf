//! A pipe to a Madang server: every line of stdin is said, in order, and the client waits until
//! all of them are confirmed.
//!
//! Lines that are waiting are sent together as one message, so that the server's rate limit
//! slows the program down as little as possible.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossbeam_channel::{at, never, select};
use madang_protocol::{
    command::{Command, Input},
    event::ServerMessage,
    limits::{MESSAGE_BYTES, MESSAGE_LINES, NAME_BYTES},
    message::check_message,
    sanitize::sanitize_message,
    text::{SAID_OVERHEAD, most_rendered_bytes, rendered_bytes},
};

use crate::{
    cli::Options,
    connection::Incoming,
    failure::Failure,
    input::Line,
    link::Link,
    reconnect::Reconnect,
    render::Renderer,
    session::{Asked, LOGIN, Session, Wanted},
    stdio::{Kind, Stdio},
    words::Words,
};

/// How many messages may be without an answer. With fewer, more lines are sent together when
/// the server is slow; one less than this would still keep a fast server busy.
const WINDOW: usize = 4;

/// How long a line waits for others to be sent with.
const LINGER: Duration = Duration::from_millis(2);

/// When to give up coming back: the session has ended by then.
const GIVE_UP: Duration = Duration::from_secs(60);

struct Pipe<'a> {
    options: &'a Options,
    session: Session,
    stdio: &'a mut Stdio,
    renderer: Renderer,
    logged_in: bool,
    /// The room that the input is written for.
    room: Option<String>,
    input_ended: bool,
    /// The next message, and when its first line came.
    batch: Option<(Batch, Instant)>,
    /// A line that did not fit into the next message.
    held: Option<Batch>,
    /// The lines of each message without an answer, oldest first.
    lines: VecDeque<(u64, Span)>,
    /// Lines that were said and not saved, until they are reported, and how many there were.
    unsaved: Option<Span>,
    unsaved_lines: u64,
    /// When the connection was lost.
    lost: Option<(Reconnect, Instant)>,
}

/// A range of input lines: the numbers of the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

/// Lines that are sent as one message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    text: String,
    lines: usize,
    /// The most that it can cost a reader, with a name of any length.
    rendered_bytes: usize,
    span: Span,
    /// A command, which is sent by itself.
    is_command: bool,
}

impl Batch {
    fn new(line: Line, text: String, is_command: bool) -> Batch {
        let span = Span { first: line.number, last: line.number };
        let rendered_bytes = rendered_bytes("", &text, NAME_BYTES + SAID_OVERHEAD);
        Batch { text, lines: 1, rendered_bytes, span, is_command }
    }

    /// Adds another line, if it may be sent with the others and fits.
    fn add(&mut self, other: Batch) -> Result<(), Batch> {
        let bytes = self.text.len() + "\n".len() + other.text.len();
        let lines = self.lines + other.lines;
        let rendered_bytes = self.rendered_bytes + other.rendered_bytes;
        let fits = bytes <= MESSAGE_BYTES
            && lines <= MESSAGE_LINES
            && rendered_bytes <= most_rendered_bytes(bytes);
        if self.is_command || other.is_command || !fits {
            return Err(other);
        }
        (self.lines, self.rendered_bytes) = (lines, rendered_bytes);
        self.text.push('\n');
        self.text.push_str(&other.text);
        self.span.last = other.span.last;
        Ok(())
    }
}

/// Delivers stdin, under the name in `options` or a guest name, and shows what is said in the
/// meantime. Sends `/quit` before it returns, unless the connection has ended.
pub(crate) fn run(
    link: Link,
    options: &Options,
    mut renderer: Renderer,
    stdio: &mut Stdio,
) -> Result<(), Failure> {
    if stdio.kind == Kind::Terminal {
        stdio.show(link.motd())?;
    }
    let wanted = Wanted {
        name: options.name.clone().unwrap_or_default(),
        room: options.room.clone().or_else(|| options.address.room.clone()),
        history: Some(0),
        quiet: false,
    };
    renderer.me.clone_from(&wanted.name);
    let mut pipe = Pipe {
        options,
        session: Session::new(link, wanted, WINDOW, options.answer_timeout),
        stdio,
        renderer,
        logged_in: false,
        room: None,
        input_ended: false,
        batch: None,
        held: None,
        lines: VecDeque::new(),
        unsaved: None,
        unsaved_lines: 0,
        lost: None,
    };
    let result = pipe.deliver();
    pipe.report_unsaved();
    let Pipe { session, stdio, renderer, lines, unsaved_lines, lost, .. } = &mut pipe;
    let is_gone = matches!(&result, Err(failure) if failure.ends_connection());
    if (is_gone || lost.is_some() || matches!(&result, Err(Failure::RoomGone)))
        && let (Some((_, first)), Some((_, last))) = (lines.front(), lines.back())
    {
        let unconfirmed = Words::Unconfirmed { first: first.first, last: last.last };
        stdio.remark(&unconfirmed.text(stdio.lang));
    }
    if !is_gone && lost.is_none() {
        // What arrives now is shown if possible; it does no harm if it can't be.
        session.leave("/quit", |received| {
            if let Some(message) = &received.message {
                let _ = stdio.show_fit(&renderer.render(message).text);
            }
        });
    }
    let saved = match *unsaved_lines {
        0 => Ok(()),
        lines => Err(Failure::Unsaved { lines }),
    };
    result.and_then(|()| stdio.outcome()).and(saved)
}

impl Pipe<'_> {
    fn deliver(&mut self) -> Result<(), Failure> {
        self.session.login(&self.options.name.clone().unwrap_or_default());
        loop {
            let is_done = self.input_ended && self.batch.is_none() && self.held.is_none();
            if is_done && self.session.unanswered().len() == 0 {
                return Ok(());
            }
            let takes_lines = self.logged_in && !self.input_ended && self.held.is_none();
            let lines = if takes_lines { self.stdio.lines.clone() } else { never() };
            let links = self.lost.as_ref().map_or_else(never, |(lost, _)| lost.links().clone());
            let timer = self.next_moment().map_or_else(never, at);
            select! {
                recv(lines) -> line => match line {
                    Ok(line) => self.take(line.map_err(Failure::Stdin)?),
                    Err(_) => self.input_ended = true,
                },
                recv(self.session.incoming()) -> incoming => {
                    let heard = self.heard(incoming.unwrap_or(Incoming::End(None)));
                    self.or_reconnect(heard)?;
                }
                recv(links) -> link => match link {
                    Ok(link) => {
                        self.lost = None;
                        self.session.relink(link);
                    }
                    Err(_) => return Err(Failure::Lost(None)),
                },
                recv(self.stdio.interrupts) -> _ => return Err(self.stdio.interrupted()),
                recv(self.session.silence()) -> _ => self.or_reconnect(Err(Failure::Silent))?,
                recv(timer) -> _ => {}
            }
            if self.lost.as_ref().is_some_and(|(_, since)| since.elapsed() >= GIVE_UP) {
                return Err(Failure::SessionOver);
            }
            self.send_batch();
        }
    }

    /// When the batch has waited long enough, or the connection has been gone too long.
    fn next_moment(&self) -> Option<Instant> {
        let given_up = self.lost.as_ref().map(|(_, since)| *since + GIVE_UP);
        let full = self.session.is_full();
        let sent = self.batch.as_ref().filter(|_| !full).map(|(_, since)| *since + LINGER);
        given_up.into_iter().chain(sent).min()
    }

    /// Adds a line to the batch, or keeps it until the batch has been sent.
    fn take(&mut self, line: Line) {
        let typed = match &line.text {
            Ok(typed) => typed,
            Err(error) => {
                self.stdio.refuse(line.number, &Words::Refused(error).text(self.stdio.lang));
                return;
            }
        };
        let takes_commands = self.options.commands || self.stdio.kind == Kind::Terminal;
        let (text, is_command) = match Input::parse(typed) {
            Input::Nothing => return,
            Input::Command(command) if takes_commands => (command.into_owned(), true),
            Input::Text(words) if takes_commands => (words.into_owned(), false),
            // A slash has no meaning here, so a double slash stays as it is.
            _ => (sanitize_message(typed.trim_start_matches('\u{FEFF}')).into_owned(), false),
        };
        // Sanitizing may have made it longer.
        if let Err(notice) = check_message(&text) {
            return self.stdio.refuse(line.number, &notice.text(self.stdio.lang));
        }
        if is_command && matches!(Command::parse(&text), Ok(Command::Quit(_))) {
            self.input_ended = true;
            return;
        }
        let new = Batch::new(line, text, is_command);
        match &mut self.batch {
            None => self.batch = Some((new, Instant::now())),
            Some((batch, _)) => {
                self.held = batch.add(new).err();
            }
        }
    }

    /// Sends the batch, if it may be sent and there is nothing more to wait for.
    fn send_batch(&mut self) {
        while !self.session.is_full() && self.logged_in {
            let is_due = |(_, since): &(Batch, Instant)| since.elapsed() >= LINGER;
            let ready = self.held.is_some() || self.input_ended;
            if !self.batch.as_ref().is_some_and(|batch| ready || is_due(batch)) {
                return;
            }
            let Some((Batch { text, span, is_command, .. }, _)) = self.batch.take() else {
                return;
            };
            let number =
                if is_command { self.session.ask_line(&text) } else { self.session.say(text) };
            self.lines.push_back((number, span));
            self.batch = self.held.take().map(|held| (held, Instant::now()));
        }
    }

    fn heard(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let mut said = String::new();
        for received in self.session.take(incoming)? {
            let Some(message) = &received.message else {
                continue;
            };
            let asked = self.session.settle(message);
            let number = asked.as_ref().map(|asked| asked.number);
            let span = number.and_then(|number| self.settle(number));
            let is_elsewhere = self.is_elsewhere(message, asked.as_ref());
            match (message, number) {
                (ServerMessage::Welcome { user, .. }, _) => {
                    self.logged_in = true;
                    self.renderer.me = user.clone().into_owned();
                    self.session.flush();
                }
                (ServerMessage::Error { code, text, .. }, Some(LOGIN)) if !self.logged_in => {
                    return Err(Failure::login_refused(code, text));
                }
                // The session has ended: lines sent in it can't be confirmed any more.
                (ServerMessage::Error { .. }, Some(LOGIN)) => return Err(Failure::SessionOver),
                (ServerMessage::Ack { durable, .. }, _) => {
                    if let Some(span) = span {
                        self.note_saved(span, *durable != Some(false));
                    }
                }
                (ServerMessage::Error { text, .. }, Some(_)) => {
                    for line in span.map_or(0..=0, |span| span.first..=span.last) {
                        self.stdio.refuse(line, text);
                    }
                }
                (ServerMessage::Error { text, .. }, None) => self.stdio.remark(text),
                (ServerMessage::Bye { reason, seconds }, _) => {
                    self.stdio.show_fit(&said)?;
                    return Err(Failure::bye(reason, *seconds));
                }
                _ => {
                    if let Some(line) = self.session.command_of(message) {
                        self.renderer.note_answered(line);
                    }
                    said += &self.renderer.render(message).text;
                }
            }
            if is_elsewhere {
                self.stdio.show_fit(&said)?;
                self.return_unsent();
                return Err(Failure::RoomGone);
            }
        }
        self.stdio.show_fit(&said)
    }

    /// Whether the client has left the room of the input without a command in the input that
    /// asked for it. (A person who types sees which room they are in.)
    fn is_elsewhere(&mut self, message: &ServerMessage<'_>, asked: Option<&Asked>) -> bool {
        let moved = asked.is_some_and(Asked::moves);
        match message {
            ServerMessage::Welcome { room, .. } if !self.logged_in => {
                self.room = room.as_deref().map(str::to_owned);
            }
            ServerMessage::Ack { .. } if moved => self.room = self.session.room(),
            ServerMessage::Error { code, .. } if moved && *code != "in_room_already" => {
                return self.stdio.kind == Kind::Pipe;
            }
            _ => {}
        }
        self.stdio.kind == Kind::Pipe
            && self.logged_in
            && !self.session.is_moving()
            && self.session.room() != self.room
    }

    /// Reports every waiting line as not sent.
    fn return_unsent(&mut self) {
        let returned = self.session.take_returned().into_iter().map(|asked| asked.number);
        let returned: Vec<Span> = returned.filter_map(|number| self.settle(number)).collect();
        let batch = self.batch.take().map(|(batch, _)| batch);
        let waiting = batch.into_iter().chain(self.held.take()).map(|batch| batch.span);
        let why = Words::RoomGone.text(self.stdio.lang);
        for line in returned.into_iter().chain(waiting).flat_map(|span| span.first..=span.last) {
            self.stdio.refuse(line, &why);
        }
    }

    fn settle(&mut self, number: u64) -> Option<Span> {
        let at = self.lines.iter().position(|(waiting, _)| *waiting == number)?;
        self.lines.remove(at).map(|(_, span)| span)
    }

    /// Notes whether the server has saved lines that it acknowledged.
    fn note_saved(&mut self, span: Span, is_saved: bool) {
        if is_saved {
            return self.report_unsaved();
        }
        self.unsaved_lines += span.last - span.first + 1;
        let first = self.unsaved.map_or(span.first, |before| before.first);
        self.unsaved = Some(Span { first, last: span.last });
    }

    /// Reports the lines that were not saved, once for each time that the disk has failed.
    fn report_unsaved(&mut self) {
        if let Some(Span { first, last }) = self.unsaved.take() {
            self.stdio.remark(&Words::Unsaved { first, last }.text(self.stdio.lang));
        }
    }

    /// Continues without a connection if `result` says that it was lost.
    fn or_reconnect(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        match result {
            Err(failure @ (Failure::Lost(_) | Failure::Silent))
                if self.logged_in && !self.options.no_reconnect && self.may_come_back() =>
            {
                self.session.unlink();
                let since = self.lost.take().map_or_else(Instant::now, |(_, since)| since);
                let back = Reconnect::start(
                    &self.options.address,
                    self.stdio.lang,
                    self.session.fruitless_links(),
                );
                self.lost = Some((back, since));
                let why = failure.text(self.stdio.lang).unwrap_or_default();
                let why = why.trim_end_matches('.');
                self.stdio.remark(&Words::PipeReconnecting { why }.text(self.stdio.lang));
                Ok(())
            }
            other => other,
        }
    }

    /// Whether there is a reason to come back.
    fn may_come_back(&self) -> bool {
        let is_done = self.input_ended && self.batch.is_none() && self.held.is_none();
        !is_done || self.session.unanswered().len() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64, text: &str, is_command: bool) -> Batch {
        Batch::new(Line { number, text: Ok(text.into()) }, text.into(), is_command)
    }

    #[test]
    fn lines_travel_together_up_to_a_message() {
        let mut first = batch(3, "one", false);
        assert_eq!(first.add(batch(5, "two", false)), Ok(()));
        assert_eq!((&*first.text, first.span), ("one\ntwo", Span { first: 3, last: 5 }));
        let long = "x".repeat(MESSAGE_BYTES - first.text.len());
        assert_eq!(first.add(batch(6, &long, false)), Err(batch(6, &long, false)));
        assert_eq!(first.add(batch(6, &long[1..], false)), Ok(()));
        assert_eq!(first.text.len(), MESSAGE_BYTES);
    }

    /// A line that the server refuses would be lost.
    #[test]
    fn no_more_lines_travel_together_than_one_message_may_have_or_cost() {
        for text in ["x", "eight of", &"y".repeat(100)] {
            let mut message = batch(1, text, false);
            let mut lines = 1;
            while message.add(batch(lines, text, false)).is_ok() {
                lines += 1;
            }
            assert!((10..=MESSAGE_LINES as u64).contains(&lines), "{lines} times {text:?}");
            let name = "n".repeat(NAME_BYTES);
            let cost = rendered_bytes(&name, &message.text, SAID_OVERHEAD);
            assert!(cost <= most_rendered_bytes(message.text.len()), "{cost} for {lines}");
        }
    }

    #[test]
    fn commands_travel_alone() {
        let mut text = batch(1, "one", false);
        assert!(text.add(batch(2, "/who", true)).is_err());
        let mut command = batch(1, "/who", true);
        assert!(command.add(batch(2, "two", false)).is_err());
    }
}
