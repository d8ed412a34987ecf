//! What the owner, the operator and expiry do to a room, and in which order members are told.

use crossbeam_channel::TryRecvError;

use super::*;

/// How long a kick lasts.
const WINDOW: u64 = 600;

fn kick(person: &Person, seconds: u64) -> Op {
    Op::Kick { session: person.number(), seconds }
}

fn unkick_op(user: &str, session: Option<u64>) -> Op {
    Op::Unkick { name: name(user), session }
}

fn mute(person: &Person) -> Op {
    Op::Mute { session: person.number(), mute: Mute { until: None }, seconds: None }
}

fn unmute(person: &Person) -> Op {
    Op::Unmute { session: person.number() }
}

fn mute_until(person: &Person, until: Time) -> Op {
    let mute = Mute { until: Some(until) };
    Op::Mute { session: person.number(), mute, seconds: Some(600) }
}

fn over(person: &Person, muter: Muter, until: Time) -> Op {
    Op::MuteOver { session: person.number(), muter, until }
}

fn is_kicked(result: Result<(), Refusal>) -> bool {
    matches!(result, Err(Refusal::Kicked { seconds: 1..=600 }))
}

fn is_name_kicked(result: Result<(), Refusal>) -> bool {
    matches!(result, Err(Refusal::NameKicked { seconds: 1..=600 }))
}

/// A private room with its owner alice, then bob and carol.
fn three() -> (Arc<Room>, [Person; 3]) {
    let room = private_room();
    let people =
        [(1, "alice"), (2, "bob"), (3, "carol")].map(|(at, name)| Person::join(at, &room, name));
    (room, people)
}

/// What a member was told after `start`.
#[track_caller]
fn heard_after(person: &Person, start: &str) -> String {
    let text = person.socket.text();
    match text.split_once(start) {
        Some((_, rest)) => rest.to_owned(),
        None => panic!("no {start:?} in {text}"),
    }
}

#[test]
fn a_kicked_member_hears_everything_up_to_the_kick_and_is_kept_out() {
    let (room, [alice, bob, carol]) = three();
    let kick = alice.acts(kick(&bob, WINDOW));
    one_round(&room, vec![carol.says("before"), bob.says("hm"), kick, carol.says("after")]);
    let kicked = "-- [alice] removed [bob] --\n";
    let told = format!("[carol] before\n[bob] hm\n{kicked}[carol] after\n");
    assert!(alice.socket.text().ends_with(&told), "{}", alice.socket.text());
    let after = heard_after(&bob, kicked);
    assert_eq!(after, in_words(Notice::NoRoom));
    assert!(bob.session.room().is_none() && bob.outbox.is_open());
    assert_eq!(room.status().members, 2);
    assert!(is_kicked(room.enter(bob.coming())));
    bob.say(&room, "again");
    assert!(!carol.socket.text().contains("again"));
}

#[test]
fn a_kick_holds_by_session_and_name_until_it_is_lifted_or_over() {
    let (room, [alice, bob, carol]) = three();
    let unkick = |name: &str, session| alice.act(&room, unkick_op(name, session));
    alice.act(&room, kick(&bob, WINDOW)).expect("she owns it");
    bob.session.rename(UserName::parse("robert").expect("a name"));
    assert!(is_kicked(room.enter(bob.coming())), "another name of the same session");
    for (number, name) in [(10, "bob"), (11, "BOB"), (12, "b0b")] {
        let other = Person::new(number, name, TEXT);
        assert!(is_name_kicked(room.enter(other.coming())), "{name}");
    }
    assert_eq!(room.status().admits(0, None), Ok(()), "nobody in particular");
    assert!(is_name_kicked(carol.act(&room, Op::Rename(name("Bob")))));
    // Another session under another name is not affected.
    let _rob = Person::join(13, &room, "rob");

    assert_eq!(unkick("carol", Some(3)), Err(Refusal::Already));
    unkick("robert", Some(2)).expect("he was kicked");
    assert!(carol.socket.text().ends_with("-- [alice] allowed [bob] back in --\n"));
    room.enter(bob.coming()).expect("he may come again");
    assert_eq!(unkick("bob", None), Err(Refusal::Already));
    assert_eq!(bob.act(&room, unkick_op("carol", None)), Err(Refusal::OwnerOnly));

    // Over at once.
    alice.act(&room, kick(&bob, 0)).expect("she owns it");
    room.enter(bob.coming()).expect("it is over");
}

