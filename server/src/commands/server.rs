//! The operator's commands about the whole server: bans and announcements.

use std::time::Duration;

use madang_protocol::{
    command::Banned,
    duration::show_about,
    notice::{Done, Notice},
    text::Lang,
};

use super::{
    caller::{Caller, Reply},
    chat::Chat,
    elsewhere::{Finding, Inquiry, KeptOrder},
};
use crate::{
    admission::bans::Ban,
    clock,
    room::{By, Op},
};

/// Bans a name or addresses, and closes their connections.
pub(super) fn ban(caller: &Caller<'_>, banned: Banned, time: Option<Duration>) -> Reply {
    if let Banned::Address(range) = &banned
        && range.is_too_wide()
    {
        return caller.refuse(&Notice::RangeTooWide(*range));
    }
    let until = time.map(|time| clock::now().after(time));
    let order = KeptOrder::Ban { banned: banned.clone(), until };
    caller.chat.elsewhere.iter().for_each(|others| others.note(&order));
    // Newcomers check the bans after they become visible to the search below.
    caller.chat.bans.ban(banned.clone(), time);
    let mut closed = caller.chat.services.close_banned(&banned);
    let seconds = time.map(|time| time.as_secs());
    let inquiry = Inquiry::Ban { banned: banned.clone(), seconds };
    let (findings, unknown) = caller.order_elsewhere(&inquiry);
    for finding in findings {
        if let Finding::Closed(there) = finding {
            closed.extend(there);
        }
    }
    let what = banned.to_string();
    let mut reply = caller.done(Done::Banned { what: &what, seconds });
    if !closed.is_empty() {
        let closed: Vec<_> =
            closed.iter().map(|(name, address)| format!("{name} ({address})")).collect();
        let closed = closed.join(", ");
        reply.answer.line(&match caller.lang {
            Lang::Ko => format!("연결을 끊었습니다: {closed}"),
            Lang::En => format!("Disconnected: {closed}"),
        });
    }
    unknown.iter().for_each(|notice| reply.answer.line(&notice.text(caller.lang)));
    if matches!(&banned, Banned::Address(range) if range.has_loopback()) {
        reply.answer.line(&Notice::OwnMachineBanned.text(caller.lang));
    }
    reply
}

/// Lifts the ban of a name or addresses.
pub(super) fn unban(caller: &Caller<'_>, banned: &Banned) -> Reply {
    let order = KeptOrder::Ban { banned: banned.clone(), until: None };
    caller.chat.elsewhere.iter().for_each(|others| others.lift(&order));
    let here = caller.chat.bans.unban(banned);
    let (findings, unknown) = caller.order_elsewhere(&Inquiry::Unban { banned: banned.clone() });
    match here || findings.iter().any(|finding| matches!(finding, Finding::Done)) {
        true => {
            let mut reply = caller.done(Done::Unbanned { what: &banned.to_string() });
            unknown.iter().for_each(|notice| reply.answer.line(&notice.text(caller.lang)));
            reply
        }
        false => caller.refuse(&Notice::Already),
    }
}

/// Lists the bans, and how long they last.
pub(super) fn list_bans(caller: &Caller<'_>) -> Reply {
    let mut answer = caller.begin();
    let bans = caller.chat.bans.list();
    if bans.is_empty() {
        answer.line(match caller.lang {
            Lang::Ko => "추방한 이름이나 주소가 없습니다.",
            Lang::En => "Nothing is banned.",
        });
    }
    for Ban { banned, left } in bans {
        let left = left.map(|left| format!(" ({})", show_about(left.as_secs() + 1, caller.lang)));
        answer.line(&format!("  {banned}{}", left.unwrap_or_default()));
    }
    caller.answered(answer)
}

/// Announces something to everyone.
pub(super) fn announce(caller: &Caller<'_>, text: &str) -> Reply {
    let text = text.to_owned();
    let Some(elsewhere) = caller.chat.elsewhere else {
        let people = announce_here(&caller.chat, &text, &Op::Announce(text.clone()));
        return caller.done(Done::Announced { people });
    };
    // Every server asks all of its rooms; those that several servers share say it once.
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).expect("a system that has started has random bits");
    let number = u64::from_ne_bytes(bits);
    let op = Op::Once { number, op: Box::new(Op::Announce(text.clone())) };
    let mut people = announce_here(&caller.chat, &text, &op);
    for finding in elsewhere.ask(&Inquiry::Announce { text, number }, None).findings {
        if let Finding::Told(there) = finding {
            people += there;
        }
    }
    caller.done(Done::Announced { people })
}

/// Announces something to everyone on this server, to members by this op; returns how many they
/// are.
pub(super) fn announce_here(chat: &Chat<'_>, text: &str, op: &Op) -> usize {
    for room in chat.rooms.all() {
        // A room that has just ended has nobody to tell.
        let _ = room.act_now(By::Operator, op.clone());
    }
    // People in no room are told one by one, after the rooms, so that nobody who changes rooms
    // meanwhile misses it.
    let sessions = chat.users.sessions();
    for session in &sessions {
        if session.room().is_none() {
            session.tell(|answer| answer.notice(&Notice::Announced(text)));
        }
    }
    sessions.len()
}
