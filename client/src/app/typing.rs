//! What the person types: names, lines, pastes, Ctrl-C.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{Command, CommandError, CommandSpec, Input, LessonCommand},
    invisible::is_blank,
    message::{check_message, check_rendered},
    request::Request,
    room::{Destination, RoomKey, asks_for_room, is_private},
    text::SAID_OVERHEAD,
};
use madang_terminal::{
    editor::{Typed, UNASKED_LINES},
    screen::AGAIN,
};

use super::{App, Doubt, Stage};
use crate::{
    failure::Failure,
    render::is_whisper,
    session::Asked,
    words::{Words, is_yes},
};

/// How many lines may wait for a connection, or for answers.
const QUEUED_LINES: usize = 100;

/// A command may change the prompt. The next line waits this long for its answer.
const COMMAND_PATIENCE: Duration = Duration::from_millis(300);

impl App<'_> {
    pub(super) fn typed(&mut self, typed: Typed) -> Result<(), Failure> {
        self.stopped = false;
        let interrupted_at = self.interrupted_at.take();
        match (typed, self.stage.clone()) {
            (Typed::Failed(error), _) => return Err(Failure::Stdin(error)),
            (Typed::Cancelled { text }, _) => {
                // The draft begun in another room has been deleted.
                let is_over = |doubt: &Doubt| matches!(doubt, Doubt::BegunIn(_)) && is_blank(&text);
                self.doubt = self.doubt.take().filter(|doubt| !is_over(doubt));
                self.give_back_unsent(text);
            }
            (Typed::End, Stage::Pasting(text))
            | (Typed::Interrupted { .. }, Stage::Pasting(text)) => {
                self.give_back(text);
            }
            (Typed::End, Stage::RoomRefused(why)) => return Err(Failure::RoomRefused(why)),
            (Typed::End, _) => self.stage = Stage::Leaving("/quit".into()),
            (Typed::Interrupted { again }, _) => {
                if again || interrupted_at.is_some_and(|at| at.elapsed() < AGAIN) {
                    return Err(Failure::Interrupted);
                }
                self.interrupted_at = Some(Instant::now());
                self.remark(Words::AgainToLeave);
            }
            (Typed::Line(name), Stage::Naming) => {
                let name = name.trim();
                if is_quit(name) {
                    self.stage = Stage::Leaving("/quit".into());
                } else if let Some(room) = room_of(name) {
                    self.session.set_room(Some(room));
                    self.remark(Words::NameForRoom);
                } else {
                    self.stage = Stage::LoggingIn;
                    self.session.login(name);
                }
            }
            (Typed::Line(answer), Stage::RoomRefused(why)) => {
                if !is_blank(&answer) && !is_yes(&answer) {
                    return Err(Failure::RoomRefused(why));
                }
                self.stage = Stage::LoggingIn;
                self.session.set_room(None);
                self.session.log_in_again();
            }
            (Typed::Line(answer), Stage::Pasting(text)) => {
                if !is_yes(&answer) || self.is_held(&text) {
                    self.give_back(text);
                } else {
                    self.stage = Stage::Talking;
                    self.send(text);
                }
            }
            (Typed::Line(line), _) => self.line(line),
        }
        Ok(())
    }

    /// Handles a line, or several that were pasted.
    fn line(&mut self, line: String) {
        let line = line.trim_end_matches('\n').replace('\r', "");
        if is_blank(&line) {
            return;
        }
        if self.is_held(&line) {
            return self.give_back(line);
        }
        let me = &self.renderer.me;
        let checked = check_message(&line)
            .and_then(|text| check_rendered(me, &text, SAID_OVERHEAD).map(|_| text));
        let line = match checked {
            Ok(text) => text,
            Err(notice) => {
                self.screen.show(&self.renderer.alarm(&notice.text(self.renderer.lang)));
                return self.give_back(line);
            }
        };
        if line.lines().count() > UNASKED_LINES {
            self.stage = Stage::Pasting(line);
        } else {
            self.send(line);
        }
    }

    /// Whether a line that may have been meant for another room is to be sent only when it is entered
    /// again; says so then. It is asked once.
    fn is_held(&mut self, line: &str) -> bool {
        let (Some(doubt), Some(to)) = (self.doubt.take(), &self.room) else { return false };
        if !is_for_room(line) {
            return false;
        }
        self.alarm(match &doubt {
            Doubt::BegunIn(from) => Words::WrittenElsewhere { from, to },
            Doubt::TypedBehind(command) => Words::TypedBehind { command, to },
        });
        true
    }

    /// Sends what was typed or pasted, as text or as a command. The first word decides, and a
    /// command takes all following lines as its argument.
    fn send(&mut self, line: String) {
        self.remember(&line);
        if is_quit(&line) {
            self.stage = Stage::Leaving(line);
            return;
        }
        if self.has_no_room(&line) {
            return;
        }
        let number = self.session.ask_line(&self.addressed(&line));
        if matches!(Input::parse(&line), Input::Command(_)) && self.session.is_linked() {
            self.held = Some((number, Instant::now() + COMMAND_PATIENCE));
        }
        self.tell_if_queued(&line);
    }

    /// A reply that waits for a connection goes to the sender of the last whisper now, not to
    /// the sender of a whisper that arrives before it is sent.
    fn addressed<'l>(&self, line: &'l str) -> Cow<'l, str> {
        if !self.session.is_linked()
            && let Input::Command(command) = Input::parse(line)
            && let Ok(Command::Reply(text)) = Command::parse(&command)
            && let Some(user) = &self.whisperer
        {
            return Cow::Owned(format!("/msg {user} {text}"));
        }
        Cow::Borrowed(line)
    }

    /// Notes that the person was in `was_in` when the current line was begun.
    pub(super) fn hold_draft_of(&mut self, was_in: Option<String>) {
        let is_typed = || !self.editor.typed().is_empty() || !is_blank(&self.screen.typed_so_far());
        let is_begun = !is_blank(&self.initial)
            || matches!(self.stage, Stage::Pasting(_))
            || self.asked && is_typed();
        if was_in.is_some() && was_in != self.room && is_begun {
            self.doubt = was_in.map(Doubt::BegunIn);
        }
    }

    /// A command that leads to another room was refused: what comes next may have been
    /// typed for that room.
    pub(super) fn doubt_after(&mut self, refused: &Asked) {
        if let Request::Command { line, .. } = &refused.request
            && let Some(spec) = CommandSpec::of(line)
        {
            self.doubt = Some(Doubt::TypedBehind(spec.name));
        }
    }

    /// What was refused for a while goes back into the line, to be sent again. A command does so
    /// only by itself: behind other text, it would be said aloud.
    pub(super) fn keep_refused(&mut self, refused: &Asked) {
        match &refused.request {
            Request::Say { text, .. } => self.unsent.push(text.clone()),
            Request::Command { line, .. } if self.unsent.is_empty() => {
                self.unsent.push(line.clone());
            }
            _ => {}
        }
    }

    fn give_back(&mut self, text: String) {
        self.stage = Stage::Talking;
        self.initial = text;
    }

    /// Puts unsent text into the next line, which holds `typed`. If that is not empty, the two
    /// are kept apart: an arrow key recalls the unsent text.
    pub(super) fn give_back_unsent(&mut self, typed: String) {
        let unsent = std::mem::take(&mut self.unsent).join("\n");
        self.initial = if is_blank(&typed) { unsent } else { typed };
    }

    /// Whether too much is waiting for `text` to be queued; if so, it is put back.
    fn has_no_room(&mut self, text: &str) -> bool {
        let is_full = self.session.unanswered().len() >= QUEUED_LINES;
        if is_full {
            self.alarm(Words::QueueFull);
            self.give_back(text.to_owned());
        }
        is_full
    }

    fn tell_if_queued(&mut self, text: &str) {
        if !self.session.is_linked() {
            self.remark(Words::Queued { text: text.lines().next().unwrap_or_default() });
        }
    }

    /// Adds a line to the history, unless it is private: said in a private room, to one person
    /// or without a name, or containing a private room's key, a teacher's code or a teacher's link.
    fn remember(&self, line: &str) {
        let is_secret = has_key(line) || makes_teacher(line) || is_nameless(line);
        let is_private = self.room.as_deref().is_none_or(is_private);
        if !is_private && !is_whisper(line) && !is_secret {
            self.history.add(line);
        }
    }
}

