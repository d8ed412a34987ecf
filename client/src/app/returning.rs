//! Logging in, losing the connection, and coming back.

use std::time::{Duration, Instant};

use madang_protocol::{
    event::{Event, ServerMessage, Time},
    request::Request,
};

use super::{App, SESSION_UNKNOWN, Stage, hearing::add};
use crate::{failure::Failure, link::Link, reconnect::Reconnect, render::Shown, words::Words};

/// How long what was missed is collected, so as to be counted before it is shown.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(2);

/// The codes of the answer to somebody who may not come into the room they want.
const ROOM_REFUSED: [&str; 5] =
    ["no_such_room", "room_locked", "room_full", "kicked", "broken_link"];

/// What has come since the way back was found, until the server has told all.
pub(super) struct CatchUp {
    /// The `/ping` that is answered behind it.
    pub(super) barrier: u64,
    pub(super) until: Instant,
    lines: usize,
    missed: Vec<Missed>,
    /// The latest time of what happened in the room, and of what was whispered: neither
    /// changes its own order, even if the server's clock was set back.
    room_time: Time,
    private_time: Time,
}

/// One message of it, and when that happened. Whispers come apart from what was said in
/// the room, and belong in between.
struct Missed {
    time: Time,
    message: ServerMessage<'static>,
    /// What a request that was carried out is shown as.
    done: String,
}

impl CatchUp {
    /// Keeps `message` until all has come, for a person called `me`.
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
            // It belongs to what came before it.
            _ => self.missed.last().map_or(Time::from_millis(0), |missed| missed.time),
        };
        self.missed.push(Missed { time, message: message.clone(), done });
    }
}

impl App<'_> {
    /// Logged in, for the first time or again.
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
            // Still on the screen is what was asked, and the answer is shown below it. No
            // name helps where the room is refused.
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
            // The room is gone, or takes nobody in: everyone may go to the lobby.
            _ if self.stage == Stage::Talking && ROOM_REFUSED.contains(&code) => {
                self.screen.show(&self.renderer.alarm(text));
                self.session.set_room(None);
                self.session.log_in_again();
            }
            // The name was taken by somebody else meanwhile.
            _ => {
                self.screen.show(&self.renderer.alarm(text));
                self.stage = Stage::Naming;
                self.stop_line();
            }
        }
    }

    /// Says what was not sent, since what it was written for is gone, and gives it back to
    /// be typed on, but for commands: joined to other lines, they would be said aloud.
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
            // The line that is being typed is asked for anew.
            self.stop_line();
        } else {
            let initial = std::mem::take(&mut self.initial);
            self.give_back_unsent(initial);
        }
    }

    /// Goes on without a connection if `result` says that it was lost.
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

    /// Shows what was missed while there was no connection, and how much that was.
    pub(super) fn show_missed(&mut self) {
        let Some(CatchUp { lines, missed, .. }) = self.catch_up.take() else {
            return;
        };
        self.remark(if lines == 0 { Words::Back } else { Words::WhileAway { lines } });
        self.show_in_order(missed);
    }

    /// A connection that was lost again in the middle of catching up.
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

/// Lines that a person called `me` will have missed: what others said.
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

/// What a person would know a request by.
pub(super) fn spoken(request: &Request) -> Option<&str> {
    match request {
        Request::Say { text, .. } => text.lines().next(),
        Request::Command { line, .. } if line != "/ping" => Some(line),
        _ => None,
    }
}
