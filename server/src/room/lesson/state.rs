//! The state of a lesson, as plain data: hands, the open poll and its votes, questions,
//! settings. Requests are [decided](super::decide) without changing it; only facts change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use madang_protocol::{
    event::{Time, TimerState},
    name::UserName,
};
use serde::{Deserialize, Serialize};

use super::{
    change::{Asked, LessonChange, LessonFact},
    class::{Class, Rules},
    everywhere::Everywhere,
};

/// The maximum number of questions kept; beyond it, the oldest are dropped.
pub(super) const MOST_QUESTIONS: usize = 1_000;

/// A lesson. If none is running, only its number is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LessonState {
    /// The number of the last change announced to rooms.
    pub(super) number: u64,
    pub(super) running: Option<Running>,
    pub(super) everywhere: Everywhere,
}

/// The data of a running lesson. People are identified by session number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(super) title: Option<Arc<str>>,
    pub(super) since: Time,
    /// In the order in which they were raised.
    pub(super) hands: Vec<Hand>,
    /// When each person last changed their hand.
    pub(super) hand_changes: BTreeMap<u64, Time>,
    /// How many were raised in total.
    pub(super) hands_raised: usize,
    pub(super) called: Option<(u64, UserName)>,
    pub(super) poll: Option<Poll>,
    /// How many there were.
    pub(super) polls: usize,
    pub(super) slow: Option<u64>,
    pub(super) listen: bool,
    /// By number.
    pub(super) questions: BTreeMap<u64, NamelessQuestion>,
    pub(super) last_question: u64,
    /// When each person last asked.
    pub(super) asked: BTreeMap<u64, Time>,
    /// People whose questions are dropped.
    pub(super) hushed: BTreeSet<u64>,
    pub(super) timer: Option<Timer>,
    /// Sessions ended by a restart, whose data is kept for their owners.
    pub(super) missing: BTreeSet<u64>,
    /// What each person has done, by name.
    pub(super) marks: BTreeMap<String, Marks>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hand {
    pub(super) session: u64,
    pub(super) user: UserName,
    pub(super) text: Option<Arc<str>>,
    pub(super) for_teachers: bool,
    pub(super) since: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Poll {
    pub(super) asked: Arc<Asked>,
    /// Whether the counts were shown.
    pub(super) shown: bool,
    pub(super) votes: BTreeMap<u64, Vote>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vote {
    /// The name, to count who has answered.
    pub(super) user: UserName,
    /// Counted from 1.
    pub(super) choice: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NamelessQuestion {
    pub(super) session: u64,
    pub(super) text: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timer {
    pub(super) seconds: u64,
    pub(super) until: Time,
    pub(super) text: Option<Arc<str>>,
    /// Whether its last minute was announced.
    pub(super) is_last_minute: bool,
}

/// What somebody has done in a lesson.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// How often they raised a hand.
    pub(crate) hands: usize,
    /// How many polls they answered.
    pub(crate) polls: usize,
}

impl Running {
    fn begun(title: Option<Arc<str>>, since: Time) -> Running {
        Running {
            title,
            since,
            hands: Vec::new(),
            hand_changes: BTreeMap::new(),
            hands_raised: 0,
            called: None,
            poll: None,
            polls: 0,
            slow: None,
            listen: false,
            questions: BTreeMap::new(),
            last_question: 0,
            asked: BTreeMap::new(),
            hushed: BTreeSet::new(),
            timer: None,
            missing: BTreeSet::new(),
            marks: BTreeMap::new(),
        }
    }

    /// The position of somebody's hand in the queue, from 1, if it is up.
    pub(super) fn place(&self, session: u64) -> Option<usize> {
        self.hands.iter().position(|hand| hand.session == session).map(|at| at + 1)
    }

    fn mark(&mut self, user: &str) -> &mut Marks {
        if !self.marks.contains_key(user) {
            self.marks.insert(user.to_owned(), Marks::default());
        }
        self.marks.get_mut(user).expect("it was just put there")
    }
}

impl Poll {
    /// The number of votes for each choice.
    pub(super) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.asked.choices.len()];
        for vote in self.votes.values() {
            if let Some(count) = vote.choice.checked_sub(1).and_then(|at| counts.get_mut(at)) {
                *count += 1;
            }
        }
        counts
    }
}

impl LessonState {
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The number of the last change.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// When the running lesson began.
    pub(crate) fn since(&self) -> Option<Time> {
        self.running.as_ref().map(|running| running.since)
    }

    pub(crate) fn title(&self) -> Option<&Arc<str>> {
        self.running.as_ref()?.title.as_ref()
    }

    /// Whether a session must be silent because listening mode is on.
    pub(crate) fn keeps_silent(&self, session: u64) -> bool {
        let called = |running: &Running| running.called.as_ref().map(|(called, _)| *called);
        self.running
            .as_ref()
            .is_some_and(|running| running.listen && called(running) != Some(session))
    }

    /// What each person has done in the lesson, by name.
    pub(crate) fn marks(&self) -> BTreeMap<String, Marks> {
        let mut marks = self.running.as_ref().map(|it| it.marks.clone()).unwrap_or_default();
        // The open poll reveals nobody who has answered.
        marks.retain(|_, marks| *marks != Marks::default());
        marks
    }

    /// The lesson that results from these facts, in order.
    pub(crate) fn replay<'a>(facts: impl IntoIterator<Item = &'a LessonFact>) -> LessonState {
        let mut state = LessonState::default();
        facts.into_iter().for_each(|fact| state.apply(fact));
        state
    }

    /// The initial state of the lesson in a room created now.
    pub(crate) fn class(&self) -> Class {
        let rules = self.running.as_ref().map(|running| Rules {
            since: running.since,
            slow: running.slow,
            listen: running.listen,
            called: running.called.as_ref().map(|(session, _)| *session),
        });
        Class::new(self.number, rules)
    }

    /// Numbers the changes from here on above this; whether that makes a hole.
    pub(super) fn raise_numbers(&mut self, above: u64) -> bool {
        let is_higher = above > self.number;
        self.number = self.number.max(above);
        is_higher
    }

    /// Applies a fact. A fact whose object is gone changes nothing.
    pub(super) fn apply(&mut self, fact: &LessonFact) {
        let LessonFact { number, time, change } = fact;
        if change.is_told() {
            self.number = self.number.max(*number);
        }
        self.everywhere.apply(change);
        if let LessonChange::Begun { title, .. } = change {
            self.running = Some(Running::begun(title.clone(), *time));
            return;
        }
        if matches!(change, LessonChange::Ended { .. }) {
            self.running = None;
        }
        if let Some(running) = &mut self.running {
            running.apply(change, *time);
        }
    }
}

