//! The other servers, if several are one chat: what commands ask them about their people and
//! rooms, and how a server answers. How questions travel is the cluster's business.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::Banned,
    event::{RoomSummary, Time},
    name::UserName,
    notice::{Goodbye, Notice},
    room::RoomName,
    words::RoomWords,
};
use serde::{Deserialize, Serialize};

use super::{
    absent::{AbsentOrder, find_absent_here, order_absent_here},
    chat::Chat,
    lesson,
    server::announce_here,
};
use crate::{
    clock,
    room::{By, Op},
    session::{Mute, Sender, Session, Whispered, Whisperer},
};

/// How long archives that are away are waited for with what they are to delete.
const FORGETS_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The other servers.
pub(crate) trait Elsewhere {
    /// Asks all of them; blocks until whoever can answer has, or a moment has passed. Under the
    /// same session and nonce, it has its effect once.
    fn ask(&self, inquiry: &Inquiry, once: Option<(u64, &str)>) -> Findings;

    /// Takes an order that holds on servers that start later, too. Never blocks.
    fn note(&self, order: &KeptOrder);

    /// Lifts an order: one in its place would have replaced it. Never blocks.
    fn lift(&self, order: &KeptOrder);

    /// Has those orders kept where servers find them that start later. Blocks until that is done;
    /// false if it is to be done once the other servers can be reached again.
    fn hand_orders_over(&self) -> bool;

    /// Has the other servers read them, after they were asked to carry them out.
    fn announce_orders(&self);

    /// Whether a server that is alive has claimed this name; false if that is not known. Blocks.
    fn is_claimed(&self, name: &UserName) -> bool;

    /// The public rooms where somebody with this name may be whose server is gone: those that it
    /// had open. None if no other server has claimed the name, or that is not known. Blocks.
    fn rooms_of_absent(&self, name: &UserName) -> Option<Vec<RoomName>>;

    /// The time by the clock of all servers' events; `None` if it can't be reached.
    fn time(&self) -> Option<Time>;
}

/// An order of the operator that holds on servers that start later, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeptOrder {
    /// The ban ends at this time; without one, it lasts.
    Ban { banned: Banned, until: Option<Time> },
    /// Everyone is muted, or nobody any more; as the order with this number.
    MuteAll { mute: Option<Mute>, number: u64 },
    /// For archives that are away: to delete what was said in a room until then.
    Forget(Forgetting),
}

/// What to delete in archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forgetting {
    pub(crate) room: RoomName,
    /// Only what this person said.
    pub(crate) name: Option<UserName>,
    /// Only what was said until then.
    pub(crate) until: Time,
}

impl KeptOrder {
    /// Of two with the same name, the later one counts.
    pub(crate) fn name(&self) -> String {
        match self {
            KeptOrder::Ban { banned: Banned::Name(name), .. } => format!("ban {}", name.spelling()),
            KeptOrder::Ban { banned: Banned::Address(range), .. } => format!("ban {range}"),
            KeptOrder::MuteAll { .. } => "mute all".to_owned(),
            KeptOrder::Forget(Forgetting { room, name, .. }) => {
                let name = name.as_ref().map_or("", UserName::as_str);
                format!("forget {} {name}", room.key())
            }
        }
    }

    /// When it ends.
    pub(crate) fn until(&self) -> Option<Time> {
        match self {
            KeptOrder::Ban { until, .. } => *until,
            KeptOrder::MuteAll { mute, .. } => mute.and_then(|mute| mute.until),
            KeptOrder::Forget(Forgetting { until, .. }) => Some(until.after(FORGETS_FOR)),
        }
    }
}

/// What a server is asked, or asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Inquiry {
    /// For the profile of the person with this name.
    Find(UserName),
    /// For the profile of a member with this name whose server is gone, if a room here knows them.
    FindAbsent(UserName),
    /// For the profiles of everyone.
    People,
    /// For the public rooms.
    Rooms,
    Whisper {
        to: Recipient,
        /// The sender; `None` is the operator.
        from: Option<Sender>,
        text: String,
        time: Time,
        /// Whether the lesson lets the sender whisper to teachers only.
        to_teachers: bool,
    },
    /// To kick somebody from their room, as the operator.
    Kick {
        session: u64,
        seconds: u64,
    },
    /// To do the rest for somebody who was kicked, from the lobby if there are `seconds`.
    SeeOff {
        session: u64,
        seconds: Option<u64>,
    },
    /// To mute somebody everywhere, as the operator.
    Mute {
        session: u64,
        mute: Mute,
        seconds: Option<u64>,
    },
    /// To lift that.
    Unmute {
        session: u64,
    },
    /// To do something about a member with this name whose server is gone, as the operator, if a
    /// room here knows them. It is done once under this number, on however many servers that room
    /// is open.
    OrderAbsent {
        name: UserName,
        order: AbsentOrder,
        number: u64,
    },
    /// To let somebody join again, in every room that kicked them.
    Unkick {
        name: UserName,
        session: Option<u64>,
    },
    Ban {
        banned: Banned,
        seconds: Option<u64>,
    },
    Unban {
        banned: Banned,
    },
    /// To use up the ticket of a teacher's link, if it is one of this server's.
    TakeTicket(String),
    /// To mute everyone as the operator, or to lift that, as the order with this number; their
    /// rooms are told separately.
    MuteEveryone {
        mute: Option<Mute>,
        number: u64,
    },
    /// To have this op carried out in all rooms, in each once under this number.
    ActOnce {
        op: Box<Op>,
        number: u64,
    },
    /// To make somebody a teacher.
    MakeTeacher {
        session: u64,
    },
    /// For the room that these words open.
    Words(String),
    /// To tell everyone something, as the announcement with this number.
    Announce {
        text: String,
        number: u64,
    },
}

