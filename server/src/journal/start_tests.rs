//! How much of a database is read at the start: hardly more of a large one than of a small one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    store::{Store, Write},
    tests::{Scratch, opened, said},
};

/// SQLite reports its steps in units of this many.
const STEPS: i32 = 10;

/// A room with this many lines of one session.
fn filled(scratch: &Scratch, lines: u64) -> Store {
    let mut store = scratch.store();
    let line = |id| Write::Event { room: 1_000, event: said(id, "x"), session: 9, nonce: Some(id) };
    let mut writes = vec![opened(), held(9)];
    writes.extend((1_000..1_000 + lines).map(line));
    store.write(&writes).expect("a disk");
    store
}

fn held(session: u64) -> Write {
    let token = [session as u8; 32];
    let name = "alice".into();
    let (quiet, teacher, watching) = (false, false, false);
    let (room, muted) = (1_000, None);
    Write::Session { session, token, name, room, quiet, teacher, watching, muted }
}

/// How many steps SQLite needs to read what the previous server has left.
fn steps(mut store: Store) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let count_on = move || counted.fetch_add(1, Ordering::Relaxed) == usize::MAX;
    store.connection_mut().progress_handler(STEPS, Some(count_on)).expect("a handler");
    let kept = store.kept().expect("a database");
    assert_eq!((kept.rooms.len(), kept.sessions.len()), (1, 1));
    assert_eq!(kept.rooms[0].events.len(), 200);
    count.load(Ordering::Relaxed) * STEPS as usize
}

#[test]
fn a_start_reads_no_more_of_a_larger_database() {
    let [few, many] = [1_000, 20_000].map(|lines| {
        let scratch = Scratch::new();
        steps(filled(&scratch, lines))
    });
    assert!(many < few + few / 10, "{few} steps of 1,000 lines, {many} of 20,000");
}

#[test]
fn the_last_nonces_of_each_held_session_are_known_again() {
    let scratch = Scratch::new();
    let mut store = filled(&scratch, 2_000);
    store.write(&[held(10)]).expect("a disk");
    let kept = store.kept().expect("a database");
    let [alice, silent] = &kept.sessions[..] else { panic!("{kept:?}") };
    let nonces: Vec<_> = (2_744..3_000).map(|id| (id, id)).collect();
    assert_eq!((alice.session, &alice.nonces), (9, &nonces));
    assert_eq!((silent.session, &silent.nonces), (10, &Vec::new()));
    assert_eq!(kept.highest, 2_999);
}
