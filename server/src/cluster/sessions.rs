//! Sessions that can be resumed on any server: a record of each in Redis, under the hash of its
//! token and sealed with the token, so that whoever reads Redis learns neither that nor who is in
//! which private room. One thread reads and writes them, in the order in which it is asked.
//!
//! # Guarantees
//!
//! 1. A session has one server. It passes to another, with its names, in one script: given by
//!    its server, or taken from one that does not answer.
//! 2. A server that a session was taken from changes nothing of it any more.
//! 3. A session that was brought passes on only after the connection that came for it is welcomed.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, atomic::AtomicU64},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{
    connection::{PATIENCE, Redis},
    control::Control,
    keys,
    room_log::next_seq,
    sealed::{Seal, Sealed},
    server::OwnServer,
    session_records::{EndingSessions, KnownOfToken, Record, SessionJob, SessionWriter},
};
use crate::{
    room::log::Unreachable,
    session::{
        stored::StoredSession,
        token::{Token, TokenHash},
        user_manager::Taker,
    },
    sync::{Condvar, Mutex},
};

/// How often a session is looked for that others move at the same time.
const TRIES: usize = 3;

/// How a question for a session begins.
pub(super) const QUESTION: &[u8] = b"session ";

/// How the answer about a session begins that has ended.
const ENDED: &[u8] = b"ended ";

/// What is known of a token.
pub(crate) enum Brought {
    /// No other server has its session.
    NotElsewhere,
    /// The session, which is this server's from now on.
    Session(Box<StoredSession>),
    /// The same, but its server is gone: what it was told since, its room knows.
    Orphan(Box<StoredSession>),
    /// It has ended; its number.
    Ended(u64),
}

/// The records of sessions.
pub(crate) struct Sessions {
    origin: u64,
    last_seq: Arc<AtomicU64>,
    control: Arc<Control>,
    pub(super) jobs: Sender<SessionJob>,
    /// The numbers of sessions that have ended here and are still to be forgotten in Redis.
    ending: Arc<EndingSessions>,
    /// The tokens whose sessions are being brought, and the server that is to have each next.
    bringing: Mutex<HashMap<TokenHash, Option<Taker>>>,
    /// Signalled when one of them has been.
    brought: Condvar,
}

/// Nobody else on this server brings the session of this token, and it passes to no other, until
/// this is dropped.
pub(crate) struct Turn<'a> {
    sessions: &'a Sessions,
    hash: TokenHash,
}

impl Drop for Turn<'_> {
    /// If another server has asked for the session meanwhile, blocks until this one is asked again,
    /// in its name.
    fn drop(&mut self) {
        let Sessions { bringing, brought, control, origin, .. } = self.sessions;
        let next = bringing.lock().remove(&self.hash).flatten();
        brought.notify_all();
        if let Some(taker) = next {
            control.tell_server(*origin, &question(&self.hash, taker));
        }
    }
}

/// Starts the thread; it ends when `stop` is dropped, once what waits is written.
pub(super) fn start_sessions(
    redis: Redis,
    origin: u64,
    last_seq: Arc<AtomicU64>,
    control: Arc<Control>,
    server: OwnServer,
    stop: Receiver<()>,
) -> std::io::Result<(Sessions, JoinHandle<()>)> {
    let (jobs, queue) = unbounded();
    let ending: Arc<EndingSessions> = Arc::default();
    let (connection, is_away) = (None, false);
    let writer =
        SessionWriter { redis, origin, server, ending: ending.clone(), connection, is_away };
    let thread = std::thread::Builder::new()
        .name("sessions".to_owned())
        .spawn(move || writer.run(&queue, &stop))?;
    let (bringing, brought) = (Mutex::default(), Condvar::new());
    Ok((Sessions { origin, last_seq, control, jobs, ending, bringing, brought }, thread))
}

impl Sessions {
    /// Writes the record of a new session; blocks until that is done, or a moment has passed.
    pub(crate) fn keep_new(&self, token: &Token, session: &StoredSession) {
        let (done, is_done) = bounded(1);
        let until = Instant::now() + PATIENCE;
        self.send(self.keep_job(token, session, true, Some(done)));
        let _ = is_done.recv_deadline(until);
    }

    /// Writes the record of a session that has changed. Never blocks.
    pub(crate) fn keep(&self, token: &Token, session: &StoredSession) {
        self.send(self.keep_job(token, session, false, None));
    }

