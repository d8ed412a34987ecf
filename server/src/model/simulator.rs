//! A simulator of the engine: people join a room, talk, whisper, stall, lose their connections,
//! resume, leave and end the room, while sockets, clock and scheduler do what a seed says. What
//! each client was sent is then checked against the others' and against what was posted.
//!
//! `MADANG_SCHEDULES` says how many schedules are tried, `MADANG_SEED` with which seed to begin.
//! A schedule that fails names its seed, which repeats it.

use std::{
    collections::{BTreeMap, HashMap},
    env, io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{event::Time, name::UserName, notice::Goodbye, room::RoomKey};
use serde_json::Value;
use shuttle::{
    Config, Runner,
    rand::{Rng as _, thread_rng},
    scheduler::RandomScheduler,
    thread,
};

use crate::{
    close_reason::CloseReason,
    delivery::outbox::{Bounds, Outbox},
    delivery::sink::fake::FakeSocket,
    dialect::{Form, answer::Answer},
    room::{Beginning, By, Closing, Coming, Context, Going, Greeting, Last, Op, Room, Speech},
    session::{Session, Whispered, Whisperer, token::Token},
};

/// How many people there are in a schedule, and how much each does.
pub(super) const PEOPLE: u64 = 3;
const STEPS: usize = 8;

/// How many schedules are tried unless the environment says otherwise.
const SCHEDULES: u64 = 2_000;

/// What an outbox may hold: a few events.
pub(super) const OUTBOX_BYTES: usize = 1_500;

pub(super) const FIRST_ID: u64 = 1_000;

/// Somebody, and all that it was sent.
pub(super) struct Life {
    session: Arc<Session>,
    /// The connections, one after the other. All but the last were cut.
    connections: Vec<(Arc<FakeSocket>, Arc<Outbox>)>,
    said: usize,
    /// The texts of whispers, by recipient, and what became of them.
    whispered: Vec<(usize, String, Whispered)>,
    /// Whether it has left the room before the end.
    has_left: bool,
}

/// What a client knows from what it was sent.
#[derive(Default)]
struct Knowledge {
    last: Option<u64>,
    private: u64,
    /// The ids of its lines, by number.
    acked: BTreeMap<usize, u64>,
    refused: Vec<usize>,
    events: Vec<(u64, String)>,
    whispers: Vec<String>,
    has_ended: bool,
}

#[test]
fn clients_see_one_order_whatever_happens_to_them() {
    try_schedules(simulate);
}

/// Tries as many schedules of `simulate` as the environment says.
pub(super) fn try_schedules(simulate: fn()) {
    let number = |name: &str, default| {
        let set = env::var(name).ok();
        set.map_or(default, |set| set.parse().unwrap_or_else(|_| panic!("{name} is no number")))
    };
    let first: u64 = number("MADANG_SEED", 1);
    for seed in first..first + number("MADANG_SCHEDULES", SCHEDULES) {
        let scheduler = RandomScheduler::new_from_seed(seed, 1);
        let run = || Runner::new(scheduler, Config::new()).run(simulate);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!("repeat it with MADANG_SEED={seed} MADANG_SCHEDULES=1");
            resume_unwind(panic);
        }
    }
}

/// One schedule.
fn simulate() {
    let is_private = thread_rng().gen_bool(0.5);
    let key = is_private.then(|| RoomKey::from_bits(1));
    let owner = is_private.then_some(1);
    let beginning = Beginning { first_id: FIRST_ID, owner, ..Beginning::default() };
    let room = Room::new(7, "math", key, beginning, Context::default());
    let bounds = Arc::new(Bounds::new(OUTBOX_BYTES, usize::MAX, Duration::ZERO));
    let sessions: Vec<_> = (1..=PEOPLE).map(session).collect();
    let threads: Vec<_> = (0..PEOPLE as usize)
        .map(|own| {
            let (room, bounds, sessions) = (room.clone(), bounds.clone(), sessions.clone());
            thread::spawn(move || Life::new(sessions[own].clone()).live(&room, &bounds, &sessions))
        })
        .collect();
    let lives = threads.into_iter().map(|thread| thread.join().expect("nobody panics"));
    let lives: Vec<Life> = lives.collect();
    room.stop(Instant::now());
    check(&lives);
}

pub(super) fn session(number: u64) -> Arc<Session> {
    let name = UserName::parse(&format!("p{number}")).expect("a name");
    let token = Some(Token::new(format!("token-{number}")));
    Arc::new(Session::new(number, name, token, Time::from_millis(0)))
}

impl Life {
    pub(super) fn new(session: Arc<Session>) -> Life {
        let (connections, whispered) = (Vec::new(), Vec::new());
        Life { session, connections, said: 0, whispered, has_left: false }
    }

