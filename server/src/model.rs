//! Tests with shuttle, which tries interleavings of threads wherever a wake-up could be lost:
//! the mailbox and its ends, the hand-over of the pump, the arming of an outbox, a session that
//! moves from one connection to the next. A lost wake-up leaves all threads waiting, which
//! shuttle reports as a deadlock.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::{Event, Stamp, Time},
    name::UserName,
    notice::Goodbye,
    text::{Lang, LineEnd},
};
use shuttle::{rand::Rng, thread};

use crate::{
    close_reason::CloseReason,
    delivery::batch::Batch,
    delivery::outbox::{Bounds, Outbox},
    delivery::sink::fake::FakeSocket,
    dialect::Form,
    room::By,
    room::lesson::{Asker, Lesson, LessonOp, Present},
    room::mailbox::{Ended, MAILBOX_BYTES, Mailbox, Pump, Urgency},
    session::user_manager::{AwayLimits, NotTaken, UserManager},
    sync::{Condvar, Mutex},
};

mod simulator;
mod cluster;

const SCHEDULES: usize = 20_000;

/// Pumps until the role is handed over, at random times.
fn pump(mut pump: Pump<'_, (usize, usize)>, seen: &Mutex<Vec<(usize, usize)>>) {
    let mut round = Vec::new();
    while let Some(duty) = pump.next_round(shuttle::rand::thread_rng().gen_bool(0.5), &mut round) {
        pump = duty;
        assert!(!round.is_empty());
        seen.lock().append(&mut round);
    }
}

#[test]
fn every_post_is_taken_once_and_in_order_by_any_pump() {
    shuttle::check_random(
        || {
            const SPEAKERS: usize = 3;
            const POSTS: usize = 3;
            let mailbox = Arc::new(Mailbox::new());
            let seen = Arc::new(Mutex::new(Vec::new()));
            let speakers: Vec<_> = (0..SPEAKERS)
                .map(|speaker| {
                    let (mailbox, seen) = (mailbox.clone(), seen.clone());
                    thread::spawn(move || {
                        for post in 0..POSTS {
                            // Two posts fill the mailbox, so the third speaker has to wait.
                            let bytes = MAILBOX_BYTES / 2;
                            let duty = mailbox.post((speaker, post), bytes, Urgency::Waits);
                            if let Some(duty) = duty.expect("it is open") {
                                pump(duty, &seen);
                            }
                        }
                    })
                })
                .collect();
            for speaker in speakers {
                speaker.join().expect("no speaker panics");
            }
            let seen = std::mem::take(&mut *seen.lock());
            assert_eq!(seen.len(), SPEAKERS * POSTS);
            for speaker in 0..SPEAKERS {
                let posts = seen.iter().filter(|(from, _)| *from == speaker);
                assert!(posts.map(|(_, post)| *post).eq(0..POSTS));
            }
        },
        SCHEDULES,
    );
}

/// A mailbox whose room closes while people post, and what became of the posts.
struct Posts {
    mailbox: Mailbox<(usize, usize)>,
    accepted: Mutex<usize>,
    seen: Mutex<Vec<(usize, usize)>>,
}

impl Posts {
    fn new() -> Posts {
        Posts { mailbox: Mailbox::new(), accepted: Mutex::new(0), seen: Mutex::new(Vec::new()) }
    }

