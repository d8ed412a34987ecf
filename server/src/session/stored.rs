//! A session as plain data, for another server that its client resumes it on.

use std::sync::Arc;

use madang_protocol::{
    event::{Event, Time},
    name::{NameKey, UserName},
    text::Lang,
};
use serde::{Deserialize, Serialize};

use super::{
    Hidden, LastWhisperer, Mute, Quiet, Session, memory::MOST_EXACT, nonces::Nonces, token::Token,
};

/// A session as plain data, without its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredSession {
    pub(crate) number: u64,
    pub(crate) name: UserName,
    since: Time,
    spoke_at: Time,
    /// The rooms that it may be in, as [`Destination::parse`] reads them: the one that it is in or
    /// about to enter, then the one that it was in before.
    ///
    /// [`Destination::parse`]: madang_protocol::room::Destination::parse
    pub(crate) rooms: Vec<String>,
    /// The private rooms that it owns, in the same form.
    pub(crate) owned: Vec<String>,
    is_korean: bool,
    pub(crate) is_teacher: bool,
    pub(crate) is_watching: bool,
    pub(crate) quiet: Option<Quiet>,
    pub(crate) muted: Option<Mute>,
    hidden: Vec<(u64, Arc<str>)>,
    last_whisperer: Option<LastWhisperer>,
    /// The event that removed it from its room, if it has joined none since.
    pub(crate) removal: Option<Event>,
    nonces: Nonces,
    /// The number of its last private event.
    pub(crate) last_private: u64,
    /// The last private events; empty where they must not be stored.
    whispers: Vec<String>,
}

impl Session {
    /// The session as plain data, in these rooms, without its private events.
    pub(crate) fn stored(&self, rooms: Vec<String>, owned: Vec<String>) -> StoredSession {
        let state = self.state.lock();
        let memory = state.memory.as_deref();
        StoredSession {
            number: self.number,
            name: state.name.clone(),
            since: self.since,
            spoke_at: self.spoke_at(),
            rooms,
            owned,
            is_korean: state.lang == Lang::Ko,
            is_teacher: self.is_teacher(),
            is_watching: self.is_watching(),
            quiet: state.quiet,
            muted: state.muted,
            hidden: state.hidden.iter().map(|it| (it.session, it.name.clone())).collect(),
            last_whisperer: state.last_whisperer.clone(),
            removal: memory.and_then(|memory| memory.removal.clone()),
            nonces: memory.map(|memory| memory.nonces.clone()).unwrap_or_default(),
            last_private: memory.map_or(0, |memory| memory.last_private),
            whispers: Vec::new(),
        }
    }

    /// The last private events, for [`StoredSession::with_whispers`]; there are none here any more.
    pub(crate) fn hand_over_whispers(&self) -> Vec<String> {
        let mut state = self.state.lock();
        let Some(memory) = &mut state.memory else { return Vec::new() };
        memory.is_handed_over = true;
        let lines = memory.privates.iter();
        lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    /// The number of the last private event.
    pub(crate) fn last_private(&self) -> u64 {
        self.state.lock().memory.as_ref().map_or(0, |memory| memory.last_private)
    }
}

impl StoredSession {
    /// The same with its private events.
    pub(crate) fn with_whispers(self, whispers: Vec<String>) -> StoredSession {
        StoredSession { whispers, ..self }
    }

    /// All keys of its name.
    pub(crate) fn keys(&self) -> Vec<NameKey> {
        self.name.keys()
    }

    /// The session, whose client has sent this token, and has received the private events up to
    /// `received`.
    pub(in crate::session) fn revive(&self, token: &str, received: u64) -> Session {
        let session = Session::new(
            self.number,
            self.name.clone(),
            Some(Token::new(token.into())),
            self.since,
        );
        session.note_spoke(self.spoke_at);
        let mut state = session.state.lock();
        state.lang = if self.is_korean { Lang::Ko } else { Lang::En };
        (state.quiet, state.muted) = (self.quiet, self.muted);
        let hidden = self.hidden.iter().cloned();
        state.hidden = hidden.map(|(session, name)| Hidden { session, name }).collect();
        state.last_whisperer = self.last_whisperer.clone();
        if let Some(memory) = &mut state.memory {
            memory.nonces = self.nonces.clone();
            memory.removal = self.removal.clone();
            // What comes next must be new to the client.
            memory.last_private = match received {
                ..=MOST_EXACT => self.last_private.max(received),
                _ => self.last_private,
            };
        }
        drop(state);
        session
    }

