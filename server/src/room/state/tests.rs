//! What is decided, as tables; and that facts make the state again, in whatever order they
//! come without harm.

use proptest::prelude::*;

use super::*;
use crate::room::{
    lesson::{LessonChange, LessonFact, log::LessonSoFar, state::LessonState},
    log::{EntryBody, LogEntry},
    op::{By, Op, Speech},
    refusal::Refusal,
};
use crate::session::Quiet;

const NOW: Time = Time::from_millis(100_000);
const KEY: NonceKey = NonceKey::new(1, 2);

fn name(text: &str) -> UserName {
    UserName::parse(text).expect("a name")
}

fn fact(id: impl Into<Option<u64>>, change: Change) -> Fact {
    Fact { id: id.into(), time: NOW, change }
}

/// Somebody's joining, with the event of this id.
fn joined(session: u64, user: &str, id: u64) -> Fact {
    fact(
        id,
        Change::Joined {
            session,
            user: name(user),
            quiet: None,
            origin: 0,
            comes_back: false,
            stream: false,
        },
    )
}

fn join(user: &str) -> Op {
    Op::Join {
        user: name(user),
        quiet: None,
        muted: None,
        origin: 0,
        comes_back: false,
        stream: false,
    }
}

/// A room of the session 1, alice, with the topic "tea", where 2 is bob and 3 is carol; the
/// next event is 13.
fn private() -> State {
    let (owner, topic) = (Some(1), Some("tea".into()));
    let mut state =
        State::new(Beginning { first_id: 10, owner, topic, ..Beginning::default() }, NOW);
    for (session, user, id) in [(1, "alice", 10), (2, "bob", 11), (3, "carol", 12)] {
        state.apply(&joined(session, user, id));
    }
    state
}

fn speech(text: &str) -> Speech {
    Speech { text: text.into(), me: false, nonce: Some("n".into()), rendered_bytes: 64 }
}

fn until(seconds: u64) -> Mute {
    Mute { until: Some(NOW.after(std::time::Duration::from_secs(seconds))) }
}

fn mute(session: u64) -> Op {
    Op::Mute { session, mute: until(60), seconds: Some(60) }
}

/// The state after these people have asked for that, one after the other.
#[track_caller]
fn after(mut state: State, asked: &[(By, Op)]) -> State {
    for (by, op) in asked {
        let facts =
            state.decide(*by, op.clone(), NOW).unwrap_or_else(|no| panic!("{op:?}: {no:?}"));
        facts.iter().for_each(|fact| state.apply(fact));
    }
    state
}

#[track_caller]
fn check(state: &State, by: By, op: Op, expected: Result<Vec<Fact>, Refusal>) {
    assert_eq!(state.decide(by, op.clone(), NOW), expected, "{by:?} asks for {op:?}");
}

use By::{Member, Operator, Time as Due};

const NO_MEMBER: Result<Vec<Fact>, Refusal> = Err(Refusal::NoMember);

#[test]
fn locks_limits_and_kicks_keep_people_out() {
    let dave = || join("dave");
    let is_in = || Ok(vec![joined(4, "dave", 13)]);
    let room = private();
    check(&room, Member(4), dave(), is_in());
    check(&room, Operator, dave(), NO_MEMBER);
    check(&room, Member(2), join("bob"), Err(Refusal::Already));

    let locked = after(private(), &[(Member(1), Op::Lock(true))]);
    check(&locked, Member(4), dave(), Err(Refusal::Locked));
    let full = after(private(), &[(Member(1), Op::Limit(3))]);
    check(&full, Member(4), dave(), Err(Refusal::Full { limit: 3 }));
    // Neither keeps the owner out.
    for state in [locked, full] {
        let state = after(state, &[(Member(1), Op::Move)]);
        let back = state.decide(Member(1), join("alice"), NOW);
        assert_eq!(back.map(|facts| facts.len()), Ok(1));
    }

    let kicked = after(private(), &[(Member(1), Op::Kick { session: 2, seconds: 60 })]);
    let another_name = join("robert");
    check(&kicked, Member(2), another_name, Err(Refusal::Kicked { seconds: 60 }));
    let look_alike = join("b0b");
    check(&kicked, Member(4), look_alike, Err(Refusal::NameKicked { seconds: 60 }));
    let later = NOW.after(std::time::Duration::from_secs(60));
    assert!(kicked.decide(Member(2), join("bob"), later).is_ok());
}

#[test]
fn the_first_to_join_a_room_without_an_owner_owns_it() {
    let empty =
        after(private(), &[1, 2, 3].map(|session| (Member(session), Op::Leave { text: None })));
    let ownerless = after(empty, &[(Due, Op::OwnerGone(1))]);
    let user = || name("dave");
    let facts = ownerless.decide(Member(4), join("dave"), NOW).expect("it is open");
    let owner = Change::Owner { session: 4, user: user() };
    assert_eq!(facts[1], fact(17, owner));
    let public = State::new(Beginning::default(), NOW);
    check(&public, Member(4), join("dave"), Ok(vec![joined(4, "dave", 0)]));
}

