//! The room's guarantees, on fake sockets.

use std::time::SystemTime;

use madang_protocol::{
    name::UserName,
    notice::{Goodbye, Notice},
    text::{Lang, LineEnd},
};

use super::*;
use crate::{
    clock,
    close_reason::CloseReason,
    delivery::sink::fake::{FakeSocket, connect},
    dialect::Form,
    session::{Mute, token::Token},
};

mod coming_back;
mod moderating;
mod shared;

const TEXT: Form = Form::text(Lang::En, LineEnd::Lf);
const QUIT: CloseReason = CloseReason::Told(Goodbye::Quit);

/// A notice as a line, in the language of these members.
fn in_words(notice: Notice<'_>) -> String {
    notice.text(Lang::En) + "\n"
}

fn name(text: &str) -> UserName {
    UserName::parse(text).expect("a name")
}

struct Person {
    session: Arc<Session>,
    socket: Arc<FakeSocket>,
    outbox: Arc<Outbox>,
}

impl Person {
    fn new(number: u64, user: &str, form: Form) -> Person {
        let (socket, outbox) = connect(number, form);
        let token = (form == Form::JSON).then(|| Token::new(format!("token-{number}")));
        let session = Arc::new(Session::new(number, name(user), token, Time::from_millis(0)));
        Person { session, socket, outbox }
    }

    fn join(number: u64, room: &Arc<Room>, name: &str) -> Person {
        let person = Person::new(number, name, TEXT);
        room.enter(person.coming()).expect("the room is open");
        person
    }

    /// Logging in.
    fn coming(&self) -> Coming {
        Coming {
            session: self.session.clone(),
            outbox: self.outbox.clone(),
            greeting: Greeting::Welcome,
            shown: 20,
        }
    }

    fn joins(&self) -> Envelope {
        Envelope::Join { coming: self.coming(), answered: None }
    }

    fn says(&self, text: &str) -> Envelope {
        self.says_with(text, None)
    }

    fn says_with(&self, text: &str, nonce: Option<&str>) -> Envelope {
        let nonce = nonce.map(Into::into);
        let speeches = vec![Speech { text: text.into(), me: false, nonce, rendered_bytes: 64 }];
        Envelope::Say { session: self.session.clone(), speeches, answered: None }
    }

    fn leaves(&self) -> Envelope {
        Envelope::Leave { session: self.session.number, going: self.going() }
    }

    fn going(&self) -> Going {
        let outbox = self.outbox.clone();
        Going::Ends(Closing { outbox, reason: QUIT, goodbye: b"bye\n".to_vec(), text: None })
    }

    /// Goes to another room, without waiting for the answer.
    fn moves(&self) -> Envelope {
        Envelope::Leave { session: self.session.number, going: Going::Moves(bounded(1).0) }
    }

    fn number(&self) -> u64 {
        self.session.number
    }

    fn acts(&self, op: Op) -> Envelope {
        Envelope::Op { by: self.by(), op, answered: None }
    }

    fn by(&self) -> By {
        By::Member(self.number())
    }

    /// Does something to the room.
    fn act(&self, room: &Room, op: Op) -> Result<(), Refusal> {
        room.act(self.by(), op)
    }

    fn asks(&self, question: Question) -> Envelope {
        let (session, outbox) = (self.session.clone(), self.outbox.clone());
        Envelope::Ask { session, outbox, question, nonce: None, answered: bounded(1).0 }
    }

    fn say(&self, room: &Room, text: &str) {
        let speech = Speech { text: text.into(), me: false, nonce: None, rendered_bytes: 64 };
        room.say(&self.session, vec![speech]);
    }

    #[track_caller]
    fn heard(&self, expected: &str) {
        assert_eq!(self.socket.text(), expected);
    }
}

fn room() -> Arc<Room> {
    made(0, "lobby", None)
}

/// A private room of session 1.
fn private_room() -> Arc<Room> {
    made(7, "private-k3f9", Some(1))
}

/// A room whose first id is 1000.
fn made(number: u64, name: &str, owner: Option<u64>) -> Arc<Room> {
    let beginning = Beginning { first_id: 1_000, owner, ..Beginning::default() };
    let key = owner.map(|_| RoomKey::from_bits(1));
    Room::new(number, name, key, beginning, Context::default())
}

/// Puts posts into one round.
fn one_round(room: &Room, envelopes: Vec<Envelope>) {
    let mut executor = room.executor.lock();
    *executor.envelopes() = envelopes;
    executor.round(Instant::now());
    if executor.state.has_ended() {
        room.mailbox.shut();
    }
}

