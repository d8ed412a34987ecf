//! The rules of a lesson as tables, without rooms or sockets.

use std::collections::BTreeMap;

use madang_protocol::{
    event::{Time, TimerState},
    notice::{LessonNotice, Notice},
};

use super::*;

mod shared;

/// A lesson that is decided and applied without rooms, at a time that a test sets.
struct Stage {
    state: LessonState,
    now: Time,
    facts: Vec<LessonFact>,
}

const TEACHER: u64 = 1;

fn name(session: u64) -> UserName {
    UserName::parse(&format!("p{session}")).expect("a name")
}

fn teacher() -> Asker {
    Asker::new(By::Teacher(TEACHER), Some(name(TEACHER)))
}

fn pupil(session: u64) -> Asker {
    Asker::new(By::Member(session), Some(name(session)))
}

impl Stage {
    fn new() -> Stage {
        let now = Time::from_millis(1_000_000);
        Stage { state: LessonState::default(), now, facts: Vec::new() }
    }

    fn begun() -> Stage {
        let mut stage = Stage::new();
        stage.does(&teacher(), LessonOp::Begin { title: None });
        stage
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(std::time::Duration::from_secs(seconds));
    }

    fn act(&mut self, asker: &Asker, op: LessonOp) -> Result<(), Notice<'static>> {
        for fact in self.state.decide(asker, op, self.now)? {
            self.state.apply(&fact);
            self.facts.push(fact);
        }
        Ok(())
    }

    #[track_caller]
    fn does(&mut self, asker: &Asker, op: LessonOp) {
        self.act(asker, op.clone()).unwrap_or_else(|notice| panic!("{op:?}: {notice:?}"));
    }

    #[track_caller]
    fn refuses(&mut self, asker: &Asker, op: LessonOp, code: &str) {
        let before = self.state.clone();
        let refused = self.act(asker, op.clone()).expect_err("it is refused");
        assert_eq!(refused.code(), Some(code), "{op:?}");
        assert_eq!(self.state, before, "a refusal changes nothing");
    }
}

fn hand(text: Option<&str>) -> LessonOp {
    LessonOp::RaiseHand { text: text.map(Arc::from), for_teachers: false }
}

fn poll(choices: &[&str]) -> LessonOp {
    let choices = choices.iter().map(|choice| Arc::from(*choice)).collect();
    LessonOp::OpenPoll { question: "Q".into(), choices, yes_no: false }
}

fn vote(choice: usize) -> LessonOp {
    LessonOp::Vote { choice, yes_no: false }
}

fn end(present: impl IntoIterator<Item = u64>) -> LessonOp {
    LessonOp::EndPoll { present: present.into_iter().collect(), cancelled: false }
}

#[test]
fn only_teachers_lead_and_only_in_a_lesson() {
    let until = Time::from_millis(0);
    let ops = [
        LessonOp::End { people: 0 },
        LessonOp::ClearHands,
        LessonOp::Call { whom: None },
        poll(&["a", "b"]),
        LessonOp::ShowPoll { present: Present::new() },
        end([]),
        LessonOp::Slow(Some(10)),
        LessonOp::Listen(true),
        LessonOp::Show(1),
        LessonOp::Hush(1),
        LessonOp::StartTimer { seconds: 60, text: None },
        LessonOp::StopTimer,
        LessonOp::TimerDue { until, state: TimerState::Ended },
    ];
    for op in ops {
        Stage::begun().refuses(&pupil(2), op.clone(), "teacher_only");
        Stage::new().refuses(&teacher(), op, "no_lesson");
    }
    Stage::new().refuses(&pupil(2), LessonOp::Begin { title: None }, "teacher_only");
    for op in [hand(None), LessonOp::LowerHand, vote(1), LessonOp::Ask("?".into())] {
        Stage::new().refuses(&pupil(2), op, "no_lesson");
    }
    // Who goes, or has another name, is refused nothing.
    Stage::new().does(&pupil(2), LessonOp::Leave);
    Stage::new().does(&pupil(2), LessonOp::Rename(name(3)));
}

