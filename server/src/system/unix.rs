//! Unix: a process is ended by signals, and other processes may own its terminal for a while.

use std::{
    io::{self, Stdin},
    os::unix::fs::FileTypeExt,
    path::Path,
    time::Duration,
};

#[cfg(target_os = "linux")]
use rustix::mm::{Advice, madvise};
use rustix::{
    event::{PollFd, PollFlags},
    process::getpgrp,
    termios::tcgetpgrp,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::StopRequest;

/// How long to leave the terminal alone while the server is in the background.
const BACKGROUND_PAUSE: Duration = Duration::from_millis(500);

/// How much stack below the caller is returned: as deep as any connection calls, and less than
/// each stack has.
#[cfg(target_os = "linux")]
const GIVEN_BACK_BYTES: usize = 128 << 10;

/// The stack used by the call itself: this function, the system call, and the red zone, the 128
/// bytes below the stack pointer that the x86-64 ABI lets a function use.
#[cfg(target_os = "linux")]
const OWN_FRAME_BYTES: usize = 1_024;

/// Signals that end the process: SIGINT, SIGTERM, and SIGHUP unless `nohup` ignores it.
pub struct StopRequests(Signals);

impl StopRequests {
    /// Registers for the signals.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn take() -> io::Result<StopRequests> {
        let mut signals = vec![SIGINT, SIGTERM];
        if !is_ignored(SIGHUP) {
            signals.push(SIGHUP);
        }
        Ok(StopRequests(Signals::new(signals)?))
    }

    /// Blocks until the process is asked to end.
    pub fn wait(&mut self) -> StopRequest {
        self.0.forever().next();
        StopRequest::Asked
    }
}

/// Whether the process was started with `signal` ignored. Known only on Linux, from the mask in
/// /proc/self/status.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

pub(super) fn end() {
    // It cannot fail for a signal that exists.
    let _ = signal_hook::low_level::raise(SIGTERM);
}

/// Unix terminals need no setup.
pub struct ConsoleMode(());

impl ConsoleMode {
    /// Changes nothing.
    pub fn set() -> ConsoleMode {
        ConsoleMode(())
    }
}

pub(super) fn hold_window(_request: &str) {}

pub(super) fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn is_pipe(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(target_os = "linux")]
#[inline(never)]
#[allow(unsafe_code)]
pub(super) fn give_back_stack() {
    let own_frame = 0_u8;
    let end = std::ptr::from_ref(std::hint::black_box(&own_frame)).addr() - OWN_FRAME_BYTES;
    let end = end - end % rustix::param::page_size();
    let begin = std::ptr::without_provenance_mut(end - GIVEN_BACK_BYTES);
    // SAFETY: the range lies below every frame of this thread, including the system call's, so
    // nothing in it is ever read again. It starts within this stack, which is twice as long,
    // and callers have used only a few pages.
    // It fails if memory is locked, and then changes nothing.
    let _ = unsafe { madvise(begin, GIVEN_BACK_BYTES, Advice::LinuxDontNeed) };
}

/// Other systems may behave differently.
#[cfg(not(target_os = "linux"))]
pub(super) fn give_back_stack() {}

/// A background process must not read from the terminal: that would stop it.
pub(super) fn read_terminal(stdin: &Stdin, space: &mut [u8]) -> io::Result<usize> {
    loop {
        rustix::event::poll(&mut [PollFd::new(stdin, PollFlags::IN)], None)?;
        if tcgetpgrp(stdin)? == getpgrp() {
            return Ok(rustix::io::read(stdin, space)?);
        }
        std::thread::sleep(BACKGROUND_PAUSE);
    }
}

pub(super) fn firewall_rule(_ports: &[u16]) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux", not(feature = "shuttle")))]
mod tests {
    use std::hint::black_box;

    use super::*;
    use crate::admission::capacity::STACK_BYTES;

    /// The resident bytes of the current thread's stack.
    #[track_caller]
    fn resident_stack_bytes() -> usize {
        let here = 0_u8;
        let here = std::ptr::from_ref(black_box(&here)).addr();
        let maps = std::fs::read_to_string("/proc/thread-self/smaps").expect("Linux has it");
        let mut lines = maps.lines().skip_while(|line| {
            let bounds = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
            let number = |hex| usize::from_str_radix(hex, 16).ok();
            let bounds = bounds.and_then(|(from, to)| Some(number(from)?..number(to)?));
            !bounds.is_some_and(|bounds| bounds.contains(&here))
        });
        let resident = lines.find_map(|line| line.strip_prefix("Rss:")).expect("it is mapped");
        resident.trim_end_matches("kB").trim().parse::<usize>().expect("a number") * 1_024
    }

    #[inline(never)]
    fn call_deep() {
        black_box([1_u8; 48 << 10]);
    }

    #[test]
    fn a_stack_gives_back_the_pages_of_finished_calls() {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
            let kept = black_box(vec![7_u8; 100]);
            let before = resident_stack_bytes();
            call_deep();
            let deep = resident_stack_bytes();
            give_back_stack();
            let after = resident_stack_bytes();
            // Pages in use stay as they are, and the rest can be used again.
            call_deep();
            assert!(kept.iter().all(|byte| *byte == 7));
            [before, deep, after, resident_stack_bytes()]
        });
        let [before, deep, after, again] = thread.expect("a thread").join().expect("no panic");
        assert!(deep >= before.max(48 << 10), "{deep} after {before}");
        assert!(after < 32 << 10, "{after} of {deep}");
        assert!(again >= 48 << 10, "{again}");
    }
}