#[test]
fn everyone_is_told_of_everything_from_joining_to_leaving() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    let bob = Person::join(2, &room, "bob");
    alice.say(&room, "hi");
    room.leave(2, bob.going()).expect("the room is open");
    alice.say(&room, "alone");
    alice.heard("[alice] joined.\n[bob] joined.\n[alice] hi\n[bob] left.\n[alice] alone\n");
    bob.heard("[bob] joined.\n[alice] hi\nbye\n");
}

#[test]
fn a_member_who_joins_or_leaves_within_a_round_is_sent_its_part_once() {
    let room = room();
    let [alice, bob, carol] =
        [(1, "alice"), (2, "bob"), (3, "carol")].map(|(at, name)| Person::new(at, name, TEXT));
    one_round(
        &room,
        vec![
            alice.joins(),
            alice.says("one"),
            bob.joins(),
            alice.says("two"),
            alice.leaves(),
            carol.joins(),
            bob.says("three"),
        ],
    );
    alice.heard("[alice] joined.\n[alice] one\n[bob] joined.\n[alice] two\nbye\n");
    // The history up to its place, then the rest of the batch.
    let earlier = |lines| in_words(Notice::Earlier { lines });
    bob.heard(
        &(earlier(1)
            + "[alice] one\n[bob] joined.\n[alice] two\n[alice] left.\n[carol] joined.\n\
               [bob] three\n"),
    );
    carol.heard(&(earlier(2) + "[alice] one\n[alice] two\n[carol] joined.\n[bob] three\n"));
    assert_eq!(alice.socket.state.lock().taken.len(), 2, "one batch, one send, and a goodbye");
    one_round(&room, vec![carol.says("next")]);
    assert!(carol.socket.text().ends_with("[bob] three\n[carol] next\n"));
}

#[test]
fn a_thousand_joins_in_a_round_cost_a_member_one_send() {
    let room = room();
    let people: Vec<Person> =
        (0..1_000).map(|number| Person::new(number, &format!("n{number}"), TEXT)).collect();
    one_round(&room, people.iter().map(|person| person.joins()).collect());
    for person in &people {
        assert_eq!(person.socket.state.lock().taken.len(), 1);
        let number = person.session.number as usize;
        assert_eq!(person.socket.text().lines().count(), 1_000 - number);
    }
}

#[test]
fn ids_rise_by_one_from_the_microsecond_of_the_rooms_making() {
    let room = room();
    let alice = Person::new(1, "alice", Form::JSON);
    one_round(
        &room,
        vec![alice.joins(), alice.says_with("a", Some("n1")), alice.says_with("b", Some("n2"))],
    );
    let text = alice.socket.text();
    let ids: Vec<&str> = text.lines().filter_map(|line| line.split("\"id\":").nth(1)).collect();
    let ids: Vec<&str> = ids.iter().map(|id| &id[..4]).collect();
    // The welcome and the acks come before the batch.
    assert_eq!(ids, ["1000", "1001", "1002", "1000", "1001", "1002"], "{text}");
}

#[test]
fn a_room_that_is_made_again_after_the_clock_went_back_gives_no_id_twice() {
    let ids = Arc::<EventIds>::default();
    let made_at = |micros| {
        let made = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        let beginning = Beginning { first_id: ids.first(made), ..Beginning::default() };
        Room::new(0, "math", None, beginning, Context { ids: ids.clone(), ..Context::default() })
    };
    let joined_as = |room: &Arc<Room>| {
        let alice = Person::new(1, "alice", Form::JSON);
        one_round(room, vec![alice.joins(), alice.says("a"), alice.says("b")]);
        let text = alice.socket.text();
        let id = text.split("\"id\":").nth(1).and_then(|rest| rest.split(',').next());
        id.and_then(|id| id.parse::<u64>().ok()).unwrap_or_else(|| panic!("no id in {text}"))
    };
    let former = made_at(5_000);
    assert_eq!(joined_as(&former), 5_000);
    assert_eq!(joined_as(&made_at(1_000)), 5_003, "above the last of the former");
    // Its first event is its own joining, whatever ids other rooms have given since.
    let (one, other) = (made_at(9_000), made_at(9_000));
    assert_eq!((joined_as(&one), joined_as(&other)), (9_000, 9_000));
    assert_eq!(joined_as(&made_at(0)), 9_003);
}

#[test]
fn an_answer_comes_after_what_its_asker_said_before() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    one_round(
        &room,
        vec![alice.says("one"), alice.asks(Question::Who { after: None }), alice.says("two")],
    );
    alice.heard("[alice] joined.\n[alice] one\n1 here: alice\n[alice] two\n");
}

