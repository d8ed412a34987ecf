//! Kicks, mutes, a ban, leaves and the end of a room during a flood: nobody waits for anybody,
//! the order holds, and the lobby sees none of it.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use madang_protocol::{notice::Notice, room::LOBBY};
use madang_tests::{TestClient, TestServer, told};
use serde_json::{Value, json};

const SPEAKERS: usize = 6;

/// How many lines each speaker says in a round before it does something else.
const LINES: usize = 50;

/// What a speaker is told whose room is gone.
fn no_room() -> String {
    told(Notice::NoSuchRoom)
}

/// How long the test may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many rounds the speakers do per command of the owner. Without this limit they would get
/// further and further ahead of her on a busy machine, because she reads everything.
const ROUNDS: usize = 3;

/// The owner's progress, which the speakers wait for.
#[derive(Default)]
struct Pace {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    commands: usize,
    is_over: bool,
}

impl Pace {
    /// Waits until a speaker may begin its round. Returns whether it is the last round.
    fn wait_for(&self, round: usize) -> bool {
        let is_early = |it: &mut Progress| !it.is_over && round / ROUNDS > it.commands;
        let progress = self.changed.wait_while(self.lock(), is_early);
        progress.unwrap_or_else(PoisonError::into_inner).is_over
    }

    /// The owner has given so many commands.
    fn note(&self, commands: usize) {
        self.lock().commands = commands;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says line after line in the room of `key`, leaves and comes back, and returns after a kick,
/// until the end. Returns everything it received, and whether it stayed connected.
fn flood(client: TestClient, speaker: usize, key: &str, pace: &Pace) -> (String, bool) {
    let mut stream = client.into_stream();
    stream.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
    let mut heard = Vec::new();
    let mut words = format!("/join #{key}\n");
    for round in 0.. {
        // If the room is gone, it stays where it is, perhaps in the lobby.
        let is_last = pace.wait_for(round) || text_of(&heard).contains(&no_room());
        for line in (0..LINES).filter(|_| !is_last) {
            words += &format!("{}\n", round * LINES + line);
        }
        if is_last || (speaker + round).is_multiple_of(4) {
            words += "/leave\n";
        }
        if !is_last {
            words += &format!("/join #{key}\n");
        }
        words += &format!("/ping {round}\n");
        let answer = format!("퐁 {round}\n");
        if stream.write_all(words.as_bytes()).is_err() || !read_to(&mut stream, &answer, &mut heard)
        {
            return (text(heard), false);
        }
        if is_last {
            break;
        }
        words.clear();
    }
    (text(heard), true)
}

/// Reads until `answer` has come. Returns false if the connection ends before that.
fn read_to(stream: &mut TcpStream, answer: &str, heard: &mut Vec<u8>) -> bool {
    let mut searched = heard.len();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("{error}, without {answer:?} after {}", text_of(heard)),
        }
        let new = &heard[searched..];
        if new.windows(answer.len()).any(|window| window == answer.as_bytes()) {
            return true;
        }
        searched = heard.len().saturating_sub(answer.len()).max(searched);
    }
}

fn text_of(heard: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&heard[heard.len().saturating_sub(4_096)..])
}

fn text(heard: Vec<u8>) -> String {
    String::from_utf8(heard).expect("the server sends UTF-8")
}

/// The owner, who reads everything and checks that nothing is missing.
struct Owner {
    client: TestClient,
    last: u64,
    last_of: HashMap<String, usize>,
    heard: usize,
    nonces: usize,
}

impl Owner {
    /// Sends a command, reads everything up to its ack or error, and returns that.
    #[track_caller]
    fn command(&mut self, line: &str) -> Value {
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        self.client.send_json(json!({"type": "command", "line": line, "nonce": nonce}));
        loop {
            let message = self.client.expect_json();
            match message["type"].as_str() {
                Some("ack" | "error") if message["nonce"] == nonce => return message,
                _ => self.take(&message),
            }
        }
    }

    fn take(&mut self, message: &Value) {
        let Some(id) = message["id"].as_u64() else { return };
        // The owner who closes the room moves to the lobby.
        if message["room"] == "lobby" {
            return;
        }
        assert_eq!(id, self.last + 1, "{message}");
        self.last = id;
        if message["type"] == "said" {
            let user = message["user"].as_str().unwrap_or_default();
            let number: usize =
                message["text"].as_str().unwrap_or_default().parse().expect("a number");
            // Lines sent in no room or while muted were refused, so there are gaps.
            let last = self.last_of.insert(user.to_owned(), number);
            assert!(last.is_none_or(|last| last < number), "{user}: {number} after {last:?}");
            self.heard += 1;
        }
    }
}

