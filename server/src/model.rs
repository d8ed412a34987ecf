//! Every interleaving that shuttle finds of the three places where a wake-up
//! could be lost: the mailbox, the hand-over of the pump, the arming of an outbox.
//! A lost one leaves all threads waiting, which shuttle reports as a deadlock.

use std::{
    io,
    net::TcpStream,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use madang_protocol::{
    event::{Event, Stamp, Time},
    notice::Goodbye,
    text::{Lang, LineEnd},
};
use shuttle::{rand::Rng, thread};

use crate::{
    batch::{Batch, Form},
    close_reason::CloseReason,
    mailbox::{MAILBOX_BYTES, Mailbox, Pump, Urgency},
    outbox::{Bounds, Outbox, Waker},
    sink::fake::FakeSocket,
    sync::Mutex,
};

const SCHEDULES: usize = 20_000;

/// Pumps until the duty is given up, tired at random.
fn pump(mut pump: Pump<'_, (usize, usize)>, seen: &Mutex<Vec<(usize, usize)>>) {
    let mut round = Vec::new();
    while let Some(duty) = pump.next_round(shuttle::rand::thread_rng().gen_bool(0.5), &mut round) {
        pump = duty;
        assert!(!round.is_empty());
        seen.lock().append(&mut round);
    }
}

#[test]
fn every_post_is_taken_once_and_in_order_whoever_pumps() {
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
                            // Two fill the mailbox: the third speaker has to wait.
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

#[test]
fn closing_beside_posts_takes_all_that_was_accepted() {
    shuttle::check_random(
        || {
            let mailbox = Arc::new(Mailbox::new());
            let seen = Arc::new(Mutex::new(Vec::new()));
            let accepted = Arc::new(Mutex::new(0));
            let speakers: Vec<_> = (0..2)
                .map(|speaker| {
                    let (mailbox, seen, accepted) =
                        (mailbox.clone(), seen.clone(), accepted.clone());
                    thread::spawn(move || {
                        for post in 0..2 {
                            match mailbox.post((speaker, post), MAILBOX_BYTES, Urgency::Waits) {
                                Ok(duty) => {
                                    *accepted.lock() += 1;
                                    if let Some(duty) = duty {
                                        pump(duty, &seen);
                                    }
                                }
                                Err(_) => return,
                            }
                        }
                    })
                })
                .collect();
            if let Some(duty) = mailbox.close((9, 9)) {
                pump(duty, &seen);
            }
            for speaker in speakers {
                speaker.join().expect("no speaker panics");
            }
            let seen = seen.lock();
            assert_eq!(seen.len(), *accepted.lock() + 1);
            assert_eq!(seen.last(), Some(&(9, 9)));
        },
        SCHEDULES,
    );
}

/// A one-shot poller: an armed socket with space is reported once.
struct ModelWaker {
    socket: Arc<FakeSocket>,
}

impl Waker for ModelWaker {
    fn arm(&self, _: &Arc<Outbox>, _: Option<&TcpStream>, _: bool) -> io::Result<()> {
        self.socket.change(|state| state.armed = true);
        Ok(())
    }

    fn disarm(&self, _: u64, _: Option<&TcpStream>) {}
}

#[test]
fn whatever_waits_is_sent_when_the_socket_takes_it() {
    shuttle::check_random(
        || {
            const BATCHES: u64 = 3;
            let socket = FakeSocket::with_space(4);
            let bounds = Arc::new(Bounds {
                outbox_bytes: usize::MAX,
                backlog_bytes: usize::MAX,
                backlog: AtomicUsize::new(0),
            });
            let waker = Arc::new(ModelWaker { socket: socket.clone() });
            let form = Form::Text(Lang::En, LineEnd::Lf);
            let outbox = Outbox::new(1, form, socket.sink(), bounds, waker);

            let pump = thread::spawn({
                let outbox = outbox.clone();
                move || {
                    for id in 0..BATCHES {
                        let mut batch = Batch::new("lobby".into());
                        let (room, user, text) = ("lobby".into(), "u".into(), id.to_string());
                        let time = Time::from_millis(0);
                        let stamp = Stamp { id, time, room };
                        batch.push(Event::Said { stamp, user, text, me: false }, 1);
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
            // Wakes the drainer when the last bytes went out past it.
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