#[test]
fn a_long_list_of_names_comes_in_several_lines_in_the_order_of_joining() {
    let room = room();
    let people: Vec<Person> =
        (0..120).map(|number| Person::join(number, &room, &format!("n{number}"))).collect();
    one_round(&room, vec![people[119].asks(Question::Who { after: None })]);
    let text = people[119].socket.text();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), 3);
    let names = lines.iter().flat_map(|line| line["120 here: ".len()..].split(", "));
    assert!(names.eq((0..120).map(|number| format!("n{number}"))));
}

#[test]
fn of_a_crowd_the_first_200_are_listed_and_the_next_after_the_last_of_them() {
    let room = room();
    let mut people: Vec<Person> =
        (1..=450).map(|number| Person::join(number, &room, &format!("n{number}"))).collect();
    // The last entry is moved into the gap; the order stays.
    room.leave(5, people[4].going()).expect("it is open");
    people.remove(4);
    let asker = &people[0];
    let ask = |after: Option<u64>| {
        let before = asker.socket.text().len();
        one_round(&room, vec![asker.asks(Question::Who { after })]);
        asker.socket.text().split_off(before)
    };
    let first = ask(None);
    assert!(first.starts_with("449 here: n1, n2, n3, n4, n6, "), "{first}");
    assert!(first.ends_with(", n201\nMore: /who after n201\n"), "{first}");
    assert_eq!(first.lines().count(), 5, "50 names a line");
    let next = ask(Some(201));
    assert!(next.starts_with("449 here: n202, "), "{next}");
    assert!(next.ends_with(", n401\nMore: /who after n401\n"), "{next}");
    let last = ask(Some(401));
    assert!(last.starts_with("449 here: n402, ") && last.ends_with(", n450\n"), "{last}");
    assert!(ask(Some(450)).starts_with("449 here: \n"));
    assert_eq!(ask(Some(5)), Notice::NotHere.text(Lang::En) + "\n", "who has gone");
}

#[test]
fn a_list_is_rendered_once_for_all_who_ask_in_a_round_and_anew_when_it_changes() {
    let room = room();
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(at, name)| Person::join(at, &room, name));
    let who = |person: &Person| person.asks(Question::Who { after: None });
    one_round(&room, vec![who(&alice), alice.acts(Op::Rename(name("carol"))), who(&bob)]);
    assert!(alice.socket.text().contains("2 here: alice, bob\n"));
    assert!(bob.socket.text().ends_with("2 here: carol, bob\n"));
    let mut executor = room.executor.lock();
    let [first, second] = [&alice, &bob].map(|person| executor.first_names(&person.outbox));
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn a_panic_in_deciding_costs_that_op() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    let panics = alice.acts(Op::Panic { in_apply: false });
    one_round(&room, vec![alice.says("before"), panics, alice.says("after")]);
    alice.say(&room, "later");
    alice.heard("[alice] joined.\n[alice] before\n[alice] after\n[alice] later\n");
}

#[test]
fn a_panic_in_applying_ends_the_room_with_its_members_connections() {
    let room = private_room();
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(at, name)| Person::join(at, &room, name));
    let panics = bob.acts(Op::Panic { in_apply: true });
    let joins = Person::new(3, "carol", TEXT);
    one_round(&room, vec![alice.says("before"), panics, bob.says("after"), joins.joins()]);
    let goodbye = CloseReason::Told(Goodbye::Internal);
    for person in [&alice, &bob] {
        assert!(person.socket.text().contains("[alice] before\n"));
        assert!(!person.socket.text().contains("[bob] after"));
        assert_eq!(person.outbox.reason(), Some(goodbye));
        assert!(person.session.room().is_none());
    }
    joins.heard("");
    assert_eq!(room.status().members, 0);
    assert_eq!(room.enter(Person::new(4, "dave", TEXT).coming()), Err(Refusal::Ended));
}

#[test]
fn a_lobby_whose_state_is_torn_begins_anew_and_gives_no_id_twice() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    let panics = alice.acts(Op::Panic { in_apply: true });
    let bob = Person::new(2, "bob", Form::JSON);
    one_round(&room, vec![alice.says("before"), panics, bob.joins()]);
    assert_eq!(alice.outbox.reason(), Some(CloseReason::Told(Goodbye::Internal)));
    bob.say(&room, "here");
    assert!(bob.socket.text().contains("\"type\":\"joined\",\"id\":1002,"));
    assert!(bob.socket.text().contains("\"type\":\"said\",\"id\":1003,"));
    assert_eq!(room.status().members, 1);
}

