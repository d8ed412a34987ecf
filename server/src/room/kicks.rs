//! Who was kicked from a room and is kept out for a while, by session and by name. A new name
//! evades it; `/lock` and `/ban` are stronger.

use std::{sync::Arc, time::Duration};

use madang_protocol::{
    event::Time,
    name::{NameKey, UserName},
};
use serde::{Deserialize, Serialize};

/// The maximum number of kicks of one room; beyond it, the oldest are dropped.
const MOST_KICKS: usize = 100;

/// The kicks of one room. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kicks(Arc<[Kick]>);

/// Somebody who was kicked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "KickRecord", into = "KickRecord")]
pub(crate) struct Kick {
    name: UserName,
    /// The keys of the name: lookalikes are kept out too.
    keys: Vec<NameKey>,
    session: u64,
    until: Time,
}

/// A kick as serialized: the keys follow from the name.
#[derive(Serialize, Deserialize)]
struct KickRecord {
    name: UserName,
    session: u64,
    until: Time,
}

impl Kick {
    /// Keeps a session out until then, together with its current name.
    pub(crate) fn new(name: UserName, session: u64, until: Time) -> Kick {
        Kick { keys: name.keys(), name, session, until }
    }
}

impl From<KickRecord> for Kick {
    fn from(KickRecord { name, session, until }: KickRecord) -> Kick {
        Kick::new(name, session, until)
    }
}

impl From<Kick> for KickRecord {
    fn from(Kick { name, session, until, .. }: Kick) -> KickRecord {
        KickRecord { name, session, until }
    }
}

impl Kicks {
    pub(crate) fn add(&mut self, kick: Kick, now: Time) {
        let is_other = |it: &&Kick| it.session != kick.session;
        let mut kicks: Vec<Kick> = self.in_force(now).filter(is_other).cloned().collect();
        kicks.push(kick);
        let too_many = kicks.len().saturating_sub(MOST_KICKS);
        self.0 = kicks.drain(too_many..).collect();
    }

    /// The names whose kicks are lifted by this name: those kicked under it, or whose session
    /// has it now.
    pub(crate) fn lifted_by(
        &self,
        name: &UserName,
        session: Option<u64>,
        now: Time,
    ) -> Vec<UserName> {
        let spelling = name.spelling();
        let is_meant =
            |kick: &&Kick| kick.keys.contains(&spelling) || Some(kick.session) == session;
        let mut names: Vec<UserName> = Vec::new();
        for kick in self.in_force(now).filter(is_meant) {
            if !names.contains(&kick.name) {
                names.push(kick.name.clone());
            }
        }
        names
    }

    /// Whether somebody was kicked under exactly this name.
    pub(crate) fn has(&self, name: &UserName) -> bool {
        self.0.iter().any(|kick| kick.name == *name)
    }

    /// Lifts the kicks of exactly this name.
    pub(crate) fn remove(&mut self, name: &UserName, now: Time) {
        self.0 = self.in_force(now).filter(|kick| kick.name != *name).cloned().collect();
    }

    /// How much longer this name, or one that looks like it, is kept out.
    pub(crate) fn left_for_name(&self, name: &UserName, now: Time) -> Option<Duration> {
        if self.0.is_empty() {
            return None;
        }
        let keys = name.keys();
        self.left(now, |kick| keys.iter().any(|key| kick.keys.contains(key)))
    }

    /// How much longer the session with this number is kept out.
    pub(crate) fn left_for_session(&self, session: u64, now: Time) -> Option<Duration> {
        self.left(now, |kick| kick.session == session)
    }

    /// When the last of the kicks that hold at `now` is over.
    pub(crate) fn over_at(&self, now: Time) -> Option<Time> {
        self.in_force(now).map(|kick| kick.until).max()
    }

    /// Whether anybody is still kept out.
    pub(crate) fn keep_somebody_out(&self, now: Time) -> bool {
        self.in_force(now).next().is_some()
    }

    fn left(&self, now: Time, is_meant: impl Fn(&Kick) -> bool) -> Option<Duration> {
        let kicks = self.0.iter().filter(|kick| kick.until > now && is_meant(kick));
        kicks.map(|kick| kick.until.since(now)).max()
    }

    fn in_force(&self, now: Time) -> impl Iterator<Item = &Kick> {
        self.0.iter().filter(move |kick| kick.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);
    const NOW: Time = Time::from_millis(0);

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    fn kick(kicks: &mut Kicks, session: u64, text: &str, now: Time) {
        kicks.add(Kick::new(name(text), session, now.after(WINDOW)), now);
    }

    #[test]
    fn a_kick_holds_for_session_and_name_until_it_is_over() {
        let mut kicks = Kicks::default();
        kick(&mut kicks, 1, "Bob", NOW);
        for same in ["Bob", "BOB", "b0b", "ｂｏｂ"] {
            assert_eq!(kicks.left_for_name(&name(same), NOW), Some(WINDOW), "{same}");
        }
        assert_eq!(kicks.left_for_session(1, NOW.after(WINDOW / 2)), Some(WINDOW / 2));
        assert_eq!(kicks.left_for_name(&name("bob2"), NOW), None);
        assert_eq!(kicks.left_for_session(2, NOW), None);
        assert!(kicks.keep_somebody_out(NOW) && !kicks.keep_somebody_out(NOW.after(WINDOW)));
        assert_eq!(kicks.left_for_name(&name("Bob"), NOW.after(WINDOW)), None);
    }

    #[test]
    fn a_kick_is_lifted_by_the_name_then_or_the_session_now() {
        let mut kicks = Kicks::default();
        kick(&mut kicks, 1, "bob", NOW);
        kick(&mut kicks, 2, "carol", NOW);
        let mut lift = |by: &str, session, now| {
            let lifted = kicks.lifted_by(&name(by), session, now);
            lifted.iter().for_each(|name| kicks.remove(name, now));
            lifted
        };
        assert!(lift("rob", Some(3), NOW).is_empty());
        assert_eq!(lift("BOB", None, NOW), [name("bob")]);
        assert!(lift("caroline", Some(2), NOW.after(WINDOW)).is_empty(), "it was over");
        assert!(lift("bob", Some(1), NOW).is_empty(), "it was lifted");
        assert_eq!(lift("caroline", Some(2), NOW), [name("carol")]);
        assert!(!kicks.keep_somebody_out(NOW));
    }

    #[test]
    fn the_number_of_kicks_is_limited() {
        let mut kicks = Kicks::default();
        for session in 0..MOST_KICKS as u64 + 1 {
            kick(&mut kicks, session, &format!("n{session}"), NOW);
        }
        assert_eq!(kicks.0.len(), MOST_KICKS);
        assert_eq!(kicks.left_for_session(0, NOW), None, "the first is let in again");
        kick(&mut kicks, 1, "another", NOW);
        assert_eq!(kicks.0.len(), MOST_KICKS);
        kick(&mut kicks, 1, "another", NOW.after(WINDOW));
        assert_eq!(kicks.0.len(), 1, "what is over is not kept");
    }

    #[test]
    fn serialized_kicks_cover_the_same_names() {
        let mut kicks = Kicks::default();
        kick(&mut kicks, 1, "bob", NOW);
        let written = serde_json::to_string(&kicks).expect("plain data");
        let read: Kicks = serde_json::from_str(&written).expect("it was written");
        assert_eq!(read, kicks);
        assert_eq!(read.left_for_name(&name("b0b"), NOW), Some(WINDOW));
    }
}