#[test]
fn a_second_lesson_is_another_title_of_the_first() {
    let mut stage = Stage::begun();
    let since = stage.state.since();
    stage.wait(60);
    stage.refuses(&teacher(), LessonOp::Begin { title: None }, "already");
    stage.does(&teacher(), LessonOp::Begin { title: Some("sums".into()) });
    stage.refuses(&teacher(), LessonOp::Begin { title: Some("sums".into()) }, "already");
    assert_eq!((stage.state.since(), stage.state.title()), (since, Some(&"sums".into())));
}

#[test]
fn the_end_turns_every_setting_off_and_cancels_a_poll() {
    let mut stage = Stage::begun();
    for op in [LessonOp::Slow(Some(10)), LessonOp::Listen(true), poll(&["a", "b"])] {
        stage.does(&teacher(), op);
    }
    stage.does(&pupil(2), hand(None));
    stage.wait(600);
    stage.does(&teacher(), LessonOp::End { people: 30 });
    let [.., cancelled, ended] = &stage.facts[..] else { panic!("{:?}", stage.facts) };
    assert!(matches!(cancelled.change, LessonChange::PollEnded { cancelled: true, .. }));
    let by = Some(name(TEACHER));
    let expected = LessonChange::Ended { seconds: 600, people: 30, hands: 1, polls: 0, by };
    assert_eq!(ended.change, expected);
    assert!(!stage.state.is_running() && !stage.state.keeps_silent(2));
    // Another begins without anything of the last.
    stage.does(&teacher(), LessonOp::Begin { title: None });
    assert_eq!(stage.state.hands(), (Vec::new(), 0));
}

#[test]
fn hands_keep_their_order_and_their_place() {
    let mut stage = Stage::begun();
    stage.does(&pupil(2), hand(None));
    stage.does(&pupil(3), hand(Some("why?")));
    stage.refuses(&pupil(2), hand(None), "hand_up");
    stage.refuses(&pupil(2), hand(Some("how?")), "slow");
    stage.wait(10);
    stage.does(&pupil(2), hand(Some("how?")));
    let listed = |stage: &Stage| {
        let (hands, _) = stage.state.hands();
        let text = |hand: &madang_protocol::event::RaisedHand<'_>| {
            format!("{} {}", hand.user, hand.text.as_deref().unwrap_or("-"))
        };
        hands.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(listed(&stage), ["p2 how?", "p3 why?"]);
    stage.does(&teacher(), LessonOp::Call { whom: None });
    assert_eq!(listed(&stage), ["p3 why?"]);
    // Whoever was called may raise the hand again once that has rested.
    stage.wait(10);
    stage.does(&pupil(2), hand(None));
    assert_eq!(listed(&stage), ["p3 why?", "p2 -"]);
    stage.does(&pupil(3), LessonOp::Rename(name(33)));
    assert_eq!(listed(&stage), ["p33 why?", "p2 -"]);
    stage.does(&pupil(3), LessonOp::Leave);
    stage.does(&pupil(4), LessonOp::Leave);
    stage.wait(10);
    stage.does(&pupil(2), LessonOp::LowerHand);
    stage.refuses(&pupil(2), LessonOp::LowerHand, "hand_not_up");
    assert_eq!(listed(&stage), [""; 0]);
    stage.refuses(&teacher(), LessonOp::ClearHands, "no_hands");
    stage.refuses(&teacher(), LessonOp::Call { whom: None }, "no_hands");
}

#[test]
fn a_thousand_hands_stand_in_the_order_of_their_numbers() {
    let mut stage = Stage::begun();
    let order: Vec<u64> = (0..1_000).map(|at| 2 + at * 7_919 % 1_009).collect();
    order.iter().for_each(|session| stage.does(&pupil(*session), hand(None)));
    let raised = stage.facts.iter().filter_map(|fact| match &fact.change {
        LessonChange::HandRaised { session, place, .. } => Some((fact.number, *session, *place)),
        _ => None,
    });
    let expected: Vec<_> =
        order.iter().enumerate().map(|(at, session)| (at as u64 + 2, *session, at + 1)).collect();
    assert_eq!(raised.collect::<Vec<_>>(), expected);
    assert_eq!(stage.state.hands().1, 1_000);
}

