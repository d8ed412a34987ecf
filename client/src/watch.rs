//! A program that listens (`--read`): messages go to stdout, as lines or as JSON, until the
//! wanted number has come. Nothing is read from stdin, and nothing is said.

use std::io::{self, Write as _};

use crossbeam_channel::{Receiver, never, select};
use madang_protocol::{
    event::{Event, ServerMessage, write_json_line},
    request::Request,
    sanitize::sanitize_line,
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
};

/// How many requests may be without an answer; there is one at most.
const WINDOW: usize = 4;

struct Watch<'a> {
    options: &'a Options,
    session: Session,
    renderer: Renderer,
    /// The number of messages still to come, if there is a limit.
    left: Option<u64>,
    /// The last event that was printed, once there is one.
    since: Option<u64>,
    /// The request for earlier events, and the messages that have arrived since it was sent.
    asked: Option<(u64, Vec<Received>)>,
    reconnect: Option<Reconnect>,
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
        since: options.since,
        asked: None,
        reconnect: None,
    };
    let result = watch.listen(&interrupts);
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
                Some(ServerMessage::History { events, .. }) => {
                    self.print_earlier(events.iter().map(|event| &**event), &mut out);
                }
                _ if number.is_some() && self.asked.as_ref().map(|(asked, _)| *asked) == number => {
                    let (_, came) = self.asked.take().unwrap_or_default();
                    for received in came {
                        self.print(&received, &mut out);
                    }
                }
                _ => match &mut self.asked {
                    Some((_, came)) => came.push(received),
                    None => self.print(&received, &mut out),
                },
            }
        }
        write(&out)
    }

    fn welcomed(&mut self, resumed: bool) {
        self.session.flush();
        if let (Some(_), false) = (self.since, resumed) {
            let request = |nonce| Request::History { before: None, limit: None, nonce };
            self.asked = Some((self.session.ask(request), Vec::new()));
        }
    }

    /// Prints the earlier events that were asked for, and the gap, if some are missing.
    fn print_earlier<'e>(&mut self, events: impl Iterator<Item = &'e Event>, out: &mut Vec<u8>) {
        if self.asked.is_none() {
            return;
        }
        for event in events {
            let since = self.since.unwrap_or(0);
            if event.id() <= since {
                continue;
            }
            if event.id() > since + 1 {
                let room = event.stamp().room.to_string().into();
                let gap =
                    ServerMessage::Gap { room, from: since + 1, to: event.id() - 1, reason: None };
                self.print_message(&gap, out);
            }
            self.print_message(&ServerMessage::Event(event.clone()), out);
        }
    }

    /// Prints a line as it came, or its message as text.
    fn print(&mut self, received: &Received, out: &mut Vec<u8>) {
        match &received.message {
            Some(message) => {
                if let ServerMessage::Event(event) = message
                    && self.has_come(event.id())
                {
                    return;
                }
                if self.options.json && is_event(message) && self.left != Some(0) {
                    // As it came, with fields that this version does not know.
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

    /// Whether an event is not to be printed: one has it, or never wanted it.
    fn has_come(&self, id: u64) -> bool {
        self.options.since.is_some_and(|since| id <= since)
            || self.since.is_some_and(|since| Position(since).has_passed(id))
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
        if let (ServerMessage::Event(event), Some(since)) = (message, &mut self.since) {
            *since = event.id();
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
                self.session.unlink();
                self.asked = None;
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

/// Whether a message is printed: events and gaps are. Everything else is meant for the client
/// only, above all the session's token.
fn is_event(message: &ServerMessage<'_>) -> bool {
    matches!(
        message,
        ServerMessage::Event(_)
            | ServerMessage::Whisper { .. }
            | ServerMessage::Gap { .. }
            | ServerMessage::PrivateGap { .. }
    )
}

/// Writes to stdout. If its reader is gone, the program ends without a failure.
fn write(out: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(out).and_then(|()| stdout.flush()).map_err(Failure::Stdout)
}
