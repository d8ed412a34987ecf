//! Answers and notices to a connection's own peer, in its form.

use madang_protocol::{event::ServerMessage, notice::Notice, request::RequestError};

use super::Connection;
use crate::dialect::{Form, answer::Answer};

impl Connection {
    /// The form of output for the peer.
    pub(super) fn form(&self) -> Form {
        self.outbox.form()
    }

    /// Updates the form after a change of dialect or language.
    pub(super) fn change_form(&self) {
        let line_end = self.form().line_end();
        self.outbox.change_form(Form::new(self.dialect, self.lang, line_end));
    }

    /// Begins an answer in the peer's form and language.
    pub(super) fn begin_answer(&self) -> Answer {
        Answer::new(self.form()).in_lang(self.lang)
    }

    /// Sends an answer.
    pub(super) fn send(&self, answer: Answer) {
        let bytes = answer.into_bytes();
        if !bytes.is_empty() {
            self.outbox.push(&bytes);
        }
    }

    /// Acknowledges a request that has a nonce.
    pub(super) fn ack(&self, nonce: Option<&str>) {
        if nonce.is_some() {
            let mut answer = self.begin_answer();
            answer.ack(nonce);
            self.send(answer);
        }
    }

    /// Sends a notice. Refusals are counted.
    pub(super) fn notice(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        self.shared.metrics.refused.count_notice(notice);
        self.remark(notice, nonce);
    }

    /// Sends a notice that accompanies another answer.
    pub(super) fn remark(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        let mut answer = self.begin_answer();
        answer.notice_to(notice, nonce);
        self.send(answer);
    }

    /// Sends a notice to people that accompanies another answer.
    pub(super) fn hint(&self, hint: &Notice<'_>) {
        let mut answer = self.begin_answer();
        answer.hint(hint);
        self.send(answer);
    }

    /// Reports an error in a program's message.
    pub(super) fn refuse_request(&self, error: RequestError) {
        self.shared.metrics.refused.count(error.kind.code());
        let mut answer = self.begin_answer();
        answer.message(&ServerMessage::Error {
            code: error.kind.code().into(),
            text: error.kind.to_string().into(),
            proposal: None,
            wait_seconds: None,
            nonce: error.nonce.map(Into::into),
        });
        self.send(answer);
    }
}