/// Who is to get a whisper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Recipient {
    Named(UserName),
    /// The session with this number, whatever its name is now.
    Session(u64),
}

/// The answer of one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Finding {
    /// Not here.
    Nobody,
    Person(Box<Profile>),
    People(Vec<Profile>),
    Rooms(Vec<RoomSummary<'static>>),
    Whispered {
        outcome: Whispered,
        user: UserName,
    },
    /// The lesson lets the sender whisper to teachers only.
    NoTeacher,
    /// They are in no room.
    InNoRoom,
    Done,
    /// It was so already, and nobody else has anything to add.
    Refused,
    /// It was so already.
    Already,
    /// These were disconnected.
    Closed(Vec<(UserName, IpAddr)>),
    /// So many were told.
    Told(usize),
    /// The key of the room.
    Opens(String),
    /// It is to be asked again in a moment.
    Busy,
}

/// The answers of the servers that have one.
pub(crate) struct Findings {
    pub(crate) findings: Vec<Finding>,
    /// Whether nobody else could have had one.
    pub(crate) is_complete: bool,
}

/// What others may know of somebody; the address and the rest are for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) session: u64,
    pub(crate) user: UserName,
    /// The name of their room, or the mark of a private one.
    pub(crate) room: Option<Arc<str>>,
    /// Known to their own server only; so is the next.
    pub(crate) since: Option<Time>,
    pub(crate) spoke_at: Option<Time>,
    pub(crate) muted: Option<Mute>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) is_away: bool,
    pub(crate) is_quiet: bool,
    /// Whether they only watch, as a stream over HTTP.
    pub(crate) is_stream: bool,
}

impl Profile {
    pub(crate) fn of(chat: &Chat<'_>, session: &Session) -> Profile {
        Profile {
            session: session.number,
            user: session.name(),
            room: chat.rooms.room_of(session).map(|room| room.name.clone()),
            since: Some(session.since),
            spoke_at: Some(session.spoke_at()),
            muted: session.muted(),
            address: chat.services.address_of(session),
            is_away: session.is_away(),
            is_quiet: session.quiet().is_some(),
            is_stream: session.is_stream(),
        }
    }
}

impl Finding {
    /// Whether no other server has anything to add.
    pub(crate) fn is_enough(&self) -> bool {
        !matches!(
            self,
            Finding::Nobody
                | Finding::Rooms(_)
                | Finding::People(_)
                | Finding::Already
                | Finding::Closed(_)
                | Finding::Told(_)
                | Finding::Busy
        )
    }
}

impl Findings {
    /// Of a server that is alone.
    pub(super) fn none() -> Findings {
        Findings { findings: Vec::new(), is_complete: true }
    }

    /// The one answer that counts.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn one(self) -> Result<Finding, Notice<'static>> {
        let found = self.findings.into_iter().find(Finding::is_enough);
        found.ok_or(if self.is_complete { Notice::Nobody } else { Notice::Unanswered })
    }
}

impl Inquiry {
    /// Whether [`answer_server`] blocks until rooms have answered; otherwise it does not block.
    pub(crate) fn asks_rooms(&self) -> bool {
        matches!(self, Inquiry::FindAbsent(_) | Inquiry::OrderAbsent { .. })
    }
}

