//! What has changed in a lesson, as plain data. Events for members are derived from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use madang_protocol::{
    event::{LessonEvent, LessonState as Told, Stamp, Time, TimerState},
    name::UserName,
};
use serde::{Deserialize, Serialize};

use super::class::Attended;

/// A change of the lesson, and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LessonFact {
    /// Its place in the lesson's order; numbers of announced changes are consecutive.
    pub(crate) number: u64,
    pub(crate) time: Time,
    pub(crate) change: LessonChange,
}

/// What has changed. People are identified by session number. Without `by`, the operator or a
/// deadline caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LessonChange {
    Begun {
        title: Option<Arc<str>>,
        by: Option<UserName>,
    },
    Retitled {
        title: Option<Arc<str>>,
        by: Option<UserName>,
    },
    Ended {
        seconds: u64,
        people: usize,
        hands: usize,
        polls: usize,
        by: Option<UserName>,
    },
    HandRaised {
        session: u64,
        user: UserName,
        text: Option<Arc<str>>,
        /// Whether only teachers see the text.
        for_teachers: bool,
        place: usize,
    },
    HandLowered {
        session: u64,
        user: UserName,
    },
    HandsCleared {
        by: Option<UserName>,
    },
    Called {
        session: u64,
        user: UserName,
        by: Option<UserName>,
    },
    PollOpened {
        poll: Arc<Asked>,
        by: Option<UserName>,
    },
    /// Not announced.
    Voted {
        session: u64,
        user: UserName,
        choice: usize,
    },
    /// These people have answered a poll that is ending. Not announced.
    Answered {
        users: BTreeSet<String>,
    },
    PollShown {
        poll: Arc<Asked>,
        result: PollResult,
        by: Option<UserName>,
    },
    PollEnded {
        poll: Arc<Asked>,
        result: PollResult,
        cancelled: bool,
        by: Option<UserName>,
    },
    Slowed {
        seconds: Option<u64>,
        by: Option<UserName>,
    },
    Listening {
        on: bool,
        by: Option<UserName>,
    },
    /// Sent only to teachers, without the author.
    Questioned {
        session: u64,
        text: Arc<str>,
    },
    /// What is saved of a question: that its number is taken.
    QuestionNumbered,
    QuestionShown {
        number: u64,
        text: Arc<str>,
        by: Option<UserName>,
    },
    /// Not announced.
    Hushed {
        session: u64,
    },
    Timed {
        state: TimerState,
        seconds: u64,
        until: Option<Time>,
        text: Option<Arc<str>>,
        by: Option<UserName>,
    },
    /// The operator has deleted the texts of hands: one person's, or everyone's.
    HandTextsForgotten {
        of: Option<UserName>,
    },
    /// Somebody is in no public room any more.
    Gone {
        session: u64,
    },
    /// Somebody has a new name.
    Renamed {
        session: u64,
        to: UserName,
    },
    /// The server was restarted, and these sessions are gone; what they had is kept for those
    /// who come back with their names.
    Missing {
        sessions: BTreeSet<u64>,
    },
    /// Somebody is back by name: what the session before the restart had is this one's now.
    Returned {
        session: u64,
        to: u64,
    },
    /// These pupils are in public rooms on the machine `origin`, of several that share the lesson.
    Here {
        origin: u64,
        pupils: BTreeMap<u64, UserName>,
    },
    /// Somebody on the machine `origin` is a teacher, perhaps at the wall's screen.
    Taught {
        session: u64,
        user: UserName,
        origin: u64,
        watches: bool,
    },
    /// A teacher's session has ended.
    TeacherGone {
        session: u64,
    },
    /// The code that is valid on the machine `origin`; none if it is gone.
    CodeKnown {
        origin: u64,
        code: Option<Arc<str>>,
    },
    /// The attendance from a room that has ended on all machines.
    AttendanceKept {
        room: String,
        attendance: BTreeMap<String, Attended>,
    },
    /// A request with this nonce was carried out.
    NonceNoted {
        session: u64,
        nonce: u64,
    },
    #[cfg(test)]
    Panic,
}

/// The question and choices of a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) question: Arc<str>,
    pub(crate) choices: Arc<[Arc<str>]>,
    pub(crate) yes_no: bool,
}

/// The result of a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PollResult {
    pub(crate) counts: Arc<[usize]>,
    pub(crate) answered: usize,
    pub(crate) members: usize,
}

impl LessonFact {
    /// What rooms are told of it, whose logs may be readable: without a text that only teachers
    /// get.
    pub(super) fn for_rooms(&self) -> LessonFact {
        let mut fact = self.clone();
        if let LessonChange::HandRaised { text, for_teachers: true, .. } = &mut fact.change {
            *text = None;
        }
        fact
    }

