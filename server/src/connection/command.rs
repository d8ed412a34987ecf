//! What a connection does for its user's commands: it gives them, sends the reply, and goes
//! to another room.

use std::sync::Arc;

use madang_protocol::{
    command::{Command, CommandError, Input},
    limits::SHOWN_EVENTS,
    message::check_message,
    notice::Notice,
    room::Destination,
    text::Lang,
};

use super::{Connection, login::Choice};
use crate::{
    close_reason::CloseReason,
    commands::{
        self,
        archive::HistoryAsked,
        caller::{Caller, Effect, Membership, Reply, Standing},
        chat::Services,
        questions, rooms,
    },
    room::{Coming, Greeting, Question, Room, refusal::Refusal},
};

/// How often a room that has just ended is looked for again.
const TRIES: usize = 3;

impl Connection {
    /// Carries out a command that was read as a line, or says why not.
    ///
    /// # Errors
    ///
    /// The reason to end the connection, if it does; the same below.
    pub(super) fn take_command_line(
        &mut self,
        line: &str,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        match check_message(line) {
            Ok(text) => match Input::parse(line) {
                Input::Command(line) => self.take_command(Command::parse(&line), nonce),
                Input::Nothing | Input::Text(_) => self.take_command(Command::parse(&text), nonce),
            },
            Err(notice) => {
                self.notice(&notice, nonce);
                Ok(())
            }
        }
    }

    /// Carries out a command, or says why not. Its text is sanitized.
    fn take_command(
        &mut self,
        command: Result<Command<'_>, CommandError>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        // Everything has its place after what was said before; this is said too.
        if !matches!(command, Ok(Command::Me(_))) {
            self.post_speeches();
        }
        let reply = match command {
            Ok(command) if commands::is_question(&command) && !self.may_ask(nonce) => return Ok(()),
            Ok(command) => commands::run(&self.caller(nonce), command),
            Err(error) => self.caller(nonce).refuse(&Notice::CommandRefused(&error)),
        };
        self.carry_on(reply, nonce)
    }

    /// Asks for what happened in the room before the id `before`.
    pub(super) fn ask_for_history(
        &mut self,
        before: Option<u64>,
        limit: Option<usize>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        if !self.may_ask(nonce) {
            return Ok(());
        }
        let reply = questions::history(&self.caller(nonce), HistoryAsked::Before(before, limit));
        self.carry_on(reply.unwrap_or_else(|refused| refused), nonce)
    }

    /// Whether a question is answered now; else says that it is not. The next line is
    /// taken when the answer has gone out.
    fn may_ask(&mut self, nonce: Option<&str>) -> bool {
        self.has_asked = true;
        let is_busy = self.shared.bounds.is_private_backlog_full();
        if is_busy {
            self.notice(&Notice::Busy, nonce);
        }
        !is_busy
    }

    /// Whoever this is, as one who gives a command.
    fn caller<'a>(&'a self, nonce: Option<&'a str>) -> Caller<'a> {
        let standing = match &self.session {
            None => Standing::Newcomer,
            Some(session) => Standing::Member(Membership {
                session,
                room: self.room.as_ref(),
                came_by: self.came_by,
            }),
        };
        let address = self.admission.counted();
        Caller {
            chat: self.shared.chat(),
            standing,
            form: self.form(),
            lang: self.lang,
            nonce,
            address,
        }
    }

    /// Sends a reply and does what is left to do.
    fn carry_on(&mut self, reply: Reply, nonce: Option<&str>) -> Result<(), CloseReason> {
        let Reply { answer, effect } = reply;
        self.send(answer);
        match effect {
            // No member is shown one apart from its link.
            Effect::Nothing | Effect::Draw(_) => {}
            Effect::Ask(room, question) => self.ask(&room, question, nonce),
            Effect::Act(text) => self.say(text, true, nonce.map(str::to_owned)),
            Effect::Owe(rendered_bytes) => self.owe(rendered_bytes),
            Effect::Speak(lang) => self.change_lang(lang, nonce),
            Effect::Choose(destination) => self.choice = Choice::Made(destination),
            Effect::Go(destination, made) => self.go_to(&destination, made.as_ref(), nonce),
            Effect::LeaveEnded => self.room = None,
            Effect::End(goodbye, last_word) => {
                self.last_word = last_word;
                return Err(CloseReason::Told(goodbye));
            }
        }
        Ok(())
    }

    /// Has a room answer, and blocks until it has.
    fn ask(&self, room: &Room, question: Question, nonce: Option<&str>) {
        let Some(session) = &self.session else { return };
        let asked = (question.clone(), nonce.map(str::to_owned));
        if room.answer(session, &self.outbox, asked.0, asked.1).is_err() {
            let reply = questions::unanswered(&self.caller(nonce), question);
            self.send(reply.answer);
        }
    }

    fn change_lang(&mut self, lang: Lang, nonce: Option<&str>) {
        self.lang = lang;
        if let Some(session) = &self.session {
            session.change_lang(lang);
        }
        self.change_form();
        let told = self.caller(nonce).tell(&Notice::LangSet);
        self.send(told.answer);
    }

    /// Leaves the room where the session is, if it is in one, and goes to another, which
    /// may have been `made` for it.
    fn go_to(&mut self, destination: &Destination, made: Option<&Arc<Room>>, nonce: Option<&str>) {
        let Some(session) = self.session.clone() else { return };
        if let Some(old) = self.room.take() {
            old.leave_for_another(session.number);
            self.shared.end_when_empty(&old);
        }
        let entered = self.enter(destination, || Coming {
            session: session.clone(),
            outbox: self.outbox.clone(),
            greeting: Greeting::Entered { nonce: nonce.map(str::to_owned) },
            shown: SHOWN_EVENTS,
        });
        match entered {
            Ok(room) => {
                self.shared.keep_renderings(&room);
                self.room = Some(room);
                let caller = self.caller(nonce);
                let done = caller.done_with(caller.begin());
                self.send(done.answer);
            }
            Err(notice) => {
                self.notice(&notice, nonce);
                self.remark(&Notice::NoRoom, None);
            }
        }
        self.shared.note_session(&session, self.room.as_deref());
        if let (Some(current), Some(made)) = (&self.room, made)
            && Arc::ptr_eq(current, made)
        {
            self.hint(&Notice::RoomMade);
        }
    }

    /// Goes into a room, which is made if it is public and there is none, and blocks
    /// until that has happened.
    pub(super) fn enter(
        &self,
        destination: &Destination,
        coming: impl Fn() -> Coming,
    ) -> Result<Arc<Room>, Notice<'static>> {
        let shared = &self.shared;
        for _ in 0..TRIES {
            let room = match (shared.rooms.find(destination), destination) {
                (Some(room), _) => room,
                (None, Destination::Public(name)) => {
                    rooms::make_public(&shared.chat(), self.admission.counted(), name)?
                }
                (None, Destination::Private(_)) => return Err(Notice::NoSuchRoom),
            };
            match room.enter(coming()) {
                Ok(()) => return Ok(room),
                // It is looked for anew, or made anew.
                Err(Refusal::Ended) => {
                    if shared.rooms.remove(&room) {
                        shared.console.room_ended(&room.name);
                    }
                }
                Err(refusal) => return Err(refusal.notice()),
            }
        }
        Err(Notice::NoSuchRoom)
    }
}
