//! The room's guarantees, on sockets that are none.

use std::sync::atomic::AtomicUsize;

use madang_protocol::text::{Lang, LineEnd};

use super::*;
use crate::{
    outbox::{Bounds, Waker},
    sink::fake::FakeSocket,
};

/// Sockets of these tests are never full.
struct NoWaker;

impl Waker for NoWaker {
    fn arm(
        &self,
        _: &Arc<Outbox>,
        _: Option<&std::net::TcpStream>,
        _: bool,
    ) -> std::io::Result<()> {
        panic!("a socket was full")
    }

    fn disarm(&self, _: u64, _: Option<&std::net::TcpStream>) {}
}

const TEXT: Form = Form::Text(Lang::En, LineEnd::Lf);
const QUIT: CloseReason = CloseReason::Told(Goodbye::Quit);

struct Person {
    number: u64,
    socket: Arc<FakeSocket>,
    outbox: Arc<Outbox>,
}

impl Person {
    fn new(number: u64, form: Form) -> Person {
        let socket = FakeSocket::with_space(usize::MAX);
        let bounds =
            Bounds { outbox_bytes: 1_000, backlog_bytes: 1_000, backlog: AtomicUsize::new(0) };
        let outbox = Outbox::new(number, form, socket.sink(), Arc::new(bounds), Arc::new(NoWaker));
        Person { number, socket, outbox }
    }

    fn join(number: u64, room: &Room, name: &str) -> Person {
        let person = Person::new(number, TEXT);
        room.join(person.outbox.clone(), name, None).expect("the room is open");
        person
    }

    fn say(&self, room: &Room, text: &str) {
        let speech = Speech { text: text.into(), nonce: None };
        room.say(self.number, vec![speech]).expect("the room is open");
    }

    #[track_caller]
    fn heard(&self, expected: &str) {
        assert_eq!(self.socket.text(), expected);
    }
}

fn room() -> Room {
    Room::new("lobby", SystemTime::UNIX_EPOCH + Duration::from_micros(1_000))
}

/// Puts posts into one round.
fn one_round(room: &Room, posts: Vec<Post>) {
    let mut floor = room.floor.lock();
    floor.posts = posts;
    floor.round(Instant::now());
}

fn join(person: &Person, name: &str, token: Option<&str>) -> Post {
    let (outbox, user) = (person.outbox.clone(), name.into());
    let member = Member { outbox, user, joined: 0, from: 0, answers: Vec::new() };
    Post::Join { member, token: token.map(Into::into) }
}

fn say(number: u64, text: &str, nonce: Option<&str>) -> Post {
    let speech = Speech { text: text.into(), nonce: nonce.map(Into::into) };
    Post::Say { number, speeches: vec![speech] }
}

#[test]
fn everyone_is_told_of_everything_from_joining_to_leaving() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    let bob = Person::join(2, &room, "bob");
    alice.say(&room, "hi");
    room.leave(2, QUIT, b"bye\n".to_vec()).expect("the room is open");
    alice.say(&room, "alone");
    alice.heard("[alice] joined.\n[bob] joined.\n[alice] hi\n[bob] left.\n[alice] alone\n");
    bob.heard("[bob] joined.\n[alice] hi\nbye\n");
}

#[test]
fn who_joins_or_leaves_within_a_round_is_told_of_its_part_once() {
    let room = room();
    let [alice, bob, carol] = [1, 2, 3].map(|number| Person::new(number, TEXT));
    one_round(
        &room,
        vec![
            join(&alice, "alice", None),
            say(1, "one", None),
            join(&bob, "bob", None),
            say(1, "two", None),
            Post::Leave { number: 1, reason: QUIT, goodbye: b"bye\n".to_vec() },
            join(&carol, "carol", None),
            say(2, "three", None),
        ],
    );
    alice.heard("[alice] joined.\n[alice] one\n[bob] joined.\n[alice] two\nbye\n");
    bob.heard("[bob] joined.\n[alice] two\n[alice] left.\n[carol] joined.\n[bob] three\n");
    carol.heard("[carol] joined.\n[bob] three\n");
    assert_eq!(bob.socket.state.lock().taken.len(), 1, "one batch, one send");
    one_round(&room, vec![say(3, "next", None)]);
    assert!(carol.socket.text().ends_with("[bob] three\n[carol] next\n"));
}

#[test]
fn a_thousand_joins_in_a_round_cost_a_member_one_send() {
    let room = room();
    let people: Vec<Person> = (0..1_000).map(|number| Person::new(number, TEXT)).collect();
    let joins = people.iter().map(|person| join(person, &format!("n{}", person.number), None));
    one_round(&room, joins.collect());
    for person in &people {
        assert_eq!(person.socket.state.lock().taken.len(), 1);
        assert_eq!(person.socket.text().lines().count(), 1_000 - person.number as usize);
    }
}

#[test]
fn ids_rise_by_one_from_the_microsecond_of_the_rooms_making() {
    let room = room();
    let alice = Person::new(1, Form::Json);
    one_round(
        &room,
        vec![join(&alice, "alice", Some("t")), say(1, "a", Some("n1")), say(1, "b", Some("n2"))],
    );
    let text = alice.socket.text();
    let ids: Vec<&str> = text.lines().filter_map(|line| line.split("\"id\":").nth(1)).collect();
    let ids: Vec<&str> = ids.iter().map(|id| &id[..4]).collect();
    // The welcome and the acks come before the batch.
    assert_eq!(ids, ["1000", "1001", "1002", "1000", "1001", "1002"], "{text}");
}

#[test]
fn an_answer_comes_after_what_its_asker_said_before() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    one_round(
        &room,
        vec![say(1, "one", None), Post::Who { number: 1, nonce: None }, say(1, "two", None)],
    );
    alice.heard("[alice] joined.\n[alice] one\n1 here: alice\n[alice] two\n");
}

#[test]
fn a_long_list_of_names_comes_in_several_lines_in_the_order_of_joining() {
    let room = room();
    let people: Vec<Person> =
        (0..120).map(|number| Person::join(number, &room, &format!("n{number}"))).collect();
    room.who(119, None).expect("the room is open");
    let text = people[119].socket.text();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), 3);
    let names = lines.iter().flat_map(|line| line["120 here: ".len()..].split(", "));
    assert!(names.eq((0..120).map(|number| format!("n{number}"))));
}

#[test]
fn a_panic_in_a_post_costs_that_post() {
    let room = room();
    let alice = Person::join(1, &room, "alice");
    one_round(&room, vec![say(1, "before", None), Post::Panic, say(1, "after", None)]);
    alice.say(&room, "later");
    alice.heard("[alice] joined.\n[alice] before\n[alice] after\n[alice] later\n");
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
    let speech = Speech { text: "too late".into(), nonce: None };
    assert_eq!(room.say(1, vec![speech]), Err(Ended));
    assert_eq!(room.leave(2, QUIT, Vec::new()), Err(Ended));
    bob.heard("[bob] joined.\n[alice] last words\nThe server is shutting down.\n");
}
