//! Commands as functions, without connections, sockets or threads.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use madang_protocol::{
    command::Banned,
    event::{Time, TimerState},
    name::UserName,
    notice::Done,
    text::{Lang, LineEnd},
};
use parking_lot::Mutex;

use super::{
    caller::Membership,
    chat::{Chat, Services, TalkOffer},
    *,
};
use crate::{
    admission::{allowance::AddressAllowance, bans::Bans, spoken::SpokenWords},
    clock,
    delivery::{
        outbox::Outbox,
        sink::fake::{FakeSocket, connect},
    },
    dialect::Form,
    doors::Doors,
    metrics::Metrics,
    room::{Beginning, Coming, Context, Greeting, Muter, Room, directory::Rooms},
    session::{
        Session,
        user_manager::{AwayLimits, UserManager},
    },
};

/// The tables that commands work on, and a private room with its owner, alice, and bob.
struct Stage {
    users: UserManager,
    rooms: Rooms,
    bans: Bans,
    room_allowance: AddressAllowance,
    code_allowance: AddressAllowance,
    spoken: SpokenWords,
    doors: Doors,
    metrics: Arc<Metrics>,
    services: Asked,
    alice: (Arc<Session>, Arc<Outbox>),
    bob: (Arc<Session>, Arc<Outbox>),
    room: Arc<Room>,
}

/// Services that only record what they were asked to do.
#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Asked {
    fn note(&self, what: String) {
        self.0.lock().push(what);
    }
}

impl Services for Asked {
    fn end_when_empty(&self, room: &Arc<Room>) {
        self.note(format!("end {} when empty", room.name));
    }

    fn end_mute_at(&self, _: Instant, _: Time, _: &Arc<Room>, _: (u64, Muter)) {
        self.note("end the mute of a member".into());
    }

    fn end_operators_mute_at(&self, _: Instant, _: Time, session: &Arc<Session>) {
        self.note(format!("end the operator's mute of {}", session.name()));
    }

    fn end_mute_of_all_at(&self, _: Instant, _: Time) {
        self.note("end the mute of all".into());
    }

    fn address_of(&self, _: &Session) -> Option<IpAddr> {
        Some([192, 0, 2, 7].into())
    }

    fn close_connection_of(&self, session: &Session, _: Goodbye) {
        self.note(format!("close {}", session.name()));
    }

    fn close_banned(&self, banned: &Banned) -> Vec<(UserName, IpAddr)> {
        let Banned::Name(name) = banned else { panic!("no address is banned here") };
        self.note(format!("close whoever is {name}"));
        Vec::new()
    }

    fn note_renamed(&self, old: &UserName, new: &UserName) {
        self.note(format!("{old} is {new}"));
    }

    fn tally(&self) {
        self.note("tally".into());
    }

    fn tell_timer_at(&self, _: Instant, _: Time, state: TimerState) {
        self.note(format!("tell of the timer: {state:?}"));
    }

    fn offer_table(&self, _: Option<u64>, _: Vec<u8>) -> String {
        "/attendance/0".into()
    }

    fn offer_talk(&self, by: Option<u64>, talk: TalkOffer<'_>) -> String {
        let by = if by.is_some() { "a member" } else { "the operator" };
        self.note(format!("offer {by} what was said in {}", talk.name));
        "/transcript/0".into()
    }

    fn keep_standing(&self, _session: &Session) {}

    fn note_whispered(&self, _session: &Session) {}

    fn note_hidden(&self, _session: &Session) {}

    fn note_teacher(&self, user: &UserName) {
        self.note(format!("{user} is a teacher"));
    }

    fn note_room_ended(&self, room: &str) {
        self.note(format!("{room} has ended"));
    }
}

impl Stage {
    fn new() -> Stage {
        let users =
            UserManager::new(AwayLimits { total: 9, per_address: Some(9) }, Default::default());
        let metrics: Arc<Metrics> = Arc::default();
        let rooms = Rooms::new(
            9,
            Beginning::default(),
            Context { metrics: metrics.clone(), ..Context::default() },
        );
        let person = |number, name: &str| {
            let (name, token) = (UserName::parse(name).expect("a name"), Some(name.to_owned()));
            let session = users.claim(&name, token, number, clock::now()).expect("it is free");
            (session, connect(number, Form::JSON).1)
        };
        let (alice, bob) = (person(1, "alice"), person(2, "bob"));
        let room = rooms.make_private(alice.0.number, None).expect("the first");
        let handle: Weak<Room> = Arc::downgrade(&room);
        alice.0.own(handle);
        for (session, outbox) in [&alice, &bob] {
            let (session, outbox) = (session.clone(), outbox.clone());
            let greeting = Greeting::Welcome;
            room.enter(Coming { session, outbox, greeting, shown: 0 }).expect("it is open");
        }
        let minute = Duration::from_secs(60);
        let [room_allowance, code_allowance] =
            [9, 20].map(|most| AddressAllowance::new(most, minute));
        let bans = Bans::default();
        let (doors, services) = (Doors::default(), Asked::default());
        Stage {
            users,
            rooms,
            bans,
            room_allowance,
            code_allowance,
            spoken: SpokenWords::new(),
            doors,
            metrics,
            services,
            alice,
            bob,
            room,
        }
    }

