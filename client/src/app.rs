//! A person at a terminal, and a Madang server: asks for a name until one is taken,
//! then carries lines until either has enough, across lost connections.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, after, at, never, select};
use madang_protocol::{
    command::{Command, Input},
    event::{Event, ServerMessage},
    limits::{LINE_BYTES, MESSAGE_BYTES},
    name::{NameKey, UserName},
    notice::Notice,
    request::Request,
    room::{RoomKey, is_private},
};

use crate::{
    cli::{Bell, Options},
    completion::{Vocabulary, Wish},
    connection::Incoming,
    editor::{Ask, Editor, Typed},
    failure::Failure,
    history::History,
    input::LineError,
    link::{Link, Received},
    reconnect::Reconnect,
    render::{Attention, Renderer, Shown, is_whisper},
    screen::Screen,
    session::{Asked, LOGIN, Session, Wanted},
    style::Palette,
    words::Words,
};

/// Requests that may be without an answer at once.
const WINDOW: usize = 32;

/// Lines that may wait for a connection, or for answers.
const QUEUED_LINES: usize = 100;

/// A command may change the prompt: the next line waits so long for its answer.
const COMMAND_PATIENCE: Duration = Duration::from_millis(300);

/// How long what was missed is collected, so as to be counted before it is shown.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(2);

/// How long the editor may take to end its line.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);

/// A second Ctrl-C within this time, with nothing typed in between, leaves.
const AGAIN: Duration = Duration::from_secs(5);

/// After a gap, the members are counted anew if there were no more than this.
const COUNTED_MEMBERS: usize = 500;

/// The code of the answer to who comes back to a session that is not there.
pub(crate) const SESSION_UNKNOWN: &str = "session_unknown";

/// A paste of more lines is asked about.
const UNASKED_LINES: usize = 5;

/// What the next line typed is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// A name.
    Naming,
    /// Nothing yet: the server has to answer first.
    LoggingIn,
    /// Something for the room.
    Talking,
    /// Whether to send this paste.
    Pasting(String),
    /// Nothing: the person has left, as soon as all is answered, with these words.
    Leaving(String),
}

struct App<'a> {
    options: &'a Options,
    session: Session,
    renderer: Renderer,
    screen: Arc<Screen>,
    editor: Editor,
    vocabulary: Arc<Vocabulary>,
    wishes: Receiver<Wish>,
    history: History,
    interrupts: Receiver<()>,

    stage: Stage,
    /// The editor has been asked for a line.
    asked: bool,
    /// What stands in the line that is asked for next.
    initial: String,
    /// The command whose answer that line waits for, and until when.
    held: Option<(u64, Instant)>,
    /// Requests of the client's own, of which nothing is shown.
    silent: HashSet<u64>,
    cleared_at: Option<Instant>,

    room: Option<String>,
    members: usize,
    owner: Option<String>,
    /// Whom one does not want to hear.
    ignored: HashSet<NameKey>,
    /// Who whispered last.
    whisperer: Option<String>,

    reconnect: Option<Reconnect>,
    catch_up: Option<CatchUp>,
}

/// What has come since the way back was found, until the server has told all.
struct CatchUp {
    /// The `/ping` that is answered behind it.
    barrier: u64,
    until: Instant,
    lines: usize,
    shown: Shown,
}

/// Carries on the conversation until it ends; quits before it returns, unless
/// the connection has ended.
pub(crate) fn run(
    link: Link,
    options: &Options,
    renderer: Renderer,
    palette: Palette,
    interrupts: Receiver<()>,
) -> Result<(), Failure> {
    let screen = Screen::new(palette);
    let (vocabulary, wishes) = Vocabulary::new();
    let vocabulary = Arc::new(vocabulary);
    let history = History::of_user();
    let editor = Editor::start(&screen, Arc::clone(&vocabulary), palette, history.load())
        .map_err(Failure::Stdin)?;
    let motd = renderer.notice(link.motd().trim_end());
    if !link.motd().trim().is_empty() {
        screen.show(&motd);
    }
    let wanted = Wanted {
        name: String::new(),
        room: options.room.clone().or_else(|| options.address.room.clone()),
        history: None,
    };
    let mut app = App {
        options,
        session: Session::new(link, wanted, WINDOW),
        renderer,
        screen,
        editor,
        vocabulary,
        wishes,
        history,
        interrupts,
        stage: Stage::Naming,
        asked: false,
        initial: String::new(),
        held: None,
        silent: HashSet::new(),
        cleared_at: None,
        room: None,
        members: 0,
        owner: None,
        ignored: HashSet::new(),
        whisperer: None,
        reconnect: None,
        catch_up: None,
    };
    let result = app.converse();
    app.end(&result);
    result
}

