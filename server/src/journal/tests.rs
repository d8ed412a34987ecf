//! The database as a whole: written, closed, opened again, read and searched.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use madang_protocol::{
    command::TranscriptFormat,
    event::{Event, LessonEvent, LessonState, Stamp, Time, TimerState},
    name::UserName,
    room::RoomName,
    text::Lang,
};
use proptest::prelude::*;

use super::{
    Journal, JournalConfig, JournalOf, UNKNOWN_IDS,
    export::{ExportError, Selection, export},
    kept::Leftover,
    past::{Past, ReadBounds, Span},
    queue,
    reader::{ReadError, ReadKind, Reader, Request},
    recover::{RecoverError, recover},
    retention::Retention,
    search::{Query, fold_text},
    store::{OpenError, Store, Write},
    writer::Watch,
};
use crate::{
    patience::{DEADLINE, spawn, wait_until},
    room::{
        event_ids::EventIds,
        lesson::class::Attended,
        recorder::{Recorded, Recorder as _, Round},
    },
    session::{Mute, nonces::NonceKey},
    sync::Mutex,
};

/// A temporary folder, deleted after the test.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("madang-journal-{}-{count}", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.0).expect("a database")
    }

    pub(super) fn past(&self) -> Past {
        Past::open(&self.0.join("madang.db")).expect("a database")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ROOM: u64 = 1_000;

fn stamp(id: u64) -> Stamp {
    // One message per second.
    Stamp { id, time: Time::from_millis(id as i64 * 1_000), room: "수학".into() }
}

pub(super) fn said(id: u64, text: &str) -> Event {
    Event::Said {
        stamp: stamp(id),
        user: "bob".into(),
        text: text.into(),
        me: false,
        teacher: false,
    }
}

pub(super) fn opened() -> Write {
    Write::Opened { room: ROOM, name: "수학".into() }
}

pub(super) fn write(event: Event) -> Write {
    Write::Event { room: ROOM, event, session: 7, nonce: None }
}

pub(super) fn span() -> Span {
    Span {
        room: ROOM,
        name: "수학".into(),
        after: 0,
        before: u64::MAX,
        since: Time::from_millis(0),
    }
}

pub(super) fn bounds(events: usize) -> ReadBounds {
    ReadBounds { events, bytes: 64 * 1_024, deadline: Instant::now() + Duration::from_secs(60) }
}

pub(super) fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(Event::id).collect()
}

/// An event of each kind that is announced.
fn every_event() -> Vec<Event> {
    let user: Arc<str> = "철수".into();
    let by = Some(Arc::from("선생님"));
    let text = String::from("둘\n줄");
    vec![
        Event::Said {
            stamp: stamp(1),
            user: user.clone(),
            text: text.clone(),
            me: false,
            teacher: false,
        },
        Event::Said {
            stamp: stamp(2),
            user: user.clone(),
            text: text.clone(),
            me: true,
            teacher: true,
        },
        Event::Joined { stamp: stamp(3), user: user.clone(), stream: true },
        Event::Left { stamp: stamp(4), user: user.clone(), text: None },
        Event::Left { stamp: stamp(5), user: user.clone(), text: Some("안녕".into()) },
        Event::Kicked { stamp: stamp(6), user: user.clone(), seconds: 600, by: by.clone() },
        Event::Unkicked { stamp: stamp(7), user: user.clone(), by: None },
        Event::Renamed { stamp: stamp(8), user: user.clone(), to: "영희".into() },
        Event::Topic { stamp: stamp(9), user: user.clone(), topic: "과제".into() },
        Event::Muted { stamp: stamp(10), user: user.clone(), seconds: None, by: by.clone() },
        Event::Unmuted { stamp: stamp(11), user: user.clone(), by },
        Event::Locked { stamp: stamp(12), user: user.clone() },
        Event::Unlocked { stamp: stamp(13), user: user.clone() },
        Event::Limited { stamp: stamp(14), user: user.clone(), limit: 30 },
        Event::Owner { stamp: stamp(15), user: user.clone() },
        Event::Announced { stamp: stamp(16), text },
        Event::Ended { stamp: stamp(17), user },
    ]
    .into_iter()
    .chain(every_lesson_event().into_iter().map(|event| Event::Lesson(Box::new(event))))
    .collect()
}

fn every_lesson_event() -> Vec<LessonEvent> {
    let (by, user): (_, Arc<str>) = (Some(Arc::from("선생님")), "철수".into());
    let text: Option<Arc<str>> = Some("왜요?".into());
    let question: Arc<str> = "점심?".into();
    let choices: Arc<[Arc<str>]> = ["김밥", "라면"].map(Arc::from).into();
    vec![
        LessonEvent::Lesson {
            stamp: stamp(18),
            state: LessonState::Ended,
            title: None,
            seconds: Some(60),
            people: Some(3),
            hands: Some(2),
            polls: Some(1),
            by: by.clone(),
        },
        LessonEvent::Hand {
            stamp: stamp(19),
            user: user.clone(),
            up: true,
            text: text.clone(),
            place: Some(2),
            by: None,
        },
        LessonEvent::Called { stamp: stamp(20), user, by: by.clone() },
        LessonEvent::Poll {
            stamp: stamp(21),
            question: question.clone(),
            choices: choices.clone(),
            yes_no: true,
            counts: Some([1, 0].into()),
            answered: Some(1),
            members: Some(2),
            by: by.clone(),
        },
        LessonEvent::PollEnded {
            stamp: stamp(22),
            question,
            choices,
            yes_no: false,
            counts: None,
            answered: 0,
            members: 0,
            cancelled: true,
            by: by.clone(),
        },
        LessonEvent::Slow { stamp: stamp(23), seconds: Some(10), by: by.clone() },
        LessonEvent::Listen { stamp: stamp(24), on: true, by: by.clone() },
        LessonEvent::Timer {
            stamp: stamp(25),
            state: TimerState::Started,
            seconds: 60,
            until: Some(Time::from_millis(1_000)),
            text: text.clone(),
            by,
        },
        LessonEvent::Question { stamp: stamp(26), number: 3, text: "왜요?".into(), by: None },
    ]
}