    /// What is saved of it on disk, if anything: no vote, no question or its author, and no
    /// text that only teachers got.
    pub(crate) fn lasting(&self) -> Option<LessonFact> {
        let (number, time, mut change) = (self.number, self.time, self.change.clone());
        match &mut change {
            LessonChange::Voted { .. }
            | LessonChange::Hushed { .. }
            | LessonChange::QuestionShown { .. } => return None,
            LessonChange::Questioned { .. } => change = LessonChange::QuestionNumbered,
            LessonChange::HandRaised { text, for_teachers: true, .. } => *text = None,
            _ => {}
        }
        Some(LessonFact { number, time, change })
    }
}

impl LessonChange {
    /// Whether rooms are notified of it.
    pub(crate) fn is_told(&self) -> bool {
        !matches!(
            self,
            LessonChange::Voted { .. }
                | LessonChange::Answered { .. }
                | LessonChange::Questioned { .. }
                | LessonChange::QuestionNumbered
                | LessonChange::Hushed { .. }
                | LessonChange::HandTextsForgotten { .. }
                | LessonChange::Gone { .. }
                | LessonChange::Renamed { .. }
                | LessonChange::Missing { .. }
                | LessonChange::Returned { .. }
                | LessonChange::Here { .. }
                | LessonChange::Taught { .. }
                | LessonChange::TeacherGone { .. }
                | LessonChange::CodeKnown { .. }
                | LessonChange::AttendanceKept { .. }
                | LessonChange::NonceNoted { .. }
        )
    }

    /// The event for members of a room, if it is announced.
    pub(crate) fn event(&self, stamp: Stamp) -> Option<LessonEvent> {
        let named = |by: &Option<UserName>| by.clone().map(Arc::from);
        let lesson = |state, title: &Option<Arc<str>>, by| LessonEvent::Lesson {
            stamp: stamp.clone(),
            state,
            title: title.clone(),
            seconds: None,
            people: None,
            hands: None,
            polls: None,
            by: named(by),
        };
        Some(match self {
            LessonChange::Begun { title, by } => lesson(Told::Begun, title, by),
            LessonChange::Retitled { title, by } => lesson(Told::Renamed, title, by),
            LessonChange::Ended { seconds, people, hands, polls, by } => LessonEvent::Lesson {
                stamp,
                state: Told::Ended,
                title: None,
                seconds: Some(*seconds),
                people: Some(*people),
                hands: Some(*hands),
                polls: Some(*polls),
                by: named(by),
            },
            LessonChange::HandRaised { user, text, for_teachers, place, .. } => LessonEvent::Hand {
                stamp,
                user: user.clone().into(),
                up: true,
                text: text.clone().filter(|_| !for_teachers),
                place: Some(*place),
                by: None,
            },
            LessonChange::HandLowered { user, .. } => {
                let user = user.clone().into();
                LessonEvent::Hand { stamp, user, up: false, text: None, place: None, by: None }
            }
            LessonChange::HandsCleared { by } => LessonEvent::Hand {
                stamp,
                user: Arc::default(),
                up: false,
                text: None,
                place: None,
                by: named(by),
            },
            LessonChange::Called { user, by, .. } => {
                LessonEvent::Called { stamp, user: user.clone().into(), by: named(by) }
            }
            LessonChange::PollOpened { poll, by } => LessonEvent::Poll {
                stamp,
                question: poll.question.clone(),
                choices: poll.choices.clone(),
                yes_no: poll.yes_no,
                counts: None,
                answered: None,
                members: None,
                by: named(by),
            },
            LessonChange::PollShown { poll, result, by } => LessonEvent::Poll {
                stamp,
                question: poll.question.clone(),
                choices: poll.choices.clone(),
                yes_no: poll.yes_no,
                counts: Some(result.counts.clone()),
                answered: Some(result.answered),
                members: Some(result.members),
                by: named(by),
            },
            LessonChange::PollEnded { poll, result, cancelled, by } => LessonEvent::PollEnded {
                stamp,
                question: poll.question.clone(),
                choices: poll.choices.clone(),
                yes_no: poll.yes_no,
                counts: (!cancelled).then(|| result.counts.clone()),
                answered: result.answered,
                members: result.members,
                cancelled: *cancelled,
                by: named(by),
            },
            LessonChange::Slowed { seconds, by } => {
                LessonEvent::Slow { stamp, seconds: *seconds, by: named(by) }
            }
            LessonChange::Listening { on, by } => {
                LessonEvent::Listen { stamp, on: *on, by: named(by) }
            }
            LessonChange::QuestionShown { number, text, by } => {
                let (number, text) = (*number, text.clone());
                LessonEvent::Question { stamp, number, text, by: named(by) }
            }
            LessonChange::Timed { state, seconds, until, text, by } => LessonEvent::Timer {
                stamp,
                state: *state,
                seconds: *seconds,
                until: *until,
                text: text.clone(),
                by: named(by),
            },
            silent => {
                debug_assert!(!silent.is_told(), "no event for {silent:?}");
                return None;
            }
        })
    }
}
