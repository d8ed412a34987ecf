//! Rooms on several machines with a shared log stay identical, whatever is posted where.

use std::collections::VecDeque;

use super::*;
use crate::{
    patience,
    room::{
        kicks::Kicks,
        log::{Follower as _, LogEntry, OpenLog, RoomLog, Snapshot},
    },
};

mod trimmed;

/// What a machine has appended and not heard yet.
struct FakeLog {
    origin: u64,
    appended: Mutex<VecDeque<(u64, Vec<u8>)>>,
    last_seq: AtomicU64,
    kept: Mutex<Option<Snapshot>>,
    ended: Mutex<Option<u64>>,
}

impl RoomLog for FakeLog {
    fn origin(&self) -> u64 {
        self.origin
    }

    fn append(&self, body: Vec<u8>) -> u64 {
        let seq = self.last_seq.fetch_add(1, Ordering::Relaxed) + 1;
        self.append_again(seq, body);
        seq
    }

    fn append_again(&self, seq: u64, body: Vec<u8>) {
        self.appended.lock().push_back((seq, body));
    }

    fn keep(&self, snapshot: Snapshot) {
        *self.kept.lock() = Some(snapshot);
    }

    fn forget_before(&self, snapshot: Snapshot) {
        self.keep(snapshot);
    }

    fn entries_kept_after(&self) -> u64 {
        1_000
    }

    fn bytes_kept_after(&self) -> u64 {
        1_000_000
    }

    fn first_id(&self) -> u64 {
        1_000
    }

    fn offer(&self, _name: &Arc<str>, snapshot: Snapshot) {
        *self.kept.lock() = Some(snapshot);
    }

    fn end(&self, next_id: u64, _kicks: &Kicks) {
        *self.ended.lock() = Some(next_id);
    }

    fn follow(&self, _room: &Arc<Room>, _from: u64) {
        unreachable!("the test hands the entries over");
    }

    fn unfollow(&self) {}

    fn is_archived(&self) -> bool {
        false
    }

    fn note_removed(&self, _session: u64) {}
}

/// A room on several machines.
struct Shared {
    nodes: Vec<(Arc<Room>, Arc<FakeLog>)>,
    entries: Vec<LogEntry>,
}

impl Shared {
    fn new(nodes: u64) -> Shared {
        let mut shared = Shared { nodes: Vec::new(), entries: Vec::new() };
        (1..=nodes).for_each(|origin| shared.open(origin, first()));
        shared
    }

    /// Opens the room on one more machine.
    fn open(&mut self, origin: u64, snapshot: Snapshot) {
        let missing = self.entries[snapshot.entry as usize..].to_vec();
        let (room, log) = open_on(origin, snapshot);
        missing.into_iter().for_each(|entry| room.hear(entry).expect("the room is open"));
        self.nodes.push((room, log));
    }

    fn room(&self, node: usize) -> &Arc<Room> {
        &self.nodes[node].0
    }

    /// Gives the next entry of a machine its place, if there is one, and delivers it to all.
    fn order(&mut self, node: usize) -> bool {
        self.order_above(node, 0)
    }

    /// The same; ids go on above that one.
    fn order_above(&mut self, node: usize, ids_above: u64) -> bool {
        let Some((seq, body)) = self.nodes[node].1.appended.lock().pop_front() else {
            return false;
        };
        let number = self.entries.len() as u64 + 1;
        let (origin, time) = (self.nodes[node].1.origin, Time::from_millis(number as i64 * 1_000));
        let entry = LogEntry { number, origin, seq, time, ids_above, body: body.into() };
        self.entries.push(entry.clone());
        for (room, _) in &self.nodes {
            // A machine whose room has ended hears nothing more.
            let _ = room.hear(entry.clone());
        }
        true
    }

    /// Delivers everything to everyone.
    fn order_all(&mut self) {
        while (0..self.nodes.len()).any(|node| self.order(node)) {}
    }

