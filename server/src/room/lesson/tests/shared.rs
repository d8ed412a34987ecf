//! Machines that share a lesson have the same one, whatever is asked where.

use std::thread;

use proptest::prelude::*;

use super::*;
use crate::{
    patience,
    room::lesson::log::{LessonLog, LessonSnapshot},
};

/// What a machine has appended and not heard yet.
struct FakeLog {
    origin: u64,
    appended: Mutex<VecDeque<(u64, Vec<u8>)>>,
    last_seq: Mutex<u64>,
    kept: Mutex<Option<LessonSnapshot>>,
}

impl LessonLog for FakeLog {
    fn origin(&self) -> u64 {
        self.origin
    }

    fn append(&self, body: Vec<u8>) -> u64 {
        let mut seq = self.last_seq.lock();
        *seq += 1;
        self.appended.lock().push_back((*seq, body));
        *seq
    }

    fn keep(&self, snapshot: LessonSnapshot) {
        *self.kept.lock() = Some(snapshot);
    }

    fn offer(&self, snapshot: LessonSnapshot) {
        *self.kept.lock() = Some(snapshot);
    }

    fn follow(&self, _follower: Weak<dyn Follower>, _from: u64) {
        unreachable!("the test hands the entries over");
    }
}

/// A lesson on several machines; the first has the origin 1.
struct Class {
    nodes: Vec<(Arc<Lesson>, Arc<FakeLog>)>,
    entries: Vec<LogEntry>,
    /// What the next entry says of ids.
    ids_above: u64,
    /// What each machine has still to tell its people.
    told: Vec<Vec<LessonChange>>,
}

impl Class {
    fn on(machines: u64) -> Class {
        let mut class =
            Class { nodes: Vec::new(), entries: Vec::new(), ids_above: 0, told: Vec::new() };
        let first = LessonSnapshot::first(1_000, at(0));
        (1..=machines).for_each(|_| class.start(first.clone()));
        class
    }

    /// Starts one more machine, with this state.
    fn start(&mut self, snapshot: LessonSnapshot) {
        let log = Arc::new(FakeLog {
            origin: self.nodes.len() as u64 + 1,
            appended: Mutex::default(),
            last_seq: Mutex::default(),
            kept: Mutex::default(),
        });
        let missing = self.entries[snapshot.entry as usize..].to_vec();
        let lesson = Arc::new(Lesson::shared(OpenLesson { log: log.clone(), snapshot }));
        missing.iter().for_each(|entry| drop(lesson.hear(entry, Vec::new)));
        self.nodes.push((lesson, log));
        self.told.push(Vec::new());
    }

    fn lesson(&self, node: usize) -> &Arc<Lesson> {
        &self.nodes[node].0
    }

    fn post(&self, node: usize, asker: &Asker, op: LessonOp) {
        self.lesson(node).post(asker, op, Vec::new);
    }

    /// Has all machines hear the next entry of one, if there is one.
    fn order(&mut self, node: usize) -> bool {
        let log = &self.nodes[node].1;
        let Some((seq, body)) = log.appended.lock().pop_front() else { return false };
        let number = self.entries.len() as u64 + 1;
        let (origin, time) = (log.origin, at(number));
        let ids_above = std::mem::take(&mut self.ids_above);
        let entry = LogEntry { number, origin, seq, time, ids_above, body: body.into() };
        for ((lesson, _), told) in self.nodes.iter().zip(&mut self.told) {
            let Ok(facts) = lesson.hear(&entry, Vec::new) else { continue };
            told.extend(facts.into_iter().map(|fact| fact.change));
            let again = lesson.hear(&entry, Vec::new).expect("it takes part");
            assert!(again.is_empty(), "it is carried out once");
        }
        self.entries.push(entry);
        true
    }

    fn order_all(&mut self) {
        while (0..self.nodes.len()).any(|node| self.order(node)) {}
    }

