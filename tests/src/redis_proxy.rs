//! What stands between a server and its Redis, and can fail: connections are cut, bytes are
//! delayed, and replies or what is published are swallowed.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{program::TestFolder, redis::TestRedis};

/// How Redis begins what it publishes.
const PUBLISHED: &[u8] = b"*3\r\n$7\r\nmessage\r\n";

/// What the path does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// It passes them on at once.
    Open,
    /// It passes them on later, in both directions.
    Slow(Duration),
    /// Redis gets everything, and carries it out; its replies are lost.
    Swallows,
    /// What Redis publishes is lost; its replies come.
    Deaf,
    /// New connections are cut at once.
    Cut,
}

/// A path to a Redis that a test can spoil.
pub struct RedisProxy {
    folder: TestFolder,
    shared: Arc<Shared>,
}

struct Shared {
    /// The socket of the Redis that new connections lead to.
    redis: Mutex<PathBuf>,
    path: Mutex<Path>,
    /// Both ends of each connection.
    connections: Mutex<Vec<[UnixStream; 2]>>,
    is_over: AtomicBool,
}

impl RedisProxy {
    /// An open path to `redis`.
    ///
    /// # Panics
    ///
    /// If there is no socket for it.
    #[track_caller]
    pub fn start(redis: &TestRedis) -> RedisProxy {
        let folder = TestFolder::new();
        let listener = UnixListener::bind(folder.path().join("socket")).expect("a new folder");
        let shared = Arc::new(Shared {
            redis: Mutex::new(redis.socket()),
            path: Mutex::new(Path::Open),
            connections: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept(&listener));
        RedisProxy { folder, shared }
    }

    /// The address for a server.
    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// Changes the path, for the bytes and connections that come from now on.
    pub fn set(&self, path: Path) {
        *self.shared.lock_path() = path;
        if path == Path::Cut {
            self.cut();
        }
    }

    /// Cuts the connections that there are.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Leads new connections to another Redis. Those that there are stay.
    pub fn lead_to(&self, redis: &TestRedis) {
        *self.shared.lock_redis() = redis.socket();
    }
}

impl Drop for RedisProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.shared.cut();
        // Wakes the listener.
        let _ = UnixStream::connect(self.folder.path().join("socket"));
    }
}

impl Shared {
    fn lock_path(&self) -> MutexGuard<'_, Path> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_redis(&self) -> MutexGuard<'_, PathBuf> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener) {
        while let Ok((server, _)) = listener.accept() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            // Without Redis, or on a cut path, the server sees its connection end.
            let is_cut = *self.lock_path() == Path::Cut;
            let redis = UnixStream::connect(&*self.lock_redis());
            if let (false, Ok(redis)) = (is_cut, redis) {
                // An error means that no descriptor is left.
                let _ = self.carry(&server, &redis);
            }
        }
    }

    fn carry(self: &Arc<Self>, server: &UnixStream, redis: &UnixStream) -> io::Result<()> {
        let ends = [server.try_clone()?, redis.try_clone()?];
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(ends);
        for (from, to, is_reply) in [(server, redis, false), (redis, server, true)] {
            let (from, to, shared) = (from.try_clone()?, to.try_clone()?, self.clone());
            thread::spawn(move || shared.copy(from, to, is_reply));
        }
        Ok(())
    }

    /// Copies one direction to its end, and ends both.
    fn copy(&self, mut from: UnixStream, mut to: UnixStream, is_reply: bool) {
        let mut chunk = [0; 64 * 1_024];
        loop {
            let count = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let path = *self.lock_path();
            match path {
                Path::Swallows if is_reply => continue,
                Path::Deaf if is_reply && chunk.starts_with(PUBLISHED) => continue,
                Path::Slow(delay) => thread::sleep(delay),
                Path::Open | Path::Swallows | Path::Deaf | Path::Cut => {}
            }
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        for end in [from, to] {
            // It may have ended.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn cut(&self) {
        let connections =
            std::mem::take(&mut *self.connections.lock().unwrap_or_else(PoisonError::into_inner));
        for end in connections.iter().flatten() {
            // It may have ended.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}