/// Between two joins, each member sees each speaker's lines in order, with none twice: the
/// history, then the lines since joining.
#[track_caller]
fn check_order(stay: &str) {
    let mut last_of: HashMap<&str, usize> = HashMap::new();
    for line in stay.lines() {
        let said = line.strip_prefix('[').and_then(|line| line.split_once("] "));
        let Some((user, number)) = said else { continue };
        let Ok(number) = number.parse() else { continue };
        let last = last_of.insert(user, number);
        assert!(last.is_none_or(|last| last < number), "{user}: {number} after {last:?}");
    }
}

/// Ends the flood when dropped, so that a failing test does not wait forever for the speakers.
struct EndOfFlood<'a>(&'a Pace);

impl Drop for EndOfFlood<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[test]
fn a_flood_is_moderated_and_the_lobby_hears_nothing() {
    let server = TestServer::start(|config| {
        config.outbox_bytes = 64 << 20;
        // They come back at once.
        config.kick_window = Duration::ZERO;
    });
    let mut watcher = server.login("watcher");
    let mut client = server.connect();
    client.login_json("owner");
    client.send_json(json!({"type": "command", "line": "/new"}));
    client.expect_message("entered");
    let last = client.expect_message("joined")["id"].as_u64().expect("an id");
    client.send_json(json!({"type": "command", "line": "/invite"}));
    let key = client.expect_message("invite")["key"].as_str().expect("a key").to_owned();
    let mut owner = Owner { client, last, last_of: HashMap::new(), heard: 0, nonces: 0 };

    let speakers: Vec<TestClient> =
        (0..SPEAKERS).map(|speaker| server.login(&format!("s{speaker}"))).collect();
    let deadline = Instant::now() + PATIENCE;
    let pace = &Pace::default();
    let results: Vec<(String, bool)> = thread::scope(|scope| {
        let floods: Vec<_> = (0..SPEAKERS)
            .zip(speakers)
            .map(|(speaker, client)| {
                let key = &key;
                scope.spawn(move || flood(client, speaker, key, pace))
            })
            .collect();
        let end = EndOfFlood(pace);
        let mut kicked = 0;
        let mut round = 0;
        // It may take a while until the flood has arrived.
        while round < 40 || kicked == 0 || owner.heard <= LINES {
            let met = format!("{kicked} kicked, {} lines heard", owner.heard);
            assert!(Instant::now() < deadline, "{met} in {round} rounds");
            let name = format!("s{}", round % SPEAKERS);
            let line = match round % 5 {
                3 => format!("/mute {name} 1s"),
                4 => format!("/unmute s{}", (round - 1) % SPEAKERS),
                _ => format!("/kick {name}"),
            };
            let answer = owner.command(&line);
            let code = answer["code"].as_str().unwrap_or("done");
            assert!(["done", "not_here", "already", "nobody"].contains(&code), "{line}: {answer}");
            kicked += usize::from(code == "done" && line.starts_with("/kick"));
            if round == 20 {
                server.operate("/ban s5");
            }
            round += 1;
            pace.note(round);
        }
        let ended = owner.command("/end");
        drop(end);
        assert_eq!(ended["type"], "ack", "{ended}");
        floods.into_iter().map(|flood| flood.join().expect("it came to its end")).collect()
    });

    // What it is told about each room begins with "-- ROOM".
    let entered = told(Notice::Entered { room: LOBBY, members: 1, topic: None });
    let (_, entered) = entered.split_once(" 로비").expect("it names the room");
    let entered = entered.split('.').next().unwrap_or_default().to_owned();
    for (speaker, (text, stays)) in results.iter().enumerate() {
        assert_eq!(*stays, speaker != 5, "s{speaker}: {}", &text[text.len().saturating_sub(300)..]);
        for stay in text.split(&entered) {
            check_order(stay);
        }
    }
    server.console_expect("[s5]");

    watcher.send("/ping\n");
    let heard = watcher.expect("퐁\n");
    for line in heard.lines() {
        let is_move = line.ends_with("님이 입장했습니다.") || line.ends_with("님이 퇴장했습니다.");
        assert!(is_move && line.starts_with('['), "the lobby was told {line:?}");
    }
    // Those who were there may continue.
    let mut late = server.login("late");
    late.send("/rooms\n/ping\n");
    assert!(!late.expect("퐁\n").contains("private-"));
}
