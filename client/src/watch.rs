//! `--read`: prints messages to stdout, as lines or as JSON, until the wanted number has
//! arrived. Nothing is read from stdin, and nothing is sent to the room.

use std::io::{self, Write as _};

use crossbeam_channel::{Receiver, never, select};
use madang_protocol::{
    event::{IdRange, ServerMessage, write_json_line},
    request::Request,
    sanitize::sanitize_line,
};

use self::{
    earlier::{Earlier, End, Piece},
    progress::Progress,
};
use crate::{
    app::SESSION_UNKNOWN,
    cli::Options,
    connection::Incoming,
    failure::Failure,
    link::{Link, Received},
    reconnect::Reconnect,
    render::Renderer,
    session::{LOGIN, Session, Wanted, position::Position},
    since::Since,
    words::Words,
};

mod earlier;
mod progress;

/// How many requests may be unanswered; in practice there is at most one.
const WINDOW: usize = 4;

/// The error code for a request that has to wait for others.
const BUSY: &str = "busy";

/// How much may arrive while earlier events are being fetched; beyond that, fetching stops.
const CAME_BYTES: usize = 32 * 1_024 * 1_024;

struct Watch<'a> {
    options: &'a Options,
    session: Session,
    renderer: Renderer,
    /// The number of messages still to come, if there is a limit.
    left: Option<u64>,
    /// With `--since`: the last event that was printed, once there is one.
    last: Option<u64>,
    /// The earlier events that are being fetched.
    reading: Option<Reading>,
    progress: Progress,
    reconnect: Option<Reconnect>,
}

/// Earlier events, fetched page by page, and what arrives meanwhile.
struct Reading {
    earlier: Earlier,
    /// The number of the request for the current page.
    number: u64,
    came: Vec<Received>,
    came_bytes: usize,
}

/// Prints messages until `options.count` of them have come, until an interrupt, or until the
/// connection ends. Sends `/quit` before it returns, unless the connection has ended.
pub(crate) fn run(
    link: Link,
    options: &Options,
    renderer: Renderer,
    interrupts: Receiver<()>,
) -> Result<(), Failure> {
    let wanted = Wanted {
        name: options.name.clone().unwrap_or_default(),
        room: options.room.clone().or_else(|| options.address.room.clone()),
        history: Some(0),
        quiet: options.quiet,
    };
    let mut watch = Watch {
        options,
        session: Session::new(link, wanted, WINDOW, options.answer_timeout),
        renderer,
        left: options.count.map(u64::from),
        last: None,
        reading: None,
        progress: Progress::default(),
        reconnect: None,
    };
    let result = watch.listen(&interrupts);
    watch.progress.clear();
    if !matches!(&result, Err(failure) if failure.ends_connection()) {
        watch.session.leave("/quit", |_| {});
    }
    result
}

