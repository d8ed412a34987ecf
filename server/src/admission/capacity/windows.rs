//! What limits a process on Windows: the memory available for stacks and heaps. The 16 million
//! handles are no limit in practice.

use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

use super::Limit;

/// Memory used by one connection: the touched pages of its stack, its share of the heap, and
/// the system's data about its thread and socket.
const CONNECTION_BYTES: u64 = 384 * 1_024;

/// Memory reserved for everything else: histories, queues, other programs.
const RESERVE_BYTES: u64 = 256 << 20;

/// How many connections each limit allows.
pub(super) fn limits(_others: u64) -> Vec<(u64, Limit)> {
    let free = free_memory();
    vec![(free.saturating_sub(RESERVE_BYTES) / CONNECTION_BYTES, Limit::Memory(free))]
}

/// Whether the system is almost out of memory.
pub(super) fn is_memory_short(_vacated: usize) -> bool {
    free_memory() < RESERVE_BYTES / 4
}

/// Only glibc's heap reserves more address space than it needs.
pub(super) fn save_address_space() {}

/// The memory that the system can still commit, including its page file; if it does not answer,
/// as much as a small machine has.
#[allow(unsafe_code)]
fn free_memory() -> u64 {
    const SMALL_MACHINE: u64 = 2 << 30;
    let size = u32::try_from(size_of::<MEMORYSTATUSEX>()).unwrap_or(0);
    let mut status = MEMORYSTATUSEX { dwLength: size, ..Default::default() };
    // SAFETY: it fills a structure that we own and whose size we pass.
    match unsafe { GlobalMemoryStatusEx(&mut status) } {
        0 => SMALL_MACHINE,
        _ => status.ullAvailPageFile,
    }
}
