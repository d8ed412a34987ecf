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
    absent::{AbsentOrder, note_absent_kicked},
    caller::{Caller, Effect, Reply, Standing},
    chat::Chat,
    elsewhere::{Finding, Inquiry, KeptOrder, see_off_here},
    locating::Located,
    rooms::check_admits,
};
use crate::{
    clock,
    room::{By, Muter, Op, log::Unreachable, refusal::Refusal},
    session::{Mute, Session},
};

/// How long a room that has ended may take to leave its kicks where they can be lifted.
const ENDING: Duration = Duration::from_secs(2);

/// How soon such a room is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Removes somebody from the caller's room. The operator removes them from any room, and
/// from the server if that is the lobby.
pub(super) fn kick(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let (chat, seconds) = (caller.chat, caller.chat.kick_window.as_secs());
    let other = match caller.find_anywhere(target) {
        Ok(other) => other,
        Err(notice) => {
            let result = if caller.is_operator() {
                caller.order_absent(target, AbsentOrder::Kick { seconds }, notice)?
            } else {
                let (room, absent) = caller.absent(target, notice)?;
                let result = caller.act(Op::Kick { session: absent.session, seconds });
                note_absent_kicked(&chat, room, &absent, result)
            };
            return Ok(caller.settle(result, Done::Kicked { user: target.as_str(), seconds }));
        }
    };
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
    let inquiry = Inquiry::Unkick { name: target.clone(), session };
    let deadline = Instant::now() + ENDING;
    let mut any = false;
    let ended = loop {
        let is_ending = rooms.is_ending();
        let ended = rooms.unkick(&target, session);
        let found = caller.ask_elsewhere(&inquiry).findings;
        any |= ended == Ok(true) || found.iter().any(Finding::is_enough);
        let is_busy = is_ending || found.iter().any(|finding| matches!(finding, Finding::Busy));
        // A room that has just ended leaves its kicks in a moment.
        if ended.is_err() || !is_busy || Instant::now() >= deadline {
            break ended;
        }
        std::thread::park_timeout(LOOK_AGAIN);
    };
    for room in rooms.all() {
        if room.status().access.kicks.keep_somebody_out(clock::now()) {
            let name = target.clone();
            any |= room.act(By::Operator, Op::Unkick { name, session }).is_ok();
        }
    }
    let result = match ended {
        _ if any => Ok(()),
        Ok(_) => Err(Refusal::Already),
        Err(Unreachable) => Err(Refusal::Unavailable),
    };
    caller.settle(result, done)
}

