//! Two clients talk and whisper while their connections are cut a thousand times, at random
//! bytes, in every way that a connection can end. Nothing is lost, duplicated or out of order.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use madang_tests::{DEADLINE, TestServer};
use serde_json::{Value, json};
use socket2::SockRef;

/// The total number of connections that are cut.
const CUTS: usize = 1_000;

/// The maximum number of bytes in one direction before a connection is cut: enough for some
/// connections to last, and few enough for many to end while they are being opened.
const MOST_BYTES: u64 = 3_000;

/// How many requests may wait for their ack: far fewer than the nonces that a session keeps and
/// the events that a room keeps.
const WINDOW: usize = 10;

/// How far one client may be ahead of the other: fewer requests than the private events that a
/// session keeps.
const UNHEARD: usize = 50;

/// How often an idle client checks whether it may continue.
const GLANCE: Duration = Duration::from_millis(20);

/// How long the test may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// SplitMix64: the same seed gives the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The seed of this run. It can be set, to repeat a run.
fn seed() -> u64 {
    let given = std::env::var("MADANG_TEST_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(1, |since| since.as_nanos() as u64)
    });
    println!("MADANG_TEST_SEED={seed}");
    seed
}

/// A proxy that forwards connections to the server and cuts each after some bytes, until it has
/// cut enough.
struct Proxy {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

/// One direction of a connection, and how it ends.
struct Direction {
    from: TcpStream,
    to: TcpStream,
    /// The number of bytes before the cut, if it is to be cut.
    bytes: Option<u64>,
}

impl Proxy {
    fn start(server: SocketAddr, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let cuts = Arc::new(AtomicUsize::new(0));
        let counter = cuts.clone();
        thread::spawn(move || {
            let mut random = Random(seed);
            let mut half_open = VecDeque::new();
            for client in listener.incoming() {
                // The test is over.
                let Ok(client) = client else { return };
                let Ok(upstream) = TcpStream::connect(server) else { return };
                for stream in [&client, &upstream] {
                    stream.set_nodelay(true).expect("it is connected");
                }
                let cut = counter.load(Ordering::SeqCst) < CUTS;
                let ending = random.below(4);
                let bytes = [(); 2].map(|()| cut.then(|| random.below(MOST_BYTES)));
                let both = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                let directions = [
                    Direction { from: both(&client), to: both(&upstream), bytes: bytes[0] },
                    Direction { from: both(&upstream), to: both(&client), bytes: bytes[1] },
                ];
                let pumps = directions.map(|direction| {
                    let streams = [both(&client), both(&upstream)];
                    let counter = counter.clone();
                    thread::spawn(move || {
                        if direction.pass() {
                            counter.fetch_add(1, Ordering::SeqCst);
                        }
                        // The client's side is closed in any case.
                        let _ = streams[0].shutdown(Shutdown::Both);
                        match ending {
                            // The server's side stays open, as when a cable is pulled.
                            0 => {
                                let _ = streams[1].shutdown(Shutdown::Read);
                            }
                            1 => {
                                let _ = SockRef::from(&streams[1]).set_linger(Some(Duration::ZERO));
                                let _ = streams[1].shutdown(Shutdown::Both);
                            }
                            _ => {
                                let _ = streams[1].shutdown(Shutdown::Both);
                            }
                        }
                    })
                });
                // Such connections stay open for the server for a while.
                half_open.push_back((upstream, pumps));
                if half_open.len() > 8 {
                    half_open.pop_front();
                }
            }
        });
        Proxy { address, cuts }
    }

    fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Direction {
    /// Forwards bytes, and returns whether the cut was reached.
    fn pass(mut self) -> bool {
        let mut buffer = [0; 4_096];
        loop {
            let space = self.bytes.map_or(buffer.len() as u64, |left| left.min(4_096));
            if space == 0 {
                return true;
            }
            match self.from.read(&mut buffer[..space as usize]) {
                Ok(0) | Err(_) => return false,
                Ok(count) if self.to.write_all(&buffer[..count]).is_ok() => {
                    self.bytes = self.bytes.map(|left| left - count as u64);
                }
                Ok(_) => return false,
            }
        }
    }
}

/// A client that follows the protocol: it resumes its session, and sends unacknowledged
/// requests again.
struct Client {
    name: &'static str,
    other: &'static str,
    token: String,
    last: u64,
    last_private: u64,
    /// Requests without an ack, in order.
    unacked: VecDeque<(String, Value)>,
    /// The number of requests so far.
    made: usize,
    /// The messages of both clients, and the whispers to this one.
    said: Vec<(String, String)>,
    whispered: Vec<String>,
    resumed: usize,
}

/// A connection of a client, until it is cut.
struct Link {
    stream: TcpStream,
    unread: Vec<u8>,
}

enum Incoming {
    Message(Value),
    /// Nothing came for a moment.
    Nothing,
    Cut,
}

impl Link {
    fn next(&mut self) -> Incoming {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                // Everything before the hello is meant for people.
                match serde_json::from_slice(&line) {
                    Ok(message) => return Incoming::Message(message),
                    Err(_) if line.starts_with(b"{") => {
                        panic!("broken: {}", String::from_utf8_lossy(&line))
                    }
                    Err(_) => continue,
                }
            }
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Incoming::Cut,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Incoming::Nothing;
                }
                Err(_) => return Incoming::Cut,
            }
        }
    }

    /// The next message, which must come; `None` once the connection is cut.
    fn message(&mut self) -> Option<Value> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.next() {
                Incoming::Message(message) => return Some(message),
                Incoming::Cut => return None,
                Incoming::Nothing => assert!(Instant::now() < deadline, "no welcome"),
            }
        }
    }

    fn send(&mut self, message: &Value) -> bool {
        self.stream.write_all(format!("{message}\n").as_bytes()).is_ok()
    }
}

impl Client {
    /// Logs in on a connection that is not cut: without its token, a client can't come back.
    fn login(server: &TestServer, name: &'static str, other: &'static str) -> Client {
        let mut client = server.connect();
        let welcome = client.login_json(name);
        client.reset();
        let token = welcome["session"].as_str().expect("a token").to_owned();
        Client {
            name,
            other,
            token,
            last: welcome["id"].as_u64().expect("an id"),
            last_private: 0,
            unacked: VecDeque::new(),
            made: 0,
            said: Vec::new(),
            whispered: Vec::new(),
            resumed: 0,
        }
    }

    /// Connects, resumes, and sends the requests again that may have been lost.
    fn connect(&mut self, address: SocketAddr) -> Option<Link> {
        let stream = TcpStream::connect(address).expect("the proxy listens");
        stream.set_nodelay(true).expect("it is connected");
        stream.set_read_timeout(Some(GLANCE)).expect("the time is not zero");
        let mut link = Link { stream, unread: Vec::new() };
        link.stream.write_all(b"/json\n").ok()?;
        let login = json!({
            "type": "login", "session": self.token, "room": "lobby",
            "last": self.last, "last_private": self.last_private,
        });
        link.send(&login).then_some(())?;
        loop {
            let message = link.message()?;
            match message["type"].as_str() {
                Some("hello") => {}
                Some("welcome") => {
                    assert_eq!(message["resumed"], true, "{message}");
                    assert_eq!(message["user"], self.name);
                    self.resumed += 1;
                    let all = self.unacked.iter().all(|(_, request)| link.send(request));
                    return all.then_some(link);
                }
                // The login of a connection that was cut has arrived late.
                Some("bye") if message["reason"] == "replaced" => return None,
                _ => panic!("{}: expected a welcome, not {message}", self.name),
            }
        }
    }

    /// Something to say, or to whisper.
    fn make_request(&mut self, text: &str, whispers: bool) -> Value {
        self.made += 1;
        let nonce = format!("{}-{}", self.name, self.made);
        let request = match whispers {
            false => json!({"type": "say", "text": text, "nonce": nonce}),
            true => {
                let line = format!("/msg {} {text}", self.other);
                json!({"type": "command", "line": line, "nonce": nonce})
            }
        };
        self.unacked.push_back((nonce, request.clone()));
        request
    }

    /// Handles one message. The id of each event must follow the last one's.
    fn take(&mut self, message: &Value) {
        if let (Some(id), true) = (message["id"].as_u64(), message.get("nonce").is_none()) {
            assert_eq!(id, self.last + 1, "{}: after {}: {message}", self.name, self.last);
            self.last = id;
        }
        let text = || message["text"].as_str().unwrap_or_default().to_owned();
        match message["type"].as_str() {
            Some("said") => {
                self.said.push((message["user"].as_str().unwrap_or_default().to_owned(), text()));
            }
            Some("whisper") => {
                assert_eq!(message["private"].as_u64(), Some(self.last_private + 1), "{message}");
                self.last_private += 1;
                self.whispered.push(text());
            }
            Some("ack") => {
                let nonce = message["nonce"].as_str().unwrap_or_default();
                self.unacked.retain(|(other, _)| other != nonce);
            }
            // Somebody joined, or the other client is away.
            Some("joined" | "notice") => {}
            Some("bye") if message["reason"] == "replaced" => {}
            _ => panic!("{}: {message}", self.name),
        }
    }