impl Watch<'_> {
    fn listen(&mut self, interrupts: &Receiver<()>) -> Result<(), Failure> {
        self.session.login(&self.options.name.clone().unwrap_or_default());
        while self.left != Some(0) {
            let links =
                self.reconnect.as_ref().map_or_else(never, |reconnect| reconnect.links().clone());
            select! {
                recv(self.session.incoming()) -> incoming => {
                    let heard = self.heard(incoming.unwrap_or(Incoming::End(None)));
                    self.or_reconnect(heard)?;
                }
                recv(links) -> link => match link {
                    Ok(link) => {
                        self.reconnect = None;
                        self.session.relink(link);
                    }
                    Err(_) => return Err(Failure::Lost(None)),
                },
                recv(interrupts) -> _ => return Err(Failure::Interrupted),
                recv(self.session.silence()) -> _ => self.or_reconnect(Err(Failure::Silent))?,
            }
        }
        Ok(())
    }

    fn heard(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let mut out = Vec::new();
        for received in self.session.take(incoming)? {
            let asked = received.message.as_ref().and_then(|message| self.session.settle(message));
            let number = asked.map(|asked| asked.number);
            match &received.message {
                Some(ServerMessage::Welcome { resumed, .. }) => self.welcomed(*resumed),
                Some(ServerMessage::Error { text, code, .. }) if number == Some(LOGIN) => {
                    if code != SESSION_UNKNOWN {
                        return Err(Failure::login_refused(code, text));
                    }
                    self.session.begin_anew();
                }
                Some(ServerMessage::Bye { reason, seconds }) => {
                    write(&out)?;
                    return Err(Failure::bye(reason, *seconds));
                }
                Some(ServerMessage::History { events, gaps, earliest, gone, .. }) => {
                    if let Some(reading) = &mut self.reading {
                        let known = events.iter().map(|event| &**event);
                        reading.earlier.add(&earlier::ids(&received.line), known);
                        reading.earlier.note_missing(gaps.as_deref(), *earliest, *gone);
                    }
                }
                message if number.is_some() && number == self.page_number() => match message {
                    Some(ServerMessage::Error { code, text, .. }) => {
                        self.page_refused(code, text, &mut out);
                    }
                    _ => self.end_page(&mut out),
                },
                _ => self.come(received, &mut out),
            }
        }
        write(&out)
    }

    fn welcomed(&mut self, resumed: bool) {
        self.session.flush();
        let since = self.last.map(Since::Id).or(self.options.since);
        match (since, resumed) {
            (Some(since), false) => self.ask_for_page(Earlier::new(since), Vec::new()),
            _ => {
                // The requested page may have been lost with the connection.
                if let Some(Reading { earlier, came, .. }) = self.reading.take() {
                    self.ask_for_page(earlier, came);
                }
            }
        }
    }

    fn ask_for_page(&mut self, mut earlier: Earlier, came: Vec<Received>) {
        let (before, limit) = earlier.begin_page();
        let number =
            self.session.ask(|nonce| Request::History { before, after: None, limit, nonce });
        let came_bytes = came.iter().map(|received| received.line.len()).sum();
        self.reading = Some(Reading { earlier, number, came, came_bytes });
    }

    /// The number of the request for the current page.
    fn page_number(&self) -> Option<u64> {
        self.reading.as_ref().map(|reading| reading.number)
    }

    /// Handles a page that was refused, for example because many others are reading history.
    fn page_refused(&mut self, code: &str, why: &str, out: &mut Vec<u8>) {
        let Some(Reading { earlier, came, .. }) = self.reading.take() else { return };
        if code == BUSY && !earlier.is_over() {
            return self.ask_for_page(earlier, came);
        }
        self.progress.clear();
        complain(why);
        self.print_read(earlier, came, out);
    }

    /// Handles the end of a page: asks for the next, or prints all of them.
    fn end_page(&mut self, out: &mut Vec<u8>) {
        let Some(Reading { mut earlier, came, .. }) = self.reading.take() else { return };
        match earlier.end_page() {
            None => {
                if let Some(first) = earlier.first() {
                    let moment = self.renderer.moment(first.stamp().time);
                    self.progress
                        .show(&Words::ReadBackTo { moment: &moment }.text(self.renderer.lang));
                }
                self.ask_for_page(earlier, came);
            }
            Some(end) => self.end_reading(earlier, came, end, out),
        }
    }

    /// Explains why there is no more, if necessary, and prints what there is.
    fn end_reading(&mut self, earlier: Earlier, came: Vec<Received>, end: End, out: &mut Vec<u8>) {
        self.progress.clear();
        let first = earlier.first().map(|event| self.renderer.moment(event.stamp().time));
        let words = match (end, &first) {
            (End::Reached, _) => None,
            (End::NothingOlder, Some(moment)) => Some(Words::NothingBefore { moment }),
            (End::NothingOlder, None) => Some(Words::NothingYet),
            (End::TooMuch, _) => Some(Words::TooMuchEarlier),
        };
        if let Some(words) = words {
            complain(&words.text(self.renderer.lang));
        }
        self.print_read(earlier, came, out);
    }

    /// Prints the fetched events, and what has arrived meanwhile.
    fn print_read(&mut self, earlier: Earlier, came: Vec<Received>, out: &mut Vec<u8>) {
        let room = self.session.room().unwrap_or_default().to_owned();
        let came_ids: Vec<u64> = came
            .iter()
            .filter_map(|received| match &received.message {
                Some(ServerMessage::Event(event)) => Some(event.id()),
                _ => None,
            })
            .collect();
        for piece in earlier.into_pieces(&came_ids) {
            let message = match piece {
                Piece::Event(event) => ServerMessage::Event(event),
                Piece::Gap(IdRange { from, to }) => {
                    ServerMessage::Gap { room: (&*room).into(), from, to, reason: None }
                }
            };
            self.print_message(&message, out);
        }
        for received in came {
            self.print(&received, out);
        }
    }

    /// Prints a message, or keeps it until the earlier events have been printed.
    fn come(&mut self, received: Received, out: &mut Vec<u8>) {
        let Some(reading) = &mut self.reading else { return self.print(&received, out) };
        reading.came_bytes += received.line.len();
        reading.came.push(received);
        if reading.came_bytes >= CAME_BYTES
            && let Some(Reading { earlier, came, .. }) = self.reading.take()
        {
            self.end_reading(earlier, came, End::TooMuch, out);
        }
    }

    /// Prints a line as received, or its message as text.
    fn print(&mut self, received: &Received, out: &mut Vec<u8>) {
        match &received.message {
            Some(message) => {
                if let ServerMessage::Event(event) = message
                    && self.has_come(event.id())
                {
                    return;
                }
                if self.options.json && is_event(message) && self.left != Some(0) {
                    // As received, including fields that this version does not know.
                    out.extend_from_slice(sanitize_line(&received.line).as_bytes());
                    out.push(b'\n');
                    self.note(message);
                } else {
                    self.print_message(message, out);
                }
            }
            None if self.options.json && received.line.starts_with('{') => {
                out.extend_from_slice(sanitize_line(&received.line).as_bytes());
                out.push(b'\n');
            }
            None => {}
        }
    }

    /// Whether an event was printed already, or is older than requested.
    fn has_come(&self, id: u64) -> bool {
        matches!(self.options.since, Some(Since::Id(since)) if id <= since)
            || self.last.is_some_and(|last| Position(last).has_passed(id))
    }

    fn print_message(&mut self, message: &ServerMessage<'_>, out: &mut Vec<u8>) {
        if self.left == Some(0) || !is_event(message) {
            return;
        }
        if self.options.json {
            write_json_line(message, out);
        } else {
            out.extend_from_slice(self.renderer.render(message).text.as_bytes());
        }
        self.note(message);
    }

    /// Counts a message, and remembers its position.
    fn note(&mut self, message: &ServerMessage<'_>) {
        if let (ServerMessage::Event(event), Some(_)) = (message, self.options.since) {
            self.last = Some(event.id());
        }
        let is_message = match message {
            ServerMessage::Event(event) => event.is_said(),
            ServerMessage::Whisper { .. } => true,
            _ => false,
        };
        if let (true, Some(left)) = (is_message, &mut self.left) {
            *left -= 1;
        }
    }

    /// Goes on without a connection if `result` says that it was lost.
    fn or_reconnect(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        match result {
            Err(failure)
                if failure.invites_return()
                    && !self.options.no_reconnect
                    && self.session.was_welcomed() =>
            {
                if let Some(reading) = &self.reading {
                    self.session.forget(reading.number);
                }
                self.session.unlink();
                self.reconnect = Some(Reconnect::start(
                    &self.options.address,
                    self.renderer.lang,
                    self.session.fruitless_links(),
                ));
                Ok(())
            }
            other => other,
        }
    }
}

/// Whether a message is printed: events and gaps are. Everything else is only for the client,
/// above all the session's token.
fn is_event(message: &ServerMessage<'_>) -> bool {
    matches!(
        message,
        ServerMessage::Event(_)
            | ServerMessage::Whisper { .. }
            | ServerMessage::Gap { .. }
            | ServerMessage::PrivateGap { .. }
    )
}

/// Writes an error or a remark to stderr.
fn complain(text: &str) {
    // If stderr is closed, there is nowhere to report it.
    let _ = writeln!(io::stderr(), "madang: {}", sanitize_line(text));
}

/// Writes to stdout. If its reader is gone, the program ends without a failure.
fn write(out: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(out).and_then(|()| stdout.flush()).map_err(Failure::Stdout)
}
