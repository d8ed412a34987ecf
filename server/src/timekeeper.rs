//! The timekeeper: a queue of deadlines, and a thread that carries out what is due. It sleeps
//! until the next deadline instead of ticking. The kinds of deadlines and their actions are in
//! [`expiry`](crate::expiry).

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::Instant,
};

use crate::sync::{Condvar, Mutex};

/// An action with a deadline.
pub(crate) trait Deadline: Send + 'static {
    /// Identifies the subject: of two deadlines for one subject, the later one counts.
    type Object: Eq + Hash + Send;

    /// Its subject.
    fn object(&self) -> Self::Object;

    /// Whether `other`, which has the same subject, replaces it.
    fn is_older_than(&self, other: &Self) -> bool;

    /// Whether the subject is gone, so that nothing needs to be done.
    fn is_vain(&self) -> bool;
}

/// Above this number of deadlines, those whose subject is gone are removed early.
const FEW: usize = 1_024;

/// Pending deadlines: for each kind and subject, only the last one scheduled.
pub(crate) struct Timekeeper<D: Deadline> {
    state: Mutex<Timetable<D>>,
    /// Signalled when there is a new earliest deadline, and at the end.
    changed: Condvar,
}

struct Timetable<D: Deadline> {
    /// In order of time; with equal times, in the order of scheduling.
    to_come: BTreeMap<DueAt, D>,
    places: HashMap<D::Object, DueAt>,
    last_number: u64,
    /// The number of deadlines at which the next clean-up takes place.
    many: usize,
    stopping: bool,
}

/// The time of a deadline, and a number that distinguishes equal times.
type DueAt = (Instant, u64);