    /// Whether a client that has sent its last message has received everything too.
    fn has_all(&self, ended: bool) -> bool {
        let last_words = self.said.iter().filter(|(_, text)| text == "end").count();
        let whispered = self.whispered.iter().any(|text| text == "end");
        ended && self.unacked.is_empty() && last_words == 2 && whispered
    }

    /// Talks until enough connections have been cut, then until each has received the other's
    /// last message.
    fn run(mut self, proxy: &Proxy, heard_of_own: &AtomicUsize, heard: &AtomicUsize) -> Client {
        let deadline = Instant::now() + PATIENCE;
        let mut numbers = [0_usize; 2];
        let mut ended = false;
        loop {
            assert!(Instant::now() < deadline, "{}: {} cuts", self.name, proxy.cuts());
            let Some(mut link) = self.connect(proxy.address) else { continue };
            loop {
                while !ended
                    && self.unacked.len() < WINDOW
                    && self.made < heard_of_own.load(Ordering::SeqCst) + UNHEARD
                {
                    let whispers = self.made % 2 == 1;
                    let number = &mut numbers[usize::from(whispers)];
                    *number += 1;
                    let text = number.to_string();
                    let mut requests = vec![self.make_request(&text, whispers)];
                    if proxy.cuts() >= CUTS {
                        ended = true;
                        requests.push(self.make_request("end", false));
                        requests.push(self.make_request("end", true));
                    }
                    if !requests.iter().all(|request| link.send(request)) {
                        break;
                    }
                }
                match link.next() {
                    Incoming::Message(message) => self.take(&message),
                    Incoming::Nothing => {}
                    Incoming::Cut => break,
                }
                let others = self.said.iter().filter(|(user, _)| user == self.other).count();
                heard.store(others + self.whispered.len(), Ordering::SeqCst);
                assert!(Instant::now() < deadline, "{}: {} cuts", self.name, proxy.cuts());
                if self.has_all(ended) {
                    return self;
                }
            }
        }
    }
}

/// Checks that `texts` are the numbers from one on, then the end mark.
#[track_caller]
fn expect_all<'a>(texts: impl Iterator<Item = &'a str>, who: &str) {
    let texts: Vec<&str> = texts.collect();
    let numbers = (1..texts.len()).map(|number| number.to_string());
    let expected: Vec<String> = numbers.chain(["end".to_owned()]).collect();
    assert!(texts == expected, "{who}: {texts:?}");
}

#[test]
fn nothing_is_lost_or_doubled_when_connections_are_cut_a_thousand_times() {
    let seed = seed();
    let server = TestServer::start(|config| config.linger = Duration::from_millis(10));
    let proxy = Proxy::start(server.address(), seed);
    let alice = Client::login(&server, "alice", "bob");
    let bob = Client::login(&server, "bob", "alice");
    let heard = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let (by_alice, by_bob) = (&heard[0], &heard[1]);
    let [alice, bob] = thread::scope(|scope| {
        let alice = scope.spawn(|| alice.run(&proxy, by_bob, by_alice));
        let bob = scope.spawn(|| bob.run(&proxy, by_alice, by_bob));
        [alice, bob].map(|client| client.join().expect("nothing is amiss"))
    });
    assert!(alice.said == bob.said, "both hear the same in the same order");
    for client in [&alice, &bob] {
        let name = client.name;
        let of = |speaker: &'static str| {
            let said = client.said.iter().filter(move |(user, _)| user == speaker);
            said.map(|(_, text)| text.as_str())
        };
        expect_all(of("alice"), "alice's words");
        expect_all(of("bob"), "bob's words");
        expect_all(client.whispered.iter().map(String::as_str), client.other);
        println!(
            "{name}: {} requests, {} lines and {} whispers heard, resumed {} times",
            client.made,
            client.said.len(),
            client.whispered.len(),
            client.resumed,
        );
    }
    assert!(proxy.cuts() >= CUTS);
}
