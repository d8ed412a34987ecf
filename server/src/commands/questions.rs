//! Commands that only ask: who is where, which rooms there are, what was said.

use madang_protocol::{
    event::ServerMessage,
    name::UserName,
    notice::Notice,
    room::{Destination, RoomName, is_private},
    text::Lang,
};

use super::{
    caller::{Caller, Effect, Membership, Reply, Standing},
    invite, one_line,
};
use crate::{room::Question, session::Session};

/// How many events `/history` shows without a number.
pub(super) const HISTORY_EVENTS: usize = 50;

/// Lists who is in a room; to the operator, who is where on the server.
pub(super) fn who(
    caller: &Caller<'_>,
    room: Option<&RoomName>,
    after: Option<&UserName>,
) -> Result<Reply, Reply> {
    if matches!(caller.standing, Standing::Operator) {
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

/// Lists everyone on the server, or in one room, with the room where they are.
fn who_is_where(caller: &Caller<'_>, room: Option<&RoomName>) -> Result<Reply, Reply> {
    let chat = caller.chat;
    let room = match room.map(|room| chat.rooms.find(&Destination::Public(room.clone()))) {
        Some(None) => return Err(caller.refuse(&Notice::NoSuchRoom)),
        Some(found) => found,
        None => None,
    };
    let sessions = chat.users.sessions();
    let mut people: Vec<(String, String)> = sessions
        .iter()
        .filter(|session| room.as_ref().is_none_or(|room| session.room() == Some(room.number)))
        .map(|session| describe(caller, session))
        .collect();
    people.sort();
    let count = people.len();
    let mut answer = caller.begin();
    answer.line(&match caller.lang {
        Lang::Ko => format!("대화 참여자 {count}명"),
        Lang::En => format!("{count} here"),
    });
    people.iter().for_each(|(place, person)| answer.line(&format!("  {place}: {person}")));
    Ok(caller.answered(answer))
}

/// Where somebody is, and who it is.
fn describe(caller: &Caller<'_>, session: &Session) -> (String, String) {
    let room = caller.chat.rooms.room_of(session);
    let place = room.map_or_else(|| "-".to_owned(), |room| room.name.to_string());
    let away = match (session.is_away(), caller.lang) {
        (false, _) => "",
        (true, Lang::Ko) => " (연결 끊김)",
        (true, Lang::En) => " (away)",
    };
    (place, format!("{}{away}", session.name()))
}

/// Lists the public rooms; to the operator, all of them.
pub(super) fn list_rooms(caller: &Caller<'_>) -> Reply {
    let mut answer = caller.begin();
    if matches!(caller.standing, Standing::Operator) {
        for room in caller.chat.rooms.all() {
            let status = room.status();
            let topic = status.topic.map(|topic| format!(" · {topic}")).unwrap_or_default();
            answer.line(&format!("  {} ({}){topic}", room.name, status.members));
        }
        return caller.answered(answer);
    }
    let rooms = caller.chat.rooms.listed();
    answer.rooms(&rooms, caller.nonce);
    caller.answered(answer)
}

/// Tells what may be known about somebody.
pub(super) fn whois(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let session = caller.find(target)?;
    let (user, room) = (session.name(), caller.chat.rooms.room_of(&session));
    let room = room.as_ref().map(|room| &*room.name).filter(|room| !is_private(room));
    let mut answer = caller.begin();
    answer.message(&ServerMessage::Whois {
        user: user.as_str().into(),
        room: room.map(Into::into),
        since: session.since,
        away: session.is_away(),
        nonce: caller.nonce.map(Into::into),
    });
    Ok(caller.answered(answer))
}

/// Tells the room's topic.
pub(super) fn topic(caller: &Caller<'_>) -> Reply {
    ask(caller, Question::Topic)
}

/// Tells what happened before the id `before`.
pub(crate) fn history(caller: &Caller<'_>, before: Option<u64>, limit: Option<usize>) -> Reply {
    ask(caller, Question::History { before, limit: limit.unwrap_or(usize::MAX) })
}

/// Tells how others come into the caller's room.
pub(super) fn invite(caller: &Caller<'_>, qr: bool) -> Result<Reply, Reply> {
    let Membership { room, came_by, .. } = caller.member()?;
    let room = room.ok_or_else(|| caller.refuse(&Notice::NoRoom))?;
    let invite = invite::invitation(room, came_by, caller.chat.doors, qr);
    let mut answer = caller.begin();
    answer.message(&invite.message(&room.name, caller.nonce));
    Ok(ask(caller, Question::Answered(answer)))
}

/// Lists whom the caller hides.
pub(super) fn list_hidden(caller: &Caller<'_>) -> Result<Reply, Reply> {
    let names = caller.member()?.session.hidden_names();
    let mut answer = caller.begin();
    answer.message(&ServerMessage::Ignored {
        users: names.iter().map(|name| (&**name).into()).collect(),
        nonce: caller.nonce.map(Into::into),
    });
    Ok(caller.answered(answer))
}

/// Answers after all that the caller sent before.
pub(super) fn ping(caller: &Caller<'_>, token: Option<&str>) -> Reply {
    ask(caller, Question::Ping { token: token.map(one_line) })
}

/// Has the caller's room answer, after all that was said before.
fn ask(caller: &Caller<'_>, question: Question) -> Reply {
    match caller.standing {
        Standing::Member(Membership { room: Some(room), .. }) => {
            caller.silence().and(Effect::Ask(room.clone(), question))
        }
        _ => unanswered(caller, question),
    }
}

/// What a question comes to that no room has answered: the caller is in none, or it has
/// ended.
pub(crate) fn unanswered(caller: &Caller<'_>, question: Question) -> Reply {
    match question {
        Question::WhoThere { .. } => caller.refuse(&Notice::NoSuchRoom),
        // Nothing waits to be answered before.
        Question::Ping { token } => {
            let mut answer = caller.begin();
            let nonce = caller.nonce.map(Into::into);
            answer.message(&ServerMessage::Pong { token: token.map(Into::into), nonce });
            caller.answered(answer)
        }
        _ => caller.refuse(&Notice::NoRoom),
    }
}
