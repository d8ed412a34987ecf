//! Requests to a lesson, and their results.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use madang_protocol::{
    event::{Time, TimerState},
    name::UserName,
    notice::{LessonNotice, Notice},
};

use super::{
    Asker,
    change::{Asked, LessonChange, LessonFact, PollResult},
    op::{LessonOp, Present},
    state::{LessonState, Poll, Running},
};
use crate::room::{By, refusal::whole_seconds};

/// How long a hand must stay as it is.
const HAND_PAUSE: Duration = Duration::from_secs(10);

/// The minimum time between two questions of one person.
const ASK_PAUSE: Duration = Duration::from_secs(30);

/// When everyone is reminded of a longer timer: this long before its end.
const LAST_MINUTE: Duration = Duration::from_secs(60);

/// The facts that follow from one op.
pub(super) struct LessonFacts {
    number: u64,
    now: Time,
    facts: Vec<LessonFact>,
}

impl LessonFacts {
    pub(super) fn add(&mut self, change: LessonChange) {
        if change.is_told() {
            self.number += 1;
        }
        self.facts.push(LessonFact { number: self.number, time: self.now, change });
    }
}

fn refused(notice: LessonNotice<'static>) -> Notice<'static> {
    Notice::Lesson(notice)
}

impl LessonState {
    /// The facts that a request leads to at `now`, in order.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(super) fn decide(
        &self,
        asker: &Asker,
        op: LessonOp,
        now: Time,
    ) -> Result<Vec<LessonFact>, Notice<'static>> {
        let mut facts = LessonFacts { number: self.number, now, facts: Vec::new() };
        let repeated_as = asker.by.session().zip(asker.nonce);
        if repeated_as.is_some_and(|(session, nonce)| self.everywhere.has_noted(session, nonce)) {
            return Ok(facts.facts);
        }
        if op.is_teachers() && matches!(asker.by, By::Member(_)) {
            return Err(refused(LessonNotice::TeacherOnly));
        }
        let by = asker.user.clone();
        match (op, &self.running) {
            (LessonOp::Begin { title }, None) => facts.add(LessonChange::Begun { title, by }),
            (LessonOp::Begin { title: None }, Some(_)) => return Err(Notice::Already),
            (LessonOp::Begin { title }, Some(running)) => {
                if running.title == title {
                    return Err(Notice::Already);
                }
                facts.add(LessonChange::Retitled { title, by });
            }
            (LessonOp::Teach { watches }, _) => {
                let (session, user) = member(asker)?;
                let origin = asker.origin;
                facts.add(LessonChange::Taught { session, user, origin, watches });
            }
            (LessonOp::StopTeaching, _) => {
                let (session, _) = member(asker)?;
                // They may go on teaching on another machine.
                if self.teaching(session).is_some_and(|it| it.origin == asker.origin) {
                    facts.add(LessonChange::TeacherGone { session });
                }
            }
            (LessonOp::KnowCode(code), _) => {
                facts.add(LessonChange::CodeKnown { origin: asker.origin, code: Some(code) });
            }
            (LessonOp::Stranded { origin, pupils }, Some(running)) => {
                for pupil in pupils.into_iter().filter(|it| self.pupil_on(*it) == Some(origin)) {
                    running.see_off(pupil, running.hand_of(pupil), &mut facts);
                }
            }
            (LessonOp::Unclaimed(origin), _) => self.see_off_all(origin, &mut facts),
            #[cfg(test)]
            (LessonOp::Panic { in_apply: true }, _) => facts.add(LessonChange::Panic),
            #[cfg(test)]
            (LessonOp::Panic { in_apply: false }, _) => panic!("as the test asked"),
            (LessonOp::Leave, _) if self.is_elsewhere(asker) => {}
            (LessonOp::Rename(to), None) => {
                let (session, _) = member(asker)?;
                if self.teaching(session).is_some() {
                    facts.add(LessonChange::Renamed { session, to });
                }
            }
            (
                LessonOp::Return
                | LessonOp::Leave
                | LessonOp::Here(_)
                | LessonOp::KeepAttendance { .. }
                | LessonOp::Stranded { .. },
                None,
            ) => {}
            (_, None) => return Err(refused(LessonNotice::NoLesson)),
            (op, Some(running)) => running.decide(asker, op, &mut facts)?,
        }
        if let Some((session, nonce)) = repeated_as {
            facts.add(LessonChange::NonceNoted { session, nonce });
        }
        Ok(facts.facts)
    }
}

