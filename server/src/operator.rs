//! The operator: whoever sits at the server's terminal. Lines typed there are
//! commands. No terminal, or the end of its input, just means no operator.

use std::{
    io::{self, IsTerminal, Stdin},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{Banned, Command, CommandError, Role},
    line::LineDecoder,
    name::UserName,
    notice::{Goodbye, Notice},
    room::{Destination, RoomName},
    sanitize::sanitize_line,
    text::{Lang, span},
};
use rustix::{
    event::{PollFd, PollFlags},
    process::getpgrp,
    termios::tcgetpgrp,
};

use crate::{
    admission::bans::Ban,
    delivery::outbox::Outbox,
    dialect::answer::Answer,
    expiry::Due,
    operator::console::Console,
    room::refusal::Refusal,
    room::{Action, By, Room},
    session::Session,
    shared::Shared,
};

pub mod console;
pub mod doors;

/// How long to leave a terminal alone that others have the foreground of.
const BACKGROUND_PAUSE: Duration = Duration::from_millis(500);

/// Carries out the operator's commands.
pub struct Operator {
    shared: Arc<Shared>,
}

/// Whether the server goes on after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    GoesOn,
    /// The operator wants it to stop.
    Stops,
}

impl Operator {
    pub(crate) fn new(shared: Arc<Shared>) -> Operator {
        Operator { shared }
    }

    /// Carries out one line, and says on the console what has come of it.
    pub fn take_line(&self, line: &str) -> Outcome {
        let line = sanitize_line(line);
        if line.trim().is_empty() {
            return Outcome::GoesOn;
        }
        match Command::parse_operators(&line) {
            Ok(Command::Stop) => return Outcome::Stops,
            Ok(command) => self.carry_out(command),
            Err(error) => self.tell(&Notice::CommandRefused(&error)),
        }
        Outcome::GoesOn
    }

    fn carry_out(&self, command: Command<'_>) {
        match command {
            Command::Help(None) => self.tell(&Notice::Help(Role::Operator)),
            Command::Help(Some(spec)) => self.tell(&Notice::HelpOn(spec)),
            // The console lists all of them.
            Command::Who(room, _) => self.who(room),
            Command::Rooms => self.list_rooms(),
            Command::Kick(name) => self.kick(&name),
            Command::Unkick(name) => self.unkick(&name),
            Command::Mute(name, time) => self.mute(&name, time),
            Command::Unmute(name) => self.unmute(&name),
            Command::Ban(banned, time) => self.ban(banned, time),
            Command::Unban(banned) if self.shared.bans.unban(&banned) => self.done(),
            Command::Unban(_) => self.tell(&Notice::Already),
            Command::Bans => self.list_bans(),
            Command::Say(text) => self.announce(text),
            // The table knows no others as the operator's.
            _ => self.tell(&Notice::CommandRefused(&CommandError::Nobody)),
        }
    }

    fn console(&self) -> &Console {
        &self.shared.console
    }

    fn tell(&self, notice: &Notice<'_>) {
        self.console().say(notice.text(self.console().lang()));
    }

    fn done(&self) {
        self.console().say("ok".into());
    }

    fn settle(&self, result: Result<(), Refusal>) {
        match result {
            Ok(()) => self.done(),
            Err(refusal) => self.tell(&refusal.notice()),
        }
    }

    fn find(&self, name: &UserName) -> Option<Arc<Session>> {
        let found = self.shared.users.find(name);
        if found.is_none() {
            self.tell(&Notice::CommandRefused(&CommandError::Nobody));
        }
        found
    }

    /// Who is where: in one room, or in all.
    fn who(&self, room: Option<RoomName>) {
        let room = match room.map(|room| self.shared.rooms.find(&Destination::Public(room))) {
            Some(None) => return self.tell(&Notice::NoSuchRoom),
            Some(found) => found,
            None => None,
        };
        let lang = self.console().lang();
        let mut people: Vec<(String, String)> = self
            .shared
            .users
            .sessions()
            .iter()
            .filter_map(|session| describe(session, room.as_deref(), lang))
            .collect();
        people.sort();
        let names: Vec<String> =
            people.into_iter().map(|(place, person)| format!("  {place}: {person}")).collect();
        let count = names.len();
        let title = match lang {
            Lang::Ko => format!("대화 참여자 {count}명"),
            Lang::En => format!("{count} here"),
        };
        self.console().say([vec![title], names].concat().join("\n"));
    }

    fn list_rooms(&self) {
        let lines = self.shared.rooms.all().into_iter().map(|room| {
            let status = room.status();
            let topic = status.topic.map(|topic| format!(" · {topic}")).unwrap_or_default();
            format!("  {} ({}){topic}", room.name, status.members)
        });
        self.console().say(lines.collect::<Vec<_>>().join("\n"));
    }

