//! The terminal client of Madang.
//!
//! ```text
//!                    ┌────────── main thread: one select! ──────────┐
//! stdin ─ thread ──▶ │ app    a person, and a Madang server         │ ──▶ stdout
//!  (input)  lines    │ pipe   a program, and a Madang server        │     (stdio)
//!                    │ plain  either, and any other line server     │
//! Ctrl-C ──────────▶ └──────────────────────────────────────────────┘
//!                          ▲ bytes                    │ requests, lines
//!                    receive thread              sending half
//!                          └─────── connection ───────┘
//! ```
//!
//! All channels are bounded: what the main thread has no time for waits in the
//! kernel, and so at the other end. The receive thread ends with its
//! connection; the one that reads stdin can't be woken and ends with the
//! process. `session` is what a Madang server is asked and answers;
//! `render` makes words of it, and `words` are the client's own.

pub mod address;
pub mod cli;
pub mod exit_code;
pub mod failure;

mod connection;
mod session;

mod app;
mod pipe;
mod plain;

mod input;
mod render;
mod stdio;
mod utf8;
mod words;

use crossbeam_channel::Receiver;
use madang_protocol::text::Lang;

use crate::{
    address::Address,
    connection::{Connection, Greeting},
    failure::Failure,
    session::Session,
    stdio::{Kind, Stdio},
};

/// A server that is connected, and in which language it is talked to.
pub struct Server {
    peer: Peer,
    lang: Lang,
}

enum Peer {
    Madang(Session),
    /// Any other line server, and what it said first.
    Lines(Connection, Vec<u8>),
}

impl Server {
    /// Connects, and learns from the greeting how to speak.
    ///
    /// Blocks for as long as the name look-up takes, 10 s for each address of
    /// the host, 1 s for the greeting, and 10 s for a Madang server's hello.
    ///
    /// # Errors
    ///
    /// The host is unknown or not reached, or it greeted and then said no more.
    pub fn connect(address: &Address, lang: Lang) -> Result<Server, Failure> {
        let connection = Connection::open(address)?;
        let peer = match connection.greeting() {
            Greeting::Madang(first) => Peer::Madang(Session::open(connection, &first, lang)?),
            Greeting::Other(first) => Peer::Lines(connection, first),
        };
        Ok(Server { peer, lang })
    }

    /// Carries lines from stdin to the server and words from it to stdout,
    /// until either ends or an interrupt comes.
    ///
    /// # Errors
    ///
    /// Everything but a conversation that ended as wished.
    pub fn talk(self, name: Option<String>, interrupts: Receiver<()>) -> Result<(), Failure> {
        let mut stdio = Stdio::open(self.lang, interrupts)?;
        let result = match (self.peer, stdio.kind) {
            (Peer::Madang(session), Kind::Terminal) => app::run(session, name, &mut stdio),
            (Peer::Madang(session), Kind::Pipe) => pipe::run(session, name, &mut stdio),
            (Peer::Lines(connection, first), _) => plain::run(connection, &first, name, &mut stdio),
        };
        stdio.finish();
        result
    }
}