impl App<'_> {
    fn converse(&mut self) -> Result<(), Failure> {
        if let Some(name) = &self.options.name {
            self.stage = Stage::LoggingIn;
            self.session.login(name);
        }
        loop {
            if matches!(self.stage, Stage::Leaving(_)) && self.may_leave() {
                return Ok(());
            }
            self.ask();
            let typed = if self.asked { self.editor.typed().clone() } else { never() };
            let is_full = self.screen.is_full();
            let incoming = if is_full { never() } else { self.session.incoming() };
            let links =
                self.reconnect.as_ref().map_or_else(never, |reconnect| reconnect.links().clone());
            select! {
                recv(typed) -> typed => {
                    self.asked = false;
                    self.typed(typed.unwrap_or(Typed::End))?;
                }
                recv(incoming) -> incoming => {
                    let heard = self.heard(incoming.unwrap_or(Incoming::End(None)));
                    self.or_reconnect(heard)?;
                }
                recv(links) -> link => match link {
                    Ok(link) => self.relink(link),
                    Err(_) => return Err(Failure::Lost(None)),
                },
                recv(self.wishes) -> wish => self.fulfil(wish),
                recv(self.interrupts) -> _ => return Err(Failure::Interrupted),
                recv(self.session.silence()) -> _ => self.or_reconnect(Err(Failure::Silent))?,
                recv(self.timer(is_full)) -> _ => {}
            }
            self.after_time();
        }
    }

    /// When something is to be done that nothing else wakes us for.
    fn timer(&self, is_full: bool) -> Receiver<Instant> {
        if is_full {
            // A full screen tells nobody when it no longer is.
            return after(Duration::from_millis(20));
        }
        let held = self.held.map(|(_, until)| until);
        let catch_up = self.catch_up.as_ref().map(|catch_up| catch_up.until);
        held.into_iter().chain(catch_up).min().map_or_else(never, at)
    }

    fn after_time(&mut self) {
        let now = Instant::now();
        if self.held.is_some_and(|(_, until)| until <= now) {
            self.held = None;
        }
        if self.catch_up.as_ref().is_some_and(|catch_up| catch_up.until <= now) {
            self.show_missed();
        }
    }

    fn may_leave(&self) -> bool {
        !self.session.is_linked() || self.session.unanswered().len() == 0
    }

    /// Asks for the next line, if it is time for one.
    fn ask(&mut self) {
        if self.asked || self.held.is_some() {
            return;
        }
        let lang = self.renderer.lang;
        let ask = match &self.stage {
            Stage::Naming => Ask::Question(Words::AskName.text(lang)),
            Stage::Pasting(text) => {
                Ask::Question(Words::AskPaste { lines: text.lines().count() }.text(lang))
            }
            Stage::Talking => Ask::Line(std::mem::take(&mut self.initial)),
            Stage::LoggingIn | Stage::Leaving(_) => return,
        };
        self.editor.ask(ask);
        self.asked = true;
    }

    fn typed(&mut self, typed: Typed) -> Result<(), Failure> {
        let typed_anything = matches!(typed, Typed::Line(_) | Typed::Cleared { had_text: true });
        if typed_anything {
            self.cleared_at = None;
        }
        match (typed, self.stage.clone()) {
            (Typed::Failed(error), _) => return Err(Failure::Stdin(error)),
            (Typed::Cancelled { text }, _) => self.initial = text,
            (Typed::End, Stage::Pasting(text)) | (Typed::Cleared { .. }, Stage::Pasting(text)) => {
                self.give_back(text);
            }
            (Typed::End, _) => self.stage = Stage::Leaving("/quit".into()),
            (Typed::Cleared { had_text: true }, _) => {}
            (Typed::Cleared { had_text: false }, _) => {
                if self.cleared_at.is_some_and(|at| at.elapsed() < AGAIN) {
                    return Err(Failure::Interrupted);
                }
                self.cleared_at = Some(Instant::now());
                self.remark(Words::AgainToLeave);
            }
            (Typed::Line(name), Stage::Naming) => {
                let name = name.trim();
                if is_quit(name) {
                    self.stage = Stage::Leaving("/quit".into());
                } else {
                    self.stage = Stage::LoggingIn;
                    self.session.login(name);
                }
            }
            (Typed::Line(answer), Stage::Pasting(text)) => {
                // ㅛ is what the key of `y` writes while Hangul is on.
                if ["y", "yes", "ㅛ", "네", "예"].contains(&&*answer.trim().to_lowercase()) {
                    self.stage = Stage::Talking;
                    self.say(text);
                } else {
                    self.give_back(text);
                }
            }
            (Typed::Line(line), _) => self.line(line),
        }
        Ok(())
    }

    /// A line, or several that were pasted.
    fn line(&mut self, line: String) {
        let line = line.trim_end_matches('\n').replace('\r', "");
        if line.trim().is_empty() {
            return;
        }
        let too_long = line.split('\n').map(str::len).find(|bytes| *bytes > LINE_BYTES);
        if let Some(bytes) = too_long {
            self.alarm(Words::Refused(&LineError::TooLong { bytes }));
            return self.give_back(line);
        }
        if line.len() > MESSAGE_BYTES {
            self.alarm(Words::Refused(&LineError::MessageTooLong { bytes: line.len() }));
            return self.give_back(line);
        }
        if line.contains('\n') {
            if line.lines().count() > UNASKED_LINES {
                self.stage = Stage::Pasting(line);
            } else {
                self.say(line);
            }
            return;
        }
        self.remember(&line);
        if is_quit(&line) {
            self.stage = Stage::Leaving(line);
            return;
        }
        if self.has_no_room(&line) {
            return;
        }
        let number = self.session.ask_line(&line);
        if matches!(Input::parse(&line), Input::Command(_)) && self.session.is_linked() {
            self.held = Some((number, Instant::now() + COMMAND_PATIENCE));
        }
        self.tell_if_queued(&line);
    }

    /// Several lines as one message, none of which is a command.
    fn say(&mut self, text: String) {
        self.remember(&text);
        if self.has_no_room(&text) {
            return;
        }
        let message = text.clone();
        self.session.ask(|nonce| Request::Say { text: message, nonce });
        self.tell_if_queued(&text);
    }

    fn give_back(&mut self, text: String) {
        self.stage = Stage::Talking;
        self.initial = text;
    }

    /// Whether so much waits already that `text` can't; it is then given back.
    fn has_no_room(&mut self, text: &str) -> bool {
        let is_full = self.session.unanswered().len() >= QUEUED_LINES;
        if is_full {
            self.alarm(Words::QueueFull);
            self.give_back(text.to_owned());
        }
        is_full
    }

    fn tell_if_queued(&mut self, text: &str) {
        if !self.session.is_linked() {
            self.remark(Words::Queued { text: text.lines().next().unwrap_or_default() });
        }
    }

    /// Keeps a line for later runs, unless it is nobody else's business: said in a
    /// private room or to one person, or with a private room's key in it.
    fn remember(&self, line: &str) {
        let is_private = self.room.as_deref().is_none_or(is_private);
        if !is_private && !is_whisper(line) && !has_key(line) {
            self.history.add(line);
        }
    }

    fn heard(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let mut shown = Shown::default();
        for received in self.session.take(incoming)? {
            let Some(message) = &received.message else {
                continue;
            };
            let asked = self.session.settle(message);
            if let Some(Asked { number, .. }) = &asked
                && self.held.is_some_and(|(held, _)| held == *number)
            {
                self.held = None;
            }
            if let ServerMessage::Bye { reason } = message {
                self.show(shown);
                return Err(Failure::Bye(reason.clone().into_owned()));
            }
            let is_silent = self.is_silent(message, asked.as_ref());
            self.note(message, asked.as_ref());
            if !is_silent && !self.hides(message) {
                let mut one = self.renderer.render(message);
                if let (ServerMessage::Ack { .. }, Some(asked)) = (message, &asked) {
                    one.text = self.render_done(&asked.request);
                }
                match &mut self.catch_up {
                    Some(catch_up) if !matches!(message, ServerMessage::Welcome { .. }) => {
                        catch_up.lines += missed_lines(message);
                        add(&mut catch_up.shown, one);
                    }
                    Some(_) => {}
                    None => add(&mut shown, one),
                }
            }
            let barrier = self.catch_up.as_ref().map(|catch_up| catch_up.barrier);
            if asked.is_some_and(|asked| Some(asked.number) == barrier) {
                self.show(std::mem::take(&mut shown));
                self.show_missed();
            }
        }
        self.show(shown);
        self.update_prompt();
        Ok(())
    }

    /// What is shown of a request that was carried out, if nothing else tells of it.
    fn render_done(&self, request: &Request) -> String {
        let Request::Command { line, .. } = request else {
            return String::new();
        };
        let lang = self.renderer.lang;
        let sent = |user: &str, text| {
            let sent = Notice::WhisperSent { user, text, away: false };
            self.renderer.own_whisper(&sent.text(lang))
        };
        match Command::parse(line) {
            Ok(Command::Msg(user, text)) => sent(user.as_str(), text),
            Ok(Command::Reply(text)) => sent(self.whisperer.as_deref().unwrap_or("?"), text),
            Ok(Command::New(_)) => self.renderer.notice(&Notice::RoomMade.text(lang)),
            _ => String::new(),
        }
    }

    /// Whether `message` answers what the client itself wanted to know.
    fn is_silent(&mut self, message: &ServerMessage<'_>, asked: Option<&Asked>) -> bool {
        if let Some(Asked { number, .. }) = asked {
            // That the session is over is told in our own words.
            let is_over =
                matches!(message, ServerMessage::Error { code, .. } if code == SESSION_UNKNOWN);
            return self.silent.remove(number) || is_over;
        }
        let number = nonce_of(message).and_then(|nonce| nonce.parse().ok());
        number.is_some_and(|number: u64| self.silent.contains(&number))
    }

    /// Whether one doesn't want to hear who speaks.
    fn hides(&self, message: &ServerMessage<'_>) -> bool {
        match message {
            ServerMessage::Event(Event::Said { user, .. }) if !self.ignored.is_empty() => {
                UserName::parse(user).is_ok_and(|user| self.ignored.contains(&user.spelling()))
            }
            _ => false,
        }
    }

    /// Learns from `message` where one is, and with whom.
    fn note(&mut self, message: &ServerMessage<'_>, asked: Option<&Asked>) {
        match message {
            ServerMessage::Welcome { user, room, members, owner, resumed, .. } => {
                self.renderer.me = user.clone().into_owned();
                self.enter(room.as_deref(), *members, owner.as_deref());
                self.welcomed(*resumed);
            }
            ServerMessage::Entered { room, members, owner, .. } => {
                self.enter(Some(room), *members, owner.as_deref());
                self.session.set_room((!is_private(room)).then(|| room.clone().into_owned()));
            }
            ServerMessage::Error { code, text, .. }
                if asked.is_some_and(|asked| asked.number == LOGIN) =>
            {
                self.login_refused(code, text);
            }
            ServerMessage::Ack { .. } => {
                if let Some(Asked { request: Request::Command { line, .. }, .. }) = asked {
                    self.note_done(line);
                }
            }
            ServerMessage::Gap { .. } if self.members <= COUNTED_MEMBERS => {
                // Who came and went in it is not known.
                self.fulfil(Ok(Wish::Members));
            }
            ServerMessage::Invite { key: Some(key), .. } => {
                self.session.set_room(Some(format!("#{key}")));
            }
            ServerMessage::Who { room, count, members, more, .. }
                if self.room.as_deref() == Some(&**room) =>
            {
                self.members = *count;
                let names = members.iter().map(|name| name.clone().into_owned());
                self.vocabulary.learn_members(names, !more);
            }
            ServerMessage::Rooms { rooms, more, .. } => {
                let names = rooms.iter().map(|room| room.room.clone().into_owned());
                self.vocabulary.learn_rooms(names, !more);
            }
            ServerMessage::Ignored { users, .. } => {
                let names = users.iter().filter_map(|user| UserName::parse(user).ok());
                self.ignored = names.map(|name| name.spelling()).collect();
            }
            ServerMessage::Whisper { user, .. } => {
                self.vocabulary.spoke(user);
                self.whisperer = Some(user.clone().into_owned());
            }
            ServerMessage::Event(event) => self.note_event(event),
            _ => {}
        }
    }

    /// A command was carried out.
    fn note_done(&mut self, line: &str) {
        match Command::parse(line) {
            // The key by which one came in is the way back in, too.
            Ok(Command::Join(_)) => {
                self.session.set_room(line.split_whitespace().nth(1).map(str::to_owned));
            }
            Ok(Command::Ignore(Some(user))) => {
                self.ignored.insert(user.spelling());
            }
            Ok(Command::Unignore(user)) => {
                self.ignored.remove(&user.spelling());
            }
            // Who wants another language from the server wants it from us as well.
            Ok(Command::Lang(lang)) => self.renderer.lang = lang,
            _ => {}
        }
    }

    fn note_event(&mut self, event: &Event) {
        match event {
            Event::Said { user, .. } => self.vocabulary.spoke(user),
            Event::Joined { user, .. } => {
                // One's own is counted by the welcome, and so is what was missed before it.
                if **user != *self.renderer.me && self.catch_up.is_none() {
                    self.members += 1;
                }
                self.vocabulary.came(user);
            }
            Event::Left { user, .. } => self.gone(user),
            Event::Kicked { user, .. } if **user == *self.renderer.me => self.be_nowhere(),
            Event::Kicked { user, .. } => self.gone(user),
            Event::Ended { .. } => self.be_nowhere(),
            Event::Renamed { user, to, .. } => {
                self.vocabulary.renamed(user, to);
                if **user == *self.renderer.me {
                    self.renderer.me = to.as_ref().to_owned();
                }
                if self.owner.as_deref() == Some(&**user) {
                    self.owner = Some(to.as_ref().to_owned());
                }
            }
            Event::Owner { user, .. } => {
                self.owner = Some(user.as_ref().to_owned());
                self.vocabulary.set_owner(**user == *self.renderer.me);
            }
            _ => {}
        }
    }

    fn gone(&mut self, user: &str) {
        if self.catch_up.is_none() {
            self.members = self.members.saturating_sub(1);
        }
        self.vocabulary.went(user);
    }

    fn enter(&mut self, room: Option<&str>, members: usize, owner: Option<&str>) {
        self.room = room.map(str::to_owned);
        self.members = members;
        self.owner = owner.map(str::to_owned);
        let me = self.renderer.me.clone();
        self.vocabulary.enter(&me, room, owner == Some(&*me));
    }

    fn be_nowhere(&mut self) {
        self.enter(None, 0, None);
        self.session.leave_room();
        self.session.set_room(None);
    }

    /// Logged in, for the first time or again.
    fn welcomed(&mut self, resumed: bool) {
        if self.stage == Stage::LoggingIn {
            self.stage = Stage::Talking;
        }
        if resumed {
            let barrier =
                self.session.ask(|nonce| Request::Command { line: "/ping".into(), nonce });
            self.silent.insert(barrier);
            self.catch_up = Some(CatchUp {
                barrier,
                until: Instant::now() + CATCH_UP_PATIENCE,
                lines: 0,
                shown: Shown::default(),
            });
        }
        self.session.flush();
    }

    fn login_refused(&mut self, code: &str, text: &str) {
        match self.stage {
            // Still on the screen is what was asked, and the answer is shown below it.
            Stage::LoggingIn => self.stage = Stage::Naming,
            _ if code == SESSION_UNKNOWN => {
                for lost in self.session.begin_anew() {
                    if let Some(text) = spoken(&lost.request) {
                        self.alarm(Words::Uncertain { text });
                    }
                }
                self.remark(Words::BackAnew);
            }
            // The name was taken by somebody else meanwhile.
            _ => {
                self.screen.show(&self.renderer.alarm(text));
                self.screen.cancel();
                self.stage = Stage::Naming;
            }
        }
    }

    /// Shows what was missed while there was no connection, and how much that was.
    fn show_missed(&mut self) {
        let Some(CatchUp { lines, shown, .. }) = self.catch_up.take() else {
            return;
        };
        self.remark(if lines == 0 { Words::Back } else { Words::WhileAway { lines } });
        self.show(shown);
    }

    /// Goes on without a connection if `result` says that it was lost.
    fn or_reconnect(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        let failure = match result {
            Err(failure) if failure.invites_return() => failure,
            other => return other,
        };
        let was_in = !matches!(self.stage, Stage::Naming | Stage::LoggingIn);
        if self.options.no_reconnect || !was_in || matches!(self.stage, Stage::Leaving(_)) {
            return Err(failure);
        }
        self.show_missed_so_far();
        self.session.unlink();
        if self.reconnect.is_none() {
            let why = failure.text(self.renderer.lang).unwrap_or_default();
            let why = why.trim_end_matches('.');
            let text = Words::Reconnecting { why }.text(self.renderer.lang);
            self.screen.show(&self.renderer.alarm(&text));
        }
        self.reconnect = Some(Reconnect::start(&self.options.address, self.renderer.lang));
        self.held = None;
        self.update_prompt();
        Ok(())
    }

    /// A connection that was lost again in the middle of catching up.
    fn show_missed_so_far(&mut self) {
        if let Some(catch_up) = self.catch_up.take() {
            self.silent.remove(&catch_up.barrier);
            self.session.forget(catch_up.barrier);
            self.show(catch_up.shown);
        }
    }

    fn relink(&mut self, link: Link) {
        self.reconnect = None;
        self.session.relink(link);
    }

    fn fulfil(&mut self, wish: Result<Wish, crossbeam_channel::RecvError>) {
        let Ok(wish) = wish else {
            return;
        };
        let line = match wish {
            Wish::Members => "/who",
            Wish::Rooms => "/rooms",
        };
        if self.session.is_linked() && !self.session.is_full() {
            if wish == Wish::Members {
                self.vocabulary.forget_members();
            }
            let number = self.session.ask_line(line);
            self.silent.insert(number);
        }
    }

    fn show(&self, shown: Shown) {
        let rings = match self.options.bell {
            Bell::Never => false,
            Bell::Mention => shown.attention == Attention::Called,
            Bell::All => shown.attention >= Attention::Said,
        };
        if rings {
            self.screen.show(&format!("{}\x07\n", shown.text.trim_end_matches('\n')));
        } else {
            self.screen.show(&shown.text);
        }
    }

    fn remark(&self, words: Words<'_>) {
        self.screen.show(&self.renderer.notice(&words.text(self.renderer.lang)));
    }

    fn alarm(&self, words: Words<'_>) {
        self.screen.show(&self.renderer.alarm(&words.text(self.renderer.lang)));
    }

    fn update_prompt(&self) {
        let room = self.room.as_deref();
        let words = if self.session.is_linked() {
            Words::Prompt { room, members: self.members }
        } else {
            Words::PromptOffline { room }
        };
        self.screen.set_prompt(words.text(self.renderer.lang));
    }

    /// Gives the terminal back, and the name.
    fn end(&mut self, result: &Result<(), Failure>) {
        if self.asked {
            self.screen.cancel();
            // An editor that does not answer is busy for good; the process ends anyway.
            let _ = self.editor.typed().recv_timeout(CANCEL_PATIENCE);
        }
        let is_gone = matches!(result, Err(failure) if failure.ends_connection());
        if !is_gone {
            let line = match &self.stage {
                Stage::Leaving(line) => line.clone(),
                _ => "/quit".into(),
            };
            let (renderer, screen) = (&mut self.renderer, &self.screen);
            self.session.leave(&line, |received: &Received| {
                if let Some(message) = &received.message {
                    screen.show(&renderer.render(message).text);
                }
            });
        }
        // What comes after the end is shown if it can be, and missed by nobody.
        let _ = self.screen.close();
    }
}

