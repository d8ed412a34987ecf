//! What happens in a lesson, as members of every public room are told, and what is going
//! on in one, as somebody who comes is told. Votes are secret and no events.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Stamp, Time, is_empty, is_false};

/// What happened in a lesson. Where `by` is missing, the operator did it, or time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LessonEvent {
    /// A lesson began, ended, or has another title.
    Lesson {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Which of these.
        state: LessonState,
        /// Its title, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<Arc<str>>,
        /// With `ended`: how long it took.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// With `ended`: how many people were there, teachers aside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        people: Option<usize>,
        /// With `ended`: how many hands were raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hands: Option<usize>,
        /// With `ended`: how many polls there were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        polls: Option<usize>,
        /// The teacher who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Somebody raised a hand, changed what they ask, or lowered it.
    Hand {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Whose it is; empty if all hands were lowered.
        #[serde(default, skip_serializing_if = "is_empty")]
        user: Arc<str>,
        /// Whether it is up now.
        up: bool,
        /// The question, if there is one that everyone may see.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Arc<str>>,
        /// Its place in the queue, from 1, if it is up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<usize>,
        /// The teacher who lowered it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A teacher called on somebody, who may speak while the others listen.
    Called {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Who was called.
        user: Arc<str>,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A poll is open, or, with `counts`, how it stands is shown.
    Poll {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// What is asked.
        question: Arc<str>,
        /// The choices; 1 chooses the first.
        choices: Arc<[Arc<str>]>,
        /// Whether the choices are yes and no.
        #[serde(default, skip_serializing_if = "is_false")]
        yes_no: bool,
        /// How many chose each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts: Option<Arc<[usize]>>,
        /// With `counts`: how many have voted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered: Option<usize>,
        /// With `counts`: how many could.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<usize>,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A poll is over.
    PollEnded {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// What was asked.
        question: Arc<str>,
        /// The choices.
        choices: Arc<[Arc<str>]>,
        /// Whether the choices are yes and no.
        #[serde(default, skip_serializing_if = "is_false")]
        yes_no: bool,
        /// How many chose each; none if the poll was cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts: Option<Arc<[usize]>>,
        /// How many voted.
        answered: usize,
        /// How many could.
        members: usize,
        /// Whether it was cancelled.
        #[serde(default, skip_serializing_if = "is_false")]
        cancelled: bool,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// How often each may speak.
    Slow {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// One message in so many seconds; none: as often as one likes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Whether only teachers and whoever was called may speak.
    Listen {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Whether it is so now.
        on: bool,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A clock runs, has a minute left, has ended or was stopped.
    Timer {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Which of these.
        state: TimerState,
        /// How long it takes in all.
        seconds: u64,
        /// When it ends, if it runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Arc<str>>,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// A question that somebody asked without a name is shown to everyone.
    Question {
        /// Its place in the room's order.
        #[serde(flatten)]
        stamp: Stamp,
        /// Its number in this lesson.
        number: u64,
        /// The question.
        text: Arc<str>,
        /// The teacher.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
}

/// What became of a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LessonState {
    /// It began.
    Begun,
    /// It has another title.
    Renamed,
    /// It ended, and its settings with it.
    Ended,
}

/// What became of a lesson's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerState {
    /// It was started.
    Started,
    /// It has a minute left.
    Minute,
    /// Its time is over.
    Ended,
    /// It was stopped.
    Off,
}

impl LessonEvent {
    /// Its place in the order of its room.
    pub fn stamp(&self) -> &Stamp {
        match self {
            LessonEvent::Lesson { stamp, .. }
            | LessonEvent::Hand { stamp, .. }
            | LessonEvent::Called { stamp, .. }
            | LessonEvent::Poll { stamp, .. }
            | LessonEvent::PollEnded { stamp, .. }
            | LessonEvent::Slow { stamp, .. }
            | LessonEvent::Listen { stamp, .. }
            | LessonEvent::Timer { stamp, .. }
            | LessonEvent::Question { stamp, .. } => stamp,
        }
    }

    /// Whom it is about, or who did it; empty where the operator or time did.
    pub fn user(&self) -> &str {
        match self {
            LessonEvent::Hand { user, .. } | LessonEvent::Called { user, .. } => user,
            LessonEvent::Lesson { by, .. }
            | LessonEvent::Poll { by, .. }
            | LessonEvent::PollEnded { by, .. }
            | LessonEvent::Slow { by, .. }
            | LessonEvent::Listen { by, .. }
            | LessonEvent::Timer { by, .. }
            | LessonEvent::Question { by, .. } => by.as_deref().unwrap_or_default(),
        }
    }

    /// The most bytes that its names and words take in any form.
    pub(super) fn word_bytes(&self) -> usize {
        /// What stands around a choice and its count: punctuation and up to 20 digits.
        const CHOICE_OVERHEAD: usize = 48;
        let twice = |text: &str| 2 * text.len();
        let optional = |text: &Option<Arc<str>>| text.as_deref().map_or(0, twice);
        let polled = |question: &str, choices: &[Arc<str>]| {
            let choices = choices.iter().map(|choice| twice(choice) + CHOICE_OVERHEAD);
            twice(question) + choices.sum::<usize>()
        };
        /// What the names of optional fields and their numbers take beside an event's own.
        const FIELDS: usize = 96;
        FIELDS
            + match self {
                LessonEvent::Lesson { title, by, .. } => optional(title) + optional(by),
                LessonEvent::Hand { user, text, by, .. } => {
                    twice(user) + optional(text) + optional(by)
                }
                LessonEvent::Called { user, by, .. } => twice(user) + optional(by),
                LessonEvent::Poll { question, choices, by, .. }
                | LessonEvent::PollEnded { question, choices, by, .. } => {
                    polled(question, choices) + optional(by)
                }
                LessonEvent::Slow { by, .. } | LessonEvent::Listen { by, .. } => optional(by),
                LessonEvent::Timer { text, by, .. } => optional(text) + optional(by),
                LessonEvent::Question { text, by, .. } => twice(text) + optional(by),
            }
    }
}

/// What is going on in a lesson, for somebody who comes or becomes a teacher.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonNow<'a> {
    /// Whether a lesson runs.
    pub running: bool,
    /// Whether one is a teacher.
    #[serde(default, skip_serializing_if = "is_false")]
    pub teacher: bool,
    /// The lesson's title, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Cow<'a, str>>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Whose hands are up, the first first: at most 200 names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hands: Vec<Cow<'a, str>>,
    /// The place of one's own hand in the queue, if it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// Who was called last, and may speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<Cow<'a, str>>,
    /// The open poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<OpenPoll<'a>>,
    /// Each may say one message in so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<u64>,
    /// Whether only teachers and whoever was called may speak.
    #[serde(default, skip_serializing_if = "is_false")]
    pub listen: bool,
    /// When the clock ends, if one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Time>,
    /// What the clock is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer_text: Option<Cow<'a, str>>,
    /// The last questions without a name, to teachers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<AskedQuestion<'a>>,
}

/// A question that somebody asked without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedQuestion<'a> {
    /// Its number in this lesson.
    pub number: u64,
    /// The question.
    pub text: Cow<'a, str>,
}

/// A poll that is open, as one voter knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPoll<'a> {
    /// What is asked.
    pub question: Cow<'a, str>,
    /// The choices.
    pub choices: Vec<Cow<'a, str>>,
    /// Whether the choices are yes and no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yes_no: bool,
    /// What one has chosen oneself, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<usize>,
    /// Whether how it stands was shown: only who has voted may change that now.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shown: bool,
}

/// Somebody who attended the lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee<'a> {
    /// Their name.
    pub user: Cow<'a, str>,
    /// Whether they are here.
    pub here: bool,
    /// When they came first.
    pub first: Time,
    /// When they were here last.
    pub last: Time,
    /// For how many whole minutes they were here in all.
    pub minutes: u64,
    /// How many messages they sent.
    pub lines: u64,
    /// How often they raised a hand.
    pub hands: usize,
    /// How many polls they answered.
    pub polls: usize,
}

/// A raised hand, as teachers are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedHand<'a> {
    /// Whose it is.
    pub user: Cow<'a, str>,
    /// The question, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// When it was raised.
    pub since: Time,
}
