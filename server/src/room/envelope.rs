//! What is posted to a room: an op or another request, with the receiver of its result.

use std::{collections::BTreeMap, sync::Arc};

use madang_protocol::{event::Event, name::UserName};

use super::{
    history::HistorySpan,
    lesson::class::Attended,
    log::{LogEntry, Snapshot},
    op::{By, Op, Speech},
    refusal::Refusal,
    roster::Presence,
};
use crate::{
    close_reason::CloseReason,
    delivery::outbox::Outbox,
    dialect::answer::Answer,
    session::{Hidden, Mute, Session},
    sync::Sender,
};

/// A post. Members are identified by session number.
pub(super) enum Envelope {
    /// A change of the state, announced to everyone.
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
        answered: Option<Answered>,
    },
    Ask {
        session: Arc<Session>,
        outbox: Arc<Outbox>,
        question: Question,
        nonce: Option<String>,
        answered: Answered,
    },
    /// Adds messages to an answer for a session that is no member.
    Recall {
        span: HistorySpan,
        answer: Answer,
        recalled: Sender<Answer>,
    },
    /// Returns the history in memory.
    Remember {
        told: Sender<Vec<Event>>,
    },
    /// Returns the members.
    Bearers {
        told: Sender<Vec<Bearer>>,
    },
    /// Returns the member with this name, if there is one.
    Bearer {
        name: UserName,
        told: Sender<Option<Bearer>>,
    },
    /// Returns the lesson's attendance.
    Attendance {
        told: Sender<BTreeMap<String, Attended>>,
    },
    /// Replaces a member's ignore list.
    Hide {
        session: u64,
        hidden: Arc<[Hidden]>,
        answered: Answered,
    },
    /// An entry of the room's log.
    Entry(LogEntry),
    /// A later state, because the log's entries before it are gone.
    Reload(Box<Snapshot>),
    /// Ends this machine's part, if it has no members.
    LetGo {
        answered: Answered,
    },
    /// Offers the state to the log.
    Offer {
        done: Sender<()>,
    },
    /// The log accepts nothing more from this machine.
    LogLost {
        /// Whether the others take this machine for dead.
        is_dead: bool,
    },
    /// The log can't be reached, and what was appended last is not heard for a while.
    LogAway,
    /// Changes nothing: whoever posts it waits for all that was posted before.
    Settle {
        answered: Answered,
    },
    /// Drops messages from the history: all, or those of one person.
    ForgetSaid {
        name: Option<String>,
    },
    /// Drops the older half of the history.
    ForgetHalf,
    /// Drops the renderings cached for new members, because nobody has joined for a while.
    ForgetRenderings,
    /// The sender is kept until everyone got the goodbye.
    Stop {
        done: Sender<()>,
    },
}

/// Receives the result of a post, after everyone was sent it.
pub(super) type Answered = Sender<Result<(), Refusal>>;

/// A new or returning member.
pub(crate) struct Coming {
    pub(crate) session: Arc<Session>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) greeting: Greeting,
    /// How many earlier events to show.
    pub(crate) shown: usize,
}

impl Coming {
    /// The op of a new member whose server has this origin.
    pub(super) fn joins(&self, origin: u64) -> (By, Op) {
        let (user, quiet) = (self.session.name(), self.session.quiet());
        let muted = self.session.muted();
        let (comes_back, stream) = (self.session.token.is_some(), self.session.is_stream());
        (By::of(&self.session), Op::Join { user, quiet, muted, origin, comes_back, stream })
    }

    /// The op of a returning member, at the server of this origin.
    pub(super) fn is_back(&self, origin: u64) -> (By, Op) {
        (By::of(&self.session), Op::Back { quiet: self.session.quiet(), origin })
    }
}

/// What a new member is sent first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// A welcome after a login or a resume; programs get their token.
    Welcome,
    /// For a stream over HTTP: the head of the response (empty if that was sent), then a
    /// welcome, then everything that it has missed.
    Response { head: Vec<u8>, missed: Option<Missed> },
    /// For a member from another room, with the request's nonce.
    Entered { nonce: Option<String> },
}

/// What a stream has missed that is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    /// The last event that it had received.
    pub(crate) after: u64,
    /// The last one that it has been sent since: the same, or a later one.
    pub(crate) sent: u64,
}

/// What a returning client has already received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    /// The id of the last event of this room, if any.
    pub(crate) event: Option<u64>,
    /// The number of the last private event.
    pub(crate) private: u64,
}

/// How a member leaves.
pub(crate) enum Going {
    /// With its connection.
    Ends(Closing),
    /// Without a connection, because its session has expired.
    Expires,
    /// To another room; signalled when it was sent everything of this one.
    Moves(Answered),
}

/// How a connection ends.
pub(crate) struct Closing {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) reason: CloseReason,
    pub(crate) goodbye: Vec<u8>,
    /// The message given with `/quit`.
    pub(crate) text: Option<String>,
}

/// What a member may ask of the room.
#[derive(Clone)]
pub(crate) enum Question {
    /// The members: the first ones, or those who joined after the session with this number.
    Who {
        after: Option<u64>,
    },
    /// The same for a public room that the requester need not be in.
    WhoThere {
        after: Option<u64>,
    },
    Topic,
    History(HistorySpan),
    Ping {
        token: Option<String>,
    },
    /// An answer that is known already, to be sent after all earlier messages.
    Answered(Answer),
}

/// A member, for those who ask from outside.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) session: u64,
    pub(crate) user: UserName,
    /// The server that it is, or was last, connected to.
    pub(crate) origin: u64,
    /// The operator's mute.
    pub(crate) muted: Option<Mute>,
    /// Whether joining and leaving are not announced.
    pub(crate) is_quiet: bool,
    /// Whether it is a stream over HTTP.
    pub(crate) is_stream: bool,
}

impl Bearer {
    pub(super) fn of(presence: &Presence) -> Bearer {
        Bearer {
            session: presence.session,
            user: presence.user.clone(),
            origin: presence.origin,
            muted: presence.muted,
            is_quiet: presence.quiet.is_some(),
            is_stream: presence.stream,
        }
    }
}
