//! Who was removed from a room and is kept out of it for a while, by session and by
//! name. Another name gets past it; what is meant to hold is `/lock` and `/ban`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::name::{NameKey, UserName};

use crate::session::Session;

/// The most that one room keeps out. Of more, the first may come in again.
const MOST_KICKS: usize = 100;

/// The kicks of one room. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kicks(Arc<[Kick]>);

#[derive(Debug, Clone)]
struct Kick {
    name: UserName,
    /// Of the name: another that could be mistaken for it is kept out too.
    keys: Vec<NameKey>,
    session: u64,
    token: Option<String>,
    until: Instant,
}

impl Kicks {
    /// Keeps a session out until then, and with it the name that it has.
    pub(super) fn add(&mut self, session: &Session, name: UserName, until: Instant, now: Instant) {
        let keys = name.keys();
        let (session, token) = (session.number, session.token.clone());
        let mut kicks: Vec<Kick> = self.in_force(now).filter(|it| it.session != session).collect();
        kicks.push(Kick { name, keys, session, token, until });
        let too_many = kicks.len().saturating_sub(MOST_KICKS);
        self.0 = kicks.drain(too_many..).collect();
    }

    /// Lets those in again who were kicked under this name, and the session that has it
    /// now; returns under which names they were kicked.
    pub(crate) fn lift(
        &mut self,
        name: &UserName,
        session: Option<u64>,
        now: Instant,
    ) -> Vec<UserName> {
        let spelling = name.spelling();
        let is_meant = |kick: &Kick| kick.keys.contains(&spelling) || Some(kick.session) == session;
        let (lifted, kept): (Vec<Kick>, Vec<Kick>) = self.in_force(now).partition(is_meant);
        self.0 = kept.into();
        lifted.into_iter().map(|kick| kick.name).collect()
    }

    /// For how much longer this name, or one that could be mistaken for it, is kept out.
    pub(crate) fn left_for_name(&self, name: &UserName, now: Instant) -> Option<Duration> {
        if self.0.is_empty() {
            return None;
        }
        let keys = name.keys();
        self.left(now, |kick| keys.iter().any(|key| kick.keys.contains(key)))
    }

    /// For how much longer the session of this number is kept out.
    pub(crate) fn left_for_session(&self, session: u64, now: Instant) -> Option<Duration> {
        self.left(now, |kick| kick.session == session)
    }

    /// The same for who had a session of this token.
    pub(crate) fn left_for_token(&self, token: &str, now: Instant) -> Option<Duration> {
        self.left(now, |kick| kick.token.as_deref() == Some(token))
    }

    /// Whether anybody is kept out still.
    pub(crate) fn keep_somebody_out(&self, now: Instant) -> bool {
        self.in_force(now).next().is_some()
    }

    fn left(&self, now: Instant, is_meant: impl Fn(&Kick) -> bool) -> Option<Duration> {
        let kicks = self.0.iter().filter(|kick| kick.until > now && is_meant(kick));
        kicks.map(|kick| kick.until - now).max()
    }

    fn in_force(&self, now: Instant) -> impl Iterator<Item = Kick> {
        self.0.iter().filter(move |kick| kick.until > now).cloned()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::event::Time;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    fn kick(kicks: &mut Kicks, number: u64, text: &str, now: Instant) {
        let token = Some(format!("token-{number}"));
        let session = Session::new(number, name(text), token, Time::from_millis(0));
        kicks.add(&session, name(text), now + WINDOW, now);
    }

    #[test]
    fn a_kick_holds_for_session_name_and_token_until_it_is_over() {
        let (mut kicks, now) = (Kicks::default(), Instant::now());
        kick(&mut kicks, 1, "Bob", now);
        for same in ["Bob", "BOB", "b0b", "ｂｏｂ"] {
            assert_eq!(kicks.left_for_name(&name(same), now), Some(WINDOW), "{same}");
        }
        assert_eq!(kicks.left_for_session(1, now + WINDOW / 2), Some(WINDOW / 2));
        assert_eq!(kicks.left_for_token("token-1", now), Some(WINDOW));
        assert_eq!(kicks.left_for_name(&name("bob2"), now), None);
        assert_eq!(kicks.left_for_session(2, now), None);
        assert_eq!(kicks.left_for_token("token-2", now), None);
        assert!(kicks.keep_somebody_out(now) && !kicks.keep_somebody_out(now + WINDOW));
        assert_eq!(kicks.left_for_name(&name("Bob"), now + WINDOW), None);
    }

    #[test]
    fn a_kick_is_lifted_by_the_name_then_or_the_name_now() {
        let (mut kicks, now) = (Kicks::default(), Instant::now());
        kick(&mut kicks, 1, "bob", now);
        kick(&mut kicks, 2, "carol", now);
        assert!(kicks.lift(&name("rob"), Some(3), now).is_empty());
        assert_eq!(kicks.lift(&name("BOB"), None, now), [name("bob")]);
        assert_eq!(kicks.lift(&name("caroline"), Some(2), now), [name("carol")]);
        assert!(!kicks.keep_somebody_out(now));
        kick(&mut kicks, 1, "bob", now);
        assert!(kicks.lift(&name("bob"), Some(1), now + WINDOW).is_empty(), "it was over");
    }

    #[test]
    fn only_so_many_are_kept_out_and_each_once() {
        let (mut kicks, now) = (Kicks::default(), Instant::now());
        for number in 0..MOST_KICKS as u64 + 1 {
            kick(&mut kicks, number, &format!("n{number}"), now);
        }
        assert_eq!(kicks.0.len(), MOST_KICKS);
        assert_eq!(kicks.left_for_session(0, now), None, "the first is let in again");
        kick(&mut kicks, 1, "another", now);
        assert_eq!(kicks.0.len(), MOST_KICKS);
        kick(&mut kicks, 1, "another", now + WINDOW);
        assert_eq!(kicks.0.len(), 1, "what is over is not kept");
    }
}
