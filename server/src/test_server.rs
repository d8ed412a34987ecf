//! Starts a server for unit tests that need real sockets, with a peer that talks in lines.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use madang_protocol::text::Lang;

use crate::{
    config::{Config, Listen},
    operator::console::{Console, ConsoleThread, Streams},
    patience::DEADLINE,
    server::Server,
};

/// Starts an English-speaking server with lines on a free port. Its console writes nothing, and
/// lives as long as the returned thread handle.
pub(crate) fn start() -> (Server, ConsoleThread) {
    start_with(|_| {})
}

/// The same with other settings.
pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> (Server, ConsoleThread) {
    let streams = Streams { out: Box::new(io::sink()), err: Box::new(io::sink()) };
    let (console, thread) = Console::start(Lang::En, streams).expect("a thread");
    let listen = vec![Listen::At(([127, 0, 0, 1], 0).into())];
    let (web, lang, join_timeout) = (Vec::new(), Lang::En, DEADLINE);
    let mut config = Config { listen, web, lang, join_timeout, ..Config::default() };
    change(&mut config);
    (Server::start(config, console).expect("a free port"), thread)
}

/// A connection to it.
pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    #[track_caller]
    pub(crate) fn connect(server: &Server) -> Peer {
        let stream = TcpStream::connect(server.addresses()[0]).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        Peer(BufReader::new(stream))
    }

    /// Sends one or more lines.
    #[track_caller]
    pub(crate) fn say(&mut self, lines: &str) -> &mut Peer {
        writeln!(self.0.get_mut(), "{lines}").expect("it reads");
        self
    }

    /// Reads until a line contains `expected`; returns what was read.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &str) -> String {
        let mut heard = String::new();
        while !heard.lines().last().is_some_and(|line| line.contains(expected)) {
            let count = self.0.read_line(&mut heard).expect("a line in time");
            assert!(count > 0, "closed before {expected:?}: {heard}");
        }
        heard
    }

    /// Everything until the server closes.
    #[track_caller]
    pub(crate) fn expect_rest(mut self) -> String {
        let mut heard = String::new();
        self.0.read_to_string(&mut heard).expect("it closes in time");
        heard
    }
}