#[test]
fn an_owner_kicked_by_the_operator_is_kept_out_of_their_own_room() {
    let (room, [alice, ..]) = three();
    room.act(By::Operator, kick(&alice, WINDOW)).expect("the operator may");
    assert!(is_kicked(room.enter(alice.coming())));
    room.act(By::Operator, unkick_op("alice", None)).expect("she was kicked");
    room.enter(alice.coming()).expect("it is hers");
}

#[test]
fn a_kick_from_the_lobby_comes_without_advice_on_rooms() {
    let lobby = room();
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(at, name)| Person::join(at, &lobby, name));
    lobby.act(By::Operator, kick(&bob, WINDOW)).expect("the operator may");
    bob.heard("[bob] joined.\n-- the operator removed [bob] --\n");
    assert!(alice.socket.text().ends_with("-- the operator removed [bob] --\n"));
    assert!(is_kicked(lobby.enter(bob.coming())));
}

#[test]
fn a_member_kicked_and_quitting_in_one_round_hears_all_before_the_goodbye() {
    let (room, [alice, bob, carol]) = three();
    let kick = alice.acts(kick(&bob, WINDOW));
    let ping = bob.asks(Question::Ping { token: None });
    one_round(&room, vec![bob.says("one"), carol.says("two"), kick, ping, bob.leaves()]);
    let end = heard_after(&bob, "[bob] one\n[carol] two\n-- [alice] removed [bob] --\n");
    assert_eq!(end, in_words(Notice::NoRoom) + "pong\nbye\n");
    assert_eq!(bob.outbox.reason(), Some(QUIT));
    assert!(!alice.socket.text().contains("[bob] left."));
}

#[test]
fn a_room_that_is_closed_tells_everyone_and_takes_nobody() {
    let (room, [alice, bob, carol]) = three();
    let (answer, answered) = bounded(1);
    let dave = Person::new(4, "dave", TEXT);
    let joins = Envelope::Join { coming: dave.coming(), answered: Some(answer) };
    let end = alice.acts(Op::End);
    one_round(&room, vec![bob.says("last"), end, joins, carol.says("late"), carol.leaves()]);
    let closed = "[bob] last\n-- [alice] closed the room --\n";
    assert_eq!(heard_after(&alice, closed), "", "she is taken elsewhere");
    assert_eq!(heard_after(&bob, closed), in_words(Notice::NoRoom));
    for person in [&alice, &bob] {
        assert!(person.session.room().is_none() && person.outbox.is_open());
    }
    let carols = carol.socket.text();
    assert!(
        carols.contains("-- [alice] closed the room --\n") && carols.ends_with("bye\n"),
        "{carols}"
    );
    assert_eq!(answered.try_recv(), Err(TryRecvError::Disconnected), "he is not let in");
    assert_eq!(room.enter(dave.coming()), Err(Refusal::Ended));
    assert_eq!(room.act(alice.by(), Op::Lock(true)), Err(Refusal::Ended));
    bob.say(&room, "hello?");
    assert_eq!(bob.socket.text().matches(&in_words(Notice::NoRoom)).count(), 2);
    dave.heard("");
}

#[test]
fn only_the_owner_and_the_operator_moderate() {
    let (room, [alice, bob, _carol]) = three();
    let lobby = super::room();
    let dave = Person::join(4, &lobby, "dave");
    type Asked<'a> = &'a dyn Fn() -> Op;
    let actions: [Asked; 8] = [
        &|| kick(&alice, WINDOW),
        &|| mute(&alice),
        &|| unmute(&alice),
        &|| Op::Lock(true),
        &|| Op::Limit(2),
        &|| Op::Owner(alice.number()),
        &|| Op::End,
        &|| unkick_op("alice", None),
    ];
    for action in actions {
        assert_eq!(bob.act(&room, action()), Err(Refusal::OwnerOnly));
        assert_eq!(dave.act(&room, action()), Err(Refusal::NoMember));
        assert_eq!(dave.act(&lobby, action()), Err(Refusal::OwnerOnly), "the lobby has none");
    }
    for action in [&actions[0], &actions[1], &actions[5]] {
        assert_eq!(alice.act(&room, action()), Err(Refusal::Oneself));
    }
    assert_eq!(alice.act(&room, kick(&dave, WINDOW)), Err(Refusal::NotHere));
    assert!(!bob.socket.text().contains("removed"));
    room.act(By::Operator, kick(&alice, WINDOW)).expect("the operator may");
    assert!(bob.socket.text().ends_with("-- the operator removed [alice] --\n"));
}

