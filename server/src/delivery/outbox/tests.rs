//! The outbox's guarantees, each tested on a fake socket.

use std::sync::atomic::Ordering;

use madang_protocol::{
    event::{Event, ServerMessage, Stamp, Time, WireNote},
    notice::{Goodbye, Notice},
    text::{Lang, LineEnd},
};
use proptest::prelude::*;
use serde_json::Value;

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
    /// An outbox with this limit, in front of a socket with this much space.
    fn new(outbox_bytes: usize, space: usize) -> Bench {
        Bench::waiting_for_acks(outbox_bytes, space, patience::DEADLINE)
    }

    /// The same, whose goodbye waits for so long for acks.
    fn waiting_for_acks(outbox_bytes: usize, space: usize, ack_patience: Duration) -> Bench {
        let socket = FakeSocket::with_space(space);
        let bounds = Arc::new(Bounds::new(outbox_bytes, 1_000_000, ack_patience));
        let (waker, traffic) = (socket.clone(), Arc::new(Traffic::default()));
        let outbox = Outbox::new(1, FORM, socket.sink(), bounds.clone(), waker, traffic.clone());
        Bench { socket, bounds, traffic, outbox, room: "lobby".into(), next_id: 0 }
    }

    /// Offers a batch of this many events; each line is the event's id.
    fn offer(&mut self, events: u32) {
        self.offer_of(&self.room.clone(), events);
    }

    /// The same for another room, as when a member changes rooms.
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

    /// Gives the socket space, and drains the outbox if it is armed.
    fn make_space(&self, space: usize) {
        self.socket.change(|state| state.space = space);
        let armed = std::mem::take(&mut self.socket.state.lock().armed);
        if armed {
            self.outbox.drain();
        }
    }

    /// A connection's own thread, waiting before it reads on.
    fn waiting_reader(&self, until: Until) -> TestThread<Result<usize, CloseReason>> {
        let outbox = self.outbox.clone();
        let reader = patience::spawn(move || outbox.wait_for_space(until, None));
        reader.wait_until_asleep();
        reader
    }

    fn waiting(&self) -> (usize, bool) {
        let backlog = self.bounds.backlog.load(Ordering::Relaxed);
        // No other outbox shares any of it.
        assert_eq!(backlog, self.outbox.state.lock().queue.waiting_bytes());
        (backlog, self.socket.state.lock().armed)
    }
}

#[test]
fn a_socket_with_space_gets_everything_at_once() {
    let mut bench = Bench::new(1_000, 1_000);
    bench.offer(2);
    bench.outbox.push(b"answer\n");
    assert_eq!(bench.socket.text(), "[u] 0\n[u] 1\nanswer\n");
    assert_eq!(bench.socket.state.lock().taken.len(), 2);
    assert_eq!(bench.waiting(), (0, false));
    assert_eq!(Arc::strong_count(&bench.outbox), 1);
}

