//! The outbox's guarantees, each on a socket that is none.

use std::sync::atomic::Ordering;

use madang_protocol::{
    event::{Event, Stamp, Time},
    notice::Goodbye,
    text::{Lang, LineEnd},
};
use proptest::prelude::*;

use super::*;
use crate::{
    delivery::sink::fake::FakeSocket,
    dialect::Part,
    metrics::TrafficSum,
    patience::{self, TestThread},
    transport::WriteSide,
};

const FORM: Form = Form::text(Lang::En, LineEnd::Lf);

struct Bench {
    socket: Arc<FakeSocket>,
    bounds: Arc<Bounds>,
    traffic: Arc<Traffic>,
    outbox: Arc<Outbox>,
    room: Arc<str>,
    next_id: u64,
}

impl Bench {
    /// An outbox of so many bytes before a socket with so much space.
    fn new(outbox_bytes: usize, space: usize) -> Bench {
        let socket = FakeSocket::with_space(space);
        let bounds = Arc::new(Bounds::new(outbox_bytes, 1_000_000));
        let (waker, traffic) = (socket.clone(), Arc::new(Traffic::default()));
        let outbox = Outbox::new(1, FORM, socket.sink(), bounds.clone(), waker, traffic.clone());
        Bench { socket, bounds, traffic, outbox, room: "lobby".into(), next_id: 0 }
    }

    /// Offers a batch of so many events, whose lines are their ids.
    fn offer(&mut self, events: u32) {
        self.offer_of(&self.room.clone(), events);
    }

    /// The same of another room, which a member goes to.
    fn offer_of(&mut self, room: &Arc<str>, events: u32) {
        let mut batch = Batch::new(room.clone());
        for _ in 0..events {
            let (id, text) = (self.next_id, self.next_id.to_string());
            let stamp = Stamp { id, time: Time::from_millis(0), room: room.clone() };
            batch.push(Event::Said { stamp, user: "u".into(), text, me: false, teacher: false }, 1);
            self.next_id += 1;
        }
        self.outbox.offer(&mut batch, 0..events, Instant::now());
    }

    /// Gives the socket space, and the outbox its wake-up if it is armed.
    fn make_space(&self, space: usize) {
        self.socket.change(|state| state.space = space);
        let armed = std::mem::take(&mut self.socket.state.lock().armed);
        if armed {
            self.outbox.drain();
        }
    }

    /// The connection's own thread, which waits before it reads on.
    fn waiting_reader(&self, until: Until) -> TestThread<Result<usize, CloseReason>> {
        let outbox = self.outbox.clone();
        let reader = patience::spawn(move || outbox.wait_for_space(until, None));
        reader.wait_until_asleep();
        reader
    }

    fn waiting(&self) -> (usize, bool) {
        let backlog = self.bounds.backlog.load(Ordering::Relaxed);
        // No other outbox has any of it.
        assert_eq!(backlog, self.outbox.state.lock().queue.waiting_bytes());
        (backlog, self.socket.state.lock().armed)
    }
}

#[test]
fn what_the_socket_takes_is_sent_at_once_and_nothing_is_kept() {
    let mut bench = Bench::new(1_000, 1_000);
    bench.offer(2);
    bench.outbox.push(b"answer\n");
    assert_eq!(bench.socket.text(), "[u] 0\n[u] 1\nanswer\n");
    assert_eq!(bench.socket.state.lock().taken.len(), 2);
    assert_eq!(bench.waiting(), (0, false));
    assert_eq!(Arc::strong_count(&bench.outbox), 1);
}

#[test]
fn what_it_does_not_take_waits_armed_and_in_order() {
    let mut bench = Bench::new(1_000, 9);
    bench.offer(2);
    bench.outbox.push(b"answer\n");
    bench.offer(1);
    assert_eq!(bench.socket.text(), "[u] 0\n[u]");
    assert!(bench.waiting().1);
    for _ in 0..20 {
        bench.make_space(3);
    }
    assert_eq!(bench.socket.text(), "[u] 0\n[u] 1\nanswer\n[u] 2\n");
    assert_eq!(bench.waiting(), (0, false));
}

