//! Commands as functions: no connection, socket or thread gives them.

use std::sync::Arc;

use madang_protocol::{
    name::UserName,
    text::{Lang, LineEnd},
};

use super::{caller::Membership, *};
use crate::{
    clock,
    config::Config,
    delivery::{outbox::Outbox, sink::fake::connect},
    dialect::Form,
    operator::console::{Console, Streams},
    room::{Coming, Greeting, Room},
    server::Server,
    session::Session,
    shared::Shared,
};

/// A server without a door, and a private room with its owner, alice, and with bob.
struct Stage {
    server: Server,
    room: Arc<Room>,
    alice: (Arc<Session>, Arc<Outbox>),
    bob: (Arc<Session>, Arc<Outbox>),
}

impl Stage {
    fn new() -> Stage {
        let streams = Streams { out: Box::new(std::io::sink()), err: Box::new(std::io::sink()) };
        let (console, _thread) = Console::start(Lang::En, streams).expect("a thread");
        let config = Config { listen: Vec::new(), web: Vec::new(), ..Config::default() };
        let server = Server::start(config, console).expect("it needs nothing");
        let person = |number, name: &str| {
            let (name, token) = (UserName::parse(name).expect("a name"), Some(name.to_owned()));
            let users = &server.shared().users;
            let session = users.claim(&name, token, number, clock::now()).expect("it is free");
            (session, connect(number, Form::JSON).1)
        };
        let (alice, bob) = (person(1, "alice"), person(2, "bob"));
        let room = rooms::make_private(server.shared(), None, &alice.0, "").expect("the first");
        for (session, outbox) in [&alice, &bob] {
            let (session, outbox) = (session.clone(), outbox.clone());
            let greeting = Greeting::Welcome;
            room.enter(Coming { session, outbox, greeting, shown: 0 }).expect("it is open");
        }
        Stage { server, room, alice, bob }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.server.shared()
    }

    /// What somebody is told who gives a command.
    #[track_caller]
    fn run(&self, (session, outbox): &(Arc<Session>, Arc<Outbox>), line: &str) -> String {
        let (room, came_by) = (Some(&self.room), None);
        let member = Membership { session, room, outbox, came_by };
        self.reply(Standing::Member(member), Form::JSON, Command::parse(line).expect(line))
    }

    #[track_caller]
    fn run_as_operator(&self, line: &str) -> String {
        let form = Form::text(Lang::En, LineEnd::Lf);
        self.reply(Standing::Operator, form, Command::parse_operators(line).expect(line))
    }

    fn reply(&self, standing: Standing<'_>, form: Form, command: Command<'_>) -> String {
        let (shared, lang) = (self.shared(), Lang::En);
        run(&Caller { shared, standing, form, lang, nonce: Some("n"), address: None }, command)
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
    assert_eq!(stage.run_as_operator("/unmute bob"), "ok");
    assert_eq!(stage.run_as_operator("/mute bob"), "ok");
    stage.alice.0.note_nonce("n", None);
    assert_eq!(stage.run_as_operator("/kick bob"), "ok");
    assert_eq!(members(), 1);
    assert!(stage.run_as_operator("/kick bob").contains("bob"));
    assert_eq!(stage.run_as_operator("/kick alice"), "ok");
    assert_eq!(members(), 0);
    assert!(stage.server.stop());
}

#[test]
fn what_a_command_can_not_do_is_a_reply() {
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
    assert!(stage.server.stop());
}

#[test]
fn what_only_a_connection_can_do_is_left_to_it() {
    let stage = Stage::new();
    let effect = |line| {
        let (session, outbox) = &stage.alice;
        let member = Membership { session, room: Some(&stage.room), outbox, came_by: None };
        let (shared, standing) = (stage.shared(), Standing::Member(member));
        let (form, lang) = (Form::JSON, Lang::En);
        let caller = Caller { shared, standing, form, lang, nonce: None, address: None };
        run(&caller, Command::parse(line).expect(line)).effect
    };
    assert!(matches!(effect("/me waves"), Effect::Act(text) if text == "waves"));
    assert!(matches!(effect("/lang ko"), Effect::Speak(Lang::Ko)));
    assert!(matches!(effect("/msg bob hi"), Effect::Owe(bytes) if bytes > 2));
    assert!(matches!(effect("/leave"), Effect::Go(_, None)));
    assert!(matches!(effect("/new"), Effect::Go(_, Some(room)) if room.key.is_some()));
    assert!(matches!(effect("/quit so long"), Effect::End(Goodbye::Quit, Some(_))));
    assert!(matches!(effect("/end"), Effect::Go(_, None)));
    assert!(stage.server.stop());
}