#[test]
fn a_leave_carries_its_last_words_unless_the_member_is_muted() {
    let word = || Some("bye".to_owned());
    let left = |text| fact(13, Change::Left { session: 2, user: name("bob"), text });
    let room = private();
    check(&room, Member(2), Op::Leave { text: word() }, Ok(vec![left(word())]));
    check(&room, Member(2), Op::Move, Ok(vec![left(None)]));
    check(&room, Member(9), Op::Leave { text: word() }, Ok(vec![]));
    check(&room, Member(9), Op::Move, NO_MEMBER);

    // The owner's mute ends with the session, and goes on when it only moves.
    let muted = after(private(), &[(Member(1), mute(2))]);
    let left = |text| Fact { id: Some(14), ..left(text) };
    let (session, user, muter) = (2, None, Muter::Owner);
    let forgotten = fact(None, Change::Unmuted { session, user, muter, by: None });
    check(&muted, Member(2), Op::Leave { text: word() }, Ok(vec![left(None), forgotten]));
    check(&muted, Member(2), Op::Move, Ok(vec![left(None)]));
    let back = after(muted, &[(Member(2), Op::Move), (Member(2), join("bob"))]);
    check(&back, Member(2), Op::Say(vec![speech("hi")]), Err(Refusal::Muted { seconds: Some(60) }));
}

/// Somebody's joining that nobody is told of.
fn joined_quietly(session: u64, user: &str, quiet: Quiet) -> Fact {
    fact(
        None,
        Change::Joined {
            session,
            user: name(user),
            quiet: Some(quiet),
            origin: 0,
            comes_back: false,
            stream: false,
        },
    )
}

/// A public room where 2 is bob, 3 is logbot from this machine and 4 is reader from another;
/// the next event is 11.
fn public_with_quiet_members() -> State {
    let mut state = State::new(Beginning { first_id: 10, ..Beginning::default() }, NOW);
    state.apply(&joined_quietly(3, "logbot", Quiet::Speaking));
    state.apply(&joined(2, "bob", 10));
    state.apply(&joined_quietly(4, "reader", Quiet::ReadOnly));
    state
}

#[test]
fn quiet_sessions_join_and_leave_public_rooms_without_a_word() {
    let (session, room) = (4, State::new(Beginning::default(), NOW));
    for quiet in [Quiet::Speaking, Quiet::ReadOnly] {
        let join = || Op::Join {
            user: name("reader"),
            quiet: Some(quiet),
            muted: None,
            origin: 0,
            comes_back: false,
            stream: false,
        };
        check(&room, Member(4), join(), Ok(vec![joined_quietly(4, "reader", quiet)]));
        check(&private(), Member(4), join(), Err(Refusal::PublicOnly));
        // Neither the key nor ownership helps.
        let empty = after(private(), &[(Member(1), Op::Move)]);
        check(&empty, Member(1), join(), Err(Refusal::PublicOnly));

        let inside = after(room.clone(), &[(Member(4), join())]);
        let (user, text) = (name("reader"), None);
        let left =
            || Ok(vec![fact(None, Change::Left { session, user: user.clone(), text: None })]);
        check(&inside, Member(4), Op::Leave { text: Some("bye".into()) }, left());
        check(&inside, Member(4), Op::Leave { text }, left());
        check(&inside, Member(4), Op::Move, left());
        let gone = after(inside, &[(Member(4), Op::Move)]);
        assert_eq!((gone.members().len(), gone.next_id()), (0, 0));
        assert_eq!(gone.empty_since(), Some(NOW), "it ends like any other");
    }
}

#[test]
fn quiet_sessions_count_as_members_in_the_order_in_which_they_came() {
    let room = public_with_quiet_members();
    let names = |state: &State| -> Vec<String> {
        state.members().in_order().map(|member| member.user.to_string()).collect()
    };
    assert_eq!(names(&room), ["logbot", "bob", "reader"]);
    assert_eq!(names(&again(&room)), names(&room));
    let bob = room.member(2).expect("bob is here");
    let after_bob = room.members().after_member(bob).map(|member| member.session);
    assert_eq!(after_bob.collect::<Vec<_>>(), [4]);
    let full = after(room.clone(), &[(Operator, Op::Limit(3))]);
    check(&full, Member(5), join("dave"), Err(Refusal::Full { limit: 3 }));
    let quietly = Op::Join {
        user: name("dave"),
        quiet: Some(Quiet::Speaking),
        muted: None,
        origin: 0,
        comes_back: false,
        stream: false,
    };
    check(&full, Member(5), quietly.clone(), Err(Refusal::Full { limit: 3 }));
    let locked = after(room, &[(Operator, Op::Lock(true))]);
    check(&locked, Member(5), quietly, Err(Refusal::Locked));
}

#[test]
fn a_quiet_session_says_something_on_this_machine_only() {
    let room = public_with_quiet_members();
    let all = || {
        let topic = Op::Topic("cake".into());
        [Op::Say(vec![speech("hi")]), topic, Op::Rename(name("somebody-else"))]
    };
    for op in all() {
        check(&room, Member(4), op.clone(), Err(Refusal::ReadOnly));
        assert_eq!(room.decide(Member(3), op, NOW).map(|facts| facts.len()), Ok(1));
    }
    assert_eq!(room.check_speaks(Member(4), NOW), Err(Refusal::ReadOnly));

    // It is decided anew where it comes back from.
    let from = |session, quiet| (Member(session), Op::Back { quiet: Some(quiet), origin: 0 });
    let room = after(room, &[from(4, Quiet::Speaking), from(3, Quiet::ReadOnly)]);
    for op in all() {
        check(&room, Member(3), op.clone(), Err(Refusal::ReadOnly));
        assert_eq!(room.decide(Member(4), op, NOW).map(|facts| facts.len()), Ok(1));
    }
    // Nobody becomes quiet, or loud, on the way.
    let room =
        after(room, &[from(2, Quiet::ReadOnly), (Member(4), Op::Back { quiet: None, origin: 0 })]);
    let is_quiet = |session| room.member(session).is_some_and(|member| member.quiet.is_some());
    assert!(!is_quiet(2) && is_quiet(4));
}

