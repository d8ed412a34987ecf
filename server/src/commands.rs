//! What a command does, one function each; those about rooms, people and moderation
//! in modules of their own.

use std::sync::Arc;

use madang_protocol::{
    command::{Command, CommandError, Role},
    event::ServerMessage,
    limits::TOPIC_BYTES,
    notice::{Goodbye, Notice},
    text::Lang,
};

use crate::{
    close_reason::CloseReason, connection::Connection, room::refusal::Refusal, session::Session,
};

pub(crate) mod invite;
mod moderation;
mod people;
mod rooms;

impl Connection {
    /// Carries out a command, or says why not. Its text is sanitized.
    ///
    /// # Errors
    ///
    /// The reason to end the connection, if it does.
    pub(crate) fn take_command(
        &mut self,
        command: Result<Command<'_>, CommandError>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        // Everything has its place after what was said before; this is said too.
        if !matches!(command, Ok(Command::Me(_))) {
            self.post_speeches();
        }
        let command = match command {
            Ok(command) => command,
            Err(error) => {
                self.notice(&Notice::CommandRefused(&error), nonce);
                return Ok(());
            }
        };
        if is_question(&command) && !self.may_ask(nonce) {
            return Ok(());
        }
        match (command, self.session.clone()) {
            (Command::Help(None), _) => self.answer_with(&Notice::Help(Role::Member), nonce),
            (Command::Help(Some(spec)), _) => self.answer_with(&Notice::HelpOn(spec), nonce),
            (Command::Lang(lang), _) => self.change_lang(lang, nonce),
            (Command::Quit(text), _) => return self.quit(text, nonce),
            (Command::Join(destination), None) => self.choose_room(destination, nonce),
            (_, None) => self.notice(&Notice::LoginFirst, nonce),
            (command, Some(session)) => {
                let known = nonce.and_then(|nonce| session.knows_nonce(nonce));
                if let Some(id) = known {
                    // It was carried out, and its answer was lost with the connection.
                    self.acknowledge(nonce, id);
                } else {
                    self.take_members_command(&session, command, nonce);
                }
            }
        }
        Ok(())
    }

    /// Whether a question is answered now; else says that it is not. The next line is
    /// taken when the answer has gone out.
    pub(crate) fn may_ask(&mut self, nonce: Option<&str>) -> bool {
        self.has_asked = true;
        let is_busy = self.shared.bounds.is_private_backlog_full();
        if is_busy {
            self.notice(&Notice::Busy, nonce);
        }
        !is_busy
    }

    #[inline(never)]
    fn take_members_command(
        &mut self,
        session: &Arc<Session>,
        command: Command<'_>,
        nonce: Option<&str>,
    ) {
        match command {
            Command::Help(_) | Command::Lang(_) | Command::Quit(_) => {
                unreachable!("carried out above, with or without a name")
            }
            Command::Who(room, after) => self.who(room.as_ref(), after.as_ref(), nonce),
            Command::Rooms => self.list_rooms(nonce),
            Command::Join(destination) => self.join(session, &destination, nonce),
            Command::Leave => self.leave_room(session, nonce),
            Command::New(topic) => self.make_room(session, topic, nonce),
            Command::Invite { qr } => self.invite(qr, nonce),
            Command::Topic(topic) => self.topic(session, topic, nonce),
            Command::History(limit) => {
                self.ask_for_history(None, Some(limit.unwrap_or(rooms::HISTORY_EVENTS)), nonce);
            }
            Command::Ping(token) => self.ping(token, nonce),
            Command::Me(text) => self.say(text.to_owned(), true, nonce.map(str::to_owned)),

            Command::Whois(name) => self.whois(&name, nonce),
            Command::Msg(name, text) => self.whisper(session, &name, text, nonce),
            Command::Reply(text) => self.reply(session, text, nonce),
            Command::Nick(name) => self.rename(session, &name, nonce),
            Command::Ignore(name) => self.ignore(session, name.as_ref(), nonce),
            Command::Unignore(name) => self.unignore(session, &name, nonce),

            Command::Kick(name) => self.kick(session, &name, nonce),
            Command::Unkick(name) => self.unkick(session, &name, nonce),
            Command::Mute(name, time) => self.mute(session, &name, time, nonce),
            Command::Unmute(name) => self.unmute(session, &name, nonce),
            Command::Lock => self.lock(session, nonce),
            Command::Unlock => self.unlock(session, nonce),
            Command::Limit(limit) => self.limit(session, limit, nonce),
            Command::End => self.end_room(session, nonce),
            Command::Owner(name) => self.hand_over(session, &name, nonce),

            // The table knows these as the operator's alone.
            Command::Ban(..)
            | Command::Unban(_)
            | Command::Bans
            | Command::Say(_)
            | Command::Stop => {}
        }
    }

    fn change_lang(&mut self, lang: Lang, nonce: Option<&str>) {
        self.lang = lang;
        if let Some(session) = &self.session {
            session.change_lang(lang);
        }
        self.outbox.change_form(self.form());
        self.answer_with(&Notice::LangSet, nonce);
    }

    fn quit(&mut self, text: Option<&str>, nonce: Option<&str>) -> Result<(), CloseReason> {
        if let Some(text) = text {
            let text = one_line(text);
            if text.len() > TOPIC_BYTES {
                let (bytes, limit) = (text.len(), TOPIC_BYTES);
                self.notice(&Notice::TextTooLong { bytes, limit }, nonce);
                return Ok(());
            }
            self.last_word = Some(text);
        }
        self.acknowledge(nonce, None);
        Err(CloseReason::Told(Goodbye::Quit))
    }

    /// Sends a notice that answers a command, and the command's `ack`.
    pub(crate) fn answer_with(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        let mut answer = self.answer();
        answer.notice_to(notice, nonce);
        answer.ack(nonce);
        self.send(answer);
    }

    /// Sends an `ack` with the id of what was said, if something was; nothing without a
    /// nonce.
    fn acknowledge(&self, nonce: Option<&str>, id: Option<u64>) {
        if let Some(nonce) = nonce {
            let mut answer = self.answer();
            answer.message(&ServerMessage::Ack { nonce: nonce.into(), id });
            self.send(answer);
        }
    }

    /// Remembers that a command was carried out, and acknowledges it.
    fn done(&self, nonce: Option<&str>) {
        if let (Some(nonce), Some(session)) = (nonce, &self.session) {
            session.note_nonce(nonce, None);
        }
        self.acknowledge(nonce, None);
    }

    /// Acknowledges what was done, or says why it was not.
    fn settle(&mut self, result: Result<(), Refusal>, nonce: Option<&str>) {
        match result {
            Ok(()) => self.done(nonce),
            Err(Refusal::Ended) => {
                self.room = None;
                self.notice(&Notice::NoRoom, nonce);
            }
            Err(refusal) => self.notice(&refusal.notice(), nonce),
        }
    }
}

/// Whether a command only asks, and is answered at length.
fn is_question(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Help(_)
            | Command::Who(..)
            | Command::Whois(_)
            | Command::Rooms
            | Command::Topic(None)
            | Command::History(_)
            | Command::Invite { .. }
            | Command::Ignore(None)
    )
}

/// Text that may have no line ends.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}