/// Answers another server.
pub(crate) fn answer_server(chat: &Chat<'_>, inquiry: Inquiry) -> Finding {
    match inquiry {
        Inquiry::Find(name) => match chat.users.find(&name) {
            Some(session) => Finding::Person(Profile::of(chat, &session).into()),
            None => Finding::Nobody,
        },
        Inquiry::FindAbsent(name) => find_absent_here(chat, &name),
        Inquiry::OrderAbsent { name, order, number } => {
            order_absent_here(chat, &name, order, number)
        }
        Inquiry::People => {
            let sessions = chat.users.sessions();
            Finding::People(sessions.iter().map(|session| Profile::of(chat, session)).collect())
        }
        Inquiry::Rooms => Finding::Rooms(chat.rooms.listed().to_vec()),
        Inquiry::Whisper { to, from, text, time, to_teachers } => {
            let session = match &to {
                Recipient::Named(name) => chat.users.find(name),
                Recipient::Session(number) => chat.users.numbered(*number),
            };
            let session = session.filter(|session| chat.users.stays(session));
            let Some(session) = session else { return Finding::Nobody };
            if to_teachers && !session.is_teacher() {
                return Finding::NoTeacher;
            }
            let from = from.as_ref().map_or(Whisperer::Operator, Whisperer::Elsewhere);
            match session.whisper(from, &text, time) {
                Whispered::Gone => Finding::Nobody,
                outcome => {
                    chat.services.note_whispered(&session);
                    Finding::Whispered { outcome, user: session.name() }
                }
            }
        }
        Inquiry::Kick { session, seconds } => with(chat, session, |session| {
            let Some(room) = chat.rooms.room_of(session) else { return Finding::InNoRoom };
            let op = Op::Kick { session: session.number, seconds };
            if room.act_now(By::Operator, op).is_err() {
                return Finding::InNoRoom;
            }
            chat.services.end_when_empty(&room);
            let is_lobby = Arc::ptr_eq(&room, &chat.rooms.lobby);
            see_off_here(chat, session, is_lobby.then_some(seconds))
        }),
        Inquiry::SeeOff { session, seconds } => {
            with(chat, session, |session| see_off_here(chat, session, seconds))
        }
        Inquiry::Mute { session, mute, seconds } => with(chat, session, |session| {
            super::moderation::mute_everywhere(chat, session, mute);
            if let Some(room) = chat.rooms.room_of(session) {
                let op = Op::Mute { session: session.number, mute, seconds };
                // A room that has ended has no members.
                let _ = room.act_now(By::Operator, op);
            }
            Finding::Done
        }),
        Inquiry::Unmute { session } => with(chat, session, |session| {
            if !session.unmute(None) {
                return Finding::Already;
            }
            chat.services.keep_standing(session);
            if let Some(room) = chat.rooms.room_of(session) {
                let _ = room.act_now(By::Operator, Op::Unmute { session: session.number });
            }
            Finding::Done
        }),
        Inquiry::Unkick { name, session } => {
            let is_busy = chat.rooms.is_ending();
            let mut any = false;
            for room in chat.rooms.all() {
                let kicks = room.status().access.kicks;
                if !kicks.lifted_by(&name, session, clock::now()).is_empty() {
                    let op = Op::Unkick { name: name.clone(), session };
                    any |= room.act_now(By::Operator, op).is_ok();
                }
            }
            match any {
                true => Finding::Done,
                false if is_busy => Finding::Busy,
                false => Finding::Already,
            }
        }
        Inquiry::Ban { banned, seconds } => {
            chat.bans.ban(banned.clone(), seconds.map(Duration::from_secs));
            Finding::Closed(chat.services.close_banned(&banned))
        }
        Inquiry::Unban { banned } => match chat.bans.unban(&banned) {
            true => Finding::Done,
            false => Finding::Already,
        },
        Inquiry::TakeTicket(given) => {
            match chat.users.teachers.take_ticket(&given, Instant::now()) {
                true => Finding::Done,
                false => Finding::Nobody,
            }
        }
        Inquiry::MuteEveryone { mute, number } => {
            super::moderation::mute_sessions(chat, mute, number);
            Finding::Already
        }
        Inquiry::ActOnce { op, number } => {
            super::moderation::act_once(chat, number, *op);
            Finding::Already
        }
        Inquiry::MakeTeacher { session } => {
            with(chat, session, |session| match super::teacher::appoint(chat, session) {
                true => Finding::Done,
                false => Finding::Refused,
            })
        }
        Inquiry::Words(words) => {
            let opened =
                RoomWords::parse(&words).and_then(|it| chat.spoken.find(it, Instant::now()));
            opened.map_or(Finding::Nobody, |key| Finding::Opens(key.show()))
        }
        Inquiry::Announce { text, number } => {
            let op = Op::Once { number, op: Box::new(Op::Announce(text.clone())) };
            Finding::Told(announce_here(chat, &text, &op))
        }
    }
}

fn with(chat: &Chat<'_>, session: u64, act: impl FnOnce(&Arc<Session>) -> Finding) -> Finding {
    chat.users.numbered(session).as_ref().map_or(Finding::Nobody, act)
}

/// Does what follows on the server of somebody who was kicked; from the lobby, if there are
/// `seconds`, they are sent away.
pub(super) fn see_off_here(chat: &Chat<'_>, session: &Session, seconds: Option<u64>) -> Finding {
    lesson::leave_lesson(chat, session);
    if let Some(seconds) = seconds {
        // Whoever comes back to the session from now on finds the kick.
        chat.services.close_connection_of(session, Goodbye::Kicked { seconds });
    }
    Finding::Done
}
