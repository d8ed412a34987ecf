//! What a room is, as plain data: who is in it, who owns it, and what holds there. What
//! is asked of it is decided without changing anything; what follows is a fact, and
//! facts alone change it. So it can be tested, and made again, without a socket.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    fact::Fact,
    op::{Asker, Op},
};
use crate::room::refusal::Refusal;

/// Who is in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) user: Arc<str>,
    /// The id of its joining.
    pub(super) joined: u64,
}

/// What a room is. Members are known by their session's number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    members: HashMap<u64, Presence>,
    /// Their sessions' numbers by the ids of their joining.
    order: BTreeMap<u64, u64>,
    topic: Option<Arc<str>>,
    owner: Option<u64>,
    locked: bool,
    limit: Option<usize>,
}

impl State {
    pub(super) fn new(owner: Option<u64>, topic: Option<Arc<str>>) -> State {
        State { owner, topic, ..State::default() }
    }

    pub(super) fn member(&self, session: u64) -> Option<&Presence> {
        self.members.get(&session)
    }

    /// Who joined with this id or a later one, in the order of their joining.
    pub(super) fn joined_from(&self, id: u64) -> impl Iterator<Item = &Presence> {
        self.order.range(id..).filter_map(|(_, session)| self.member(*session))
    }

    pub(super) fn topic(&self) -> Option<&Arc<str>> {
        self.topic.as_ref()
    }

    pub(super) fn owner(&self) -> Option<u64> {
        self.owner
    }

    pub(super) fn locked(&self) -> bool {
        self.locked
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// What a request leads to, or why it does not; nothing, if nothing changes.
    #[inline(never)]
    pub(super) fn decide(&self, by: Asker, op: &Op) -> Result<Option<Fact>, Refusal> {
        let fact = match op {
            Op::Topic(topic) => {
                let (session, user) = self.asking_member(by)?;
                let new = Some(topic).filter(|topic| !topic.is_empty());
                if new == self.topic.as_ref() {
                    return Err(Refusal::Already);
                }
                Fact::Topic { session, user, topic: topic.clone() }
            }
            Op::Rename(to) => {
                let (session, user) = self.asking_member(by)?;
                Fact::Renamed { session, user, to: to.clone() }
            }
            Op::Lock(locked) => {
                let user = self.check_owner(by)?.unwrap_or_default();
                if self.locked == *locked {
                    return Err(Refusal::Already);
                }
                Fact::Locked { user, locked: *locked }
            }
            Op::Limit(limit) => {
                let user = self.check_owner(by)?.unwrap_or_default();
                Fact::Limited { user, limit: *limit }
            }
            Op::Owner(session) => {
                self.check_owner(by)?;
                if by == Asker::Member(*session) {
                    return Err(Refusal::Oneself);
                }
                self.owned_by(*session).ok_or(Refusal::NotHere)?
            }
            Op::OwnerGone(session) if self.owner != Some(*session) => return Ok(None),
            Op::OwnerGone(_) => {
                let eldest = self.order.values().next();
                eldest.and_then(|eldest| self.owned_by(*eldest)).unwrap_or(Fact::OwnedByNobody)
            }
        };
        Ok(Some(fact))
    }

    /// Changes what a fact says. A fact about who is not here changes nothing.
    pub(super) fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Joined { session, user, id } => {
                if !self.members.contains_key(session) && !self.order.contains_key(id) {
                    self.members.insert(*session, Presence { user: user.clone(), joined: *id });
                    self.order.insert(*id, *session);
                }
            }
            Fact::Left { session } => {
                if let Some(member) = self.members.remove(session) {
                    self.order.remove(&member.joined);
                }
            }
            Fact::Renamed { session, to, .. } => {
                if let Some(member) = self.members.get_mut(session) {
                    member.user = to.clone();
                }
            }
            Fact::Topic { topic, .. } => {
                self.topic = Some(topic.clone()).filter(|topic| !topic.is_empty());
            }
            Fact::Locked { locked, .. } => self.locked = *locked,
            Fact::Limited { limit, .. } => self.limit = Some(*limit),
            Fact::Owner { session, .. } => {
                if self.members.contains_key(session) {
                    self.owner = Some(*session);
                }
            }
            Fact::OwnedByNobody => self.owner = None,
            Fact::AllLeft => {
                self.members.clear();
                self.order.clear();
            }
        }
    }

    /// That a member is the owner from now on.
    pub(super) fn owned_by(&self, session: u64) -> Option<Fact> {
        let user = self.member(session)?.user.clone();
        Some(Fact::Owner { session, user })
    }

    /// The requester, if it is a member: its session's number and its name.
    pub(super) fn asking_member(&self, by: Asker) -> Result<(u64, Arc<str>), Refusal> {
        let Asker::Member(session) = by else { return Err(Refusal::NoMember) };
        let member = self.member(session).ok_or(Refusal::NoMember)?;
        Ok((session, member.user.clone()))
    }

    /// The requester's name, if it is the owner of this room; none for the operator,
    /// who may do the same.
    pub(super) fn check_owner(&self, by: Asker) -> Result<Option<Arc<str>>, Refusal> {
        if by == Asker::Operator {
            return Ok(None);
        }
        let (session, user) = self.asking_member(by)?;
        if self.owner == Some(session) { Ok(Some(user)) } else { Err(Refusal::OwnerOnly) }
    }

    /// The owner, if it is here.
    pub(super) fn owner_name(&self) -> Option<&str> {
        self.owner.and_then(|owner| self.member(owner)).map(|member| &*member.user)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