#[test]
fn only_the_pupil_called_last_may_speak_while_others_listen() {
    let mut stage = Stage::begun();
    assert!(!stage.state.keeps_silent(2));
    stage.does(&teacher(), LessonOp::Listen(true));
    stage.refuses(&teacher(), LessonOp::Listen(true), "already");
    assert!(stage.state.keeps_silent(2));
    stage.does(&teacher(), LessonOp::Call { whom: Some((2, name(2))) });
    assert!(!stage.state.keeps_silent(2) && stage.state.keeps_silent(3));
    stage.does(&teacher(), LessonOp::Call { whom: Some((3, name(3))) });
    assert!(stage.state.keeps_silent(2) && !stage.state.keeps_silent(3));
    stage.does(&pupil(3), LessonOp::Leave);
    assert!(stage.state.keeps_silent(3));
}

#[test]
fn a_vote_counts_once_and_may_change_until_the_end() {
    let mut stage = Stage::begun();
    stage.refuses(&pupil(2), vote(1), "no_poll");
    stage.does(&teacher(), poll(&["a", "b"]));
    stage.refuses(&teacher(), poll(&["a", "b"]), "poll_open");
    stage.refuses(&teacher(), vote(1), "teachers_dont_vote");
    for choice in [0, 3, 9] {
        stage.refuses(&pupil(2), vote(choice), "no_choice");
    }
    stage.refuses(&pupil(2), LessonOp::Vote { choice: 1, yes_no: true }, "no_choice");
    stage.does(&pupil(2), vote(1));
    stage.does(&pupil(3), vote(1));
    stage.does(&pupil(2), vote(2));
    let ballot = stage.state.ballot(2).expect("it is open");
    assert_eq!(ballot.vote, Some(2));
    assert_eq!(stage.state.ballot(4).and_then(|ballot| ballot.vote), None);
    // Who has voted and gone counts among those who could.
    stage.does(&teacher(), end([2, 4]));
    let Some(LessonFact { change: LessonChange::PollEnded { result, .. }, .. }) =
        stage.facts.last()
    else {
        panic!("{:?}", stage.facts)
    };
    assert_eq!((&*result.counts, result.answered, result.members), (&[1, 1][..], 2, 3));
    stage.refuses(&pupil(2), vote(1), "poll_over");
    stage.refuses(&teacher(), end([]), "no_poll");
    assert_eq!(stage.state.marks()["p2"].polls, 1);
}

#[test]
fn a_cancelled_poll_is_as_if_it_had_not_been() {
    let mut stage = Stage::begun();
    stage.does(&teacher(), poll(&["a", "b"]));
    stage.does(&pupil(2), vote(1));
    let present = Present::from([2]);
    stage.does(&teacher(), LessonOp::EndPoll { present, cancelled: true });
    assert_eq!(stage.state.marks(), BTreeMap::new());
    let event = stage.facts.last().expect("one").change.event(stamp()).expect("it is told");
    let event = format!("{event:?}");
    assert!(event.contains("counts: None"), "{event}");
}

#[test]
fn once_a_poll_is_shown_votes_can_change_but_no_new_ones_count() {
    let mut stage = Stage::begun();
    stage.does(&teacher(), poll(&["a", "b"]));
    [2, 3].into_iter().for_each(|session| stage.does(&pupil(session), vote(1)));
    let present = Present::from([2, 3, 4]);
    let tally = stage.state.tally(&present).expect("it is open");
    assert_eq!((tally.waiting, tally.counts), (Some(vec![4]), None));
    stage.does(&teacher(), LessonOp::ShowPoll { present: present.clone() });
    stage.refuses(&teacher(), LessonOp::ShowPoll { present: present.clone() }, "already");
    stage.refuses(&pupil(4), vote(1), "poll_over");
    stage.does(&pupil(3), vote(2));
    let tally = stage.state.tally(&present).expect("it is open");
    assert_eq!((tally.waiting, tally.counts), (None, Some(vec![1, 1])));
}

