//! Members whose server is gone, and who may come back to another: no server has their sessions,
//! but their rooms know them. A room is asked on any server that has it open; if none has, it is
//! opened here.

use std::sync::Arc;

use madang_protocol::{
    name::UserName,
    notice::Notice,
    room::{Destination, RoomName},
};
use serde::{Deserialize, Serialize};

use super::{
    caller::{Caller, Reply, Standing},
    chat::Chat,
    elsewhere::{Elsewhere, Finding, Findings, Inquiry, Profile},
    lesson,
    moderation::over_at,
};
use crate::{
    room::{Bearer, By, Muter, Op, Room, refusal::Refusal},
    session::Mute,
};

/// What the operator does about such a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AbsentOrder {
    Kick { seconds: u64 },
    Mute { mute: Mute, seconds: Option<u64> },
    Unmute,
}

impl AbsentOrder {
    fn op(self, session: u64) -> Op {
        match self {
            AbsentOrder::Kick { seconds } => Op::Kick { session, seconds },
            AbsentOrder::Mute { mute, seconds } => Op::Mute { session, mute, seconds },
            AbsentOrder::Unmute => Op::Unmute { session },
        }
    }
}

impl Profile {
    /// What a room knows of a member whose server is gone.
    fn of_absent((room, bearer): (Arc<Room>, Bearer)) -> Profile {
        Profile {
            session: bearer.session,
            user: bearer.user,
            room: Some(room.name.clone()),
            since: None,
            spoke_at: None,
            muted: bearer.muted,
            address: None,
            is_away: true,
            is_quiet: bearer.is_quiet,
            is_stream: bearer.is_stream,
        }
    }
}

impl<'a> Caller<'a> {
    /// A member of the caller's room whom nobody else knows.
    ///
    /// # Errors
    ///
    /// The refusal for this reason, if there is none of this name.
    pub(super) fn absent(
        &self,
        name: &UserName,
        otherwise: Notice<'_>,
    ) -> Result<(&'a Arc<Room>, Bearer), Reply> {
        let room = match self.standing {
            Standing::Member(member) if self.chat.elsewhere.is_some() => member.room,
            _ => None,
        };
        let found = room.and_then(|room| Some((room, room.bearer(name)?)));
        found.ok_or_else(|| self.refuse(&otherwise))
    }

    /// The profile of somebody whose server is gone, if a room knows them: one that is open on any
    /// server, and for the operator, any public room.
    pub(super) fn find_absent(&self, name: &UserName) -> Option<Profile> {
        let others = self.chat.elsewhere?;
        let public = others.rooms_of_absent(name);
        // That is little to ask; to look into all rooms is much.
        if public.is_none() && !self.is_operator() {
            return None;
        }
        if let Some(found) = find_in(self.chat.rooms.all(), name) {
            return Some(Profile::of_absent(found));
        }
        match others.ask(&Inquiry::FindAbsent(name.clone()), None).one() {
            Ok(Finding::Person(profile)) => Some(*profile),
            _ if self.is_operator() => {
                self.find_in_unopened(public.unwrap_or_default(), name).map(Profile::of_absent)
            }
            _ => None,
        }
    }

    /// Gives an order about somebody whose server is gone: the outcome where their room is.
    ///
    /// # Errors
    ///
    /// The refusal for this reason, if no room knows anybody of this name.
    pub(super) fn order_absent(
        &self,
        name: &UserName,
        order: AbsentOrder,
        otherwise: Notice<'static>,
    ) -> Result<Result<(), Refusal>, Reply> {
        let chat = &self.chat;
        if chat.elsewhere.is_some()
            && let Some(found) = find_in(chat.rooms.all(), name)
        {
            return Ok(order_in_room(chat, &found, order, None));
        }
        let known = chat.elsewhere.and_then(|it| Some((it, it.rooms_of_absent(name)?)));
        let Some((others, public)) = known else { return Err(self.refuse(&otherwise)) };
        let otherwise = match ask_to_carry_out(others, name, order) {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => otherwise,
            // Their own server may stand still.
            Err(unanswered) => unanswered,
        };
        let found = self.find_in_unopened(public, name);
        let found = found.ok_or_else(|| self.refuse(&otherwise))?;
        Ok(order_in_room(chat, &found, order, None))
    }

    /// Looks for a member in public rooms that are not open here.
    fn find_in_unopened(
        &self,
        rooms: Vec<RoomName>,
        name: &UserName,
    ) -> Option<(Arc<Room>, Bearer)> {
        let rooms = rooms.into_iter().map(Destination::Public);
        let unopened = rooms.filter(|room| self.chat.rooms.find(room).is_none());
        // One that can't be opened is not known to have them.
        find_in(unopened.filter_map(|room| self.chat.rooms.reach(&room).ok()?), name)
    }
}

