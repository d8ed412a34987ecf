//! The journal's writing thread. It commits queued writes at once if the last commit began at
//! least [`PACE`] ago, otherwise at that moment, so that a busy server needs few transactions;
//! then it sends the owed acks.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use madang_protocol::{name::UserName, room::RoomName};

use super::{
    queue::{Errand, Owed, Taken, WriteQueue},
    retention::Retention,
    store::{Store, Write},
};
use crate::clock;

/// The minimum time between the starts of two commits.
const PACE: Duration = Duration::from_millis(20);

/// How long after a failure to try the disk again.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

/// How often to delete what is no longer kept.
const TIDY: Duration = Duration::from_secs(60);

/// The destination of writes: the database, or a fake disk in tests.
pub(crate) trait Disk: Send + 'static {
    /// Writes everything; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// Why nothing was written.
    fn write(&mut self, writes: &[Write]) -> Result<(), String>;

    /// Moves the log of what was written to its final place, if the log has become long.
    fn shorten_log(&mut self);

    /// Deletes a slice of what is no longer kept; returns whether there is more.
    ///
    /// # Errors
    ///
    /// Why that failed.
    fn tidy(&mut self, retention: Retention) -> Result<bool, String>;

    /// Deletes messages of a room, or those of one person. Returns the number of events.
    ///
    /// # Errors
    ///
    /// Why that failed.
    fn forget(&mut self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String>;
}

impl Disk for Store {
    fn write(&mut self, writes: &[Write]) -> Result<(), String> {
        self.check_files()?;
        Store::write(self, writes).map_err(|error| error.to_string())
    }

    fn shorten_log(&mut self) {
        if let Err(error) = Store::shorten_log(self) {
            tracing::debug!(%error, "failed to shorten the write-ahead log");
        }
    }

    fn tidy(&mut self, retention: Retention) -> Result<bool, String> {
        Store::tidy(self, retention, clock::now()).map_err(|error| error.to_string())
    }

    fn forget(&mut self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String> {
        Store::forget(self, room, name).map_err(|error| error.to_string())
    }
}

/// Observes the state of the disk.
pub(crate) trait Watch: Send + Sync + 'static {
    /// A commit with this many writes took this long.
    fn committed(&self, writes: usize, took: Duration);
    /// The disk fails: acks promise nothing from now on. `None` means that it does not answer.
    fn degraded(&self, why: Option<&str>);
    /// The disk works again.
    fn recovered(&self);
}

