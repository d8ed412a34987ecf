//! A Redis for one test: its own process and folder, reached by a socket in that folder.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::net::UnixStream,
    path::Path,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};

use crate::{DEADLINE, authority::Pair, program::TestFolder};

/// A running Redis that saves its data on disk. Dropping it ends it.
pub struct TestRedis {
    process: Child,
    folder: TestFolder,
    /// Where it also listens, on all addresses; 0: nowhere.
    port: u16,
    /// The rest of its settings, as arguments.
    settings: Vec<String>,
}

impl TestRedis {
    /// Starts one; returns once it answers.
    ///
    /// # Panics
    ///
    /// If there is no `redis-server`, or it does not answer.
    #[track_caller]
    pub fn start() -> TestRedis {
        TestRedis::start_at(0)
    }

    /// Starts one that anybody reaches at this port, for tests in a network of their own.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start) does.
    #[track_caller]
    pub fn start_at(port: u16) -> TestRedis {
        TestRedis::start_in(TestFolder::new(), port, Vec::new())
    }

    /// Starts one that takes connections over TLS at this port, with this certificate, and asks
    /// clients for none.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start) does.
    #[track_caller]
    pub fn start_with_tls(port: u16, pair: &Pair) -> TestRedis {
        let folder = TestFolder::new();
        let files = pair.write(&folder);
        let [certificate, key] = [files.certificate, files.key].map(|it| it.display().to_string());
        let port = port.to_string();
        let tls = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        // It wants an authority, even if it trusts no client.
        let unused = ["--tls-ca-cert-file", &certificate, "--tls-auth-clients", "no"];
        let settings = [tls.as_slice(), &unused].concat();
        TestRedis::start_in(folder, 0, settings.into_iter().map(str::to_owned).collect())
    }

    /// Starts a replica of the Redis at a port of this machine, itself at another; returns once it
    /// has what that one has.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start) does, or if it does not get that.
    #[track_caller]
    pub fn start_replica(port: u16, primary: u16) -> TestRedis {
        let settings = ["--replicaof".to_owned(), format!("127.0.0.1 {primary}")];
        let replica = TestRedis::start_in(TestFolder::new(), port, settings.to_vec());
        let deadline = Instant::now() + DEADLINE;
        while !replica.ask("INFO replication").contains("master_link_status:up") {
            assert!(Instant::now() < deadline, "the replica has no primary");
            thread::sleep(Duration::from_millis(5));
        }
        replica
    }

    #[track_caller]
    fn start_in(folder: TestFolder, port: u16, settings: Vec<String>) -> TestRedis {
        let process = launch(&folder, port, &settings);
        let redis = TestRedis { process, folder, port, settings };
        redis.wait_until_it_answers();
        redis
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Everything that it has on disk, readable: the log of its commands, and a dump of its data.
    ///
    /// # Panics
    ///
    /// If it does not write it.
    #[track_caller]
    pub fn on_disk(&self) -> Vec<u8> {
        assert_eq!(self.ask("SAVE"), "+OK\r\n");
        let mut files = vec![self.folder.path().to_owned()];
        let mut bytes = Vec::new();
        while let Some(path) = files.pop() {
            match fs::read_dir(&path) {
                Ok(inside) => files.extend(inside.map(|entry| entry.expect("a file").path())),
                // The socket is no file.
                Err(_) => bytes.extend(fs::read(&path).unwrap_or_default()),
            }
        }
        bytes
    }

    /// The keys that begin like this.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[track_caller]
    pub fn keys(&self, beginning: &str) -> Vec<String> {
        let answer = self.ask(&format!("KEYS {beginning}*"));
        let keys = answer.lines().filter(|line| line.starts_with(beginning));
        keys.map(str::to_owned).collect()
    }

    /// How many bytes a key takes in memory; 0 if there is none.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[track_caller]
    pub fn bytes_of(&self, key: &str) -> usize {
        let answer = self.ask(&format!("MEMORY USAGE {key} SAMPLES 0"));
        answer.trim().strip_prefix(':').map_or(0, |bytes| bytes.parse().expect("a number"))
    }

    /// Gives it at most this much memory; 0: as much as it likes.
    ///
    /// # Panics
    ///
    /// If it refuses.
    #[track_caller]
    pub fn limit_memory(&self, bytes: usize) {
        assert_eq!(self.ask(&format!("CONFIG SET maxmemory {bytes}")), "+OK\r\n");
    }

    /// Closes the connections of all that listen to channels.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[track_caller]
    pub fn cut_off_listeners(&self) {
        let answer = self.ask("CLIENT KILL TYPE pubsub");
        assert_ne!(answer, ":0\r\n", "nobody listens");
    }

    /// Its raw answer to a command.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[track_caller]
    pub fn ask(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).expect("it runs");
        // `QUIT` makes it close the connection after the answer.
        write!(stream, "{command}\r\nQUIT\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.strip_suffix("+OK\r\n").expect("it says goodbye").to_owned()
    }

    /// Kills it, and restarts it with its data on disk.
    ///
    /// # Panics
    ///
    /// If it does not answer again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts it again after a kill.
    ///
    /// # Panics
    ///
    /// If it does not answer again.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = launch(&self.folder, self.port, &self.settings);
        self.wait_until_it_answers();
    }

    /// Kills it, and empties its disk.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn lose_everything(&mut self) {
        self.kill();
        self.put_back(&TestFolder::new());
    }

    /// A copy of what it has on disk.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn copy(&self) -> TestFolder {
        let copy = TestFolder::new();
        copy_files(self.folder.path(), copy.path());
        copy
    }

    /// Gives it, after a kill, the files of an earlier [`copy`](Self::copy).
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn put_back(&mut self, copy: &TestFolder) {
        for entry in fs::read_dir(self.folder.path()).expect("its folder") {
            let path = entry.expect("a file").path();
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
            removed.expect("it is removed");
        }
        copy_files(copy.path(), self.folder.path());
    }

    /// Kills it; acknowledged data is on disk.
    ///
    /// # Panics
    ///
    /// If it is not running.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was killed");
    }

    /// Makes it stand still, as if its machine did.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it go on.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.process);
        rustix::process::kill_process(process, signal).expect("it runs");
    }

    #[track_caller]
    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.answers() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = UnixStream::connect(self.socket()) else {
            return false;
        };
        let mut answer = [0; 7];
        // While it still loads its data, it answers with an error.
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"+PONG\r\n"
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port of the loopback address that nobody listens at.
///
/// # Panics
///
/// If there is none.
#[track_caller]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a file");
        let (kind, to) = (entry.file_type().expect("a kind"), to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir(&to).expect("a new folder");
            copy_files(&entry.path(), &to);
        } else if kind.is_file() {
            fs::copy(entry.path(), to).expect("it is copied");
        }
    }
}

#[track_caller]
fn launch(folder: &TestFolder, port: u16, settings: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "0.0.0.0", "--protected-mode", "no"])
        .args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        // Tests look for words in its files.
        .args(["--rdbcompression", "no"])
        // Nor does a replica wait for others.
        .args(["--repl-diskless-sync-delay", "0"])
        .args(settings)
        .arg("--unixsocket")
        .arg(folder.path().join("socket"))
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