    #[track_caller]
    fn check_same(&self) {
        let parts = self.nodes.iter().map(|(room, _)| room.executor.lock().snapshot());
        let parts: Vec<Snapshot> = parts.collect();
        assert!(parts.windows(2).all(|two| two[0] == two[1]), "{parts:#?}");
    }

    fn post(&self, node: usize, envelope: Envelope) {
        let _ = self.room(node).post(POST_BYTES, Urgency::Now, || envelope);
    }
}

/// The room on a machine of this origin.
fn open_on(origin: u64, snapshot: Snapshot) -> (Arc<Room>, Arc<FakeLog>) {
    let log = Arc::new(FakeLog {
        origin,
        appended: Mutex::default(),
        last_seq: AtomicU64::new(0),
        kept: Mutex::default(),
        ended: Mutex::default(),
    });
    let beginning = Beginning::shared(OpenLog { log: log.clone(), snapshot });
    (Room::new(7, "math", None, beginning, Context::default()), log)
}

fn first() -> Snapshot {
    let beginning = Beginning { first_id: 1_000, ..Beginning::default() };
    Snapshot::first(beginning, Time::from_millis(0))
}

fn person(number: u64, user: &str) -> Person {
    Person::new(number, user, Form::JSON)
}

/// The ids of what was said, with the text, as a client was told.
fn said(person: &Person) -> Vec<String> {
    let messages = person.socket.text();
    let messages = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["type"] == "said").then(|| format!("{} {}", message["id"], message["text"]))
    });
    messages.collect()
}

#[test]
fn messages_from_two_servers_have_one_order_and_the_same_ids() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    shared.post(0, alice.says_with("one", Some("a1")));
    shared.post(1, bob.says("two"));
    // What is posted while an entry is in flight is the next.
    shared.post(0, alice.says("three"));
    assert!(said(&alice).is_empty(), "nothing is said before it is heard");
    assert!(shared.order(1) && shared.order(0));
    shared.order_all();
    let order = ["1002 \"two\"", "1003 \"one\"", "1004 \"three\""];
    assert_eq!(
        (said(&alice), said(&bob)),
        (order.map(Into::into).into(), order.map(Into::into).into())
    );
    let ack = r#"{"type":"ack","nonce":"a1","id":1003}"#;
    assert!(alice.socket.text().contains(ack) && !bob.socket.text().contains("\"ack\""));
    shared.check_same();
    assert!(shared.room(1).status().members == 2);
}

#[test]
fn a_question_is_answered_after_what_was_posted_before() {
    let mut shared = Shared::new(1);
    let alice = person(1, "alice");
    shared.post(0, alice.joins());
    shared.order_all();
    shared.post(0, alice.says("one"));
    shared.post(0, alice.asks(Question::Ping { token: None }));
    assert!(!alice.socket.text().contains("pong"));
    shared.order_all();
    let text = alice.socket.text();
    assert!(text.find("\"one\"") < text.find("pong"), "{text}");
    shared.post(0, alice.asks(Question::Ping { token: None }));
    assert_eq!(alice.socket.text().matches("pong").count(), 2, "nothing is before it");
}

#[test]
fn a_join_in_flight_keeps_its_quiet_mode_and_a_mute_meanwhile_holds() {
    let mut shared = Shared::new(2);
    let alice = person(1, "alice");
    shared.post(0, alice.joins());
    // While that is in flight, her session changes.
    alice.session.set_quiet(Some(crate::session::Quiet::ReadOnly));
    alice.session.mute(Mute { until: None });
    shared.order_all();
    shared.check_same();
    let state = shared.room(1).executor.lock().state.clone();
    let presence = state.member(1).expect("she is here");
    assert_eq!((presence.quiet, presence.muted), (None, Some(Mute { until: None })));
    shared.post(0, alice.says("hi"));
    shared.order_all();
    assert!(alice.socket.text().contains("\"code\":\"muted\"") && said(&alice).is_empty());
}

