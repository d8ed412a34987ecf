//! How tests wait: for a thread that must end, and for what must come about. A wake-up
//! that was lost fails a test after the deadline, instead of leaving it waiting for ever.

use std::{
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A thread of a test.
pub(crate) struct TestThread<T> {
    /// Where the system tells of it.
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
        // The test has failed if nobody waits any more.
        let _ = done.send(run());
    });
    TestThread { status: status.recv().expect("it begins with that"), result }
}

impl<T> TestThread<T> {
    /// What it returns; fails if that does not come in time, or it panics.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        self.result.recv_timeout(DEADLINE).expect("the thread ends")
    }

    /// Waits until it sleeps, for which nothing may keep it but what it is to wait for.
    /// Known on Linux alone.
    #[track_caller]
    pub(crate) fn wait_until_asleep(&self) {
        wait_until(|| {
            let status = std::fs::read_to_string(&self.status);
            !cfg!(target_os = "linux") || status.is_ok_and(|status| status.contains("State:\tS"))
        });
    }
}

/// Waits until it has come about.
#[track_caller]
pub(crate) fn wait_until(mut has_come: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !has_come() {
        assert!(Instant::now() < deadline, "it does not come about");
        thread::yield_now();
    }
}