    fn chat(&self) -> Chat<'_> {
        Chat {
            archive: None,
            users: &self.users,
            rooms: &self.rooms,
            bans: &self.bans,
            room_allowance: &self.room_allowance,
            code_allowance: &self.code_allowance,
            spoken: &self.spoken,
            doors: &self.doors,
            metrics: &self.metrics,
            roster: &[],
            kick_window: Duration::from_secs(60),
            elsewhere: None,
            services: &self.services,
        }
    }

    /// The answer to somebody's command.
    #[track_caller]
    fn run(&self, (session, _): &(Arc<Session>, Arc<Outbox>), line: &str) -> String {
        let (room, came_by) = (Some(&self.room), None);
        let member = Membership { session, room, came_by };
        self.reply(Standing::Member(member), Form::JSON, Command::parse(line).expect(line))
    }

    #[track_caller]
    fn run_as_operator(&self, line: &str) -> String {
        let form = Form::text(Lang::En, LineEnd::Lf);
        self.reply(
            Standing::Operator(&self.rooms.lobby),
            form,
            Command::parse_operators(line).expect(line),
        )
    }

    fn reply(&self, standing: Standing<'_>, form: Form, command: Command<'_>) -> String {
        let (chat, lang) = (self.chat(), Lang::En);
        run(
            &Caller { chat, standing, form, lang, nonce: Some("n"), address: None, origin: None },
            command,
        )
        .into_text()
    }
}