#[test]
fn a_slow_reader_is_skipped_and_told_and_keeps_its_answers() {
    let mut bench = Bench::new(400, 3);
    bench.offer(1); // begun: it stays whole
    bench.offer(2);
    bench.outbox.push(b"answer\n");
    bench.offer(3);
    for _ in 0..5 {
        bench.offer(4);
    }
    let newest = bench.next_id - 4;
    bench.make_space(usize::MAX);
    let expected = format!(
        "[u] 0\n-- {} lines skipped --\nanswer\n[u] {newest}\n[u] {}\n[u] {}\n[u] {}\n",
        newest - 1,
        newest + 1,
        newest + 2,
        newest + 3
    );
    assert_eq!(bench.socket.text(), expected);
    let mut counted = TrafficSum::default();
    counted += &bench.traffic;
    let (deliveries, skipped) = (bench.next_id, newest - 1);
    let sent_bytes = expected.len() as u64;
    assert_eq!(counted, TrafficSum { deliveries, skipped, sent_bytes, ..TrafficSum::default() });
}

#[test]
fn a_json_reader_is_told_which_ids_it_missed() {
    let mut bench = Bench::new(200, 0);
    bench.outbox.change_form(Form::JSON);
    bench.offer(3);
    bench.offer(2);
    bench.offer(1);
    bench.make_space(usize::MAX);
    let text = bench.socket.text();
    let gap =
        "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":0,\"to\":4}\n{\"type\":\"said\",\"id\":5,";
    assert!(text.starts_with(gap), "{text}");
}

#[test]
fn what_was_missed_of_each_room_is_told_apart() {
    let mut bench = Bench::new(700, 0);
    bench.outbox.change_form(Form::JSON);
    // Of the second two, the former has ended, and its name was taken again.
    let rooms: [Arc<str>; 3] = ["a", "b", "b"].map(Arc::from);
    for room in &rooms {
        bench.offer_of(room, 3);
        bench.outbox.push(b"entered\n");
        bench.offer_of(room, 1);
    }
    bench.offer_of(&rooms[2], 2);
    bench.make_space(usize::MAX);
    let gap = |room, from, to| {
        format!("{{\"type\":\"gap\",\"room\":\"{room}\",\"from\":{from},\"to\":{to}}}\n")
    };
    let (a, b, reborn) = (gap("a", 0, 3), gap("b", 4, 7), gap("b", 8, 11));
    let expected =
        format!("{a}entered\n{b}entered\n{reborn}entered\n{{\"type\":\"said\",\"id\":12,");
    let text = bench.socket.text();
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(bench.waiting(), (0, false));
}

#[test]
fn what_is_shown_anew_makes_no_gap_shorter() {
    let mut bench = Bench::new(200, 0);
    bench.outbox.change_form(Form::JSON);
    bench.offer(5);
    let shown = [Part { lines: vec![b'x'; 200], first_id: 1, last_id: 2 }];
    let carrier = Carrier::Lines;
    let shown = Rendered::of_parts(bench.room.clone(), shown.into(), Form::JSON, carrier);
    bench.outbox.offer_rendered(&Arc::new(shown), 0..1, Instant::now());
    bench.offer(1);
    bench.make_space(usize::MAX);
    let text = bench.socket.text();
    let gap = "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":0,\"to\":4}\n";
    assert!(text.starts_with(gap), "{text}");
}

#[test]
fn answers_pass_the_bound_and_hold_their_reader_back() {
    let bench = Bench::new(100, 0);
    for _ in 0..10 {
        bench.outbox.push(&[b'x'; 100]);
    }
    assert!(bench.waiting().0 > 1_000);
    let reader = bench.waiting_reader(Until::Space);
    bench.make_space(usize::MAX);
    assert!(reader.join().is_ok());
    assert_eq!(bench.socket.text().len(), 1_000);
}