    /// Removes somebody from the room where they are; from the lobby, from the server.
    fn kick(&self, name: &UserName) {
        let Some(session) = self.find(name) else { return };
        let nowhere = Notice::InNoRoom { user: name.as_str() };
        let Some(room) = session.room() else { return self.tell(&nowhere) };
        let Shared { config, connections, rooms, users, .. } = &*self.shared;
        let result = room.act(By::Operator, Action::Kick(session.clone(), config.kick_window));
        // Perhaps nobody is left whose going would see to that.
        self.shared.end_when_empty(&room);
        if result.is_ok() && Arc::ptr_eq(&room, &rooms.lobby) {
            let goodbye = Goodbye::Kicked { seconds: config.kick_window.as_secs() };
            // Whoever comes back to the session from now on finds the kick.
            let holder = users.holder(&session).and_then(|it| connections.outbox_of(it));
            holder.iter().for_each(|outbox| self.shared.dismiss(outbox, goodbye));
        }
        match result {
            // It has just left.
            Err(Refusal::NotHere | Refusal::Ended) => self.tell(&nowhere),
            result => self.settle(result),
        }
    }

    /// Lets somebody in again wherever they were kicked.
    fn unkick(&self, name: &UserName) {
        let session = self.shared.users.find(name).map(|session| session.number);
        let rooms = &self.shared.rooms;
        let mut any = rooms.unkick(name, session);
        for room in rooms.all() {
            if room.status().kicks.keep_somebody_out(Instant::now()) {
                any |= room.act(By::Operator, Action::Unkick(name.clone(), session)).is_ok();
            }
        }
        self.settle(if any { Ok(()) } else { Err(Refusal::Already) });
    }

    fn mute(&self, name: &UserName, time: Option<Duration>) {
        let Some(session) = self.find(name) else { return };
        let until = time.and_then(|time| Instant::now().checked_add(time));
        session.silence(until);
        if let Some(until) = until {
            let due = Due::Silence(Arc::downgrade(&session), until);
            self.shared.timekeeper.schedule(until, due);
        }
        self.announce_to_room_of(&session, Action::Mute(session.clone(), time));
    }

    fn unmute(&self, name: &UserName) {
        let Some(session) = self.find(name) else { return };
        let was_silenced = session.end_silence(None);
        let here = session.room().map(|room| {
            let lifted = room.act(By::Operator, Action::Unmute(session.clone()));
            match lifted {
                // Only the operator's own has kept them from speaking.
                Err(Refusal::Already) if was_silenced => {
                    room.act(By::Operator, Action::EndSilence(session.clone()))
                }
                lifted => lifted,
            }
        });
        match here {
            Some(Err(Refusal::Already)) | None if !was_silenced => self.tell(&Notice::Already),
            _ => self.done(),
        }
    }

    /// Tells the room where somebody is of what holds everywhere.
    fn announce_to_room_of(&self, session: &Session, action: Action) {
        let told = session.room().map(|room| room.act(By::Operator, action));
        // Who is in no room has nobody who had to be told.
        self.settle(told.unwrap_or(Ok(())).or(Ok(())));
    }

    fn ban(&self, banned: Banned, time: Option<Duration>) {
        // Whoever comes in, by name or address, looks here after it can be found below.
        self.shared.bans.ban(banned.clone(), time);
        let dismiss = |outbox: &Arc<Outbox>| self.shared.dismiss(outbox, Goodbye::Banned);
        let Shared { connections, users, .. } = &*self.shared;
        let mut held = match &banned {
            Banned::Name(name) => users.held_as(name),
            Banned::Address(_) => users.held(),
        };
        if let Banned::Address(address) = &banned {
            let is_meant =
                |number| connections.address_of(number).is_some_and(|it| address.contains(it));
            held.retain(|(_, connection)| is_meant(*connection));
        }
        let mut addresses = Vec::new();
        for (session, connection) in held {
            if let Some(outbox) = connections.outbox_of(connection) {
                dismiss(&outbox);
                let address = connections.address_of(connection);
                addresses.extend(address.map(|address| format!("{} ({address})", session.name())));
            }
        }
        if let Banned::Address(address) = banned {
            // Those too who have no name yet.
            connections.outboxes_from(&address).iter().for_each(dismiss);
        }
        self.done();
        if !addresses.is_empty() {
            self.console().say(match self.console().lang() {
                Lang::Ko => format!("내보냄: {}", addresses.join(", ")),
                Lang::En => format!("removed: {}", addresses.join(", ")),
            });
        }
    }

    fn list_bans(&self) {
        let lang = self.console().lang();
        let lines: Vec<String> = self
            .shared
            .bans
            .list()
            .into_iter()
            .map(|Ban { banned, left }| {
                let what = match banned {
                    Banned::Name(name) => name.to_string(),
                    Banned::Address(address) => address.to_string(),
                };
                let left = left.map(|left| format!(" ({})", span(left.as_secs() + 1, lang)));
                format!("  {what}{}", left.unwrap_or_default())
            })
            .collect();
        self.console().say(match (lines.is_empty(), lang) {
            (false, _) => lines.join("\n"),
            (true, Lang::Ko) => "추방한 이름이나 주소가 없습니다.".into(),
            (true, Lang::En) => "Nothing is banned.".into(),
        });
    }

