//! Commands of a private room's owner. The operator has some of them too, for all rooms.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    event::Time,
    name::UserName,
    notice::{Done, Notice},
    room::{Destination, LOBBY, RoomName},
};

use super::{
    caller::{Caller, Effect, Reply, Standing},
    chat::Chat,
    elsewhere::{Finding, Inquiry, KeptOrder, Located, see_off_here},
    rooms::check_admits,
};
use crate::{
    clock,
    room::{By, Op, refusal::Refusal},
    session::{Mute, Session},
};

/// Removes somebody from the caller's room. The operator removes them from any room, and
/// from the server if that is the lobby.
pub(super) fn kick(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let (other, chat) = (caller.locate(target)?, caller.chat);
    let seconds = chat.kick_window.as_secs();
    let op = Op::Kick { session: other.number(), seconds };
    let done = Done::Kicked { user: target.as_str(), seconds };
    if !caller.is_operator() {
        let result = caller.act(op);
        if result.is_ok() {
            let seconds = (caller.room_name() == LOBBY).then_some(seconds);
            match &other {
                Located::Here(session) => _ = see_off_here(&chat, session, seconds),
                Located::Elsewhere(profile) => {
                    let session = profile.session;
                    caller.ask_elsewhere(&Inquiry::SeeOff { session, seconds });
                }
            }
        }
        return Ok(caller.settle(result, done));
    }
    let nowhere = || caller.refuse(&Notice::InNoRoom { user: target.as_str() });
    let other = match other {
        Located::Here(session) => session,
        Located::Elsewhere(profile) => {
            let kick = Inquiry::Kick { session: profile.session, seconds };
            return match caller.ask_elsewhere(&kick).one() {
                Ok(Finding::InNoRoom) => Err(nowhere()),
                Ok(_) => Ok(caller.done(done)),
                Err(notice) => Err(caller.refuse(&notice)),
            };
        }
    };
    let room = chat.rooms.room_of(&other).ok_or_else(nowhere)?;
    let result = room.act(By::Operator, op);
    // If nobody is left, no leaving would do this.
    chat.services.end_when_empty(&room);
    if result.is_ok() {
        let is_lobby = Arc::ptr_eq(&room, &chat.rooms.lobby);
        see_off_here(&chat, &other, is_lobby.then_some(seconds));
    }
    match result {
        // They have just left.
        Err(Refusal::NotHere | Refusal::Ended) => Err(nowhere()),
        result => Ok(caller.settle(result, done)),
    }
}

/// Lets somebody join again; for the operator, in every room that kicked them.
pub(super) fn unkick(caller: &Caller<'_>, target: UserName) -> Reply {
    let rooms = caller.chat.rooms;
    let session = caller.locate(&target).ok().map(|located| located.number());
    let user = target.to_string();
    let done = Done::Unkicked { user: &user };
    if !caller.is_operator() {
        return caller.settle(caller.act(Op::Unkick { name: target, session }), done);
    }
    let (name, mut any) = (target.clone(), rooms.unkick(&target, session));
    any |= caller.ask_elsewhere(&Inquiry::Unkick { name, session }).one().is_ok();
    for room in rooms.all() {
        if room.status().access.kicks.keep_somebody_out(clock::now()) {
            let name = target.clone();
            any |= room.act(By::Operator, Op::Unkick { name, session }).is_ok();
        }
    }
    caller.settle(if any { Ok(()) } else { Err(Refusal::Already) }, done)
}