#[test]
fn every_event_comes_back_as_it_was() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let events = every_event();
    let writes: Vec<_> = [opened()].into_iter().chain(events.iter().cloned().map(write)).collect();
    store.write(&writes).expect("a disk");
    let found = scratch.past().newest(&span(), bounds(100), |_| true).expect("a database");
    assert_eq!(found.events, events);
    assert!(found.is_all);
    drop(store);
    assert_eq!(scratch.store().kept().expect("a database").rooms[0].events, events);
}

#[test]
fn history_is_read_back_piece_by_piece_without_hole_or_repetition() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let writes = (1..=1_000).map(|id| write(said(id, &"x".repeat(id as usize))));
    store.write(&[opened()].into_iter().chain(writes).collect::<Vec<_>>()).expect("a disk");
    let past = scratch.past();
    let (mut read, mut before) = (Vec::new(), u64::MAX);
    loop {
        let span = Span { before, ..span() };
        let found =
            past.newest(&span, bounds(200), |event| event.id() % 3 != 0).expect("a database");
        assert!(found.events.len() <= 200);
        let bytes: usize = found.events.iter().map(Event::encoded_bytes).sum();
        assert!(bytes <= 64 * 1_024, "{bytes}");
        before = found.looked_to;
        read.splice(0..0, ids(&found.events));
        if found.is_all {
            break;
        }
    }
    assert_eq!(read, (1..=1_000).filter(|id| id % 3 != 0).collect::<Vec<_>>());
}

#[test]
fn a_reader_limited_to_a_day_gets_no_more() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    store.write(&(1..=100).map(|id| write(said(id, "x"))).collect::<Vec<_>>()).expect("a disk");
    let span = Span { since: Time::from_millis(60_000), ..span() };
    let found = scratch.past().newest(&span, bounds(200), |_| true).expect("a database");
    assert_eq!((ids(&found.events), found.is_all), ((60..=100).collect(), true));
}

#[test]
fn the_first_events_of_a_span_are_read_in_slices_from_its_beginning_on() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    store.write(&(1..=3_000).map(|id| write(said(id, "x"))).collect::<Vec<_>>()).expect("a disk");
    let reader = Arc::<Reader>::default();
    let thread = reader.clone().start(scratch.past()).expect("a thread");
    let read = |after: u64, since: i64, events: usize| {
        let span = Span { after, since: Time::from_millis(since * 1_000), ..span() };
        let keep = Box::new(|event: &Event| event.id().is_multiple_of(2));
        let (kind, reach) = (ReadKind::Beginning, span.since);
        let found = reader.read(Request { kind, span, reach, events, bytes: 64 * 1_024, keep });
        let found = found.expect("a database");
        (ids(&found.events), found.is_all, found.earliest)
    };
    assert_eq!(read(0, 0, 2), (vec![2, 4], false, true));
    assert_eq!(read(4, 0, 2), (vec![6, 8], false, false));
    // Earlier events that may not be read.
    assert_eq!(read(4, 100, 2), (vec![100, 102], false, true));
    assert_eq!(read(101, 100, 2), (vec![102, 104], false, false));
    assert_eq!(read(2_996, 0, 9), (vec![2_998, 3_000], true, false));
    assert_eq!(read(3_000, 0, 9), (vec![], true, false));
    assert_eq!(read(0, 9_999, 9), (vec![], true, true));
    reader.close();
    thread.join().expect("it ends");
}

#[test]
fn a_search_that_times_out_says_how_far_it_got() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    store
        .write(&(1..=1_000).map(|id| write(said(id, "회의"))).collect::<Vec<_>>())
        .expect("a disk");
    let query = Query::parse("없는말").expect("a word");
    let over = ReadBounds { deadline: Instant::now() - Duration::from_secs(1), ..bounds(10) };
    let past = scratch.past();
    let found = past.search(&span(), &query, over, |_| true).expect("a database");
    assert!(!found.is_all && found.events.is_empty());
    // The next search finds what this one did not examine.
    let span = Span { before: found.looked_to, ..span() };
    let query = Query::parse("ㅎㅇ").expect("initials");
    let found = past.search(&span, &query, bounds(10), |_| true).expect("a database");
    assert_eq!(ids(&found.events), (991..=1_000).collect::<Vec<_>>());
    assert!(!found.is_all);
}

