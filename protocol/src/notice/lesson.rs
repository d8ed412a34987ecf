//! What the server says to one person about a lesson, in Korean and in English.

use crate::{
    event::{Attendee, LessonNow, OpenPoll, RaisedHand, Time},
    text::Lang,
};

pub use answer::lesson_answer;

mod answer;
mod english;
mod korean;
mod lists;

/// A sentence about a lesson for one person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LessonNotice<'a> {
    /// Only a teacher can do that.
    TeacherOnly,
    /// That is no teacher's code, or no longer a link's ticket.
    WrongCode,
    /// Too many wrong codes came from the address.
    TooManyCodes {
        /// For how many seconds it has to wait.
        seconds: u64,
    },
    /// What was to be sent has the teacher's code in it.
    CodeInText,
    /// The link makes a teacher, of somebody who has a name.
    TeachersLink,
    /// One is a teacher now.
    NowTeacher {
        /// Whether a lesson runs.
        running: bool,
    },
    /// To the operator: somebody is a teacher now.
    MadeTeacher {
        /// Who.
        user: &'a str,
    },
    /// To the operator: the code is shown only on a terminal that can hide it again.
    NoPlaceForCode,
    /// To the operator, before the line that is typed: the code, and the link with a ticket.
    Code {
        /// The code.
        code: &'a str,
        /// The link for browsers, if there is one.
        link: Option<&'a str>,
    },
    /// To the operator: the QR code of the teacher's link needs a larger terminal.
    CodeQrTooLarge {
        /// How wide.
        columns: usize,
        /// How high.
        rows: usize,
    },
    /// There is no lesson.
    NoLesson,
    /// The lesson is in the public rooms, and the requester is in none.
    NotInLesson,
    /// The lesson, to a teacher.
    Running {
        /// Its title, if it has one.
        title: Option<&'a str>,
        /// For how many seconds it has run.
        seconds: u64,
    },
    /// What is going on, to people who come while a lesson runs.
    Now {
        /// All of it.
        lesson: &'a LessonNow<'a>,
        /// Now, for how long the clock still runs.
        now: Time,
    },
    /// One spoke a moment ago.
    Slow {
        /// After how many seconds one may again.
        seconds: u64,
    },
    /// Only teachers and whoever is called may speak.
    Listening,
    /// One's hand is up already.
    HandUp {
        /// Its place in the queue.
        place: usize,
    },
    /// One's hand is not up.
    HandNotUp,
    /// A hand changes only so often.
    HandTooSoon {
        /// After how many seconds it may.
        seconds: u64,
    },
    /// One's question went to teachers only.
    HandForTeachers,
    /// To teachers: what somebody asks who raised a hand.
    HandText {
        /// Who.
        user: &'a str,
        /// The question.
        text: &'a str,
    },
    /// The hands.
    Hands {
        /// The first of them.
        hands: &'a [RaisedHand<'a>],
        /// How many there are.
        count: usize,
        /// Now, for how long each has been up.
        now: Time,
    },
    /// Nobody's hand is up.
    NoHands,
    /// That person is a teacher, and speaks anyway.
    IsTeacher,
    /// There is no poll.
    NoPoll,
    /// There is one already.
    PollOpen,
    /// It is over, or shown, and takes no more votes.
    PollOver,
    /// The poll has no such choice.
    NoChoice {
        /// How many it has; yes and no if there are none.
        choices: Option<usize>,
    },
    /// Teachers don't vote.
    TeachersDontVote,
    /// One has voted.
    Voted {
        /// The choice.
        choice: &'a str,
    },
    /// The open poll, to a teacher.
    OpenPoll(&'a OpenPoll<'a>),
    /// The open poll, and one's own vote.
    Ballot(&'a OpenPoll<'a>),
    /// How far the poll has come.
    Tally {
        /// How many have voted.
        answered: usize,
        /// How many could.
        members: usize,
        /// Who has not, if that may be told.
        waiting: Option<&'a [&'a str]>,
        /// What each choice got, if that is shown.
        counts: Option<&'a [usize]>,
    },
    /// One's question was sent.
    Asked,
    /// One may ask only so often.
    AskTooSoon {
        /// After how many seconds one may.
        seconds: u64,
    },
    /// To teachers: somebody asks something.
    Question {
        /// Its number.
        number: u64,
        /// The question.
        text: &'a str,
    },
    /// There is no question of that number.
    NoQuestion,
    /// To a teacher: whoever asked that asks no more.
    Hushed {
        /// The question's number.
        number: u64,
    },
    /// There is no clock.
    NoTimer,
    /// Who attended.
    Attendance {
        /// Those who are here, and those who have gone, by name.
        people: &'a [Attendee<'a>],
        /// How many there are in all.
        count: usize,
        /// Who did not come, of those who should have.
        missing: &'a [&'a str],
        /// Where the table is, if it can be had there.
        link: Option<&'a str>,
    },
}

impl LessonNotice<'_> {
    /// The code of the error that it is; none if it is no refusal.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            LessonNotice::TeacherOnly => "teacher_only",
            LessonNotice::WrongCode => "wrong_code",
            LessonNotice::TooManyCodes { .. } => "too_many_codes",
            LessonNotice::CodeInText => "code_in_text",
            LessonNotice::TeachersLink => "teachers_link",
            LessonNotice::NoLesson => "no_lesson",
            LessonNotice::NotInLesson => "not_in_lesson",
            LessonNotice::Slow { .. } => "slow",
            LessonNotice::HandTooSoon { .. } => "slow",
            LessonNotice::AskTooSoon { .. } => "slow",
            LessonNotice::Listening => "listening",
            LessonNotice::HandUp { .. } => "hand_up",
            LessonNotice::HandNotUp => "hand_not_up",
            LessonNotice::NoHands => "no_hands",
            LessonNotice::IsTeacher => "is_teacher",
            LessonNotice::NoPoll => "no_poll",
            LessonNotice::PollOpen => "poll_open",
            LessonNotice::PollOver => "poll_over",
            LessonNotice::NoChoice { .. } => "no_choice",
            LessonNotice::TeachersDontVote => "teachers_dont_vote",
            LessonNotice::NoQuestion => "no_question",
            LessonNotice::NoTimer => "no_timer",
            LessonNotice::NowTeacher { .. }
            | LessonNotice::MadeTeacher { .. }
            | LessonNotice::NoPlaceForCode
            | LessonNotice::Code { .. }
            | LessonNotice::CodeQrTooLarge { .. }
            | LessonNotice::Running { .. }
            | LessonNotice::Now { .. }
            | LessonNotice::HandForTeachers
            | LessonNotice::HandText { .. }
            | LessonNotice::Hands { .. }
            | LessonNotice::Voted { .. }
            | LessonNotice::OpenPoll(_)
            | LessonNotice::Ballot(_)
            | LessonNotice::Tally { .. }
            | LessonNotice::Asked
            | LessonNotice::Question { .. }
            | LessonNotice::Hushed { .. }
            | LessonNotice::Attendance { .. } => return None,
        })
    }

    /// After how many seconds the requester may try again, where that is known.
    pub fn wait_seconds(&self) -> Option<u64> {
        match self {
            LessonNotice::Slow { seconds }
            | LessonNotice::HandTooSoon { seconds }
            | LessonNotice::AskTooSoon { seconds }
            | LessonNotice::TooManyCodes { seconds } => Some(*seconds),
            _ => None,
        }
    }

    pub(super) fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ko => korean::lesson_in_korean(self),
            Lang::En => english::lesson_in_english(self),
        }
    }
}
