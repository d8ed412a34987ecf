//! How many connections this process can hold, and what limits the number.

use madang_protocol::text::Lang;

#[cfg_attr(target_os = "linux", path = "capacity/linux.rs")]
#[cfg_attr(windows, path = "capacity/windows.rs")]
#[cfg_attr(not(any(target_os = "linux", windows)), path = "capacity/unix.rs")]
mod system;
#[cfg(unix)]
#[path = "capacity/descriptors.rs"]
mod descriptors;

/// Descriptors that are not connections: standard streams, the drainer's poller, signals.
const OTHER_DESCRIPTORS: u64 = 16;

/// Descriptors of one listener: its socket, its poller's three, its reserve.
const LISTENER_DESCRIPTORS: u64 = 5;

/// The stack of a connection's thread. Only touched pages use memory.
pub(crate) const STACK_BYTES: usize = 256 * 1_024;

/// The maximum number of connections, and what limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// The number of simultaneous connections.
    pub connections: usize,
    /// The limiting resource.
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
    /// This many bytes of memory available to the system.
    Memory(u64),
}

impl Capacity {
    /// Determines what the process can hold with this many listeners, after raising limits
    /// where possible. `wanted` lowers the number further.
    pub fn of_process(listeners: usize, wanted: Option<usize>) -> Capacity {
        let others = OTHER_DESCRIPTORS + LISTENER_DESCRIPTORS * listeners as u64;
        system::limits(others)
            .into_iter()
            .chain(wanted.map(|wanted| (wanted as u64, Limit::Flag)))
            .min_by_key(|(connections, _)| *connections)
            .map(|(connections, limit)| Capacity { connections: connections as usize, limit })
            .expect("every system has a limit")
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
            (Limit::Memory(bytes), Lang::Ko) => format!("쓸 수 있는 메모리 {} MiB", bytes >> 20),
            (Limit::Memory(bytes), Lang::En) => format!("{} MiB of memory", bytes >> 20),
            (Limit::Threads(count), Lang::Ko) => format!("스레드 {count}개"),
            (Limit::Threads(count), Lang::En) => format!("{count} threads"),
        }
    }
}

/// Whether too little memory is left for another connection: a thread whose stacks cannot be
/// allocated aborts the process. Heap growth cannot be predicted at the start.
///
/// `vacated` is how many fewer connections are open now than at the peak.
pub(crate) fn is_memory_short(vacated: usize) -> bool {
    system::is_memory_short(vacated)
}

/// Keeps the heap from reserving more address space than it needs, where that is limited. Call
/// it before other threads exist.
pub fn save_address_space() {
    system::save_address_space();
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
