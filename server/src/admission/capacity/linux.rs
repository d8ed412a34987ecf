//! What limits a process on Linux: descriptors, memory mappings, threads, and memory if
//! `ulimit` or a control group limits it.

use rustix::process::{Resource, getrlimit};

use super::{Limit, STACK_BYTES, descriptors};

/// Address space and data used by one connection: its thread's stack and signal stack, their
/// guard pages, and buffers.
const CONNECTION_BYTES: u64 = 384 * 1_024;

/// Memory reserved for everything else: heap arenas, histories, queues.
const RESERVE_BYTES: u64 = 32 << 20;

/// How much stack memory of finished threads glibc keeps for new ones
/// (`glibc.pthread.stack_cache_size`).
const KEPT_STACK_BYTES: u64 = if cfg!(target_env = "gnu") { 40 << 20 } else { 0 };

/// Threads that do not serve connections.
const OTHER_THREADS: u64 = 32;

/// The memory mappings of one Rust thread: its stack and its signal stack, each with a guard
/// page. A thread for which none are left aborts the process.
const THREAD_MAPPINGS: u64 = 4;

/// Mappings for everything else: binary, libraries, heaps.
const OTHER_MAPPINGS: u64 = 1_500;

/// How many connections each limit allows, given this many other descriptors.
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

/// How many connections the memory limits allow, given what the process uses already.
fn memory_limits() -> Vec<(u64, Limit)> {
    free_memory()
        .map(|(free, limit)| (free.saturating_sub(RESERVE_BYTES) / CONNECTION_BYTES, limit))
        .collect()
}

/// Whether a memory limit leaves too little for another connection: a thread whose stacks
/// cannot be allocated aborts the process. Heap growth cannot be predicted at the start.
///
/// `vacated` is how many fewer connections are open now than at the peak: stacks that glibc
/// keeps count as used, but are reused for new connections.
pub(super) fn is_memory_short(vacated: usize) -> bool {
    let kept = KEPT_STACK_BYTES.min(vacated as u64 * STACK_BYTES as u64);
    free_memory().any(|(free, _)| free + kept < RESERVE_BYTES / 2)
}

/// Makes all threads share one heap arena if the address space is limited: glibc reserves 64
/// MiB for each arena, up to eight per processor, and never returns them. Call it before other
/// threads exist.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
pub(super) fn save_address_space() {
    if getrlimit(Resource::As).current.is_some() {
        // SAFETY: it sets a parameter of the allocator for arenas created later.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

/// Only glibc's heap reserves more address space than it needs.
#[cfg(not(target_env = "gnu"))]
pub(super) fn save_address_space() {}

/// The free amount of each limited kind of memory.
fn free_memory() -> impl Iterator<Item = (u64, Limit)> {
    // The fields for address space and data (proc_pid_statm(5)).
    let space = free_of(Resource::As, 0).map(|(free, most)| (free, Limit::AddressSpace(most)));
    let data = free_of(Resource::Data, 5).map(|(free, most)| (free, Limit::Data(most)));
    space.into_iter().chain(data)
}

/// The free amount and the limit of a kind of memory, in bytes; `None` if it is unlimited.
fn free_of(resource: Resource, field: usize) -> Option<(u64, u64)> {
    let most = getrlimit(resource).current?;
    let used = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = used.split_whitespace().nth(field)?.parse().ok()?;
    Some((most.saturating_sub(pages * rustix::param::page_size() as u64), most))
}

/// The limit of the control group set by a service manager or container.
fn group_threads() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    read_number(&format!("/sys/fs/cgroup{group}/pids.max"))
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