#[test]
fn after_a_question_its_reader_waits_until_the_answer_has_gone() {
    let bench = Bench::new(1_000, 0);
    bench.outbox.push(b"an answer\n");
    let answered_bytes = bench.outbox.wait_for_space(Until::Space, None).expect("it is open");
    assert_eq!(answered_bytes, "an answer\n".len(), "to be charged");
    let reader = bench.waiting_reader(Until::Answered);
    bench.make_space("an answer".len());
    reader.wait_until_asleep();
    bench.make_space(1);
    let answered_bytes = reader.join().expect("it is open");
    assert_eq!(answered_bytes, 0, "it was charged");
}

#[test]
fn while_too_much_private_waits_readers_wait_and_whispers_are_refused() {
    let bench = Bench::new(1_000, 0);
    let limit = bench.bounds.backlog_bytes / 2;
    bench.bounds.private_backlog.fetch_add(limit + 1, Ordering::Relaxed);
    assert!(bench.outbox.wait_for_space(Until::Space, None).is_ok(), "it has read all");
    assert!(!bench.outbox.try_push(b"psst\n"));
    bench.outbox.push(b"ack\n");
    let reader = bench.waiting_reader(Until::Space);
    bench.make_space(usize::MAX);
    assert!(reader.join().is_ok());
    assert_eq!(bench.socket.text(), "ack\n");
    bench.bounds.private_backlog.fetch_sub(limit + 1, Ordering::Relaxed);
    assert!(bench.outbox.try_push(b"psst\n"));
}

/// A batch of one event of so many bytes, for several outboxes.
fn long_batch(bytes: usize) -> Batch {
    let mut batch = Batch::new("lobby".into());
    let stamp = Stamp { id: 1, time: Time::from_millis(0), room: "lobby".into() };
    batch.push(
        Event::Said { stamp, user: "u".into(), text: "x".repeat(bytes), me: false, teacher: false },
        1,
    );
    batch
}

#[test]
fn what_waits_in_many_outboxes_counts_once_in_the_servers_backlog() {
    let benches: Vec<Bench> = (0..10).map(|_| Bench::new(100_000, 0)).collect();
    let bounds = benches[0].bounds.clone();
    let open = |bench: &Bench| {
        let (socket, waker) = (bench.socket.clone(), bench.outbox.waker.clone());
        let traffic = Arc::default();
        Outbox::new(1, FORM, socket.sink(), bounds.clone(), waker, traffic)
    };
    let outboxes: Vec<_> = benches.iter().map(open).collect();
    let backlog = || bounds.backlog.load(Ordering::Relaxed);
    let mut batch = long_batch(10_000);
    for outbox in &outboxes {
        outbox.offer(&mut batch, 0..1, Instant::now());
    }
    let line = "[u] \n".len() + 10_000;
    assert_eq!(backlog(), line + 10 * 64);
    // Each way out of a queue: sent, given way, dropped.
    benches[0].socket.change(|state| state.space = usize::MAX);
    outboxes[0].drain();
    for outbox in &outboxes[1..] {
        assert_eq!(backlog() / 1_000, 10, "as long as any holds it");
        outbox.end(CloseReason::Stalled);
    }
    assert_eq!(backlog(), 0);
    // What is sent at once was never held.
    let rendered = batch.rendered(FORM, Carrier::Lines).clone();
    assert!(rendered.hold() && rendered.let_go());
}