#[test]
fn readers_take_turns_and_too_many_are_refused_as_busy() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    store
        .write(&(1..=3_000).map(|id| write(said(id, "회의"))).collect::<Vec<_>>())
        .expect("a disk");
    let reader = Arc::<Reader>::default();
    let request = |kind, span| Request {
        kind,
        span,
        reach: Time::from_millis(0),
        events: 10,
        bytes: 64 * 1_024,
        keep: Box::new(|event| event.id().is_multiple_of(2)),
    };
    // Nobody is reading yet.
    let askers: Vec<_> = (0..64)
        .map(|at| {
            let kind = move || match at % 2 {
                0 => ReadKind::History,
                _ => ReadKind::Search(Query::parse("ㅎㅇ").expect("initials")),
            };
            let (reader, first) = (reader.clone(), request(kind(), span()));
            spawn(move || {
                let mut found = reader.read(first)?;
                // On a busy machine, a search may have had no time for all of them.
                while found.events.len() < 10 && !found.is_all {
                    let rest = Span { before: found.looked_to, ..span() };
                    found = reader.read(request(kind(), rest))?.joined_to(found, true);
                }
                Ok::<_, ReadError>(found)
            })
        })
        .collect();
    wait_until(|| reader.waiting() == askers.len());
    assert_eq!(reader.read(request(ReadKind::History, span())), Err(ReadError::Busy));
    let thread = reader.clone().start(scratch.past()).expect("a thread");
    for asker in askers {
        let found = asker.join().expect("an answer");
        let newest = found.events.len().saturating_sub(10);
        let expected: Vec<_> = (1_491..=1_500).map(|id| id * 2).collect();
        assert_eq!(ids(&found.events[newest..]), expected);
    }
    reader.close();
    assert_eq!(reader.read(request(ReadKind::History, span())), Err(ReadError::Failed));
    assert!(spawn(move || thread.join().is_ok()).join());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_database_search_finds_the_same_as_a_full_scan(
        texts in prop::collection::vec("[가나하회의ㅎㅇaA é%_\"']{0,8}", 1..40),
        query in "[가하회의ㅎㅇaA é%_']{1,3}",
    ) {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let events: Vec<_> =
            texts.iter().enumerate().map(|(at, text)| said(at as u64 + 1, text)).collect();
        store.write(&events.iter().cloned().map(write).collect::<Vec<_>>()).expect("a disk");
        let Some(query) = Query::parse(&query) else { return Ok(()) };
        let found = scratch.past().search(&span(), &query, bounds(1_000), |_| true).expect("a database");
        let expected: Vec<_> = events
            .into_iter()
            .filter(|event| matches!(event, Event::Said { text, .. } if query.is_in(&fold_text(text))))
            .collect();
        prop_assert_eq!(found.events, expected);
    }
}

#[test]
fn the_last_nonces_of_a_session_are_those_said_last_in_whichever_room() {
    let hour = 3_600;
    for clock in [0, hour, -hour] {
        check_last_nonces(clock);
    }
}

/// A session says much in the newer room, whose ids are higher. The clock is set, and it says a
/// little in the older one, while somebody else speaks in the newer one.
#[track_caller]
fn check_last_nonces(clock: i64) {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let said = |session: u64, room: u64, id: u64, second: u64| {
        let clock = if second > 300 { clock } else { 0 };
        let time = Time::from_millis((5_000 + second as i64 + clock) * 1_000);
        let stamp = Stamp { id, time, room: "x".into() };
        let (user, text) = ("alice".into(), "x".into());
        let event = Event::Said { stamp, user, text, me: false, teacher: false };
        Write::Event { room, event, session, nonce: Some(second) }
    };
    let session = Write::Session {
        session: 9,
        token: [3; 32],
        name: "alice".into(),
        room: 10,
        quiet: false,
        teacher: false,
        watching: false,
        muted: None,
    };
    let newer = (1..=300).map(|second| said(9, 5_000, 5_000 + second, second));
    let older = (301..=340).map(|second| said(9, 10, second, second));
    let rooms = [(10, "lobby"), (5_000, "newer")];
    let rooms = rooms.map(|(room, name)| Write::Opened { room, name: name.into() });
    let writes = rooms.into_iter().chain([session]).chain(newer).chain(older);
    let writes = writes.chain([said(7, 5_000, 5_301, 341)]);
    store.write(&writes.collect::<Vec<_>>()).expect("a disk");
    let kept = store.kept().expect("a database");
    let nonces: Vec<u64> = kept.sessions[0].nonces.iter().map(|(hash, _)| *hash).collect();
    assert_eq!(nonces, (85..=340).collect::<Vec<_>>(), "the clock is set by {clock} s");
}

#[test]
fn what_was_said_last_before_a_private_room_is_known_though_the_clock_was_set_back() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let opened = |room: u64, name: &str| Write::Opened { room, name: name.into() };
    let is_in = |room| Write::Session {
        session: 9,
        token: [3; 32],
        name: "alice".into(),
        room,
        quiet: false,
        teacher: false,
        watching: false,
        muted: None,
    };
    let event = |room, event: Event, nonce| Write::Event { room, event, session: 9, nonce };
    let left = |id| Event::Left { stamp: stamp(id), user: "alice".into(), text: None };
    // An event's time is its id.
    store.write(&[opened(10, "lobby"), opened(9_000, "math"), is_in(9_000)]).expect("a disk");
    let early = [event(9_000, said(9_001, "x"), Some(1)), event(9_000, left(9_002), None)];
    store.write(&early).expect("a disk");
    // Writes come again and again, of the same room too.
    store.write(&[is_in(10), is_in(10), event(10, said(11, "y"), Some(2))]).expect("a disk");
    store.write(&[event(10, left(12), None), is_in(0), is_in(0)]).expect("a disk");
    let last = |store: &mut Store| {
        let session = &store.kept().expect("a database").sessions[0];
        (session.room, session.before, session.nonces.last().copied())
    };
    assert_eq!(last(&mut store), (0, 10, Some((2, 11))));
    // After a restart it is in the lobby, where it has said nothing yet.
    store.write(&[is_in(10)]).expect("a disk");
    assert_eq!((last(&mut store).0, last(&mut store).1), (10, 10));
    assert_eq!(store.kept().expect("a database").sessions.len(), 1);
}

