//! The login: the greeting, the prompt, and what is accepted before the user has a name.

use std::time::Instant;

use madang_protocol::{
    command::{Command, CommandError, CommandSpec, Input},
    limits::SHOWN_EVENTS,
    notice::{Goodbye, LessonNotice, Notice},
    request::Request,
    room::{Destination, DestinationError, asks_for_room},
};

use super::claim::{Entrance, FirstRoom, NewLogin};
use crate::{
    close_reason::CloseReason,
    connection::Connection,
    dialect::{DialectId, Stage},
    transport::{Line, ReadOutcome},
};

/// Where a user goes after logging in, as requested beforehand.
#[derive(Debug, Default)]
pub(crate) enum Choice {
    /// Not requested.
    #[default]
    Open,
    /// This destination.
    Made(Destination),
    /// Nowhere: the request was refused, and messages meant for that room must not appear in
    /// the lobby.
    Refused,
}

impl Connection {
    /// Sends the greeting and the prompt in one write.
    pub(crate) fn greet(&mut self) {
        let mut answer = self.begin_answer();
        answer.greeting(self.shared.config.motd.as_deref());
        self.send(answer);
    }

    /// Asks for a name until one was claimed, or a session was resumed; a resumed session
    /// has no entrance.
    // Not inlined: server/README.md, "A connection waits on two pages of stack".
    #[inline(never)]
    pub(crate) fn log_in(&mut self) -> Result<Option<Box<Entrance>>, CloseReason> {
        let timeout = self.shared.config.login_timeout;
        let timed_out = CloseReason::Told(Goodbye::LoginTimeout { seconds: timeout.as_secs() });
        let deadline = Instant::now() + timeout;
        let mut hint_at = None;
        let mut tries_left = self.shared.config.login_tries;
        loop {
            while let Some(line) = self.next_line(Some((deadline, timed_out)))? {
                hint_at = None;
                let entrance = match self.take_login_line(line, &mut tries_left)? {
                    Some(login) => self.claim(*login, &mut tries_left)?,
                    None => None,
                };
                if self.session.is_some() {
                    return Ok(entrance);
                }
            }
            if let Some(end) = self.transport.peer_end() {
                return Err(end.reason());
            }
            let until = hint_at.map_or(deadline, |hint_at| deadline.min(hint_at));
            match self.read(Some(until))? {
                ReadOutcome::Unfinished if hint_at.is_none() => {
                    hint_at = Some(Instant::now() + self.shared.config.enter_hint_pause);
                }
                ReadOutcome::Unfinished | ReadOutcome::Something => {}
                ReadOutcome::TimedOut if Instant::now() >= deadline => return Err(timed_out),
                ReadOutcome::TimedOut => {
                    self.notice(&Notice::PressEnter, None);
                    hint_at = Some(deadline);
                }
            }
        }
    }

    /// Handles one line at the prompt. Returns the login that it asks for, to be claimed.
    fn take_login_line(
        &mut self,
        line: Line,
        tries_left: &mut u32,
    ) -> Result<Option<Box<NewLogin>>, CloseReason> {
        let line = match line.text() {
            Ok(line) => line,
            Err(notice) => {
                self.refuse_login(&notice, None, tries_left)?;
                return Ok(None);
            }
        };
        match self.dialect.parse(line, Stage::Login) {
            Ok(Some(request)) => return self.take_login_request(request),
            Ok(None) => {}
            Err(error) => self.refuse_request(error),
        }
        Ok(None)
    }