/// Mutes somebody in the caller's room; for the operator, everywhere.
pub(super) fn mute(
    caller: &Caller<'_>,
    target: &UserName,
    time: Option<Duration>,
) -> Result<Reply, Reply> {
    let (other, chat) = (caller.locate(target)?, caller.chat);
    let mute = Mute { until: time.map(|time| clock::now().after(time)) };
    let seconds = time.map(|time| time.as_secs());
    let op = Op::Mute { session: other.number(), mute, seconds };
    let done = Done::Muted { user: target.as_str(), seconds };
    if let Standing::Member(member) = caller.standing {
        let result = caller.act(op);
        if let (Ok(()), Some((at, until)), Some(room)) = (&result, over_at(mute), member.room) {
            chat.services.end_mute_at(at, until, room, other.number());
        }
        return Ok(caller.settle(result, done));
    }
    match other {
        Located::Here(other) => {
            mute_everywhere(&chat, &other, mute);
            if let Some(room) = chat.rooms.room_of(&other) {
                // The mute applies everywhere, and a room that has ended has no members.
                let _ = room.act(By::Operator, op);
            }
        }
        Located::Elsewhere(profile) => {
            let mute = Inquiry::Mute { session: profile.session, mute, seconds };
            caller.ask_elsewhere(&mute).one().map_err(|notice| caller.refuse(&notice))?;
        }
    }
    Ok(caller.done(done))
}

/// Mutes somebody of this server as the operator, before their room is told: the session takes
/// the mute along to any other room, and over a restart.
pub(super) fn mute_everywhere(chat: &Chat<'_>, session: &Arc<Session>, mute: Mute) {
    session.mute(mute);
    chat.services.keep_standing(session);
    if let Some((at, until)) = over_at(mute) {
        chat.services.end_operators_mute_at(at, until, session);
    }
}

/// When a mute ends by itself, by both clocks.
fn over_at(mute: Mute) -> Option<(Instant, Time)> {
    let until = mute.until?;
    Some((Instant::now().checked_add(until.since(clock::now()))?, until))
}

/// Unmutes somebody in the caller's room; for the operator, everywhere.
pub(super) fn unmute(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let other = caller.locate(target)?;
    let op = Op::Unmute { session: other.number() };
    let done = Done::Unmuted { user: target.as_str() };
    if !caller.is_operator() {
        let muted = match &other {
            Located::Here(session) => session.muted(),
            Located::Elsewhere(profile) => profile.muted,
        };
        let result = match caller.act(op) {
            Ok(()) if muted.is_some() => Err(Refusal::MutedByOperator),
            result => result,
        };
        return Ok(caller.settle(result, done));
    }
    let other = match other {
        Located::Here(session) => session,
        Located::Elsewhere(profile) => {
            let unmute = Inquiry::Unmute { session: profile.session };
            return match caller.ask_elsewhere(&unmute).one() {
                Ok(Finding::Already) => Err(caller.refuse(&Notice::Already)),
                Ok(_) => Ok(caller.done(done)),
                Err(notice) => Err(caller.refuse(&notice)),
            };
        }
    };
    let was_muted = other.unmute(None);
    caller.chat.services.keep_standing(&other);
    let here = caller.chat.rooms.room_of(&other).map(|room| room.act(By::Operator, op));
    match here {
        Some(Err(Refusal::Already)) | None if !was_muted => Err(caller.refuse(&Notice::Already)),
        _ => Ok(caller.done(done)),
    }
}

/// Mutes everyone on the server, newcomers included; only for the operator.
pub(super) fn mute_all(caller: &Caller<'_>, time: Option<Duration>) -> Reply {
    if !caller.is_operator() {
        return caller.refuse(&Notice::Nobody);
    }
    let chat = caller.chat;
    let mute = Mute { until: time.map(|time| clock::now().after(time)) };
    let seconds = time.map(|time| time.as_secs());
    // Newcomers are muted from now on. The others are found below, and keep the mute if they
    // change rooms meanwhile.
    mute_sessions(&chat, Some(mute));
    let is_kept = chat.elsewhere.is_none_or(|others| others.keep(&KeptOrder::MuteAll(mute)));
    let is_complete = act_everywhere(caller, Some(mute), Op::MuteAll { mute, seconds });
    let mut reply = caller.done(Done::AllMuted { seconds });
    if !is_kept || !is_complete {
        reply.answer.line(&Notice::Unanswered.text(caller.lang));
    }
    reply
}