#[test]
fn moderation_of_a_quiet_member_is_announced_as_usual() {
    let room = public_with_quiet_members();
    let (session, user, by) = (4, name("reader"), None);
    let (seconds, until) = (60, NOW.after(std::time::Duration::from_secs(60)));
    let kicked = Change::Kicked { session, user: user.clone(), seconds, until, by: None };
    check(&room, Operator, Op::Kick { session, seconds }, Ok(vec![fact(11, kicked)]));
    let (muter, seconds) = (Muter::Operator, Some(60));
    let mute = Mute { until: Some(until) };
    let muted = Change::Muted { session, user, muter, mute, seconds, by };
    check(&room, Operator, Op::Mute { session, mute, seconds }, Ok(vec![fact(11, muted)]));
}

#[test]
fn a_connection_that_is_cut_or_new_is_noted_without_a_word() {
    let back = || Op::Back { quiet: None, origin: 0 };
    let (session, quiet) = (2, None);
    check(&private(), Member(2), Op::Away, Ok(vec![fact(None, Change::Away { session })]));
    check(
        &private(),
        Member(2),
        back(),
        Ok(vec![fact(None, Change::Back { session, quiet, origin: 0 })]),
    );
    check(&private(), Member(9), back(), NO_MEMBER);
    let state = after(private(), &[(Member(2), Op::Away)]);
    assert!(state.member(2).is_some_and(|bob| bob.away) && state.next_id() == 13);
}

#[test]
fn messages_sent_together_are_said_in_order_or_refused_together() {
    let said = |id, text: &str| {
        let (nonce, text) = (None, text.to_owned());
        let (session, user, me, rendered_bytes) = (2, name("bob"), false, 64);
        let teacher = false;
        fact(id, Change::Said { session, user, text, me, teacher, nonce, rendered_bytes })
    };
    let speech = |text| Speech { nonce: None, ..speech(text) };
    let op = || Op::Say(vec![speech("a"), speech("b")]);
    check(&private(), Member(2), op(), Ok(vec![said(13, "a"), said(14, "b")]));
    check(&private(), Member(9), op(), NO_MEMBER);
    check(&private(), Operator, op(), NO_MEMBER);
    let muted = after(private(), &[(Member(1), mute(2))]);
    check(&muted, Member(2), op(), Err(Refusal::Muted { seconds: Some(60) }));
    let text = || "hear".to_owned();
    let announced = fact(13, Change::Announced { text: text() });
    check(&private(), Operator, Op::Announce(text()), Ok(vec![announced]));
}

/// A public room in a lesson with slow mode, where 4 is dave.
fn in_slow_lesson() -> State {
    let mut state = State::new(Beginning::default(), NOW);
    state.apply(&joined(4, "dave", 1));
    let slowed = LessonChange::Slowed { seconds: Some(10), by: None };
    for (number, change) in (1..).zip([LessonChange::Begun { title: None, by: None }, slowed]) {
        let change = Change::Lesson(Arc::new(LessonFact { number, time: NOW, change }));
        state.apply(&fact(1 + number, change));
    }
    state
}

#[test]
fn a_room_that_is_opened_in_a_lesson_takes_in_what_it_lacks_and_nothing_twice() {
    let by = || None;
    let hand = |session, user| LessonChange::HandRaised {
        session,
        user: name(user),
        text: None,
        for_teachers: false,
        place: 1,
    };
    let changes = [
        LessonChange::Begun { title: None, by: by() },
        LessonChange::Slowed { seconds: Some(10), by: by() },
        hand(4, "dave"),
        LessonChange::Listening { on: true, by: by() },
        hand(5, "erin"),
    ];
    let changes: Vec<_> = (1_001..)
        .zip(changes)
        .map(|(number, change)| Arc::new(LessonFact { number, time: NOW, change }))
        .collect();
    let so_far = |until: usize, recent: usize| {
        let lesson = LessonState::replay(changes[..until].iter().map(|it| &**it));
        let recent = changes[until - recent..until].to_vec();
        Op::LessonSoFar(Box::new(LessonSoFar { class: lesson.class(), recent }))
    };
    let told = |id: u64, number: usize| fact(id, Change::Lesson(changes[number].clone()));
    let change = |number: usize| Op::Lesson(changes[number].clone());

    // One that has heard of no lesson begins with the rules of this one, and with its members.
    let mut room = State::new(Beginning::default(), NOW);
    room.apply(&joined(4, "dave", 1));
    check(&room, By::Time, change(1), Ok(vec![]));
    room = after(room, &[(By::Time, so_far(2, 2))]);
    assert!(room.class().is_slow() && room.class().attended("dave").is_some());
    // Whoever posts first is heard.
    check(&room, By::Time, change(2), Ok(vec![told(2, 2)]));
    check(&room, By::Time, so_far(2, 2), Ok(vec![]));
    room = after(room, &[(By::Time, change(2))]);
    check(&room, By::Time, change(2), Ok(vec![]));
    // What has a hole before it comes once the hole is filled.
    check(&room, By::Time, change(4), Ok(vec![]));
    check(&room, By::Time, so_far(5, 4), Ok(vec![told(3, 3), told(4, 4)]));
    // If nobody knows any more what was missed, the rules hold all the same.
    room = after(room, &[(By::Time, so_far(5, 1))]);
    assert_eq!(room.class().check_speaks(4, NOW), Err(Refusal::Listening));
    check(&room, By::Time, change(3), Ok(vec![]));
    // The lesson that it knows is over, and with it all servers that knew it.
    let class = LessonState::first(2_000).class();
    let over = Op::LessonSoFar(Box::new(LessonSoFar { class, recent: Vec::new() }));
    room = after(room, &[(By::Time, over.clone())]);
    assert!(!room.class().is_running());
    check(&private(), By::Time, over, Ok(vec![]));
}

