//! Who is in a room: found by session, and in the order in which they came.

use std::collections::{BTreeMap, HashMap};

use madang_protocol::name::UserName;
use serde::{Deserialize, Serialize};

use crate::session::Mute;

/// A member, as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) session: u64,
    pub(crate) user: UserName,
    /// The id of its joining.
    pub(crate) joined: u64,
    /// Whether its connection is cut.
    pub(crate) away: bool,
    /// Whether the operator keeps it from speaking.
    pub(crate) muted: Option<Mute>,
}

/// The members of a room. Written out, they stand in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Presence>", into = "Vec<Presence>")]
pub(crate) struct Roster {
    members: HashMap<u64, Presence>,
    /// Their sessions' numbers by the ids of their joining.
    order: BTreeMap<u64, u64>,
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

    /// Takes in somebody who is not here, with the id of the joining, which nobody here has.
    pub(crate) fn insert(&mut self, member: Presence) {
        self.order.insert(member.joined, member.session);
        self.members.insert(member.session, member);
    }

    /// Whether somebody joined with this id.
    pub(crate) fn has_joined_with(&self, id: u64) -> bool {
        self.order.contains_key(&id)
    }

    pub(crate) fn remove(&mut self, session: u64) {
        if let Some(member) = self.members.remove(&session) {
            self.order.remove(&member.joined);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.members.clear();
        self.order.clear();
    }

    /// Who joined with this id or a later one, in the order of their joining.
    pub(crate) fn joined_from(&self, id: u64) -> impl Iterator<Item = &Presence> {
        self.order.range(id..).filter_map(|(_, session)| self.get(*session))
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
        roster.joined_from(0).cloned().collect()
    }
}
