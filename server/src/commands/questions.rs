//! Commands that only ask: about people, rooms and earlier messages.

use std::{net::IpAddr, sync::Arc, time::Instant};

use madang_protocol::{
    command::InviteBy,
    event::{ServerMessage, Time},
    name::UserName,
    notice::{Notice, Present},
    room::{Destination, RoomName, is_private, room_name},
};

use super::{
    caller::{Caller, Effect, Membership, Reply, Standing},
    invite, one_line,
};
use crate::{clock, room::Question, session::Session};

/// Lists the members of a room; for the operator, everyone on the server.
pub(super) fn who(
    caller: &Caller<'_>,
    room: Option<&RoomName>,
    after: Option<&UserName>,
) -> Result<Reply, Reply> {
    if caller.is_operator() {
        return who_is_where(caller, room);
    }
    caller.member()?;
    let after = match after {
        Some(name) => Some(caller.find(name)?.number),
        None => None,
    };
    let Some(room) = room else { return Ok(ask(caller, Question::Who { after })) };
    let no_room = || caller.refuse(&Notice::NoSuchRoom);
    let room = caller.chat.rooms.find(&Destination::Public(room.clone())).ok_or_else(no_room)?;
    Ok(caller.silence().and(Effect::Ask(room, Question::WhoThere { after })))
}

/// Lists everyone on the server, or in one room, with their rooms.
fn who_is_where(caller: &Caller<'_>, room: Option<&RoomName>) -> Result<Reply, Reply> {
    let chat = caller.chat;
    let room = match room.map(|room| chat.rooms.find(&Destination::Public(room.clone()))) {
        Some(None) => return Err(caller.refuse(&Notice::NoSuchRoom)),
        Some(found) => found,
        None => None,
    };
    let is_there = |session: &Arc<Session>| {
        room.as_ref().is_none_or(|room| session.room() == Some(room.number))
    };
    let sessions = chat.users.sessions().into_iter().filter(is_there);
    let mut people: Vec<Person> = sessions.map(|session| Person::of(caller, &session)).collect();
    people.sort_by(|one, other| (&one.room, &one.user).cmp(&(&other.room, &other.user)));
    let people: Vec<Present<'_>> = people.iter().map(Person::present).collect();
    Ok(caller.tell(&Notice::People { count: Some(people.len()), people: &people }))
}

/// A row of the operator's list of people.
struct Person {
    user: String,
    room: Option<Arc<str>>,
    address: Option<IpAddr>,
    idle: u64,
    muted: Option<Option<u64>>,
    quiet: bool,
    stream: bool,
}

impl Person {
    fn of(caller: &Caller<'_>, session: &Session) -> Person {
        let now = clock::now();
        let room = caller.chat.rooms.room_of(session);
        let muted = session.muted().map(|mute| mute.until);
        Person {
            user: session.name().to_string(),
            room: room.map(|room| room.name.clone()),
            address: caller.chat.services.address_of(session),
            idle: seconds_between(session.spoke_at(), now),
            muted: muted.map(|until| until.map(|until| seconds_between(now, until))),
            quiet: session.quiet().is_some(),
            stream: session.is_stream(),
        }
    }

    fn present(&self) -> Present<'_> {
        Present {
            user: &self.user,
            room: self.room.as_deref(),
            address: self.address,
            idle: self.idle,
            muted: self.muted,
            quiet: self.quiet,
            stream: self.stream,
        }
    }
}

/// Whole seconds; none if the clock was set back.
fn seconds_between(from: Time, until: Time) -> u64 {
    u64::try_from((until.as_millis() - from.as_millis()) / 1_000).unwrap_or(0)
}

/// Lists the public rooms; for the operator, all rooms.
pub(super) fn list_rooms(caller: &Caller<'_>) -> Reply {
    let mut answer = caller.begin();
    if caller.is_operator() {
        for room in caller.chat.rooms.all() {
            let status = room.status();
            let topic = status.topic.map(|topic| format!(" · {topic}")).unwrap_or_default();
            let name = room_name(&room.name, caller.lang);
            answer.line(&format!("  {name} ({}){topic}", status.members));
        }
        return caller.answered(answer);
    }
    let rooms = caller.chat.rooms.listed();
    answer.rooms(&rooms, caller.nonce);
    caller.answered(answer)
}

