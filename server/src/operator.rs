//! The operator: whoever sits at the server's terminal. Lines typed there are commands.
//! Without a terminal, or after the end of its input, there is no operator.
//!
//! Lines are edited in [`terminal`] where that is possible; elsewhere they are read as the
//! terminal delivers them.

use std::{
    io::{self, IsTerminal, Stdin},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{Command, CommandError, InviteBy},
    line::LineDecoder,
    notice::{LessonNotice, Notice},
    room::{Destination, RoomName, room_name},
    sanitize::sanitize_line,
    text::LineEnd,
};
use madang_terminal::{
    qr::{self, NotPainted},
    size::terminal_size,
    style::Palette,
};
use parking_lot::Mutex;
use unicode_width::UnicodeWidthStr;

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

/// How long the teacher's code is shown.
const CODE_SHOWN: Duration = Duration::from_secs(30);

/// Carries out the operator's commands.
#[derive(Clone)]
pub struct Operator {
    shared: Arc<Shared>,
    /// The public room that room commands apply to.
    room: Arc<Mutex<RoomName>>,
    /// How QR codes are painted.
    palette: Palette,
    /// Where the teacher's code is shown, if the terminal can hide it again.
    code_place: Option<CodePlace>,
}

/// The place for the teacher's code; empty while it is hidden.
type CodePlace = Arc<Mutex<Option<ShownCode>>>;

/// The teacher's code on the terminal.
#[derive(Debug, Clone)]
struct ShownCode {
    /// The code and its link.
    text: String,
    /// When it is hidden.
    until: Instant,
    /// The link as a QR code, if it was requested and fits the terminal.
    qr: Option<String>,
}

/// Whether the server continues after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It continues.
    GoesOn,
    /// It stops.
    Stops,
}

impl Operator {
    pub(crate) fn new(shared: Arc<Shared>) -> Operator {
        let room = Arc::new(Mutex::new(RoomName::lobby()));
        let palette = Palette::choose(None, &io::stdout());
        Operator { shared, room, palette, code_place: None }
    }

    /// The same for a terminal that shows the [prompt](Self::prompt) and can hide the code
    /// again.
    fn with_code_place(self) -> Operator {
        Operator { code_place: Some(CodePlace::default()), ..self }
    }

    /// The prompt, which shows the current room.
    fn prompt(&self) -> String {
        let lang = self.shared.console.lang();
        let room = self.room.lock().clone();
        let room = room_name(room.as_str(), lang);
        match self.shown_code() {
            Some(code) => format!("{} [{room}] ", code.text),
            None => format!("[{room}] "),
        }
    }

    /// The teacher's code while it is shown.
    fn shown_code(&self) -> Option<ShownCode> {
        let shown = self.code_place.as_ref()?.lock().clone();
        shown.filter(|code| code.until > Instant::now())
    }

    /// Hides the teacher's code.
    fn hide_code(&self) {
        if let Some(place) = &self.code_place {
            *place.lock() = None;
        }
    }

    /// Shows the teacher's code for a while, with a link for one teacher, which `qr` draws too.
    fn show_code(&self, qr: bool) {
        let console = &self.shared.console;
        let Some(place) = &self.code_place else {
            let notice = Notice::Lesson(LessonNotice::NoPlaceForCode);
            return console.say(notice.text(console.lang()));
        };
        let (teachers, now) = (&self.shared.users.teachers, Instant::now());
        let link = banner::link(&self.shared.doors)
            .map(|url| format!("{url}#{}", teachers.draw_ticket(now)));
        let notice = LessonNotice::Code { code: teachers.show_code(), link: link.as_deref() };
        let text = Notice::Lesson(notice).text(console.lang());
        let qr = link.filter(|_| qr).and_then(|link| self.paint_link(&link, &text));
        *place.lock() = Some(ShownCode { text, until: now + CODE_SHOWN, qr });
    }

    /// A link as a QR code with room for `text` below it, in half blocks if only these fit. If
    /// even they don't, the console says what they need.
    fn paint_link(&self, link: &str, text: &str) -> Option<String> {
        let half_blocks = invite::draw(link)?;
        let (columns, rows) = terminal_size();
        let below = rows_of(text, columns);
        let rows_left = rows.saturating_sub(below);
        if let Ok(painted) = qr::paint_code(&half_blocks, self.palette, (columns, rows_left)) {
            return Some(painted);
        }
        let needed_columns = half_blocks.lines().map(|row| row.chars().count()).max()?;
        // One more for the line that is typed.
        let needed_rows = half_blocks.lines().count() + 1;
        let fits = needed_columns <= usize::from(columns) && needed_rows <= usize::from(rows_left);
        if !fits {
            let console = &self.shared.console;
            let rows = needed_rows + usize::from(below);
            let notice = LessonNotice::CodeQrTooLarge { columns: needed_columns, rows };
            console.say(Notice::Lesson(notice).text(console.lang()));
        }
        fits.then(|| half_blocks + "\n")
    }

    /// Runs one line, and shows the result on the console.
    pub fn take_line(&self, line: &str) -> Outcome {
        let line = sanitize_line(line);
        if line.trim().is_empty() {
            return Outcome::GoesOn;
        }
        let console = &self.shared.console;
        let lang = console.lang();
        if self.shared.users.teachers.gives_away(&line) {
            console.say(Notice::Lesson(LessonNotice::CodeInText).text(lang));
            return Outcome::GoesOn;
        }
        let room = self.shared.rooms.find(&Destination::Public(self.room.lock().clone()));
        let room = room.unwrap_or_else(|| {
            // The room has ended.
            *self.room.lock() = RoomName::lobby();
            self.shared.rooms.lobby.clone()
        });
        let standing = Standing::Operator(&room);
        let form = Form::text(lang, LineEnd::Lf);
        let chat = self.shared.chat();
        let caller =
            Caller { chat, standing, form, lang, nonce: None, address: None, origin: None };
        let parsed = Command::parse_operators(&line);
        let wants_qr = parsed == Ok(Command::Invite(InviteBy::Qr));
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
            Effect::ShowCode { qr } => self.show_code(qr),
            _ => {}
        }
        Outcome::GoesOn
    }

    /// Draws the link for browsers as a QR code, if the terminal can show it together with the
    /// rows of `text` below it. Returns a notice if only the code would fit.
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

    /// Draws a QR code: painted, if the terminal can show that. Otherwise, if it is `wanted`
    /// all the same, in half blocks, which need half the rows but can't be scanned in every
    /// console.
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

/// How many rows one line of text takes.
fn rows_of(text: &str, columns: u16) -> u16 {
    let rows = text.width().div_ceil(usize::from(columns.max(1))).max(1);
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// Reads the operator's lines from a terminal without line editing, until the input ends or the
/// server is to stop. Blocks all that time; only the terminal wakes it.
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
    fn a_ban_finds_a_session_that_is_entering_a_room() {
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
    fn a_ban_finds_a_member_who_is_taking_the_name() {
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