#[test]
fn a_skip_looks_at_each_entry_once_however_many_wait() {
    /// How many entries are looked at for so many broadcasts behind so many answers.
    fn steps(answers: usize, broadcasts: usize) -> usize {
        let mut bench = Bench::new(1_000, 0);
        for _ in 0..answers {
            bench.outbox.push(b"an answer\n");
        }
        for _ in 0..broadcasts {
            bench.offer(3);
        }
        bench.outbox.state.lock().queue.steps
    }
    // Each once when it comes, and the newest once more when it is not that any more.
    assert!(steps(1_000, 1_000) <= 1_000 + 2 * 1_000, "{}", steps(1_000, 1_000));
    let (once, twice) = (steps(2_000, 1_000), steps(2_000, 2_000));
    assert!(twice <= 2 * once, "{once} steps, and {twice} for twice as many broadcasts");
}

#[test]
fn a_replay_waits_in_parts_and_gives_way_last() {
    let history = |bench: &Bench| {
        let part = |id: u64| Part { lines: vec![b'r'; 20_000], first_id: id, last_id: id };
        let parts = (0..4).map(part).collect();
        let form = Form::JSON;
        Arc::new(Rendered::of_parts(bench.room.clone(), parts, form, Carrier::Lines))
    };
    let mut bench = Bench::new(90_000, 0);
    bench.outbox.change_form(Form::JSON);
    let shown = history(&bench);
    bench.outbox.offer_rendered(&shown, 0..4, Instant::now());
    // No part passes 32 KiB.
    assert_eq!(bench.outbox.state.lock().queue.pieces(usize::MAX).len(), 4);
    bench.next_id = 4;
    for _ in 0..100 {
        bench.offer(10);
    }
    bench.outbox.push(b"answer\n");
    bench.make_space(usize::MAX);
    let text = bench.socket.text();
    assert_eq!(text.matches('r').count() / 10_000, 8, "the replay is all there");
    let gap = "r{\"type\":\"gap\",\"room\":\"lobby\",\"from\":4,\"to\":993}\n";
    assert!(text.contains(gap), "what has just happened gave way");

    // Alone it is too much: then it gives way too.
    let mut bench = Bench::new(50_000, 0);
    bench.outbox.change_form(Form::JSON);
    bench.outbox.offer_rendered(&history(&bench), 0..4, Instant::now());
    bench.next_id = 4;
    bench.offer(1);
    bench.make_space(usize::MAX);
    let text = bench.socket.text();
    let gap = "{\"type\":\"gap\",\"room\":\"lobby\",\"from\":0,\"to\":";
    assert!(text.starts_with(gap), "{}", &text[..80]);
    assert!(text.contains("\"id\":4,"), "the newest follows");
    assert_eq!(bench.waiting(), (0, false));
}

#[test]
fn while_the_whole_server_is_behind_everyone_who_waits_skips() {
    let mut bench = Bench::new(1_000_000, 0);
    bench.offer(1);
    bench.offer(1);
    assert_eq!(bench.outbox.state.lock().queue.pieces(usize::MAX).len(), 2);
    bench.bounds.backlog.fetch_add(2_000_000, Ordering::Relaxed);
    for _ in 0..5 {
        bench.offer(1);
    }
    // The mark for what was skipped, and the newest.
    assert_eq!(bench.outbox.state.lock().queue.pieces(usize::MAX).len(), 2);
}

#[test]
fn after_the_goodbye_nothing_is_accepted() {
    let mut bench = Bench::new(1_000, 3);
    bench.offer(1);
    bench.outbox.close(CloseReason::Told(Goodbye::Quit), b"bye\n");
    bench.offer(1);
    bench.outbox.push(b"late\n");
    bench.outbox.close(CloseReason::Stalled, b"again\n");
    assert!(!bench.outbox.wait_drained(Instant::now()));
    bench.make_space(usize::MAX);
    assert!(bench.outbox.wait_drained(Instant::now()));
    assert_eq!(bench.socket.text(), "[u] 0\nbye\n");
    assert_eq!(bench.outbox.reason(), Some(CloseReason::Told(Goodbye::Quit)));
}

