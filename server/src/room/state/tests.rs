//! What is decided, as a table; and that facts make the state again, in whatever order
//! they come without harm.

use proptest::prelude::*;

use super::*;

/// Owned by the session 1, alice; 2 is bob, and 3 is not here.
fn private() -> State {
    let mut state = State::new(Some(1), Some("tea".into()));
    for (session, user, id) in [(1, "alice", 10), (2, "bob", 11)] {
        state.apply(&Fact::Joined { session, user: user.into(), id });
    }
    state
}

#[test]
fn what_is_asked_leads_to_a_fact_or_says_why_not() {
    use Asker::{Member, Operator, Time};
    let (alice, bob, limit) = (|| "alice".into(), || "bob".into(), 5);
    let cases = [
        (Member(2), Op::Topic("tea".into()), Err(Refusal::Already)),
        (Member(3), Op::Topic("cake".into()), Err(Refusal::NoMember)),
        (
            Member(2),
            Op::Topic("".into()),
            Ok(Some(Fact::Topic { session: 2, user: bob(), topic: "".into() })),
        ),
        (Operator, Op::Rename("root".into()), Err(Refusal::NoMember)),
        (
            Member(2),
            Op::Rename("rob".into()),
            Ok(Some(Fact::Renamed { session: 2, user: bob(), to: "rob".into() })),
        ),
        (Member(1), Op::Lock(true), Ok(Some(Fact::Locked { user: alice(), locked: true }))),
        (Member(1), Op::Lock(false), Err(Refusal::Already)),
        (Member(2), Op::Lock(true), Err(Refusal::OwnerOnly)),
        (Operator, Op::Lock(true), Ok(Some(Fact::Locked { user: "".into(), locked: true }))),
        (Time, Op::Lock(true), Err(Refusal::NoMember)),
        (Member(1), Op::Limit(5), Ok(Some(Fact::Limited { user: alice(), limit }))),
        (Member(2), Op::Limit(5), Err(Refusal::OwnerOnly)),
        (Member(1), Op::Owner(1), Err(Refusal::Oneself)),
        (Member(1), Op::Owner(3), Err(Refusal::NotHere)),
        (Member(1), Op::Owner(2), Ok(Some(Fact::Owner { session: 2, user: bob() }))),
        (Time, Op::OwnerGone(2), Ok(None)),
        (Time, Op::OwnerGone(1), Ok(Some(Fact::Owner { session: 1, user: alice() }))),
    ];
    for (by, op, expected) in cases {
        assert_eq!(private().decide(by, &op), expected, "{by:?} asks for {op:?}");
    }
}

#[test]
fn the_room_goes_to_who_has_been_here_for_the_longest_time_or_to_nobody() {
    let mut state = private();
    for heir in [Some(2), None] {
        let owner = state.owner().expect("somebody owns it");
        state.apply(&Fact::Left { session: owner });
        let decided = state.decide(Asker::Time, &Op::OwnerGone(owner));
        state.apply(&decided.expect("it may go on").expect("something changes"));
        assert_eq!(state.owner(), heir);
    }
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "[a-c]{0,2}".prop_map(Into::into)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        text().prop_map(Op::Topic),
        text().prop_map(Op::Rename),
        any::<bool>().prop_map(Op::Lock),
        (0..9usize).prop_map(Op::Limit),
        (0..5u64).prop_map(Op::Owner),
        (0..5u64).prop_map(Op::OwnerGone),
    ]
}

/// What somebody asks, or a fact of its coming or going.
fn step() -> impl Strategy<Value = Result<(Asker, Op), Fact>> {
    let by = prop_oneof![3 => (0..5u64).prop_map(Asker::Member), 1 => Just(Asker::Operator), 1 => Just(Asker::Time)];
    prop_oneof![
        4 => (by, op()).prop_map(Ok),
        3 => (0..5u64, text(), 0..20u64)
            .prop_map(|(session, user, id)| Err(Fact::Joined { session, user, id })),
        2 => (0..5u64).prop_map(|session| Err(Fact::Left { session })),
    ]
}

/// That who is here and their order are the same people.
fn check_whole(state: &State) {
    let ordered: HashMap<u64, u64> =
        state.order.iter().map(|(id, session)| (*session, *id)).collect();
    let here = state.members.iter().map(|(session, member)| (*session, member.joined)).collect();
    assert_eq!(ordered, here);
    assert_eq!(state.order.len(), state.members.len());
}

proptest! {
    #[test]
    fn facts_make_the_state_again_that_led_to_them(steps in prop::collection::vec(step(), 0..60)) {
        let fresh = || State::new(Some(1), None);
        let (mut state, mut facts) = (fresh(), Vec::new());
        for step in steps {
            let before = state.clone();
            let fact = match step {
                Ok((by, op)) => state.decide(by, &op).ok().flatten(),
                Err(fact) => Some(fact),
            };
            prop_assert_eq!(&state, &before);
            if let Some(fact) = fact {
                state.apply(&fact);
                facts.push(fact);
            }
            check_whole(&state);
        }
        let mut again = fresh();
        facts.iter().for_each(|fact| again.apply(fact));
        prop_assert_eq!(&again, &state);
        // In the wrong order too, each changes what it can.
        let mut reversed = fresh();
        for fact in facts.iter().rev() {
            reversed.apply(fact);
            check_whole(&reversed);
        }
    }

    #[test]
    fn a_fact_about_who_is_not_here_changes_nothing(session in 3..9u64, user in text()) {
        let facts = [
            Fact::Left { session },
            Fact::Renamed { session, user: user.clone(), to: "eve".into() },
            Fact::Owner { session, user },
        ];
        for fact in facts {
            let mut state = private();
            state.apply(&fact);
            prop_assert_eq!(state, private());
        }
    }
}