#[test]
fn a_question_has_no_name_and_a_hushed_asker_notices_nothing() {
    let mut stage = Stage::begun();
    let ask = |text: &str| LessonOp::Ask(text.into());
    stage.does(&pupil(2), ask("why?"));
    stage.refuses(&pupil(2), ask("why?"), "slow");
    stage.does(&pupil(3), ask("how?"));
    assert_eq!((stage.state.last_question(2), stage.state.last_question(3)), (Some(1), Some(2)));
    stage.does(&teacher(), LessonOp::Show(2));
    let shown = stage.facts.last().expect("one").change.event(stamp());
    assert!(!format!("{shown:?}").contains("p3"), "{shown:?}");
    stage.does(&teacher(), LessonOp::Hush(1));
    stage.does(&teacher(), LessonOp::Hush(1));
    stage.refuses(&teacher(), LessonOp::Hush(3), "no_question");
    stage.wait(30);
    stage.does(&pupil(2), ask("why not?"));
    assert_eq!(stage.state.last_question(2), None);
    // Nor is it shown by its number.
    stage.refuses(&teacher(), LessonOp::Show(3), "no_question");
    let now = stage.state.now(TEACHER, true);
    assert_eq!(now.questions.len(), 1);
    assert_eq!(stage.state.now(4, false).questions, []);
}

#[test]
fn questions_do_not_pile_up() {
    let mut stage = Stage::begun();
    let most = state::MOST_QUESTIONS as u64;
    for session in 2..most + 3 {
        stage.does(&pupil(session), LessonOp::Ask("?".into()));
    }
    stage.refuses(&teacher(), LessonOp::Show(1), "no_question");
    stage.does(&teacher(), LessonOp::Show(most + 1));
}

#[test]
fn a_clock_that_was_replaced_says_nothing() {
    let mut stage = Stage::begun();
    let start = |seconds| LessonOp::StartTimer { seconds, text: Some("test".into()) };
    stage.does(&teacher(), start(300));
    let ends = |stage: &Stage| stage.state.timer().expect("it runs").0;
    let first = ends(&stage);
    stage.wait(1);
    stage.does(&teacher(), start(120));
    let due = |until, state| LessonOp::TimerDue { until, state };
    stage.refuses(&Asker::time(), due(first, TimerState::Minute), "already");
    let second = ends(&stage);
    stage.does(&Asker::time(), due(second, TimerState::Minute));
    stage.does(&Asker::time(), due(second, TimerState::Ended));
    assert_eq!(stage.state.timer(), None);
    stage.refuses(&teacher(), LessonOp::StopTimer, "no_timer");
    let seconds = |seconds| timer_dues(seconds).len();
    assert_eq!((seconds(60), seconds(61)), (1, 2), "a minute is not told of twice");
}

#[test]
fn a_lesson_is_made_again_from_its_facts() {
    let mut stage = Stage::begun();
    stage.does(&pupil(2), hand(Some("why?")));
    stage.does(&teacher(), poll(&["a", "b"]));
    stage.does(&pupil(3), vote(2));
    stage.does(&pupil(3), LessonOp::Ask("?".into()));
    stage.does(&teacher(), LessonOp::Slow(Some(10)));
    stage.does(&pupil(3), LessonOp::Rename(name(9)));
    let mut again = LessonState::default();
    for fact in &stage.facts {
        let text = serde_json::to_string(fact).expect("plain data");
        again.apply(&serde_json::from_str(&text).expect("as it was written"));
    }
    assert_eq!(again, stage.state);
    // A fact whose object is gone changes nothing.
    let mut empty = LessonState::default();
    stage.facts[1..].iter().for_each(|fact| empty.apply(fact));
    assert!(!empty.is_running());
}

