//! Logging in, losing the connection, and coming back.

use std::time::{Duration, Instant};

use madang_protocol::{
    event::{Event, ServerMessage, Time},
    request::Request,
};

use super::{App, SESSION_UNKNOWN, Stage, hearing::add};
use crate::{failure::Failure, link::Link, reconnect::Reconnect, render::Shown, words::Words};

/// How long missed messages are collected, so that they can be counted before they are shown.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(2);

/// The error codes that mean that the room can't be entered.
const ROOM_REFUSED: [&str; 5] =
    ["no_such_room", "room_locked", "room_full", "kicked", "broken_link"];

/// The messages since the client came back, until the server has sent everything that was
/// missed.
pub(super) struct CatchUp {
    /// The `/ping` whose answer marks the end.
    pub(super) barrier: u64,
    pub(super) until: Instant,
    lines: usize,
    missed: Vec<Missed>,
    /// The latest time of a room event, and of a whisper. Each kind keeps its own order, even
    /// if the server's clock was set back.
    room_time: Time,
    private_time: Time,
}

/// One of these messages and its time. Whispers arrive separately from room events, and are
/// sorted in between.
struct Missed {
    time: Time,
    message: ServerMessage<'static>,
    /// What to show for a request that was carried out.
    done: String,
}

impl CatchUp {
    /// Keeps `message` until everything has arrived, for the person named `me`.
    pub(super) fn keep(&mut self, message: &ServerMessage<'static>, done: String, me: &str) {
        self.lines += missed_lines(message, me);
        let later = |latest: &mut Time, time: Time| {
            *latest = time.max(*latest);
            *latest
        };
        let time = match message {
            ServerMessage::Event(event) => later(&mut self.room_time, event.stamp().time),
            ServerMessage::Whisper { time, .. } => later(&mut self.private_time, *time),
            ServerMessage::Gap { .. } => self.room_time,
            ServerMessage::PrivateGap { .. } => self.private_time,
            // It belongs to the message before it.
            _ => self.missed.last().map_or(Time::from_millis(0), |missed| missed.time),
        };
        self.missed.push(Missed { time, message: message.clone(), done });
    }
}

