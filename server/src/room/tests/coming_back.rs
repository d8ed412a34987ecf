//! A member who reconnects gets the same place and exactly what was missed.

use super::*;
use crate::session::Whisperer;

/// Reconnects: the post, and what the new socket takes.
fn back(person: &Person, event: Option<u64>, private: u64) -> (Envelope, Arc<FakeSocket>) {
    let (socket, outbox) = connect(70, Form::JSON);
    let coming = Coming { outbox, ..person.coming() };
    let answered = bounded(1).0;
    (Envelope::Resume { coming, last: Last { event, private }, answered }, socket)
}

/// The ids of the events after the welcome.
#[track_caller]
fn ids(text: &str) -> Vec<u64> {
    let ids = text.lines().skip(1).filter_map(|line| line.split("\"id\":").nth(1));
    ids.map(|rest| rest.split([',', '}']).next()?.parse().ok())
        .collect::<Option<_>>()
        .unwrap_or_else(|| panic!("{text}"))
}

/// Alice joins with id 1000, bob with 1001, then he says this many things.
fn alice_and_bob(room: &Arc<Room>, said: u64) -> (Person, Person) {
    let alice = Person::new(1, "alice", Form::JSON);
    room.enter(alice.coming()).expect("the room is open");
    let bob = Person::join(2, room, "bob");
    for id in 1_002..1_002 + said {
        bob.say(room, &format!("id {id}"));
    }
    (alice, bob)
}

#[test]
fn a_resuming_member_is_told_exactly_what_it_missed() {
    // 1002 and 1003 are in the history; 1004 to 1006 are in the round in which she reconnects,
    // before and after it.
    #[track_caller]
    fn check(last: Option<u64>, first_missing: u64) {
        let room = room();
        let (alice, bob) = alice_and_bob(&room, 2);
        let (back, socket) = back(&alice, last, 0);
        one_round(&room, vec![bob.says("id 1004"), bob.says("id 1005"), back, bob.says("id 1006")]);
        let text = socket.text();
        let welcome = text.lines().next().unwrap_or_default();
        assert!(welcome.contains("\"resumed\":true"), "{text}");
        assert!(welcome.contains(&format!("\"id\":{},", first_missing - 1)), "{text}");
        assert_eq!(ids(&text), (first_missing..=1_006).collect::<Vec<u64>>(), "{last:?}: {text}");
        assert!(!text.contains("\"gap\""), "{text}");
        // The old connection is told nothing more, the new one everything.
        let before = alice.socket.text();
        bob.say(&room, "id 1007");
        assert_eq!(alice.socket.text(), before);
        assert_eq!(ids(&socket.text()).last(), Some(&1_007));
    }
    for last in 1_000..=1_005 {
        check(Some(last), last + 1);
    }
    // A client that has nothing gets its own joining first.
    check(None, 1_000);
    // An id that this room has not given yet is not waited for: 1005 was the last.
    check(Some(1_006), 1_006);
    check(Some(u64::MAX), 1_006);
}