#[test]
fn a_panic_in_an_offer_costs_that_member() {
    let room = room();
    let [alice, bob, carol] =
        [(1, "alice"), (2, "bob"), (3, "carol")].map(|(at, name)| Person::join(at, &room, name));
    bob.socket.change(|state| state.panics = true);
    alice.say(&room, "hi");
    carol.say(&room, "ho");
    assert_eq!(bob.outbox.reason(), Some(CloseReason::Told(Goodbye::Internal)));
    assert!(carol.socket.text().ends_with("[alice] hi\n[carol] ho\n"));
    assert!(alice.socket.text().ends_with("[alice] hi\n[carol] ho\n"));
}

#[test]
fn a_stopped_room_delivers_what_it_accepted_and_says_goodbye() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    let bob = Person::join(2, &room, "bob");
    alice.say(&room, "last words");
    room.stop(Instant::now() + Duration::from_secs(10));
    alice.say(&room, "too late");
    assert_eq!(room.leave(2, Going::Expires), Err(Ended(())));
    let goodbye = in_words(Notice::Goodbye(Goodbye::Shutdown));
    bob.heard(&format!("[bob] joined.\n[alice] last words\n{goodbye}"));
}

#[test]
fn a_member_who_moves_is_sent_everything_before_and_no_goodbye() {
    let room = room();
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(at, name)| Person::join(at, &room, name));
    one_round(&room, vec![alice.says("go"), bob.moves(), alice.says("gone")]);
    bob.heard("[bob] joined.\n[alice] go\n");
    assert!(alice.socket.text().ends_with("[alice] go\n[bob] left.\n[alice] gone\n"));
    assert!(bob.session.room().is_none() && bob.outbox.is_open());
    bob.say(&room, "still here?");
    assert!(bob.socket.text().contains(&in_words(Notice::NoRoom)), "{}", bob.socket.text());
    assert!(!alice.socket.text().contains("still here?"));
}

#[test]
fn a_room_answers_questions_of_people_in_other_rooms() {
    let (lobby, other) = (room(), private_room());
    let alice = Person::join(1, &lobby, "alice");
    let bob = Person::join(2, &other, "bob");
    other
        .answer(&alice.session, &alice.outbox, Question::WhoThere { after: None }, None)
        .expect("it is open");
    alice.heard("[alice] joined.\n1 here: bob\n");
    bob.say(&other, "hi");
    assert!(!alice.socket.text().contains("hi"));
}

#[test]
fn an_ignored_member_is_unheard_by_those_who_ignore_it_and_heard_by_others() {
    let room = room();
    let [alice, bob, carol] =
        [(1, "alice"), (2, "bob"), (3, "carol")].map(|(at, name)| Person::join(at, &room, name));
    let json = Person::new(4, "dave", Form::JSON);
    room.enter(json.coming()).expect("the room is open");
    for person in [&alice, &json] {
        assert!(person.session.hide(2, &bob.session.name()));
        room.hide(person.number(), person.session.hidden()).expect("a member");
    }
    one_round(&room, vec![carol.says("1"), bob.says("2"), carol.says("3")]);
    assert!(alice.socket.text().ends_with("[carol] 1\n[carol] 3\n"), "{}", alice.socket.text());
    assert!(carol.socket.text().ends_with("[carol] 1\n[bob] 2\n[carol] 3\n"));
    // Programs filter for themselves.
    assert!(json.socket.text().contains("\"text\":\"2\""));
    // Only their messages are hidden.
    bob.act(&room, Op::Rename(name("rob"))).expect("a member");
    bob.say(&room, "4");
    room.leave(2, bob.going()).expect("the room is open");
    let text = alice.socket.text();
    assert!(text.ends_with("-- [bob] is now [rob] --\n[rob] left.\n"), "{text}");

    assert!(alice.session.show(Some(2), &bob.session.name()));
    room.hide(1, alice.session.hidden()).expect("a member");
    let bob = Person::join(5, &room, "bob");
    bob.say(&room, "back");
    assert!(alice.socket.text().ends_with("[bob] back\n"));
}

