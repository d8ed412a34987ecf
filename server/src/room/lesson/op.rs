//! What is requested of a lesson.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use madang_protocol::{
    event::{Time, TimerState},
    name::UserName,
};
use serde::{Deserialize, Serialize};

use super::class::Attended;

/// The sessions that may vote: people in public rooms who are not teachers.
pub(crate) type Present = BTreeSet<u64>;

/// What is requested. People are identified by session number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LessonOp {
    /// Begins a lesson, or changes the title of the running one.
    Begin {
        title: Option<Arc<str>>,
    },
    /// Ends it, after this many people attended.
    End {
        people: usize,
    },
    RaiseHand {
        text: Option<Arc<str>>,
        /// Whether only teachers may read the text.
        for_teachers: bool,
    },
    LowerHand,
    ClearHands,
    /// Calls on the first in the queue, or on a given session.
    Call {
        whom: Option<(u64, UserName)>,
    },
    /// Opens a poll; without choices, they are yes and no in these words.
    OpenPoll {
        question: Arc<str>,
        choices: Arc<[Arc<str>]>,
        yes_no: bool,
    },
    ShowPoll {
        present: Present,
    },
    EndPoll {
        present: Present,
        cancelled: bool,
    },
    /// A choice, counted from 1.
    Vote {
        choice: usize,
        /// Whether it was given as yes or no.
        yes_no: bool,
    },
    Slow(Option<u64>),
    Listen(bool),
    Ask(Arc<str>),
    Show(u64),
    Hush(u64),
    StartTimer {
        seconds: u64,
        text: Option<Arc<str>>,
    },
    StopTimer,
    /// The timer that ends at this time has reached this state.
    TimerDue {
        until: Time,
        state: TimerState,
    },
    /// Deletes the texts of hands for the operator: one person's, or everyone's.
    ForgetHandTexts {
        of: Option<UserName>,
    },
    /// The server was restarted; people from before may come back to these sessions.
    Restart {
        held: BTreeSet<u64>,
    },
    /// Those who have not come back by name so soon after a restart are gone.
    MissingAreGone,
    /// The requester, who is new, comes back by name after a restart.
    Return,
    /// The requester is in no public room any more.
    Leave,
    /// The requester has a new name.
    Rename(UserName),
    /// These pupils have come to public rooms on the requesting machine, of several that share
    /// the lesson.
    Here(BTreeMap<u64, UserName>),
    /// The requester is a teacher on that machine, perhaps at the wall's screen.
    Teach {
        watches: bool,
    },
    /// The requester's session has ended there.
    StopTeaching,
    /// The code that is valid there.
    KnowCode(Arc<str>),
    /// Takes over the attendance of a room that has ended.
    KeepAttendance {
        room: String,
        attendance: BTreeMap<String, Attended>,
    },
    /// These pupils were on the machine of this origin, which is no more, and can't come back.
    Stranded {
        origin: u64,
        pupils: BTreeSet<u64>,
    },
    /// Whoever was on the machine of this origin is gone.
    Unclaimed(u64),
    #[cfg(test)]
    Panic {
        in_apply: bool,
    },
}

impl LessonOp {
    /// Whether only a teacher may request it.
    pub(super) fn is_teachers(&self) -> bool {
        !matches!(
            self,
            LessonOp::RaiseHand { .. }
                | LessonOp::LowerHand
                | LessonOp::Vote { .. }
                | LessonOp::Ask(_)
                | LessonOp::Return
                | LessonOp::Leave
                | LessonOp::Rename(_)
                | LessonOp::Here(_)
        )
    }
}
