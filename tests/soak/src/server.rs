//! The server under test: started, killed, stopped, and started again on the same folder.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long starting and stopping may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many of its last log lines are shown if something is wrong.
const LAST_LINES: usize = 50;

/// How to start it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Where it saves messages; empty: nowhere.
    pub(crate) data: PathBuf,
    /// More flags.
    pub(crate) flags: Vec<String>,
    /// Variables of its environment.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) lines: SocketAddr,
    pub(crate) web: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
}

/// A running server. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addresses: Addresses,
    last_lines: Arc<Mutex<LastLines>>,
}

/// What the server has printed.
#[derive(Default)]
struct LastLines {
    lines: VecDeque<String>,
    /// The first line that tells of a panic.
    panic: Option<String>,
}

impl Program {
    /// Starts it on a free loopback port.
    pub(crate) fn start(&self) -> Result<Server> {
        let mut child = self
            .command()
            .args(["--listen", "127.0.0.1:0", "--lang", "en"])
            .args(["--rate-limit", "off", "--max-per-address", "off"])
            .args(&self.flags)
            .args(self.saving())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to start `{}`", self.path.display()))?;
        let last_lines = Arc::<Mutex<LastLines>>::default();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let err = err.expect("it is piped");
        keep_last_lines(BufReader::new(err), last_lines.clone());
        let mut out = BufReader::new(out.expect("it is piped"));
        let nowhere = Addresses { lines: ([127, 0, 0, 1], 0).into(), web: None, tls: None };
        let mut server = Server { child, addresses: nowhere, last_lines };
        let mut banner = String::new();
        server.addresses = loop {
            let count = out.read_line(&mut banner).context("failed to read the banner")?;
            ensure!(count > 0, "the server does not start:\n{}", server.last_lines());
            if let Some(addresses) = self.addresses_in(&banner) {
                break addresses;
            }
        };
        keep_last_lines(out, server.last_lines.clone());
        Ok(server)
    }

    /// The flags that have it save messages.
    fn saving(&self) -> Vec<&OsStr> {
        match self.data.as_os_str() {
            none if none.is_empty() => Vec::new(),
            data => vec!["--keep".as_ref(), "forever".as_ref(), "--data".as_ref(), data],
        }
    }

    /// The addresses in a banner, once it has all of them.
    fn addresses_in(&self, banner: &str) -> Option<Addresses> {
        let after = |marks: &[&str]| {
            let rest = marks.iter().find_map(|mark| Some(banner.split_once(mark)?.1))?;
            rest.split(['/', '\n']).next()?.parse().ok()
        };
        let has = |flag: &str| self.flags.iter().any(|it| it == flag);
        let lines = after(&["curl -NT. telnet://"])?;
        let web = after(&["  http://", "  https://"]);
        let tls = after(&["openssl s_client -quiet -connect "]);
        let is_whole =
            (web.is_some() || has("--no-web")) && (tls.is_some() || !has("--listen-tls"));
        is_whole.then_some(Addresses { lines, web, tls })
    }

    /// The messages of a room on disk, as JSON lines.
    pub(crate) fn transcript(&self, room: &str) -> Result<String> {
        let output = self
            .command()
            .args(["transcript", "--format", "jsonl", "--room", room, "--data"])
            .arg(&self.data)
            .output()
            .context("failed to run the server's program")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "there is no transcript of {room}: {said}");
        String::from_utf8(output.stdout).context("the transcript is not UTF-8")
    }

    /// Its version.
    pub(crate) fn version(&self) -> Result<String> {
        let output = self.command().arg("--version").output();
        let output = output.with_context(|| format!("failed to run `{}`", self.path.display()))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The command, with a clean environment.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MADANG_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null());
        command
    }
}

impl Server {
    /// Kills it, like a crash.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("failed to kill the server")?;
        self.child.wait().context("failed to wait for the server")?;
        Ok(())
    }

    /// Stops it, like an operator, and waits until it has ended.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let began = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("failed to stop it")?;
        let status = self.wait()?;
        ensure!(status.success(), "the server ended with {status}:\n{}", self.last_lines());
        Ok(began.elapsed())
    }

    /// Halts the process, or lets it go on.
    pub(crate) fn halt(&self, halted: bool) -> Result<()> {
        let signal = if halted { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.child), signal).context("failed to halt the server")
    }

    /// Its last log lines.
    pub(crate) fn last_lines(&self) -> String {
        let last = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        last.lines.iter().map(|line| format!("  {line}\n")).collect()
    }

    /// The first line that tells of a panic, if there was one.
    pub(crate) fn panic(&self) -> Option<String> {
        self.last_lines.lock().unwrap_or_else(PoisonError::into_inner).panic.clone()
    }

    /// Whether its process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("failed to wait for it")? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(1));
        }
        bail!("the server does not end:\n{}", self.last_lines())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep_last_lines(
    out: BufReader<impl std::io::Read + Send + 'static>,
    into: Arc<Mutex<LastLines>>,
) {
    thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            let mut last = into.lock().unwrap_or_else(PoisonError::into_inner);
            if last.panic.is_none() && line.contains("panicked") {
                last.panic = Some(line.clone());
            }
            if last.lines.len() == LAST_LINES {
                last.lines.pop_front();
            }
            last.lines.push_back(line);
        }
    });
}

/// A folder for the server's data, deleted on drop unless it is [kept](Self::keep).
pub(crate) struct DataFolder {
    path: PathBuf,
    is_kept: bool,
}

impl DataFolder {
    /// Creates an empty folder inside another.
    pub(crate) fn new(below: &Path, name: &str) -> Result<DataFolder> {
        let path = below.join(format!("soak-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("failed to make `{}`", path.display()))?;
        Ok(DataFolder { path, is_kept: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps it for inspection.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
