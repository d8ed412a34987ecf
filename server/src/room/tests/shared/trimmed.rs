//! A machine whose place in the log was trimmed goes on from a later state.

use super::*;

impl Shared {
    /// Gives all entries their places, and delivers them to all but this machine.
    fn order_without(&mut self, deaf: usize) {
        let (room, log) = self.nodes[deaf].clone();
        let (nobody, _) = open_on(self.nodes[deaf].1.origin, first());
        self.nodes[deaf] = (nobody, log);
        self.order_all();
        self.nodes[deaf].0 = room;
    }

    /// Has one machine go on from the state of another, as it is kept.
    fn reload(&self, node: usize, from: usize) {
        let snapshot = self.room(from).executor.lock().snapshot();
        let written = serde_json::to_vec(&snapshot).expect("plain data");
        let entry = self.room(node).reload(&written, snapshot.entry);
        assert_eq!(entry, Some(snapshot.entry));
    }
}

/// What was sent after the text was this long.
fn since(person: &Person, len: usize) -> String {
    person.socket.text()[len..].to_owned()
}

#[test]
fn members_are_told_what_is_gone_and_sent_what_is_not() {
    let mut shared = Shared::new(2);
    let (alice, bob, carol) = (person(1, "alice"), person(2, "bob"), Person::new(3, "carol", TEXT));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.post(1, carol.joins());
    shared.order_all();
    let last = shared.room(1).next_id() - 1;
    let [before_bob, before_carol] = [&bob, &carol].map(|it| it.socket.text().len());
    for number in 0..250 {
        shared.post(0, alice.says(&format!("line {number}")));
        shared.order_without(1);
    }
    shared.reload(1, 0);
    shared.check_same();
    let (first_known, next) = (last + 51, last + 251);
    let told = since(&bob, before_bob);
    let gap =
        format!(r#"{{"type":"gap","room":"math","from":{},"to":{}}}"#, last + 1, first_known - 1);
    assert!(told.starts_with(&gap), "{told}");
    let expected: Vec<String> =
        (first_known..next).map(|id| format!("{id} \"line {}\"", id - last - 1)).collect();
    assert_eq!(said(&bob), expected);
    let told = since(&carol, before_carol);
    assert!(told.contains("50") && told.contains("line 50\n"), "{told}");
    assert!(!told.contains("line 49\n") && told.ends_with("line 249\n"), "{told}");

    // From here on, everything is as before.
    shared.post(1, bob.says("and now?"));
    shared.order_all();
    assert_eq!(said(&alice).len(), 251);
    assert_eq!(said(&bob).last(), Some(&format!("{next} \"and now?\"")));
    shared.check_same();
    // An older state changes nothing.
    let earlier = serde_json::to_vec(&first()).expect("plain data");
    assert_eq!(shared.room(1).reload(&earlier, 1), None);
    assert_eq!(shared.room(1).reload(&earlier, 0), Some(0));
    shared.post(0, alice.says("nothing to add"));
    shared.order_all();
    shared.check_same();
    assert_eq!(said(&bob).len(), 202);
}

#[test]
fn messages_in_flight_are_acknowledged_once_whether_heard_or_not() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    shared.post(1, bob.says_with("heard by the others", Some("b1")));
    // What waits behind it is appended later.
    shared.post(1, bob.says_with("not yet", Some("b2")));
    shared.order_without(1);
    let acks =
        |nonce: &str| bob.socket.text().matches(&format!(r#""ack","nonce":"{nonce}""#)).count();
    assert_eq!((acks("b1"), said(&bob).len()), (0, 0));
    shared.reload(1, 0);
    assert_eq!((acks("b1"), acks("b2")), (1, 0));
    // That one was not in the state from which it goes on.
    shared.post(0, alice.says("meanwhile"));
    assert!(shared.order(0));
    shared.post(0, alice.says("once more"));
    shared.order_without(1);
    assert_eq!(acks("b2"), 0);
    shared.reload(1, 0);
    shared.order_all();
    assert_eq!((acks("b1"), acks("b2")), (1, 1));
    assert_eq!(said(&bob), said(&alice));
    assert_eq!(said(&bob).len(), 4);
    shared.check_same();
}

#[test]
fn an_outcome_that_the_state_does_not_show_is_unknown() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    let (answer, answered) = bounded(2);
    let asks = |op| Envelope::Op { by: bob.by(), op, answered: Some(answer.clone()) };
    shared.post(1, asks(Op::Topic("tea".into())));
    shared.order_without(1);
    shared.reload(1, 0);
    assert_eq!(answered.try_recv(), Ok(Ok(())), "the topic shows that it was set");
    shared.post(1, asks(Op::Topic("cake".into())));
    shared.order_without(1);
    shared.post(0, Envelope::Op { by: alice.by(), op: Op::Topic("pie".into()), answered: None });
    shared.order_without(1);
    shared.reload(1, 0);
    assert_eq!(answered.try_recv(), Ok(Err(Refusal::Unknown)));
    // A message that was refused, and one without a nonce.
    bob.session.mute(Mute { until: None });
    let op = Op::Mute { session: 2, mute: Mute { until: None }, seconds: None };
    shared.post(0, Envelope::Op { by: By::Operator, op, answered: None });
    shared.order_without(1);
    shared.post(1, bob.says_with("muted", Some("b1")));
    shared.order_without(1);
    shared.reload(1, 0);
    let text = bob.socket.text();
    assert!(text.contains(r#""code":"unknown""#) && text.contains(r#""nonce":"b1""#), "{text}");
    shared.check_same();
}

#[test]
fn joins_leaves_and_kicks_in_trimmed_entries_take_effect() {
    let mut shared = Shared::new(2);
    let (alice, bob, carol, dan) =
        (person(1, "alice"), person(2, "bob"), person(3, "carol"), person(4, "dan"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.post(1, carol.joins());
    shared.order_all();
    // In one entry: one comes, one goes.
    shared.post(1, dan.joins());
    shared.post(1, carol.leaves());
    let kick = Op::Kick { session: 2, seconds: 60 };
    shared.post(0, Envelope::Op { by: By::Operator, op: kick, answered: None });
    shared.order_without(1);
    shared.order_without(1);
    shared.reload(1, 0);
    shared.order_all();
    assert!(dan.socket.text().contains(r#""type":"welcome""#), "{}", dan.socket.text());
    assert!(carol.socket.text().ends_with("bye\n"), "{}", carol.socket.text());
    assert!(bob.socket.text().contains(r#""type":"kicked""#), "{}", bob.socket.text());
    shared.post(0, alice.says("who is here?"));
    shared.order_all();
    assert_eq!([&dan, &carol, &bob].map(|person| said(person).len()), [1, 0, 0]);
    assert_eq!(shared.room(1).executor.lock().members.iter().count(), 1);
    assert_eq!(shared.room(1).status().members, 2);
    shared.check_same();
}

#[test]
fn machines_that_are_gone_are_not_remembered() {
    let mut shared = Shared::new(3);
    for node in 0..3 {
        shared.post(node, person(node as u64 + 1, &format!("user{node}")).joins());
    }
    shared.order_all();
    let heard = |shared: &Shared| shared.room(0).executor.lock().snapshot().heard;
    assert_eq!(heard(&shared).into_keys().collect::<Vec<_>>(), [1, 2, 3]);
    shared.post(0, Envelope::Op { by: By::Time, op: Op::Buried(3), answered: None });
    shared.order_all();
    // One that stops in an orderly way says so itself.
    shared.room(1).stop(Instant::now() + patience::DEADLINE);
    shared.order_all();
    assert_eq!(heard(&shared).into_keys().collect::<Vec<_>>(), [1]);
}