#[test]
fn a_server_that_opens_a_room_later_has_the_same_state_from_entries_or_a_snapshot() {
    let mut shared = Shared::new(1);
    let alice = person(1, "alice");
    shared.post(0, alice.joins());
    for text in ["one", "two"] {
        shared.post(0, alice.says_with(text, Some(text)));
        shared.order_all();
    }
    let snapshot = shared.room(0).executor.lock().snapshot();
    let written = serde_json::to_vec(&snapshot).expect("plain data");
    let read: Snapshot = serde_json::from_slice(&written).expect("it was written");
    assert_eq!(read, snapshot);
    shared.post(0, alice.says("three"));
    shared.order_all();
    shared.open(2, first());
    shared.open(3, read);
    shared.check_same();
    // A repeat is recognized on every machine.
    shared.post(2, alice.says_with("two", Some("two")));
    shared.order_all();
    shared.check_same();
    assert_eq!(said(&alice).len(), 3);
}

#[test]
fn the_author_of_every_thousandth_entry_saves_the_state() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    while shared.entries.len() < 999 {
        let number = shared.entries.len() as u64;
        shared.entries.push(LogEntry {
            number: number + 1,
            origin: 9,
            seq: number,
            time: Time::from_millis(1),
            ids_above: 0,
            body: b"1".as_slice().into(),
        });
        let entry = shared.entries.last().cloned().expect("just pushed");
        shared.nodes.iter().for_each(|(room, _)| room.hear(entry.clone()).expect("it is open"));
    }
    shared.nodes.iter().for_each(|(_, log)| *log.kept.lock() = None);
    shared.post(1, bob.says("the last"));
    shared.order_all();
    let kept = |node: usize| shared.nodes[node].1.kept.lock().as_ref().map(|it| it.entry);
    assert_eq!((kept(0), kept(1)), (None, Some(1_000)));
}

#[test]
fn a_room_that_is_ended_is_so_on_every_machine() {
    let mut shared = Shared::new(2);
    let bob = person(2, "bob");
    shared.post(1, bob.joins());
    shared.order_all();
    shared.post(0, Envelope::Op { by: By::Operator, op: Op::End, answered: None });
    shared.post(1, bob.says("too late"));
    shared.order_all();
    assert!(shared.nodes.iter().all(|(room, _)| room.executor.lock().state.has_ended()));
    // Bob's joining, and the end.
    assert!(shared.nodes.iter().all(|(_, log)| *log.ended.lock() == Some(1_002)));
    assert!(bob.socket.text().contains("\"ended\"") && said(&bob).is_empty());
}