#[test]
fn of_several_messages_at_once_slow_mode_takes_one_and_hands_back_the_others() {
    let says = |nonces: &[&str]| {
        let speech = |nonce: &&str| Speech { nonce: Some((*nonce).into()), ..speech("hi") };
        in_slow_lesson().hear(Member(4), nonces.iter().map(speech).collect(), NOW)
    };
    let nonces = |speeches: &[Speech]| {
        let nonces = speeches.iter().filter_map(|speech| speech.nonce.clone());
        nonces.collect::<Vec<_>>().concat()
    };
    let heard = says(&["a", "a", "b", "b"]);
    assert_eq!((heard.said.len(), heard.repeated), (1, vec!["a".to_owned()]));
    let (refused, refusal) = heard.refused.expect("one at a time");
    assert_eq!((&*nonces(&refused), refusal), ("bb", Refusal::Slow { seconds: 10 }));
    // One that is there twice is one.
    let heard = says(&["a", "a"]);
    assert_eq!((heard.said.len(), heard.repeated), (1, vec!["a".to_owned()]));
    assert!(heard.refused.is_none());
}

#[test]
fn a_teacher_moderates_public_rooms_and_no_private_one() {
    let lock = || Op::Lock(true);
    check(&private(), By::Teacher(2), lock(), Err(Refusal::OwnerOnly));
    let public = in_slow_lesson();
    assert!(public.decide(By::Teacher(4), lock(), NOW).is_ok());
    check(&public, Member(4), lock(), Err(Refusal::OwnerOnly));
    // In a lesson, the topic is a teacher's too.
    let topic = || Op::Topic("sums".into());
    check(&public, Member(4), topic(), Err(Refusal::TeacherOnly));
    assert!(public.decide(By::Teacher(4), topic(), NOW).is_ok());
}

#[test]
fn lasting_room_state_is_restored_after_a_restart() {
    let kick = Op::Kick { session: 3, seconds: 60 };
    let asked = [Op::Lock(true), Op::Limit(9), mute(2), kick].map(|op| (Member(1), op));
    let lasting = after(private(), &asked).lasting();
    let again = || Beginning { lasting: Some(lasting.clone()), ..Beginning::default() };
    assert_eq!(again().timed_mutes(), [(2, NOW.after(std::time::Duration::from_secs(60)))]);
    let state = State::new(again(), NOW);
    assert_eq!(state.lasting(), lasting);
    assert_eq!(state.topic().map(|topic| &**topic), Some("tea"));
    check(&state, Member(4), join("dave"), Err(Refusal::Locked));
    check(&state, Member(3), join("carol"), Err(Refusal::Kicked { seconds: 60 }));
}

#[test]
fn a_message_with_a_repeated_nonce_is_said_once_even_by_a_muted_member() {
    let say = |nonces: &[&str]| {
        let speech = |nonce: &&str| Speech { nonce: Some((*nonce).into()), ..speech("hi") };
        Op::Say(nonces.iter().map(speech).collect())
    };
    let ids = |state: &State, by, nonces| {
        let facts = state.decide(by, say(nonces), NOW)?;
        Ok(facts.into_iter().filter_map(|fact| fact.id).collect::<Vec<_>>())
    };
    assert_eq!(ids(&private(), Member(2), &["a", "b", "a"]), Ok(vec![13, 14]), "twice at once");
    let said = after(private(), &[(Member(2), say(&["a", "b"]))]);
    assert_eq!(
        (said.knows_nonce(2, "a"), said.knows_nonce(2, "b")),
        (Some(Some(13)), Some(Some(14)))
    );
    assert_eq!(said.knows_nonce(3, "a"), None, "each has their own");
    assert_eq!(ids(&said, Member(2), &["b", "c", "a"]), Ok(vec![15]));
    assert_eq!(ids(&said, Member(3), &["a"]), Ok(vec![15]));

    let muted = after(said, &[(Member(1), mute(2))]);
    let refused = Refusal::Muted { seconds: Some(60) };
    assert_eq!(ids(&muted, Member(2), &["a"]), Ok(vec![]));
    assert_eq!(ids(&muted, Member(2), &["a", "c"]), Err(refused));
    let Op::Say(speeches) = say(&["a", "c"]) else { unreachable!("it says something") };
    let heard = muted.hear(Member(2), speeches, NOW);
    let (others, _) = heard.refused.expect("the new one");
    assert_eq!((heard.repeated, others[0].nonce.as_deref()), (vec!["a".into()], Some("c")));

    // They are brought along to another room.
    let brought = muted.nonces(2).cloned().map(Box::new).expect("two");
    let there = after(private(), &[(Member(2), Op::BringNonces(brought))]);
    assert_eq!(there.knows_nonce(2, "b"), Some(Some(14)));
    assert_eq!(ids(&there, Member(2), &["b", "c"]), Ok(vec![13]));
}

#[test]
fn members_set_the_topic_and_change_their_names() {
    let room = private();
    let topic = |topic: &str| Op::Topic(topic.into());
    check(&room, Member(2), topic("tea"), Err(Refusal::Already));
    check(&room, Member(9), topic("cake"), NO_MEMBER);
    let none = Change::Topic { by: Some(name("bob")), topic: "".into() };
    check(&room, Member(2), topic(""), Ok(vec![fact(13, none)]));
    let rob = || Op::Rename(name("rob"));
    check(&room, Operator, rob(), NO_MEMBER);
    let renamed = Change::Renamed { session: 2, user: name("bob"), to: name("rob") };
    check(&room, Member(2), rob(), Ok(vec![fact(13, renamed)]));

    let muted = after(private(), &[(Member(1), mute(2))]);
    for op in [rob(), topic("cake")] {
        check(&muted, Member(2), op, Err(Refusal::Muted { seconds: Some(60) }));
    }
    let kicked = after(private(), &[(Operator, Op::Kick { session: 3, seconds: 60 })]);
    let carol = Op::Rename(name("Carol"));
    check(&kicked, Member(2), carol, Err(Refusal::NameKicked { seconds: 60 }));
}

