//! The terminal client of Madang. The manual below is this crate's README; its last section
//! is for people who change the client.
//!
#![doc = include_str!("../README.md")]

pub mod address;
pub mod cli;
mod manual;
pub mod clock;
pub mod since;
pub mod exit_code;
pub mod failure;

mod connection;
mod stream;
mod tls;
mod websocket;
mod link;
mod session;
mod reconnect;

mod app;
mod pipe;
mod watch;
mod plain;

mod lesson;
mod vocabulary;
mod history;

mod input;
mod keyboard;
mod unfinished;
mod stdio;
mod render;
mod mention;
mod utf8;
mod words;

#[doc(hidden)]
pub mod fuzzing;

use std::io::{self, IsTerminal as _};

use crossbeam_channel::Receiver;
use madang_protocol::text::Lang;
use madang_terminal::{editor, style::Palette};

use crate::{
    cli::Options,
    clock::{Clock, TimeFormat},
    connection::{Connection, Greeting},
    failure::Failure,
    input::Unit,
    link::Link,
    render::{Form, Renderer},
    stdio::{Kind, Stdio},
    words::Words,
};
pub use madang_terminal::{interrupts::is_own_interrupt, tty_mode::restore_terminal};

/// A connected server, and the language to use with it.
pub struct Server {
    peer: Peer,
    lang: Lang,
}

enum Peer {
    Madang(Link),
    /// Any other line server, and the first text it sent.
    Lines(Connection, Vec<u8>),
}

impl Server {
    /// Connects, and finds out from the greeting which protocol to use.
    ///
    /// Blocks for as long as the name look-up takes, 10 s for each address of
    /// the host, 5 s for the greeting, and 10 s for a Madang server's hello.
    ///
    /// # Errors
    ///
    /// The host is unknown or can't be reached, or it sent a greeting and nothing after it.
    pub fn connect(options: &Options) -> Result<Server, Failure> {
        let (address, lang) = (&options.address, options.lang());
        let connection = Connection::open(address)?;
        let peer = match connection.greeting() {
            Greeting::Madang(first) => Peer::Madang(Link::open(connection, &first, lang)?),
            Greeting::Other(first) => Peer::Lines(connection, first),
        };
        Ok(Server { peer, lang })
    }

    /// Carries lines from stdin to the server and words from it to stdout,
    /// until either ends or an interrupt comes.
    ///
    /// # Errors
    ///
    /// Every way to end other than a conversation that was left on purpose.
    pub fn talk(self, options: &Options, interrupts: Receiver<()>) -> Result<(), Failure> {
        let lang = self.lang;
        let kind =
            if io::stdin().is_terminal() && !options.block { Kind::Terminal } else { Kind::Pipe };
        let unit = if options.block { Unit::Block } else { Unit::Line };
        let palette = Palette::choose(options.color.wanted(), &io::stdout());
        match self.peer {
            Peer::Madang(link) if options.read => watch::run(
                link,
                options,
                renderer(options, lang, palette, Form::Program),
                interrupts,
            ),
            Peer::Madang(link) if kind == Kind::Terminal && editor::is_possible() => {
                let renderer = renderer(options, lang, palette, Form::Person);
                app::run(link, options, renderer, palette, interrupts)
            }
            Peer::Madang(link) => {
                let renderer = renderer(options, lang, palette, Form::Program);
                let mut stdio = Stdio::open(kind, unit, lang, interrupts)?;
                let result = pipe::run(link, options, renderer, &mut stdio);
                stdio.finish();
                result
            }
            Peer::Lines(connection, first) => {
                let mut stdio = match kind {
                    Kind::Terminal if editor::is_possible() => {
                        Stdio::edit(lang, palette, interrupts)?
                    }
                    kind => Stdio::open(kind, unit, lang, interrupts)?,
                };
                if options.room.is_some() || options.address.room.is_some() {
                    stdio.remark(&Words::NoRooms.text(lang));
                }
                let name = options.name.clone();
                let result = plain::run(connection, &first, name, options.bell, &mut stdio);
                stdio.finish();
                result
            }
        }
    }
}

/// A renderer with the settings in `options`, or the defaults for `form`.
fn renderer(options: &Options, lang: Lang, palette: Palette, form: Form) -> Renderer {
    let (time, form) = match (options.time, form) {
        (Some(TimeFormat::Never), form) => (TimeFormat::Never, form),
        // Only people see times by default.
        (Some(time), _) => (time, Form::Person),
        (None, Form::Person) => (TimeFormat::Minutes, Form::Person),
        (None, Form::Program) => (TimeFormat::Never, Form::Program),
    };
    Renderer::new(lang, palette, Clock::new(time), form)
}
