//! Who gives a command, and the reply. A command needs no connection, socket or thread.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use madang_protocol::{
    command::{Role, Switch},
    notice::{Done, Goodbye, Notice},
    room::Destination,
    text::Lang,
};

use super::{chat::Chat, invite};
use crate::{
    dialect::{Form, answer::Answer},
    room::refusal::Refusal,
    room::{By, Op, Question, Room},
    session::Session,
};

/// The person or program that gives a command.
pub(crate) struct Caller<'a> {
    pub(crate) chat: Chat<'a>,
    pub(crate) standing: Standing<'a>,
    /// The form of the answer.
    pub(crate) form: Form,
    pub(crate) lang: Lang,
    /// The request's nonce.
    pub(crate) nonce: Option<&'a str>,
    /// The address whose allowance for new rooms is used; without one, there is no limit.
    pub(crate) address: Option<IpAddr>,
    /// The address whose wrong guesses are counted; none for the operator.
    pub(crate) origin: Option<IpAddr>,
}

/// The role of a caller.
#[derive(Clone, Copy)]
pub(crate) enum Standing<'a> {
    /// Somebody who has not logged in.
    Newcomer,
    /// Somebody who has.
    Member(Membership<'a>),
    /// The operator, with the room that their commands apply to.
    Operator(&'a Arc<Room>),
}

/// A caller who has logged in.
#[derive(Clone, Copy)]
pub(crate) struct Membership<'a> {
    pub(crate) session: &'a Arc<Session>,
    /// The room that they are in, if any.
    pub(crate) room: Option<&'a Arc<Room>>,
    /// The address of this server that they connected to.
    pub(crate) came_by: Option<SocketAddr>,
}

/// The outcome of a command.
pub(crate) struct Reply {
    /// The answer to the caller; a room's answer goes out by itself.
    pub(crate) answer: Answer,
    /// What the caller's connection has left to do.
    pub(crate) effect: Effect,
}

/// What only the caller's connection can do for a command.
#[derive(Default)]
pub(crate) enum Effect {
    /// Nothing.
    #[default]
    Nothing,
    /// Ask a room, which answers after everything said before.
    Ask(Arc<Room>, Question),
    /// Announce that the member does this (`/me`).
    Act(String),
    /// Charge the rate limit for a message of this many rendered bytes.
    Owe(usize),
    /// Show this QR code, given in half blocks.
    Draw(String),
    /// It sent a wrong teacher's code.
    CountWrongCode,
    /// It is shown the teacher's code.
    ShowCode {
        /// With a QR code of the link.
        qr: bool,
    },
    /// Change the language.
    Speak(Lang),
    /// Explain the connection to its member, or no longer.
    Explain(Switch),
    /// Begin in this room after the login.
    Choose(Destination),
    /// Go to another room, which may be new.
    Go(Destination, Option<Arc<Room>>),
    /// Note that the current room has ended.
    LeaveEnded,
    /// End the connection, optionally with parting words.
    End(Goodbye, Option<String>),
}

impl Reply {
    /// The same reply with an effect for the connection.
    pub(crate) fn and(self, effect: Effect) -> Reply {
        Reply { effect, ..self }
    }

    /// The text for the operator.
    pub(crate) fn into_text(self) -> String {
        let text = String::from_utf8_lossy(&self.answer.into_bytes()).into_owned();
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }
}

impl<'a> Caller<'a> {
    /// The role whose commands they may use.
    pub(crate) fn role(&self) -> Role {
        match self.standing {
            Standing::Newcomer | Standing::Member(_) => Role::Member,
            Standing::Operator(_) => Role::Operator,
        }
    }