impl<D: Deadline> Default for Timekeeper<D> {
    fn default() -> Self {
        let state = Timetable {
            to_come: BTreeMap::new(),
            places: HashMap::new(),
            last_number: 0,
            many: 0,
            stopping: false,
        };
        Timekeeper { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<D: Deadline> Timetable<D> {
    fn forget_vain(&mut self) {
        let Timetable { to_come, places, .. } = self;
        to_come.retain(|_, due| {
            let is_vain = due.is_vain();
            if is_vain {
                places.remove(&due.object());
            }
            !is_vain
        });
        self.many = to_come.len() * 2;
    }
}

impl<D: Deadline> Timekeeper<D> {
    /// Schedules `due` at `at`, replacing an earlier one of the same kind and subject, unless
    /// that one is newer.
    pub(crate) fn schedule(&self, at: Instant, due: D) {
        let mut state = self.state.lock();
        if state.to_come.len() >= state.many.max(FEW) {
            state.forget_vain();
        }
        state.last_number += 1;
        let (object, place) = (due.object(), (at, state.last_number));
        let former = state.places.get(&object).and_then(|former| state.to_come.get(former));
        if former.is_some_and(|former| due.is_older_than(former)) {
            return;
        }
        let first = state.to_come.first_key_value().map(|(first, _)| *first);
        if let Some(former) = state.places.insert(object, place) {
            state.to_come.remove(&former);
        }
        state.to_come.insert(place, due);
        // A postponed deadline wakes nobody: the thread checks again at the former time.
        if first.is_none_or(|first| place < first) {
            self.changed.notify_all();
        }
    }

    /// Ends the thread. Pending deadlines are dropped.
    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Blocks until something is due; `None` at the end.
    pub(crate) fn next(&self) -> Option<D> {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return None;
            }
            match state.to_come.first_key_value().map(|((at, _), _)| *at) {
                None => self.changed.wait(&mut state),
                Some(at) if at <= Instant::now() => {
                    let (_, due) = state.to_come.pop_first()?;
                    state.places.remove(&due.object());
                    return Some(due);
                }
                Some(at) => {
                    self.changed.wait_until(&mut state, at);
                }
            }
        }
    }
}

/// Starts the thread, which passes everything that is due to `call`. It ends at
/// [`Timekeeper::stop`]; a panic in `call` ends only that call.
///
/// # Errors
///
/// If the system cannot create a thread.
pub(crate) fn start<D: Deadline>(
    timekeeper: Arc<Timekeeper<D>>,
    call: impl Fn(D) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("timekeeper".into()).spawn(move || {
        while let Some(due) = timekeeper.next() {
            if catch_unwind(AssertUnwindSafe(|| call(due))).is_err() {
                tracing::error!("the timekeeper has panicked and goes on");
            }
        }
    })
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::{sync::Weak, time::Duration};

    use super::*;
    use crate::patience;

    /// A deadline of one kind for one subject; the time tells which of two is newer.
    struct Due {
        kind: u8,
        object: Weak<u64>,
        since: Option<Instant>,
    }

    impl Due {
        fn new(kind: u8, object: &Arc<u64>) -> Due {
            Due { kind, object: Arc::downgrade(object), since: None }
        }
    }

    impl Deadline for Due {
        type Object = (u8, usize);

        fn object(&self) -> (u8, usize) {
            (self.kind, self.object.as_ptr().addr())
        }

        fn is_older_than(&self, other: &Due) -> bool {
            self.since < other.since
        }

        fn is_vain(&self) -> bool {
            self.object.strong_count() == 0
        }
    }

    fn next(timekeeper: &Timekeeper<Due>) -> Option<u64> {
        timekeeper.next().and_then(|due| due.object.upgrade()).map(|object| *object)
    }

    #[test]
    fn deadlines_are_met_in_order_of_time() {
        let (timekeeper, now) = (Timekeeper::default(), Instant::now());
        let objects = [1, 2, 3, 4].map(Arc::new);
        for (object, after) in objects.iter().zip([30, 10, 20, 10]) {
            let at = now - Duration::from_millis(100 - after);
            timekeeper.schedule(at, Due::new(0, object));
        }
        assert_eq!([(); 4].map(|()| next(&timekeeper)), [2, 4, 3, 1].map(Some));
        timekeeper.stop();
        assert_eq!(next(&timekeeper), None);
    }

    #[test]
    fn a_new_earlier_deadline_wakes_the_thread() {
        let timekeeper = Arc::new(Timekeeper::default());
        let (late, early) = (Arc::new(1), Arc::new(2));
        let hour = Instant::now() + Duration::from_secs(3_600);
        timekeeper.schedule(hour, Due::new(0, &late));
        let waiting = patience::spawn({
            let timekeeper = timekeeper.clone();
            move || [next(&timekeeper), next(&timekeeper)]
        });
        waiting.wait_until_asleep();
        timekeeper.schedule(Instant::now(), Due::new(0, &early));
        // The last one scheduled counts, whether earlier or later.
        timekeeper.schedule(Instant::now(), Due::new(0, &late));
        assert_eq!(waiting.join(), [Some(2), Some(1)]);
    }

    #[test]
    fn an_outdated_deadline_does_not_replace_a_newer_one() {
        let (timekeeper, object) = (Timekeeper::default(), Arc::new(1));
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let (first, next) = (now - 2 * second, now - second);
        for since in [next, first] {
            timekeeper.schedule(since, Due { since: Some(since), ..Due::new(0, &object) });
        }
        assert!(timekeeper.next().is_some_and(|due| due.since == Some(next)));
        assert!(timekeeper.state.lock().to_come.is_empty());
    }

    #[test]
    fn only_the_last_deadline_of_a_subject_is_kept() {
        let (timekeeper, object) = (Timekeeper::default(), Arc::new(7));
        let now = Instant::now();
        let hour = now + Duration::from_secs(3_600);
        for _ in 0..10_000 {
            for kind in [1, 2, 3] {
                timekeeper.schedule(now, Due::new(kind, &object));
            }
        }
        timekeeper.schedule(hour, Due::new(1, &object));
        assert_eq!(timekeeper.state.lock().to_come.len(), 3);
        assert_eq!(timekeeper.state.lock().places.len(), 3);
        let kinds = [(); 2].map(|()| timekeeper.next().map(|due| due.kind));
        assert_eq!(kinds, [Some(2), Some(3)]);
        assert_eq!(timekeeper.state.lock().to_come.len(), 1, "the first one's is to come");
    }

    #[test]
    fn deadlines_without_a_subject_are_removed_early() {
        let timekeeper = Timekeeper::default();
        let year = Instant::now() + Duration::from_secs(365 * 86_400);
        for number in 0..10_000 {
            timekeeper.schedule(year, Due::new(0, &Arc::new(number)));
        }
        let state = timekeeper.state.lock();
        assert!(state.to_come.len() <= FEW && state.places.len() == state.to_come.len());
    }
}
