//! The machine around the server: a network and a disk of the run's own, in namespaces that only
//! the run sees, and a clock that can jump. What this machine cannot do is named, and left out.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::plan::Means;

/// Set for the process that runs in namespaces of its own.
const INSIDE: &str = "MADANG_SOAK_INSIDE";

/// The size of the disk.
const DISK: &str = "size=512m";

/// How many bytes at a time fill the disk: first many, then the last ones.
const FILLING: [usize; 3] = [1 << 20, 4 << 10, 1];

/// Ways to lose a packet in 50 and to delay the others: the first needs a module that not every
/// kernel has.
const BAD_NETWORKS: [BadNetwork; 2] = [
    BadNetwork {
        name: "netem: 2 % loss, 20 ms ± 10 ms",
        begin: &["tc qdisc replace dev lo root netem delay 20ms 10ms loss 2%"],
        end: &["tc qdisc del dev lo root"],
    },
    BadNetwork {
        name: "iptables: 2 % loss; tbf: 20 Mbit/s with up to 200 ms of delay",
        begin: &[
            "iptables -A INPUT -i lo -m statistic --mode random --probability 0.02 -j DROP",
            "tc qdisc replace dev lo root tbf rate 20mbit burst 64kb latency 200ms",
        ],
        end: &["tc qdisc del dev lo root", "iptables -F INPUT"],
    },
];

/// How to make the loopback network bad, and good again.
#[derive(Debug, Clone, Copy)]
struct BadNetwork {
    name: &'static str,
    begin: &'static [&'static str],
    end: &'static [&'static str],
}

/// What surrounds the server.
pub(crate) struct Surroundings {
    folder: PathBuf,
    /// What to preload for a clock that can jump.
    preload: Option<String>,
    has_disk: bool,
    network: Option<BadNetwork>,
}

/// Runs this program again in namespaces of its own, and waits for it; returns whether all was
/// right, or `None` if this is the process in them, or there can be none.
///
/// # Errors
///
/// If it cannot be started.
pub(crate) fn enter() -> Result<Option<bool>> {
    if env::var_os(INSIDE).is_some() {
        return Ok(None);
    }
    let own_program = env::current_exe().context("failed to find this program")?;
    for namespaces in [&["--mount", "--net"][..], &["--map-root-user", "--mount", "--net"]] {
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(namespaces);
            command
        };
        if succeeds(unshare().arg("true")) {
            let status = unshare()
                .arg(own_program)
                .args(env::args_os().skip(1))
                .env(INSIDE, "")
                .status()
                .context("failed to run unshare")?;
            return Ok(Some(status.success()));
        }
    }
    Ok(None)
}

impl Surroundings {
    /// Prepares what this machine can do. The folder must be empty.
    pub(crate) fn new(folder: &Path) -> Result<Surroundings> {
        let mut surroundings = Surroundings {
            folder: folder.to_owned(),
            preload: preload(),
            has_disk: false,
            network: None,
        };
        fs::create_dir(surroundings.disk()).context("failed to make a folder")?;
        surroundings.tell_time(0)?;
        if env::var_os(INSIDE).is_some() {
            ensure!(
                carry_out("ip link set lo up"),
                "no loopback network: is there a program `ip`?"
            );
            let mount = ["-t", "tmpfs", "-o", DISK, "tmpfs"];
            surroundings.has_disk =
                succeeds(Command::new("mount").args(mount).arg(surroundings.disk()));
            surroundings.network = BAD_NETWORKS.into_iter().find(|network| {
                let works = network.begin.iter().all(|line| carry_out(line));
                for line in network.end {
                    carry_out(line);
                }
                works
            });
        }
        Ok(surroundings)
    }

    pub(crate) fn means(&self) -> Means {
        Means {
            clock: self.preload.is_some(),
            disk: self.has_disk,
            network: self.network.is_some(),
        }
    }

    /// What is done to network, disk and clock, and why not, one line each.
    pub(crate) fn description(&self) -> Vec<(String, String)> {
        let network = self
            .network
            .map_or("left alone: no namespace, or neither netem nor iptables", |it| it.name);
        let disk = match self.has_disk {
            true => "a tmpfs of 512 MiB that is full at times",
            false => "never full: no namespace to mount one in",
        };
        let clock = match self.preload {
            Some(_) => "libfaketime, up to two hours off",
            None => "never jumps: no faketime",
        };
        [("network", network), ("disk", disk), ("clock", clock)]
            .map(|(what, how)| (what.to_owned(), how.to_owned()))
            .into()
    }

    /// The folder for the server's data.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// Variables that give a server the clock that can jump.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(preload) = &self.preload else { return Vec::new() };
        vec![
            ("LD_PRELOAD", preload.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.clock().display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    fn clock(&self) -> PathBuf {
        self.folder.join("clock")
    }

    /// Sets the server's clock to so many seconds from the machine's.
    pub(crate) fn tell_time(&self, seconds: i64) -> Result<()> {
        // Replaced, so that nobody reads half of it.
        let new = self.folder.join("clock.new");
        fs::write(&new, format!("{seconds:+}\n")).context("failed to write the time")?;
        fs::rename(new, self.clock()).context("failed to write the time")
    }

    /// Fills the disk.
    pub(crate) fn fill_disk(&self) -> Result<()> {
        let ballast = fs::File::create(self.ballast());
        let Ok(mut ballast) = ballast else { return Ok(()) };
        for size in FILLING {
            // An error means that there is no space for so much.
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    /// Gives it its space back.
    pub(crate) fn free_disk(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("failed to free the disk")
    }

    fn ballast(&self) -> PathBuf {
        self.disk().join("ballast")
    }

    /// Makes the network bad, or good again.
    pub(crate) fn spoil_network(&self, bad: bool) -> Result<()> {
        let Some(network) = self.network else { return Ok(()) };
        let lines = if bad { network.begin } else { network.end };
        ensure!(lines.iter().all(|line| carry_out(line)), "failed to change the network");
        Ok(())
    }

    /// Copies the disk, which is gone with its namespace, to where it stays.
    pub(crate) fn keep_disk(&self) -> Result<PathBuf> {
        let kept = self.folder.join("kept");
        let copied = succeeds(Command::new("cp").arg("-r").arg(self.disk()).arg(&kept));
        ensure!(copied, "failed to keep the server's folder");
        Ok(kept)
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        if self.has_disk {
            // Its folder can be deleted then.
            succeeds(Command::new("umount").arg(self.disk()));
        }
    }
}

/// What `faketime` would preload.
fn preload() -> Option<String> {
    let output = Command::new("faketime")
        .args(["-m", "-f", "+0s", "printenv", "LD_PRELOAD"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !path.is_empty()).then_some(path)
}

/// Carries out a command without quotes; returns whether that worked.
fn carry_out(line: &str) -> bool {
    let mut words = line.split(' ');
    words.next().is_some_and(|program| succeeds(Command::new(program).args(words)))
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