    pub(super) fn live(
        mut self,
        room: &Arc<Room>,
        bounds: &Arc<Bounds>,
        sessions: &[Arc<Session>],
    ) -> Life {
        let coming = self.connect(bounds);
        if room.enter(coming).is_err() {
            // Another has ended it.
            self.has_left = true;
            return self;
        }
        for _ in 0..STEPS {
            let (socket, outbox) = self.connections.last().cloned().expect("it is connected");
            match thread_rng().gen_range(0..10) {
                0..=3 => {
                    self.said += 1;
                    self.say(room, self.said - 1);
                }
                4 => socket.change(|state| state.space = 0),
                5 => flow(&socket, &outbox, thread_rng().gen_range(50..2_000)),
                6 => self.whisper(sessions),
                7 => {
                    self.cut(room);
                    if self.resume(room, bounds).is_none() {
                        self.has_left = true;
                        return self;
                    }
                }
                8 if thread_rng().gen_bool(0.3) => {
                    let reason = CloseReason::Told(Goodbye::Quit);
                    let goodbye = Answer::goodbye(Form::JSON, Goodbye::Quit);
                    let closing = Closing { outbox, reason, goodbye, text: None };
                    // A room that has ended has no members.
                    let _ = room.leave(self.session.number, Going::Ends(closing));
                    self.has_left = true;
                    return self;
                }
                9 if thread_rng().gen_bool(0.2) => {
                    // Refused to all but the owner of a private room.
                    let _ = room.act(By::Member(self.session.number), Op::End);
                }
                _ => thread::yield_now(),
            }
        }
        self
    }

    fn connect(&mut self, bounds: &Arc<Bounds>) -> Coming {
        let number = self.session.number * 100 + self.connections.len() as u64;
        let socket = FakeSocket::with_space(thread_rng().gen_range(0..3_000));
        let (sink, waker) = (socket.sink(), socket.clone());
        let outbox = Outbox::new(number, Form::JSON, sink, bounds.clone(), waker, Arc::default());
        self.connections.push((socket, outbox.clone()));
        Coming { session: self.session.clone(), outbox, greeting: Greeting::Welcome, shown: 0 }
    }

    fn say(&self, room: &Room, number: usize) {
        let text = format!("{}:{number}", self.session.number);
        let nonce = Some(format!("n{number}"));
        room.say(&self.session, vec![Speech { text, me: false, nonce, rendered_bytes: 64 }]);
    }

    fn whisper(&mut self, sessions: &[Arc<Session>]) {
        let to = thread_rng().gen_range(0..sessions.len());
        let text = format!("{}>{}", self.session.number, self.whispered.len());
        let from = Whisperer::Member(&self.session, &self.session.name());
        let outcome = sessions[to].whisper(from, &text, Time::from_millis(0));
        self.whispered.push((to, text, outcome));
    }

    /// Loses the connection.
    fn cut(&self, room: &Room) {
        let (_, outbox) = self.connections.last().expect("it is connected");
        outbox.end(CloseReason::Lost(io::ErrorKind::ConnectionReset));
        self.session.detach(outbox.number());
        // A room that has ended has no members.
        let _ = room.act_now(By::Member(self.session.number), Op::Away);
    }

    /// Comes back by another connection, and says again what was not acknowledged; `None` if the
    /// room has ended.
    fn resume(&mut self, room: &Room, bounds: &Arc<Bounds>) -> Option<()> {
        let known = self.knowledge();
        let coming = self.connect(bounds);
        let last = Last { event: known.last, private: known.private };
        room.resume(coming, last).ok()?;
        let answered = |it: &usize| known.acked.contains_key(it) || known.refused.contains(it);
        (0..self.said).filter(|it| !answered(it)).for_each(|number| self.say(room, number));
        Some(())
    }

    /// What its client knows from all its connections.
    fn knowledge(&self) -> Knowledge {
        let mut known = Knowledge::default();
        for (socket, _) in &self.connections {
            // The last line of a connection that was cut may be torn, even within a letter.
            let taken = socket.state.lock().taken.concat();
            let end = taken.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            known.take_in(str::from_utf8(&taken[..end]).expect("whole lines are UTF-8"));
        }
        known
    }
}

/// Gives a socket space, and does the drainer's work.
fn flow(socket: &FakeSocket, outbox: &Arc<Outbox>, space: usize) {
    socket.change(|state| {
        state.space = state.space.saturating_add(space);
        state.armed = false;
    });
    outbox.drain();
}