/// Has the other servers carry an order out, if the room is open on one of them; none if it is not.
///
/// # Errors
///
/// If that is not known.
fn ask_to_carry_out(
    others: &dyn Elsewhere,
    name: &UserName,
    order: AbsentOrder,
) -> Result<Option<Result<(), Refusal>>, Notice<'static>> {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).expect("a system that has started has random bits");
    let number = u64::from_ne_bytes(bits);
    let inquiry = Inquiry::OrderAbsent { name: name.clone(), order, number };
    let Findings { findings, is_complete } = others.ask(&inquiry, None);
    let any = |is_it: fn(&Finding) -> bool| findings.iter().any(is_it);
    if any(|it| matches!(it, Finding::Done)) {
        Ok(Some(Ok(())))
    } else if any(|it| matches!(it, Finding::Already)) {
        Ok(Some(Err(Refusal::Already)))
    } else if any(|it| matches!(it, Finding::Busy)) {
        Ok(Some(Err(Refusal::Unavailable)))
    } else if is_complete {
        Ok(None)
    } else {
        Err(Notice::Unanswered)
    }
}

/// Answers a server that asks for somebody whose server is gone. Blocks until the rooms have said
/// whether they know them.
pub(super) fn find_absent_here(chat: &Chat<'_>, name: &UserName) -> Finding {
    let found = find_in(chat.rooms.all(), name);
    found.map_or(Finding::Nobody, |found| Finding::Person(Profile::of_absent(found).into()))
}

/// Answers a server that gives an order about somebody whose server is gone. Of several on which
/// their room is open, the first under this number carries it out; blocks until that is done.
pub(super) fn order_absent_here(
    chat: &Chat<'_>,
    name: &UserName,
    order: AbsentOrder,
    number: u64,
) -> Finding {
    let Some(found) = find_in(chat.rooms.all(), name) else { return Finding::Nobody };
    match order_in_room(chat, &found, order, Some(number)) {
        Ok(()) => Finding::Done,
        Err(Refusal::Already) => Finding::Already,
        Err(Refusal::Unavailable) => Finding::Busy,
        // They, or all, have just left.
        Err(_) => Finding::Nobody,
    }
}

/// The members of these rooms, as profiles of those whose server is gone.
pub(super) fn members_of(rooms: &[Arc<Room>]) -> Vec<Profile> {
    let members = rooms.iter().flat_map(|room| {
        // One that has ended has no members.
        let bearers = room.bearers().unwrap_or_default().into_iter();
        bearers.map(|bearer| Profile::of_absent((room.clone(), bearer)))
    });
    members.collect()
}

/// The first of these rooms that has a member with this name, and the member.
fn find_in(
    rooms: impl IntoIterator<Item = Arc<Room>>,
    name: &UserName,
) -> Option<(Arc<Room>, Bearer)> {
    rooms.into_iter().find_map(|room| {
        let found = room.bearer(name)?;
        Some((room, found))
    })
}

/// Has a room carry out an order about a member, once under this number, and does what follows.
fn order_in_room(
    chat: &Chat<'_>,
    (room, absent): &(Arc<Room>, Bearer),
    order: AbsentOrder,
    number: Option<u64>,
) -> Result<(), Refusal> {
    let op = order.op(absent.session);
    let result = room.act(
        By::Operator,
        match number {
            Some(number) => Op::Once { number, op: op.into() },
            None => op,
        },
    );
    match order {
        AbsentOrder::Kick { .. } => note_absent_kicked(chat, room, absent, result),
        AbsentOrder::Mute { mute, .. } => {
            // Their room keeps the mute until they come back, and they take it along from there.
            if let (Ok(()), Some((at, until))) = (result, over_at(mute)) {
                chat.services.end_mute_at(at, until, room, (absent.session, Muter::Operator));
            }
            result
        }
        AbsentOrder::Unmute => result,
    }
}

/// Does what follows when somebody is kicked whose server is gone; returns the `result`.
pub(super) fn note_absent_kicked(
    chat: &Chat<'_>,
    room: &Arc<Room>,
    absent: &Bearer,
    result: Result<(), Refusal>,
) -> Result<(), Refusal> {
    // If nobody is left, no leaving would do this.
    chat.services.end_when_empty(room);
    if result.is_ok() {
        lesson::leave_from(chat, absent);
    }
    result
}
