//! Sessions that can be resumed on any server: a record of each in Redis, under the hash of its
//! token and sealed with the token, so that whoever reads Redis learns neither that nor who is in
//! which private room. One thread reads and writes them, in the order in which it is asked.
//!
//! # Guarantees
//!
//! 1. A session has one server. It passes to another, with its names, in one script: given by
//!    its server, or taken from one that does not answer.
//! 2. A server that a session was taken from changes nothing of it any more.

use std::{
    collections::HashSet,
    fmt::Write as _,
    sync::{Arc, LazyLock, atomic::AtomicU64},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, unbounded};
use redis::{Connection, RedisResult, Script};

use super::{
    connection::{PATIENCE, Redis},
    control::Control,
    keys,
    room_log::next_seq,
    sealed::{Seal, Sealed},
    server::OwnServer,
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

/// How long is waited after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a session is looked for that others move at the same time.
const TRIES: usize = 3;

/// How a question for a session begins.
pub(super) const QUESTION: &[u8] = b"session ";

/// Writes a session's record: a new one, or one that is still this server's.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local server = redis.call('HGET', KEYS[1], 'o')
        if (server or ARGV[4] == '0') and server ~= ARGV[1] then
            return 0
        end
        redis.call('HSET', KEYS[1], 'o', ARGV[1], 'r', ARGV[2], 'n', ARGV[3])
        redis.call('SADD', KEYS[2], KEYS[1])
        return 1",
    )
});

/// Notes the number of a session's last private event.
static NOTE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('HGET', KEYS[1], 'o') == ARGV[1] then
            redis.call('HSET', KEYS[1], 'p', ARGV[2])
        end
        return 1",
    )
});

/// Forgets a session that has ended on this server.
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        redis.call('SREM', KEYS[2], KEYS[1])
        if redis.call('HGET', KEYS[1], 'o') == ARGV[1] then
            redis.call('DEL', KEYS[1])
        end
        return 1",
    )
});

/// Moves a session, with its names, to another server that is not dead.
static MOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 1 then
            return 0
        end
        for name in string.gmatch(redis.call('HGET', KEYS[1], 'n') or '', '%S+') do
            local by = redis.call('GET', name)
            if not by or by == ARGV[1] then
                redis.call('SET', name, ARGV[2])
                redis.call('SREM', KEYS[5], name)
                redis.call('SADD', KEYS[6], name)
            end
        end
        redis.call('HSET', KEYS[1], 'o', ARGV[2])
        redis.call('SREM', KEYS[3], KEYS[1])
        redis.call('SADD', KEYS[4], KEYS[1])
        return 1",
    )
});

/// Gives up the names of a dead server, but for those of sessions that may still be resumed.
static RELEASE_UNHELD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local held = {}
        for _, session in ipairs(redis.call('SMEMBERS', KEYS[2])) do
            for name in string.gmatch(redis.call('HGET', session, 'n') or '', '%S+') do
                held[name] = true
            end
        end
        for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            if not held[name] then
                if redis.call('GET', name) == ARGV[1] then
                    redis.call('DEL', name)
                end
                redis.call('SREM', KEYS[1], name)
            end
        end
        return 1",
    )
});

/// Forgets the sessions of a dead server that nobody has resumed.
static FORGET_ALL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        for _, session in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            if redis.call('HGET', session, 'o') == ARGV[1] then
                redis.call('DEL', session)
            end
        end
        return redis.call('DEL', KEYS[1])",
    )
});

/// Gives up the names of a dead server, but for those of sessions that may still be resumed.
pub(super) fn release_unheld(connection: &mut Connection, dead: u64) -> RedisResult<()> {
    RELEASE_UNHELD.key(keys::names(dead)).key(keys::sessions(dead)).arg(dead).invoke(connection)
}

/// Forgets the sessions of a dead server that nobody has resumed.
pub(super) fn forget_all(connection: &mut Connection, dead: u64) -> RedisResult<()> {
    FORGET_ALL.key(keys::sessions(dead)).arg(dead).invoke(connection)
}