impl Running {
    fn decide(
        &self,
        asker: &Asker,
        op: LessonOp,
        facts: &mut LessonFacts,
    ) -> Result<(), Notice<'static>> {
        let (now, by) = (facts.now, asker.user.clone());
        match op {
            LessonOp::Begin { .. } => {}
            LessonOp::End { people } => {
                if let Some(poll) = &self.poll {
                    let (poll, result) = (poll.asked.clone(), poll.result(&Present::new()));
                    let (cancelled, by) = (true, by.clone());
                    facts.add(LessonChange::PollEnded { poll, result, cancelled, by });
                }
                let polls = self.polls - usize::from(self.poll.is_some());
                let seconds = now.since(self.since).as_secs();
                let hands = self.hands_raised;
                facts.add(LessonChange::Ended { seconds, people, hands, polls, by });
            }
            LessonOp::RaiseHand { text, for_teachers } => {
                let (session, user) = member(asker)?;
                let place = self.place(session);
                if let (Some(place), None) = (place, &text) {
                    return Err(refused(LessonNotice::HandUp { place }));
                }
                self.check_hand_rests(session, now)?;
                let place = place.unwrap_or(self.hands.len() + 1);
                facts.add(LessonChange::HandRaised { session, user, text, for_teachers, place });
            }
            LessonOp::LowerHand => {
                let (session, user) = member(asker)?;
                if self.place(session).is_none() {
                    return Err(refused(LessonNotice::HandNotUp));
                }
                self.check_hand_rests(session, now)?;
                facts.add(LessonChange::HandLowered { session, user });
            }
            LessonOp::ClearHands if self.hands.is_empty() => {
                return Err(refused(LessonNotice::NoHands));
            }
            LessonOp::ClearHands => facts.add(LessonChange::HandsCleared { by }),
            LessonOp::Call { whom } => {
                let first = || self.hands.first().map(|hand| (hand.session, hand.user.clone()));
                let (session, user) = whom.or_else(first).ok_or(refused(LessonNotice::NoHands))?;
                facts.add(LessonChange::Called { session, user, by });
            }
            LessonOp::OpenPoll { .. } if self.poll.is_some() => {
                return Err(refused(LessonNotice::PollOpen));
            }
            LessonOp::OpenPoll { question, choices, yes_no } => {
                let poll = Arc::new(Asked { question, choices, yes_no });
                facts.add(LessonChange::PollOpened { poll, by });
            }
            LessonOp::ShowPoll { present } => {
                let poll = self.open_poll()?;
                if poll.shown {
                    return Err(Notice::Already);
                }
                let (poll, result) = (poll.asked.clone(), poll.result(&present));
                facts.add(LessonChange::PollShown { poll, result, by });
            }
            LessonOp::EndPoll { present, cancelled } => {
                let poll = self.open_poll()?;
                if !cancelled {
                    let users = poll.votes.values().map(|vote| vote.user.to_string()).collect();
                    facts.add(LessonChange::Answered { users });
                }
                let (poll, result) = (poll.asked.clone(), poll.result(&present));
                facts.add(LessonChange::PollEnded { poll, result, cancelled, by });
            }
            LessonOp::Vote { choice, yes_no } => {
                let (session, user) = member(asker)?;
                if matches!(asker.by, By::Teacher(_)) {
                    return Err(refused(LessonNotice::TeachersDontVote));
                }
                self.check_takes_vote(session, choice, yes_no)?;
                facts.add(LessonChange::Voted { session, user, choice });
            }
            LessonOp::Slow(seconds) if self.slow == seconds => return Err(Notice::Already),
            LessonOp::Slow(seconds) => facts.add(LessonChange::Slowed { seconds, by }),
            LessonOp::Listen(on) if self.listen == on => return Err(Notice::Already),
            LessonOp::Listen(on) => facts.add(LessonChange::Listening { on, by }),
            LessonOp::Ask(text) => {
                let (session, _) = member(asker)?;
                if let Some(asked) = self.asked.get(&session) {
                    let left = ASK_PAUSE.saturating_sub(now.since(*asked));
                    if !left.is_zero() {
                        let seconds = whole_seconds(left);
                        return Err(refused(LessonNotice::AskTooSoon { seconds }));
                    }
                }
                facts.add(LessonChange::Questioned { session, text });
            }
            LessonOp::Show(number) => {
                let question = self.questions.get(&number);
                let question = question.filter(|it| !self.hushed.contains(&it.session));
                let text = question.ok_or(refused(LessonNotice::NoQuestion))?.text.clone();
                facts.add(LessonChange::QuestionShown { number, text, by });
            }
            LessonOp::Hush(number) => {
                let question = self.questions.get(&number);
                let session = question.ok_or(refused(LessonNotice::NoQuestion))?.session;
                // A second time changes nothing either, and does not reveal that two questions
                // have the same author.
                facts.add(LessonChange::Hushed { session });
            }
            LessonOp::StartTimer { seconds, text } => {
                let (state, until) = (TimerState::Started, now.after(Duration::from_secs(seconds)));
                facts.add(LessonChange::Timed { state, seconds, until: Some(until), text, by });
            }
            LessonOp::StopTimer => {
                let timer = self.timer.as_ref().ok_or(refused(LessonNotice::NoTimer))?;
                let (state, seconds, text) = (TimerState::Off, timer.seconds, timer.text.clone());
                facts.add(LessonChange::Timed { state, seconds, until: None, text, by });
            }
            LessonOp::TimerDue { until, state } => {
                // Another timer may be running by now.
                let timer = self.timer.as_ref().filter(|timer| timer.until == until);
                // Every machine that shares the lesson notices it.
                let timer = timer.filter(|it| state != TimerState::Minute || !it.is_last_minute);
                let Some(timer) = timer else { return Err(Notice::Already) };
                let (seconds, text) = (timer.seconds, timer.text.clone());
                let until = (state == TimerState::Minute).then_some(until);
                facts.add(LessonChange::Timed { state, seconds, until, text, by: None });
            }
            LessonOp::ForgetHandTexts { of } => {
                facts.add(LessonChange::HandTextsForgotten { of });
            }
            LessonOp::Restart { held } => {
                // From now on, nobody's vote can be attributed.
                if let Some(poll) = &self.poll {
                    let (poll, result) = (poll.asked.clone(), poll.result(&Present::new()));
                    facts.add(LessonChange::PollEnded { poll, result, cancelled: true, by });
                }
                let called = self.called.iter().map(|(session, _)| *session);
                let known = self.hands.iter().map(|hand| hand.session).chain(called);
                let sessions: BTreeSet<u64> = known.filter(|it| !held.contains(it)).collect();
                if !sessions.is_empty() {
                    facts.add(LessonChange::Missing { sessions });
                }
            }
            LessonOp::MissingAreGone => {
                for session in &self.missing {
                    self.see_off(*session, self.hand_of(*session), facts);
                }
            }
            LessonOp::Return => {
                let (to, user) = member(asker)?;
                let key = user.spelling();
                let is_theirs = |(session, name): &(u64, &UserName)| {
                    self.missing.contains(session) && name.spelling() == key
                };
                let called = self.called.iter().map(|(session, name)| (*session, name));
                let mut known =
                    self.hands.iter().map(|hand| (hand.session, &hand.user)).chain(called);
                if let Some((session, _)) = known.find(is_theirs) {
                    facts.add(LessonChange::Returned { session, to });
                }
            }
            LessonOp::Leave => {
                let (session, user) = member(asker)?;
                self.see_off(session, self.place(session).map(|_| user), facts);
            }
            LessonOp::Rename(to) => {
                let (session, _) = member(asker)?;
                facts.add(LessonChange::Renamed { session, to });
            }
            LessonOp::Here(pupils) => {
                facts.add(LessonChange::Here { origin: asker.origin, pupils });
            }
            LessonOp::KeepAttendance { room, attendance } => {
                facts.add(LessonChange::AttendanceKept { room, attendance });
            }
            LessonOp::Teach { .. }
            | LessonOp::StopTeaching
            | LessonOp::KnowCode(_)
            | LessonOp::Stranded { .. }
            | LessonOp::Unclaimed(_) => {}
            #[cfg(test)]
            LessonOp::Panic { .. } => {}
        }
        Ok(())
    }

    /// The name under which somebody's hand is up.
    pub(super) fn hand_of(&self, session: u64) -> Option<UserName> {
        let hand = self.hands.iter().find(|hand| hand.session == session);
        hand.map(|hand| hand.user.clone())
    }

    /// Removes somebody from the lesson, whose hand may be up under this name.
    pub(super) fn see_off(&self, session: u64, hand: Option<UserName>, facts: &mut LessonFacts) {
        if let Some(user) = hand {
            facts.add(LessonChange::HandLowered { session, user });
        }
        facts.add(LessonChange::Gone { session });
    }

    fn open_poll(&self) -> Result<&Poll, Notice<'static>> {
        self.poll.as_ref().ok_or(refused(LessonNotice::NoPoll))
    }

    fn check_takes_vote(
        &self,
        session: u64,
        choice: usize,
        yes_no: bool,
    ) -> Result<(), Notice<'static>> {
        let Some(poll) = &self.poll else {
            let over = if self.polls > 0 { LessonNotice::PollOver } else { LessonNotice::NoPoll };
            return Err(refused(over));
        };
        let is_yes_no = poll.asked.yes_no;
        let choices = poll.asked.choices.len();
        if choice == 0 || choice > choices || (yes_no && !is_yes_no) {
            let choices = (!is_yes_no).then_some(choices);
            return Err(refused(LessonNotice::NoChoice { choices }));
        }
        // Once counts are shown, a first vote would be revealed by the difference, because
        // teachers know who had not voted. A changed vote may be anybody's.
        if poll.shown && !poll.votes.contains_key(&session) {
            return Err(refused(LessonNotice::PollOver));
        }
        Ok(())
    }

    fn check_hand_rests(&self, session: u64, now: Time) -> Result<(), Notice<'static>> {
        let Some(changed) = self.hand_changes.get(&session) else { return Ok(()) };
        let left = HAND_PAUSE.saturating_sub(now.since(*changed));
        match left.is_zero() {
            true => Ok(()),
            false => Err(refused(LessonNotice::HandTooSoon { seconds: whole_seconds(left) })),
        }
    }
}

impl Poll {
    fn result(&self, present: &Present) -> PollResult {
        let members = self.voters(present);
        PollResult { counts: self.counts().into(), answered: self.votes.len(), members }
    }

    /// How many could vote, including those who voted and left.
    pub(super) fn voters(&self, present: &Present) -> usize {
        let gone = self.votes.keys().filter(|session| !present.contains(session)).count();
        present.len() + gone
    }
}

/// When everyone is notified of a timer of this length started at `now`: after how long, and of
/// what.
pub(crate) fn timer_dues(seconds: u64) -> Vec<(Duration, TimerState)> {
    let whole = Duration::from_secs(seconds);
    let minute = whole.checked_sub(LAST_MINUTE).filter(|left| !left.is_zero());
    let minute = minute.map(|at| (at, TimerState::Minute));
    minute.into_iter().chain([(whole, TimerState::Ended)]).collect()
}

/// The session and name of the requester, if it is a member.
fn member(asker: &Asker) -> Result<(u64, UserName), Notice<'static>> {
    let session = asker.by.session().ok_or(Notice::NoRoom)?;
    Ok((session, asker.user.clone().ok_or(Notice::NoRoom)?))
}