/// Mutes all sessions on this server as the operator, or lifts that, before their rooms are told.
pub(crate) fn mute_sessions(chat: &Chat<'_>, mute: Option<Mute>) {
    chat.users.mute_all(mute);
    // Over a restart, too.
    chat.users.sessions().iter().for_each(|session| chat.services.keep_standing(session));
    if let Some((at, until)) = mute.and_then(over_at) {
        chat.services.end_mute_of_all_at(at, until);
    }
}

/// Mutes the sessions on all other servers or lifts that, and then tells all rooms; false if a
/// server has not answered.
fn act_everywhere(caller: &Caller<'_>, mute: Option<Mute>, op: Op) -> bool {
    let rooms = caller.chat.rooms.all();
    let Some(others) = caller.chat.elsewhere else {
        for room in rooms {
            // A room that has just ended has no members.
            let _ = room.act(By::Operator, op.clone());
        }
        return true;
    };
    // Whoever joins a room after it was told brings the mute along.
    let muted = others.ask(&Inquiry::MuteEveryone(mute), None);
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).expect("a system that has started has random bits");
    let (number, op) = (u64::from_ne_bytes(bits), Box::new(op));
    for room in rooms {
        let _ = room.act(By::Operator, Op::Once { number, op: op.clone() });
    }
    let told = others.ask(&Inquiry::ActOnce { op, number }, None);
    muted.is_complete && told.is_complete
}

/// Lifts all of the operator's mutes.
pub(super) fn unmute_all(caller: &Caller<'_>) -> Reply {
    if !caller.is_operator() {
        return caller.refuse(&Notice::Nobody);
    }
    mute_sessions(&caller.chat, None);
    let order = KeptOrder::MuteAll(Mute { until: None });
    let is_dropped = caller.chat.elsewhere.is_none_or(|others| others.drop_kept(&order));
    let is_complete = act_everywhere(caller, None, Op::UnmuteAll { only: None });
    let mut reply = caller.done(Done::AllUnmuted);
    if !is_dropped || !is_complete {
        reply.answer.line(&Notice::Unanswered.text(caller.lang));
    }
    reply
}

pub(super) fn lock(caller: &Caller<'_>) -> Reply {
    caller.settle(caller.act(Op::Lock(true)), Done::Locked { room: caller.room_name() })
}

pub(super) fn unlock(caller: &Caller<'_>) -> Reply {
    caller.settle(caller.act(Op::Lock(false)), Done::Unlocked { room: caller.room_name() })
}

pub(super) fn limit(caller: &Caller<'_>, limit: usize) -> Reply {
    let done = Done::Limited { room: caller.room_name(), limit };
    caller.settle(caller.act(Op::Limit(limit)), done)
}

/// Closes the caller's room, and takes them to the lobby.
pub(super) fn end_room(caller: &Caller<'_>) -> Result<Reply, Reply> {
    let (member, chat) = (caller.member()?, caller.chat);
    if let Err(refusal) = caller.act(Op::End) {
        return Err(caller.not_done(refusal));
    }
    if let Some(room) = member.room
        && chat.rooms.remove(room)
    {
        chat.services.note_room_ended(&room.name);
    }
    match check_admits(&chat.rooms.lobby, member.session) {
        // The owner is not left without a room.
        Ok(()) => {
            let lobby = Destination::Public(RoomName::lobby());
            Ok(caller.silence().and(Effect::Go(lobby, None)))
        }
        Err(notice) => Err(caller.refuse(&notice).and(Effect::LeaveEnded)),
    }
}

/// Hands the caller's room over to somebody.
pub(super) fn hand_over(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let other = caller.locate(target)?;
    Ok(match caller.act(Op::Owner(other.number())) {
        Ok(()) => caller.done_with(caller.begin()),
        Err(refusal) => caller.not_done(refusal),
    })
}
