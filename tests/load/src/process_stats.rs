//! What a process uses: processor time, memory, threads and descriptors, from `/proc`.

use std::fs;

use anyhow::{Context, Result, anyhow};
use nix::{time::ClockId, unistd::Pid};
use serde::Serialize;

/// A process observed from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
    clock: ClockId,
}

/// The resources of a process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Holdings {
    pub(crate) resident_kib: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

impl Process {
    /// The process with this id.
    ///
    /// # Errors
    ///
    /// If there is none, or it belongs to somebody else.
    pub(crate) fn with_pid(pid: u32) -> Result<Self> {
        let failed = || format!("failed to watch process {pid}; is --pid right?");
        let raw = i32::try_from(pid).with_context(failed)?;
        let clock = nix::time::clock_getcpuclockid(Pid::from_raw(raw)).with_context(failed)?;
        Ok(Self { pid, clock })
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self { pid: std::process::id(), clock: ClockId::CLOCK_PROCESS_CPUTIME_ID }
    }

    /// Nanoseconds of processor time used so far by all threads, also those that have ended.
    ///
    /// The process's clock counts what the scheduler counts, to the nanosecond; `utime` and
    /// `stime` in `/proc` are the same sum in steps of 10 ms.
    pub(crate) fn cpu_nanos(&self) -> Result<u64> {
        let time = self
            .clock
            .now()
            .with_context(|| format!("failed to read the clock of process {}", self.pid))?;
        Ok(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
    }

    /// The current resources of the process.
    pub(crate) fn holdings(&self) -> Result<Holdings> {
        let path = format!("/proc/{}/status", self.pid);
        let status =
            fs::read_to_string(&path).with_context(|| format!("failed to read `{path}`"))?;
        let field = |name| {
            status_field(&status, name).ok_or_else(|| anyhow!("failed to find {name} in `{path}`"))
        };
        Ok(Holdings {
            resident_kib: field("VmRSS")?,
            threads: field("Threads")?,
            descriptors: self.descriptors()?,
        })
    }

    /// How many descriptors the process has open now.
    pub(crate) fn descriptors(&self) -> Result<u64> {
        let path = format!("/proc/{}/fd", self.pid);
        let entries = fs::read_dir(&path).with_context(|| format!("failed to list `{path}`"))?;
        Ok(entries.count() as u64)
    }
}

/// Nanoseconds for which this thread had work but another held its core.
pub(crate) fn own_held_up_nanos() -> Result<u64> {
    let path = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(path).with_context(|| format!("failed to read `{path}`"))?;
    let waited = text.split_whitespace().nth(1).and_then(|waited| waited.parse().ok());
    waited.ok_or_else(|| anyhow!("failed to find the time waited in `{path}`"))
}

/// The first number after `name:` in the text of `/proc/PID/status`.
fn status_field(status: &str, name: &str) -> Option<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_s_fields_are_found_by_their_whole_names() {
        let status = "Name:\tx\nVmRSSx:\t1 kB\nVmRSS:\t  2044 kB\nThreads:\t3\nUmask:\n";
        for (name, value) in [
            ("VmRSS", Some(2044)),
            ("Threads", Some(3)),
            ("VmHWM", None),
            ("Name", None),
            ("Umask", None),
        ] {
            assert_eq!(status_field(status, name), value, "{name}");
        }
    }

    #[test]
    fn this_process_uses_something() {
        let process = Process::with_pid(std::process::id()).unwrap();
        let before = process.cpu_nanos().unwrap();
        let holdings = process.holdings().unwrap();
        assert!(holdings.resident_kib > 0 && holdings.threads > 0 && holdings.descriptors > 2);
        assert!(process.cpu_nanos().unwrap() > before);
    }
}