/// Mutes somebody in the caller's room; for the operator, everywhere.
pub(super) fn mute(
    caller: &Caller<'_>,
    target: &UserName,
    time: Option<Duration>,
) -> Result<Reply, Reply> {
    let (other, chat) = (caller.find_anywhere(target), caller.chat);
    let mute = Mute { until: time.map(|time| clock::now().after(time)) };
    let seconds = time.map(|time| time.as_secs());
    let done = Done::Muted { user: target.as_str(), seconds };
    if let Standing::Member(member) = caller.standing {
        let session = caller.number_of(target, other)?;
        let result = caller.act(Op::Mute { session, mute, seconds });
        if let (Ok(()), Some((at, until)), Some(room)) = (&result, over_at(mute), member.room) {
            chat.services.end_mute_at(at, until, room, (session, Muter::Owner));
        }
        return Ok(caller.settle(result, done));
    }
    let other = match other {
        Ok(other) => other,
        Err(notice) => {
            let order = AbsentOrder::Mute { mute, seconds };
            return Ok(caller.settle(caller.order_absent(target, order, notice)?, done));
        }
    };
    let op = Op::Mute { session: other.number(), mute, seconds };
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
pub(super) fn over_at(mute: Mute) -> Option<(Instant, Time)> {
    let until = mute.until?;
    Some((Instant::now().checked_add(until.since(clock::now()))?, until))
}

/// Unmutes somebody in the caller's room; for the operator, everywhere.
pub(super) fn unmute(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let other = caller.find_anywhere(target);
    let done = Done::Unmuted { user: target.as_str() };
    if !caller.is_operator() {
        let muted = match &other {
            Ok(Located::Here(session)) => session.muted(),
            Ok(Located::Elsewhere(profile)) => profile.muted,
            Err(_) => None,
        };
        let session = caller.number_of(target, other)?;
        let result = match caller.act(Op::Unmute { session }) {
            Ok(()) if muted.is_some() => Err(Refusal::MutedByOperator),
            result => result,
        };
        return Ok(caller.settle(result, done));
    }
    let other = match other {
        Ok(other) => other,
        Err(notice) => {
            let result = caller.order_absent(target, AbsentOrder::Unmute, notice)?;
            return Ok(caller.settle(result, done));
        }
    };
    let op = Op::Unmute { session: other.number() };
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
    let mute = Mute { until: time.map(|time| clock::now().after(time)) };
    let seconds = time.map(|time| time.as_secs());
    let unknown = act_everywhere(caller, Some(mute), Op::MuteAll { mute, seconds });
    let mut reply = caller.done(Done::AllMuted { seconds });
    unknown.iter().for_each(|notice| reply.answer.line(&notice.text(caller.lang)));
    reply
}

/// Mutes all sessions on this server as the operator, or lifts that, as the order with this number,
/// before their rooms are told.
pub(crate) fn mute_sessions(chat: &Chat<'_>, mute: Option<Mute>, number: u64) {
    chat.users.mute_all(mute, number);
    // Over a restart, too.
    chat.users.sessions().iter().for_each(|session| chat.services.keep_standing(session));
    if let Some((at, until)) = mute.and_then(over_at) {
        chat.services.end_mute_of_all_at(at, until);
    }
}

/// Takes over an order that was given on another server: everyone is muted, or nobody any more.
pub(crate) fn take_mute_of_all(chat: &Chat<'_>, mute: Option<Mute>, number: u64) {
    mute_sessions(chat, mute, number);
    let seconds = mute.and_then(|mute| Some(mute.until?.since(clock::now()).as_secs()));
    let op = match mute {
        Some(mute) => Op::MuteAll { mute, seconds },
        None => Op::UnmuteAll { only: None },
    };
    act_once(chat, number, op);
}

/// Has all rooms of this server carry out an op that other servers ask them for, too.
pub(super) fn act_once(chat: &Chat<'_>, number: u64, op: Op) {
    let op = Box::new(op);
    for room in chat.rooms.all() {
        // A room that has just ended has no members.
        let _ = room.act_now(By::Operator, Op::Once { number, op: op.clone() });
    }
}

/// Mutes the sessions on all servers or lifts that, and then tells all rooms; returns what the
/// operator is to know if another server may not have done so.
fn act_everywhere(caller: &Caller<'_>, mute: Option<Mute>, op: Op) -> Option<Notice<'static>> {
    let (chat, mut bits) = (&caller.chat, [0; 8]);
    getrandom::fill(&mut bits).expect("a system that has started has random bits");
    let number = u64::from_ne_bytes(bits);
    chat.elsewhere.iter().for_each(|others| others.note(&KeptOrder::MuteAll { mute, number }));
    // Newcomers are muted from now on. The others keep the mute if they change rooms meanwhile.
    mute_sessions(chat, mute, number);
    let Some(others) = chat.elsewhere else {
        for room in chat.rooms.all() {
            // A room that has just ended has no members.
            let _ = room.act(By::Operator, op.clone());
        }
        return None;
    };
    // Whoever joins a room after it was told brings the mute along.
    let (_, unknown) = caller.order_elsewhere(&Inquiry::MuteEveryone { mute, number });
    act_once(chat, number, op.clone());
    if unknown == Some(Notice::OrderWaits) {
        return unknown;
    }
    let told = others.ask(&Inquiry::ActOnce { op: Box::new(op), number }, None);
    chat.rooms.all().iter().for_each(|room| room.settle_log());
    unknown.or((!told.is_complete).then_some(Notice::Unanswered))
}

/// Lifts all of the operator's mutes.
pub(super) fn unmute_all(caller: &Caller<'_>) -> Reply {
    if !caller.is_operator() {
        return caller.refuse(&Notice::Nobody);
    }
    let unknown = act_everywhere(caller, None, Op::UnmuteAll { only: None });
    let mut reply = caller.done(Done::AllUnmuted);
    unknown.iter().for_each(|notice| reply.answer.line(&notice.text(caller.lang)));
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
    let session = caller.number_of(target, caller.find_anywhere(target))?;
    Ok(match caller.act(Op::Owner(session)) {
        Ok(()) => caller.done_with(caller.begin()),
        Err(refusal) => caller.not_done(refusal),
    })
}
