//! Something said over HTTP. Its sender is a member like a program's: the session is held for one
//! message at a time, and may be resumed by its token for a while after that.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use madang_protocol::{
    message::check_rendered,
    name::UserName,
    notice::{LessonNotice, Notice},
    room::Destination,
    text::{Lang, SAID_OVERHEAD},
};

use super::claim::{FirstRoom, NewLogin, Newcomer, NotClaimed, new_token};
use crate::{
    admission::connection_table::owner_of,
    clock,
    close_reason::CloseReason,
    commands::{chat::Services, lesson},
    room::{By, Coming, Going, Greeting, Op, Room, Speech, refusal::Refusal},
    session::Session,
    shared::{Admission, Shared},
    sync::Mutex,
};

/// How long a message waits for the one before it that was sent with the same token.
const TURN: Duration = Duration::from_secs(5);

/// How long a message may take to be saved on disk.
const SAVING: Duration = Duration::from_secs(5);

/// Above this many addresses, those whose last sender has gone are forgotten.
const FEW: usize = 1_024;

/// Something to say.
pub(crate) struct Saying {
    /// The language of refusals.
    pub(crate) lang: Lang,
    pub(crate) name: String,
    /// The sender's token: of an earlier message, or of its own choice.
    pub(crate) token: Option<String>,
    pub(crate) room: Destination,
    /// Sanitized.
    pub(crate) text: String,
}

/// Something that was said.
pub(crate) struct Posted {
    /// The token that the sender goes on with.
    pub(crate) token: String,
    /// Whether it is on disk, if the room is saved there.
    pub(crate) durable: Option<bool>,
    /// How long it is for each reader, in bytes.
    pub(crate) rendered_bytes: usize,
}

/// Why something was not said.
pub(crate) enum NotPosted {
    Refused(NotClaimed),
    /// The token is that of another name.
    TokenOfAnother,
}

impl From<Notice<'static>> for NotPosted {
    fn from(notice: Notice<'static>) -> NotPosted {
        NotPosted::Refused(NotClaimed::Other(notice))
    }
}

impl From<NotClaimed> for NotPosted {
    fn from(refused: NotClaimed) -> NotPosted {
        NotPosted::Refused(refused)
    }
}

impl From<Refusal> for NotPosted {
    fn from(refusal: Refusal) -> NotPosted {
        refusal.notice().into()
    }
}

/// Who says something over HTTP, and who did.
#[derive(Default)]
pub(crate) struct Posters {
    /// Who said something last, by address. Whoever takes another name for every message waits as
    /// long as under the last one, and stays muted with it.
    last: Mutex<HashMap<IpAddr, Weak<Session>>>,
    /// The connections that are saying something at the moment.
    posting: Mutex<HashSet<u64>>,
}

/// A connection is saying something, until this is dropped.
struct Posting<'a> {
    posters: &'a Posters,
    connection: u64,
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.posters.posting.lock().remove(&self.connection);
    }
}

impl Posters {
    fn begin(&self, connection: u64) -> Posting<'_> {
        self.posting.lock().insert(connection);
        Posting { posters: self, connection }
    }

    /// Whether a connection is saying something: then it lets its session go in a moment.
    pub(crate) fn is_posting(&self, connection: u64) -> bool {
        self.posting.lock().contains(&connection)
    }

    fn last(&self, address: IpAddr) -> Option<Arc<Session>> {
        self.last.lock().get(&address)?.upgrade()
    }

    fn note(&self, address: IpAddr, session: &Arc<Session>) {
        let mut table = self.last.lock();
        if table.len() >= FEW && !table.contains_key(&address) {
            table.retain(|_, session| session.strong_count() > 0);
        }
        table.insert(address, Arc::downgrade(session));
    }
}

/// The connection of a sender, which lasts for one message.
#[derive(Clone, Copy)]
pub(crate) struct PostConnection<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) admission: &'a Admission,
    pub(crate) address: IpAddr,
}

/// A session that is held for one message. When this is dropped, it is let go; a new one ends
/// if it has said nothing.
struct Held<'a> {
    sender: PostConnection<'a>,
    session: Arc<Session>,
    stays: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let PostConnection { shared, admission, address } = self.sender;
        let (session, number) = (&self.session, admission.number);
        let let_go = || shared.let_go(session, number, admission.counted());
        if self.stays.then(let_go).flatten().is_none() && shared.users.close(session, number) {
            let how = Some((address, CloseReason::Refused));
            let room = shared.rooms.room_of(session);
            shared.end_session(session, room, Going::Expires, how);
        }
    }
}