#[test]
fn a_repeated_nonce_is_acknowledged_with_its_id_and_says_nothing() {
    let room = room();
    let alice = Person::new(1, "alice", Form::JSON);
    room.enter(alice.coming()).expect("the room is open");
    let bob = Person::join(2, &room, "bob");
    one_round(&room, vec![alice.says_with("hi", Some("c1"))]);
    one_round(&room, vec![alice.says_with("hi", Some("c1")), alice.says_with("ho", Some("c2"))]);
    // Also within one round.
    one_round(&room, vec![alice.says_with("x", Some("c3")), alice.says_with("x", Some("c3"))]);
    bob.heard("[bob] joined.\n[alice] hi\n[alice] ho\n[alice] x\n");
    let text = alice.socket.text();
    let acks: Vec<&str> = text.lines().filter(|line| line.contains("\"ack\"")).collect();
    assert_eq!(
        acks,
        [("c1", 1_002), ("c1", 1_002), ("c2", 1_003), ("c3", 1_004), ("c3", 1_004)]
            .map(|(nonce, id)| format!("{{\"type\":\"ack\",\"nonce\":\"{nonce}\",\"id\":{id}}}"))
    );
}

#[test]
fn a_repeated_nonce_has_its_id_though_what_comes_with_it_pushes_it_out() {
    let room = room();
    let alice = Person::new(1, "alice", Form::JSON);
    room.enter(alice.coming()).expect("the room is open");
    let speech = |number: u64| {
        let nonce = Some(format!("c{number}"));
        Speech { text: "x".into(), me: false, nonce, rendered_bytes: 64 }
    };
    room.say(&alice.session, (0..256).map(speech).collect());
    room.say(&alice.session, (0..1).chain(256..512).map(speech).collect());
    let text = alice.socket.text();
    let first = "{\"type\":\"ack\",\"nonce\":\"c0\",\"id\":1001}";
    assert_eq!(text.lines().filter(|line| *line == first).count(), 2, "{text}");
}

#[test]
fn telling_allocates_nothing_for_each_member() {
    let allocations = [1, 500].map(|listeners| {
        let room = room();
        let speaker = Person::new(0, "speaker", TEXT);
        let listeners: Vec<Person> =
            (1..=listeners).map(|at| Person::new(at, &format!("m{at}"), TEXT)).collect();
        for person in [&speaker].into_iter().chain(&listeners) {
            person.socket.change(|state| state.forgets = true);
            room.enter(person.coming()).expect("the room is open");
        }
        // Once the history has its memory.
        (0..1_000).for_each(|_| speaker.say(&room, "words"));
        allocation_counter::measure(|| speaker.say(&room, "words")).count_total
    });
    assert!(allocations[0] > 0, "nothing is counted");
    assert_eq!(allocations[0], allocations[1]);
}

#[test]
fn a_round_waits_for_no_listener() {
    let room = room();
    let [stuck, speaker] =
        [(1, "alice"), (2, "bob")].map(|(it, name)| Person::join(it, &room, name));
    stuck.socket.change(|state| state.space = 0);
    let (done, is_done) = bounded(1);
    let room_of_speaker = room.clone();
    std::thread::spawn(move || {
        (0..3).for_each(|_| speaker.say(&room_of_speaker, "hi"));
        let _ = done.send(speaker.socket.text());
    });
    let heard = is_done.recv_timeout(crate::patience::DEADLINE).expect("a round waits");
    assert_eq!(heard.matches("[bob] hi\n").count(), 3, "{heard}");
    assert!(!stuck.socket.text().contains("hi"));
}

#[test]
fn messages_are_remembered_until_they_are_forgotten() {
    let room = room();
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(it, name)| Person::join(it, &room, name));
    assert_eq!(room.last_said(), None);
    let before = clock::now().as_millis();
    alice.say(&room, "hi");
    bob.say(&room, "hello");
    assert_eq!(room.last_said(), Some(1_003));
    assert!((before..=clock::now().as_millis()).contains(&room.happened_at()));

    let said = |room: &Room| {
        let events = room.remembered().expect("it is open").into_iter();
        events.filter(Event::is_said).map(|event| event.id()).collect::<Vec<_>>()
    };
    assert_eq!(said(&room), [1_002, 1_003]);
    room.forget_said(Some("alice"));
    assert_eq!(said(&room), [1_003]);
    let late = Person::join(3, &room, "carol");
    assert!(!late.socket.text().contains("] hi\n"), "{}", late.socket.text());
    room.forget_said(None);
    assert_eq!(room.remembered(), Ok(vec![]));
    assert_eq!(room.last_said(), Some(1_003), "that something was said is still known");
}

#[test]
fn half_of_the_history_can_be_forgotten() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    (0..20).for_each(|_| alice.say(&room, "hi"));
    let remembered = || room.remembered().expect("it is open").len();
    assert_eq!(remembered(), 21);
    room.forget_half().expect("it is open");
    assert!((5..=11).contains(&remembered()), "{}", remembered());
}
