//! What the server sends: showing it, and keeping track of the room and its members.

use std::{borrow::Cow, time::Instant};

use madang_protocol::{
    command::Command,
    event::{Event, ServerMessage},
    name::UserName,
    notice::Notice,
    request::Request,
    room::is_private,
};
use madang_terminal::size::terminal_size;

use super::{App, SESSION_UNKNOWN};
use crate::{
    connection::Incoming,
    failure::Failure,
    render::Shown,
    session::{Asked, IN_ROOM_ALREADY, LOGIN, nonce_of},
    vocabulary::Wish,
};

/// The error codes for what can be sent a little later, as it is.
const TOO_SOON: [&str; 2] = ["slow", "listening"];

/// After a gap, the members are counted again if there were no more than this many.
const COUNTED_MEMBERS: usize = 500;

/// A screen with no more rows has no space for what came before the history.
const SMALL_ROWS: u16 = 15;

impl App<'_> {
    pub(super) fn heard(&mut self, incoming: Incoming) -> Result<(), Failure> {
        self.told_late = false;
        let mut shown = Shown::default();
        let mut shows_own_joining = false;
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
            if let (Some(asked), ServerMessage::Error { code, .. }) = (&asked, message) {
                if asked.moves() && *code != IN_ROOM_ALREADY {
                    self.doubt_after(asked);
                }
                if TOO_SOON.contains(&&**code) {
                    self.keep_refused(asked);
                }
            }
            if let ServerMessage::Bye { reason, seconds } = message {
                self.show(shown);
                return Err(Failure::bye(reason, *seconds));
            }
            shows_own_joining |= match message {
                ServerMessage::Event(Event::Joined { user, .. }) => **user == *self.renderer.me,
                // A welcome to no room has none.
                ServerMessage::Welcome { room, .. } => room.is_none(),
                _ => false,
            };
            let is_silent = self.is_silent(message, asked.as_ref());
            if let (ServerMessage::Ack { durable, .. }, Some(asked)) = (message, &asked)
                && asked.speaks()
                && let Some(words) = self.saving.acknowledged(*durable)
            {
                shown.text += &self.renderer.notice(&words.text(self.renderer.lang));
            }
            self.note(message, asked.as_ref());
            self.note_lesson(message);
            if let Some(line) = self.session.command_of(message) {
                self.renderer.note_answered(line);
            }
            let message = &*self.without_hidden(message);
            if !is_silent && !self.hides(message) {
                let done = match (message, &asked) {
                    (ServerMessage::Ack { .. }, Some(asked)) => self.render_done(&asked.request),
                    _ => String::new(),
                };
                match (&mut self.catch_up, message) {
                    (Some(_), ServerMessage::Welcome { .. }) => {}
                    (Some(catch_up), _) => catch_up.keep(message, done, &self.renderer.me),
                    (None, ServerMessage::Welcome { .. }) if is_small(terminal_size()) => {
                        // After the history, because it would scroll off the screen otherwise.
                        self.greeting = Some(self.renderer.render(message));
                    }
                    (None, _) => {
                        add(&mut shown, self.renderer.render(message));
                        shown.text += &done;
                    }
                }
            }
            let barrier = self.catch_up.as_ref().map(|catch_up| catch_up.barrier);
            if asked.is_some_and(|asked| Some(asked.number) == barrier) {
                self.show(std::mem::take(&mut shown));
                self.show_missed();
            }
        }
        if let Some(greeting) = self.greeting.take_if(|_| shows_own_joining) {
            add(&mut shown, greeting);
        }
        self.show(shown);
        self.return_unsent();
        self.saving.note(self.session.has_unsaved(), Instant::now());
        self.update_prompt();
        Ok(())
    }

    /// What to show for a request that was carried out, if no event does.
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

    /// Whether `message` answers a request of the client's own.
    fn is_silent(&mut self, message: &ServerMessage<'_>, asked: Option<&Asked>) -> bool {
        if let Some(Asked { number, .. }) = asked {
            // The client has its own message for a session that is over.
            let is_over =
                matches!(message, ServerMessage::Error { code, .. } if code == SESSION_UNKNOWN);
            return self.silent.remove(number) || is_over;
        }
        let number = nonce_of(message).and_then(|nonce| nonce.parse().ok());
        number.is_some_and(|number: u64| self.silent.contains(&number))
    }

    /// Whether the speaker is on the ignore list.
    fn hides(&self, message: &ServerMessage<'_>) -> bool {
        matches!(message, ServerMessage::Event(event) if self.hides_event(event))
    }

    fn hides_event(&self, event: &Event) -> bool {
        match event {
            Event::Said { user, .. } if !self.ignored.is_empty() => {
                UserName::parse(user).is_ok_and(|user| self.ignored.contains(&user.spelling()))
            }
            _ => false,
        }
    }

    /// A `history` without what people on the ignore list said; any other message as it is.
    fn without_hidden<'m>(
        &self,
        message: &'m ServerMessage<'static>,
    ) -> Cow<'m, ServerMessage<'static>> {
        match message {
            ServerMessage::History { room, events, more, gaps, earliest, gone, nonce }
                if !self.ignored.is_empty() =>
            {
                let is_shown = |event: &&Cow<'_, Event>| !self.hides_event(event);
                let events = events.iter().filter(is_shown).cloned().collect();
                let (room, nonce) = (room.clone(), nonce.clone());
                Cow::Owned(ServerMessage::History {
                    room,
                    events,
                    more: *more,
                    gaps: gaps.clone(),
                    earliest: *earliest,
                    gone: *gone,
                    nonce,
                })
            }
            message => Cow::Borrowed(message),
        }
    }

    /// Updates the room and its members from `message`.
    fn note(&mut self, message: &ServerMessage<'_>, asked: Option<&Asked>) {
        match message {
            ServerMessage::Welcome {
                user, room, members, topic, owner, durable, resumed, ..
            } => {
                self.renderer.me = user.clone().into_owned();
                let was_in = self.room.take();
                self.enter(room.as_deref(), *members, owner.as_deref());
                self.topic = topic.as_deref().map(str::to_owned);
                self.saving.enter(*durable);
                self.hold_draft_of(was_in);
                self.welcomed(*resumed);
            }
            ServerMessage::Entered { room, members, topic, owner, durable, .. } => {
                self.enter(Some(room), *members, owner.as_deref());
                self.topic = topic.as_deref().map(str::to_owned);
                self.saving.enter(*durable);
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
            ServerMessage::Gap { .. } | ServerMessage::Event(Event::Restarted { .. })
                if self.members <= COUNTED_MEMBERS =>
            {
                // Joins and leaves in the meantime were not announced.
                self.fulfil(Ok(Wish::Members));
            }
            ServerMessage::Invite { key: Some(key), .. } => {
                self.session.set_room(Some(format!("#{key}")));
            }
            ServerMessage::Who { room, count, members, more, .. }
                if self.room.as_deref() == Some(&**room) =>
            {
                self.members = *count;
                self.vocabulary.learn_members(members.iter().map(|name| &**name), !more);
            }
            ServerMessage::Rooms { rooms, more, .. } => {
                self.vocabulary.learn_rooms(rooms.iter().map(|room| &*room.room), !more);
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
            // Coming back needs the same key.
            Ok(Command::Join(destination)) => {
                self.session.set_room(Some(destination.to_string()));
            }
            Ok(Command::Ignore(Some(user))) => {
                self.ignored.insert(user.spelling());
            }
            Ok(Command::Unignore(user)) => {
                self.ignored.remove(&user.spelling());
            }
            // People make rooms to invite others.
            Ok(Command::New(_)) => _ = self.session.ask_line("/invite"),
            // The client follows when the server's language is changed.
            Ok(Command::Lang(lang)) => {
                self.renderer.lang = lang;
                self.vocabulary.set_lang(lang);
            }
            Ok(Command::Lesson(command)) => self.lesson.note_done(&command),
            _ => {}
        }
    }

    fn note_event(&mut self, event: &Event) {
        match event {
            Event::Topic { topic, .. } => self.topic = Some(topic.as_ref().to_owned()),
            Event::Said { user, .. } => self.vocabulary.spoke(user),
            Event::Joined { user, .. } => {
                // The welcome already counts the member itself, and everything before it.
                if **user != *self.renderer.me && self.catch_up.is_none() {
                    self.members = self.members.saturating_add(1);
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

    /// Updates what is known of the lesson, and what Tab completes by it.
    fn note_lesson(&mut self, message: &ServerMessage<'_>) {
        if self.lesson.note(message) {
            self.vocabulary.learn_lesson(&self.lesson);
        }
    }

    fn gone(&mut self, user: &str) {
        if self.catch_up.is_none() {
            self.members = self.members.saturating_sub(1);
        }
        self.vocabulary.went(user);
    }

    pub(super) fn enter(&mut self, room: Option<&str>, members: usize, owner: Option<&str>) {
        self.room = room.map(str::to_owned);
        self.members = members;
        self.topic = None;
        self.owner = owner.map(str::to_owned);
        let me = self.renderer.me.clone();
        self.vocabulary.enter(&me, room, owner == Some(&*me));
    }

    pub(super) fn be_nowhere(&mut self) {
        self.enter(None, 0, None);
        self.lesson.leave();
        self.vocabulary.learn_lesson(&self.lesson);
        self.session.set_room(None);
    }
}

/// Whether the screen has too few rows to show more than the history.
fn is_small((_, rows): (u16, u16)) -> bool {
    rows <= SMALL_ROWS
}

pub(super) fn add(shown: &mut Shown, one: Shown) {
    shown.text += &one.text;
    shown.attention = shown.attention.max(one.attention);
}