/// What is on disk of a lesson at each moment at which a server may end.
#[test]
fn a_lesson_goes_on_after_a_restart_at_any_moment() {
    let mut stage = Stage::begun();
    let for_teachers =
        |text: &str| LessonOp::RaiseHand { text: Some(text.into()), for_teachers: true };
    for (asker, op) in [
        (teacher(), LessonOp::Begin { title: Some("sums".into()) }),
        (pupil(2), hand(Some("why?"))),
        (pupil(3), for_teachers("secret-hand")),
        (teacher(), LessonOp::Slow(Some(10))),
        (teacher(), poll(&["a", "b"])),
        (pupil(2), vote(1)),
        (teacher(), LessonOp::EndPoll { present: Present::from([2, 3]), cancelled: false }),
        (pupil(3), LessonOp::Ask("secret-question".into())),
        (teacher(), LessonOp::Hush(1)),
        (teacher(), LessonOp::Listen(true)),
        (teacher(), LessonOp::Call { whom: None }),
        (teacher(), LessonOp::StartTimer { seconds: 300, text: Some("test".into()) }),
        (pupil(4), hand(None)),
        (pupil(4), LessonOp::Rename(name(44))),
        (teacher(), poll(&["c", "d"])),
        (pupil(3), vote(2)),
        (pupil(2), LessonOp::Leave),
        (pupil(5), LessonOp::Ask("another".into())),
    ] {
        stage.does(&asker, op.clone());
        let lasting: Vec<_> = stage.facts.iter().filter_map(LessonFact::lasting).collect();
        let text = serde_json::to_string(&lasting).expect("plain data");
        assert!(!text.contains("secret") && !text.contains("Voted"), "{text}");
        let kept: Vec<LessonFact> = serde_json::from_str(&text).expect("as it was written");
        let again = LessonState::replay(&kept).running.expect("it goes on");
        // All but what is secret, and what only keeps people from doing things too often.
        let mut expected = stage.state.running.clone().expect("it runs");
        expected.hands.iter_mut().filter(|it| it.for_teachers).for_each(|it| it.text = None);
        (expected.questions, expected.hushed, expected.asked) = Default::default();
        expected.poll.iter_mut().for_each(|poll| poll.votes.clear());
        assert_eq!(again, expected, "after {op:?}");
    }
    let kept: Vec<_> = stage.facts.iter().filter_map(LessonFact::lasting).collect();
    stage.state = LessonState::replay(&kept);
    // Numbers of questions go on; the poll that was open is nobody's any more.
    stage.does(&Asker::time(), LessonOp::Restart { held: [TEACHER, 3].into() });
    stage.refuses(&pupil(3), vote(1), "poll_over");
    stage.does(&pupil(3), LessonOp::Ask("third".into()));
    assert_eq!(stage.state.last_question(3), Some(3));
    assert_eq!(stage.state.marks()["p2"], state::Marks { hands: 1, polls: 1 });
}

