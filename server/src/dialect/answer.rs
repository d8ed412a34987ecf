//! An answer to one member, in the form of its connection.

use madang_protocol::{
    event::{Event, LessonNow, RoomSummary, ServerMessage, WireNote},
    notice::{Goodbye, Notice},
    text::Lang,
};

use super::{Form, HistoryHead, Words};

/// Notices and messages for one member, rendered as they are added.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    form: Form,
    /// The language of the texts in messages to programs.
    lang: Lang,
    bytes: Vec<u8>,
}

impl Answer {
    /// An empty answer. Texts in messages to programs are Korean unless
    /// [`in_lang`](Self::in_lang) says otherwise.
    pub(crate) fn new(form: Form) -> Answer {
        Answer { form, lang: form.words.lang, bytes: Vec::new() }
    }

    /// The same with `lang` for the texts in messages to programs.
    pub(crate) fn in_lang(self, lang: Lang) -> Answer {
        match self.form.is_for_programs() {
            true => Answer { lang, ..self },
            false => self,
        }
    }

    /// The bytes of a goodbye; empty if the peer needs none.
    pub(crate) fn goodbye(form: Form, goodbye: Goodbye) -> Vec<u8> {
        let mut bytes = Vec::new();
        form.dialect.write_goodbye(goodbye, form.words, &mut bytes);
        bytes
    }

    /// Whether it is for a program.
    pub(crate) fn is_for_programs(&self) -> bool {
        self.form.is_for_programs()
    }

    /// Adds a notice.
    pub(crate) fn notice(&mut self, notice: &Notice<'_>) {
        self.notice_to(notice, None);
    }

    /// Adds a notice that answers a request, with its nonce.
    pub(crate) fn notice_to(&mut self, notice: &Notice<'_>, nonce: Option<&str>) {
        self.form.dialect.write_notice(notice, nonce, self.words(), &mut self.bytes);
    }

    /// Adds that somebody has become a teacher.
    pub(crate) fn teacher(&mut self, user: &str, lesson: LessonNow<'_>, nonce: Option<&str>) {
        self.message(&ServerMessage::Teacher {
            user: user.into(),
            lesson: Box::new(lesson),
            nonce: nonce.map(Into::into),
        });
    }

    /// Adds a notice for people only; programs know it from other messages.
    pub(crate) fn hint(&mut self, hint: &Notice<'_>) {
        self.form.dialect.write_hint(hint, self.words(), &mut self.bytes);
    }

    /// Adds a line unchanged, for the operator.
    pub(crate) fn line(&mut self, text: &str) {
        self.message(&ServerMessage::Notice { text: text.into(), nonce: None });
    }

    /// Adds an `ack`, if there is a nonce to return.
    pub(crate) fn ack(&mut self, nonce: Option<&str>) {
        if let Some(nonce) = nonce {
            self.message(&ServerMessage::Ack { nonce: nonce.into(), id: None, durable: None });
        }
    }

    /// Adds something about the member's own connection.
    pub(crate) fn wire(&mut self, note: WireNote) {
        let text = self.is_for_programs().then(|| note.text(self.lang).into());
        self.message(&ServerMessage::Wire { note: Box::new(note), text });
    }

    /// Adds a message.
    pub(crate) fn message(&mut self, message: &ServerMessage<'_>) {
        self.form.dialect.write_message(message, self.words(), &mut self.bytes);
    }

    /// Adds the list of public rooms.
    pub(crate) fn rooms(&mut self, rooms: &[RoomSummary<'_>], nonce: Option<&str>) {
        self.form.dialect.write_rooms(rooms, nonce, self.words(), &mut self.bytes);
    }

    /// Adds history, as much as fits.
    pub(crate) fn history<'a>(
        &mut self,
        head: HistoryHead<'_>,
        mut newest_first: impl Iterator<Item = &'a Event>,
    ) {
        let (words, out) = (self.words(), &mut self.bytes);
        self.form.dialect.write_history(head, &mut newest_first, words, out);
    }

    /// Adds the greeting, with the operator's message of the day.
    pub(crate) fn greeting(&mut self, motd: Option<&str>) {
        self.form.dialect.write_greeting(motd, self.words(), &mut self.bytes);
    }

    /// Adds the prompt for a name, where there is one.
    pub(crate) fn prompt(&mut self) {
        self.form.dialect.write_prompt(self.words(), &mut self.bytes);
    }

    /// Ends the line of the prompt, so that every message has its own.
    pub(crate) fn end_prompt(&mut self) {
        self.bytes.push(b'\n');
    }

    /// The bytes of everything added.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn words(&self) -> Words {
        Words { lang: self.lang, ..self.form.words }
    }
}