#[test]
fn only_owner_and_operator_moderate_and_only_other_members() {
    let here = || {
        vec![
            Op::Kick { session: 3, seconds: 60 },
            mute(3),
            Op::Unmute { session: 3 },
            Op::Unkick { name: name("carol"), session: Some(3) },
            Op::Lock(true),
            Op::Limit(5),
            Op::Transcribe,
            Op::Owner(3),
            Op::End,
        ]
    };
    for op in here() {
        check(&private(), Member(2), op.clone(), Err(Refusal::OwnerOnly));
        check(&private(), Member(9), op.clone(), NO_MEMBER);
        check(&private(), Due, op, NO_MEMBER);
    }
    for op in [Op::Kick { session: 1, seconds: 60 }, mute(1), Op::Owner(1)] {
        check(&private(), Member(1), op, Err(Refusal::Oneself));
    }
    for op in [Op::Kick { session: 9, seconds: 60 }, mute(9), Op::Owner(9)] {
        for by in [Member(1), Operator] {
            check(&private(), by, op.clone(), Err(Refusal::NotHere));
        }
    }
    for (by, op) in [
        (Member(1), Op::Unmute { session: 2 }),
        (Operator, Op::Unmute { session: 2 }),
        (Member(1), Op::Unkick { name: name("bob"), session: Some(2) }),
        (Member(1), Op::Lock(false)),
    ] {
        check(&private(), by, op, Err(Refusal::Already));
    }
}

#[test]
fn moderation_names_the_owner_but_not_the_operator() {
    for (asker, by) in [(Member(1), Some(name("alice"))), (Operator, None)] {
        let facts = |change| Ok(vec![fact(13, change)]);
        let (user, seconds, session) = (name("bob"), 60, 2);
        let until = NOW.after(std::time::Duration::from_secs(60));
        let kicked = Change::Kicked { session, user, seconds, until, by: by.clone() };
        check(&private(), asker, Op::Kick { session, seconds }, facts(kicked));
        let locked = Change::Locked { locked: true, by: by.clone() };
        check(&private(), asker, Op::Lock(true), facts(locked));
        let limited = Change::Limited { limit: 5, by: by.clone() };
        check(&private(), asker, Op::Limit(5), facts(limited));
        check(&private(), asker, Op::Transcribe, facts(Change::Transcribed { by: by.clone() }));
        let owner = Change::Owner { session: 2, user: name("bob") };
        check(&private(), asker, Op::Owner(2), facts(owner));
        check(&private(), asker, Op::End, facts(Change::Ended { by: by.clone() }));

        let kicked = after(private(), &[(Member(1), Op::Kick { session, seconds })]);
        let lifted = vec![fact(14, Change::Unkicked { user: name("bob"), by })];
        let unkick = |name_now: &str, session| Op::Unkick { name: name(name_now), session };
        check(&kicked, asker, unkick("BOB", None), Ok(lifted.clone()));
        check(&kicked, asker, unkick("robert", Some(2)), Ok(lifted));
        check(&kicked, asker, unkick("robert", None), Err(Refusal::Already));
    }
}

#[test]
fn a_mute_is_told_when_it_begins_and_when_nothing_else_keeps_one_from_speaking() {
    let (owner, operator) = ((Member(1), mute(2)), (Operator, mute(2)));
    let lift = || Op::Unmute { session: 2 };
    let over = |muter, seconds| {
        let until = until(seconds).until.expect("it ends");
        Op::MuteOver { session: 2, muter, until }
    };
    let unmuted = |id: Option<u64>, muter, by: Option<&str>| {
        let (session, user) = (2, Some(name("bob")));
        fact(id, Change::Unmuted { session, user, muter, by: by.map(name) })
    };
    let by_owner = after(private(), std::slice::from_ref(&owner));
    let told = Some(14);
    check(&by_owner, Member(1), lift(), Ok(vec![unmuted(told, Muter::Owner, Some("alice"))]));
    check(&by_owner, Operator, lift(), Ok(vec![unmuted(told, Muter::Owner, None)]));
    check(&by_owner, Due, over(Muter::Owner, 60), Ok(vec![unmuted(told, Muter::Owner, None)]));
    check(&by_owner, Due, over(Muter::Owner, 61), Err(Refusal::Already));
    check(&by_owner, Due, over(Muter::Operator, 60), Err(Refusal::Already));

    let by_operator = after(private(), std::slice::from_ref(&operator));
    check(&by_operator, Member(1), lift(), Err(Refusal::Already));
    let over_now = over(Muter::Operator, 60);
    check(&by_operator, Due, over_now, Ok(vec![unmuted(told, Muter::Operator, None)]));

    let both = after(private(), &[owner, operator]);
    let told = Some(15);
    check(&both, Member(1), lift(), Ok(vec![unmuted(None, Muter::Owner, Some("alice"))]));
    check(&both, Due, over(Muter::Operator, 60), Ok(vec![unmuted(None, Muter::Operator, None)]));
    let lifted = vec![unmuted(None, Muter::Owner, None), unmuted(told, Muter::Operator, None)];
    check(&both, Operator, lift(), Ok(lifted));

    // Brought along, it is not told.
    let brought = private().decide(Member(2), Op::BringMute(until(60)), NOW);
    assert!(brought.is_ok_and(|facts| facts.len() == 1 && facts[0].id.is_none()));
    let muted = Op::Join {
        user: name("dave"),
        quiet: None,
        muted: Some(until(60)),
        origin: 0,
        comes_back: false,
        stream: false,
    };
    let joined = after(private(), &[(Member(4), muted)]);
    let refused = Err(Refusal::Muted { seconds: Some(60) });
    assert_eq!((joined.check_speaks(Member(4), NOW), joined.next_id()), (refused, 14));
}