#[test]
fn what_has_become_unfit_for_terminals_on_the_disk_is_not_read_as_it_is() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let topic = Event::Topic { stamp: stamp(2), user: "bob".into(), topic: "sums".into() };
    store.write(&[opened(), write(said(1, "hello")), write(topic)]).expect("a disk");
    store
        .connection()
        .execute_batch(
            "UPDATE event SET user = 'b' || char(27) || 'ob', text = 'hel' || char(0) || 'lo' WHERE id = 1;
             UPDATE event SET user = 'b' || char(7) || 'ob',
                 rest = replace(rest, 'sums', 'su\\u001b[31mms') WHERE id = 2",
        )
        .expect("a database");
    let found = scratch.past().newest(&span(), bounds(10), |_| true).expect("a database");
    let lines: String = found.events.iter().map(|event| format!("{event:?}\n")).collect();
    assert_eq!(found.events.len(), 2, "{lines}");
    assert!(lines.contains("hello") && lines.contains("bob"), "{lines}");
    assert!(
        !lines.contains("\\u{1b}") && !lines.contains("\\0") && !lines.contains("\\u{7}"),
        "{lines}"
    );
}

#[test]
fn rooms_used_last_are_opened_again_though_the_clock_was_set_back() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let opened = |room: u64, name: &str| Write::Opened { room, name: name.into() };
    let event = |room, id| Write::Event { room, event: said(id, "x"), session: 9, nonce: None };
    // An event's time is its id.
    let before = [opened(10, "lobby"), opened(20, "before"), event(20, 9_000)];
    let ended = Write::Ended { room: 20, time: Time::from_millis(9_000_000) };
    store.write(&before).expect("a disk");
    store.write(&[ended, opened(30, "after"), event(30, 100)]).expect("a disk");
    let kept = store.kept().expect("a database");
    let names: Vec<_> = kept.rooms.iter().map(|room| &*room.name).collect();
    assert_eq!(names, ["lobby", "after"]);
    assert_eq!(kept.until, Some(Time::from_millis(100_000)));
}

#[test]
fn held_sessions_and_rooms_in_use_are_restored() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let opened = |room: u64, name: &str| Write::Opened { room, name: name.into() };
    let event = |room, id, nonce| Write::Event { room, event: said(id, "x"), session: 9, nonce };
    let session = Write::Session {
        session: 9,
        token: [3; 32],
        name: "alice".into(),
        room: 20,
        quiet: true,
        teacher: true,
        watching: true,
        muted: Some(Mute { until: Some(Time::from_millis(70_000)) }),
    };
    let writes = [
        opened(10, "lobby"),
        opened(20, "held"),
        opened(30, "old"),
        opened(40, "recent"),
        opened(50, "ended"),
        event(20, 20, Some(u64::MAX)),
        event(20, 21, Some(5)),
        event(30, 30, None),
        event(40, 900, None),
        event(50, 901, None),
        Write::Ended { room: 50, time: Time::from_millis(902_000) },
        Write::State { room: 20, state: "{\"topic\":\"x\"}".into() },
        session,
        Write::Highest(950),
        Write::Highest(940),
    ];
    store.write(&writes).expect("a disk");
    drop(store);
    let kept = scratch.store().kept().expect("a database");
    let Leftover { highest, is_complete, crashes, until, sessions, rooms, lesson, attended } = kept;
    assert!(lesson.is_empty() && attended.is_empty());
    assert_eq!(crashes, [950]);
    assert_eq!((highest, is_complete, until), (950, false, Some(Time::from_millis(901_000))));
    let names: Vec<_> = rooms.iter().map(|room| &*room.name).collect();
    assert_eq!(names, ["lobby", "held", "recent"]);
    assert_eq!(rooms[1].state.as_deref(), Some("{\"topic\":\"x\"}"));
    assert_eq!(ids(&rooms[1].events), [20, 21]);
    assert_eq!(sessions.len(), 1);
    let alice = &sessions[0];
    assert_eq!((&*alice.name, alice.room, alice.quiet), ("alice", 20, true));
    assert!(alice.teacher && alice.watching);
    assert_eq!(alice.muted, Some(Mute { until: Some(Time::from_millis(70_000)) }));
    assert_eq!(alice.nonces, [(u64::MAX, 20), (5, 21)]);
}