#[test]
fn hands_and_calls_from_before_a_restart_wait_for_their_name() {
    let restarted = || {
        let mut stage = Stage::begun();
        for session in 2..=4 {
            stage.does(&pupil(session), hand(None));
        }
        stage.does(&teacher(), LessonOp::Listen(true));
        stage.does(&teacher(), LessonOp::Call { whom: Some((2, name(2))) });
        stage.does(&Asker::time(), LessonOp::Restart { held: [TEACHER, 4].into() });
        stage
    };
    let hands = |stage: &Stage| stage.state.hands().1;
    let mut stage = restarted();
    assert!(stage.state.keeps_silent(22) && stage.state.keeps_silent(33));
    let back = |session: u64, name| Asker::new(By::Member(session), Some(name));
    stage.does(&back(22, name(2)), LessonOp::Return);
    stage.does(&back(33, UserName::parse("P3").expect("a name")), LessonOp::Return);
    stage.does(&back(55, name(5)), LessonOp::Return);
    assert!(!stage.state.keeps_silent(22), "who was called has the word");
    stage.refuses(&back(33, name(3)), hand(None), "hand_up");
    // Nobody gets it twice, and nobody what a session still has that may come back.
    stage.does(&back(34, name(3)), LessonOp::Return);
    stage.does(&back(44, name(4)), LessonOp::Return);
    stage.refuses(&back(34, name(3)), LessonOp::LowerHand, "hand_not_up");
    stage.refuses(&back(44, name(4)), LessonOp::LowerHand, "hand_not_up");
    stage.does(&Asker::time(), LessonOp::MissingAreGone);
    assert_eq!(hands(&stage), 2);

    let mut stage = restarted();
    stage.does(&Asker::time(), LessonOp::MissingAreGone);
    assert_eq!(hands(&stage), 1, "that of the session that is held");
    assert!(stage.state.keeps_silent(2));
    let lowered = stage
        .facts
        .iter()
        .filter(|fact| matches!(fact.change, LessonChange::HandLowered { session: 3, .. }));
    assert_eq!(lowered.count(), 1);
    stage.does(&back(33, name(3)), LessonOp::Return);
    stage.refuses(&back(33, name(3)), LessonOp::LowerHand, "hand_not_up");
}

#[test]
fn votes_questions_and_hushes_are_not_events() {
    let user = name(2);
    for change in [
        LessonChange::Voted { session: 2, user, choice: 1 },
        LessonChange::Questioned { session: 2, text: "?".into() },
        LessonChange::Hushed { session: 2 },
    ] {
        assert!(!change.is_told() && change.event(stamp()).is_none(), "{change:?}");
    }
}

/// The command and the rule agree on how many choices there may be.
#[test]
fn as_many_choices_as_a_command_takes_are_counted() {
    let mut stage = Stage::begun();
    let choices = ["x"; madang_protocol::command::MOST_CHOICES];
    stage.does(&teacher(), poll(&choices));
    stage.does(&pupil(2), vote(choices.len()));
    let refused = stage.act(&pupil(2), vote(choices.len() + 1));
    let most = Some(choices.len());
    assert_eq!(refused, Err(Notice::Lesson(LessonNotice::NoChoice { choices: most })));
}

fn stamp() -> madang_protocol::event::Stamp {
    let (time, room) = (Time::from_millis(0), "lobby".into());
    madang_protocol::event::Stamp { id: 1, time, room }
}

/// Threads that raise hands at once, and a room that is made meanwhile: each room is told of
/// all that happens after its beginning, in one order.
#[test]
fn every_room_is_told_in_the_order_of_the_lesson() {
    const PUPILS: u64 = 40;
    const THREADS: u64 = 4;
    let lesson = Arc::new(Lesson::default());
    let rooms = crate::sync::Mutex::new(Vec::<Arc<Room>>::new());
    let make = |number: u64| {
        // As the directory does it: nobody lists the rooms between the copy and the entry.
        let mut rooms = rooms.lock();
        let beginning = super::super::Beginning {
            first_id: 1_000,
            class: lesson.class(),
            ..Default::default()
        };
        let context = super::super::Context { lesson: lesson.clone(), ..Default::default() };
        let room = Room::new(number, "math", None, beginning, context);
        rooms.push(room.clone());
        room
    };
    let listed = || rooms.lock().clone();
    let first = make(1);
    lesson.act(&teacher(), LessonOp::Begin { title: None }, listed).expect("it begins");
    let late = std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (lesson, listed) = (&lesson, &listed);
            scope.spawn(move || {
                for at in 0..PUPILS {
                    let asker = pupil(2 + thread * PUPILS + at);
                    lesson.act(&asker, hand(None), listed).expect("the hand goes up");
                }
            });
        }
        scope.spawn(|| make(2)).join().expect("it is made")
    });
    let all = (THREADS * PUPILS) as usize;
    assert_eq!(places_told(&first), (1..=all).collect::<Vec<_>>());
    let late = places_told(&late);
    let from = all + 1 - late.len();
    assert_eq!(late, (from..=all).collect::<Vec<_>>(), "without a hole, and nothing twice");
}

