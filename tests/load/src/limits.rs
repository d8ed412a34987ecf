//! Limits of the system for this process: descriptors, cores, exact timers.

use std::num::NonZeroU64;

use anyhow::{Context, Result, ensure};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack},
};

/// Raises the limit of open descriptors as far as possible. Servers started later inherit it.
///
/// # Errors
///
/// If that is less than `needed`.
pub(crate) fn allow_descriptors(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, raised)
            .context("failed to raise the limit of open descriptors")?;
    }
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        needed <= allowed,
        "{needed} descriptors are needed and {allowed} allowed: see `ulimit -Hn`"
    );
    Ok(())
}

/// Makes timers expire exactly when they are due, not up to 50 µs later.
pub(crate) fn sharpen_timers() {
    // If that is refused, the lateness shows it.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
}

/// The cores this process may run on.
pub(crate) fn cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("failed to ask for the cores")?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Restricts this thread, and processes it starts from now on, to these cores.
pub(crate) fn stay_on(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        ensure!(core < CpuSet::MAX_CPU, "there is no core {core}");
        set.set(core);
    }
    sched_setaffinity(None, &set).with_context(|| format!("failed to stay on cores {cores:?}"))
}
