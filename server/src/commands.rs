//! What a command does, one function each.

use madang_protocol::{
    command::{Command, CommandError},
    text::{Goodbye, Lang, Notice},
};

use crate::{close_reason::CloseReason, connection::Connection, mailbox::Ended};

impl Connection {
    /// Carries out a command, or says why not. `/who` needs a member.
    ///
    /// # Errors
    ///
    /// The reason to end the connection, if it does.
    pub(crate) fn take_command(
        &mut self,
        command: Result<Command, CommandError>,
        nonce: Option<&str>,
    ) -> Result<(), CloseReason> {
        match command {
            Ok(Command::Help) => self.answer_with(&Notice::Help, nonce),
            Ok(Command::Lang(lang)) => self.change_lang(lang, nonce),
            Ok(Command::Who) => return self.who(nonce),
            Ok(Command::Quit) => {
                let mut answer = self.answer();
                answer.ack(nonce);
                self.send(answer);
                return Err(CloseReason::Told(Goodbye::Quit));
            }
            Err(error) => self.notice(&Notice::CommandRefused(&error), nonce),
        }
        Ok(())
    }

    fn change_lang(&mut self, lang: Lang, nonce: Option<&str>) {
        self.lang = lang;
        self.outbox.change_form(self.form());
        self.answer_with(&Notice::LangSet, nonce);
    }

    fn who(&mut self, nonce: Option<&str>) -> Result<(), CloseReason> {
        self.shared
            .lobby
            .who(self.admission.number, nonce.map(str::to_owned))
            .map_err(|Ended| CloseReason::Told(Goodbye::Shutdown))
    }

    /// Sends a notice that answers a command, and the command's `ack`.
    fn answer_with(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        let mut answer = self.answer();
        answer.notice_to(notice, nonce);
        answer.ack(nonce);
        self.send(answer);
    }
}