#[test]
fn everyone_is_muted_by_the_operator_only_and_told_once() {
    let all = || Op::MuteAll { mute: until(60), seconds: Some(60) };
    for by in [Member(1), Member(2)] {
        check(&private(), by, all(), Err(Refusal::OwnerOnly));
        check(&private(), by, Op::UnmuteAll { only: None }, Err(Refusal::OwnerOnly));
    }
    let told = |facts: &[Fact]| facts.iter().filter(|fact| fact.id.is_some()).count();
    let facts = private().decide(Operator, all(), NOW).expect("the operator may");
    assert_eq!((facts.len(), told(&facts)), (4, 1));
    let muted = after(private(), &[(Operator, all())]);
    for session in [1, 2, 3] {
        let refused = Err(Refusal::Muted { seconds: Some(60) });
        assert_eq!(muted.check_speaks(Member(session), NOW), refused);
    }
    let lifted = after(muted, &[(Due, Op::UnmuteAll { only: Some(until(60)) })]);
    assert_eq!(lifted.check_speaks(Member(2), NOW), Ok(()));
}

#[test]
fn only_so_many_mutes_of_people_elsewhere_are_kept() {
    let mut state = private();
    for session in 100..100 + ABSENT_MUTES as u64 + 20 {
        let join = join(&format!("n{session}"));
        let asked =
            [(Member(session), join), (Member(1), mute(session)), (Member(session), Op::Move)];
        state = after(state, &asked);
    }
    state = after(state, &[(Member(1), mute(2))]);
    assert_eq!(state.muted.len(), ABSENT_MUTES + 1);
    assert!(state.owners_mute(2).is_some() && state.owners_mute(100).is_none());
    assert!(state.owners_mute(100 + ABSENT_MUTES as u64 + 19).is_some());
}

#[test]
fn ownership_goes_to_the_longest_standing_member_or_to_nobody() {
    let mut state = private();
    check(&state, Due, Op::OwnerGone(2), Ok(vec![]));
    for heir in [Some(2), Some(3), None] {
        let owner = state.access().owner.expect("somebody owns it");
        let gone = (Member(owner), Op::Leave { text: None });
        state = after(state, &[gone, (Due, Op::OwnerGone(owner))]);
        assert_eq!(state.access().owner, heir);
    }
}

#[test]
fn a_server_that_is_no_more_takes_its_members_out_and_nobody_else() {
    let join = |user: &str, origin, comes_back| {
        let (user, quiet, muted) = (name(user), None, None);
        Op::Join { user, quiet, muted, origin, comes_back, stream: false }
    };
    let joined = [
        (Member(4), join("dave", 7, false)),
        (Member(5), join("eve", 8, false)),
        (Member(6), join("finn", 7, true)),
        (Member(7), join("gil", 7, true)),
        (Member(7), Op::Away),
        (Member(8), join("hal", 7, true)),
    ];
    let state = after(private(), &joined);
    check(&state, Member(1), Op::Buried(7), Err(Refusal::OwnerOnly));
    check(&state, Member(1), Op::Unclaimed(7), Err(Refusal::OwnerOnly));
    let left =
        |session, user: &str, id| fact(id, Change::Left { session, user: name(user), text: None });
    let away = |session| fact(None, Change::Away { session });
    let buried = vec![away(6), away(8), left(4, "dave", 18)];
    check(&state, Due, Op::Buried(7), Ok(buried));
    // What is posted twice happens once.
    let state = after(state, &[(Due, Op::Buried(7))]);
    check(&state, Due, Op::Buried(7), Ok(vec![]));
    // Whoever has come back to another server stays.
    let state = after(state, &[(Member(8), Op::Arrive { quiet: None, origin: 8 })]);
    let unclaimed = vec![left(6, "finn", 19), left(7, "gil", 20)];
    check(&state, Due, Op::Unclaimed(7), Ok(unclaimed));
    let state = after(state, &[(Due, Op::Unclaimed(7))]);
    check(&state, Due, Op::Unclaimed(7), Ok(vec![]));
    assert_eq!(state.members().len(), 5);
}

#[test]
fn a_session_that_has_moved_on_is_not_brought_back_by_a_connection_that_it_had() {
    let arrives = |origin| (Member(1), Op::Arrive { quiet: None, origin });
    let back = |origin| Op::Back { quiet: None, origin };
    let change = |origin| fact(None, Change::Back { session: 1, quiet: None, origin });
    let state = after(private(), &[arrives(7)]);
    check(&state, Member(1), back(7), Ok(vec![change(7)]));
    let state = after(state, &[arrives(8)]);
    check(&state, Member(1), back(7), Err(Refusal::NoMember));
    check(&state, Member(1), back(8), Ok(vec![change(8)]));
    check(&state, Member(9), back(0), Err(Refusal::NoMember));
}

#[test]
fn a_room_whose_owner_was_on_a_server_that_is_no_more_goes_to_another_member() {
    let state = after(private(), &[(Member(1), Op::Arrive { quiet: None, origin: 7 })]);
    let owner = fact(14, Change::Owner { session: 2, user: name("bob") });
    let left = fact(13, Change::Left { session: 1, user: name("alice"), text: None });
    check(&state, Due, Op::Buried(7), Ok(vec![left, owner]));
}