#[test]
fn after_the_end_nothing_is_held() {
    let mut bench = Bench::new(1_000, 3);
    bench.offer(5);
    bench.outbox.end(CloseReason::Stalled);
    bench.outbox.end(CloseReason::Told(Goodbye::Quit));
    bench.offer(1);
    assert_eq!(bench.waiting(), (0, false));
    assert!(bench.socket.state.lock().gone);
    assert_eq!(bench.outbox.reason(), Some(CloseReason::Stalled));
}

#[test]
fn who_is_dismissed_is_ended_unless_its_thread_sees_to_that() {
    let reason = CloseReason::Told(Goodbye::Replaced);
    for wakes in [false, true] {
        let mut bench = Bench::new(1_000, 1_000);
        bench.outbox.dismiss(reason, b"bye\n");
        bench.offer(1);
        assert_eq!(bench.socket.text(), "bye\n");
        let is_ended = || bench.socket.state.lock().gone;
        assert!(!is_ended());
        if wakes {
            assert!(bench.outbox.take_dismissal());
        }
        bench.outbox.end_dismissed();
        assert_eq!(is_ended(), !wakes);
        assert_eq!(bench.outbox.reason(), Some(reason));
    }
}

#[test]
fn a_socket_that_is_gone_ends_the_connection() {
    let mut bench = Bench::new(1_000, 1_000);
    bench.socket.change(|state| state.gone = true);
    bench.offer(1);
    let lost = CloseReason::Lost(io::ErrorKind::ConnectionReset);
    assert_eq!(bench.outbox.reason(), Some(lost));
}

#[test]
fn a_packet_peer_gets_each_line_in_a_send_of_its_own() {
    let mut bench = Bench::new(1_000, 8);
    bench.outbox.change_pieces(Pieces::Lines);
    bench.offer(3);
    bench.make_space(usize::MAX);
    let taken = bench.socket.state.lock().taken.clone();
    let sends: Vec<_> = taken.iter().map(|piece| str::from_utf8(piece)).collect();
    assert_eq!(sends, [Ok("[u] 0\n"), Ok("[u"), Ok("] 1\n"), Ok("[u] 2\n")]);
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u32),
    Push,
    Space(usize),
}

proptest! {
    /// Whatever the pace: lines are whole and in order, answers are all there, and
    /// the marks count exactly what is missing where they stand.
    #[test]
    fn nothing_is_reordered_cut_or_lost_untold(
        steps in proptest::collection::vec(
            prop_oneof![
                (1u32..20).prop_map(Step::Offer),
                Just(Step::Push),
                (0usize..200).prop_map(Step::Space),
            ],
            1..60,
        ),
    ) {
        let mut bench = Bench::new(700, 50);
        let mut answers = 0;
        for step in steps {
            match step {
                Step::Offer(events) => bench.offer(events),
                Step::Push => {
                    bench.outbox.push(format!("answer {answers}\n").as_bytes());
                    answers += 1;
                }
                Step::Space(space) => bench.make_space(space),
            }
            bench.waiting();
        }
        bench.make_space(usize::MAX);
        prop_assert_eq!(bench.waiting(), (0, false));

        let (mut next_id, mut next_answer) = (0u64, 0);
        for line in bench.socket.text().lines() {
            if let Some(id) = line.strip_prefix("[u] ") {
                prop_assert_eq!(id.parse(), Ok(next_id));
                next_id += 1;
            } else if let Some(answer) = line.strip_prefix("answer ") {
                prop_assert_eq!(answer.parse(), Ok(next_answer));
                next_answer += 1;
            } else {
                let count = line.strip_prefix("-- ").and_then(|rest| rest.split(' ').next());
                let count: u64 = count.and_then(|count| count.parse().ok()).expect("a mark");
                next_id += count;
            }
        }
        prop_assert_eq!((next_id, next_answer), (bench.next_id, answers));
    }
}
