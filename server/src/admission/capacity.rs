//! How many connections this process can hold, and what limits them.

use madang_protocol::text::Lang;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: standard streams, the drainer's poller, signals.
const OTHER_DESCRIPTORS: u64 = 16;

/// Descriptors of one listener: its socket, its poller's three, its reserve.
const LISTENER_DESCRIPTORS: u64 = 5;

/// The stack of a connection's thread. Only what is touched takes memory.
pub(crate) const STACK_BYTES: usize = 256 * 1_024;

/// What one connection takes of the address space and of the data: the stack of its thread
/// and of its signals, their guard pages, buffers.
#[cfg(target_os = "linux")]
const CONNECTION_BYTES: u64 = 384 * 1_024;

/// What is left of them for everything else: the heap's arenas, histories, what waits.
#[cfg(target_os = "linux")]
const RESERVE_BYTES: u64 = 32 << 20;

/// How much of the stacks of threads that have ended glibc keeps for the next ones
/// (`glibc.pthread.stack_cache_size`).
#[cfg(target_os = "linux")]
const KEPT_STACK_BYTES: u64 = if cfg!(target_env = "gnu") { 40 << 20 } else { 0 };

/// What macOS allows a process that has no hard limit of open files.
const OPEN_MAX: u64 = 10_240;

/// Threads that are not connections'.
#[cfg(target_os = "linux")]
const OTHER_THREADS: u64 = 32;

/// The memory mappings of one Rust thread: its stack and its signal stack, each
/// with a guard page. A thread that finds none left aborts the process.
#[cfg(target_os = "linux")]
const THREAD_MAPPINGS: u64 = 4;

/// Mappings for everything else: binary, libraries, heaps.
#[cfg(target_os = "linux")]
const OTHER_MAPPINGS: u64 = 1_500;

/// How many connections there may be, and why not more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Connections at once.
    pub connections: usize,
    /// What limits them.
    pub limit: Limit,
}

/// What limits the number of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `--max-connections`.
    Flag,
    /// This many open files for the process (`ulimit -n`).
    Descriptors(u64),
    /// This many memory mappings for the process (`vm.max_map_count`).
    Mappings(u64),
    /// This many bytes of address space for the process (`ulimit -v`).
    AddressSpace(u64),
    /// This many bytes of data for the process (`ulimit -d`).
    Data(u64),
    /// This many threads for the system, the user or the control group.
    Threads(u64),
}

impl Capacity {
    /// Raises the soft limit of open files to the hard one and counts what the
    /// process can hold with so many listeners; `wanted` lowers it further.
    pub fn of_process(listeners: usize, wanted: Option<usize>) -> Capacity {
        let descriptors = raise_descriptors();
        let listeners = LISTENER_DESCRIPTORS * listeners as u64;
        let free = descriptors.saturating_sub(OTHER_DESCRIPTORS + listeners);
        let limits = [(free, Limit::Descriptors(descriptors))];
        limits
            .into_iter()
            .chain(thread_limits())
            .chain(memory_limits())
            .chain(wanted.map(|wanted| (wanted as u64, Limit::Flag)))
            .min_by_key(|(connections, _)| *connections)
            .map(|(connections, limit)| Capacity { connections: connections as usize, limit })
            .expect("there is always the limit of descriptors")
    }
}

impl Limit {
    /// The limit in words.
    pub fn text(self, lang: Lang) -> String {
        match (self, lang) {
            (Limit::Flag, _) => "--max-connections".into(),
            (Limit::Descriptors(count), Lang::Ko) => {
                format!("열 수 있는 파일 {count}개: ulimit -n")
            }
            (Limit::Descriptors(count), Lang::En) => format!("{count} open files: ulimit -n"),
            (Limit::Mappings(count), Lang::Ko) => {
                format!("메모리 매핑 {count}개: vm.max_map_count")
            }
            (Limit::Mappings(count), Lang::En) => {
                format!("{count} memory mappings: vm.max_map_count")
            }
            (Limit::AddressSpace(bytes), Lang::Ko) => {
                format!("주소 공간 {} MiB: ulimit -v", bytes >> 20)
            }
            (Limit::AddressSpace(bytes), Lang::En) => {
                format!("{} MiB of address space: ulimit -v", bytes >> 20)
            }
            (Limit::Data(bytes), Lang::Ko) => format!("데이터 {} MiB: ulimit -d", bytes >> 20),
            (Limit::Data(bytes), Lang::En) => format!("{} MiB of data: ulimit -d", bytes >> 20),
            (Limit::Threads(count), Lang::Ko) => format!("스레드 {count}개"),
            (Limit::Threads(count), Lang::En) => format!("{count} threads"),
        }
    }
}

