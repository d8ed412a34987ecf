//! A person at a terminal with a Madang server: asks for a name until the server accepts one,
//! then carries lines in both directions until either side ends, across lost connections.

use std::{collections::HashSet, sync::Arc, time::Instant};

use crossbeam_channel::{Receiver, RecvError, after, at, never, select};
use madang_protocol::{name::NameKey, room::is_private};
use madang_terminal::{
    editor::{Ask, CANCEL_PATIENCE, Editor, Owner, Setup, Typed},
    screen::{FULL_PAUSE, Screen},
    style::Palette,
    tty_mode::Quiet,
};

use self::{
    returning::{CatchUp, spoken},
    saving::Saving,
};
use crate::{
    cli::{Bell, Options},
    clock::Clock,
    connection::Incoming,
    failure::Failure,
    history::History,
    lesson::Lesson,
    link::{Link, Received},
    reconnect::Reconnect,
    render::{Attention, Renderer, Shown},
    session::{Asked, Session, Wanted},
    vocabulary::{Vocabulary, Wish},
    words::Words,
};

mod typing;
mod hearing;
mod returning;
mod saving;

/// How many requests may wait for an answer at once.
const WINDOW: usize = 32;

/// The code of the answer to a client whose session no longer exists.
pub(crate) const SESSION_UNKNOWN: &str = "session_unknown";

/// What the next typed line means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// A name.
    Naming,
    /// Nothing yet: the server has to answer first.
    LoggingIn,
    /// The answer to "go to the lobby?", after the room was refused for this reason.
    RoomRefused(String),
    /// Text or a command for the room.
    Talking,
    /// The answer to "send this paste?".
    Pasting(String),
    /// Nothing: the person is leaving, with these last words, as soon as everything is
    /// answered.
    Leaving(String),
}

/// Why a line may not be meant for the current room.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doubt {
    /// It was begun in another room, which was this one.
    BegunIn(String),
    /// It may have been typed before one knew that this command was refused.
    TypedBehind(&'static str),
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
    /// The editor is reading a line.
    asked: bool,
    /// The editor has been stopped, and has not yet returned the text it had.
    stopped: bool,
    /// The text that the next line begins with.
    initial: String,
    /// Text that was not sent, and goes back into that line if nothing is being typed there.
    unsent: Vec<String>,
    /// Why the next line may not be meant for this room; the person is asked only if there is a
    /// doubt.
    doubt: Option<Doubt>,
    /// The command whose answer the next line waits for, and until when.
    held: Option<(u64, Instant)>,
    /// Requests made by the client itself. Their answers are not shown.
    silent: HashSet<u64>,
    /// When Ctrl-C was pressed on an empty line, if nothing has been typed since.
    interrupted_at: Option<Instant>,
    /// Whether the person has been told that the server does not answer.
    told_late: bool,

    room: Option<String>,
    members: usize,
    topic: Option<String>,
    /// The welcome, until the history has been shown above it.
    greeting: Option<Shown>,
    owner: Option<String>,
    lesson: Lesson,
    saving: Saving,
    /// Whether the prompt shows the mark for unsaved lines.
    shows_mark: bool,
    /// The people on the ignore list.
    ignored: HashSet<NameKey>,
    /// The sender of the last whisper.
    whisperer: Option<String>,

    reconnect: Option<Reconnect>,
    catch_up: Option<CatchUp>,
}