    /// Starts speakers who post twice each, and fill the mailbox each time: the others wait for
    /// space. Whoever becomes the pump does as `pump` says.
    fn speak(
        self: Arc<Self>,
        speakers: usize,
        pump: impl Fn(Pump<'_, (usize, usize)>, &Posts) + Copy + Send + 'static,
    ) -> Vec<thread::JoinHandle<()>> {
        let speak = |speaker| {
            let posts = self.clone();
            thread::spawn(move || {
                for post in [(speaker, 0), (speaker, 1)] {
                    match posts.mailbox.post(post, MAILBOX_BYTES, Urgency::Waits) {
                        Ok(duty) => {
                            *posts.accepted.lock() += 1;
                            if let Some(duty) = duty {
                                pump(duty, &posts);
                            }
                        }
                        Err(Ended(refused)) => assert_eq!(refused, post),
                    }
                }
            })
        };
        (0..speakers).map(speak).collect()
    }
}

#[test]
fn closing_during_posts_takes_every_accepted_post() {
    shuttle::check_random(
        || {
            let posts = Arc::new(Posts::new());
            let speakers = posts.clone().speak(2, |duty, posts| pump(duty, &posts.seen));
            if let Some(duty) = posts.mailbox.close((9, 9)) {
                pump(duty, &posts.seen);
            }
            for speaker in speakers {
                speaker.join().expect("no speaker panics");
            }
            let seen = posts.seen.lock();
            assert_eq!(seen.len(), *posts.accepted.lock() + 1);
            assert_eq!(seen.last(), Some(&(9, 9)));
        },
        SCHEDULES,
    );
}

#[test]
fn only_an_empty_room_expires_and_no_post_is_lost() {
    #[derive(Default)]
    struct ModelRoom {
        members: Vec<usize>,
        refused: Vec<usize>,
        ended: bool,
    }
    /// The post of the timekeeper.
    const END_IF_EMPTY: usize = 9;
    shuttle::check_random(
        || {
            let mailbox = Arc::new(Mailbox::new());
            let room = Arc::new(Mutex::new(ModelRoom::default()));
            let posters: Vec<_> = [0, 1, END_IF_EMPTY]
                .map(|poster| {
                    let (mailbox, room) = (mailbox.clone(), room.clone());
                    thread::spawn(move || {
                        let Ok(duty) = mailbox.post(poster, 1, Urgency::Waits) else {
                            return room.lock().refused.push(poster);
                        };
                        let Some(mut duty) = duty else { return };
                        let mut round = Vec::new();
                        while let Some(next) = duty.next_round(false, &mut round) {
                            duty = next;
                            let mut room = room.lock();
                            for poster in round.drain(..) {
                                match poster {
                                    END_IF_EMPTY => room.ended |= room.members.is_empty(),
                                    comer if room.ended => room.refused.push(comer),
                                    comer => room.members.push(comer),
                                }
                            }
                            if room.ended {
                                mailbox.shut();
                            }
                        }
                    })
                })
                .into();
            for poster in posters {
                poster.join().expect("no poster panics");
            }
            let room = room.lock();
            let (here, refused) = (room.members.len(), room.refused.len());
            assert_eq!(if room.ended { (0, 2) } else { (2, 0) }, (here, refused));
        },
        SCHEDULES,
    );
}

#[test]
fn a_closing_room_refuses_waiting_posts_and_handles_accepted_ones() {
    shuttle::check_random(
        || {
            let posts = Arc::new(Posts::new());
            let speakers = posts.clone().speak(3, |mut duty, posts| {
                let mut round = Vec::new();
                while let Some(next) = duty.next_round(false, &mut round) {
                    duty = next;
                    // The first post taken closes the room.
                    posts.mailbox.shut();
                    posts.seen.lock().append(&mut round);
                }
            });
            for speaker in speakers {
                speaker.join().expect("no speaker panics");
            }
            assert_eq!(
                posts.seen.lock().len(),
                *posts.accepted.lock(),
                "what was taken in is seen"
            );
            assert!(posts.mailbox.post((9, 9), 1, Urgency::Now).is_err());
        },
        SCHEDULES,
    );
}

#[test]
fn a_session_is_held_by_one_connection_at_a_time() {
    shuttle::check_random(
        || {
            let users = Arc::new(UserManager::new(
                AwayLimits { total: 9, per_address: None },
                Default::default(),
            ));
            let name = UserName::parse("alice").expect("a name");
            let session = users.claim(&name, Some("token".into()), 0, Time::from_millis(0));
            let session = session.unwrap_or_else(|_| panic!("the name is free"));
            // Dismissing a connection ends its read, like shutting down its socket.
            let dismissed = Arc::new((Mutex::new([false; 4]), Condvar::new()));
            let holders = Arc::new(Mutex::new(0_usize));
            *holders.lock() += 1;
            let live = {
                let (users, session) = (users.clone(), session.clone());
                let (dismissed, holders) = (dismissed.clone(), holders.clone());
                move |connection: u64| {
                    let (flags, changed) = &*dismissed;
                    let mut flags = flags.lock();
                    while !flags[connection as usize] {
                        changed.wait(&mut flags);
                    }
                    drop(flags);
                    *holders.lock() -= 1;
                    users.let_go(&session, connection, None);
                }
            };
            let dismiss = move |connection: u64| {
                let (flags, changed) = &*dismissed;
                flags.lock()[connection as usize] = true;
                changed.notify_all();
            };
            let first = thread::spawn({
                let live = live.clone();
                move || live(0)
            });
            let comers: Vec<_> = (1..=3)
                .map(|connection: u64| {
                    let (users, live, dismiss) = (users.clone(), live.clone(), dismiss.clone());
                    let holders = holders.clone();
                    thread::spawn(move || {
                        let patience = Duration::from_secs(5);
                        match users.take_over("token", connection, patience, dismiss) {
                            Ok(_) => {
                                *holders.lock() += 1;
                                assert_eq!(*holders.lock(), 1, "two hold one session");
                                live(connection);
                            }
                            Err(error) => assert_eq!(error, NotTaken::Replaced),
                        }
                    })
                })
                .collect();
            // The last holder is ended too, so that the test can finish.
            let last = thread::spawn({
                let dismiss = dismiss.clone();
                move || (0..4).for_each(dismiss)
            });
            for thread in [first, last].into_iter().chain(comers) {
                thread.join().expect("no thread panics");
            }
            assert_eq!(*holders.lock(), 0);
            assert!(users.take_over("token", 9, Duration::from_secs(5), |_| {}).is_ok());
        },
        SCHEDULES / 4,
    );
}

#[test]
fn queued_bytes_are_sent_when_the_socket_has_space() {
    shuttle::check_random(
        || {
            const BATCHES: u64 = 3;
            let socket = FakeSocket::with_space(4);
            let bounds = Arc::new(Bounds::new(usize::MAX, usize::MAX, Duration::from_secs(5)));
            let (form, waker) = (Form::text(Lang::En, LineEnd::Lf), socket.clone());
            let outbox = Outbox::new(1, form, socket.sink(), bounds, waker, Arc::default());

            let pump = thread::spawn({
                let outbox = outbox.clone();
                move || {
                    for id in 0..BATCHES {
                        let mut batch = Batch::new("lobby".into());
                        let (room, user, text) = ("lobby".into(), "u".into(), id.to_string());
                        let time = Time::from_millis(0);
                        let stamp = Stamp { id, time, room };
                        batch.push(Event::Said { stamp, user, text, me: false, teacher: false }, 1);
                        outbox.offer(&mut batch, 0..1, Instant::now());
                    }
                    outbox.close(CloseReason::Told(Goodbye::Quit), b"bye\n");
                }
            });
            let peer = thread::spawn({
                let socket = socket.clone();
                move || {
                    for _ in 0..8 {
                        socket.change(|state| state.space += 3);
                    }
                }
            });
            let drainer = thread::spawn({
                let (socket, outbox) = (socket.clone(), outbox.clone());
                move || {
                    loop {
                        let mut state = socket.state.lock();
                        let all: usize = state.taken.iter().map(Vec::len).sum();
                        if all == "[u] 0\n[u] 1\n[u] 2\nbye\n".len() {
                            return;
                        }
                        // A one-shot poller reports an armed socket with space once.
                        if state.armed && state.space > 0 {
                            state.armed = false;
                            drop(state);
                            outbox.drain();
                        } else {
                            socket.changed.wait(&mut state);
                        }
                    }
                }
            });
            // Wakes the drainer in case the last bytes were sent without it.
            pump.join().expect("the pump does not panic");
            outbox.wait_drained(Instant::now());
            socket.change(|_| {});
            for thread in [peer, drainer] {
                thread.join().expect("no thread panics");
            }
            assert_eq!(socket.text(), "[u] 0\n[u] 1\n[u] 2\nbye\n");
        },
        SCHEDULES,
    );
}

#[test]
fn a_vote_that_races_the_end_of_its_poll_is_counted_or_refused() {
    shuttle::check_random(
        || {
            let lesson = Arc::new(Lesson::default());
            let asker = |by: By, name: &str| Asker::new(by, UserName::parse(name).ok());
            let act = |lesson: &Lesson, asker: &Asker, op| lesson.act(asker, op, Vec::new);
            let kim = asker(By::Teacher(1), "kim");
            let choices = ["a", "b"].map(Arc::from).into();
            let open = LessonOp::OpenPoll { question: "Q".into(), choices, yes_no: false };
            for op in [LessonOp::Begin { title: None }, open] {
                act(&lesson, &kim, op).expect("a teacher may");
            }
            let voters: Vec<_> = (2..4)
                .map(|session| {
                    let lesson = lesson.clone();
                    let voter = asker(By::Member(session), &format!("bob-{session}"));
                    thread::spawn(move || {
                        let vote = LessonOp::Vote { choice: 1, yes_no: false };
                        let voted = lesson.act(&voter, vote, Vec::new);
                        let refusal = voted.err().and_then(|refusal| refusal.code());
                        assert!(matches!(refusal, None | Some("poll_over")), "{refusal:?}");
                        usize::from(refusal.is_none())
                    })
                })
                .collect();
            let ended = {
                let lesson = lesson.clone();
                thread::spawn(move || {
                    let end = LessonOp::EndPoll { present: Present::new(), cancelled: false };
                    lesson.act(&kim, end, Vec::new).expect("a teacher may");
                })
            };
            let counted: usize =
                voters.into_iter().map(|voter| voter.join().expect("nobody panics")).sum();
            ended.join().expect("nobody panics");
            let marks = lesson.read(|state| state.marks());
            let polls = |name: &str| marks.get(name).map_or(0, |marks| marks.polls);
            assert_eq!(polls("bob-2") + polls("bob-3"), counted);
        },
        SCHEDULES,
    );
}