/// The limit of open files after it was raised as far as it goes.
fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Where the hard limit is no limit, macOS takes no more than OPEN_MAX for the soft.
    let wanted = [limit.maximum, Some(limit.maximum.unwrap_or(u64::MAX).min(OPEN_MAX))];
    for current in wanted.into_iter().filter(|wanted| *wanted != limit.current) {
        match setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }) {
            Ok(()) => break,
            Err(error) => tracing::debug!(%error, "failed to raise the limit of open files"),
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
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

#[cfg(not(target_os = "linux"))]
fn thread_limits() -> Vec<(u64, Limit)> {
    let threads = getrlimit(Resource::Nproc).current;
    threads.map(|threads| (threads, Limit::Threads(threads))).into_iter().collect()
}

/// What the limits of memory leave beside what the process has taken already.
#[cfg(target_os = "linux")]
fn memory_limits() -> Vec<(u64, Limit)> {
    free_memory()
        .map(|(free, limit)| (free.saturating_sub(RESERVE_BYTES) / CONNECTION_BYTES, limit))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn memory_limits() -> Vec<(u64, Limit)> {
    Vec::new()
}

/// Whether a limit of memory leaves too little for one connection more: a thread that finds
/// none for its stacks aborts the process. How the heap grows is not known at the start.
///
/// `vacated` connections fewer are open than once were at the same time: what is kept of
/// their stacks is counted as used, and waits for the next ones.
#[cfg(target_os = "linux")]
pub(crate) fn is_memory_short(vacated: usize) -> bool {
    let kept = KEPT_STACK_BYTES.min(vacated as u64 * STACK_BYTES as u64);
    free_memory().any(|(free, _)| free + kept < RESERVE_BYTES / 2)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_memory_short(_vacated: usize) -> bool {
    false
}

/// Has all threads share one arena of the heap where the address space is limited: glibc
/// reserves 64 MiB of it for each arena, up to eight for each processor, and never gives
/// them back. To be called before there are other threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub fn save_address_space() {
    if getrlimit(Resource::As).current.is_some() {
        // SAFETY: it sets a number in the allocator, for arenas that are made later.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

/// Only glibc's heap takes more addresses than it needs.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn save_address_space() {}

/// What is free of each kind of memory that is limited.
#[cfg(target_os = "linux")]
fn free_memory() -> impl Iterator<Item = (u64, Limit)> {
    // The fields of the address space and of the data (proc_pid_statm(5)).
    let space = free_of(Resource::As, 0).map(|(free, most)| (free, Limit::AddressSpace(most)));
    let data = free_of(Resource::Data, 5).map(|(free, most)| (free, Limit::Data(most)));
    space.into_iter().chain(data)
}

/// What is free of a kind of memory, and its limit, in bytes; `None` if there is no limit.
#[cfg(target_os = "linux")]
fn free_of(resource: Resource, field: usize) -> Option<(u64, u64)> {
    let most = getrlimit(resource).current?;
    let used = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = used.split_whitespace().nth(field)?.parse().ok()?;
    Some((most.saturating_sub(pages * rustix::param::page_size() as u64), most))
}

/// The limit of the control group that a service manager or container gives.
#[cfg(target_os = "linux")]
fn group_threads() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    read_number(&format!("/sys/fs/cgroup{group}/pids.max"))
}

#[cfg(target_os = "linux")]
fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_holds() {
        let all = Capacity::of_process(1, None);
        assert!(all.connections > 0);
        assert_ne!(all.limit, Limit::Flag);
        let few = Capacity::of_process(1, Some(3));
        assert_eq!(few, Capacity { connections: 3, limit: Limit::Flag });
        assert_eq!(Capacity::of_process(1, Some(usize::MAX)), all);
    }
}