    /// Asks on one machine, and returns the outcome there.
    fn act(&mut self, node: usize, asker: &Asker, op: LessonOp) -> Result<(), Notice<'static>> {
        let (lesson, asker) = (self.lesson(node).clone(), asker.clone());
        let asking = thread::spawn(move || lesson.act(&asker, op, Vec::new).map(|_| ()));
        let log = self.nodes[node].1.clone();
        patience::wait_until(|| !log.appended.lock().is_empty());
        self.order_all();
        asking.join().expect("it is answered")
    }

    #[track_caller]
    fn check_same(&self) -> LessonState {
        let states: Vec<_> = self.nodes.iter().map(|(it, _)| it.read(LessonState::clone)).collect();
        assert!(states.windows(2).all(|two| two[0] == two[1]), "{states:#?}");
        states[0].clone()
    }

    fn counts(&self) -> Option<Vec<usize>> {
        let state = self.check_same();
        Some(state.running.expect("a lesson").poll?.counts())
    }
}

fn at(seconds: u64) -> Time {
    Time::from_millis(0).after(std::time::Duration::from_secs(seconds))
}

fn here(pupils: impl IntoIterator<Item = u64>) -> LessonOp {
    LessonOp::Here(pupils.into_iter().map(|session| (session, name(session))).collect())
}

fn asked_as(asker: Asker, nonce: u64) -> Asker {
    Asker { nonce: Some(nonce), ..asker }
}