/// Looks somebody up.
pub(super) fn whois(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let session = caller.find(target)?;
    let (user, room) = (session.name(), caller.chat.rooms.room_of(&session));
    let is_shown = |room: &&str| caller.is_operator() || !is_private(room);
    let room = room.as_ref().map(|room| &*room.name).filter(is_shown);
    let mut answer = caller.begin();
    answer.message(&ServerMessage::Whois {
        user: user.as_str().into(),
        room: room.map(Into::into),
        since: session.since,
        away: session.is_away(),
        quiet: session.quiet().is_some(),
        stream: session.is_stream(),
        nonce: caller.nonce.map(Into::into),
    });
    if caller.is_operator() {
        let person = Person::of(caller, &session);
        answer.notice(&Notice::People { count: None, people: &[person.present()] });
    }
    Ok(caller.answered(answer))
}

/// Shows the room's topic.
pub(super) fn topic(caller: &Caller<'_>) -> Reply {
    if let Standing::Operator(room) = caller.standing {
        return match room.status().topic {
            Some(topic) => caller.tell(&Notice::TopicIs(&topic)),
            None => caller.tell(&Notice::NoTopic),
        };
    }
    ask(caller, Question::Topic)
}

/// Shows how to invite others to the caller's room.
pub(super) fn invite(caller: &Caller<'_>, by: InviteBy) -> Result<Reply, Reply> {
    if let Standing::Operator(room) = caller.standing {
        if by == InviteBy::Words {
            // The operator's commands apply to public rooms.
            return Err(caller.refuse(&Notice::WordsArePrivate));
        }
        // The console draws the code.
        let (invite, qr) = invite::invitation(room, None, caller.chat.doors, true).without_qr();
        let mut answer = caller.begin();
        answer.message(&invite.message(&room.name, None));
        return Ok(caller.answered(answer).and(qr.map_or(Effect::Nothing, Effect::Draw)));
    }
    let Membership { room, came_by, .. } = caller.member()?;
    let room = room.ok_or_else(|| caller.refuse(&Notice::NoRoom))?;
    let qr = by == InviteBy::Qr;
    let mut invite = invite::invitation(room, came_by, caller.chat.doors, qr);
    if by == InviteBy::Words {
        let key = room.key.ok_or_else(|| caller.refuse(&Notice::WordsArePrivate))?;
        let (words, left) = caller.chat.spoken.of(key, caller.lang, Instant::now());
        invite = invite.with_words(words, left);
    }
    let mut answer = caller.begin();
    answer.message(&invite.message(&room.name, caller.nonce));
    Ok(ask(caller, Question::Answered(answer)))
}

/// Shows the caller's ignore list.
pub(super) fn list_hidden(caller: &Caller<'_>) -> Result<Reply, Reply> {
    let names = caller.member()?.session.hidden_names();
    let mut answer = caller.begin();
    answer.message(&ServerMessage::Ignored {
        users: names.iter().map(|name| (&**name).into()).collect(),
        nonce: caller.nonce.map(Into::into),
    });
    Ok(caller.answered(answer))
}

/// Answers after everything that the caller sent before.
pub(super) fn ping(caller: &Caller<'_>, token: Option<&str>) -> Reply {
    ask(caller, Question::Ping { token: token.map(one_line) })
}

/// Has the caller's room answer, after everything said before.
pub(super) fn ask(caller: &Caller<'_>, question: Question) -> Reply {
    match caller.standing {
        Standing::Member(Membership { room: Some(room), .. }) => {
            caller.silence().and(Effect::Ask(room.clone(), question))
        }
        _ => unanswered(caller, question),
    }
}

/// The reply to a question that no room can answer: the caller is in none, or it has ended.
pub(crate) fn unanswered(caller: &Caller<'_>, question: Question) -> Reply {
    match question {
        Question::WhoThere { .. } => caller.refuse(&Notice::NoSuchRoom),
        // There is nothing to wait for.
        Question::Ping { token } => {
            let mut answer = caller.begin();
            let nonce = caller.nonce.map(Into::into);
            answer.message(&ServerMessage::Pong { token: token.map(Into::into), nonce });
            caller.answered(answer)
        }
        _ => caller.refuse(&Notice::NoRoom),
    }
}