#[test]
fn a_muted_member_says_nothing_in_any_way_until_the_mute_is_lifted() {
    let (room, [alice, bob, carol]) = three();
    let until = clock::now().after(Duration::from_secs(600));
    alice.act(&room, mute_until(&bob, until)).expect("she owns it");
    bob.say(&room, "psst");
    let muted = |result| matches!(result, Err(Refusal::Muted { seconds: Some(500..=601) }));
    assert!(muted(bob.act(&room, Op::Topic("psst".into()))));
    assert!(muted(bob.act(&room, Op::Rename(name("psst")))));
    let muted = in_words(Notice::Muted { seconds: Some(600) });
    assert!(bob.socket.text().ends_with(&muted), "{}", bob.socket.text());
    // Leaving for another room and coming back does not lift it.
    room.leave_for_another(2);
    room.enter(bob.coming()).expect("the room is open");
    bob.say(&room, "psst");
    // Another mute was due.
    let other = over(&bob, Muter::Owner, Time::from_millis(1));
    assert_eq!(room.act(By::Time, other), Err(Refusal::Already));
    bob.say(&room, "psst");
    alice.act(&room, unmute(&bob)).expect("she owns it");
    assert_eq!(alice.act(&room, unmute(&bob)), Err(Refusal::Already));
    bob.say(&room, "at last");
    assert!(carol.socket.text().ends_with("-- [bob] is no longer muted --\n[bob] at last\n"));
    assert!(!carol.socket.text().contains("psst"));

    alice.act(&room, mute_until(&bob, until)).expect("she owns it");
    room.act(By::Time, over(&bob, Muter::Owner, until)).expect("it is due");
    bob.say(&room, "and again");
    assert!(carol.socket.text().ends_with("[bob] and again\n"));
}

#[test]
fn last_words_of_a_muted_member_are_not_said() {
    let (room, [alice, bob, carol]) = three();
    alice.act(&room, mute(&bob)).expect("she owns it");
    for person in [&bob, &carol] {
        let Going::Ends(ending) = person.going() else { unreachable!("as it is made") };
        let ending = Closing { text: Some("so long".into()), ..ending };
        room.leave(person.session.number, Going::Ends(ending)).expect("the room is open");
    }
    assert!(alice.socket.text().ends_with("[bob] left.\n[carol] left. (so long)\n"));
}

#[test]
fn a_member_muted_twice_may_speak_once_both_mutes_have_ended() {
    let (room, [alice, bob, carol]) = three();
    let again = "-- [bob] is no longer muted --\n";
    let heard = || carol.socket.text().matches(again).count();
    let until = clock::now().after(Duration::from_secs(3_600));
    let mute = || mute_until(&bob, until);

    // The operator's ends first.
    alice.act(&room, mute()).expect("she owns it");
    room.act(By::Operator, mute()).expect("the operator may");
    room.act(By::Time, over(&bob, Muter::Operator, until)).expect("it is due");
    bob.say(&room, "psst");
    assert_eq!(heard(), 0);
    alice.act(&room, unmute(&bob)).expect("she owns it");
    bob.say(&room, "one");
    assert_eq!(heard(), 1);
    // The owner's would end now.
    assert_eq!(room.act(By::Time, over(&bob, Muter::Owner, until)), Err(Refusal::Already));
    assert_eq!(heard(), 1);

    // The owner's ends first, lifted or expired.
    room.act(By::Operator, mute()).expect("the operator may");
    alice.act(&room, mute()).expect("she owns it");
    alice.act(&room, unmute(&bob)).expect("she owns it");
    alice.act(&room, mute()).expect("she owns it");
    room.act(By::Time, over(&bob, Muter::Owner, until)).expect("it is due");
    bob.say(&room, "psst");
    assert_eq!(heard(), 1);
    room.act(By::Time, over(&bob, Muter::Operator, until)).expect("it is due");
    bob.say(&room, "two");
    assert_eq!(heard(), 2);

    // The operator lifts both.
    alice.act(&room, mute()).expect("she owns it");
    room.act(By::Operator, mute()).expect("the operator may");
    room.act(By::Operator, unmute(&bob)).expect("the operator may");
    bob.say(&room, "three");
    assert_eq!(heard(), 3);
    assert!(!carol.socket.text().contains("psst"));
    for said in ["one", "two", "three"] {
        assert!(carol.socket.text().contains(&format!("{again}[bob] {said}\n")), "{said}");
    }
}