impl Running {
    fn apply(&mut self, change: &LessonChange, time: Time) {
        match change {
            LessonChange::Begun { .. } | LessonChange::Ended { .. } => {}
            LessonChange::Retitled { title, .. } => self.title = title.clone(),
            LessonChange::HandRaised { session, user, text, for_teachers, .. } => {
                self.hand_changes.insert(*session, time);
                match self.place(*session) {
                    Some(place) => {
                        let hand = &mut self.hands[place - 1];
                        (hand.text, hand.for_teachers) = (text.clone(), *for_teachers);
                    }
                    None => {
                        self.hands_raised += 1;
                        self.mark(user.as_str()).hands += 1;
                        self.hands.push(Hand {
                            session: *session,
                            user: user.clone(),
                            text: text.clone(),
                            for_teachers: *for_teachers,
                            since: time,
                        });
                    }
                }
            }
            LessonChange::HandLowered { session, .. } => {
                self.hand_changes.insert(*session, time);
                self.hands.retain(|hand| hand.session != *session);
            }
            LessonChange::HandsCleared { .. } => self.hands.clear(),
            LessonChange::Called { session, user, .. } => {
                self.hands.retain(|hand| hand.session != *session);
                self.called = Some((*session, user.clone()));
            }
            LessonChange::PollOpened { poll, .. } => {
                self.polls += 1;
                let (asked, votes) = (poll.clone(), BTreeMap::new());
                self.poll = Some(Poll { asked, shown: false, votes });
            }
            LessonChange::Voted { session, user, choice } => {
                if let Some(poll) = &mut self.poll {
                    let vote = Vote { user: user.clone(), choice: *choice };
                    poll.votes.insert(*session, vote);
                }
            }
            LessonChange::PollShown { .. } => {
                if let Some(poll) = &mut self.poll {
                    poll.shown = true;
                }
            }
            LessonChange::PollEnded { cancelled, .. } => {
                if self.poll.take().is_some() && *cancelled {
                    self.polls -= 1;
                }
            }
            LessonChange::Answered { users } => {
                users.iter().for_each(|user| self.mark(user).polls += 1);
            }
            LessonChange::Slowed { seconds, .. } => self.slow = *seconds,
            LessonChange::Listening { on, .. } => {
                // Those called before must listen too, until called again.
                (self.listen, self.called) = (*on, None);
            }
            LessonChange::Questioned { session, text } => {
                self.last_question += 1;
                self.asked.insert(*session, time);
                let question = NamelessQuestion { session: *session, text: text.clone() };
                self.questions.insert(self.last_question, question);
                if self.questions.len() > MOST_QUESTIONS {
                    self.questions.pop_first();
                }
            }
            LessonChange::QuestionNumbered => self.last_question += 1,
            LessonChange::QuestionShown { .. } => {}
            LessonChange::Hushed { session } => {
                self.hushed.insert(*session);
            }
            LessonChange::Timed { state, seconds, until, text, .. } => match (state, until) {
                (TimerState::Started, Some(until)) => {
                    let (seconds, until, text) = (*seconds, *until, text.clone());
                    self.timer = Some(Timer { seconds, until, text, is_last_minute: false });
                }
                (TimerState::Started, None) => {}
                (TimerState::Minute, _) => {
                    self.timer.iter_mut().for_each(|timer| timer.is_last_minute = true);
                }
                (TimerState::Ended | TimerState::Off, _) => self.timer = None,
            },
            LessonChange::HandTextsForgotten { of } => {
                let is_meant = |hand: &&mut Hand| of.as_ref().is_none_or(|of| *of == hand.user);
                self.hands.iter_mut().filter(is_meant).for_each(|hand| hand.text = None);
            }
            LessonChange::Gone { session } => {
                self.missing.remove(session);
                self.hands.retain(|hand| hand.session != *session);
                if self.called.as_ref().is_some_and(|(called, _)| called == session) {
                    self.called = None;
                }
            }
            LessonChange::Renamed { session, to } => {
                let hands = self.hands.iter_mut().filter(|hand| hand.session == *session);
                hands.for_each(|hand| hand.user = to.clone());
                if let Some((_, user)) = self.called.as_mut().filter(|(it, _)| it == session) {
                    *user = to.clone();
                }
                let votes = self.poll.as_mut().map(|poll| &mut poll.votes);
                if let Some(vote) = votes.and_then(|votes| votes.get_mut(session)) {
                    vote.user = to.clone();
                }
            }
            LessonChange::Missing { sessions } => self.missing.extend(sessions),
            LessonChange::Returned { session, to } => {
                self.missing.remove(session);
                let hands = self.hands.iter_mut().filter(|hand| hand.session == *session);
                hands.for_each(|hand| hand.session = *to);
                if let Some((called, _)) = self.called.as_mut().filter(|(it, _)| it == session) {
                    *called = *to;
                }
            }
            LessonChange::Here { .. }
            | LessonChange::Taught { .. }
            | LessonChange::TeacherGone { .. }
            | LessonChange::CodeKnown { .. }
            | LessonChange::AttendanceKept { .. }
            | LessonChange::NonceNoted { .. } => {}
            #[cfg(test)]
            LessonChange::Panic => panic!("as the test asked"),
        }
    }
}
