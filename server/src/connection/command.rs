//! Commands of a connection's user: runs them, sends the reply, and moves to another room if
//! asked.

use std::sync::Arc;

use madang_protocol::{
    command::{Command, CommandError, CommandSpec, Input, LessonCommand, Switch},
    invisible::is_blank,
    limits::SHOWN_EVENTS,
    message::check_message,
    notice::{Goodbye, LessonNotice, Notice},
    room::Destination,
    sanitize::sanitize_message,
    text::Lang,
};

use super::{Connection, login::Choice};
use crate::{
    admission::connection_table::owner_of,
    close_reason::CloseReason,
    commands::{
        self,
        caller::{Caller, Effect, Membership, Reply, Standing},
        chat::Services,
        history, lesson, questions, rooms,
    },
    delivery::outbox::Alarm,
    room::{Coming, Greeting, HistorySpan, Question, Room, refusal::Refusal},
    transport::explainer::{Explainer, Incomplete},
};

/// How many wrong teacher's codes end a connection.
const MOST_WRONG_CODES: u32 = 5;

/// How often to look up a room again that has just ended.
const TRIES: usize = 3;

impl Connection {
    /// Runs a command that was read as a line, or explains why not.
    ///
    /// # Errors
    ///
    /// The reason if the connection ends; the same below.
    pub(super) fn take_command_line(
        &mut self,
        line: &str,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        if !is_for_code(line) && self.gives_away_code(line, nonce) {
            return Ok(());
        }
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

    /// Whether the text contains the teacher's code; it is refused then.
    pub(super) fn gives_away_code(&self, text: &str, nonce: Option<&str>) -> bool {
        let gives_away = self.shared.users.teachers.gives_away(text);
        if gives_away {
            self.notice(&Notice::Lesson(LessonNotice::CodeInText), nonce);
        }
        gives_away
    }

    /// Runs a command, or explains why not. Its text is sanitized.
    fn take_command(
        &mut self,
        command: Result<Command<'_>, CommandError>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        // Earlier messages come first; `/me` is a message itself.
        if !matches!(command, Ok(Command::Me(_))) {
            self.post_speeches();
            self.room.iter().for_each(|room| room.settle_log());
        }
        let reply = match command {
            Ok(command) if commands::is_question(&command) && !self.may_ask(nonce) => return Ok(()),
            Ok(command) => commands::run(&self.caller(nonce), command),
            Err(error) => self.caller(nonce).refuse(&Notice::CommandRefused(&error)),
        };
        self.carry_on(reply, nonce)
    }

    /// Runs a program's lesson request.
    pub(super) fn take_lesson_request(
        &mut self,
        command: LessonCommand<'_>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        self.take_command(Ok(Command::Lesson(command)), nonce)
    }

    /// Raises or lowers a hand, with an optional question, which is not sanitized yet.
    pub(super) fn take_hand(
        &mut self,
        up: bool,
        text: Option<&str>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        let text = sanitize_message(text.unwrap_or_default());
        if self.gives_away_code(&text, nonce) {
            return Ok(());
        }
        let text = Some(&*text).filter(|text| !is_blank(text));
        let command = if up { LessonCommand::Hand(text) } else { LessonCommand::LowerHand };
        self.take_lesson_request(command, nonce)
    }

    /// Asks for the history of the room.
    pub(super) fn ask_for_history(
        &mut self,
        span: HistorySpan,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        if !self.may_ask(nonce) {
            return Ok(());
        }
        let reply = history::show_span(&self.caller(nonce), span);
        self.carry_on(reply.unwrap_or_else(|refused| refused), nonce)
    }

    /// Whether a question may be answered now; otherwise the user is told. The next line is not
    /// read until the answer was sent.
    fn may_ask(&mut self, nonce: Option<&str>) -> bool {
        self.has_asked = true;
        let is_busy = self.shared.bounds.is_private_backlog_full();
        if is_busy {
            self.notice(&Notice::Busy, nonce);
        }
        !is_busy
    }

    /// This connection's user, as the caller of a command.
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
            origin: Some(owner_of(self.address)),
        }
    }

    /// Sends a reply and carries out its effect.
    fn carry_on(&mut self, reply: Reply, nonce: Option<&str>) -> Result<(), CloseReason> {
        let Reply { answer, effect } = reply;
        self.send(answer);
        match effect {
            // Members see the QR code only together with the link.
            Effect::Nothing | Effect::Draw(_) | Effect::ShowCode { .. } => {}
            Effect::CountWrongCode => {
                self.wrong_codes += 1;
                if self.wrong_codes == MOST_WRONG_CODES {
                    return Err(CloseReason::Told(Goodbye::CodeTries));
                }
            }
            Effect::Ask(room, question) => self.ask(&room, question, nonce),
            Effect::Act(text) => self.say(text, true, nonce.map(str::to_owned)),
            Effect::Owe(rendered_bytes) => self.owe(rendered_bytes),
            Effect::Speak(lang) => self.change_lang(lang, nonce),
            Effect::Explain(switch) => self.explain(switch, nonce),
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

    /// Asks a room a question. Blocks until it has answered.
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
            self.shared.keep_session(session, self.room.as_deref());
        }
        self.change_form();
        self.outbox.change_wire_lang(lang);
        let told = self.caller(nonce).tell(&Notice::LangSet);
        self.send(told.answer);
    }

    /// Explains the connection to its member from now on, or no longer.
    fn explain(&mut self, switch: Switch, nonce: Option<&str>) {
        if self.explains == switch {
            return self.notice(&Notice::Already, nonce);
        }
        self.explains = switch;
        if switch == Switch::Off {
            self.transport.explain(None);
            self.outbox.change_wire(None);
        }
        let caller = self.caller(nonce);
        let mut answer = caller.begin();
        answer.notice_to(&Notice::Wire(switch), nonce);
        self.send(caller.done_with(answer).answer);
        if switch == Switch::On {
            let alarm: Arc<dyn Alarm> = self.shared.timekeeper.clone();
            self.outbox.change_wire(Some((alarm, self.lang)));
            let [shared, other] = [self.shared.clone(), self.shared.clone()];
            let incomplete = move || match shared.users.teachers.has_chosen_code() {
                true => Incomplete::Hidden,
                false => Incomplete::Judged,
            };
            let find_code = move |text: &str| other.users.teachers.find_code(text);
            self.transport.explain(Some(Explainer::new(find_code, incomplete)));
        }
    }

    /// Leaves the current room, if there is one, and goes to another, which may have been
    /// `made` for this user.
    fn go_to(&mut self, destination: &Destination, made: Option<&Arc<Room>>, nonce: Option<&str>) {
        let Some(session) = self.session.clone() else { return };
        self.shared.keep_moving_session(&session, destination);
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
        match &self.room {
            Some(room) if room.key.is_none() => {
                lesson::return_to_lesson(&self.shared.chat(), &session);
            }
            _ => lesson::leave_lesson(&self.shared.chat(), &session),
        }
        if let (Some(current), Some(made)) = (&self.room, made)
            && Arc::ptr_eq(current, made)
        {
            self.hint(&Notice::RoomMade);
        }
    }

    /// Enters a room; a public room is created if it does not exist. Blocks until that is done.
    pub(super) fn enter(
        &self,
        destination: &Destination,
        coming: impl Fn() -> Coming,
    ) -> Result<Arc<Room>, Notice<'static>> {
        let shared = &self.shared;
        for _ in 0..TRIES {
            let reached = shared.rooms.reach(destination).map_err(rooms::not_made)?;
            let room = match (reached, destination) {
                (Some(room), _) => room,
                (None, Destination::Public(name)) => {
                    rooms::make_public(&shared.chat(), self.admission.counted(), name)?
                }
                (None, Destination::Private(_) | Destination::Words(_)) => {
                    return Err(Notice::NoSuchRoom);
                }
            };
            match room.enter(coming()) {
                Ok(()) => return Ok(room),
                // It is looked up or created again.
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

/// Whether this command is the one that takes the teacher's code.
fn is_for_code(line: &str) -> bool {
    let line = match Input::parse(line) {
        Input::Command(command) => command,
        Input::Nothing | Input::Text(_) => line.into(),
    };
    CommandSpec::of(&line).is_some_and(|spec| spec.name == "/teach")
}