#[test]
fn a_mute_by_the_operator_holds_in_every_room() {
    let (room, [_, bob, carol]) = three();
    bob.session.mute(Mute { until: None });
    room.act(By::Operator, mute(&bob)).expect("the operator may");
    bob.say(&room, "psst");
    assert!(carol.socket.text().ends_with("-- the operator muted [bob] --\n"));
    let lobby = super::room();
    room.leave_for_another(2);
    lobby.enter(bob.coming()).expect("the lobby is open");
    bob.say(&lobby, "psst");
    assert!(!bob.socket.text().contains("[bob] psst"));
    assert_eq!(bob.socket.text().matches("-- the operator muted").count(), 1, "told once");
    assert!(bob.session.unmute(None));
    lobby.act(By::Operator, unmute(&bob)).expect("he was muted");
    bob.say(&lobby, "well");
    assert!(bob.socket.text().ends_with("-- [bob] is no longer muted --\n[bob] well\n"));
}

#[test]
fn a_locked_or_full_room_takes_nobody_new_but_its_owner() {
    let (room, [alice, bob, _]) = three();
    let dave = Person::new(4, "dave", TEXT);
    alice.act(&room, Op::Lock(true)).expect("she owns it");
    assert_eq!(alice.act(&room, Op::Lock(true)), Err(Refusal::Already));
    assert_eq!(room.enter(dave.coming()), Err(Refusal::Locked));
    room.leave_for_another(1);
    room.enter(alice.coming()).expect("it is hers");
    alice.act(&room, Op::Lock(false)).expect("she owns it");
    alice.act(&room, Op::Limit(3)).expect("she owns it");
    assert_eq!(room.enter(dave.coming()), Err(Refusal::Full { limit: 3 }));
    room.leave(2, bob.going()).expect("the room is open");
    room.enter(dave.coming()).expect("there is space");
    assert_eq!(room.enter(dave.coming()), Err(Refusal::Already));
}

#[test]
fn the_longest_standing_member_owns_the_room_after_its_owner() {
    let (room, [alice, bob, carol]) = three();
    // By order of joining, not by number.
    room.leave_for_another(2);
    room.enter(bob.coming()).expect("the room is open");
    room.leave(1, alice.going()).expect("the room is open");
    assert_eq!(bob.act(&room, Op::Lock(true)), Err(Refusal::OwnerOnly), "her session may last");
    room.act(By::Time, Op::OwnerGone(1)).expect("it is open");
    assert!(
        bob.socket.text().ends_with("[alice] left.\n-- [carol] is now the owner of the room --\n")
    );
    room.act(By::Time, Op::OwnerGone(1)).expect("it is open");
    carol.act(&room, Op::Owner(bob.number())).expect("she owns it now");
    assert_eq!(carol.act(&room, Op::Lock(true)), Err(Refusal::OwnerOnly));
    bob.act(&room, Op::Lock(true)).expect("he owns it now");
    assert_eq!(bob.session.take_owned(), [room.number]);

    // Nobody is left: the next to join owns it.
    bob.act(&room, Op::Lock(false)).expect("he owns it now");
    room.leave(2, bob.going()).expect("the room is open");
    room.leave(3, carol.going()).expect("the room is open");
    room.act(By::Time, Op::OwnerGone(2)).expect("it is open");
    let dave = Person::join(4, &room, "dave");
    dave.act(&room, Op::Lock(true)).expect("he owns it");
    assert!(
        dave.socket.text().contains("[dave] joined.\n-- [dave] is now the owner of the room --\n")
    );
}

#[test]
fn an_empty_room_ends_only_if_it_has_been_empty_since_then() {
    let room = private_room();
    let since = room.status().empty_since.expect("it is new");
    let alice = Person::join(1, &room, "alice");
    assert_eq!(room.end_if_empty(since), Err(Refusal::Already), "she is here");
    room.leave(1, alice.going()).expect("the room is open");
    let since = room.status().empty_since.expect("it is empty");
    let other = since.after(Duration::from_millis(1));
    assert_eq!(room.end_if_empty(other), Err(Refusal::Already));
    assert_eq!(room.end_if_empty(since), Ok(()));
    assert_eq!(room.end_if_empty(since), Err(Refusal::Ended));
    let bob = Person::new(2, "bob", TEXT);
    assert_eq!(room.enter(bob.coming()), Err(Refusal::Ended));
    bob.heard("");
}