fn add(shown: &mut Shown, one: Shown) {
    shown.text += &one.text;
    shown.attention = shown.attention.max(one.attention);
}

/// Lines that a person will have missed: what others said.
fn missed_lines(message: &ServerMessage<'_>) -> usize {
    match message {
        ServerMessage::Event(Event::Said { text, .. } | Event::Announced { text, .. }) => {
            text.split('\n').count()
        }
        ServerMessage::Whisper { text, .. } => text.split('\n').count(),
        _ => 0,
    }
}

/// What a person would know a request by.
fn spoken(request: &Request) -> Option<&str> {
    match request {
        Request::Say { text, .. } => text.lines().next(),
        Request::Command { line, .. } if line != "/ping" => Some(line),
        _ => None,
    }
}

fn is_quit(line: &str) -> bool {
    matches!(Input::parse(line), Input::Command(Ok(Command::Quit(_))))
}

/// Whether a private room's key stands in `line`, by itself or in a link.
fn has_key(line: &str) -> bool {
    line.split('#').skip(1).any(|rest| {
        let word = rest.split_whitespace().next().unwrap_or_default();
        RoomKey::parse(word).is_ok()
    })
}

/// The nonce that `message` carries, if it answers a request without ending it.
fn nonce_of<'a>(message: &'a ServerMessage<'_>) -> Option<&'a str> {
    match message {
        ServerMessage::Notice { nonce, .. }
        | ServerMessage::Who { nonce, .. }
        | ServerMessage::Rooms { nonce, .. }
        | ServerMessage::Whois { nonce, .. }
        | ServerMessage::Invite { nonce, .. }
        | ServerMessage::History { nonce, .. }
        | ServerMessage::Ignored { nonce, .. }
        | ServerMessage::Entered { nonce, .. }
        | ServerMessage::Pong { nonce, .. } => nonce.as_deref(),
        _ => None,
    }
}