/// Starts the thread. It ends when the queue was closed and the rest is written (or can't be),
/// and the disk is closed.
///
/// # Errors
///
/// If the system can't create a thread.
pub(crate) fn start_writer<D: Disk, O: Owed>(
    mut disk: D,
    queue: Arc<WriteQueue<O>>,
    watch: Arc<impl Watch>,
    retention: Retention,
    retry: Duration,
) -> io::Result<JoinHandle<()>> {
    let write = move || {
        let mut not_before = Instant::now();
        let mut tidy_at = not_before;
        loop {
            let batch = match queue.take(not_before, tidy_at) {
                Taken::Batch(batch) => batch,
                Taken::Errand(Errand { room, name, done }) => {
                    // The requester may be gone.
                    let _ = done.send(disk.forget(&room, name.as_ref()));
                    continue;
                }
                Taken::Idle => {
                    let is_more = disk.tidy(retention).unwrap_or_else(|error| {
                        tracing::error!(error, "failed to delete old lines");
                        false
                    });
                    disk.shorten_log();
                    tidy_at = Instant::now() + if is_more { PACE } else { TIDY };
                    continue;
                }
                Taken::End => break,
            };
            let (is_last, began) = (queue.is_closing(), Instant::now());
            not_before = began + PACE;
            match disk.write(&batch.writes) {
                Ok(()) => {
                    watch.committed(batch.writes.len(), began.elapsed());
                    let (owed, was_degraded) = queue.committed(batch);
                    if was_degraded {
                        watch.recovered();
                    }
                    owed.into_iter().for_each(|owed| owed.pay(true));
                    disk.shorten_log();
                }
                Err(why) => {
                    let (owed, were_good) = queue.failed(batch);
                    if were_good {
                        watch.degraded(Some(&why));
                    }
                    owed.into_iter().for_each(|owed| owed.pay(false));
                    if is_last {
                        break;
                    }
                    queue.pause(Instant::now() + retry);
                }
            }
        }
        // To close a disk may read and write what it has not yet put in its place. So it is done
        // here, where nobody waits for it for longer than for the rest.
        drop(disk);
    };
    thread::Builder::new().name("journal".into()).spawn(write)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crossbeam_channel::{Receiver, Sender, unbounded};
    use madang_protocol::event::{Event, Stamp, Time};

    use super::*;
    use crate::{
        journal::queue::{MOST_ARCHIVE_BYTES, MOST_BYTES, PATIENCE},
        patience::{DEADLINE, spawn, wait_until},
    };

    /// A fake disk controlled by the test, commit by commit.
    struct Puppet {
        orders: Receiver<Result<(), String>>,
        written: Sender<Vec<u64>>,
    }

    impl Disk for Puppet {
        fn write(&mut self, writes: &[Write]) -> Result<(), String> {
            self.orders.recv().expect("the test has an order")?;
            let written = writes.iter().map(|write| match write {
                Write::Event { event, .. } => event.id(),
                Write::Hole { first, last, .. } => first * 1_000_000 + last,
                _ => 0,
            });
            self.written.send(written.collect()).expect("the test listens");
            Ok(())
        }

        fn shorten_log(&mut self) {}

        fn tidy(&mut self, _retention: Retention) -> Result<bool, String> {
            Ok(false)
        }

        fn forget(&mut self, _room: &RoomName, _name: Option<&UserName>) -> Result<usize, String> {
            self.written.send(Vec::new()).expect("the test listens");
            Ok(0)
        }
    }

    struct Debt(u64, Sender<(u64, bool)>);

    impl Owed for Debt {
        fn pay(self, is_durable: bool) {
            self.1.send((self.0, is_durable)).expect("the test listens");
        }
    }

    #[derive(Default)]
    struct Counts {
        degraded: AtomicUsize,
        recovered: AtomicUsize,
    }

    impl Watch for Counts {
        fn committed(&self, _writes: usize, _took: Duration) {}

        fn degraded(&self, _why: Option<&str>) {
            self.degraded.fetch_add(1, Ordering::SeqCst);
        }

        fn recovered(&self) {
            self.recovered.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Bench {
        queue: Arc<WriteQueue<Debt>>,
        orders: Sender<Result<(), String>>,
        written: Receiver<Vec<u64>>,
        pays: Sender<(u64, bool)>,
        paid: Receiver<(u64, bool)>,
        counts: Arc<Counts>,
        thread: JoinHandle<()>,
    }

    impl Bench {
        fn new() -> Bench {
            let (queue, counts) = (Arc::<WriteQueue<Debt>>::default(), Arc::<Counts>::default());
            let (orders, ordered) = unbounded();
            let (writes, written) = unbounded();
            let (pays, paid) = unbounded();
            let disk = Puppet { orders: ordered, written: writes };
            let thread = start_writer(
                disk,
                queue.clone(),
                counts.clone(),
                Retention::DEFAULT,
                Duration::ZERO,
            )
            .expect("a thread");
            Bench { queue, orders, written, pays, paid, counts, thread }
        }

        /// Hands over a line with an owed ack.
        fn say(&self, id: u64) {
            let handed = self.queue.hand_over([write(id, 1)], [Debt(id, self.pays.clone())]);
            handed.unpromised.into_iter().for_each(|owed| owed.pay(false));
        }

        #[track_caller]
        fn written(&self) -> Vec<u64> {
            self.written.recv_timeout(DEADLINE).expect("a commit")
        }

        #[track_caller]
        fn paid(&self) -> (u64, bool) {
            self.paid.recv_timeout(DEADLINE).expect("an ack")
        }

        fn end(self) {
            self.queue.close();
            let ended = spawn(move || self.thread.join().is_ok());
            assert!(ended.join(), "the journal's thread has panicked");
        }
    }

    fn write(id: u64, bytes: usize) -> Write {
        let stamp = Stamp { id, time: Time::from_millis(0), room: "lobby".into() };
        let text = "x".repeat(bytes);
        let event = Event::Said { stamp, user: "bob".into(), text, me: false, teacher: false };
        Write::Event { room: 1, event, session: 1, nonce: None }
    }

    #[test]
    fn an_ack_waits_for_the_commit_that_holds_its_line() {
        let bench = Bench::new();
        bench.say(1);
        // The first commit has begun, with only the first line.
        wait_until(|| {
            bench.queue.bytes() > 0 && bench.queue.look(Instant::now()).look_at.is_some()
        });
        assert!(bench.paid.is_empty(), "nothing is on the disk");
        bench.orders.send(Ok(())).expect("it waits");
        assert_eq!((bench.written(), bench.paid()), (vec![1], (1, true)));
        bench.say(2);
        bench.say(3);
        bench.orders.send(Ok(())).expect("it waits");
        let mut written = bench.written();
        if written.len() == 1 {
            bench.orders.send(Ok(())).expect("it waits");
            written.extend(bench.written());
        }
        assert_eq!(written, [2, 3]);
        assert_eq!([bench.paid(), bench.paid()], [(2, true), (3, true)]);
        bench.end();
    }

    #[test]
    fn a_commit_pays_for_what_it_holds_and_nothing_handed_over_since() {
        let (queue, pays) = (WriteQueue::<Debt>::default(), unbounded().0);
        let say = |id| queue.hand_over([write(id, 1)], [Debt(id, pays.clone())]);
        let take = || match queue.take(Instant::now(), Instant::now() + DEADLINE) {
            Taken::Batch(batch) => batch,
            other => panic!("{other:?}"),
        };
        let pays_for = |batch| {
            let (owed, _) = queue.committed(batch);
            owed.iter().map(|debt| debt.0).collect::<Vec<_>>()
        };
        say(1);
        let first = take();
        say(2);
        assert_eq!(pays_for(first), [1]);
        assert_eq!(pays_for(take()), [2]);
    }

    #[test]
    fn refused_writes_are_retried_and_their_acks_promise_nothing() {
        let bench = Bench::new();
        bench.say(1);
        bench.orders.send(Err("full".into())).expect("it waits");
        assert_eq!(bench.paid(), (1, false));
        assert!(bench.queue.is_degraded());
        // The chat continues, and learns the truth at once.
        bench.say(2);
        assert_eq!(bench.paid(), (2, false));
        bench.orders.send(Ok(())).expect("it waits");
        let mut written = bench.written();
        // In case the next attempt began before the second line.
        if written == [1] {
            bench.orders.send(Ok(())).expect("it waits");
            written.extend(bench.written());
        }
        assert_eq!(written, [1, 2]);
        wait_until(|| bench.counts.recovered.load(Ordering::SeqCst) == 1);
        assert_eq!(bench.counts.degraded.load(Ordering::SeqCst), 1);
        bench.say(3);
        bench.orders.send(Ok(())).expect("it waits");
        assert_eq!((bench.written(), bench.paid()), (vec![3], (3, true)));
        bench.end();
    }

    #[test]
    fn an_overdue_ack_is_sent_once() {
        let bench = Bench::new();
        bench.say(1);
        let now = Instant::now();
        assert!(bench.queue.look(now).owed.is_empty(), "it is not overdue yet");
        let overdue = bench.queue.look(now + PATIENCE);
        assert_eq!((overdue.owed.len(), overdue.has_begun, overdue.look_at), (1, true, None));
        overdue.owed.into_iter().for_each(|owed| owed.pay(false));
        assert_eq!(bench.paid(), (1, false));
        // The commit finally returns.
        bench.orders.send(Ok(())).expect("it waits");
        assert_eq!(bench.written(), [1]);
        wait_until(|| !bench.queue.is_degraded());
        assert!(bench.paid.is_empty(), "it was paid");
        bench.end();
    }

    #[test]
    fn a_disk_that_hangs_is_noticed_even_if_no_ack_is_owed() {
        let bench = Bench::new();
        let handed = bench.queue.hand_over([write(1, MOST_BYTES)], []);
        assert!(handed.look_at.is_some(), "somebody has to look");
        bench.queue.hand_over([write(2, 1)], []);
        let queue = bench.queue.clone();
        let speaker = spawn(move || queue.wait_for_space());
        speaker.wait_until_asleep();
        assert!(bench.queue.look(Instant::now() + PATIENCE).has_begun);
        speaker.join();
        (0..2).for_each(|_| bench.orders.send(Ok(())).expect("it waits"));
        bench.end();
    }

    #[test]
    fn one_check_is_scheduled_at_a_time() {
        let bench = Bench::new();
        (0..20).for_each(|_| bench.orders.send(Ok(())).expect("it waits"));
        assert!(bench.queue.hand_over([write(1, 1)], []).look_at.is_some());
        for id in 2..20 {
            assert!(bench.queue.hand_over([write(id, 1)], []).look_at.is_none(), "one will come");
            wait_until(|| bench.queue.bytes() == 0);
        }
        assert_eq!(bench.queue.look(Instant::now()).look_at, None, "nothing waits");
        assert!(bench.queue.hand_over([write(20, 1)], []).look_at.is_some(), "none will come");
        bench.end();
    }

    #[test]
    fn a_speaker_waits_for_a_slow_disk_but_not_for_a_failing_one() {
        let bench = Bench::new();
        bench.queue.hand_over([write(1, MOST_BYTES)], []);
        let queue = bench.queue.clone();
        let speaker = spawn(move || queue.wait_for_space());
        speaker.wait_until_asleep();
        bench.orders.send(Ok(())).expect("it waits");
        speaker.join();
        bench.queue.hand_over([write(2, MOST_BYTES)], [Debt(2, bench.pays.clone())]);
        let queue = bench.queue.clone();
        let speaker = spawn(move || queue.wait_for_space());
        speaker.wait_until_asleep();
        bench.queue.look(Instant::now() + PATIENCE);
        speaker.join();
        bench.orders.send(Ok(())).expect("it waits");
        bench.end();
    }

    #[test]
    fn a_deletion_waits_for_what_was_said_before() {
        let bench = Bench::new();
        bench.say(1);
        // The first commit has begun; the second waits for its turn.
        wait_until(|| bench.queue.look(Instant::now()).look_at.is_some());
        bench.say(2);
        let (done, is_done) = unbounded();
        let room = RoomName::parse("lobby").expect("a name");
        bench.queue.send_on_errand(Errand { room, name: None, done });
        let mut written = Vec::new();
        while written.last().is_none_or(|batch: &Vec<u64>| !batch.is_empty()) {
            bench.orders.send(Ok(())).expect("it waits");
            written.push(bench.written());
        }
        assert_eq!(written.concat(), [1, 2], "both are there when it begins");
        assert_eq!(is_done.recv_timeout(DEADLINE), Ok(Ok(0)));
        bench.end();
    }

    #[test]
    fn for_an_archive_nobody_waits_and_what_is_too_much_becomes_a_gap() {
        let queue = WriteQueue::<Debt>::of_archive();
        let event = MOST_BYTES / 4;
        let count = (2 * MOST_ARCHIVE_BYTES / event) as u64;
        for id in 1..=count {
            queue.hand_over([write(id, event)], []);
        }
        assert!(queue.bytes() <= MOST_ARCHIVE_BYTES);
        assert!(!queue.is_degraded(), "the disk is only slow");
        let Taken::Batch(batch) = queue.take(Instant::now(), Instant::now()) else {
            panic!("something waits")
        };
        let (mut ids, mut holes) = (Vec::new(), Vec::new());
        for write in &batch.writes {
            match write {
                Write::Event { event, .. } => ids.push(event.id()),
                Write::Hole { first, last, .. } => holes.push((*first, *last)),
                other => panic!("{other:?}"),
            }
        }
        let lost = queue.lost_events();
        assert_eq!(holes, [(1, lost)]);
        assert_eq!(ids, (lost + 1..=count).collect::<Vec<_>>());
    }

    #[test]
    fn events_without_space_on_a_failing_disk_become_a_gap() {
        let bench = Bench::new();
        bench.say(1);
        bench.orders.send(Err("full".into())).expect("it waits");
        assert_eq!(bench.paid(), (1, false));
        for id in 2..=200 {
            bench.queue.hand_over([write(id, MOST_BYTES / 100)], []);
        }
        assert!(bench.queue.bytes() <= MOST_BYTES);
        // Whether or not a part of it was just being tried.
        let (mut ids, mut holes) = (Vec::new(), 0);
        while ids.iter().max() != Some(&200) {
            bench.orders.send(Ok(())).expect("it waits");
            for written in bench.written() {
                let (first, last) = (written / 1_000_000, written % 1_000_000);
                holes += usize::from(first > 0);
                ids.extend(if first > 0 { first..=last } else { last..=last });
            }
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=200).collect::<Vec<_>>(), "each is there, or in a hole");
        assert!(holes > 0);
        bench.end();
    }

    #[test]
    fn the_end_writes_the_rest_without_waiting_for_a_failing_disk() {
        let bench = Bench::new();
        bench.say(1);
        bench.orders.send(Err("full".into())).expect("it waits");
        assert_eq!(bench.paid(), (1, false));
        bench.queue.close();
        // An attempt that had begun before is followed by the last one.
        (0..2).for_each(|_| bench.orders.send(Err("still full".into())).expect("it waits"));
        bench.end();
    }
}