#[test]
fn who_bears_a_name_that_another_has_claimed_leaves_first() {
    let (quiet, muted, stream) = (None, None, false);
    let joins = |user: &str, origin| {
        let user = name(user);
        Op::Join { user, quiet, muted, origin, comes_back: true, stream }
    };
    let left =
        |session, user: &str, id| fact(id, Change::Left { session, user: name(user), text: None });
    let joined = |session, user: &str, origin, id| {
        let user = name(user);
        fact(id, Change::Joined { session, user, quiet, origin, comes_back: true, stream })
    };
    // Dave's server is gone, and what was known of his session with it.
    let state = after(private(), &[(Member(4), joins("dave", 7)), (Due, Op::Buried(7))]);
    let instead = vec![left(4, "dave", 14), joined(9, "Dave", 8, 15)];
    check(&state, Member(9), joins("Dave", 8), Ok(instead));
    let renamed = Change::Renamed { session: 1, user: name("alice"), to: name("dave") };
    let instead = vec![left(4, "dave", 14), fact(15, renamed)];
    check(&state, Member(1), Op::Rename(name("dave")), Ok(instead));
    // Nobody else is in his way, and he is not in his own.
    let state = after(state, &[(Member(9), joins("Dave", 8))]);
    check(&state, Member(4), Op::Leave { text: None }, Ok(vec![]));
    let renamed = Change::Renamed { session: 9, user: name("Dave"), to: name("dave") };
    check(&state, Member(9), Op::Rename(name("dave")), Ok(vec![fact(16, renamed)]));
    // A name that was given up is free.
    let state = after(state, &[(Member(9), Op::Rename(name("dan")))]);
    check(&state, Member(8), joins("dave", 8), Ok(vec![joined(8, "dave", 8, 17)]));
}

#[test]
fn who_comes_in_the_place_of_an_owner_without_a_server_gets_no_more_than_a_newcomer() {
    let join = |user: &str| {
        let (user, quiet, muted) = (name(user), None, None);
        Op::Join { user, quiet, muted, origin: 8, comes_back: true, stream: false }
    };
    let is_full = [(Member(1), Op::Arrive { quiet: None, origin: 7 }), (Operator, Op::Limit(3))];
    let shared = after(private(), &is_full);
    // Who leaves makes room, and the longest there owns it now.
    let state = after(shared.clone(), &[(Member(9), join("alice"))]);
    assert!(state.member(1).is_none() && state.member(9).is_some());
    assert_eq!(state.access().owner, Some(2));
    // Whoever finds nobody else there has it.
    let gone = |session| (Member(session), Op::Leave { text: None });
    let alone = after(shared, &[gone(2), gone(3), (Member(9), join("Alice"))]);
    assert_eq!((alone.members().len(), alone.access().owner), (1, Some(9)));
}

#[test]
fn a_room_that_has_ended_refuses_everything() {
    let ended = |op: Op| after(private(), &[(Operator, op)]);
    for state in [ended(Op::End), ended(Op::Stop)] {
        assert!(state.has_ended() && state.members().is_empty());
        for op in [join("dave"), Op::Say(vec![]), Op::Lock(true), Op::Stop] {
            check(&state, Member(1), op, Err(Refusal::Ended));
        }
    }
    let since = |millis| Op::EndIfEmpty { since: Time::from_millis(millis) };
    check(&private(), Due, since(100_000), Err(Refusal::Already));
    let empty = State::new(Beginning::default(), NOW);
    check(&empty, Due, since(99_999), Err(Refusal::Already));
    let ended = Ok(vec![fact(None, Change::Ended { by: None })]);
    check(&empty, Due, since(100_000), ended);
}

fn user() -> impl Strategy<Value = UserName> {
    "[a-c]{1,2}".prop_map(|text| name(&text))
}

fn text() -> impl Strategy<Value = String> {
    "[a-c]{0,2}"
}

fn session() -> std::ops::Range<u64> {
    0..6
}

fn any_mute() -> impl Strategy<Value = Mute> {
    prop::option::of(0..3u64).prop_map(|seconds| seconds.map_or(Mute { until: None }, until))
}

fn any_speech() -> impl Strategy<Value = Speech> {
    (text(), any::<bool>(), prop::option::of(text())).prop_map(|(text, me, nonce)| Speech {
        text,
        me,
        nonce,
        rendered_bytes: 64,
    })
}

fn nonces() -> impl Strategy<Value = Box<Nonces>> {
    let noted = (text(), 0..9u64).prop_map(|(nonce, id)| Noted { hash: KEY.hash(&nonce), id });
    prop::collection::vec(noted, 0..3).prop_map(|noted| Box::new(Nonces::from(noted)))
}

fn muter() -> impl Strategy<Value = Muter> {
    prop_oneof![Just(Muter::Owner), Just(Muter::Operator)]
}

fn quiet() -> impl Strategy<Value = Option<Quiet>> {
    prop::option::of(prop_oneof![Just(Quiet::Speaking), Just(Quiet::ReadOnly)])
}