#[test]
fn posts_that_the_end_of_a_room_overtakes_are_answered() {
    let mut shared = Shared::new(2);
    let bob = person(2, "bob");
    shared.post(1, bob.joins());
    shared.order_all();
    shared.post(0, Envelope::Op { by: By::Operator, op: Op::End, answered: None });
    let (answer, answered) = bounded(2);
    let asks = |op| Envelope::Op { by: bob.by(), op, answered: Some(answer.clone()) };
    // The first is in flight, the second waits, as does what is said.
    shared.post(1, asks(Op::Topic("tea".into())));
    shared.post(1, asks(Op::Topic("cake".into())));
    shared.post(1, bob.says_with("too late", Some("b1")));
    assert!(shared.order(0));
    let answers: Vec<_> = answered.try_iter().collect();
    assert!(answers.len() == 2 && answers.iter().all(Result::is_err), "{answers:?}");
    assert!(bob.socket.text().contains(r#""nonce":"b1""#), "{}", bob.socket.text());
}

#[test]
fn whoever_waits_behind_the_stop_of_a_server_is_answered() {
    let mut shared = Shared::new(1);
    let alice = person(1, "alice");
    shared.post(0, alice.joins());
    shared.order_all();
    shared.post(0, alice.says("the last"));
    let ((done, is_done), (answered, answer)) = (bounded(1), bounded(1));
    shared.post(0, Envelope::Stop { done });
    shared.post(0, alice.leaves());
    shared.post(0, Envelope::Settle { answered });
    assert!(answer.try_recv().is_err());
    assert!(shared.order(0));
    assert_eq!((is_done.try_recv(), answer.try_recv()), (Ok(()), Ok(Ok(()))));
}

#[test]
fn an_op_that_panics_is_dropped_everywhere_and_a_broken_room_ends_everywhere() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    let panics =
        |in_apply| Envelope::Op { by: By::Operator, op: Op::Panic { in_apply }, answered: None };
    shared.post(1, panics(false));
    shared.post(1, bob.says("still here"));
    shared.order_all();
    assert_eq!(said(&alice), ["1002 \"still here\""]);
    shared.check_same();
    shared.post(1, panics(true));
    shared.order_all();
    for (room, person) in [(0, &alice), (1, &bob)] {
        assert!(shared.room(room).executor.lock().state.has_ended());
        assert!(person.socket.text().contains("internal_error"), "{}", person.socket.text());
    }
}

#[test]
fn what_is_said_to_a_machine_that_is_taken_for_dead_gets_no_answer() {
    for is_dead in [true, false] {
        let mut shared = Shared::new(1);
        let alice = person(1, "alice");
        shared.post(0, alice.joins());
        shared.order_all();
        shared.post(0, alice.says_with("in flight", Some("a0")));
        shared.post(0, alice.says_with("waiting", Some("a1")));
        // In one round, as after the machine has stood still.
        let mut executor = shared.room(0).executor.lock();
        executor.take_logged(Envelope::LogLost { is_dead });
        executor.take_logged(alice.says_with("too late", Some("a2")));
        executor.append_waiting();
        drop(executor);
        let heard = alice.socket.text();
        assert!(!heard.contains("a0") && !heard.contains("a1"), "{heard}");
        // If only the room is lost, nobody says it again on another machine.
        assert_eq!(heard.contains("no_room"), !is_dead, "{heard}");
    }
}

#[test]
fn while_its_log_is_away_a_room_refuses_what_would_change_it_and_lets_people_go() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(0, bob.joins());
    shared.order_all();
    shared.room(0).miss_log().expect("the room is open");
    shared.post(0, alice.says_with("nothing was in flight", Some("a0")));
    shared.room(0).miss_log().expect("the room is open");
    shared.post(0, alice.says_with("refused", Some("a1")));
    assert!(alice.socket.text().contains(r#""code":"unavailable""#));
    let (answer, answered) = bounded(1);
    let op = Op::Topic("tea".into());
    shared.post(0, Envelope::Op { by: alice.by(), op, answered: Some(answer) });
    assert_eq!(answered.recv(), Ok(Err(Refusal::Unavailable)));
    shared.post(0, bob.leaves());
    assert!(bob.socket.text().ends_with("bye\n"));
    assert!(said(&alice).is_empty());

    shared.order_all();
    assert_eq!(said(&alice), ["1002 \"nothing was in flight\""]);
    assert!(alice.socket.text().contains(r#"{"type":"ack","nonce":"a0","id":1002}"#));
    let left = alice.socket.text().contains(r#"{"type":"left","id":1003"#);
    assert!(left && shared.room(1).status().members == 1);
    shared.check_same();
    shared.post(0, alice.says("again"));
    shared.order_all();
    assert_eq!(said(&alice).len(), 2);
}

#[test]
fn an_entry_that_is_heard_again_or_too_early_changes_nothing() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    shared.post(0, alice.says("one"));
    shared.order_all();
    let entry = shared.entries.last().expect("there are some").clone();
    let early = LogEntry { number: entry.number + 2, seq: entry.seq + 1, ..entry.clone() };
    for (room, _) in &shared.nodes {
        for entry in [&entry, &early] {
            room.hear(entry.clone()).expect("the room is open");
        }
    }
    for person in [&alice, &bob] {
        assert_eq!(said(person), ["1002 \"one\""]);
    }
    shared.check_same();
    shared.post(1, bob.says("two"));
    shared.order_all();
    assert_eq!(said(&alice).len(), 2);
}

#[test]
fn a_speaker_waits_while_much_waits_for_the_log_and_nobody_else_does() {
    let mut shared = Shared::new(1);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.order_all();
    let long = || Speech {
        text: "x".into(),
        me: false,
        nonce: None,
        rendered_bytes: mailbox::MAILBOX_BYTES,
    };
    let room = shared.room(0).clone();
    // The first is in flight, the second waits.
    (0..2).for_each(|_| room.say(&alice.session, vec![long()]));
    let speaker = patience::spawn({
        let (room, alice) = (room.clone(), alice.session.clone());
        move || room.say(&alice, vec![long()])
    });
    speaker.wait_until_asleep();
    shared.post(0, bob.joins());
    shared.order_all();
    speaker.join();
    shared.order_all();
    assert_eq!(said(&alice).len(), 3);
}

#[test]
fn the_members_of_a_server_that_stops_leave_on_the_others() {
    let mut shared = Shared::new(2);
    let (alice, bob, carol) = (person(1, "alice"), Person::new(2, "bob", TEXT), person(3, "carol"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.post(1, carol.joins());
    shared.order_all();
    shared.room(1).stop(Instant::now() + patience::DEADLINE);
    assert!(carol.socket.text().contains("\"bye\""));
    shared.order_all();
    assert!(alice.socket.text().ends_with("\"room\":\"math\",\"user\":\"bob\"}\n"));
    assert_eq!(alice.socket.text().matches("\"left\"").count(), 1);
    // Whoever can come back is waited for.
    assert_eq!(shared.room(0).status().members, 2);
    shared.post(0, Envelope::Op { by: By::Time, op: Op::Unclaimed(2), answered: None });
    shared.order_all();
    assert!(alice.socket.text().ends_with("\"room\":\"math\",\"user\":\"carol\"}\n"));
    assert_eq!(shared.room(0).status().members, 1);
}

#[test]
fn a_member_that_comes_back_to_another_server_stays_and_is_told_what_it_missed() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    let last = shared.room(0).next_id() - 1;
    shared.post(0, alice.says("while bob is away"));
    shared.order_all();
    let again = person(2, "bob");
    let (answered, answer) = bounded(1);
    let last = Last { event: Some(last), private: 0 };
    shared.post(0, arrives(2, 1));
    shared.order_all();
    shared.post(0, Envelope::Resume { coming: again.coming(), last, answered });
    shared.order_all();
    assert_eq!(answer.recv(), Ok(Ok(())));
    assert_eq!(said(&again).len(), 1, "{}", again.socket.text());
    // What is said now, it is told once, where it is; a burial of its old server takes no notice.
    shared.post(1, Envelope::Op { by: By::Time, op: Op::Buried(2), answered: None });
    shared.post(0, alice.says("welcome back"));
    shared.order_all();
    assert_eq!((said(&again).len(), said(&bob).len()), (2, 1));
    assert_eq!(shared.room(1).status().members, 2);
    shared.check_same();
}

#[test]
fn ids_go_on_above_what_an_entry_says() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    let next_id = shared.room(0).executor.lock().snapshot().state.next_id();
    shared.post(0, alice.says("one"));
    assert!(shared.order_above(0, next_id + 1_000));
    shared.check_same();
    let Snapshot { state, events, .. } = shared.room(1).executor.lock().snapshot();
    let ids: Vec<u64> = events.iter().map(Event::id).collect();
    assert_eq!(ids.last(), Some(&(next_id + 1_001)));
    assert_eq!(state.next_id(), next_id + 1_002);
    // One that is lower changes nothing.
    let mut same = state.clone();
    same.raise_ids(next_id);
    assert_eq!(same, state);
}

#[test]
fn ids_that_nobody_was_given_are_not_missing() {
    // How many events memory has forgotten before the ids were raised, and since.
    for (before, after, gone) in [(10, 20, 0), (10, 200, 0), (10, 210, 10)] {
        let mut shared = Shared::new(2);
        let (alice, bob) = (person(1, "alice"), person(2, "bob"));
        shared.post(0, alice.joins());
        shared.post(1, bob.joins());
        shared.order_all();
        for number in 0..before {
            shared.post(0, alice.says(&format!("before {number}")));
            shared.order_all();
        }
        let last = shared.room(0).next_id() - 1;
        shared.post(0, alice.says("after 0"));
        assert!(shared.order_above(0, last + 1_000_000));
        for number in 1..after {
            shared.post(0, alice.says(&format!("after {number}")));
            shared.order_all();
        }
        let again = person(2, "bob");
        let last_received = Last { event: Some(last), private: 0 };
        let answered = bounded(1).0;
        let resume = Envelope::Resume { coming: again.coming(), last: last_received, answered };
        shared.post(1, resume);
        shared.order_all();
        let text = again.socket.text();
        let gap = format!(
            r#""gap","room":"math","from":{},"to":{}}}"#,
            last + 1,
            last + 1_000_000 + gone
        );
        assert_eq!((text.contains(&gap), text.contains("\"gap\"")), (gone > 0, gone > 0), "{text}");
        assert_eq!(said(&again).len(), after - gone as usize);
    }
}

#[test]
fn a_machine_that_has_lost_the_log_does_not_end_the_room_for_the_others() {
    let mut shared = Shared::new(2);
    let alice = person(1, "alice");
    shared.post(1, alice.joins());
    shared.order_all();
    shared.post(1, alice.says("one"));
    let (seq, body) = shared.nodes[1].1.appended.lock().pop_front().expect("what she said");
    let (number, time) = (shared.entries.len() as u64 + 1, Time::from_millis(9_000));
    let entry = LogEntry { number, origin: 2, seq, time, ids_above: 0, body: body.into() };
    let (room, log) = &shared.nodes[0];
    // In one round, as after a machine has stood still.
    let mut executor = room.executor.lock();
    executor.take_logged(Envelope::LogLost { is_dead: false });
    executor.take_logged(Envelope::Entry(entry));
    assert!(executor.state.has_ended());
    assert_eq!(*log.ended.lock(), None);
}

#[test]
fn a_room_is_let_go_by_a_machine_without_members_and_turns_away_who_comes_too_late() {
    let mut shared = Shared::new(2);
    let (alice, bob, carol) = (person(1, "alice"), person(2, "bob"), person(3, "carol"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    // In flight: she may be a member in a moment.
    assert_eq!(shared.room(1).let_go(), Err(Refusal::Unavailable));
    shared.order_all();
    assert_eq!(shared.room(1).let_go(), Err(Refusal::Unavailable));
    assert_eq!(shared.room(1).status().deserted_since, None);
    let until = Time::from_millis(60_000);
    let mute = Op::Mute { session: 1, mute: Mute { until: Some(until) }, seconds: Some(60) };
    shared.post(1, Envelope::Op { by: By::Teacher(2), op: mute, answered: None });
    shared.post(1, bob.leaves());
    shared.order_all();
    assert!(shared.room(1).status().deserted_since.is_some());
    // Whoever was muted from here has to be unmuted by somebody.
    assert_eq!(shared.room(1).let_go(), Err(Refusal::Unavailable));
    let over = Op::MuteOver { session: 1, muter: Muter::Owner, until };
    shared.post(1, Envelope::Op { by: By::Time, op: over, answered: None });
    shared.order_all();
    assert_eq!(shared.room(1).let_go(), Ok(()));
    assert_eq!(shared.room(1).enter(carol.coming()), Err(Refusal::Ended));
    assert!(shared.room(1).leave(3, carol.going()).is_err());
    // The room goes on without this machine.
    shared.post(0, alice.says("still here"));
    shared.order_all();
    assert_eq!(said(&alice).len(), 1);
    assert_eq!(*shared.nodes[1].1.ended.lock(), None);
}

#[test]
fn a_post_in_the_round_in_which_another_server_ends_the_room_is_answered() {
    let shared = Shared::new(2);
    shared.room(0).act_now(By::Operator, Op::End).expect("the room is open");
    let (seq, body) = shared.nodes[0].1.appended.lock().pop_front().expect("it was appended");
    let (origin, time) = (shared.nodes[0].1.origin, Time::from_millis(1_000));
    let entry = LogEntry { number: 1, origin, seq, time, ids_above: 0, body: body.into() };
    let room = shared.room(1).clone();
    let held = room.hold_rounds();
    let (hears, ends) = (room.clone(), room.clone());
    let hearing = patience::spawn(move || hears.hear(entry).is_ok());
    hearing.wait_until_asleep();
    let ending = patience::spawn(move || ends.end_if_empty(Time::from_millis(0)));
    ending.wait_until_asleep();
    drop(held);
    assert!(hearing.join());
    assert_eq!(ending.join(), Err(Refusal::Ended));
    assert!(shared.nodes[1].1.appended.lock().is_empty(), "nothing is appended for nobody");
}

/// A session comes to the machine with this number.
fn arrives(session: u64, origin: u64) -> Envelope {
    let op = Op::Arrive { quiet: None, origin };
    Envelope::Op { by: By::Member(session), op, answered: None }
}

#[test]
fn who_resumes_where_the_session_is_no_more_does_not_take_it_from_where_it_is() {
    let mut shared = Shared::new(2);
    let alice = person(1, "alice");
    shared.post(0, alice.joins());
    shared.order_all();
    // Her connection is heard of there after her session has gone on.
    let (late, (answered, answer)) = (person(1, "alice"), bounded(1));
    let last = Last { event: None, private: 0 };
    shared.post(0, Envelope::Resume { coming: late.coming(), last, answered });
    shared.post(1, arrives(1, 2));
    assert!(shared.order(1));
    shared.order_all();
    assert_eq!(answer.try_recv(), Ok(Err(Refusal::NoMember)));
    let state = shared.room(0).executor.lock().state.clone();
    assert_eq!(state.member(1).map(|it| it.origin), Some(2));
    shared.check_same();
}

#[test]
fn a_machine_can_neither_speak_for_nor_end_whoever_has_come_back_on_another() {
    let mut shared = Shared::new(2);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    shared.post(0, alice.joins());
    shared.post(1, bob.joins());
    shared.order_all();
    let elsewhere = person(1, "alice");
    let (answered, answer) = bounded(1);
    let last = Last { event: None, private: 0 };
    // Said before anybody knows, and heard after her session has come there.
    shared.post(0, alice.says_with("from an old life", Some("n1")));
    shared.post(1, arrives(1, 2));
    assert!(shared.order(1));
    shared.post(1, Envelope::Resume { coming: elsewhere.coming(), last, answered });
    shared.order_all();
    assert_eq!(answer.try_recv(), Ok(Ok(())));
    assert!(alice.session.has_moved() && alice.socket.text().contains("\"replaced\""));
    shared.post(0, alice.leaves());
    shared.post(0, Envelope::Op { by: By::Member(1), op: Op::Away, answered: None });
    shared.post(1, elsewhere.says_with("again", Some("n1")));
    shared.order_all();
    assert_eq!(said(&bob).len(), 1);
    assert!(said(&elsewhere)[0].contains("again"), "{:?}", said(&elsewhere));
    let state = shared.room(0).executor.lock().state.clone();
    let presence = state.member(1).expect("she is still here");
    assert_eq!((presence.origin, presence.away), (2, false));
    shared.check_same();
}

#[test]
fn what_the_log_has_lost_before_it_was_heard_is_appended_again() {
    let mut shared = Shared::new(2);
    let alice = person(1, "alice");
    shared.post(0, alice.joins());
    shared.order_all();
    shared.post(0, alice.says_with("one", Some("a1")));
    let lost = shared.nodes[0].1.appended.lock().pop_front().expect("it is appended");
    shared.post(0, alice.says("two"));
    for (room, _) in &shared.nodes {
        room.offer().expect("the room is open");
    }
    assert_eq!(*shared.nodes[0].1.appended.lock(), [lost]);
    shared.order_all();
    assert_eq!(said(&alice), ["1001 \"one\"", "1002 \"two\""]);
    shared.check_same();
    // Nothing is in flight any more.
    shared.room(0).offer().expect("the room is open");
    assert!(!shared.order(0));
}
