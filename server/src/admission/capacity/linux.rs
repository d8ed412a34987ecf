//! What limits a process on Linux: descriptors, memory mappings, threads, and memory where
//! `ulimit` or a control group has set a limit.

use rustix::process::{Resource, getrlimit};

use super::{Limit, STACK_BYTES, descriptors};

/// What one connection takes of the address space and of the data: the stack of its thread
/// and of its signals, their guard pages, buffers.
const CONNECTION_BYTES: u64 = 384 * 1_024;

/// What is left of them for everything else: the heap's arenas, histories, what waits.
const RESERVE_BYTES: u64 = 32 << 20;

/// How much of the stacks of threads that have ended glibc keeps for the next ones
/// (`glibc.pthread.stack_cache_size`).
const KEPT_STACK_BYTES: u64 = if cfg!(target_env = "gnu") { 40 << 20 } else { 0 };

/// Threads that are not connections'.
const OTHER_THREADS: u64 = 32;

/// The memory mappings of one Rust thread: its stack and its signal stack, each
/// with a guard page. A thread that finds none left aborts the process.
const THREAD_MAPPINGS: u64 = 4;

/// Mappings for everything else: binary, libraries, heaps.
const OTHER_MAPPINGS: u64 = 1_500;

/// How many connections each limit leaves, beside so many other descriptors.
pub(super) fn limits(others: u64) -> Vec<(u64, Limit)> {
    let mut limits = vec![descriptors::left_beside(others)];
    limits.extend(thread_limits());
    limits.extend(memory_limits());
    limits
}

fn thread_limits() -> Vec<(u64, Limit)> {
    let mut limits = Vec::new();
    if let Some(mappings) = read_number("/proc/sys/vm/max_map_count") {
        let connections = mappings.saturating_sub(OTHER_MAPPINGS) / THREAD_MAPPINGS;
        limits.push((connections, Limit::Mappings(mappings)));
    }
    let of_user =
        getrlimit(Resource::Nproc).current.filter(|_| !rustix::process::getuid().is_root());
    let of_system = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"].map(read_number);
    for threads in of_system.into_iter().chain([of_user, group_threads()]).flatten() {
        limits.push((threads.saturating_sub(OTHER_THREADS), Limit::Threads(threads)));
    }
    limits
}

/// What the limits of memory leave beside what the process has taken already.
fn memory_limits() -> Vec<(u64, Limit)> {
    free_memory()
        .map(|(free, limit)| (free.saturating_sub(RESERVE_BYTES) / CONNECTION_BYTES, limit))
        .collect()
}

/// Whether a limit of memory leaves too little for one connection more: a thread that finds
/// none for its stacks aborts the process. How the heap grows is not known at the start.
///
/// `vacated` connections fewer are open than once were at the same time: what is kept of
/// their stacks is counted as used, and waits for the next ones.
pub(super) fn is_memory_short(vacated: usize) -> bool {
    let kept = KEPT_STACK_BYTES.min(vacated as u64 * STACK_BYTES as u64);
    free_memory().any(|(free, _)| free + kept < RESERVE_BYTES / 2)
}

/// Has all threads share one arena of the heap where the address space is limited: glibc
/// reserves 64 MiB of it for each arena, up to eight for each processor, and never gives
/// them back. To be called before there are other threads.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
pub(super) fn save_address_space() {
    if getrlimit(Resource::As).current.is_some() {
        // SAFETY: it sets a number in the allocator, for arenas that are made later.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

/// Only glibc's heap takes more addresses than it needs.
#[cfg(not(target_env = "gnu"))]
pub(super) fn save_address_space() {}

/// What is free of each kind of memory that is limited.
fn free_memory() -> impl Iterator<Item = (u64, Limit)> {
    // The fields of the address space and of the data (proc_pid_statm(5)).
    let space = free_of(Resource::As, 0).map(|(free, most)| (free, Limit::AddressSpace(most)));
    let data = free_of(Resource::Data, 5).map(|(free, most)| (free, Limit::Data(most)));
    space.into_iter().chain(data)
}

/// What is free of a kind of memory, and its limit, in bytes; `None` if there is no limit.
fn free_of(resource: Resource, field: usize) -> Option<(u64, u64)> {
    let most = getrlimit(resource).current?;
    let used = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = used.split_whitespace().nth(field)?.parse().ok()?;
    Some((most.saturating_sub(pages * rustix::param::page_size() as u64), most))
}

/// The limit of the control group that a service manager or container gives.
fn group_threads() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    read_number(&format!("/sys/fs/cgroup{group}/pids.max"))
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
