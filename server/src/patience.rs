//! How tests wait: for a thread to end, or for a condition. A lost wake-up fails the test at a
//! deadline instead of blocking it forever.

use std::{
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// How long a test waits.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A thread of a test.
pub(crate) struct TestThread<T> {
    /// The thread's status file in /proc.
    status: String,
    result: Receiver<T>,
}

/// Starts a thread.
pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> TestThread<T> {
    let (told, status) = mpsc::channel();
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
        told.send(format!("/proc/{}/status", own.display())).expect("the test waits");
        // If nobody receives this any more, the test has failed already.
        let _ = done.send(run());
    });
    TestThread { status: status.recv().expect("it begins with that"), result }
}

impl<T> TestThread<T> {
    /// The thread's result; fails if it does not arrive in time, or the thread panics.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        self.result.recv_timeout(DEADLINE).expect("the thread ends")
    }

    /// Waits until the thread sleeps; nothing else may block it than what the test is about.
    /// Works only on Linux.
    #[track_caller]
    pub(crate) fn wait_until_asleep(&self) {
        wait_until(|| {
            let status = std::fs::read_to_string(&self.status);
            !cfg!(target_os = "linux") || status.is_ok_and(|status| status.contains("State:\tS"))
        });
    }
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn wait_until(mut has_come: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !has_come() {
        assert!(Instant::now() < deadline, "it does not come about");
        thread::yield_now();
    }
}