impl<'a> PostConnection<'a> {
    /// Says something. Blocks until everyone in the room was sent it and, where the room is
    /// saved, until it is on disk.
    ///
    /// # Errors
    ///
    /// Why nothing was said.
    pub(crate) fn say(self, saying: Saying) -> Result<Posted, NotPosted> {
        let shared = self.shared;
        if shared.users.teachers.gives_away(&saying.text) {
            return Err(Notice::Lesson(LessonNotice::CodeInText).into());
        }
        // A public room is never made for a message, and a key opens one that is there.
        let room = shared.rooms.find(&saying.room).ok_or(Notice::NoSuchRoom)?;
        let user = UserName::parse(&saying.name).map_err(NotClaimed::NoName)?;
        let rendered_bytes = check_rendered(user.as_str(), &saying.text, SAID_OVERHEAD)?;
        let _posting = shared.posters.begin(self.admission.number);
        let mut held = self.hold(&saying, &user, &room)?;
        self.enter(&held.session, &room)?;
        let text = saying.text;
        room.say_one(&held.session, Speech { text, me: false, nonce: None, rendered_bytes })?;
        held.stays = true;
        held.session.note_spoke(clock::now());
        shared.check_histories();
        shared.posters.note(owner_of(self.address), &held.session);
        let kept = shared.journal.as_ref().filter(|_| room.is_durable());
        Ok(Posted {
            token: held.session.token_text().to_owned(),
            durable: kept.map(|journal| journal.settle(Instant::now() + SAVING)),
            rendered_bytes,
        })
    }

    /// Takes the session of the token, or claims the name for a new one.
    fn hold(self, saying: &Saying, user: &UserName, room: &Room) -> Result<Held<'a>, NotPosted> {
        let users = &self.shared.users;
        if let Some(token) = &saying.token {
            let deadline = Instant::now() + TURN;
            let borrowed = loop {
                let wanted = self.shared.bring_session(token, 0)?;
                let borrowed = users.borrow(token, self.admission.number, TURN);
                // It may have passed to another server meanwhile, and is followed there.
                let may_be_elsewhere = wanted.in_cluster && matches!(borrowed, Ok(None));
                if !may_be_elsewhere || Instant::now() >= deadline {
                    break borrowed;
                }
            };
            let in_use = |_| NotClaimed::NameInUse { proposal: users.free_name_like(user) };
            if let Some(session) = borrowed.map_err(in_use)? {
                let held = Held { sender: self, session, stays: true };
                self.check_held(&held.session, user)?;
                return Ok(held);
            }
        }
        self.check_last(room)?;
        let token = match &saying.token {
            Some(token) => token.clone(),
            None => new_token().map_err(|_| Notice::Busy)?,
        };
        let newcomer = Newcomer::new(self.shared, self.admission, self.address, saying.lang);
        let login = NewLogin {
            name: saying.name.clone(),
            place: FirstRoom::of(saying.room.clone()),
            quiet: None,
            shown: 0,
            previous: None,
            nonce: None,
        };
        let (session, _) = newcomer.claim(login, Some(token))?;
        self.shared.keep_new_session(&session, &saying.room);
        Ok(Held { sender: self, session, stays: false })
    }

    /// Whether a session may go on that nobody held for a while.
    fn check_held(self, session: &Session, user: &UserName) -> Result<(), NotPosted> {
        let (name, now) = (session.name(), clock::now());
        if name.spelling() != user.spelling() {
            return Err(NotPosted::TokenOfAnother);
        }
        if self.shared.bans.bans_name(&name) {
            return Err(Notice::NameBanned.into());
        }
        let kicks = self.shared.rooms.lobby.status().access.kicks;
        let left = kicks.left_for_session(session.number, now);
        match left.or_else(|| kicks.left_for_name(&name, now)) {
            Some(left) => Err(Refusal::kicked_for(left).into()),
            None => Ok(()),
        }
    }

    /// Whether the address may say something under a new name: whoever said something last from
    /// there may.
    fn check_last(self, room: &Room) -> Result<(), NotPosted> {
        let Some(last) = self.shared.posters.last(owner_of(self.address)) else { return Ok(()) };
        if let Some(mute) = last.muted() {
            return Err(Refusal::muted(mute, clock::now()).into());
        }
        let Some(there) = self.shared.rooms.room_of(&last) else { return Ok(()) };
        // A lesson's rules are the same in all public rooms.
        if there.number == room.number || (there.key.is_none() && room.key.is_none()) {
            match there.act(By::of(&last), Op::MaySpeak) {
                // It has just left.
                Err(Refusal::NoMember | Refusal::Ended) => {}
                may_speak => may_speak?,
            }
        }
        Ok(())
    }

    /// Makes a session a member of a room where it may speak, if it is none. Blocks until that
    /// is done.
    fn enter(self, session: &Arc<Session>, room: &Arc<Room>) -> Result<(), Refusal> {
        let shared = self.shared;
        if session.room() == Some(room.number) {
            return Ok(());
        }
        room.status().admits(session.number, Some(&session.name()))?;
        if let Some(mute) = session.muted() {
            return Err(Refusal::muted(mute, clock::now()));
        }
        let keeps_silent = shared.rooms.lesson.read(|state| state.keeps_silent(session.number));
        if room.key.is_none() && keeps_silent && !session.is_teacher() {
            return Err(Refusal::Listening);
        }
        if let Some(old) = shared.rooms.room_of(session) {
            old.leave_for_another(session.number);
            shared.end_when_empty(&old);
        }
        match room.key {
            None => lesson::return_to_lesson(&shared.chat(), session),
            Some(_) => lesson::leave_lesson(&shared.chat(), session),
        }
        let outbox = shared.ended_outbox(self.admission);
        let greeting = Greeting::Welcome;
        room.enter(Coming { session: session.clone(), outbox, greeting, shown: 0 })?;
        shared.keep_renderings(room);
        Ok(())
    }
}
