//! The lesson in one public room: its rules, when each person last spoke, and attendance. Part
//! of the room's state, and changed only by its facts.

use std::collections::BTreeMap;

use madang_protocol::{event::Time, name::UserName};
use serde::{Deserialize, Serialize};

use super::change::{LessonChange, LessonFact};
use crate::room::refusal::{Refusal, whole_seconds};

/// A room's part of a lesson.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Class {
    /// The number of the last change of the lesson that was applied.
    seen: u64,
    running: Option<Box<InLesson>>,
}

/// The data of a room during a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InLesson {
    rules: Rules,
    /// The id of the event that announced its beginning; 0 if the room was created later.
    began: u64,
    /// When each person last spoke, by session number, while that matters.
    spoke: BTreeMap<u64, Time>,
    /// By name.
    attendance: BTreeMap<String, Attended>,
}

/// The lesson's rules in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules {
    /// When it began.
    pub(crate) since: Time,
    /// Slow mode: one message in this many seconds.
    pub(crate) slow: Option<u64>,
    /// Listening mode: only teachers and whoever was called may speak.
    pub(crate) listen: bool,
    /// The session that was called.
    pub(crate) called: Option<u64>,
}

/// Somebody's attendance of a lesson in one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attended {
    pub(crate) first: Time,
    /// When they left; for somebody who is present, when they joined.
    pub(crate) last: Time,
    /// Whether they are present.
    pub(crate) is_here: bool,
    /// For how long, before they last joined.
    pub(crate) millis: u64,
    pub(crate) lines: u64,
}

impl Class {
    pub(super) fn new(seen: u64, rules: Option<Rules>) -> Class {
        let running = rules.map(|rules| {
            let (spoke, attendance) = (BTreeMap::new(), BTreeMap::new());
            Box::new(InLesson { rules, began: 0, spoke, attendance })
        });
        Class { seen, running }
    }

    /// The same after a restart, with the id of the event that announced the lesson, if known,
    /// and the attendance so far.
    pub(crate) fn resumed(mut self, began: u64, attendance: BTreeMap<String, Attended>) -> Class {
        if let Some(running) = &mut self.running {
            (running.began, running.attendance) = (began, attendance);
        }
        self
    }

    /// When the running lesson began.
    pub(crate) fn since(&self) -> Option<Time> {
        self.running.as_ref().map(|running| running.rules.since)
    }

    /// Whether a lesson is running.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether a change was applied already.
    pub(crate) fn has_seen(&self, fact: &LessonFact) -> bool {
        fact.number <= self.seen
    }

    /// Whether a change is the next one. One that is not has a hole before it: the machine that
    /// posted it then posts all that is missing.
    pub(crate) fn is_next(&self, fact: &LessonFact) -> bool {
        fact.number == self.seen + 1
    }

    /// Whether it has seen more changes than another.
    pub(crate) fn is_ahead_of(&self, other: &Class) -> bool {
        self.seen > other.seen
    }

