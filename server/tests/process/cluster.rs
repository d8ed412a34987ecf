//! Servers of a cluster that are killed or stand still, and a Redis that does, over a real
//! Redis that the test starts.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use madang_tests::redis::TestRedis;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    incoming::PATIENCE,
    peer::Peer,
    program::Program,
    server_process::{ServerProcess, command},
};

/// How long a server that is silent counts as alive here.
const LEASE: Duration = Duration::from_millis(1_500);

#[track_caller]
pub(crate) fn node(redis: &TestRedis) -> ServerProcess {
    let lease = LEASE.as_millis().to_string();
    let flags = ["--cluster", &redis.url(), "--cluster-lease", &lease, "--rate-limit", "off"];
    ServerProcess::start_as(command().args(flags))
}

pub(crate) fn left(name: &str) -> String {
    format!("[{name}]님이 퇴장했습니다.\n")
}

pub(crate) fn joined(name: &str) -> String {
    format!("[{name}]님이 입장했습니다.\n")
}

/// Logs in under this name once it is free.
#[track_caller]
pub(crate) fn join_once_free(address: SocketAddr, name: &str) -> Peer {
    let mut peer = Peer::connect(address);
    peer.expect("로그인ID:");
    let deadline = Instant::now() + PATIENCE;
    loop {
        peer.say(name);
        let (which, _) = peer.expect_any([&joined(name), "이미 등록된 사용자입니다."]);
        if which == 0 {
            return peer;
        }
        assert!(Instant::now() < deadline, "{name} stays in use");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What `/healthz` answers: the status line.
#[track_caller]
fn health(server: &ServerProcess) -> String {
    let mut peer = Peer::connect(server.web_address);
    peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    peer.expect("HTTP/1.1 ");
    peer.expect("\r\n")
}

#[track_caller]
fn wait_for_health(server: &ServerProcess, status: &str) {
    let deadline = Instant::now() + PATIENCE;
    while health(server) != status {
        assert!(Instant::now() < deadline, "{status} is not what /healthz says");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until no thread of a process that was sent a SIGSTOP runs any more.
#[track_caller]
fn wait_until_stopped(server: &ServerProcess) {
    let threads = format!("/proc/{}/task", server.pid().as_raw_nonzero());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut threads = fs::read_dir(&threads).expect("it is there");
        let is_stopped = threads.all(|thread| {
            let status = thread.expect("a thread").path().join("status");
            fs::read_to_string(status).is_ok_and(|status| status.contains("State:\tT"))
        });
        if is_stopped {
            return;
        }
        assert!(Instant::now() < deadline, "it still runs");
        thread::sleep(Duration::from_millis(1));
    }
}

/// How often a peer was sent this, once it was sent `last`.
#[track_caller]
pub(crate) fn count(peer: &mut Peer, text: &str, last: &str) -> usize {
    peer.expect(last);
    String::from_utf8_lossy(peer.bytes()).matches(text).count()
}

#[test]
#[ignore = "needs redis-server"]
fn the_members_of_a_killed_server_leave_and_its_rooms_are_whole_on_the_other() {
    let redis = TestRedis::start();
    let doomed = node(&redis);
    let other = node(&redis);
    let mut bob = Peer::join(other.address, "bob");
    let mut carol = Peer::join(doomed.address, "carol");
    let mut alice = Peer::join(doomed.address, "alice");
    bob.expect(&joined("alice"));
    alice.say("/join 수학");
    alice.say("/topic 덧셈");
    for number in 0..50 {
        alice.say(&format!("{number}"));
    }
    alice.expect("[alice] 49\n");
    carol.say("before the end");
    bob.expect("[carol] before the end\n");
    // Somebody who might come back, if the server were there.
    let mut finn = Peer::connect(doomed.address);
    finn.say("/json");
    finn.say(r#"{"type":"login","name":"finn"}"#);
    bob.expect(&joined("finn"));
    // It is killed.
    drop(doomed);
    bob.expect(&left("carol"));
    // He is waited for.
    let before = bob.expect(&left("finn"));
    assert!(!before.contains("finn"), "{before}");
    // Their names are free, and nobody leaves twice.
    let _carol = join_once_free(other.address, "carol");
    bob.expect(&joined("carol"));
    bob.say("/join 수학");
    bob.expect("덧셈");
    bob.expect("[alice] 49\n");
    bob.say("still here");
    assert_eq!(count(&mut bob, &left("carol"), "[bob] still here\n"), 1);
    bob.say("/who");
    let before = bob.expect("bob");
    assert!(!before.contains("alice"), "{before}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_stands_still_for_longer_than_a_lease_kills_nobody() {
    let redis = TestRedis::start();
    let mut servers = [node(&redis), node(&redis)];
    // The operator hears of each, and of Redis, in one line each.
    servers[0].out().expect("+++ 클러스터의 서버: 2대\n");
    let mut alice = Peer::join(servers[0].address, "alice");
    let mut bob = Peer::join(servers[1].address, "bob");
    alice.expect(&joined("bob"));
    // Long enough that each might declare the other dead.
    thread::sleep(2 * LEASE);
    redis.pause();
    servers.iter().for_each(|server| wait_for_health(server, "503 Service Unavailable"));
    thread::sleep(2 * LEASE);
    redis.resume();
    servers.iter().for_each(|server| wait_for_health(server, "200 OK"));
    for server in &mut servers {
        server.out().expect("--- Redis를 쓸 수 없어 메시지와 로그인을 받지 못합니다: ");
        let between = server.out().expect("+++ 클러스터의 서버: 2대\n");
        assert!(!between.contains("---"), "{between}");
    }
    thread::sleep(2 * LEASE);
    alice.say("are you there?");
    assert_eq!(count(&mut bob, &left("alice"), "[alice] are you there?\n"), 0);
    bob.say("I am");
    assert_eq!(count(&mut alice, &left("bob"), "[bob] I am\n"), 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_stood_still_for_longer_than_its_lease_says_nothing_more_and_ends() {
    let redis = TestRedis::start();
    let (mut frozen, other) = (node(&redis), node(&redis));
    let mut alice = Peer::join(frozen.address, "alice");
    let mut bob = Peer::join(other.address, "bob");
    alice.expect(&joined("bob"));
    frozen.signal(Signal::STOP);
    wait_until_stopped(&frozen);
    alice.say("from an old life");
    bob.expect(&left("alice"));
    let _alice = join_once_free(other.address, "alice");
    bob.expect(&joined("alice"));
    frozen.signal(Signal::CONT);
    let told = alice.expect_end();
    assert!(told.contains("서버"), "{told}");
    assert_eq!(frozen.expect_exit(), 1);
    let why = "madang-server: --cluster: this server was silent for too long, or Redis has lost its data\n";
    frozen.err().expect(why);
    bob.say("the end");
    assert_eq!(count(&mut bob, "from an old life", "[bob] the end\n"), 0);
}

/// What a JSON client was told of the conversation.
struct Told {
    /// The ids and texts of messages.
    said: Vec<(u64, String)>,
    /// The first and last id of each gap.
    gaps: Vec<(u64, u64)>,
}

fn told(peer: &Peer) -> Told {
    let text = String::from_utf8_lossy(peer.bytes());
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (mut said, mut gaps) = (Vec::new(), Vec::new());
    let number = |message: &Value, field: &str| message[field].as_u64().expect("a number");
    for message in messages {
        match message["type"].as_str() {
            Some("said") => {
                let text = message["text"].as_str().expect("a text").to_owned();
                said.push((number(&message, "id"), text));
            }
            Some("gap") => gaps.push((number(&message, "from"), number(&message, "to"))),
            _ => {}
        }
    }
    Told { said, gaps }
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_stood_still_while_its_place_was_trimmed_says_what_is_gone_and_goes_on() {
    let redis = TestRedis::start();
    // Each second entry, those before are dropped.
    let start = || {
        let mut server = command();
        server.args(["--cluster", &redis.url(), "--cluster-entries", "2", "--rate-limit", "off"]);
        // However long the test takes, nobody is taken for dead.
        ServerProcess::start_as(server.args(["--cluster-lease", "600000"]))
    };
    let (other, halted) = (start(), start());
    let mut alice = Peer::join(other.address, "alice");
    let mut bob = Peer::connect(halted.address);
    bob.say("/json");
    bob.say(r#"{"type":"login","name":"bob"}"#);
    alice.expect(&joined("bob"));
    alice.say("before");
    bob.expect("before");
    halted.signal(Signal::STOP);
    wait_until_stopped(&halted);
    // It does not even find in its socket what it has not heard.
    redis.cut_off_listeners();
    for number in 0..300 {
        alice.say(&format!("line {number}"));
        alice.expect(&format!("[alice] line {number}\n"));
    }
    // Said at the server that stands still, which is not dead yet.
    bob.say(r#"{"type":"say","text":"from bob","nonce":"b"}"#);
    halted.signal(Signal::CONT);
    alice.expect("[bob] from bob\n");
    bob.expect(r#""ack","nonce":"b""#);
    alice.say("after");
    bob.expect("\"after\"");
    let Told { said, gaps } = told(&bob);
    let [(from, to)] = gaps[..] else { panic!("one gap: {gaps:?}") };
    assert_eq!(said[0], (from - 1, "before".to_owned()));
    // Everything else that was said, once, and in its order.
    let known = to + 1..;
    let texts: Vec<String> = said[1..]
        .iter()
        .zip(known)
        .map(|((id, text), next)| {
            assert_eq!(*id, next, "{text}");
            text.clone()
        })
        .collect();
    let lines = (to + 1 - from)..300;
    let lines = lines.map(|number| format!("line {number}"));
    let expected: Vec<String> = lines.chain(["from bob".into(), "after".into()]).collect();
    assert_eq!(texts, expected);
    assert_eq!(health(&halted), "200 OK");
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_stopped_ends_with_success() {
    let redis = TestRedis::start();
    let (mut stopped, other) = (node(&redis), node(&redis));
    let mut alice = Peer::join(stopped.address, "alice");
    let mut bob = Peer::join(other.address, "bob");
    alice.expect(&joined("bob"));
    stopped.signal(Signal::TERM);
    bob.expect(&left("alice"));
    alice.expect_end();
    assert_eq!(stopped.expect_exit(), 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_says_which_cluster_it_is_part_of_or_why_it_is_not() {
    let redis = TestRedis::start();
    let first = node(&redis);
    let mut second = command();
    second.args(["--lang", "en", "--cluster", &redis.url(), "--node", "second"]);
    let mut second = Program::start(second.args(["--listen", "127.0.0.1:0"]));
    second.out().expect("+++ Cluster: ");
    second.out().expect(", 2 servers\n");
    drop(first);
    let mut nowhere = command();
    nowhere.args(["--cluster", "unix:///nowhere/socket"]);
    let mut nowhere = Program::start(&mut nowhere);
    assert_eq!(nowhere.expect_exit(), 1);
    nowhere.err().expect("madang-server: --cluster: failed to reach Redis at /nowhere/socket: ");
}

/// A client that talks, and resumes its session on another server when it loses its own.
struct Talker {
    reader: BufReader<TcpStream>,
    token: String,
    /// The last event.
    last: u64,
}

impl Talker {
    fn connect(address: SocketAddr) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(address).expect("the server takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        BufReader::new(stream)
    }

    fn send(&mut self, message: &Value) {
        // A lost connection is seen when it is read.
        let _ = writeln!(self.reader.get_ref(), "{message}");
    }

    /// The next message; none if the connection is lost.
    #[track_caller]
    fn read(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            match self.reader.read_line(&mut line) {
                Ok(0) => return None,
                // What is before `/json` is none.
                Ok(_) => match serde_json::from_str(&line) {
                    Ok(message) => return Some(message),
                    Err(_) => continue,
                },
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing comes any more")
                }
                Err(_) => return None,
            }
        }
    }

    /// The next message of this type.
    #[track_caller]
    fn find(&mut self, kind: &str) -> Value {
        loop {
            let message = self.read().expect("more");
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Logs in by this request, and returns the welcome.
    #[track_caller]
    fn log_in(&mut self, request: &Value) -> Value {
        let _ = writeln!(self.reader.get_ref(), "/json");
        self.send(request);
        loop {
            let message = self.read().expect("a welcome");
            match message["type"].as_str() {
                Some("welcome") => return message,
                Some("hello") => {}
                _ => panic!("{message}"),
            }
        }
    }

    #[track_caller]
    fn start(address: SocketAddr, name: &str) -> Talker {
        let reader = Talker::connect(address);
        let mut talker = Talker { reader, token: String::new(), last: 0 };
        let welcome = talker.log_in(&json!({"type": "login", "name": name, "history": 0}));
        talker.token = welcome["session"].as_str().expect("a token").to_owned();
        // Its own `joined` follows.
        talker.last = welcome["id"].as_u64().expect("an id") - 1;
        talker
    }

    #[track_caller]
    fn resume(&mut self, address: SocketAddr) {
        self.reader = Talker::connect(address);
        let (session, last) = (&self.token, self.last);
        let request = json!({"type": "login", "session": session, "room": "lobby", "last": last});
        let welcome = self.log_in(&request);
        assert_eq!(welcome["resumed"], true, "{welcome}");
    }
}

/// What a talker has seen.
#[derive(Default)]
struct Seen {
    /// What was said, by id.
    said: BTreeMap<u64, String>,
    /// The ids of its own messages.
    acked: HashMap<String, u64>,
    /// The first and the last id of what it missed, as it was told.
    gaps: Vec<(u64, u64)>,
    moves: usize,
}

/// How far all talkers together have come.
#[derive(Default)]
struct Progress {
    heard: AtomicUsize,
    /// How many have got all their acks, and the highest id among these.
    finished: AtomicUsize,
    last: AtomicU64,
}

/// Says so many messages, and hears what everyone says; on the other server from the moment when
/// this one is lost.
#[track_caller]
fn talk(
    mut talker: Talker,
    other: SocketAddr,
    (name, own): (&str, usize),
    progress: &Progress,
) -> Seen {
    let (mut seen, mut sent, mut is_finished) = (Seen::default(), 0, false);
    let say = |talker: &mut Talker, at: usize| {
        let text = format!("{name} {at}");
        talker.send(&json!({"type": "say", "text": text, "nonce": text}));
    };
    let everything = |talker: &Talker| {
        let is_all = progress.finished.load(Ordering::SeqCst) == TALKERS.len();
        is_all && talker.last >= progress.last.load(Ordering::SeqCst)
    };
    while !everything(&talker) {
        while sent < own && sent < seen.acked.len() + 30 {
            say(&mut talker, sent);
            sent += 1;
        }
        if seen.acked.len() == own && !std::mem::replace(&mut is_finished, true) {
            let last = seen.acked.values().max().expect("there are some");
            progress.last.fetch_max(*last, Ordering::SeqCst);
            progress.finished.fetch_add(1, Ordering::SeqCst);
        }
        let Some(message) = talker.read() else {
            talker.resume(other);
            seen.moves += 1;
            let is_open = |at: &usize| !seen.acked.contains_key(&format!("{name} {at}"));
            (0..sent).filter(is_open).for_each(|at| say(&mut talker, at));
            continue;
        };
        match message["type"].as_str() {
            Some("ack") => {
                let nonce = message["nonce"].as_str().expect("a nonce").to_owned();
                let id = message["id"].as_u64().expect("an id");
                let before = seen.acked.insert(nonce, id);
                assert!(before.is_none_or(|before| before == id), "{message}");
            }
            // While it moved, more was said than a room remembers.
            Some("gap") => {
                let [from, to] = ["from", "to"].map(|it| message[it].as_u64().expect("an id"));
                assert_eq!(from, talker.last + 1, "{message}");
                seen.gaps.push((from, to));
                talker.last = to;
            }
            Some("said" | "joined" | "left") => {
                let id = message["id"].as_u64().expect("an id");
                assert_eq!(id, talker.last + 1, "a hole, or something twice: {message}");
                talker.last = id;
                if message["type"] == "said" {
                    let text = message["text"].as_str().expect("a text").to_owned();
                    assert_eq!(seen.said.insert(id, text), None);
                    progress.heard.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some("pong") => {}
            _ => panic!("{message}"),
        }
        if is_finished && talker.reader.buffer().is_empty() {
            // So that there is something to read, however far the others are.
            talker.send(&json!({"type": "command", "line": "/ping"}));
        }
    }
    seen
}

/// Who talks in the flood.
const TALKERS: [&str; 4] = ["a", "b", "c", "d"];

#[test]
#[ignore = "needs redis-server"]
fn nothing_acknowledged_is_lost_or_doubled_when_one_of_two_servers_is_killed_in_a_flood() {
    const OWN: usize = 1_000;
    let redis = TestRedis::start();
    let doomed = node(&redis);
    let other = node(&redis);
    let talkers = TALKERS.into_iter().zip([&doomed, &other].into_iter().cycle());
    let talkers: Vec<_> =
        talkers.map(|(name, node)| (name, Talker::start(node.address, name))).collect();
    let (progress, address) = (Progress::default(), other.address);
    let seen: Vec<(&str, Seen)> = thread::scope(|scope| {
        let talks: Vec<_> = talkers
            .into_iter()
            .map(|(name, talker)| {
                let progress = &progress;
                scope.spawn(move || (name, talk(talker, address, (name, OWN), progress)))
            })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        while progress.heard.load(Ordering::Relaxed) < TALKERS.len() * OWN {
            assert!(Instant::now() < deadline, "they hear nothing");
            thread::sleep(Duration::from_millis(1));
        }
        drop(doomed);
        talks.into_iter().map(|talk| talk.join().expect("it has heard all")).collect()
    });
    let moves: Vec<usize> = seen.iter().map(|(_, seen)| seen.moves).collect();
    assert_eq!(moves, [1, 0, 1, 0], "the killed server's clients have moved once");
    // Somebody who has been on the other server all the time.
    let all = &seen[1].1.said;
    assert_eq!(all.len(), TALKERS.len() * OWN);
    for (name, Seen { said, acked, gaps, .. }) in &seen {
        for (id, text) in all {
            let is_told = gaps.iter().any(|(from, to)| (from..=to).contains(&id));
            assert!(said.get(id) == Some(text) || is_told, "{name} lacks {id}");
        }
        let own = all.iter().filter(|(_, text)| text.starts_with(name));
        let own: Vec<(String, u64)> = own.map(|(id, text)| (text.clone(), *id)).collect();
        let expected = (0..OWN).map(|at| format!("{name} {at}"));
        let expected: Vec<_> = expected.map(|text| (text.clone(), acked[&text])).collect();
        assert_eq!(own, expected, "once, in its order, under the id that was acknowledged");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn nobody_stays_in_a_private_room_whose_only_server_was_killed() {
    let redis = TestRedis::start();
    let doomed = node(&redis);
    let other = node(&redis);
    let make_room = |name: &str| {
        let mut owner = Talker::start(doomed.address, name);
        owner.send(&json!({"type": "command", "line": "/new"}));
        owner.send(&json!({"type": "command", "line": "/invite"}));
        let key = owner.find("invite")["key"].as_str().expect("a key").to_owned();
        (owner, key)
    };
    let ((_alice, first), (_erin, second)) = (make_room("alice"), make_room("erin"));
    let mut carol = Peer::join(doomed.address, "carol");
    carol.say(&format!("/join #{first}"));
    carol.expect(&joined("carol"));
    drop(doomed);
    let enter = |name: &str, key: &str| {
        let mut talker = Talker::start(other.address, name);
        talker.send(&json!({"type": "command", "line": format!("/join #{key}")}));
        let members = talker.find("entered")["members"].clone();
        (talker, members)
    };
    // Carol has left when her name is free; Alice is waited for.
    let _carol = join_once_free(other.address, "carol");
    let (mut bob, members) = enter("bob", &first);
    assert_eq!(members, 2);
    assert_eq!(bob.find("left")["user"], "alice");
    assert_eq!(bob.find("owner")["user"], "bob");
    // Nobody waits for Erin any more when her name is free.
    let _erin = join_once_free(other.address, "erin");
    let (_dave, members) = enter("dave", &second);
    assert_eq!(members, 1);
}