impl Knowledge {
    /// The whole lines that one connection brought.
    fn take_in(&mut self, text: &str) {
        let mut is_over = false;
        for line in text.lines() {
            assert!(!is_over, "something after the goodbye: {text}");
            let message: Value = serde_json::from_str(line)
                .unwrap_or_else(|_| panic!("a torn line {line:?} in {text}"));
            let number = |field: &str| message[field].as_u64();
            match (message["type"].as_str().unwrap_or_default(), number("id")) {
                ("welcome", Some(id)) if message["resumed"] == true => {
                    let last = self.last.unwrap_or(id);
                    assert_eq!(id, last, "resumed after another event: {text}");
                    self.last = Some(last);
                }
                ("welcome", Some(id)) => self.last = Some(id - 1),
                ("ack", id) => {
                    let said = said_number(&message).expect("only what is said has a nonce");
                    let id = id.expect("it was said");
                    let before = *self.acked.entry(said).or_insert(id);
                    assert_eq!(before, id, "two ids for one line: {text}");
                }
                ("error", _) => self.refused.extend(said_number(&message)),
                ("bye", _) => is_over = true,
                ("gap", _) => {
                    let last = self.last.expect("a welcome comes first");
                    assert_eq!(number("from"), Some(last + 1), "a gap elsewhere: {text}");
                    self.last = number("to");
                }
                ("whisper", _) => {
                    assert_eq!(number("private"), Some(self.private + 1), "{text}");
                    self.private += 1;
                    self.whispers.push(message["text"].as_str().unwrap_or_default().to_owned());
                }
                (kind, Some(id)) => {
                    let last = self.last.expect("a welcome comes first");
                    assert_eq!(id, last + 1, "a hole, or something twice: {text}");
                    self.last = Some(id);
                    self.has_ended |= kind == "ended";
                    let of = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
                    self.events.push((id, format!("{kind} {} {}", of("user"), of("text"))));
                }
                _ => {}
            }
        }
    }
}

/// The number of the line that an answer is about.
fn said_number(message: &Value) -> Option<usize> {
    message["nonce"].as_str()?.strip_prefix('n')?.parse().ok()
}

/// Checks what everyone was sent, after all sockets have taken all of it.
pub(super) fn check(lives: &[Life]) {
    for (socket, outbox) in lives.iter().flat_map(|life| &life.connections) {
        flow(socket, outbox, usize::MAX);
    }
    let known: Vec<Knowledge> = lives.iter().map(Life::knowledge).collect();
    // An id means the same to everybody, and a line has one id.
    let mut meanings: BTreeMap<u64, &str> = BTreeMap::new();
    for (id, event) in known.iter().flat_map(|known| &known.events) {
        assert_eq!(*meanings.entry(*id).or_insert(event), event, "the id {id}");
    }
    let mut ids: HashMap<&str, u64> = HashMap::new();
    let said = |event: &&str| event.starts_with("said ");
    for (id, event) in meanings.iter().filter(|(_, event)| said(event)) {
        assert_eq!(ids.insert(event, *id), None, "{event} was said twice");
    }
    let has_ended = known.iter().any(|known| known.has_ended);
    for (life, known) in lives.iter().zip(&known) {
        let number = life.session.number;
        let line = |said: usize| format!("said p{number} {number}:{said}");
        let mut last = 0;
        for (said, id) in &known.acked {
            assert!(*id > last, "the lines of p{number} are out of order");
            last = *id;
            let meaning = meanings.get(id).copied();
            assert!(meaning.is_none_or(|meaning| meaning == line(*said)), "{id} is {meaning:?}");
        }
        if life.has_left || has_ended {
            continue;
        }
        // Whoever stays to the end has an answer to each line, and everything that anybody has
        // seen, or was told of the gap.
        for said in 0..life.said {
            assert!(known.acked.contains_key(&said), "p{number} has no ack for its line {said}");
        }
        let highest = meanings.keys().next_back().copied();
        assert!(known.last >= highest, "p{number} has {:?} of {highest:?}", known.last);
    }
    check_whispers(lives, &known);
}

/// A whisper that was sent or kept arrives once, if its recipient is there at the end.
fn check_whispers(lives: &[Life], known: &[Knowledge]) {
    for (to, text, outcome) in lives.iter().flat_map(|life| &life.whispered) {
        let times = known[*to].whispers.iter().filter(|it| *it == text).count();
        match outcome {
            Whispered::Sent | Whispered::Kept if !lives[*to].has_left => {
                assert_eq!(times, 1, "{text:?} was {outcome:?}");
            }
            Whispered::Sent | Whispered::Kept => assert!(times <= 1, "{text:?} came {times} times"),
            Whispered::Refused | Whispered::Hidden | Whispered::Gone => {
                assert_eq!(times, 0, "{text:?} was {outcome:?}");
            }
        }
    }
}
