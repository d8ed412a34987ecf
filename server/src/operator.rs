//! The operator: whoever sits at the server's terminal. Lines typed there are commands.
//! Without a terminal, or after the end of its input, there is no operator.
//!
//! Lines are edited in [`terminal`] where that is possible; elsewhere they are read as the
//! terminal delivers them.

use std::{
    io::{self, IsTerminal, Stdin},
    sync::Arc,
};

use madang_protocol::{
    command::{Command, CommandError},
    line::LineDecoder,
    notice::Notice,
    room::{Destination, RoomName, room_name},
    sanitize::sanitize_line,
    text::LineEnd,
};
use madang_terminal::{
    qr::{self, NotPainted},
    screen::terminal_size,
    style::Palette,
};
use parking_lot::Mutex;

use crate::{
    commands::{
        self,
        caller::{Caller, Effect, Standing},
        invite,
    },
    dialect::Form,
    shared::Shared,
    system,
};

pub mod banner;
pub mod console;
pub mod terminal;

/// Carries out the operator's commands.
#[derive(Clone)]
pub struct Operator {
    shared: Arc<Shared>,
    /// The public room that commands about a room apply to.
    room: Arc<Mutex<RoomName>>,
    /// How QR codes are painted.
    palette: Palette,
}

/// Whether the server goes on after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    GoesOn,
    /// It stops.
    Stops,
}

impl Operator {
    pub(crate) fn new(shared: Arc<Shared>) -> Operator {
        let room = Arc::new(Mutex::new(RoomName::lobby()));
        Operator { shared, room, palette: Palette::choose(None, &io::stdout()) }
    }

    /// The prompt: the room that commands are about.
    fn prompt(&self) -> String {
        format!("[{}] ", room_name(self.room.lock().as_str(), self.shared.console.lang()))
    }

    /// Carries out one line, and shows the outcome on the console.
    pub fn take_line(&self, line: &str) -> Outcome {
        let line = sanitize_line(line);
        if line.trim().is_empty() {
            return Outcome::GoesOn;
        }
        let console = &self.shared.console;
        let lang = console.lang();
        let room = self.shared.rooms.find(&Destination::Public(self.room.lock().clone()));
        let room = room.unwrap_or_else(|| {
            // It has ended.
            *self.room.lock() = RoomName::lobby();
            self.shared.rooms.lobby.clone()
        });
        let standing = Standing::Operator(&room);
        let form = Form::text(lang, LineEnd::Lf);
        let chat = self.shared.chat();
        let caller = Caller { chat, standing, form, lang, nonce: None, address: None };
        let parsed = Command::parse_operators(&line);
        let wants_qr = parsed == Ok(Command::Invite { qr: true });
        let mut reply = match parsed {
            Ok(command) => commands::run(&caller, command),
            Err(CommandError::Unknown { .. }) if !line.trim_start().starts_with('/') => {
                caller.refuse(&Notice::NoCommand { text: line.trim() })
            }
            Err(error) => caller.refuse(&Notice::CommandRefused(&error)),
        };
        let effect = std::mem::take(&mut reply.effect);
        let told = reply.into_text();
        if !told.is_empty() {
            console.say(told);
        }
        match effect {
            Effect::End(..) => return Outcome::Stops,
            Effect::Speak(lang) => {
                console.change_lang(lang);
                console.say(Notice::LangSet.text(lang));
            }
            Effect::Go(Destination::Public(there), _) => *self.room.lock() = there,
            Effect::Draw(code) => self.draw(code, wants_qr),
            _ => {}
        }
        Outcome::GoesOn
    }

    /// Draws the link for browsers as a QR code, if the terminal can show it together with
    /// so many rows of `text` below it. Returns what to say if only the code would fit.
    pub fn draw_link(&self, text: &str) -> Option<Notice<'static>> {
        let code = banner::link(&self.shared.doors).and_then(|url| invite::draw(&url))?;
        let (columns, rows) = terminal_size();
        let below = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
        match qr::paint_code(&code, self.palette, (columns, rows.saturating_sub(below))) {
            Ok(painted) => self.shared.console.draw(painted),
            Err(NotPainted::TooLarge { .. }) => return Some(Notice::QrOnRequest),
            Err(NotPainted::Impossible) => {}
        }
        None
    }

    /// Draws a QR code: painted, if the terminal can show that. If not, and it is `wanted` all
    /// the same, in half blocks, which take half the rows but can't be scanned in every console.
    fn draw(&self, half_blocks: String, wanted: bool) {
        let console = &self.shared.console;
        match qr::paint_code(&half_blocks, self.palette, terminal_size()) {
            Ok(painted) => console.draw(painted),
            Err(_) if wanted => console.say(half_blocks),
            Err(NotPainted::TooLarge { columns, rows }) => {
                console.say(Notice::QrTooLarge { columns, rows }.text(console.lang()));
            }
            Err(NotPainted::Impossible) => {}
        }
    }
}

/// Reads the operator's lines from a terminal without line editing, until the input ends or
/// the server is to stop. Blocks for all that time; only the terminal wakes it.
///
/// # Errors
///
/// The terminal can't be read.
pub fn read_lines(stdin: &Stdin, operator: &Operator) -> io::Result<Outcome> {
    if !stdin.is_terminal() {
        return Ok(Outcome::GoesOn);
    }
    let mut decoder = LineDecoder::default();
    while let Some(line) = read_line(stdin, &mut decoder)? {
        if operator.take_line(&line) == Outcome::Stops {
            return Ok(Outcome::Stops);
        }
    }
    Ok(Outcome::GoesOn)
}

/// The next line; `None` at the end of the input.
fn read_line(stdin: &Stdin, decoder: &mut LineDecoder) -> io::Result<Option<String>> {
    loop {
        match decoder.next_line() {
            Ok(Some(line)) => return Ok(Some(String::from_utf8_lossy(line).into_owned())),
            Ok(None) => {}
            Err(_endless) => return Ok(None),
        }
        let count = system::read_terminal(stdin, decoder.spare())?;
        if count == 0 {
            return Ok(None);
        }
        decoder.filled(count);
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::name::UserName;

    use super::*;
    use crate::{
        patience::wait_until,
        test_server::{Peer, start},
    };

    #[track_caller]
    fn expect_banned(peer: Peer) {
        let heard = peer.expect_rest();
        assert!(heard.ends_with("You are banned from this server.\n"), "{heard}");
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
            let mut alice = Peer::connect(&server);
            alice.say("alice");
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
        let mut alice = Peer::connect(&server);
        alice.say("alice");
        wait_until(|| rooms.lobby.status().members == 1);
        let rounds = rooms.lobby.hold_rounds();
        alice.say("/nick carol");
        wait_until(|| users.find(&name("carol")).is_some());
        operator.take_line("/ban CAROL");
        drop(rounds);
        expect_banned(alice);
        wait_until(|| users.find(&name("carol")).or(users.find(&name("alice"))).is_none());
        assert!(server.stop());
    }
}