/// People at a lesson are not present while the server is down: their attendance ends with its
/// stop, or with the last saved event before a crash.
#[test]
fn nobody_attends_a_lesson_while_the_server_is_down() {
    #[track_caller]
    fn check(stopped: Option<i64>, until: i64) {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let begun = Time::from_millis(50_000);
        let attended = |name: &str, last: i64, is_here| Write::Attended {
            lesson: begun,
            room: ROOM,
            name: name.into(),
            attended: Attended {
                first: begun,
                last: Time::from_millis(last),
                is_here,
                millis: 1_000,
                lines: 3,
            },
        };
        // The last event is a hundred seconds old.
        let writes = [
            opened(),
            attended("here", 60_000, true),
            attended("gone", 70_000, false),
            attended("here", 80_000, true),
            write(said(100, "x")),
        ];
        store.write(&writes).expect("a disk");
        store
            .write(
                &stopped
                    .map(|at| Write::Stopped(Time::from_millis(at)))
                    .into_iter()
                    .collect::<Vec<_>>(),
            )
            .expect("a disk");
        // Twice: a server that ends at once changes nothing.
        for _ in 0..2 {
            drop(store);
            store = scratch.store();
            store.end_attendance().expect("a disk");
        }
        let kept = store.kept().expect("a database").attended;
        let people: Vec<_> = kept
            .iter()
            .map(|it| {
                (&*it.name, it.attended.is_here, it.attended.last.as_millis(), it.attended.millis)
            })
            .collect();
        let here = 1_000 + until as u64 - 80_000;
        assert_eq!(people, [("gone", false, 70_000, 1_000), ("here", false, until, here)]);
        assert!(
            kept.iter().all(|it| it.lesson == begun && it.room == ROOM && it.attended.lines == 3)
        );
        store.write(&[Write::Lesson { fact: "{}".into() }, Write::LessonOver]).expect("a disk");
        let kept = store.kept().expect("a database");
        assert!(kept.attended.is_empty() && kept.lesson.is_empty());
    }
    check(None, 100_000);
    check(Some(160_000), 160_000);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_unchanged() {
    type Spoil = fn(&PathBuf);
    let cases: [(&str, Spoil); 4] = [
        ("another program's file", |path| fs::write(path, "x".repeat(8_192)).expect("a disk")),
        ("an empty file", |path| fs::write(path, "").expect("a disk")),
        ("a damaged page", |path| {
            let mut bytes = fs::read(path).expect("the database");
            bytes[4_096..].fill(0xa5);
            fs::write(path, bytes).expect("a disk");
        }),
        ("a log without its database", |path| {
            fs::write(path.with_file_name("madang.db-wal"), "x").expect("a disk");
            fs::remove_file(path).expect("the database");
        }),
    ];
    for (name, spoil) in cases {
        let scratch = Scratch::new();
        scratch.store().write(&[opened(), write(said(1, "x"))]).expect("a disk");
        let database = scratch.0.join("madang.db");
        spoil(&database);
        let before = fs::read(&database).ok();
        let error = Store::open(&scratch.0).expect_err(name);
        assert!(matches!(error, OpenError::Database { .. }), "{name}: {error}");
        assert!(error.to_string().contains("madang-server recover --data"), "{name}: {error}");
        assert!(fs::read(&database).ok() == before, "{name}: it was changed");
    }
}

#[test]
fn messages_are_deleted_by_age_and_size_oldest_first() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let writes = (1..=10_000).map(|id| write(said(id, &"x".repeat(500))));
    store.write(&[opened()].into_iter().chain(writes).collect::<Vec<_>>()).expect("a disk");
    let oldest = |store: &Store| {
        let row = "SELECT min(id), count(*) FROM event";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        store.connection().query_row(row, [], read).expect("events")
    };
    let day = 24 * 3_600;
    let keep = Retention { keep_days: Some(1), limit_bytes: u64::MAX };
    let now = Time::from_millis((day + 3_001) * 1_000);
    while store.tidy(keep, now).expect("a disk") {}
    assert_eq!(oldest(&store), (3_001, 7_000));

    let limit_bytes = store.used_bytes().expect("a database") / 2;
    let limited = Retention { keep_days: None, limit_bytes };
    while store.tidy(limited, now).expect("a disk") {}
    store.shorten_log().expect("a disk");
    let (first, count) = oldest(&store);
    assert_eq!(first + count, 10_001, "the newest are kept");
    assert!((2_000..4_000).contains(&count), "{count}");
    assert!(store.used_bytes().expect("a database") <= limit_bytes);
    let file = fs::metadata(scratch.0.join("madang.db")).expect("it is there").len();
    drop(store);
    assert!(fs::metadata(scratch.0.join("madang.db")).expect("it is there").len() <= file);
}

/// The ids that are left in a room.
fn ids_in(store: &Store, room: u64) -> Vec<i64> {
    let mut ids = store
        .connection()
        .prepare("SELECT id FROM event WHERE room = ?1 ORDER BY id")
        .expect("a database");
    let ids = ids.query_map([room as i64], |row| row.get(0)).expect("a database");
    ids.collect::<Result<_, _>>().expect("ids")
}

#[test]
fn messages_are_deleted_by_age_in_all_rooms_whatever_the_clock_was() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let line = |room, id, seconds: i64| {
        let mut event = said(id, "x");
        let Event::Said { stamp, .. } = &mut event else { unreachable!("it was said") };
        stamp.time = Time::from_millis(seconds * 1_000);
        Write::Event { room, event, session: 7, nonce: None }
    };
    let day = 24 * 3_600;
    let mut writes = vec![opened()];
    // In one room the clock was wrong for a while, in another always right; nobody spoke in a third
    // since long ago.
    writes.extend([line(1, 1, 99 * day), line(1, 2, 100), line(1, 3, 200), line(1, 4, day)]);
    writes.extend([line(2, 1, 100), line(2, 2, 150), line(2, 3, 2 * day), line(2, 4, 2 * day)]);
    writes.push(line(3, 5, 100));
    store.write(&writes).expect("a disk");
    let keep = Retention { keep_days: Some(1), limit_bytes: u64::MAX };
    let now = Time::from_millis((day + 180) * 1_000);
    while store.tidy(keep, now).expect("a disk") {}
    let left = [1, 2, 3].map(|room| ids_in(&store, room));
    assert_eq!(left, [vec![1, 3, 4], vec![3, 4], vec![]]);
    assert!(!store.tidy(keep, now).expect("a disk"), "there is nothing to do");
}

