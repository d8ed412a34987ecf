//! Commands of a private room's owner; some of them are the operator's too, everywhere.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    name::UserName,
    notice::{Goodbye, Notice},
    room::{Destination, RoomName},
};

use super::{
    caller::{Caller, Effect, Reply, Standing},
    rooms::check_admits,
};
use crate::room::{Action, By, refusal::Refusal};

/// Removes somebody from the caller's room; for the operator, from wherever they are, and
/// from the server if that is the lobby.
pub(super) fn kick(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let (other, chat) = (caller.find(target)?, caller.chat);
    let action = Action::Kick(other.clone(), chat.kick_window);
    if !matches!(caller.standing, Standing::Operator) {
        return Ok(caller.settle(caller.act(action)));
    }
    let nowhere = || caller.refuse(&Notice::InNoRoom { user: target.as_str() });
    let room = other.room().ok_or_else(nowhere)?;
    let result = room.act(By::Operator, action);
    // Perhaps nobody is left whose going would see to that.
    chat.services.end_when_empty(&room);
    if result.is_ok() && Arc::ptr_eq(&room, &chat.rooms.lobby) {
        let goodbye = Goodbye::Kicked { seconds: chat.kick_window.as_secs() };
        // Whoever comes back to the session from now on finds the kick.
        chat.services.close_connection_of(&other, goodbye);
    }
    match result {
        // It has just left.
        Err(Refusal::NotHere | Refusal::Ended) => Err(nowhere()),
        result => Ok(caller.settle(result)),
    }
}

/// Lets somebody in again; for the operator, wherever they were kicked.
pub(super) fn unkick(caller: &Caller<'_>, target: UserName) -> Reply {
    let (users, rooms) = (caller.chat.users, caller.chat.rooms);
    let session = users.find(&target).map(|session| session.number);
    if !matches!(caller.standing, Standing::Operator) {
        return caller.settle(caller.act(Action::Unkick(target, session)));
    }
    let mut any = rooms.unkick(&target, session);
    for room in rooms.all() {
        if room.status().kicks.keep_somebody_out(Instant::now()) {
            any |= room.act(By::Operator, Action::Unkick(target.clone(), session)).is_ok();
        }
    }
    caller.settle(if any { Ok(()) } else { Err(Refusal::Already) })
}

/// Keeps somebody from speaking in the caller's room; for the operator, everywhere.
pub(super) fn mute(
    caller: &Caller<'_>,
    target: &UserName,
    time: Option<Duration>,
) -> Result<Reply, Reply> {
    let (other, services) = (caller.find(target)?, caller.chat.services);
    let until = time.and_then(|time| Instant::now().checked_add(time));
    let action = Action::Mute(other.clone(), time);
    if let Standing::Member(member) = caller.standing {
        let result = caller.act(action);
        if let (Ok(()), Some(until), Some(room)) = (&result, until, member.room) {
            services.end_mute_at(until, room, &other);
        }
        return Ok(caller.settle(result));
    }
    other.silence(until);
    if let Some(until) = until {
        services.end_silence_at(until, &other);
    }
    if let Some(room) = other.room() {
        // It holds everywhere: here it is only told, and a room that has ended has nobody.
        let _ = room.act(By::Operator, action);
    }
    Ok(caller.done())
}

/// Lets somebody speak again in the caller's room; for the operator, everywhere.
pub(super) fn unmute(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let other = caller.find(target)?;
    if !matches!(caller.standing, Standing::Operator) {
        return Ok(caller.settle(caller.act(Action::Unmute(other))));
    }
    let was_silenced = other.end_silence(None);
    let here = other.room().map(|room| {
        match room.act(By::Operator, Action::Unmute(other.clone())) {
            // Only the operator's own has kept them from speaking.
            Err(Refusal::Already) if was_silenced => {
                room.act(By::Operator, Action::EndSilence(other.clone()))
            }
            lifted => lifted,
        }
    });
    match here {
        Some(Err(Refusal::Already)) | None if !was_silenced => Err(caller.refuse(&Notice::Already)),
        _ => Ok(caller.done()),
    }
}

pub(super) fn lock(caller: &Caller<'_>) -> Reply {
    caller.settle(caller.act(Action::Lock))
}

pub(super) fn unlock(caller: &Caller<'_>) -> Reply {
    caller.settle(caller.act(Action::Unlock))
}

pub(super) fn limit(caller: &Caller<'_>, limit: usize) -> Reply {
    caller.settle(caller.act(Action::Limit(limit)))
}

/// Ends the caller's room, and takes them to the lobby.
pub(super) fn end_room(caller: &Caller<'_>) -> Result<Reply, Reply> {
    let (member, chat) = (caller.member()?, caller.chat);
    if let Err(refusal) = caller.act(Action::End) {
        return Err(caller.settle(Err(refusal)));
    }
    if let Some(room) = member.room
        && chat.rooms.remove(room)
    {
        chat.services.note_room_ended(&room.name);
    }
    match check_admits(&chat.rooms.lobby, member.session) {
        // Whoever ends a room is not left in none.
        Ok(()) => {
            let lobby = Destination::Public(RoomName::lobby());
            Ok(caller.silence().and(Effect::Go(lobby, None)))
        }
        Err(notice) => Err(caller.refuse(&notice).and(Effect::LeaveEnded)),
    }
}

/// Makes somebody the owner of the caller's room.
pub(super) fn hand_over(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let other = caller.find(target)?;
    Ok(caller.settle(caller.act(Action::Owner(other))))
}
