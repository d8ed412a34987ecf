//! Commands that go to another room, make one, or set its topic.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
    time::Instant,
};

use madang_protocol::{
    limits::TOPIC_BYTES,
    name::UserName,
    notice::{Done, Notice},
    room::{Destination, RoomKey, RoomName},
    sanitize::sanitize_message,
};

use super::{
    caller::{Caller, Effect, Reply, Standing},
    chat::Chat,
    elsewhere::{Finding, Inquiry},
    one_line,
    people::check_speaks,
};
use crate::{
    admission::spoken::NotOpened,
    room::{Op, Room, directory::NotMade, refusal::Refusal},
    session::{Quiet, Session},
};

/// Goes to a room; a public room is made if it does not exist. Before the login, this chooses the
/// first room.
pub(super) fn join(caller: &Caller<'_>, destination: Destination) -> Reply {
    let chat = caller.chat;
    if caller.is_operator() {
        return look_at(caller, destination);
    }
    let session = caller.member().ok().map(|member| member.session);
    let quiet = session.and_then(|session| session.quiet());
    let opened = check_public(quiet, &destination)
        .and_then(|()| open_words(&caller.chat, caller.origin, destination));
    let destination = match opened {
        Ok(destination) => destination,
        Err(notice) => return caller.refuse(&notice),
    };
    let Standing::Member(member) = caller.standing else {
        return match check_destination(&chat, &destination, None) {
            Ok(room) => {
                caller.tell(&Notice::RoomChosen { room: &room }).and(Effect::Choose(destination))
            }
            Err(notice) => caller.refuse(&notice),
        };
    };
    let there = match chat.rooms.reach(&destination) {
        Ok(there) => there,
        Err(error) => return caller.refuse(&not_made(error)),
    };
    let current = member.session.room();
    if there.as_ref().is_some_and(|room| current == Some(room.number)) {
        return caller.refuse(&Notice::InRoomAlready);
    }
    let there = match (there, &destination) {
        (Some(room), _) => Ok(room),
        // Before the old room is left: making one may be refused.
        (None, Destination::Public(name)) => make_public(&chat, caller.address, name),
        (None, Destination::Private(_) | Destination::Words(_)) => Err(Notice::NoSuchRoom),
    };
    match there.and_then(|room| check_admits(&room, member.session)) {
        Ok(()) => caller.silence().and(Effect::Go(destination, None)),
        Err(notice) => caller.refuse(&notice),
    }
}

/// Makes the operator's commands apply to a room. The operator does not join it.
fn look_at(caller: &Caller<'_>, destination: Destination) -> Reply {
    let found = match &destination {
        Destination::Public(_) => match caller.chat.rooms.reach(&destination) {
            Ok(found) => found.ok_or(Notice::NoPublicRoom),
            Err(error) => Err(not_made(error)),
        },
        // A link makes its user a member whom others see, so it is refused here.
        Destination::Private(_) | Destination::Words(_) => Err(Notice::NoSuchRoom),
    };
    let room = match found {
        Ok(room) => room,
        Err(notice) => return caller.refuse(&notice),
    };
    let status = room.status();
    let (members, topic) = (status.members, status.topic.as_deref());
    let done = Done::Looking { room: &room.name, members, topic };
    caller.done(done).and(Effect::Go(destination, Some(room.clone())))
}

/// Goes back to the lobby.
pub(super) fn leave(caller: &Caller<'_>) -> Result<Reply, Reply> {
    if caller.is_operator() {
        return Ok(look_at(caller, Destination::Public(RoomName::lobby())));
    }
    let (session, lobby) = (caller.member()?.session, &caller.chat.rooms.lobby);
    if session.room() == Some(lobby.number) {
        return Err(caller.refuse(&Notice::InRoomAlready));
    }
    check_admits(lobby, session).map_err(|notice| caller.refuse(&notice))?;
    let lobby = Destination::Public(RoomName::lobby());
    Ok(caller.silence().and(Effect::Go(lobby, None)))
}

/// Makes a private room that the caller owns, and goes there.
pub(super) fn make(caller: &Caller<'_>, topic: Option<&str>) -> Result<Reply, Reply> {
    let member = caller.member()?;
    if member.session.quiet().is_some() {
        return Err(caller.refuse(&Notice::PublicOnly));
    }
    // The title is the topic, which everyone who joins sees.
    if topic.is_some() {
        check_speaks(caller, member)?;
    }
    let topic = topic.unwrap_or_default();
    let room = make_private(&caller.chat, caller.address, member.session, topic)
        .map_err(|notice| caller.refuse(&notice))?;
    let key = room.key.map(Destination::Private);
    Ok(match key {
        Some(key) => caller.silence().and(Effect::Go(key, Some(room))),
        None => caller.silence(),
    })
}

