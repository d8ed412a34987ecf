//! What is posted to a room: an op, or what else the room does in its order, with whoever
//! is told what came of it.

use std::{collections::BTreeMap, sync::Arc};

use crossbeam_channel::Sender;
use madang_protocol::event::Event;

use super::{
    history::HistorySpan,
    lesson::class::Attended,
    log::LogEntry,
    op::{By, Op, Speech},
    refusal::Refusal,
};
use crate::{
    close_reason::CloseReason,
    delivery::outbox::Outbox,
    dialect::answer::Answer,
    session::{Hidden, Session},
};

/// What is posted. Members are known by their session's number.
pub(super) enum Envelope {
    /// What only changes the state, and is told to everyone.
    Op {
        by: By,
        op: Op,
        answered: Option<Answered>,
    },
    Join {
        coming: Coming,
        answered: Option<Answered>,
    },
    Resume {
        coming: Coming,
        last: Last,
        answered: Answered,
    },
    Leave {
        session: u64,
        going: Going,
    },
    Say {
        session: Arc<Session>,
        speeches: Vec<Speech>,
    },
    Ask {
        session: Arc<Session>,
        outbox: Arc<Outbox>,
        question: Question,
        nonce: Option<String>,
        answered: Answered,
    },
    /// Writes what was said to an answer for somebody who is no member.
    Recall {
        span: HistorySpan,
        answer: Answer,
        recalled: Sender<Answer>,
    },
    /// Tells what the room remembers.
    Remember {
        told: Sender<Vec<Event>>,
    },
    /// Tells how people have attended the lesson here.
    Attendance {
        told: Sender<BTreeMap<String, Attended>>,
    },
    /// Replaces a member's ignore list.
    Hide {
        session: u64,
        hidden: Arc<[Hidden]>,
        answered: Answered,
    },
    /// Comes from the room's log.
    Entry(LogEntry),
    /// The log takes nothing from this machine any more.
    LogLost,
    /// The log can't be reached, and what was appended last is not heard for a while.
    LogAway,
    /// Changes nothing: whoever posts it waits for all that was posted before.
    Settle {
        answered: Answered,
    },
    /// Has the room forget what was said, by one person if one is named.
    ForgetSaid {
        name: Option<String>,
    },
    /// Has the room forget the older half of what it remembers.
    ForgetHalf,
    /// Drops what was rendered for members who came, and nobody has come for a while.
    ForgetRenderings,
    /// The sender is kept until everyone was told.
    Stop {
        done: Sender<()>,
    },
}

/// Told, after everyone has been, what became of a post.
pub(super) type Answered = Sender<Result<(), Refusal>>;

/// A new member, and how it comes in.
pub(crate) struct Coming {
    pub(crate) session: Arc<Session>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) greeting: Greeting,
    /// How many events that were said before are shown.
    pub(crate) shown: usize,
}

impl Coming {
    /// What a new member asks for.
    pub(super) fn joins(&self) -> (By, Op) {
        let (user, quiet) = (self.session.name(), self.session.quiet());
        let muted = self.session.muted();
        (By::of(&self.session), Op::Join { user, quiet, muted })
    }

    /// What a returning member asks for.
    pub(super) fn is_back(&self) -> (By, Op) {
        (By::of(&self.session), Op::Back { quiet: self.session.quiet() })
    }
}

/// What a new member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// One has just logged in, or comes back; programs are given their token.
    Welcome,
    /// One comes from another room; what the request's answer returns.
    Entered { nonce: Option<String> },
}

/// What a client that comes back has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    /// The id of the last event of this room, if it has any.
    pub(crate) event: Option<u64>,
    /// The number of the last private event.
    pub(crate) private: u64,
}

/// How a member leaves.
pub(crate) enum Going {
    /// With its connection.
    Ends(Closing),
    /// Alone, since nothing connects it any more.
    Expires,
    /// To another room; told when it has been told all of this one.
    Moves(Answered),
}

/// How a connection ends.
pub(crate) struct Closing {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) reason: CloseReason,
    pub(crate) goodbye: Vec<u8>,
    /// The last word of who quits.
    pub(crate) text: Option<String>,
}

/// What a member may ask of the room.
#[derive(Clone)]
pub(crate) enum Question {
    /// Who is here: the first, or those who came after the member of a session's number.
    Who {
        after: Option<u64>,
    },
    /// The same for somebody who need not be a member: of a public room.
    WhoThere {
        after: Option<u64>,
    },
    Topic,
    History(HistorySpan),
    Ping {
        token: Option<String>,
    },
    /// One whose answer is known, and has its place after what was said before.
    Answered(Answer),
}
