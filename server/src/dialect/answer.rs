//! What one member alone is told, in the form that its connection takes.

use madang_protocol::{
    event::{ServerMessage, write_json_line},
    notice::{Goodbye, Notice},
    text::{Lang, LineEnd},
};

use crate::delivery::batch::Form;

/// Notices and messages for one member, rendered as they are added.
#[derive(Debug)]
pub(crate) struct Answer {
    form: Form,
    /// For the words inside JSON.
    lang: Lang,
    bytes: Vec<u8>,
}

impl Answer {
    /// An empty answer. Words inside JSON are Korean unless
    /// [`in_lang`](Self::in_lang) says otherwise.
    pub(crate) fn new(form: Form) -> Answer {
        let lang = match form {
            Form::Text(lang, _) => lang,
            Form::Json => Lang::default(),
        };
        Answer { form, lang, bytes: Vec::new() }
    }

    /// The same with `lang` for the words inside JSON.
    pub(crate) fn in_lang(self, lang: Lang) -> Answer {
        match self.form {
            Form::Text(..) => self,
            Form::Json => Answer { lang, ..self },
        }
    }

    /// The bytes of a goodbye; empty where its peer needs no words.
    pub(crate) fn goodbye(form: Form, goodbye: Goodbye) -> Vec<u8> {
        let mut answer = Answer::new(form);
        match (form, goodbye) {
            (Form::Json, _) => {
                let (reason, seconds) = (goodbye.code().into(), goodbye.seconds());
                answer.message(&ServerMessage::Bye { reason, seconds });
            }
            // Who ends the conversation knows that it ends.
            (Form::Text(..), Goodbye::Quit | Goodbye::Closed) => {}
            (Form::Text(..), _) => answer.notice(&Notice::Goodbye(goodbye)),
        }
        answer.into_bytes()
    }

    /// The form in which it is rendered.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Adds what is rendered already: whole lines.
    pub(crate) fn bytes(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// Adds a notice as lines for people, or as a JSON notice.
    pub(crate) fn notice(&mut self, notice: &Notice<'_>) {
        self.notice_to(notice, None);
    }

    /// Adds a notice that answers a request: for people as lines; in JSON as an
    /// `error` if it is one, else as a `notice`, with the request's nonce.
    pub(crate) fn notice_to(&mut self, notice: &Notice<'_>, nonce: Option<&str>) {
        let text = notice.text(self.lang);
        match self.form {
            Form::Text(_, line_end) => self.lines(&text, line_end),
            Form::Json => {
                let (text, nonce) = (text.into(), nonce.map(Into::into));
                let proposal = notice.proposal().map(Into::into);
                self.message(&match notice.code() {
                    Some(code) => ServerMessage::Error { code: code.into(), text, proposal, nonce },
                    None => ServerMessage::Notice { text, nonce },
                });
            }
        }
    }

    /// Adds the answer to `/ping`.
    pub(crate) fn pong(&mut self, token: Option<&str>, nonce: Option<&str>) {
        match self.form {
            Form::Text(..) => self.notice(&Notice::Pong(token)),
            Form::Json => self.message(&ServerMessage::Pong {
                token: token.map(Into::into),
                nonce: nonce.map(Into::into),
            }),
        }
    }

    /// Adds an `ack`, if there is a nonce to return.
    pub(crate) fn ack(&mut self, nonce: Option<&str>) {
        if let Some(nonce) = nonce {
            self.message(&ServerMessage::Ack { nonce: nonce.into(), id: None });
        }
    }

    /// Adds a message of its own kind; only a JSON client can read it.
    pub(crate) fn message(&mut self, message: &ServerMessage<'_>) {
        write_json_line(message, &mut self.bytes);
    }

    /// Adds text as it stands, without a line end: the prompt.
    pub(crate) fn prompt(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// What was added.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds `text` and a line end, each line end of the right kind.
    pub(crate) fn lines(&mut self, text: &str, line_end: LineEnd) {
        for line in text.split('\n') {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.extend_from_slice(line_end.as_str().as_bytes());
        }
    }
}
