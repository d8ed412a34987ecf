//! The records of sessions in Redis: the scripts, and the thread that reads and writes them.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};
use redis::{Connection, RedisResult, Script};

use super::{connection::Redis, guard::guarded, keys, server::OwnServer, sessions};
use crate::{
    session::{token::TokenHash, user_manager::Taker},
    sync::Mutex,
};

/// How long is waited after a failure.
const PAUSE: Duration = Duration::from_millis(200);

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

/// Forgets a session that has ended on this server; its number is known for a while if it was
/// kicked from the lobby.
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        redis.call('SREM', KEYS[2], KEYS[1])
        if redis.call('HGET', KEYS[1], 'o') == ARGV[1] then
            redis.call('DEL', KEYS[1])
            if ARGV[3] ~= '0' then
                redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
            end
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

/// What Redis has of a token.
pub(super) enum KnownOfToken {
    Record(Record),
    /// The number of its session, which has ended.
    Ended(u64),
    Nothing,
}

/// A session's record.
pub(super) struct Record {
    pub(super) origin: u64,
    /// The session as plain data, sealed.
    pub(super) sealed: Vec<u8>,
    pub(super) last_private: u64,
}

/// What to read or write.
pub(super) enum SessionJob {
    Keep {
        hash: TokenHash,
        sealed: Vec<u8>,
        names: String,
        is_new: bool,
        done: Option<Sender<()>>,
    },
    Note {
        hash: TokenHash,
        last_private: u64,
    },
    /// All that was asked before is done.
    Mark(Sender<()>),
    /// The session with this number was removed from its room.
    KeepRemoved(u64),
    Forget {
        hash: TokenHash,
        number: u64,
        kicked_for: Duration,
    },
    Read {
        hash: TokenHash,
        until: Instant,
        answer: Sender<KnownOfToken>,
    },
    Take {
        hash: TokenHash,
        from: u64,
        until: Instant,
        answer: Sender<bool>,
    },
    Give {
        hash: TokenHash,
        taker: Taker,
        session: u64,
        sealed: Vec<u8>,
    },
}

/// The numbers of sessions, by the hashes of their tokens.
pub(super) type EndingSessions = Mutex<HashMap<TokenHash, u64>>;

/// Reads and writes the records.
pub(super) struct SessionWriter {
    pub(super) redis: Redis,
    pub(super) origin: u64,
    pub(super) server: OwnServer,
    pub(super) ending: Arc<EndingSessions>,
    pub(super) connection: Option<Connection>,
    /// Whether Redis could not be reached the last time.
    pub(super) is_away: bool,
}