/// What is known of a token.
pub(crate) enum Brought {
    /// No other server has its session.
    NotElsewhere,
    /// The session, which is this server's from now on.
    Session(Box<StoredSession>),
}

/// A session's record.
struct Record {
    origin: u64,
    /// The [`StoredSession`], sealed.
    sealed: Vec<u8>,
    last_private: u64,
}

enum SessionJob {
    Keep { hash: TokenHash, sealed: Vec<u8>, names: String, is_new: bool, done: Option<Sender<()>> },
    Note { hash: TokenHash, last_private: u64 },
    Forget(TokenHash),
    Read { hash: TokenHash, until: Instant, answer: Sender<Option<Record>> },
    Take { hash: TokenHash, from: u64, until: Instant, answer: Sender<bool> },
    Give { hash: TokenHash, taker: Taker, session: u64, sealed: Vec<u8> },
}

/// The records of sessions.
pub(crate) struct Sessions {
    origin: u64,
    last_seq: Arc<AtomicU64>,
    control: Arc<Control>,
    jobs: Sender<SessionJob>,
    /// The tokens whose sessions are being brought.
    bringing: Mutex<HashSet<TokenHash>>,
    /// Signalled when one of them has been.
    brought: Condvar,
}

/// Nobody else on this server brings the session of this token, until this is dropped.
pub(crate) struct Turn<'a> {
    sessions: &'a Sessions,
    hash: TokenHash,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.sessions.bringing.lock().remove(&self.hash);
        self.sessions.brought.notify_all();
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
    let writer = SessionWriter { redis, origin, server, connection: None, is_away: false };
    let thread = std::thread::Builder::new()
        .name("sessions".to_owned())
        .spawn(move || writer.run(&queue, &stop))?;
    let (bringing, brought) = (Mutex::default(), Condvar::new());
    Ok((Sessions { origin, last_seq, control, jobs, bringing, brought }, thread))
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

    /// Forgets a session that has ended. Never blocks.
    pub(crate) fn forget(&self, token: &Token) {
        self.send(SessionJob::Forget(token.hash));
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
        while !bringing.insert(hash) {
            self.brought.wait(&mut bringing);
        }
        Turn { sessions: self, hash }
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
            let read = self.ask(until, |answer| SessionJob::Read { hash, until, answer })?;
            let Some(record) = read else { return Ok(Brought::NotElsewhere) };
            if record.origin == self.origin {
                return Ok(if is_here { Brought::NotElsewhere } else { record.open(token) });
            }
            let question =
                |number| format!("session {} {} {number}", hash.show(), self.origin).into_bytes();
            let given = self.control.ask_server(record.origin, question);
            if let Some(sealed) = given.filter(|sealed| !sealed.is_empty()) {
                return Ok(Record { sealed, ..record }.open(token));
            }
            let (from, until) = (record.origin, Instant::now() + PATIENCE);
            if self.ask(until, |answer| SessionJob::Take { hash, from, until, answer })? {
                return Ok(record.open(token));
            }
        }
        Err(Unreachable)
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

/// Another server's question for a session: the hash of its token, and the asker; none if it is
/// malformed.
pub(super) fn asked_for(message: &[u8]) -> Option<(TokenHash, Taker)> {
    let mut words = std::str::from_utf8(message.strip_prefix(QUESTION)?).ok()?.split(' ');
    let hash = TokenHash::parse(words.next()?)?;
    let mut number = || words.next()?.parse().ok();
    Some((hash, Taker { origin: number()?, question: number()? }))
}

/// The message that answers a [`Taker`].
pub(super) fn answer(taker: Taker, sealed: &[u8]) -> Vec<u8> {
    let mut message = format!("{}\n", taker.question).into_bytes();
    message.extend_from_slice(sealed);
    message
}