    /// Writes the record of a session, even if it is lost. Never blocks.
    pub(crate) fn keep_again(&self, token: &Token, session: &StoredSession) {
        self.send(self.keep_job(token, session, true, None));
    }

    /// What is returned tells when all that was kept so far is written.
    pub(crate) fn when_kept(&self) -> Receiver<()> {
        let (reached, is_reached) = bounded(1);
        self.send(SessionJob::Mark(reached));
        is_reached
    }

    fn keep_job(
        &self,
        token: &Token,
        session: &StoredSession,
        is_new: bool,
        done: Option<Sender<()>>,
    ) -> SessionJob {
        let names: Vec<String> = session.keys().iter().map(keys::name).collect();
        let sealed = self.seal(token, session);
        SessionJob::Keep { hash: token.hash, sealed, names: names.join(" "), is_new, done }
    }

    fn seal(&self, token: &Token, session: &StoredSession) -> Vec<u8> {
        let plain = serde_json::to_vec(session).expect("plain data");
        let by = (self.origin, next_seq(&self.last_seq));
        Seal::of_token(token.text()).seal(Sealed::Session, by, &plain)
    }

    /// Notes the number of a session's last private event. Never blocks.
    pub(crate) fn note_private(&self, token: &Token, last_private: u64) {
        self.send(SessionJob::Note { hash: token.hash, last_private });
    }

    /// Forgets a session that ends, before anybody is told so; nobody comes back to it from now
    /// on. `kicked_for` is how long it is kept out of the lobby. Never blocks.
    pub(crate) fn forget(&self, token: &Token, number: u64, kicked_for: Option<Duration>) {
        let (hash, kicked_for) = (token.hash, kicked_for.unwrap_or_default());
        self.ending.lock().insert(hash, number);
        self.send(SessionJob::Forget { hash, number, kicked_for });
    }

    /// The number of the session of this token, if it has ended here and Redis may still have its
    /// record.
    pub(crate) fn ended(&self, token: &TokenHash) -> Option<u64> {
        self.ending.lock().get(token).copied()
    }

    /// Hands a session over to the server that has asked for it, or tells it that there is none.
    /// Never blocks.
    pub(crate) fn give(&self, taker: Taker, token: &Token, session: &StoredSession) {
        let (hash, number) = (token.hash, session.number);
        let sealed = self.seal(token, session);
        self.send(SessionJob::Give { hash, taker, session: number, sealed });
    }

    /// Waits until nobody else on this server brings the session of this token: for some seconds
    /// at most.
    pub(crate) fn take_turn(&self, token: &str) -> Turn<'_> {
        let hash = TokenHash::of(token);
        let mut bringing = self.bringing.lock();
        while bringing.contains_key(&hash) {
            self.brought.wait(&mut bringing);
        }
        bringing.insert(hash, None);
        Turn { sessions: self, hash }
    }

    /// Has another server wait for a session that is being brought here until it can pass on; of
    /// several, the last one gets it. False if none of this token is. Never blocks.
    pub(crate) fn defer(&self, hash: &TokenHash, taker: Taker) -> bool {
        let mut bringing = self.bringing.lock();
        bringing.get_mut(hash).map(|next| *next = Some(taker)).is_some()
    }

    /// Looks for the session of a token on the other servers; `is_here` says whether there is one
    /// here. Blocks until that is known and its server has let it go, or some seconds have passed.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    pub(crate) fn bring(&self, token: &str, is_here: bool) -> Result<Brought, Unreachable> {
        let hash = TokenHash::of(token);
        for _ in 0..TRIES {
            let until = Instant::now() + PATIENCE;
            let record = match self.ask(until, |answer| SessionJob::Read { hash, until, answer })? {
                KnownOfToken::Record(record) => record,
                KnownOfToken::Ended(number) => return Ok(Brought::Ended(number)),
                KnownOfToken::Nothing => return Ok(Brought::NotElsewhere),
            };
            if record.origin == self.origin {
                return Ok(if is_here { Brought::NotElsewhere } else { record.open(token) });
            }
            let asked = |number| question(&hash, Taker { origin: self.origin, question: number });
            let given = self.control.ask_server(record.origin, asked);
            if let Some(number) = given.as_deref().and_then(ended_in) {
                return Ok(Brought::Ended(number));
            }
            if let Some(sealed) = given.filter(|sealed| !sealed.is_empty()) {
                return Ok(Record { sealed, ..record }.open(token));
            }
            let (from, until) = (record.origin, Instant::now() + PATIENCE);
            if self.ask(until, |answer| SessionJob::Take { hash, from, until, answer })? {
                return Ok(match record.open(token) {
                    Brought::Session(stored) => Brought::Orphan(stored),
                    other => other,
                });
            }
        }
        Err(Unreachable)
    }

    /// Whether a session is still this server's; false if that is not known. Blocks like
    /// [`bring`](Self::bring).
    pub(crate) fn has(&self, token: &Token) -> bool {
        let (hash, until) = (token.hash, Instant::now() + PATIENCE);
        let read = self.ask(until, |answer| SessionJob::Read { hash, until, answer });
        matches!(read, Ok(KnownOfToken::Record(record)) if record.origin == self.origin)
    }

    fn ask<A>(
        &self,
        until: Instant,
        job: impl FnOnce(Sender<A>) -> SessionJob,
    ) -> Result<A, Unreachable> {
        let (answer, answered) = bounded(1);
        self.send(job(answer));
        answered.recv_deadline(until).map_err(|_| Unreachable)
    }

    fn send(&self, job: SessionJob) {
        // Once the thread has ended, others bury this server.
        let _ = self.jobs.send(job);
    }
}