    /// Gives the revived session its private events; a client that lacks others is told.
    pub(super) fn refill(&self, session: &Session) {
        let mut state = session.state.lock();
        let Some(memory) = state.memory.as_mut().filter(|_| !self.whispers.is_empty()) else {
            return;
        };
        memory.last_private -= self.whispers.len() as u64;
        for whisper in &self.whispers {
            if !memory.keep(whisper.clone().into_bytes()) {
                memory.last_private += 1;
            }
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::session::{Whispered, Whisperer, user_manager::UserManager};
    use crate::{
        delivery::sink::fake::connect,
        dialect::Form,
        session::{nonces::NonceKey, user_manager::AwayLimits},
    };

    fn users() -> UserManager {
        UserManager::new(AwayLimits { total: 9, per_address: None }, NonceKey::default())
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    fn moved(session: &Session, whispers: Vec<String>) -> StoredSession {
        let stored = session.stored(vec!["lobby".into()], vec![]).with_whispers(whispers);
        let written = serde_json::to_vec(&stored).expect("plain data");
        serde_json::from_slice(&written).expect("it was written")
    }

    /// What a client is sent that presents the token on the server `users`.
    fn resumed(users: &UserManager, stored: &StoredSession, received: u64) -> String {
        let session = users.revive(stored, "token", received);
        users.insert_away(&session).expect("its name is free");
        let (socket, outbox) = connect(7, Form::JSON);
        session.attach(outbox, Vec::new(), received);
        socket.text()
    }

    #[test]
    fn a_session_is_the_same_on_another_server() {
        let (here, there) = (users(), users());
        let now = Time::from_millis(7);
        let alice = here.claim(&name("alice"), Some("token".into()), 1, now).expect("it is free");
        alice.hide(5, &name("bob"));
        alice.mute(Mute { until: Some(now) });
        alice.note_nonce("n1");
        alice.change_lang(Lang::Ko);
        let stored = moved(&alice, Vec::new());
        let revived = there.revive(&stored, "token", 0);
        there.insert_away(&revived).expect("its name is free");
        assert_eq!(revived.stored(vec!["lobby".into()], vec![]), stored);
        assert_eq!((revived.number, revived.knows_nonce("n1")), (alice.number, Some(None)));
        assert!(there.take_over("token", 2, std::time::Duration::ZERO, |_| {}).is_ok());
        let again = there.revive(&stored, "token", 0);
        assert!(there.insert_away(&again).is_none(), "it is there");
    }

    #[test]
    fn whispers_come_along_and_those_that_are_lost_are_told() {
        let here = users();
        let alice = here.claim(&name("alice"), Some("token".into()), 1, Time::from_millis(0));
        let alice = alice.expect("it is free");
        for text in ["one", "two", "three"] {
            alice.whisper(Whisperer::Operator, text, Time::from_millis(0));
        }
        let whispers = alice.hand_over_whispers();
        let late = alice.whisper(Whisperer::Operator, "four", Time::from_millis(0));
        assert_eq!(late, Whispered::Gone);
        let stored = moved(&alice, whispers);
        let sent = resumed(&users(), &stored, 1);
        assert!(!sent.contains("one") && sent.contains(r#""private":2"#), "{sent}");
        assert!(sent.contains("three") && !sent.contains("private_gap"), "{sent}");
        // Its server was killed, and the last number is all that is known.
        let sent = resumed(&users(), &moved(&alice, Vec::new()), 1);
        assert_eq!(sent.matches("private_gap").count(), 1, "{sent}");
        assert!(sent.contains(r#""from":2,"to":3"#), "{sent}");
        // What was noted is older than what the client has received.
        let stored = StoredSession { last_private: 2, ..moved(&alice, Vec::new()) };
        assert_eq!(resumed(&users(), &stored, 3), "");
        // A number that no client can have changes nothing.
        assert!(!resumed(&users(), &stored, u64::MAX).contains("private"));
    }
}