/// Whether everyone in the room would see `line`.
fn is_for_room(line: &str) -> bool {
    match Input::parse(line) {
        Input::Command(line) => {
            matches!(Command::parse(&line), Ok(Command::Me(_) | Command::Topic(Some(_))))
        }
        Input::Text(_) => true,
        Input::Nothing => false,
    }
}

/// The room, as `/join` takes it, that was typed where a name was asked for. A broken link
/// counts too: the server refuses it, so that the next name does not silently enter the lobby.
fn room_of(typed: &str) -> Option<String> {
    if let Input::Command(line) = Input::parse(typed)
        && let Ok(Command::Join(destination)) = Command::parse(&line)
    {
        return Some(destination.to_string());
    }
    asks_for_room(typed).then(|| typed.to_owned())
}

fn is_quit(line: &str) -> bool {
    match Input::parse(line) {
        Input::Command(line) => matches!(Command::parse(&line), Ok(Command::Quit(_))),
        Input::Nothing | Input::Text(_) => false,
    }
}

/// Whether `line` contains what opens a private room: a key, alone or in a link, or one with a
/// typing error, or the words of `/join`.
fn has_key(line: &str) -> bool {
    let is_broken = |line: &str| {
        let command = Command::parse(line);
        matches!(command, Err(CommandError::BrokenLink) | Ok(Command::Join(Destination::Words(_))))
    };
    RoomKey::find(line).is_some()
        || matches!(Input::parse(line), Input::Command(line) if is_broken(&line))
}

/// Whether `line` is a vote, or a question without a name: the next person at this computer is
/// not to learn it.
fn is_nameless(line: &str) -> bool {
    let is_secret = |line: &str| {
        matches!(
            Command::parse(line),
            Ok(Command::Lesson(
                LessonCommand::Vote(_) | LessonCommand::VoteYesNo(_) | LessonCommand::Ask(_)
            ))
        )
    };
    matches!(Input::parse(line), Input::Command(line) if is_secret(&line))
}

/// Whether `line` contains a teacher's code or link.
fn makes_teacher(line: &str) -> bool {
    let is_teach = |line: &str| CommandSpec::of(line).is_some_and(|spec| spec.name == "/teach");
    line.to_ascii_lowercase().contains("#teach-")
        || matches!(Input::parse(line), Input::Command(line) if is_teach(&line))
}