#[test]
fn a_resuming_member_is_told_of_forgotten_events_as_a_gap() {
    let room = room();
    let (alice, bob) = alice_and_bob(&room, 300);
    let (post, socket) = back(&alice, Some(1_001), 0);
    one_round(&room, vec![post]);
    let text = socket.text();
    let gap = text.lines().nth(1).unwrap_or_default();
    assert_eq!(gap, r#"{"type":"gap","room":"lobby","from":1002,"to":1101}"#);
    let events: String = text.lines().skip(2).collect::<Vec<_>>().join("\n");
    assert_eq!(ids(&format!("\n{events}")), (1_102..=1_301).collect::<Vec<u64>>());

    // An id from an earlier life of the room is smaller than all ids of this one.
    let (post, socket) = back(&alice, Some(7), 0);
    one_round(&room, vec![post]);
    assert!(socket.text().contains(r#""from":8,"to":1101}"#), "{}", socket.text());

    // A round that is longer than the history.
    let (post, socket) = back(&alice, Some(1_301), 0);
    let says = (0..300).map(|at| bob.says(&format!("n{at}")));
    one_round(&room, says.chain([post]).collect());
    assert_eq!(ids(&socket.text()), (1_302..=1_601).collect::<Vec<u64>>());
}

#[test]
fn a_resuming_member_gets_missed_whispers_before_room_events() {
    let room = room();
    let (alice, bob) = alice_and_bob(&room, 1);
    alice.session.detach(1);
    let bobs = bob.session.name();
    for text in ["one", "two"] {
        let from = Whisperer::Member(&bob.session, &bobs);
        alice.session.whisper(from, text, Time::from_millis(0));
    }
    let (post, socket) = back(&alice, Some(1_001), 1);
    one_round(&room, vec![post]);
    let text = socket.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains("\"private\":2") && lines[1].contains("\"two\""), "{text}");
    assert!(lines[2].contains("id 1002"), "{text}");
}

#[test]
fn a_member_removed_while_away_cannot_resume() {
    let room = room();
    let (alice, bob) = alice_and_bob(&room, 1);
    room.act(By::Operator, Op::Kick { session: 1, seconds: 0 }).expect("she is here");
    let (_, outbox) = connect(70, Form::JSON);
    let coming = Coming { outbox, ..alice.coming() };
    let last = Last { event: Some(1_000), private: 0 };
    assert_eq!(room.resume(coming, last), Err(Refusal::NoMember));
    bob.say(&room, "gone");
    assert!(bob.socket.text().ends_with("-- the operator removed [alice] --\n[bob] gone\n"));
}

#[test]
fn a_place_outlives_its_connection_with_all_that_belongs_to_it() {
    let room = private_room();
    let alice = Person::new(1, "alice", Form::JSON);
    room.enter(alice.coming()).expect("the room is open");
    let bob = Person::join(2, &room, "bob");
    alice.session.detach(1);
    alice.outbox.end(CloseReason::Stalled);
    bob.say(&room, "anyone?");
    let (post, socket) = back(&alice, Some(1_001), 0);
    one_round(&room, vec![post]);
    assert!(socket.text().contains("\"owner\":\"alice\""), "{}", socket.text());
    alice.act(&room, Op::Lock(true)).expect("she still owns it");
    bob.heard("-- you are in private-k3f9; 2 here --\n[bob] joined.\n[bob] anyone?\n-- [alice] locked the room --\n");
}

#[test]
fn a_message_from_before_a_mute_or_kick_is_acknowledged_when_sent_again() {
    let (session, mute, seconds) = (2, Mute { until: None }, None);
    for op in [Op::Kick { session, seconds: 0 }, Op::Mute { session, mute, seconds }] {
        let room = private_room();
        let owner = Person::join(1, &room, "owner");
        let alice = Person::new(2, "alice", Form::JSON);
        room.enter(alice.coming()).expect("the room is open");
        // This is 1002, and its acknowledgement is lost.
        one_round(&room, vec![alice.says_with("hi", Some("c1"))]);
        one_round(&room, vec![owner.acts(op)]);
        let heard = alice.socket.text().len();
        // In the same read as something new that was sent twice.
        let said = |nonce: &str| Speech {
            text: "hi".into(),
            me: false,
            nonce: Some(nonce.into()),
            rendered_bytes: 64,
        };
        let (session, speeches) = (alice.session.clone(), ["c1", "c2", "c2"].map(said).into());
        one_round(&room, vec![Envelope::Say { session, speeches, answered: None }]);
        let answers = alice.socket.text().split_off(heard);
        let is_refused = |line: &&str| line.contains("\"error\"") && line.contains("\"c2\"");
        let (refused, acks): (Vec<&str>, Vec<&str>) = answers.lines().partition(is_refused);
        assert_eq!(refused.len(), 2, "{answers}");
        assert_eq!(acks, [r#"{"type":"ack","nonce":"c1","id":1002}"#]);
        assert_eq!(owner.socket.text().matches("[alice] hi\n").count(), 1);
    }
}

#[test]
fn a_message_said_in_one_room_is_not_said_again_in_the_next() {
    let (first, next) = (room(), private_room());
    let alice = Person::new(1, "alice", Form::JSON);
    first.enter(alice.coming()).expect("the room is open");
    let bob = Person::join(2, &next, "bob");
    // This is 1001, and its acknowledgement is lost.
    one_round(&first, vec![alice.says_with("hi", Some("c1"))]);
    first.leave_for_another(1);
    next.enter(alice.coming()).expect("the room is open");
    one_round(&next, vec![alice.says_with("hi", Some("c1")), alice.says_with("ho", Some("c2"))]);
    let answers = alice.socket.text();
    let acks: Vec<&str> = answers.lines().filter(|line| line.contains("\"ack\"")).collect();
    let ack = |nonce, id| format!(r#"{{"type":"ack","nonce":"{nonce}","id":{id}}}"#);
    // In the private room, ids start anew: 1000 and 1001 are the two joins.
    assert_eq!(acks, [ack("c1", 1_001), ack("c1", 1_001), ack("c2", 1_002)]);
    let heard = bob.socket.text();
    assert!(heard.ends_with("[alice] ho\n") && !heard.contains("[alice] hi\n"), "{heard}");
}