fn op() -> impl Strategy<Value = Op> {
    let moderation = prop_oneof![
        (session(), 0..3u64).prop_map(|(session, seconds)| Op::Kick { session, seconds }),
        (user(), prop::option::of(session()))
            .prop_map(|(name, session)| Op::Unkick { name, session }),
        (session(), any_mute(), prop::option::of(0..3u64))
            .prop_map(|(session, mute, seconds)| Op::Mute { session, mute, seconds }),
        session().prop_map(|session| Op::Unmute { session }),
        (any_mute(), prop::option::of(0..3u64))
            .prop_map(|(mute, seconds)| Op::MuteAll { mute, seconds }),
        prop::option::of(any_mute()).prop_map(|only| Op::UnmuteAll { only }),
        (session(), muter(), 0..3u64).prop_map(|(session, muter, seconds)| {
            let until = until(seconds).until.expect("it ends");
            Op::MuteOver { session, muter, until }
        }),
        any::<bool>().prop_map(Op::Lock),
        (0..9usize).prop_map(Op::Limit),
        Just(Op::Transcribe),
        session().prop_map(Op::Owner),
        session().prop_map(Op::OwnerGone),
    ];
    let endings = prop_oneof![
        Just(Op::End),
        Just(Op::Stop),
        (0..10i64).prop_map(|at| Op::EndIfEmpty { since: Time::from_millis(100_000 + at) }),
    ];
    prop_oneof![
        12 => (user(), quiet(), prop::option::of(any_mute()), 0..3u64, any::<bool>()).prop_map(
            |(user, quiet, muted, origin, comes_back)| {
                Op::Join { user, quiet, muted, origin, comes_back, stream: false }
            },
        ),
        1 => (0..3u64).prop_map(Op::Buried),
        1 => (0..3u64).prop_map(Op::Unclaimed),
        3 => prop::option::of(text()).prop_map(|text| Op::Leave { text }),
        2 => Just(Op::Move),
        3 => prop_oneof![
            Just(Op::Away),
            (quiet(), 0..3u64).prop_map(|(quiet, origin)| Op::Back { quiet, origin }),
            (quiet(), 0..3u64).prop_map(|(quiet, origin)| Op::Arrive { quiet, origin }),
        ],
        4 => prop::collection::vec(any_speech(), 0..3).prop_map(Op::Say),
        1 => text().prop_map(Op::Announce),
        1 => (text(), 0..3_u64).prop_map(|(text, number)| Op::Once {
            number,
            op: Box::new(Op::Announce(text)),
        }),
        1 => any_mute().prop_map(Op::BringMute),
        1 => nonces().prop_map(Op::BringNonces),
        2 => text().prop_map(|topic| Op::Topic(topic.into())),
        2 => user().prop_map(Op::Rename),
        10 => moderation,
        1 => endings,
    ]
}

/// What somebody asks, and how many milliseconds after what was asked before.
fn step() -> impl Strategy<Value = (By, Op, i64)> {
    let by = prop_oneof![
        4 => session().prop_map(Member),
        1 => Just(Operator),
        1 => Just(Due),
    ];
    (by, op(), 0..2_000i64)
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data")
}

/// What is read back from what was written out.
fn again<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_slice(&bytes(value)).expect("what was written")
}

proptest! {
    #[test]
    fn facts_make_the_state_again_that_led_to_them(
        owner in prop_oneof![Just(None), Just(Some(1))],
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let fresh =
            || State::new(Beginning { first_id: 5, owner, nonce_key: KEY, ..Beginning::default() }, NOW);
        let (mut state, mut facts, mut now) = (fresh(), Vec::new(), 100_000);
        // What another machine makes of the same ops, which come to it from a log.
        let mut elsewhere = fresh();
        for (by, op, later) in steps {
            now += later;
            let before = bytes(&state);
            prop_assert_eq!(&again(&op), &op);
            let mut body = EntryBody::new();
            body.push(by, &op);
            let (time, body) = (Time::from_millis(now), body.into_bytes().into());
            let entry = LogEntry { number: 1, origin: 1, seq: 1, time, ids_above: 0, body };
            let decided = state.decide(by, op, time);
            let (by, op) = entry.ops().expect("it was written").remove(0);
            for fact in elsewhere.decide(by, op, entry.time).into_iter().flatten() {
                elsewhere.apply(&fact);
            }
            prop_assert_eq!(bytes(&state), before, "deciding changes nothing");
            for fact in decided.into_iter().flatten() {
                // Ids rise by one, and every event has one.
                prop_assert!(fact.id.is_none_or(|id| id == state.next_id()));
                let lasting = state.lasting();
                state.apply(&fact);
                prop_assert!(fact.change.lasts() || state.lasting() == lasting, "{:?}", fact);
                facts.push(again(&fact));
            }
        }
        let mut replayed = fresh();
        facts.iter().for_each(|fact| replayed.apply(fact));
        prop_assert_eq!(bytes(&replayed), bytes(&state));
        prop_assert_eq!(bytes(&elsewhere), bytes(&state));
        prop_assert_eq!(&again(&state), &state, "it is written out whole");
        // Twice, or in the wrong order, each changes what it can.
        let mut reversed = fresh();
        for fact in facts.iter().rev().chain(&facts) {
            reversed.apply(fact);
            let written: State = again(&reversed);
            prop_assert_eq!(written.members().len(), reversed.members().len());
        }
    }

    #[test]
    fn a_fact_about_somebody_absent_changes_nothing(session in 4..9u64, user in user(), id in 0..99u64) {
        let (muter, mute, until) = (Muter::Operator, Mute { until: None }, NOW);
        let by = || Some(name("alice"));
        let changes = [
            Change::Left { session, user: user.clone(), text: None },
            Change::Away { session },
            Change::Back { session, quiet: Some(Quiet::Speaking), origin: 0 },
            Change::Renamed { session, user: user.clone(), to: name("eve") },
            Change::Kicked { session, user: user.clone(), seconds: 1, until, by: by() },
            Change::Unkicked { user: user.clone(), by: by() },
            Change::Muted { session, user: user.clone(), muter, mute, seconds: None, by: None },
            Change::Unmuted { session, user: Some(user.clone()), muter, by: None },
            Change::Unmuted { session, user: Some(user.clone()), muter: Muter::Owner, by: by() },
            Change::Owner { session, user },
        ];
        for change in changes {
            let mut state = private();
            state.apply(&fact(id, change));
            prop_assert_eq!(bytes(&state), bytes(&private()));
        }
    }
}
