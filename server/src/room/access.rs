//! Who may join a room. The room applies the rule, and others check it before a session leaves
//! another room.

use std::{collections::BTreeSet, sync::Arc};

use madang_protocol::{event::Time, name::UserName};
use serde::{Deserialize, Serialize};

use super::{kicks::Kicks, refusal::Refusal};

/// What keeps people out of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    /// The session that owns a private room; only a kick keeps it out.
    pub(crate) owner: Option<u64>,
    /// Whether the room is locked.
    pub(crate) locked: bool,
    /// Names that may join a locked room: those who attended the lesson before.
    #[serde(default)]
    pub(crate) known: Arc<BTreeSet<String>>,
    /// The maximum number of members, if the owner has set one.
    pub(crate) limit: Option<usize>,
    /// Who was kicked, and is kept out for a while.
    pub(crate) kicks: Kicks,
}

impl Access {
    /// Whether `session` may join this many members under this name; the name is unknown before
    /// the login.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn admits(
        &self,
        members: usize,
        session: u64,
        name: Option<&UserName>,
        now: Time,
    ) -> Result<(), Refusal> {
        if let Some(left) = self.kicks.left_for_session(session, now) {
            return Err(Refusal::kicked_for(left));
        }
        if let Some(left) = name.and_then(|name| self.kicks.left_for_name(name, now)) {
            return Err(Refusal::name_kicked_for(left));
        }
        match self.limit {
            _ if self.owner == Some(session) => Ok(()),
            _ if self.locked && !name.is_some_and(|it| self.known.contains(it.as_str())) => {
                Err(Refusal::Locked)
            }
            Some(limit) if members >= limit => Err(Refusal::Full { limit }),
            _ => Ok(()),
        }
    }
}