#[test]
fn a_room_is_told_of_all_that_one_request_changes_in_its_order() {
    let lesson = Arc::new(Lesson::default());
    let room = room_in(&lesson);
    for op in [LessonOp::Begin { title: None }, poll(&["a", "b"]), LessonOp::End { people: 0 }] {
        lesson.act(&teacher(), op, || vec![room.clone()]).expect("the teacher may");
    }
    let text = told(&room);
    let [opened, cancelled, ended] =
        ["\"poll\"", "\"poll_ended\"", "\"ended\""].map(|part| text.find(part));
    assert!(opened.is_some() && opened < cancelled && cancelled < ended, "{text}");
}

/// What a room was told, as JSON, in its order.
fn told(room: &Room) -> String {
    let answer = crate::dialect::answer::Answer::new(crate::dialect::Form::JSON);
    let history = room
        .recall(crate::room::HistorySpan::newest(500), answer)
        .unwrap_or_else(|_| panic!("it is open"));
    String::from_utf8(history.into_bytes()).expect("JSON")
}

/// The places of the hands that a room was told of, in its order.
fn places_told(room: &Room) -> Vec<usize> {
    let after = |part: &str| part.split(['}', ',']).next()?.parse::<usize>().ok();
    told(room).split("\"place\":").skip(1).filter_map(after).collect()
}

fn room_in(lesson: &Arc<Lesson>) -> Arc<Room> {
    let beginning =
        super::super::Beginning { first_id: 1_000, class: lesson.class(), ..Default::default() };
    let context = super::super::Context { lesson: lesson.clone(), ..Default::default() };
    Room::new(1, "math", None, beginning, context)
}

#[test]
fn a_second_change_does_not_wait_while_the_first_is_announced() {
    let lesson = Arc::new(Lesson::default());
    let room = room_in(&lesson);
    let listed = || vec![room.clone()];
    lesson.act(&teacher(), LessonOp::Begin { title: None }, listed).expect("it begins");
    let (is_telling, told) = crossbeam_channel::bounded::<()>(0);
    let (second_is_done, done) = crossbeam_channel::bounded::<()>(1);
    std::thread::scope(|scope| {
        let (lesson, listed) = (&lesson, &listed);
        scope.spawn(move || {
            let held_up = || {
                // Once; for the second hand, nobody waits any more.
                if is_telling.send(()).is_ok() {
                    done.recv().expect("the second has not waited");
                }
                listed()
            };
            lesson.act(&pupil(2), hand(None), held_up).expect("the hand goes up");
        });
        told.recv().expect("the first tells");
        drop(told);
        lesson.act(&pupil(3), hand(None), listed).expect("the hand goes up");
        second_is_done.send(()).expect("the first waits");
    });
    assert_eq!(places_told(&room), [1, 2]);
}

#[test]
fn a_room_takes_in_nothing_twice() {
    let lesson = Arc::new(Lesson::default());
    lesson.act(&teacher(), LessonOp::Begin { title: None }, Vec::new).expect("it begins");
    lesson.act(&pupil(2), hand(None), Vec::new).expect("the hand goes up");
    let room = room_in(&lesson);
    let raised = |number: u64| {
        let (session, user, text, place) = (number, name(number), None, number as usize);
        let change = LessonChange::HandRaised { session, user, text, for_teachers: false, place };
        let time = Time::from_millis(0);
        Op::Lesson(Arc::new(LessonFact { number, time, change }))
    };
    for number in [1, 2, 3, 3, 2, 4] {
        room.act(By::Time, raised(number)).expect("it is open");
    }
    assert_eq!(places_told(&room), [3, 4]);
}
