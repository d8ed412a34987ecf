//! Commands about the whole server, which only the operator gives: bans and
//! announcements.

use std::{sync::Arc, time::Duration};

use madang_protocol::{
    command::Banned,
    notice::{Goodbye, Notice},
    text::{Lang, span},
};

use super::caller::{Caller, Reply};
use crate::{
    admission::bans::Ban,
    delivery::outbox::Outbox,
    room::{Action, By},
    shared::Shared,
};

/// Keeps a name or addresses out, and closes whoever is there.
pub(super) fn ban(caller: &Caller<'_>, banned: Banned, time: Option<Duration>) -> Reply {
    let shared = caller.shared;
    // Whoever comes in, by name or address, looks here after it can be found below.
    shared.bans.ban(banned.clone(), time);
    let dismiss = |outbox: &Arc<Outbox>| shared.dismiss(outbox, Goodbye::Banned);
    let Shared { connections, users, .. } = &**shared;
    let mut held = match &banned {
        Banned::Name(name) => users.held_as(name),
        Banned::Address(_) => users.held(),
    };
    if let Banned::Address(address) = &banned {
        let is_meant =
            |number| connections.address_of(number).is_some_and(|it| address.contains(it));
        held.retain(|(_, connection)| is_meant(*connection));
    }
    let mut addresses = Vec::new();
    for (session, connection) in held {
        if let Some(outbox) = connections.outbox_of(connection) {
            dismiss(&outbox);
            let address = connections.address_of(connection);
            addresses.extend(address.map(|address| format!("{} ({address})", session.name())));
        }
    }
    if let Banned::Address(address) = banned {
        // Those too who have no name yet.
        connections.outboxes_from(&address).iter().for_each(dismiss);
    }
    let mut reply = caller.done();
    if !addresses.is_empty() {
        let addresses = addresses.join(", ");
        reply.answer.line(&match caller.lang {
            Lang::Ko => format!("내보냄: {addresses}"),
            Lang::En => format!("removed: {addresses}"),
        });
    }
    reply
}

/// Lets a name or addresses in again.
pub(super) fn unban(caller: &Caller<'_>, banned: &Banned) -> Reply {
    match caller.shared.bans.unban(banned) {
        true => caller.done(),
        false => caller.refuse(&Notice::Already),
    }
}

/// Lists what is banned, and for how long.
pub(super) fn list_bans(caller: &Caller<'_>) -> Reply {
    let mut answer = caller.begin();
    let bans = caller.shared.bans.list();
    if bans.is_empty() {
        answer.line(match caller.lang {
            Lang::Ko => "추방한 이름이나 주소가 없습니다.",
            Lang::En => "Nothing is banned.",
        });
    }
    for Ban { banned, left } in bans {
        let what = match banned {
            Banned::Name(name) => name.to_string(),
            Banned::Address(address) => address.to_string(),
        };
        let left = left.map(|left| format!(" ({})", span(left.as_secs() + 1, caller.lang)));
        answer.line(&format!("  {what}{}", left.unwrap_or_default()));
    }
    caller.answered(answer)
}

/// Says something to everyone, as the server.
pub(super) fn announce(caller: &Caller<'_>, text: &str) -> Reply {
    for room in caller.shared.rooms.all() {
        // A room that has just ended has nobody to tell.
        let _ = room.act_now(By::Operator, Action::Announce(text.to_owned()));
    }
    // Whoever is in no room is told alone: after the rooms, so that nobody who changes
    // rooms meanwhile misses it.
    for session in caller.shared.users.sessions() {
        if session.room().is_none() {
            session.tell(|answer| answer.notice(&Notice::Announced(text)));
        }
    }
    caller.done()
}