impl Record {
    fn open(self, token: &str) -> Brought {
        let opened = Seal::of_token(token).open(Sealed::Session, &self.sealed);
        let stored = opened.ok().and_then(|(_, plain)| serde_json::from_slice(&plain).ok());
        let Some(mut stored): Option<StoredSession> = stored else {
            tracing::error!("a session's record can't be read");
            return Brought::NotElsewhere;
        };
        stored.last_private = stored.last_private.max(self.last_private);
        Brought::Session(Box::new(stored))
    }
}

/// A server's question for a session, as [`asked_for`] reads it.
fn question(hash: &TokenHash, taker: Taker) -> Vec<u8> {
    format!("session {} {} {}", hash.show(), taker.origin, taker.question).into_bytes()
}

/// Another server's question for a session: the hash of its token, and the asker; none if it is
/// malformed.
pub(super) fn asked_for(message: &[u8]) -> Option<(TokenHash, Taker)> {
    let mut words = std::str::from_utf8(message.strip_prefix(QUESTION)?).ok()?.split(' ');
    let hash = TokenHash::parse(words.next()?)?;
    let mut number = || words.next()?.parse().ok();
    Some((hash, Taker { origin: number()?, question: number()? }))
}

/// The answer about a session that has ended.
pub(super) fn has_ended(number: u64) -> Vec<u8> {
    format!("{}{number}", String::from_utf8_lossy(ENDED)).into_bytes()
}

/// The number of the session in [that answer](has_ended).
fn ended_in(answer: &[u8]) -> Option<u64> {
    std::str::from_utf8(answer.strip_prefix(ENDED)?).ok()?.parse().ok()
}

/// The message that answers a [`Taker`].
pub(super) fn answer(taker: Taker, sealed: &[u8]) -> Vec<u8> {
    let mut message = format!("{}\n", taker.question).into_bytes();
    message.extend_from_slice(sealed);
    message
}

impl TokenHash {
    /// In hexadecimal.
    pub(super) fn show(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn parse(text: &str) -> Option<TokenHash> {
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() || !text.is_ascii() {
            return None;
        }
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(TokenHash(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_about_an_ended_session_is_no_record() {
        assert_eq!(ended_in(&has_ended(u64::MAX)), Some(u64::MAX));
        for other in [&b""[..], b"ended ", b"ended x", &[b'x'; 80]] {
            assert_eq!(ended_in(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_question_for_a_session_is_read_or_ignored() {
        let (hash, taker) = (TokenHash::of("abc"), Taker { origin: u64::MAX, question: 7 });
        let question = String::from_utf8(question(&hash, taker)).expect("text");
        assert!(question.as_bytes().starts_with(QUESTION));
        assert_eq!(asked_for(question.as_bytes()), Some((hash, taker)));
        for broken in ["", "session", "session ", "session 00 1 2", "7\nan answer"] {
            assert_eq!(asked_for(broken.as_bytes()), None, "{broken:?}");
        }
        let short = &question[..question.len() - 2];
        assert_eq!(asked_for(short.as_bytes()), None);
        assert_eq!(asked_for(question.replace("session ba", "session 가").as_bytes()), None);
    }
}
