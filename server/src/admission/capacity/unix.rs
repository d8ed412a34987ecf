//! What limits a process on Unix systems other than Linux: descriptors and threads.

use rustix::process::{Resource, getrlimit};

use super::{Limit, descriptors};

/// How many connections each limit allows, given this many other descriptors.
pub(super) fn limits(others: u64) -> Vec<(u64, Limit)> {
    let threads = getrlimit(Resource::Nproc).current;
    let threads = threads.map(|threads| (threads, Limit::Threads(threads)));
    [descriptors::left_beside(others)].into_iter().chain(threads).collect()
}

/// Not known on these systems.
pub(super) fn is_memory_short(_vacated: usize) -> bool {
    false
}

/// Only glibc's heap reserves more address space than it needs.
pub(super) fn save_address_space() {}
