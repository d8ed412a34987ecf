//! Entry points for `tests/fuzz`, which feeds arbitrary bytes to the parsers and checks their
//! output. Nothing else uses them, and no other part of the server is public for it.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use madang_protocol::{event::Time, read_buffer::ReadBuffer};

use crate::{
    cluster::keys::published,
    config::{Binary, WebSocketLimits},
    room::{
        fact::Fact,
        state::{Beginning, State},
    },
    transport::{
        Line,
        http::{self, Head, Method, Rejection, origin, proxy},
        tcp::framing::Framer,
        websocket::{
            decoder::{Decoder, Incoming},
            handshake,
        },
    },
};

/// What a peer's bytes were understood as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understood {
    /// A line, or a message.
    Text(String),
    /// A line that is refused, and why.
    Refused(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A control frame.
    Control(String),
    /// The connection ends, and why.
    End(String),
}

/// A peer of the port for lines, without its socket.
pub struct LinePeer {
    framer: Framer,
    begin: Instant,
    has_ended: bool,
    /// Everything understood so far.
    pub understood: Vec<Understood>,
    /// The answers to its telnet commands.
    pub answers: Vec<u8>,
    /// How many of its bytes were charged for: lines, commands and padding.
    pub paid_bytes: usize,
}

impl Default for LinePeer {
    fn default() -> LinePeer {
        LinePeer {
            framer: Framer::new(),
            begin: Instant::now(),
            has_ended: false,
            understood: Vec::new(),
            answers: Vec::new(),
            paid_bytes: 0,
        }
    }
}

impl LinePeer {
    /// `bytes` arrive together, `at` after the beginning. Then the peer is silent for a while, or
    /// not.
    pub fn read(&mut self, mut bytes: &[u8], at: Duration, is_silent: bool) {
        while !bytes.is_empty() && !self.has_ended {
            let space = self.framer.spare();
            let (now, later) = bytes.split_at(space.len().min(bytes.len()));
            space[..now.len()].copy_from_slice(now);
            bytes = later;
            self.framer.filled(now.len(), !bytes.is_empty(), self.begin + at);
            if self.framer.may_be_packets() {
                self.framer.settle_framing(is_silent && bytes.is_empty());
            }
            self.take_lines();
        }
    }

    /// The peer sends JSON from now on.
    pub fn become_program(&mut self) {
        self.framer.become_program();
    }

    /// The peer has closed its side.
    pub fn finish(&mut self) {
        self.framer.finish();
        self.take_lines();
    }

    fn take_lines(&mut self) {
        while !self.has_ended {
            let (bytes, answers) = self.framer.take_commands();
            self.paid_bytes += bytes;
            self.answers.extend(answers);
            if let Some(foreign) = self.framer.foreign() {
                return self.end(foreign.code());
            }
            match self.framer.next_line_bytes() {
                Ok(None) => return,
                Ok(Some(bytes)) => self.paid_bytes += bytes,
                Err(_) => return self.end("endless line"),
            }
            let understood = match self.framer.take_line() {
                Line::Text(text) | Line::AfterPackets(text) => Understood::Text(text),
                refused => Understood::Refused(format!("{refused:?}")),
            };
            self.understood.push(understood);
        }
    }

    fn end(&mut self, why: &str) {
        self.understood.push(Understood::End(why.to_owned()));
        self.has_ended = true;
    }
}

/// What a WebSocket peer's frames are understood as, and how many bytes of them were charged for.
/// The frames can be watched meanwhile, as `/echo?explain` does.
pub fn read_frames<'a>(
    reads: impl IntoIterator<Item = &'a [u8]>,
    limits: WebSocketLimits,
    is_watched: bool,
) -> (Vec<Understood>, usize) {
    let mut decoder = Decoder::new(limits, ReadBuffer::default());
    if is_watched {
        decoder.watch_frames(true);
    }
    let (mut understood, mut paid_bytes) = (Vec::new(), 0);
    for mut bytes in reads {
        while !bytes.is_empty() {
            let space = decoder.spare();
            let (now, later) = bytes.split_at(space.len().min(bytes.len()));
            space[..now.len()].copy_from_slice(now);
            bytes = later;
            decoder.filled(now.len());
            loop {
                match decoder.next_bytes() {
                    Ok(None) => break,
                    Ok(Some(bytes)) => paid_bytes += bytes,
                    Err(goodbye) => {
                        understood.push(Understood::End(goodbye.code().to_owned()));
                        return (understood, paid_bytes);
                    }
                }
                understood.extend(decoder.take().map(|incoming| match incoming {
                    Incoming::Text(text) => Understood::Text(text),
                    Incoming::Binary(bytes) => Understood::Binary(bytes),
                    control => Understood::Control(format!("{control:?}")),
                }));
            }
            decoder.take_seen();
        }
    }
    (understood, paid_bytes)
}