#[test]
fn a_room_is_found_at_a_time_without_reading_it_or_others() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let lines = |room: u64, ids: std::ops::Range<u64>| {
        ids.map(move |id| Write::Event { room, event: said(id, "x"), session: 7, nonce: None })
    };
    let gap = lines(ROOM, 1_000..1_100).chain(lines(ROOM, 5_000..5_100));
    let writes = [opened()].into_iter().chain(gap).chain(lines(7, 1..2_000));
    store.write(&writes.collect::<Vec<_>>()).expect("a disk");
    let past = scratch.past();
    #[track_caller]
    fn check(past: &Past, seconds: i64, expected: Option<u64>) {
        let since = Time::from_millis(seconds * 1_000);
        assert_eq!(past.first_since(ROOM, since), Ok(expected), "since {seconds} s");
    }
    for (seconds, expected) in [
        (0, Some(1_000)),
        (1_000, Some(1_000)),
        (1_050, Some(1_050)),
        (1_099, Some(1_099)),
        (1_100, Some(5_000)),
        (5_000, Some(5_000)),
        (5_099, Some(5_099)),
        (5_100, None),
    ] {
        check(&past, seconds, expected);
    }
    assert_eq!(past.first_since(8, Time::from_millis(0)), Ok(None), "an empty room");
}

#[test]
fn a_long_log_is_moved_into_the_database_after_the_commit() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let length = |name: &str| fs::metadata(scratch.0.join(name)).expect("it is there").len();
    let database = length("madang.db");
    let mut id = 0;
    // 4 MiB of pages, and what the log has beside them.
    while length("madang.db-wal") < (4 << 20) + (16 << 10) {
        let text = "x".repeat(1_000);
        let writes: Vec<_> = (id + 1..=id + 200).map(|id| write(said(id, &text))).collect();
        store.write(&writes).expect("a disk");
        assert_eq!(length("madang.db"), database, "a commit writes only the log");
        id += 200;
        if length("madang.db-wal") < 3 << 20 {
            store.shorten_log().expect("a disk");
            assert_eq!(length("madang.db"), database, "the log is short");
        }
    }
    store.shorten_log().expect("a disk");
    // Some pages are in the log several times.
    assert!(length("madang.db") > database + (2 << 20));
    let log = length("madang.db-wal");
    store.write(&[write(said(id + 1, "x"))]).expect("a disk");
    assert_eq!(length("madang.db-wal"), log, "it begins again");
}

/// Does nothing with what it is told.
struct Unwatched;

impl Watch for Unwatched {
    fn committed(&self, _writes: usize, _took: Duration) {}
    fn degraded(&self, _why: Option<&str>) {}
    fn recovered(&self) {}
}

#[test]
fn ids_go_on_above_all_that_were_given_and_after_a_crash_above_those_that_were_lost() {
    let scratch = Scratch::new();
    // Far above the clock's microseconds, and in no event: given in a private room.
    let highest = 1 << 52;
    let writes = [opened(), write(said(1_000, "x")), Write::Highest(highest)];
    scratch.store().write(&writes).expect("a disk");
    let first_id = || {
        let ids = Arc::<EventIds>::default();
        let config = JournalConfig::of(&scratch.0);
        let watch = Arc::new(Unwatched);
        let started =
            Journal::start(&config, JournalOf::Server, ids.clone(), watch, |_| {}).expect("a disk");
        let stop = move || started.0.stop(Instant::now() + DEADLINE);
        (ids.first(std::time::SystemTime::now()), stop)
    };
    let (after_a_crash, stop) = first_id();
    assert!(after_a_crash > highest + UNKNOWN_IDS, "{after_a_crash}");
    stop();
    let (after_a_stop, stop) = first_id();
    assert_eq!(after_a_stop, highest + 1);
    stop();
}

#[test]
fn a_round_is_handed_over_though_no_space_is_left() {
    // Without its threads, it writes nothing.
    let journal = Arc::new(Journal {
        queue: Arc::default(),
        reader: Arc::default(),
        nonce_key: NonceKey::default(),
        ids: Arc::default(),
        reach: Duration::ZERO,
        watch: Arc::new(Unwatched),
        look_at: Box::new(|_| {}),
        archived: None,
        threads: Mutex::new(None),
    });
    let text = "x".repeat(queue::MOST_BYTES);
    journal.write(write(said(1, &text)));
    let speaker = {
        let journal = journal.clone();
        spawn(move || journal.wait_for_space())
    };
    speaker.wait_until_asleep();
    let pump = {
        let journal = journal.clone();
        spawn(move || {
            let mut round = Round::new(ROOM, "수학".into());
            round.events.push(Recorded { event: said(2, "y"), session: 7, nonce: None });
            journal.record(&mut round);
        })
    };
    pump.join();
    assert!(journal.queue_bytes() > queue::MOST_BYTES && !journal.is_degraded());
    journal.queue.close();
    speaker.join();
}