    /// Handles one request before the login.
    fn take_login_request(
        &mut self,
        request: Request,
    ) -> Result<Option<Box<NewLogin>>, CloseReason> {
        match request {
            Request::Login { session: Some(token), room, last, last_private, nonce, .. } => {
                let last_private = last_private.unwrap_or_default();
                self.come_back(&token, room.as_deref(), last, last_private, nonce.as_deref())?;
            }
            Request::Login {
                name,
                room,
                new_room,
                topic,
                quiet,
                history,
                session: None,
                previous,
                nonce,
                ..
            } => {
                let topic = topic.unwrap_or_default();
                let place = match room.as_deref().map(Destination::parse).transpose() {
                    Ok(None) if new_room => FirstRoom::NewRoom { topic },
                    Ok(Some(destination)) => FirstRoom::of(destination),
                    Ok(None) => match self.chosen_place() {
                        Some(place) => place,
                        None => {
                            self.notice_and_prompt(&Notice::RoomFirst, nonce.as_deref());
                            return Ok(None);
                        }
                    },
                    Err(DestinationError::Name(error)) => {
                        self.notice(&Notice::NameRefused(&error), nonce.as_deref());
                        return Ok(None);
                    }
                    Err(DestinationError::Teachers) => {
                        let notice = Notice::Lesson(LessonNotice::TeachersLink);
                        self.notice(&notice, nonce.as_deref());
                        return Ok(None);
                    }
                    Err(DestinationError::Key(_)) => {
                        self.notice(&Notice::BrokenLink, nonce.as_deref());
                        return Ok(None);
                    }
                };
                let shown = history.unwrap_or(SHOWN_EVENTS);
                let name = name.unwrap_or_default();
                let quiet = quiet.then(|| self.quiet());
                let login = NewLogin { name, place, quiet, shown, previous, nonce };
                return Ok(Some(Box::new(login)));
            }
            Request::Command { line, nonce, .. } => match self.dialect.chosen_by(&line) {
                Some(dialect) => self.change_dialect(dialect),
                None => {
                    self.take_early_command(&line, nonce.as_deref())?;
                    self.prompt();
                }
            },
            Request::Say { nonce, .. }
            | Request::History { nonce, .. }
            | Request::Vote { nonce, .. }
            | Request::Hand { nonce, .. }
            | Request::Watch { nonce, .. } => {
                self.notice(&Notice::LoginFirst, nonce.as_deref());
            }
        }
        Ok(None)
    }

    /// Runs a command of a user without a name. A user requesting a room goes there or
    /// nowhere, even if the command is mistyped.
    fn take_early_command(&mut self, line: &str, nonce: Option<&str>) -> Result<(), CloseReason> {
        let command = match Input::parse(line) {
            Input::Command(command) => command,
            Input::Nothing | Input::Text(_) => line.into(),
        };
        let asked_for = match (CommandSpec::of(&command), Command::parse(&command)) {
            (Some(spec), _) => spec.name,
            (None, Err(CommandError::Unknown { nearest: Some(nearest) })) => nearest.name,
            (None, _) => "",
        };
        // A room needs a named owner. In JSON, the login creates it.
        if asked_for == "/new" && !self.dialect.is_for_programs() {
            self.choice = Choice::Refused;
            self.notice(&Notice::RoomFirst, nonce);
            return Ok(());
        }
        let asks_for_room = asked_for == "/join" || asks_for_room(line);
        if asks_for_room {
            self.choice = Choice::Refused;
        }
        self.take_command_line(line, nonce)?;
        if asks_for_room && matches!(self.choice, Choice::Refused) {
            self.hint(&Notice::RoomFirst);
        }
        Ok(())
    }

    /// Where a login without a room goes; `None` is nowhere.
    fn chosen_place(&self) -> Option<FirstRoom> {
        match &self.choice {
            Choice::Open => Some(FirstRoom::Lobby),
            // Kept for the next name, in case this one is refused.
            Choice::Made(destination) => Some(FirstRoom::of(destination.clone())),
            Choice::Refused => None,
        }
    }

    /// Rejects an invalid name and asks again, up to a limit.
    pub(super) fn refuse_login(
        &mut self,
        notice: &Notice<'_>,
        nonce: Option<&str>,
        tries_left: &mut u32,
    ) -> Result<(), CloseReason> {
        *tries_left = tries_left.saturating_sub(1);
        if *tries_left == 0 {
            self.notice(notice, nonce);
            return Err(CloseReason::Told(Goodbye::LoginTries));
        }
        self.notice_and_prompt(notice, nonce);
        Ok(())
    }

    /// Switches to another dialect.
    fn change_dialect(&mut self, dialect: DialectId) {
        self.dialect = dialect;
        self.transport.become_program();
        self.change_form();
        let mut answer = self.begin_answer();
        answer.end_prompt();
        answer.greeting(None);
        self.send(answer);
    }

    /// Sends a notice, and the prompt again if there is one, in one write.
    pub(super) fn notice_and_prompt(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        self.shared.metrics.refused.count_notice(notice);
        let mut answer = self.begin_answer();
        answer.notice_to(notice, nonce);
        answer.prompt();
        self.send(answer);
    }

    pub(super) fn prompt(&self) {
        let mut answer = self.begin_answer();
        answer.prompt();
        self.send(answer);
    }
}
