//! Answers to members' questions, in the room's order.

use std::sync::Arc;

use madang_protocol::{event::ServerMessage, notice::Notice};

use super::{
    envelope::Question,
    executor::Executor,
    history::{HistoryQuery, HistorySpan},
    refusal::Refusal,
    roster::Presence,
};
use crate::{
    delivery::{batch::Rendered, outbox::Outbox},
    dialect::{Part, answer::Answer},
    session::Session,
    sync::Sender,
};

/// How many names an answer to `/who` lists.
const NAMES: usize = 200;

/// How many names one line contains.
const NAMES_PER_LINE: usize = 50;

impl Executor {
    pub(super) fn recall(&self, span: HistorySpan, mut answer: Answer, recalled: &Sender<Answer>) {
        // For people: they are not told which ids are missing.
        let query = HistoryQuery { span, ..HistoryQuery::default() };
        self.history.answer(self.batch.events(), query, None, &mut answer);
        // The requester is waiting for it.
        let _ = recalled.send(answer);
    }

    /// Whether events of before a restart are missing that could not be saved.
    fn has_unsaved(&self) -> bool {
        self.lost.iter().any(|(_, _, reason)| reason.is_none())
    }

    pub(super) fn answer(
        &mut self,
        session: &Session,
        outbox: &Arc<Outbox>,
        question: Question,
        nonce: Option<&str>,
    ) {
        let member = self.members.of(session.number);
        if let (Question::Who { after: None }, None, Some(member)) = (&question, nonce, member)
            && Arc::ptr_eq(&member.outbox, outbox)
        {
            let rendered = self.first_names(outbox);
            return self.members.answer_shared(session.number, self.batch_len(), rendered);
        }
        let mut answer = Answer::new(outbox.form()).in_lang(session.lang());
        let is_anyones = matches!(question, Question::WhoThere { .. } | Question::Ping { .. });
        let written = match member.is_some() || is_anyones {
            true => self.write_answer(session, question, nonce, &mut answer),
            false => Err(Refusal::NoMember),
        };
        match written {
            Ok(()) => answer.ack(nonce),
            Err(refusal) => {
                let notice = refusal.notice();
                self.metrics.refused.count_notice(&notice);
                answer.notice_to(&notice, nonce);
            }
        }
        let bytes = answer.into_bytes();
        if member.is_some_and(|member| Arc::ptr_eq(&member.outbox, outbox)) {
            self.members.answer(session.number, self.batch_len(), &bytes);
        } else if let Some(leaver) = self.leaver(session.number) {
            leaver.after.extend_from_slice(&bytes);
        } else {
            outbox.push(&bytes);
        }
    }

    fn write_answer(
        &self,
        session: &Session,
        question: Question,
        nonce: Option<&str>,
        answer: &mut Answer,
    ) -> Result<(), Refusal> {
        match question {
            Question::Who { after } => self.who(after, None, answer, nonce)?,
            Question::WhoThere { after } => self.who(after, Some(&self.name), answer, nonce)?,
            Question::Topic => match self.state.topic() {
                Some(topic) => answer.notice_to(&Notice::TopicIs(topic), nonce),
                None => answer.notice_to(&Notice::NoTopic, nonce),
            },
            Question::History(span) => {
                let (hidden, is_part) = (session.hidden(), self.recording.is_some());
                let reach = self.reach_of(session);
                let (opened, has_gaps) = (self.opened, self.has_unsaved());
                let asked =
                    HistoryQuery { span, hidden: &hidden, is_part, reach, opened, has_gaps };
                self.history.answer(self.batch.events(), asked, nonce, answer);
            }
            Question::Ping { token } => answer.message(&ServerMessage::Pong {
                token: token.map(Into::into),
                nonce: nonce.map(Into::into),
            }),
            Question::Answered(known) => *answer = known,
        }
        Ok(())
    }

    /// The members who joined first, rendered once per form for all questions of a round.
    pub(super) fn first_names(&mut self, outbox: &Outbox) -> Arc<Rendered> {
        let (form, carrier) = outbox.form_and_carrier();
        if let Some(rendered) = self.members.listed(form, carrier) {
            return rendered.clone();
        }
        let mut answer = Answer::new(form);
        // Only a starting member could be missing, and there is none.
        let _ = self.who(None, None, &mut answer, None);
        let part = Part { lines: answer.into_bytes(), first_id: 0, last_id: 0 };
        let rendered = Rendered::of_parts(self.name.clone(), vec![part], form, carrier);
        self.members.list(form, carrier, Arc::new(rendered))
    }

    /// Lists the members who joined first, or after a given one; `room` is named if it is not
    /// the requester's own.
    fn who(
        &self,
        after: Option<u64>,
        room: Option<&str>,
        answer: &mut Answer,
        nonce: Option<&str>,
    ) -> Result<(), Refusal> {
        let roster = self.state.members();
        let mut members: Box<dyn Iterator<Item = &Presence>> =
            match after.map(|session| roster.get(session).ok_or(Refusal::NotHere)) {
                Some(member) => Box::new(roster.after_member(member?)),
                None => Box::new(roster.in_order()),
            };
        let listed: Vec<&Presence> = members.by_ref().take(NAMES).collect();
        let last = members.next().and(listed.last()).map(|last| last.user.as_str());
        let count = roster.len();
        // An empty list is a list too.
        let mut chunks =
            listed.chunks(NAMES_PER_LINE).chain(listed.is_empty().then_some(&[][..])).peekable();
        while let Some(listed) = chunks.next() {
            let more = chunks.peek().is_some();
            let quiet = listed.iter().filter(|member| member.quiet.is_some());
            let streams = listed.iter().filter(|member| member.stream);
            answer.message(&ServerMessage::Who {
                room: (&*self.name).into(),
                count,
                members: listed.iter().map(|member| member.user.as_str().into()).collect(),
                quiet: quiet.map(|member| member.user.as_str().into()).collect(),
                streams: streams.map(|member| member.user.as_str().into()).collect(),
                more,
                after: last.filter(|_| !more).map(Into::into),
                nonce: nonce.map(Into::into),
            });
        }
        if let Some(after) = last {
            answer.hint(&Notice::WhoMore { room, after });
        }
        Ok(())
    }
}