/// Some request of somebody, drawn from a number.
fn drawn(number: u64) -> (Asker, LessonOp) {
    let (kind, who, what) = (number % 19, 2 + number / 19 % 5, number / 95 % 4);
    let text = || (what > 1).then(|| Arc::from("text"));
    let until = at(what);
    match kind {
        0 => (teacher(), LessonOp::Begin { title: text() }),
        1 if what == 0 => (teacher(), LessonOp::End { people: 3 }),
        1 | 2 => (pupil(who), LessonOp::RaiseHand { text: text(), for_teachers: what == 3 }),
        3 => (pupil(who), LessonOp::LowerHand),
        4 => (teacher(), poll(&["a", "b", "c"])),
        5 | 6 => (asked_as(pupil(who), number % 7), vote(what as usize)),
        7 => (teacher(), end([2, 3])),
        8 => (teacher(), LessonOp::ShowPoll { present: Present::from([2, who]) }),
        9 => (pupil(who), LessonOp::Ask("Why?".into())),
        10 => (teacher(), LessonOp::Hush(what)),
        11 => (teacher(), LessonOp::Call { whom: None }),
        12 => (teacher(), LessonOp::StartTimer { seconds: 60 * what, text: text() }),
        13 => (Asker::time(), LessonOp::TimerDue { until, state: TimerState::Minute }),
        14 => (Asker::time(), here([who, who + 1])),
        15 => (pupil(who), LessonOp::Leave),
        16 => {
            (Asker::new(By::Teacher(who), Some(name(who))), LessonOp::Teach { watches: what == 0 })
        }
        17 => (pupil(who), LessonOp::Rename(name(who + 100))),
        18 => (Asker::time(), LessonOp::Stranded { origin: what, pupils: [who, who + 1].into() }),
        _ => (Asker::time(), LessonOp::Unclaimed(what)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn machines_that_hear_the_same_have_the_same_lesson_also_one_that_starts_late(
        asked in prop::collection::vec((any::<u64>(), 0..2_usize, 0..3_usize), 1..200),
        late in 0..200_usize,
    ) {
        let mut class = Class::on(2);
        class.post(0, &teacher(), LessonOp::Begin { title: None });
        class.order_all();
        for (step, (number, node, heard)) in asked.into_iter().enumerate() {
            let (asker, op) = drawn(number);
            class.post(node, &asker, op);
            // Each machine's requests keep their order, but not those of different machines.
            (0..heard).for_each(|at| {
                class.order((node + at) % 2);
            });
            if step == late {
                let kept = class.nodes.iter().find_map(|(_, log)| log.kept.lock().clone());
                class.start(kept.expect("the beginning was kept"));
            }
        }
        class.order_all();
        class.check_same();
    }
}

#[test]
fn a_vote_that_is_sent_again_on_another_machine_counts_once_and_changes_nothing_back() {
    let mut class = Class::on(2);
    class.post(0, &teacher(), LessonOp::Begin { title: None });
    class.post(0, &teacher(), poll(&["a", "b"]));
    class.order_all();
    class.act(0, &asked_as(pupil(2), 1), vote(1)).expect("it counts");
    class.act(1, &asked_as(pupil(2), 2), vote(2)).expect("it counts instead");
    assert_eq!(class.counts(), Some(vec![0, 1]));
    class.act(1, &asked_as(pupil(2), 1), vote(1)).expect("it was done");
    assert_eq!(class.counts(), Some(vec![0, 1]));
    class.act(0, &asked_as(pupil(2), 2), vote(2)).expect("it was done");
    assert_eq!(class.counts(), Some(vec![0, 1]));
    // The same nonce of somebody else is another one.
    class.act(0, &asked_as(pupil(3), 1), vote(1)).expect("it counts");
    assert_eq!(class.counts(), Some(vec![1, 1]));
    // What was refused is decided anew.
    class.post(0, &teacher(), end([]));
    class.order_all();
    assert!(class.act(0, &asked_as(pupil(3), 9), vote(1)).is_err());
    class.post(0, &teacher(), poll(&["a", "b"]));
    class.order_all();
    class.act(1, &asked_as(pupil(3), 9), vote(1)).expect("it counts");
    assert_eq!(class.counts(), Some(vec![1, 0]));
}

#[test]
fn when_a_machine_is_gone_the_hands_of_its_people_go_down_once() {
    let mut class = Class::on(3);
    class.post(0, &teacher(), LessonOp::Teach { watches: true });
    class.post(2, &Asker::time(), LessonOp::KnowCode("7F3K-9Q2M".into()));
    class.post(0, &teacher(), LessonOp::Begin { title: None });
    class.order_all();
    class.post(1, &Asker::time(), here([2]));
    class.post(2, &Asker::time(), here([3, 4, 5]));
    [(1, 2), (2, 3), (2, 4), (2, 5)]
        .into_iter()
        .for_each(|(node, it)| class.post(node, &pupil(it), hand(None)));
    class.order_all();
    // One has come back on another machine, which the old one has not noticed.
    class.post(1, &Asker::time(), here([4]));
    class.order_all();
    class.post(2, &pupil(4), LessonOp::Leave);
    class.post(2, &pupil(5), LessonOp::Rename(name(50)));
    class.order_all();
    let state = class.check_same();
    assert_eq!(state.hands().1, 4);
    assert_eq!(state.pupils_elsewhere(1).count(), 4);
    assert_eq!(state.codes_elsewhere(1).count(), 1);
    assert_eq!(state.codes_elsewhere(3).count(), 0);
    class.told.iter_mut().for_each(Vec::clear);
    (0..2).for_each(|node| class.post(node, &Asker::time(), LessonOp::Unclaimed(3)));
    class.order_all();
    let lowered = class.told[0].iter().filter_map(|change| match change {
        LessonChange::HandLowered { user, .. } => Some(user.clone()),
        _ => None,
    });
    assert_eq!(lowered.collect::<Vec<_>>(), [name(3), name(50)]);
    let state = class.check_same();
    let hands: Vec<_> = state.hands().0.into_iter().map(|hand| hand.user).collect();
    assert_eq!(hands, ["p2", "p4"]);
    assert_eq!(state.codes_elsewhere(1).count(), 0);
    assert_eq!(state.teaching(TEACHER).map(|it| (it.origin, it.watches)), Some((1, true)));
    class.post(1, &Asker::time(), LessonOp::Unclaimed(1));
    class.order_all();
    assert_eq!(class.check_same().teaching(TEACHER), None);
}

#[test]
fn of_a_machine_that_is_gone_only_those_who_may_come_back_keep_their_hands_for_now() {
    let mut class = Class::on(2);
    class.post(0, &teacher(), LessonOp::Begin { title: None });
    class.order_all();
    class.post(1, &Asker::time(), here([2, 3, 4]));
    [2, 3, 4].into_iter().for_each(|it| class.post(1, &pupil(it), hand(None)));
    class.order_all();
    // One has just come back on the other machine.
    class.post(0, &Asker::time(), here([4]));
    class.order_all();
    let stranded = LessonOp::Stranded { origin: 2, pupils: [3, 4].into() };
    (0..2).for_each(|_| class.post(0, &Asker::time(), stranded.clone()));
    class.order_all();
    let hands: Vec<_> = class.check_same().hands().0.into_iter().map(|hand| hand.user).collect();
    assert_eq!(hands, ["p2", "p4"]);
}

#[test]
fn a_request_that_panics_is_dropped_everywhere_and_a_broken_lesson_is_left() {
    let mut class = Class::on(2);
    let refusal = class.act(0, &teacher(), LessonOp::Panic { in_apply: false });
    assert_eq!(refusal, Err(Notice::Unanswered), "nobody waits in vain");
    class.post(1, &teacher(), LessonOp::Begin { title: None });
    class.order_all();
    assert!(class.check_same().is_running());
    let refusal = class.act(0, &teacher(), LessonOp::Panic { in_apply: true });
    assert_eq!(refusal, Err(Notice::Unanswered));
    let title = || LessonOp::Begin { title: Some("on".into()) };
    class.post(1, &teacher(), title());
    class.order_all();
    for (lesson, _) in &class.nodes {
        assert_eq!(lesson.act(&teacher(), title(), Vec::new), Err(Notice::Unavailable));
        assert!(lesson.read(|state| state.title().is_none()), "nothing more is carried out");
    }
}

#[test]
fn a_teacher_who_has_moved_is_not_unmade_by_the_machine_that_they_have_left() {
    let mut class = Class::on(2);
    class.post(0, &teacher(), LessonOp::Teach { watches: false });
    class.order_all();
    class.post(1, &teacher(), LessonOp::Teach { watches: false });
    class.order_all();
    class.post(0, &teacher(), LessonOp::StopTeaching);
    class.order_all();
    assert_eq!(class.check_same().teachers_elsewhere(1).collect::<Vec<_>>(), [&name(TEACHER)]);
    class.post(1, &teacher(), LessonOp::StopTeaching);
    class.order_all();
    assert_eq!(class.check_same().teachers_elsewhere(1).count(), 0);
}

#[test]
fn only_who_asked_is_told_why_not_and_nobody_waits_for_a_log_that_is_away() {
    let mut class = Class::on(2);
    let no_lesson = Err(Notice::Lesson(LessonNotice::NoLesson));
    assert_eq!(class.act(1, &pupil(2), hand(None)), no_lesson);
    assert_eq!(class.act(0, &teacher(), LessonOp::Begin { title: None }), Ok(()));
    // In flight when the log goes away: nobody knows whether it will be carried out.
    let lesson = class.lesson(0).clone();
    let asking = thread::spawn(move || lesson.act(&pupil(2), hand(None), Vec::new));
    let log = class.nodes[0].1.clone();
    patience::wait_until(|| !log.appended.lock().is_empty());
    class.lesson(0).miss_log();
    assert_eq!(asking.join().expect("it is answered"), Err(Notice::Unanswered));
    let refused = class.lesson(0).act(&pupil(3), hand(None), Vec::new);
    assert_eq!(refused, Err(Notice::Unavailable));
    assert_eq!(log.appended.lock().len(), 1, "it was not appended");
    // It was.
    class.order_all();
    assert_eq!(class.check_same().hands().1, 1);
    assert_eq!(class.act(0, &pupil(3), hand(None)), Ok(()));
    class.lesson(0).lose_log();
    let refused = class.lesson(0).act(&pupil(4), hand(None), Vec::new);
    assert_eq!(refused, Err(Notice::Unavailable));
}

#[test]
fn a_timers_last_minute_is_announced_once_however_many_machines_notice_it() {
    let mut class = Class::on(2);
    class.post(0, &teacher(), LessonOp::Begin { title: None });
    class.post(0, &teacher(), LessonOp::StartTimer { seconds: 90, text: None });
    class.order_all();
    let (until, _) = class.check_same().timer().expect("it runs");
    for state in [TimerState::Minute, TimerState::Ended] {
        let due = || LessonOp::TimerDue { until, state };
        (0..2).for_each(|node| class.post(node, &Asker::time(), due()));
    }
    class.order_all();
    let timed = class.told[1].iter().filter_map(|change| match change {
        LessonChange::Timed { state, .. } => Some(*state),
        _ => None,
    });
    assert_eq!(
        timed.collect::<Vec<_>>(),
        [TimerState::Started, TimerState::Minute, TimerState::Ended]
    );
}

#[test]
fn what_a_machine_offers_is_the_lesson_with_all_votes_and_what_it_has_heard_of_each() {
    let mut class = Class::on(2);
    class.act(0, &teacher(), LessonOp::Begin { title: None }).expect("it begins");
    class.act(0, &teacher(), poll(&["a", "b"])).expect("it is opened");
    class.act(1, &pupil(2), vote(1)).expect("it is taken");
    class.lesson(0).offer();
    let offered = class.nodes[0].1.kept.lock().take().expect("it was offered");
    assert_eq!(offered.entry, class.entries.len() as u64);
    assert_eq!(offered.heard, BTreeMap::from([(1, 2), (2, 1)]));
    // The other has not heard the vote, and takes it in with what is offered.
    let behind = Class::on(1);
    for entry in &class.entries[..class.entries.len() - 1] {
        behind.lesson(0).hear(entry, Vec::new).expect("it takes part");
    }
    let written = serde_json::to_vec(&offered).expect("plain data");
    assert_eq!(behind.lesson(0).reload(&written, offered.entry), Some(offered.entry));
    assert_eq!(behind.check_same(), class.check_same());
}

#[test]
fn after_a_loss_no_number_is_given_again_and_rooms_take_in_the_lesson_as_it_is() {
    let mut class = Class::on(2);
    class.act(0, &teacher(), LessonOp::Begin { title: None }).expect("it begins");
    let before = class.lesson(0).class();
    // Seen by a room, and lost with the only machine that knew it.
    let lost = LessonFact {
        number: 1_002,
        time: at(2),
        change: LessonChange::Listening { on: true, by: None },
    };
    let mut room = before.clone();
    room.apply(&lost, 7, [].into_iter());
    class.ids_above = 5_000;
    class.act(1, &teacher(), LessonOp::Slow(Some(10))).expect("it is decided");
    assert_eq!(class.check_same().number(), 5_001);
    let Some(Op::LessonSoFar(so_far)) = class.lesson(1).so_far() else { panic!("it is shared") };
    assert_eq!(so_far.missing(&room), None, "what it has seen is not known");
    room.catch_up(&so_far.class, at(3), [].into_iter());
    assert_eq!(room.check_speaks(2, at(4)), Ok(()), "nobody has to listen");
    assert_eq!(room.wait(), Some(10));
}

#[test]
fn a_newer_programs_request_ends_this_machines_part_in_lessons() {
    for body in [&b"2[]"[..], b"1[{\"by\":\"Time\",\"user\":null,\"nonce\":null},\"Dance\"]", b""] {
        let class = Class::on(1);
        let entry =
            LogEntry { number: 1, origin: 9, seq: 1, time: at(1), ids_above: 0, body: body.into() };
        assert!(class.lesson(0).hear(&entry, Vec::new).is_err(), "it hears nothing more");
        let refused = class.lesson(0).act(&teacher(), hand(None), Vec::new);
        assert_eq!(refused, Err(Notice::Unavailable));
    }
}