    /// Takes over the lesson as it is elsewhere; `here` are the members.
    pub(crate) fn catch_up<'a>(
        &mut self,
        elsewhere: &Class,
        now: Time,
        here: impl Iterator<Item = &'a UserName>,
    ) {
        self.seen = elsewhere.seen;
        match (&mut self.running, &elsewhere.running) {
            (Some(running), Some(other)) if running.rules.since == other.rules.since => {
                running.rules = other.rules.clone();
            }
            (running, other) => {
                running.clone_from(other);
                here.for_each(|user| self.note_joined(user, now));
            }
        }
    }

    /// The id of the lesson's first event here, if it is running.
    pub(crate) fn began(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.began)
    }

    /// Whether slow mode is on.
    pub(crate) fn is_slow(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.rules.slow.is_some())
    }

    /// Whether a session other than a teacher's may speak.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn check_speaks(&self, session: u64, now: Time) -> Result<(), Refusal> {
        let Some(running) = &self.running else { return Ok(()) };
        let Rules { slow, listen, called, .. } = running.rules;
        if listen && called != Some(session) {
            return Err(Refusal::Listening);
        }
        if let (Some(slow), Some(spoke)) = (slow, running.spoke.get(&session)) {
            let left = std::time::Duration::from_secs(slow).saturating_sub(now.since(*spoke));
            if !left.is_zero() {
                return Err(Refusal::Slow { seconds: whole_seconds(left) });
            }
        }
        Ok(())
    }

    /// How long somebody has to wait after speaking now, in slow mode.
    pub(crate) fn wait(&self) -> Option<u64> {
        self.running.as_ref()?.rules.slow
    }

    /// Applies a change of the lesson, which the event with that id announces; `here` are the
    /// members.
    pub(crate) fn apply<'a>(
        &mut self,
        fact: &LessonFact,
        id: u64,
        here: impl Iterator<Item = &'a UserName>,
    ) {
        self.seen = fact.number;
        match (&fact.change, &mut self.running) {
            (LessonChange::Begun { .. }, running) => {
                let since = fact.time;
                let rules = Rules { since, slow: None, listen: false, called: None };
                *running = Class::new(fact.number, Some(rules)).running;
                if let Some(running) = running {
                    running.began = id;
                }
                here.for_each(|user| self.note_joined(user, since));
            }
            (LessonChange::Ended { .. }, running) => *running = None,
            (LessonChange::Slowed { seconds, .. }, Some(running)) => {
                running.rules.slow = *seconds;
                running.spoke.clear();
            }
            (LessonChange::Listening { on, .. }, Some(running)) => {
                // Those called before must listen too, until called again.
                (running.rules.listen, running.rules.called) = (*on, None);
            }
            (LessonChange::Called { session, .. }, Some(running)) => {
                running.rules.called = Some(*session);
            }
            _ => {}
        }
    }

    /// Somebody has joined.
    pub(crate) fn note_joined(&mut self, user: &UserName, now: Time) {
        let Some(running) = &mut self.running else { return };
        let new = || Attended { first: now, last: now, is_here: false, millis: 0, lines: 0 };
        let attended = running.attendance.entry(user.as_str().to_owned()).or_insert_with(new);
        (attended.last, attended.is_here) = (now, true);
    }

    /// Somebody has left.
    pub(crate) fn note_left(&mut self, user: &UserName, now: Time) {
        let Some(running) = &mut self.running else { return };
        let attended = running.attendance.get_mut(user.as_str());
        if let Some(attended) = attended.filter(|attended| attended.is_here) {
            attended.millis += attended.millis_until(now);
            (attended.last, attended.is_here) = (now, false);
        }
    }

    /// Somebody has a new name, which counts as speaking.
    pub(crate) fn note_renamed(&mut self, session: u64, user: &UserName, to: &UserName, now: Time) {
        let is_here = |running: &InLesson| {
            running.attendance.get(user.as_str()).is_some_and(|attended| attended.is_here)
        };
        if self.running.as_deref().is_some_and(is_here) {
            self.note_left(user, now);
            self.note_joined(to, now);
        }
        self.note_spoke(session, now);
    }

    /// Somebody has said something.
    pub(crate) fn note_said(&mut self, session: u64, user: &UserName, now: Time) {
        let Some(running) = &mut self.running else { return };
        if let Some(attended) = running.attendance.get_mut(user.as_str()) {
            attended.lines += 1;
        }
        self.note_spoke(session, now);
    }

    /// Somebody has done something that counts as speaking.
    pub(crate) fn note_spoke(&mut self, session: u64, now: Time) {
        let Some(running) = &mut self.running else { return };
        let Some(slow) = running.rules.slow else { return };
        running.spoke.insert(session, now);
        // Entries of those who may speak again are dropped, a few at a time.
        let is_over = |spoke: &Time| now.since(*spoke).as_secs() >= slow;
        if running.spoke.len() > 64 && running.spoke.len().is_power_of_two() {
            running.spoke.retain(|_, spoke| !is_over(spoke));
        }
    }

    /// Somebody's attendance of the lesson here.
    pub(crate) fn attended(&self, user: &str) -> Option<&Attended> {
        self.running.as_ref()?.attendance.get(user)
    }

    /// The attendance of the lesson here, by name.
    pub(crate) fn attendance(&self) -> BTreeMap<String, Attended> {
        self.running.as_ref().map(|running| running.attendance.clone()).unwrap_or_default()
    }
}