impl App<'_> {
    /// Handles a login, the first one or a later one.
    pub(super) fn welcomed(&mut self, resumed: bool) {
        if self.stage == Stage::LoggingIn {
            self.stage = Stage::Talking;
        }
        if resumed {
            let ping = |nonce| Request::Command { line: "/ping".into(), room: None, nonce };
            let barrier = self.session.ask(ping);
            self.silent.insert(barrier);
            self.catch_up = Some(CatchUp {
                barrier,
                until: Instant::now() + CATCH_UP_PATIENCE,
                lines: 0,
                missed: Vec::new(),
                room_time: Time::from_millis(0),
                private_time: Time::from_millis(0),
            });
        }
        self.session.flush();
    }

    pub(super) fn login_refused(&mut self, code: &str, text: &str) {
        match self.stage {
            // The question is still on the screen, and the answer is shown below it. If the
            // room is refused, another name doesn't help.
            Stage::LoggingIn if self.session.wants_room() && ROOM_REFUSED.contains(&code) => {
                self.stage = Stage::RoomRefused(text.to_owned());
            }
            Stage::LoggingIn => self.stage = Stage::Naming,
            _ if code == SESSION_UNKNOWN => {
                for lost in self.session.begin_anew() {
                    if let Some(text) = spoken(&lost.request) {
                        self.alarm(Words::Uncertain { text });
                    }
                }
                self.remark(Words::BackAnew);
            }
            // The room is gone, locked or full. The lobby is open to everyone.
            _ if self.stage == Stage::Talking && ROOM_REFUSED.contains(&code) => {
                self.screen.show(&self.renderer.alarm(text));
                self.session.set_room(None);
                self.session.log_in_again();
            }
            // Somebody else has taken the name in the meantime.
            _ => {
                self.screen.show(&self.renderer.alarm(text));
                self.stage = Stage::Naming;
                self.stop_line();
            }
        }
    }

    /// Shows the lines that were not sent because their room or person is gone, and puts them
    /// back into the input. Commands are not put back: joined to other lines, they would be
    /// sent as text.
    pub(super) fn return_unsent(&mut self) {
        for asked in self.session.take_returned() {
            if self.silent.remove(&asked.number) {
                continue;
            }
            let text = spoken(&asked.request).unwrap_or_default();
            if asked.was_sent {
                self.alarm(Words::Uncertain { text });
                continue;
            }
            self.alarm(Words::NotSent { text });
            if let Request::Say { text, .. } = asked.request {
                self.unsent.push(text);
            }
        }
        if self.unsent.is_empty() {
            return;
        }
        if self.asked {
            // Restarts the current line.
            self.stop_line();
        } else {
            let initial = std::mem::take(&mut self.initial);
            self.give_back_unsent(initial);
        }
    }

    /// Continues without a connection if `result` says that it was lost.
    pub(super) fn or_reconnect(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        let failure = match result {
            Err(failure) if failure.invites_return() => failure,
            other => return other,
        };
        let was_in =
            !matches!(self.stage, Stage::Naming | Stage::LoggingIn | Stage::RoomRefused(_));
        if self.options.no_reconnect || !was_in || matches!(self.stage, Stage::Leaving(_)) {
            return Err(failure);
        }
        self.show_missed_so_far();
        self.session.unlink();
        if self.reconnect.is_none() {
            let why = failure.text(self.renderer.lang).unwrap_or_default();
            let why = why.trim_end_matches('.');
            let text = Words::Reconnecting { why }.text(self.renderer.lang);
            self.screen.show(&self.renderer.alarm(&text));
        }
        self.reconnect = Some(Reconnect::start(
            &self.options.address,
            self.renderer.lang,
            self.session.fruitless_links(),
        ));
        self.held = None;
        self.update_prompt();
        Ok(())
    }

    pub(super) fn relink(&mut self, link: Link) {
        self.reconnect = None;
        self.session.relink(link);
    }

    /// Shows the messages that were missed without a connection, and their number.
    pub(super) fn show_missed(&mut self) {
        let Some(CatchUp { lines, missed, .. }) = self.catch_up.take() else {
            return;
        };
        self.remark(if lines == 0 { Words::Back } else { Words::WhileAway { lines } });
        self.show_in_order(missed);
    }

    /// Handles a connection that is lost again before everything has arrived.
    fn show_missed_so_far(&mut self) {
        if let Some(catch_up) = self.catch_up.take() {
            self.silent.remove(&catch_up.barrier);
            self.session.forget(catch_up.barrier);
            self.show_in_order(catch_up.missed);
        }
    }

    fn show_in_order(&mut self, mut missed: Vec<Missed>) {
        missed.sort_by_key(|missed| missed.time);
        let mut shown = Shown::default();
        for Missed { message, done, .. } in missed {
            add(&mut shown, self.renderer.render(&message));
            shown.text += &done;
        }
        self.show(shown);
    }
}

/// How many lines the person named `me` has missed: only what others said counts.
fn missed_lines(message: &ServerMessage<'_>, me: &str) -> usize {
    match message {
        ServerMessage::Event(Event::Said { user, .. }) if **user == *me => 0,
        ServerMessage::Event(Event::Said { text, .. } | Event::Announced { text, .. }) => {
            text.split('\n').count()
        }
        ServerMessage::Whisper { text, .. } => text.split('\n').count(),
        _ => 0,
    }
}

/// The text that identifies a request to a person.
pub(super) fn spoken(request: &Request) -> Option<&str> {
    match request {
        Request::Say { text, .. } => text.lines().next(),
        Request::Command { line, .. } if line != "/ping" => Some(line),
        _ => None,
    }
}