/// Limits so low that a small input reaches them.
pub fn low_limits() -> WebSocketLimits {
    WebSocketLimits {
        message_bytes: 1_000,
        fragments: 4,
        binary: Binary::Taken,
        ..WebSocketLimits::default()
    }
}

/// The result of reading a request's head.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestHead {
    /// More bytes are needed.
    Partial,
    /// It is refused, with this response.
    Refused(Vec<u8>),
    /// It is complete.
    Whole {
        /// Its length.
        length: usize,
        /// All responses that repeat parts of it.
        responses: Vec<Vec<u8>>,
        /// The addresses in `X-Forwarded-For`, as written.
        hops: Vec<String>,
    },
}

/// Reads the head at the start of `bytes`.
pub fn read_head(bytes: &[u8]) -> RequestHead {
    let refusal = |rejection: Rejection| http::refusal(&rejection, Method::Get);
    match Head::parse(bytes) {
        Ok(None) => RequestHead::Partial,
        Ok(Some((head, length))) => {
            let subprotocol = Some("madang.json.v1").filter(|it| handshake::offers(&head, it));
            let host = head.value("Host").filter(|host| http::is_authority(host));
            let redirect = host.map(|host| format!("https://{host}{}", head.path));
            let responses = [
                Some(handshake::accept(&head, subprotocol).unwrap_or_else(refusal)),
                origin::check(&head, &[], "classroom").err().map(refusal),
                redirect.map(|location| http::redirect(&location, head.method)),
                Some(http::file(&head, "text/plain", b"a file")),
            ];
            let responses = responses.into_iter().flatten().collect();
            let hops = head.list("X-Forwarded-For").map(str::to_owned).collect();
            RequestHead::Whole { length, responses, hops }
        }
        Err(rejection) => RequestHead::Refused(refusal(rejection)),
    }
}

/// The client behind `peer`, where everything in 127.0.0.0/8 and 10.0.0.0/8 is a trusted proxy.
pub fn person_behind(peer: IpAddr, hops: &[&str]) -> IpAddr {
    let trusted = ["127.0.0.0/8", "10.0.0.0/8"].map(|range| range.parse().expect("a range"));
    proxy::person(peer, hops.iter().copied(), &trusted)
}

/// One machine's copy of a room that several machines share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica(State);

/// What a published entry is taken for.
#[derive(Debug, PartialEq, Eq)]
pub enum HeardEntry {
    /// It is not an entry.
    Nothing,
    /// An entry that this program can't read: this machine leaves the room.
    Unknown(String),
    /// Its ops were carried out in their order; these are their facts, as JSON.
    CarriedOut(Vec<String>),
}

impl Replica {
    /// A room that nobody has entered; a private one belongs to session 1.
    pub fn new(is_private: bool) -> Replica {
        let owner = is_private.then_some(1);
        let beginning = Beginning { first_id: 1, opened: 1, owner, ..Beginning::default() };
        Replica(State::new(beginning, Time::from_millis(0)))
    }

    /// Takes in what was published.
    pub fn hear(&mut self, message: &[u8]) -> HeardEntry {
        let Some(entry) = published(message) else { return HeardEntry::Nothing };
        let ops = match entry.ops() {
            Ok(ops) => ops,
            Err(error) => return HeardEntry::Unknown(error.to_string()),
        };
        let mut facts = Vec::new();
        for (by, op) in ops {
            for fact in self.0.decide(by, op, entry.time).unwrap_or_default() {
                self.0.apply(&fact);
                facts.push(serde_json::to_string(&fact).expect("plain data"));
            }
        }
        HeardEntry::CarriedOut(facts)
    }

    /// Applies a fact reported by another replica.
    ///
    /// # Panics
    ///
    /// If it is not a fact.
    pub fn replay(&mut self, fact: &str) {
        let fact: Fact = serde_json::from_str(fact).expect("a fact");
        self.0.apply(&fact);
    }

    /// The room as one machine hands it over and another reads it.
    ///
    /// # Panics
    ///
    /// If it can't be read.
    pub fn handed_over(&self) -> Replica {
        let json = serde_json::to_string(&self.0).expect("plain data");
        Replica(serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}")))
    }
}
