//! What limits a process on Windows: the memory that the system has to give to stacks and
//! heaps. There may be 16 million handles, so they are no limit.

use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

use super::Limit;

/// What one connection takes: the pages of its stack that are used, its share of the heap, and
/// what the system keeps of its thread and socket.
const CONNECTION_BYTES: u64 = 384 * 1_024;

/// What is left for everything else: histories, what waits, other programs.
const RESERVE_BYTES: u64 = 256 << 20;

/// How many connections each limit leaves.
pub(super) fn limits(_others: u64) -> Vec<(u64, Limit)> {
    let free = free_memory();
    vec![(free.saturating_sub(RESERVE_BYTES) / CONNECTION_BYTES, Limit::Memory(free))]
}

/// Whether the system has almost nothing left.
pub(super) fn is_memory_short(_vacated: usize) -> bool {
    free_memory() < RESERVE_BYTES / 4
}

/// Only glibc's heap takes more addresses than it needs.
pub(super) fn save_address_space() {}

/// What the system can still promise, in memory and in its page file; without an answer, as
/// much as a small machine has.
#[allow(unsafe_code)]
fn free_memory() -> u64 {
    const SMALL_MACHINE: u64 = 2 << 30;
    let size = u32::try_from(size_of::<MEMORYSTATUSEX>()).unwrap_or(0);
    let mut status = MEMORYSTATUSEX { dwLength: size, ..Default::default() };
    // SAFETY: it fills a structure that is ours and says how large it is.
    match unsafe { GlobalMemoryStatusEx(&mut status) } {
        0 => SMALL_MACHINE,
        _ => status.ullAvailPageFile,
    }
}