#[test]
fn output_that_does_not_fit_waits_in_order_for_space() {
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
fn a_slow_reader_gets_marks_and_all_its_answers() {
    let mut bench = Bench::new(400, 3);
    bench.offer(1); // begun: it is sent whole
    bench.offer(2);
    bench.outbox.push(b"answer\n");
    bench.offer(3);
    for _ in 0..5 {
        bench.offer(4);
    }
    let newest = bench.next_id - 4;
    bench.make_space(usize::MAX);
    let expected = format!(
        "[u] 0\n{}\nanswer\n[u] {newest}\n[u] {}\n[u] {}\n[u] {}\n",
        Notice::Skipped { lines: newest as usize - 1 }.text(Lang::En),
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
fn skipped_events_are_counted_per_room() {
    let mut bench = Bench::new(700, 0);
    bench.outbox.change_form(Form::JSON);
    // Two of them have the same name: one has ended, and its name was reused.
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
fn replayed_history_does_not_shorten_a_gap() {
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
fn answers_may_exceed_the_limit_and_pause_reading() {
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
fn too_many_private_bytes_pause_readers_and_refuse_whispers() {
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

/// A batch with one event of this many bytes, for several outboxes.
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
fn bytes_shared_by_outboxes_count_once_in_the_backlog() {
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
    // Each way to leave a queue: sent, skipped, dropped.
    benches[0].socket.change(|state| state.space = usize::MAX);
    outboxes[0].drain();
    for outbox in &outboxes[1..] {
        assert_eq!(backlog() / 1_000, 10, "as long as any holds it");
        outbox.end(CloseReason::Stalled);
    }
    assert_eq!(backlog(), 0);
    // What is sent at once is never held.
    let rendered = batch.rendered(FORM, Carrier::Lines).clone();
    assert!(rendered.hold() && rendered.let_go());
}

#[test]
fn a_skip_examines_each_entry_once() {
    /// How many entries are examined for this many broadcasts behind this many answers.
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
    // Each once when it is queued, and the newest once more when it no longer is.
    assert!(steps(1_000, 1_000) <= 1_000 + 2 * 1_000, "{}", steps(1_000, 1_000));
    let (once, twice) = (steps(2_000, 1_000), steps(2_000, 2_000));
    assert!(twice <= 2 * once, "{once} steps, and {twice} for twice as many broadcasts");
}

#[test]
fn a_replay_is_queued_in_parts_and_skipped_last() {
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
    // No part exceeds 32 KiB.
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

    // It alone is too much: then it is skipped too.
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
fn a_full_backlog_makes_every_waiting_outbox_skip() {
    let mut bench = Bench::new(1_000_000, 0);
    bench.offer(1);
    bench.offer(1);
    assert_eq!(bench.outbox.state.lock().queue.pieces(usize::MAX).len(), 2);
    bench.bounds.backlog.fetch_add(2_000_000, Ordering::Relaxed);
    for _ in 0..5 {
        bench.offer(1);
    }
    // The mark for the skipped events, and the newest event.
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
fn a_dismissed_connection_is_ended_unless_its_thread_does_so() {
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

#[test]
fn no_call_waits_for_a_peer_that_takes_nothing() {
    let mut bench = Bench::new(100, 3);
    let calls = patience::spawn(move || {
        let outbox = bench.outbox.clone();
        bench.offer(50);
        outbox.push(&[b'x'; 500]);
        assert!(!outbox.try_push(b"a whisper\n"), "there is no space for it");
        outbox.push_bytes(b"bytes");
        outbox.drain();
        bench.offer(50);
        outbox.owe_ack();
        outbox.close(CloseReason::Told(Goodbye::Quit), b"bye\n");
        assert!(outbox.pay_ack(b"ack\n"), "it is owed");
        bench.offer(50);
        outbox.shut_down_write();
        outbox.end(CloseReason::Stalled);
        outbox.release();
        outbox.reason()
    });
    assert_eq!(calls.join(), Some(CloseReason::Told(Goodbye::Quit)));
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u32),
    Push,
    Space(usize),
}

proptest! {
    /// At any pace: lines are complete and in order, all answers arrive, and the marks count
    /// exactly what is missing in their place.
    #[test]
    fn nothing_is_reordered_cut_or_lost_without_a_mark(
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

#[test]
fn the_goodbye_waits_for_acks_that_are_owed_and_nothing_else_is_accepted() {
    const QUIT: CloseReason = CloseReason::Told(Goodbye::Quit);
    let mut bench = Bench::new(1_000, 1_000);
    let outbox = bench.outbox.clone();
    (0..3).for_each(|_| outbox.owe_ack());
    assert!(outbox.pay_ack(b"ack 1\n"));
    outbox.dismiss(QUIT, b"bye\n");
    assert_eq!(outbox.reason(), Some(QUIT));
    assert!(outbox.end_dismissed().is_some(), "it is not cut off as long as it waits");
    bench.offer(1);
    outbox.push(b"answer\n");
    assert!(!outbox.try_push(b"whisper\n"));
    let drained = patience::spawn({
        let outbox = outbox.clone();
        move || outbox.wait_drained(Instant::now() + patience::DEADLINE)
    });
    drained.wait_until_asleep();
    assert!(outbox.pay_ack(b"ack 2\n"));
    assert_eq!(bench.socket.text(), "ack 1\nack 2\n");
    assert!(outbox.pay_ack(b"ack 3\n"));
    assert!(drained.join());
    assert_eq!(bench.socket.text(), "ack 1\nack 2\nack 3\nbye\n");
}

#[test]
fn the_goodbye_waits_for_no_ack_longer_than_it_may() {
    let bench = Bench::waiting_for_acks(1_000, 1_000, Duration::ZERO);
    let outbox = &bench.outbox;
    outbox.owe_ack();
    outbox.close(CloseReason::Told(Goodbye::Quit), b"bye\n");
    assert!(outbox.wait_drained(Instant::now() + patience::DEADLINE));
    assert!(!outbox.pay_ack(b"ack\n"), "it is too late");
    assert_eq!(bench.socket.text(), "bye\n");
    // Nor does whoever dismissed a connection whose thread does not react.
    let bench = Bench::waiting_for_acks(1_000, 1_000, Duration::ZERO);
    bench.outbox.owe_ack();
    bench.outbox.dismiss(CloseReason::Told(Goodbye::Closed), b"bye\n");
    assert_eq!(bench.outbox.end_dismissed(), None);
    assert!(bench.outbox.wait_drained(Instant::now()), "it has ended");
}

/// An alarm that only notes that it was set.
#[derive(Default)]
struct FakeAlarm {
    set: Mutex<usize>,
}

impl Alarm for FakeAlarm {
    fn ring(&self, _: &Arc<Outbox>, _: Instant) {
        *self.set.lock() += 1;
    }
}

impl Bench {
    /// Speaks JSON, and has the connection explained.
    fn explaining(self) -> (Bench, Arc<FakeAlarm>) {
        let alarm = Arc::new(FakeAlarm::default());
        self.outbox.change_form(Form::JSON);
        assert!(self.outbox.change_wire(Some((alarm.clone(), Lang::En))));
        (self, alarm)
    }

    /// The notes that were sent.
    fn notes(&self) -> Vec<WireNote> {
        let text = self.socket.text();
        let messages = text.lines().filter_map(ServerMessage::parse);
        messages
            .filter_map(|message| match message {
                ServerMessage::Wire { note, .. } => Some(*note),
                _ => None,
            })
            .collect()
    }
}

fn wait_note() -> WireNote {
    WireNote::Wait { waits: 1, milliseconds: 1 }
}

#[test]
fn a_round_is_told_of_when_the_alarm_rings_and_never_with_the_round() {
    let (mut bench, alarm) = Bench::new(1_000, usize::MAX).explaining();
    bench.offer(2);
    bench.offer(1);
    assert!(bench.notes().is_empty());
    assert_eq!(*alarm.set.lock(), 1, "it is set once");
    let bytes = bench.socket.text().len();
    bench.outbox.tell_notes();
    let told = WireNote::Told { rounds: 2, lines: 3, bytes, members: 0, calls: 2 };
    assert_eq!(bench.notes(), std::slice::from_ref(&told));
    // A note is no reason for another one.
    bench.outbox.tell_notes();
    assert_eq!(bench.notes(), [told]);
    assert_eq!(*alarm.set.lock(), 1);
}

#[test]
fn notes_are_merged_to_five_a_second() {
    let (bench, alarm) = Bench::new(1_000, usize::MAX).explaining();
    let began = Instant::now();
    (0..100).for_each(|_| bench.outbox.clone().explain(wait_note()));
    let most = 5 + usize::try_from(began.elapsed().as_millis() / 200).expect("it is short");
    let notes = bench.notes();
    assert!((5..=most).contains(&notes.len()), "{} of {most}", notes.len());
    assert!(*alarm.set.lock() >= 1, "the rest is told later");
}

#[test]
fn what_waits_is_explained_before_the_gap_though_much_was_told_just_before() {
    let (mut bench, _) = Bench::new(4_000, usize::MAX).explaining();
    (0..20).for_each(|_| bench.outbox.clone().explain(wait_note()));
    let told = bench.notes().len();
    bench.make_space(0);
    while bench.outbox.state.lock().queue.waiting_bytes() < 2_000 {
        bench.offer(1);
    }
    bench.make_space(100);
    bench.make_space(usize::MAX);
    let notes = bench.notes();
    assert!(matches!(notes[told..], [WireNote::Filling { .. }, ..]), "{notes:?}");
}

#[test]
fn a_queue_is_explained_once_it_is_empty_with_all_that_was_skipped_and_dropped() {
    let (mut bench, alarm) = Bench::new(400, 0).explaining();
    for _ in 0..8 {
        bench.offer(1);
        bench.outbox.clone().explain(wait_note());
    }
    let mut counted = TrafficSum::default();
    counted += &bench.traffic;
    let skipped = counted.skipped;
    assert!(skipped > 0 && bench.socket.text().is_empty());
    assert_eq!(*alarm.set.lock(), 0, "nothing is told while anything waits");
    let most = bench.bounds.high_water.load(Ordering::Relaxed);
    bench.make_space(usize::MAX);
    bench.outbox.tell_notes();
    let notes = bench.notes();
    let [WireNote::Queue { bytes, limit: 400, skipped: told, dropped: 16, .. }] = notes[..] else {
        panic!("{notes:?}")
    };
    assert_eq!((bytes, told as u64), (most, skipped));
}

#[test]
fn much_that_waits_is_told_of_before_it_once_some_was_read() {
    let (mut bench, alarm) = Bench::new(4_000, 1).explaining();
    let mut counted = TrafficSum::default();
    // Until what waits has given way to a mark: little is left.
    while counted.skipped == 0 {
        bench.offer(1);
        counted = TrafficSum::default();
        counted += &bench.traffic;
    }
    bench.make_space(2);
    let waiting = bench.outbox.state.lock().queue.waiting_bytes();
    // It goes on with what was begun, and the note comes next.
    bench.make_space(3);
    assert!(bench.notes().is_empty() && *alarm.set.lock() == 0);
    bench.make_space(usize::MAX);
    let text = bench.socket.text();
    let types: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let types: Vec<_> = types.iter().map(|it| it["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(types, ["said", "wire", "gap", "said"], "{text}");
    let notes = bench.notes();
    let [WireNote::Filling { bytes, limit: 4_000, skipped, .. }] = notes[..] else {
        panic!("{notes:?}")
    };
    let note = text.lines().nth(1).map_or(0, |line| queue::cost(line.len() + 1));
    assert_eq!((bytes + note, skipped as u64), (waiting, counted.skipped));
    bench.outbox.tell_notes();
    assert!(matches!(bench.notes()[..], [_, WireNote::Queue { .. }]));
    assert_eq!(bench.waiting(), (0, false));
}

#[test]
fn a_note_about_what_waits_takes_no_space_from_it_and_comes_once() {
    let (bench, _) = Bench::new(1_000, 1).explaining();
    let line = |bytes: usize| ["x".repeat(bytes - 1).as_bytes(), b"\n"].concat();
    bench.outbox.push(&line(500));
    bench.outbox.push(&line(300));
    let waiting = || bench.outbox.state.lock().queue.waiting_bytes();
    let full = waiting();
    bench.make_space(1);
    assert_eq!(waiting(), full, "there is no space");
    bench.make_space(500);
    assert_eq!(waiting(), queue::cost(300));
    bench.make_space(1);
    assert!(waiting() > queue::cost(300), "it is told of now");
    let told = waiting();
    bench.make_space(1);
    assert_eq!(waiting(), told);
    bench.make_space(usize::MAX);
    let notes = bench.notes();
    assert!(matches!(notes[..], [WireNote::Filling { .. }]), "{notes:?}");
}

#[test]
fn private_output_is_explained_too() {
    let (bench, alarm) = Bench::new(1_000, usize::MAX).explaining();
    bench.outbox.push(b"answer\n");
    assert!(bench.outbox.try_push(b"a\nwhisper\n"));
    bench.outbox.owe_ack();
    assert!(bench.outbox.pay_ack(b"ack\n"));
    let mut batch = Batch::new(bench.room.clone());
    let stamp = Stamp { id: 1, time: Time::from_millis(0), room: bench.room.clone() };
    let (user, text) = ("u".into(), "old".into());
    batch.push(Event::Said { stamp, user, text, me: false, teacher: false }, 1);
    let rendered = batch.rendered(Form::JSON, Carrier::Lines).clone();
    bench.outbox.offer_rendered(&rendered, 0..1, Instant::now());
    bench.outbox.push_rendered(&rendered);
    let bytes = bench.socket.text().len();
    assert!(bench.notes().is_empty());
    assert_eq!(*alarm.set.lock(), 1);
    bench.outbox.tell_notes();
    assert_eq!(bench.notes(), [WireNote::Private { lines: 6, bytes, calls: 5 }]);
    // What the carrier itself sends is none of that.
    bench.outbox.push_bytes(b"pong");
    bench.outbox.tell_notes();
    assert_eq!(bench.notes().len(), 1);
}

/// A round's line, and an answer: how many allocations they cost its member.
fn allocations_of_a_line(outbox: &Arc<Outbox>, form: Form, carrier: Carrier) -> u64 {
    let mut batch = Batch::new("lobby".into());
    let stamp = Stamp { id: 1, time: Time::from_millis(0), room: "lobby".into() };
    let (user, text) = ("u".into(), "words ".repeat(100));
    batch.push(Event::Said { stamp, user, text, me: false, teacher: false }, 1);
    // Others have had it rendered.
    let rendered = batch.rendered(form, carrier).clone();
    let counted = allocation_counter::measure(|| {
        outbox.offer(&mut batch, 0..1, Instant::now());
        outbox.push_rendered(&rendered);
    });
    counted.count_total
}

#[test]
fn a_line_costs_its_member_no_allocation_and_one_who_sees_it_explained_few() {
    // The list of notes.
    const NOTES: u64 = 1;
    // What a frame looks like, and whether its first words may be a secret; 33 were counted, and
    // 21 for the lists of words, which are read once.
    const FRAME: u64 = 60;
    for (form, carrier, most) in [
        (FORM, Carrier::Lines, NOTES),
        (Form::JSON, Carrier::Lines, NOTES),
        (FORM, Carrier::WebSocket, NOTES + FRAME),
        (Form::JSON, Carrier::WebSocket, NOTES + FRAME),
    ] {
        let bench = Bench::new(1_000, usize::MAX);
        bench.socket.change(|state| state.forgets = true);
        let outbox = &bench.outbox;
        outbox.change_form(form);
        outbox.change_carrier(carrier);
        assert_eq!(allocations_of_a_line(outbox, form, carrier), 0, "never explained");
        outbox.change_wire(Some((Arc::new(FakeAlarm::default()), Lang::En)));
        let first = allocations_of_a_line(outbox, form, carrier);
        assert!((1..=most).contains(&first), "{first} for the first line");
        for _ in 0..100 {
            let more = allocations_of_a_line(outbox, form, carrier);
            assert_eq!(more, 0, "for another line, which is only counted");
        }
        outbox.change_wire(None);
        assert_eq!(allocations_of_a_line(outbox, form, carrier), 0, "no longer explained");
    }
}

#[test]
fn a_note_that_the_socket_does_not_take_is_not_explained() {
    let (bench, alarm) = Bench::new(1_000, 10).explaining();
    bench.outbox.clone().explain(wait_note());
    bench.make_space(usize::MAX);
    assert_eq!((bench.notes(), *alarm.set.lock()), (vec![wait_note()], 0));
}

#[test]
fn nothing_is_noted_after_wire_off() {
    let (mut bench, alarm) = Bench::new(1_000, usize::MAX).explaining();
    assert!(bench.outbox.change_wire(None) && !bench.outbox.change_wire(None));
    bench.offer(1);
    bench.outbox.clone().explain(wait_note());
    bench.outbox.tell_notes();
    assert_eq!((bench.notes(), *alarm.set.lock()), (Vec::new(), 0));
}
