//! What a crash or a bad disk leaves of the write-ahead log: a database is opened with the
//! transactions up to some moment, all of them whole, or refused and left as it is.

use std::{fs, sync::LazyLock};

use proptest::prelude::*;

use super::{
    store::{OpenError, Store},
    tests::{Scratch, bounds, ids, opened, said, span, write},
};

/// The log is no longer than this.
const MOST_LOG_BYTES: usize = 64 * 1_024;

/// A database and its log as a crash has left them.
struct Crash {
    database: Vec<u8>,
    log: Vec<u8>,
    /// The ids that were on the disk before the first transaction, and after each.
    moments: Vec<Vec<u64>>,
}

/// The same for all tests: it is never changed.
static CRASH: LazyLock<Crash> = LazyLock::new(Crash::new);

impl Crash {
    fn new() -> Crash {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.write(&[opened(), write(said(1, "before"))]).expect("a disk");
        // A stop in good order moves the log into the database.
        drop(store);
        let mut store = scratch.store();
        let files = ["madang.db", "madang.db-wal"].map(|name| scratch.0.join(name));
        let mut moments = vec![vec![1]];
        loop {
            let last = *moments.iter().flatten().max().expect("there is one");
            let new = last + 1..=last + 1 + moments.len() as u64 % 3;
            let text = "회의 ".repeat(new.clone().count() * 20);
            let writes: Vec<_> = new.clone().map(|id| write(said(id, &text))).collect();
            store.write(&writes).expect("a disk");
            let read = |path| fs::read(path).expect("it is there");
            let [database, log] = files.each_ref().map(read);
            assert!(log.len() <= MOST_LOG_BYTES, "{} bytes", log.len());
            moments.push(moments.last().into_iter().flatten().copied().chain(new).collect());
            if log.len() > MOST_LOG_BYTES * 3 / 4 {
                return Crash { database, log, moments };
            }
        }
    }

    /// Opens it with another log: which moment is found; `None` if it is refused.
    #[track_caller]
    fn open_with(&self, log: &[u8], what: &str) -> Option<usize> {
        let scratch = Scratch::new();
        fs::create_dir(&scratch.0).expect("a folder");
        let path = scratch.0.join("madang.db");
        fs::write(&path, &self.database).expect("a disk");
        fs::write(scratch.0.join("madang.db-wal"), log).expect("a disk");
        let mut store = match Store::open(&scratch.0) {
            Ok(store) => store,
            Err(error) => {
                assert!(matches!(error, OpenError::Database { .. }), "{what}: {error}");
                assert!(error.to_string().contains("madang-server recover"), "{what}: {error}");
                let database = fs::read(&path).expect("it is there");
                assert_eq!(database, self.database, "{what}: it was changed");
                return None;
            }
        };
        let found = |scratch: &Scratch| {
            let found = scratch.past().newest(&span(), bounds(1_000), |_| true);
            ids(&found.expect("a database").events)
        };
        let before = found(&scratch);
        let moment = self.moments.iter().position(|moment| *moment == before);
        assert!(moment.is_some(), "{what}: {before:?} was never all that there was");
        // It goes on from there.
        store.write(&[write(said(1_000_000, "after"))]).expect("a disk");
        drop(store);
        scratch.store();
        assert_eq!(found(&scratch), [before, vec![1_000_000]].concat(), "{what}");
        moment
    }
}

#[test]
fn a_log_that_was_cut_anywhere_gives_the_transactions_before_the_cut() {
    let crash = &*CRASH;
    let mut last = Some(0);
    for end in (0..crash.log.len()).step_by(512).chain([crash.log.len()]) {
        let moment = crash.open_with(&crash.log[..end], &format!("cut after {end} bytes"));
        assert!(moment >= last, "more of the log, and fewer transactions: {end} bytes");
        last = moment;
    }
    assert_eq!(last, Some(crash.moments.len() - 1), "the whole log gives all transactions");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_log_with_flipped_bits_gives_the_transactions_before_them(
        flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let crash = &*CRASH;
        let mut log = crash.log.clone();
        let bits: Vec<usize> = flips.iter().map(|flip| flip.index(log.len() * 8)).collect();
        bits.iter().for_each(|bit| log[bit / 8] ^= 1 << (bit % 8));
        crash.open_with(&log, &format!("bits {bits:?} flipped"));
    }
}