impl SessionWriter {
    /// Until `stop` is dropped, and then until what waits is written.
    pub(super) fn run(mut self, queue: &Receiver<SessionJob>, stop: &Receiver<()>) {
        loop {
            let job = select! {
                recv(queue) -> job => job.ok(),
                recv(stop) -> _ => queue.try_recv().ok(),
            };
            let Some(job) = job else { return };
            loop {
                let was_connected = self.connection.is_some();
                let Err(error) = self.carry_out(&job) else { break };
                self.connection = None;
                if was_connected {
                    // Redis may have been restarted since.
                    continue;
                }
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
            SessionJob::Mark(reached) => _ = reached.send(()),
            SessionJob::KeepRemoved(number) => {
                if let Some(server) = self.server.get() {
                    guarded("keeping a session", || server.session_removed(*number));
                }
            }
            SessionJob::Forget { hash, number, kicked_for } => {
                let arguments = (self.origin, *number, kicked_for.as_millis() as u64);
                FORGET
                    .key(record(hash))
                    .key((own, keys::kicked_session(&hash.show())))
                    .arg(arguments)
                    .invoke::<()>(connection)?;
                self.ending.lock().remove(hash);
            }
            SessionJob::Read { hash, answer, .. } => {
                type RecordParts = (Option<u64>, Option<Vec<u8>>, Option<u64>);
                let ((origin, sealed, last_private), ended): (RecordParts, Option<u64>) =
                    redis::pipe()
                        .cmd("HMGET")
                        .arg(record(hash))
                        .arg(&["o", "r", "p"])
                        .cmd("GET")
                        .arg(keys::kicked_session(&hash.show()))
                        .query(connection)?;
                let last_private = last_private.unwrap_or_default();
                let found = match (origin.zip(sealed), ended) {
                    (Some((origin, sealed)), _) => {
                        KnownOfToken::Record(Record { origin, sealed, last_private })
                    }
                    (None, Some(number)) => KnownOfToken::Ended(number),
                    (None, None) => KnownOfToken::Nothing,
                };
                let _ = answer.send(found);
            }
            SessionJob::Take { hash, from, answer, .. } => {
                let _ = answer.send(move_session(connection, &record(hash), *from, self.origin)?);
            }
            SessionJob::Give { hash, taker, session, sealed } => {
                let is_moved = move_session(connection, &record(hash), self.origin, taker.origin)?;
                // A third server may have taken it.
                let message = sessions::answer(*taker, if is_moved { sealed } else { b"" });
                let channel = keys::wake_channel(taker.origin);
                redis::cmd("PUBLISH").arg(channel).arg(message).query::<()>(connection)?;
                if let Some(server) = self.server.get() {
                    guarded("giving a session", || server.session_given(*session));
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

#[cfg(all(test, unix))]
mod tests {
    use madang_tests::redis::TestRedis;

    use super::*;

    const NAME: &str = "madang:name:alice";

    /// What a server writes of sessions, with a connection.
    fn writer(redis: &TestRedis, origin: u64) -> SessionWriter {
        let redis = Redis::at(&redis.url(), None).expect("an address");
        let connection = Some(redis.connect().expect("it runs"));
        let (server, ending) = (OwnServer::default(), Arc::default());
        SessionWriter { redis, origin, server, ending, connection, is_away: false }
    }

    fn alice() -> TokenHash {
        TokenHash::of("alice's")
    }

    fn kept(sealed: &[u8], is_new: bool) -> SessionJob {
        let (sealed, names) = (sealed.to_vec(), NAME.to_owned());
        SessionJob::Keep { hash: alice(), sealed, names, is_new, done: None }
    }

    #[track_caller]
    fn carry_out(writer: &mut SessionWriter, job: &SessionJob) {
        writer.carry_out(job).expect("Redis answers");
    }

    /// Whether this server could take the session from another.
    #[track_caller]
    fn takes(writer: &mut SessionWriter, from: u64) -> bool {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let until = Instant::now() + madang_tests::DEADLINE;
        carry_out(writer, &SessionJob::Take { hash: alice(), from, until, answer });
        answered.recv().expect("an answer")
    }

    /// What Redis has of the session and of its name: the session's server, its state and the
    /// number of its last private event; the name's server; and whether these servers have both.
    #[track_caller]
    fn known(writer: &mut SessionWriter, servers: [u64; 3]) -> (u64, Vec<u8>, u64, u64, [bool; 3]) {
        let connection = writer.connection.as_mut().expect("one");
        let record = keys::session(&alice().show());
        let (origin, sealed, last_private): (u64, Vec<u8>, Option<u64>) =
            redis::cmd("HMGET").arg(&record).arg(&["o", "r", "p"]).query(connection).expect("it");
        let name = redis::cmd("GET").arg(NAME).query(connection).expect("a server");
        let have = servers.map(|server| {
            let mut member = |key: String, of: &str| {
                redis::cmd("SISMEMBER").arg(key).arg(of).query::<bool>(connection).expect("it")
            };
            let both = [member(keys::sessions(server), &record), member(keys::names(server), NAME)];
            assert_eq!(both[0], both[1], "a session and its name have one server");
            both[0]
        });
        (origin, sealed, last_private.unwrap_or_default(), name, have)
    }

    /// Three servers; the first has the session and its name.
    fn three(redis: &TestRedis) -> [SessionWriter; 3] {
        let mut servers = [1, 2, 3].map(|origin| writer(redis, origin));
        carry_out(&mut servers[0], &kept(b"first", true));
        let connection = servers[0].connection.as_mut().expect("one");
        redis::cmd("SET").arg(NAME).arg(1).exec(connection).expect("it is set");
        redis::cmd("SADD").arg(keys::names(1)).arg(NAME).exec(connection).expect("it is added");
        servers
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn a_session_is_taken_with_its_names_and_only_from_the_server_that_has_it() {
        let redis = TestRedis::start();
        let [mut one, mut two, mut three] = three(&redis);
        let servers = [1, 2, 3];
        assert!(!takes(&mut three, 2), "it is not there");
        assert_eq!(known(&mut one, servers), (1, b"first".into(), 0, 1, [true, false, false]));
        assert!(takes(&mut two, 1));
        let taken = (2, b"first".to_vec(), 0, 2, [false, true, false]);
        assert_eq!(known(&mut one, servers), taken);
        assert!(!takes(&mut three, 1), "it is not there any more");
        assert_eq!(known(&mut one, servers), taken);
        // Nor does a dead server take it.
        let connection = one.connection.as_mut().expect("one");
        redis::cmd("SET").arg(keys::dead(3)).arg("declared").exec(connection).expect("it is set");
        assert!(!takes(&mut three, 2));
        assert_eq!(known(&mut one, servers), taken);
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn a_server_that_a_session_was_taken_from_changes_nothing_of_it() {
        let redis = TestRedis::start();
        let [mut one, mut two, _] = three(&redis);
        let servers = [1, 2, 3];
        assert!(takes(&mut two, 1));
        let (hash, kicked_for) = (alice(), Duration::from_secs(60));
        let jobs = [
            kept(b"later", false),
            kept(b"later", true),
            SessionJob::Note { hash, last_private: 7 },
            SessionJob::Forget { hash, number: 5, kicked_for },
        ];
        for (at, job) in jobs.iter().enumerate() {
            carry_out(&mut one, job);
            let expected = (2, b"first".to_vec(), 0, 2, [false, true, false]);
            assert_eq!(known(&mut one, servers), expected, "job {at}");
        }
        // Its burial forgets its own sessions only, also if one is still in its list.
        let connection = one.connection.as_mut().expect("one");
        let record = keys::session(&alice().show());
        redis::cmd("SADD").arg(keys::sessions(1)).arg(&record).exec(connection).expect("it");
        forget_all(connection, 1).expect("Redis answers");
        assert_eq!(known(&mut one, servers).0, 2);
        // Nobody is kept out for what the first has said of it, and the second goes on.
        let connection = one.connection.as_mut().expect("one");
        let kicked = keys::kicked_session(&hash.show());
        assert!(!redis::cmd("EXISTS").arg(kicked).query::<bool>(connection).expect("it answers"));
        carry_out(&mut two, &kept(b"last", false));
        carry_out(&mut two, &SessionJob::Note { hash, last_private: 8 });
        let expected = (2, b"last".to_vec(), 8, 2, [false, true, false]);
        assert_eq!(known(&mut two, servers), expected);
    }
}