impl TokenHash {
    /// In hexadecimal.
    fn show(&self) -> String {
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

struct SessionWriter {
    redis: Redis,
    origin: u64,
    server: OwnServer,
    connection: Option<Connection>,
    /// Whether Redis could not be reached the last time.
    is_away: bool,
}

impl SessionWriter {
    fn run(mut self, queue: &Receiver<SessionJob>, stop: &Receiver<()>) {
        loop {
            let job = select! {
                recv(queue) -> job => job.ok(),
                recv(stop) -> _ => queue.try_recv().ok(),
            };
            let Some(job) = job else { return };
            while let Err(error) = self.carry_out(&job) {
                self.connection = None;
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::warn!(%error, "failed to read or write a session in Redis");
                }
                if !matches!(stop.recv_timeout(PAUSE), Err(RecvTimeoutError::Timeout)) {
                    return;
                }
            }
            self.is_away = false;
        }
    }

    fn carry_out(&mut self, job: &SessionJob) -> RedisResult<()> {
        match job {
            // Nobody waits for it any more.
            SessionJob::Read { until, .. } | SessionJob::Take { until, .. }
                if Instant::now() >= *until =>
            {
                return Ok(());
            }
            _ => {}
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.redis.connect()?),
        };
        let own = keys::sessions(self.origin);
        let record = |hash: &TokenHash| keys::session(&hash.show());
        // Whoever asks may have given up.
        match job {
            SessionJob::Keep { hash, sealed, names, is_new, done, .. } => {
                let arguments = (self.origin, sealed, names, u8::from(*is_new));
                KEEP.key(record(hash)).key(own).arg(arguments).invoke::<()>(connection)?;
                done.iter().for_each(|done| _ = done.send(()));
            }
            SessionJob::Note { hash, last_private } => {
                let arguments = (self.origin, *last_private);
                NOTE.key(record(hash)).arg(arguments).invoke::<()>(connection)?;
            }
            SessionJob::Forget(hash) => {
                FORGET.key(record(hash)).key(own).arg(self.origin).invoke::<()>(connection)?;
            }
            SessionJob::Read { hash, answer, .. } => {
                let (origin, sealed, last_private): (Option<u64>, Option<Vec<u8>>, Option<u64>) =
                    redis::cmd("HMGET")
                        .arg(record(hash))
                        .arg(&["o", "r", "p"])
                        .query(connection)?;
                let found = origin.zip(sealed).map(|(origin, sealed)| Record {
                    origin,
                    sealed,
                    last_private: last_private.unwrap_or_default(),
                });
                let _ = answer.send(found);
            }
            SessionJob::Take { hash, from, answer, .. } => {
                let _ = answer.send(move_session(connection, &record(hash), *from, self.origin)?);
            }
            SessionJob::Give { hash, taker, session, sealed } => {
                let is_moved = move_session(connection, &record(hash), self.origin, taker.origin)?;
                // A third server may have taken it.
                let message = answer(*taker, if is_moved { sealed } else { b"" });
                let channel = keys::wake_channel(taker.origin);
                redis::cmd("PUBLISH").arg(channel).arg(message).query::<()>(connection)?;
                if let Some(server) = self.server.get() {
                    server.session_given(*session);
                }
            }
        }
        Ok(())
    }
}

fn move_session(
    connection: &mut Connection,
    record: &str,
    from: u64,
    to: u64,
) -> RedisResult<bool> {
    MOVE.key(record)
        .key(keys::dead(to))
        .key((keys::sessions(from), keys::sessions(to)))
        .key((keys::names(from), keys::names(to)))
        .arg((from, to))
        .invoke(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_a_session_is_read_or_ignored() {
        let hash = TokenHash::of("abc");
        let question = format!("session {} 18446744073709551615 7", hash.show());
        let asked = asked_for(question.as_bytes()).expect("a question");
        assert_eq!(asked, (hash, Taker { origin: u64::MAX, question: 7 }));
        for broken in ["", "session", "session ", "session 00 1 2", "7\nan answer"] {
            assert_eq!(asked_for(broken.as_bytes()), None, "{broken:?}");
        }
        let short = &question[..question.len() - 2];
        assert_eq!(asked_for(short.as_bytes()), None);
        assert_eq!(asked_for(question.replace("session ba", "session 가").as_bytes()), None);
    }
}