#[test]
fn owner_and_operator_give_the_same_commands() {
    const ACK: &str = r#"{"type":"ack","nonce":"n"}"#;
    let stage = Stage::new();
    let members = || stage.room.status().members;
    assert!(stage.run(&stage.bob, "/kick alice").contains(r#""code":"owner_only""#));
    assert_eq!(members(), 2);
    assert_eq!(stage.run(&stage.alice, "/mute bob"), ACK);
    let done = |done: Done<'_>| Notice::Done(done).text(Lang::En);
    let unmuted = done(Done::Unmuted { user: "bob" });
    assert_eq!(stage.run_as_operator("/unmute bob"), unmuted);
    let muted = Done::Muted { user: "bob", seconds: None };
    assert_eq!(stage.run_as_operator("/mute bob"), done(muted));
    assert_eq!(stage.run_as_operator("/unmute bob"), unmuted);
    assert_eq!(stage.run_as_operator("/unmute bob"), Notice::Already.text(Lang::En));
    let kicked = |user| Done::Kicked { user, seconds: 60 };
    assert_eq!(stage.run_as_operator("/kick bob"), done(kicked("bob")));
    assert_eq!(members(), 1);
    assert!(stage.run_as_operator("/kick bob").contains("bob"));
    assert_eq!(stage.run_as_operator("/kick alice"), done(kicked("alice")));
    assert_eq!(members(), 0);
}

#[test]
fn an_owner_who_lifts_a_mute_is_told_that_the_operators_still_holds() {
    let stage = Stage::new();
    let run_as_alice = |line| {
        let (session, _) = &stage.alice;
        let member = Membership { session, room: Some(&stage.room), came_by: None };
        let (chat, standing) = (stage.chat(), Standing::Member(member));
        let (form, lang) = (Form::text(Lang::En, LineEnd::Lf), Lang::En);
        let caller =
            Caller { chat, standing, form, lang, nonce: None, address: None, origin: None };
        run(&caller, Command::parse(line).expect(line)).into_text()
    };
    assert_eq!(run_as_alice("/mute bob"), "");
    stage.run_as_operator("/mute bob");
    assert_eq!(run_as_alice("/unmute bob"), Notice::Silenced.text(Lang::En));
    assert_eq!(run_as_alice("/unmute bob"), Notice::Already.text(Lang::En));
}

#[test]
fn a_refused_command_replies_with_its_error_code() {
    let stage = Stage::new();
    let check = |line: &str, code: &str| {
        let told = stage.run(&stage.bob, line);
        assert!(told.contains(&format!(r#""code":"{code}""#)), "{line}: {told}");
    };
    check("/msg bob hi", "oneself");
    check("/msg carol hi", "nobody");
    check("/reply hi", "no_whisper");
    check("/ignore bob", "oneself");
    check("/unignore alice", "already");
    check("/who nowhere", "no_such_room");
    check("/join #00000-00000-00000-00000-000001", "no_such_room");
    for line in ["/lock", "/limit 3", "/owner alice", "/end", "/unkick alice"] {
        check(line, "owner_only");
    }
    let newcomer = |line| {
        let command = Command::parse(line).expect(line);
        stage.reply(Standing::Newcomer, Form::JSON, command)
    };
    for line in ["/who", "/msg bob hi", "/kick bob", "/ping"] {
        assert!(newcomer(line).contains("login_first"), "{line}");
    }
    assert!(newcomer("/join lobby").contains("lobby"));
}

#[test]
fn commands_for_the_connection_become_effects() {
    let stage = Stage::new();
    let effect = |line| {
        let (session, _) = &stage.alice;
        let member = Membership { session, room: Some(&stage.room), came_by: None };
        let (chat, standing) = (stage.chat(), Standing::Member(member));
        let (form, lang) = (Form::JSON, Lang::En);
        let caller =
            Caller { chat, standing, form, lang, nonce: None, address: None, origin: None };
        run(&caller, Command::parse(line).expect(line)).effect
    };
    assert!(matches!(effect("/me waves"), Effect::Act(text) if text == "waves"));
    assert!(matches!(effect("/lang ko"), Effect::Speak(Lang::Ko)));
    assert!(matches!(effect("/msg bob hi"), Effect::Owe(bytes) if bytes > 2));
    assert!(matches!(effect("/who"), Effect::Ask(room, _) if Arc::ptr_eq(&room, &stage.room)));
    assert!(matches!(effect("/leave"), Effect::Go(_, None)));
    assert!(matches!(effect("/new"), Effect::Go(_, Some(room)) if room.key.is_some()));
    assert!(matches!(effect("/quit so long"), Effect::End(Goodbye::Quit, Some(_))));
    assert!(matches!(effect("/end"), Effect::Go(_, None)));
}

#[test]
fn timers_connections_and_the_console_are_the_servers() {
    #[track_caller]
    fn check(run: impl Fn(&Stage) -> String, expected: &str) {
        let stage = Stage::new();
        run(&stage);
        let expected = expected.replace("ROOM", &stage.room.name);
        assert_eq!(stage.services.0.into_inner(), [expected]);
    }
    check(|stage| stage.run(&stage.alice, "/mute bob 5m"), "end the mute of a member");
    check(|stage| stage.run_as_operator("/mute bob 5m"), "end the operator's mute of bob");
    check(|stage| stage.run(&stage.alice, "/nick carol"), "alice is carol");
    check(|stage| stage.run_as_operator("/kick bob"), "end ROOM when empty");
    check(|stage| stage.run(&stage.alice, "/end"), "ROOM has ended");
    check(|stage| stage.run_as_operator("/ban bob"), "close whoever is bob");
}

#[test]
fn a_tally_goes_to_json_teachers_whose_outbox_is_empty() {
    let stage = Stage::new();
    let person = |number: u64, name: &str, token: Option<&str>| {
        let name = UserName::parse(name).expect("a name");
        let token = token.map(str::to_owned);
        let session = stage.users.claim(&name, token, number, clock::now()).expect("it is free");
        let (socket, outbox) = connect(number, Form::JSON);
        session.attach(outbox, Vec::new(), 0);
        (session, socket)
    };
    let (reads, full) = (person(3, "reads", Some("3")), person(4, "full", Some("4")));
    let (nc, pupil) = (person(5, "nc", None), person(6, "pupil", Some("6")));
    [&reads.0, &full.0, &nc.0].iter().for_each(|it| assert!(stage.users.teachers.make(it)));
    stage.run_as_operator("/lesson");
    let send = || lesson::send_tallies(&stage.chat());
    assert!(send(), "there is no poll, and nothing to send");
    stage.run(&(reads.0.clone(), stage.alice.1.clone()), "/poll Q / a / b");
    full.1.change(|state| state.space = 0);
    full.0.tell(|answer| answer.line("the socket takes none of it"));
    assert!(!send(), "it is to be sent again");
    let tallies = |socket: &FakeSocket| socket.text().matches("\"type\":\"tally\"").count();
    full.1.change(|state| state.space = usize::MAX);
    let counts = [&reads, &full, &nc, &pupil].map(|(_, socket)| tallies(socket));
    assert_eq!(counts, [1, 0, 0, 0]);
}