impl Attended {
    /// Adds the same person's attendance in another room.
    pub(crate) fn add(&mut self, other: &Attended) {
        self.first = self.first.min(other.first);
        self.lines += other.lines;
        self.millis += other.millis;
        // The room they are in now is the one they last joined.
        if other.is_here || (!self.is_here && other.last > self.last) {
            (self.last, self.is_here) = (other.last, other.is_here);
        }
    }

    /// How long they have been here in total, until `now`.
    pub(crate) fn millis_in_all(&self, now: Time) -> u64 {
        self.millis + if self.is_here { self.millis_until(now) } else { 0 }
    }

    /// How long they have been here since they last joined.
    fn millis_until(&self, now: Time) -> u64 {
        u64::try_from(now.since(self.last).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BEGIN: Time = Time::from_millis(1_000_000);
    const ALICE: u64 = 1;
    const BOB: u64 = 2;

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    fn after(seconds: u64) -> Time {
        BEGIN.after(Duration::from_secs(seconds))
    }

    /// Applies the next change of the lesson, which the event 100 announces; alice is here.
    fn apply(class: &mut Class, change: LessonChange) {
        let fact = LessonFact { number: class.seen + 1, time: BEGIN, change };
        assert!(!class.has_seen(&fact));
        class.apply(&fact, 100, [&name("alice")].into_iter());
        assert!(class.has_seen(&fact), "it is applied once");
    }

    fn begun() -> Class {
        let mut class = Class::default();
        apply(&mut class, LessonChange::Begun { title: None, by: None });
        class
    }

    fn slow(seconds: Option<u64>) -> LessonChange {
        LessonChange::Slowed { seconds, by: None }
    }

    #[test]
    fn a_lesson_begins_with_those_who_are_here_and_ends_with_nothing() {
        let mut class = begun();
        assert!(class.is_running() && !class.is_slow());
        assert_eq!((class.since(), class.began(), class.wait()), (Some(BEGIN), Some(100), None));
        assert_eq!(class.attendance().into_keys().collect::<Vec<_>>(), ["alice"]);
        let ended = LessonChange::Ended { seconds: 1, people: 1, hands: 0, polls: 0, by: None };
        apply(&mut class, ended);
        assert!(!class.is_running() && class.attendance().is_empty());
        assert_eq!((class.since(), class.began(), class.attended("alice")), (None, None, None));
        // Whatever happens without one is no part of one.
        class.note_joined(&name("bob"), BEGIN);
        class.note_said(ALICE, &name("alice"), BEGIN);
        assert_eq!(class, Class { seen: 2, running: None });
    }

    #[test]
    fn in_listening_mode_only_the_called_pupil_speaks() {
        let mut class = begun();
        let listening = |on| LessonChange::Listening { on, by: None };
        let called = || LessonChange::Called { session: BOB, user: name("bob"), by: None };
        let speaks = |class: &Class| [ALICE, BOB].map(|it| class.check_speaks(it, BEGIN).is_ok());
        apply(&mut class, called());
        apply(&mut class, listening(true));
        assert_eq!(speaks(&class), [false, false], "a call from before counts no more");
        assert_eq!(class.check_speaks(ALICE, BEGIN), Err(Refusal::Listening));
        apply(&mut class, called());
        assert_eq!(speaks(&class), [false, true]);
        apply(&mut class, listening(false));
        assert_eq!(speaks(&class), [true, true]);
    }

    #[test]
    fn in_slow_mode_each_waits_from_when_they_last_spoke() {
        let mut class = begun();
        class.note_spoke(BOB, after(1));
        apply(&mut class, slow(Some(10)));
        assert!(class.is_slow());
        assert_eq!(class.wait(), Some(10));
        assert_eq!(class.check_speaks(BOB, after(2)), Ok(()), "what came before does not count");
        class.note_said(ALICE, &name("alice"), after(2));
        let waits = |seconds| Err(Refusal::Slow { seconds });
        assert_eq!(class.check_speaks(ALICE, after(2)), waits(10));
        assert_eq!(class.check_speaks(ALICE, after(11)), waits(1));
        assert_eq!(class.check_speaks(ALICE, after(12)), Ok(()));
        assert_eq!(class.check_speaks(BOB, after(3)), Ok(()), "others don't wait");
        class.note_renamed(BOB, &name("bob"), &name("robert"), after(20));
        assert_eq!(class.check_speaks(BOB, after(21)), waits(9), "a new name counts too");
        apply(&mut class, slow(None));
        assert_eq!(class.check_speaks(BOB, after(21)), Ok(()));
    }

    #[test]
    fn of_many_speakers_only_those_who_still_wait_are_kept() {
        let mut class = begun();
        apply(&mut class, slow(Some(10)));
        let kept = |class: &Class| class.running.as_ref().expect("it runs").spoke.len();
        (0..64).for_each(|session| class.note_spoke(session, BEGIN));
        // The last seconds of a wait count.
        (64..127).for_each(|session| class.note_spoke(session, after(9)));
        assert_eq!(kept(&class), 127);
        class.note_spoke(127, after(10));
        assert_eq!(kept(&class), 64, "the first 64 may speak again");
    }

    #[test]
    fn attendance_adds_up_times_and_lines_under_the_name_that_somebody_has() {
        let mut class = begun();
        let alice = name("alice");
        class.note_said(ALICE, &alice, after(1));
        class.note_said(ALICE, &alice, after(2));
        class.note_left(&alice, after(10));
        class.note_left(&alice, after(15));
        class.note_joined(&alice, after(60));
        let attended = class.attended("alice").expect("she was here");
        assert_eq!((attended.first, attended.last, attended.is_here), (BEGIN, after(60), true));
        assert_eq!((attended.lines, attended.millis), (2, 10_000));
        assert_eq!(attended.millis_in_all(after(65)), 15_000);

        class.note_renamed(ALICE, &alice, &name("alicia"), after(70));
        let attended = class.attended("alice").expect("she was here");
        assert_eq!((attended.is_here, attended.millis_in_all(after(99))), (false, 20_000));
        let attended = class.attended("alicia").expect("she is here");
        assert_eq!((attended.first, attended.millis_in_all(after(99))), (after(70), 29_000));
        // Nobody comes in by a new name.
        class.note_renamed(BOB, &name("bob"), &name("robert"), after(71));
        assert_eq!(class.attended("robert"), None);

        let kept =
            Class::new(7, Some(Rules { since: BEGIN, slow: None, listen: false, called: None }))
                .resumed(200, class.attendance());
        assert_eq!((kept.began(), kept.attendance()), (Some(200), class.attendance()));
    }

    #[test]
    fn attendance_in_two_rooms_is_one_persons() {
        let of = |first, last, is_here| Attended {
            first: after(first),
            last: after(last),
            is_here,
            millis: 1_000,
            lines: 1,
        };
        #[track_caller]
        fn check(one: &Attended, other: &Attended, last: u64, is_here: bool) {
            let mut both = one.clone();
            both.add(other);
            assert_eq!((both.first, both.millis, both.lines), (after(0), 2_000, 2));
            assert_eq!((both.last, both.is_here), (after(last), is_here));
        }
        // Where they are counts, and else where they were last.
        check(&of(0, 30, false), &of(20, 20, true), 20, true);
        check(&of(20, 20, true), &of(0, 30, false), 20, true);
        check(&of(0, 10, false), &of(20, 30, false), 30, false);
        check(&of(20, 30, false), &of(0, 10, false), 30, false);
    }
}
