//! Private messages to a session: sent at once, kept until its client resumes, or refused.

use std::sync::Arc;

use madang_protocol::{
    event::{ServerMessage, Time},
    name::UserName,
    notice::Notice,
    text::Lang,
};

use serde::{Deserialize, Serialize};

use super::{Hidden, Session, SessionState};
use crate::dialect::answer::Answer;

/// The sender of a whisper.
#[derive(Clone, Copy)]
pub(crate) enum Whisperer<'a> {
    /// A member, under this name.
    Member(&'a Arc<Session>, &'a UserName),
    /// A member on another server.
    Elsewhere(&'a Sender),
    /// The operator.
    Operator,
}

/// A sender on another server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sender {
    pub(crate) session: u64,
    pub(crate) user: UserName,
    pub(crate) is_teacher: bool,
}

/// Who whispered last, and gets the answer of `/reply`: perhaps on another server by now, and under
/// another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastWhisperer {
    pub(crate) session: u64,
    pub(crate) user: UserName,
}

/// The result of a whisper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Whispered {
    /// It was sent.
    Sent,
    /// It is kept until they resume.
    Kept,
    /// There is no space for it.
    Refused,
    /// The sender is on their ignore list.
    Hidden,
    /// Their session is no longer here, but on another server.
    Gone,
}

impl Session {
    /// Whispers to them.
    pub(crate) fn whisper(&self, from: Whisperer<'_>, text: &str, time: Time) -> Whispered {
        let mut state = self.state.lock();
        if state.memory.as_ref().is_some_and(|memory| memory.is_handed_over) {
            return Whispered::Gone;
        }
        let (user, teacher) = match (from, state.lang) {
            (Whisperer::Member(session, name), _) => {
                if Hidden::hides(&state.hidden, session.number, name.as_str()) {
                    return Whispered::Hidden;
                }
                (name.as_str(), session.is_teacher())
            }
            (Whisperer::Elsewhere(sender), _) => {
                if Hidden::hides(&state.hidden, sender.session, sender.user.as_str()) {
                    return Whispered::Hidden;
                }
                (sender.user.as_str(), sender.is_teacher)
            }
            // Names that nobody can have.
            (Whisperer::Operator, Lang::Ko) => ("서버", false),
            (Whisperer::Operator, Lang::En) => ("server", false),
        };
        let SessionState { outbox, form, memory, last_whisperer, .. } = &mut *state;
        let line = memory.as_ref().map(|memory| {
            let mut line = Answer::new(*form);
            line.message(&ServerMessage::Whisper {
                private: memory.last_private + 1,
                time,
                user: user.into(),
                teacher,
                text: text.into(),
            });
            line.into_bytes()
        });
        let outcome = match (&*outbox, &line) {
            (Some(outbox), Some(line)) if outbox.try_push(line) => Whispered::Sent,
            (Some(outbox), None) => {
                let mut answer = Answer::new(outbox.form());
                answer.notice(&Notice::Whispered { user, teacher, text });
                if !outbox.try_push(&answer.into_bytes()) {
                    return Whispered::Refused;
                }
                Whispered::Sent
            }
            // An ending connection may be resumed; an unread outbox is full.
            (Some(outbox), Some(_)) if outbox.is_open() => return Whispered::Refused,
            (None, None) => return Whispered::Refused,
            (_, Some(_)) => Whispered::Kept,
        };
        if let (Some(memory), Some(line)) = (memory, line)
            && !memory.keep(line)
        {
            if outcome == Whispered::Kept {
                return Whispered::Refused;
            }
            // A client that resumes without having read it gets a gap.
            memory.last_private += 1;
        }
        match from {
            Whisperer::Member(session, user) => {
                let (session, user) = (session.number, user.clone());
                *last_whisperer = Some(LastWhisperer { session, user });
            }
            Whisperer::Elsewhere(Sender { session, user, .. }) => {
                let (session, user) = (*session, user.clone());
                *last_whisperer = Some(LastWhisperer { session, user });
            }
            Whisperer::Operator => {}
        }
        outcome
    }

    /// The last sender of a whisper.
    pub(crate) fn last_whisperer(&self) -> Option<LastWhisperer> {
        self.state.lock().last_whisperer.clone()
    }
}