/// Runs the conversation until it ends. Sends `/quit` before it returns, unless the connection
/// has ended.
pub(crate) fn run(
    link: Link,
    options: &Options,
    renderer: Renderer,
    palette: Palette,
    interrupts: Receiver<()>,
) -> Result<(), Failure> {
    // Dropped last, when the editor has given the terminal back.
    let _quiet = Quiet::start();
    let screen = Screen::new(palette);
    let (vocabulary, wishes) = Vocabulary::new();
    let vocabulary = Arc::new(vocabulary);
    vocabulary.set_lang(renderer.lang);
    let history = History::of_user();
    let source = Arc::clone(&vocabulary);
    let setup =
        Setup { owner: Owner::Client, source: Some(source), palette, remembered: history.load() };
    let editor = Editor::start(&screen, setup).map_err(Failure::Stdin)?;
    let motd = renderer.notice(link.motd().trim_end());
    if !link.motd().trim().is_empty() {
        screen.show(&motd);
    }
    let wanted = Wanted {
        name: String::new(),
        room: options.room.clone().or_else(|| options.address.room.clone()),
        history: None,
        quiet: false,
    };
    let mut app = App {
        options,
        session: Session::new(link, wanted, WINDOW, options.answer_timeout),
        renderer,
        screen,
        editor,
        vocabulary,
        wishes,
        history,
        interrupts,
        stage: Stage::Naming,
        asked: false,
        stopped: false,
        initial: String::new(),
        unsent: Vec::new(),
        doubt: None,
        held: None,
        silent: HashSet::new(),
        interrupted_at: None,
        told_late: false,
        room: None,
        members: 0,
        topic: None,
        greeting: None,
        owner: None,
        lesson: Lesson::default(),
        saving: Saving::default(),
        shows_mark: false,
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

    /// The next moment at which something is due without an incoming message.
    fn timer(&self, is_full: bool) -> Receiver<Instant> {
        if is_full {
            // A full screen sends no signal when it has space again.
            return after(FULL_PAUSE);
        }
        let held = self.held.map(|(_, until)| until);
        let catch_up = self.catch_up.as_ref().map(|catch_up| catch_up.until);
        let late = self.late().map(|(_, at)| at);
        // Once the mark is shown, there is nothing more to wait for.
        let marked = self.saving.marked_at().filter(|_| !self.shows_mark);
        let lesson = self.lesson.changes_in(Clock::now()).map(|wait| Instant::now() + wait);
        [held, catch_up, late, marked, lesson].into_iter().flatten().min().map_or_else(never, at)
    }

    /// The request that has been waiting longest, and when to tell the person that it is late.
    fn late(&self) -> Option<(&str, Instant)> {
        let is_waited_for =
            |asked: &&Asked| !asked.was_said && !self.silent.contains(&asked.number);
        let mut asked = self.session.out().filter(is_waited_for);
        let text = asked.find_map(|asked| spoken(&asked.request))?;
        (!self.told_late).then(|| (text, self.session.late_at()))
    }

    fn after_time(&mut self) {
        let now = Instant::now();
        if self.held.is_some_and(|(_, until)| until <= now) {
            self.held = None;
        }
        if self.catch_up.as_ref().is_some_and(|catch_up| catch_up.until <= now) {
            self.show_missed();
        }
        if let Some((text, at)) = self.late()
            && at <= now
        {
            self.remark(Words::Late { text });
            self.told_late = true;
        }
        if self.shows_mark != self.saving.is_marked(now) {
            self.update_prompt();
        }
        self.update_pinned();
    }

    fn may_leave(&self) -> bool {
        !self.session.is_linked() || self.session.unanswered().len() == 0
    }

    /// Asks the editor for the next line, if one may be typed now.
    fn ask(&mut self) {
        if self.asked || self.held.is_some() {
            return;
        }
        let lang = self.renderer.lang;
        let ask = match &self.stage {
            Stage::Naming => Ask::Question(Words::AskName.text(lang)),
            Stage::RoomRefused(_) => Ask::Question(Words::AskLobby.text(lang)),
            Stage::Pasting(text) => {
                Ask::Question(Words::AskPaste { lines: text.lines().count() }.text(lang))
            }
            Stage::Talking => Ask::Line(std::mem::take(&mut self.initial)),
            Stage::LoggingIn | Stage::Leaving(_) => return,
        };
        self.editor.ask(ask);
        self.asked = true;
    }

    /// Stops the current line; the editor returns the text typed so far. At most once per line:
    /// a second time would stop the next line, or end the process as Ctrl-C does.
    fn stop_line(&mut self) {
        if self.asked && !self.stopped {
            self.stopped = true;
            self.screen.cancel();
        }
    }

    fn fulfil(&mut self, wish: Result<Wish, RecvError>) {
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

    fn update_prompt(&mut self) {
        // A private room is known by its title, where it has one.
        let title = self.topic.as_deref().filter(|topic| !topic.trim().is_empty());
        let room = self.room.as_deref();
        let room = room.map(|room| title.filter(|_| is_private(room)).unwrap_or(room));
        let words = if self.session.is_linked() {
            self.shows_mark = self.saving.is_marked(Instant::now());
            Words::Prompt { room, members: self.members, is_unsafe: self.shows_mark }
        } else {
            self.shows_mark = false;
            Words::PromptOffline { room }
        };
        self.screen.set_prompt(words.text(self.renderer.lang));
    }

    /// The row above the prompt. Without a connection, nobody knows what goes on.
    fn update_pinned(&self) {
        let pinned = self.lesson.pinned(self.renderer.lang, Clock::now());
        self.screen.pin(pinned.filter(|_| self.session.is_linked()));
    }

    /// Gives the terminal back, and logs out.
    fn end(&mut self, result: &Result<(), Failure>) {
        if self.asked {
            self.stop_line();
            // An editor that does not answer is stuck; the process ends anyway.
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
        // What arrives now is shown if possible; it does no harm if it can't be.
        let _ = self.screen.close();
    }
}
