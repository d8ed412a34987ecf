//! Databases left by the servers of earlier versions, each after the same short conversation and a
//! stop: from the second on with a lesson, from the third on with a mute by the operator too. They
//! are never changed.

use std::fs;

use madang_protocol::event::{Event, Time};

use super::{
    past::Span,
    recover::recover,
    schema::VERSION,
    search::Query,
    tests::{Scratch, bounds, said, write},
};

/// What a server has left.
struct Kept {
    bytes: &'static [u8],
    /// The events of the lobby and of 수학.
    events: [usize; 2],
    /// The facts of the lesson, and who has attended it.
    lesson: [usize; 2],
    /// Whether 영희 may not speak.
    is_muted: bool,
}

/// By version, from 1 on. When a step is added to the tables, a database of the previous version
/// is added here.
const KEPT: [Kept; 6] = [
    Kept {
        bytes: include_bytes!("fixtures/version-1.db"),
        events: [13, 7],
        lesson: [0, 0],
        is_muted: false,
    },
    Kept {
        bytes: include_bytes!("fixtures/version-2.db"),
        events: [15, 8],
        lesson: [1, 2],
        is_muted: false,
    },
    Kept {
        bytes: include_bytes!("fixtures/version-3.db"),
        events: [16, 8],
        lesson: [1, 2],
        is_muted: true,
    },
    Kept {
        bytes: include_bytes!("fixtures/version-4.db"),
        events: [16, 8],
        lesson: [1, 2],
        is_muted: true,
    },
    Kept {
        bytes: include_bytes!("fixtures/version-5.db"),
        events: [16, 8],
        lesson: [1, 2],
        is_muted: true,
    },
    Kept {
        bytes: include_bytes!("fixtures/version-6.db"),
        events: [16, 8],
        lesson: [1, 2],
        is_muted: true,
    },
];

#[test]
fn there_is_a_database_of_every_version() {
    assert_eq!(KEPT.len(), VERSION, "keep one of today's version in `fixtures`");
    for (version, kept) in (1_u32..).zip(KEPT) {
        // SQLite's file format: the user version.
        assert_eq!(kept.bytes[60..64], version.to_be_bytes(), "version {version}");
    }
}

#[test]
fn a_database_of_each_earlier_version_is_opened_with_all_that_it_holds() {
    for (version, left) in (1..).zip(KEPT) {
        let scratch = Scratch::new();
        fs::create_dir(&scratch.0).expect("a folder");
        fs::write(scratch.0.join("madang.db"), left.bytes).expect("a disk");
        let mut store = scratch.store();
        let version_now: i64 = store
            .connection()
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a database");
        assert_eq!(version_now, VERSION as i64, "version {version}");
        let kept = store.kept().expect("a database");
        assert!(kept.is_complete);
        let rooms: Vec<_> =
            kept.rooms.iter().map(|room| (&*room.name, room.events.len())).collect();
        let [lobby, math] = left.events;
        assert_eq!(rooms, [("lobby", lobby), ("수학", math)], "version {version}");
        let topic = kept.rooms[1].state.as_deref().expect("what holds there");
        assert!(topic.contains("증명"), "{topic}");
        let mut sessions: Vec<_> = kept.sessions.iter().collect();
        sessions.sort_unstable_by_key(|session| &session.name);
        let [alice, young] = sessions[..] else { panic!("{sessions:?}") };
        assert_eq!((&*alice.name, alice.teacher), ("alice", version > 1));
        assert_eq!((&*young.name, young.muted.is_some()), ("영희", left.is_muted));
        assert!(kept.sessions.iter().all(|session| !session.nonces.is_empty()));

        let lobby = kept.rooms[0].room;
        let span = || Span {
            room: lobby,
            name: "lobby".into(),
            after: 0,
            before: u64::MAX,
            since: Time::from_millis(0),
        };
        let query = Query::parse("ㅎㅇ").expect("initials");
        let found = scratch.past().search(&span(), &query, bounds(10), |_| true);
        let found = found.expect("a database").events;
        let texts: Vec<_> = found.iter().map(text).collect();
        assert_eq!(texts, ["내일 회의는 3시", "네, 회의실에서 봬요"]);
        // It can be continued.
        let id = kept.highest + 1;
        store.write(&[write(said(id, "x"))]).expect("a disk");
    }
}

#[test]
fn a_database_of_each_earlier_version_is_recovered_with_all_that_it_holds() {
    for (version, left) in (1..).zip(KEPT) {
        let scratch = Scratch::new();
        fs::create_dir(&scratch.0).expect("a folder");
        fs::write(scratch.0.join("madang.db"), left.bytes).expect("a disk");
        let recovered = recover(&scratch.0, |_| {}).expect("nothing is damaged");
        let events = left.events.iter().sum();
        assert_eq!((recovered.events, recovered.damaged), (events, 0), "version {version}");
        let kept = scratch.store().kept().expect("a database");
        assert_eq!((kept.rooms.len(), kept.sessions.len()), (2, 2), "version {version}");
        assert_eq!([kept.lesson.len(), kept.attended.len()], left.lesson, "version {version}");
    }
}

fn text(event: &Event) -> &str {
    match event {
        Event::Said { text, .. } => text,
        other => panic!("nobody said {other:?}"),
    }
}