    /// The caller, if they have logged in.
    ///
    /// # Errors
    ///
    /// The refusal, if they have not.
    pub(crate) fn member(&self) -> Result<Membership<'a>, Reply> {
        match self.standing {
            Standing::Member(member) => Ok(member),
            Standing::Newcomer | Standing::Operator(_) => Err(self.refuse(&Notice::LoginFirst)),
        }
    }

    /// An empty answer in the caller's form and language.
    pub(crate) fn begin(&self) -> Answer {
        Answer::new(self.form).in_lang(self.lang)
    }

    /// An empty reply: a room answers.
    pub(crate) fn silence(&self) -> Reply {
        reply(self.begin())
    }

    /// Refuses the command for this reason.
    pub(crate) fn refuse(&self, notice: &Notice<'_>) -> Reply {
        if !self.is_operator() {
            self.chat.metrics.refused.count_notice(notice);
        }
        let mut answer = self.begin();
        answer.notice_to(notice, self.nonce);
        reply(answer)
    }

    /// Answers with a notice, and acknowledges the request.
    pub(crate) fn tell(&self, notice: &Notice<'_>) -> Reply {
        let mut answer = self.begin();
        answer.notice_to(notice, self.nonce);
        self.answered(answer)
    }

    /// Acknowledges a question.
    pub(crate) fn answered(&self, mut answer: Answer) -> Reply {
        answer.ack(self.nonce);
        reply(answer)
    }

    /// Tells the operator what was done. A member only gets the `ack`, because the room announces
    /// it.
    pub(crate) fn done(&self, done: Done<'_>) -> Reply {
        let mut answer = self.begin();
        if self.is_operator() {
            answer.notice(&Notice::Done(done));
        }
        self.done_with(answer)
    }

    /// Acknowledges what was done, after `answer`.
    pub(crate) fn done_with(&self, mut answer: Answer) -> Reply {
        match (self.standing, self.nonce) {
            (Standing::Member(member), Some(nonce)) => {
                // A client that reconnects and asks again does not get it done twice.
                member.session.note_nonce(nonce);
                answer.ack(self.nonce);
            }
            _ => answer.ack(self.nonce),
        }
        reply(answer)
    }

    /// Acknowledges what was done, or refuses it.
    pub(crate) fn settle(&self, result: Result<(), Refusal>, done: Done<'_>) -> Reply {
        match result {
            Ok(()) => self.done(done),
            Err(refusal) => self.not_done(refusal),
        }
    }

    /// Passes on a room's refusal.
    pub(crate) fn not_done(&self, refusal: Refusal) -> Reply {
        match (refusal, self.standing) {
            (Refusal::Ended, Standing::Member(_)) => {
                self.refuse(&Notice::NoRoom).and(Effect::LeaveEnded)
            }
            (Refusal::Ended, Standing::Operator(_)) => self.refuse(&Notice::NoSuchRoom),
            (refusal, _) => self.refuse(&refusal.notice()),
        }
    }

    /// Carries out an op in the caller's room, and blocks until everyone was told.
    ///
    /// # Errors
    ///
    /// The room's refusal.
    pub(crate) fn act(&self, op: Op) -> Result<(), Refusal> {
        match self.standing {
            Standing::Member(Membership { session, room: Some(room), .. }) => {
                room.act(By::of(session), op)
            }
            Standing::Operator(room) => room.act(By::Operator, op),
            _ => Err(Refusal::NoMember),
        }
    }

    /// The number of the caller's session, if they have one.
    pub(crate) fn session_number(&self) -> Option<u64> {
        match self.standing {
            Standing::Member(member) => Some(member.session.number),
            _ => None,
        }
    }

    /// Whether a path on the browser port is useful to the caller: people need a complete link,
    /// programs know how they reached the server.
    pub(crate) fn can_download(&self) -> bool {
        let has_door = !self.chat.doors.web.is_empty();
        has_door && (self.form.is_for_programs() || self.link_to("/").is_some())
    }

    /// The link to a path on the browser port, if the caller can reach that port.
    pub(crate) fn link_to(&self, path: &str) -> Option<String> {
        let came_by = match self.standing {
            Standing::Member(member) => member.came_by,
            _ => None,
        };
        let page = invite::web_link(came_by, self.chat.doors)?;
        Some(page + path.trim_start_matches('/'))
    }

    /// The name of the caller's room, or of the room the operator has chosen.
    pub(crate) fn room_name(&self) -> &'a str {
        match self.standing {
            Standing::Member(Membership { room: Some(room), .. }) | Standing::Operator(room) => {
                &room.name
            }
            _ => "",
        }
    }

    pub(crate) fn is_operator(&self) -> bool {
        matches!(self.standing, Standing::Operator(_))
    }
}

fn reply(answer: Answer) -> Reply {
    Reply { answer, effect: Effect::Nothing }
}
