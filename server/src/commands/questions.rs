//! Commands that only ask: about people, rooms and earlier messages.

use std::{collections::HashSet, net::IpAddr, sync::Arc, time::Instant};

use madang_protocol::{
    command::InviteBy,
    event::{RoomSummary, ServerMessage, Time},
    name::UserName,
    notice::{Notice, Present},
    room::{Destination, RoomName, is_private, room_name},
};

use super::{
    absent::members_of,
    caller::{Caller, Effect, Membership, Reply, Standing},
    elsewhere::{Finding, Findings, Inquiry, Profile},
    invite, one_line,
    rooms::not_made,
};
use crate::{
    clock,
    room::{Question, Room, directory::list_of},
};

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
    let room = room.map(|room| reach_public(caller, room)).transpose()?;
    let number_of = |name| match (caller.find_anywhere(name), &room) {
        (Err(notice), Some(room)) => {
            let absent = room.bearer(name).ok_or_else(|| caller.refuse(&notice))?;
            Ok(absent.session)
        }
        (found, _) => caller.number_of(name, found),
    };
    let after = after.map(number_of).transpose()?;
    Ok(match room {
        Some(room) => caller.silence().and(Effect::Ask(room, Question::WhoThere { after })),
        None => ask(caller, Question::Who { after }),
    })
}

/// Lists everyone on the server, or in one room, with their rooms. Of those whose server is gone, it
/// lists the members of rooms that are open here.
fn who_is_where(caller: &Caller<'_>, room: Option<&RoomName>) -> Result<Reply, Reply> {
    let chat = caller.chat;
    let room = room.map(|room| reach_public(caller, room)).transpose()?;
    // First: whoever comes meanwhile is known to a server.
    let members = match chat.elsewhere {
        Some(_) => members_of(&room.clone().map_or_else(|| chat.rooms.all(), |room| vec![room])),
        None => Vec::new(),
    };
    let sessions = chat.users.sessions();
    let here = sessions.iter().map(|session| Profile::of(&chat, session));
    let Findings { findings, is_complete } = caller.ask_elsewhere(&Inquiry::People);
    let elsewhere = findings.into_iter().flat_map(|finding| match finding {
        Finding::People(people) => people,
        _ => Vec::new(),
    });
    let mut people: Vec<Profile> = here.chain(elsewhere).collect();
    if is_complete {
        let known: HashSet<u64> = people.iter().map(|profile| profile.session).collect();
        people.extend(members.into_iter().filter(|member| !known.contains(&member.session)));
    }
    let is_there = |profile: &Profile| {
        room.as_ref().is_none_or(|room| profile.room.as_ref() == Some(&room.name))
    };
    let mut people: Vec<Person> = people.into_iter().filter(is_there).map(Person::of).collect();
    people.sort_by(|one, other| (&one.room, &one.user).cmp(&(&other.room, &other.user)));
    let people: Vec<Present<'_>> = people.iter().map(Person::present).collect();
    Ok(caller.tell(&Notice::People { count: Some(people.len()), people: &people }))
}

/// A row of the operator's list of people.
struct Person {
    user: String,
    room: Option<Arc<str>>,
    address: Option<IpAddr>,
    idle: Option<u64>,
    muted: Option<Option<u64>>,
    quiet: bool,
    stream: bool,
}

impl Person {
    fn of(profile: Profile) -> Person {
        let now = clock::now();
        let muted = profile.muted.map(|mute| mute.until);
        Person {
            user: profile.user.to_string(),
            room: profile.room,
            address: profile.address,
            idle: profile.spoke_at.map(|spoke_at| seconds_between(spoke_at, now)),
            muted: muted.map(|until| until.map(|until| seconds_between(now, until))),
            quiet: profile.is_quiet,
            stream: profile.is_stream,
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
    match caller.chat.elsewhere {
        None => answer.rooms(&rooms, caller.nonce),
        Some(_) => answer.rooms(&with_others(caller, &rooms), caller.nonce),
    }
    caller.answered(answer)
}

/// The list of public rooms, with those that only other servers have.
fn with_others(caller: &Caller<'_>, here: &[RoomSummary<'static>]) -> Vec<RoomSummary<'static>> {
    let mut rooms = here.to_vec();
    let mut known: HashSet<String> = rooms.iter().map(|room| room.room.to_string()).collect();
    for finding in caller.ask_elsewhere(&Inquiry::Rooms).findings {
        if let Finding::Rooms(others) = finding {
            rooms.extend(others.into_iter().filter(|room| known.insert(room.room.to_string())));
        }
    }
    list_of(rooms)
}

/// The public room with this name, on any server.
fn reach_public(caller: &Caller<'_>, room: &RoomName) -> Result<Arc<Room>, Reply> {
    let reached = caller.chat.rooms.reach(&Destination::Public(room.clone()));
    let reached = reached.map_err(|error| caller.refuse(&not_made(error)))?;
    reached.ok_or_else(|| caller.refuse(&Notice::NoPublicRoom))
}

/// Looks somebody up.
pub(super) fn whois(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let profile = match caller.find_anywhere(target) {
        Ok(located) => located.profile(&caller.chat),
        Err(notice) => caller.find_absent(target).ok_or_else(|| caller.refuse(&notice))?,
    };
    let is_shown = |room: &&str| caller.is_operator() || !is_private(room);
    let room = profile.room.as_deref().filter(is_shown);
    let mut answer = caller.begin();
    answer.message(&ServerMessage::Whois {
        user: profile.user.as_str().into(),
        room: room.map(Into::into),
        since: profile.since,
        away: profile.is_away,
        quiet: profile.is_quiet,
        stream: profile.is_stream,
        nonce: caller.nonce.map(Into::into),
    });
    if caller.is_operator() {
        let person = Person::of(profile);
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
        Question::WhoThere { .. } => caller.refuse(&Notice::NoPublicRoom),
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
