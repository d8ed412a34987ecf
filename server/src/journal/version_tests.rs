//! Databases written by earlier versions. The first was made by a short conversation and a
//! stop, the second by continuing it with a lesson, the third by a mute; they are never changed.

use std::fs;

use madang_protocol::event::{Event, Time};

use super::{
    past::Span,
    recover::recover,
    schema::VERSION,
    search::Query,
    tests::{Scratch, bounds, said, write},
};

/// By version, from 1 on. When a step is added to the tables, the previous version's database
/// is added here.
const KEPT: [&[u8]; 3] = [
    include_bytes!("fixtures/version-1.db"),
    include_bytes!("fixtures/version-2.db"),
    include_bytes!("fixtures/version-3.db"),
];

#[test]
fn there_is_a_database_of_every_version() {
    assert_eq!(KEPT.len(), VERSION, "keep one of today's version in `fixtures`");
    for (version, bytes) in (1_u32..).zip(KEPT) {
        // SQLite's file format: the user version.
        assert_eq!(bytes[60..64], version.to_be_bytes(), "version {version}");
    }
}

#[test]
fn a_database_of_each_earlier_version_is_opened_with_all_that_it_holds() {
    for (version, bytes) in (1..).zip(KEPT) {
        let scratch = Scratch::new();
        fs::create_dir(&scratch.0).expect("a folder");
        fs::write(scratch.0.join("madang.db"), bytes).expect("a disk");
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
        assert_eq!(rooms, [("lobby", 13), ("수학", 7)], "version {version}");
        let topic = kept.rooms[1].state.as_deref().expect("what holds there");
        assert!(topic.contains("증명"), "{topic}");
        let mut names: Vec<_> = kept.sessions.iter().map(|session| &*session.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["alice", "영희"]);
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
    for (version, bytes) in (1..).zip(KEPT) {
        let scratch = Scratch::new();
        fs::create_dir(&scratch.0).expect("a folder");
        fs::write(scratch.0.join("madang.db"), bytes).expect("a disk");
        let recovered = recover(&scratch.0).expect("nothing is damaged");
        assert_eq!((recovered.events, recovered.damaged), (20, 0), "version {version}");
        let kept = scratch.store().kept().expect("a database");
        assert_eq!((kept.rooms.len(), kept.sessions.len()), (2, 2), "version {version}");
        let of_lesson = (kept.lesson.len(), kept.attended.len());
        assert_eq!(of_lesson, if version == 1 { (0, 0) } else { (1, 1) });
    }
}

fn text(event: &Event) -> &str {
    match event {
        Event::Said { text, .. } => text,
        other => panic!("nobody said {other:?}"),
    }
}
