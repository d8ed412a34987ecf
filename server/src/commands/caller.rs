//! Who gives a command, and what it gets for an answer. A command needs nothing else: no
//! connection, socket or thread.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use madang_protocol::{
    command::Role,
    event::ServerMessage,
    name::UserName,
    notice::{Done, Goodbye, Notice},
    room::Destination,
    text::Lang,
};

use super::chat::Chat;
use crate::{
    dialect::{Form, answer::Answer},
    room::refusal::Refusal,
    room::{By, Op, Question, Room},
    session::Session,
};

/// Who gives a command.
pub(crate) struct Caller<'a> {
    pub(crate) chat: Chat<'a>,
    pub(crate) standing: Standing<'a>,
    /// The form in which they are answered.
    pub(crate) form: Form,
    pub(crate) lang: Lang,
    /// What the answer returns.
    pub(crate) nonce: Option<&'a str>,
    /// The address by whose allowance they make rooms; none has no limit.
    pub(crate) address: Option<IpAddr>,
}

/// What a caller is to the server.
#[derive(Clone, Copy)]
pub(crate) enum Standing<'a> {
    /// Somebody who has yet to get a name.
    Newcomer,
    /// Somebody with a name.
    Member(Membership<'a>),
    /// Whoever sits at the server's console, and the room that their commands are about
    /// if those are about one.
    Operator(&'a Arc<Room>),
}

/// A caller who has a name.
#[derive(Clone, Copy)]
pub(crate) struct Membership<'a> {
    pub(crate) session: &'a Arc<Session>,
    /// Where they are, if they are anywhere.
    pub(crate) room: Option<&'a Arc<Room>>,
    /// The address of this server that they connected to.
    pub(crate) came_by: Option<SocketAddr>,
}

/// What has come of a command.
pub(crate) struct Reply {
    /// What the caller is told; what a room answers comes from there.
    pub(crate) answer: Answer,
    /// What is left to do for whoever holds the caller's connection.
    pub(crate) effect: Effect,
}

/// What a command leads to that only the caller's connection can do.
#[derive(Default)]
pub(crate) enum Effect {
    /// Nothing.
    #[default]
    Nothing,
    /// It asks a room, which answers after all that was said before.
    Ask(Arc<Room>, Question),
    /// It says that its user does this.
    Act(String),
    /// It owes the rate limit for a message of so many bytes as rendered.
    Owe(usize),
    /// It is shown this QR code, in half blocks.
    Draw(String),
    /// It speaks another language.
    Speak(Lang),
    /// It goes there as soon as it has a name.
    Choose(Destination),
    /// It goes to another room; to one that was made for it, if that is set.
    Go(Destination, Option<Arc<Room>>),
    /// The room where it was has ended.
    LeaveEnded,
    /// It ends, with a last word.
    End(Goodbye, Option<String>),
}

impl Reply {
    /// The same with something left to do.
    pub(crate) fn and(self, effect: Effect) -> Reply {
        Reply { effect, ..self }
    }

    /// What the operator reads.
    pub(crate) fn into_text(self) -> String {
        let text = String::from_utf8_lossy(&self.answer.into_bytes()).into_owned();
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }
}

impl<'a> Caller<'a> {
    /// Whose commands they may give.
    pub(crate) fn role(&self) -> Role {
        match self.standing {
            Standing::Newcomer | Standing::Member(_) => Role::Member,
            Standing::Operator(_) => Role::Operator,
        }
    }

    /// The caller as somebody with a name.
    ///
    /// # Errors
    ///
    /// That they have none.
    pub(crate) fn member(&self) -> Result<Membership<'a>, Reply> {
        match self.standing {
            Standing::Member(member) => Ok(member),
            Standing::Newcomer | Standing::Operator(_) => Err(self.refuse(&Notice::LoginFirst)),
        }
    }

    /// Begins an answer in their form and language.
    pub(crate) fn begin(&self) -> Answer {
        Answer::new(self.form).in_lang(self.lang)
    }

    /// Says nothing: a room answers.
    pub(crate) fn silence(&self) -> Reply {
        reply(self.begin())
    }

    /// Says why a command is not carried out.
    pub(crate) fn refuse(&self, notice: &Notice<'_>) -> Reply {
        if !self.is_operator() {
            self.chat.metrics.refused.count_notice(notice);
        }
        let mut answer = self.begin();
        answer.notice_to(notice, self.nonce);
        reply(answer)
    }

    /// Says something, and acknowledges the request.
    pub(crate) fn tell(&self, notice: &Notice<'_>) -> Reply {
        let mut answer = self.begin();
        answer.notice_to(notice, self.nonce);
        self.answered(answer)
    }

    /// Acknowledges a request that only asked.
    pub(crate) fn answered(&self, mut answer: Answer) -> Reply {
        answer.ack(self.nonce);
        reply(answer)
    }

    /// Tells the operator what was done, and acknowledges it to a member, who is told by
    /// the room.
    pub(crate) fn done(&self, done: Done<'_>) -> Reply {
        let mut answer = self.begin();
        if self.is_operator() {
            answer.notice(&Notice::Done(done));
        }
        self.done_with(answer)
    }

    /// Acknowledges what was done, after telling something.
    pub(crate) fn done_with(&self, mut answer: Answer) -> Reply {
        match (self.standing, self.nonce) {
            (Standing::Member(member), Some(nonce)) => {
                // It is not done again for a client that comes back and asks again.
                member.session.note_nonce(nonce, None);
                answer.ack(self.nonce);
            }
            _ => answer.ack(self.nonce),
        }
        reply(answer)
    }

    /// Acknowledges what was said already, with its id.
    pub(crate) fn acknowledge(&self, nonce: &str, id: Option<u64>) -> Reply {
        let mut answer = self.begin();
        answer.message(&ServerMessage::Ack { nonce: nonce.into(), id });
        reply(answer)
    }

    /// Acknowledges what was done, or says why it was not.
    pub(crate) fn settle(&self, result: Result<(), Refusal>, done: Done<'_>) -> Reply {
        match result {
            Ok(()) => self.done(done),
            Err(refusal) => self.not_done(refusal),
        }
    }

    /// Says why something was not done.
    pub(crate) fn not_done(&self, refusal: Refusal) -> Reply {
        match (refusal, self.standing) {
            (Refusal::Ended, Standing::Member(_)) => {
                self.refuse(&Notice::NoRoom).and(Effect::LeaveEnded)
            }
            (Refusal::Ended, Standing::Operator(_)) => self.refuse(&Notice::NoSuchRoom),
            (refusal, _) => self.refuse(&refusal.notice()),
        }
    }

    /// Finds somebody by their name.
    ///
    /// # Errors
    ///
    /// That nobody has it.
    pub(crate) fn find(&self, name: &UserName) -> Result<Arc<Session>, Reply> {
        self.chat.users.find(name).ok_or_else(|| self.refuse(&Notice::Nobody))
    }

    /// Does something to the caller's room and blocks until everyone was told.
    ///
    /// # Errors
    ///
    /// Why it can't be done.
    pub(crate) fn act(&self, op: Op) -> Result<(), Refusal> {
        match self.standing {
            Standing::Member(Membership { session, room: Some(room), .. }) => {
                room.act(By::Member(session.number), op)
            }
            Standing::Operator(room) => room.act(By::Operator, op),
            _ => Err(Refusal::NoMember),
        }
    }

    /// The name of the room that the caller is in, or that the operator looks at.
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