    fn announce(&self, text: &str) {
        for room in self.shared.rooms.all() {
            // A room that has just ended has nobody to tell.
            let _ = room.act_now(By::Operator, Action::Announce(text.to_owned()));
        }
        // Whoever is in no room is told alone: after the rooms, so that nobody who changes
        // rooms meanwhile misses it.
        for session in self.shared.users.sessions() {
            if session.room().is_none()
                && let Some(outbox) = session.outbox()
            {
                let mut answer = Answer::new(outbox.form()).in_lang(session.lang());
                answer.notice(&Notice::Announced(text));
                outbox.push(&answer.into_bytes());
            }
        }
        self.done();
    }
}

/// Where somebody is and who it is, unless it is not `room`.
fn describe(session: &Session, room: Option<&Room>, lang: Lang) -> Option<(String, String)> {
    let current = session.room();
    if room.is_some_and(|room| current.as_ref().is_none_or(|it| it.number != room.number)) {
        return None;
    }
    let place = current.map_or_else(|| "-".to_owned(), |room| room.name.to_string());
    let away = match (session.is_away(), lang) {
        (false, _) => "",
        (true, Lang::Ko) => " (연결 끊김)",
        (true, Lang::En) => " (away)",
    };
    Some((place, format!("{}{away}", session.name())))
}

/// Reads the operator's lines from a terminal and gives them to `take`, until that
/// says no more or the input ends. Blocks for all that time, and nothing wakes it but
/// the terminal. A server in the background reads nothing: that would stop it.
pub fn read_terminal(stdin: &Stdin, mut take: impl FnMut(&str) -> Outcome) {
    if !stdin.is_terminal() {
        return;
    }
    let mut decoder = LineDecoder::default();
    loop {
        match read_line(stdin, &mut decoder) {
            Ok(Some(line)) if take(&line) == Outcome::GoesOn => {}
            _ => return,
        }
    }
}

/// The next line; none at the end.
fn read_line(stdin: &Stdin, decoder: &mut LineDecoder) -> io::Result<Option<String>> {
    loop {
        match decoder.next_line() {
            Ok(Some(line)) => return Ok(Some(String::from_utf8_lossy(line).into_owned())),
            Ok(None) => {}
            Err(_endless) => return Ok(None),
        }
        rustix::event::poll(&mut [PollFd::new(stdin, PollFlags::IN)], None)?;
        if tcgetpgrp(stdin)? != getpgrp() {
            std::thread::sleep(BACKGROUND_PAUSE);
            continue;
        }
        let count = rustix::io::read(stdin, decoder.spare())?;
        if count == 0 {
            return Ok(None);
        }
        decoder.filled(count);
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;
    use crate::{
        config::{Config, Listen},
        operator::console::{ConsoleThread, Streams},
        patience::{DEADLINE, wait_until},
        server::Server,
    };

    fn start() -> (Server, ConsoleThread) {
        let streams = Streams { out: Box::new(io::sink()), err: Box::new(io::sink()) };
        let (console, thread) = Console::start(Lang::En, streams).expect("a thread");
        let listen = vec![Listen::At(([127, 0, 0, 1], 0).into())];
        let config = Config {
            listen,
            web: Vec::new(),
            lang: Lang::En,
            join_timeout: DEADLINE,
            ..Config::default()
        };
        (Server::start(config, console).expect("a free port"), thread)
    }

    /// Says lines to the server, which need not answer yet.
    fn connect(server: &Server, lines: &str) -> TcpStream {
        let mut stream = TcpStream::connect(server.addresses()[0]).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.write_all(lines.as_bytes()).expect("it reads");
        stream
    }

    /// What the server says until it closes.
    #[track_caller]
    fn expect_banned(mut stream: TcpStream) {
        let mut heard = String::new();
        stream.read_to_string(&mut heard).expect("it closes in time");
        assert!(heard.ends_with("(banned)\n"), "{heard}");
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    #[test]
    fn a_ban_finds_who_is_still_on_the_way_into_a_room() {
        for ban in ["/ban alice", "/ban 127.0.0.1"] {
            let (server, _console) = start();
            let operator = server.operator();
            let Shared { rooms, users, .. } = &*operator.shared;
            let rounds = rooms.lobby.hold_rounds();
            let alice = connect(&server, "alice\n");
            wait_until(|| users.find(&name("alice")).is_some());
            operator.take_line(ban);
            drop(rounds);
            expect_banned(alice);
            wait_until(|| users.find(&name("alice")).is_none());
            assert!(server.stop());
        }
    }

    #[test]
    fn a_ban_finds_who_is_about_to_bear_the_name() {
        let (server, _console) = start();
        let operator = server.operator();
        let Shared { rooms, users, .. } = &*operator.shared;
        let mut alice = connect(&server, "alice\n");
        wait_until(|| rooms.lobby.status().members == 1);
        let rounds = rooms.lobby.hold_rounds();
        alice.write_all(b"/nick carol\n").expect("it reads");
        wait_until(|| users.find(&name("carol")).is_some());
        operator.take_line("/ban CAROL");
        drop(rounds);
        expect_banned(alice);
        wait_until(|| users.find(&name("carol")).or(users.find(&name("alice"))).is_none());
        assert!(server.stop());
    }
}