#[test]
fn forgotten_messages_are_in_no_file() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let by = |id, user: &str, text: &str| {
        write(Event::Said {
            stamp: stamp(id),
            user: user.into(),
            text: text.into(),
            me: false,
            teacher: false,
        })
    };
    let of_others = by(2, "bob", "harmless-words");
    let hand = |user: &str, text: &str| Write::Lesson {
        fact: format!(r#"{{"change":{{"HandRaised":{{"user":"{user}","text":"{text}"}}}}}}"#),
    };
    let hands = [hand("alice", "shameful-question"), hand("bob", "harmless-question")];
    let writes = [opened(), by(1, "alice", "shameful-words"), of_others, by(3, "alice", "more")];
    store.write(&writes.into_iter().chain(hands).collect::<Vec<_>>()).expect("a disk");
    let reader = scratch.past();
    let files = || {
        let entries = fs::read_dir(&scratch.0).expect("the folder");
        let read = |entry: fs::DirEntry| fs::read(entry.path()).expect("a file");
        entries.map(|entry| read(entry.expect("an entry"))).collect::<Vec<_>>().concat()
    };
    let holds = |words: &str| memchr::memmem::find(&files(), words.as_bytes()).is_some();
    assert!(holds("shameful-words") && holds("shameful-question"));
    let (room, alice) = (RoomName::parse("수학"), UserName::parse("alice"));
    let (room, alice) = (room.expect("a name"), alice.expect("a name"));
    assert_eq!(store.forget(&room, Some(&alice)).expect("a disk"), 2);
    assert!(!holds("shameful") && holds("harmless-words") && holds("harmless-question"));
    let found = reader.newest(&span(), bounds(10), |_| true).expect("a database");
    assert_eq!(ids(&found.events), [2]);
    assert_eq!(store.forget(&room, None).expect("a disk"), 1);
    assert!(!holds("harmless"));

    // In an archive, in its place among what is written.
    let forget = |until: Option<i64>| {
        let (room, name) = (room.clone(), Some(alice.clone()));
        Write::Forget { room, name, until: until.map(Time::from_millis) }
    };
    let writes = [by(4, "alice", "shameful"), forget(None), by(5, "alice", "harmless")];
    store.write(&writes).expect("a disk");
    assert!(!holds("shameful") && holds("harmless"));
    store.write(&[by(6, "alice", "shameless"), forget(Some(5_999))]).expect("a disk");
    assert!(!holds("harmless") && holds("shameless"));
}

#[test]
fn a_damaged_page_costs_its_own_rows_only() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let writes = (1..=5_000).map(|id| write(said(id, "회의는 3시에 시작합니다")));
    store.write(&[opened()].into_iter().chain(writes).collect::<Vec<_>>()).expect("a disk");
    store.write(&[Write::Highest(9_999)]).expect("a disk");
    drop(store);
    let database = scratch.0.join("madang.db");
    let mut bytes = fs::read(&database).expect("the database");
    let pages = bytes.len() / 4_096;
    for page in [pages / 4, pages / 2] {
        bytes[page * 4_096..][..4_096].fill(0xa5);
    }
    fs::write(&database, &bytes).expect("a disk");
    Store::open(&scratch.0).expect_err("it is damaged");

    let recovered = recover(&scratch.0, |_| {}).expect("most of it can be read");
    assert!((4_500..5_000).contains(&recovered.events), "{recovered:?}");
    assert!(recovered.damaged >= 1, "{recovered:?}");
    assert!(fs::read(&recovered.kept).expect("it is kept") == bytes, "kept byte for byte");
    let store = scratch.store();
    let kept = store.kept().expect("a database again");
    assert_eq!((kept.highest, kept.rooms[0].events.len()), (9_999, 200));
    // It is laid out like any other, and so releases its space.
    let number =
        |name| store.connection().pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    assert_eq!((number("page_size"), number("auto_vacuum")), (Ok(8_192), Ok(2)));
}

/// How much work a recovery may be, in instructions of SQLite: for each of seven tables a fixed
/// amount and four for each byte, and what is under way when it is stopped.
fn most_work(bytes: usize) -> u64 {
    7 * (101_000 + 4 * bytes as u64)
}

#[test]
fn the_work_of_a_recovery_is_bounded_by_the_size_of_the_file() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let writes = (1..=60).flat_map(|room| {
        let opened = Write::Opened { room, name: format!("room{room}").into() };
        let said = move |n: u64| said(n * 1_000_000_000, "회의는 3시에 시작합니다");
        let event = move |n| Write::Event { room, event: said(n), session: 7, nonce: None };
        [opened].into_iter().chain((1..=100).map(event))
    });
    store.write(&writes.collect::<Vec<_>>()).expect("a disk");
    drop(store);
    let database = scratch.0.join("madang.db");
    let whole = fs::read(&database).expect("the database");
    // Every fourth page is unreadable, so nearly every room has lost a part.
    let mut bytes = whole.clone();
    for page in bytes.chunks_mut(4_096).skip(20).step_by(4) {
        page.fill(0xa5);
    }
    fs::write(&database, &bytes).expect("a disk");
    let recovered = recover(&scratch.0, |_| {}).expect("most of it can be read");
    assert!((3_000..6_000).contains(&recovered.events), "{recovered:?}");
    assert!(recovered.work <= most_work(bytes.len()), "{recovered:?} of {}", bytes.len());

    // Without damage, it takes a small part of that.
    fs::write(&database, &whole).expect("a disk");
    let recovered = recover(&scratch.0, |_| {}).expect("all of it can be read");
    let copied = (recovered.events, recovered.damaged, recovered.is_complete);
    assert_eq!(copied, (6_000, 0, true));
    assert!(recovered.work <= 2 * whole.len() as u64, "{recovered:?} of {}", whole.len());
}