/// Sets the room's topic.
pub(super) fn set_topic(caller: &Caller<'_>, topic: &str) -> Reply {
    // A hyphen alone clears it.
    let topic = if topic == "-" { "" } else { topic };
    match read_topic(topic) {
        Ok(topic) => {
            let done = Done::TopicSet { room: caller.room_name(), topic: &topic };
            caller.settle(caller.act(Op::Topic(topic.clone())), done)
        }
        Err(notice) => caller.refuse(&notice),
    }
}

/// Checks that a newcomer could go there, under this name if it is known: returns the room's
/// name, or the refusal.
pub(crate) fn check_destination(
    chat: &Chat<'_>,
    destination: &Destination,
    name: Option<&UserName>,
) -> Result<Arc<str>, Notice<'static>> {
    match (chat.rooms.reach(destination).map_err(not_made)?, destination) {
        (Some(room), _) => {
            room.status().admits(0, name).map_err(Refusal::notice)?;
            Ok(room.name.clone())
        }
        (None, Destination::Public(name)) => Ok(name.as_str().into()),
        (None, Destination::Private(_) | Destination::Words(_)) => Err(Notice::NoSuchRoom),
    }
}

/// Checks that a quiet session may go there. This comes before the room is looked up, so that a
/// wrong key is refused like a right one.
pub(crate) fn check_public(
    quiet: Option<Quiet>,
    destination: &Destination,
) -> Result<(), Notice<'static>> {
    match (quiet, destination) {
        (Some(_), Destination::Private(_) | Destination::Words(_)) => Err(Notice::PublicOnly),
        _ => Ok(()),
    }
}

/// Resolves a destination given as words to the key of their room. A wrong try is counted for
/// `origin`.
pub(crate) fn open_words(
    chat: &Chat<'_>,
    origin: Option<IpAddr>,
    destination: Destination,
) -> Result<Destination, Notice<'static>> {
    let (Destination::Words(words), Some(origin)) = (&destination, origin) else {
        return Ok(destination);
    };
    let is_there = |key| matches!(chat.rooms.reach(&Destination::Private(key)), Ok(Some(_)));
    let elsewhere = || {
        let inquiry = Inquiry::Words(words.to_string());
        match chat.elsewhere?.ask(&inquiry, None).one() {
            Ok(Finding::Opens(key)) => RoomKey::parse(&key).ok().filter(|key| is_there(*key)),
            _ => None,
        }
    };
    match chat.spoken.open(*words, origin, Instant::now(), is_there, elsewhere) {
        Ok(key) => Ok(Destination::Private(key)),
        Err(NotOpened::Unknown) => Err(Notice::NoSuchWords),
        Err(NotOpened::TooMany(wait)) => Err(Notice::TooManyWords { seconds: wait.as_secs() + 1 }),
    }
}

/// Checks that a session could join a room, before it leaves another one.
pub(super) fn check_admits(room: &Room, session: &Session) -> Result<(), Notice<'static>> {
    room.status().admits(session.number, Some(&session.name())).map_err(Refusal::notice)
}

/// Makes a private room for `session`, its owner; the topic may be empty.
pub(crate) fn make_private(
    chat: &Chat<'_>,
    address: Option<IpAddr>,
    session: &Session,
    topic: &str,
) -> Result<Arc<Room>, Notice<'static>> {
    let topic = Some(read_topic(topic)?).filter(|topic| !topic.is_empty());
    allow_room(chat, address)?;
    let room = chat.rooms.make_private(session.number, topic).map_err(not_made)?;
    chat.services.end_when_empty(&room);
    let handle: Weak<Room> = Arc::downgrade(&room);
    session.own(handle);
    Ok(room)
}

/// Makes a public room.
pub(crate) fn make_public(
    chat: &Chat<'_>,
    address: Option<IpAddr>,
    name: &RoomName,
) -> Result<Arc<Room>, Notice<'static>> {
    allow_room(chat, address)?;
    let room = chat.rooms.make_public(name).map_err(not_made)?;
    chat.services.end_when_empty(&room);
    Ok(room)
}

fn allow_room(chat: &Chat<'_>, address: Option<IpAddr>) -> Result<(), Notice<'static>> {
    let Some(address) = address else { return Ok(()) };
    let taken = chat.room_allowance.take(address, Instant::now());
    taken.map_err(|wait| Notice::RoomsTooFast { seconds: wait.as_secs() + 1 })
}

/// The topic, sanitized, or what is wrong with it.
fn read_topic(topic: &str) -> Result<Arc<str>, Notice<'static>> {
    // A login's topic is not part of a command, so it is sanitized only here.
    let topic = one_line(&sanitize_message(topic));
    if topic.len() > TOPIC_BYTES {
        return Err(Notice::TextTooLong { bytes: topic.len(), limit: TOPIC_BYTES });
    }
    Ok(topic.into())
}

pub(crate) fn not_made(error: NotMade) -> Notice<'static> {
    match error {
        NotMade::TooMany { limit } => Notice::TooManyRooms { limit },
        // The goodbye follows.
        NotMade::Closed => Notice::NoSuchRoom,
        NotMade::Unreachable => Notice::Unavailable,
    }
}
