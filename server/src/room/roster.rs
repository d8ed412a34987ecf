//! The members of a room as plain data, by session and in the order of joining.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    ops::Bound,
};

use madang_protocol::name::{NameKey, UserName};
use serde::{Deserialize, Serialize};

use crate::session::{Mute, Quiet, nonces::Nonces};

/// A member, as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) session: u64,
    pub(crate) user: UserName,
    /// The id of its `joined`, or of the next event if that was not announced.
    pub(crate) joined: u64,
    /// Whether it has lost its connection.
    pub(crate) away: bool,
    /// The server that it is connected to, if several share the room; otherwise 0.
    pub(crate) origin: u64,
    /// Whether its session can be resumed.
    pub(crate) comes_back: bool,
    /// The operator's mute.
    pub(crate) muted: Option<Mute>,
    /// Whether joining and leaving are not announced.
    pub(crate) quiet: Option<Quiet>,
    /// Whether it is a stream over HTTP.
    #[serde(default)]
    pub(crate) stream: bool,
    /// The nonces of its messages here and in other rooms; `None` if there never were any.
    pub(crate) nonces: Option<Box<Nonces>>,
}

impl Presence {
    /// Its position in the order of joining. Quiet members come before the next event, ordered
    /// by session number.
    fn place(&self) -> Place {
        Place { joined: self.joined, is_announced: self.quiet.is_none(), session: self.session }
    }
}

/// A position in the order of joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    joined: u64,
    is_announced: bool,
    session: u64,
}

/// The members of a room, serialized in the order of joining.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Presence>", into = "Vec<Presence>")]
pub(crate) struct Roster {
    members: HashMap<u64, Presence>,
    /// The order of joining.
    order: BTreeSet<Place>,
    /// Who bears a name, by how that is spelled.
    bearers: HashMap<NameKey, u64>,
}

impl Roster {
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn get(&self, session: u64) -> Option<&Presence> {
        self.members.get(&session)
    }

    pub(crate) fn get_mut(&mut self, session: u64) -> Option<&mut Presence> {
        self.members.get_mut(&session)
    }

    /// The member with this name, in any case.
    pub(crate) fn bearer(&self, name: &UserName) -> Option<&Presence> {
        self.get(*self.bearers.get(&name.spelling())?)
    }

    /// Adds somebody who is not here.
    pub(crate) fn insert(&mut self, member: Presence) {
        self.order.insert(member.place());
        self.bearers.insert(member.user.spelling(), member.session);
        self.members.insert(member.session, member);
    }

    /// Gives a member another name.
    pub(crate) fn rename(&mut self, session: u64, to: &UserName) {
        let Some(member) = self.members.get_mut(&session) else { return };
        let from = std::mem::replace(&mut member.user, to.clone());
        self.forget_bearer(&from, session);
        self.bearers.insert(to.spelling(), session);
    }

    pub(crate) fn remove(&mut self, session: u64) {
        if let Some(member) = self.members.remove(&session) {
            self.order.remove(&member.place());
            self.forget_bearer(&member.user, session);
        }
    }

    /// Somebody does not bear this name any more.
    fn forget_bearer(&mut self, name: &UserName, session: u64) {
        if let Entry::Occupied(bearer) = self.bearers.entry(name.spelling())
            && *bearer.get() == session
        {
            bearer.remove();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.members.clear();
        self.order.clear();
        self.bearers.clear();
    }

    /// All members in the order of joining.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Presence> {
        self.after(Bound::Unbounded)
    }

    /// The members who joined after a given one.
    pub(crate) fn after_member(&self, member: &Presence) -> impl Iterator<Item = &Presence> {
        self.after(Bound::Excluded(member.place()))
    }

    fn after(&self, first: Bound<Place>) -> impl Iterator<Item = &Presence> {
        self.order.range((first, Bound::Unbounded)).filter_map(|place| self.get(place.session))
    }
}

impl From<Vec<Presence>> for Roster {
    fn from(members: Vec<Presence>) -> Roster {
        let mut roster = Roster::default();
        members.into_iter().for_each(|member| roster.insert(member));
        roster
    }
}

impl From<Roster> for Vec<Presence> {
    fn from(roster: Roster) -> Vec<Presence> {
        roster.in_order().cloned().collect()
    }
}