#[test]
fn pages_that_lead_to_others_again_and_again_are_not_read_for_ever() {
    /// The first byte of an interior page of a table, and where its number of cells, its last child
    /// and the places of its cells are; a cell begins with its child.
    const INTERIOR: u8 = 2;
    const COUNT: usize = 3;
    const LAST_CHILD: usize = 8;
    const CELLS: usize = 12;
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let writes = (1..=6_000).map(|id| write(said(id, "x")));
    store.write(&[opened()].into_iter().chain(writes).collect::<Vec<_>>()).expect("a disk");
    drop(store);
    let database = scratch.0.join("madang.db");
    // Small pages make a tree of many levels.
    let smaller = rusqlite::Connection::open(&database).expect("a database");
    smaller
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM")
        .expect("a disk");
    let root: u32 = smaller
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'event'", [], |row| row.get(0))
        .expect("a table");
    drop(smaller);
    let mut bytes = fs::read(&database).expect("the database");
    let page_bytes = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let begin = |page: u32| (page as usize - 1) * page_bytes;
    let child = |bytes: &[u8], at: usize| {
        u32::from_be_bytes(bytes[at..][..4].try_into().expect("four bytes"))
    };
    let children = |bytes: &[u8], page: u32| {
        let word = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        let begin = begin(page);
        let cells = (0..word(begin + COUNT)).map(|cell| begin + word(begin + CELLS + 2 * cell));
        cells.chain([begin + LAST_CHILD]).collect::<Vec<_>>()
    };
    let mut interior = vec![root];
    for at in 0.. {
        let Some(page) = interior.get(at).copied() else { break };
        let below = children(&bytes, page).into_iter().map(|at| child(&bytes, at));
        interior.extend(below.filter(|page| bytes[begin(*page)] == INTERIOR).collect::<Vec<_>>());
    }
    // All children of one are the next one, so there are more ways than rows; the last one has leaves.
    assert!(interior.len() > 10, "{interior:?}");
    let chain = [&interior[..10], &interior[interior.len() - 1..]].concat();
    for pair in chain.windows(2) {
        for at in children(&bytes, pair[0]) {
            bytes[at..at + 4].copy_from_slice(&pair[1].to_be_bytes());
        }
    }
    fs::write(&database, &bytes).expect("a disk");
    let recovered = recover(&scratch.0, |_| {}).expect("something can be read");
    assert!(recovered.events > 0 && !recovered.is_complete, "{recovered:?}");
    assert!(recovered.work <= most_work(bytes.len()), "{recovered:?} of {}", bytes.len());
}

#[test]
fn an_unreadable_database_is_not_moved() {
    let scratch = Scratch::new();
    assert!(matches!(recover(&scratch.0, |_| {}), Err(RecoverError::Missing(_))));
    drop(scratch.store());
    let database = scratch.0.join("madang.db");
    fs::write(&database, "x".repeat(8_192)).expect("a disk");
    assert!(matches!(recover(&scratch.0, |_| {}), Err(RecoverError::Nothing { .. })));
    assert_eq!(fs::read(&database).expect("it is there").len(), 8_192);
    let store = Scratch::new();
    let _in_use = store.store();
    assert!(matches!(recover(&store.0, |_| {}), Err(RecoverError::Folder(_))));
}

#[test]
fn a_transcript_is_written_beside_a_running_server() {
    let scratch = Scratch::new();
    let mut store = scratch.store();
    let writes = (1..=2_500).map(|id| write(said(id, "x")));
    let hole = Write::Hole { room: ROOM, first: 101, last: 110 };
    let other = Write::Opened { room: 9, name: "lobby".into() };
    let writes = [opened(), other, hole].into_iter().chain(writes).collect::<Vec<_>>();
    store.write(&writes).expect("a disk");
    let selection = |room: &str, since, until| Selection {
        data: scratch.0.clone(),
        room: RoomName::parse(room).expect("a name"),
        since,
        until,
        format: TranscriptFormat::Jsonl,
        lang: Lang::En,
    };
    let write = |selection| {
        let mut out = Vec::new();
        let count = export(&selection, TimeZone::UTC, &mut out, |_, _| {})?;
        Ok::<_, ExportError>((count, String::from_utf8(out).expect("UTF-8")))
    };
    let (count, lines) = write(selection("수학", None, None)).expect("a transcript");
    assert_eq!((count, lines.lines().count()), (2_500, 2_501));
    let at = |seconds: i64| Some(Time::from_millis(seconds * 1_000));
    let (count, lines) = write(selection("수학", at(100), at(200))).expect("a transcript");
    assert_eq!(count, 100);
    assert!(lines.contains("\"from\":101,\"to\":110"), "{lines}");
    let error = write(selection("영어", None, None)).expect_err("there is no such room");
    assert_eq!(error.to_string(), "no room \"영어\" is recorded; recorded are: lobby, 수학");
}

#[test]
fn a_database_of_a_newer_server_or_another_program_is_refused() {
    for (pragma, words) in
        [("PRAGMA user_version = 99", "newer"), ("PRAGMA application_id = 7", "another program")]
    {
        let scratch = Scratch::new();
        let store = scratch.store();
        store.connection().execute_batch(pragma).expect("a database");
        drop(store);
        let error = Store::open(&scratch.0).expect_err(pragma).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn files_that_were_removed_or_replaced_are_noticed() {
    for file in ["madang.db", "madang.db-wal"] {
        let scratch = Scratch::new();
        let store = scratch.store();
        store.check_files().expect("all are there");
        let (path, aside) = (scratch.0.join(file), scratch.0.join("aside"));
        fs::rename(&path, &aside).expect("its own file");
        let error = store.check_files().expect_err(file);
        assert!(error.contains(&format!("{file} was removed")), "{error}");
        fs::copy(&aside, &path).expect("its own file");
        store.check_files().expect_err("it is another file");
        fs::rename(&aside, &path).expect("its own file");
        store.check_files().expect("it is back");
    }
}
